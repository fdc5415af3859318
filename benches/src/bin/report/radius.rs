//! What a RADIUS exchange costs the client beside its hashing.

use adit_benches::{Case, Pair, Report};
use adit_platform::rng::RngError;
use adit_platform::{Instant, Rng, Secret};
use adit_radius::{
    AccessRequest, AttributeList, AttributeType, Client, ClientConfig, Code, Event, ServerConfig,
    secure,
};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};

const SECRET: &[u8] = b"0123456789abcdef";

/// The same Request Authenticator for every request, so that the replies can be made beforehand.
struct Constant;

impl Rng for Constant {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        out.fill(7);
        Ok(())
    }
}

/// The rows of `radius/`.
pub(crate) fn rows(report: &mut Report) {
    report.compare("radius/access-request", "ns", access_request);
}

/// An Access-Request with an EAP-MSCHAPv2 Response out, the Access-Challenge that answers it in; held
/// against the three hashes of the exchange: HMAC-MD5 of the request, MD5 and HMAC-MD5 of the reply.
fn access_request() -> Pair<'static> {
    let address = "192.0.2.1:1812".parse().expect("a literal address");
    let server = ServerConfig::new(address, Secret::copy_from(SECRET));
    let config = ClientConfig { source_ports: 1, ..ClientConfig::new(vec![server]) };
    let mut client = Client::new(config).expect("a server and a port");
    // Identifiers are given out one after the other: one reply for each.
    let secret = Secret::copy_from(SECRET);
    let replies: Vec<Vec<u8>> = (0..=255)
        .map(|identifier| {
            let list = attributes(51);
            secure::seal_reply(Code::ACCESS_CHALLENGE, identifier, &[7; 16], list.view(), &secret)
                .expect("a short reply")
        })
        .collect();
    let request = sealed_request(&secret);
    let reply = replies[0].clone();
    let mut buf = Vec::new();
    let mut turn = 0;
    let ours = Case::new(1, move || {
        let request = AccessRequest::new(attributes(64)).expect("nothing reserved");
        client.send(Instant::default(), request, &mut Constant).expect("a free Identifier");
        client.poll_transmit(&mut buf).expect("a request");
        let reply = &replies[turn % 256];
        turn += 1;
        client.handle_datagram(Instant::default(), 0, address, reply).expect("a verified reply");
        match client.poll_event() {
            Some(Event::Reply { reply, .. }) => reply.attributes().as_bytes().len() + buf.len(),
            other => panic!("{other:?}"),
        }
    });
    let baseline = Case::new(1, move || {
        let hmac = |octets: &[u8]| {
            let mut mac = Hmac::<Md5>::new_from_slice(SECRET).expect("HMAC takes every key");
            mac.update(octets);
            mac.finalize().into_bytes()
        };
        let md5 = Md5::new().chain_update(&reply).chain_update(SECRET).finalize();
        usize::from(md5[0] ^ hmac(&request)[0] ^ hmac(&reply)[0])
    });
    Pair { ours, baseline: Some(baseline) }
}

/// What a gateway sends and gets: names, State, and an EAP packet of this many octets.
fn attributes(eap: usize) -> AttributeList {
    let mut list = AttributeList::new();
    let pushed = list
        .push(AttributeType::USER_NAME, b"alice@example.org")
        .and_then(|()| list.push(AttributeType::NAS_IDENTIFIER, b"vpn-gw-1"))
        .and_then(|()| list.push_u32(AttributeType::NAS_PORT_TYPE, 5))
        .and_then(|()| list.push(AttributeType::STATE, &[5; 16]))
        .and_then(|()| list.push_eap(&vec![1; eap]));
    pushed.expect("short attributes");
    list
}

fn sealed_request(secret: &Secret) -> Vec<u8> {
    let list = attributes(64);
    secure::seal_request(Code::ACCESS_REQUEST, 0, &[7; 16], list.view(), None, secret)
        .expect("a short request")
}
