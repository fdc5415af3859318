//! The Traffic Selector payloads, RFC 7296 section 3.13.

use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::{DecodeError, DecodeErrorKind, EncodeError};
use super::limits::MAX_SELECTORS;
use super::reader::Reader;
use super::registry::TsType;
use super::writer::Writer;

/// TSi or TSr: which traffic an SA is for, on one side.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrafficSelectors {
    /// The selectors; traffic matches if it matches any of them.
    pub selectors: Vec<Selector>,
}

/// One Traffic Selector as it stands on the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selector {
    /// A range of addresses, TS_IPV4_ADDR_RANGE or TS_IPV6_ADDR_RANGE.
    Range(TrafficSelector),
    /// A type that this crate does not know; ignored when narrowing (RFC 7296 section 2.9).
    Unknown {
        /// The type.
        ts_type: TsType,
        /// The second octet (IP protocol in the known types).
        second: u8,
        /// What follows the length.
        body: Vec<u8>,
    },
}

/// Packets by address range, IP protocol and port range.
///
/// ```
/// use adit_ikev2::wire::TrafficSelector;
/// use core::net::IpAddr;
///
/// let net = TrafficSelector::subnet(IpAddr::from([192, 0, 2, 77]), 24).unwrap();
/// assert_eq!(net.to_string(), "192.0.2.0-192.0.2.255");
/// assert!(net.contains(IpAddr::from([192, 0, 2, 1]), 17, Some(53)));
/// assert!(!net.contains(IpAddr::from([192, 0, 3, 1]), 17, Some(53)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrafficSelector {
    protocol: u8,
    start_port: u16,
    end_port: u16,
    addresses: AddressRange,
}

/// An inclusive range of addresses of one family; the start is not above the end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AddressRange {
    start: IpAddr,
    end: IpAddr,
}

impl AddressRange {
    /// The addresses from `start` to `end`, both included; nothing if the families differ or `start` is
    /// above `end`.
    pub fn new(start: IpAddr, end: IpAddr) -> Option<Self> {
        (start.is_ipv4() == end.is_ipv4() && start <= end).then_some(Self { start, end })
    }

    /// The addresses of a subnet; bits of `address` beyond `prefix` bits are ignored. Nothing if `prefix`
    /// is longer than the address.
    pub fn subnet(address: IpAddr, prefix: u8) -> Option<Self> {
        match address {
            IpAddr::V4(v4) => {
                let host = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
                let start = v4.to_bits() & !host;
                (prefix <= 32).then(|| Self {
                    start: Ipv4Addr::from_bits(start).into(),
                    end: Ipv4Addr::from_bits(start | host).into(),
                })
            }
            IpAddr::V6(v6) => {
                let host = u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
                let start = v6.to_bits() & !host;
                (prefix <= 128).then(|| Self {
                    start: Ipv6Addr::from_bits(start).into(),
                    end: Ipv6Addr::from_bits(start | host).into(),
                })
            }
        }
    }

    /// The lowest address.
    pub const fn start(self) -> IpAddr {
        self.start
    }

    /// The highest address.
    pub const fn end(self) -> IpAddr {
        self.end
    }

    /// True if `address` is in the range.
    pub fn contains(self, address: IpAddr) -> bool {
        // Families compare as V4 < V6, and both ends are of one family.
        self.start <= address && address <= self.end
    }

    /// The addresses that are in both; nothing if there is none.
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }
}

impl TrafficSelector {
    /// Any IP protocol.
    pub const ANY_PROTOCOL: u8 = 0;

    /// All traffic of all IPv4 addresses.
    pub const ANY_V4: Self = Self::any(AddressRange {
        start: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        end: IpAddr::V4(Ipv4Addr::BROADCAST),
    });

    /// All traffic of all IPv6 addresses.
    pub const ANY_V6: Self = Self::any(AddressRange {
        start: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        end: IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)),
    });

    /// All traffic of these addresses.
    pub const fn any(addresses: AddressRange) -> Self {
        Self { protocol: Self::ANY_PROTOCOL, start_port: 0, end_port: u16::MAX, addresses }
    }

    /// All traffic of a subnet; nothing if `prefix` is longer than the address.
    pub fn subnet(address: IpAddr, prefix: u8) -> Option<Self> {
        AddressRange::subnet(address, prefix).map(Self::any)
    }

    /// All traffic of one address.
    pub const fn host(address: IpAddr) -> Self {
        Self::any(AddressRange { start: address, end: address })
    }

    /// This selector for one IP protocol only (0 is any).
    pub const fn with_protocol(self, protocol: u8) -> Self {
        Self { protocol, ..self }
    }

    /// This selector for the ports from `start` to `end` only. For ICMP and ICMPv6 the upper octet is the
    /// type and the lower one the code. Nothing if `start` is above `end`, but for OPAQUE (65535, 0):
    /// packets whose ports cannot be seen.
    pub const fn with_ports(self, start: u16, end: u16) -> Option<Self> {
        if start <= end || (start == u16::MAX && end == 0) {
            Some(Self { start_port: start, end_port: end, ..self })
        } else {
            None
        }
    }

    /// The IP protocol; 0 is any.
    pub const fn protocol(self) -> u8 {
        self.protocol
    }

    /// The lowest and the highest port.
    pub const fn ports(self) -> (u16, u16) {
        (self.start_port, self.end_port)
    }

    /// The addresses.
    pub const fn addresses(self) -> AddressRange {
        self.addresses
    }

    /// True if any port matches, also of packets that have none.
    pub const fn is_any_port(self) -> bool {
        self.start_port == 0 && self.end_port == u16::MAX
    }

    /// True for the port range OPAQUE: only packets whose ports cannot be seen match.
    pub const fn is_opaque_port(self) -> bool {
        self.start_port == u16::MAX && self.end_port == 0
    }

    /// True if a packet with this address, IP protocol and port on the selector's side matches. `port` is
    /// `None` when the packet has none or it cannot be seen (fragments, unknown protocols).
    pub fn contains(self, address: IpAddr, protocol: u8, port: Option<u16>) -> bool {
        let port_matches = match port {
            Some(port) => self.start_port <= port && port <= self.end_port,
            None => self.is_any_port() || self.is_opaque_port(),
        };
        self.addresses.contains(address)
            && (self.protocol == Self::ANY_PROTOCOL || self.protocol == protocol)
            && port_matches
    }

    /// The traffic that matches both; nothing if there is none.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let addresses = self.addresses.intersection(other.addresses)?;
        let protocol = match (self.protocol, other.protocol) {
            (a, Self::ANY_PROTOCOL) => a,
            (Self::ANY_PROTOCOL, b) => b,
            (a, b) if a == b => a,
            _ => return None,
        };
        let (start_port, end_port) = match (self.is_opaque_port(), other.is_opaque_port()) {
            (true, _) if other.is_any_port() || other.is_opaque_port() => self.ports(),
            (_, true) if self.is_any_port() => other.ports(),
            (false, false) => {
                (self.start_port.max(other.start_port), self.end_port.min(other.end_port))
            }
            _ => return None,
        };
        let opaque = self.is_opaque_port() || other.is_opaque_port();
        (opaque || start_port <= end_port).then_some(Self {
            protocol,
            start_port,
            end_port,
            addresses,
        })
    }

    /// True if all traffic of `other` matches this selector too.
    pub fn covers(self, other: Self) -> bool {
        self.intersection(other) == Some(other)
    }
}

impl TrafficSelectors {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = usize::from(reader.u8("number of TSs")?);
        reader.array::<3>("TS payload")?;
        debug_assert!(usize::from(u8::MAX) <= MAX_SELECTORS);
        let mut selectors = Vec::new();
        for _ in 0..count {
            selectors.push(Selector::parse(reader)?);
        }
        reader.finish("TS payload")?;
        Ok(Self { selectors })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.len8(self.selectors.len(), "number of TSs")?;
        writer.bytes(&[0; 3]);
        self.selectors.iter().try_for_each(|selector| selector.encode(writer))
    }

    /// The selectors of known types.
    pub fn ranges(&self) -> impl Iterator<Item = TrafficSelector> + '_ {
        self.selectors.iter().filter_map(|selector| match selector {
            Selector::Range(range) => Some(*range),
            Selector::Unknown { .. } => None,
        })
    }
}

impl FromIterator<TrafficSelector> for TrafficSelectors {
    fn from_iter<I: IntoIterator<Item = TrafficSelector>>(iter: I) -> Self {
        Self { selectors: iter.into_iter().map(Selector::Range).collect() }
    }
}

impl Selector {
    fn parse(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let ts_type = TsType(reader.u8("TS type")?);
        let second = reader.u8("IP protocol ID")?;
        let Some(len) = usize::from(reader.u16("selector length")?).checked_sub(4) else {
            return Err(start.error(DecodeErrorKind::BadLength, "selector length"));
        };
        let mut body = reader.sub(len, "Traffic Selector")?;
        let addr_len = match ts_type {
            TsType::IPV4_ADDR_RANGE => 4,
            TsType::IPV6_ADDR_RANGE => 16,
            _ => return Ok(Self::Unknown { ts_type, second, body: body.rest().into() }),
        };
        if len != 4 + 2 * addr_len {
            return Err(start.error(DecodeErrorKind::BadLength, "selector length"));
        }
        let bad = |what| start.error(DecodeErrorKind::BadValue, what);
        let (start_port, end_port) = (body.u16("start port")?, body.u16("end port")?);
        let addresses = AddressRange::new(
            address(&mut body, ts_type, "starting address")?,
            address(&mut body, ts_type, "ending address")?,
        )
        .ok_or_else(|| bad("address range"))?;
        TrafficSelector::any(addresses)
            .with_protocol(second)
            .with_ports(start_port, end_port)
            .map(Self::Range)
            .ok_or_else(|| bad("port range"))
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.measured(2, "Traffic Selector", |writer| {
            match self {
                Self::Range(range) => {
                    writer.u8(TsType::of(range.addresses.start).0);
                    writer.u8(range.protocol);
                    writer.u16(0);
                    writer.u16(range.start_port);
                    writer.u16(range.end_port);
                    for address in [range.addresses.start, range.addresses.end] {
                        match address {
                            IpAddr::V4(v4) => writer.bytes(&v4.octets()),
                            IpAddr::V6(v6) => writer.bytes(&v6.octets()),
                        }
                    }
                }
                Self::Unknown { ts_type, second, body } => {
                    writer.u8(ts_type.0);
                    writer.u8(*second);
                    writer.u16(0);
                    writer.bytes(body);
                }
            }
            Ok(())
        })
    }
}

impl TsType {
    fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::IPV4_ADDR_RANGE } else { Self::IPV6_ADDR_RANGE }
    }
}

fn address(
    reader: &mut Reader<'_>,
    ts_type: TsType,
    what: &'static str,
) -> Result<IpAddr, DecodeError> {
    if ts_type == TsType::IPV4_ADDR_RANGE {
        reader.array::<4>(what).map(IpAddr::from)
    } else {
        reader.array::<16>(what).map(IpAddr::from)
    }
}

impl fmt::Display for TrafficSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.addresses.start, self.addresses.end)?;
        if self.protocol != Self::ANY_PROTOCOL {
            write!(f, " protocol {}", self.protocol)?;
        }
        if self.is_opaque_port() {
            f.write_str(" ports opaque")?;
        } else if !self.is_any_port() {
            write!(f, " ports {}-{}", self.start_port, self.end_port)?;
        }
        Ok(())
    }
}

impl fmt::Debug for TrafficSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
