//! AES in CBC: RFC 3602.

use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;

use aes::{Aes128, Aes192, Aes256};
use cipher::inout::InOutBuf;
use cipher::{
    Block, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
    KeyInit,
};

use crate::aead::InvalidKeyLength;
use crate::cipher::{Cipher, CipherAlgorithm, CipherError, CipherKey};

/// CBC with the block cipher `A`.
pub(crate) struct AesCbc<A>(CipherAlgorithm, PhantomData<fn() -> A>);

pub(crate) static AES_128_CBC: AesCbc<Aes128> = AesCbc(CipherAlgorithm::Aes128Cbc, PhantomData);
pub(crate) static AES_192_CBC: AesCbc<Aes192> = AesCbc(CipherAlgorithm::Aes192Cbc, PhantomData);
pub(crate) static AES_256_CBC: AesCbc<Aes256> = AesCbc(CipherAlgorithm::Aes256Cbc, PhantomData);

impl<A> fmt::Debug for AesCbc<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AesCbc").field(&self.0).finish()
    }
}

impl<A> Cipher for AesCbc<A>
where
    A: KeyInit + BlockCipherEncrypt + BlockCipherDecrypt + Send + Sync + 'static,
{
    fn algorithm(&self) -> CipherAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn CipherKey>, InvalidKeyLength> {
        match A::new_from_slice(key) {
            Ok(schedule) => Ok(Box::new(Key(schedule))),
            Err(_) => Err(InvalidKeyLength { expected: self.0.key_len(), given: key.len() }),
        }
    }
}

/// An expanded key schedule. The `aes` crate wipes it on drop (its feature `zeroize`).
struct Key<A>(A);

impl<A> CipherKey for Key<A>
where
    A: BlockCipherEncrypt + BlockCipherDecrypt + Send + Sync,
{
    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CipherError> {
        let mut mode = cbc::Encryptor::inner_iv_slice_init(&self.0, iv).map_err(|_| CipherError)?;
        let (blocks, rest) = Block::<A>::slice_as_chunks_mut(data);
        if !rest.is_empty() {
            return Err(CipherError);
        }
        mode.encrypt_blocks_inout(InOutBuf::from(blocks));
        Ok(())
    }

    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CipherError> {
        let mut mode = cbc::Decryptor::inner_iv_slice_init(&self.0, iv).map_err(|_| CipherError)?;
        let (blocks, rest) = Block::<A>::slice_as_chunks_mut(data);
        if !rest.is_empty() {
            return Err(CipherError);
        }
        mode.decrypt_blocks_inout(InOutBuf::from(blocks));
        Ok(())
    }
}
