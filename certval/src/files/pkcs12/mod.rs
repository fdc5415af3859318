//! PKCS#12 (RFC 7292): the files in which people get their key and certificates. Import only.

mod bags;
mod ber;
mod encryption;
mod kdf;
mod mac;

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use adit_platform::Secret;

use crate::format::der::{DerError, DerErrorKind, Reader, tag};
use bags::Contents;
use encryption::Password;

/// The content of a PKCS#12 file: private keys, certificates and CRLs in the order of the file.
///
/// What can be read: password privacy and integrity (RFC 7292 section 3.1), with PBES2 (PBKDF2 with HMAC-SHA-1 or
/// SHA-2; AES-CBC, 3DES) and the older schemes with 3DES, two-key 3DES, and RC2 of 128 and 40 bits; integrity by
/// the MAC of RFC 7292 with SHA-1 or SHA-2 or by PBMAC1 (RFC 9579), or none. BER as old exporters write it is
/// accepted: indefinite lengths, lengths that are not minimal, strings in segments. What protects a file with
/// somebody's public key, RC4, single DES and scrypt are not supported. Bags of other kinds are skipped.
///
/// ```
/// use adit_certval::{Pkcs12, Pkcs12Limits};
/// # fn example(file: &[u8], provider: &adit_platform::Provider) -> Result<(), Box<dyn core::error::Error>> {
/// let content = Pkcs12::from_der(file, "correct horse", &Pkcs12Limits::default())?;
/// for key in &content.keys {
///     let signer = provider.keys.load_pkcs8(key.pkcs8.expose())?;
///     let certificate = content.certificate_of(key).ok_or("no certificate for this key")?;
///     println!("{signer:?}: {} bytes of certificate", certificate.der.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Pkcs12 {
    /// Private keys.
    pub keys: Vec<Pkcs12Key>,
    /// X.509 certificates.
    pub certificates: Vec<Pkcs12Certificate>,
    /// X.509 CRLs in DER.
    pub crls: Vec<Vec<u8>>,
    /// Whether a MAC was there and fits the password. Without one, nothing tells whether the file was changed.
    pub authenticated: bool,
}

/// A private key of a PKCS#12 file.
///
/// ```
/// # fn example(key: &adit_certval::Pkcs12Key, provider: &adit_platform::Provider) {
/// match provider.keys.load_pkcs8(key.pkcs8.expose()) {
///     Ok(signer) => println!("{:?} is {signer:?}", key.friendly_name),
///     Err(error) => println!("{error}"),
/// }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Pkcs12Key {
    /// An unencrypted PKCS#8 `PrivateKeyInfo` in DER, as
    /// [`KeyLoader::load_pkcs8`](adit_platform::signature::KeyLoader::load_pkcs8) takes it.
    pub pkcs8: Secret,
    /// What people call it (PKCS#9).
    pub friendly_name: Option<String>,
    /// What it has in common with its certificate.
    pub local_key_id: Option<Vec<u8>>,
}

/// A certificate of a PKCS#12 file. It is read when it is used: [`Certificate::from_der`](crate::Certificate::from_der).
///
/// ```
/// use adit_certval::{Certificate, DerError, Pkcs12Certificate};
///
/// fn show(certificate: &Pkcs12Certificate) -> Result<(), DerError> {
///     println!("{}", Certificate::from_der(&certificate.der)?.subject());
///     Ok(())
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Pkcs12Certificate {
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// What people call it (PKCS#9).
    pub friendly_name: Option<String>,
    /// What it has in common with its private key.
    pub local_key_id: Option<Vec<u8>>,
}

impl Pkcs12 {
    /// Reads a `PFX` in DER or BER and decrypts what is in it.
    ///
    /// An empty `password` also opens files that were made without one.
    ///
    /// # Errors
    /// [`Pkcs12Error::WrongPassword`] apart from every other reason; see there.
    pub fn from_der(
        pfx: &[u8],
        password: &str,
        limits: &Pkcs12Limits,
    ) -> Result<Self, Pkcs12Error> {
        let budget = Budget::new(limits);
        budget.check_size(pfx)?;
        let pfx = ber::to_der(pfx, "PFX")?;
        Password::try_forms(password, |password| Self::read(&pfx, password, &budget))
    }

    /// PFX: RFC 7292 section 4.
    fn read(pfx: &[u8], password: &Password, budget: &Budget) -> Result<Self, Pkcs12Error> {
        let parse = || {
            let mut outer = Reader::new(pfx);
            let mut reader = outer.sequence()?;
            outer.finish()?;
            let version = reader.integer()?;
            if version.bytes != [3] {
                return Err(version.error(DerErrorKind::Version));
            }
            let auth_safe = reader.sequence()?;
            let mac = reader.optional(tag::SEQUENCE)?;
            reader.finish()?;
            Ok((auth_safe, mac))
        };
        let (auth_safe, mac) = parse().map_err(in_layer("PFX"))?;
        let auth_safe = bags::data(auth_safe, "PFX")?;
        if let Some(mac) = mac {
            mac::check(mac, auth_safe.bytes, password, budget)?;
        }
        let mut contents = Contents::new(password, budget);
        contents.authenticated_safe(auth_safe.bytes)?;
        let Contents { keys, certificates, crls, .. } = contents;
        Ok(Self { keys, certificates, crls, authenticated: mac.is_some() })
    }

    /// The certificate that belongs to `key`: the first that has the same local key identifier, or has none
    /// either.
    pub fn certificate_of(&self, key: &Pkcs12Key) -> Option<&Pkcs12Certificate> {
        self.certificates.iter().find(|certificate| certificate.local_key_id == key.local_key_id)
    }
}

/// Decrypts an `EncryptedPrivateKeyInfo` (RFC 5958 section 3; `ENCRYPTED PRIVATE KEY` in PEM) with the schemes that
/// [`Pkcs12`] lists; gives the `PrivateKeyInfo` in DER.
///
/// ```
/// use adit_certval::{PemBlock, Pkcs12Limits, decrypt_pkcs8};
/// # fn example(pem: &str, provider: &adit_platform::Provider) -> Result<(), Box<dyn core::error::Error>> {
/// for block in PemBlock::read_all(pem)? {
///     if block.label == "ENCRYPTED PRIVATE KEY" {
///         let key = decrypt_pkcs8(&block.der, "correct horse", &Pkcs12Limits::default())?;
///         println!("{:?}", provider.keys.load_pkcs8(key.expose())?);
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// See [`Pkcs12Error`].
pub fn decrypt_pkcs8(
    der: &[u8],
    password: &str,
    limits: &Pkcs12Limits,
) -> Result<Secret, Pkcs12Error> {
    let budget = Budget::new(limits);
    budget.check_size(der)?;
    let der = ber::to_der(der, bags::ENCRYPTED_KEY)?;
    Password::try_forms(password, |password| {
        let mut reader = Reader::new(&der);
        let key = bags::shrouded_key(&mut reader, password, &budget)?;
        reader.finish().map_err(in_layer(bags::ENCRYPTED_KEY))?;
        Ok(key)
    })
}

/// How much work and memory a file may cost.
///
/// ```
/// use adit_certval::Pkcs12Limits;
///
/// let patient = Pkcs12Limits { iterations: 100_000_000, ..Pkcs12Limits::default() };
/// assert!(patient.size >= 1 << 20);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pkcs12Limits {
    /// Rounds of hashing for all keys that are derived from the password together. Exporters in use take 1 to
    /// 600,000 for each of about four; ten million are a few seconds of one core.
    pub iterations: u32,
    /// Bytes of the file.
    pub size: usize,
    /// Bags in the file: keys, certificates, and what holds them.
    pub bags: u32,
}

impl Default for Pkcs12Limits {
    fn default() -> Self {
        Self { iterations: 10_000_000, size: 4 << 20, bags: 2_000 }
    }
}

/// Why a PKCS#12 file or an encrypted key cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Pkcs12Error {
    /// The password does not fit, or what it protects was changed; the two cannot be told apart.
    WrongPassword,
    /// The structure cannot be read. The field of the error is the layer (`PFX`, `AuthenticatedSafe`,
    /// `SafeContents`, `EncryptedPrivateKeyInfo`, `PrivateKeyInfo`) and its offset counts from the start of that
    /// layer, which for BER is counted as if it were DER.
    Malformed(DerError),
    /// An algorithm or kind of protection that is not supported; its OID in dotted form.
    Unsupported(String),
    /// One of the [`Pkcs12Limits`] was reached, by its name.
    Limit(&'static str),
}

impl fmt::Display for Pkcs12Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongPassword => f.write_str("wrong password, or the file was changed"),
            Self::Malformed(error) => write!(f, "malformed: {error}"),
            Self::Unsupported(oid) => write!(f, "protected in a way that is not supported: {oid}"),
            Self::Limit(name) => write!(f, "gave up: limit on {name} reached"),
        }
    }
}

impl core::error::Error for Pkcs12Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            _ => None,
        }
    }
}

/// Says in which layer of the file an error lies.
fn in_layer(layer: &'static str) -> impl Fn(DerError) -> Pkcs12Error {
    move |error| Pkcs12Error::Malformed(DerError { field: layer, ..error })
}

/// What is left of the limits while a file is read.
struct Budget {
    iterations: Cell<u32>,
    bags: Cell<u32>,
    size: usize,
}

impl Budget {
    fn new(limits: &Pkcs12Limits) -> Self {
        Self {
            iterations: Cell::new(limits.iterations),
            bags: Cell::new(limits.bags),
            size: limits.size,
        }
    }

    fn check_size(&self, file: &[u8]) -> Result<(), Pkcs12Error> {
        if file.len() > self.size { Err(Pkcs12Error::Limit("size")) } else { Ok(()) }
    }

    /// Pays for a key of `blocks` times `iterations` rounds.
    fn spend_iterations(&self, iterations: u32, blocks: usize) -> Result<(), Pkcs12Error> {
        let rounds = u32::try_from(blocks).ok().and_then(|blocks| blocks.checked_mul(iterations));
        let left = rounds.and_then(|rounds| self.iterations.get().checked_sub(rounds));
        self.iterations.set(left.ok_or(Pkcs12Error::Limit("iterations"))?);
        Ok(())
    }

    fn spend_bag(&self) -> Result<(), Pkcs12Error> {
        let left = self.bags.get().checked_sub(1).ok_or(Pkcs12Error::Limit("bags"))?;
        self.bags.set(left);
        Ok(())
    }
}
