//! The keyed algorithms of one direction of an SA, and how ESP lays their inputs out.

use alloc::boxed::Box;

use adit_platform::aead::{AeadKey, NONCE_LEN};
use adit_platform::cipher::CipherKey;
use adit_platform::mac::MacKey;
use adit_platform::{Provider, Rng, Secret, Suite};
use zeroize::Zeroizing;

use crate::config::SaKeys;
use crate::error::SetupError;
use crate::packet::{HEADER_LEN, Spi};

/// Sizes that a suite gives to its packets, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// SPI, sequence number and IV.
    pub(crate) header: usize,
    pub(crate) icv: usize,
    /// What the encrypted part is a multiple of: RFC 4303 section 2.4 asks for 4 at least.
    pub(crate) align: usize,
}

impl Sizes {
    pub(crate) fn of(suite: Suite) -> Self {
        Self {
            header: HEADER_LEN + suite.iv_len(),
            icv: suite.icv_len(),
            align: suite.block_len().max(4),
        }
    }
}

/// A suite with its keys.
pub(crate) enum Protection {
    Aead { key: Box<dyn AeadKey>, salt: Zeroizing<u32> },
    CipherMac { cipher: Box<dyn CipherKey>, mac: Box<dyn MacKey> },
}

/// The packet was not sealed, or does not verify.
#[derive(Debug)]
pub(crate) struct Refused;

impl Protection {
    pub(crate) fn new(
        suite: Suite,
        keys: &SaKeys,
        provider: &Provider,
    ) -> Result<Self, SetupError> {
        keys.check(suite)?;
        let encryption = keys.encryption.expose();
        match suite {
            Suite::Aead(algorithm) => {
                let aead = provider.aead(algorithm).ok_or(SetupError::UnsupportedSuite)?;
                //= RFC 4106 section 8.1, RFC 7634 section 2: the salt follows the key.
                let (key, salt) = encryption
                    .split_last_chunk::<4>()
                    .filter(|_| algorithm.salt_len() == 4)
                    .ok_or(SetupError::UnsupportedSuite)?;
                let key = aead.key(key).map_err(|_| SetupError::UnsupportedSuite)?;
                Ok(Self::Aead { key, salt: Zeroizing::new(u32::from_be_bytes(*salt)) })
            }
            Suite::CipherMac(cipher, mac) => {
                let cipher = provider.cipher(cipher).ok_or(SetupError::UnsupportedSuite)?;
                let mac = provider.mac(mac).ok_or(SetupError::UnsupportedSuite)?;
                Ok(Self::CipherMac {
                    cipher: cipher.key(encryption).map_err(|_| SetupError::UnsupportedSuite)?,
                    mac: mac
                        .key(keys.integrity.expose())
                        .map_err(|_| SetupError::UnsupportedSuite)?,
                })
            }
            _ => Err(SetupError::UnsupportedSuite),
        }
    }

    /// Seals `packet`: header with the IV written, plaintext with padding and trailer, room for the ICV.
    #[inline]
    pub(crate) fn seal(
        &self,
        sizes: Sizes,
        counter: Counter,
        packet: &mut [u8],
    ) -> Result<(), Refused> {
        let (header, body) = packet.split_at_mut_checked(sizes.header).ok_or(Refused)?;
        match self {
            Self::Aead { key, salt } => {
                let nonce = nonce(**salt, header)?;
                let (aad, len) = counter.aad();
                key.seal(&nonce, &aad[..len], body).map_err(|_| Refused)
            }
            Self::CipherMac { cipher, mac } => {
                let covered = body.len().checked_sub(sizes.icv).ok_or(Refused)?;
                let (text, icv) = body.split_at_mut(covered);
                cipher.encrypt(&header[HEADER_LEN..], text).map_err(|_| Refused)?;
                let (high, len) = counter.trailing_high();
                mac.sign(&[header, text, &high[..len]], icv).map_err(|_| Refused)
            }
        }
    }

    /// Verifies `packet`, header to ICV, and decrypts what lies between. On failure its content is
    /// unspecified.
    #[inline]
    pub(crate) fn open(
        &self,
        sizes: Sizes,
        counter: Counter,
        packet: &mut [u8],
    ) -> Result<(), Refused> {
        let (header, body) = packet.split_at_mut_checked(sizes.header).ok_or(Refused)?;
        match self {
            Self::Aead { key, salt } => {
                let nonce = nonce(**salt, header)?;
                let (aad, len) = counter.aad();
                key.open(&nonce, &aad[..len], body).map_err(|_| Refused)
            }
            Self::CipherMac { cipher, mac } => {
                let covered = body.len().checked_sub(sizes.icv).ok_or(Refused)?;
                let (text, icv) = body.split_at_mut(covered);
                let (high, len) = counter.trailing_high();
                mac.verify(&[header, text, &high[..len]], icv).map_err(|_| Refused)?;
                cipher.decrypt(&header[HEADER_LEN..], text).map_err(|_| Refused)
            }
        }
    }
}

/// Salt and explicit IV: RFC 4106 section 4, RFC 7634 section 2.
#[inline]
fn nonce(salt: u32, header: &[u8]) -> Result<[u8; NONCE_LEN], Refused> {
    let iv: &[u8; 8] = header.last_chunk().ok_or(Refused)?;
    Ok(word_and_double(salt, u64::from_be_bytes(*iv)))
}

/// The twelve bytes of `first` and `second`.
///
/// Written as eight and four bytes, because that is how they are read next: a load that spans two
/// stores waits for both to reach the cache, which costs as much as the rest of the header.
#[inline]
fn word_and_double(first: u32, second: u64) -> [u8; 12] {
    let mut bytes = [0; 12];
    let front = u64::from(first) << 32 | second >> 32;
    bytes[..8].copy_from_slice(&front.to_be_bytes());
    bytes[8..].copy_from_slice(&(second as u32).to_be_bytes());
    bytes
}

/// The part of a packet's identity that is authenticated without being sent whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counter {
    pub(crate) spi: Spi,
    pub(crate) sequence: u64,
    pub(crate) extended: bool,
}

impl Counter {
    /// Associated data of a combined-mode algorithm: RFC 4106 section 5. In fixed storage, with the
    /// length that counts.
    #[inline]
    fn aad(self) -> ([u8; 12], usize) {
        if self.extended {
            (word_and_double(self.spi.0, self.sequence), 12)
        } else {
            (word_and_double(self.spi.0, self.sequence << 32), 8)
        }
    }

    /// What a separate integrity algorithm covers behind the packet: RFC 4303 section 3.3.2.1.
    #[inline]
    fn trailing_high(self) -> ([u8; 4], usize) {
        (((self.sequence >> 32) as u32).to_be_bytes(), if self.extended { 4 } else { 0 })
    }
}

/// Where the IVs of an outbound SA come from.
pub(crate) enum IvSource {
    /// The sequence number: a combined-mode IV must not repeat, and may be foreseen.
    Counter,
    /// The sequence number through a block cipher with a random key of its own: a CBC IV must not be
    /// foreseen, RFC 3602 section 3. This is the first method of NIST SP 800-38A appendix C.
    Encrypted(Box<dyn CipherKey>),
}

impl IvSource {
    pub(crate) fn new(
        suite: Suite,
        provider: &Provider,
        rng: &mut dyn Rng,
    ) -> Result<Self, SetupError> {
        let Suite::CipherMac(algorithm, _) = suite else { return Ok(Self::Counter) };
        let cipher = provider.cipher(algorithm).ok_or(SetupError::UnsupportedSuite)?;
        let key = Secret::random(algorithm.key_len(), rng).map_err(|_| SetupError::Random)?;
        let key = cipher.key(key.expose()).map_err(|_| SetupError::UnsupportedSuite)?;
        Ok(Self::Encrypted(key))
    }

    /// Writes the IV of the packet with this sequence number, which is used once.
    #[inline]
    pub(crate) fn write(&self, sequence: u64, iv: &mut [u8]) -> Result<(), Refused> {
        let (front, counter) = iv.split_last_chunk_mut::<8>().ok_or(Refused)?;
        *counter = sequence.to_be_bytes();
        match self {
            Self::Counter => Ok(()),
            Self::Encrypted(key) => {
                front.fill(0);
                // One block of CBC under an IV of zeros is the bare block cipher.
                key.encrypt(&[0; 16][..iv.len()], iv).map_err(|_| Refused)
            }
        }
    }
}
