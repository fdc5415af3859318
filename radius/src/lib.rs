//! RADIUS (RFC 2865, RFC 3579): what a network access server says to its authentication servers, sans-IO.
//!
//! | you want to | take |
//! |---|---|
//! | ask servers about users | [`Client`] with [`AccessRequest`] |
//! | pass EAP through to a server | [`EapSession`], with a `Client` below it |
//! | read what a server grants | [`Reply::authorization`] |
//! | read or make packets by hand, or be a server | [`Packet`], [`AttributeList`], [`secure`], [`mppe`] |
//!
//! Replies without a Message-Authenticator grant nothing unless a server is configured otherwise
//! (CVE-2024-3596); every request carries one, as its first attribute.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

pub mod attribute;
pub mod client;
pub mod config;
pub mod dictionary;
pub mod eap;
pub mod error;
mod failover;
pub mod mppe;
pub mod packet;
pub mod reply;
pub mod request;
pub mod secure;

pub use attribute::{Attribute, AttributeList, Attributes};
pub use client::{Client, Event, RequestId, ServerId, Transmit};
pub use config::{ClientConfig, ServerConfig, Timers};
pub use dictionary::{AttributeType, Code, VendorType};
pub use eap::{EapSession, EapStep};
pub use error::Error;
pub use packet::Packet;
pub use reply::{Authorization, Ipv6Prefix, Reply};
pub use request::AccessRequest;
pub use secure::MessageAuthenticator;
