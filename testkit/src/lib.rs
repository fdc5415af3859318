//! What Adit's tests share: randomness that replays, a virtual network on virtual time, and bytes
//! bent in every way that a hostile peer may bend them.
//!
//! | module | what it gives a test |
//! |---|---|
//! | [`rng`] | [`SeededRng`](rng::SeededRng): the same bytes for the same seed, on every machine |
//! | [`seed`] | a test body run for many seeds, a failing one printed and replayable by `ADIT_SEED` |
//! | [`net`] | machines joined by a network with loss, delay, reordering, corruption, MTU and NAT |
//! | [`insecure`] | a provider of cheap, deterministic algorithms that protect nothing |
//! | [`pki`] | a CA that issues certificates and CRLs of any shape |
//! | [`der`] | a writer of DER |
//! | [`esp`] | ESP packets put together and taken apart by the RFCs alone |
//! | [`alloc`] | a global allocator that counts |
//! | [`radius_server`] | a RADIUS server with users, EAP-MSCHAPv2 and PAP |
//! | [`data`] | test data that lies beside the repository |
//! | [`mutate`] | truncations, lying length fields, flipped bits and noise, from one valid message |

pub mod alloc;
pub mod data;
pub mod der;
pub mod esp;
pub mod insecure;
pub mod mutate;
pub mod net;
pub mod pki;
pub mod radius_server;
pub mod rng;
pub mod seed;
