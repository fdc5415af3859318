//! Key exchange: Diffie-Hellman groups and key encapsulation behind one pair of calls.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::rng::Rng;
use crate::secret::Secret;

/// A key exchange method by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum KexAlgorithm {
    /// X25519: RFC 8031, IKEv2 group 31.
    X25519,
    /// The 256-bit random ECP group: RFC 5903, IKEv2 group 19.
    P256,
    /// The 384-bit random ECP group: RFC 5903, IKEv2 group 20.
    P384,
    /// The 2048-bit MODP group: RFC 3526, IKEv2 group 14.
    Modp2048,
    /// The 3072-bit MODP group: RFC 3526, IKEv2 group 15.
    Modp3072,
    /// The 4096-bit MODP group: RFC 3526, IKEv2 group 16.
    Modp4096,
    /// ML-KEM-768: FIPS 203, IKEv2 method 36. A KEM: what the two sides send differs in length.
    MlKem768,
}

/// A key exchange method that can run here.
///
/// The initiator calls [`start`](Self::start) and sends the public value; the responder answers it with
/// [`respond`](Self::respond) and sends its own; the initiator ends with
/// [`complete`](ActiveKeyExchange::complete). Public values are in the form that the Key Exchange Data
/// of an IKEv2 KE payload carries (RFC 7296 section 3.4, RFC 5903 section 7: `x | y` without prefix).
pub trait KeyExchange: Send + Sync + fmt::Debug {
    /// Which method this is.
    fn algorithm(&self) -> KexAlgorithm;

    /// Draws a fresh key pair for the initiator.
    ///
    /// # Errors
    /// If the random source fails.
    fn start(&self, rng: &mut dyn Rng) -> Result<Box<dyn ActiveKeyExchange>, KexError>;

    /// The responder's whole part: the value to send and the shared secret.
    ///
    /// # Errors
    /// If `peer_public` is not a valid public value (length, point not on the curve, degenerate
    /// value: RFC 6989) or the random source fails.
    fn respond(&self, rng: &mut dyn Rng, peer_public: &[u8]) -> Result<Responded, KexError>;
}

/// What the responder of a key exchange ends with.
#[derive(Debug)]
pub struct Responded {
    /// The public value (or KEM ciphertext) to send.
    pub public: Vec<u8>,
    /// The shared secret in the form that the key schedule takes.
    pub shared: Secret,
}

/// The initiator's side of a key exchange under way; its private key is wiped on drop.
pub trait ActiveKeyExchange: Send + Sync {
    /// Which method this is.
    fn algorithm(&self) -> KexAlgorithm;

    /// The public value to send.
    fn public(&self) -> &[u8];

    /// The shared secret, from what the responder sent.
    ///
    /// # Errors
    /// If `peer_public` is not a valid public value.
    fn complete(self: Box<Self>, peer_public: &[u8]) -> Result<Secret, KexError>;
}

/// A key exchange failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum KexError {
    /// The peer's public value has the wrong length or is not a valid, non-degenerate element.
    InvalidPublicValue,
    /// The host's random source failed.
    Rng,
}

impl fmt::Display for KexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidPublicValue => "the peer's public value is invalid",
            Self::Rng => "the host's random source failed",
        })
    }
}

impl core::error::Error for KexError {}
