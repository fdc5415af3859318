//! Packets that are too big for the tunnel, what their sender is told, and how long a packet the path
//! carries: RFC 4301 section 8, RFC 1191, RFC 8201.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use adit_platform::Instant;

use crate::checksum::internet_checksum;
use crate::ip::IpPacket;
use crate::packet::{NextHeader, Spi};

/// The least MTU that an IPv6 link has, and so the least that its senders are told: RFC 8200 section 5.
pub(crate) const MIN_MTU_V6: usize = 1280;
/// The least MTU of an IPv4 link: RFC 791.
const MIN_MTU_V4: usize = 68;

/// Where packets that are too long for the path, and may be fragmented, are: RFC 4301 section 8.2.1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fragmentation {
    /// Before they are sealed: each fragment is an ESP packet of its own that the path carries whole, and
    /// it is the inner packet's receiver that reassembles. Nobody on the path has to keep fragments.
    Inner,
    /// After: the packet is sealed whole, and the peer's IP stack reassembles the ESP packet before it is
    /// opened (RFC 4303 section 3.4.1).
    Outer,
}

/// What is to become of an inner packet, given the longest that the path carries in one piece.
///
/// ```
/// use adit_esp::ip::IpPacket;
/// use adit_esp::pmtu::{Fragmentation, Passage};
///
/// let mut packet = vec![0; 1500];
/// packet[..20].copy_from_slice(&[
///     0x45, 0, 5, 220, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
/// ]);
/// let headers = IpPacket::parse(&packet)?;
/// assert_eq!(Passage::of(&headers, 1500, Fragmentation::Inner), Passage::Fits);
/// assert_eq!(Passage::of(&headers, 1400, Fragmentation::Inner), Passage::TooBig { mtu: 1400 });
/// # Ok::<(), adit_esp::ip::IpError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passage {
    /// Seal it.
    Fits,
    /// Fragment it before it is sealed:
    /// [`Fragments::of_inner`](crate::fragment::Fragments::of_inner).
    FragmentInner {
        /// The longest fragment, in bytes.
        mtu: usize,
    },
    /// Seal it, and fragment the packet around it:
    /// [`Fragments::of_outer`](crate::fragment::Fragments::of_outer).
    FragmentOuter,
    /// Drop it, and tell its sender: [`too_big`].
    TooBig {
        /// The longest inner packet, in bytes, as its sender is to be told.
        mtu: usize,
    },
}

impl Passage {
    /// Decides for a packet, by `mtu`, the longest inner packet in bytes:
    /// [`Outbound::max_payload`](crate::Outbound::max_payload) of what the path carries.
    ///
    /// A packet that no link needs to refuse (IPv6 up to 1,280 bytes, IPv4 up to 68) is never too big,
    /// because no sender has to make smaller ones: what is fragmented is the packet around it.
    pub fn of(packet: &IpPacket, mtu: usize, fragmentation: Fragmentation) -> Self {
        if packet.total_len <= mtu {
            return Self::Fits;
        }
        let mtu = mtu.max(if packet.source.is_ipv6() { MIN_MTU_V6 } else { MIN_MTU_V4 });
        match fragmentation {
            _ if packet.total_len <= mtu => Self::FragmentOuter,
            _ if packet.dont_fragment => Self::TooBig { mtu },
            Fragmentation::Inner => Self::FragmentInner { mtu },
            Fragmentation::Outer => Self::FragmentOuter,
        }
    }
}

/// The ICMP message for the sender of `packet`, a whole IP packet that is longer than `mtu`: Fragmentation
/// Needed (RFC 1191 section 4) or Packet Too Big (RFC 4443 section 3.2), with its IP header.
///
/// `router` is the address that it comes from, on our protected side and of the packet's family. `None`
/// if the packet is none that may be answered: RFC 1122 section 3.2.2 and RFC 4443 section 2.4 forbid it
/// for ICMP errors, later fragments, multicast and packets without a proper source.
pub fn too_big(packet: &[u8], mtu: usize, router: IpAddr) -> Option<Vec<u8>> {
    let headers = IpPacket::parse(packet).ok()?;
    let packet = packet.get(..headers.total_len)?;
    if !may_be_answered(packet, &headers) {
        return None;
    }
    match (router, headers.source) {
        (IpAddr::V4(router), IpAddr::V4(sender)) => {
            // As much of the packet as makes 576 bytes in all: RFC 1812 section 4.3.2.3.
            let quoted = &packet[..packet.len().min(576 - 28)];
            let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
            let mut message = Vec::with_capacity(28 + quoted.len());
            message.extend([0x45, 0xc0]);
            message.extend((28 + quoted.len() as u16).to_be_bytes());
            message.extend([0, 0, 0, 0, 64, NextHeader::ICMP.0, 0, 0]);
            message.extend(router.octets());
            message.extend(sender.octets());
            let sum = internet_checksum(&[&message]);
            message[10..12].copy_from_slice(&sum.to_be_bytes());
            message.extend([3, 4, 0, 0, 0, 0]);
            message.extend(mtu.to_be_bytes());
            message.extend(quoted);
            let sum = internet_checksum(&[&message[20..]]);
            message[22..24].copy_from_slice(&sum.to_be_bytes());
            Some(message)
        }
        (IpAddr::V6(router), IpAddr::V6(sender)) => {
            // As much of the packet as fits the least MTU.
            let quoted = &packet[..packet.len().min(MIN_MTU_V6 - 48)];
            let len = 8 + quoted.len() as u16;
            let mut message = Vec::with_capacity(48 + quoted.len());
            message.extend([0x60, 0, 0, 0]);
            message.extend(len.to_be_bytes());
            message.extend([NextHeader::ICMPV6.0, 64]);
            message.extend(router.octets());
            message.extend(sender.octets());
            message.extend([2, 0, 0, 0]);
            message.extend(u32::try_from(mtu).unwrap_or(u32::MAX).to_be_bytes());
            message.extend(quoted);
            let pseudo = [0, NextHeader::ICMPV6.0, (len >> 8) as u8, len as u8];
            let sum = internet_checksum(&[&message[8..40], &pseudo, &message[40..]]);
            message[42..44].copy_from_slice(&sum.to_be_bytes());
            Some(message)
        }
        _ => None,
    }
}

fn may_be_answered(packet: &[u8], headers: &IpPacket) -> bool {
    let from_one = match headers.source {
        IpAddr::V4(source) => {
            !(source.is_unspecified()
                || source.is_multicast()
                || source.is_broadcast()
                || source.is_loopback())
        }
        IpAddr::V6(source) => {
            !(source.is_unspecified() || source.is_multicast() || source.is_loopback())
        }
    };
    //= RFC 4443 section 2.4: Packet Too Big is sent for multicast as well, to learn its path MTU.
    let to_one = headers.source.is_ipv6()
        || !(headers.destination.is_multicast()
            || headers.destination == IpAddr::V4(core::net::Ipv4Addr::BROADCAST));
    let is_error = match headers.protocol {
        // Echo, router discovery, timestamps, information and address masks are not errors.
        NextHeader::ICMP => packet
            .get(headers.header_len)
            .is_none_or(|kind| !matches!(kind, 0 | 8 | 9 | 10 | 13..=18)),
        NextHeader::ICMPV6 => packet.get(headers.header_len).is_none_or(|kind| *kind < 128),
        _ => false,
    };
    from_one && to_one && !is_error && !headers.fragment.is_later()
}

/// How long a packet the path to a peer carries whole, as far as is known.
///
/// It starts with what the link carries, goes down when a router says so, and up again when that is long
/// ago: paths change. What is believed has a lower bound, because nobody authenticates routers: RFC 4301
/// section 6.1.1.
///
/// ```
/// use adit_esp::pmtu::PathMtu;
/// use adit_platform::Instant;
/// use core::time::Duration;
///
/// let now = Instant::from_origin(Duration::ZERO);
/// let mut path = PathMtu::new(1500, 576);
/// assert!(path.report(now, 1400));
/// assert_eq!(path.current(now), 1400);
/// assert!(path.report(now, 100), "a lie, or a strange link");
/// assert_eq!(path.current(now), 576);
/// assert_eq!(path.current(now + PathMtu::LIFETIME), 1500);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PathMtu {
    link: usize,
    minimum: usize,
    reported: usize,
    reported_at: Instant,
}

impl PathMtu {
    /// How long a report is believed: RFC 1191 section 6.3, RFC 8201 section 4.
    pub const LIFETIME: Duration = Duration::from_secs(600);

    /// A path of which no more is known than the `link` to it, in bytes of IP packet. It is never believed to
    /// carry less than `minimum`: where that is wrong, packets are fragmented on their way or lost.
    pub const fn new(link: usize, minimum: usize) -> Self {
        let minimum = if minimum < link { minimum } else { link };
        Self { link, minimum, reported: link, reported_at: Instant::from_origin(Duration::ZERO) }
    }

    /// Takes a router's word that it carries no more than `mtu` bytes: [`TooBigReport`]. Returns whether
    /// that changes anything.
    pub fn report(&mut self, now: Instant, mtu: usize) -> bool {
        let before = self.current(now);
        //= RFC 8201 section 4: a report must never make the estimate greater.
        let reported = mtu.max(self.minimum);
        if reported >= before {
            return false;
        }
        (self.reported, self.reported_at) = (reported, now);
        true
    }

    /// Takes the word of the host, which is believed in both directions, that its link carries `link` bytes. What
    /// routers said of the way behind it stands.
    pub fn set_link(&mut self, link: usize) {
        let link = link.max(self.minimum);
        if self.reported >= self.link.min(link) {
            self.reported = link;
        }
        self.link = link;
    }

    /// The longest packet in bytes, outer headers included.
    pub fn current(&self, now: Instant) -> usize {
        let is_old = now >= self.reported_at + Self::LIFETIME;
        if is_old { self.link } else { self.reported }
    }

    /// When what a router said ceases to be believed; `None` if nothing is.
    pub fn expires(&self, now: Instant) -> Option<Instant> {
        let at = self.reported_at + Self::LIFETIME;
        (self.reported < self.link && now < at).then_some(at)
    }
}

/// What a router says about an ESP packet of ours that was too big for it. It is not authenticated, so that
/// the SPI and a [`PathMtu`] with a minimum are all that keeps a liar off: RFC 4301 sections 6.1.1 and 8.2.
///
/// ```
/// use adit_esp::Spi;
/// use adit_esp::pmtu::TooBigReport;
///
/// let message = [
///     0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 198, 51, 100, 1, 192, 0, 2, 1, // IPv4
///     3, 4, 0, 0, 0, 0, 0x05, 0x14, // fragmentation needed, 1,300 bytes
///     0x45, 0, 5, 220, 0, 0, 0x40, 0, 64, 50, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, // our packet
///     0xc0, 0xff, 0xee, 0x01, 0, 0, 0, 9, // its SPI and sequence number
/// ];
/// let report = TooBigReport::parse(&message).expect("it is one");
/// assert_eq!((report.spi, report.mtu), (Spi(0xc0ff_ee01), 1300));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooBigReport {
    /// The SPI of the packet: the outbound SA's.
    pub spi: Spi,
    /// Where the packet went.
    pub destination: IpAddr,
    /// The longest packet that the router carries on, in bytes; less than the packet had.
    pub mtu: usize,
}

impl TooBigReport {
    /// Reads `message`, a whole IP packet from the unprotected side. `None` if it is no such report, or not
    /// about ESP, bare or in UDP on port 4500, from the address that the message went to.
    pub fn parse(message: &[u8]) -> Option<Self> {
        let headers = IpPacket::parse(message).ok()?;
        let icmp = message.get(headers.header_len..headers.total_len)?;
        let (head, quoted) = icmp.split_first_chunk::<8>()?;
        let &[kind, code, .., m0, m1, m2, m3] = head;
        let mtu = match (headers.protocol, kind, code) {
            //= RFC 1191 section 4: the low half, the high one is unused.
            (NextHeader::ICMP, 3, 4) => usize::from(u16::from_be_bytes([m2, m3])),
            //= RFC 4443 section 3.2
            (NextHeader::ICMPV6, 2, _) => {
                usize::try_from(u32::from_be_bytes([m0, m1, m2, m3])).ok()?
            }
            _ => return None,
        };
        let quoted = Quoted::read(quoted)?;
        if quoted.source != headers.destination {
            return None;
        }
        // A router older than RFC 1191 says nothing: the next plateau of its section 7.1.
        let mtu =
            if mtu == 0 { *PLATEAUS.iter().find(|plateau| **plateau < quoted.len)? } else { mtu };
        let Quoted { spi, destination, len, .. } = quoted;
        (mtu < len).then_some(Self { spi, destination, mtu })
    }
}

/// The MTUs that links have: RFC 1191 section 7.1.
const PLATEAUS: [usize; 10] = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, MIN_MTU_V4];

/// The front of an ESP packet of ours, as a router quotes it.
struct Quoted {
    source: IpAddr,
    destination: IpAddr,
    spi: Spi,
    len: usize,
}

impl Quoted {
    fn read(bytes: &[u8]) -> Option<Self> {
        let address = |at: usize, len: usize| {
            let octets = bytes.get(at..at + len)?;
            match octets {
                [a, b, c, d] => Some(IpAddr::from([*a, *b, *c, *d])),
                _ => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
            }
        };
        let field = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let (source, destination, protocol, header_len, len) = match bytes.first()? >> 4 {
            4 => {
                let header_len = Some(usize::from(bytes[0] & 15) * 4).filter(|len| *len >= 20)?;
                let protocol = NextHeader(*bytes.get(9)?);
                (address(12, 4)?, address(16, 4)?, protocol, header_len, field(2)?.into())
            }
            // Ours have no extension headers.
            6 => {
                let protocol = NextHeader(*bytes.get(6)?);
                (address(8, 16)?, address(24, 16)?, protocol, 40, 40 + usize::from(field(4)?))
            }
            _ => return None,
        };
        let upper = bytes.get(header_len..)?;
        let esp = match protocol {
            NextHeader::ESP => upper,
            NextHeader::UDP => {
                let ports = [[upper.first()?, upper.get(1)?], [upper.get(2)?, upper.get(3)?]];
                let port = crate::encap::PORT.to_be_bytes();
                let is_ours = ports.iter().any(|[high, low]| [**high, **low] == port);
                upper.get(8..).filter(|_| is_ours)?
            }
            _ => return None,
        };
        let spi = Spi::of_packet(esp).filter(|spi| !spi.is_reserved())?;
        Some(Self { source, destination, spi, len })
    }
}
