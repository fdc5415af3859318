//! The authenticator's side.

use alloc::vec::Vec;

use adit_platform::Rng;
use subtle::ConstantTimeEq;

use super::MAX_NAME_LEN;
use super::crypto::{Exchange, NtHash};
use super::message::{self, FromPeer};
use crate::error::{Error, Misbehaved, Misuse, Rejected};
use crate::method::{AuthenticatorAsk, AuthenticatorMethod, AuthenticatorOutcome, Context};
use crate::packet::Type;
use crate::{Credential, Msk};

/// EAP-MSCHAPv2 as an authenticator: asks the user database for the credential of the user that the
/// peer names ([`AuthenticatorAsk::Credential`]), checks the peer's proof and gives its own.
///
/// The user is the one that the peer names inside of the method, not its EAP identity, because that is
/// whose password was proved. A user that does not exist and a wrong password look the same to the peer.
///
/// ```
/// use adit_eap::{Authenticator, mschapv2};
///
/// let method = mschapv2::Authenticator::new("vpn.example").with_retries(2);
/// let authenticator = Authenticator::new(vec![Box::new(method)])?.with_identity("alice");
/// # Ok::<(), adit_eap::Error>(())
/// ```
pub struct Authenticator {
    name: Vec<u8>,
    retries: u8,
    state: State,
}

enum State {
    ExpectStart,
    ExpectResponse { id: u8, challenge: [u8; 16] },
    ExpectCredential { id: u8, challenge: [u8; 16], response: Proof },
    ExpectSuccess { user: Vec<u8>, msk: Msk },
    ExpectFailure,
    Ended,
}

/// What a peer sent to prove its password.
struct Proof {
    user: Vec<u8>,
    peer_challenge: [u8; 16],
    nt_response: [u8; 24],
}

impl Authenticator {
    /// An authenticator that calls itself `name` in its challenges, cut to [`MAX_NAME_LEN`] octets.
    pub fn new(name: impl Into<Vec<u8>>) -> Self {
        let mut name = name.into();
        name.truncate(MAX_NAME_LEN);
        Self { name, retries: 0, state: State::ExpectStart }
    }

    /// Lets the peer try `retries` more passwords after a wrong one; none unless set.
    pub fn with_retries(mut self, retries: u8) -> Self {
        self.retries = retries;
        self
    }

    fn handle_response(
        &mut self,
        id: u8,
        challenge: [u8; 16],
        data: &[u8],
        cx: &Context<'_>,
    ) -> AuthenticatorOutcome {
        match FromPeer::parse(data) {
            Ok(FromPeer::Response { peer_challenge, nt_response, name }) => {
                let user = if name.is_empty() { cx.identity } else { name };
                if user.len() > MAX_NAME_LEN {
                    return AuthenticatorOutcome::Fail(Error::Misbehaved(
                        Misbehaved::IdentityTooLong,
                    ));
                }
                let ask =
                    AuthenticatorAsk::Credential { user: user.to_vec(), method: Type::MSCHAPV2 };
                let response = Proof { user: user.to_vec(), peer_challenge, nt_response };
                self.state = State::ExpectCredential { id, challenge, response };
                AuthenticatorOutcome::Ask(ask)
            }
            Ok(FromPeer::Failure) => AuthenticatorOutcome::Fail(Error::Rejected(Rejected::ByPeer)),
            // A peer that claims success without a proof (as in CVE-2015-8023).
            Ok(FromPeer::Success) => {
                AuthenticatorOutcome::Fail(Error::Misbehaved(Misbehaved::UnexpectedOperation))
            }
            Err(error) => AuthenticatorOutcome::Fail(error),
        }
    }

    fn reject(&mut self, id: u8, rng: &mut dyn Rng) -> Result<AuthenticatorOutcome, Error> {
        let mut challenge = [0; 16];
        rng.fill(&mut challenge)?;
        let retry = self.retries > 0;
        self.retries = self.retries.saturating_sub(1);
        self.state = if retry {
            State::ExpectResponse { id: id.wrapping_add(1), challenge }
        } else {
            State::ExpectFailure
        };
        Ok(AuthenticatorOutcome::Request(message::failure(id, retry, &challenge)))
    }
}

impl AuthenticatorMethod for Authenticator {
    fn kind(&self) -> Type {
        Type::MSCHAPV2
    }

    fn start(&mut self, cx: &mut Context<'_>) -> Result<AuthenticatorOutcome, Error> {
        if !matches!(self.state, State::ExpectStart) {
            return Err(Error::Misuse(Misuse::AlreadyStarted));
        }
        let mut challenge = [0; 16];
        cx.rng.fill(&mut challenge)?;
        let id = cx.identifier;
        self.state = State::ExpectResponse { id, challenge };
        Ok(AuthenticatorOutcome::Request(message::challenge(id, &challenge, &self.name)))
    }

    fn handle(&mut self, data: &[u8], cx: &mut Context<'_>) -> Result<AuthenticatorOutcome, Error> {
        // Whatever is wrong in a Response of this method ends it: a peer would only repeat it.
        match core::mem::replace(&mut self.state, State::Ended) {
            State::ExpectResponse { id, challenge } => {
                Ok(self.handle_response(id, challenge, data, cx))
            }
            State::ExpectSuccess { user, msk } => Ok(match FromPeer::parse(data) {
                Ok(FromPeer::Success) => AuthenticatorOutcome::Complete { user, msk: Some(msk) },
                // The peer does not believe that we know its password.
                Ok(FromPeer::Failure) => {
                    AuthenticatorOutcome::Fail(Error::Rejected(Rejected::ByPeer))
                }
                Ok(FromPeer::Response { .. }) => {
                    AuthenticatorOutcome::Fail(Error::Misbehaved(Misbehaved::UnexpectedOperation))
                }
                Err(error) => AuthenticatorOutcome::Fail(error),
            }),
            // The peer may say what it likes: the password was wrong.
            State::ExpectFailure => {
                Ok(AuthenticatorOutcome::Fail(Error::Rejected(Rejected::WrongCredential)))
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
    ) -> Result<AuthenticatorOutcome, Error> {
        let State::ExpectCredential { id, challenge, response } = &self.state else {
            return Err(Error::Misuse(Misuse::NothingAsked));
        };
        let (id, Proof { user, peer_challenge, nt_response }) = (*id, response);
        // An unknown user costs the same work as a known one.
        let dummy = Credential::nt_hash([0; 16]);
        let hash = NtHash::of(answer.as_ref().unwrap_or(&dummy))?;
        let exchange =
            Exchange { authenticator_challenge: &challenge.clone(), peer_challenge, user };
        let proved = bool::from(hash.nt_response(&exchange).ct_eq(nt_response));
        if !proved || answer.is_none() {
            return self.reject(id, cx.rng);
        }
        let proof = hash.authenticator_response(&exchange, nt_response);
        let msk = hash.msk(nt_response);
        self.state = State::ExpectSuccess { user: user.clone(), msk };
        Ok(AuthenticatorOutcome::Request(message::success(id, &proof)))
    }
}
