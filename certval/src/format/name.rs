//! Distinguished names: reading, comparing (RFC 5280 section 7.1) and printing (RFC 4514).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use crate::format::der::{DerError, DerErrorKind, Field, Reader, Tlv, tag};
use crate::format::oid;
use crate::format::stringprep;

/// A distinguished name, borrowed from the DER in which it stands.
///
/// Two names are equal if RFC 5280 section 7.1 says so: attribute by attribute, strings compared without
/// regard to case, to runs of spaces and to the ASN.1 string type that carries them.
///
/// ```
/// use adit_certval::Name;
///
/// // CN=Adit as a PrintableString, and CN=" aDIT " as a UTF8String.
/// let printable = b"\x30\x0f\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x13\x04Adit";
/// let utf8 = b"\x30\x11\x31\x0f\x30\x0d\x06\x03\x55\x04\x03\x0c\x06 aDIT ";
/// let (printable, utf8) = (Name::from_der(printable)?, Name::from_der(utf8)?);
/// assert_eq!(printable, utf8);
/// assert_eq!(printable.to_string(), "CN=Adit");
/// # Ok::<(), adit_certval::DerError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Name<'a> {
    der: &'a [u8],
    rdns: Field<'a>,
}

impl<'a> Name<'a> {
    /// Reads a `Name` in DER, with its SEQUENCE header: as it stands in a certificate, in the content
    /// of ID_DER_ASN1_DN and in a CRL.
    ///
    /// # Errors
    /// If it is not well-formed, or anything follows it.
    pub fn from_der(der: &'a [u8]) -> Result<Self, DerError> {
        let mut reader = Reader::new(der);
        let name = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(name)
    }

    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DerError> {
        let tlv = reader.element(tag::SEQUENCE)?;
        check_rdns(tlv.content)?;
        Ok(Self { der: tlv.whole.bytes, rdns: tlv.content })
    }

    /// The name in DER, with its SEQUENCE header.
    pub fn as_der(&self) -> &'a [u8] {
        self.der
    }

    /// True for a name of no attributes.
    pub fn is_empty(&self) -> bool {
        self.rdns.bytes.is_empty()
    }

    /// The value of the most specific (last) attribute of this type, as text; `attribute` is the content
    /// of the OBJECT IDENTIFIER's encoding.
    pub(crate) fn last_text(&self, attribute: &[u8]) -> Option<String> {
        self.texts(attribute).pop()
    }

    /// The values of all attributes of this type, as text.
    pub(crate) fn texts(&self, attribute: &[u8]) -> Vec<String> {
        self.attributes()
            .filter(|(oid, _)| *oid == attribute)
            .filter_map(|(_, v)| text(v))
            .collect()
    }

    /// All attributes in the order of their encoding.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'a [u8], Tlv<'a>)> {
        rdns(self.rdns).flat_map(attributes)
    }

    /// The common name (the last one, if there are several).
    pub fn common_name(&self) -> Option<String> {
        self.last_text(oid::COMMON_NAME)
    }

    /// A form that is equal, byte for byte, for names that RFC 5280 section 7.1 holds equal. It is a
    /// sequence of self-delimiting RDNs, so that one name lies within the subtree of another exactly if
    /// its canonical form starts with the other's.
    pub(crate) fn canonical(&self) -> Vec<u8> {
        canonical(self.rdns)
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        if self.der == other.der {
            return true;
        }
        let (mut ours, mut theirs) = (rdns(self.rdns), rdns(other.rdns));
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(one), Some(other)) if equal_rdns(one, other) => {}
                _ => return false,
            }
        }
    }
}

impl Eq for Name<'_> {}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

impl fmt::Display for Name<'_> {
    /// RFC 4514: most specific RDN first, special characters escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all: Vec<Field<'_>> = rdns(self.rdns).collect();
        all.reverse();
        for (i, rdn) in all.into_iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "," })?;
            for (j, (attribute, value)) in attributes(rdn).enumerate() {
                f.write_str(if j == 0 { "" } else { "+" })?;
                match short_name(attribute) {
                    Some(short) => f.write_str(short)?,
                    None => f.write_str(&oid::dotted(attribute))?,
                }
                f.write_char('=')?;
                match text(value) {
                    Some(text) => write_escaped(f, &text)?,
                    None => {
                        f.write_char('#')?;
                        value.whole.bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether the canonical forms are equal. Most names differ in their first letters, and nothing need be written to
/// see that.
fn equal_rdns(one: Field<'_>, other: Field<'_>) -> bool {
    if one.bytes == other.bytes {
        return true;
    }
    let single = |rdn| {
        let mut attributes = attributes(rdn);
        let (kind, value) = attributes.next()?;
        attributes.next().is_none().then_some((kind, ascii(value)?))
    };
    if let (Some((kind, value)), Some((other_kind, other_value))) = (single(one), single(other)) {
        return kind == other_kind && stringprep::ascii(value).eq(stringprep::ascii(other_value));
    }
    let canonical = |rdn| {
        let mut out = Vec::new();
        canonical_rdn(rdn, &mut out);
        out
    };
    canonical(one) == canonical(other)
}

/// A name without its SEQUENCE header, as `nameRelativeToCRLIssuer` completes one.
pub(crate) fn canonical(rdns_field: Field<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(rdns_field.bytes.len() + 8);
    for rdn in rdns(rdns_field) {
        canonical_rdn(rdn, &mut out);
    }
    out
}

/// Appends one RDN: its length, then its attributes in sorted order, each value normalized.
pub(crate) fn canonical_rdn(rdn: Field<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut attributes = attributes(rdn);
    let (first, second) = (attributes.next(), attributes.next());
    if let Some((attribute, value)) = first {
        match second {
            None => canonical_attribute(attribute, value, out),
            Some(second) => {
                let mut sorted: Vec<Vec<u8>> = [(attribute, value), second]
                    .into_iter()
                    .chain(attributes)
                    .map(|(attribute, value)| {
                        let mut one = Vec::new();
                        canonical_attribute(attribute, value, &mut one);
                        one
                    })
                    .collect();
                sorted.sort_unstable();
                sorted.iter().for_each(|one| out.extend_from_slice(one));
            }
        }
    }
    let len = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
}

fn canonical_attribute(attribute: &[u8], value: Tlv<'_>, out: &mut Vec<u8>) {
    let put_len = |out: &mut Vec<u8>, at: usize| {
        let len = (out.len() - at - 4) as u32;
        out[at..at + 4].copy_from_slice(&len.to_be_bytes());
    };
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(attribute);
    put_len(out, at);
    let at = out.len() + 1;
    // All string types compare with each other: RFC 5280 section 7.1 prepares them all the same way.
    let prepared = is_directory_string(value.tag);
    out.push(if prepared { tag::UTF8_STRING } else { value.tag });
    out.extend_from_slice(&[0; 4]);
    if let Some(ascii) = ascii(value) {
        stringprep::ascii(ascii).for_each(|c| push(c, out));
    } else if let (true, Some(text)) = (prepared, text(value))
        && let Some(normal) = stringprep::normalize(&text)
    {
        stringprep::spaced(normal.chars()).for_each(|c| push(c, out));
    } else {
        out.extend_from_slice(value.content.bytes);
    }
    put_len(out, at);
}

fn push(c: char, out: &mut Vec<u8>) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The octets of a string value in ASCII, as nearly all are.
fn ascii(value: Tlv<'_>) -> Option<&[u8]> {
    let bytes = value.content.bytes;
    let wide = matches!(value.tag, tag::BMP_STRING | tag::UNIVERSAL_STRING);
    (is_directory_string(value.tag) && !wide && bytes.is_ascii()).then_some(bytes)
}

fn is_directory_string(tag: u8) -> bool {
    matches!(
        tag,
        tag::UTF8_STRING
            | tag::PRINTABLE_STRING
            | tag::IA5_STRING
            | tag::BMP_STRING
            | tag::UNIVERSAL_STRING
    )
}

/// The text of a string value; `None` for other types. What is not valid is replaced by U+FFFD.
pub(crate) fn text(value: Tlv<'_>) -> Option<String> {
    let bytes = value.content.bytes;
    Some(match value.tag {
        tag::UTF8_STRING => String::from_utf8_lossy(bytes).into_owned(),
        // T.61 as the world writes it: Latin-1.
        tag::PRINTABLE_STRING | tag::IA5_STRING | tag::TELETEX_STRING => {
            bytes.iter().map(|&byte| char::from(byte)).collect()
        }
        tag::BMP_STRING => {
            let units = bytes.chunks(2).map(|c| c.iter().fold(0, |u, &b| u << 8 | u16::from(b)));
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        tag::UNIVERSAL_STRING => bytes
            .chunks(4)
            .map(|c| c.iter().fold(0, |u, &b| u << 8 | u32::from(b)))
            .map(|u| char::from_u32(u).unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect(),
        _ => return None,
    })
}

/// The text of a field that holds one string with its header.
pub(crate) fn attribute_value_text(field: Field<'_>) -> Option<String> {
    let mut reader = field.reader();
    let value = reader.any().ok()?;
    reader.finish().ok()?;
    text(value)
}

/// The attribute types that RFC 4514 section 3 and RFC 5280 section 4.1.2.4 name, and their short names.
const SHORT_NAMES: &[(&str, &[u8])] = &[
    ("CN", oid::COMMON_NAME),
    ("SN", &[0x55, 4, 4]),
    ("SERIALNUMBER", oid::SERIAL_NUMBER),
    ("C", oid::COUNTRY),
    ("L", &[0x55, 4, 7]),
    ("ST", &[0x55, 4, 8]),
    ("STREET", &[0x55, 4, 9]),
    ("O", &[0x55, 4, 10]),
    ("OU", &[0x55, 4, 11]),
    ("T", &[0x55, 4, 12]),
    ("GN", &[0x55, 4, 42]),
    ("I", &[0x55, 4, 43]),
    ("GENERATIONQUALIFIER", &[0x55, 4, 44]),
    ("DNQ", &[0x55, 4, 46]),
    ("PSEUDONYM", &[0x55, 4, 65]),
    ("UID", &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1]),
    ("DC", oid::DOMAIN_COMPONENT),
    ("E", oid::EMAIL_ADDRESS),
];

fn short_name(attribute: &[u8]) -> Option<&'static str> {
    SHORT_NAMES.iter().find(|(_, oid)| *oid == attribute).map(|(name, _)| *name)
}

/// The attribute type of a short name, in any case.
pub(crate) fn attribute_type(short: &str) -> Option<&'static [u8]> {
    SHORT_NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(short)).map(|(_, oid)| *oid)
}

/// RFC 4514 section 2.4, and control characters in hexadecimal so that a terminal is safe.
fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let last = text.chars().count().saturating_sub(1);
    for (i, c) in text.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(f, "\\{c}")?,
            '#' if i == 0 => f.write_str("\\#")?,
            ' ' if i == 0 || i == last => f.write_str("\\ ")?,
            c if c.is_control() => {
                let mut utf8 = [0; 4];
                c.encode_utf8(&mut utf8).bytes().try_for_each(|byte| write!(f, "\\{byte:02x}"))?;
            }
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

/// The contents of the RDN sets of a name that was checked.
fn rdns<'a>(field: Field<'a>) -> impl Iterator<Item = Field<'a>> {
    let mut reader = field.reader();
    core::iter::from_fn(move || reader.read(tag::SET).ok())
}

/// Types and values of an RDN that was checked.
fn attributes<'a>(rdn: Field<'a>) -> impl Iterator<Item = (&'a [u8], Tlv<'a>)> {
    let mut reader = rdn.reader();
    core::iter::from_fn(move || {
        let mut pair = reader.sequence().ok()?;
        Some((pair.oid().ok()?, pair.any().ok()?))
    })
}

/// Checks the form of an `RDNSequence`.
fn check_rdns(field: Field<'_>) -> Result<(), DerError> {
    let mut reader = field.reader();
    while !reader.is_empty() {
        check_rdn(reader.read(tag::SET)?)?;
    }
    Ok(())
}

/// Checks the form of one `RelativeDistinguishedName`.
pub(crate) fn check_rdn(rdn: Field<'_>) -> Result<(), DerError> {
    let mut set = rdn.reader();
    if set.is_empty() {
        return Err(rdn.error(DerErrorKind::Value));
    }
    while !set.is_empty() {
        let mut pair = set.sequence()?;
        pair.oid()?;
        let value = pair.any()?;
        let bytes = value.content.bytes;
        let valid = match value.tag {
            tag::UTF8_STRING => core::str::from_utf8(bytes).is_ok(),
            tag::BMP_STRING => bytes.len() % 2 == 0,
            tag::UNIVERSAL_STRING => bytes.len() % 4 == 0,
            tag::IA5_STRING => bytes.is_ascii(),
            _ => true,
        };
        if !valid {
            return Err(value.whole.error(DerErrorKind::Value));
        }
        pair.finish()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// A name of one RDN per (type, string tag, value).
    fn name(parts: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| {
            assert!(content.len() < 128);
            [&[tag, content.len() as u8], content].concat()
        };
        let rdns: Vec<Vec<u8>> = parts
            .iter()
            .map(|(oid, string, value)| {
                let pair = [wrap(tag::OID, oid), wrap(*string, value)].concat();
                wrap(tag::SET, &wrap(tag::SEQUENCE, &pair))
            })
            .collect();
        wrap(tag::SEQUENCE, &rdns.concat())
    }

    fn equal(a: &[(&[u8], u8, &[u8])], b: &[(&[u8], u8, &[u8])]) -> bool {
        Name::from_der(&name(a)).unwrap() == Name::from_der(&name(b)).unwrap()
    }

    const CN: &[u8] = oid::COMMON_NAME;
    const O: &[u8] = &[0x55, 4, 10];

    #[test]
    fn strings_are_prepared_before_comparison() {
        fn utf8(value: &str) -> [(&'static [u8], u8, &[u8]); 1] {
            [(CN, tag::UTF8_STRING, value.as_bytes())]
        }
        assert!(equal(&utf8("Two  words "), &[(CN, tag::PRINTABLE_STRING, b"two words")]));
        assert!(equal(&utf8("Größe"), &utf8("GRÖßE")));
        // U+00C5 and A with U+030A; U+FB01 is the ligature fi.
        assert!(equal(&utf8("\u{c5}"), &utf8("a\u{30a}")));
        assert!(equal(&utf8("\u{fb01}n"), &utf8("FIN")));
        assert!(equal(&utf8("Hi"), &[(CN, tag::BMP_STRING, b"\0h\0i")]));
        assert!(!equal(&utf8("ab"), &utf8("a b")));
        assert!(!equal(&utf8("a"), &[(O, tag::UTF8_STRING, b"a")]));
    }

    //= RFC 4518 section 2.1
    #[test]
    fn every_string_type_is_transcoded_to_unicode() {
        let universal: Vec<u8> = "Größe".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
        let bmp: Vec<u8> = "Größe".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let utf8 = [(CN, tag::UTF8_STRING, "GRÖSSE".as_bytes())];
        assert!(equal(&utf8, &[(CN, tag::UNIVERSAL_STRING, &universal)]));
        assert!(equal(&utf8, &[(CN, tag::BMP_STRING, &bmp)]));
        assert!(equal(&[(CN, tag::UTF8_STRING, b"a@b")], &[(CN, tag::IA5_STRING, b"A@B")]));
    }

    //= RFC 4518 section 2.4
    #[test]
    fn what_is_prohibited_equals_only_itself() {
        fn utf8(value: &str) -> [(&'static [u8], u8, &[u8]); 1] {
            [(CN, tag::UTF8_STRING, value.as_bytes())]
        }
        for c in
            ['\u{e000}', '\u{f8ff}', '\u{f0000}', '\u{10fffd}', '\u{fdd0}', '\u{1ffff}', '\u{fffd}']
        {
            let (upper, lower) = (alloc::format!("A{c}"), alloc::format!("a{c}"));
            assert!(!equal(&utf8(&upper), &utf8(&lower)), "{c:?}");
            assert!(equal(&utf8(&upper), &utf8(&upper)), "{c:?}");
        }
        // A combining mark has nothing to combine with.
        assert!(!equal(&utf8("\u{301}A"), &utf8("\u{301}a")));
    }

    //= RFC 5280 section 7.1
    #[test]
    fn attributes_of_an_rdn_come_in_any_order_and_values_of_other_types_compare_bitwise() {
        let wrap = |tag: u8, content: &[u8]| [&[tag, content.len() as u8], content].concat();
        let pair = |kind: &[u8], tag: u8, value: &[u8]| {
            wrap(tag::SEQUENCE, &[wrap(tag::OID, kind), wrap(tag, value)].concat())
        };
        let (a, b) = (pair(CN, tag::UTF8_STRING, b"x"), pair(O, tag::UTF8_STRING, b"y"));
        let of = |rdn: Vec<u8>| wrap(tag::SEQUENCE, &wrap(tag::SET, &rdn));
        let (one, other) = (of([&a[..], &b].concat()), of([b, a.clone()].concat()));
        assert_eq!(Name::from_der(&one), Name::from_der(&other));
        assert_ne!(Name::from_der(&one), Name::from_der(&of(a)));
        for kind in [tag::TELETEX_STRING, tag::OCTET_STRING] {
            assert!(equal(&[(CN, kind, b"a")], &[(CN, kind, b"a")]));
            assert!(!equal(&[(CN, kind, b"a")], &[(CN, kind, b"A")]));
            assert!(!equal(&[(CN, kind, b"a")], &[(CN, tag::UTF8_STRING, b"a")]));
        }
    }

    #[test]
    fn order_and_number_of_rdns_count() {
        let (a, b) = ((CN, tag::UTF8_STRING, &b"a"[..]), (O, tag::UTF8_STRING, &b"b"[..]));
        assert!(!equal(&[a, b], &[b, a]));
        assert!(!equal(&[a, b], &[a]));
        // The border between two RDNs cannot be moved.
        let (one, two) = (name(&[a, b]), name(&[a]));
        let (one, two) = (Name::from_der(&one).unwrap(), Name::from_der(&two).unwrap());
        assert!(one.canonical().starts_with(&two.canonical()));
        assert!(!two.canonical().starts_with(&one.canonical()));
    }

    #[test]
    fn printing_escapes() {
        let der = name(&[(O, tag::UTF8_STRING, b"A, B"), (CN, tag::UTF8_STRING, b"#x\n ")]);
        assert_eq!(Name::from_der(&der).unwrap().to_string(), "CN=\\#x\\0a\\ ,O=A\\, B");
    }

    #[test]
    fn malformed_names_are_refused() {
        assert!(Name::from_der(&[0x30, 2, 0x31, 0]).is_err());
        assert!(Name::from_der(&name(&[(CN, tag::UTF8_STRING, b"\xff")])).is_err());
        assert!(Name::from_der(&name(&[(CN, tag::BMP_STRING, b"abc")])).is_err());
        assert!(Name::from_der(&[0x30, 0]).unwrap().is_empty());
    }
}
