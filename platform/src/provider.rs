//! The algorithms that can run here, as a value.

use crate::aead::{Aead, AeadAlgorithm};
use crate::cipher::{Cipher, CipherAlgorithm};
use crate::cipher_mac::CipherMac;
use crate::hash::{Hash, HashAlgorithm};
use crate::kex::{KexAlgorithm, KeyExchange};
use crate::mac::{Mac, MacAlgorithm};
use crate::prf::{Prf, PrfAlgorithm};
use crate::signature::{KeyLoader, SignatureScheme, SignatureVerifier};
use crate::suite::Suite;

/// A provider of cryptography: for each kind of algorithm, the ones that can run here.
///
/// Adit offers to a peer, and accepts from it, only what its provider lists. An embedder narrows or
/// completes one by building its own value from the lists of another.
///
/// ```
/// use adit_platform::Provider;
///
/// fn without_cbc(base: &Provider) -> Provider {
///     Provider { ciphers: &[], ..*base }
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Provider {
    /// A short name for reports: `ring`, `rustcrypto`.
    pub name: &'static str,
    /// Authenticated encryption.
    pub aeads: &'static [&'static dyn Aead],
    /// Unauthenticated ciphers, for use with `macs`.
    pub ciphers: &'static [&'static dyn Cipher],
    /// Integrity algorithms.
    pub macs: &'static [&'static dyn Mac],
    /// Pairs of a cipher and an integrity algorithm that run over many packets at once. An addition to
    /// what `ciphers` and `macs` list: nothing is offered to a peer for being here.
    pub cipher_macs: &'static [&'static dyn CipherMac],
    /// Hash functions.
    pub hashes: &'static [&'static dyn Hash],
    /// Pseudorandom functions.
    pub prfs: &'static [&'static dyn Prf],
    /// Key exchange methods.
    pub key_exchanges: &'static [&'static dyn KeyExchange],
    /// Signature verification.
    pub verifiers: &'static [&'static dyn SignatureVerifier],
    /// Loads private keys for signing.
    pub keys: &'static dyn KeyLoader,
}

impl Provider {
    /// The AEAD of this name, if it can run here.
    pub fn aead(&self, algorithm: AeadAlgorithm) -> Option<&'static dyn Aead> {
        self.aeads.iter().copied().find(|a| a.algorithm() == algorithm)
    }

    /// The cipher of this name, if it can run here.
    pub fn cipher(&self, algorithm: CipherAlgorithm) -> Option<&'static dyn Cipher> {
        self.ciphers.iter().copied().find(|a| a.algorithm() == algorithm)
    }

    /// The integrity algorithm of this name, if it can run here.
    pub fn mac(&self, algorithm: MacAlgorithm) -> Option<&'static dyn Mac> {
        self.macs.iter().copied().find(|a| a.algorithm() == algorithm)
    }

    /// The form of this pair for many packets at once, if there is one.
    pub fn cipher_mac(
        &self,
        cipher: CipherAlgorithm,
        mac: MacAlgorithm,
    ) -> Option<&'static dyn CipherMac> {
        self.cipher_macs.iter().copied().find(|a| a.cipher() == cipher && a.mac() == mac)
    }

    /// The hash function of this name, if it can run here.
    pub fn hash(&self, algorithm: HashAlgorithm) -> Option<&'static dyn Hash> {
        self.hashes.iter().copied().find(|a| a.algorithm() == algorithm)
    }

    /// The pseudorandom function of this name, if it can run here.
    pub fn prf(&self, algorithm: PrfAlgorithm) -> Option<&'static dyn Prf> {
        self.prfs.iter().copied().find(|a| a.algorithm() == algorithm)
    }

    /// The key exchange method of this name, if it can run here.
    pub fn key_exchange(&self, algorithm: KexAlgorithm) -> Option<&'static dyn KeyExchange> {
        self.key_exchanges.iter().copied().find(|a| a.algorithm() == algorithm)
    }

    /// The verifier of this scheme, if it can run here.
    pub fn verifier(&self, scheme: SignatureScheme) -> Option<&'static dyn SignatureVerifier> {
        self.verifiers.iter().copied().find(|a| a.scheme() == scheme)
    }

    /// True if every algorithm of `suite` can run here.
    pub fn supports(&self, suite: Suite) -> bool {
        match suite {
            Suite::Aead(aead) => self.aead(aead).is_some(),
            Suite::AeadImplicitIv(aead) => aead.has_implicit_iv() && self.aead(aead).is_some(),
            Suite::CipherMac(cipher, mac) => {
                self.cipher(cipher).is_some() && self.mac(mac).is_some()
            }
            Suite::DangerousNull(mac) => self.mac(mac).is_some(),
        }
    }
}
