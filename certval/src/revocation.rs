//! Whether the certificates of a path are revoked: CRL validation by RFC 5280 section 6.3.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::algorithm;
use crate::anchor::{Revocation, TrustAnchor};
use crate::certificate::Spki;
use crate::crl::{Crl, Entry};
use crate::distribution::{self, DistributionPoint, Reasons};
use crate::error::{CertificateRef, Error, Limit, Reason, RevocationReason};
use crate::extension::KeyUsage;
use crate::fetch::Fetch;
use crate::path::{Link, Search};
use crate::store::compare_numbers;
use crate::verifier::Warning;

/// What a check of a whole path came to, if nothing in it is revoked.
pub(crate) enum Checked {
    Done(Vec<Warning>),
    Needs(Vec<Fetch>),
}

/// What is known of one certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Status {
    Good,
    Revoked(Entry),
    Unknown,
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
            Status::Unknown => unknown.push(&path[position]),
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
        let fetches: Vec<Fetch> = unknown.iter().filter_map(|link| fetch(anchor, link)).collect();
        if !fetches.is_empty() {
            return Ok(Checked::Needs(fetches));
        }
    }
    match (anchor.revocation, unknown.first()) {
        (Revocation::Require, Some(link)) => {
            Err(Error::new(link.reference, Reason::RevocationUnknown))
        }
        _ => Ok(Checked::Done(
            unknown.iter().map(|link| Warning::RevocationUnknown(link.reference)).collect(),
        )),
    }
}

/// Where the revocation status of a certificate can be had; `None` if nobody says.
fn fetch(anchor: &TrustAnchor, link: &Link<'_>) -> Option<Fetch> {
    let mut urls = anchor.distribution_points.clone();
    let extensions = &link.certificate.extensions;
    for extension in [extensions.crl_distribution_points, extensions.freshest_crl] {
        let Some(extension) = extension else { continue };
        let points = distribution::read_points(extension, link.certificate.issuer());
        for url in points.unwrap_or_default().iter().flat_map(|point| &point.urls) {
            if !urls.iter().any(|known| known == url) {
                urls.push(String::from(*url));
            }
        }
    }
    (!urls.is_empty()).then_some(Fetch { certificate: link.reference, urls })
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
    /// Section 6.3.3 for one certificate of a path whose structure is valid.
    fn status(&mut self, path: &[Link<'a>], position: usize) -> Result<Status, Error> {
        let link = &path[position];
        let certificate = &link.certificate;
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
        let now = i64::try_from(self.search.query.time.as_secs()).unwrap_or(i64::MAX);
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
                return Ok(true);
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
