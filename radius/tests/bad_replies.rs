//! What may come back to one fixed Access-Request: every case of the shared table.

use std::net::SocketAddr;

use adit_platform::rng::RngError;
use adit_platform::{Instant, Rng, Secret};
use adit_radius::error::{Malformed, Misbehaved, Refused};
use adit_radius::{
    AccessRequest, AttributeList, AttributeType, Client, ClientConfig, Code, EapSession, EapStep,
    Error, Event, Reply, ServerConfig,
};
use serde_json::Value;

/// The Request Authenticator of the fixed request, whenever randomness is asked for.
struct Fixed;

impl Rng for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        (0..).zip(out).for_each(|(value, octet)| *octet = value);
        Ok(())
    }
}

/// What the last reply of a case does. For replies that are believed there is one more question: what a
/// gateway that passes EAP through makes of it.
enum Want {
    /// Discarded for this reason, and the request still waits.
    Discard(Error),
    /// Believed.
    Reply(Code, Gateway),
    /// The request fails.
    Fail(Error),
}

enum Gateway {
    /// Lets nobody in, for this reason.
    Rejects(Error),
    /// Finds keys in it that it cannot use.
    BadKeys,
    /// Not asked: the case is about something else.
    NotAsked,
}

fn want(id: &str) -> Want {
    use Gateway::*;
    use Want::*;
    let malformed = |what, offset| Error::Malformed { what, offset };
    let length = Discard(malformed(Malformed::Length, 2));
    let value = |kind, offset| Rejects(malformed(Malformed::Value(kind), offset));
    let misbehaved = |why| Discard(Error::Misbehaved(why));
    let refused = |why| Rejects(Error::Refused(why));
    // Accepted as a packet, with an attribute in it that means nothing; there are no keys, so that a
    // gateway lets nobody in.
    let accept = || Reply(Code::ACCESS_ACCEPT, NotAsked);
    match id {
        "R00" | "R04" | "R10" | "R19" | "R46" => accept(),
        "R01" => Discard(malformed(Malformed::Truncated, 19)),
        "R02" | "R03" | "R05" => length,
        "R06" | "R07" => Discard(malformed(Malformed::AttributeLength, 38)),
        "R08" | "R09" => Discard(malformed(Malformed::AttributeLength, 51)),
        "R11" => misbehaved(Misbehaved::NoSuchRequest),
        "R12" => misbehaved(Misbehaved::UnexpectedCode(Code(99))),
        "R13" => misbehaved(Misbehaved::UnexpectedCode(Code::ACCESS_REQUEST)),
        "R14" => misbehaved(Misbehaved::UnexpectedCode(Code::ACCOUNTING_RESPONSE)),
        "R15" | "R20" | "R21" => misbehaved(Misbehaved::NoMessageAuthenticator),
        "R16" => misbehaved(Misbehaved::MessageAuthenticator),
        "R17" => Discard(malformed(Malformed::Value(AttributeType::MESSAGE_AUTHENTICATOR), 20)),
        "R18" => Discard(malformed(Malformed::Repeated(AttributeType::MESSAGE_AUTHENTICATOR), 51)),
        "R22" => Reply(Code::ACCESS_CHALLENGE, Rejects(malformed(Malformed::EapNotConsecutive, 0))),
        "R23" => Reply(Code::ACCESS_CHALLENGE, Rejects(malformed(Malformed::Eap, 0))),
        "R24" => Reply(Code::ACCESS_ACCEPT, refused(Refused::NotSuccess)),
        "R25" => Reply(Code::ACCESS_REJECT, refused(Refused::Rejected)),
        "R26" => Reply(Code::ACCESS_CHALLENGE, refused(Refused::NoEapRequest)),
        "R27" | "R28" => Reply(Code::ACCESS_CHALLENGE, refused(Refused::NoEapRequest)),
        "R29" | "R30" | "R31" | "R33" => Reply(Code::ACCESS_ACCEPT, BadKeys),
        "R32" | "R34" | "R35" | "R36" | "R37" | "R38" | "R39" | "R40" | "R41" | "R47" | "R51"
        | "R54" => accept(),
        "R42" => Reply(Code::ACCESS_ACCEPT, value(AttributeType::SESSION_TIMEOUT, 38)),
        "R43" => Reply(Code::ACCESS_ACCEPT, value(AttributeType::FRAMED_IP_ADDRESS, 38)),
        "R44" => Reply(Code::ACCESS_ACCEPT, refused(Refused::ServiceType(4711))),
        "R45" => Reply(Code::ACCESS_REJECT, refused(Refused::Rejected)),
        "R48" => Fail(Error::Refused(Refused::ProtocolError)),
        "R49" => Reply(Code::ACCESS_ACCEPT, refused(Refused::NotSuccess)),
        "R50" => Reply(Code::ACCESS_ACCEPT, refused(Refused::NoKeys)),
        "R52" => Reply(Code::ACCESS_ACCEPT, value(AttributeType::FRAMED_IPV6_PREFIX, 38)),
        "R53" => misbehaved(Misbehaved::ResponseAuthenticator),
        other => panic!("{other} is new: say what the client has to do"),
    }
}

#[test]
fn every_case_of_the_table() {
    let Some(file) = adit_testkit::data::read("aaa/bad_radius_replies.json") else { return };
    let table: Value = serde_json::from_slice(&file).unwrap();
    let secret = table["secret"].as_str().unwrap();
    let request = unhex(table["request"].as_str().unwrap());
    assert_eq!(request[4..20], core::array::from_fn::<u8, 16, _>(|at| at as u8));
    let cases = table["cases"].as_array().unwrap();
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let replies: Vec<Vec<u8>> = case["replies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|reply| unhex(reply.as_str().unwrap()))
            .collect();
        check(id, secret, request[1], &replies);
    }
    assert_eq!(cases.len(), 55);
}

fn check(id: &str, secret: &str, identifier: u8, replies: &[Vec<u8>]) {
    let server: SocketAddr = "192.0.2.1:1812".parse().unwrap();
    let now = Instant::default();
    let config = ServerConfig::new(server, Secret::copy_from(secret.as_bytes()));
    let config = ClientConfig { source_ports: 1, ..ClientConfig::new(vec![config]) };
    let mut client = Client::new(config).unwrap();
    // Identifiers are given out in order: skip to the one that the replies have.
    for _ in 0..identifier {
        let skipped = client.send(now, request(), &mut Fixed).unwrap();
        client.cancel(skipped);
    }
    let mut session = EapSession::new(AttributeList::new());
    session.start();
    let eap = session.handle_eap(b"\x02\x00\x00\x0a\x01alice").unwrap();
    client.send(now, eap, &mut Fixed).unwrap();

    let mut last = Ok(());
    let mut events = Vec::new();
    for reply in replies {
        let result = client.handle_datagram(now, 0, server, reply);
        events.extend(std::iter::from_fn(|| client.poll_event()));
        // A reply after the one that counted is no more than noise.
        if events.is_empty() || result.is_ok() {
            last = result;
        } else {
            assert_eq!(result, Err(Error::Misbehaved(Misbehaved::NoSuchRequest)), "{id}");
        }
    }
    match want(id) {
        Want::Discard(why) => {
            assert_eq!(last, Err(why), "{id}");
            assert!(events.is_empty() && client.outstanding() == 1, "{id}");
        }
        Want::Fail(why) => {
            let [Event::Failed { reason, .. }] = &events[..] else { panic!("{id}: {events:?}") };
            assert_eq!(*reason, why, "{id}");
        }
        Want::Reply(code, gateway) => {
            assert_eq!(last, Ok(()), "{id}");
            assert!(events.len() == 1 && client.outstanding() == 0, "{id}: {events:?}");
            let Some(Event::Reply { reply, .. }) = events.pop() else { panic!("{id}") };
            assert_eq!(reply.code(), code, "{id}");
            read_everything(id, &reply);
            if let Gateway::BadKeys = gateway {
                let unusable = Error::Malformed { what: Malformed::Key, offset: 0 };
                assert_eq!(reply.msk().map_err(without_offset), Err(unusable), "{id}");
            }
            let step = session.handle_reply(reply).unwrap();
            // Whatever happens, nobody is let in by any of these: none has EAP-Success and good keys.
            let EapStep::Reject { eap, reason } = step else { panic!("{id}: {step:?}") };
            assert_eq!(eap, [4, 0, 0, 4], "{id}");
            if let Gateway::Rejects(why) = gateway {
                assert_eq!(without_offset(reason), without_offset(why), "{id}");
            }
        }
    }
}

/// Where it stands differs from case to case; what it is does not.
fn without_offset(error: Error) -> Error {
    match error {
        Error::Malformed { what, .. } => Error::Malformed { what, offset: 0 },
        other => other,
    }
}

fn request() -> AccessRequest {
    AccessRequest::new(AttributeList::new()).unwrap()
}

/// Every reader of a reply, and what a person would be shown.
fn read_everything(id: &str, reply: &Reply) {
    let _ = (reply.state(), reply.eap(), reply.msk(), reply.authorization());
    let all = reply.attributes();
    for attribute in all.iter() {
        assert!(!attribute.text().chars().any(char::is_control), "{id}");
    }
    if id == "R45" {
        assert_eq!(reply.message().as_deref(), Some("ab[2J\u{fffd}\u{fffd}"));
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
