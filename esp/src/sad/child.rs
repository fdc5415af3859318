//! The SAs of one child, and which of them its traffic leaves by.

use alloc::vec::Vec;
use core::net::IpAddr;

use adit_platform::Instant;

use super::{ChildId, Expiry};
use crate::inbound::Inbound;
use crate::outbound::Outbound;
use crate::packet::Spi;
use crate::stats::{InboundStats, OutboundStats};

/// The inbound SAs of a multicast group are found by addresses besides the SPI, because it is the group's
/// controller that chooses SPIs, and nobody here can keep them apart from ours: RFC 4303 section 2.1.
///
/// ```
/// use adit_esp::sad::Group;
/// use core::net::Ipv4Addr;
///
/// let group = Group { destination: Ipv4Addr::new(232, 1, 1, 1).into(), source: None };
/// assert!(group.destination.is_multicast());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Group {
    /// The address that the group's packets are sent to.
    pub destination: IpAddr,
    /// Where they come from, for a source-specific group; `None` for one that anybody in it sends to.
    pub source: Option<IpAddr>,
}

/// What a pair of SAs is set apart for: a core, a queue, a class of service. The number is the host's.
///
/// ```
/// use adit_esp::sad::{ChildId, Expiry, Resource, Sad, SadError, Succession};
/// use adit_esp::{Inbound, Outbound};
///
/// /// The peer has agreed on a pair for the second core: CREATE_CHILD_SA with SA_RESOURCE_INFO.
/// fn add(sad: &mut Sad, child: ChildId, pair: (Inbound, Outbound)) -> Result<(), SadError> {
///     let second = Resource(1);
///     assert!(sad.outbound_of(child, second).is_none(), "its packets leave by the fallback");
///     sad.rekey_resource(child, second, pair.0, pair.1, Expiry::default(), Succession::AtOnce)
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Resource(pub u32);

/// What a child has carried in all its pairs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ChildStats {
    /// What was sent.
    pub outbound: OutboundStats,
    /// What was received.
    pub inbound: InboundStats,
}

/// What names an inbound SA.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Key {
    pub(super) spi: Spi,
    pub(super) group: Option<Group>,
}

#[derive(Default)]
pub(super) struct Child {
    /// Where traffic leaves that has no lane of its own: RFC 9611 calls it the fallback.
    pub(super) fallback: Lane,
    /// The lanes of single resources.
    pub(super) resources: Vec<(Resource, Lane)>,
    /// The inbound SAs, oldest first.
    pub(super) inbound: Vec<Spi>,
    pub(super) group: Option<Group>,
    /// What the pairs that are gone have carried.
    pub(super) past: ChildStats,
}

/// An outbound SA and the one that follows it.
#[derive(Default)]
pub(super) struct Lane {
    pub(super) current: Option<OutboundEntry>,
    /// The one that takes over when its pair's first packet arrives.
    successor: Option<OutboundEntry>,
}

pub(super) struct OutboundEntry {
    pub(super) sa: Outbound,
    /// The other half of the pair.
    pub(super) inbound: Spi,
}

pub(super) struct InboundEntry {
    pub(super) sa: Inbound,
    pub(super) child: ChildId,
    /// The lane that the outbound half is in.
    pub(super) resource: Option<Resource>,
    pub(super) expiry: Expiry,
    pub(super) retired_at: Option<Instant>,
    /// The pair's soft limit has been reported.
    pub(super) asked: bool,
    /// The outbound half waits for the first packet.
    pub(super) first_packet_awaited: bool,
}

impl Child {
    pub(super) fn key(&self, spi: Spi) -> Key {
        Key { spi, group: self.group }
    }

    /// The lane of a resource, if it has any.
    pub(super) fn lane(&self, resource: Resource) -> Option<&Lane> {
        self.resources.iter().find(|(own, _)| *own == resource).map(|(_, lane)| lane)
    }

    /// The SA that a resource's traffic leaves by: its own, or else the fallback, or else the one of its own
    /// that the peer has not shown to have.
    pub(super) fn current_mut(&mut self, resource: Resource) -> Option<&mut OutboundEntry> {
        let own = self.resources.iter_mut().find(|(own, _)| *own == resource);
        let (current, successor) =
            own.map_or((None, None), |(_, lane)| (lane.current.as_mut(), lane.successor.as_mut()));
        current.or(self.fallback.current.as_mut()).or(successor)
    }

    /// Puts an outbound SA into a lane: in its place, or, while another can carry its traffic, behind that.
    /// False if it waits.
    pub(super) fn put(
        &mut self,
        resource: Option<Resource>,
        new: OutboundEntry,
        may_wait: bool,
    ) -> bool {
        let has_fallback = self.fallback.current.is_some();
        let lane = match resource {
            None => &mut self.fallback,
            Some(resource) => {
                let place = self.resources.iter().position(|(own, _)| *own == resource);
                let place = place.unwrap_or_else(|| {
                    self.resources.push((resource, Lane::default()));
                    self.resources.len() - 1
                });
                &mut self.resources[place].1
            }
        };
        let waits = may_wait && (lane.current.is_some() || has_fallback);
        let place = if waits { &mut lane.successor } else { &mut lane.current };
        self.past.add_replaced(place.replace(new));
        !waits
    }

    /// The first packet on the pair of `inbound` has come: the peer has it, and so it may be used.
    pub(super) fn succeed(&mut self, inbound: Spi) {
        for lane in core::iter::once(&mut self.fallback)
            .chain(self.resources.iter_mut().map(|(_, lane)| lane))
        {
            if let Some(successor) = lane.successor.take_if(|entry| entry.inbound == inbound) {
                self.past.add_replaced(lane.current.replace(successor));
            }
        }
    }

    /// The pair of `inbound` is gone.
    pub(super) fn forget(&mut self, inbound: Spi) {
        self.inbound.retain(|spi| *spi != inbound);
        for lane in core::iter::once(&mut self.fallback)
            .chain(self.resources.iter_mut().map(|(_, lane)| lane))
        {
            self.past.add_replaced(lane.successor.take_if(|entry| entry.inbound == inbound));
            if let Some(gone) = lane.current.take_if(|entry| entry.inbound == inbound) {
                self.past.add_outbound(&gone.sa);
                lane.current = lane.successor.take();
            }
        }
        self.resources.retain(|(_, lane)| lane.current.is_some() || lane.successor.is_some());
    }

    /// Every outbound SA.
    pub(super) fn outbound(&self) -> impl Iterator<Item = &Outbound> {
        core::iter::once(&self.fallback)
            .chain(self.resources.iter().map(|(_, lane)| lane))
            .flat_map(|lane| lane.current.iter().chain(&lane.successor))
            .map(|entry| &entry.sa)
    }
}

impl ChildStats {
    pub(super) fn add_outbound(&mut self, sa: &Outbound) {
        self.outbound += sa.stats();
    }

    pub(super) fn add_inbound(&mut self, sa: &Inbound) {
        self.inbound += sa.stats();
    }

    fn add_replaced(&mut self, entry: Option<OutboundEntry>) {
        if let Some(entry) = entry {
            self.add_outbound(&entry.sa);
        }
    }
}
