//! The Master Session Key that a method exports.

use adit_platform::Secret;

/// Length of an MSK in octets: "at least 64", RFC 3748 section 7.10; every method here exports 64.
pub const MSK_LEN: usize = 64;

/// The Master Session Key, RFC 5247 section 1.2: what both sides of a finished method share.
///
/// IKEv2 computes its AUTH payloads from it (RFC 7296 section 2.16). It is wiped when dropped.
///
/// ```
/// use adit_eap::Msk;
///
/// // EAP-MSCHAPv2: two 16-octet keys of RFC 3079 and zeros up to 64.
/// let msk = Msk::from_parts(&[1; 16], &[2; 16]);
/// assert_eq!(msk.secret().len(), 64);
/// ```
#[derive(PartialEq, Eq, Debug)]
pub struct Msk(Secret);

impl Msk {
    /// The MSK that begins with `receive` and `send`, the authenticator's two keys in the order of
    /// MS-MPPE-Recv-Key and MS-MPPE-Send-Key (RFC 2548), filled with zeros or cut to 64 octets.
    pub fn from_parts(receive: &[u8], send: &[u8]) -> Self {
        Self(Secret::build(MSK_LEN, |out| {
            out.iter_mut().zip(receive.iter().chain(send)).for_each(|(to, from)| *to = *from);
        }))
    }

    /// The key.
    pub fn secret(&self) -> &Secret {
        &self.0
    }

    /// The key, taken out.
    pub fn into_secret(self) -> Secret {
        self.0
    }
}
