//! The key log: lines in the format of Wireshark's `ikev2_decryption_table`.

use alloc::format;
use alloc::string::String;
use core::fmt::Write;

use adit_platform::aead::AeadAlgorithm;
use adit_platform::cipher::CipherAlgorithm;
use adit_platform::mac::MacAlgorithm;
use adit_platform::{Secret, Suite};

use super::schedule::IkeKeys;
use crate::wire::IkeSpi;

impl IkeKeys {
    /// One line (without line end) with which Wireshark and tshark decrypt this IKE SA.
    ///
    /// Whoever reads it reads the SA. tshark 4.0 knows no ChaCha20-Poly1305; its line names the algorithm
    /// nevertheless.
    pub(crate) fn dangerous_key_log_line(&self, spi_i: IkeSpi, spi_r: IkeSpi) -> String {
        let (encryption, integrity) = match self.suite() {
            Suite::Aead(aead) => (aead_name(aead), "NONE [RFC4306]"),
            Suite::CipherMac(cipher, mac) => (cipher_name(cipher), mac_name(mac)),
            _ => ("no algorithm of IKE", "NONE [RFC4306]"),
        };
        // Wireshark wants no key of an algorithm that it does not check.
        let (sk_ai, sk_ar) = match integrity {
            UNCHECKED => (String::new(), String::new()),
            _ => (hex(&self.sk_ai), hex(&self.sk_ar)),
        };
        format!(
            "{spi_i},{spi_r},{},{},\"{encryption}\",{},{},\"{integrity}\"",
            hex(&self.sk_ei),
            hex(&self.sk_er),
            sk_ai,
            sk_ar,
        )
    }
}

fn aead_name(aead: AeadAlgorithm) -> &'static str {
    match aead {
        AeadAlgorithm::Aes128Gcm16 => "AES-GCM-128 with 16 octet ICV [RFC5282]",
        AeadAlgorithm::Aes192Gcm16 => "AES-GCM-192 with 16 octet ICV [RFC5282]",
        AeadAlgorithm::Aes256Gcm16 => "AES-GCM-256 with 16 octet ICV [RFC5282]",
        AeadAlgorithm::Aes128Gcm12 => "AES-GCM-128 with 12 octet ICV [RFC5282]",
        AeadAlgorithm::Aes192Gcm12 => "AES-GCM-192 with 12 octet ICV [RFC5282]",
        AeadAlgorithm::Aes256Gcm12 => "AES-GCM-256 with 12 octet ICV [RFC5282]",
        AeadAlgorithm::Aes128Gcm8 => "AES-GCM-128 with 8 octet ICV [RFC5282]",
        AeadAlgorithm::Aes192Gcm8 => "AES-GCM-192 with 8 octet ICV [RFC5282]",
        AeadAlgorithm::Aes256Gcm8 => "AES-GCM-256 with 8 octet ICV [RFC5282]",
        AeadAlgorithm::Aes128Ccm16 => "AES-CCM-128 with 16 octet ICV [RFC5282]",
        AeadAlgorithm::Aes192Ccm16 => "AES-CCM-192 with 16 octet ICV [RFC5282]",
        AeadAlgorithm::Aes256Ccm16 => "AES-CCM-256 with 16 octet ICV [RFC5282]",
        AeadAlgorithm::Aes128Ccm12 => "AES-CCM-128 with 12 octet ICV [RFC5282]",
        AeadAlgorithm::Aes192Ccm12 => "AES-CCM-192 with 12 octet ICV [RFC5282]",
        AeadAlgorithm::Aes256Ccm12 => "AES-CCM-256 with 12 octet ICV [RFC5282]",
        AeadAlgorithm::Aes128Ccm8 => "AES-CCM-128 with 8 octet ICV [RFC5282]",
        AeadAlgorithm::Aes192Ccm8 => "AES-CCM-192 with 8 octet ICV [RFC5282]",
        AeadAlgorithm::Aes256Ccm8 => "AES-CCM-256 with 8 octet ICV [RFC5282]",
        _ => "ChaCha20-Poly1305 [RFC7634]",
    }
}

fn cipher_name(cipher: CipherAlgorithm) -> &'static str {
    match cipher {
        CipherAlgorithm::Aes128Cbc => "AES-CBC-128 [RFC3602]",
        CipherAlgorithm::Aes192Cbc => "AES-CBC-192 [RFC3602]",
        CipherAlgorithm::Aes128Ctr => "AES-CTR-128 [RFC5930]",
        CipherAlgorithm::Aes192Ctr => "AES-CTR-192 [RFC5930]",
        CipherAlgorithm::Aes256Ctr => "AES-CTR-256 [RFC5930]",
        _ => "AES-CBC-256 [RFC3602]",
    }
}

const UNCHECKED: &str = "ANY 96-bits of Authentication [No Checking]";

/// Wireshark knows no MAC made of AES: it takes the ICV's length and does not check it.
fn mac_name(mac: MacAlgorithm) -> &'static str {
    match mac {
        MacAlgorithm::HmacSha2_256_128 => "HMAC_SHA2_256_128 [RFC4868]",
        MacAlgorithm::HmacSha2_384_192 => "HMAC_SHA2_384_192 [RFC4868]",
        MacAlgorithm::AesXcbc96 | MacAlgorithm::AesCmac96 => UNCHECKED,
        _ => "HMAC_SHA2_512_256 [RFC4868]",
    }
}

fn hex(secret: &Secret) -> String {
    let mut hex = String::with_capacity(2 * secret.len());
    for byte in secret.expose() {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
