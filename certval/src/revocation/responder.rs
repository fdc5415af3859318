//! Who may sign OCSP responses (RFC 6960 section 4.2.2.2): the CA itself, a responder that it has authorized by
//! a certificate, or one that is trusted by configuration.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::anchor::TrustAnchor;
use crate::error::Reason;
use crate::format::algorithm;
use crate::format::certificate::{Certificate, Spki};
use crate::format::extension::{KeyUsage, key_purposes};
use crate::format::name::Name;
use crate::path::purpose::OCSP_SIGNING;
use crate::revocation::ocsp::{OcspError, OcspResponse, Unverified};
use crate::revocation::store::MAX_SENT;
use crate::verifier::Verifier;

/// Under whose key a response verified.
pub(crate) struct Signer {
    /// Its `SubjectPublicKeyInfo`.
    spki: Vec<u8>,
    /// How it came to sign, if not as CA or by configuration.
    delegation: Option<Delegation>,
}

/// A CA's word that a responder may answer for it.
struct Delegation {
    /// The responder's certificate.
    certificate: Vec<u8>,
    /// The `SubjectPublicKeyInfo` of the CA under whose key that verified.
    by: Vec<u8>,
}

/// How a signer stands to the issuer of the certificate in question.
pub(crate) enum Authority<'r> {
    /// It may speak.
    Own,
    /// It may, as long as this certificate of its own is valid and not revoked.
    Delegated(Box<Certificate<'r>>),
}

/// A name and a key that belong together, and the certificate that says so.
struct Candidate<'a> {
    name: Name<'a>,
    key: Spki<'a>,
    certificate: Option<Certificate<'a>>,
}

impl Signer {
    /// Finds the key that signed `response` among the anchors, the trusted responders and the intermediates of
    /// `verifier`, `certificates` that a peer sent, and those in the response itself, which need to be
    /// delegated to. `spend` pays for each signature that is verified.
    pub(crate) fn find(
        verifier: &Verifier,
        response: &Unverified<'_>,
        certificates: &[&[u8]],
        spend: &dyn Fn() -> Result<(), Reason>,
    ) -> Result<Self, OcspError> {
        let known = Known { verifier, certificates };
        let check = |algorithm, key, signed, signature| {
            spend()?;
            algorithm::verify(verifier, algorithm, key, signed, signature)
        };
        let mut failure = OcspError::UnknownSigner;
        let included = response.certificates.iter().filter_map(|der| Candidate::read(der));
        for (is_known, candidate) in
            known.all().map(|c| (true, c)).chain(included.map(|c| (false, c)))
        {
            let name = || candidate.name.canonical();
            if !response.responder.is(&verifier.provider, name, candidate.key) {
                continue;
            }
            let signed = response.signed;
            if let Err(reason) =
                check(response.algorithm, candidate.key, signed, response.signature)
            {
                if matches!(reason, Reason::BudgetExceeded(_)) {
                    return Err(OcspError::Signature(reason));
                }
                // A refused algorithm says more than a misfit.
                if reason != Reason::BadSignature || failure == OcspError::UnknownSigner {
                    failure = OcspError::Signature(reason);
                }
                continue;
            }
            let delegate = candidate.certificate.filter(may_sign_responses);
            let delegation = delegate.and_then(|certificate| {
                let issuer = certificate.issuer().canonical();
                let mut cas = known.all().filter(|ca| ca.name.canonical() == issuer);
                let ca = cas.find(|ca| {
                    let (algorithm, signed) =
                        (certificate.signature_algorithm, certificate.signed.bytes);
                    check(algorithm, ca.key, signed, certificate.signature).is_ok()
                })?;
                let (certificate, by) = (certificate.as_der().to_vec(), ca.key.der.to_vec());
                Some(Delegation { certificate, by })
            });
            if is_known || delegation.is_some() {
                return Ok(Self { spki: candidate.key.der.to_vec(), delegation });
            }
            failure = OcspError::Unauthorized;
        }
        Err(failure)
    }

    /// The key on whose authority it speaks. A newer response of the same authority replaces an older one.
    pub(crate) fn authority(&self) -> &[u8] {
        self.delegation.as_ref().map_or(&self.spki, |delegation| &delegation.by)
    }
}

#[cfg(test)]
impl Signer {
    /// Anybody.
    pub(crate) fn test() -> Self {
        Self { spki: Vec::new(), delegation: None }
    }
}

impl OcspResponse {
    /// Whether its signer may speak about certificates of the issuer of this key and (canonical) name, below
    /// this anchor.
    pub(crate) fn authority_for(
        &self,
        issuer_key: &[u8],
        issuer_name: &[u8],
        anchor: &TrustAnchor,
    ) -> Option<Authority<'_>> {
        let signer = &self.signer;
        if signer.spki == issuer_key || anchor.trusts_responder(&signer.spki) {
            return Some(Authority::Own);
        }
        let delegation = signer.delegation.as_ref().filter(|d| d.by == issuer_key)?;
        let certificate = Certificate::from_der(&delegation.certificate).ok()?;
        (certificate.issuer().canonical() == issuer_name)
            .then(|| Authority::Delegated(Box::new(certificate)))
    }
}

/// What signers and their CAs are looked for among, besides the response.
#[derive(Clone, Copy)]
struct Known<'a> {
    verifier: &'a Verifier,
    certificates: &'a [&'a [u8]],
}

impl<'a> Known<'a> {
    fn all(self) -> impl Iterator<Item = Candidate<'a>> {
        let anchors = self.verifier.anchors.iter();
        let responders = anchors.clone().flat_map(TrustAnchor::ocsp_responders);
        let anchors = anchors.filter_map(Candidate::from_anchor);
        let configured = self.verifier.intermediates.iter().map(Vec::as_slice);
        let sent = self.certificates.iter().copied().take(MAX_SENT);
        anchors.chain(responders.chain(configured).chain(sent).filter_map(Candidate::read))
    }
}

impl<'a> Candidate<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let (name, key) = (certificate.subject(), certificate.spki);
        Some(Self { name, key, certificate: Some(certificate) })
    }

    fn from_anchor(anchor: &'a TrustAnchor) -> Option<Self> {
        Some(Self { name: anchor.name()?, key: anchor.spki()?, certificate: None })
    }
}

/// Whether a certificate says that its key signs OCSP responses: `id-kp-OCSPSigning`, which nothing stands in
/// for, and no key usage that speaks against it.
fn may_sign_responses(certificate: &Certificate<'_>) -> bool {
    let Some(purposes) = certificate.extensions.extended_key_usage else { return false };
    let mut found = false;
    let read = key_purposes(purposes, |purpose| found |= purpose == OCSP_SIGNING);
    let signs = KeyUsage::DIGITAL_SIGNATURE | KeyUsage::NON_REPUDIATION;
    let usage = certificate.extensions.key_usage();
    let allowed = usage.is_ok_and(|usage| usage.is_none_or(|usage| usage.has_any(signs)));
    read.is_ok() && found && allowed && certificate.extensions.unknown_critical.is_none()
}
