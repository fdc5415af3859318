//! What RustCrypto's AES-GCM lacks, of the same parts: a tag of 8 bytes (RFC 4106 section 6), and GMAC over
//! a text that stays readable (RFC 4543).

use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;

use aes::{Aes128, Aes192, Aes256};
use cipher::consts::U16;
use cipher::{Block, BlockCipherEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipher};
use ctr::{Ctr32BE, CtrCore};
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::aead::{Aead, AeadAlgorithm, AeadError, AeadKey, InvalidKeyLength};

/// GCM with a tag of any length, or GMAC, with the block cipher `A`.
pub(crate) struct OwnGcm<A>(AeadAlgorithm, PhantomData<fn() -> A>);

pub(crate) static AES_128_GCM_8: OwnGcm<Aes128> = OwnGcm(AeadAlgorithm::Aes128Gcm8, PhantomData);
pub(crate) static AES_192_GCM_8: OwnGcm<Aes192> = OwnGcm(AeadAlgorithm::Aes192Gcm8, PhantomData);
pub(crate) static AES_256_GCM_8: OwnGcm<Aes256> = OwnGcm(AeadAlgorithm::Aes256Gcm8, PhantomData);
pub(crate) static AES_128_GMAC: OwnGcm<Aes128> = OwnGcm(AeadAlgorithm::Aes128Gmac, PhantomData);
pub(crate) static AES_192_GMAC: OwnGcm<Aes192> = OwnGcm(AeadAlgorithm::Aes192Gmac, PhantomData);
pub(crate) static AES_256_GMAC: OwnGcm<Aes256> = OwnGcm(AeadAlgorithm::Aes256Gmac, PhantomData);

impl<A> fmt::Debug for OwnGcm<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OwnGcm").field(&self.0).finish()
    }
}

impl<A> Aead for OwnGcm<A>
where
    A: KeyInit + BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + Send + Sync + 'static,
{
    fn algorithm(&self) -> AeadAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKeyLength> {
        let cipher = A::new_from_slice(key)
            .map_err(|_| InvalidKeyLength { expected: self.0.key_len(), given: key.len() })?;
        let mut hash_key = Block::<A>::default();
        cipher.encrypt_block(&mut hash_key);
        let hash = GHash::new(&hash_key);
        hash_key.as_mut_slice().zeroize();
        Ok(Box::new(Key { cipher, hash, algorithm: self.0 }))
    }
}

/// An expanded key and the powers of the hash key, wiped on drop by the crates that made them (their
/// feature `zeroize`).
struct Key<A> {
    cipher: A,
    hash: GHash,
    algorithm: AeadAlgorithm,
}

/// The longest text in bytes, NIST SP 800-38D section 5.2.1.1: the counter has 32 bits, and two of its
/// values are not for text.
const MAX_TEXT: u64 = ((1 << 32) - 2) * 16;

impl<A> AeadKey for Key<A>
where
    A: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + Send + Sync,
{
    fn seal(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, room) = self.split_tag(in_out)?;
        let mut mask = Block::<A>::default();
        let mut keystream = self.keystream(nonce, &mut mask)?;
        if self.algorithm.encrypts() {
            keystream.try_apply_keystream(text).map_err(|_| AeadError)?;
        }
        let tag = self.tag(aad, text, &mask);
        room.copy_from_slice(tag.get(..room.len()).ok_or(AeadError)?);
        Ok(())
    }

    fn seal_to(
        &self,
        nonce: &[u8],
        aad: &[u8],
        text: &[u8],
        in_out: &mut [u8],
    ) -> Result<(), AeadError> {
        let (sealed, room) = self.split_tag(in_out)?;
        let (front, rest) = sealed.split_at_mut_checked(text.len()).ok_or(AeadError)?;
        let mut mask = Block::<A>::default();
        let mut keystream = self.keystream(nonce, &mut mask)?;
        if self.algorithm.encrypts() {
            keystream.try_apply_keystream_b2b(text, front).map_err(|_| AeadError)?;
            keystream.try_apply_keystream(rest).map_err(|_| AeadError)?;
        } else {
            front.copy_from_slice(text);
        }
        let tag = self.tag(aad, sealed, &mask);
        room.copy_from_slice(tag.get(..room.len()).ok_or(AeadError)?);
        Ok(())
    }

    fn open(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, given) = self.split_tag(in_out)?;
        let mut mask = Block::<A>::default();
        let mut keystream = self.keystream(nonce, &mut mask)?;
        let tag = self.tag(aad, text, &mask);
        if !bool::from(tag.get(..given.len()).ok_or(AeadError)?.ct_eq(given)) {
            return Err(AeadError);
        }
        if self.algorithm.encrypts() {
            keystream.try_apply_keystream(text).map_err(|_| AeadError)?;
        }
        Ok(())
    }
}

impl<A> Key<A>
where
    A: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    fn split_tag<'a>(
        &self,
        in_out: &'a mut [u8],
    ) -> Result<(&'a mut [u8], &'a mut [u8]), AeadError> {
        let text = in_out.len().checked_sub(self.algorithm.tag_len()).ok_or(AeadError)?;
        if text as u64 > MAX_TEXT {
            return Err(AeadError);
        }
        in_out.split_at_mut_checked(text).ok_or(AeadError)
    }

    /// The key stream of a packet, the first block of it, which masks the tag, taken off.
    fn keystream(&self, nonce: &[u8], mask: &mut Block<A>) -> Result<Ctr32BE<&A>, AeadError> {
        let mut counter = Block::<A>::default();
        let (front, number) = counter.split_last_chunk_mut::<4>().ok_or(AeadError)?;
        if nonce.len() != front.len() {
            return Err(AeadError);
        }
        front.copy_from_slice(nonce);
        *number = 1_u32.to_be_bytes();
        let mut keystream = Ctr32BE::from_core(CtrCore::inner_iv_init(&self.cipher, &counter));
        keystream.try_apply_keystream(mask).map_err(|_| AeadError)?;
        Ok(keystream)
    }

    /// The whole tag over `aad` and `text`, which is what is on the wire.
    fn tag(&self, aad: &[u8], text: &[u8], mask: &Block<A>) -> Block<A> {
        let mut hash = self.hash.clone();
        let (aad_len, text_len) = if self.algorithm.encrypts() {
            hash.update_padded(aad);
            hash.update_padded(text);
            (aad.len(), text.len())
        } else {
            update_joined(&mut hash, aad, text);
            (aad.len() + text.len(), 0)
        };
        let mut lengths = ghash::Block::default();
        lengths[..8].copy_from_slice(&(aad_len as u64 * 8).to_be_bytes());
        lengths[8..].copy_from_slice(&(text_len as u64 * 8).to_be_bytes());
        hash.update(&[lengths]);
        let mut tag = hash.finalize();
        for (byte, mask) in tag.iter_mut().zip(mask) {
            *byte ^= mask;
        }
        tag
    }
}

/// Hashes `front` and `back` as if they were one, padded once.
fn update_joined(hash: &mut GHash, front: &[u8], back: &[u8]) {
    let (whole, rest) = front.split_at(front.len() & !15);
    hash.update_padded(whole);
    let (filling, back) = back.split_at(back.len().min((16 - rest.len()) & 15));
    let mut block = [0; 16];
    let (start, end) = block.split_at_mut(rest.len());
    start.copy_from_slice(rest);
    end[..filling.len()].copy_from_slice(filling);
    hash.update_padded(&block[..rest.len() + filling.len()]);
    hash.update_padded(back);
}
