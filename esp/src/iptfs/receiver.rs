//! Taking inner packets out of AGGFRAG payloads: RFC 9347 section 2.2.3.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use adit_platform::Instant;

use super::{MAX_BLOCK_LEN, Payload, PayloadError, block_len};
use crate::ip::IpPacket;
use crate::selector::Selectors;

/// Takes inner packets out of the payloads of one SA and hands them out in order: the second of the two ways
/// in RFC 9347 section 2.5.
///
/// A payload that comes before its time is kept until those before it have come, or are given up: because
/// one has come that is too far ahead, or too much time has passed. A part of an inner packet whose other
/// part is lost is dropped, and reading goes on with the next packet that begins.
///
/// Memory is taken when it is first needed, for as many payloads as the reorder window has and for one inner
/// packet; a payload that comes in order is not copied.
///
/// An example stands at [the module](super).
pub struct Receiver {
    /// The number that comes next.
    next: u64,
    /// Payloads that came early, each in the place of its number.
    slots: Vec<Slot>,
    held: usize,
    /// Since a payload is held that must not be held longer than to here.
    deadline: Option<Instant>,
    patience: Duration,
    /// The beginning of an inner packet whose end has not come; empty if there is none.
    partial: Vec<u8>,
    selectors: Option<Selectors>,
    stats: ReceiverStats,
}

/// A payload that came early.
#[derive(Clone)]
struct Slot {
    /// 0 if there is none: an SA starts with 1.
    sequence: u64,
    since: Instant,
    payload: Vec<u8>,
}

/// Counters of a [`Receiver`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct ReceiverStats {
    /// Payloads that were read.
    pub payloads: u64,
    /// Inner packets handed out.
    pub packets: u64,
    /// Sequence numbers given up, whose payloads have not come.
    pub lost: u64,
    /// Payloads that came after their number was given up, or twice.
    pub late: u64,
    /// Payloads with a header that is refused.
    pub refused: u64,
    /// Inner packets of which a part did not come, or does not fit.
    pub incomplete: u64,
    /// Data blocks that are no IP packet; what follows them in the payload cannot be read.
    pub malformed: u64,
    /// Inner packets outside the traffic selectors.
    pub selectors: u64,
}

impl Receiver {
    /// For a new SA: the number 1 comes first. Payloads may come three numbers early, as RFC 9347 section
    /// 2.2.3 suggests, and are waited for a second.
    pub fn new() -> Self {
        Self {
            next: 1,
            slots: Vec::new(),
            held: 0,
            deadline: None,
            patience: Duration::from_secs(1),
            partial: Vec::new(),
            selectors: None,
            stats: ReceiverStats::default(),
        }
        .with_reorder_window(3)
    }

    /// Lets payloads come this many numbers early; 0 waits for none. Call it before the first payload.
    pub fn with_reorder_window(mut self, window: u16) -> Self {
        let origin = Instant::from_origin(Duration::ZERO);
        let empty = Slot { sequence: 0, since: origin, payload: Vec::new() };
        self.slots = alloc::vec![empty; window.into()];
        self.held = 0;
        self
    }

    /// Waits this long for a payload while later ones are there: the lost packet timer of RFC 9347 section
    /// 2.2.3, which suggests a time in proportion to the peer's rate.
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Hands out only inner packets that these admit, which RFC 4301 section 5.2 asks for: of an AGGFRAG
    /// payload [`Inbound`](crate::Inbound) sees none.
    pub fn with_selectors(mut self, selectors: Selectors) -> Self {
        self.selectors = Some(selectors);
        self
    }

    /// Takes over an SA of which numbers up to `sequence` have been received elsewhere.
    pub fn resume_after(mut self, sequence: u64) -> Self {
        self.next = sequence.saturating_add(1);
        self
    }

    /// Takes the payload of the ESP packet with this sequence number
    /// ([`Opened::sequence`](crate::Opened::sequence)), and gives `deliver` each inner packet that can be
    /// handed out now.
    ///
    /// # Errors
    /// If the payload is refused for its header; others before and after it are not touched.
    pub fn handle_payload(
        &mut self,
        now: Instant,
        sequence: u64,
        payload: &[u8],
        deliver: &mut dyn FnMut(&[u8]),
    ) -> Result<(), PayloadError> {
        if let Err(error) = Payload::parse(payload) {
            self.stats.refused += 1;
            return Err(error);
        }
        if sequence < self.next {
            self.stats.late += 1;
            return Ok(());
        }
        let oldest_kept = sequence.saturating_sub(self.slots.len() as u64);
        if self.next < oldest_kept {
            self.give_up_before(oldest_kept, deliver);
            // Also makes room: the number that comes next has the same place as this one.
            self.read_held(deliver);
        }
        if sequence == self.next {
            self.next = sequence.saturating_add(1);
            self.read(payload, deliver);
        } else {
            self.hold(now, sequence, payload);
        }
        self.read_held(deliver);
        self.set_deadline();
        Ok(())
    }

    /// Gives up what has been waited for too long, and gives `deliver` the inner packets behind it.
    pub fn handle_timeout(&mut self, now: Instant, deliver: &mut dyn FnMut(&[u8])) {
        while self.deadline.is_some_and(|deadline| now >= deadline) {
            let held = self.slots.iter().map(|slot| slot.sequence).filter(|held| *held != 0);
            let Some(first) = held.min() else { break };
            self.give_up_before(first, deliver);
            self.read_held(deliver);
            self.set_deadline();
        }
    }

    /// When [`Self::handle_timeout`] wants to be called next.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Counters since the receiver was made.
    pub const fn stats(&self) -> ReceiverStats {
        self.stats
    }

    /// Keeps a payload whose number is at most as many ahead as there are slots.
    fn hold(&mut self, now: Instant, sequence: u64, payload: &[u8]) {
        let Some(slot) = slot(&mut self.slots, sequence) else { return };
        if slot.sequence == sequence {
            self.stats.late += 1;
            return;
        }
        // Numbers that share a slot are as far apart as there are slots: any other one has been read.
        *slot = Slot { sequence, since: now, payload: core::mem::take(&mut slot.payload) };
        slot.payload.clear();
        slot.payload.extend_from_slice(payload);
        self.held += 1;
    }

    /// Reads the payloads that are held and come next.
    fn read_held(&mut self, deliver: &mut dyn FnMut(&[u8])) {
        while self.held > 0 && self.read_next_held(deliver) {}
    }

    /// Reads the payload that comes next if it is held.
    fn read_next_held(&mut self, deliver: &mut dyn FnMut(&[u8])) -> bool {
        let next = self.next;
        let Some(slot) = slot(&mut self.slots, next).filter(|slot| slot.sequence == next) else {
            return false;
        };
        slot.sequence = 0;
        let payload = core::mem::take(&mut slot.payload);
        self.held -= 1;
        self.next = next.saturating_add(1);
        self.read(&payload, deliver);
        // The memory goes back to where it came from.
        if let Some(slot) = self::slot(&mut self.slots, next) {
            slot.payload = payload;
        }
        true
    }

    /// Reads what is held of the numbers before `first` and waits for the others no more.
    fn give_up_before(&mut self, first: u64, deliver: &mut dyn FnMut(&[u8])) {
        // As many steps as there are slots leave nothing held.
        while self.held > 0 && self.next < first {
            if !self.read_next_held(deliver) {
                self.lose(1);
            }
        }
        self.lose(first.saturating_sub(self.next));
    }

    /// As many payloads will not come.
    fn lose(&mut self, count: u64) {
        if count > 0 {
            self.next = self.next.saturating_add(count);
            self.stats.lost = self.stats.lost.saturating_add(count);
            self.drop_partial();
        }
    }

    fn drop_partial(&mut self) {
        if !self.partial.is_empty() {
            self.partial.clear();
            self.stats.incomplete += 1;
        }
    }

    fn set_deadline(&mut self) {
        self.deadline = if self.held == 0 {
            None
        } else {
            let held = self.slots.iter().filter(|slot| slot.sequence != 0);
            held.map(|slot| slot.since).min().map(|since| since + self.patience)
        };
    }

    /// Reads the payload whose turn it is.
    fn read(&mut self, payload: &[u8], deliver: &mut dyn FnMut(&[u8])) {
        self.stats.payloads += 1;
        let Ok(Payload { block_offset, blocks, .. }) = Payload::parse(payload) else { return };
        let offset = usize::from(block_offset);
        //= RFC 9347 sections 2.2.3 and 2.2.4: payloads of padding alone, and empty ones, may stand between
        //= the parts of an inner packet.
        let is_padding = offset == 0 && blocks.first().is_some_and(|first| first >> 4 == 0);
        if blocks.is_empty() || is_padding {
            return;
        }
        let (front, blocks) = blocks.split_at(offset.min(blocks.len()));
        if !self.partial.is_empty() {
            self.join(front, offset, deliver);
        }
        self.read_blocks(blocks, deliver);
    }

    /// Appends `front` to the part of an inner packet that is there, of which `left` bytes are to come in
    /// all.
    fn join(&mut self, front: &[u8], left: usize, deliver: &mut dyn FnMut(&[u8])) {
        let total = self.partial.len() + left;
        if front.is_empty() || total > MAX_BLOCK_LEN {
            self.drop_partial();
            return;
        }
        self.partial.extend_from_slice(front);
        let is_whole = front.len() == left;
        match block_len(&self.partial) {
            Some(Ok(len)) if len == total && is_whole => {
                let packet = core::mem::take(&mut self.partial);
                self.hand_out(&packet, deliver);
                self.partial = packet;
                self.partial.clear();
            }
            Some(Ok(len)) if len == total => {}
            None if !is_whole => {}
            _ => self.drop_partial(),
        }
    }

    /// Reads data blocks from the beginning of one.
    fn read_blocks(&mut self, mut blocks: &[u8], deliver: &mut dyn FnMut(&[u8])) {
        while let Some(first) = blocks.first() {
            if first >> 4 == 0 {
                return;
            }
            match block_len(blocks) {
                Some(Ok(len)) if len <= blocks.len() => {
                    let (packet, rest) = blocks.split_at(len);
                    self.hand_out(packet, deliver);
                    blocks = rest;
                }
                Some(Ok(_)) | None => {
                    self.partial.clear();
                    self.partial.extend_from_slice(blocks);
                    return;
                }
                Some(Err(_)) => {
                    self.stats.malformed += 1;
                    return;
                }
            }
        }
    }

    fn hand_out(&mut self, packet: &[u8], deliver: &mut dyn FnMut(&[u8])) {
        match IpPacket::parse(packet) {
            Err(_) => self.stats.malformed += 1,
            Ok(inner)
                if self.selectors.as_ref().is_some_and(|selectors| {
                    !selectors.admit_inbound(&inner) && !selectors.admit_icmp_error(packet)
                }) =>
            {
                self.stats.selectors += 1;
            }
            Ok(_) => {
                self.stats.packets += 1;
                deliver(packet);
            }
        }
    }
}

/// The place of a number; none if nothing is held.
fn slot(slots: &mut [Slot], sequence: u64) -> Option<&mut Slot> {
    let place = sequence.checked_rem(slots.len() as u64)?;
    slots.get_mut(place as usize)
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("next", &self.next)
            .field("held", &self.held)
            .field("partial", &self.partial.len())
            .finish_non_exhaustive()
    }
}
