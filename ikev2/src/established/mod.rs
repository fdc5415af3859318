//! An IKE SA after its handshake, as a set of small independent machines over decrypted messages.
//!
//! [`Established`] owns what outlives a rekey of the IKE SA: its children and what is still to be done.
//! Each IKE SA in it (one, and for the time of a rekey two or three) has at most one request outstanding
//! ([`Exchange`]) and at most one request of the peer in progress; the two do not wait for each other. One
//! file holds each exchange, and [`collision`] holds what happens when two of them meet.
//!
//! Feed [`handle_request`](Established::handle_request), [`handle_response`](Established::handle_response),
//! [`installed`](Established::installed), [`start`](Established::start) and
//! [`handle_timeout`](Established::handle_timeout); then drain
//! [`poll_output`](Established::poll_output). Message IDs, retransmission, encryption and fragments are the
//! channel's business.

mod children;
mod collision;
mod create_child;
mod delete;
mod liveness;
mod rekey_ike;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use adit_platform::rng::RngError;
use adit_platform::{Instant, Provider, Rng};

use crate::channel::Spis;
use crate::child::{ChildId, ChildSa};
use crate::config::{ChildConfig, Lifetime};
use crate::error::{Error, Misbehaviour, TimedOut};
use crate::event::{CloseReason, Event};
use crate::keys::{Protector, SkD};
use crate::negotiate::IkeProposal;
use crate::wire::{ExchangeType, IkeSpi, Notify, NotifyType, Payload, Payloads};

use children::Children;
use create_child::{CreateChild, Installing};
use rekey_ike::RekeyIke;

/// How long after TEMPORARY_FAILURE an operation is tried again, before the random part of up to as much
/// again. RFC 7296 section 2.25 forbids an immediate retry and allows several over some minutes.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// How often an operation is tried in all while the peer answers TEMPORARY_FAILURE: "several minutes" of
/// RFC 7296 section 2.25, at 5 to 10 s each.
const MAX_ATTEMPTS: u8 = 24;

/// How long a replaced SA is kept for the peer to delete before we delete it ourselves. Longer than a peer
/// goes on retransmitting, so that only a peer that forgot is overtaken.
const REPLACED_TIMEOUT: Duration = Duration::from_secs(180);

/// Children that one IKE SA can have, those that are being replaced included, unless configured.
pub(crate) const MAX_CHILDREN: usize = 64;

/// Length of our nonces: half of the longest PRF key at least (RFC 7296 section 2.10).
const NONCE_LEN: usize = 32;

/// What the endpoint lends to its SAs.
pub(crate) trait Host {
    /// The algorithms.
    fn provider(&self) -> &Provider;
    /// The random source.
    fn rng(&mut self) -> &mut dyn Rng;
    /// A fresh SPI for an IKE SA of this connection.
    fn new_ike_spi(&mut self) -> Result<IkeSpi, RngError>;
    /// Gives back an SPI of an IKE SA that did not come about.
    fn release_ike_spi(&mut self, spi: IkeSpi);
    /// A fresh inbound SPI for an ESP SA.
    fn new_child_spi(&mut self) -> Result<u32, RngError>;
    /// Gives back an inbound SPI.
    fn release_child_spi(&mut self, spi: u32);
    /// Whether the keys of new IKE SAs are to be logged.
    fn key_log(&self) -> bool;
}

/// What both ends agreed on and what we allow from here on.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// For rekeys of the IKE SA.
    pub(crate) ike_proposals: Vec<IkeProposal>,
    /// When the IKE SA is rekeyed and ends.
    pub(crate) ike_lifetime: Lifetime,
    /// What children the peer may create, if any.
    pub(crate) child: Option<Arc<ChildConfig>>,
    /// Whether ESP is carried in UDP.
    pub(crate) udp_encapsulation: bool,
}

/// Something to be done.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Close the IKE SA and all its children.
    DeleteIke,
    /// Close one child.
    DeleteChild(ChildId),
    /// Replace the IKE SA.
    RekeyIke,
    /// Replace one child.
    RekeyChild(ChildId),
    /// Create one more child.
    CreateChild(Arc<ChildConfig>),
    /// See whether the peer lives.
    CheckLiveness,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Output {
    /// Send this request through the channel of the IKE SA with our SPI `sa`.
    Request { sa: IkeSpi, exchange: ExchangeType, payloads: Payloads<'static> },
    /// Send this response to the request in progress on the IKE SA with our SPI `sa`.
    Respond { sa: IkeSpi, payloads: Payloads<'static> },
    /// Open a channel for a new IKE SA, both of whose Message IDs begin at 0.
    NewIkeSa { spis: Spis, protector: Protector, key_log: Option<String> },
    /// The IKE SA with our SPI `sa` is no more. Its last response may still be asked for again.
    Retire { sa: IkeSpi },
    /// Have this child installed, then call [`Established::installed`].
    Install(ChildSa),
    /// Tell the embedder.
    Event(Event),
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Established {
    policy: Policy,
    /// The IKE SAs, oldest first.
    sas: Vec<IkeSa>,
    children: Children,
    tasks: VecDeque<Task>,
    outputs: VecDeque<Output>,
    /// Children that the embedder was asked to install, and what follows when it has.
    installing: Vec<Installing>,
    /// The connection has ended for the embedder; SAs that remain say goodbye to the peer.
    is_closed: bool,
}

/// One IKE SA.
#[derive(Debug)]
struct IkeSa {
    spis: Spis,
    keys: SkD,
    role: SaRole,
    /// Our request that has no response yet.
    outstanding: Option<Exchange>,
    /// When it is to be rekeyed and when it ends.
    soft: Option<Instant>,
    hard: Option<Instant>,
}

/// The part that an IKE SA plays among those of the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum SaRole {
    /// New requests go through this one.
    Current,
    /// The peer rekeyed into this one while our own rekey is under way; which survives is not known yet.
    Candidate,
    /// A successor has taken over; whoever initiated that deletes this one.
    Replaced,
    /// We are to delete it, or are doing so.
    Deleting,
}

/// Our request that waits for its response.
#[derive(Debug)]
enum Exchange {
    Liveness,
    DeleteIke,
    DeleteChildren(Vec<ChildId>),
    CreateChild(alloc::boxed::Box<CreateChild>),
    RekeyIke(alloc::boxed::Box<RekeyIke>),
}

/// Something that waits for the window of the current IKE SA, or for its time.
#[derive(Debug)]
struct Task {
    command: Command,
    not_before: Option<Instant>,
    /// How often it was tried before.
    attempts: u8,
}

impl Task {
    fn new(command: Command) -> Self {
        Self { command, not_before: None, attempts: 0 }
    }
}

impl Established {
    /// The state after IKE_AUTH, without children.
    pub(crate) fn new(
        now: Instant,
        host: &mut dyn Host,
        policy: Policy,
        spis: Spis,
        keys: SkD,
    ) -> Result<Self, RngError> {
        let mut established = Self {
            policy,
            sas: Vec::new(),
            children: Children::default(),
            tasks: VecDeque::new(),
            outputs: VecDeque::new(),
            installing: Vec::new(),
            is_closed: false,
        };
        established.add_sa(now, host, spis, keys, SaRole::Current)?;
        Ok(established)
    }

    /// The name that the next child gets.
    pub(crate) fn next_child_id(&mut self) -> ChildId {
        self.children.next_id()
    }

    /// Takes over a child that the handshake created and had installed.
    pub(crate) fn add_child(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        child: &ChildSa,
        config: Arc<ChildConfig>,
    ) -> Result<(), RngError> {
        self.children.add_installed(now, host.rng(), child, config)
    }

    /// True once nothing is left to do or to answer.
    pub(crate) fn is_gone(&self) -> bool {
        self.sas.is_empty()
    }

    /// True after [`Event::Closed`].
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// True if there is such a child, and it is not about to go.
    pub(crate) fn has_child(&self, id: ChildId) -> bool {
        self.children.get(id).is_some_and(|child| child.is_up())
    }

    /// Our SPI of the IKE SA that requests go through.
    pub(crate) fn current(&self) -> Option<IkeSpi> {
        self.sas.iter().find(|sa| sa.role == SaRole::Current).map(|sa| sa.spis.local())
    }

    /// Our inbound SPIs, to be released with the connection.
    pub(crate) fn child_spis(&self) -> impl Iterator<Item = u32> + '_ {
        self.children.iter().map(|child| child.spi_in)
    }

    /// Does something as soon as the window of the IKE SA allows.
    pub(crate) fn start(&mut self, now: Instant, host: &mut dyn Host, command: Command) {
        match command {
            Command::DeleteIke => self.close(CloseReason::ByUs, true),
            // A check that waits already answers this one too.
            Command::CheckLiveness if self.is_probing() => {}
            command => self.tasks.push_back(Task::new(command)),
        }
        self.pump(now, host);
    }

    /// What is to be done, in this order; nothing when all is done.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let sas = self.sas.iter().flat_map(|sa| [sa.soft, sa.hard]).flatten();
        let tasks = self.tasks.iter().filter_map(|task| task.not_before);
        sas.chain(tasks).chain(self.children.deadlines()).min()
    }

    /// Acts on whatever deadline has come.
    pub(crate) fn handle_timeout(&mut self, now: Instant, host: &mut dyn Host) {
        let due = |deadline: &mut Option<Instant>| deadline.take_if(|at| now >= *at).is_some();
        let mut overdue = Vec::new();
        for sa in &mut self.sas {
            match sa.role {
                SaRole::Current => {
                    if due(&mut sa.hard) {
                        overdue.push(sa.spis.local());
                    } else if due(&mut sa.soft) {
                        self.tasks.push_back(Task::new(Command::RekeyIke));
                    }
                }
                // The peer should have deleted it long ago.
                _ => {
                    sa.soft = None;
                    if due(&mut sa.hard) {
                        sa.role = SaRole::Deleting;
                    }
                }
            }
        }
        if !overdue.is_empty() {
            self.close(CloseReason::Failed(Error::TimedOut(TimedOut::Lifetime)), true);
        }
        for (child, is_end) in self.children.take_due(now) {
            if is_end {
                let reason = CloseReason::Failed(Error::TimedOut(TimedOut::Lifetime));
                self.delete_child_next(child, reason);
            } else {
                self.tasks.push_back(Task::new(Command::RekeyChild(child)));
            }
        }
        for task in &mut self.tasks {
            due(&mut task.not_before);
        }
        self.pump(now, host);
    }

    /// A request of the peer on the IKE SA with our SPI `sa`, authentic and in its window.
    ///
    /// An [`Output::Respond`] follows: at once, or, if a child is to be installed first, after
    /// [`installed`](Self::installed).
    pub(crate) fn handle_request(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        sa: IkeSpi,
        exchange: ExchangeType,
        payloads: &Payloads<'_>,
    ) {
        let outcome = match exchange {
            ExchangeType::INFORMATIONAL => self.informational_request(now, host, sa, payloads),
            ExchangeType::CREATE_CHILD_SA => self.create_child_sa_request(now, host, sa, payloads),
            other => Err(Misbehaviour::UnexpectedExchange(other).into()),
        };
        if let Err(error) = outcome {
            self.fatal_request(sa, error);
        }
        self.pump(now, host);
    }

    /// A request that is authentic, but cannot be read.
    pub(crate) fn handle_malformed_request(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        sa: IkeSpi,
        error: Error,
    ) {
        if let Error::Misbehaved(Misbehaviour::UnsupportedCriticalPayload(payload_type)) = error {
            //= RFC 7296 section 2.5: the Notification Data contains the one-octet payload type.
            let notify = NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD;
            self.respond_error_with(sa, notify, &[payload_type.0]);
        } else {
            self.fatal_request(sa, error);
        }
        self.pump(now, host);
    }

    /// The response to our request on the IKE SA with our SPI `sa`; or what was wrong with it.
    pub(crate) fn handle_response(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        sa: IkeSpi,
        payloads: Result<&Payloads<'_>, Error>,
    ) {
        let Some(exchange) = self.sa_mut(sa).and_then(|sa| sa.outstanding.take()) else { return };
        let payloads = match payloads {
            Ok(payloads) => payloads,
            // Both ends now disagree about what exists: RFC 7296 section 2.21.3.
            Err(error) => {
                self.abort(host, exchange);
                self.close(CloseReason::Failed(error), true);
                return self.pump(now, host);
            }
        };
        //= RFC 7296 section 2.21.3: INVALID_SYNTAX is considered fatal in both peers.
        if payloads.notify(NotifyType::INVALID_SYNTAX).is_some() {
            self.abort(host, exchange);
            let error = Error::RefusedByPeer(NotifyType::INVALID_SYNTAX);
            self.close(CloseReason::Failed(error), false);
            return self.pump(now, host);
        }
        match exchange {
            Exchange::CreateChild(_) | Exchange::RekeyIke(_) if self.is_closed => {
                self.abort(host, exchange);
            }
            Exchange::Liveness => self.emit(Event::Alive),
            Exchange::DeleteIke => self.retire(sa),
            Exchange::DeleteChildren(children) => self.children_deleted(host, &children),
            Exchange::CreateChild(exchange) => {
                self.create_child_response(now, host, sa, *exchange, payloads);
            }
            Exchange::RekeyIke(exchange) => {
                self.rekey_ike_response(now, host, sa, *exchange, payloads);
            }
        }
        self.pump(now, host);
    }

    /// The request on the IKE SA with our SPI `sa` could not be sent or found no answer.
    pub(crate) fn handle_request_failed(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        sa: IkeSpi,
        error: Error,
    ) {
        let Some(ike_sa) = self.sa_mut(sa) else { return };
        let exchange = ike_sa.outstanding.take();
        let role = ike_sa.role;
        if let Some(exchange) = exchange {
            self.abort(host, exchange);
        }
        if role == SaRole::Current && !self.is_closed {
            self.close(CloseReason::Failed(error), false);
        } else {
            self.retire(sa);
        }
        self.pump(now, host);
    }

    /// The answer to [`Output::Install`].
    pub(crate) fn installed(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        child: ChildId,
        result: Result<(), Error>,
    ) {
        self.child_installed(now, host, child, result);
        self.pump(now, host);
    }

    /// Sends whatever the windows allow.
    fn pump(&mut self, now: Instant, host: &mut dyn Host) {
        for index in 0..self.sas.len() {
            if let Some(sa) = self.sas.get(index)
                && sa.role == SaRole::Deleting
                && sa.outstanding.is_none()
            {
                self.send_delete_ike(index);
            }
        }
        while let Some(sa) = self.idle_current() {
            let Some(task) = self.next_task() else { break };
            if let Err(error) = self.start_task(now, host, sa, task) {
                self.close(CloseReason::Failed(error), false);
                break;
            }
        }
    }

    /// The current IKE SA, if it has no request outstanding.
    fn idle_current(&self) -> Option<IkeSpi> {
        let sa = self.sas.iter().find(|sa| sa.role == SaRole::Current)?;
        // While a candidate waits, the rekey that decides about it is outstanding.
        sa.outstanding.is_none().then(|| sa.spis.local())
    }

    /// The first task whose time has come. A task that waits does not hold up others.
    fn next_task(&mut self) -> Option<Task> {
        let index = self.tasks.iter().position(|task| task.not_before.is_none())?;
        self.tasks.remove(index)
    }

    /// Sends the request of a task, or drops the task if it has become pointless.
    fn start_task(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        sa: IkeSpi,
        task: Task,
    ) -> Result<(), Error> {
        match &task.command {
            Command::DeleteIke => self.close(CloseReason::ByUs, true),
            Command::CheckLiveness => self.send_liveness(sa),
            Command::DeleteChild(child) => self.send_delete_child(sa, *child),
            Command::RekeyChild(_) | Command::CreateChild(_) => {
                self.start_create_child(host, sa, &task)?;
            }
            Command::RekeyIke => self.start_rekey_ike(now, host, sa, &task)?,
        }
        Ok(())
    }

    /// Tries again after TEMPORARY_FAILURE.
    //= RFC 7296 section 2.25: it MUST NOT immediately retry the operation; it MUST wait.
    fn retry_later(&mut self, now: Instant, host: &mut dyn Host, command: Command, attempts: u8) {
        let mut random = [0];
        if attempts >= MAX_ATTEMPTS || host.rng().fill(&mut random).is_err() {
            //= RFC 7296 section 2.25: it SHOULD conclude that the state information is out of sync and
            //= close the IKE SA.
            let error = Error::RefusedByPeer(NotifyType::TEMPORARY_FAILURE);
            return self.close(CloseReason::Failed(error), true);
        }
        let [random] = random;
        let wait = RETRY_DELAY + RETRY_DELAY * u32::from(random) / 256;
        self.tasks.push_back(Task { command, not_before: Some(now + wait), attempts });
    }

    /// Ends the connection for the embedder. With `tell_peer`, the current IKE SA is deleted in an
    /// exchange first; without, all is dropped.
    fn close(&mut self, reason: CloseReason, tell_peer: bool) {
        self.tasks.clear();
        if !self.is_closed {
            for child in self.children.iter().filter(|child| child.is_known()) {
                let (child, reason) = (child.id, reason.clone());
                self.outputs.push_back(Output::Event(Event::ChildClosed { child, reason }));
            }
            self.emit(Event::Closed(reason));
            self.is_closed = true;
        }
        for sa in core::mem::take(&mut self.sas) {
            if tell_peer && matches!(sa.role, SaRole::Current | SaRole::Deleting) {
                self.sas.push(IkeSa { role: SaRole::Deleting, soft: None, hard: None, ..sa });
            } else {
                self.outputs.push_back(Output::Retire { sa: sa.spis.local() });
            }
        }
    }

    /// Gives back what a request of ours that will have no response has set aside.
    fn abort(&mut self, host: &mut dyn Host, exchange: Exchange) {
        match exchange {
            Exchange::CreateChild(exchange) => host.release_child_spi(exchange.spi_in),
            Exchange::RekeyIke(exchange) => host.release_ike_spi(exchange.spi),
            Exchange::Liveness | Exchange::DeleteIke | Exchange::DeleteChildren(_) => {}
        }
    }

    /// Answers a request that breaks the protocol.
    //= RFC 7296 section 2.21.3: INVALID_SYNTAX is fatal in both peers, meaning that the IKE SA is deleted
    //= without needing an explicit INFORMATIONAL exchange.
    fn fatal_request(&mut self, sa: IkeSpi, error: Error) {
        self.respond_error(sa, error.notify().unwrap_or(NotifyType::INVALID_SYNTAX));
        match self.sa(sa).map(|sa| sa.role) {
            Some(SaRole::Current) => self.close(CloseReason::Failed(error), false),
            _ => self.retire(sa),
        }
    }

    fn add_sa(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        spis: Spis,
        keys: SkD,
        role: SaRole,
    ) -> Result<(), RngError> {
        let (soft, hard) = deadlines(now, host.rng(), &self.policy.ike_lifetime)?;
        self.sas.push(IkeSa { spis, keys, role, outstanding: None, soft, hard });
        Ok(())
    }

    /// Forgets an IKE SA.
    fn retire(&mut self, spi: IkeSpi) {
        let before = self.sas.len();
        self.sas.retain(|sa| sa.spis.local() != spi);
        if self.sas.len() != before {
            self.outputs.push_back(Output::Retire { sa: spi });
        }
    }

    fn sa(&self, spi: IkeSpi) -> Option<&IkeSa> {
        self.sas.iter().find(|sa| sa.spis.local() == spi)
    }

    fn sa_mut(&mut self, spi: IkeSpi) -> Option<&mut IkeSa> {
        self.sas.iter_mut().find(|sa| sa.spis.local() == spi)
    }

    /// Tells the embedder; nothing more after it was told of the end.
    fn emit(&mut self, event: Event) {
        if !self.is_closed {
            self.outputs.push_back(Output::Event(event));
        }
    }

    fn request(
        &mut self,
        sa: IkeSpi,
        exchange_type: ExchangeType,
        payloads: Payloads<'static>,
        exchange: Exchange,
    ) {
        if let Some(ike_sa) = self.sa_mut(sa) {
            ike_sa.outstanding = Some(exchange);
            self.outputs.push_back(Output::Request { sa, exchange: exchange_type, payloads });
        }
    }

    fn respond(&mut self, sa: IkeSpi, payloads: Vec<Payload<'static>>) {
        self.outputs.push_back(Output::Respond { sa, payloads: payloads.into() });
    }

    fn respond_error(&mut self, sa: IkeSpi, notify_type: NotifyType) {
        self.respond(sa, [Payload::Notify(Notify::error(notify_type))].into());
    }

    fn respond_error_with(&mut self, sa: IkeSpi, notify_type: NotifyType, data: &[u8]) {
        let notify = Notify::status(notify_type, data).into_owned();
        self.respond(sa, [Payload::Notify(notify)].into());
    }
}

/// When something with this lifetime is to be renewed and when it ends.
fn deadlines(
    now: Instant,
    rng: &mut dyn Rng,
    lifetime: &Lifetime,
) -> Result<(Option<Instant>, Option<Instant>), RngError> {
    let mut random = [0; 4];
    if lifetime.soft.is_some() && !lifetime.jitter.is_zero() {
        rng.fill(&mut random)?;
    }
    //= RFC 7296 section 2.8.1: the timing of rekeying requests SHOULD be jittered.
    let fraction = f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX);
    let earlier = lifetime.jitter.mul_f64(fraction);
    let soft = lifetime.soft.map(|soft| now + soft.saturating_sub(earlier));
    Ok((soft, lifetime.hard.map(|hard| now + hard)))
}

/// A fresh nonce.
fn nonce(rng: &mut dyn Rng) -> Result<Vec<u8>, RngError> {
    let mut nonce = alloc::vec![0; NONCE_LEN];
    rng.fill(&mut nonce)?;
    Ok(nonce)
}
