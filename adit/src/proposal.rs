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

/// Reads a proposal for an IKE SA: encryption, integrity (with CBC and CTR alone), PRF and key exchange,
/// joined by `-`, the preferred one first where there are several of a kind.
///
/// The words are those that strongSwan uses. What RFC 8247 and, for child SAs, RFC 8221 ask of
/// implementations is in brackets; where there are none: MAY.
///
/// | kind | words |
/// |---|---|
/// | encryption | `aes128gcm16`, `aes256gcm16` \[SHOULD, child MUST\]; `chacha20poly1305` \[SHOULD\]; `aes128ccm8` \[SHOULD for small devices\]; `aes128gcm12`, `aes128gcm8`, `aes128ccm16`, `aes128ccm12`; all of AES with `aes192` and `aes256`, too |
/// | encryption that needs integrity | `aes128`, `aes256` (CBC) \[MUST\], `aes192`; `aes128ctr`, `aes192ctr`, `aes256ctr` |
/// | integrity | `sha256` \[MUST\], `sha512` \[SHOULD\], `sha384`; `aesxcbc` \[SHOULD for small devices\], `aescmac` |
/// | PRF | `prfsha256`, `prfsha384`, `prfsha512`; without one the integrity algorithms' hashes serve |
/// | key exchange | `x25519`, `ecp256`, `ecp384`, `modp2048`, `modp3072`, `modp4096`, `mlkem768` |
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
    if let Some(word) = words.encryption_for_esp_alone() {
        return Err(ProposalError::Misplaced(word.to_string()));
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

/// Reads a proposal for a child SA: encryption, integrity (with CBC and CTR alone), and if wanted key exchange
/// for rekeying and `esn` or `noesn`. With a key exchange, rekeying without one is refused.
///
/// Beside the words of [`parse_ike`] there are, for child SAs alone:
///
/// - `aes128gcm16iiv`, `aes128ccm8iiv`, the same with `aes192` and `aes256`, and `chacha20poly1305iiv`: the IV is
///   not sent, RFC 8750. List the same without `iiv` behind it, because few peers know these.
/// - `aes128gmac`, `aes192gmac`, `aes256gmac`: packets are authenticated and **not encrypted**, RFC 4543.
/// - `dangerous_null`, with integrity: the same, RFC 2410. For tests.
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
    combined: Vec<(&'a str, Suite)>,
    ciphers: Vec<CipherAlgorithm>,
    dangerous_null: Option<&'a str>,
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
                "aes128" => words.ciphers.push(CipherAlgorithm::Aes128Cbc),
                "aes192" => words.ciphers.push(CipherAlgorithm::Aes192Cbc),
                "aes256" => words.ciphers.push(CipherAlgorithm::Aes256Cbc),
                "aes128ctr" => words.ciphers.push(CipherAlgorithm::Aes128Ctr),
                "aes192ctr" => words.ciphers.push(CipherAlgorithm::Aes192Ctr),
                "aes256ctr" => words.ciphers.push(CipherAlgorithm::Aes256Ctr),
                "dangerous_null" => words.dangerous_null = Some(word),
                "sha256" => words.macs.push(MacAlgorithm::HmacSha2_256_128),
                "sha384" => words.macs.push(MacAlgorithm::HmacSha2_384_192),
                "sha512" => words.macs.push(MacAlgorithm::HmacSha2_512_256),
                "aesxcbc" => words.macs.push(MacAlgorithm::AesXcbc96),
                "aescmac" => words.macs.push(MacAlgorithm::AesCmac96),
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
                _ => match COMBINED.iter().find(|(name, _)| *name == word) {
                    Some((_, suite)) => words.combined.push((word, *suite)),
                    None => return Err(ProposalError::Unknown(word.to_string())),
                },
            }
        }
        Ok(words)
    }

    fn suites(&self) -> Result<Vec<Suite>, ProposalError> {
        let need_integrity = !self.ciphers.is_empty() || self.dangerous_null.is_some();
        if self.combined.is_empty() && !need_integrity {
            return Err(ProposalError::Missing("an encryption algorithm, such as aes256gcm16"));
        }
        if need_integrity && self.macs.is_empty() {
            return Err(ProposalError::Missing("an integrity algorithm, such as sha256"));
        }
        let combined = self.combined.iter().map(|(_, suite)| *suite);
        let pairs = self
            .ciphers
            .iter()
            .flat_map(|cipher| self.macs.iter().map(|mac| Suite::CipherMac(*cipher, *mac)));
        let nulls = self
            .macs
            .iter()
            .filter(|_| self.dangerous_null.is_some())
            .map(|mac| Suite::DangerousNull(*mac));
        Ok(combined.chain(pairs).chain(nulls).collect())
    }

    fn encryption_for_esp_alone(&self) -> Option<&'a str> {
        let mut combined = self.combined.iter();
        let not_for_ike = combined.find(|(_, suite)| !suite.is_for_ike()).map(|(word, _)| *word);
        not_for_ike.or(self.dangerous_null)
    }
}

/// The combined-mode suites by their names.
const COMBINED: [(&str, Suite); 32] = {
    use AeadAlgorithm::*;
    use Suite::{Aead, AeadImplicitIv};
    [
        ("aes128gcm16", Aead(Aes128Gcm16)),
        ("aes192gcm16", Aead(Aes192Gcm16)),
        ("aes256gcm16", Aead(Aes256Gcm16)),
        ("aes128gcm12", Aead(Aes128Gcm12)),
        ("aes192gcm12", Aead(Aes192Gcm12)),
        ("aes256gcm12", Aead(Aes256Gcm12)),
        ("aes128gcm8", Aead(Aes128Gcm8)),
        ("aes192gcm8", Aead(Aes192Gcm8)),
        ("aes256gcm8", Aead(Aes256Gcm8)),
        ("aes128ccm16", Aead(Aes128Ccm16)),
        ("aes192ccm16", Aead(Aes192Ccm16)),
        ("aes256ccm16", Aead(Aes256Ccm16)),
        ("aes128ccm12", Aead(Aes128Ccm12)),
        ("aes192ccm12", Aead(Aes192Ccm12)),
        ("aes256ccm12", Aead(Aes256Ccm12)),
        ("aes128ccm8", Aead(Aes128Ccm8)),
        ("aes192ccm8", Aead(Aes192Ccm8)),
        ("aes256ccm8", Aead(Aes256Ccm8)),
        ("aes128gcm", Aead(Aes128Gcm16)),
        ("aes192gcm", Aead(Aes192Gcm16)),
        ("aes256gcm", Aead(Aes256Gcm16)),
        ("aes128gmac", Aead(Aes128Gmac)),
        ("aes192gmac", Aead(Aes192Gmac)),
        ("aes256gmac", Aead(Aes256Gmac)),
        ("chacha20poly1305", Aead(ChaCha20Poly1305)),
        ("aes128gcm16iiv", AeadImplicitIv(Aes128Gcm16)),
        ("aes192gcm16iiv", AeadImplicitIv(Aes192Gcm16)),
        ("aes256gcm16iiv", AeadImplicitIv(Aes256Gcm16)),
        ("aes128ccm8iiv", AeadImplicitIv(Aes128Ccm8)),
        ("aes192ccm8iiv", AeadImplicitIv(Aes192Ccm8)),
        ("aes256ccm8iiv", AeadImplicitIv(Aes256Ccm8)),
        ("chacha20poly1305iiv", AeadImplicitIv(ChaCha20Poly1305)),
    ]
};

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
    fn every_suite_has_a_name() {
        use alloc::format;
        let (mut words, mut macs) = (Vec::new(), Vec::new());
        for suite in Suite::all() {
            let debug = format!("{suite:?}").to_lowercase();
            let inner = debug.trim_end_matches(')').split('(').nth(1).unwrap();
            match suite {
                Suite::Aead(_) => words.push((inner.to_string(), suite)),
                Suite::AeadImplicitIv(_) => words.push((format!("{inner}iiv"), suite)),
                Suite::DangerousNull(mac) => macs.push(mac),
                _ => {}
            }
        }
        for (word, suite) in words {
            assert_eq!(parse_esp(&word).unwrap().suites, [suite], "{word}");
        }
        let all_macs = "sha256-sha384-sha512-aesxcbc-aescmac";
        let ciphers = "aes128-aes192-aes256-aes128ctr-aes192ctr-aes256ctr";
        let pairs = parse_esp(&format!("{ciphers}-{all_macs}")).unwrap().suites;
        for suite in Suite::all().filter(|suite| matches!(suite, Suite::CipherMac(..))) {
            assert!(pairs.contains(&suite), "{suite:?}");
        }
        let nulls = parse_esp(&format!("dangerous_null-{all_macs}")).unwrap().suites;
        assert_eq!(nulls, macs.into_iter().map(Suite::DangerousNull).collect::<Vec<_>>());
        assert!(parse_esp("null-sha256").is_err());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let says = |text| parse_ike(text).unwrap_err().to_string();
        assert_eq!(says("aes128gcm4-prfsha256-x25519"), "unknown algorithm \"aes128gcm4\"");
        assert_eq!(says("aes128gmac-prfsha256-x25519"), "\"aes128gmac\" has no place here");
        assert_eq!(says("aes128gcm16iiv-prfsha256-x25519"), "\"aes128gcm16iiv\" has no place here");
        assert_eq!(
            says("aes256-dangerous_null-sha256-x25519"),
            "\"dangerous_null\" has no place here"
        );
        assert_eq!(says("aes128ctr-aesxcbc-x25519"), "it lacks a PRF, such as prfsha256");
        assert_eq!(says(""), "unknown algorithm \"\"");
        assert_eq!(says("aes128gcm16-prfsha256-x25519-esn"), "\"esn\" has no place here");
        assert_eq!(
            says("prfsha256-x25519"),
            "it lacks an encryption algorithm, such as aes256gcm16"
        );
        assert!(parse_esp("aes128gcm16-prfsha256").is_err());
    }
}
