//! Two endpoints and a sequence of operations: commands, time, and datagrams that arrive, vanish, come twice,
//! come bent or are made up. After every step: no deadline survives being handled, no ask goes unanswered, no
//! event follows Closed; in the end all silence leads to nothing being left.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use adit_ikev2::negotiate::{Aggfrag, AggfragPolicy};
use adit_ikev2::{
    Acceptance, Admission, Ask, ChildConfig, ChildId, Deny, EapReply, Endpoint, EndpointConfig,
    Event, Identity, Installed, LocalAuth, Path, PeerConfig, RemoteAuth, SaId,
};
use adit_platform::{Instant, Secret};
use adit_testkit::insecure::PROVIDER;
use adit_testkit::rng::SeededRng;
use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// The oldest datagram under way arrives.
    Deliver,
    /// It vanishes.
    Lose,
    /// It arrives and stays under way.
    Repeat,
    /// It arrives with this byte changed.
    Bend {
        at: u16,
        by: u8,
    },
    /// It goes to the end of the queue.
    Delay,
    /// Something made up arrives.
    Inject {
        to_gateway: bool,
        marked: bool,
        datagram: &'a [u8],
    },
    /// Time passes.
    Wait {
        millis: u16,
    },
    Connect {
        eap: bool,
    },
    Delete {
        gateway: bool,
    },
    Abandon {
        gateway: bool,
    },
    RekeyIke {
        gateway: bool,
    },
    RekeyChild {
        gateway: bool,
    },
    CreateChild {
        gateway: bool,
    },
    DeleteChild {
        gateway: bool,
    },
    CheckLiveness {
        gateway: bool,
    },
}

struct Datagram {
    to_gateway: bool,
    path: Path,
    payload: Vec<u8>,
}

struct Side {
    endpoint: Endpoint,
    is_gateway: bool,
    deny: u8,
    child: ChildConfig,
    asks: u8,
    rounds: BTreeMap<SaId, u8>,
    open: BTreeMap<SaId, BTreeSet<ChildId>>,
    closed: BTreeSet<SaId>,
}

impl Side {
    fn new(is_gateway: bool, seed: u64, deny: u8, aggfrag: u8) -> Self {
        let config = EndpointConfig { responder: is_gateway, ..EndpointConfig::default() };
        let rng = Box::new(SeededRng::new(seed));
        Self {
            endpoint: Endpoint::new(Arc::new(config), PROVIDER, rng).unwrap(),
            is_gateway,
            deny,
            child: child_config(aggfrag),
            asks: 0,
            rounds: BTreeMap::new(),
            open: BTreeMap::new(),
            closed: BTreeSet::new(),
        }
    }

    fn drain(&mut self, now: Instant, wire: &mut Vec<Datagram>) {
        while let Some((sa, event)) = self.endpoint.poll_event() {
            assert!(!self.closed.contains(&sa), "an event after Closed");
            match event {
                Event::Ask(ask) => self.answer(now, sa, ask),
                Event::Closed(_) => {
                    self.closed.insert(sa);
                    self.open.remove(&sa);
                }
                Event::Established(_) => {
                    self.open.entry(sa).or_default();
                }
                Event::ChildEstablished { child, .. } => {
                    self.open.entry(sa).or_default().insert(child);
                }
                Event::ChildClosed { child, .. } => {
                    self.open.entry(sa).or_default().remove(&child);
                }
                _ => {}
            }
        }
        let mut payload = Vec::new();
        while let Some(transmit) = self.endpoint.poll_transmit(&mut payload) {
            let Path { local, remote } = transmit.path;
            wire.push(Datagram {
                to_gateway: !self.is_gateway,
                path: Path { local: remote, remote: local },
                payload: payload.clone(),
            });
        }
    }

    fn answer(&mut self, now: Instant, sa: SaId, ask: Ask) {
        // Now and then the embedder says no.
        self.asks = self.asks.wrapping_add(1);
        let deny = self.deny != 0 && self.asks.is_multiple_of(self.deny);
        macro_rules! answer {
            ($ticket:expr, $answer:expr) => {{
                let answer = if deny { Err(Deny::because("chance")) } else { Ok($answer) };
                self.endpoint.answer(now, $ticket, answer).expect("a fresh ticket is not stale")
            }};
        }
        match ask {
            Ask::Accept { ticket, .. } => answer!(ticket, Acceptance::Proceed),
            Ask::SelectPeer { ticket, wants_eap, .. } => {
                let remote = if wants_eap { RemoteAuth::Eap } else { RemoteAuth::SharedSecret };
                let id = Identity::fqdn("gw.lab.test");
                let peer = PeerConfig::new(id, LocalAuth::SharedSecret, remote);
                answer!(ticket, Arc::new(peer));
            }
            Ask::SharedSecret { ticket, .. } => answer!(ticket, Secret::copy_from(b"secret")),
            Ask::Eap { ticket, message, .. } => {
                let msk = Some(Secret::copy_from(&[9; 64]));
                let round = self.rounds.entry(sa).or_insert(0);
                *round = round.wrapping_add(1);
                let success = message.as_ref().is_some_and(|message| message[0] == 3);
                let reply = match (self.is_gateway, success, *round) {
                    (false, true, _) => EapReply::Success { message: Vec::new(), msk },
                    (false, false, _) => EapReply::Continue(vec![2, 1, 0, 4]),
                    (true, _, 1..3) => EapReply::Continue(vec![1, 1, 0, 4]),
                    (true, _, _) => EapReply::Success { message: vec![3, 1, 0, 4], msk },
                };
                answer!(ticket, reply);
            }
            Ask::Admit { ticket, .. } => {
                let child = Ok(self.child.clone());
                answer!(ticket, Admission { configuration: None, child });
            }
            Ask::Install { ticket, .. } => answer!(ticket, Installed),
            // Nobody has certificates here; left alone, the ask is denied at its deadline.
            _ => {}
        }
    }

    fn timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        assert!(self.endpoint.poll_timeout().is_none_or(|at| at > now), "a deadline survived");
    }
}

/// Without USE_AGGFRAG, or with each of its flags, required or not.
fn child_config(aggfrag: u8) -> ChildConfig {
    let ours = Aggfrag { dont_fragment: aggfrag & 2 != 0, congestion_control: aggfrag & 4 != 0 };
    let policy =
        AggfragPolicy { required: aggfrag & 8 != 0, ours, reports_congestion: aggfrag & 2 == 0 };
    ChildConfig { aggfrag: (aggfrag & 1 != 0).then_some(policy), ..ChildConfig::remote_access() }
}

fuzz_target!(|input: &[u8]| {
    let mut input = Unstructured::new(input);
    let (Ok(seed), Ok(deny)) = (input.arbitrary::<u8>(), input.arbitrary::<u8>()) else { return };
    let Ok(aggfrag) = input.arbitrary::<u8>() else { return };
    let mut sides = [
        Side::new(false, u64::from(seed), deny % 16, aggfrag % 16),
        Side::new(true, u64::from(seed) + 1000, deny / 16, aggfrag / 16),
    ];
    let (client, gateway): (SocketAddr, SocketAddr) =
        ("10.0.0.2:500".parse().unwrap(), "10.0.0.1:500".parse().unwrap());
    let path = Path { local: client, remote: gateway };
    let mut now = Instant::default();
    let mut wire: Vec<Datagram> = Vec::new();

    for _ in 0..400 {
        let Ok(step) = Step::arbitrary(&mut input) else { break };
        if input.is_empty() {
            break;
        }
        match step {
            Step::Deliver | Step::Bend { .. } if !wire.is_empty() => {
                let mut datagram = wire.remove(0);
                if let Step::Bend { at, by } = step {
                    let at = usize::from(at) % datagram.payload.len();
                    datagram.payload[at] ^= by;
                }
                let side = &mut sides[usize::from(datagram.to_gateway)];
                side.endpoint.handle_datagram(now, datagram.path, &mut datagram.payload);
            }
            Step::Repeat if !wire.is_empty() => {
                let mut payload = wire[0].payload.clone();
                let side = &mut sides[usize::from(wire[0].to_gateway)];
                side.endpoint.handle_datagram(now, wire[0].path, &mut payload);
            }
            Step::Lose if !wire.is_empty() => drop(wire.remove(0)),
            Step::Delay if !wire.is_empty() => wire.rotate_left(1),
            Step::Inject { to_gateway, marked, datagram } => {
                let (mut local, remote) =
                    if to_gateway { (gateway, client) } else { (client, gateway) };
                if marked {
                    local.set_port(4500);
                }
                let mut datagram = datagram.to_vec();
                let endpoint = &mut sides[usize::from(to_gateway)].endpoint;
                endpoint.handle_datagram(now, Path { local, remote }, &mut datagram);
            }
            Step::Wait { millis } => {
                now = now + Duration::from_millis(u64::from(millis) * 4);
                sides.iter_mut().for_each(|side| side.timeout(now));
            }
            Step::Connect { eap } => {
                let auth = if eap { LocalAuth::Eap } else { LocalAuth::SharedSecret };
                let id = Identity::email("alice@lab.test");
                let peer = PeerConfig {
                    child: Some(child_config(aggfrag % 16)),
                    ..PeerConfig::new(id, auth, RemoteAuth::SharedSecret)
                };
                sides[0].endpoint.connect(now, path, Arc::new(peer)).unwrap();
            }
            Step::Delete { gateway }
            | Step::Abandon { gateway }
            | Step::RekeyIke { gateway }
            | Step::RekeyChild { gateway }
            | Step::CreateChild { gateway }
            | Step::DeleteChild { gateway }
            | Step::CheckLiveness { gateway } => {
                let side = &mut sides[usize::from(gateway)];
                let Some((sa, children)) = side.open.iter().next() else { continue };
                let (sa, child) = (*sa, children.first().copied());
                let endpoint = &mut side.endpoint;
                // A command may come when the SA is about to go, and is then refused.
                let _ = match (step, child) {
                    (Step::Delete { .. }, _) => endpoint.delete(now, sa),
                    (Step::Abandon { .. }, _) => endpoint.abandon(now, sa),
                    (Step::RekeyIke { .. }, _) => endpoint.rekey_ike(now, sa),
                    (Step::RekeyChild { .. }, Some(child)) => endpoint.rekey_child(now, sa, child),
                    (Step::DeleteChild { .. }, Some(child)) => {
                        endpoint.delete_child(now, sa, child)
                    }
                    (Step::CreateChild { .. }, _) => {
                        endpoint.create_child(now, sa, child_config(aggfrag / 16))
                    }
                    _ => endpoint.check_liveness(now, sa),
                };
            }
            _ => {}
        }
        sides.iter_mut().for_each(|side| side.drain(now, &mut wire));
        wire.truncate(256);
    }

    // Now nothing gets through any more, so both ends have to come to an end by themselves.
    for _ in 0..10_000 {
        let next = sides.iter().filter_map(|side| side.endpoint.poll_timeout()).min();
        let Some(next) = next else { break };
        now = now.max(next);
        for side in &mut sides {
            side.timeout(now);
            side.drain(now, &mut wire);
        }
        wire.clear();
    }
    for side in &sides {
        assert!(side.endpoint.is_empty(), "{} SAs are left", side.endpoint.len());
        assert!(side.open.is_empty());
        assert_eq!(side.endpoint.half_open(), 0);
    }
});
