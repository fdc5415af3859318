//! EAP (RFC 3748): peer, authenticator and methods, sans-IO.
//!
//! Two machines, one for each end, that turn an EAP packet into the next one. The lower layer carries
//! the packets: it keeps them in order and repeats them where they get lost, as IKEv2 does (RFC 7296
//! section 2.16), so there is no timer here.
//!
//! | you are | take | give it |
//! |---|---|---|
//! | a client | [`Peer`] | methods such as [`mschapv2::Peer`], with or without the password |
//! | a server | [`Authenticator`] | methods such as [`mschapv2::Authenticator`], best first |
//! | a pass-through | neither | carry the octets; [`packet::Packet::parse`] tells what is not EAP |
//!
//! What only a person or a database knows is asked for by a value, [`PeerStep::Ask`] and
//! [`AuthenticatorStep::Ask`], and answered whenever it is known.
//!
//! ```
//! use adit_eap::{Authenticator, AuthenticatorStep, Credential, Peer, PeerStep, mschapv2};
//! # use adit_platform::rng::{Rng, RngError};
//! # struct Counter(u8);
//! # impl Rng for Counter {
//! #     fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
//! #         out.iter_mut().for_each(|o| { *o = self.0; self.0 = self.0.wrapping_add(1); });
//! #         Ok(())
//! #     }
//! # }
//! # let mut rng = Counter(0);
//! let mut peer = Peer::new(
//!     "alice",
//!     vec![Box::new(mschapv2::Peer::new("alice", Some(Credential::password("wonderland")))?)],
//! );
//! let mut server = Authenticator::new(vec![Box::new(mschapv2::Authenticator::new("vpn.example"))])?;
//!
//! let mut step = server.start(&mut rng)?;
//! let (server_msk, client_msk) = loop {
//!     let request = match step {
//!         AuthenticatorStep::Request(packet) => packet,
//!         AuthenticatorStep::Ask(_) => {
//!             step = server.answer(Some(Credential::password("wonderland")), &mut rng)?;
//!             continue;
//!         }
//!         AuthenticatorStep::Success { packet, msk, .. } => {
//!             let PeerStep::Success(client) = peer.handle(&packet, &mut rng)? else { panic!() };
//!             break (msk, client);
//!         }
//!         AuthenticatorStep::Failure { reason, .. } => panic!("{reason}"),
//!     };
//!     let PeerStep::Respond(response) = peer.handle(&request, &mut rng)? else { panic!() };
//!     step = server.handle(&response, &mut rng)?;
//! };
//! assert!(server_msk.is_some() && server_msk == client_msk);
//! # Ok::<(), adit_eap::Error>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

pub mod authenticator;
mod credential;
pub mod error;
pub mod method;
pub mod mschapv2;
mod msk;
pub mod packet;
pub mod peer;

pub use authenticator::{Authenticator, AuthenticatorStep};
pub use credential::Credential;
pub use error::Error;
pub use method::{AuthenticatorAsk, PeerAsk};
pub use msk::{MSK_LEN, Msk};
pub use peer::{Peer, PeerStep};

/// Longest identity that is accepted or sent, in octets: what fits a RADIUS User-Name (RFC 7542
/// section 2.3 recommends at most 253).
pub const MAX_IDENTITY_LEN: usize = 253;

/// Requests after which an authentication ends, unless set otherwise: FreeRADIUS stops at 50, hostapd
/// at 100, and EAP-TLS with long certificate chains needs about 30.
pub const DEFAULT_MAX_ROUNDS: u32 = 50;
