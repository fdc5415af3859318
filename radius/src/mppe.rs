//! MS-MPPE-Send-Key and MS-MPPE-Recv-Key: how a server hands over the MSK. RFC 2548 section 2.4.

use alloc::vec::Vec;

use adit_platform::Secret;

use crate::attribute::{Attribute, AttributeList, Attributes};
use crate::dictionary::VendorType;
use crate::error::{Error, Malformed, Misuse};
use crate::secure::{pad, xor};

/// Length of an MSK in octets, RFC 3748 section 7.10.
pub const MSK_LEN: usize = 64;

/// Longest key in octets that one attribute can hold and RFC 2548 allows for: with its length octet and
/// its padding it has to fit into 247 octets less the salt.
const MAX_KEY_LEN: usize = 239;

/// The MSK that an Access-Accept carries: the key of MS-MPPE-Recv-Key, then that of MS-MPPE-Send-Key,
/// filled with zeros to [`MSK_LEN`] octets. `None` if it carries neither.
///
/// # Errors
/// [`Malformed::Key`] if one is missing, does not decrypt, is empty or stands twice, or if both
/// together are longer than an MSK.
pub fn msk(
    attributes: Attributes<'_>,
    request_authenticator: &[u8; 16],
    secret: &Secret,
) -> Result<Option<Secret>, Error> {
    let key = |kind| -> Result<Option<(Secret, usize)>, Error> {
        let mut all = attributes.vendor(kind);
        let Some(attribute) = all.next() else { return Ok(None) };
        match all.next() {
            Some(second) => Err(Error::malformed(Malformed::Key, second.offset)),
            None => {
                Ok(Some((decrypt(&attribute, request_authenticator, secret)?, attribute.offset)))
            }
        }
    };
    match (key(VendorType::MS_MPPE_RECV_KEY)?, key(VendorType::MS_MPPE_SEND_KEY)?) {
        (Some((receive, offset)), Some((send, _))) => {
            if receive.len() + send.len() > MSK_LEN {
                return Err(Error::malformed(Malformed::Key, offset));
            }
            Ok(Some(Secret::build(MSK_LEN, |out| {
                let keys = receive.expose().iter().chain(send.expose());
                out.iter_mut().zip(keys).for_each(|(to, from)| *to = *from);
            })))
        }
        (None, None) => Ok(None),
        (Some((_, offset)), None) | (None, Some((_, offset))) => {
            Err(Error::malformed(Malformed::Key, offset))
        }
    }
}

/// Adds the two halves of an MSK to an Access-Accept: what a server does. `salt` has to be different for
/// every Access-Accept; the two keys use it and its successor.
///
/// ```
/// use adit_platform::Secret;
/// use adit_radius::{AttributeList, mppe};
///
/// let (secret, authenticator) = (Secret::copy_from(b"testing123"), [7; 16]);
/// let mut list = AttributeList::new();
/// mppe::push_keys(&mut list, &[1; 16], &[2; 16], 0x8000, &authenticator, &secret)?;
/// let msk = mppe::msk(list.view(), &authenticator, &secret)?.unwrap();
/// assert_eq!(msk.expose()[..32], [[1; 16], [2; 16]].concat());
/// # Ok::<(), adit_radius::Error>(())
/// ```
///
/// # Errors
/// [`Misuse::TooLong`] if the list is full or a key is longer than an attribute.
pub fn push_keys(
    list: &mut AttributeList,
    receive: &[u8],
    send: &[u8],
    salt: u16,
    request_authenticator: &[u8; 16],
    secret: &Secret,
) -> Result<(), Error> {
    for (kind, key, salt) in [
        (VendorType::MS_MPPE_RECV_KEY, receive, salt),
        (VendorType::MS_MPPE_SEND_KEY, send, salt.wrapping_add(1)),
    ] {
        list.push_vendor(kind, &encrypt(key, salt, request_authenticator, secret)?)?;
    }
    Ok(())
}

/// Salt, then the key's length, the key and zeros, in blocks of 16 octets under an MD5 stream.
fn encrypt(
    key: &[u8],
    salt: u16,
    request_authenticator: &[u8; 16],
    secret: &Secret,
) -> Result<Vec<u8>, Error> {
    let length = u8::try_from(key.len())
        .ok()
        .filter(|length| usize::from(*length) <= MAX_KEY_LEN)
        .ok_or(Error::Misuse(Misuse::TooLong))?;
    // "The leftmost bit of the Salt field MUST be set", RFC 2548 section 2.4.2.
    let salt = (salt | 0x8000).to_be_bytes();
    let mut plain = Vec::with_capacity(256);
    plain.push(length);
    plain.extend_from_slice(key);
    plain.resize(plain.len().div_ceil(16) * 16, 0);
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(&salt);
    let mut stream = pad(secret, &[request_authenticator, &salt]);
    for block in plain.as_chunks_mut::<16>().0 {
        xor(block, &stream);
        stream = pad(secret, &[block]);
        out.extend_from_slice(block);
    }
    Ok(out)
}

fn decrypt(
    attribute: &Attribute<'_>,
    request_authenticator: &[u8; 16],
    secret: &Secret,
) -> Result<Secret, Error> {
    let bad = Error::malformed(Malformed::Key, attribute.offset);
    let Some((salt, cipher)) = attribute.value.split_first_chunk::<2>() else { return Err(bad) };
    // A salt without its leftmost bit is against RFC 2548 and decrypts all the same.
    let (blocks, []) = cipher.as_chunks::<16>() else { return Err(bad) };
    let mut stream = pad(secret, &[request_authenticator, salt]);
    let plain = Secret::build(cipher.len(), |out| {
        for (out, block) in out.as_chunks_mut::<16>().0.iter_mut().zip(blocks) {
            *out = *block;
            xor(out, &stream);
            stream = pad(secret, &[block]);
        }
    });
    let (length, key) = plain.expose().split_first().ok_or(bad)?;
    match key.get(..usize::from(*length)) {
        Some(key) if !key.is_empty() => Ok(Secret::copy_from(key)),
        _ => Err(bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::AttributeType;
    use alloc::vec;
    use hex_literal::hex;

    #[test]
    fn keys_of_a_freeradius_access_accept() {
        let secret = Secret::copy_from(b"testing123");
        let authenticator = hex!("f60ff000b4274329742e13caf68534c0");
        let mut list = AttributeList::new();
        let send = hex!("81aff86f645657f01f17fe5c877daa9f7a67c0d215d08993b421469a5472deaa0ae7");
        let receive = hex!("8b05d4c08557e492f72aef5607c04e7d36117ffb4c6e1a09a0cf47538b780bb5f2d2");
        list.push_vendor(VendorType::MS_MPPE_SEND_KEY, &send).unwrap();
        assert!(msk(list.view(), &authenticator, &secret).is_err(), "one key is not enough");
        list.push_vendor(VendorType::MS_MPPE_RECV_KEY, &receive).unwrap();
        let msk = msk(list.view(), &authenticator, &secret).unwrap().unwrap();
        assert_eq!(msk.expose()[..16], hex!("03bdaff361ce1fa950c24a95f8a29bd4"));
        assert_eq!(msk.expose()[16..32], hex!("91d40c57fba36d837a0f083fe7334564"));
        assert_eq!(msk.expose()[32..], [0; 32]);
    }

    #[test]
    fn what_is_encrypted_decrypts() {
        let secret = Secret::copy_from(b"s");
        for len in [1, 14, 15, 16, 17, 31, 32] {
            let mut list = AttributeList::new();
            let (receive, send) = (vec![3; len], vec![4; len]);
            push_keys(&mut list, &receive, &send, 0x1234, &[9; 16], &secret).unwrap();
            let read = msk(list.view(), &[9; 16], &secret).unwrap().unwrap();
            assert_eq!(read.expose()[..2 * len], [receive, send].concat());
            assert!(read.expose()[2 * len..].iter().all(|octet| *octet == 0));
            let salts: Vec<_> = list
                .view()
                .all(AttributeType::VENDOR_SPECIFIC)
                .map(|attribute| attribute.value[6..8].to_vec())
                .collect();
            assert_eq!(salts, [[0x92, 0x34], [0x92, 0x35]]);
        }
    }
}
