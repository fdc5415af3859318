//! Certificate revocation lists (RFC 5280 section 5): read once, indexed, and kept as they came.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use adit_platform::UnixTime;

use crate::error::{Reason, RevocationReason};
use crate::format::algorithm::AlgorithmIdentifier;
use crate::format::certificate::serial_number;
use crate::format::der::{
    DerError, DerErrorKind, Field, Reader, generalized_time, small_integer, tag, time,
};
use crate::format::extension::{Extension, authority_key_hint};
use crate::format::field::Format;
use crate::format::name::Name;
use crate::format::oid;
use crate::revocation::crl_index::{Index, IndexBuilder};
use crate::revocation::distribution::{IssuingDistributionPoint, directory_names};

/// A CRL whose signature was verified. Kept in a [`CrlStore`](crate::CrlStore).
pub struct Crl {
    der: Vec<u8>,
    parts: Parts,
    index: Index,
    issuers: Issuers,
    /// The [identity](crate::format::certificate::Spki::identity) of the key that signed it.
    pub(crate) signer: Vec<u8>,
}

/// For indirect CRLs: from which entry on (by offset) which certificate issuer holds, canonical.
type Issuers = Vec<(u32, Vec<u8>)>;

/// What a CRL says about itself.
pub(crate) struct Parts {
    pub(crate) issuer: Vec<u8>,
    pub(crate) this_update: i64,
    pub(crate) next_update: Option<i64>,
    /// The content of the CRL number's INTEGER.
    pub(crate) number: Option<Vec<u8>>,
    /// The content of the base CRL number's INTEGER, in a delta CRL.
    pub(crate) delta_base: Option<Vec<u8>>,
    pub(crate) scope: IssuingDistributionPoint,
    pub(crate) authority_key: Option<Vec<u8>>,
    entries: Range<usize>,
    version: u8,
}

/// What a CRL says about one certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) since: UnixTime,
    pub(crate) reason: RevocationReason,
    pub(crate) invalid_since: Option<UnixTime>,
}

/// Why a CRL was not taken into the store.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CrlError {
    /// The DER cannot be read.
    Malformed(DerError),
    /// A critical extension, of the CRL or of an entry, is not understood: it must not be used (section 5.2).
    /// The OID in dotted form.
    UnknownCriticalExtension(alloc::string::String),
    /// No certificate at hand bears the name of its issuer.
    UnknownSigner,
    /// The signature verifies under no key at hand that bears the issuer's name, for this reason.
    Signature(Reason),
    /// An older CRL than the one in the store.
    Superseded,
}

impl fmt::Display for CrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => write!(f, "malformed CRL: {error}"),
            Self::UnknownCriticalExtension(oid) => {
                write!(f, "CRL with unknown critical extension {oid}")
            }
            Self::UnknownSigner => f.write_str("CRL of an unknown issuer"),
            Self::Signature(reason) => write!(f, "CRL refused: {reason}"),
            Self::Superseded => f.write_str("a newer CRL is in the store"),
        }
    }
}

impl core::error::Error for CrlError {}

impl CrlError {
    /// This error with the field of the CRL that it lies in.
    pub(crate) fn located(self, der: &[u8]) -> Self {
        match self {
            Self::Malformed(error) => Self::Malformed(error.located(Format::CertificateList, der)),
            other => other,
        }
    }
}

impl From<DerError> for CrlError {
    fn from(error: DerError) -> Self {
        Self::Malformed(error)
    }
}

impl Crl {
    /// The CRL in DER.
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// When it was issued, in seconds since 1970; negative before.
    pub fn this_update(&self) -> i64 {
        self.parts.this_update
    }

    /// When the next one will be there at the latest, in seconds since 1970; negative before.
    pub fn next_update(&self) -> Option<i64> {
        self.parts.next_update
    }

    /// The content of the CRL number's INTEGER, big-endian.
    pub fn number(&self) -> Option<&[u8]> {
        self.parts.number.as_deref()
    }

    /// True for a delta CRL, which completes another.
    pub fn is_delta(&self) -> bool {
        self.parts.delta_base.is_some()
    }

    /// How many certificates it lists.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// True if it lists none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that it occupies: the DER and the index.
    pub fn memory(&self) -> usize {
        let issuers: usize = self.issuers.iter().map(|(_, name)| name.capacity() + 32).sum();
        self.der.capacity() + self.index.memory() + issuers
    }

    /// True if it lists this serial number (the content of the INTEGER) for certificates of its own issuer.
    pub fn contains(&self, serial: &[u8]) -> bool {
        // Every entry was read when the CRL came in: what it says besides need not be read again.
        let issuer = &self.parts.issuer;
        self.index.find(&self.der, serial).any(|offset| self.issuer_of(offset) == issuer)
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The entry for the certificate of this serial number, issued by `issuer` (canonical).
    pub(crate) fn lookup(&self, serial: &[u8], issuer: &[u8]) -> Option<Entry> {
        self.index.find(&self.der, serial).find_map(|offset| {
            let at = usize::try_from(offset).ok()?;
            if self.issuer_of(offset) != issuer {
                return None;
            }
            let field = Field { bytes: self.der.get(at..)?, offset: at };
            RawEntry::read(&mut field.reader()).ok()?.decode().ok()
        })
    }

    /// Section 5.3.3: an entry without a certificate issuer has that of the entry before it, the first one
    /// that of the CRL.
    fn issuer_of(&self, offset: u32) -> &[u8] {
        match self.issuers.partition_point(|(from, _)| *from <= offset).checked_sub(1) {
            Some(index) => &self.issuers[index].1,
            None => &self.parts.issuer,
        }
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crl")
            .field("entries", &self.len())
            .field("this_update", &self.parts.this_update)
            .field("next_update", &self.parts.next_update)
            .field("delta", &self.is_delta())
            .finish_non_exhaustive()
    }
}

/// A CRL as it came, before anything but its frame and header has been read.
pub(crate) struct Unverified<'a> {
    pub(crate) signed: &'a [u8],
    pub(crate) algorithm: AlgorithmIdentifier<'a>,
    pub(crate) signature: &'a [u8],
    pub(crate) parts: Parts,
}

impl<'a> Unverified<'a> {
    /// Reads everything but the entries.
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, CrlError> {
        let mut outer = Reader::new(der);
        let mut reader = outer.sequence()?;
        outer.finish()?;
        let signed = reader.element(tag::SEQUENCE)?;
        let algorithm = AlgorithmIdentifier::read(&mut reader)?;
        let signature = reader.signature()?;
        reader.finish()?;

        let mut tbs = signed.content.reader();
        let version = match tbs.optional(tag::INTEGER)? {
            None => 1,
            Some(field) if field.bytes == [1] => 2,
            Some(field) => return Err(field.error(DerErrorKind::Version).into()),
        };
        let inner = AlgorithmIdentifier::read(&mut tbs)?;
        if inner.der.bytes != algorithm.der.bytes {
            return Err(inner.der.error(DerErrorKind::AlgorithmMismatch).into());
        }
        let issuer = Name::read(&mut tbs)?;
        let this_update = time(&mut tbs)?;
        let next_update = match tbs.peek() {
            Some(tag::UTC_TIME | tag::GENERALIZED_TIME) => Some(time(&mut tbs)?),
            _ => None,
        };
        let entries = match tbs.optional(tag::SEQUENCE)? {
            //= RFC 5280 section 5.1.2.6
            // Absent if nothing is revoked.
            Some(list) if list.bytes.is_empty() => {
                return Err(list.error(DerErrorKind::Value).into());
            }
            Some(list) => list.offset..list.offset + list.bytes.len(),
            None => 0..0,
        };
        let mut parts = Parts {
            issuer: issuer.canonical(),
            this_update,
            next_update,
            number: None,
            delta_base: None,
            scope: IssuingDistributionPoint::default(),
            authority_key: None,
            entries,
            version,
        };
        let at = tbs.error(DerErrorKind::Version);
        if let Some(explicit) = tbs.optional(tag::constructed(0))? {
            if version == 1 {
                return Err(at.into());
            }
            parts.read_extensions(explicit, issuer)?;
        }
        tbs.finish()?;
        Ok(Self { signed: signed.whole.bytes, algorithm, signature, parts })
    }
}

impl Parts {
    fn read_extensions(&mut self, explicit: Field<'_>, issuer: Name<'_>) -> Result<(), CrlError> {
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
            if seen.len() > 64 {
                return Err(list.error(DerErrorKind::TooMany).into());
            }
            seen.push(extension.oid);
            let value = extension.value;
            match extension.oid {
                oid::CRL_NUMBER => self.number = Some(whole_integer(value)?),
                oid::DELTA_CRL_INDICATOR => self.delta_base = Some(whole_integer(value)?),
                oid::ISSUING_DISTRIBUTION_POINT => {
                    self.scope = IssuingDistributionPoint::read(value, issuer)?;
                }
                oid::AUTHORITY_KEY_ID => {
                    self.authority_key = authority_key_hint(value).map(<[u8]>::to_vec);
                }
                oid::FRESHEST_CRL | oid::AUTHORITY_INFO_ACCESS => {}
                unknown if extension.critical => {
                    return Err(CrlError::UnknownCriticalExtension(oid::dotted(unknown)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads every entry of the CRL and indexes it.
    pub(crate) fn index(self, der: Vec<u8>, signer: Vec<u8>) -> Result<Crl, CrlError> {
        let (builder, issuers) = self.read_entries(&der).map_err(|error| error.located(&der))?;
        let index = builder.finish(&der);
        Ok(Crl { der, parts: self, index, issuers, signer })
    }

    fn read_entries(&self, der: &[u8]) -> Result<(IndexBuilder, Issuers), CrlError> {
        let bytes = der.get(self.entries.clone()).unwrap_or_default();
        let mut reader = Field { bytes, offset: self.entries.start }.reader();
        let mut builder = IndexBuilder::with_capacity(bytes.len() / 40);
        let mut issuers = Vec::new();
        while !reader.is_empty() {
            let at = reader.offset();
            let too_big = DerError::new(at, DerErrorKind::TooMany);
            let offset = u32::try_from(at).map_err(|_| too_big)?;
            let entry = RawEntry::read(&mut reader)?;
            if self.version == 1 && entry.extensions.is_some() {
                return Err(DerError::new(at, DerErrorKind::Version).into());
            }
            if let Some(extensions) = entry.extensions
                && let Some(issuer) = check_entry_extensions(extensions)?
            {
                if !self.scope.indirect {
                    return Err(extensions.error(DerErrorKind::Value).into());
                }
                issuers.push((offset, issuer));
            }
            builder.push(entry.serial, offset);
        }
        Ok((builder, issuers))
    }
}

/// Checks an entry's extensions; gives the certificate issuer if there is one.
fn check_entry_extensions(list: Field<'_>) -> Result<Option<Vec<u8>>, CrlError> {
    let mut issuer = None;
    let mut reader = list.reader();
    if reader.is_empty() {
        return Err(list.error(DerErrorKind::Value).into());
    }
    while !reader.is_empty() {
        let extension = Extension::read(&mut reader)?;
        match extension.oid {
            oid::REASON_CODE => {
                reason_code(extension.value)?;
            }
            oid::INVALIDITY_DATE => {
                invalidity_date(extension.value)?;
            }
            oid::CERTIFICATE_ISSUER => {
                let mut outer = extension.value.reader();
                let names = directory_names(outer.read(tag::SEQUENCE)?)?;
                outer.finish()?;
                let missing = extension.value.error(DerErrorKind::Value);
                issuer = Some(names.into_iter().next().ok_or(missing)?);
            }
            unknown if extension.critical => {
                return Err(CrlError::UnknownCriticalExtension(oid::dotted(unknown)));
            }
            _ => {}
        }
    }
    Ok(issuer)
}

/// One of the `revokedCertificates`.
struct RawEntry<'a> {
    serial: &'a [u8],
    since: i64,
    extensions: Option<Field<'a>>,
}

impl<'a> RawEntry<'a> {
    #[inline]
    fn read(reader: &mut Reader<'a>) -> Result<Self, DerError> {
        let mut entry = reader.sequence()?;
        let serial = serial_number(&mut entry)?;
        let since = time(&mut entry)?;
        let extensions = entry.optional(tag::SEQUENCE)?;
        entry.finish()?;
        Ok(Self { serial, since, extensions })
    }

    fn decode(&self) -> Result<Entry, DerError> {
        let mut decoded = Entry {
            since: unix(self.since),
            reason: RevocationReason::UNSPECIFIED,
            invalid_since: None,
        };
        if let Some(list) = self.extensions {
            for extension in crate::format::extension::iterate(list) {
                match extension.oid {
                    oid::REASON_CODE => decoded.reason = reason_code(extension.value)?,
                    oid::INVALIDITY_DATE => {
                        decoded.invalid_since = Some(unix(invalidity_date(extension.value)?));
                    }
                    _ => {}
                }
            }
        }
        Ok(decoded)
    }
}

pub(crate) fn unix(seconds: i64) -> UnixTime {
    UnixTime::from_secs(u64::try_from(seconds).unwrap_or(0))
}

pub(crate) fn reason_code(value: Field<'_>) -> Result<RevocationReason, DerError> {
    let mut reader = value.reader();
    let field = reader.read(tag::ENUMERATED)?;
    reader.finish()?;
    let bad = field.error(DerErrorKind::Value);
    Ok(RevocationReason(u8::try_from(small_integer(field)?).map_err(|_| bad)?))
}

pub(crate) fn invalidity_date(value: Field<'_>) -> Result<i64, DerError> {
    let mut reader = value.reader();
    let date = generalized_time(reader.read(tag::GENERALIZED_TIME)?)?;
    reader.finish()?;
    Ok(date)
}

fn whole_integer(value: Field<'_>) -> Result<Vec<u8>, DerError> {
    let mut reader = value.reader();
    let field = reader.integer()?;
    reader.finish()?;
    match field.bytes {
        // Section 5.2.3: up to 20 octets, not negative.
        [0x80..=0xff, ..] => Err(field.error(DerErrorKind::Value)),
        [0, rest @ ..] | rest if rest.len() <= 20 => Ok(rest.to_vec()),
        _ => Err(field.error(DerErrorKind::Value)),
    }
}
