//! Certificates judged by certval: answers [`Ask::VerifyPeer`](adit_ikev2::Ask::VerifyPeer), now or when what
//! is missing has been fetched.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use adit_certval::{
    CertificateFetch, CrlStore, Error, FetchPoint, Outcome, PointId, Purpose, Query, Refresh,
    Revocation, RevocationSchedule, ScheduledFetch, Source, VerifiedPath, Verifier,
    read_certificates,
};
use adit_ikev2::wire::CertEncoding;
use adit_ikev2::{Identity, Ticket, VerifiedKey};
use adit_platform::{Instant, Provider, Rng, UnixTime};

use crate::config::Trust;

/// The most URLs that are tried for one peer: it chooses them, so it must not choose how many.
const MAX_URLS: usize = 16;

/// The most peers that wait for fetches at a time.
const MAX_WAITING: usize = 1000;

/// The most certificates that are kept for one peer, those that were fetched included.
const MAX_CHAIN: usize = 64;

/// The most issuers that were fetched and proved useful which are kept for later peers.
const MAX_LEARNED: usize = 256;

/// Names a [`Fetch`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FetchId(pub(super) FetchFor);

/// Who waits for a fetch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum FetchFor {
    /// The store of revocation information.
    Store(PointId),
    /// Peers whose issuer is missing.
    Issuer(u64),
    /// Our own certificate.
    Staple(PointId),
}

/// Something that the host has to fetch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// For the answer.
    pub id: FetchId,
    /// Where it is: an HTTP URL, or the LDAP URL of a CRL.
    pub url: String,
    /// What to send there by POST as `application/ocsp-request`; `None` is a plain GET.
    pub post: Option<Vec<u8>>,
}

impl Fetch {
    pub(super) fn scheduled(id: FetchFor, wanted: &ScheduledFetch) -> Self {
        let post = match &wanted.source {
            Source::Ocsp { request, .. } => Some(request.to_der()),
            _ => None,
        };
        Self { id: FetchId(id), url: wanted.source.url().into(), post }
    }
}

/// What became of one peer's certificate.
#[derive(Debug)]
pub struct Verdict {
    /// The question that it answers.
    pub ticket: Ticket<VerifiedKey>,
    /// The path that was found, or why there is none.
    pub result: Result<VerifiedPath, Error>,
}

/// Judges peers' certificates for one endpoint.
///
/// [`check`](Self::check) a peer, then drain [`poll_fetch`](Self::poll_fetch) and
/// [`poll_verdict`](Self::poll_verdict); give each fetch's result to
/// [`handle_fetched`](Self::handle_fetched) and drain again, and [`poll_fetch`](Self::poll_fetch) at
/// [`poll_timeout`](Self::poll_timeout) too. CRLs that were fetched serve all later peers, and are fetched anew
/// before they run out.
#[derive(Debug)]
pub struct CertificateChecker {
    provider: Provider,
    verifier: Verifier,
    crls: CrlStore,
    fetch: bool,
    purpose: Purpose,
    schedule: RevocationSchedule,
    /// Fetches of issuers, by URL.
    running: BTreeMap<String, u64>,
    last_fetch: u64,
    learned: usize,
    waiting: Vec<Waiting>,
    fetches: VecDeque<Fetch>,
    verdicts: VecDeque<Verdict>,
}

/// A peer whose verdict waits for fetches.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket<VerifiedKey>,
    peer_id: Identity,
    chain: Vec<Vec<u8>>,
    /// How many of the chain the peer sent; the others were fetched.
    sent: usize,
    /// CRLs and OCSP responses that the peer sent. They count for it alone until it is believed.
    crls: Vec<Vec<u8>>,
    stapled: Vec<Vec<u8>>,
    tried: BTreeSet<String>,
    open: BTreeSet<FetchId>,
}

impl CertificateChecker {
    /// A checker of certificates that are to be used for `purpose`.
    pub fn new(trust: Trust, purpose: Purpose, provider: Provider, unix: UnixTime) -> Self {
        let mut schedule = RevocationSchedule::new();
        if trust.fetch {
            for point in trust.verifier.anchors().iter().filter_map(FetchPoint::of_anchor) {
                // A URL that nobody can fetch is missed when a certificate needs it.
                let _ = schedule.add(unix, point);
            }
        }
        Self {
            provider,
            verifier: trust.verifier,
            crls: trust.crls,
            fetch: trust.fetch,
            purpose,
            schedule,
            running: BTreeMap::new(),
            last_fetch: 0,
            learned: 0,
            waiting: Vec::new(),
            fetches: VecDeque::new(),
            verdicts: VecDeque::new(),
        }
    }

    /// The anchors and intermediates.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The hashes that name our anchors in CERTREQ: RFC 7296 section 3.7.
    pub fn authorities(&self) -> Vec<[u8; 20]> {
        let anchors = self.verifier.anchors().iter().filter(|anchor| anchor.in_certreq);
        let hashes = anchors.filter_map(|anchor| anchor.certreq_hash(&self.provider));
        hashes.filter_map(|hash| (*hash).try_into().ok()).collect()
    }

    /// The hashes that name our trusted OCSP responders in CERTREQ (RFC 4806), usually none; `None` if an OCSP
    /// response would be of no use.
    pub fn ocsp_responders(&self) -> Option<Vec<[u8; 20]>> {
        let anchors = self.verifier.anchors().iter();
        let mut checked =
            anchors.filter(|anchor| anchor.revocation != Revocation::Ignore).peekable();
        checked.peek()?;
        let hashes = checked.flat_map(|anchor| anchor.ocsp_responder_hashes(&self.provider));
        Some(hashes.filter_map(|hash| (*hash).try_into().ok()).collect())
    }

    /// Judges `chain`, the peer's certificate first, which has to bear `peer_id`. `evidence` is what else the
    /// peer sent: CRLs and OCSP responses in it count for this peer, and CRLs are kept once it is believed.
    pub fn check(
        &mut self,
        now: Instant,
        unix: UnixTime,
        ticket: Ticket<VerifiedKey>,
        peer_id: Identity,
        chain: Vec<Vec<u8>>,
        evidence: &[(CertEncoding, Vec<u8>)],
    ) {
        self.waiting.retain(|waiting| waiting.ticket.deadline() > now);
        let of = |kind: CertEncoding| {
            let evidence = evidence.iter().filter(move |(encoding, _)| *encoding == kind);
            evidence.map(|(_, bytes)| bytes.clone()).collect()
        };
        let (crls, stapled) = (of(CertEncoding::CRL), of(CertEncoding::OCSP_CONTENT));
        let (tried, open) = (BTreeSet::new(), BTreeSet::new());
        let sent = chain.len();
        self.judge(unix, Waiting { ticket, peer_id, chain, sent, crls, stapled, tried, open });
    }

    /// Takes what was fetched, or why it could not be.
    pub fn handle_fetched(
        &mut self,
        unix: UnixTime,
        id: FetchId,
        result: Result<Vec<u8>, String>,
        rng: &mut dyn Rng,
    ) {
        let is_done = match id.0 {
            FetchFor::Store(point) => {
                // What does not help is missed by the next verdict, which says so.
                let (verifier, crls) = (&self.verifier, &mut self.crls);
                let _ = self.schedule.fetched(unix, point, result, verifier, crls, rng);
                !self.schedule.is_pending(unix, point)
            }
            FetchFor::Issuer(number) => {
                self.running.retain(|_, running| *running != number);
                let found = result.ok().and_then(|bytes| read_certificates(&bytes).ok());
                for certificate in found.into_iter().flatten() {
                    for waiting in self.waiting.iter_mut().filter(|it| it.open.contains(&id)) {
                        if waiting.chain.len() < MAX_CHAIN && !waiting.chain.contains(&certificate)
                        {
                            waiting.chain.push(certificate.clone());
                        }
                    }
                }
                true
            }
            FetchFor::Staple(_) => return,
        };
        if !is_done {
            return;
        }
        let mut ready = Vec::new();
        for (index, waiting) in self.waiting.iter_mut().enumerate() {
            if waiting.open.remove(&id) && waiting.open.is_empty() {
                ready.push(index);
            }
        }
        // From the back, so that the indices stay true.
        for index in ready.into_iter().rev() {
            let waiting = self.waiting.swap_remove(index);
            self.judge(unix, waiting);
        }
    }

    /// The next thing to fetch.
    pub fn poll_fetch(&mut self, unix: UnixTime) -> Option<Fetch> {
        if let Some(fetch) = self.fetches.pop_front() {
            return Some(fetch);
        }
        let wanted = self.schedule.next_fetch(unix)?;
        Some(Fetch::scheduled(FetchFor::Store(wanted.point), &wanted))
    }

    /// When there will be something to fetch again.
    pub fn poll_timeout(&self) -> Option<UnixTime> {
        self.schedule.poll_timeout()
    }

    /// The next peer that was judged.
    pub fn poll_verdict(&mut self) -> Option<Verdict> {
        self.verdicts.pop_front()
    }

    fn judge(&mut self, unix: UnixTime, mut waiting: Waiting) {
        let mut may_fetch = self.fetch && self.waiting.len() < MAX_WAITING;
        loop {
            match self.verify(unix, &waiting, may_fetch) {
                Ok(Outcome::Accepted(path)) => {
                    self.learn(&waiting, &path);
                    return self.decide(waiting, Ok(path));
                }
                Ok(Outcome::NeedsRevocation(fetches)) => {
                    for fetch in fetches {
                        self.want_status(unix, &mut waiting, fetch);
                    }
                }
                Ok(Outcome::NeedsCertificates(fetches)) => {
                    for fetch in fetches {
                        self.want_issuer(&mut waiting, fetch);
                    }
                }
                Ok(_) => {}
                Err(error) => return self.decide(waiting, Err(error)),
            }
            if !waiting.open.is_empty() {
                self.waiting.push(waiting);
                return;
            }
            if !may_fetch {
                // Asked without fetching, certval always decides; were that to change, fail closed.
                return;
            }
            may_fetch = false;
        }
    }

    fn verify(&self, unix: UnixTime, of: &Waiting, may_fetch: bool) -> Result<Outcome, Error> {
        let chain: Vec<&[u8]> = of.chain.iter().map(Vec::as_slice).collect();
        let stapled: Vec<&[u8]> = of.stapled.iter().map(Vec::as_slice).collect();
        let mut query = Query::new(&chain, unix);
        let id = adit_certval::Identity::from_ike(of.peer_id.kind().0, of.peer_id.data());
        query.identity = Some(id);
        query.purpose = self.purpose;
        query.may_fetch = may_fetch;
        query.stapled = &stapled;
        if of.crls.is_empty() {
            return self.verifier.verify(&query, &self.crls);
        }
        // Anybody can make a CA and a CRL of it: the store for all learns of them when the peer is believed.
        let mut crls = self.crls.clone();
        for crl in &of.crls {
            // One that cannot be used helps as little as one that was not sent.
            let _ = crls.insert(&self.verifier, crl.clone(), &chain);
        }
        self.verifier.verify(&query, &crls)
    }

    /// Fetches the status of a certificate from the next source that has not been tried, unless it is known to
    /// be out of reach. Others that need the same share the fetch.
    fn want_status(&mut self, unix: UnixTime, waiting: &mut Waiting, fetch: adit_certval::Fetch) {
        for source in fetch.sources {
            if waiting.tried.len() >= MAX_URLS || !waiting.tried.insert(source.url().into()) {
                continue;
            }
            // A response is about one certificate; who knows whether it comes again.
            let refresh = match source {
                Source::Ocsp { .. } => Refresh::NEVER,
                _ => Refresh::BY_NEXT_UPDATE,
            };
            let mut point = FetchPoint::new(vec![source], refresh);
            point.certificates = waiting.chain.iter().skip(1).cloned().collect();
            let Ok(point) = self.schedule.add(unix, point) else { continue };
            if self.schedule.is_pending(unix, point) {
                waiting.open.insert(FetchId(FetchFor::Store(point)));
                return;
            }
        }
    }

    fn want_issuer(&mut self, waiting: &mut Waiting, fetch: CertificateFetch) {
        // One URL of each at a time: the others are its backups.
        let fresh = fetch.urls.into_iter().find(|url| !waiting.tried.contains(url));
        let Some(url) = fresh.filter(|_| waiting.tried.len() < MAX_URLS) else { return };
        waiting.tried.insert(url.clone());
        let (last, fetches) = (&mut self.last_fetch, &mut self.fetches);
        let number = *self.running.entry(url.clone()).or_insert_with(|| {
            *last += 1;
            fetches.push_back(Fetch { id: FetchId(FetchFor::Issuer(*last)), url, post: None });
            *last
        });
        waiting.open.insert(FetchId(FetchFor::Issuer(number)));
    }

    /// Keeps for later peers what helped to believe this one.
    fn learn(&mut self, waiting: &Waiting, path: &VerifiedPath) {
        // Its own key signs no CRL that anybody else could want.
        let issuers: Vec<&[u8]> = path.certificates().skip(1).collect();
        for crl in &waiting.crls {
            let _ = self.crls.insert(&self.verifier, crl.clone(), &issuers);
        }
        let fetched = waiting.chain.get(waiting.sent..).unwrap_or_default();
        for issuer in issuers {
            let is_new = fetched.iter().any(|der| der == issuer);
            if is_new && self.learned < MAX_LEARNED {
                self.learned +=
                    usize::from(self.verifier.add_intermediate(issuer.to_vec()).is_ok());
            }
        }
    }

    fn decide(&mut self, waiting: Waiting, result: Result<VerifiedPath, Error>) {
        self.verdicts.push_back(Verdict { ticket: waiting.ticket, result });
    }
}
