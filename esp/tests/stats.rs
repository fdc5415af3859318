//! Every packet is counted once, under what became of it: RFC 4303 section 4.

mod common;

use adit_esp::lifetime::{Lifetime, Limit};
use adit_esp::replay::WindowSize;
use adit_esp::selector::{Selectors, TrafficSelector};
use adit_esp::{Inbound, InboundStats, Mode, NextHeader, SaConfig};
use common::{SPI, everything, inbound, ipv4, outbound, reference, seal};

/// One packet of each kind, with the counter that is to go up.
#[test]
fn each_reason_has_its_counter() {
    for (provider, suite) in everything() {
        let config = SaConfig::new(SPI, suite);
        let mut sender = outbound(&config, provider).dangerous_resume_after(1000);
        let host = |last: u8| TrafficSelector::host([10, 0, 0, last].into());
        let mut receiver = inbound(&config, provider)
            .with_selectors(Selectors { local: vec![host(2)], remote: vec![host(1)] })
            .with_window(WindowSize::at_least(64));
        let mut expected = InboundStats::default();
        let mut check = |receiver: &mut Inbound, packet: &[u8], up: fn(&mut InboundStats)| {
            let _ = receiver.open(&mut packet.to_vec());
            up(&mut expected);
            assert_eq!(receiver.stats(), expected, "{suite:?} {}", provider.name);
        };
        let mut next = |payload: &[u8], next| seal(&mut sender, payload, next).unwrap();
        // An authentic packet with this encrypted part: never one that a sender makes.
        let mut number = 2000;
        let mut authentic = |payload: &[u8], trailer: [u8; 2]| {
            let align = suite.block_len().max(4);
            let mut text = payload.to_vec();
            let pad = (align - (text.len() + 2) % align) % align;
            text.extend((1..=pad).map(|byte| byte as u8));
            text.extend(if trailer[0] == 0 { [pad as u8, trailer[1]] } else { trailer });
            number += 1;
            reference(&config, provider, |sa| {
                sa.seal(SPI.0, number, &vec![3; suite.iv_len()], &text)
            })
        };

        let good = next(&ipv4(60), NextHeader::IPV4);
        check(&mut receiver, &good, |stats| {
            stats.packets += 1;
            stats.bytes += 60;
        });
        check(&mut receiver, &good, |stats| stats.replayed += 1);
        check(&mut receiver, &next(&[5; 30], NextHeader::NONE), |stats| stats.dummies += 1);
        let mut forged = next(&ipv4(60), NextHeader::IPV4);
        *forged.last_mut().unwrap() ^= 1;
        check(&mut receiver, &forged, |stats| stats.authentication += 1);
        check(&mut receiver, &forged[..15], |stats| stats.malformed += 1);
        let mut stray = forged;
        stray[3] ^= 1;
        check(&mut receiver, &stray, |stats| stats.wrong_spi += 1);
        let mut foreign = ipv4(60);
        foreign[15] = 9;
        check(&mut receiver, &next(&foreign, NextHeader::IPV4), |stats| stats.selectors += 1);
        check(&mut receiver, &next(&[0x45; 10], NextHeader::IPV4), |stats| stats.inner += 1);
        check(&mut receiver, &next(&ipv4(60), NextHeader::UDP), |stats| stats.inner += 1);
        check(&mut receiver, &authentic(&ipv4(60), [255, 4]), |stats| stats.padding += 1);
        let mut old = good.clone();
        old[4..8].copy_from_slice(&1_u32.to_be_bytes());
        check(&mut receiver, &old, |stats| stats.too_old += 1);

        // What an SA of transport mode is given besides.
        let mut transport = config;
        transport.mode = Mode::Transport;
        let mut receiver = inbound(&transport, provider);
        let mut fragment = ipv4(100);
        fragment[6] = 0x20;
        receiver.open_transport(&mut fragment).unwrap_err();
        receiver.open_transport(&mut ipv4(100)).unwrap_err();
        receiver.open_transport(&mut [0x45; 9]).unwrap_err();
        let stats = receiver.stats();
        assert_eq!((stats.fragments, stats.inner), (1, 2));

        let mut limited = config;
        limited.lifetime = Lifetime { packets: Limit { soft: 1, hard: 1 }, ..Lifetime::UNLIMITED };
        let mut receiver = inbound(&limited, provider);
        let mut sender = outbound(&limited, provider);
        receiver.open(&mut good.clone()).unwrap();
        receiver.open(&mut good.clone()).unwrap_err();
        seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap();
        seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap_err();
        assert_eq!((receiver.stats().expired, sender.stats().expired), (1, 1));
        let mut sender = outbound(&config, provider).dangerous_resume_after(u64::from(u32::MAX));
        seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap_err();
        sender.seal(&mut [0; 10], 0..10, NextHeader::IPV4).unwrap_err();
        let stats = sender.stats();
        assert_eq!((stats.exhausted, stats.misuse, stats.packets), (1, 1, 0));
    }
}
