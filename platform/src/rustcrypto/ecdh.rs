//! Diffie-Hellman over P-256 and P-384 in the form of RFC 5903.

use alloc::boxed::Box;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::kex::{ActiveKeyExchange, KexAlgorithm, KexError, KeyExchange, Responded};
use crate::rng::Rng;
use crate::secret::Secret;

/// Attempts at drawing a scalar below the group order. One fails with a probability of less than
/// 2^-32 (P-256), so that this many failures mean a broken source.
const DRAWS: usize = 8;

macro_rules! ecdh {
    ($name:ident, $active:ident, $curve:ident, $algorithm:expr, $len:literal) => {
        /// The group as a key exchange method.
        #[derive(Debug)]
        pub(super) struct $name;

        impl $name {
            fn generate(rng: &mut dyn Rng) -> Result<$curve::SecretKey, KexError> {
                let mut scalar = Zeroizing::new([0; $len]);
                for _ in 0..DRAWS {
                    rng.fill(&mut *scalar).map_err(|_| KexError::Rng)?;
                    if let Ok(key) = $curve::SecretKey::from_slice(&*scalar) {
                        return Ok(key);
                    }
                }
                Err(KexError::Rng)
            }

            /// The public value: `x | y`, RFC 5903 section 7.
            fn public(private: &$curve::SecretKey) -> Vec<u8> {
                private.public_key().to_sec1_bytes()[1..].into()
            }

            fn agree(private: &$curve::SecretKey, peer: &[u8]) -> Result<Secret, KexError> {
                if peer.len() != 2 * $len {
                    return Err(KexError::InvalidPublicValue);
                }
                let mut point = [4; 1 + 2 * $len];
                point[1..].copy_from_slice(peer);
                // Parsing checks that the point is on the curve: RFC 6989 section 2.3.
                let peer = $curve::PublicKey::from_sec1_bytes(&point)
                    .map_err(|_| KexError::InvalidPublicValue)?;
                let shared =
                    $curve::ecdh::diffie_hellman(private.to_nonzero_scalar(), peer.as_affine());
                //= RFC 5903 section 7: the shared secret is the x coordinate only.
                Ok(Secret::copy_from(shared.raw_secret_bytes()))
            }
        }

        impl KeyExchange for $name {
            fn algorithm(&self) -> KexAlgorithm {
                $algorithm
            }

            fn start(&self, rng: &mut dyn Rng) -> Result<Box<dyn ActiveKeyExchange>, KexError> {
                let private = Self::generate(rng)?;
                let public = Self::public(&private);
                Ok(Box::new($active { private, public }))
            }

            fn respond(
                &self,
                rng: &mut dyn Rng,
                peer_public: &[u8],
            ) -> Result<Responded, KexError> {
                let private = Self::generate(rng)?;
                let shared = Self::agree(&private, peer_public)?;
                Ok(Responded { public: Self::public(&private), shared })
            }
        }

        /// The initiator's key pair; `SecretKey` is wiped on drop.
        struct $active {
            private: $curve::SecretKey,
            public: Vec<u8>,
        }

        impl ActiveKeyExchange for $active {
            fn algorithm(&self) -> KexAlgorithm {
                $algorithm
            }

            fn public(&self) -> &[u8] {
                &self.public
            }

            fn complete(self: Box<Self>, peer_public: &[u8]) -> Result<Secret, KexError> {
                $name::agree(&self.private, peer_public)
            }
        }
    };
}

ecdh!(P256, ActiveP256, p256, KexAlgorithm::P256, 32);
ecdh!(P384, ActiveP384, p384, KexAlgorithm::P384, 48);
