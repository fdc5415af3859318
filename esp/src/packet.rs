//! The ESP packet format: RFC 4303 section 2.
//!
//! ```text
//! | SPI | sequence number | IV | payload | TFC padding | padding | pad length | next header | ICV |
//!   4     4                 iv                           0..=255   1            1             icv
//! ```

use core::fmt;

/// Bytes of the SPI and the sequence number in front of every ESP packet.
pub const HEADER_LEN: usize = 8;

/// Bytes of pad length and next header behind the padding.
pub(crate) const TRAILER_LEN: usize = 2;

/// The longest ESP packet in bytes: what the 16-bit payload length of an IPv6 header can say.
pub const MAX_PACKET_LEN: usize = 65_535;

/// A security parameters index: RFC 4303 section 2.1.
///
/// ```
/// use adit_esp::Spi;
///
/// let spi = Spi(0xc0ff_ee01);
/// assert_eq!(spi.to_string(), "0xc0ffee01");
/// assert!(!spi.is_reserved());
/// assert!(Spi(255).is_reserved());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spi(pub u32);

impl Spi {
    /// The SPI of an ESP packet, if `packet` is long enough to have one.
    ///
    /// Nothing is checked but the length: this is for steering a packet to its SA.
    pub fn of_packet(packet: &[u8]) -> Option<Self> {
        packet.first_chunk().map(|spi| Self(u32::from_be_bytes(*spi)))
    }

    /// True for 0, which never appears on the wire, and 1 to 255, which IANA keeps for itself.
    pub const fn is_reserved(self) -> bool {
        self.0 <= 255
    }
}

impl fmt::Display for Spi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

impl fmt::Debug for Spi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spi({self})")
    }
}

/// An IP protocol number, as the Next Header field carries it: RFC 4303 section 2.6.
///
/// ```
/// use adit_esp::NextHeader;
///
/// assert_eq!(NextHeader::IPV6.to_string(), "IPv6");
/// assert_eq!(NextHeader(200).to_string(), "200");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHeader(pub u8);

impl NextHeader {
    /// IPv6 hop-by-hop options.
    pub const HOP_BY_HOP: Self = Self(0);
    /// ICMP for IPv4.
    pub const ICMP: Self = Self(1);
    /// An IPv4 packet: tunnel mode.
    pub const IPV4: Self = Self(4);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// An IPv6 packet: tunnel mode.
    pub const IPV6: Self = Self(41);
    /// IPv6 routing header.
    pub const ROUTING: Self = Self(43);
    /// IPv6 fragment header.
    pub const FRAGMENT: Self = Self(44);
    /// ESP itself.
    pub const ESP: Self = Self(50);
    /// The authentication header, RFC 4302.
    pub const AH: Self = Self(51);
    /// ICMP for IPv6.
    pub const ICMPV6: Self = Self(58);
    /// Nothing follows: a dummy packet, RFC 4303 section 2.6.
    pub const NONE: Self = Self(59);
    /// IPv6 destination options.
    pub const DESTINATION_OPTIONS: Self = Self(60);
    /// Mobility header, RFC 6275.
    pub const MOBILITY: Self = Self(135);
    /// UDP-Lite.
    pub const UDP_LITE: Self = Self(136);
    /// DCCP.
    pub const DCCP: Self = Self(33);
    /// SCTP.
    pub const SCTP: Self = Self(132);
    /// Host identity protocol, RFC 7401.
    pub const HIP: Self = Self(139);
    /// Shim6, RFC 5533.
    pub const SHIM6: Self = Self(140);
    /// Aggregated and fragmented IP packets, RFC 9347.
    pub const AGGFRAG: Self = Self(144);

    /// True for IPv6 extension headers, which stand in front of the protocol above IP: RFC 8200 section 4.
    pub(crate) const fn is_extension_header(self) -> bool {
        matches!(
            self,
            Self::HOP_BY_HOP
                | Self::ROUTING
                | Self::FRAGMENT
                | Self::AH
                | Self::DESTINATION_OPTIONS
                | Self::HIP
                | Self::SHIM6
        )
    }

    const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::HOP_BY_HOP => "hop-by-hop options",
            Self::ICMP => "ICMP",
            Self::IPV4 => "IPv4",
            Self::TCP => "TCP",
            Self::UDP => "UDP",
            Self::DCCP => "DCCP",
            Self::IPV6 => "IPv6",
            Self::ROUTING => "routing header",
            Self::FRAGMENT => "fragment header",
            Self::ESP => "ESP",
            Self::AH => "AH",
            Self::ICMPV6 => "ICMPv6",
            Self::NONE => "no next header",
            Self::DESTINATION_OPTIONS => "destination options",
            Self::SCTP => "SCTP",
            Self::MOBILITY => "mobility header",
            Self::UDP_LITE => "UDP-Lite",
            Self::HIP => "HIP",
            Self::SHIM6 => "Shim6",
            Self::AGGFRAG => "AGGFRAG",
            Self(_) => return None,
        })
    }
}

impl fmt::Display for NextHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for NextHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "NextHeader({} {name})", self.0),
            None => write!(f, "NextHeader({})", self.0),
        }
    }
}

/// The default padding 1, 2, 3, …: RFC 4303 section 2.4.
pub(crate) const PADDING: [u8; 255] = {
    let mut padding = [0; 255];
    let mut i = 0;
    while i < 255 {
        padding[i] = i as u8 + 1;
        i += 1;
    }
    padding
};

/// The first eight bytes of it, the first one lowest.
pub(crate) const PADDING_WORD: u64 = 0x0807_0605_0403_0201;

/// As much padding as fits into eight bytes with the trailer: all that suites but those with CBC need.
pub(crate) const SHORT_PADDING: usize = 8 - TRAILER_LEN;

/// Bytes of padding that bring `payload` and the trailer to a multiple of `align`, a power of two.
pub(crate) const fn pad_len(payload: usize, align: usize) -> usize {
    payload.wrapping_add(TRAILER_LEN).wrapping_neg() & (align - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    //= RFC 4303 section 2.4
    #[test]
    fn padding_aligns_the_trailer() {
        for align in [4, 16] {
            for payload in 0..64 {
                let pad = pad_len(payload, align);
                assert!(pad < align);
                assert_eq!((payload + pad + 2) % align, 0, "{payload} to {align}");
            }
        }
        assert_eq!(PADDING[..3], [1, 2, 3]);
        assert_eq!(PADDING[254], 255);
        assert_eq!(PADDING_WORD.to_le_bytes(), PADDING[..8]);
    }
}
