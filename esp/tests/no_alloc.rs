//! Sealing and opening ask the heap for nothing, one by one, in batches and shared.

mod common;

use adit_esp::NextHeader;
use adit_esp::batch::{OpenFrame, SealFrame, SharedInbound};
use adit_esp::selector::Selectors;
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
