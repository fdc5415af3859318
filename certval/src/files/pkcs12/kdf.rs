//! Keys from passwords: PBKDF2 (RFC 8018 section 5.2) and the function of RFC 7292 appendix B.2.

use alloc::vec;
use alloc::vec::Vec;

use sha1::Sha1;
use sha1::digest::Digest;
use sha1::digest::block_api::BlockSizeUser;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::encryption::{Bytes, sequence};
use super::{Budget, Pkcs12Error};
use crate::format::algorithm::AlgorithmIdentifier;
use crate::format::der::{DerError, DerErrorKind, small_integer, tag};
use crate::format::oid;

/// `len` bytes for the purpose `id` from a password in UTF-16.
pub(super) fn pkcs12<D: Digest + BlockSizeUser>(
    password: &[u8],
    salt: &[u8],
    id: u8,
    iterations: u32,
    len: usize,
    budget: &Budget,
) -> Result<Bytes, Pkcs12Error> {
    let (u, v) = (<D as Digest>::output_size(), D::block_size());
    budget.spend_iterations(iterations, len.div_ceil(u))?;
    // Steps 1 to 4: whole blocks of salt and password.
    let repeat = |bytes: &[u8]| {
        let whole = bytes.len().next_multiple_of(v);
        Zeroizing::new(bytes.iter().copied().cycle().take(whole).collect::<Vec<u8>>())
    };
    let mut blocks = Zeroizing::new([&repeat(salt)[..], &repeat(password)].concat());
    let diversifier = vec![id; v];
    let mut out = Zeroizing::new(Vec::with_capacity(len.next_multiple_of(u)));
    loop {
        // Step 6 A.
        let mut a = D::new_with_prefix(&diversifier).chain_update(&*blocks).finalize();
        for _ in 1..iterations {
            a = D::digest(&a);
        }
        out.extend_from_slice(&a);
        if out.len() >= len {
            out.truncate(len);
            return Ok(out);
        }
        // Steps 6 B and C: I_j = (I_j + B + 1) mod 2^v.
        let b: Bytes = Zeroizing::new(a.iter().copied().cycle().take(v).collect());
        for block in blocks.chunks_mut(v) {
            let mut carry = 1;
            for (byte, add) in block.iter_mut().zip(&*b).rev() {
                carry += u16::from(*byte) + u16::from(*add);
                *byte = carry as u8;
                carry >>= 8;
            }
        }
    }
}

/// The HMACs that PBKDF2 and PBMAC1 are used with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Prf {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Unknown,
}

/// 1.2.840.113549.2.n (RFC 8018 appendix B.1).
const HMAC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2];

impl Prf {
    pub(super) fn of(id: &[u8]) -> Self {
        match id {
            [prefix @ .., hash] if prefix == HMAC => match hash {
                7 => Self::Sha1,
                8 => Self::Sha224,
                9 => Self::Sha256,
                10 => Self::Sha384,
                11 => Self::Sha512,
                _ => Self::Unknown,
            },
            _ => Self::Unknown,
        }
    }
}

/// `PBKDF2-params`: RFC 8018 appendix A.2.
pub(super) struct Pbkdf2<'a> {
    salt: &'a [u8],
    iterations: u32,
    pub(super) key_len: Option<u32>,
    prf: Prf,
    /// The OID of the PRF, or of the KDF if it is another one.
    id: &'a [u8],
}

/// Password, salt, rounds and where the key goes.
type Derive = fn(&[u8], &[u8], u32, &mut [u8]);

/// 1.2.840.113549.1.5.12.
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
/// hmacWithSHA1, the default.
const HMAC_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 7];

impl<'a> Pbkdf2<'a> {
    pub(super) fn read(algorithm: AlgorithmIdentifier<'a>) -> Result<Self, DerError> {
        let id = algorithm.oid;
        if id != PBKDF2 {
            return Ok(Self { salt: &[], iterations: 0, key_len: None, prf: Prf::Unknown, id });
        }
        let mut reader = sequence(algorithm.parameters)?;
        let salt = reader.read(tag::OCTET_STRING)?.bytes;
        let iterations = reader.integer()?;
        let at = iterations.error(DerErrorKind::Value);
        let iterations = small_integer(iterations)?;
        if iterations == 0 {
            return Err(at);
        }
        let key_len = reader.optional(tag::INTEGER)?.map(small_integer).transpose()?;
        let id = match reader.is_empty() {
            true => HMAC_SHA1,
            false => AlgorithmIdentifier::read(&mut reader)?.oid,
        };
        reader.finish()?;
        Ok(Self { salt, iterations, key_len, prf: Prf::of(id), id })
    }

    /// `len` bytes from a password in UTF-8.
    pub(super) fn derive(
        &self,
        password: &[u8],
        len: usize,
        budget: &Budget,
    ) -> Result<Bytes, Pkcs12Error> {
        let (derive, hash_len): (Derive, usize) = match self.prf {
            Prf::Sha1 => (pbkdf2::pbkdf2_hmac::<Sha1>, 20),
            Prf::Sha224 => (pbkdf2::pbkdf2_hmac::<Sha224>, 28),
            Prf::Sha256 => (pbkdf2::pbkdf2_hmac::<Sha256>, 32),
            Prf::Sha384 => (pbkdf2::pbkdf2_hmac::<Sha384>, 48),
            Prf::Sha512 => (pbkdf2::pbkdf2_hmac::<Sha512>, 64),
            Prf::Unknown => return Err(Pkcs12Error::Unsupported(oid::dotted(self.id))),
        };
        // Each round of HMAC hashes twice.
        budget.spend_iterations(self.iterations, 2 * len.div_ceil(hash_len))?;
        let mut key = Zeroizing::new(vec![0; len]);
        derive(password, self.salt, self.iterations, &mut key);
        Ok(key)
    }
}
