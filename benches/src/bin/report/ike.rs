//! What an IKE handshake costs beside its cryptography, and what an established IKE SA weighs.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use adit_benches::{Case, Pair, Report};
use adit_eap::{Authenticator, AuthenticatorStep, Credential, Peer, PeerStep, mschapv2};
use adit_ikev2::negotiate::IkeProposal;
use adit_ikev2::{
    Acceptance, Admission, Ask, ChildConfig, EapReply, Endpoint, EndpointConfig, Event, Identity,
    Installed, Limits, LocalAuth, Path, PeerConfig, RemoteAuth, SaId, Signature, VerifiedKey,
};
use adit_platform::kex::KexAlgorithm;
use adit_platform::signature::{SignatureScheme, SigningKey};
use adit_platform::{Instant, Provider, Secret};
use adit_testkit::alloc::live_bytes;
use adit_testkit::pki::{Authority, Key, Template};
use adit_testkit::rng::SeededRng;

const PROVIDER: Provider = adit_platform::ring::PROVIDER;
const SCHEME: SignatureScheme = SignatureScheme::EcdsaP256Sha256;
const USER: &str = "alice";
const PASSWORD: &str = "wonderland";

/// SAs that the weight of one is averaged over.
const SAS: usize = 1000;

/// The rows of `ike/`.
pub(crate) fn rows(report: &mut Report) {
    let handshakes = [
        ("ike/handshake/psk-x25519", Method::SharedSecret),
        ("ike/handshake/cert-p256", Method::Certificate),
        ("ike/handshake/eap-mschapv2", Method::Eap),
    ];
    for (name, method) in handshakes {
        report.compare(name, "ns", || handshake(method));
    }
    report.value("ike/heap-per-sa", "bytes", heap_per_sa);
}

/// How the two ends authenticate each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    SharedSecret,
    /// Both by ECDSA; the certificates are not validated, which `certval/` measures.
    Certificate,
    /// The gateway by ECDSA, the client by EAP-MSCHAPv2.
    Eap,
}

/// One end with its embedder.
struct Host {
    endpoint: Endpoint,
    peer: Arc<PeerConfig>,
    method: Method,
    key: Arc<dyn SigningKey>,
    peer_spki: Vec<u8>,
    eap_peer: Option<Peer>,
    authenticator: Option<Authenticator>,
    rng: SeededRng,
    path: Path,
    established: usize,
    last: Option<SaId>,
}

impl Host {
    fn new(is_gateway: bool, method: Method, key: &Credentials, peer: &Credentials) -> Self {
        let [gateway, client]: [SocketAddr; 2] =
            ["192.0.2.1:500", "192.0.2.2:500"].map(|text| text.parse().expect("an address"));
        let path = if is_gateway {
            Path { local: gateway, remote: client }
        } else {
            Path { local: client, remote: gateway }
        };
        let certificate = || LocalAuth::Certificate {
            chain: Arc::from([key.certificate.clone()]),
            schemes: vec![SCHEME],
        };
        let (local_auth, remote_auth) = match (method, is_gateway) {
            (Method::SharedSecret, _) => (LocalAuth::SharedSecret, RemoteAuth::SharedSecret),
            (Method::Certificate, _) => (certificate(), RemoteAuth::Certificate),
            (Method::Eap, true) => (certificate(), RemoteAuth::Eap),
            (Method::Eap, false) => (LocalAuth::Eap, RemoteAuth::Certificate),
        };
        let proposals = vec![IkeProposal {
            key_exchanges: vec![KexAlgorithm::X25519],
            ..IkeProposal::recommended()
        }];
        let local_id = if is_gateway {
            Identity::fqdn("gw.lab.test")
        } else {
            Identity::email("alice@lab.test")
        };
        let peer_config = PeerConfig {
            child: (!is_gateway).then(ChildConfig::remote_access),
            proposals: proposals.clone(),
            signature_schemes: vec![SCHEME],
            ..PeerConfig::new(local_id, local_auth, remote_auth)
        };
        let config = EndpointConfig {
            responder: is_gateway,
            proposals,
            limits: Limits {
                half_open: 10 * SAS,
                half_open_per_address: 10 * SAS,
                cookie_threshold: 10 * SAS,
                ..Limits::default()
            },
            ..EndpointConfig::default()
        };
        let rng = Box::new(SeededRng::new(u64::from(is_gateway)));
        Self {
            endpoint: Endpoint::new(Arc::new(config), PROVIDER, rng).expect("a whole provider"),
            peer: Arc::new(peer_config),
            method,
            key: key.key.clone(),
            peer_spki: peer.spki.clone(),
            eap_peer: None,
            authenticator: None,
            rng: SeededRng::new(7),
            path,
            established: 0,
            last: None,
        }
    }

    /// Takes everything that the endpoint has to say, and answers what it asks.
    fn drain(&mut self, now: Instant) {
        while let Some((sa, event)) = self.endpoint.poll_event() {
            match event {
                Event::Ask(ask) => self.answer(now, ask),
                Event::ChildEstablished { .. } => {
                    self.established += 1;
                    self.last = Some(sa);
                }
                Event::Closed(reason) => panic!("the handshake failed: {reason}"),
                _ => {}
            }
        }
    }

    fn answer(&mut self, now: Instant, ask: Ask) {
        let endpoint = &mut self.endpoint;
        let answered = match ask {
            Ask::Accept { ticket, .. } => endpoint.answer(now, ticket, Ok(Acceptance::Proceed)),
            Ask::SelectPeer { ticket, .. } => endpoint.answer(now, ticket, Ok(self.peer.clone())),
            Ask::SharedSecret { ticket, .. } => {
                let secret = Secret::copy_from(b"correct horse battery staple");
                endpoint.answer(now, ticket, Ok(secret))
            }
            Ask::VerifyPeer { ticket, .. } => {
                endpoint.answer(now, ticket, Ok(VerifiedKey { spki: self.peer_spki.clone() }))
            }
            Ask::Sign { ticket, octets, .. } => {
                let signature = self.key.sign(SCHEME, &octets, &mut self.rng);
                let signature = signature.expect("a key of that scheme");
                endpoint.answer(now, ticket, Ok(Signature { scheme: SCHEME, signature }))
            }
            Ask::Eap { ticket, message, .. } => {
                let reply = match (&mut self.authenticator, &mut self.eap_peer) {
                    (Some(authenticator), _) => authenticate(authenticator, message, &mut self.rng),
                    (None, Some(peer)) => respond(peer, message, &mut self.rng),
                    (None, None) => unreachable!("EAP was not configured"),
                };
                endpoint.answer(now, ticket, Ok(reply))
            }
            Ask::Admit { ticket, .. } => {
                let child = Ok(ChildConfig::remote_access());
                endpoint.answer(now, ticket, Ok(Admission { configuration: None, child }))
            }
            Ask::Install { ticket, .. } => endpoint.answer(now, ticket, Ok(Installed)),
            other => unreachable!("a new ask: {}", other.name()),
        };
        answered.expect("a fresh ticket");
    }

    fn deliver(&mut self, now: Instant, datagram: &mut [u8]) {
        self.endpoint.handle_datagram(now, self.path, datagram);
        self.drain(now);
    }
}

fn respond(peer: &mut Peer, message: Option<Vec<u8>>, rng: &mut SeededRng) -> EapReply {
    let message = message.expect("the gateway speaks first");
    match peer.handle(&message, rng).expect("a well-formed packet") {
        PeerStep::Respond(packet) => EapReply::Continue(packet),
        PeerStep::Success(msk) => {
            EapReply::Success { message: Vec::new(), msk: msk.map(|msk| msk.into_secret()) }
        }
        step => panic!("{step:?}"),
    }
}

fn authenticate(
    authenticator: &mut Authenticator,
    message: Option<Vec<u8>>,
    rng: &mut SeededRng,
) -> EapReply {
    let step = match message {
        None => authenticator.start(rng),
        Some(message) => authenticator.handle(&message, rng),
    };
    let mut step = step.expect("a well-formed packet");
    if let AuthenticatorStep::Ask(_) = step {
        let credential = Some(Credential::password(PASSWORD));
        step = authenticator.answer(credential, rng).expect("the question is open");
    }
    match step {
        AuthenticatorStep::Request(packet) => EapReply::Continue(packet),
        AuthenticatorStep::Success { packet, msk, .. } => {
            EapReply::Success { message: packet, msk: msk.map(|msk| msk.into_secret()) }
        }
        step => panic!("{step:?}"),
    }
}

/// A key with its certificate.
struct Credentials {
    key: Arc<dyn SigningKey>,
    spki: Vec<u8>,
    certificate: Vec<u8>,
}

fn credentials() -> [Credentials; 2] {
    let mut rng = SeededRng::new(3);
    let mut root = Authority::root("Lab Root", Key::p256(&mut rng));
    [Template::gateway("gw.lab.test"), Template::user("alice@lab.test")].map(|template| {
        let issued = root.issue(&template, Key::p256(&mut rng));
        let key = PROVIDER.keys.load_pkcs8(issued.key.pkcs8()).expect("a P-256 key");
        Credentials { key, spki: issued.key.spki.clone(), certificate: issued.certificate }
    })
}

/// Both ends, wired to each other.
struct Ends {
    gateway: Host,
    client: Host,
    datagram: Vec<u8>,
}

impl Ends {
    fn new(method: Method) -> Self {
        let [gateway, client] = credentials();
        Self {
            gateway: Host::new(true, method, &gateway, &client),
            client: Host::new(false, method, &client, &gateway),
            datagram: Vec::with_capacity(4096),
        }
    }

    /// One handshake, from nothing to a child SA that is up on both ends.
    fn connect(&mut self) {
        let now = Instant::default();
        if self.client.method == Method::Eap {
            let credential = Some(Credential::password(PASSWORD));
            let method = mschapv2::Peer::new(USER, credential).expect("a short name");
            self.client.eap_peer = Some(Peer::new(USER, vec![Box::new(method)]));
            let method = mschapv2::Authenticator::new("gw.lab.test");
            let authenticator = Authenticator::new(vec![Box::new(method)]);
            self.gateway.authenticator = Some(authenticator.expect("one method"));
        }
        let goal = self.client.established + 1;
        let (path, peer) = (self.client.path, self.client.peer.clone());
        self.client.endpoint.connect(now, path, peer).expect("room for one more");
        while self.client.established < goal || self.gateway.established < goal {
            let mut moved = false;
            while self.client.endpoint.poll_transmit(&mut self.datagram).is_some() {
                self.gateway.deliver(now, &mut self.datagram);
                moved = true;
            }
            while self.gateway.endpoint.poll_transmit(&mut self.datagram).is_some() {
                self.client.deliver(now, &mut self.datagram);
                moved = true;
            }
            assert!(moved, "the handshake stands still");
        }
    }

    fn forget(&mut self) {
        for host in [&mut self.client, &mut self.gateway] {
            if let Some(sa) = host.last.take() {
                host.endpoint.abandon(Instant::default(), sa).expect("an SA that stands");
            }
            while host.endpoint.poll_event().is_some() {}
        }
    }
}

/// A whole handshake of both ends, against the sum of its bare cryptographic operations: two key pairs and
/// two agreements, and the signatures made and verified.
fn handshake(method: Method) -> Pair<'static> {
    let ends = Rc::new(RefCell::new(Ends::new(method)));
    let forgetting = ends.clone();
    let ours = Case::new(1, move || {
        let mut ends = ends.borrow_mut();
        ends.connect();
        ends.client.established
    })
    .prepared_by(move || forgetting.borrow_mut().forget());

    let signatures = match method {
        Method::SharedSecret => 0,
        Method::Certificate => 2,
        Method::Eap => 1,
    };
    let [Credentials { key, .. }, _] = credentials();
    let mut rng = SeededRng::new(5);
    let kex = PROVIDER.key_exchange(KexAlgorithm::X25519).expect("ring has X25519");
    let verifier = PROVIDER.verifier(SCHEME).expect("ring has ECDSA");
    // As long as what IKE_AUTH signs: an IKE_SA_INIT message, a nonce and a MAC.
    let octets = vec![7; 400];
    let baseline = Case::new(1, move || {
        let active = kex.start(&mut rng).expect("randomness");
        let responded = kex.respond(&mut rng, active.public()).expect("a public value");
        let shared = active.complete(&responded.public).expect("a public value");
        for _ in 0..signatures {
            let signature = key.sign(SCHEME, &octets, &mut rng).expect("a key of that scheme");
            verifier.verify(key.public_key(), &octets, &signature).expect("a signature");
        }
        usize::from(shared == responded.shared)
    });
    Pair { ours, baseline: Some(baseline) }
}

/// Bytes that a gateway holds for an IKE SA with one child, once its handshake is over.
fn heap_per_sa() -> f64 {
    let mut ends = Ends::new(Method::SharedSecret);
    let now = Instant::default();
    let mut held = 0;
    for round in 0..2 * SAS {
        let (path, peer) = (ends.client.path, ends.client.peer.clone());
        ends.client.endpoint.connect(now, path, peer).expect("room for one more");
        let goal = round + 1;
        while ends.client.established < goal || ends.gateway.established < goal {
            while ends.client.endpoint.poll_transmit(&mut ends.datagram).is_some() {
                let before = live_bytes();
                ends.gateway.deliver(now, &mut ends.datagram);
                // The first thousand pay for tables that grow.
                held += if round < SAS { 0 } else { live_bytes() - before };
            }
            loop {
                let before = live_bytes();
                let sent = ends.gateway.endpoint.poll_transmit(&mut ends.datagram);
                held += if round < SAS { 0 } else { live_bytes() - before };
                if sent.is_none() {
                    break;
                }
                ends.client.deliver(now, &mut ends.datagram);
            }
        }
    }
    held as f64 / SAS as f64
}
