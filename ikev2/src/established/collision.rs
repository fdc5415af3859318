//! What to do when requests of both ends meet: RFC 7296 sections 2.8.1, 2.8.2 and 2.25.
//!
//! Everything that depends on two exchanges at once is decided here, from the state of both; the files of
//! the exchanges only carry it out.

use alloc::vec::Vec;

use super::children::ChildState;
use super::{Established, Exchange, SaRole};
use crate::child::ChildId;
use crate::wire::{IkeSpi, NotifyType};

/// What the peer did while our own rekey of the same SA was under way.
#[derive(Debug)]
pub(super) struct PeerRekey<T> {
    /// What came of its exchange: a child, or the local SPI of an IKE SA.
    pub(super) created: T,
    /// The lower of the two nonces of its exchange.
    pub(super) lowest_nonce: Vec<u8>,
}

/// The lower of the two nonces of an exchange.
///
/// "Lowest" is by octets, and of two of which one begins with the other, the shorter: the order of slices.
//= RFC 7296 section 2.8.1
pub(super) fn lowest<'a>(initiator: &'a [u8], responder: &'a [u8]) -> &'a [u8] {
    initiator.min(responder)
}

impl<T> PeerRekey<T> {
    /// True if our exchange holds the lowest of the four nonces, so that what it created is redundant and
    /// ours to delete.
    //= RFC 7296 section 2.8.1: the SA created with the lowest of the four nonces used in the two exchanges
    //= SHOULD be closed by the endpoint that created it.
    pub(super) fn makes_ours_redundant(&self, our_lowest_nonce: &[u8]) -> bool {
        our_lowest_nonce < self.lowest_nonce.as_slice()
    }
}

impl Established {
    /// Why a request to create a child is refused now, if it is.
    pub(super) fn refuse_create_child(&self, sa: IkeSpi) -> Option<NotifyType> {
        let sa = self.sa(sa)?;
        //= RFC 7296 section 2.25.2: if a peer receives a request to create or rekey a Child SA when it is
        //= currently rekeying (or closing) the IKE SA, it SHOULD reply with TEMPORARY_FAILURE.
        let busy = match sa.role {
            SaRole::Current | SaRole::Candidate => {
                matches!(sa.outstanding, Some(Exchange::RekeyIke(_) | Exchange::DeleteIke))
            }
            SaRole::Replaced | SaRole::Deleting => true,
        };
        (busy || self.is_closed).then_some(NotifyType::TEMPORARY_FAILURE)
    }

    /// Why a request to rekey this child is refused now, if it is.
    pub(super) fn refuse_rekey_child(&self, sa: IkeSpi, child: ChildId) -> Option<NotifyType> {
        if let Some(refusal) = self.refuse_create_child(sa) {
            return Some(refusal);
        }
        match self.children.get(child)?.state {
            ChildState::Up | ChildState::Standby => None,
            //= RFC 7296 section 2.25.1: a Child SA that it is currently trying to close: TEMPORARY_FAILURE.
            // One that has a successor already is as good as closed.
            ChildState::Installing
            | ChildState::Replaced
            | ChildState::Redundant
            | ChildState::Deleting => Some(NotifyType::TEMPORARY_FAILURE),
        }
    }

    /// Why a request to rekey the IKE SA is refused now, if it is.
    pub(super) fn refuse_rekey_ike(&self, sa: IkeSpi) -> Option<NotifyType> {
        let sa = self.sa(sa)?;
        let busy = match (&sa.outstanding, sa.role) {
            //= RFC 7296 section 2.8.2: it SHOULD return TEMPORARY_FAILURE because it is an IKE SA that it
            //= is currently trying to close (whether or not it has already sent the delete).
            (_, SaRole::Replaced | SaRole::Deleting | SaRole::Candidate) => true,
            //= RFC 7296 section 2.25.1: if it is currently creating, rekeying, or closing a Child SA of
            //= that IKE SA, it SHOULD reply with TEMPORARY_FAILURE.
            (Some(Exchange::CreateChild(_) | Exchange::DeleteChildren(_)), _) => true,
            (Some(Exchange::DeleteIke), _) => true,
            // A second rekey into a third IKE SA leaves nothing to compare nonces of.
            (Some(Exchange::RekeyIke(rekey)), _) => rekey.peer_rekey().is_some(),
            (Some(Exchange::Liveness) | None, _) => false,
        };
        (busy || self.is_closed).then_some(NotifyType::TEMPORARY_FAILURE)
    }

    /// Our outstanding rekey of this child, if there is one.
    pub(super) fn our_rekey_of(
        &mut self,
        child: ChildId,
    ) -> Option<&mut super::create_child::CreateChild> {
        self.sas.iter_mut().find_map(|sa| match &mut sa.outstanding {
            Some(Exchange::CreateChild(exchange)) if exchange.rekeys == Some(child) => {
                Some(&mut **exchange)
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_nonce_is_found_by_octets_and_then_by_length() {
        //= RFC 7296 section 2.8.1
        assert_eq!(lowest(&[1, 255, 255], &[2, 0, 0]), [1, 255, 255]);
        assert_eq!(lowest(&[1, 2, 3], &[1, 2]), [1, 2]);
        let peer = PeerRekey { created: (), lowest_nonce: [5; 16].into() };
        assert!(peer.makes_ours_redundant(&[4; 32]));
        assert!(!peer.makes_ours_redundant(&[6; 16]));
        assert!(!peer.makes_ours_redundant(&[5; 17]));
    }
}
