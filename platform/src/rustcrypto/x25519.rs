//! X25519: RFC 7748, RFC 8031.

use alloc::boxed::Box;
use alloc::vec::Vec;

use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::kex::{ActiveKeyExchange, KexAlgorithm, KexError, KeyExchange, Responded};
use crate::rng::Rng;
use crate::secret::Secret;

/// The key exchange method X25519.
#[derive(Debug)]
pub(super) struct X25519;

impl KeyExchange for X25519 {
    fn algorithm(&self) -> KexAlgorithm {
        KexAlgorithm::X25519
    }

    fn start(&self, rng: &mut dyn Rng) -> Result<Box<dyn ActiveKeyExchange>, KexError> {
        let private = generate(rng)?;
        let public = PublicKey::from(&private);
        Ok(Box::new(Active { private, public }))
    }

    fn respond(&self, rng: &mut dyn Rng, peer_public: &[u8]) -> Result<Responded, KexError> {
        let private = generate(rng)?;
        let shared = agree(&private, peer_public)?;
        let public = Vec::from(PublicKey::from(&private).to_bytes());
        Ok(Responded { public, shared })
    }
}

/// The initiator's key pair. `StaticSecret` is wiped on drop; each pair serves one exchange all the
/// same (RFC 8031 section 2.1).
struct Active {
    private: StaticSecret,
    public: PublicKey,
}

impl ActiveKeyExchange for Active {
    fn algorithm(&self) -> KexAlgorithm {
        KexAlgorithm::X25519
    }

    fn public(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn complete(self: Box<Self>, peer_public: &[u8]) -> Result<Secret, KexError> {
        agree(&self.private, peer_public)
    }
}

fn generate(rng: &mut dyn Rng) -> Result<StaticSecret, KexError> {
    let mut seed = Zeroizing::new([0; 32]);
    rng.fill(&mut *seed).map_err(|_| KexError::Rng)?;
    Ok(StaticSecret::from(*seed))
}

fn agree(private: &StaticSecret, peer_public: &[u8]) -> Result<Secret, KexError> {
    let peer: [u8; 32] = peer_public.try_into().map_err(|_| KexError::InvalidPublicValue)?;
    let shared = private.diffie_hellman(&PublicKey::from(peer));
    //= RFC 8031 section 5: the all-zero result of a point of small order is refused.
    if !shared.was_contributory() {
        return Err(KexError::InvalidPublicValue);
    }
    Ok(Secret::copy_from(shared.as_bytes()))
}
