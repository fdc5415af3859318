//! What the host is asked to fetch.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::CertificateRef;

/// Revocation information that is missing for one certificate.
///
/// The host fetches a CRL from the first URL that answers, puts it into the store with
/// [`CrlStore::insert`](crate::CrlStore::insert), and asks the verifier again.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Fetch {
    /// Whose status is unknown.
    pub certificate: CertificateRef,
    /// URLs of CRLs: those configured for the trust anchor first, then those that the certificate names.
    /// Never empty.
    pub urls: Vec<String>,
}
