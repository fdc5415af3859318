//! IPsec remote access: a sans-IO gateway and client, and a tokio driver.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

pub mod adapters;
mod aggregation;
mod client;
pub mod config;
mod gateway;
mod limits;
pub mod proposal;
mod stack;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use adit_esp::iptfs::Pace;
pub use aggregation::{Aggregation, AggregationStats};
pub use client::{Client, ClientEvent, Connection, Disconnect, Failure, PasswordTicket};
pub use config::{
    ClientAuthentication, ClientConfig, ClientProof, Clocks, ConfigError, EapServer, Fragmentation,
    GatewayConfig, GatewayProof, Key, OwnCertificate, PathMtuPolicy, Policy, SetupError, Staple,
    Trust,
};
pub use gateway::{ConnectedClient, Gateway, GatewayEvent, Refusal, Target};
pub use limits::Limits;
pub use stack::{Dropped, KeyLogLine, Received};

/// The README's client compiles.
#[cfg(all(doctest, feature = "tokio", target_os = "linux"))]
#[doc = include_str!("../../README.md")]
struct Readme;
