//! Inner packets that share ESP packets, on demand and at a constant rate, between client and gateway: RFC 9347.

#[expect(dead_code, reason = "each test binary uses its own part of this")]
mod common;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use adit::adapters::esp::SendError;
use adit::{Aggregation, Clocks, ConfigError, Disconnect, Failure, Gateway, Policy, SetupError};
use adit_ikev2::Incompatible;
use adit_platform::Instant;
use adit_testkit::net::Conditions;
use adit_testkit::rng::SeededRng;
use adit_testkit::seed;

use common::{Login, PROVIDERS, SERVER, Setup, World};

const MS: Duration = Duration::from_millis(1);

fn with(aggregation: Aggregation) -> Policy {
    Policy { aggregation: Some(aggregation), ..Policy::default() }
}

/// Both ends aggregate like this.
fn connected(aggregation: Aggregation, change: impl Fn(&mut Setup)) -> (World, Ipv4Addr) {
    let mut setup = Setup::new(PROVIDERS[0], Login::SharedSecret);
    setup.gateway.policy = with(aggregation);
    change(&mut setup);
    let mut world = setup.start();
    let client = connect(&mut world);
    assert!(world.client.aggregation().is_some());
    (world, client)
}

fn connect(world: &mut World) -> Ipv4Addr {
    let connection = world.connect().unwrap_or_else(|reason| panic!("{reason}"));
    let mut addresses = connection.addresses.iter().map(|net| net.addr());
    let v4 = addresses.find_map(|address| match address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    });
    v4.expect("the pool has IPv4")
}

/// An IPv4 packet of this length, with this number behind its header and bytes that follow from it.
fn packet(from: Ipv4Addr, to: Ipv4Addr, number: u32, len: usize) -> Vec<u8> {
    let mut packet: Vec<u8> = (0..len).map(|at| (at as u32 ^ number) as u8).collect();
    packet[..12].copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0]);
    packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    packet[12..16].copy_from_slice(&from.octets());
    packet[16..20].copy_from_slice(&to.octets());
    packet[28..32].copy_from_slice(&number.to_be_bytes());
    packet
}

fn number(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[28..32].try_into().unwrap())
}

/// Lengths from the smallest to more than any datagram.
const LENGTHS: [usize; 9] = [32, 60, 1500, 40, 576, 1400, 4000, 33, 9000];

/// Sends one of each length in both directions; returns what was sent.
fn exchange(world: &mut World, client: Ipv4Addr) -> [Vec<Vec<u8>>; 2] {
    let up: Vec<_> =
        LENGTHS.iter().zip(0..).map(|(len, n)| packet(client, SERVER, n, *len)).collect();
    let down: Vec<_> =
        LENGTHS.iter().zip(0..).map(|(len, n)| packet(SERVER, client, n, *len)).collect();
    for (up, down) in up.iter().zip(&down) {
        assert!(world.send_from_client(up) && world.send_from_gateway(down));
    }
    [up, down]
}

#[test]
fn on_demand_packets_share_datagrams_and_arrive_whole() {
    for provider in PROVIDERS {
        let (mut world, client) =
            connected(Aggregation::on_demand(MS), |setup| setup.provider = provider);
        assert_eq!(world.esp.len(), 0, "nothing is sent without cause");
        let [up, down] = exchange(&mut world, client);
        world.run(MS * 50, |_| false);
        assert_eq!(world.at_gateway, up);
        assert_eq!(world.at_client, down);
        // 16,641 bytes each way, at most 1,400 - 28 - 34 - 4 in each payload.
        let bytes: usize = LENGTHS.iter().sum();
        assert_eq!(world.esp.len(), 2 * bytes.div_ceil(1334));
        assert!(world.esp.iter().all(|(_, _, len)| *len <= 1400 - 28));
        // Twenty small packets within a millisecond are one datagram.
        world.esp.clear();
        for n in 0..20 {
            assert!(world.send_from_client(&packet(client, SERVER, n, 40)));
        }
        world.run(MS * 50, |_| false);
        assert_eq!((world.esp.len(), world.at_gateway.len()), (1, LENGTHS.len() + 20));
        let stats = world.client.aggregation().unwrap();
        assert_eq!((stats.sent.packets, stats.received.packets), (29, 9));
        assert_eq!((stats.received.lost, stats.received.incomplete), (0, 0));
    }
}

//= RFC 9347 section 2.4.1: fixed-sized packets at a constant rate, whatever goes on inside.
#[test]
fn at_a_constant_rate_nobody_sees_what_goes_on() {
    // One packet in ten milliseconds.
    let (mut world, client) = connected(Aggregation::constant_rate(1000, 800_000), |_| {});
    let mut seen = Vec::new();
    for busy in [false, true] {
        world.esp.clear();
        world.at_gateway.clear();
        let start = world.now;
        for n in 0..100 {
            if busy {
                assert!(world.send_from_client(&packet(client, SERVER, n, 900)));
            }
            world.run(MS * 10, |_| false);
        }
        let end = world.now;
        world.run(MS * 50, |_| false);
        assert_eq!(world.at_gateway.len(), if busy { 100 } else { 0 });
        let of_client =
            |(from_gateway, at, _): &&(bool, Instant, usize)| !from_gateway && *at <= end;
        let sent: Vec<_> = world.esp.iter().filter(of_client).collect();
        assert_eq!(sent.len(), 100);
        assert!(sent.windows(2).all(|pair| pair[1].1 - pair[0].1 == MS * 10));
        // Block ciphers and alignment aside, all of what is asked for; here to the byte.
        assert!(sent.iter().all(|(_, _, len)| *len == 1000 - 28), "{:?}", sent[0]);
        seen.push(sent.iter().map(|(_, at, len)| (*at - start, *len)).collect::<Vec<_>>());
    }
    assert_eq!(seen[0], seen[1], "idle and busy look the same");
    let stats = world.client.aggregation().unwrap();
    assert_eq!(stats.sent.missed, 0);
    assert!(stats.sent.padding >= 100, "{stats:?}");
}

#[test]
fn more_than_the_rate_carries_is_queued_and_then_dropped() {
    let mut slow = Aggregation::constant_rate(1000, 800_000);
    slow.queue = 4000;
    let (mut world, client) = connected(slow, |_| {});
    let sent: Vec<_> = (0..10).map(|n| packet(client, SERVER, n, 700)).collect();
    let taken: Vec<_> = sent.iter().filter(|packet| world.send_from_client(packet)).collect();
    assert_eq!(taken.len(), 5);
    assert!(matches!(world.try_from_client(&sent[9]), Err(SendError::Aggregation(_))));
    world.run(MS * 100, |_| false);
    assert_eq!(world.at_gateway.iter().collect::<Vec<_>>(), taken);
}

/// Whatever the network does to datagrams, packets come whole, once and in order, and are missed only where one of
/// their datagrams is.
#[test]
fn loss_and_reordering_cost_packets_and_never_mix_them() {
    seed::run(0..10, |seed| {
        let mut aggregation = Aggregation::on_demand(MS);
        aggregation.patience = MS * 60;
        let (mut world, client) = connected(aggregation, |setup| setup.seed = seed);
        world.net.conditions = Conditions {
            loss: 5,
            duplication: 5,
            reordering: 5,
            corruption: 2,
            jitter: MS / 2,
            ..Conditions::IDEAL
        };
        let mut rng = SeededRng::new(seed);
        let sent: Vec<_> =
            (0..400).map(|n| packet(client, SERVER, n, 32 + rng.below(2500))).collect();
        for packet in &sent {
            assert!(world.send_from_client(packet));
            world.run(MS, |_| false);
        }
        world.run(Duration::from_secs(1), |_| false);
        let numbers: Vec<u32> = world.at_gateway.iter().map(|packet| number(packet)).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "in order, none twice: {numbers:?}");
        for packet in &world.at_gateway {
            assert!(*packet == sent[number(packet) as usize], "whole");
        }
        let sa = world.gateway.clients().next().unwrap().0;
        let stats = world.gateway.aggregation(sa).unwrap().received;
        assert!(stats.lost > 0 && stats.malformed == 0, "{stats:?}");
        // A datagram that is lost takes along the packets of which it has a part: four at most on the average.
        assert!(numbers.len() as u64 + 6 * stats.lost >= 400, "{} {stats:?}", numbers.len());
    });
}

#[test]
fn no_packet_is_lost_while_keys_are_renewed() {
    for aggregation in [Aggregation::on_demand(MS), Aggregation::constant_rate(1000, 16_000_000)] {
        let (mut world, client) = connected(aggregation, |_| {});
        let sa = world.gateway.clients().next().unwrap().0;
        let len = |n: u32| 40 + (n as usize * 397) % 2000;
        for n in 0..240 {
            match n {
                40 => world.client.rekey_children(world.now).unwrap(),
                90 => world.client.rekey_ike(world.now).unwrap(),
                140 => world.gateway.rekey_children(world.now, sa).unwrap(),
                190 => world.gateway.rekey_ike(world.now, sa).unwrap(),
                _ => {}
            }
            assert!(world.send_from_client(&packet(client, SERVER, n, len(n))));
            assert!(world.send_from_gateway(&packet(SERVER, client, n, len(n))));
            world.run(MS, |_| false);
        }
        world.run(Duration::from_secs(1), |_| false);
        for (side, packets) in [("gateway", &world.at_gateway), ("client", &world.at_client)] {
            let mut numbers: Vec<_> = packets.iter().map(|packet| number(packet)).collect();
            // Those in the old SA and those in the new one are waited for separately.
            numbers.sort_unstable();
            assert_eq!(numbers, (0..240).collect::<Vec<_>>(), "at the {side}");
        }
        for stats in [world.client.aggregation(), world.gateway.aggregation(sa)] {
            let stats = stats.unwrap();
            assert_eq!((stats.sent.packets, stats.received.packets), (240, 240));
            assert_eq!((stats.received.lost, stats.received.late), (0, 0));
        }
    }
}

//= RFC 9347 section 5.1
#[test]
fn one_end_alone_gets_a_plain_tunnel_or_none() {
    let preferred = Aggregation::on_demand(MS);
    let mut required = preferred;
    required.required = true;
    let both = |client: Option<Aggregation>, gateway: Option<Aggregation>| {
        let mut setup = Setup::new(PROVIDERS[0], Login::SharedSecret);
        setup.client_policy = Some(Policy { aggregation: client, ..Policy::default() });
        setup.gateway.policy.aggregation = gateway;
        setup.start()
    };
    for (client, gateway) in [(Some(preferred), None), (None, Some(preferred))] {
        let mut world = both(client, gateway);
        let client = connect(&mut world);
        assert_eq!(world.client.aggregation(), None);
        let sent = packet(client, SERVER, 1, 100);
        assert!(world.send_from_client(&sent));
        world.run(MS * 20, |_| false);
        assert_eq!(world.at_gateway, [sent]);
    }
    let reason = both(Some(required), None).connect().unwrap_err();
    let wanted = Incompatible::Aggfrag.into();
    assert_eq!(reason, Disconnect::Failed(Failure::Ike(wanted)));
    let reason = both(None, Some(required)).connect().unwrap_err();
    assert!(matches!(reason, Disconnect::Failed(Failure::Ike(_))), "{reason}");
    // Different rates and sizes are each end's own business: section 4.
    let mut world = both(Some(required), Some(Aggregation::constant_rate(600, 2_000_000)));
    let client = connect(&mut world);
    let [up, down] = exchange(&mut world, client);
    world.run(Duration::from_secs(1), |_| false);
    assert_eq!((&world.at_gateway, &world.at_client), (&up, &down));
}

//= RFC 9347 sections 2.2.6 and 6.1.4: the D bit.
#[test]
fn a_peer_that_takes_no_fragments_gets_none() {
    let mut whole = Aggregation::on_demand(MS);
    whole.accept_fragments = false;
    let (mut world, client) = connected(Aggregation::on_demand(MS), |setup| {
        setup.client_policy = Some(with(Aggregation::on_demand(MS)));
        setup.gateway.policy = with(whole);
    });
    let mtu = 1400 - 28 - 34 - 4;
    for n in 0..40 {
        assert!(world.send_from_client(&packet(client, SERVER, n, 40 + 31 * n as usize)));
    }
    assert!(world.send_from_client(&packet(client, SERVER, 40, mtu)));
    world.run(MS * 50, |_| false);
    assert_eq!(world.at_gateway.len(), 41);
    // Longer ones are treated as in any tunnel.
    let mut long = packet(client, SERVER, 50, mtu + 1);
    long[6] = 0x40;
    match world.try_from_client(&long) {
        Err(SendError::TooBig { mtu: told, answer: Some(answer) }) => {
            assert_eq!(told, mtu);
            assert_eq!((answer[9], answer[20], answer[21]), (1, 3, 4), "fragmentation needed");
        }
        other => panic!("{other:?}"),
    }
    long[6] = 0;
    assert!(world.send_from_client(&long));
    world.run(MS * 50, |_| false);
    assert_eq!(world.at_gateway.len(), 43, "two IP fragments");
    assert!(world.at_gateway[41..].iter().all(|fragment| fragment.len() <= mtu));
    let sa = world.gateway.clients().next().unwrap().0;
    let stats = world.gateway.aggregation(sa).unwrap().received;
    assert_eq!((stats.packets, stats.incomplete), (43, 0));
    // It sends fragments itself: the client takes them.
    assert!(world.send_from_gateway(&packet(SERVER, client, 1, 4000)));
    world.run(MS * 50, |_| false);
    assert_eq!(world.at_client.len(), 1);
}

#[test]
fn datagrams_fit_the_path() {
    let (mut world, client) = connected(Aggregation::constant_rate(1400, 11_200_000), |_| {});
    world.client.handle_path_mtu(world.now, world.outer.gateway, 900);
    world.gateway.handle_path_mtu(world.now, world.outer.client, 900);
    world.run(MS * 5, |_| false);
    world.esp.clear();
    world.net.conditions = Conditions { mtu: 900, ..Conditions::IDEAL };
    let [up, down] = exchange(&mut world, client);
    world.run(MS * 200, |_| false);
    assert_eq!((&world.at_gateway, &world.at_client), (&up, &down));
    assert!(world.esp.iter().all(|(_, _, len)| *len == 900 - 28));
}

#[test]
fn a_rate_of_nothing_is_no_configuration() {
    let mut setup = Setup::new(PROVIDERS[0], Login::SharedSecret);
    setup.gateway.policy = with(Aggregation::constant_rate(1400, 0));
    let clocks = Clocks { now: Instant::default(), unix: adit_platform::UnixTime::from_secs(0) };
    let id = adit_ikev2::Identity::email("alice@adit.test");
    setup.gateway.clients.shared_secrets.insert(id, adit_platform::Secret::copy_from(b"secret"));
    let refused =
        Gateway::new(setup.gateway, PROVIDERS[0], Box::new(SeededRng::new(1)), clocks).err();
    assert_eq!(refused, Some(SetupError::Config(ConfigError::Aggregation)));
}

//= RFC 9347 section 2.4.2
#[test]
fn with_congestion_control_loss_slows_down() {
    // Both ends: 800 packets a second at the most.
    let (mut world, client) = connected(Aggregation::up_to(1000, 6_400_000), |_| {});
    let rate = |world: &mut World, loss| {
        world.net.conditions = Conditions { loss, ..Conditions::IDEAL };
        world.run(Duration::from_secs(20), |_| false);
        world.esp.clear();
        world.run(Duration::from_secs(5), |_| false);
        world.esp.iter().filter(|(from_gateway, ..)| !from_gateway).count() / 5
    };
    let whole = rate(&mut world, 0);
    assert!((795..=800).contains(&whole), "{whole}");
    // With 5 % the equation of RFC 5348 section 3.1 yields about 220 in a round trip of 20 ms.
    let lossy = rate(&mut world, 5);
    assert!((80..400).contains(&lossy), "{lossy}");
    let [up, down] = {
        world.net.conditions = Conditions::IDEAL;
        world.at_client.clear();
        world.at_gateway.clear();
        exchange(&mut world, client)
    };
    world.run(Duration::from_secs(1), |_| false);
    assert_eq!((&world.at_gateway, &world.at_client), (&up, &down));
    // Keys are renewed, and the rate goes on to rise.
    world.client.rekey_children(world.now).unwrap();
    let again = rate(&mut world, 0);
    assert!(again > 2 * lossy, "{again} {lossy}");
}

//= RFC 9347 section 5.1: the C bit.
#[test]
fn congestion_control_needs_a_peer_that_reports() {
    let mut required = Aggregation::up_to(1000, 800_000);
    required.required = true;
    let start = |gateway: Aggregation| {
        let mut setup = Setup::new(PROVIDERS[0], Login::SharedSecret);
        setup.client_policy = Some(with(required));
        setup.gateway.policy = with(gateway);
        setup.start()
    };
    // One with a rate of its own reports: the client reaches its 100 packets a second.
    let mut world = start(Aggregation::constant_rate(600, 480_000));
    connect(&mut world);
    world.run(Duration::from_secs(15), |_| false);
    world.esp.clear();
    world.run(Duration::from_secs(1), |_| false);
    let of = |gateway: bool| world.esp.iter().filter(|(from, ..)| *from == gateway).count();
    assert_eq!((of(false), of(true)), (100, 100));
    // One that sends on demand would be silent.
    let reason = start(Aggregation::on_demand(MS)).connect().unwrap_err();
    let wanted = Incompatible::Aggfrag.into();
    assert_eq!(reason, Disconnect::Failed(Failure::Ike(wanted)));
}
