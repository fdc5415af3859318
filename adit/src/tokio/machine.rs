//! What the driver needs of a gateway or client.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use adit_ikev2::Path;
use adit_platform::Instant;

use crate::adapters::certificates::{Fetch, FetchId};
use crate::adapters::esp::{Sealed, SendError};
use crate::{Client, ClientEvent, Gateway, GatewayEvent, Received, Target};

/// The verbs that both machines have. Implemented here and nowhere else.
pub trait Machine: Send + sealed::Sealed {
    /// What it tells and asks.
    type Event: Send;

    #[doc(hidden)]
    fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &mut [u8]) -> Received;
    #[doc(hidden)]
    fn handle_packet(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        packet: Range<usize>,
    ) -> Result<Option<Sealed>, SendError>;
    #[doc(hidden)]
    fn handle_radius(&mut self, now: Instant, socket: u16, from: SocketAddr, datagram: &[u8]);
    #[doc(hidden)]
    fn has_tunnel_to(&self, remote: IpAddr) -> bool;
    #[doc(hidden)]
    fn handle_path_mtu(&mut self, now: Instant, remote: IpAddr, mtu: usize);
    #[doc(hidden)]
    fn handle_timeout(&mut self, now: Instant);
    #[doc(hidden)]
    fn handle_fetched(&mut self, now: Instant, id: FetchId, result: Result<Vec<u8>, String>);
    #[doc(hidden)]
    fn poll_transmit(&mut self, datagram: &mut Vec<u8>) -> Option<Target>;
    #[doc(hidden)]
    fn poll_packet(&mut self, packet: &mut Vec<u8>) -> bool;
    #[doc(hidden)]
    fn poll_timeout(&self) -> Option<Instant>;
    /// The next event that the host has to see, or a fetch that the driver does.
    #[doc(hidden)]
    fn poll_event(&mut self) -> Option<Result<Self::Event, Fetch>>;
    #[doc(hidden)]
    fn close(&mut self, now: Instant);
    #[doc(hidden)]
    fn is_closed(&self) -> bool;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Client {}
    impl Sealed for crate::Gateway {}
}

impl Machine for Client {
    type Event = ClientEvent;

    fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &mut [u8]) -> Received {
        self.handle_datagram(now, path, datagram)
    }

    fn handle_packet(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        packet: Range<usize>,
    ) -> Result<Option<Sealed>, SendError> {
        self.handle_packet(now, buf, packet)
    }

    fn handle_radius(&mut self, _: Instant, _: u16, _: SocketAddr, _: &[u8]) {}

    fn has_tunnel_to(&self, remote: IpAddr) -> bool {
        self.has_tunnel_to(remote)
    }

    fn handle_path_mtu(&mut self, now: Instant, remote: IpAddr, mtu: usize) {
        self.handle_path_mtu(now, remote, mtu);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn handle_fetched(&mut self, now: Instant, id: FetchId, result: Result<Vec<u8>, String>) {
        self.handle_fetched(now, id, result);
    }

    fn poll_transmit(&mut self, datagram: &mut Vec<u8>) -> Option<Target> {
        self.poll_transmit(datagram).map(Target::Peer)
    }

    fn poll_packet(&mut self, packet: &mut Vec<u8>) -> bool {
        self.poll_packet(packet)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn poll_event(&mut self) -> Option<Result<ClientEvent, Fetch>> {
        Some(match self.poll_event()? {
            ClientEvent::Fetch(fetch) => Err(fetch),
            event => Ok(event),
        })
    }

    fn close(&mut self, now: Instant) {
        self.disconnect(now);
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }
}

impl Machine for Gateway {
    type Event = GatewayEvent;

    fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &mut [u8]) -> Received {
        self.handle_datagram(now, path, datagram)
    }

    fn handle_packet(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        packet: Range<usize>,
    ) -> Result<Option<Sealed>, SendError> {
        self.handle_packet(now, buf, packet)
    }

    fn handle_radius(&mut self, now: Instant, socket: u16, from: SocketAddr, datagram: &[u8]) {
        // What is discarded has no effect, and who sent it is not known.
        let _ = self.handle_radius(now, socket, from, datagram);
    }

    fn has_tunnel_to(&self, remote: IpAddr) -> bool {
        self.has_tunnel_to(remote)
    }

    fn handle_path_mtu(&mut self, now: Instant, remote: IpAddr, mtu: usize) {
        self.handle_path_mtu(now, remote, mtu);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn handle_fetched(&mut self, now: Instant, id: FetchId, result: Result<Vec<u8>, String>) {
        self.handle_fetched(now, id, result);
    }

    fn poll_transmit(&mut self, datagram: &mut Vec<u8>) -> Option<Target> {
        self.poll_transmit(datagram)
    }

    fn poll_packet(&mut self, packet: &mut Vec<u8>) -> bool {
        self.poll_packet(packet)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn poll_event(&mut self) -> Option<Result<GatewayEvent, Fetch>> {
        Some(match self.poll_event()? {
            GatewayEvent::Fetch(fetch) => Err(fetch),
            event => Ok(event),
        })
    }

    fn close(&mut self, now: Instant) {
        self.shut_down(now);
    }

    fn is_closed(&self) -> bool {
        self.is_closed()
    }
}
