//! Authenticated encryption with associated data, RFC 5116.

use alloc::boxed::Box;
use core::fmt;

/// An AEAD algorithm by name, with the parameters that IKEv2 and ESP fix for it.
///
/// What RFC 8221 (ESP) and RFC 8247 (IKEv2) ask of implementations:
///
/// | names | ESP | IKEv2 |
/// |---|---|---|
/// | AES-GCM with a 16-byte ICV | MUST | SHOULD |
/// | ChaCha20-Poly1305 | SHOULD | SHOULD |
/// | AES-128-CCM with an 8-byte ICV | SHOULD, for small devices | SHOULD, for small devices |
/// | AES-GMAC | MAY | cannot be: it does not encrypt |
/// | all others, and keys of 192 bits throughout | MAY | MAY |
///
/// A tag of `n` bytes lets through one forged packet in 2^(8n) at
/// best, and in GCM sooner: each forgery that succeeds makes the next ones easier. Take a tag shorter
/// than 16 bytes only for a peer that has nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum AeadAlgorithm {
    /// AES-128 in GCM with a 16-byte tag: RFC 4106 (ESP), RFC 5282 (IKEv2).
    Aes128Gcm16,
    /// AES-192 in GCM with a 16-byte tag: RFC 4106 (ESP), RFC 5282 (IKEv2).
    Aes192Gcm16,
    /// AES-256 in GCM with a 16-byte tag: RFC 4106 (ESP), RFC 5282 (IKEv2).
    Aes256Gcm16,
    /// AES-128 in GCM with a 12-byte tag: RFC 4106 (ESP), RFC 5282 (IKEv2).
    Aes128Gcm12,
    /// AES-192 in GCM with a 12-byte tag: RFC 4106 (ESP), RFC 5282 (IKEv2).
    Aes192Gcm12,
    /// AES-256 in GCM with a 12-byte tag: RFC 4106 (ESP), RFC 5282 (IKEv2).
    Aes256Gcm12,
    /// AES-128 in GCM with an 8-byte tag: RFC 4106 (ESP), RFC 5282 (IKEv2).
    Aes128Gcm8,
    /// AES-192 in GCM with an 8-byte tag: RFC 4106 (ESP), RFC 5282 (IKEv2).
    Aes192Gcm8,
    /// AES-256 in GCM with an 8-byte tag: RFC 4106 (ESP), RFC 5282 (IKEv2).
    Aes256Gcm8,
    /// AES-128 in CCM with a 16-byte tag: RFC 4309 (ESP), RFC 5282 (IKEv2).
    Aes128Ccm16,
    /// AES-192 in CCM with a 16-byte tag: RFC 4309 (ESP), RFC 5282 (IKEv2).
    Aes192Ccm16,
    /// AES-256 in CCM with a 16-byte tag: RFC 4309 (ESP), RFC 5282 (IKEv2).
    Aes256Ccm16,
    /// AES-128 in CCM with a 12-byte tag: RFC 4309 (ESP), RFC 5282 (IKEv2).
    Aes128Ccm12,
    /// AES-192 in CCM with a 12-byte tag: RFC 4309 (ESP), RFC 5282 (IKEv2).
    Aes192Ccm12,
    /// AES-256 in CCM with a 12-byte tag: RFC 4309 (ESP), RFC 5282 (IKEv2).
    Aes256Ccm12,
    /// AES-128 in CCM with an 8-byte tag: RFC 4309 (ESP), RFC 5282 (IKEv2).
    Aes128Ccm8,
    /// AES-192 in CCM with an 8-byte tag: RFC 4309 (ESP), RFC 5282 (IKEv2).
    Aes192Ccm8,
    /// AES-256 in CCM with an 8-byte tag: RFC 4309 (ESP), RFC 5282 (IKEv2).
    Aes256Ccm8,
    /// AES-128 in GMAC, which authenticates the text and leaves it readable: RFC 4543 (ESP only).
    Aes128Gmac,
    /// AES-192 in GMAC, which authenticates the text and leaves it readable: RFC 4543 (ESP only).
    Aes192Gmac,
    /// AES-256 in GMAC, which authenticates the text and leaves it readable: RFC 4543 (ESP only).
    Aes256Gmac,
    /// ChaCha20-Poly1305: RFC 7634.
    ChaCha20Poly1305,
}

impl AeadAlgorithm {
    /// Every algorithm that has a name here. This is no recommendation.
    pub const ALL: &[Self] = &[
        Self::Aes128Gcm16,
        Self::Aes192Gcm16,
        Self::Aes256Gcm16,
        Self::Aes128Gcm12,
        Self::Aes192Gcm12,
        Self::Aes256Gcm12,
        Self::Aes128Gcm8,
        Self::Aes192Gcm8,
        Self::Aes256Gcm8,
        Self::Aes128Ccm16,
        Self::Aes192Ccm16,
        Self::Aes256Ccm16,
        Self::Aes128Ccm12,
        Self::Aes192Ccm12,
        Self::Aes256Ccm12,
        Self::Aes128Ccm8,
        Self::Aes192Ccm8,
        Self::Aes256Ccm8,
        Self::Aes128Gmac,
        Self::Aes192Gmac,
        Self::Aes256Gmac,
        Self::ChaCha20Poly1305,
    ];

    /// Length of the cipher key in bytes, without the salt.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm16
            | Self::Aes128Gcm12
            | Self::Aes128Gcm8
            | Self::Aes128Ccm16
            | Self::Aes128Ccm12
            | Self::Aes128Ccm8
            | Self::Aes128Gmac => 16,
            Self::Aes192Gcm16
            | Self::Aes192Gcm12
            | Self::Aes192Gcm8
            | Self::Aes192Ccm16
            | Self::Aes192Ccm12
            | Self::Aes192Ccm8
            | Self::Aes192Gmac => 24,
            Self::Aes256Gcm16
            | Self::Aes256Gcm12
            | Self::Aes256Gcm8
            | Self::Aes256Ccm16
            | Self::Aes256Ccm12
            | Self::Aes256Ccm8
            | Self::Aes256Gmac
            | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Length in bytes of the salt that keying material carries after the key: RFC 4106 section 8.1,
    /// RFC 4309 section 7.1, RFC 4543 section 5.1, RFC 7634 section 2.
    pub const fn salt_len(self) -> usize {
        self.nonce_len() - 8
    }

    /// Length of the nonce in bytes: the salt, then the IV, which is 8 bytes long.
    pub const fn nonce_len(self) -> usize {
        match self {
            Self::Aes128Ccm16
            | Self::Aes192Ccm16
            | Self::Aes256Ccm16
            | Self::Aes128Ccm12
            | Self::Aes192Ccm12
            | Self::Aes256Ccm12
            | Self::Aes128Ccm8
            | Self::Aes192Ccm8
            | Self::Aes256Ccm8 => 11,
            _ => 12,
        }
    }

    /// Length of the tag (ICV) in bytes.
    pub const fn tag_len(self) -> usize {
        match self {
            Self::Aes128Gcm8
            | Self::Aes192Gcm8
            | Self::Aes256Gcm8
            | Self::Aes128Ccm8
            | Self::Aes192Ccm8
            | Self::Aes256Ccm8 => 8,
            Self::Aes128Gcm12
            | Self::Aes192Gcm12
            | Self::Aes256Gcm12
            | Self::Aes128Ccm12
            | Self::Aes192Ccm12
            | Self::Aes256Ccm12 => 12,
            _ => 16,
        }
    }

    /// True if the text is encrypted: for everything but GMAC.
    pub const fn encrypts(self) -> bool {
        !matches!(self, Self::Aes128Gmac | Self::Aes192Gmac | Self::Aes256Gmac)
    }

    /// True if ESP has a form of it whose packets carry no IV: RFC 8750 section 8.
    pub const fn has_implicit_iv(self) -> bool {
        matches!(
            self,
            Self::Aes128Gcm16
                | Self::Aes192Gcm16
                | Self::Aes256Gcm16
                | Self::Aes128Ccm8
                | Self::Aes192Ccm8
                | Self::Aes256Ccm8
                | Self::ChaCha20Poly1305
        )
    }
}

/// Length of the longest nonce of an AEAD in bytes: salt and IV together.
pub const MAX_NONCE_LEN: usize = 12;

/// An AEAD algorithm that can run here.
pub trait Aead: Send + Sync + fmt::Debug {
    /// Which algorithm this is.
    fn algorithm(&self) -> AeadAlgorithm;

    /// Prepares `key`, which is [`AeadAlgorithm::key_len`] bytes long (no salt).
    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKeyLength>;
}

/// A prepared AEAD key. Wiped on drop.
pub trait AeadKey: Send + Sync {
    /// Seals in place: `in_out` is the plaintext followed by room for the tag; on return, the ciphertext
    /// followed by the tag. The same nonce must never be used twice with one key. GMAC covers the plaintext
    /// and leaves it as it is.
    ///
    /// # Errors
    /// If `nonce` is not [`AeadAlgorithm::nonce_len`] bytes long, or `in_out` is shorter than the tag or
    /// longer than the algorithm allows.
    fn seal(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError>;

    /// Seals like [`Self::seal`], out of place: the front of the plaintext is `text`, and `in_out` is room for
    /// it, the rest of the plaintext, and room for the tag. A key that cannot do it copies `text` and seals in
    /// place; one that can saves that pass over the bytes.
    ///
    /// # Errors
    /// Like [`Self::seal`], and if `in_out` has no room for `text` and the tag.
    fn seal_to(
        &self,
        nonce: &[u8],
        aad: &[u8],
        text: &[u8],
        in_out: &mut [u8],
    ) -> Result<(), AeadError> {
        in_out.get_mut(..text.len()).ok_or(AeadError)?.copy_from_slice(text);
        self.seal(nonce, aad, in_out)
    }

    /// Opens in place: `in_out` is the ciphertext followed by the tag; on success its front holds the
    /// plaintext, `in_out.len() - tag_len` bytes of it. On failure the content of `in_out` is
    /// unspecified and must not be used.
    ///
    /// # Errors
    /// If the tag does not verify, `nonce` is not [`AeadAlgorithm::nonce_len`] bytes long, or `in_out` is
    /// shorter than the tag.
    fn open(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError>;
}

/// Sealing or opening failed. Deliberately says no more: RFC 5116 section 2.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AeadError;

impl fmt::Display for AeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("authenticated encryption failed")
    }
}

impl core::error::Error for AeadError {}

/// A key of the wrong length was given to an algorithm: misuse by the caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidKeyLength {
    /// The length that the algorithm takes, in bytes.
    pub expected: usize,
    /// The length that was given, in bytes.
    pub given: usize,
}

impl fmt::Display for InvalidKeyLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key of {} bytes, but the algorithm takes {}", self.given, self.expected)
    }
}

impl core::error::Error for InvalidKeyLength {}
