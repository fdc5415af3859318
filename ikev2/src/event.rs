//! What an endpoint has to say.

use alloc::boxed::Box;
use alloc::string::String;

use crate::ask::Ask;
use crate::child::ChildId;
use crate::config::RemoteAuth;
use crate::error::Error;
use crate::identity::Identity;
use crate::negotiate::ConfigurationReply;
use crate::path::Path;
use crate::wire::IkeSpi;

/// What happened to an IKE SA. After [`Closed`](Self::Closed) nothing more comes of it.
///
/// ```
/// use adit_ikev2::Event;
///
/// fn log(event: &Event) -> Option<String> {
///     Some(match event {
///         Event::Established(ike) => format!("connected to {}", ike.peer.identity()),
///         Event::ChildClosed { child, .. } => format!("{child:?} is gone"),
///         Event::Closed(reason) => format!("disconnected: {reason}"),
///         _ => return None,
///     })
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A question that only the embedder can answer.
    Ask(Ask),
    /// IKE_SA_INIT is over: both ends have keys, and nobody is authenticated yet.
    KeysAgreed {
        /// Where the handshake goes on: with a NAT on the path, on the ports for NAT traversal.
        path: Path,
        /// Which end a NAT was found in front of.
        nat: Nat,
    },
    /// Both ends are authenticated.
    Established(Box<Established>),
    /// A child SA is up on both ends: send its packets through it from now on. (After a rekey that the
    /// peer started, also a first packet received through it says so: RFC 7296 section 2.8.)
    ChildEstablished {
        /// The child, which an [`Ask::Install`] introduced.
        child: ChildId,
        /// The one that it takes over from. It still receives until its own [`Self::ChildClosed`].
        replaces: Option<ChildId>,
    },
    /// A child SA that was wanted here, or by the peer with IKE_AUTH, did not come about. The IKE SA is
    /// unharmed.
    ChildFailed(Error),
    /// A child SA is gone in both directions: remove it.
    ChildClosed {
        /// The child.
        child: ChildId,
        /// Why.
        reason: CloseReason,
    },
    /// The IKE SA has new keys and SPIs; its children stay.
    IkeRekeyed {
        /// The new initiator SPI.
        initiator_spi: IkeSpi,
        /// The new responder SPI.
        responder_spi: IkeSpi,
    },
    /// The peer is reached at another address from now on, as an authenticated packet showed: send its
    /// ESP there too.
    PathChanged(Path),
    /// The peer answered [`check_liveness`](crate::Endpoint::check_liveness).
    Alive,
    /// A line for Wireshark's `ikev2_decryption_table`; only after
    /// [`dangerous_key_log`](crate::Endpoint::dangerous_key_log). It contains keys.
    KeyLog(String),
    /// The SA is gone, with all its children.
    Closed(CloseReason),
}

/// Why an SA is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CloseReason {
    /// Deleted by a command here.
    ByUs,
    /// Deleted by the peer.
    ByPeer,
    /// Replaced by a newer SA.
    Rekeyed,
    /// It failed, or was never set up.
    Failed(Error),
}

impl core::fmt::Display for CloseReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::ByUs => f.write_str("deleted here"),
            Self::ByPeer => f.write_str("deleted by the peer"),
            Self::Rekeyed => f.write_str("replaced by a newer SA"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// Which end of a path has a NAT in front of it: RFC 7296 section 2.23.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Nat {
    /// In front of us: keep its mapping alive.
    pub local: bool,
    /// In front of the peer: its address may change at any time.
    pub remote: bool,
}

impl Nat {
    /// True if there is any.
    pub fn any(self) -> bool {
        self.local || self.remote
    }
}

/// An IKE SA whose two ends are authenticated.
#[derive(Debug)]
pub struct Established {
    /// Who the peer is, proven.
    pub peer: AuthenticatedPeer,
    /// Who we are to it.
    pub local_id: Identity,
    /// Where it is reached.
    pub path: Path,
    /// Which end has a NAT in front of it.
    pub nat: Nat,
    /// As the initiator: what the gateway assigned by configuration payload.
    pub configuration: Option<ConfigurationReply>,
    /// The peer says that it has no other SA with us (INITIAL_CONTACT): older ones of the same identity
    /// can be [abandoned](crate::Endpoint::abandon).
    pub initial_contact: bool,
}

/// An identity that was proven. Only this crate can make one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthenticatedPeer {
    identity: Identity,
    method: RemoteAuth,
}

impl AuthenticatedPeer {
    pub(crate) fn new(identity: Identity, method: RemoteAuth) -> Self {
        Self { identity, method }
    }

    /// The identity of its IDi or IDr payload. With EAP, who the user is was settled between the EAP peer
    /// and the authenticator, and may be named otherwise.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How it was proven.
    pub fn method(&self) -> RemoteAuth {
        self.method
    }
}
