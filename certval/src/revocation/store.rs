//! The CRLs and OCSP responses at hand, each verified once, when it came in.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::anchor::TrustAnchor;
use crate::error::Reason;
use crate::format::algorithm;
use crate::format::certificate::{Certificate, Spki};
use crate::revocation::crl::{Crl, CrlError, Unverified};
use crate::revocation::ocsp::{OcspError, OcspResponse};
use crate::revocation::ocsp_request::OcspRequest;
use crate::revocation::responder::Signer;
use crate::revocation::responses::Responses;
use crate::verifier::Verifier;

/// CRLs and OCSP responses whose signatures were verified, ready for lookup.
///
/// It holds at most [`MAX_OCSP_RESPONSES`](Self::MAX_OCSP_RESPONSES) responses; a newer one then displaces the
/// oldest that revokes nothing. CRLs are as many as the host inserts.
///
/// ```
/// use adit_certval::{CrlError, CrlStore};
/// # fn example(verifier: &adit_certval::Verifier, fetched: Vec<u8>, sent: &[&[u8]]) -> Result<(), CrlError> {
/// let mut store = CrlStore::new();
/// let crl = store.insert(verifier, fetched, sent)?;
/// println!("{} certificates revoked", crl.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct CrlStore {
    by_issuer: BTreeMap<Vec<u8>, Vec<Arc<Crl>>>,
    responses: Responses,
}

impl CrlStore {
    /// The most OCSP responses that are kept.
    pub const MAX_OCSP_RESPONSES: usize = 10_000;

    /// An empty store.
    pub const fn new() -> Self {
        Self { by_issuer: BTreeMap::new(), responses: Responses::new() }
    }

    /// Verifies a CRL in DER and takes it in; gives a handle to it. The same CRL is then used for every
    /// certificate and every handshake without its signature being verified again.
    ///
    /// It may be signed by any trust anchor or intermediate of `verifier`, or by one of `certificates` (those
    /// that the peer sent), that bears the name of its issuer. That alone makes no CRL count: a path must
    /// use that key, or the signer have a path of its own to the same anchor. A newer CRL of the same signer
    /// and scope replaces an older one.
    ///
    /// # Errors
    /// If it is malformed, carries critical extensions that are not understood, is signed by nobody known, or
    /// is older than the one in the store. The store is then as it was.
    pub fn insert(
        &mut self,
        verifier: &Verifier,
        der: Vec<u8>,
        certificates: &[&[u8]],
    ) -> Result<Arc<Crl>, CrlError> {
        let unverified = Unverified::read(&der).map_err(|error| error.located(&der))?;
        let signer = find_signer(verifier, &unverified, certificates)?;
        let crl = Arc::new(unverified.parts.index(der, signer)?);
        let of_issuer = self.by_issuer.entry(crl.parts().issuer.clone()).or_default();
        match of_issuer.iter_mut().find(|old| replaces(&crl, old)) {
            Some(old) if age(&crl, old) == Ordering::Less => return Err(CrlError::Superseded),
            Some(old) => *old = Arc::clone(&crl),
            None => of_issuer.push(Arc::clone(&crl)),
        }
        Ok(crl)
    }

    /// Verifies an OCSP response in DER and takes it in; gives a handle to it. `request` is the question that
    /// it has to answer, if it was asked for.
    ///
    /// It may be signed by any trust anchor, trusted responder or intermediate of `verifier`, by one of
    /// `certificates` (those that the peer sent), or by a responder that one of them authorized with a
    /// certificate in the response. That alone makes it count for nothing: it speaks only of certificates that
    /// the same key issued (RFC 6960 section 4.2.2.2). A newer one of the same CA about the same certificate
    /// replaces an older one, but one that does not know the certificate replaces none that does.
    ///
    /// # Errors
    /// If it is malformed or an error, does not answer the request, carries critical extensions that are not
    /// understood, is signed by nobody known, or is older than what is in the store. The store is then as it
    /// was.
    pub fn insert_ocsp(
        &mut self,
        verifier: &Verifier,
        der: &[u8],
        certificates: &[&[u8]],
        request: Option<&OcspRequest>,
    ) -> Result<Arc<OcspResponse>, OcspError> {
        let unverified = crate::revocation::ocsp::Unverified::read(der)?;
        if let Some(request) = request {
            request.check(&unverified)?;
        }
        let signer = Signer::find(verifier, &unverified, certificates, &|| Ok(()))?;
        let response = Arc::new(unverified.verified(signer));
        self.responses.insert(Arc::clone(&response), Self::MAX_OCSP_RESPONSES)?;
        Ok(response)
    }

    /// All OCSP responses in the store.
    pub fn ocsp_responses(&self) -> impl Iterator<Item = &Arc<OcspResponse>> {
        self.responses.iter()
    }

    /// Drops every OCSP response for which `keep` is false.
    pub fn retain_ocsp(&mut self, keep: impl FnMut(&OcspResponse) -> bool) {
        self.responses.retain(keep);
    }

    /// The OCSP responses that speak of a certificate of this serial number, whoever issued it.
    pub(crate) fn about(&self, serial: &[u8]) -> &[Arc<OcspResponse>] {
        self.responses.about(serial)
    }

    /// All CRLs in the store.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Crl>> {
        self.by_issuer.values().flatten()
    }

    /// Drops every CRL for which `keep` is false.
    pub fn retain(&mut self, mut keep: impl FnMut(&Crl) -> bool) {
        self.by_issuer.retain(|_, crls| {
            crls.retain(|crl| keep(crl));
            !crls.is_empty()
        });
    }

    /// The CRLs of the issuer of this canonical name.
    pub(crate) fn of_issuer(&self, canonical: &[u8]) -> &[Arc<Crl>] {
        self.by_issuer.get(canonical).map_or(&[], Vec::as_slice)
    }
}

/// Same signer, same scope, and both complete or both deltas.
fn replaces(new: &Crl, old: &Crl) -> bool {
    new.signer == old.signer
        && new.is_delta() == old.is_delta()
        && new.parts().scope == old.parts().scope
}

/// Which is the newer, by CRL number and else by date.
fn age(a: &Crl, b: &Crl) -> Ordering {
    match (a.number(), b.number()) {
        (Some(a), Some(b)) => compare_numbers(a, b),
        _ => a.this_update().cmp(&b.this_update()),
    }
}

/// Compares big-endian numbers without leading zeros.
pub(crate) fn compare_numbers(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// The [identity](Spki::identity) of the key under which the CRL verifies.
fn find_signer(
    verifier: &Verifier,
    crl: &Unverified<'_>,
    certificates: &[&[u8]],
) -> Result<Vec<u8>, CrlError> {
    let issuer = &crl.parts.issuer;
    let anchors = verifier.anchors_by_name.get(issuer).into_iter().flatten();
    let anchors = anchors.filter_map(|&index| Some((None, verifier.anchors.get(index)?.spki()?)));
    let from_certificate = |der| {
        let certificate = Certificate::from_der(der).ok()?;
        Some((certificate.extensions.subject_key_hint(), certificate.spki))
    };
    let configured = verifier.intermediates_by_subject.get(issuer).into_iter().flatten();
    let configured =
        configured.filter_map(|&index| from_certificate(verifier.intermediates.get(index)?));
    let sent = certificates.iter().take(MAX_SENT).filter_map(|der| {
        let certificate = Certificate::from_der(der).ok()?;
        (certificate.subject().canonical() == *issuer).then(|| from_certificate(der)).flatten()
    });
    let mut candidates: Vec<(Option<&[u8]>, Spki<'_>)> =
        anchors.chain(configured).chain(sent).collect();
    // The key identifier is a hint on which to try first; all are tried.
    if let Some(hint) = crl.parts.authority_key.as_deref() {
        candidates.sort_by_key(|(key, _)| *key != Some(hint));
    }
    let mut failure = CrlError::UnknownSigner;
    let complete = |(_, key)| with_parameters(verifier, certificates, key);
    for key in candidates.into_iter().flat_map(complete) {
        let result = algorithm::verify(verifier, crl.algorithm, key, crl.signed, crl.signature);
        match result {
            Ok(()) => return Ok(key.identity().into_owned()),
            // Another key of the same name may still fit; a refused algorithm says more than a misfit.
            Err(Reason::BadSignature) if failure != CrlError::UnknownSigner => {}
            Err(reason) => failure = CrlError::Signature(reason),
        }
    }
    Err(failure)
}

/// How many certificates that a peer sent are looked at; as many as a query may hold by default. Fewer would
/// let a peer hide the signer of a CRL or OCSP response behind others of the same name.
pub(super) const MAX_SENT: usize = 64;

/// The key itself, or where it inherits its parameters, one for each value that any key of its kind at hand has:
/// the path that the certificate will have is not known yet. A CRL counts only on paths that lead to the
/// parameters under which it verified.
fn with_parameters<'a>(
    verifier: &'a Verifier,
    certificates: &[&'a [u8]],
    key: Spki<'a>,
) -> Vec<Spki<'a>> {
    if !algorithm::inherits(verifier, key) {
        return Vec::from([key]);
    }
    let anchors = verifier.anchors.iter().filter_map(TrustAnchor::spki);
    let configured = verifier.intermediates.iter().map(Vec::as_slice);
    let sent = certificates.iter().take(MAX_SENT).copied();
    let others =
        configured.chain(sent).filter_map(|der| Some(Certificate::from_der(der).ok()?.spki));
    let mut keys: Vec<Spki<'a>> = Vec::new();
    for issuer in anchors.chain(others) {
        let complete = algorithm::working_key(verifier, key, issuer);
        if complete.inherited.is_some() && !keys.contains(&complete) && keys.len() < MAX_SENT {
            keys.push(complete);
        }
    }
    keys
}
