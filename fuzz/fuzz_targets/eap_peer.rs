//! A peer under any sequence of packets and answers: it never takes an authenticator for genuine that
//! does not know the password, and what has ended stays so.
#![no_main]

use adit_eap::packet::{Body, Message, Packet, Type};
use adit_eap::{
    Credential, DEFAULT_MAX_ROUNDS, Error, Peer, PeerStep, error::Misbehaved, mschapv2,
};
use adit_testkit::rng::SeededRng;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Operation {
    Raw(Vec<u8>),
    Request { identifier: u8, kind: u8, expanded: bool, data: Vec<u8> },
    Challenge { identifier: u8, challenge: [u8; 16], name: Vec<u8> },
    Result { identifier: u8, success: bool, text: String },
    End { identifier: u8, success: bool },
    Answer(Option<String>),
}

fuzz_target!(|input: (bool, Vec<Operation>)| {
    let (interactive, operations) = input;
    let credential = (!interactive).then(|| Credential::password("wonderland"));
    let method = mschapv2::Peer::new("alice", credential).expect("a short name");
    let mut peer = Peer::new("alice", vec![Box::new(method)]);
    let mut rng = SeededRng::new(1);
    let (mut asked, mut ended) = (false, false);

    for operation in operations {
        let step = match &operation {
            Operation::Answer(password) => {
                let answer = password.as_deref().map(Credential::password);
                peer.answer(answer, &mut rng)
            }
            Operation::Raw(octets) => peer.handle(octets, &mut rng),
            Operation::Request { identifier, kind, expanded, data } => {
                let message =
                    Message { expanded: *expanded, ..Message::new(Type::new(*kind), data) };
                let packet = Packet { identifier: *identifier, body: Body::Request(message) };
                match packet.encode() {
                    Ok(octets) => peer.handle(&octets, &mut rng),
                    Err(_) => continue,
                }
            }
            Operation::Challenge { identifier, challenge, name } => {
                let data = [&[16], &challenge[..], name].concat();
                peer.handle(&method_packet(*identifier, 1, &data), &mut rng)
            }
            Operation::Result { identifier, success, text } => {
                let op_code = if *success { 3 } else { 4 };
                peer.handle(&method_packet(*identifier, op_code, text.as_bytes()), &mut rng)
            }
            Operation::End { identifier, success } => {
                peer.handle(&[if *success { 3 } else { 4 }, *identifier, 0, 4], &mut rng)
            }
        };
        match step {
            Ok(PeerStep::Success(_)) => panic!("nobody here knows the password"),
            Ok(_) if ended => panic!("it went on after its end: {step:?}"),
            Ok(PeerStep::Failure(_)) => ended = true,
            Ok(PeerStep::Ask(_)) => asked = true,
            Ok(PeerStep::Respond(octets)) => {
                let packet = Packet::parse(&octets).expect("a valid Response");
                assert!(matches!(packet.body, Body::Response(_)));
                asked = false;
            }
            Err(Error::Misbehaved(Misbehaved::AfterEnd)) => assert!(ended),
            Err(Error::Misbehaved(Misbehaved::WhileAsking)) => assert!(asked),
            Err(Error::Misuse(_)) => assert!(matches!(operation, Operation::Answer(_))),
            Err(_) => {}
        }
        assert!(peer.notifications().len() <= DEFAULT_MAX_ROUNDS as usize);
    }
});

/// Type 26 with OpCode, MS-CHAPv2-ID and MS-Length in front of `data`.
fn method_packet(identifier: u8, op_code: u8, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16).wrapping_add(4).to_be_bytes();
    let data = [&[op_code, identifier], &length[..], data].concat();
    let body = Body::Request(Message::new(Type::MSCHAPV2, &data));
    Packet { identifier, body }.encode().unwrap_or_default()
}
