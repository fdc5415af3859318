//! Limits on the work that a stranger's certificates can cause.

use core::cell::Cell;

use crate::error::{Limit, Reason};

/// How much work one verification may cost. What exceeds it ends with
/// [`Reason::BudgetExceeded`](crate::Reason::BudgetExceeded).
///
/// ```
/// use adit_certval::Budget;
///
/// let firmware = Budget { certificates: 8, signatures: 16, ..Budget::default() };
/// assert!(firmware.path_steps < 1_000_000);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Certificates in a query. A handshake carries 2 to 5; an IKE_AUTH of 64 kB holds about 60.
    pub certificates: u32,
    /// Certificates between the peer's and the anchor. OpenSSL allows 100, browsers about 20; paths in use
    /// have at most 5.
    pub depth: u32,
    /// Attempts to extend a path by one more issuer. As in rustls-webpki.
    pub path_steps: u32,
    /// Signature verifications: paths, CRL issuers and OCSP responders together. As in rustls-webpki.
    pub signatures: u32,
    /// Comparisons of a name with a name constraint. As in OpenSSL and BoringSSL.
    pub name_comparisons: u32,
    /// Policies and mappings considered. RFC 9618 makes this linear in the size of the certificates.
    pub policy_nodes: u32,
    /// CRLs considered for all certificates of a path together.
    pub crls: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            certificates: 64,
            depth: 16,
            path_steps: 200_000,
            signatures: 100,
            name_comparisons: 1 << 20,
            policy_nodes: 100_000,
            crls: 1_000,
        }
    }
}

/// What is left of a [`Budget`] during one verification.
#[derive(Debug)]
pub(crate) struct Meter {
    path_steps: Cell<u32>,
    signatures: Cell<u32>,
    name_comparisons: Cell<u32>,
    policy_nodes: Cell<u32>,
    crls: Cell<u32>,
}

impl Meter {
    pub(crate) fn new(budget: &Budget) -> Self {
        Self {
            path_steps: Cell::new(budget.path_steps),
            signatures: Cell::new(budget.signatures),
            name_comparisons: Cell::new(budget.name_comparisons),
            policy_nodes: Cell::new(budget.policy_nodes),
            crls: Cell::new(budget.crls),
        }
    }

    /// Pays for one unit of work.
    pub(crate) fn spend(&self, limit: Limit) -> Result<(), Reason> {
        let left = match limit {
            Limit::PathSteps => &self.path_steps,
            Limit::Signatures => &self.signatures,
            Limit::NameComparisons => &self.name_comparisons,
            Limit::PolicyNodes => &self.policy_nodes,
            Limit::Crls => &self.crls,
            Limit::Certificates | Limit::Depth => return Ok(()),
        };
        left.set(left.get().checked_sub(1).ok_or(Reason::BudgetExceeded(limit))?);
        Ok(())
    }
}
