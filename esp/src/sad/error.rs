//! What the database refuses.

use core::fmt;

use super::ChildId;
use crate::packet::Spi;

/// The database has no such child, or has another SA with the same SPI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SadError {
    /// No child has this name, or not any more.
    UnknownChild(ChildId),
    /// An inbound SA has this SPI already, among those that are found in the same way.
    DuplicateSpi(Spi),
    /// The child is a multicast group's, or is none: they are rekeyed by different calls.
    NotThatKind(ChildId),
}

impl fmt::Display for SadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownChild(ChildId(child)) => write!(f, "no child {child} in the database"),
            Self::DuplicateSpi(spi) => write!(f, "another inbound SA has SPI {spi}"),
            Self::NotThatKind(ChildId(child)) => {
                write!(
                    f,
                    "child {child} is not of the kind, group or unicast, that the call is for"
                )
            }
        }
    }
}

impl core::error::Error for SadError {}
