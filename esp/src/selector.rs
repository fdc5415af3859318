//! Traffic selectors: which packets belong into an SA. RFC 4301 section 4.4.1.1, RFC 7296 section 3.13.
//!
//! A fragment without ports belongs into an SA for any ports (RFC 4301 section 7.1) or for opaque ones
//! (section 7.2). There is no stateful fragment checking (section 7.3): an SA for single ports takes none.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::icmp;
use crate::ip::{Above, Fragment, IpPacket, Upper};
use crate::packet::NextHeader;

/// A set of endpoints: an address range, a protocol and a port range.
///
/// ```
/// use adit_esp::selector::{PortRange, TrafficSelector};
/// use core::net::Ipv4Addr;
///
/// let subnet = TrafficSelector::subnet(Ipv4Addr::new(10, 88, 0, 0).into(), 16);
/// assert_eq!(subnet.to_string(), "10.88.0.0-10.88.255.255");
/// assert_eq!(subnet.ports, PortRange::ANY);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TrafficSelector {
    /// The first address.
    pub start: IpAddr,
    /// The last address, of the same family as the first.
    pub end: IpAddr,
    /// The protocol, or `None` for every one.
    pub protocol: Option<NextHeader>,
    /// Ports; for ICMP, type and code as `type << 8 | code`; for a mobility header, its type likewise.
    pub ports: PortRange,
}

/// A range of ports, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PortRange {
    /// The first port.
    pub start: u16,
    /// The last port.
    pub end: u16,
}

impl PortRange {
    /// Every port, also one that cannot be seen.
    pub const ANY: Self = Self { start: 0, end: u16::MAX };
    /// Only packets whose ports cannot be seen: RFC 7296 section 3.13.1. An SA for those alone carries
    /// fragments apart from the rest; an IPv4 fragment that begins in the first 128 bytes, and so might
    /// overwrite ports in reassembly, is none of them (RFC 4301 section 7.2 and appendix D.4).
    pub const OPAQUE: Self = Self { start: u16::MAX, end: 0 };

    /// The one port.
    pub const fn single(port: u16) -> Self {
        Self { start: port, end: port }
    }

    #[inline]
    fn has(self, port: u16) -> bool {
        self.start <= port && port <= self.end
    }

    /// Whether what the sender's end shows of the upper protocol is in the range.
    #[inline]
    fn admit_source<A: Address>(self, above: &Above) -> bool {
        let port = match above.upper {
            Upper::Ports { source, .. } => Some(source),
            Upper::Icmp { kind, code } => Some(u16::from_be_bytes([kind, code])),
            Upper::Mobility(kind) => Some(u16::from_be_bytes([kind, 0])),
            Upper::Nothing | Upper::Opaque => None,
        };
        self.contains::<A>(port, above.fragment)
    }

    /// Whether what the receiver's end shows of it is in the range.
    #[inline]
    fn admit_destination<A: Address>(self, above: &Above) -> bool {
        match above.upper {
            Upper::Ports { destination, .. } => {
                self.contains::<A>(Some(destination), above.fragment)
            }
            //= RFC 4301 section 4.4.1.3: what has one "port" only is asked of its sender's end: the local
            // one says what may be sent, the remote one what may be received.
            Upper::Icmp { .. } | Upper::Mobility(_) => true,
            Upper::Nothing | Upper::Opaque => self.contains::<A>(None, above.fragment),
        }
    }

    /// Whether a port, or one that cannot be seen (`None`), is in the range.
    #[inline]
    fn contains<A: Address>(self, port: Option<u16>, fragment: Fragment) -> bool {
        match port {
            Some(port) => self.has(port),
            //= RFC 7296 section 3.13.1: ANY includes OPAQUE.
            None => self == Self::ANY || self == Self::OPAQUE && !may_overlap_ports::<A>(fragment),
        }
    }
}

/// True for an IPv4 fragment that may write over what its datagram's first one shows.
fn may_overlap_ports<A: Address>(fragment: Fragment) -> bool {
    //= RFC 4301 section 7.2: a minimum offset check, with the offset of appendix D.4.
    const MINIMUM_OFFSET: u16 = 128;
    A::IS_V4 && matches!(fragment, Fragment::Later { offset } if offset < MINIMUM_OFFSET)
}

/// A traffic selector as it is compared: of one family, with addresses as numbers.
#[derive(Clone, Copy)]
struct Rule<A> {
    start: A,
    end: A,
    /// What is asked of the protocol above IP; `None` for a rule that takes every protocol and port.
    above: Option<(Option<NextHeader>, PortRange)>,
}

impl<A: Address> Rule<A> {
    /// `None` for a selector of the other family.
    #[inline(always)]
    fn of(selector: &TrafficSelector) -> Option<Self> {
        let TrafficSelector { protocol, ports, .. } = *selector;
        let (start, end) = A::range(selector)?;
        let takes_all = protocol.is_none() && ports == PortRange::ANY;
        Some(Self { start, end, above: if takes_all { None } else { Some((protocol, ports)) } })
    }

    #[inline(always)]
    fn has(&self, address: A) -> bool {
        self.start <= address && address <= self.end
    }

    /// Whether the rule takes every packet with this address.
    #[inline(always)]
    fn admits_all(&self, address: A) -> bool {
        self.has(address) && self.above.is_none()
    }

    #[inline(always)]
    fn admits(&self, address: A, above: &Above, has_port: fn(PortRange, &Above) -> bool) -> bool {
        self.has(address)
            && self.above.is_none_or(|(protocol, ports)| {
                protocol.is_none_or(|own| own == above.protocol)
                    && (ports == PortRange::ANY || has_port(ports, above))
            })
    }
}

/// An address as a number.
pub(crate) trait Address: Copy + PartialOrd {
    const IS_V4: bool;

    /// The first and the last address, if the selector is of this family.
    fn range(selector: &TrafficSelector) -> Option<(Self, Self)>;
}

impl Address for u32 {
    const IS_V4: bool = true;

    #[inline(always)]
    fn range(selector: &TrafficSelector) -> Option<(Self, Self)> {
        match (selector.start, selector.end) {
            (IpAddr::V4(start), IpAddr::V4(end)) => Some((start.to_bits(), end.to_bits())),
            _ => None,
        }
    }
}

impl Address for u128 {
    const IS_V4: bool = false;

    #[inline(always)]
    fn range(selector: &TrafficSelector) -> Option<(Self, Self)> {
        match (selector.start, selector.end) {
            (IpAddr::V6(start), IpAddr::V6(end)) => Some((start.to_bits(), end.to_bits())),
            _ => None,
        }
    }
}

impl TrafficSelector {
    /// Every IPv4 packet.
    pub const ANY_V4: Self =
        Self::range(IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::BROADCAST));
    /// Every IPv6 packet.
    pub const ANY_V6: Self =
        Self::range(IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)));

    /// All protocols and ports of the addresses from `start` to `end`, which are of one family.
    pub const fn range(start: IpAddr, end: IpAddr) -> Self {
        Self { start, end, protocol: None, ports: PortRange::ANY }
    }

    /// All protocols and ports of the one address.
    pub const fn host(address: IpAddr) -> Self {
        Self::range(address, address)
    }

    /// All protocols and ports of the subnet of `address` with a prefix of `bits`; bits beyond 32 or
    /// 128 count as that.
    pub fn subnet(address: IpAddr, bits: u8) -> Self {
        match address {
            IpAddr::V4(address) => {
                let host = u32::MAX.checked_shr(bits.into()).unwrap_or(0);
                let bits = address.to_bits();
                Self::range(
                    Ipv4Addr::from_bits(bits & !host).into(),
                    Ipv4Addr::from_bits(bits | host).into(),
                )
            }
            IpAddr::V6(address) => {
                let host = u128::MAX.checked_shr(bits.into()).unwrap_or(0);
                let bits = address.to_bits();
                Self::range(
                    Ipv6Addr::from_bits(bits & !host).into(),
                    Ipv6Addr::from_bits(bits | host).into(),
                )
            }
        }
    }

    /// Whether an address is in the range.
    fn has(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => Rule::of(self).is_some_and(|rule| rule.has(address.to_bits())),
            IpAddr::V6(address) => Rule::of(self).is_some_and(|rule| rule.has(address.to_bits())),
        }
    }
}

impl fmt::Display for TrafficSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.start)?;
        if self.start != self.end {
            write!(f, "-{}", self.end)?;
        }
        if let Some(protocol) = self.protocol {
            write!(f, "[{protocol}")?;
            match self.ports {
                PortRange::ANY => {}
                PortRange::OPAQUE => f.write_str("/opaque")?,
                PortRange { start, end } if start == end => write!(f, "/{start}")?,
                PortRange { start, end } => write!(f, "/{start}-{end}")?,
            }
            f.write_str("]")?;
        }
        Ok(())
    }
}

/// The traffic selectors of an SA pair, as negotiated: which packets may travel in it.
///
/// ```
/// use adit_esp::ip::IpPacket;
/// use adit_esp::selector::{Selectors, TrafficSelector};
/// use core::net::Ipv4Addr;
///
/// let client = Ipv4Addr::new(10, 99, 0, 7);
/// let selectors = Selectors {
///     local: vec![TrafficSelector::host(client.into())],
///     remote: vec![TrafficSelector::ANY_V4],
/// };
/// let ping = [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 10, 99, 0, 7, 10, 88, 0, 1, 8, 0, 0, 0, 0, 0, 0, 0];
/// let ping = IpPacket::parse(&ping)?;
/// assert!(selectors.admit_outbound(&ping));
/// assert!(!selectors.admit_inbound(&ping));
/// # Ok::<(), adit_esp::ip::IpError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selectors {
    /// Our end: sources of what we send, destinations of what we receive.
    pub local: Vec<TrafficSelector>,
    /// The peer's end.
    pub remote: Vec<TrafficSelector>,
}

impl Selectors {
    /// Every IPv4 and IPv6 packet.
    pub fn any() -> Self {
        let any = Vec::from([TrafficSelector::ANY_V4, TrafficSelector::ANY_V6]);
        Self { local: any.clone(), remote: any }
    }

    /// Whether a packet from our end to the peer's belongs into the SA.
    #[inline]
    pub fn admit_outbound(&self, packet: &IpPacket) -> bool {
        admit(&self.local, &self.remote, packet)
    }

    /// Whether a packet from the peer's end to ours belongs into the SA.
    #[inline]
    pub fn admit_inbound(&self, packet: &IpPacket) -> bool {
        admit(&self.remote, &self.local, packet)
    }

    /// Whether an ICMP error message from the peer's end, the whole IP packet, belongs into the SA although
    /// its own headers do not: because the packet that it reports went out by this SA, and its answer
    /// would come in by it. RFC 4301 section 6.2.
    ///
    /// ```
    /// use adit_esp::ip::IpPacket;
    /// use adit_esp::selector::{Selectors, TrafficSelector};
    ///
    /// let selectors = Selectors {
    ///     local: vec![TrafficSelector::host([10, 0, 0, 1].into())],
    ///     remote: vec![TrafficSelector::host([10, 9, 0, 9].into())],
    /// };
    /// // A router at 192.0.2.1 has no way to 10.9.0.9.
    /// let message = [
    ///     0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 10, 0, 0, 1, // IPv4
    ///     3, 1, 0, 0, 0, 0, 0, 0, // host unreachable
    ///     0x45, 0, 5, 0, 0, 0, 0, 0, 63, 17, 0, 0, 10, 0, 0, 1, 10, 9, 0, 9, // what it is about
    ///     0x10, 0, 0, 0x35, 4, 0xec, 0, 0,
    /// ];
    /// assert!(!selectors.admit_inbound(&IpPacket::parse(&message)?));
    /// assert!(selectors.admit_icmp_error(&message));
    /// # Ok::<(), adit_esp::ip::IpError>(())
    /// ```
    #[cold]
    pub fn admit_icmp_error(&self, message: &[u8]) -> bool {
        icmp::answer_to_reported(message).is_some_and(|answer| self.admit_inbound(&answer))
    }

    /// What an SA for `packet`, which leaves by a policy with these selectors, is to be negotiated for: the
    /// policy's values, or the packet's where `from_packet` says so. RFC 4301 section 4.4.2.2.
    ///
    /// `None` if the packet is not the policy's, or does not show what is to be taken from it: discard it.
    ///
    /// ```
    /// use adit_esp::ip::IpPacket;
    /// use adit_esp::selector::{PopulateFromPacket, Selectors, TrafficSelector};
    ///
    /// let policy = Selectors {
    ///     local: vec![TrafficSelector::ANY_V4],
    ///     remote: vec![TrafficSelector::subnet([192, 0, 2, 0].into(), 24)],
    /// };
    /// let packet = [0x45, 0, 0, 20, 0, 0, 0, 0, 64, 0, 0, 0, 10, 0, 0, 1, 192, 0, 2, 3];
    /// let packet = IpPacket::parse(&packet)?;
    /// let from_packet = PopulateFromPacket { remote_address: true, ..PopulateFromPacket::NOTHING };
    /// let sa = policy.populate(&packet, from_packet).expect("the policy is for it");
    /// assert_eq!(sa.local, [TrafficSelector::ANY_V4]);
    /// assert_eq!(sa.remote, [TrafficSelector::host([192, 0, 2, 3].into())]);
    /// # Ok::<(), adit_esp::ip::IpError>(())
    /// ```
    pub fn populate(&self, packet: &IpPacket, from_packet: PopulateFromPacket) -> Option<Self> {
        let PopulateFromPacket { local_address, remote_address, protocol, .. } = from_packet;
        //= RFC 4301 section 4.4.2.2: what is to be taken and is not available discards the packet.
        let wants_ports = from_packet.local_port || from_packet.remote_port;
        if packet.upper == Upper::Opaque && wants_ports
            || protocol && !packet.shows_protocol()
            || !self.admit_outbound(packet)
        {
            return None;
        }
        let (local_port, remote_port) = match packet.upper {
            Upper::Ports { source, destination } => (Some(source), Some(destination)),
            Upper::Icmp { kind, code } => (Some(u16::from_be_bytes([kind, code])), None),
            Upper::Mobility(kind) => (Some(u16::from_be_bytes([kind, 0])), None),
            Upper::Nothing | Upper::Opaque => (None, None),
        };
        let taken = |address, port: Option<u16>, take_address: bool, take_port: bool| Taken {
            address: take_address.then_some(address),
            port: port.filter(|_| take_port),
            protocol: packet.protocol,
            take_protocol: protocol,
        };
        let local = taken(packet.source, local_port, local_address, from_packet.local_port);
        let remote =
            taken(packet.destination, remote_port, remote_address, from_packet.remote_port);
        Some(Self { local: local.apply(&self.local), remote: remote.apply(&self.remote) })
    }
}

/// Which of an SA's selectors have their value from the packet that the SA is negotiated for, and not from
/// the policy: the PFP flags of RFC 4301 section 4.4.1.2.
///
/// An example stands at [`Selectors::populate`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PopulateFromPacket {
    /// The packet's source address.
    pub local_address: bool,
    /// The packet's destination address.
    pub remote_address: bool,
    /// The protocol above IP.
    pub protocol: bool,
    /// The source port, the ICMP type and code, or the type of the mobility header; nothing for protocols
    /// that have none of these.
    pub local_port: bool,
    /// The destination port, for protocols that have two.
    pub remote_port: bool,
}

impl PopulateFromPacket {
    /// Everything comes from the policy: one SA for all its packets.
    pub const NOTHING: Self = Self {
        local_address: false,
        remote_address: false,
        protocol: false,
        local_port: false,
        remote_port: false,
    };
    /// Everything comes from the packet: an SA for each connection.
    pub const EVERYTHING: Self = Self {
        local_address: true,
        remote_address: true,
        protocol: true,
        local_port: true,
        remote_port: true,
    };
}

/// What one end of an SA takes from a packet.
struct Taken {
    address: Option<IpAddr>,
    port: Option<u16>,
    protocol: NextHeader,
    take_protocol: bool,
}

impl Taken {
    /// The part of the policy's selectors that is left with these values in them.
    fn apply(&self, policy: &[TrafficSelector]) -> Vec<TrafficSelector> {
        let mut left = Vec::new();
        for selector in policy {
            let address = self.address.unwrap_or(selector.start);
            // A port means something only together with its protocol.
            let protocol = self.take_protocol || self.port.is_some();
            let fits = selector.has(address)
                && (!protocol || selector.protocol.is_none_or(|own| own == self.protocol))
                && self.port.is_none_or(|port| selector.ports.has(port));
            let (start, end) = match self.address {
                Some(address) => (address, address),
                None => (selector.start, selector.end),
            };
            let taken = TrafficSelector {
                start,
                end,
                protocol: if protocol { Some(self.protocol) } else { selector.protocol },
                ports: self.port.map_or(selector.ports, PortRange::single),
            };
            if fits && !left.contains(&taken) {
                left.push(taken);
            }
        }
        left
    }
}

#[inline]
fn admit(sources: &[TrafficSelector], destinations: &[TrafficSelector], packet: &IpPacket) -> bool {
    let IpPacket { protocol, upper, fragment, .. } = *packet;
    let above = Above { protocol, upper, fragment };
    match (packet.source, packet.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let addresses = (source.to_bits(), destination.to_bits());
            admit_rules(rules(sources), rules(destinations), addresses, &above)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let addresses = (source.to_bits(), destination.to_bits());
            admit_rules(rules(sources), rules(destinations), addresses, &above)
        }
        _ => false,
    }
}

#[inline(always)]
fn rules<A: Address>(selectors: &[TrafficSelector]) -> impl Iterator<Item = Rule<A>> {
    selectors.iter().filter_map(Rule::of)
}

/// Whether one of the first rules takes the source and one of the second the destination.
#[inline(always)]
fn admit_rules<A: Address>(
    mut sources: impl Iterator<Item = Rule<A>>,
    mut destinations: impl Iterator<Item = Rule<A>>,
    (source, destination): (A, A),
    above: &Above,
) -> bool {
    sources.any(|rule| rule.admits(source, above, PortRange::admit_source::<A>))
        && destinations
            .any(|rule| rule.admits(destination, above, PortRange::admit_destination::<A>))
}

/// Selectors of an inbound SA, taken apart once, so that each packet meets only those of its family.
pub(crate) struct InboundRules {
    pub(crate) v4: Ends<u32>,
    pub(crate) v6: Ends<u128>,
    /// As they were given, for ICMP errors.
    selectors: Selectors,
}

impl InboundRules {
    pub(crate) fn new(selectors: Selectors) -> Self {
        Self { v4: Ends::of(&selectors), v6: Ends::of(&selectors), selectors }
    }

    /// [`Selectors::admit_icmp_error`].
    pub(crate) fn admit_icmp_error(&self, message: &[u8]) -> bool {
        self.selectors.admit_icmp_error(message)
    }
}

/// The rules for both ends of a packet of one family.
pub(crate) struct Ends<A> {
    sources: Box<[Rule<A>]>,
    destinations: Box<[Rule<A>]>,
}

impl<A: Address> Ends<A> {
    /// What comes in was sent by the remote end.
    fn of(selectors: &Selectors) -> Self {
        Self {
            sources: rules(&selectors.remote).collect(),
            destinations: rules(&selectors.local).collect(),
        }
    }

    /// Whether a packet between these addresses is admitted whatever it carries: all that has to be known
    /// of most.
    #[inline(always)]
    pub(crate) fn admit_all(&self, (source, destination): (A, A)) -> bool {
        self.sources.iter().any(|rule| rule.admits_all(source))
            && self.destinations.iter().any(|rule| rule.admits_all(destination))
    }

    /// Whether a packet is admitted.
    #[inline(never)]
    pub(crate) fn admit(&self, addresses: (A, A), above: &Above) -> bool {
        let (sources, destinations) = (self.sources.iter(), self.destinations.iter());
        admit_rules(sources.copied(), destinations.copied(), addresses, above)
    }
}
