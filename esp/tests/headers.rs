//! Outer headers, ECN and ICMP, checked by the rules of the RFCs and not by the code that wrote them.

mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use std::time::Duration;

use adit_esp::SealError;
use adit_esp::ip::IpPacket;
use adit_esp::outer::{Congested, DontFragment, Dscp, EcnMode, OuterHeader, decapsulate_ecn};
use adit_esp::pmtu::{Fragmentation, Passage, PathMtu, TooBigReport, too_big};
use adit_platform::Instant;
use adit_testkit::mutate;
use common::{ipv4, ipv6};

const V4: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 99))];
const V6: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x11)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x22)),
];

/// RFC 1071: the one's complement sum over what a correct checksum covers, itself included, is all ones.
fn sums_up(parts: &[&[u8]]) -> bool {
    let bytes = parts.concat();
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum == 0xffff
}

/// An inner IPv4 packet with this traffic class.
fn classed(class: u8) -> Vec<u8> {
    let mut packet = ipv4(60);
    packet[1] = class;
    let mut sum = 0_u32;
    for pair in packet[..20].chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair[1]);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    let checksum = !((sum & 0xffff) as u16 + (sum >> 16) as u16);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    assert!(sums_up(&[&packet[..20]]));
    packet
}

//= RFC 4301 section 5.1.2, RFC 3948 section 2.1
#[test]
fn outer_headers_are_proper_ip() {
    let inner = classed(0b1011_1001);
    let inner = IpPacket::parse(&inner).unwrap();
    for [source, destination] in [V4, V6] {
        for udp in [None, Some((4500, 61_234))] {
            for esp_len in [64, 65] {
                let mut outer = OuterHeader::new(source, destination);
                outer.udp = udp;
                let mut buf: Vec<u8> = (0..100 + esp_len).map(|i| i as u8).collect();
                let written = outer.write(&inner, 0xabcd, &mut buf, 100..100 + esp_len).unwrap();
                assert_eq!(written, 100 - outer.len()..100 + esp_len);
                let packet = &buf[written];
                let parsed = IpPacket::parse(packet).unwrap();
                assert_eq!((parsed.source, parsed.destination), (source, destination));
                assert_eq!((parsed.total_len, parsed.traffic_class), (packet.len(), 0b1011_1001));
                let ip_len = if source.is_ipv4() {
                    assert!(sums_up(&[&packet[..20]]));
                    assert_eq!((packet[4..6].to_vec(), packet[8]), (vec![0xab, 0xcd], 64));
                    20
                } else {
                    assert_eq!(packet[7], 64);
                    40
                };
                let protocol = packet[if ip_len == 20 { 9 } else { 6 }];
                let Some((from, to)) = udp else {
                    assert_eq!((protocol, packet.len()), (50, ip_len + esp_len));
                    continue;
                };
                let datagram = &packet[ip_len..];
                let field = |at| u16::from_be_bytes([datagram[at], datagram[at + 1]]);
                assert_eq!((protocol, field(0), field(2)), (17, from, to));
                assert_eq!(usize::from(field(4)), datagram.len());
                if ip_len == 20 {
                    assert_eq!(field(6), 0);
                } else {
                    let pseudo = [0, 17, datagram[4], datagram[5]];
                    assert!(sums_up(&[&packet[8..40], &pseudo, datagram]));
                }
            }
        }
    }
}

#[test]
fn outer_headers_follow_policy() {
    let inner = classed(0b1011_1010);
    let inner = IpPacket::parse(&inner).unwrap();
    assert!(!inner.dont_fragment);
    let mut outer = OuterHeader::new(V4[0], V4[1]);
    outer.dscp = Dscp::Fixed(5);
    outer.ecn = EcnMode::Compatibility;
    outer.hop_limit = 9;
    for (policy, of_inner, expected) in [
        (DontFragment::Copy, false, 0),
        (DontFragment::Copy, true, 0x40),
        (DontFragment::Set, false, 0x40),
        (DontFragment::Clear, true, 0),
    ] {
        outer.dont_fragment = policy;
        let inner = IpPacket { dont_fragment: of_inner, ..inner };
        let mut buf = [0; 84];
        outer.write(&inner, 1, &mut buf, 20..84).unwrap();
        assert_eq!((buf[1], buf[6], buf[8]), (5 << 2, expected, 9));
    }
    let mut buf = [0; 84];
    let refused = outer.write(&inner, 1, &mut buf, 19..84);
    assert_eq!(refused, Err(SealError::Headroom { needed: 20, available: 19 }));
    let refused = outer.write(&inner, 1, &mut buf, 20..85);
    assert_eq!(refused, Err(SealError::OutOfBounds { end: 85, buffer: 84 }));
    outer.source = V6[0];
    let refused = outer.write(&inner, 1, &mut buf, 60..84);
    assert_eq!(refused, Err(SealError::MixedFamilies));
    let mut long = vec![0; 65_536];
    outer.source = V4[0];
    let refused = outer.write(&inner, 1, &mut long, 20..65_536);
    assert_eq!(refused, Err(SealError::TooLong { packet: 65_536 }));
}

//= RFC 6040 section 4.2, figure 4
#[test]
fn congestion_passes_into_the_inner_packet() {
    const DROP: u8 = 0xff;
    // Columns: outer Not-ECT (00), ECT(1) (01), ECT(0) (10), CE (11).
    let table = [
        (0b00, [0b00, 0b00, 0b00, DROP]),
        (0b01, [0b01, 0b01, 0b01, 0b11]),
        (0b10, [0b10, 0b01, 0b10, 0b11]),
        (0b11, [0b11, 0b11, 0b11, 0b11]),
    ];
    for (inner_ecn, row) in table {
        for (outer, expected) in (0_u8..).zip(row) {
            let class = 0b1011_1000 | inner_ecn;
            let mut v6 = ipv6(60);
            v6[0] = 0x60 | class >> 4;
            v6[1] = class << 4 | 0x0a;
            for mut packet in [classed(class), v6] {
                let before = packet.clone();
                // The outer DSCP has no say.
                let result = decapsulate_ecn(&mut packet, 0b0101_0100 | outer);
                if expected == DROP {
                    assert_eq!((result, packet), (Err(Congested), before));
                    continue;
                }
                assert_eq!(result, Ok(()));
                let after = IpPacket::parse(&packet).unwrap().traffic_class;
                assert_eq!(
                    after,
                    0b1011_1000 | expected,
                    "inner {inner_ecn:02b} outer {outer:02b}"
                );
                if packet[0] >> 4 == 4 {
                    assert!(sums_up(&[&packet[..20]]));
                } else {
                    assert_eq!(packet[1] & 0x0f, 0x0a, "the flow label stays");
                }
                assert_eq!(packet[12..], before[12..]);
            }
        }
    }
    let mut short = [0x45, 0];
    assert_eq!(decapsulate_ecn(&mut short, 3), Ok(()));
}

//= RFC 4301 section 8.2
#[test]
fn what_does_not_fit_is_fragmented_or_reported() {
    let mut fragmentable = ipv4(1000);
    let passage = |packet: &[u8], mtu| {
        let packet = IpPacket::parse(packet).unwrap();
        [Fragmentation::Inner, Fragmentation::Outer].map(|policy| Passage::of(&packet, mtu, policy))
    };
    assert_eq!(passage(&fragmentable, 1000), [Passage::Fits; 2]);
    let by_policy = [Passage::FragmentInner { mtu: 999 }, Passage::FragmentOuter];
    assert_eq!(passage(&fragmentable, 999), by_policy);
    fragmentable[6] = 0x40;
    assert_eq!(passage(&fragmentable, 999), [Passage::TooBig { mtu: 999 }; 2]);
    assert_eq!(passage(&fragmentable, 0), [Passage::TooBig { mtu: 68 }; 2]);
    assert_eq!(passage(&ipv4(68), 67), [Passage::FragmentOuter; 2]);
    assert_eq!(passage(&ipv6(1400), 1399), [Passage::TooBig { mtu: 1399 }; 2]);
    assert_eq!(passage(&ipv6(1280), 1000), [Passage::FragmentOuter; 2]);
    assert_eq!(passage(&ipv6(1281), 1000), [Passage::TooBig { mtu: 1280 }; 2]);
}

//= RFC 1191 section 4, RFC 4443 section 3.2
#[test]
fn senders_of_too_big_packets_are_told() {
    for len in [500, 1500] {
        let packet = ipv4(len);
        let message = too_big(&packet, 1333, V4[0]).unwrap();
        let headers = IpPacket::parse(&message).unwrap();
        assert_eq!((headers.source, headers.destination), (V4[0], [10, 0, 0, 1].into()));
        assert_eq!((headers.total_len, headers.protocol.0), (message.len(), 1));
        assert!(message.len() <= 576 && sums_up(&[&message[..20]]) && sums_up(&[&message[20..]]));
        assert_eq!(message[20..22], [3, 4]);
        assert_eq!(message[24..28], [0, 0, 5, 53]);
        assert_eq!(message[28..], packet[..message.len() - 28]);

        let packet = ipv6(len);
        let message = too_big(&packet, 70_000, V6[0]).unwrap();
        let headers = IpPacket::parse(&message).unwrap();
        let sender = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
        assert_eq!((headers.source, headers.destination), (V6[0], sender));
        assert_eq!((headers.total_len, headers.protocol.0), (message.len(), 58));
        assert!(message.len() <= 1280);
        let pseudo = [0, 58, message[4], message[5]];
        assert!(sums_up(&[&message[8..40], &pseudo, &message[40..]]));
        assert_eq!(message[40..42], [2, 0]);
        assert_eq!(message[44..48], 70_000_u32.to_be_bytes());
        assert_eq!(message[48..], packet[..message.len() - 48]);
    }
}

//= RFC 1122 section 3.2.2, RFC 4443 section 2.4
#[test]
fn what_may_not_be_answered_is_not() {
    let mut error = ipv4(100);
    (error[9], error[20]) = (1, 3);
    let mut echo = ipv4(100);
    (echo[9], echo[20]) = (1, 8);
    let mut later_fragment = ipv4(100);
    later_fragment[7] = 1;
    let mut to_group = ipv4(100);
    to_group[16] = 224;
    let mut from_nobody = ipv4(100);
    from_nobody[12..16].fill(0);
    let mut error_v6 = ipv6(100);
    (error_v6[6], error_v6[40]) = (58, 1);
    for packet in [error, later_fragment, to_group, from_nobody] {
        assert_eq!(too_big(&packet, 80, V4[0]), None);
    }
    assert_eq!(too_big(&error_v6, 80, V6[0]), None);
    assert!(too_big(&echo, 80, V4[0]).is_some());
    assert_eq!(too_big(&echo, 80, V6[0]), None, "of another family");
    assert_eq!(too_big(&echo[..50], 80, V4[0]), None, "not whole");
}

/// An ESP packet of ours and where it went: bare or in UDP.
fn our_packet(ends: [IpAddr; 2], udp: bool) -> Vec<u8> {
    let inner = ipv4(1400);
    let mut outer = OuterHeader::new(ends[0], ends[1]);
    outer.udp = udp.then_some((4500, 61_000));
    let mut buf = vec![0xab; 48 + 1440];
    let esp = 48..48 + 1440;
    buf[48..56].copy_from_slice(&[0xc0, 0xff, 0xee, 0x01, 0, 0, 0, 9]);
    let packet = outer.write(&IpPacket::parse(&inner).unwrap(), 1, &mut buf, esp).unwrap();
    buf[packet].to_vec()
}

//= RFC 4301 section 8.2, RFC 1191 sections 4 and 7.1
#[test]
fn a_router_says_what_the_path_carries() {
    for (ends, router) in [(V4, [198, 51, 100, 1].into()), (V6, V6[1])] {
        for udp in [false, true] {
            let packet = our_packet(ends, udp);
            let message = too_big(&packet, 1300, router).unwrap();
            let report = TooBigReport::parse(&message).unwrap();
            assert_eq!(report.spi, adit_esp::Spi(0xc0ff_ee01));
            assert_eq!((report.destination, report.mtu), (ends[1], 1300));

            let parse = |edit: &dyn Fn(&mut Vec<u8>)| {
                let mut message = message.clone();
                edit(&mut message);
                TooBigReport::parse(&message)
            };
            let at = IpPacket::parse(&message).unwrap().header_len;
            assert_eq!(parse(&|message| message[at] = 1), None, "another ICMP message");
            let protocol_at = at + 8 + if ends[0].is_ipv4() { 9 } else { 6 };
            assert_eq!(parse(&|message| message[protocol_at] = 6), None, "about TCP");
            let to_at = if ends[0].is_ipv4() { 19 } else { 39 };
            assert_eq!(parse(&|message| message[to_at] ^= 1), None, "not to who sent the packet");
            assert_eq!(parse(&|message| message[at + 6..at + 8].fill(0xff)), None, "no less");
            if ends[0].is_ipv4() {
                let old = parse(&|message| message[at + 6..at + 8].fill(0)).unwrap();
                let expected = if packet.len() > 1492 { 1492 } else { 1006 };
                assert_eq!(old.mtu, expected, "of an old router, the next plateau");
            }
            if udp {
                let ports = at + 8 + if ends[0].is_ipv4() { 20 } else { 40 };
                assert_eq!(parse(&|message| message[ports] ^= 1), None, "another port");
            }
            mutate::all(&message[..at + 8 + 60.min(message.len() - at - 8)], &[], 4, |input| {
                let _ = TooBigReport::parse(input);
            });
        }
    }
}

//= RFC 8201 section 4, RFC 4301 section 6.1.1
#[test]
fn the_path_mtu_goes_down_by_reports_and_up_by_time() {
    let at = |secs| Instant::from_origin(Duration::from_secs(secs));
    let mut path = PathMtu::new(1500, 576);
    assert!(!path.report(at(0), 1500) && !path.report(at(0), 9000));
    assert!(path.report(at(10), 1400) && !path.report(at(20), 1450));
    assert_eq!((path.current(at(609)), path.current(at(610))), (1400, 1500), "10 minutes");
    assert!(path.report(at(700), 1450), "after that, what is less than the link counts again");
    assert!(path.report(at(701), 0) && path.current(at(702)) == 576);
    assert!(!path.report(at(703), 68), "nothing changes");
    assert_eq!(PathMtu::new(500, 576).current(at(0)), 500, "the link is what it is");
}

//= RFC 4301 section 8.2: what the host knows of its own link replaces what was known of it, and a router's word
//= about the way behind it stands until it is too old.
#[test]
fn the_link_may_change_under_what_routers_said() {
    let at = |secs| Instant::from_origin(Duration::from_secs(secs));
    let mut path = PathMtu::new(1500, 576);
    path.set_link(1400);
    assert_eq!((path.current(at(0)), path.expires(at(0))), (1400, None));
    path.set_link(9000);
    assert_eq!((path.current(at(0)), path.expires(at(0))), (9000, None), "up again at once");
    assert!(path.report(at(10), 1300));
    assert_eq!(path.expires(at(10)), Some(at(610)));
    path.set_link(1500);
    assert_eq!((path.current(at(11)), path.expires(at(11))), (1300, Some(at(610))));
    path.set_link(1280);
    assert_eq!((path.current(at(12)), path.expires(at(12))), (1280, None), "the link is the limit");
    path.set_link(100);
    assert_eq!(path.current(at(13)), 576);
    assert!({
        path.set_link(1500);
        path.report(at(20), 1350)
    });
    path.set_link(1450);
    assert_eq!((path.current(at(620)), path.expires(at(620))), (1450, None));
}
