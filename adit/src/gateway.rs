//! The gateway of remote-access clients.

mod admit;
mod event;
mod peers;
mod session;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::ops::Range;

use adit_certval::Purpose;
use adit_esp::sad::ChildStats;
use adit_ikev2::{
    Acceptance, Ask, ChildId, CloseReason, CommandError, Deny, Event, Identity, Path, PeerConfig,
    SaId, Signature, StaleTicket, Ticket, VerifiedKey,
};
use adit_platform::{Instant, Provider, Rng};

use crate::adapters::certificates::{CertificateChecker, FetchId, Verdict};
use crate::adapters::eap::{LocalServer, ServerStep, UserStore};
use crate::adapters::esp::{Sealed, SendError};
use crate::adapters::pool::AddressPool;
use crate::adapters::radius::{EapAnswer, EapOutcome, RadiusServers};
use crate::adapters::staple::Stapler;
use crate::config::{Clocks, ConfigError, EapServer, GatewayConfig, Key, SetupError};
use crate::limits::AttemptRate;
use crate::stack::{KeyLogLine, Received, Stack};

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
        let stack = Stack::new(config.endpoint.clone(), provider, rng, clocks)?;
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
    /// # Errors
    /// If it cannot or must not be sent.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        packet: Range<usize>,
    ) -> Result<Sealed, SendError> {
        let sealed = self.stack.seal(buf, packet);
        self.stack.replace_spent(now);
        sealed
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.stack.endpoint.handle_timeout(now);
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

    /// The host's wall clock was set.
    pub fn set_clocks(&mut self, clocks: Clocks) {
        self.stack.set_clocks(clocks);
    }

    /// From now on emits all keys as [`GatewayEvent::KeyLog`]. Whoever reads them reads, and forges,
    /// everything.
    pub fn dangerous_key_log(&mut self) {
        self.stack.dangerous_key_log();
    }

    /// The next datagram to send, written over the content of `datagram`.
    pub fn poll_transmit(&mut self, datagram: &mut Vec<u8>) -> Option<Target> {
        if let Some(transmit) = self.stack.endpoint.poll_transmit(datagram) {
            return Some(Target::Peer(transmit.path));
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

    /// What has happened since.
    pub fn poll_event(&mut self) -> Option<GatewayEvent> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
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
        [self.stack.endpoint.poll_timeout(), radius, fetch].into_iter().flatten().min()
    }

    /// Deals with all that has come up, until nothing more comes.
    fn work(&mut self, now: Instant) {
        loop {
            if let Some((sa, event)) = self.stack.endpoint.poll_event() {
                self.handle_event(now, sa, event);
                continue;
            }
            if let Some(verdict) = self.checker.as_mut().and_then(|c| c.poll_verdict()) {
                self.handle_verdict(now, verdict);
                continue;
            }
            if let Some(Eap::Radius(servers)) = &mut self.eap
                && let Some(answer) = servers.poll_answer()
            {
                self.handle_eap_answer(now, answer);
                continue;
            }
            break;
        }
        let unix = self.stack.unix(now);
        while let Some(fetch) = self.checker.as_mut().and_then(|c| c.poll_fetch(unix)) {
            self.events.push_back(GatewayEvent::Fetch(fetch));
        }
        while let Some(fetch) = self.stapler.as_mut().and_then(|s| s.poll_fetch(unix)) {
            self.events.push_back(GatewayEvent::Fetch(fetch));
        }
        for line in self.stack.take_esp_key_log() {
            self.events.push_back(GatewayEvent::KeyLog(line));
        }
    }

    fn handle_event(&mut self, now: Instant, sa: SaId, event: Event) {
        match event {
            Event::Ask(ask) => self.handle_ask(now, sa, ask),
            Event::KeysAgreed { path, .. } => {
                self.sessions.insert(sa, Session::new(path));
            }
            Event::Established(established) => {
                if established.initial_contact {
                    self.forget_others(now, sa, established.peer.identity());
                }
                if let Some(session) = self.sessions.get_mut(&sa) {
                    session.path = established.path;
                    let client = session.connect(sa, &established);
                    self.by_identity.entry(client.identity.clone()).or_default().insert(sa);
                    self.events.push_back(GatewayEvent::Connected(Box::new(client)));
                }
            }
            Event::ChildEstablished { child, replaces } => {
                self.child_established(sa, child, replaces);
            }
            Event::ChildClosed { child, .. } => self.stack.tunnels.remove(sa, child),
            Event::IkeRekeyed { .. } => {
                self.events.push_back(GatewayEvent::Rekeyed { sa, child: false });
            }
            Event::PathChanged(path) => {
                if let Some(session) = self.sessions.get_mut(&sa) {
                    session.path = path;
                }
                self.stack.tunnels.set_path(sa, path);
                self.events.push_back(GatewayEvent::PathChanged { sa, path });
            }
            Event::KeyLog(line) => {
                self.events.push_back(GatewayEvent::KeyLog(KeyLogLine::Ike(line)));
            }
            Event::Closed(reason) => self.closed(sa, reason),
            _ => {}
        }
    }

    fn handle_ask(&mut self, now: Instant, sa: SaId, ask: Ask) {
        match ask {
            Ask::Accept { ticket, .. } => {
                let accepted = self.config.limits.attempts_per_minute > 0 && self.rate.take(now);
                let answer = if accepted { Acceptance::Proceed } else { Acceptance::Ignore };
                let _ = self.stack.endpoint.answer(now, ticket, Ok(answer));
            }
            Ask::SelectPeer { peer_id, wants_eap, ticket, .. } => {
                let unix = self.stack.unix(now);
                self.peers.staple(self.stapler.as_ref().and_then(|it| it.response(unix)));
                let answer = self.select(&peer_id, wants_eap);
                if let Some(session) = self.sessions.get_mut(&sa) {
                    session.claimed = Some(peer_id);
                }
                let _ = self.stack.endpoint.answer(now, ticket, answer);
            }
            Ask::SharedSecret { peer_id, ticket, .. } => {
                let secrets = &self.config.clients.shared_secrets;
                let secret = peer_id.as_ref().and_then(|id| secrets.get(id));
                let answer = secret
                    .map(adit_platform::Secret::duplicate)
                    .ok_or_else(|| Deny::because("no shared secret for this identity"));
                let _ = self.stack.endpoint.answer(now, ticket, answer);
            }
            Ask::VerifyPeer { peer_id, chain, evidence, ticket } => {
                let unix = self.stack.unix(now);
                match &mut self.checker {
                    Some(checker) => checker.check(now, unix, ticket, peer_id, chain, &evidence),
                    None => self.deny(now, ticket, "clients with certificates are not expected"),
                }
            }
            Ask::Sign { octets, schemes, ticket, .. } => {
                match self.config.certificate.as_ref().map(|own| &own.key) {
                    Some(Key::Local(key)) => {
                        let key = key.clone();
                        self.stack.sign(now, &key, &octets, &schemes, ticket);
                    }
                    Some(Key::External { .. }) => {
                        self.events.push_back(GatewayEvent::Sign { octets, schemes, ticket });
                    }
                    None => self.deny(now, ticket, "no certificate is configured"),
                }
            }
            Ask::Eap { message, ticket, .. } => self.handle_eap(now, sa, message, ticket),
            Ask::Admit { peer, request, ticket, .. } => {
                let admission = self.admit(sa, &peer, request.as_ref());
                if self.stack.endpoint.answer(now, ticket, admission).is_err() {
                    self.give_back(sa);
                }
            }
            Ask::Install { child, ticket } => {
                let path = self.sessions.get(&sa).map(|session| session.path);
                match path {
                    Some(path) => self.stack.install(now, path, &child, ticket),
                    None => self.deny(now, ticket, "the session is gone"),
                }
            }
            // Asks of kinds to come: their tickets are dropped and fail closed.
            _ => {}
        }
    }

    /// Which way of authentication applies to a peer, by what it says of itself.
    fn select(&self, peer_id: &Identity, wants_eap: bool) -> Result<Arc<PeerConfig>, Deny> {
        if wants_eap {
            return match self.eap {
                Some(_) => Ok(self.peers.eap.clone()),
                None => Err(Deny::because("EAP is not configured")),
            };
        }
        if self.config.clients.shared_secrets.contains_key(peer_id) {
            return Ok(self.peers.shared_secret.clone());
        }
        match self.checker {
            Some(_) => Ok(self.peers.certificate.clone()),
            None => Err(Deny::because("no shared secret for this identity, and no certificates")),
        }
    }

    fn handle_eap(
        &mut self,
        now: Instant,
        sa: SaId,
        message: Option<Vec<u8>>,
        ticket: Ticket<adit_ikev2::EapReply>,
    ) {
        let Some(session) = self.sessions.get_mut(&sa) else { return };
        let rng = self.stack.endpoint.rng();
        let step = match &mut self.eap {
            None => return self.deny(now, ticket, "EAP is not configured"),
            Some(Eap::Radius(servers)) => {
                return servers.handle_eap(now, session.path, ticket, message.as_deref(), rng);
            }
            Some(Eap::Local(users)) => {
                let name = self.config.id.to_string();
                let server = match session.eap.take() {
                    Some(server) => Ok(server),
                    None => LocalServer::new(&name, None),
                };
                server.and_then(|mut server| {
                    let step = server.handle(message.as_deref(), users, rng);
                    session.eap = Some(server);
                    step
                })
            }
        };
        let answer = match step {
            Ok(ServerStep::Continue(packet)) => {
                EapAnswer { ticket, reply: adit_ikev2::EapReply::Continue(packet), outcome: None }
            }
            Ok(ServerStep::Success { reply, user }) => {
                let outcome = Some(EapOutcome::Proven { user, authorization: None });
                EapAnswer { ticket, reply, outcome }
            }
            Ok(ServerStep::Failure { reply, reason }) => {
                EapAnswer { ticket, reply, outcome: Some(EapOutcome::Refused(reason.to_string())) }
            }
            Err(error) => {
                session.failure = Some(error.to_string());
                let deny = Deny::because(error.to_string());
                let _ =
                    self.stack.endpoint.answer(now, ticket, Err::<adit_ikev2::EapReply, _>(deny));
                return;
            }
        };
        self.handle_eap_answer(now, answer);
    }

    fn handle_eap_answer(&mut self, now: Instant, answer: EapAnswer) {
        let EapAnswer { ticket, reply, outcome } = answer;
        if let Some(session) = self.sessions.get_mut(&ticket.sa()) {
            match outcome {
                None => {}
                Some(EapOutcome::Proven { user, authorization }) => {
                    session.user = Some(user);
                    session.authorization = authorization;
                }
                Some(EapOutcome::Refused(reason)) => session.failure = Some(reason),
            }
        }
        // A stale ticket means that the SA is gone: nobody waits for the answer.
        let _ = self.stack.endpoint.answer(now, ticket, Ok(reply));
    }

    fn handle_verdict(&mut self, now: Instant, verdict: Verdict) {
        let sa = verdict.ticket.sa();
        let answer = match verdict.result {
            Ok(path) => {
                for warning in path.warnings() {
                    let warning = warning.clone();
                    self.events.push_back(GatewayEvent::CertificateWarning { sa, warning });
                }
                Ok(VerifiedKey { spki: path.subject_public_key_info().to_vec() })
            }
            Err(error) => {
                if let Some(session) = self.sessions.get_mut(&sa) {
                    session.failure = Some(error.to_string());
                }
                Err(Deny::because(error.to_string()))
            }
        };
        let _ = self.stack.endpoint.answer(now, verdict.ticket, answer);
    }

    fn child_established(&mut self, sa: SaId, child: ChildId, replaces: Option<ChildId>) {
        self.stack.established(sa, child);
        if replaces.is_some() {
            self.events.push_back(GatewayEvent::Rekeyed { sa, child: true });
        }
    }

    /// A client says that it has no other connection: older ones are remains (RFC 7296 section 2.4).
    fn forget_others(&mut self, now: Instant, sa: SaId, identity: &Identity) {
        let others = self.by_identity.get(identity).into_iter().flatten();
        let others: Vec<SaId> = others.copied().filter(|other| *other != sa).collect();
        for other in others {
            let _ = self.stack.endpoint.abandon(now, other);
        }
    }

    fn closed(&mut self, sa: SaId, reason: CloseReason) {
        let stats = Box::new(self.stack.tunnels.remove_all(sa));
        if let Some(Eap::Radius(servers)) = &mut self.eap {
            servers.forget(sa);
        }
        self.give_back(sa);
        let Some(session) = self.sessions.remove(&sa) else { return };
        self.events.push_back(match session.client {
            Some(client) => {
                if let Some(same) = self.by_identity.get_mut(&client.identity) {
                    same.remove(&sa);
                    if same.is_empty() {
                        self.by_identity.remove(&client.identity);
                    }
                }
                GatewayEvent::Disconnected { sa, client, reason, stats }
            }
            None => {
                let (path, claimed) = (session.path, session.claimed);
                let why = session.failure.unwrap_or_else(|| reason.to_string());
                GatewayEvent::Refused(Box::new(Refusal { path, claimed, reason: why }))
            }
        });
    }

    fn deny<A: adit_ikev2::Answer>(&mut self, now: Instant, ticket: Ticket<A>, why: &'static str) {
        let _ = self.stack.endpoint.answer(now, ticket, Err::<A, _>(Deny::because(why)));
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
