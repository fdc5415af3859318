//! The peer's side.

use alloc::string::String;
use alloc::vec::Vec;

use adit_platform::Rng;
use subtle::ConstantTimeEq;

use super::MAX_NAME_LEN;
use super::crypto::{Exchange, NtHash};
use super::message::{self, FailureText, FromAuthenticator, parse_success};
use crate::error::{Error, Malformed, Misbehaved, Misuse, Rejected};
use crate::method::{Context, PeerAsk, PeerMethod, PeerOutcome};
use crate::packet::Type;
use crate::{Credential, Msk};

/// EAP-MSCHAPv2 as a peer: proves a password, and that the server knows it too.
///
/// Without a credential it asks for one ([`PeerAsk::Password`]) when the server's challenge has come, and
/// asks again if the server lets it try again; with one given here, a wrong one is the end.
///
/// ```
/// use adit_eap::{Credential, Peer, mschapv2};
///
/// let method = mschapv2::Peer::new("alice", Some(Credential::password("wonderland")))?;
/// let peer = Peer::new("alice", vec![Box::new(method)]);
/// # Ok::<(), adit_eap::Error>(())
/// ```
pub struct Peer {
    user: Vec<u8>,
    configured: Option<NtHash>,
    state: State,
}

enum State {
    ExpectChallenge,
    ExpectPassword { id: u8, challenge: [u8; 16] },
    ExpectResult { authenticator_response: [u8; 20], msk: Msk },
    Ended,
}

impl Peer {
    /// A peer for `user`, perhaps `DOMAIN\user`, of at most [`MAX_NAME_LEN`] octets.
    ///
    /// # Errors
    /// [`Misuse::TooLong`] for a longer name; [`Misuse::BadPassword`] or [`Misuse::BadNtHash`] for a
    /// credential that MS-CHAP-V2 cannot use.
    pub fn new(user: impl Into<String>, credential: Option<Credential>) -> Result<Self, Error> {
        let user = user.into().into_bytes();
        if user.len() > MAX_NAME_LEN {
            return Err(Error::Misuse(Misuse::TooLong));
        }
        let configured = credential.as_ref().map(NtHash::of).transpose()?;
        Ok(Self { user, configured, state: State::ExpectChallenge })
    }

    fn respond(
        &self,
        hash: &NtHash,
        id: u8,
        challenge: &[u8; 16],
        rng: &mut dyn Rng,
    ) -> Result<(State, PeerOutcome), Error> {
        let mut peer_challenge = [0; 16];
        rng.fill(&mut peer_challenge)?;
        let exchange = Exchange {
            authenticator_challenge: challenge,
            peer_challenge: &peer_challenge,
            user: &self.user,
        };
        let nt_response = hash.nt_response(&exchange);
        let state = State::ExpectResult {
            authenticator_response: hash.authenticator_response(&exchange, &nt_response),
            msk: hash.msk(&nt_response),
        };
        let data = message::response(id, &peer_challenge, &nt_response, &self.user);
        Ok((state, PeerOutcome::Respond(data)))
    }

    fn ask(&self, rejected: Option<Error>) -> PeerOutcome {
        let user = String::from_utf8_lossy(&self.user).into_owned();
        PeerOutcome::Ask(PeerAsk::Password { user, rejected })
    }

    fn handle_challenge(
        &mut self,
        data: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<PeerOutcome, Error> {
        let request = match FromAuthenticator::parse(data) {
            // A challenge of another size cannot be answered, however often it comes.
            Err(error @ Error::Malformed { what: Malformed::ValueSize, .. }) => {
                self.state = State::Ended;
                return Ok(PeerOutcome::Fail(error));
            }
            parsed => parsed?,
        };
        let FromAuthenticator::Challenge { id, challenge } = request else {
            // A server that claims a result before it has asked anything.
            self.state = State::Ended;
            return Ok(PeerOutcome::Fail(Error::Misbehaved(Misbehaved::UnexpectedOperation)));
        };
        let (state, outcome) = match &self.configured {
            Some(hash) => self.respond(hash, id, &challenge, cx.rng)?,
            None => (State::ExpectPassword { id, challenge }, self.ask(None)),
        };
        self.state = state;
        Ok(outcome)
    }

    /// What follows our Response. From here on whatever is wrong is the end, because a new Response
    /// would be another sample for guessing the password.
    fn handle_result(&mut self, expected: [u8; 20], msk: Msk, data: &[u8]) -> PeerOutcome {
        match FromAuthenticator::parse(data) {
            Ok(FromAuthenticator::Success { text }) => match parse_success(text) {
                Some(received) if bool::from(received.ct_eq(&expected)) => {
                    PeerOutcome::Complete(message::success_response(), Some(msk))
                }
                // RFC 2759 section 8.8: the peer ends the session, without a Response.
                Some(_) => PeerOutcome::Fail(Error::Misbehaved(Misbehaved::AuthenticatorResponse)),
                None => PeerOutcome::Fail(Error::malformed(Malformed::Text, 4)),
            },
            Ok(FromAuthenticator::Failure { id, text }) => self.handle_failure(id, text),
            Ok(FromAuthenticator::Challenge { .. }) => {
                PeerOutcome::Fail(Error::Misbehaved(Misbehaved::UnexpectedOperation))
            }
            Err(error) => PeerOutcome::Fail(error),
        }
    }

    fn handle_failure(&mut self, id: u8, text: &[u8]) -> PeerOutcome {
        let Some(failure) = FailureText::parse(text) else {
            return PeerOutcome::Fail(Error::malformed(Malformed::Text, 4));
        };
        let rejected =
            Error::Rejected(Rejected::MsChap { code: failure.code, message: failure.message });
        match failure.challenge {
            Some(challenge)
                if failure.retry && failure.code == 691 && self.configured.is_none() =>
            {
                // RFC 2759 section 6: the next try has the identifier after this one.
                self.state = State::ExpectPassword { id: id.wrapping_add(1), challenge };
                self.ask(Some(rejected))
            }
            _ => PeerOutcome::GiveUp(message::failure_response(), rejected),
        }
    }
}

impl PeerMethod for Peer {
    fn kind(&self) -> Type {
        Type::MSCHAPV2
    }

    fn handle(&mut self, data: &[u8], cx: &mut Context<'_>) -> Result<PeerOutcome, Error> {
        match core::mem::replace(&mut self.state, State::Ended) {
            State::ExpectResult { authenticator_response, msk } => {
                Ok(self.handle_result(authenticator_response, msk, data))
            }
            State::ExpectChallenge => {
                self.state = State::ExpectChallenge;
                self.handle_challenge(data, cx)
            }
            other => {
                self.state = other;
                Err(Error::Misbehaved(Misbehaved::UnexpectedOperation))
            }
        }
    }

    fn answer(
        &mut self,
        answer: Option<Credential>,
        cx: &mut Context<'_>,
    ) -> Result<PeerOutcome, Error> {
        let State::ExpectPassword { id, challenge } = self.state else {
            return Err(Error::Misuse(Misuse::NothingAsked));
        };
        let Some(credential) = answer else {
            self.state = State::Ended;
            return Ok(PeerOutcome::Fail(Error::Rejected(Rejected::NoAnswer)));
        };
        let (state, outcome) = self.respond(&NtHash::of(&credential)?, id, &challenge, cx.rng)?;
        self.state = state;
        Ok(outcome)
    }
}
