//! The security association database: RFC 4301 section 4.4.2.

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use adit_platform::Instant;
use hashbrown::HashMap;

use crate::error::{OpenError, SealError};
use crate::inbound::{Inbound, Opened};
use crate::lifetime::LifetimeEvent;
use crate::outbound::Outbound;
use crate::packet::{HEADER_LEN, NextHeader, Spi};
use crate::stats::{InboundStats, OutboundStats};

/// The SAs of one core, found by SPI, with their lifetimes and successions.
///
/// A *child* is a pair of SAs together with the pairs that replace it by rekeying; traffic is sealed for
/// a child and does not notice which pair carries it. Several cores have a database each, and children
/// of their own in it: RFC 9611.
///
/// Give it packets by [`Self::open`] and [`Self::seal`]; after any call, drain [`Self::poll_event`];
/// call [`Self::handle_timeout`] when [`Self::poll_timeout`] says.
///
/// ```
/// use adit_esp::sad::{Expiry, Sad, Succession};
/// use adit_esp::{Inbound, NextHeader, Outbound};
/// use adit_platform::Instant;
/// use core::time::Duration;
///
/// /// Make before break, on the side that initiated the rekeying.
/// fn rekey(sad: &mut Sad, now: Instant, old: (Inbound, Outbound), new: (Inbound, Outbound)) {
///     let old_spi = old.0.spi();
///     let expiry = Expiry { soft: Some(now + Duration::from_secs(3000)), hard: None };
///     let child = sad.insert(old.0, old.1, expiry).expect("the database is empty");
///     sad.rekey(child, new.0, new.1, expiry, Succession::AtOnce).expect("the SPI is another");
///     sad.retire(old_spi, now + Duration::from_secs(5));
/// }
/// ```
#[derive(Default)]
pub struct Sad {
    children: HashMap<ChildId, Child>,
    inbound: HashMap<Spi, Box<InboundEntry>>,
    timers: BTreeSet<(Instant, Spi, Timer)>,
    events: VecDeque<SadEvent>,
    last_child: u64,
    unknown_spi: u64,
}

/// Names a child of a [`Sad`]. Never given out twice by the same database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ChildId(u64);

/// When a pair of SAs is to be replaced and when it stops, whatever it has carried.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Expiry {
    /// When [`LifetimeEvent::Soft`] is reported.
    pub soft: Option<Instant>,
    /// When the pair is removed, with [`LifetimeEvent::Hard`] reported.
    pub hard: Option<Instant>,
}

/// When a new outbound SA takes over from the old one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Succession {
    /// From now on: for the initiator of the rekeying, who knows that the peer has the new SA.
    AtOnce,
    /// With the first packet that the peer sends on the new pair, or when the old pair goes: for the
    /// responder, whose answer may still be on its way. RFC 7296 section 2.8.
    AfterFirstPacket,
}

/// Something that the owner of a child has to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SadEvent {
    /// The child.
    pub child: ChildId,
    /// The pair, named by the SPI of its inbound SA.
    pub inbound: Spi,
    /// What happened: after [`LifetimeEvent::Hard`] the pair is gone.
    pub kind: LifetimeEvent,
}

/// What a child has carried in all its pairs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ChildStats {
    /// What was sent.
    pub outbound: OutboundStats,
    /// What was received.
    pub inbound: InboundStats,
}

/// The database has no such child, or has another SA with the same SPI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SadError {
    /// No child has this name, or not any more.
    UnknownChild(ChildId),
    /// An inbound SA has this SPI already.
    DuplicateSpi(Spi),
}

struct Child {
    /// The SA that traffic leaves by.
    current: Option<OutboundEntry>,
    /// The one that takes over when its pair's first packet arrives.
    successor: Option<OutboundEntry>,
    /// The inbound SAs, oldest first.
    inbound: Vec<Spi>,
    /// What the pairs that are gone have carried.
    past: ChildStats,
}

struct OutboundEntry {
    sa: Outbound,
    /// The other half of the pair.
    inbound: Spi,
}

struct InboundEntry {
    sa: Inbound,
    child: ChildId,
    expiry: Expiry,
    retired_at: Option<Instant>,
    /// The pair's soft limit has been reported.
    asked: bool,
    /// The outbound half waits for the first packet.
    first_packet_awaited: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Soft,
    Hard,
    Retire,
}

/// How many high halves of the sequence number are tried for a packet when an SA seems to have lost it,
/// each standing for 2³² lost packets in a row.
const RECOVERY_TRIES: u32 = 4;

impl Sad {
    /// An empty database.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a child with its first pair.
    ///
    /// # Errors
    /// If another inbound SA has the same SPI. The pair is dropped then.
    pub fn insert(
        &mut self,
        inbound: Inbound,
        outbound: Outbound,
        expiry: Expiry,
    ) -> Result<ChildId, SadError> {
        if self.contains(inbound.spi()) {
            return Err(SadError::DuplicateSpi(inbound.spi()));
        }
        self.last_child += 1;
        let id = ChildId(self.last_child);
        let current = Some(OutboundEntry { sa: outbound, inbound: inbound.spi() });
        let child =
            Child { current, successor: None, inbound: Vec::new(), past: ChildStats::default() };
        self.children.insert(id, child);
        self.add_inbound(id, inbound, expiry, false);
        Ok(id)
    }

    /// Adds a pair that replaces the child's present one. Its inbound SA works at once, beside the old
    /// one, which lives until [`Self::retire`], [`Self::remove_pair`] or its hard limit.
    ///
    /// # Errors
    /// If there is no such child, or another inbound SA has the same SPI. The pair is dropped then.
    pub fn rekey(
        &mut self,
        child: ChildId,
        inbound: Inbound,
        outbound: Outbound,
        expiry: Expiry,
        succession: Succession,
    ) -> Result<(), SadError> {
        if self.contains(inbound.spi()) {
            return Err(SadError::DuplicateSpi(inbound.spi()));
        }
        let entry = self.children.get_mut(&child).ok_or(SadError::UnknownChild(child))?;
        let new = OutboundEntry { sa: outbound, inbound: inbound.spi() };
        let waits = succession == Succession::AfterFirstPacket && entry.current.is_some();
        let place = if waits { &mut entry.successor } else { &mut entry.current };
        let replaced = place.replace(new);
        if let Some(replaced) = replaced {
            entry.past.add_outbound(&replaced.sa);
        }
        self.add_inbound(child, inbound, expiry, waits);
        Ok(())
    }

    fn add_inbound(
        &mut self,
        child: ChildId,
        sa: Inbound,
        expiry: Expiry,
        first_packet_awaited: bool,
    ) {
        let spi = sa.spi();
        if let Some(soft) = expiry.soft {
            self.timers.insert((soft, spi, Timer::Soft));
        }
        if let Some(hard) = expiry.hard {
            self.timers.insert((hard, spi, Timer::Hard));
        }
        if let Some(entry) = self.children.get_mut(&child) {
            entry.inbound.push(spi);
        }
        let entry = InboundEntry {
            sa,
            child,
            expiry,
            retired_at: None,
            asked: false,
            first_packet_awaited,
        };
        self.inbound.insert(spi, Box::new(entry));
    }

    /// Whether an inbound SA has this SPI: ask before giving one to a peer.
    pub fn contains(&self, spi: Spi) -> bool {
        self.inbound.contains_key(&spi)
    }

    /// Sends through the pair of `inbound` from now on, if it waits for its first packet: the peer is known
    /// to have it, as after the exchange that deletes the old pair. Any other pair is left as it is.
    pub fn promote(&mut self, inbound: Spi) {
        let Some(entry) = self.inbound.get_mut(&inbound) else { return };
        entry.first_packet_awaited = false;
        if let Some(child) = self.children.get_mut(&entry.child) {
            child.succeed(inbound);
        }
    }

    /// Removes a pair at `at`, without an event: the peer has had the time until then to send what was
    /// on its way. The pair is named by the SPI of its inbound SA; an unknown one is ignored.
    pub fn retire(&mut self, inbound: Spi, at: Instant) {
        let Some(entry) = self.inbound.get_mut(&inbound) else { return };
        if let Some(before) = entry.retired_at.replace(at) {
            self.timers.remove(&(before, inbound, Timer::Retire));
        }
        self.timers.insert((at, inbound, Timer::Retire));
    }

    /// Removes a pair now. A successor that waits takes over from its outbound SA. Returns the child
    /// that it belonged to.
    pub fn remove_pair(&mut self, inbound: Spi) -> Option<ChildId> {
        let entry = self.inbound.remove(&inbound)?;
        for (at, timer) in [
            (entry.expiry.soft, Timer::Soft),
            (entry.expiry.hard, Timer::Hard),
            (entry.retired_at, Timer::Retire),
        ] {
            if let Some(at) = at {
                self.timers.remove(&(at, inbound, timer));
            }
        }
        let child = self.children.get_mut(&entry.child)?;
        child.past.add_inbound(&entry.sa);
        child.inbound.retain(|spi| *spi != inbound);
        if let Some(gone) = child.successor.take_if(|successor| successor.inbound == inbound) {
            child.past.add_outbound(&gone.sa);
        }
        if let Some(gone) = child.current.take_if(|current| current.inbound == inbound) {
            child.past.add_outbound(&gone.sa);
            child.current = child.successor.take();
        }
        Some(entry.child)
    }

    /// Removes a child with all its pairs. Returns what it has carried.
    pub fn remove(&mut self, child: ChildId) -> Option<ChildStats> {
        let pairs = self.children.get(&child)?.inbound.clone();
        for inbound in pairs {
            self.remove_pair(inbound);
        }
        self.children.remove(&child).map(|child| child.past)
    }

    /// The SA by which a child's traffic leaves now: for its headroom and tailroom.
    pub fn outbound(&self, child: ChildId) -> Option<&Outbound> {
        self.children.get(&child)?.current.as_ref().map(|entry| &entry.sa)
    }

    /// The SPIs of a child's inbound SAs, oldest first.
    pub fn inbound_spis(&self, child: ChildId) -> &[Spi] {
        self.children.get(&child).map_or(&[], |child| &child.inbound)
    }

    /// An inbound SA, for its counters.
    pub fn inbound(&self, spi: Spi) -> Option<&Inbound> {
        self.inbound.get(&spi).map(|entry| &entry.sa)
    }

    /// Seals a payload with the child's present outbound SA: [`Outbound::seal`].
    ///
    /// # Errors
    /// [`SealError::NoSa`] if the child has none, and what [`Outbound::seal`] says.
    #[inline]
    pub fn seal(
        &mut self,
        child: ChildId,
        buf: &mut [u8],
        payload: Range<usize>,
        next: NextHeader,
    ) -> Result<Range<usize>, SealError> {
        let entry = self
            .children
            .get_mut(&child)
            .and_then(|child| child.current.as_mut())
            .ok_or(SealError::NoSa)?;
        let sealed = entry.sa.seal(buf, payload, next);
        if let Some(kind) = entry.sa.poll_event() {
            let inbound = entry.inbound;
            self.report(child, inbound, kind);
        }
        sealed
    }

    /// Finds the SA of `packet`, an ESP packet from its SPI on, and opens it: [`Inbound::open`].
    ///
    /// # Errors
    /// [`OpenError::WrongSpi`] if no SA has the packet's SPI, and what [`Inbound::open`] says.
    #[inline]
    pub fn open(&mut self, packet: &mut [u8]) -> Result<(ChildId, Opened), OpenError> {
        let spi = Spi::of_packet(packet)
            .ok_or(OpenError::Truncated { len: packet.len(), minimum: HEADER_LEN })?;
        let Some(entry) = self.inbound.get_mut(&spi) else {
            self.unknown_spi += 1;
            return Err(OpenError::WrongSpi { spi });
        };
        let opened = if entry.sa.needs_recovery() {
            entry.sa.recover(packet, RECOVERY_TRIES)
        } else {
            entry.sa.open(packet)
        };
        let child = entry.child;
        if entry.first_packet_awaited && opened.is_ok() {
            entry.first_packet_awaited = false;
            if let Some(child) = self.children.get_mut(&child) {
                child.succeed(spi);
            }
        }
        if let Some(kind) = entry.sa.poll_event() {
            self.report(child, spi, kind);
        }
        opened.map(|opened| (child, opened))
    }

    #[cold]
    fn report(&mut self, child: ChildId, inbound: Spi, kind: LifetimeEvent) {
        let asked = self
            .inbound
            .get_mut(&inbound)
            .is_some_and(|entry| core::mem::replace(&mut entry.asked, true));
        match kind {
            LifetimeEvent::Soft if asked => return,
            LifetimeEvent::Soft => {}
            LifetimeEvent::Hard => {
                self.remove_pair(inbound);
            }
        }
        self.events.push_back(SadEvent { child, inbound, kind });
    }

    /// Acts on every limit in time that has been reached.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, spi, timer)) = self.timers.pop_first() {
            if at > now {
                self.timers.insert((at, spi, timer));
                return;
            }
            let Some(child) = self.inbound.get(&spi).map(|entry| entry.child) else { continue };
            match timer {
                Timer::Soft => self.report(child, spi, LifetimeEvent::Soft),
                Timer::Hard => self.report(child, spi, LifetimeEvent::Hard),
                Timer::Retire => {
                    self.remove_pair(spi);
                }
            }
        }
    }

    /// When [`Self::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(at, ..)| *at)
    }

    /// What happened since the last call, one event at a time.
    pub fn poll_event(&mut self) -> Option<SadEvent> {
        self.events.pop_front()
    }

    /// What a child has carried so far, in pairs that are gone too.
    pub fn stats(&self, child: ChildId) -> Option<ChildStats> {
        let child = self.children.get(&child)?;
        let mut stats = child.past;
        for entry in child.inbound.iter().filter_map(|spi| self.inbound.get(spi)) {
            stats.add_inbound(&entry.sa);
        }
        for entry in child.current.iter().chain(&child.successor) {
            stats.add_outbound(&entry.sa);
        }
        Some(stats)
    }

    /// Packets whose SPI no SA has.
    pub const fn unknown_spi(&self) -> u64 {
        self.unknown_spi
    }

    /// How many children there are.
    pub fn len(&self) -> usize {
        self.children.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.children.is_empty()
    }
}

#[cfg(test)]
impl Sad {
    /// Names of children that exist nowhere.
    pub(crate) fn test_children() -> impl FnMut() -> ChildId {
        let mut last = 0;
        move || {
            last += 1;
            ChildId(last)
        }
    }
}

impl Child {
    /// The first packet on the pair of `inbound` has come: the peer has it, and so it may be used.
    fn succeed(&mut self, inbound: Spi) {
        if let Some(successor) = self.successor.take_if(|successor| successor.inbound == inbound)
            && let Some(replaced) = self.current.replace(successor)
        {
            self.past.add_outbound(&replaced.sa);
        }
    }
}

impl ChildStats {
    fn add_outbound(&mut self, sa: &Outbound) {
        self.outbound += sa.stats();
    }

    fn add_inbound(&mut self, sa: &Inbound) {
        self.inbound += sa.stats();
    }
}

impl fmt::Debug for Sad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sad")
            .field("children", &self.children.len())
            .field("inbound", &self.inbound.len())
            .field("unknown_spi", &self.unknown_spi)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for SadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownChild(ChildId(child)) => write!(f, "no child {child} in the database"),
            Self::DuplicateSpi(spi) => write!(f, "another inbound SA has SPI {spi}"),
        }
    }
}

impl core::error::Error for SadError {}
