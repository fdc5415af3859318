//! The question and its answer: [`Verifier`], [`Query`], [`Outcome`].

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use adit_platform::hash::Hash;
use adit_platform::{Provider, UnixTime};

use crate::anchor::TrustAnchor;
use crate::error::{CertificateRef, Error, Limit, Reason};
use crate::format::algorithm::{AlgorithmPolicy, SignatureAlgorithm};
use crate::format::certificate::Certificate;
use crate::format::der::DerError;
use crate::format::field::Format;
use crate::info::CertificateInfo;
use crate::path::budget::{Budget, Meter};
use crate::path::identity::Identity;
use crate::path::purpose::Purpose;
use crate::path::search::Search;
use crate::remembered::{FactoryRule, Fingerprint, RememberedPeer};
use crate::revocation::fetch::Fetch;
use crate::revocation::store::CrlStore;

/// Decides whether a peer's certificate may be believed.
///
/// Holds what is configured: trust anchors, intermediates, which algorithms are allowed. It never changes
/// while it verifies, so one value serves any number of handshakes and threads.
///
/// ```no_run
/// use adit_certval::{CrlStore, Identity, Outcome, Query, TrustAnchor, Verifier};
/// # fn example(
/// #     provider: &adit_platform::Provider, root: Vec<u8>, sent: &[&[u8]], now: adit_platform::UnixTime,
/// # ) -> Result<(), Box<dyn core::error::Error>> {
/// let mut verifier = Verifier::new(provider);
/// verifier.add_anchor(TrustAnchor::from_der(root)?);
/// let store = CrlStore::new();
///
/// let mut query = Query::new(sent, now);
/// query.identity = Some(Identity::Fqdn("gateway.example"));
/// match verifier.verify(&query, &store)? {
///     Outcome::Accepted(path) => println!("believed:\n{}", path.info()),
///     Outcome::NeedsRevocation(fetches) => println!("fetch {:?}, insert, ask again", fetches[0].sources),
///     _ => println!("fetch the missing certificates and ask again"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Verifier {
    pub(crate) provider: Provider,
    pub(crate) anchors: Vec<TrustAnchor>,
    /// Anchors by the canonical form of their names.
    pub(crate) anchors_by_name: BTreeMap<Vec<u8>, Vec<usize>>,
    pub(crate) intermediates: Vec<Vec<u8>>,
    pub(crate) intermediates_by_subject: BTreeMap<Vec<u8>, Vec<usize>>,
    /// Algorithms that the host brought.
    pub(crate) plugged: Vec<&'static dyn SignatureAlgorithm>,
    /// Certificates that are believed by themselves.
    pub(crate) fingerprints: BTreeSet<Fingerprint>,
    /// How to recognize the certificates that devices have from their factory, which are never believed.
    pub factory: Option<FactoryRule>,
    /// Which algorithms may sign certificates, CRLs and OCSP responses.
    pub algorithms: AlgorithmPolicy,
}

impl Verifier {
    /// A verifier that believes nobody yet; signatures are verified by `provider`.
    pub fn new(provider: &Provider) -> Self {
        Self {
            provider: *provider,
            anchors: Vec::new(),
            anchors_by_name: BTreeMap::new(),
            intermediates: Vec::new(),
            intermediates_by_subject: BTreeMap::new(),
            plugged: Vec::new(),
            fingerprints: BTreeSet::new(),
            factory: None,
            algorithms: AlgorithmPolicy::default(),
        }
    }

    /// Believes `anchor` from now on. Its index in [`CertificateRef::Anchor`] counts from 0.
    pub fn add_anchor(&mut self, anchor: TrustAnchor) {
        let canonical = anchor.name().map(|name| name.canonical()).unwrap_or_default();
        self.anchors_by_name.entry(canonical).or_default().push(self.anchors.len());
        self.anchors.push(anchor);
    }

    /// Adds a CA certificate in DER that may help to build a path. It is not trusted for that: it has to lead
    /// to an anchor as one that a peer sends. This is also where fetched certificates go.
    ///
    /// # Errors
    /// If it is not a well-formed certificate.
    pub fn add_intermediate(&mut self, der: Vec<u8>) -> Result<(), DerError> {
        let canonical = Certificate::from_der(&der)?.subject().canonical();
        self.intermediates_by_subject.entry(canonical).or_default().push(self.intermediates.len());
        self.intermediates.push(der);
        Ok(())
    }

    /// Believes a peer that presents the certificate of this fingerprint (SHA-256 over its DER) from now on, as
    /// one that was [pinned](TrustAnchor::pinned): validity, purpose and identity are checked, revocation is not.
    pub fn accept_fingerprint(&mut self, fingerprint: Fingerprint) {
        self.fingerprints.insert(fingerprint);
    }

    /// Verifies signatures of one more algorithm from now on. It is asked for what the provider does not know;
    /// [`AlgorithmPolicy`] does not look at its keys.
    pub fn add_algorithm(&mut self, algorithm: &'static dyn SignatureAlgorithm) {
        self.plugged.push(algorithm);
    }

    /// The trust anchors, in the order in which they were added.
    pub fn anchors(&self) -> &[TrustAnchor] {
        &self.anchors
    }

    /// Decides whether the first of `query.certificates` may be believed.
    ///
    /// A pure function: the same query and store give the same answer.
    ///
    /// # Errors
    /// If it may not, for the most telling reason; see [`Reason`].
    pub fn verify(&self, query: &Query<'_>, store: &CrlStore) -> Result<Outcome, Error> {
        let Some(leaf_der) = query.certificates.first() else {
            return Err(Error::general(Reason::NoCertificate));
        };
        if query.certificates.len() > query.budget.certificates as usize {
            return Err(Error::general(Reason::BudgetExceeded(Limit::Certificates)));
        }
        let leaf = Certificate::from_der(leaf_der)
            .map_err(|error| Error::new(CertificateRef::Presented(0), Reason::Malformed(error)))?;
        let meter = Meter::new(&query.budget);
        let search = Search::new(self, query, store, &meter, leaf);
        search.run().map_err(|mut error| {
            if let (Some(certificate), Reason::Malformed(malformed)) =
                (error.certificate, &mut error.reason)
                && let Some(der) = self.der_of(query, certificate)
            {
                *malformed = malformed.located(Format::Certificate, der);
            }
            error.presented = Some(Box::new(CertificateInfo::new(&leaf, &self.provider)));
            error
        })
    }

    fn der_of<'a>(&'a self, query: &Query<'a>, certificate: CertificateRef) -> Option<&'a [u8]> {
        match certificate {
            CertificateRef::Presented(index) => query.certificates.get(index).copied(),
            CertificateRef::Configured(index) => self.intermediates.get(index).map(Vec::as_slice),
            CertificateRef::Anchor(index) => self.anchors.get(index)?.certificate_der(),
        }
    }
}

/// One question to a [`Verifier`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Query<'a> {
    /// Certificates in DER: the peer's own first, then what it sent to help, in any order.
    pub certificates: &'a [&'a [u8]],
    /// OCSP responses in DER that the peer sent along (RFC 4806). They count for this query alone; at most 16
    /// are looked at.
    pub stapled: &'a [&'a [u8]],
    /// The time for which the answer shall hold.
    pub time: UnixTime,
    /// Who the peer's certificate must say that it is; `None` leaves that to the caller.
    pub identity: Option<Identity<'a>>,
    /// What is [remembered](crate::KnownPeers) of the peer. Where no anchor vouches for it, its certificate is
    /// believed if it has the remembered key, whatever it calls itself; if it has another,
    /// [`Reason::KeyChanged`] says so. Where one does, a change is a [`Warning`].
    pub remembered: Option<RememberedPeer<'a>>,
    /// What the certificate is to be used for.
    pub purpose: Purpose,
    /// Whether the host can still fetch what is missing. If not, what cannot be checked is decided by the
    /// anchor's [`Revocation`](crate::Revocation) policy now.
    pub may_fetch: bool,
    /// Certificate policies.
    pub policies: PolicyInputs<'a>,
    /// Limits on the work.
    pub budget: Budget,
}

impl<'a> Query<'a> {
    /// Asks about `certificates` at `time`, for [`Purpose::IkeGateway`], without an identity to match, with
    /// the host able to fetch, any policy and the default budget.
    pub fn new(certificates: &'a [&'a [u8]], time: UnixTime) -> Self {
        Self {
            certificates,
            stapled: &[],
            time,
            identity: None,
            remembered: None,
            purpose: Purpose::default(),
            may_fetch: true,
            policies: PolicyInputs::default(),
            budget: Budget::default(),
        }
    }
}

/// The inputs on certificate policies of RFC 5280 section 6.1.1 (c) and (e) to (g). The default accepts any.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PolicyInputs<'a> {
    /// The user-initial-policy-set: contents of DER object identifiers. Empty stands for `anyPolicy`.
    pub initial: &'a [&'a [u8]],
    /// The path must be valid for at least one policy of the set.
    pub require_explicit: bool,
    /// Policy mappings are not followed.
    pub inhibit_mapping: bool,
    /// `anyPolicy` in certificates counts for nothing.
    pub inhibit_any: bool,
}

/// What a [`Verifier`] says if nothing speaks against the certificate.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The certificate may be believed, perhaps with [warnings](VerifiedPath::warnings).
    Accepted(VerifiedPath),
    /// The path stands, but for some of its certificates no revocation information is in the store. Fetch,
    /// insert, ask again; or ask again with [`Query::may_fetch`] off.
    NeedsRevocation(Vec<Fetch>),
    /// No path was found, but certificates name places where their issuers' can be had. Fetch, add with
    /// [`Verifier::add_intermediate`], ask again; or ask again with [`Query::may_fetch`] off.
    NeedsCertificates(Vec<CertificateFetch>),
}

/// Where a missing issuer's certificate can be had (RFC 5280 section 4.2.2.1, caIssuers).
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CertificateFetch {
    /// Whose issuer is missing.
    pub certificate: CertificateRef,
    /// HTTP or LDAP URLs of what [`read_certificates`](crate::read_certificates) reads.
    pub urls: Vec<String>,
}

/// A path that was verified: the proof that its first certificate's key belongs to whom it names.
///
/// Only [`Verifier::verify`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedPath {
    pub(crate) hashes: &'static [&'static dyn Hash],
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) path: Vec<CertificateRef>,
    pub(crate) policies: Vec<Vec<u8>>,
    pub(crate) warnings: Vec<Warning>,
}

/// Something that a person should know about an accepted path.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Warning {
    /// The revocation status of this certificate could not be established, and policy let it pass.
    RevocationUnknown(CertificateRef),
    /// An anchor vouches for the peer, but its key is not the one that was [remembered](Query::remembered).
    KeyChanged {
        /// SHA-256 of the `SubjectPublicKeyInfo` that it had.
        remembered: Fingerprint,
        /// SHA-256 of the one that it has now.
        presented: Fingerprint,
    },
}

impl core::fmt::Display for Warning {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::RevocationUnknown(certificate) => {
                write!(f, "{certificate}: revocation status could not be checked")
            }
            Self::KeyChanged { remembered, presented } => {
                write!(f, "peer certificate: new key {presented}, was {remembered} (SHA-256)")
            }
        }
    }
}

impl VerifiedPath {
    /// The peer's certificate.
    #[expect(clippy::missing_panics_doc, reason = "cannot panic: the bytes were read once already")]
    pub fn leaf(&self) -> Certificate<'_> {
        let der = self.certificates.first().expect("a path has at least the peer's certificate");
        Certificate::from_der(der).expect("the certificate was read when the path was verified")
    }

    /// The peer's `SubjectPublicKeyInfo` in DER.
    pub fn subject_public_key_info(&self) -> &[u8] {
        self.leaf().subject_public_key_info()
    }

    /// What a person needs to see of the peer's certificate.
    pub fn info(&self) -> CertificateInfo {
        CertificateInfo::read(&self.leaf(), self.hashes)
    }

    /// The certificates of the path in DER, the peer's first, without the anchor.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(Vec::as_slice)
    }

    /// Where each certificate of the path came from, the peer's first, the trust anchor last; of a peer that was
    /// believed by its fingerprint or because it was remembered, only its own.
    pub fn references(&self) -> &[CertificateRef] {
        &self.path
    }

    /// The index of the trust anchor that vouches; `None` if the peer was believed by its fingerprint or because
    /// it was remembered.
    pub fn anchor(&self) -> Option<usize> {
        match self.path.last() {
            Some(&CertificateRef::Anchor(index)) => Some(index),
            _ => None,
        }
    }

    /// The user-constrained policy set (RFC 5280 section 6.1.6): contents of DER object identifiers, in the
    /// anchor's terms, sorted. `anyPolicy` in it stands for all.
    pub fn policies(&self) -> impl Iterator<Item = &[u8]> {
        self.policies.iter().map(Vec::as_slice)
    }

    /// What a person should be warned of.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}
