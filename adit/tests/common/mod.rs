//! A gateway, a client, a RADIUS server and a web server in memory, on virtual time.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use adit::adapters::eap::UserStore;
use adit::adapters::esp::{Sealed, SendError, Tunnels};
use adit::{
    Client, ClientConfig, ClientEvent, ClientProof, Clocks, Connection, Disconnect, EapServer,
    Gateway, GatewayConfig, GatewayEvent, GatewayProof, Key, OwnCertificate, Policy, Received,
    Staple, Target, Trust,
};
use adit_certval::{CrlStore, Revocation, TrustAnchor, Verifier};
use adit_eap::Credential;
use adit_ikev2::{Identity, Path};
use adit_platform::{Instant, Provider, Secret, UnixTime};
use adit_radius::{AttributeList, ServerConfig};
use adit_testkit::net::{Conditions, Datagram, Network};
use adit_testkit::pki::{self, Authority, Issued, Template};
use adit_testkit::radius_server::{RadiusServer, User};
use adit_testkit::rng::SeededRng;

pub(crate) const PROVIDERS: [Provider; 3] = [
    adit_platform::simd::PROVIDER,
    adit_platform::ring::PROVIDER,
    adit_platform::rustcrypto::PROVIDER,
];

pub(crate) const PASSWORD: &str = "wonderland";
pub(crate) const CRL_URL: &str = "http://pki.test/root.crl";
/// A host behind the gateway.
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 1);

const GATEWAY: &str = "gw.adit.test";
const ALICE: &str = "alice@adit.test";
const PSK: &[u8] = b"correct horse battery staple";
const RADIUS_SECRET: &[u8] = b"testing123";

/// Where gateway and client are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outer {
    pub(crate) gateway: IpAddr,
    pub(crate) client: IpAddr,
}

pub(crate) const OVER_IPV4: Outer = Outer {
    gateway: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    client: IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)),
};

pub(crate) const OVER_IPV6: Outer = Outer {
    gateway: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    client: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 7, 0, 0, 0, 0, 7)),
};

fn radius_address() -> SocketAddr {
    (Ipv4Addr::new(192, 0, 2, 9), 1812).into()
}

/// Who proves what to whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Login {
    SharedSecret,
    Certificates,
    /// The gateway by certificate, the client by password, which the gateway checks.
    LocalPassword,
    /// The same, checked by the RADIUS server.
    RadiusPassword,
}

/// What a test changes before the machines are made.
pub(crate) struct Setup {
    pub(crate) provider: Provider,
    pub(crate) login: Login,
    pub(crate) outer: Outer,
    pub(crate) seed: u64,
    pub(crate) conditions: Conditions,
    pub(crate) authority: Authority,
    pub(crate) gateway_certificate: Issued,
    pub(crate) client_certificate: Issued,
    pub(crate) password: Option<&'static str>,
    pub(crate) revocation: Revocation,
    /// Whether the private keys are elsewhere, and signatures asked for.
    pub(crate) external_keys: bool,
    /// What goes along with either end's certificate.
    pub(crate) staple: Staple,
    /// What the web server has.
    pub(crate) web: BTreeMap<String, Vec<u8>>,
    pub(crate) unix: u64,
    pub(crate) gateway: GatewayConfig,
    /// The client's, if it is not the gateway's.
    pub(crate) client_policy: Option<Policy>,
    pub(crate) radius_answers: bool,
}

impl Setup {
    pub(crate) fn new(provider: Provider, login: Login) -> Self {
        let mut rng = SeededRng::new(7);
        let mut authority = Authority::root("Test Root", pki::Key::p256(&mut rng));
        let template =
            Template { crl_urls: vec![CRL_URL.to_owned()], ..Template::gateway(GATEWAY) };
        let gateway_certificate = authority.issue(&template, pki::Key::p256(&mut rng));
        let template = Template { crl_urls: vec![CRL_URL.to_owned()], ..Template::user(ALICE) };
        let client_certificate = authority.issue(&template, pki::Key::p256(&mut rng));
        let web = BTreeMap::from([(CRL_URL.to_owned(), authority.crl(&[]))]);
        let mut gateway = GatewayConfig::new(Identity::fqdn(GATEWAY));
        gateway.pool = vec!["10.99.0.0/24".parse().unwrap(), "fd99::/112".parse().unwrap()];
        gateway.subnets = vec!["10.88.0.0/16".parse().unwrap(), "fd88::/64".parse().unwrap()];
        gateway.dns = vec![Ipv4Addr::new(10, 88, 0, 53).into()];
        Self {
            provider,
            login,
            outer: OVER_IPV4,
            seed: 1,
            conditions: Conditions::IDEAL,
            authority,
            gateway_certificate,
            client_certificate,
            password: Some(PASSWORD),
            revocation: Revocation::Require,
            external_keys: false,
            staple: Staple::None,
            web,
            unix: pki::NOW,
            gateway,
            client_policy: None,
            radius_answers: true,
        }
    }

    pub(crate) fn template() -> Template {
        Template { crl_urls: vec![CRL_URL.to_owned()], ..Template::gateway(GATEWAY) }
    }

    /// Replaces the gateway's certificate.
    pub(crate) fn issue_gateway(&mut self, template: &Template) {
        self.gateway_certificate =
            self.authority.issue(template, pki::Key::p256(&mut SeededRng::new(8)));
    }

    fn own(&self, issued: &Issued) -> OwnCertificate {
        let key = self.provider.keys.load_pkcs8(issued.key.pkcs8()).unwrap();
        let chain = vec![issued.certificate.clone(), self.authority.certificate.clone()];
        let key = match self.external_keys {
            true => Key::External { schemes: key.schemes().to_vec() },
            false => Key::Local(key),
        };
        OwnCertificate { chain, key, staple: self.staple.clone() }
    }

    fn trust(&self) -> Trust {
        let mut verifier = Verifier::new(&self.provider);
        let mut anchor = TrustAnchor::from_der(self.authority.certificate.clone()).unwrap();
        anchor.revocation = self.revocation;
        verifier.add_anchor(anchor);
        Trust { verifier, crls: CrlStore::new(), fetch: true }
    }

    pub(crate) fn start(mut self) -> World {
        let clients = &mut self.gateway.clients;
        let id = Identity::email(ALICE);
        match self.login {
            Login::SharedSecret => {
                clients.shared_secrets.insert(id, Secret::copy_from(PSK));
            }
            Login::Certificates => {}
            Login::LocalPassword => {
                let mut users = UserStore::new();
                users.insert("alice", Credential::password(PASSWORD));
                clients.eap = Some(EapServer::Local(users));
            }
            Login::RadiusPassword => {
                let server = ServerConfig::new(radius_address(), Secret::copy_from(RADIUS_SECRET));
                let radius = adit_radius::ClientConfig::new(vec![server]);
                clients.eap = Some(EapServer::Radius(radius));
            }
        }
        if self.login == Login::Certificates {
            self.gateway.clients.certificates = Some(self.trust());
        }
        if self.login != Login::SharedSecret {
            self.gateway.certificate = Some(self.own(&self.gateway_certificate));
        }
        let gateway_proof = match self.login {
            Login::SharedSecret => GatewayProof::SharedSecret(Secret::copy_from(PSK)),
            _ => GatewayProof::Certificate(Box::new(self.trust())),
        };
        let proof = match self.login {
            Login::SharedSecret => ClientProof::SharedSecret(Secret::copy_from(PSK)),
            Login::Certificates => ClientProof::Certificate(self.own(&self.client_certificate)),
            _ => ClientProof::Password {
                user: "alice".to_owned(),
                password: self.password.map(|text| Secret::copy_from(text.as_bytes())),
            },
        };
        let clocks = Clocks { now: Instant::default(), unix: UnixTime::from_secs(self.unix) };
        let rng = |n| Box::new(SeededRng::new(self.seed.wrapping_mul(2).wrapping_add(n)));
        let mut config = ClientConfig::new(
            (self.outer.client, 500).into(),
            (self.outer.gateway, 500).into(),
            Identity::fqdn(GATEWAY),
            gateway_proof,
            Identity::email(ALICE),
            proof,
        );
        // What goes for one end goes for the other.
        config.policy = self.client_policy.unwrap_or_else(|| self.gateway.policy.clone());
        let client = Client::new(config, self.provider, rng(0), clocks).unwrap();
        let gateway = Gateway::new(self.gateway, self.provider, rng(1), clocks).unwrap();
        let user = User::with_password(PASSWORD, AttributeList::new());
        let radius =
            RadiusServer::new(Secret::copy_from(RADIUS_SECRET), 3).with_user("alice", user);
        World {
            client,
            gateway,
            outer: self.outer,
            radius: self.radius_answers.then_some(radius),
            net: Network::new(self.seed, self.conditions),
            web: self.web,
            fetched: [Vec::new(), Vec::new()],
            now: clocks.now,
            client_events: Vec::new(),
            gateway_events: Vec::new(),
            at_client: Vec::new(),
            at_gateway: Vec::new(),
            esp: Vec::new(),
        }
    }
}

/// Everything, running.
pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) gateway: Gateway,
    pub(crate) outer: Outer,
    radius: Option<RadiusServer>,
    pub(crate) net: Network,
    pub(crate) web: BTreeMap<String, Vec<u8>>,
    /// What each of client and gateway has fetched, and when.
    pub(crate) fetched: [Vec<(Instant, String)>; 2],
    pub(crate) now: Instant,
    pub(crate) client_events: Vec<ClientEvent>,
    pub(crate) gateway_events: Vec<GatewayEvent>,
    /// Inner packets that came out.
    pub(crate) at_client: Vec<Vec<u8>>,
    pub(crate) at_gateway: Vec<Vec<u8>>,
    /// ESP in UDP that was sent: by the gateway or not, when, and its length.
    pub(crate) esp: Vec<(bool, Instant, usize)>,
}

impl World {
    /// Runs for this long, or until `done`.
    pub(crate) fn run(&mut self, time: Duration, done: impl Fn(&Self) -> bool) {
        let end = self.now + time;
        loop {
            self.drain();
            if done(self) {
                return;
            }
            let next =
                [self.net.next_arrival(), self.client.poll_timeout(), self.gateway.poll_timeout()];
            match next.into_iter().flatten().min() {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => {
                    self.now = end;
                    return;
                }
            }
            while let Some(datagram) = self.net.receive(self.now) {
                self.deliver(datagram);
            }
            for due in [self.client.poll_timeout(), self.gateway.poll_timeout()] {
                if due.is_some_and(|due| due <= self.now) {
                    self.client.handle_timeout(self.now);
                    self.gateway.handle_timeout(self.now);
                }
            }
        }
    }

    /// Connects, and says how that ended.
    pub(crate) fn connect(&mut self) -> Result<Connection, Disconnect> {
        self.client.connect(self.now).unwrap();
        self.run(Duration::from_secs(300), |world| world.outcome().is_some());
        match self.outcome() {
            Some(Ok(connection)) => {
                // The gateway has it when the client's first packets can arrive.
                self.run(Duration::from_secs(1), |_| false);
                Ok(connection)
            }
            Some(Err(reason)) => Err(reason),
            None => panic!("neither connected nor refused after five minutes"),
        }
    }

    fn outcome(&self) -> Option<Result<Connection, Disconnect>> {
        self.client_events.iter().find_map(|event| match event {
            ClientEvent::Connected(connection) => Some(Ok(connection.clone())),
            ClientEvent::Disconnected { reason, .. } => Some(Err(reason.clone())),
            _ => None,
        })
    }

    /// Sends an inner packet from the client; false if that cannot be.
    pub(crate) fn send_from_client(&mut self, packet: &[u8]) -> bool {
        self.try_from_client(packet).is_ok()
    }

    /// The other way.
    pub(crate) fn send_from_gateway(&mut self, packet: &[u8]) -> bool {
        self.try_from_gateway(packet).is_ok()
    }

    /// Sends an inner packet from the client and says what datagram it became.
    pub(crate) fn try_from_client(&mut self, packet: &[u8]) -> Result<Vec<u8>, SendError> {
        let (mut buf, range) = with_room(packet);
        let Some(sealed) = self.client.handle_packet(self.now, &mut buf, range)? else {
            return Ok(Vec::new());
        };
        Ok(self.put_sealed(sealed, &buf))
    }

    /// The other way.
    pub(crate) fn try_from_gateway(&mut self, packet: &[u8]) -> Result<Vec<u8>, SendError> {
        let (mut buf, range) = with_room(packet);
        let Some(sealed) = self.gateway.handle_packet(self.now, &mut buf, range)? else {
            return Ok(Vec::new());
        };
        Ok(self.put_sealed(sealed, &buf))
    }

    fn put_sealed(&mut self, sealed: Sealed, buf: &[u8]) -> Vec<u8> {
        let datagram = buf[sealed.datagram].to_vec();
        self.put(sealed.path, datagram.clone());
        datagram
    }

    fn put(&mut self, path: Path, payload: Vec<u8>) {
        // Port 4500 without the non-ESP marker, and more than a keepalive.
        if path.local.port() == 4500 && payload.len() > 8 && payload[..4] != [0; 4] {
            let from_gateway = path.local.ip() == self.outer.gateway;
            self.esp.push((from_gateway, self.now, payload.len()));
        }
        self.net.send(self.now, Datagram { from: path.local, to: path.remote, payload });
    }

    fn drain(&mut self) {
        let mut buf = Vec::new();
        loop {
            let mut idle = true;
            while let Some(path) = self.client.poll_transmit(&mut buf) {
                self.put(path, buf.clone());
                idle = false;
            }
            while let Some(target) = self.gateway.poll_transmit(&mut buf) {
                idle = false;
                match target {
                    Target::Peer(path) => self.put(path, buf.clone()),
                    Target::Radius { socket, server } => self.ask_radius(socket, server, &buf),
                }
            }
            while self.client.poll_packet(&mut buf) {
                self.at_client.push(buf.clone());
            }
            while self.gateway.poll_packet(&mut buf) {
                self.at_gateway.push(buf.clone());
            }
            while let Some(event) = self.client.poll_event() {
                idle = false;
                match event {
                    ClientEvent::Fetch(fetch) => {
                        self.fetched[0].push((self.now, fetch.url.clone()));
                        let found = self.web.get(&fetch.url).cloned();
                        let found = found.ok_or_else(|| "404".to_owned());
                        self.client.handle_fetched(self.now, fetch.id, found);
                    }
                    event => self.client_events.push(event),
                }
            }
            while let Some(event) = self.gateway.poll_event() {
                idle = false;
                match event {
                    GatewayEvent::Fetch(fetch) => {
                        self.fetched[1].push((self.now, fetch.url.clone()));
                        let found = self.web.get(&fetch.url).cloned();
                        let found = found.ok_or_else(|| "404".to_owned());
                        self.gateway.handle_fetched(self.now, fetch.id, found);
                    }
                    event => self.gateway_events.push(event),
                }
            }
            if idle {
                return;
            }
        }
    }

    fn ask_radius(&mut self, socket: u16, server: SocketAddr, request: &[u8]) {
        let from = (self.outer.gateway, 40_000 + socket).into();
        let reply = self.radius.as_mut().and_then(|it| it.handle_datagram(from, request));
        if let Some(reply) = reply {
            self.gateway.handle_radius(self.now, socket, server, &reply).unwrap();
        }
    }

    fn deliver(&mut self, mut datagram: Datagram) {
        let path = Path { local: datagram.to, remote: datagram.from };
        let payload = &mut datagram.payload;
        if datagram.to.ip() == self.outer.gateway {
            if let Received::Packet(at) = self.gateway.handle_datagram(self.now, path, payload) {
                self.at_gateway.push(payload[at].to_vec());
            }
        } else if let Received::Packet(at) = self.client.handle_datagram(self.now, path, payload) {
            self.at_client.push(payload[at].to_vec());
        }
    }
}

fn with_room(packet: &[u8]) -> (Vec<u8>, std::ops::Range<usize>) {
    let mut buf = vec![0; Tunnels::HEADROOM + packet.len() + Tunnels::TAILROOM];
    let range = Tunnels::HEADROOM..Tunnels::HEADROOM + packet.len();
    buf[range.clone()].copy_from_slice(packet);
    (buf, range)
}

/// An IPv4 packet that carries `number` and nothing of sense.
pub(crate) fn packet(from: Ipv4Addr, to: Ipv4Addr, number: u32) -> Vec<u8> {
    let mut packet = vec![0; 60];
    packet[0] = 0x45;
    packet[3] = 60;
    packet[8] = 64;
    packet[9] = 17;
    packet[12..16].copy_from_slice(&from.octets());
    packet[16..20].copy_from_slice(&to.octets());
    packet[28..32].copy_from_slice(&number.to_be_bytes());
    packet
}
