//! AES in CBC: RFC 3602.

use alloc::boxed::Box;

use aes::{Aes128, Aes256};
use cipher::inout::InOutBuf;
use cipher::{
    Block, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit,
    KeyInit,
};

use crate::aead::InvalidKeyLength;
use crate::cipher::{Cipher, CipherAlgorithm, CipherError, CipherKey};

/// AES-CBC with a key of the length that the name says.
#[derive(Debug)]
pub(crate) struct AesCbc(pub(crate) CipherAlgorithm);

impl Cipher for AesCbc {
    fn algorithm(&self) -> CipherAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn CipherKey>, InvalidKeyLength> {
        match self.0 {
            CipherAlgorithm::Aes128Cbc => prepare::<Aes128>(key, self.0),
            CipherAlgorithm::Aes256Cbc => prepare::<Aes256>(key, self.0),
        }
    }
}

fn prepare<A>(
    key: &[u8],
    algorithm: CipherAlgorithm,
) -> Result<Box<dyn CipherKey>, InvalidKeyLength>
where
    A: KeyInit + BlockCipherEncrypt + BlockCipherDecrypt + Send + Sync + 'static,
{
    match A::new_from_slice(key) {
        Ok(schedule) => Ok(Box::new(Key(schedule))),
        Err(_) => Err(InvalidKeyLength { expected: algorithm.key_len(), given: key.len() }),
    }
}

/// An expanded key schedule. The `aes` crate wipes it on drop (its feature `zeroize`).
struct Key<A>(A);

impl<A> CipherKey for Key<A>
where
    A: BlockCipherEncrypt + BlockCipherDecrypt + Send + Sync,
{
    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CipherError> {
        let mode = cbc::Encryptor::inner_iv_slice_init(&self.0, iv).map_err(|_| CipherError)?;
        let (blocks, rest) = Block::<A>::slice_as_chunks_mut(data);
        if !rest.is_empty() {
            return Err(CipherError);
        }
        let mut mode = mode;
        mode.encrypt_blocks_inout(InOutBuf::from(blocks));
        Ok(())
    }

    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CipherError> {
        let mode = cbc::Decryptor::inner_iv_slice_init(&self.0, iv).map_err(|_| CipherError)?;
        let (blocks, rest) = Block::<A>::slice_as_chunks_mut(data);
        if !rest.is_empty() {
            return Err(CipherError);
        }
        let mut mode = mode;
        mode.decrypt_blocks_inout(InOutBuf::from(blocks));
        Ok(())
    }
}
