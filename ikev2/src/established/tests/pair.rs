//! Two ends of an established IKE SA that exchange payloads through queues, without channel or network.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::time::Duration;

use adit_platform::aead::AeadAlgorithm;
use adit_platform::kex::KexAlgorithm;
use adit_platform::prf::PrfAlgorithm;
use adit_platform::rng::RngError;
use adit_platform::{Instant, Provider, Rng, Secret, Suite};

use crate::channel::Spis;
use crate::child::{ChildId, ChildSa, Mode};
use crate::config::{ChildConfig, Lifetime};
use crate::error::{Denied, Error};
use crate::established::{Command, Established, Host, Output, Policy};
use crate::event::{CloseReason, Event};
use crate::keys::{IkeKeys, Nonces};
use crate::negotiate::{EspProposal, IkeProposal, SequenceNumbers};
use crate::wire::{ExchangeType, IkeSpi, PayloadType, Payloads, TrafficSelector};

/// A reproducible source of bytes (xorshift64*).
pub(super) struct TestRng(u64);

impl TestRng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }
}

impl Rng for TestRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// What an endpoint would lend; counts what is set aside and not given back.
pub(super) struct TestHost {
    provider: Provider,
    rng: TestRng,
    pub(super) child_spis: BTreeSet<u32>,
    pub(super) ike_spis: BTreeSet<IkeSpi>,
}

impl Host for TestHost {
    fn provider(&self) -> &Provider {
        &self.provider
    }
    fn rng(&mut self) -> &mut dyn Rng {
        &mut self.rng
    }
    fn new_ike_spi(&mut self) -> Result<IkeSpi, RngError> {
        let spi = IkeSpi(self.rng.next().to_be_bytes());
        self.ike_spis.insert(spi);
        Ok(spi)
    }
    fn release_ike_spi(&mut self, spi: IkeSpi) {
        assert!(self.ike_spis.remove(&spi), "released twice");
    }
    fn new_child_spi(&mut self) -> Result<u32, RngError> {
        let spi = self.rng.next() as u32 | 0x100;
        self.child_spis.insert(spi);
        Ok(spi)
    }
    fn release_child_spi(&mut self, spi: u32) {
        assert!(self.child_spis.remove(&spi), "released twice");
    }
    fn key_log(&self) -> bool {
        true
    }
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// The receiver's SPI of the IKE SA.
    to: IkeSpi,
    /// How often it came to an end that did not know that IKE SA.
    in_vain: u8,
    pub(super) exchange: ExchangeType,
    pub(super) is_response: bool,
    first: PayloadType,
    bytes: Vec<u8>,
}

impl Packet {
    pub(super) fn payloads(&self) -> Payloads<'_> {
        Payloads::parse(self.first, &self.bytes).expect("what we send can be read")
    }

    pub(super) fn replace(&mut self, payloads: &Payloads<'_>) {
        self.bytes.clear();
        self.first = payloads.encode(&mut self.bytes).unwrap();
    }
}

/// One end, with the embedder's view of it.
pub(super) struct End {
    pub(super) machine: Established,
    pub(super) host: TestHost,
    /// The peer's SPI of each of our IKE SAs, and the exchange of the request in progress on it.
    peers: BTreeMap<IkeSpi, IkeSpi>,
    in_progress: BTreeMap<IkeSpi, ExchangeType>,
    retired: BTreeSet<IkeSpi>,
    pub(super) outbox: Vec<Packet>,
    pub(super) events: Vec<Event>,
    pub(super) key_log: Vec<alloc::string::String>,
    /// Children as installed.
    pub(super) installed: BTreeMap<u32, ChildSa>,
    /// The children that the embedder would send through.
    pub(super) sending: BTreeSet<ChildId>,
    /// Whether the embedder refuses to install children.
    pub(super) refuse_install: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    A,
    B,
}

impl Side {
    pub(super) fn other(self) -> Self {
        if self == Self::A { Self::B } else { Self::A }
    }
}

pub(super) use Side::{A, B};

pub(super) struct Pair {
    pub(super) now: Instant,
    a: End,
    b: End,
}

pub(super) const FIRST_CHILD: ChildId = ChildId(0);

fn net(c: u8) -> TrafficSelector {
    TrafficSelector::subnet(Ipv4Addr::new(10, 0, c, 0).into(), 24).unwrap()
}

/// A's configuration of children; B's is the same with the ends exchanged.
pub(super) fn child_config() -> ChildConfig {
    ChildConfig {
        proposals: vec![EspProposal {
            suites: vec![Suite::Aead(AeadAlgorithm::Aes128Gcm16)],
            key_exchanges: vec![KexAlgorithm::X25519, KexAlgorithm::P256],
            require_key_exchange: false,
            sequence_numbers: SequenceNumbers::ExtendedOrShort,
        }],
        local: vec![net(1)],
        remote: vec![net(2)],
        mode: Mode::Tunnel,
        aggfrag: None,
        lifetime: Lifetime::unlimited(),
    }
}

pub(super) fn mirrored(config: &ChildConfig) -> ChildConfig {
    ChildConfig { local: config.remote.clone(), remote: config.local.clone(), ..config.clone() }
}

pub(super) fn ike_proposal() -> IkeProposal {
    IkeProposal {
        suites: vec![Suite::Aead(AeadAlgorithm::Aes128Gcm16)],
        prfs: vec![PrfAlgorithm::HmacSha2_256],
        key_exchanges: vec![KexAlgorithm::X25519, KexAlgorithm::P256],
    }
}

/// How the two ends are set up.
pub(super) struct Setup {
    pub(super) provider: Provider,
    pub(super) seed: u64,
    pub(super) a_child: ChildConfig,
    pub(super) b_child: ChildConfig,
    pub(super) a_ike: IkeProposal,
    pub(super) b_ike: IkeProposal,
    pub(super) ike_lifetime: Lifetime,
}

impl Setup {
    pub(super) fn new(provider: Provider, seed: u64) -> Self {
        Self {
            provider,
            seed,
            a_child: child_config(),
            b_child: mirrored(&child_config()),
            a_ike: ike_proposal(),
            b_ike: ike_proposal(),
            ike_lifetime: Lifetime::unlimited(),
        }
    }

    pub(super) fn pair(&self) -> Pair {
        let spis = (IkeSpi(*b"initiatr"), IkeSpi(*b"respondr"));
        let now = Instant::from_origin(Duration::from_secs(1000));
        let end = |initiator: bool| {
            let (config, peers_config, ike) = if initiator {
                (&self.a_child, &self.b_child, &self.a_ike)
            } else {
                (&self.b_child, &self.a_child, &self.b_ike)
            };
            let keys = IkeKeys::initial(
                &self.provider,
                PrfAlgorithm::HmacSha2_256,
                Suite::Aead(AeadAlgorithm::Aes128Gcm16),
                &Secret::copy_from(&[7; 32]),
                Nonces { initiator: &[1; 32], responder: &[2; 32] },
                spis,
            )
            .unwrap();
            let mut host = TestHost {
                provider: self.provider,
                rng: TestRng::new(self.seed * 2 + u64::from(initiator)),
                child_spis: BTreeSet::new(),
                ike_spis: BTreeSet::new(),
            };
            let policy = Policy {
                ike_proposals: vec![ike.clone()],
                ike_lifetime: self.ike_lifetime,
                child: Some(config.clone().into()),
                udp_encapsulation: false,
            };
            let (initiator_spi, responder_spi) = spis;
            let spis = Spis {
                initiator: initiator_spi,
                responder: responder_spi,
                we_initiated: initiator,
            };
            let (local, remote) = if initiator {
                (initiator_spi, responder_spi)
            } else {
                (responder_spi, initiator_spi)
            };
            host.ike_spis.insert(local);
            let mut machine =
                Established::new(now, &mut host, policy, spis, keys.into_sk_d()).unwrap();
            let (spi_in, spi_out) = if initiator { (0xa1, 0xb1) } else { (0xb1, 0xa1) };
            host.child_spis.insert(spi_in);
            let child = ChildSa {
                id: machine.next_child_id(),
                spi_in,
                spi_out,
                suite: Suite::Aead(AeadAlgorithm::Aes128Gcm16),
                esn: true,
                mode: config.mode,
                aggfrag: None,
                local: config.local.clone(),
                remote: peers_config.local.clone(),
                keymat_in: Secret::copy_from(&[u8::from(initiator); 20]),
                keymat_out: Secret::copy_from(&[u8::from(!initiator); 20]),
                udp_encapsulation: false,
                replaces: None,
                lifetime: config.lifetime,
            };
            machine.add_child(now, &mut host, &child, config.clone().into()).unwrap();
            End {
                machine,
                host,
                peers: [(local, remote)].into(),
                in_progress: BTreeMap::new(),
                retired: BTreeSet::new(),
                outbox: Vec::new(),
                events: Vec::new(),
                key_log: Vec::new(),
                sending: [child.id].into(),
                installed: [(spi_in, child)].into(),
                refuse_install: false,
            }
        };
        Pair { now, a: end(true), b: end(false) }
    }
}

impl Pair {
    pub(super) fn end(&mut self, side: Side) -> &mut End {
        if side == A { &mut self.a } else { &mut self.b }
    }

    pub(super) fn command(&mut self, side: Side, command: Command) {
        let now = self.now;
        let end = self.end(side);
        end.machine.start(now, &mut end.host, command);
        end.drain(now);
    }

    /// How many messages `side` has on their way.
    pub(super) fn waiting(&mut self, side: Side) -> usize {
        self.end(side).outbox.len()
    }

    /// Delivers the oldest message that `side` sent.
    pub(super) fn deliver(&mut self, side: Side) {
        self.deliver_nth(side, 0);
    }

    /// Delivers a message that `side` sent, whichever is `index`th.
    pub(super) fn deliver_nth(&mut self, side: Side, index: usize) {
        let packet = self.end(side).outbox.remove(index);
        self.deliver_packet(side.other(), packet);
    }

    pub(super) fn deliver_packet(&mut self, to: Side, packet: Packet) {
        let now = self.now;
        let end = self.end(to);
        if !end.peers.contains_key(&packet.to) {
            // The response that creates the IKE SA may still be on its way: sent again, until given up.
            if packet.in_vain < 10 && !end.retired.contains(&packet.to) {
                let in_vain = packet.in_vain + 1;
                self.end(to.other()).outbox.push(Packet { in_vain, ..packet });
            } else if !packet.is_response {
                self.give_up(to.other(), packet.to);
            }
            return;
        }
        let payloads = packet.payloads();
        if packet.is_response {
            end.machine.handle_response(now, &mut end.host, packet.to, Ok(&payloads));
        } else {
            assert!(
                end.in_progress.insert(packet.to, packet.exchange).is_none(),
                "a second request before the first was answered"
            );
            end.machine.handle_request(now, &mut end.host, packet.to, packet.exchange, &payloads);
        }
        end.drain(now);
    }

    /// `side` has retransmitted to `peer_spi` in vain.
    pub(super) fn give_up(&mut self, side: Side, peer_spi: IkeSpi) {
        let now = self.now;
        let end = self.end(side);
        let ours = end.peers.iter().find(|(_, peer)| **peer == peer_spi).map(|(ours, _)| *ours);
        if let Some(ours) = ours {
            let error = Error::TimedOut(crate::error::TimedOut::Request);
            end.machine.handle_request_failed(now, &mut end.host, ours, error);
            end.drain(now);
        }
    }

    /// Delivers everything, in turns, until nothing is on its way.
    pub(super) fn run(&mut self) {
        for _ in 0..200 {
            if self.waiting(A) > 0 {
                self.deliver(A);
            } else if self.waiting(B) > 0 {
                self.deliver(B);
            } else {
                return;
            }
        }
        panic!("the two ends never come to rest");
    }

    /// Moves time to the next deadline of either end, if there is one within `limit`, and runs.
    pub(super) fn advance(&mut self, limit: Duration) -> bool {
        let deadlines =
            [self.a.machine.poll_timeout(), self.b.machine.poll_timeout()].into_iter().flatten();
        let Some(next) = deadlines.min().filter(|next| *next <= self.now + limit) else {
            return false;
        };
        self.now = self.now.max(next);
        for side in [A, B] {
            let now = self.now;
            let end = self.end(side);
            end.machine.handle_timeout(now, &mut end.host);
            assert!(
                end.machine.poll_timeout().is_none_or(|at| at > now),
                "a deadline survived being handled"
            );
            end.drain(now);
        }
        self.run();
        true
    }

    /// Lets `duration` pass.
    pub(super) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end && self.advance(end - self.now) {}
        self.now = end;
    }

    /// Checks that both ends agree on everything: to be called when nothing is on its way.
    #[track_caller]
    pub(super) fn assert_agreement(&mut self, ike_sas: usize, children: usize) {
        assert_eq!((self.waiting(A), self.waiting(B)), (0, 0), "messages are on their way");
        for side in [A, B] {
            let (now, end) = (self.now, self.end(side));
            assert_eq!(end.machine.sas.len(), ike_sas, "IKE SAs of {side:?} at {now:?}");
            assert_eq!(end.installed.len(), children, "children of {side:?}");
            assert!(end.machine.sas.iter().all(|sa| sa.outstanding.is_none()));
            assert!(end.machine.installing.is_empty());
            if !end.machine.is_closed() {
                assert_eq!(end.machine.children.len(), children, "table of {side:?}");
                assert_eq!(end.sending.len(), children, "children that {side:?} sends through");
                let spis: BTreeSet<u32> = end.installed.keys().copied().collect();
                assert_eq!(end.host.child_spis, spis, "SPIs of {side:?}");
                let local: BTreeSet<_> = end.peers.keys().copied().collect();
                assert_eq!(end.host.ike_spis, local, "IKE SPIs of {side:?}");
            }
            assert!(end.in_progress.is_empty(), "{side:?} owes a response");
        }
        for (ours, theirs) in &self.a.peers {
            assert_eq!(self.b.peers.get(theirs), Some(ours));
        }
        assert_eq!(
            self.a.machine.current().and_then(|spi| self.a.peers.get(&spi).copied()),
            self.b.machine.current(),
            "both send through the same IKE SA"
        );
        for (spi, child) in &self.a.installed {
            let peer = self.b.installed.get(&child.spi_out).expect("the other half");
            assert_eq!(peer.spi_out, *spi);
            assert_eq!((&peer.keymat_in, &peer.keymat_out), (&child.keymat_out, &child.keymat_in));
            assert_eq!((&peer.local, &peer.remote), (&child.remote, &child.local));
            assert_eq!((peer.suite, peer.esn, peer.mode), (child.suite, child.esn, child.mode));
            assert_eq!(peer.aggfrag.is_some(), child.aggfrag.is_some());
        }
        // A line begins with the SPIs; one end may not have heard of an IKE SA that lost a collision.
        let spis = |line: &str| line.split(',').take(2).collect::<Vec<_>>().join(",");
        for ours in &self.a.key_log {
            for theirs in self.b.key_log.iter().filter(|theirs| spis(theirs) == spis(ours)) {
                assert_eq!(ours, theirs, "both ends derived the same keys");
            }
        }
    }

    pub(super) fn closed(&mut self, side: Side) -> Option<CloseReason> {
        self.end(side).events.iter().find_map(|event| match event {
            Event::Closed(reason) => Some(reason.clone()),
            _ => None,
        })
    }
}

impl End {
    /// Does what the machine says, as an endpoint and an embedder would.
    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Request { sa, exchange, payloads } => {
                    self.post(sa, exchange, false, &payloads);
                }
                Output::Respond { sa, payloads } => {
                    let exchange = self.in_progress.remove(&sa).expect("a request in progress");
                    self.post(sa, exchange, true, &payloads);
                }
                Output::NewIkeSa { spis, key_log, .. } => {
                    let (local, remote) = if spis.we_initiated {
                        (spis.initiator, spis.responder)
                    } else {
                        (spis.responder, spis.initiator)
                    };
                    assert_eq!(local, spis.local());
                    assert!(self.peers.insert(local, remote).is_none());
                    self.key_log.extend(key_log);
                }
                Output::Retire { sa } => {
                    assert!(self.peers.remove(&sa).is_some(), "retired twice");
                    self.in_progress.remove(&sa);
                    self.retired.insert(sa);
                    self.host.release_ike_spi(sa);
                }
                Output::Install(child) => {
                    let id = child.id;
                    let result = if self.refuse_install {
                        Err(Error::Denied(Denied::ByDeadline("Install")))
                    } else {
                        assert!(self.installed.insert(child.spi_in, child).is_none());
                        Ok(())
                    };
                    self.machine.installed(now, &mut self.host, id, result);
                }
                Output::Event(event) => self.note(event),
            }
        }
    }

    fn note(&mut self, event: Event) {
        assert!(
            !self.events.iter().any(|event| matches!(event, Event::Closed(_))),
            "{event:?} after the end"
        );
        match &event {
            Event::ChildEstablished { child, replaces } => {
                assert!(self.installed.values().any(|known| known.id == *child));
                if let Some(old) = replaces {
                    self.sending.remove(old);
                }
                assert!(self.sending.insert(*child), "{child:?} established twice");
            }
            Event::ChildClosed { child, .. } => {
                self.sending.remove(child);
                self.installed.retain(|_, known| known.id != *child);
            }
            _ => {}
        }
        self.events.push(event);
    }

    fn post(
        &mut self,
        sa: IkeSpi,
        exchange: ExchangeType,
        is_response: bool,
        payloads: &Payloads<'_>,
    ) {
        let to = *self.peers.get(&sa).expect("an open IKE SA");
        let mut bytes = Vec::new();
        let first = payloads.encode(&mut bytes).unwrap();
        self.outbox.push(Packet { to, in_vain: 0, exchange, is_response, first, bytes });
    }
}
