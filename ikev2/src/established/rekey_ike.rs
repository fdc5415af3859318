//! CREATE_CHILD_SA for the IKE SA itself, in both roles: RFC 7296 sections 1.3.2, 2.8.2 and 2.18.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use adit_platform::kex::{ActiveKeyExchange, KexAlgorithm};
use adit_platform::{Instant, Secret};

use super::collision::{PeerRekey, lowest};
use super::create_child::{missing, wanted_method};
use super::{
    Command, Established, Exchange, Host, IkeSa, Output, REPLACED_TIMEOUT, SaRole, Task, nonce,
};
use crate::channel::Spis;
use crate::error::{Error, Misbehaviour};
use crate::event::{CloseReason, Event};
use crate::keys::{IkeKeys, Nonces, Protector};
use crate::negotiate::{IkeChoice, IkeProposal, ke_method};
use crate::wire::{
    ExchangeType, IkeSpi, KeyExchange, Nonce, Notify, NotifyType, Payload, PayloadType, Payloads,
    SecurityAssociation, Spi,
};

/// How long a rekey waits for a child that the peer is creating on the same IKE SA.
const WAIT_FOR_PEER: Duration = Duration::from_secs(1);

/// Our request to rekey the IKE SA, which has no response yet.
pub(super) struct RekeyIke {
    /// Our SPI of the new IKE SA.
    pub(super) spi: IkeSpi,
    nonce: Vec<u8>,
    offered: SecurityAssociation,
    key_exchange: Box<dyn ActiveKeyExchange>,
    tried: Vec<KexAlgorithm>,
    attempts: u8,
    /// The peer's rekey of the same IKE SA, if it came in the meantime.
    peer: Option<PeerRekey<IkeSpi>>,
}

impl RekeyIke {
    /// The IKE SA that the peer rekeyed into while this request was under way.
    pub(super) fn peer_rekey(&self) -> Option<IkeSpi> {
        self.peer.as_ref().map(|peer| peer.created)
    }
}

impl Established {
    /// Sends the request of a [`Command::RekeyIke`].
    pub(super) fn start_rekey_ike(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        sa: IkeSpi,
        task: &Task,
    ) -> Result<(), Error> {
        if self.is_granting(sa) {
            let not_before = Some(now + WAIT_FOR_PEER);
            let (command, attempts) = (Command::RekeyIke, task.attempts);
            self.tasks.push_back(Task { command, not_before, attempts });
            return Ok(());
        }
        let proposals = &self.policy.ike_proposals;
        let Some(first) = IkeProposal::first_key_exchange(proposals, host.provider()) else {
            return Ok(());
        };
        self.send_rekey_ike(host, sa, first, Vec::new(), task.attempts, None)
    }

    fn send_rekey_ike(
        &mut self,
        host: &mut dyn Host,
        sa: IkeSpi,
        method: KexAlgorithm,
        tried: Vec<KexAlgorithm>,
        attempts: u8,
        peer: Option<PeerRekey<IkeSpi>>,
    ) -> Result<(), Error> {
        let retry = Misbehaviour::InvalidKeyExchangeRetry;
        let kex = host.provider().key_exchange(method).ok_or(retry)?;
        let key_exchange = kex.start(host.rng())?;
        let nonce = nonce(host.rng())?;
        let spi = host.new_ike_spi()?;
        let proposals = &self.policy.ike_proposals;
        let offered = IkeProposal::offer(proposals, host.provider(), Spi::Ike(spi));
        let ke =
            KeyExchange { method: ke_method(method), data: key_exchange.public().to_vec().into() };
        let payloads = Vec::from([
            Payload::SecurityAssociation(offered.clone()),
            Payload::Nonce(Nonce(nonce.clone().into())),
            Payload::KeyExchange(ke),
        ]);
        let exchange = RekeyIke { spi, nonce, offered, key_exchange, tried, attempts, peer };
        let exchange = Exchange::RekeyIke(Box::new(exchange));
        self.request(sa, ExchangeType::CREATE_CHILD_SA, payloads.into(), exchange);
        Ok(())
    }

    /// The response to our request to rekey the IKE SA.
    pub(super) fn rekey_ike_response(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        old: IkeSpi,
        exchange: RekeyIke,
        payloads: &Payloads<'_>,
    ) {
        let spi = exchange.spi;
        if let Some(notify) = payloads.error_notify() {
            host.release_ike_spi(spi);
            return self.rekey_ike_refused(now, host, old, exchange, notify);
        }
        match self.accept_ike(now, host, old, exchange, payloads) {
            Ok(None) => {
                // The peer deletes what it created; we delete what ours replaces.
                self.succeed(now, spi);
                let is_theirs =
                    |sa: &&mut IkeSa| sa.role == SaRole::Candidate && sa.spis.local() != spi;
                for sa in self.sas.iter_mut().filter(is_theirs) {
                    sa.role = SaRole::Replaced;
                    sa.soft = None;
                    sa.hard = Some(now + REPLACED_TIMEOUT);
                }
                self.set_role(old, SaRole::Deleting);
            }
            // Ours holds the lowest nonce: it is redundant, and ours to delete.
            Ok(Some(theirs)) => {
                self.set_role(spi, SaRole::Deleting);
                self.succeed(now, theirs);
            }
            //= RFC 7296 section 3.3.6: the initiator of an exchange MUST check that the accepted offer is
            //= consistent with one of its proposals, and if not MUST terminate the exchange.
            Err(error) => {
                host.release_ike_spi(spi);
                self.close(CloseReason::Failed(error), true);
            }
        }
    }

    /// Derives the keys of the IKE SA that the response describes. Returns the one of the peer's rekey if
    /// that is to survive instead.
    fn accept_ike(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        old: IkeSpi,
        exchange: RekeyIke,
        payloads: &Payloads<'_>,
    ) -> Result<Option<IkeSpi>, Error> {
        let answer = payloads.sa().ok_or(missing(PayloadType::SA))?;
        let Nonce(peer_nonce) = payloads.nonce().ok_or(missing(PayloadType::NONCE))?;
        let ke = payloads.ke().ok_or(missing(PayloadType::KE))?;
        let choice = IkeChoice::confirm(&exchange.offered, answer)
            .map_err(|_| Misbehaviour::SelectedUnofferedTransform)?;
        let ours = exchange.key_exchange;
        if choice.key_exchange != ours.algorithm() || ke.method != ke_method(ours.algorithm()) {
            return Err(Misbehaviour::InvalidPayload(PayloadType::KE).into());
        }
        let shared = ours.complete(&ke.data)?;
        let nonces = Nonces { initiator: &exchange.nonce, responder: peer_nonce };
        self.open_sa(now, host, old, &choice, &shared, nonces, (exchange.spi, true))?;
        let our_lowest = lowest(&exchange.nonce, peer_nonce);
        let theirs = exchange.peer.filter(|peer| peer.makes_ours_redundant(our_lowest));
        Ok(theirs.map(|peer| peer.created))
    }

    /// The peer refused our request to rekey the IKE SA.
    fn rekey_ike_refused(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        old: IkeSpi,
        exchange: RekeyIke,
        notify: &Notify<'_>,
    ) {
        // The peer's own rekey makes ours needless, whatever stood in its way.
        if let Some(theirs) = exchange.peer_rekey() {
            return self.succeed(now, theirs);
        }
        let attempts = exchange.attempts.saturating_add(1);
        match notify.notify_type {
            NotifyType::INVALID_KE_PAYLOAD => {
                if let Err(error) = self.retry_rekey_ike(host, old, exchange, notify) {
                    self.close(CloseReason::Failed(error), true);
                }
            }
            NotifyType::TEMPORARY_FAILURE => {
                self.retry_later(now, host, Command::RekeyIke, attempts);
            }
            // A peer that does not rekey: the IKE SA lives until its lifetime ends it.
            _ => {}
        }
    }

    fn retry_rekey_ike(
        &mut self,
        host: &mut dyn Host,
        old: IkeSpi,
        exchange: RekeyIke,
        notify: &Notify<'_>,
    ) -> Result<(), Error> {
        let wanted = wanted_method(notify)?;
        let mut tried = exchange.tried;
        tried.push(exchange.key_exchange.algorithm());
        let proposals = &self.policy.ike_proposals;
        let is_offered = IkeProposal::offers_key_exchange(proposals, host.provider(), wanted);
        if !is_offered || tried.contains(&wanted) {
            return Err(Misbehaviour::InvalidKeyExchangeRetry.into());
        }
        self.send_rekey_ike(host, old, wanted, tried, exchange.attempts, exchange.peer)
    }

    /// The peer's request to rekey the IKE SA with our SPI `old`.
    pub(super) fn rekey_ike_request(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        old: IkeSpi,
        payloads: &Payloads<'_>,
    ) -> Result<(), Error> {
        if let Some(refusal) = self.refuse_rekey_ike(old) {
            self.respond_error(old, refusal);
            return Ok(());
        }
        let offered = payloads.sa().ok_or(missing(PayloadType::SA))?;
        let Nonce(peer_nonce) = payloads.nonce().ok_or(missing(PayloadType::NONCE))?;
        //= RFC 7296 section 1.3.2: the KEi payload MUST be included.
        let ke = payloads.ke().ok_or(missing(PayloadType::KE))?;
        let proposals = &self.policy.ike_proposals;
        let choice = IkeChoice::select(proposals, host.provider(), offered, Some(ke.method));
        let choice = match choice {
            Ok(choice) if matches!(choice.peer_spi, Spi::Ike(spi) if !spi.is_zero()) => choice,
            _ => {
                self.respond_error(old, NotifyType::NO_PROPOSAL_CHOSEN);
                return Ok(());
            }
        };
        let method = ke_method(choice.key_exchange);
        let kex = host.provider().key_exchange(choice.key_exchange);
        let Some(kex) = kex.filter(|_| method == ke.method) else {
            let data = method.0.to_be_bytes();
            self.respond_error_with(old, NotifyType::INVALID_KE_PAYLOAD, &data);
            return Ok(());
        };
        let responded = kex.respond(host.rng(), &ke.data)?;
        let our_nonce = nonce(host.rng())?;
        let spi = host.new_ike_spi()?;
        let nonces = Nonces { initiator: peer_nonce, responder: &our_nonce };
        let opened = self.open_sa(now, host, old, &choice, &responded.shared, nonces, (spi, false));
        if let Err(error) = opened {
            host.release_ike_spi(spi);
            return Err(error);
        }
        let lowest_nonce = lowest(peer_nonce, &our_nonce).to_vec();
        let ke = KeyExchange { method, data: responded.public.into() };
        let response = Vec::from([
            Payload::SecurityAssociation(choice.answer(Spi::Ike(spi))),
            Payload::Nonce(Nonce(our_nonce.into())),
            Payload::KeyExchange(ke),
        ]);
        self.respond(old, response);
        match self.sa_mut(old).and_then(|sa| sa.outstanding.as_mut()) {
            //= RFC 7296 section 2.25.2: it SHOULD reply as usual, and SHOULD prepare to close redundant SAs
            //= and move inherited Child SAs later based on the nonces.
            Some(Exchange::RekeyIke(ours)) => {
                ours.peer = Some(PeerRekey { created: spi, lowest_nonce });
            }
            _ => self.succeed(now, spi),
        }
        Ok(())
    }

    /// Derives the keys of a new IKE SA and has a channel opened for it. `spi` is ours, with whether we
    /// initiated the rekey and so are the new "original initiator".
    #[expect(clippy::too_many_arguments, reason = "each is one input of RFC 7296 section 2.18")]
    fn open_sa(
        &mut self,
        now: Instant,
        host: &mut dyn Host,
        old: IkeSpi,
        choice: &IkeChoice,
        shared: &Secret,
        nonces: Nonces<'_>,
        (spi, we_initiated): (IkeSpi, bool),
    ) -> Result<(), Error> {
        let invalid = Misbehaviour::InvalidPayload(PayloadType::SA);
        let peer_spi = choice.peer_spi.ike().filter(|spi| !spi.is_zero()).ok_or(invalid.clone())?;
        let (initiator, responder) = if we_initiated { (spi, peer_spi) } else { (peer_spi, spi) };
        let old = &self.sa(old).ok_or(invalid)?.keys;
        let keys = IkeKeys::rekeyed(
            host.provider(),
            old,
            choice.prf,
            choice.suite,
            shared,
            nonces,
            (initiator, responder),
        )?;
        let protector = Protector::new(host.provider(), &keys, we_initiated)
            .map_err(|_| Misbehaviour::SelectedUnofferedTransform)?;
        let key_log = host.key_log().then(|| keys.dangerous_key_log_line(initiator, responder));
        let spis = Spis { initiator, responder, we_initiated };
        self.add_sa(now, host, spis, keys.into_sk_d(), SaRole::Candidate)?;
        self.outputs.push_back(Output::NewIkeSa { spis, protector, key_log });
        Ok(())
    }

    /// Makes the IKE SA with our SPI `spi` the one that inherits the children and all that is to be done.
    pub(super) fn succeed(&mut self, now: Instant, spi: IkeSpi) {
        for sa in &mut self.sas {
            if sa.spis.local() == spi {
                sa.role = SaRole::Current;
            } else if sa.role == SaRole::Current {
                sa.role = SaRole::Replaced;
                sa.soft = None;
                sa.hard = Some(now + REPLACED_TIMEOUT);
            }
        }
        if let Some(Spis { initiator, responder, .. }) = self.sa(spi).map(|sa| sa.spis) {
            self.emit(Event::IkeRekeyed { initiator_spi: initiator, responder_spi: responder });
        }
    }

    fn set_role(&mut self, spi: IkeSpi, role: SaRole) {
        if let Some(sa) = self.sa_mut(spi) {
            sa.role = role;
        }
    }
}

impl fmt::Debug for RekeyIke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RekeyIke")
            .field("spi", &self.spi)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}
