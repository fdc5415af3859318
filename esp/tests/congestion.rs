//! Congestion control of IP-TFS, over links that carry so much and no more.

mod common;

use std::collections::VecDeque;
use std::time::Duration;

use adit_esp::iptfs::{CongestionControl, Payload, Receiver, Sender, SenderConfig};
use adit_platform::Instant;
use common::ipv4;

const TICK: Duration = Duration::from_millis(1);

fn at(ticks: u32) -> Instant {
    Instant::from_origin(TICK * ticks)
}

/// One end with congestion control, and a link to the other that carries so much and has room for so much to wait.
struct End {
    control: CongestionControl,
    sender: Sender,
    receiver: Receiver,
    sequence: u64,
    /// Numbers and payloads on their way, with their arrival.
    link: VecDeque<(Instant, u64, Vec<u8>)>,
    link_free: Instant,
}

impl End {
    fn new() -> Self {
        let mut config = SenderConfig::new(1000, Duration::from_secs(1));
        config.congestion = true;
        Self {
            control: CongestionControl::new(at(0), Duration::from_micros(100)),
            sender: Sender::new(config, at(0)).unwrap(),
            receiver: Receiver::new(),
            sequence: 0,
            link: Default::default(),
            link_free: at(0),
        }
    }

    /// Sends what is due over a link of this many packets a second that holds 20; returns what was sent.
    fn send(&mut self, now: Instant, link: u32) -> u32 {
        let mut sent = 0;
        let mut out = [0; 1000];
        self.control.handle_timeout(now);
        loop {
            let interval = self.control.interval();
            self.sender.set_interval(now, interval);
            self.sender.set_congestion(self.control.header(now, interval));
            if self.sender.poll_payload(now, &mut out).unwrap().is_none() {
                return sent;
            }
            self.sequence += 1;
            sent += 1;
            let slot = Duration::from_secs(1) / link;
            let start = self.link_free.max(now);
            if start - now < slot * 20 {
                self.link_free = start + slot;
                self.link.push_back((start + slot + TICK * 20, self.sequence, out.to_vec()));
            }
        }
    }

    fn receive(&mut self, now: Instant, from: &mut Self, received: &mut Vec<Vec<u8>>) {
        while from.link.front().is_some_and(|(at, ..)| *at <= now) {
            let (_, sequence, payload) = from.link.pop_front().unwrap();
            let header = Payload::parse(&payload).unwrap().congestion;
            self.control.received(now, sequence, header.as_ref(), false);
            let deliver = &mut |packet: &[u8]| received.push(packet.to_vec());
            self.receiver.handle_payload(now, sequence, &payload, deliver).unwrap();
        }
    }
}

//= RFC 9347 section 2.4.2: lowering the packet send rate to accommodate the congestion, as well as raising the
//= rate when congestion subsides.
#[test]
fn the_rate_follows_what_the_path_bears() {
    let (mut a, mut b) = (End::new(), End::new());
    let mut received = Vec::new();
    let mut sent = [0; 6];
    // Two links of 500 packets a second; a's becomes one of 100 for twenty seconds, and then recovers.
    let half = |tick: u32| (tick / 10_000) as usize;
    for tick in 0..60_000 {
        let link = if matches!(half(tick), 2 | 3) { 100 } else { 500 };
        if tick % 10 == 0 {
            let _ = a.sender.push(at(tick), &ipv4(600));
        }
        sent[half(tick)] += a.send(at(tick), link);
        b.send(at(tick), 500);
        b.receive(at(tick), &mut a, &mut received);
        a.receive(at(tick), &mut b, &mut Vec::new());
    }
    let rates = sent.map(|sent| sent / 10);
    println!("packets a second: {rates:?}, {:?}", b.receiver.stats());
    assert!((300..600).contains(&rates[1]), "{rates:?}");
    assert!((50..130).contains(&rates[3]), "{rates:?}");
    assert!(rates[5] > 2 * rates[3], "{rates:?}");
    let stats = b.receiver.stats();
    assert!(stats.lost > 0 && stats.lost < stats.payloads / 20, "{stats:?}");
    assert!(!received.is_empty() && received.iter().all(|packet| *packet == ipv4(600)));
}

/// A peer that falls silent gets less and less.
#[test]
fn silence_slows_down() {
    let (mut a, mut b) = (End::new(), End::new());
    for tick in 0..20_000 {
        a.send(at(tick), 500);
        b.send(at(tick), 500);
        b.receive(at(tick), &mut a, &mut Vec::new());
        a.receive(at(tick), &mut b, &mut Vec::new());
    }
    let before = a.control.interval();
    for tick in 20_000..30_000 {
        a.send(at(tick), 500);
    }
    assert!(a.control.interval() > before * 8, "{before:?} {:?}", a.control.interval());
}
