//! Narrowing of traffic selectors: RFC 7296 section 2.9.

use alloc::vec::Vec;

use crate::wire::{TrafficSelector, TrafficSelectors};

/// What is left of an offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Narrowed {
    /// The selectors to answer with; at least one.
    pub(crate) selectors: Vec<TrafficSelector>,
    /// True if it is less than what was offered.
    pub(crate) is_narrower: bool,
}

/// As responder: the part of the initiator's `offered` selectors that `policy` allows, or nothing if there
/// is none, which is answered with TS_UNACCEPTABLE.
///
/// All of the intersection is taken, so the initiator's first, specific selector is in it whenever policy
/// allows that. Selectors of unknown type are ignored.
pub(crate) fn narrow(offered: &TrafficSelectors, policy: &[TrafficSelector]) -> Option<Narrowed> {
    let mut selectors: Vec<TrafficSelector> = Vec::new();
    for offer in offered.ranges() {
        for allowed in policy {
            let Some(common) = offer.intersection(*allowed) else { continue };
            if selectors.iter().any(|wider| wider.covers(common)) {
                continue;
            }
            selectors.retain(|narrower| !common.covers(*narrower));
            // The Number of TSs is one octet, and an offer times a policy may exceed it.
            if selectors.len() < MAX_NARROWED {
                selectors.push(common);
            }
        }
    }
    let is_narrower = !within(offered, &selectors);
    (!selectors.is_empty()).then_some(Narrowed { selectors, is_narrower })
}

/// As initiator: true if each selector of the responder's `answer` lies within one of `offered`.
pub(crate) fn within(answer: &TrafficSelectors, offered: &[TrafficSelector]) -> bool {
    answer.selectors.len() == answer.ranges().count()
        && answer.ranges().all(|answer| offered.iter().any(|offer| offer.covers(answer)))
}

/// The most selectors in one payload, RFC 7296 section 3.13.
const MAX_NARROWED: usize = 255;
