//! What can go wrong, by whose fault it is.

use core::fmt;

use adit_platform::rng::RngError;

use crate::dictionary::{AttributeType, Code};

/// Why a packet was not accepted, or why a request failed.
///
/// ```
/// use adit_radius::Packet;
///
/// let error = Packet::parse(&[2, 1, 0, 19]).unwrap_err();
/// assert_eq!(error.to_string(), "malformed RADIUS packet at octet 4: truncated");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The octets do not form a valid packet or attribute.
    Malformed {
        /// What is wrong.
        what: Malformed,
        /// Where, in octets from the start of the RADIUS packet.
        offset: usize,
    },
    /// The other side, or somebody in its name, broke the protocol with a well-formed packet.
    Misbehaved(Misbehaved),
    /// The user is not let in.
    Refused(Refused),
    /// No server answered.
    NoReply,
    /// The embedder called something that does not fit.
    Misuse(Misuse),
    /// A limit was reached or the host could not deliver.
    Resources(Resources),
}

/// What is wrong with the octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Malformed {
    /// It ends before the 20 octets of the header.
    Truncated,
    /// The Length field is below 20, above 4096 or beyond the end of the datagram.
    Length,
    /// An attribute's Length is below 2 or reaches beyond the packet.
    AttributeLength,
    /// The value of this attribute does not have the form that its RFC gives.
    Value(AttributeType),
    /// An attribute that may stand only once stands there again.
    Repeated(AttributeType),
    /// EAP-Message attributes that are not consecutive, RFC 3579 section 3.1.
    EapNotConsecutive,
    /// What EAP-Message carries is not an EAP packet.
    Eap,
    /// A key in MS-MPPE-Send-Key or MS-MPPE-Recv-Key does not decrypt to a key.
    Key,
}

/// How the other side broke the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Misbehaved {
    /// A datagram from an address that is no server of ours, or to a source port that is not in use.
    UnknownServer,
    /// No request with this Identifier waits for this server.
    NoSuchRequest,
    /// A Code that does not answer, or is not, the request that is expected.
    UnexpectedCode(Code),
    /// The Response Authenticator is wrong: forged, corrupted or made with another secret.
    ResponseAuthenticator,
    /// The Message-Authenticator is wrong.
    MessageAuthenticator,
    /// There is no Message-Authenticator, so that the packet may be forged (CVE-2024-3596).
    NoMessageAuthenticator,
    /// A Proxy-State that was never sent: what a forgery by CVE-2024-3596 needs.
    UnexpectedProxyState,
    /// An EAP packet from the peer that must not reach the server, RFC 3579 section 2.2.
    InvalidEapFromPeer,
}

/// Why a user is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refused {
    /// Access-Reject.
    Rejected,
    /// An Access-Accept without the keys that the method should have exported, or only one of them.
    NoKeys,
    /// An Access-Accept whose EAP-Message is not Success, which the peer could not follow.
    NotSuccess,
    /// An Access-Challenge without an EAP Request in an EAP conversation.
    NoEapRequest,
    /// A Service-Type that a remote-access gateway does not offer (RFC 2865 section 5.6).
    ServiceType(u32),
    /// Protocol-Error, RFC 7930 section 4.
    ProtocolError,
}

/// How the embedder called something that does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Misuse {
    /// An attribute value above 253 octets, or a packet above 4096.
    TooLong,
    /// A password above 128 octets, RFC 2865 section 5.2.
    PasswordTooLong,
    /// Both a password and an EAP-Message, RFC 3579 section 3.3.
    PasswordAndEap,
    /// An attribute that the client itself adds.
    ReservedAttribute(AttributeType),
    /// A client without servers, or without source ports.
    NoServers,
    /// A server with an empty shared secret.
    EmptySecret,
    /// A server whose initial retransmission time is zero.
    ZeroTimer,
    /// A server that this client does not have.
    UnknownServer,
    /// The EAP conversation is not at a point where this fits.
    OutOfOrder,
}

/// What ran out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Resources {
    /// Every Identifier of every source port waits for a reply.
    NoIdentifier,
    /// More EAP rounds than the limit allows.
    TooManyRounds,
    /// The host's random source failed.
    Rng,
}

impl Error {
    pub(crate) const fn malformed(what: Malformed, offset: usize) -> Self {
        Self::Malformed { what, offset }
    }
}

impl From<RngError> for Error {
    fn from(_: RngError) -> Self {
        Self::Resources(Resources::Rng)
    }
}

impl core::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { what, offset } => {
                write!(f, "malformed RADIUS packet at octet {offset}: {what}")
            }
            Self::Misbehaved(what) => write!(f, "RADIUS packet discarded: {what}"),
            Self::Refused(what) => write!(f, "access refused: {what}"),
            Self::NoReply => f.write_str("no RADIUS server answered"),
            Self::Misuse(what) => write!(f, "RADIUS API misuse: {what}"),
            Self::Resources(what) => write!(f, "RADIUS out of resources: {what}"),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated",
            Self::Length => "bad Length",
            Self::AttributeLength => "bad attribute Length",
            Self::Value(kind) => return write!(f, "bad value of {kind}"),
            Self::Repeated(kind) => return write!(f, "{kind} repeated"),
            Self::EapNotConsecutive => "EAP-Message attributes are not consecutive",
            Self::Eap => "EAP-Message holds no EAP packet",
            Self::Key => "a key does not decrypt",
        })
    }
}

impl fmt::Display for Misbehaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownServer => "not from a configured server",
            Self::NoSuchRequest => "no such request is outstanding",
            Self::UnexpectedCode(code) => return write!(f, "unexpected {code}"),
            Self::ResponseAuthenticator => "wrong Response Authenticator",
            Self::MessageAuthenticator => "wrong Message-Authenticator",
            Self::NoMessageAuthenticator => "no Message-Authenticator",
            Self::UnexpectedProxyState => "a Proxy-State that was never sent",
            Self::InvalidEapFromPeer => "invalid EAP packet from the peer",
        })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rejected => "Access-Reject",
            Self::NoKeys => "Access-Accept without usable keys",
            Self::NotSuccess => "Access-Accept without EAP-Success",
            Self::NoEapRequest => "Access-Challenge without an EAP Request",
            Self::ServiceType(value) => return write!(f, "Service-Type {value} is not offered"),
            Self::ProtocolError => "Protocol-Error",
        })
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "attribute above 253 or packet above 4096 octets",
            Self::PasswordTooLong => "password above 128 octets",
            Self::PasswordAndEap => "a password and an EAP-Message in one request",
            Self::ReservedAttribute(kind) => return write!(f, "{kind} is added by the client"),
            Self::NoServers => "no servers or no source ports",
            Self::EmptySecret => "empty shared secret",
            Self::ZeroTimer => "an initial retransmission time of zero",
            Self::UnknownServer => "no such server",
            Self::OutOfOrder => "does not fit the state of the EAP conversation",
        })
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoIdentifier => "every Identifier of every source port is in use",
            Self::TooManyRounds => "too many EAP rounds",
            Self::Rng => "the host's random source failed",
        })
    }
}
