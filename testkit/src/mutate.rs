//! Bytes bent in every way that a hostile peer may bend them.
//!
//! A parser's test takes a few valid messages and drives its parser through [`all`]; what the parser
//! says does not matter there, only that it returns. Tests that know what must be said use
//! [`truncations`], [`lengths`] and the others by themselves.
//!
//! ```
//! use adit_testkit::mutate::{self, Field};
//!
//! /// A parser of: one length byte, then that many bytes.
//! fn parse(input: &[u8]) -> Result<&[u8], &'static str> {
//!     let (&len, rest) = input.split_first().ok_or("empty")?;
//!     rest.get(..usize::from(len)).ok_or("too short")
//! }
//!
//! let valid = [3, b'a', b'b', b'c'];
//! mutate::all(&valid, &[Field::u8(0)], 1, |input| {
//!     let _ = parse(input);
//! });
//!
//! // Nothing shorter than the whole may parse.
//! for cut in mutate::truncations(&valid) {
//!     assert!(parse(cut).is_err(), "{cut:?}");
//! }
//! ```

use crate::rng::SeededRng;

/// A big-endian length or count field in a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Where its first byte lies.
    pub offset: usize,
    /// How many bytes it has: 1 to 8.
    pub width: usize,
}

impl Field {
    /// A field of one byte.
    pub const fn u8(offset: usize) -> Self {
        Self { offset, width: 1 }
    }

    /// A field of two bytes.
    pub const fn u16(offset: usize) -> Self {
        Self { offset, width: 2 }
    }

    /// A field of four bytes.
    pub const fn u32(offset: usize) -> Self {
        Self { offset, width: 4 }
    }
}

/// Every length field of a DER encoding, those of what octet and bit strings wrap included.
pub fn der_lengths(der: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    der_walk(der, 0, &mut fields);
    fields
}

fn der_walk(der: &[u8], base: usize, fields: &mut Vec<Field>) -> bool {
    let mut at = 0;
    while let [tag, first, ..] = der[at..] {
        let (width, len) = match first {
            0..=0x7f => (0, usize::from(first)),
            0x81..=0x84 => {
                let width = usize::from(first & 0x7f);
                let Some(bytes) = der.get(at + 2..at + 2 + width) else { return false };
                (width, bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)))
            }
            _ => return false,
        };
        let start = at + 2 + width;
        let Some(content) = der.get(start..start + len) else { return false };
        fields.push(Field::u8(base + at + 1));
        if width > 0 {
            fields.push(Field { offset: base + at + 2, width });
        }
        let nested = fields.len();
        let skip = usize::from(tag == 0x03);
        let wraps = tag & 0x20 != 0 || matches!(tag, 0x03 | 0x04);
        if wraps && content.len() > skip && !der_walk(&content[skip..], base + start + skip, fields)
        {
            fields.truncate(nested);
        }
        at = start + len;
    }
    at == der.len()
}

/// `valid` cut off after each of its bytes but the last, the empty string first.
pub fn truncations(valid: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..valid.len()).map(|len| &valid[..len])
}

/// `valid` with one of `fields` lying: 0, 1, one less, one more, half and double of what it says, all
/// bits set, and the largest positive number.
///
/// # Panics
/// If a field lies outside of `valid` or is not 1 to 8 bytes wide.
pub fn lengths<'a>(valid: &'a [u8], fields: &'a [Field]) -> impl Iterator<Item = Vec<u8>> + 'a {
    fields.iter().flat_map(move |&Field { offset, width }| {
        assert!((1..=8).contains(&width), "a field has 1 to 8 bytes, not {width}");
        let says = valid[offset..offset + width].iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        let max = u64::MAX >> (64 - 8 * width);
        let mut lies = vec![
            0,
            1,
            says.wrapping_sub(1) & max,
            says.wrapping_add(1) & max,
            says / 2,
            says.wrapping_mul(2) & max,
            max >> 1,
            max,
        ];
        lies.sort_unstable();
        lies.dedup();
        lies.retain(|lie| *lie != says);
        lies.into_iter().map(move |lie| {
            let mut out = valid.to_vec();
            out[offset..offset + width].copy_from_slice(&lie.to_be_bytes()[8 - width..]);
            out
        })
    })
}

/// `valid` with each of its bits flipped, one at a time.
pub fn bit_flips(valid: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..valid.len() * 8).map(|bit| {
        let mut out = valid.to_vec();
        out[bit / 8] ^= 1 << (bit % 8);
        out
    })
}

/// `valid` with each of its bytes set to 0x00, 0x01, 0x7f, 0x80 and 0xff, one at a time: every length,
/// count and type field is reached, known or not.
pub fn byte_values(valid: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..valid.len()).flat_map(move |i| {
        [0x00, 0x01, 0x7f, 0x80, 0xff].into_iter().filter(move |v| *v != valid[i]).map(
            move |value| {
                let mut out = valid.to_vec();
                out[i] = value;
                out
            },
        )
    })
}

/// `count` byte strings that have nothing to do with anything, of 0 to `max_len` bytes.
pub fn noise(seed: u64, count: usize, max_len: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut rng = SeededRng::new(seed);
    (0..count).map(move |_| {
        let len = rng.below(max_len + 1);
        rng.bytes(len)
    })
}

/// `count` times `valid` after one to four operations drawn from: overwrite bytes, insert bytes, remove
/// a chunk, repeat a chunk, swap two chunks, append bytes.
pub fn scrambles(valid: &[u8], seed: u64, count: usize) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut rng = SeededRng::new(seed);
    (0..count).map(move |_| {
        let mut out = valid.to_vec();
        for _ in 0..=rng.below(4) {
            scramble(&mut rng, &mut out);
        }
        out
    })
}

/// Every bend of `valid` in this module, one after the other, `valid` itself included.
///
/// `fields` are its length fields, where the test knows them; `seed` decides the random part, which is
/// 500 scrambles and 500 strings of noise. A panic within `parser` is preceded by the input that caused
/// it, in hexadecimal.
pub fn all(valid: &[u8], fields: &[Field], seed: u64, mut parser: impl FnMut(&[u8])) {
    let mut feed = |input: &[u8]| {
        let guard = PrintOnPanic(input);
        parser(input);
        drop(guard);
    };
    feed(valid);
    truncations(valid).for_each(&mut feed);
    for input in lengths(valid, fields)
        .chain(bit_flips(valid))
        .chain(byte_values(valid))
        .chain(scrambles(valid, seed, 500))
        .chain(noise(seed, 500, 2 * valid.len() + 64))
    {
        feed(&input);
    }
}

/// One operation of [`scrambles`].
fn scramble(rng: &mut SeededRng, out: &mut Vec<u8>) {
    let at = rng.below(out.len() + 1);
    let len = rng.below(out.len() - at + 1);
    match rng.below(6) {
        0 => {
            let new = rng.bytes(len);
            out[at..at + len].copy_from_slice(&new);
        }
        1 => {
            let count = 1 + rng.below(16);
            let new = rng.bytes(count);
            out.splice(at..at, new);
        }
        2 => {
            out.drain(at..at + len);
        }
        3 => {
            let again = out[at..at + len].to_vec();
            out.splice(at..at, again);
        }
        4 => {
            let chunk: Vec<u8> = out.drain(at..at + len).collect();
            let to = rng.below(out.len() + 1);
            out.splice(to..to, chunk);
        }
        _ => {
            let count = 1 + rng.below(64);
            out.extend(rng.bytes(count));
        }
    }
}

/// Says which input was being parsed while a panic passes through.
struct PrintOnPanic<'a>(&'a [u8]);

impl Drop for PrintOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let hex: String = self.0.iter().map(|b| format!("{b:02x}")).collect();
            eprintln!("the input was: {hex}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncations_are_all_shorter_ones() {
        let cuts: Vec<_> = truncations(b"abc").collect();
        assert_eq!(cuts, [&b""[..], b"a", b"ab"]);
    }

    #[test]
    fn lengths_lie_in_place_and_never_tell_the_truth() {
        let valid = [9, 0, 4, 9];
        let lies: Vec<u16> = lengths(&valid, &[Field::u16(1)])
            .map(|out| {
                assert_eq!((out[0], out[3], out.len()), (9, 9, 4));
                u16::from_be_bytes([out[1], out[2]])
            })
            .collect();
        assert_eq!(lies, [0, 1, 2, 3, 5, 8, 0x7fff, 0xffff]);
    }

    #[test]
    fn every_bit_and_every_byte_is_reached() {
        let valid = [0x00, 0x5a];
        let flips: Vec<_> = bit_flips(&valid).collect();
        assert_eq!(flips.len(), 16);
        assert!(flips.iter().all(|f| f[0].count_ones() + (f[1] ^ 0x5a).count_ones() == 1));
        assert_eq!(byte_values(&valid).count(), 4 + 5);
    }

    #[test]
    fn random_parts_replay_and_differ_from_the_original() {
        let valid: Vec<u8> = (0..100).collect();
        let a: Vec<_> = scrambles(&valid, 3, 200).collect();
        let b: Vec<_> = scrambles(&valid, 3, 200).collect();
        assert_eq!(a, b);
        assert!(a.iter().filter(|s| **s != valid).count() > 150);
        assert_eq!(noise(3, 10, 5).collect::<Vec<_>>(), noise(3, 10, 5).collect::<Vec<_>>());
        assert!(noise(3, 1000, 5).any(|n| n.is_empty()));
        assert!(noise(3, 1000, 5).any(|n| n.len() == 5));
    }

    #[test]
    fn all_survives_an_empty_message() {
        let mut count = 0;
        all(&[], &[], 1, |_| count += 1);
        assert_eq!(count, 1 + 1000);
    }
}
