//! Two established IKE SAs, wired to each other without a network.

mod aggfrag;
mod pair;
mod single;
mod together;

use adit_platform::Provider;

/// Runs a scenario with every provider.
fn every_provider(scenario: impl Fn(Provider)) {
    for provider in [adit_platform::ring::PROVIDER, adit_platform::rustcrypto::PROVIDER] {
        scenario(provider);
    }
}
