//! Integrity algorithms made of AES: AES-XCBC-96 (RFC 3566) and AES-CMAC-96 (RFC 4494).

use alloc::boxed::Box;

use aes::Aes128;
use cipher::{Block, BlockCipherEncrypt, KeyInit};
use cmac::{Cmac, Mac as _};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::aead::InvalidKeyLength;
use crate::mac::{Mac, MacAlgorithm, MacError, MacKey};

/// AES-CMAC with a key of 128 bits, cut to 96 bits.
#[derive(Debug)]
pub(crate) struct AesCmac96;

impl Mac for AesCmac96 {
    fn algorithm(&self) -> MacAlgorithm {
        MacAlgorithm::AesCmac96
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn MacKey>, InvalidKeyLength> {
        match Cmac::new_from_slice(key) {
            Ok(key) => Ok(Box::new(CmacKey(key))),
            Err(_) => Err(InvalidKeyLength { expected: 16, given: key.len() }),
        }
    }
}

/// An expanded key, wiped on drop by the `cmac` and `aes` crates (their feature `zeroize`).
struct CmacKey(Cmac<Aes128>);

impl FullTag for CmacKey {
    fn full_tag(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// AES-XCBC-MAC, cut to 96 bits.
#[derive(Debug)]
pub(crate) struct AesXcbc96;

impl Mac for AesXcbc96 {
    fn algorithm(&self) -> MacAlgorithm {
        MacAlgorithm::AesXcbc96
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn MacKey>, InvalidKeyLength> {
        let cipher = Aes128::new_from_slice(key)
            .map_err(|_| InvalidKeyLength { expected: 16, given: key.len() })?;
        //= RFC 3566 section 4, step 1: three keys out of one.
        let derive = |byte| {
            let mut block = Block::<Aes128>::from([byte; 16]);
            cipher.encrypt_block(&mut block);
            Zeroizing::new(block.into())
        };
        let first: Zeroizing<[u8; 16]> = derive(1);
        let block_key = Aes128::new(&(*first).into());
        Ok(Box::new(XcbcKey { cipher: block_key, whole: derive(2), padded: derive(3) }))
    }
}

/// The three keys of RFC 3566 section 4.
struct XcbcKey {
    /// K1. The `aes` crate wipes its schedule on drop (its feature `zeroize`).
    cipher: Aes128,
    /// K2, for a last block that is whole.
    whole: Zeroizing<[u8; 16]>,
    /// K3, for a last block that is padded.
    padded: Zeroizing<[u8; 16]>,
}

impl FullTag for XcbcKey {
    fn full_tag(&self, parts: &[&[u8]]) -> [u8; 16] {
        // The block chain, into which `used` bytes of the next block went. A full block waits for the
        // byte that follows it: the last one is treated in its own way.
        let mut chain = Block::<Aes128>::default();
        let mut used = 0;
        for part in parts {
            let mut rest = *part;
            while !rest.is_empty() {
                if used == 16 {
                    self.cipher.encrypt_block(&mut chain);
                    used = 0;
                }
                let (now, later) = rest.split_at(rest.len().min(16 - used));
                xor(&mut chain[used..], now);
                used += now.len();
                rest = later;
            }
        }
        //= RFC 3566 section 4, step 4: the last block.
        if used == 16 {
            xor(&mut chain, &*self.whole);
        } else {
            chain[used] ^= 0x80;
            xor(&mut chain, &*self.padded);
        }
        self.cipher.encrypt_block(&mut chain);
        chain.into()
    }
}

fn xor(target: &mut [u8], with: &[u8]) {
    for (byte, with) in target.iter_mut().zip(with) {
        *byte ^= with;
    }
}

/// A MAC of 16 bytes, of which 12 are used: RFC 3566 section 4.3, RFC 4494 section 3.
trait FullTag: Send + Sync {
    fn full_tag(&self, parts: &[&[u8]]) -> [u8; 16];
}

impl<K: FullTag> MacKey for K {
    fn sign(&self, parts: &[&[u8]], tag: &mut [u8]) -> Result<(), MacError> {
        let room: &mut [u8; 12] = tag.try_into().map_err(|_| MacError)?;
        let mut full = self.full_tag(parts);
        room.copy_from_slice(&full[..12]);
        full.zeroize();
        Ok(())
    }

    fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), MacError> {
        let mut full = self.full_tag(parts);
        let equal = full[..12].ct_eq(tag).into();
        full.zeroize();
        if equal { Ok(()) } else { Err(MacError) }
    }
}
