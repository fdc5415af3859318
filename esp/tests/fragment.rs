//! Fragments are put together again by a reassembler that knows the RFCs and not the code.

mod common;

use std::net::IpAddr;

use adit_esp::fragment::{FragmentError, Fragments};
use adit_esp::ip::{Fragment, IpPacket};
use adit_esp::outer::OuterHeader;
use adit_esp::pmtu::{Fragmentation, Passage};
use adit_esp::{Inbound, NextHeader, Outbound};
use adit_testkit::mutate::{self, Field};
use common::{config, everything, ipv4, ipv6, pair};
use proptest::prelude::*;

/// RFC 1071.
fn sums_up(bytes: &[u8]) -> bool {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum == 0xffff
}

fn collect(mut fragments: Fragments<'_>) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut out = vec![0xee; 66_000];
    while let Some(len) = fragments.write_next(&mut out).unwrap() {
        all.push(out[..len].to_vec());
    }
    assert_eq!(fragments.write_next(&mut out), Ok(None), "it ends once");
    all
}

/// Puts IPv4 fragments together, and says where in its datagram the result begins and if more follows.
fn reassemble_v4(fragments: &[Vec<u8>]) -> (Vec<u8>, usize, bool) {
    let offset =
        |fragment: &[u8]| usize::from(fragment[6] & 0x1f) << 11 | usize::from(fragment[7]) << 3;
    let mut data = Vec::new();
    for (n, fragment) in fragments.iter().enumerate() {
        let header = usize::from(fragment[0] & 15) * 4;
        assert!(sums_up(&fragment[..header]));
        assert_eq!(usize::from(fragment[2]) << 8 | usize::from(fragment[3]), fragment.len());
        assert_eq!(fragment[4..6], fragments[0][4..6], "one identification");
        assert_eq!(offset(fragment), offset(&fragments[0]) + data.len());
        let is_last = n + 1 == fragments.len();
        assert!(is_last || fragment[6] & 0x20 != 0, "more follows");
        assert!(is_last || (fragment.len() - header) % 8 == 0);
        data.extend(&fragment[header..]);
    }
    (data, offset(&fragments[0]), fragments.last().unwrap()[6] & 0x20 != 0)
}

//= RFC 791 section 3.2
#[test]
fn ipv4_of_every_size_around_every_boundary() {
    for len in (20..120).chain([576, 1399, 1400, 1401, 1500, 9000, 65_535]) {
        let packet = ipv4(len);
        for mtu in [28, 29, 35, 36, 68, 576, 1399, 1400, 65_535] {
            let fragments = collect(Fragments::of_inner(&packet, mtu).unwrap());
            if len <= mtu {
                assert_eq!(fragments, [&packet[..]], "what fits stays as it is");
                continue;
            }
            assert!(fragments.iter().all(|fragment| fragment.len() <= mtu));
            // All but the last are as full as they can be.
            let full = 20 + (mtu - 20) / 8 * 8;
            let (_, front) = fragments.split_last().unwrap();
            assert!(front.iter().all(|fragment| fragment.len() == full));
            assert_eq!(reassemble_v4(&fragments), (packet[20..].to_vec(), 0, false));
        }
    }
}

//= RFC 791 section 3.1: options with the copied bit go into each fragment, the others into the first.
#[test]
fn options_are_copied_where_they_ask_for_it() {
    let mut packet = ipv4(200);
    packet[0] = 0x49;
    // Record route (7), not copied; no operation; router alert (148), copied; end.
    packet[20..36].copy_from_slice(&[7, 7, 4, 9, 9, 9, 9, 1, 148, 4, 1, 2, 0, 0xaa, 0xbb, 0xcc]);
    let fragments = collect(Fragments::of_inner(&packet, 100).unwrap());
    assert_eq!(fragments[0][20..36], packet[20..36]);
    for fragment in &fragments[1..] {
        assert_eq!(fragment[0], 0x46);
        assert_eq!(fragment[20..24], [148, 4, 1, 2]);
    }
    assert_eq!(reassemble_v4(&fragments).0, packet[36..]);

    for broken in [[148, 0, 0, 0], [148, 1, 0, 0], [148, 5, 0, 0], [1, 1, 1, 148]] {
        let mut packet = ipv4(200);
        packet[0] = 0x46;
        packet[20..24].copy_from_slice(&broken);
        let fragments = collect(Fragments::of_inner(&packet, 100).unwrap());
        assert!(fragments[1..].iter().all(|fragment| fragment[0] == 0x45), "{broken:?}");
    }
}

#[test]
fn fragments_are_fragmented_further() {
    let mut packet = ipv4(820);
    packet[6..8].copy_from_slice(&[0x20 | 0x01, 0x10]);
    let fragments = collect(Fragments::of_inner(&packet, 200).unwrap());
    assert_eq!(reassemble_v4(&fragments), (packet[20..].to_vec(), 0x110 * 8, true));
    packet[6..8].copy_from_slice(&[0x01, 0x10]);
    let fragments = collect(Fragments::of_inner(&packet, 200).unwrap());
    assert_eq!(reassemble_v4(&fragments), (packet[20..].to_vec(), 0x110 * 8, false));
    // Beyond the end of the longest datagram: what a ping of death consists of.
    packet[6..8].copy_from_slice(&[0x1f, 0xff]);
    assert_eq!(Fragments::of_inner(&packet, 200).unwrap_err(), FragmentError::TooLong);
}

/// RFC 8200 section 4.5.
fn reassemble_v6(fragments: &[Vec<u8>], identification: u32) -> Vec<u8> {
    let mut whole = Vec::new();
    let mut unfragmentable = Vec::new();
    for (n, fragment) in fragments.iter().enumerate() {
        let (mut at, mut field) = (40, 6);
        while fragment[field] != 44 {
            (field, at) = (at, at + 8 + usize::from(fragment[at + 1]) * 8);
        }
        let header = &fragment[at..at + 8];
        let is_last = n + 1 == fragments.len();
        let offset = u16::from_be_bytes([header[2], header[3]]);
        assert_eq!((header[1], offset & 7), (0, u16::from(!is_last)));
        assert_eq!(usize::from(offset & !7), whole.len());
        assert_eq!(header[4..], identification.to_be_bytes());
        assert_eq!(
            usize::from(u16::from_be_bytes([fragment[4], fragment[5]])),
            fragment.len() - 40
        );
        let mut front = fragment[..at].to_vec();
        front[field] = header[0];
        front[4..6].fill(0);
        assert!(n == 0 || front == unfragmentable);
        unfragmentable = front;
        assert!(is_last || (fragment.len() - at - 8) % 8 == 0);
        whole.extend(&fragment[at + 8..]);
    }
    let payload = (unfragmentable.len() - 40 + whole.len()) as u16;
    unfragmentable[4..6].copy_from_slice(&payload.to_be_bytes());
    [unfragmentable, whole].concat()
}

#[test]
fn ipv6_of_our_own_gets_a_fragment_header() {
    for len in [41, 1280, 1281, 1288, 1289, 1500, 65_535] {
        let packet = ipv6(len);
        for mtu in [56, 57, 1280, 1500] {
            let fragments = collect(Fragments::of_outer(&packet, mtu, 0xdead_beef).unwrap());
            if len <= mtu {
                assert_eq!(fragments, [&packet[..]]);
                continue;
            }
            assert!(fragments.len() > 1);
            for (n, fragment) in fragments.iter().enumerate() {
                assert!(fragment.len() <= mtu);
                let parsed = IpPacket::parse(fragment).unwrap();
                assert_eq!(parsed.fragment.is_later(), n > 0);
            }
            assert_eq!(reassemble_v6(&fragments, 0xdead_beef), packet);
        }
    }
}

#[test]
fn extension_headers_up_to_routing_go_into_every_fragment() {
    // Hop-by-hop options, destination options, a routing header, destination options, UDP.
    let mut packet = ipv6(300);
    packet[6] = 0;
    packet[40..48].copy_from_slice(&[60, 0, 1, 4, 0, 0, 0, 0]);
    packet[48..56].copy_from_slice(&[43, 0, 1, 4, 0, 0, 0, 0]);
    packet[56..64].copy_from_slice(&[60, 0, 99, 0, 0, 0, 0, 0]);
    packet[64..72].copy_from_slice(&[17, 0, 1, 4, 0, 0, 0, 0]);
    let fragments = collect(Fragments::of_outer(&packet, 120, 7).unwrap());
    assert!(fragments.iter().all(|fragment| fragment[40..56] == packet[40..56]));
    assert!(fragments.iter().all(|fragment| (fragment[56], fragment[64]) == (44, 60)));
    assert_eq!(reassemble_v6(&fragments, 7), packet);

    // Destination options alone are for the last destination, and distributed.
    let mut packet = ipv6(300);
    packet[6] = 60;
    packet[40..48].copy_from_slice(&[17, 0, 1, 4, 0, 0, 0, 0]);
    let fragments = collect(Fragments::of_outer(&packet, 120, 7).unwrap());
    assert!(fragments.iter().all(|fragment| (fragment[6], fragment[40]) == (44, 60)));
    assert_eq!(reassemble_v6(&fragments, 7), packet);
}

//= RFC 4301 section 8.2.1, RFC 8200 section 5
#[test]
fn what_must_not_be_fragmented_is_not() {
    let mut packet = ipv4(100);
    packet[6] = 0x40;
    assert_eq!(Fragments::of_inner(&packet, 68).unwrap_err(), FragmentError::DontFragment);
    assert_eq!(Fragments::of_outer(&packet, 68, 1).unwrap_err(), FragmentError::DontFragment);
    assert_eq!(Fragments::of_inner(&ipv6(1400), 1280).unwrap_err(), FragmentError::DontFragment);
    let own = ipv6(1400);
    let mut fragment = collect(Fragments::of_outer(&own, 1280, 1).unwrap()).swap_remove(0);
    assert!(matches!(IpPacket::parse(&fragment).unwrap().fragment, Fragment::First));
    assert_eq!(Fragments::of_outer(&fragment, 600, 1).unwrap_err(), FragmentError::DontFragment);
    fragment.truncate(100);
    assert!(matches!(Fragments::of_outer(&fragment, 600, 1), Err(FragmentError::NotIp(_))));

    let small = FragmentError::MtuTooSmall { mtu: 27, minimum: 28 };
    assert_eq!(Fragments::of_inner(&ipv4(100), 27).unwrap_err(), small);
    let small = FragmentError::MtuTooSmall { mtu: 55, minimum: 56 };
    assert_eq!(Fragments::of_outer(&ipv6(100), 55, 1).unwrap_err(), small);
    let packet = ipv4(100);
    let mut fragments = Fragments::of_inner(&packet, 60).unwrap();
    let short = FragmentError::Buffer { needed: 60, available: 59 };
    assert_eq!(fragments.write_next(&mut [0; 59]), Err(short));
    assert_eq!(fragments.write_next(&mut [0; 60]), Ok(Some(60)), "it can be asked for again");
}

#[test]
fn whatever_comes_is_survived() {
    let mut options = ipv4(90);
    options[0] = 0x48;
    options[20..32].copy_from_slice(&[7, 3, 4, 1, 148, 4, 0, 0, 130, 4, 0, 0]);
    let mut extensions = ipv6(100);
    extensions[6] = 0;
    extensions[40..48].copy_from_slice(&[43, 0, 1, 4, 0, 0, 0, 0]);
    extensions[48..56].copy_from_slice(&[17, 0, 99, 0, 0, 0, 0, 0]);
    for packet in [options, extensions] {
        let fields = [Field::u8(0), Field::u16(2), Field::u16(4), Field::u8(21), Field::u8(41)];
        mutate::all(&packet, &fields, 3, |input| {
            for mtu in [0, 30, 68, 80] {
                if let Ok(fragments) = Fragments::of_inner(input, mtu) {
                    collect(fragments);
                }
                if let Ok(fragments) = Fragments::of_outer(input, mtu, 1) {
                    collect(fragments);
                }
            }
        });
    }
}

/// The packets on the wire for an inner packet, none longer than the path carries.
fn send(
    sa: &mut Outbound,
    ends: [IpAddr; 2],
    inner: &[u8],
    path: usize,
    policy: Fragmentation,
) -> Vec<Vec<u8>> {
    let outer = OuterHeader::new(ends[0], ends[1]);
    let mtu = sa.max_payload(path - outer.len());
    let headers = IpPacket::parse(inner).unwrap();
    let next = if inner[0] >> 4 == 4 { NextHeader::IPV4 } else { NextHeader::IPV6 };
    let mut seal = |packet: &[u8]| {
        let head = outer.len() + sa.headroom();
        let mut buf = [vec![0; head], packet.to_vec()].concat();
        buf.resize(buf.len() + sa.tailroom(packet.len()), 0);
        let esp = sa.seal(&mut buf, head..head + packet.len(), next).unwrap();
        let whole = outer.write(&headers, 77, &mut buf, esp).unwrap();
        buf[whole].to_vec()
    };
    match Passage::of(&headers, mtu, policy) {
        Passage::Fits => vec![seal(inner)],
        Passage::FragmentInner { mtu } => collect(Fragments::of_inner(inner, mtu).unwrap())
            .iter()
            .map(|part| seal(part))
            .collect(),
        Passage::FragmentOuter => collect(Fragments::of_outer(&seal(inner), path, 99).unwrap()),
        Passage::TooBig { .. } => panic!("these may be fragmented"),
    }
}

/// What the peer takes out of them: its IP stack first, then its SA.
fn receive(sa: &mut Inbound, mut packets: Vec<Vec<u8>>, policy: Fragmentation) -> Vec<Vec<u8>> {
    if policy == Fragmentation::Outer && packets.len() > 1 {
        let whole = if packets[0][0] >> 4 == 4 {
            let (data, offset, more) = reassemble_v4(&packets);
            assert_eq!((offset, more), (0, false));
            [packets[0][..20].to_vec(), data].concat()
        } else {
            reassemble_v6(&packets, 99)
        };
        packets = vec![whole];
    }
    let open = |packet: &mut Vec<u8>| {
        let start = if packet[0] >> 4 == 4 { 20 } else { 40 };
        let esp = &mut packet[start..];
        let opened = sa.open(esp).unwrap();
        esp[opened.payload].to_vec()
    };
    packets.iter_mut().map(open).collect()
}

//= RFC 4301 section 8.2.1
#[test]
fn what_is_too_long_for_the_path_arrives_all_the_same() {
    let v4: [IpAddr; 2] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
    let v6: [IpAddr; 2] = [[0x20; 16].into(), [0x21; 16].into()];
    for (provider, suite) in everything() {
        for ends in [v4, v6] {
            let (mut sender, mut receiver) = pair(&config(suite), provider);
            for (inner, policy, fragments) in [
                (ipv4(1500), Fragmentation::Inner, 2),
                (ipv4(1500), Fragmentation::Outer, 2),
                (ipv4(4000), Fragmentation::Inner, 4),
                (ipv4(4000), Fragmentation::Outer, 4),
                (ipv4(1000), Fragmentation::Inner, 1),
                // Never too big, and not to be fragmented itself.
                (ipv6(1280), Fragmentation::Outer, 2),
            ] {
                let packets = send(&mut sender, ends, &inner, 1300, policy);
                assert_eq!(packets.len(), fragments, "{suite:?} {}", inner.len());
                assert!(packets.iter().all(|packet| packet.len() <= 1300));
                let received = receive(&mut receiver, packets, policy);
                if received.len() == 1 {
                    assert_eq!(received, [inner]);
                } else {
                    assert_eq!(reassemble_v4(&received), (inner[20..].to_vec(), 0, false));
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_packet_by_any_mtu(len in 20_usize..65_535, mtu in 28_usize..9000, v6 in any::<bool>()) {
        if v6 && mtu >= 56 {
            let packet = ipv6(len.max(40));
            let fragments = collect(Fragments::of_outer(&packet, mtu, 5).unwrap());
            prop_assert!(fragments.iter().all(|fragment| fragment.len() <= mtu));
            if fragments.len() == 1 {
                prop_assert_eq!(&fragments[0], &packet);
            } else {
                prop_assert_eq!(reassemble_v6(&fragments, 5), packet);
            }
        } else {
            let packet = ipv4(len);
            let fragments = collect(Fragments::of_inner(&packet, mtu).unwrap());
            prop_assert!(fragments.iter().all(|fragment| fragment.len() <= mtu));
            if fragments.len() == 1 {
                prop_assert_eq!(&fragments[0], &packet);
            } else {
                prop_assert_eq!(reassemble_v4(&fragments), (packet[20..].to_vec(), 0, false));
            }
        }
    }
}
