//! Loading private keys and signing with them. The keys in `keys/` were made by OpenSSL (3.0; ML-DSA by 4.0), and
//! so were the signatures over `sign me`; `*.spki` are the public keys as OpenSSL derived them.

mod common;

use adit_platform::rng::Rng;
use adit_platform::signature::{KeyError, SignatureScheme, SigningKey};
use adit_testkit::rng::SeededRng;
use common::{BrokenRng, PROVIDERS, asks_the_system, hex};

const MESSAGE: &[u8] = b"sign me";

/// A key file, the `SubjectPublicKeyInfo` that belongs to it, and what it can sign with.
struct KeyFile {
    private: &'static [u8],
    spki: &'static [u8],
    schemes: &'static [SignatureScheme],
}

const RSA_PSS: [SignatureScheme; 3] =
    [SignatureScheme::RsaPssSha256, SignatureScheme::RsaPssSha384, SignatureScheme::RsaPssSha512];
const RSA: [SignatureScheme; 7] = [
    SignatureScheme::RsaPssSha256,
    SignatureScheme::RsaPssSha384,
    SignatureScheme::RsaPssSha512,
    SignatureScheme::RsaPkcs1Sha256,
    SignatureScheme::RsaPkcs1Sha384,
    SignatureScheme::RsaPkcs1Sha512,
    SignatureScheme::RsaPkcs1Sha1,
];
const P256: [SignatureScheme; 3] = [
    SignatureScheme::EcdsaP256Sha256,
    SignatureScheme::EcdsaP256Sha384,
    SignatureScheme::EcdsaP256Sha512,
];
const P384: [SignatureScheme; 3] = [
    SignatureScheme::EcdsaP384Sha384,
    SignatureScheme::EcdsaP384Sha512,
    SignatureScheme::EcdsaP384Sha256,
];

const P521: [SignatureScheme; 3] = [
    SignatureScheme::EcdsaP521Sha512,
    SignatureScheme::EcdsaP521Sha384,
    SignatureScheme::EcdsaP521Sha256,
];

const KEYS: &[KeyFile] = &[
    KeyFile {
        private: include_bytes!("keys/rsa2048.der"),
        spki: include_bytes!("keys/rsa2048.spki"),
        schemes: &RSA,
    },
    KeyFile {
        private: include_bytes!("keys/rsa-pss.der"),
        spki: include_bytes!("keys/rsa-pss.spki"),
        schemes: &RSA_PSS,
    },
    KeyFile {
        private: include_bytes!("keys/p256.der"),
        spki: include_bytes!("keys/p256.spki"),
        schemes: &P256,
    },
    // The same key without its public half, which is then computed.
    KeyFile {
        private: include_bytes!("keys/p256-no-public.der"),
        spki: include_bytes!("keys/p256.spki"),
        schemes: &P256,
    },
    KeyFile {
        private: include_bytes!("keys/p384.der"),
        spki: include_bytes!("keys/p384.spki"),
        schemes: &P384,
    },
    KeyFile {
        private: include_bytes!("keys/p521.der"),
        spki: include_bytes!("keys/p521.spki"),
        schemes: &P521,
    },
    KeyFile {
        private: include_bytes!("keys/ed25519.der"),
        spki: include_bytes!("keys/ed25519.spki"),
        schemes: &[SignatureScheme::Ed25519],
    },
    KeyFile {
        private: include_bytes!("keys/mldsa44.der"),
        spki: include_bytes!("keys/mldsa44.spki"),
        schemes: &[SignatureScheme::MlDsa44],
    },
    KeyFile {
        private: include_bytes!("keys/mldsa65.der"),
        spki: include_bytes!("keys/mldsa65.spki"),
        schemes: &[SignatureScheme::MlDsa65],
    },
    KeyFile {
        private: include_bytes!("keys/mldsa87.der"),
        spki: include_bytes!("keys/mldsa87.spki"),
        schemes: &[SignatureScheme::MlDsa87],
    },
];

#[test]
fn every_key_signs_with_every_scheme_and_every_provider_verifies() {
    let mut rng = SeededRng::new(1);
    for signer in PROVIDERS {
        for file in KEYS {
            let key = signer.keys.load_pkcs8(file.private).unwrap();
            assert_eq!(key.schemes(), file.schemes, "{}", signer.name);
            assert!(file.spki.ends_with(key.public_key()), "{} {key:?}", signer.name);
            for scheme in key.schemes() {
                let signature = key.sign(*scheme, MESSAGE, &mut rng).unwrap();
                for verifier in PROVIDERS {
                    let what = format!("{} by {}: {scheme:?}", signer.name, verifier.name);
                    let verifier = verifier.verifier(*scheme).unwrap();
                    let verify = |message: &[u8], signature: &[u8]| {
                        verifier.verify(key.public_key(), message, signature)
                    };
                    assert!(verify(MESSAGE, &signature).is_ok(), "{what}");
                    assert!(verify(b"sign you", &signature).is_err(), "{what}");
                    let mut bent = signature.clone();
                    *bent.last_mut().unwrap() ^= 1;
                    assert!(verify(MESSAGE, &bent).is_err(), "{what}");
                    assert!(verify(MESSAGE, &signature[1..]).is_err(), "{what}");
                    assert!(verify(MESSAGE, &[]).is_err(), "{what}");
                    assert!(verifier.verify(&[], MESSAGE, &signature).is_err(), "{what}");
                }
            }
        }
    }
}

/// These schemes have one valid signature only, so that OpenSSL's must come out.
#[test]
fn deterministic_signatures_are_those_of_openssl() {
    let rsa = include_bytes!("keys/rsa2048.der");
    let ed25519 = include_bytes!("keys/ed25519.der");
    let answers: [(&[u8], SignatureScheme, &[u8]); 5] = [
        (rsa, SignatureScheme::RsaPkcs1Sha1, include_bytes!("keys/rsa2048-sha1.sig")),
        (rsa, SignatureScheme::RsaPkcs1Sha256, include_bytes!("keys/rsa2048-sha256.sig")),
        (rsa, SignatureScheme::RsaPkcs1Sha384, include_bytes!("keys/rsa2048-sha384.sig")),
        (rsa, SignatureScheme::RsaPkcs1Sha512, include_bytes!("keys/rsa2048-sha512.sig")),
        (ed25519, SignatureScheme::Ed25519, include_bytes!("keys/ed25519.sig")),
    ];
    for provider in PROVIDERS {
        for (key, scheme, answer) in answers {
            let key = provider.keys.load_pkcs8(key).unwrap();
            let signature = key.sign(scheme, MESSAGE, &mut SeededRng::new(1)).unwrap();
            assert_eq!(signature, answer, "{} {scheme:?}", provider.name);
        }
    }
}

/// Signatures that depend on randomness, as OpenSSL made them.
#[test]
fn signatures_of_openssl_verify() {
    use SignatureScheme as S;
    let key = |spki: &'static [u8], len: usize| &spki[spki.len() - len..];
    let rsa = key(include_bytes!("keys/rsa2048.spki"), 270);
    let p521 = key(include_bytes!("keys/p521.spki"), 133);
    let answers: [(&[u8], S, &[u8]); 7] = [
        (rsa, S::RsaPssSha1, include_bytes!("keys/rsa2048-pss-sha1.sig")),
        (p521, S::EcdsaP521Sha256, include_bytes!("keys/p521-sha256.sig")),
        (p521, S::EcdsaP521Sha384, include_bytes!("keys/p521-sha384.sig")),
        (p521, S::EcdsaP521Sha512, include_bytes!("keys/p521-sha512.sig")),
        (
            key(include_bytes!("keys/mldsa44.spki"), 1312),
            S::MlDsa44,
            include_bytes!("keys/mldsa44.sig"),
        ),
        (
            key(include_bytes!("keys/mldsa65.spki"), 1952),
            S::MlDsa65,
            include_bytes!("keys/mldsa65.sig"),
        ),
        (
            key(include_bytes!("keys/mldsa87.spki"), 2592),
            S::MlDsa87,
            include_bytes!("keys/mldsa87.sig"),
        ),
    ];
    for provider in PROVIDERS {
        for (key, scheme, answer) in answers {
            let verifier = provider.verifier(scheme).unwrap();
            assert_eq!(
                verifier.verify(key, MESSAGE, answer),
                Ok(()),
                "{} {scheme:?}",
                provider.name
            );
            let mut bent = answer.to_vec();
            for at in [0, bent.len() / 2, bent.len() - 1] {
                bent[at] ^= 1;
                assert!(verifier.verify(key, MESSAGE, &bent).is_err(), "{scheme:?} byte {at}");
                bent[at] ^= 1;
            }
        }
    }
}

/// Both ends of the range verify; what lies beyond does not, sound as the signature may be.
#[test]
fn rsa_keys_of_2048_to_8192_bits_verify() {
    use SignatureScheme as S;
    let longest: &[u8] = include_bytes!("keys/rsa8192.pub");
    let longer: &[u8] = include_bytes!("keys/rsa8200.pub");
    let cases: [(&[u8], S, &[u8], bool); 4] = [
        (longest, S::RsaPkcs1Sha256, include_bytes!("keys/rsa8192-pkcs1-sha256.sig"), true),
        (longest, S::RsaPssSha256, include_bytes!("keys/rsa8192-pss-sha256.sig"), true),
        (longer, S::RsaPkcs1Sha256, include_bytes!("keys/rsa8200-pkcs1-sha256.sig"), false),
        (longer, S::RsaPssSha256, include_bytes!("keys/rsa8200-pss-sha256.sig"), false),
    ];
    for provider in PROVIDERS {
        for (key, scheme, signature, valid) in cases {
            let verifier = provider.verifier(scheme).unwrap();
            let result = verifier.verify(key, MESSAGE, signature);
            assert_eq!(result.is_ok(), valid, "{} {scheme:?}", provider.name);
        }
    }
}

#[test]
fn a_key_refuses_schemes_of_other_keys() {
    for provider in PROVIDERS {
        for file in KEYS {
            let key = provider.keys.load_pkcs8(file.private).unwrap();
            for verifier in provider.verifiers {
                let scheme = verifier.scheme();
                let result = key.sign(scheme, MESSAGE, &mut SeededRng::new(1));
                let allowed = file.schemes.contains(&scheme);
                let expected = if allowed { None } else { Some(KeyError::WrongScheme) };
                assert_eq!(result.err(), expected, "{} {key:?} {scheme:?}", provider.name);
            }
        }
    }
}

#[test]
fn unsupported_keys_are_told_from_malformed_ones() {
    let unsupported: [&[u8]; 3] = [
        include_bytes!("keys/secp256k1.der"),
        // Too short.
        include_bytes!("keys/rsa1024.der"),
        // Restricted to one hash by its parameters.
        include_bytes!("keys/rsa-pss-sha256.der"),
    ];
    for provider in PROVIDERS {
        let load = |der: &[u8]| provider.keys.load_pkcs8(der).err();
        for der in unsupported {
            assert_eq!(load(der), Some(KeyError::Unsupported), "{}", provider.name);
        }
        assert_eq!(load(&[]), Some(KeyError::Malformed), "{}", provider.name);
        assert_eq!(load(b"-----BEGIN PRIVATE KEY-----"), Some(KeyError::Malformed));
    }
}

/// RFC 8410 section 10.3: a key of version 2, with an attribute and its public key.
const ED25519_V2: &str = "3072020101300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad\
    3afe7c28cbf1d4fbe097a88f44755842a01f301d060a2a864886f70d01090914\
    310f0c0d437572646c6520436861697273812100\
    19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";

#[test]
fn ed25519_with_its_public_key() {
    for provider in PROVIDERS {
        let mut der = hex(ED25519_V2);
        let key = provider.keys.load_pkcs8(&der).unwrap();
        assert_eq!(key.public_key(), &der[der.len() - 32..]);
        // A public key that is not the seed's.
        *der.last_mut().unwrap() ^= 1;
        assert_eq!(provider.keys.load_pkcs8(&der).err(), Some(KeyError::Malformed));
    }
}

/// Files are cut, bent and noisy: no panic, and a key that still loads still signs what verifies or
/// says that it cannot.
#[test]
fn bent_key_files_never_panic() {
    let mut rng = SeededRng::new(7);
    let try_key = |key: &dyn SigningKey, rng: &mut dyn Rng| {
        for scheme in key.schemes() {
            // Signing with numbers that do not fit together must fail and not panic.
            let _ = key.sign(*scheme, MESSAGE, rng);
        }
    };
    for provider in PROVIDERS {
        for file in KEYS {
            for len in 0..file.private.len() {
                let loaded = provider.keys.load_pkcs8(&file.private[..len]);
                assert!(loaded.is_err(), "{} accepts {len} bytes", provider.name);
            }
            // Checking an RSA key takes long: every byte of the small files, one in 67 of the large.
            let step = if file.private.len() > 300 { 67 } else { 1 };
            for index in (0..file.private.len()).step_by(step) {
                for value in [0x00, 0x01, 0x80] {
                    let mut der = file.private.to_vec();
                    der[index] = value;
                    if let Ok(key) = provider.keys.load_pkcs8(&der) {
                        try_key(&*key, &mut rng);
                    }
                }
            }
        }
    }
}

/// What signs with the host's randomness fails when there is none; what ring signs with the operating
/// system's, and what needs none, goes on.
#[test]
fn a_broken_random_source_fails_the_signature() {
    for provider in PROVIDERS {
        for file in KEYS {
            let key = provider.keys.load_pkcs8(file.private).unwrap();
            for scheme in key.schemes() {
                let needs_rng = match asks_the_system(provider) {
                    true => matches!(
                        scheme,
                        SignatureScheme::RsaPkcs1Sha1
                            | SignatureScheme::EcdsaP256Sha384
                            | SignatureScheme::EcdsaP256Sha512
                            | SignatureScheme::EcdsaP384Sha256
                            | SignatureScheme::EcdsaP384Sha512
                            | SignatureScheme::EcdsaP521Sha256
                            | SignatureScheme::EcdsaP521Sha384
                            | SignatureScheme::EcdsaP521Sha512
                            | SignatureScheme::MlDsa44
                            | SignatureScheme::MlDsa65
                            | SignatureScheme::MlDsa87
                    ),
                    false => *scheme != SignatureScheme::Ed25519,
                };
                let result = key.sign(*scheme, MESSAGE, &mut BrokenRng);
                let expected = if needs_rng { Some(KeyError::Rng) } else { None };
                assert_eq!(result.err(), expected, "{} {scheme:?}", provider.name);
            }
        }
    }
}

/// A key's `Debug` names its kind and shows no number of it.
#[test]
fn debug_shows_no_secret() {
    for provider in PROVIDERS {
        let shown: Vec<String> = KEYS
            .iter()
            .map(|file| format!("{:?}", provider.keys.load_pkcs8(file.private).unwrap()))
            .collect();
        let expected = [
            "RsaKey(2048 bits)",
            "RsaKey(2048 bits)",
            "EcdsaKey(P-256)",
            "EcdsaKey(P-256)",
            "EcdsaKey(P-384)",
            "EcdsaKey(P-521)",
            "Ed25519Key",
            "MlDsaKey(ML-DSA-44)",
            "MlDsaKey(ML-DSA-65)",
            "MlDsaKey(ML-DSA-87)",
        ];
        assert_eq!(shown, expected, "{}", provider.name);
    }
}
