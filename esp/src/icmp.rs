//! ICMP error messages, of which policy looks at the packet that they report: RFC 4301 section 6.2.

use crate::ip::{Fragment, IpPacket, Upper};
use crate::packet::NextHeader;

/// Bytes of a reported packet that are looked at: more than any header without many options has.
const LOOKED_AT: usize = 256;

/// The headers of the packet that would answer the one which `message`, a whole IP packet, reports: the
/// reported one with source and destination exchanged.
///
/// `None` if it is no ICMP error, or does not go to the sender of what it reports: whoever forwarded it
/// would pass on a claim about somebody else's traffic.
pub(crate) fn answer_to_reported(message: &[u8]) -> Option<IpPacket> {
    let headers = IpPacket::parse(message).ok()?;
    let icmp = message.get(headers.header_len..headers.total_len)?;
    let (kind, reported) = (*icmp.first()?, icmp.get(8..)?);
    let is_error = match headers.protocol {
        // Unreachable, source quench, redirect, time exceeded, parameter problem.
        NextHeader::ICMP => matches!(kind, 3 | 4 | 5 | 11 | 12),
        NextHeader::ICMPV6 => kind < 128,
        _ => false,
    };
    if !is_error || headers.fragment != Fragment::Whole {
        return None;
    }
    let mut front = [0; LOOKED_AT];
    let front = front.get_mut(..reported.len().min(LOOKED_AT))?;
    front.copy_from_slice(&reported[..front.len()]);
    shorten(front)?;
    let reported = IpPacket::parse(front).ok()?;
    if reported.source != headers.destination {
        return None;
    }
    let upper = match reported.upper {
        Upper::Ports { source, destination } => {
            Upper::Ports { source: destination, destination: source }
        }
        other => other,
    };
    let (source, destination) = (reported.destination, reported.source);
    Some(IpPacket { source, destination, upper, ..reported })
}

/// Makes the front of a packet one that says how much of it there is.
fn shorten(front: &mut [u8]) -> Option<()> {
    let len = front.len() as u16;
    match front.first()? >> 4 {
        4 => front.get_mut(2..4)?.copy_from_slice(&len.to_be_bytes()),
        6 => front.get_mut(4..6)?.copy_from_slice(&len.checked_sub(40)?.to_be_bytes()),
        _ => return None,
    }
    Some(())
}
