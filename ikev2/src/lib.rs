//! IKEv2 (RFC 7296) as sans-IO state machines.
//!
//! An [`Endpoint`] owns every IKE SA of one pair of UDP sockets, as initiator and as responder. Datagrams,
//! time, randomness, keys and decisions come in as arguments; datagrams, deadlines, [`Event`]s and questions
//! ([`Ask`]) come out. Keys of child SAs come out as plain values ([`ChildSa`]) for whatever carries packets.
//!
//! | to … | see |
//! |---|---|
//! | drive an endpoint | [`Endpoint`], [`Path`], [`Disposition`] |
//! | say who is who and what is allowed | [`EndpointConfig`], [`PeerConfig`], [`ChildConfig`], [`Identity`] |
//! | choose algorithms, ask for addresses | [`negotiate`] |
//! | answer questions | [`Ask`], [`Ticket`], [`Deny`] |
//! | learn what happened, and why not | [`Event`], [`Error`] |
//! | read and write messages | [`wire`] |
//!
//! Inside, `handshake` is the way to two authenticated ends and `established` what follows; `channel` carries
//! the messages of one IKE SA, and `endpoint` holds it all together.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod ask;
mod channel;
mod child;
mod config;
mod cookie;
mod endpoint;
mod error;
mod established;
mod event;
mod fragment;
mod handshake;
mod identity;
mod keys;
mod limits;
pub mod negotiate;
mod path;
mod routing;
mod timers;
pub mod wire;

pub use ask::{
    Acceptance, Admission, Answer, Ask, ChildRefusal, Deny, EapReply, Installed, Signature, Ticket,
    VerifiedKey,
};
pub use child::{ChildId, ChildSa, Mode};
pub use config::{
    ChildConfig, EndpointConfig, Lifetime, LocalAuth, PeerConfig, RemoteAuth, Retransmission, Shard,
};
pub use endpoint::{Disposition, Endpoint, Transmit};
pub use error::{
    AuthError, CommandError, Denied, Error, Incompatible, Misbehaviour, Resource, StaleTicket,
    Stray, TimedOut,
};
pub use event::{AuthenticatedPeer, CloseReason, Established, Event, Nat};
pub use identity::Identity;
pub use limits::Limits;
pub use path::{Path, SaId};
