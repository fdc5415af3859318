//! What a client tells and asks, and why it fails.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use adit_certval::{CertificateInfo, Warning};
use adit_eap::error::Rejected;
use adit_esp::sad::ChildStats;
use adit_ikev2::{EapReply, Identity, Nat, Path, Signature, Ticket};
use adit_platform::signature::SignatureScheme;
use ipnet::IpNet;

use crate::adapters::certificates::Fetch;
use crate::stack::KeyLogLine;

/// What a client tells and asks.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The gateway answered, and both ends have keys; nobody is authenticated yet.
    KeysAgreed {
        /// Where the handshake goes on.
        path: Path,
        /// Where a NAT was found.
        nat: Nat,
    },
    /// The gateway's certificate is good. Nothing that proves who the user is has left before.
    GatewayVerified {
        /// What a person may want to see of it.
        certificate: Box<CertificateInfo>,
        /// What a person should be warned of.
        warnings: Vec<Warning>,
    },
    /// Fetch this and answer with [`Client::handle_fetched`](crate::Client::handle_fetched).
    Fetch(Fetch),
    /// Sign these octets and answer with [`Client::answer_signature`](crate::Client::answer_signature); only with [`Key::External`](crate::Key::External).
    Sign {
        /// What is to be signed; hashing is part of signing.
        octets: Vec<u8>,
        /// The schemes to choose from.
        schemes: Vec<SignatureScheme>,
        /// For the answer.
        ticket: Ticket<Signature>,
    },
    /// Ask the user for the password and answer with [`Client::answer_password`](crate::Client::answer_password).
    AskPassword {
        /// Whose.
        user: String,
        /// Why it is asked again: what the gateway said about the last one.
        rejected: Option<String>,
        /// For the answer.
        ticket: PasswordTicket,
    },
    /// The tunnel is up: set addresses and routes.
    Connected(Connection),
    /// Keys were renewed.
    Rekeyed {
        /// Those of a child SA, or else those of the IKE SA.
        child: bool,
    },
    /// The gateway is reached at another address from now on.
    PathChanged(Path),
    /// More is known of the path, and [`Connection::mtu`] has changed.
    PathMtu {
        /// What it is now, in bytes.
        mtu: usize,
    },
    /// A line for Wireshark; only after [`Client::dangerous_key_log`](crate::Client::dangerous_key_log).
    KeyLog(KeyLogLine),
    /// The connection is over, or did not come about.
    Disconnected {
        /// Why.
        reason: Disconnect,
        /// What it carried.
        stats: Box<ChildStats>,
    },
}

/// What the gateway assigned.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Connection {
    /// Who the gateway proved to be.
    pub gateway: Identity,
    /// Between which addresses the tunnel runs.
    pub path: Path,
    /// Our inner addresses, each with the length of its subnet's prefix.
    pub addresses: Vec<IpNet>,
    /// DNS servers.
    pub dns: Vec<IpAddr>,
    /// What to route into the tunnel.
    pub routes: Vec<IpNet>,
    /// The longest inner packet, in bytes, that goes in one datagram which the path carries whole, as far as is known:
    /// the MTU to set on the packet device, which needs 1280 at least for IPv6 (RFC 8200 section 5). Longer packets
    /// pass in fragments, or their senders are told.
    pub mtu: usize,
}

/// The right to answer a [`ClientEvent::AskPassword`].
#[derive(Debug)]
pub struct PasswordTicket(pub(super) Ticket<EapReply>);

/// Why a connection ended.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Disconnect {
    /// We ended it.
    ByUs,
    /// The gateway ended it.
    ByGateway,
    /// It failed.
    Failed(Failure),
}

/// What went wrong, at the place where a person can do something about it.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The gateway's certificate was not believed.
    Certificate(adit_certval::Error),
    /// The gateway did not accept user name and password, or could not prove that it knows them.
    Password(adit_eap::Error),
    /// The user gave no password.
    NoPassword,
    /// Anything else.
    Ike(adit_ikev2::Error),
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByUs => f.write_str("disconnected"),
            Self::ByGateway => f.write_str("the gateway closed the connection"),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(error) => {
                write!(f, "the gateway's certificate is not trusted: {error}")?;
                match &error.presented {
                    Some(certificate) => write!(f, "\n{certificate}"),
                    None => Ok(()),
                }
            }
            Self::Password(adit_eap::Error::Rejected(Rejected::ByAuthenticator)) => {
                f.write_str("the gateway refused the user name or the password")
            }
            Self::Password(adit_eap::Error::Rejected(reason)) => {
                write!(f, "the gateway refused the user name or the password: {reason}")
            }
            Self::Password(error) => write!(f, "login by password failed: {error}"),
            Self::NoPassword => f.write_str("no password was given"),
            Self::Ike(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Failure {}
