//! What the host is asked to fetch.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::CertificateRef;
use crate::revocation::ocsp_request::OcspRequest;

/// Revocation information that is missing for one certificate.
///
/// The host tries the sources in turn until one brings something that the store takes in, with
/// [`CrlStore::insert`](crate::CrlStore::insert) or [`CrlStore::insert_ocsp`](crate::CrlStore::insert_ocsp),
/// and asks the verifier again.
///
/// ```
/// use adit_certval::{CrlStore, Fetch, Source, Verifier};
///
/// # fn get(url: &str) -> Option<Vec<u8>> { None }
/// # fn post(url: &str, kind: &str, body: &[u8]) -> Option<Vec<u8>> { None }
/// fn fetch(wanted: &Fetch, verifier: &Verifier, store: &mut CrlStore, sent: &[&[u8]]) -> bool {
///     wanted.sources.iter().any(|source| match source {
///         Source::Crl { url } => {
///             get(url).is_some_and(|crl| store.insert(verifier, crl, sent).is_ok())
///         }
///         Source::Ocsp { url, request } => {
///             let answer = post(url, "application/ocsp-request", &request.to_der());
///             answer.is_some_and(|r| store.insert_ocsp(verifier, &r, sent, Some(request)).is_ok())
///         }
///         _ => false,
///     })
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Fetch {
    /// Whose status is unknown.
    pub certificate: CertificateRef,
    /// Where its status can be had: what the trust anchor [prefers](crate::TrustAnchor::preferred) first, and of
    /// each kind what is configured for the anchor before what the certificate names. Never empty.
    pub sources: Vec<Source>,
}

/// One place where the status of a certificate can be had.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Source {
    /// A CRL in DER.
    Crl {
        /// An HTTP or [LDAP](crate::LdapUrl) URL.
        url: String,
    },
    /// An OCSP responder.
    Ocsp {
        /// An HTTP URL.
        url: String,
        /// What to send there by POST. The host may add a nonce.
        request: OcspRequest,
    },
}

impl Source {
    /// Where it is.
    pub fn url(&self) -> &str {
        match self {
            Self::Crl { url } | Self::Ocsp { url, .. } => url,
        }
    }
}
