//! What both ends have to agree on: algorithms, traffic selectors, configuration.
//!
//! [`IkeProposal`] and [`EspProposal`] say which algorithms may be used; the wire form, the choice of the
//! responder and its check by the initiator follow from them. Traffic selectors are intersected.
//! [`ConfigurationRequest`] and [`ConfigurationReply`] hold what a configuration payload can carry.
//! [`AggfragPolicy`] says whether ESP aggregates and fragments packets.

mod aggfrag;
mod algorithm;
mod choice;
mod configuration;
mod proposal;
mod selectors;
#[cfg(test)]
mod tests;

pub use aggfrag::{Aggfrag, AggfragPolicy};
pub use configuration::{ConfigurationReply, ConfigurationRequest};
pub use proposal::{EspProposal, IkeProposal, SequenceNumbers};

pub(crate) use algorithm::{ke_method, kex_algorithm};
pub(crate) use choice::{EspChoice, IkeChoice};
pub(crate) use selectors::{narrow, within};
