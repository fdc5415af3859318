//! Distribution points: of certificates (RFC 5280 section 4.2.1.13) and of CRLs (section 5.2.5), and where
//! else certificates say that something can be fetched (section 4.2.2.1).

use alloc::string::String;
use alloc::vec::Vec;

use crate::format::der::{DerError, DerErrorKind, Field, Reader, Tlv, named_bits, tag};
use crate::format::extension::tagged_flag;
use crate::format::general_name::{self, GeneralName};
use crate::format::name::{Name, canonical_rdn, check_rdn};

/// A set of revocation reasons as `ReasonFlags` numbers them: bit 0, the most significant, is unused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reasons(u16);

impl Reasons {
    pub(crate) const NONE: Self = Self(0);
    /// Bits 1 to 8.
    pub(crate) const ALL: Self = Self(0x7f80);

    fn read(field: Field<'_>) -> Result<Self, DerError> {
        named_bits(field).map(|bits| Self(bits & Self::ALL.0))
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// True if `self` has a reason that `other` lacks.
    pub(crate) fn adds_to(self, other: Self) -> bool {
        self.0 & !other.0 != 0
    }
}

/// A `DistributionPointName`: every name in a form that compares byte for byte.
pub(crate) type PointNames = Vec<Vec<u8>>;

/// A `DistributionPoint` of a certificate.
#[derive(Clone, Debug)]
pub(crate) struct DistributionPoint<'a> {
    pub(crate) names: Option<PointNames>,
    pub(crate) urls: Vec<&'a str>,
    pub(crate) reasons: Reasons,
    /// Canonical directory names of `cRLIssuer`.
    pub(crate) crl_issuers: Option<Vec<Vec<u8>>>,
}

impl DistributionPoint<'_> {
    /// The one that section 6.3.3 adds: whatever the certificate's issuer publishes.
    pub(crate) fn of_issuer(issuer: &[u8]) -> Self {
        Self {
            names: Some(Vec::from([directory(issuer)])),
            urls: Vec::new(),
            reasons: Reasons::ALL,
            crl_issuers: None,
        }
    }
}

/// Reads a `CRLDistributionPoints` extension; `issuer` is the certificate's.
pub(crate) fn read_points<'a>(
    extension: Field<'a>,
    issuer: Name<'_>,
) -> Result<Vec<DistributionPoint<'a>>, DerError> {
    let mut outer = extension.reader();
    let mut list = outer.sequence()?;
    outer.finish()?;
    let mut points = Vec::new();
    while !list.is_empty() {
        let at = list.offset();
        let mut point = list.sequence()?;
        let names = point.optional(tag::constructed(0))?;
        let reasons = point.optional(tag::context(1))?;
        let crl_issuers = point.optional(tag::constructed(2))?;
        point.finish()?;
        if names.is_none() && crl_issuers.is_none() {
            return Err(DerError::new(at, DerErrorKind::Value));
        }
        let crl_issuers = crl_issuers.map(directory_names).transpose()?;
        // A relative name hangs below the CRL issuer, which has then a single name.
        let base = match crl_issuers.as_deref() {
            Some([only]) => only.clone(),
            _ => issuer.canonical(),
        };
        points.push(DistributionPoint {
            urls: names.map_or(Ok(Vec::new()), urls)?,
            names: names.map(|field| point_names(field, &base)).transpose()?,
            reasons: reasons.map_or(Ok(Reasons::ALL), Reasons::read)?,
            crl_issuers,
        });
    }
    if points.is_empty() {
        return Err(extension.error(DerErrorKind::Value));
    }
    Ok(points)
}

/// An `IssuingDistributionPoint`: what a CRL covers. The default is everything that its issuer issued.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct IssuingDistributionPoint {
    pub(crate) names: Option<PointNames>,
    pub(crate) only_user: bool,
    pub(crate) only_ca: bool,
    pub(crate) only_attribute: bool,
    pub(crate) reasons: Reasons,
    pub(crate) indirect: bool,
}

impl Default for IssuingDistributionPoint {
    fn default() -> Self {
        Self {
            names: None,
            only_user: false,
            only_ca: false,
            only_attribute: false,
            reasons: Reasons::ALL,
            indirect: false,
        }
    }
}

impl IssuingDistributionPoint {
    pub(crate) fn read(extension: Field<'_>, issuer: Name<'_>) -> Result<Self, DerError> {
        let mut outer = extension.reader();
        let mut reader = outer.sequence()?;
        outer.finish()?;
        let names = reader.optional(tag::constructed(0))?;
        let only_user = tagged_flag(&mut reader, 1)?;
        let only_ca = tagged_flag(&mut reader, 2)?;
        let reasons = reader.optional(tag::context(3))?;
        let indirect = tagged_flag(&mut reader, 4)?;
        let only_attribute = tagged_flag(&mut reader, 5)?;
        reader.finish()?;
        //= RFC 5280 section 5.2.5
        // An empty one says nothing, and at most one of the three may be set.
        let empty = names.is_none()
            && reasons.is_none()
            && !(only_user || only_ca || only_attribute || indirect);
        if empty || u8::from(only_user) + u8::from(only_ca) + u8::from(only_attribute) > 1 {
            return Err(extension.error(DerErrorKind::Value));
        }
        Ok(Self {
            names: names.map(|field| point_names(field, &issuer.canonical())).transpose()?,
            only_user,
            only_ca,
            only_attribute,
            reasons: reasons.map_or(Ok(Reasons::ALL), Reasons::read)?,
            indirect,
        })
    }
}

/// The URLs of an access method in an `AuthorityInfoAccess` extension; a malformed one has none.
pub(crate) fn access_urls(extension: Field<'_>, method: &[u8]) -> Vec<String> {
    let read = || -> Result<Vec<String>, DerError> {
        let mut outer = extension.reader();
        let mut list = outer.sequence()?;
        let mut urls = Vec::new();
        while !list.is_empty() {
            let mut description = list.sequence()?;
            let is_wanted = description.oid()? == method;
            let location = GeneralName::read(&mut description)?;
            description.finish()?;
            if let (true, GeneralName::Uri(url)) = (is_wanted, location) {
                urls.push(url.into());
            }
        }
        Ok(urls)
    };
    read().unwrap_or_default()
}

/// The canonical form of a directory name among general names.
pub(crate) fn directory(canonical: &[u8]) -> Vec<u8> {
    [&[0xa4], canonical].concat()
}

/// The names of a `DistributionPointName` (an explicitly tagged CHOICE).
fn point_names(field: Field<'_>, issuer: &[u8]) -> Result<PointNames, DerError> {
    let mut reader = field.reader();
    let choice = reader.any()?;
    reader.finish()?;
    match choice.tag {
        0xa0 if !choice.content.bytes.is_empty() => {
            let mut names = Vec::new();
            let mut list = choice.content.reader();
            while !list.is_empty() {
                names.push(comparable(list.any()?)?);
            }
            Ok(names)
        }
        0xa1 => {
            check_rdn(choice.content)?;
            let mut full = directory(issuer);
            canonical_rdn(choice.content, &mut full);
            Ok(Vec::from([full]))
        }
        _ => Err(choice.whole.error(DerErrorKind::Value)),
    }
}

fn comparable(name: Tlv<'_>) -> Result<Vec<u8>, DerError> {
    match GeneralName::read(&mut name.whole.reader())? {
        GeneralName::Directory(name) => Ok(directory(&name.canonical())),
        _ => Ok(name.whole.bytes.to_vec()),
    }
}

/// URLs among the full names.
fn urls(field: Field<'_>) -> Result<Vec<&str>, DerError> {
    let mut reader: Reader<'_> = field.reader();
    let Some(full) = reader.optional(tag::constructed(0))? else { return Ok(Vec::new()) };
    let names = general_name::in_sequence(full);
    let urls = names.filter_map(|name| match name {
        Ok(GeneralName::Uri(url)) => Some(Ok(url)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    });
    urls.collect()
}

/// The directory names among `GeneralNames`, canonical.
pub(crate) fn directory_names(names: Field<'_>) -> Result<Vec<Vec<u8>>, DerError> {
    let mut found = Vec::new();
    for name in general_name::in_sequence(names) {
        if let GeneralName::Directory(name) = name? {
            found.push(name.canonical());
        }
    }
    Ok(found)
}
