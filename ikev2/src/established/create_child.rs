//! CREATE_CHILD_SA for children: new ones and rekeys, in both roles. RFC 7296 sections 1.3.1, 1.3.3, 2.17.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use adit_platform::Instant;
use adit_platform::kex::{ActiveKeyExchange, KexAlgorithm};

use super::children::ChildState;
use super::collision::{PeerRekey, lowest};
use super::{
    Command, Established, Exchange, Host, MAX_CHILDREN, Output, REPLACED_TIMEOUT, Task, nonce,
};
use crate::child::{ChildId, ChildSa, Mode};
use crate::config::ChildConfig;
use crate::error::{Error, Incompatible, Misbehaviour, Resource};
use crate::event::{CloseReason, Event};
use crate::keys::Nonces;
use crate::negotiate::{
    AggfragPolicy, EspChoice, EspProposal, ke_method, kex_algorithm, narrow, within,
};
use crate::wire::{
    ExchangeType, IkeSpi, KeMethod, KeyExchange, Nonce, Notify, NotifyType, Payload, PayloadType,
    Payloads, ProtocolId, SecurityAssociation, TrafficSelector,
};

/// Our request for a child, which has no response yet.
pub(super) struct CreateChild {
    config: Arc<ChildConfig>,
    /// The child that is to be replaced.
    pub(super) rekeys: Option<ChildId>,
    pub(super) spi_in: u32,
    nonce: Vec<u8>,
    offered: SecurityAssociation,
    local: Vec<TrafficSelector>,
    remote: Vec<TrafficSelector>,
    mode: Mode,
    key_exchange: Option<Box<dyn ActiveKeyExchange>>,
    /// The methods that were tried before this one.
    tried: Vec<KexAlgorithm>,
    attempts: u8,
    /// The peer's rekey of the same child, if it came in the meantime.
    pub(super) peer_rekey: Option<PeerRekey<ChildId>>,
    /// SPIs of the peer that it deleted in the meantime and that we do not know (yet).
    pub(super) deleted_early: Vec<u32>,
}

/// What happens when the embedder has installed a child.
#[derive(Debug)]
pub(super) struct Installing {
    child: ChildId,
    then: Then,
}

#[derive(Debug)]
enum Then {
    /// The peer asked for the child on this IKE SA and waits for this response.
    Respond { sa: IkeSpi, payloads: Vec<Payload<'static>> },
    /// The peer has the child already; ours lost a collision or not.
    Announce { is_redundant: bool },
}

impl Established {
    /// Sends the request of a [`Command::CreateChild`] or [`Command::RekeyChild`].
    pub(super) fn start_create_child(
        &mut self,
        host: &mut dyn Host,
        sa: IkeSpi,
        task: &Task,
    ) -> Result<(), Error> {
        let (config, rekeys, local, remote, mode) = match &task.command {
            Command::RekeyChild(id) => {
                let Some(child) = self.children.get(*id).filter(|child| child.is_up()) else {
                    return Ok(());
                };
                //= RFC 7296 section 2.9.2: the proposed Traffic Selectors SHOULD be either the same as, or
                //= a superset of, those of the old Child SA.
                let (local, remote) = (child.local.clone(), child.remote.clone());
                (child.config.clone(), Some(*id), local, remote, child.mode)
            }
            Command::CreateChild(config) => {
                let (local, remote) = (config.local.clone(), config.remote.clone());
                (config.clone(), None, local, remote, config.mode)
            }
            _ => return Ok(()),
        };
        if self.children.len() >= MAX_CHILDREN {
            self.emit(Event::ChildFailed(Resource::Children.into()));
            return Ok(());
        }
        let first = EspProposal::first_key_exchange(&config.proposals, host.provider());
        let exchange = CreateChild {
            config,
            rekeys,
            spi_in: 0,
            nonce: Vec::new(),
            offered: SecurityAssociation::default(),
            local,
            remote,
            mode,
            key_exchange: None,
            tried: Vec::new(),
            attempts: task.attempts,
            peer_rekey: None,
            deleted_early: Vec::new(),
        };
        self.send_create_child(host, sa, exchange, first)
    }

    /// Draws what is to be fresh in `exchange` and sends it.
    fn send_create_child(
        &mut self,
        host: &mut dyn Host,
        sa: IkeSpi,
        mut exchange: CreateChild,
        method: Option<KexAlgorithm>,
    ) -> Result<(), Error> {
        exchange.nonce = nonce(host.rng())?;
        exchange.key_exchange = match method.and_then(|kex| host.provider().key_exchange(kex)) {
            Some(kex) => Some(kex.start(host.rng())?),
            None => None,
        };
        exchange.spi_in = host.new_child_spi()?;
        let (proposals, spi) = (&exchange.config.proposals, exchange.spi_in);
        exchange.offered = EspProposal::offer(proposals, host.provider(), spi, true);

        let mut payloads = Vec::new();
        if let Some(old) = exchange.rekeys.and_then(|id| self.children.get(id)) {
            let notify = Notify::child(NotifyType::REKEY_SA, ProtocolId::ESP, old.spi_in);
            payloads.push(Payload::Notify(notify));
        }
        if exchange.mode == Mode::Transport {
            payloads.push(Payload::Notify(Notify::error(NotifyType::USE_TRANSPORT_MODE)));
        }
        payloads.extend(AggfragPolicy::offer(&exchange.config));
        payloads.push(Payload::SecurityAssociation(exchange.offered.clone()));
        payloads.push(Payload::Nonce(Nonce(exchange.nonce.clone().into())));
        if let Some(kex) = &exchange.key_exchange {
            let method = ke_method(kex.algorithm());
            let data = kex.public().to_vec().into();
            payloads.push(Payload::KeyExchange(KeyExchange { method, data }));
        }
        payloads.push(Payload::TsInitiator(exchange.local.iter().copied().collect()));
        payloads.push(Payload::TsResponder(exchange.remote.iter().copied().collect()));
        let exchange = Exchange::CreateChild(Box::new(exchange));
        self.request(sa, ExchangeType::CREATE_CHILD_SA, payloads.into(), exchange);
        Ok(())
    }

    /// The response to our request for a child.
    pub(super) fn create_child_response(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        sa: IkeSpi,
        exchange: CreateChild,
        payloads: &Payloads<'_>,
    ) {
        if let Some(notify) = payloads.error_notify() {
            return self.create_child_refused(now, host, sa, exchange, notify);
        }
        let CreateChild { spi_in, rekeys, .. } = exchange;
        let granted = payloads.sa().and_then(|sa| sa.proposals.first()?.spi.child());
        if granted.is_some_and(|spi| exchange.deleted_early.contains(&spi)) {
            host.release_child_spi(spi_in);
            self.emit(Event::ChildFailed(Error::RefusedByPeer(NotifyType::CHILD_SA_NOT_FOUND)));
            if let Some(old) = rekeys {
                self.delete_child_next(old, CloseReason::ByPeer);
            }
            return;
        }
        match self.accept_child(now, host, sa, exchange, payloads) {
            Ok((child, is_redundant)) => {
                // The peer will hear no more requests for the old child; its DELETE follows when the new
                // one is installed, or comes from the peer.
                if let Some(old) = rekeys.and_then(|id| self.children.get_mut(id)) {
                    let state =
                        if is_redundant { ChildState::Replaced } else { ChildState::Deleting };
                    old.retire(state, CloseReason::Rekeyed);
                    old.end_by(now + REPLACED_TIMEOUT);
                }
                self.install(child, Then::Announce { is_redundant });
            }
            //= RFC 7296 section 1.3.1: if this is unacceptable to the initiator, it MUST delete the SA.
            Err(error) => {
                self.discard_child(host, sa, spi_in);
                self.emit(Event::ChildFailed(error));
            }
        }
    }

    /// The child that the response describes, entered into the table, and whether it is redundant.
    fn accept_child(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        sa: IkeSpi,
        exchange: CreateChild,
        payloads: &Payloads<'_>,
    ) -> Result<(ChildSa, bool), Error> {
        let answer = payloads.sa().ok_or(missing(PayloadType::SA))?;
        let Nonce(peer_nonce) = payloads.nonce().ok_or(missing(PayloadType::NONCE))?;
        let ts_i = payloads.ts_initiator().ok_or(missing(PayloadType::TSI))?;
        let ts_r = payloads.ts_responder().ok_or(missing(PayloadType::TSR))?;
        let choice = EspChoice::confirm(&exchange.offered, answer)
            .map_err(|_| Misbehaviour::SelectedUnofferedTransform)?;
        let shared = match choice.key_exchange {
            None => None,
            Some(kex) => {
                let ke = payloads.ke().ok_or(missing(PayloadType::KE))?;
                let ours = exchange.key_exchange.filter(|ours| ours.algorithm() == kex);
                let ours = ours.ok_or(Misbehaviour::SelectedUnofferedTransform)?;
                if ke.method != ke_method(kex) {
                    return Err(Misbehaviour::InvalidPayload(PayloadType::KE).into());
                }
                Some(ours.complete(&ke.data)?)
            }
        };
        let selectors_fit = within(ts_i, &exchange.local) && within(ts_r, &exchange.remote);
        let (local, remote): (Vec<_>, Vec<_>) = (ts_i.ranges().collect(), ts_r.ranges().collect());
        if !selectors_fit || local.is_empty() || remote.is_empty() {
            return Err(Misbehaviour::SelectedUnofferedSelectors.into());
        }
        let transport = payloads.notify(NotifyType::USE_TRANSPORT_MODE).is_some();
        if transport != (exchange.mode == Mode::Transport) {
            return Err(Incompatible::Mode.into());
        }
        let aggfrag = AggfragPolicy::confirm(&exchange.config, payloads)?;
        let nonces = Nonces { initiator: &exchange.nonce, responder: peer_nonce };
        let keys = self.sa(sa).ok_or(Misbehaviour::UnexpectedExchange(EXCHANGE))?.keys.child_keys(
            choice.suite,
            shared.as_ref(),
            nonces,
        )?;
        let is_redundant = exchange.peer_rekey.is_some_and(|peer| {
            let redundant = peer.makes_ours_redundant(lowest(&exchange.nonce, peer_nonce));
            if !redundant && let Some(theirs) = self.children.get_mut(peer.created) {
                theirs.retire(ChildState::Redundant, CloseReason::Rekeyed);
                theirs.end_by(now + REPLACED_TIMEOUT);
            }
            redundant
        });
        let child = ChildSa {
            id: self.children.next_id(),
            spi_in: exchange.spi_in,
            spi_out: choice.peer_spi,
            suite: choice.suite,
            esn: choice.esn,
            mode: exchange.mode,
            aggfrag,
            local,
            remote,
            keymat_in: keys.responder,
            keymat_out: keys.initiator,
            udp_encapsulation: self.policy.udp_encapsulation,
            replaces: exchange.rekeys.filter(|old| self.children.get(*old).is_some()),
            lifetime: exchange.config.lifetime,
        };
        self.children.add(now, host.rng(), &child, exchange.config)?;
        Ok((child, is_redundant))
    }

    /// The peer refused our request for a child.
    fn create_child_refused(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        sa: IkeSpi,
        exchange: CreateChild,
        notify: &Notify<'_>,
    ) {
        host.release_child_spi(exchange.spi_in);
        // The peer's own rekey of the child makes ours needless, whatever stood in its way.
        if exchange.peer_rekey.is_some()
            && let Some(old) = exchange.rekeys.and_then(|id| self.children.get_mut(id))
        {
            old.retire(ChildState::Replaced, CloseReason::Rekeyed);
            old.end_by(now + REPLACED_TIMEOUT);
            return;
        }
        let is_rekey = exchange.rekeys.is_some();
        let still_wanted = exchange
            .rekeys
            .is_none_or(|old| self.children.get(old).is_some_and(|child| child.is_up()));
        if !still_wanted {
            return;
        }
        let command = match exchange.rekeys {
            Some(old) => Command::RekeyChild(old),
            None => Command::CreateChild(exchange.config.clone()),
        };
        let error = Error::RefusedByPeer(notify.notify_type);
        match notify.notify_type {
            NotifyType::TEMPORARY_FAILURE => {
                self.retry_later(now, host, command, exchange.attempts.saturating_add(1));
            }
            NotifyType::INVALID_KE_PAYLOAD => {
                if let Err(error) = self.retry_create_child(host, sa, exchange, notify) {
                    self.emit(Event::ChildFailed(error));
                }
            }
            //= RFC 7296 section 2.25: a peer that receives CHILD_SA_NOT_FOUND SHOULD silently delete the
            //= Child SA and send a request to create a new Child SA from scratch.
            NotifyType::CHILD_SA_NOT_FOUND if is_rekey => {
                if let Some(old) = exchange.rekeys {
                    self.child_gone(host, old, CloseReason::Failed(error));
                }
                self.tasks.push_back(Task::new(Command::CreateChild(exchange.config)));
            }
            _ => self.emit(Event::ChildFailed(error)),
        }
    }

    /// Repeats our request with the key exchange method that the peer wants.
    //= RFC 7296 section 1.3: the initiator of the exchange retries with the group that the responder gave.
    fn retry_create_child(
        &mut self,
        host: &mut dyn Host,
        sa: IkeSpi,
        mut exchange: CreateChild,
        notify: &Notify<'_>,
    ) -> Result<(), Error> {
        let wanted = wanted_method(notify)?;
        exchange.tried.extend(exchange.key_exchange.take().map(|kex| kex.algorithm()));
        let proposals = &exchange.config.proposals;
        let is_offered = EspProposal::offers_key_exchange(proposals, host.provider(), wanted);
        if !is_offered || exchange.tried.contains(&wanted) {
            return Err(Misbehaviour::InvalidKeyExchangeRetry.into());
        }
        self.send_create_child(host, sa, exchange, Some(wanted))
    }

    /// Any CREATE_CHILD_SA request.
    pub(super) fn create_child_sa_request(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        sa: IkeSpi,
        payloads: &Payloads<'_>,
    ) -> Result<(), Error> {
        let offered = payloads.sa().ok_or(missing(PayloadType::SA))?;
        let is_ike =
            offered.proposals.first().is_some_and(|first| first.protocol == ProtocolId::IKE);
        if is_ike {
            return self.rekey_ike_request(now, host, sa, payloads);
        }
        let rekeys = match payloads.notify(NotifyType::REKEY_SA) {
            None => None,
            Some(notify) => {
                let child = notify.spi.child().and_then(|spi| self.children.by_spi_out(spi));
                let Some(child) = child.filter(|_| notify.protocol == ProtocolId::ESP) else {
                    //= RFC 7296 section 2.25: the SA is indicated by the SPI field, which is copied from
                    //= the SPI field in the REKEY_SA notification.
                    let notify_type = NotifyType::CHILD_SA_NOT_FOUND;
                    let reply = Notify { notify_type, ..notify.clone() }.into_owned();
                    self.respond(sa, [Payload::Notify(reply)].into());
                    return Ok(());
                };
                Some(child.id)
            }
        };
        let refusal = match rekeys {
            Some(child) => self.refuse_rekey_child(sa, child),
            None => self.refuse_create_child(sa),
        };
        if let Some(refusal) = refusal {
            self.respond_error(sa, refusal);
            return Ok(());
        }
        match self.grant_child(now, host, sa, rekeys, offered, payloads) {
            Ok(()) => Ok(()),
            Err(Refusal::Notify(notify_type)) => {
                self.respond_error(sa, notify_type);
                Ok(())
            }
            Err(Refusal::KeyExchange(wanted)) => {
                //= RFC 7296 section 1.3: INVALID_KE_PAYLOAD carries the number of the accepted group.
                let data = wanted.0.to_be_bytes();
                self.respond_error_with(sa, NotifyType::INVALID_KE_PAYLOAD, &data);
                Ok(())
            }
            Err(Refusal::Error(error)) => Err(error),
        }
    }

    /// Chooses from the peer's offer, derives the keys, and has the child installed; the response follows.
    fn grant_child(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        sa: IkeSpi,
        rekeys: Option<ChildId>,
        offered: &SecurityAssociation,
        payloads: &Payloads<'_>,
    ) -> Result<(), Refusal> {
        let Nonce(peer_nonce) = payloads.nonce().ok_or(missing(PayloadType::NONCE))?;
        let ts_i = payloads.ts_initiator().ok_or(missing(PayloadType::TSI))?;
        let ts_r = payloads.ts_responder().ok_or(missing(PayloadType::TSR))?;
        if self.children.len() >= MAX_CHILDREN {
            return Err(Refusal::Notify(NotifyType::NO_ADDITIONAL_SAS));
        }
        let (config, ours, theirs) = match rekeys.and_then(|id| self.children.get(id)) {
            //= RFC 7296 section 2.9.2: the responder MUST NOT narrow down the Traffic Selectors narrower
            //= than the scope currently in use.
            Some(old) => (old.config.clone(), old.local.clone(), old.remote.clone()),
            None => {
                let refusal = Refusal::Notify(NotifyType::NO_ADDITIONAL_SAS);
                let config = self.policy.child.clone().ok_or(refusal)?;
                let (local, remote) = (config.local.clone(), config.remote.clone());
                (config, local, remote)
            }
        };

        let wants_transport = payloads.notify(NotifyType::USE_TRANSPORT_MODE).is_some();
        let mode = match (config.mode, wants_transport) {
            (Mode::Transport, true) => Mode::Transport,
            (Mode::Transport, false) => {
                return Err(Refusal::Notify(NotifyType::NO_PROPOSAL_CHOSEN));
            }
            //= RFC 7296 section 1.3.1: if the responder declines the request, the Child SA will be
            //= established in tunnel mode.
            (Mode::Tunnel, _) => Mode::Tunnel,
        };
        let aggfrag = AggfragPolicy::select(&config, payloads).map_err(|error| match error {
            Error::Incompatible(_) => Refusal::Notify(NotifyType::NO_PROPOSAL_CHOSEN),
            error => Refusal::Error(error),
        })?;
        let unacceptable = Refusal::Notify(NotifyType::TS_UNACCEPTABLE);
        let remote = narrow(ts_i, &theirs).ok_or(unacceptable)?.selectors;
        let unacceptable = Refusal::Notify(NotifyType::TS_UNACCEPTABLE);
        let local = narrow(ts_r, &ours).ok_or(unacceptable)?.selectors;

        let ke = payloads.ke();
        let sent = ke.map(|ke| ke.method);
        let choice = EspChoice::select(&config.proposals, host.provider(), offered, sent, true)
            .map_err(|_| Refusal::Notify(NotifyType::NO_PROPOSAL_CHOSEN))?;
        let mut responded = None;
        if let Some(kex) = choice.key_exchange {
            let method = ke_method(kex);
            let ke = ke.filter(|ke| ke.method == method).ok_or(Refusal::KeyExchange(method))?;
            let kex = host.provider().key_exchange(kex).ok_or(Refusal::KeyExchange(method))?;
            responded = Some((method, kex.respond(host.rng(), &ke.data).map_err(Error::from)?));
        }

        let our_nonce = nonce(host.rng()).map_err(Error::from)?;
        let nonces = Nonces { initiator: peer_nonce, responder: &our_nonce };
        let shared = responded.as_ref().map(|(_, responded)| &responded.shared);
        let keys = self
            .sa(sa)
            .ok_or(Misbehaviour::UnexpectedExchange(EXCHANGE))?
            .keys
            .child_keys(choice.suite, shared, nonces)
            .map_err(Error::from)?;
        let lowest_nonce = lowest(peer_nonce, &our_nonce).to_vec();
        let spi_in = host.new_child_spi().map_err(Error::from)?;

        let mut response = Vec::new();
        if mode == Mode::Transport {
            response.push(Payload::Notify(Notify::error(NotifyType::USE_TRANSPORT_MODE)));
        }
        response.extend(AggfragPolicy::answer(&config, aggfrag));
        response.push(Payload::SecurityAssociation(choice.answer(spi_in)));
        response.push(Payload::Nonce(Nonce(our_nonce.into())));
        if let Some((method, responded)) = responded {
            let data = responded.public.into();
            response.push(Payload::KeyExchange(KeyExchange { method, data }));
        }
        response.push(Payload::TsInitiator(remote.iter().copied().collect()));
        response.push(Payload::TsResponder(local.iter().copied().collect()));

        let child = ChildSa {
            id: self.children.next_id(),
            spi_in,
            spi_out: choice.peer_spi,
            suite: choice.suite,
            esn: choice.esn,
            mode,
            aggfrag,
            local,
            remote,
            keymat_in: keys.initiator,
            keymat_out: keys.responder,
            udp_encapsulation: self.policy.udp_encapsulation,
            replaces: rekeys,
            lifetime: config.lifetime,
        };
        self.children.add(now, host.rng(), &child, config).map_err(Error::from)?;
        //= RFC 7296 section 2.25.1: if a peer receives a request to rekey a Child SA that it is currently
        //= rekeying, it SHOULD reply as usual, and SHOULD prepare to close redundant SAs later.
        if let Some(ours) = rekeys.and_then(|old| self.our_rekey_of(old)) {
            ours.peer_rekey = Some(PeerRekey { created: child.id, lowest_nonce });
        }
        self.install(child, Then::Respond { sa, payloads: response });
        Ok(())
    }

    /// Asks the embedder to install a child.
    fn install(&mut self, child: ChildSa, then: Then) {
        self.installing.push(Installing { child: child.id, then });
        self.outputs.push_back(Output::Install(child));
    }

    /// The embedder has installed a child, or will not.
    pub(super) fn child_installed(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        id: ChildId,
        result: Result<(), Error>,
    ) {
        let Some(index) = self.installing.iter().position(|waiting| waiting.child == id) else {
            return;
        };
        let Installing { then, .. } = self.installing.swap_remove(index);
        let Some(replaces) = self.children.get(id).map(|child| child.replaces) else { return };
        match (then, result) {
            (Then::Respond { sa, payloads }, Ok(())) => {
                self.respond(sa, payloads);
                self.child_granted(now, id, replaces);
            }
            (Then::Respond { sa, .. }, Err(error)) => {
                // The child is not known to the peer and never will be.
                if let Some(ours) = replaces.and_then(|old| self.our_rekey_of(old)) {
                    ours.peer_rekey.take_if(|peer| peer.created == id);
                }
                self.child_gone(host, id, CloseReason::Failed(error));
                self.respond_error(sa, NotifyType::TEMPORARY_FAILURE);
            }
            (Then::Announce { is_redundant: true }, _) => {
                if let Some(child) = self.children.get_mut(id) {
                    child.state = ChildState::Redundant;
                }
                self.delete_child_next(id, CloseReason::Rekeyed);
            }
            (Then::Announce { is_redundant: false }, Ok(())) => {
                if let Some(child) = self.children.get_mut(id) {
                    child.state = ChildState::Up;
                }
                self.emit(Event::ChildEstablished { child: id, replaces });
                //= RFC 7296 section 2.8.1: the node that initiated the surviving rekeyed SA should delete
                //= the replaced SA after the new one is established.
                if let Some(old) = replaces {
                    self.delete_child_next(old, CloseReason::Rekeyed);
                }
            }
            (Then::Announce { is_redundant: false }, Err(error)) => {
                if let Some(old) = replaces.and_then(|old| self.children.get_mut(old)) {
                    old.revive();
                }
                if let Some(child) = self.children.get_mut(id) {
                    child.state = ChildState::Deleting;
                }
                self.delete_child_next(id, CloseReason::Failed(error.clone()));
                self.emit(Event::ChildFailed(error));
            }
        }
    }

    /// A child that the peer asked for is installed and the peer knows.
    fn child_granted(&mut self, now: Instant, id: ChildId, replaces: Option<ChildId>) {
        let state = if replaces.is_some() { ChildState::Standby } else { ChildState::Up };
        let is_redundant = self.children.get(id).is_some_and(|child| child.closing.is_some());
        if let Some(child) = self.children.get_mut(id)
            && !is_redundant
        {
            child.state = state;
        }
        match replaces {
            None => self.emit(Event::ChildEstablished { child: id, replaces: None }),
            Some(old) => {
                // With our own rekey of it under way, the old one's fate is open.
                if self.our_rekey_of(old).is_none()
                    && let Some(old) = self.children.get_mut(old)
                    && old.is_up()
                {
                    old.retire(ChildState::Replaced, CloseReason::Rekeyed);
                    old.end_by(now + REPLACED_TIMEOUT);
                }
            }
        }
    }

    /// True if the peer waits for the response to its request for a child on this IKE SA.
    pub(super) fn is_granting(&self, sa: IkeSpi) -> bool {
        let waits = |then: &Then| matches!(then, Then::Respond { sa: on, .. } if *on == sa);
        self.installing.iter().any(|waiting| waits(&waiting.then))
    }
}

/// Why a child is not granted.
enum Refusal {
    /// An error that the peer is told and that changes nothing else.
    Notify(NotifyType),
    /// Another key exchange method is wanted.
    KeyExchange(KeMethod),
    /// The request breaks the protocol, or something ran out here.
    Error(Error),
}

impl<E: Into<Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        match error.into() {
            // What ran out here may be back later.
            Error::Resources(_) => Self::Notify(NotifyType::TEMPORARY_FAILURE),
            error => Self::Error(error),
        }
    }
}

const EXCHANGE: ExchangeType = ExchangeType::CREATE_CHILD_SA;

pub(super) fn missing(payload: PayloadType) -> Misbehaviour {
    Misbehaviour::MissingPayload(payload)
}

/// The method that an INVALID_KE_PAYLOAD notification asks for.
pub(super) fn wanted_method(notify: &Notify<'_>) -> Result<KexAlgorithm, Error> {
    let group = <[u8; 2]>::try_from(&*notify.data).map(u16::from_be_bytes);
    let wanted = group.ok().and_then(|group| kex_algorithm(KeMethod(group)));
    wanted.ok_or(Error::Misbehaved(Misbehaviour::InvalidKeyExchangeRetry))
}

impl fmt::Debug for CreateChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateChild")
            .field("rekeys", &self.rekeys)
            .field("spi_in", &self.spi_in)
            .field("peer_rekey", &self.peer_rekey)
            .finish_non_exhaustive()
    }
}
