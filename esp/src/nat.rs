//! Transport mode behind a NAT: the checksums inside cover addresses that the packet has no more.
//! RFC 3948 section 3.1.2.

use core::net::IpAddr;

use crate::checksum::{internet_checksum, updated};
use crate::config::Mode;
use crate::error::SetupError;
use crate::inbound::Inbound;
use crate::ip::{Fragment, IpError, IpPacket};
use crate::packet::NextHeader;

/// What is done about the checksum of the packet inside a transport-mode packet that came through a NAT.
///
/// It is [`Inbound::with_checksum_repair`] that has it done for each packet.
///
/// ```
/// use adit_esp::nat::ChecksumRepair;
/// use core::net::Ipv4Addr;
///
/// // The peer sent from 10.0.0.1 to 10.0.0.2; on its way, that became 192.0.2.1 to 10.0.0.2.
/// let repair = ChecksumRepair::Original {
///     source: Ipv4Addr::new(10, 0, 0, 1).into(),
///     destination: Ipv4Addr::new(10, 0, 0, 2).into(),
/// };
/// let mut packet = [
///     0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 10, 0, 0, 2, // IPv4
///     0x10, 0, 0, 0x35, 0, 10, 0x7a, 0x40, 0x61, 0x62, // UDP, with its checksum before the NAT
/// ];
/// repair.apply(&mut packet)?;
/// assert_eq!(packet[26..28], [0xc2, 0x3f]);
/// # Ok::<(), adit_esp::ip::IpError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChecksumRepair {
    /// The checksum is changed by what the addresses have changed by, so that an error that the peer's
    /// host made is still found. TCP, UDP, UDP-Lite, DCCP and ICMPv6 have such a checksum.
    Original {
        /// The peer's address as the peer sees it: NAT-OA (RFC 3947 section 5.2), or TSi and TSr (RFC 7296
        /// section 2.23.1).
        source: IpAddr,
        /// Our address as the peer sees it.
        destination: IpAddr,
    },
    /// The checksum of TCP, UDP and ICMPv6 is computed anew, where the addresses are not known; the
    /// integrity check of ESP stands in for it.
    Recompute,
    /// UDP in IPv4 goes without, which costs the least; everything else is computed anew.
    Omit,
}

impl Inbound {
    /// Has the checksums inside put right by [`Self::open_transport`]: for a transport-mode SA with a NAT
    /// on its path.
    ///
    /// # Errors
    /// In tunnel mode, where the inner packet has kept its addresses.
    pub fn with_checksum_repair(mut self, repair: ChecksumRepair) -> Result<Self, SetupError> {
        if self.mode() != Mode::Transport {
            return Err(SetupError::RepairNeedsTransport);
        }
        self.opener.checksum_repair = Some(repair);
        Ok(self)
    }
}

impl ChecksumRepair {
    /// Puts the checksum in `packet`, a whole IP packet with the addresses that it was received with,
    /// right. A packet without such a checksum stays as it is: a fragment, another protocol, UDP that was
    /// sent without one, or a header that is cut off.
    ///
    /// # Errors
    /// If `packet` does not start with a whole IP packet.
    pub fn apply(&self, packet: &mut [u8]) -> Result<(), IpError> {
        let headers = IpPacket::parse(packet)?;
        let upper = &mut packet[headers.header_len..headers.total_len];
        if headers.fragment != Fragment::Whole {
            return Ok(());
        }
        let at = match headers.protocol {
            NextHeader::TCP => 16,
            NextHeader::UDP | NextHeader::UDP_LITE | NextHeader::DCCP => 6,
            NextHeader::ICMPV6 => 2,
            _ => return Ok(()),
        };
        let is_udp = headers.protocol == NextHeader::UDP;
        let Some(field) = upper.get(at..).and_then(|rest| rest.first_chunk::<2>()) else {
            return Ok(());
        };
        let checksum = u16::from_be_bytes(*field);
        //= RFC 768: zero says that there is none.
        if is_udp && checksum == 0 {
            return Ok(());
        }
        let repaired = match *self {
            Self::Original { source, destination } => {
                let checksum = exchange(checksum, source, headers.source);
                Some(exchange(checksum, destination, headers.destination))
            }
            Self::Omit if is_udp && headers.source.is_ipv4() => {
                upper[at..at + 2].fill(0);
                return Ok(());
            }
            Self::Recompute | Self::Omit => {
                upper[at..at + 2].fill(0);
                let computed = compute(&headers, upper);
                if computed.is_none() {
                    upper[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
                }
                computed
            }
        };
        if let Some(repaired) = repaired {
            // A sum of zero is sent as its other form, because in UDP zero stands for none.
            let repaired = if is_udp && repaired == 0 { u16::MAX } else { repaired };
            upper[at..at + 2].copy_from_slice(&repaired.to_be_bytes());
        }
        Ok(())
    }
}

/// The checksum with one address in it instead of another.
fn exchange(checksum: u16, old: IpAddr, new: IpAddr) -> u16 {
    let (mut before, mut after) = ([0; 16], [0; 16]);
    octets(old, &mut before);
    octets(new, &mut after);
    //= RFC 3948 section 3.1.2: operations on addresses that are the same cancel.
    if before == after { checksum } else { updated(checksum, &before, &after) }
}

fn octets(address: IpAddr, out: &mut [u8; 16]) {
    match address {
        IpAddr::V4(address) => out[..4].copy_from_slice(&address.octets()),
        IpAddr::V6(address) => *out = address.octets(),
    }
}

/// The checksum of a TCP, UDP or ICMPv6 packet whose own field is zero. `None` for what covers something
/// else, or says that it is longer than it is.
fn compute(headers: &IpPacket, upper: &[u8]) -> Option<u16> {
    let covered = match headers.protocol {
        NextHeader::TCP | NextHeader::ICMPV6 => upper,
        NextHeader::UDP => {
            let len = u16::from_be_bytes([*upper.get(4)?, *upper.get(5)?]);
            upper.get(..len.into()).filter(|datagram| datagram.len() >= 8)?
        }
        _ => return None,
    };
    let (mut source, mut destination) = ([0; 16], [0; 16]);
    octets(headers.source, &mut source);
    octets(headers.destination, &mut destination);
    let len = u16::try_from(covered.len()).ok()?.to_be_bytes();
    let pseudo = [0, headers.protocol.0, len[0], len[1]];
    Some(internet_checksum(&[&source, &destination, &pseudo, covered]))
}
