//! How much of each kind one message may hold.
//!
//! A datagram is at most 65,535 bytes and a reassembled message is bounded by
//! the limit of reassembly, so these keep the number of list nodes, and so of allocations, small.

/// Payloads in one message or one Encrypted payload.
///
/// The largest that a peer has reason to send are the IKE_AUTH messages: a certificate chain (up to
/// [`MAX_CERTIFICATES`]), a CERTREQ for each encoding, and a Notify for each extension that it knows.
pub const MAX_PAYLOADS: usize = 96;

/// CERT payloads in one message: RFC 7296 section 3.6 sets none; chains on the Internet stay below 10.
pub const MAX_CERTIFICATES: usize = 32;

/// Proposals in one SA payload. The Proposal Num is one octet (RFC 7296 section 3.3.1); default
/// configurations of known peers send fewer than ten.
pub const MAX_PROPOSALS: usize = 64;

/// Transforms in all proposals of one SA payload. The Num Transforms field allows 255 in each proposal
/// (RFC 7296 section 3.3.1); known peers that offer all they have stay below 100.
pub const MAX_TRANSFORMS: usize = 512;

/// Attributes of one transform: one attribute type is defined (RFC 7296 section 3.3.5).
pub const MAX_ATTRIBUTES: usize = 8;

/// Traffic Selectors in one TS payload: the Number of TSs is one octet (RFC 7296 section 3.13).
pub const MAX_SELECTORS: usize = 255;

/// SPIs in all Delete payloads of one message; beyond what [`crate`] itself lets one IKE SA hold.
pub const MAX_DELETED_SPIS: usize = 1024;

/// Attributes in one Configuration payload: a gateway that pushes 200 split-tunnel subnets fits.
pub const MAX_CONFIGURATION_ATTRIBUTES: usize = 512;

/// Shortest nonce data, RFC 7296 section 3.9.
pub const MIN_NONCE_LEN: usize = 16;

/// Longest nonce data, RFC 7296 section 3.9.
pub const MAX_NONCE_LEN: usize = 256;
