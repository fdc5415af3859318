//! ML-KEM-768: FIPS 203. The initiator sends an encapsulation key, the responder a ciphertext.

use alloc::boxed::Box;
use alloc::vec::Vec;

use ml_kem::kem::{Decapsulate, KeyExport};
use ml_kem::{DecapsulationKey768, EncapsulationKey768};
use zeroize::{Zeroize, Zeroizing};

use crate::kex::{ActiveKeyExchange, KexAlgorithm, KexError, KeyExchange, Responded};
use crate::rng::Rng;
use crate::secret::Secret;

/// The key exchange method ML-KEM-768.
#[derive(Debug)]
pub(crate) struct MlKem768;

impl KeyExchange for MlKem768 {
    fn algorithm(&self) -> KexAlgorithm {
        KexAlgorithm::MlKem768
    }

    fn start(&self, rng: &mut dyn Rng) -> Result<Box<dyn ActiveKeyExchange>, KexError> {
        // FIPS 203 algorithm 19: d | z, both from the random source.
        let mut seed = Zeroizing::new([0; 64]);
        rng.fill(&mut *seed).map_err(|_| KexError::Rng)?;
        let private = DecapsulationKey768::from_seed((*seed).into());
        let public = private.encapsulation_key().to_bytes().to_vec();
        Ok(Box::new(Active { private, public }))
    }

    fn respond(&self, rng: &mut dyn Rng, peer_public: &[u8]) -> Result<Responded, KexError> {
        // FIPS 203 section 7.2: the length of the key, and that its coefficients are reduced.
        let peer = peer_public.try_into().map_err(|_| KexError::InvalidPublicValue)?;
        let peer = EncapsulationKey768::new(peer).map_err(|_| KexError::InvalidPublicValue)?;
        // FIPS 203 algorithm 20: m from the random source.
        let mut m = Zeroizing::new([0; 32]);
        rng.fill(&mut *m).map_err(|_| KexError::Rng)?;
        let (ciphertext, mut shared) = peer.encapsulate_deterministic((&*m).into());
        let secret = Secret::copy_from(&shared);
        shared.as_mut_slice().zeroize();
        Ok(Responded { public: Vec::from(ciphertext.as_slice()), shared: secret })
    }
}

/// The initiator's key pair; the decapsulation key is wiped on drop.
struct Active {
    private: DecapsulationKey768,
    public: Vec<u8>,
}

impl ActiveKeyExchange for Active {
    fn algorithm(&self) -> KexAlgorithm {
        KexAlgorithm::MlKem768
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn complete(self: Box<Self>, peer_public: &[u8]) -> Result<Secret, KexError> {
        // A ciphertext that was not made for this key gives a secret that nobody else has (implicit
        // rejection, FIPS 203 section 6.3): only its length can be refused.
        let ciphertext = peer_public.try_into().map_err(|_| KexError::InvalidPublicValue)?;
        let mut shared = self.private.decapsulate(ciphertext);
        let secret = Secret::copy_from(&shared);
        shared.as_mut_slice().zeroize();
        Ok(secret)
    }
}
