//! A strict DER reader that borrows: every value is a slice of the input with its byte offset.
//!
//! Only what X.509 needs: definite minimal lengths, low tag numbers. Whatever is read is read once, in
//! order, and [`Reader::finish`] makes sure that nothing is left over.

use core::fmt;

/// Where and why bytes are not the DER that was expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DerError {
    /// Offset of the offending element from the start of the certificate, CRL or other object.
    pub offset: usize,
    /// What is wrong there.
    pub kind: DerErrorKind,
    /// The field that it stands in, by its name in the RFC (`validity`, `keyUsage`); empty where the input is
    /// itself such a field.
    pub field: &'static str,
}

impl DerError {
    pub(crate) const fn new(offset: usize, kind: DerErrorKind) -> Self {
        Self { offset, kind, field: "" }
    }
}

/// What is wrong with a DER encoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DerErrorKind {
    /// The input ends inside an element.
    Truncated,
    /// An element has another tag than the one that must stand here.
    UnexpectedTag {
        /// The tag that was expected.
        expected: u8,
        /// The tag that was found.
        found: u8,
    },
    /// A length is indefinite, not minimal or longer than four bytes.
    Length,
    /// Bytes follow where the element ought to end.
    TrailingData,
    /// The content is not valid for its type (boolean, integer, object identifier, bit string, string).
    Value,
    /// A date does not exist or is not written as RFC 5280 section 4.1.2.5 demands.
    Time,
    /// An element whose value is the default is encoded, or a set is not in DER order.
    NotDistinguished,
    /// The same extension appears twice (RFC 5280 section 4.2).
    DuplicateExtension,
    /// Extensions in a version that has none, or an unknown version.
    Version,
    /// More elements than anything sensible has; see [`Budget`](crate::Budget).
    TooMany,
    /// The algorithm inside the signed part differs from the one outside (RFC 5280 section 4.1.1.2).
    AlgorithmMismatch,
}

impl fmt::Display for DerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DerErrorKind::Truncated => f.write_str("input ends inside an element"),
            DerErrorKind::UnexpectedTag { expected, found } => {
                write!(f, "expected tag {expected:#04x}, found {found:#04x}")
            }
            DerErrorKind::Length => f.write_str("invalid length"),
            DerErrorKind::TrailingData => f.write_str("trailing data"),
            DerErrorKind::Value => f.write_str("invalid value"),
            DerErrorKind::Time => f.write_str("invalid date"),
            DerErrorKind::NotDistinguished => f.write_str("valid BER but not DER"),
            DerErrorKind::DuplicateExtension => f.write_str("extension appears twice"),
            DerErrorKind::Version => f.write_str("version does not fit the content"),
            DerErrorKind::TooMany => f.write_str("too many elements"),
            DerErrorKind::AlgorithmMismatch => {
                f.write_str("inner and outer signature algorithms differ")
            }
        }?;
        if !self.field.is_empty() {
            write!(f, " in {}", self.field)?;
        }
        write!(f, " at byte {}", self.offset)
    }
}

impl core::error::Error for DerError {}

/// A part of a DER object: its bytes and where they lie in the whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Field<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) offset: usize,
}

impl<'a> Field<'a> {
    pub(crate) fn reader(self) -> Reader<'a> {
        Reader { rest: self.bytes, offset: self.offset }
    }

    pub(crate) fn error(self, kind: DerErrorKind) -> DerError {
        DerError::new(self.offset, kind)
    }
}

/// One element: tag, content, and the whole with its header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: u8,
    pub(crate) content: Field<'a>,
    pub(crate) whole: Field<'a>,
}

pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const TELETEX_STRING: u8 = 0x14;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
    pub(crate) const BMP_STRING: u8 = 0x1e;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// `[n]` of a primitive type, implicit.
    pub(crate) const fn context(n: u8) -> u8 {
        0x80 | n
    }

    /// `[n]` explicit, or implicit of a constructed type.
    pub(crate) const fn constructed(n: u8) -> u8 {
        0xa0 | n
    }
}

/// Reads elements one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, offset: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn error(&self, kind: DerErrorKind) -> DerError {
        DerError::new(self.offset, kind)
    }

    /// The tag of the next element, if there is one.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element, whatever its tag.
    #[inline]
    pub(crate) fn any(&mut self) -> Result<Tlv<'a>, DerError> {
        let truncated = DerError::new(self.offset, DerErrorKind::Truncated);
        let bad_length = DerError::new(self.offset, DerErrorKind::Length);
        let [tag, first, ..] = *self.rest else { return Err(truncated) };
        if tag & 0x1f == 0x1f {
            return Err(self.error(DerErrorKind::Value));
        }
        let (header, len) = match first {
            0..=0x7f => (2, usize::from(first)),
            0x81..=0x84 => {
                let count = usize::from(first & 0x7f);
                let bytes = self.rest.get(2..2 + count).ok_or(truncated)?;
                let len = bytes.iter().fold(0_u32, |len, &byte| len << 8 | u32::from(byte));
                let minimal = match count {
                    1 => len >= 0x80,
                    _ => bytes.first() != Some(&0),
                };
                if !minimal {
                    return Err(bad_length);
                }
                (2 + count, usize::try_from(len).map_err(|_| bad_length)?)
            }
            _ => return Err(bad_length),
        };
        let end = header.checked_add(len).ok_or(bad_length)?;
        let whole = self.rest.get(..end).ok_or(truncated)?;
        let tlv = Tlv {
            tag,
            content: Field { bytes: &whole[header..], offset: self.offset + header },
            whole: Field { bytes: whole, offset: self.offset },
        };
        self.rest = &self.rest[end..];
        self.offset += end;
        Ok(tlv)
    }

    /// The next element, which must have this tag; with its header.
    #[inline]
    pub(crate) fn element(&mut self, expected: u8) -> Result<Tlv<'a>, DerError> {
        match self.peek() {
            Some(found) if found != expected => {
                Err(self.error(DerErrorKind::UnexpectedTag { expected, found }))
            }
            _ => self.any(),
        }
    }

    /// The content of the next element, which must have this tag.
    #[inline]
    pub(crate) fn read(&mut self, expected: u8) -> Result<Field<'a>, DerError> {
        self.element(expected).map(|tlv| tlv.content)
    }

    /// The content of the next element if it has this tag.
    #[inline]
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Field<'a>>, DerError> {
        match self.peek() {
            Some(found) if found == tag => self.read(tag).map(Some),
            _ => Ok(None),
        }
    }

    /// A reader over the content of the next element, a SEQUENCE.
    #[inline]
    pub(crate) fn sequence(&mut self) -> Result<Reader<'a>, DerError> {
        Ok(self.read(tag::SEQUENCE)?.reader())
    }

    /// The content of an OBJECT IDENTIFIER.
    #[inline]
    pub(crate) fn oid(&mut self) -> Result<&'a [u8], DerError> {
        let field = self.read(tag::OID)?;
        if !is_oid(field.bytes) {
            return Err(field.error(DerErrorKind::Value));
        }
        Ok(field.bytes)
    }

    /// A BOOLEAN DEFAULT FALSE. DER leaves the default out, but certificates in use write it (even the example
    /// in RFC 8410 section 10.2 does), and it can mean nothing else.
    pub(crate) fn default_false(&mut self) -> Result<bool, DerError> {
        match self.optional(tag::BOOLEAN)? {
            None => Ok(false),
            Some(field) => boolean(field),
        }
    }

    /// The content of an INTEGER, minimally encoded.
    pub(crate) fn integer(&mut self) -> Result<Field<'a>, DerError> {
        let field = self.read(tag::INTEGER)?;
        check_integer(field)?;
        Ok(field)
    }

    /// A BIT STRING of whole bytes.
    pub(crate) fn octet_aligned_bits(&mut self) -> Result<Field<'a>, DerError> {
        let field = self.read(tag::BIT_STRING)?;
        match field.bytes {
            [0, bits @ ..] => Ok(Field { bytes: bits, offset: field.offset + 1 }),
            _ => Err(field.error(DerErrorKind::Value)),
        }
    }

    /// A `signatureValue`. One that is no whole number of bytes reads as empty, which verifies under no key.
    pub(crate) fn signature(&mut self) -> Result<&'a [u8], DerError> {
        let field = self.read(tag::BIT_STRING)?;
        match field.bytes {
            [0, bits @ ..] => Ok(bits),
            [1..=7, _, ..] => Ok(&[]),
            _ => Err(field.error(DerErrorKind::Value)),
        }
    }

    /// Makes sure that nothing is left.
    pub(crate) fn finish(self) -> Result<(), DerError> {
        match self.rest {
            [] => Ok(()),
            _ => Err(self.error(DerErrorKind::TrailingData)),
        }
    }
}

/// A BOOLEAN.
pub(crate) fn boolean(field: Field<'_>) -> Result<bool, DerError> {
    match field.bytes {
        [0] => Ok(false),
        [0xff] => Ok(true),
        _ => Err(field.error(DerErrorKind::Value)),
    }
}

/// Checks that an INTEGER is not empty and has no superfluous leading byte.
pub(crate) fn check_integer(field: Field<'_>) -> Result<(), DerError> {
    match field.bytes {
        [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..] => Err(field.error(DerErrorKind::Value)),
        _ => Ok(()),
    }
}

/// A non-negative INTEGER that fits 32 bits; anything larger reads as `u32::MAX`.
pub(crate) fn small_integer(field: Field<'_>) -> Result<u32, DerError> {
    check_integer(field)?;
    match field.bytes {
        [0x80..=0xff, ..] => Err(field.error(DerErrorKind::Value)),
        [0, bytes @ ..] | bytes if bytes.len() <= 4 => {
            Ok(bytes.iter().fold(0, |value, &byte| value << 8 | u32::from(byte)))
        }
        _ => Ok(u32::MAX),
    }
}

/// Checks the content of an OBJECT IDENTIFIER: complete, minimal subidentifiers.
pub(crate) fn is_oid(bytes: &[u8]) -> bool {
    let mut start = true;
    for &byte in bytes {
        if start && byte == 0x80 {
            return false;
        }
        start = byte & 0x80 == 0;
    }
    !bytes.is_empty() && start
}

/// Bits of a named BIT STRING, bit 0 the most significant of the first byte, at most 16 of them.
pub(crate) fn named_bits(field: Field<'_>) -> Result<u16, DerError> {
    let bad = field.error(DerErrorKind::Value);
    let (&unused, bits) = field.bytes.split_first().ok_or(bad)?;
    match (unused, bits) {
        (0, []) => return Ok(0),
        (8.., _) | (_, []) => return Err(bad),
        _ => {}
    }
    // DER leaves trailing zero bits out of a named bit list (X.690 section 11.2.2).
    let last = bits[bits.len() - 1];
    if u32::from(unused) != last.trailing_zeros() {
        return Err(field.error(DerErrorKind::NotDistinguished));
    }
    let first = u16::from(bits[0]) << 8;
    Ok(first | bits.get(1).map_or(0, |&byte| u16::from(byte)))
}

/// Reads a `Time` (RFC 5280 section 4.1.2.5), in seconds since 1970; negative before.
pub(crate) fn time(reader: &mut Reader<'_>) -> Result<i64, DerError> {
    let tlv = reader.any()?;
    match tlv.tag {
        tag::UTC_TIME => utc_time(tlv.content),
        tag::GENERALIZED_TIME => generalized_time(tlv.content),
        found => {
            Err(tlv.whole.error(DerErrorKind::UnexpectedTag { expected: tag::UTC_TIME, found }))
        }
    }
}

/// `YYMMDDHHMMSSZ`; years 50 to 99 are in the last century.
fn utc_time(field: Field<'_>) -> Result<i64, DerError> {
    let [y1, y2, rest @ ..] = field.bytes else { return Err(field.error(DerErrorKind::Time)) };
    let bad = field.error(DerErrorKind::Time);
    let year = two_digits(*y1, *y2).ok_or(bad)?;
    let year = if year >= 50 { 1900 + year } else { 2000 + year };
    seconds(year, rest).ok_or(bad)
}

/// `YYYYMMDDHHMMSSZ`, without fractions.
pub(crate) fn generalized_time(field: Field<'_>) -> Result<i64, DerError> {
    let bad = field.error(DerErrorKind::Time);
    let [y1, y2, y3, y4, rest @ ..] = field.bytes else { return Err(bad) };
    let year = two_digits(*y1, *y2).zip(two_digits(*y3, *y4)).ok_or(bad)?;
    seconds(year.0 * 100 + year.1, rest).ok_or(bad)
}

fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

/// Seconds since the epoch of a date in the proleptic Gregorian calendar, given `MMDDHHMMSSZ`.
fn seconds(year: i64, rest: &[u8]) -> Option<i64> {
    let &[m1, m2, d1, d2, h1, h2, i1, i2, s1, s2, b'Z'] = rest else { return None };
    let (month, day) = (two_digits(m1, m2)?, two_digits(d1, d2)?);
    let (hour, minute, second) = (two_digits(h1, h2)?, two_digits(i1, i2)?, two_digits(s1, s2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if day < 1 || day > days_in_month || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Years that begin in March put the leap day last, which makes days a linear formula.
    let shifted = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let days = 365 * shifted + shifted.div_euclid(4) - shifted.div_euclid(100)
        + shifted.div_euclid(400)
        + (153 * month_from_march + 2) / 5
        + day
        - 1;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    Some(((days - 719_468) * 24 + hour) * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gt(text: &str) -> Option<i64> {
        generalized_time(Field { bytes: text.as_bytes(), offset: 0 }).ok()
    }

    #[test]
    fn dates_are_counted_from_1970() {
        assert_eq!(gt("19700101000000Z"), Some(0));
        assert_eq!(gt("20000229123456Z"), Some(951_827_696));
        assert_eq!(gt("20380119031408Z"), Some(1 << 31));
        assert_eq!(gt("19691231235959Z"), Some(-1));
        assert_eq!(gt("99991231235959Z"), Some(253_402_300_799));
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        for text in [
            "20230229000000Z",
            "21000229000000Z",
            "20231301000000Z",
            "20230100000000Z",
            "20230101240000Z",
            "20230101006000Z",
            "20230101000060Z",
            "20230101000000",
            "20230101000000.5Z",
            "20230101000000+0000",
            "2023010100000aZ",
        ] {
            assert_eq!(gt(text), None, "{text}");
        }
    }

    #[test]
    fn utc_time_pivots_at_1950() {
        let utc = |text: &str| utc_time(Field { bytes: text.as_bytes(), offset: 0 }).ok();
        assert_eq!(utc("500101000000Z"), gt("19500101000000Z"));
        assert_eq!(utc("491231235959Z"), gt("20491231235959Z"));
        assert_eq!(utc("4912312359Z"), None);
    }

    #[test]
    fn lengths_must_be_definite_and_minimal() {
        let kind = |bytes: &[u8]| Reader::new(bytes).any().map(|_| ()).map_err(|error| error.kind);
        assert_eq!(kind(&[4, 1, 0]), Ok(()));
        assert_eq!(kind(&[4, 0x80, 0, 0]), Err(DerErrorKind::Length));
        assert_eq!(kind(&[4, 0x81, 1, 0]), Err(DerErrorKind::Length));
        assert_eq!(kind(&[4, 0x82, 0, 0x80]), Err(DerErrorKind::Length));
        assert_eq!(kind(&[4, 0x85, 1, 0, 0, 0, 0]), Err(DerErrorKind::Length));
        assert_eq!(kind(&[4, 0x84, 0xff, 0xff, 0xff, 0xff]), Err(DerErrorKind::Truncated));
        assert_eq!(kind(&[4, 2, 0]), Err(DerErrorKind::Truncated));
        assert_eq!(kind(&[0x1f, 1, 0]), Err(DerErrorKind::Value));
    }

    #[test]
    fn errors_name_the_offset_in_the_whole() {
        let mut outer = Reader::new(&[0x30, 3, 0x02, 1, 5]);
        let mut inner = outer.sequence().unwrap();
        let error = inner.read(tag::BOOLEAN).unwrap_err();
        assert_eq!(error.offset, 2);
        assert_eq!(error.kind, DerErrorKind::UnexpectedTag { expected: 1, found: 2 });
    }

    #[test]
    fn named_bits_have_no_trailing_zeros() {
        let bits = |bytes| named_bits(Field { bytes, offset: 0 }).ok();
        assert_eq!(bits(&[5, 0xa0]), Some(0xa000));
        assert_eq!(bits(&[7, 0x80, 0x80]), Some(0x8080));
        assert_eq!(bits(&[0]), Some(0));
        assert_eq!(bits(&[4, 0xa0]), None);
        assert_eq!(bits(&[0, 0]), None);
        assert_eq!(bits(&[1]), None);
        assert_eq!(bits(&[]), None);
    }
}
