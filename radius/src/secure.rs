//! What the shared secret protects: authenticators and hidden passwords.
//!
//! RADIUS over UDP rests on MD5. A reply that grants anything is believed only with a valid
//! Message-Authenticator, because a Response Authenticator alone can be forged in minutes
//! (CVE-2024-3596, "Blast-RADIUS").

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
    /// Every reply but an Access-Reject without EAP: servers out of date reject a user without it, and a
    /// forger gains no more from a reject than from dropping the packet. Were it discarded, a locked
    /// account would look like a server that is down.
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
    let required = match policy {
        MessageAuthenticator::Required => reply.code() != Code::ACCESS_REJECT,
        MessageAuthenticator::OnlyWithEap => false,
    };
    if required || carries(AttributeType::EAP_MESSAGE) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    /// RFC 2865 section 7 and RFC 5997 section 6.
    const SECRET: &[u8] = b"xyzzy5461";

    fn verify(request: &[u8], reply: &[u8]) -> Result<(), Error> {
        let (request, reply) = (Packet::parse(request)?, Packet::parse(reply)?);
        let secret = Secret::copy_from(SECRET);
        let policy = MessageAuthenticator::OnlyWithEap;
        verify_reply(&reply, request.authenticator(), &secret, policy)
    }

    fn password(request: &[u8]) -> Vec<u8> {
        let request = Packet::parse(request).unwrap();
        let hidden = request.attributes().one(AttributeType::USER_PASSWORD).unwrap().unwrap();
        let secret = Secret::copy_from(SECRET);
        let revealed = reveal_password(&hidden, request.authenticator(), &secret).unwrap();
        let again = hide_password(revealed.expose(), request.authenticator(), &secret).unwrap();
        assert_eq!(again, hidden.value);
        revealed.expose().to_vec()
    }

    #[test]
    fn rfc_2865_section_7_1() {
        let request = hex!(
            "010000380f403f9473978057bd83d5cb98f4227a01066e656d6f02120dbe708d93d413ce"
            "3196e43f782a0aee0406c0a80110050600000003"
        );
        let reply =
            hex!("0200002686fe220e7624ba2a1005f6bf9b55e0b20606000000010f06000000000e06c0a80103");
        assert_eq!(password(&request), b"arctangent");
        assert_eq!(verify(&request, &reply), Ok(()));
        for at in 0..reply.len() {
            let mut bent = reply;
            bent[at] ^= 1;
            assert!(verify(&request, &bent).is_err(), "octet {at}");
        }
    }

    #[test]
    fn rfc_2865_section_7_3() {
        let request = hex!(
            "01020039f3a47a1f6a6d76710b947ab93041a03901076d6f707379021233657573778289"
            "b570885e15084825c50406c0a80110050600000007"
        );
        let challenge = hex!(
            "0b02004e36f3c8764ae8c71157403c0c71ff9c4512304368616c6c656e67652033323736"
            "393433302e2020456e74657220726573706f6e73652061742070726f6d70742e180a3332373639343330"
        );
        // As printed the State of the second request says 16 octets, of which 10 are there.
        let printed = hex!(
            "01030043b122556d428a13d0d6253807c457ecf001076d6f7073790212692c1f205fc081"
            "b919b95195f561a5810406c0a8011005060000000718103332373639343330"
        );
        let mut corrected = printed;
        corrected[58] = 10;
        let reject = hex!("03030014a42f4fca45916c4e09c8340f9e746aa0");
        assert_eq!(password(&request), b"challenge");
        assert_eq!(verify(&request, &challenge), Ok(()));
        let offset = 57;
        let expected = Error::Malformed { what: Malformed::AttributeLength, offset };
        assert_eq!(Packet::parse(&printed), Err(expected));
        assert_eq!(password(&corrected), b"99101462");
        assert_eq!(verify(&corrected, &reject), Ok(()));
    }

    #[test]
    fn rfc_5997_section_6_1() {
        let request =
            hex!("0cda00268a54f4686fb394c52866e302185d062350125a665e2e1e8411f3e243822097c84fa3");
        let reply = hex!("02da0014ef0d552a4bf2d693ec2b6fe8b5411d66");
        let secret = Secret::copy_from(SECRET);
        assert_eq!(verify_request(&Packet::parse(&request).unwrap(), &secret), Ok(()));
        assert_eq!(verify(&request, &reply), Ok(()));
        let authenticator = hex!("8a54f4686fb394c52866e302185d0623");
        let (code, none) = (Code::STATUS_SERVER, Attributes::EMPTY);
        let ours = seal_request(code, 0xda, &authenticator, none, None, &secret).unwrap();
        assert_eq!(ours, request);
    }

    #[test]
    fn passwords_of_every_length() {
        let secret = Secret::copy_from(b"testing123");
        let authenticator = core::array::from_fn(|at| at as u8);
        let hide = |password: &[u8]| hide_password(password, &authenticator, &secret);
        assert_eq!(hide(b"").unwrap(), hex!("96ee09ca74fd7a1a104607240014828b"));
        assert_eq!(hide(b"a").unwrap(), hex!("f7ee09ca74fd7a1a104607240014828b"));
        assert_eq!(hide(b"0123456789abcdef").unwrap(), hex!("a6df3bf940c84c2d287f66466370e7ed"));
        assert_eq!(
            hide(b"0123456789abcdefg").unwrap(),
            hex!("a6df3bf940c84c2d287f66466370e7ed65a814dea05f4f990007505920bd8742")
        );
        assert_eq!(hide(&[b'x'; 128]).unwrap().len(), 128);
        assert_eq!(hide(&[b'x'; 129]), Err(Error::Misuse(Misuse::PasswordTooLong)));
    }

    #[test]
    fn only_a_reject_is_believed_without_a_message_authenticator() {
        let secret = Secret::copy_from(SECRET);
        let eap = hex!("4f06 04010004");
        for (code, attributes, believed) in [
            (Code::ACCESS_REJECT, &[][..], true),
            (Code::ACCESS_REJECT, &eap, false),
            (Code::ACCESS_ACCEPT, &[], false),
            (Code::ACCESS_CHALLENGE, &[], false),
            (Code::PROTOCOL_ERROR, &[], false),
        ] {
            let length = HEADER_LEN + attributes.len();
            let mut reply = [&[code.0, 1, 0, length as u8][..], &[5; 16], attributes].concat();
            let digest = Md5::new().chain_update(&reply).chain_update(SECRET).finalize();
            reply[4..20].copy_from_slice(&digest);
            let reply = Packet::parse(&reply).unwrap();
            let verified = verify_reply(&reply, &[5; 16], &secret, MessageAuthenticator::Required);
            let missing = Err(Error::Misbehaved(Misbehaved::NoMessageAuthenticator));
            assert_eq!(verified, if believed { Ok(()) } else { missing }, "{code} {attributes:?}");
        }
    }

    #[test]
    fn what_is_sealed_verifies() {
        let secret = Secret::copy_from(SECRET);
        let mut list = AttributeList::new();
        list.push_eap(&[7; 600]).unwrap();
        let request =
            seal_request(Code::ACCESS_REQUEST, 9, &[5; 16], list.view(), None, &secret).unwrap();
        let parsed = Packet::parse(&request).unwrap();
        assert_eq!(verify_request(&parsed, &secret), Ok(()));
        assert_eq!(parsed.attributes().eap(), Ok(Some([7; 600].to_vec())));
        let first = parsed.attributes().iter().next().unwrap().kind;
        assert_eq!(first, AttributeType::MESSAGE_AUTHENTICATOR);
        let reply = seal_reply(Code::ACCESS_CHALLENGE, 9, &[5; 16], list.view(), &secret).unwrap();
        let reply = Packet::parse(&reply).unwrap();
        let policy = MessageAuthenticator::Required;
        assert_eq!(verify_reply(&reply, &[5; 16], &secret, policy), Ok(()));
        let wrong = verify_reply(&reply, &[6; 16], &secret, policy);
        assert_eq!(wrong, Err(Error::Misbehaved(Misbehaved::ResponseAuthenticator)));
    }
}
