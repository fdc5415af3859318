//! The outer IP and UDP headers, for hosts that build them themselves, and what passes between outer and
//! inner header: RFC 4301 section 5.1.2, RFC 6040, RFC 3948.

use core::fmt;
use core::net::IpAddr;
use core::ops::Range;

use crate::checksum::{internet_checksum, updated};
use crate::error::SealError;
use crate::ip::IpPacket;
use crate::packet::NextHeader;
use crate::pmtu::MIN_MTU_V6;

/// How the header around an ESP packet is built.
///
/// A host that sends through a UDP socket has no use for this: its system builds the headers.
///
/// ```
/// use adit_esp::ip::IpPacket;
/// use adit_esp::outer::OuterHeader;
/// use core::net::Ipv4Addr;
///
/// let outer = OuterHeader::new(Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::new(192, 0, 2, 2).into());
/// let inner = [0x45, 0x03, 0, 20, 0, 0, 0x40, 0, 64, 0, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
/// let inner = IpPacket::parse(&inner)?;
/// let mut buf = [0; 20 + 64];
/// let packet = outer.write(&inner, 7, &mut buf, 20..84).expect("room is left");
/// let written = IpPacket::parse(&buf[packet])?;
/// assert_eq!((written.total_len, written.traffic_class), (84, 3));
/// # Ok::<(), adit_esp::ip::IpError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct OuterHeader {
    /// Where packets come from; of the same family as the destination.
    pub source: IpAddr,
    /// Where packets go to.
    pub destination: IpAddr,
    /// The DSCP. Copied from the inner header unless changed.
    pub dscp: Dscp,
    /// The ECN field. In normal mode unless changed.
    pub ecn: EcnMode,
    /// IPv4's DF bit. Copied from the inner header unless changed.
    pub dont_fragment: DontFragment,
    /// Time to live, or hop limit. 64 unless changed.
    pub hop_limit: u8,
    /// Source and destination port of UDP encapsulation. None unless changed.
    pub udp: Option<(u16, u16)>,
}

/// Where the outer header's DSCP comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dscp {
    /// From the inner header: what class a packet has can be seen from outside.
    Copy,
    /// Always this one, 0 to 63.
    Fixed(u8),
}

/// How the outer header's ECN field is set: RFC 6040 section 4.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EcnMode {
    /// Copied from the inner header: for a peer that gives heed to it, which RFC 4301 asks for.
    Normal,
    /// Not-ECT: for a peer that does not.
    Compatibility,
}

/// Where the outer IPv4 header's DF bit comes from: RFC 4301 section 8.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DontFragment {
    /// From the inner header. IPv6 has no such bit and is never fragmented on its way: it counts as set
    /// for packets of more than 1,280 bytes, whose sender can be told to send smaller ones, and as clear
    /// for the others (RFC 4213 section 3.2.2).
    Copy,
    /// Always set.
    Set,
    /// Never set.
    Clear,
}

const UDP_LEN: usize = 8;

impl OuterHeader {
    /// A header without UDP encapsulation.
    pub const fn new(source: IpAddr, destination: IpAddr) -> Self {
        Self {
            source,
            destination,
            dscp: Dscp::Copy,
            ecn: EcnMode::Normal,
            dont_fragment: DontFragment::Copy,
            hop_limit: 64,
            udp: None,
        }
    }

    /// Bytes that the headers take in front of an ESP packet: 20 or 40, and 8 for UDP.
    pub const fn len(&self) -> usize {
        let ip = if self.source.is_ipv4() { 20 } else { 40 };
        if self.udp.is_some() { ip + UDP_LEN } else { ip }
    }

    /// Always false: there is no empty header.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Writes the headers in front of the ESP packet that lies at `esp` in `buf`, and says where the
    /// whole packet lies then. `inner` is the packet inside, as it was before it was sealed;
    /// `identification` goes into an IPv4 header, and must not repeat soon where DF is not set.
    ///
    /// # Errors
    /// If there is no room in front, `esp` is not in `buf`, or the packet becomes too long for IP.
    pub fn write(
        &self,
        inner: &IpPacket,
        identification: u16,
        buf: &mut [u8],
        esp: Range<usize>,
    ) -> Result<Range<usize>, SealError> {
        let start = esp
            .start
            .checked_sub(self.len())
            .ok_or(SealError::Headroom { needed: self.len(), available: esp.start })?;
        let out_of_bounds = SealError::OutOfBounds { end: esp.end, buffer: buf.len() };
        let packet = buf.get_mut(start..esp.end).ok_or(out_of_bounds)?;
        let total = packet.len();
        let traffic_class = self.traffic_class(inner);
        let protocol = if self.udp.is_some() { NextHeader::UDP } else { NextHeader::ESP };
        let too_long = SealError::TooLong { packet: total };
        let header_len = match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let header: &mut [u8; 20] = packet.first_chunk_mut().ok_or(out_of_bounds)?;
                let total = u16::try_from(total).map_err(|_| too_long)?;
                let dont_fragment = match self.dont_fragment {
                    DontFragment::Copy if inner.source.is_ipv6() => inner.total_len > MIN_MTU_V6,
                    DontFragment::Copy => inner.dont_fragment,
                    DontFragment::Set => true,
                    DontFragment::Clear => false,
                };
                header[0] = 0x45;
                header[1] = traffic_class;
                header[2..4].copy_from_slice(&total.to_be_bytes());
                header[4..6].copy_from_slice(&identification.to_be_bytes());
                header[6..8].copy_from_slice(&[if dont_fragment { 0x40 } else { 0 }, 0]);
                header[8..12].copy_from_slice(&[self.hop_limit, protocol.0, 0, 0]);
                header[12..16].copy_from_slice(&source.octets());
                header[16..20].copy_from_slice(&destination.octets());
                let checksum = internet_checksum(&[header]);
                header[10..12].copy_from_slice(&checksum.to_be_bytes());
                20
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let header: &mut [u8; 40] = packet.first_chunk_mut().ok_or(out_of_bounds)?;
                let payload = u16::try_from(total - 40).map_err(|_| too_long)?;
                header[..4]
                    .copy_from_slice(&(6 << 28 | u32::from(traffic_class) << 20).to_be_bytes());
                header[4..6].copy_from_slice(&payload.to_be_bytes());
                header[6..8].copy_from_slice(&[protocol.0, self.hop_limit]);
                header[8..24].copy_from_slice(&source.octets());
                header[24..40].copy_from_slice(&destination.octets());
                40
            }
            _ => return Err(SealError::MixedFamilies),
        };
        if let Some(ports) = self.udp {
            self.write_udp(&mut packet[header_len..], ports, too_long)?;
        }
        Ok(start..esp.end)
    }

    fn traffic_class(&self, inner: &IpPacket) -> u8 {
        let dscp = match self.dscp {
            Dscp::Copy => inner.traffic_class & !ECN,
            Dscp::Fixed(dscp) => dscp << 2,
        };
        match self.ecn {
            EcnMode::Normal => dscp | inner.traffic_class & ECN,
            EcnMode::Compatibility => dscp,
        }
    }

    /// Writes the UDP header at the front of `datagram`: RFC 3948 section 2.1.
    fn write_udp(
        &self,
        datagram: &mut [u8],
        (source, destination): (u16, u16),
        too_long: SealError,
    ) -> Result<(), SealError> {
        let len = u16::try_from(datagram.len()).map_err(|_| too_long)?;
        let header: &mut [u8; UDP_LEN] = datagram.first_chunk_mut().ok_or(too_long)?;
        header[..2].copy_from_slice(&source.to_be_bytes());
        header[2..4].copy_from_slice(&destination.to_be_bytes());
        header[4..6].copy_from_slice(&len.to_be_bytes());
        header[6..].fill(0);
        //= RFC 3948 section 2.1: zero for IPv4. IPv6 has no other checksum, and asks for this one.
        if let (IpAddr::V6(from), IpAddr::V6(to)) = (self.source, self.destination) {
            let pseudo = [0, NextHeader::UDP.0, (len >> 8) as u8, len as u8];
            let sum = internet_checksum(&[&from.octets(), &to.octets(), &pseudo, datagram]);
            // A computed zero is sent as its other form, because zero stands for no checksum.
            let sum = if sum == 0 { u16::MAX } else { sum };
            datagram[6..8].copy_from_slice(&sum.to_be_bytes());
        }
        Ok(())
    }
}

/// The ECN field within a traffic class.
const ECN: u8 = 0b11;
const NOT_ECT: u8 = 0b00;
const ECT_1: u8 = 0b01;
const CE: u8 = 0b11;

/// Carries congestion that the outer header of a tunnel-mode packet has met over to the inner packet:
/// RFC 6040 section 4.2. `inner` is the inner IP packet, `outer` the outer header's traffic class.
///
/// # Errors
/// If the packet met congestion and its sender knows only loss as a sign of it: drop the packet.
///
/// ```
/// use adit_esp::outer::{Congested, decapsulate_ecn};
///
/// let mut inner = [0x45, 0x02, 0, 20, 0, 0, 0, 0, 64, 17, 0x66, 0xd2, 10, 0, 0, 1, 10, 0, 0, 2];
/// decapsulate_ecn(&mut inner, 0b11)?;
/// assert_eq!(inner[1] & 0b11, 0b11);
/// inner[1] = 0;
/// assert_eq!(decapsulate_ecn(&mut inner, 0b11), Err(Congested));
/// # Ok::<(), Congested>(())
/// ```
pub fn decapsulate_ecn(inner: &mut [u8], outer: u8) -> Result<(), Congested> {
    let Ok(packet) = IpPacket::parse(inner) else { return Ok(()) };
    let class = packet.traffic_class;
    //= RFC 6040 section 4.2, figure 4
    let ecn = match (class & ECN, outer & ECN) {
        (NOT_ECT, CE) => return Err(Congested),
        (NOT_ECT, _) => NOT_ECT,
        (_, CE) => CE,
        (CE, _) => CE,
        (_, ECT_1) => ECT_1,
        (inner, _) => inner,
    };
    if ecn != class & ECN {
        set_traffic_class(inner, class & !ECN | ecn);
    }
    Ok(())
}

/// Changes the traffic class of an IP packet that was parsed before, and IPv4's checksum with it.
fn set_traffic_class(packet: &mut [u8], class: u8) {
    match packet {
        [first, second, ..] if *first >> 4 == 6 => {
            *first = 0x60 | class >> 4;
            *second = class << 4 | *second & 0x0f;
        }
        [first, old, _, _, _, _, _, _, _, _, high, low, ..] => {
            let checksum =
                updated(u16::from_be_bytes([*high, *low]), &[*first, *old], &[*first, class]);
            *old = class;
            [*high, *low] = checksum.to_be_bytes();
        }
        _ => {}
    }
}

/// A packet whose sender does not use ECN met congestion in the tunnel, and must be dropped: RFC 6040
/// section 4.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Congested;

impl fmt::Display for Congested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("congestion met by a packet whose sender only understands loss")
    }
}

impl core::error::Error for Congested {}
