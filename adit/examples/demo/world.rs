//! What stands around client and gateway: a PKI with a CRL on HTTP, and a RADIUS server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use adit::tokio::SystemRng;
use adit::{
    ClientConfig, ClientProof, EapServer, GatewayConfig, GatewayProof, Key, OwnCertificate, Staple,
    Trust,
};
use adit_certval::{CrlStore, TrustAnchor, Verifier};
use adit_ikev2::Identity;
use adit_platform::simd::PROVIDER;
use adit_platform::{Rng, Secret};
use adit_radius::{AttributeList, AttributeType, ServerConfig};
use adit_testkit::pki::{self, Authority, Issued, Template};
use adit_testkit::radius_server::{RadiusServer, User};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use crate::Error;
use crate::report::Report;

pub(crate) const PASSWORD: &str = "wonderland";
const USER: &str = "alice";
const GATEWAY: &str = "gw.adit.test";
const RADIUS_SECRET: &[u8] = b"a secret of the demo's own";

pub(crate) struct World {
    authority: Authority,
    gateway: Issued,
    crl: Arc<Mutex<Vec<u8>>>,
    radius: SocketAddr,
    /// The servers end with this value.
    _servers: JoinSet<()>,
}

impl World {
    pub(crate) async fn start(report: &mut Report) -> Result<Self, Error> {
        report.section("A small world on 127.0.0.1");
        let mut servers = JoinSet::new();
        let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}/root.crl", http.local_addr()?);

        let mut authority = Authority::root("Adit Demo Root", pki::Key::p256(&mut SystemRng));
        let template = Template { crl_urls: vec![url.clone()], ..Template::gateway(GATEWAY) };
        let gateway = authority.issue(&template, pki::Key::p256(&mut SystemRng));
        report.stage(&format!("test PKI: a root, and a certificate for {GATEWAY}"));

        let crl = Arc::new(Mutex::new(authority.crl(&[])));
        servers.spawn(serve_crl(http, crl.clone()));
        report.stage(&format!("CRL at {url}"));

        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let radius = socket.local_addr()?;
        servers.spawn(serve_radius(socket)?);
        report.stage(&format!("RADIUS server at {radius}"));
        Ok(Self { authority, gateway, crl, radius, _servers: servers })
    }

    /// The next CRL revokes the gateway's certificate.
    pub(crate) fn revoke_gateway(&mut self) {
        let crl = self.authority.crl(&[self.gateway.serial]);
        *self.crl.lock().unwrap_or_else(PoisonError::into_inner) = crl;
    }

    /// A gateway whose users are the RADIUS server's, on any free ports.
    pub(crate) fn gateway_config(&self) -> Result<GatewayConfig, Error> {
        let mut config = GatewayConfig::new(Identity::fqdn(GATEWAY));
        config.endpoint.ike_port = 0;
        config.endpoint.nat_t_port = 0;
        config.certificate = Some(OwnCertificate {
            chain: vec![self.gateway.certificate.clone()],
            key: Key::Local(PROVIDER.keys.load_pkcs8(self.gateway.key.pkcs8())?),
            staple: Staple::None,
        });
        let server = ServerConfig::new(self.radius, Secret::copy_from(RADIUS_SECRET));
        let mut radius = adit_radius::ClientConfig::new(vec![server]);
        radius.source_ports = 1;
        config.clients.eap = Some(EapServer::Radius(radius));
        config.pool.push("10.99.0.0/24".parse()?);
        config.subnets = vec!["10.88.0.0/16".parse()?];
        config.dns = vec![Ipv4Addr::new(10, 88, 0, 53).into()];
        Ok(config)
    }

    /// A client that trusts the demo's root and wants a fresh CRL.
    pub(crate) fn client_config(
        &self,
        gateway: SocketAddr,
        nat_t_port: u16,
        password: &str,
    ) -> Result<ClientConfig, Error> {
        let mut verifier = Verifier::new(&PROVIDER);
        verifier.add_anchor(TrustAnchor::from_der(self.authority.certificate.clone())?);
        let trust = Trust { verifier, crls: CrlStore::new(), fetch: true };
        let password = Some(Secret::copy_from(password.as_bytes()));
        let mut config = ClientConfig::new(
            (Ipv4Addr::LOCALHOST, 0).into(),
            gateway,
            Identity::fqdn(GATEWAY),
            GatewayProof::Certificate(Box::new(trust)),
            Identity::email("alice@adit.test"),
            ClientProof::Password { user: USER.to_owned(), password },
        );
        config.endpoint.nat_t_port = 0;
        config.gateway_nat_t_port = nat_t_port;
        Ok(config)
    }
}

/// Answers every request with the CRL of the moment.
async fn serve_crl(listener: TcpListener, crl: Arc<Mutex<Vec<u8>>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let body = crl.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/pkix-crl\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        let mut request = [0; 2048];
        // Who hangs up early gets nothing; the client will say so.
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(&body).await;
        let _ = stream.shutdown().await;
    }
}

/// A RADIUS server that knows one user.
fn serve_radius(socket: UdpSocket) -> Result<impl Future<Output = ()>, Error> {
    let mut seed = [0; 8];
    SystemRng.fill(&mut seed)?;
    let mut granted = AttributeList::new();
    granted.push(AttributeType::CLASS, b"demo")?;
    let secret = Secret::copy_from(RADIUS_SECRET);
    let mut server = RadiusServer::new(secret, u64::from_be_bytes(seed))
        .with_user(USER, User::with_password(PASSWORD, granted));
    Ok(async move {
        let mut buf = [0; 4096];
        while let Ok((len, from)) = socket.recv_from(&mut buf).await {
            if let Some(reply) = server.handle_datagram(from, &buf[..len]) {
                let _ = socket.send_to(&reply, from).await;
            }
        }
    })
}
