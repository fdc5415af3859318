//! Traffic selectors: which packets belong into an SA. RFC 4301 section 4.4.1.1, RFC 7296 section 3.13.

use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ip::{IpPacket, Upper};
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
    /// Only packets whose ports cannot be seen: RFC 7296 section 3.13.1.
    pub const OPAQUE: Self = Self { start: u16::MAX, end: 0 };

    /// The one port.
    pub const fn single(port: u16) -> Self {
        Self { start: port, end: port }
    }

    /// Whether a port, or one that cannot be seen (`None`), is in the range.
    #[inline]
    fn contains(self, port: Option<u16>) -> bool {
        match port {
            Some(port) => self.start <= port && port <= self.end,
            //= RFC 7296 section 3.13.1: ANY includes OPAQUE.
            None => self == Self::ANY || self == Self::OPAQUE,
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

    /// Whether an address and a protocol are in the set, whatever the port.
    #[inline(always)]
    fn contains(&self, address: IpAddr, protocol: NextHeader) -> bool {
        let within = match (self.start, self.end, address) {
            (IpAddr::V4(start), IpAddr::V4(end), IpAddr::V4(address)) => {
                (start.to_bits()..=end.to_bits()).contains(&address.to_bits())
            }
            (IpAddr::V6(start), IpAddr::V6(end), IpAddr::V6(address)) => {
                (start.to_bits()..=end.to_bits()).contains(&address.to_bits())
            }
            _ => false,
        };
        within && self.protocol.is_none_or(|own| own == protocol)
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
    #[inline(always)]
    pub fn admit_inbound(&self, packet: &IpPacket) -> bool {
        admit(&self.remote, &self.local, packet)
    }
}

#[inline(always)]
fn admit(sources: &[TrafficSelector], destinations: &[TrafficSelector], packet: &IpPacket) -> bool {
    let (source_port, destination_port) = match packet.upper {
        Upper::Ports { source, destination } => (Some(source), Some(Some(destination))),
        //= RFC 4301 section 4.4.1.3: what has one "port" only is asked of its sender's end: the local
        // one says what may be sent, the remote one what may be received.
        Upper::Icmp { kind, code } => (Some(u16::from_be_bytes([kind, code])), None),
        Upper::Mobility(kind) => (Some(u16::from_be_bytes([kind, 0])), None),
        Upper::Nothing | Upper::Opaque => (None, Some(None)),
    };
    let source = sources.iter().any(|selector| {
        selector.contains(packet.source, packet.protocol) && selector.ports.contains(source_port)
    });
    source
        && destinations.iter().any(|selector| {
            selector.contains(packet.destination, packet.protocol)
                && destination_port.is_none_or(|port| selector.ports.contains(port))
        })
}
