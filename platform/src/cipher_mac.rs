//! Encrypt-then-MAC over many packets in one call: RFC 4303 section 3.3.2.1.
//!
//! A cipher in CBC and a hash leave a processor mostly idle when they work on one packet. A provider
//! that can take several side by side lists the pair as a [`CipherMac`]; what it computes is what the
//! [`Cipher`](crate::cipher::Cipher) and the [`Mac`](crate::mac::Mac) of the same names compute.

use alloc::boxed::Box;
use core::fmt;

use subtle::ConstantTimeEq;

use crate::aead::InvalidKeyLength;
use crate::cipher::CipherAlgorithm;
use crate::mac::MacAlgorithm;

/// A cipher and an integrity algorithm that run here over many packets at once.
pub trait CipherMac: Send + Sync + fmt::Debug {
    /// Which cipher this is.
    fn cipher(&self) -> CipherAlgorithm;

    /// Which integrity algorithm this is.
    fn mac(&self) -> MacAlgorithm;

    /// Prepares the two keys, which are [`CipherAlgorithm::key_len`] and [`MacAlgorithm::key_len`] bytes
    /// long.
    ///
    /// # Errors
    /// If one of them is not.
    fn key(&self, cipher: &[u8], mac: &[u8]) -> Result<Box<dyn CipherMacKey>, InvalidKeyLength>;
}

/// The prepared keys of a [`CipherMac`]. Wiped on drop.
///
/// ```
/// use adit_platform::cipher::CipherAlgorithm::Aes256Cbc;
/// use adit_platform::cipher_mac::Packet;
/// use adit_platform::mac::MacAlgorithm::HmacSha2_256_128;
/// use adit_platform::Provider;
///
/// /// Seals two packets of a header of 8 bytes, an IV, a block of text and a tag. False if `provider`
/// /// can only seal them one by one.
/// fn example(provider: &Provider, first: &mut [u8; 56], second: &mut [u8; 56]) -> Option<bool> {
///     let Some(pair) = provider.cipher_mac(Aes256Cbc, HmacSha2_256_128) else {
///         return Some(false);
///     };
///     let key = pair.key(&[1; 32], &[2; 32]).ok()?;
///     let high_sequence = [0; 4];
///     let mut packets =
///         [Packet::new(first, 24, 16, &high_sequence)?, Packet::new(second, 24, 16, &high_sequence)?];
///     key.seal(&mut packets);
///     key.open(&mut packets);
///     Some(packets.iter().all(Packet::is_authentic))
/// }
/// # #[cfg(feature = "simd")]
/// # assert!(example(&adit_platform::simd::PROVIDER, &mut [3; 56], &mut [4; 56]).is_some());
/// ```
pub trait CipherMacKey: Send + Sync {
    /// Encrypts the text of each packet and writes its tag. IVs must be unpredictable: RFC 3602 section 3.
    fn seal(&self, packets: &mut [Packet<'_>]);

    /// Verifies the tag of each packet, and decrypts the text of those of which it is right:
    /// [`Packet::is_authentic`] says which. The others are left as they were.
    fn open(&self, packets: &mut [Packet<'_>]);
}

/// A packet to be sealed or opened in place: header, IV of 16 bytes, text in whole blocks of 16, tag.
#[derive(Default, Debug)]
pub struct Packet<'a> {
    bytes: &'a mut [u8],
    /// Where the text begins: behind the IV.
    text_at: usize,
    /// Where it ends: before the tag.
    text_end: usize,
    trailing: [u8; 4],
    trailing_len: usize,
    authentic: bool,
}

const BLOCK: usize = 16;

impl<'a> Packet<'a> {
    /// A packet whose text begins `text_at` bytes into `bytes`, and ends `tag_len` bytes before their end.
    /// The tag covers all that is before it, and then `trailing`, at most four bytes that are not sent:
    /// the high half of an extended sequence number.
    ///
    /// `None` if there is no room for the IV or the tag, or the text is not made of whole blocks.
    ///
    /// [`Packet::default`] is no packet, to fill an array with; nothing becomes of it.
    #[inline]
    pub fn new(
        bytes: &'a mut [u8],
        text_at: usize,
        tag_len: usize,
        trailing: &[u8],
    ) -> Option<Self> {
        let text_end = bytes.len().checked_sub(tag_len)?;
        let text_len = text_end.checked_sub(text_at)?;
        if text_at < BLOCK || text_len % BLOCK != 0 {
            return None;
        }
        let mut padded = [0; 4];
        padded.get_mut(..trailing.len())?.copy_from_slice(trailing);
        let trailing_len = trailing.len();
        Some(Self { bytes, text_at, text_end, trailing: padded, trailing_len, authentic: false })
    }

    /// What the tag covers: bytes of the packet, and those that are not sent.
    #[inline]
    pub fn covered(&self) -> (&[u8], &[u8]) {
        (&self.bytes[..self.text_end], &self.trailing[..self.trailing_len])
    }

    /// The IV, and the text block by block.
    #[inline]
    pub fn iv_and_text(&mut self) -> (&[u8; BLOCK], &mut [[u8; BLOCK]]) {
        let (front, text) = self.bytes[..self.text_end].split_at_mut(self.text_at);
        // Only that which is no packet has no IV.
        (front.last_chunk().unwrap_or(&[0; BLOCK]), text.as_chunks_mut().0)
    }

    /// The tag.
    #[inline]
    pub fn tag(&self) -> &[u8] {
        &self.bytes[self.text_end..]
    }

    /// The IV, the text and the room for the tag, as bytes.
    #[inline]
    pub fn parts(&mut self) -> (&[u8], &mut [u8], &mut [u8]) {
        let (front, tag) = self.bytes.split_at_mut(self.text_end);
        let (front, text) = front.split_at_mut(self.text_at);
        (&front[self.text_at.saturating_sub(BLOCK)..], text, tag)
    }

    /// Writes the tag, cut to the room that there is for it.
    #[inline]
    pub fn set_tag(&mut self, tag: &[u8]) {
        for (room, byte) in self.bytes[self.text_end..].iter_mut().zip(tag) {
            *room = *byte;
        }
    }

    /// Compares the tag with the first bytes of `computed`, in constant time, and keeps the answer for
    /// [`Self::is_authentic`].
    #[inline]
    pub fn check_tag(&mut self, computed: &[u8]) -> bool {
        let tag = &self.bytes[self.text_end..];
        self.authentic = match computed.get(..tag.len()) {
            // Every tag that there is has a multiple of eight bytes, which are compared at a time.
            Some(computed) if !tag.is_empty() => {
                let ((words, bytes), (computed_words, computed_bytes)) =
                    (tag.as_chunks::<8>(), computed.as_chunks::<8>());
                let words = words.iter().zip(computed_words);
                let different = words.fold(0, |different, (word, computed)| {
                    different | u64::from_ne_bytes(*word) ^ u64::from_ne_bytes(*computed)
                });
                (different.ct_eq(&0) & bytes.ct_eq(computed_bytes)).into()
            }
            _ => false,
        };
        self.authentic
    }

    /// True if the packet was opened and its tag was right.
    #[inline]
    pub fn is_authentic(&self) -> bool {
        self.authentic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_blocks_with_iv_and_tag_are_packets() {
        let fits = |len, text_at, trailing: &[u8]| {
            Packet::new(&mut [0; 100][..len], text_at, 16, trailing).is_some()
        };
        assert!(fits(32, 16, &[]));
        assert!(fits(24 + 32 + 16, 24, &[0; 4]));
        assert!(!fits(32, 15, &[]), "no IV");
        assert!(!fits(31, 16, &[]), "no tag");
        assert!(!fits(24 + 33 + 16, 24, &[0; 4]), "half a block");
        assert!(!fits(32, 16, &[0; 5]), "too much behind");
        assert!(!Packet::default().check_tag(&[0; 16]), "no packet is not authentic");
    }
}
