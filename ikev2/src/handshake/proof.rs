//! Certificates and signatures, as both roles prove and check them: RFC 7296 sections 2.15, 3.6 to 3.8.

use alloc::vec::Vec;

use adit_platform::signature::SignatureScheme;

use super::{Context, Session};
use crate::ask::{Ask, Signature, VerifiedKey};
use crate::config::{LocalAuth, PeerConfig, RemoteAuth};
use crate::error::{AuthError, Denied, Error, Incompatible, Misbehaviour};
use crate::identity::Identity;
use crate::keys::{self, SignatureError};
use crate::wire::{
    AuthMethod, Authentication, CertEncoding, Certificate, CertificateRequest, Payload,
    PayloadType, Payloads,
};

/// Has our octets signed.
pub(super) fn ask_to_sign(
    session: &Session,
    cx: &mut Context<'_>,
    local_id: &Identity,
    schemes: &[SignatureScheme],
) -> Result<(), Error> {
    let schemes = keys::usable_schemes(schemes, session.peer_hashes.as_deref());
    if schemes.is_empty() {
        return Err(Incompatible::SignatureScheme.into());
    }
    let octets = session.our_octets(local_id);
    let local_id = local_id.clone();
    cx.raise(|ticket| Ask::Sign { local_id, octets, schemes, ticket });
    Ok(())
}

/// The AUTH payload with the signature that was made for [`ask_to_sign`].
pub(super) fn signed(
    session: &Session,
    schemes: &[SignatureScheme],
    signature: &Signature,
) -> Result<Authentication<'static>, Error> {
    let unasked = Denied::ByAnswer { ask: "Sign", reason: "the scheme was not asked for".into() };
    if !keys::usable_schemes(schemes, session.peer_hashes.as_deref()).contains(&signature.scheme) {
        return Err(unasked.into());
    }
    let modern = session.peer_hashes.is_some();
    keys::authentication(signature.scheme, &signature.signature, modern).map_err(|_| {
        let reason = "the signature is not in the form of its scheme".into();
        Denied::ByAnswer { ask: "Sign", reason }.into()
    })
}

/// Has the peer's certificates judged.
pub(super) fn ask_to_verify(
    cx: &mut Context<'_>,
    payloads: &Payloads<'_>,
    peer_id: &Identity,
) -> Result<(), Error> {
    let (mut chain, mut evidence) = (Vec::new(), Vec::new());
    for certificate in payloads.certificates() {
        if certificate.encoding == CertEncoding::X509_SIGNATURE {
            chain.push(certificate.data.to_vec());
        } else {
            evidence.push((certificate.encoding, certificate.data.to_vec()));
        }
    }
    if chain.is_empty() {
        return Err(AuthError::NoCertificate.into());
    }
    let peer_id = peer_id.clone();
    cx.raise(|ticket| Ask::VerifyPeer { peer_id, chain, evidence, ticket });
    Ok(())
}

/// Checks the peer's signature by the key that was found to be its own.
pub(super) fn verify(
    session: &Session,
    cx: &Context<'_>,
    peer: &PeerConfig,
    peer_id: &Identity,
    auth: &Authentication<'_>,
    key: &VerifiedKey,
) -> Result<(), Error> {
    if !cx.shared.config.signature_authentication && auth.method == AuthMethod::DIGITAL_SIGNATURE {
        return Err(Incompatible::AuthMethod.into());
    }
    let octets = session.peer_octets(peer_id);
    let schemes = &peer.signature_schemes;
    keys::verify(&cx.shared.provider, auth, &key.spki, &octets, schemes).map(|_| ()).map_err(
        |error| match error {
            SignatureError::Malformed => Misbehaviour::InvalidPayload(PayloadType::AUTH).into(),
            SignatureError::UnacceptableAlgorithm => Incompatible::SignatureScheme.into(),
            SignatureError::UnsuitableKey => AuthError::UnusableKey.into(),
            SignatureError::Invalid => AuthError::WrongAuth.into(),
        },
    )
}

/// Adds our certificates, if we prove ourselves with one, and the OCSP response about it if the peer wants that.
pub(super) fn push_certificates(payloads: &mut Payloads<'_>, session: &Session, ours: &PeerConfig) {
    if let LocalAuth::Certificate { chain, .. } = &ours.local_auth {
        for certificate in chain.iter() {
            let encoding = CertEncoding::X509_SIGNATURE;
            let data = certificate.clone().into();
            payloads.push(Payload::Certificate(Certificate { encoding, data }));
        }
        if let Some(response) = ours.ocsp_response.as_ref().filter(|_| session.peer_wants_ocsp) {
            //= RFC 4806 section 4.2: transmitted separate from any other CERT payload
            let encoding = CertEncoding::OCSP_CONTENT;
            let data = response.to_vec().into();
            payloads.push(Payload::Certificate(Certificate { encoding, data }));
        }
    }
}

/// Whether the peer asks for an OCSP response. Which responders it trusts is for our host to know beforehand: it
/// has the one response or none.
pub(super) fn wants_ocsp(payloads: &Payloads<'_>) -> bool {
    payloads.certificate_requests().any(|request| request.encoding == CertEncoding::OCSP_CONTENT)
}

/// Adds a CERTREQ for an OCSP response, if one is wanted. It names responders or none.
pub(super) fn push_ocsp_request(payloads: &mut Payloads<'_>, responders: Option<&[[u8; 20]]>) {
    if let Some(responders) = responders {
        //= RFC 4806 section 4.1: transmitted separate from any other CERTREQ payloads
        let encoding = CertEncoding::OCSP_CONTENT;
        let authorities = responders.concat().into();
        payloads.push(Payload::CertificateRequest(CertificateRequest { encoding, authorities }));
    }
}

/// Adds a CERTREQ for these authorities.
pub(super) fn push_certificate_request(payloads: &mut Payloads<'_>, authorities: &[[u8; 20]]) {
    if !authorities.is_empty() {
        let encoding = CertEncoding::X509_SIGNATURE;
        let authorities = authorities.concat().into();
        payloads.push(Payload::CertificateRequest(CertificateRequest { encoding, authorities }));
    }
}

/// That the method of an AUTH payload is of the kind that the peer has to use.
pub(super) fn check_method(auth: &Authentication<'_>, remote: RemoteAuth) -> Result<(), Error> {
    let is_secret = auth.method == AuthMethod::SHARED_KEY_MIC;
    match (remote, is_secret) {
        (RemoteAuth::SharedSecret, true) | (RemoteAuth::Certificate, false) => Ok(()),
        _ => Err(Incompatible::AuthMethod.into()),
    }
}
