//! Conversions between what is here and the types of the crates `der`, `spki` and `x509-cert`, where people expect
//! those. Each goes through DER: the types here borrow from it, those there own what they hold.
//!
//! `x509-cert` is stricter in places (serial numbers longer than 20 bytes, a few string types), so each conversion to
//! it may fail for what was accepted here.

use alloc::vec::Vec;
use core::fmt;

use der::{Decode, Encode};
use spki::SubjectPublicKeyInfoRef;
use x509_cert::crl::CertificateList;
use x509_cert::request::CertReq;

use crate::anchor::TrustAnchor;
use crate::files::pkcs10::CertificateRequest;
use crate::format::certificate::Certificate;
use crate::format::der::DerError;
use crate::format::name::Name;
use crate::revocation::crl::Crl;
use crate::verifier::VerifiedPath;

/// Why a value of `x509-cert` does not become one of ours.
///
/// ```
/// use adit_certval::{ConversionError, TrustAnchor};
/// # use der::Decode;
///
/// fn anchor(certificate: &x509_cert::Certificate) -> Result<TrustAnchor, ConversionError> {
///     let mut anchor = TrustAnchor::try_from(certificate)?;
///     anchor.for_clients = false;
///     Ok(anchor)
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConversionError {
    /// The value has no encoding.
    Encoding(der::Error),
    /// Its encoding is refused here.
    Refused(DerError),
}

impl fmt::Display for ConversionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding(error) => write!(f, "no DER encoding: {error}"),
            Self::Refused(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ConversionError {}

impl From<der::Error> for ConversionError {
    fn from(error: der::Error) -> Self {
        Self::Encoding(error)
    }
}

impl From<DerError> for ConversionError {
    fn from(error: DerError) -> Self {
        Self::Refused(error)
    }
}

/// As [`TrustAnchor::from_der`].
impl TryFrom<&x509_cert::Certificate> for TrustAnchor {
    type Error = ConversionError;

    fn try_from(certificate: &x509_cert::Certificate) -> Result<Self, ConversionError> {
        Ok(Self::from_der(certificate.to_der()?)?)
    }
}

impl TryFrom<&Certificate<'_>> for x509_cert::Certificate {
    type Error = der::Error;

    fn try_from(certificate: &Certificate<'_>) -> der::Result<Self> {
        Self::from_der(certificate.as_der())
    }
}

/// The public key, borrowed from the certificate.
impl<'a> TryFrom<&Certificate<'a>> for SubjectPublicKeyInfoRef<'a> {
    type Error = der::Error;

    fn try_from(certificate: &Certificate<'a>) -> der::Result<Self> {
        Self::from_der(certificate.subject_public_key_info())
    }
}

impl TryFrom<&CertificateRequest<'_>> for CertReq {
    type Error = der::Error;

    fn try_from(request: &CertificateRequest<'_>) -> der::Result<Self> {
        Self::from_der(request.as_der())
    }
}

impl TryFrom<&Crl> for CertificateList {
    type Error = der::Error;

    fn try_from(crl: &Crl) -> der::Result<Self> {
        Self::from_der(crl.as_der())
    }
}

impl TryFrom<&Name<'_>> for x509_cert::name::Name {
    type Error = der::Error;

    fn try_from(name: &Name<'_>) -> der::Result<Self> {
        Self::from_der(name.as_der())
    }
}

/// The certificates of the path, the peer's first, without the anchor.
impl TryFrom<&VerifiedPath> for Vec<x509_cert::Certificate> {
    type Error = der::Error;

    fn try_from(path: &VerifiedPath) -> der::Result<Self> {
        path.certificates().map(x509_cert::Certificate::from_der).collect()
    }
}
