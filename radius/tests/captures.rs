//! Exchanges of FreeRADIUS 3.2.1 and 3.2.10 with eapol_test and radclient: every packet parses and
//! verifies, and every MSK comes out.

use adit_platform::Secret;
use adit_radius::{AttributeType, Code, MessageAuthenticator, Packet, mppe, secure};
use serde_json::Value;

fn exchanges() -> Vec<Value> {
    match adit_testkit::data::read("aaa/captures.json") {
        Some(file) => serde_json::from_slice(&file).unwrap(),
        None => Vec::new(),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// Each reply with its request: the last one before it with its Identifier.
fn pairs(exchange: &Value) -> Vec<(Vec<u8>, Vec<u8>, &Value)> {
    let mut requests: Vec<Vec<u8>> = Vec::new();
    let mut pairs = Vec::new();
    for packet in exchange["packets"].as_array().unwrap() {
        let octets = unhex(packet["hex"].as_str().unwrap());
        if packet["dir"] == "c>s" {
            requests.push(octets);
        } else {
            let request = requests.iter().rfind(|request| request[1] == octets[1]).unwrap();
            pairs.push((request.clone(), octets, packet));
        }
    }
    pairs
}

#[test]
fn every_packet_verifies() {
    let (mut requests, mut replies) = (0, 0);
    for exchange in exchanges() {
        let name = exchange["name"].as_str().unwrap();
        let secret = Secret::copy_from(exchange["secret"].as_str().unwrap().as_bytes());
        for (request, reply, packet) in pairs(&exchange) {
            let (request, reply) =
                (Packet::parse(&request).unwrap(), Packet::parse(&reply).unwrap());
            // The authenticator of an Accounting-Request or a CoA-Request is another computation.
            if matches!(request.code(), Code::ACCESS_REQUEST | Code::STATUS_SERVER) {
                assert_eq!(secure::verify_request(&request, &secret), Ok(()), "{name}");
                requests += 1;
            }
            let sent = request.authenticator();
            // 3.2.1 sends a Message-Authenticator only with EAP.
            let lenient = MessageAuthenticator::OnlyWithEap;
            assert_eq!(secure::verify_reply(&reply, sent, &secret, lenient), Ok(()), "{name}");
            let strict =
                secure::verify_reply(&reply, sent, &secret, MessageAuthenticator::Required);
            let reject = reply.code() == Code::ACCESS_REJECT && packet["eap"].is_null();
            assert_eq!(strict.is_ok(), packet["message_authenticator"] == true || reject, "{name}");
            let other = Secret::copy_from(b"testing124");
            assert!(secure::verify_reply(&reply, sent, &other, lenient).is_err(), "{name}");
            replies += 1;
        }
    }
    assert!((requests, replies) == (0, 0) || (requests >= 150 && replies >= 160));
}

#[test]
fn eap_messages_are_put_together() {
    for exchange in exchanges() {
        for packet in exchange["packets"].as_array().unwrap() {
            let octets = unhex(packet["hex"].as_str().unwrap());
            let eap = Packet::parse(&octets).unwrap().attributes().eap().unwrap();
            assert_eq!(eap, packet["eap"].as_str().map(unhex), "{}", exchange["name"]);
        }
    }
}

#[test]
fn every_msk_comes_out() {
    let mut keys = 0;
    for exchange in exchanges() {
        let name = exchange["name"].as_str().unwrap();
        let secret = Secret::copy_from(exchange["secret"].as_str().unwrap().as_bytes());
        for (request, reply, _) in pairs(&exchange) {
            let (request, reply) =
                (Packet::parse(&request).unwrap(), Packet::parse(&reply).unwrap());
            if reply.code() != Code::ACCESS_ACCEPT || request.code() != Code::ACCESS_REQUEST {
                continue;
            }
            let msk = mppe::msk(reply.attributes(), request.authenticator(), &secret).unwrap();
            let recorded = exchange["msk"].as_str().map(unhex);
            assert_eq!(msk.as_ref().map(Secret::expose), recorded.as_deref(), "{name}");
            keys += usize::from(msk.is_some());
        }
    }
    assert!(keys == 0 || keys >= 15, "only {keys} MSKs were compared");
}

#[test]
fn hidden_passwords_are_revealed_and_hidden_the_same() {
    let mut compared = 0;
    for exchange in exchanges() {
        let secret = Secret::copy_from(exchange["secret"].as_str().unwrap().as_bytes());
        let password = exchange["password"].as_str().unwrap();
        for (request, _, _) in pairs(&exchange) {
            let request = Packet::parse(&request).unwrap();
            let hidden = request.attributes().one(AttributeType::USER_PASSWORD).unwrap();
            let Some(hidden) = hidden else { continue };
            let sent = request.authenticator();
            let revealed = secure::reveal_password(&hidden, sent, &secret).unwrap();
            let text = String::from_utf8(revealed.expose().to_vec()).unwrap();
            assert!(password.contains(&text), "{}: {text}", exchange["name"]);
            let again = secure::hide_password(revealed.expose(), sent, &secret).unwrap();
            assert_eq!(again, hidden.value);
            compared += 1;
        }
    }
    assert!(compared == 0 || compared >= 8, "only {compared} passwords were compared");
}
