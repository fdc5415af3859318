//! IKEv2 (RFC 7296) as sans-IO state machines.
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
