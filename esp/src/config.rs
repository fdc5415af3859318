//! What an SA is made of.

use adit_platform::{Secret, Suite};

use crate::error::{KeyKind, SetupError};
use crate::lifetime::Lifetime;
use crate::packet::Spi;

/// One direction of an SA pair, as IKE negotiated it.
///
/// Construct it with [`SaConfig::new`] and change what differs.
///
/// ```
/// use adit_esp::{Mode, SaConfig, Spi};
/// use adit_platform::Suite;
/// use adit_platform::aead::AeadAlgorithm;
///
/// let mut config = SaConfig::new(Spi(0x1234), Suite::Aead(AeadAlgorithm::Aes256Gcm16));
/// config.extended_sequence_numbers = true;
/// assert_eq!(config.mode, Mode::Tunnel);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SaConfig {
    /// The SPI that packets carry: chosen by the receiver.
    pub spi: Spi,
    /// The algorithms.
    pub suite: Suite,
    /// What travels inside. Tunnel mode unless changed.
    pub mode: Mode,
    /// 64-bit sequence numbers, of which packets carry the low half: RFC 4303 section 2.2.1. Off unless
    /// changed.
    pub extended_sequence_numbers: bool,
    /// When the SA is to be replaced and when it stops working. Without limit unless changed.
    pub lifetime: Lifetime,
}

impl SaConfig {
    /// A tunnel-mode SA with 32-bit sequence numbers and no limit but these.
    pub const fn new(spi: Spi, suite: Suite) -> Self {
        Self {
            spi,
            suite,
            mode: Mode::Tunnel,
            extended_sequence_numbers: false,
            lifetime: Lifetime::UNLIMITED,
        }
    }
}

/// What an SA carries: RFC 4301 section 4.1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// Whole IP packets.
    Tunnel,
    /// What follows the IP header of packets between the two ends themselves.
    Transport,
}

/// Keying material of one direction: the parts of KEYMAT, RFC 7296 section 2.17.
///
/// ```
/// use adit_esp::SaKeys;
/// use adit_platform::Secret;
///
/// // 16 bytes of AES key and 4 of salt; a combined-mode suite has no integrity key.
/// let keys = SaKeys::new(Secret::copy_from(&[7; 20]), Secret::copy_from(&[]));
/// assert_eq!(format!("{keys:?}"), "SaKeys { encryption: Secret(20 bytes), integrity: Secret(0 bytes) }");
/// ```
#[derive(Debug)]
pub struct SaKeys {
    pub(crate) encryption: Secret,
    pub(crate) integrity: Secret,
}

impl SaKeys {
    /// The encryption key, [`Suite::encryption_key_len`] bytes with the salt behind it where the suite
    /// has one, and the integrity key, [`Suite::integrity_key_len`] bytes.
    pub fn new(encryption: Secret, integrity: Secret) -> Self {
        Self { encryption, integrity }
    }

    pub(crate) fn check(&self, suite: Suite) -> Result<(), SetupError> {
        let check = |key, expected, given| {
            (expected == given).then_some(()).ok_or(SetupError::KeyLength { key, expected, given })
        };
        check(KeyKind::Encryption, suite.encryption_key_len(), self.encryption.len())?;
        check(KeyKind::Integrity, suite.integrity_key_len(), self.integrity.len())
    }
}
