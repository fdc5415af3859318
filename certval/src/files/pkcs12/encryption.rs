//! Decryption with keys made from a password: PBES2 (RFC 8018 section 6.2) and the schemes of RFC 7292 appendix C.

use alloc::vec::Vec;

use cbc::cipher::{
    BlockCipherDecrypt, BlockModeDecrypt, BlockSizeUser, InnerIvInit, KeyInit, block_padding::Pkcs7,
};
use des::{TdesEde2, TdesEde3};
use rc2::Rc2;
use sha1::Sha1;
use zeroize::Zeroizing;

use super::kdf::{self, Pbkdf2};
use super::{Budget, Pkcs12Error, in_layer};
use crate::format::algorithm::AlgorithmIdentifier;
use crate::format::der::{DerError, Field, Reader, Tlv, small_integer, tag};
use crate::format::oid;

/// A password in the two forms in which it is used.
pub(super) struct Password {
    /// UTF-8, for PBKDF2.
    pub(super) utf8: Bytes,
    /// UTF-16, big-endian, with a terminating zero, for the KDF of RFC 7292 appendix B.
    pub(super) bmp: Bytes,
}

impl Password {
    /// Tries `open` with the password. An empty one is met in two forms, with the terminating zero and without.
    pub(super) fn try_forms<T>(
        password: &str,
        open: impl Fn(&Self) -> Result<T, Pkcs12Error>,
    ) -> Result<T, Pkcs12Error> {
        let utf8 = Zeroizing::new(password.as_bytes().to_vec());
        // UTF-16 has at most as many units as UTF-8 has bytes.
        let mut bmp = Zeroizing::new(Vec::with_capacity(2 * password.len() + 2));
        for unit in password.encode_utf16().chain([0]) {
            bmp.extend_from_slice(&unit.to_be_bytes());
        }
        let mut form = Self { utf8, bmp };
        match open(&form) {
            Err(Pkcs12Error::WrongPassword) if password.is_empty() => {
                form.bmp.clear();
                open(&form)
            }
            result => result,
        }
    }
}

/// Bytes that are wiped on drop.
pub(super) type Bytes = Zeroizing<Vec<u8>>;

/// 1.2.840.113549.1.12.1.n.
const PKCS12_PBE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1];
const SHA1_3DES: u8 = 3;
const SHA1_2DES: u8 = 4;
const SHA1_RC2_128: u8 = 5;
const SHA1_RC2_40: u8 = 6;

/// 1.2.840.113549.1.5.13.
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
const AES_128_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2];
const AES_192_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22];
const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42];
const DES_EDE3_CBC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7];

const LAYER: &str = "encryptionAlgorithm";

/// Decrypts what is a SEQUENCE, in DER or BER.
pub(super) fn decrypt(
    algorithm: AlgorithmIdentifier<'_>,
    data: Vec<u8>,
    password: &Password,
    budget: &Budget,
) -> Result<Bytes, Pkcs12Error> {
    let unsupported = || Pkcs12Error::Unsupported(oid::dotted(algorithm.oid));
    let parameters = algorithm.parameters;
    let plain = match algorithm.oid {
        PBES2 => {
            let scheme = Pbes2::read(parameters).map_err(in_layer(LAYER))?;
            scheme.decrypt(data, password, budget)?
        }
        [prefix @ .., scheme] if prefix == PKCS12_PBE => {
            let pbe = Pbe::read(parameters).map_err(in_layer(LAYER))?;
            let iv = |key_len: usize| pbe.key_and_iv(key_len, password, budget);
            match *scheme {
                SHA1_3DES => {
                    let (key, iv) = iv(24)?;
                    cbc_decrypt(TdesEde3::new_from_slice(&key).ok(), &iv, data)
                }
                SHA1_2DES => {
                    let (key, iv) = iv(16)?;
                    cbc_decrypt(TdesEde2::new_from_slice(&key).ok(), &iv, data)
                }
                SHA1_RC2_128 => {
                    let (key, iv) = iv(16)?;
                    cbc_decrypt(Some(Rc2::new_with_eff_key_len(&key, 128)), &iv, data)
                }
                SHA1_RC2_40 => {
                    let (key, iv) = iv(5)?;
                    cbc_decrypt(Some(Rc2::new_with_eff_key_len(&key, 40)), &iv, data)
                }
                _ => return Err(unsupported()),
            }
        }
        _ => return Err(unsupported()),
    };
    // A wrong key leaves noise: one time in 256 it ends like a padding, and then it begins like a SEQUENCE one
    // time in 256 again.
    let plain = plain.ok_or(Pkcs12Error::WrongPassword)?;
    if plain.first() == Some(&tag::SEQUENCE) { Ok(plain) } else { Err(Pkcs12Error::WrongPassword) }
}

/// The parameters of the old schemes: salt and iterations.
struct Pbe<'a> {
    salt: &'a [u8],
    iterations: u32,
}

impl<'a> Pbe<'a> {
    fn read(parameters: Option<Tlv<'a>>) -> Result<Self, DerError> {
        let mut reader = sequence(parameters)?;
        let salt = reader.read(tag::OCTET_STRING)?.bytes;
        let iterations = small_integer(reader.integer()?)?;
        reader.finish()?;
        Ok(Self { salt, iterations })
    }

    /// RFC 7292 appendix B.3: the key has the identifier 1, the IV 2.
    fn key_and_iv(
        &self,
        key_len: usize,
        password: &Password,
        budget: &Budget,
    ) -> Result<(Bytes, Bytes), Pkcs12Error> {
        let derive = |id, len| {
            kdf::pkcs12::<Sha1>(&password.bmp, self.salt, id, self.iterations, len, budget)
        };
        Ok((derive(1, key_len)?, derive(2, 8)?))
    }
}

/// `PBES2-params`: RFC 8018 appendix A.4.
struct Pbes2<'a> {
    kdf: Pbkdf2<'a>,
    scheme: &'a [u8],
    iv: &'a [u8],
}

impl<'a> Pbes2<'a> {
    fn read(parameters: Option<Tlv<'a>>) -> Result<Self, DerError> {
        let mut reader = sequence(parameters)?;
        let kdf = Pbkdf2::read(AlgorithmIdentifier::read(&mut reader)?)?;
        let encryption = AlgorithmIdentifier::read(&mut reader)?;
        reader.finish()?;
        // Of the ciphers that are supported, the parameters are the IV.
        let iv = encryption.parameters.filter(|p| p.tag == tag::OCTET_STRING);
        let iv = iv.map_or(&[][..], |p| p.content.bytes);
        Ok(Self { kdf, scheme: encryption.oid, iv })
    }

    fn decrypt(
        &self,
        data: Vec<u8>,
        password: &Password,
        budget: &Budget,
    ) -> Result<Option<Bytes>, Pkcs12Error> {
        let key = |len| self.kdf.derive(&password.utf8, len, budget);
        Ok(match self.scheme {
            AES_128_CBC => cbc_decrypt(aes::Aes128::new_from_slice(&key(16)?).ok(), self.iv, data),
            AES_192_CBC => cbc_decrypt(aes::Aes192::new_from_slice(&key(24)?).ok(), self.iv, data),
            AES_256_CBC => cbc_decrypt(aes::Aes256::new_from_slice(&key(32)?).ok(), self.iv, data),
            DES_EDE3_CBC => cbc_decrypt(TdesEde3::new_from_slice(&key(24)?).ok(), self.iv, data),
            unknown => return Err(Pkcs12Error::Unsupported(oid::dotted(unknown))),
        })
    }
}

/// A reader over parameters that must be a SEQUENCE.
pub(super) fn sequence<'a>(parameters: Option<Tlv<'a>>) -> Result<Reader<'a>, DerError> {
    let whole = parameters.map_or(Field::default(), |parameters| parameters.whole);
    whole.reader().sequence()
}

/// Decrypts in CBC mode and takes off the padding (RFC 8018 section 6.1.1); `None` if anything does not fit.
fn cbc_decrypt<C: BlockCipherDecrypt + BlockSizeUser>(
    cipher: Option<C>,
    iv: &[u8],
    data: Vec<u8>,
) -> Option<Bytes> {
    let mode = cbc::Decryptor::inner_iv_slice_init(cipher?, iv).ok()?;
    let mut data = Zeroizing::new(data);
    let len = mode.decrypt_padded::<Pkcs7>(&mut data).ok()?.len();
    data.truncate(len);
    Some(data)
}
