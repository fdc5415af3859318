//! The formats: DER, and what certificates and CRLs are made of (RFC 5280 section 4).

pub(crate) mod algorithm;
pub(crate) mod certificate;
pub(crate) mod der;
pub(crate) mod encode;
pub(crate) mod extension;
pub(crate) mod field;
pub(crate) mod general_name;
pub(crate) mod name;
pub(crate) mod oid;
pub(crate) mod stringprep;
