//! What the shared secret protects: authenticators and hidden passwords.
//!
//! RADIUS over UDP rests on MD5. A reply is believed only with a valid Message-Authenticator, because a
//! Response Authenticator alone can be forged in minutes (CVE-2024-3596, "Blast-RADIUS").

use alloc::vec::Vec;

use adit_platform::Secret;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use crate::attribute::{Attribute, AttributeList, Attributes};
use crate::dictionary::{AttributeType, Code};
use crate::error::{Error, Malformed, Misbehaved, Misuse};
use crate::packet::{HEADER_LEN, MAX_PACKET_LEN, Packet};

/// Longest password in octets that User-Password can hide, RFC 2865 section 5.2.
pub const MAX_PASSWORD_LEN: usize = 128;

/// Which replies need a Message-Authenticator to be believed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum MessageAuthenticator {
    /// Every reply. A server that does not send it is out of date.
    #[default]
    Required,
    /// Only replies that carry EAP, as RFC 3579 demanded: leaves passwords open to CVE-2024-3596.
    OnlyWithEap,
}

/// Writes a request: Message-Authenticator first, then `attributes`, then the hidden `password`.
///
/// # Errors
/// [`Misuse::TooLong`] or [`Misuse::PasswordTooLong`].
pub fn seal_request(
    code: Code,
    identifier: u8,
    authenticator: &[u8; 16],
    attributes: Attributes<'_>,
    password: Option<&Secret>,
    secret: &Secret,
) -> Result<Vec<u8>, Error> {
    let hidden = password
        .map(|password| hide_password(password.expose(), authenticator, secret))
        .transpose()?;
    let mut tail = AttributeList::new();
    if let Some(hidden) = &hidden {
        tail.push(AttributeType::USER_PASSWORD, hidden)?;
    }
    let mut packet = assemble(
        code,
        identifier,
        authenticator,
        &[attributes.as_bytes(), tail.view().as_bytes()],
    )?;
    sign(&mut packet, secret);
    Ok(packet)
}

/// Writes a reply to a request with `request_authenticator`: Message-Authenticator first, then
/// `attributes`, under the Response Authenticator.
///
/// # Errors
/// [`Misuse::TooLong`].
pub fn seal_reply(
    code: Code,
    identifier: u8,
    request_authenticator: &[u8; 16],
    attributes: Attributes<'_>,
    secret: &Secret,
) -> Result<Vec<u8>, Error> {
    let mut packet = assemble(code, identifier, request_authenticator, &[attributes.as_bytes()])?;
    sign(&mut packet, secret);
    // RFC 2865 section 3: MD5 of the packet with the Request Authenticator in place, and the secret.
    let digest = Md5::new().chain_update(&packet).chain_update(secret.expose()).finalize();
    if let Some(field) = packet.get_mut(4..HEADER_LEN) {
        field.copy_from_slice(&digest);
    }
    Ok(packet)
}

/// Checks that `reply` answers the request with `request_authenticator` and was made by somebody who has
/// the secret.
///
/// # Errors
/// [`Error::Misbehaved`] or, for Message-Authenticators of a wrong form, [`Error::Malformed`]: the reply
/// has to be discarded and a better one may still come.
pub fn verify_reply(
    reply: &Packet<'_>,
    request_authenticator: &[u8; 16],
    secret: &Secret,
    policy: MessageAuthenticator,
) -> Result<(), Error> {
    let attributes = reply.attributes();
    let digest: [u8; 16] = Md5::new()
        .chain_update(reply.prefix())
        .chain_update(request_authenticator)
        .chain_update(attributes.as_bytes())
        .chain_update(secret.expose())
        .finalize()
        .into();
    if !bool::from(digest.ct_eq(reply.authenticator())) {
        return Err(Error::Misbehaved(Misbehaved::ResponseAuthenticator));
    }
    if verify_message_authenticator(reply, request_authenticator, secret)? {
        return Ok(());
    }
    let carries = |kind| attributes.all(kind).next().is_some();
    if policy == MessageAuthenticator::Required || carries(AttributeType::EAP_MESSAGE) {
        return Err(Error::Misbehaved(Misbehaved::NoMessageAuthenticator));
    }
    if carries(AttributeType::PROXY_STATE) {
        // This client never sends one; a forger needs one to hide the collision in.
        return Err(Error::Misbehaved(Misbehaved::UnexpectedProxyState));
    }
    Ok(())
}

/// Checks that `request` has a Message-Authenticator made with the secret: what a server does first.
///
/// # Errors
/// [`Error::Misbehaved`] or [`Error::Malformed`]: the request has to be discarded.
pub fn verify_request(request: &Packet<'_>, secret: &Secret) -> Result<(), Error> {
    if verify_message_authenticator(request, request.authenticator(), secret)? {
        return Ok(());
    }
    Err(Error::Misbehaved(Misbehaved::NoMessageAuthenticator))
}

/// Hides a password of up to [`MAX_PASSWORD_LEN`] octets for User-Password, RFC 2865 section 5.2.
///
/// # Errors
/// [`Misuse::PasswordTooLong`].
pub fn hide_password(
    password: &[u8],
    request_authenticator: &[u8; 16],
    secret: &Secret,
) -> Result<Vec<u8>, Error> {
    if password.len() > MAX_PASSWORD_LEN {
        return Err(Error::Misuse(Misuse::PasswordTooLong));
    }
    let padded = password.len().div_ceil(16).max(1) * 16;
    let mut hidden = Vec::with_capacity(padded);
    hidden.extend_from_slice(password);
    hidden.resize(padded, 0);
    let mut previous = *request_authenticator;
    for block in hidden.as_chunks_mut::<16>().0 {
        xor(block, &pad(secret, &[&previous]));
        previous = *block;
    }
    Ok(hidden)
}

/// The password that a User-Password hides, without the zeros that pad it.
///
/// # Errors
/// [`Malformed::Value`] if the value is not 16 to 128 octets in steps of 16.
pub fn reveal_password(
    attribute: &Attribute<'_>,
    request_authenticator: &[u8; 16],
    secret: &Secret,
) -> Result<Secret, Error> {
    let (blocks, []) = attribute.value.as_chunks::<16>() else {
        return Err(attribute.bad_value());
    };
    if blocks.is_empty() || attribute.value.len() > MAX_PASSWORD_LEN {
        return Err(attribute.bad_value());
    }
    let mut previous = request_authenticator;
    let padded = Secret::build(attribute.value.len(), |out| {
        for (out, block) in out.as_chunks_mut::<16>().0.iter_mut().zip(blocks) {
            *out = *block;
            xor(out, &pad(secret, &[previous]));
            previous = block;
        }
    });
    let len = padded.expose().iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
    Ok(Secret::copy_from(padded.expose().get(..len).unwrap_or_default()))
}

/// MD5 of the secret and `parts`: the stream that hides passwords and keys.
pub(crate) fn pad(secret: &Secret, parts: &[&[u8]]) -> [u8; 16] {
    let mut md5 = Md5::new_with_prefix(secret.expose());
    parts.iter().for_each(|part| md5.update(part));
    md5.finalize().into()
}

pub(crate) fn xor(block: &mut [u8; 16], pad: &[u8; 16]) {
    block.iter_mut().zip(pad).for_each(|(octet, pad)| *octet ^= pad);
}

/// True if there is one and it is right, false if there is none.
fn verify_message_authenticator(
    packet: &Packet<'_>,
    request_authenticator: &[u8; 16],
    secret: &Secret,
) -> Result<bool, Error> {
    let attributes = packet.attributes();
    let Some(attribute) = attributes.one(AttributeType::MESSAGE_AUTHENTICATOR)? else {
        return Ok(false);
    };
    let received: [u8; 16] = attribute.array()?;
    let bytes = attributes.as_bytes();
    // The value stands 2 octets into the attribute; for the computation it is 16 zeros.
    let at = attribute.offset + 2 - HEADER_LEN;
    let (Some(before), Some(after)) = (bytes.get(..at), bytes.get(at + 16..)) else {
        return Err(Error::malformed(Malformed::AttributeLength, attribute.offset));
    };
    let parts = [&packet.prefix()[..], request_authenticator, before, &[0; 16], after];
    if !bool::from(hmac_md5(secret, &parts).ct_eq(&received)) {
        return Err(Error::Misbehaved(Misbehaved::MessageAuthenticator));
    }
    Ok(true)
}

/// HMAC-MD5 over the concatenation of `parts`, RFC 3579 section 3.2.
fn hmac_md5(secret: &Secret, parts: &[&[u8]]) -> [u8; 16] {
    // HMAC takes keys of every length, so that this cannot fail.
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(secret.expose()) else { return [0; 16] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Header, an empty Message-Authenticator, and attributes.
fn assemble(
    code: Code,
    identifier: u8,
    authenticator: &[u8; 16],
    attributes: &[&[u8]],
) -> Result<Vec<u8>, Error> {
    let mut packet = Vec::with_capacity(512);
    packet.extend_from_slice(&[code.0, identifier, 0, 0]);
    packet.extend_from_slice(authenticator);
    packet.extend_from_slice(&[AttributeType::MESSAGE_AUTHENTICATOR.0, 18]);
    packet.extend_from_slice(&[0; 16]);
    attributes.iter().for_each(|part| packet.extend_from_slice(part));
    let length = u16::try_from(packet.len())
        .ok()
        .filter(|length| usize::from(*length) <= MAX_PACKET_LEN)
        .ok_or(Error::Misuse(Misuse::TooLong))?;
    if let Some(field) = packet.get_mut(2..4) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    Ok(packet)
}

/// Fills the Message-Authenticator that [`assemble`] has left empty; the Authenticator field holds the
/// Request Authenticator.
fn sign(packet: &mut [u8], secret: &Secret) {
    let tag = hmac_md5(secret, &[packet]);
    if let Some(field) = packet.get_mut(HEADER_LEN + 2..HEADER_LEN + 18) {
        field.copy_from_slice(&tag);
    }
}
