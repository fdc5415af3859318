//! Endpoints as nodes of the virtual network, with an embedder that answers what they ask.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use adit_ikev2::negotiate::ConfigurationReply;
use adit_ikev2::wire::CertEncoding;
use adit_ikev2::{
    Acceptance, Admission, Ask, ChildConfig, ChildId, ChildRefusal, ChildSa, CloseReason, Deny,
    Disposition, EapReply, Endpoint, EndpointConfig, Error, Event, Identity, Installed, LocalAuth,
    Nat, Path, PeerConfig, RemoteAuth, SaId, Signature, VerifiedKey,
};
use adit_platform::signature::{SignatureScheme, SigningKey};
use adit_platform::{Instant, Provider, Secret};
use adit_testkit::net::{Conditions, Datagram, Network, Node, Simulation};
use adit_testkit::pki::Key;
use adit_testkit::rng::SeededRng;

pub const CLIENT: &str = "10.77.0.2";
pub const GATEWAY: &str = "10.77.0.1";

/// Every provider, with its name.
pub fn providers() -> [Provider; 3] {
    [
        adit_platform::ring::PROVIDER,
        adit_platform::rustcrypto::PROVIDER,
        adit_testkit::insecure::PROVIDER,
    ]
}

/// Those whose signatures are real.
pub fn real_providers() -> [Provider; 2] {
    [adit_platform::ring::PROVIDER, adit_platform::rustcrypto::PROVIDER]
}

pub fn client_id() -> Identity {
    Identity::email("alice@lab.test")
}

pub fn gateway_id() -> Identity {
    Identity::fqdn("gw.lab.test")
}

/// What the embedder of one endpoint knows and decides.
pub struct Embedder {
    pub secret: &'static [u8],
    /// Answers `SelectPeer`.
    pub peer: Option<Arc<PeerConfig>>,
    pub signing: Option<Arc<dyn SigningKey>>,
    /// Answers `VerifyPeer`.
    pub peer_spki: Option<Vec<u8>>,
    /// How many requests the EAP authenticator sends before it says Success.
    pub eap_rounds: u8,
    pub eap_fails: bool,
    pub msk: Option<&'static [u8]>,
    pub acceptance: Acceptance,
    pub admission: Result<ChildConfig, ChildRefusal>,
    pub configuration: Option<ConfigurationReply>,
    /// The asks of these names are denied.
    pub denies: BTreeSet<&'static str>,
    /// The asks of these names are never answered.
    pub forgets: BTreeSet<&'static str>,
}

impl Default for Embedder {
    fn default() -> Self {
        Self {
            secret: b"correct horse battery staple",
            peer: None,
            signing: None,
            peer_spki: None,
            eap_rounds: 3,
            eap_fails: false,
            msk: Some(&[0x5a; 64]),
            acceptance: Acceptance::Proceed,
            admission: Ok(ChildConfig::remote_access()),
            configuration: None,
            denies: BTreeSet::new(),
            forgets: BTreeSet::new(),
        }
    }
}

/// What became of one IKE SA.
#[derive(Default, Debug)]
pub struct Record {
    pub established: bool,
    pub peer: Option<Identity>,
    pub nat: Nat,
    pub path: Option<Path>,
    pub configuration: Option<ConfigurationReply>,
    pub initial_contact: bool,
    /// Children that were installed and not closed.
    pub children: BTreeMap<ChildId, ChildSa>,
    /// Those of them that may be sent through.
    pub up: BTreeSet<ChildId>,
    pub replaced: Vec<(ChildId, ChildId)>,
    pub child_errors: Vec<Error>,
    pub rekeys: u32,
    pub alive: u32,
    pub closed: Option<CloseReason>,
}

/// One endpoint with its embedder.
pub struct Host {
    pub endpoint: Endpoint,
    pub embedder: Embedder,
    pub address: IpAddr,
    pub sas: BTreeMap<SaId, Record>,
    pub asked: Vec<&'static str>,
    /// What the peer sent along with its certificates, the last time that they were to be verified.
    pub evidence: Vec<(CertEncoding, Vec<u8>)>,
    pub dropped: Vec<Error>,
    pub key_log: Vec<String>,
    pub esp: u32,
    provider: Provider,
    rng: SeededRng,
    buffer: Vec<u8>,
    rounds: BTreeMap<SaId, u8>,
    /// Everything that was sent, for tests that replay it.
    pub sent: Vec<Datagram>,
    queue: VecDeque<Datagram>,
}

impl Host {
    pub fn new(
        address: &str,
        config: EndpointConfig,
        provider: Provider,
        seed: u64,
        embedder: Embedder,
    ) -> Self {
        let rng = Box::new(SeededRng::new(seed));
        Self {
            endpoint: Endpoint::new(Arc::new(config), provider, rng).unwrap(),
            embedder,
            address: address.parse().unwrap(),
            sas: BTreeMap::new(),
            asked: Vec::new(),
            evidence: Vec::new(),
            dropped: Vec::new(),
            key_log: Vec::new(),
            esp: 0,
            provider,
            rng: SeededRng::new(seed ^ 0xffff),
            buffer: Vec::new(),
            rounds: BTreeMap::new(),
            sent: Vec::new(),
            queue: VecDeque::new(),
        }
    }

    pub fn path_to(&self, remote: &str) -> Path {
        Path {
            local: SocketAddr::new(self.address, 500),
            remote: SocketAddr::new(remote.parse().unwrap(), 500),
        }
    }

    /// Sends this datagram with the next ones.
    pub fn inject(&mut self, datagram: Datagram) {
        self.queue.push_back(datagram);
    }

    /// The only record, or the one that is not closed.
    pub fn record(&self) -> &Record {
        let open = self.sas.values().find(|record| record.closed.is_none());
        open.or_else(|| self.sas.values().last()).expect("no SA at all")
    }

    /// The name of the SA that is not closed.
    pub fn sa(&self) -> SaId {
        let open = self.sas.iter().find(|(_, record)| record.closed.is_none());
        *open.expect("no open SA").0
    }

    pub fn is_up(&self) -> bool {
        self.sas
            .values()
            .any(|record| record.established && record.closed.is_none() && !record.up.is_empty())
    }

    pub fn is_established(&self) -> bool {
        self.sas.values().any(|record| record.established && record.closed.is_none())
    }

    fn drain(&mut self, now: Instant) {
        while let Some((sa, event)) = self.endpoint.poll_event() {
            self.event(now, sa, event);
        }
    }

    fn event(&mut self, now: Instant, sa: SaId, event: Event) {
        if std::env::var_os("ADIT_TRACE").is_some() {
            eprintln!("{now:?} {} {sa:?} {event:?}", self.address);
        }
        let record = self.sas.entry(sa).or_default();
        assert!(record.closed.is_none(), "{event:?} after Closed");
        match event {
            Event::Ask(ask) => self.answer(now, sa, ask),
            Event::KeysAgreed { path, nat } => {
                record.path = Some(path);
                record.nat = nat;
            }
            Event::Established(established) => {
                assert!(!record.established);
                record.established = true;
                record.peer = Some(established.peer.identity().clone());
                record.configuration = established.configuration;
                record.initial_contact = established.initial_contact;
                record.path = Some(established.path);
            }
            Event::ChildEstablished { child, replaces } => {
                assert!(record.children.contains_key(&child), "{child:?} was not installed");
                record.up.insert(child);
                record.replaced.extend(replaces.map(|old| (old, child)));
            }
            Event::ChildFailed(error) => record.child_errors.push(error),
            Event::ChildClosed { child, .. } => {
                record.children.remove(&child).expect("an unknown child is closed");
                record.up.remove(&child);
            }
            Event::IkeRekeyed { .. } => record.rekeys += 1,
            Event::PathChanged(path) => record.path = Some(path),
            Event::Alive => record.alive += 1,
            Event::KeyLog(line) => self.key_log.push(line),
            Event::Closed(reason) => {
                record.children.clear();
                record.up.clear();
                record.closed = Some(reason);
            }
            other => panic!("an event that this test does not know: {other:?}"),
        }
    }

    fn answer(&mut self, now: Instant, sa: SaId, ask: Ask) {
        let name = ask.name();
        self.asked.push(name);
        if self.embedder.forgets.contains(name) {
            return;
        }
        let deny = self.embedder.denies.contains(name).then(|| Deny::because("the test says so"));
        macro_rules! answer {
            ($ticket:expr, $answer:expr) => {{
                let answer = match deny {
                    Some(deny) => Err(deny),
                    None => $answer,
                };
                self.endpoint.answer(now, $ticket, answer).expect("a fresh ticket")
            }};
        }
        match ask {
            Ask::Accept { ticket, .. } => answer!(ticket, Ok(self.embedder.acceptance)),
            Ask::SelectPeer { ticket, .. } => answer!(
                ticket,
                self.embedder.peer.clone().ok_or_else(|| Deny::because("nobody is known"))
            ),
            Ask::SharedSecret { ticket, .. } => {
                answer!(ticket, Ok(Secret::copy_from(self.embedder.secret)))
            }
            Ask::VerifyPeer { ticket, chain, evidence, .. } => {
                assert!(!chain.is_empty());
                self.evidence = evidence;
                let spki = self.embedder.peer_spki.clone();
                answer!(
                    ticket,
                    spki.map(|spki| VerifiedKey { spki })
                        .ok_or_else(|| Deny::because("no certificate is trusted"))
                );
            }
            Ask::Sign { ticket, octets, schemes, .. } => {
                let key = self.embedder.signing.clone().expect("a key to sign with");
                let scheme = *schemes
                    .iter()
                    .find(|scheme| key.schemes().contains(scheme))
                    .expect("only schemes of the configured key are asked for");
                let signature = key.sign(scheme, &octets, &mut self.rng).unwrap();
                answer!(ticket, Ok(Signature { scheme, signature }));
            }
            Ask::Eap { ticket, message, .. } => {
                let reply = self.eap(sa, message);
                answer!(ticket, Ok(reply));
            }
            Ask::Admit { ticket, .. } => {
                let child = self.embedder.admission.clone();
                let configuration = self.embedder.configuration.clone();
                answer!(ticket, Ok(Admission { configuration, child }));
            }
            Ask::Install { ticket, child } => {
                if deny.is_none() {
                    let record = self.sas.entry(sa).or_default();
                    let old = record.children.insert(child.id, *child);
                    assert!(old.is_none(), "a child is installed twice");
                }
                answer!(ticket, Ok(Installed));
            }
            other => panic!("an ask that this test does not know: {}", other.name()),
        }
    }

    /// A made-up EAP method: `eap_rounds` requests that are echoed, then Success or Failure.
    fn eap(&mut self, sa: SaId, message: Option<Vec<u8>>) -> EapReply {
        let msk = self.embedder.msk.map(Secret::copy_from);
        let is_peer = self.embedder.peer.is_none();
        if is_peer {
            let message = message.expect("the gateway speaks first");
            return match message[0] {
                1 => EapReply::Continue(eap_packet(2, message[1], b"echo")),
                // Failure too is answered by success, of which nothing must come.
                3 | 4 => EapReply::Success { message: Vec::new(), msk },
                code => panic!("unexpected EAP code {code}"),
            };
        }
        let round = self.rounds.entry(sa).or_insert(0);
        *round += 1;
        match &message {
            None => assert_eq!(*round, 1),
            Some(message) => assert_eq!((message[0], message[1]), (2, *round - 1)),
        }
        if *round <= self.embedder.eap_rounds {
            EapReply::Continue(eap_packet(1, *round, b"challenge"))
        } else if self.embedder.eap_fails {
            EapReply::Failure(vec![4, *round, 0, 4])
        } else {
            EapReply::Success { message: vec![3, *round, 0, 4], msk }
        }
    }
}

fn eap_packet(code: u8, identifier: u8, data: &[u8]) -> Vec<u8> {
    let len = 5 + u16::try_from(data.len()).unwrap();
    let [high, low] = len.to_be_bytes();
    [&[code, identifier, high, low, 255], data].concat()
}

impl Node for Host {
    fn owns(&self, address: SocketAddr) -> bool {
        address.ip() == self.address
    }

    fn handle_datagram(&mut self, now: Instant, mut datagram: Datagram) {
        let path = Path { local: datagram.to, remote: datagram.from };
        match self.endpoint.handle_datagram(now, path, &mut datagram.payload) {
            Disposition::Dropped(error) => self.dropped.push(error),
            Disposition::Esp => self.esp += 1,
            Disposition::Ike | Disposition::Keepalive => {}
        }
        self.drain(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        self.drain(now);
    }

    fn poll_transmit(&mut self, now: Instant) -> Option<Datagram> {
        self.drain(now);
        if let Some(datagram) = self.queue.pop_front() {
            return Some(datagram);
        }
        let transmit = self.endpoint.poll_transmit(&mut self.buffer)?;
        let datagram = Datagram {
            from: transmit.path.local,
            to: transmit.path.remote,
            payload: self.buffer.clone(),
        };
        self.sent.push(datagram.clone());
        Some(datagram)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }
}

/// A client and a gateway with a network between them.
pub struct Pair {
    pub sim: Simulation,
    /// The client, then the gateway.
    pub hosts: [Host; 2],
    pub client_config: Arc<PeerConfig>,
}

/// How a [`Pair`] is made.
pub struct Setup {
    pub provider: Provider,
    pub seed: u64,
    pub conditions: Conditions,
    pub client: EndpointConfig,
    pub gateway: EndpointConfig,
    pub client_peer: PeerConfig,
    pub gateway_peer: PeerConfig,
    pub client_embedder: Embedder,
    pub gateway_embedder: Embedder,
}

impl Setup {
    /// Both ends prove themselves with a shared secret.
    pub fn psk(provider: Provider) -> Self {
        let secret = RemoteAuth::SharedSecret;
        Self {
            provider,
            seed: 1,
            conditions: Conditions::IDEAL,
            client: EndpointConfig::default(),
            gateway: EndpointConfig { responder: true, ..EndpointConfig::default() },
            client_peer: PeerConfig {
                remote_id: Some(gateway_id()),
                child: Some(ChildConfig::remote_access()),
                ..PeerConfig::new(client_id(), LocalAuth::SharedSecret, secret)
            },
            gateway_peer: PeerConfig::new(gateway_id(), LocalAuth::SharedSecret, secret),
            client_embedder: Embedder::default(),
            gateway_embedder: Embedder::default(),
        }
    }

    /// Both ends prove themselves with these keys; the certificates are opaque to IKE.
    pub fn certificates(provider: Provider, client: &Key, gateway: &Key) -> Self {
        let mut setup = Self::psk(provider);
        let load = |key: &Key| provider.keys.load_pkcs8(key.pkcs8()).unwrap();
        let auth = |key: &Key, name: &str| LocalAuth::Certificate {
            chain: [name.as_bytes().to_vec()].into(),
            schemes: load(key).schemes().to_vec(),
        };
        setup.client_peer.local_auth = auth(client, "the client's certificate");
        setup.client_peer.remote_auth = RemoteAuth::Certificate;
        setup.gateway_peer.local_auth = auth(gateway, "the gateway's certificate");
        setup.gateway_peer.remote_auth = RemoteAuth::Certificate;
        setup.client_embedder.signing = Some(load(client));
        setup.client_embedder.peer_spki = Some(gateway.spki.clone());
        setup.gateway_embedder.signing = Some(load(gateway));
        setup.gateway_embedder.peer_spki = Some(client.spki.clone());
        setup
    }

    /// The gateway proves itself with a shared secret, the client with EAP.
    pub fn eap(provider: Provider) -> Self {
        let mut setup = Self::psk(provider);
        setup.client_peer.local_auth = LocalAuth::Eap;
        setup.gateway_peer.remote_auth = RemoteAuth::Eap;
        setup
    }

    pub fn only_scheme(mut self, scheme: SignatureScheme) -> Self {
        for peer in [&mut self.client_peer, &mut self.gateway_peer] {
            peer.signature_schemes = vec![scheme];
            if let LocalAuth::Certificate { schemes, .. } = &mut peer.local_auth {
                *schemes = vec![scheme];
            }
        }
        self
    }

    pub fn build(mut self) -> Pair {
        self.gateway_embedder.peer = Some(Arc::new(self.gateway_peer));
        let mut seeds = SeededRng::new(self.seed);
        let mut host = |address, config, embedder| {
            Host::new(address, config, self.provider, seeds.next_u64(), embedder)
        };
        let hosts = [
            host(CLIENT, self.client, self.client_embedder),
            host(GATEWAY, self.gateway, self.gateway_embedder),
        ];
        let network = Network::new(seeds.next_u64(), self.conditions);
        let sim = Simulation::new(network);
        Pair { sim, hosts, client_config: Arc::new(self.client_peer) }
    }

    /// Builds the pair and lets the client connect; runs until all is quiet or `span` is over.
    pub fn connect(self, span: Duration) -> Pair {
        let mut pair = self.build();
        pair.connect();
        pair.run(span);
        pair
    }
}

impl Pair {
    pub fn client(&self) -> &Host {
        &self.hosts[0]
    }

    pub fn gateway(&self) -> &Host {
        &self.hosts[1]
    }

    pub fn connect(&mut self) -> SaId {
        let now = self.sim.now;
        let [client, _] = &mut self.hosts;
        let path = client.path_to(GATEWAY);
        let sa = client.endpoint.connect(now, path, self.client_config.clone()).unwrap();
        client.sas.entry(sa).or_default();
        sa
    }

    pub fn run(&mut self, span: Duration) {
        let [client, gateway] = &mut self.hosts;
        self.sim.run(&mut [client, gateway], span);
    }

    /// Gives a command to the endpoint of one end and lets everything happen that follows.
    pub fn command<T>(
        &mut self,
        host: usize,
        command: impl FnOnce(&mut Endpoint, Instant) -> T,
    ) -> T {
        let now = self.sim.now;
        let result = command(&mut self.hosts[host].endpoint, now);
        self.run(Duration::from_secs(1));
        result
    }

    /// Both ends are up, with the same children, and keys that fit.
    #[track_caller]
    pub fn assert_up(&self) {
        let [client, gateway] = &self.hosts;
        assert!(client.is_up(), "client: {:?} {:?}", client.sas, client.dropped);
        assert!(gateway.is_up(), "gateway: {:?} {:?}", gateway.sas, gateway.dropped);
        self.assert_children_match();
    }

    #[track_caller]
    pub fn assert_children_match(&self) {
        let (ours, theirs) = (self.client().record(), self.gateway().record());
        assert_eq!(ours.children.len(), theirs.children.len(), "{ours:?}\n{theirs:?}");
        for child in ours.children.values() {
            let other = theirs
                .children
                .values()
                .find(|other| other.spi_in == child.spi_out)
                .expect("a child without its other end");
            assert_eq!(other.spi_out, child.spi_in);
            assert_eq!(other.keymat_in, child.keymat_out);
            assert_eq!(other.keymat_out, child.keymat_in);
            assert_ne!(child.keymat_in, child.keymat_out);
            assert_eq!((other.suite, other.esn, other.mode), (child.suite, child.esn, child.mode));
            assert_eq!(other.aggfrag.is_some(), child.aggfrag.is_some());
            assert_eq!((&other.local, &other.remote), (&child.remote, &child.local));
            assert_eq!(other.udp_encapsulation, child.udp_encapsulation);
        }
    }

    /// Neither end has an SA, nor anything half-open.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        for host in &self.hosts {
            assert!(host.endpoint.is_empty(), "{} SAs are left", host.endpoint.len());
            assert_eq!(host.endpoint.half_open(), 0);
            assert_eq!(host.endpoint.poll_timeout(), None);
            assert!(host.sas.values().all(|record| record.closed.is_some()), "{:?}", host.sas);
        }
    }
}

pub const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
