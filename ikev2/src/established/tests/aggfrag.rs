//! USE_AGGFRAG in CREATE_CHILD_SA: RFC 9347 section 5.1.

use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;

use super::every_provider;
use super::pair::*;
use crate::child::ChildId;
use crate::config::ChildConfig;
use crate::error::{Error, Incompatible, Misbehaviour};
use crate::established::Command;
use crate::event::{CloseReason, Event};
use crate::negotiate::{Aggfrag, AggfragPolicy};
use crate::wire::{DecodeErrorKind, Notify, NotifyType, Payload, Payloads};

const D: Aggfrag = Aggfrag { dont_fragment: true, congestion_control: false };

fn asking(policy: AggfragPolicy) -> ChildConfig {
    ChildConfig { aggfrag: Some(policy), ..child_config() }
}

fn failures(end: &End) -> Vec<Error> {
    let failed = end.events.iter().filter_map(|event| match event {
        Event::ChildFailed(error) => Some(error.clone()),
        _ => None,
    });
    failed.collect()
}

/// The same message with another USE_AGGFRAG; without any for `None`.
fn with_flags(packet: &Packet, flags: Option<&[u8]>) -> Packet {
    let payloads = packet.payloads().into_owned().into_iter();
    let is_ours = |payload: &Payload<'_>| matches!(payload, Payload::Notify(notify) if notify.notify_type == NotifyType::USE_AGGFRAG);
    let mut payloads: Vec<_> = payloads.filter(|payload| !is_ours(payload)).collect();
    payloads.extend(flags.map(|flags| {
        let data = Cow::Owned(flags.to_vec());
        Payload::Notify(Notify { data, ..Notify::error(NotifyType::USE_AGGFRAG) })
    }));
    let mut changed = packet.clone();
    changed.replace(&Payloads::from(payloads));
    changed
}

#[test]
fn both_ends_learn_what_the_other_requires() {
    every_provider(|provider| {
        let mut setup = Setup::new(provider, 1);
        let policy = AggfragPolicy { required: true, ..AggfragPolicy::default() };
        setup.a_child.aggfrag = Some(policy);
        setup.b_child.aggfrag = Some(AggfragPolicy { ours: D, ..AggfragPolicy::default() });
        let mut pair = setup.pair();
        pair.command(A, Command::CreateChild(asking(policy).into()));
        pair.run();
        pair.assert_agreement(1, 2);
        let of = |pair: &mut Pair, side, id| {
            pair.end(side).installed.values().find(|child| child.id == ChildId(id)).unwrap().aggfrag
        };
        assert_eq!(of(&mut pair, A, 1), Some(D), "what A sends has to be whole");
        assert_eq!(of(&mut pair, B, 1), Some(Aggfrag::default()));
        // It goes on through rekeys from either side.
        for (side, id) in [(A, 1), (B, 2)] {
            pair.command(side, Command::RekeyChild(ChildId(id)));
            pair.run();
            pair.assert_agreement(1, 2);
            assert_eq!(of(&mut pair, A, id + 1), Some(D), "rekeyed by {side:?}");
            assert_eq!(of(&mut pair, B, id + 1), Some(Aggfrag::default()));
        }
    });
}

#[test]
fn a_responder_that_does_not_know_it_declines() {
    every_provider(|provider| {
        for required in [false, true] {
            let mut pair = Setup::new(provider, 1).pair();
            let policy = AggfragPolicy { required, ..AggfragPolicy::default() };
            pair.command(A, Command::CreateChild(asking(policy).into()));
            pair.run();
            //= RFC 9347 section 5.1: if this is unacceptable to the initiator, it MUST delete the Child SA.
            let (failed, children) =
                if required { (vec![Incompatible::Aggfrag.into()], 1) } else { (vec![], 2) };
            assert_eq!(failures(pair.end(A)), failed);
            pair.assert_agreement(1, children);
            assert!(pair.end(A).installed.values().all(|child| child.aggfrag.is_none()));
        }
    });
}

#[test]
fn a_responder_that_requires_it_refuses_others() {
    every_provider(|provider| {
        let mut setup = Setup::new(provider, 1);
        setup.b_child.aggfrag = Some(AggfragPolicy { required: true, ..AggfragPolicy::default() });
        let mut pair = setup.pair();
        pair.command(A, Command::CreateChild(child_config().into()));
        pair.run();
        let refused = Error::RefusedByPeer(NotifyType::NO_PROPOSAL_CHOSEN);
        assert_eq!(failures(pair.end(A)), [refused]);
        pair.assert_agreement(1, 1);
    });
}

#[test]
fn strange_flags_are_declined_and_strange_lengths_are_errors() {
    every_provider(|provider| {
        let wanted = AggfragPolicy::default();
        let mut setup = Setup::new(provider, 1);
        setup.b_child.aggfrag = Some(wanted);
        // In the request: another requirement is declined, a malformed one is fatal.
        for (flags, fatal) in [(&[4_u8][..], None), (&[], Some(4)), (&[0, 0], Some(5))] {
            let mut pair = setup.pair();
            pair.command(A, Command::CreateChild(asking(wanted).into()));
            let request = pair.end(A).outbox.remove(0);
            pair.deliver_packet(B, with_flags(&request, Some(flags)));
            match (fatal, pair.closed(B)) {
                (None, None) => {
                    pair.run();
                    pair.assert_agreement(1, 2);
                    assert!(pair.end(B).installed.values().all(|child| child.aggfrag.is_none()));
                }
                (Some(at), Some(CloseReason::Failed(Error::Malformed(error)))) => {
                    assert_eq!((error.what, error.offset), ("USE_AGGFRAG flags", at));
                    let kinds = [DecodeErrorKind::Truncated, DecodeErrorKind::Trailing];
                    assert!(kinds.contains(&error.kind));
                }
                other => panic!("{flags:?}: {other:?}"),
            }
        }
        // In the response: the child that the peer believes in is deleted.
        let unasked = Misbehaviour::UnexpectedNotify(NotifyType::USE_AGGFRAG);
        for (asked, flags, error) in [
            (Some(wanted), &[4_u8][..], Error::from(Incompatible::Aggfrag)),
            (Some(wanted), &[2], Incompatible::Aggfrag.into()),
            (None, &[0], unasked.into()),
        ] {
            let mut pair = setup.pair();
            let child = ChildConfig { aggfrag: asked, ..child_config() };
            pair.command(A, Command::CreateChild(child.into()));
            pair.deliver(A);
            let response = pair.end(B).outbox.remove(0);
            pair.deliver_packet(A, with_flags(&response, Some(flags)));
            assert_eq!(failures(pair.end(A)), [error]);
            pair.run();
            pair.assert_agreement(1, 1);
        }
    });
}
