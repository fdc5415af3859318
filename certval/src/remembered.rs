//! Peers that are believed by themselves: by their fingerprint, or because they were believed before; and those
//! that never are, because every device of their kind has the same certificate.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use adit_platform::hash::HashAlgorithm;
use adit_platform::{Provider, UnixTime};

use crate::error::Reason;
use crate::files::template::NamePattern;
use crate::format::algorithm;
use crate::format::certificate::Certificate;
use crate::info::hex;
use crate::verifier::Verifier;

/// A SHA-256 digest, as people compare it.
///
/// ```
/// use adit_certval::Fingerprint;
///
/// let text = "AB:CD:EF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC";
/// let fingerprint = Fingerprint::parse(text).unwrap();
/// assert_eq!(fingerprint, Fingerprint::parse(&text.replace(':', "").to_lowercase()).unwrap());
/// assert_eq!(fingerprint.to_string(), text);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Reads 64 hexadecimal digits, of either case, with or without colons between the bytes. `None` if it is
    /// anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut digits = text.trim().bytes();
        let colons = text.contains(':');
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            if colons && index > 0 && digits.next()? != b':' {
                return None;
            }
            for _ in 0..2 {
                let digit = char::from(digits.next()?).to_digit(16)?;
                *byte = *byte << 4 | u8::try_from(digit).ok()?;
            }
        }
        digits.next().is_none().then_some(Self(bytes))
    }

    /// That of a certificate's `SubjectPublicKeyInfo`, which a renewed certificate for the same key shares.
    /// `None` if the provider has no SHA-256.
    pub fn of_key(certificate: &Certificate<'_>, provider: &Provider) -> Option<Self> {
        Self::of(certificate.subject_public_key_info(), provider)
    }

    /// That of a certificate in DER. `None` if the provider has no SHA-256.
    pub fn of_certificate(certificate: &Certificate<'_>, provider: &Provider) -> Option<Self> {
        Self::of(certificate.as_der(), provider)
    }

    fn of(bytes: &[u8], provider: &Provider) -> Option<Self> {
        let digest = provider.hash(HashAlgorithm::Sha256)?.hash(&[bytes]);
        Some(Self((*digest).try_into().ok()?))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0, ":").to_ascii_uppercase())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Peers whose keys were believed once: trust on first use, as `known_hosts` has it.
///
/// The host keeps the text of [`to_text`](Self::to_text) and reads it back. For a peer that no trust anchor
/// vouches for, the first answer is [`Reason::UnknownIssuer`](crate::Reason::UnknownIssuer), with what a person
/// needs to decide; when they have said yes, [`remember`](Self::remember) it and ask again.
///
/// ```
/// use adit_certval::{Certificate, CrlStore, KnownPeers, Outcome, Query, Reason, Verifier};
/// # fn ask_a_person(_: &adit_certval::CertificateInfo) -> bool { false }
/// # fn example(
/// #     verifier: &Verifier, store: &CrlStore, provider: &adit_platform::Provider, file: &str, sent: &[&[u8]],
/// #     now: adit_platform::UnixTime,
/// # ) -> Result<(), Box<dyn core::error::Error>> {
/// let mut peers = KnownPeers::read(file)?;
/// let mut query = Query::new(sent, now);
/// query.remembered = Some(peers.peer("gateway.example"));
/// match verifier.verify(&query, store) {
///     Ok(outcome) => println!("{outcome:?}"),
///     Err(error) if error.reason == Reason::UnknownIssuer => {
///         if error.presented.is_some_and(|info| ask_a_person(&info)) {
///             let certificate = Certificate::from_der(sent[0])?;
///             peers.remember("gateway.example", &certificate, provider, now)?;
///         }
///     }
///     Err(changed) => println!("{changed}"),          // both fingerprints, if it is that
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KnownPeers {
    peers: BTreeMap<String, Known>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Known {
    key: Fingerprint,
    since: UnixTime,
}

/// One peer, as [`KnownPeers`] remember it or do not.
#[derive(Clone, Copy, Debug)]
pub struct RememberedPeer<'a> {
    known: Option<&'a Known>,
}

/// How the key of a certificate compares with the one that is remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recognition {
    /// The peer was never seen.
    New,
    /// It has the key that it had.
    Known {
        /// When it was first seen.
        since: UnixTime,
    },
    /// It has another key.
    Changed {
        /// The key that it had.
        remembered: Fingerprint,
        /// The key that it has now.
        presented: Fingerprint,
        /// When the former was first seen.
        since: UnixTime,
    },
}

/// Why peers cannot be read or remembered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum KnownPeersError {
    /// A line that is none of ours, counted from 1.
    Line(usize),
    /// A name that is empty or holds control characters.
    Name,
    /// The provider has no SHA-256.
    NoHash,
}

impl fmt::Display for KnownPeersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line} of the known peers cannot be read"),
            Self::Name => f.write_str("not a name for a peer"),
            Self::NoHash => f.write_str("the provider has no SHA-256"),
        }
    }
}

impl core::error::Error for KnownPeersError {}

impl KnownPeers {
    /// Nobody is known yet.
    pub const fn new() -> Self {
        Self { peers: BTreeMap::new() }
    }

    /// Reads what [`to_text`](Self::to_text) wrote. Empty lines and those that begin with `#` are passed over.
    ///
    /// # Errors
    /// If a line is anything else, or speaks of a peer again.
    pub fn read(text: &str) -> Result<Self, KnownPeersError> {
        let mut peers = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, known) = read_line(line).ok_or(KnownPeersError::Line(index + 1))?;
            if peers.insert(name, known).is_some() {
                return Err(KnownPeersError::Line(index + 1));
            }
        }
        Ok(Self { peers })
    }

    /// A line for each peer: the SHA-256 of its key, when it was first seen in seconds since 1970, its name.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (name, known) in &self.peers {
            let (key, since) = (hex(&known.key.0, ""), known.since.as_secs());
            let written = writeln!(text, "{key} {since} {name}");
            debug_assert!(written.is_ok(), "writing to a String does not fail");
        }
        text
    }

    /// Remembers the key of `certificate` for the peer of this name, in place of any other. The name is the
    /// host's: what the person dialled, or who the peer says it is.
    ///
    /// # Errors
    /// If the name is none, or the provider has no SHA-256.
    pub fn remember(
        &mut self,
        name: &str,
        certificate: &Certificate<'_>,
        provider: &Provider,
        now: UnixTime,
    ) -> Result<(), KnownPeersError> {
        if !is_name(name) {
            return Err(KnownPeersError::Name);
        }
        let key = Fingerprint::of_key(certificate, provider).ok_or(KnownPeersError::NoHash)?;
        self.peers.insert(name.to_owned(), Known { key, since: now });
        Ok(())
    }

    /// Forgets a peer; false if it was not known.
    pub fn forget(&mut self, name: &str) -> bool {
        self.peers.remove(name).is_some()
    }

    /// What is remembered of the peer of this name, for [`Query::remembered`](crate::Query::remembered).
    pub fn peer(&self, name: &str) -> RememberedPeer<'_> {
        RememberedPeer { known: self.peers.get(name) }
    }

    /// The names of all peers, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.peers.keys().map(String::as_str)
    }
}

impl RememberedPeer<'_> {
    /// Compares the key of `certificate` with the remembered one. Without SHA-256 every peer is new.
    pub fn recognize(&self, certificate: &Certificate<'_>, provider: &Provider) -> Recognition {
        let presented = Fingerprint::of_key(certificate, provider);
        let (Some(known), Some(presented)) = (self.known, presented) else {
            return Recognition::New;
        };
        let Known { key: remembered, since } = *known;
        if remembered == presented {
            Recognition::Known { since }
        } else {
            Recognition::Changed { remembered, presented, since }
        }
    }
}

fn read_line(line: &str) -> Option<(String, Known)> {
    let (key, rest) = line.split_once(' ')?;
    let (since, name) = rest.split_once(' ')?;
    let key = Fingerprint::parse(key)?;
    let since = UnixTime::from_secs(since.parse().ok()?);
    is_name(name).then(|| (name.to_owned(), Known { key, since }))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

/// How to recognize the certificate that a device has from its factory: all have the same key, or none that was
/// made for its owner, so that it proves nothing. A [`Verifier`] with such a rule refuses it always, with
/// [`Reason::FactoryCertificate`](crate::Reason::FactoryCertificate), even where it was pinned or remembered.
///
/// ```
/// use adit_certval::{FactoryRule, NamePattern, Verifier};
///
/// let mut verifier = Verifier::new(&adit_platform::ring::PROVIDER);
/// verifier.factory = Some(FactoryRule::new(vec![NamePattern::parse("CN=device*, O=Maker Inc")?]));
/// # Ok::<(), adit_certval::TemplateError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct FactoryRule {
    /// Default names: the subject has to match one of them.
    pub subjects: Vec<NamePattern>,
    /// Whether only a self-signed certificate is one. Default: yes.
    pub self_signed: bool,
    /// Whether only a certificate without subject alternative names is one. Default: yes.
    pub without_alt_names: bool,
}

impl FactoryRule {
    /// A self-signed certificate without subject alternative names whose subject matches one of `subjects`.
    pub fn new(subjects: Vec<NamePattern>) -> Self {
        Self { subjects, self_signed: true, without_alt_names: true }
    }

    pub(crate) fn matches(&self, verifier: &Verifier, certificate: &Certificate<'_>) -> bool {
        let named = self.subjects.iter().any(|subject| subject.matches(&certificate.subject()));
        let alt_names = certificate.extensions.subject_alt_name.is_some();
        named
            && !(self.without_alt_names && alt_names)
            && (!self.self_signed || is_self_signed(verifier, certificate))
    }
}

/// Whether its own key signed it. Where that cannot be told, as for an algorithm that policy refuses, the names
/// decide.
fn is_self_signed(verifier: &Verifier, certificate: &Certificate<'_>) -> bool {
    certificate.is_self_issued()
        && algorithm::verify(
            verifier,
            certificate.signature_algorithm,
            certificate.spki,
            certificate.signed.bytes,
            certificate.signature,
        ) != Err(Reason::BadSignature)
}
