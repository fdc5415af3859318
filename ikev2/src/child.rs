//! Child SAs as plain values, as they are handed to whatever carries packets.

use alloc::vec::Vec;
use core::fmt;

use adit_platform::{Secret, Suite};

use crate::config::Lifetime;
use crate::negotiate::Aggfrag;
use crate::wire::TrafficSelector;

/// Names a child SA of one IKE SA. Not reused while the endpoint lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChildId(pub(crate) u32);

impl ChildId {
    /// The number behind the name, for logs and tables.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for ChildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "child{}", self.0)
    }
}

/// How IP packets travel in ESP: RFC 4301 section 4.1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Mode {
    /// The whole packet is carried.
    #[default]
    Tunnel,
    /// The payload of the packet is carried, between these two hosts only.
    Transport,
}

/// A negotiated pair of ESP SAs with their keys, to be installed where packets are carried.
///
/// `keymat_in` and `keymat_out` are laid out as RFC 7296 section 2.17 derives them: the encryption key
/// (with its salt, [`Suite::encryption_key_len`] bytes), then the integrity key
/// ([`Suite::integrity_key_len`] bytes).
///
/// ```
/// use adit_ikev2::ChildSa;
///
/// fn encryption_key_in(child: &ChildSa) -> &[u8] {
///     &child.keymat_in.expose()[..child.suite.encryption_key_len()]
/// }
/// ```
#[derive(PartialEq, Eq, Debug)]
pub struct ChildSa {
    /// Its name in commands and events.
    pub id: ChildId,
    /// The SPI in the ESP packets that we receive; chosen here.
    pub spi_in: u32,
    /// The SPI in the ESP packets that we send; chosen by the peer.
    pub spi_out: u32,
    /// The algorithms, the same in both directions.
    pub suite: Suite,
    /// Whether sequence numbers have 64 bits: RFC 4303 section 2.2.1.
    pub esn: bool,
    /// Tunnel or transport.
    pub mode: Mode,
    /// Both directions carry AGGFRAG payloads and nothing else (RFC 9347 section 2.3), and this is what the
    /// peer requires of ours. `None` for plain packets.
    pub aggfrag: Option<Aggfrag>,
    /// Which packets may leave through it by their source, and arrive by their destination.
    pub local: Vec<TrafficSelector>,
    /// Which packets may leave through it by their destination, and arrive by their source.
    pub remote: Vec<TrafficSelector>,
    /// Keying material for what we receive.
    pub keymat_in: Secret,
    /// Keying material for what we send.
    pub keymat_out: Secret,
    /// Whether ESP is carried in UDP on the path of the IKE SA: there is a NAT, or
    /// [`force_encapsulation`](crate::PeerConfig::force_encapsulation).
    pub udp_encapsulation: bool,
    /// The child that this one takes over from, if it came out of a rekey.
    pub replaces: Option<ChildId>,
    /// When it is renewed and when it ends, for those who count bytes or packets besides.
    pub lifetime: Lifetime,
}

impl ChildSa {
    /// A copy without keying material.
    pub(crate) fn without_keys(&self) -> Self {
        Self {
            local: self.local.clone(),
            remote: self.remote.clone(),
            keymat_in: Secret::copy_from(&[]),
            keymat_out: Secret::copy_from(&[]),
            ..*self
        }
    }
}
