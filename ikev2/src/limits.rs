//! What strangers may cost: RFC 7296 sections 2.6 and 5, RFC 8019.

/// Bounds on memory and work that somebody without credentials can cause.
///
/// A responder holds about 1 KiB for a half-open SA besides the messages kept for AUTH, so the
/// defaults bound strangers to a few MiB.
///
/// ```
/// use adit_ikev2::Limits;
///
/// // A firmware responder for a handful of peers.
/// let tight = Limits { half_open: 8, half_open_per_address: 2, cookie_threshold: 4, sas: 16 };
/// assert!(tight.cookie_threshold < tight.half_open);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Half-open IKE SAs (as a responder, not yet authenticated) in all; further requests are dropped.
    /// Default: 1000.
    pub half_open: usize,
    /// Half-open IKE SAs of one address; further requests from it are dropped. Default: 50, for users
    /// behind one NAT.
    pub half_open_per_address: usize,
    /// From how many half-open IKE SAs on a stranger must return a cookie before it costs any memory
    /// (RFC 7296 section 2.6). 0 asks everybody. Default: 100.
    pub cookie_threshold: usize,
    /// IKE SAs in all, half-open and own ones included. Default: 200,000.
    pub sas: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { half_open: 1000, half_open_per_address: 50, cookie_threshold: 100, sas: 200_000 }
    }
}
