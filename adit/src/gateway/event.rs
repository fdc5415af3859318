//! What a gateway tells and asks.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use adit_certval::Warning;
use adit_esp::sad::ChildStats;
use adit_ikev2::{CloseReason, Path, SaId, Signature, Ticket};
use adit_platform::signature::SignatureScheme;

use super::{ConnectedClient, Refusal};
use crate::adapters::certificates::Fetch;
use crate::stack::KeyLogLine;

/// What a gateway tells and asks.
#[derive(Debug)]
#[non_exhaustive]
pub enum GatewayEvent {
    /// Fetch this and answer with [`Gateway::handle_fetched`](crate::Gateway::handle_fetched).
    Fetch(Fetch),
    /// Sign these octets and answer with [`Gateway::answer_signature`](crate::Gateway::answer_signature); only with [`Key::External`](crate::Key::External).
    Sign {
        /// What is to be signed; hashing is part of signing.
        octets: Vec<u8>,
        /// The schemes to choose from.
        schemes: Vec<SignatureScheme>,
        /// For the answer.
        ticket: Ticket<Signature>,
    },
    /// A client is connected.
    Connected(Box<ConnectedClient>),
    /// A client's certificate was accepted with a reservation.
    CertificateWarning {
        /// The client.
        sa: SaId,
        /// The reservation.
        warning: Warning,
    },
    /// A client's keys were renewed.
    Rekeyed {
        /// The client.
        sa: SaId,
        /// Those of a child SA, or else those of the IKE SA.
        child: bool,
    },
    /// A client is reached at another address from now on.
    PathChanged {
        /// The client.
        sa: SaId,
        /// The address.
        path: Path,
    },
    /// So long are the inner packets that go to a client in one datagram which its path carries whole: after
    /// `Connected`, and when it changes. The gateway itself fragments longer ones or tells their senders; a host that
    /// routes to each client by itself may do so before.
    PathMtu {
        /// The client.
        sa: SaId,
        /// In bytes.
        mtu: usize,
    },
    /// A line for Wireshark; only after [`Gateway::dangerous_key_log`](crate::Gateway::dangerous_key_log).
    KeyLog(KeyLogLine),
    /// Somebody tried to connect and did not succeed.
    Refused(Box<Refusal>),
    /// A client that was connected is gone.
    Disconnected {
        /// The client.
        sa: SaId,
        /// Who it was.
        client: Box<ConnectedClient>,
        /// Why it is gone.
        reason: CloseReason,
        /// What it carried.
        stats: Box<ChildStats>,
    },
}

/// Where a datagram goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// To a peer.
    Peer(Path),
    /// To a RADIUS server.
    Radius {
        /// From which of the host's RADIUS sockets, numbered from 0.
        socket: u16,
        /// To whom.
        server: SocketAddr,
    },
}
