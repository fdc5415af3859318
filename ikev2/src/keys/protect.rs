//! Sealing and opening `SK {}` and `SKF {}`: RFC 7296 section 3.14, RFC 5282, RFC 7383 section 2.5.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use adit_platform::aead::{AeadKey, InvalidKeyLength, MAX_NONCE_LEN};
use adit_platform::cipher::CipherKey;
use adit_platform::mac::MacKey;
use adit_platform::rng::RngError;
use adit_platform::{Provider, Rng, Secret, Suite};

use super::schedule::IkeKeys;
use crate::wire::{EncodeError, Encrypted, Fragment, HEADER_LEN, Header, PayloadType};

/// Length of the explicit IV of AEAD algorithms, RFC 5282 section 3.
const AEAD_IV_LEN: usize = 8;

/// Protects the messages of one IKE SA: seals what we send, opens what the peer sent.
pub(crate) struct Protector {
    suite: Suite,
    outbound: Direction,
    inbound: Direction,
    /// IV of the next message that an AEAD or a counter-mode cipher seals. It counts, so that no nonce
    /// repeats under one key (RFC 5282 section 3.1, RFC 5930 section 2).
    next_iv: u64,
}

enum Direction {
    Aead { key: Box<dyn AeadKey>, salt: Secret },
    CipherMac { cipher: Box<dyn CipherKey>, mac: Box<dyn MacKey> },
}

/// A message could not be sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SealError {
    /// The message does not fit into its length fields.
    TooLong(EncodeError),
    /// The host's random source failed.
    Rng,
    /// The explicit IVs are used up: the IKE SA must be replaced.
    Exhausted,
    /// The provider's algorithm refused.
    Crypto,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(error) => fmt::Display::fmt(error, f),
            Self::Rng => fmt::Display::fmt(&RngError, f),
            Self::Exhausted => f.write_str("the IVs of this IKE SA are used up"),
            Self::Crypto => f.write_str("encryption failed"),
        }
    }
}

impl core::error::Error for SealError {}

impl From<RngError> for SealError {
    fn from(_: RngError) -> Self {
        Self::Rng
    }
}

/// A message did not open: it is not from the peer, or damaged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OpenError {
    /// The encrypted part is shorter than IV, Pad Length and ICV.
    Truncated,
    /// The integrity check failed.
    NotAuthentic,
    /// It is authentic, and its ciphertext or padding has a length that cannot be.
    BadPadding,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "Encrypted payload too short",
            Self::NotAuthentic => "integrity check of the Encrypted payload failed",
            Self::BadPadding => "padding of the Encrypted payload does not fit",
        })
    }
}

impl core::error::Error for OpenError {}

/// What to put into one SK or SKF payload.
pub(crate) struct Plaintext<'a> {
    /// The type of the first payload; for later fragments [`PayloadType::NONE`].
    pub(crate) first_payload: PayloadType,
    /// For SKF, which part this is.
    pub(crate) fragment: Option<Fragment>,
    /// The encoded payloads, or a part of them.
    pub(crate) content: &'a [u8],
}

impl Protector {
    /// Prepares the keys for the side that is the original `initiator` or not.
    ///
    /// # Errors
    /// If the provider does not offer the suite that `keys` were derived for.
    pub(crate) fn new(
        provider: &Provider,
        keys: &IkeKeys,
        initiator: bool,
    ) -> Result<Self, InvalidKeyLength> {
        let suite = keys.suite();
        let from_initiator = Direction::new(provider, suite, &keys.sk_ei, &keys.sk_ai)?;
        let from_responder = Direction::new(provider, suite, &keys.sk_er, &keys.sk_ar)?;
        let (outbound, inbound) = if initiator {
            (from_initiator, from_responder)
        } else {
            (from_responder, from_initiator)
        };
        Ok(Self { suite, outbound, inbound, next_iv: 0 })
    }

    /// How many bytes a datagram with `content` bytes inside one SK or SKF payload takes.
    pub(crate) fn sealed_len(&self, content: usize, fragment: bool) -> usize {
        let block = self.suite.block_len();
        let padded = (content + 1).next_multiple_of(block);
        HEADER_LEN
            + 4
            + if fragment { 4 } else { 0 }
            + self.suite.iv_len()
            + padded
            + self.suite.icv_len()
    }

    /// How many bytes of content fit into a datagram of `datagram` bytes as a fragment.
    pub(crate) fn fragment_room(&self, datagram: usize) -> usize {
        let fixed = HEADER_LEN + 8 + self.suite.iv_len() + self.suite.icv_len();
        let room = datagram.saturating_sub(fixed);
        (room - room % self.suite.block_len()).saturating_sub(1)
    }

    /// The whole datagram (without non-ESP marker) that carries `plaintext`.
    pub(crate) fn seal(
        &mut self,
        rng: &mut dyn Rng,
        header: &Header,
        plaintext: &Plaintext<'_>,
    ) -> Result<Vec<u8>, SealError> {
        let content = plaintext.content;
        let total = self.sealed_len(content.len(), plaintext.fragment.is_some());
        let too_long = |_| SealError::TooLong(EncodeError { what: "Encrypted payload" });
        let payload_len = u16::try_from(total - HEADER_LEN).map_err(too_long)?;
        let (payload_type, fragment) = match plaintext.fragment {
            Some(fragment) => (PayloadType::SKF, Some(fragment)),
            None => (PayloadType::SK, None),
        };

        let mut datagram = Vec::with_capacity(total);
        let length = u32::try_from(total).map_err(too_long)?;
        Header { next_payload: payload_type, length, ..*header }.append_to(&mut datagram);
        datagram.extend_from_slice(&[plaintext.first_payload.0, 0]);
        datagram.extend_from_slice(&payload_len.to_be_bytes());
        if let Some(Fragment { number, total }) = fragment {
            datagram.extend_from_slice(&number.to_be_bytes());
            datagram.extend_from_slice(&total.to_be_bytes());
        }
        let body = datagram.len();

        match self.suite {
            Suite::CipherMac(cipher, _) if cipher.needs_unpredictable_iv() => {
                //= RFC 7296 section 3.14: Senders MUST select a new unpredictable IV for every message.
                let mut iv = alloc::vec![0; self.suite.iv_len()];
                rng.fill(&mut iv)?;
                datagram.extend_from_slice(&iv);
            }
            _ => {
                let iv = self.next_iv;
                self.next_iv = iv.checked_add(1).ok_or(SealError::Exhausted)?;
                datagram.extend_from_slice(&iv.to_be_bytes());
            }
        }
        datagram.extend_from_slice(content);
        // Whatever is left up to the ICV is padding, its length in its last octet.
        let pad_len = total - self.suite.icv_len() - datagram.len() - 1;
        datagram.resize(total - self.suite.icv_len() - 1, 0);
        datagram.push(u8::try_from(pad_len).map_err(too_long)?);
        datagram.resize(total, 0);
        self.outbound.seal(&mut datagram, body, self.suite)?;
        Ok(datagram)
    }

    /// Decrypts in place and returns where the content lies: payloads, without padding.
    ///
    /// On failure the encrypted part of `datagram` is garbage.
    pub(crate) fn open(
        &self,
        datagram: &mut [u8],
        encrypted: &Encrypted,
    ) -> Result<Range<usize>, OpenError> {
        let Range { start, end } = encrypted.body.clone();
        if end != datagram.len() || start > end {
            return Err(OpenError::Truncated);
        }
        let (iv_len, icv_len) = (self.suite.iv_len(), self.suite.icv_len());
        if end - start < iv_len + 1 + icv_len {
            return Err(OpenError::Truncated);
        }
        let content = start + iv_len;
        let padded_end = end - icv_len;
        self.inbound.open(datagram, start, self.suite)?;
        let padded = datagram.get(content..padded_end).ok_or(OpenError::Truncated)?;
        //= RFC 7296 section 3.14: the recipient MUST accept any length that results in proper alignment.
        let (pad_len, rest) = padded.split_last().ok_or(OpenError::BadPadding)?;
        let len = rest.len().checked_sub(usize::from(*pad_len)).ok_or(OpenError::BadPadding)?;
        Ok(content..content + len)
    }
}

impl Direction {
    fn new(
        provider: &Provider,
        suite: Suite,
        encryption: &Secret,
        integrity: &Secret,
    ) -> Result<Self, InvalidKeyLength> {
        let missing = InvalidKeyLength { expected: 0, given: encryption.len() };
        if !suite.is_for_ike() {
            return Err(missing);
        }
        match suite {
            Suite::Aead(aead) => {
                let keying_material = encryption.expose();
                let (key, salt) =
                    keying_material.split_at_checked(aead.key_len()).ok_or(missing)?;
                if salt.len() != aead.salt_len() {
                    return Err(missing);
                }
                let key = provider.aead(aead).ok_or(missing)?.key(key)?;
                Ok(Self::Aead { key, salt: Secret::copy_from(salt) })
            }
            Suite::CipherMac(cipher, mac) => Ok(Self::CipherMac {
                cipher: provider.cipher(cipher).ok_or(missing)?.key(encryption.expose())?,
                mac: provider.mac(mac).ok_or(missing)?.key(integrity.expose())?,
            }),
            _ => Err(missing),
        }
    }

    /// Seals `datagram[body..]`: IV, padded plaintext, room for the ICV.
    fn seal(&self, datagram: &mut [u8], body: usize, suite: Suite) -> Result<(), SealError> {
        let (associated, body) = datagram.split_at_mut_checked(body).ok_or(SealError::Crypto)?;
        match self {
            Self::Aead { key, salt } => {
                let (iv, in_out) = body.split_first_chunk_mut().ok_or(SealError::Crypto)?;
                key.seal(Nonce::new(salt, iv).bytes(), associated, in_out)
                    .map_err(|_| SealError::Crypto)
            }
            Self::CipherMac { cipher, mac } => {
                let icv = body.len().checked_sub(suite.icv_len()).ok_or(SealError::Crypto)?;
                let (body, icv) = body.split_at_mut_checked(icv).ok_or(SealError::Crypto)?;
                let (iv, padded) =
                    body.split_at_mut_checked(suite.iv_len()).ok_or(SealError::Crypto)?;
                cipher.encrypt(iv, padded).map_err(|_| SealError::Crypto)?;
                mac.sign(&[associated, iv, padded], icv).map_err(|_| SealError::Crypto)
            }
        }
    }

    /// Opens `datagram[body..]`; the IV and the ICV stay where they are.
    fn open(&self, datagram: &mut [u8], body: usize, suite: Suite) -> Result<(), OpenError> {
        let (associated, body) = datagram.split_at_mut_checked(body).ok_or(OpenError::Truncated)?;
        match self {
            //= RFC 5282 section 5.1: the associated data is the IKE header up to the Encrypted payload's
            //= generic header, with whatever unencrypted payloads stand between them.
            Self::Aead { key, salt } => {
                let (iv, in_out) = body.split_first_chunk_mut().ok_or(OpenError::Truncated)?;
                key.open(Nonce::new(salt, iv).bytes(), associated, in_out)
                    .map_err(|_| OpenError::NotAuthentic)
            }
            Self::CipherMac { cipher, mac } => {
                let icv = body.len().checked_sub(suite.icv_len()).ok_or(OpenError::Truncated)?;
                let (body, icv) = body.split_at_mut_checked(icv).ok_or(OpenError::Truncated)?;
                let (iv, padded) =
                    body.split_at_mut_checked(suite.iv_len()).ok_or(OpenError::Truncated)?;
                mac.verify(&[associated, iv, padded], icv).map_err(|_| OpenError::NotAuthentic)?;
                cipher.decrypt(iv, padded).map_err(|_| OpenError::BadPadding)
            }
        }
    }
}

/// Salt and explicit IV: RFC 5282 section 4.
struct Nonce {
    bytes: [u8; MAX_NONCE_LEN],
    start: usize,
}

impl Nonce {
    fn new(salt: &Secret, iv: &[u8; AEAD_IV_LEN]) -> Self {
        let mut bytes = [0; MAX_NONCE_LEN];
        let (front, back) = bytes.split_at_mut(MAX_NONCE_LEN - AEAD_IV_LEN);
        back.copy_from_slice(iv);
        // A salt is 3 or 4 bytes long; it ends where the IV begins.
        for (byte, salt) in front.iter_mut().rev().zip(salt.expose().iter().rev()) {
            *byte = *salt;
        }
        Self { start: front.len().saturating_sub(salt.len()), bytes }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

impl fmt::Debug for Protector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protector").field("suite", &self.suite).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use adit_platform::aead::AeadAlgorithm;
    use adit_platform::cipher::CipherAlgorithm;
    use adit_platform::mac::MacAlgorithm;
    use alloc::vec;

    use super::*;

    /// Seals `padded` as it is, and opens it.
    fn open_padded(provider: &Provider, suite: Suite, padded: &[u8]) -> Result<Vec<u8>, OpenError> {
        let encryption = Secret::copy_from(&[1; 36][..suite.encryption_key_len()]);
        let integrity = Secret::copy_from(&[2; 64][..suite.integrity_key_len()]);
        let key = || Direction::new(provider, suite, &encryption, &integrity).unwrap();
        let protector = Protector { suite, outbound: key(), inbound: key(), next_iv: 0 };
        let body = HEADER_LEN + 4;
        let len = body + suite.iv_len() + padded.len() + suite.icv_len();
        let mut datagram = alloc::vec![0; len];
        datagram[body + suite.iv_len()..][..padded.len()].copy_from_slice(padded);
        protector.outbound.seal(&mut datagram, body, suite).unwrap();
        let encrypted =
            Encrypted { first_payload: PayloadType::NONE, fragment: None, body: body..len };
        protector.open(&mut datagram, &encrypted).map(|content| datagram[content].to_vec())
    }

    #[test]
    fn padding_of_any_length_is_accepted_if_it_fits() {
        //= RFC 7296 section 3.14: the recipient MUST accept any length that results in proper alignment.
        let gcm = Suite::Aead(AeadAlgorithm::Aes128Gcm16);
        let cbc = Suite::CipherMac(CipherAlgorithm::Aes128Cbc, MacAlgorithm::HmacSha2_256_128);
        for provider in [adit_platform::ring::PROVIDER, adit_platform::rustcrypto::PROVIDER] {
            for suite in Suite::all().filter(|suite| suite.is_for_ike()) {
                for pad_len in 0..=255_u8 {
                    // Content of whatever length makes 272 bytes of it all, a multiple of every block.
                    let mut padded = [9; 272];
                    padded[271] = pad_len;
                    let content = open_padded(&provider, suite, &padded).unwrap();
                    assert_eq!(content, padded[..271 - usize::from(pad_len)]);
                }
                let mut padded = [9; 16];
                padded[15] = 16;
                assert_eq!(open_padded(&provider, suite, &padded), Err(OpenError::BadPadding));
            }
            assert_eq!(open_padded(&provider, gcm, &[]), Err(OpenError::Truncated));
            assert_eq!(open_padded(&provider, cbc, &[]), Err(OpenError::Truncated));
            // The ICV covers a ciphertext that is no multiple of the block: authentic, and impossible.
            let odd = [0; 17];
            assert_eq!(open_padded_raw(&provider, cbc, &odd), Err(OpenError::BadPadding));
        }
    }

    /// A random source that always says the same.
    struct Stuck;

    impl Rng for Stuck {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
            out.fill(7);
            Ok(())
        }
    }

    //= RFC 5282 section 3.1, RFC 5930 section 2: no nonce twice under one key.
    #[test]
    fn ivs_that_must_not_repeat_do_not_come_from_chance() {
        let provider = adit_platform::rustcrypto::PROVIDER;
        for suite in Suite::all().filter(|suite| suite.is_for_ike()) {
            let encryption = Secret::copy_from(&[1; 36][..suite.encryption_key_len()]);
            let integrity = Secret::copy_from(&[2; 64][..suite.integrity_key_len()]);
            let key = || Direction::new(&provider, suite, &encryption, &integrity).unwrap();
            let mut protector = Protector { suite, outbound: key(), inbound: key(), next_iv: 0 };
            let spi = crate::wire::IkeSpi([1; 8]);
            let header = Header::new(
                spi,
                spi,
                crate::wire::ExchangeType::INFORMATIONAL,
                crate::wire::Flags::REQUEST_BY_INITIATOR,
                1,
            );
            let plaintext =
                Plaintext { first_payload: PayloadType::NONE, fragment: None, content: b"four" };
            let mut iv = || {
                let message = protector.seal(&mut Stuck, &header, &plaintext).unwrap();
                message[HEADER_LEN + 4..][..suite.iv_len()].to_vec()
            };
            let (first, second) = (iv(), iv());
            match suite {
                Suite::CipherMac(cipher, _) if cipher.needs_unpredictable_iv() => {
                    assert_eq!((first, second), (vec![7; 16], vec![7; 16]), "{suite:?}");
                }
                _ => assert_ne!(first, second, "{suite:?}"),
            }
        }
    }

    #[test]
    fn suites_for_esp_alone_protect_no_ike_sa() {
        let provider = adit_platform::rustcrypto::PROVIDER;
        for suite in Suite::all() {
            let encryption = Secret::copy_from(&[1; 36][..suite.encryption_key_len()]);
            let integrity = Secret::copy_from(&[2; 64][..suite.integrity_key_len()]);
            let direction = Direction::new(&provider, suite, &encryption, &integrity);
            assert_eq!(direction.is_ok(), suite.is_for_ike(), "{suite:?}");
        }
    }

    /// As [`open_padded`], but `ciphertext` is authenticated without having been encrypted.
    fn open_padded_raw(
        provider: &Provider,
        suite: Suite,
        ciphertext: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        let Suite::CipherMac(_, mac) = suite else { return Err(OpenError::Truncated) };
        let encryption = Secret::copy_from(&[1; 16]);
        let integrity = Secret::copy_from(&[2; 32]);
        let key = || Direction::new(provider, suite, &encryption, &integrity).unwrap();
        let protector = Protector { suite, outbound: key(), inbound: key(), next_iv: 0 };
        let body = HEADER_LEN + 4;
        let mut datagram = alloc::vec![0; body + suite.iv_len()];
        datagram.extend_from_slice(ciphertext);
        let mut icv = alloc::vec![0; suite.icv_len()];
        let mac = provider.mac(mac).unwrap().key(integrity.expose()).unwrap();
        mac.sign(&[&datagram], &mut icv).unwrap();
        datagram.extend_from_slice(&icv);
        let body = body..datagram.len();
        let encrypted = Encrypted { first_payload: PayloadType::NONE, fragment: None, body };
        protector.open(&mut datagram, &encrypted).map(|content| datagram[content].to_vec())
    }
}
