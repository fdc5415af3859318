//! Private keys that are elsewhere, on a card or in a cloud: the host signs, and takes its time.

#[expect(dead_code, reason = "each test binary uses its own part of this")]
mod common;

use std::sync::Arc;
use std::time::Duration;

use adit::{ClientEvent, Disconnect, GatewayEvent};
use adit_ikev2::{Deny, Signature, Ticket};
use adit_platform::signature::{SignatureScheme, SigningKey};
use adit_testkit::rng::SeededRng;

use common::{Login, PROVIDERS, Setup, World};

/// What an event asks for.
type Wanted = (Vec<u8>, Vec<SignatureScheme>, Ticket<Signature>);

fn asked_of_client(world: &mut World) -> Option<Wanted> {
    let is_sign = |event: &mut ClientEvent| matches!(event, ClientEvent::Sign { .. });
    match world.client_events.extract_if(.., is_sign).next()? {
        ClientEvent::Sign { octets, schemes, ticket } => Some((octets, schemes, ticket)),
        other => panic!("{other:?}"),
    }
}

fn asked_of_gateway(world: &mut World) -> Option<Wanted> {
    let is_sign = |event: &mut GatewayEvent| matches!(event, GatewayEvent::Sign { .. });
    match world.gateway_events.extract_if(.., is_sign).next()? {
        GatewayEvent::Sign { octets, schemes, ticket } => Some((octets, schemes, ticket)),
        other => panic!("{other:?}"),
    }
}

/// The card.
struct Keys {
    client: Arc<dyn SigningKey>,
    gateway: Arc<dyn SigningKey>,
}

fn start(provider: adit_platform::Provider) -> (World, Keys) {
    let mut setup = Setup::new(provider, Login::Certificates);
    setup.external_keys = true;
    let load =
        |issued: &adit_testkit::pki::Issued| provider.keys.load_pkcs8(issued.key.pkcs8()).unwrap();
    let keys =
        Keys { client: load(&setup.client_certificate), gateway: load(&setup.gateway_certificate) };
    (setup.start(), keys)
}

fn sign(key: &Arc<dyn SigningKey>, octets: &[u8], schemes: &[SignatureScheme]) -> Signature {
    let scheme = *schemes.iter().find(|scheme| key.schemes().contains(scheme)).unwrap();
    let signature = key.sign(scheme, octets, &mut SeededRng::new(1)).unwrap();
    Signature { scheme, signature }
}

/// Runs until one of the two ends wants a signature.
fn wait_for_client(world: &mut World) -> Wanted {
    world.run(Duration::from_secs(10), |world| {
        world.client_events.iter().any(|event| matches!(event, ClientEvent::Sign { .. }))
    });
    asked_of_client(world).expect("the client wants a signature")
}

fn wait_for_gateway(world: &mut World) -> Wanted {
    world.run(Duration::from_secs(10), |world| {
        world.gateway_events.iter().any(|event| matches!(event, GatewayEvent::Sign { .. }))
    });
    asked_of_gateway(world).expect("the gateway wants a signature")
}

#[test]
fn both_ends_are_signed_for_elsewhere() {
    for provider in PROVIDERS {
        println!("provider {}", provider.name);
        let (mut world, keys) = start(provider);
        world.client.connect(world.now).unwrap();
        let (octets, schemes, ticket) = wait_for_client(&mut world);
        // Somebody looks for the card.
        world.run(Duration::from_secs(15), |_| false);
        let signature = sign(&keys.client, &octets, &schemes);
        world.client.answer_signature(world.now, ticket, Ok(signature)).unwrap();
        let (octets, schemes, ticket) = wait_for_gateway(&mut world);
        world.run(Duration::from_secs(5), |_| false);
        let signature = sign(&keys.gateway, &octets, &schemes);
        world.gateway.answer_signature(world.now, ticket, Ok(signature)).unwrap();
        world.connect().unwrap_or_else(|reason| panic!("{reason}"));
        assert_eq!(world.gateway.clients().count(), 1);
    }
}

#[test]
fn a_card_that_refuses_ends_the_attempt() {
    let (mut world, _) = start(PROVIDERS[0]);
    world.client.connect(world.now).unwrap();
    let (_, _, ticket) = wait_for_client(&mut world);
    let answer = Err(Deny::because("the PIN was wrong"));
    world.client.answer_signature(world.now, ticket, answer).unwrap();
    world.run(Duration::from_secs(5), |_| false);
    let ended = &world.client_events[..];
    assert!(
        matches!(ended, [.., ClientEvent::Disconnected { reason: Disconnect::Failed(_), .. }]),
        "{ended:?}"
    );
    assert!(world.client.is_closed());
    world.run(Duration::from_secs(120), |_| false);
    assert!(world.gateway.is_closed(), "nothing half-open is left");
}

#[test]
fn a_wrong_signature_is_not_believed() {
    let (mut world, keys) = start(PROVIDERS[0]);
    world.client.connect(world.now).unwrap();
    let (octets, schemes, ticket) = wait_for_client(&mut world);
    // Of the right octets, by another's key.
    let signature = sign(&keys.gateway, &octets, &schemes);
    world.client.answer_signature(world.now, ticket, Ok(signature)).unwrap();
    let reason = world.connect().unwrap_err();
    assert!(matches!(reason, Disconnect::Failed(_)), "{reason}");
    assert!(asked_of_gateway(&mut world).is_none(), "nothing is signed for strangers");
    assert_eq!(world.gateway.clients().count(), 0);
}

#[test]
fn an_answer_that_comes_too_late_is_refused_and_harmless() {
    let (mut world, keys) = start(PROVIDERS[0]);
    world.client.connect(world.now).unwrap();
    let (octets, schemes, ticket) = wait_for_client(&mut world);
    world.client.disconnect(world.now);
    world.run(Duration::from_secs(120), |world| world.client.is_closed());
    let signature = sign(&keys.client, &octets, &schemes);
    assert!(world.client.answer_signature(world.now, ticket, Ok(signature)).is_err());
    assert!(world.client.is_closed());
}
