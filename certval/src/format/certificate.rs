//! One certificate, read without copying (RFC 5280 section 4.1).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::format::algorithm::AlgorithmIdentifier;
use crate::format::der::{DerError, DerErrorKind, Field, Reader, tag, time};
use crate::format::extension::Extensions;
use crate::format::field::Format;
use crate::format::name::Name;
use crate::format::oid;
use crate::revocation::distribution;

/// A certificate, borrowed from its DER. Reading it checks the form of everything but the extensions'
/// contents, and no signature: what it says is a claim until a [`Verifier`](crate::Verifier) has accepted it.
///
/// ```
/// use adit_certval::Certificate;
///
/// let error = Certificate::from_der(&[0x30, 0x03, 0x02, 0x01, 0x05]).unwrap_err();
/// assert_eq!(error.to_string(), "expected tag 0x30, found 0x02 in tbsCertificate at byte 2");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Certificate<'a> {
    der: &'a [u8],
    pub(crate) signed: Field<'a>,
    serial: &'a [u8],
    pub(crate) signature_algorithm: AlgorithmIdentifier<'a>,
    issuer: Name<'a>,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    subject: Name<'a>,
    pub(crate) spki: Spki<'a>,
    pub(crate) extensions: Extensions<'a>,
    pub(crate) signature: &'a [u8],
}

/// A `SubjectPublicKeyInfo`: the algorithm, the key, and both together in DER; and what it takes over from the
/// key of its issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spki<'a> {
    pub(crate) der: &'a [u8],
    pub(crate) algorithm: AlgorithmIdentifier<'a>,
    pub(crate) key: &'a [u8],
    /// Parameters of the issuer's key, where this one has none of its own; see [`algorithm::working_key`].
    ///
    /// [`algorithm::working_key`]: crate::format::algorithm::working_key
    pub(crate) inherited: Option<&'a [u8]>,
}

impl<'a> Spki<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DerError> {
        let whole = reader.element(tag::SEQUENCE)?;
        let mut inner = whole.content.reader();
        let algorithm = AlgorithmIdentifier::read(&mut inner)?;
        let key = inner.octet_aligned_bits()?.bytes;
        inner.finish()?;
        Ok(Self { der: whole.whole.bytes, algorithm, key, inherited: None })
    }
}

impl Spki<'_> {
    /// What tells this key from others: its DER, followed by inherited parameters.
    pub(crate) fn identity(&self) -> Cow<'_, [u8]> {
        match self.inherited {
            None => Cow::Borrowed(self.der),
            Some(parameters) => Cow::Owned([self.der, parameters].concat()),
        }
    }
}

impl<'a> Certificate<'a> {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// If it is not a well-formed X.509 certificate in DER, or anything follows it.
    pub fn from_der(der: &'a [u8]) -> Result<Self, DerError> {
        Self::read(der).map_err(|error| error.located(Format::Certificate, der))
    }

    fn read(der: &'a [u8]) -> Result<Self, DerError> {
        let mut reader = Reader::new(der);
        let mut certificate = reader.sequence()?;
        reader.finish()?;
        let signed = certificate.element(tag::SEQUENCE)?;
        let signature_algorithm = AlgorithmIdentifier::read(&mut certificate)?;
        let signature = certificate.signature()?;
        certificate.finish()?;

        let mut tbs = signed.content.reader();
        let version = version(&mut tbs)?;
        let serial = serial_number(&mut tbs)?;
        //= RFC 5280 section 4.1.1.2
        let inner = AlgorithmIdentifier::read(&mut tbs)?;
        if inner.der.bytes != signature_algorithm.der.bytes {
            return Err(inner.der.error(DerErrorKind::AlgorithmMismatch));
        }
        let issuer = Name::read(&mut tbs)?;
        let mut validity = tbs.sequence()?;
        let not_before = time(&mut validity)?;
        let not_after = time(&mut validity)?;
        validity.finish()?;
        let subject = Name::read(&mut tbs)?;
        let spki = Spki::read(&mut tbs)?;
        // Unique identifiers belong to versions 2 and 3, extensions to version 3 (section 4.1.2.8 and .9).
        for n in [1, 2] {
            let at = tbs.error(DerErrorKind::Version);
            if tbs.optional(tag::context(n))?.is_some() && version == 0 {
                return Err(at);
            }
        }
        let at = tbs.error(DerErrorKind::Version);
        let extensions = match tbs.optional(tag::constructed(3))? {
            None => Extensions::default(),
            Some(_) if version != 2 => return Err(at),
            Some(field) => Extensions::read(field)?,
        };
        tbs.finish()?;
        Ok(Self {
            der,
            signed: signed.whole,
            serial,
            signature_algorithm,
            issuer,
            not_before,
            not_after,
            subject,
            spki,
            extensions,
            signature,
        })
    }

    /// The whole certificate in DER.
    pub fn as_der(&self) -> &'a [u8] {
        self.der
    }

    /// The content of the serial number's INTEGER, big-endian two's complement, 1 to 21 bytes.
    pub fn serial_number(&self) -> &'a [u8] {
        self.serial
    }

    /// Who signed it, or claims to.
    pub fn issuer(&self) -> Name<'a> {
        self.issuer
    }

    /// To whom it is issued. May be empty if there is a subject alternative name.
    pub fn subject(&self) -> Name<'a> {
        self.subject
    }

    /// The `SubjectPublicKeyInfo` in DER.
    pub fn subject_public_key_info(&self) -> &'a [u8] {
        self.spki.der
    }

    /// The URLs of OCSP responders that it names (RFC 6960 section 3.1); none if the extension is malformed.
    pub fn ocsp_urls(&self) -> Vec<String> {
        let extension = self.extensions.authority_info_access;
        extension.map_or(Vec::new(), |it| distribution::access_urls(it, oid::ACCESS_OCSP))
    }

    /// Issuer and subject are the same name (RFC 5280 section 3.2).
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }
}

/// Version 1 is the DEFAULT and so is not encoded; 0, 1 and 2 stand for versions 1, 2 and 3.
fn version(tbs: &mut Reader<'_>) -> Result<u8, DerError> {
    let Some(field) = tbs.optional(tag::constructed(0))? else { return Ok(0) };
    let mut reader = field.reader();
    let value = reader.integer()?;
    reader.finish()?;
    match value.bytes {
        [0] => Err(value.error(DerErrorKind::NotDistinguished)),
        &[version @ (1 | 2)] => Ok(version),
        _ => Err(value.error(DerErrorKind::Version)),
    }
}

/// RFC 5280 section 4.1.2.2: up to 20 octets; a leading zero may make it 21. Zero and negative numbers
/// are not conforming but are to be handled gracefully.
pub(crate) fn serial_number<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DerError> {
    let field = reader.integer()?;
    match field.bytes {
        [0, rest @ ..] | rest if rest.len() <= 20 => Ok(field.bytes),
        _ => Err(field.error(DerErrorKind::Value)),
    }
}
