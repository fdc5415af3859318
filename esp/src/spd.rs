//! The security policy database: RFC 4301 section 4.4.1.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use hashbrown::HashMap;

use crate::icmp;
use crate::ip::IpPacket;
use crate::sad::ChildId;
use crate::selector::{PopulateFromPacket, Selectors, TrafficSelector};

/// What is to be done with which packets: an ordered list of policies, the first of which that matches
/// a packet decides. A packet that none matches is discarded.
///
/// A lookup does not walk the list. It asks a hash table once for each prefix length that occurs in the
/// policies' addresses, which are few, and then compares the candidates: a hundred thousand clients with
/// an address each cost as much as ten.
///
/// ```
/// use adit_esp::ip::IpPacket;
/// use adit_esp::selector::{Selectors, TrafficSelector};
/// use adit_esp::spd::{Action, Direction, Policy, Spd};
/// use core::net::Ipv4Addr;
///
/// let mut spd = Spd::new();
/// let bypass = spd.insert(Policy {
///     order: 10,
///     selectors: Selectors {
///         local: vec![TrafficSelector::ANY_V4],
///         remote: vec![TrafficSelector::subnet(Ipv4Addr::new(192, 168, 1, 0).into(), 24)],
///     },
///     action: Action::Bypass,
///     direction: Direction::Both,
/// });
/// let packet = [0x45, 0, 0, 20, 0, 0, 0, 0, 64, 0, 0, 0, 10, 0, 0, 1, 192, 168, 1, 9];
/// let packet = IpPacket::parse(&packet)?;
/// assert_eq!(spd.outbound(&packet), Some((bypass, Action::Bypass)));
/// assert_eq!(spd.inbound(&packet), None);
/// # Ok::<(), adit_esp::ip::IpError>(())
/// ```
#[derive(Default)]
pub struct Spd {
    policies: HashMap<PolicyId, Arc<Policy>>,
    /// For each prefix length that occurs: the policies of each prefix, in order. A policy stands under
    /// the prefixes of its more telling end.
    tables: BTreeMap<Length, HashMap<u128, Vec<Candidate>>>,
    last: u64,
}

/// What is done with a packet that matches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// It travels as it is, outside of every SA.
    Bypass,
    /// It is dropped.
    Discard,
    /// It travels in this child's SAs, and only there.
    Protect(ChildId),
    /// It is to be protected, and no SA is there for it: negotiate one, for what [`Selectors::populate`]
    /// makes of the policy's selectors and the packet. Insert a policy that protects with the new child
    /// in front of this one. RFC 4301 section 5.1.
    Negotiate(PopulateFromPacket),
}

/// Which packets a policy is for, by the way they go: RFC 4301 section 4.4.1 calls policies for one way
/// SPD-I and SPD-O.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// Those that leave and those that arrive.
    Both,
    /// Those that arrive only.
    Inbound,
    /// Those that leave only.
    Outbound,
}

/// One entry of the database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Its place: policies with lower numbers come first; of those with the same, the older one.
    pub order: u32,
    /// Which packets it is for.
    pub selectors: Selectors,
    /// What is done with them.
    pub action: Action,
    /// Which way they go.
    pub direction: Direction,
}

/// Names a policy of an [`Spd`]. Never given out twice by the same database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PolicyId(u64);

/// A policy's place in the list.
type Rank = (u32, PolicyId);

type Candidate = (Rank, Arc<Policy>);

/// Which end of a packet is looked up.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum End {
    Local,
    Remote,
}

/// An end, an address family and a number of leading bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Length {
    end: End,
    is_v6: bool,
    bits: u8,
}

/// The leading bits of an address; those of IPv4 addresses stand in the top 32 bits.
#[derive(Clone, Copy)]
struct Prefix {
    length: Length,
    top: u128,
}

impl Spd {
    /// An empty database, which discards everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a policy.
    pub fn insert(&mut self, policy: Policy) -> PolicyId {
        self.last += 1;
        let id = PolicyId(self.last);
        let (rank, policy) = ((policy.order, id), Arc::new(policy));
        for prefix in prefixes(&policy.selectors) {
            let table = self.tables.entry(prefix.length).or_default();
            let candidates = table.entry(prefix.top).or_default();
            if let Err(place) = candidates.binary_search_by_key(&rank, |(rank, _)| *rank) {
                candidates.insert(place, (rank, Arc::clone(&policy)));
            }
        }
        self.policies.insert(id, policy);
        id
    }

    /// Removes a policy.
    pub fn remove(&mut self, id: PolicyId) -> Option<Policy> {
        let policy = self.policies.remove(&id)?;
        for prefix in prefixes(&policy.selectors) {
            let Some(table) = self.tables.get_mut(&prefix.length) else { continue };
            if let Some(candidates) = table.get_mut(&prefix.top) {
                candidates.retain(|((_, candidate), _)| *candidate != id);
                if candidates.is_empty() {
                    table.remove(&prefix.top);
                }
            }
            if table.is_empty() {
                self.tables.remove(&prefix.length);
            }
        }
        Some(Arc::unwrap_or_clone(policy))
    }

    /// The policy for a packet that is about to leave: RFC 4301 section 5.1. `None` says discard.
    #[inline]
    pub fn outbound(&self, packet: &IpPacket) -> Option<(PolicyId, Action)> {
        self.lookup(packet.source, packet.destination, |policy| {
            policy.direction != Direction::Inbound && policy.selectors.admit_outbound(packet)
        })
    }

    /// The policy for an ICMP error message, the whole IP packet, that is about to leave and that no policy
    /// lets out by its own headers: the one that protects answers to the packet which it reports. RFC 4301
    /// section 6.2. `None` says discard, which is to be audited.
    pub fn outbound_icmp_error(&self, message: &[u8]) -> Option<(PolicyId, ChildId)> {
        let answer = icmp::answer_to_reported(message)?;
        match self.outbound(&answer)? {
            (id, Action::Protect(child)) => Some((id, child)),
            // No SA is made for such a message.
            _ => None,
        }
    }

    /// The policy for a packet that has arrived, in an SA or outside: RFC 4301 section 5.2. `None` says
    /// discard. A packet that came in an SA must be one that the policy protects with that child, and
    /// one that came outside must be one that it bypasses: [`Self::admit_inbound`] says so.
    #[inline]
    pub fn inbound(&self, packet: &IpPacket) -> Option<(PolicyId, Action)> {
        self.lookup(packet.destination, packet.source, |policy| {
            policy.direction != Direction::Outbound && policy.selectors.admit_inbound(packet)
        })
    }

    /// Whether a packet may come in as it did: in the SAs of `child`, or outside of any with `None`.
    #[inline]
    pub fn admit_inbound(&self, packet: &IpPacket, child: Option<ChildId>) -> bool {
        let expected = child.map_or(Action::Bypass, Action::Protect);
        self.inbound(packet).is_some_and(|(_, action)| action == expected)
    }

    #[inline]
    fn lookup(
        &self,
        local: IpAddr,
        remote: IpAddr,
        admits: impl Fn(&Policy) -> bool,
    ) -> Option<(PolicyId, Action)> {
        let mut best: Option<(Rank, Action)> = None;
        for (length, table) in &self.tables {
            let address = match length.end {
                End::Local => local,
                End::Remote => remote,
            };
            if address.is_ipv6() != length.is_v6 {
                continue;
            }
            let candidates = table.get(&leading(top_bits(address), length.bits));
            for (rank, policy) in candidates.into_iter().flatten() {
                if best.is_some_and(|(best, _)| best < *rank) {
                    break;
                }
                if admits(policy) {
                    best = Some((*rank, policy.action));
                    break;
                }
            }
        }
        best.map(|((_, id), action)| (id, action))
    }

    /// A policy by its name.
    pub fn get(&self, id: PolicyId) -> Option<&Policy> {
        self.policies.get(&id).map(|policy| &**policy)
    }

    /// How many policies there are.
    pub fn len(&self) -> usize {
        self.policies.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }
}

/// The prefixes by which a policy is found: those of the end whose widest selector is the narrower.
fn prefixes(selectors: &Selectors) -> Vec<Prefix> {
    let of = |end, set: &[TrafficSelector]| -> Vec<Prefix> {
        set.iter().flat_map(|selector| cover(end, selector)).collect()
    };
    // An IPv6 prefix is as telling as an IPv4 prefix with 96 bits less.
    let telling =
        |prefix: &Prefix| i16::from(prefix.length.bits) - if prefix.length.is_v6 { 96 } else { 0 };
    let (local, remote) = (of(End::Local, &selectors.local), of(End::Remote, &selectors.remote));
    let (widest_local, widest_remote) =
        (local.iter().map(telling).min(), remote.iter().map(telling).min());
    if widest_local > widest_remote { local } else { remote }
}

/// The fewest prefixes that together are the selector's address range; none if that is empty.
fn cover(end: End, selector: &TrafficSelector) -> Vec<Prefix> {
    let width: u8 = match (selector.start, selector.end) {
        (IpAddr::V4(_), IpAddr::V4(_)) => 32,
        (IpAddr::V6(_), IpAddr::V6(_)) => 128,
        _ => return Vec::new(),
    };
    let (mut at, last) = (number(selector.start), number(selector.end));
    let mut prefixes = Vec::new();
    while at <= last {
        // The largest aligned block that starts here and does not reach beyond the end.
        let room = last - at;
        let fits = if room == u128::MAX { 128 } else { (room + 1).ilog2() };
        let host_bits = at.trailing_zeros().min(fits).min(width.into());
        let length = Length { end, is_v6: width == 128, bits: width - host_bits as u8 };
        let top = at.checked_shl((128 - width).into()).unwrap_or(0);
        prefixes.push(Prefix { length, top });
        let block = 1_u128.checked_shl(host_bits);
        match block.and_then(|block| at.checked_add(block)) {
            Some(next) => at = next,
            None => break,
        }
    }
    prefixes
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address with its first bit in the highest place.
#[inline]
fn top_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[inline]
fn leading(bits: u128, count: u8) -> u128 {
    bits & !u128::MAX.checked_shr(count.into()).unwrap_or(0)
}

impl fmt::Debug for Spd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spd").field("policies", &self.policies.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;
    use crate::ip::{Fragment, Upper};
    use crate::packet::NextHeader;
    use crate::selector::PortRange;

    fn v4(bits: u32) -> IpAddr {
        Ipv4Addr::from_bits(bits).into()
    }

    fn packet(source: IpAddr, destination: IpAddr, port: u16) -> IpPacket {
        IpPacket {
            source,
            destination,
            protocol: NextHeader::UDP,
            upper: Upper::Ports { source: port, destination: port },
            total_len: 28,
            header_len: 20,
            traffic_class: 0,
            dont_fragment: false,
            fragment: Fragment::Whole,
        }
    }

    #[test]
    fn a_range_is_covered_exactly_and_without_overlap() {
        for (start, end) in
            [(0, u32::MAX), (5, 5), (1, 14), (0, 0), (u32::MAX, u32::MAX), (3, 0x0101_0101)]
        {
            let range = TrafficSelector::range(v4(start), v4(end));
            let mut next = u64::from(start);
            for prefix in cover(End::Local, &range) {
                assert_eq!(prefix.top >> 96, u128::from(next), "{start}-{end}");
                next += 1 << (32 - prefix.length.bits);
            }
            assert_eq!(next, u64::from(end) + 1, "{start}-{end}");
        }
        assert_eq!(cover(End::Local, &TrafficSelector::ANY_V6).len(), 1);
        assert_eq!(cover(End::Local, &TrafficSelector::range(v4(9), v4(8))).len(), 0);
        let last = Ipv6Addr::from_bits(u128::MAX).into();
        let first = Ipv6Addr::from_bits(1).into();
        assert_eq!(cover(End::Local, &TrafficSelector::range(first, last)).len(), 128);
    }

    fn selector() -> impl Strategy<Value = TrafficSelector> {
        // Few distinct addresses, so that policies overlap and packets hit.
        let address = || (0_u32..6, any::<bool>()).prop_map(|(n, v6)| (n, v6));
        (address(), 0_u32..6, any::<bool>(), 0_u16..3).prop_map(|((start, v6), len, all, port)| {
            let of = |bits: u32| -> IpAddr {
                if v6 { Ipv6Addr::from_bits(bits.into()).into() } else { v4(bits) }
            };
            let mut selector = TrafficSelector::range(of(start), of(start + len));
            if !all {
                selector.protocol = Some(NextHeader::UDP);
                selector.ports = PortRange { start: port, end: port + 1 };
            }
            selector
        })
    }

    fn policy() -> impl Strategy<Value = Policy> {
        let set = || prop::collection::vec(selector(), 1..3);
        let direction =
            prop::sample::select(&[Direction::Both, Direction::Inbound, Direction::Outbound][..]);
        (0_u32..4, set(), set(), direction).prop_map(|(order, local, remote, direction)| Policy {
            order,
            selectors: Selectors { local, remote },
            action: Action::Bypass,
            direction,
        })
    }

    proptest! {
        #[test]
        fn agrees_with_walking_the_list(
            policies in prop::collection::vec(policy(), 0..12),
            removed in prop::collection::vec(0_usize..12, 0..4),
            packets in prop::collection::vec((0_u32..13, 0_u32..13, any::<bool>(), 0_u16..5), 1..40),
        ) {
            let mut spd = Spd::new();
            let mut list: Vec<(Rank, Policy)> = Vec::new();
            for policy in policies {
                let id = spd.insert(policy.clone());
                list.push(((policy.order, id), policy));
            }
            for which in removed {
                if which < list.len() {
                    let ((_, id), policy) = list.remove(which);
                    prop_assert_eq!(spd.remove(id), Some(policy));
                    prop_assert_eq!(spd.remove(id), None);
                }
            }
            list.sort_by_key(|(rank, _)| *rank);
            for (source, destination, v6, port) in packets {
                let of = |bits: u32| -> IpAddr {
                    if v6 { Ipv6Addr::from_bits(bits.into()).into() } else { v4(bits) }
                };
                let packet = packet(of(source), of(destination), port);
                let found = |not: Direction, admits: &dyn Fn(&Selectors) -> bool| {
                    let first = list
                        .iter()
                        .find(|(_, policy)| policy.direction != not && admits(&policy.selectors));
                    first.map(|((_, id), _)| *id)
                };
                prop_assert_eq!(
                    spd.outbound(&packet).map(|(id, _)| id),
                    found(Direction::Inbound, &|selectors| selectors.admit_outbound(&packet))
                );
                prop_assert_eq!(
                    spd.inbound(&packet).map(|(id, _)| id),
                    found(Direction::Outbound, &|selectors| selectors.admit_inbound(&packet))
                );
            }
            prop_assert_eq!(spd.len(), list.len());
            for ((_, id), _) in list {
                spd.remove(id);
            }
            prop_assert!(spd.is_empty() && spd.tables.is_empty());
        }
    }

    //= RFC 4301 section 5.2
    #[test]
    fn what_must_be_protected_may_not_come_in_the_clear() {
        let mut sad_children = crate::sad::Sad::test_children();
        let (child, other) = (sad_children(), sad_children());
        let mut spd = Spd::new();
        let remote = TrafficSelector::host(v4(7));
        let policy = |order, remote, action| Policy {
            order,
            selectors: Selectors {
                local: Vec::from([TrafficSelector::ANY_V4]),
                remote: Vec::from([remote]),
            },
            action,
            direction: Direction::Both,
        };
        spd.insert(policy(1, remote, Action::Protect(child)));
        spd.insert(policy(2, TrafficSelector::subnet(v4(0), 24), Action::Bypass));
        spd.insert(policy(3, TrafficSelector::ANY_V4, Action::Discard));
        let from = |bits| packet(v4(bits), v4(1000), 1);
        assert!(spd.admit_inbound(&from(7), Some(child)));
        assert!(!spd.admit_inbound(&from(7), Some(other)), "in another child's SA");
        assert!(!spd.admit_inbound(&from(7), None), "in the clear");
        assert!(spd.admit_inbound(&from(8), None));
        assert!(!spd.admit_inbound(&from(8), Some(child)));
        for way in [None, Some(child)] {
            assert!(!spd.admit_inbound(&from(256), way), "discarded");
        }
    }
}
