//! What answers the questions of the protocol crates; each adapter can also be used alone.
//!
//! | adapter | answers | with |
//! |---|---|---|
//! | [`certificates`] | `VerifyPeer` | certval, and fetches of what it misses |
//! | [`staple`] | CERTREQ for OCSP | the response about our own certificate |
//! | [`eap`] | `Eap` | a password, or a list of users |
//! | [`radius`] | `Eap` | RADIUS servers |
//! | [`esp`] | `Install` | the ESP packet path |
//! | [`pool`] | `Admit` | inner addresses |

pub mod certificates;
pub mod eap;
pub mod esp;
pub mod pool;
pub mod radius;
pub mod staple;
