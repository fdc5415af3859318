//! Octets bent in every way, and a network that loses, doubles and bends them.

use std::net::SocketAddr;
use std::time::Duration;

use adit_platform::{Instant, Secret};
use adit_radius::error::Misuse;
use adit_radius::{
    AccessRequest, AttributeList, AttributeType, Client, ClientConfig, Code, EapSession, EapStep,
    Error, Event, Packet, ServerConfig, VendorType, mppe, secure,
};
use adit_testkit::mutate::{self, Field};
use adit_testkit::net::{Conditions, Datagram, Network};
use adit_testkit::radius_server::{RadiusServer, User};
use adit_testkit::rng::SeededRng;
use adit_testkit::seed;
use proptest::prelude::*;

const SECRET: &[u8] = b"testing123";

fn secret() -> Secret {
    Secret::copy_from(SECRET)
}

fn server_address() -> SocketAddr {
    "192.0.2.1:1812".parse().unwrap()
}

/// An Access-Accept with everything that a gateway reads.
fn accept(authenticator: &[u8; 16], identifier: u8) -> Vec<u8> {
    let mut list = AttributeList::new();
    list.push(AttributeType::FRAMED_IP_ADDRESS, &[10, 0, 0, 1]).unwrap();
    list.push(AttributeType::FRAMED_IPV6_PREFIX, &[0, 64, 32, 1, 13, 184, 0, 0, 0, 0]).unwrap();
    list.push(AttributeType::CLASS, b"c").unwrap();
    list.push(AttributeType::REPLY_MESSAGE, b"welcome").unwrap();
    list.push_vendor(VendorType::MS_PRIMARY_DNS_SERVER, &[10, 0, 0, 53]).unwrap();
    mppe::push_keys(&mut list, &[1; 16], &[2; 16], 0x8001, authenticator, &secret()).unwrap();
    list.push_eap(&[3, 0, 0, 4]).unwrap();
    secure::seal_reply(Code::ACCESS_ACCEPT, identifier, authenticator, list.view(), &secret())
        .unwrap()
}

/// Length of the packet and of each of its attributes.
fn fields(packet: &[u8]) -> Vec<Field> {
    let attributes = Packet::parse(packet).unwrap().attributes();
    let lengths = attributes.iter().map(|attribute| Field::u8(attribute.offset + 1));
    std::iter::once(Field::u16(2)).chain(lengths).collect()
}

#[test]
fn a_parser_survives() {
    let valid = accept(&[7; 16], 1);
    for cut in mutate::truncations(&valid) {
        assert!(Packet::parse(cut).is_err());
    }
    mutate::all(&valid, &fields(&valid), 1, |input| {
        let Ok(packet) = Packet::parse(input) else { return };
        let attributes = packet.attributes();
        let walked: usize = attributes.iter().map(|attribute| attribute.value.len() + 2).sum();
        assert_eq!(walked, attributes.as_bytes().len());
        let _ = (attributes.eap(), mppe::msk(attributes, &[7; 16], &secret()));
        for kind in (0..=255).map(AttributeType) {
            let _ = (attributes.one(kind), attributes.u32(kind), attributes.text(kind));
        }
    });
}

#[test]
fn a_client_believes_no_octet_that_was_bent() {
    let mut rng = SeededRng::new(1);
    let server = ServerConfig::new(server_address(), secret());
    let mut client = Client::new(ClientConfig::new(vec![server])).unwrap();
    let mut session = EapSession::new(AttributeList::new());
    session.start();
    let request = session.handle_eap(b"\x02\x00\x00\x0a\x01alice").unwrap();
    client.send(Instant::default(), request, &mut rng).unwrap();
    let mut sent = Vec::new();
    client.poll_transmit(&mut sent).unwrap();
    let sent = Packet::parse(&sent).unwrap();
    let valid = accept(sent.authenticator(), sent.identifier());
    mutate::all(&valid, &fields(&valid), 2, |input| {
        // Padding behind the packet is no part of it.
        if input.starts_with(&valid) {
            return;
        }
        let taken = client.handle_datagram(Instant::default(), 0, server_address(), input);
        assert!(taken.is_err() && client.outstanding() == 1 && client.poll_event().is_none());
    });
    client.handle_datagram(Instant::default(), 0, server_address(), &valid).unwrap();
    let Some(Event::Reply { reply, .. }) = client.poll_event() else { panic!() };
    let EapStep::Accept { authorization, .. } = session.handle_reply(reply).unwrap() else {
        panic!()
    };
    assert_eq!(authorization.framed_ipv6_prefixes[0].length, 64);
}

#[test]
fn a_server_answers_no_octet_that_was_bent() {
    let user = || User::with_password("wonderland", AttributeList::new());
    let mut list = AttributeList::new();
    list.push(AttributeType::USER_NAME, b"alice").unwrap();
    list.push_eap(b"\x02\x00\x00\x0a\x01alice").unwrap();
    let valid =
        secure::seal_request(Code::ACCESS_REQUEST, 1, &[9; 16], list.view(), None, &secret())
            .unwrap();
    let mut server = RadiusServer::new(secret(), 1).with_user("alice", user());
    mutate::all(&valid, &fields(&valid), 3, |input| {
        if !input.starts_with(&valid) {
            assert_eq!(server.handle_datagram(server_address(), input), None);
        }
    });
    assert!(server.handle_datagram(server_address(), &valid).is_some());
}

#[test]
fn what_a_gateway_must_not_pass_on() {
    // RFC 3579 section 2.2: each of these would make FreeRADIUS reject the user.
    let begin = || {
        let mut session = EapSession::new(AttributeList::new());
        session.start();
        session
    };
    for (what, packet) in [
        ("nothing", &b""[..]),
        ("a Request", b"\x01\x00\x00\x0a\x01alice"),
        ("another Identifier", b"\x02\x01\x00\x0a\x01alice"),
        ("Length beyond the end", b"\x02\x00\x00\x0b\x01alice"),
        ("Length 3", b"\x02\x00\x00\x03\x01alice"),
        ("no Type", b"\x02\x00\x00\x04"),
        ("Type 0", b"\x02\x00\x00\x06\x00a"),
        ("no Identity", b"\x02\x00\x00\x06\x1a\x03"),
        ("an empty Identity", b"\x02\x00\x00\x05\x01"),
        ("a Success", b"\x03\x00\x00\x04"),
    ] {
        let mut session = begin();
        assert!(session.handle_eap(packet).is_err(), "{what}");
        assert!(session.handle_eap(b"\x02\x00\x00\x0a\x01alice").is_ok(), "after {what}");
    }
    let valid = b"\x02\x00\x00\x0a\x01alice\xaa\xaa";
    mutate::all(valid, &[Field::u16(2)], 4, |input| {
        if begin().handle_eap(input).is_ok() {
            assert_eq!(input[..2], [2, 0]);
        }
    });
}

#[test]
fn every_login_ends_in_all_weathers() {
    for percent in [0, 5, 10, 20, 40] {
        seed::run(0..15, |seed| login(seed, percent));
    }
}

/// One login with a right password and one with a wrong one: each ends with the right decision or with
/// no reply, and nothing is left behind.
fn login(seed: u64, percent: u8) {
    let client_address: SocketAddr = "192.0.2.9:40000".parse().unwrap();
    let user = User::with_password("wonderland", AttributeList::new());
    let mut server = RadiusServer::new(secret(), seed).with_user("alice", user);
    let config = ServerConfig::new(server_address(), secret());
    let config = ClientConfig { source_ports: 1, ..ClientConfig::new(vec![config]) };
    let mut client = Client::new(config).unwrap();
    let mut rng = SeededRng::new(seed);
    let mut net = Network::new(seed, Conditions::hostile(percent));
    let mut now = Instant::default();

    for password in ["wonderland", "looking glass"] {
        let credential = Some(adit_eap::Credential::password(password));
        let method = adit_eap::mschapv2::Peer::new("alice", credential).unwrap();
        let mut peer = adit_eap::Peer::new("alice", vec![Box::new(method)]);
        let mut session = EapSession::new(AttributeList::new());
        let mut packet = session.start();
        let decision = loop {
            let adit_eap::PeerStep::Respond(response) = peer.handle(&packet, &mut rng).unwrap()
            else {
                panic!("the peer did not respond")
            };
            let request = session.handle_eap(&response).unwrap();
            client.send(now, request, &mut rng).unwrap();
            let event = run(&mut client, &mut server, &mut net, &mut now, &mut rng, client_address);
            let Event::Reply { reply, .. } = event else {
                assert!(percent > 0, "{event:?}");
                break None;
            };
            match session.handle_reply(reply).unwrap() {
                EapStep::Challenge(next) => packet = next,
                EapStep::Accept { .. } => break Some(true),
                EapStep::Reject { .. } => break Some(false),
            }
        };
        if let Some(decision) = decision {
            assert_eq!(decision, password == "wonderland");
        }
        assert_eq!((client.outstanding(), client.poll_timeout()), (0, None));
    }
}

/// Lets time pass until something is decided.
fn run(
    client: &mut Client,
    server: &mut RadiusServer,
    net: &mut Network,
    now: &mut Instant,
    rng: &mut SeededRng,
    from: SocketAddr,
) -> Event {
    let deadline = *now + Duration::from_secs(3600);
    loop {
        let mut buf = Vec::new();
        while let Some(transmit) = client.poll_transmit(&mut buf) {
            net.send(*now, Datagram { from, to: transmit.destination, payload: buf.clone() });
        }
        while let Some(event) = client.poll_event() {
            if !matches!(event, Event::ServerDown(_) | Event::ServerUp(_)) {
                return event;
            }
        }
        let next = [client.poll_timeout(), net.next_arrival()].into_iter().flatten().min();
        *now = next.expect("nothing left to wait for");
        assert!(*now < deadline, "a request that never ends");
        while let Some(datagram) = net.receive(*now) {
            if datagram.to == from {
                let _ = client.handle_datagram(*now, 0, datagram.from, &datagram.payload);
            } else if let Some(reply) = server.handle_datagram(datagram.from, &datagram.payload) {
                net.send(*now, Datagram { from: datagram.to, to: datagram.from, payload: reply });
            }
        }
        client.handle_timeout(*now, rng);
    }
}

proptest! {
    #[test]
    fn what_is_listed_reads_the_same(
        entries in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..=253)), 0..12),
        code: u8,
        identifier: u8,
        authenticator: [u8; 16],
    ) {
        let mut list = AttributeList::new();
        entries.iter().for_each(|(kind, value)| list.push(AttributeType(*kind), value).unwrap());
        let sealed =
            secure::seal_request(Code(code), identifier, &authenticator, list.view(), None, &secret())
                .unwrap();
        let packet = Packet::parse(&sealed).unwrap();
        prop_assert_eq!(packet.code(), Code(code));
        prop_assert_eq!(packet.identifier(), identifier);
        prop_assert_eq!(packet.authenticator(), &authenticator);
        let read: Vec<(u8, Vec<u8>)> =
            packet.attributes().iter().skip(1).map(|a| (a.kind.0, a.value.to_vec())).collect();
        prop_assert_eq!(read, entries);
    }

    #[test]
    fn passwords_come_back(password in "[^\0]{0,32}", authenticator: [u8; 16]) {
        let mut list = AttributeList::new();
        let hidden = secure::hide_password(password.as_bytes(), &authenticator, &secret()).unwrap();
        list.push(AttributeType::USER_PASSWORD, &hidden).unwrap();
        let attribute = list.view().iter().next().unwrap();
        let revealed = secure::reveal_password(&attribute, &authenticator, &secret()).unwrap();
        prop_assert_eq!(revealed.expose(), password.as_bytes());
    }
}

#[test]
fn lists_are_bounded() {
    let mut list = AttributeList::new();
    assert!(list.push(AttributeType::CLASS, &[0; 254]).is_err());
    assert!(list.push_vendor(VendorType::MS_MPPE_SEND_KEY, &[0; 248]).is_err());
    assert!(list.push_vendor(VendorType::MS_MPPE_SEND_KEY, &[0; 247]).is_ok());
    while list.push(AttributeType::CLASS, &[0; 253]).is_ok() {}
    while list.push(AttributeType::CLASS, &[]).is_ok() {}
    assert!((4075..=4076).contains(&list.view().as_bytes().len()));
    let server = ServerConfig::new(server_address(), secret());
    let mut client = Client::new(ClientConfig::new(vec![server])).unwrap();
    // With its Message-Authenticator it is too long: refused every time, and no Identifier is lost.
    for _ in 0..5000 {
        let request = AccessRequest::new(list.clone()).unwrap();
        let sent = client.send(Instant::default(), request, &mut SeededRng::new(1));
        assert_eq!(sent, Err(Error::Misuse(Misuse::TooLong)));
    }
    assert_eq!(client.outstanding(), 0);
}
