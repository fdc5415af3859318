//! The Certificate and Certificate Request payloads, RFC 7296 sections 3.6 and 3.7.

use alloc::borrow::Cow;

use super::error::{DecodeError, EncodeError};
use super::reader::Reader;
use super::registry::CertEncoding;
use super::writer::Writer;

/// One certificate, CRL or other piece of a credential.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate<'a> {
    /// What `data` holds.
    pub encoding: CertEncoding,
    /// For [`CertEncoding::X509_SIGNATURE`], one DER certificate.
    pub data: Cow<'a, [u8]>,
}

/// A hint about which trust anchors are accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateRequest<'a> {
    /// Which kind of certificate is asked for.
    pub encoding: CertEncoding,
    /// For X.509, concatenated SHA-1 hashes (20 bytes each) of the accepted CAs' SubjectPublicKeyInfo.
    pub authorities: Cow<'a, [u8]>,
}

fn parse<'a>(reader: &mut Reader<'a>) -> Result<(CertEncoding, Cow<'a, [u8]>), DecodeError> {
    let encoding = CertEncoding(reader.u8("certificate encoding")?);
    Ok((encoding, Cow::Borrowed(reader.rest())))
}

fn encode(writer: &mut Writer<'_>, encoding: CertEncoding, data: &[u8]) -> Result<(), EncodeError> {
    writer.u8(encoding.0);
    writer.bytes(data);
    Ok(())
}

impl<'a> Certificate<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        parse(reader).map(|(encoding, data)| Self { encoding, data })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        encode(writer, self.encoding, &self.data)
    }

    pub(super) fn into_owned(self) -> Certificate<'static> {
        Certificate { encoding: self.encoding, data: Cow::Owned(self.data.into_owned()) }
    }
}

impl<'a> CertificateRequest<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        parse(reader).map(|(encoding, authorities)| Self { encoding, authorities })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        encode(writer, self.encoding, &self.authorities)
    }

    pub(super) fn into_owned(self) -> CertificateRequest<'static> {
        CertificateRequest {
            encoding: self.encoding,
            authorities: Cow::Owned(self.authorities.into_owned()),
        }
    }
}
