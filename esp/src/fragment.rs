//! Fragmentation of IP packets: RFC 791 and RFC 8200 section 4.5, where RFC 4301 section 8.2.1 has it done.
//!
//! Reassembly is done here nowhere. Fragments of an inner packet travel through the tunnel to that
//! packet's receiver; fragments of the packet around ESP are put together by the IP stack of the host
//! that opens it, before [`Inbound`](crate::Inbound) is given the whole.

use core::fmt;
use core::ops::Range;

use crate::checksum::internet_checksum;
use crate::ip::{Fragment, IpError, IpPacket};
use crate::packet::NextHeader;

/// The fragments of an IP packet, written one by one into a buffer of the caller's.
///
/// Whether there are to be any is [`Passage`](crate::pmtu::Passage)'s to say. A packet that fits is its
/// only fragment, unchanged.
///
/// ```
/// use adit_esp::fragment::{FragmentError, Fragments};
/// use adit_esp::{NextHeader, Outbound};
///
/// /// Seals an IPv4 packet in as many ESP packets as it takes.
/// fn send(sa: &mut Outbound, packet: &[u8], mtu: usize, mut transmit: impl FnMut(&[u8]))
///     -> Result<(), FragmentError>
/// {
///     let head = sa.headroom();
///     let mut buf = vec![0; head + mtu + sa.tailroom(mtu)];
///     let mut fragments = Fragments::of_inner(packet, mtu)?;
///     while let Some(len) = fragments.write_next(&mut buf[head..])? {
///         if let Ok(esp) = sa.seal(&mut buf, head..head + len, NextHeader::IPV4) {
///             transmit(&buf[esp]);
///         }
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Fragments<'a> {
    /// The whole packet.
    packet: &'a [u8],
    mtu: usize,
    /// Where the part that is distributed starts.
    data_at: usize,
    /// How much of it has been written.
    done: usize,
    finished: bool,
    family: Family,
}

#[derive(Clone, Debug)]
enum Family {
    V4 {
        /// The header of fragments but the first.
        later: [u8; 60],
        later_len: usize,
        /// Where the packet begins in its datagram, being a fragment itself.
        offset: usize,
        /// Fragments of the same datagram follow.
        more: bool,
    },
    V6 {
        /// Where the header in front of the fragment header says what follows it.
        next_field: usize,
        identification: u32,
    },
}

/// Fragments begin at multiples of this: RFC 791.
const UNIT: usize = 8;

/// Length of the IPv6 fragment header: RFC 8200 section 4.5.
const V6_FRAGMENT_LEN: usize = 8;

impl<'a> Fragments<'a> {
    /// Cuts up a packet on its way, which must be IPv4 without DF: what a router may fragment. None is
    /// longer than `mtu` bytes. `packet` may itself be a fragment, and longer than its header says.
    ///
    /// # Errors
    /// If it is no such packet, or `mtu` has no room for a header and eight bytes.
    pub fn of_inner(packet: &'a [u8], mtu: usize) -> Result<Self, FragmentError> {
        let headers = IpPacket::parse(packet).map_err(FragmentError::NotIp)?;
        if headers.dont_fragment {
            return Err(FragmentError::DontFragment);
        }
        Self::v4(&packet[..headers.total_len], &headers, mtu)
    }

    /// Cuts up a packet of our own, such as the one around an ESP packet: IPv4 without DF, or IPv6 that
    /// has no fragment header yet. None is longer than `mtu` bytes.
    ///
    /// `identification` is what IPv6 fragments of the packet have in common, and must not repeat between
    /// the same addresses while fragments may be on their way (RFC 7739 says how to choose it); IPv4 has
    /// its own in the header.
    ///
    /// # Errors
    /// Like [`Self::of_inner`].
    pub fn of_outer(
        packet: &'a [u8],
        mtu: usize,
        identification: u32,
    ) -> Result<Self, FragmentError> {
        let headers = IpPacket::parse(packet).map_err(FragmentError::NotIp)?;
        if headers.source.is_ipv4() {
            return Self::of_inner(packet, mtu);
        }
        let packet = &packet[..headers.total_len];
        let Some(Unfragmentable { len, next_field }) = Unfragmentable::find(packet) else {
            return Err(FragmentError::DontFragment);
        };
        Self {
            packet,
            mtu,
            data_at: len,
            done: 0,
            finished: false,
            family: Family::V6 { next_field, identification },
        }
        .checked(len + V6_FRAGMENT_LEN)
    }

    fn v4(packet: &'a [u8], headers: &IpPacket, mtu: usize) -> Result<Self, FragmentError> {
        let (header, data) = packet.split_at(headers.header_len);
        let (mut later, later_len) = later_header(header);
        // What is to be written into each is zero until then.
        later[10..12].fill(0);
        let offset = match headers.fragment {
            Fragment::Later { offset } => usize::from(offset),
            Fragment::Whole | Fragment::First => 0,
        };
        // A datagram has at most 65,535 bytes with its header; beyond that the offset would wrap.
        if offset + data.len() > usize::from(u16::MAX) {
            return Err(FragmentError::TooLong);
        }
        let more = header[6] & MORE_FRAGMENTS != 0;
        Self {
            packet,
            mtu,
            data_at: headers.header_len,
            done: 0,
            finished: false,
            family: Family::V4 { later, later_len, offset, more },
        }
        .checked(headers.header_len)
    }

    /// Sees to it that there is room for something behind the longest header.
    fn checked(self, header: usize) -> Result<Self, FragmentError> {
        let minimum = header + UNIT;
        if self.packet.len() > self.mtu && self.mtu < minimum {
            return Err(FragmentError::MtuTooSmall { mtu: self.mtu, minimum });
        }
        Ok(self)
    }

    /// Writes the next fragment to the front of `out` and says how long it is; `None` after the last.
    ///
    /// # Errors
    /// If `out` is too short for it; it can be asked for again.
    pub fn write_next(&mut self, out: &mut [u8]) -> Result<Option<usize>, FragmentError> {
        if self.finished {
            return Ok(None);
        }
        if self.packet.len() <= self.mtu {
            let out = room(out, self.packet.len())?;
            out.copy_from_slice(self.packet);
            self.finished = true;
            return Ok(Some(self.packet.len()));
        }
        let header_len = match &self.family {
            Family::V4 { later_len, .. } if self.done > 0 => *later_len,
            Family::V4 { .. } => self.data_at,
            Family::V6 { .. } => self.data_at + V6_FRAGMENT_LEN,
        };
        let data = self.next_data(header_len);
        let len = header_len + data.len();
        let out = room(out, len)?;
        let (header, body) = out.split_at_mut(header_len);
        body.copy_from_slice(&self.packet[self.data_at..][data.clone()]);
        let is_last = self.data_at + data.end == self.packet.len();
        self.write_header(header, data.clone(), is_last);
        self.done = data.end;
        self.finished = is_last;
        Ok(Some(len))
    }

    /// Which part of the data comes next, behind a header of this length.
    fn next_data(&self, header_len: usize) -> Range<usize> {
        let left = self.packet.len() - self.data_at - self.done;
        let space = self.mtu - header_len;
        let count = if left <= space { left } else { space & !(UNIT - 1) };
        self.done..self.done + count
    }

    fn write_header(&self, header: &mut [u8], data: Range<usize>, is_last: bool) {
        match &self.family {
            Family::V4 { later, offset, more, .. } => {
                if data.start == 0 {
                    header.copy_from_slice(&self.packet[..self.data_at]);
                } else {
                    header.copy_from_slice(&later[..header.len()]);
                }
                let total = (header.len() + data.len()) as u16;
                header[2..4].copy_from_slice(&total.to_be_bytes());
                let more = if *more || !is_last { MORE_FRAGMENTS } else { 0 };
                let units = ((offset + data.start) / UNIT) as u16;
                let [high, low] = units.to_be_bytes();
                header[6..8].copy_from_slice(&[more | high, low]);
                header[10..12].fill(0);
                let checksum = internet_checksum(&[header]);
                header[10..12].copy_from_slice(&checksum.to_be_bytes());
            }
            Family::V6 { next_field, identification } => {
                let (front, fragment) = header.split_at_mut(self.data_at);
                front.copy_from_slice(&self.packet[..self.data_at]);
                let payload = (front.len() - 40 + V6_FRAGMENT_LEN + data.len()) as u16;
                front[4..6].copy_from_slice(&payload.to_be_bytes());
                let next = core::mem::replace(&mut front[*next_field], NextHeader::FRAGMENT.0);
                // The offset in units of eight bytes stands above three bits: as bytes, that is itself.
                let offset_and_more = data.start as u16 | u16::from(!is_last);
                fragment[..2].copy_from_slice(&[next, 0]);
                fragment[2..4].copy_from_slice(&offset_and_more.to_be_bytes());
                fragment[4..8].copy_from_slice(&identification.to_be_bytes());
            }
        }
    }
}

/// IPv4's MF bit, in the byte in front of the offset's low half.
const MORE_FRAGMENTS: u8 = 0x20;

fn room(out: &mut [u8], needed: usize) -> Result<&mut [u8], FragmentError> {
    let available = out.len();
    out.get_mut(..needed).ok_or(FragmentError::Buffer { needed, available })
}

/// The header of an IPv4 fragment that is not the first, which has only the options that are copied:
/// RFC 791 section 3.1.
fn later_header(header: &[u8]) -> ([u8; 60], usize) {
    const END: u8 = 0;
    const NO_OPERATION: u8 = 1;
    const COPIED: u8 = 0x80;
    let (fixed, mut options) = header.split_at(20);
    let (mut later, mut len) = ([0; 60], 20);
    later[..20].copy_from_slice(fixed);
    while let [kind, rest @ ..] = options {
        if *kind == NO_OPERATION {
            options = rest;
            continue;
        }
        // An option that is not all there ends the list as its end does.
        let option_len = rest.first().map_or(0, |len| usize::from(*len));
        let Some((option, behind)) = options
            .split_at_checked(option_len)
            .filter(|(option, _)| *kind != END && option.len() >= 2)
        else {
            break;
        };
        if *kind & COPIED != 0 {
            later[len..len + option.len()].copy_from_slice(option);
            len += option.len();
        }
        options = behind;
    }
    // The zeros that fill the last word are the end of the list.
    let len = len.next_multiple_of(4);
    later[0] = 0x40 | (len / 4) as u8;
    (later, len)
}

/// What of an IPv6 packet goes in front of every fragment: the header and the extension headers up to the
/// routing header, or the hop-by-hop options. RFC 8200 section 4.5.
struct Unfragmentable {
    len: usize,
    /// Where its last header says what follows.
    next_field: usize,
}

impl Unfragmentable {
    /// `None` if the packet has a fragment header already. `packet` was parsed before.
    fn find(packet: &[u8]) -> Option<Self> {
        let mut found = Self { len: 40, next_field: 6 };
        let (mut at, mut field) = (40, 6);
        while let Some(
            header @ (NextHeader::HOP_BY_HOP
            | NextHeader::DESTINATION_OPTIONS
            | NextHeader::ROUTING
            | NextHeader::FRAGMENT),
        ) = packet.get(field).map(|next| NextHeader(*next))
        {
            if header == NextHeader::FRAGMENT {
                return None;
            }
            let len = usize::from(*packet.get(at + 1)?) * 8 + 8;
            (field, at) = (at, at + len);
            if header != NextHeader::DESTINATION_OPTIONS {
                found = Self { len: at, next_field: field };
            }
        }
        Some(found)
    }
}

/// A packet that is not fragmented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FragmentError {
    /// It is no whole IP packet.
    NotIp(IpError),
    /// It must not be: IPv4 with DF, IPv6 that is not our own, or that has a fragment header.
    DontFragment,
    /// A datagram that would be longer than one can be: the packet is a fragment whose offset is too high.
    TooLong,
    /// Behind the header there is no room for eight bytes.
    MtuTooSmall {
        /// What was asked for, in bytes.
        mtu: usize,
        /// The least that would do.
        minimum: usize,
    },
    /// The caller's buffer is too short for the next fragment.
    Buffer {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        available: usize,
    },
}

impl fmt::Display for FragmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotIp(error) => write!(f, "no IP packet to fragment: {error}"),
            Self::DontFragment => f.write_str("the packet must not be fragmented"),
            Self::TooLong => f.write_str("the fragment reaches beyond the longest datagram"),
            Self::MtuTooSmall { mtu, minimum } => {
                write!(f, "an MTU of {mtu} bytes is too small, {minimum} needed")
            }
            Self::Buffer { needed, available } => {
                write!(f, "buffer of {available} bytes for a fragment, {needed} needed")
            }
        }
    }
}

impl core::error::Error for FragmentError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NotIp(error) => Some(error),
            _ => None,
        }
    }
}
