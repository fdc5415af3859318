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
    Cipher(CipherAlgorithm),
}

impl Encryption {
    pub(super) fn of(suite: Suite) -> Option<Self> {
        match suite {
            Suite::Aead(aead) => Some(Self::Aead(aead)),
            Suite::CipherMac(cipher, _) => Some(Self::Cipher(cipher)),
            _ => None,
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
        match (EncryptionId(transform.id), key_length) {
            (EncryptionId::ENCR_AES_GCM_16, Some(128)) => {
                Some(Self::Aead(AeadAlgorithm::Aes128Gcm16))
            }
            (EncryptionId::ENCR_AES_GCM_16, Some(256)) => {
                Some(Self::Aead(AeadAlgorithm::Aes256Gcm16))
            }
            (EncryptionId::ENCR_CHACHA20_POLY1305, None) => {
                Some(Self::Aead(AeadAlgorithm::ChaCha20Poly1305))
            }
            (EncryptionId::ENCR_AES_CBC, Some(128)) => {
                Some(Self::Cipher(CipherAlgorithm::Aes128Cbc))
            }
            (EncryptionId::ENCR_AES_CBC, Some(256)) => {
                Some(Self::Cipher(CipherAlgorithm::Aes256Cbc))
            }
            _ => None,
        }
    }

    pub(super) fn to_transform(self) -> Option<Transform> {
        let aes = |id: EncryptionId, bits| {
            Some(Transform::with_key_length(TransformType::ENCRYPTION, id.0, bits))
        };
        match self {
            Self::Aead(AeadAlgorithm::Aes128Gcm16) => aes(EncryptionId::ENCR_AES_GCM_16, 128),
            Self::Aead(AeadAlgorithm::Aes256Gcm16) => aes(EncryptionId::ENCR_AES_GCM_16, 256),
            Self::Aead(AeadAlgorithm::ChaCha20Poly1305) => Some(Transform::new(
                TransformType::ENCRYPTION,
                EncryptionId::ENCR_CHACHA20_POLY1305.0,
            )),
            Self::Cipher(CipherAlgorithm::Aes128Cbc) => aes(EncryptionId::ENCR_AES_CBC, 128),
            Self::Cipher(CipherAlgorithm::Aes256Cbc) => aes(EncryptionId::ENCR_AES_CBC, 256),
            _ => None,
        }
    }
}

const MACS: [(MacAlgorithm, IntegrityId); 3] = [
    (MacAlgorithm::HmacSha2_256_128, IntegrityId::AUTH_HMAC_SHA2_256_128),
    (MacAlgorithm::HmacSha2_384_192, IntegrityId::AUTH_HMAC_SHA2_384_192),
    (MacAlgorithm::HmacSha2_512_256, IntegrityId::AUTH_HMAC_SHA2_512_256),
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
