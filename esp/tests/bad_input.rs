//! Bytes from anybody: never a panic, never a change of state before the packet is authentic, an error
//! that says what and where.

mod common;

use adit_esp::encap::{Payload, PayloadMut};
use adit_esp::ip::{IpError, IpPacket, IpProblem};
use adit_esp::selector::{Selectors, TrafficSelector};
use adit_esp::{Fault, Inbound, InboundStats, Mode, NextHeader, OpenError, Spi};
use adit_testkit::mutate::{self, Field};
use adit_testkit::{rng::SeededRng, seed};
use common::{config, everything, inbound, ipv4, ipv6, outbound, pair, reference, seal};

/// Everything of an SA that a packet could change.
fn state(sa: &Inbound) -> (u64, u64, u64) {
    (sa.top_sequence(), sa.stats().packets, sa.stats().bytes)
}

#[test]
fn every_flipped_bit_is_refused_and_changes_nothing() {
    for (provider, suite) in everything() {
        let (mut sender, mut receiver) = pair(&config(suite), provider);
        for len in [20, 33] {
            let esp = seal(&mut sender, &ipv4(len), NextHeader::IPV4).unwrap();
            let before = state(&receiver);
            for bit in 0..esp.len() * 8 {
                let mut bent = esp.clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                receiver.open(&mut bent).expect_err("a bent packet is not authentic");
            }
            assert_eq!(state(&receiver), before);
            assert!(receiver.open(&mut esp.clone()).is_ok(), "the packet itself still opens");
        }
    }
}

#[test]
fn every_truncation_and_extension_is_refused() {
    for (provider, suite) in everything() {
        let (mut sender, mut receiver) = pair(&config(suite), provider);
        let esp = seal(&mut sender, &ipv4(100), NextHeader::IPV4).unwrap();
        for cut in mutate::truncations(&esp) {
            let error = receiver.open(&mut cut.to_vec()).unwrap_err();
            let minimum = 8 + suite.iv_len() + suite.block_len().max(4) + suite.icv_len();
            if cut.len() < minimum {
                assert_eq!(error, OpenError::Truncated { len: cut.len(), minimum });
                assert_eq!(error.fault(), Fault::Malformed);
            } else {
                assert!(
                    matches!(
                        error,
                        OpenError::Authentication { .. } | OpenError::Misaligned { .. }
                    ),
                    "{error:?}"
                );
            }
        }
        for more in 1..40 {
            let mut longer = esp.clone();
            longer.extend(vec![0; more]);
            receiver.open(&mut longer).unwrap_err();
        }
        assert_eq!(state(&receiver), (0, 0, 0));
        assert!(receiver.open(&mut esp.clone()).is_ok());
    }
}

#[test]
fn whatever_comes_is_survived_and_counted() {
    for (provider, suite) in everything() {
        let (mut sender, mut receiver) = pair(&config(suite), provider);
        let esp = seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap();
        let mut given = 0_u64;
        mutate::all(&esp, &[Field::u32(0), Field::u32(4)], 7, |input| {
            let _ = receiver.open(&mut input.to_vec());
            given += 1;
        });
        let InboundStats {
            packets,
            dummies,
            malformed,
            wrong_spi,
            too_old,
            replayed,
            authentication,
            expired,
            padding,
            inner,
            selectors,
            ..
        } = receiver.stats();
        let counted = packets
            + dummies
            + malformed
            + wrong_spi
            + too_old
            + replayed
            + authentication
            + expired
            + padding
            + inner
            + selectors;
        assert_eq!(counted, given);
        assert!(packets <= 1);
    }
}

#[test]
fn another_sas_packet_is_refused() {
    for (provider, suite) in everything() {
        let mut receiver = inbound(&config(suite), provider);
        let mut other = config(suite);
        other.spi = Spi(0x9999);
        let mut esp = seal(&mut outbound(&other, provider), &ipv4(60), NextHeader::IPV4).unwrap();
        assert_eq!(receiver.open(&mut esp), Err(OpenError::WrongSpi { spi: Spi(0x9999) }));
    }
}

/// An authentic packet whose encrypted part is `text`: what a peer with the keys, and ill will, can send.
fn authentic(
    suite: adit_platform::Suite,
    provider: &adit_platform::Provider,
    text: &[u8],
) -> Vec<u8> {
    let iv = vec![9; suite.iv_len()];
    reference(&config(suite), provider, |sa| sa.seal(common::SPI.0, 1, &iv, text))
}

#[test]
fn an_authentic_packet_with_a_bad_inside_is_refused_and_burnt() {
    for (provider, suite) in everything() {
        let text_at = 8 + suite.iv_len();
        let inner_at = |error, offset| {
            OpenError::Inner(adit_esp::error::InnerError {
                start: text_at,
                error: IpError { offset, problem: error },
            })
        };
        let mut wrong_padding = ipv4(28);
        wrong_padding.extend([1, 1, 2, 4]); // 28 bytes, padding 1 and 1 instead of 1 and 2
        let mut wrong_version = ipv4(30);
        wrong_version.extend([0, 41]);
        let mut short_inside = ipv4(60);
        short_inside.truncate(30);
        short_inside.extend([0, 4]);
        let mut bad_header = ipv4(30);
        bad_header[0] = 0x44;
        bad_header.extend([0, 4]);
        let mut bad_total = ipv4(30);
        bad_total[3] = 19;
        bad_total.extend([0, 4]);
        let mut nothing = vec![1; 30];
        for (byte, value) in nothing.iter_mut().zip(1..) {
            *byte = value;
        }
        nothing.extend([30, 4]);
        let mut icmp_in_tunnel = ipv4(30);
        icmp_in_tunnel.extend([0, 1]);
        let mut padding_before_packet = ipv4(30);
        padding_before_packet.extend([31, 4]);
        for (text, expected) in [
            (wrong_padding, OpenError::Padding { offset: text_at + 29 }),
            (padding_before_packet, OpenError::Padding { offset: text_at + 30 }),
            (wrong_version, inner_at(IpProblem::Version(4), 0)),
            (short_inside, inner_at(IpProblem::Truncated, 30)),
            (bad_header, inner_at(IpProblem::HeaderLength, 0)),
            (bad_total, inner_at(IpProblem::TotalLength, 2)),
            (nothing, inner_at(IpProblem::Truncated, 0)),
            (icmp_in_tunnel, OpenError::UnexpectedNextHeader(NextHeader::ICMP)),
        ] {
            assert_eq!(text.len(), 32);
            let mut receiver = inbound(&config(suite), provider);
            let esp = authentic(suite, provider, &text);
            assert_eq!(receiver.open(&mut esp.clone()), Err(expected), "{suite:?}");
            assert_eq!(expected.fault(), Fault::Peer);
            // The number is used: RFC 4303 section 3.4.3 commits on integrity, not on content.
            assert_eq!(receiver.open(&mut esp.clone()), Err(OpenError::Replayed { sequence: 1 }));
            assert_eq!(receiver.stats().packets, 0);
        }
    }
}

//= RFC 4301 section 5.2, step 4
#[test]
fn an_inner_packet_outside_the_selectors_is_refused() {
    let selectors = Selectors {
        local: vec![TrafficSelector::host([10, 0, 0, 2].into())],
        remote: vec![TrafficSelector::subnet([10, 0, 0, 0].into(), 30)],
    };
    for (provider, suite) in everything() {
        let mut sender = outbound(&config(suite), provider);
        let mut receiver = inbound(&config(suite), provider).with_selectors(selectors.clone());
        let fine = ipv4(40);
        let (mut wrong_source, mut wrong_destination) = (fine.clone(), fine.clone());
        wrong_source[15] = 4;
        wrong_destination[19] = 1;
        for (packet, expected) in [
            (fine, None),
            (wrong_source, Some(OpenError::Selectors)),
            (wrong_destination, Some(OpenError::Selectors)),
        ] {
            let mut esp = seal(&mut sender, &packet, NextHeader::IPV4).unwrap();
            assert_eq!(receiver.open(&mut esp).err(), expected);
        }
        let mut esp = seal(&mut sender, &ipv6(60), NextHeader::IPV6).unwrap();
        assert_eq!(receiver.open(&mut esp), Err(OpenError::Selectors));
        assert_eq!((receiver.stats().packets, receiver.stats().selectors), (1, 3));
    }
}

#[test]
fn the_inner_parser_survives_everything() {
    let mut v6 = ipv6(200);
    v6[6] = 0;
    for (at, next) in [(40, 43), (48, 60), (56, 44), (64, 51), (72, 17)] {
        v6[at] = next;
        v6[at + 1] = 0;
    }
    // A fragment header is not the first of its kind only if its offset is 0.
    v6[66] = 0;
    v6[67] = 0;
    let chain = IpPacket::parse(&v6).unwrap();
    assert_eq!(chain.total_len, 200);
    for (valid, fields) in [
        (ipv4(60), vec![Field::u8(0), Field::u16(2), Field::u16(6), Field::u8(9)]),
        (v6, vec![Field::u16(4), Field::u8(6), Field::u8(41), Field::u8(49), Field::u16(66)]),
    ] {
        for cut in mutate::truncations(&valid) {
            let error = IpPacket::parse(cut).unwrap_err();
            assert!(error.offset <= cut.len(), "{error:?}");
        }
        seed::run(0..50, |seed| {
            mutate::all(&valid, &fields, seed, |input| match IpPacket::parse(input) {
                Ok(packet) => {
                    assert!(packet.header_len <= packet.total_len);
                    assert!(packet.total_len <= input.len());
                }
                Err(error) => assert!(error.offset <= input.len(), "{error:?}"),
            });
        });
    }
}

//= RFC 3948 section 2
#[test]
fn datagrams_are_told_apart() {
    let cases: [(&[u8], Payload<'_>); 8] = [
        (&[], Payload::Invalid),
        (&[0xff], Payload::Keepalive),
        (&[0xfe], Payload::Invalid),
        (&[0xff; 3], Payload::Invalid),
        (&[0; 3], Payload::Invalid),
        (&[0; 4], Payload::Ike(&[])),
        (&[0, 0, 0, 0, 1], Payload::Ike(&[1])),
        (&[0xff; 4], Payload::Esp(&[0xff; 4])),
    ];
    for (datagram, expected) in cases {
        assert_eq!(Payload::classify(datagram), expected);
        let mut buf = datagram.to_vec();
        let same = match (PayloadMut::classify(&mut buf), expected) {
            (PayloadMut::Ike(a), Payload::Ike(b)) | (PayloadMut::Esp(a), Payload::Esp(b)) => a == b,
            (PayloadMut::Keepalive, Payload::Keepalive)
            | (PayloadMut::Invalid, Payload::Invalid) => true,
            _ => false,
        };
        assert!(same, "{datagram:?}");
    }
}

#[test]
fn transport_mode_does_not_look_inside() {
    for (provider, suite) in everything() {
        let mut config = config(suite);
        config.mode = Mode::Transport;
        let (mut sender, mut receiver) = pair(&config, provider);
        let mut rng = SeededRng::new(3);
        for len in 0..50 {
            let payload = rng.bytes(len);
            let mut esp = seal(&mut sender, &payload, NextHeader::TCP).unwrap();
            let opened = receiver.open(&mut esp).unwrap();
            assert_eq!(esp[opened.payload], payload);
        }
    }
}
