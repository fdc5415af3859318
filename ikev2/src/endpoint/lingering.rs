//! IKE SAs that are over for us and perhaps not yet for the peer.

use adit_platform::Instant;

use super::Shared;
use crate::channel::{Channel, Received};
use crate::error::Error;
use crate::path::Path;
use crate::wire::{IkeSpi, Payloads};

/// Answers what the peer still sends on an IKE SA that is gone, and repeats our last word until the peer has
/// confirmed it.
pub(super) struct Lingering {
    channel: Channel,
    until: Instant,
}

impl Lingering {
    pub(super) fn new(now: Instant, channel: Channel, shared: &Shared) -> Self {
        let until = now + shared.config.half_open_timeout;
        Self { channel, until }
    }

    pub(super) fn spi(&self) -> IkeSpi {
        self.channel.spis().local()
    }

    /// True if the peer has confirmed our last word, or we had none.
    pub(super) fn is_settled(&self) -> bool {
        self.channel.is_idle()
    }

    pub(super) fn deadline(&self) -> Instant {
        self.channel.deadline().map_or(self.until, |repeat| repeat.min(self.until))
    }

    /// Takes a datagram. `true` if it is over for the peer too.
    pub(super) fn receive(
        &mut self,
        from: Path,
        datagram: &mut [u8],
        shared: &mut Shared,
    ) -> Result<bool, Error> {
        match self.channel.receive(datagram)? {
            Received::Repeat(sent) => {
                shared.send(from, &sent);
                Ok(false)
            }
            Received::Message(message) if message.is_response => Ok(true),
            Received::Message(_) => {
                // Whatever it asks, a Delete most likely: there is nothing left that could be said.
                let sent = self.channel.respond(&mut *shared.rng, &Payloads::default())?;
                shared.send(from, &sent);
                Ok(false)
            }
        }
    }

    /// `true` if it is over.
    pub(super) fn handle_timeout(&mut self, now: Instant, path: Path, shared: &mut Shared) -> bool {
        if now >= self.until {
            return true;
        }
        match self.channel.repeat(now, &shared.config.retransmission) {
            Ok(Some(sent)) => {
                shared.send(path, &sent);
                false
            }
            Ok(None) => false,
            Err(_) => true,
        }
    }
}
