//! OCSP responses of any shape (RFC 6960 section 4.2).

use adit_platform::rustcrypto::PROVIDER;

use super::{Authority, Key, NOW, extension, name};
use crate::der::{
    self, bit_string, context, explicit, generalized_time, octet_string, oid, sequence,
};

/// What to put into an OCSP response.
#[derive(Clone, Debug)]
pub struct OcspTemplate {
    /// What is said of each certificate.
    pub singles: Vec<OcspSingle>,
    /// Whether CertIDs are made with SHA-256; otherwise with SHA-1.
    pub sha256: bool,
    /// Whether the responder is named by the hash of its key; otherwise by its name.
    pub by_key: bool,
    /// Seconds since 1970.
    pub produced_at: u64,
    /// Extensions of the response: OID in dotted form, critical, content.
    pub extensions: Vec<(&'static str, bool, Vec<u8>)>,
    /// Certificates in DER that are sent along.
    pub certificates: Vec<Vec<u8>>,
}

/// What an OCSP response says of one certificate.
#[derive(Clone, Debug)]
pub struct OcspSingle {
    /// Its serial number.
    pub serial: u64,
    /// Its status.
    pub status: OcspState,
    /// Seconds since 1970.
    pub this_update: u64,
    /// Seconds since 1970.
    pub next_update: Option<u64>,
    /// Extensions: OID in dotted form, critical, content.
    pub extensions: Vec<(&'static str, bool, Vec<u8>)>,
}

/// A status in an OCSP response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OcspState {
    /// `good`.
    Good,
    /// `revoked`, since when and with which reason code.
    Revoked(u64, Option<u8>),
    /// `unknown`.
    Unknown,
}

impl OcspTemplate {
    /// A response about one certificate, made an hour before [`NOW`] and good for a week, in the form that most
    /// responders use.
    pub fn new(serial: u64, status: OcspState) -> Self {
        let (this_update, next_update) = (NOW - 3600, Some(NOW - 3600 + 7 * 86_400));
        let single =
            OcspSingle { serial, status, this_update, next_update, extensions: Vec::new() };
        Self {
            singles: vec![single],
            sha256: false,
            by_key: false,
            produced_at: this_update,
            extensions: Vec::new(),
            certificates: Vec::new(),
        }
    }

    /// The `OCSPResponse` about certificates of `issuer`, signed by the responder of this name and key.
    pub fn sign(&self, issuer: &Authority, responder: Option<&str>, key: &Key) -> Vec<u8> {
        let singles: Vec<u8> =
            self.singles.iter().flat_map(|it| it.der(issuer, self.sha256)).collect();
        let by = if self.by_key {
            explicit(2, &octet_string(&sha(false, key.signing.public_key())))
        } else {
            explicit(1, &name(responder))
        };
        let data = sequence(&[
            &by,
            &generalized_time(self.produced_at),
            &sequence(&[&singles]),
            &extensions(1, &self.extensions),
        ]);
        let certificates = match &self.certificates[..] {
            [] => Vec::new(),
            some => explicit(0, &sequence(&[&some.concat()])),
        };
        response(&data, key, &certificates)
    }
}

/// The `OCSPResponse` around a `ResponseData`.
fn response(data: &[u8], key: &Key, certificates: &[u8]) -> Vec<u8> {
    let signature = bit_string(&key.signature(data));
    let basic = sequence(&[data, &key.algorithm(), &signature, certificates]);
    let bytes = sequence(&[&oid("1.3.6.1.5.5.7.48.1.1"), &octet_string(&basic)]);
    sequence(&[&[0x0a, 1, 0], &explicit(0, &bytes)])
}

impl Authority {
    /// An OCSP response that the CA itself signs, about one of its certificates.
    pub fn ocsp(&self, serial: u64, status: OcspState) -> Vec<u8> {
        self.ocsp_with(&OcspTemplate::new(serial, status))
    }

    /// An OCSP response that the CA itself signs, with everything chosen.
    pub fn ocsp_with(&self, template: &OcspTemplate) -> Vec<u8> {
        template.sign(self, Some(&self.common_name), &self.key)
    }

    /// An OCSP response whose `ResponseData`, which the CA itself signs, has this content; it need not be
    /// well-formed.
    pub fn ocsp_of(&self, data: &[u8]) -> Vec<u8> {
        response(&sequence(&[data]), &self.key, &[])
    }
}

impl OcspSingle {
    fn der(&self, issuer: &Authority, sha256: bool) -> Vec<u8> {
        let algorithm = if sha256 { "2.16.840.1.101.3.4.2.1" } else { "1.3.14.3.2.26" };
        let id = sequence(&[
            &sequence(&[&oid(algorithm), &der::NULL]),
            &octet_string(&sha(sha256, &issuer.name)),
            &octet_string(&sha(sha256, issuer.key.signing.public_key())),
            &der::number(self.serial),
        ]);
        let status = match self.status {
            OcspState::Good => context(0, &[]),
            OcspState::Revoked(since, reason) => {
                let reason = reason.map_or(Vec::new(), |code| explicit(0, &[0x0a, 1, code]));
                explicit(1, &[generalized_time(since), reason].concat())
            }
            OcspState::Unknown => context(2, &[]),
        };
        let next = self.next_update.map_or(Vec::new(), |at| explicit(0, &generalized_time(at)));
        let this = generalized_time(self.this_update);
        sequence(&[&id, &status, &this, &next, &extensions(1, &self.extensions)])
    }
}

/// Explicitly tagged extensions; none, nothing.
fn extensions(tag: u8, list: &[(&'static str, bool, Vec<u8>)]) -> Vec<u8> {
    if list.is_empty() {
        return Vec::new();
    }
    let list: Vec<u8> =
        list.iter().flat_map(|(id, critical, c)| extension(id, *critical, c)).collect();
    explicit(tag, &sequence(&[&list]))
}

fn sha(sha256: bool, bytes: &[u8]) -> Vec<u8> {
    use adit_platform::hash::HashAlgorithm::{Sha1, Sha256};
    let hash = PROVIDER.hash(if sha256 { Sha256 } else { Sha1 }).expect("has both");
    hash.hash(&[bytes]).to_vec()
}
