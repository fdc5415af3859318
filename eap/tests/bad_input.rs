//! Octets bent in every way: nothing panics, what is discarded changes nothing, and nobody gets in.

use adit_eap::packet::{Body, Message, Packet, Type};
use adit_eap::{Authenticator, AuthenticatorStep, Credential, Error, Peer, PeerStep, mschapv2};
use adit_testkit::mutate::{self, Field};
use adit_testkit::rng::SeededRng;
use proptest::prelude::*;

const PASSWORD: &str = "wonderland";

fn peer() -> Peer {
    let credential = Some(Credential::password(PASSWORD));
    Peer::new("alice", vec![Box::new(mschapv2::Peer::new("alice", credential).unwrap())])
}

fn authenticator() -> Authenticator {
    let method = mschapv2::Authenticator::new("gw").with_retries(1);
    Authenticator::new(vec![Box::new(method)]).unwrap()
}

/// A whole authentication: the packets of the authenticator and of the peer.
fn transcript(rng: &mut SeededRng) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (mut server, mut peer) = (authenticator(), peer());
    let (mut requests, mut responses) = (Vec::new(), Vec::new());
    let mut step = server.start(rng).unwrap();
    loop {
        step = match step {
            AuthenticatorStep::Ask(_) => {
                server.answer(Some(Credential::password(PASSWORD)), rng).unwrap()
            }
            AuthenticatorStep::Request(packet) => {
                let PeerStep::Respond(response) = peer.handle(&packet, rng).unwrap() else {
                    panic!()
                };
                requests.push(packet);
                responses.push(response.clone());
                server.handle(&response, rng).unwrap()
            }
            AuthenticatorStep::Success { packet, .. } => {
                assert!(matches!(peer.handle(&packet, rng), Ok(PeerStep::Success(Some(_)))));
                requests.push(packet);
                return (requests, responses);
            }
            AuthenticatorStep::Failure { reason, .. } => panic!("{reason}"),
        };
    }
}

/// Length of EAP, MS-Length, Value-Size.
const FIELDS: [Field; 3] = [Field::u16(2), Field::u16(7), Field::u8(9)];

#[test]
fn a_peer_survives_and_believes_only_the_right_packets() {
    let (requests, _) = transcript(&mut SeededRng::new(1));
    for (turn, valid) in requests.iter().enumerate() {
        let fields: Vec<Field> =
            FIELDS.into_iter().filter(|field| field.offset + field.width <= valid.len()).collect();
        mutate::all(valid, &fields, turn as u64, |input| {
            // The same randomness as before makes the same peer.
            let mut rng = SeededRng::new(1);
            let mut peer = replay_peer(&requests[..turn], &mut rng);
            let step = peer.handle(input, &mut rng);
            if let Ok(PeerStep::Success(_)) = step {
                assert_eq!(turn, requests.len() - 1, "success out of turn");
                assert_eq!(input[..4], valid[..4]);
            }
            if let Err(error) = step {
                assert!(!matches!(error, Error::Misuse(_)), "{error}");
                // Nothing has changed: the right packet is as good as before.
                let next = peer.handle(valid, &mut rng).unwrap();
                assert!(!matches!(next, PeerStep::Failure(_)), "after {error}: {next:?}");
            }
        });
    }
}

fn replay_peer(requests: &[Vec<u8>], rng: &mut SeededRng) -> Peer {
    // The authenticator's part of the transcript drew from the same generator, in this order:
    // first Identifier, challenge. The peer's own challenge does not have to be the same, because the
    // proof of the authenticator is only checked in the turn that is bent.
    let mut server = authenticator();
    let mut peer = peer();
    let mut step = server.start(rng).unwrap();
    for request in requests {
        while let AuthenticatorStep::Ask(_) = step {
            step = server.answer(Some(Credential::password(PASSWORD)), rng).unwrap();
        }
        assert_eq!(step, AuthenticatorStep::Request(request.clone()), "a replay went astray");
        let PeerStep::Respond(response) = peer.handle(request, rng).unwrap() else { panic!() };
        step = server.handle(&response, rng).unwrap();
    }
    if let AuthenticatorStep::Ask(_) = step {
        let _ = server.answer(Some(Credential::password(PASSWORD)), rng).unwrap();
    }
    peer
}

#[test]
fn an_authenticator_survives_and_lets_nobody_in() {
    let (_, responses) = transcript(&mut SeededRng::new(2));
    for (turn, valid) in responses.iter().enumerate() {
        let fields: Vec<Field> =
            FIELDS.into_iter().filter(|field| field.offset + field.width <= valid.len()).collect();
        mutate::all(valid, &fields, turn as u64, |input| {
            let mut rng = SeededRng::new(2);
            let mut server = authenticator();
            let mut peer = peer();
            let mut step = server.start(&mut rng).unwrap();
            for _ in 0..turn {
                let AuthenticatorStep::Request(packet) = &step else { panic!() };
                let PeerStep::Respond(response) = peer.handle(packet, &mut rng).unwrap() else {
                    panic!()
                };
                step = answered(&mut server, &response, &mut rng).unwrap();
            }
            let step = answered(&mut server, input, &mut rng);
            if let Ok(AuthenticatorStep::Success { .. }) = step {
                assert_eq!(turn, responses.len() - 1, "let in out of turn");
                // The OpCode says Success and the rest does not matter.
                assert_eq!(input[4..6], valid[4..6]);
            }
            if let Err(error) = step {
                assert!(!matches!(error, Error::Misuse(_)), "{error}");
                // Nothing has changed: the right packet is as good as before.
                let next = answered(&mut server, valid, &mut rng).unwrap();
                assert!(!matches!(next, AuthenticatorStep::Failure { .. }), "after {error}");
            }
        });
    }
}

/// Handles a packet and answers the question for the credential.
fn answered(
    server: &mut Authenticator,
    packet: &[u8],
    rng: &mut SeededRng,
) -> Result<AuthenticatorStep, Error> {
    match server.handle(packet, rng)? {
        AuthenticatorStep::Ask(_) => server.answer(Some(Credential::password(PASSWORD)), rng),
        step => Ok(step),
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_the_same(
        identifier: u8,
        code in 0..4u8,
        vendor in 0..0x0100_0000u32,
        number: u32,
        octet in 1..=253u8,
        expanded: bool,
        data: Vec<u8>,
    ) {
        let kind = match expanded {
            true => Type::vendor_specific(vendor, number),
            false => Type::new(octet),
        };
        let message = Message { expanded, ..Message::new(kind, &data) };
        let body = match code {
            0 => Body::Request(message),
            1 => Body::Response(message),
            2 => Body::Success,
            _ => Body::Failure,
        };
        let packet = Packet { identifier, body };
        let octets = packet.encode().unwrap();
        prop_assert_eq!(Packet::parse(&octets), Ok(packet));
    }

    #[test]
    fn what_reads_is_written_the_same(octets: Vec<u8>) {
        if let Ok(packet) = Packet::parse(&octets) {
            let length = usize::from(u16::from_be_bytes([octets[2], octets[3]]));
            prop_assert_eq!(packet.encode().unwrap(), &octets[..length]);
        }
    }
}
