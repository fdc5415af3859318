//! `GeneralName` (RFC 5280 section 4.2.1.6): the forms of names in alternative names, constraints and
//! distribution points.

use crate::format::der::{DerError, DerErrorKind, Field, Reader, is_oid, tag};
use crate::format::name::Name;

/// One name, borrowed. Strings are IA5 (ASCII) and checked to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GeneralName<'a> {
    /// The content of the type's OID, and the value's whole element within its explicit tag.
    Other {
        oid: &'a [u8],
        value: Field<'a>,
    },
    Rfc822(&'a str),
    Dns(&'a str),
    Directory(Name<'a>),
    Uri(&'a str),
    /// 4 or 16 bytes in a name; 8 or 32 in a constraint.
    Ip(&'a [u8]),
    RegisteredId(&'a [u8]),
    /// x400Address or ediPartyName, by tag.
    Unsupported(u8),
}

impl<'a> GeneralName<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DerError> {
        let tlv = reader.any()?;
        let ascii = |field: Field<'a>| match core::str::from_utf8(field.bytes) {
            Ok(text) if text.is_ascii() => Ok(text),
            _ => Err(field.error(DerErrorKind::Value)),
        };
        Ok(match tlv.tag {
            0xa0 => {
                let mut inner = tlv.content.reader();
                let oid = inner.oid()?;
                let value = inner.read(tag::constructed(0))?;
                inner.finish()?;
                Self::Other { oid, value }
            }
            0x81 => Self::Rfc822(ascii(tlv.content)?),
            0x82 => Self::Dns(ascii(tlv.content)?),
            0xa3 | 0xa5 => Self::Unsupported(tlv.tag),
            0xa4 => {
                let mut inner = tlv.content.reader();
                let name = Name::read(&mut inner)?;
                inner.finish()?;
                Self::Directory(name)
            }
            0x86 => Self::Uri(ascii(tlv.content)?),
            0x87 if matches!(tlv.content.bytes.len(), 4 | 8 | 16 | 32) => {
                Self::Ip(tlv.content.bytes)
            }
            0x88 if is_oid(tlv.content.bytes) => Self::RegisteredId(tlv.content.bytes),
            _ => return Err(tlv.whole.error(DerErrorKind::Value)),
        })
    }
}

/// The names in an extension whose value is `GeneralNames`, header included. A malformed one ends it.
pub(crate) fn in_extension<'a>(
    extension: Field<'a>,
) -> Result<impl Iterator<Item = Result<GeneralName<'a>, DerError>>, DerError> {
    let mut outer = extension.reader();
    let names = outer.read(tag::SEQUENCE)?;
    outer.finish()?;
    if names.bytes.is_empty() {
        return Err(names.error(DerErrorKind::Value));
    }
    Ok(in_sequence(names))
}

/// The names in the content of a `GeneralNames`. A malformed one ends it.
pub(crate) fn in_sequence<'a>(
    names: Field<'a>,
) -> impl Iterator<Item = Result<GeneralName<'a>, DerError>> {
    let mut reader = names.reader();
    let mut failed = false;
    core::iter::from_fn(move || {
        if failed || reader.is_empty() {
            return None;
        }
        let name = GeneralName::read(&mut reader);
        failed = name.is_err();
        Some(name)
    })
}
