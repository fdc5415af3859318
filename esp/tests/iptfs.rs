//! IP-TFS: what goes in comes out, in order and whole, unless a payload with a part of it is lost.

mod common;

use std::ops::Range;
use std::time::Duration;

use adit_esp::iptfs::{
    Congestion, Pace, Payload, PayloadError, Receiver, Sender, SenderConfig, SenderError,
};
use adit_esp::selector::{Selectors, TrafficSelector};
use adit_esp::{Mode, NextHeader, OpenError, SetupError};
use adit_platform::Instant;
use adit_testkit::mutate::{self, Field};
use adit_testkit::rng::SeededRng;
use adit_testkit::seed;
use common::{config, everything, ipv4, ipv6, pair};
use proptest::prelude::*;

const TICK: Duration = Duration::from_millis(1);

fn at(ticks: u32) -> Instant {
    Instant::from_origin(TICK * ticks)
}

fn sender(payload_len: usize) -> Sender {
    Sender::new(SenderConfig::new(payload_len, TICK), at(0)).unwrap()
}

/// The next payload, at its time.
fn poll(sender: &mut Sender) -> Vec<u8> {
    let due = sender.poll_timeout().unwrap();
    let Err(SenderError::Buffer { needed, .. }) = sender.poll_payload(due, &mut []) else {
        panic!("it is due, and needs more than nothing");
    };
    let mut out = vec![0xee; needed];
    assert_eq!(sender.poll_payload(due, &mut out), Ok(Some(needed)));
    out
}

/// Payloads that carry all of `packets`.
fn payloads(sender: &mut Sender, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for packet in packets {
        while let Err(error) = sender.push(at(0), packet) {
            assert!(matches!(error, SenderError::Full { .. }), "{error}");
            all.push(poll(sender));
        }
    }
    while sender.queued() > 0 {
        all.push(poll(sender));
    }
    all
}

/// What comes out of payloads with these numbers, all at one time.
fn receive<'a>(
    receiver: &mut Receiver,
    payloads: impl IntoIterator<Item = (u64, &'a [u8])>,
) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for (sequence, payload) in payloads {
        receiver
            .handle_payload(at(0), sequence, payload, &mut |packet| out.push(packet.to_vec()))
            .unwrap();
    }
    out
}

fn numbered(payloads: &[Vec<u8>]) -> impl Iterator<Item = (u64, &[u8])> {
    (1..).zip(payloads.iter().map(Vec::as_slice))
}

//= RFC 9347 section 6.1.1 and 6.1.3: the format, taken apart without the code.
#[test]
fn payloads_are_those_of_the_rfc() {
    let mut sender = sender(104);
    let (first, second) = (ipv4(60), ipv6(100));
    sender.push(at(0), &first).unwrap();
    sender.push(at(0), &second).unwrap();
    let payload = poll(&mut sender);
    assert_eq!(payload, [&[0, 0, 0, 0], &first[..], &second[..40]].concat());
    let payload = poll(&mut sender);
    assert_eq!(payload, [&[0, 0, 0, 60], &second[40..], &[0; 40]].concat());
    assert_eq!(poll(&mut sender), [0; 104], "nothing but padding");
    // A packet that goes on beyond the next payload.
    sender.push(at(0), &ipv4(300)).unwrap();
    assert_eq!(poll(&mut sender)[..4], [0, 0, 0, 0]);
    assert_eq!(poll(&mut sender)[..4], [0, 0, 0, 200]);
    assert_eq!(poll(&mut sender)[..4], [0, 0, 0, 100]);
    assert_eq!(sender.queued(), 0);
    let stats = sender.stats();
    assert_eq!((stats.payloads, stats.padding, stats.packets), (6, 1, 3));
}

//= RFC 9347 appendix A: the example, octet for octet of the headers.
#[test]
fn the_example_of_the_rfc() {
    let packets = [ipv4(750), ipv4(750), ipv4(60), ipv4(240), ipv4(3000)];
    let payloads = payloads(&mut sender(1404), &packets);
    let offsets: Vec<_> =
        payloads.iter().map(|payload| Payload::parse(payload).unwrap().block_offset).collect();
    assert_eq!(offsets, [0, 100, 2000, 600]);
    assert!(payloads.iter().all(|payload| payload.len() == 1404 && payload[..2] == [0, 0]));
    assert_eq!(payloads[3][4 + 600..], [0; 800]);
    assert_eq!(receive(&mut Receiver::new(), numbered(&payloads)), packets);
    // What remains when any one is lost: "allows for recovering the next inner packet".
    for (lost, remaining) in [(0, 2..5), (1, 0..1), (2, 0..4), (3, 0..4)] {
        let rest = numbered(&payloads).filter(|(sequence, _)| *sequence != lost + 1);
        let mut receiver = Receiver::new();
        let mut received = receive(&mut receiver, rest);
        receiver.handle_timeout(at(5000), &mut |packet| received.push(packet.to_vec()));
        assert_eq!(received, packets[remaining]);
    }
}

//= RFC 9347 section 2.1: other uses of AGGFRAG mode are not restricted; here, on demand.
#[test]
fn on_demand_nothing_is_sent_without_cause() {
    let config = SenderConfig::on_demand(104, TICK * 5);
    assert_eq!(config.pace, Pace::OnDemand { patience: TICK * 5 });
    let mut sender = Sender::new(config, at(0)).unwrap();
    let mut out = [0xee; 104];
    assert_eq!(sender.poll_timeout(), None);
    assert_eq!(sender.poll_payload(at(100), &mut out), Ok(None));
    // The first one waits for company, and no longer than it may.
    let packets = [ipv4(30), ipv4(40), ipv4(50)];
    sender.push(at(100), &packets[0]).unwrap();
    sender.push(at(103), &packets[1]).unwrap();
    assert_eq!(sender.poll_timeout(), Some(at(105)));
    assert_eq!(sender.poll_payload(at(104), &mut out), Ok(None));
    let short = SenderError::Buffer { needed: 74, available: 73 };
    assert_eq!(sender.poll_payload(at(105), &mut out[..73]), Err(short));
    assert_eq!(sender.poll_payload(at(105), &mut out), Ok(Some(74)), "no padding");
    assert_eq!(out[..74], [&[0; 4], &packets[0][..], &packets[1]].concat());
    assert_eq!(sender.poll_timeout(), None);
    // What fills a payload waits for nothing, and what is left of a packet follows.
    sender.push(at(110), &packets[2]).unwrap();
    sender.push(at(111), &ipv4(60)).unwrap();
    assert_eq!(sender.poll_timeout(), Some(at(111)));
    assert_eq!(sender.poll_payload(at(111), &mut out), Ok(Some(104)));
    assert_eq!(sender.poll_timeout(), Some(at(111)));
    assert_eq!(sender.poll_payload(at(111), &mut out), Ok(Some(14)));
    assert_eq!(out[..4], [0, 0, 0, 10]);
    assert_eq!(sender.poll_timeout(), None);
    // With the SA replaced in between, it comes as a whole.
    sender.push(at(120), &ipv4(101)).unwrap();
    assert_eq!(sender.poll_payload(at(120), &mut out), Ok(Some(104)));
    sender.switch_sa();
    assert_eq!((sender.poll_timeout(), sender.queued()), (Some(at(120)), 101));
    assert_eq!(sender.poll_payload(at(120), &mut out), Ok(Some(104)));
    assert_eq!(sender.poll_payload(at(120), &mut out), Ok(Some(5)));
    assert_eq!(sender.poll_timeout(), None);
    // Whole packets only, if the peer wants no fragments; the next one waits anew.
    let mut config = SenderConfig::on_demand(104, TICK);
    config.fragment = false;
    let mut sender = Sender::new(config, at(0)).unwrap();
    sender.push(at(0), &ipv4(60)).unwrap();
    sender.push(at(0), &ipv4(60)).unwrap();
    assert_eq!(sender.poll_payload(at(0), &mut out), Ok(Some(64)));
    assert_eq!(sender.poll_timeout(), Some(at(1)));
    assert_eq!(sender.poll_payload(at(1), &mut out), Ok(Some(64)));
    assert_eq!(sender.poll_timeout(), None);
}

#[test]
fn every_packet_size_in_payloads_of_many_sizes() {
    for payload_len in [5, 6, 24, 44, 100, 1400, 65_535] {
        let sizes = (20..200).chain([576, 1400, 1500, 9000, 65_000, 65_535]);
        let packets: Vec<_> = sizes
            .flat_map(|len| [Some(ipv4(len)), (len >= 40).then(|| ipv6(len))])
            .flatten()
            // As many bytes as payloads, times the whole: not with the shortest.
            .filter(|packet| packet.len() < 2000 || payload_len > 24)
            .collect();
        let payloads = payloads(&mut sender(payload_len), &packets);
        assert!(payloads.iter().all(|payload| payload.len() == payload_len));
        let mut receiver = Receiver::new();
        assert_eq!(receive(&mut receiver, numbered(&payloads)), packets);
        let stats = receiver.stats();
        assert_eq!(stats.packets, packets.len() as u64);
        assert_eq!((stats.incomplete, stats.malformed, stats.lost), (0, 0, 0));
    }
}

//= RFC 9347 section 2.4.1
#[test]
fn payloads_come_at_their_rate_and_never_in_a_burst() {
    let mut sender = sender(100);
    let mut out = [0; 100];
    assert_eq!(sender.poll_timeout(), Some(at(0)));
    assert_eq!(sender.poll_payload(at(0), &mut out), Ok(Some(100)));
    assert_eq!(sender.poll_payload(at(0), &mut out), Ok(None));
    assert_eq!(sender.poll_timeout(), Some(at(1)));
    // Half a tick late: the next one comes in its time all the same.
    assert_eq!(sender.poll_payload(at(1) + TICK / 2, &mut out), Ok(Some(100)));
    assert_eq!(sender.poll_timeout(), Some(at(2)));
    // Many late: they are gone.
    assert_eq!(sender.poll_payload(at(10), &mut out), Ok(Some(100)));
    assert_eq!(sender.poll_payload(at(10), &mut out), Ok(None));
    assert_eq!((sender.poll_timeout(), sender.stats().missed), (Some(at(11)), 8));
    let short = SenderError::Buffer { needed: 100, available: 99 };
    assert_eq!(sender.poll_payload(at(11), &mut out[..99]), Err(short));
    assert_eq!(sender.poll_payload(at(11), &mut out), Ok(Some(100)), "nothing was lost");
}

#[test]
fn a_coarse_timer_may_be_made_up_for() {
    let mut config = SenderConfig::new(100, TICK);
    config.catch_up = 3;
    let mut sender = Sender::new(config, at(0)).unwrap();
    let mut out = [0; 100];
    let mut take =
        |now| (0..).take_while(|_| sender.poll_payload(now, &mut out).unwrap().is_some()).count();
    // Every third tick is a wake-up, and no payload is missing.
    assert_eq!([0, 3, 6, 9].map(|tick| take(at(tick))), [1, 3, 3, 3]);
    // A long sleep is not made up for, but for the last of it.
    assert_eq!(take(at(109)), 4);
    assert_eq!(take(at(110)), 1);
    assert_eq!(sender.stats().missed, 96);
    assert_eq!(sender.stats().payloads, 111 - 96);
    assert_eq!(sender.poll_timeout(), Some(at(111)));
}

#[test]
fn the_queue_is_bounded_and_packets_are_checked() {
    let mut config = SenderConfig::new(100, TICK);
    config.queue = 150;
    let mut sender = Sender::new(config, at(0)).unwrap();
    sender.push(at(0), &ipv4(100)).unwrap();
    assert_eq!(sender.push(at(0), &ipv4(51)), Err(SenderError::Full { len: 51, free: 50 }));
    sender.push(at(0), &ipv4(50)).unwrap();
    assert_eq!(
        sender.push(at(0), &ipv4(151)),
        Err(SenderError::TooLong { len: 151, maximum: 150 })
    );
    assert!(matches!(sender.push(at(0), &[0x45; 19]), Err(SenderError::NotIp(_))));
    assert_eq!((sender.stats().full, sender.queued()), (1, 150));
    // What lies behind the packet is not part of it.
    poll(&mut sender);
    poll(&mut sender);
    let mut longer = ipv4(30);
    longer.extend([9; 20]);
    sender.push(at(0), &longer).unwrap();
    assert_eq!(sender.queued(), 30);

    for (len, interval) in [(4, TICK), (65_536, TICK), (100, Duration::ZERO)] {
        assert!(Sender::new(SenderConfig::new(len, interval), at(0)).is_err());
    }
    let mut jumbo = ipv6(65_575 - 40);
    jumbo.resize(65_575, 0);
    jumbo[4..6].fill(0xff);
    let refused = self::sender(1400).push(at(0), &jumbo);
    assert_eq!(refused, Err(SenderError::TooLong { len: 65_575, maximum: 65_535 }));
}

//= RFC 9347 section 5.1: the D bit.
#[test]
fn without_fragments_packets_stay_whole() {
    let mut config = SenderConfig::new(104, TICK);
    config.fragment = false;
    let mut sender = Sender::new(config, at(0)).unwrap();
    assert_eq!(
        sender.push(at(0), &ipv4(101)),
        Err(SenderError::TooLong { len: 101, maximum: 100 })
    );
    for len in [60, 40, 60, 41, 100] {
        sender.push(at(0), &ipv4(len)).unwrap();
    }
    let payloads: Vec<_> = (0..4).map(|_| poll(&mut sender)).collect();
    assert!(payloads.iter().all(|payload| payload[..4] == [0; 4]));
    assert_eq!(payloads[1][64..], [0; 40]);
    // So that each can be read without the others.
    let mut receiver = Receiver::new();
    let received = receive(&mut receiver, numbered(&payloads).skip(1));
    assert!(received.is_empty(), "they wait for the first");
    let mut out = Vec::new();
    receiver.handle_timeout(at(1000), &mut |packet| out.push(packet.len()));
    assert_eq!(out, [60, 41, 100]);
}

//= RFC 9347 section 2.2.3
#[test]
fn a_lost_payload_costs_only_the_packets_in_it() {
    let packets: Vec<_> = (0..20).map(|n| ipv4(90 + n)).collect();
    let payloads = payloads(&mut sender(104), &packets);
    for lost in 0..payloads.len() {
        let carried = lost * 100..(lost + 1) * 100;
        let mut receiver = Receiver::new().with_reorder_window(0);
        let kept = numbered(&payloads).filter(|(sequence, _)| *sequence != lost as u64 + 1);
        let received = receive(&mut receiver, kept);
        assert_eq!(
            received,
            untouched(&packets, std::slice::from_ref(&carried)),
            "without payload {lost}"
        );
    }
}

/// The packets of which none of these parts of the stream holds a byte.
fn untouched(packets: &[Vec<u8>], lost: &[Range<usize>]) -> Vec<Vec<u8>> {
    let mut start = 0;
    let mut kept = Vec::new();
    for packet in packets {
        let end = start + packet.len();
        if lost.iter().all(|lost| end <= lost.start || lost.end <= start) {
            kept.push(packet.clone());
        }
        start = end;
    }
    kept
}

//= RFC 9347 section 2.2.3
#[test]
fn payloads_may_come_early_but_not_too_early() {
    let packets: Vec<_> = (0..9).map(|n| ipv4(120 + n)).collect();
    let payloads = payloads(&mut sender(104), &packets);
    let get = |order: &[usize]| -> Vec<_> {
        order.iter().map(|n| (*n as u64, &payloads[n - 1][..])).collect()
    };
    let rest: Vec<usize> = (7..=payloads.len()).collect();
    for order in [[2, 1, 3, 4, 5, 6], [2, 3, 4, 1, 6, 5], [4, 2, 3, 1, 5, 6]] {
        let mut receiver = Receiver::new();
        let received = receive(&mut receiver, get(&[&order[..], &rest].concat()));
        assert_eq!(received, packets, "{order:?}");
        assert_eq!((receiver.stats().lost, receiver.poll_timeout()), (0, None));
    }
    // Four early: 1 is waited for no more.
    let mut receiver = Receiver::new();
    let received = receive(&mut receiver, get(&[&[2, 3, 4, 5, 1, 6][..], &rest].concat()));
    assert_eq!(received, untouched(&packets, std::slice::from_ref(&(0..100))));
    assert_eq!((receiver.stats().lost, receiver.stats().late), (1, 1));
    // Twice is once too often, held or read.
    let mut receiver = Receiver::new();
    receive(&mut receiver, get(&[3, 3, 1, 1]));
    assert_eq!(receiver.stats().late, 2);
    // A gap of any size is no more work than a small one.
    let mut receiver = Receiver::new();
    receive(
        &mut receiver,
        [(2, &payloads[1][..]), (u64::MAX - 1, &payloads[2]), (u64::MAX, &payloads[3])],
    );
    assert_eq!(receiver.stats().payloads, 1);
}

#[test]
fn a_payload_is_not_waited_for_for_ever() {
    let packets: Vec<_> = (0..9).map(|n| ipv4(96 + n)).collect();
    let payloads = payloads(&mut sender(104), &packets);
    let mut receiver = Receiver::new().with_patience(TICK * 10);
    let mut received = Vec::new();
    let mut deliver = |packet: &[u8]| received.push(packet.to_vec());
    receiver.handle_payload(at(5), 2, &payloads[1], &mut deliver).unwrap();
    receiver.handle_payload(at(7), 4, &payloads[3], &mut deliver).unwrap();
    assert_eq!(receiver.poll_timeout(), Some(at(15)));
    receiver.handle_timeout(at(14), &mut deliver);
    assert_eq!(receiver.poll_timeout(), Some(at(15)));
    receiver.handle_timeout(at(15), &mut deliver);
    assert_eq!(receiver.poll_timeout(), Some(at(17)), "2 was read, 4 waits for 3");
    receiver.handle_timeout(at(17), &mut deliver);
    assert_eq!(receiver.poll_timeout(), None);
    assert_eq!(receiver.stats().lost, 2);
    for (sequence, payload) in numbered(&payloads).skip(4) {
        receiver.handle_payload(at(20), sequence, payload, &mut deliver).unwrap();
    }
    assert_eq!(received, untouched(&packets, &[0..100, 200..300]));
}

//= RFC 9347 sections 2.2.3 and 2.2.4
#[test]
fn padding_and_empty_payloads_may_stand_within_a_packet() {
    let packet = ipv4(250);
    let parts = payloads(&mut sender(104), std::slice::from_ref(&packet));
    let between: [&[u8]; 2] = [&[0; 104], &[0, 0, 0, 0]];
    let stream = [&parts[0][..], between[0], &parts[1], between[1], between[0], &parts[2]];
    let received = receive(&mut Receiver::new(), (1..).zip(stream));
    assert_eq!(received, [packet]);
}

//= RFC 9347 section 2.2.3: no fragments of one packet in two SAs.
#[test]
fn a_packet_that_was_cut_is_whole_in_the_next_sa() {
    let packets = [ipv4(150), ipv4(60), ipv4(80)];
    for before in 0..3 {
        let mut sender = sender(104);
        for packet in &packets {
            sender.push(at(0), packet).unwrap();
        }
        let old: Vec<_> = (0..before).map(|_| poll(&mut sender)).collect();
        sender.switch_sa();
        let mut new = Vec::new();
        while sender.queued() > 0 {
            new.push(poll(&mut sender));
        }
        assert!(new.is_empty() || new[0][..4] == [0, 0, 0, 0], "it begins with a packet");
        let mut received = receive(&mut Receiver::new(), numbered(&old));
        received.extend(receive(&mut Receiver::new(), numbered(&new)));
        assert_eq!(received, packets, "switched after {before}");
    }
}

#[test]
fn lies_about_lengths_cost_a_packet_and_no_more() {
    let good = ipv4(40);
    let payload = |offset: u16, blocks: &[&[u8]]| {
        [&[0, 0], &offset.to_be_bytes()[..], &blocks.concat()].concat()
    };
    let start = payload(0, &[&good, &ipv4(80)[..60]]);
    // What should be 20 bytes more of the packet.
    for (next, incomplete) in [
        (payload(0, &[&good]), 1),
        (payload(19, &[&[1; 19], &good]), 1),
        (payload(21, &[&[1; 21], &good]), 1),
        (payload(u16::MAX, &[&[1; 30]]), 1),
        (payload(20, &[&[1; 20], &good]), 0),
    ] {
        let mut receiver = Receiver::new();
        let received = receive(&mut receiver, [(1, &start[..]), (2, &next)]);
        assert_eq!(receiver.stats().incomplete, incomplete, "{next:?}");
        assert_eq!(received[0], good);
        let again = receive(&mut receiver, [(3, &start[..])]);
        assert_eq!(again, [&good[..]], "it goes on");
    }
    // Blocks that are nothing.
    for blocks in [&[0x50][..], &[0x45, 0, 0, 19], &[0xf0; 90]] {
        let mut receiver = Receiver::new();
        let received = receive(&mut receiver, [(1, &payload(0, &[&good, blocks])[..])]);
        assert_eq!((received, receiver.stats().malformed), (vec![good.clone()], 1), "{blocks:?}");
    }
    // A header of an inner packet that leads out of it: only that packet is dropped.
    let mut bad = ipv4(40);
    bad[0] = 0x4f;
    let mut receiver = Receiver::new();
    let received = receive(&mut receiver, [(1, &payload(0, &[&bad, &good])[..])]);
    assert_eq!((received, receiver.stats().malformed), (vec![good], 1));
}

//= RFC 9347 section 6.1.2
#[test]
fn both_forms_are_read() {
    let mut payload = vec![1, 0b11, 0, 7];
    payload.extend(0x1234_5678_u32.to_be_bytes());
    let delays = 0x2a_aaaa_u64 << 42 | 0x0f_0f0f << 21 | 0x10_0001;
    payload.extend(delays.to_be_bytes());
    payload.extend(0xaabb_ccdd_u32.to_be_bytes());
    payload.extend(0x0102_0304_u32.to_be_bytes());
    payload.extend([9; 7]);
    let congestion = Congestion {
        probe: true,
        congestion_experienced: true,
        loss_event_rate: 0x1234_5678,
        round_trip_time: 0x2a_aaaa,
        echo_delay: 0x0f_0f0f,
        transmit_delay: 0x10_0001,
        value: 0xaabb_ccdd,
        echo: 0x0102_0304,
    };
    let expected = Payload { block_offset: 7, congestion: Some(congestion), blocks: &[9; 7] };
    assert_eq!(Payload::parse(&payload), Ok(expected));

    // The other way: a sender writes the same header, with what is too long at its maximum.
    let mut config = SenderConfig::new(25, TICK);
    config.congestion = true;
    let mut sender = Sender::new(config, at(0)).unwrap();
    sender.set_congestion(congestion);
    assert_eq!(poll(&mut sender), [&payload[..2], &[0, 0], &payload[4..24], &[0]].concat());
    let most = u32::MAX;
    let delays =
        Congestion { round_trip_time: most, echo_delay: most, transmit_delay: most, ..congestion };
    sender.set_congestion(delays);
    assert_eq!(poll(&mut sender)[8..16], [0xff; 8]);
    config.payload_len = 24;
    assert_eq!(Sender::new(config, at(0)).err(), Some(SenderError::PayloadLength(24)));

    // A sender may use either form at any time: section 2.4.2.
    let inner = ipv4(60);
    let mut receiver = Receiver::new();
    let first = [&[0, 0, 0, 0], &inner[..25]].concat();
    let second = [&[1, 0, 0, 35], &payload[4..24], &inner[25..], &inner].concat();
    let received = receive(&mut receiver, [(1, &first[..]), (2, &second)]);
    assert_eq!(received, [inner.clone(), inner]);

    let mut handle = |payload: &[u8]| receiver.handle_payload(at(0), 3, payload, &mut |_| panic!());
    assert_eq!(handle(&payload[..23]), Err(PayloadError::Truncated { len: 23 }));
    assert_eq!(handle(&[0, 0, 0]), Err(PayloadError::Truncated { len: 3 }));
    assert_eq!(handle(&[2, 0, 0, 0]), Err(PayloadError::SubType(2)));
    assert_eq!(receiver.stats().refused, 3);
}

//= RFC 4301 section 5.2
#[test]
fn inner_packets_are_checked_against_the_selectors() {
    let host = |last: u8| TrafficSelector::host([10, 0, 0, last].into());
    let selectors = Selectors { local: vec![host(2)], remote: vec![host(1)] };
    let mut receiver = Receiver::new().with_selectors(selectors);
    let mut foreign = ipv4(50);
    foreign[15] = 77;
    let packets = [ipv4(50), foreign, ipv6(50), ipv4(60)];
    let payloads = payloads(&mut sender(64), &packets);
    let received = receive(&mut receiver, numbered(&payloads));
    assert_eq!(received, [ipv4(50), ipv4(60)]);
    assert_eq!(receiver.stats().selectors, 2);
}

#[test]
fn esp_packets_are_all_of_one_size() {
    for (provider, suite) in everything() {
        let mut config = config(suite);
        let (mut out, inbound) = pair(&config, provider);
        let mut inbound = inbound.with_aggfrag().unwrap();
        let payload_len = out.max_payload(1000);
        let mut sender = sender(payload_len);
        let mut receiver = Receiver::new();
        let packets: Vec<_> = (0..12).map(|n| ipv4(40 + 300 * n)).collect();
        let mut received = Vec::new();
        let mut pushed = packets.iter();
        let mut first_len = None;
        for tick in 0..40 {
            if let Some(packet) = pushed.next() {
                sender.push(at(0), packet).unwrap();
            }
            let head = out.headroom();
            let mut buf = vec![0; head + payload_len + out.tailroom(payload_len)];
            sender.poll_payload(at(tick), &mut buf[head..]).unwrap().unwrap();
            let esp = out.seal(&mut buf, head..head + payload_len, NextHeader::AGGFRAG).unwrap();
            assert!(esp.len() <= 1000);
            assert_eq!(*first_len.get_or_insert(esp.len()), esp.len());
            let packet = &mut buf[esp];
            let opened = inbound.open(packet).unwrap();
            assert_eq!(opened.next_header, NextHeader::AGGFRAG);
            let deliver = &mut |packet: &[u8]| received.push(packet.to_vec());
            receiver
                .handle_payload(at(tick), opened.sequence, &packet[opened.payload], deliver)
                .unwrap();
        }
        assert_eq!(received, packets);

        // Such an SA takes nothing else but dummies, and one that is none does not take such payloads.
        let mut esp = common::seal(&mut out, &ipv4(60), NextHeader::IPV4).unwrap();
        let refused = inbound.open(&mut esp);
        assert_eq!(refused, Err(OpenError::UnexpectedNextHeader(NextHeader::IPV4)));
        let mut esp = common::seal(&mut out, &[1; 60], NextHeader::NONE).unwrap();
        assert!(inbound.open(&mut esp).unwrap().is_dummy());
        let (mut out, mut plain) = pair(&config, provider);
        let mut esp = common::seal(&mut out, &[0; 60], NextHeader::AGGFRAG).unwrap();
        let refused = plain.open(&mut esp);
        assert_eq!(refused, Err(OpenError::UnexpectedNextHeader(NextHeader::AGGFRAG)));
        config.mode = Mode::Transport;
        let refused = pair(&config, provider).1.with_aggfrag().unwrap_err();
        assert_eq!(refused, SetupError::AggfragNeedsTunnel);
    }
}

#[test]
fn whatever_comes_is_survived() {
    let packets = [ipv4(50), ipv6(90), ipv4(30)];
    for payload in payloads(&mut sender(104), &packets) {
        mutate::all(&payload, &[Field::u16(2), Field::u16(6), Field::u16(58)], 21, |input| {
            let mut receiver = Receiver::new();
            let mut deliver = |packet: &[u8]| assert!(packet.len() >= 20);
            for (sequence, input) in [(1, &payload[..]), (3, input), (2, input), (9, input)] {
                let _ = receiver.handle_payload(at(1), sequence, input, &mut deliver);
            }
            receiver.handle_timeout(at(5000), &mut deliver);
            assert_eq!(receiver.poll_timeout(), None);
        });
    }
}

/// Loss, and reordering within the window: what is delivered is exactly what lost nothing, in order.
#[test]
fn loss_and_reordering() {
    seed::run(0..300, |seed| {
        let mut rng = SeededRng::new(seed);
        let payload_len = 5 + rng.below(300);
        let packets: Vec<_> = (0..30)
            .map(|_| {
                if rng.below(2) == 0 {
                    ipv4(20 + rng.below(400))
                } else {
                    ipv6(40 + rng.below(400))
                }
            })
            .collect();
        let payloads = payloads(&mut sender(payload_len), &packets);
        let window = rng.below(6);
        let mut receiver = Receiver::new().with_reorder_window(window as u16);
        let space = payload_len - 4;
        let (mut lost, mut order) = (Vec::new(), Vec::new());
        for n in 0..payloads.len() {
            if rng.below(12) == 0 {
                lost.push(n * space..(n + 1) * space);
            } else {
                order.push(n);
            }
        }
        // Groups of numbers that lie within the window are shuffled.
        let mut shuffled: Vec<usize> = Vec::new();
        for group in order.chunk_by(|a, b| a / (window + 1) == b / (window + 1)) {
            let mut group = group.to_vec();
            while !group.is_empty() {
                shuffled.push(group.swap_remove(rng.below(group.len())));
            }
        }
        let stream = shuffled.iter().map(|n| (*n as u64 + 1, &payloads[*n][..]));
        let mut received = receive(&mut receiver, stream);
        receiver.handle_timeout(at(10_000), &mut |packet| received.push(packet.to_vec()));
        let lens = |packets: &[Vec<u8>]| packets.iter().map(Vec::len).collect::<Vec<_>>();
        let expected = untouched(&packets, &lost);
        assert_eq!(lens(&received), lens(&expected));
        assert!(received == expected);
    });
}

proptest! {
    #[test]
    fn any_packets_in_any_payloads(
        sizes in prop::collection::vec((20_usize..3000, any::<bool>()), 1..40),
        payload_len in 5_usize..2000,
    ) {
        let packets: Vec<_> = sizes
            .into_iter()
            .map(|(len, v6)| if v6 { ipv6(len.max(40)) } else { ipv4(len) })
            .collect();
        let payloads = payloads(&mut sender(payload_len), &packets);
        prop_assert_eq!(receive(&mut Receiver::new(), numbered(&payloads)), packets);
    }
}
