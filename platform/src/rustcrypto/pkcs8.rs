//! Reads private keys: PKCS#8 (RFC 5958) around RSA, EC, Ed25519 and ML-DSA keys.

use der::Decode;
use der::asn1::{ObjectIdentifier, OctetStringRef};
use pkcs8::PrivateKeyInfoRef;
use zeroize::Zeroizing;

use super::MlDsaKey;
use crate::signature::{KeyError, SignatureScheme, SigningKey};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const SECP521R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
const ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");

/// What an RSA key can sign with, the preferred first. SHA-1 comes last; callers take it only where
/// their policy says so.
const RSA_SCHEMES: &[SignatureScheme] = &[
    SignatureScheme::RsaPssSha256,
    SignatureScheme::RsaPssSha384,
    SignatureScheme::RsaPssSha512,
    SignatureScheme::RsaPkcs1Sha256,
    SignatureScheme::RsaPkcs1Sha384,
    SignatureScheme::RsaPkcs1Sha512,
    SignatureScheme::RsaPkcs1Sha1,
];

/// What a key of type id-RSASSA-PSS can sign with: RFC 4055 section 1.2.
const RSA_PSS_SCHEMES: &[SignatureScheme] =
    &[SignatureScheme::RsaPssSha256, SignatureScheme::RsaPssSha384, SignatureScheme::RsaPssSha512];

/// A private key as it stands in a file.
pub(crate) enum PrivateKey<'a> {
    /// An `RSAPrivateKey` structure, and what its key type allows it to sign with.
    Rsa(&'a [u8], &'static [SignatureScheme]),
    /// A key on P-256.
    P256(p256::SecretKey),
    /// A key on P-384.
    P384(p384::SecretKey),
    /// A key on P-521.
    P521(p521::SecretKey),
    /// The seed of an Ed25519 key, and the public key where the file has one.
    Ed25519(Zeroizing<[u8; 32]>, Option<&'a [u8]>),
    /// An ML-DSA key, made of its seed.
    MlDsa(MlDsaKey),
}

/// Reads an unencrypted `PrivateKeyInfo` or `OneAsymmetricKey`.
pub(crate) fn read(der: &[u8]) -> Result<PrivateKey<'_>, KeyError> {
    let info = PrivateKeyInfoRef::from_der(der).map_err(|_| KeyError::Malformed)?;
    let inner = info.private_key.as_bytes();
    match info.algorithm.oid {
        RSA_ENCRYPTION => Ok(PrivateKey::Rsa(inner, RSA_SCHEMES)),
        // Parameters would restrict the key to one hash and salt; such keys are not met in practice.
        RSASSA_PSS if info.algorithm.parameters.is_some() => Err(KeyError::Unsupported),
        RSASSA_PSS => Ok(PrivateKey::Rsa(inner, RSA_PSS_SCHEMES)),
        EC_PUBLIC_KEY => match info.algorithm.parameters_oid() {
            // The curves' crates check an included public key and compute an absent one.
            Ok(SECP256R1) => p256::SecretKey::try_from(info)
                .map(PrivateKey::P256)
                .map_err(|_| KeyError::Malformed),
            Ok(SECP384R1) => p384::SecretKey::try_from(info)
                .map(PrivateKey::P384)
                .map_err(|_| KeyError::Malformed),
            Ok(SECP521R1) => p521::SecretKey::try_from(info)
                .map(PrivateKey::P521)
                .map_err(|_| KeyError::Malformed),
            Ok(_) => Err(KeyError::Unsupported),
            Err(_) => Err(KeyError::Malformed),
        },
        ED25519 => {
            //= RFC 8410 section 7: the seed is an OCTET STRING within the OCTET STRING.
            let seed = <&OctetStringRef>::from_der(inner).map_err(|_| KeyError::Malformed)?;
            let seed = seed.as_bytes().try_into().map_err(|_| KeyError::Malformed)?;
            Ok(PrivateKey::Ed25519(Zeroizing::new(seed), public_key(&info)?))
        }
        oid @ (ML_DSA_44 | ML_DSA_65 | ML_DSA_87) => {
            //= RFC 9881 section 2: the parameters MUST be absent.
            if info.algorithm.parameters.is_some() {
                return Err(KeyError::Malformed);
            }
            let scheme = match oid {
                ML_DSA_44 => SignatureScheme::MlDsa44,
                ML_DSA_65 => SignatureScheme::MlDsa65,
                _ => SignatureScheme::MlDsa87,
            };
            let key = MlDsaKey::from_private_key(scheme, inner)?;
            match public_key(&info)? {
                Some(public) if public != key.public_key() => Err(KeyError::Malformed),
                _ => Ok(PrivateKey::MlDsa(key)),
            }
        }
        _ => Err(KeyError::Unsupported),
    }
}

/// The public key that a `OneAsymmetricKey` may hold beside the private one.
fn public_key<'a>(info: &PrivateKeyInfoRef<'a>) -> Result<Option<&'a [u8]>, KeyError> {
    match info.public_key {
        Some(bits) => bits.as_bytes().map(Some).ok_or(KeyError::Malformed),
        None => Ok(None),
    }
}
