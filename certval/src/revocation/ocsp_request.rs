//! OCSP requests (RFC 6960 section 4.1): what to ask a responder, and whether it answered that.

use alloc::vec::Vec;

use adit_platform::Provider;
use adit_platform::hash::HashAlgorithm;
use adit_platform::rng::{Rng, RngError};

use crate::format::certificate::{Certificate, Spki};
use crate::format::der::{Reader, tag};
use crate::format::encode;
use crate::format::oid;
use crate::revocation::ocsp::{OcspError, Unverified};

/// The question about one certificate's status, to be sent by POST as `application/ocsp-request`.
///
/// ```
/// use adit_certval::{Certificate, OcspRequest};
/// use adit_platform::{Provider, Rng, hash::HashAlgorithm};
///
/// # fn example(
/// #     provider: &Provider, rng: &mut dyn Rng, certificate: &Certificate<'_>, issuer: &Certificate<'_>,
/// # ) -> Option<Vec<u8>> {
/// // Most responders understand no other hash than SHA-1 here, where it need not resist collisions.
/// let mut request = OcspRequest::new(provider, HashAlgorithm::Sha1, certificate, issuer)?;
/// request.add_nonce(rng).ok()?;
/// Some(request.to_der())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OcspRequest {
    /// The CertID in DER.
    id: Vec<u8>,
    nonce: Option<Vec<u8>>,
    /// Whether an answer without the nonce that was sent is refused. Responders that sign in advance leave it
    /// out (RFC 6960 section 4.4.1), so the default is no.
    pub require_nonce: bool,
}

impl OcspRequest {
    /// Asks about `certificate`, which `issuer` issued. `hash` hides both from nobody, it only shortens them:
    /// SHA-1, or SHA-256 where responders know it. `None` if the provider lacks it.
    pub fn new(
        provider: &Provider,
        hash: HashAlgorithm,
        certificate: &Certificate<'_>,
        issuer: &Certificate<'_>,
    ) -> Option<Self> {
        Self::of(provider, hash, certificate, issuer.spki)
    }

    pub(crate) fn of(
        provider: &Provider,
        hash: HashAlgorithm,
        certificate: &Certificate<'_>,
        issuer: Spki<'_>,
    ) -> Option<Self> {
        let id = match hash {
            HashAlgorithm::Sha1 => oid::SHA1,
            HashAlgorithm::Sha256 => oid::SHA256,
            HashAlgorithm::Sha384 => oid::SHA384,
            HashAlgorithm::Sha512 => oid::SHA512,
            _ => return None,
        };
        let hash = provider.hash(hash)?;
        let octets = |content: &[u8]| encode::tlv(tag::OCTET_STRING, &[content]);
        let id = encode::sequence(&[
            &encode::sequence(&[&encode::oid(id), &[5, 0]]),
            &octets(&hash.hash(&[certificate.issuer().as_der()])),
            &octets(&hash.hash(&[issuer.key])),
            &encode::tlv(tag::INTEGER, &[certificate.serial_number()]),
        ]);
        Some(Self { id, nonce: None, require_nonce: false })
    }

    /// Adds a fresh nonce of 32 octets (RFC 9654 section 2.1), so that an old answer cannot be passed off as
    /// new.
    ///
    /// # Errors
    /// If the random source fails; the request is then without nonce.
    pub fn add_nonce(&mut self, rng: &mut dyn Rng) -> Result<(), RngError> {
        let mut nonce = [0; 32];
        self.nonce = None;
        rng.fill(&mut nonce)?;
        self.nonce = Some(nonce.to_vec());
        Ok(())
    }

    /// The `OCSPRequest` in DER.
    pub fn to_der(&self) -> Vec<u8> {
        let list = encode::sequence(&[&encode::sequence(&[&self.id])]);
        let extensions = self.nonce.as_ref().map_or(Vec::new(), |nonce| {
            let value = encode::tlv(tag::OCTET_STRING, &[nonce]);
            let nonce = encode::extension(oid::OCSP_NONCE, false, &value);
            encode::tlv(tag::constructed(2), &[&encode::sequence(&[&nonce])])
        });
        encode::sequence(&[&encode::sequence(&[&list, &extensions])])
    }

    /// Whether `response` answers this request.
    pub(crate) fn check(&self, response: &Unverified<'_>) -> Result<(), OcspError> {
        if !response.answers(&self.id) {
            return Err(OcspError::NotAsked);
        }
        match (&self.nonce, response.nonce()) {
            (Some(sent), Some(returned)) if sent[..] != *returned => Err(OcspError::Nonce),
            (_, None) if self.require_nonce => Err(OcspError::Nonce),
            _ => Ok(()),
        }
    }

    /// The content of the serial number's INTEGER that is asked about.
    pub fn serial_number(&self) -> &[u8] {
        let read = || {
            let mut id = Reader::new(&self.id).sequence().ok()?;
            for _ in 0..3 {
                id.any().ok()?;
            }
            id.integer().ok().map(|field| field.bytes)
        };
        read().unwrap_or_default()
    }
}
