//! Packets that are too big for the tunnel, and what their sender is told: RFC 4301 section 8,
//! RFC 1191, RFC 8201.

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::ip::{Fragment, IpPacket, internet_checksum};
use crate::packet::NextHeader;

/// The least MTU that an IPv6 link has, and so the least that its senders are told: RFC 8200 section 5.
const MIN_MTU_V6: usize = 1280;
/// The least MTU of an IPv4 link: RFC 791.
const MIN_MTU_V4: usize = 68;

/// What is to become of an inner packet, given the longest that the tunnel can carry whole.
///
/// ```
/// use adit_esp::ip::IpPacket;
/// use adit_esp::pmtu::Passage;
///
/// let mut packet = vec![0; 1500];
/// packet[..20].copy_from_slice(&[
///     0x45, 0, 5, 220, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
/// ]);
/// let headers = IpPacket::parse(&packet)?;
/// assert_eq!(Passage::of(&headers, 1500), Passage::Fits);
/// assert_eq!(Passage::of(&headers, 1400), Passage::TooBig { mtu: 1400 });
/// # Ok::<(), adit_esp::ip::IpError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passage {
    /// Seal it.
    Fits,
    /// It may be fragmented: before it is sealed, into IPv4 fragments of at most this length, or after,
    /// as policy says.
    Fragment {
        /// The longest inner packet, in bytes.
        mtu: usize,
    },
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
    /// An IPv6 packet up to 1,280 bytes is never too big, because no sender has to make smaller ones: it
    /// fits, and it is the ESP packet around it that must be fragmented.
    pub fn of(packet: &IpPacket, mtu: usize) -> Self {
        let is_v6 = packet.source.is_ipv6();
        let mtu = mtu.max(if is_v6 { MIN_MTU_V6 } else { MIN_MTU_V4 });
        if packet.total_len <= mtu {
            Self::Fits
        } else if packet.dont_fragment {
            Self::TooBig { mtu }
        } else {
            Self::Fragment { mtu }
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
    from_one && to_one && !is_error && headers.fragment != Fragment::Later
}
