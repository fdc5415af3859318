//! `certval/…`: certificate paths and CRLs, beside other libraries that read them.
//!
//! The rows of a chain share a baseline, the bare verifications of its two signatures, so that their ratios
//! compare. `…/webpki` is rustls-webpki doing what the row without it does; `…/x509-cert` is the bare
//! verifications after x509-cert has read both certificates into structures of its own.

mod chain;
mod million;

use adit_benches::Report;

/// All rows of this area.
pub(crate) fn rows(report: &mut Report) {
    chain::rows(report);
    if report.wants("certval/crl-1m/") {
        million::rows(report);
    }
}
