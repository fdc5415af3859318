//! What is wrong with bytes from the peer, and where; what cannot be encoded.

use core::fmt;

/// A message from the peer is malformed.
///
/// ```
/// use adit_ikev2::wire::{DecodeErrorKind, Header};
///
/// let error = Header::parse(&[0; 10]).unwrap_err();
/// assert_eq!((error.kind, error.offset), (DecodeErrorKind::Truncated, 8));
/// assert_eq!(error.to_string(), "responder SPI at byte 8: truncated");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// Which field or structure it concerns, in the words of the RFC.
    pub what: &'static str,
    /// Where that begins, in bytes from the start of the input that was parsed: the datagram, or, for
    /// what was encrypted, the decrypted content.
    pub offset: usize,
}

/// The ways in which a message can be malformed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input ends before the field does.
    Truncated,
    /// A length field contradicts what it measures.
    BadLength,
    /// A value is outside its range.
    BadValue,
    /// More of these than [`limits`](super::limits) allows.
    TooMany,
    /// A payload that may occur once occurs again.
    Duplicate,
    /// Bytes follow after the end.
    Trailing,
    /// The major version is not 2: RFC 7296 section 2.5.
    UnsupportedVersion,
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated",
            Self::BadLength => "length does not fit",
            Self::BadValue => "value out of range",
            Self::TooMany => "too many",
            Self::Duplicate => "occurs more than once",
            Self::Trailing => "trailing bytes",
            Self::UnsupportedVersion => "major version is not 2",
        })
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.what, self.offset, self.kind)
    }
}

impl core::error::Error for DecodeError {}

/// A value does not fit into the length or count field that announces it.
///
/// Only values that the embedder supplied can cause it: an identity or certificate of 64 KiB, hundreds
/// of selectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EncodeError {
    /// What is too large, in the words of the RFC.
    pub what: &'static str,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} too large for its length field", self.what)
    }
}

impl core::error::Error for EncodeError {}
