//! X25519 (RFC 8031), P-256 and P-384 (RFC 5903).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::{fmt, hint, mem};

use ring::agreement::{
    Algorithm, ECDH_P256, ECDH_P384, EphemeralPrivateKey, PublicKey, UnparsedPublicKey, X25519,
    agree_ephemeral,
};
use ring::rand::SystemRandom;

use crate::kex::{ActiveKeyExchange, KexAlgorithm, KexError, KeyExchange, Responded};
use crate::rng::Rng;
use crate::secret::Secret;

/// A Diffie-Hellman group of ring.
#[derive(Clone, Copy)]
pub(super) struct RingKex {
    name: KexAlgorithm,
    ring: &'static Algorithm,
    /// What ring puts in front of a public value and IKEv2 does not: the sign of an uncompressed point.
    prefix: &'static [u8],
    /// Length of the public value on the wire in bytes.
    public_len: usize,
}

impl RingKex {
    pub(super) const X25519: Self =
        Self { name: KexAlgorithm::X25519, ring: &X25519, prefix: &[], public_len: 32 };
    pub(super) const P256: Self =
        Self { name: KexAlgorithm::P256, ring: &ECDH_P256, prefix: &[4], public_len: 64 };
    pub(super) const P384: Self =
        Self { name: KexAlgorithm::P384, ring: &ECDH_P384, prefix: &[4], public_len: 96 };

    /// ring takes randomness from nowhere but the operating system.
    fn generate(&self) -> Result<EphemeralPrivateKey, KexError> {
        EphemeralPrivateKey::generate(self.ring, &SystemRandom::new()).map_err(|_| KexError::Rng)
    }

    fn pair(&self) -> Result<(EphemeralPrivateKey, PublicKey), KexError> {
        let private = self.generate()?;
        let public = private.compute_public_key().map_err(|_| KexError::Rng)?;
        Ok((private, public))
    }

    /// ring checks that the point is on the curve (RFC 6989 section 2.3), gives the x coordinate
    /// only (RFC 5903 section 7) and refuses an all-zero X25519 result (RFC 8031 section 5).
    fn agree(&self, private: EphemeralPrivateKey, peer: &[u8]) -> Result<Secret, KexError> {
        // The longest is P-384's: a prefix and two coordinates.
        let mut point = [0; 1 + 96];
        if peer.len() != self.public_len {
            return Err(KexError::InvalidPublicValue);
        }
        let (prefix, rest) = point.split_at_mut(self.prefix.len());
        prefix.copy_from_slice(self.prefix);
        rest[..peer.len()].copy_from_slice(peer);
        let peer = UnparsedPublicKey::new(self.ring, &point[..self.prefix.len() + peer.len()]);
        agree_ephemeral(private, &peer, Secret::copy_from).map_err(|_| KexError::InvalidPublicValue)
    }
}

impl fmt::Debug for RingKex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl KeyExchange for RingKex {
    fn algorithm(&self) -> KexAlgorithm {
        self.name
    }

    fn start(&self, _rng: &mut dyn Rng) -> Result<Box<dyn ActiveKeyExchange>, KexError> {
        let (private, public) = self.pair()?;
        Ok(Box::new(Active { kex: *self, private, public }))
    }

    fn respond(&self, _rng: &mut dyn Rng, peer_public: &[u8]) -> Result<Responded, KexError> {
        let (private, public) = self.pair()?;
        let public = Vec::from(&public.as_ref()[self.prefix.len()..]);
        Ok(Responded { public, shared: self.agree(private, peer_public)? })
    }
}

/// The initiator's key pair.
struct Active {
    kex: RingKex,
    private: EphemeralPrivateKey,
    public: PublicKey,
}

impl ActiveKeyExchange for Active {
    fn algorithm(&self) -> KexAlgorithm {
        self.kex.name
    }

    fn public(&self) -> &[u8] {
        &self.public.as_ref()[self.kex.prefix.len()..]
    }

    fn complete(mut self: Box<Self>, peer_public: &[u8]) -> Result<Secret, KexError> {
        let kex = self.kex;
        let private = mem::replace(&mut self.private, kex.generate()?);
        kex.agree(private, peer_public)
    }
}

/// ring does not wipe: a key that was never used takes the place of the real one.
impl Drop for Active {
    fn drop(&mut self) {
        if let Ok(private) = self.kex.generate() {
            self.private = private;
        }
        // Keeps the compiler from leaving out a write that nothing reads.
        hint::black_box(&mut self.private);
    }
}
