//! The IKEv2 wire format: a stateless, lossless codec (RFC 7296 section 3).
//!
//! Receiving goes [`Header::parse`] (routing needs no more), [`Message::parse`] for the whole datagram,
//! and, once the Encrypted payload is opened, [`Payloads::parse`] for what was inside it. Sending goes
//! [`Payloads::encode`] for the inside of an Encrypted payload, or [`Message::encode`] for a message
//! in the clear.
//!
//! Bytes are borrowed from the datagram; [`Payload::into_owned`] cuts the tie. Values that this crate
//! does not know (payload types, transforms, attributes, notifies) survive a round trip; reserved bits
//! are sent as zero and ignored on receipt. The lists are bounded by the constants in [`limits`].
//!
//! ```
//! use adit_ikev2::wire::{ExchangeType, Flags, Header, IkeSpi, Message, Notify, NotifyType, Payload, Payloads};
//!
//! let header = Header::new(
//!     IkeSpi(*b"initiatr"), IkeSpi::ZERO, ExchangeType::IKE_SA_INIT, Flags::REQUEST_BY_INITIATOR, 0,
//! );
//! let payloads = Payloads::from(vec![Payload::Notify(Notify::status(
//!     NotifyType::COOKIE, b"12345678",
//! ))]);
//! let datagram = Message::encode(&header, &payloads)?;
//! let message = Message::parse(&datagram)?;
//! assert_eq!(message.payloads.notify(NotifyType::COOKIE).unwrap().data, &b"12345678"[..]);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod auth;
mod cert;
mod cp;
mod delete;
mod error;
mod header;
mod id;
mod ke;
pub mod limits;
mod message;
mod notify;
mod opaque;
mod payload;
mod reader;
mod registry;
mod sa;
mod spi;
mod ts;
mod writer;

pub use auth::Authentication;
pub use cert::{Certificate, CertificateRequest};
pub use cp::{Configuration, ConfigurationAttribute};
pub use delete::Delete;
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use header::{Flags, HEADER_LEN, Header};
pub use id::Identification;
pub use ke::KeyExchange;
pub use message::{Encrypted, Fragment, Message};
pub use notify::Notify;
pub use opaque::{Eap, Nonce, UnknownPayload, VendorId};
pub use payload::{Payload, Payloads};
pub use registry::*;
pub use sa::{Attribute, AttributeValue, Proposal, SecurityAssociation, Transform};
pub use spi::{IkeSpi, Spi};
pub use ts::{AddressRange, Selector, TrafficSelector, TrafficSelectors};
