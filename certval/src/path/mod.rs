//! From a certificate to an anchor: RFC 4158 and RFC 5280 section 6.1, names by RFC 4945 and RFC 9525.

pub(crate) mod budget;
pub(crate) mod constraints;
pub(crate) mod identity;
pub(crate) mod policy;
pub(crate) mod purpose;
pub(crate) mod search;
pub(crate) mod validate;
