//! IP-TFS: what a sender makes comes out whole and in order, whatever is lost, late or forged in between.
#![no_main]

use core::time::Duration;
use std::collections::VecDeque;

use adit_esp::iptfs::{CongestionControl, Payload, Receiver, Sender, SenderConfig};
use adit_platform::Instant;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    payload_len: u16,
    window: u8,
    fragment: bool,
    /// Sends on demand, with this much patience; at a constant rate without.
    patience: Option<u8>,
    operations: Vec<Operation>,
}

#[derive(Arbitrary, Debug)]
enum Operation {
    /// An inner packet of about this size.
    Push(u16),
    /// The next payload goes onto the network.
    Send,
    /// One of those on the network arrives.
    Deliver(u8),
    Lose(u8),
    /// Bytes from a hostile peer, some numbers ahead.
    Forge(u8, Vec<u8>),
    Wait(u16),
}

fuzz_target!(|input: Input| {
    let payload_len = 5 + usize::from(input.payload_len) % 3000;
    let mut config = match input.patience {
        None => SenderConfig::new(payload_len, Duration::from_millis(1)),
        Some(millis) => SenderConfig::on_demand(payload_len, Duration::from_millis(millis.into())),
    };
    config.fragment = input.fragment;
    let mut now = Instant::from_origin(Duration::ZERO);
    let mut sender = Sender::new(config, now).expect("in range");
    let mut control = CongestionControl::new(now, Duration::from_micros(input.window.into()));
    let mut receiver = Receiver::new().with_reorder_window(input.window.into());
    let mut network: VecDeque<(u64, Vec<u8>)> = VecDeque::new();
    let (mut sequence, mut forged, mut number) = (0, false, 0_u32);
    let mut last_delivered = None;
    for operation in input.operations {
        let mut deliver = |packet: &[u8]| {
            assert!(packet.len() >= 20);
            // Each honest packet carries its number; they come in order and none twice.
            if !forged {
                let number = u32::from_be_bytes(packet[12..16].try_into().expect("four"));
                assert!(last_delivered < Some(number));
                last_delivered = Some(number);
                assert!(packet[20..].iter().all(|byte| *byte == number as u8));
            }
        };
        match operation {
            Operation::Push(size) => {
                number += 1;
                let len = 20 + usize::from(size) % 4000;
                let mut packet = vec![number as u8; len];
                packet[..20].fill(0);
                packet[0] = 0x45;
                packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
                packet[12..16].copy_from_slice(&number.to_be_bytes());
                let before = sender.queued();
                let taken = sender.push(now, &packet).is_ok();
                assert_eq!(sender.queued(), before + if taken { len } else { 0 });
            }
            Operation::Send => {
                let mut payload = vec![0xee; payload_len];
                let Some(due) = sender.poll_timeout() else {
                    assert!(input.patience.is_some() && sender.queued() == 0);
                    continue;
                };
                now = now.max(due);
                let len =
                    sender.poll_payload(now, &mut payload).expect("it fits").expect("it is due");
                if input.patience.is_none() {
                    assert_eq!(len, payload_len);
                } else {
                    assert!((5..=payload_len).contains(&len), "something is in it");
                }
                payload.truncate(len);
                sequence += 1;
                network.push_back((sequence, payload));
            }
            Operation::Deliver(which) if !network.is_empty() => {
                let which = usize::from(which) % network.len();
                let (sequence, payload) = network.remove(which).expect("in range");
                receiver.handle_payload(now, sequence, &payload, &mut deliver).expect("honest");
            }
            Operation::Lose(which) if !network.is_empty() => {
                network.remove(usize::from(which) % network.len());
            }
            Operation::Deliver(_) | Operation::Lose(_) => {}
            Operation::Forge(ahead, bytes) => {
                forged = true;
                sequence += u64::from(ahead);
                if let Ok(payload) = Payload::parse(&bytes) {
                    control.received(now, sequence, payload.congestion.as_ref(), ahead % 8 == 1);
                }
                if ahead == 255 {
                    control.switch_sa();
                }
                let mut deliver = |packet: &[u8]| assert!(packet.len() >= 20);
                let _ = receiver.handle_payload(now, sequence, &bytes, &mut deliver);
            }
            Operation::Wait(millis) => {
                now = now + Duration::from_millis(millis.into());
                receiver.handle_timeout(now, &mut deliver);
                control.handle_timeout(now);
                assert!(now < control.poll_timeout() && !control.interval().is_zero());
                let _ = control.header(now, control.interval());
                assert!(receiver.poll_timeout().is_none_or(|deadline| now < deadline));
            }
        }
    }
});
