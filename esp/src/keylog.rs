//! ESP keys in the format that Wireshark reads.

use alloc::string::String;
use core::fmt::Write;
use core::net::IpAddr;

use adit_platform::Suite;
use adit_platform::aead::AeadAlgorithm;
use adit_platform::cipher::CipherAlgorithm;
use adit_platform::mac::MacAlgorithm;

use crate::config::{SaConfig, SaKeys};

/// A line for Wireshark's `esp_sa` table that lets it decrypt one direction of an SA between `source`
/// and `destination`; `None` for a suite that Wireshark 4.0 does not
/// know: AES-CCM, AES-GMAC, ChaCha20-Poly1305, implicit IVs.
///
/// Whoever has the line can read the SA's traffic, and forge it.
///
/// ```
/// use adit_esp::keylog::dangerous_esp_sa_line;
/// use adit_esp::{SaConfig, SaKeys, Spi};
/// use adit_platform::aead::AeadAlgorithm;
/// use adit_platform::{Secret, Suite};
///
/// let config = SaConfig::new(Spi(0xc0de), Suite::Aead(AeadAlgorithm::Aes128Gcm16));
/// let keys = SaKeys::new(Secret::copy_from(&[0xab; 20]), Secret::copy_from(&[]));
/// let line = dangerous_esp_sa_line(&config, &keys, [10, 0, 0, 1].into(), [10, 0, 0, 2].into());
/// assert_eq!(
///     line.as_deref(),
///     Some(
///         "\"IPv4\",\"10.0.0.1\",\"10.0.0.2\",\"0x0000c0de\",\"AES-GCM with 16 octet ICV [RFC4106]\",\
///          \"0xabababababababababababababababababababab\",\"NULL\",\"0x\""
///     )
/// );
/// ```
pub fn dangerous_esp_sa_line(
    config: &SaConfig,
    keys: &SaKeys,
    source: IpAddr,
    destination: IpAddr,
) -> Option<String> {
    let (encryption, integrity) = names(config.suite)?;
    let family = if source.is_ipv4() { "IPv4" } else { "IPv6" };
    let mut line = String::new();
    write!(
        line,
        "\"{family}\",\"{source}\",\"{destination}\",\"{}\",\"{encryption}\",\"0x",
        config.spi
    )
    .ok()?;
    write_hex(&mut line, keys.encryption.expose());
    write!(line, "\",\"{integrity}\",\"0x").ok()?;
    write_hex(&mut line, keys.integrity.expose());
    line.push('"');
    Some(line)
}

fn names(suite: Suite) -> Option<(&'static str, &'static str)> {
    use AeadAlgorithm::*;
    match suite {
        Suite::Aead(aead) => {
            let name = match aead {
                Aes128Gcm16 | Aes192Gcm16 | Aes256Gcm16 => "AES-GCM with 16 octet ICV [RFC4106]",
                Aes128Gcm12 | Aes192Gcm12 | Aes256Gcm12 => "AES-GCM with 12 octet ICV [RFC4106]",
                Aes128Gcm8 | Aes192Gcm8 | Aes256Gcm8 => "AES-GCM with 8 octet ICV [RFC4106]",
                _ => return None,
            };
            Some((name, "NULL"))
        }
        Suite::CipherMac(cipher, mac) => Some((cipher_name(cipher)?, mac_name(mac)?)),
        Suite::DangerousNull(mac) => Some(("NULL", mac_name(mac)?)),
        _ => None,
    }
}

fn cipher_name(cipher: CipherAlgorithm) -> Option<&'static str> {
    use CipherAlgorithm::*;
    match cipher {
        Aes128Cbc | Aes192Cbc | Aes256Cbc => Some("AES-CBC [RFC3602]"),
        Aes128Ctr | Aes192Ctr | Aes256Ctr => Some("AES-CTR [RFC3686]"),
        _ => None,
    }
}

/// Wireshark knows no MAC made of AES: it takes the ICV's length and does not check it.
fn mac_name(mac: MacAlgorithm) -> Option<&'static str> {
    match mac {
        MacAlgorithm::HmacSha2_256_128 => Some("HMAC-SHA-256-128 [RFC4868]"),
        MacAlgorithm::HmacSha2_384_192 => Some("HMAC-SHA-384-192 [RFC4868]"),
        MacAlgorithm::HmacSha2_512_256 => Some("HMAC-SHA-512-256 [RFC4868]"),
        MacAlgorithm::AesXcbc96 | MacAlgorithm::AesCmac96 => {
            Some("ANY 96 bit authentication [no checking]")
        }
        _ => None,
    }
}

fn write_hex(line: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        line.push(DIGITS[usize::from(byte >> 4)].into());
        line.push(DIGITS[usize::from(byte & 15)].into());
    }
}
