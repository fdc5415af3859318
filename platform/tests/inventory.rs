//! Each provider lists every algorithm that the crate names, once.

mod common;

use adit_platform::aead::AeadAlgorithm::{self, *};
use adit_platform::cipher::CipherAlgorithm::{self, *};
use adit_platform::hash::HashAlgorithm::*;
use adit_platform::kex::KexAlgorithm::*;
use adit_platform::mac::MacAlgorithm::{self, *};
use adit_platform::prf::PrfAlgorithm;
use adit_platform::signature::SignatureScheme::*;
use adit_platform::{Provider, Suite};
use adit_testkit::insecure;
use common::PROVIDERS;

/// Compares as sets: the order is the provider's own.
fn check<T: PartialEq + std::fmt::Debug>(provider: &Provider, listed: Vec<T>, required: &[T]) {
    let name = provider.name;
    for algorithm in required {
        assert!(listed.contains(algorithm), "{name} lacks {algorithm:?}");
    }
    for (index, algorithm) in listed.iter().enumerate() {
        assert!(!listed[..index].contains(algorithm), "{name} lists {algorithm:?} twice");
        assert!(required.contains(algorithm), "{algorithm:?} of {name} is missing in this test");
    }
}

#[test]
fn every_algorithm_is_listed_once() {
    for p in PROVIDERS.into_iter().chain([&insecure::PROVIDER]) {
        let listed = p.aeads.iter().map(|a| a.algorithm()).collect();
        check(p, listed, AeadAlgorithm::ALL);
        let listed = p.ciphers.iter().map(|a| a.algorithm()).collect();
        check(p, listed, CipherAlgorithm::ALL);
        let listed = p.macs.iter().map(|a| a.algorithm()).collect();
        check(p, listed, MacAlgorithm::ALL);
        let listed = p.hashes.iter().map(|a| a.algorithm()).collect();
        check(p, listed, &[Sha1, Sha256, Sha384, Sha512]);
        let listed = p.prfs.iter().map(|a| a.algorithm()).collect();
        let prfs =
            [PrfAlgorithm::HmacSha2_256, PrfAlgorithm::HmacSha2_384, PrfAlgorithm::HmacSha2_512];
        check(p, listed, &prfs);
        let listed = p.key_exchanges.iter().map(|a| a.algorithm()).collect();
        check(p, listed, &[X25519, P256, P384, Modp2048, Modp3072, Modp4096, MlKem768]);
        let listed = p.verifiers.iter().map(|a| a.scheme()).collect();
        let schemes = [
            RsaPkcs1Sha1,
            RsaPkcs1Sha256,
            RsaPkcs1Sha384,
            RsaPkcs1Sha512,
            RsaPssSha1,
            RsaPssSha256,
            RsaPssSha384,
            RsaPssSha512,
            EcdsaP256Sha256,
            EcdsaP256Sha384,
            EcdsaP256Sha512,
            EcdsaP384Sha256,
            EcdsaP384Sha384,
            EcdsaP384Sha512,
            EcdsaP521Sha256,
            EcdsaP521Sha384,
            EcdsaP521Sha512,
            Ed25519,
            MlDsa44,
            MlDsa65,
            MlDsa87,
        ];
        check(p, listed, &schemes);
    }
}

#[test]
fn what_is_listed_is_found_by_name_and_nothing_else() {
    for p in PROVIDERS {
        assert_eq!(p.aead(Aes256Gcm16).map(|a| a.algorithm()), Some(Aes256Gcm16));
        assert!(p.supports(Suite::CipherMac(Aes256Cbc, HmacSha2_512_256)));
        let narrow = Provider { aeads: &[], macs: &[], ..*p };
        assert!(narrow.aead(Aes256Gcm16).is_none());
        assert!(!narrow.supports(Suite::Aead(Aes256Gcm16)));
        assert!(!narrow.supports(Suite::CipherMac(Aes256Cbc, HmacSha2_512_256)));
    }
}
