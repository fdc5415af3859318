//! What the suites share: the providers under test, and randomness that says what it is told.
#![allow(dead_code, reason = "each suite uses its own part")]

use adit_platform::rng::{Rng, RngError};
use adit_platform::{Provider, ring, rustcrypto, simd};

/// Every suite runs for each of these.
pub(crate) const PROVIDERS: [&Provider; 3] =
    [&ring::PROVIDER, &rustcrypto::PROVIDER, &simd::PROVIDER];

/// True for ring and what is built on it: its X25519, P-256 and P-384 key pairs, and the randomness in the
/// signatures that it makes itself, come from the operating system and not from the caller.
pub(crate) fn asks_the_system(provider: &Provider) -> bool {
    matches!(provider.name, "ring" | "simd")
}

/// Hands out the given bytes and then fails: injects the private values of test vectors.
pub(crate) struct FixedRng<'a>(pub(crate) &'a [u8]);

impl Rng for FixedRng<'_> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        let (now, later) = self.0.split_at_checked(out.len()).ok_or(RngError)?;
        out.copy_from_slice(now);
        self.0 = later;
        Ok(())
    }
}

/// A source that is out of order.
pub(crate) struct BrokenRng;

impl Rng for BrokenRng {
    fn fill(&mut self, _out: &mut [u8]) -> Result<(), RngError> {
        Err(RngError)
    }
}

/// Decodes hexadecimal digits; everything else in `text` is skipped, so that vectors can be laid out
/// as their RFC prints them.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    assert!(digits.len().is_multiple_of(2), "odd number of digits");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
