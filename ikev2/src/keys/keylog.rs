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
            Suite::Aead(AeadAlgorithm::Aes128Gcm16) => {
                ("AES-GCM-128 with 16 octet ICV [RFC5282]", NONE)
            }
            Suite::Aead(AeadAlgorithm::Aes256Gcm16) => {
                ("AES-GCM-256 with 16 octet ICV [RFC5282]", NONE)
            }
            Suite::CipherMac(cipher, mac) => (
                match cipher {
                    CipherAlgorithm::Aes128Cbc => "AES-CBC-128 [RFC3602]",
                    _ => "AES-CBC-256 [RFC3602]",
                },
                match mac {
                    MacAlgorithm::HmacSha2_256_128 => "HMAC_SHA2_256_128 [RFC4868]",
                    MacAlgorithm::HmacSha2_384_192 => "HMAC_SHA2_384_192 [RFC4868]",
                    _ => "HMAC_SHA2_512_256 [RFC4868]",
                },
            ),
            _ => ("ChaCha20-Poly1305 [RFC7634]", NONE),
        };
        format!(
            "{spi_i},{spi_r},{},{},\"{encryption}\",{},{},\"{integrity}\"",
            hex(&self.sk_ei),
            hex(&self.sk_er),
            hex(&self.sk_ai),
            hex(&self.sk_ar),
        )
    }
}

const NONE: &str = "NONE [RFC4306]";

fn hex(secret: &Secret) -> String {
    let mut hex = String::with_capacity(2 * secret.len());
    for byte in secret.expose() {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
