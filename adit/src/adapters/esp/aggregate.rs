//! Inner packets that share ESP packets: RFC 9347.

use alloc::vec::Vec;

use adit_esp::fragment::Fragments;
use adit_esp::ip::IpPacket;
use adit_esp::pmtu::{Fragmentation, Passage};
use adit_esp::{NextHeader, Outbound, sad};
use adit_ikev2::{Path, SaId};
use adit_platform::Instant;

use super::{SendError, Tunnels};
use crate::aggregation::AggregationStats;

impl Tunnels {
    /// The next datagram with an AGGFRAG payload that is due, written over the content of `datagram`.
    pub fn poll_aggregated(&mut self, datagram: &mut Vec<u8>) -> Option<Path> {
        while let Some(id) = self.aggregator.next_ready() {
            self.aggregates(self.aggregator.now(), id);
            let (Some(tunnel), Some(outbound)) = (self.tunnels.get(&id), self.sad.outbound(id))
            else {
                self.aggregator.remove_tunnel(id);
                continue;
            };
            let (path, head) = (tunnel.path, outbound.headroom());
            let Some(len) = self.aggregator.poll_payload(id, outbound, datagram) else { continue };
            // An SA that is used up takes no more: what was in the payload is lost, as behind it.
            if let Ok(sealed) = self.sad.seal(id, datagram, head..head + len, NextHeader::AGGFRAG) {
                datagram.truncate(sealed.end);
                datagram.drain(..sealed.start);
                return Some(path);
            }
        }
        None
    }

    /// The next inner packet that came in AGGFRAG payloads, written over the content of `packet`; false if there is
    /// none.
    pub fn poll_packet(&mut self, packet: &mut Vec<u8>) -> bool {
        self.aggregator.poll_packet(packet)
    }

    /// What the tunnels of an IKE SA have put together and taken apart. `None` if they carry plain packets.
    pub fn aggregation(&self, sa: SaId) -> Option<AggregationStats> {
        let tunnels = self.tunnels_of(sa);
        let stats = tunnels.iter().filter_map(|id| self.aggregator.stats(*id));
        stats.reduce(|mut sum, stats| {
            sum.sent += stats.sent;
            sum.received += stats.received;
            sum
        })
    }

    /// Whether the tunnel's packets go into AGGFRAG payloads, by the SA that it sends by now.
    pub(super) fn aggregates(&mut self, now: Instant, id: sad::ChildId) -> bool {
        if !self.aggregator.knows(id) {
            return false;
        }
        let spi = self.sad.outbound(id).map(Outbound::spi);
        if spi.is_some_and(|spi| self.aggregator.is_stale(id, spi)) {
            self.fit(now, id);
        }
        self.aggregator.fragments(id).is_some()
    }

    /// Puts an inner packet where the next AGGFRAG payload takes it from.
    pub(super) fn aggregate(
        &mut self,
        now: Instant,
        id: sad::ChildId,
        bytes: &[u8],
        inner: &IpPacket,
    ) -> Result<(), SendError> {
        let mtu = self.tunnels.get(&id).map_or(0, |tunnel| tunnel.mtu);
        //= RFC 9347 section 2.2.6: with fragmentation no packet is too big; without, they are treated as in
        //= any ESP tunnel.
        if self.aggregator.fragments(id) == Some(false) && inner.total_len > mtu {
            match Passage::of(inner, mtu, Fragmentation::Inner) {
                Passage::TooBig { mtu } => return Err(self.refuse_too_big(now, bytes, inner, mtu)),
                Passage::FragmentInner { mtu } => {
                    let mut fragments =
                        Fragments::of_inner(bytes, mtu).map_err(SendError::Fragment)?;
                    let mut room = alloc::vec![0; mtu];
                    while let Some(len) =
                        fragments.write_next(&mut room).map_err(SendError::Fragment)?
                    {
                        let fragment = room.get(..len).unwrap_or_default();
                        self.aggregator.push(now, id, fragment).map_err(SendError::Aggregation)?;
                    }
                    return Ok(());
                }
                Passage::Fits | Passage::FragmentOuter => {}
            }
        }
        self.aggregator.push(now, id, bytes).map_err(SendError::Aggregation)
    }
}
