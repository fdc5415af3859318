//! What can go wrong, by whose fault it is.

use alloc::string::String;
use core::fmt;

use adit_platform::rng::RngError;

use crate::packet::Type;

/// Why a packet was not accepted, or why an authentication ended.
///
/// ```
/// use adit_eap::{Error, packet::Packet};
///
/// let error = Packet::parse(&[1, 0, 0, 9, 1]).unwrap_err();
/// assert!(matches!(error, Error::Malformed { offset: 2, .. }));
/// assert_eq!(error.to_string(), "malformed EAP packet at octet 2: bad Length");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The octets do not form a valid packet.
    Malformed {
        /// What is wrong.
        what: Malformed,
        /// Where, in octets from the start of the EAP packet.
        offset: usize,
    },
    /// The other side broke the protocol with a well-formed packet.
    Misbehaved(Misbehaved),
    /// The two sides have nothing in common.
    Incompatible(Incompatible),
    /// Authentication was tried and did not succeed.
    Rejected(Rejected),
    /// The embedder called something that does not fit the state.
    Misuse(Misuse),
    /// A limit was reached or the host could not deliver.
    Resources(Resources),
}

/// What is wrong with the octets of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Malformed {
    /// It ends before the fields that it must have.
    Truncated,
    /// The Length field is below the minimum, beyond the end, or wrong for this Code.
    Length,
    /// The Code is none of those that RFC 3748 defines.
    Code,
    /// A Request or Response without a Type.
    NoType,
    /// Type 0, which is reserved.
    ReservedType,
    /// A method's operation code is unknown.
    OpCode,
    /// MS-Length of EAP-MSCHAPv2 is not the packet's Length less 5.
    MsLength,
    /// Value-Size of EAP-MSCHAPv2 is not the size that the operation needs.
    ValueSize,
    /// The text of an EAP-MSCHAPv2 Success or Failure is not of the form that RFC 2759 gives.
    Text,
}

/// How the other side broke the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Misbehaved {
    /// A peer received a Response, or an authenticator received anything but a Response.
    WrongDirection,
    /// The Identifier is not that of the outstanding Request.
    IdentifierMismatch,
    /// A Success before the method had authenticated both sides (RFC 3748 section 4.2).
    EarlySuccess,
    /// A Type that is not allowed now: a second method, or Identity inside of one (section 2.1).
    UnexpectedType(Type),
    /// A Nak where none is allowed, or one that lists what was just offered.
    UnexpectedNak,
    /// A method's operation that does not belong here.
    UnexpectedOperation,
    /// A packet arrived after the authentication had ended.
    AfterEnd,
    /// A packet arrived while the embedder still owes an answer.
    WhileAsking,
    /// The authenticator does not know the password: its response to the peer's challenge is wrong.
    AuthenticatorResponse,
    /// An identity longer than [`crate::MAX_IDENTITY_LEN`].
    IdentityTooLong,
}

/// What the two sides do not have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Incompatible {
    /// No method that both sides would use.
    NoCommonMethod,
    /// The authenticator sent Failure after the peer had refused this method.
    MethodRefused(Type),
}

/// Why an authentication was refused.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Rejected {
    /// The authenticator found that the user is unknown or the password wrong.
    WrongCredential,
    /// The peer acknowledged or caused the failure.
    ByPeer,
    /// EAP-Failure from the authenticator, without a reason.
    ByAuthenticator,
    /// EAP-MSCHAPv2 failed with this code (RFC 2759 section 6).
    MsChap {
        /// `E=`: 646 restricted logon hours, 647 account disabled, 648 password expired, 649 no
        /// dial-in permission, 691 authentication failure, 709 error changing password.
        code: u32,
        /// `M=`, for a person to read; control characters are removed.
        message: String,
    },
    /// The embedder declined to answer a question.
    NoAnswer,
}

/// How the embedder called something that does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Misuse {
    /// An answer, but no question is open.
    NothingAsked,
    /// The answer is of another kind than the question.
    WrongAnswer,
    /// Started twice.
    AlreadyStarted,
    /// Not started yet.
    NotStarted,
    /// A password that is not UTF-8 or is longer than 256 characters (RFC 2759 section 4).
    BadPassword,
    /// An NT password hash that is not 16 octets.
    BadNtHash,
    /// The packet would exceed 65,535 octets.
    TooLong,
    /// An authenticator without a method.
    NoMethods,
}

/// What ran out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Resources {
    /// More Requests than the limit allows, see [`crate::DEFAULT_MAX_ROUNDS`].
    TooManyRounds,
    /// The host's random source failed.
    Rng,
}

impl Error {
    pub(crate) const fn malformed(what: Malformed, offset: usize) -> Self {
        Self::Malformed { what, offset }
    }

    /// Moves the offset of a method's error from its Type-Data, which starts at `base`, to the packet.
    pub(crate) fn moved_by(self, base: usize) -> Self {
        match self {
            Self::Malformed { what, offset } => Self::Malformed { what, offset: offset + base },
            other => other,
        }
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
                write!(f, "malformed EAP packet at octet {offset}: {what}")
            }
            Self::Misbehaved(what) => write!(f, "the other side of EAP misbehaved: {what}"),
            Self::Incompatible(what) => write!(f, "EAP incompatible: {what}"),
            Self::Rejected(what) => write!(f, "authentication rejected: {what}"),
            Self::Misuse(what) => write!(f, "EAP API misuse: {what}"),
            Self::Resources(what) => write!(f, "EAP out of resources: {what}"),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated",
            Self::Length => "bad Length",
            Self::Code => "unknown Code",
            Self::NoType => "no Type",
            Self::ReservedType => "Type 0 is reserved",
            Self::OpCode => "unknown OpCode",
            Self::MsLength => "MS-Length is not Length - 5",
            Self::ValueSize => "bad Value-Size",
            Self::Text => "text is not of the form of RFC 2759",
        })
    }
}

impl fmt::Display for Misbehaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::WrongDirection => "a packet of the wrong direction",
            Self::IdentifierMismatch => "the Identifier is not that of the outstanding Request",
            Self::EarlySuccess => "Success before the method had finished",
            Self::UnexpectedType(kind) => return write!(f, "{kind} is not allowed here"),
            Self::UnexpectedNak => "a Nak that is not allowed here",
            Self::UnexpectedOperation => "an operation that does not belong here",
            Self::AfterEnd => "a packet after the end",
            Self::WhileAsking => "a packet before its last one was answered",
            Self::AuthenticatorResponse => "the authenticator does not know the password",
            Self::IdentityTooLong => "identity too long",
        };
        f.write_str(text)
    }
}

impl fmt::Display for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCommonMethod => f.write_str("no common method"),
            Self::MethodRefused(kind) => write!(f, "{kind} is all that the authenticator offered"),
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongCredential => "unknown user or wrong password",
            Self::ByPeer => "the peer gave up",
            Self::ByAuthenticator => "the authenticator sent Failure",
            Self::MsChap { code, message } => {
                let meaning = match code {
                    646 => "restricted logon hours",
                    647 => "account disabled",
                    648 => "password expired",
                    649 => "no permission to dial in",
                    691 => "user name or password is wrong",
                    709 => "password could not be changed",
                    _ => "MS-CHAP failure",
                };
                write!(f, "{meaning} (E={code})")?;
                return if message.is_empty() { Ok(()) } else { write!(f, ": {message}") };
            }
            Self::NoAnswer => "no credential was given",
        })
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingAsked => "no question is open",
            Self::WrongAnswer => "the answer does not fit the question",
            Self::AlreadyStarted => "already started",
            Self::NotStarted => "not started",
            Self::BadPassword => "the password is not UTF-8 of at most 256 characters",
            Self::BadNtHash => "an NT password hash has 16 octets",
            Self::TooLong => "packet longer than 65,535 octets",
            Self::NoMethods => "an authenticator needs a method",
        })
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooManyRounds => "too many rounds",
            Self::Rng => "the host's random source failed",
        })
    }
}
