//! A client and a gateway, with all that they compose, on virtual time.

mod common;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use adit::{ClientEvent, Disconnect, Failure, GatewayEvent};
use adit_certval::Revocation;
use adit_ikev2::negotiate::{EspProposal, IkeProposal};
use adit_platform::Suite;
use adit_testkit::net::Conditions;
use adit_testkit::pki::{self, Authority, Template};
use adit_testkit::rng::SeededRng;

use common::{
    CRL_URL, Login, OVER_IPV4, OVER_IPV6, Outer, PROVIDERS, SERVER, Setup, World, packet,
};

const LOGINS: [Login; 4] =
    [Login::SharedSecret, Login::Certificates, Login::LocalPassword, Login::RadiusPassword];

const OUTERS: [Outer; 2] = [OVER_IPV4, OVER_IPV6];

fn each_provider(mut test: impl FnMut(adit_platform::Provider)) {
    for provider in PROVIDERS {
        println!("provider {}", provider.name);
        test(provider);
    }
}

fn inner_ipv4(connection: &adit::Connection) -> Ipv4Addr {
    let mut addresses = connection.addresses.iter().map(|net| net.addr());
    let v4 = addresses.find_map(|address| match address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    });
    v4.expect("the pool has IPv4")
}

/// Sends one packet each way and wants both to arrive.
fn ping(world: &mut World, client: Ipv4Addr, number: u32) {
    let (there, back) = (packet(client, SERVER, number), packet(SERVER, client, number));
    assert!(world.send_from_client(&there), "the client has no tunnel for packet {number}");
    assert!(world.send_from_gateway(&back), "the gateway has no tunnel for packet {number}");
    world.run(Duration::from_millis(20), |_| false);
    assert_eq!(world.at_gateway.pop(), Some(there), "packet {number} to the gateway");
    assert_eq!(world.at_client.pop(), Some(back), "packet {number} to the client");
}

#[test]
fn every_login_connects_carries_packets_and_closes() {
    each_provider(|provider| {
        for (login, outer) in
            LOGINS.into_iter().flat_map(|login| OUTERS.map(|outer| (login, outer)))
        {
            println!("{login:?} {outer:?}");
            let mut setup = Setup::new(provider, login);
            setup.outer = outer;
            let mut world = setup.start();
            let connection = world.connect().unwrap_or_else(|reason| panic!("{reason}"));
            assert_eq!(connection.addresses.len(), 2, "one address of each family");
            assert_eq!(connection.dns, [IpAddr::from([10, 88, 0, 53])]);
            assert_eq!(connection.routes.len(), 2);
            ping(&mut world, inner_ipv4(&connection), 1);

            world.client.disconnect(world.now);
            world.run(Duration::from_secs(2), |world| world.client.is_closed());
            assert!(world.client.is_closed() && world.gateway.is_closed());
            assert!(matches!(
                world.gateway_events.last(),
                Some(GatewayEvent::Disconnected { stats, .. }) if stats.inbound.packets == 1
            ));
            assert_eq!(world.gateway.clients().count(), 0);
        }
    });
}

#[test]
fn every_suite_carries_packets() {
    each_provider(|provider| {
        for suite in Suite::all() {
            let mut setup = Setup::new(provider, Login::SharedSecret);
            let esp = EspProposal { suites: vec![suite], ..EspProposal::recommended() };
            setup.gateway.policy.esp_proposals = vec![esp];
            if suite.is_for_ike() {
                let ike = IkeProposal { suites: vec![suite], ..IkeProposal::recommended() };
                setup.gateway.policy.ike_proposals = vec![ike];
            }
            let mut world = setup.start();
            let connection = world.connect().unwrap_or_else(|reason| panic!("{suite:?}: {reason}"));
            for number in 1..=3 {
                ping(&mut world, inner_ipv4(&connection), number);
            }
        }
    });
}

#[test]
fn no_packet_is_lost_while_keys_are_renewed() {
    each_provider(|provider| {
        let mut world = Setup::new(provider, Login::RadiusPassword).start();
        let connection = world.connect().unwrap();
        let client = inner_ipv4(&connection);
        let sa = world.gateway.clients().next().map(|(sa, _)| sa).unwrap();
        for round in 0..40 {
            match round {
                5 => world.client.rekey_children(world.now).unwrap(),
                12 => world.client.rekey_ike(world.now).unwrap(),
                20 => world.gateway.rekey_children(world.now, sa).unwrap(),
                28 => world.gateway.rekey_ike(world.now, sa).unwrap(),
                _ => {}
            }
            // Packets are on their way while messages are: one every 3 ms, a message takes 10.
            for burst in 0..4 {
                let number = round * 4 + burst;
                assert!(world.send_from_client(&packet(client, SERVER, number)));
                assert!(world.send_from_gateway(&packet(SERVER, client, number)));
                world.run(Duration::from_millis(3), |_| false);
            }
        }
        world.run(Duration::from_secs(1), |_| false);
        for (side, packets) in [("gateway", &world.at_gateway), ("client", &world.at_client)] {
            let numbers: Vec<u32> = packets
                .iter()
                .map(|packet| u32::from_be_bytes(packet[28..32].try_into().unwrap()))
                .collect();
            assert_eq!(numbers, (0..160).collect::<Vec<_>>(), "at the {side}");
        }
        let rekeyed = |wanted: bool| {
            let count = |event: &&GatewayEvent| matches!(event, GatewayEvent::Rekeyed { child, .. } if *child == wanted);
            world.gateway_events.iter().filter(count).count()
        };
        assert_eq!((rekeyed(true), rekeyed(false)), (2, 2));
    });
}

#[test]
fn packets_of_strange_addresses_do_not_pass() {
    let mut world = Setup::new(PROVIDERS[0], Login::SharedSecret).start();
    let client = inner_ipv4(&world.connect().unwrap());
    let stranger = Ipv4Addr::new(10, 99, 0, 200);
    assert!(!world.send_from_client(&packet(stranger, SERVER, 1)), "a forged source");
    assert!(!world.send_from_client(&packet(client, Ipv4Addr::new(203, 0, 113, 1), 1)));
    assert!(!world.send_from_gateway(&packet(SERVER, stranger, 1)), "nobody has this address");
    assert!(!world.send_from_client(b"no packet at all"));
}

#[test]
fn a_wrong_password_is_refused_and_named() {
    each_provider(|provider| {
        for login in [Login::LocalPassword, Login::RadiusPassword] {
            let mut setup = Setup::new(provider, login);
            setup.password = Some("looking-glass");
            let mut world = setup.start();
            let reason = world.connect().unwrap_err();
            assert!(matches!(reason, Disconnect::Failed(Failure::Password(_))), "{reason}");
            // The method's own reason, not just EAP-Failure: RFC 2759 section 6 calls it 691.
            assert!(reason.to_string().contains("691"), "{reason}");
            world.run(Duration::from_secs(60), |_| false);
            assert!(world.gateway.is_closed());
            assert!(matches!(world.gateway_events.last(), Some(GatewayEvent::Refused(_))));
        }
    });
}

#[test]
fn the_password_may_be_asked_for() {
    let mut setup = Setup::new(PROVIDERS[0], Login::RadiusPassword);
    setup.password = None;
    let mut world = setup.start();
    world.client.connect(world.now).unwrap();
    let asked = |world: &World| {
        world.client_events.iter().any(|e| matches!(e, ClientEvent::AskPassword { .. }))
    };
    world.run(Duration::from_secs(5), asked);
    let Some(ClientEvent::AskPassword { user, ticket, .. }) = world.client_events.pop() else {
        panic!("{:?}", world.client_events)
    };
    assert_eq!(user, "alice");
    // A person takes a while to type.
    world.run(Duration::from_secs(20), |_| false);
    let password = adit_platform::Secret::copy_from(common::PASSWORD.as_bytes());
    world.client.answer_password(world.now, ticket, Some(password));
    world.connect().unwrap_or_else(|reason| panic!("{reason}"));
}

/// The gateway's certificate after something was done to it, and what the client says of it.
fn certificate_refusal(change: impl Fn(&mut Setup)) -> String {
    let mut said = Vec::new();
    each_provider(|provider| {
        let mut setup = Setup::new(provider, Login::RadiusPassword);
        change(&mut setup);
        let mut world = setup.start();
        let reason = world.connect().expect_err("nobody may connect to this gateway");
        assert!(matches!(reason, Disconnect::Failed(Failure::Certificate(_))), "{reason}");
        // The user's name and password must not have left.
        assert_eq!(world.gateway.clients().count(), 0);
        said.push(reason.to_string());
    });
    assert_eq!(said[0], said[1]);
    said.remove(0)
}

#[test]
fn a_revoked_gateway_is_refused() {
    let text = certificate_refusal(|setup| {
        let crl = setup.authority.crl(&[setup.gateway_certificate.serial]);
        setup.web.insert(CRL_URL.to_owned(), crl);
    });
    assert!(text.contains("revoked") && text.contains("SHA-256"), "{text}");
}

#[test]
fn an_expired_gateway_is_refused() {
    let text = certificate_refusal(|setup| {
        setup.issue_gateway(&Template { not_after: pki::NOW - 1, ..Setup::template() });
    });
    assert!(text.contains("expired"), "{text}");
}

#[test]
fn a_gateway_of_an_unknown_authority_is_refused() {
    let text = certificate_refusal(|setup| {
        let mut other = Authority::root("Other Root", pki::Key::p256(&mut SeededRng::new(9)));
        setup.gateway_certificate =
            other.issue(&Setup::template(), pki::Key::p256(&mut SeededRng::new(10)));
    });
    assert!(text.contains("Other Root"), "{text}");
}

#[test]
fn a_gateway_of_another_name_is_refused() {
    let text = certificate_refusal(|setup| {
        let dns = vec!["other.adit.test".to_owned()];
        setup.issue_gateway(&Template { dns, ..Setup::template() });
    });
    assert!(text.contains("other.adit.test"), "{text}");
}

#[test]
fn an_unreachable_crl_refuses_or_warns_as_policy_says() {
    let unreachable = |setup: &mut Setup| setup.web.clear();
    let text = certificate_refusal(unreachable);
    assert!(text.contains("revocation"), "{text}");

    let mut setup = Setup::new(PROVIDERS[0], Login::RadiusPassword);
    setup.web.clear();
    setup.revocation = Revocation::Warn;
    let mut world = setup.start();
    world.connect().unwrap_or_else(|reason| panic!("{reason}"));
    let warned = world.client_events.iter().any(|event| {
        matches!(event, ClientEvent::GatewayVerified { warnings, .. } if !warnings.is_empty())
    });
    assert!(warned);
}

#[test]
fn a_revoked_client_is_refused() {
    let mut setup = Setup::new(PROVIDERS[0], Login::Certificates);
    let crl = setup.authority.crl(&[setup.client_certificate.serial]);
    setup.web.insert(CRL_URL.to_owned(), crl);
    let mut world = setup.start();
    world.connect().unwrap_err();
    let refused = world.gateway_events.iter().any(|event| {
        matches!(event, GatewayEvent::Refused(refusal) if refusal.reason.contains("revoked"))
    });
    assert!(refused, "{:?}", world.gateway_events);
}

#[test]
fn a_silent_radius_server_lets_nobody_in_and_leaves_nothing_behind() {
    let mut setup = Setup::new(PROVIDERS[0], Login::RadiusPassword);
    setup.radius_answers = false;
    let mut world = setup.start();
    world.connect().unwrap_err();
    world.run(Duration::from_secs(300), |_| false);
    assert!(world.gateway.is_closed());
    assert_eq!(world.gateway.clients().count(), 0);
}

#[test]
fn a_gateway_without_free_addresses_says_so_and_keeps_none() {
    let mut setup = Setup::new(PROVIDERS[0], Login::SharedSecret);
    setup.gateway.limits.connections = 0;
    let mut world = setup.start();
    let reason = world.connect().unwrap_err();
    assert!(matches!(reason, Disconnect::Failed(Failure::Ike(_))), "{reason}");
    world.run(Duration::from_secs(120), |_| false);
    assert_eq!(world.gateway.clients().count(), 0);
}

/// Through loss, duplication, reordering and corruption every run ends, and after the network has recovered
/// both ends agree on whether there is a connection.
#[test]
fn both_ends_agree_whatever_the_network_does() {
    for percent in [0, 5, 10, 20, 30, 40] {
        adit_testkit::seed::run(0..6, |seed| {
            let mut setup = Setup::new(PROVIDERS[0], Login::RadiusPassword);
            setup.seed = seed;
            setup.conditions = Conditions::hostile(percent);
            let mut world = setup.start();
            let connected = world.connect().is_ok();
            world.net.conditions = Conditions::IDEAL;
            world.run(Duration::from_secs(900), |_| false);
            let at_gateway = world.gateway.clients().count();
            let still = !world
                .client_events
                .iter()
                .any(|event| matches!(event, ClientEvent::Disconnected { .. }));
            assert_eq!(at_gateway, usize::from(connected && still), "{percent} %");
            if at_gateway == 0 {
                assert!(world.gateway.is_closed(), "{percent} %: something half-open is left");
            }
        });
    }
}
