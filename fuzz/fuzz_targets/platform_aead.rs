//! Every provider's AEAD beside every other's: they seal to the same bytes and refuse the same forgeries.
#![no_main]

use adit_platform::aead::AeadAlgorithm;
use adit_platform::{ring, rustcrypto, simd};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    algorithm: u8,
    key: [u8; 32],
    nonce: [u8; 12],
    aad: Vec<u8>,
    text: Vec<u8>,
    /// Which bit of the sealed packet to flip.
    flip: u16,
}

fuzz_target!(|input: Input| {
    let algorithm = AeadAlgorithm::ALL[usize::from(input.algorithm) % AeadAlgorithm::ALL.len()];
    let nonce = &input.nonce[..algorithm.nonce_len()];
    let mut room = input.text.clone();
    room.resize(room.len() + algorithm.tag_len(), 0);
    let mut first = None;
    for provider in [&ring::PROVIDER, &simd::PROVIDER, &rustcrypto::PROVIDER] {
        let aead = provider.aead(algorithm).expect("every provider lists it");
        let key = aead.key(&input.key[..algorithm.key_len()]).expect("of its length");
        let mut packet = room.clone();
        key.seal(nonce, &input.aad, &mut packet).expect("not too long");
        let sealed = first.get_or_insert_with(|| packet.clone());
        assert_eq!(packet, *sealed, "{}", provider.name);
        key.open(nonce, &input.aad, &mut packet).expect("as sealed");
        assert_eq!(packet[..input.text.len()], input.text);
        let mut forged = sealed.clone();
        let bit = usize::from(input.flip) % (forged.len() * 8);
        forged[bit / 8] ^= 1 << (bit % 8);
        assert!(key.open(nonce, &input.aad, &mut forged).is_err());
    }
});
