//! Unauthenticated block-cipher modes, always used together with a [`mac`](crate::mac).

use alloc::boxed::Box;
use core::fmt;

use crate::aead::InvalidKeyLength;

/// A cipher by name.
///
/// RFC 8221 (ESP) and RFC 8247 (IKEv2) have CBC with keys of 128 and 256 bits as MUST, the others as MAY.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum CipherAlgorithm {
    /// AES-128 in CBC: RFC 3602.
    Aes128Cbc,
    /// AES-192 in CBC: RFC 3602.
    Aes192Cbc,
    /// AES-256 in CBC: RFC 3602.
    Aes256Cbc,
    /// AES-128 in counter mode: RFC 3686 (ESP), RFC 5930 (IKEv2).
    Aes128Ctr,
    /// AES-192 in counter mode: RFC 3686 (ESP), RFC 5930 (IKEv2).
    Aes192Ctr,
    /// AES-256 in counter mode: RFC 3686 (ESP), RFC 5930 (IKEv2).
    Aes256Ctr,
}

impl CipherAlgorithm {
    /// Every cipher that has a name here. This is no recommendation.
    pub const ALL: &[Self] = &[
        Self::Aes128Cbc,
        Self::Aes192Cbc,
        Self::Aes256Cbc,
        Self::Aes128Ctr,
        Self::Aes192Ctr,
        Self::Aes256Ctr,
    ];

    /// Length of the keying material in bytes: the key, and in counter mode the nonce of 4 bytes behind
    /// it, RFC 3686 section 5.1.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Cbc => 16,
            Self::Aes192Cbc => 24,
            Self::Aes256Cbc => 32,
            Self::Aes128Ctr => 20,
            Self::Aes192Ctr => 28,
            Self::Aes256Ctr => 36,
        }
    }

    /// Length of the IV in bytes.
    pub const fn iv_len(self) -> usize {
        if self.is_ctr() { 8 } else { 16 }
    }

    /// The multiple to which plaintext is padded, in bytes.
    pub const fn block_len(self) -> usize {
        if self.is_ctr() { 1 } else { 16 }
    }

    /// True if an IV that can be foreseen gives something away (CBC, RFC 3602 section 3). If not, it must
    /// only never be used twice with one key, which a counter makes sure of (CTR, RFC 3686 section 3.1).
    pub const fn needs_unpredictable_iv(self) -> bool {
        !self.is_ctr()
    }

    const fn is_ctr(self) -> bool {
        matches!(self, Self::Aes128Ctr | Self::Aes192Ctr | Self::Aes256Ctr)
    }
}

/// A cipher that can run here.
pub trait Cipher: Send + Sync + fmt::Debug {
    /// Which algorithm this is.
    fn algorithm(&self) -> CipherAlgorithm;

    /// Prepares `key`, which is [`CipherAlgorithm::key_len`] bytes long.
    fn key(&self, key: &[u8]) -> Result<Box<dyn CipherKey>, InvalidKeyLength>;
}

/// A prepared cipher key. Wiped on drop.
pub trait CipherKey: Send + Sync {
    /// Encrypts `data` in place. `iv` must never have been used with this key before, and be unpredictable
    /// if [`CipherAlgorithm::needs_unpredictable_iv`].
    ///
    /// # Errors
    /// If `iv` or `data` is not of a length that the cipher takes.
    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CipherError>;

    /// Decrypts `data` in place. Authenticate it first.
    ///
    /// # Errors
    /// If `iv` or `data` is not of a length that the cipher takes.
    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CipherError>;
}

/// The IV or the data has a length that the cipher does not take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CipherError;

impl fmt::Display for CipherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IV or data of a length that the cipher does not take")
    }
}

impl core::error::Error for CipherError {}
