//! Writes DER, for the few structures that are made here and not only read.

use alloc::vec::Vec;

use crate::format::der::tag;

/// One element around the concatenation of `parts`.
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(len + 6);
    out.push(tag);
    match u8::try_from(len) {
        Ok(short @ ..0x80) => out.push(short),
        _ => {
            let bytes = len.to_be_bytes();
            let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(0);
            out.push(0x80 | (bytes.len() - start) as u8);
            out.extend_from_slice(&bytes[start..]);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag::SEQUENCE, parts)
}

/// An OBJECT IDENTIFIER of this content.
pub(crate) fn oid(content: &[u8]) -> Vec<u8> {
    tlv(tag::OID, &[content])
}

/// A BIT STRING of whole bytes.
pub(crate) fn bit_string(content: &[u8]) -> Vec<u8> {
    tlv(tag::BIT_STRING, &[&[0], content])
}

/// A BIT STRING of named bits, bit 0 the most significant of 16.
pub(crate) fn named_bits(bits: u16) -> Vec<u8> {
    let [first, second] = bits.to_be_bytes();
    match (first, second) {
        (0, 0) => tlv(tag::BIT_STRING, &[&[0]]),
        (_, 0) => tlv(tag::BIT_STRING, &[&[first.trailing_zeros() as u8, first]]),
        _ => tlv(tag::BIT_STRING, &[&[second.trailing_zeros() as u8, first, second]]),
    }
}

/// An `Extension`.
pub(crate) fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[tag::BOOLEAN, 1, 0xff] } else { &[] };
    sequence(&[&oid(id), critical, &tlv(tag::OCTET_STRING, &[value])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::der::Reader;

    #[test]
    fn what_is_written_is_read() {
        for len in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = alloc::vec![7; len];
            let der = tlv(tag::OCTET_STRING, &[&content]);
            let mut reader = Reader::new(&der);
            assert_eq!(reader.read(tag::OCTET_STRING).unwrap().bytes, content);
            reader.finish().unwrap();
        }
    }
}
