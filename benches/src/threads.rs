//! Two threads that receive, beside one.

use std::cell::RefCell;
use std::hint::spin_loop;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use adit_esp::batch::{OpenFrame, SharedInbound};
use adit_esp::{NextHeader, Outbound};
use adit_platform::{Provider, Suite};

use crate::esp::{self, BATCH, Sa, inner_packet};
use crate::{Case, Pair};

/// Batches that each thread opens in one call: enough to hide what it costs to start both.
const BATCHES: usize = 16;
const PACKETS: usize = BATCHES * BATCH;

/// Two threads that open packets of `len` bytes in batches, on one SA if it is `shared`, else on one each;
/// beside one thread that opens half as many. The cost is wall time by the packet, so that two threads
/// that do not hinder each other have half of one's: a ratio of 0.5.
pub fn receive(
    provider: &'static Provider,
    suite: Suite,
    len: usize,
    shared: bool,
) -> Pair<'static> {
    let sa = || Arc::new(SharedInbound::new(esp::sa(provider, suite).inbound));
    let both = sa();
    let mine = Arc::clone(&both);
    let other = Second::start(Receiver::new(
        provider,
        suite,
        len,
        if shared { both } else { sa() },
        if shared { 2 } else { 1 },
        1,
    ));
    let mine = Receiver::new(provider, suite, len, mine, if shared { 2 } else { 1 }, 0);
    let other = Rc::new(other);
    let mine = Rc::new(RefCell::new(mine));
    let (to_prepare, also) = (Rc::clone(&mine), Rc::clone(&other));
    let alone = Receiver::new(provider, suite, len, sa(), 1, 0);
    let alone = Rc::new(RefCell::new(alone));
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

/// One thread's packets, and the SA that it receives them on.
struct Receiver {
    inbound: Arc<SharedInbound>,
    outbound: Option<Outbound>,
    packets: Vec<Vec<u8>>,
    len: usize,
    /// Of how many runs of sequence numbers this is which.
    runs: u64,
    run: u64,
}

impl Receiver {
    fn new(
        provider: &Provider,
        suite: Suite,
        len: usize,
        inbound: Arc<SharedInbound>,
        runs: u64,
        run: u64,
    ) -> Self {
        let Sa { outbound, .. } = esp::sa(provider, suite);
        let room = outbound.headroom() + len + outbound.tailroom(len);
        let run = run % runs;
        let packets = vec![vec![0; room]; PACKETS];
        Self { inbound, outbound: Some(outbound), packets, len, runs, run }
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
            let sealed = outbound.seal(packet, at..at + self.len, NextHeader::IPV4);
            assert_eq!(sealed.expect("room is left"), 0..packet.len());
        }
        self.outbound = Some(outbound);
    }

    fn receive(&mut self) -> usize {
        let mut bytes = 0;
        for batch in self.packets.as_chunks_mut::<BATCH>().0 {
            let mut frames = batch.each_mut().map(|packet| OpenFrame::new(packet));
            self.inbound.open_batch(&mut frames);
            for frame in &frames {
                bytes += frame.payload().expect("a fresh packet").len();
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
