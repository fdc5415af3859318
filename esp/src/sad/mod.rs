//! The security association database: RFC 4301 section 4.4.2.

mod child;
mod error;

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use core::fmt;
use core::net::IpAddr;
use core::ops::Range;

use adit_platform::Instant;
use hashbrown::HashMap;

use self::child::{Child, InboundEntry, Key, OutboundEntry};
pub use self::child::{ChildStats, Group, Resource};
pub use self::error::SadError;
use crate::error::{OpenError, SealError};
use crate::inbound::{Inbound, Opened};
use crate::lifetime::LifetimeEvent;
use crate::outbound::Outbound;
use crate::packet::{HEADER_LEN, NextHeader, Spi};

/// The SAs of one core, found by SPI, with their lifetimes and successions.
///
/// A *child* is a pair of SAs together with the pairs that replace it by rekeying; traffic is sealed for
/// a child and does not notice which pair carries it.
///
/// A child may have further pairs for single *resources* (RFC 9611), such as cores or queues: traffic of a
/// resource that has none leaves by the child's first pair, the fallback, and what arrives is accepted
/// in any of them. Each resource's pair is rekeyed and retired by itself. Several threads have a database
/// each, because an outbound SA has one writer: the fallback's stands in one of them, and a thread without
/// a pair of its own ([`SealError::NoSa`]) hands the packet over to that one.
///
/// A child may also be a multicast [`Group`]'s.
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
    /// Those of multicast groups.
    group_inbound: HashMap<Key, Box<InboundEntry>>,
    timers: BTreeSet<(Instant, Key, Timer)>,
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
    /// What the pair is set apart for, if anything: say it again in [`Sad::rekey_resource`].
    pub resource: Option<Resource>,
    /// What happened: after [`LifetimeEvent::Hard`] the pair is gone.
    pub kind: LifetimeEvent,
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
        let id = self.new_child(None);
        self.add_pair(id, None, inbound, Some(outbound), expiry, Succession::AtOnce);
        Ok(id)
    }

    /// Adds a multicast group's child: an inbound SA that [`Self::open_from`] finds by the addresses too,
    /// and an outbound one if we send to the group.
    ///
    /// Where several members send with one SA, nobody can keep a replay window for all of them:
    /// [`Inbound::dangerous_without_replay_check`].
    ///
    /// # Errors
    /// If the group has an inbound SA with this SPI. The SAs are dropped then.
    pub fn insert_group(
        &mut self,
        group: Group,
        inbound: Inbound,
        outbound: Option<Outbound>,
        expiry: Expiry,
    ) -> Result<ChildId, SadError> {
        let key = Key { spi: inbound.spi(), group: Some(group) };
        if self.entry(key).is_some() {
            return Err(SadError::DuplicateSpi(key.spi));
        }
        let id = self.new_child(Some(group));
        self.add_pair(id, None, inbound, outbound, expiry, Succession::AtOnce);
        Ok(id)
    }

    /// Adds a pair that replaces the child's present one. Its inbound SA works at once, beside the old
    /// one, which lives until [`Self::retire`], [`Self::remove_pair`] or its hard limit.
    ///
    /// # Errors
    /// If there is no such child, it is a group's, or another inbound SA has the same SPI. The pair is
    /// dropped then.
    pub fn rekey(
        &mut self,
        child: ChildId,
        inbound: Inbound,
        outbound: Outbound,
        expiry: Expiry,
        succession: Succession,
    ) -> Result<(), SadError> {
        self.may_add(child, inbound.spi(), false)?;
        self.add_pair(child, None, inbound, Some(outbound), expiry, succession);
        Ok(())
    }

    /// Adds a pair for a resource, or one that replaces the resource's present one like [`Self::rekey`].
    /// Until it may be used, and once it is gone, traffic of the resource leaves by the fallback.
    ///
    /// # Errors
    /// Like [`Self::rekey`].
    pub fn rekey_resource(
        &mut self,
        child: ChildId,
        resource: Resource,
        inbound: Inbound,
        outbound: Outbound,
        expiry: Expiry,
        succession: Succession,
    ) -> Result<(), SadError> {
        self.may_add(child, inbound.spi(), false)?;
        self.add_pair(child, Some(resource), inbound, Some(outbound), expiry, succession);
        Ok(())
    }

    /// Adds SAs to a group's child, as its controller distributes them: the new inbound one works beside
    /// the old, and the outbound one, if any, is used from now on.
    ///
    /// # Errors
    /// If there is no such child, it is not a group's, or the group has an inbound SA with this SPI. The
    /// SAs are dropped then.
    pub fn rekey_group(
        &mut self,
        child: ChildId,
        inbound: Inbound,
        outbound: Option<Outbound>,
        expiry: Expiry,
    ) -> Result<(), SadError> {
        self.may_add(child, inbound.spi(), true)?;
        self.add_pair(child, None, inbound, outbound, expiry, Succession::AtOnce);
        Ok(())
    }

    fn may_add(&self, child: ChildId, spi: Spi, to_group: bool) -> Result<(), SadError> {
        let entry = self.children.get(&child).ok_or(SadError::UnknownChild(child))?;
        if entry.group.is_some() != to_group {
            return Err(SadError::NotThatKind(child));
        }
        match self.entry(entry.key(spi)) {
            Some(_) => Err(SadError::DuplicateSpi(spi)),
            None => Ok(()),
        }
    }

    fn new_child(&mut self, group: Option<Group>) -> ChildId {
        self.last_child += 1;
        let id = ChildId(self.last_child);
        self.children.insert(id, Child { group, ..Child::default() });
        id
    }

    /// Adds SAs to a child that is there, with an SPI that is free.
    fn add_pair(
        &mut self,
        id: ChildId,
        resource: Option<Resource>,
        sa: Inbound,
        outbound: Option<Outbound>,
        expiry: Expiry,
        succession: Succession,
    ) {
        let Some(child) = self.children.get_mut(&id) else { return };
        let key = child.key(sa.spi());
        let first_packet_awaited = outbound.is_some_and(|outbound| {
            let new = OutboundEntry { sa: outbound, inbound: key.spi };
            !child.put(resource, new, succession == Succession::AfterFirstPacket)
        });
        child.inbound.push(key.spi);
        for (at, timer) in [(expiry.soft, Timer::Soft), (expiry.hard, Timer::Hard)] {
            self.timers.extend(at.map(|at| (at, key, timer)));
        }
        let entry = Box::new(InboundEntry {
            sa,
            child: id,
            resource,
            expiry,
            retired_at: None,
            asked: false,
            first_packet_awaited,
        });
        match key.group {
            None => self.inbound.insert(key.spi, entry),
            Some(_) => self.group_inbound.insert(key, entry),
        };
    }

    fn entry(&self, key: Key) -> Option<&InboundEntry> {
        match key.group {
            None => self.inbound.get(&key.spi).map(|entry| &**entry),
            Some(_) => self.group_inbound.get(&key).map(|entry| &**entry),
        }
    }

    fn entry_mut(&mut self, key: Key) -> Option<&mut InboundEntry> {
        match key.group {
            None => self.inbound.get_mut(&key.spi).map(|entry| &mut **entry),
            Some(_) => self.group_inbound.get_mut(&key).map(|entry| &mut **entry),
        }
    }

    /// Whether an inbound SA that is no group's has this SPI: ask before giving one to a peer.
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
        self.retire_key(Key { spi: inbound, group: None }, at);
    }

    /// Like [`Self::retire`] for the SAs of a multicast group.
    pub fn retire_group(&mut self, group: Group, inbound: Spi, at: Instant) {
        self.retire_key(Key { spi: inbound, group: Some(group) }, at);
    }

    fn retire_key(&mut self, key: Key, at: Instant) {
        let Some(entry) = self.entry_mut(key) else { return };
        if let Some(before) = entry.retired_at.replace(at) {
            self.timers.remove(&(before, key, Timer::Retire));
        }
        self.timers.insert((at, key, Timer::Retire));
    }

    /// Removes a pair now. A successor that waits takes over from its outbound SA. Returns the child
    /// that it belonged to.
    pub fn remove_pair(&mut self, inbound: Spi) -> Option<ChildId> {
        self.remove_key(Key { spi: inbound, group: None })
    }

    fn remove_key(&mut self, key: Key) -> Option<ChildId> {
        let entry = match key.group {
            None => self.inbound.remove(&key.spi),
            Some(_) => self.group_inbound.remove(&key),
        }?;
        for (at, timer) in [
            (entry.expiry.soft, Timer::Soft),
            (entry.expiry.hard, Timer::Hard),
            (entry.retired_at, Timer::Retire),
        ] {
            if let Some(at) = at {
                self.timers.remove(&(at, key, timer));
            }
        }
        let child = self.children.get_mut(&entry.child)?;
        child.past.add_inbound(&entry.sa);
        child.forget(key.spi);
        Some(entry.child)
    }

    /// Removes a child with all its pairs. Returns what it has carried.
    pub fn remove(&mut self, child: ChildId) -> Option<ChildStats> {
        let group = self.children.get(&child)?.group;
        while let Some(&spi) = self.inbound_spis(child).first() {
            self.remove_key(Key { spi, group })?;
        }
        self.children.remove(&child).map(|child| child.past)
    }

    /// The SA by which a child's traffic leaves now: for its headroom and tailroom.
    pub fn outbound(&self, child: ChildId) -> Option<&Outbound> {
        let current = self.children.get(&child)?.fallback.current.as_ref();
        current.map(|entry| &entry.sa)
    }

    /// The SA by which a resource's traffic leaves now, if it has one of its own. If not, it is
    /// [`Self::outbound`]'s, and a pair for it may be negotiated: RFC 9611.
    pub fn outbound_of(&self, child: ChildId, resource: Resource) -> Option<&Outbound> {
        let current = self.children.get(&child)?.lane(resource)?.current.as_ref();
        current.map(|entry| &entry.sa)
    }

    /// The SPIs of a child's inbound SAs, oldest first, those of resources included.
    pub fn inbound_spis(&self, child: ChildId) -> &[Spi] {
        self.children.get(&child).map_or(&[], |child| &child.inbound)
    }

    /// An inbound SA that is no group's, for its counters.
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
            .and_then(|child| child.fallback.current.as_mut())
            .ok_or(SealError::NoSa)?;
        let sealed = entry.sa.seal(buf, payload, next);
        if let Some(kind) = entry.sa.poll_event() {
            let spi = entry.inbound;
            self.report_child(child, spi, kind);
        }
        sealed
    }

    /// Like [`Self::seal`], with the resource's own SA if it has one.
    ///
    /// # Errors
    /// [`SealError::NoSa`] if there is neither that nor the fallback, and what [`Outbound::seal`] says.
    #[inline]
    pub fn seal_for(
        &mut self,
        child: ChildId,
        resource: Resource,
        buf: &mut [u8],
        payload: Range<usize>,
        next: NextHeader,
    ) -> Result<Range<usize>, SealError> {
        let entry = self
            .children
            .get_mut(&child)
            .and_then(|child| child.current_mut(resource))
            .ok_or(SealError::NoSa)?;
        let sealed = entry.sa.seal(buf, payload, next);
        if let Some(kind) = entry.sa.poll_event() {
            let spi = entry.inbound;
            self.report_child(child, spi, kind);
        }
        sealed
    }

    /// Finds the SA of `packet`, an ESP packet from its SPI on, and opens it: [`Inbound::open`]. A
    /// multicast packet is for [`Self::open_from`].
    ///
    /// # Errors
    /// [`OpenError::WrongSpi`] if no SA has the packet's SPI, and what [`Inbound::open`] says.
    #[inline]
    pub fn open(&mut self, packet: &mut [u8]) -> Result<(ChildId, Opened), OpenError> {
        let spi = spi_of(packet)?;
        let Some(entry) = self.inbound.get_mut(&spi) else {
            self.unknown_spi += 1;
            return Err(OpenError::WrongSpi { spi });
        };
        let (child, opened, event) = open_with(entry, &mut self.children, packet);
        if let Some(kind) = event {
            self.report(Key { spi, group: None }, kind);
        }
        opened.map(|opened| (child, opened))
    }

    /// Like [`Self::open`] for a packet with these addresses in its outer header: the SA is that of a group
    /// with both addresses, or of one with the destination, or the one that the SPI names alone, the first
    /// of them that there is. RFC 4303 section 2.1.
    ///
    /// # Errors
    /// Like [`Self::open`].
    pub fn open_from(
        &mut self,
        packet: &mut [u8],
        source: IpAddr,
        destination: IpAddr,
    ) -> Result<(ChildId, Opened), OpenError> {
        if !self.group_inbound.is_empty() {
            let spi = spi_of(packet)?;
            for source in [Some(source), None] {
                let key = Key { spi, group: Some(Group { destination, source }) };
                let Some(entry) = self.group_inbound.get_mut(&key) else { continue };
                let (child, opened, event) = open_with(entry, &mut self.children, packet);
                if let Some(kind) = event {
                    self.report(key, kind);
                }
                return opened.map(|opened| (child, opened));
            }
        }
        self.open(packet)
    }

    #[cold]
    fn report_child(&mut self, child: ChildId, spi: Spi, kind: LifetimeEvent) {
        if let Some(child) = self.children.get(&child) {
            self.report(child.key(spi), kind);
        }
    }

    #[cold]
    fn report(&mut self, key: Key, kind: LifetimeEvent) {
        let Some(entry) = self.entry_mut(key) else { return };
        let asked = core::mem::replace(&mut entry.asked, true);
        let (child, resource) = (entry.child, entry.resource);
        match kind {
            LifetimeEvent::Soft if asked => return,
            LifetimeEvent::Soft => {}
            LifetimeEvent::Hard => {
                self.remove_key(key);
            }
        }
        self.events.push_back(SadEvent { child, inbound: key.spi, resource, kind });
    }

    /// Acts on every limit in time that has been reached.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, key, timer)) = self.timers.pop_first() {
            if at > now {
                self.timers.insert((at, key, timer));
                return;
            }
            match timer {
                Timer::Soft => self.report(key, LifetimeEvent::Soft),
                Timer::Hard => self.report(key, LifetimeEvent::Hard),
                Timer::Retire => {
                    self.remove_key(key);
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
        for entry in child.inbound.iter().filter_map(|spi| self.entry(child.key(*spi))) {
            stats.add_inbound(&entry.sa);
        }
        child.outbound().for_each(|sa| stats.add_outbound(sa));
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

fn spi_of(packet: &[u8]) -> Result<Spi, OpenError> {
    Spi::of_packet(packet).ok_or(OpenError::Truncated { len: packet.len(), minimum: HEADER_LEN })
}

/// Opens a packet with the SA that was found for it. Says what happened to the SA's lifetime too.
#[inline]
fn open_with(
    entry: &mut InboundEntry,
    children: &mut HashMap<ChildId, Child>,
    packet: &mut [u8],
) -> (ChildId, Result<Opened, OpenError>, Option<LifetimeEvent>) {
    let opened = if entry.sa.needs_recovery() {
        entry.sa.recover(packet, RECOVERY_TRIES)
    } else {
        entry.sa.open(packet)
    };
    if entry.first_packet_awaited && opened.is_ok() {
        entry.first_packet_awaited = false;
        if let Some(child) = children.get_mut(&entry.child) {
            child.succeed(entry.sa.spi());
        }
    }
    (entry.child, opened, entry.sa.poll_event())
}

impl fmt::Debug for Sad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sad")
            .field("children", &self.children.len())
            .field("inbound", &self.inbound.len())
            .field("group_inbound", &self.group_inbound.len())
            .field("unknown_spi", &self.unknown_spi)
            .finish_non_exhaustive()
    }
}
