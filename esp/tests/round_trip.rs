//! What one end seals, the other opens: every suite, provider, size and pattern of loss.

mod common;

use adit_esp::replay::WindowSize;
use adit_esp::{Mode, NextHeader, OpenError, SaConfig, SealError};
use adit_platform::Suite;
use common::{PROVIDERS, config, everything, inbound, ipv4, ipv6, outbound, pair, reference, seal};
use proptest::prelude::*;

#[test]
fn every_size_up_to_two_blocks_of_everything() {
    for (provider, suite) in everything() {
        let (mut sender, mut receiver) = pair(&config(suite), provider);
        for len in 20..=180 {
            let packet = ipv4(len);
            let mut esp = seal(&mut sender, &packet, NextHeader::IPV4).unwrap();
            let opened = receiver.open(&mut esp).unwrap();
            assert_eq!(esp[opened.payload], packet, "{suite:?} {} {len}", provider.name);
        }
        for len in [40, 41, 1280, 1500, 8900, 65_000] {
            let packet = ipv6(len);
            let mut esp = seal(&mut sender, &packet, NextHeader::IPV6).unwrap();
            let opened = receiver.open(&mut esp).unwrap();
            assert_eq!(esp[opened.payload], packet, "{suite:?} {} {len}", provider.name);
            assert_eq!(opened.next_header, NextHeader::IPV6);
        }
        let stats = receiver.stats();
        assert_eq!((stats.packets, sender.stats().packets), (167, 167));
        assert_eq!(stats.bytes, sender.stats().bytes);
    }
}

#[test]
fn providers_understand_each_other() {
    for suite in Suite::all() {
        for (from, to) in [(0, 1), (1, 0), (1, 2), (2, 1), (2, 0), (0, 2)] {
            let mut sender = outbound(&config(suite), PROVIDERS[from]);
            let mut receiver = inbound(&config(suite), PROVIDERS[to]);
            for len in [20, 64, 999, 1400] {
                let packet = ipv4(len);
                let mut esp = seal(&mut sender, &packet, NextHeader::IPV4).unwrap();
                let opened = receiver.open(&mut esp).unwrap();
                assert_eq!(esp[opened.payload], packet);
            }
        }
    }
}

//= RFC 4303 section 2: the packet taken apart without this crate.
#[test]
fn the_wire_format_is_that_of_the_rfc() {
    for (provider, suite) in everything() {
        for extended in [false, true] {
            let mut config = SaConfig::new(common::SPI, suite);
            config.extended_sequence_numbers = extended;
            let mut sender = outbound(&config, provider);
            let payload = ipv4(61);
            for sequence in 1..=3_u32 {
                let esp = seal(&mut sender, &payload, NextHeader::IPV4).unwrap();
                assert_eq!(esp[..4], common::SPI.0.to_be_bytes());
                assert_eq!(esp[4..8], sequence.to_be_bytes());
                let text = reference(&config, provider, |sa| sa.open(&esp, 0)).unwrap();
                assert_eq!(8 + suite.iv_len() + text.len() + suite.icv_len(), esp.len());
                let pad = text.len() - 63;
                assert_eq!(text.len() % suite.block_len().max(4), 0);
                assert_eq!(text[..61], payload);
                assert!(text[61..61 + pad].iter().copied().eq(1..=pad as u8));
                assert_eq!(text[61 + pad..], [pad as u8, 4]);
            }
        }
    }
}

//= RFC 3602 section 3: the IV MUST be chosen at random, and be unpredictable.
#[test]
fn cbc_ivs_do_not_show_the_counter() {
    for (provider, suite) in everything().filter(|(_, suite)| suite.iv_len() == 16) {
        let mut sender = outbound(&config(suite), provider);
        let ivs: std::collections::BTreeSet<[u8; 16]> = (0..100)
            .map(|_| {
                seal(&mut sender, &ipv4(20), NextHeader::IPV4).unwrap()[8..24].try_into().unwrap()
            })
            .collect();
        assert_eq!(ivs.len(), 100);
        let shown = ivs.iter().filter(|iv| iv[8..14] == [0; 6] || iv[..8] == [0; 8]).count();
        assert_eq!(shown, 0);
    }
}

#[test]
fn transport_mode_carries_any_protocol() {
    for (provider, suite) in everything() {
        let mut config = config(suite);
        config.mode = Mode::Transport;
        let (mut sender, mut receiver) = pair(&config, provider);
        for (len, next) in [(0, 6), (1, 17), (2, 0), (3, 255), (1400, 58)] {
            let payload = vec![0x5a; len];
            let mut esp = seal(&mut sender, &payload, NextHeader(next)).unwrap();
            let opened = receiver.open(&mut esp).unwrap();
            assert_eq!(
                (&esp[opened.payload], opened.next_header),
                (&payload[..], NextHeader(next))
            );
        }
    }
}

//= RFC 4303 section 2.7
#[test]
fn padding_hides_the_length_and_is_removed() {
    for (provider, suite) in everything() {
        let mut sender = outbound(&config(suite), provider).with_padding_to(1000).unwrap();
        let mut receiver = inbound(&config(suite), provider);
        let mut lengths = std::collections::BTreeSet::new();
        for len in [20, 21, 500, 999, 1000] {
            let packet = ipv4(len);
            let mut esp = seal(&mut sender, &packet, NextHeader::IPV4).unwrap();
            lengths.insert(esp.len());
            let opened = receiver.open(&mut esp).unwrap();
            assert_eq!(esp[opened.payload], packet);
        }
        assert_eq!(lengths.len(), 1, "{lengths:?}");
        let longer = seal(&mut sender, &ipv4(1200), NextHeader::IPV4).unwrap();
        assert!(!lengths.contains(&longer.len()));
    }
}

//= RFC 4303 section 2.6
#[test]
fn dummy_packets_are_recognised_and_count() {
    for (provider, suite) in everything() {
        for mode in [Mode::Tunnel, Mode::Transport] {
            let mut config = config(suite);
            config.mode = mode;
            let (mut sender, mut receiver) = pair(&config, provider);
            for len in [0, 1, 77] {
                let mut esp = seal(&mut sender, &vec![3; len], NextHeader::NONE).unwrap();
                let mut again = esp.clone();
                let opened = receiver.open(&mut esp).unwrap();
                assert!(opened.is_dummy() && opened.payload.is_empty());
                let sequence = opened.sequence;
                assert_eq!(receiver.open(&mut again), Err(OpenError::Replayed { sequence }));
            }
            let stats = receiver.stats();
            assert_eq!((stats.dummies, stats.packets, stats.replayed), (3, 0, 3));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Packets lost, repeated and delayed: each arrives at most once, and each that is not too late does.
    #[test]
    fn every_pattern_of_loss(
        suite in prop::sample::select(Suite::all().collect::<Vec<_>>()),
        provider in 0_usize..3,
        extended: bool,
        tunnel: bool,
        window in prop::sample::select(vec![64_u32, 128, 1024, 65_536]),
        start in prop_oneof![Just(0_u64), Just((1 << 32) - 40), any::<u32>().prop_map(u64::from)],
        arrivals in prop::collection::vec((0_usize..80, any::<bool>()), 1..160),
        lens in prop::collection::vec(
            prop_oneof![30 => 0_usize..3000, 1 => 3000..=65_000_usize], 80,
        ),
    ) {
        let provider = PROVIDERS[provider];
        let mut config = SaConfig::new(common::SPI, suite);
        config.extended_sequence_numbers = extended;
        config.mode = if tunnel { Mode::Tunnel } else { Mode::Transport };
        let payload = |len: usize| if tunnel { ipv4(len.max(20)) } else { vec![0x5a; len] };
        let size = window as usize;
        let start = if extended { start } else { start.min(u64::from(u32::MAX) - 80) };
        let mut sender = outbound(&config, provider).dangerous_resume_after(start);
        let mut receiver = inbound(&config, provider).resume_after(start)
            .with_window(WindowSize::at_least(window));
        let sent: Vec<Vec<u8>> = lens
            .iter()
            .map(|len| seal(&mut sender, &payload(*len), NextHeader::IPV4).unwrap())
            .collect();
        let mut seen = std::collections::BTreeSet::new();
        let mut top = 0;
        for (which, twice) in arrivals {
            for _ in 0..=usize::from(twice) {
                let mut esp = sent[which].clone();
                let number = which + 1;
                match receiver.open(&mut esp) {
                    Ok(opened) => {
                        prop_assert!(seen.insert(number), "{number} accepted twice");
                        prop_assert_eq!(opened.sequence, start + number as u64);
                        prop_assert_eq!(&esp[opened.payload], &payload(lens[which])[..]);
                        top = top.max(number);
                    }
                    Err(OpenError::TooOld { .. }) => prop_assert!(number + size <= top),
                    // RFC 4303 appendix A2.2: a number before the window is taken for one of the next
                    // subspace, where the packet is not authentic.
                    Err(OpenError::Authentication { sequence, .. }) => {
                        prop_assert!(extended && number + size <= top);
                        prop_assert_eq!(sequence, start + number as u64 + (1 << 32));
                    }
                    Err(OpenError::Replayed { .. }) => prop_assert!(seen.contains(&number)),
                    Err(other) => prop_assert!(false, "{other}"),
                }
            }
        }
    }
}

#[test]
fn room_is_asked_for_exactly() {
    for (provider, suite) in everything() {
        let mut sender = outbound(&config(suite), provider);
        for len in [0, 1, 15, 64, 1400] {
            let (head, tail) = (sender.headroom(), sender.tailroom(len));
            let mut buf = vec![0; head + len + tail];
            let size = buf.len();
            let short_head = sender.seal(&mut buf[1..], head - 1..head - 1 + len, NextHeader::NONE);
            assert_eq!(short_head, Err(SealError::Headroom { needed: head, available: head - 1 }));
            let short_tail = sender.seal(&mut buf[..size - 1], head..head + len, NextHeader::NONE);
            assert_eq!(short_tail, Err(SealError::Tailroom { needed: tail, available: tail - 1 }));
            let beyond = sender.seal(&mut buf, head..size + 1, NextHeader::NONE);
            assert_eq!(beyond, Err(SealError::OutOfBounds { end: size + 1, buffer: size }));
            #[expect(clippy::reversed_empty_ranges, reason = "that is what is tried")]
            let backwards = sender.seal(&mut buf, 2..1, NextHeader::NONE);
            assert_eq!(backwards, Err(SealError::OutOfBounds { end: 1, buffer: size }));
            assert_eq!(sender.seal(&mut buf, head..head + len, NextHeader::NONE), Ok(0..size));
        }
        // Misuse burns no number: nothing was encrypted.
        assert_eq!((sender.last_sequence(), sender.stats().misuse), (5, 20));
        let mut buf = vec![0; 70_000];
        let long = sender.seal(&mut buf, 100..65_636, NextHeader::NONE);
        assert!(matches!(long, Err(SealError::TooLong { packet: 65_536.. })), "{long:?}");
    }
}

#[test]
fn sizes_agree_with_each_other() {
    for (provider, suite) in everything() {
        let sender = outbound(&config(suite), provider);
        for packet in 0..3000 {
            let payload = sender.max_payload(packet);
            let len = |payload| sender.headroom() + payload + sender.tailroom(payload);
            assert!(
                len(payload + 1) > packet,
                "{suite:?}: one byte more than {payload} fits {packet}"
            );
            if packet >= len(0) {
                assert!(len(payload) <= packet, "{suite:?}: {payload} does not fit {packet}");
            }
            assert!(len(payload) <= payload + sender.overhead());
        }
    }
}
