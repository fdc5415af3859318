//! What a hostile or broken authenticator may send to a peer: every case of the shared table that is not
//! about EAP-TLS, with the reaction that the RFCs want of it.

use adit_eap::error::{Malformed, Misbehaved, Rejected};
use adit_eap::{Credential, Error, Peer, PeerStep, mschapv2};
use adit_testkit::rng::SeededRng;
use serde_json::Value;

/// What the last packet of a case is answered with.
enum Want {
    /// Discarded for this reason; the state is as before.
    Discard(Error),
    /// A Response with this Type and Type-Data.
    Respond(&'static [u8]),
    /// A Response to the challenge.
    Proof,
    /// The Response to the packet before, again.
    Same,
    /// The end, without a Response.
    Fail(Error),
    /// A Failure-Response of the method; then Failure tells the reason.
    GiveUp(u32),
}

fn want(id: &str) -> Option<Want> {
    use Want::*;
    let malformed = |what, offset| Error::Malformed { what, offset };
    let misbehaved = Error::Misbehaved;
    let text = Fail(malformed(Malformed::Text, 9));
    Some(match id {
        "P01" => Discard(malformed(Malformed::Code, 0)),
        "P02" => Discard(malformed(Malformed::NoType, 4)),
        "P03" => Discard(malformed(Malformed::Length, 2)),
        "P04" => Respond(b"\x01alice"),
        "P05" | "M21" => Discard(misbehaved(Misbehaved::EarlySuccess)),
        "P06" => Fail(Error::Rejected(Rejected::ByAuthenticator)),
        "P07" => Discard(malformed(Malformed::Length, 2)),
        "P08" => Discard(misbehaved(Misbehaved::UnexpectedType(adit_eap::packet::Type::NAK))),
        "P09" | "P19" => Respond(&[2]),
        "P10" => Discard(malformed(Malformed::Truncated, 7)),
        "P11" => Respond(&[254, 0, 0, 0, 0, 0, 0, 3, 254, 0, 0, 0, 0, 0, 0, 26]),
        "P12" | "P13" => Respond(&[3, 26]),
        "P14" => Same,
        "P15" => Discard(misbehaved(Misbehaved::WrongDirection)),
        "P16" | "M05" => Proof,
        "P17" => Discard(misbehaved(Misbehaved::UnexpectedType(adit_eap::packet::Type::TLS))),
        "P18" => Discard(misbehaved(Misbehaved::UnexpectedType(adit_eap::packet::Type::IDENTITY))),
        "M01" | "M02" => Fail(malformed(Malformed::ValueSize, 9)),
        "M03" => Discard(malformed(Malformed::MsLength, 7)),
        "M04" => Discard(malformed(Malformed::Truncated, 6)),
        "M06" => Discard(malformed(Malformed::Truncated, 5)),
        "M07" => Discard(malformed(Malformed::OpCode, 5)),
        "M08" => Fail(misbehaved(Misbehaved::UnexpectedOperation)),
        "M09" | "M10" | "M14" | "M16" | "M20" => text,
        "M11" => Fail(misbehaved(Misbehaved::AuthenticatorResponse)),
        "M12" => Fail(malformed(Malformed::Truncated, 6)),
        "M13" => Fail(malformed(Malformed::Truncated, 8)),
        "M15" | "M17" | "M19" => GiveUp(691),
        "M18" => GiveUp(647),
        _ => return None,
    })
}

#[test]
fn every_case_of_the_table() {
    let Some(file) = adit_testkit::data::read("aaa/bad_eap_to_peer.json") else { return };
    let table: Value = serde_json::from_slice(&file).unwrap();
    let mut ran = 0;
    for case in table["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let packets: Vec<Vec<u8>> = case["send"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hex| unhex(hex.as_str().unwrap()))
            .collect();
        match want(id) {
            Some(want) => check(id, &packets, want),
            // This peer has no EAP-TLS and says so, whatever the Request looks like.
            None => {
                assert!(id.starts_with('T'), "{id} is new: say what the peer has to do");
                check(id, &packets[..1], Want::Respond(&[3, 26]));
            }
        }
        ran += 1;
    }
    assert_eq!(ran, 55);
}

fn check(id: &str, packets: &[Vec<u8>], want: Want) {
    let mut rng = SeededRng::new(3);
    let method = mschapv2::Peer::new("alice", Some(Credential::password("x"))).unwrap();
    let mut peer = Peer::new("alice", vec![Box::new(method)]);
    // Success and Failure repeat the Identifier of the Response before them.
    let identifier = if matches!(packets[0][0], 3 | 4) { packets[0][1] } else { 9 };
    let identity = peer.handle(&[1, identifier, 0, 5, 1], &mut rng);
    let expected = [&[2, identifier][..], b"\x00\x0a\x01alice"].concat();
    assert_eq!(identity, Ok(PeerStep::Respond(expected)));

    let (last, first) = packets.split_last().unwrap();
    let mut before = None;
    for packet in first {
        before = Some(peer.handle(packet, &mut rng).unwrap());
    }
    let step = peer.handle(last, &mut rng);
    match (want, step) {
        (Want::Discard(why), Err(error)) => {
            assert_eq!(error, why, "{id}");
            // The conversation goes on: the last Request is still the last Request.
            if first.is_empty() {
                let challenge = unhex("01f0001d1a01f0001810101112131415161718191a1b1c1d1e1f737276");
                let step = peer.handle(&challenge, &mut rng);
                assert!(matches!(step, Ok(PeerStep::Respond(_))), "{id}: {step:?}");
            }
        }
        (Want::Respond(body), Ok(PeerStep::Respond(packet))) => {
            assert_eq!((packet[0], packet[1], &packet[4..]), (2, last[1], body), "{id}");
        }
        (Want::Proof, Ok(PeerStep::Respond(packet))) => {
            // 49 octets of Value, then the name; an expanded Type is answered in kind.
            assert!(packet.ends_with(b"\0alice"), "{id}");
            assert_eq!(packet[4], last[4], "{id}");
        }
        (Want::Same, step) => assert_eq!(Some(step.unwrap()), before, "{id}"),
        (Want::Fail(why), Ok(PeerStep::Failure(error))) => {
            assert_eq!(error, why, "{id}");
            let after = peer.handle(&[3, last[1], 0, 4], &mut rng);
            assert_eq!(after, Err(Error::Misbehaved(Misbehaved::AfterEnd)), "{id}");
        }
        (Want::GiveUp(code), Ok(PeerStep::Respond(packet))) => {
            assert_eq!(packet[4..], [26, 4], "{id}");
            let success = peer.handle(&[3, last[1], 0, 4], &mut rng);
            assert_eq!(success, Err(Error::Misbehaved(Misbehaved::EarlySuccess)), "{id}");
            let step = peer.handle(&[4, last[1], 0, 4], &mut rng).unwrap();
            let PeerStep::Failure(Error::Rejected(Rejected::MsChap { code: said, .. })) = step
            else {
                panic!("{id}: {step:?}")
            };
            assert_eq!(said, code, "{id}");
        }
        (_, step) => panic!("{id}: {step:?}"),
    }
}

#[test]
fn another_request_with_the_same_identifier_is_another_request() {
    // A server behind a pass-through does not always know which Identifier that one has used.
    let mut rng = SeededRng::new(3);
    let method = mschapv2::Peer::new("alice", Some(Credential::password("x"))).unwrap();
    let mut peer = Peer::new("alice", vec![Box::new(method)]);
    let challenge = unhex("010a001d1a010a001810101112131415161718191a1b1c1d1e1f737276");
    let identity = peer.handle(&[1, 10, 0, 5, 1], &mut rng).unwrap();
    let PeerStep::Respond(proof) = peer.handle(&challenge, &mut rng).unwrap() else { panic!() };
    assert_eq!(proof[4..6], [26, 2]);
    // And a repeated one is not: no second proof is made of it.
    assert_eq!(peer.handle(&challenge, &mut rng), Ok(PeerStep::Respond(proof)));
    assert_ne!(peer.handle(&[1, 10, 0, 5, 1], &mut rng).ok(), Some(identity));
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
