//! OCSP responses (RFC 6960 section 4.2): read once, verified once, and kept as they came.

use alloc::vec::Vec;
use core::fmt;

use adit_platform::hash::HashAlgorithm;
use adit_platform::{Provider, UnixTime};

use crate::error::{Reason, RevocationReason};
use crate::format::algorithm::AlgorithmIdentifier;
use crate::format::certificate::{Spki, serial_number};
use crate::format::der::{
    DerError, DerErrorKind, Field, Reader, generalized_time, small_integer, tag,
};
use crate::format::extension::Extension;
use crate::format::field::Format;
use crate::format::name::Name;
use crate::format::oid;
use crate::revocation::crl::{Entry, invalidity_date, reason_code};
use crate::revocation::responder::Signer;

/// The most single responses in one response, and certificates beside it. A responder answers what it was
/// asked, which here is one certificate; those that answer for more stay far below.
const MAX_SINGLES: usize = 256;
const MAX_CERTIFICATES: usize = 16;

/// An OCSP response whose signature was verified. Kept in a [`CrlStore`](crate::CrlStore).
///
/// ```
/// use adit_certval::{CertificateStatus, OcspResponse};
///
/// /// Whether a response is fit to be sent along with our own certificate.
/// fn is_fit(response: &OcspResponse) -> bool {
///     response.statuses().all(|single| single.status == CertificateStatus::Good)
/// }
/// ```
pub struct OcspResponse {
    der: Vec<u8>,
    produced_at: i64,
    nonce: Option<Vec<u8>>,
    /// Where each `SingleResponse` lies in `der`: offset and length of its content.
    singles: Vec<(usize, usize)>,
    pub(crate) signer: Signer,
}

/// What an OCSP response says about one certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct OcspStatus {
    /// The content of the serial number's INTEGER.
    pub serial_number: Vec<u8>,
    /// Its status.
    pub status: CertificateStatus,
    /// When the status was last known to be right, in seconds since 1970; negative before.
    pub this_update: i64,
    /// When newer information will be there at the latest, in seconds since 1970; negative before. `None` if
    /// it is there at any time.
    pub next_update: Option<i64>,
    /// Since when the responder has kept what it knows, beyond the expiry of certificates (section 4.4.4).
    pub archive_cutoff: Option<i64>,
}

/// The status of a certificate in an OCSP response (RFC 6960 section 2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CertificateStatus {
    /// Not revoked.
    Good,
    /// Revoked, or never issued.
    Revoked {
        /// Since when.
        since: UnixTime,
        /// Why, as the responder says.
        reason: RevocationReason,
    },
    /// The responder does not know the certificate.
    Unknown,
}

/// Why an OCSP response was not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OcspError {
    /// The DER cannot be read.
    Malformed(DerError),
    /// The responder has no answer, and why.
    Status(OcspResponseStatus),
    /// Not a basic response; the OID of its type in dotted form.
    UnknownType(alloc::string::String),
    /// A critical extension that is not understood; its OID in dotted form.
    UnknownCriticalExtension(alloc::string::String),
    /// No certificate at hand, nor among those that came with it, is the responder's.
    UnknownSigner,
    /// The responder is neither the CA nor has it a certificate from a CA at hand that makes it one (section
    /// 4.2.2.2).
    Unauthorized,
    /// The signature verifies under no key of the responder, for this reason.
    Signature(Reason),
    /// It does not answer what was asked: another certificate.
    NotAsked,
    /// The nonce is not the one that was sent, or missing where it is required (section 4.4.1).
    Nonce,
    /// The store holds a newer one for each of its certificates.
    Superseded,
    /// The store is full of responses that revoke.
    Full,
}

/// An `OCSPResponseStatus` (RFC 6960 section 4.2.1) other than `successful`. It is not signed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OcspResponseStatus(pub u8);

impl OcspResponseStatus {
    /// The request was not understood.
    pub const MALFORMED_REQUEST: Self = Self(1);
    /// The responder is in trouble; another may help.
    pub const INTERNAL_ERROR: Self = Self(2);
    /// The responder cannot answer now.
    pub const TRY_LATER: Self = Self(3);
    /// The responder wants signed requests.
    pub const SIG_REQUIRED: Self = Self(5);
    /// The responder does not answer us, or not for that CA.
    pub const UNAUTHORIZED: Self = Self(6);

    /// Whether asking the same responder again later makes sense.
    pub fn is_temporary(self) -> bool {
        matches!(self, Self::INTERNAL_ERROR | Self::TRY_LATER)
    }
}

impl fmt::Display for OcspResponseStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::MALFORMED_REQUEST => "malformed request",
            Self::INTERNAL_ERROR => "internal error",
            Self::TRY_LATER => "try later",
            Self::SIG_REQUIRED => "signed request required",
            Self::UNAUTHORIZED => "unauthorized",
            Self(other) => return write!(f, "status {other}"),
        })
    }
}

impl fmt::Display for OcspError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "malformed OCSP response: {error}"),
            Self::Status(status) => write!(f, "the OCSP responder says: {status}"),
            Self::UnknownType(oid) => write!(f, "OCSP response of unknown type {oid}"),
            Self::UnknownCriticalExtension(oid) => {
                write!(f, "OCSP response with unknown critical extension {oid}")
            }
            Self::UnknownSigner => f.write_str("OCSP response of an unknown responder"),
            Self::Unauthorized => {
                f.write_str("OCSP response of a responder that no CA has authorized")
            }
            Self::Signature(reason) => write!(f, "OCSP response refused: {reason}"),
            Self::NotAsked => f.write_str("OCSP response about another certificate"),
            Self::Nonce => f.write_str("OCSP response with another nonce"),
            Self::Superseded => f.write_str("a newer OCSP response is in the store"),
            Self::Full => f.write_str("no room for another OCSP response"),
        }
    }
}

impl core::error::Error for OcspError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            _ => None,
        }
    }
}

impl From<DerError> for OcspError {
    fn from(error: DerError) -> Self {
        Self::Malformed(error)
    }
}

impl OcspResponse {
    /// The `OCSPResponse` in DER, as it came: what RFC 4806 has sent along with a certificate.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// When it was signed, in seconds since 1970; negative before.
    pub fn produced_at(&self) -> i64 {
        self.produced_at
    }

    /// The earliest time at which newer information about one of its certificates will be there, in seconds
    /// since 1970; `None` if it says so of none.
    pub fn next_update(&self) -> Option<i64> {
        self.singles().filter_map(|single| single.next_update).min()
    }

    /// What it says about each certificate.
    pub fn statuses(&self) -> impl Iterator<Item = OcspStatus> {
        self.singles().map(|single| OcspStatus {
            serial_number: single.id.serial.to_vec(),
            status: match single.status {
                Status::Good => CertificateStatus::Good,
                Status::Revoked(entry) => {
                    CertificateStatus::Revoked { since: entry.since, reason: entry.reason }
                }
                Status::Unknown => CertificateStatus::Unknown,
            },
            this_update: single.this_update,
            next_update: single.next_update,
            archive_cutoff: single.archive_cutoff,
        })
    }

    /// The value of the nonce extension.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }

    /// Bytes of memory that it occupies.
    pub fn memory(&self) -> usize {
        self.der.capacity() + self.singles.capacity() * size_of::<(usize, usize)>()
    }

    pub(crate) fn singles(&self) -> impl Iterator<Item = Single<'_>> {
        self.singles.iter().filter_map(|&(offset, len)| {
            let bytes = self.der.get(offset..offset.checked_add(len)?)?;
            Single::read(&mut Field { bytes, offset }.reader()).ok()
        })
    }
}

impl fmt::Debug for OcspResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OcspResponse")
            .field("produced_at", &self.produced_at)
            .field("certificates", &self.singles.len())
            .finish_non_exhaustive()
    }
}

/// Who says to have signed a response.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ResponderId<'a> {
    Name(Name<'a>),
    /// SHA-1 over the key's BIT STRING without its header.
    KeyHash(&'a [u8]),
}

/// A response as it came, whole and well-formed, but signed by nobody yet.
pub(crate) struct Unverified<'a> {
    der: &'a [u8],
    pub(crate) signed: &'a [u8],
    pub(crate) algorithm: AlgorithmIdentifier<'a>,
    pub(crate) signature: &'a [u8],
    pub(crate) responder: ResponderId<'a>,
    /// What came with it to help, each element as it stands.
    pub(crate) certificates: Vec<&'a [u8]>,
    produced_at: i64,
    nonce: Option<&'a [u8]>,
    singles: Vec<(usize, usize)>,
}

impl<'a> Unverified<'a> {
    /// Reads everything, every single response included.
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, OcspError> {
        Self::parse(der).map_err(|error| match error {
            OcspError::Malformed(error) => error.located(Format::OcspResponse, der).into(),
            other => other,
        })
    }

    fn parse(der: &'a [u8]) -> Result<Self, OcspError> {
        let mut outer = Reader::new(der);
        let mut reader = outer.sequence()?;
        outer.finish()?;
        let field = reader.read(tag::ENUMERATED)?;
        let status = small_integer(field)?;
        let bytes = reader.optional(tag::constructed(0))?;
        reader.finish()?;
        if status != 0 {
            let status = u8::try_from(status).map_err(|_| field.error(DerErrorKind::Value))?;
            return Err(OcspError::Status(OcspResponseStatus(status)));
        }
        let mut explicit = bytes.ok_or_else(|| reader.error(DerErrorKind::Truncated))?.reader();
        let mut bytes = explicit.sequence()?;
        explicit.finish()?;
        let kind = bytes.oid()?;
        let content = bytes.read(tag::OCTET_STRING)?;
        bytes.finish()?;
        if kind != oid::OCSP_BASIC {
            return Err(OcspError::UnknownType(oid::dotted(kind)));
        }

        let mut outer = content.reader();
        let mut basic = outer.sequence()?;
        outer.finish()?;
        let signed = basic.element(tag::SEQUENCE)?;
        let algorithm = AlgorithmIdentifier::read(&mut basic)?;
        let signature = basic.signature()?;
        let certificates = basic.optional(tag::constructed(0))?.map_or(Ok(Vec::new()), elements)?;
        basic.finish()?;

        let mut data = signed.content.reader();
        if let Some(explicit) = data.optional(tag::constructed(0))? {
            let mut version = explicit.reader();
            let field = version.integer()?;
            version.finish()?;
            // v1 is the default and need not be there, but some write it.
            if field.bytes != [0] {
                return Err(field.error(DerErrorKind::Version).into());
            }
        }
        let responder = ResponderId::read(&mut data)?;
        let produced_at = generalized_time(data.read(tag::GENERALIZED_TIME)?)?;
        let list = data.read(tag::SEQUENCE)?;
        let mut nonce = None;
        if let Some(explicit) = data.optional(tag::constructed(1))? {
            nonce = read_response_extensions(explicit)?;
        }
        data.finish()?;

        let mut singles = Vec::new();
        let mut reader = list.reader();
        while !reader.is_empty() {
            if singles.len() == MAX_SINGLES {
                return Err(list.error(DerErrorKind::TooMany).into());
            }
            let single = reader.read(tag::SEQUENCE)?;
            Single::read(&mut single.reader())?;
            singles.push((single.offset, single.bytes.len()));
        }
        Ok(Self {
            der,
            signed: signed.whole.bytes,
            algorithm,
            signature,
            responder,
            certificates,
            produced_at,
            nonce,
            singles,
        })
    }

    /// The nonce, if it has one.
    pub(crate) fn nonce(&self) -> Option<&'a [u8]> {
        self.nonce
    }

    /// Whether it says something about the certificate of this CertID in DER.
    pub(crate) fn answers(&self, id: &[u8]) -> bool {
        let Ok(asked) = CertId::read(&mut Reader::new(id)) else { return false };
        self.singles.iter().any(|&(offset, len)| {
            let bytes = self.der.get(offset..offset.saturating_add(len)).unwrap_or_default();
            CertId::read(&mut Field { bytes, offset }.reader()) == Ok(asked)
        })
    }

    /// What it is once its signature was verified.
    pub(crate) fn verified(self, signer: Signer) -> OcspResponse {
        OcspResponse {
            der: self.der.to_vec(),
            produced_at: self.produced_at,
            nonce: self.nonce.map(<[u8]>::to_vec),
            singles: self.singles,
            signer,
        }
    }
}

/// The elements of the SEQUENCE in an explicit tag.
fn elements(explicit: Field<'_>) -> Result<Vec<&[u8]>, DerError> {
    let mut outer = explicit.reader();
    let mut list = outer.sequence()?;
    outer.finish()?;
    let mut found = Vec::new();
    while !list.is_empty() {
        if found.len() == MAX_CERTIFICATES {
            return Err(explicit.error(DerErrorKind::TooMany));
        }
        found.push(list.element(tag::SEQUENCE)?.whole.bytes);
    }
    Ok(found)
}

impl<'a> ResponderId<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DerError> {
        let choice = reader.any()?;
        let mut inner = choice.content.reader();
        let id = match choice.tag {
            0xa1 => Self::Name(Name::read(&mut inner)?),
            0xa2 => {
                let hash = inner.read(tag::OCTET_STRING)?;
                if hash.bytes.len() != HashAlgorithm::Sha1.output_len() {
                    return Err(hash.error(DerErrorKind::Value));
                }
                Self::KeyHash(hash.bytes)
            }
            _ => return Err(choice.whole.error(DerErrorKind::Value)),
        };
        inner.finish()?;
        Ok(id)
    }

    /// Whether it names the owner of this name (canonical, made when it is needed) and key.
    pub(crate) fn is(
        &self,
        provider: &Provider,
        name: impl FnOnce() -> Vec<u8>,
        key: Spki<'_>,
    ) -> bool {
        match self {
            Self::Name(wanted) => wanted.canonical() == name(),
            Self::KeyHash(wanted) => provider
                .hash(HashAlgorithm::Sha1)
                .is_some_and(|sha1| sha1.hash(&[key.key])[..] == **wanted),
        }
    }
}

/// Reads the extensions of a response; gives the nonce.
fn read_response_extensions(explicit: Field<'_>) -> Result<Option<&[u8]>, OcspError> {
    let mut nonce = None;
    each_extension(explicit, |extension| {
        match extension.oid {
            oid::OCSP_NONCE => nonce = Some(read_nonce(extension.value)?),
            oid::OCSP_EXTENDED_REVOKE => {}
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(nonce)
}

/// RFC 9654 section 2.1: an OCTET STRING of 1 to 128 octets. Shorter limits (RFC 8954: 32) lie within.
pub(crate) const MAX_NONCE: usize = 128;

fn read_nonce(value: Field<'_>) -> Result<&[u8], DerError> {
    let mut reader = value.reader();
    let nonce = reader.read(tag::OCTET_STRING)?;
    reader.finish()?;
    match nonce.bytes.len() {
        1..=MAX_NONCE => Ok(nonce.bytes),
        _ => Err(value.error(DerErrorKind::Value)),
    }
}

/// Shows every extension of an explicitly tagged list to `known`, which says whether it understands it.
fn each_extension<'a>(
    explicit: Field<'a>,
    mut known: impl FnMut(Extension<'a>) -> Result<bool, DerError>,
) -> Result<(), OcspError> {
    let mut outer = explicit.reader();
    let list = outer.read(tag::SEQUENCE)?;
    outer.finish()?;
    let mut reader = list.reader();
    let mut seen: Vec<&[u8]> = Vec::new();
    while !reader.is_empty() {
        let at = reader.offset();
        let extension = Extension::read(&mut reader)?;
        if seen.contains(&extension.oid) {
            return Err(DerError::new(at, DerErrorKind::DuplicateExtension).into());
        }
        if seen.len() == 32 {
            return Err(list.error(DerErrorKind::TooMany).into());
        }
        seen.push(extension.oid);
        if !known(extension)? && extension.critical {
            return Err(OcspError::UnknownCriticalExtension(oid::dotted(extension.oid)));
        }
    }
    Ok(())
}

/// A `CertID`: which certificate is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CertId<'a> {
    /// `None` for a hash function that is not known here: such an ID names nothing.
    hash: Option<HashAlgorithm>,
    issuer_name: &'a [u8],
    issuer_key: &'a [u8],
    pub(crate) serial: &'a [u8],
}

impl<'a> CertId<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DerError> {
        let mut id = reader.sequence()?;
        let algorithm = AlgorithmIdentifier::read(&mut id)?;
        let hash = match algorithm.oid {
            oid::SHA1 => Some(HashAlgorithm::Sha1),
            oid::SHA256 => Some(HashAlgorithm::Sha256),
            oid::SHA384 => Some(HashAlgorithm::Sha384),
            oid::SHA512 => Some(HashAlgorithm::Sha512),
            _ => None,
        };
        let issuer_name = id.read(tag::OCTET_STRING)?.bytes;
        let issuer_key = id.read(tag::OCTET_STRING)?.bytes;
        let serial = serial_number(&mut id)?;
        id.finish()?;
        Ok(Self { hash, issuer_name, issuer_key, serial })
    }

    /// Whether it means a certificate of this issuer: its name in DER and its key.
    pub(crate) fn is_issued_by(&self, provider: &Provider, name: &[u8], key: Spki<'_>) -> bool {
        let Some(hash) = self.hash.and_then(|hash| provider.hash(hash)) else { return false };
        hash.hash(&[name])[..] == *self.issuer_name && hash.hash(&[key.key])[..] == *self.issuer_key
    }
}

/// A status as it serves validation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    Good,
    Revoked(Entry),
    Unknown,
}

/// A `SingleResponse`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Single<'a> {
    pub(crate) id: CertId<'a>,
    pub(crate) status: Status,
    pub(crate) this_update: i64,
    pub(crate) next_update: Option<i64>,
    pub(crate) archive_cutoff: Option<i64>,
}

impl<'a> Single<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, OcspError> {
        let id = CertId::read(reader)?;
        let choice = reader.any()?;
        let mut status = match (choice.tag, choice.content.bytes) {
            (0x80, []) => Status::Good,
            (0xa1, _) => Status::Revoked(revoked_info(choice.content)?),
            (0x82, []) => Status::Unknown,
            _ => return Err(choice.whole.error(DerErrorKind::Value).into()),
        };
        let this_update = generalized_time(reader.read(tag::GENERALIZED_TIME)?)?;
        let next_update = match reader.optional(tag::constructed(0))? {
            Some(explicit) => Some(explicit_time(explicit)?),
            None => None,
        };
        let mut archive_cutoff = None;
        if let Some(explicit) = reader.optional(tag::constructed(1))? {
            each_extension(explicit, |extension| {
                let value = extension.value;
                match extension.oid {
                    oid::OCSP_ARCHIVE_CUTOFF => archive_cutoff = Some(explicit_time(value)?),
                    //= RFC 6960 section 4.4.5
                    // The extensions of CRL entries are supported here too.
                    oid::REASON_CODE => {
                        let code = reason_code(value)?;
                        if let Status::Revoked(entry) = &mut status {
                            entry.reason = code;
                        }
                    }
                    oid::INVALIDITY_DATE => {
                        let date = crate::revocation::crl::unix(invalidity_date(value)?);
                        if let Status::Revoked(entry) = &mut status {
                            entry.invalid_since = Some(date);
                        }
                    }
                    oid::OCSP_CRL | oid::SIGNED_CERTIFICATE_TIMESTAMPS => {}
                    _ => return Ok(false),
                }
                Ok(true)
            })?;
        }
        reader.finish()?;
        Ok(Self { id, status, this_update, next_update, archive_cutoff })
    }
}

/// A GeneralizedTime within an explicit tag or an extension.
fn explicit_time(field: Field<'_>) -> Result<i64, DerError> {
    let mut reader = field.reader();
    let time = generalized_time(reader.read(tag::GENERALIZED_TIME)?)?;
    reader.finish()?;
    Ok(time)
}

fn revoked_info(field: Field<'_>) -> Result<Entry, DerError> {
    let mut reader = field.reader();
    let since = generalized_time(reader.read(tag::GENERALIZED_TIME)?)?;
    let reason = reader.optional(tag::constructed(0))?.map(reason_code).transpose()?;
    reader.finish()?;
    Ok(Entry {
        since: crate::revocation::crl::unix(since),
        reason: reason.unwrap_or(RevocationReason::UNSPECIFIED),
        invalid_since: None,
    })
}
