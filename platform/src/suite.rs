//! How a packet is protected: what IKEv2's `SK{}` and ESP have in common.

use crate::aead::AeadAlgorithm;
use crate::cipher::CipherAlgorithm;
use crate::mac::MacAlgorithm;

/// The algorithms that protect one direction of an IKE SA or an ESP SA.
///
/// IKEv2 negotiates it, ESP uses it; the wire sizes that both need are methods here.
///
/// ```
/// use adit_platform::suite::Suite;
/// use adit_platform::aead::AeadAlgorithm;
///
/// let suite = Suite::Aead(AeadAlgorithm::Aes256Gcm16);
/// assert_eq!((suite.encryption_key_len(), suite.iv_len(), suite.icv_len()), (36, 8, 16));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Suite {
    /// A combined-mode algorithm: RFC 4106, RFC 5282, RFC 7634.
    Aead(AeadAlgorithm),
    /// Encrypt-then-MAC: RFC 7296 section 3.14, RFC 4303 section 3.3.2.1.
    CipherMac(CipherAlgorithm, MacAlgorithm),
}

impl Suite {
    /// Bytes of keying material for encryption, in one direction, salt included.
    pub const fn encryption_key_len(self) -> usize {
        match self {
            Self::Aead(aead) => aead.key_len() + aead.salt_len(),
            Self::CipherMac(cipher, _) => cipher.key_len(),
        }
    }

    /// Bytes of keying material for integrity, in one direction; 0 for a combined-mode algorithm.
    pub const fn integrity_key_len(self) -> usize {
        match self {
            Self::Aead(_) => 0,
            Self::CipherMac(_, mac) => mac.key_len(),
        }
    }

    /// Bytes of IV that each packet carries.
    pub const fn iv_len(self) -> usize {
        match self {
            Self::Aead(_) => 8,
            Self::CipherMac(cipher, _) => cipher.iv_len(),
        }
    }

    /// Bytes of ICV at the end of each packet.
    pub const fn icv_len(self) -> usize {
        match self {
            Self::Aead(aead) => aead.tag_len(),
            Self::CipherMac(_, mac) => mac.tag_len(),
        }
    }

    /// The multiple to which the cipher itself needs its plaintext padded, in bytes (1 if any length does).
    pub const fn block_len(self) -> usize {
        match self {
            Self::Aead(_) => 1,
            Self::CipherMac(cipher, _) => cipher.block_len(),
        }
    }
}
