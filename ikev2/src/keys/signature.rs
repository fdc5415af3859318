//! Signatures in AUTH: RFC 7427 (method 14), RFC 4754 (9 to 11) and RSA by RFC 7296 section 3.8 (1).

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use adit_platform::Provider;
use adit_platform::signature::SignatureScheme;
use der::asn1::{BitStringRef, UintRef};
use der::{Decode, Encode, Reader, SliceReader};
use spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};

use crate::wire::{AuthMethod, Authentication, SignatureHash};

/// A signature in AUTH was not accepted, or cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SignatureError {
    /// The AUTH data is malformed.
    Malformed,
    /// The method or algorithm is not one that we accept.
    UnacceptableAlgorithm,
    /// The peer's key is not of a kind that fits the algorithm, or is malformed.
    UnsuitableKey,
    /// The signature does not verify.
    Invalid,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed AUTH data",
            Self::UnacceptableAlgorithm => "signature algorithm not accepted",
            Self::UnsuitableKey => "the public key does not fit the signature algorithm",
            Self::Invalid => "the AUTH signature does not verify",
        })
    }
}

impl core::error::Error for SignatureError {}

/// Checks an AUTH payload that holds a signature over `octets` by the key in `spki`, a DER
/// SubjectPublicKeyInfo, and says which scheme it was. `acceptable` lists the schemes that policy allows.
pub(crate) fn verify(
    provider: &Provider,
    auth: &Authentication<'_>,
    spki: &[u8],
    octets: &[u8],
    acceptable: &[SignatureScheme],
) -> Result<SignatureScheme, SignatureError> {
    let (kind, key) = public_key(spki)?;
    let (candidates, signature) = candidates(auth)?;
    let mut result = Err(SignatureError::UnacceptableAlgorithm);
    for scheme in candidates {
        if !acceptable.contains(&scheme) {
            continue;
        }
        if KeyKind::of(scheme) != kind {
            // A curve that the key is not on says nothing if another one fits.
            result = result.map_err(|error| match error {
                SignatureError::Invalid => error,
                _ => SignatureError::UnsuitableKey,
            });
            continue;
        }
        let Some(verifier) = provider.verifier(scheme) else { continue };
        match verifier.verify(&key, octets, &signature) {
            Ok(()) => return Ok(scheme),
            Err(_) => result = Err(SignatureError::Invalid),
        }
    }
    result
}

/// The schemes that `auth` may have been made with, and the signature in its DER form if it is ECDSA.
///
/// Methods 1 and 14 leave something open: the hash of RSA is inside the signature, and the curve of ECDSA
/// is in the key.
fn candidates<'a>(
    auth: &'a Authentication<'_>,
) -> Result<(Vec<SignatureScheme>, Cow<'a, [u8]>), SignatureError> {
    use SignatureScheme as S;
    let data = &*auth.data;
    match auth.method {
        AuthMethod::RSA_SIGNATURE => Ok((
            [S::RsaPkcs1Sha256, S::RsaPkcs1Sha384, S::RsaPkcs1Sha512, S::RsaPkcs1Sha1].into(),
            Cow::Borrowed(data),
        )),
        AuthMethod::ECDSA_SHA256_P256 => {
            Ok(([S::EcdsaP256Sha256].into(), Cow::Owned(ecdsa_to_der(data, 32)?)))
        }
        AuthMethod::ECDSA_SHA384_P384 => {
            Ok(([S::EcdsaP384Sha384].into(), Cow::Owned(ecdsa_to_der(data, 48)?)))
        }
        AuthMethod::ECDSA_SHA512_P521 => {
            Ok(([S::EcdsaP521Sha512].into(), Cow::Owned(ecdsa_to_der(data, 66)?)))
        }
        AuthMethod::DIGITAL_SIGNATURE => {
            //= RFC 7427 section 3: the Signature Value is prefixed with a length octet and the ASN.1
            //= object of that length that identifies the algorithm.
            let (len, rest) = data.split_first().ok_or(SignatureError::Malformed)?;
            let (identifier, signature) =
                rest.split_at_checked(usize::from(*len)).ok_or(SignatureError::Malformed)?;
            let schemes = SCHEMES.iter().copied().filter(|s| identifies(identifier, *s)).collect();
            Ok((schemes, Cow::Borrowed(signature)))
        }
        _ => Err(SignatureError::UnacceptableAlgorithm),
    }
}

/// The AUTH payload for a `signature` that was made with `scheme` (ECDSA in its DER form).
///
/// `digital_signature` says whether the peer announced RFC 7427 with SIGNATURE_HASH_ALGORITHMS.
///
/// # Errors
/// If the scheme has no method of its own in RFC 7296 or RFC 4754 and the peer knows no other, or it is
/// the one with SHA-1, which method 14 is not used for.
pub(crate) fn authentication(
    scheme: SignatureScheme,
    signature: &[u8],
    digital_signature: bool,
) -> Result<Authentication<'static>, SignatureError> {
    use SignatureScheme as S;
    let (method, data) = if digital_signature {
        let known = SCHEMES.contains(&scheme).then(|| identifier(scheme, true, false)).flatten();
        let identifier = known.ok_or(SignatureError::UnacceptableAlgorithm)?;
        let len = u8::try_from(identifier.len()).map_err(|_| SignatureError::Malformed)?;
        (AuthMethod::DIGITAL_SIGNATURE, [&[len][..], &identifier, signature].concat())
    } else {
        match scheme {
            S::RsaPkcs1Sha1 | S::RsaPkcs1Sha256 | S::RsaPkcs1Sha384 | S::RsaPkcs1Sha512 => {
                (AuthMethod::RSA_SIGNATURE, signature.into())
            }
            S::EcdsaP256Sha256 => (AuthMethod::ECDSA_SHA256_P256, ecdsa_from_der(signature, 32)?),
            S::EcdsaP384Sha384 => (AuthMethod::ECDSA_SHA384_P384, ecdsa_from_der(signature, 48)?),
            S::EcdsaP521Sha512 => (AuthMethod::ECDSA_SHA512_P521, ecdsa_from_der(signature, 66)?),
            _ => return Err(SignatureError::UnacceptableAlgorithm),
        }
    };
    Ok(Authentication { method, data: Cow::Owned(data) })
}

/// Of our `schemes`, those that the peer can verify. `peer_hashes` is what its SIGNATURE_HASH_ALGORITHMS
/// listed, or nothing if it sent none: then only the methods of RFC 7296 and RFC 4754 are left.
//= RFC 7427 section 4
pub(crate) fn usable_schemes(
    schemes: &[SignatureScheme],
    peer_hashes: Option<&[SignatureHash]>,
) -> Vec<SignatureScheme> {
    use SignatureScheme as S;
    let usable = |scheme: &SignatureScheme| match peer_hashes {
        Some(hashes) => hash_of(*scheme).is_some_and(|hash| hashes.contains(&hash)),
        //= RFC 7296 section 3.8: implementations SHOULD use SHA-1 as the default hash with method 1.
        None => matches!(
            scheme,
            S::RsaPkcs1Sha1 | S::EcdsaP256Sha256 | S::EcdsaP384Sha384 | S::EcdsaP521Sha512
        ),
    };
    schemes.iter().copied().filter(usable).collect()
}

/// The data of the SIGNATURE_HASH_ALGORITHMS notification that says we verify these schemes.
pub(crate) fn signature_hashes(acceptable: &[SignatureScheme]) -> Vec<u8> {
    let mut hashes: Vec<u16> =
        acceptable.iter().filter_map(|s| hash_of(*s)).map(|hash| hash.0).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes.into_iter().flat_map(u16::to_be_bytes).collect()
}

/// Reads the data of a SIGNATURE_HASH_ALGORITHMS notification; a trailing odd octet is ignored.
pub(crate) fn parse_signature_hashes(data: &[u8]) -> Vec<SignatureHash> {
    let pairs = data.chunks_exact(2).map(|pair| match pair {
        [high, low] => SignatureHash(u16::from_be_bytes([*high, *low])),
        _ => SignatureHash(0),
    });
    pairs.take(MAX_SIGNATURE_HASHES).collect()
}

/// The registry has five values; a peer that sends more than this many sends noise.
const MAX_SIGNATURE_HASHES: usize = 32;

/// The hash that RFC 7427 section 4 or RFC 8420 has announced for a scheme. SHA-1 is never announced, so
/// schemes that use it serve only the legacy method.
fn hash_of(scheme: SignatureScheme) -> Option<SignatureHash> {
    use SignatureScheme as S;
    Some(match scheme {
        S::RsaPkcs1Sha256
        | S::RsaPssSha256
        | S::EcdsaP256Sha256
        | S::EcdsaP384Sha256
        | S::EcdsaP521Sha256 => SignatureHash::SHA2_256,
        S::RsaPkcs1Sha384
        | S::RsaPssSha384
        | S::EcdsaP256Sha384
        | S::EcdsaP384Sha384
        | S::EcdsaP521Sha384 => SignatureHash::SHA2_384,
        S::RsaPkcs1Sha512
        | S::RsaPssSha512
        | S::EcdsaP256Sha512
        | S::EcdsaP384Sha512
        | S::EcdsaP521Sha512 => SignatureHash::SHA2_512,
        // Both sign the message and not a digest of it.
        S::Ed25519 | S::MlDsa44 | S::MlDsa65 | S::MlDsa87 => SignatureHash::IDENTITY,
        _ => return None,
    })
}

/// Every scheme that method 14 can name here.
const SCHEMES: [SignatureScheme; 19] = [
    SignatureScheme::Ed25519,
    SignatureScheme::EcdsaP256Sha256,
    SignatureScheme::EcdsaP256Sha384,
    SignatureScheme::EcdsaP256Sha512,
    SignatureScheme::EcdsaP384Sha256,
    SignatureScheme::EcdsaP384Sha384,
    SignatureScheme::EcdsaP384Sha512,
    SignatureScheme::EcdsaP521Sha256,
    SignatureScheme::EcdsaP521Sha384,
    SignatureScheme::EcdsaP521Sha512,
    SignatureScheme::MlDsa44,
    SignatureScheme::MlDsa65,
    SignatureScheme::MlDsa87,
    SignatureScheme::RsaPssSha256,
    SignatureScheme::RsaPssSha384,
    SignatureScheme::RsaPssSha512,
    SignatureScheme::RsaPkcs1Sha256,
    SignatureScheme::RsaPkcs1Sha384,
    SignatureScheme::RsaPkcs1Sha512,
];

/// True if these octets are an AlgorithmIdentifier of `scheme`. Those of RSASSA-PSS are met in several
/// forms: RFC 4055 section 2.1 has parameters of hashes NULL or absent, and the default trailer field,
/// which DER leaves out, is there in the example of RFC 7427 appendix A.4.3.
fn identifies(octets: &[u8], scheme: SignatureScheme) -> bool {
    [(true, false), (true, true), (false, false), (false, true)]
        .iter()
        .any(|(null, trailer)| identifier(scheme, *null, *trailer).as_deref() == Some(octets))
}

/// The AlgorithmIdentifier of a scheme in DER: RFC 7427 appendix A, RFC 8420 section 3, RFC 9881 section 2. For RSASSA-PSS,
/// `null` says whether the hashes have NULL parameters and `trailer` whether the trailer field is there.
fn identifier(scheme: SignatureScheme, null: bool, trailer: bool) -> Option<Vec<u8>> {
    use SignatureScheme as S;
    const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA_SHA2: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    const SHA2: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
    const NIST_SIGNATURES: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03];
    const NULL: [u8; 2] = [0x05, 0x00];
    let rsa = |last| tlv(0x06, &[&RSA[..], &[last]].concat());
    let pkcs1 = |last| tlv(0x30, &[&rsa(last)[..], &NULL].concat());
    let ecdsa = |last| tlv(0x30, &tlv(0x06, &[&ECDSA_SHA2[..], &[last]].concat()));
    let ml_dsa = |last| tlv(0x30, &tlv(0x06, &[&NIST_SIGNATURES[..], &[last]].concat()));
    let pss = |hash, salt| {
        let oid = tlv(0x06, &[&SHA2[..], &[hash]].concat());
        let hash = tlv(0x30, &[&oid[..], if null { &NULL } else { &[] }].concat());
        let mgf1 = tlv(0x30, &[&rsa(8)[..], &hash].concat());
        let salt = [0x02, 0x01, salt];
        let trailer: &[u8] = if trailer { &[0xa3, 0x03, 0x02, 0x01, 0x01] } else { &[] };
        let params = [&tlv(0xa0, &hash)[..], &tlv(0xa1, &mgf1), &tlv(0xa2, &salt), trailer];
        tlv(0x30, &[rsa(10), tlv(0x30, &params.concat())].concat())
    };
    Some(match scheme {
        S::RsaPkcs1Sha1 => pkcs1(5),
        S::RsaPkcs1Sha256 => pkcs1(11),
        S::RsaPkcs1Sha384 => pkcs1(12),
        S::RsaPkcs1Sha512 => pkcs1(13),
        S::RsaPssSha256 => pss(1, 32),
        S::RsaPssSha384 => pss(2, 48),
        S::RsaPssSha512 => pss(3, 64),
        S::EcdsaP256Sha256 | S::EcdsaP384Sha256 | S::EcdsaP521Sha256 => ecdsa(2),
        S::EcdsaP256Sha384 | S::EcdsaP384Sha384 | S::EcdsaP521Sha384 => ecdsa(3),
        S::EcdsaP256Sha512 | S::EcdsaP384Sha512 | S::EcdsaP521Sha512 => ecdsa(4),
        S::Ed25519 => tlv(0x30, &tlv(0x06, &[0x2b, 0x65, 0x70])),
        S::MlDsa44 => ml_dsa(17),
        S::MlDsa65 => ml_dsa(18),
        S::MlDsa87 => ml_dsa(19),
        _ => return None,
    })
}

/// A DER element of less than 256 bytes, which all of ours are: an ECDSA signature on P-521 has up to 139.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len() as u8;
    let header: &[u8] = if len < 0x80 { &[tag, len] } else { &[tag, 0x81, len] };
    [header, content].concat()
}

/// The kinds of keys that sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum KeyKind {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
    MlDsa44,
    MlDsa65,
    MlDsa87,
}

impl KeyKind {
    fn of(scheme: SignatureScheme) -> Option<Self> {
        use SignatureScheme as S;
        Some(match scheme {
            S::RsaPkcs1Sha1
            | S::RsaPkcs1Sha256
            | S::RsaPkcs1Sha384
            | S::RsaPkcs1Sha512
            | S::RsaPssSha256
            | S::RsaPssSha384
            | S::RsaPssSha512 => Self::Rsa,
            S::EcdsaP256Sha256 | S::EcdsaP256Sha384 | S::EcdsaP256Sha512 => Self::P256,
            S::EcdsaP384Sha256 | S::EcdsaP384Sha384 | S::EcdsaP384Sha512 => Self::P384,
            S::EcdsaP521Sha256 | S::EcdsaP521Sha384 | S::EcdsaP521Sha512 => Self::P521,
            S::Ed25519 => Self::Ed25519,
            S::MlDsa44 => Self::MlDsa44,
            S::MlDsa65 => Self::MlDsa65,
            S::MlDsa87 => Self::MlDsa87,
            _ => return None,
        })
    }
}

/// The kind of key in a SubjectPublicKeyInfo and the content of its `subjectPublicKey`.
fn public_key(spki: &[u8]) -> Result<(Option<KeyKind>, Vec<u8>), SignatureError> {
    const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
    const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
    const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
    const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
    const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
    const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
    const ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");

    let spki =
        SubjectPublicKeyInfoRef::<'_>::from_der(spki).map_err(|_| SignatureError::UnsuitableKey)?;
    let curve = || spki.algorithm.parameters_oid().ok();
    let kind = match spki.algorithm.oid {
        RSA_ENCRYPTION | RSASSA_PSS => KeyKind::Rsa,
        EC_PUBLIC_KEY if curve() == Some(P256) => KeyKind::P256,
        EC_PUBLIC_KEY if curve() == Some(P384) => KeyKind::P384,
        EC_PUBLIC_KEY if curve() == Some(P521) => KeyKind::P521,
        ED25519 => KeyKind::Ed25519,
        ML_DSA_44 => KeyKind::MlDsa44,
        ML_DSA_65 => KeyKind::MlDsa65,
        ML_DSA_87 => KeyKind::MlDsa87,
        _ => return Err(SignatureError::UnsuitableKey),
    };
    let key: BitStringRef<'_> = spki.subject_public_key;
    let key = key.as_bytes().ok_or(SignatureError::UnsuitableKey)?;
    Ok((Some(kind), key.into()))
}

/// `r | s`, each of `len` bytes (RFC 4754 section 7), as an `ECDSA-Sig-Value`.
fn ecdsa_to_der(fixed: &[u8], len: usize) -> Result<Vec<u8>, SignatureError> {
    //= RFC 4754 section 7: each of r and s has the length of the curve's order.
    if fixed.len() != 2 * len {
        return Err(SignatureError::Malformed);
    }
    let (r, s) = fixed.split_at(len);
    let integer = |bytes| UintRef::new(bytes).and_then(|int| int.to_der());
    let malformed = |_| SignatureError::Malformed;
    Ok(tlv(0x30, &[integer(r).map_err(malformed)?, integer(s).map_err(malformed)?].concat()))
}

/// An `ECDSA-Sig-Value` as `r | s`, each of `len` bytes.
fn ecdsa_from_der(der: &[u8], len: usize) -> Result<Vec<u8>, SignatureError> {
    let read = || -> der::Result<Vec<u8>> {
        let mut reader = SliceReader::new(der)?;
        let (r, s): (UintRef<'_>, UintRef<'_>) =
            reader.sequence(|reader| Ok::<_, der::Error>((reader.decode()?, reader.decode()?)))?;
        reader.finish()?;
        let mut fixed = alloc::vec![0; 2 * len];
        let (left, right) = fixed.split_at_mut(len);
        for (field, number) in [(left, r.as_bytes()), (right, s.as_bytes())] {
            let start = field.len().checked_sub(number.len()).ok_or(der::ErrorKind::Overflow)?;
            field[start..].copy_from_slice(number);
        }
        Ok(fixed)
    };
    read().map_err(|_| SignatureError::Malformed)
}

#[cfg(test)]
mod tests {
    use adit_platform::rng::{Rng, RngError};
    use hex_literal::hex;

    use super::*;

    struct Counter(u8);

    impl Rng for Counter {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
            for byte in out {
                self.0 = self.0.wrapping_mul(29).wrapping_add(7);
                *byte = self.0;
            }
            Ok(())
        }
    }

    const PROVIDERS: [Provider; 2] =
        [adit_platform::ring::PROVIDER, adit_platform::rustcrypto::PROVIDER];

    /// Private keys with their SubjectPublicKeyInfo, made with OpenSSL.
    const KEYS: [(&[u8], &[u8]); 8] = [
        (include_bytes!("../../tests/keys/p256.pk8"), include_bytes!("../../tests/keys/p256.spki")),
        (include_bytes!("../../tests/keys/p384.pk8"), include_bytes!("../../tests/keys/p384.spki")),
        (
            include_bytes!("../../tests/keys/ed25519.pk8"),
            include_bytes!("../../tests/keys/ed25519.spki"),
        ),
        (include_bytes!("../../tests/keys/p521.pk8"), include_bytes!("../../tests/keys/p521.spki")),
        (
            include_bytes!("../../tests/keys/mldsa44.pk8"),
            include_bytes!("../../tests/keys/mldsa44.spki"),
        ),
        (
            include_bytes!("../../tests/keys/mldsa65.pk8"),
            include_bytes!("../../tests/keys/mldsa65.spki"),
        ),
        (
            include_bytes!("../../tests/keys/mldsa87.pk8"),
            include_bytes!("../../tests/keys/mldsa87.spki"),
        ),
        (
            include_bytes!("../../tests/keys/rsa2048.pk8"),
            include_bytes!("../../tests/keys/rsa2048.spki"),
        ),
    ];

    #[test]
    fn identifiers_are_those_of_the_rfcs() {
        use SignatureScheme as S;
        //= RFC 7427 appendix A
        let a = |scheme| identifier(scheme, true, false).unwrap();
        assert_eq!(a(S::RsaPkcs1Sha1), hex!("300d06092a864886f70d0101050500"));
        assert_eq!(a(S::RsaPkcs1Sha256), hex!("300d06092a864886f70d01010b0500"));
        assert_eq!(a(S::RsaPkcs1Sha384), hex!("300d06092a864886f70d01010c0500"));
        assert_eq!(a(S::RsaPkcs1Sha512), hex!("300d06092a864886f70d01010d0500"));
        assert_eq!(a(S::EcdsaP256Sha256), hex!("300a06082a8648ce3d040302"));
        assert_eq!(a(S::EcdsaP384Sha384), hex!("300a06082a8648ce3d040303"));
        assert_eq!(a(S::EcdsaP256Sha512), hex!("300a06082a8648ce3d040304"));
        let pss_sha256 = hex!(
            "304606092a864886f70d01010a3039a00f300d06096086480165030402010500"
            "a11c301a06092a864886f70d010108300d06096086480165030402010500a203"
            "020120a303020101"
        );
        assert_eq!(identifier(S::RsaPssSha256, true, true).unwrap(), pss_sha256);
        assert!(identifies(&pss_sha256, S::RsaPssSha256));
        assert!(!identifies(&pss_sha256, S::RsaPssSha384));
        //= RFC 8420 appendix A
        assert_eq!(a(S::Ed25519), hex!("300506032b6570"));
        //= RFC 9881 section 2
        assert_eq!(a(S::MlDsa44), hex!("300b0609608648016503040311"));
        assert_eq!(a(S::MlDsa65), hex!("300b0609608648016503040312"));
        assert_eq!(a(S::MlDsa87), hex!("300b0609608648016503040313"));
    }

    #[test]
    fn every_scheme_signs_and_verifies_with_every_provider() {
        let octets = b"octets to be signed";
        for signer in &PROVIDERS {
            for (pkcs8, spki) in KEYS {
                let key = signer.keys.load_pkcs8(pkcs8).unwrap();
                for scheme in key.schemes().iter().copied() {
                    let signature = key.sign(scheme, octets, &mut Counter(1)).unwrap();
                    for digital_signature in [true, false] {
                        let Ok(auth) = authentication(scheme, &signature, digital_signature) else {
                            // Method 14 knows every scheme but that with SHA-1.
                            let legacy = scheme == SignatureScheme::RsaPkcs1Sha1;
                            assert_eq!(digital_signature, legacy);
                            continue;
                        };
                        for provider in &PROVIDERS {
                            let verify = |octets: &[u8], schemes: &[SignatureScheme]| {
                                super::verify(provider, &auth, spki, octets, schemes)
                            };
                            assert_eq!(verify(octets, &[scheme]), Ok(scheme));
                            assert_eq!(verify(b"other", &[scheme]), Err(SignatureError::Invalid));
                            let none = Err(SignatureError::UnacceptableAlgorithm);
                            assert_eq!(verify(octets, &[]), none);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_key_of_another_kind_does_not_do() {
        let provider = &PROVIDERS[0];
        let key = provider.keys.load_pkcs8(KEYS[0].0).unwrap();
        let scheme = SignatureScheme::EcdsaP256Sha256;
        let signature = key.sign(scheme, b"octets", &mut Counter(1)).unwrap();
        let auth = authentication(scheme, &signature, true).unwrap();
        for (_, spki) in &KEYS[1..] {
            let result = verify(provider, &auth, spki, b"octets", &[scheme]);
            assert_eq!(result, Err(SignatureError::UnsuitableKey));
        }
        for cut in 0..KEYS[0].1.len() {
            let result = verify(provider, &auth, &KEYS[0].1[..cut], b"octets", &[scheme]);
            assert_eq!(result, Err(SignatureError::UnsuitableKey));
        }
    }

    #[test]
    fn auth_data_of_method_14_is_checked() {
        let provider = &PROVIDERS[0];
        let (_, spki) = KEYS[0];
        let all = &SCHEMES[..];
        let verify = |data: &[u8]| {
            let auth = Authentication { method: AuthMethod::DIGITAL_SIGNATURE, data: data.into() };
            verify(provider, &auth, spki, b"octets", all)
        };
        assert_eq!(verify(&[]), Err(SignatureError::Malformed));
        assert_eq!(verify(&[5, 1, 2]), Err(SignatureError::Malformed));
        // An algorithm that nobody knows.
        assert_eq!(verify(&[2, 0x30, 0x00]), Err(SignatureError::UnacceptableAlgorithm));
    }

    #[test]
    fn ecdsa_signatures_change_form_and_back() {
        let fixed = [&[0; 31][..], &[1], &[0xff; 32]].concat();
        let der = ecdsa_to_der(&fixed, 32).unwrap();
        assert_eq!(der, [&hex!("3026020101022100")[..], &[0xff; 32]].concat());
        assert_eq!(ecdsa_from_der(&der, 32).unwrap(), fixed);
        //= RFC 4754 section 7
        assert_eq!(ecdsa_to_der(&fixed[1..], 32), Err(SignatureError::Malformed));
        assert_eq!(ecdsa_from_der(&der, 24), Err(SignatureError::Malformed));
        for cut in 0..der.len() {
            assert_eq!(ecdsa_from_der(&der[..cut], 32), Err(SignatureError::Malformed));
        }
    }

    #[test]
    fn the_hashes_of_the_peer_decide_which_schemes_are_left() {
        use SignatureScheme as S;
        let ours = [S::EcdsaP256Sha256, S::EcdsaP256Sha384, S::RsaPkcs1Sha1, S::Ed25519];
        let hashes = signature_hashes(&ours);
        assert_eq!(hashes, [0, 2, 0, 3, 0, 5]);
        let hashes = parse_signature_hashes(&[&hashes[..], &[9]].concat());
        assert_eq!(usable_schemes(&ours, Some(&hashes)), [ours[0], ours[1], ours[3]]);
        assert_eq!(usable_schemes(&ours, Some(&[SignatureHash::SHA2_384])), [ours[1]]);
        // A peer without RFC 7427.
        assert_eq!(usable_schemes(&ours, None), [ours[0], ours[2]]);
        assert_eq!(parse_signature_hashes(&[0; 1000]).len(), MAX_SIGNATURE_HASHES);
    }
}
