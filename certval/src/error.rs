//! Why a certificate is not accepted: which one, for what reason, and whose fault that is.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use adit_platform::UnixTime;

use crate::format::der::DerError;
use crate::info::CertificateInfo;
use crate::remembered::Fingerprint;

/// Why a peer's certificate is not believed.
///
/// Where several paths were tried, this is the most telling failure: that of the path that came furthest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// The certificate at fault; `None` if it is none in particular.
    pub certificate: Option<CertificateRef>,
    /// What is wrong with it.
    pub reason: Reason,
    /// What the peer presented as its own, for a person who has to decide. `None` if it cannot be read.
    pub presented: Option<Box<CertificateInfo>>,
}

impl Error {
    pub(crate) fn new(certificate: CertificateRef, reason: Reason) -> Self {
        Self { certificate: Some(certificate), reason, presented: None }
    }

    /// An error about no certificate in particular.
    pub(crate) fn general(reason: Reason) -> Self {
        Self { certificate: None, reason, presented: None }
    }

    /// Whose fault it is.
    pub fn class(&self) -> ErrorClass {
        self.reason.class()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.certificate {
            Some(certificate) => write!(f, "{certificate}: {}", self.reason),
            None => self.reason.fmt(f),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.reason.source()
    }
}

/// Which certificate is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CertificateRef {
    /// The one at this index of [`Query::certificates`](crate::Query::certificates).
    Presented(usize),
    /// The one at this index among the intermediates that were added to the verifier.
    Configured(usize),
    /// The trust anchor at this index.
    Anchor(usize),
}

impl fmt::Display for CertificateRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Presented(0) => f.write_str("peer certificate"),
            Self::Presented(n) => write!(f, "presented certificate {n}"),
            Self::Configured(n) => write!(f, "configured intermediate {n}"),
            Self::Anchor(n) => write!(f, "trust anchor {n}"),
        }
    }
}

/// Whose fault a failure is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorClass {
    /// The bytes are not what they ought to be.
    Malformed,
    /// The peer presented something false, such as a bad signature or a revoked certificate.
    Peer,
    /// Something is asked for that cannot be done here, such as an unknown algorithm.
    Incompatible,
    /// Local policy or time says no.
    Policy,
    /// The caller asked in a wrong way.
    Misuse,
    /// A limit on work was reached.
    Resources,
}

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The query holds no certificate.
    NoCertificate,
    /// The verifier has no trust anchor.
    NoTrustAnchor,
    /// The DER cannot be read.
    Malformed(DerError),
    /// No chain leads to a trust anchor.
    UnknownIssuer,
    /// The signature does not verify under the issuer's key.
    BadSignature,
    /// The signature algorithm or the key is of a kind that the provider does not know.
    UnsupportedAlgorithm,
    /// The signature algorithm is refused by [`AlgorithmPolicy`](crate::AlgorithmPolicy).
    WeakAlgorithm,
    /// The key is shorter than [`AlgorithmPolicy`](crate::AlgorithmPolicy) demands.
    WeakKey,
    /// An RSA key of more than 8192 bits, which is more work than a stranger's certificate may cause.
    OversizedKey,
    /// The certificate becomes valid later.
    NotYetValid {
        /// Seconds since 1970; negative before.
        not_before: i64,
    },
    /// The certificate's validity has ended.
    Expired {
        /// Seconds since 1970; negative before.
        not_after: i64,
    },
    /// An issuer without `cA` in its basic constraints (RFC 5280 section 6.1.4 (k)).
    NotACa,
    /// More intermediates below an issuer than its `pathLenConstraint` allows (6.1.4 (m)).
    PathTooLong,
    /// An issuer whose key usage lacks `keyCertSign` (6.1.4 (n)).
    MayNotSignCertificates,
    /// A peer certificate whose key usage does not allow the purpose (RFC 4945 section 5.1.3.2).
    KeyUsage,
    /// The extended key usage does not allow the purpose (RFC 4945 section 5.1.3.12).
    ExtendedKeyUsage,
    /// The trust anchor may not vouch for peers of this kind; see [`TrustAnchor`](crate::TrustAnchor).
    AnchorNotForPurpose,
    /// A name outside the permitted or inside the excluded subtrees of an issuer (6.1.3 (b) and (c)).
    NameConstraint {
        /// The issuer whose constraint it is.
        issuer: CertificateRef,
    },
    /// A name constraint of a type that cannot be evaluated, on a name of that type.
    UnsupportedNameConstraint {
        /// The issuer whose constraint it is.
        issuer: CertificateRef,
    },
    /// No acceptable certificate policy although one is required (6.1.3 (f) and 6.1.5 (g)).
    NoAcceptablePolicy,
    /// `anyPolicy` in a policy mapping (6.1.4 (a)).
    MapsAnyPolicy,
    /// A critical extension that is not understood; its OID in dotted form.
    UnknownCriticalExtension(String),
    /// The certificate carries none of the names that identify the peer (RFC 4945 section 3.1).
    WrongName,
    /// The certificate is revoked.
    Revoked {
        /// Since when.
        since: UnixTime,
        /// Why, as the CA says.
        reason: RevocationReason,
        /// When the key is thought to have become invalid, if the CA says so (section 5.3.2).
        invalid_since: Option<UnixTime>,
    },
    /// No anchor vouches for the peer, and its key is not the one that was
    /// [remembered](crate::Query::remembered).
    KeyChanged {
        /// SHA-256 of the `SubjectPublicKeyInfo` that it had.
        remembered: Fingerprint,
        /// SHA-256 of the one that it has now.
        presented: Fingerprint,
    },
    /// The certificate is the one that such a device has from its factory; see
    /// [`FactoryRule`](crate::FactoryRule).
    FactoryCertificate,
    /// Revocation has to be checked and cannot be: no valid CRL or OCSP response covers the certificate.
    RevocationUnknown,
    /// A limit of [`Budget`](crate::Budget) was reached.
    BudgetExceeded(Limit),
}

impl Reason {
    /// Whose fault it is.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Malformed(_) => ErrorClass::Malformed,
            Self::NoCertificate
            | Self::BadSignature
            | Self::Revoked { .. }
            | Self::KeyChanged { .. } => ErrorClass::Peer,
            Self::NotACa
            | Self::PathTooLong
            | Self::MayNotSignCertificates
            | Self::NameConstraint { .. }
            | Self::MapsAnyPolicy => ErrorClass::Peer,
            Self::UnsupportedAlgorithm
            | Self::OversizedKey
            | Self::UnsupportedNameConstraint { .. }
            | Self::UnknownCriticalExtension(_) => ErrorClass::Incompatible,
            Self::NoTrustAnchor => ErrorClass::Misuse,
            Self::BudgetExceeded(_) => ErrorClass::Resources,
            Self::UnknownIssuer
            | Self::WeakAlgorithm
            | Self::WeakKey
            | Self::NotYetValid { .. }
            | Self::Expired { .. }
            | Self::KeyUsage
            | Self::ExtendedKeyUsage
            | Self::AnchorNotForPurpose
            | Self::NoAcceptablePolicy
            | Self::WrongName
            | Self::FactoryCertificate
            | Self::RevocationUnknown => ErrorClass::Policy,
        }
    }

    /// How telling the reason is: of several paths' failures the highest is reported. A path that fails
    /// late was nearly right, so what it says is worth more than that another led nowhere.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::BudgetExceeded(_) => 100,
            Self::KeyChanged { .. } | Self::FactoryCertificate => 95,
            Self::Revoked { .. } => 90,
            Self::RevocationUnknown => 80,
            Self::WrongName => 75,
            Self::NameConstraint { .. } | Self::UnsupportedNameConstraint { .. } => 70,
            Self::NoAcceptablePolicy | Self::MapsAnyPolicy => 65,
            Self::PathTooLong => 62,
            Self::Expired { .. } | Self::NotYetValid { .. } => 60,
            Self::NotACa | Self::MayNotSignCertificates => 55,
            Self::KeyUsage | Self::ExtendedKeyUsage => 50,
            Self::AnchorNotForPurpose => 48,
            Self::UnknownCriticalExtension(_) => 45,
            Self::WeakAlgorithm
            | Self::WeakKey
            | Self::OversizedKey
            | Self::UnsupportedAlgorithm => 40,
            Self::BadSignature => 30,
            Self::Malformed(_) => 20,
            Self::UnknownIssuer | Self::NoCertificate | Self::NoTrustAnchor => 10,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed(error) => return write!(f, "malformed: {error}"),
            Self::Expired { not_after } => {
                return write!(f, "expired on {}", crate::info::Date(*not_after));
            }
            Self::NotYetValid { not_before } => {
                return write!(f, "not valid before {}", crate::info::Date(*not_before));
            }
            Self::NameConstraint { issuer } => {
                return write!(f, "a name violates the name constraints of {issuer}");
            }
            Self::UnsupportedNameConstraint { issuer } => {
                return write!(f, "a name constraint of {issuer} cannot be evaluated");
            }
            Self::UnknownCriticalExtension(oid) => {
                return write!(f, "unknown critical extension {oid}");
            }
            Self::Revoked { since, reason, .. } => {
                let since = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
                return write!(f, "revoked on {} ({reason})", crate::info::Date(since));
            }
            Self::KeyChanged { remembered, presented } => {
                return write!(f, "the key has changed from {remembered} to {presented} (SHA-256)");
            }
            Self::FactoryCertificate => "a device's factory certificate",
            Self::BudgetExceeded(limit) => return write!(f, "gave up: {limit}"),
            Self::NoCertificate => "no certificate presented",
            Self::NoTrustAnchor => "no trust anchor configured",
            Self::UnknownIssuer => "issued by an unknown authority",
            Self::BadSignature => "the signature does not verify",
            Self::UnsupportedAlgorithm => "unsupported algorithm or key",
            Self::WeakAlgorithm => "signature algorithm refused by policy",
            Self::WeakKey => "key too short for policy",
            Self::OversizedKey => "RSA key longer than 8192 bits",
            Self::NotACa => "not a CA certificate",
            Self::PathTooLong => "path length constraint exceeded",
            Self::MayNotSignCertificates => "key usage does not allow signing certificates",
            Self::KeyUsage => "key usage does not allow signatures",
            Self::ExtendedKeyUsage => "extended key usage does not allow this purpose",
            Self::AnchorNotForPurpose => "the trust anchor may not vouch for such peers",
            Self::NoAcceptablePolicy => "no acceptable certificate policy",
            Self::MapsAnyPolicy => "maps anyPolicy",
            Self::WrongName => "issued for another name",
            Self::RevocationUnknown => "revocation status unknown",
        })
    }
}

impl core::error::Error for Reason {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            _ => None,
        }
    }
}

/// Which limit of [`Budget`](crate::Budget) was reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Limit {
    /// Certificates presented.
    Certificates,
    /// Certificates in one path.
    Depth,
    /// Steps in the search for a path.
    PathSteps,
    /// Signature verifications.
    Signatures,
    /// Comparisons of a name with a name constraint.
    NameComparisons,
    /// Edges and nodes of the policy graph.
    PolicyNodes,
    /// CRLs considered.
    Crls,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificates => "too many certificates",
            Self::Depth => "path too long",
            Self::PathSteps => "too many possible paths",
            Self::Signatures => "too many signatures to check",
            Self::NameComparisons => "too many name constraints",
            Self::PolicyNodes => "too many policies",
            Self::Crls => "too many CRLs to consider",
        })
    }
}

/// Why a certificate was revoked (RFC 5280 section 5.3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RevocationReason(pub u8);

impl RevocationReason {
    /// No reason given.
    pub const UNSPECIFIED: Self = Self(0);
    /// The private key is known or thought to be compromised.
    pub const KEY_COMPROMISE: Self = Self(1);
    /// The CA's private key is known or thought to be compromised.
    pub const CA_COMPROMISE: Self = Self(2);
    /// The subject's name or other data has changed.
    pub const AFFILIATION_CHANGED: Self = Self(3);
    /// The certificate has been superseded.
    pub const SUPERSEDED: Self = Self(4);
    /// The certificate is no longer needed.
    pub const CESSATION_OF_OPERATION: Self = Self(5);
    /// The certificate is on hold, perhaps for a time.
    pub const CERTIFICATE_HOLD: Self = Self(6);
    /// Only in delta CRLs: the certificate is not revoked any more.
    pub const REMOVE_FROM_CRL: Self = Self(8);
    /// A privilege in the certificate has been withdrawn.
    pub const PRIVILEGE_WITHDRAWN: Self = Self(9);
    /// The attribute authority's key is known or thought to be compromised.
    pub const AA_COMPROMISE: Self = Self(10);
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::UNSPECIFIED => "no reason given",
            Self::KEY_COMPROMISE => "key compromise",
            Self::CA_COMPROMISE => "CA compromise",
            Self::AFFILIATION_CHANGED => "affiliation changed",
            Self::SUPERSEDED => "superseded",
            Self::CESSATION_OF_OPERATION => "cessation of operation",
            Self::CERTIFICATE_HOLD => "on hold",
            Self::REMOVE_FROM_CRL => "removed from CRL",
            Self::PRIVILEGE_WITHDRAWN => "privilege withdrawn",
            Self::AA_COMPROMISE => "attribute authority compromise",
            Self(other) => return write!(f, "reason {other}"),
        })
    }
}

impl fmt::Debug for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevocationReason({self})")
    }
}
