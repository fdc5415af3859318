//! ESP beside the bare cryptography that it cannot do without.

use std::cell::RefCell;
use std::rc::Rc;

use adit_esp::batch::{OpenFrame, SealFrame};
use adit_esp::selector::Selectors;
use adit_esp::{Inbound, NextHeader, Outbound, SaConfig, SaKeys, Spi};
use adit_platform::{Provider, Secret, Suite};
use adit_testkit::rng::SeededRng;

use crate::bare::{Bare, Batch};
use crate::{Case, Pair};

/// Packets in one call of what is measured: enough to hide the clock.
pub const PACKETS: usize = 64;

/// Packets in one call of `seal_batch` and `open_batch`.
pub const BATCH: usize = 32;

/// Packets of one call, few enough to stay in the second-level cache.
const fn batch(len: usize) -> usize {
    if len > 4000 { 16 } else { PACKETS }
}

/// A tunnel-mode SA with extended sequence numbers, the default replay window, and a selector check.
pub struct Sa {
    /// The sending end.
    pub outbound: Outbound,
    /// The receiving end.
    pub inbound: Inbound,
}

/// Makes both ends of an SA.
///
/// # Panics
/// If the provider does not run the suite.
pub fn sa(provider: &Provider, suite: Suite) -> Sa {
    let mut config = SaConfig::new(Spi(0x1000), suite);
    config.extended_sequence_numbers = true;
    let (encryption, integrity) = key_bytes(suite);
    let keys = SaKeys::new(Secret::copy_from(&encryption), Secret::copy_from(&integrity));
    let outbound = Outbound::new(&config, &keys, provider, &mut SeededRng::new(1));
    let inbound = Inbound::new(&config, &keys, provider);
    Sa {
        outbound: outbound.expect("the provider runs the suite"),
        inbound: inbound.expect("the provider runs the suite").with_selectors(Selectors::any()),
    }
}

fn key_bytes(suite: Suite) -> (Vec<u8>, Vec<u8>) {
    let mut rng = SeededRng::new(7);
    (rng.bytes(suite.encryption_key_len()), rng.bytes(suite.integrity_key_len()))
}

/// An IPv4 packet of `len` bytes.
pub fn inner_packet(len: usize) -> Vec<u8> {
    let mut packet: Vec<u8> = (0..len).map(|i| (i * 13) as u8).collect();
    packet[..20]
        .copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    packet
}

/// Buffers with an inner packet of `len` bytes in each, and room around it for ESP.
fn buffers(sa: &Outbound, len: usize) -> Vec<Vec<u8>> {
    let mut buffer = vec![0; sa.headroom()];
    buffer.extend(inner_packet(len));
    buffer.resize(buffer.len() + sa.tailroom(len), 0);
    vec![buffer; batch(len)]
}

/// Sealing and opening batches of packets with the bare algorithms.
pub fn bare(provider: &Provider, suite: Suite) -> (Batch, Batch) {
    let (encryption, integrity) = key_bytes(suite);
    let Bare { seal, open } = Bare::new(provider, suite, &encryption, &integrity);
    (seal, open)
}

/// Sealing an inner packet of `len` bytes, beside the bare algorithms over as many bytes.
pub fn seal(provider: &'static Provider, suite: Suite, len: usize) -> Pair<'static> {
    let mut theirs = buffers(&sa(provider, suite).outbound, len);
    let (bare_seal, _) = bare(provider, suite);
    Pair {
        ours: sealing(provider, suite, len),
        baseline: Some(Case::new(batch(len), move || bare_seal(&mut theirs))),
    }
}

/// Sealing an inner packet of `len` bytes.
pub fn sealing(provider: &'static Provider, suite: Suite, len: usize) -> Case<'static> {
    let Sa { mut outbound, .. } = sa(provider, suite);
    let mut packets = buffers(&outbound, len);
    let payload = outbound.headroom()..outbound.headroom() + len;
    Case::new(batch(len), move || {
        let mut bytes = 0;
        for buf in &mut packets {
            let sealed = outbound.seal(buf, payload.clone(), NextHeader::IPV4);
            bytes += sealed.expect("room is left").len();
        }
        bytes
    })
}

/// Sealing inner packets of `len` bytes in batches of [`BATCH`], beside sealing them one by one with
/// `single`.
pub fn seal_batches(
    provider: &'static Provider,
    single: &'static Provider,
    suite: Suite,
    len: usize,
) -> Pair<'static> {
    let Sa { mut outbound, .. } = sa(provider, suite);
    let mut ours = buffers(&outbound, len);
    let payload = outbound.headroom()..outbound.headroom() + len;
    Pair {
        ours: Case::new(batch(len), move || {
            let mut bytes = 0;
            for batch in ours.as_chunks_mut::<BATCH>().0 {
                let mut frames = batch
                    .each_mut()
                    .map(|buf| SealFrame::new(buf, payload.clone(), NextHeader::IPV4));
                outbound.seal_batch(&mut frames);
                for frame in &frames {
                    bytes += frame.packet().expect("room is left").len();
                }
            }
            bytes
        }),
        baseline: Some(sealing(single, suite, len)),
    }
}

/// Opening them so, beside opening them one by one with `single`.
pub fn open_batches(
    provider: &'static Provider,
    single: &'static Provider,
    suite: Suite,
    len: usize,
) -> Pair<'static> {
    let Sa { mut outbound, mut inbound } = sa(provider, suite);
    let packets = Rc::new(RefCell::new(buffers(&outbound, len)));
    let to_seal = Rc::clone(&packets);
    let payload = outbound.headroom()..outbound.headroom() + len;
    Pair {
        ours: Case::new(batch(len), move || {
            let mut bytes = 0;
            for batch in packets.borrow_mut().as_chunks_mut::<BATCH>().0 {
                let mut frames = batch.each_mut().map(|packet| OpenFrame::new(packet));
                inbound.open_batch(&mut frames);
                for frame in &frames {
                    bytes += frame.payload().expect("a fresh packet").len();
                }
            }
            bytes
        })
        .prepared_by(move || {
            for buf in to_seal.borrow_mut().iter_mut() {
                let sealed = outbound.seal(buf, payload.clone(), NextHeader::IPV4);
                assert_eq!(sealed.expect("room is left"), 0..buf.len());
            }
        }),
        baseline: Some(opening(single, suite, len)),
    }
}

/// Opening the ESP packet of an inner packet of `len` bytes, beside the bare algorithms over as many
/// bytes.
pub fn open(provider: &'static Provider, suite: Suite, len: usize) -> Pair<'static> {
    let theirs = Rc::new(RefCell::new(buffers(&sa(provider, suite).outbound, len)));
    let to_seal = Rc::clone(&theirs);
    let (seal, open) = bare(provider, suite);
    Pair {
        ours: opening(provider, suite, len),
        baseline: Some(Case::new(batch(len), move || open(&mut theirs.borrow_mut())).prepared_by(
            move || {
                seal(&mut to_seal.borrow_mut());
            },
        )),
    }
}

/// Opening the ESP packet of an inner packet of `len` bytes.
pub fn opening(provider: &'static Provider, suite: Suite, len: usize) -> Case<'static> {
    let Sa { mut outbound, mut inbound } = sa(provider, suite);
    let packets = Rc::new(RefCell::new(buffers(&outbound, len)));
    let to_seal = Rc::clone(&packets);
    let payload = outbound.headroom()..outbound.headroom() + len;
    Case::new(batch(len), move || {
        let mut bytes = 0;
        for packet in packets.borrow_mut().iter_mut() {
            bytes += inbound.open(packet).expect("a fresh packet").payload.len();
        }
        bytes
    })
    .prepared_by(move || {
        for buf in to_seal.borrow_mut().iter_mut() {
            let sealed = outbound.seal(buf, payload.clone(), NextHeader::IPV4);
            assert_eq!(sealed.expect("room is left"), 0..buf.len());
        }
    })
}
