//! `[ike]`, `[debug]`, and the kinds of values that both configurations have.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use adit::{KeyLogLine, Policy};
use adit_ikev2::{EndpointConfig, Identity, Lifetime};
use adit_platform::signature::SignatureScheme;
use ipnet::IpNet;
use serde::Deserialize;
use toml::Spanned;

use super::file::{ConfigError, File};

/// Algorithms, lifetimes and sizes.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ike {
    proposals: Option<Vec<Spanned<String>>>,
    esp_proposals: Option<Vec<Spanned<String>>>,
    rekey: Option<Spanned<String>>,
    child_rekey: Option<Spanned<String>>,
    liveness: Option<Spanned<String>>,
    fragment_size: Option<Spanned<usize>>,
    cookies: Option<Spanned<String>>,
    signatures: Option<Spanned<String>>,
}

impl Ike {
    pub(crate) fn policy(&self, file: &File) -> Result<Policy, ConfigError> {
        let mut policy = Policy::default();
        if let Some(proposals) = &self.proposals {
            policy.ike_proposals = file.values(proposals, |text| {
                adit::proposal::parse_ike(text).map_err(|error| error.to_string())
            })?;
        }
        if let Some(proposals) = &self.esp_proposals {
            policy.esp_proposals = file.values(proposals, |text| {
                adit::proposal::parse_esp(text).map_err(|error| error.to_string())
            })?;
        }
        if let Some(rekey) = &self.rekey {
            policy.ike_lifetime = Lifetime::new(file.value(rekey, duration)?);
        }
        if let Some(rekey) = &self.child_rekey {
            policy.child_lifetime = Lifetime::new(file.value(rekey, duration)?);
        }
        if let Some(liveness) = &self.liveness {
            policy.liveness_interval = Some(file.value(liveness, duration)?);
        }
        if self.legacy_signatures(file)? {
            policy.signature_schemes = Some(vec![
                SignatureScheme::EcdsaP256Sha256,
                SignatureScheme::EcdsaP384Sha384,
                SignatureScheme::RsaPkcs1Sha1,
            ]);
        }
        Ok(policy)
    }

    pub(crate) fn apply(
        &self,
        file: &File,
        endpoint: &mut EndpointConfig,
    ) -> Result<(), ConfigError> {
        if let Some(size) = &self.fragment_size {
            // RFC 7383 section 2.5.1 names the sizes that any path carries: 576 and 1280, headers included.
            if !(256..=65_000).contains(size.get_ref()) {
                return Err(file.error(size.span(), "a fragment has 256 to 65000 bytes"));
            }
            endpoint.fragment_size = *size.get_ref();
        }
        if let Some(cookies) = &self.cookies {
            match cookies.get_ref().as_str() {
                "auto" => {}
                "always" => endpoint.limits.cookie_threshold = 0,
                _ => return Err(file.error(cookies.span(), "write \"auto\" or \"always\"")),
            }
        }
        endpoint.signature_authentication = !self.legacy_signatures(file)?;
        Ok(())
    }

    fn legacy_signatures(&self, file: &File) -> Result<bool, ConfigError> {
        match &self.signatures {
            None => Ok(false),
            Some(kind) => match kind.get_ref().as_str() {
                "rfc7427" => Ok(false),
                "legacy" => Ok(true),
                _ => Err(file.error(kind.span(), "write \"rfc7427\" or \"legacy\"")),
            },
        }
    }
}

/// What nobody wants in production.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Debug {
    dangerous_key_log: Option<String>,
}

impl Debug {
    pub(crate) fn key_log(&self, file: &File) -> Option<KeyLog> {
        self.dangerous_key_log.as_ref().map(|name| KeyLog(file.beside(name)))
    }
}

/// A directory with Wireshark's two key tables.
pub(crate) struct KeyLog(PathBuf);

impl KeyLog {
    pub(crate) fn write(&self, line: &KeyLogLine) -> io::Result<()> {
        let (name, line) = match line {
            KeyLogLine::Ike(line) => ("ikev2_decryption_table", line),
            KeyLogLine::Esp(line) => ("esp_sa", line),
        };
        std::fs::create_dir_all(&self.0)?;
        let path: &Path = &self.0.join(name);
        let mut table = OpenOptions::new().create(true).append(true).open(path)?;
        writeln!(table, "{line}")
    }
}

/// `500ms`, `30s`, `10m`, `4h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let wrong = || format!("{text:?} is no duration: write 30s, 10m or 4h");
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let duration = match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        "h" => Duration::from_secs(number.saturating_mul(3600)),
        _ => return Err(wrong()),
    };
    if duration.is_zero() || duration > Duration::from_secs(366 * 86_400) {
        return Err("a duration is longer than nothing and shorter than a year".to_owned());
    }
    Ok(duration)
}

/// An address, an e-mail address or a host name.
pub(crate) fn identity(text: &str) -> Result<Identity, String> {
    if let Ok(address) = text.parse() {
        return Ok(Identity::address(address));
    }
    if text.is_empty() || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("an identity is a host name, an e-mail address or an IP address".to_owned());
    }
    Ok(if text.contains('@') { Identity::email(text) } else { Identity::fqdn(text) })
}

pub(crate) fn net(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>().map_err(|_| format!("{text:?} is no subnet: write 10.0.0.0/8"))
}

/// Inner packets: RFC 8200 section 5 wants 1280 bytes at least.
pub(crate) fn mtu(file: &File, mtu: Option<&Spanned<u16>>) -> Result<u16, ConfigError> {
    match mtu {
        None => Ok(1400),
        Some(mtu) if (1280..=9000).contains(mtu.get_ref()) => Ok(*mtu.get_ref()),
        Some(mtu) => Err(file.error(mtu.span(), "an inner MTU is 1280 to 9000")),
    }
}

/// Linux has room for 15 bytes.
pub(crate) fn device(
    file: &File,
    name: Option<&Spanned<String>>,
    default: &str,
) -> Result<String, ConfigError> {
    match name {
        None => Ok(default.to_owned()),
        Some(name) if (1..=15).contains(&name.get_ref().len()) => Ok(name.get_ref().clone()),
        Some(name) => Err(file.error(name.span(), "a device's name has 1 to 15 bytes")),
    }
}
