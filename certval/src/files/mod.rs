//! Around certificates: requests, user names, URLs, and the files that they come in.

pub(crate) mod bundle;
pub(crate) mod ldap;
pub(crate) mod pem;
pub(crate) mod pkcs10;
#[cfg(feature = "pkcs12")]
pub(crate) mod pkcs12;
pub(crate) mod request;
pub(crate) mod template;
#[cfg(feature = "x509-cert")]
pub(crate) mod x509;
