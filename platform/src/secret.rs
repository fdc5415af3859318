//! Key material: wiped when dropped, compared in constant time, never printed.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::rng::{Rng, RngError};

/// Bytes that must not leak: keys, shared secrets, passwords, MSKs.
///
/// The bytes are overwritten with zeros on drop, `==` takes the same time wherever the difference is
/// (lengths are not secret), `Debug` prints the length and no byte, and there is no `Clone`: a copy is
/// made by the visible call [`Secret::duplicate`].
///
/// ```
/// use adit_platform::Secret;
///
/// let psk = Secret::copy_from(b"correct horse battery staple");
/// assert_eq!(format!("{psk:?}"), "Secret(28 bytes)");
/// assert_eq!(psk, psk.duplicate());
/// ```
///
/// ```compile_fail,E0599
/// # use adit_platform::Secret;
/// Secret::copy_from(b"").clone();
/// ```
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Copies `bytes`; wiping the original is the caller's business.
    pub fn copy_from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Makes a secret of `len` bytes that `write` fills in place, so that no other copy ever exists.
    pub fn build(len: usize, write: impl FnOnce(&mut [u8])) -> Self {
        let mut secret = Self(vec![0; len].into_boxed_slice());
        write(&mut secret.0);
        secret
    }

    /// `len` fresh random bytes.
    pub fn random(len: usize, rng: &mut dyn Rng) -> Result<Self, RngError> {
        let mut secret = Self(vec![0; len].into_boxed_slice());
        rng.fill(&mut secret.0)?;
        Ok(secret)
    }

    /// A second copy of the same bytes, wiped on its own.
    pub fn duplicate(&self) -> Self {
        Self::copy_from(&self.0)
    }

    /// The bytes themselves. Do not keep or print what this returns.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True for a secret of no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Vec<u8>> for Secret {
    /// Takes the bytes over. Spare capacity is wiped before it is given back to the allocator.
    fn from(mut bytes: Vec<u8>) -> Self {
        if bytes.capacity() == bytes.len() {
            return Self(bytes.into_boxed_slice());
        }
        let secret = Self::copy_from(&bytes);
        bytes.zeroize();
        secret
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}
