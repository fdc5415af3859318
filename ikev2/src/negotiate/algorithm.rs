//! Algorithms of the platform as transforms, and back.

use adit_platform::Suite;
use adit_platform::aead::AeadAlgorithm;
use adit_platform::cipher::CipherAlgorithm;
use adit_platform::kex::KexAlgorithm;
use adit_platform::mac::MacAlgorithm;
use adit_platform::prf::PrfAlgorithm;

use crate::wire::{
    Attribute, AttributeValue, EncryptionId, IntegrityId, KeMethod, PrfId, Transform, TransformType,
};

/// The encryption half of a suite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Encryption {
    Aead(AeadAlgorithm),
    AeadImplicitIv(AeadAlgorithm),
    Cipher(CipherAlgorithm),
    Null,
}

impl Encryption {
    /// The two halves of a suite; a combined-mode algorithm has no other.
    pub(super) fn of(suite: Suite) -> Option<(Self, Option<MacAlgorithm>)> {
        match suite {
            Suite::Aead(aead) => Some((Self::Aead(aead), None)),
            Suite::AeadImplicitIv(aead) => Some((Self::AeadImplicitIv(aead), None)),
            Suite::CipherMac(cipher, mac) => Some((Self::Cipher(cipher), Some(mac))),
            Suite::DangerousNull(mac) => Some((Self::Null, Some(mac))),
            _ => None,
        }
    }

    /// The suite, if it is a whole one without an integrity algorithm.
    pub(super) fn combined(self) -> Option<Suite> {
        match self {
            Self::Aead(aead) => Some(Suite::Aead(aead)),
            Self::AeadImplicitIv(aead) => Some(Suite::AeadImplicitIv(aead)),
            Self::Cipher(_) | Self::Null => None,
        }
    }

    /// The suite that `mac` completes it to.
    pub(super) fn with(self, mac: MacAlgorithm) -> Option<Suite> {
        match self {
            Self::Cipher(cipher) => Some(Suite::CipherMac(cipher, mac)),
            Self::Null => Some(Suite::DangerousNull(mac)),
            Self::Aead(_) | Self::AeadImplicitIv(_) => None,
        }
    }

    /// The algorithm of an ENCR transform, if it is one of ours.
    ///
    /// AES takes a Key Length attribute and must have it (RFC 7296 section 3.3.5, RFC 5282 section 7.2);
    /// ChaCha20-Poly1305 has none and must not have it (RFC 7634 section 2).
    pub(super) fn from_transform(transform: &Transform) -> Option<Self> {
        let key_length = match transform.attributes.as_slice() {
            [] => None,
            [
                Attribute {
                    attribute_type: Attribute::KEY_LENGTH,
                    value: AttributeValue::Short(bits),
                },
            ] => Some(*bits),
            _ => return None,
        };
        let id = EncryptionId(transform.id);
        let mut known = ENCRYPTIONS.iter();
        known.find(|known| (known.1, known.2) == (id, key_length)).map(|known| known.0)
    }

    pub(super) fn to_transform(self) -> Option<Transform> {
        let (_, id, key_length) = ENCRYPTIONS.iter().find(|known| known.0 == self)?;
        Some(match key_length {
            Some(bits) => Transform::with_key_length(TransformType::ENCRYPTION, id.0, *bits),
            None => Transform::new(TransformType::ENCRYPTION, id.0),
        })
    }
}

/// Algorithms, their numbers and the value of the Key Length attribute in bits: RFC 4106 section 8.3,
/// RFC 4309 section 7.4, RFC 4543 section 5.3, RFC 7634 section 2, RFC 8750 section 8, RFC 3602 section 5.3,
/// RFC 3686 section 5.2, RFC 2410.
const ENCRYPTIONS: [(Encryption, EncryptionId, Option<u16>); 36] = {
    use AeadAlgorithm::*;
    use CipherAlgorithm::*;
    use Encryption::*;
    [
        (Aead(Aes128Gcm16), EncryptionId::ENCR_AES_GCM_16, Some(128)),
        (Aead(Aes192Gcm16), EncryptionId::ENCR_AES_GCM_16, Some(192)),
        (Aead(Aes256Gcm16), EncryptionId::ENCR_AES_GCM_16, Some(256)),
        (Aead(Aes128Gcm12), EncryptionId::ENCR_AES_GCM_12, Some(128)),
        (Aead(Aes192Gcm12), EncryptionId::ENCR_AES_GCM_12, Some(192)),
        (Aead(Aes256Gcm12), EncryptionId::ENCR_AES_GCM_12, Some(256)),
        (Aead(Aes128Gcm8), EncryptionId::ENCR_AES_GCM_8, Some(128)),
        (Aead(Aes192Gcm8), EncryptionId::ENCR_AES_GCM_8, Some(192)),
        (Aead(Aes256Gcm8), EncryptionId::ENCR_AES_GCM_8, Some(256)),
        (Aead(Aes128Ccm16), EncryptionId::ENCR_AES_CCM_16, Some(128)),
        (Aead(Aes192Ccm16), EncryptionId::ENCR_AES_CCM_16, Some(192)),
        (Aead(Aes256Ccm16), EncryptionId::ENCR_AES_CCM_16, Some(256)),
        (Aead(Aes128Ccm12), EncryptionId::ENCR_AES_CCM_12, Some(128)),
        (Aead(Aes192Ccm12), EncryptionId::ENCR_AES_CCM_12, Some(192)),
        (Aead(Aes256Ccm12), EncryptionId::ENCR_AES_CCM_12, Some(256)),
        (Aead(Aes128Ccm8), EncryptionId::ENCR_AES_CCM_8, Some(128)),
        (Aead(Aes192Ccm8), EncryptionId::ENCR_AES_CCM_8, Some(192)),
        (Aead(Aes256Ccm8), EncryptionId::ENCR_AES_CCM_8, Some(256)),
        (Aead(Aes128Gmac), EncryptionId::ENCR_NULL_AUTH_AES_GMAC, Some(128)),
        (Aead(Aes192Gmac), EncryptionId::ENCR_NULL_AUTH_AES_GMAC, Some(192)),
        (Aead(Aes256Gmac), EncryptionId::ENCR_NULL_AUTH_AES_GMAC, Some(256)),
        (Aead(ChaCha20Poly1305), EncryptionId::ENCR_CHACHA20_POLY1305, None),
        (AeadImplicitIv(Aes128Gcm16), EncryptionId::ENCR_AES_GCM_16_IIV, Some(128)),
        (AeadImplicitIv(Aes192Gcm16), EncryptionId::ENCR_AES_GCM_16_IIV, Some(192)),
        (AeadImplicitIv(Aes256Gcm16), EncryptionId::ENCR_AES_GCM_16_IIV, Some(256)),
        (AeadImplicitIv(Aes128Ccm8), EncryptionId::ENCR_AES_CCM_8_IIV, Some(128)),
        (AeadImplicitIv(Aes192Ccm8), EncryptionId::ENCR_AES_CCM_8_IIV, Some(192)),
        (AeadImplicitIv(Aes256Ccm8), EncryptionId::ENCR_AES_CCM_8_IIV, Some(256)),
        (AeadImplicitIv(ChaCha20Poly1305), EncryptionId::ENCR_CHACHA20_POLY1305_IIV, None),
        (Cipher(Aes128Cbc), EncryptionId::ENCR_AES_CBC, Some(128)),
        (Cipher(Aes192Cbc), EncryptionId::ENCR_AES_CBC, Some(192)),
        (Cipher(Aes256Cbc), EncryptionId::ENCR_AES_CBC, Some(256)),
        (Cipher(Aes128Ctr), EncryptionId::ENCR_AES_CTR, Some(128)),
        (Cipher(Aes192Ctr), EncryptionId::ENCR_AES_CTR, Some(192)),
        (Cipher(Aes256Ctr), EncryptionId::ENCR_AES_CTR, Some(256)),
        (Null, EncryptionId::ENCR_NULL, None),
    ]
};

const MACS: [(MacAlgorithm, IntegrityId); 5] = [
    (MacAlgorithm::HmacSha2_256_128, IntegrityId::AUTH_HMAC_SHA2_256_128),
    (MacAlgorithm::HmacSha2_384_192, IntegrityId::AUTH_HMAC_SHA2_384_192),
    (MacAlgorithm::HmacSha2_512_256, IntegrityId::AUTH_HMAC_SHA2_512_256),
    (MacAlgorithm::AesXcbc96, IntegrityId::AUTH_AES_XCBC_96),
    (MacAlgorithm::AesCmac96, IntegrityId::AUTH_AES_CMAC_96),
];

const PRFS: [(PrfAlgorithm, PrfId); 3] = [
    (PrfAlgorithm::HmacSha2_256, PrfId::PRF_HMAC_SHA2_256),
    (PrfAlgorithm::HmacSha2_384, PrfId::PRF_HMAC_SHA2_384),
    (PrfAlgorithm::HmacSha2_512, PrfId::PRF_HMAC_SHA2_512),
];

const KEY_EXCHANGES: [(KexAlgorithm, KeMethod); 7] = [
    (KexAlgorithm::X25519, KeMethod::CURVE25519),
    (KexAlgorithm::P256, KeMethod::ECP_256),
    (KexAlgorithm::P384, KeMethod::ECP_384),
    (KexAlgorithm::Modp2048, KeMethod::MODP_2048),
    (KexAlgorithm::Modp3072, KeMethod::MODP_3072),
    (KexAlgorithm::Modp4096, KeMethod::MODP_4096),
    (KexAlgorithm::MlKem768, KeMethod::ML_KEM_768),
];

/// The number of an integrity algorithm.
pub(super) fn integrity_id(mac: MacAlgorithm) -> Option<IntegrityId> {
    MACS.iter().find(|(known, _)| *known == mac).map(|(_, id)| *id)
}

/// The integrity algorithm of this number.
pub(super) fn mac_algorithm(id: IntegrityId) -> Option<MacAlgorithm> {
    MACS.iter().find(|(_, known)| *known == id).map(|(mac, _)| *mac)
}

/// The number of a PRF.
pub(super) fn prf_id(prf: PrfAlgorithm) -> Option<PrfId> {
    PRFS.iter().find(|(known, _)| *known == prf).map(|(_, id)| *id)
}

/// The PRF of this number.
pub(super) fn prf_algorithm(id: PrfId) -> Option<PrfAlgorithm> {
    PRFS.iter().find(|(_, known)| *known == id).map(|(prf, _)| *prf)
}

/// The number of a key exchange method.
pub(crate) fn ke_method(kex: KexAlgorithm) -> KeMethod {
    KEY_EXCHANGES.iter().find(|(known, _)| *known == kex).map_or(KeMethod::NONE, |(_, id)| *id)
}

/// The key exchange method of this number.
pub(crate) fn kex_algorithm(id: KeMethod) -> Option<KexAlgorithm> {
    KEY_EXCHANGES.iter().find(|(_, known)| *known == id).map(|(kex, _)| *kex)
}
