//! The database: succession by rekeying, lifetimes in time, and no SA left behind.

mod common;

use core::time::Duration;

use adit_esp::lifetime::{Lifetime, Limit};
use adit_esp::sad::{ChildId, Expiry, Group, Resource, Sad, SadError, SadEvent, Succession};
use adit_esp::{Inbound, LifetimeEvent, NextHeader, OpenError, Outbound, SaConfig, SealError, Spi};
use adit_platform::aead::AeadAlgorithm;
use adit_platform::{Instant, Suite, ring};
use common::{inbound, ipv4, outbound};

const SUITE: Suite = Suite::Aead(AeadAlgorithm::Aes128Gcm16);

fn config(spi: u32) -> SaConfig {
    let mut config = SaConfig::new(Spi(spi), SUITE);
    config.extended_sequence_numbers = true;
    config
}

/// One end's pair: it receives on `ours` and sends on `theirs`.
fn pair(ours: u32, theirs: u32) -> (Inbound, Outbound) {
    (inbound(&config(ours), &ring::PROVIDER), outbound(&config(theirs), &ring::PROVIDER))
}

fn at(secs: u64) -> Instant {
    Instant::from_origin(Duration::from_secs(secs))
}

/// Two gateways with one child between them: A receives on 0x1000, B on 0x2000.
struct Peers {
    a: Sad,
    b: Sad,
    child_a: ChildId,
    child_b: ChildId,
}

impl Peers {
    fn new(expiry: Expiry) -> Self {
        let (mut a, mut b) = (Sad::new(), Sad::new());
        let (inbound_a, outbound_a) = pair(0x1000, 0x2000);
        let (inbound_b, outbound_b) = pair(0x2000, 0x1000);
        let child_a = a.insert(inbound_a, outbound_a, expiry).unwrap();
        let child_b = b.insert(inbound_b, outbound_b, expiry).unwrap();
        Self { a, b, child_a, child_b }
    }
}

fn seal(sad: &mut Sad, child: ChildId) -> Result<Vec<u8>, SealError> {
    let packet = ipv4(60);
    let sa = sad.outbound(child).ok_or(SealError::NoSa)?;
    let start = sa.headroom();
    let mut buf = vec![0; start + 60 + sa.tailroom(60)];
    buf[start..start + 60].copy_from_slice(&packet);
    sad.seal(child, &mut buf, start..start + 60, NextHeader::IPV4)?;
    Ok(buf)
}

fn spi(packet: &[u8]) -> Spi {
    Spi::of_packet(packet).unwrap()
}

#[test]
fn packets_find_their_sa() {
    let Peers { mut a, mut b, child_a, child_b } = Peers::new(Expiry::default());
    let mut packet = seal(&mut a, child_a).unwrap();
    let (child, opened) = b.open(&mut packet).unwrap();
    assert_eq!(child, child_b);
    assert_eq!(packet[opened.payload], ipv4(60));

    let mut stray = [0, 0, 0x77, 0x77, 0, 0, 0, 1, 0, 0];
    assert_eq!(b.open(&mut stray), Err(OpenError::WrongSpi { spi: Spi(0x7777) }));
    assert_eq!(b.unknown_spi(), 1);
    assert!(matches!(b.open(&mut [1, 2, 3]), Err(OpenError::Truncated { len: 3, .. })));
}

#[test]
fn an_spi_is_given_once() {
    let Peers { mut a, child_a, .. } = Peers::new(Expiry::default());
    let (inbound, outbound) = pair(0x1000, 0x3000);
    let again = a.insert(inbound, outbound, Expiry::default());
    assert_eq!(again, Err(SadError::DuplicateSpi(Spi(0x1000))));
    let (inbound, outbound) = pair(0x1000, 0x3000);
    let again = a.rekey(child_a, inbound, outbound, Expiry::default(), Succession::AtOnce);
    assert_eq!(again, Err(SadError::DuplicateSpi(Spi(0x1000))));
    assert_eq!(spi(&seal(&mut a, child_a).unwrap()), Spi(0x2000), "nothing changed");
    assert_eq!(a.len(), 1);
}

//= RFC 7296 section 2.8
#[test]
fn a_rekeying_loses_no_packet() {
    let Peers { mut a, mut b, child_a, child_b } = Peers::new(Expiry::default());
    let in_flight = seal(&mut a, child_a).unwrap();
    let in_flight_back = seal(&mut b, child_b).unwrap();

    // B answers A's request: it can receive on the new pair, and goes on sending on the old one.
    let (inbound, outbound) = pair(0x2001, 0x1001);
    b.rekey(child_b, inbound, outbound, Expiry::default(), Succession::AfterFirstPacket).unwrap();
    assert_eq!(spi(&seal(&mut b, child_b).unwrap()), Spi(0x1000));

    // A has the answer and uses the new pair.
    let (inbound, outbound) = pair(0x1001, 0x2001);
    a.rekey(child_a, inbound, outbound, Expiry::default(), Succession::AtOnce).unwrap();
    let mut first = seal(&mut a, child_a).unwrap();
    assert_eq!(spi(&first), Spi(0x2001));

    // What was on its way still arrives, on both sides.
    b.open(&mut in_flight.clone()).unwrap();
    a.open(&mut in_flight_back.clone()).unwrap();
    assert_eq!(spi(&seal(&mut b, child_b).unwrap()), Spi(0x1000), "an old packet changes nothing");

    // A's first packet on the new pair shows B that it may use it.
    let mut forged = first.clone();
    *forged.last_mut().unwrap() ^= 1;
    b.open(&mut forged).unwrap_err();
    assert_eq!(spi(&seal(&mut b, child_b).unwrap()), Spi(0x1000), "nor does a forged one");
    b.open(&mut first).unwrap();
    let mut answer = seal(&mut b, child_b).unwrap();
    assert_eq!(spi(&answer), Spi(0x1001));
    a.open(&mut answer).unwrap();

    // The old pair lives until its time is over.
    assert_eq!(b.inbound_spis(child_b), [Spi(0x2000), Spi(0x2001)]);
    b.retire(Spi(0x2000), at(5));
    assert_eq!(b.poll_timeout(), Some(at(5)));
    b.handle_timeout(at(4));
    assert!(b.contains(Spi(0x2000)));
    b.handle_timeout(at(5));
    assert_eq!(b.inbound_spis(child_b), [Spi(0x2001)]);
    assert_eq!((b.poll_timeout(), b.poll_event()), (None, None));
    let late = b.open(&mut in_flight.clone());
    assert_eq!(late, Err(OpenError::WrongSpi { spi: Spi(0x2000) }));

    let stats = b.stats(child_b).unwrap();
    assert_eq!((stats.inbound.packets, stats.inbound.authentication), (2, 1));
    assert_eq!(stats.outbound.packets, 5);
    assert_eq!(b.remove(child_b), Some(stats), "what pairs that are gone have carried counts");
    assert!(b.is_empty() && !b.contains(Spi(0x2001)));
}

#[test]
fn a_waiting_successor_takes_over_when_the_old_pair_goes() {
    let Peers { mut b, child_b, .. } = Peers::new(Expiry::default());
    let (inbound, outbound) = pair(0x2001, 0x1001);
    b.rekey(child_b, inbound, outbound, Expiry::default(), Succession::AfterFirstPacket).unwrap();
    assert_eq!(b.remove_pair(Spi(0x2000)), Some(child_b));
    assert_eq!(spi(&seal(&mut b, child_b).unwrap()), Spi(0x1001));
    assert_eq!(b.remove_pair(Spi(0x2001)), Some(child_b));
    assert_eq!(seal(&mut b, child_b), Err(SealError::NoSa));
    assert_eq!(b.remove_pair(Spi(0x2001)), None);
}

//= RFC 4301 section 4.4.2.1
#[test]
fn time_runs_out_softly_and_then_hard() {
    let expiry = Expiry { soft: Some(at(100)), hard: Some(at(120)) };
    let Peers { mut a, child_a, .. } = Peers::new(expiry);
    assert_eq!(a.poll_timeout(), Some(at(100)));
    a.handle_timeout(at(99));
    assert_eq!(a.poll_event(), None);
    a.handle_timeout(at(100));
    let event =
        |kind| Some(SadEvent { child: child_a, inbound: Spi(0x1000), resource: None, kind });
    assert_eq!(a.poll_event(), event(LifetimeEvent::Soft));
    assert!(seal(&mut a, child_a).is_ok());
    a.handle_timeout(at(1000));
    assert_eq!(a.poll_event(), event(LifetimeEvent::Hard));
    assert_eq!((a.poll_event(), a.poll_timeout()), (None, None));
    assert_eq!(seal(&mut a, child_a), Err(SealError::NoSa));
    assert_eq!(a.stats(child_a).unwrap().outbound.packets, 1);
}

#[test]
fn both_directions_ask_for_a_new_pair_once() {
    let mut limited = config(0x1000);
    limited.lifetime = Lifetime { packets: Limit { soft: 1, hard: 3 }, ..Lifetime::UNLIMITED };
    let mut sending = limited;
    sending.spi = Spi(0x2000);
    let mut sad = Sad::new();
    let provider = &ring::PROVIDER;
    let expiry = Expiry { soft: Some(at(9)), hard: None };
    let child =
        sad.insert(inbound(&limited, provider), outbound(&sending, provider), expiry).unwrap();
    let mut peer = outbound(&config(0x1000), provider);
    let mut receive = |sad: &mut Sad| {
        let mut packet = common::seal(&mut peer, &ipv4(60), NextHeader::IPV4).unwrap();
        sad.open(&mut packet).map(drop)
    };
    let event = |kind| Some(SadEvent { child, inbound: Spi(0x1000), resource: None, kind });

    seal(&mut sad, child).unwrap();
    receive(&mut sad).unwrap();
    sad.handle_timeout(at(9));
    assert_eq!(sad.poll_event(), event(LifetimeEvent::Soft));
    assert_eq!(sad.poll_event(), None, "once for the pair, not for each direction and reason");

    seal(&mut sad, child).unwrap();
    seal(&mut sad, child).unwrap();
    assert_eq!(sad.poll_event(), event(LifetimeEvent::Hard));
    assert_eq!(receive(&mut sad), Err(OpenError::WrongSpi { spi: Spi(0x1000) }));
}

#[test]
fn a_lost_high_half_is_found_without_help() {
    let Peers { mut a, child_a, .. } = Peers::new(Expiry::default());
    let provider = &ring::PROVIDER;
    let mut sender = outbound(&config(0x1000), provider).dangerous_resume_after(2 << 32);
    let mut lost = 0;
    loop {
        let mut packet = common::seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap();
        match a.open(&mut packet) {
            Ok((child, _)) => break assert_eq!(child, child_a),
            Err(error) => assert!(matches!(error, OpenError::Authentication { .. })),
        }
        lost += 1;
        assert!(lost < 100, "never recovers");
    }
    let mut packet = common::seal(&mut sender, &ipv4(60), NextHeader::IPV4).unwrap();
    a.open(&mut packet).unwrap();
}

#[test]
fn timers_of_what_is_gone_do_not_fire_on_a_later_sa_of_the_same_spi() {
    let expiry = Expiry { soft: Some(at(10)), hard: Some(at(20)) };
    let Peers { mut a, child_a, .. } = Peers::new(expiry);
    a.retire(Spi(0x1000), at(15));
    a.retire(Spi(0x1000), at(16));
    a.remove(child_a);
    assert_eq!(a.poll_timeout(), None);
    let (inbound, outbound) = pair(0x1000, 0x2000);
    let child = a.insert(inbound, outbound, Expiry::default()).unwrap();
    a.handle_timeout(at(100));
    assert_eq!(a.poll_event(), None);
    assert!(seal(&mut a, child).is_ok());
}

fn seal_for(sad: &mut Sad, child: ChildId, resource: Resource) -> Result<Vec<u8>, SealError> {
    let mut buf = [vec![0; 16], ipv4(60), vec![0; 2 + 2 + 16]].concat();
    sad.seal_for(child, resource, &mut buf, 16..76, NextHeader::IPV4)?;
    Ok(buf)
}

//= RFC 9611 section 3
#[test]
fn each_core_sends_by_its_own_sa_or_else_by_the_fallback() {
    let Peers { mut a, mut b, child_a, child_b } = Peers::new(Expiry::default());
    let (first, second) = (Resource(1), Resource(2));
    let none = Expiry::default();
    assert_eq!(spi(&seal_for(&mut a, child_a, first).unwrap()), Spi(0x2000), "the fallback");

    let (inbound, outbound) = pair(0x2100, 0x1100);
    b.rekey_resource(child_b, first, inbound, outbound, none, Succession::AfterFirstPacket)
        .unwrap();
    assert!(b.outbound_of(child_b, first).is_none());
    assert_eq!(
        spi(&seal_for(&mut b, child_b, first).unwrap()),
        Spi(0x1000),
        "A may not have it yet"
    );
    let (inbound, outbound) = pair(0x1100, 0x2100);
    a.rekey_resource(child_a, first, inbound, outbound, none, Succession::AtOnce).unwrap();
    let mut packet = seal_for(&mut a, child_a, first).unwrap();
    assert_eq!(spi(&packet), Spi(0x2100));
    assert_eq!(b.open(&mut packet).unwrap().0, child_b, "all of them are one child");
    assert_eq!(spi(&seal_for(&mut b, child_b, first).unwrap()), Spi(0x1100));
    assert_eq!(spi(&seal_for(&mut b, child_b, second).unwrap()), Spi(0x1000));
    assert_eq!(spi(&seal(&mut b, child_b).unwrap()), Spi(0x1000));

    // Each is rekeyed by itself, and the old inbound SA lives on.
    let (inbound, outbound) = pair(0x1101, 0x2101);
    a.rekey_resource(child_a, first, inbound, outbound, none, Succession::AtOnce).unwrap();
    assert_eq!(spi(&seal_for(&mut a, child_a, first).unwrap()), Spi(0x2101));
    assert_eq!(spi(&seal(&mut a, child_a).unwrap()), Spi(0x2000));
    assert_eq!(a.inbound_spis(child_a), [Spi(0x1000), Spi(0x1100), Spi(0x1101)]);
    a.retire(Spi(0x1100), at(3));
    a.handle_timeout(at(3));
    assert_eq!(spi(&seal_for(&mut a, child_a, first).unwrap()), Spi(0x2101));

    // Its end takes traffic back to the fallback, and the fallback's end leaves the others be.
    assert_eq!(a.remove_pair(Spi(0x1101)), Some(child_a));
    assert!(a.outbound_of(child_a, first).is_none());
    assert_eq!(spi(&seal_for(&mut a, child_a, first).unwrap()), Spi(0x2000));
    b.remove_pair(Spi(0x2000));
    assert_eq!(seal(&mut b, child_b), Err(SealError::NoSa));
    assert_eq!(seal_for(&mut b, child_b, second), Err(SealError::NoSa));
    assert_eq!(spi(&seal_for(&mut b, child_b, first).unwrap()), Spi(0x1100));

    let sent = a.stats(child_a).unwrap().outbound.packets;
    assert_eq!(sent, 6, "those that are gone count");
    assert_eq!(a.remove(child_a).unwrap().outbound.packets, sent);
    assert!(a.is_empty());
}

#[test]
fn a_resource_without_fallback_waits_for_nobody() {
    let mut b = Sad::new();
    let (inbound, outbound) = pair(0x2000, 0x1000);
    let child = b.insert(inbound, outbound, Expiry::default()).unwrap();
    let (inbound, outbound) = pair(0x2100, 0x1100);
    let after = Succession::AfterFirstPacket;
    b.rekey_resource(child, Resource(7), inbound, outbound, Expiry::default(), after).unwrap();
    b.remove_pair(Spi(0x2000));
    assert_eq!(spi(&seal_for(&mut b, child, Resource(7)).unwrap()), Spi(0x1100));
    b.remove_pair(Spi(0x2100));
    assert_eq!(seal_for(&mut b, child, Resource(7)), Err(SealError::NoSa));
}

#[test]
fn events_name_the_resource() {
    let Peers { mut a, child_a, .. } = Peers::new(Expiry::default());
    let (inbound, outbound) = pair(0x1100, 0x2100);
    let expiry = Expiry { soft: Some(at(5)), hard: Some(at(6)) };
    let resource = Resource(3);
    a.rekey_resource(child_a, resource, inbound, outbound, expiry, Succession::AtOnce).unwrap();
    a.handle_timeout(at(6));
    for kind in [LifetimeEvent::Soft, LifetimeEvent::Hard] {
        let (inbound, resource) = (Spi(0x1100), Some(resource));
        let event = SadEvent { child: child_a, inbound, resource, kind };
        assert_eq!(a.poll_event(), Some(event));
    }
    assert_eq!(spi(&seal_for(&mut a, child_a, resource).unwrap()), Spi(0x2000));
}

//= RFC 4303 section 2.1
#[test]
fn the_longest_identifier_finds_the_sa() {
    let (sender, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    let (ssm, asm) = ([232, 1, 1, 1].into(), [239, 1, 1, 1].into());
    let provider = &ring::PROVIDER;
    let mut sad = Sad::new();
    // Three SAs of one SPI: by source and destination, by destination, by nothing else.
    let (unicast_in, unicast_out) = pair(0x1000, 0x2000);
    let unicast = sad.insert(unicast_in, unicast_out, Expiry::default()).unwrap();
    let mut insert = |group| {
        sad.insert_group(group, inbound(&config(0x1000), provider), None, Expiry::default())
    };
    let specific = insert(Group { destination: ssm, source: Some(sender) }).unwrap();
    let any_source = insert(Group { destination: ssm, source: None }).unwrap();
    let elsewhere = insert(Group { destination: asm, source: None }).unwrap();
    let again = insert(Group { destination: asm, source: None });
    assert_eq!(again, Err(SadError::DuplicateSpi(Spi(0x1000))));
    assert_eq!(sad.len(), 4);

    let mut peer = outbound_of(0x1000);
    for (source, destination, expected) in [
        (sender, ssm, specific),
        (other, ssm, any_source),
        (sender, asm, elsewhere),
        (other, asm, elsewhere),
        (sender, [224, 0, 0, 9].into(), unicast),
        (sender, [192, 0, 2, 9].into(), unicast),
    ] {
        let mut packet = common::seal(&mut peer, &ipv4(60), NextHeader::IPV4).unwrap();
        let (child, opened) = sad.open_from(&mut packet.clone(), source, destination).unwrap();
        assert_eq!((child, opened.payload.len()), (expected, 60), "{source} to {destination}");
        // What an SA refuses is not offered to the next.
        let again = sad.open_from(&mut packet, source, destination);
        assert!(matches!(again, Err(OpenError::Replayed { .. })));
    }
    let mut packet = common::seal(&mut peer, &ipv4(60), NextHeader::IPV4).unwrap();
    assert_eq!(sad.open(&mut packet).unwrap().0, unicast);
    let mut stray = common::seal(&mut outbound_of(0x7777), &ipv4(60), NextHeader::IPV4).unwrap();
    let refused = sad.open_from(&mut stray, sender, ssm);
    assert_eq!(refused, Err(OpenError::WrongSpi { spi: Spi(0x7777) }));
    assert!(matches!(sad.open_from(&mut [1], sender, ssm), Err(OpenError::Truncated { .. })));
}

fn outbound_of(spi: u32) -> Outbound {
    outbound(&config(spi), &ring::PROVIDER)
}

#[test]
fn a_group_is_rekeyed_by_its_controller() {
    let group = Group { destination: [239, 1, 1, 1].into(), source: None };
    let source = [192, 0, 2, 1].into();
    let mut sad = Sad::new();
    let expiry = Expiry { soft: Some(at(10)), hard: Some(at(20)) };
    let receive = |spi| inbound(&config(spi), &ring::PROVIDER);
    let child =
        sad.insert_group(group, receive(0x1000), Some(outbound_of(0x1000)), expiry).unwrap();
    assert_eq!(spi(&seal(&mut sad, child).unwrap()), Spi(0x1000));
    let (unicast_in, unicast_out) = pair(0x1000, 0x2000);
    let unicast = sad.insert(unicast_in, unicast_out, Expiry::default()).unwrap();

    sad.handle_timeout(at(10));
    let event = |kind| Some(SadEvent { child, inbound: Spi(0x1000), resource: None, kind });
    assert_eq!(sad.poll_event(), event(LifetimeEvent::Soft));
    let none = Expiry::default();
    sad.rekey_group(child, receive(0x1001), Some(outbound_of(0x1001)), none).unwrap();
    let again = sad.rekey_group(child, receive(0x1001), None, none);
    assert_eq!(again, Err(SadError::DuplicateSpi(Spi(0x1001))));
    assert_eq!(
        sad.rekey_group(unicast, receive(9000), None, none),
        Err(SadError::NotThatKind(unicast))
    );
    let (a, b) = pair(9000, 9001);
    let refused = sad.rekey(child, a, b, none, Succession::AtOnce);
    assert_eq!(refused, Err(SadError::NotThatKind(child)));

    assert_eq!(spi(&seal(&mut sad, child).unwrap()), Spi(0x1001));
    for spi in [0x1000, 0x1001] {
        let mut packet = common::seal(&mut outbound_of(spi), &ipv4(60), NextHeader::IPV4).unwrap();
        assert_eq!(sad.open_from(&mut packet, source, group.destination).unwrap().0, child);
    }
    sad.retire_group(group, Spi(0x1000), at(12));
    sad.retire_group(group, Spi(0x1000), at(13));
    sad.handle_timeout(at(30));
    assert_eq!(
        (sad.poll_event(), sad.poll_timeout()),
        (None, None),
        "retired before its hard limit"
    );
    assert_eq!(sad.inbound_spis(child), [Spi(0x1001)]);
    assert!(sad.contains(Spi(0x1000)), "the unicast SA of the same SPI stays");
    assert_eq!(sad.remove(child).unwrap().inbound.packets, 2);
    assert_eq!(sad.len(), 1);
}
