//! The responder's choice among proposals, and the initiator's check of it: RFC 7296 sections 2.7, 3.3.6.

use alloc::vec::Vec;
use core::fmt;

use adit_platform::kex::KexAlgorithm;
use adit_platform::prf::PrfAlgorithm;
use adit_platform::{Provider, Suite};

use super::algorithm::{Encryption, ke_method, kex_algorithm, mac_algorithm, prf_algorithm};
use super::proposal::{EspProposal, IkeProposal, sequence_numbers_id};
use crate::wire::{
    IntegrityId, KeMethod, PrfId, Proposal, ProtocolId, SecurityAssociation, SequenceNumbersId,
    Spi, Transform, TransformType,
};

/// The algorithms of an IKE SA.
#[derive(Clone, Debug)]
pub(crate) struct IkeChoice {
    pub(crate) suite: Suite,
    pub(crate) prf: PrfAlgorithm,
    pub(crate) key_exchange: KexAlgorithm,
    /// The peer's SPI: none in IKE_SA_INIT.
    pub(crate) peer_spi: Spi,
    accepted: Proposal,
}

/// The algorithms of a Child SA.
#[derive(Clone, Debug)]
pub(crate) struct EspChoice {
    pub(crate) suite: Suite,
    /// The key exchange of its own, if it has one.
    pub(crate) key_exchange: Option<KexAlgorithm>,
    /// Extended sequence numbers.
    pub(crate) esn: bool,
    /// The SPI that the peer receives with.
    pub(crate) peer_spi: u32,
    accepted: Proposal,
}

/// None of the peer's proposals is acceptable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoProposalChosen;

impl fmt::Display for NoProposalChosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("none of the peer's proposals is acceptable")
    }
}

impl core::error::Error for NoProposalChosen {}

/// The responder's choice is not one that we offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ChoiceError {
    /// The SA payload does not hold exactly one proposal.
    NotOneProposal,
    /// Its number, protocol or SPI is not that of a proposal of ours.
    UnofferedProposal,
    /// It does not hold exactly one transform of each type that was offered.
    IncompleteSuite,
    /// It holds a transform that was not offered, or with changed attributes.
    UnofferedTransform,
}

impl fmt::Display for ChoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOneProposal => "the responder did not choose exactly one proposal",
            Self::UnofferedProposal => "the responder chose a proposal that was not offered",
            Self::IncompleteSuite => "the responder did not choose one transform of each type",
            Self::UnofferedTransform => "the responder chose a transform that was not offered",
        })
    }
}

impl core::error::Error for ChoiceError {}

impl IkeChoice {
    /// As responder: the first of the initiator's proposals that we accept, and in it the first transform
    /// of each type that we accept, so the initiator's preference decides among what both allow.
    ///
    /// The method of its KE payload, `sent`, comes before its other acceptable methods: another would cost
    /// a round trip for nothing that we prefer. If [`key_exchange`](Self::key_exchange) is another than
    /// `sent`, it has to be demanded with INVALID_KE_PAYLOAD.
    pub(crate) fn select(
        proposals: &[IkeProposal],
        provider: &Provider,
        offered: &SecurityAssociation,
        sent: Option<KeMethod>,
    ) -> Result<Self, NoProposalChosen> {
        let ours = available(proposals, |proposal| proposal.available(provider));
        let mut choices = offered.proposals.iter().filter_map(|offer| {
            let types = Types::of(offer, ProtocolId::IKE)?;
            ours.iter().find_map(|own| {
                let (suite, mut accepted) = types.suite(&own.suites)?;
                let (prf, transform) = types.first(TransformType::PRF, |id| {
                    prf_algorithm(PrfId(id)).filter(|prf| own.prfs.contains(prf))
                })?;
                accepted.push(transform.clone());
                let kex = types.key_exchange(&own.key_exchanges, sent)?;
                accepted.push(kex.1.clone());
                Some(Self {
                    suite,
                    prf,
                    key_exchange: kex.0,
                    peer_spi: offer.spi,
                    accepted: Proposal { transforms: accepted, ..*offer },
                })
            })
        });
        choices.next().ok_or(NoProposalChosen)
    }

    /// As initiator: what the responder chose out of `offered`.
    pub(crate) fn confirm(
        offered: &SecurityAssociation,
        answer: &SecurityAssociation,
    ) -> Result<Self, ChoiceError> {
        let accepted = check(offered, answer)?;
        let types = Types::of(accepted, ProtocolId::IKE).ok_or(ChoiceError::UnofferedProposal)?;
        let chosen = || {
            let suite = types.the_suite()?;
            let prf = types.first(TransformType::PRF, |id| prf_algorithm(PrfId(id)))?.0;
            let kex = types.first(TransformType::KEY_EXCHANGE, |id| kex_algorithm(KeMethod(id)))?.0;
            Some((suite, prf, kex))
        };
        let (suite, prf, key_exchange) = chosen().ok_or(ChoiceError::IncompleteSuite)?;
        Ok(Self { suite, prf, key_exchange, peer_spi: accepted.spi, accepted: accepted.clone() })
    }

    /// The SA payload that tells the initiator, with our own SPI if the SA is rekeyed.
    pub(crate) fn answer(&self, spi: Spi) -> SecurityAssociation {
        SecurityAssociation { proposals: [Proposal { spi, ..self.accepted.clone() }].into() }
    }
}

impl EspChoice {
    /// As responder: see [`IkeChoice::select`]. `sent` is nothing if there was no KE payload;
    /// `key_exchange` is false in IKE_AUTH, which cannot carry one.
    pub(crate) fn select(
        proposals: &[EspProposal],
        provider: &Provider,
        offered: &SecurityAssociation,
        sent: Option<KeMethod>,
        key_exchange: bool,
    ) -> Result<Self, NoProposalChosen> {
        let ours = available(proposals, |proposal| proposal.available(provider));
        let mut choices = offered.proposals.iter().filter_map(|offer| {
            let types = Types::of(offer, ProtocolId::ESP)?;
            let peer_spi = offer.spi.child()?;
            ours.iter().find_map(|own| {
                let (suite, mut accepted) = types.suite(&own.suites)?;
                let kex = if key_exchange {
                    types.optional_key_exchange(own, sent)?
                } else {
                    types.none()?
                };
                accepted.extend(kex.1.cloned());
                let (esn, transform) = types.first(TransformType::SEQUENCE_NUMBERS, |id| {
                    let mut known = [true, false].into_iter();
                    let esn = known.find(|esn| sequence_numbers_id(*esn).0 == id)?;
                    own.sequence_numbers.allows(esn).then_some(esn)
                })?;
                accepted.push(transform.clone());
                Some(Self {
                    suite,
                    key_exchange: kex.0,
                    esn,
                    peer_spi,
                    accepted: Proposal { transforms: accepted, ..*offer },
                })
            })
        });
        choices.next().ok_or(NoProposalChosen)
    }

    /// As initiator: what the responder chose out of `offered`.
    pub(crate) fn confirm(
        offered: &SecurityAssociation,
        answer: &SecurityAssociation,
    ) -> Result<Self, ChoiceError> {
        let accepted = check(offered, answer)?;
        let types = Types::of(accepted, ProtocolId::ESP).ok_or(ChoiceError::UnofferedProposal)?;
        let peer_spi = accepted.spi.child().ok_or(ChoiceError::UnofferedProposal)?;
        let suite = types.the_suite().ok_or(ChoiceError::IncompleteSuite)?;
        let key_exchange = types
            .first(TransformType::KEY_EXCHANGE, |id| kex_algorithm(KeMethod(id)))
            .map(|(kex, _)| kex);
        let esn = types
            .first(TransformType::SEQUENCE_NUMBERS, |id| match SequenceNumbersId(id) {
                SequenceNumbersId::ESN => Some(true),
                SequenceNumbersId::NO_ESN => Some(false),
                _ => None,
            })
            .ok_or(ChoiceError::IncompleteSuite)?
            .0;
        Ok(Self { suite, key_exchange, esn, peer_spi, accepted: accepted.clone() })
    }

    /// The SA payload that tells the initiator that we receive with `spi`.
    pub(crate) fn answer(&self, spi: u32) -> SecurityAssociation {
        let proposal = Proposal { spi: Spi::Child(spi), ..self.accepted.clone() };
        SecurityAssociation { proposals: [proposal].into() }
    }
}

fn available<P>(proposals: &[P], available: impl Fn(&P) -> Option<P>) -> Vec<P> {
    proposals.iter().filter_map(available).collect()
}

/// The one proposal of `answer`, if it was chosen from `offered` by the rules.
//= RFC 7296 section 3.3.6: the initiator of an exchange MUST check that the accepted offer is consistent
//= with one of its proposals, and if not MUST terminate the exchange.
fn check<'a>(
    offered: &SecurityAssociation,
    answer: &'a SecurityAssociation,
) -> Result<&'a Proposal, ChoiceError> {
    let [accepted] = answer.proposals.as_slice() else {
        return Err(ChoiceError::NotOneProposal);
    };
    let offer = offered
        .proposals
        .iter()
        .find(|offer| offer.number == accepted.number)
        .filter(|offer| {
            offer.protocol == accepted.protocol && offer.spi.len() == accepted.spi.len()
        })
        .ok_or(ChoiceError::UnofferedProposal)?;
    for transform in &accepted.transforms {
        if !offer.transforms.contains(transform) {
            return Err(ChoiceError::UnofferedTransform);
        }
    }
    //= RFC 7296 section 2.7: the accepted cryptographic suite MUST contain exactly one transform of each
    //= type included in the proposal.
    for offered in &offer.transforms {
        let transform_type = offered.transform_type;
        let of_type = |transform: &&Transform| transform.transform_type == transform_type;
        // A responder that takes NONE may leave the whole type out (RFC 7296 section 3.3.3).
        let optional = offer.transforms.contains(&Transform::new(transform_type, 0))
            && matches!(transform_type, TransformType::KEY_EXCHANGE | TransformType::INTEGRITY);
        match accepted.transforms.iter().filter(of_type).count() {
            1 => {}
            0 if optional => {}
            _ => return Err(ChoiceError::IncompleteSuite),
        }
    }
    Ok(accepted)
}

/// The transforms of one proposal, all of known types.
struct Types<'a> {
    transforms: &'a [Transform],
}

impl<'a> Types<'a> {
    /// Nothing if the proposal is for another protocol or has a transform type that is unknown to that.
    //= RFC 7296 section 3.3.6: a proposal that contains a Transform Type it does not understand, or is
    //= missing a mandatory Transform Type, MUST be considered unacceptable.
    fn of(proposal: &'a Proposal, protocol: ProtocolId) -> Option<Self> {
        let known: &[TransformType] = match protocol {
            ProtocolId::IKE => &[
                TransformType::ENCRYPTION,
                TransformType::PRF,
                TransformType::INTEGRITY,
                TransformType::KEY_EXCHANGE,
            ],
            _ => &[
                TransformType::ENCRYPTION,
                TransformType::INTEGRITY,
                TransformType::KEY_EXCHANGE,
                TransformType::SEQUENCE_NUMBERS,
            ],
        };
        let understood =
            proposal.transforms.iter().all(|transform| known.contains(&transform.transform_type));
        (proposal.protocol == protocol && understood)
            .then_some(Self { transforms: &proposal.transforms })
    }

    fn of_type(&self, transform_type: TransformType) -> impl Iterator<Item = &'a Transform> {
        self.transforms.iter().filter(move |transform| transform.transform_type == transform_type)
    }

    /// The first transform of a type without attributes whose ID `accept` knows.
    fn first<T>(
        &self,
        transform_type: TransformType,
        accept: impl Fn(u16) -> Option<T>,
    ) -> Option<(T, &'a Transform)> {
        self.of_type(transform_type)
            .filter(|transform| transform.attributes.is_empty())
            .find_map(|transform| accept(transform.id).map(|value| (value, transform)))
    }

    /// The first encryption, with the first integrity that completes it to one of `suites`.
    fn suite(&self, suites: &[Suite]) -> Option<(Suite, Vec<Transform>)> {
        self.of_type(TransformType::ENCRYPTION).find_map(|encryption| {
            let algorithm = Encryption::from_transform(encryption)?;
            if let Some(suite) = algorithm.combined() {
                let mut accepted = Vec::from([encryption.clone()]);
                accepted.extend(self.no_integrity()?.cloned());
                return suites.contains(&suite).then_some((suite, accepted));
            }
            let (suite, integrity) = self.first(TransformType::INTEGRITY, |id| {
                algorithm
                    .with(mac_algorithm(IntegrityId(id))?)
                    .filter(|suite| suites.contains(suite))
            })?;
            Some((suite, [encryption.clone(), integrity.clone()].into()))
        })
    }

    /// The only suite of an answer.
    fn the_suite(&self) -> Option<Suite> {
        let encryption = self.of_type(TransformType::ENCRYPTION).next()?;
        let algorithm = Encryption::from_transform(encryption)?;
        if let Some(suite) = algorithm.combined() {
            return self.no_integrity().map(|_| suite);
        }
        let (mac, _) = self.first(TransformType::INTEGRITY, |id| mac_algorithm(IntegrityId(id)))?;
        algorithm.with(mac)
    }

    /// What accompanies a combined-mode cipher: no integrity transform, or NONE.
    //= RFC 7296 section 3.3: combined-mode ciphers are not allowed to have any integrity algorithm other
    //= than "NONE".
    fn no_integrity(&self) -> Option<Option<&'a Transform>> {
        self.absent_or(TransformType::INTEGRITY, IntegrityId::NONE.0)
    }

    /// The type is not there (`Some(None)`), or it is and can be `none`; else nothing.
    fn absent_or(&self, transform_type: TransformType, none: u16) -> Option<Option<&'a Transform>> {
        if self.of_type(transform_type).next().is_none() {
            return Some(None);
        }
        self.first(transform_type, |id| (id == none).then_some(())).map(|(_, found)| Some(found))
    }

    /// The method that was sent, if `ours` has it, else the first that is in both.
    fn key_exchange(
        &self,
        ours: &[KexAlgorithm],
        sent: Option<KeMethod>,
    ) -> Option<(KexAlgorithm, &'a Transform)> {
        let accept = |id| kex_algorithm(KeMethod(id)).filter(|kex| ours.contains(kex));
        self.first(TransformType::KEY_EXCHANGE, |id| {
            accept(id).filter(|kex| Some(ke_method(*kex)) == sent)
        })
        .or_else(|| self.first(TransformType::KEY_EXCHANGE, accept))
    }

    /// No key exchange: the type is not there, or NONE is.
    fn none(&self) -> Option<(Option<KexAlgorithm>, Option<&'a Transform>)> {
        self.absent_or(TransformType::KEY_EXCHANGE, KeMethod::NONE.0).map(|found| (None, found))
    }

    /// A key exchange if both want one; none if neither insists.
    fn optional_key_exchange(
        &self,
        own: &EspProposal,
        sent: Option<KeMethod>,
    ) -> Option<(Option<KexAlgorithm>, Option<&'a Transform>)> {
        let common = self.key_exchange(&own.key_exchanges, sent);
        // Without a KE payload, NONE is what the initiator expects to be chosen.
        let common =
            common.filter(|_| sent.is_some() || own.require_key_exchange || self.none().is_none());
        match common {
            Some((kex, transform)) => Some((Some(kex), Some(transform))),
            None if own.require_key_exchange => None,
            None => self.none(),
        }
    }
}
