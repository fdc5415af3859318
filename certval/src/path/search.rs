//! Path building (RFC 4158): depth first from the peer's certificate to the trust anchors, key identifiers as
//! hints, every failure remembered and the most telling one reported.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{OnceCell, RefCell};

use crate::anchor::TrustAnchor;
use crate::error::{CertificateRef, Error, Limit, Reason};
use crate::format::algorithm;
use crate::format::certificate::{Certificate, Spki};
use crate::path::budget::Meter;
use crate::path::validate::{self, Goal};
use crate::remembered::{Fingerprint, Recognition};
use crate::revocation::check::{self, Checked};
use crate::revocation::distribution;
use crate::revocation::ocsp::OcspResponse;
use crate::revocation::responder::Signer;
use crate::revocation::store::CrlStore;
use crate::verifier::{CertificateFetch, Outcome, Query, VerifiedPath, Verifier, Warning};

/// One certificate of a path and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct Link<'a> {
    pub(crate) reference: CertificateRef,
    pub(crate) certificate: Rc<Certificate<'a>>,
}

/// A signature that was checked: the certificate by its address, the key and its inherited parameters, which many
/// certificates may share, by their content; and whether they fit.
type CheckedSignature<'a> = (*const u8, &'a [u8], Option<&'a [u8]>, Result<(), Reason>);

/// Judges one path to the anchor of this index: true ends the search, an error too.
type Judge<'j, 'a> = dyn FnMut(&[Link<'a>], usize) -> Result<bool, Error> + 'j;

/// One run of a verifier.
pub(crate) struct Search<'a> {
    pub(crate) verifier: &'a Verifier,
    pub(crate) query: &'a Query<'a>,
    pub(crate) store: &'a CrlStore,
    pub(crate) meter: &'a Meter,
    /// The peer's certificate and those that came with it; malformed ones are left out.
    presented: Vec<Link<'a>>,
    /// Canonical subjects of `presented`, made when a name differs in its bytes.
    subjects: RefCell<BTreeMap<usize, Vec<u8>>>,
    checked: RefCell<Vec<CheckedSignature<'a>>>,
    best: RefCell<Option<Error>>,
    dead_ends: RefCell<Vec<CertificateFetch>>,
    /// The query's OCSP responses that verified, read when they are needed.
    stapled: OnceCell<Vec<OcspResponse>>,
}

/// How many OCSP responses of a query are looked at: one for each certificate of a long path.
const MAX_STAPLED: usize = 16;

impl<'a> Search<'a> {
    pub(crate) fn new(
        verifier: &'a Verifier,
        query: &'a Query<'a>,
        store: &'a CrlStore,
        meter: &'a Meter,
        leaf: Certificate<'a>,
    ) -> Self {
        let search = Self {
            verifier,
            query,
            store,
            meter,
            presented: Vec::new(),
            subjects: RefCell::default(),
            checked: RefCell::default(),
            best: RefCell::default(),
            dead_ends: RefCell::default(),
            stapled: OnceCell::new(),
        };
        let mut presented = Vec::with_capacity(query.certificates.len());
        let reference = CertificateRef::Presented(0);
        presented.push(Link { reference, certificate: Rc::new(leaf) });
        for (index, der) in query.certificates.iter().enumerate().skip(1) {
            let reference = CertificateRef::Presented(index);
            match Certificate::from_der(der) {
                Ok(certificate) => {
                    presented.push(Link { reference, certificate: Rc::new(certificate) });
                }
                Err(error) => search.note(Error::new(reference, Reason::Malformed(error))),
            }
        }
        Self { presented, ..search }
    }

    /// Finds a path for the peer's certificate and judges it.
    pub(crate) fn run(&self) -> Result<Outcome, Error> {
        let leaf = self.presented[0].clone();
        let (verifier, at_leaf) = (self.verifier, |reason| Error::new(leaf.reference, reason));
        if verifier.factory.as_ref().is_some_and(|it| it.matches(verifier, &leaf.certificate)) {
            return Err(at_leaf(Reason::FactoryCertificate));
        }
        if let Some(path) = self.pinned(&leaf)? {
            return Ok(Outcome::Accepted(path));
        }
        let found = self.vouched(leaf.clone());
        let Some(remembered) = self.query.remembered else { return found };
        let nobody_vouches = match &found {
            Ok(outcome) => matches!(outcome, Outcome::NeedsCertificates(_)),
            Err(error) => matches!(error.reason, Reason::UnknownIssuer | Reason::NoTrustAnchor),
        };
        match (remembered.recognize(&leaf.certificate, &verifier.provider), found) {
            (Recognition::Known { .. }, _) if nobody_vouches => {
                // Whoever believed it decided that this key is that peer's, whatever the certificate calls it.
                validate::check_by_itself(self, &leaf.certificate, None).map_err(at_leaf)?;
                let path = core::slice::from_ref(&leaf);
                Ok(Outcome::Accepted(self.accept(path, None, Vec::new(), Vec::new())))
            }
            (Recognition::Changed { remembered, presented, .. }, Err(_)) if nobody_vouches => {
                Err(at_leaf(Reason::KeyChanged { remembered, presented }))
            }
            (
                Recognition::Changed { remembered, presented, .. },
                Ok(Outcome::Accepted(mut path)),
            ) => {
                path.warnings.push(Warning::KeyChanged { remembered, presented });
                Ok(Outcome::Accepted(path))
            }
            (_, found) => found,
        }
    }

    /// Finds a path to an anchor.
    fn vouched(&self, leaf: Link<'a>) -> Result<Outcome, Error> {
        if self.verifier.anchors.is_empty() {
            return Err(Error::general(Reason::NoTrustAnchor));
        }
        let goal = Goal::Peer;
        let mut found = None;
        let mut pending = None;
        self.paths(&mut Vec::from([leaf]), &mut |path, anchor| {
            let policies = match validate::validate(self, path, anchor, goal) {
                Ok(policies) => policies,
                Err(error) => return self.note_or_stop(error),
            };
            match check::check_path(self, path, anchor) {
                Ok(Checked::Done(warnings)) => {
                    found = Some(self.accept(path, Some(anchor), policies, warnings));
                    Ok(true)
                }
                Ok(Checked::Needs(fetches)) => {
                    pending.get_or_insert(fetches);
                    Ok(false)
                }
                Err(error) => self.note_or_stop(error),
            }
        })?;
        if let Some(path) = found {
            return Ok(Outcome::Accepted(path));
        }
        if let Some(fetches) = pending {
            return Ok(Outcome::NeedsRevocation(fetches));
        }
        let error = self
            .best
            .take()
            .unwrap_or_else(|| Error::new(CertificateRef::Presented(0), Reason::UnknownIssuer));
        let dead_ends = self.dead_ends.take();
        if self.query.may_fetch && error.reason == Reason::UnknownIssuer && !dead_ends.is_empty() {
            return Ok(Outcome::NeedsCertificates(dead_ends));
        }
        Err(error)
    }

    /// The peer's certificate itself, if it was pinned.
    fn pinned(&self, leaf: &Link<'a>) -> Result<Option<VerifiedPath>, Error> {
        let (verifier, certificate) = (self.verifier, &leaf.certificate);
        let der = certificate.as_der();
        let is_it = |anchor: &TrustAnchor| anchor.pinned && anchor.certificate_der() == Some(der);
        let index = verifier.anchors.iter().position(is_it);
        let by_fingerprint = || {
            let found = Fingerprint::of_certificate(certificate, &verifier.provider);
            found.is_some_and(|found| verifier.fingerprints.contains(&found))
        };
        if index.is_none() && (verifier.fingerprints.is_empty() || !by_fingerprint()) {
            return Ok(None);
        }
        let anchor = index.and_then(|index| verifier.anchors.get(index));
        validate::check_by_itself(self, certificate, anchor)
            .and_then(|()| validate::check_identity(self, certificate))
            .map_err(|reason| Error::new(leaf.reference, reason))?;
        let path = core::slice::from_ref(leaf);
        Ok(Some(self.accept(path, index, Vec::new(), Vec::new())))
    }

    /// Whether `target`, as a signer of CRLs, has a valid path to this anchor.
    pub(crate) fn crl_issuer_path(
        &self,
        target: Link<'a>,
        anchor: usize,
        accept: &mut dyn FnMut(&[Link<'a>]) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        self.paths(&mut Vec::from([target]), &mut |path, at| {
            if at != anchor {
                return Ok(false);
            }
            match validate::validate(self, path, at, Goal::CrlIssuer) {
                Ok(_) => accept(path),
                Err(error) if matches!(error.reason, Reason::BudgetExceeded(_)) => Err(error),
                Err(_) => Ok(false),
            }
        })
    }

    /// The OCSP responses that came with the query. One that is signed by nobody at hand is as good as none.
    pub(crate) fn stapled(&self) -> &[OcspResponse] {
        self.stapled.get_or_init(|| {
            let certificates = self.query.certificates;
            let spend = || self.meter.spend(Limit::Signatures);
            let read = |der: &&[u8]| {
                let unverified = crate::revocation::ocsp::Unverified::read(der).ok()?;
                let signer = Signer::find(self.verifier, &unverified, certificates, &spend).ok()?;
                Some(unverified.verified(signer))
            };
            self.query.stapled.iter().take(MAX_STAPLED).filter_map(read).collect()
        })
    }

    /// All certificates at hand: presented, then configured.
    pub(crate) fn by_subject(&self, canonical: &[u8]) -> Vec<Link<'a>> {
        let mut links: Vec<Link<'a>> = (0..self.presented.len())
            .filter(|&index| self.has_subject(index, canonical))
            .map(|index| self.presented[index].clone())
            .collect();
        if let Some(indices) = self.verifier.intermediates_by_subject.get(canonical) {
            links.extend(indices.iter().filter_map(|&index| {
                let certificate = Certificate::from_der(self.verifier.intermediates.get(index)?);
                let reference = CertificateRef::Configured(index);
                Some(Link { reference, certificate: Rc::new(certificate.ok()?) })
            }));
        }
        links
    }

    fn has_subject(&self, index: usize, canonical: &[u8]) -> bool {
        let mut subjects = self.subjects.borrow_mut();
        let subject = || self.presented[index].certificate.subject().canonical();
        subjects.entry(index).or_insert_with(subject) == canonical
    }

    /// Extends `path` in every possible way until `goal` says that it is content. Only errors that end the
    /// whole search are returned.
    fn paths(&self, path: &mut Vec<Link<'a>>, goal: &mut Judge<'_, 'a>) -> Result<bool, Error> {
        let Some(last) = path.last().cloned() else { return Ok(false) };
        let stop = |reason| Error::new(last.reference, reason);
        let issuer = last.certificate.issuer().canonical();
        let mut led_somewhere = false;
        for &anchor in self.verifier.anchors_by_name.get(&issuer).map_or(&[][..], Vec::as_slice) {
            self.meter.spend(Limit::PathSteps).map_err(stop)?;
            led_somewhere = true;
            if goal(path, anchor)? {
                return Ok(true);
            }
        }
        if path.len() >= self.query.budget.depth as usize {
            self.note(stop(Reason::BudgetExceeded(Limit::Depth)));
            return Ok(false);
        }
        let mut candidates = self.by_subject(&issuer);
        if candidates.len() > 1
            && let Some(hint) = last.certificate.extensions.authority_key_hint()
        {
            candidates.sort_by_key(|link| match link.certificate.extensions.subject_key_hint() {
                Some(key) if key == hint => 0,
                None => 1,
                Some(_) => 2,
            });
        }
        // Where the name alone does not say who the issuer is, the signature does; otherwise every order of
        // certificates of one name would be a path to try. Each is checked once and remembered.
        let ambiguous = candidates.len() > 1;
        for candidate in candidates {
            self.meter.spend(Limit::PathSteps).map_err(stop)?;
            // RFC 4158 section 2.4.2: no subject and key twice in a path.
            let certificate = &candidate.certificate;
            let repeats = path.iter().any(|link| {
                link.certificate.spki.der == certificate.spki.der
                    && link.certificate.subject() == certificate.subject()
            });
            if repeats || self.is_anchor(certificate, &issuer) {
                continue;
            }
            led_somewhere = true;
            if ambiguous
                && !algorithm::inherits(self.verifier, certificate.spki)
                && let Err(reason) = self.check_signature(&last.certificate, certificate.spki)
            {
                self.note_or_stop(stop(reason))?;
                continue;
            }
            path.push(candidate);
            let done = self.paths(path, goal)?;
            path.pop();
            if done {
                return Ok(true);
            }
        }
        if !led_somewhere {
            self.note(stop(Reason::UnknownIssuer));
            self.note_dead_end(&last);
        }
        Ok(false)
    }

    /// A peer may send the root: the anchor of that name and key stands for it already.
    fn is_anchor(&self, certificate: &Certificate<'_>, subject: &[u8]) -> bool {
        let same_name = self.verifier.anchors_by_name.get(subject);
        same_name.is_some_and(|indices| {
            indices.iter().filter_map(|&index| self.verifier.anchors.get(index)).any(|anchor| {
                anchor.subject_public_key_info() == certificate.subject_public_key_info()
            })
        })
    }

    /// Verifies a certificate's signature, or remembers having done so.
    pub(crate) fn check_signature(
        &self,
        certificate: &Certificate<'a>,
        key: Spki<'a>,
    ) -> Result<(), Reason> {
        let address = certificate.as_der().as_ptr();
        let mut checked = self.checked.borrow_mut();
        let known = checked.iter().find(|(of, by, inherited, _)| {
            *of == address && *by == key.der && *inherited == key.inherited
        });
        if let Some((.., result)) = known {
            return result.clone();
        }
        self.meter.spend(Limit::Signatures)?;
        let result = algorithm::verify(
            self.verifier,
            certificate.signature_algorithm,
            key,
            certificate.signed.bytes,
            certificate.signature,
        );
        checked.push((address, key.der, key.inherited, result.clone()));
        result
    }

    fn accept(
        &self,
        path: &[Link<'a>],
        anchor: Option<usize>,
        policies: Vec<Vec<u8>>,
        warnings: Vec<Warning>,
    ) -> VerifiedPath {
        let references = path.iter().map(|link| link.reference);
        VerifiedPath {
            hashes: self.verifier.provider.hashes,
            certificates: path.iter().map(|link| link.certificate.as_der().to_vec()).collect(),
            path: references.chain(anchor.map(CertificateRef::Anchor)).collect(),
            policies,
            warnings,
        }
    }

    /// Remembers a failure if it is more telling than those before.
    fn note(&self, error: Error) {
        let mut best = self.best.borrow_mut();
        if best.as_ref().is_none_or(|best| error.reason.rank() > best.reason.rank()) {
            *best = Some(error);
        }
    }

    /// Remembers a failure of one path and goes on; a spent budget ends the search.
    fn note_or_stop(&self, error: Error) -> Result<bool, Error> {
        if matches!(error.reason, Reason::BudgetExceeded(_)) {
            return Err(error);
        }
        self.note(error);
        Ok(false)
    }

    fn note_dead_end(&self, link: &Link<'a>) {
        let Some(extension) = link.certificate.extensions.authority_info_access else { return };
        let urls: Vec<String> =
            distribution::access_urls(extension, crate::format::oid::ACCESS_CA_ISSUERS);
        let fetch = CertificateFetch { certificate: link.reference, urls };
        let mut dead_ends = self.dead_ends.borrow_mut();
        if !fetch.urls.is_empty() && !dead_ends.contains(&fetch) {
            dead_ends.push(fetch);
        }
    }
}
