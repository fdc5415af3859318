//! What both roles do alike in IKE_SA_INIT.

use alloc::vec;
use alloc::vec::Vec;

use adit_platform::rng::RngError;
use adit_platform::signature::SignatureScheme;
use adit_platform::{Rng, Secret};

use super::{Context, Contribution, Session, proof};
use crate::channel::{Channel, Spis};
use crate::endpoint::Shared;
use crate::error::{Error, Resource};
use crate::event::{Event, Nat};
use crate::keys::{self, IkeKeys, Nonces, Protector};
use crate::negotiate::IkeChoice;
use crate::path::Path;
use crate::routing::nat_detection_hash;
use crate::wire::{Notify, NotifyType, Payload, Payloads};

/// Bytes in our nonces: at least half the key size of any prf that is offered (RFC 7296 section 2.10).
const NONCE_LEN: usize = 32;

pub(super) fn new_nonce(rng: &mut dyn Rng) -> Result<Vec<u8>, RngError> {
    let mut nonce = vec![0; NONCE_LEN];
    rng.fill(&mut nonce)?;
    Ok(nonce)
}

/// Adds NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP: RFC 7296 section 2.23. With `force`, the
/// source is no address at all, so that the peer sees a NAT in front of us.
pub(super) fn push_nat_detection(
    payloads: &mut Payloads<'_>,
    shared: &mut Shared,
    spis: Spis,
    path: Path,
    force: bool,
) -> Result<(), RngError> {
    let hash = |address| nat_detection_hash(shared.sha1, spis.initiator, spis.responder, address);
    let mut source = hash(path.local).to_vec();
    let destination = hash(path.remote).to_vec();
    if force {
        shared.rng.fill(&mut source)?;
    }
    push_status(payloads, NotifyType::NAT_DETECTION_SOURCE_IP, source);
    push_status(payloads, NotifyType::NAT_DETECTION_DESTINATION_IP, destination);
    Ok(())
}

/// Finds the NATs between the peer, whose notifications are in `payloads`, and us.
fn detect_nat(payloads: &Payloads<'_>, shared: &Shared, spis: Spis, path: Path) -> Nat {
    let hash = |address| nat_detection_hash(shared.sha1, spis.initiator, spis.responder, address);
    let of = |kind| payloads.notifies().filter(move |notify| notify.notify_type == kind);
    let (remote, local) = (hash(path.remote), hash(path.local));
    // There may be several source notifications, one for each address that the peer may have sent from.
    let mut sources = of(NotifyType::NAT_DETECTION_SOURCE_IP).peekable();
    let mut destinations = of(NotifyType::NAT_DETECTION_DESTINATION_IP).peekable();
    Nat {
        remote: sources.peek().is_some() && !sources.any(|notify| *notify.data == *remote),
        local: destinations.peek().is_some() && !destinations.any(|notify| *notify.data == *local),
    }
}

/// Adds IKEV2_FRAGMENTATION_SUPPORTED: RFC 7383 section 2.3.
pub(super) fn push_fragmentation(payloads: &mut Payloads<'_>, shared: &Shared) {
    if shared.config.fragmentation {
        push_status(payloads, NotifyType::IKEV2_FRAGMENTATION_SUPPORTED, Vec::new());
    }
}

/// Adds SIGNATURE_HASH_ALGORITHMS for the schemes that we accept and can verify: RFC 7427 section 4.
pub(super) fn push_signature_hashes(
    payloads: &mut Payloads<'_>,
    shared: &Shared,
    schemes: &[SignatureScheme],
) {
    if !shared.config.signature_authentication {
        return;
    }
    let can_verify = |scheme: &SignatureScheme| shared.provider.verifier(*scheme).is_some();
    let schemes: Vec<_> = schemes.iter().copied().filter(can_verify).collect();
    let hashes = keys::signature_hashes(&schemes);
    if !hashes.is_empty() {
        push_status(payloads, NotifyType::SIGNATURE_HASH_ALGORITHMS, hashes);
    }
}

pub(super) fn push_status(payloads: &mut Payloads<'_>, kind: NotifyType, data: Vec<u8>) {
    payloads.push(Payload::Notify(Notify { data: data.into(), ..Notify::status(kind, &[]) }));
}

/// What two messages of IKE_SA_INIT come to.
pub(super) struct Agreed {
    pub(super) spis: Spis,
    pub(super) choice: IkeChoice,
    pub(super) shared_secret: Secret,
    pub(super) ours: Contribution,
    pub(super) peers: Contribution,
    pub(super) force_encapsulation: bool,
}

impl Agreed {
    /// Derives the keys, and reads from the peer's payloads what else it can do.
    pub(super) fn into_session(
        self,
        cx: &mut Context<'_>,
        payloads: &Payloads<'_>,
    ) -> Result<Session, Error> {
        let (ours, peers) = (self.ours.nonce.as_slice(), self.peers.nonce.as_slice());
        let (initiator, responder) =
            if self.spis.we_initiated { (ours, peers) } else { (peers, ours) };
        let spis = (self.spis.initiator, self.spis.responder);
        let provider = &cx.shared.provider;
        // The proposal was matched with what the provider runs, so neither can fail for lack of it.
        let keys = IkeKeys::initial(
            provider,
            self.choice.prf,
            self.choice.suite,
            &self.shared_secret,
            Nonces { initiator, responder },
            spis,
        )
        .map_err(|_| Resource::Provider)?;
        let protector = Protector::new(provider, &keys, self.spis.we_initiated)
            .map_err(|_| Resource::Provider)?;
        if cx.shared.key_log {
            let line = keys.dangerous_key_log_line(spis.0, spis.1);
            cx.shared.emit(cx.sa, Event::KeyLog(line));
        }

        let config = &cx.shared.config;
        let fragments = payloads.notify(NotifyType::IKEV2_FRAGMENTATION_SUPPORTED).is_some();
        let fragment_size = (config.fragmentation && fragments).then_some(config.fragment_size);
        let hashes = payloads
            .notify(NotifyType::SIGNATURE_HASH_ALGORITHMS)
            .filter(|_| config.signature_authentication)
            .map(|notify| keys::parse_signature_hashes(&notify.data));
        let nat = detect_nat(payloads, cx.shared, self.nat_spis(), *cx.path);
        let ids = if self.spis.we_initiated { (1, 0) } else { (0, 1) };
        Ok(Session {
            channel: Channel::new(self.spis, protector, fragment_size, ids),
            keys,
            ours: self.ours,
            peers: self.peers,
            nat,
            encapsulate: nat.any() || self.force_encapsulation,
            peer_hashes: hashes,
            childless_ok: payloads.notify(NotifyType::CHILDLESS_IKEV2_SUPPORTED).is_some(),
            peer_wants_ocsp: proof::wants_ocsp(payloads),
            child_spi: None,
        })
    }

    /// The SPIs that the peer's hashes were computed with: in a request, the responder's is still zero.
    fn nat_spis(&self) -> Spis {
        if self.spis.we_initiated {
            self.spis
        } else {
            Spis { responder: crate::wire::IkeSpi::ZERO, ..self.spis }
        }
    }
}
