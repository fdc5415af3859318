//! What an embedder decides before the first datagram.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use adit_certval::{CrlStore, Verifier};
use adit_ikev2::negotiate::{EspProposal, IkeProposal};
use adit_ikev2::{CommandError, EndpointConfig, Identity, Lifetime};
use adit_platform::signature::{SignatureScheme, SigningKey};
use adit_platform::{Instant, Secret, UnixTime};
use ipnet::IpNet;

pub use adit_esp::pmtu::Fragmentation;

use crate::Limits;
use crate::adapters::eap::UserStore;
use crate::adapters::pool::AddressRange;
use crate::aggregation::Aggregation;

/// The two clocks of the host, read at the same moment.
///
/// Everything else that is given to a machine afterwards carries the monotonic clock alone; the wall clock,
/// by which certificates are judged, is reckoned from here. When the host's wall clock is set, tell the
/// machine by its `set_clock`.
///
/// ```
/// use adit::Clocks;
/// use adit_platform::{Instant, UnixTime};
/// use core::time::Duration;
///
/// let start = Instant::from_origin(Duration::from_secs(10));
/// let clocks = Clocks { now: start, unix: UnixTime::from_secs(1_800_000_000) };
/// assert_eq!(clocks.unix_at(start + Duration::from_secs(5)).as_secs(), 1_800_000_005);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clocks {
    /// The monotonic clock.
    pub now: Instant,
    /// The wall clock.
    pub unix: UnixTime,
}

impl Clocks {
    /// The wall clock at another moment.
    pub fn unix_at(&self, now: Instant) -> UnixTime {
        self.unix.saturating_add(now - self.now)
    }

    /// The moment of a time on the wall clock; the past is this value's own.
    pub(crate) fn instant_of(&self, unix: UnixTime) -> Instant {
        let ahead = unix.as_secs().saturating_sub(self.unix.as_secs());
        self.now + Duration::from_secs(ahead)
    }
}

/// How SAs are protected and how long they live; what gateways and clients have in common.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Proposals for IKE SAs, the preferred one first.
    pub ike_proposals: Vec<IkeProposal>,
    /// Proposals for child SAs, the preferred one first.
    pub esp_proposals: Vec<EspProposal>,
    /// When IKE SAs are renewed. Default: four hours.
    pub ike_lifetime: Lifetime,
    /// When child SAs are renewed. Default: one hour.
    pub child_lifetime: Lifetime,
    /// After how much silence the peer is asked whether it lives. Default: 30 s.
    pub liveness_interval: Option<Duration>,
    /// Signature schemes accepted from the peer, instead of ikev2's default (all but SHA-1).
    pub signature_schemes: Option<Vec<SignatureScheme>>,
    /// How long packets may be on their way to the peer.
    pub path_mtu: PathMtuPolicy,
    /// Whether inner packets share ESP packets, and at which rate these are sent: RFC 9347. Default: no.
    pub aggregation: Option<Aggregation>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            ike_proposals: IkeProposal::defaults(),
            esp_proposals: EspProposal::defaults(),
            ike_lifetime: Lifetime::ike_default(),
            child_lifetime: Lifetime::child_default(),
            liveness_interval: Some(Duration::from_secs(30)),
            signature_schemes: None,
            path_mtu: PathMtuPolicy::default(),
            aggregation: None,
        }
    }
}

/// How long packets may be on their way to a peer, and what becomes of longer ones: RFC 4301 section 8.2.
///
/// All sizes are those of whole IP packets around ESP, in bytes.
///
/// ```
/// use adit::{Fragmentation, PathMtuPolicy, Policy};
///
/// // Over PPPoE; packets that may be fragmented leave it to the gateway's IP layer to put them together.
/// let path_mtu = PathMtuPolicy {
///     link: 1492,
///     fragmentation: Fragmentation::Outer,
///     ..PathMtuPolicy::default()
/// };
/// let policy = Policy { path_mtu, ..Policy::default() };
/// # let _ = policy;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PathMtuPolicy {
    /// What a path carries as long as nobody has said anything else. Default: 1500.
    pub link: usize,
    /// Nobody is believed that a path carries less than this; over IPv6 not less than 1280 (RFC 8200 section 5).
    /// Default: 576.
    pub minimum: usize,
    /// Where packets are fragmented that are too long and may be: IPv4 without DF. Default: inside, before they are
    /// sealed.
    pub fragmentation: Fragmentation,
    /// Whether ESP is sent with DF, so that routers say what they cannot carry, instead of fragmenting it. It is the
    /// host that does so and passes on what is said; `adit::tokio` does, on Linux. Default: true.
    pub discover: bool,
}

impl Default for PathMtuPolicy {
    fn default() -> Self {
        Self { link: 1500, minimum: 576, fragmentation: Fragmentation::Inner, discover: true }
    }
}

/// A certificate of our own with its key.
#[derive(Clone)]
pub struct OwnCertificate {
    /// The certificate in DER, then those of intermediate CAs.
    pub chain: Vec<Vec<u8>>,
    /// The key that the first certificate is for.
    pub key: Key,
    /// The OCSP response that is sent along to peers that ask for one (RFC 4806).
    pub staple: Staple,
}

/// Where the OCSP response about our own certificate comes from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Staple {
    /// There is none.
    #[default]
    None,
    /// This one, in DER.
    Response(Vec<u8>),
    /// From the responder that the certificate names, again and again, by fetch events. The issuer's certificate
    /// has to stand second in the chain.
    Fetch,
}

/// Where a private key is.
#[derive(Clone)]
pub enum Key {
    /// Here, loaded by a provider.
    Local(Arc<dyn SigningKey>),
    /// On a card, in a TPM, in a cloud: signatures are asked for by an event.
    External {
        /// The schemes that it can sign with, the preferred one first.
        schemes: Vec<SignatureScheme>,
    },
}

impl Key {
    pub(crate) fn schemes(&self) -> Vec<SignatureScheme> {
        match self {
            Self::Local(key) => key.schemes().to_vec(),
            Self::External { schemes } => schemes.clone(),
        }
    }
}

impl fmt::Debug for OwnCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnCertificate({} certificates)", self.chain.len())
    }
}

/// Whose certificates are believed.
#[derive(Debug)]
pub struct Trust {
    /// The anchors, with their revocation policies.
    pub verifier: Verifier,
    /// CRLs known from the start.
    pub crls: CrlStore,
    /// Whether what is missing is asked for by an event. If not, the anchor's policy decides without it.
    pub fetch: bool,
}

/// A gateway: who it is, who its clients may be, and what they get.
#[derive(Debug)]
pub struct GatewayConfig {
    /// IKE's own settings. `responder` is switched on, and `proposals` are taken from `policy`.
    pub endpoint: EndpointConfig,
    /// Who the gateway says it is.
    pub id: Identity,
    /// Its certificate: needed for clients with EAP or certificates.
    pub certificate: Option<OwnCertificate>,
    /// How clients may prove who they are; several at once if wanted.
    pub clients: ClientAuthentication,
    /// Inner addresses for clients.
    pub pool: Vec<AddressRange>,
    /// DNS servers that clients are told.
    pub dns: Vec<IpAddr>,
    /// What clients may reach, which is also what they are told to route. Default: everything.
    pub subnets: Vec<IpNet>,
    /// Algorithms and lifetimes.
    pub policy: Policy,
    /// How many clients, how fast.
    pub limits: Limits,
}

impl GatewayConfig {
    /// A gateway without credentials, clients and addresses yet, everything else at its default.
    pub fn new(id: Identity) -> Self {
        Self {
            endpoint: EndpointConfig::default(),
            id,
            certificate: None,
            clients: ClientAuthentication::default(),
            pool: Vec::new(),
            dns: Vec::new(),
            subnets: everything(),
            policy: Policy::default(),
            limits: Limits::default(),
        }
    }
}

pub(crate) fn everything() -> Vec<IpNet> {
    vec![IpNet::V4(ipnet::Ipv4Net::default()), IpNet::V6(ipnet::Ipv6Net::default())]
}

/// How clients of a gateway may prove who they are.
///
/// One that wants EAP gets `eap`; one whose identity has a shared secret has to use it, and the gateway
/// proves itself with the same; any other needs a certificate.
#[derive(Debug, Default)]
pub struct ClientAuthentication {
    /// EAP, if clients may use it.
    pub eap: Option<EapServer>,
    /// Shared secrets by the client's identity.
    pub shared_secrets: BTreeMap<Identity, Secret>,
    /// Whose certificates clients may show.
    pub certificates: Option<Trust>,
}

/// Who checks EAP.
#[derive(Debug)]
pub enum EapServer {
    /// We do, with EAP-MSCHAPv2.
    Local(UserStore),
    /// RADIUS servers do, by whatever method they and the client agree on.
    Radius(adit_radius::ClientConfig),
}

/// A client: who it is and which gateway it wants.
#[derive(Debug)]
pub struct ClientConfig {
    /// IKE's own settings.
    pub endpoint: EndpointConfig,
    /// Our end: the address and the port of IKE. The address may be unspecified.
    pub local: SocketAddr,
    /// The gateway's address and its port of IKE: 500, as a rule.
    pub gateway: SocketAddr,
    /// The gateway's port for NAT traversal: 4500, as a rule.
    pub gateway_nat_t_port: u16,
    /// Who the gateway has to prove to be.
    pub gateway_id: Identity,
    /// How it has to prove it.
    pub gateway_proof: GatewayProof,
    /// Who we say we are.
    pub id: Identity,
    /// How we prove it.
    pub proof: ClientProof,
    /// What to ask for. Default: everything.
    pub subnets: Vec<IpNet>,
    /// Algorithms and lifetimes.
    pub policy: Policy,
}

impl ClientConfig {
    /// A client of the gateway at `gateway`, everything else at its default.
    pub fn new(
        local: SocketAddr,
        gateway: SocketAddr,
        gateway_id: Identity,
        gateway_proof: GatewayProof,
        id: Identity,
        proof: ClientProof,
    ) -> Self {
        Self {
            endpoint: EndpointConfig::default(),
            local,
            gateway,
            gateway_nat_t_port: 4500,
            gateway_id,
            gateway_proof,
            id,
            proof,
            subnets: everything(),
            policy: Policy::default(),
        }
    }
}

/// How a gateway proves to a client who it is.
#[derive(Debug)]
pub enum GatewayProof {
    /// By the secret that it shares with the client.
    SharedSecret(Secret),
    /// By a certificate.
    Certificate(Box<Trust>),
}

/// How a client proves to a gateway who it is.
#[derive(Debug)]
pub enum ClientProof {
    /// By the secret that it shares with the gateway.
    SharedSecret(Secret),
    /// By a certificate.
    Certificate(OwnCertificate),
    /// By user name and password, with EAP-MSCHAPv2.
    Password {
        /// The user name.
        user: String,
        /// The password; asked for by an event where there is none.
        password: Option<Secret>,
    },
}

/// A configuration that cannot work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// Clients with EAP or certificates need a gateway with a certificate.
    GatewayNeedsCertificate,
    /// No client could prove anything.
    NoClientAuthentication,
    /// There are no inner addresses to give out.
    NoPool,
    /// A certificate chain without a certificate.
    EmptyChain,
    /// Two different shared secrets, where both ends prove themselves by the one that they share.
    TwoSecrets,
    /// A user name or password that MSCHAPv2 cannot carry.
    BadCredential,
    /// [`Aggregation`] without a rate, or with sizes out of range.
    Aggregation,
    /// A RADIUS client that cannot be set up.
    Radius,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GatewayNeedsCertificate => {
                "clients with EAP or certificates need a gateway with a certificate"
            }
            Self::NoClientAuthentication => "no way for clients to prove who they are",
            Self::NoPool => "no inner addresses for clients",
            Self::EmptyChain => "a certificate chain without a certificate",
            Self::TwoSecrets => "client and gateway have different shared secrets",
            Self::BadCredential => "the user name or password is too long or not text",
            Self::Aggregation => "aggregation has no rate, or a size out of range",
            Self::Radius => "no usable RADIUS server",
        })
    }
}

impl core::error::Error for ConfigError {}

/// Why a gateway or client could not be made.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SetupError {
    /// The configuration cannot work.
    Config(ConfigError),
    /// ikev2 cannot work with it.
    Ike(CommandError),
}

impl From<CommandError> for SetupError {
    fn from(error: CommandError) -> Self {
        Self::Ike(error)
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Ike(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SetupError {}
