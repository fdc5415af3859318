//! Suites from outside, run whole: NIST PKITS, BoringSSL's CRL, chain and OCSP corpora, OpenSSL's `verify`
//! corpus, pyca's OCSP responses.
//!
//! The data is not part of the project. It is looked for in `$ADIT_TEST_DATA/cert` and in `../shared/cert` beside
//! the checkout; see `data` for how to get it. Known disagreements are listed with their reasons under
//! `tests/exceptions`; one that no longer disagrees fails the test.
//!
//! ```text
//! cargo test --release -p adit-certval --test conformance -- --nocapture
//! ```

mod boringssl;
mod data;
mod dsa;
mod ocsp;
mod openssl;
mod pkits;
