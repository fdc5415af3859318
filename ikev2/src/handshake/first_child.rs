//! The child SA that IKE_AUTH sets up besides: RFC 7296 sections 1.2, 2.9 and 2.17.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Context, Session};
use crate::child::{ChildId, ChildSa, Mode};
use crate::config::ChildConfig;
use crate::error::{Error, Incompatible, Misbehaviour, Resource};
use crate::keys::{ChildKeys, Nonces, SkD};
use crate::negotiate::{self, Aggfrag, AggfragPolicy, EspChoice, EspProposal};
use crate::wire::{
    Notify, NotifyType, Payload, PayloadType, Payloads, SecurityAssociation, Selector,
    TrafficSelector, TrafficSelectors,
};

/// A child that both ends agreed on and that has no keys yet.
pub(crate) struct Negotiated {
    pub(crate) choice: EspChoice,
    pub(crate) spi_in: u32,
    pub(crate) mode: Mode,
    /// What the peer requires of AGGFRAG payloads, if they are agreed on.
    pub(crate) aggfrag: Option<Aggfrag>,
    pub(crate) local: Vec<TrafficSelector>,
    pub(crate) remote: Vec<TrafficSelector>,
    pub(crate) policy: Arc<ChildConfig>,
}

impl Negotiated {
    /// Derives the keys. The child has no name yet: it gets 0.
    pub(crate) fn key(
        self,
        sk_d: &SkD,
        nonces: Nonces<'_>,
        we_initiated: bool,
        udp_encapsulation: bool,
    ) -> Result<(ChildSa, Arc<ChildConfig>), Error> {
        let Self { choice, spi_in, mode, aggfrag, local, remote, policy } = self;
        let ChildKeys { initiator, responder } =
            sk_d.child_keys(choice.suite, None, nonces).map_err(|_| Resource::Provider)?;
        let (theirs, ours) =
            if we_initiated { (responder, initiator) } else { (initiator, responder) };
        let child = ChildSa {
            id: ChildId(0),
            spi_in,
            spi_out: choice.peer_spi,
            suite: choice.suite,
            esn: choice.esn,
            mode,
            aggfrag,
            local,
            remote,
            keymat_in: theirs,
            keymat_out: ours,
            udp_encapsulation,
            replaces: None,
            lifetime: policy.lifetime,
        };
        Ok((child, policy))
    }
}

/// Adds what an initiator offers. Needs an SPI set aside in the session.
pub(super) fn push_offer(
    payloads: &mut Payloads<'_>,
    config: &ChildConfig,
    cx: &Context<'_>,
    spi: u32,
) -> SecurityAssociation {
    let offered = EspProposal::offer(&config.proposals, &cx.shared.provider, spi, false);
    push_mode(payloads, config.mode);
    payloads.extend(AggfragPolicy::offer(config));
    payloads.push(Payload::SecurityAssociation(offered.clone()));
    payloads.push(Payload::TsInitiator(selectors(&config.local)));
    payloads.push(Payload::TsResponder(selectors(&config.remote)));
    offered
}

/// As the initiator: what the responder made of our offer.
pub(super) fn confirm(
    payloads: &Payloads<'_>,
    config: &ChildConfig,
    offered: &SecurityAssociation,
    spi_in: u32,
) -> Result<Negotiated, Error> {
    let missing = |kind| Error::from(Misbehaviour::MissingPayload(kind));
    let Some(sa) = payloads.sa() else {
        return Err(match payloads.error_notify() {
            Some(notify) => Error::RefusedByPeer(notify.notify_type),
            None => missing(PayloadType::SA),
        });
    };
    let tsi = payloads.ts_initiator().ok_or_else(|| missing(PayloadType::TSI))?;
    let tsr = payloads.ts_responder().ok_or_else(|| missing(PayloadType::TSR))?;
    let choice =
        EspChoice::confirm(offered, sa).map_err(|_| Misbehaviour::SelectedUnofferedTransform)?;
    //= RFC 7296 section 2.9: the responder is allowed to narrow the choices to a subset.
    let narrowed = |answer: &TrafficSelectors, offer: &[TrafficSelector]| {
        !answer.selectors.is_empty() && negotiate::within(answer, offer)
    };
    if !narrowed(tsi, &config.local) || !narrowed(tsr, &config.remote) {
        return Err(Misbehaviour::SelectedUnofferedSelectors.into());
    }
    //= RFC 7296 section 1.3.1: if the responder declines, the Child SA will be in tunnel mode; if this is
    //= unacceptable to the initiator, it MUST delete the SA.
    if mode(payloads) != config.mode {
        return Err(Incompatible::Mode.into());
    }
    let aggfrag = AggfragPolicy::confirm(config, payloads)?;
    Ok(Negotiated {
        choice,
        spi_in,
        mode: config.mode,
        aggfrag,
        local: tsi.ranges().collect(),
        remote: tsr.ranges().collect(),
        policy: Arc::new(config.clone()),
    })
}

/// As the responder: what of the initiator's offer fits our policy.
pub(super) fn accept(
    payloads: &Payloads<'_>,
    config: ChildConfig,
    session: &mut Session,
    cx: &mut Context<'_>,
) -> Result<Negotiated, Error> {
    let missing = |kind| Error::from(Misbehaviour::MissingPayload(kind));
    let sa = payloads.sa().ok_or_else(|| missing(PayloadType::SA))?;
    let tsi = payloads.ts_initiator().ok_or_else(|| missing(PayloadType::TSI))?;
    let tsr = payloads.ts_responder().ok_or_else(|| missing(PayloadType::TSR))?;
    let choice = EspChoice::select(&config.proposals, &cx.shared.provider, sa, None, false)
        .map_err(|_| Incompatible::NoProposalChosen)?;
    let narrow = |offer, policy: &[TrafficSelector]| {
        let narrowed = negotiate::narrow(offer, policy).ok_or(Incompatible::TrafficSelectors)?;
        Ok::<_, Error>(narrowed.selectors)
    };
    let (remote, local) = (narrow(tsi, &config.remote)?, narrow(tsr, &config.local)?);
    // Transport mode is a wish of the initiator, granted if the policy says the same; tunnel mode cannot be
    // turned into anything else.
    let mode = match (config.mode, mode(payloads)) {
        (Mode::Transport, Mode::Tunnel) => return Err(Incompatible::Mode.into()),
        (ours, _) => ours,
    };
    let aggfrag = AggfragPolicy::select(&config, payloads)?;
    let spi_in = cx.shared.spis.new_child(&mut *cx.shared.rng)?;
    session.child_spi = Some(spi_in);
    Ok(Negotiated { choice, spi_in, mode, aggfrag, local, remote, policy: Arc::new(config) })
}

/// Adds what a responder answers.
pub(super) fn push_answer(payloads: &mut Payloads<'_>, child: &Negotiated) {
    push_mode(payloads, child.mode);
    payloads.extend(AggfragPolicy::answer(&child.policy, child.aggfrag));
    payloads.push(Payload::SecurityAssociation(child.choice.answer(child.spi_in)));
    payloads.push(Payload::TsInitiator(selectors(&child.remote)));
    payloads.push(Payload::TsResponder(selectors(&child.local)));
}

fn push_mode(payloads: &mut Payloads<'_>, mode: Mode) {
    if mode == Mode::Transport {
        payloads.push(Payload::Notify(Notify::status(NotifyType::USE_TRANSPORT_MODE, &[])));
    }
}

fn mode(payloads: &Payloads<'_>) -> Mode {
    match payloads.notify(NotifyType::USE_TRANSPORT_MODE) {
        Some(_) => Mode::Transport,
        None => Mode::Tunnel,
    }
}

fn selectors(ranges: &[TrafficSelector]) -> TrafficSelectors {
    TrafficSelectors { selectors: ranges.iter().copied().map(Selector::Range).collect() }
}
