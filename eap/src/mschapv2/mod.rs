//! EAP-MSCHAPv2, Type 26: MS-CHAP-V2 (RFC 2759) inside EAP, draft-kamath-pppext-eap-mschapv2-02.
//!
//! Both sides prove that they know the password, and an MSK of 64 octets comes out (RFC 3079, RFC 2548).
//! The method is old: whoever records an exchange can find the password's hash by searching 2^56 DES
//! keys, and a password worth guessing by guessing it. Use it only inside of a channel to a server that
//! was authenticated first, as IKEv2 does with the gateway's certificate.
//!
//! | | Requests | Responses |
//! |---|---|---|
//! | 1 | Challenge: 16 octets, the server's name | Response: peer challenge, NT-Response, user name |
//! | 2 | Success `S=<20 octets> M=<text>` | Success: now the peer has authenticated the server |
//! | or | Failure `E=<code> R=<retry> C=<challenge> V=3 M=<text>` | Failure, or Response once more |

mod authenticator;
mod crypto;
mod message;
mod peer;

pub use authenticator::Authenticator;
pub use peer::Peer;

/// Longest password in characters, RFC 2759 section 4.
pub const MAX_PASSWORD_CHARS: usize = 256;

/// Longest user or server name in octets, RFC 2759 section 4.
pub const MAX_NAME_LEN: usize = 256;

/// The account of `DOMAIN\account`: only that is part of what is hashed, RFC 2759 section 8.2.
///
/// It begins behind the first backslash, as other implementations have it.
///
/// ```
/// assert_eq!(adit_eap::mschapv2::account(br"CORP\alice"), b"alice");
/// assert_eq!(adit_eap::mschapv2::account(b"alice"), b"alice");
/// ```
pub fn account(name: &[u8]) -> &[u8] {
    let start = name.iter().position(|octet| *octet == b'\\').map_or(0, |at| at + 1);
    name.get(start..).unwrap_or(name)
}
