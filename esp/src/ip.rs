//! The IP packet inside: as much of it as selectors, padding removal and DSCP need.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::packet::NextHeader;

/// What policy sees of an IP packet: RFC 4301 section 4.4.1.1.
///
/// ```
/// use adit_esp::ip::{IpPacket, Upper};
/// use adit_esp::NextHeader;
///
/// let udp = [
///     0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, // IPv4
///     0x10, 0x00, 0x00, 0x35, 0, 8, 0, 0, // UDP from port 4096 to port 53
/// ];
/// let packet = IpPacket::parse(&udp)?;
/// assert_eq!(packet.total_len, 28);
/// assert_eq!(packet.protocol, NextHeader::UDP);
/// assert_eq!(packet.upper, Upper::Ports { source: 4096, destination: 53 });
/// # Ok::<(), adit_esp::ip::IpError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IpPacket {
    /// Source address; also says whether this is IPv4 or IPv6.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// The protocol behind the IP header and, for IPv6, its extension headers.
    pub protocol: NextHeader,
    /// What the protocol shows of itself.
    pub upper: Upper,
    /// Length of the packet in bytes as its header says; what lies behind is not part of it.
    pub total_len: usize,
    /// Bytes in front of the upper protocol: IP header with options or extension headers.
    pub header_len: usize,
    /// DSCP (high six bits) and ECN (low two).
    pub traffic_class: u8,
    /// True if the packet must not be fragmented on its way: IPv4's DF; always true for IPv6.
    pub dont_fragment: bool,
    /// Whether the packet is a fragment.
    pub fragment: Fragment,
}

/// Which part of a datagram an IP packet is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fragment {
    /// All of it.
    Whole,
    /// The first fragment, with the upper protocol's header.
    First,
    /// Another fragment, without it.
    Later {
        /// Where in the datagram it begins, in bytes; a multiple of 8.
        offset: u16,
    },
}

impl Fragment {
    #[inline]
    /// From the header's fields: the offset in units of 8 bytes, 13 bits of it.
    fn new(offset: u16, more: bool) -> Self {
        match (offset, more) {
            (0, false) => Self::Whole,
            (0, true) => Self::First,
            _ => Self::Later { offset: offset << 3 },
        }
    }

    /// True for a fragment that is not the first, and so shows nothing of the upper protocol.
    #[inline]
    pub const fn is_later(self) -> bool {
        matches!(self, Self::Later { .. })
    }
}

/// What selectors can see of the protocol above IP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Upper {
    /// The ports of TCP, UDP, UDP-Lite, SCTP or DCCP.
    Ports {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
    },
    /// The type and the code of an ICMP message.
    Icmp {
        /// The message's type.
        kind: u8,
        /// The message's code.
        code: u8,
    },
    /// The type of a mobility header.
    Mobility(u8),
    /// The protocol has nothing of that kind.
    Nothing,
    /// The protocol has it, but it cannot be seen here: a fragment that is not the first, or a payload
    /// too short. RFC 4301 calls this OPAQUE.
    Opaque,
}

impl IpPacket {
    /// Reads the headers of the IP packet at the front of `bytes`, which may be longer than the packet.
    ///
    /// # Errors
    /// If `bytes` does not start with a whole IPv4 or IPv6 packet.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self, IpError> {
        match bytes.first().map(|first| first >> 4) {
            Some(6) => Self::parse_v6(bytes),
            _ => Self::parse_v4(bytes),
        }
    }

    /// Like [`Self::parse`], for what was announced to be IPv4.
    #[inline]
    fn parse_v4(bytes: &[u8]) -> Result<Self, IpError> {
        let header = HeaderV4::parse(bytes)?;
        let (source, destination) = header.addresses();
        let Above { protocol, upper, fragment } = header.above(bytes);
        let HeaderV4 { fixed, header_len, total_len } = header;
        Ok(Self {
            source: Ipv4Addr::from_bits(source).into(),
            destination: Ipv4Addr::from_bits(destination).into(),
            protocol,
            upper,
            total_len,
            header_len,
            traffic_class: fixed[1],
            dont_fragment: fixed[6] & 0x40 != 0,
            fragment,
        })
    }

    /// Like [`Self::parse`], for what was announced to be IPv6.
    #[inline]
    fn parse_v6(bytes: &[u8]) -> Result<Self, IpError> {
        let header = HeaderV6::parse(bytes)?;
        let (source, destination) = header.addresses();
        let Above { protocol, upper, fragment } = header.above();
        let HeaderV6 { fixed, packet, chain } = header;
        Ok(Self {
            source: Ipv6Addr::from_bits(source).into(),
            destination: Ipv6Addr::from_bits(destination).into(),
            protocol,
            upper,
            total_len: packet.len(),
            header_len: chain.at,
            traffic_class: fixed[0] << 4 | fixed[1] >> 4,
            dont_fragment: true,
            fragment,
        })
    }
}

impl IpPacket {
    /// False for an IPv6 fragment that begins within extension headers, so that [`Self::protocol`] names one
    /// of those and not what is above IP.
    pub(crate) const fn shows_protocol(&self) -> bool {
        !(self.fragment.is_later() && self.source.is_ipv6() && self.protocol.is_extension_header())
    }
}

/// What a packet shows of the protocol above IP.
#[derive(Clone, Copy)]
pub(crate) struct Above {
    pub(crate) protocol: NextHeader,
    pub(crate) upper: Upper,
    pub(crate) fragment: Fragment,
}

/// An IPv4 header whose lengths are right.
///
/// A packet that was just decrypted is admitted by this and not by an [`IpPacket`]: an `IpAddr` is written to
/// memory in pieces and read back as a whole, and such a read waits until the pieces, and all the
/// decryption's writes before them, have reached the cache.
pub(crate) struct HeaderV4<'a> {
    /// The header without options.
    fixed: &'a [u8; 20],
    header_len: usize,
    pub(crate) total_len: usize,
}

impl<'a> HeaderV4<'a> {
    #[inline(always)]
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, IpError> {
        let Some(fixed) = bytes.first_chunk::<20>() else {
            check_version(bytes, 4)?;
            return Err(IpError::truncated(bytes));
        };
        // Nearly all headers have no options, and show it in the byte that shows the version.
        let header_len = match fixed[0] {
            0x45 => 20,
            _ => Self::long_header_len(bytes)?,
        };
        let total_len = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        if total_len < header_len {
            return Err(IpError { offset: 2, problem: IpProblem::TotalLength });
        }
        if total_len > bytes.len() {
            return Err(IpError::truncated(bytes));
        }
        Ok(Self { fixed, header_len, total_len })
    }

    #[inline(never)]
    fn long_header_len(bytes: &[u8]) -> Result<usize, IpError> {
        check_version(bytes, 4)?;
        match bytes.first().map_or(0, |first| usize::from(first & 0x0f) * 4) {
            ..20 => Err(IpError { offset: 0, problem: IpProblem::HeaderLength }),
            len => Ok(len),
        }
    }

    /// Source and destination.
    #[inline(always)]
    pub(crate) fn addresses(&self) -> (u32, u32) {
        let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *self.fixed;
        (u32::from_be_bytes([s0, s1, s2, s3]), u32::from_be_bytes([d0, d1, d2, d3]))
    }

    /// What lies behind the header, in the bytes that this was read from.
    #[inline(always)]
    pub(crate) fn above(&self, bytes: &[u8]) -> Above {
        Above::read_v4(self.fixed, &bytes[self.header_len..self.total_len])
    }
}

/// An IPv6 header, the whole packet, and where its extension headers end.
pub(crate) struct HeaderV6<'a> {
    fixed: &'a [u8; 40],
    pub(crate) packet: &'a [u8],
    chain: Chain,
}

impl<'a> HeaderV6<'a> {
    #[inline]
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, IpError> {
        check_version(bytes, 6)?;
        let fixed: &[u8; 40] = bytes.first_chunk().ok_or_else(|| IpError::truncated(bytes))?;
        let total_len = 40 + usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
        let packet = bytes.get(..total_len).ok_or_else(|| IpError::truncated(bytes))?;
        Ok(Self { fixed, packet, chain: Chain::walk(packet, NextHeader(fixed[6]))? })
    }

    /// Source and destination.
    #[inline]
    pub(crate) fn addresses(&self) -> (u128, u128) {
        let (addresses, _) = self.fixed[8..].as_chunks::<16>();
        (u128::from_be_bytes(addresses[0]), u128::from_be_bytes(addresses[1]))
    }

    /// What lies behind the extension headers.
    pub(crate) fn above(&self) -> Above {
        let Chain { protocol, at, fragment } = self.chain;
        let upper = Upper::read(protocol, &self.packet[at..], fragment.is_later());
        Above { protocol, upper, fragment }
    }
}

impl Above {
    /// By itself, because only selectors with protocols or ports ask.
    #[inline(never)]
    fn read_v4(fixed: &[u8; 20], payload: &[u8]) -> Self {
        let flags = u16::from_be_bytes([fixed[6], fixed[7]]);
        let fragment = Fragment::new(flags & 0x1fff, flags & 0x2000 != 0);
        let protocol = NextHeader(fixed[9]);
        Self { protocol, upper: Upper::read(protocol, payload, fragment.is_later()), fragment }
    }
}

fn check_version(bytes: &[u8], expected: u8) -> Result<(), IpError> {
    match bytes.first().map(|first| first >> 4) {
        Some(version) if version == expected => Ok(()),
        Some(version) => Err(IpError { offset: 0, problem: IpProblem::Version(version) }),
        None => Err(IpError { offset: 0, problem: IpProblem::Truncated }),
    }
}

impl Upper {
    #[inline]
    fn read(protocol: NextHeader, payload: &[u8], later_fragment: bool) -> Self {
        match protocol {
            NextHeader::TCP
            | NextHeader::UDP
            | NextHeader::UDP_LITE
            | NextHeader::SCTP
            | NextHeader::DCCP => match payload.first_chunk() {
                Some(&[s0, s1, d0, d1]) if !later_fragment => Self::Ports {
                    source: u16::from_be_bytes([s0, s1]),
                    destination: u16::from_be_bytes([d0, d1]),
                },
                _ => Self::Opaque,
            },
            NextHeader::ICMP | NextHeader::ICMPV6 => match payload.first_chunk() {
                Some(&[kind, code]) if !later_fragment => Self::Icmp { kind, code },
                _ => Self::Opaque,
            },
            NextHeader::MOBILITY => match payload.get(2) {
                Some(&kind) if !later_fragment => Self::Mobility(kind),
                _ => Self::Opaque,
            },
            _ => Self::Nothing,
        }
    }
}

/// Where a chain of IPv6 extension headers ends.
struct Chain {
    protocol: NextHeader,
    /// Offset of the upper protocol, at most the packet's length.
    at: usize,
    fragment: Fragment,
}

impl Chain {
    /// Follows the extension headers of the whole IPv6 packet `packet` from the first one's type.
    ///
    /// Each header is at least 8 bytes long, so the walk ends within the packet.
    fn walk(packet: &[u8], first: NextHeader) -> Result<Self, IpError> {
        let mut chain = Self { protocol: first, at: 40, fragment: Fragment::Whole };
        loop {
            let len = match chain.protocol {
                NextHeader::HOP_BY_HOP
                | NextHeader::ROUTING
                | NextHeader::DESTINATION_OPTIONS
                | NextHeader::HIP
                | NextHeader::SHIM6 => chain.length_octet(packet)? * 8 + 8,
                //= RFC 4302 section 2.2: AH counts in 4-octet units, minus 2.
                NextHeader::AH => chain.length_octet(packet)? * 4 + 8,
                NextHeader::FRAGMENT => 8,
                _ => return Ok(chain),
            };
            let header = packet
                .get(chain.at..chain.at + len)
                .ok_or(IpError { offset: chain.at, problem: IpProblem::Truncated })?;
            if chain.protocol == NextHeader::FRAGMENT {
                let offset_and_more = u16::from_be_bytes([header[2], header[3]]);
                chain.fragment = Fragment::new(offset_and_more >> 3, offset_and_more & 1 != 0);
            }
            chain.protocol = NextHeader(header[0]);
            chain.at += len;
            if chain.fragment.is_later() {
                // What follows is the middle of something, not a header.
                return Ok(chain);
            }
        }
    }

    fn length_octet(&self, packet: &[u8]) -> Result<usize, IpError> {
        packet
            .get(self.at + 1)
            .map(|len| usize::from(*len))
            .ok_or(IpError { offset: self.at, problem: IpProblem::Truncated })
    }
}

/// Bytes that are no IP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IpError {
    /// Offset of the field that is wrong, or at which bytes are missing.
    pub offset: usize,
    /// What is wrong.
    pub problem: IpProblem,
}

/// What makes bytes no IP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum IpProblem {
    /// The packet ends before its headers or its length field say.
    Truncated,
    /// Neither IPv4 nor IPv6, or not the one that was announced.
    Version(u8),
    /// IPv4: the header is shorter than 20 bytes.
    HeaderLength,
    /// IPv4: the total length is less than the header's.
    TotalLength,
    /// More extension headers than are kept track of.
    HeaderTooLong,
    /// A fragment, where only a whole packet will do.
    Fragment,
}

impl IpError {
    #[cold]
    fn truncated(bytes: &[u8]) -> Self {
        Self { offset: bytes.len(), problem: IpProblem::Truncated }
    }
}

impl fmt::Display for IpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            IpProblem::Truncated => f.write_str("truncated")?,
            IpProblem::Version(version) => write!(f, "unexpected IP version {version}")?,
            IpProblem::HeaderLength => f.write_str("IPv4 header length under 20 bytes")?,
            IpProblem::HeaderTooLong => f.write_str("too long a chain of headers")?,
            IpProblem::Fragment => f.write_str("fragment instead of a whole packet")?,
            IpProblem::TotalLength => f.write_str("IPv4 total length under the header's")?,
        }
        write!(f, " at offset {}", self.offset)
    }
}

impl core::error::Error for IpError {}
