//! How a packet is protected: what IKEv2's `SK{}` and ESP have in common.

use crate::aead::AeadAlgorithm;
use crate::cipher::CipherAlgorithm;
use crate::mac::MacAlgorithm;

/// The algorithms that protect one direction of an IKE SA or an ESP SA.
///
/// IKEv2 negotiates it, ESP uses it; the wire sizes that both need are methods here.
///
/// ```
/// use adit_platform::suite::Suite;
/// use adit_platform::aead::AeadAlgorithm;
///
/// let suite = Suite::Aead(AeadAlgorithm::Aes256Gcm16);
/// assert_eq!((suite.encryption_key_len(), suite.iv_len(), suite.icv_len()), (36, 8, 16));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Suite {
    /// A combined-mode algorithm: RFC 4106, RFC 4309, RFC 4543, RFC 5282, RFC 7634.
    Aead(AeadAlgorithm),
    /// A combined-mode algorithm whose packets carry no IV, because it is the sequence number: RFC 8750.
    /// For ESP only, for an SA with one sender, and for the algorithms that say
    /// [`AeadAlgorithm::has_implicit_iv`].
    AeadImplicitIv(AeadAlgorithm),
    /// Encrypt-then-MAC: RFC 7296 section 3.14, RFC 4303 section 3.3.2.1.
    CipherMac(CipherAlgorithm, MacAlgorithm),
    /// Integrity without encryption: ENCR_NULL, RFC 2410. For ESP only.
    ///
    /// Everybody on the way can read the packets. It is for tests and for measuring, and is used where
    /// it is configured by this name alone.
    DangerousNull(MacAlgorithm),
}

impl Suite {
    /// Every suite that has a name here, good or bad: for tests and benches, never for a policy.
    pub fn all() -> impl Iterator<Item = Self> {
        let aeads = AeadAlgorithm::ALL.iter().copied();
        let implicit = aeads.clone().filter(|aead| aead.has_implicit_iv());
        let macs = MacAlgorithm::ALL.iter().copied();
        let pairs = macs.clone().flat_map(|mac| {
            CipherAlgorithm::ALL.iter().map(move |cipher| Self::CipherMac(*cipher, mac))
        });
        let nulls = macs.map(Self::DangerousNull);
        aeads.map(Self::Aead).chain(implicit.map(Self::AeadImplicitIv)).chain(pairs).chain(nulls)
    }

    /// Bytes of keying material for encryption, in one direction, with the salt of a combined-mode
    /// algorithm and the nonce of a counter-mode one.
    pub const fn encryption_key_len(self) -> usize {
        match self {
            Self::Aead(aead) | Self::AeadImplicitIv(aead) => aead.key_len() + aead.salt_len(),
            Self::CipherMac(cipher, _) => cipher.key_len(),
            Self::DangerousNull(_) => 0,
        }
    }

    /// Bytes of keying material for integrity, in one direction; 0 for a combined-mode algorithm.
    pub const fn integrity_key_len(self) -> usize {
        match self {
            Self::Aead(_) | Self::AeadImplicitIv(_) => 0,
            Self::CipherMac(_, mac) | Self::DangerousNull(mac) => mac.key_len(),
        }
    }

    /// Bytes of IV that each packet carries.
    pub const fn iv_len(self) -> usize {
        match self {
            Self::Aead(_) => 8,
            Self::CipherMac(cipher, _) => cipher.iv_len(),
            Self::AeadImplicitIv(_) | Self::DangerousNull(_) => 0,
        }
    }

    /// Bytes of ICV at the end of each packet.
    pub const fn icv_len(self) -> usize {
        match self {
            Self::Aead(aead) | Self::AeadImplicitIv(aead) => aead.tag_len(),
            Self::CipherMac(_, mac) | Self::DangerousNull(mac) => mac.tag_len(),
        }
    }

    /// The multiple to which the cipher itself needs its plaintext padded, in bytes (1 if any length does).
    pub const fn block_len(self) -> usize {
        match self {
            Self::CipherMac(cipher, _) => cipher.block_len(),
            Self::Aead(_) | Self::AeadImplicitIv(_) | Self::DangerousNull(_) => 1,
        }
    }

    /// True if packets cannot be read on the way: for everything but GMAC and NULL.
    pub const fn encrypts(self) -> bool {
        match self {
            Self::Aead(aead) | Self::AeadImplicitIv(aead) => aead.encrypts(),
            Self::CipherMac(..) => true,
            Self::DangerousNull(_) => false,
        }
    }

    /// True if an IKE SA may be protected by it: RFC 7296 section 3.14 and RFC 5282 want encryption, and
    /// RFC 8750 section 7 wants an IV in every message.
    pub const fn is_for_ike(self) -> bool {
        self.encrypts() && !matches!(self, Self::AeadImplicitIv(_))
    }
}
