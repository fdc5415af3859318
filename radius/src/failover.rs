//! Which server to ask: the first of the list that is not known to be down.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use adit_platform::Instant;

use crate::client::ServerId;
use crate::config::ServerConfig;

/// A server, what is known about it, and the Identifiers that are free with it.
pub(crate) struct Server {
    pub(crate) config: ServerConfig,
    /// When the last verified reply of it came.
    last_reply: Option<Instant>,
    /// Down, and to be tried again at this time.
    down_until: Option<Instant>,
    /// Identifier slots: source port * 256 + Identifier. The longest unused comes first, so that a late
    /// reply to an old request finds its Identifier unused as long as possible.
    free: VecDeque<u32>,
    used: Vec<Option<u64>>,
}

impl Server {
    pub(crate) fn new(config: ServerConfig, source_ports: u16) -> Self {
        let slots = u32::from(source_ports) * 256;
        Self {
            config,
            last_reply: None,
            down_until: None,
            free: (0..slots).collect(),
            used: (0..slots).map(|_| None).collect(),
        }
    }

    /// Reserves an Identifier for `request`: its slot.
    pub(crate) fn take_slot(&mut self, request: u64) -> Option<u32> {
        let slot = self.free.pop_front()?;
        *self.used.get_mut(slot as usize)? = Some(request);
        Some(slot)
    }

    pub(crate) fn free_slot(&mut self, slot: u32) {
        if self.used.get_mut(slot as usize).and_then(Option::take).is_some() {
            self.free.push_back(slot);
        }
    }

    /// The request that waits for a reply in this slot.
    pub(crate) fn request(&self, source_port: u16, identifier: u8) -> Option<u64> {
        let slot = usize::from(source_port) * 256 + usize::from(identifier);
        self.used.get(slot).copied().flatten()
    }

    pub(crate) fn is_up(&self, now: Instant) -> bool {
        self.down_until.is_none_or(|until| now >= until)
    }

    /// A verified reply came: true if the server was down before.
    pub(crate) fn heard(&mut self, now: Instant) -> bool {
        self.last_reply = Some(now);
        self.down_until.take().is_some()
    }

    /// A request first sent at `since` failed: true if the server is down from now on and was not before.
    /// One that has answered another request meanwhile is slow with this one and not down.
    pub(crate) fn unanswered(&mut self, since: Instant, until: Instant) -> bool {
        if self.last_reply.is_some_and(|last| last >= since) {
            return false;
        }
        self.down_until.replace(until).is_none()
    }
}

/// The first server that is up and not in `tried`; if all of those are down, the first not in `tried`.
pub(crate) fn choose(servers: &[Server], tried: &[ServerId], now: Instant) -> Option<ServerId> {
    let untried = || {
        servers
            .iter()
            .enumerate()
            .map(|(index, server)| (ServerId(index), server))
            .filter(|(id, _)| !tried.contains(id))
    };
    let up = untried().find(|(_, server)| server.is_up(now));
    up.or_else(|| untried().next()).map(|(id, _)| id)
}

/// True if a server that is not in `tried` is up.
pub(crate) fn another_is_up(servers: &[Server], tried: &[ServerId], now: Instant) -> bool {
    servers
        .iter()
        .enumerate()
        .any(|(index, server)| !tried.contains(&ServerId(index)) && server.is_up(now))
}
