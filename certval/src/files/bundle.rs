//! What is found at caIssuers URLs (RFC 5280 section 4.2.2.1): a certificate, or several in a "certs-only" CMS
//! message (RFC 5652 section 5, with no signer), which `.p7c` files are.

use alloc::vec::Vec;

use crate::format::certificate::Certificate;
use crate::format::der::{DerError, DerErrorKind, Reader, tag};
use crate::format::oid;

/// The most certificates that a bundle may hold: more than any path, fewer than would keep a search busy.
const MAX_CERTIFICATES: usize = 64;

/// Reads a certificate in DER, or the certificates of a certs-only CMS message (PKCS#7) in DER. What else such a
/// message holds, attribute certificates and CRLs, is passed over, and so are certificates that are malformed
/// beside others that are not.
///
/// ```
/// let error = adit_certval::read_certificates(b"<html>").unwrap_err();
/// assert_eq!(error.to_string(), "expected tag 0x30, found 0x3c in Certificate at byte 0");
/// ```
///
/// # Errors
/// If it is neither, holds no well-formed certificate, or more than 64.
pub fn read_certificates(der: &[u8]) -> Result<Vec<Vec<u8>>, DerError> {
    let is_message = Reader::new(der).sequence().is_ok_and(|inner| inner.peek() == Some(tag::OID));
    if !is_message {
        return Certificate::from_der(der)
            .map(|certificate| Vec::from([certificate.as_der().into()]));
    }
    let mut outer = Reader::new(der);
    let mut message = outer.sequence()?;
    outer.finish()?;
    let at = message.error(DerErrorKind::Value);
    if message.oid()? != oid::SIGNED_DATA {
        return Err(at);
    }
    let mut content = message.read(tag::constructed(0))?.reader();
    message.finish()?;
    let mut signed = content.sequence()?;
    content.finish()?;
    signed.integer()?;
    signed.read(tag::SET)?;
    signed.read(tag::SEQUENCE)?;
    let none = signed.error(DerErrorKind::Value);
    // A CHOICE, of which a certificate is the alternative without a tag of its own.
    let list = signed.optional(tag::constructed(0))?.ok_or(none)?;
    signed.optional(tag::constructed(1))?;
    signed.read(tag::SET)?;
    signed.finish()?;
    let mut found = Vec::new();
    let mut failure = none;
    let mut reader = list.reader();
    while !reader.is_empty() {
        let element = reader.any()?;
        if element.tag != tag::SEQUENCE {
            continue;
        }
        match Certificate::from_der(element.whole.bytes) {
            Ok(_) if found.len() == MAX_CERTIFICATES => {
                return Err(list.error(DerErrorKind::TooMany));
            }
            Ok(certificate) => found.push(certificate.as_der().to_vec()),
            Err(error) => {
                failure = DerError { offset: element.whole.offset + error.offset, ..error }
            }
        }
    }
    if found.is_empty() { Err(failure) } else { Ok(found) }
}
