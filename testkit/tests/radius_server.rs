//! The RADIUS server of the tests, from the side of a client that does what it should not: the cases of the
//! shared table that are about RADIUS and not about EAP (S12, S50 to S57).

use std::net::SocketAddr;

use adit_eap::{Credential, Peer, PeerStep, mschapv2};
use adit_platform::Secret;
use adit_radius::{AttributeList, AttributeType, Code, Packet, secure};
use adit_testkit::radius_server::{RadiusServer, User};
use adit_testkit::rng::SeededRng;

const IDENTITY: &[u8] = b"\x02\x00\x00\x0a\x01alice";

fn secret() -> Secret {
    Secret::copy_from(b"testing123")
}

fn server() -> RadiusServer {
    let user = |silent| User { silent, ..User::with_password("wonderland", AttributeList::new()) };
    RadiusServer::new(secret(), 1).with_user("alice", user(false)).with_user("silent", user(true))
}

/// A client that numbers its requests.
struct Client {
    server: RadiusServer,
    identifier: u8,
    /// Octets of EAP in one attribute.
    chunk: usize,
}

impl Client {
    fn new() -> Self {
        Self { server: server(), identifier: 0, chunk: 253 }
    }

    fn ask(&mut self, user: &[u8], state: Option<&[u8]>, eap: &[u8]) -> Option<Vec<u8>> {
        let mut list = AttributeList::new();
        list.push(AttributeType::USER_NAME, user).unwrap();
        if let Some(state) = state {
            list.push(AttributeType::STATE, state).unwrap();
        }
        if eap.is_empty() {
            list.push(AttributeType::EAP_MESSAGE, &[]).unwrap();
        }
        for chunk in eap.chunks(self.chunk) {
            list.push(AttributeType::EAP_MESSAGE, chunk).unwrap();
        }
        self.send(&list)
    }

    fn send(&mut self, list: &AttributeList) -> Option<Vec<u8>> {
        self.identifier += 1;
        let (code, authenticator) = (Code::ACCESS_REQUEST, [self.identifier; 16]);
        let request = secure::seal_request(
            code,
            self.identifier,
            &authenticator,
            list.view(),
            None,
            &secret(),
        );
        self.server.handle_datagram(from(), &request.unwrap())
    }

    /// A challenge: its State, and what our peer answers to it.
    fn challenged(&mut self) -> (Vec<u8>, Vec<u8>) {
        let reply = self.ask(b"alice", None, IDENTITY).unwrap();
        let (code, state, eap) = read(&reply);
        assert_eq!(code, Code::ACCESS_CHALLENGE);
        let credential = Some(Credential::password("wonderland"));
        let method = mschapv2::Peer::new("alice", credential).unwrap();
        let mut peer = Peer::new("alice", vec![Box::new(method)]);
        let PeerStep::Respond(proof) = peer.handle(&eap, &mut SeededRng::new(2)).unwrap() else {
            panic!()
        };
        (state, proof)
    }
}

fn from() -> SocketAddr {
    "192.0.2.9:40000".parse().unwrap()
}

fn read(reply: &[u8]) -> (Code, Vec<u8>, Vec<u8>) {
    let packet = Packet::parse(reply).unwrap();
    let attributes = packet.attributes();
    let state = attributes.one(AttributeType::STATE).unwrap().map_or(&[][..], |state| state.value);
    (packet.code(), state.to_vec(), attributes.eap().unwrap().unwrap_or_default())
}

#[test]
fn the_state_has_to_be_that_of_the_conversation() {
    // S50, S51, S52: none, another one, and one that is cut. RFC 2865 section 5.24.
    let mut client = Client::new();
    let (state, proof) = client.challenged();
    let (other, _) = client.challenged();
    assert_eq!(client.ask(b"alice", None, &proof), None);
    // To the challenge of the other conversation it is a wrong proof: OpCode 4, Failure.
    let (_, _, eap) = read(&client.ask(b"alice", Some(&other), &proof).unwrap());
    assert_eq!(eap[5], 4);
    assert_eq!(client.ask(b"alice", Some(&state[..3]), &proof), None);
    // Another user does not continue it.
    assert_eq!(client.ask(b"bob", Some(&state), &proof), None);
    // And the right one still does.
    let (code, _, eap) = read(&client.ask(b"alice", Some(&state), &proof).unwrap());
    assert_eq!((code, eap[5]), (Code::ACCESS_CHALLENGE, 3));
}

#[test]
fn a_request_without_message_authenticator_is_discarded() {
    // S53, RFC 3579 section 3.1.
    let mut server = server();
    let attributes = [&[1, 7][..], b"alice", &[79, 12], IDENTITY].concat();
    let length = 20 + attributes.len() as u8;
    let request = [&[1, 1, 0, length][..], &[7; 16], &attributes].concat();
    assert_eq!(server.handle_datagram(from(), &request), None);
    assert_eq!(server.counters().discarded, 1);
}

#[test]
fn eap_may_be_split_anywhere_and_not_be_mixed() {
    // S54: three octets in each attribute.
    let mut client = Client { chunk: 3, ..Client::new() };
    let (state, proof) = client.challenged();
    assert!(client.ask(b"alice", Some(&state), &proof).is_some());
    // S55: something between them, RFC 3579 section 3.1.
    let mut list = AttributeList::new();
    list.push(AttributeType::EAP_MESSAGE, &IDENTITY[..4]).unwrap();
    list.push(AttributeType::USER_NAME, b"alice").unwrap();
    list.push(AttributeType::EAP_MESSAGE, &IDENTITY[4..]).unwrap();
    assert_eq!(client.send(&list), None);
}

#[test]
fn eap_start_asks_for_the_identity() {
    // S56, RFC 3579 section 2.1.
    let mut client = Client::new();
    let (code, _, eap) = read(&client.ask(b"alice", None, b"").unwrap());
    assert_eq!((code, eap[0], &eap[2..]), (Code::ACCESS_CHALLENGE, 1, &[0, 5, 1][..]));
}

#[test]
fn an_identity_that_is_another_or_broken_is_discarded() {
    // S12 and S57.
    let mut client = Client::new();
    assert_eq!(client.ask(b"mallory", None, IDENTITY), None);
    assert_eq!(client.ask(b"alice", None, &[2, 1, 0, 3]), None);
    assert_eq!(client.server.sessions(), 0);
}

#[test]
fn a_repeated_request_has_the_same_reply_and_no_second_effect() {
    let mut client = Client::new();
    let first = client.ask(b"alice", None, IDENTITY);
    client.identifier -= 1;
    assert_eq!(client.ask(b"alice", None, IDENTITY), first);
    assert_eq!((client.server.sessions(), client.server.counters().repeated), (1, 1));
}

#[test]
fn a_silent_user_gets_no_answer() {
    assert_eq!(Client::new().ask(b"silent", None, IDENTITY), None);
}

#[test]
fn conversations_are_bounded() {
    let mut client = Client::new();
    let (first, proof) = client.challenged();
    for port in 1..2000 {
        client.identifier = 0;
        let mut list = AttributeList::new();
        list.push(AttributeType::USER_NAME, b"alice").unwrap();
        list.push_eap(IDENTITY).unwrap();
        let request =
            secure::seal_request(Code::ACCESS_REQUEST, 1, &[3; 16], list.view(), None, &secret());
        let from = SocketAddr::new([192, 0, 2, 10].into(), port);
        assert!(client.server.handle_datagram(from, &request.unwrap()).is_some());
    }
    assert!(client.server.sessions() <= 1024, "{}", client.server.sessions());
    client.identifier = 100;
    assert_eq!(client.ask(b"alice", Some(&first), &proof), None, "the oldest has given way");
}
