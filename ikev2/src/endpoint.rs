//! The endpoint: all IKE SAs of one pair of sockets, behind the verbs that every machine here has.

mod connection;
mod lingering;
mod running;
mod shared;
mod spis;
mod strangers;
mod table;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use adit_platform::hash::HashAlgorithm;
use adit_platform::prf::Prf;
use adit_platform::{Instant, Provider, Rng};

use crate::ask::{Answer, Deny, Ticket};
use crate::child::ChildId;
use crate::config::{ChildConfig, EndpointConfig, PeerConfig};
use crate::cookie::Cookies;
use crate::error::{CommandError, Error, Incompatible, StaleTicket, Stray};
use crate::event::Event;
use crate::negotiate::AggfragPolicy;
use crate::path::{Path, SaId};
use crate::routing::{self, NAT_KEEPALIVE, NON_ESP_MARKER};
use crate::timers::Timers;
use crate::wire::Header;

use connection::{Command, Connection};
use shared::Content;
use table::Table;

pub(crate) use shared::{OpenAsk, Shared};

/// Where a datagram that [`Endpoint::poll_transmit`] returned is to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// From which local address and port, to which remote ones.
    pub path: Path,
}

/// What a datagram given to [`Endpoint::handle_datagram`] was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Disposition {
    /// An IKE message, which has been dealt with.
    Ike,
    /// An ESP packet, untouched: it is the packet path's.
    Esp,
    /// A NAT keepalive, which wants nothing.
    Keepalive,
    /// A datagram without effect, and why.
    Dropped(Error),
}

/// All IKE SAs of one pair of sockets, as initiator and as responder.
///
/// Nothing happens by itself: feed whatever happened by a `handle_…` method, a command or
/// [`answer`](Self::answer); then drain [`poll_transmit`](Self::poll_transmit) and
/// [`poll_event`](Self::poll_event) until they return `None`; then wait for the next datagram, answer or
/// command, but not beyond [`poll_timeout`](Self::poll_timeout). The same inputs give the same outputs.
///
/// ```
/// # use std::sync::Arc;
/// # use adit_ikev2::{ChildConfig, Endpoint, EndpointConfig, Identity, LocalAuth, Path, PeerConfig, RemoteAuth};
/// # use adit_platform::{Instant, Provider, Rng};
/// fn dial(provider: Provider, rng: Box<dyn Rng>, now: Instant) {
///     let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), provider, rng).unwrap();
///     let gateway = PeerConfig {
///         child: Some(ChildConfig::remote_access()),
///         ..PeerConfig::new(
///             Identity::email("alice@lab.test"),
///             LocalAuth::SharedSecret,
///             RemoteAuth::SharedSecret,
///         )
///     };
///     let path = Path {
///         local: "10.77.0.2:500".parse().unwrap(),
///         remote: "10.77.0.1:500".parse().unwrap(),
///     };
///     let sa = endpoint.connect(now, path, Arc::new(gateway)).unwrap();
///
///     let mut datagram = Vec::new();
///     while let Some(transmit) = endpoint.poll_transmit(&mut datagram) {
///         // … send `datagram` from `transmit.path.local` to `transmit.path.remote` …
///     }
///     // The answer to the first message is awaited for half a second.
///     assert!(endpoint.poll_timeout().is_some());
/// }
/// ```
pub struct Endpoint {
    shared: Shared,
    cookies: Cookies,
    connections: Table<Connection>,
    timers: Timers<SaId>,
}

impl Endpoint {
    /// An endpoint without SAs. `provider` is copied: it is a list of references to algorithms.
    ///
    /// # Errors
    /// If the provider lacks SHA-1 (which NAT detection is defined with) or any pseudorandom function, or
    /// the random source fails. (Proposals are offered and accepted without what the provider cannot run.)
    pub fn new(
        config: Arc<EndpointConfig>,
        provider: Provider,
        mut rng: Box<dyn Rng>,
    ) -> Result<Self, CommandError> {
        let sha1 = provider
            .hash(HashAlgorithm::Sha1)
            .ok_or(CommandError::Unusable("the provider lacks SHA-1"))?;
        let prf: &'static dyn Prf = provider
            .prfs
            .first()
            .copied()
            .ok_or(CommandError::Unusable("the provider has no pseudorandom function"))?;
        let mut serial = [0; 8];
        rng.fill(&mut serial)?;
        let cookies = Cookies::new(prf, config.cookie_lifetime);
        // Tickets count from a random number, so that those of another endpoint are not taken for ours.
        let shared = Shared::new(config, provider, sha1, rng, u64::from_be_bytes(serial));
        Ok(Self { shared, cookies, connections: Table::new(), timers: Timers::new() })
    }

    /// Starts an IKE SA with a peer, as its initiator. What becomes of it comes as events.
    ///
    /// # Errors
    /// If the configuration is unusable or too many SAs exist.
    pub fn connect(
        &mut self,
        now: Instant,
        path: Path,
        peer: Arc<PeerConfig>,
    ) -> Result<SaId, CommandError> {
        if self.connections.len() >= self.shared.config.limits.sas {
            return Err(CommandError::TooManySas);
        }
        let id = self
            .connections
            .insert_with(|id| Connection::new(id, path))
            .ok_or(CommandError::TooManySas)?;
        let started = match self.connections.get_mut(id) {
            Some(connection) => connection.connect(now, peer, &mut self.shared),
            None => Err(CommandError::UnknownSa),
        };
        if started.is_err() {
            self.forget(id);
        }
        self.settle(id);
        started.map(|()| id)
    }

    /// Takes a datagram that arrived. Its content is decrypted in place, so it is garbage afterwards,
    /// unless it is [`Disposition::Esp`].
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &mut [u8],
    ) -> Disposition {
        let marked = path.local.port() == self.shared.config.nat_t_port;
        let start = match routing::classify(datagram, marked) {
            routing::Kind::Esp => return Disposition::Esp,
            routing::Kind::Keepalive => return Disposition::Keepalive,
            routing::Kind::Ike(start) => start,
        };
        match self.receive(now, path, datagram.get_mut(start..).unwrap_or_default()) {
            Ok(()) => Disposition::Ike,
            Err(error) => Disposition::Dropped(error),
        }
    }

    fn receive(&mut self, now: Instant, path: Path, datagram: &mut [u8]) -> Result<(), Error> {
        let header = Header::parse(datagram)?;
        let ours = if header.flags.initiator { header.responder_spi } else { header.initiator_spi };
        if header.major_version != 2 {
            if header.major_version > 2 && ours.is_zero() && !header.flags.response {
                self.refuse_version(path, &header);
            }
            return Err(Incompatible::MajorVersion(header.major_version).into());
        }
        if ours.is_zero() {
            return self.receive_from_stranger(now, path, datagram);
        }
        let id = self.shared.spis.owner(ours).ok_or(Stray::UnknownSpi)?;
        let connection = self.connections.get_mut(id).ok_or(Stray::UnknownSpi)?;
        let outcome = connection.receive(now, path, &header, datagram, &mut self.shared);
        self.settle(id);
        outcome
    }

    /// Does what is due at `now`: repeats messages, checks on peers, renews keys, gives up.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.timers.pop_due(now) {
            if let Some(connection) = self.connections.get_mut(id) {
                connection.timer = None;
                connection.handle_timeout(now, &mut self.shared);
            }
            self.settle(id);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next datagram to send, written over the content of `datagram`.
    pub fn poll_transmit(&mut self, datagram: &mut Vec<u8>) -> Option<Transmit> {
        let outgoing = self.shared.transmits.pop_front()?;
        datagram.clear();
        match outgoing.content {
            Content::Keepalive => datagram.extend_from_slice(&NAT_KEEPALIVE),
            Content::Ike(sent, index) => {
                if outgoing.path.local.port() == self.shared.config.nat_t_port {
                    datagram.extend_from_slice(&NON_ESP_MARKER);
                }
                datagram.extend_from_slice(sent.get(index).map_or(&[], Vec::as_slice));
            }
        }
        Some(Transmit { path: outgoing.path })
    }

    /// What has happened since.
    pub fn poll_event(&mut self) -> Option<(SaId, Event)> {
        self.shared.events.pop_front()
    }

    /// Answers an ask.
    ///
    /// # Errors
    /// If the ask is gone: its deadline passed, or its SA was closed.
    pub fn answer<A: Answer>(
        &mut self,
        now: Instant,
        ticket: Ticket<A>,
        answer: Result<A, Deny>,
    ) -> Result<(), StaleTicket> {
        let id = ticket.sa;
        let connection = self.connections.get_mut(id).ok_or(StaleTicket)?;
        let any = answer.map(A::into_any);
        let taken = connection.answer(now, ticket.serial, any, &mut self.cookies, &mut self.shared);
        self.settle(id);
        taken
    }

    /// Closes an IKE SA and all its children, telling the peer. [`Event::Closed`] comes when the peer has
    /// answered, or was given up. A handshake under way is abandoned, and closed at once.
    ///
    /// # Errors
    /// If there is no such SA.
    pub fn delete(&mut self, now: Instant, sa: SaId) -> Result<(), CommandError> {
        self.command(now, sa, Command::Delete)
    }

    /// Forgets an IKE SA and all its children without telling the peer, who does not know it any more:
    /// see [`Established::initial_contact`](crate::Established::initial_contact).
    ///
    /// # Errors
    /// If there is no such SA.
    pub fn abandon(&mut self, now: Instant, sa: SaId) -> Result<(), CommandError> {
        self.command(now, sa, Command::Abandon)
    }

    /// Renews the keys of an IKE SA: RFC 7296 section 1.3.2.
    ///
    /// # Errors
    /// If the SA is not established.
    pub fn rekey_ike(&mut self, now: Instant, sa: SaId) -> Result<(), CommandError> {
        self.command(now, sa, Command::RekeyIke)
    }

    /// Replaces a child SA by a new one: RFC 7296 section 1.3.3.
    ///
    /// # Errors
    /// If the SA is not established or has no such child.
    pub fn rekey_child(
        &mut self,
        now: Instant,
        sa: SaId,
        child: ChildId,
    ) -> Result<(), CommandError> {
        self.command(now, sa, Command::RekeyChild(child))
    }

    /// Creates one more child SA: RFC 7296 section 1.3.1.
    ///
    /// # Errors
    /// If the SA is not established, or the configuration cannot be.
    pub fn create_child(
        &mut self,
        now: Instant,
        sa: SaId,
        child: ChildConfig,
    ) -> Result<(), CommandError> {
        AggfragPolicy::check(&child).map_err(CommandError::Unusable)?;
        self.command(now, sa, Command::CreateChild(Box::new(child)))
    }

    /// Closes one child SA, telling the peer: RFC 7296 section 1.4.1.
    ///
    /// # Errors
    /// If the SA is not established or has no such child.
    pub fn delete_child(
        &mut self,
        now: Instant,
        sa: SaId,
        child: ChildId,
    ) -> Result<(), CommandError> {
        self.command(now, sa, Command::DeleteChild(child))
    }

    /// Asks the peer whether it lives: [`Event::Alive`] follows, or the SA is closed as timed out. For when
    /// the embedder sees traffic go out and none come in (RFC 7296 section 2.4).
    ///
    /// # Errors
    /// If the SA is not established.
    pub fn check_liveness(&mut self, now: Instant, sa: SaId) -> Result<(), CommandError> {
        self.command(now, sa, Command::CheckLiveness)
    }

    /// Says that an ESP packet of this peer came and was authentic, which is a sign of life too (RFC 7296
    /// section 2.4). Cheap enough for every packet, and once a second is enough.
    ///
    /// # Errors
    /// If there is no such SA.
    pub fn note_traffic(&mut self, now: Instant, sa: SaId) -> Result<(), CommandError> {
        let connection = self.connections.get_mut(sa).ok_or(CommandError::UnknownSa)?;
        connection.note_heard(now);
        Ok(())
    }

    /// From now on emits the keys of every new IKE SA as [`Event::KeyLog`], in the format of Wireshark's
    /// `ikev2_decryption_table`. Whoever reads them reads, and forges, everything.
    pub fn dangerous_key_log(&mut self, on: bool) {
        self.shared.key_log = on;
    }

    /// The random source, for others that work beside this endpoint.
    pub fn rng(&mut self) -> &mut dyn Rng {
        &mut *self.shared.rng
    }

    /// True if no IKE SA waits for its peer: none is being set up, none stands, and every DELETE was answered.
    /// What is left only answers peers that repeat themselves, so a program may end.
    pub fn is_settled(&self) -> bool {
        self.connections.iter().all(Connection::is_settled)
    }

    /// How many IKE SAs there are, those half-open and those about to vanish included.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many IKE SAs are half-open: strangers whose request was taken up and who are not authenticated.
    pub fn half_open(&self) -> usize {
        self.shared.strangers.len()
    }

    fn command(&mut self, now: Instant, id: SaId, command: Command) -> Result<(), CommandError> {
        let connection = self.connections.get_mut(id).ok_or(CommandError::UnknownSa)?;
        let outcome = connection.command(now, command, &mut self.shared);
        self.settle(id);
        outcome
    }

    /// After anything was done with an SA: renews its deadline, or removes it if it is gone.
    fn settle(&mut self, id: SaId) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.is_gone() {
            self.timers.set(id, &mut connection.timer, None);
            return self.forget(id);
        }
        let deadline = connection.deadline();
        self.timers.set(id, &mut connection.timer, deadline);
    }

    /// Removes an SA and every trace of it.
    fn forget(&mut self, id: SaId) {
        if let Some(mut connection) = self.connections.remove(id) {
            self.timers.set(id, &mut connection.timer, None);
            connection.release(&mut self.shared);
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("sas", &self.len()).finish_non_exhaustive()
    }
}
