//! The gateway of remote-access clients.

mod admit;
mod event;
mod peers;
mod session;
mod work;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::ops::Range;

use adit_certval::Purpose;
use adit_esp::pmtu::TooBigReport;
use adit_esp::sad::ChildStats;
use adit_ikev2::{CommandError, Deny, Identity, Path, SaId, Signature, StaleTicket, Ticket};
use adit_platform::{Instant, Provider, Rng};

use crate::adapters::certificates::{CertificateChecker, FetchId};
use crate::adapters::eap::UserStore;
use crate::adapters::esp::{Sealed, SendError};
use crate::adapters::pool::AddressPool;
use crate::adapters::radius::RadiusServers;
use crate::adapters::staple::Stapler;
use crate::aggregation::AggregationStats;
use crate::config::{Clocks, ConfigError, EapServer, GatewayConfig, SetupError};
use crate::limits::AttemptRate;
use crate::stack::{Received, Stack};

use peers::Peers;
use session::Session;

pub use event::{GatewayEvent, Target};
pub use session::{ConnectedClient, Refusal};

/// A gateway for remote-access clients, sans-IO.
///
/// Feed whatever happened by a `handle_…` method, an answer or a command; then drain
/// [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) until they return `None`; then
/// wait, but not beyond [`poll_timeout`](Self::poll_timeout). `adit::tokio` does all this over sockets and a
/// TUN device.
///
/// ```
/// use adit::{Clocks, Gateway, GatewayConfig};
/// use adit_ikev2::Identity;
/// use adit_platform::{Instant, Secret, UnixTime};
/// # fn example(provider: adit_platform::Provider, rng: Box<dyn adit_platform::Rng>) {
/// let mut config = GatewayConfig::new(Identity::fqdn("gw.lab.test"));
/// config.clients.shared_secrets.insert(
///     Identity::email("alice@lab.test"),
///     Secret::copy_from(b"correct horse battery staple"),
/// );
/// config.pool.push("10.99.0.0/24".parse().unwrap());
/// let clocks = Clocks { now: Instant::default(), unix: UnixTime::from_secs(1_800_000_000) };
/// let gateway = Gateway::new(config, provider, rng, clocks).unwrap();
/// assert!(gateway.poll_timeout().is_none());
/// # }
/// ```
pub struct Gateway {
    stack: Stack,
    config: GatewayConfig,
    peers: Peers,
    checker: Option<CertificateChecker>,
    stapler: Option<Stapler>,
    eap: Option<Eap>,
    pool: AddressPool,
    rate: AttemptRate,
    sessions: BTreeMap<SaId, Session>,
    /// Those that are connected, by the identity that they proved.
    by_identity: BTreeMap<Identity, BTreeSet<SaId>>,
    /// Clients with an inner address of each family.
    with_ipv4: u32,
    with_ipv6: u32,
    events: VecDeque<GatewayEvent>,
}

enum Eap {
    Local(UserStore),
    Radius(Box<RadiusServers>),
}

impl Gateway {
    /// A gateway without clients.
    ///
    /// # Errors
    /// If the configuration cannot work with this provider.
    pub fn new(
        mut config: GatewayConfig,
        provider: Provider,
        rng: Box<dyn Rng>,
        clocks: Clocks,
    ) -> Result<Self, SetupError> {
        check(&config).map_err(SetupError::Config)?;
        config.endpoint.responder = true;
        config.endpoint.proposals = config.policy.ike_proposals.clone();
        let trust = config.clients.certificates.take();
        let unix = clocks.unix;
        let checker =
            trust.map(|trust| CertificateChecker::new(trust, Purpose::IkeClient, provider, unix));
        let stapler = config.certificate.as_ref().map(|own| Stapler::new(own, &provider, unix));
        // Many clients send their certificate only to those who ask for it.
        if let Some(checker) = &checker {
            config.endpoint.authorities = checker.authorities();
            config.endpoint.ocsp_responders = checker.ocsp_responders();
        }
        if let Some(aggregation) = &config.policy.aggregation {
            aggregation.check().map_err(SetupError::Config)?;
        }
        let stack = Stack::new(config.endpoint.clone(), provider, rng, clocks, &config.policy)?;
        let nas_identifier = config.id.to_string();
        let eap = match config.clients.eap.take() {
            None => None,
            Some(EapServer::Local(users)) => Some(Eap::Local(users)),
            Some(EapServer::Radius(radius)) => {
                let servers = RadiusServers::new(radius, nas_identifier.as_bytes());
                let servers = servers.map_err(|_| SetupError::Config(ConfigError::Radius))?;
                Some(Eap::Radius(Box::new(servers)))
            }
        };
        Ok(Self {
            stack,
            peers: Peers::new(&config),
            checker,
            stapler,
            eap,
            pool: AddressPool::new(config.pool.iter().copied()),
            rate: AttemptRate::new(config.limits.attempts_per_minute, clocks.now),
            sessions: BTreeMap::new(),
            by_identity: BTreeMap::new(),
            with_ipv4: 0,
            with_ipv6: 0,
            events: VecDeque::new(),
            config,
        })
    }

    /// Takes a datagram that a peer sent. If it holds an inner packet, that lies in the range returned.
    pub fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &mut [u8]) -> Received {
        let received = self.stack.handle_datagram(now, path, datagram);
        if self.stack.take_dirty() {
            self.work(now);
        }
        received
    }

    /// Takes a datagram that a RADIUS server sent to the host's RADIUS socket of this number.
    ///
    /// # Errors
    /// Why it was discarded.
    pub fn handle_radius(
        &mut self,
        now: Instant,
        socket: u16,
        server: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), adit_radius::Error> {
        if let Some(Eap::Radius(servers)) = &mut self.eap {
            servers.handle_datagram(now, socket, server, datagram)?;
        }
        self.work(now);
        Ok(())
    }

    /// Turns the inner packet at `packet` into a datagram for a client, in place. Needs
    /// [`HEADROOM`](crate::adapters::esp::Tunnels::HEADROOM) bytes in front of it and
    /// [`TAILROOM`](crate::adapters::esp::Tunnels::TAILROOM) behind it.
    ///
    /// One that waits to share a datagram with others gives `None`: [`poll_transmit`](Self::poll_transmit) has that
    /// datagram when it is due ([`Aggregation`](crate::Aggregation)).
    ///
    /// One that is too long for the path goes in fragments, the first of which is returned and the others are the
    /// next that [`poll_transmit`](Self::poll_transmit) has, or, if it must not be fragmented, is refused with the
    /// ICMP message that its sender needs: [`PathMtuPolicy`](crate::PathMtuPolicy).
    ///
    /// # Errors
    /// If it cannot or must not be sent.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        packet: Range<usize>,
    ) -> Result<Option<Sealed>, SendError> {
        let sealed = self.stack.seal(now, buf, packet);
        self.stack.replace_spent(now);
        sealed
    }

    /// Takes what the host knows of the path to a peer at `remote`: that it carries IP packets of `mtu` bytes, headers
    /// included. It replaces what the host said before.
    pub fn handle_path_mtu(&mut self, now: Instant, remote: IpAddr, mtu: usize) {
        self.stack.tunnels.handle_path_mtu(now, remote, mtu);
        self.work(now);
    }

    /// Whether it is of any use to know the path to `remote`.
    #[cfg(feature = "tokio")]
    pub(crate) fn has_tunnel_to(&self, remote: IpAddr) -> bool {
        self.stack.tunnels.leads_to(remote)
    }

    /// Takes what a router said of an ESP packet that was too long for it, for hosts that see ICMP:
    /// [`TooBigReport::parse`]. Returns whether the packet was one of ours; anything else is ignored.
    pub fn handle_too_big(&mut self, now: Instant, report: &TooBigReport) -> bool {
        let believed = self.stack.tunnels.handle_too_big(now, report);
        self.work(now);
        believed
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.stack.handle_timeout(now);
        if let Some(Eap::Radius(servers)) = &mut self.eap {
            servers.handle_timeout(now, self.stack.endpoint.rng());
        }
        self.work(now);
    }

    /// Takes what was fetched, or why it could not be.
    pub fn handle_fetched(&mut self, now: Instant, id: FetchId, result: Result<Vec<u8>, String>) {
        let unix = self.stack.unix(now);
        let rng = self.stack.endpoint.rng();
        if let Some(stapler) = &mut self.stapler {
            stapler.handle_fetched(unix, id, &result, rng);
        }
        if let Some(checker) = &mut self.checker {
            checker.handle_fetched(unix, id, result, rng);
        }
        self.work(now);
    }

    /// Sends this OCSP response in DER along with our certificate from now on, to clients that ask for one (RFC
    /// 4806), or none. It replaces what the configuration says about that.
    pub fn set_ocsp_response(&mut self, response: Option<&[u8]>) {
        if let Some(stapler) = &mut self.stapler {
            stapler.set(response);
        }
    }

    /// Answers [`GatewayEvent::Sign`].
    ///
    /// # Errors
    /// If it is too late.
    pub fn answer_signature(
        &mut self,
        now: Instant,
        ticket: Ticket<Signature>,
        signature: Result<Signature, Deny>,
    ) -> Result<(), StaleTicket> {
        let answered = self.stack.endpoint.answer(now, ticket, signature);
        self.work(now);
        answered
    }

    /// Ends a client's connection and tells it; [`GatewayEvent::Disconnected`] follows.
    ///
    /// # Errors
    /// If there is no such client.
    pub fn disconnect(&mut self, now: Instant, sa: SaId) -> Result<(), CommandError> {
        let started = self.stack.endpoint.delete(now, sa);
        self.work(now);
        started
    }

    /// Ends all connections and takes no new ones. Go on until [`is_closed`](Self::is_closed).
    pub fn shut_down(&mut self, now: Instant) {
        // No newcomer passes any more.
        self.config.limits.attempts_per_minute = 0;
        let sas: Vec<SaId> = self.sessions.keys().copied().collect();
        for sa in sas {
            // One that is gone already is as well.
            let _ = self.stack.endpoint.delete(now, sa);
        }
        self.work(now);
    }

    /// True if no client is connected or connecting, and no DELETE waits for its answer.
    pub fn is_closed(&self) -> bool {
        self.stack.endpoint.is_settled()
    }

    /// Renews the keys of a client's IKE SA.
    ///
    /// # Errors
    /// If there is no such client.
    pub fn rekey_ike(&mut self, now: Instant, sa: SaId) -> Result<(), CommandError> {
        let started = self.stack.endpoint.rekey_ike(now, sa);
        self.work(now);
        started
    }

    /// Renews the keys of a client's child SAs.
    ///
    /// # Errors
    /// If there is no such client.
    pub fn rekey_children(&mut self, now: Instant, sa: SaId) -> Result<(), CommandError> {
        for child in self.stack.tunnels.newest_children(sa) {
            self.stack.endpoint.rekey_child(now, sa, child)?;
        }
        self.work(now);
        Ok(())
    }

    /// The clients that are connected.
    pub fn clients(&self) -> impl Iterator<Item = (SaId, &ConnectedClient)> {
        self.sessions.iter().filter_map(|(sa, session)| Some((*sa, session.client.as_deref()?)))
    }

    /// What a client's connection has carried so far.
    pub fn stats(&self, sa: SaId) -> ChildStats {
        self.stack.tunnels.stats(sa)
    }

    /// The longest inner packet, in bytes, that goes to a client in one datagram which its path carries whole; `None`
    /// if it has no tunnel. [`GatewayEvent::PathMtu`] tells when it changes.
    pub fn mtu(&self, sa: SaId) -> Option<usize> {
        self.stack.tunnels.mtu(sa)
    }

    /// The host's wall clock was set.
    pub fn set_clocks(&mut self, clocks: Clocks) {
        self.stack.set_clocks(clocks);
    }

    /// From now on emits all keys as [`GatewayEvent::KeyLog`]. Whoever reads them reads, and forges,
    /// everything.
    pub fn dangerous_key_log(&mut self) {
        self.stack.dangerous_key_log();
    }

    /// What a client's tunnel has put together and taken apart. `None` if it carries plain packets.
    pub fn aggregation(&self, sa: SaId) -> Option<AggregationStats> {
        self.stack.tunnels.aggregation(sa)
    }

    /// The next datagram to send, written over the content of `datagram`.
    pub fn poll_transmit(&mut self, datagram: &mut Vec<u8>) -> Option<Target> {
        if let Some(path) = self.stack.poll_transmit(datagram) {
            return Some(Target::Peer(path));
        }
        match &mut self.eap {
            Some(Eap::Radius(servers)) => {
                let transmit = servers.poll_transmit(datagram)?;
                let (socket, server) = (transmit.source_port, transmit.destination);
                Some(Target::Radius { socket, server })
            }
            _ => None,
        }
    }

    /// How many RADIUS sockets the host has to open: none without RADIUS.
    pub fn radius_sockets(&self) -> u16 {
        match &self.eap {
            Some(Eap::Radius(servers)) => servers.source_ports(),
            _ => 0,
        }
    }

    /// The next inner packet of those that came in ESP packets together ([`Aggregation`](crate::Aggregation)),
    /// written over the content of `packet`; false if there is none. Call it whenever
    /// [`poll_transmit`](Self::poll_transmit) is called.
    pub fn poll_packet(&mut self, packet: &mut Vec<u8>) -> bool {
        self.stack.tunnels.poll_packet(packet)
    }

    /// What has happened since.
    pub fn poll_event(&mut self) -> Option<GatewayEvent> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next. With aggregation at a constant rate that
    /// is for every datagram.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let radius = match &self.eap {
            Some(Eap::Radius(servers)) => servers.poll_timeout(),
            _ => None,
        };
        let fetch = [
            self.checker.as_ref().and_then(CertificateChecker::poll_timeout),
            self.stapler.as_ref().and_then(Stapler::poll_timeout),
        ];
        let fetch = fetch.into_iter().flatten().min().map(|unix| self.stack.instant_of(unix));
        [self.stack.poll_timeout(), radius, fetch].into_iter().flatten().min()
    }
}

fn check(config: &GatewayConfig) -> Result<(), ConfigError> {
    let clients = &config.clients;
    let by_certificate = clients.eap.is_some() || clients.certificates.is_some();
    if !by_certificate && clients.shared_secrets.is_empty() {
        return Err(ConfigError::NoClientAuthentication);
    }
    if by_certificate && config.certificate.is_none() {
        return Err(ConfigError::GatewayNeedsCertificate);
    }
    if config.certificate.as_ref().is_some_and(|own| own.chain.is_empty()) {
        return Err(ConfigError::EmptyChain);
    }
    if config.pool.is_empty() {
        return Err(ConfigError::NoPool);
    }
    Ok(())
}
