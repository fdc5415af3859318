//! Proposals as people write them: `aes256gcm16-prfsha384-x25519`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use adit_ikev2::negotiate::{EspProposal, IkeProposal, SequenceNumbers};
use adit_platform::Suite;
use adit_platform::aead::AeadAlgorithm;
use adit_platform::cipher::CipherAlgorithm;
use adit_platform::kex::KexAlgorithm;
use adit_platform::mac::MacAlgorithm;
use adit_platform::prf::PrfAlgorithm;

/// Reads a proposal for an IKE SA: encryption, integrity (with CBC alone), PRF and key exchange, joined by
/// `-`, the preferred one first where there are several of a kind.
///
/// The words are those that strongSwan uses: `aes128gcm16`, `aes256gcm16`, `chacha20poly1305`, `aes128` and
/// `aes256` (CBC), `sha256`, `sha384`, `sha512`, `prfsha256`, `prfsha384`, `prfsha512`, `x25519`, `ecp256`,
/// `ecp384`, `modp2048`, `modp3072`, `modp4096`, `mlkem768`. Without a `prf…` the integrity algorithms' hashes
/// serve.
///
/// ```
/// let proposal = adit::proposal::parse_ike("aes256gcm16-prfsha384-x25519-ecp384")?;
/// assert_eq!(proposal.key_exchanges.len(), 2);
/// assert!(adit::proposal::parse_ike("aes256gcm16-x25519").is_err());
/// # Ok::<(), adit::proposal::ProposalError>(())
/// ```
///
/// # Errors
/// If a word is unknown or a kind is missing.
pub fn parse_ike(text: &str) -> Result<IkeProposal, ProposalError> {
    let words = Words::read(text)?;
    if let Some(word) = words.sequence_numbers {
        return Err(ProposalError::Misplaced(word.1.to_string()));
    }
    let suites = words.suites()?;
    let mut prfs = words.prfs;
    if prfs.is_empty() {
        prfs = words.macs.iter().filter_map(|mac| prf_of(*mac)).collect();
    }
    if prfs.is_empty() {
        return Err(ProposalError::Missing("a PRF, such as prfsha256"));
    }
    if words.key_exchanges.is_empty() {
        return Err(ProposalError::Missing("a key exchange, such as x25519"));
    }
    Ok(IkeProposal { suites, prfs, key_exchanges: words.key_exchanges })
}

/// Reads a proposal for a child SA: encryption, integrity (with CBC alone), and if wanted key exchange for
/// rekeying and `esn` or `noesn`. With a key exchange, rekeying without one is refused.
///
/// ```
/// let proposal = adit::proposal::parse_esp("aes128gcm16-noesn")?;
/// assert!(!proposal.require_key_exchange);
/// # Ok::<(), adit::proposal::ProposalError>(())
/// ```
///
/// # Errors
/// If a word is unknown or a kind is missing.
pub fn parse_esp(text: &str) -> Result<EspProposal, ProposalError> {
    let words = Words::read(text)?;
    if !words.prfs.is_empty() {
        return Err(ProposalError::Misplaced("prf".to_string()));
    }
    Ok(EspProposal {
        suites: words.suites()?,
        require_key_exchange: !words.key_exchanges.is_empty(),
        key_exchanges: words.key_exchanges,
        sequence_numbers: words.sequence_numbers.map(|(kind, _)| kind).unwrap_or_default(),
    })
}

/// Why a text is no proposal.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ProposalError {
    /// No algorithm has this name here.
    Unknown(String),
    /// This word does not belong into such a proposal.
    Misplaced(String),
    /// Something is missing.
    Missing(&'static str),
}

impl fmt::Display for ProposalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(word) => write!(f, "unknown algorithm {word:?}"),
            Self::Misplaced(word) => write!(f, "{word:?} has no place here"),
            Self::Missing(what) => write!(f, "it lacks {what}"),
        }
    }
}

impl core::error::Error for ProposalError {}

/// The words of a proposal, by kind.
#[derive(Default)]
struct Words<'a> {
    aeads: Vec<AeadAlgorithm>,
    ciphers: Vec<CipherAlgorithm>,
    macs: Vec<MacAlgorithm>,
    prfs: Vec<PrfAlgorithm>,
    key_exchanges: Vec<KexAlgorithm>,
    sequence_numbers: Option<(SequenceNumbers, &'a str)>,
}

impl<'a> Words<'a> {
    fn read(text: &'a str) -> Result<Self, ProposalError> {
        let mut words = Self::default();
        for word in text.split('-') {
            match word {
                "aes128gcm16" | "aes128gcm" => words.aeads.push(AeadAlgorithm::Aes128Gcm16),
                "aes256gcm16" | "aes256gcm" => words.aeads.push(AeadAlgorithm::Aes256Gcm16),
                "chacha20poly1305" => words.aeads.push(AeadAlgorithm::ChaCha20Poly1305),
                "aes128" => words.ciphers.push(CipherAlgorithm::Aes128Cbc),
                "aes256" => words.ciphers.push(CipherAlgorithm::Aes256Cbc),
                "sha256" => words.macs.push(MacAlgorithm::HmacSha2_256_128),
                "sha384" => words.macs.push(MacAlgorithm::HmacSha2_384_192),
                "sha512" => words.macs.push(MacAlgorithm::HmacSha2_512_256),
                "prfsha256" => words.prfs.push(PrfAlgorithm::HmacSha2_256),
                "prfsha384" => words.prfs.push(PrfAlgorithm::HmacSha2_384),
                "prfsha512" => words.prfs.push(PrfAlgorithm::HmacSha2_512),
                "x25519" | "curve25519" => words.key_exchanges.push(KexAlgorithm::X25519),
                "ecp256" => words.key_exchanges.push(KexAlgorithm::P256),
                "ecp384" => words.key_exchanges.push(KexAlgorithm::P384),
                "modp2048" => words.key_exchanges.push(KexAlgorithm::Modp2048),
                "modp3072" => words.key_exchanges.push(KexAlgorithm::Modp3072),
                "modp4096" => words.key_exchanges.push(KexAlgorithm::Modp4096),
                "mlkem768" => words.key_exchanges.push(KexAlgorithm::MlKem768),
                "esn" => words.sequence_numbers = Some((SequenceNumbers::Extended, word)),
                "noesn" => words.sequence_numbers = Some((SequenceNumbers::Short, word)),
                _ => return Err(ProposalError::Unknown(word.to_string())),
            }
        }
        Ok(words)
    }

    fn suites(&self) -> Result<Vec<Suite>, ProposalError> {
        if self.aeads.is_empty() && self.ciphers.is_empty() {
            return Err(ProposalError::Missing("an encryption algorithm, such as aes256gcm16"));
        }
        if !self.ciphers.is_empty() && self.macs.is_empty() {
            return Err(ProposalError::Missing("an integrity algorithm for CBC, such as sha256"));
        }
        let aeads = self.aeads.iter().map(|aead| Suite::Aead(*aead));
        let pairs = self
            .ciphers
            .iter()
            .flat_map(|cipher| self.macs.iter().map(|mac| Suite::CipherMac(*cipher, *mac)));
        Ok(aeads.chain(pairs).collect())
    }
}

fn prf_of(mac: MacAlgorithm) -> Option<PrfAlgorithm> {
    match mac {
        MacAlgorithm::HmacSha2_256_128 => Some(PrfAlgorithm::HmacSha2_256),
        MacAlgorithm::HmacSha2_384_192 => Some(PrfAlgorithm::HmacSha2_384),
        MacAlgorithm::HmacSha2_512_256 => Some(PrfAlgorithm::HmacSha2_512),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cbc_needs_integrity_and_lends_its_hash_to_the_prf() {
        let proposal = parse_ike("aes256-aes128-sha256-modp2048").unwrap();
        let mac = MacAlgorithm::HmacSha2_256_128;
        let suites = [
            Suite::CipherMac(CipherAlgorithm::Aes256Cbc, mac),
            Suite::CipherMac(CipherAlgorithm::Aes128Cbc, mac),
        ];
        assert_eq!(proposal.suites, suites);
        assert_eq!(proposal.prfs, [PrfAlgorithm::HmacSha2_256]);
        assert!(matches!(parse_esp("aes256"), Err(ProposalError::Missing(_))));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let says = |text| parse_ike(text).unwrap_err().to_string();
        assert_eq!(says("aes192gcm16-prfsha256-x25519"), "unknown algorithm \"aes192gcm16\"");
        assert_eq!(says(""), "unknown algorithm \"\"");
        assert_eq!(says("aes128gcm16-prfsha256-x25519-esn"), "\"esn\" has no place here");
        assert_eq!(
            says("prfsha256-x25519"),
            "it lacks an encryption algorithm, such as aes256gcm16"
        );
        assert!(parse_esp("aes128gcm16-prfsha256").is_err());
    }
}
