//! The computations of RFC 2759 section 8 and RFC 3079 section 3.

use adit_platform::Secret;
use des::Des;
use des::cipher::{BlockCipherEncrypt, KeyInit};
use md4::Md4;
use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use super::{MAX_PASSWORD_CHARS, account};
use crate::error::{Error, Misuse};
use crate::{Credential, Msk};

/// The challenges and the user of one exchange: what both sides hash.
pub(super) struct Exchange<'a> {
    pub(super) authenticator_challenge: &'a [u8; 16],
    pub(super) peer_challenge: &'a [u8; 16],
    /// The user name, with or without `DOMAIN\`.
    pub(super) user: &'a [u8],
}

/// MD4 of the password in UTF-16LE, RFC 2759 section 8.3: as good as the password itself.
pub(super) struct NtHash(Secret);

impl NtHash {
    pub(super) fn of(credential: &Credential) -> Result<Self, Error> {
        match credential {
            Credential::NtHash(hash) if hash.len() == 16 => Ok(Self(hash.duplicate())),
            Credential::NtHash(_) => Err(Error::Misuse(Misuse::BadNtHash)),
            Credential::Password(password) => {
                let text = core::str::from_utf8(password.expose())
                    .ok()
                    .filter(|text| text.chars().count() <= MAX_PASSWORD_CHARS)
                    .ok_or(Error::Misuse(Misuse::BadPassword))?;
                let mut md4 = Md4::new();
                for unit in text.encode_utf16() {
                    md4.update(unit.to_le_bytes());
                }
                let hash = Zeroizing::new(<[u8; 16]>::from(md4.finalize()));
                Ok(Self(Secret::copy_from(&*hash)))
            }
        }
    }

    /// HashNtPasswordHash, RFC 2759 section 8.4.
    fn twice(&self) -> Zeroizing<[u8; 16]> {
        Zeroizing::new(Md4::digest(self.0.expose()).into())
    }

    /// GenerateNTResponse, RFC 2759 section 8.1.
    pub(super) fn nt_response(&self, exchange: &Exchange<'_>) -> [u8; 24] {
        self.challenge_response(&exchange.challenge_hash())
    }

    /// ChallengeResponse, RFC 2759 section 8.5: DES under three keys cut from the hash and five zeros.
    fn challenge_response(&self, challenge: &[u8; 8]) -> [u8; 24] {
        let mut padded = Zeroizing::new([0; 21]);
        padded.iter_mut().zip(self.0.expose()).for_each(|(to, from)| *to = *from);
        let mut response = [0; 24];
        for (part, key) in response.chunks_exact_mut(8).zip(padded.chunks_exact(7)) {
            let mut block = (*challenge).into();
            Des::new((&*des_key(key)).into()).encrypt_block(&mut block);
            part.copy_from_slice(&block);
        }
        response
    }

    /// GenerateAuthenticatorResponse, RFC 2759 section 8.7, before it is written in hexadecimal.
    pub(super) fn authenticator_response(
        &self,
        exchange: &Exchange<'_>,
        nt_response: &[u8; 24],
    ) -> [u8; 20] {
        let digest = Sha1::new()
            .chain_update(*self.twice())
            .chain_update(nt_response)
            .chain_update(b"Magic server to client signing constant")
            .finalize();
        Sha1::new()
            .chain_update(digest)
            .chain_update(exchange.challenge_hash())
            .chain_update(b"Pad to make it do more than one iteration")
            .finalize()
            .into()
    }

    /// The MSK: the authenticator's receive key and its send key, and 32 zeros.
    pub(super) fn msk(&self, nt_response: &[u8; 24]) -> Msk {
        let master = self.master_key(nt_response);
        // RFC 3079 section 3.3: what the server sends with, the client receives with.
        let send = start_key(&master, SERVER_TO_CLIENT);
        let receive = start_key(&master, CLIENT_TO_SERVER);
        Msk::from_parts(&*receive, &*send)
    }

    /// GetMasterKey, RFC 3079 section 3.4.
    fn master_key(&self, nt_response: &[u8; 24]) -> Zeroizing<[u8; 16]> {
        let digest = Sha1::new()
            .chain_update(*self.twice())
            .chain_update(nt_response)
            .chain_update(b"This is the MPPE Master Key")
            .finalize();
        first_16(digest.into())
    }
}

impl Exchange<'_> {
    /// ChallengeHash, RFC 2759 section 8.2.
    fn challenge_hash(&self) -> [u8; 8] {
        let digest: [u8; 20] = Sha1::new()
            .chain_update(self.peer_challenge)
            .chain_update(self.authenticator_challenge)
            .chain_update(account(self.user))
            .finalize()
            .into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        [a, b, c, d, e, f, g, h]
    }
}

/// The magic constants of RFC 3079 section 3.4, named by the direction of the traffic.
const CLIENT_TO_SERVER: &[u8] = b"On the client side, this is the send key; \
    on the server side, it is the receive key.";
const SERVER_TO_CLIENT: &[u8] = b"On the client side, this is the receive key; \
    on the server side, it is the send key.";

/// GetAsymmetricStartKey, RFC 3079 section 3.4, for 128-bit keys.
fn start_key(master: &[u8; 16], magic: &[u8]) -> Zeroizing<[u8; 16]> {
    let digest = Sha1::new()
        .chain_update(master)
        .chain_update([0x00; 40])
        .chain_update(magic)
        .chain_update([0xf2; 40])
        .finalize();
    first_16(digest.into())
}

fn first_16(digest: [u8; 20]) -> Zeroizing<[u8; 16]> {
    let digest = Zeroizing::new(digest);
    let mut out = Zeroizing::new([0; 16]);
    out.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
    out
}

/// Spreads 56 bits over the high 7 bits of 8 octets. DES ignores the low bits, where parity would be.
fn des_key(key: &[u8]) -> Zeroizing<[u8; 8]> {
    let bits = key.iter().fold(0u64, |bits, octet| bits << 8 | u64::from(*octet));
    let mut spread = Zeroizing::new([0; 8]);
    for (i, octet) in (0u32..).zip(spread.iter_mut().rev()) {
        *octet = ((bits >> (7 * i)) as u8) << 1;
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    /// RFC 2759 section 9.2.
    const EXCHANGE: Exchange<'_> = Exchange {
        authenticator_challenge: &hex!("5b5d7c7d7b3f2f3e3c2c602132262628"),
        peer_challenge: &hex!("21402324255e262a28295f2b3a337c7e"),
        user: b"User",
    };
    const NT_RESPONSE: [u8; 24] = hex!("82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df");

    fn hash(password: &str) -> NtHash {
        NtHash::of(&Credential::password(password)).unwrap()
    }

    #[test]
    fn rfc_2759_section_9_2() {
        let hash = hash("clientPass");
        assert_eq!(hash.0.expose(), hex!("44ebba8d5312b8d611474411f56989ae"));
        assert_eq!(*hash.twice(), hex!("41c00c584bd2d91c4017a2a12fa59f3f"));
        assert_eq!(EXCHANGE.challenge_hash(), hex!("d02e4386bce91226"));
        assert_eq!(hash.nt_response(&EXCHANGE), NT_RESPONSE);
        assert_eq!(
            hash.authenticator_response(&EXCHANGE, &NT_RESPONSE),
            hex!("407a5589115fd0d6209f510fe9c04566932cda56")
        );
    }

    #[test]
    fn rfc_2759_section_9_3() {
        let hash = hash("MyPw");
        assert_eq!(hash.0.expose(), hex!("fc156af7edcd6c0edde3337d427f4eac"));
        let without_parity = |key: [u8; 8]| key.map(|octet| octet & 0xfe);
        assert_eq!(*des_key(&hash.0.expose()[..7]), without_parity(hex!("fd0b5b5e7f6e34d9")));
        assert_eq!(*des_key(&hash.0.expose()[7..14]), without_parity(hex!("0e6e796737ea08fe")));
    }

    #[test]
    fn rfc_3079_section_3_5() {
        let master = hash("clientPass").master_key(&NT_RESPONSE);
        assert_eq!(*master, hex!("fdece3717a8c838cb388e527ae3cdd31"));
        assert_eq!(*start_key(&master, SERVER_TO_CLIENT), hex!("8b7cdc149b993a1ba118cb153f56dccb"));
    }

    #[test]
    fn msk_is_receive_key_send_key_zeros() {
        let msk = hash("clientPass").msk(&NT_RESPONSE);
        assert_eq!(
            msk.secret().expose(),
            hex!(
                "d5f0e9521e3ea9589645e86051c82226 8b7cdc149b993a1ba118cb153f56dccb"
                "0000000000000000000000000000000000000000000000000000000000000000"
            )
        );
    }

    #[test]
    fn only_the_account_is_hashed() {
        let user = br"DOMAIN\User";
        let with_domain = Exchange { user, ..EXCHANGE }.challenge_hash();
        assert_eq!(with_domain, EXCHANGE.challenge_hash());
    }

    #[test]
    fn passwords_are_limited_in_characters() {
        assert!(NtHash::of(&Credential::password(&"\u{1f511}".repeat(256))).is_ok());
        let long = NtHash::of(&Credential::password(&"x".repeat(257)));
        assert_eq!(long.err(), Some(Error::Misuse(Misuse::BadPassword)));
        let latin1 = NtHash::of(&Credential::Password(Secret::copy_from(b"p\xe4ss")));
        assert_eq!(latin1.err(), Some(Error::Misuse(Misuse::BadPassword)));
    }
}
