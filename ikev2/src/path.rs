//! The names of an IKE SA: for the embedder, and for the network.

use core::fmt;
use core::net::SocketAddr;

/// Names an IKE SA of one [`Endpoint`](crate::Endpoint), over all its rekeys. Not reused while the endpoint lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SaId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl fmt::Debug for SaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ike{}.{}", self.index, self.generation)
    }
}

/// The two ends between which datagrams travel, as seen from here.
///
/// The local port says whether IKE messages carry the non-ESP marker; see
/// [`nat_t_port`](crate::EndpointConfig::nat_t_port). A host that does not know its own address may pass an unspecified one:
/// a NAT will then seem to be in front of it, which costs the UDP encapsulation of ESP.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    /// Our address and port.
    pub local: SocketAddr,
    /// The peer's address and port.
    pub remote: SocketAddr,
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <-> {}", self.local, self.remote)
    }
}
