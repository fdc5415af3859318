//! Sealing out of place makes the same bytes as in place.

mod common;

use adit_esp::lifetime::{Lifetime, Limit};
use adit_esp::{NextHeader, SealError};
use common::{config, everything, inbound, ipv4, outbound, seal};
use proptest::prelude::*;

#[test]
fn packets_are_those_of_the_form_in_place() {
    for (provider, suite) in everything() {
        let mut in_place = outbound(&config(suite), provider);
        let mut out_of_place = outbound(&config(suite), provider);
        let mut padded = [outbound(&config(suite), provider), outbound(&config(suite), provider)]
            .map(|sa| sa.with_padding_to(700).unwrap());
        for len in (20..=120).chain([511, 512, 576, 577, 769, 1400, 8900, 65_000]) {
            let packet = ipv4(len);
            let expected = seal(&mut in_place, &packet, NextHeader::IPV4).unwrap();
            let mut out = vec![0xee; expected.len() + 5];
            let written = out_of_place.seal_into(&packet, NextHeader::IPV4, &mut out).unwrap();
            assert_eq!(written, expected.len());
            assert!(out[..written] == expected, "{suite:?} {} {len}", provider.name);
            assert_eq!(out[written..], [0xee; 5], "nothing is written behind");

            let [a, b] = &mut padded;
            let expected = seal(a, &packet, NextHeader::IPV4).unwrap();
            let written = b.seal_into(&packet, NextHeader::IPV4, &mut vec![0xee; 66_000]).unwrap();
            assert_eq!(written, expected.len(), "padding included");
        }
        assert_eq!(out_of_place.stats(), in_place.stats());
    }
}

#[test]
fn a_super_packet_is_filled_one_behind_the_other() {
    for (provider, suite) in everything() {
        let mut sender = outbound(&config(suite), provider);
        let mut receiver = inbound(&config(suite), provider);
        let packets: Vec<_> = (0..40).map(|n| ipv4(1300 + n % 3)).collect();
        let mut buf = vec![0; 64_000];
        let mut at = 0;
        let mut places = Vec::new();
        for packet in &packets {
            let len = sender.seal_into(packet, NextHeader::IPV4, &mut buf[at..]).unwrap();
            places.push(at..at + len);
            at += len;
        }
        for (place, packet) in places.into_iter().zip(&packets) {
            let esp = &mut buf[place];
            let opened = receiver.open(esp).unwrap();
            assert!(esp[opened.payload] == *packet);
        }
    }
}

#[test]
fn too_little_room_takes_no_number() {
    for (provider, suite) in everything() {
        let mut sa = outbound(&config(suite), provider);
        let packet = ipv4(100);
        let whole = sa.headroom() + 100 + sa.tailroom(100);
        for len in 0..whole {
            let refused = sa.seal_into(&packet, NextHeader::IPV4, &mut vec![0; len]);
            let Err(SealError::Tailroom { needed, available }) = refused else {
                panic!("{len} bytes of {whole}: {refused:?}");
            };
            assert!(available < needed);
        }
        assert_eq!((sa.last_sequence(), sa.stats().misuse), (0, whole as u64));
        assert_eq!(sa.seal_into(&packet, NextHeader::IPV4, &mut vec![0; whole]), Ok(whole));
        let long = vec![0x45; 65_535];
        let refused = sa.seal_into(&long, NextHeader::IPV4, &mut vec![0; 70_000]);
        assert!(matches!(refused, Err(SealError::TooLong { .. })));
        assert_eq!(sa.last_sequence(), 1);

        let mut config = config(suite);
        config.lifetime = Lifetime { packets: Limit { soft: 1, hard: 1 }, ..Lifetime::UNLIMITED };
        let mut sa = outbound(&config, provider);
        sa.seal_into(&packet, NextHeader::IPV4, &mut vec![0; whole]).unwrap();
        let refused = sa.seal_into(&packet, NextHeader::IPV4, &mut vec![0; whole]);
        assert_eq!(refused, Err(SealError::Expired));
    }
}

proptest! {
    #[test]
    fn any_size(len in 20_usize..65_000, which: prop::sample::Index) {
        let all: Vec<_> = everything().collect();
        let (provider, suite) = *which.get(&all);
        let packet = ipv4(len);
        let expected =
            seal(&mut outbound(&config(suite), provider), &packet, NextHeader::IPV4).unwrap();
        let mut out = vec![0; expected.len()];
        let mut sa = outbound(&config(suite), provider);
        prop_assert_eq!(sa.seal_into(&packet, NextHeader::IPV4, &mut out), Ok(out.len()));
        prop_assert!(out == expected);
    }
}
