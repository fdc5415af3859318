//! Deleting SAs: RFC 7296 sections 1.4.1 and 2.25.

use alloc::vec::Vec;

use adit_platform::Instant;

use super::children::ChildState;
use super::{Command, Established, Exchange, Host, MAX_CHILDREN, SaRole, Task};
use crate::child::ChildId;
use crate::error::Error;
use crate::event::{CloseReason, Event};
use crate::wire::{Delete, ExchangeType, IkeSpi, NotifyType, Payload, Payloads, ProtocolId};

impl Established {
    /// Sends the DELETE of the IKE SA at `index`.
    pub(super) fn send_delete_ike(&mut self, index: usize) {
        let Some(sa) = self.sas.get(index).map(|sa| sa.spis.local()) else { return };
        let payloads = Payloads::from(Vec::from([Payload::Delete(Delete::ike_sa())]));
        self.request(sa, ExchangeType::INFORMATIONAL, payloads, Exchange::DeleteIke);
    }

    /// Sends the DELETE of a child, unless it is gone or another request has it.
    pub(super) fn send_delete_child(&mut self, sa: IkeSpi, id: ChildId) {
        let Some(child) = self.children.get_mut(id) else { return };
        if child.state == ChildState::Installing {
            return;
        }
        child.retire(ChildState::Deleting, CloseReason::ByUs);
        //= RFC 7296 section 1.4.1: the SPIs are those that are expected in inbound packets.
        let delete = Delete::esp([child.spi_in].into());
        let payloads = Payloads::from(Vec::from([Payload::Delete(delete)]));
        let exchange = Exchange::DeleteChildren([id].into());
        self.request(sa, ExchangeType::INFORMATIONAL, payloads, exchange);
    }

    /// The peer has confirmed.
    pub(super) fn children_deleted(&mut self, host: &mut dyn Host, children: &[ChildId]) {
        for child in children {
            self.child_gone(host, *child, CloseReason::ByUs);
        }
    }

    /// Removes a child and says so. What was waiting to take over from it takes over.
    pub(super) fn child_gone(&mut self, host: &mut dyn Host, id: ChildId, reason: CloseReason) {
        self.promote_standby(id);
        let Some(child) = self.children.remove(id) else { return };
        host.release_child_spi(child.spi_in);
        if child.is_known() {
            let reason = child.closing.unwrap_or(reason);
            self.emit(Event::ChildClosed { child: id, reason });
        }
    }

    /// Moves sending from `old` to the child that the peer rekeyed it into.
    fn promote_standby(&mut self, old: ChildId) {
        if let Some(next) = self.children.standby_for(old) {
            next.state = ChildState::Up;
            let (child, replaces) = (next.id, Some(old));
            self.emit(Event::ChildEstablished { child, replaces });
        }
    }

    /// Queues the DELETE of a child before everything else.
    pub(super) fn delete_child_next(&mut self, id: ChildId, reason: CloseReason) {
        if let Some(child) = self.children.get_mut(id) {
            child.retire(ChildState::Deleting, reason);
            self.tasks.push_front(Task::new(Command::DeleteChild(id)));
        }
    }

    /// Takes back a child that the peer has set up and that is of no use here.
    pub(super) fn discard_child(&mut self, host: &mut dyn Host, sa: IkeSpi, spi_in: u32) {
        host.release_child_spi(spi_in);
        let payloads = Payloads::from(Vec::from([Payload::Delete(Delete::esp([spi_in].into()))]));
        let exchange = Exchange::DeleteChildren(Vec::new());
        self.request(sa, ExchangeType::INFORMATIONAL, payloads, exchange);
    }

    /// Any INFORMATIONAL request: deletes, or a question whether we live. What else it may hold is status
    /// that we do not act on.
    pub(super) fn informational_request(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        sa: IkeSpi,
        payloads: &Payloads<'_>,
    ) -> Result<(), Error> {
        if payloads.deletes().any(|delete| delete.protocol == ProtocolId::IKE) {
            self.delete_ike_request(now, host, sa);
            return Ok(());
        }
        if payloads.notify(NotifyType::AUTHENTICATION_FAILED).is_some() {
            //= RFC 7296 section 2.21.2: the initiator MAY tell in an INFORMATIONAL exchange that it did not
            //= believe the responder; the IKE SA is gone with it.
            self.respond(sa, Vec::new());
            let error = Error::RefusedByPeer(NotifyType::AUTHENTICATION_FAILED);
            self.close(CloseReason::Failed(error), false);
            return Ok(());
        }
        let mut paired = Vec::new();
        let mut gone = Vec::new();
        for delete in payloads.deletes().filter(|delete| delete.protocol == ProtocolId::ESP) {
            for spi in &delete.spis {
                let Some(child) = self.children.by_spi_out(*spi) else {
                    self.note_deleted_early(*spi);
                    continue;
                };
                //= RFC 7296 section 1.4.1: if a node receives a delete request for SAs for which it has
                //= already issued a delete request, the response MUST NOT include Delete payloads for them.
                if child.state != ChildState::Deleting || !self.is_being_deleted(child.id) {
                    paired.push(child.spi_in);
                    gone.push(child.id);
                }
            }
        }
        for child in &gone {
            // Sending moves over to the successor before the peer hears that the old one is gone.
            self.promote_standby(*child);
        }
        let delete = (!paired.is_empty()).then(|| Payload::Delete(Delete::esp(paired)));
        self.respond(sa, delete.into_iter().collect());
        for child in gone {
            self.child_gone(host, child, CloseReason::ByPeer);
        }
        Ok(())
    }

    /// The peer deletes a child that we do not know: perhaps the one that it has just granted, in a response
    /// that this request has overtaken.
    fn note_deleted_early(&mut self, spi: u32) {
        for sa in &mut self.sas {
            if let Some(Exchange::CreateChild(exchange)) = &mut sa.outstanding
                && exchange.deleted_early.len() < MAX_CHILDREN
            {
                exchange.deleted_early.push(spi);
            }
        }
    }

    /// True if a DELETE for the child is under way.
    fn is_being_deleted(&self, child: ChildId) -> bool {
        self.sas.iter().any(|sa| match &sa.outstanding {
            Some(Exchange::DeleteChildren(children)) => children.contains(&child),
            _ => false,
        })
    }

    /// The peer deletes the IKE SA with our SPI `spi`.
    //= RFC 7296 section 1.4.1: the response to a request that deletes the IKE SA is an empty INFORMATIONAL.
    fn delete_ike_request(&mut self, now: Instant, host: &mut dyn Host, spi: IkeSpi) {
        self.respond(spi, Vec::new());
        let Some(sa) = self.sa_mut(spi) else { return };
        let role = sa.role;
        //= RFC 7296 section 2.25.2: it SHOULD reply as usual, and forget about its own close (or rekeying)
        //= request.
        let outstanding = sa.outstanding.take();
        let successor = match &outstanding {
            Some(Exchange::RekeyIke(rekey)) => rekey.peer_rekey(),
            _ => None,
        };
        if let Some(exchange) = outstanding {
            self.abort(host, exchange);
        }
        self.retire(spi);
        match (role, successor) {
            // The peer finished its own rekey without noticing ours: RFC 7296 section 2.8.2.
            (SaRole::Current, Some(successor)) => self.succeed(now, successor),
            (SaRole::Current, None) => self.close(CloseReason::ByPeer, false),
            (SaRole::Candidate | SaRole::Replaced | SaRole::Deleting, _) => {}
        }
    }
}
