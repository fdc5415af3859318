//! The SPIs that an endpoint has given out.

use alloc::collections::{BTreeMap, BTreeSet};

use adit_platform::Rng;
use adit_platform::rng::RngError;

use crate::config::Shard;
use crate::path::SaId;
use crate::wire::IkeSpi;

/// Our SPIs, no two of them the same, each beginning with the number of the shard.
pub(crate) struct SpiTable {
    shard: Shard,
    /// Of IKE SAs, and whose they are.
    ike: BTreeMap<IkeSpi, SaId>,
    /// Inbound ones of ESP SAs.
    child: BTreeSet<u32>,
}

/// How often an SPI is drawn before the random source is taken for broken. With a million child SAs in one
/// of 256 shards, a draw collides once in 16 times.
const ATTEMPTS: usize = 32;

impl SpiTable {
    pub(super) const fn new(shard: Shard) -> Self {
        Self { shard, ike: BTreeMap::new(), child: BTreeSet::new() }
    }

    /// Whose IKE SA this is our SPI of.
    pub(super) fn owner(&self, spi: IkeSpi) -> Option<SaId> {
        self.ike.get(&spi).copied()
    }

    /// A fresh SPI for an IKE SA of `owner`.
    ///
    /// Its first four octets are not all zero, so that it cannot be taken for a non-ESP marker.
    pub(crate) fn new_ike(&mut self, rng: &mut dyn Rng, owner: SaId) -> Result<IkeSpi, RngError> {
        for _ in 0..ATTEMPTS {
            let mut octets = [0; 8];
            rng.fill(&mut octets)?;
            let steered = steer(u64::from_be_bytes(octets), 64, self.shard);
            let spi = IkeSpi(steered.to_be_bytes());
            if steered >> 32 != 0 && !self.ike.contains_key(&spi) {
                self.ike.insert(spi, owner);
                return Ok(spi);
            }
        }
        Err(RngError)
    }

    pub(crate) fn release_ike(&mut self, spi: IkeSpi) {
        self.ike.remove(&spi);
    }

    /// A fresh inbound SPI for an ESP SA. The values up to 255 are reserved: RFC 4303 section 2.1.
    pub(crate) fn new_child(&mut self, rng: &mut dyn Rng) -> Result<u32, RngError> {
        for _ in 0..ATTEMPTS {
            let mut octets = [0; 4];
            rng.fill(&mut octets)?;
            let steered = steer(u64::from(u32::from_be_bytes(octets)), 32, self.shard);
            if let Ok(spi) = u32::try_from(steered)
                && spi > 255
                && self.child.insert(spi)
            {
                return Ok(spi);
            }
        }
        Err(RngError)
    }

    pub(crate) fn release_child(&mut self, spi: u32) {
        self.child.remove(&spi);
    }
}

/// Replaces the first bits of an SPI of `width` bits by the number of the shard.
fn steer(spi: u64, width: u32, shard: Shard) -> u64 {
    let bits = u32::from(shard.bits.min(16));
    if bits == 0 {
        return spi;
    }
    let below = width - bits;
    let index = u64::from(shard.index) & ((1 << bits) - 1);
    spi & ((1 << below) - 1) | index << below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_takes_the_first_bits() {
        let shard = Shard { index: 0b101, bits: 3 };
        assert_eq!(steer(u64::MAX, 64, shard) >> 61, 0b101);
        assert_eq!(steer(0, 32, shard), 0b101 << 29);
        assert_eq!(steer(0x1234, 32, Shard::default()), 0x1234);
        assert_eq!(steer(u64::MAX, 64, Shard::default()), u64::MAX);
    }

    #[test]
    fn a_random_source_that_repeats_itself_is_noticed() {
        struct Stuck;
        impl Rng for Stuck {
            fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
                out.fill(7);
                Ok(())
            }
        }
        let mut table = SpiTable::new(Shard::default());
        assert!(table.new_child(&mut Stuck).is_ok());
        assert_eq!(table.new_child(&mut Stuck), Err(RngError));
    }
}
