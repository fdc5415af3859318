//! What can go wrong, sorted by whose fault it is.

use alloc::borrow::Cow;
use core::fmt;

use adit_platform::kex::KexError;
use adit_platform::rng::RngError;

use crate::ask::{ChildRefusal, Deny};
use crate::wire::{DecodeError, NotifyType, PayloadType};

/// Why a datagram was dropped, a request refused or an SA closed.
///
/// The variants say whose fault it is, and therefore who can mend it: the network or a broken peer
/// ([`Malformed`](Self::Malformed)), a peer that breaks the protocol
/// ([`Misbehaved`](Self::Misbehaved)), two ends that were configured differently
/// ([`Incompatible`](Self::Incompatible)), credentials ([`Authentication`](Self::Authentication)), a
/// decision taken here ([`Denied`](Self::Denied)) or there ([`RefusedByPeer`](Self::RefusedByPeer)),
/// silence ([`TimedOut`](Self::TimedOut)), or a shortage here ([`Resources`](Self::Resources)).
///
/// ```
/// use adit_ikev2::{Error, Incompatible};
///
/// fn advice(error: &Error) -> &'static str {
///     match error {
///         Error::Incompatible(Incompatible::NoProposalChosen) => "compare the proposals of both ends",
///         Error::TimedOut(_) => "is the gateway reachable on UDP 500 and 4500?",
///         _ => "see the log",
///     }
/// }
/// assert!(advice(&Incompatible::NoProposalChosen.into()).contains("proposals"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not an IKEv2 message: what is wrong with them and at which offset.
    Malformed(DecodeError),
    /// The integrity check of a message failed, so nothing in it counts.
    NotAuthentic,
    /// A well-formed message breaks the rules of the protocol.
    Misbehaved(Misbehaviour),
    /// Both ends behave, but have nothing in common that they need.
    Incompatible(Incompatible),
    /// The peer did not prove who it is.
    Authentication(AuthError),
    /// The embedder denied an [`Ask`](crate::Ask), or let its deadline pass.
    Denied(Denied),
    /// The peer refused, with this error notification. In IKE_SA_INIT it is not authenticated.
    RefusedByPeer(NotifyType),
    /// The peer fell silent.
    TimedOut(TimedOut),
    /// A limit of this endpoint or the host's random source gave out.
    Resources(Resource),
    /// A message that belongs to no SA here, or to an exchange that is over.
    Stray(Stray),
}

/// How the peer broke the protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// A payload that the message must carry is missing.
    MissingPayload(PayloadType),
    /// A payload occurs more often than the message may carry it.
    DuplicatePayload(PayloadType),
    /// A payload has no place in this message.
    UnexpectedPayload(PayloadType),
    /// A payload is well-formed, but its content is not allowed here.
    InvalidPayload(PayloadType),
    /// The responder chose a transform or proposal that was not offered: RFC 7296 section 2.7.
    SelectedUnofferedTransform,
    /// The responder chose traffic selectors outside of those that were offered: section 2.9.
    SelectedUnofferedSelectors,
    /// INVALID_KE_PAYLOAD names a group that was not offered or was already tried: section 1.3.
    InvalidKeyExchangeRetry,
    /// The responder asked for a cookie again and again: section 2.6.
    CookieLoop,
    /// A nonce outside of 16 to 256 bytes: section 3.9.
    NonceLength(usize),
    /// The key exchange value is invalid for its group: RFC 6989.
    InvalidPublicValue,
    /// An exchange of this kind cannot happen now.
    UnexpectedExchange(crate::wire::ExchangeType),
    /// A response without a request that it could answer.
    UnexpectedMessageId(u32),
    /// A payload of a type that is unknown here and marked critical: section 2.5.
    UnsupportedCriticalPayload(PayloadType),
    /// The EAP conversation took more rounds than allowed.
    TooManyEapRounds,
    /// An error notification that the state of the exchange does not allow.
    UnexpectedNotify(NotifyType),
}

/// What the two ends do not have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Incompatible {
    /// No proposal of the peer can be accepted: NO_PROPOSAL_CHOSEN.
    NoProposalChosen,
    /// The peer used another key exchange group than the chosen one: INVALID_KE_PAYLOAD. The peer is told
    /// the group and may try again.
    KeyExchangeGroup,
    /// The traffic selectors of both ends do not intersect: TS_UNACCEPTABLE.
    TrafficSelectors,
    /// The peer speaks another major version of IKE.
    MajorVersion(u8),
    /// The peer wants to authenticate by a method that is not allowed for it.
    AuthMethod,
    /// No signature scheme is known to both ends.
    SignatureScheme,
    /// The peer wants tunnel mode where transport mode is configured, or the other way round.
    Mode,
    /// One end wants AGGFRAG payloads, and the other does not or on other conditions: RFC 9347 section 5.1.
    Aggfrag,
    /// A configuration payload was needed and not given.
    Configuration,
    /// The peer needs a child SA with every IKE SA: it does not know RFC 6023.
    Childless,
}

/// Why the peer is not believed to be who it says it is.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AuthError {
    /// The AUTH payload does not verify: another secret, another key, or a changed message.
    WrongAuth,
    /// The peer proved an identity, but not the one that is configured.
    WrongIdentity,
    /// The key in the peer's certificate is malformed or of a kind that does not go with its signature.
    UnusableKey,
    /// EAP ended in failure.
    EapFailure,
    /// The peer sent no certificate, and none is known.
    NoCertificate,
    /// The gateway did not authenticate itself before it asked for EAP: RFC 7296 section 2.16.
    GatewayUnauthenticated,
}

/// A decision of the embedder that ended the exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Denied {
    /// The ask was answered with a [`Deny`](crate::Deny).
    ByAnswer {
        /// Its name.
        ask: &'static str,
        /// What the denial gave as its reason.
        reason: Cow<'static, str>,
    },
    /// The ask of this name was not answered by its deadline.
    ByDeadline(&'static str),
    /// The stranger was not let in now: it is not answered, or has to return a cookie first.
    Ignored,
    /// The peer may have no child SA.
    Child(ChildRefusal),
    /// The endpoint is not configured to answer strangers.
    NotResponding,
}

/// What the peer did not answer in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TimedOut {
    /// A request was sent as often as [`Retransmission`](crate::Retransmission) says, without an answer.
    Request,
    /// The handshake was not finished within its time.
    Handshake,
    /// The SA reached the end of its lifetime before it could be renewed.
    Lifetime,
}

/// What ran out here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Resource {
    /// Half-open IKE SAs in all.
    HalfOpen,
    /// Half-open IKE SAs of one address.
    HalfOpenPerAddress,
    /// IKE SAs in all.
    Sas,
    /// The host's random source failed.
    Random,
    /// All message IDs of the IKE SA are used up: it must be rekeyed, RFC 7296 section 2.2.
    MessageIds,
    /// An algorithm that the provider listed a moment ago.
    Provider,
    /// Children of one IKE SA.
    Children,
    /// A message became longer than an IKE message can be.
    MessageLength,
}

/// Why a datagram that may be perfectly fine was of no use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Stray {
    /// The SPIs belong to no IKE SA of this endpoint.
    UnknownSpi,
    /// The message is a copy of one that was handled and whose answer is gone, or is too far ahead.
    OutsideWindow,
    /// An answer that was not asked for.
    UnexpectedResponse,
    /// The request is being worked on already; its answer will follow.
    InProgress,
    /// A first message without a good cookie; the sender was told the cookie.
    CookieDemanded,
    /// Part of a fragmented message; the rest is awaited.
    Fragment,
}

/// A command or an answer named an SA or a child that does not exist (any more), or came at a time at
/// which it makes no sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CommandError {
    /// No such SA: it may just have been closed.
    UnknownSa,
    /// No such child.
    UnknownChild,
    /// The SA is not established yet, or is being deleted.
    NotEstablished,
    /// The configuration contradicts itself or names something that the provider cannot run.
    Unusable(&'static str),
    /// The endpoint already has as many SAs as its limits allow.
    TooManySas,
    /// The host's random source failed.
    Random,
}

/// An answer came too late: the SA or the question is gone, or the ticket is of another endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StaleTicket;

impl Denied {
    /// What a denied ask comes to.
    pub(crate) fn of(ask: &'static str, deny: Deny) -> Self {
        Self::ByAnswer { ask, reason: deny.into_reason() }
    }
}

impl Error {
    /// The error notification that tells the peer, if it is to be told: RFC 7296 section 2.21 and 3.10.1.
    ///
    /// This is the one place that maps errors to the wire. `None` means to stay silent: towards what is
    /// not authentic, and where the peer itself refused.
    pub fn notify(&self) -> Option<NotifyType> {
        Some(match self {
            Self::Malformed(_) => NotifyType::INVALID_SYNTAX,
            Self::Misbehaved(Misbehaviour::UnsupportedCriticalPayload(_)) => {
                NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD
            }
            Self::Misbehaved(_) => NotifyType::INVALID_SYNTAX,
            Self::Incompatible(what) => match what {
                Incompatible::NoProposalChosen | Incompatible::Mode | Incompatible::Aggfrag => {
                    NotifyType::NO_PROPOSAL_CHOSEN
                }
                Incompatible::KeyExchangeGroup => NotifyType::INVALID_KE_PAYLOAD,
                Incompatible::TrafficSelectors => NotifyType::TS_UNACCEPTABLE,
                Incompatible::MajorVersion(_) => NotifyType::INVALID_MAJOR_VERSION,
                Incompatible::AuthMethod
                | Incompatible::SignatureScheme
                | Incompatible::Childless => NotifyType::AUTHENTICATION_FAILED,
                Incompatible::Configuration => NotifyType::FAILED_CP_REQUIRED,
            },
            Self::Authentication(_) | Self::Denied(_) => NotifyType::AUTHENTICATION_FAILED,
            Self::Resources(_) => NotifyType::TEMPORARY_FAILURE,
            Self::NotAuthentic | Self::RefusedByPeer(_) | Self::TimedOut(_) | Self::Stray(_) => {
                return None;
            }
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "malformed message: {error}"),
            Self::NotAuthentic => f.write_str("the integrity check of a message failed"),
            Self::Misbehaved(what) => write!(f, "the peer broke the protocol: {what}"),
            Self::Incompatible(what) => write!(f, "nothing in common with the peer: {what}"),
            Self::Authentication(why) => write!(f, "the peer was not authenticated: {why}"),
            Self::Denied(what) => what.fmt(f),
            Self::RefusedByPeer(notify) => write!(f, "the peer refused: {notify:?}"),
            Self::TimedOut(what) => what.fmt(f),
            Self::Resources(what) => what.fmt(f),
            Self::Stray(what) => what.fmt(f),
        }
    }
}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingPayload(kind) => write!(f, "payload {kind:?} is missing"),
            Self::DuplicatePayload(kind) => write!(f, "payload {kind:?} occurs more than once"),
            Self::UnexpectedPayload(kind) => write!(f, "payload {kind:?} has no place here"),
            Self::InvalidPayload(kind) => {
                write!(f, "payload {kind:?} has a content not allowed here")
            }
            Self::SelectedUnofferedTransform => {
                f.write_str("it chose a proposal that was not offered")
            }
            Self::SelectedUnofferedSelectors => {
                f.write_str("it chose traffic selectors that were not offered")
            }
            Self::InvalidKeyExchangeRetry => f.write_str(
                "it asked for a key exchange group that was not offered or already tried",
            ),
            Self::CookieLoop => f.write_str("it keeps asking for cookies"),
            Self::NonceLength(len) => write!(f, "a nonce of {len} bytes (16 to 256 are allowed)"),
            Self::InvalidPublicValue => f.write_str("invalid key exchange value"),
            Self::UnexpectedExchange(kind) => write!(f, "exchange {kind:?} cannot happen now"),
            Self::UnexpectedMessageId(id) => write!(f, "unexpected message ID {id}"),
            Self::UnsupportedCriticalPayload(kind) => {
                write!(f, "critical payload {kind:?} is unknown")
            }
            Self::TooManyEapRounds => f.write_str("too many rounds of EAP"),
            Self::UnexpectedNotify(kind) => write!(f, "notification {kind:?} has no place here"),
        }
    }
}

impl fmt::Display for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProposalChosen => f.write_str("no proposal"),
            Self::KeyExchangeGroup => f.write_str("another key exchange group is wanted"),
            Self::TrafficSelectors => f.write_str("no traffic selectors"),
            Self::MajorVersion(version) => write!(f, "IKE version {version} is not spoken here"),
            Self::AuthMethod => f.write_str("no authentication method"),
            Self::SignatureScheme => f.write_str("no signature scheme"),
            Self::Mode => f.write_str("tunnel or transport mode"),
            Self::Aggfrag => f.write_str("AGGFRAG payloads"),
            Self::Configuration => f.write_str("configuration payload"),
            Self::Childless => f.write_str("an IKE SA without children"),
        }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongAuth => "its AUTH payload does not verify",
            Self::WrongIdentity => "it has another identity than expected",
            Self::UnusableKey => "its public key is unusable",
            Self::EapFailure => "EAP failed",
            Self::NoCertificate => "it sent no certificate",
            Self::GatewayUnauthenticated => "it asked for EAP before it authenticated itself",
        })
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByAnswer { ask, reason } => write!(f, "{ask} was denied: {reason}"),
            Self::ByDeadline(ask) => write!(f, "{ask} was not answered by its deadline"),
            Self::Ignored => f.write_str("the stranger was not let in"),
            Self::Child(why) => write!(f, "the peer may have no child SA: {why:?}"),
            Self::NotResponding => f.write_str("this endpoint does not answer strangers"),
        }
    }
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "the peer did not answer a request",
            Self::Handshake => "the handshake took too long",
            Self::Lifetime => "the SA reached the end of its lifetime",
        })
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HalfOpen => "too many half-open IKE SAs",
            Self::HalfOpenPerAddress => "too many half-open IKE SAs from this address",
            Self::Sas => "too many IKE SAs",
            Self::Random => "the host's random source failed",
            Self::MessageIds => "the message IDs of the IKE SA are used up",
            Self::Provider => "the provider lacks an algorithm that it listed",
            Self::Children => "too many children of one IKE SA",
            Self::MessageLength => "a message would become too long",
        })
    }
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownSpi => "no IKE SA with these SPIs",
            Self::OutsideWindow => "message ID outside of the window",
            Self::UnexpectedResponse => "a response to nothing that was asked",
            Self::InProgress => "a copy of a request that is being worked on",
            Self::CookieDemanded => "a first message without a good cookie, which was sent back",
            Self::Fragment => "a fragment whose siblings are awaited",
        })
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSa => f.write_str("no such IKE SA"),
            Self::UnknownChild => f.write_str("no such child SA"),
            Self::NotEstablished => f.write_str("the IKE SA is not established"),
            Self::Unusable(what) => write!(f, "unusable configuration: {what}"),
            Self::TooManySas => f.write_str("too many IKE SAs"),
            Self::Random => f.write_str("the host's random source failed"),
        }
    }
}

impl fmt::Display for StaleTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the question that this ticket stands for is gone")
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            _ => None,
        }
    }
}

impl core::error::Error for CommandError {}
impl core::error::Error for StaleTicket {}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
}

impl From<Misbehaviour> for Error {
    fn from(what: Misbehaviour) -> Self {
        Self::Misbehaved(what)
    }
}

impl From<Incompatible> for Error {
    fn from(what: Incompatible) -> Self {
        Self::Incompatible(what)
    }
}

impl From<AuthError> for Error {
    fn from(why: AuthError) -> Self {
        Self::Authentication(why)
    }
}

impl From<Denied> for Error {
    fn from(what: Denied) -> Self {
        Self::Denied(what)
    }
}

impl From<Resource> for Error {
    fn from(what: Resource) -> Self {
        Self::Resources(what)
    }
}

impl From<Stray> for Error {
    fn from(what: Stray) -> Self {
        Self::Stray(what)
    }
}

impl From<RngError> for Error {
    fn from(_: RngError) -> Self {
        Self::Resources(Resource::Random)
    }
}

impl From<RngError> for CommandError {
    fn from(_: RngError) -> Self {
        Self::Random
    }
}

impl From<KexError> for Error {
    fn from(error: KexError) -> Self {
        match error {
            KexError::Rng => Resource::Random.into(),
            _ => Misbehaviour::InvalidPublicValue.into(),
        }
    }
}
