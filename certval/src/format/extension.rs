//! Certificate extensions (RFC 5280 section 4.2): found once, read when they are needed.

use crate::format::der::{
    DerError, DerErrorKind, Field, Reader, boolean, named_bits, small_integer, tag,
};
use crate::format::oid;

/// The extensions of a certificate: the contents of those that are understood, by name.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Extensions<'a> {
    pub(crate) subject_key_id: Option<Field<'a>>,
    pub(crate) authority_key_id: Option<Field<'a>>,
    pub(crate) key_usage: Option<Field<'a>>,
    pub(crate) subject_alt_name: Option<Field<'a>>,
    pub(crate) basic_constraints: Option<Field<'a>>,
    pub(crate) name_constraints: Option<Field<'a>>,
    pub(crate) crl_distribution_points: Option<Field<'a>>,
    pub(crate) freshest_crl: Option<Field<'a>>,
    pub(crate) certificate_policies: Option<Field<'a>>,
    pub(crate) policy_mappings: Option<Field<'a>>,
    pub(crate) policy_constraints: Option<Field<'a>>,
    pub(crate) inhibit_any_policy: Option<Field<'a>>,
    pub(crate) extended_key_usage: Option<Field<'a>>,
    pub(crate) authority_info_access: Option<Field<'a>>,
    pub(crate) ocsp_no_check: Option<Field<'a>>,
    /// The OID of the first extension that is critical and not understood.
    pub(crate) unknown_critical: Option<Field<'a>>,
    /// Whether the certificate policies are critical, so that their qualifiers have to be understood.
    pub(crate) policies_critical: bool,
}

/// No certificate in use has half as many.
const MAX_EXTENSIONS: usize = 64;

impl<'a> Extensions<'a> {
    /// Reads the content of the explicit `[3]`.
    pub(crate) fn read(field: Field<'a>) -> Result<Self, DerError> {
        let mut outer = field.reader();
        let all = outer.read(tag::SEQUENCE)?;
        outer.finish()?;
        if all.bytes.is_empty() {
            return Err(all.error(DerErrorKind::Value));
        }
        let mut found = Self::default();
        let mut count = 0;
        let mut reader = all.reader();
        while !reader.is_empty() {
            let at = reader.offset();
            let extension = Extension::read(&mut reader)?;
            count += 1;
            if count > MAX_EXTENSIONS {
                return Err(all.error(DerErrorKind::TooMany));
            }
            let duplicate = DerError::new(at, DerErrorKind::DuplicateExtension);
            if extension.oid == oid::CERTIFICATE_POLICIES {
                found.policies_critical = extension.critical;
            }
            match found.slot(extension.oid) {
                Some(slot @ None) => *slot = Some(extension.value),
                Some(Some(_)) => return Err(duplicate),
                None => {
                    if iterate(all).take(count - 1).any(|earlier| earlier.oid == extension.oid) {
                        return Err(duplicate);
                    }
                    if extension.critical && found.unknown_critical.is_none() {
                        found.unknown_critical = Some(Field { bytes: extension.oid, offset: at });
                    }
                }
            }
        }
        Ok(found)
    }

    fn slot(&mut self, oid: &[u8]) -> Option<&mut Option<Field<'a>>> {
        Some(match oid {
            oid::SUBJECT_KEY_ID => &mut self.subject_key_id,
            oid::AUTHORITY_KEY_ID => &mut self.authority_key_id,
            oid::KEY_USAGE => &mut self.key_usage,
            oid::SUBJECT_ALT_NAME => &mut self.subject_alt_name,
            oid::BASIC_CONSTRAINTS => &mut self.basic_constraints,
            oid::NAME_CONSTRAINTS => &mut self.name_constraints,
            oid::CRL_DISTRIBUTION_POINTS => &mut self.crl_distribution_points,
            oid::FRESHEST_CRL => &mut self.freshest_crl,
            oid::CERTIFICATE_POLICIES => &mut self.certificate_policies,
            oid::POLICY_MAPPINGS => &mut self.policy_mappings,
            oid::POLICY_CONSTRAINTS => &mut self.policy_constraints,
            oid::INHIBIT_ANY_POLICY => &mut self.inhibit_any_policy,
            oid::EXTENDED_KEY_USAGE => &mut self.extended_key_usage,
            oid::AUTHORITY_INFO_ACCESS => &mut self.authority_info_access,
            oid::OCSP_NO_CHECK => &mut self.ocsp_no_check,
            _ => return None,
        })
    }

    /// `None` if the extension is absent.
    pub(crate) fn key_usage(&self) -> Result<Option<KeyUsage>, DerError> {
        self.key_usage.map(key_usage).transpose()
    }

    /// `None` if the extension is absent.
    pub(crate) fn basic_constraints(&self) -> Result<Option<BasicConstraints>, DerError> {
        self.basic_constraints.map(basic_constraints).transpose()
    }

    /// The OCTET STRING of the subject key identifier; `None` if absent or malformed: it is a hint.
    pub(crate) fn subject_key_hint(&self) -> Option<&'a [u8]> {
        let mut reader = self.subject_key_id?.reader();
        reader.read(tag::OCTET_STRING).ok().map(|field| field.bytes)
    }

    /// The `keyIdentifier` of the authority key identifier; `None` if absent or malformed: it is a hint.
    pub(crate) fn authority_key_hint(&self) -> Option<&'a [u8]> {
        authority_key_hint(self.authority_key_id?)
    }
}

/// The `keyIdentifier` within an authority key identifier.
pub(crate) fn authority_key_hint(extension: Field<'_>) -> Option<&[u8]> {
    let mut reader = extension.reader().sequence().ok()?;
    reader.optional(tag::context(0)).ok()?.map(|field| field.bytes)
}

/// One extension as it stands in a list: of a certificate, a CRL or a CRL entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extension<'a> {
    pub(crate) oid: &'a [u8],
    pub(crate) critical: bool,
    pub(crate) value: Field<'a>,
}

impl<'a> Extension<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DerError> {
        let mut extension = reader.sequence()?;
        let oid = extension.oid()?;
        let critical = extension.default_false()?;
        let value = extension.read(tag::OCTET_STRING)?;
        extension.finish()?;
        Ok(Self { oid, critical, value })
    }
}

/// The extensions in a list, up to the first that is malformed.
pub(crate) fn iterate<'a>(list: Field<'a>) -> impl Iterator<Item = Extension<'a>> {
    let mut reader = list.reader();
    core::iter::from_fn(move || Extension::read(&mut reader).ok())
}

/// RFC 5280 section 4.2.1.3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct KeyUsage(pub(crate) u16);

impl KeyUsage {
    pub(crate) const DIGITAL_SIGNATURE: u16 = 0x8000;
    pub(crate) const NON_REPUDIATION: u16 = 0x4000;
    pub(crate) const KEY_CERT_SIGN: u16 = 0x0400;
    pub(crate) const CRL_SIGN: u16 = 0x0200;

    pub(crate) fn has_any(self, bits: u16) -> bool {
        self.0 & bits != 0
    }
}

fn key_usage(field: Field<'_>) -> Result<KeyUsage, DerError> {
    let mut reader = field.reader();
    let bits = named_bits(reader.read(tag::BIT_STRING)?)?;
    reader.finish()?;
    Ok(KeyUsage(bits))
}

/// RFC 5280 section 4.2.1.9.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BasicConstraints {
    pub(crate) ca: bool,
    pub(crate) path_len: Option<u32>,
}

fn basic_constraints(field: Field<'_>) -> Result<BasicConstraints, DerError> {
    let mut outer = field.reader();
    let mut reader = outer.sequence()?;
    outer.finish()?;
    let ca = reader.default_false()?;
    let path_len = reader.optional(tag::INTEGER)?.map(small_integer).transpose()?;
    reader.finish()?;
    Ok(BasicConstraints { ca, path_len })
}

/// RFC 5280 section 4.2.1.11: certificates to go before the state takes effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PolicyConstraints {
    pub(crate) require_explicit: Option<u32>,
    pub(crate) inhibit_mapping: Option<u32>,
}

pub(crate) fn policy_constraints(field: Field<'_>) -> Result<PolicyConstraints, DerError> {
    let mut outer = field.reader();
    let mut reader = outer.sequence()?;
    outer.finish()?;
    let require_explicit = reader.optional(tag::context(0))?.map(small_integer).transpose()?;
    let inhibit_mapping = reader.optional(tag::context(1))?.map(small_integer).transpose()?;
    reader.finish()?;
    if require_explicit.is_none() && inhibit_mapping.is_none() {
        return Err(field.error(DerErrorKind::Value));
    }
    Ok(PolicyConstraints { require_explicit, inhibit_mapping })
}

/// RFC 5280 section 4.2.1.14.
pub(crate) fn inhibit_any_policy(field: Field<'_>) -> Result<u32, DerError> {
    let mut reader = field.reader();
    let skip = small_integer(reader.read(tag::INTEGER)?)?;
    reader.finish()?;
    Ok(skip)
}

/// Calls `each` with every key purpose (RFC 5280 section 4.2.1.12).
pub(crate) fn key_purposes<'a>(
    field: Field<'a>,
    mut each: impl FnMut(&'a [u8]),
) -> Result<(), DerError> {
    let mut outer = field.reader();
    let mut reader = outer.sequence()?;
    outer.finish()?;
    if reader.is_empty() {
        return Err(field.error(DerErrorKind::Value));
    }
    while !reader.is_empty() {
        each(reader.oid()?);
    }
    Ok(())
}

/// Reads a BOOLEAN DEFAULT FALSE with an implicit tag: absent, or present and true.
pub(crate) fn tagged_flag(reader: &mut Reader<'_>, n: u8) -> Result<bool, DerError> {
    match reader.optional(tag::context(n))? {
        None => Ok(false),
        Some(field) if boolean(field)? => Ok(true),
        Some(field) => Err(field.error(DerErrorKind::NotDistinguished)),
    }
}
