//! An authenticator under any sequence of packets and answers: nobody gets in without the password, and
//! the number of Requests is bounded.
#![no_main]

use adit_eap::error::Misbehaved;
use adit_eap::packet::{Body, Message, Packet, Type};
use adit_eap::{Authenticator, AuthenticatorStep, Credential, DEFAULT_MAX_ROUNDS, Error, mschapv2};
use adit_testkit::rng::SeededRng;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Operation {
    Raw(Vec<u8>),
    /// To the outstanding Request.
    Response {
        kind: u8,
        data: Vec<u8>,
    },
    Proof {
        peer_challenge: [u8; 16],
        nt_response: [u8; 24],
        name: Vec<u8>,
    },
    Acknowledge {
        success: bool,
    },
    Answer {
        known: bool,
    },
}

fuzz_target!(|input: (u8, Option<Vec<u8>>, Vec<Operation>)| {
    let (retries, identity, operations) = input;
    let method = mschapv2::Authenticator::new("gw").with_retries(retries);
    let mut server = Authenticator::new(vec![Box::new(method)]).expect("a method");
    if let Some(identity) = identity {
        server = server.with_identity(identity);
    }
    let mut rng = SeededRng::new(1);
    let mut requests = 0;
    let mut identifier = 0;
    let mut ended = false;
    let mut step = server.start(&mut rng);

    for operation in operations {
        match &step {
            Ok(AuthenticatorStep::Success { .. }) => panic!("nobody here knows the password"),
            Ok(_) if ended => panic!("it went on after its end: {step:?}"),
            Ok(AuthenticatorStep::Failure { packet, .. }) => {
                assert_eq!(packet[..], [4, identifier, 0, 4]);
                ended = true;
            }
            Ok(AuthenticatorStep::Request(octets)) => {
                let packet = Packet::parse(octets).expect("a valid Request");
                assert!(matches!(packet.body, Body::Request(_)));
                assert!(requests == 0 || packet.identifier != identifier);
                identifier = packet.identifier;
                requests += 1;
                assert!(requests <= DEFAULT_MAX_ROUNDS);
            }
            Ok(AuthenticatorStep::Ask(_)) => {}
            Err(Error::Misbehaved(Misbehaved::AfterEnd)) => assert!(ended),
            Err(_) => {}
        }
        step = match operation {
            Operation::Raw(octets) => server.handle(&octets, &mut rng),
            Operation::Response { kind, data } => {
                respond(&mut server, identifier, Type::new(kind), &data, &mut rng)
            }
            Operation::Proof { peer_challenge, nt_response, name } => {
                let length = (name.len() as u16).wrapping_add(54).to_be_bytes();
                let header = [2, identifier, length[0], length[1], 49];
                let data = [&header[..], &peer_challenge, &[0; 8], &nt_response, &[0], &name];
                respond(&mut server, identifier, Type::MSCHAPV2, &data.concat(), &mut rng)
            }
            Operation::Acknowledge { success } => {
                let op_code = if success { 3 } else { 4 };
                respond(&mut server, identifier, Type::MSCHAPV2, &[op_code], &mut rng)
            }
            Operation::Answer { known } => {
                server.answer(known.then(|| Credential::nt_hash([0xa5; 16])), &mut rng)
            }
        };
    }
});

fn respond(
    server: &mut Authenticator,
    identifier: u8,
    kind: Type,
    data: &[u8],
    rng: &mut SeededRng,
) -> Result<AuthenticatorStep, Error> {
    let body = Body::Response(Message::new(kind, data));
    server.handle(&Packet { identifier, body }.encode()?, rng)
}
