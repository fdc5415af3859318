//! Whether the peer lives: an INFORMATIONAL exchange without payloads, RFC 7296 sections 1.4 and 2.4.

use super::{Command, Established, Exchange};
use crate::wire::{ExchangeType, IkeSpi, Payloads};

impl Established {
    pub(super) fn send_liveness(&mut self, sa: IkeSpi) {
        let payloads = Payloads::default();
        self.request(sa, ExchangeType::INFORMATIONAL, payloads, Exchange::Liveness);
    }

    /// True if a check is under way or waits for its turn.
    pub(super) fn is_probing(&self) -> bool {
        self.tasks.iter().any(|task| matches!(task.command, Command::CheckLiveness))
            || self.sas.iter().any(|sa| matches!(sa.outstanding, Some(Exchange::Liveness)))
    }
}
