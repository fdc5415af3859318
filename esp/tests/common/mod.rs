//! What the tests of this crate share.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use adit_esp::{Inbound, Outbound, SaConfig, SaKeys, Spi};
use adit_platform::{Provider, Secret, Suite, ring, rustcrypto, simd};
use adit_testkit::esp::Reference;
use adit_testkit::rng::SeededRng;

pub(crate) const PROVIDERS: [&Provider; 3] =
    [&ring::PROVIDER, &simd::PROVIDER, &rustcrypto::PROVIDER];

pub(crate) const SPI: Spi = Spi(0xc0de_0001);

/// Each suite with each provider.
pub(crate) fn everything() -> impl Iterator<Item = (&'static Provider, Suite)> {
    PROVIDERS.into_iter().flat_map(|provider| Suite::all().map(move |suite| (provider, suite)))
}

/// Keying material of the right lengths, the same for the same seed.
pub(crate) fn keys(suite: Suite, seed: u64) -> SaKeys {
    let (encryption, integrity) = key_bytes(suite, seed);
    SaKeys::new(Secret::copy_from(&encryption), Secret::copy_from(&integrity))
}

/// The bytes behind [`keys`].
pub(crate) fn key_bytes(suite: Suite, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let mut rng = SeededRng::new(seed);
    (rng.bytes(suite.encryption_key_len()), rng.bytes(suite.integrity_key_len()))
}

/// Calls `with` with the SA of [`outbound`] and [`inbound`] as the RFCs alone have it.
pub(crate) fn reference<T>(
    config: &SaConfig,
    provider: &Provider,
    with: impl FnOnce(Reference<'_>) -> T,
) -> T {
    let (encryption, integrity) = key_bytes(config.suite, 1);
    with(Reference {
        provider,
        suite: config.suite,
        encryption: &encryption,
        integrity: &integrity,
        extended: config.extended_sequence_numbers,
    })
}

pub(crate) fn outbound(config: &SaConfig, provider: &Provider) -> Outbound {
    Outbound::new(config, &keys(config.suite, 1), provider, &mut SeededRng::new(2)).unwrap()
}

pub(crate) fn inbound(config: &SaConfig, provider: &Provider) -> Inbound {
    Inbound::new(config, &keys(config.suite, 1), provider).unwrap()
}

/// Both ends of one SA.
pub(crate) fn pair(config: &SaConfig, provider: &Provider) -> (Outbound, Inbound) {
    (outbound(config, provider), inbound(config, provider))
}

/// An extended-sequence-number, tunnel-mode configuration.
pub(crate) fn config(suite: Suite) -> SaConfig {
    let mut config = SaConfig::new(SPI, suite);
    config.extended_sequence_numbers = true;
    config
}

/// Seals a copy of `payload` and returns the ESP packet.
pub(crate) fn seal(
    sa: &mut Outbound,
    payload: &[u8],
    next: adit_esp::NextHeader,
) -> Result<Vec<u8>, adit_esp::SealError> {
    let at = sa.headroom();
    let mut buf = vec![0xee; at + payload.len() + sa.tailroom(payload.len())];
    buf[at..at + payload.len()].copy_from_slice(payload);
    let packet = sa.seal(&mut buf, at..at + payload.len(), next)?;
    assert_eq!(packet, 0..buf.len(), "head- and tailroom are exact");
    Ok(buf)
}

/// An IPv4 packet from 10.0.0.1 to 10.0.0.2 of `len` bytes, at least 20, carrying UDP.
pub(crate) fn ipv4(len: usize) -> Vec<u8> {
    let mut packet: Vec<u8> = (0..len).map(|i| (i * 13) as u8).collect();
    packet[..20]
        .copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet[2..4].copy_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
    packet
}

/// An IPv6 packet from 2001:db8::1 to 2001:db8::2 of `len` bytes, at least 40, carrying UDP.
pub(crate) fn ipv6(len: usize) -> Vec<u8> {
    let mut packet: Vec<u8> = (0..len).map(|i| (i * 13) as u8).collect();
    packet[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 0, 17, 64]);
    packet[4..6].copy_from_slice(&u16::try_from(len - 40).unwrap().to_be_bytes());
    for (at, last) in [(8, 1), (24, 2)] {
        packet[at..at + 16]
            .copy_from_slice(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    packet
}
