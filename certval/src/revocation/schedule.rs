//! When to fetch which CRL or OCSP response from where, so that the store is never behind.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use adit_platform::{Rng, UnixTime};

use crate::anchor::TrustAnchor;
use crate::files::ldap::{LdapUrl, LdapUrlError};
use crate::format::certificate::Certificate;
use crate::revocation::crl::CrlError;
use crate::revocation::distribution;
use crate::revocation::fetch::Source;
use crate::revocation::ocsp::OcspError;
use crate::revocation::store::CrlStore;
use crate::verifier::Verifier;

/// Keeps the revocation information in a [`CrlStore`] fresh, without a clock or a socket of its own.
///
/// Call [`next_fetch`](Self::next_fetch) until it has nothing, fetch what it names, give every outcome to
/// [`fetched`](Self::fetched), and call it again then and at [`poll_timeout`](Self::poll_timeout). The sources of
/// a point are tried in turn, a backup at once when the one before it failed; when all have failed the point
/// waits, twice as long each time and up to an hour. What is already in the store is lost by none of this.
///
/// ```
/// use adit_certval::{CrlStore, FetchPoint, Location, Refresh, RevocationSchedule, Source, Verifier};
/// use adit_platform::{Rng, UnixTime};
///
/// # fn get(url: &str) -> Result<Vec<u8>, String> { Err("unreachable".into()) }
/// # fn search(url: &adit_certval::LdapUrl) -> Result<Vec<u8>, String> { Err("unreachable".into()) }
/// fn refresh(
///     schedule: &mut RevocationSchedule, now: UnixTime, verifier: &Verifier, store: &mut CrlStore,
///     rng: &mut dyn Rng,
/// ) {
///     while let Some(wanted) = schedule.next_fetch(now) {
///         let result = match &wanted.location {
///             Location::Http(url) => get(url),
///             Location::Ldap(url) => search(url),
///         };
///         if let Err(error) = schedule.fetched(now, wanted.point, result, verifier, store, rng) {
///             println!("{}: {error}", wanted.source.url());
///         }
///     }
/// }
///
/// let mut schedule = RevocationSchedule::new();
/// let now = UnixTime::from_secs(1_735_689_600);
/// let crl = |url: &str| Source::Crl { url: url.into() };
/// let primary = crl("http://pki.example/ca.crl");
/// let backup = crl("ldap://dir.example/CN=CA?certificateRevocationList?base");
/// let point = FetchPoint::new(vec![primary, backup], Refresh::every_hours(24)?);
/// schedule.add(now, point)?;
/// assert_eq!(schedule.poll_timeout(), Some(now));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RevocationSchedule {
    points: BTreeMap<PointId, Point>,
    /// When each point wants attention.
    queue: BTreeSet<(UnixTime, PointId)>,
    last: u64,
}

/// Something to keep at hand: a CRL, or the OCSP response about one certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct FetchPoint {
    /// Where it can be had: the primary source first, then its backups.
    pub sources: Vec<Source>,
    /// When it is fetched anew.
    pub refresh: Refresh,
    /// CA certificates in DER that may have signed it, besides those that the verifier knows.
    pub certificates: Vec<Vec<u8>>,
}

/// When something that was fetched is fetched anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Refresh(Interval);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Interval {
    #[default]
    NextUpdate,
    Hours(u16),
    Never,
}

/// Names a point of a [`RevocationSchedule`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PointId(u64);

/// What to fetch now.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ScheduledFetch {
    /// For the answer.
    pub point: PointId,
    /// A CRL to get, or an OCSP request to send.
    pub source: Source,
    /// Its URL, read.
    pub location: Location,
}

/// Where something is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Location {
    /// An `http://` or `https://` URL.
    Http(String),
    /// An `ldap://` or `ldaps://` URL.
    Ldap(LdapUrl),
}

/// An interval that is not between 1 and 9999 hours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RefreshError {
    /// The interval in hours.
    pub hours: u32,
}

impl fmt::Display for RefreshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a refresh interval of {} hours is not between 1 and 9999", self.hours)
    }
}

impl core::error::Error for RefreshError {}

/// Why a point is not scheduled.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ScheduleError {
    /// It names no source.
    NoSource,
    /// A URL that is neither HTTP nor LDAP, or LDAP for an OCSP responder.
    UnsupportedUrl(String),
    /// An LDAP URL that cannot be read.
    LdapUrl(LdapUrlError),
    /// There are [`RevocationSchedule::MAX_POINTS`] already, and none of them fails.
    Full,
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSource => f.write_str("nowhere to fetch from"),
            Self::UnsupportedUrl(url) => write!(f, "cannot fetch from {url}"),
            Self::LdapUrl(error) => error.fmt(f),
            Self::Full => f.write_str("too many points in the schedule"),
        }
    }
}

impl core::error::Error for ScheduleError {}

/// Why a fetch brought nothing that helps. The schedule goes on by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FetchError {
    /// Nothing came; the host's words.
    Unreachable(String),
    /// The CRL was not taken.
    Crl(CrlError),
    /// The OCSP response was not taken.
    Ocsp(OcspError),
    /// It was taken, but its `nextUpdate` has passed: the source is behind.
    Stale,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) => write!(f, "unreachable: {reason}"),
            Self::Crl(error) => error.fmt(f),
            Self::Ocsp(error) => error.fmt(f),
            Self::Stale => f.write_str("not up to date"),
        }
    }
}

impl core::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Crl(error) => Some(error),
            Self::Ocsp(error) => Some(error),
            Self::Unreachable(_) | Self::Stale => None,
        }
    }
}

impl Refresh {
    /// Shortly before the next one is due, as `nextUpdate` says; after a day where nothing says so. The default.
    pub const BY_NEXT_UPDATE: Self = Self(Interval::NextUpdate);

    /// Not at all: the point is forgotten once it was fetched, or when the pause after its failure is over.
    pub const NEVER: Self = Self(Interval::Never);

    /// Every so many hours.
    ///
    /// # Errors
    /// If it is not between 1 and 9999.
    pub fn every_hours(hours: u32) -> Result<Self, RefreshError> {
        match u16::try_from(hours) {
            Ok(fit @ 1..=9999) => Ok(Self(Interval::Hours(fit))),
            _ => Err(RefreshError { hours }),
        }
    }
}

impl FetchPoint {
    /// A point with these sources, the primary one first.
    pub fn new(sources: Vec<Source>, refresh: Refresh) -> Self {
        Self { sources, refresh, certificates: Vec::new() }
    }

    /// The CRL that was set by hand for an anchor; `None` if there is none.
    pub fn of_anchor(anchor: &TrustAnchor) -> Option<Self> {
        let urls = anchor.distribution_points.iter();
        let sources: Vec<Source> = urls.map(|url| Source::Crl { url: url.clone() }).collect();
        (!sources.is_empty()).then(|| Self::new(sources, anchor.refresh))
    }

    /// The CRLs that a certificate names (RFC 5280 sections 4.2.1.13 and 4.2.1.15), each with its backups:
    /// distribution points whose URLs are all of schemes that nobody fetches are left out.
    pub fn of_certificate(certificate: &Certificate<'_>, refresh: Refresh) -> Vec<Self> {
        let extensions = &certificate.extensions;
        let both = [extensions.crl_distribution_points, extensions.freshest_crl];
        let points = both.into_iter().flatten().flat_map(|extension| {
            distribution::read_points(extension, certificate.issuer()).unwrap_or_default()
        });
        let points = points.map(|point| {
            let urls = point.urls.iter().map(|url| Source::Crl { url: (*url).into() });
            Self::new(urls.filter(|source| Location::of(source).is_ok()).collect(), refresh)
        });
        points.filter(|point| !point.sources.is_empty()).collect()
    }
}

impl Location {
    /// Reads the URL of a source.
    ///
    /// # Errors
    /// If nothing can be fetched from there.
    pub fn of(source: &Source) -> Result<Self, ScheduleError> {
        let url = source.url();
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        let is = |name: &str| scheme.eq_ignore_ascii_case(name);
        match source {
            _ if is("http") || is("https") => Ok(Self::Http(url.into())),
            Source::Crl { .. } if is("ldap") || is("ldaps") => {
                LdapUrl::parse(url).map(Self::Ldap).map_err(ScheduleError::LdapUrl)
            }
            _ => Err(ScheduleError::UnsupportedUrl(url.into())),
        }
    }
}

#[derive(Clone, Debug)]
struct Point {
    what: FetchPoint,
    /// The source that is being asked or will be asked next.
    source: usize,
    /// How often in a row all sources have failed.
    failures: u32,
    state: State,
    /// When it wants attention: what stands in the queue.
    at: UnixTime,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// To be fetched at its time.
    Due,
    /// Being fetched; counts as failed at its time.
    Running,
}

/// How long the host may take for a fetch; an answer that comes later is not waited for.
const FETCH_TIME: Duration = Duration::from_secs(600);

/// The first pause after all sources of a point have failed; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(60);

/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The shortest time between two fetches that went well.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(300);

/// Until a CRL or response that does not say when the next one comes is fetched anew.
const DAY: Duration = Duration::from_secs(86_400);

impl RevocationSchedule {
    /// The most points that it keeps.
    pub const MAX_POINTS: usize = 4096;

    /// A schedule of nothing.
    pub const fn new() -> Self {
        Self { points: BTreeMap::new(), queue: BTreeSet::new(), last: 0 }
    }

    /// Adds a point, to be fetched at once. One with the same sources is there once: its name is given, it takes
    /// over the certificates, and whatever it waits for goes on.
    ///
    /// # Errors
    /// If one of its URLs is of no use, or there are too many points.
    pub fn add(&mut self, now: UnixTime, point: FetchPoint) -> Result<PointId, ScheduleError> {
        if point.sources.is_empty() {
            return Err(ScheduleError::NoSource);
        }
        for source in &point.sources {
            Location::of(source)?;
        }
        let same = self.points.iter_mut().find(|(_, old)| same_place(&old.what, &point));
        if let Some((id, old)) = same {
            if point.refresh != Refresh::NEVER {
                old.what.refresh = point.refresh;
            }
            // Whoever wants it now knows best who signs it now.
            if !point.certificates.is_empty() {
                old.what.certificates = point.certificates;
            }
            return Ok(*id);
        }
        if self.points.len() >= Self::MAX_POINTS {
            // Whatever was unreachable for longest makes room.
            let failing = self.points.iter().filter(|(_, point)| point.failures > 0);
            let worst = failing.max_by_key(|(_, point)| point.failures).map(|(id, _)| *id);
            self.remove(worst.ok_or(ScheduleError::Full)?);
        }
        self.last += 1;
        let id = PointId(self.last);
        let state = State::Due;
        self.queue.insert((now, id));
        self.points.insert(id, Point { what: point, source: 0, failures: 0, state, at: now });
        Ok(id)
    }

    /// Forgets a point; an answer to its fetch is ignored.
    pub fn remove(&mut self, id: PointId) {
        if let Some(point) = self.points.remove(&id) {
            self.queue.remove(&(point.at, id));
        }
    }

    /// The points in the order in which they were added.
    pub fn points(&self) -> impl Iterator<Item = (PointId, &FetchPoint)> {
        self.points.iter().map(|(id, point)| (*id, &point.what))
    }

    /// Whether a point is being fetched or about to be: waiting for it makes sense. A point that failed and
    /// pauses is not pending.
    pub fn is_pending(&self, now: UnixTime, id: PointId) -> bool {
        let point = self.points.get(&id);
        point.is_some_and(|point| match point.state {
            State::Running => true,
            State::Due => point.at <= now && !point.is_over(),
        })
    }

    /// The next thing to fetch, if one is due.
    pub fn next_fetch(&mut self, now: UnixTime) -> Option<ScheduledFetch> {
        while let Some(&(at, id)) = self.queue.first().filter(|(at, _)| *at <= now) {
            self.queue.remove(&(at, id));
            let Some(point) = self.points.get_mut(&id) else { continue };
            if point.is_over() {
                self.points.remove(&id);
                continue;
            }
            if point.state == State::Running {
                // Never answered. Without randomness at hand the pause is exact here.
                point.failed(now, NO_JITTER);
                self.queue.insert((point.at, id));
                continue;
            }
            let source = point.what.sources.get(point.source).cloned();
            let Some(source) = source else { continue };
            let Ok(location) = Location::of(&source) else { continue };
            point.state = State::Running;
            point.at = now.saturating_add(FETCH_TIME);
            self.queue.insert((point.at, id));
            return Some(ScheduledFetch { point: id, source, location });
        }
        None
    }

    /// Takes what was fetched, or in the host's words why nothing was, and puts it into the store. `rng` spreads
    /// the clients of a CA in time.
    ///
    /// # Errors
    /// If it does not help, for the host's log.
    pub fn fetched(
        &mut self,
        now: UnixTime,
        id: PointId,
        result: Result<Vec<u8>, String>,
        verifier: &Verifier,
        store: &mut CrlStore,
        rng: &mut dyn Rng,
    ) -> Result<(), FetchError> {
        let Some(point) = self.points.get_mut(&id) else { return Ok(()) };
        if point.state != State::Running {
            return Ok(());
        }
        let next_update = result
            .map_err(FetchError::Unreachable)
            .and_then(|der| point.insert(der, verifier, store))
            .and_then(|next| match next {
                Some(next) if next <= signed(now) => Err(FetchError::Stale),
                next => Ok(next),
            });
        self.queue.remove(&(point.at, id));
        let outcome = match next_update {
            Ok(_) if point.what.refresh == Refresh::NEVER => {
                self.points.remove(&id);
                return Ok(());
            }
            Ok(next) => {
                point.succeeded(now, next, jitter(rng));
                Ok(())
            }
            Err(error) => {
                point.failed(now, jitter(rng));
                Err(error)
            }
        };
        self.queue.insert((point.at, id));
        outcome
    }

    /// When [`next_fetch`](Self::next_fetch) will have something, unless an answer comes before.
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        self.queue.first().map(|(at, _)| *at)
    }
}

impl Point {
    /// Whether there is nothing left to do for it.
    fn is_over(&self) -> bool {
        self.failures > 0 && self.source == 0 && self.what.refresh == Refresh::NEVER
    }

    fn insert(
        &self,
        der: Vec<u8>,
        verifier: &Verifier,
        store: &mut CrlStore,
    ) -> Result<Option<i64>, FetchError> {
        let certificates: Vec<&[u8]> = self.what.certificates.iter().map(Vec::as_slice).collect();
        match self.what.sources.get(self.source) {
            Some(Source::Ocsp { request, .. }) => store
                .insert_ocsp(verifier, &der, &certificates, Some(request))
                .map(|response| response.next_update())
                .map_err(FetchError::Ocsp),
            _ => store
                .insert(verifier, der, &certificates)
                .map(|crl| crl.next_update())
                .map_err(FetchError::Crl),
        }
    }

    fn succeeded(&mut self, now: UnixTime, next_update: Option<i64>, jitter: u16) {
        (self.source, self.failures, self.state) = (0, 0, State::Due);
        let interval = match (self.what.refresh.0, next_update) {
            (Interval::Hours(hours), _) => Duration::from_secs(u64::from(hours) * 3600),
            (_, None) => DAY,
            (_, Some(next)) => {
                let left = next.saturating_sub(signed(now));
                // Before the old one ends, and not all clients at the same second.
                Duration::from_secs(u64::try_from(left).unwrap_or(0)) / 20 * 19
            }
        };
        let early = interval / 20 * u32::from(jitter) / u32::from(u16::MAX);
        self.at = now.saturating_add((interval - early).max(SHORTEST_INTERVAL));
    }

    /// The backup is tried at once; when there is none left, all again after a pause.
    fn failed(&mut self, now: UnixTime, jitter: u16) {
        self.state = State::Due;
        self.source += 1;
        if self.source < self.what.sources.len() {
            self.at = now;
            return;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE);
        // From three quarters of it to five.
        let pause = pause / 4 * 3 + pause / 2 * u32::from(jitter) / u32::from(u16::MAX);
        (self.source, self.failures) = (0, self.failures.saturating_add(1));
        self.at = now.saturating_add(pause);
    }
}

/// Whether two points are one: the same things from the same places.
fn same_place(a: &FetchPoint, b: &FetchPoint) -> bool {
    a.sources == b.sources
}

fn signed(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// In the middle of what [`jitter`] gives.
const NO_JITTER: u16 = u16::MAX / 2;

/// A uniform number. Where it does not come, clients are less spread, and nothing else.
fn jitter(rng: &mut dyn Rng) -> u16 {
    let mut bytes = [0; 2];
    rng.fill(&mut bytes).map_or(NO_JITTER, |()| u16::from_be_bytes(bytes))
}
