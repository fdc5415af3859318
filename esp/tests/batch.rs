//! Batches and shared SAs do what single packets do, and no packet is accepted twice.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use adit_esp::batch::{OpenFrame, SealFrame, SharedInbound};
use adit_esp::lifetime::Limit;
use adit_esp::{NextHeader, OpenError, SealError};
use bytes::BytesMut;
use common::{config, everything, inbound, ipv4, outbound, pair, seal};

#[test]
fn a_batch_is_so_many_packets() {
    for (provider, suite) in everything() {
        let (mut sender, mut receiver) = pair(&config(suite), provider);
        let mut alone = outbound(&config(suite), provider);
        let lens = [20, 64, 0, 1400, 100];
        let head = sender.headroom();
        let mut bufs: Vec<Vec<u8>> = lens
            .iter()
            .map(|len| {
                let mut buf = vec![0; head];
                buf.extend(ipv4((*len).max(20)));
                let tail = if *len == 0 { 0 } else { sender.tailroom(*len) };
                buf.resize(head + (*len).max(20) + tail, 0);
                buf
            })
            .collect();
        let mut frames: Vec<SealFrame<'_>> = bufs
            .iter_mut()
            .zip(lens)
            .map(|(buf, len)| SealFrame::new(buf, head..head + len.max(20), NextHeader::IPV4))
            .collect();
        assert!(frames.iter().all(|frame| frame.result().is_none() && frame.packet().is_none()));
        sender.seal_batch(&mut frames);
        let refused = frames[2].result().unwrap().as_ref().unwrap_err();
        assert!(matches!(refused, SealError::Tailroom { available: 0, .. }), "{refused:?}");
        assert!(frames[2].packet().is_none());
        let mut packets: Vec<Vec<u8>> =
            frames.iter().filter_map(|frame| frame.packet().map(<[u8]>::to_vec)).collect();
        assert_eq!(packets.len(), 4);
        for (packet, len) in packets.iter().zip([20, 64, 1400, 100]) {
            let single = seal(&mut alone, &ipv4(len), NextHeader::IPV4).unwrap();
            // The IVs of CBC depend on a key of each end's own, drawn from the same generator here.
            assert_eq!(*packet, single, "{suite:?}");
        }

        packets.push(packets[1].clone());
        *packets[2].last_mut().unwrap() ^= 1;
        let mut frames: Vec<OpenFrame<'_>> =
            packets.iter_mut().map(|packet| OpenFrame::new(packet)).collect();
        receiver.open_batch(&mut frames);
        let payloads: Vec<_> =
            frames.iter().map(|frame| frame.payload().map(<[u8]>::len)).collect();
        assert_eq!(payloads, [Some(20), Some(64), None, Some(100), None]);
        let replayed = Some(&Err(OpenError::Replayed { sequence: 2 }));
        assert_eq!(frames[4].result(), replayed);
    }
}

/// More frames than the cryptography takes at a time, of many lengths, with every kind of frame that
/// fails between them: each fares as it would alone.
#[test]
fn a_large_batch_is_so_many_packets() {
    for (provider, suite) in everything() {
        let (mut sender, mut receiver) = pair(&config(suite), provider);
        let (mut alone, mut receiver_alone) = pair(&config(suite), provider);
        let (head, tail) = (sender.headroom(), sender.tailroom(60));
        let mut bufs: Vec<Vec<u8>> = (0..75)
            .map(|index| {
                let mut buf = vec![0; head];
                buf.extend(ipv4(20 + index * 97 % 1500));
                // Every ninth has too little room behind.
                buf.resize(buf.len() + if index % 9 == 4 { 1 } else { tail + 20 }, 0);
                buf
            })
            .collect();
        let payload = |index: usize| head..head + 20 + index * 97 % 1500;
        let mut copies = bufs.clone();
        let singles: Vec<_> = copies
            .iter_mut()
            .enumerate()
            .map(|(index, buf)| alone.seal(buf, payload(index), NextHeader::IPV4))
            .collect();
        let mut frames: Vec<SealFrame<'_>> = bufs
            .iter_mut()
            .enumerate()
            .map(|(index, buf)| SealFrame::new(buf, payload(index), NextHeader::IPV4))
            .collect();
        sender.seal_batch(&mut frames);
        for (frame, single) in frames.iter().zip(&singles) {
            assert_eq!(frame.result(), Some(single), "{suite:?} with {}", provider.name);
        }
        let mut packets: Vec<Vec<u8>> =
            frames.iter().filter_map(|frame| frame.packet().map(<[u8]>::to_vec)).collect();
        assert_eq!(sender.stats(), alone.stats());
        assert_eq!(bufs, copies, "{suite:?} with {}", provider.name);

        // Two copies of some, some bent in each part, some of another SA, some cut off.
        for index in 0..packets.len() {
            match index % 11 {
                2 => packets.push(packets[index].clone()),
                3 => *packets[index].last_mut().unwrap() ^= 1,
                5 => packets[index][head] ^= 0x80,
                7 => packets[index][3] ^= 1,
                8 => {
                    packets[index].pop();
                }
                9 => packets[index].truncate(index / 3),
                _ => {}
            }
        }
        let mut copies = packets.clone();
        let singles: Vec<_> = copies.iter_mut().map(|packet| receiver_alone.open(packet)).collect();
        let mut frames: Vec<OpenFrame<'_>> =
            packets.iter_mut().map(|packet| OpenFrame::new(packet)).collect();
        receiver.open_batch(&mut frames);
        for ((frame, single), copy) in frames.iter().zip(&singles).zip(&copies) {
            assert_eq!(frame.result(), Some(single), "{suite:?} with {}", provider.name);
            let payload = single.as_ref().ok().map(|opened| &copy[opened.payload.clone()]);
            assert_eq!(frame.payload(), payload, "{suite:?} with {}", provider.name);
        }
        assert_eq!(receiver.stats(), receiver_alone.stats());
        let stats = receiver.stats();
        assert!(stats.packets > 32 && stats.replayed > 3 && stats.authentication > 6);
        assert!(stats.wrong_spi > 3 && stats.malformed > 6, "{stats:?}");
    }
}

/// No packet of a batch passes a hard limit that another packet of the same batch reached.
#[test]
fn a_batch_stops_at_the_hard_limit() {
    for (provider, suite) in everything() {
        let mut config = config(suite);
        config.lifetime.packets = Limit { soft: 5, hard: 10 };
        let (mut sender, mut receiver) = pair(&config, provider);
        let (head, tail) = (sender.headroom(), sender.tailroom(60));
        let mut bufs = vec![[vec![0; head], ipv4(60), vec![0; tail]].concat(); 16];
        let mut frames: Vec<SealFrame<'_>> = bufs
            .iter_mut()
            .map(|buf| SealFrame::new(buf, head..head + 60, NextHeader::IPV4))
            .collect();
        sender.seal_batch(&mut frames);
        for (index, frame) in frames.iter().enumerate() {
            match index {
                0..10 => assert!(frame.packet().is_some(), "{suite:?}"),
                _ => assert_eq!(frame.result(), Some(&Err(SealError::Expired)), "{suite:?}"),
            }
        }
        let mut unlimited = outbound(&common::config(suite), provider);
        let mut packets: Vec<Vec<u8>> =
            (0..16).map(|_| seal(&mut unlimited, &ipv4(60), NextHeader::IPV4).unwrap()).collect();
        let mut frames: Vec<OpenFrame<'_>> =
            packets.iter_mut().map(|packet| OpenFrame::new(packet)).collect();
        receiver.open_batch(&mut frames);
        for (index, frame) in frames.iter().enumerate() {
            match index {
                0..10 => assert!(frame.payload().is_some(), "{suite:?}"),
                _ => assert_eq!(frame.result(), Some(&Err(OpenError::Expired)), "{suite:?}"),
            }
        }
        assert_eq!((receiver.stats().packets, receiver.stats().expired), (10, 6));
    }
}

#[test]
fn a_shared_sa_counts_like_a_single_one() {
    for (provider, suite) in everything() {
        let (mut sender, mut single) = pair(&config(suite), provider);
        let shared = SharedInbound::new(inbound(&config(suite), provider));
        let mut packets: Vec<Vec<u8>> =
            (20..30).map(|len| seal(&mut sender, &ipv4(len), NextHeader::IPV4).unwrap()).collect();
        packets.push(packets[0].clone());
        packets.push(seal(&mut sender, &[1; 9], NextHeader::NONE).unwrap());
        packets.push(seal(&mut sender, &[1; 9], NextHeader::TCP).unwrap());
        packets[4][20] ^= 1;
        packets.push(vec![0; 3]);
        for packet in &packets {
            let by_itself = single.open(&mut packet.clone());
            assert_eq!(shared.open(&mut packet.clone()), by_itself);
        }
        assert_eq!(shared.stats(), single.stats());

        let batch = SharedInbound::new(inbound(&config(suite), provider));
        let mut copies = packets.clone();
        let mut frames: Vec<OpenFrame<'_>> =
            copies.iter_mut().map(|packet| OpenFrame::new(packet)).collect();
        batch.open_batch(&mut frames);
        assert_eq!(batch.stats(), single.stats(), "the copy within the batch is found at the end");
        assert_eq!(frames[10].result(), Some(&Err(OpenError::Replayed { sequence: 1 })));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "threads are what is tested")]
fn two_threads_accept_each_packet_once() {
    for (provider, suite) in everything() {
        let mut sender = outbound(&config(suite), provider);
        let shared = Arc::new(SharedInbound::new(inbound(&config(suite), provider)));
        let packets: Vec<Vec<u8>> =
            (0..400).map(|_| seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap()).collect();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (shared, mut packets) = (Arc::clone(&shared), packets.clone());
                std::thread::spawn(move || {
                    let mut accepted = Vec::new();
                    for batch in packets.chunks_mut(16) {
                        let mut frames: Vec<OpenFrame<'_>> =
                            batch.iter_mut().map(|packet| OpenFrame::new(packet)).collect();
                        shared.open_batch(&mut frames);
                        for frame in &frames {
                            match frame.result() {
                                Some(Ok(opened)) => accepted.push(opened.sequence),
                                Some(Err(OpenError::Replayed { .. })) => {}
                                other => panic!("{other:?}"),
                            }
                        }
                    }
                    accepted
                })
            })
            .collect();
        let accepted: Vec<u64> =
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        let distinct: BTreeSet<u64> = accepted.iter().copied().collect();
        assert_eq!((accepted.len(), distinct.len()), (400, 400));
        assert_eq!((shared.stats().packets, shared.stats().replayed), (400, 400));
    }
}

#[test]
fn bytes_go_in_and_come_out() {
    for (provider, suite) in everything() {
        let (mut sender, mut receiver) = pair(&config(suite), provider);
        for len in [20, 61, 1400] {
            let mut buf = BytesMut::zeroed(sender.headroom());
            buf.extend_from_slice(&ipv4(len));
            sender.seal_bytes(&mut buf, NextHeader::IPV4).unwrap();
            let opened = receiver.open_bytes(&mut buf).unwrap();
            assert_eq!((opened.payload, &buf[..]), (0..len, &ipv4(len)[..]));
        }
        let mut short = BytesMut::zeroed(3);
        let needed = sender.headroom();
        let refused = sender.seal_bytes(&mut short, NextHeader::IPV4);
        assert_eq!(refused, Err(SealError::Headroom { needed, available: 3 }));
        assert_eq!(
            receiver.open_bytes(&mut short).unwrap_err().fault(),
            adit_esp::Fault::Malformed
        );
    }
}
