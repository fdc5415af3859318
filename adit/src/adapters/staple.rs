//! The OCSP response that goes along with our own certificate (RFC 4806): given, or fetched and kept fresh.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use adit_certval::{
    Certificate, CertificateStatus, CrlStore, FetchPoint, OcspRequest, Refresh, RevocationSchedule,
    Source, TrustAnchor, Verifier,
};
use adit_platform::hash::HashAlgorithm;
use adit_platform::{Provider, Rng, UnixTime};

use super::certificates::{Fetch, FetchFor, FetchId};
use crate::config::{OwnCertificate, Staple};

/// Keeps the response about one certificate.
///
/// What was fetched is sent on only if it is signed by who may say so, and says that the certificate is good.
#[derive(Debug)]
pub struct Stapler {
    given: Option<Arc<[u8]>>,
    fetched: Option<Fetched>,
}

#[derive(Debug)]
struct Fetched {
    verifier: Verifier,
    store: CrlStore,
    schedule: RevocationSchedule,
    /// The newest good response, and when it ends.
    current: Option<(Arc<[u8]>, Option<i64>)>,
}

impl Stapler {
    /// One for `own`, as its [`Staple`] says. Where a response shall be fetched and the certificate names no
    /// responder, or its issuer's certificate does not stand second in the chain, there will be none.
    pub fn new(own: &OwnCertificate, provider: &Provider, unix: UnixTime) -> Self {
        match &own.staple {
            Staple::None => Self { given: None, fetched: None },
            Staple::Response(response) => {
                Self { given: Some(response.as_slice().into()), fetched: None }
            }
            Staple::Fetch => Self { given: None, fetched: fetched(own, provider, unix) },
        }
    }

    /// The response to send at this time, if there is one that still holds.
    pub fn response(&self, unix: UnixTime) -> Option<Arc<[u8]>> {
        if let Some(given) = &self.given {
            return Some(given.clone());
        }
        let (response, until) = self.fetched.as_ref()?.current.as_ref()?;
        let now = i64::try_from(unix.as_secs()).unwrap_or(i64::MAX);
        until.is_none_or(|until| now <= until).then(|| response.clone())
    }

    /// Replaces the response that was given, or that is fetched.
    pub fn set(&mut self, response: Option<&[u8]>) {
        *self = Self { given: response.map(Into::into), fetched: None };
    }

    /// The next thing to fetch.
    pub fn poll_fetch(&mut self, unix: UnixTime) -> Option<Fetch> {
        let wanted = self.fetched.as_mut()?.schedule.next_fetch(unix)?;
        Some(Fetch::scheduled(FetchFor::Staple(wanted.point), &wanted))
    }

    /// Takes what was fetched, or why it could not be. Fetches of others are let pass.
    pub fn handle_fetched(
        &mut self,
        unix: UnixTime,
        id: FetchId,
        result: &Result<Vec<u8>, String>,
        rng: &mut dyn Rng,
    ) {
        let (FetchId(FetchFor::Staple(point)), Some(own)) = (id, &mut self.fetched) else { return };
        let (verifier, store) = (&own.verifier, &mut own.store);
        // A failure leaves what is there; the schedule tries again.
        if own.schedule.fetched(unix, point, result.clone(), verifier, store, rng).is_err() {
            return;
        }
        let newest = own.store.ocsp_responses().max_by_key(|response| response.produced_at());
        let good = newest.filter(|response| {
            response.statuses().all(|single| single.status == CertificateStatus::Good)
        });
        own.current = good.map(|response| (response.as_der().into(), response.next_update()));
    }

    /// When there will be something to fetch again.
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        self.fetched.as_ref()?.schedule.poll_timeout()
    }
}

fn fetched(own: &OwnCertificate, provider: &Provider, unix: UnixTime) -> Option<Fetched> {
    let certificate = Certificate::from_der(own.chain.first()?).ok()?;
    let issuer_der = own.chain.get(1)?;
    let issuer = Certificate::from_der(issuer_der).ok()?;
    let mut verifier = Verifier::new(provider);
    verifier.add_anchor(TrustAnchor::from_der(issuer_der.clone()).ok()?);
    let request = OcspRequest::new(provider, HashAlgorithm::Sha1, &certificate, &issuer)?;
    let mut schedule = RevocationSchedule::new();
    let urls = certificate.ocsp_urls();
    let sources = urls.into_iter().map(|url| Source::Ocsp { url, request: request.clone() });
    let point = FetchPoint::new(sources.collect(), Refresh::BY_NEXT_UPDATE);
    schedule.add(unix, point).ok()?;
    Some(Fetched { verifier, store: CrlStore::new(), schedule, current: None })
}
