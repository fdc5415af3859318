//! ML-DSA (FIPS 204), pure and with an empty context string, as certificates use it: RFC 9881.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use der::asn1::{ContextSpecific, OctetStringRef};
use der::{Decode, Reader, SliceReader, TagNumber};
use ml_dsa::{ExpandedSigningKey, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Signature, VerifyingKey};
use zeroize::Zeroizing;

use crate::rng::{Rng, RngError};
use crate::signature::{
    InvalidSignature, KeyError, SignatureScheme, SignatureVerifier, SigningKey,
};

/// Verifies one of the three parameter sets.
#[derive(Debug)]
pub(crate) struct MlDsaVerifier(pub(crate) SignatureScheme);

impl SignatureVerifier for MlDsaVerifier {
    fn scheme(&self) -> SignatureScheme {
        self.0
    }

    fn verify(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let valid = match self.0 {
            SignatureScheme::MlDsa44 => verify::<MlDsa44>(public_key, message, signature),
            SignatureScheme::MlDsa65 => verify::<MlDsa65>(public_key, message, signature),
            SignatureScheme::MlDsa87 => verify::<MlDsa87>(public_key, message, signature),
            _ => None,
        };
        if valid == Some(true) { Ok(()) } else { Err(InvalidSignature) }
    }
}

/// `None` if key or signature do not have the length of the parameter set, or the signature is malformed.
fn verify<P: MlDsaParams>(public_key: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let key = VerifyingKey::<P>::decode(public_key.try_into().ok()?);
    let signature = Signature::<P>::decode(signature.try_into().ok()?)?;
    Some(key.verify_with_context(message, &[], &signature))
}

/// An ML-DSA private key, wiped on drop.
pub(crate) struct MlDsaKey {
    signer: Box<dyn Signer>,
    public: Vec<u8>,
    scheme: [SignatureScheme; 1],
}

impl MlDsaKey {
    /// Reads an `ML-DSA-PrivateKey`: the seed, or the seed and the key that it expands to.
    //= RFC 9881 section 6
    pub(crate) fn from_private_key(scheme: SignatureScheme, der: &[u8]) -> Result<Self, KeyError> {
        match scheme {
            SignatureScheme::MlDsa44 => Self::load::<MlDsa44>(scheme, der),
            SignatureScheme::MlDsa65 => Self::load::<MlDsa65>(scheme, der),
            SignatureScheme::MlDsa87 => Self::load::<MlDsa87>(scheme, der),
            _ => Err(KeyError::Unsupported),
        }
    }

    fn load<P: MlDsaParams + Send + Sync + 'static>(
        scheme: SignatureScheme,
        der: &[u8],
    ) -> Result<Self, KeyError> {
        let (seed, expanded) = read_choice(der)?;
        let seed: Zeroizing<[u8; 32]> =
            Zeroizing::new(seed.try_into().map_err(|_| KeyError::Malformed)?);
        let key = ExpandedSigningKey::<P>::from_seed((&*seed).into());
        if let Some(expanded) = expanded {
            #[expect(deprecated, reason = "only to compare: the seed is what is used")]
            let fits = expanded == key.to_expanded().as_slice();
            if !fits {
                return Err(KeyError::Malformed);
            }
        }
        let public = key.verifying_key().encode().to_vec();
        Ok(Self { signer: Box::new(key), public, scheme: [scheme] })
    }
}

/// The seed, and the expanded key if the file holds both.
type Choice<'a> = (&'a [u8], Option<&'a [u8]>);

/// The CHOICE of RFC 9881 section 6.
fn read_choice(der: &[u8]) -> Result<Choice<'_>, KeyError> {
    let read = || -> der::Result<Option<Choice<'_>>> {
        let mut reader = SliceReader::new(der)?;
        let choice = match der.first() {
            Some(0x80) => {
                let seed =
                    ContextSpecific::<&OctetStringRef>::decode_implicit(&mut reader, TagNumber(0))?;
                seed.map(|seed| (seed.value.as_bytes(), None))
            }
            Some(0x30) => {
                let both = reader.sequence(|inner| {
                    let seed = <&OctetStringRef>::decode(inner)?;
                    let expanded = <&OctetStringRef>::decode(inner)?;
                    Ok::<_, der::Error>((seed.as_bytes(), Some(expanded.as_bytes())))
                })?;
                Some(both)
            }
            _ => {
                <&OctetStringRef>::decode(&mut reader)?;
                None
            }
        };
        reader.finish()?;
        Ok(choice)
    };
    read().map_err(|_| KeyError::Malformed)?.ok_or(KeyError::Unsupported)
}

impl fmt::Debug for MlDsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.scheme {
            [SignatureScheme::MlDsa44] => "MlDsaKey(ML-DSA-44)",
            [SignatureScheme::MlDsa65] => "MlDsaKey(ML-DSA-65)",
            _ => "MlDsaKey(ML-DSA-87)",
        })
    }
}

impl SigningKey for MlDsaKey {
    fn schemes(&self) -> &[SignatureScheme] {
        &self.scheme
    }

    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        rng: &mut dyn Rng,
    ) -> Result<Vec<u8>, KeyError> {
        if self.scheme != [scheme] {
            return Err(KeyError::WrongScheme);
        }
        self.signer.sign(message, rng)
    }
}

/// A signing key of any parameter set.
trait Signer: Send + Sync {
    fn sign(&self, message: &[u8], rng: &mut dyn Rng) -> Result<Vec<u8>, KeyError>;
}

impl<P: MlDsaParams + Send + Sync> Signer for ExpandedSigningKey<P> {
    /// The hedged variant of FIPS 204 section 3.4.
    fn sign(&self, message: &[u8], rng: &mut dyn Rng) -> Result<Vec<u8>, KeyError> {
        // Rejection sampling that never ends has a probability below 2^-128.
        let signature =
            self.sign_randomized(message, &[], &mut HostRng(rng)).map_err(|_| KeyError::Rng)?;
        Ok(signature.encode().to_vec())
    }
}

/// The host's randomness in the form that the crate takes.
struct HostRng<'a>(&'a mut dyn Rng);

impl rand_core::TryRng for HostRng<'_> {
    type Error = RngError;

    fn try_next_u32(&mut self) -> Result<u32, RngError> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, RngError> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        self.0.fill(out)
    }
}

impl rand_core::TryCryptoRng for HostRng<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    /// A DER element of 0 to 65,535 bytes.
    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let [high, low] = (content.len() as u16).to_be_bytes();
        let header: &[u8] = match content.len() {
            0..0x80 => &[tag, low],
            0x80..0x100 => &[tag, 0x81, low],
            _ => &[tag, 0x82, high, low],
        };
        [header, content].concat()
    }

    //= RFC 9881 section 6
    #[test]
    fn the_three_forms_of_a_private_key() {
        let load = |der: &[u8]| MlDsaKey::from_private_key(SignatureScheme::MlDsa44, der);
        let seed = load(&tlv(0x80, &[7; 32])).unwrap();
        #[expect(deprecated, reason = "files hold this form")]
        let mut expanded =
            ExpandedSigningKey::<MlDsa44>::from_seed(&[7; 32].into()).to_expanded().to_vec();
        let both = |expanded: &[u8]| {
            load(&tlv(0x30, &[tlv(0x04, &[7; 32]), tlv(0x04, expanded)].concat()))
        };
        assert_eq!(both(&expanded).unwrap().public, seed.public);
        assert_eq!(load(&tlv(0x04, &expanded)).err(), Some(KeyError::Unsupported));
        // A key that the seed does not expand to.
        expanded[100] ^= 1;
        assert_eq!(both(&expanded).err(), Some(KeyError::Malformed));
        for bad in [&[][..], &tlv(0x80, &[7; 31]), &[&tlv(0x80, &[7; 32])[..], &[0]].concat()] {
            assert_eq!(load(bad).err(), Some(KeyError::Malformed));
        }
    }
}
