//! X.509 path validation and revocation (RFC 5280), sans-IO.
//!
//! A [`Verifier`] holds trust anchors and decides whether the certificate of a gateway or a user may be
//! believed. [`Verifier::verify`] is a pure function of a [`Query`] (certificates, time, expected identity,
//! purpose) and a [`CrlStore`]. Where something is missing it does not block: the [`Outcome`] says what to
//! fetch from where, and the host asks again when it has done so.
//!
//! ```no_run
//! use adit_certval::{CrlStore, Identity, Outcome, Query, Source, TrustAnchor, Verifier};
//! # fn get(_: &str) -> Vec<u8> { Vec::new() }
//! # fn post(_: &str, _: &[u8]) -> Vec<u8> { Vec::new() }
//! # fn example(
//! #     provider: &adit_platform::Provider, root: Vec<u8>, sent: &[&[u8]], now: adit_platform::UnixTime,
//! # ) -> Result<(), Box<dyn core::error::Error>> {
//! let mut verifier = Verifier::new(provider);
//! verifier.add_anchor(TrustAnchor::from_der(root)?);
//! let mut store = CrlStore::new();
//!
//! let mut query = Query::new(sent, now);
//! query.identity = Some(Identity::Fqdn("gateway.example"));
//! let path = loop {
//!     match verifier.verify(&query, &store)? {
//!         Outcome::Accepted(path) => break path,
//!         Outcome::NeedsRevocation(fetches) => {
//!             for wanted in fetches {
//!                 match &wanted.sources[0] {
//!                     Source::Ocsp { url, request } => {
//!                         let answer = post(url, &request.to_der());
//!                         store.insert_ocsp(&verifier, &answer, sent, Some(request))?;
//!                     }
//!                     crl => {
//!                         store.insert(&verifier, get(crl.url()), sent)?;
//!                     }
//!                 }
//!             }
//!             query.may_fetch = false;
//!         }
//!         _ => query.may_fetch = false,
//!     }
//! };
//! println!("{}", path.info());
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `pkcs12` | `Pkcs12` and `decrypt_pkcs8`: keys and certificates from files that a password protects |
//! | `x509-cert` | `TryFrom` between the types here and those of `der`, `spki` and `x509-cert` |
//!
//! # Layout
//!
//! | room | what |
//! |---|---|
//! | `verifier`, `anchor`, `remembered`, `info`, `error` | the question, whom to believe, and the answer |
//! | `path/` | from a certificate to an anchor: RFC 4158, RFC 5280 section 6.1, names by RFC 4945 and RFC 9525 |
//! | `revocation/` | whether it still counts: CRLs (RFC 5280 section 6.3), OCSP (RFC 6960), what to fetch when |
//! | `files/` | requests, user names, URLs, PEM, PKCS#7, PKCS#12, the types of `x509-cert` |
//! | `format/` | DER, and what certificates and CRLs are made of |
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

mod anchor;
mod error;
mod files;
mod format;
mod info;
mod path;
mod remembered;
mod revocation;
mod verifier;

pub use anchor::{Revocation, StatusSource, TrustAnchor};
pub use error::{CertificateRef, Error, ErrorClass, Limit, Reason, RevocationReason};
pub use files::bundle::read_certificates;
pub use files::ldap::{LdapScope, LdapUrl, LdapUrlError};
pub use files::pem::{PemBlock, PemError};
pub use files::pkcs10::{CertificateRequest, Difference};
#[cfg(feature = "pkcs12")]
pub use files::pkcs12::{
    Pkcs12, Pkcs12Certificate, Pkcs12Error, Pkcs12Key, Pkcs12Limits, decrypt_pkcs8,
};
pub use files::request::{CertificateTemplate, RequestError, ToBeSigned};
pub use files::template::{NamePattern, TemplateError, UserNameError, UserNameTemplate};
#[cfg(feature = "x509-cert")]
pub use files::x509::ConversionError;
pub use format::algorithm::{AlgorithmPolicy, SignatureAlgorithm, SignedBytes};
pub use format::certificate::Certificate;
pub use format::der::{DerError, DerErrorKind};
pub use format::name::Name;
pub use info::CertificateInfo;
pub use path::budget::Budget;
pub use path::identity::Identity;
pub use path::purpose::Purpose;
pub use remembered::{
    FactoryRule, Fingerprint, KnownPeers, KnownPeersError, Recognition, RememberedPeer,
};
pub use revocation::crl::{Crl, CrlError};
pub use revocation::fetch::{Fetch, Source};
pub use revocation::ocsp::{
    CertificateStatus, OcspError, OcspResponse, OcspResponseStatus, OcspStatus,
};
pub use revocation::ocsp_request::OcspRequest;
pub use revocation::schedule::{
    FetchError, FetchPoint, Location, PointId, Refresh, RefreshError, RevocationSchedule,
    ScheduleError, ScheduledFetch,
};
pub use revocation::store::CrlStore;
pub use verifier::{
    CertificateFetch, Outcome, PolicyInputs, Query, VerifiedPath, Verifier, Warning,
};
