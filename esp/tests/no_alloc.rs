//! Sealing and opening ask the heap for nothing, one by one, in batches and shared.

mod common;

use std::time::Duration;

use adit_esp::NextHeader;
use adit_esp::batch::{OpenFrame, SealFrame, SharedInbound};
use adit_esp::encap::PayloadMut;
use adit_esp::encap::tcp::{self, Decoder};
use adit_esp::fragment::Fragments;
use adit_esp::iptfs::{Receiver, Sender, SenderConfig};
use adit_esp::nat::ChecksumRepair;
use adit_esp::selector::Selectors;
use adit_platform::Instant;
use adit_testkit::alloc::{Counting, allocations};
use common::{config, everything, inbound, ipv4, outbound};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn no_packet_allocates() {
    for (provider, suite) in everything() {
        let mut sender = outbound(&config(suite), provider);
        let mut receiver = inbound(&config(suite), provider).with_selectors(Selectors::any());
        let packet = ipv4(1400);
        let at = sender.headroom();
        let mut buf = vec![0; at + 1400 + sender.tailroom(1400)];
        let mut round = || {
            buf[at..at + 1400].copy_from_slice(&packet);
            let esp = sender.seal(&mut buf, at..at + 1400, NextHeader::IPV4).unwrap();
            receiver.open(&mut buf[esp.clone()]).unwrap();
            receiver.open(&mut buf[esp]).unwrap_err();
            let len = sender.seal_into(&packet, NextHeader::IPV4, &mut buf).unwrap();
            receiver.open(&mut buf[..len]).unwrap();
        };
        // Providers find out on first use what the processor can do.
        round();
        let before = allocations();
        for _ in 0..1000 {
            round();
        }
        assert_eq!(allocations() - before, 0, "{suite:?} with {}", provider.name);
    }
    let before = allocations();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(allocations() - before, 1, "the counter counts");
}

#[test]
fn no_batch_allocates() {
    for (provider, suite) in everything() {
        let mut sender = outbound(&config(suite), provider);
        let mut receiver = inbound(&config(suite), provider);
        let shared = SharedInbound::new(inbound(&config(suite), provider));
        let (head, tail) = (sender.headroom(), sender.tailroom(1400));
        // More than the cryptography takes at a time.
        let (mut bufs, mut copies) = ([[0; 1500]; 35], [[0; 1500]; 35]);
        let mut round = || {
            let len = head + 1400 + tail;
            let payload = head..head + 1400;
            for buf in &mut bufs {
                buf[head] = 0x45;
                buf[head + 2..head + 4].copy_from_slice(&1400_u16.to_be_bytes());
            }
            let mut frames = bufs
                .each_mut()
                .map(|buf| SealFrame::new(&mut buf[..len], payload.clone(), NextHeader::IPV4));
            sender.seal_batch(&mut frames);
            copies.clone_from(&bufs);
            let mut frames = bufs.each_mut().map(|buf| OpenFrame::new(&mut buf[..len]));
            receiver.open_batch(&mut frames);
            let mut shared_frames = copies.each_mut().map(|buf| OpenFrame::new(&mut buf[..len]));
            shared.open_batch(&mut shared_frames);
            for frame in frames.iter().chain(&shared_frames) {
                assert_eq!(frame.payload().map(<[u8]>::len), Some(1400));
            }
        };
        round();
        let before = allocations();
        for _ in 0..20 {
            round();
        }
        assert_eq!(allocations() - before, 0, "{suite:?} with {}", provider.name);
    }
}

#[test]
fn no_framing_fragmenting_or_reassembling_allocates() {
    let now = Instant::from_origin(Duration::ZERO);
    let packet = ipv4(1400);
    let mut decoder = Decoder::originator(2000);
    let mut sender = Sender::new(SenderConfig::new(1000, Duration::from_millis(1)), now).unwrap();
    let mut receiver = Receiver::new();
    let (mut framed, mut payload, mut out) = ([0; 1402], [0; 1000], [0; 1400]);
    let mut sequence = 1;
    let mut round = || {
        framed[2..].copy_from_slice(&packet);
        let message = tcp::frame_esp(&mut framed, 2..1402).unwrap();
        for part in framed[message].chunks(1001) {
            decoder.spare_mut()[..part.len()].copy_from_slice(part);
            decoder.filled(part.len());
        }
        assert!(matches!(decoder.next_message(), Ok(Some(PayloadMut::Esp(_)))));

        let mut fragments = Fragments::of_inner(&packet, 600).unwrap();
        while fragments.write_next(&mut out).unwrap().is_some() {}
        let mut udp = [0; 1400];
        udp.copy_from_slice(&packet);
        ChecksumRepair::Recompute.apply(&mut udp).unwrap();

        sender.push(now, &packet).unwrap();
        let mut delivered = 0;
        let mut early = [0; 1000];
        sender.poll_payload(sender.poll_timeout().unwrap(), &mut early).unwrap().unwrap();
        sender.poll_payload(sender.poll_timeout().unwrap(), &mut payload).unwrap().unwrap();
        // The second one first.
        for (number, payload) in [(sequence + 1, &payload), (sequence, &early)] {
            let deliver = &mut |_: &[u8]| delivered += 1;
            receiver.handle_payload(now, number, payload, deliver).unwrap();
        }
        sequence += 2;
        assert_eq!(delivered, 1);
    };
    // A payload has a place for each number of the reorder window.
    (0..8).for_each(|_| round());
    let before = allocations();
    (0..100).for_each(|_| round());
    assert_eq!(allocations() - before, 0);
}
