//! SHA-1 and SHA-2.

use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use crate::hash::{Digest, HashAlgorithm};

/// The digest of the concatenation of `parts`.
pub(crate) fn digest(algorithm: HashAlgorithm, parts: &[&[u8]]) -> Digest {
    match algorithm {
        HashAlgorithm::Sha1 => digest_with::<Sha1>(parts),
        HashAlgorithm::Sha256 => digest_with::<Sha256>(parts),
        HashAlgorithm::Sha384 => digest_with::<Sha384>(parts),
        HashAlgorithm::Sha512 => digest_with::<Sha512>(parts),
    }
}

fn digest_with<D: sha2::digest::Digest>(parts: &[&[u8]]) -> Digest {
    let mut hash = D::new();
    for part in parts {
        hash.update(part);
    }
    Digest::new(&hash.finalize())
}

/// The hash functions as the [`Provider`](crate::Provider) lists them.
#[cfg(feature = "rustcrypto")]
#[derive(Debug)]
pub(super) struct Hash(pub(super) HashAlgorithm);

#[cfg(feature = "rustcrypto")]
impl crate::hash::Hash for Hash {
    fn algorithm(&self) -> HashAlgorithm {
        self.0
    }

    fn hash(&self, parts: &[&[u8]]) -> Digest {
        digest(self.0, parts)
    }
}
