//! Chooses between the forms of the code and ring, for each processor and each packet.

use alloc::boxed::Box;

#[cfg(target_arch = "aarch64")]
use super::aarch64::{Gcm, MAX_AAD, MAX_GMAC_AAD};
use super::source::{Elsewhere, InPlace, Source};
#[cfg(target_arch = "x86_64")]
use super::x86::{Gcm, MAX_AAD, MAX_GMAC_AAD, ymm, zmm};
use crate::aead::{
    Aead, AeadAlgorithm, AeadError, AeadKey, InvalidKeyLength, MAX_NONCE_LEN as NONCE_LEN,
};

#[cfg(target_arch = "x86_64")]
cpufeatures::new!(narrow, "aes", "pclmulqdq", "ssse3", "sse4.1", "avx");
// With "aes" comes PMULL, and NEON with every processor.
#[cfg(target_arch = "aarch64")]
cpufeatures::new!(narrow, "aes");
#[cfg(target_arch = "x86_64")]
cpufeatures::new!(wide, "aes", "pclmulqdq", "ssse3", "sse4.1", "avx", "avx2", "vaes", "vpclmulqdq");
#[cfg(target_arch = "x86_64")]
cpufeatures::new!(widest, "avx512f", "avx512bw", "avx512vl");

/// The form of the code that a processor runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// A block in a register.
    Narrow,
    /// Two, but for the shortest packets.
    #[cfg(target_arch = "x86_64")]
    Ymm,
    /// Four, but for the shortest packets.
    #[cfg(target_arch = "x86_64")]
    Zmm,
}

impl Form {
    /// The best of the forms that this processor has, if it has any.
    fn detect() -> Option<Self> {
        if !narrow::get() {
            return None;
        }
        #[cfg(target_arch = "x86_64")]
        if wide::get() {
            return Some(if widest::get() { Self::Zmm } else { Self::Ymm });
        }
        Some(Self::Narrow)
    }

    /// The longest text, in bytes, that this form takes faster than ring does.
    fn beats_ring_to(self) -> usize {
        match self {
            // An inner packet of 512 bytes, with what ESP adds to it.
            Self::Narrow => 576,
            #[cfg(target_arch = "x86_64")]
            Self::Ymm => 2048,
            #[cfg(target_arch = "x86_64")]
            Self::Zmm => MAX_TEXT,
        }
    }
}

/// The longest text, in bytes, that is taken here at all: no packet of IP is longer.
const MAX_TEXT: usize = 1 << 16;

/// The longest text, in bytes, that is copied and sealed in place when it lies elsewhere: the copy of a short
/// one costs less than reading it in pieces.
const COPIED: usize = 512;

/// The longest texts that the narrow form takes where the processor has another, in bytes: up to here it is
/// the latency that counts and not the throughput.
#[cfg(target_arch = "x86_64")]
const NARROW_BEFORE_YMM: usize = 128;
#[cfg(target_arch = "x86_64")]
const NARROW_BEFORE_ZMM: usize = 80;

/// The same for AES-GMAC and both other forms, as measured on packets of ESP that were just written.
#[cfg(target_arch = "x86_64")]
const NARROW_GMAC: usize = 96;

/// AES-GCM with any key and any tag; packets that are not taken here go to somebody else.
#[derive(Debug)]
pub(super) struct AesGcm(pub(super) AeadAlgorithm, pub(super) &'static dyn Aead);

impl Aead for AesGcm {
    fn algorithm(&self) -> AeadAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKeyLength> {
        let other = self.1.key(key)?;
        let Some(form) = Form::detect() else {
            return Ok(other);
        };
        Ok(match (key.len(), self.0.tag_len()) {
            (16, 16) => Box::new(Key::<10, 16>::new(key, form, other)),
            (16, 12) => Box::new(Key::<10, 12>::new(key, form, other)),
            (16, 8) => Box::new(Key::<10, 8>::new(key, form, other)),
            (24, 16) => Box::new(Key::<12, 16>::new(key, form, other)),
            (24, 12) => Box::new(Key::<12, 12>::new(key, form, other)),
            (24, 8) => Box::new(Key::<12, 8>::new(key, form, other)),
            (32, 16) => Box::new(Key::<14, 16>::new(key, form, other)),
            (32, 12) => Box::new(Key::<14, 12>::new(key, form, other)),
            (32, 8) => Box::new(Key::<14, 8>::new(key, form, other)),
            _ => other,
        })
    }
}

/// A key with tags of `TAG` bytes, that exists only where the processor has what `form` needs.
struct Key<const ROUNDS: usize, const TAG: usize> {
    gcm: Gcm<ROUNDS>,
    form: Form,
    /// The longest text that is taken here, in bytes.
    max_text: usize,
    other: Box<dyn AeadKey>,
}

impl<const ROUNDS: usize, const TAG: usize> Key<ROUNDS, TAG> {
    /// Only for a form that was detected.
    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn new(key: &[u8], form: Form, other: Box<dyn AeadKey>) -> Self {
        // SAFETY: every form needs what the narrow one needs, and the callers detected one.
        let gcm = unsafe { Gcm::new(key) };
        // What ring does not have is RustCrypto's, which is slower at every length.
        let ring = ROUNDS != 12 && TAG == 16;
        Self { gcm, form, max_text: if ring { form.beats_ring_to() } else { MAX_TEXT }, other }
    }

    fn takes(&self, text: &[u8], aad: &[u8]) -> bool {
        text.len() <= self.max_text && aad.len() <= MAX_AAD
    }

    /// Encrypts what `source` has for `text`, and returns the tag.
    #[inline]
    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn encrypt(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        source: impl Source,
        text: &mut [u8],
    ) -> u128 {
        match self.form {
            // SAFETY: the form was detected.
            #[cfg(target_arch = "x86_64")]
            Form::Zmm if text.len() > NARROW_BEFORE_ZMM => unsafe {
                zmm::seal(&self.gcm, nonce, aad, source, text)
            },
            // SAFETY: the form was detected.
            #[cfg(target_arch = "x86_64")]
            Form::Ymm if text.len() > NARROW_BEFORE_YMM => unsafe {
                ymm::seal(&self.gcm, nonce, aad, source, text)
            },
            // SAFETY: every form needs what the narrow one needs.
            _ => unsafe { self.gcm.seal(nonce, aad, source, text) },
        }
    }

    /// Decrypts `text`, and returns the tag that it must have had.
    #[inline]
    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn decrypt(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &mut [u8]) -> u128 {
        match self.form {
            // SAFETY: the form was detected.
            #[cfg(target_arch = "x86_64")]
            Form::Zmm if text.len() > NARROW_BEFORE_ZMM => unsafe {
                zmm::open(&self.gcm, nonce, aad, text)
            },
            // SAFETY: the form was detected.
            #[cfg(target_arch = "x86_64")]
            Form::Ymm if text.len() > NARROW_BEFORE_YMM => unsafe {
                ymm::open(&self.gcm, nonce, aad, text)
            },
            // SAFETY: every form needs what the narrow one needs.
            _ => unsafe { self.gcm.open(nonce, aad, text) },
        }
    }
}

impl<const ROUNDS: usize, const TAG: usize> AeadKey for Key<ROUNDS, TAG> {
    fn seal(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, room) = in_out.split_last_chunk_mut::<TAG>().ok_or(AeadError)?;
        if !self.takes(text, aad) {
            return self.other.seal(nonce, aad, in_out);
        }
        let nonce = nonce.try_into().map_err(|_| AeadError)?;
        let tag = self.encrypt(nonce, aad, InPlace, text);
        room.copy_from_slice(&tag.to_le_bytes()[..TAG]);
        Ok(())
    }

    fn seal_to(
        &self,
        nonce: &[u8],
        aad: &[u8],
        text: &[u8],
        in_out: &mut [u8],
    ) -> Result<(), AeadError> {
        let (sealed, room) = in_out.split_last_chunk_mut::<TAG>().ok_or(AeadError)?;
        if !self.takes(sealed, aad) {
            return self.other.seal_to(nonce, aad, text, in_out);
        }
        if text.len() <= COPIED {
            sealed.get_mut(..text.len()).ok_or(AeadError)?.copy_from_slice(text);
            return self.seal(nonce, aad, in_out);
        }
        let nonce = nonce.try_into().map_err(|_| AeadError)?;
        let source = Elsewhere::new(text, sealed).ok_or(AeadError)?;
        let tag = self.encrypt(nonce, aad, source, sealed);
        room.copy_from_slice(&tag.to_le_bytes()[..TAG]);
        Ok(())
    }

    fn open(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, given) = in_out.split_last_chunk_mut::<TAG>().ok_or(AeadError)?;
        if !self.takes(text, aad) {
            return self.other.open(nonce, aad, in_out);
        }
        let nonce = nonce.try_into().map_err(|_| AeadError)?;
        let tag = self.decrypt(nonce, aad, text);
        if is_tag(tag, given) {
            return Ok(());
        }
        // What was decrypted before the tag was known to be wrong is nobody's to see.
        text.fill(0);
        Err(AeadError)
    }
}

/// AES-GMAC, which leaves the text readable: RFC 4543. Packets of every length are authenticated here, for
/// which no other code is faster; only associated data that is none of ESP's goes to somebody else.
#[derive(Debug)]
pub(super) struct AesGmac(pub(super) AeadAlgorithm, pub(super) &'static dyn Aead);

impl Aead for AesGmac {
    fn algorithm(&self) -> AeadAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKeyLength> {
        let other = self.1.key(key)?;
        let Some(form) = Form::detect() else {
            return Ok(other);
        };
        Ok(match key.len() {
            16 => Box::new(GmacKey::<10>::new(key, form, other)),
            24 => Box::new(GmacKey::<12>::new(key, form, other)),
            32 => Box::new(GmacKey::<14>::new(key, form, other)),
            _ => other,
        })
    }
}

/// A key that exists only where the processor has what `form` needs.
struct GmacKey<const ROUNDS: usize> {
    gcm: Gcm<ROUNDS>,
    form: Form,
    other: Box<dyn AeadKey>,
}

impl<const ROUNDS: usize> GmacKey<ROUNDS> {
    /// Only for a form that was detected.
    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn new(key: &[u8], form: Form, other: Box<dyn AeadKey>) -> Self {
        // SAFETY: every form needs what the narrow one needs, and the callers detected one.
        let gcm = unsafe { Gcm::new(key) };
        Self { gcm, form, other }
    }

    #[expect(unsafe_code, reason = "calls into code for a processor that was asked for first")]
    fn tag(&self, nonce: &[u8], aad: &[u8], text: &[u8]) -> Result<u128, AeadError> {
        let nonce = nonce.try_into().map_err(|_| AeadError)?;
        Ok(match self.form {
            // SAFETY: the form was detected.
            #[cfg(target_arch = "x86_64")]
            Form::Zmm if text.len() > NARROW_GMAC => unsafe {
                zmm::gmac(&self.gcm, nonce, aad, text)
            },
            // SAFETY: the form was detected.
            #[cfg(target_arch = "x86_64")]
            Form::Ymm if text.len() > NARROW_GMAC => unsafe {
                ymm::gmac(&self.gcm, nonce, aad, text)
            },
            // SAFETY: every form needs what the narrow one needs.
            _ => unsafe { self.gcm.gmac(nonce, aad, text) },
        })
    }
}

impl<const ROUNDS: usize> AeadKey for GmacKey<ROUNDS> {
    fn seal(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, room) = in_out.split_last_chunk_mut().ok_or(AeadError)?;
        if aad.len() > MAX_GMAC_AAD {
            return self.other.seal(nonce, aad, in_out);
        }
        *room = self.tag(nonce, aad, text)?.to_le_bytes();
        Ok(())
    }

    fn open(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, given) = in_out.split_last_chunk_mut::<16>().ok_or(AeadError)?;
        if aad.len() > MAX_GMAC_AAD {
            return self.other.open(nonce, aad, in_out);
        }
        if is_tag(self.tag(nonce, aad, text)?, given) { Ok(()) } else { Err(AeadError) }
    }
}

/// Compares the front of `tag` with `given`, in constant time: no branch depends on a part of it.
#[inline]
fn is_tag<const TAG: usize>(tag: u128, given: &[u8; TAG]) -> bool {
    let mut padded = [0; 16];
    padded[..TAG].copy_from_slice(given);
    let counted = u128::MAX >> (8 * (16 - TAG));
    (tag ^ u128::from_le_bytes(padded)) & counted == 0
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::ring;

    /// Lengths of text, in bytes: all on both sides of every limit between pieces of code, and some in
    /// which the lower bytes of the block counter overflow, of which 65,536 is the longest.
    fn lengths() -> impl Iterator<Item = usize> {
        let counted = [255 * 16, 511 * 16, 4095 * 16].into_iter();
        (0..=2100).chain(counted.flat_map(|len| len - 33..=len + 16)).chain([9000, MAX_TEXT])
    }

    /// Seals and opens in one form, whatever the processor would choose, and compares with `other`.
    fn compare<const ROUNDS: usize, const TAG: usize>(form: Form, other: &dyn Aead) {
        let raw: Vec<u8> = (0..32_u8).map(|index| index.wrapping_mul(11)).collect();
        let raw = &raw[..other.algorithm().key_len()];
        let ours = Key::<ROUNDS, TAG>::new(raw, form, other.key(raw).unwrap());
        let ours = Key { max_text: MAX_TEXT, ..ours };
        let nonce = *b"nonce 12 byt";
        for len in lengths() {
            let aad = &b"header of a packet"[..len % (MAX_AAD + 1)];
            let text: Vec<u8> = (0..len).map(|index| (index * 7 + len) as u8).collect();
            let mut packet = [&text[..], &[0; TAG]].concat();
            assert!(ours.takes(&text, aad));
            let mut expected = packet.clone();
            ours.seal(&nonce, aad, &mut packet).unwrap();
            ours.other.seal(&nonce, aad, &mut expected).unwrap();
            assert!(packet == expected, "{form:?}, {len} bytes");

            // Out of place: the front of the text, up to any byte, comes from elsewhere.
            let source = &text[..len - [0, 2, len / 2, len][len % 4].min(len)];
            let mut sealed = [&vec![0xee; source.len()], &text[source.len()..], &[0; TAG]].concat();
            ours.seal_to(&nonce, aad, source, &mut sealed).unwrap();
            assert!(sealed == expected, "{form:?}, {len} bytes, {} elsewhere", source.len());

            ours.open(&nonce, aad, &mut packet).unwrap();
            assert!(packet[..len] == text, "{form:?}, {len} bytes");
            let last = expected.len() - 1;
            expected[last] ^= 1;
            assert_eq!(ours.open(&nonce, aad, &mut expected), Err(AeadError));
            assert!(expected[..len].iter().all(|byte| *byte == 0), "{form:?}, {len} bytes");
        }
    }

    /// Authenticates in one form, whatever the processor would choose, and compares with `other`.
    fn compare_gmac<const ROUNDS: usize>(form: Form, other: &dyn Aead) {
        let raw: Vec<u8> = (0..32_u8).map(|index| index.wrapping_mul(11)).collect();
        let raw = &raw[..other.algorithm().key_len()];
        let ours = GmacKey::<ROUNDS>::new(raw, form, other.key(raw).unwrap());
        let nonce = *b"nonce 12 byt";
        let header: [u8; MAX_GMAC_AAD] = core::array::from_fn(|index| 0xa0 ^ index as u8);
        // Every length of associated data beside texts that end anywhere in the first two passes.
        let short = (0..=MAX_GMAC_AAD).flat_map(|aad| (0..=530).map(move |len| (aad, len)));
        let long = lengths().map(|len| (len % (MAX_GMAC_AAD + 1), len));
        for (aad, len) in short.chain(long) {
            let aad = &header[..aad];
            let mut packet: Vec<u8> = (0..len + 16).map(|index| (index * 7 + len) as u8).collect();
            let mut expected = packet.clone();
            ours.seal(&nonce, aad, &mut packet).unwrap();
            ours.other.seal(&nonce, aad, &mut expected).unwrap();
            assert!(packet == expected, "{form:?}, {len} bytes behind {}", aad.len());

            ours.open(&nonce, aad, &mut packet).unwrap();
            assert!(packet == expected, "{form:?}, {len} bytes: opening changes nothing");
            for forged in [len * 5 / 7, len, len + 15] {
                packet[forged] ^= 0x80;
                assert_eq!(ours.open(&nonce, aad, &mut packet), Err(AeadError));
                packet[forged] ^= 0x80;
            }
        }
    }

    /// Every length of key, and every length of tag with one of them.
    fn compare_all(form: Form) {
        use crate::rustcrypto::{AES_128_GCM_8, AES_128_GCM_12, AES_192_GCM_16};
        use crate::rustcrypto::{AES_128_GMAC, AES_192_GMAC, AES_256_GMAC};
        compare_gmac::<10>(form, &AES_128_GMAC);
        compare_gmac::<12>(form, &AES_192_GMAC);
        compare_gmac::<14>(form, &AES_256_GMAC);
        compare::<10, 16>(form, &ring::AES_128_GCM);
        compare::<14, 16>(form, &ring::AES_256_GCM);
        compare::<12, 16>(form, &AES_192_GCM_16);
        compare::<10, 12>(form, &AES_128_GCM_12);
        compare::<10, 8>(form, &AES_128_GCM_8);
    }

    #[test]
    fn the_narrow_form_gives_what_ring_gives() {
        if !narrow::get() {
            return std::println!("SKIP: needs a processor with AES and carry-less multiplication");
        }
        compare_all(Form::Narrow);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_form_in_ymm_registers_gives_what_ring_gives() {
        if !wide::get() {
            return std::println!("SKIP: needs a processor with VAES and VPCLMULQDQ");
        }
        compare_all(Form::Ymm);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_form_in_zmm_registers_gives_what_ring_gives() {
        if !(wide::get() && widest::get()) {
            return std::println!("SKIP: needs a processor with VAES, VPCLMULQDQ and AVX-512");
        }
        compare_all(Form::Zmm);
    }

    #[test]
    fn text_from_elsewhere_has_to_fit() {
        let key = AesGcm(AeadAlgorithm::Aes128Gcm16, &ring::AES_128_GCM).key(&[1; 16]).unwrap();
        for len in [0, 1, 64, 100, 1400] {
            let mut packet = vec![0; len + 16];
            assert_eq!(key.seal_to(&[0; 12], &[], &vec![1; len + 1], &mut packet), Err(AeadError));
            assert_eq!(key.seal_to(&[0; 12], &[], &vec![1; len], &mut packet), Ok(()));
        }
        assert_eq!(key.seal_to(&[0; 12], &[], &[], &mut [0; 15]), Err(AeadError));
    }

    #[test]
    fn buffers_without_room_for_a_tag_are_refused() {
        for aead in crate::simd::PROVIDER.aeads {
            let algorithm = aead.algorithm();
            let key = aead.key(&vec![1; algorithm.key_len()]).unwrap();
            let nonce = vec![0; algorithm.nonce_len()];
            for len in 0..algorithm.tag_len() {
                assert_eq!(key.seal(&nonce, &[], &mut vec![0; len]), Err(AeadError));
                assert_eq!(key.open(&nonce, &[], &mut vec![0; len]), Err(AeadError));
            }
        }
    }
}
