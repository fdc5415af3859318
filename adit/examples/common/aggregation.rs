//! Whether inner packets share ESP packets, and at which rate those are sent.

use std::time::Duration;

use adit::Aggregation;
use serde::Deserialize;
use toml::Spanned;

use super::file::{ConfigError, File};
use super::ike::duration;

/// `[aggregation]`: with a rate or without.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AggregationToml {
    rate: Option<Spanned<u64>>,
    congestion_control: Option<Spanned<bool>>,
    wait: Option<Spanned<String>>,
    size: Option<Spanned<usize>>,
    required: Option<bool>,
}

impl AggregationToml {
    pub(crate) fn policy(&self, file: &File) -> Result<Aggregation, ConfigError> {
        let mut aggregation = match (&self.rate, &self.wait) {
            (Some(rate), Some(_)) => {
                return Err(file.error(rate.span(), "with a rate, packets wait for no others"));
            }
            // Less than a packet of 1400 bytes a second is no rate, and more than this no timer keeps.
            (Some(rate), _) if !(11_200..=10_000_000_000).contains(rate.get_ref()) => {
                let why = "a rate has 11200 to 10000000000 bits per second";
                return Err(file.error(rate.span(), why));
            }
            (Some(rate), None) => {
                let size = self.size.as_ref().map_or(1400, |size| *size.get_ref());
                Aggregation::constant_rate(size, *rate.get_ref())
            }
            (None, Some(wait)) => Aggregation::on_demand(file.value(wait, duration)?),
            (None, None) => Aggregation::on_demand(Duration::from_millis(1)),
        };
        if let Some(size) = &self.size {
            if !(256..=65_535).contains(size.get_ref()) {
                return Err(file.error(size.span(), "an IP packet here has 256 to 65535 bytes"));
            }
            aggregation.size = *size.get_ref();
        }
        if let Some(control) = &self.congestion_control {
            if *control.get_ref() && self.rate.is_none() {
                let why = "congestion control needs the highest rate";
                return Err(file.error(control.span(), why));
            }
            aggregation.congestion_control = *control.get_ref();
        }
        aggregation.required = self.required.unwrap_or(false);
        Ok(aggregation)
    }
}
