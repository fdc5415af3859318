//! What proves who a user is.

use adit_platform::Secret;

/// A user's password, or what a user database keeps in its place.
///
/// ```
/// use adit_eap::Credential;
///
/// let typed = Credential::password("wonderland");
/// assert_eq!(format!("{typed:?}"), "Password(Secret(10 bytes))");
/// ```
#[derive(PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Credential {
    /// The password in UTF-8, at most 256 characters where MS-CHAP-V2 is used.
    Password(Secret),
    /// The NT password hash, 16 octets: MD4 of the password in UTF-16LE (RFC 2759 section 8.3).
    NtHash(Secret),
}

impl Credential {
    /// A password; wiping the original is the caller's business.
    pub fn password(text: &str) -> Self {
        Self::Password(Secret::copy_from(text.as_bytes()))
    }

    /// An NT password hash.
    pub fn nt_hash(hash: [u8; 16]) -> Self {
        Self::NtHash(Secret::copy_from(&hash))
    }

    /// A second copy, wiped on its own.
    pub fn duplicate(&self) -> Self {
        match self {
            Self::Password(secret) => Self::Password(secret.duplicate()),
            Self::NtHash(secret) => Self::NtHash(secret.duplicate()),
        }
    }
}
