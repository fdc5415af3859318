//! Signature algorithms: from `AlgorithmIdentifier` to a scheme that the provider can verify
//! (RFC 3279, RFC 4055, RFC 5480, RFC 5758, RFC 8410), and which of them policy allows.

use alloc::vec::Vec;

use adit_platform::Provider;
use adit_platform::signature::SignatureScheme;

use crate::certificate::Spki;
use crate::der::{DerError, Field, Reader, Tlv, tag};
use crate::encode;
use crate::error::Reason;
use crate::oid;

/// Which algorithms may sign certificates, CRLs and OCSP responses.
///
/// The default allows whatever the provider can verify, with RSA keys of at least 2048 bits and without
/// SHA-1.
///
/// ```
/// use adit_certval::AlgorithmPolicy;
///
/// let strict = AlgorithmPolicy { min_rsa_bits: 3072, ..AlgorithmPolicy::default() };
/// assert!(!strict.allow_sha1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AlgorithmPolicy {
    /// The smallest RSA modulus, in bits, of any key in a path. The provider may have a floor of its own.
    pub min_rsa_bits: usize,
    /// Whether SHA-1 may serve in signatures. It is broken for this purpose since 2017.
    pub allow_sha1: bool,
}

impl Default for AlgorithmPolicy {
    fn default() -> Self {
        Self { min_rsa_bits: 2048, allow_sha1: false }
    }
}

/// An `AlgorithmIdentifier`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AlgorithmIdentifier<'a> {
    pub(crate) der: Field<'a>,
    pub(crate) oid: &'a [u8],
    pub(crate) parameters: Option<Tlv<'a>>,
}

impl PartialEq for AlgorithmIdentifier<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.der.bytes == other.der.bytes
    }
}

impl Eq for AlgorithmIdentifier<'_> {}

impl<'a> AlgorithmIdentifier<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DerError> {
        let whole = reader.element(tag::SEQUENCE)?;
        let mut inner = whole.content.reader();
        let oid = inner.oid()?;
        let parameters = if inner.is_empty() { None } else { Some(inner.any()?) };
        inner.finish()?;
        Ok(Self { der: whole.whole, oid, parameters })
    }

    /// RFC 4055 section 5: RSA algorithms carry NULL, and its absence is to be accepted.
    fn null_or_absent(&self) -> bool {
        self.parameters.is_none_or(|p| p.tag == 0x05 && p.content.bytes.is_empty())
    }
}

/// Verifies `signature` over `message` under `key`, if policy and provider allow it.
pub(crate) fn verify(
    provider: &Provider,
    policy: AlgorithmPolicy,
    algorithm: AlgorithmIdentifier<'_>,
    key: Spki<'_>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Reason> {
    let scheme = scheme(algorithm, key.algorithm)?;
    if scheme == SignatureScheme::RsaPkcs1Sha1 && !policy.allow_sha1 {
        return Err(Reason::WeakAlgorithm);
    }
    check_key(policy, key)?;
    let verifier = provider.verifier(scheme).ok_or(Reason::UnsupportedAlgorithm)?;
    verifier.verify(key.key, message, signature).map_err(|_| Reason::BadSignature)
}

/// Refuses RSA keys that are shorter than policy demands and EC keys without a named curve (RFC 5480 section
/// 2.1.1).
pub(crate) fn check_key(policy: AlgorithmPolicy, key: Spki<'_>) -> Result<(), Reason> {
    if key.algorithm.oid == oid::EC_PUBLIC_KEY {
        let named = key.algorithm.parameters.is_some_and(|parameters| parameters.tag == tag::OID);
        return if named { Ok(()) } else { Err(Reason::UnsupportedAlgorithm) };
    }
    if !is_rsa(key.algorithm) {
        return Ok(());
    }
    match rsa_bits(key.key) {
        Some(bits) if bits >= policy.min_rsa_bits => Ok(()),
        Some(_) => Err(Reason::WeakKey),
        None => Err(Reason::UnsupportedAlgorithm),
    }
}

fn is_rsa(algorithm: AlgorithmIdentifier<'_>) -> bool {
    algorithm.oid == oid::RSA_ENCRYPTION || algorithm.oid == oid::RSASSA_PSS
}

/// Bits in the modulus of an `RSAPublicKey` (RFC 8017 appendix A.1.1).
fn rsa_bits(key: &[u8]) -> Option<usize> {
    let modulus = Reader::new(key).sequence().ok()?.integer().ok()?.bytes;
    match modulus {
        [0, rest @ ..] | rest => {
            rest.first().map(|&top| rest.len() * 8 - top.leading_zeros() as usize)
        }
    }
}

/// The scheme of an algorithm under a kind of key. The ECDSA algorithms do not name the curve: the key does.
fn scheme(
    algorithm: AlgorithmIdentifier<'_>,
    key: AlgorithmIdentifier<'_>,
) -> Result<SignatureScheme, Reason> {
    use SignatureScheme as S;
    let rsa = |scheme| {
        let fits = key.oid == oid::RSA_ENCRYPTION && algorithm.null_or_absent();
        if fits { Ok(scheme) } else { Err(Reason::UnsupportedAlgorithm) }
    };
    let ecdsa = |p256, p384| {
        let curve = key.parameters.filter(|p| p.tag == tag::OID).map(|p| p.content.bytes);
        match curve {
            _ if key.oid != oid::EC_PUBLIC_KEY || algorithm.parameters.is_some() => {
                Err(Reason::UnsupportedAlgorithm)
            }
            Some(oid::P256) => Ok(p256),
            Some(oid::P384) => Ok(p384),
            _ => Err(Reason::UnsupportedAlgorithm),
        }
    };
    match algorithm.oid {
        oid::SHA256_WITH_RSA => rsa(S::RsaPkcs1Sha256),
        oid::SHA384_WITH_RSA => rsa(S::RsaPkcs1Sha384),
        oid::SHA512_WITH_RSA => rsa(S::RsaPkcs1Sha512),
        oid::SHA1_WITH_RSA => rsa(S::RsaPkcs1Sha1),
        oid::ECDSA_SHA256 => ecdsa(S::EcdsaP256Sha256, S::EcdsaP384Sha256),
        oid::ECDSA_SHA384 => ecdsa(S::EcdsaP256Sha384, S::EcdsaP384Sha384),
        oid::ECDSA_SHA512 => ecdsa(S::EcdsaP256Sha512, S::EcdsaP384Sha512),
        oid::ED25519 if key.oid == oid::ED25519 && algorithm.parameters.is_none() => Ok(S::Ed25519),
        oid::RSASSA_PSS if is_rsa(key) => {
            let scheme = algorithm.parameters.and_then(|p| pss(p).ok().flatten());
            scheme.ok_or(Reason::UnsupportedAlgorithm)
        }
        _ => Err(Reason::UnsupportedAlgorithm),
    }
}

/// The `AlgorithmIdentifier` of a scheme; `None` for PSS, whose parameters nobody writes for requests, and for
/// what policy would refuse anyway.
pub(crate) fn identifier(scheme: SignatureScheme) -> Option<Vec<u8>> {
    use SignatureScheme as S;
    const NULL: &[u8] = &[5, 0];
    let (id, parameters): (&[u8], &[u8]) = match scheme {
        S::RsaPkcs1Sha256 => (oid::SHA256_WITH_RSA, NULL),
        S::RsaPkcs1Sha384 => (oid::SHA384_WITH_RSA, NULL),
        S::RsaPkcs1Sha512 => (oid::SHA512_WITH_RSA, NULL),
        S::EcdsaP256Sha256 | S::EcdsaP384Sha256 => (oid::ECDSA_SHA256, &[]),
        S::EcdsaP256Sha384 | S::EcdsaP384Sha384 => (oid::ECDSA_SHA384, &[]),
        S::EcdsaP256Sha512 | S::EcdsaP384Sha512 => (oid::ECDSA_SHA512, &[]),
        S::Ed25519 => (oid::ED25519, &[]),
        _ => return None,
    };
    Some(encode::sequence(&[&encode::oid(id), parameters]))
}

/// `RSASSA-PSS-params` (RFC 4055 section 3.1), if they are those of a scheme: MGF1 with the same hash and a
/// salt as long as the hash.
fn pss(parameters: Tlv<'_>) -> Result<Option<SignatureScheme>, DerError> {
    let mut outer = parameters.whole.reader();
    let mut reader = outer.sequence()?;
    let mut explicit = |n| -> Result<Option<Reader<'_>>, DerError> {
        Ok(reader.optional(tag::constructed(n))?.map(Field::reader))
    };
    let (hash, mgf, salt, trailer) = (explicit(0)?, explicit(1)?, explicit(2)?, explicit(3)?);
    reader.finish()?;
    // The defaults are SHA-1 with a salt of 20 bytes, which no scheme has. A trailer field other than the
    // default does not exist.
    let (Some(mut hash), Some(mut mgf), Some(mut salt), None) = (hash, mgf, salt, trailer) else {
        return Ok(None);
    };
    let hash = AlgorithmIdentifier::read(&mut hash)?;
    let mgf = AlgorithmIdentifier::read(&mut mgf)?;
    let salt = salt.integer()?.bytes;
    let Some(mgf_hash) = mgf.parameters.filter(|_| mgf.oid == oid::MGF1) else { return Ok(None) };
    let mgf_hash = AlgorithmIdentifier::read(&mut mgf_hash.whole.reader())?;
    if mgf_hash.oid != hash.oid || !hash.null_or_absent() || !mgf_hash.null_or_absent() {
        return Ok(None);
    }
    Ok(match (hash.oid, salt) {
        (oid::SHA256, [32]) => Some(SignatureScheme::RsaPssSha256),
        (oid::SHA384, [48]) => Some(SignatureScheme::RsaPssSha384),
        (oid::SHA512, [64]) => Some(SignatureScheme::RsaPssSha512),
        _ => None,
    })
}
