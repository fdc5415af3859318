//! Sequence numbers at their limits: RFC 4303 sections 2.2.1, 3.3.3 and appendix A.

mod common;

use adit_esp::lifetime::{Lifetime, Limit};
use adit_esp::{LifetimeEvent, NextHeader, OpenError, SaConfig, SealError, SetupError};
use common::{config, everything, inbound, ipv4, outbound, pair, seal};

fn plain(suite: adit_platform::Suite) -> SaConfig {
    SaConfig::new(common::SPI, suite)
}

//= RFC 4303 section 3.3.3
#[test]
fn a_32_bit_sa_ends_at_its_last_number() {
    for (provider, suite) in everything() {
        let last = u64::from(u32::MAX);
        let mut sender = outbound(&plain(suite), provider).dangerous_resume_after(last - 2);
        let mut receiver = inbound(&plain(suite), provider).resume_after(last - 2);
        for sequence in [last - 1, last] {
            let mut esp = seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap();
            assert_eq!(receiver.open(&mut esp).unwrap().sequence, sequence);
        }
        for _ in 0..3 {
            let refused = seal(&mut sender, &ipv4(60), NextHeader::IPV4);
            assert_eq!(refused, Err(SealError::SequenceExhausted), "never again");
        }
        assert_eq!(sender.last_sequence(), last);
        assert_eq!(sender.poll_event(), Some(LifetimeEvent::Hard));
    }
}

#[test]
fn a_64_bit_sa_ends_at_its_last_number() {
    for (provider, suite) in everything() {
        let mut sender = outbound(&config(suite), provider).dangerous_resume_after(u64::MAX - 2);
        let mut receiver = inbound(&config(suite), provider).resume_after(u64::MAX - 2);
        for sequence in [u64::MAX - 1, u64::MAX] {
            let mut esp = seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap();
            assert_eq!(receiver.open(&mut esp.clone()).unwrap().sequence, sequence);
            assert_eq!(receiver.open(&mut esp), Err(OpenError::Replayed { sequence }));
        }
        let refused = seal(&mut sender, &ipv4(60), NextHeader::IPV4);
        assert_eq!(refused, Err(SealError::SequenceExhausted));
    }
}

#[test]
fn the_high_half_carries_over() {
    for (provider, suite) in everything() {
        let start = (1_u64 << 32) - 5;
        let mut sender = outbound(&config(suite), provider).dangerous_resume_after(start);
        let mut receiver = inbound(&config(suite), provider).resume_after(start);
        let sent: Vec<_> =
            (0..10).map(|_| seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap()).collect();
        // Across the boundary in both directions.
        for which in [7, 0, 9, 2, 5, 1, 3, 4, 6, 8] {
            let opened = receiver.open(&mut sent[which].clone()).unwrap();
            assert_eq!(opened.sequence, start + 1 + which as u64);
        }
        assert_eq!(receiver.top_sequence(), start + 10);
    }
}

#[test]
fn both_ends_must_agree_on_the_size() {
    for (provider, suite) in everything() {
        let mut esp =
            seal(&mut outbound(&plain(suite), provider), &ipv4(60), NextHeader::IPV4).unwrap();
        let refused = inbound(&config(suite), provider).open(&mut esp);
        assert!(matches!(refused, Err(OpenError::Authentication { sequence: 1, .. })));
    }
}

//= RFC 4303 appendix A3
#[test]
fn a_gap_of_more_than_32_bits_is_recovered() {
    for (provider, suite) in everything() {
        let (mut sender, mut receiver) = pair(&config(suite), provider);
        let mut esp = seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap();
        receiver.open(&mut esp).unwrap();
        let gap = 3 << 32 | 77;
        let mut sender = outbound(&config(suite), provider).dangerous_resume_after(gap);
        let mut sent = 0;
        while !receiver.needs_recovery() {
            let mut esp = seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap();
            receiver.open(&mut esp).expect_err("the high half is wrong");
            sent += 1;
            assert!(sent <= 100, "recovery is never asked for");
        }
        let esp = seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap();
        let too_few = receiver.recover(&mut esp.clone(), 2);
        assert!(matches!(too_few, Err(OpenError::Authentication { .. })), "{too_few:?}");
        assert!(!receiver.needs_recovery(), "one attempt per series of failures");
        assert_eq!(receiver.top_sequence(), 1);
        let mut recovered = esp.clone();
        let opened = receiver.recover(&mut recovered, 3).unwrap();
        assert_eq!(opened.sequence, gap + sent + 1);
        assert_eq!(recovered[opened.payload], ipv4(60));
        let mut next = seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap();
        assert_eq!(receiver.open(&mut next).unwrap().sequence, gap + sent + 2);
        let sequence = gap + sent + 1;
        assert_eq!(receiver.recover(&mut esp.clone(), 9), Err(OpenError::Replayed { sequence }));
    }
}

#[test]
fn without_replay_check_packets_repeat_but_only_on_request() {
    for (provider, suite) in everything() {
        let refused = inbound(&config(suite), provider).dangerous_without_replay_check();
        assert_eq!(refused.map(|sa| sa.spi()), Err(SetupError::ExtendedNeedsWindow));
        let (mut sender, receiver) = pair(&plain(suite), provider);
        let mut receiver = receiver.dangerous_without_replay_check().unwrap();
        let esp = seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap();
        for _ in 0..2 {
            assert_eq!(receiver.open(&mut esp.clone()).unwrap().sequence, 1);
        }
    }
}

//= RFC 4301 section 4.4.2.1
#[test]
fn lifetimes_end_both_directions() {
    for (provider, suite) in everything() {
        let mut config = config(suite);
        config.lifetime = Lifetime { bytes: Limit { soft: 100, hard: 180 }, ..Lifetime::UNLIMITED };
        let (mut sender, mut receiver) = pair(&config, provider);
        let mut unlimited = outbound(&common::config(suite), provider);
        let mut events = Vec::new();
        for _ in 0..3 {
            let mut esp = seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap();
            receiver.open(&mut esp).unwrap();
            seal(&mut unlimited, &ipv4(60), NextHeader::IPV4).unwrap();
            events.push((sender.poll_event(), receiver.poll_event()));
        }
        let (soft, hard) = (Some(LifetimeEvent::Soft), Some(LifetimeEvent::Hard));
        assert_eq!(events, [(None, None), (soft, soft), (hard, hard)]);
        let refused = seal(&mut sender, &ipv4(20), NextHeader::IPV4);
        assert_eq!(refused, Err(SealError::Expired));
        assert_eq!(sender.last_sequence(), 3, "an expired SA burns no numbers");
        let mut esp = seal(&mut unlimited, &ipv4(20), NextHeader::IPV4).unwrap();
        assert_eq!(receiver.open(&mut esp), Err(OpenError::Expired));
        assert_eq!((sender.stats().expired, receiver.stats().expired), (1, 1));
    }
}
