//! What a hostile or broken peer may send to an authenticator.

use adit_eap::error::{Incompatible, Misbehaved, Rejected, Resources};
use adit_eap::{Authenticator, AuthenticatorStep, Credential, Error, mschapv2};
use adit_testkit::rng::SeededRng;

const PASSWORD: &str = "correct horse battery";

/// An authenticator and the last Request that it sent.
struct Server {
    machine: Authenticator,
    request: Vec<u8>,
    rng: SeededRng,
}

impl Server {
    fn start(retries: u8) -> Self {
        let method = mschapv2::Authenticator::new("gw").with_retries(retries);
        let mut machine = Authenticator::new(vec![Box::new(method)]).unwrap();
        let mut rng = SeededRng::new(1);
        let AuthenticatorStep::Request(request) = machine.start(&mut rng).unwrap() else {
            panic!()
        };
        Self { machine, request, rng }
    }

    /// Past the Identity: the outstanding Request is the Challenge.
    fn challenged(retries: u8) -> Self {
        let mut server = Self::start(retries);
        let identity = server.response(b"\x01alice");
        let _ = server.send(&identity).unwrap();
        assert_eq!(server.request[4..6], [26, 1]);
        server
    }

    /// A Response to the outstanding Request.
    fn response(&self, body: &[u8]) -> Vec<u8> {
        let length = (4 + body.len() as u16).to_be_bytes();
        [&[2, self.request[1]], &length[..], body].concat()
    }

    fn send(&mut self, packet: &[u8]) -> Result<AuthenticatorStep, Error> {
        let mut step = self.machine.handle(packet, &mut self.rng)?;
        if let AuthenticatorStep::Ask(_) = step {
            step = self.machine.answer(Some(Credential::password(PASSWORD)), &mut self.rng)?;
        }
        if let AuthenticatorStep::Request(request) = &step {
            self.request = request.clone();
        }
        Ok(step)
    }

    /// Discarded means that the right answer still succeeds.
    fn discards(mut self, packet: &[u8], why: Error) {
        assert_eq!(self.send(packet), Err(why));
        let right = self.right_response();
        assert!(matches!(self.send(&right), Ok(AuthenticatorStep::Request(_))));
        let acknowledged = self.response(&[26, 3]);
        assert!(matches!(self.send(&acknowledged), Ok(AuthenticatorStep::Success { .. })));
    }

    /// Fails, says so to the peer, and stays failed.
    fn fails(mut self, packet: &[u8], why: Error) {
        let identifier = self.request[1];
        let failure = vec![4, identifier, 0, 4];
        let expected = AuthenticatorStep::Failure { packet: failure, reason: why };
        assert_eq!(self.send(packet), Ok(expected));
        let after = self.right_response();
        assert_eq!(self.send(&after), Err(Error::Misbehaved(Misbehaved::AfterEnd)));
    }

    /// What an honest peer with the password would send, by way of our own peer.
    fn right_response(&self) -> Vec<u8> {
        self.peer_response("alice", PASSWORD)
    }

    fn peer_response(&self, user: &str, password: &str) -> Vec<u8> {
        let credential = Some(Credential::password(password));
        let method = mschapv2::Peer::new(user, credential).unwrap();
        let mut peer = adit_eap::Peer::new(user, vec![Box::new(method)]);
        match peer.handle(&self.request, &mut SeededRng::new(2)) {
            Ok(adit_eap::PeerStep::Respond(response)) => response,
            // The outstanding Request is not a Challenge: any Response of the method will do.
            _ => self.response(&[26, 3]),
        }
    }
}

fn malformed(what: adit_eap::error::Malformed, offset: usize) -> Error {
    Error::Malformed { what, offset }
}

#[test]
fn packets_that_are_not_a_valid_response() {
    use adit_eap::error::Malformed;
    let server = Server::challenged(0);
    // S01, RFC 3748 section 4.1: an authenticator takes Responses only.
    let mut request = server.response(b"\x01x");
    request[0] = 1;
    server.discards(&request, Error::Misbehaved(Misbehaved::WrongDirection));
    // S02: Length beyond the data.
    let server = Server::challenged(0);
    let mut long = server.response(&[26, 3]);
    long[3] = 40;
    server.discards(&long, malformed(Malformed::Length, 2));
    // S04: another Identifier.
    let server = Server::challenged(0);
    let mut other = server.right_response();
    other[1] = other[1].wrapping_add(9);
    server.discards(&other, Error::Misbehaved(Misbehaved::IdentifierMismatch));
    // S05: Type 0.
    let server = Server::challenged(0);
    let zero = server.response(b"\0abc");
    server.discards(&zero, malformed(Malformed::ReservedType, 4));
    // S57: Length 3.
    let server = Server::challenged(0);
    let short = [2, server.request[1], 0, 3];
    server.discards(&short, malformed(Malformed::Length, 2));
}

#[test]
fn padding_behind_the_length_is_ignored() {
    // S03, RFC 3748 section 4.1
    let mut server = Server::challenged(0);
    let padded = [server.right_response(), vec![0xaa; 9]].concat();
    assert!(matches!(server.send(&padded), Ok(AuthenticatorStep::Request(_))));
}

#[test]
fn naks_end_or_are_discarded_and_never_loop() {
    let no_method = Error::Incompatible(Incompatible::NoCommonMethod);
    // S06, S07, S08, S09: nothing, 0, what was just offered, and 200 that are not ours.
    let many: Vec<u8> = [&[3][..], &(50..250).collect::<Vec<u8>>()].concat();
    for nak in [&[3][..], &[3, 0], &[3, 26], &many] {
        let server = Server::challenged(0);
        let packet = server.response(nak);
        server.fails(&packet, no_method.clone());
    }
    // S10: the method has begun, RFC 3748 section 5.3.1.
    let mut server = Server::challenged(1);
    let wrong = server.peer_response("alice", "bad");
    let _ = server.send(&wrong).unwrap();
    let late = server.response(&[3, 13]);
    assert_eq!(server.send(&late), Err(Error::Misbehaved(Misbehaved::UnexpectedNak)));
    // An Expanded Nak answers expanded Requests only, RFC 3748 section 5.3.2.
    let server = Server::challenged(0);
    let expanded = server.response(&[254, 0, 0, 0, 0, 0, 0, 3, 254, 0, 0, 0, 0, 0, 0, 13]);
    server.discards(&expanded, Error::Misbehaved(Misbehaved::UnexpectedNak));
}

#[test]
fn a_nak_before_the_identity_is_discarded() {
    let mut server = Server::start(0);
    let nak = server.response(&[3, 26]);
    assert_eq!(server.send(&nak), Err(Error::Misbehaved(Misbehaved::UnexpectedNak)));
}

#[test]
fn a_server_behind_a_pass_through_goes_on_from_the_identity() {
    let mut rng = SeededRng::new(1);
    let new = || Authenticator::new(vec![Box::new(mschapv2::Authenticator::new("gw"))]).unwrap();
    for identifier in [0, 7, 255] {
        let mut server = new();
        let identity = [&[2, identifier, 0, 10, 1][..], b"alice"].concat();
        let step = server.start_with_response(&identity, &mut rng).unwrap();
        let AuthenticatorStep::Request(request) = step else { panic!("{step:?}") };
        // Not the Identifier of the Request before, RFC 3748 section 4.1.
        assert_eq!(request[..2], [1, identifier.wrapping_add(1)]);
        assert_eq!(server.identity(), Some(&b"alice"[..]));
    }
    for bad in [&[1, 0, 0, 6, 1, b'a'][..], &[2, 0, 0, 6, 26, 3], &[2, 0, 0, 5], &[3, 0, 0, 4]] {
        let mut server = new();
        assert!(server.start_with_response(bad, &mut rng).is_err());
        assert!(server.start(&mut rng).is_ok());
    }
}

#[test]
fn identities_of_every_shape() {
    // S11, S13: empty, and 253 octets with NUL: kept whole. One more is too long.
    let mut nul = vec![b'a'; 253];
    nul[1] = 0;
    for identity in [&b""[..], &nul] {
        let mut server = Server::start(0);
        let packet = server.response(&[&[1], identity].concat());
        assert!(matches!(server.send(&packet), Ok(AuthenticatorStep::Request(_))));
        assert_eq!(server.machine.identity(), Some(identity));
    }
    let mut server = Server::start(0);
    let packet = server.response(&[&[1][..], &[b'a'; 254]].concat());
    assert_eq!(server.send(&packet), Err(Error::Misbehaved(Misbehaved::IdentityTooLong)));
}

#[test]
fn responses_that_are_cut_or_lie_about_their_size() {
    use adit_eap::error::Malformed;
    let mangle = |change: fn(&mut Vec<u8>), why: Error| {
        let server = Server::challenged(0);
        let mut body = server.right_response().split_off(4);
        change(&mut body);
        let packet = server.response(&body);
        server.fails(&packet, why);
    };
    // S14: Value-Size 48.
    mangle(|body| body[5] = 48, malformed(Malformed::ValueSize, 9));
    // S16: cut after 30 octets, with MS-Length as it was, and with MS-Length that fits.
    mangle(|body| body.truncate(30), malformed(Malformed::MsLength, 7));
    let fit = |body: &mut Vec<u8>| {
        body.truncate(30);
        body[4] = 29;
    };
    mangle(fit, malformed(Malformed::Truncated, 34));
    // S17: MS-Length too large.
    mangle(|body| body[3..5].copy_from_slice(&[1, 44]), malformed(Malformed::MsLength, 7));
    // S24: OpCode 200; S25: none.
    mangle(|body| body[1] = 200, malformed(Malformed::OpCode, 5));
    mangle(|body| body.truncate(1), malformed(Malformed::Truncated, 5));
    // S22: Change-Password, which was not asked for.
    mangle(|body| body[1] = 7, malformed(Malformed::OpCode, 5));
}

#[test]
fn fields_that_must_be_zero_or_equal_are_not_believed_to_matter() {
    // S18: Flags and reserved octets; S27: another MS-CHAPv2-ID.
    for at in [4 + 26, 4 + 54, 4 + 2] {
        let mut server = Server::challenged(0);
        let mut packet = server.right_response();
        packet[at] ^= 1;
        assert!(matches!(server.send(&packet), Ok(AuthenticatorStep::Request(_))), "{at}");
        assert_eq!(server.request[5], 3, "the proof at {at} was not accepted");
    }
}

#[test]
fn success_is_not_claimed_by_the_peer() {
    let unexpected = Error::Misbehaved(Misbehaved::UnexpectedOperation);
    // S19: before any proof (CVE-2015-8023).
    let server = Server::challenged(0);
    let success = server.response(&[26, 3]);
    server.fails(&success, unexpected.clone());
    // S21: after a wrong password that may be tried again.
    let mut server = Server::challenged(1);
    let wrong = server.peer_response("alice", "bad");
    let _ = server.send(&wrong).unwrap();
    assert_eq!(server.request[5], 4);
    let success = server.response(&[26, 3]);
    server.fails(&success, unexpected);
    // And after one that may not.
    let mut server = Server::challenged(0);
    let wrong = server.peer_response("alice", "bad");
    let _ = server.send(&wrong).unwrap();
    let success = server.response(&[26, 3]);
    server.fails(&success, Error::Rejected(Rejected::WrongCredential));
    // S20: Failure before any proof.
    let server = Server::challenged(0);
    let failure = server.response(&[26, 4]);
    server.fails(&failure, Error::Rejected(Rejected::ByPeer));
}

#[test]
fn the_user_is_the_one_whose_password_was_proved() {
    // S26: Name differs from Identity; S15: no Name.
    for (name, user) in [("bob", &b"bob"[..]), ("", b"alice")] {
        let mut server = Server::challenged(0);
        let packet = server.peer_response(name, PASSWORD);
        let step = server.machine.handle(&packet, &mut server.rng).unwrap();
        let AuthenticatorStep::Ask(adit_eap::AuthenticatorAsk::Credential { user: asked, .. }) =
            step
        else {
            panic!("{step:?}")
        };
        assert_eq!(asked, user);
    }
}

#[test]
fn an_unknown_user_looks_like_a_wrong_password() {
    let text = |answer: Option<Credential>| {
        let mut server = Server::challenged(0);
        let packet = server.peer_response("nobody", "x");
        let _ = server.machine.handle(&packet, &mut server.rng).unwrap();
        server.machine.answer(answer, &mut server.rng).unwrap()
    };
    assert_eq!(text(None), text(Some(Credential::password("y"))));
    // Not even the hash of the empty proof helps against a user that is not there.
    let zeros = {
        let mut server = Server::challenged(0);
        let credential = Some(Credential::nt_hash([0; 16]));
        let method = mschapv2::Peer::new("nobody", credential).unwrap();
        let mut peer = adit_eap::Peer::new("nobody", vec![Box::new(method)]);
        let adit_eap::PeerStep::Respond(packet) =
            peer.handle(&server.request, &mut server.rng).unwrap()
        else {
            panic!()
        };
        let _ = server.machine.handle(&packet, &mut server.rng).unwrap();
        server.machine.answer(None, &mut server.rng).unwrap()
    };
    let AuthenticatorStep::Request(request) = zeros else { panic!("{zeros:?}") };
    assert_eq!(request[5], 4);
}

#[test]
fn tries_and_rounds_are_bounded() {
    let mut server = Server::challenged(2);
    for more in [true, true, false] {
        let wrong = server.peer_response("alice", "bad");
        assert!(matches!(server.send(&wrong), Ok(AuthenticatorStep::Request(_))));
        let text = String::from_utf8_lossy(&server.request[9..]).into_owned();
        assert!(text.contains(if more { "E=691 R=1 C=" } else { "E=691 R=0" }), "{text}");
        // Our peer answers a Failure by giving up, so make a Challenge of it to answer again.
        let challenge = text.split_once("C=").unwrap().1.as_bytes()[..32].chunks(2);
        let digits = challenge.map(|d| u8::from_str_radix(str::from_utf8(d).unwrap(), 16).unwrap());
        let id = server.request[6];
        let body: Vec<u8> = [26, 1, id, 0, 21, 16].into_iter().chain(digits).collect();
        server.request.truncate(4);
        server.request.extend_from_slice(&body);
        server.request[3] = server.request.len() as u8;
    }
    let wrong = server.peer_response("alice", PASSWORD);
    let step = server.send(&wrong).unwrap();
    assert!(matches!(step, AuthenticatorStep::Failure { .. }), "{step:?}");

    let method = mschapv2::Authenticator::new("gw");
    let mut machine = Authenticator::new(vec![Box::new(method)]).unwrap().with_max_rounds(1);
    let mut rng = SeededRng::new(1);
    let AuthenticatorStep::Request(request) = machine.start(&mut rng).unwrap() else { panic!() };
    let step = machine.handle(&[2, request[1], 0, 6, 1, b'a'], &mut rng).unwrap();
    let AuthenticatorStep::Failure { reason, .. } = step else { panic!("{step:?}") };
    assert_eq!(reason, Error::Resources(Resources::TooManyRounds));
}
