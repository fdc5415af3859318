//! Packets that are too big for the tunnel, and what their sender is told: RFC 4301 section 8,
//! RFC 1191, RFC 8201.

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::checksum::internet_checksum;
use crate::ip::IpPacket;
use crate::packet::NextHeader;

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
