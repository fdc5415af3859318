//! The peer: the side that is asked who it is. RFC 3748 section 2.1 and RFC 4137 section 4.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use adit_platform::Rng;

use crate::error::{Error, Incompatible, Misbehaved, Misuse, Rejected, Resources};
use crate::method::{Context, PeerAsk, PeerMethod, PeerOutcome};
use crate::packet::{Body, Message, Packet, Type, push_expanded};
use crate::{Credential, DEFAULT_MAX_ROUNDS, MAX_IDENTITY_LEN, Msk};

/// The peer's side of one authentication.
///
/// Feed every packet from the authenticator to [`handle`](Self::handle) and do what the step says:
///
/// | step | then |
/// |---|---|
/// | [`Respond`](PeerStep::Respond) | send the packet |
/// | [`Ask`](PeerStep::Ask) | [`answer`](Self::answer) when the answer is known; a minute later will do |
/// | [`Success`](PeerStep::Success), [`Failure`](PeerStep::Failure) | the end |
/// | an error | the packet was discarded; the state is what it was |
///
/// Under a reliable lower layer such as IKEv2 nothing will follow a discarded packet, so an error is the
/// end there. The crate's first page has a whole authentication.
pub struct Peer {
    identity: Vec<u8>,
    methods: Vec<Box<dyn PeerMethod>>,
    max_rounds: u32,
    rounds: u32,
    state: State,
    /// The last Request that was not discarded.
    request: Vec<u8>,
    /// The last Response and its Identifier.
    response: Option<(u8, Vec<u8>)>,
    /// What was last answered with a Nak.
    refused: Option<Type>,
    notifications: Vec<String>,
}

/// What to do after a call of [`Peer`].
#[derive(PartialEq, Eq, Debug)]
#[must_use]
pub enum PeerStep {
    /// Send this packet to the authenticator.
    Respond(Vec<u8>),
    /// Find the answer and call [`Peer::answer`].
    Ask(PeerAsk),
    /// Authenticated, both ways where the method does that; the key, if the method exports one.
    Success(Option<Msk>),
    /// It ended without success, for this reason.
    Failure(Error),
}

/// What the machine waits for.
enum State {
    /// Any Request: no method has begun.
    ExpectMethod,
    /// The next Request of `methods[index]`.
    ExpectRequest { index: usize },
    /// The embedder's answer for `methods[index]`, to be sent with this Identifier.
    ExpectAnswer { index: usize, identifier: u8, expanded: bool },
    /// Success.
    ExpectSuccess { msk: Option<Msk> },
    /// Failure, of which the reason is known here.
    ExpectFailure { reason: Error },
    /// Nothing.
    Ended,
}

impl Peer {
    /// A peer that calls itself `identity` and uses `methods`.
    ///
    /// The authenticator chooses among the methods; an offer of another is answered with a Nak that
    /// lists these in this order. Of an `identity` longer than [`MAX_IDENTITY_LEN`] octets the rest is
    /// cut off.
    pub fn new(identity: impl Into<Vec<u8>>, methods: Vec<Box<dyn PeerMethod>>) -> Self {
        let mut identity = identity.into();
        identity.truncate(MAX_IDENTITY_LEN);
        Self {
            identity,
            methods,
            max_rounds: DEFAULT_MAX_ROUNDS,
            rounds: 0,
            state: State::ExpectMethod,
            request: Vec::new(),
            response: None,
            refused: None,
            notifications: Vec::new(),
        }
    }

    /// Ends with [`Resources::TooManyRounds`] at the Request after `rounds` of them.
    pub fn with_max_rounds(mut self, rounds: u32) -> Self {
        self.max_rounds = rounds;
        self
    }

    /// Takes one packet from the authenticator.
    ///
    /// # Errors
    /// The packet was discarded and nothing has changed.
    pub fn handle(&mut self, packet: &[u8], rng: &mut dyn Rng) -> Result<PeerStep, Error> {
        let octets = packet;
        let packet = Packet::parse(octets)?;
        if matches!(self.state, State::Ended) {
            return Err(Error::Misbehaved(Misbehaved::AfterEnd));
        }
        match packet.body {
            Body::Request(request) => {
                // A retransmitted Request gets the same Response again, RFC 3748 section 4.1. A server
                // behind a pass-through may by chance begin with the Identifier that the pass-through
                // has used, so that the octets have to be the same, too.
                if let Some((_, response)) = &self.response
                    && self.request == octets
                    && !matches!(self.state, State::ExpectAnswer { .. })
                {
                    return Ok(PeerStep::Respond(response.clone()));
                }
                let step = self.handle_request(packet.identifier, request, rng)?;
                self.request = octets.to_vec();
                Ok(step)
            }
            Body::Response(_) => Err(Error::Misbehaved(Misbehaved::WrongDirection)),
            Body::Success => self.handle_success(packet.identifier),
            Body::Failure => self.handle_failure(packet.identifier),
        }
    }

    /// Answers the open question; `None` gives up.
    ///
    /// # Errors
    /// [`Error::Misuse`] if no question is open or the answer does not fit it: the question stays open.
    pub fn answer(
        &mut self,
        answer: Option<Credential>,
        rng: &mut dyn Rng,
    ) -> Result<PeerStep, Error> {
        let State::ExpectAnswer { index, identifier, expanded } = self.state else {
            return Err(Error::Misuse(Misuse::NothingAsked));
        };
        let method = self.methods.get_mut(index).ok_or(Error::Misuse(Misuse::NothingAsked))?;
        let mut cx = Context { identifier, identity: &self.identity, rng };
        let outcome = method.answer(answer, &mut cx)?;
        self.apply(index, identifier, expanded, outcome)
    }

    /// The texts of Notification Requests so far (RFC 3748 section 5.2), for a person to read; control
    /// characters are removed. At most [`DEFAULT_MAX_ROUNDS`] are kept.
    pub fn notifications(&self) -> &[String] {
        &self.notifications
    }

    fn handle_request(
        &mut self,
        identifier: u8,
        request: Message<'_>,
        rng: &mut dyn Rng,
    ) -> Result<PeerStep, Error> {
        if matches!(self.state, State::ExpectAnswer { .. }) {
            return Err(Error::Misbehaved(Misbehaved::WhileAsking));
        }
        if self.rounds >= self.max_rounds {
            return Ok(self.fail(Error::Resources(Resources::TooManyRounds)));
        }
        let step = match request.kind {
            Type::NAK => Err(Error::Misbehaved(Misbehaved::UnexpectedType(Type::NAK))),
            Type::NOTIFICATION => self.handle_notification(identifier, request),
            Type::IDENTITY => self.handle_identity(identifier, request),
            _ => self.handle_method(identifier, request, rng),
        }?;
        self.rounds += 1;
        Ok(step)
    }

    /// Allowed at any time before the end of the method, RFC 3748 section 5.2.
    fn handle_notification(
        &mut self,
        identifier: u8,
        request: Message<'_>,
    ) -> Result<PeerStep, Error> {
        if self.notifications.len() < DEFAULT_MAX_ROUNDS as usize {
            self.notifications.push(printable(request.data));
        }
        self.respond(identifier, Message { data: &[], ..request })
    }

    /// Allowed only before a method has begun, RFC 3748 section 2.1.
    fn handle_identity(&mut self, identifier: u8, request: Message<'_>) -> Result<PeerStep, Error> {
        if !matches!(self.state, State::ExpectMethod) {
            return Err(Error::Misbehaved(Misbehaved::UnexpectedType(Type::IDENTITY)));
        }
        let identity = self.identity.clone();
        self.respond(identifier, Message { data: &identity, ..request })
    }

    fn handle_method(
        &mut self,
        identifier: u8,
        request: Message<'_>,
        rng: &mut dyn Rng,
    ) -> Result<PeerStep, Error> {
        let unexpected = Error::Misbehaved(Misbehaved::UnexpectedType(request.kind));
        let known = self.methods.iter().position(|method| method.kind() == request.kind);
        let index = match (&self.state, known) {
            (State::ExpectMethod, None) if request.kind.is_method() => {
                return self.refuse(identifier, request);
            }
            (State::ExpectMethod, Some(index)) => index,
            (State::ExpectRequest { index }, Some(known)) if *index == known => known,
            _ => return Err(unexpected),
        };
        let method = self.methods.get_mut(index).ok_or(unexpected)?;
        let mut cx = Context { identifier, identity: &self.identity, rng };
        let base = request.data_offset();
        let outcome = match method.handle(request.data, &mut cx) {
            Ok(PeerOutcome::Fail(reason)) => PeerOutcome::Fail(reason.moved_by(base)),
            Ok(outcome) => outcome,
            Err(error) => return Err(error.moved_by(base)),
        };
        self.apply(index, identifier, request.expanded, outcome)
    }

    /// Answers an offer that is not wanted: Nak, RFC 3748 section 5.3.
    fn refuse(&mut self, identifier: u8, request: Message<'_>) -> Result<PeerStep, Error> {
        let kinds = self.methods.iter().map(|method| method.kind());
        let mut data = Vec::new();
        if request.expanded {
            // Section 5.3.2: the list of expanded Types that are wanted, or one of number 0.
            kinds.for_each(|kind| push_expanded(&mut data, kind));
            if data.is_empty() {
                push_expanded(&mut data, Type::new(0));
            }
        } else {
            // Section 5.3.1: the list of Types that are wanted, 254 for an expanded one, or 0.
            data.extend(kinds.map(|kind| kind.octet().unwrap_or(254)));
            if data.is_empty() {
                data.push(0);
            }
        }
        self.refused = Some(request.kind);
        self.respond(
            identifier,
            Message { kind: Type::NAK, expanded: request.expanded, data: &data },
        )
    }

    /// Success counts only after the method is satisfied, RFC 3748 section 4.2.
    fn handle_success(&mut self, identifier: u8) -> Result<PeerStep, Error> {
        self.check_identifier(identifier)?;
        let State::ExpectSuccess { msk } = &mut self.state else {
            return Err(Error::Misbehaved(Misbehaved::EarlySuccess));
        };
        let msk = msk.take();
        self.state = State::Ended;
        Ok(PeerStep::Success(msk))
    }

    fn handle_failure(&mut self, identifier: u8) -> Result<PeerStep, Error> {
        self.check_identifier(identifier)?;
        let reason = match (core::mem::replace(&mut self.state, State::Ended), self.refused) {
            (State::ExpectFailure { reason }, _) => reason,
            (State::ExpectMethod, Some(kind)) => {
                Error::Incompatible(Incompatible::MethodRefused(kind))
            }
            _ => Error::Rejected(Rejected::ByAuthenticator),
        };
        Ok(PeerStep::Failure(reason))
    }

    /// Success and Failure repeat the Identifier of the last Response, RFC 3748 section 4.2. Before
    /// the first Response any will do.
    fn check_identifier(&self, identifier: u8) -> Result<(), Error> {
        match &self.response {
            Some((last, _)) if *last != identifier => {
                Err(Error::Misbehaved(Misbehaved::IdentifierMismatch))
            }
            _ => Ok(()),
        }
    }

    fn apply(
        &mut self,
        index: usize,
        identifier: u8,
        expanded: bool,
        outcome: PeerOutcome,
    ) -> Result<PeerStep, Error> {
        let (state, data) = match outcome {
            PeerOutcome::Respond(data) => (State::ExpectRequest { index }, data),
            PeerOutcome::Complete(data, msk) => (State::ExpectSuccess { msk }, data),
            PeerOutcome::GiveUp(data, reason) => (State::ExpectFailure { reason }, data),
            PeerOutcome::Ask(ask) => {
                self.state = State::ExpectAnswer { index, identifier, expanded };
                return Ok(PeerStep::Ask(ask));
            }
            PeerOutcome::Fail(reason) => return Ok(self.fail(reason)),
        };
        let kind = self.methods.get(index).map_or(Type::NAK, |method| method.kind());
        self.state = state;
        self.respond(identifier, Message { kind, expanded, data: &data })
    }

    fn respond(&mut self, identifier: u8, message: Message<'_>) -> Result<PeerStep, Error> {
        let packet = Packet { identifier, body: Body::Response(message) }.encode()?;
        self.response = Some((identifier, packet.clone()));
        Ok(PeerStep::Respond(packet))
    }

    fn fail(&mut self, reason: Error) -> PeerStep {
        self.state = State::Ended;
        PeerStep::Failure(reason)
    }
}

/// Text from the other side as a person may see it: UTF-8, without control characters.
pub(crate) fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect()
}
