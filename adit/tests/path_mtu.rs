//! Packets that are too long for the path between client and gateway: RFC 4301 section 8.2.

#[expect(dead_code, reason = "each test binary uses its own part of this")]
mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use adit::adapters::esp::SendError;
use adit::{ClientEvent, Connection, Fragmentation, GatewayEvent};
use adit_esp::Spi;
use adit_esp::pmtu::{PathMtu, TooBigReport};
use adit_testkit::net::Conditions;

use common::{Login, OVER_IPV4, OVER_IPV6, Outer, PROVIDERS, SERVER, Setup, World};

/// What AES-GCM with an ICV of 16 octets adds: SPI and sequence number, IV, pad length and next header, ICV.
const ESP: usize = 8 + 8 + 2 + 16;
/// IPv4 and UDP.
const OUTER: usize = 20 + 8;
/// IPv6 and UDP.
const OUTER_IPV6: usize = 40 + 8;

/// The longest inner packet over a path that carries `path` bytes: ESP's content has a multiple of four bytes, and
/// two of them are its trailer's (RFC 4303 section 2.4).
fn longest(path: usize, outer: usize) -> usize {
    let content = path - outer - (ESP - 2);
    content - content % 4 - 2
}

/// Both ends, with a network between that drops what is longer than `mtu` and says nothing.
fn connected(mtu: usize, change: impl Fn(&mut Setup)) -> (World, Connection) {
    let mut setup = Setup::new(PROVIDERS[0], Login::SharedSecret);
    setup.conditions = Conditions { mtu, ..Conditions::IDEAL };
    change(&mut setup);
    let mut world = setup.start();
    let connection = world.connect().unwrap_or_else(|reason| panic!("{reason}"));
    (world, connection)
}

fn addresses(connection: &Connection) -> (Ipv4Addr, Ipv6Addr) {
    match connection.addresses[..] {
        [v4, v6] => match (v4.addr(), v6.addr()) {
            (IpAddr::V4(v4), IpAddr::V6(v6)) => (v4, v6),
            other => panic!("{other:?}"),
        },
        _ => panic!("{:?}", connection.addresses),
    }
}

/// An IPv4 packet of this length from the client, whose content says where each byte belongs.
fn ipv4(connection: &Connection, len: usize, dont_fragment: bool) -> Vec<u8> {
    let mut packet: Vec<u8> = (0..len).map(|at| (at ^ (at >> 8)) as u8).collect();
    packet[..12].copy_from_slice(&[0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 64, 17, 0, 0]);
    packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    packet[6] = if dont_fragment { 0x40 } else { 0 };
    packet[12..16].copy_from_slice(&addresses(connection).0.octets());
    packet[16..20].copy_from_slice(&SERVER.octets());
    packet
}

fn ipv6(connection: &Connection, len: usize) -> Vec<u8> {
    let mut packet = vec![0; len];
    packet[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 0, 17, 64]);
    packet[4..6].copy_from_slice(&(len as u16 - 40).to_be_bytes());
    packet[8..24].copy_from_slice(&addresses(connection).1.octets());
    packet[24..40].copy_from_slice(&"fd88::1".parse::<Ipv6Addr>().unwrap().octets());
    packet
}

/// Sets the packets' source and destination the other way round.
fn reversed(mut packet: Vec<u8>) -> Vec<u8> {
    let (at, len) = if packet[0] >> 4 == 4 { (12, 4) } else { (8, 16) };
    let (source, rest) = packet[at..].split_at_mut(len);
    source.swap_with_slice(&mut rest[..len]);
    packet
}

/// What a packet's sender is told: the MTU in the ICMP message.
fn told(result: Result<Vec<u8>, SendError>, packet: &[u8]) -> usize {
    let Err(SendError::TooBig { mtu, answer: Some(answer) }) = result else {
        panic!("{result:?}");
    };
    let (from, to) = if packet[0] >> 4 == 4 { (12..16, 16..20) } else { (8..24, 24..40) };
    assert_eq!(answer[to], packet[from], "to the sender");
    let header = if packet[0] >> 4 == 4 { 20 } else { 40 };
    let icmp = &answer[header..];
    let said = u32::from_be_bytes(icmp[4..8].try_into().unwrap()) as usize;
    //= RFC 1191 section 4, RFC 4443 section 3.2
    assert_eq!(icmp[..2], if header == 20 { [3, 4] } else { [2, 0] });
    assert_eq!(said, mtu);
    assert!(packet.starts_with(&icmp[8..]), "the packet is quoted");
    mtu
}

/// Puts IPv4 fragments together again, as the receiver's IP layer does.
fn reassembled(fragments: &[Vec<u8>]) -> Vec<u8> {
    let mut whole = fragments[0][..20].to_vec();
    for (number, fragment) in fragments.iter().enumerate() {
        let field = u16::from_be_bytes([fragment[6], fragment[7]]);
        assert_eq!(usize::from(field & 0x1fff) * 8, whole.len() - 20, "fragments in order");
        assert_eq!(field & 0x2000 != 0, number + 1 < fragments.len(), "more fragments");
        whole.extend(&fragment[20..]);
    }
    let len = whole.len() as u16;
    whole[2..4].copy_from_slice(&len.to_be_bytes());
    whole[6..8].fill(0);
    whole[10..12].fill(0);
    whole
}

/// What the path carries, who is at its ends, and the headers around ESP. The network is as narrow as the policy says.
const PATHS: [(usize, Outer, usize); 4] = [
    (1280, OVER_IPV4, OUTER),
    (1500, OVER_IPV4, OUTER),
    (1280, OVER_IPV6, OUTER_IPV6),
    (1500, OVER_IPV6, OUTER_IPV6),
];

fn over(path: usize, outer: Outer) -> (World, Connection) {
    connected(path, |setup| {
        setup.outer = outer;
        setup.gateway.policy.path_mtu.link = path;
    })
}

#[test]
fn the_longest_packet_passes_whole_and_the_next_one_is_answered() {
    for (path, outer, headers) in PATHS {
        let (mut world, connection) = over(path, outer);
        let mtu = longest(path, headers);
        assert_eq!(connection.mtu, mtu);

        let packet = ipv4(&connection, mtu, true);
        assert_eq!(world.try_from_client(&packet).unwrap().len(), mtu + ESP);
        let back = reversed(packet.clone());
        assert_eq!(world.try_from_gateway(&back).unwrap().len(), mtu + ESP);
        world.run(Duration::from_millis(20), |_| false);
        assert_eq!((world.at_gateway.pop(), world.at_client.pop()), (Some(packet), Some(back)));

        //= RFC 4301 section 8.2.1: DF set and too long: drop it and say so.
        let packet = ipv4(&connection, mtu + 1, true);
        assert_eq!(told(world.try_from_client(&packet), &packet), mtu);
        let back = reversed(packet);
        assert_eq!(told(world.try_from_gateway(&back), &back), mtu);
        assert_eq!(world.net.counters().too_big, 0);
    }
}

#[test]
fn what_may_be_fragmented_is_and_every_piece_passes() {
    for (path, outer, _) in PATHS {
        let (mut world, connection) = over(path, outer);
        for len in [connection.mtu + 1, 4000, 9000] {
            let packet = ipv4(&connection, len, false);
            assert!(world.send_from_client(&packet));
            world.run(Duration::from_millis(20), |_| false);
            assert_eq!(reassembled(&std::mem::take(&mut world.at_gateway)), packet);
            let back = reversed(packet);
            assert!(world.send_from_gateway(&back));
            world.run(Duration::from_millis(20), |_| false);
            let fragments = std::mem::take(&mut world.at_client);
            //= RFC 791 section 3.1: all but the last carry a multiple of eight bytes.
            let each = (connection.mtu - 20) & !7;
            assert_eq!(fragments.len(), (len - 20).div_ceil(each), "{len} bytes");
            assert_eq!(reassembled(&fragments), back);
        }
        assert_eq!(world.net.counters().too_big, 0);
    }
}

#[test]
fn fragmentation_outside_is_left_to_the_hosts_ip_layer() {
    let (mut world, connection) = connected(usize::MAX, |setup| {
        setup.gateway.policy.path_mtu.fragmentation = Fragmentation::Outer;
    });
    let packet = ipv4(&connection, 4000, false);
    assert!(world.try_from_client(&packet).unwrap().len() > 4000);
    world.run(Duration::from_millis(20), |_| false);
    assert_eq!(world.at_gateway, [packet]);
}

//= RFC 8200 section 5: what IPv6 cannot refuse is fragmented outside.
#[test]
fn ipv6_is_never_told_less_than_1280() {
    let (mut world, connection) = connected(usize::MAX, |setup| {
        setup.gateway.policy.path_mtu.link = 1280;
    });
    assert!(world.try_from_client(&ipv6(&connection, 1280)).is_ok());
    let packet = ipv6(&connection, 1281);
    assert_eq!(told(world.try_from_client(&packet), &packet), 1280);
    let back = reversed(packet);
    assert_eq!(told(world.try_from_gateway(&back), &back), 1280);
}

#[test]
fn what_the_host_learns_counts_at_once_in_both_directions() {
    let (mut world, connection) = connected(usize::MAX, |_| {});
    let sa = world.gateway.clients().next().map(|(sa, _)| sa).unwrap();
    let mtu = |path| longest(path, OUTER);
    assert_eq!((connection.mtu, world.gateway.mtu(sa)), (mtu(1500), Some(mtu(1500))));
    let connected =
        world.gateway_events.iter().position(|e| matches!(e, GatewayEvent::Connected(_)));
    let sized = world.gateway_events.iter().position(|e| matches!(e, GatewayEvent::PathMtu { .. }));
    assert!(connected < sized && sized.is_some(), "{:?}", world.gateway_events);

    for path in [1280, 1400, 9000, 600] {
        world.client_events.clear();
        world.gateway_events.clear();
        world.client.handle_path_mtu(world.now, world.outer.gateway, path);
        world.gateway.handle_path_mtu(world.now, world.outer.client, path);
        // Once is enough to say it.
        world.client.handle_path_mtu(world.now, world.outer.gateway, path);
        world.run(Duration::from_millis(1), |_| false);
        let ours = &world.client_events[..];
        assert!(matches!(ours, [ClientEvent::PathMtu { mtu: m }] if *m == mtu(path)), "{ours:?}");
        let theirs = &world.gateway_events[..];
        assert!(
            matches!(theirs, [GatewayEvent::PathMtu { sa: s, mtu: m }] if *s == sa && *m == mtu(path)),
            "{theirs:?}"
        );
        let packet = ipv4(&connection, mtu(path) + 1, true);
        assert_eq!(told(world.try_from_client(&packet), &packet), mtu(path));
    }
    world.client.handle_path_mtu(world.now, world.outer.gateway, 0);
    world.client.handle_path_mtu(world.now, world.outer.client, 1280);
    let packet = ipv4(&connection, 1000, true);
    assert_eq!(told(world.try_from_client(&packet), &packet), mtu(576), "the policy's minimum");
}

/// Fragmentation needed, from a router on the way, about an ESP packet of the client's.
fn report(datagram: &[u8], mtu: u16) -> TooBigReport {
    let (client, gateway) = match (OVER_IPV4.client, OVER_IPV4.gateway) {
        (IpAddr::V4(client), IpAddr::V4(gateway)) => (client.octets(), gateway.octets()),
        other => panic!("{other:?}"),
    };
    let len = 28 + datagram.len() as u16;
    let mut message = vec![0x45, 0, 0, 64, 0, 0, 0, 0, 64, 1, 0, 0, 203, 0, 113, 1];
    message.extend(client);
    message.extend([3, 4, 0, 0, 0, 0]);
    message.extend(mtu.to_be_bytes());
    message.extend([0x45, 0]);
    message.extend(len.to_be_bytes());
    message.extend([0, 0, 0x40, 0, 63, 17, 0, 0]);
    message.extend(client);
    message.extend(gateway);
    message.extend([0x11, 0x94, 0x11, 0x94, 0, 0, 0, 0]);
    message.extend(&datagram[..8]);
    TooBigReport::parse(&message).expect("it is a report")
}

#[test]
fn a_router_is_believed_for_ten_minutes() {
    let (mut world, connection) = connected(usize::MAX, |_| {});
    let datagram = world.try_from_client(&ipv4(&connection, 1400, true)).unwrap();
    let report = report(&datagram, 1300);
    let other = TooBigReport { spi: Spi(report.spi.0 ^ 1), ..report };
    assert!(!world.client.handle_too_big(world.now, &other), "no SA of ours");
    let other = TooBigReport { destination: [192, 0, 2, 99].into(), ..report };
    assert!(!world.client.handle_too_big(world.now, &other), "nor where we send");
    assert!(!world.gateway.handle_too_big(world.now, &report), "the client's SA");
    let heard = world.now;
    assert!(world.client.handle_too_big(heard, &report));

    let packet = ipv4(&connection, 1400, true);
    assert_eq!(told(world.try_from_client(&packet), &packet), longest(1300, OUTER));
    //= RFC 8201 section 4: reports never make it greater.
    assert!(world.client.handle_too_big(world.now, &TooBigReport { mtu: 1450, ..report }));
    assert_eq!(told(world.try_from_client(&packet), &packet), longest(1300, OUTER));
    world.run(PathMtu::LIFETIME - Duration::from_secs(1), |_| false);
    assert!(world.try_from_client(&packet).is_err());
    // The machine wakes up for it by itself.
    world.client_events.clear();
    world.run(Duration::from_secs(60), |world| !world.client_events.is_empty());
    assert_eq!(world.now, heard + PathMtu::LIFETIME);
    let mtu = connection.mtu;
    assert!(matches!(world.client_events[..], [ClientEvent::PathMtu { mtu: m }] if m == mtu));
    assert!(world.try_from_client(&packet).is_ok());
}

//= RFC 4443 section 2.4, RFC 1812 section 4.3.2.8: messages about errors are limited in number.
#[test]
fn senders_are_not_answered_without_end() {
    let (mut world, connection) = connected(usize::MAX, |_| {});
    let packet = ipv4(&connection, 1500, true);
    let is_answered = |world: &mut World| match world.try_from_client(&packet) {
        Err(SendError::TooBig { answer, .. }) => answer.is_some(),
        other => panic!("{other:?}"),
    };
    assert_eq!((0..2000).filter(|_| is_answered(&mut world)).count(), 600);
    world.run(Duration::from_millis(1000), |_| false);
    assert_eq!((0..2000).filter(|_| is_answered(&mut world)).count(), 10, "ten a second");
}

//= RFC 1122 section 3.2.2, RFC 4443 section 2.4
#[test]
fn errors_are_not_answered_by_errors() {
    let (mut world, connection) = connected(usize::MAX, |_| {});
    let mut packet = ipv4(&connection, 1500, true);
    (packet[9], packet[20]) = (1, 3);
    let result = world.try_from_client(&packet);
    assert!(matches!(result, Err(SendError::TooBig { answer: None, .. })), "{result:?}");
    packet[20] = 8;
    assert_eq!(told(world.try_from_client(&packet), &packet), connection.mtu);
}

#[test]
fn fragments_that_nobody_sends_do_not_pile_up() {
    let (mut world, connection) = connected(usize::MAX, |_| {});
    let packet = ipv4(&connection, 9000, false);
    let refused = (0..1000).find_map(|_| world.try_from_client(&packet).err());
    assert_eq!(refused, Some(SendError::Undrained));
    // Once they are taken it goes on.
    world.run(Duration::from_millis(20), |_| false);
    assert!(world.send_from_client(&packet));
}

#[test]
fn new_keys_change_nothing() {
    let (mut world, connection) = connected(usize::MAX, |_| {});
    world.client.handle_path_mtu(world.now, world.outer.gateway, 1280);
    world.client.rekey_children(world.now).unwrap();
    world.run(Duration::from_secs(5), |_| false);
    assert!(world.client_events.iter().any(|e| matches!(e, ClientEvent::Rekeyed { child: true })));
    let packet = ipv4(&connection, 1400, true);
    assert_eq!(told(world.try_from_client(&packet), &packet), longest(1280, OUTER));
}

#[test]
fn over_ipv6_nobody_is_believed_that_the_path_carries_less_than_1280() {
    let (mut world, connection) = over(1500, OVER_IPV6);
    world.client.handle_path_mtu(world.now, world.outer.gateway, 600);
    let packet = ipv4(&connection, 1400, true);
    assert_eq!(told(world.try_from_client(&packet), &packet), longest(1280, OUTER_IPV6));
}

#[test]
fn a_new_path_is_taken_to_carry_what_the_link_does() {
    let (mut world, _) = connected(usize::MAX, |_| {});
    let sa = world.gateway.clients().next().map(|(sa, _)| sa).unwrap();
    world.gateway.handle_path_mtu(world.now, world.outer.client, 1280);
    assert_eq!(world.gateway.mtu(sa), Some(longest(1280, OUTER)));
    world.gateway_events.clear();
    // A NAT comes between: RFC 7296 section 2.23 has the gateway follow.
    let outside = [203, 0, 113, 9].into();
    world.net.add_nat(world.outer.client, outside);
    world.client.rekey_ike(world.now).unwrap();
    world.run(Duration::from_secs(5), |_| false);
    assert!(world.gateway_events.iter().any(|event| {
        matches!(event, GatewayEvent::PathChanged { path, .. } if path.remote.ip() == outside)
    }));
    assert_eq!(world.gateway.mtu(sa), Some(longest(1500, OUTER)));
    world.gateway.handle_path_mtu(world.now, world.outer.client, 1280);
    assert_eq!(world.gateway.mtu(sa), Some(longest(1500, OUTER)), "the old path");
    world.gateway.handle_path_mtu(world.now, outside, 1400);
    assert_eq!(world.gateway.mtu(sa), Some(longest(1400, OUTER)));
}
