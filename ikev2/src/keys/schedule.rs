//! SKEYSEED, prf+ and everything cut from it: RFC 7296 sections 2.13, 2.14, 2.17 and 2.18.

use alloc::vec::Vec;
use core::fmt;

use adit_platform::prf::{Prf, PrfAlgorithm};
use adit_platform::{Provider, Secret, Suite};

use crate::error::{Error, Incompatible};
use crate::wire::IkeSpi;

/// The keys of a Child SA pair, RFC 7296 section 2.17. In each direction the encryption key comes first
/// ([`Suite::encryption_key_len`] bytes, salt included), then the integrity key
/// ([`Suite::integrity_key_len`] bytes).
#[derive(Debug)]
pub(crate) struct ChildKeys {
    /// For packets from the initiator of the exchange that created the SA.
    pub(crate) initiator: Secret,
    /// For packets from the responder of that exchange.
    pub(crate) responder: Secret,
}

/// The keys of an IKE SA, RFC 7296 section 2.14.
#[derive(Debug)]
pub(crate) struct IkeKeys {
    prf: &'static dyn Prf,
    suite: Suite,
    sk_d: Secret,
    pub(super) sk_ai: Secret,
    pub(super) sk_ar: Secret,
    pub(super) sk_ei: Secret,
    pub(super) sk_er: Secret,
    sk_pi: Secret,
    sk_pr: Secret,
}

/// SK_d, with the PRF that it belongs to: the root of all further keys of an IKE SA.
#[derive(Debug)]
pub(crate) struct SkD {
    prf: &'static dyn Prf,
    key: Secret,
}

/// Who took part in an exchange and what they drew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nonces<'a> {
    /// Ni, without the payload header.
    pub(crate) initiator: &'a [u8],
    /// Nr, without the payload header.
    pub(crate) responder: &'a [u8],
}

/// Keys cannot be derived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KeyError {
    /// The provider has no such pseudorandom function.
    NoPrf(PrfAlgorithm),
    /// More than 255 blocks of prf+ would be needed.
    TooLong,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPrf(prf) => write!(f, "the provider does not offer {prf:?}"),
            Self::TooLong => f.write_str("prf+ cannot yield that many bytes"),
        }
    }
}

impl core::error::Error for KeyError {}

impl From<KeyError> for Error {
    /// Only what the provider can run is ever offered or chosen, so this is a proposal that cannot be.
    fn from(_: KeyError) -> Self {
        Incompatible::NoProposalChosen.into()
    }
}

impl IkeKeys {
    /// The keys after IKE_SA_INIT: `SKEYSEED = prf(Ni | Nr, g^ir)`.
    //= RFC 7296 section 2.14
    pub(crate) fn initial(
        provider: &Provider,
        prf: PrfAlgorithm,
        suite: Suite,
        shared: &Secret,
        nonces: Nonces<'_>,
        spis: (IkeSpi, IkeSpi),
    ) -> Result<Self, KeyError> {
        let prf = provider.prf(prf).ok_or(KeyError::NoPrf(prf))?;
        let key = Secret::from([nonces.initiator, nonces.responder].concat());
        let skeyseed = prf.compute(key.expose(), &[shared.expose()]);
        Self::expand(prf, suite, &skeyseed, nonces, spis)
    }

    /// The keys after a rekey, from the SK_d of the IKE SA that is replaced:
    /// `SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr)`.
    ///
    /// That prf is the old IKE SA's; what follows uses the new one's.
    //= RFC 7296 section 2.18
    pub(crate) fn rekeyed(
        provider: &Provider,
        old: &SkD,
        prf: PrfAlgorithm,
        suite: Suite,
        shared: &Secret,
        nonces: Nonces<'_>,
        spis: (IkeSpi, IkeSpi),
    ) -> Result<Self, KeyError> {
        let prf = provider.prf(prf).ok_or(KeyError::NoPrf(prf))?;
        let skeyseed = old
            .prf
            .compute(old.key.expose(), &[shared.expose(), nonces.initiator, nonces.responder]);
        Self::expand(prf, suite, &skeyseed, nonces, spis)
    }

    /// `{SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr)`
    fn expand(
        prf: &'static dyn Prf,
        suite: Suite,
        skeyseed: &Secret,
        nonces: Nonces<'_>,
        (spi_i, spi_r): (IkeSpi, IkeSpi),
    ) -> Result<Self, KeyError> {
        let d = prf.algorithm().output_len();
        let (a, e) = (suite.integrity_key_len(), suite.encryption_key_len());
        let seed = [nonces.initiator, nonces.responder, &spi_i.0, &spi_r.0];
        let mut keys = prf_plus(prf, skeyseed, &seed, &[d, a, a, e, e, d, d])?.into_iter();
        let mut next = || keys.next().ok_or(KeyError::TooLong);
        Ok(Self {
            prf,
            suite,
            sk_d: next()?,
            sk_ai: next()?,
            sk_ar: next()?,
            sk_ei: next()?,
            sk_er: next()?,
            sk_pi: next()?,
            sk_pr: next()?,
        })
    }

    /// The PRF that was negotiated.
    pub(crate) fn prf(&self) -> &'static dyn Prf {
        self.prf
    }

    /// How messages are protected.
    pub(crate) fn suite(&self) -> Suite {
        self.suite
    }

    /// SK_pi or SK_pr: what the AUTH of that side's identity is computed with.
    pub(crate) fn sk_p(&self, initiator: bool) -> &Secret {
        if initiator { &self.sk_pi } else { &self.sk_pr }
    }

    /// SK_d alone; the rest is wiped.
    pub(crate) fn into_sk_d(self) -> SkD {
        SkD { prf: self.prf, key: self.sk_d }
    }
}

impl SkD {
    #[cfg(test)]
    pub(super) fn expose(&self) -> &[u8] {
        self.key.expose()
    }

    /// The keys of a Child SA: `KEYMAT = prf+(SK_d, [g^ir (new) |] Ni | Nr)`.
    ///
    /// For the first Child SA the nonces are those of IKE_SA_INIT and there is no `shared`.
    //= RFC 7296 section 2.17
    pub(crate) fn child_keys(
        &self,
        suite: Suite,
        shared: Option<&Secret>,
        nonces: Nonces<'_>,
    ) -> Result<ChildKeys, KeyError> {
        let shared = shared.map_or(&[][..], Secret::expose);
        let seed = [shared, nonces.initiator, nonces.responder];
        // All keys of the initiator's direction come first; in each, encryption precedes integrity.
        let len = suite.encryption_key_len() + suite.integrity_key_len();
        let mut keys = prf_plus(self.prf, &self.key, &seed, &[len, len])?.into_iter();
        let mut next = || keys.next().ok_or(KeyError::TooLong);
        Ok(ChildKeys { initiator: next()?, responder: next()? })
    }
}

/// prf+ (RFC 7296 section 2.13), cut into keys of the given lengths.
///
/// `T1 = prf(K, S | 0x01)`, `Tn = prf(K, Tn-1 | S | n)`.
fn prf_plus(
    prf: &dyn Prf,
    key: &Secret,
    seed: &[&[u8]],
    lens: &[usize],
) -> Result<Vec<Secret>, KeyError> {
    let key = prf.key(key.expose());
    let total: usize = lens.iter().sum();
    let mut stream = Vec::with_capacity(total + prf.algorithm().output_len());
    let mut block = Secret::copy_from(&[]);
    let mut counter = 0_u8;
    while stream.len() < total {
        //= RFC 7296 section 2.13: this process is limited to 255 times the size of the prf output.
        counter = counter.checked_add(1).ok_or(KeyError::TooLong)?;
        let mut parts = Vec::with_capacity(seed.len() + 2);
        parts.push(block.expose());
        parts.extend_from_slice(seed);
        let number = [counter];
        parts.push(&number);
        block = key.compute(&parts);
        stream.extend_from_slice(block.expose());
    }
    let stream = Secret::from(stream);
    let mut rest = stream.expose();
    let keys = lens.iter().map(|len| {
        let (key, tail) = rest.split_at_checked(*len).ok_or(KeyError::TooLong)?;
        rest = tail;
        Ok(Secret::copy_from(key))
    });
    keys.collect()
}
