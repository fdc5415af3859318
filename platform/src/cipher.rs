//! Unauthenticated block-cipher modes, always used together with a [`mac`](crate::mac).

use alloc::boxed::Box;
use core::fmt;

use crate::aead::InvalidKeyLength;

/// A cipher by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum CipherAlgorithm {
    /// AES-128 in CBC: RFC 3602.
    Aes128Cbc,
    /// AES-256 in CBC: RFC 3602.
    Aes256Cbc,
}

impl CipherAlgorithm {
    /// Length of the key in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Cbc => 16,
            Self::Aes256Cbc => 32,
        }
    }

    /// Length of the IV in bytes.
    pub const fn iv_len(self) -> usize {
        16
    }

    /// The multiple to which plaintext is padded, in bytes.
    pub const fn block_len(self) -> usize {
        16
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
    /// Encrypts `data` in place. `iv` must be unpredictable: RFC 3602 section 3.
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
