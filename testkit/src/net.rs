//! Sans-IO machines joined by a network that loses, delays and damages, on virtual time.
//!
//! A test wraps each machine in a [`Node`] and lets [`Simulation::run`] do what an embedder's loop
//! does: deliver datagrams, fire deadlines, collect what is to be sent. Time jumps from one thing that
//! happens to the next, so an hour of retransmissions takes microseconds. Everything random comes from
//! one seed: the same seed gives the same run, to the byte.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use adit_platform::Instant;

use crate::rng::SeededRng;

/// One UDP datagram on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datagram {
    /// Source address and port, as the receiver sees it.
    pub from: SocketAddr,
    /// Destination address and port.
    pub to: SocketAddr,
    /// The UDP payload.
    pub payload: Vec<u8>,
}

/// What a path does to the datagrams that it carries. All chances are in percent, each decided for each
/// datagram by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conditions {
    /// Chance that a datagram vanishes.
    pub loss: u8,
    /// Chance that a datagram arrives twice, the copy with a delay of its own.
    pub duplication: u8,
    /// Chance that a datagram is held back by up to ten times `delay`, behind those sent after it.
    pub reordering: u8,
    /// Chance that one to three bits of a datagram are flipped.
    pub corruption: u8,
    /// Time from one end to the other.
    pub delay: Duration,
    /// Up to this much is added to `delay`, evenly distributed.
    pub jitter: Duration,
    /// The largest IP packet that passes, in bytes; larger ones vanish, as behind a filter that drops
    /// fragments and ICMP. Headers are counted: 28 bytes for IPv4 and UDP, 48 for IPv6 and UDP.
    pub mtu: usize,
}

impl Conditions {
    /// A path that only takes time: 10 ms, no loss, and packets of any size.
    pub const IDEAL: Self = Self {
        loss: 0,
        duplication: 0,
        reordering: 0,
        corruption: 0,
        delay: Duration::from_millis(10),
        jitter: Duration::ZERO,
        mtu: usize::MAX,
    };

    /// Everything that may go wrong goes wrong `percent` times in a hundred, with jitter and an MTU of
    /// 1500 bytes.
    pub const fn hostile(percent: u8) -> Self {
        Self {
            loss: percent,
            duplication: percent,
            reordering: percent,
            corruption: percent,
            delay: Duration::from_millis(20),
            jitter: Duration::from_millis(30),
            mtu: 1500,
        }
    }
}

/// What happened to the datagrams that a [`Network`] was given.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Given to the network.
    pub sent: u64,
    /// Handed to a receiver, copies included.
    pub delivered: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Dropped because larger than the MTU.
    pub too_big: u64,
    /// Dropped by a NAT that had no mapping for them.
    pub filtered: u64,
    /// Arrived twice.
    pub duplicated: u64,
    /// Arrived with flipped bits.
    pub corrupted: u64,
}

/// The network between all nodes of a test: one path with the same [`Conditions`] in every direction,
/// and optionally a NAT in front of some of the addresses.
///
/// ```
/// use adit_platform::Instant;
/// use adit_testkit::net::{Conditions, Datagram, Network};
///
/// let mut net = Network::new(1, Conditions::IDEAL);
/// let (from, to) = ("10.0.0.1:500".parse()?, "10.0.0.2:500".parse()?);
/// net.send(Instant::default(), Datagram { from, to, payload: b"hello".to_vec() });
///
/// let arrival = net.next_arrival().unwrap();
/// assert_eq!(arrival - Instant::default(), Conditions::IDEAL.delay);
/// assert_eq!(net.receive(arrival).unwrap().payload, b"hello");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct Network {
    /// May be changed between two datagrams; those under way keep the fate that they have drawn.
    pub conditions: Conditions,
    rng: SeededRng,
    under_way: BinaryHeap<Reverse<(Instant, u64)>>,
    datagrams: BTreeMap<u64, Datagram>,
    next_id: u64,
    nats: Vec<Nat>,
    counters: Counters,
}

impl Network {
    /// A network whose every accident is decided by `seed`.
    pub const fn new(seed: u64, conditions: Conditions) -> Self {
        Self {
            conditions,
            rng: SeededRng::new(seed),
            under_way: BinaryHeap::new(),
            datagrams: BTreeMap::new(),
            next_id: 0,
            nats: Vec::new(),
            counters: Counters {
                sent: 0,
                delivered: 0,
                lost: 0,
                too_big: 0,
                filtered: 0,
                duplicated: 0,
                corrupted: 0,
            },
        }
    }

    /// Puts `inside` behind a NAT whose address is `outside`.
    ///
    /// The NAT gives each inside port an outside port of its own, keeps it for every destination
    /// (endpoint-independent mapping, RFC 4787 section 4.1) and admits answers from anywhere.
    ///
    /// # Panics
    /// If `inside` is behind a NAT already, or `outside` is of another address family.
    pub fn add_nat(&mut self, inside: IpAddr, outside: IpAddr) {
        assert!(self.nats.iter().all(|nat| nat.inside != inside), "{inside} has a NAT already");
        assert_eq!(inside.is_ipv4(), outside.is_ipv4(), "a NAT keeps the address family");
        self.nats.push(Nat { inside, outside, ports: Vec::new(), next_port: 20_000 });
    }

    /// Makes the NAT in front of `inside` forget its mappings, as a reboot does: the next datagram from
    /// inside comes out of another port, and answers to the old one are dropped.
    ///
    /// # Panics
    /// If `inside` is not behind a NAT.
    pub fn rebind_nat(&mut self, inside: IpAddr) {
        let nat = self.nats.iter_mut().find(|nat| nat.inside == inside);
        nat.unwrap_or_else(|| panic!("{inside} is not behind a NAT")).ports.clear();
    }

    /// Takes a datagram from a node and draws its fate.
    pub fn send(&mut self, now: Instant, mut datagram: Datagram) {
        self.counters.sent += 1;
        for nat in &mut self.nats {
            if datagram.from.ip() == nat.inside {
                datagram.from = nat.outward(datagram.from.port());
            }
        }
        let headers = if datagram.to.is_ipv4() { 28 } else { 48 };
        if datagram.payload.len().saturating_add(headers) > self.conditions.mtu {
            self.counters.too_big += 1;
            return;
        }
        if self.rng.chance(self.conditions.loss) {
            self.counters.lost += 1;
            return;
        }
        if self.rng.chance(self.conditions.duplication) {
            self.counters.duplicated += 1;
            self.carry(now, datagram.clone());
        }
        self.carry(now, datagram);
    }

    /// When the next datagram arrives, if one is under way.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.under_way.peek().map(|Reverse((at, _))| *at)
    }

    /// The next datagram that has arrived by `now`.
    pub fn receive(&mut self, now: Instant) -> Option<Datagram> {
        while self.next_arrival()? <= now {
            let Reverse((_, id)) = self.under_way.pop()?;
            let mut datagram = self.datagrams.remove(&id)?;
            if self.translate_inward(&mut datagram) {
                self.counters.delivered += 1;
                return Some(datagram);
            }
            self.counters.filtered += 1;
        }
        None
    }

    /// What has happened so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Schedules the arrival of one copy.
    fn carry(&mut self, now: Instant, mut datagram: Datagram) {
        let Conditions { corruption, reordering, delay, jitter, .. } = self.conditions;
        if self.rng.chance(corruption) && !datagram.payload.is_empty() {
            self.counters.corrupted += 1;
            for _ in 0..=self.rng.below(3) {
                let bit = self.rng.below(datagram.payload.len() * 8);
                datagram.payload[bit / 8] ^= 1 << (bit % 8);
            }
        }
        let mut travel = delay + self.up_to(jitter);
        if self.rng.chance(reordering) {
            travel += self.up_to(delay * 10);
        }
        self.under_way.push(Reverse((now + travel, self.next_id)));
        self.datagrams.insert(self.next_id, datagram);
        self.next_id += 1;
    }

    /// A duration from zero to `longest`.
    fn up_to(&mut self, longest: Duration) -> Duration {
        let micros = usize::try_from(longest.as_micros()).unwrap_or(usize::MAX);
        Duration::from_micros(self.rng.below(micros.saturating_add(1)) as u64)
    }

    /// Finds the inside address of a datagram that was sent to a NAT; false if there is none.
    fn translate_inward(&self, datagram: &mut Datagram) -> bool {
        let mut to_a_nat = false;
        for nat in self.nats.iter().filter(|nat| nat.outside == datagram.to.ip()) {
            to_a_nat = true;
            if let Some(inside) = nat.inward(datagram.to.port()) {
                datagram.to = inside;
                return true;
            }
        }
        !to_a_nat
    }
}

/// One address translator in front of one inside address.
#[derive(Debug)]
struct Nat {
    inside: IpAddr,
    outside: IpAddr,
    /// (inside port, outside port)
    ports: Vec<(u16, u16)>,
    next_port: u16,
}

impl Nat {
    fn outward(&mut self, port: u16) -> SocketAddr {
        let known = self.ports.iter().find(|(inside, _)| *inside == port).map(|(_, out)| *out);
        let outside = known.unwrap_or_else(|| {
            self.next_port = self.next_port.wrapping_add(1).max(1024);
            self.ports.push((port, self.next_port));
            self.next_port
        });
        SocketAddr::new(self.outside, outside)
    }

    fn inward(&self, port: u16) -> Option<SocketAddr> {
        let (inside, _) = self.ports.iter().find(|(_, outside)| *outside == port)?;
        Some(SocketAddr::new(self.inside, *inside))
    }
}

/// A machine as the simulation sees it: the verbs that all of Adit's machines share.
pub trait Node {
    /// True if datagrams to this address are for this node.
    fn owns(&self, address: SocketAddr) -> bool;
    /// Feeds a datagram that has arrived.
    fn handle_datagram(&mut self, now: Instant, datagram: Datagram);
    /// Tells that the deadline from [`poll_timeout`](Self::poll_timeout) has come.
    fn handle_timeout(&mut self, now: Instant);
    /// The next datagram to be sent. The simulation asks until there is none; a node that answers its
    /// machine's questions drains its events here, before it says that there is none.
    fn poll_transmit(&mut self, now: Instant) -> Option<Datagram>;
    /// The next deadline.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// Several nodes, the network between them and the clock.
///
/// ```
/// use adit_platform::Instant;
/// use adit_testkit::net::{Conditions, Datagram, Network, Node, Simulation};
/// use std::{net::SocketAddr, time::Duration};
///
/// /// Sends once a second until it is answered; answers everything that it did not ask.
/// struct Pinger { at: SocketAddr, ask: Option<SocketAddr>, due: Option<Instant>, out: Vec<Datagram> }
///
/// impl Node for Pinger {
///     fn owns(&self, address: SocketAddr) -> bool { address == self.at }
///     fn handle_datagram(&mut self, _: Instant, d: Datagram) {
///         match self.ask {
///             Some(_) => self.due = None,
///             None => self.out.push(Datagram { from: self.at, to: d.from, payload: d.payload }),
///         }
///     }
///     fn handle_timeout(&mut self, now: Instant) {
///         let Some(to) = self.ask else { return };
///         self.out.push(Datagram { from: self.at, to, payload: b"ping".to_vec() });
///         self.due = Some(now + Duration::from_secs(1));
///     }
///     fn poll_transmit(&mut self, _: Instant) -> Option<Datagram> { self.out.pop() }
///     fn poll_timeout(&self) -> Option<Instant> { self.due }
/// }
///
/// let (a, b) = ("10.0.0.1:7".parse().unwrap(), "10.0.0.2:7".parse().unwrap());
/// let mut asks = Pinger { at: a, ask: Some(b), due: Some(Instant::default()), out: vec![] };
/// let mut answers = Pinger { at: b, ask: None, due: None, out: vec![] };
/// let mut sim = Simulation::new(Network::new(3, Conditions::hostile(40)));
/// sim.run(&mut [&mut asks, &mut answers], Duration::from_secs(600));
/// assert_eq!(asks.due, None, "answered at last");
/// ```
#[derive(Debug)]
pub struct Simulation {
    /// The virtual time.
    pub now: Instant,
    /// What joins the nodes.
    pub network: Network,
}

impl Simulation {
    /// Starts at the clock's origin.
    pub fn new(network: Network) -> Self {
        Self { now: Instant::default(), network }
    }

    /// Lets everything happen that happens within `span` from now, then sets the clock to its end.
    ///
    /// Commands may be given to a node between two calls; what it wants to send is picked up at the
    /// beginning of the next one.
    ///
    /// # Panics
    /// If a node keeps asking for a deadline that has already come, or keeps sending without time
    /// passing: such a machine spins a core.
    pub fn run(&mut self, nodes: &mut [&mut dyn Node], span: Duration) {
        let end = self.now + span;
        while self.step(nodes, end) {}
    }

    /// Like [`run`](Self::run), but stops as soon as `done` holds, which it asks whenever something has
    /// happened. True if it held within `span`.
    pub fn run_until<N: Node>(
        &mut self,
        nodes: &mut [N],
        span: Duration,
        mut done: impl FnMut(&[N]) -> bool,
    ) -> bool {
        let end = self.now + span;
        loop {
            let mut all: Vec<&mut dyn Node> =
                nodes.iter_mut().map(|node| node as &mut dyn Node).collect();
            let more = self.step(&mut all, end);
            if done(nodes) {
                return true;
            }
            if !more {
                return false;
            }
        }
    }

    /// Handles the next moment at which anything happens, if that is not after `end`.
    fn step(&mut self, nodes: &mut [&mut dyn Node], end: Instant) -> bool {
        self.collect(nodes);
        let deadline = nodes.iter().filter_map(|node| node.poll_timeout()).min();
        let next = match (deadline, self.network.next_arrival()) {
            (Some(a), Some(b)) => a.min(b),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => end + Duration::from_nanos(1),
        };
        if next > end {
            self.now = end;
            return false;
        }
        self.now = self.now.max(next);
        while let Some(datagram) = self.network.receive(self.now) {
            if let Some(node) = nodes.iter_mut().find(|node| node.owns(datagram.to)) {
                node.handle_datagram(self.now, datagram);
            }
        }
        for node in nodes.iter_mut() {
            if node.poll_timeout().is_some_and(|at| at <= self.now) {
                node.handle_timeout(self.now);
                // What a node sends or learns from its own events may settle the deadline.
                collect_one(&mut self.network, self.now, &mut **node);
                assert!(
                    node.poll_timeout().is_none_or(|at| at > self.now),
                    "a deadline survived being handled at {:?}",
                    self.now
                );
            }
        }
        true
    }

    /// Takes everything that the nodes want to send.
    fn collect(&mut self, nodes: &mut [&mut dyn Node]) {
        for node in nodes {
            collect_one(&mut self.network, self.now, &mut **node);
        }
    }
}

/// More datagrams than this from one node at one moment mean that it never stops.
const BURST: usize = 100_000;

fn collect_one(network: &mut Network, now: Instant, node: &mut dyn Node) {
    for _ in 0..BURST {
        let Some(datagram) = node.poll_transmit(now) else { return };
        network.send(now, datagram);
    }
    panic!("a node sent {BURST} datagrams at {now:?} and wants to send more");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("a literal address")
    }

    fn send_many(net: &mut Network, count: usize, len: usize) {
        for i in 0..count {
            let payload = vec![i as u8; len];
            let (from, to) = (addr("10.0.0.1:500"), addr("10.0.0.2:500"));
            net.send(Instant::default(), Datagram { from, to, payload });
        }
    }

    fn drain(net: &mut Network) -> Vec<(Instant, Datagram)> {
        let mut out = Vec::new();
        while let Some(at) = net.next_arrival() {
            while let Some(datagram) = net.receive(at) {
                out.push((at, datagram));
            }
        }
        out
    }

    #[test]
    fn the_same_seed_gives_the_same_run_and_another_seed_another() {
        let runs: Vec<_> = [5, 5, 6]
            .into_iter()
            .map(|seed| {
                let mut net = Network::new(seed, Conditions::hostile(30));
                send_many(&mut net, 100, 100);
                drain(&mut net)
            })
            .collect();
        assert_eq!(runs[0], runs[1]);
        assert_ne!(runs[0], runs[2]);
    }

    #[test]
    fn an_ideal_path_keeps_order_content_and_time() {
        let mut net = Network::new(1, Conditions::IDEAL);
        send_many(&mut net, 50, 2000);
        let got = drain(&mut net);
        assert_eq!(got.len(), 50);
        for (i, (at, datagram)) in got.iter().enumerate() {
            assert_eq!(at.since_origin(), Duration::from_millis(10));
            assert_eq!(datagram.payload, vec![i as u8; 2000]);
        }
    }

    #[test]
    fn every_accident_happens_about_as_often_as_asked_and_is_counted() {
        let mut net = Network::new(9, Conditions::hostile(20));
        send_many(&mut net, 10_000, 100);
        let got = drain(&mut net);
        let c = net.counters();
        assert_eq!(c.sent, 10_000);
        assert_eq!(c.delivered, got.len() as u64);
        assert_eq!(c.delivered, c.sent - c.lost + c.duplicated);
        assert!((1800..2200).contains(&c.lost), "{c:?}");
        assert!((1400..1800).contains(&c.duplicated), "{c:?}");
        assert!((1700..2200).contains(&c.corrupted), "{c:?}");
        let damaged = got.iter().filter(|(_, d)| d.payload.iter().any(|b| *b != d.payload[0]));
        assert!(damaged.count() > 1500);
        let order: Vec<u8> = got.iter().map(|(_, d)| d.payload[0]).collect();
        assert!(!order.is_sorted(), "jitter and reordering change the order");
    }

    #[test]
    fn the_mtu_counts_headers() {
        let mut net = Network::new(1, Conditions { mtu: 1500, ..Conditions::IDEAL });
        send_many(&mut net, 1, 1472);
        send_many(&mut net, 1, 1473);
        assert_eq!(drain(&mut net).len(), 1);
        assert_eq!(net.counters().too_big, 1);
    }

    #[test]
    fn a_nat_rewrites_both_ways_and_forgets_on_rebind() {
        let (inside, peer) = (addr("192.168.1.2:500"), addr("10.0.0.2:500"));
        let mut net = Network::new(1, Conditions::IDEAL);
        net.add_nat(inside.ip(), addr("10.0.0.9:0").ip());
        let now = Instant::default();
        let send = |net: &mut Network, from, to| {
            net.send(now, Datagram { from, to, payload: vec![1] });
            drain(net).pop().map(|(_, d)| d)
        };

        let seen = send(&mut net, inside, peer).expect("passes outward");
        assert_eq!(seen.from.ip(), addr("10.0.0.9:0").ip());
        assert_ne!(seen.from.port(), 500);
        let back = send(&mut net, peer, seen.from).expect("passes inward");
        assert_eq!(back.to, inside);

        net.rebind_nat(inside.ip());
        assert_eq!(send(&mut net, peer, seen.from), None);
        assert_eq!(net.counters().filtered, 1);
        let again = send(&mut net, inside, peer).expect("passes outward");
        assert_ne!(again.from.port(), seen.from.port());
    }

    /// Always due, whatever it is told.
    struct Stuck;

    impl Node for Stuck {
        fn owns(&self, _: SocketAddr) -> bool {
            false
        }
        fn handle_datagram(&mut self, _: Instant, _: Datagram) {}
        fn handle_timeout(&mut self, _: Instant) {}
        fn poll_transmit(&mut self, _: Instant) -> Option<Datagram> {
            None
        }
        fn poll_timeout(&self) -> Option<Instant> {
            Some(Instant::default())
        }
    }

    #[test]
    #[should_panic(expected = "a deadline survived")]
    fn a_deadline_that_never_goes_away_is_caught() {
        let mut sim = Simulation::new(Network::new(1, Conditions::IDEAL));
        sim.run(&mut [&mut Stuck], Duration::from_secs(1));
    }

    #[test]
    fn time_ends_where_the_span_ends_even_if_nothing_happens() {
        let mut sim = Simulation::new(Network::new(1, Conditions::IDEAL));
        sim.run(&mut [], Duration::from_secs(7));
        assert_eq!(sim.now.since_origin(), Duration::from_secs(7));
    }
}
