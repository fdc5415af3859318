//! The keyed algorithms of one direction of an SA, and how ESP lays their inputs out.

use alloc::boxed::Box;

use adit_platform::aead::{AeadAlgorithm, AeadKey};
use adit_platform::cipher::CipherKey;
use adit_platform::cipher_mac::{CipherMacKey, Packet};
use adit_platform::mac::{MacAlgorithm, MacKey};
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
    Aead {
        key: Box<dyn AeadKey>,
        nonces: Nonces,
    },
    CipherMac {
        cipher: Box<dyn CipherKey>,
        mac: Box<dyn MacKey>,
        /// Both for many packets at once, if the provider has that.
        batch: Option<Box<dyn CipherMacKey>>,
    },
    /// NULL encryption, RFC 2410.
    Mac(Box<dyn MacKey>),
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
                let iv = if algorithm.encrypts() { Iv::Sent } else { Iv::Authenticated };
                Self::aead(algorithm, iv, encryption, provider)
            }
            Suite::AeadImplicitIv(algorithm) if algorithm.has_implicit_iv() => {
                Self::aead(algorithm, Iv::Implicit, encryption, provider)
            }
            Suite::CipherMac(cipher, mac) => {
                let batch = provider
                    .cipher_mac(cipher, mac)
                    .map(|pair| pair.key(encryption, keys.integrity.expose()))
                    .transpose()
                    .map_err(|_| SetupError::UnsupportedSuite)?;
                let cipher = provider.cipher(cipher).ok_or(SetupError::UnsupportedSuite)?;
                Ok(Self::CipherMac {
                    cipher: cipher.key(encryption).map_err(|_| SetupError::UnsupportedSuite)?,
                    mac: Self::mac(mac, keys, provider)?,
                    batch,
                })
            }
            Suite::DangerousNull(mac) => Ok(Self::Mac(Self::mac(mac, keys, provider)?)),
            _ => Err(SetupError::UnsupportedSuite),
        }
    }

    fn aead(
        algorithm: AeadAlgorithm,
        iv: Iv,
        keying_material: &[u8],
        provider: &Provider,
    ) -> Result<Self, SetupError> {
        let aead = provider.aead(algorithm).ok_or(SetupError::UnsupportedSuite)?;
        //= RFC 4106 section 8.1, RFC 4309 section 7.1, RFC 7634 section 2: the salt follows the key.
        let (key, salt) = keying_material
            .split_at_checked(algorithm.key_len())
            .ok_or(SetupError::UnsupportedSuite)?;
        let key = aead.key(key).map_err(|_| SetupError::UnsupportedSuite)?;
        Ok(Self::Aead { key, nonces: Nonces::new(algorithm, salt, iv)? })
    }

    fn mac(
        algorithm: MacAlgorithm,
        keys: &SaKeys,
        provider: &Provider,
    ) -> Result<Box<dyn MacKey>, SetupError> {
        let mac = provider.mac(algorithm).ok_or(SetupError::UnsupportedSuite)?;
        mac.key(keys.integrity.expose()).map_err(|_| SetupError::UnsupportedSuite)
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
            Self::Aead { key, nonces } => {
                let iv = nonces.iv(counter, header)?;
                let nonce = nonces.nonce(iv);
                let (aad, len) = counter.aad();
                match nonces.authenticated(iv) {
                    None => key.seal(&nonce[usize::from(nonces.short)..], &aad[..len], body),
                    Some(iv) => {
                        let (aad, len) = with_iv(aad, len, iv);
                        key.seal(&nonce[usize::from(nonces.short)..], &aad[..len], body)
                    }
                }
                .map_err(|_| Refused)
            }
            Self::CipherMac { cipher, mac, .. } => {
                let covered = body.len().checked_sub(sizes.icv).ok_or(Refused)?;
                let (text, icv) = body.split_at_mut(covered);
                cipher.encrypt(&header[HEADER_LEN..], text).map_err(|_| Refused)?;
                let (high, len) = counter.trailing_high();
                mac.sign(&[header, text, &high[..len]], icv).map_err(|_| Refused)
            }
            Self::Mac(mac) => {
                let covered = body.len().checked_sub(sizes.icv).ok_or(Refused)?;
                let (text, icv) = body.split_at_mut(covered);
                let (high, len) = counter.trailing_high();
                mac.sign(&[header, text, &high[..len]], icv).map_err(|_| Refused)
            }
        }
    }

    /// Seals `packet` like [`Self::seal`], but what stands behind the header is to be `payload`, which is
    /// somewhere else.
    #[inline]
    pub(crate) fn seal_to(
        &self,
        sizes: Sizes,
        counter: Counter,
        payload: &[u8],
        packet: &mut [u8],
    ) -> Result<(), Refused> {
        let (header, body) = packet.split_at_mut_checked(sizes.header).ok_or(Refused)?;
        match self {
            Self::Aead { key, nonces } => {
                let iv = nonces.iv(counter, header)?;
                let nonce = nonces.nonce(iv);
                let (aad, len) = counter.aad();
                match nonces.authenticated(iv) {
                    None => {
                        key.seal_to(&nonce[usize::from(nonces.short)..], &aad[..len], payload, body)
                    }
                    Some(iv) => {
                        let (aad, len) = with_iv(aad, len, iv);
                        key.seal_to(&nonce[usize::from(nonces.short)..], &aad[..len], payload, body)
                    }
                }
                .map_err(|_| Refused)
            }
            Self::CipherMac { .. } | Self::Mac(_) => {
                body.get_mut(..payload.len()).ok_or(Refused)?.copy_from_slice(payload);
                self.seal(sizes, counter, packet)
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
            Self::Aead { key, nonces } => {
                let iv = nonces.iv(counter, header)?;
                let nonce = nonces.nonce(iv);
                let (aad, len) = counter.aad();
                match nonces.authenticated(iv) {
                    None => key.open(&nonce[usize::from(nonces.short)..], &aad[..len], body),
                    Some(iv) => {
                        let (aad, len) = with_iv(aad, len, iv);
                        key.open(&nonce[usize::from(nonces.short)..], &aad[..len], body)
                    }
                }
                .map_err(|_| Refused)
            }
            Self::CipherMac { cipher, mac, .. } => {
                let covered = body.len().checked_sub(sizes.icv).ok_or(Refused)?;
                let (text, icv) = body.split_at_mut(covered);
                let (high, len) = counter.trailing_high();
                mac.verify(&[header, text, &high[..len]], icv).map_err(|_| Refused)?;
                cipher.decrypt(&header[HEADER_LEN..], text).map_err(|_| Refused)
            }
            Self::Mac(mac) => {
                let covered = body.len().checked_sub(sizes.icv).ok_or(Refused)?;
                let (text, icv) = body.split_at_mut(covered);
                let (high, len) = counter.trailing_high();
                mac.verify(&[header, text, &high[..len]], icv).map_err(|_| Refused)
            }
        }
    }

    /// The form for many packets at once, if there is one: it seals and opens what [`packet`] makes, as
    /// [`Self::seal`] and [`Self::open`] do.
    #[inline]
    pub(crate) fn batch(&self) -> Option<&dyn CipherMacKey> {
        match self {
            Self::CipherMac { batch, .. } => batch.as_deref(),
            Self::Aead { .. } | Self::Mac(_) => None,
        }
    }
}

/// `packet`, as [`Protection::seal`] and [`Protection::open`] take it, for a batch. `None` if it is too
/// short or not aligned.
#[inline]
pub(crate) fn packet(sizes: Sizes, counter: Counter, packet: &mut [u8]) -> Option<Packet<'_>> {
    let (high, len) = counter.trailing_high();
    Packet::new(packet, sizes.header, sizes.icv, &high[..len])
}

/// How a combined-mode algorithm's nonces are made: of the salt and the IV, RFC 4106 section 4, RFC 4309
/// section 4, RFC 4543 section 3.2, RFC 7634 section 2.
pub(crate) struct Nonces {
    /// The first byte lowest; a salt of 3 bytes is in the last three of the four.
    salt: Zeroizing<u32>,
    /// True if the salt has three bytes, and so the nonce eleven.
    short: bool,
    iv: Iv,
}

/// What an SA's packets do with the IV of a combined-mode algorithm.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Iv {
    /// They carry it.
    Sent,
    /// They carry it, and it is part of the associated data: RFC 4543 section 3.3.
    Authenticated,
    /// They do not carry it, it is the sequence number: RFC 8750 section 4.
    Implicit,
}

impl Nonces {
    fn new(algorithm: AeadAlgorithm, salt: &[u8], iv: Iv) -> Result<Self, SetupError> {
        let short = match salt.len() {
            len if len != algorithm.salt_len() => return Err(SetupError::UnsupportedSuite),
            3 => true,
            4 => false,
            _ => return Err(SetupError::UnsupportedSuite),
        };
        let mut word = Zeroizing::new([0; 4]);
        word[usize::from(short)..].copy_from_slice(salt);
        Ok(Self { salt: Zeroizing::new(u32::from_le_bytes(*word)), short, iv })
    }

    /// The eight bytes of the IV, the first one lowest.
    #[inline]
    fn iv(&self, counter: Counter, header: &[u8]) -> Result<u64, Refused> {
        match self.iv {
            Iv::Implicit => Ok(u64::from_le_bytes(counter.sequence.to_be_bytes())),
            Iv::Sent | Iv::Authenticated => {
                Ok(u64::from_le_bytes(*header.last_chunk().ok_or(Refused)?))
            }
        }
    }

    /// The IV, if it is part of the associated data.
    #[inline]
    fn authenticated(&self, iv: u64) -> Option<u64> {
        (self.iv == Iv::Authenticated).then_some(iv)
    }

    /// The nonce; from the second byte on if the salt is short.
    #[inline]
    fn nonce(&self, iv: u64) -> [u8; 12] {
        word_and_double(*self.salt, iv)
    }
}

/// The twelve bytes of `first` and `second`, the lowest one first.
///
/// Written as eight and four bytes, because that is how they are read next: a load that spans two
/// stores waits for both to reach the cache, which costs as much as the rest of the header.
#[inline]
fn word_and_double(first: u32, second: u64) -> [u8; 12] {
    let mut bytes = [0; 12];
    let front = u64::from(first) | second << 32;
    bytes[..8].copy_from_slice(&front.to_le_bytes());
    bytes[8..].copy_from_slice(&((second >> 32) as u32).to_le_bytes());
    bytes
}

/// Associated data with the IV behind it: RFC 4543 section 3.3. By itself, because a copy of what was just
/// written costs the other algorithms as much as the rest of the header.
#[inline]
fn with_iv(aad: [u8; 12], len: usize, iv: u64) -> ([u8; 20], usize) {
    let mut joined = [0; 20];
    joined[..12].copy_from_slice(&aad);
    joined[len..len + 8].copy_from_slice(&iv.to_le_bytes());
    (joined, len + 8)
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
        let spi = u32::from_le_bytes(self.spi.0.to_be_bytes());
        let (sequence, len) =
            if self.extended { (self.sequence, 12) } else { (self.sequence << 32, 8) };
        (word_and_double(spi, u64::from_le_bytes(sequence.to_be_bytes())), len)
    }

    /// What a separate integrity algorithm covers behind the packet: RFC 4303 section 3.3.2.1.
    #[inline]
    fn trailing_high(self) -> ([u8; 4], usize) {
        (((self.sequence >> 32) as u32).to_be_bytes(), if self.extended { 4 } else { 0 })
    }
}

/// Where the IVs of an outbound SA come from.
pub(crate) enum IvSource {
    /// The sequence number: the IV of a combined-mode algorithm or of a counter-mode cipher must not
    /// repeat, and may be foreseen.
    Counter,
    /// The sequence number through a block cipher with a random key of its own: a CBC IV must not be
    /// foreseen, RFC 3602 section 3. This is the first method of NIST SP 800-38A appendix C.
    Encrypted(Box<dyn CipherKey>),
    /// There are none: implicit IVs, and NULL.
    None,
}

impl IvSource {
    pub(crate) fn new(
        suite: Suite,
        provider: &Provider,
        rng: &mut dyn Rng,
    ) -> Result<Self, SetupError> {
        let algorithm = match suite {
            Suite::CipherMac(algorithm, _) if algorithm.needs_unpredictable_iv() => algorithm,
            _ if suite.iv_len() == 0 => return Ok(Self::None),
            _ => return Ok(Self::Counter),
        };
        let cipher = provider.cipher(algorithm).ok_or(SetupError::UnsupportedSuite)?;
        let key = Secret::random(algorithm.key_len(), rng).map_err(|_| SetupError::Random)?;
        let key = cipher.key(key.expose()).map_err(|_| SetupError::UnsupportedSuite)?;
        Ok(Self::Encrypted(key))
    }

    /// Writes the IV of the packet with this sequence number, which is used once.
    #[inline]
    pub(crate) fn write(&self, sequence: u64, iv: &mut [u8]) -> Result<(), Refused> {
        if matches!(self, Self::None) {
            return Ok(());
        }
        let (front, counter) = iv.split_last_chunk_mut::<8>().ok_or(Refused)?;
        *counter = sequence.to_be_bytes();
        match self {
            Self::Counter | Self::None => Ok(()),
            Self::Encrypted(key) => {
                front.fill(0);
                // One block of CBC under an IV of zeros is the bare block cipher.
                key.encrypt(&[0; 16][..iv.len()], iv).map_err(|_| Refused)
            }
        }
    }
}
