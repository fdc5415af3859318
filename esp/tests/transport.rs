//! Transport mode on whole IP packets.

mod common;

use adit_esp::ip::IpPacket;
use adit_esp::{Inbound, Mode, NextHeader, OpenError, Outbound, SealError};
use adit_platform::{Provider, Suite};
use adit_testkit::mutate::{self, Field};
use common::{config, everything, ipv4, ipv6, pair};

fn ends(suite: Suite, provider: &Provider) -> (Outbound, Inbound) {
    let mut config = config(suite);
    config.mode = Mode::Transport;
    pair(&config, provider)
}

fn with_checksum(mut packet: Vec<u8>) -> Vec<u8> {
    let len = usize::from(packet[0] & 15) * 4;
    packet[10..12].fill(0);
    let mut sum: u32 =
        packet[..len].chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    sum = (sum & 0xffff) + (sum >> 16);
    let checksum = !((sum & 0xffff) as u16 + (sum >> 16) as u16);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet
}

/// An IPv4 packet with options, one without, an IPv6 packet with extension headers, one without.
fn packets() -> Vec<Vec<u8>> {
    let mut options = ipv4(100);
    options[0] = 0x47;
    options[20..28].copy_from_slice(&[1, 1, 1, 1, 1, 1, 1, 0]);
    let mut extensions = ipv6(120);
    extensions[6] = 0;
    // Hop-by-hop options, a routing header of 16 bytes, destination options, UDP.
    extensions[40..48].copy_from_slice(&[43, 0, 1, 4, 0, 0, 0, 0]);
    extensions[48..56].copy_from_slice(&[60, 1, 99, 0, 0, 0, 0, 0]);
    extensions[64..72].copy_from_slice(&[17, 0, 1, 4, 0, 0, 0, 0]);
    vec![
        with_checksum(ipv4(20)),
        with_checksum(ipv4(1400)),
        with_checksum(options),
        ipv6(41),
        extensions,
    ]
}

fn seal(sa: &mut Outbound, packet: &[u8]) -> Vec<u8> {
    let (head, payload) =
        (sa.headroom(), packet.len() - IpPacket::parse(packet).unwrap().header_len);
    let mut buf = vec![0xee; head];
    buf.extend(packet);
    buf.resize(buf.len() + sa.tailroom(payload), 0xee);
    let sealed = sa.seal_transport(&mut buf, head..head + packet.len()).unwrap();
    assert_eq!(sealed, 0..buf.len());
    buf
}

//= RFC 4303 section 3.1.1
#[test]
fn the_header_stays_outside_and_comes_back() {
    for (provider, suite) in everything() {
        let (mut sender, mut receiver) = ends(suite, provider);
        for packet in packets() {
            let mut sealed = seal(&mut sender, &packet);
            let (before, after) =
                (IpPacket::parse(&packet).unwrap(), IpPacket::parse(&sealed).unwrap());
            assert_eq!((after.source, after.destination), (before.source, before.destination));
            assert_eq!((after.header_len, after.total_len), (before.header_len, sealed.len()));
            assert_eq!(after.protocol, NextHeader::ESP);
            if packet[0] >> 4 == 4 {
                assert_eq!(with_checksum(sealed.clone()), sealed, "the checksum is right");
            }
            assert_eq!(sealed[after.header_len..][..4], common::SPI.0.to_be_bytes());
            let opened = receiver.open_transport(&mut sealed).unwrap();
            assert_eq!(opened.next_header, before.protocol);
            assert_eq!(sealed[opened.payload], packet);
        }
    }
}

//= RFC 4303 sections 3.3.4 and 3.4.1
#[test]
fn only_whole_packets_are_taken() {
    for (provider, suite) in everything() {
        let (mut sender, mut receiver) = ends(suite, provider);
        let mut first_fragment = ipv4(100);
        first_fragment[6] = 0x20;
        let mut later_fragment = ipv4(100);
        later_fragment[7] = 3;
        let mut longer = ipv4(100);
        longer.push(0);
        let shorter = ipv4(100)[..99].to_vec();
        for packet in [first_fragment, later_fragment, longer, shorter, vec![], vec![0; 60]] {
            let head = sender.headroom();
            let mut buf = [vec![0; head], packet.clone(), vec![0; 200]].concat();
            let refused = sender.seal_transport(&mut buf, head..head + packet.len());
            assert_eq!(refused, Err(SealError::NotTransport), "{packet:?}");
        }
        assert_eq!(sender.last_sequence(), 0);

        let good = seal(&mut sender, &with_checksum(ipv4(100)));
        let mut fragment = good.clone();
        fragment[6] = 0x20;
        let refused = receiver.open_transport(&mut fragment);
        assert_eq!(refused, Err(OpenError::Fragment { spi: Some(common::SPI) }));
        let mut fragment = good.clone();
        fragment[7] = 3;
        assert_eq!(receiver.open_transport(&mut fragment), Err(OpenError::Fragment { spi: None }));
        let mut udp = good.clone();
        udp[9] = 17;
        let refused = receiver.open_transport(&mut udp);
        assert_eq!(refused, Err(OpenError::UnexpectedNextHeader(NextHeader::UDP)));
        assert!(receiver.open_transport(&mut good.clone()).is_ok());
        let stats = receiver.stats();
        assert_eq!((stats.fragments, stats.inner, stats.packets), (2, 1, 1), "each is counted");

        let (mut tunnel, _) = pair(&config(suite), provider);
        let mut buf = [vec![0; 24], ipv4(60), vec![0; 100]].concat();
        assert_eq!(tunnel.seal_transport(&mut buf, 24..84), Err(SealError::NotTransport));
    }
}

#[test]
fn whatever_comes_is_survived() {
    for (provider, suite) in everything().filter(|(provider, _)| provider.name == "ring") {
        let (mut sender, mut receiver) = ends(suite, provider);
        for packet in packets().into_iter().filter(|packet| packet.len() <= 120) {
            let sealed = seal(&mut sender, &packet);
            let mut fields =
                vec![Field::u8(0), Field::u16(2), Field::u16(4), Field::u8(6), Field::u8(41)];
            // Without an IV a short packet ends before the last of them.
            fields.retain(|field| field.offset + field.width <= sealed.len());
            mutate::all(&sealed, &fields, 5, |input| {
                let _ = receiver.open_transport(&mut input.to_vec());
                let mut buf = [&[0; 24], input, &[0; 80]].concat();
                let _ = sender.seal_transport(&mut buf, 24..24 + input.len());
            });
        }
    }
}
