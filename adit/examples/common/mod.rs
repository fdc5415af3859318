//! What the `gateway` and `client` examples share: configuration files, certificates, console output.

pub(crate) mod aggregation;
pub(crate) mod file;
pub(crate) mod ike;
pub(crate) mod path;
pub(crate) mod pki;
