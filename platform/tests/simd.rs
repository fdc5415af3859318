//! AES-GCM of our own against ring's, over every length on both sides of the limit between them.

use adit_platform::aead::{AeadAlgorithm, AeadKey};
use adit_platform::{ring, simd};
use adit_testkit::rng::SeededRng;

const ALGORITHMS: [AeadAlgorithm; 2] = [AeadAlgorithm::Aes128Gcm16, AeadAlgorithm::Aes256Gcm16];

/// The key as ours and as ring's.
fn keys(algorithm: AeadAlgorithm, rng: &mut SeededRng) -> [Box<dyn AeadKey>; 2] {
    let raw = rng.bytes(algorithm.key_len());
    [&simd::PROVIDER, &ring::PROVIDER].map(|p| p.aead(algorithm).unwrap().key(&raw).unwrap())
}

/// Seals and opens one packet both ways.
fn compare(
    [ours, theirs]: &[Box<dyn AeadKey>; 2],
    len: usize,
    aad_len: usize,
    rng: &mut SeededRng,
) {
    let what = format!("{len} bytes, {aad_len} of associated data");
    let nonce = rng.bytes(12);
    let aad = rng.bytes(aad_len);
    let text = rng.bytes(len);
    let mut packet = [&text[..], &[0; 16]].concat();
    let mut expected = packet.clone();
    ours.seal(&nonce, &aad, &mut packet).unwrap();
    theirs.seal(&nonce, &aad, &mut expected).unwrap();
    assert_eq!(packet, expected, "{what}");
    ours.open(&nonce, &aad, &mut packet).unwrap();
    assert_eq!(packet[..len], text, "{what}");
    // One bit of ciphertext or tag.
    let bit = rng.below(expected.len() * 8);
    expected[bit / 8] ^= 1 << (bit % 8);
    assert!(ours.open(&nonce, &aad, &mut expected).is_err(), "{what}, bit {bit}");
}

/// A million packets: 477 of each length, with a new key for every 53.
fn a_million_packets(algorithm: AeadAlgorithm, seed: u64) {
    let mut rng = SeededRng::new(seed);
    for len in 0..=2100 {
        for _ in 0..9 {
            let keys = keys(algorithm, &mut rng);
            for _ in 0..53 {
                // ESP's lengths of associated data, and now and then any other.
                let aad_len = [8, 12, 12, rng.below(40)][rng.below(4)];
                compare(&keys, len, aad_len, &mut rng);
            }
        }
    }
}

#[test]
fn a_million_packets_with_aes_128_are_as_ring_makes_them() {
    a_million_packets(AeadAlgorithm::Aes128Gcm16, 11);
}

#[test]
fn a_million_packets_with_aes_256_are_as_ring_makes_them() {
    a_million_packets(AeadAlgorithm::Aes256Gcm16, 14);
}

/// Short packets, where the code is ours, in every combination of lengths.
#[test]
fn every_short_length_with_every_length_of_associated_data() {
    let mut rng = SeededRng::new(12);
    for algorithm in ALGORITHMS {
        let keys = keys(algorithm, &mut rng);
        for len in 0..=800 {
            for aad_len in 0..=33 {
                compare(&keys, len, aad_len, &mut rng);
            }
        }
    }
}

/// Every bit of a sealed packet, its header and its nonce matters.
#[test]
fn every_bit_is_authenticated() {
    let mut rng = SeededRng::new(13);
    for algorithm in ALGORITHMS {
        let [ours, _] = keys(algorithm, &mut rng);
        for len in [0, 1, 15, 16, 17, 64, 127, 128, 129, 200, 512] {
            let (nonce, aad) = (rng.bytes(12), rng.bytes(12));
            let mut sealed = rng.bytes(len + 16);
            ours.seal(nonce[..].try_into().unwrap(), &aad, &mut sealed).unwrap();
            let whole = [&nonce[..], &aad, &sealed].concat();
            for bit in 0..whole.len() * 8 {
                let mut bent = whole.clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                let (nonce, rest) = bent.split_at(12);
                let (aad, packet) = rest.split_first_chunk::<12>().unwrap();
                let mut packet = packet.to_vec();
                assert!(ours.open(nonce, aad, &mut packet).is_err(), "{len} bytes, bit {bit}");
                // Nothing of a forged packet comes out.
                assert!(packet[..len].iter().all(|byte| *byte == 0), "{len} bytes, bit {bit}");
            }
        }
    }
}
