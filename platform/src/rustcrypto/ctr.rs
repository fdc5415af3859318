//! AES in counter mode: RFC 3686.

use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;

use aes::{Aes128, Aes192, Aes256};
use cipher::consts::U16;
use cipher::{Block, BlockCipherEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipher};
use ctr::{Ctr32BE, CtrCore};
use zeroize::Zeroizing;

use crate::aead::InvalidKeyLength;
use crate::cipher::{Cipher, CipherAlgorithm, CipherError, CipherKey};

/// Counter mode with the block cipher `A`.
pub(crate) struct AesCtr<A>(CipherAlgorithm, PhantomData<fn() -> A>);

pub(crate) static AES_128_CTR: AesCtr<Aes128> = AesCtr(CipherAlgorithm::Aes128Ctr, PhantomData);
pub(crate) static AES_192_CTR: AesCtr<Aes192> = AesCtr(CipherAlgorithm::Aes192Ctr, PhantomData);
pub(crate) static AES_256_CTR: AesCtr<Aes256> = AesCtr(CipherAlgorithm::Aes256Ctr, PhantomData);

impl<A> fmt::Debug for AesCtr<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AesCtr").field(&self.0).finish()
    }
}

impl<A> Cipher for AesCtr<A>
where
    A: KeyInit + BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + Send + Sync + 'static,
{
    fn algorithm(&self) -> CipherAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn CipherKey>, InvalidKeyLength> {
        let wrong = InvalidKeyLength { expected: self.0.key_len(), given: key.len() };
        //= RFC 3686 section 5.1: the nonce is the last four bytes of the keying material.
        let (key, nonce) = key.split_last_chunk().ok_or(wrong)?;
        let cipher = A::new_from_slice(key).map_err(|_| wrong)?;
        Ok(Box::new(Key { cipher, nonce: Zeroizing::new(*nonce) }))
    }
}

/// An expanded key schedule, wiped on drop by the `aes` crate (its feature `zeroize`), and the nonce.
struct Key<A> {
    cipher: A,
    nonce: Zeroizing<[u8; 4]>,
}

impl<A> CipherKey for Key<A>
where
    A: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + Send + Sync,
{
    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CipherError> {
        let iv: &[u8; 8] = iv.try_into().map_err(|_| CipherError)?;
        //= RFC 3686 section 4: nonce, IV, and a block counter that begins with one.
        let mut counter = Block::<A>::default();
        counter[..4].copy_from_slice(&*self.nonce);
        counter[4..12].copy_from_slice(iv);
        counter[15] = 1;
        let mut keystream = Ctr32BE::from_core(CtrCore::inner_iv_init(&self.cipher, &counter));
        keystream.try_apply_keystream(data).map_err(|_| CipherError)
    }

    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CipherError> {
        self.encrypt(iv, data)
    }
}
