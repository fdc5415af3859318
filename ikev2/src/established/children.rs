//! The table of Child SAs of one connection.

use alloc::sync::Arc;
use alloc::vec::Vec;

use adit_platform::rng::RngError;
use adit_platform::{Instant, Rng};

use super::deadlines;
use crate::child::{ChildId, ChildSa, Mode};
use crate::config::ChildConfig;
use crate::event::CloseReason;
use crate::wire::TrafficSelector;

/// One pair of ESP SAs.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) id: ChildId,
    /// Ours, in what we receive.
    pub(super) spi_in: u32,
    /// The peer's, in what we send.
    pub(super) spi_out: u32,
    pub(super) state: ChildState,
    /// The child that this one takes over from, until that is gone.
    pub(super) replaces: Option<ChildId>,
    pub(super) mode: Mode,
    pub(super) local: Vec<TrafficSelector>,
    pub(super) remote: Vec<TrafficSelector>,
    pub(super) config: Arc<ChildConfig>,
    /// Why it is on its way out, once it is.
    pub(super) closing: Option<CloseReason>,
    soft: Option<Instant>,
    hard: Option<Instant>,
}

/// How far a child is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ChildState {
    /// Waits for the embedder to install it.
    Installing,
    /// Receives; sends go through the child that it replaces until the peer deletes that
    /// (RFC 7296 section 2.8).
    Standby,
    /// Receives and sends.
    Up,
    /// A successor created by the peer is installed; the peer is to delete this one.
    Replaced,
    /// It lost a collision of rekeys; its initiator, the peer, is to delete it.
    Redundant,
    /// We are deleting it, or are about to.
    Deleting,
}

impl Child {
    /// True if it is neither new nor on its way out.
    pub(super) fn is_up(&self) -> bool {
        self.state == ChildState::Up
    }

    /// True if the embedder has it installed.
    pub(super) fn is_known(&self) -> bool {
        self.state != ChildState::Installing
    }

    /// Sets it on its way out, for the first reason that is given.
    pub(super) fn retire(&mut self, state: ChildState, reason: CloseReason) {
        self.state = state;
        self.soft = None;
        self.closing.get_or_insert(reason);
    }

    /// Takes it back into use, after what was to replace it failed here.
    pub(super) fn revive(&mut self) {
        self.state = ChildState::Up;
        self.closing = None;
    }

    /// Sees to it that it ends, should the peer forget to delete it.
    pub(super) fn end_by(&mut self, at: Instant) {
        self.hard = Some(self.hard.map_or(at, |hard| hard.min(at)));
    }
}

/// All children of a connection, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Children {
    children: Vec<Child>,
    next_id: u32,
}

impl Children {
    pub(super) fn next_id(&mut self) -> ChildId {
        let id = ChildId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        id
    }

    /// A child that is being installed.
    pub(super) fn add(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        sa: &ChildSa,
        config: Arc<ChildConfig>,
    ) -> Result<(), RngError> {
        let (soft, hard) = deadlines(now, rng, &config.lifetime)?;
        self.children.push(Child {
            id: sa.id,
            spi_in: sa.spi_in,
            spi_out: sa.spi_out,
            state: ChildState::Installing,
            replaces: sa.replaces,
            mode: sa.mode,
            local: sa.local.clone(),
            remote: sa.remote.clone(),
            config,
            closing: None,
            soft,
            hard,
        });
        Ok(())
    }

    /// A child that is installed on both ends.
    pub(super) fn add_installed(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        sa: &ChildSa,
        config: Arc<ChildConfig>,
    ) -> Result<(), RngError> {
        self.add(now, rng, sa, config)?;
        if let Some(child) = self.children.last_mut() {
            child.state = ChildState::Up;
        }
        // Names that the handshake gave out stay unique.
        self.next_id = self.next_id.max(sa.id.0.wrapping_add(1));
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.children.len()
    }

    pub(super) fn iter(&self) -> core::slice::Iter<'_, Child> {
        self.children.iter()
    }

    pub(super) fn get(&self, id: ChildId) -> Option<&Child> {
        self.children.iter().find(|child| child.id == id)
    }

    pub(super) fn get_mut(&mut self, id: ChildId) -> Option<&mut Child> {
        self.children.iter_mut().find(|child| child.id == id)
    }

    /// The child that the peer names by its inbound SPI.
    pub(super) fn by_spi_out(&self, spi: u32) -> Option<&Child> {
        self.children.iter().find(|child| child.spi_out == spi)
    }

    /// The child that waits to take over from `old`.
    pub(super) fn standby_for(&mut self, old: ChildId) -> Option<&mut Child> {
        self.children
            .iter_mut()
            .find(|child| child.replaces == Some(old) && child.state == ChildState::Standby)
    }

    pub(super) fn remove(&mut self, id: ChildId) -> Option<Child> {
        let index = self.children.iter().position(|child| child.id == id)?;
        let removed = self.children.remove(index);
        for child in &mut self.children {
            child.replaces.take_if(|replaced| *replaced == id);
        }
        Some(removed)
    }

    pub(super) fn deadlines(&self) -> impl Iterator<Item = Instant> + '_ {
        self.children.iter().flat_map(|child| [child.soft, child.hard]).flatten()
    }

    /// The children whose time has come: to be renewed (`false`) or to end (`true`). Each deadline is
    /// reported once.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(ChildId, bool)> {
        let mut due = Vec::new();
        for child in &mut self.children {
            if child.hard.take_if(|at| now >= *at).is_some() {
                child.soft = None;
                due.push((child.id, true));
            } else if child.soft.take_if(|at| now >= *at).is_some() {
                due.push((child.id, false));
            }
        }
        due
    }
}
