//! A client under any order of requests, replies, forgeries and time: each request ends once, no
//! deadline survives being handled, and nothing that was not made by the server is believed.
#![no_main]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use adit_platform::{Instant, Secret};
use adit_radius::{
    AccessRequest, AttributeList, AttributeType, Client, ClientConfig, Code, EapSession, Event,
    Packet, RequestId, ServerConfig, ServerId, secure,
};
use adit_testkit::rng::SeededRng;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Operation {
    Send {
        bound: Option<u8>,
    },
    Cancel {
        nth: u8,
    },
    /// An authentic reply to one of the datagrams sent so far.
    Reply {
        nth: u8,
        code: u8,
        attributes: Vec<(u8, Vec<u8>)>,
    },
    /// The same with one octet changed.
    Forgery {
        nth: u8,
        at: u16,
        by: u8,
    },
    Noise {
        server: u8,
        port: u8,
        octets: Vec<u8>,
    },
    Wait {
        millis: u16,
    },
}

const SECRET: &[u8] = b"testing123";

fn address(server: u8) -> SocketAddr {
    SocketAddr::new([192, 0, 2, server].into(), 1812)
}

fuzz_target!(|input: (bool, Vec<Operation>)| {
    let (probing, operations) = input;
    let mut servers: Vec<ServerConfig> =
        (0..3).map(|n| ServerConfig::new(address(n), Secret::copy_from(SECRET))).collect();
    if probing {
        servers[0].status_interval = Some(Duration::from_secs(5));
    }
    let config = ClientConfig { source_ports: 2, ..ClientConfig::new(servers) };
    let mut client = Client::new(config).expect("servers and ports");
    let mut rng = SeededRng::new(1);
    let mut now = Instant::default();
    let mut open: BTreeSet<RequestId> = BTreeSet::new();
    let mut sent: Vec<(u16, SocketAddr, Vec<u8>)> = Vec::new();

    for operation in operations {
        match operation {
            Operation::Send { bound } => {
                let mut list = AttributeList::new();
                list.push(AttributeType::USER_NAME, b"alice").expect("short");
                let mut request = AccessRequest::new(list).expect("nothing reserved");
                if let Some(server) = bound {
                    request = request.only_to(ServerId(server.into()));
                }
                if let Ok(id) = client.send(now, request, &mut rng) {
                    assert!(open.insert(id));
                }
            }
            Operation::Cancel { nth } => {
                if let Some(id) = open.iter().nth(nth.into()).copied() {
                    client.cancel(id);
                    open.remove(&id);
                }
            }
            Operation::Reply { nth, code, attributes } => {
                let Some((port, to, datagram)) = sent.get(usize::from(nth)) else { continue };
                let mut list = AttributeList::new();
                for (kind, value) in &attributes {
                    let _ = list.push(AttributeType(*kind), value);
                }
                if let Some(reply) = reply(datagram, Code(code), &list) {
                    let _ = client.handle_datagram(now, *port, *to, &reply);
                }
            }
            Operation::Forgery { nth, at, by } => {
                let Some((port, to, datagram)) = sent.get(usize::from(nth)) else { continue };
                let Some(mut reply) = reply(datagram, Code::ACCESS_ACCEPT, &AttributeList::new())
                else {
                    continue;
                };
                let at = usize::from(at) % reply.len();
                reply[at] ^= by | 1;
                assert!(client.handle_datagram(now, *port, *to, &reply).is_err());
            }
            Operation::Noise { server, port, octets } => {
                let from = address(server);
                assert!(client.handle_datagram(now, port.into(), from, &octets).is_err());
            }
            Operation::Wait { millis } => {
                now = now + Duration::from_millis(millis.into());
                client.handle_timeout(now, &mut rng);
                assert!(client.poll_timeout().is_none_or(|at| at > now), "a deadline stays");
            }
        }
        let mut buf = Vec::new();
        while let Some(transmit) = client.poll_transmit(&mut buf) {
            let packet = Packet::parse(&buf).expect("sealed by the client");
            secure::verify_request(&packet, &Secret::copy_from(SECRET)).expect("authentic");
            assert!(transmit.source_port < 2);
            if sent.len() < 256 {
                sent.push((transmit.source_port, transmit.destination, buf.clone()));
            }
        }
        while let Some(event) = client.poll_event() {
            match event {
                Event::Reply { request, reply } => {
                    assert!(open.remove(&request), "a second end");
                    let _ = (reply.authorization(), reply.msk(), reply.message());
                    let mut session = EapSession::new(AttributeList::new());
                    session.start_with_identity(b"alice").expect("a short name");
                    let _ = session.handle_reply(reply);
                }
                Event::Failed { request, .. } => assert!(open.remove(&request), "a second end"),
                _ => {}
            }
        }
        // Probes are pending, too: at most one, for the one server that is probed.
        assert!((open.len()..=open.len() + 1).contains(&client.outstanding()));
    }
});

fn reply(request: &[u8], code: Code, list: &AttributeList) -> Option<Vec<u8>> {
    let request = Packet::parse(request).ok()?;
    let (id, authenticator) = (request.identifier(), request.authenticator());
    secure::seal_reply(code, id, authenticator, list.view(), &Secret::copy_from(SECRET)).ok()
}
