//! Certificate requests (PKCS#10, RFC 2986) and self-signed certificates, signed by whatever holds the key.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use adit_platform::UnixTime;
use adit_platform::signature::SignatureScheme;

use crate::format::algorithm;
use crate::format::certificate::{Certificate, Spki};
use crate::format::der::{DerError, Reader, tag};
use crate::format::encode::{bit_string, extension, named_bits, oid as write_oid, sequence, tlv};
use crate::format::extension::KeyUsage;
use crate::format::name::attribute_type;
use crate::format::oid;
use crate::info::civil;
use crate::path::purpose::{CLIENT_AUTH, IPSEC_IKE, SERVER_AUTH};

/// What to ask a CA to certify, or to certify oneself.
///
/// The signature is made outside, by a key file, a card or a service: [`request`](Self::request) gives the
/// bytes to sign, [`ToBeSigned::finish`] takes the signature.
///
/// ```
/// use adit_certval::{CertificateTemplate, PemBlock};
/// use adit_platform::signature::SignatureScheme;
/// # fn example(
/// #     spki: &[u8], sign: impl Fn(&[u8]) -> Vec<u8>,
/// # ) -> Result<(), adit_certval::RequestError> {
/// let template = CertificateTemplate {
///     subject: vec![("O".into(), "Example".into()), ("CN".into(), "vpn.example".into())],
///     dns: vec!["vpn.example".into()],
///     server: true,
///     ..CertificateTemplate::default()
/// };
/// let unsigned = template.request(spki, SignatureScheme::EcdsaP256Sha256)?;
/// let signature = sign(unsigned.as_bytes());
/// let request = PemBlock { label: "CERTIFICATE REQUEST".into(), der: unsigned.finish(&signature) };
/// println!("{}", request.to_pem());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CertificateTemplate {
    /// Attributes of the subject, the least specific first: type as in RFC 4514 (`CN`, `O`, …) and value.
    pub subject: Vec<(String, String)>,
    /// dNSName alternatives.
    pub dns: Vec<String>,
    /// rfc822Name alternatives.
    pub email: Vec<String>,
    /// iPAddress alternatives.
    pub ip: Vec<IpAddr>,
    /// Extended key usage serverAuth and ipsecIKE: a gateway.
    pub server: bool,
    /// Extended key usage clientAuth and ipsecIKE: a user or device.
    pub client: bool,
}

/// A request or certificate that lacks its signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ToBeSigned {
    bytes: Vec<u8>,
    algorithm: Vec<u8>,
    spki: Vec<u8>,
}

/// Why a template makes no request.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RequestError {
    /// An attribute type that is not known.
    UnknownAttribute(String),
    /// A value that its string type cannot hold: a country is two letters, host names and mail addresses are
    /// ASCII.
    Value(String),
    /// The public key is no `SubjectPublicKeyInfo` in DER.
    Key(DerError),
    /// A signature scheme that certificates have no identifier for.
    Scheme,
    /// Neither a subject nor an alternative name.
    Nameless,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAttribute(name) => write!(f, "unknown attribute type {name}"),
            Self::Value(value) => write!(f, "not a valid value: {value}"),
            Self::Key(error) => write!(f, "malformed public key: {error}"),
            Self::Scheme => f.write_str("signature scheme unknown in certificates"),
            Self::Nameless => f.write_str("neither a subject nor an alternative name"),
        }
    }
}

impl core::error::Error for RequestError {}

impl CertificateTemplate {
    /// A PKCS#10 request for the key in `spki` (a `SubjectPublicKeyInfo` in DER), to be signed by that key.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn request(
        &self,
        spki: &[u8],
        scheme: SignatureScheme,
    ) -> Result<ToBeSigned, RequestError> {
        let algorithm = check(spki, scheme)?;
        let extensions = self.extensions()?;
        let wanted = sequence(&[
            &write_oid(oid::EXTENSION_REQUEST),
            &tlv(tag::SET, &[&sequence(&[&extensions])]),
        ]);
        let attributes: &[u8] = if extensions.is_empty() { &[] } else { &wanted };
        let bytes = sequence(&[
            &tlv(tag::INTEGER, &[&[0]]),
            &self.name()?,
            spki,
            &tlv(tag::constructed(0), &[attributes]),
        ]);
        Ok(ToBeSigned { bytes, algorithm, spki: spki.to_vec() })
    }

    /// A certificate for the key in `spki`, to be signed by that key: for a gateway without a CA, whose clients
    /// [pin](crate::TrustAnchor::pinned) it. `serial` shall be random.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn self_signed(
        &self,
        spki: &[u8],
        scheme: SignatureScheme,
        serial: [u8; 16],
        not_before: UnixTime,
        not_after: UnixTime,
    ) -> Result<ToBeSigned, RequestError> {
        let algorithm = check(spki, scheme)?;
        let name = self.name()?;
        // Positive and minimal, whatever was drawn.
        let mut serial = serial;
        serial[0] = serial[0] & 0x7f | 0x40;
        let usage = extension(oid::KEY_USAGE, true, &named_bits(KeyUsage::DIGITAL_SIGNATURE));
        let bytes = sequence(&[
            &tlv(tag::constructed(0), &[&tlv(tag::INTEGER, &[&[2]])]),
            &tlv(tag::INTEGER, &[&serial]),
            &algorithm,
            &name,
            &sequence(&[&write_time(not_before), &write_time(not_after)]),
            &name,
            spki,
            &tlv(tag::constructed(3), &[&sequence(&[&usage, &self.extensions()?])]),
        ]);
        Ok(ToBeSigned { bytes, algorithm, spki: spki.to_vec() })
    }

    fn name(&self) -> Result<Vec<u8>, RequestError> {
        let no_name = self.dns.is_empty() && self.email.is_empty() && self.ip.is_empty();
        if self.subject.is_empty() && no_name {
            return Err(RequestError::Nameless);
        }
        let mut rdns = Vec::new();
        for (short, value) in &self.subject {
            let kind = attribute_type(short)
                .ok_or_else(|| RequestError::UnknownAttribute(short.clone()))?;
            let string = match kind {
                // RFC 5280 appendix A.1: PrintableString of two, PrintableString, IA5String.
                oid::COUNTRY
                    if value.len() == 2 && value.bytes().all(|b| b.is_ascii_alphabetic()) =>
                {
                    tag::PRINTABLE_STRING
                }
                oid::COUNTRY => return Err(RequestError::Value(value.clone())),
                oid::SERIAL_NUMBER if value.bytes().all(is_printable) => tag::PRINTABLE_STRING,
                oid::SERIAL_NUMBER => return Err(RequestError::Value(value.clone())),
                oid::EMAIL_ADDRESS | oid::DOMAIN_COMPONENT if value.is_ascii() => tag::IA5_STRING,
                oid::EMAIL_ADDRESS | oid::DOMAIN_COMPONENT => {
                    return Err(RequestError::Value(value.clone()));
                }
                _ => tag::UTF8_STRING,
            };
            let pair = sequence(&[&write_oid(kind), &tlv(string, &[value.as_bytes()])]);
            rdns.extend_from_slice(&tlv(tag::SET, &[&pair]));
        }
        Ok(sequence(&[&rdns]))
    }

    fn extensions(&self) -> Result<Vec<u8>, RequestError> {
        let mut names = Vec::new();
        for (tag, texts) in [(1, &self.email), (2, &self.dns)] {
            for text in texts {
                if !text.is_ascii() || text.is_empty() {
                    return Err(RequestError::Value(text.clone()));
                }
                names.extend_from_slice(&tlv(tag::context(tag), &[text.as_bytes()]));
            }
        }
        for address in &self.ip {
            let name = match address {
                IpAddr::V4(v4) => tlv(tag::context(7), &[&v4.octets()]),
                IpAddr::V6(v6) => tlv(tag::context(7), &[&v6.octets()]),
            };
            names.extend_from_slice(&name);
        }
        let mut extensions = Vec::new();
        if !names.is_empty() {
            let critical = self.subject.is_empty();
            let value = sequence(&[&names]);
            extensions.extend_from_slice(&extension(oid::SUBJECT_ALT_NAME, critical, &value));
        }
        let mut purposes = Vec::new();
        for (wanted, purpose) in [
            (self.server, SERVER_AUTH),
            (self.client, CLIENT_AUTH),
            (self.server || self.client, IPSEC_IKE),
        ] {
            if wanted {
                purposes.extend_from_slice(&write_oid(purpose));
            }
        }
        if !purposes.is_empty() {
            let value = sequence(&[&purposes]);
            extensions.extend_from_slice(&extension(oid::EXTENDED_KEY_USAGE, false, &value));
        }
        Ok(extensions)
    }
}

impl ToBeSigned {
    /// What to sign, with the scheme that was chosen. ECDSA signatures are wanted in their DER form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The request or certificate in DER, with its signature.
    pub fn finish(&self, signature: &[u8]) -> Vec<u8> {
        sequence(&[&self.bytes, &self.algorithm, &bit_string(signature)])
    }

    /// Whether `certificate` was issued for this request: it holds the same key. For a request that was sent off,
    /// [`CertificateRequest`](crate::CertificateRequest) tells also what the CA changed.
    pub fn is_answered_by(&self, certificate: &Certificate<'_>) -> bool {
        certificate.subject_public_key_info() == self.spki
    }
}

/// The scheme's identifier, if the key is well-formed.
fn check(spki: &[u8], scheme: SignatureScheme) -> Result<Vec<u8>, RequestError> {
    let mut reader = Reader::new(spki);
    Spki::read(&mut reader).and_then(|_| reader.finish()).map_err(RequestError::Key)?;
    algorithm::identifier(scheme).ok_or(RequestError::Scheme)
}

/// The characters of a PrintableString.
fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

/// `UTCTime` through 2049, `GeneralizedTime` from then on (RFC 5280 section 4.1.2.5).
fn write_time(time: UnixTime) -> Vec<u8> {
    let secs = i64::try_from(time.as_secs()).unwrap_or(i64::MAX).min(LAST_SECOND);
    let (year, rest) = civil(secs);
    let mut digits = Vec::with_capacity(16);
    let generalized = year >= 2050;
    if generalized {
        digits.extend(two_digits(year / 100));
    }
    for number in [&[year % 100][..], &rest].concat() {
        digits.extend(two_digits(number));
    }
    digits.push(b'Z');
    tlv(if generalized { tag::GENERALIZED_TIME } else { tag::UTC_TIME }, &[&digits])
}

/// 9999-12-31T23:59:59Z, which stands for "no end".
const LAST_SECOND: i64 = 253_402_300_799;

fn two_digits(number: i64) -> [u8; 2] {
    [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8]
}
