//! The algorithms of the crates behind our providers, called directly: what ESP is held against.

use adit_platform::aead::AeadAlgorithm;
use adit_platform::cipher::CipherAlgorithm;
use adit_platform::mac::MacAlgorithm;
use adit_platform::{Provider, Suite};
use aes::{Aes128, Aes256};
use aes_gcm::aead::AeadInOut;
use cipher::inout::InOutBuf;
use cipher::{
    Block, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
    KeyInit,
};
use hmac::{EagerHash, Hmac, Mac};

/// Does one thing to each packet of a batch and returns how many there were.
pub type Batch = Box<dyn Fn(&mut [Vec<u8>]) -> usize>;

/// Sealing and opening of whole batches, so that the call through the box does not count.
///
/// Each buffer is an ESP packet, of which the header is covered by a separate integrity algorithm but
/// not by an AEAD, which takes the usual 12 bytes beside. Nonces and IVs do not change: that costs the
/// same.
pub(crate) struct Bare {
    pub(crate) seal: Batch,
    pub(crate) open: Batch,
}

const NONCE: [u8; 12] = [7; 12];
const AAD: [u8; 12] = [5; 12];
const IV: [u8; 16] = [9; 16];
const AEAD_HEADER: usize = 16;
const CBC_HEADER: usize = 24;
const HIGH_SEQUENCE: [u8; 4] = [0; 4];

impl Bare {
    pub(crate) fn new(
        provider: &Provider,
        suite: Suite,
        encryption: &[u8],
        integrity: &[u8],
    ) -> Self {
        // What the provider `simd` does faster is held against ring.
        let is_ring = provider.name != "rustcrypto";
        match suite {
            Suite::Aead(algorithm) => {
                let key = &encryption[..algorithm.key_len()];
                match algorithm {
                    _ if is_ring => Self::ring(algorithm, key),
                    AeadAlgorithm::Aes128Gcm16 => Self::rust::<aes_gcm::Aes128Gcm>(key),
                    AeadAlgorithm::Aes256Gcm16 => Self::rust::<aes_gcm::Aes256Gcm>(key),
                    AeadAlgorithm::ChaCha20Poly1305 => {
                        Self::rust::<chacha20poly1305::ChaCha20Poly1305>(key)
                    }
                    other => unimplemented_suite(&other),
                }
            }
            Suite::CipherMac(CipherAlgorithm::Aes128Cbc, mac) => {
                Self::cbc_hmac::<Aes128>(encryption, is_ring, mac, integrity)
            }
            Suite::CipherMac(CipherAlgorithm::Aes256Cbc, mac) => {
                Self::cbc_hmac::<Aes256>(encryption, is_ring, mac, integrity)
            }
            other => unimplemented_suite(&other),
        }
    }

    fn ring(algorithm: AeadAlgorithm, key: &[u8]) -> Self {
        use ring::aead::{
            AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
        };
        let algorithm = match algorithm {
            AeadAlgorithm::Aes128Gcm16 => &AES_128_GCM,
            AeadAlgorithm::Aes256Gcm16 => &AES_256_GCM,
            AeadAlgorithm::ChaCha20Poly1305 => &CHACHA20_POLY1305,
            other => unimplemented_suite(&other),
        };
        let new_key = || LessSafeKey::new(UnboundKey::new(algorithm, key).expect("its length"));
        let (sealing, opening) = (new_key(), new_key());
        Self {
            seal: each(move |packet| {
                let (text, tag) =
                    packet[AEAD_HEADER..].split_last_chunk_mut::<16>().expect("room for a tag");
                let nonce = Nonce::assume_unique_for_key(NONCE);
                let sealed = sealing.seal_in_place_separate_tag(nonce, Aad::from(&AAD), text);
                tag.copy_from_slice(sealed.expect("short enough").as_ref());
            }),
            open: each(move |packet| {
                let nonce = Nonce::assume_unique_for_key(NONCE);
                let opened =
                    opening.open_in_place(nonce, Aad::from(&AAD), &mut packet[AEAD_HEADER..]);
                opened.expect("it was sealed so");
            }),
        }
    }

    fn rust<A: KeyInit + AeadInOut + 'static>(key: &[u8]) -> Self {
        let new_key = || A::new_from_slice(key).expect("its length");
        let (sealing, opening) = (new_key(), new_key());
        Self {
            seal: each(move |packet| {
                let (text, tag) =
                    packet[AEAD_HEADER..].split_last_chunk_mut::<16>().expect("room for a tag");
                let nonce = NONCE.as_slice().try_into().expect("its length");
                let sealed = sealing.encrypt_inout_detached(nonce, &AAD, text.into());
                tag.copy_from_slice(&sealed.expect("short enough"));
            }),
            open: each(move |packet| {
                let (text, tag) =
                    packet[AEAD_HEADER..].split_last_chunk_mut::<16>().expect("room for a tag");
                let nonce = NONCE.as_slice().try_into().expect("its length");
                let tag = tag.as_slice().try_into().expect("its length");
                let opened = opening.decrypt_inout_detached(nonce, &AAD, text.into(), tag);
                opened.expect("it was sealed so");
            }),
        }
    }

    fn cbc_hmac<C>(key: &[u8], is_ring: bool, mac: MacAlgorithm, mac_key: &[u8]) -> Self
    where
        C: KeyInit + BlockCipherEncrypt + BlockCipherDecrypt + 'static,
    {
        let tag_len = mac.tag_len();
        let new_key = || C::new_from_slice(key).expect("its length");
        let (encrypting, decrypting) = (new_key(), new_key());
        let (signing, verifying) = (signer(is_ring, mac, mac_key), signer(is_ring, mac, mac_key));
        Self {
            seal: each(move |packet| {
                let at = packet.len() - tag_len;
                let (covered, icv) = packet.split_at_mut(at);
                let mut mode =
                    cbc::Encryptor::inner_iv_slice_init(&encrypting, &IV).expect("its length");
                let (blocks, _) = Block::<C>::slice_as_chunks_mut(&mut covered[CBC_HEADER..]);
                mode.encrypt_blocks_inout(InOutBuf::from(blocks));
                signing(covered, icv);
            }),
            open: each(move |packet| {
                let at = packet.len() - tag_len;
                let (covered, icv) = packet.split_at_mut(at);
                let mut expected = [0; 32];
                verifying(covered, &mut expected[..tag_len]);
                assert!(expected[..tag_len] == *icv, "it was sealed so");
                let mut mode =
                    cbc::Decryptor::inner_iv_slice_init(&decrypting, &IV).expect("its length");
                let (blocks, _) = Block::<C>::slice_as_chunks_mut(&mut covered[CBC_HEADER..]);
                mode.decrypt_blocks_inout(InOutBuf::from(blocks));
            }),
        }
    }
}

/// Does `one` to each packet of a batch.
fn each(one: impl Fn(&mut [u8]) + 'static) -> Batch {
    Box::new(move |packets| {
        for packet in packets.iter_mut() {
            one(packet);
        }
        packets.len()
    })
}

/// Writes the truncated HMAC over the first argument and the high half of the sequence number into the
/// second.
type Signer = Box<dyn Fn(&[u8], &mut [u8])>;

fn signer(is_ring: bool, mac: MacAlgorithm, key: &[u8]) -> Signer {
    match mac {
        MacAlgorithm::HmacSha2_256_128 if is_ring => ring_signer(ring::hmac::HMAC_SHA256, key),
        MacAlgorithm::HmacSha2_384_192 if is_ring => ring_signer(ring::hmac::HMAC_SHA384, key),
        MacAlgorithm::HmacSha2_512_256 if is_ring => ring_signer(ring::hmac::HMAC_SHA512, key),
        MacAlgorithm::HmacSha2_256_128 => rust_signer::<sha2::Sha256>(key),
        MacAlgorithm::HmacSha2_384_192 => rust_signer::<sha2::Sha384>(key),
        MacAlgorithm::HmacSha2_512_256 => rust_signer::<sha2::Sha512>(key),
        other => unimplemented_suite(&other),
    }
}

fn ring_signer(algorithm: ring::hmac::Algorithm, key: &[u8]) -> Signer {
    let key = ring::hmac::Key::new(algorithm, key);
    Box::new(move |covered, icv| {
        let mut context = ring::hmac::Context::with_key(&key);
        context.update(covered);
        context.update(&HIGH_SEQUENCE);
        icv.copy_from_slice(&context.sign().as_ref()[..icv.len()]);
    })
}

fn rust_signer<D: EagerHash + 'static>(key: &[u8]) -> Signer
where
    Hmac<D>: Mac + KeyInit + Clone,
{
    let start = <Hmac<D> as KeyInit>::new_from_slice(key).expect("HMAC takes every length");
    Box::new(move |covered, icv| {
        let mut mac = start.clone();
        mac.update(covered);
        mac.update(&HIGH_SEQUENCE);
        icv.copy_from_slice(&mac.finalize().into_bytes()[..icv.len()]);
    })
}

fn unimplemented_suite(what: &dyn std::fmt::Debug) -> ! {
    panic!("the report has no baseline for {what:?}")
}
