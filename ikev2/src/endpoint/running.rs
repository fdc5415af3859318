//! An established connection: its IKE SAs with their channels, between the machines of
//! [`established`](crate::established) and the network.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use adit_platform::rng::RngError;
use adit_platform::{Instant, Provider, Rng};

use super::lingering::Lingering;
use super::{OpenAsk, Shared};
use crate::ask::{Ask, Deny};
use crate::channel::{Channel, Received};
use crate::child::{ChildId, ChildSa};
use crate::config::{ChildConfig, PeerConfig};
use crate::error::{CommandError, Denied, Error, StaleTicket, Stray};
use crate::established::{self, Command, Established, Host, Output};
use crate::event::{CloseReason, Event, Nat};
use crate::handshake::{Finished, FirstChild, Session};
use crate::keys::Nonces;
use crate::path::{Path, SaId};
use crate::wire::{ExchangeType, Header, IkeSpi, Notify, NotifyType, Payload, Payloads};

/// See the [module](self).
pub(super) struct Running {
    id: SaId,
    config: Arc<PeerConfig>,
    established: Established,
    channels: Vec<Channel>,
    lingering: Vec<Lingering>,
    /// Children that wait to be installed.
    installs: Vec<Install>,
    /// The child of IKE_AUTH, while it waits for that.
    first: Option<Box<First>>,
    /// The child of IKE_AUTH, if it was not: the peer has to be told, and nobody else.
    never_installed: Option<ChildId>,
    fragment_size: Option<usize>,
    nat: Nat,
    last_heard: Instant,
    /// When the last liveness check was begun.
    last_check: Option<Instant>,
    keepalive: Option<Instant>,
}

/// A child of a later exchange that waits to be installed.
struct Install {
    ask: OpenAsk,
    child: ChildId,
}

/// The child of IKE_AUTH, waiting to be installed, and the response that is held back for it.
struct First {
    ask: OpenAsk,
    /// The child without its keys.
    record: ChildSa,
    policy: Arc<ChildConfig>,
    response: Option<Payloads<'static>>,
}

/// What an established connection borrows of its endpoint.
struct Lent<'a> {
    shared: &'a mut Shared,
    owner: SaId,
}

impl Host for Lent<'_> {
    fn provider(&self) -> &Provider {
        &self.shared.provider
    }

    fn rng(&mut self) -> &mut dyn Rng {
        &mut *self.shared.rng
    }

    fn new_ike_spi(&mut self) -> Result<IkeSpi, RngError> {
        self.shared.spis.new_ike(&mut *self.shared.rng, self.owner)
    }

    fn release_ike_spi(&mut self, spi: IkeSpi) {
        self.shared.spis.release_ike(spi);
    }

    fn new_child_spi(&mut self) -> Result<u32, RngError> {
        self.shared.spis.new_child(&mut *self.shared.rng)
    }

    fn release_child_spi(&mut self, spi: u32) {
        self.shared.spis.release_child(spi);
    }

    fn key_log(&self) -> bool {
        self.shared.key_log
    }
}

impl Running {
    /// Takes over from the handshake.
    pub(super) fn new(
        now: Instant,
        id: SaId,
        path: Path,
        session: Session,
        finished: Finished,
        shared: &mut Shared,
    ) -> Result<Self, Error> {
        let Finished { peer, config, configuration, initial_contact, child, response } = finished;
        let spis = session.channel.spis();
        let local_id = config.local_id.clone();
        let nat = session.nat;
        shared.emit(
            id,
            Event::Established(Box::new(crate::event::Established {
                peer,
                local_id,
                path,
                nat,
                configuration,
                initial_contact,
            })),
        );
        let (negotiated, policy) = match child {
            FirstChild::Created(negotiated) => {
                let policy = negotiated.policy.clone();
                (Some(negotiated), Some(policy))
            }
            FirstChild::Failed(error, policy) => {
                shared.emit(id, Event::ChildFailed(error));
                (None, policy.map(Arc::from))
            }
            FirstChild::None(policy) => (None, policy.map(Arc::from)),
        };
        let udp_encapsulation = session.encapsulate;
        let policy = established::Policy {
            ike_proposals: config.proposals.clone(),
            ike_lifetime: config.lifetime,
            child: policy,
            udp_encapsulation,
        };
        let Session { channel, keys, ours, peers, child_spi, .. } = session;
        if let (None, Some(spi)) = (&negotiated, child_spi) {
            shared.spis.release_child(spi);
        }
        let sk_d = keys.into_sk_d();
        let nonces = if spis.we_initiated {
            Nonces { initiator: &ours.nonce, responder: &peers.nonce }
        } else {
            Nonces { initiator: &peers.nonce, responder: &ours.nonce }
        };
        let keyed = negotiated
            .map(|child| child.key(&sk_d, nonces, spis.we_initiated, udp_encapsulation))
            .transpose()?;
        let fragment_size = channel.fragment_size();
        let mut lent = Lent { shared, owner: id };
        let established = Established::new(now, &mut lent, policy, spis, sk_d)?;
        let keepalive = nat.local.then(|| now + config.nat_keepalive_interval);
        let mut running = Self {
            id,
            config,
            established,
            channels: Vec::from([channel]),
            lingering: Vec::new(),
            installs: Vec::new(),
            first: None,
            never_installed: None,
            fragment_size,
            nat,
            last_heard: now,
            last_check: None,
            keepalive,
        };
        match (keyed, response) {
            (Some((child, policy)), response) => {
                running.install_first(now, child, policy, response, shared);
            }
            (None, Some(response)) => running.respond(path, spis.local(), &response, shared)?,
            (None, None) => {}
        }
        Ok(running)
    }

    fn install_first(
        &mut self,
        now: Instant,
        child: ChildSa,
        policy: Arc<ChildConfig>,
        response: Option<Payloads<'static>>,
        shared: &mut Shared,
    ) {
        let child = ChildSa { id: self.established.next_child_id(), ..child };
        let record = child.without_keys();
        let child = Box::new(child);
        let ask = shared.ask(now, self.id, |ticket| Ask::Install { child, ticket });
        self.first = Some(Box::new(First { ask, record, policy, response }));
    }

    /// Takes a datagram with our SPI of any of its IKE SAs.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        path: &mut Path,
        from: Path,
        header: &Header,
        datagram: &mut [u8],
        shared: &mut Shared,
    ) -> Result<(), Error> {
        let ours = if header.flags.initiator { header.responder_spi } else { header.initiator_spi };
        if let Some(at) = self.lingering.iter().position(|it| it.spi() == ours) {
            let lingering = self.lingering.get_mut(at).ok_or(Stray::UnknownSpi)?;
            if lingering.receive(from, datagram, shared)? {
                self.drop_lingering(at, shared);
            }
            return Ok(());
        }
        let channel = self
            .channels
            .iter_mut()
            .find(|channel| channel.spis().local() == ours)
            .ok_or(Stray::UnknownSpi)?;
        let message = match channel.receive(datagram)? {
            Received::Repeat(sent) => {
                shared.send(from, &sent);
                return Ok(());
            }
            Received::Message(message) => message,
        };
        self.last_heard = now;
        //= RFC 7296 section 2.23: a host that is not behind a NAT should follow the address of authentic
        //= packets; there is no other reason than a NAT in front of the peer for it to change.
        if from != *path && self.nat.remote {
            *path = from;
            shared.emit(self.id, Event::PathChanged(from));
        }
        let mut lent = Lent { shared, owner: self.id };
        match (message.is_response, message.payloads()) {
            (true, Ok(payloads)) => {
                self.established.handle_response(now, &mut lent, ours, Ok(&payloads));
            }
            (true, Err(error)) => {
                self.established.handle_response(now, &mut lent, ours, Err(error));
            }
            (false, Ok(payloads)) => {
                let exchange = message.exchange;
                self.established.handle_request(now, &mut lent, ours, exchange, &payloads);
            }
            (false, Err(error)) => {
                self.established.handle_malformed_request(now, &mut lent, ours, error);
            }
        }
        self.drain(now, *path, shared);
        Ok(())
    }

    /// Does whatever the machines want done.
    fn drain(&mut self, now: Instant, path: Path, shared: &mut Shared) {
        while let Some(output) = self.established.poll_output() {
            match output {
                Output::Request { sa, exchange, payloads } => {
                    if let Err(error) = self.request(now, path, sa, exchange, &payloads, shared) {
                        let mut lent = Lent { shared, owner: self.id };
                        self.established.handle_request_failed(now, &mut lent, sa, error);
                    }
                }
                Output::Respond { sa, payloads } => {
                    // What cannot be sent is asked for again, and answered as in progress, until the
                    // peer gives up.
                    let _ = self.respond(path, sa, &payloads, shared);
                }
                Output::NewIkeSa { spis, protector, key_log } => {
                    if let Some(line) = key_log {
                        shared.emit(self.id, Event::KeyLog(line));
                    }
                    let ids = (0, 0);
                    let channel = Channel::new(spis, protector, self.fragment_size, ids);
                    self.channels.push(channel);
                }
                Output::Retire { sa } => self.retire(now, sa, shared),
                Output::Install(child) => {
                    let id = child.id;
                    let child = Box::new(child);
                    let ask = shared.ask(now, self.id, |ticket| Ask::Install { child, ticket });
                    self.installs.push(Install { ask, child: id });
                }
                Output::Event(Event::ChildClosed { child, .. })
                    if self.never_installed == Some(child) => {}
                Output::Event(event) => shared.emit(self.id, event),
            }
        }
    }

    fn request(
        &mut self,
        now: Instant,
        path: Path,
        sa: IkeSpi,
        exchange: ExchangeType,
        payloads: &Payloads<'_>,
        shared: &mut Shared,
    ) -> Result<(), Error> {
        let channel = self.channel(sa).ok_or(Stray::UnknownSpi)?;
        let plan = shared.config.retransmission;
        let sent = channel.request(now, &mut *shared.rng, &plan, exchange, payloads)?;
        shared.send(path, &sent);
        Ok(())
    }

    fn respond(
        &mut self,
        path: Path,
        sa: IkeSpi,
        payloads: &Payloads<'_>,
        shared: &mut Shared,
    ) -> Result<(), Error> {
        let channel = self.channel(sa).ok_or(Stray::UnknownSpi)?;
        let sent = channel.respond(&mut *shared.rng, payloads)?;
        shared.send(path, &sent);
        Ok(())
    }

    fn channel(&mut self, sa: IkeSpi) -> Option<&mut Channel> {
        self.channels.iter_mut().find(|channel| channel.spis().local() == sa)
    }

    fn retire(&mut self, now: Instant, sa: IkeSpi, shared: &mut Shared) {
        let Some(at) = self.channels.iter().position(|it| it.spis().local() == sa) else { return };
        let mut channel = self.channels.swap_remove(at);
        channel.forget_request();
        if channel.can_repeat() {
            self.lingering.push(Lingering::new(now, channel, shared));
        } else {
            shared.spis.release_ike(sa);
        }
    }

    fn drop_lingering(&mut self, at: usize, shared: &mut Shared) {
        if at < self.lingering.len() {
            shared.spis.release_ike(self.lingering.swap_remove(at).spi());
        }
    }

    /// The answer to an [`Ask::Install`].
    pub(super) fn answer(
        &mut self,
        now: Instant,
        path: Path,
        serial: u64,
        answer: Result<(), Deny>,
        shared: &mut Shared,
    ) -> Result<(), StaleTicket> {
        let answer = answer.map_err(|deny| Denied::of("Install", deny).into());
        if let Some(first) = self.first.take_if(|first| first.ask.serial == serial) {
            self.first_installed(now, path, *first, answer, shared);
            return Ok(());
        }
        let at = self.installs.iter().position(|it| it.ask.serial == serial).ok_or(StaleTicket)?;
        let install = self.installs.swap_remove(at);
        let mut lent = Lent { shared, owner: self.id };
        self.established.installed(now, &mut lent, install.child, answer);
        self.drain(now, path, shared);
        Ok(())
    }

    fn first_installed(
        &mut self,
        now: Instant,
        path: Path,
        first: First,
        outcome: Result<(), Error>,
        shared: &mut Shared,
    ) {
        let First { record, policy, response, .. } = first;
        let (child, spi_in) = (record.id, record.spi_in);
        let sa = self.established.current();
        let is_responder = response.is_some();
        let response = match &outcome {
            Ok(()) => response,
            Err(_) => response.map(without_child),
        };
        if let (Some(sa), Some(response)) = (sa, response)
            && let Err(error) = self.respond(path, sa, &response, shared)
        {
            let mut lent = Lent { shared, owner: self.id };
            self.established.handle_request_failed(now, &mut lent, sa, error);
            return self.drain(now, path, shared);
        }
        let failed = outcome.is_err();
        if let Err(error) = outcome {
            shared.emit(self.id, Event::ChildFailed(error));
        }
        if failed && is_responder {
            shared.spis.release_child(spi_in);
            return;
        }
        let mut lent = Lent { shared, owner: self.id };
        let added = self.established.add_child(now, &mut lent, &record, policy);
        if failed || added.is_err() {
            // The peer believes that it has a child.
            self.never_installed = Some(child);
            self.established.start(now, &mut lent, Command::DeleteChild(child));
        } else {
            shared.emit(self.id, Event::ChildEstablished { child, replaces: None });
        }
        self.drain(now, path, shared);
    }

    /// Starts an exchange.
    pub(super) fn start(
        &mut self,
        now: Instant,
        path: Path,
        command: Command,
        shared: &mut Shared,
    ) -> Result<(), CommandError> {
        if self.established.is_closed() {
            return Err(CommandError::NotEstablished);
        }
        if let Command::RekeyChild(child) | Command::DeleteChild(child) = &command
            && !self.established.has_child(*child)
        {
            return Err(CommandError::UnknownChild);
        }
        let mut lent = Lent { shared, owner: self.id };
        self.established.start(now, &mut lent, command);
        self.drain(now, path, shared);
        Ok(())
    }

    /// Something of the peer came that was authentic.
    pub(super) fn note_heard(&mut self, now: Instant) {
        self.last_heard = self.last_heard.max(now);
    }

    /// When a liveness check is due.
    fn check_due(&self) -> Option<Instant> {
        if self.established.is_closed() {
            return None;
        }
        let since = self.last_check.map_or(self.last_heard, |check| check.max(self.last_heard));
        Some(since + self.config.liveness_interval?)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let channels = self.channels.iter().filter_map(Channel::deadline);
        let lingering = self.lingering.iter().map(Lingering::deadline);
        let installs = self.installs.iter().map(|install| install.ask.deadline);
        let first = self.first.iter().map(|first| first.ask.deadline);
        let rest = [self.established.poll_timeout(), self.check_due(), self.keepalive];
        let rest = rest.into_iter().flatten();
        channels.chain(lingering).chain(installs).chain(first).chain(rest).min()
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, path: Path, shared: &mut Shared) {
        self.repeat_requests(now, path, shared);
        self.deny_overdue(now, path, shared);
        for at in (0..self.lingering.len()).rev() {
            if let Some(lingering) = self.lingering.get_mut(at)
                && lingering.handle_timeout(now, path, shared)
            {
                self.drop_lingering(at, shared);
            }
        }
        let mut lent = Lent { shared, owner: self.id };
        self.established.handle_timeout(now, &mut lent);
        if self.check_due().is_some_and(|due| now >= due) {
            self.last_check = Some(now);
            // A request under way will tell as well.
            if self.channels.iter().all(Channel::is_idle) {
                self.established.start(now, &mut lent, Command::CheckLiveness);
            }
        }
        self.drain(now, path, shared);
        if self.keepalive.is_some_and(|due| now >= due) {
            self.keepalive =
                (!self.established.is_closed()).then(|| now + self.config.nat_keepalive_interval);
            shared.send_keepalive(path);
        }
    }

    fn repeat_requests(&mut self, now: Instant, path: Path, shared: &mut Shared) {
        let plan = shared.config.retransmission;
        let mut failed = Vec::new();
        for channel in &mut self.channels {
            match channel.repeat(now, &plan) {
                Ok(Some(sent)) => shared.send(path, &sent),
                Ok(None) => {}
                Err(error) => {
                    channel.forget_request();
                    failed.push((channel.spis().local(), error));
                }
            }
        }
        for (sa, error) in failed {
            let mut lent = Lent { shared, owner: self.id };
            self.established.handle_request_failed(now, &mut lent, sa, error);
        }
    }

    fn deny_overdue(&mut self, now: Instant, path: Path, shared: &mut Shared) {
        let late = || Error::from(Denied::ByDeadline("Install"));
        if let Some(first) = self.first.take_if(|first| now >= first.ask.deadline) {
            self.first_installed(now, path, *first, Err(late()), shared);
        }
        while let Some(at) = self.installs.iter().position(|it| now >= it.ask.deadline) {
            let install = self.installs.swap_remove(at);
            let mut lent = Lent { shared, owner: self.id };
            self.established.installed(now, &mut lent, install.child, Err(late()));
        }
    }

    /// Forgets everything, without a word to the peer.
    pub(super) fn abandon(&mut self, shared: &mut Shared) {
        if !self.established.is_closed() {
            shared.emit(self.id, Event::Closed(CloseReason::ByUs));
        }
    }

    /// True once nothing is left to do, nor to answer.
    pub(super) fn is_gone(&self) -> bool {
        self.established.is_gone() && self.lingering.is_empty()
    }

    /// True if it is over, but for answers to a peer that repeats itself.
    pub(super) fn is_settled(&self) -> bool {
        self.established.is_closed()
            && self.channels.iter().all(Channel::is_idle)
            && self.lingering.iter().all(Lingering::is_settled)
    }

    /// Gives back the SPIs.
    pub(super) fn release(&mut self, shared: &mut Shared) {
        for channel in &self.channels {
            shared.spis.release_ike(channel.spis().local());
        }
        for lingering in &self.lingering {
            shared.spis.release_ike(lingering.spi());
        }
        for spi in self.established.child_spis() {
            shared.spis.release_child(spi);
        }
        if let Some(first) = &self.first {
            shared.spis.release_child(first.record.spi_in);
        }
    }
}

/// A response of IKE_AUTH that takes back the child: RFC 7296 section 2.21.2.
fn without_child(response: Payloads<'static>) -> Payloads<'static> {
    let is_of_child = |payload: &Payload<'_>| match payload {
        Payload::SecurityAssociation(_) | Payload::TsInitiator(_) | Payload::TsResponder(_) => true,
        Payload::Notify(notify) => {
            [NotifyType::USE_TRANSPORT_MODE, NotifyType::USE_AGGFRAG].contains(&notify.notify_type)
        }
        _ => false,
    };
    let mut kept: Vec<_> = response.into_iter().filter(|payload| !is_of_child(payload)).collect();
    kept.push(Payload::Notify(Notify::error(NotifyType::NO_ADDITIONAL_SAS)));
    Payloads::from(kept)
}
