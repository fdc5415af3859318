//! Fragments of any packet: none too long, and together what they were made of. With them, what else reads IP
//! packets from the network: checksum repair, ICMP messages.
#![no_main]

use adit_esp::fragment::Fragments;
use adit_esp::ip::IpPacket;
use adit_esp::nat::ChecksumRepair;
use adit_esp::pmtu::TooBigReport;
use adit_esp::selector::Selectors;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    packet: Vec<u8>,
    /// Makes the length fields true, so that more packets are ones.
    repair_lengths: bool,
    mtu: u16,
    outer: bool,
}

fuzz_target!(|input: Input| {
    let Input { mut packet, repair_lengths, mtu, outer } = input;
    packet.truncate(65_535);
    if repair_lengths && packet.len() >= 40 {
        let len = packet.len() as u16;
        match packet[0] >> 4 {
            4 => packet[2..4].copy_from_slice(&len.to_be_bytes()),
            _ => {
                packet[0] = 0x60 | packet[0] & 15;
                packet[4..6].copy_from_slice(&(len - 40).to_be_bytes());
            }
        }
    }
    let _ = Selectors::any().admit_icmp_error(&packet);
    let _ = TooBigReport::parse(&packet);
    for repair in [
        ChecksumRepair::Recompute,
        ChecksumRepair::Omit,
        ChecksumRepair::Original { source: [1, 2, 3, 4].into(), destination: [5, 6, 7, 8].into() },
    ] {
        let mut copy = packet.clone();
        let done = repair.apply(&mut copy);
        assert_eq!(done.is_ok(), IpPacket::parse(&packet).is_ok());
        assert_eq!(copy.len(), packet.len());
    }

    let mtu = usize::from(mtu);
    let fragments = if outer {
        Fragments::of_outer(&packet, mtu, 0x0102_0304)
    } else {
        Fragments::of_inner(&packet, mtu)
    };
    let Ok(mut fragments) = fragments else { return };
    let whole = IpPacket::parse(&packet).expect("it was fragmented");
    let mut out = vec![0; 65_535];
    let mut data = Vec::new();
    let mut count = 0;
    while let Some(len) = fragments.write_next(&mut out).expect("there is room") {
        assert!(len <= mtu);
        count += 1;
        if count == 1 && len == whole.total_len {
            assert_eq!(out[..len], packet[..len], "what fits stays");
            return;
        }
        if whole.source.is_ipv4() {
            let fragment = IpPacket::parse(&out[..len]).expect("each is an IP packet");
            assert_eq!(fragment.total_len, len);
            assert_eq!((fragment.source, fragment.destination), (whole.source, whole.destination));
            data.extend_from_slice(&out[fragment.header_len..len]);
        } else {
            assert_eq!(usize::from(u16::from_be_bytes([out[4], out[5]])), len - 40);
            assert_eq!(out[8..40], packet[8..40]);
            let (mut next, mut at) = (out[6], 40);
            while next != 44 {
                (next, at) = (out[at], at + 8 + usize::from(out[at + 1]) * 8);
            }
            assert_eq!(out[at + 4..at + 8], [1, 2, 3, 4]);
            data.extend_from_slice(&out[at + 8..len]);
        }
    }
    assert!(count > 1);
    assert!(packet[..whole.total_len].ends_with(&data), "nothing is lost or changed");
});
