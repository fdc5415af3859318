//! Child SAs of ikev2 carried by esp: answers [`Ask::Install`](adit_ikev2::Ask::Install).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::ops::Range;

use adit_esp::ip::{IpError, IpPacket};
use adit_esp::sad::{self, ChildStats, Expiry, Sad, SadError, Succession};
use adit_esp::selector::{PortRange, Selectors, TrafficSelector};
use adit_esp::{
    Inbound, LifetimeEvent, NextHeader, OpenError, Outbound, SaConfig, SaKeys, SealError,
    SetupError, Spi, keylog,
};
use adit_ikev2::wire as ike;
use adit_ikev2::{ChildId, ChildSa, Mode, Path, SaId};
use adit_platform::{Provider, Rng, Secret};
use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};

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
    path: Path,
    selectors: Selectors,
}

/// An inner packet that became a datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// From where to where it goes.
    pub path: Path,
    /// Where in the buffer the UDP payload lies.
    pub datagram: Range<usize>,
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
    /// No tunnels yet.
    pub fn new(provider: Provider) -> Self {
        Self {
            provider,
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
        let pair = Pair { inbound: inbound_spi, tunnel };
        self.pairs.entry(sa).or_default().insert(child.id, pair);
        self.by_spi.insert(inbound_spi.0, (sa, child.id));
        self.unroute(tunnel);
        self.route(tunnel, &selectors);
        self.tunnels.insert(tunnel, Tunnel { path, selectors });
        Ok(())
    }

    /// Sends through this child from now on instead of the one that it replaces.
    pub fn promote(&mut self, sa: SaId, child: ChildId) {
        if let Some(pair) = self.pair(sa, child) {
            self.sad.promote(pair.inbound);
        }
    }

    /// Removes a child.
    pub fn remove(&mut self, sa: SaId, child: ChildId) {
        let children = self.pairs.get_mut(&sa);
        let Some(pair) = children.and_then(|children| children.remove(&child)) else { return };
        self.by_spi.remove(&pair.inbound.0);
        self.sad.remove_pair(pair.inbound);
        if self.sad.inbound_spis(pair.tunnel).is_empty() {
            self.unroute(pair.tunnel);
            self.tunnels.remove(&pair.tunnel);
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
        let pairs = self.pairs.get(&sa).into_iter().flat_map(BTreeMap::values);
        let tunnels: BTreeSet<sad::ChildId> = pairs.map(|pair| pair.tunnel).collect();
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
    pub fn set_path(&mut self, sa: SaId, path: Path) {
        for pair in self.pairs.get(&sa).into_iter().flat_map(BTreeMap::values) {
            if let Some(tunnel) = self.tunnels.get_mut(&pair.tunnel) {
                tunnel.path = path;
            }
        }
    }

    /// What the children of an IKE SA have carried so far, those that are gone included.
    pub fn stats(&self, sa: SaId) -> ChildStats {
        let mut sum = self.past.get(&sa).copied().unwrap_or_default();
        let pairs = self.pairs.get(&sa).into_iter().flat_map(BTreeMap::values);
        let tunnels: BTreeSet<sad::ChildId> = pairs.map(|pair| pair.tunnel).collect();
        for tunnel in tunnels {
            if let Some(stats) = self.sad.stats(tunnel) {
                sum.inbound += stats.inbound;
                sum.outbound += stats.outbound;
            }
        }
        sum
    }

    /// Opens an ESP packet in place; the inner packet lies in the range returned. `None` for a dummy packet.
    ///
    /// # Errors
    /// If the packet must be dropped.
    #[inline]
    pub fn open(&mut self, packet: &mut [u8]) -> Result<Option<Range<usize>>, OpenError> {
        let (_, opened) = self.sad.open(packet)?;
        Ok((!opened.is_dummy()).then_some(opened.payload))
    }

    /// Seals the inner packet at `packet`, in place, for the peer whose selectors admit it.
    ///
    /// Needs [`HEADROOM`](Self::HEADROOM) bytes in front and [`TAILROOM`](Self::TAILROOM) behind it.
    ///
    /// # Errors
    /// If it is no IP packet, no tunnel is for it, or it cannot be sealed.
    #[inline]
    pub fn seal(&mut self, buf: &mut [u8], packet: Range<usize>) -> Result<Sealed, SendError> {
        let bytes = buf.get(packet.clone()).ok_or(SendError::OutOfBounds)?;
        let inner = IpPacket::parse(bytes).map_err(SendError::NotIp)?;
        let hosts = self.by_host.get(&inner.destination).map_or(&[][..], Vec::as_slice);
        let (id, path) = hosts
            .iter()
            .chain(&self.by_range)
            .find_map(|id| {
                let tunnel = self.tunnels.get(id)?;
                tunnel.selectors.admit_outbound(&inner).then_some((*id, tunnel.path))
            })
            .ok_or(SendError::NoTunnel { destination: inner.destination })?;
        let next = if inner.destination.is_ipv4() { NextHeader::IPV4 } else { NextHeader::IPV6 };
        let datagram = self.sad.seal(id, buf, packet, next).map_err(SendError::Seal)?;
        Ok(Sealed { path, datagram })
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

/// Why a child SA could not be installed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum InstallError {
    /// It was negotiated for transport mode, which a remote-access tunnel is not.
    NotTunnel,
    /// Its keying material is shorter than its suite needs.
    ShortKeymat,
    /// The SAs could not be made.
    Setup(SetupError),
    /// The database has no place for them.
    Sad(SadError),
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTunnel => f.write_str("the child SA is not in tunnel mode"),
            Self::ShortKeymat => f.write_str("too little keying material for the suite"),
            Self::Setup(error) => error.fmt(f),
            Self::Sad(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for InstallError {}

/// Why an inner packet was not sent.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The range does not lie in the buffer.
    OutOfBounds,
    /// It is no IP packet.
    NotIp(IpError),
    /// No tunnel is for such packets.
    NoTunnel {
        /// Where the packet wanted to go.
        destination: IpAddr,
    },
    /// Its tunnel could not seal it.
    Seal(SealError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfBounds => f.write_str("the packet lies outside its buffer"),
            Self::NotIp(error) => error.fmt(f),
            Self::NoTunnel { destination } => write!(f, "no tunnel to {destination}"),
            Self::Seal(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SendError {}
