//! Randomness for tests: the same bytes for the same seed, on every machine.

use adit_platform::Rng;
use adit_platform::rng::RngError;

/// A SplitMix64 generator: small, fast, well distributed, and **not** secret in any sense.
///
/// ```
/// use adit_platform::Rng;
/// use adit_testkit::rng::SeededRng;
///
/// let (mut a, mut b) = ([0; 32], [0; 32]);
/// SeededRng::new(7).fill(&mut a)?;
/// SeededRng::new(7).fill(&mut b)?;
/// assert_eq!(a, b);
/// # Ok::<(), adit_platform::rng::RngError>(())
/// ```
#[derive(Clone, Debug)]
pub struct SeededRng(u64);

impl SeededRng {
    /// A generator whose whole output is decided by `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; zero when `bound` is zero.
    ///
    /// The bias of the multiplication is below 2⁻³² for bounds that a test asks for.
    pub fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.next_u64()) * bound as u128;
        (wide >> 64) as usize
    }

    /// True `percent` times in a hundred; always from 100 on.
    pub fn chance(&mut self, percent: u8) -> bool {
        self.below(100) < usize::from(percent)
    }

    /// `len` random bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(len);
        while out.len() < len {
            let word = self.next_u64().to_le_bytes();
            let take = word.len().min(len - out.len());
            out.extend_from_slice(&word[..take]);
        }
        out
    }

    /// A generator of its own for a part of the test, so that one part's draws do not shift another's.
    pub const fn fork(&mut self) -> Self {
        Self(self.next_u64())
    }
}

impl Rng for SeededRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference output of SplitMix64 for the seed 1234567, as published with its C source.
    #[test]
    fn matches_the_reference_sequence() {
        let mut rng = SeededRng::new(1_234_567);
        let out: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(
            out,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn below_stays_below_and_reaches_every_value() {
        let mut rng = SeededRng::new(1);
        let mut seen = [false; 10];
        for _ in 0..1000 {
            seen[rng.below(10)] = true;
        }
        assert_eq!(seen, [true; 10]);
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn chance_knows_never_and_always() {
        let mut rng = SeededRng::new(2);
        assert!((0..1000).all(|_| !rng.chance(0)));
        assert!((0..1000).all(|_| rng.chance(100)));
    }
}
