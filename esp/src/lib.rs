//! ESP (RFC 4303): the packet path of IPsec, in place and without allocation.
//!
//! An SA pair is an [`Outbound`] and an [`Inbound`], each made of an [`SaConfig`] and [`SaKeys`] that
//! IKE negotiated. Sealing and opening work in the caller's buffer; nothing here reads a clock, opens a
//! socket or allocates per packet.
//!
//! | module | holds |
//! |---|---|
//! | [`packet`] | the wire format: [`Spi`], [`NextHeader`], sizes |
//! | [`replay`] | the anti-replay window and extended sequence numbers |
//! | [`selector`], [`ip`] | which packets belong into an SA, and what of them is looked at |
//! | [`lifetime`] | soft and hard limits and their events |
//! | [`sad`] | the SAs of a core, found by SPI, with their succession by rekeying |
//! | [`spd`] | which packets are protected, bypassed or discarded |
//! | [`batch`] | many packets in one call, one SA for many threads |
//! | [`outer`] | outer headers, DSCP and ECN |
//! | [`pmtu`], [`fragment`] | packets that are too long for the path |
//! | [`encap`] | ESP and IKE on UDP port 4500, or in a TCP stream |
//! | [`nat`] | checksums that a NAT has made wrong in transport mode |
//! | [`iptfs`] | packets of one size at one rate, whatever is inside |
//! | [`keylog`] | keys for Wireshark, for debugging |
//!
//! Features: `std` adds [`batch`]'s `SharedInbound`; `bytes` adds forms of seal and open that take the
//! `BytesMut` of the `bytes` crate.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod batch;
#[cfg(feature = "bytes")]
mod bytes;
mod checksum;
pub mod config;
pub mod encap;
pub mod error;
pub mod fragment;
mod icmp;
pub mod inbound;
pub mod ip;
pub mod iptfs;
pub mod keylog;
pub mod lifetime;
pub mod nat;
mod opener;
pub mod outbound;
pub mod outer;
pub mod packet;
pub mod pmtu;
mod protection;
pub mod replay;
pub mod sad;
pub mod selector;
pub mod spd;
pub mod stats;
mod transport;

pub use config::{Mode, SaConfig, SaKeys};
pub use error::{Fault, OpenError, SealError, SetupError};
pub use inbound::{Inbound, Opened};
pub use lifetime::LifetimeEvent;
pub use outbound::Outbound;
pub use packet::{NextHeader, Spi};
pub use stats::{InboundStats, OutboundStats};
