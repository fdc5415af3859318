//! The client of a remote-access gateway.

mod event;
mod work;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::Range;

use adit_certval::Purpose;
use adit_eap::Credential;
use adit_esp::pmtu::TooBigReport;
use adit_esp::sad::ChildStats;
use adit_ikev2::negotiate::ConfigurationRequest;
use adit_ikev2::wire::TrafficSelector;
use adit_ikev2::{
    ChildConfig, CommandError, Deny, Established, LocalAuth, Path, PeerConfig, RemoteAuth, SaId,
    Signature, StaleTicket, Ticket,
};
use adit_platform::{Instant, Provider, Rng, Secret, UnixTime};
use ipnet::IpNet;

use crate::adapters::certificates::{CertificateChecker, FetchId};
use crate::adapters::eap::PasswordPeer;
use crate::adapters::esp::{Sealed, SendError};
use crate::adapters::staple::Stapler;
use crate::aggregation::{Aggregation, AggregationStats};
use crate::config::{ClientConfig, ClientProof, Clocks, ConfigError, GatewayProof, SetupError};
use crate::stack::{Received, Stack};

pub use event::{ClientEvent, Connection, Disconnect, Failure, PasswordTicket};

/// A remote-access client: one connection to one gateway, sans-IO.
///
/// Feed whatever happened by a `handle_…` method, an answer or a command; then drain
/// [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) until they return `None`; then
/// wait, but not beyond [`poll_timeout`](Self::poll_timeout). `adit::tokio` does all this over sockets and a
/// TUN device.
///
/// ```
/// use adit::{Client, ClientConfig, ClientProof, Clocks, GatewayProof};
/// use adit_ikev2::Identity;
/// use adit_platform::{Instant, Secret, UnixTime};
/// # fn example(provider: adit_platform::Provider, rng: Box<dyn adit_platform::Rng>) {
/// let psk = || Secret::copy_from(b"correct horse battery staple");
/// let config = ClientConfig::new(
///     "0.0.0.0:500".parse().unwrap(),
///     "192.0.2.1:500".parse().unwrap(),
///     Identity::fqdn("gw.lab.test"),
///     GatewayProof::SharedSecret(psk()),
///     Identity::email("alice@lab.test"),
///     ClientProof::SharedSecret(psk()),
/// );
/// let clocks = Clocks { now: Instant::default(), unix: UnixTime::from_secs(1_800_000_000) };
/// let mut client = Client::new(config, provider, rng, clocks).unwrap();
/// client.connect(clocks.now).unwrap();
/// let mut datagram = Vec::new();
/// while let Some(path) = client.poll_transmit(&mut datagram) {
///     // … send `datagram` from `path.local` to `path.remote` …
/// }
/// # }
/// ```
pub struct Client {
    stack: Stack,
    config: ClientConfig,
    checker: Option<CertificateChecker>,
    stapler: Option<Stapler>,
    connection: Option<Running>,
    events: VecDeque<ClientEvent>,
}

/// The connection that is being made or stands.
struct Running {
    sa: SaId,
    path: Path,
    eap: Option<PasswordPeer>,
    failure: Option<Failure>,
    established: Option<Established>,
    /// The MTU that the host was told, once it is connected.
    told: Option<usize>,
}

impl Client {
    /// A client that waits for [`connect`](Self::connect).
    ///
    /// # Errors
    /// If the configuration cannot work with this provider.
    pub fn new(
        mut config: ClientConfig,
        provider: Provider,
        rng: Box<dyn Rng>,
        clocks: Clocks,
    ) -> Result<Self, SetupError> {
        if let ClientProof::Certificate(own) = &config.proof
            && own.chain.is_empty()
        {
            return Err(SetupError::Config(ConfigError::EmptyChain));
        }
        if let (ClientProof::SharedSecret(ours), GatewayProof::SharedSecret(theirs)) =
            (&config.proof, &config.gateway_proof)
            && ours != theirs
        {
            return Err(SetupError::Config(ConfigError::TwoSecrets));
        }
        if let ClientProof::Password { user, password } = &config.proof {
            password_peer(user, password.as_ref())
                .map_err(|_| SetupError::Config(ConfigError::BadCredential))?;
        }
        if let Some(aggregation) = &config.policy.aggregation {
            aggregation.check().map_err(SetupError::Config)?;
        }
        let stack = Stack::new(config.endpoint.clone(), provider, rng, clocks, &config.policy)?;
        let proof = core::mem::replace(
            &mut config.gateway_proof,
            GatewayProof::SharedSecret(Secret::copy_from(&[])),
        );
        let unix = clocks.unix;
        let stapler = match &config.proof {
            ClientProof::Certificate(own) => Some(Stapler::new(own, &provider, unix)),
            _ => None,
        };
        let checker = match proof {
            GatewayProof::Certificate(trust) => {
                Some(CertificateChecker::new(*trust, Purpose::IkeGateway, provider, unix))
            }
            secret => {
                config.gateway_proof = secret;
                None
            }
        };
        Ok(Self { stack, config, checker, stapler, connection: None, events: VecDeque::new() })
    }

    /// Starts connecting; progress and result come as events. While a connection is being made or stands,
    /// nothing happens.
    ///
    /// # Errors
    /// If ikev2 cannot start.
    pub fn connect(&mut self, now: Instant) -> Result<(), CommandError> {
        if self.connection.is_some() {
            return Ok(());
        }
        let path = Path { local: self.config.local, remote: self.config.gateway };
        let peer = Arc::new(self.peer_config(self.stack.unix(now)));
        let sa = self.stack.endpoint.connect(now, path, peer)?;
        let eap = match &self.config.proof {
            ClientProof::Password { user, password } => password_peer(user, password.as_ref()).ok(),
            _ => None,
        };
        let (failure, established, told) = (None, None, None);
        self.connection = Some(Running { sa, path, eap, failure, established, told });
        self.work(now);
        Ok(())
    }

    /// Ends the connection and tells the gateway; [`ClientEvent::Disconnected`] follows.
    pub fn disconnect(&mut self, now: Instant) {
        if let Some(connection) = &self.connection {
            // It fails only if the SA has gone, of which an event tells.
            let _ = self.stack.endpoint.delete(now, connection.sa);
        }
        self.work(now);
    }

    /// True if no connection stands or is being made, and no DELETE waits for its answer.
    pub fn is_closed(&self) -> bool {
        self.connection.is_none() && self.stack.endpoint.is_settled()
    }

    /// Takes a datagram that arrived. If it holds an inner packet, that lies in the range returned.
    pub fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &mut [u8]) -> Received {
        let received = self.stack.handle_datagram(now, path, datagram);
        if self.stack.take_dirty() {
            self.work(now);
        }
        received
    }

    /// Turns the inner packet at `packet` into a datagram, in place. Needs
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

    /// Answers [`ClientEvent::AskPassword`]; `None` gives up.
    pub fn answer_password(
        &mut self,
        now: Instant,
        PasswordTicket(ticket): PasswordTicket,
        password: Option<Secret>,
    ) {
        let Some(connection) = &mut self.connection else { return };
        if connection.sa != ticket.sa() {
            return;
        }
        if password.is_none() {
            connection.failure = Some(Failure::NoPassword);
        }
        let step = connection
            .eap
            .as_mut()
            .map(|eap| eap.answer(password.map(Credential::Password), self.stack.endpoint.rng()));
        self.apply_eap(now, ticket, step);
        self.work(now);
    }

    /// Answers [`ClientEvent::Sign`].
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

    /// Renews the keys of the IKE SA.
    ///
    /// # Errors
    /// If there is no connection.
    pub fn rekey_ike(&mut self, now: Instant) -> Result<(), CommandError> {
        let sa = self.connection.as_ref().ok_or(CommandError::UnknownSa)?.sa;
        let started = self.stack.endpoint.rekey_ike(now, sa);
        self.work(now);
        started
    }

    /// Renews the keys of all child SAs.
    ///
    /// # Errors
    /// If there is no connection.
    pub fn rekey_children(&mut self, now: Instant) -> Result<(), CommandError> {
        let sa = self.connection.as_ref().ok_or(CommandError::UnknownSa)?.sa;
        for child in self.stack.tunnels.newest_children(sa) {
            self.stack.endpoint.rekey_child(now, sa, child)?;
        }
        self.work(now);
        Ok(())
    }

    /// The host's wall clock was set.
    pub fn set_clocks(&mut self, clocks: Clocks) {
        self.stack.set_clocks(clocks);
    }

    /// From now on emits all keys as [`ClientEvent::KeyLog`]. Whoever reads them reads, and forges,
    /// everything.
    pub fn dangerous_key_log(&mut self) {
        self.stack.dangerous_key_log();
    }

    /// What the connection has carried so far.
    pub fn stats(&self) -> ChildStats {
        let sa = self.connection.as_ref().map(|connection| connection.sa);
        sa.map(|sa| self.stack.tunnels.stats(sa)).unwrap_or_default()
    }

    /// What the connection's tunnel has put together and taken apart. `None` if it carries plain packets.
    pub fn aggregation(&self) -> Option<AggregationStats> {
        self.stack.tunnels.aggregation(self.connection.as_ref()?.sa)
    }

    /// The next datagram to send, written over the content of `datagram`.
    pub fn poll_transmit(&mut self, datagram: &mut Vec<u8>) -> Option<Path> {
        self.stack.poll_transmit(datagram)
    }

    /// The next inner packet of those that came in ESP packets together ([`Aggregation`](crate::Aggregation)),
    /// written over the content of `packet`; false if there is none. Call it whenever
    /// [`poll_transmit`](Self::poll_transmit) is called.
    pub fn poll_packet(&mut self, packet: &mut Vec<u8>) -> bool {
        self.stack.tunnels.poll_packet(packet)
    }

    /// What has happened since.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next. With aggregation at a constant rate that
    /// is for every datagram.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let fetch = [
            self.checker.as_ref().and_then(CertificateChecker::poll_timeout),
            self.stapler.as_ref().and_then(Stapler::poll_timeout),
        ];
        let fetch = fetch.into_iter().flatten().min().map(|unix| self.stack.instant_of(unix));
        [self.stack.poll_timeout(), fetch].into_iter().flatten().min()
    }

    fn peer_config(&self, unix: UnixTime) -> PeerConfig {
        let config = &self.config;
        let local_auth = match &config.proof {
            ClientProof::SharedSecret(_) => LocalAuth::SharedSecret,
            ClientProof::Certificate(own) => LocalAuth::Certificate {
                chain: own.chain.as_slice().into(),
                schemes: own.key.schemes(),
            },
            ClientProof::Password { .. } => LocalAuth::Eap,
        };
        let remote_auth = match self.checker {
            Some(_) => RemoteAuth::Certificate,
            None => RemoteAuth::SharedSecret,
        };
        let wanted = |ipv4: bool| config.subnets.iter().any(|net| net.addr().is_ipv4() == ipv4);
        let mut request = ConfigurationRequest::default();
        if !wanted(true) {
            request.ipv4.clear();
        }
        if !wanted(false) {
            request.ipv6.clear();
        }
        let remote = config.subnets.iter().filter_map(subnet_selector).collect();
        let child = ChildConfig {
            proposals: config.policy.esp_proposals.clone(),
            lifetime: config.policy.child_lifetime,
            aggfrag: config.policy.aggregation.map(Aggregation::to_ike),
            remote,
            ..ChildConfig::remote_access()
        };
        let policy = &config.policy;
        let mut peer = PeerConfig {
            remote_id: Some(config.gateway_id.clone()),
            authorities: self
                .checker
                .as_ref()
                .map(CertificateChecker::authorities)
                .unwrap_or_default(),
            ocsp_responders: self.checker.as_ref().and_then(CertificateChecker::ocsp_responders),
            ocsp_response: self.stapler.as_ref().and_then(|stapler| stapler.response(unix)),
            proposals: policy.ike_proposals.clone(),
            request: Some(request),
            child: Some(child),
            remote_nat_t_port: config.gateway_nat_t_port,
            // ESP is carried in UDP alone here.
            force_encapsulation: true,
            lifetime: policy.ike_lifetime,
            liveness_interval: policy.liveness_interval,
            initial_contact: true,
            ..PeerConfig::new(config.id.clone(), local_auth, remote_auth)
        };
        if let Some(schemes) = &policy.signature_schemes {
            peer.signature_schemes = schemes.clone();
        }
        peer
    }
}

fn password_peer(user: &str, password: Option<&Secret>) -> Result<PasswordPeer, adit_eap::Error> {
    PasswordPeer::new(user, password.map(|password| Credential::Password(password.duplicate())))
}

pub(crate) fn subnet_selector(net: &IpNet) -> Option<TrafficSelector> {
    TrafficSelector::subnet(net.addr(), net.prefix_len())
}
