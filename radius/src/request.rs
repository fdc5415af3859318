//! What a host asks a server: an Access-Request before it is sealed.

use adit_platform::Secret;

use crate::attribute::AttributeList;
use crate::client::ServerId;
use crate::dictionary::AttributeType;
use crate::error::{Error, Misuse};

/// An Access-Request that [`Client::send`](crate::Client::send) seals and sends.
///
/// It needs a way to prove the user: a password, or EAP. [`EapSession`](crate::EapSession) makes the
/// requests of an EAP conversation.
///
/// ```
/// use adit_platform::Secret;
/// use adit_radius::{AccessRequest, AttributeList, AttributeType};
///
/// let mut attributes = AttributeList::new();
/// attributes.push(AttributeType::USER_NAME, b"alice")?;
/// attributes.push(AttributeType::NAS_IDENTIFIER, b"vpn-gw-1")?;
/// let request = AccessRequest::new(attributes)?.with_password(Secret::copy_from(b"arctangent"));
/// # Ok::<(), adit_radius::Error>(())
/// ```
#[derive(Debug)]
pub struct AccessRequest {
    pub(crate) attributes: AttributeList,
    pub(crate) password: Option<Secret>,
    pub(crate) server: Option<ServerId>,
}

impl AccessRequest {
    /// A request with these attributes.
    ///
    /// # Errors
    /// [`Misuse::ReservedAttribute`] for User-Password and Message-Authenticator, which depend on the
    /// server that the request goes to, and for Proxy-State.
    pub fn new(attributes: AttributeList) -> Result<Self, Error> {
        for kind in [
            AttributeType::USER_PASSWORD,
            AttributeType::MESSAGE_AUTHENTICATOR,
            AttributeType::PROXY_STATE,
        ] {
            if attributes.view().all(kind).next().is_some() {
                return Err(Error::Misuse(Misuse::ReservedAttribute(kind)));
            }
        }
        Ok(Self { attributes, password: None, server: None })
    }

    /// Adds the password, at most 128 octets of UTF-8, hidden in User-Password.
    pub fn with_password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// Sends it to this server and no other: where an Access-Challenge came from, whose State no other
    /// server knows (RFC 5080 section 2.1.1).
    pub fn only_to(mut self, server: ServerId) -> Self {
        self.server = Some(server);
        self
    }

    /// RFC 3579 section 3.3, note 1.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let eap = self.attributes.view().all(AttributeType::EAP_MESSAGE).next().is_some();
        if eap && self.password.is_some() {
            return Err(Error::Misuse(Misuse::PasswordAndEap));
        }
        Ok(())
    }
}
