//! Signature algorithms: from `AlgorithmIdentifier` to a scheme that the provider can verify
//! (RFC 3279, RFC 4055, RFC 5480, RFC 5758, RFC 8410, RFC 9881), which of them policy allows, and algorithms that
//! the host brings.

use alloc::vec::Vec;
use core::fmt;

use adit_platform::signature::{InvalidSignature, SignatureScheme};

use crate::error::Reason;
use crate::format::certificate::Spki;
use crate::format::der::{DerError, DerErrorKind, Field, Reader, Tlv, small_integer, tag};
use crate::format::encode;
use crate::format::oid;
use crate::verifier::Verifier;

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
        self.parameters.is_none_or(|p| p.tag == tag::NULL && p.content.bytes.is_empty())
    }
}

/// A signature algorithm that the host brings, for certificates, CRLs and OCSP responses signed with something
/// that no [`Provider`](adit_platform::Provider) knows; see [`Verifier::add_algorithm`].
///
/// ```
/// use adit_certval::{SignatureAlgorithm, SignedBytes, Verifier};
/// use adit_platform::signature::InvalidSignature;
///
/// /// DSA with SHA-1 (RFC 3279 section 2.2.2).
/// #[derive(Debug)]
/// struct Dsa;
///
/// impl SignatureAlgorithm for Dsa {
///     fn signature_oid(&self) -> &[u8] {
///         &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3]
///     }
///     fn key_oid(&self) -> &[u8] {
///         &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1]
///     }
///     fn verify(&self, signed: &SignedBytes<'_>) -> Result<(), InvalidSignature> {
///         let domain = signed.key_parameters.ok_or(InvalidSignature)?;
///         my_library_verifies(domain, signed.key, signed.message, signed.signature)
///     }
/// }
/// # fn my_library_verifies(_: &[u8], _: &[u8], _: &[u8], _: &[u8]) -> Result<(), InvalidSignature> {
/// #     Err(InvalidSignature)
/// # }
///
/// # fn example(verifier: &mut Verifier) {
/// verifier.add_algorithm(&Dsa);
/// # }
/// ```
pub trait SignatureAlgorithm: Send + Sync + fmt::Debug {
    /// The content of the object identifier in `signatureAlgorithm`.
    fn signature_oid(&self) -> &[u8];

    /// The content of the object identifier of the keys that sign so, in their `SubjectPublicKeyInfo`.
    ///
    /// A key of this kind without parameters has those of its issuer's key, if that is of the same kind
    /// (RFC 5280 section 6.1.4 (d) to (f)). Only a path settles which those are: OCSP responses, which come without
    /// one, verify with keys that have parameters of their own.
    fn key_oid(&self) -> &[u8];

    /// Verifies a signature. All of `signed` is what a stranger sent.
    ///
    /// # Errors
    /// If it is not valid, or key or parameters are malformed.
    fn verify(&self, signed: &SignedBytes<'_>) -> Result<(), InvalidSignature>;
}

/// What a [`SignatureAlgorithm`] has to judge.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SignedBytes<'a> {
    /// The parameters of the signature's `AlgorithmIdentifier` in DER, if there are any.
    pub signature_parameters: Option<&'a [u8]>,
    /// The parameters of the key in DER: its own or, where it has none, those of its issuer.
    pub key_parameters: Option<&'a [u8]>,
    /// The content of the `subjectPublicKey` BIT STRING.
    pub key: &'a [u8],
    /// What was signed.
    pub message: &'a [u8],
    /// The content of the signature's BIT STRING.
    pub signature: &'a [u8],
}

/// Verifies `signature` over `message` under `key`, if policy allows it and the provider or the host knows how.
pub(crate) fn verify(
    verifier: &Verifier,
    algorithm: AlgorithmIdentifier<'_>,
    key: Spki<'_>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Reason> {
    let known = scheme(algorithm, key.algorithm)
        .and_then(|scheme| verifier.provider.verifier(scheme).ok_or(Reason::UnsupportedAlgorithm));
    let result = match known {
        Ok(known) => {
            let sha1 = [SignatureScheme::RsaPkcs1Sha1, SignatureScheme::RsaPssSha1];
            if sha1.contains(&known.scheme()) && !verifier.algorithms.allow_sha1 {
                return Err(Reason::WeakAlgorithm);
            }
            check_key(verifier.algorithms, key)?;
            known.verify(key.key, message, signature)
        }
        Err(reason) => {
            let plugged = verifier.plugged.iter().find(|plugged| {
                plugged.signature_oid() == algorithm.oid && plugged.key_oid() == key.algorithm.oid
            });
            plugged.ok_or(reason)?.verify(&SignedBytes {
                signature_parameters: algorithm.parameters.map(|p| p.whole.bytes),
                key_parameters: own_parameters(key).or(key.inherited),
                key: key.key,
                message,
                signature,
            })
        }
    };
    result.map_err(|InvalidSignature| Reason::BadSignature)
}

/// The key of a certificate as it serves to verify: of an algorithm of the host's, parameters that are absent or
/// NULL are those of the issuer's key, if that is of the same algorithm.
//= RFC 5280 section 6.1.4 (d) to (f)
pub(crate) fn working_key<'a>(verifier: &Verifier, own: Spki<'a>, issuer: Spki<'a>) -> Spki<'a> {
    let same = own.algorithm.oid == issuer.algorithm.oid;
    if !same || !inherits(verifier, own) {
        return own;
    }
    Spki { inherited: own_parameters(issuer).or(issuer.inherited), ..own }
}

/// Whether what the key signed can be verified with its issuer's parameters only.
pub(crate) fn inherits(verifier: &Verifier, key: Spki<'_>) -> bool {
    !verifier.plugged.is_empty()
        && own_parameters(key).is_none()
        && verifier.plugged.iter().any(|plugged| plugged.key_oid() == key.algorithm.oid)
}

/// A key's parameters in DER unless they are absent or NULL.
pub(crate) fn own_parameters(key: Spki<'_>) -> Option<&[u8]> {
    key.algorithm.parameters.filter(|p| p.tag != tag::NULL).map(|p| p.whole.bytes)
}

/// The largest RSA modulus, in bits: as large as the providers verify.
const MAX_RSA_BITS: usize = 8192;

/// Refuses RSA keys that are shorter than policy demands or too long, and EC keys without a named curve (RFC 5480
/// section 2.1.1).
pub(crate) fn check_key(policy: AlgorithmPolicy, key: Spki<'_>) -> Result<(), Reason> {
    if key.algorithm.oid == oid::EC_PUBLIC_KEY {
        let named = key.algorithm.parameters.is_some_and(|parameters| parameters.tag == tag::OID);
        return if named { Ok(()) } else { Err(Reason::UnsupportedAlgorithm) };
    }
    if !is_rsa(key.algorithm) {
        return Ok(());
    }
    match rsa_bits(key.key) {
        Some(bits) if bits > MAX_RSA_BITS => Err(Reason::OversizedKey),
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
    let ecdsa = |p256, p384, p521| {
        let curve = key.parameters.filter(|p| p.tag == tag::OID).map(|p| p.content.bytes);
        match curve {
            _ if key.oid != oid::EC_PUBLIC_KEY || algorithm.parameters.is_some() => {
                Err(Reason::UnsupportedAlgorithm)
            }
            Some(oid::P256) => Ok(p256),
            Some(oid::P384) => Ok(p384),
            Some(oid::P521) => Ok(p521),
            _ => Err(Reason::UnsupportedAlgorithm),
        }
    };
    // One identifier for keys and signatures, without parameters: RFC 8410 section 3, RFC 9881 section 2.
    let bare = |scheme| {
        let fits = key == algorithm && algorithm.parameters.is_none();
        if fits { Ok(scheme) } else { Err(Reason::UnsupportedAlgorithm) }
    };
    match algorithm.oid {
        oid::SHA256_WITH_RSA => rsa(S::RsaPkcs1Sha256),
        oid::SHA384_WITH_RSA => rsa(S::RsaPkcs1Sha384),
        oid::SHA512_WITH_RSA => rsa(S::RsaPkcs1Sha512),
        oid::SHA1_WITH_RSA => rsa(S::RsaPkcs1Sha1),
        oid::ECDSA_SHA256 => ecdsa(S::EcdsaP256Sha256, S::EcdsaP384Sha256, S::EcdsaP521Sha256),
        oid::ECDSA_SHA384 => ecdsa(S::EcdsaP256Sha384, S::EcdsaP384Sha384, S::EcdsaP521Sha384),
        oid::ECDSA_SHA512 => ecdsa(S::EcdsaP256Sha512, S::EcdsaP384Sha512, S::EcdsaP521Sha512),
        oid::ED25519 => bare(S::Ed25519),
        oid::ML_DSA_44 => bare(S::MlDsa44),
        oid::ML_DSA_65 => bare(S::MlDsa65),
        oid::ML_DSA_87 => bare(S::MlDsa87),
        oid::RSASSA_PSS if is_rsa(key) => {
            let parameters = algorithm.parameters.and_then(|p| PssParameters::read(p).ok());
            let parameters = parameters.filter(|p| p.allowed_by(key));
            parameters.and_then(PssParameters::scheme).ok_or(Reason::UnsupportedAlgorithm)
        }
        _ => Err(Reason::UnsupportedAlgorithm),
    }
}

/// The `AlgorithmIdentifier` of a scheme; `None` for those with SHA-1, which policy would refuse anyway.
pub(crate) fn identifier(scheme: SignatureScheme) -> Option<Vec<u8>> {
    use SignatureScheme as S;
    const NULL: &[u8] = &[5, 0];
    let (id, parameters): (&[u8], &[u8]) = match scheme {
        S::RsaPkcs1Sha256 => (oid::SHA256_WITH_RSA, NULL),
        S::RsaPkcs1Sha384 => (oid::SHA384_WITH_RSA, NULL),
        S::RsaPkcs1Sha512 => (oid::SHA512_WITH_RSA, NULL),
        S::EcdsaP256Sha256 | S::EcdsaP384Sha256 | S::EcdsaP521Sha256 => (oid::ECDSA_SHA256, &[]),
        S::EcdsaP256Sha384 | S::EcdsaP384Sha384 | S::EcdsaP521Sha384 => (oid::ECDSA_SHA384, &[]),
        S::EcdsaP256Sha512 | S::EcdsaP384Sha512 | S::EcdsaP521Sha512 => (oid::ECDSA_SHA512, &[]),
        S::Ed25519 => (oid::ED25519, &[]),
        S::MlDsa44 => (oid::ML_DSA_44, &[]),
        S::MlDsa65 => (oid::ML_DSA_65, &[]),
        S::MlDsa87 => (oid::ML_DSA_87, &[]),
        S::RsaPssSha256 => return Some(pss_identifier(oid::SHA256, 32)),
        S::RsaPssSha384 => return Some(pss_identifier(oid::SHA384, 48)),
        S::RsaPssSha512 => return Some(pss_identifier(oid::SHA512, 64)),
        _ => return None,
    };
    Some(encode::sequence(&[&encode::oid(id), parameters]))
}

/// RFC 4055 section 3.1, with NULL for the parameters of the hash, which all implementations take.
fn pss_identifier(hash: &[u8], salt: u8) -> Vec<u8> {
    let hash = encode::sequence(&[&encode::oid(hash), &[tag::NULL, 0]]);
    let mgf = encode::sequence(&[&encode::oid(oid::MGF1), &hash]);
    let parameters = encode::sequence(&[
        &encode::tlv(tag::constructed(0), &[&hash]),
        &encode::tlv(tag::constructed(1), &[&mgf]),
        &encode::tlv(tag::constructed(2), &[&[tag::INTEGER, 1, salt]]),
    ]);
    encode::sequence(&[&encode::oid(oid::RSASSA_PSS), &parameters])
}

/// `RSASSA-PSS-params` (RFC 4055 section 3.1), of a signature or of a key.
#[derive(Clone, Copy)]
struct PssParameters<'a> {
    hash: &'a [u8],
    mgf_hash: &'a [u8],
    salt: u32,
}

impl<'a> PssParameters<'a> {
    fn read(parameters: Tlv<'a>) -> Result<Self, DerError> {
        let mut outer = parameters.whole.reader();
        let mut reader = outer.sequence()?;
        let mut read = Self { hash: oid::SHA1, mgf_hash: oid::SHA1, salt: 20 };
        if let Some(hash) = reader.optional(tag::constructed(0))? {
            read.hash = hash_function(hash)?;
        }
        if let Some(mgf) = reader.optional(tag::constructed(1))? {
            let id = AlgorithmIdentifier::read(&mut mgf.reader())?;
            let unknown = mgf.error(DerErrorKind::Value);
            let function = id.parameters.filter(|_| id.oid == oid::MGF1).ok_or(unknown)?;
            read.mgf_hash = hash_function(function.whole)?;
        }
        if let Some(salt) = reader.optional(tag::constructed(2))? {
            let mut inner = salt.reader();
            read.salt = small_integer(inner.integer()?)?;
            inner.finish()?;
        }
        // The only value that exists is the default, which DER leaves out but RFC 7427 appendix A.4.3 has.
        if let Some(trailer) = reader.optional(tag::constructed(3))?
            && trailer.bytes != [tag::INTEGER, 1, 1]
        {
            return Err(trailer.error(DerErrorKind::Value));
        }
        reader.finish()?;
        Ok(read)
    }

    /// MGF1 with the same hash and a salt as long as the hash.
    fn scheme(self) -> Option<SignatureScheme> {
        match (self.hash, self.salt) {
            _ if self.hash != self.mgf_hash => None,
            (oid::SHA1, 20) => Some(SignatureScheme::RsaPssSha1),
            (oid::SHA256, 32) => Some(SignatureScheme::RsaPssSha256),
            (oid::SHA384, 48) => Some(SignatureScheme::RsaPssSha384),
            (oid::SHA512, 64) => Some(SignatureScheme::RsaPssSha512),
            _ => None,
        }
    }

    /// RFC 4055 section 3.3: parameters of the key, if it has any, bind all that it signs; its salt length is the
    /// least.
    fn allowed_by(self, key: AlgorithmIdentifier<'_>) -> bool {
        let Some(bound) = key.parameters.filter(|_| key.oid == oid::RSASSA_PSS) else {
            return true;
        };
        PssParameters::read(bound).is_ok_and(|bound| {
            self.hash == bound.hash && self.mgf_hash == bound.mgf_hash && self.salt >= bound.salt
        })
    }
}

/// The hash function of an `AlgorithmIdentifier`, whose parameters are NULL or absent (RFC 4055 section 2.1).
fn hash_function(field: Field<'_>) -> Result<&[u8], DerError> {
    let mut reader = field.reader();
    let id = AlgorithmIdentifier::read(&mut reader)?;
    reader.finish()?;
    if id.null_or_absent() { Ok(id.oid) } else { Err(field.error(DerErrorKind::Value)) }
}
