//! Two threads that receive, beside one.

use std::cell::RefCell;
use std::hint::spin_loop;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use adit_esp::batch::{OpenFrame, SharedInbound};
use adit_esp::{NextHeader, Outbound};
use adit_platform::aead::AeadKey;
use adit_platform::{Provider, Suite};

use crate::esp::{self, BATCH, Sa, inner_packet};
use crate::{Case, Pair};

/// Batches that each thread opens in one call: enough to hide what it costs to start both.
const BATCHES: usize = 16;
const PACKETS: usize = BATCHES * BATCH;

/// What two threads have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Common {
    /// The SA that both receive on.
    Sa,
    /// Nothing: each has an SA of its own.
    Nothing,
    /// Nothing, and neither has an SA: they open the same packets with the bare AEAD. What this shows is the
    /// machine's, whose cores may have less than two of everything, at the moment at which it is measured.
    Machine,
}

/// Two threads that open packets of `len` bytes in batches, beside one thread that opens half as many. The cost
/// is wall time by the packet, so that two threads that do not hinder each other have half of one's: a
/// ratio of 0.5.
pub fn receive(
    provider: &'static Provider,
    suite: Suite,
    len: usize,
    common: Common,
) -> Pair<'static> {
    let receiver = |sa: Option<&Arc<SharedInbound>>, runs, run| {
        let ends = match (common, sa) {
            (Common::Machine, _) => Ends::Bare(aead_key(provider, suite)),
            (_, sa) => Ends::Sa(sa.map_or_else(|| shared_sa(provider, suite), Arc::clone)),
        };
        Receiver::new(provider, suite, len, ends, runs, run)
    };
    let (mine, other) = match common {
        Common::Sa => {
            let sa = shared_sa(provider, suite);
            (receiver(Some(&sa), 2, 0), receiver(Some(&sa), 2, 1))
        }
        Common::Nothing | Common::Machine => (receiver(None, 1, 0), receiver(None, 1, 0)),
    };
    let other = Rc::new(Second::start(other));
    let mine = Rc::new(RefCell::new(mine));
    let (to_prepare, also) = (Rc::clone(&mine), Rc::clone(&other));
    let alone = Rc::new(RefCell::new(receiver(None, 1, 0)));
    let alone_to_prepare = Rc::clone(&alone);
    Pair {
        ours: Case::new(2 * PACKETS, move || {
            other.begin(RECEIVE);
            let bytes = mine.borrow_mut().receive();
            other.wait();
            bytes
        })
        .prepared_by(move || {
            also.begin(PREPARE);
            to_prepare.borrow_mut().prepare();
            also.wait();
        }),
        baseline: Some(
            Case::new(PACKETS, move || alone.borrow_mut().receive())
                .prepared_by(move || alone_to_prepare.borrow_mut().prepare()),
        ),
    }
}

fn shared_sa(provider: &Provider, suite: Suite) -> Arc<SharedInbound> {
    Arc::new(SharedInbound::new(esp::sa(provider, suite).inbound))
}

fn aead_key(provider: &Provider, suite: Suite) -> Box<dyn AeadKey> {
    let Suite::Aead(algorithm) = suite else { panic!("{suite:?} is no AEAD that sends its IV") };
    let aead = provider.aead(algorithm).expect("the provider runs the suite");
    aead.key(&[7; 32][..algorithm.key_len()]).expect("its length")
}

/// One thread's packets, and what it opens them with.
struct Receiver {
    ends: Ends,
    outbound: Option<Outbound>,
    packets: Vec<Vec<u8>>,
    len: usize,
    /// Of how many runs of sequence numbers this is which.
    runs: u64,
    run: u64,
}

enum Ends {
    Sa(Arc<SharedInbound>),
    /// Seals and opens what lies behind the header, all of it with one nonce: that costs the same.
    Bare(Box<dyn AeadKey>),
}

const NONCE: [u8; 12] = [7; 12];
const AAD: [u8; 12] = [5; 12];

impl Receiver {
    fn new(provider: &Provider, suite: Suite, len: usize, ends: Ends, runs: u64, run: u64) -> Self {
        let Sa { outbound, .. } = esp::sa(provider, suite);
        let room = outbound.headroom() + len + outbound.tailroom(len);
        let packets = vec![vec![0; room]; PACKETS];
        Self { ends, outbound: Some(outbound), packets, len, runs, run }
    }

    /// Seals the next packets: here, so that they lie in this core's cache.
    fn prepare(&mut self) {
        let outbound = self.outbound.take().expect("put back below");
        let mut outbound = outbound.dangerous_resume_after(self.run * PACKETS as u64);
        self.run += self.runs;
        let at = outbound.headroom();
        let inner = inner_packet(self.len);
        for packet in &mut self.packets {
            packet[at..at + self.len].copy_from_slice(&inner);
            match &self.ends {
                Ends::Sa(_) => {
                    let sealed = outbound.seal(packet, at..at + self.len, NextHeader::IPV4);
                    assert_eq!(sealed.expect("room is left"), 0..packet.len());
                }
                Ends::Bare(key) => key.seal(&NONCE, &AAD, &mut packet[at..]).expect("room is left"),
            }
        }
        self.outbound = Some(outbound);
    }

    fn receive(&mut self) -> usize {
        let mut bytes = 0;
        for batch in self.packets.as_chunks_mut::<BATCH>().0 {
            match &self.ends {
                Ends::Sa(inbound) => {
                    let mut frames = batch.each_mut().map(|packet| OpenFrame::new(packet));
                    inbound.open_batch(&mut frames);
                    for frame in &frames {
                        bytes += frame.payload().expect("a fresh packet").len();
                    }
                }
                Ends::Bare(key) => {
                    for packet in batch {
                        key.open(&NONCE, &AAD, &mut packet[16..]).expect("it was sealed so");
                        bytes += packet.len();
                    }
                }
            }
        }
        bytes
    }
}

const IDLE: usize = 0;
const PREPARE: usize = 1;
const RECEIVE: usize = 2;
const END: usize = 3;

/// The second thread, which spins until there is something to do.
struct Second {
    order: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Second {
    #[expect(clippy::disallowed_methods, reason = "threads are what is measured")]
    fn start(mut receiver: Receiver) -> Self {
        let order = Arc::new(AtomicUsize::new(IDLE));
        let orders = Arc::clone(&order);
        let thread = std::thread::spawn(move || {
            loop {
                match orders.load(Ordering::Acquire) {
                    PREPARE => receiver.prepare(),
                    RECEIVE => {
                        std::hint::black_box(receiver.receive());
                    }
                    END => return,
                    _ => {
                        spin_loop();
                        continue;
                    }
                }
                orders.store(IDLE, Ordering::Release);
            }
        });
        Self { order, thread: Some(thread) }
    }

    fn begin(&self, order: usize) {
        self.order.store(order, Ordering::Release);
    }

    /// A thread that died would be waited for without end: its panic is passed on.
    fn wait(&self) {
        while self.order.load(Ordering::Acquire) != IDLE {
            let ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
            assert!(!ended, "the second thread is there");
            spin_loop();
        }
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        self.begin(END);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
