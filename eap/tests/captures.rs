//! EAP-MSCHAPv2 as other implementations spoke it: both machines are put into the place of one side of a
//! recorded exchange, with its randomness, and have to come to the same octets and the same MSK.

use std::collections::VecDeque;

use adit_eap::error::Rejected;
use adit_eap::{
    Authenticator, AuthenticatorStep, Credential, Error, Peer, PeerAsk, PeerStep, mschapv2,
};
use adit_platform::Rng;
use adit_platform::rng::RngError;
use serde_json::Value;

/// Randomness that was drawn before, by somebody else.
struct Recorded(VecDeque<Vec<u8>>);

impl Rng for Recorded {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        let next = self.0.pop_front().ok_or(RngError)?;
        out.copy_from_slice(&next);
        Ok(())
    }
}

struct Exchange {
    name: String,
    /// The identity on the wire, which is the user of the method too.
    user: String,
    passwords: Vec<String>,
    /// EAP packets in order, the peer's first.
    packets: Vec<Vec<u8>>,
    msk: Option<Vec<u8>>,
}

fn exchanges() -> Vec<Exchange> {
    let Some(file) = adit_testkit::data::read("aaa/captures.json") else { return Vec::new() };
    let all: Value = serde_json::from_slice(&file).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.as_array()
        .unwrap()
        .iter()
        .filter(|exchange| {
            let name = text(&exchange["name"]);
            name.contains("eap-mschapv2") && !name.contains("peap")
        })
        .map(|exchange| {
            let packets = exchange["packets"].as_array().unwrap().iter();
            let packets: Vec<_> =
                packets.map(|packet| unhex(packet["eap"].as_str().unwrap())).collect();
            Exchange {
                name: text(&exchange["name"]),
                user: String::from_utf8(packets[0][5..].to_vec()).unwrap(),
                passwords: text(&exchange["password"]).split(" / ").map(str::to_owned).collect(),
                packets,
                msk: exchange["msk"].as_str().map(unhex),
            }
        })
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// A MSCHAPv2 Response: Type 26, OpCode 2. Its peer challenge stands behind Value-Size.
fn peer_challenge(packet: &[u8]) -> Option<&[u8]> {
    (packet.get(4..6) == Some(&[26, 2])).then(|| &packet[10..26])
}

/// A MSCHAPv2 Challenge, or a Failure that contains another one.
fn authenticator_challenge(packet: &[u8]) -> Option<Vec<u8>> {
    match packet.get(4..6)? {
        [26, 1] => Some(packet[10..26].to_vec()),
        [26, 4] => {
            let text = String::from_utf8_lossy(packet.get(9..)?).into_owned();
            let digits = text.split_once("C=")?.1.get(..32)?;
            Some(unhex(digits))
        }
        _ => None,
    }
}

#[test]
fn as_the_peer_of_freeradius() {
    let mut compared = 0;
    for exchange in exchanges() {
        // A password that is changed is not something that this peer does.
        if exchange.name.contains("chpw") {
            continue;
        }
        let mut rng = Recorded(
            exchange.packets.iter().filter_map(|p| peer_challenge(p)).map(<[u8]>::to_vec).collect(),
        );
        // The peers of most captures do not try again, even when they might.
        let mut passwords = exchange.passwords.iter();
        let asks = exchange.name.contains("retry-ok");
        let credential = (!asks).then(|| Credential::password(passwords.next().unwrap()));
        let method = mschapv2::Peer::new(exchange.user.clone(), credential).unwrap();
        let mut peer = Peer::new(exchange.user.clone(), vec![Box::new(method)]);

        let mut last = None;
        // The first packet answers an Identity Request that was not recorded.
        let identity = [1, exchange.packets[0][1], 0, 5, 1];
        let requests = std::iter::once(&identity[..])
            .chain(exchange.packets.iter().skip(1).step_by(2).map(Vec::as_slice));
        let mut responses = exchange.packets.iter().step_by(2);
        for request in requests {
            let mut step = peer.handle(request, &mut rng).unwrap();
            if let PeerStep::Ask(PeerAsk::Password { .. }) = step {
                let password = passwords.next().map(|text| Credential::password(text));
                step = peer.answer(password, &mut rng).unwrap();
            }
            if let PeerStep::Respond(response) = &step
                && let Some(recorded) = responses.next()
            {
                assert_eq!(response, recorded, "{}", exchange.name);
                compared += 1;
            }
            last = Some(step);
        }
        match (last.unwrap(), exchange.msk) {
            (PeerStep::Success(msk), Some(recorded)) => {
                assert_eq!(msk.unwrap().secret().expose(), recorded, "{}", exchange.name);
            }
            (PeerStep::Failure(Error::Rejected(Rejected::MsChap { code: 691, .. })), None) => {}
            // This capture ends with the Failure Request.
            (PeerStep::Respond(_), None) if exchange.name == "eap-mschapv2-fail" => {}
            (other, _) => panic!("{}: {other:?}", exchange.name),
        }
    }
    assert!(compared == 0 || compared >= 20, "only {compared} Responses were compared");
}

#[test]
fn as_the_server_of_eapol_test() {
    let mut keys = 0;
    for exchange in exchanges() {
        if exchange.name.contains("chpw") {
            continue;
        }
        let challenges = exchange.packets.iter().filter_map(|p| authenticator_challenge(p));
        // Our first Identifier is one less than that of the first Request.
        let first = vec![exchange.packets[1][1].wrapping_sub(1)];
        // A last Failure carries a challenge that nobody answers; not every server writes one.
        let spare = vec![0; 16];
        let drawn = std::iter::once(first).chain(challenges).chain([spare]);
        let mut rng = Recorded(drawn.collect());
        let retries = u8::from(exchange.name.contains("retry"));
        let method = mschapv2::Authenticator::new("aaa-test").with_retries(retries);
        let mut server = Authenticator::new(vec![Box::new(method)])
            .unwrap()
            .with_identity(exchange.user.as_bytes());
        let mut step = server.start(&mut rng).unwrap();
        // FreeRADIUS called itself the same, so that the Challenge is the same.
        assert_eq!(step, AuthenticatorStep::Request(exchange.packets[1].clone()));
        for response in exchange.packets.iter().skip(2).step_by(2) {
            step = server.handle(response, &mut rng).unwrap();
            if let AuthenticatorStep::Ask(_) = step {
                let right = exchange.passwords.last().unwrap();
                let known = if right == "wrong" { "right" } else { right };
                step = server.answer(Some(Credential::password(known)), &mut rng).unwrap();
            }
            let AuthenticatorStep::Request(request) = &step else { continue };
            // Only the texts for people differ: the proof is the same.
            if let Some(theirs) =
                exchange.packets.iter().find(|packet| packet.len() >= 51 && packet[4..6] == [26, 3])
                && request[5] == 3
            {
                assert_eq!(request[9..51], theirs[9..51], "{}", exchange.name);
            }
        }
        match (step, exchange.msk) {
            (AuthenticatorStep::Success { packet, msk, user }, Some(recorded)) => {
                assert_eq!(msk.unwrap().secret().expose(), recorded, "{}", exchange.name);
                assert_eq!(user, exchange.user.as_bytes());
                assert_eq!(Some(&packet), exchange.packets.last(), "{}", exchange.name);
                keys += 1;
            }
            (AuthenticatorStep::Failure { packet, .. }, None) => {
                assert_eq!(Some(&packet), exchange.packets.last(), "{}", exchange.name);
            }
            (AuthenticatorStep::Request(_), None) if exchange.name == "eap-mschapv2-fail" => {}
            (other, _) => panic!("{}: {other:?}", exchange.name),
        }
    }
    assert!(keys == 0 || keys >= 5, "only {keys} MSKs were compared");
}
