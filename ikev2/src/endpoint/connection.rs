//! One IKE SA of an endpoint, from its first message to its last.

use alloc::boxed::Box;
use alloc::sync::Arc;

use adit_platform::Instant;

use super::lingering::Lingering;
use super::running::Running;
use super::strangers::{self, Key};
use super::{OpenAsk, Shared};
use crate::ask::{Acceptance, AnyAnswer, Deny};
use crate::channel::Sent;
use crate::child::ChildId;
use crate::config::{ChildConfig, PeerConfig};
use crate::cookie::{Claim, Cookies};
use crate::error::{CommandError, Denied, Error, StaleTicket, Stray, TimedOut};
use crate::established;
use crate::event::{CloseReason, Event};
use crate::handshake::initiator::{ExpectInitResponse, Outcome};
use crate::handshake::responder::ExpectAcceptance;
use crate::handshake::{Context, Finished, Handshake};
use crate::path::{Path, SaId};
use crate::wire::{ExchangeType, Header, Message, Notify, NotifyType, Payload, Payloads};

/// See the [module](self).
pub(super) struct Connection {
    id: SaId,
    path: Path,
    /// The deadline that the endpoint's timers know.
    pub(super) timer: Option<Instant>,
    phase: Phase,
    /// The open ask of the handshake.
    ask: Option<OpenAsk>,
    /// When the handshake ends, whatever it waits for.
    limit: Option<Instant>,
    /// As what it counts among the half-open, if it does.
    stranger: Option<Key>,
    /// Nothing has come that was sealed with the keys of IKE_SA_INIT.
    is_unconfirmed: bool,
}

/// Where an IKE SA stands.
enum Phase {
    /// Our first message is out.
    Initiating(Box<ExpectInitResponse>),
    /// A stranger's first message lies before the embedder.
    Accepting(Box<ExpectAcceptance>),
    /// There are keys, and nobody is authenticated.
    Authenticating(Box<Handshake>),
    Running(Box<Running>),
    /// The handshake failed, and the peer may not know it yet.
    Lingering(Box<Lingering>),
    Gone,
}

/// What an embedder wants of an IKE SA.
pub(super) enum Command {
    Delete,
    Abandon,
    RekeyIke,
    RekeyChild(ChildId),
    CreateChild(Box<ChildConfig>),
    DeleteChild(ChildId),
    CheckLiveness,
}

impl Connection {
    /// An IKE SA that we are about to start.
    pub(super) fn new(id: SaId, path: Path) -> Self {
        let phase = Phase::Gone;
        let (ask, limit, stranger) = (None, None, None);
        Self { id, path, timer: None, phase, ask, limit, stranger, is_unconfirmed: false }
    }

    /// An IKE SA that a stranger wants.
    pub(super) fn of_stranger(
        now: Instant,
        id: SaId,
        path: Path,
        stranger: Key,
        state: Box<ExpectAcceptance>,
        shared: &Shared,
    ) -> Self {
        Self {
            phase: Phase::Accepting(state),
            limit: Some(now + shared.config.half_open_timeout),
            stranger: Some(stranger),
            is_unconfirmed: true,
            ..Self::new(id, path)
        }
    }

    /// Starts an IKE SA.
    pub(super) fn connect(
        &mut self,
        now: Instant,
        peer: Arc<PeerConfig>,
        shared: &mut Shared,
    ) -> Result<(), CommandError> {
        peer.check().map_err(CommandError::Unusable)?;
        let spi = shared.spis.new_ike(&mut *shared.rng, self.id)?;
        match ExpectInitResponse::start(now, self.path, peer, spi, shared) {
            Ok(state) => {
                self.phase = Phase::Initiating(Box::new(state));
                self.limit = Some(now + shared.config.handshake_timeout);
                Ok(())
            }
            Err(error) => {
                shared.spis.release_ike(spi);
                Err(error)
            }
        }
    }

    pub(super) fn expect_answer(&mut self, ask: OpenAsk) {
        self.ask = Some(ask);
    }

    pub(super) fn is_gone(&self) -> bool {
        match &self.phase {
            Phase::Gone => true,
            Phase::Running(running) => running.is_gone(),
            _ => false,
        }
    }

    /// True if it is over, but for answers to a peer that repeats itself.
    pub(super) fn is_settled(&self) -> bool {
        match &self.phase {
            Phase::Gone => true,
            Phase::Running(running) => running.is_settled(),
            Phase::Lingering(lingering) => lingering.is_settled(),
            Phase::Initiating(_) | Phase::Accepting(_) | Phase::Authenticating(_) => false,
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Initiating(state) => Some(state.deadline()),
            Phase::Authenticating(handshake) => handshake.session.channel.deadline(),
            Phase::Running(running) => running.deadline(),
            Phase::Lingering(lingering) => Some(lingering.deadline()),
            Phase::Accepting(_) | Phase::Gone => None,
        };
        let ask = self.ask.map(|ask| ask.deadline);
        [phase, ask, self.limit].into_iter().flatten().min()
    }

    /// Takes a datagram with our SPI.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        from: Path,
        header: &Header,
        datagram: &mut [u8],
        shared: &mut Shared,
    ) -> Result<(), Error> {
        let mut cx =
            Context { now, sa: self.id, path: &mut self.path, from, shared, ask: &mut self.ask };
        match &mut self.phase {
            Phase::Initiating(state) => match state.receive(&mut cx, datagram)? {
                Outcome::Waiting => {}
                Outcome::Agreed(handshake) => self.phase = Phase::Authenticating(handshake),
                Outcome::Failed(error) => self.fail(now, error, shared),
            },
            Phase::Authenticating(handshake) => {
                let step = handshake.receive(&mut cx, datagram)?;
                if core::mem::take(&mut self.is_unconfirmed) {
                    // Whoever sealed this has the keys, so there is a peer where the stranger said it is.
                    self.limit = Some(now + shared.config.handshake_timeout);
                }
                self.step(now, step, shared);
            }
            Phase::Running(running) => {
                running.receive(now, &mut self.path, from, header, datagram, shared)?;
            }
            Phase::Lingering(lingering) => {
                if lingering.receive(from, datagram, shared)? {
                    self.vanish(shared);
                }
            }
            Phase::Accepting(_) | Phase::Gone => return Err(Stray::UnknownSpi.into()),
        }
        Ok(())
    }

    /// A stranger's first message has come again.
    pub(super) fn repeat_first_answer(
        &mut self,
        from: Path,
        datagram: &[u8],
        shared: &mut Shared,
    ) -> Result<(), Error> {
        match &self.phase {
            Phase::Accepting(state) if state.message() == datagram => Err(Stray::InProgress.into()),
            Phase::Authenticating(handshake) if handshake.session.peers.message == datagram => {
                let answer = handshake.session.ours.message.clone();
                shared.send(from, &Sent::from([answer]));
                Ok(())
            }
            _ => Err(Stray::OutsideWindow.into()),
        }
    }

    /// Takes the answer to an ask.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        serial: u64,
        answer: Result<AnyAnswer, Deny>,
        cookies: &mut Cookies,
        shared: &mut Shared,
    ) -> Result<(), StaleTicket> {
        if let Phase::Running(running) = &mut self.phase {
            return running.answer(now, self.path, serial, answer.map(|_| ()), shared);
        }
        let ask = self.ask.take_if(|ask| ask.serial == serial).ok_or(StaleTicket)?;
        let answer = match answer {
            Ok(answer) => answer,
            Err(deny) => {
                self.fail(now, Denied::of(ask.name, deny).into(), shared);
                return Ok(());
            }
        };
        match answer {
            AnyAnswer::Accept(acceptance) => self.accept(now, acceptance, cookies, shared),
            answer => {
                let Phase::Authenticating(handshake) = &mut self.phase else {
                    return Err(StaleTicket);
                };
                let from = self.path;
                let mut cx = Context {
                    now,
                    sa: self.id,
                    path: &mut self.path,
                    from,
                    shared,
                    ask: &mut self.ask,
                };
                let step = handshake.answer(&mut cx, answer);
                self.step(now, step, shared);
            }
        }
        Ok(())
    }

    /// What the embedder says about a stranger.
    fn accept(
        &mut self,
        now: Instant,
        acceptance: Acceptance,
        cookies: &mut Cookies,
        shared: &mut Shared,
    ) {
        let Phase::Accepting(state) = core::mem::replace(&mut self.phase, Phase::Gone) else {
            return;
        };
        match acceptance {
            Acceptance::DemandCookie if !state.has_cookie => {
                demand_cookie(now, self.path, state.message(), cookies, shared);
                self.emit_closed(Denied::Ignored.into(), shared);
            }
            Acceptance::Ignore => self.emit_closed(Denied::Ignored.into(), shared),
            Acceptance::Proceed | Acceptance::DemandCookie => {
                let from = self.path;
                let mut cx = Context {
                    now,
                    sa: self.id,
                    path: &mut self.path,
                    from,
                    shared,
                    ask: &mut self.ask,
                };
                match state.accept(&mut cx) {
                    Ok(handshake) => self.phase = Phase::Authenticating(handshake),
                    Err(error) => self.emit_closed(error, shared),
                }
            }
        }
    }

    /// After a state of the handshake has done its part.
    fn step(
        &mut self,
        now: Instant,
        step: Result<Option<Box<Finished>>, Error>,
        shared: &mut Shared,
    ) {
        match step {
            Ok(None) => {}
            Ok(Some(finished)) => self.establish(now, *finished, shared),
            Err(error) => self.fail(now, error, shared),
        }
    }

    fn establish(&mut self, now: Instant, finished: Finished, shared: &mut Shared) {
        let Phase::Authenticating(handshake) = core::mem::replace(&mut self.phase, Phase::Gone)
        else {
            return;
        };
        self.limit = None;
        if let Some(key) = self.stranger.take() {
            shared.strangers.remove(key);
        }
        let session = handshake.session;
        let spi = session.channel.spis().local();
        match Running::new(now, self.id, self.path, session, finished, shared) {
            Ok(running) => self.phase = Phase::Running(Box::new(running)),
            Err(error) => {
                shared.spis.release_ike(spi);
                self.emit_closed(error, shared);
            }
        }
    }

    /// Ends a handshake, and tells the peer as far as it can be told: RFC 7296 section 2.21.
    fn fail(&mut self, now: Instant, error: Error, shared: &mut Shared) {
        self.ask = None;
        self.limit = None;
        match core::mem::replace(&mut self.phase, Phase::Gone) {
            Phase::Initiating(state) => shared.spis.release_ike(state.spi()),
            Phase::Accepting(state) => {
                if matches!(error, Error::Denied(Denied::ByAnswer { .. }))
                    && let Ok(header) = Header::parse(state.message())
                {
                    let kind = NotifyType::NO_PROPOSAL_CHOSEN;
                    strangers::refuse(shared, self.path, &header, kind, &[]);
                }
            }
            Phase::Authenticating(handshake) => {
                let mut session = handshake.session;
                if let Some(spi) = session.child_spi.take() {
                    shared.spis.release_child(spi);
                }
                let spi = session.channel.spis().local();
                if self.say_farewell(now, &mut session.channel, &error, shared) {
                    let lingering = Lingering::new(now, session.channel, shared);
                    self.phase = Phase::Lingering(Box::new(lingering));
                } else {
                    shared.spis.release_ike(spi);
                }
            }
            phase => {
                self.phase = phase;
                return;
            }
        }
        self.emit_closed(error, shared);
    }

    /// Sends the last message of a failed handshake; `true` if the peer may ask for it again.
    fn say_farewell(
        &self,
        now: Instant,
        channel: &mut crate::channel::Channel,
        error: &Error,
        shared: &mut Shared,
    ) -> bool {
        let mut payloads = Payloads::default();
        payloads.extend(error.notify().map(|kind| Payload::Notify(Notify::error(kind))));
        let sent = if channel.in_progress().is_some() {
            channel.respond(&mut *shared.rng, &payloads)
        } else if channel.has_exchanged() && channel.is_idle() && !payloads.is_empty() {
            //= RFC 7296 section 2.21.2: the initiator SHOULD send the notification in a separate
            //= INFORMATIONAL exchange.
            let plan = shared.config.retransmission;
            let exchange = ExchangeType::INFORMATIONAL;
            channel.request(now, &mut *shared.rng, &plan, exchange, &payloads)
        } else {
            return channel.can_repeat();
        };
        match sent {
            Ok(sent) => {
                shared.send(self.path, &sent);
                true
            }
            Err(_) => false,
        }
    }

    fn emit_closed(&mut self, error: Error, shared: &mut Shared) {
        shared.emit(self.id, Event::Closed(CloseReason::Failed(error)));
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant, shared: &mut Shared) {
        if let Some(ask) = self.ask.take_if(|ask| now >= ask.deadline) {
            return self.fail(now, Denied::ByDeadline(ask.name).into(), shared);
        }
        if self.limit.is_some_and(|limit| now >= limit) {
            return self.fail(now, Error::TimedOut(TimedOut::Handshake), shared);
        }
        let path = self.path;
        match &mut self.phase {
            Phase::Initiating(state) => {
                if let Err(error) = state.handle_timeout(now, path, shared) {
                    self.fail(now, error, shared);
                }
            }
            Phase::Authenticating(handshake) => {
                let plan = shared.config.retransmission;
                match handshake.session.channel.repeat(now, &plan) {
                    Ok(Some(sent)) => shared.send(path, &sent),
                    Ok(None) => {}
                    Err(error) => self.fail(now, error, shared),
                }
            }
            Phase::Running(running) => running.handle_timeout(now, path, shared),
            Phase::Lingering(lingering) => {
                if lingering.handle_timeout(now, path, shared) {
                    self.vanish(shared);
                }
            }
            Phase::Accepting(_) | Phase::Gone => {}
        }
    }

    /// Does what the embedder wants.
    pub(super) fn command(
        &mut self,
        now: Instant,
        command: Command,
        shared: &mut Shared,
    ) -> Result<(), CommandError> {
        let path = self.path;
        let Phase::Running(running) = &mut self.phase else {
            return match command {
                Command::Delete | Command::Abandon => {
                    self.give_up(shared);
                    Ok(())
                }
                _ => Err(CommandError::NotEstablished),
            };
        };
        let command = match command {
            Command::Abandon => {
                running.abandon(shared);
                self.vanish(shared);
                return Ok(());
            }
            Command::Delete => established::Command::DeleteIke,
            Command::RekeyIke => established::Command::RekeyIke,
            Command::RekeyChild(child) => established::Command::RekeyChild(child),
            Command::CreateChild(child) => established::Command::CreateChild(Arc::from(child)),
            Command::DeleteChild(child) => established::Command::DeleteChild(child),
            Command::CheckLiveness => established::Command::CheckLiveness,
        };
        running.start(now, path, command, shared)
    }

    /// Drops a handshake that the embedder lost interest in.
    fn give_up(&mut self, shared: &mut Shared) {
        if !matches!(self.phase, Phase::Lingering(_) | Phase::Gone) {
            shared.emit(self.id, Event::Closed(CloseReason::ByUs));
            self.vanish(shared);
        }
    }

    fn vanish(&mut self, shared: &mut Shared) {
        self.release(shared);
        self.phase = Phase::Gone;
    }

    pub(super) fn note_heard(&mut self, now: Instant) {
        if let Phase::Running(running) = &mut self.phase {
            running.note_heard(now);
        }
    }

    /// Gives back everything that was taken from the endpoint.
    pub(super) fn release(&mut self, shared: &mut Shared) {
        if let Some(key) = self.stranger.take() {
            shared.strangers.remove(key);
        }
        match &mut self.phase {
            Phase::Initiating(state) => shared.spis.release_ike(state.spi()),
            Phase::Authenticating(handshake) => {
                shared.spis.release_ike(handshake.session.channel.spis().local());
                if let Some(spi) = handshake.session.child_spi.take() {
                    shared.spis.release_child(spi);
                }
            }
            Phase::Running(running) => running.release(shared),
            Phase::Lingering(lingering) => shared.spis.release_ike(lingering.spi()),
            Phase::Accepting(_) | Phase::Gone => {}
        }
    }
}

fn demand_cookie(
    now: Instant,
    path: Path,
    message: &[u8],
    cookies: &mut Cookies,
    shared: &mut Shared,
) {
    let Ok(message) = Message::parse(message) else { return };
    let Some(nonce) = message.payloads.nonce() else { return };
    let initiator_spi = message.header.initiator_spi;
    let claim = Claim { initiator_spi, address: path.remote.ip(), nonce: &nonce.0 };
    // Without randomness there is no cookie, and the stranger will ask again.
    let _ = strangers::demand_cookie(cookies, now, path, &message.header, &claim, shared);
}
