//! Key material: the schedule, AUTH, and the protection of messages.
//!
//! [`IkeKeys`] holds what RFC 7296 section 2.14 derives for one IKE SA. Of it, an established IKE SA
//! keeps [`SkD`], from which Child SAs and successors are keyed, and a [`Protector`], which seals and
//! opens `SK {}` and `SKF {}`.

mod auth;
mod keylog;
mod protect;
mod schedule;
mod signature;
#[cfg(test)]
mod tests;

pub(crate) use auth::{eap_without_key_mic, shared_key_mic, signed_octets};
pub(crate) use protect::{OpenError, Plaintext, Protector, SealError};
pub(crate) use schedule::{ChildKeys, IkeKeys, Nonces, SkD};
pub(crate) use signature::{
    SignatureError, authentication, parse_signature_hashes, signature_hashes, usable_schemes,
    verify,
};
