//! The authenticator: the side that asks. RFC 3748 section 2.1 and RFC 4137 section 5.

use alloc::boxed::Box;
use alloc::vec::Vec;

use adit_platform::Rng;

use crate::error::{Error, Incompatible, Misbehaved, Misuse, Resources};
use crate::method::{AuthenticatorAsk, AuthenticatorMethod, AuthenticatorOutcome, Context};
use crate::packet::{Body, Message, Packet, Type};
use crate::{Credential, DEFAULT_MAX_ROUNDS, MAX_IDENTITY_LEN, Msk};

/// The authenticator's side of one authentication, with its methods at hand.
///
/// [`start`](Self::start) it, feed every packet from the peer to [`handle`](Self::handle) and do what
/// the step says:
///
/// | step | then |
/// |---|---|
/// | [`Request`](AuthenticatorStep::Request) | send the packet |
/// | [`Ask`](AuthenticatorStep::Ask) | [`answer`](Self::answer) when the user database has |
/// | [`Success`](AuthenticatorStep::Success), [`Failure`](AuthenticatorStep::Failure) | send the packet; the end |
/// | an error | the packet was discarded; the state is what it was |
///
/// Under a reliable lower layer such as IKEv2 nothing will follow a discarded packet, so an error is the
/// end there. The crate's first page has a whole authentication.
pub struct Authenticator {
    methods: Vec<Box<dyn AuthenticatorMethod>>,
    /// Which of `methods` have been offered: none is offered twice.
    offered: Vec<bool>,
    identity: Option<Vec<u8>>,
    max_rounds: u32,
    rounds: u32,
    /// The Identifier of the outstanding Request.
    identifier: u8,
    state: State,
}

/// What to do after a call of [`Authenticator`].
#[derive(PartialEq, Eq, Debug)]
#[must_use]
pub enum AuthenticatorStep {
    /// Send this packet to the peer.
    Request(Vec<u8>),
    /// Find the answer and call [`Authenticator::answer`].
    Ask(AuthenticatorAsk),
    /// The peer is who it says.
    Success {
        /// EAP-Success, to be sent.
        packet: Vec<u8>,
        /// The account that was proved, as the method carried it: hostile octets, not always UTF-8.
        user: Vec<u8>,
        /// The key, if the method exports one.
        msk: Option<Msk>,
    },
    /// The peer is not authenticated.
    Failure {
        /// EAP-Failure, to be sent.
        packet: Vec<u8>,
        /// Why, for the log; the peer is told nothing of it.
        reason: Error,
    },
}

/// What the machine waits for.
#[derive(Clone, Copy)]
enum State {
    ExpectStart,
    ExpectIdentity,
    /// The first Response to the offer of `methods[index]`: its own Type, or a Nak.
    ExpectChoice {
        index: usize,
    },
    /// A later Response of `methods[index]`.
    ExpectResponse {
        index: usize,
    },
    /// The embedder's answer for `methods[index]`.
    ExpectAnswer {
        index: usize,
    },
    Ended,
}

impl Authenticator {
    /// An authenticator that offers `methods` in this order.
    ///
    /// # Errors
    /// [`Misuse::NoMethods`] if there are none.
    pub fn new(methods: Vec<Box<dyn AuthenticatorMethod>>) -> Result<Self, Error> {
        if methods.is_empty() {
            return Err(Error::Misuse(Misuse::NoMethods));
        }
        Ok(Self {
            offered: methods.iter().map(|_| false).collect(),
            methods,
            identity: None,
            max_rounds: DEFAULT_MAX_ROUNDS,
            rounds: 0,
            identifier: 0,
            state: State::ExpectStart,
        })
    }

    /// Skips the Identity Request, because the lower layer knows the identity already: under IKEv2 it is
    /// the IDi payload (RFC 7296 section 3.16 says that the responder should not ask again).
    pub fn with_identity(mut self, identity: impl Into<Vec<u8>>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    /// Fails with [`Resources::TooManyRounds`] instead of sending a Request more than `rounds`.
    pub fn with_max_rounds(mut self, rounds: u32) -> Self {
        self.max_rounds = rounds;
        self
    }

    /// The peer's identity, once it is known: hostile octets, not always UTF-8, and proved only where
    /// [`AuthenticatorStep::Success`] names it as the user.
    pub fn identity(&self) -> Option<&[u8]> {
        self.identity.as_deref()
    }

    /// Begins: the first Request, for the identity or, where it is known, of the first method.
    ///
    /// # Errors
    /// [`Misuse::AlreadyStarted`], [`Resources::Rng`], or what the first method says.
    pub fn start(&mut self, rng: &mut dyn Rng) -> Result<AuthenticatorStep, Error> {
        if !matches!(self.state, State::ExpectStart) {
            return Err(Error::Misuse(Misuse::AlreadyStarted));
        }
        // A first Identifier that cannot be guessed keeps Responses of an earlier try out.
        let mut first = [0];
        rng.fill(&mut first)?;
        [self.identifier] = first;
        if self.identity.is_some() {
            return self.offer(0, rng);
        }
        self.request(State::ExpectIdentity, Type::IDENTITY, &[])
    }

    /// Begins with the answer to an Identity Request that somebody else has sent: a pass-through (RFC 3748
    /// section 2.3), to which this authenticator is the server. The first Request is of the first method
    /// and its Identifier follows that of `response`.
    ///
    /// # Errors
    /// [`Misuse::AlreadyStarted`], or why `response` is no Identity Response that is accepted.
    pub fn start_with_response(
        &mut self,
        response: &[u8],
        rng: &mut dyn Rng,
    ) -> Result<AuthenticatorStep, Error> {
        if !matches!(self.state, State::ExpectStart) {
            return Err(Error::Misuse(Misuse::AlreadyStarted));
        }
        let packet = Packet::parse(response)?;
        let Body::Response(response) = packet.body else {
            return Err(Error::Misbehaved(Misbehaved::WrongDirection));
        };
        if response.kind != Type::IDENTITY {
            return Err(Error::Misbehaved(Misbehaved::UnexpectedType(response.kind)));
        }
        self.identifier = packet.identifier;
        self.identify(response, rng)
    }

    /// Takes one packet from the peer.
    ///
    /// # Errors
    /// The packet was discarded and nothing has changed.
    pub fn handle(&mut self, packet: &[u8], rng: &mut dyn Rng) -> Result<AuthenticatorStep, Error> {
        let packet = Packet::parse(packet)?;
        let Body::Response(response) = packet.body else {
            return Err(Error::Misbehaved(Misbehaved::WrongDirection));
        };
        match self.state {
            State::ExpectStart => return Err(Error::Misuse(Misuse::NotStarted)),
            State::ExpectAnswer { .. } => return Err(Error::Misbehaved(Misbehaved::WhileAsking)),
            State::Ended => return Err(Error::Misbehaved(Misbehaved::AfterEnd)),
            _ if packet.identifier != self.identifier => {
                return Err(Error::Misbehaved(Misbehaved::IdentifierMismatch));
            }
            _ => {}
        }
        match (self.state, response.kind) {
            (State::ExpectIdentity, Type::IDENTITY) => self.identify(response, rng),
            (State::ExpectChoice { .. }, Type::NAK) => self.handle_nak(response, rng),
            (State::ExpectChoice { index } | State::ExpectResponse { index }, _) => {
                self.handle_method(index, response, rng)
            }
            (_, Type::NAK) => Err(Error::Misbehaved(Misbehaved::UnexpectedNak)),
            (_, kind) => Err(Error::Misbehaved(Misbehaved::UnexpectedType(kind))),
        }
    }

    /// Answers the open question; `None` where there is no such user, which the peer cannot tell from a
    /// wrong password.
    ///
    /// # Errors
    /// [`Error::Misuse`] if no question is open or the answer does not fit it: the question stays open.
    pub fn answer(
        &mut self,
        answer: Option<Credential>,
        rng: &mut dyn Rng,
    ) -> Result<AuthenticatorStep, Error> {
        let State::ExpectAnswer { index } = self.state else {
            return Err(Error::Misuse(Misuse::NothingAsked));
        };
        let (method, mut cx) = self.method(index, rng)?;
        let outcome = method.answer(answer, &mut cx)?;
        self.apply(index, outcome)
    }

    fn identify(
        &mut self,
        response: Message<'_>,
        rng: &mut dyn Rng,
    ) -> Result<AuthenticatorStep, Error> {
        if response.data.len() > MAX_IDENTITY_LEN {
            return Err(Error::Misbehaved(Misbehaved::IdentityTooLong));
        }
        self.identity = Some(response.data.to_vec());
        self.offer(0, rng)
    }

    /// A Nak answers an offer and lists what the peer would use instead, RFC 3748 section 5.3.1. The
    /// first of our methods that it lists and that has not been offered yet is next.
    fn handle_nak(
        &mut self,
        nak: Message<'_>,
        rng: &mut dyn Rng,
    ) -> Result<AuthenticatorStep, Error> {
        if nak.expanded {
            // "Only valid in reply to an expanded Request", section 5.3.2: none is ever sent.
            return Err(Error::Misbehaved(Misbehaved::UnexpectedNak));
        }
        let wanted = |kind: Type| kind.octet().is_some_and(|octet| nak.data.contains(&octet));
        let next = self
            .methods
            .iter()
            .zip(&self.offered)
            .position(|(method, offered)| !offered && wanted(method.kind()));
        match next {
            Some(index) => self.offer(index, rng),
            None => self.fail(Error::Incompatible(Incompatible::NoCommonMethod)),
        }
    }

    fn handle_method(
        &mut self,
        index: usize,
        response: Message<'_>,
        rng: &mut dyn Rng,
    ) -> Result<AuthenticatorStep, Error> {
        let (method, mut cx) = self.method(index, rng)?;
        if method.kind() != response.kind {
            return Err(Error::Misbehaved(match response.kind {
                Type::NAK => Misbehaved::UnexpectedNak,
                kind => Misbehaved::UnexpectedType(kind),
            }));
        }
        let base = response.data_offset();
        let outcome = match method.handle(response.data, &mut cx) {
            Ok(AuthenticatorOutcome::Fail(reason)) => {
                AuthenticatorOutcome::Fail(reason.moved_by(base))
            }
            Ok(outcome) => outcome,
            Err(error) => return Err(error.moved_by(base)),
        };
        self.apply(index, outcome)
    }

    fn offer(&mut self, index: usize, rng: &mut dyn Rng) -> Result<AuthenticatorStep, Error> {
        let (method, mut cx) = self.method(index, rng)?;
        let kind = method.kind();
        let first = method.start(&mut cx)?;
        if let Some(offered) = self.offered.get_mut(index) {
            *offered = true;
        }
        match first {
            AuthenticatorOutcome::Request(data) => {
                self.request(State::ExpectChoice { index }, kind, &data)
            }
            other => self.apply(index, other),
        }
    }

    fn apply(
        &mut self,
        index: usize,
        outcome: AuthenticatorOutcome,
    ) -> Result<AuthenticatorStep, Error> {
        match outcome {
            AuthenticatorOutcome::Request(data) => {
                let kind = self.methods.get(index).map_or(Type::NAK, |method| method.kind());
                self.request(State::ExpectResponse { index }, kind, &data)
            }
            AuthenticatorOutcome::Ask(ask) => {
                self.state = State::ExpectAnswer { index };
                Ok(AuthenticatorStep::Ask(ask))
            }
            AuthenticatorOutcome::Complete { user, msk } => {
                let packet = self.end(Body::Success)?;
                Ok(AuthenticatorStep::Success { packet, user, msk })
            }
            AuthenticatorOutcome::Fail(reason) => self.fail(reason),
        }
    }

    /// A method and what it may use. The Identifier is that of the next Request.
    fn method<'a>(
        &'a mut self,
        index: usize,
        rng: &'a mut dyn Rng,
    ) -> Result<(&'a mut Box<dyn AuthenticatorMethod>, Context<'a>), Error> {
        let method = self.methods.get_mut(index).ok_or(Error::Misuse(Misuse::NoMethods))?;
        let identity = self.identity.as_deref().unwrap_or_default();
        let identifier = self.identifier.wrapping_add(1);
        Ok((method, Context { identifier, identity, rng }))
    }

    fn request(
        &mut self,
        state: State,
        kind: Type,
        data: &[u8],
    ) -> Result<AuthenticatorStep, Error> {
        if self.rounds >= self.max_rounds {
            return self.fail(Error::Resources(Resources::TooManyRounds));
        }
        let identifier = self.identifier.wrapping_add(1);
        let body = Body::Request(Message::new(kind, data));
        let packet = Packet { identifier, body }.encode()?;
        self.identifier = identifier;
        self.rounds += 1;
        self.state = state;
        Ok(AuthenticatorStep::Request(packet))
    }

    fn fail(&mut self, reason: Error) -> Result<AuthenticatorStep, Error> {
        Ok(AuthenticatorStep::Failure { packet: self.end(Body::Failure)?, reason })
    }

    /// Success and Failure repeat the Identifier of the Response that they answer, section 4.2.
    fn end(&mut self, body: Body<'_>) -> Result<Vec<u8>, Error> {
        self.state = State::Ended;
        Packet { identifier: self.identifier, body }.encode()
    }
}
