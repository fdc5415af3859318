//! Providers against each other, and what must hold for whatever they are given.

mod common;

use adit_platform::kex::KexError;
use adit_platform::rng::Rng;
use adit_platform::{Provider, rustcrypto};
use adit_testkit::insecure;
use adit_testkit::rng::SeededRng;
use common::{BrokenRng, PROVIDERS, asks_the_system};
use proptest::prelude::*;

/// Each provider with each, itself included.
fn pairs() -> impl Iterator<Item = (&'static Provider, &'static Provider)> {
    let insecure = (&insecure::PROVIDER, &insecure::PROVIDER);
    PROVIDERS.into_iter().flat_map(|a| PROVIDERS.map(|b| (a, b))).chain([insecure])
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..max)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn one_seals_and_the_other_opens(
        seed in any::<u64>(), aad in bytes(40), text in bytes(3000), bent in any::<usize>(),
    ) {
        for (a, b) in pairs() {
            for aead in a.aeads {
                let algorithm = aead.algorithm();
                let raw = SeededRng::new(seed).bytes(algorithm.key_len());
                let nonce = SeededRng::new(!seed).bytes(algorithm.nonce_len());
                let sealer = aead.key(&raw).unwrap();
                let opener = b.aead(algorithm).unwrap().key(&raw).unwrap();
                let mut packet = text.clone();
                packet.resize(text.len() + algorithm.tag_len(), 0);
                sealer.seal(&nonce, &aad, &mut packet).unwrap();
                let mut flipped = packet.clone();
                flipped[bent % packet.len()] ^= 1 << (bent % 8);
                prop_assert!(opener.open(&nonce, &aad, &mut flipped).is_err());
                opener.open(&nonce, &aad, &mut packet).unwrap();
                prop_assert_eq!(&packet[..text.len()], &text[..]);
            }
        }
    }

    #[test]
    fn one_encrypts_and_the_other_decrypts(
        seed in any::<u64>(), blocks in 0_usize..100, rest in 0_usize..16,
    ) {
        for (a, b) in pairs() {
            for cipher in a.ciphers {
                let algorithm = cipher.algorithm();
                let mut rng = SeededRng::new(seed);
                let (raw, iv) = (rng.bytes(algorithm.key_len()), rng.bytes(algorithm.iv_len()));
                let rest = if algorithm.block_len() == 1 { rest } else { 0 };
                let text = rng.bytes(blocks * 16 + rest);
                let mut data = text.clone();
                cipher.key(&raw).unwrap().encrypt(&iv, &mut data).unwrap();
                prop_assert!(text.len() < 16 || data != text);
                b.cipher(algorithm).unwrap().key(&raw).unwrap().decrypt(&iv, &mut data).unwrap();
                prop_assert_eq!(data, text);
            }
        }
    }

    #[test]
    fn hashes_macs_and_prfs_agree(key in bytes(300), data in bytes(1000), cut in any::<usize>()) {
        let (front, back) = data.split_at(cut % (data.len() + 1));
        for (a, b) in pairs() {
            for hash in a.hashes {
                let other = b.hash(hash.algorithm()).unwrap();
                prop_assert_eq!(hash.hash(&[front, back]), other.hash(&[&data]));
                prop_assert_eq!(hash.hash(&[&data]).len(), hash.algorithm().output_len());
            }
            for prf in a.prfs {
                let other = b.prf(prf.algorithm()).unwrap();
                let output = prf.compute(&key, &[front, back]);
                prop_assert_eq!(&output, &other.compute(&key, &[&data]));
                prop_assert_eq!(output.len(), prf.algorithm().output_len());
            }
            for mac in a.macs {
                let algorithm = mac.algorithm();
                let mut raw = key.clone();
                raw.resize(algorithm.key_len(), 0x5c);
                let mut tag = vec![0; algorithm.tag_len()];
                mac.key(&raw).unwrap().sign(&[front, back], &mut tag).unwrap();
                let other = b.mac(algorithm).unwrap().key(&raw).unwrap();
                prop_assert!(other.verify(&[&data], &tag).is_ok());
                tag[cut % algorithm.tag_len()] ^= 0x80;
                prop_assert!(other.verify(&[&data], &tag).is_err());
            }
        }
    }
}

#[test]
fn keys_of_the_wrong_length_are_refused() {
    for provider in PROVIDERS.into_iter().chain([&insecure::PROVIDER]) {
        for len in 0..100 {
            let key = vec![7; len];
            for aead in provider.aeads {
                assert_eq!(aead.key(&key).is_ok(), len == aead.algorithm().key_len());
            }
            for cipher in provider.ciphers {
                assert_eq!(cipher.key(&key).is_ok(), len == cipher.algorithm().key_len());
            }
            for mac in provider.macs {
                assert_eq!(mac.key(&key).is_ok(), len == mac.algorithm().key_len());
            }
        }
    }
}

#[test]
fn key_exchanges_agree() {
    let mut rng = SeededRng::new(3);
    for (a, b) in pairs() {
        for method in a.key_exchanges {
            let what = format!("{} {} {method:?}", a.name, b.name);
            for _ in 0..2 {
                let active = method.start(&mut rng).unwrap();
                assert_eq!(active.algorithm(), method.algorithm());
                let other = b.key_exchange(method.algorithm()).unwrap();
                let responded = other.respond(&mut rng, active.public()).unwrap();
                let public_len = active.public().len();
                let shared = active.complete(&responded.public).unwrap();
                assert_eq!(shared, responded.shared, "{what}");
                assert!(shared.expose().iter().any(|byte| *byte != 0), "{what}");
                // A fresh exchange gives a fresh secret.
                let active = method.start(&mut rng).unwrap();
                let again = other.respond(&mut rng, active.public());
                assert_ne!(again.unwrap().shared, shared, "{what}");
                // Lengths do not depend on who computes: the first provider's are the measure.
                let measure = rustcrypto::PROVIDER.key_exchange(method.algorithm()).unwrap();
                let measure = measure.start(&mut rng).unwrap();
                assert_eq!(public_len, measure.public().len(), "{what}");
            }
        }
    }
}

#[test]
fn public_values_of_the_wrong_length_are_refused() {
    let mut rng = SeededRng::new(4);
    for provider in PROVIDERS.into_iter().chain([&insecure::PROVIDER]) {
        for method in provider.key_exchanges {
            let what = format!("{} {method:?}", provider.name);
            let public = method.start(&mut rng).unwrap().public().to_vec();
            let longer = [&public[..], &[0]].concat();
            for bad in [&[], &public[1..], &public[..public.len() - 1], &longer] {
                let error = method.respond(&mut rng, bad).err();
                assert_eq!(error, Some(KexError::InvalidPublicValue), "{what}");
            }
            let answer = method.respond(&mut rng, &public).unwrap().public;
            let longer = [&answer[..], &[0]].concat();
            for bad in [&[], &answer[1..], &answer[..answer.len() - 1], &longer] {
                let error = method.start(&mut rng).unwrap().complete(bad).err();
                assert_eq!(error, Some(KexError::InvalidPublicValue), "{what}");
            }
        }
    }
}

/// A point that is not on the curve, and coordinates that are not below the prime.
#[test]
fn points_off_the_curve_are_refused() {
    let mut rng = SeededRng::new(5);
    for provider in PROVIDERS {
        for method in provider.key_exchanges {
            let len = match method.algorithm() {
                adit_platform::kex::KexAlgorithm::P256 => 64,
                adit_platform::kex::KexAlgorithm::P384 => 96,
                _ => continue,
            };
            let mut off = method.start(&mut rng).unwrap().public().to_vec();
            off[len - 1] ^= 1;
            for bad in [off, vec![0; len], vec![0xff; len]] {
                let error = method.respond(&mut rng, &bad).err();
                assert_eq!(error, Some(KexError::InvalidPublicValue), "{}", provider.name);
            }
        }
    }
}

/// Without randomness there is no key pair. ring's own groups do not ask the host for it.
#[test]
fn a_broken_random_source_fails_the_exchange() {
    for provider in PROVIDERS.into_iter().chain([&insecure::PROVIDER]) {
        for method in provider.key_exchanges {
            use adit_platform::kex::KexAlgorithm::{P256, P384, X25519};
            let rings_own = matches!(method.algorithm(), X25519 | P256 | P384);
            if asks_the_system(provider) && rings_own {
                continue;
            }
            let error = method.start(&mut BrokenRng).err();
            assert_eq!(error, Some(KexError::Rng), "{} {method:?}", provider.name);
        }
    }
}

/// The provider in portable Rust, and the insecure one, are functions of their arguments.
#[test]
fn the_same_randomness_gives_the_same_bytes() {
    for provider in [&rustcrypto::PROVIDER, &insecure::PROVIDER] {
        for method in provider.key_exchanges {
            let run = |rng: &mut dyn Rng| {
                let active = method.start(rng).unwrap();
                let responded = method.respond(rng, active.public()).unwrap();
                (active.public().to_vec(), responded.public, responded.shared)
            };
            assert_eq!(run(&mut SeededRng::new(9)), run(&mut SeededRng::new(9)));
        }
        let key = provider.keys.load_pkcs8(include_bytes!("keys/p256.der")).unwrap();
        let sign = |seed| key.sign(key.schemes()[0], b"text", &mut SeededRng::new(seed)).unwrap();
        assert_eq!(sign(1), sign(1));
    }
}

/// What the insecure provider signs, it verifies, and nothing else: tests rely on that much.
#[test]
fn the_insecure_provider_notices_changes() {
    let provider = &insecure::PROVIDER;
    for file in [&include_bytes!("keys/p384.der")[..], include_bytes!("keys/rsa2048.der")] {
        let key = provider.keys.load_pkcs8(file).unwrap();
        for scheme in key.schemes() {
            let verifier = provider.verifier(*scheme).unwrap();
            let signature = key.sign(*scheme, b"text", &mut SeededRng::new(1)).unwrap();
            assert!(verifier.verify(key.public_key(), b"text", &signature).is_ok());
            assert!(verifier.verify(key.public_key(), b"test", &signature).is_err());
            assert!(verifier.verify(&key.public_key()[1..], b"text", &signature).is_err());
            assert!(verifier.verify(key.public_key(), b"text", &signature[1..]).is_err());
        }
    }
}
