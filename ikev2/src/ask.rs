//! Decisions that belong to the embedder and may take time.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use adit_platform::signature::SignatureScheme;
use adit_platform::{Instant, Secret};

use crate::child::ChildSa;
use crate::config::{ChildConfig, PeerConfig};
use crate::event::AuthenticatedPeer;
use crate::identity::Identity;
use crate::negotiate::{ConfigurationReply, ConfigurationRequest};
use crate::path::{Path, SaId};
use crate::wire::{CertEncoding, TrafficSelector};

/// A question of the machine. It is answered with [`Endpoint::answer`](crate::Endpoint::answer) and the
/// ticket that lies inside, at once or later; retransmissions are dealt with in the meantime.
///
/// An ask that is not answered by its [deadline](Ticket::deadline) counts as denied, so a ticket that
/// gets lost fails closed.
///
/// ```
/// use adit_ikev2::{Acceptance, Ask, Deny, Endpoint};
/// use adit_platform::{Instant, Secret};
///
/// /// Answers what a responder with one shared secret is asked.
/// fn answer(endpoint: &mut Endpoint, now: Instant, ask: Ask) {
///     let stale = match ask {
///         Ask::Accept { ticket, .. } => endpoint.answer(now, ticket, Ok(Acceptance::Proceed)),
///         Ask::SharedSecret { ticket, .. } => {
///             endpoint.answer(now, ticket, Ok(Secret::copy_from(b"correct horse battery staple")))
///         }
///         // Left alone, the others are denied at their deadline.
///         _ => Ok(()),
///     };
///     // A stale ticket only means that the peer has gone away in the meantime.
///     let _ = stale;
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Ask {
    /// A stranger wants to talk. Raised before any key is computed, and after the endpoint's own
    /// [`Limits`](crate::Limits) let the request pass. Responder only.
    Accept {
        /// Where the request came from and arrived.
        path: Path,
        /// True if the stranger returned a cookie, and so receives what is sent to its address.
        has_cookie: bool,
        /// Half-open SAs at the moment, this one included.
        half_open: usize,
        /// Those of the same address, this one included.
        half_open_from_address: usize,
        /// Takes the decision.
        ticket: Ticket<Acceptance>,
    },
    /// Which configuration applies to this peer. What it says about itself is not proven yet. Responder
    /// only.
    SelectPeer {
        /// Who the peer says it is (IDi).
        peer_id: Identity,
        /// Whom it wants to talk to (IDr), if it said so.
        wanted_id: Option<Identity>,
        /// Where it is.
        path: Path,
        /// True if the peer asks for EAP, by not authenticating itself otherwise.
        wants_eap: bool,
        /// Takes the configuration.
        ticket: Ticket<Arc<PeerConfig>>,
    },
    /// The secret that the two identities share.
    SharedSecret {
        /// Who we are in this.
        local_id: Identity,
        /// Who the peer is, or says it is; `None` where an initiator has no
        /// [`remote_id`](PeerConfig::remote_id) and must prove itself first.
        peer_id: Option<Identity>,
        /// Takes the secret, in its raw form.
        ticket: Ticket<Secret>,
    },
    /// Whether these certificates prove that a key belongs to the peer's identity. The peer's signature is
    /// verified afterwards, with the key that the answer names.
    VerifyPeer {
        /// Who the peer says it is; the answer has to make sure that the certificate says so too.
        peer_id: Identity,
        /// Certificates in DER as the peer sent them, its own first.
        chain: Vec<Vec<u8>>,
        /// What else it sent in CERT payloads: CRLs, OCSP responses (RFC 4806).
        evidence: Vec<(CertEncoding, Vec<u8>)>,
        /// Takes the verified key.
        ticket: Ticket<VerifiedKey>,
    },
    /// Sign these octets with the key of our certificate.
    Sign {
        /// Who we are.
        local_id: Identity,
        /// What is to be signed (RFC 7296 section 2.15); hashing is part of signing.
        octets: Vec<u8>,
        /// The schemes that the peer can verify too, the preferred one first; never empty.
        schemes: Vec<SignatureScheme>,
        /// Takes the signature.
        ticket: Ticket<Signature>,
    },
    /// The next message of EAP.
    ///
    /// As the initiator (EAP peer), `message` is what the gateway sent; EAP-Success and EAP-Failure come as
    /// such. After EAP-Failure nothing can be saved: any answer ends the handshake. The gateway has
    /// proven its identity before the first of them is raised. As the responder
    /// (authenticator), the first has no message and wants the first request; `peer_id` is known, so
    /// EAP-Identity may be skipped.
    Eap {
        /// Who the peer says it is.
        peer_id: Identity,
        /// The EAP packet that the peer sent.
        message: Option<Vec<u8>>,
        /// Takes what comes next.
        ticket: Ticket<EapReply>,
    },
    /// The peer is authenticated: what may it have? Responder only.
    Admit {
        /// Who it is, proven.
        peer: AuthenticatedPeer,
        /// What it asked for by configuration payload.
        request: Option<ConfigurationRequest>,
        /// What it wants to reach (TSr).
        local: Vec<TrafficSelector>,
        /// What it wants to send from (TSi); usually everything, to be narrowed to the assigned address.
        remote: Vec<TrafficSelector>,
        /// Takes the decision.
        ticket: Ticket<Admission>,
    },
    /// Install the keys of a child SA. Receiving has to work when this is answered; sending starts with
    /// [`Event::ChildEstablished`](crate::Event::ChildEstablished).
    Install {
        /// The child.
        child: Box<ChildSa>,
        /// Takes the confirmation.
        ticket: Ticket<Installed>,
    },
}

impl Ask {
    /// The name of the variant, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accept { .. } => Acceptance::NAME,
            Self::SelectPeer { .. } => Arc::<PeerConfig>::NAME,
            Self::SharedSecret { .. } => Secret::NAME,
            Self::VerifyPeer { .. } => VerifiedKey::NAME,
            Self::Sign { .. } => Signature::NAME,
            Self::Eap { .. } => EapReply::NAME,
            Self::Admit { .. } => Admission::NAME,
            Self::Install { .. } => Installed::NAME,
        }
    }
}

/// The right to answer one [`Ask`], once, with an `A`.
pub struct Ticket<A> {
    pub(crate) sa: SaId,
    pub(crate) serial: u64,
    pub(crate) deadline: Instant,
    answer: PhantomData<fn(A)>,
}

impl<A> Ticket<A> {
    pub(crate) fn new(sa: SaId, serial: u64, deadline: Instant) -> Self {
        Self { sa, serial, deadline, answer: PhantomData }
    }

    /// The IKE SA that asks.
    pub fn sa(&self) -> SaId {
        self.sa
    }

    /// From when on it is too late.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl<A> fmt::Debug for Ticket<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({:?}, until {:?})", self.sa, self.deadline)
    }
}

/// The answer to an ask is no.
///
/// ```
/// use adit_ikev2::Deny;
///
/// let deny = Deny::because("the account is locked");
/// assert_eq!(deny.reason(), "the account is locked");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deny(Cow<'static, str>);

impl Deny {
    /// No, and why: for the log here. The peer learns nothing of it.
    pub fn because(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }

    /// The reason that was given.
    pub fn reason(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_reason(self) -> Cow<'static, str> {
        self.0
    }
}

/// Answer to [`Ask::Accept`]. To refuse openly, [`Deny`]: the stranger is sent NO_PROPOSAL_CHOSEN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acceptance {
    /// Go on: compute keys and answer.
    Proceed,
    /// Let it prove with a cookie that it receives what is sent to its address: RFC 7296 section 2.6.
    /// Ignored (and the request goes on) if it just did.
    DemandCookie,
    /// Do not answer at all.
    Ignore,
}

/// Answer to [`Ask::VerifyPeer`]: the key that was found to belong to the peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedKey {
    /// Its SubjectPublicKeyInfo in DER: RFC 5280 section 4.1.2.7.
    pub spki: Vec<u8>,
}

/// Answer to [`Ask::Sign`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature {
    /// One of the schemes that were asked for.
    pub scheme: SignatureScheme,
    /// The signature; for ECDSA in its DER form (`ECDSA-Sig-Value`).
    pub signature: Vec<u8>,
}

/// Answer to [`Ask::Eap`].
#[derive(Debug)]
pub enum EapReply {
    /// Send this EAP packet and wait for the peer's next.
    Continue(Vec<u8>),
    /// The conversation is over and went well.
    Success {
        /// As the responder: the EAP-Success packet to send. As the initiator nothing is left to send:
        /// empty.
        message: Vec<u8>,
        /// The Master Session Key, if the method gives one. (Methods that give none SHOULD NOT be used:
        /// RFC 7296 section 2.16.)
        msk: Option<Secret>,
    },
    /// The conversation failed. As the responder: send this EAP-Failure packet, then end the SA. As the
    /// initiator nothing is sent: empty.
    Failure(Vec<u8>),
}

/// Answer to [`Ask::Admit`].
#[derive(Clone, Debug)]
pub struct Admission {
    /// What to tell the peer by configuration payload.
    pub configuration: Option<ConfigurationReply>,
    /// The policy for its children, the first and later ones; or why it gets no child now, in which case
    /// the IKE SA is set up all the same (RFC 7296 section 2.21.2).
    pub child: Result<ChildConfig, ChildRefusal>,
}

/// Why an authenticated peer gets no child SA.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChildRefusal {
    /// INTERNAL_ADDRESS_FAILURE: no address is left for it.
    InternalAddressFailure,
    /// FAILED_CP_REQUIRED: it has to ask for an address.
    FailedCpRequired,
    /// TS_UNACCEPTABLE: nothing of what it wants to reach is for it.
    TsUnacceptable,
    /// NO_ADDITIONAL_SAS: it has as many as it may have.
    NoAdditionalSas,
}

/// Answer to [`Ask::Install`]: packets of the child can be received from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Installed;

/// What an [`Ask`] can be answered with. Implemented by the answers in this crate and by nothing else.
pub trait Answer: sealed::Sealed {}

impl<A: sealed::Sealed> Answer for A {}

/// An answer of any kind, inside.
pub(crate) enum AnyAnswer {
    Accept(Acceptance),
    SelectPeer(Arc<PeerConfig>),
    SharedSecret(Secret),
    VerifyPeer(VerifiedKey),
    Sign(Signature),
    Eap(EapReply),
    Admit(Box<Admission>),
    Install,
}

pub(crate) mod sealed {
    use super::AnyAnswer;

    pub trait Sealed {
        const NAME: &'static str;
        #[expect(private_interfaces, reason = "the trait is sealed; nobody outside can call it")]
        fn into_any(self) -> AnyAnswer;
    }
}

use sealed::Sealed;

macro_rules! answers {
    ($($kind:ty => $name:literal, $into:expr;)*) => {$(
        impl Sealed for $kind {
            const NAME: &'static str = $name;
            #[expect(private_interfaces, reason = "the trait is sealed; nobody outside can call it")]
            fn into_any(self) -> AnyAnswer {
                $into(self)
            }
        }
    )*};
}

answers! {
    Acceptance => "Accept", AnyAnswer::Accept;
    Arc<PeerConfig> => "SelectPeer", AnyAnswer::SelectPeer;
    Secret => "SharedSecret", AnyAnswer::SharedSecret;
    VerifiedKey => "VerifyPeer", AnyAnswer::VerifyPeer;
    Signature => "Sign", AnyAnswer::Sign;
    EapReply => "Eap", AnyAnswer::Eap;
    Admission => "Admit", |admission| AnyAnswer::Admit(Box::new(admission));
    Installed => "Install", |_| AnyAnswer::Install;
}
