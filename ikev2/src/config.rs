//! What an embedder decides before the first datagram: the endpoint, its peers, their children.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use adit_platform::signature::SignatureScheme;

use crate::child::Mode;
use crate::identity::Identity;
use crate::limits::Limits;
use crate::negotiate::{AggfragPolicy, ConfigurationRequest, EspProposal, IkeProposal};
use crate::wire::TrafficSelector;

/// What all SAs of one [`Endpoint`](crate::Endpoint) have in common.
///
/// ```
/// use adit_ikev2::EndpointConfig;
///
/// // A gateway on unprivileged ports that answers strangers.
/// let config = EndpointConfig {
///     responder: true,
///     ike_port: 15500,
///     nat_t_port: 15501,
///     ..EndpointConfig::default()
/// };
/// assert!(!EndpointConfig::default().responder);
/// assert!(config.nat_t_port != config.ike_port);
/// ```
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// Whether IKE_SA_INIT requests of strangers are looked at, each by way of
    /// [`Ask::Accept`](crate::Ask::Accept). Default: no.
    pub responder: bool,
    /// The proposals that a stranger's IKE_SA_INIT is matched with, the preferred one first. (An
    /// initiator offers those of its [`PeerConfig`].)
    pub proposals: Vec<IkeProposal>,
    /// SHA-1 hashes of the SubjectPublicKeyInfo of the CAs that we accept, sent as CERTREQ to everybody who
    /// starts an IKE SA with us (RFC 7296 section 3.7).
    pub authorities: Vec<[u8; 20]>,
    /// Whether everybody who starts an IKE SA with us is asked for an OCSP response about its certificate (RFC
    /// 4806), and the SHA-1 hashes of the SubjectPublicKeyInfo of the responders that we trust besides the CAs
    /// and those whom they authorize; usually none. Default: `None`, nobody is asked.
    pub ocsp_responders: Option<Vec<[u8; 20]>>,
    /// The local port without the non-ESP marker. Default: 500.
    pub ike_port: u16,
    /// The local port on which IKE messages carry the non-ESP marker and share the socket with ESP
    /// (RFC 3948, RFC 7296 section 2.23). Default: 4500. A host with a single socket sets both to its port.
    pub nat_t_port: u16,
    /// The number that the first bits of every SPI given out carry, so that a packet can be steered to
    /// the right one of several endpoints by its SPI alone. Default: no bits.
    pub shard: Shard,
    /// What strangers may cost.
    pub limits: Limits,
    /// How lost messages are repeated.
    pub retransmission: Retransmission,
    /// How long the whole handshake may take, EAP rounds and waiting for a person included. Default: 150 s, which leaves room for a second factor on a phone.
    pub handshake_timeout: Duration,
    /// How long a responder keeps a half-open SA whose initiator has not yet sent a message that
    /// authenticates as coming from the other end of the key exchange. Default: 30 s.
    pub half_open_timeout: Duration,
    /// How long an [`Ask`](crate::Ask) stays open. Default: 120 s.
    pub ask_timeout: Duration,
    /// Whether RFC 7427 signatures are announced and used. Without them, the legacy methods of RFC 7296
    /// and RFC 4754 remain. Default: yes.
    pub signature_authentication: bool,
    /// The schemes that are announced as a responder (SIGNATURE_HASH_ALGORITHMS), before it is known which
    /// [`PeerConfig::signature_schemes`] apply. Default: all but the SHA-1 one.
    pub signature_schemes: Vec<SignatureScheme>,
    /// As a responder, pretend that there is a NAT, so that ESP is encapsulated in UDP on any path.
    /// Default: no. An initiator goes by [`PeerConfig::force_encapsulation`].
    pub force_encapsulation: bool,
    /// Whether RFC 7383 fragmentation is announced and used. Default: yes.
    pub fragmentation: bool,
    /// The longest UDP payload that is sent before a message is fragmented, in bytes. Default: 1232,
    /// which fits the smallest MTU of IPv6 (RFC 7383 section 2.5.1).
    pub fragment_size: usize,
    /// How many messages of EAP a peer may send before the handshake fails. Default: 64, room for EAP-TLS
    /// with long chains (RFC 7296 section 2.16 wants ten at least).
    pub max_eap_rounds: u16,
    /// How often a cookie secret is replaced; a cookie is good for one to two such periods. Default: 60 s.
    pub cookie_lifetime: Duration,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            responder: false,
            proposals: IkeProposal::defaults(),
            authorities: Vec::new(),
            ocsp_responders: None,
            ike_port: 500,
            nat_t_port: 4500,
            shard: Shard::default(),
            limits: Limits::default(),
            retransmission: Retransmission::default(),
            handshake_timeout: Duration::from_secs(150),
            half_open_timeout: Duration::from_secs(30),
            ask_timeout: Duration::from_secs(120),
            signature_authentication: true,
            signature_schemes: default_schemes(),
            force_encapsulation: false,
            fragmentation: true,
            fragment_size: 1232,
            max_eap_rounds: 64,
            cookie_lifetime: Duration::from_secs(60),
        }
    }
}

/// Which of several endpoints this is: the value of the first bits of its SPIs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shard {
    /// The number of this endpoint; less than 2 to the power of `bits`.
    pub index: u16,
    /// How many bits the number takes, 0 to 16.
    pub bits: u8,
}

/// How lost messages are repeated: RFC 7296 section 2.4 leaves the numbers to us.
///
/// The answer to the n-th copy is awaited for `initial × 2ⁿ`, but never longer than `longest`.
///
/// ```
/// use adit_ikev2::Retransmission;
/// use core::time::Duration;
///
/// let plan = Retransmission::default();
/// assert_eq!(plan.wait(0), Duration::from_millis(500));
/// assert_eq!(plan.wait(3), Duration::from_secs(4));
/// assert_eq!(plan.wait(20), plan.longest);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retransmission {
    /// How long the answer to the first copy is awaited. Default: 500 ms.
    pub initial: Duration,
    /// The longest wait. Default: 30 s.
    pub longest: Duration,
    /// How often a request is sent in all before the peer is given up; at least 1. Default: 9, which is
    /// about two minutes ("several minutes" would keep a person waiting for a dead gateway).
    pub attempts: u8,
}

impl Default for Retransmission {
    fn default() -> Self {
        Self { initial: Duration::from_millis(500), longest: Duration::from_secs(30), attempts: 9 }
    }
}

impl Retransmission {
    /// How long the answer is awaited after `copies` copies were sent before this one.
    pub fn wait(&self, copies: u8) -> Duration {
        let factor = 1u32.checked_shl(u32::from(copies)).unwrap_or(u32::MAX);
        self.initial.saturating_mul(factor).min(self.longest)
    }
}

/// One peer, or one kind of peers: who we are towards it, who it must be, and what it may have.
///
/// ```
/// use adit_ikev2::{ChildConfig, Identity, LocalAuth, PeerConfig, RemoteAuth};
///
/// let office = PeerConfig {
///     request: Some(Default::default()),
///     child: Some(ChildConfig::remote_access()),
///     ..PeerConfig::new(
///         Identity::email("alice@lab.test"),
///         LocalAuth::Eap,
///         RemoteAuth::Certificate,
///     )
/// };
/// assert!(office.remote_id.is_none());
/// ```
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// Who we say we are.
    pub local_id: Identity,
    /// Who the peer must be. An initiator sends it as IDr; `None` accepts whatever identity the peer
    /// proves (with certificates, [`Ask::VerifyPeer`](crate::Ask::VerifyPeer) still judges it).
    pub remote_id: Option<Identity>,
    /// How we prove it.
    pub local_auth: LocalAuth,
    /// How the peer has to prove who it is.
    pub remote_auth: RemoteAuth,
    /// The signature schemes that are accepted from the peer, and signed with where its turn comes, the
    /// preferred one first. A legacy method stands for exactly one scheme and is used and accepted if that
    /// is listed: method 1 for [`SignatureScheme::RsaPkcs1Sha1`], 9 for
    /// [`SignatureScheme::EcdsaP256Sha256`], 10 for [`SignatureScheme::EcdsaP384Sha384`], 11 for
    /// [`SignatureScheme::EcdsaP521Sha512`].
    pub signature_schemes: Vec<SignatureScheme>,
    /// SHA-1 hashes of the SubjectPublicKeyInfo of the CAs that we accept, which an initiator sends as
    /// CERTREQ (RFC 7296 section 3.7). A responder sends [`EndpointConfig::authorities`].
    pub authorities: Vec<[u8; 20]>,
    /// Whether an initiator asks for an OCSP response about the peer's certificate (RFC 4806), and which
    /// responders it trusts, as in [`EndpointConfig::ocsp_responders`]. Default: `None`, it does not ask.
    pub ocsp_responders: Option<Vec<[u8; 20]>>,
    /// The OCSP response in DER about our own certificate, sent along with it to a peer that asks for one (RFC
    /// 4806 section 4.2). It should be fresh when the handshake takes place. Default: none.
    pub ocsp_response: Option<Arc<[u8]>>,
    /// The proposals for the IKE SA, the preferred one first. The first key exchange method is the one
    /// that an initiator starts with.
    pub proposals: Vec<IkeProposal>,
    /// What an initiator asks for by configuration payload: addresses, DNS servers, subnets.
    pub request: Option<ConfigurationRequest>,
    /// The child SA that an initiator creates with the IKE SA; `None` for an IKE SA without children
    /// (RFC 6023), which not every responder supports.
    pub child: Option<ChildConfig>,
    /// The peer's port with the non-ESP marker, to which an initiator moves when there is a NAT.
    /// Default: 4500.
    pub remote_nat_t_port: u16,
    /// As an initiator, pretend that there is a NAT, so that ESP is encapsulated in UDP on any path.
    /// Default: no.
    pub force_encapsulation: bool,
    /// When the IKE SA is renewed and when it ends.
    pub lifetime: Lifetime,
    /// After how much silence the peer is asked whether it lives (RFC 7296 section 2.4). Default: 30 s.
    /// `None` asks only on [`check_liveness`](crate::Endpoint::check_liveness).
    pub liveness_interval: Option<Duration>,
    /// How often a packet is sent through the NAT in front of us, lest it forgets us (RFC 3948 section 4).
    /// Default: 20 s.
    pub nat_keepalive_interval: Duration,
    /// Whether an initiator says that it has no other SA with the peer, so that the peer forgets those
    /// of an earlier life (INITIAL_CONTACT, RFC 7296 section 2.4). Default: no.
    pub initial_contact: bool,
}

impl PeerConfig {
    /// A peer with the given identities and proofs, everything else at its default.
    pub fn new(local_id: Identity, local_auth: LocalAuth, remote_auth: RemoteAuth) -> Self {
        Self {
            local_id,
            remote_id: None,
            local_auth,
            remote_auth,
            signature_schemes: default_schemes(),
            authorities: Vec::new(),
            ocsp_responders: None,
            ocsp_response: None,
            proposals: IkeProposal::defaults(),
            request: None,
            child: None,
            remote_nat_t_port: 4500,
            force_encapsulation: false,
            lifetime: Lifetime::ike_default(),
            liveness_interval: Some(Duration::from_secs(30)),
            nat_keepalive_interval: Duration::from_secs(20),
            initial_contact: false,
        }
    }

    /// What is wrong with it, if it cannot work. An interval of no time is always over: its deadline
    /// would survive being handled.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.liveness_interval == Some(Duration::ZERO) {
            return Err("liveness_interval is zero; `None` switches the question off");
        }
        if self.nat_keepalive_interval.is_zero() {
            return Err("nat_keepalive_interval is zero");
        }
        self.child.as_ref().map_or(Ok(()), AggfragPolicy::check)
    }
}

/// All schemes but the SHA-1 one, elliptic curves first.
fn default_schemes() -> Vec<SignatureScheme> {
    vec![
        SignatureScheme::Ed25519,
        SignatureScheme::EcdsaP256Sha256,
        SignatureScheme::EcdsaP384Sha384,
        SignatureScheme::EcdsaP256Sha384,
        SignatureScheme::EcdsaP256Sha512,
        SignatureScheme::EcdsaP384Sha256,
        SignatureScheme::EcdsaP384Sha512,
        SignatureScheme::EcdsaP521Sha512,
        SignatureScheme::EcdsaP521Sha384,
        SignatureScheme::EcdsaP521Sha256,
        SignatureScheme::MlDsa65,
        SignatureScheme::MlDsa87,
        SignatureScheme::MlDsa44,
        SignatureScheme::RsaPssSha256,
        SignatureScheme::RsaPssSha384,
        SignatureScheme::RsaPssSha512,
        SignatureScheme::RsaPkcs1Sha256,
        SignatureScheme::RsaPkcs1Sha384,
        SignatureScheme::RsaPkcs1Sha512,
    ]
}

/// How we prove our identity.
#[derive(Clone, Debug)]
pub enum LocalAuth {
    /// With the secret that [`Ask::SharedSecret`](crate::Ask::SharedSecret) gives.
    SharedSecret,
    /// With a signature that [`Ask::Sign`](crate::Ask::Sign) gives.
    Certificate {
        /// Our certificate in DER, then those of the intermediate CAs.
        chain: Arc<[Vec<u8>]>,
        /// The schemes that our key can sign with, the preferred one first.
        schemes: Vec<SignatureScheme>,
    },
    /// With EAP, as its peer; each message comes as [`Ask::Eap`](crate::Ask::Eap). Initiators only.
    Eap,
}

/// How the peer has to prove its identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RemoteAuth {
    /// With the secret that [`Ask::SharedSecret`](crate::Ask::SharedSecret) gives.
    SharedSecret,
    /// With a signature by the key that [`Ask::VerifyPeer`](crate::Ask::VerifyPeer) finds good.
    Certificate,
    /// With EAP, as its authenticator; each message comes as [`Ask::Eap`](crate::Ask::Eap). Responders
    /// only.
    Eap,
}

/// One child SA: what it carries and how it is protected.
///
/// ```
/// use adit_ikev2::ChildConfig;
///
/// let child = ChildConfig::remote_access();
/// // Everything is asked for; the gateway narrows it to what the client may reach.
/// assert_eq!(child.remote.len(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct ChildConfig {
    /// The proposals, the preferred one first.
    pub proposals: Vec<EspProposal>,
    /// What is behind us. Requested or accepted selectors are narrowed to these.
    pub local: Vec<TrafficSelector>,
    /// What is behind the peer.
    pub remote: Vec<TrafficSelector>,
    /// Tunnel or transport.
    pub mode: Mode,
    /// Whether packets are aggregated and fragmented in ESP, which needs tunnel mode: RFC 9347.
    pub aggfrag: Option<AggfragPolicy>,
    /// When the child is renewed and when it ends.
    pub lifetime: Lifetime,
}

impl ChildConfig {
    /// A tunnel between these selectors with default proposals and lifetime.
    pub fn tunnel(local: Vec<TrafficSelector>, remote: Vec<TrafficSelector>) -> Self {
        Self {
            proposals: EspProposal::defaults(),
            local,
            remote,
            mode: Mode::Tunnel,
            aggfrag: None,
            lifetime: Lifetime::child_default(),
        }
    }

    /// What a remote-access client asks for: everything, which the gateway narrows to the address that
    /// it assigns on our side, and to what may be reached on its own (RFC 7296 section 2.19).
    pub fn remote_access() -> Self {
        let all = || vec![TrafficSelector::ANY_V4, TrafficSelector::ANY_V6];
        Self::tunnel(all(), all())
    }
}

/// When an SA is renewed, and when it ends if that fails: RFC 7296 section 2.8.
///
/// ```
/// use adit_ikev2::Lifetime;
/// use core::time::Duration;
///
/// let hourly = Lifetime::new(Duration::from_secs(3600));
/// assert_eq!(hourly.hard, Some(Duration::from_secs(3960)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetime {
    /// The age at which we rekey. `None` leaves it to the peer.
    pub soft: Option<Duration>,
    /// Up to how much earlier, at random, lest both ends start at once (RFC 7296 section 2.8).
    pub jitter: Duration,
    /// The age at which the SA is deleted, renewed or not. `None` for never.
    pub hard: Option<Duration>,
}

impl Lifetime {
    /// Rekeys within the last tenth of `soft`, and ends a tenth later.
    pub fn new(soft: Duration) -> Self {
        let tenth = soft / 10;
        Self { soft: Some(soft), jitter: tenth, hard: Some(soft.saturating_add(tenth)) }
    }

    /// Never rekeyed by us, never ended by age.
    pub const fn unlimited() -> Self {
        Self { soft: None, jitter: Duration::ZERO, hard: None }
    }

    /// The default of an IKE SA: four hours.
    pub fn ike_default() -> Self {
        Self::new(Duration::from_secs(4 * 3600))
    }

    /// The default of a child SA: one hour.
    pub fn child_default() -> Self {
        Self::new(Duration::from_secs(3600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_of_no_time_are_refused() {
        let peer = PeerConfig::new(
            Identity::fqdn("peer.test"),
            LocalAuth::SharedSecret,
            RemoteAuth::SharedSecret,
        );
        assert_eq!(peer.check(), Ok(()));
        let never = PeerConfig { liveness_interval: None, ..peer.clone() };
        assert_eq!(never.check(), Ok(()));
        let always = PeerConfig { liveness_interval: Some(Duration::ZERO), ..peer.clone() };
        assert!(always.check().is_err());
        let keepalive = PeerConfig { nat_keepalive_interval: Duration::ZERO, ..peer.clone() };
        assert!(keepalive.check().is_err());
        let child = ChildConfig {
            mode: Mode::Transport,
            aggfrag: Some(AggfragPolicy::default()),
            ..ChildConfig::remote_access()
        };
        assert!(PeerConfig { child: Some(child), ..peer }.check().is_err());
    }
}
