//! A certification authority for tests: certificates and CRLs of any shape, in process, in milliseconds.
//!
//! Everything that it writes is well-formed and truly signed; whether it is *valid* is up to the test, which
//! may date, name and constrain certificates as it likes.
//!
//! ```
//! use adit_testkit::pki::{Authority, Key, Template};
//! use adit_testkit::rng::SeededRng;
//!
//! let mut rng = SeededRng::new(1);
//! let mut root = Authority::root("Test Root", Key::p256(&mut rng));
//! let gateway = root.issue(&Template::gateway("gateway.example"), Key::p256(&mut rng));
//! let user = root.issue(&Template::user("alice@example.org"), Key::ed25519(&mut rng));
//! let crl = root.crl(&[user.serial]);
//! assert!(crl.len() > 100 && gateway.certificate.len() > 200);
//! ```

mod ocsp;

use std::net::IpAddr;
use std::sync::Arc;

use adit_platform::rng::Rng;
use adit_platform::rustcrypto::PROVIDER;
use adit_platform::signature::{SignatureScheme, SigningKey};
use p256::pkcs8::EncodePrivateKey;

use crate::der::{self, bit_string, context, explicit, integer, octet_string, oid, sequence, set};

pub use ocsp::{OcspSingle, OcspState, OcspTemplate};

/// 2024-01-01T00:00:00Z, the start of every certificate's validity unless a [`Template`] says otherwise.
pub const NOT_BEFORE: u64 = 1_704_067_200;
/// 2044-01-01T00:00:00Z, the end of every certificate's validity unless a [`Template`] says otherwise.
pub const NOT_AFTER: u64 = 2_335_219_200;
/// A time at which all that this module issues by default is valid, CRLs included.
pub const NOW: u64 = 1_735_689_600;

/// A private key with its public half. Not for anything but tests.
#[derive(Clone, Debug)]
pub struct Key {
    signing: Arc<dyn SigningKey>,
    pkcs8: Vec<u8>,
    /// `SubjectPublicKeyInfo` in DER.
    pub spki: Vec<u8>,
}

impl Key {
    /// A fresh key on P-256.
    pub fn p256(rng: &mut dyn Rng) -> Self {
        loop {
            let mut scalar = [0; 32];
            rng.fill(&mut scalar).expect("test generators do not fail");
            // Zero and numbers above the group's order are no keys; one draw in 2^32 is.
            if let Ok(secret) = p256::SecretKey::from_slice(&scalar) {
                let pkcs8 = secret.to_pkcs8_der().expect("a P-256 key encodes").as_bytes().to_vec();
                return Self::load(pkcs8, &sequence(&[&oid(EC_PUBLIC_KEY), &oid(PRIME256V1)]));
            }
        }
    }

    /// A fresh Ed25519 key.
    pub fn ed25519(rng: &mut dyn Rng) -> Self {
        let mut seed = [0; 32];
        rng.fill(&mut seed).expect("test generators do not fail");
        // RFC 8410 section 7.
        let algorithm = sequence(&[&oid(ED25519)]);
        let pkcs8 = sequence(&[&integer(&[0]), &algorithm, &octet_string(&octet_string(&seed))]);
        Self::load(pkcs8, &algorithm)
    }

    /// A fresh key on P-521.
    pub fn p521(rng: &mut dyn Rng) -> Self {
        let mut scalar = [0; 66];
        // Below the group's order, which has 521 bits, the first of them set.
        rng.fill(&mut scalar[1..]).expect("test generators do not fail");
        // RFC 5915 section 3.
        let key = sequence(&[&integer(&[1]), &octet_string(&scalar)]);
        let algorithm = sequence(&[&oid(EC_PUBLIC_KEY), &oid(SECP521R1)]);
        let pkcs8 = sequence(&[&integer(&[0]), &algorithm, &octet_string(&key)]);
        Self::load(pkcs8, &algorithm)
    }

    /// A fresh ML-DSA key of the parameter set 44, 65 or 87.
    ///
    /// # Panics
    /// If there is no such set.
    pub fn ml_dsa(set: u8, rng: &mut dyn Rng) -> Self {
        let mut seed = [0; 32];
        rng.fill(&mut seed).expect("test generators do not fail");
        let algorithm = sequence(&[&oid(match set {
            44 => ML_DSA_44,
            65 => ML_DSA_65,
            87 => ML_DSA_87,
            _ => panic!("there is no ML-DSA-{set}"),
        })]);
        // RFC 9881 section 6: the seed.
        let key = octet_string(&context(0, &seed));
        Self::load(sequence(&[&integer(&[0]), &algorithm, &key]), &algorithm)
    }

    /// One of three fixed RSA keys of 2048 bits (generating one takes seconds). `n` counts modulo 3.
    pub fn rsa2048(n: usize) -> Self {
        const KEYS: [&[u8]; 3] = [
            include_bytes!("../data/rsa2048-test-key-only-1.pk8"),
            include_bytes!("../data/rsa2048-test-key-only-2.pk8"),
            include_bytes!("../data/rsa2048-test-key-only-3.pk8"),
        ];
        Self::load(KEYS[n % 3].to_vec(), &sequence(&[&oid(RSA_ENCRYPTION), &der::NULL]))
    }

    /// The same key, which signs as the [insecure provider](crate::insecure) does: in no time, for fuzzers.
    pub fn insecure(self) -> Self {
        let signing = crate::insecure::PROVIDER.keys.load_pkcs8(&self.pkcs8);
        Self { signing: signing.expect("a key that was made here loads"), ..self }
    }

    fn load(pkcs8: Vec<u8>, algorithm: &[u8]) -> Self {
        let signing = PROVIDER.keys.load_pkcs8(&pkcs8).expect("a key that was made here loads");
        let spki = sequence(&[algorithm, &bit_string(signing.public_key())]);
        Self { signing, pkcs8, spki }
    }

    /// The private key as unencrypted PKCS#8 in DER.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The `AlgorithmIdentifier` of this key's signatures.
    fn algorithm(&self) -> Vec<u8> {
        match self.scheme() {
            SignatureScheme::RsaPkcs1Sha256 => sequence(&[&oid(SHA256_WITH_RSA), &der::NULL]),
            SignatureScheme::Ed25519 => sequence(&[&oid(ED25519)]),
            SignatureScheme::MlDsa44 => sequence(&[&oid(ML_DSA_44)]),
            SignatureScheme::MlDsa65 => sequence(&[&oid(ML_DSA_65)]),
            SignatureScheme::MlDsa87 => sequence(&[&oid(ML_DSA_87)]),
            SignatureScheme::EcdsaP521Sha512 => sequence(&[&oid(ECDSA_WITH_SHA512)]),
            _ => sequence(&[&oid(ECDSA_WITH_SHA256)]),
        }
    }

    fn scheme(&self) -> SignatureScheme {
        let wanted = [
            SignatureScheme::EcdsaP256Sha256,
            SignatureScheme::EcdsaP521Sha512,
            SignatureScheme::Ed25519,
            SignatureScheme::RsaPkcs1Sha256,
            SignatureScheme::MlDsa44,
            SignatureScheme::MlDsa65,
            SignatureScheme::MlDsa87,
        ];
        let can = self.signing.schemes();
        wanted.into_iter().find(|scheme| can.contains(scheme)).expect("each kind has one of these")
    }

    /// `Certificate` and `CertificateList` have the same frame.
    fn sign(&self, tbs: &[u8]) -> Vec<u8> {
        sequence(&[tbs, &self.algorithm(), &bit_string(&self.signature(tbs))])
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let mut rng = crate::rng::SeededRng::new(message.len() as u64);
        self.signing.sign(self.scheme(), message, &mut rng).expect("a test key signs")
    }
}

/// What to put into a certificate.
#[derive(Clone, Debug)]
pub struct Template {
    /// The subject's common name; an empty subject if `None`.
    pub common_name: Option<String>,
    /// The subject as a whole `Name` in DER, instead of one of a common name.
    pub subject: Option<Vec<u8>>,
    /// dNSName alternatives.
    pub dns: Vec<String>,
    /// rfc822Name alternatives.
    pub email: Vec<String>,
    /// iPAddress alternatives.
    pub ip: Vec<IpAddr>,
    /// Seconds since 1970.
    pub not_before: u64,
    /// Seconds since 1970.
    pub not_after: u64,
    /// `Some(path length)` for a CA certificate.
    pub ca: Option<Option<u8>>,
    /// The two bytes of the key usage's bits, if any; see [`usage`].
    pub key_usage: Option<u16>,
    /// Extended key usages in dotted form; none, no extension.
    pub extended_key_usage: Vec<&'static str>,
    /// URLs of CRL distribution points.
    pub crl_urls: Vec<String>,
    /// caIssuers URLs.
    pub issuer_urls: Vec<String>,
    /// URLs of OCSP responders.
    pub ocsp_urls: Vec<String>,
    /// Further extensions: OID in dotted form, critical, content.
    pub extensions: Vec<(&'static str, bool, Vec<u8>)>,
}

/// Bits of the key usage extension (RFC 5280 section 4.2.1.3).
pub mod usage {
    /// digitalSignature.
    pub const DIGITAL_SIGNATURE: u16 = 0x8000;
    /// nonRepudiation.
    pub const NON_REPUDIATION: u16 = 0x4000;
    /// keyEncipherment.
    pub const KEY_ENCIPHERMENT: u16 = 0x2000;
    /// keyCertSign.
    pub const KEY_CERT_SIGN: u16 = 0x0400;
    /// cRLSign.
    pub const CRL_SIGN: u16 = 0x0200;
}

/// Extended key usages.
pub mod purpose {
    /// serverAuth.
    pub const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
    /// clientAuth.
    pub const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
    /// ipsecIKE.
    pub const IPSEC_IKE: &str = "1.3.6.1.5.5.7.3.17";
    /// OCSPSigning.
    pub const OCSP_SIGNING: &str = "1.3.6.1.5.5.7.3.9";
    /// anyExtendedKeyUsage.
    pub const ANY: &str = "2.5.29.37.0";
}

impl Template {
    /// An end entity of this common name, with nothing else.
    pub fn bare(common_name: &str) -> Self {
        Self {
            common_name: Some(common_name.into()),
            subject: None,
            dns: Vec::new(),
            email: Vec::new(),
            ip: Vec::new(),
            not_before: NOT_BEFORE,
            not_after: NOT_AFTER,
            ca: None,
            key_usage: None,
            extended_key_usage: Vec::new(),
            crl_urls: Vec::new(),
            issuer_urls: Vec::new(),
            ocsp_urls: Vec::new(),
            extensions: Vec::new(),
        }
    }

    /// A VPN gateway of this host name.
    pub fn gateway(host: &str) -> Self {
        Self {
            dns: vec![host.into()],
            key_usage: Some(usage::DIGITAL_SIGNATURE),
            extended_key_usage: vec![purpose::SERVER_AUTH, purpose::IPSEC_IKE],
            ..Self::bare(host)
        }
    }

    /// A user with this mail address.
    pub fn user(email: &str) -> Self {
        Self {
            email: vec![email.into()],
            key_usage: Some(usage::DIGITAL_SIGNATURE),
            extended_key_usage: vec![purpose::CLIENT_AUTH],
            ..Self::bare(email)
        }
    }

    /// An OCSP responder, exempt from being checked itself.
    pub fn ocsp_responder(common_name: &str) -> Self {
        Self {
            key_usage: Some(usage::DIGITAL_SIGNATURE),
            extended_key_usage: vec![purpose::OCSP_SIGNING],
            extensions: vec![("1.3.6.1.5.5.7.48.1.5", false, der::NULL.to_vec())],
            ..Self::bare(common_name)
        }
    }

    /// A CA.
    pub fn ca(common_name: &str) -> Self {
        Self {
            ca: Some(None),
            key_usage: Some(usage::KEY_CERT_SIGN | usage::CRL_SIGN),
            ..Self::bare(common_name)
        }
    }

    fn name(&self) -> Vec<u8> {
        self.subject.clone().unwrap_or_else(|| name(self.common_name.as_deref()))
    }

    fn extensions(&self, issuer: &Key, subject: &Key) -> Vec<u8> {
        let mut list = vec![
            extension("2.5.29.14", false, &octet_string(&key_id(subject))),
            extension("2.5.29.35", false, &sequence(&[&context(0, &key_id(issuer))])),
        ];
        if let Some(path_len) = self.ca {
            let path_len = path_len.map_or(Vec::new(), |len| integer(&[len]));
            let content = sequence(&[&der::TRUE, &path_len]);
            list.push(extension("2.5.29.19", true, &content));
        }
        if let Some(bits) = self.key_usage {
            list.push(extension("2.5.29.15", true, &der::named_bits(bits)));
        }
        if !self.extended_key_usage.is_empty() {
            let purposes: Vec<u8> = self.extended_key_usage.iter().flat_map(|p| oid(p)).collect();
            list.push(extension("2.5.29.37", false, &sequence(&[&purposes])));
        }
        let mut names = Vec::new();
        names.extend(self.dns.iter().flat_map(|name| context(2, name.as_bytes())));
        names.extend(self.email.iter().flat_map(|name| context(1, name.as_bytes())));
        names.extend(self.ip.iter().flat_map(|address| match address {
            IpAddr::V4(v4) => context(7, &v4.octets()),
            IpAddr::V6(v6) => context(7, &v6.octets()),
        }));
        if !names.is_empty() {
            let critical = self.common_name.is_none();
            list.push(extension("2.5.29.17", critical, &sequence(&[&names])));
        }
        if !self.crl_urls.is_empty() {
            let urls: Vec<u8> =
                self.crl_urls.iter().flat_map(|u| context(6, u.as_bytes())).collect();
            let point = sequence(&[&explicit(0, &explicit(0, &urls))]);
            list.push(extension("2.5.29.31", false, &sequence(&[&point])));
        }
        let access = |method: &str, urls: &[String]| -> Vec<u8> {
            let method = oid(method);
            urls.iter().flat_map(|u| sequence(&[&method, &context(6, u.as_bytes())])).collect()
        };
        let issuers = access("1.3.6.1.5.5.7.48.2", &self.issuer_urls);
        let responders = access("1.3.6.1.5.5.7.48.1", &self.ocsp_urls);
        if !issuers.is_empty() || !responders.is_empty() {
            list.push(extension("1.3.6.1.5.5.7.1.1", false, &sequence(&[&responders, &issuers])));
        }
        for (id, critical, content) in &self.extensions {
            list.push(extension(id, *critical, content));
        }
        sequence(&[&list.concat()])
    }
}

/// A certificate that was issued, and its private key.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate in DER.
    pub certificate: Vec<u8>,
    /// Its serial number.
    pub serial: u64,
    /// Its key.
    pub key: Key,
}

/// A CA: a name, a key, a certificate, and a counter of serial numbers.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Its certificate in DER.
    pub certificate: Vec<u8>,
    key: Key,
    name: Vec<u8>,
    common_name: String,
    next_serial: u64,
    next_crl: u64,
}

impl Authority {
    /// A self-signed root.
    pub fn root(common_name: &str, key: Key) -> Self {
        Self::root_from(&Template::ca(common_name), key)
    }

    /// A self-signed root with everything chosen.
    pub fn root_from(template: &Template, key: Key) -> Self {
        let name = template.name();
        let certificate = certificate(template, &name, &key, &key, 1);
        let common_name = template.common_name.clone().unwrap_or_default();
        Self { certificate, key, name, common_name, next_serial: 2, next_crl: 1 }
    }

    /// Its key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// A CA below this one.
    pub fn intermediate(&mut self, template: &Template, key: Key) -> Self {
        let issued = self.issue(template, key);
        Self {
            certificate: issued.certificate,
            key: issued.key,
            name: template.name(),
            common_name: template.common_name.clone().unwrap_or_default(),
            next_serial: 1,
            next_crl: 1,
        }
    }

    /// Issues a certificate for the public half of `key`.
    pub fn issue(&mut self, template: &Template, key: Key) -> Issued {
        let serial = self.next_serial;
        self.next_serial += 1;
        let certificate = certificate(template, &self.name, &self.key, &key, serial);
        Issued { certificate, serial, key }
    }

    /// A complete CRL, numbered consecutively, that revokes these serial numbers; valid for as long as
    /// certificates are.
    pub fn crl(&mut self, revoked: &[u64]) -> Vec<u8> {
        let entries = revoked.iter().map(|&serial| (serial, NOT_BEFORE + 1, None));
        self.crl_with(entries, NOT_BEFORE + 2, Some(NOT_AFTER), &[])
    }

    /// A CRL with everything chosen: entries as (serial number, since, reason code), `thisUpdate`,
    /// `nextUpdate`, and extensions besides the CRL number and key identifier.
    pub fn crl_with(
        &mut self,
        entries: impl IntoIterator<Item = (u64, u64, Option<u8>)>,
        this_update: u64,
        next_update: Option<u64>,
        extensions: &[(&'static str, bool, Vec<u8>)],
    ) -> Vec<u8> {
        let mut revoked = Vec::new();
        for (serial, since, reason) in entries {
            let reason = reason.map_or(Vec::new(), |code| {
                sequence(&[&extension("2.5.29.21", false, &[0x0a, 1, code])])
            });
            let entry = [&der::number(serial)[..], &der::time(since), &reason];
            revoked.extend_from_slice(&sequence(&entry));
        }
        self.crl_of(&revoked, this_update, next_update, extensions)
    }

    /// A CRL whose `revokedCertificates` has this content, which need not be well-formed; empty leaves it out.
    /// The rest as for [`crl_with`](Self::crl_with).
    pub fn crl_of(
        &mut self,
        revoked: &[u8],
        this_update: u64,
        next_update: Option<u64>,
        extensions: &[(&'static str, bool, Vec<u8>)],
    ) -> Vec<u8> {
        let revoked = if revoked.is_empty() { Vec::new() } else { sequence(&[revoked]) };
        let mut list = vec![
            extension("2.5.29.35", false, &sequence(&[&context(0, &key_id(&self.key))])),
            extension("2.5.29.20", false, &der::number(self.next_crl)),
        ];
        list.extend(extensions.iter().map(|(id, critical, value)| extension(id, *critical, value)));
        self.next_crl += 1;
        self.key.sign(&sequence(&[
            &integer(&[1]),
            &self.key.algorithm(),
            &self.name,
            &der::time(this_update),
            &next_update.map_or(Vec::new(), der::time),
            &revoked,
            &explicit(0, &sequence(&[&list.concat()])),
        ]))
    }
}

fn certificate(
    template: &Template,
    issuer: &[u8],
    ca: &Key,
    subject: &Key,
    serial: u64,
) -> Vec<u8> {
    ca.sign(&sequence(&[
        &explicit(0, &integer(&[2])),
        &der::number(serial),
        &ca.algorithm(),
        issuer,
        &sequence(&[&der::time(template.not_before), &der::time(template.not_after)]),
        &template.name(),
        &subject.spki,
        &explicit(3, &template.extensions(ca, subject)),
    ]))
}

/// A `Name` of this common name; an empty one if `None`.
pub fn name(common_name: Option<&str>) -> Vec<u8> {
    let rdn = common_name.map_or(Vec::new(), |text| {
        set(&sequence(&[&oid("2.5.4.3"), &der::tlv(0x0c, text.as_bytes())]))
    });
    sequence(&[&rdn])
}

fn extension(id: &str, critical: bool, content: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &der::TRUE } else { &[] };
    sequence(&[&oid(id), critical, &octet_string(content)])
}

/// RFC 7093 section 2, method 1: the first 160 bits of the SHA-256 of the key.
fn key_id(key: &Key) -> Vec<u8> {
    let sha256 = PROVIDER.hash(adit_platform::hash::HashAlgorithm::Sha256).expect("has SHA-256");
    sha256.hash(&[key.signing.public_key()])[..20].to_vec()
}

const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const SHA256_WITH_RSA: &str = "1.2.840.113549.1.1.11";
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const PRIME256V1: &str = "1.2.840.10045.3.1.7";
const SECP521R1: &str = "1.3.132.0.35";
const ML_DSA_44: &str = "2.16.840.1.101.3.4.3.17";
const ML_DSA_65: &str = "2.16.840.1.101.3.4.3.18";
const ML_DSA_87: &str = "2.16.840.1.101.3.4.3.19";
const ECDSA_WITH_SHA512: &str = "1.2.840.10045.4.3.4";
const ECDSA_WITH_SHA256: &str = "1.2.840.10045.4.3.2";
const ED25519: &str = "1.3.101.112";
