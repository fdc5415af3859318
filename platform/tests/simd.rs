//! AES-GCM, AES-GMAC, and AES-CBC with HMAC of our own against other implementations', over every length on
//! both sides of the limits between them.

use adit_platform::aead::{AeadAlgorithm, AeadKey};
use adit_platform::cipher_mac::Packet;
use adit_platform::{ring, simd};
use adit_testkit::rng::SeededRng;

/// What the provider has of its own with one key: every AES-GCM and AES-GMAC.
fn algorithms() -> Vec<AeadAlgorithm> {
    use AeadAlgorithm::*;
    let ours = [
        Aes128Gcm16,
        Aes192Gcm16,
        Aes256Gcm16,
        Aes128Gcm12,
        Aes192Gcm12,
        Aes256Gcm12,
        Aes128Gcm8,
        Aes192Gcm8,
        Aes256Gcm8,
        Aes128Gmac,
        Aes192Gmac,
        Aes256Gmac,
    ];
    ours.to_vec()
}

/// How many packets of an algorithm are compared: `ADIT_DIFFERENTIAL_CASES`, or a few of each length. A
/// million are compared by
///
/// ```text
/// ADIT_DIFFERENTIAL_CASES=1000000 cargo test --release -p adit-platform --test simd
/// ```
fn cases() -> usize {
    match std::env::var("ADIT_DIFFERENTIAL_CASES") {
        Ok(count) => count.parse().expect("ADIT_DIFFERENTIAL_CASES is a number"),
        Err(_) => 20_000,
    }
}

/// The key as ours and as that of ring or, where ring lacks the algorithm, of RustCrypto.
fn keys(algorithm: AeadAlgorithm, rng: &mut SeededRng) -> [Box<dyn AeadKey>; 2] {
    let raw = rng.bytes(algorithm.key_len());
    [&simd::PROVIDER, &ring::PROVIDER].map(|p| p.aead(algorithm).unwrap().key(&raw).unwrap())
}

/// Seals and opens one packet both ways.
fn compare(
    algorithm: AeadAlgorithm,
    [ours, theirs]: &[Box<dyn AeadKey>; 2],
    len: usize,
    aad_len: usize,
    rng: &mut SeededRng,
) {
    let what = format!("{algorithm:?}, {len} bytes, {aad_len} of associated data");
    let nonce = rng.bytes(12);
    let aad = rng.bytes(aad_len);
    let text = rng.bytes(len);
    let mut packet = [&text[..], &vec![0; algorithm.tag_len()]].concat();
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

/// Every length from 0 to 2100 as often, with a new key for every 53 packets.
#[test]
fn packets_are_as_others_make_them() {
    for algorithm in algorithms() {
        let mut rng = SeededRng::new(11);
        let mut ours_and_theirs = keys(algorithm, &mut rng);
        for case in 0..cases() {
            if case % 53 == 0 {
                ours_and_theirs = keys(algorithm, &mut rng);
            }
            // ESP's lengths of associated data, and now and then any other.
            let aad_len = [8, 12, 16, 20, rng.below(40)][rng.below(5)];
            compare(algorithm, &ours_and_theirs, case % 2101, aad_len, &mut rng);
        }
    }
}

/// Batches of every size, of packets of up to 2100 bytes: sealed and opened side by side, and one after
/// the other by the cipher and the MAC of the ring provider.
#[test]
fn batches_are_as_single_packets() {
    for pair in simd::PROVIDER.cipher_macs {
        let tag_len = pair.mac().tag_len();
        let mut rng = SeededRng::new(15);
        let mut done = 0;
        while done < cases() {
            let cipher_key = rng.bytes(pair.cipher().key_len());
            let mac_key = rng.bytes(pair.mac().key_len());
            let batch = pair.key(&cipher_key, &mac_key).unwrap();
            let cipher = ring::PROVIDER.cipher(pair.cipher()).unwrap().key(&cipher_key).unwrap();
            let mac = ring::PROVIDER.mac(pair.mac()).unwrap().key(&mac_key).unwrap();
            for _ in 0..9 {
                let count = 1 + rng.below(40);
                // Half of the batches have packets of one length.
                let one = rng.below(132);
                let all_alike = rng.below(2) == 0;
                let trailing_len = [0, 4][rng.below(2)];
                let trailing = rng.bytes(trailing_len);
                let plain: Vec<Vec<u8>> = (0..count)
                    .map(|_| {
                        let blocks = if all_alike { one } else { rng.below(132) };
                        rng.bytes(24 + 16 * blocks + tag_len)
                    })
                    .collect();
                let mut expected = plain.clone();
                for packet in &mut expected {
                    let end = packet.len() - tag_len;
                    let (covered, tag) = packet.split_at_mut(end);
                    let (header, text) = covered.split_at_mut(24);
                    cipher.encrypt(&header[8..], text).unwrap();
                    mac.sign(&[header, text, &trailing], tag).unwrap();
                }
                let mut sealed = plain.clone();
                batch.seal(&mut packets(&mut sealed, tag_len, &trailing));
                assert!(sealed == expected, "{pair:?}, {count} packets");

                let bent = rng.below(count);
                let bit = rng.below(sealed[bent].len() * 8);
                sealed[bent][bit / 8] ^= 1 << (bit % 8);
                let left = sealed[bent].clone();
                let mut opened = packets(&mut sealed, tag_len, &trailing);
                batch.open(&mut opened);
                let authentic: Vec<bool> = opened.iter().map(Packet::is_authentic).collect();
                for (index, authentic) in authentic.into_iter().enumerate() {
                    assert_eq!(authentic, index != bent, "{pair:?}, {count} packets");
                    let text = 24..plain[index].len() - tag_len;
                    match authentic {
                        true => assert!(sealed[index][text.clone()] == plain[index][text]),
                        false => assert!(sealed[index] == left, "a refused packet was changed"),
                    }
                }
                done += count;
            }
        }
    }
}

fn packets<'a>(bufs: &'a mut [Vec<u8>], tag_len: usize, trailing: &[u8]) -> Vec<Packet<'a>> {
    bufs.iter_mut().map(|buf| Packet::new(buf, 24, tag_len, trailing).unwrap()).collect()
}

/// Short packets, where the code is ours, in every combination of lengths.
#[test]
fn every_short_length_with_every_length_of_associated_data() {
    let mut rng = SeededRng::new(12);
    for algorithm in algorithms() {
        let keys = keys(algorithm, &mut rng);
        for len in (0..=800).step_by(if algorithm.tag_len() == 16 { 1 } else { 7 }) {
            for aad_len in 0..=33 {
                compare(algorithm, &keys, len, aad_len, &mut rng);
            }
        }
    }
}

/// Every bit of a sealed packet, its header and its nonce matters.
#[test]
fn every_bit_is_authenticated() {
    let mut rng = SeededRng::new(13);
    for algorithm in algorithms() {
        let [ours, _] = keys(algorithm, &mut rng);
        for len in [0, 1, 15, 16, 17, 64, 127, 128, 129, 200, 512] {
            let (nonce, aad) = (rng.bytes(12), rng.bytes(12));
            let mut sealed = rng.bytes(len + algorithm.tag_len());
            ours.seal(nonce[..].try_into().unwrap(), &aad, &mut sealed).unwrap();
            let whole = [&nonce[..], &aad, &sealed].concat();
            for bit in 0..whole.len() * 8 {
                let mut bent = whole.clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                let (nonce, rest) = bent.split_at(12);
                let (aad, packet) = rest.split_first_chunk::<12>().unwrap();
                let mut packet = packet.to_vec();
                assert!(ours.open(nonce, aad, &mut packet).is_err(), "{len} bytes, bit {bit}");
                // Nothing of a forged packet comes out, unless it was readable anyway.
                let readable = !algorithm.encrypts();
                assert!(
                    readable || packet[..len].iter().all(|byte| *byte == 0),
                    "{len} bytes, bit {bit}"
                );
            }
        }
    }
}
