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
//! | file | what |
//! |---|---|
//! | `verifier`, `anchor`, `store`, `error`, `info` | the API |
//! | `path`, `validate`, `constraints`, `policy`, `purpose`, `identity` | RFC 5280 section 6.1, RFC 4158 |
//! | `revocation`, `crl`, `crl_index`, `distribution` | RFC 5280 section 6.3 |
//! | `remembered` | peers that no anchor vouches for |
//! | `ocsp`, `ocsp_request`, `responder`, `responses` | RFC 6960 |
//! | `fetch`, `schedule` | what to fetch from where, and when |
//! | `request`, `pkcs10`, `template`, `ldap`, `pem`, `bundle`, `pkcs12/` | around certificates: requests, user names, URLs, files |
//! | `x509` | conversions to and from the types of `x509-cert` |
//! | `der`, `field`, `encode`, `name`, `stringprep`, `general_name`, `extension`, `certificate`, `algorithm`, `oid` | the formats |
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

mod algorithm;
mod anchor;
mod budget;
mod bundle;
mod certificate;
mod constraints;
mod crl;
mod crl_index;
mod der;
mod distribution;
mod encode;
mod error;
mod extension;
mod fetch;
mod field;
mod general_name;
mod identity;
mod info;
mod ldap;
mod name;
mod ocsp;
mod ocsp_request;
mod oid;
mod path;
mod pem;
mod pkcs10;
#[cfg(feature = "pkcs12")]
mod pkcs12;
mod policy;
mod purpose;
mod remembered;
mod request;
mod responder;
mod responses;
mod revocation;
mod schedule;
mod store;
mod stringprep;
mod template;
mod validate;
mod verifier;
#[cfg(feature = "x509-cert")]
mod x509;

pub use algorithm::{AlgorithmPolicy, SignatureAlgorithm, SignedBytes};
pub use anchor::{Revocation, StatusSource, TrustAnchor};
pub use budget::Budget;
pub use bundle::read_certificates;
pub use certificate::Certificate;
pub use crl::{Crl, CrlError};
pub use der::{DerError, DerErrorKind};
pub use error::{CertificateRef, Error, ErrorClass, Limit, Reason, RevocationReason};
pub use fetch::{Fetch, Source};
pub use identity::Identity;
pub use info::CertificateInfo;
pub use ldap::{LdapScope, LdapUrl, LdapUrlError};
pub use name::Name;
pub use ocsp::{CertificateStatus, OcspError, OcspResponse, OcspResponseStatus, OcspStatus};
pub use ocsp_request::OcspRequest;
pub use pem::{PemBlock, PemError};
pub use pkcs10::{CertificateRequest, Difference};
#[cfg(feature = "pkcs12")]
pub use pkcs12::{Pkcs12, Pkcs12Certificate, Pkcs12Error, Pkcs12Key, Pkcs12Limits, decrypt_pkcs8};
pub use purpose::Purpose;
pub use remembered::{
    FactoryRule, Fingerprint, KnownPeers, KnownPeersError, Recognition, RememberedPeer,
};
pub use request::{CertificateTemplate, RequestError, ToBeSigned};
pub use schedule::{
    FetchError, FetchPoint, Location, PointId, Refresh, RefreshError, RevocationSchedule,
    ScheduleError, ScheduledFetch,
};
pub use store::CrlStore;
pub use template::{NamePattern, TemplateError, UserNameError, UserNameTemplate};
pub use verifier::{
    CertificateFetch, Outcome, PolicyInputs, Query, VerifiedPath, Verifier, Warning,
};
#[cfg(feature = "x509-cert")]
pub use x509::ConversionError;
