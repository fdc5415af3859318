//! Users of a whole login: EAP peer, pass-through, client and server, joined by function calls.

use std::net::SocketAddr;
use std::time::Duration;

use adit_eap::{Credential, Error as EapError, MSK_LEN, Peer, PeerStep, error::Rejected, mschapv2};
use adit_platform::{Instant, Secret};
use adit_radius::error::Refused;
use adit_radius::{
    AccessRequest, AttributeList, AttributeType, Client, ClientConfig, Code, EapSession, EapStep,
    Error, Event, Reply, ServerConfig, VendorType,
};
use adit_testkit::radius_server::{RadiusServer, User};
use adit_testkit::rng::SeededRng;

const SECRET: &[u8] = b"testing123";

fn address() -> SocketAddr {
    "192.0.2.1:1812".parse().unwrap()
}

/// A client and a server without a network between them.
struct Pair {
    client: Client,
    server: RadiusServer,
    rng: SeededRng,
    now: Instant,
}

impl Pair {
    fn new() -> Self {
        let mut granted = AttributeList::new();
        granted.push(AttributeType::FRAMED_IP_ADDRESS, &[10, 99, 0, 7]).unwrap();
        granted.push_vendor(VendorType::MS_PRIMARY_DNS_SERVER, &[10, 88, 0, 53]).unwrap();
        granted.push(AttributeType::CLASS, b"staff").unwrap();
        granted.push_u32(AttributeType::SESSION_TIMEOUT, 3600).unwrap();
        let server = RadiusServer::new(Secret::copy_from(SECRET), 7)
            .with_user("alice", User::with_password("wonderland", granted));
        let config = ServerConfig::new(address(), Secret::copy_from(SECRET));
        Self {
            client: Client::new(ClientConfig::new(vec![config])).unwrap(),
            server,
            rng: SeededRng::new(8),
            now: Instant::from_origin(Duration::from_secs(1)),
        }
    }

    fn ask(&mut self, request: AccessRequest) -> Reply {
        let id = self.client.send(self.now, request, &mut self.rng).unwrap();
        let mut datagram = Vec::new();
        let transmit = self.client.poll_transmit(&mut datagram).unwrap();
        let from = SocketAddr::new([192, 0, 2, 9].into(), 40000 + transmit.source_port);
        let reply = self.server.handle_datagram(from, &datagram).expect("no reply");
        self.client.handle_datagram(self.now, transmit.source_port, address(), &reply).unwrap();
        match self.client.poll_event() {
            Some(Event::Reply { request, reply }) if request == id => reply,
            other => panic!("{other:?}"),
        }
    }

    /// Carries packets until the server has decided: its decision and what the peer made of it.
    fn login(&mut self, peer: &mut Peer) -> (EapStep, Result<PeerStep, EapError>) {
        let mut attributes = AttributeList::new();
        attributes.push(AttributeType::NAS_IDENTIFIER, b"vpn-gw-1").unwrap();
        let mut session = EapSession::new(attributes);
        let mut packet = session.start();
        loop {
            let PeerStep::Respond(response) = peer.handle(&packet, &mut self.rng).unwrap() else {
                panic!("the peer did not respond");
            };
            let request = session.handle_eap(&response).unwrap();
            let reply = self.ask(request);
            let step = session.handle_reply(reply).unwrap();
            packet = match &step {
                EapStep::Challenge(packet) => packet.clone(),
                EapStep::Accept { eap, .. } | EapStep::Reject { eap, .. } => {
                    let seen = peer.handle(eap, &mut self.rng);
                    return (step, seen);
                }
            };
        }
    }
}

fn peer(password: &str) -> Peer {
    let credential = Some(Credential::password(password));
    Peer::new("alice", vec![Box::new(mschapv2::Peer::new("alice", credential).unwrap())])
}

#[test]
fn both_ends_have_the_same_msk() {
    let mut pair = Pair::new();
    let (decision, seen) = pair.login(&mut peer("wonderland"));
    let EapStep::Accept { msk, authorization, .. } = decision else { panic!("{decision:?}") };
    let Ok(PeerStep::Success(Some(peers))) = seen else { panic!("{seen:?}") };
    assert_eq!((msk.len(), &msk), (MSK_LEN, peers.secret()));
    assert_eq!(authorization.framed_ip_address, Some([10, 99, 0, 7].into()));
    assert_eq!(authorization.dns_servers, [std::net::Ipv4Addr::new(10, 88, 0, 53)]);
    assert_eq!(authorization.class, [b"staff"]);
    assert_eq!(authorization.session_timeout, Some(Duration::from_secs(3600)));
    assert_eq!((pair.server.sessions(), pair.client.outstanding()), (0, 0));
}

#[test]
fn a_wrong_password_says_so_to_the_user() {
    let mut pair = Pair::new();
    let (decision, seen) = pair.login(&mut peer("looking glass"));
    let EapStep::Reject { reason, .. } = decision else { panic!("{decision:?}") };
    assert_eq!(reason, Error::Refused(Refused::Rejected));
    let Ok(PeerStep::Failure(EapError::Rejected(Rejected::MsChap { code: 691, .. }))) = seen else {
        panic!("{seen:?}")
    };
    assert_eq!(pair.server.counters().rejected, 1);
}

#[test]
fn a_password_without_eap() {
    let mut pair = Pair::new();
    for (password, code) in [("wonderland", Code::ACCESS_ACCEPT), ("x", Code::ACCESS_REJECT)] {
        let mut attributes = AttributeList::new();
        attributes.push(AttributeType::USER_NAME, b"alice").unwrap();
        let request = AccessRequest::new(attributes).unwrap();
        let reply = pair.ask(request.with_password(Secret::copy_from(password.as_bytes())));
        assert_eq!(reply.code(), code);
    }
}
