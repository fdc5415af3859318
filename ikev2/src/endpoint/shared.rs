//! What all SAs of an endpoint share: randomness, SPIs, the queues to the embedder.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;

use adit_platform::hash::Hash;
use adit_platform::{Instant, Provider, Rng};

use super::spis::SpiTable;
use super::strangers::Strangers;
use crate::ask::{Answer, Ask, Ticket, sealed::Sealed};
use crate::channel::Sent;
use crate::config::EndpointConfig;
use crate::event::Event;
use crate::path::{Path, SaId};

/// See the [module](self).
pub(crate) struct Shared {
    pub(crate) config: Arc<EndpointConfig>,
    pub(crate) provider: Provider,
    pub(crate) sha1: &'static dyn Hash,
    pub(crate) rng: Box<dyn Rng>,
    pub(crate) spis: SpiTable,
    pub(super) strangers: Strangers,
    pub(super) transmits: VecDeque<Outgoing>,
    pub(super) events: VecDeque<(SaId, Event)>,
    next_serial: u64,
    pub(crate) key_log: bool,
}

/// Datagrams on their way out.
pub(super) struct Outgoing {
    pub(super) path: Path,
    pub(super) content: Content,
}

pub(super) enum Content {
    /// One datagram of an IKE message.
    Ike(Sent, usize),
    Keepalive,
}

/// An ask that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenAsk {
    pub(crate) serial: u64,
    pub(crate) deadline: Instant,
    pub(crate) name: &'static str,
}

impl Shared {
    pub(super) fn new(
        config: Arc<EndpointConfig>,
        provider: Provider,
        sha1: &'static dyn Hash,
        rng: Box<dyn Rng>,
        first_serial: u64,
    ) -> Self {
        Self {
            spis: SpiTable::new(config.shard),
            config,
            provider,
            sha1,
            rng,
            strangers: Strangers::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            next_serial: first_serial,
            key_log: false,
        }
    }

    /// Queues all datagrams of a message.
    pub(crate) fn send(&mut self, path: Path, sent: &Sent) {
        for index in 0..sent.len() {
            let content = Content::Ike(sent.clone(), index);
            self.transmits.push_back(Outgoing { path, content });
        }
    }

    pub(crate) fn send_keepalive(&mut self, path: Path) {
        self.transmits.push_back(Outgoing { path, content: Content::Keepalive });
    }

    pub(crate) fn emit(&mut self, sa: SaId, event: Event) {
        self.events.push_back((sa, event));
    }

    /// Raises an ask.
    pub(crate) fn ask<A: Answer>(
        &mut self,
        now: Instant,
        sa: SaId,
        ask: impl FnOnce(Ticket<A>) -> Ask,
    ) -> OpenAsk {
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        let deadline = now + self.config.ask_timeout;
        self.emit(sa, Event::Ask(ask(Ticket::new(sa, serial, deadline))));
        OpenAsk { serial, deadline, name: <A as Sealed>::NAME }
    }
}
