//! Whether the certificates of a path are revoked: CRLs by RFC 5280 section 6.3, OCSP responses by RFC 6960
//! section 3.2. Revoked by either is revoked, good by either suffices.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use adit_platform::hash::HashAlgorithm;

use crate::anchor::{Revocation, StatusSource, TrustAnchor};
use crate::error::{CertificateRef, Error, Limit, Reason, RevocationReason};
use crate::format::algorithm;
use crate::format::certificate::{Certificate, Spki};
use crate::format::extension::KeyUsage;
use crate::path::search::{Link, Search};
use crate::revocation::crl::{Crl, Entry};
use crate::revocation::distribution::{self, DistributionPoint, Reasons};
use crate::revocation::fetch::{Fetch, Source};
use crate::revocation::ocsp::{OcspResponse, Single, Status};
use crate::revocation::ocsp_request::OcspRequest;
use crate::revocation::responder::Authority;
use crate::revocation::store::compare_numbers;
use crate::verifier::Warning;

/// What a check of a whole path came to, if nothing in it is revoked.
pub(crate) enum Checked {
    Done(Vec<Warning>),
    Needs(Vec<Fetch>),
}

/// How deep the signers of CRLs may hang from each other: a CRL signer whose certificate is covered by a CRL
/// of another signer, and so on. PKITS has 1.
const MAX_SIGNER_DEPTH: usize = 4;

/// Checks every certificate of `path` as the anchor's policy demands.
pub(crate) fn check_path<'a>(
    search: &Search<'a>,
    path: &[Link<'a>],
    anchor_index: usize,
) -> Result<Checked, Error> {
    let Some(anchor) = search.verifier.anchors.get(anchor_index) else {
        return Err(Error::general(Reason::NoTrustAnchor));
    };
    if anchor.revocation == Revocation::Ignore {
        return Ok(Checked::Done(Vec::new()));
    }
    let mut check = Check { search, anchor, anchor_index, signers: Vec::new() };
    let mut unknown = Vec::new();
    for position in (0..path.len()).rev() {
        match check.status(path, position)? {
            Status::Good => {}
            Status::Unknown => unknown.push(position),
            Status::Revoked(entry) => {
                let reason = Reason::Revoked {
                    since: entry.since,
                    reason: entry.reason,
                    invalid_since: entry.invalid_since,
                };
                return Err(Error::new(path[position].reference, reason));
            }
        }
    }
    if search.query.may_fetch {
        let wanted = unknown.iter().filter_map(|&at| fetch(search, anchor, path, at));
        let fetches: Vec<Fetch> = wanted.collect();
        if !fetches.is_empty() {
            return Ok(Checked::Needs(fetches));
        }
    }
    let mut unknown = unknown.iter().filter_map(|&at| Some(path.get(at)?.reference));
    match anchor.revocation {
        Revocation::Require => match unknown.next() {
            Some(certificate) => Err(Error::new(certificate, Reason::RevocationUnknown)),
            None => Ok(Checked::Done(Vec::new())),
        },
        _ => Ok(Checked::Done(unknown.map(Warning::RevocationUnknown).collect())),
    }
}

/// Where the revocation status of the certificate at this position can be had; `None` if nobody says.
fn fetch<'a>(
    search: &Search<'a>,
    anchor: &TrustAnchor,
    path: &[Link<'a>],
    position: usize,
) -> Option<Fetch> {
    let link = path.get(position)?;
    let certificate = &*link.certificate;
    let mut crls: Vec<&str> = anchor.distribution_points.iter().map(|url| &url[..]).collect();
    for extension in
        [certificate.extensions.crl_distribution_points, certificate.extensions.freshest_crl]
    {
        let Some(extension) = extension else { continue };
        let points = distribution::read_points(extension, certificate.issuer());
        for url in points.unwrap_or_default().iter().flat_map(|point| &point.urls) {
            if !crls.contains(url) {
                crls.push(url);
            }
        }
    }
    let crls = crls.into_iter().map(|url| Source::Crl { url: url.into() });
    let mut responders = anchor.ocsp_urls.clone();
    responders.extend(certificate.ocsp_urls());
    let provider = &search.verifier.provider;
    let issuer = issuer_key(anchor, path, position);
    // Every responder understands SHA-1 here (RFC 5019 section 2.1.1), where nothing hangs on its strength.
    let request = issuer.and_then(|key| {
        let of = |hash| OcspRequest::of(provider, hash, certificate, key);
        of(HashAlgorithm::Sha1).or_else(|| of(HashAlgorithm::Sha256))
    });
    let responders = responders
        .into_iter()
        .filter_map(|url| Some(Source::Ocsp { url, request: request.clone()? }));
    let sources: Vec<Source> = match anchor.preferred {
        StatusSource::Crl => crls.chain(responders).collect(),
        StatusSource::Ocsp => responders.chain(crls).collect(),
    };
    (!sources.is_empty()).then_some(Fetch { certificate: link.reference, sources })
}

/// The key that issued the certificate at this position of a path.
fn issuer_key<'k>(
    anchor: &'k TrustAnchor,
    path: &'k [Link<'_>],
    position: usize,
) -> Option<Spki<'k>> {
    match path.get(position + 1) {
        Some(issuer) => Some(issuer.certificate.spki),
        None => anchor.spki(),
    }
}

struct Check<'s, 'a> {
    search: &'s Search<'a>,
    anchor: &'s TrustAnchor,
    anchor_index: usize,
    /// Certificates of CRL signers that are being validated right now, by reference. Their own status may
    /// depend on the CRL that they signed; it then rests on that CRL not listing them.
    signers: Vec<CertificateRef>,
}

impl<'a> Check<'_, 'a> {
    /// The status of one certificate of a path whose structure is valid.
    fn status(&mut self, path: &[Link<'a>], position: usize) -> Result<Status, Error> {
        let Some(link) = path.get(position) else { return Ok(Status::Unknown) };
        let by_ocsp = self.ocsp_status(&link.certificate, path, position)?;
        if let Status::Revoked(_) = by_ocsp {
            return Ok(by_ocsp);
        }
        match self.crl_status(&link.certificate, path, position)? {
            Status::Unknown => Ok(by_ocsp),
            by_crl => Ok(by_crl),
        }
    }

    /// RFC 6960 section 3.2 for the certificate, or one of the same issuer.
    fn ocsp_status(
        &mut self,
        certificate: &Certificate<'_>,
        path: &[Link<'a>],
        position: usize,
    ) -> Result<Status, Error> {
        let serial = certificate.serial_number();
        let search = self.search;
        let stored = search.store.about(serial).iter().map(|response| &**response);
        let mut responses = stored.chain(search.stapled()).peekable();
        let Some(issuer) = issuer_key(self.anchor, path, position) else {
            return Ok(Status::Unknown);
        };
        if responses.peek().is_none() {
            return Ok(Status::Unknown);
        }
        let reference = path.get(position).map(|link| link.reference);
        let issuer_name = certificate.issuer();
        let mut status = Status::Unknown;
        for response in responses {
            search
                .meter
                .spend(Limit::Crls)
                .map_err(|reason| Error { certificate: reference, ..Error::general(reason) })?;
            let mut says = Status::Unknown;
            let provider = &search.verifier.provider;
            let about = response.singles().filter(|single| {
                single.id.serial == serial
                    && single.id.is_issued_by(provider, issuer_name.as_der(), issuer)
            });
            for single in about {
                let unsaid = says == Status::Unknown;
                match single.status {
                    // An old response still revokes, as an old CRL does.
                    Status::Revoked(_) => says = single.status,
                    Status::Good if unsaid && self.is_news(response, &single, certificate) => {
                        says = Status::Good;
                    }
                    _ => {}
                }
            }
            if says == Status::Unknown || contradicts(response, serial, says) {
                continue;
            }
            let canonical = issuer_name.canonical();
            let authorized = match response.authority_for(issuer.der, &canonical, self.anchor) {
                None => false,
                Some(Authority::Own) => true,
                Some(Authority::Delegated(responder)) => {
                    self.responder_is_valid(&responder, path, position)?
                }
            };
            match says {
                Status::Revoked(_) if authorized => return Ok(says),
                Status::Good if authorized => status = says,
                _ => {}
            }
        }
        Ok(status)
    }

    /// Whether a response speaks of now, and of certificates as old as this one.
    fn is_news(
        &self,
        response: &OcspResponse,
        single: &Single<'_>,
        certificate: &Certificate<'_>,
    ) -> bool {
        let now = self.now();
        let soon = now.saturating_add(CLOCK_SKEW);
        let until = match (self.anchor.max_ocsp_age, single.next_update) {
            (Some(age), next) => {
                let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
                single.this_update.saturating_add(age).min(next.unwrap_or(i64::MAX))
            }
            (None, Some(next)) => next,
            (None, None) => single.this_update.saturating_add(DAY),
        };
        //= RFC 6960 section 2.4
        // A status cannot have been known to be right after the response was signed.
        let produced = response.produced_at();
        let plausible =
            produced <= soon && single.this_update <= produced.saturating_add(CLOCK_SKEW);
        let kept = single.archive_cutoff.is_none_or(|cutoff| cutoff <= certificate.not_after);
        plausible && single.this_update <= soon && now <= until && kept
    }

    /// RFC 6960 section 4.2.2.2.1: a responder's own certificate, issued by the same key as the one in question,
    /// is valid and either exempt from being checked, or not revoked. Where it does not say how its status can
    /// be had, it need not be known.
    fn responder_is_valid(
        &mut self,
        responder: &Certificate<'_>,
        path: &[Link<'a>],
        position: usize,
    ) -> Result<bool, Error> {
        let now = self.now();
        if now < responder.not_before || now > responder.not_after {
            return Ok(false);
        }
        let extensions = &responder.extensions;
        if extensions.ocsp_no_check.is_some() {
            return Ok(true);
        }
        let says_how =
            extensions.crl_distribution_points.is_some() || !responder.ocsp_urls().is_empty();
        match self.crl_status(responder, path, position) {
            Err(error) if matches!(error.reason, Reason::BudgetExceeded(_)) => Err(error),
            Ok(Status::Good) => Ok(true),
            Ok(Status::Revoked(_)) | Err(_) => Ok(false),
            Ok(Status::Unknown) => Ok(!says_how || self.anchor.revocation != Revocation::Require),
        }
    }

    fn now(&self) -> i64 {
        i64::try_from(self.search.query.time.as_secs()).unwrap_or(i64::MAX)
    }

    /// RFC 5280 section 6.3.3 for the certificate at this position, or another of the same issuer.
    fn crl_status(
        &mut self,
        certificate: &Certificate<'_>,
        path: &[Link<'a>],
        position: usize,
    ) -> Result<Status, Error> {
        let Some(link) = path.get(position) else { return Ok(Status::Unknown) };
        let malformed = |error| Error::new(link.reference, Reason::Malformed(error));
        let basic = certificate.extensions.basic_constraints().map_err(malformed)?;
        let target = Target {
            serial: certificate.serial_number(),
            issuer: certificate.issuer().canonical(),
            is_ca: basic.is_some_and(|basic| basic.ca),
        };
        let mut points = match certificate.extensions.crl_distribution_points {
            Some(extension) => {
                distribution::read_points(extension, certificate.issuer()).map_err(malformed)?
            }
            None => Vec::new(),
        };
        points.push(DistributionPoint::of_issuer(&target.issuer));

        let mut known = Reasons::NONE;
        for point in &points {
            let own_issuer = core::slice::from_ref(&target.issuer);
            for issuer in point.crl_issuers.as_deref().unwrap_or(own_issuer) {
                let crls = self.search.store.of_issuer(issuer);
                for crl in crls.iter().filter(|crl| !crl.is_delta()) {
                    self.search
                        .meter
                        .spend(Limit::Crls)
                        .map_err(|reason| Error::new(link.reference, reason))?;
                    if !covers(crl, point, &target) {
                        continue;
                    }
                    let reasons = crl.parts().scope.reasons.and(point.reasons);
                    let signer = self.signer_is_valid(path, position, crl)?;
                    if !signer {
                        continue;
                    }
                    if let Some(entry) = self.entry(crl, crls, &target) {
                        return Ok(Status::Revoked(entry));
                    }
                    // An old CRL still revokes, but proves nothing for those that it does not list.
                    if reasons.adds_to(known) && self.is_current(crl) {
                        known = known.or(reasons);
                    }
                }
            }
            if !Reasons::ALL.adds_to(known) {
                return Ok(Status::Good);
            }
        }
        Ok(Status::Unknown)
    }

    /// Section 6.3.3 (c) and (h) to (k): the entry in the newest delta that completes `crl`, or in itself.
    fn entry(&self, crl: &Crl, all: &[Arc<Crl>], target: &Target<'_>) -> Option<Entry> {
        let entry = crl.lookup(target.serial, &target.issuer);
        let delta = all.iter().filter(|delta| completes(delta, crl) && self.is_current(delta));
        let newest = delta.max_by(|a, b| match (a.number(), b.number()) {
            (Some(a), Some(b)) => compare_numbers(a, b),
            _ => Ordering::Equal,
        });
        match newest.and_then(|delta| delta.lookup(target.serial, &target.issuer)) {
            Some(entry) if entry.reason == RevocationReason::REMOVE_FROM_CRL => None,
            Some(entry) => Some(entry),
            None => entry.filter(|entry| entry.reason != RevocationReason::REMOVE_FROM_CRL),
        }
    }

    fn is_current(&self, crl: &Crl) -> bool {
        let now = self.now();
        let young = self.anchor.max_crl_age.is_none_or(|age| {
            let age = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
            now <= crl.this_update().saturating_add(age)
        });
        young && crl.this_update() <= now && crl.next_update().is_none_or(|next| now <= next)
    }

    /// Section 6.3.3 (f): the key that signed the CRL belongs to the issuer of the certificate, or to a CRL
    /// signer with a valid path to the same anchor.
    fn signer_is_valid(
        &mut self,
        path: &[Link<'a>],
        position: usize,
        crl: &Crl,
    ) -> Result<bool, Error> {
        if let Some(issuer) = path.get(position + 1)
            && self.working_key(path, position + 1).is_some_and(|key| *key.identity() == crl.signer)
            && issuer.certificate.subject().canonical() == crl.parts().issuer
        {
            let usage = issuer.certificate.extensions.key_usage().unwrap_or(None);
            return Ok(usage.is_none_or(|usage| usage.has_any(KeyUsage::CRL_SIGN)));
        }
        if self.anchor.subject_public_key_info() == crl.signer
            && self.anchor.name().is_some_and(|name| name.canonical() == crl.parts().issuer)
        {
            return Ok(self.anchor.may_sign_crls());
        }
        if self.signers.len() >= MAX_SIGNER_DEPTH {
            return Ok(false);
        }
        for candidate in self.search.by_subject(&crl.parts().issuer) {
            if !crl.signer.starts_with(candidate.certificate.spki.der) {
                continue;
            }
            if self.signers.contains(&candidate.reference) {
                // Which parameters it inherits is not settled before its path is.
                return Ok(candidate.certificate.spki.der == crl.signer);
            }
            self.signers.push(candidate.reference);
            let (search, anchor) = (self.search, self.anchor_index);
            let valid = search.crl_issuer_path(candidate, anchor, &mut |signer_path| {
                let key = self.working_key(signer_path, 0);
                if key.is_none_or(|key| *key.identity() != crl.signer) {
                    return Ok(false);
                }
                for position in (0..signer_path.len()).rev() {
                    let status = self.status(signer_path, position)?;
                    let fatal = match status {
                        Status::Good => false,
                        Status::Revoked(_) => true,
                        Status::Unknown => self.anchor.revocation == Revocation::Require,
                    };
                    if fatal {
                        return Ok(false);
                    }
                }
                Ok(true)
            });
            self.signers.pop();
            if valid? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl<'s> Check<'s, '_> {
    /// The key of the certificate at this position, with what it inherits from those above it.
    fn working_key<'k>(&self, path: &[Link<'k>], position: usize) -> Option<Spki<'k>>
    where
        's: 'k,
    {
        let verifier = self.search.verifier;
        let own = path.get(position)?.certificate.spki;
        if !algorithm::inherits(verifier, own) {
            return Some(own);
        }
        let above = path.get(position..)?.iter().rev().map(|link| link.certificate.spki);
        let anchor = self.anchor.spki()?;
        Some(above.fold(anchor, |issuer, own| algorithm::working_key(verifier, own, issuer)))
    }
}

/// Whether the response says of this serial number that it does not know it, while it says otherwise too.
fn contradicts(response: &OcspResponse, serial: &[u8], says: Status) -> bool {
    says == Status::Good
        && response.singles().any(|s| s.id.serial == serial && s.status == Status::Unknown)
}

/// How far clocks may differ, in seconds: a responder that signs when it is asked is otherwise ahead of every
/// clock that is slow. As in OpenSSL.
const CLOCK_SKEW: i64 = 300;

/// Seconds that a response without `nextUpdate` counts, unless the anchor says otherwise.
const DAY: i64 = 86_400;

/// The certificate whose status is wanted.
struct Target<'a> {
    serial: &'a [u8],
    issuer: Vec<u8>,
    is_ca: bool,
}

/// Section 6.3.3 (b): whether the CRL's scope includes the certificate under this distribution point.
fn covers(crl: &Crl, point: &DistributionPoint<'_>, target: &Target<'_>) -> bool {
    let parts = crl.parts();
    let scope = &parts.scope;
    // (1)
    let right_issuer = match &point.crl_issuers {
        Some(issuers) => {
            let named = issuers.contains(&parts.issuer);
            named && (scope.indirect || parts.issuer == target.issuer)
        }
        None => parts.issuer == target.issuer,
    };
    // (2) (i)
    let right_point = match (&scope.names, &point.names, &point.crl_issuers) {
        (None, ..) => true,
        (Some(scope), Some(names), _) => scope.iter().any(|name| names.contains(name)),
        (Some(scope), None, Some(issuers)) => {
            issuers.iter().any(|issuer| scope.contains(&distribution::directory(issuer)))
        }
        (Some(_), None, None) => false,
    };
    // (2) (ii) to (iv)
    let right_kind = if target.is_ca { !scope.only_user } else { !scope.only_ca };
    right_issuer && right_point && right_kind && !scope.only_attribute
}

/// Section 6.3.3 (c): whether a delta CRL can complete a complete one.
fn completes(delta: &Crl, complete: &Crl) -> bool {
    let (Some(base), Some(number)) = (&delta.parts().delta_base, complete.number()) else {
        return false;
    };
    let newer = delta.number().is_some_and(|n| compare_numbers(n, number) != Ordering::Less);
    delta.signer == complete.signer
        && delta.parts().scope == complete.parts().scope
        && compare_numbers(base, number) != Ordering::Greater
        && newer
}
