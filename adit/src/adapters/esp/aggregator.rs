//! The tunnels whose ESP packets carry AGGFRAG payloads: RFC 9347.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;

use adit_esp::iptfs::{
    CONGESTION_HEADER_LEN, CongestionControl, HEADER_LEN, Pace, Payload, Receiver, Sender,
    SenderConfig, SenderError,
};
use adit_esp::sad::ChildId;
use adit_esp::selector::Selectors;
use adit_esp::{Opened, Outbound, Spi};
use adit_ikev2::negotiate::Aggfrag;
use adit_platform::Instant;

use crate::aggregation::{Aggregation, AggregationStats};

/// Senders and receivers of AGGFRAG payloads, with their timers.
///
/// A tunnel has one sender, whichever of its SAs the payloads go into, and each inbound SA has a receiver, because
/// each counts for itself.
#[derive(Debug)]
pub(super) struct Aggregator {
    policy: Option<Aggregation>,
    now: Instant,
    outgoing: BTreeMap<ChildId, Outgoing>,
    incoming: BTreeMap<Spi, Incoming>,
    timers: BTreeSet<(Instant, Timer)>,
    /// Tunnels that have a payload to send.
    ready: VecDeque<ChildId>,
    packets: InnerPackets,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Timer {
    Send(ChildId),
    Receive(Spi),
}

/// How a tunnel sends.
#[derive(Debug)]
struct Outgoing {
    /// The tunnel's SAs that carry AGGFRAG payloads.
    agreed: Vec<Agreed>,
    /// None as long as the SA that sends carries plain packets.
    sending: Option<Sending>,
    /// Where either end controls congestion.
    control: Option<CongestionControl>,
    /// The inbound SA that it follows.
    followed: Option<Spi>,
    past: AggregationStats,
}

#[derive(Clone, Copy, Debug)]
struct Agreed {
    inbound: Spi,
    outbound: Spi,
    peer: Aggfrag,
}

#[derive(Debug)]
struct Sending {
    sender: Sender,
    /// The SA that payloads go into.
    spi: Spi,
    layout: Layout,
    /// Its place among the timers.
    due: Option<Instant>,
    is_ready: bool,
}

/// What payloads of a sender are like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Layout {
    payload_len: usize,
    fragment: bool,
    /// They have congestion information.
    congestion: bool,
}

#[derive(Debug)]
struct Incoming {
    tunnel: ChildId,
    receiver: Receiver,
    /// Its place among the timers.
    due: Option<Instant>,
}

impl Aggregator {
    pub(super) fn new(policy: Option<Aggregation>, now: Instant) -> Self {
        Self {
            policy,
            now,
            outgoing: BTreeMap::new(),
            incoming: BTreeMap::new(),
            timers: BTreeSet::new(),
            ready: VecDeque::new(),
            packets: InnerPackets::default(),
        }
    }

    pub(super) const fn is_configured(&self) -> bool {
        self.policy.is_some()
    }

    /// Whether a tunnel has SAs with AGGFRAG payloads at all.
    pub(super) fn knows(&self, id: ChildId) -> bool {
        self.outgoing.contains_key(&id)
    }

    /// A pair of SAs has come that carries AGGFRAG payloads. [`Self::fit`] follows.
    pub(super) fn install(
        &mut self,
        id: ChildId,
        (inbound, outbound): (Spi, Spi),
        peer: Aggfrag,
        selectors: &Selectors,
    ) {
        let Some(policy) = self.policy else { return };
        let receiver = Receiver::new()
            .with_reorder_window(policy.reorder_window)
            .with_patience(policy.patience)
            .with_selectors(selectors.clone());
        self.incoming.insert(inbound, Incoming { tunnel: id, receiver, due: None });
        let outgoing = self.outgoing.entry(id).or_insert_with(|| Outgoing {
            agreed: Vec::new(),
            sending: None,
            control: None,
            followed: None,
            past: AggregationStats::default(),
        });
        outgoing.agreed.push(Agreed { inbound, outbound, peer });
    }

    /// A pair of SAs is gone.
    pub(super) fn remove(&mut self, id: ChildId, inbound: Spi) {
        let Some(gone) = self.incoming.remove(&inbound) else { return };
        if let Some(due) = gone.due {
            self.timers.remove(&(due, Timer::Receive(inbound)));
        }
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        outgoing.past.received += gone.receiver.stats();
        outgoing.agreed.retain(|agreed| agreed.inbound != inbound);
    }

    /// A tunnel is gone.
    pub(super) fn remove_tunnel(&mut self, id: ChildId) {
        self.stop(id);
        self.outgoing.remove(&id);
    }

    /// A tunnel sends no AGGFRAG payloads from now on.
    fn stop(&mut self, id: ChildId) {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        let Some(sending) = outgoing.sending.take() else { return };
        outgoing.past.sent += sending.sender.stats();
        if let Some(due) = sending.due {
            self.timers.remove(&(due, Timer::Send(id)));
        }
        self.ready.retain(|ready| *ready != id);
    }

    /// Sees to it that what the tunnel sends fits its SA and its path, which carries `room` bytes in UDP to `remote`.
    /// Returns the longest inner packet that senders are to be told of, in bytes, or `None` if the SA carries plain
    /// packets.
    pub(super) fn fit(
        &mut self,
        now: Instant,
        id: ChildId,
        outbound: &Outbound,
        remote: IpAddr,
        room: usize,
    ) -> Option<usize> {
        let policy = self.policy?;
        let outgoing = self.outgoing.get_mut(&id)?;
        let spi = outbound.spi();
        let Some(&agreed) = outgoing.agreed.iter().find(|agreed| agreed.outbound == spi) else {
            self.stop(id);
            return None;
        };
        let headers = if remote.is_ipv4() { 20 + 8 } else { 40 + 8 };
        let room = room.min(policy.size.saturating_sub(headers));
        let congestion = policy.controls() || agreed.peer.congestion_control;
        let header_len = if congestion { CONGESTION_HEADER_LEN } else { HEADER_LEN };
        let payload_len = outbound.max_payload(room).max(header_len + 1);
        let fragment = !agreed.peer.dont_fragment;
        let layout = Layout { payload_len, fragment, congestion };
        if let (true, None, Pace::Constant { interval }) =
            (congestion, &outgoing.control, policy.pace)
        {
            outgoing.control = Some(CongestionControl::new(now, interval));
        }
        match &mut outgoing.sending {
            Some(sending) if sending.layout == layout => {
                if core::mem::replace(&mut sending.spi, spi) != spi {
                    sending.sender.switch_sa();
                }
            }
            _ => {
                let mut config = SenderConfig::new(payload_len, core::time::Duration::ZERO);
                config.pace = policy.pace;
                config.fragment = fragment;
                config.queue = policy.queue;
                config.catch_up = policy.catch_up();
                config.congestion = congestion;
                // `Aggregation::check` has seen to what could be wrong.
                let sending = Sender::new(config, now).ok().map(|sender| Sending {
                    sender,
                    spi,
                    layout,
                    due: None,
                    is_ready: false,
                });
                // What waited was measured for other payloads.
                self.stop(id);
                self.outgoing.entry(id).and_modify(|outgoing| outgoing.sending = sending);
            }
        }
        self.schedule_sender(now, id);
        Some(if fragment { policy.mtu } else { payload_len - header_len })
    }

    /// True if [`Self::fit`] has to be called, because the tunnel sends by another SA than before.
    pub(super) fn is_stale(&self, id: ChildId, outbound: Spi) -> bool {
        let Some(outgoing) = self.outgoing.get(&id) else { return false };
        match &outgoing.sending {
            Some(sending) => sending.spi != outbound,
            None => outgoing.agreed.iter().any(|agreed| agreed.outbound == outbound),
        }
    }

    /// Whether inner packets of a tunnel go into AGGFRAG payloads, and if so whether they may be cut up.
    pub(super) fn fragments(&self, id: ChildId) -> Option<bool> {
        self.outgoing.get(&id)?.sending.as_ref().map(|sending| sending.layout.fragment)
    }

    /// Takes an inner packet to be sent in the payloads of a tunnel.
    pub(super) fn push(
        &mut self,
        now: Instant,
        id: ChildId,
        packet: &[u8],
    ) -> Result<(), SenderError> {
        let sending = self.outgoing.get_mut(&id).and_then(|outgoing| outgoing.sending.as_mut());
        let Some(sending) = sending else { return Ok(()) };
        let pushed = sending.sender.push(now, packet);
        self.schedule_sender(now, id);
        pushed
    }

    /// The next tunnel that has a payload to send.
    pub(super) fn next_ready(&self) -> Option<ChildId> {
        self.ready.front().copied()
    }

    /// The time of what happens now.
    pub(super) const fn now(&self) -> Instant {
        self.now
    }

    /// Writes the payload of [`Self::next_ready`] into `datagram`, with room for `outbound` around it, and says how
    /// long it is. `None` if it has none more.
    pub(super) fn poll_payload(
        &mut self,
        id: ChildId,
        outbound: &Outbound,
        datagram: &mut Vec<u8>,
    ) -> Option<usize> {
        let outgoing = self.outgoing.get_mut(&id);
        let payload = outgoing.and_then(|Outgoing { sending, control, .. }| {
            let sending = sending.as_mut()?;
            if let Some((control, policy)) = control.as_mut().zip(self.policy) {
                control.handle_timeout(self.now);
                let interval = policy.interval(control);
                sending.sender.set_interval(self.now, interval);
                sending.sender.set_congestion(control.header(self.now, interval));
            }
            let (head, len) = (outbound.headroom(), sending.layout.payload_len);
            datagram.resize(head + len + outbound.tailroom(len), 0);
            // The buffer is long enough for any payload.
            sending.sender.poll_payload(self.now, datagram.get_mut(head..)?).ok().flatten()
        });
        if payload.is_none() {
            self.ready.retain(|ready| *ready != id);
            if let Some(sending) = self.outgoing.get_mut(&id).and_then(|it| it.sending.as_mut()) {
                sending.is_ready = false;
            }
            self.schedule_sender(self.now, id);
        }
        payload
    }

    /// An ESP packet came that held an AGGFRAG payload; what is in it comes out of [`Self::poll_packet`].
    pub(super) fn handle_packet(&mut self, now: Instant, packet: &[u8], opened: &Opened) {
        let Some(spi) = packet.first_chunk().map(|spi| Spi(u32::from_be_bytes(*spi))) else {
            return;
        };
        let Some(incoming) = self.incoming.get_mut(&spi) else { return };
        let payload = packet.get(opened.payload.clone()).unwrap_or_default();
        let id = incoming.tunnel;
        if let Some(outgoing) = self.outgoing.get_mut(&id) {
            outgoing.heard(now, spi, opened.sequence, payload, self.policy.as_ref());
        }
        let packets = &mut self.packets;
        let deliver = &mut |packet: &[u8]| packets.push(packet);
        // What is refused is counted, and harms nothing else.
        let _ = incoming.receiver.handle_payload(now, opened.sequence, payload, deliver);
        self.schedule_receiver(spi);
        self.schedule_sender(now, id);
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some((due, timer)) = self.timers.first().copied().filter(|(due, _)| *due <= now) {
            self.timers.remove(&(due, timer));
            match timer {
                Timer::Send(id) => {
                    if let Some(sending) =
                        self.outgoing.get_mut(&id).and_then(|outgoing| outgoing.sending.as_mut())
                    {
                        sending.due = None;
                    }
                    self.schedule_sender(now, id);
                }
                Timer::Receive(spi) => {
                    if let Some(incoming) = self.incoming.get_mut(&spi) {
                        incoming.due = None;
                        let packets = &mut self.packets;
                        incoming.receiver.handle_timeout(now, &mut |packet| packets.push(packet));
                    }
                    self.schedule_receiver(spi);
                }
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// The next inner packet that has come, written over the content of `packet`; false if there is none.
    pub(super) fn poll_packet(&mut self, packet: &mut Vec<u8>) -> bool {
        self.packets.pop(packet)
    }

    pub(super) fn stats(&self, id: ChildId) -> Option<AggregationStats> {
        let outgoing = self.outgoing.get(&id)?;
        let mut sum = outgoing.past;
        if let Some(sending) = &outgoing.sending {
            sum.sent += sending.sender.stats();
        }
        for agreed in &outgoing.agreed {
            if let Some(incoming) = self.incoming.get(&agreed.inbound) {
                sum.received += incoming.receiver.stats();
            }
        }
        Some(sum)
    }

    /// Puts a sender where its next payload will be found.
    fn schedule_sender(&mut self, now: Instant, id: ChildId) {
        self.now = self.now.max(now);
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        let Some(sending) = &mut outgoing.sending else { return };
        let due = sending.sender.poll_timeout();
        let is_due = due.is_some_and(|due| due <= self.now);
        if is_due && !sending.is_ready {
            sending.is_ready = true;
            self.ready.push_back(id);
        }
        let due = due.filter(|_| !sending.is_ready);
        if due != sending.due {
            if let Some(before) = core::mem::replace(&mut sending.due, due) {
                self.timers.remove(&(before, Timer::Send(id)));
            }
            self.timers.extend(due.map(|due| (due, Timer::Send(id))));
        }
    }

    fn schedule_receiver(&mut self, spi: Spi) {
        let Some(incoming) = self.incoming.get_mut(&spi) else { return };
        let due = incoming.receiver.poll_timeout();
        if due != incoming.due {
            if let Some(before) = core::mem::replace(&mut incoming.due, due) {
                self.timers.remove(&(before, Timer::Receive(spi)));
            }
            self.timers.extend(due.map(|due| (due, Timer::Receive(spi))));
        }
    }
}

impl Outgoing {
    /// Takes what a payload of the peer says of congestion.
    fn heard(
        &mut self,
        now: Instant,
        spi: Spi,
        sequence: u64,
        payload: &[u8],
        policy: Option<&Aggregation>,
    ) {
        let Some(control) = &mut self.control else { return };
        if self.followed != Some(spi) {
            let place = |spi: Spi| self.agreed.iter().position(|agreed| agreed.inbound == spi);
            // Late packets of an SA that was replaced say nothing new.
            if self.followed.and_then(place) > place(spi) {
                return;
            }
            if self.followed.replace(spi).is_some() {
                control.switch_sa();
            }
        }
        let Ok(payload) = Payload::parse(payload) else { return };
        control.received(now, sequence, payload.congestion.as_ref(), false);
        if let Some((sending, policy)) = self.sending.as_mut().zip(policy) {
            sending.sender.set_interval(now, policy.interval(control));
        }
    }
}

/// Inner packets that have come, one behind the other.
#[derive(Default, Debug)]
struct InnerPackets {
    bytes: VecDeque<u8>,
    lens: VecDeque<usize>,
}

impl InnerPackets {
    /// What a host holds that does not take them, in bytes.
    const MOST: usize = 1 << 22;

    /// Appends one; with too many that nobody takes, it is lost as in any queue.
    fn push(&mut self, packet: &[u8]) {
        if self.bytes.len() + packet.len() <= Self::MOST {
            self.bytes.extend(packet);
            self.lens.push_back(packet.len());
        }
    }

    fn pop(&mut self, packet: &mut Vec<u8>) -> bool {
        let Some(len) = self.lens.pop_front() else { return false };
        packet.clear();
        packet.extend(self.bytes.drain(..len.min(self.bytes.len())));
        true
    }
}
