//! The host's source of unpredictable bytes.

use core::fmt;

/// A cryptographically secure source of random bytes.
///
/// A host passes its operating system's generator, a hardware generator or a seeded DRBG. The quality of
/// every nonce, SPI, IV and key in Adit is the quality of this source.
///
/// ```
/// use adit_platform::rng::{Rng, RngError};
///
/// /// A hardware generator that hands out one word at a time.
/// struct Trng(fn() -> u32);
///
/// impl Rng for Trng {
///     fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
///         for chunk in out.chunks_mut(4) {
///             chunk.copy_from_slice(&(self.0)().to_ne_bytes()[..chunk.len()]);
///         }
///         Ok(())
///     }
/// }
///
/// let mut spi = [0; 8];
/// Trng(|| 0x5eed_f00d).fill(&mut spi)?;
/// # Ok::<(), RngError>(())
/// ```
pub trait Rng: Send {
    /// Fills `out` whole with unpredictable bytes, or fails and leaves its content unspecified.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError>;
}

/// The host's random source failed; nothing that depends on it may go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RngError;

impl fmt::Display for RngError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host's random source failed")
    }
}

impl core::error::Error for RngError {}
