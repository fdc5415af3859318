//! What gateway and client have in common: an IKE endpoint with its tunnels.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use adit_esp::{LifetimeEvent, OpenError};
use adit_ikev2::{
    ChildId, ChildSa, Deny, Disposition, Endpoint, EndpointConfig, Installed, Path, SaId,
    Signature, Ticket,
};
use adit_platform::signature::{SignatureScheme, SigningKey};
use adit_platform::{Instant, Provider, Rng, UnixTime};

use crate::adapters::esp::{Sealed, SendError, Tunnels};
use crate::config::{Clocks, Policy};

/// What a datagram was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Received {
    /// ESP, which held an inner packet: it lies in this range of the datagram.
    Packet(Range<usize>),
    /// Something that was dealt with: IKE, a keepalive, a dummy packet, an ESP packet with
    /// [aggregated](crate::Aggregation) inner packets. Those come out of `poll_packet`.
    Handled,
    /// Nothing that has any effect, and why.
    Dropped(Dropped),
}

/// Why a datagram had no effect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Dropped {
    /// As an IKE message.
    Ike(adit_ikev2::Error),
    /// As an ESP packet.
    Esp(OpenError),
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ike(error) => error.fmt(f),
            Self::Esp(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Dropped {}

/// A line for one of Wireshark's key tables. It contains keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyLogLine {
    /// For `ikev2_decryption_table`.
    Ike(String),
    /// For `esp_sa`.
    Esp(String),
}

/// Endpoint and tunnels.
pub(crate) struct Stack {
    pub(crate) endpoint: Endpoint,
    pub(crate) tunnels: Tunnels,
    clocks: Clocks,
    dirty: bool,
}

impl Stack {
    pub(crate) fn new(
        config: EndpointConfig,
        provider: Provider,
        rng: Box<dyn Rng>,
        clocks: Clocks,
        policy: &Policy,
    ) -> Result<Self, adit_ikev2::CommandError> {
        let endpoint = Endpoint::new(Arc::new(config), provider, rng)?;
        let tunnels = Tunnels::new(provider, policy.path_mtu, policy.aggregation, clocks.now);
        Ok(Self { endpoint, tunnels, clocks, dirty: false })
    }

    pub(crate) fn set_clocks(&mut self, clocks: Clocks) {
        self.clocks = clocks;
    }

    pub(crate) fn unix(&self, now: Instant) -> UnixTime {
        self.clocks.unix_at(now)
    }

    /// The moment of a time on the wall clock.
    pub(crate) fn instant_of(&self, unix: UnixTime) -> Instant {
        self.clocks.instant_of(unix)
    }

    /// ESP is told apart first: there is a thousand times as much of it.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &mut [u8],
    ) -> Received {
        match self.endpoint.handle_datagram(now, path, datagram) {
            Disposition::Esp => match self.tunnels.open(now, datagram) {
                Ok(Some(packet)) => Received::Packet(packet),
                Ok(None) => Received::Handled,
                Err(error) => Received::Dropped(Dropped::Esp(error)),
            },
            Disposition::Ike => {
                self.dirty = true;
                Received::Handled
            }
            Disposition::Keepalive => Received::Handled,
            Disposition::Dropped(error) => {
                self.dirty = true;
                Received::Dropped(Dropped::Ike(error))
            }
        }
    }

    /// True if anything happened since the last call that may have caused events.
    pub(crate) fn take_dirty(&mut self) -> bool {
        core::mem::take(&mut self.dirty)
    }

    pub(crate) fn seal(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        packet: Range<usize>,
    ) -> Result<Option<Sealed>, SendError> {
        self.tunnels.seal(now, buf, packet)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        self.tunnels.handle_timeout(now);
        // A constant rate uses up SAs without a packet of the host.
        self.replace_spent(now);
    }

    pub(crate) fn poll_transmit(&mut self, datagram: &mut Vec<u8>) -> Option<Path> {
        if let Some(path) = self.tunnels.poll_fragment(datagram) {
            return Some(path);
        }
        match self.endpoint.poll_transmit(datagram) {
            Some(transmit) => Some(transmit.path),
            None => self.tunnels.poll_aggregated(datagram),
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = [self.endpoint.poll_timeout(), self.tunnels.poll_timeout()];
        deadlines.into_iter().flatten().min()
    }

    /// Renews or closes children that have carried as much as they may.
    pub(crate) fn replace_spent(&mut self, now: Instant) {
        while let Some(spent) = self.tunnels.poll_spent() {
            // It fails only if the SA is about to go.
            let _ = match spent.kind {
                LifetimeEvent::Soft => self.endpoint.rekey_child(now, spent.sa, spent.child),
                LifetimeEvent::Hard => self.endpoint.delete_child(now, spent.sa, spent.child),
            };
        }
    }

    pub(crate) fn install(
        &mut self,
        now: Instant,
        path: Path,
        child: &ChildSa,
        ticket: Ticket<Installed>,
    ) {
        let rng = self.endpoint.rng();
        let installed = self.tunnels.install(now, ticket.sa(), path, child, rng);
        let answer = match installed {
            Ok(()) => Ok(Installed),
            Err(error) => Err(Deny::because(error.to_string())),
        };
        // A stale ticket means that the SA has gone, and with it the child: `Closed` follows.
        let _ = self.endpoint.answer(now, ticket, answer);
    }

    pub(crate) fn established(&mut self, now: Instant, sa: SaId, child: ChildId) {
        self.tunnels.promote(now, sa, child);
    }

    /// Signs with the first scheme that the key can.
    pub(crate) fn sign(
        &mut self,
        now: Instant,
        key: &Arc<dyn SigningKey>,
        octets: &[u8],
        schemes: &[SignatureScheme],
        ticket: Ticket<Signature>,
    ) {
        let scheme = schemes.iter().copied().find(|scheme| key.schemes().contains(scheme));
        let answer = match scheme {
            None => Err(Deny::because("the key can sign with none of the schemes")),
            Some(scheme) => key
                .sign(scheme, octets, self.endpoint.rng())
                .map(|signature| Signature { scheme, signature })
                .map_err(|error| Deny::because(error.to_string())),
        };
        let _ = self.endpoint.answer(now, ticket, answer);
    }

    pub(crate) fn dangerous_key_log(&mut self) {
        self.endpoint.dangerous_key_log(true);
        self.tunnels.dangerous_key_log();
    }

    pub(crate) fn take_esp_key_log(&mut self) -> Vec<KeyLogLine> {
        self.tunnels.take_key_log().into_iter().map(KeyLogLine::Esp).collect()
    }
}
