//! Which algorithms may be used, and how that is offered.

use alloc::vec;
use alloc::vec::Vec;

use adit_platform::aead::AeadAlgorithm;
use adit_platform::cipher::CipherAlgorithm;
use adit_platform::kex::KexAlgorithm;
use adit_platform::mac::MacAlgorithm;
use adit_platform::prf::PrfAlgorithm;
use adit_platform::{Provider, Suite};

use super::algorithm::{Encryption, integrity_id, ke_method, prf_id};
use crate::wire::{
    IntegrityId, KeMethod, Proposal, ProtocolId, SecurityAssociation, SequenceNumbersId, Spi,
    Transform, TransformType,
};

/// Algorithms for an IKE SA, each list in order of preference. Any of one list goes with any of another.
///
/// On the wire it becomes one proposal for the combined-mode suites and one for each integrity algorithm
/// (RFC 7296 section 3.3), so that exactly the suites that are listed can be chosen.
///
/// ```
/// use adit_ikev2::negotiate::IkeProposal;
/// use adit_platform::kex::KexAlgorithm;
///
/// let modern = IkeProposal {
///     key_exchanges: vec![KexAlgorithm::X25519, KexAlgorithm::P384],
///     ..IkeProposal::recommended()
/// };
/// assert!(!modern.suites.is_empty());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IkeProposal {
    /// How messages are protected. Suites that are not [for IKE](Suite::is_for_ike) are passed over.
    pub suites: Vec<Suite>,
    /// The pseudorandom functions.
    pub prfs: Vec<PrfAlgorithm>,
    /// The key exchange methods.
    pub key_exchanges: Vec<KexAlgorithm>,
}

/// Algorithms for a Child SA, each list in order of preference.
///
/// ```
/// use adit_ikev2::negotiate::{EspProposal, SequenceNumbers};
///
/// // For a packet path that cannot do extended sequence numbers.
/// let proposal = EspProposal {
///     sequence_numbers: SequenceNumbers::Short,
///     ..EspProposal::recommended()
/// };
/// assert!(!proposal.suites.is_empty());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EspProposal {
    /// How packets are protected. A suite with an implicit IV goes before the same one without, because the
    /// initiator's preference decides and few responders know it (RFC 8750 section 5); it is not for
    /// Child SAs that several senders share.
    pub suites: Vec<Suite>,
    /// The methods for a key exchange of the Child SA's own (perfect forward secrecy). Does not apply to
    /// the Child SA that IKE_AUTH creates, whose keys come from the key exchange of the IKE SA.
    pub key_exchanges: Vec<KexAlgorithm>,
    /// Whether a Child SA must not do without a key exchange of its own. If not, it is done if both ends
    /// list a method, and left out otherwise.
    pub require_key_exchange: bool,
    /// 32 or 64 bits.
    pub sequence_numbers: SequenceNumbers,
}

/// Which lengths of ESP sequence numbers may be used: RFC 4303 section 2.2.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SequenceNumbers {
    /// 64 bits if the peer has them, else 32.
    #[default]
    ExtendedOrShort,
    /// 64 bits.
    Extended,
    /// 32 bits.
    Short,
}

impl SequenceNumbers {
    /// True if ESN (`true`) or short numbers (`false`) may be used.
    pub(super) fn allows(self, extended: bool) -> bool {
        match self {
            Self::ExtendedOrShort => true,
            Self::Extended => extended,
            Self::Short => !extended,
        }
    }
}

impl IkeProposal {
    /// Everything that RFC 8247 leaves at MUST or SHOULD and that is implemented, the strongest first.
    pub fn recommended() -> Self {
        Self {
            suites: recommended_suites(),
            prfs: vec![
                PrfAlgorithm::HmacSha2_256,
                PrfAlgorithm::HmacSha2_384,
                PrfAlgorithm::HmacSha2_512,
            ],
            key_exchanges: vec![
                KexAlgorithm::X25519,
                KexAlgorithm::P256,
                KexAlgorithm::P384,
                KexAlgorithm::Modp3072,
                KexAlgorithm::Modp4096,
                KexAlgorithm::Modp2048,
            ],
        }
    }

    /// What is offered and accepted unless configured: the [recommended](Self::recommended) algorithms.
    pub fn defaults() -> Vec<Self> {
        vec![Self::recommended()]
    }

    /// This proposal without what `provider` cannot run, and without suites that are for ESP alone; nothing
    /// if one of the lists becomes empty.
    pub(super) fn available(&self, provider: &Provider) -> Option<Self> {
        let available = Self {
            suites: kept(&self.suites, |suite| suite.is_for_ike() && provider.supports(*suite)),
            prfs: kept(&self.prfs, |prf| provider.prf(*prf).is_some()),
            key_exchanges: kept(&self.key_exchanges, |kex| provider.key_exchange(*kex).is_some()),
        };
        let complete = !available.suites.is_empty()
            && !available.prfs.is_empty()
            && !available.key_exchanges.is_empty();
        complete.then_some(available)
    }

    /// The SA payload that offers `proposals`; `spi` is none in IKE_SA_INIT, and our new SPI in a rekey.
    pub(crate) fn offer(proposals: &[Self], provider: &Provider, spi: Spi) -> SecurityAssociation {
        let mut offer = Offer::default();
        for proposal in proposals.iter().filter_map(|proposal| proposal.available(provider)) {
            for group in groups(&proposal.suites) {
                let mut transforms = Vec::new();
                group.push_encryption(&mut transforms);
                for prf in proposal.prfs.iter().filter_map(|prf| prf_id(*prf)) {
                    transforms.push(Transform::new(TransformType::PRF, prf.0));
                }
                group.push_integrity(&mut transforms);
                push_key_exchanges(&proposal.key_exchanges, &mut transforms);
                offer.push(ProtocolId::IKE, spi, transforms);
            }
        }
        offer.sa
    }

    /// The key exchange method that an initiator starts with.
    pub(crate) fn first_key_exchange(
        proposals: &[Self],
        provider: &Provider,
    ) -> Option<KexAlgorithm> {
        let available = proposals.iter().find_map(|proposal| proposal.available(provider))?;
        available.key_exchanges.first().copied()
    }

    /// True if `kex` is among what is offered.
    pub(crate) fn offers_key_exchange(
        proposals: &[Self],
        provider: &Provider,
        kex: KexAlgorithm,
    ) -> bool {
        let mut available = proposals.iter().filter_map(|proposal| proposal.available(provider));
        available.any(|proposal| proposal.key_exchanges.contains(&kex))
    }
}

impl EspProposal {
    /// Everything that RFC 8221 leaves at MUST or SHOULD and that is implemented, the strongest first,
    /// with extended sequence numbers, and with a key exchange of its own if the peer wants one.
    pub fn recommended() -> Self {
        Self {
            suites: recommended_suites(),
            key_exchanges: IkeProposal::recommended().key_exchanges,
            require_key_exchange: false,
            sequence_numbers: SequenceNumbers::ExtendedOrShort,
        }
    }

    /// What is offered and accepted unless configured: the [recommended](Self::recommended) algorithms.
    pub fn defaults() -> Vec<Self> {
        vec![Self::recommended()]
    }

    pub(super) fn available(&self, provider: &Provider) -> Option<Self> {
        let available = Self {
            suites: kept(&self.suites, |suite| provider.supports(*suite)),
            key_exchanges: kept(&self.key_exchanges, |kex| provider.key_exchange(*kex).is_some()),
            ..*self
        };
        let has_key_exchange =
            !available.require_key_exchange || !available.key_exchanges.is_empty();
        let complete = !available.suites.is_empty() && has_key_exchange;
        complete.then_some(available)
    }

    /// The SA payload that offers `proposals` for a Child SA that receives with `spi`.
    ///
    /// `key_exchange` says whether the exchange can carry a key exchange: not in IKE_AUTH, where RFC 7296
    /// section 1.2 has Transform Type 4 left out.
    pub(crate) fn offer(
        proposals: &[Self],
        provider: &Provider,
        spi: u32,
        key_exchange: bool,
    ) -> SecurityAssociation {
        let mut offer = Offer::default();
        for proposal in proposals.iter().filter_map(|proposal| proposal.available(provider)) {
            for group in groups(&proposal.suites) {
                let mut transforms = Vec::new();
                group.push_encryption(&mut transforms);
                group.push_integrity(&mut transforms);
                if key_exchange && !proposal.key_exchanges.is_empty() {
                    push_key_exchanges(&proposal.key_exchanges, &mut transforms);
                    if !proposal.require_key_exchange {
                        let none = KeMethod::NONE.0;
                        transforms.push(Transform::new(TransformType::KEY_EXCHANGE, none));
                    }
                }
                for extended in [true, false] {
                    if proposal.sequence_numbers.allows(extended) {
                        let id = sequence_numbers_id(extended).0;
                        transforms.push(Transform::new(TransformType::SEQUENCE_NUMBERS, id));
                    }
                }
                offer.push(ProtocolId::ESP, Spi::Child(spi), transforms);
            }
        }
        offer.sa
    }

    /// The key exchange method that an initiator starts with, if any.
    pub(crate) fn first_key_exchange(
        proposals: &[Self],
        provider: &Provider,
    ) -> Option<KexAlgorithm> {
        let available = proposals.iter().find_map(|proposal| proposal.available(provider))?;
        available.key_exchanges.first().copied()
    }

    /// True if `kex` is among what is offered.
    pub(crate) fn offers_key_exchange(
        proposals: &[Self],
        provider: &Provider,
        kex: KexAlgorithm,
    ) -> bool {
        let mut available = proposals.iter().filter_map(|proposal| proposal.available(provider));
        available.any(|proposal| proposal.key_exchanges.contains(&kex))
    }
}

pub(super) fn sequence_numbers_id(extended: bool) -> SequenceNumbersId {
    if extended { SequenceNumbersId::ESN } else { SequenceNumbersId::NO_ESN }
}

fn recommended_suites() -> Vec<Suite> {
    vec![
        Suite::Aead(AeadAlgorithm::Aes256Gcm16),
        Suite::Aead(AeadAlgorithm::Aes128Gcm16),
        Suite::Aead(AeadAlgorithm::ChaCha20Poly1305),
        Suite::CipherMac(CipherAlgorithm::Aes256Cbc, MacAlgorithm::HmacSha2_256_128),
        Suite::CipherMac(CipherAlgorithm::Aes128Cbc, MacAlgorithm::HmacSha2_256_128),
        Suite::CipherMac(CipherAlgorithm::Aes256Cbc, MacAlgorithm::HmacSha2_384_192),
        Suite::CipherMac(CipherAlgorithm::Aes256Cbc, MacAlgorithm::HmacSha2_512_256),
    ]
}

fn kept<T: Copy>(list: &[T], keep: impl Fn(&T) -> bool) -> Vec<T> {
    list.iter().copied().filter(keep).collect()
}

/// An SA payload that is being put together; proposals are numbered as they come.
#[derive(Default)]
struct Offer {
    sa: SecurityAssociation,
}

impl Offer {
    fn push(&mut self, protocol: ProtocolId, spi: Spi, transforms: Vec<Transform>) {
        //= RFC 7296 section 3.3.1: the first proposal MUST be one, and each following one more.
        let Ok(number) = u8::try_from(self.sa.proposals.len() + 1) else { return };
        self.sa.proposals.push(Proposal { number, protocol, spi, transforms });
    }
}

/// Suites that differ in the encryption alone and so fit into one proposal.
struct Group {
    mac: Option<MacAlgorithm>,
    encryption: Vec<Encryption>,
}

impl Group {
    fn push_encryption(&self, transforms: &mut Vec<Transform>) {
        transforms
            .extend(self.encryption.iter().filter_map(|encryption| encryption.to_transform()));
    }

    fn push_integrity(&self, transforms: &mut Vec<Transform>) {
        let integrity = self.mac.and_then(integrity_id).unwrap_or(IntegrityId::NONE);
        //= RFC 5282 section 8: combined-mode proposals leave the integrity transform out.
        if integrity != IntegrityId::NONE {
            transforms.push(Transform::new(TransformType::INTEGRITY, integrity.0));
        }
    }
}

/// Sorts suites by integrity algorithm, in the order in which these first occur.
fn groups(suites: &[Suite]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for suite in suites {
        let Some((encryption, mac)) = Encryption::of(*suite) else { continue };
        match groups.iter_mut().find(|group| group.mac == mac) {
            Some(group) => group.encryption.push(encryption),
            None => groups.push(Group { mac, encryption: vec![encryption] }),
        }
    }
    groups
}

fn push_key_exchanges(key_exchanges: &[KexAlgorithm], transforms: &mut Vec<Transform>) {
    transforms.extend(
        key_exchanges
            .iter()
            .map(|kex| Transform::new(TransformType::KEY_EXCHANGE, ke_method(*kex).0)),
    );
}
