//! What an authentication method is to the two machines.
//!
//! A method sees its own Type-Data and nothing of the EAP header; it never waits: whatever only a host or
//! a person can know is asked for by a value and answered later.

use alloc::string::String;
use alloc::vec::Vec;

use adit_platform::Rng;

use crate::credential::Credential;
use crate::error::Error;
use crate::msk::Msk;
use crate::packet::Type;

/// What the machine lends to a method for one call.
pub struct Context<'a> {
    /// Of a peer: the Identifier of the Request. Of an authenticator: that of its next Request.
    pub identifier: u8,
    /// The peer's identity as it was, or would be, sent in an Identity Response.
    pub identity: &'a [u8],
    /// Unpredictable octets.
    pub rng: &'a mut dyn Rng,
}

/// One method of a peer, for one authentication.
pub trait PeerMethod: Send {
    /// Its Type.
    fn kind(&self) -> Type;

    /// Takes the Type-Data of a Request.
    ///
    /// # Errors
    /// The Request is to be discarded and the state is what it was.
    fn handle(&mut self, data: &[u8], cx: &mut Context<'_>) -> Result<PeerOutcome, Error>;

    /// Takes the answer to [`PeerOutcome::Ask`]; `None` if the embedder has none.
    ///
    /// # Errors
    /// The answer does not fit; the question stays open.
    fn answer(
        &mut self,
        answer: Option<Credential>,
        cx: &mut Context<'_>,
    ) -> Result<PeerOutcome, Error>;
}

/// What a peer's method wants next.
#[derive(Debug)]
pub enum PeerOutcome {
    /// Send this Type-Data; more will follow.
    Respond(Vec<u8>),
    /// Send this Type-Data; the method is satisfied and Success may follow.
    Complete(Vec<u8>, Option<Msk>),
    /// Send this Type-Data; only Failure may follow.
    GiveUp(Vec<u8>, Error),
    /// A question for the embedder.
    Ask(PeerAsk),
    /// End at once, without a Response.
    Fail(Error),
}

/// A question of a peer, which only its user or configuration can answer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PeerAsk {
    /// The password of `user`.
    Password {
        /// The user name, as the method will send it.
        user: String,
        /// Why it is asked again: what the authenticator said about the last one.
        rejected: Option<Error>,
    },
}

/// One method of an authenticator, for one authentication.
pub trait AuthenticatorMethod: Send {
    /// Its Type.
    fn kind(&self) -> Type;

    /// Begins; the outcome is the first Request.
    ///
    /// # Errors
    /// The method cannot start.
    fn start(&mut self, cx: &mut Context<'_>) -> Result<AuthenticatorOutcome, Error>;

    /// Takes the Type-Data of a Response.
    ///
    /// # Errors
    /// The Response is to be discarded and the state is what it was.
    fn handle(&mut self, data: &[u8], cx: &mut Context<'_>) -> Result<AuthenticatorOutcome, Error>;

    /// Takes the answer to [`AuthenticatorOutcome::Ask`]; `None` if there is no such user.
    ///
    /// # Errors
    /// The answer does not fit; the question stays open.
    fn answer(
        &mut self,
        answer: Option<Credential>,
        cx: &mut Context<'_>,
    ) -> Result<AuthenticatorOutcome, Error>;
}

/// What an authenticator's method wants next.
#[derive(Debug)]
pub enum AuthenticatorOutcome {
    /// Send this Type-Data in a Request.
    Request(Vec<u8>),
    /// A question for the embedder.
    Ask(AuthenticatorAsk),
    /// The peer is authenticated.
    Complete {
        /// The account that was proved, as the peer wrote it in the method.
        user: Vec<u8>,
        /// The exported key, if the method has one.
        msk: Option<Msk>,
    },
    /// The peer is not authenticated.
    Fail(Error),
}

/// A question of an authenticator, which its user database can answer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AuthenticatorAsk {
    /// The credential of `user`.
    Credential {
        /// The user name as the peer sent it, perhaps `DOMAIN\user`. Hostile octets: not always UTF-8.
        user: Vec<u8>,
        /// The method that needs it.
        method: Type,
    },
}
