//! Exchanges that meet: RFC 7296 sections 2.8.1, 2.8.2 and 2.25, scenario by scenario.

use core::time::Duration;

use super::every_provider;
use super::pair::*;
use crate::child::ChildId;
use crate::established::Command;
use crate::event::{CloseReason, Event};
use crate::wire::{NotifyType, Payloads};

const REKEY: Command = Command::RekeyChild(FIRST_CHILD);
const DELETE: Command = Command::DeleteChild(FIRST_CHILD);

/// The lowest of the nonces of an exchange, from its request and its response.
fn nonce(payloads: &Payloads<'_>) -> alloc::vec::Vec<u8> {
    payloads.nonce().unwrap().0.to_vec()
}

/// Both ends rekey at once; returns which one's exchange holds the lowest nonce.
fn cross(pair: &mut Pair, command: &Command) -> Side {
    pair.command(A, command.clone());
    pair.command(B, command.clone());
    let asked = [A, B].map(|side| nonce(&pair.end(side).outbox[0].payloads()));
    pair.deliver(A);
    pair.deliver(B);
    // Each has now sent its response to the other's request.
    let answered = [B, A].map(|side| {
        let response = &pair.end(side).outbox[0];
        assert!(response.is_response);
        nonce(&response.payloads())
    });
    let [a, b] = [0, 1].map(|i| asked[i].clone().min(answered[i].clone()));
    if a < b { A } else { B }
}

fn seeds() -> core::ops::Range<u64> {
    0..16
}

#[test]
fn both_rekey_a_child_and_the_lowest_nonce_loses() {
    every_provider(|provider| {
        let mut losers = alloc::vec::Vec::new();
        for seed in seeds() {
            let mut pair = Setup::new(provider, seed).pair();
            let loser = cross(&mut pair, &REKEY);
            // Whichever response comes first.
            if seed % 2 == 0 {
                pair.deliver(A);
            } else {
                pair.deliver(B);
            }
            pair.run();
            pair.assert_agreement(1, 1);
            // The survivor is the one that the winner initiated: it was told so at once.
            let [a, b] = [A, B].map(|side| pair.end(side).installed.values().next().unwrap().id);
            assert_eq!((a, b).0.get() > 0, b.get() > 0);
            let redundant_closed_by_loser = pair.end(loser).events.iter().filter(|event| {
                matches!(event, Event::ChildClosed { reason: CloseReason::Rekeyed, .. })
            });
            assert_eq!(redundant_closed_by_loser.count(), 2);
            losers.push(loser);
        }
        assert!(losers.contains(&A) && losers.contains(&B), "both outcomes were seen");
    });
}

#[test]
fn both_rekey_a_child_and_one_request_comes_late() {
    // The second sequence of RFC 7296 section 2.8.1.
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 3).pair();
        pair.command(A, REKEY);
        let late = pair.end(A).outbox.remove(0);
        pair.command(B, REKEY);
        pair.run();
        pair.deliver_packet(B, late);
        let answer = pair.end(B).outbox[0].clone();
        assert!(answer.payloads().notify(NotifyType::CHILD_SA_NOT_FOUND).is_some());
        pair.run();
        // A knew that there was a simultaneous rekeying, so it ignores the error.
        pair.assert_agreement(1, 1);
        assert!(!pair.end(A).events.iter().any(|event| matches!(event, Event::ChildFailed(_))));
    });
}

#[test]
fn both_rekey_a_child_and_one_request_comes_before_the_delete() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 3).pair();
        pair.command(A, REKEY);
        let late = pair.end(A).outbox.remove(0);
        pair.command(B, REKEY);
        pair.deliver(B);
        pair.deliver(A);
        // B has its new child and its DELETE of the old one is on its way when A's request arrives.
        pair.deliver_packet(B, late);
        let answers = pair.end(B).outbox.clone();
        let refused =
            |packet: &Packet| packet.payloads().notify(NotifyType::TEMPORARY_FAILURE).is_some();
        assert!(answers.iter().any(refused));
        pair.run();
        pair.assert_agreement(1, 1);
        pair.pass(Duration::from_secs(3600));
        pair.assert_agreement(1, 1);
    });
}

#[test]
fn both_rekey_a_child_and_the_delete_overtakes_a_response() {
    every_provider(|provider| {
        for seed in seeds() {
            let mut pair = Setup::new(provider, seed).pair();
            cross(&mut pair, &REKEY);
            // A hears B's response; what A sends next (a DELETE) overtakes A's own response.
            pair.deliver(B);
            while pair.waiting(A) > 1 {
                let last = pair.waiting(A) - 1;
                pair.deliver_nth(A, last);
            }
            pair.run();
            pair.assert_agreement(1, 1);
        }
    });
}

#[test]
fn one_rekeys_the_child_that_the_other_deletes() {
    every_provider(|provider| {
        for order in [[A, B], [B, A]] {
            let mut pair = Setup::new(provider, 1).pair();
            pair.command(A, REKEY);
            pair.command(B, DELETE);
            for side in order {
                pair.deliver(side);
            }
            //= RFC 7296 section 2.25.1: a request to rekey a Child SA that it is currently trying to close:
            //= TEMPORARY_FAILURE. A request to close one that it is rekeying: reply as usual.
            let refusal =
                pair.end(B).outbox.iter().any(|packet| {
                    packet.payloads().notify(NotifyType::TEMPORARY_FAILURE).is_some()
                });
            assert!(refusal);
            let reply =
                pair.end(A).outbox.iter().any(|packet| {
                    packet.is_response && packet.payloads().deletes().next().is_some()
                });
            assert!(reply);
            pair.run();
            pair.assert_agreement(1, 0);
            pair.pass(Duration::from_secs(60));
            pair.assert_agreement(1, 0);
        }
    });
}

#[test]
fn both_delete_a_child() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, DELETE);
        pair.command(B, DELETE);
        pair.deliver(A);
        pair.deliver(B);
        //= RFC 7296 section 1.4.1: in that case, the responses MUST NOT include Delete payloads.
        for side in [A, B] {
            assert!(pair.end(side).outbox[0].payloads().is_empty());
        }
        pair.run();
        pair.assert_agreement(1, 0);
    });
}

#[test]
fn one_deletes_the_child_that_the_other_has_just_rekeyed() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, REKEY);
        pair.deliver(A);
        // B knows the new child and wants the old one gone before A has heard.
        pair.command(B, DELETE);
        pair.run();
        pair.assert_agreement(1, 1);
    });
}

#[test]
fn both_create_a_child() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, Command::CreateChild(child_config().into()));
        pair.command(B, Command::CreateChild(mirrored(&child_config()).into()));
        pair.deliver(A);
        pair.deliver(B);
        pair.run();
        // Parallel SAs are deliberately allowed: RFC 7296 section 2.8.
        pair.assert_agreement(1, 3);
    });
}

#[test]
fn the_ike_sa_is_not_rekeyed_while_a_child_is_busy() {
    every_provider(|provider| {
        let busy = [(REKEY, 1), (DELETE, 0), (Command::CreateChild(child_config().into()), 2)];
        for (command, children) in busy {
            let mut pair = Setup::new(provider, 1).pair();
            let before = pair.end(A).machine.current();
            pair.command(A, command);
            pair.command(B, Command::RekeyIke);
            pair.deliver(B);
            //= RFC 7296 section 2.25.1
            let answer = pair.end(A).outbox.last().unwrap().clone();
            assert!(answer.payloads().notify(NotifyType::TEMPORARY_FAILURE).is_some());
            pair.run();
            assert_eq!(pair.end(A).machine.current(), before);
            // Not at once, but in a while.
            pair.pass(Duration::from_secs(4));
            assert_eq!(pair.end(A).machine.current(), before);
            pair.pass(Duration::from_secs(60));
            pair.assert_agreement(1, children);
            assert_ne!(pair.end(A).machine.current(), before);
        }
    });
}

#[test]
fn no_child_is_created_or_rekeyed_while_the_ike_sa_is_rekeyed() {
    every_provider(|provider| {
        for (command, children) in [(REKEY, 1), (Command::CreateChild(child_config().into()), 2)] {
            let mut pair = Setup::new(provider, 1).pair();
            pair.command(B, Command::RekeyIke);
            pair.command(A, command);
            pair.deliver(A);
            //= RFC 7296 section 2.25.2
            let answer = pair.end(B).outbox.last().unwrap().clone();
            assert!(answer.payloads().notify(NotifyType::TEMPORARY_FAILURE).is_some());
            pair.run();
            pair.pass(Duration::from_secs(30));
            pair.assert_agreement(1, children);
        }
    });
}

#[test]
fn a_child_is_deleted_while_the_ike_sa_is_rekeyed() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(B, Command::RekeyIke);
        pair.command(A, DELETE);
        pair.deliver(A);
        //= RFC 7296 section 2.25.2: it SHOULD reply as usual, with a Delete payload.
        let answer = pair.end(B).outbox.last().unwrap().clone();
        assert!(answer.payloads().deletes().next().is_some());
        pair.run();
        pair.pass(Duration::from_secs(30));
        pair.assert_agreement(1, 0);
    });
}

#[test]
fn both_rekey_the_ike_sa_and_the_lowest_nonce_loses() {
    every_provider(|provider| {
        let mut losers = alloc::vec::Vec::new();
        for seed in seeds() {
            let mut pair = Setup::new(provider, seed).pair();
            let loser = cross(&mut pair, &Command::RekeyIke);
            if seed % 2 == 0 {
                pair.deliver(A);
            } else {
                pair.deliver(B);
            }
            pair.run();
            pair.assert_agreement(1, 1);
            // The survivor is the one that the other initiated, and it has the child.
            let survivor = &pair.end(loser.other()).machine.sas[0];
            assert!(survivor.spis.we_initiated);
            for side in [A, B] {
                let rekeyed = pair.end(side).events.iter();
                let rekeyed = rekeyed.filter(|event| matches!(event, Event::IkeRekeyed { .. }));
                assert_eq!(rekeyed.count(), 1);
            }
            pair.command(loser, REKEY);
            pair.run();
            pair.assert_agreement(1, 1);
            losers.push(loser);
        }
        assert!(losers.contains(&A) && losers.contains(&B), "both outcomes were seen");
    });
}

#[test]
fn one_finishes_its_rekey_of_the_ike_sa_without_noticing_the_other() {
    // The sequence of RFC 7296 section 2.8.2: B's request is on its way until all is over.
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 5).pair();
        pair.command(B, Command::RekeyIke);
        let late = pair.end(B).outbox.remove(0);
        pair.command(A, Command::RekeyIke);
        pair.run();
        assert_eq!(pair.end(A).machine.sas.len(), 1);
        // What B's retransmission would find is gone, and B does not wait for an answer any more.
        pair.deliver_packet(A, late);
        pair.run();
        pair.assert_agreement(1, 1);
        assert_eq!(pair.closed(B), None);
    });
}

#[test]
fn a_rekey_request_reaches_an_ike_sa_that_is_replaced() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 5).pair();
        pair.command(B, Command::RekeyIke);
        let late = pair.end(B).outbox.remove(0);
        pair.command(A, Command::RekeyIke);
        pair.deliver(A);
        pair.deliver(B);
        // A has the new IKE SA and its DELETE of the old one is on its way.
        pair.deliver_packet(A, late);
        //= RFC 7296 section 2.8.2: it SHOULD return TEMPORARY_FAILURE.
        let answer = pair.end(A).outbox.last().unwrap().clone();
        assert!(answer.payloads().notify(NotifyType::TEMPORARY_FAILURE).is_some());
        pair.run();
        pair.assert_agreement(1, 1);
    });
}

#[test]
fn one_rekeys_the_ike_sa_that_the_other_deletes() {
    every_provider(|provider| {
        for order in [[A, B], [B, A]] {
            let mut pair = Setup::new(provider, 1).pair();
            pair.command(A, Command::RekeyIke);
            pair.command(B, Command::DeleteIke);
            for side in order {
                if pair.waiting(side) > 0 {
                    pair.deliver(side);
                }
            }
            pair.run();
            pair.assert_agreement(0, 0);
            assert_eq!(pair.closed(A), Some(CloseReason::ByPeer));
            assert_eq!(pair.closed(B), Some(CloseReason::ByUs));
        }
    });
}

#[test]
fn both_delete_the_ike_sa() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, Command::DeleteIke);
        pair.command(B, Command::DeleteIke);
        pair.deliver(A);
        pair.deliver(B);
        pair.run();
        pair.assert_agreement(0, 0);
        assert_eq!(pair.closed(A), Some(CloseReason::ByUs));
    });
}

#[test]
fn the_ike_sa_is_deleted_while_a_child_is_created() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, Command::CreateChild(child_config().into()));
        pair.command(B, Command::DeleteIke);
        pair.deliver(A);
        //= RFC 7296 section 2.25.2
        let answer = pair.end(B).outbox.last().unwrap().clone();
        assert!(answer.payloads().notify(NotifyType::TEMPORARY_FAILURE).is_some());
        pair.run();
        pair.assert_agreement(0, 0);
    });
}

#[test]
fn a_close_waits_for_the_request_that_is_under_way() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, Command::CreateChild(child_config().into()));
        pair.command(A, Command::DeleteIke);
        // The window is one: the DELETE follows the response.
        assert_eq!(pair.waiting(A), 1);
        pair.run();
        pair.assert_agreement(0, 0);
    });
}

#[test]
fn a_peer_that_never_stops_failing_is_left() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.end(B).refuse_install = true;
        pair.command(A, Command::CreateChild(child_config().into()));
        pair.run();
        pair.pass(Duration::from_secs(600));
        //= RFC 7296 section 2.25: it SHOULD conclude that the state information is out of sync and close.
        assert!(pair.closed(A).is_some());
        pair.assert_agreement(0, 0);
    });
}

#[test]
fn a_replaced_child_that_the_peer_forgets_is_deleted_in_time() {
    every_provider(|provider| {
        let mut pair = Setup::new(provider, 1).pair();
        pair.command(A, REKEY);
        pair.deliver(A);
        pair.deliver(B);
        // A's DELETE never comes, as if A had forgotten.
        pair.end(A).outbox.clear();
        pair.pass(Duration::from_secs(181));
        assert!(!pair.end(B).installed.values().any(|child| child.id == FIRST_CHILD));
        assert_eq!(pair.end(B).sending.len(), 1);
    });
}

/// Anything may happen at any time, and in the end both ends agree.
#[test]
fn whatever_happens_both_ends_agree_in_the_end() {
    for seed in 0..400 {
        let mut random = TestRng::new(seed + 1_000_000);
        let mut pair = Setup::new(adit_platform::ring::PROVIDER, seed).pair();
        for _ in 0..40 {
            let side = if random.below(2) == 0 { A } else { B };
            match random.below(8) {
                0 => {
                    let known: alloc::vec::Vec<ChildId> =
                        pair.end(side).installed.values().map(|child| child.id).collect();
                    let child = known.get(random.below(4)).copied().unwrap_or(FIRST_CHILD);
                    let config = if side == A { child_config() } else { mirrored(&child_config()) };
                    let command = match random.below(10) {
                        0..4 => Command::RekeyChild(child),
                        4..7 => Command::RekeyIke,
                        7 => Command::DeleteChild(child),
                        8 => Command::CheckLiveness,
                        _ => Command::CreateChild(config.into()),
                    };
                    pair.command(side, command);
                }
                _ if pair.waiting(side) > 0 => {
                    let index = random.below(pair.waiting(side));
                    pair.deliver_nth(side, index);
                }
                _ => {}
            }
        }
        pair.run();
        // Retries wait for seconds; what the peer forgot goes after minutes.
        pair.pass(Duration::from_secs(1000));
        let children = pair.end(A).installed.len();
        let sas = if pair.end(A).machine.is_closed() { 0 } else { 1 };
        assert_eq!(sas, 1, "seed {seed}: {:?}", pair.closed(A));
        pair.assert_agreement(1, children);
    }
}
