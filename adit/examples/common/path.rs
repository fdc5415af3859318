//! How long packets may be on the way between client and gateway.

use adit::{Fragmentation, PathMtuPolicy};
use serde::Deserialize;
use toml::Spanned;

use super::file::{ConfigError, File};

/// `[path]`. Sizes are those of IP packets around ESP.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Path {
    mtu: Option<Spanned<usize>>,
    minimum: Option<Spanned<usize>>,
    fragmentation: Option<Spanned<String>>,
    discover: Option<bool>,
}

impl Path {
    pub(crate) fn policy(&self, file: &File) -> Result<PathMtuPolicy, ConfigError> {
        let mut policy = PathMtuPolicy::default();
        for (given, size) in [(&self.mtu, &mut policy.link), (&self.minimum, &mut policy.minimum)] {
            if let Some(given) = given {
                // RFC 791 has every link of IPv4 carry 68 bytes and every host take 576.
                if !(576..=65_535).contains(given.get_ref()) {
                    return Err(
                        file.error(given.span(), "an IP packet here has 576 to 65535 bytes")
                    );
                }
                *size = *given.get_ref();
            }
        }
        if let Some(fragmentation) = &self.fragmentation {
            policy.fragmentation = match fragmentation.get_ref().as_str() {
                "inner" => Fragmentation::Inner,
                "outer" => Fragmentation::Outer,
                _ => return Err(file.error(fragmentation.span(), "write \"inner\" or \"outer\"")),
            };
        }
        policy.discover = self.discover.unwrap_or(policy.discover);
        Ok(policy)
    }
}
