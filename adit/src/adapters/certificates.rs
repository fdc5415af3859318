//! Certificates judged by certval: answers [`Ask::VerifyPeer`](adit_ikev2::Ask::VerifyPeer), now or when what
//! is missing has been fetched.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use adit_certval::{CrlStore, Error, Outcome, Purpose, Query, Source, VerifiedPath, Verifier};
use adit_ikev2::wire::CertEncoding;
use adit_ikev2::{Identity, Ticket, VerifiedKey};
use adit_platform::{Instant, Provider, UnixTime};

use crate::config::Trust;

/// The most URLs that are tried for one peer: it chooses them, so it must not choose how many.
const MAX_URLS: usize = 16;

/// The most peers that wait for fetches at a time.
const MAX_WAITING: usize = 1000;

/// Names a [`Fetch`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FetchId(u64);

/// Something that the host has to fetch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fetch {
    /// For the answer.
    pub id: FetchId,
    /// Where it is.
    pub url: String,
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
/// [`handle_fetched`](Self::handle_fetched) and drain again. A CRL that was fetched serves all later peers.
#[derive(Debug)]
pub struct CertificateChecker {
    provider: Provider,
    verifier: Verifier,
    crls: CrlStore,
    fetch: bool,
    purpose: Purpose,
    running: BTreeMap<FetchId, Running>,
    waiting: Vec<Waiting>,
    last_fetch: u64,
    fetches: VecDeque<Fetch>,
    verdicts: VecDeque<Verdict>,
}

#[derive(Debug)]
struct Running {
    url: String,
    what: What,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Crl,
    Certificate,
}

/// A peer whose verdict waits for fetches.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket<VerifiedKey>,
    peer_id: Identity,
    chain: Vec<Vec<u8>>,
    tried: BTreeSet<String>,
    open: BTreeSet<FetchId>,
}

impl CertificateChecker {
    /// A checker of certificates that are to be used for `purpose`.
    pub fn new(trust: Trust, purpose: Purpose, provider: Provider) -> Self {
        Self {
            provider,
            verifier: trust.verifier,
            crls: trust.crls,
            fetch: trust.fetch,
            purpose,
            running: BTreeMap::new(),
            waiting: Vec::new(),
            last_fetch: 0,
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

    /// Judges `chain`, the peer's certificate first, which has to bear `peer_id`. CRLs among `evidence`, which
    /// the peer sent, are taken in if their signatures are good.
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
        for (encoding, bytes) in evidence {
            if *encoding == CertEncoding::CRL {
                // One that cannot be used helps as little as one that was not sent.
                let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
                let _ = self.crls.insert(&self.verifier, bytes.clone(), &chain);
            }
        }
        let (tried, open) = (BTreeSet::new(), BTreeSet::new());
        self.judge(unix, Waiting { ticket, peer_id, chain, tried, open });
    }

    /// Takes what was fetched, or why it could not be.
    pub fn handle_fetched(&mut self, unix: UnixTime, id: FetchId, result: Result<Vec<u8>, String>) {
        let Some(Running { what, .. }) = self.running.remove(&id) else { return };
        if let Ok(bytes) = result {
            match what {
                // What cannot be used is as good as unreachable: the next verdict says what is missing.
                What::Crl => {
                    let waiting = self.waiting.iter().filter(|waiting| waiting.open.contains(&id));
                    let chains = waiting.flat_map(|waiting| waiting.chain.iter());
                    let certificates: Vec<&[u8]> = chains.map(Vec::as_slice).collect();
                    let _ = self.crls.insert(&self.verifier, bytes, &certificates);
                }
                What::Certificate => {
                    let _ = self.verifier.add_intermediate(bytes);
                }
            }
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
    pub fn poll_fetch(&mut self) -> Option<Fetch> {
        self.fetches.pop_front()
    }

    /// The next peer that was judged.
    pub fn poll_verdict(&mut self) -> Option<Verdict> {
        self.verdicts.pop_front()
    }

    fn judge(&mut self, unix: UnixTime, mut waiting: Waiting) {
        let mut may_fetch = self.fetch && self.waiting.len() < MAX_WAITING;
        loop {
            let outcome = self.verify(unix, &waiting, may_fetch);
            let (what, wanted): (What, Vec<Vec<String>>) = match outcome {
                Ok(Outcome::Accepted(path)) => return self.decide(waiting, Ok(path)),
                Ok(Outcome::NeedsRevocation(fetches)) => {
                    let crls = |source| match source {
                        Source::Crl { url } => Some(url),
                        _ => None,
                    };
                    let urls = fetches.into_iter().map(|fetch| fetch.sources);
                    (
                        What::Crl,
                        urls.map(|list| list.into_iter().filter_map(crls).collect()).collect(),
                    )
                }
                Ok(Outcome::NeedsCertificates(fetches)) => {
                    (What::Certificate, fetches.into_iter().map(|fetch| fetch.urls).collect())
                }
                Ok(_) => (What::Crl, Vec::new()),
                Err(error) => return self.decide(waiting, Err(error)),
            };
            for urls in wanted {
                // One URL of each at a time: the others are its backups.
                let fresh = urls.into_iter().find(|url| !waiting.tried.contains(url));
                if let Some(url) = fresh.filter(|_| waiting.tried.len() < MAX_URLS) {
                    waiting.tried.insert(url.clone());
                    waiting.open.insert(self.start_fetch(url, what));
                }
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
        let mut query = Query::new(&chain, unix);
        let id = adit_certval::Identity::from_ike(of.peer_id.kind().0, of.peer_id.data());
        query.identity = Some(id);
        query.purpose = self.purpose;
        query.may_fetch = may_fetch;
        self.verifier.verify(&query, &self.crls)
    }

    /// Several peers that need the same share one fetch.
    fn start_fetch(&mut self, url: String, what: What) -> FetchId {
        let same = self.running.iter().find(|(_, r)| r.what == what && r.url == url);
        if let Some((id, _)) = same {
            return *id;
        }
        self.last_fetch += 1;
        let id = FetchId(self.last_fetch);
        self.fetches.push_back(Fetch { id, url: url.clone() });
        self.running.insert(id, Running { url, what });
        id
    }

    fn decide(&mut self, waiting: Waiting, result: Result<VerifiedPath, Error>) {
        self.verdicts.push_back(Verdict { ticket: waiting.ticket, result });
    }
}
