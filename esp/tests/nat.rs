//! Checksums of transport-mode packets that came through a NAT: RFC 3948 section 3.1.2.

mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use adit_esp::ip::IpPacket;
use adit_esp::nat::ChecksumRepair;
use adit_esp::{Mode, SetupError};
use adit_testkit::mutate::{self, Field};
use common::{config, everything, ipv4, ipv6, pair};
use proptest::prelude::*;

/// TCP, UDP, UDP-Lite, DCCP and ICMPv6, each with the offset of its checksum.
const PROTOCOLS: [(u8, usize); 5] = [(6, 16), (17, 6), (136, 6), (33, 6), (58, 2)];

/// The one's complement sum over pseudo header and upper protocol: RFC 1071, RFC 768, RFC 8200 section 8.1.
fn sum(packet: &[u8]) -> u16 {
    let headers = IpPacket::parse(packet).unwrap();
    let upper = &packet[headers.header_len..];
    let addresses = if packet[0] >> 4 == 4 { &packet[12..20] } else { &packet[8..40] };
    let length = (upper.len() as u32).to_be_bytes();
    let mut sum = 0_u32;
    for pair in [addresses, &length, &[0, headers.protocol.0], upper].concat().chunks(2) {
        sum += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Sets the checksum as a host does.
fn seal_up(packet: &mut [u8], at: usize) {
    let start = IpPacket::parse(packet).unwrap().header_len;
    packet[start + at..start + at + 2].fill(0);
    let checksum = !sum(packet);
    let checksum = if checksum == 0 { 0xffff } else { checksum };
    packet[start + at..start + at + 2].copy_from_slice(&checksum.to_be_bytes());
}

/// A packet of a protocol, as its sender sent it, and as it arrives.
fn through_nat(
    v6: bool,
    protocol: u8,
    at: usize,
    len: usize,
) -> (Vec<u8>, Vec<u8>, ChecksumRepair) {
    let mut sent = if v6 { ipv6(len) } else { ipv4(len) };
    sent[if v6 { 6 } else { 9 }] = protocol;
    if protocol == 17 {
        let header = if v6 { 40 } else { 20 };
        sent[header + 4..header + 6].copy_from_slice(&((len - header) as u16).to_be_bytes());
    }
    seal_up(&mut sent, at);
    assert_eq!(sum(&sent), 0xffff);
    let headers = IpPacket::parse(&sent).unwrap();
    let original =
        ChecksumRepair::Original { source: headers.source, destination: headers.destination };
    let mut received = sent.clone();
    if v6 {
        received[8..24].copy_from_slice(&Ipv6Addr::new(0xfd00, 0, 9, 0, 0, 0, 1, 2).octets());
    } else {
        received[12..16].copy_from_slice(&[192, 0, 2, 77]);
        received[16..20].copy_from_slice(&[203, 0, 113, 4]);
    }
    assert_ne!(sum(&received), 0xffff);
    (sent, received, original)
}

#[test]
fn checksums_fit_the_new_addresses() {
    for v6 in [false, true] {
        for (protocol, at) in PROTOCOLS.into_iter().filter(|(protocol, _)| v6 || *protocol != 58) {
            for len in [80, 81, 1400] {
                let (_, received, original) = through_nat(v6, protocol, at, len);
                let mut packet = received.clone();
                original.apply(&mut packet).unwrap();
                assert_eq!(sum(&packet), 0xffff, "protocol {protocol}");

                let mut packet = received.clone();
                ChecksumRepair::Recompute.apply(&mut packet).unwrap();
                let computed = matches!(protocol, 6 | 17 | 58);
                assert_eq!(sum(&packet) == 0xffff, computed);
                assert!(computed || packet == received, "what is not computed stays");

                let mut packet = received.clone();
                ChecksumRepair::Omit.apply(&mut packet).unwrap();
                if protocol == 17 && !v6 {
                    assert_eq!(packet[26..28], [0, 0]);
                } else {
                    assert_eq!(sum(&packet) == 0xffff, computed);
                }
            }
        }
    }
}

#[test]
fn an_error_of_the_sender_is_still_found_by_the_incremental_way() {
    for (protocol, at) in PROTOCOLS.into_iter().take(4) {
        let (_, mut received, original) = through_nat(false, protocol, at, 100);
        received[90] ^= 4;
        original.apply(&mut received).unwrap();
        assert_ne!(sum(&received), 0xffff);
    }
}

//= RFC 768: zero stands for no checksum, and is never computed.
#[test]
fn udp_without_a_checksum_goes_on_without() {
    let (_, mut received, original) = through_nat(false, 17, 6, 60);
    received[26..28].fill(0);
    for repair in [original, ChecksumRepair::Recompute, ChecksumRepair::Omit] {
        let mut packet = received.clone();
        repair.apply(&mut packet).unwrap();
        assert_eq!(packet, received);
    }
    // An address that makes the sum come out as zero.
    let (_, mut received, _) = through_nat(false, 17, 6, 60);
    for low in 0..=u16::MAX {
        received[14..16].copy_from_slice(&low.to_be_bytes());
        received[26..28].fill(0);
        if sum(&received) == 0xffff {
            received[26..28].copy_from_slice(&[1, 1]);
            ChecksumRepair::Recompute.apply(&mut received).unwrap();
            assert_eq!(received[26..28], [0xff, 0xff]);
            return;
        }
    }
    panic!("one of all words completes the sum");
}

#[test]
fn what_has_no_checksum_stays_as_it_is() {
    let original =
        |source: IpAddr, destination: IpAddr| ChecksumRepair::Original { source, destination };
    let address = IpAddr::V4(Ipv4Addr::new(1, 2, 3, 4));
    let mut icmp = ipv4(60);
    icmp[9] = 1;
    let mut fragment = ipv4(60);
    fragment[7] = 5;
    let mut lying_udp = ipv4(60);
    lying_udp[24..26].copy_from_slice(&[0, 41]);
    let mut dwarf_udp = ipv4(60);
    dwarf_udp[24..26].copy_from_slice(&[0, 7]);
    for (packet, incremental_too) in [
        (icmp, true),
        (fragment, true),
        (ipv4(27), true),
        (ipv4(20), true),
        (lying_udp, false),
        (dwarf_udp, false),
    ] {
        let mut after = packet.clone();
        ChecksumRepair::Recompute.apply(&mut after).unwrap();
        assert_eq!(after, packet);
        if incremental_too {
            original(address, address).apply(&mut after).unwrap();
            assert_eq!(after, packet);
        }
    }
    assert!(ChecksumRepair::Omit.apply(&mut [0x45, 0]).is_err());
}

#[test]
fn the_sa_has_it_done() {
    for (provider, suite) in everything() {
        let mut config = config(suite);
        let (_, tunnel) = pair(&config, provider);
        let refused = tunnel.with_checksum_repair(ChecksumRepair::Recompute).unwrap_err();
        assert_eq!(refused, SetupError::RepairNeedsTransport);

        config.mode = Mode::Transport;
        let (sent, received, original) = through_nat(false, 6, 16, 200);
        for repair in [original, ChecksumRepair::Recompute] {
            let (mut sender, receiver) = pair(&config, provider);
            let mut receiver = receiver.with_checksum_repair(repair).unwrap();
            let head = sender.headroom();
            let mut buf = [vec![0; head], sent.clone()].concat();
            buf.resize(buf.len() + sender.tailroom(180), 0);
            let esp = sender.seal_transport(&mut buf, head..head + 200).unwrap();
            let packet = &mut buf[esp];
            packet[12..20].copy_from_slice(&received[12..20]);
            let opened = receiver.open_transport(packet).unwrap();
            assert_eq!(sum(&packet[opened.payload.clone()]), 0xffff);
            assert_eq!(packet[opened.payload][12..20], received[12..20]);
        }
    }
}

#[test]
fn whatever_comes_is_survived() {
    for (protocol, at) in PROTOCOLS {
        let (_, received, original) = through_nat(true, protocol, at, 80);
        mutate::all(&received, &[Field::u16(4), Field::u8(6), Field::u16(44)], 1, |input| {
            for repair in [original, ChecksumRepair::Recompute, ChecksumRepair::Omit] {
                let _ = repair.apply(&mut input.to_vec());
            }
        });
    }
}

proptest! {
    #[test]
    fn any_addresses(source: u32, destination: u32, len in 40_usize..200, udp: bool) {
        let (protocol, at) = if udp { (17, 6) } else { (6, 16) };
        let (_, mut packet, original) = through_nat(false, protocol, at, len);
        packet[12..16].copy_from_slice(&source.to_be_bytes());
        packet[16..20].copy_from_slice(&destination.to_be_bytes());
        let mut computed = packet.clone();
        original.apply(&mut packet).unwrap();
        prop_assert_eq!(sum(&packet), 0xffff);
        ChecksumRepair::Recompute.apply(&mut computed).unwrap();
        prop_assert_eq!(computed, packet, "both ways come to the same");
    }
}
