//! What AUTH is computed over, and the AUTH of a shared key: RFC 7296 sections 2.15 and 2.16.

use alloc::vec::Vec;

use adit_platform::Secret;
use adit_platform::prf::Prf;

use crate::wire::Identification;

/// The octets that one side signs or MACs to prove its identity.
///
/// For the initiator: `RealMessage1 | NonceRData | MACedIDForI`, for the responder
/// `RealMessage2 | NonceIData | MACedIDForR`. The message is the sender's own first one, in the very bytes
/// in which it was sent last (with the cookie, if one was demanded), without non-ESP marker.
//= RFC 7296 section 2.15
pub(crate) fn signed_octets(
    prf: &dyn Prf,
    sk_p: &Secret,
    first_message: &[u8],
    peer_nonce: &[u8],
    id: &Identification<'_>,
) -> Vec<u8> {
    let maced_id = prf.compute(sk_p.expose(), &[&id.body()]);
    [first_message, peer_nonce, maced_id.expose()].concat()
}

/// The AUTH data for a shared secret, or for the MSK of an EAP method:
/// `prf(prf(Shared Secret, "Key Pad for IKEv2"), <SignedOctets>)`.
//= RFC 7296 section 2.15
pub(crate) fn shared_key_mic(prf: &dyn Prf, shared: &Secret, signed_octets: &[u8]) -> Secret {
    //= RFC 7296 section 2.15: the pad string is added as 17 ASCII characters without null termination.
    let key = prf.compute(shared.expose(), &[b"Key Pad for IKEv2"]);
    prf.compute(key.expose(), &[signed_octets])
}

/// The AUTH data after an EAP method that yields no key: SK_pi or SK_pr takes the shared secret's place.
//= RFC 7296 section 2.16
pub(crate) fn eap_without_key_mic(prf: &dyn Prf, sk_p: &Secret, signed_octets: &[u8]) -> Secret {
    shared_key_mic(prf, sk_p, signed_octets)
}
