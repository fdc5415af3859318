//! Child SAs of ikev2 carried by esp: answers [`Ask::Install`](adit_ikev2::Ask::Install).

mod aggregate;
mod aggregator;
mod error;
mod paths;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::ops::Range;

use adit_esp::fragment::Fragments;
use adit_esp::ip::IpPacket;
use adit_esp::pmtu::{Passage, TooBigReport, too_big};
use adit_esp::sad::{self, ChildStats, Expiry, Sad, Succession};
use adit_esp::selector::{PortRange, Selectors, TrafficSelector};
use adit_esp::{
    Inbound, LifetimeEvent, NextHeader, OpenError, Outbound, SaConfig, SaKeys, Spi, keylog,
};
use adit_ikev2::wire as ike;
use adit_ikev2::{ChildId, ChildSa, Mode, Path, SaId};
use adit_platform::{Instant, Provider, Rng, Secret};
use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};

use crate::aggregation::Aggregation;
use crate::config::PathMtuPolicy;
use crate::limits::AttemptRate;

use aggregator::Aggregator;
use paths::{Paths, Word};

pub use error::{InstallError, SendError};

/// The ESP side of all IKE SAs of one endpoint: seals what goes to a peer, opens what comes from it.
///
/// Inner packets find their SA by their destination: in logarithmic time where a peer's selectors name
/// single addresses, as those of remote-access clients do, and in the order of installation otherwise.
#[derive(Debug)]
pub struct Tunnels {
    provider: Provider,
    sad: Sad,
    /// The children of each IKE SA, by ikev2's names.
    pairs: BTreeMap<SaId, BTreeMap<ChildId, Pair>>,
    /// The same by the SPI of the inbound SA.
    by_spi: BTreeMap<u32, (SaId, ChildId)>,
    tunnels: BTreeMap<sad::ChildId, Tunnel>,
    /// Tunnels to single addresses.
    by_host: BTreeMap<IpAddr, Vec<sad::ChildId>>,
    /// All others.
    by_range: Vec<sad::ChildId>,
    paths: Paths,
    aggregator: Aggregator,
    /// IKE SAs whose tunnels carry longer or shorter packets than before.
    resized: BTreeSet<SaId>,
    /// Sealed fragments of an inner packet, but for its first.
    fragments: VecDeque<(Path, Vec<u8>)>,
    /// Of the ICMP messages that senders of too long packets get.
    answers: AttemptRate,
    /// What peers carried with children that are gone.
    past: BTreeMap<SaId, ChildStats>,
    key_log: Option<Vec<String>>,
}

/// One pair of SAs of ikev2, in its place here.
#[derive(Debug)]
struct Pair {
    inbound: Spi,
    tunnel: sad::ChildId,
}

/// One pair and those that replaced it.
#[derive(Debug)]
struct Tunnel {
    sa: SaId,
    path: Path,
    selectors: Selectors,
    /// The longest inner packet whose datagram the path carries whole, in bytes.
    mtu: usize,
}

/// An inner packet that became a datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// From where to where it goes.
    pub path: Path,
    /// Where in the buffer the UDP payload lies.
    pub datagram: Range<usize>,
    /// True if the packet was too long for the path and was fragmented (RFC 4301 section 8.2.1): this is the first
    /// fragment, and those behind it come out of [`poll_fragment`](Tunnels::poll_fragment), or the machine's
    /// `poll_transmit`, and are to be sent next.
    pub more: bool,
}

/// A child that should be rekeyed, or that stopped, because of what it has carried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spent {
    /// The IKE SA.
    pub sa: SaId,
    /// Its child.
    pub child: ChildId,
    /// Rekey it, or delete it.
    pub kind: LifetimeEvent,
}

impl Tunnels {
    /// No tunnels yet. Those that are agreed to carry AGGFRAG payloads do so as `aggregation` says.
    pub fn new(
        provider: Provider,
        path_mtu: PathMtuPolicy,
        aggregation: Option<Aggregation>,
        now: Instant,
    ) -> Self {
        Self {
            provider,
            paths: Paths::new(path_mtu),
            aggregator: Aggregator::new(aggregation, now),
            resized: BTreeSet::new(),
            fragments: VecDeque::new(),
            answers: AttemptRate::new(ANSWERS_PER_MINUTE, now),
            sad: Sad::new(),
            pairs: BTreeMap::new(),
            by_spi: BTreeMap::new(),
            tunnels: BTreeMap::new(),
            by_host: BTreeMap::new(),
            by_range: Vec::new(),
            past: BTreeMap::new(),
            key_log: None,
        }
    }

    /// Free bytes wanted in front of an inner packet for [`seal`](Self::seal): the most of any suite.
    pub const HEADROOM: usize = 24;
    /// Free bytes wanted behind an inner packet: block padding, trailer and the longest ICV.
    pub const TAILROOM: usize = 16 + 2 + 32;

    /// Installs a child; receiving works at once. One that replaces another is sent with after
    /// [`promote`](Self::promote), or from the first packet that arrives through it (RFC 7296 section 2.8).
    ///
    /// # Errors
    /// If the mode is not tunnel, the keys do not fit, or the SPI is in use.
    pub fn install(
        &mut self,
        now: Instant,
        sa: SaId,
        path: Path,
        child: &ChildSa,
        rng: &mut dyn Rng,
    ) -> Result<(), InstallError> {
        if child.mode != Mode::Tunnel {
            return Err(InstallError::NotTunnel);
        }
        let selectors = Selectors {
            local: child.local.iter().map(selector).collect(),
            remote: child.remote.iter().map(selector).collect(),
        };
        let config = |spi| {
            let mut config = SaConfig::new(Spi(spi), child.suite);
            config.extended_sequence_numbers = child.esn;
            config
        };
        let (config_in, config_out) = (config(child.spi_in), config(child.spi_out));
        let keys_in = split(child, &child.keymat_in)?;
        let keys_out = split(child, &child.keymat_out)?;
        let inbound = Inbound::new(&config_in, &keys_in, &self.provider)
            .map_err(InstallError::Setup)?
            .with_selectors(selectors.clone());
        let inbound = match child.aggfrag {
            None => inbound,
            Some(_) if !self.aggregator.is_configured() => return Err(InstallError::Aggregation),
            Some(_) => inbound.with_aggfrag().map_err(InstallError::Setup)?,
        };
        let outbound = Outbound::new(&config_out, &keys_out, &self.provider, rng)
            .map_err(InstallError::Setup)?;
        if let Some(lines) = &mut self.key_log {
            let (us, peer) = (path.local.ip(), path.remote.ip());
            let line = keylog::dangerous_esp_sa_line;
            lines.extend(line(&config_in, &keys_in, peer, us));
            lines.extend(line(&config_out, &keys_out, us, peer));
        }

        let inbound_spi = inbound.spi();
        // Ages are ikev2's business; what an SA has carried is reported from here.
        let expiry = Expiry::default();
        let replaced = child.replaces.and_then(|old| self.pair(sa, old)).map(|pair| pair.tunnel);
        let tunnel = match replaced {
            Some(tunnel) => {
                let after = Succession::AfterFirstPacket;
                self.sad
                    .rekey(tunnel, inbound, outbound, expiry, after)
                    .map_err(InstallError::Sad)?;
                tunnel
            }
            None => self.sad.insert(inbound, outbound, expiry).map_err(InstallError::Sad)?,
        };
        if let Some(peer) = child.aggfrag {
            let pair = (inbound_spi, Spi(child.spi_out));
            self.aggregator.install(tunnel, pair, peer, &selectors);
        }
        let pair = Pair { inbound: inbound_spi, tunnel };
        self.pairs.entry(sa).or_default().insert(child.id, pair);
        self.by_spi.insert(inbound_spi.0, (sa, child.id));
        self.unroute(tunnel);
        self.route(tunnel, &selectors);
        let before = self.tunnels.get(&tunnel).map(|before| (before.path.remote.ip(), before.mtu));
        let mtu = before.map_or(0, |(_, mtu)| mtu);
        self.paths.enter(path.remote.ip(), tunnel);
        if let Some((remote, _)) = before.filter(|(remote, _)| *remote != path.remote.ip()) {
            self.paths.leave(remote, tunnel);
        }
        self.tunnels.insert(tunnel, Tunnel { sa, path, selectors, mtu });
        self.fit(now, tunnel);
        Ok(())
    }

    /// Sends through this child from now on instead of the one that it replaces.
    pub fn promote(&mut self, now: Instant, sa: SaId, child: ChildId) {
        let Some(&Pair { inbound, tunnel }) = self.pair(sa, child) else { return };
        self.sad.promote(inbound);
        self.fit(now, tunnel);
    }

    /// Removes a child.
    pub fn remove(&mut self, sa: SaId, child: ChildId) {
        let children = self.pairs.get_mut(&sa);
        let Some(pair) = children.and_then(|children| children.remove(&child)) else { return };
        self.by_spi.remove(&pair.inbound.0);
        self.sad.remove_pair(pair.inbound);
        self.aggregator.remove(pair.tunnel, pair.inbound);
        if self.sad.inbound_spis(pair.tunnel).is_empty() {
            self.unroute(pair.tunnel);
            self.aggregator.remove_tunnel(pair.tunnel);
            if let Some(tunnel) = self.tunnels.remove(&pair.tunnel) {
                self.paths.leave(tunnel.path.remote.ip(), pair.tunnel);
            }
            if let Some(stats) = self.sad.remove(pair.tunnel) {
                let past = self.past.entry(sa).or_default();
                past.inbound += stats.inbound;
                past.outbound += stats.outbound;
            }
        }
    }

    /// Removes all children of an IKE SA and says what they carried.
    pub fn remove_all(&mut self, sa: SaId) -> ChildStats {
        let children = self.pairs.get(&sa).map(|children| children.keys().copied().collect());
        let children: Vec<ChildId> = children.unwrap_or_default();
        for child in children {
            self.remove(sa, child);
        }
        self.pairs.remove(&sa);
        self.resized.remove(&sa);
        self.past.remove(&sa).unwrap_or_default()
    }

    /// The newest child of each tunnel of an IKE SA: the ones to rekey.
    pub fn newest_children(&self, sa: SaId) -> Vec<ChildId> {
        let mut newest = BTreeMap::new();
        for (child, pair) in self.pairs.get(&sa).into_iter().flatten() {
            newest.insert(pair.tunnel, *child);
        }
        newest.into_values().collect()
    }

    /// What the peer of an IKE SA may be sent, as the subnets that make up its traffic selectors.
    pub fn remote_subnets(&self, sa: SaId) -> Vec<IpNet> {
        let tunnels = self.tunnels_of(sa);
        let tunnels = tunnels.iter().filter_map(|id| self.tunnels.get(id));
        let ranges = tunnels.flat_map(|tunnel| tunnel.selectors.remote.iter());
        let mut subnets: Vec<IpNet> = ranges
            .flat_map(|range| match (range.start, range.end) {
                (IpAddr::V4(a), IpAddr::V4(b)) => IpSubnets::from(Ipv4Subnets::new(a, b, 0)),
                (IpAddr::V6(a), IpAddr::V6(b)) => IpSubnets::from(Ipv6Subnets::new(a, b, 0)),
                // A range of esp's is of one family.
                _ => IpSubnets::from(Ipv4Subnets::new(NONE.0, NONE.1, 0)),
            })
            .collect();
        subnets.sort();
        subnets.dedup();
        subnets
    }

    /// The peer is reached elsewhere from now on.
    pub fn set_path(&mut self, now: Instant, sa: SaId, path: Path) {
        for id in self.tunnels_of(sa) {
            let Some(tunnel) = self.tunnels.get_mut(&id) else { continue };
            let before = core::mem::replace(&mut tunnel.path, path).remote.ip();
            if before != path.remote.ip() {
                self.paths.enter(path.remote.ip(), id);
                self.paths.leave(before, id);
                self.fit(now, id);
            }
        }
    }

    /// The longest inner packet, in bytes, that the tunnels of an IKE SA carry in one datagram that the path does not
    /// have to fragment: what to set as MTU of a packet device. `None` if there is no tunnel.
    pub fn mtu(&self, sa: SaId) -> Option<usize> {
        let tunnels = self.tunnels_of(sa);
        tunnels.iter().filter_map(|id| self.tunnels.get(id)).map(|tunnel| tunnel.mtu).min()
    }

    /// True if a tunnel leads to a peer at this address.
    pub fn leads_to(&self, remote: IpAddr) -> bool {
        self.paths.leads_to(remote)
    }

    /// The host says that the path to `remote` carries IP packets of `mtu` bytes, headers included. It is believed
    /// in both directions, down to the policy's minimum.
    pub fn handle_path_mtu(&mut self, now: Instant, remote: IpAddr, mtu: usize) {
        self.paths.learn(now, remote, mtu, Word::OfHost);
        self.fit_all(now, remote);
    }

    /// A router says that an ESP packet was too long for it. It is believed for ten minutes, if the packet was one of
    /// ours. Returns whether it was.
    pub fn handle_too_big(&mut self, now: Instant, report: &TooBigReport) -> bool {
        //= RFC 4301 section 8.2.1: the SPI must be one that is in use.
        let tunnels = self.paths.tunnels(report.destination);
        let is_ours = |id: &sad::ChildId| {
            self.sad.outbound(*id).is_some_and(|outbound| outbound.spi() == report.spi)
        };
        let believed = tunnels.iter().any(is_ours);
        if believed {
            self.paths.learn(now, report.destination, report.mtu, Word::OfRouter);
            self.fit_all(now, report.destination);
        }
        believed
    }

    /// Forgets what routers said long ago, and sends what is due of [`Aggregation`].
    pub fn handle_timeout(&mut self, now: Instant) {
        self.aggregator.handle_timeout(now);
        while let Some(remote) = self.paths.poll_aged(now) {
            self.fit_all(now, remote);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.paths.poll_timeout(), self.aggregator.poll_timeout()].into_iter().flatten().min()
    }

    /// The next IKE SA whose [`mtu`](Self::mtu) has changed, and what it is now.
    pub fn poll_mtu(&mut self) -> Option<(SaId, usize)> {
        while let Some(sa) = self.resized.pop_first() {
            if let Some(mtu) = self.mtu(sa) {
                return Some((sa, mtu));
            }
        }
        None
    }

    /// What the children of an IKE SA have carried so far, those that are gone included.
    pub fn stats(&self, sa: SaId) -> ChildStats {
        let mut sum = self.past.get(&sa).copied().unwrap_or_default();
        let tunnels = self.tunnels_of(sa);
        for tunnel in tunnels {
            if let Some(stats) = self.sad.stats(tunnel) {
                sum.inbound += stats.inbound;
                sum.outbound += stats.outbound;
            }
        }
        sum
    }

    /// Opens an ESP packet in place; the inner packet lies in the range returned. `None` for a dummy packet, and for
    /// one that holds AGGFRAG payloads, whose inner packets come out of [`poll_packet`](Self::poll_packet).
    ///
    /// # Errors
    /// If the packet must be dropped.
    #[inline]
    pub fn open(
        &mut self,
        now: Instant,
        packet: &mut [u8],
    ) -> Result<Option<Range<usize>>, OpenError> {
        let (_, opened) = self.sad.open(packet)?;
        if opened.next_header == NextHeader::AGGFRAG {
            self.aggregator.handle_packet(now, packet, &opened);
            return Ok(None);
        }
        Ok((!opened.is_dummy()).then_some(opened.payload))
    }

    /// Seals the inner packet at `packet`, in place, for the peer whose selectors admit it. `None` if it waits to share
    /// a datagram with others ([`Aggregation`]), which comes out of [`poll_aggregated`](Self::poll_aggregated).
    ///
    /// Needs [`HEADROOM`](Self::HEADROOM) bytes in front and [`TAILROOM`](Self::TAILROOM) behind it. A packet that
    /// is too long for the path is fragmented if it may be ([`Sealed::more`]), or else refused with what its sender
    /// has to be told.
    ///
    /// # Errors
    /// If it is no IP packet, no tunnel is for it, it is too long, or it cannot be sealed.
    #[inline]
    pub fn seal(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        packet: Range<usize>,
    ) -> Result<Option<Sealed>, SendError> {
        let bytes = buf.get(packet.clone()).ok_or(SendError::OutOfBounds)?;
        let inner = IpPacket::parse(bytes).map_err(SendError::NotIp)?;
        let hosts = self.by_host.get(&inner.destination).map_or(&[][..], Vec::as_slice);
        let (id, path, mtu) = hosts
            .iter()
            .chain(&self.by_range)
            .find_map(|id| {
                let tunnel = self.tunnels.get(id)?;
                let admitted = tunnel.selectors.admit_outbound(&inner);
                admitted.then_some((*id, tunnel.path, tunnel.mtu))
            })
            .ok_or(SendError::NoTunnel { destination: inner.destination })?;
        if self.aggregates(now, id) {
            return self.aggregate(now, id, bytes, &inner).map(|()| None);
        }
        if packet.len() > mtu {
            match Passage::of(&inner, mtu, self.paths.policy().fragmentation) {
                // The host's IP layer fragments the datagram.
                Passage::Fits | Passage::FragmentOuter => {}
                Passage::FragmentInner { mtu } => {
                    return self.seal_fragments(id, path, buf, packet, mtu).map(Some);
                }
                Passage::TooBig { mtu } => return Err(self.refuse_too_big(now, bytes, &inner, mtu)),
            }
        }
        let datagram = self.sad.seal(id, buf, packet, version(&inner)).map_err(SendError::Seal)?;
        Ok(Some(Sealed { path, datagram, more: false }))
    }

    /// What becomes of a packet that is too long and must not be fragmented.
    fn refuse_too_big(
        &mut self,
        now: Instant,
        bytes: &[u8],
        inner: &IpPacket,
        mtu: usize,
    ) -> SendError {
        // As if from the host that the packet is for: a route back leads into the tunnel as well.
        let router = Some(inner.destination).filter(|address| !address.is_multicast());
        let answer = router.and_then(|router| too_big(bytes, mtu, router));
        SendError::TooBig { mtu, answer: answer.filter(|_| self.answers.take(now)) }
    }

    /// Seals the packet at `packet` in fragments: the first in its place, the others for
    /// [`poll_fragment`](Self::poll_fragment).
    #[cold]
    fn seal_fragments(
        &mut self,
        id: sad::ChildId,
        path: Path,
        buf: &mut [u8],
        packet: Range<usize>,
        mtu: usize,
    ) -> Result<Sealed, SendError> {
        if self.fragments.len() > MAX_FRAGMENTS {
            return Err(SendError::Undrained);
        }
        let whole = buf.get(packet.clone()).ok_or(SendError::OutOfBounds)?.to_vec();
        let mut fragments = Fragments::of_inner(&whole, mtu).map_err(SendError::Fragment)?;
        let first = buf.get_mut(packet.clone()).ok_or(SendError::OutOfBounds)?;
        let len = fragments.write_next(first).map_err(SendError::Fragment)?.unwrap_or(0);
        let first = packet.start..packet.start + len;
        let datagram = self.sad.seal(id, buf, first, NextHeader::IPV4).map_err(SendError::Seal)?;
        let mut more = false;
        let mut room = alloc::vec![0; Self::HEADROOM + mtu + Self::TAILROOM];
        while let Some(inside) = room.get_mut(Self::HEADROOM..)
            && let Some(len) = fragments.write_next(inside).map_err(SendError::Fragment)?
        {
            let fragment = Self::HEADROOM..Self::HEADROOM + len;
            let sealed = self.sad.seal(id, &mut room, fragment, NextHeader::IPV4);
            let sealed = sealed.map_err(SendError::Seal)?;
            self.fragments.extend(room.get(sealed).map(|datagram| (path, datagram.to_vec())));
            more = true;
        }
        Ok(Sealed { path, datagram, more })
    }

    /// The next fragment of a packet that was sealed in more than one, written over the content of `datagram`.
    pub fn poll_fragment(&mut self, datagram: &mut Vec<u8>) -> Option<Path> {
        let (path, fragment) = self.fragments.pop_front()?;
        *datagram = fragment;
        Some(path)
    }

    /// Children that have carried as much as they may.
    pub fn poll_spent(&mut self) -> Option<Spent> {
        while let Some(event) = self.sad.poll_event() {
            if let Some((sa, child)) = self.by_spi.get(&event.inbound.0) {
                return Some(Spent { sa: *sa, child: *child, kind: event.kind });
            }
        }
        None
    }

    /// From now on writes a line for Wireshark's `esp_sa` table for every SA. It contains keys: whoever has
    /// it reads the traffic.
    pub fn dangerous_key_log(&mut self) {
        self.key_log.get_or_insert_default();
    }

    /// Takes the lines written since the last call.
    pub fn take_key_log(&mut self) -> Vec<String> {
        self.key_log.as_mut().map(core::mem::take).unwrap_or_default()
    }

    fn pair(&self, sa: SaId, child: ChildId) -> Option<&Pair> {
        self.pairs.get(&sa)?.get(&child)
    }

    fn tunnels_of(&self, sa: SaId) -> BTreeSet<sad::ChildId> {
        let pairs = self.pairs.get(&sa).into_iter().flat_map(BTreeMap::values);
        pairs.map(|pair| pair.tunnel).collect()
    }

    fn fit_all(&mut self, now: Instant, remote: IpAddr) {
        for id in self.paths.tunnels(remote) {
            self.fit(now, id);
        }
    }

    /// Reckons anew how long packets through a tunnel may be.
    fn fit(&mut self, now: Instant, id: sad::ChildId) {
        let (Some(tunnel), Some(outbound)) = (self.tunnels.get_mut(&id), self.sad.outbound(id))
        else {
            return;
        };
        let remote = tunnel.path.remote.ip();
        let room = self.paths.payload(now, remote);
        let aggregated = self.aggregator.fit(now, id, outbound, remote, room);
        let mtu = aggregated.unwrap_or_else(|| outbound.max_payload(room));
        if core::mem::replace(&mut tunnel.mtu, mtu) != mtu {
            self.resized.insert(tunnel.sa);
        }
    }

    fn route(&mut self, id: sad::ChildId, selectors: &Selectors) {
        for remote in &selectors.remote {
            let ids = if remote.start == remote.end {
                self.by_host.entry(remote.start).or_default()
            } else {
                &mut self.by_range
            };
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }

    fn unroute(&mut self, id: sad::ChildId) {
        let Some(tunnel) = self.tunnels.get(&id) else { return };
        for remote in &tunnel.selectors.remote {
            if let Some(ids) = self.by_host.get_mut(&remote.start) {
                ids.retain(|other| *other != id);
                if ids.is_empty() {
                    self.by_host.remove(&remote.start);
                }
            }
        }
        self.by_range.retain(|other| *other != id);
    }
}

/// Sealed fragments that wait to be taken: those of sixteen packets of the greatest length.
const MAX_FRAGMENTS: usize = 1024;

/// ICMP messages to senders of too long packets: ten a second, as RFC 4443 section 2.4 has it.
const ANSWERS_PER_MINUTE: u32 = 600;

fn version(packet: &IpPacket) -> NextHeader {
    if packet.destination.is_ipv4() { NextHeader::IPV4 } else { NextHeader::IPV6 }
}

/// A range without an address.
const NONE: (Ipv4Addr, Ipv4Addr) = (Ipv4Addr::new(0, 0, 0, 1), Ipv4Addr::UNSPECIFIED);

fn selector(ike: &ike::TrafficSelector) -> TrafficSelector {
    let any = ike.protocol() == ike::TrafficSelector::ANY_PROTOCOL;
    let (start, end) = ike.ports();
    TrafficSelector {
        start: ike.addresses().start(),
        end: ike.addresses().end(),
        protocol: (!any).then_some(NextHeader(ike.protocol())),
        ports: PortRange { start, end },
    }
}

/// Takes KEYMAT apart: RFC 7296 section 2.17.
fn split(child: &ChildSa, keymat: &Secret) -> Result<SaKeys, InstallError> {
    let at = child.suite.encryption_key_len();
    let (encryption, integrity) =
        keymat.expose().split_at_checked(at).ok_or(InstallError::ShortKeymat)?;
    Ok(SaKeys::new(Secret::copy_from(encryption), Secret::copy_from(integrity)))
}
