//! BER (X.690 section 8) into DER, as far as old exporters of PKCS#12 need it.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::{Pkcs12Error, in_layer};
use crate::format::der::{DerError, DerErrorKind, Reader, tag};

/// How deep elements may lie in each other. A PFX in use has about 15 levels, all layers together.
const MAX_DEPTH: usize = 32;

const CONSTRUCTED: u8 = 0x20;

/// One element in BER as DER: indefinite and overlong lengths are made definite and minimal, octet strings in
/// segments are put together. Borrows what is in that form already, or is nothing at all; whoever reads it sees that
/// there is one element.
pub(super) fn to_der<'a>(
    bytes: &'a [u8],
    layer: &'static str,
) -> Result<Cow<'a, [u8]>, Pkcs12Error> {
    if is_der(bytes, 0) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut der = Vec::with_capacity(bytes.len());
    let mut reader = BerReader { rest: bytes, offset: 0 };
    reader.copy(&mut der, 0).map_err(in_layer(layer))?;
    if !reader.rest.is_empty() {
        return Err(in_layer(layer)(reader.error(DerErrorKind::TrailingData)));
    }
    Ok(Cow::Owned(der))
}

/// Whether all elements have definite, minimal lengths and no string is in segments.
fn is_der(bytes: &[u8], depth: usize) -> bool {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let Ok(element) = reader.any() else { return false };
        let nested = element.tag & CONSTRUCTED != 0;
        if element.tag == tag::OCTET_STRING | CONSTRUCTED
            || nested && (depth >= MAX_DEPTH || !is_der(element.content.bytes, depth + 1))
        {
            return false;
        }
    }
    true
}

struct BerReader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> BerReader<'a> {
    fn error(&self, kind: DerErrorKind) -> DerError {
        DerError::new(self.offset, kind)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DerError> {
        let truncated = self.error(DerErrorKind::Truncated);
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(truncated)?;
        self.rest = rest;
        self.offset += len;
        Ok(taken)
    }

    /// Tag and length of the next element; no length if it is indefinite.
    fn header(&mut self) -> Result<(u8, Option<usize>), DerError> {
        let at = self.offset;
        let bad = |kind| DerError::new(at, kind);
        let &[tag, first] = self.take(2)? else { return Err(bad(DerErrorKind::Truncated)) };
        if tag & 0x1f == 0x1f {
            return Err(bad(DerErrorKind::Value));
        }
        let len = match first {
            0..=0x7f => Some(usize::from(first)),
            0x80 if tag & CONSTRUCTED != 0 => None,
            0x81..=0x88 => {
                let bytes = self.take(usize::from(first & 0x7f))?;
                let len = bytes
                    .iter()
                    .try_fold(0_u32, |len, &byte| Some(len.checked_mul(0x100)? | u32::from(byte)));
                let len = len.and_then(|len| usize::try_from(len).ok());
                Some(len.ok_or(bad(DerErrorKind::Length))?)
            }
            _ => return Err(bad(DerErrorKind::Length)),
        };
        Ok((tag, len))
    }

    /// Writes the next element to `out` in DER.
    fn copy(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), DerError> {
        if depth >= MAX_DEPTH {
            return Err(self.error(DerErrorKind::TooMany));
        }
        let (tag, len) = self.header()?;
        if tag & CONSTRUCTED == 0 {
            let content = self.take(len.unwrap_or(0))?;
            write(out, tag, content);
            return Ok(());
        }
        let mut content = Zeroizing::new(Vec::with_capacity(self.rest.len()));
        self.children(len, |child| {
            if tag != tag::OCTET_STRING | CONSTRUCTED {
                return child.copy(&mut content, depth + 1);
            }
            // X.690 section 8.7.3: each segment is an octet string, perhaps in segments itself.
            let mut segment = Zeroizing::new(Vec::with_capacity(child.rest.len()));
            let at = child.error(DerErrorKind::Value);
            child.copy(&mut segment, depth + 1)?;
            let segment = Reader::new(&segment).read(tag::OCTET_STRING).map_err(|_| at)?;
            content.extend_from_slice(segment.bytes);
            Ok(())
        })?;
        let string = tag == tag::OCTET_STRING | CONSTRUCTED;
        write(out, if string { tag::OCTET_STRING } else { tag }, &content);
        Ok(())
    }

    /// Calls `each` at every element of a constructed one of this length.
    fn children(
        &mut self,
        len: Option<usize>,
        mut each: impl FnMut(&mut BerReader<'a>) -> Result<(), DerError>,
    ) -> Result<(), DerError> {
        let Some(len) = len else {
            // Section 8.1.3.6: up to an end-of-contents.
            while !self.rest.starts_with(&[0, 0]) {
                each(self)?;
            }
            self.take(2)?;
            return Ok(());
        };
        let offset = self.offset;
        let mut inner = BerReader { rest: self.take(len)?, offset };
        while !inner.rest.is_empty() {
            each(&mut inner)?;
        }
        Ok(())
    }
}

/// Appends one element. Decrypted keys pass through here, so that no copy is left behind.
fn write(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.extend_from_slice(&Zeroizing::new(crate::format::encode::tlv(tag, &[content])));
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn der_is_borrowed_and_ber_is_rewritten() {
        let der = [0x30, 5, 0x04, 3, 1, 2, 3];
        assert!(matches!(to_der(&der, ""), Ok(Cow::Borrowed(_))));
        // Indefinite length, a string in two segments, the second of them indefinite too, an overlong length.
        let segments = [0x24, 0x80, 0x04, 1, 1, 0x24, 0x80, 0x04, 0x81, 2, 2, 3, 0, 0, 0, 0];
        let indefinite = [&[0x30, 0x80][..], &segments, &[0, 0]].concat();
        assert_eq!(to_der(&indefinite, "").unwrap().as_ref(), der);
        let overlong = [0x30, 0x83, 0, 0, 5, 0x04, 3, 1, 2, 3];
        assert_eq!(to_der(&overlong, "").unwrap().as_ref(), der);
    }

    #[test]
    fn what_is_neither_is_refused() {
        let fails = |bytes: &[u8]| to_der(bytes, "X").unwrap_err();
        for bad in [
            &[0x30][..],
            &[0x30, 0x80],
            &[0x30, 0x80, 0],
            &[0x04, 0x80, 0, 0],
            &[0x30, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0x30, 0x88, 1, 0, 0, 0, 0, 0, 0, 0],
            &[0x30, 0x80, 0x04, 5, 0, 0],
            &[0x24, 0x80, 0x02, 1, 1, 0, 0],
            &[0x1f, 0x80, 0, 0],
            &[0x30, 0x80, 0, 0, 0],
        ] {
            assert!(
                matches!(fails(bad), Pkcs12Error::Malformed(error) if error.offset <= bad.len())
            );
        }
        // Ever deeper.
        assert!(matches!(fails(&vec![0x30; 10_000]), Pkcs12Error::Malformed(_)));
        assert!(matches!(fails(&[0x30, 0x80].repeat(5_000)), Pkcs12Error::Malformed(_)));
    }
}
