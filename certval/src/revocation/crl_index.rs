//! Finding a serial number among millions: a sorted array of hashes with a directory of their top bits.
//!
//! Eight bytes per entry, built by one sort, looked up with about two cache misses. The order is total (hash,
//! then serial number), so a CA that chose its serial numbers to collide gains nothing.

use alloc::vec;
use alloc::vec::Vec;

use crate::format::der::{Field, tag};

/// Serial numbers and the offsets of their entries in the DER.
pub(crate) struct Index {
    /// Hash in the upper half, offset in the lower; sorted by hash, then by serial number.
    slots: Vec<u64>,
    /// Start of each run of slots whose hashes have the same top bits; one more than there are runs.
    starts: Vec<u32>,
    /// How far to shift a hash to get its run.
    shift: u32,
}

pub(crate) struct IndexBuilder {
    slots: Vec<u64>,
}

impl IndexBuilder {
    pub(crate) fn with_capacity(entries: usize) -> Self {
        Self { slots: Vec::with_capacity(entries) }
    }

    #[inline]
    pub(crate) fn push(&mut self, serial: &[u8], offset: u32) {
        self.slots.push(u64::from(hash(serial)) << 32 | u64::from(offset));
    }

    /// Sorts; `der` is what the offsets point into.
    pub(crate) fn finish(mut self, der: &[u8]) -> Index {
        self.slots.sort_unstable();
        self.slots.shrink_to_fit();
        let mut rest = &mut self.slots[..];
        while let Some(&first) = rest.first() {
            let run = rest.iter().take_while(|&&slot| slot >> 32 == first >> 32).count();
            let (same, others) = core::mem::take(&mut rest).split_at_mut(run);
            if run > 1 {
                same.sort_unstable_by_key(|&slot| (serial_at(der, slot as u32), slot));
            }
            rest = others;
        }
        // About four slots to a run: half a cache line.
        let bits = (self.slots.len() / 4).checked_ilog2().unwrap_or(0);
        let shift = 32 - bits;
        let runs = 1_usize << bits;
        let mut starts = vec![0_u32; runs + 1];
        for &slot in &self.slots {
            let run = (u64::from((slot >> 32) as u32) >> shift) as usize;
            starts[run + 1] += 1;
        }
        for run in 0..runs {
            starts[run + 1] += starts[run];
        }
        Index { slots: self.slots, starts, shift }
    }
}

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn memory(&self) -> usize {
        self.slots.capacity() * size_of::<u64>() + self.starts.capacity() * size_of::<u32>()
    }

    /// Offsets of all entries with this serial number, in order. (Indirect CRLs can have several.)
    #[inline]
    pub(crate) fn find<'a>(
        &'a self,
        der: &'a [u8],
        serial: &'a [u8],
    ) -> impl Iterator<Item = u32> + 'a {
        let hash = hash(serial);
        let run = (u64::from(hash) >> self.shift) as usize;
        let start = self.starts.get(run).map_or(0, |&start| start as usize);
        let end = self.starts.get(run + 1).map_or(0, |&end| end as usize);
        let run = self.slots.get(start..end).unwrap_or_default();
        // Counting has no branches to mispredict. A run is long only if hashes were made to collide.
        let before = |slots: &[u64]| slots.iter().filter(|&&slot| hash_of(slot) < hash).count();
        let first = match run.len() {
            ..=32 => before(run),
            _ => run.partition_point(|&slot| hash_of(slot) < hash),
        };
        let mut same = &run[first..];
        // Each look at the DER may be a cache miss: two hashes are rarely the same, and one look will do.
        if let [_, second, ..] = same
            && hash_of(*second) == hash
        {
            let skip = same.partition_point(|&slot| {
                hash_of(slot) == hash && serial_at(der, slot as u32) < serial
            });
            same = &same[skip..];
        }
        same.iter()
            .take_while(move |&&slot| {
                hash_of(slot) == hash && serial_at(der, slot as u32) == serial
            })
            .map(|&slot| slot as u32)
    }
}

fn hash_of(slot: u64) -> u32 {
    (slot >> 32) as u32
}

/// The serial number of the entry at this offset.
#[inline]
fn serial_at(der: &[u8], offset: u32) -> &[u8] {
    let bytes = der.get(offset as usize..).unwrap_or_default();
    // Entries and serial numbers are short as a rule.
    if let [tag::SEQUENCE, ..0x80, tag::INTEGER, len @ ..0x80, rest @ ..] = bytes {
        return rest.get(..usize::from(*len)).unwrap_or_default();
    }
    let read = || Field { bytes, offset: 0 }.reader().sequence()?.read(tag::INTEGER);
    read().map_or(&[], |field| field.bytes)
}

/// Spreads serial numbers, which are random or consecutive, over 32 bits. Need not resist an adversary: see
/// the module's documentation.
#[inline]
fn hash(serial: &[u8]) -> u32 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = serial.len() as u64;
    let mut mix = |word: u64| {
        state = (state ^ word).wrapping_mul(K);
        state ^= state >> 29;
    };
    let (words, rest) = serial.as_chunks();
    words.iter().for_each(|word| mix(u64::from_be_bytes(*word)));
    if !rest.is_empty() {
        mix(rest.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)));
    }
    (state.wrapping_mul(K) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(serials: &[&[u8]]) -> (Vec<u8>, Index) {
        let mut der = Vec::new();
        let mut builder = IndexBuilder::with_capacity(0);
        for serial in serials {
            let len = serial.len() as u8;
            builder.push(serial, der.len() as u32);
            der.extend_from_slice(&[&[0x30, len + 2, 2, len], *serial].concat());
        }
        let index = builder.finish(&der);
        (der, index)
    }

    #[test]
    fn finds_each_and_nothing_else() {
        let serials: Vec<[u8; 4]> =
            (0..5_000_u32).map(|n| (n * 3 + 0x0100_0000).to_be_bytes()).collect();
        let slices: Vec<&[u8]> = serials.iter().map(|serial| &serial[..]).collect();
        let (der, index) = entries(&slices);
        for serial in &slices {
            let found: Vec<u32> = index.find(&der, serial).collect();
            assert_eq!(found.len(), 1);
            assert_eq!(serial_at(&der, found[0]), *serial);
        }
        for n in 0..5_000_u32 {
            assert_eq!(index.find(&der, &(n * 3 + 0x0100_0001).to_be_bytes()).count(), 0);
        }
    }

    #[test]
    fn equal_serials_come_in_order() {
        let (der, index) = entries(&[&[7], &[5], &[7], &[7]]);
        assert_eq!(index.find(&der, &[7]).collect::<Vec<_>>(), [0, 10, 15]);
        assert_eq!(index.find(&der, &[6]).count(), 0);
    }

    #[test]
    fn entries_of_any_length_are_found() {
        // Long enough for lengths of two octets, of the entry and of the serial number.
        let serials = [vec![1; 20], vec![2; 200], vec![3; 20]];
        let mut der = Vec::new();
        let mut builder = IndexBuilder::with_capacity(0);
        for serial in &serials {
            builder.push(serial, der.len() as u32);
            let integer = crate::format::encode::tlv(tag::INTEGER, &[serial]);
            der.extend_from_slice(&crate::format::encode::sequence(&[
                &integer,
                &[5, 0].repeat(60),
            ]));
        }
        let index = builder.finish(&der);
        for serial in &serials {
            assert_eq!(index.find(&der, serial).count(), 1);
        }
    }

    /// Whoever chooses serial numbers that collide gets a binary search and not a walk.
    #[test]
    fn collisions_are_found_among_each_other() {
        let same = hash(&0_u64.to_be_bytes());
        let colliding: Vec<[u8; 8]> = (0..)
            .map(|n: u64| n.to_be_bytes())
            .filter(|serial| hash(serial) >> 12 == same >> 12)
            .take(100)
            .collect();
        let slices: Vec<&[u8]> = colliding.iter().map(|serial| &serial[..]).collect();
        let (der, index) = entries(&slices);
        for serial in &slices {
            assert_eq!(index.find(&der, serial).count(), 1);
        }
    }

    #[test]
    fn an_empty_index_finds_nothing() {
        let (der, index) = entries(&[]);
        assert_eq!(index.find(&der, &[1]).count(), 0);
    }
}
