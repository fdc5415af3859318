//! The MAC over a file: RFC 7292 section 4 and appendix B.4, PBMAC1 by RFC 9579.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::encryption::{Bytes, Password, sequence};
use super::kdf::{self, Pbkdf2, Prf};
use super::{Budget, Pkcs12Error, in_layer};
use crate::format::algorithm::AlgorithmIdentifier;
use crate::format::der::{DerError, DerErrorKind, Field, small_integer, tag};
use crate::format::oid;

/// 1.2.840.113549.1.5.14.
const PBMAC1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 14];
const SHA224: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 4];

/// Checks the `MacData` whose content is `mac` over `content`.
pub(super) fn check(
    mac: Field<'_>,
    content: &[u8],
    password: &Password,
    budget: &Budget,
) -> Result<(), Pkcs12Error> {
    let malformed = in_layer("PFX");
    let data = MacData::read(mac).map_err(&malformed)?;
    let unsupported = |id| Pkcs12Error::Unsupported(oid::dotted(id));
    let id = data.algorithm.oid;
    let (prf, key) = if id == PBMAC1 {
        let (prf_id, kdf) = pbmac1(data.algorithm).map_err(&malformed)?;
        let prf = Prf::of(prf_id);
        if prf == Prf::Unknown {
            return Err(unsupported(prf_id));
        }
        //= RFC 9579 section 4: the keyLength MUST be there.
        let len = kdf.key_len.and_then(|len| usize::try_from(len).ok());
        let len = len.filter(|len| (1..=MAX_KEY_LEN).contains(len));
        let len = len.ok_or(malformed(mac.error(DerErrorKind::Value)))?;
        (prf, kdf.derive(&password.utf8, len, budget)?)
    } else {
        let (prf, derive, len): (_, Derive, _) = match id {
            oid::SHA1 => (Prf::Sha1, kdf::pkcs12::<Sha1>, 20),
            SHA224 => (Prf::Sha224, kdf::pkcs12::<Sha224>, 28),
            oid::SHA256 => (Prf::Sha256, kdf::pkcs12::<Sha256>, 32),
            oid::SHA384 => (Prf::Sha384, kdf::pkcs12::<Sha384>, 48),
            oid::SHA512 => (Prf::Sha512, kdf::pkcs12::<Sha512>, 64),
            _ => return Err(unsupported(id)),
        };
        // Appendix B.3: MAC keys have the identifier 3.
        (prf, derive(&password.bmp, data.salt, 3, data.iterations, len, budget)?)
    };
    let fits = match prf {
        Prf::Sha1 => verify::<Hmac<Sha1>>(&key, content, data.value),
        Prf::Sha224 => verify::<Hmac<Sha224>>(&key, content, data.value),
        Prf::Sha256 => verify::<Hmac<Sha256>>(&key, content, data.value),
        Prf::Sha384 => verify::<Hmac<Sha384>>(&key, content, data.value),
        Prf::Sha512 => verify::<Hmac<Sha512>>(&key, content, data.value),
        Prf::Unknown => false,
    };
    if fits { Ok(()) } else { Err(Pkcs12Error::WrongPassword) }
}

/// Longer than any HMAC key of use: that of SHA-512 is 64 bytes.
const MAX_KEY_LEN: usize = 1024;

type Derive = fn(&[u8], &[u8], u8, u32, usize, &Budget) -> Result<Bytes, Pkcs12Error>;

/// Compares in constant time.
fn verify<M: Mac + KeyInit>(key: &[u8], content: &[u8], value: &[u8]) -> bool {
    <M as KeyInit>::new_from_slice(key)
        .is_ok_and(|mac| mac.chain_update(content).verify_slice(value).is_ok())
}

/// `MacData`: RFC 7292 section 4.
struct MacData<'a> {
    algorithm: AlgorithmIdentifier<'a>,
    value: &'a [u8],
    salt: &'a [u8],
    iterations: u32,
}

impl<'a> MacData<'a> {
    fn read(field: Field<'a>) -> Result<Self, DerError> {
        let mut reader = field.reader();
        let mut digest = reader.sequence()?;
        let algorithm = AlgorithmIdentifier::read(&mut digest)?;
        let value = digest.read(tag::OCTET_STRING)?.bytes;
        digest.finish()?;
        let salt = reader.read(tag::OCTET_STRING)?.bytes;
        let iterations = reader.optional(tag::INTEGER)?.map(small_integer).transpose()?;
        reader.finish()?;
        Ok(Self { algorithm, value, salt, iterations: iterations.unwrap_or(1) })
    }
}

/// `PBMAC1-params`: RFC 8018 appendix A.5. Gives the OID of the HMAC and how its key is made.
fn pbmac1<'a>(algorithm: AlgorithmIdentifier<'a>) -> Result<(&'a [u8], Pbkdf2<'a>), DerError> {
    let mut reader = sequence(algorithm.parameters)?;
    let kdf = Pbkdf2::read(AlgorithmIdentifier::read(&mut reader)?)?;
    let scheme = AlgorithmIdentifier::read(&mut reader)?;
    reader.finish()?;
    Ok((scheme.oid, kdf))
}
