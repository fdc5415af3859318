//! Selectors and policies by the tables and the text of RFC 4301.

mod common;

use std::net::IpAddr;

use adit_esp::ip::{Fragment, IpPacket, Upper};
use adit_esp::sad::{Expiry, Sad};
use adit_esp::selector::{PopulateFromPacket, PortRange, Selectors, TrafficSelector};
use adit_esp::spd::{Action, Direction, Policy, Spd};
use adit_esp::{NextHeader, OpenError, SaConfig, Spi};
use adit_platform::aead::AeadAlgorithm;
use adit_platform::{Suite, ring};
use adit_testkit::mutate;
use common::{config, ipv4, ipv6, pair, seal};

const SUITE: Suite = Suite::Aead(AeadAlgorithm::Aes128Gcm16);

const S: [u8; 4] = [10, 0, 0, 1];
const D: [u8; 4] = [10, 0, 0, 2];

/// From S to D.
fn packet(protocol: u8, front: &[u8]) -> Vec<u8> {
    let mut packet = ipv4(60);
    packet[9] = protocol;
    packet[20..20 + front.len()].copy_from_slice(front);
    packet
}

fn udp(source: u16, destination: u16) -> Vec<u8> {
    packet(17, &[source.to_be_bytes(), destination.to_be_bytes()].concat())
}

fn parse(packet: &[u8]) -> IpPacket {
    IpPacket::parse(packet).unwrap()
}

fn selector(range: TrafficSelector, protocol: u8, ports: PortRange) -> TrafficSelector {
    TrafficSelector { protocol: Some(NextHeader(protocol)), ports, ..range }
}

fn subnet() -> TrafficSelector {
    TrafficSelector::subnet([10, 0, 0, 0].into(), 24)
}

/// Both ends the same.
fn both(selector: TrafficSelector) -> Selectors {
    Selectors { local: vec![selector], remote: vec![selector] }
}

const NOTHING: PopulateFromPacket = PopulateFromPacket::NOTHING;

//= RFC 4301 section 4.4.2.2: addresses and protocol.
#[test]
fn addresses_and_protocol_come_from_where_the_flags_say() {
    let (s, d): (IpAddr, IpAddr) = (S.into(), D.into());
    let any = TrafficSelector::ANY_V4;
    let sent = parse(&udp(1000, 53));
    for range in [subnet(), any] {
        let policy = both(range);
        assert_eq!(policy.populate(&sent, NOTHING), Some(policy.clone()));
        let local = PopulateFromPacket { local_address: true, ..NOTHING };
        let expected = Selectors { local: vec![TrafficSelector::host(s)], remote: vec![range] };
        assert_eq!(policy.populate(&sent, local), Some(expected));
        let remote = PopulateFromPacket { remote_address: true, ..NOTHING };
        let expected = Selectors { local: vec![range], remote: vec![TrafficSelector::host(d)] };
        assert_eq!(policy.populate(&sent, remote), Some(expected));
        let protocol = PopulateFromPacket { protocol: true, ..NOTHING };
        assert_eq!(
            policy.populate(&sent, protocol),
            Some(both(selector(range, 17, PortRange::ANY)))
        );
    }
    let everything = both(any).populate(&sent, PopulateFromPacket::EVERYTHING).unwrap();
    let host =
        |address, port| selector(TrafficSelector::host(address), 17, PortRange::single(port));
    assert_eq!(everything, Selectors { local: vec![host(s, 1000)], remote: vec![host(d, 53)] });
    assert!(everything.admit_outbound(&sent));

    // Of a list, what the packet is not in is not negotiated for.
    let far = TrafficSelector::host([192, 0, 2, 1].into());
    let tcp = selector(subnet(), 6, PortRange::ANY);
    let list = Selectors { local: vec![far, tcp, subnet()], remote: vec![subnet(), any] };
    let from =
        PopulateFromPacket { local_address: true, remote_address: true, protocol: true, ..NOTHING };
    let expected = Selectors {
        local: vec![selector(TrafficSelector::host(s), 17, PortRange::ANY)],
        remote: vec![selector(TrafficSelector::host(d), 17, PortRange::ANY)],
    };
    assert_eq!(list.populate(&sent, from), Some(expected), "each once");
    assert_eq!(both(far).populate(&sent, NOTHING), None, "not the policy's packet");
}

//= RFC 4301 section 4.4.2.2: ports, types and codes.
#[test]
fn ports_come_from_where_the_flags_say_if_they_are_there() {
    let flags = |local_port, remote_port| PopulateFromPacket { local_port, remote_port, ..NOTHING };
    let ports = PortRange { start: 900, end: 2000 };
    let list = Selectors {
        local: vec![selector(subnet(), 17, ports)],
        remote: vec![selector(subnet(), 17, PortRange::ANY)],
    };
    let sent = parse(&udp(1000, 53));
    assert_eq!(list.populate(&sent, flags(false, false)), Some(list.clone()));
    let taken = list.populate(&sent, flags(true, true)).unwrap();
    assert_eq!(taken.local, [selector(subnet(), 17, PortRange::single(1000))]);
    assert_eq!(taken.remote, [selector(subnet(), 17, PortRange::single(53))]);

    let mut fragment = udp(1000, 53);
    fragment[7] = 20;
    let fragment = parse(&fragment);
    assert_eq!(list.populate(&fragment, flags(false, false)), None, "a list has no such packet");
    let any = both(selector(subnet(), 17, PortRange::ANY));
    let opaque = both(selector(subnet(), 17, PortRange::OPAQUE));
    for policy in [&any, &opaque] {
        assert_eq!(policy.populate(&fragment, flags(false, false)), Some(policy.clone()));
        for (local, remote) in [(true, false), (false, true)] {
            assert_eq!(policy.populate(&fragment, flags(local, remote)), None, "not available");
        }
    }
    assert_eq!(opaque.populate(&sent, flags(true, true)), None);

    // ICMP has one "port", of the sender.
    let echo = parse(&packet(1, &[8, 0]));
    let icmp = both(selector(subnet(), 1, PortRange::ANY));
    let taken = icmp.populate(&echo, flags(true, true)).unwrap();
    assert_eq!(taken.local, [selector(subnet(), 1, PortRange::single(8 << 8))]);
    assert_eq!(taken.remote, icmp.remote);
    // A protocol without ports has none to take.
    let gre = parse(&packet(47, &[]));
    assert_eq!(both(subnet()).populate(&gre, flags(true, true)), Some(both(subnet())));
    // A port from the packet stands with its protocol.
    let taken = both(subnet()).populate(&sent, flags(true, false)).unwrap();
    assert_eq!(taken.local, [selector(subnet(), 17, PortRange::single(1000))]);
}

#[test]
fn a_protocol_that_is_not_shown_is_not_taken() {
    // A later fragment that begins with destination options.
    let mut packet = ipv6(100);
    packet[6] = 44;
    packet[40..48].copy_from_slice(&[60, 0, 0x01, 0x00, 0, 0, 0, 1]);
    let packet = parse(&packet);
    assert!(packet.fragment.is_later());
    let any = both(TrafficSelector::ANY_V6);
    assert_eq!(any.populate(&packet, NOTHING), Some(any.clone()));
    let protocol = PopulateFromPacket { protocol: true, ..NOTHING };
    assert_eq!(any.populate(&packet, protocol), None);
}

//= RFC 4301 sections 4.4.1.1 and 7.1
#[test]
fn fragments_travel_where_ports_do_not_matter() {
    let mut first = udp(1000, 53);
    first[6] = 0x20;
    let mut later = udp(1000, 53);
    later[7] = 185;
    let (first, later) = (parse(&first), parse(&later));
    assert_eq!(
        (first.fragment, later.fragment),
        (Fragment::First, Fragment::Later { offset: 1480 })
    );
    assert_eq!(later.upper, Upper::Opaque);
    let port = both(selector(subnet(), 17, PortRange { start: 0, end: 2000 }));
    assert!(port.admit_inbound(&first) && !port.admit_inbound(&later));
    for trivial in [subnet(), selector(subnet(), 17, PortRange::ANY)] {
        assert!(both(trivial).admit_inbound(&first) && both(trivial).admit_inbound(&later));
    }
    assert!(!both(selector(subnet(), 6, PortRange::ANY)).admit_inbound(&later), "other protocol");
}

//= RFC 4301 section 7.2
#[test]
fn an_sa_for_fragments_takes_none_that_may_overwrite_ports() {
    let opaque = both(selector(subnet(), 17, PortRange::OPAQUE));
    for units in 1..=40_u8 {
        let mut later = udp(1000, 53);
        later[7] = units;
        let later = parse(&later);
        assert_eq!(opaque.admit_inbound(&later), units >= 16, "at {}", u16::from(units) * 8);
        let any = both(selector(subnet(), 17, PortRange::ANY));
        assert!(
            any.admit_inbound(&later),
            "with its first fragment in the same SA there is no need"
        );
    }
    assert!(!opaque.admit_inbound(&parse(&udp(1, 1))), "whole packets travel elsewhere");
}

//= RFC 4301 section 4.4.1.1
#[test]
fn icmp_type_and_code_are_one_port() {
    let unreachable = PortRange { start: 3 << 8, end: 3 << 8 | 0xff };
    let selectors = both(selector(subnet(), 1, unreachable));
    for (kind, code, admitted) in [(3, 0, true), (3, 255, true), (2, 255, false), (4, 0, false)] {
        let message = parse(&packet(1, &[kind, code]));
        assert_eq!(selectors.admit_inbound(&message), admitted, "{kind} {code}");
        assert_eq!(selectors.admit_outbound(&message), admitted);
    }
    // What one end may send says nothing about what the other may.
    let echo = |kind: u16| selector(subnet(), 1, PortRange::single(kind << 8));
    let asks = Selectors { local: vec![echo(8)], remote: vec![echo(0)] };
    assert!(asks.admit_outbound(&parse(&packet(1, &[8, 0]))));
    assert!(asks.admit_inbound(&parse(&packet(1, &[0, 0]))));
    assert!(!asks.admit_inbound(&parse(&packet(1, &[8, 0]))));
}

/// An ICMP error from `router` to `to` about `reported`.
fn error(router: [u8; 4], to: [u8; 4], kind: u8, reported: &[u8]) -> Vec<u8> {
    let quoted = &reported[..reported.len().min(28)];
    let mut message = ipv4(28 + quoted.len());
    message[9] = 1;
    message[12..16].copy_from_slice(&router);
    message[16..20].copy_from_slice(&to);
    message[20..28].copy_from_slice(&[kind, 0, 0, 0, 0, 0, 0, 0]);
    message[28..].copy_from_slice(quoted);
    message
}

/// From `from` to `to` in UDP.
fn sent(from: [u8; 4], to: [u8; 4], source: u16, destination: u16) -> Vec<u8> {
    let mut sent = udp(source, destination);
    sent[12..16].copy_from_slice(&from);
    sent[16..20].copy_from_slice(&to);
    sent
}

//= RFC 4301 section 6.2
#[test]
fn an_icmp_error_comes_in_by_the_sa_of_what_it_reports() {
    let router = [192, 0, 2, 200];
    let selectors = Selectors {
        local: vec![selector(TrafficSelector::host(S.into()), 17, PortRange::single(1000))],
        remote: vec![selector(TrafficSelector::host(D.into()), 17, PortRange::single(53))],
    };
    let (mut sender, receiver) = pair(&config(SUITE), &ring::PROVIDER);
    let mut receiver = receiver.with_selectors(selectors.clone());
    let mut receive = |message: &[u8]| {
        let mut esp = seal(&mut sender, message, NextHeader::IPV4).unwrap();
        receiver.open(&mut esp).map(|opened| esp[opened.payload].to_vec())
    };
    for kind in [3, 4, 5, 11, 12] {
        let good = error(router, S, kind, &sent(S, D, 1000, 53));
        assert_eq!(receive(&good), Ok(good));
    }
    for (bad, why) in [
        (error(router, S, 8, &sent(S, D, 1000, 53)), "not an error"),
        (error(router, S, 3, &sent(S, D, 1000, 54)), "another port"),
        (error(router, S, 3, &sent(S, D, 53, 1000)), "ports the wrong way"),
        (error(router, S, 3, &sent(D, S, 53, 1000)), "what did not go out"),
        (error(router, S, 3, &sent(S, [10, 0, 0, 3], 1000, 53)), "another host"),
        (error(router, [10, 0, 0, 77], 3, &sent(S, D, 1000, 53)), "not for who sent it"),
        (error(router, S, 3, &sent(S, D, 1000, 53)[..19]), "cut off"),
        (error(router, S, 3, &[]), "about nothing"),
    ] {
        assert_eq!(receive(&bad), Err(OpenError::Selectors), "{why}");
    }
    let good = error(router, S, 3, &sent(S, D, 1000, 53));
    mutate::all(&good, &[mutate::Field::u16(2), mutate::Field::u16(30)], 9, |input| {
        let _ = selectors.admit_icmp_error(input);
    });
}

#[test]
fn an_icmpv6_error_too() {
    let reported = ipv6(60);
    let mut message = ipv6(48 + reported.len());
    message[6] = 58;
    message[8..24].copy_from_slice(&[0xfe; 16]);
    message[24..40].copy_from_slice(&reported[8..24]);
    message[40..48].copy_from_slice(&[2, 0, 0, 0, 0, 0, 5, 0]);
    message[48..].copy_from_slice(&reported);
    let host = |at: usize| {
        let address: [u8; 16] = reported[at..at + 16].try_into().unwrap();
        TrafficSelector::host(address.into())
    };
    let selectors = Selectors { local: vec![host(8)], remote: vec![host(24)] };
    assert!(!selectors.admit_inbound(&parse(&message)));
    assert!(selectors.admit_icmp_error(&message));
    message[40] = 128;
    assert!(!selectors.admit_icmp_error(&message), "an echo request");
}

#[test]
fn an_icmp_error_goes_out_by_the_sa_of_the_answer() {
    let mut sad = Sad::new();
    let config = SaConfig::new(Spi(0x1000), SUITE);
    let (out, inbound) = pair(&config, &ring::PROVIDER);
    let child = sad.insert(inbound, out, Expiry::default()).unwrap();
    let mut spd = Spd::new();
    let protect = spd.insert(Policy {
        order: 1,
        selectors: Selectors {
            local: vec![TrafficSelector::host(S.into())],
            remote: vec![TrafficSelector::host(D.into())],
        },
        action: Action::Protect(child),
        direction: Direction::Both,
    });
    let router = [192, 0, 2, 1];
    let message = error(router, D, 3, &sent(D, S, 53, 1000));
    assert_eq!(spd.outbound(&parse(&message)), None);
    assert_eq!(spd.outbound_icmp_error(&message), Some((protect, child)));
    let about_another = error(router, D, 3, &sent(D, [10, 0, 0, 9], 53, 1000));
    assert_eq!(spd.outbound_icmp_error(&about_another), None);
    assert_eq!(spd.outbound_icmp_error(&sent(S, D, 1, 1)), None, "no error at all");
}

//= RFC 4301 section 4.4.1
#[test]
fn a_policy_may_be_for_one_way() {
    let mut spd = Spd::new();
    let mut insert = |order, direction, action| {
        spd.insert(Policy { order, selectors: both(subnet()), action, direction })
    };
    let outward = insert(1, Direction::Outbound, Action::Bypass);
    let inward = insert(2, Direction::Inbound, Action::Discard);
    let negotiate = insert(3, Direction::Both, Action::Negotiate(PopulateFromPacket::EVERYTHING));
    let packet = parse(&udp(1, 2));
    assert_eq!(spd.outbound(&packet), Some((outward, Action::Bypass)));
    assert_eq!(spd.inbound(&packet), Some((inward, Action::Discard)));
    assert!(!spd.admit_inbound(&packet, None));
    spd.remove(outward);
    spd.remove(inward);
    let (id, action) = spd.outbound(&packet).unwrap();
    assert_eq!((id, action), (negotiate, Action::Negotiate(PopulateFromPacket::EVERYTHING)));
    let Action::Negotiate(from_packet) = action else { unreachable!() };
    let wanted = spd.get(id).unwrap().selectors.populate(&packet, from_packet).unwrap();
    assert!(wanted.admit_outbound(&packet) && !wanted.admit_outbound(&parse(&udp(1, 3))));
    assert!(!spd.admit_inbound(&packet, None), "it must be protected");
}
