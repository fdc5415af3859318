//! Diffie-Hellman modulo the primes of RFC 3526: groups 14, 15 and 16.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crypto_bigint::modular::ConstMontyForm;
use crypto_bigint::{U512, U2048, U3072, U4096, const_monty_params};
use zeroize::Zeroize;

use crate::kex::{ActiveKeyExchange, KexAlgorithm, KexError, KeyExchange, Responded};
use crate::rng::Rng;
use crate::secret::Secret;

/// A MODP group as a key exchange method.
pub(crate) struct Modp {
    algorithm: KexAlgorithm,
    /// Length of the prime, and so of public values and shared secrets, in bytes.
    len: usize,
    /// Length of private exponents in bytes: the size that RFC 3526 section 8 gives for its higher
    /// estimate of the group's strength, rounded up to whole bytes.
    exponent_len: usize,
    power: Power,
}

/// `base^exponent mod p`, left-padded to the length of the prime; `None` unless `1 < base < p - 1`.
type Power = fn(base: &[u8], exponent: &[u8]) -> Option<Secret>;

impl Modp {
    pub(crate) const GROUP_14: Self = Self {
        algorithm: KexAlgorithm::Modp2048,
        len: 256,
        exponent_len: 320 / 8,
        power: group_14,
    };
    pub(crate) const GROUP_15: Self = Self {
        algorithm: KexAlgorithm::Modp3072,
        len: 384,
        exponent_len: 424 / 8,
        power: group_15,
    };
    pub(crate) const GROUP_16: Self = Self {
        algorithm: KexAlgorithm::Modp4096,
        len: 512,
        exponent_len: 480 / 8,
        power: group_16,
    };

    fn generate(&self, rng: &mut dyn Rng) -> Result<(Secret, Vec<u8>), KexError> {
        let private = Secret::random(self.exponent_len, rng).map_err(|_| KexError::Rng)?;
        // Drawn with a probability of 2^-320 or by a source that is out of order.
        if private.expose().iter().all(|byte| *byte == 0) {
            return Err(KexError::Rng);
        }
        // The generator of all three groups is 2.
        let mut generator = Vec::from([0; 512]);
        generator.truncate(self.len);
        if let Some(last) = generator.last_mut() {
            *last = 2;
        }
        let public = self.agree(&private, &generator)?;
        Ok((private, public.expose().to_vec()))
    }

    fn agree(&self, private: &Secret, peer: &[u8]) -> Result<Secret, KexError> {
        (self.power)(peer, private.expose()).ok_or(KexError::InvalidPublicValue)
    }
}

impl fmt::Debug for Modp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.algorithm.fmt(f)
    }
}

impl KeyExchange for Modp {
    fn algorithm(&self) -> KexAlgorithm {
        self.algorithm
    }

    fn start(&self, rng: &mut dyn Rng) -> Result<Box<dyn ActiveKeyExchange>, KexError> {
        let (private, public) = self.generate(rng)?;
        let power = self.power;
        Ok(Box::new(Active { algorithm: self.algorithm, power, private, public }))
    }

    fn respond(&self, rng: &mut dyn Rng, peer_public: &[u8]) -> Result<Responded, KexError> {
        let (private, public) = self.generate(rng)?;
        Ok(Responded { public, shared: self.agree(&private, peer_public)? })
    }
}

/// The initiator's key pair.
struct Active {
    algorithm: KexAlgorithm,
    power: Power,
    private: Secret,
    public: Vec<u8>,
}

impl ActiveKeyExchange for Active {
    fn algorithm(&self) -> KexAlgorithm {
        self.algorithm
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn complete(self: Box<Self>, peer_public: &[u8]) -> Result<Secret, KexError> {
        (self.power)(peer_public, self.private.expose()).ok_or(KexError::InvalidPublicValue)
    }
}

macro_rules! group {
    ($power:ident, $uint:ident, $prime:ident, $hex:literal) => {
        const_monty_params!($prime, $uint, $hex, "The group's prime, RFC 3526.");

        fn $power(base: &[u8], exponent: &[u8]) -> Option<Secret> {
            if base.len() != $uint::BYTES || exponent.len() > U512::BYTES {
                return None;
            }
            let base = $uint::from_be_slice(base);
            //= RFC 6989 section 2.1: 1 < r < p - 1, which suffices because (p - 1) / 2 is prime.
            let last = $uint::from_be_hex($hex).wrapping_sub(&$uint::ONE);
            if base <= $uint::ONE || base >= last {
                return None;
            }
            let mut padded = [0; U512::BYTES];
            padded[U512::BYTES - exponent.len()..].copy_from_slice(exponent);
            let mut power = U512::from_be_slice(&padded);
            let bits = exponent.len() as u32 * 8;
            // Constant time in base and exponent; the length of the exponent is no secret.
            let mut result = ConstMontyForm::<$prime, { $uint::LIMBS }>::new(&base)
                .pow_bounded_exp(&power, bits);
            let mut value = result.retrieve();
            //= RFC 7296 section 2.14: as long as the prime, zeros in front where necessary.
            let mut bytes = value.to_be_bytes();
            let secret = Secret::copy_from(bytes.as_ref());
            bytes.as_mut().zeroize();
            value.zeroize();
            result.zeroize();
            power.zeroize();
            padded.zeroize();
            Some(secret)
        }
    };
}

group!(
    group_14,
    U2048,
    Prime14,
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22\
     514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6\
     F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3D\
     C2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB\
     9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E8603\
     9B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510\
     15728E5A8AACAA68FFFFFFFFFFFFFFFF"
);

group!(
    group_15,
    U3072,
    Prime15,
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22\
     514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6\
     F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3D\
     C2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB\
     9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E8603\
     9B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510\
     15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7D\
     B3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864\
     D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E208E24FA074E5AB31\
     43DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF"
);

group!(
    group_16,
    U4096,
    Prime16,
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22\
     514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6\
     F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3D\
     C2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB\
     9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E8603\
     9B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510\
     15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7D\
     B3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864\
     D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E208E24FA074E5AB31\
     43DB5BFCE0FD108E4B82D120A92108011A723C12A787E6D788719A10BDBA5B2699C327186AF4E23C\
     1A946834B6150BDA2583E9CA2AD44CE8DBBBC2DB04DE8EF92E8EFC141FBECAA6287C59474E6BC05D\
     99B2964FA090C3A2233BA186515BE7ED1F612970CEE2D7AFB81BDD762170481CD0069127D5B05AA9\
     93B4EA988D8FDDC186FFB7DC90A6C08F4DF435C934063199FFFFFFFFFFFFFFFF"
);
