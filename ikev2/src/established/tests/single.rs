//! One exchange at a time: what RFC 7296 sections 1.3 and 1.4 describe.

use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::time::Duration;

use adit_platform::kex::KexAlgorithm;

use super::every_provider;
use super::pair::*;
use crate::child::{ChildId, Mode};
use crate::config::{ChildConfig, Lifetime};
use crate::error::{Error, Incompatible, Misbehaviour, TimedOut};
use crate::established::Command;
use crate::event::{CloseReason, Event};
use crate::negotiate::IkeProposal;
use crate::wire::{
    Delete, ExchangeType, NotifyType, Payload, PayloadType, Payloads, ProtocolId, TrafficSelector,
    Transform, TransformType,
};

fn failures(end: &End) -> Vec<Error> {
    let failed = end.events.iter().filter_map(|event| match event {
        Event::ChildFailed(error) => Some(error.clone()),
        _ => None,
    });
    failed.collect()
}

#[test]
fn liveness_is_an_empty_exchange() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, Command::CheckLiveness);
        pair.command(A, Command::CheckLiveness);
        assert_eq!(pair.waiting(A), 1);
        let request = pair.end(A).outbox[0].clone();
        assert_eq!((request.exchange, request.payloads().len()), (ExchangeType::INFORMATIONAL, 0));
        pair.run();
        assert!(matches!(pair.end(A).events[..], [Event::Alive]));
        pair.assert_agreement(1, 1);
    });
}

#[test]
fn a_new_child() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, Command::CreateChild(child_config().into()));
        let request = pair.end(A).outbox[0].clone();
        //= RFC 7296 section 1.3.1: HDR, SK {SA, Ni, [KEi,] TSi, TSr}
        let types: Vec<_> = request.payloads().iter().map(Payload::payload_type).collect();
        use PayloadType as P;
        assert_eq!(types, [P::SA, P::NONCE, P::KE, P::TSI, P::TSR]);
        pair.run();
        pair.assert_agreement(1, 2);
        assert!(matches!(
            pair.end(B).events[..],
            [Event::ChildEstablished { child: ChildId(1), replaces: None }]
        ));
    });
}

#[test]
fn a_rekeyed_child_replaces_the_old_one_before_it_goes() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, Command::RekeyChild(FIRST_CHILD));
        let request = pair.end(A).outbox[0].clone();
        let payloads = request.payloads();
        //= RFC 7296 section 1.3.3: the SPI is the one the exchange initiator would expect in inbound
        //= packets; the Protocol ID is that of the SA.
        let rekey = payloads.notify(NotifyType::REKEY_SA).unwrap();
        assert_eq!((rekey.protocol, rekey.spi.child()), (ProtocolId::ESP, Some(0xa1)));
        pair.deliver(A);
        // B receives with both and sends through the old one: RFC 7296 section 2.8.
        assert_eq!(pair.end(B).installed.len(), 2);
        assert!(pair.end(B).sending.contains(&FIRST_CHILD));
        pair.deliver(B);
        // A sends through the new one at once, and still receives with the old one.
        assert_eq!(pair.end(A).installed.len(), 2);
        assert!(!pair.end(A).sending.contains(&FIRST_CHILD));
        let delete = pair.end(A).outbox[0].clone();
        assert_eq!(delete.payloads().deletes().next(), Some(&Delete::esp(vec![0xa1])));
        pair.deliver(A);
        // The DELETE tells B that A receives with the new one.
        assert!(!pair.end(B).sending.contains(&FIRST_CHILD));
        assert_eq!(pair.end(B).sending.len(), 1);
        pair.run();
        pair.assert_agreement(1, 1);
        for side in [A, B] {
            let [
                Event::ChildEstablished { child: new, replaces },
                Event::ChildClosed { child, reason },
            ] = &pair.end(side).events[..]
            else {
                panic!("{:?}", pair.end(side).events);
            };
            assert_eq!((*replaces, *child), (Some(FIRST_CHILD), FIRST_CHILD));
            assert_ne!(*new, FIRST_CHILD);
            assert_eq!(*reason, CloseReason::Rekeyed);
        }
    });
}

#[test]
fn another_key_exchange_method_is_tried_once() {
    every_provider(|provider| {
        let mut setup = Setup::new(provider, 1);
        setup.b_child.proposals[0].key_exchanges = vec![KexAlgorithm::P256];
        let mut pair = setup.pair();
        pair.command(A, Command::RekeyChild(FIRST_CHILD));
        pair.deliver(A);
        let refusal = pair.end(B).outbox[0].clone();
        //= RFC 7296 section 1.3: the notification data is the number of the accepted group.
        let payloads = refusal.payloads();
        assert_eq!(payloads.notify(NotifyType::INVALID_KE_PAYLOAD).unwrap().data[..], [0, 19]);
        pair.run();
        pair.assert_agreement(1, 1);
        assert_eq!(pair.end(A).events.len(), 2);

        // A peer that asks for the same again is not believed.
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, Command::RekeyChild(FIRST_CHILD));
        pair.deliver(A);
        pair.end(B).outbox.clear();
        let mut lie = refusal.clone();
        let notify = crate::wire::Notify::status(NotifyType::INVALID_KE_PAYLOAD, &[0, 31]);
        lie.replace(&vec![Payload::Notify(notify)].into());
        pair.deliver_packet(A, lie);
        assert_eq!(failures(pair.end(A)), [Misbehaviour::InvalidKeyExchangeRetry.into()]);
        assert_eq!(pair.waiting(A), 0);
    });
}

#[test]
fn children_do_without_a_key_exchange_unless_one_end_insists() {
    every_provider(|provider| {
        let mut setup = Setup::new(provider, 1);
        setup.b_child.proposals[0].key_exchanges = vec![];
        let mut pair = setup.pair();
        pair.command(A, Command::RekeyChild(FIRST_CHILD));
        pair.run();
        pair.assert_agreement(1, 1);
        pair.command(B, Command::RekeyChild(ChildId(1)));
        pair.run();
        pair.assert_agreement(1, 1);

        setup.a_child.proposals[0].require_key_exchange = true;
        let mut pair = setup.pair();
        pair.command(A, Command::RekeyChild(FIRST_CHILD));
        pair.run();
        let refused = Error::RefusedByPeer(NotifyType::NO_PROPOSAL_CHOSEN);
        assert_eq!(failures(pair.end(A)), [refused]);
        pair.assert_agreement(1, 1);
    });
}

#[test]
fn selectors_are_narrowed_and_refused() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        let wide = ChildConfig { remote: vec![TrafficSelector::ANY_V4], ..child_config() };
        pair.command(A, Command::CreateChild(wide.into()));
        pair.run();
        pair.assert_agreement(1, 2);
        let b = pair.end(B).machine.policy.child.clone().unwrap();
        let narrowed = pair.end(A).installed.values().find(|child| child.id == ChildId(1));
        assert_eq!(narrowed.unwrap().remote, b.local);

        let elsewhere = TrafficSelector::host(Ipv4Addr::new(192, 0, 2, 1).into());
        let foreign = ChildConfig { remote: vec![elsewhere], ..child_config() };
        pair.command(A, Command::CreateChild(foreign.into()));
        pair.run();
        let refused = Error::RefusedByPeer(NotifyType::TS_UNACCEPTABLE);
        assert_eq!(failures(pair.end(A)), [refused]);
        pair.assert_agreement(1, 2);
    });
}

#[test]
fn no_children_where_none_are_allowed() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.end(B).machine.policy.child = None;
        pair.command(A, Command::CreateChild(child_config().into()));
        pair.run();
        let refused = Error::RefusedByPeer(NotifyType::NO_ADDITIONAL_SAS);
        assert_eq!(failures(pair.end(A)), [refused]);
        pair.assert_agreement(1, 1);
    });
}

#[test]
fn transport_mode_needs_both_ends() {
    every_provider(|provider| {
        let transport = ChildConfig { mode: Mode::Transport, ..child_config() };
        let mut setup = Setup::new(provider, 1);
        let mut pair = setup.pair();
        // B declines and sets up a tunnel; A does not want that and deletes it: RFC 7296 section 1.3.1.
        pair.command(A, Command::CreateChild(transport.clone().into()));
        pair.run();
        assert_eq!(failures(pair.end(A)), [Incompatible::Mode.into()]);
        pair.assert_agreement(1, 1);

        setup.b_child.mode = Mode::Transport;
        setup.a_child.mode = Mode::Transport;
        let mut pair = setup.pair();
        pair.command(A, Command::CreateChild(transport.into()));
        pair.run();
        pair.assert_agreement(1, 2);
        pair.command(B, Command::RekeyChild(ChildId(1)));
        pair.run();
        pair.assert_agreement(1, 2);
        assert!(pair.end(A).installed.values().all(|child| child.mode == Mode::Transport));
    });
}

#[test]
fn an_unoffered_choice_is_taken_back() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, Command::CreateChild(child_config().into()));
        pair.deliver(A);
        let mut response = pair.end(B).outbox.remove(0);
        let changed = response.clone();
        let payloads = changed.payloads().into_owned().into_iter().map(|payload| match payload {
            Payload::SecurityAssociation(mut sa) => {
                for transform in &mut sa.proposals[0].transforms {
                    if transform.transform_type == TransformType::ENCRYPTION {
                        *transform = Transform::with_key_length(TransformType::ENCRYPTION, 20, 256);
                    }
                }
                Payload::SecurityAssociation(sa)
            }
            other => other,
        });
        response.replace(&payloads.collect::<Vec<_>>().into());
        pair.deliver_packet(A, response);
        assert_eq!(failures(pair.end(A)), [Misbehaviour::SelectedUnofferedTransform.into()]);
        pair.run();
        pair.assert_agreement(1, 1);
    });
}

#[test]
fn a_child_that_cannot_be_installed_is_not_had() {
    every_provider(|provider| {
        for side in [A, B] {
            let mut pair = Setup::new(provider, 1).pair();
            pair.end(side).refuse_install = true;
            pair.command(A, Command::CreateChild(child_config().into()));
            pair.run();
            pair.end(side).refuse_install = false;
            if side == A {
                assert!(matches!(failures(pair.end(A))[..], [Error::Denied(_)]));
                pair.assert_agreement(1, 1);
                // The rekey of a child fails without harm to the child.
                pair.end(A).refuse_install = true;
                pair.command(A, Command::RekeyChild(FIRST_CHILD));
                pair.run();
                pair.assert_agreement(1, 1);
                assert!(pair.end(A).sending.contains(&FIRST_CHILD));
            } else {
                // B said TEMPORARY_FAILURE, and A tries again in a while.
                pair.assert_agreement(1, 1);
                pair.pass(Duration::from_secs(10));
                pair.assert_agreement(1, 2);
            }
        }
    });
}

#[test]
fn a_child_is_deleted_in_both_directions() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, Command::DeleteChild(FIRST_CHILD));
        pair.deliver(A);
        //= RFC 7296 section 1.4.1: the response contains the paired SAs going in the other direction.
        let response = pair.end(B).outbox[0].clone();
        assert_eq!(response.payloads().deletes().next(), Some(&Delete::esp(vec![0xb1])));
        pair.run();
        pair.assert_agreement(1, 0);
        let closed = |reason| Event::ChildClosed { child: FIRST_CHILD, reason };
        assert_eq!(
            alloc::format!("{:?}", pair.end(A).events),
            alloc::format!("{:?}", [closed(CloseReason::ByUs)])
        );
        assert_eq!(
            alloc::format!("{:?}", pair.end(B).events),
            alloc::format!("{:?}", [closed(CloseReason::ByPeer)])
        );
    });
}

#[test]
fn a_child_that_does_not_exist() {
    every_provider(|provider| {
        // Deleting it: reply without a Delete payload (RFC 7296 section 2.25.1).
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, Command::DeleteChild(FIRST_CHILD));
        let now = pair.now;
        let b = pair.end(B);
        b.machine.child_gone(&mut b.host, FIRST_CHILD, CloseReason::ByUs);
        b.installed.clear();
        b.sending.clear();
        while b.machine.poll_output().is_some() {}
        pair.deliver(A);
        assert!(pair.end(B).outbox[0].payloads().is_empty());
        pair.run();
        pair.assert_agreement(1, 0);

        // Rekeying it: CHILD_SA_NOT_FOUND with the SPI; the initiator makes a new one from scratch.
        let mut pair = Setup::new(provider, 1).pair();
        assert_eq!(now, pair.now);
        let b = pair.end(B);
        b.machine.child_gone(&mut b.host, FIRST_CHILD, CloseReason::ByUs);
        b.installed.clear();
        b.sending.clear();
        while b.machine.poll_output().is_some() {}
        pair.command(A, Command::RekeyChild(FIRST_CHILD));
        pair.deliver(A);
        let answer = pair.end(B).outbox[0].clone();
        let payloads = answer.payloads();
        let notify = payloads.notify(NotifyType::CHILD_SA_NOT_FOUND).unwrap();
        assert_eq!(notify.spi.child(), Some(0xa1));
        pair.run();
        pair.assert_agreement(1, 1);
        assert!(!pair.end(A).sending.contains(&FIRST_CHILD));
    });
}

#[test]
fn the_ike_sa_is_rekeyed_and_keeps_its_children() {
    every_provider(|provider| {
        for side in [A, B] {
            let mut pair = Setup::new(provider, 1).pair();
            let before = pair.end(A).machine.current();
            pair.command(side, Command::RekeyIke);
            let request = pair.end(side).outbox[0].clone();
            //= RFC 7296 section 1.3.2: HDR, SK {SA, Ni, KEi}; the SA payload has the new SPI.
            let types: Vec<_> = request.payloads().iter().map(Payload::payload_type).collect();
            assert_eq!(types, [PayloadType::SA, PayloadType::NONCE, PayloadType::KE]);
            let payloads = request.payloads();
            assert_eq!(payloads.sa().unwrap().proposals[0].spi.len(), 8);
            pair.run();
            pair.assert_agreement(1, 1);
            assert_ne!(pair.end(A).machine.current(), before);
            //= RFC 7296 section 1.3.2: the initiator in this rekey exchange is the new "original
            //= initiator" of the new IKE SA.
            let initiated = pair.end(side).machine.sas[0].spis.we_initiated;
            let answered = pair.end(side.other()).machine.sas[0].spis.we_initiated;
            assert!(initiated && !answered);
            assert_eq!(pair.end(A).key_log.len(), 1);
            // And again, on top of the new keys.
            pair.command(side.other(), Command::RekeyIke);
            pair.run();
            pair.command(side, Command::RekeyChild(FIRST_CHILD));
            pair.run();
            pair.assert_agreement(1, 1);
        }
    });
}

#[test]
fn the_ike_sa_takes_another_key_exchange_method() {
    every_provider(|provider| {
        let mut setup = Setup::new(provider, 1);
        setup.b_ike = IkeProposal { key_exchanges: vec![KexAlgorithm::P256], ..ike_proposal() };
        let mut pair = setup.pair();
        let before = pair.end(A).machine.current();
        pair.command(A, Command::RekeyIke);
        pair.run();
        pair.assert_agreement(1, 1);
        assert_ne!(pair.end(A).machine.current(), before);
    });
}

#[test]
fn the_ike_sa_is_deleted_with_its_children() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, Command::DeleteIke);
        assert_eq!(pair.closed(A), Some(CloseReason::ByUs));
        assert!(!pair.end(A).machine.is_gone());
        pair.deliver(A);
        assert_eq!(pair.closed(B), Some(CloseReason::ByPeer));
        //= RFC 7296 section 1.4.1: the response is an empty INFORMATIONAL response.
        assert!(pair.end(B).outbox[0].payloads().is_empty());
        pair.run();
        pair.assert_agreement(0, 0);
        for side in [A, B] {
            assert!(pair.end(side).machine.is_gone());
            assert_eq!(pair.end(side).machine.poll_timeout(), None);
        }
    });
}

#[test]
fn lifetimes_renew_and_end() {
    every_provider(|provider| {
        let hour = Duration::from_secs(3600);
        let mut setup = Setup::new(provider, 1);
        setup.a_child.lifetime = Lifetime::new(hour);
        let mut pair = setup.pair();
        pair.pass(hour);
        pair.assert_agreement(1, 1);
        assert!(!pair.end(A).sending.contains(&FIRST_CHILD), "it was rekeyed in time");
        pair.pass(10 * hour);
        pair.assert_agreement(1, 1);

        // A peer that refuses rekeys loses the child at the end of its life.
        let mut pair = setup.pair();
        pair.end(B).machine.children.get_mut(FIRST_CHILD).unwrap().config =
            ChildConfig { proposals: vec![], ..mirrored(&child_config()) }.into();
        pair.pass(2 * hour);
        pair.assert_agreement(1, 0);
        let expected = CloseReason::Failed(Error::TimedOut(TimedOut::Lifetime));
        assert!(pair.end(A).events.iter().any(|event| matches!(
            event,
            Event::ChildClosed { child: FIRST_CHILD, reason } if *reason == expected
        )));

        let mut setup = Setup::new(provider, 1);
        setup.ike_lifetime = Lifetime::new(hour);
        let mut pair = setup.pair();
        let before = pair.end(A).machine.current();
        pair.pass(hour);
        pair.assert_agreement(1, 1);
        assert_ne!(pair.end(A).machine.current(), before);
        pair.pass(10 * hour);
        pair.assert_agreement(1, 1);

        setup.b_ike = IkeProposal { prfs: vec![], ..ike_proposal() };
        let mut pair = setup.pair();
        pair.pass(2 * hour);
        pair.assert_agreement(0, 0);
        assert!(pair.closed(A).is_some() && pair.closed(B).is_some());
    });
}

#[test]
fn a_request_that_breaks_the_protocol_ends_the_ike_sa() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, Command::CreateChild(child_config().into()));
        let mut request = pair.end(A).outbox.remove(0);
        let good = request.clone();
        let without_nonce = good.payloads().into_owned().into_iter();
        let without_nonce =
            without_nonce.filter(|payload| payload.payload_type() != PayloadType::NONCE);
        request.replace(&Payloads::from(without_nonce.collect::<Vec<_>>()));
        pair.deliver_packet(B, request);
        let error = Error::from(Misbehaviour::MissingPayload(PayloadType::NONCE));
        assert_eq!(pair.closed(B), Some(CloseReason::Failed(error)));
        pair.deliver(B);
        //= RFC 7296 section 2.21.3: fatal in both peers.
        let error = Error::RefusedByPeer(NotifyType::INVALID_SYNTAX);
        assert_eq!(pair.closed(A), Some(CloseReason::Failed(error)));
        pair.assert_agreement(0, 0);
    });
}

#[test]
fn an_unknown_critical_payload_is_answered_and_harms_nothing() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, Command::CheckLiveness);
        let spi = pair.end(B).machine.current().unwrap();
        let now = pair.now;
        let b = pair.end(B);
        let error = Misbehaviour::UnsupportedCriticalPayload(PayloadType(200)).into();
        b.machine.handle_malformed_request(now, &mut b.host, spi, error);
        let Some(crate::established::Output::Respond { payloads, .. }) = b.machine.poll_output()
        else {
            panic!("no response")
        };
        let notify = payloads.notify(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD).unwrap();
        assert_eq!(notify.data[..], [200]);
        assert!(!pair.end(B).machine.is_closed());
    });
}

#[test]
fn silence_ends_the_ike_sa() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, Command::CheckLiveness);
        pair.end(A).outbox.clear();
        let peer = pair.end(B).machine.current().unwrap();
        pair.give_up(A, peer);
        let silent = CloseReason::Failed(Error::TimedOut(TimedOut::Request));
        assert_eq!(pair.closed(A), Some(silent));
        assert!(pair.end(A).machine.is_gone());
    });
}
