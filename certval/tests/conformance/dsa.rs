//! DSA with SHA-1 (RFC 3279), which no provider has, plugged in as an embedder would.

use adit_certval::{SignatureAlgorithm, SignedBytes};
use adit_platform::signature::InvalidSignature;
use der::Decode;
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use dsa::signature::hazmat::PrehashVerifier;
use dsa::{Signature, VerifyingKey};
use ring::digest;
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

const ID_DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");
const ID_DSA_WITH_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.3");

#[derive(Debug)]
pub(crate) struct DsaWithSha1;

impl SignatureAlgorithm for DsaWithSha1 {
    fn signature_oid(&self) -> &[u8] {
        ID_DSA_WITH_SHA1.as_bytes()
    }

    fn key_oid(&self) -> &[u8] {
        ID_DSA.as_bytes()
    }

    fn verify(&self, signed: &SignedBytes<'_>) -> Result<(), InvalidSignature> {
        let prehash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, signed.message);
        let (key, signature) = read(signed).map_err(|_| InvalidSignature)?;
        key.verify_prehash(prehash.as_ref(), &signature).map_err(|_| InvalidSignature)
    }
}

fn read(signed: &SignedBytes<'_>) -> Result<(VerifyingKey, Signature), Box<dyn std::error::Error>> {
    //= RFC 3279 section 2.2.2
    if signed.signature_parameters.is_some() {
        return Err("id-dsa-with-sha1 has no parameters".into());
    }
    let parameters = signed.key_parameters.ok_or("no domain parameters")?;
    let key = SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef {
            oid: ID_DSA,
            parameters: Some(AnyRef::from_der(parameters)?),
        },
        subject_public_key: BitStringRef::from_bytes(signed.key)?,
    };
    Ok((VerifyingKey::try_from(key)?, Signature::from_der(signed.signature)?))
}
