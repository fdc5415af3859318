//! Trust anchors: whom to believe, for what, and how strictly to check revocation below them.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use adit_platform::Provider;
use adit_platform::hash::{Digest, HashAlgorithm};

use crate::format::certificate::{Certificate, Spki};
use crate::format::der::{DerError, Reader};
use crate::format::extension::KeyUsage;
use crate::format::name::Name;
use crate::revocation::schedule::Refresh;

/// A CA that is believed, and under which conditions.
///
/// What its certificate says about itself (validity, constraints) is not enforced, as RFC 5280 section 6.1
/// leaves it, unless [`enforce_constraints`](Self::enforce_constraints) or
/// [`enforce_validity`](Self::enforce_validity) ask for it.
///
/// ```no_run
/// use adit_certval::{Revocation, TrustAnchor};
///
/// # let der: Vec<u8> = Vec::new();
/// let mut anchor = TrustAnchor::from_der(der)?;
/// anchor.revocation = Revocation::Require;
/// anchor.distribution_points.push("http://pki.example/root.crl".into());
/// # Ok::<(), adit_certval::DerError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrustAnchor {
    der: Option<Vec<u8>>,
    name: Vec<u8>,
    spki: Vec<u8>,
    /// Whether certificates below it must be shown not to be revoked.
    pub revocation: Revocation,
    /// A CRL older than this (by `thisUpdate`) is not believed, whatever its `nextUpdate` says.
    pub max_crl_age: Option<Duration>,
    /// URLs to fetch CRLs from in addition to, and before, those that the certificates name: HTTP or LDAP, the
    /// primary one first, then its backups.
    pub distribution_points: Vec<String>,
    /// When a CRL is fetched anew by a [`RevocationSchedule`](crate::RevocationSchedule).
    pub refresh: Refresh,
    /// An OCSP response older than this (by `thisUpdate`) is not believed, whatever its `nextUpdate` says. One
    /// without `nextUpdate` is believed for a day where this is `None`.
    pub max_ocsp_age: Option<Duration>,
    /// URLs of OCSP responders to ask in addition to, and before, those that the certificates name.
    pub ocsp_urls: Vec<String>,
    /// Where to ask first for a certificate's status. Either alone suffices, and revoked by either is revoked.
    pub preferred: StatusSource,
    /// Certificates of OCSP responders that may speak for every CA below the anchor.
    ocsp_responders: Vec<Vec<u8>>,
    /// Whether basic constraints, key usage, name constraints and policies in the anchor's own certificate
    /// bind the paths below it (RFC 5937).
    pub enforce_constraints: bool,
    /// Whether the validity of the anchor's own certificate is checked.
    pub enforce_validity: bool,
    /// Whether a peer that presents this very certificate as its own is believed: how a self-signed gateway is
    /// pinned. Validity, purpose and identity are checked, revocation is not.
    pub pinned: bool,
    /// Whether it may vouch for clients.
    pub for_clients: bool,
    /// Whether it may vouch for gateways and servers.
    pub for_gateways: bool,
    /// Whether a gateway names it in CERTREQ.
    pub in_certreq: bool,
}

/// Whether revocation is checked below a trust anchor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Revocation {
    /// A certificate whose status cannot be established is refused.
    #[default]
    Require,
    /// A certificate whose status cannot be established is accepted with a warning.
    Warn,
    /// Revocation is not checked.
    Ignore,
}

/// Where the status of a certificate can be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StatusSource {
    /// A CRL: one fetch serves all certificates of a CA, and tells nobody which of them is of interest.
    #[default]
    Crl,
    /// An OCSP responder: small, and up to date.
    Ocsp,
}

impl TrustAnchor {
    /// The anchor that a (usually self-signed) CA certificate in DER describes. Its signature is not checked:
    /// it is believed because it was configured.
    ///
    /// # Errors
    /// If it is not a well-formed certificate.
    pub fn from_der(der: Vec<u8>) -> Result<Self, DerError> {
        let certificate = Certificate::from_der(&der)?;
        let name = certificate.subject().as_der().to_vec();
        let spki = certificate.subject_public_key_info().to_vec();
        Ok(Self::with(Some(der), name, spki))
    }

    /// An anchor that is just a name and a key (RFC 5280 section 6.1.1 (d)): a `Name` and a
    /// `SubjectPublicKeyInfo`, both in DER.
    ///
    /// # Errors
    /// If either is not well-formed.
    pub fn from_key(name: Vec<u8>, spki: Vec<u8>) -> Result<Self, DerError> {
        Name::from_der(&name)?;
        let mut reader = Reader::new(&spki);
        Spki::read(&mut reader)?;
        reader.finish()?;
        Ok(Self::with(None, name, spki))
    }

    fn with(der: Option<Vec<u8>>, name: Vec<u8>, spki: Vec<u8>) -> Self {
        Self {
            der,
            name,
            spki,
            revocation: Revocation::default(),
            max_crl_age: None,
            distribution_points: Vec::new(),
            refresh: Refresh::default(),
            max_ocsp_age: None,
            ocsp_urls: Vec::new(),
            preferred: StatusSource::default(),
            ocsp_responders: Vec::new(),
            enforce_constraints: true,
            enforce_validity: false,
            pinned: false,
            for_clients: true,
            for_gateways: true,
            in_certreq: true,
        }
    }

    /// Its name in DER.
    pub fn name_der(&self) -> &[u8] {
        &self.name
    }

    /// Its `SubjectPublicKeyInfo` in DER.
    pub fn subject_public_key_info(&self) -> &[u8] {
        &self.spki
    }

    /// Its certificate in DER, if it was made from one.
    pub fn certificate_der(&self) -> Option<&[u8]> {
        self.der.as_deref()
    }

    /// The SHA-1 hash of its `SubjectPublicKeyInfo`, which is what CERTREQ carries (RFC 7296 section 3.7).
    /// `None` if the provider has no SHA-1.
    pub fn certreq_hash(&self, provider: &Provider) -> Option<Digest> {
        Some(provider.hash(HashAlgorithm::Sha1)?.hash(&[&self.spki]))
    }

    /// Trusts the OCSP responder of this certificate in DER to speak for every CA below the anchor: the "Trusted
    /// Responder" of RFC 6960 section 2.2. Its key counts; what else the certificate says does not.
    ///
    /// # Errors
    /// If it is not a well-formed certificate.
    pub fn trust_ocsp_responder(&mut self, certificate: Vec<u8>) -> Result<(), DerError> {
        Certificate::from_der(&certificate)?;
        self.ocsp_responders.push(certificate);
        Ok(())
    }

    /// The certificates of trusted OCSP responders in DER.
    pub fn ocsp_responders(&self) -> impl Iterator<Item = &[u8]> {
        self.ocsp_responders.iter().map(Vec::as_slice)
    }

    /// The SHA-1 hashes of the trusted OCSP responders' `SubjectPublicKeyInfo`, which a CERTREQ for OCSP content
    /// carries (RFC 4806 section 4.1). Empty too if the provider has no SHA-1.
    pub fn ocsp_responder_hashes(&self, provider: &Provider) -> Vec<Digest> {
        let Some(sha1) = provider.hash(HashAlgorithm::Sha1) else { return Vec::new() };
        let certificates = self.ocsp_responders().filter_map(|der| Certificate::from_der(der).ok());
        certificates.map(|certificate| sha1.hash(&[certificate.spki.der])).collect()
    }

    /// Whether a trusted OCSP responder has this `SubjectPublicKeyInfo`.
    pub(crate) fn trusts_responder(&self, spki: &[u8]) -> bool {
        let mut certificates = self.ocsp_responders().map(Certificate::from_der);
        certificates.any(|certificate| certificate.is_ok_and(|c| c.spki.der == spki))
    }

    pub(crate) fn certificate(&self) -> Option<Certificate<'_>> {
        Certificate::from_der(self.der.as_deref()?).ok()
    }

    /// Whether its own certificate allows it to sign CRLs; without one, it does.
    pub(crate) fn may_sign_crls(&self) -> bool {
        let usage = self.certificate().and_then(|c| c.extensions.key_usage().unwrap_or(None));
        usage.is_none_or(|usage| usage.has_any(KeyUsage::CRL_SIGN))
    }

    pub(crate) fn name(&self) -> Option<Name<'_>> {
        Name::from_der(&self.name).ok()
    }

    pub(crate) fn spki(&self) -> Option<Spki<'_>> {
        Spki::read(&mut Reader::new(&self.spki)).ok()
    }
}
