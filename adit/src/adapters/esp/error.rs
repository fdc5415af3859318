//! Why a child SA was not installed, or a packet not sent.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use adit_esp::fragment::FragmentError;
use adit_esp::ip::IpError;
use adit_esp::iptfs::SenderError;
use adit_esp::sad::SadError;
use adit_esp::{SealError, SetupError};

/// Why a child SA could not be installed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum InstallError {
    /// It was negotiated for transport mode, which a remote-access tunnel is not.
    NotTunnel,
    /// Its keying material is shorter than its suite needs.
    ShortKeymat,
    /// It was negotiated for AGGFRAG payloads, which are not configured.
    Aggregation,
    /// The SAs could not be made.
    Setup(SetupError),
    /// The database has no place for them.
    Sad(SadError),
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTunnel => f.write_str("the child SA is not in tunnel mode"),
            Self::Aggregation => f.write_str("AGGFRAG payloads are not configured"),
            Self::ShortKeymat => f.write_str("too little keying material for the suite"),
            Self::Setup(error) => error.fmt(f),
            Self::Sad(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for InstallError {}

/// Why an inner packet was not sent.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SendError {
    /// The range does not lie in the buffer.
    OutOfBounds,
    /// It is no IP packet.
    NotIp(IpError),
    /// It cannot wait for others to share an ESP packet with: [`Aggregation`](crate::Aggregation).
    Aggregation(SenderError),
    /// No tunnel is for such packets.
    NoTunnel {
        /// Where the packet wanted to go.
        destination: IpAddr,
    },
    /// It is too long for the path and must not be fragmented: RFC 4301 section 8.2.1.
    TooBig {
        /// The longest that passes, in bytes.
        mtu: usize,
        /// The ICMP message for its sender, to be handed to the packet device as if it had come out of the tunnel.
        /// `None` if the packet may not be answered, or too many were.
        answer: Option<Vec<u8>>,
    },
    /// It could not be fragmented.
    Fragment(FragmentError),
    /// The fragments of earlier packets were not taken.
    Undrained,
    /// Its tunnel could not seal it.
    Seal(SealError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfBounds => f.write_str("the packet lies outside its buffer"),
            Self::Aggregation(error) => error.fmt(f),
            Self::NotIp(error) => error.fmt(f),
            Self::NoTunnel { destination } => write!(f, "no tunnel to {destination}"),
            Self::TooBig { mtu, .. } => write!(f, "the path carries packets of up to {mtu} bytes"),
            Self::Fragment(error) => error.fmt(f),
            Self::Undrained => f.write_str("too many fragments wait to be sent"),
            Self::Seal(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SendError {}
