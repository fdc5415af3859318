//! What IKE_SA_INIT leaves behind, needed until both ends are authenticated.

use alloc::vec::Vec;

use adit_platform::Secret;

use crate::channel::Channel;
use crate::event::Nat;
use crate::identity::Identity;
use crate::keys::{self, IkeKeys};
use crate::wire::{AuthMethod, Authentication, SignatureHash};

/// Keys without a face: an IKE SA whose ends have yet to be authenticated.
pub(crate) struct Session {
    pub(crate) channel: Channel,
    pub(crate) keys: IkeKeys,
    /// What we contributed to IKE_SA_INIT.
    pub(crate) ours: Contribution,
    /// What the peer contributed to it.
    pub(crate) peers: Contribution,
    pub(crate) nat: Nat,
    /// ESP goes in UDP: there is a NAT, or there shall seem to be one.
    pub(crate) encapsulate: bool,
    /// The hashes that the peer takes with RFC 7427 signatures, if it knows these.
    pub(crate) peer_hashes: Option<Vec<SignatureHash>>,
    /// The peer accepts an IKE SA without children: RFC 6023.
    pub(crate) childless_ok: bool,
    /// The peer asked for an OCSP response about our certificate: RFC 4806.
    pub(crate) peer_wants_ocsp: bool,
    /// The SPI that was set aside for the first child.
    pub(crate) child_spi: Option<u32>,
}

/// One side's message of IKE_SA_INIT.
pub(crate) struct Contribution {
    /// The message as it was sent last, without non-ESP marker.
    pub(crate) message: Vec<u8>,
    /// The nonce in it.
    pub(crate) nonce: Vec<u8>,
}

impl Session {
    pub(crate) fn we_initiated(&self) -> bool {
        self.channel.spis().we_initiated
    }

    /// The octets that we sign to prove `id`.
    pub(crate) fn our_octets(&self, id: &Identity) -> Vec<u8> {
        let sk_p = self.keys.sk_p(self.we_initiated());
        let (message, nonce) = (&self.ours.message, &self.peers.nonce);
        keys::signed_octets(self.keys.prf(), sk_p, message, nonce, &id.to_payload())
    }

    /// The octets that the peer signs to prove `id`.
    pub(crate) fn peer_octets(&self, id: &Identity) -> Vec<u8> {
        let sk_p = self.keys.sk_p(!self.we_initiated());
        let (message, nonce) = (&self.peers.message, &self.ours.nonce);
        keys::signed_octets(self.keys.prf(), sk_p, message, nonce, &id.to_payload())
    }

    /// Our AUTH payload by a shared secret, or by the MSK of EAP.
    pub(crate) fn prove_by_secret(
        &self,
        id: &Identity,
        secret: &Secret,
    ) -> Authentication<'static> {
        let mic = keys::shared_key_mic(self.keys.prf(), secret, &self.our_octets(id));
        shared_key_auth(&mic)
    }

    /// True if the peer's AUTH payload was made with this shared secret or MSK.
    pub(crate) fn is_proven_by_secret(
        &self,
        id: &Identity,
        secret: &Secret,
        auth: &Authentication<'_>,
    ) -> bool {
        let mic = keys::shared_key_mic(self.keys.prf(), secret, &self.peer_octets(id));
        is_shared_key_auth(auth, &mic)
    }

    /// Our AUTH payload after EAP: by the MSK, or by SK_p if the method gave none.
    pub(crate) fn prove_by_eap(
        &self,
        id: &Identity,
        msk: Option<&Secret>,
    ) -> Authentication<'static> {
        match msk {
            Some(msk) => self.prove_by_secret(id, msk),
            None => {
                let sk_p = self.keys.sk_p(self.we_initiated());
                let octets = self.our_octets(id);
                shared_key_auth(&keys::eap_without_key_mic(self.keys.prf(), sk_p, &octets))
            }
        }
    }

    /// True if the peer's AUTH payload after EAP fits.
    pub(crate) fn is_proven_by_eap(
        &self,
        id: &Identity,
        msk: Option<&Secret>,
        auth: &Authentication<'_>,
    ) -> bool {
        match msk {
            Some(msk) => self.is_proven_by_secret(id, msk, auth),
            None => {
                let sk_p = self.keys.sk_p(!self.we_initiated());
                let octets = self.peer_octets(id);
                let mic = keys::eap_without_key_mic(self.keys.prf(), sk_p, &octets);
                is_shared_key_auth(auth, &mic)
            }
        }
    }
}

fn shared_key_auth(mic: &Secret) -> Authentication<'static> {
    let method = AuthMethod::SHARED_KEY_MIC;
    Authentication { method, data: mic.expose().to_vec().into() }
}

fn is_shared_key_auth(auth: &Authentication<'_>, mic: &Secret) -> bool {
    // `Secret` compares in constant time.
    auth.method == AuthMethod::SHARED_KEY_MIC && Secret::copy_from(&auth.data) == *mic
}
