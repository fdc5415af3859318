//! Whether a certificate still counts: CRLs by RFC 5280 section 6.3, OCSP by RFC 6960, and what to fetch when.

pub(crate) mod check;
pub(crate) mod crl;
pub(crate) mod crl_index;
pub(crate) mod distribution;
pub(crate) mod fetch;
pub(crate) mod ocsp;
pub(crate) mod ocsp_request;
pub(crate) mod responder;
pub(crate) mod responses;
pub(crate) mod schedule;
pub(crate) mod store;
