//! What lies in a `PFX`: AuthenticatedSafe, SafeContents, SafeBag (RFC 7292 sections 4.1 and 4.2).

use alloc::string::String;
use alloc::vec::Vec;

use adit_platform::Secret;
use zeroize::Zeroizing;

use super::encryption::{self, Bytes, Password};
use super::{Budget, Pkcs12Certificate, Pkcs12Error, Pkcs12Key, ber, in_layer};
use crate::format::algorithm::AlgorithmIdentifier;
use crate::format::der::{DerError, DerErrorKind, Field, Reader, tag};
use crate::format::oid;

const AUTHENTICATED_SAFE: &str = "AuthenticatedSafe";
const SAFE_CONTENTS: &str = "SafeContents";
pub(super) const ENCRYPTED_KEY: &str = "EncryptedPrivateKeyInfo";
const PRIVATE_KEY: &str = "PrivateKeyInfo";

/// PKCS#7 content types, 1.2.840.113549.1.7.n (RFC 5652).
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6];

/// Bag types, 1.2.840.113549.1.12.10.1.n.
const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1];
const KEY_BAG: u8 = 1;
const SHROUDED_KEY_BAG: u8 = 2;
const CERTIFICATE_BAG: u8 = 3;
const CRL_BAG: u8 = 4;
const SAFE_CONTENTS_BAG: u8 = 6;

/// PKCS#9 attributes and types, 1.2.840.113549.1.9.n.
const FRIENDLY_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 20];
const LOCAL_KEY_ID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 21];
const X509_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1];
const X509_CRL: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 23, 1];

/// How deep SafeContents may lie in each other. Nobody is known to nest them at all.
const MAX_NESTING: usize = 4;

/// What was found so far.
pub(super) struct Contents<'a> {
    password: &'a Password,
    budget: &'a Budget,
    pub(super) keys: Vec<Pkcs12Key>,
    pub(super) certificates: Vec<Pkcs12Certificate>,
    pub(super) crls: Vec<Vec<u8>>,
}

impl<'a> Contents<'a> {
    pub(super) fn new(password: &'a Password, budget: &'a Budget) -> Self {
        let (keys, certificates, crls) = (Vec::new(), Vec::new(), Vec::new());
        Self { password, budget, keys, certificates, crls }
    }

    /// `AuthenticatedSafe ::= SEQUENCE OF ContentInfo`, plain or encrypted each.
    pub(super) fn authenticated_safe(&mut self, bytes: &[u8]) -> Result<(), Pkcs12Error> {
        let bytes = ber::to_der(bytes, AUTHENTICATED_SAFE)?;
        let malformed = in_layer(AUTHENTICATED_SAFE);
        let mut outer = Reader::new(&bytes);
        let mut list = outer.sequence().map_err(&malformed)?;
        outer.finish().map_err(&malformed)?;
        while !list.is_empty() {
            self.budget.spend_bag()?;
            let info = list.sequence().map_err(&malformed)?;
            if info.clone().oid().map_err(&malformed)? == ENCRYPTED_DATA {
                let contents = self.encrypted_data(info)?;
                self.safe_contents(&contents, 0)?;
            } else {
                self.safe_contents(data(info, AUTHENTICATED_SAFE)?.bytes, 0)?;
            }
        }
        Ok(())
    }

    /// A ContentInfo of EncryptedData: RFC 5652 section 8.
    fn encrypted_data(&self, mut info: Reader<'_>) -> Result<Bytes, Pkcs12Error> {
        let mut parse = || {
            info.oid()?;
            let mut explicit = info.read(tag::constructed(0))?.reader();
            info.finish()?;
            let mut data = explicit.sequence()?;
            explicit.finish()?;
            data.integer()?;
            let mut content = data.sequence()?;
            content.oid()?;
            let algorithm = AlgorithmIdentifier::read(&mut content)?;
            let encrypted = match content.peek() {
                // In segments; the tag is that of EncryptedContent and each segment is an OCTET STRING.
                Some(found) if found == tag::constructed(0) => {
                    let mut segments = content.any()?.content.reader();
                    let mut whole = Vec::new();
                    while !segments.is_empty() {
                        whole.extend_from_slice(segments.read(tag::OCTET_STRING)?.bytes);
                    }
                    whole
                }
                _ => content.read(tag::context(0))?.bytes.to_vec(),
            };
            content.finish()?;
            Ok((algorithm, encrypted))
        };
        let (algorithm, encrypted) = parse().map_err(in_layer(AUTHENTICATED_SAFE))?;
        encryption::decrypt(algorithm, encrypted, self.password, self.budget)
    }

    /// `SafeContents ::= SEQUENCE OF SafeBag`.
    fn safe_contents(&mut self, bytes: &[u8], nesting: usize) -> Result<(), Pkcs12Error> {
        let malformed = in_layer(SAFE_CONTENTS);
        let bytes = ber::to_der(bytes, SAFE_CONTENTS)?;
        let mut outer = Reader::new(&bytes);
        let list = outer.sequence().map_err(&malformed)?;
        outer.finish().map_err(&malformed)?;
        self.bags(list, nesting)
    }

    fn bags(&mut self, mut list: Reader<'_>, nesting: usize) -> Result<(), Pkcs12Error> {
        while !list.is_empty() {
            self.budget.spend_bag()?;
            let bag = Bag::read(&mut list).map_err(in_layer(SAFE_CONTENTS))?;
            self.bag(bag, nesting)?;
        }
        Ok(())
    }

    fn bag(&mut self, bag: Bag<'_>, nesting: usize) -> Result<(), Pkcs12Error> {
        let malformed = in_layer(SAFE_CONTENTS);
        let Bag { kind, mut value, friendly_name, local_key_id } = bag;
        let kind = match kind {
            [prefix @ .., kind] if prefix == BAG => *kind,
            _ => return Ok(()),
        };
        match kind {
            KEY_BAG | SHROUDED_KEY_BAG => {
                let pkcs8 = if kind == KEY_BAG {
                    let key = value.any().map_err(&malformed)?;
                    private_key(key.whole.bytes).map_err(in_layer(PRIVATE_KEY))?
                } else {
                    shrouded_key(&mut value, self.password, self.budget)?
                };
                self.keys.push(Pkcs12Key { pkcs8, friendly_name, local_key_id });
            }
            CERTIFICATE_BAG => {
                if let Some(der) = typed(&mut value, X509_CERTIFICATE).map_err(&malformed)? {
                    let certificate = Pkcs12Certificate { der, friendly_name, local_key_id };
                    self.certificates.push(certificate);
                }
            }
            CRL_BAG => self.crls.extend(typed(&mut value, X509_CRL).map_err(&malformed)?),
            SAFE_CONTENTS_BAG if nesting < MAX_NESTING => {
                let list = value.sequence().map_err(&malformed)?;
                self.bags(list, nesting + 1)?;
            }
            SAFE_CONTENTS_BAG => return Err(Pkcs12Error::Limit("nesting")),
            _ => return Ok(()),
        }
        value.finish().map_err(malformed)
    }
}

/// The content of a ContentInfo of plain data.
pub(super) fn data<'a>(
    mut info: Reader<'a>,
    layer: &'static str,
) -> Result<Field<'a>, Pkcs12Error> {
    let mut parse = || {
        let kind = info.oid()?;
        if kind != DATA {
            return Ok(Err(kind));
        }
        let mut explicit = info.read(tag::constructed(0))?.reader();
        info.finish()?;
        let content = explicit.read(tag::OCTET_STRING)?;
        explicit.finish()?;
        Ok(Ok(content))
    };
    // What else there is, is protected by public keys.
    parse().map_err(in_layer(layer))?.map_err(|kind| Pkcs12Error::Unsupported(oid::dotted(kind)))
}

/// An `EncryptedPrivateKeyInfo`: RFC 5958 section 3.
pub(super) fn shrouded_key(
    reader: &mut Reader<'_>,
    password: &Password,
    budget: &Budget,
) -> Result<Secret, Pkcs12Error> {
    let mut parse = || {
        let mut info = reader.sequence()?;
        let algorithm = AlgorithmIdentifier::read(&mut info)?;
        let encrypted = info.read(tag::OCTET_STRING)?;
        info.finish()?;
        Ok((algorithm, encrypted.bytes.to_vec()))
    };
    let (algorithm, encrypted) = parse().map_err(in_layer(ENCRYPTED_KEY))?;
    let key = encryption::decrypt(algorithm, encrypted, password, budget)?;
    let key = Zeroizing::new(ber::to_der(&key, PRIVATE_KEY)?.into_owned());
    private_key(&key).map_err(in_layer(PRIVATE_KEY))
}

/// Checks the frame of a `PrivateKeyInfo`: RFC 5958 section 2.
fn private_key(der: &[u8]) -> Result<Secret, DerError> {
    let mut outer = Reader::new(der);
    let mut info = outer.sequence()?;
    outer.finish()?;
    info.integer()?;
    AlgorithmIdentifier::read(&mut info)?;
    info.read(tag::OCTET_STRING)?;
    Ok(Secret::copy_from(der))
}

/// The octets of a `CertBag` or `CRLBag` if they are of this type.
fn typed(value: &mut Reader<'_>, wanted: &[u8]) -> Result<Option<Vec<u8>>, DerError> {
    let mut inner = value.sequence()?;
    let kind = inner.oid()?;
    let mut explicit = inner.read(tag::constructed(0))?.reader();
    inner.finish()?;
    if kind != wanted {
        return Ok(None);
    }
    let octets = explicit.read(tag::OCTET_STRING)?;
    explicit.finish()?;
    Ok(Some(octets.bytes.to_vec()))
}

/// A `SafeBag`.
struct Bag<'a> {
    kind: &'a [u8],
    value: Reader<'a>,
    friendly_name: Option<String>,
    local_key_id: Option<Vec<u8>>,
}

impl<'a> Bag<'a> {
    fn read(list: &mut Reader<'a>) -> Result<Self, DerError> {
        let mut bag = list.sequence()?;
        let kind = bag.oid()?;
        let value = bag.read(tag::constructed(0))?.reader();
        let mut read = Self { kind, value, friendly_name: None, local_key_id: None };
        if let Some(attributes) = bag.optional(tag::SET)? {
            let mut attributes = attributes.reader();
            while !attributes.is_empty() {
                read.attribute(attributes.sequence()?)?;
            }
        }
        bag.finish()?;
        Ok(read)
    }

    /// RFC 2985 section 5.5: both are single-valued. An attribute of a type that it should not have is passed over.
    fn attribute(&mut self, mut attribute: Reader<'a>) -> Result<(), DerError> {
        let kind = attribute.oid()?;
        let mut values = attribute.read(tag::SET)?.reader();
        attribute.finish()?;
        if values.is_empty() {
            return Ok(());
        }
        let value = values.any()?;
        match (kind, value.tag) {
            (FRIENDLY_NAME, tag::BMP_STRING) => {
                self.friendly_name = Some(bmp_string(value.content)?);
            }
            (LOCAL_KEY_ID, tag::OCTET_STRING) => {
                self.local_key_id = Some(value.content.bytes.to_vec());
            }
            _ => {}
        }
        Ok(())
    }
}

/// UTF-16, big-endian: surrogates are not of BMPString but are met.
fn bmp_string(field: Field<'_>) -> Result<String, DerError> {
    let (units, rest) = field.bytes.as_chunks::<2>();
    let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err(field.error(DerErrorKind::Value)),
    }
}
