//! A Linux TUN device with its addresses and routes.

use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use route_manager::{AsyncRouteManager, Route};
use tun_rs::{AsyncDevice, DeviceBuilder};

use super::device::PacketDevice;

/// A TUN device that disappears, with its addresses and routes, when it is dropped.
///
/// Needs the capability `CAP_NET_ADMIN` (root, as a rule).
///
/// ```no_run
/// # async fn f() -> std::io::Result<()> {
/// let mut tun = adit::tokio::TunDevice::create("adit0", 1400)?;
/// tun.add_address("10.99.0.7/32".parse().unwrap())?;
/// tun.add_route("10.88.0.0/16".parse().unwrap()).await?;
/// # Ok(()) }
/// ```
pub struct TunDevice {
    device: AsyncDevice,
    routes: AsyncRouteManager,
    index: u32,
    /// Routes over other interfaces, which do not disappear with the device.
    foreign: Vec<Route>,
}

impl TunDevice {
    /// Makes the device `name` (at most 15 bytes) and takes it up.
    ///
    /// `mtu` is that of inner packets, in bytes: the path's MTU less what ESP, UDP and IP add (at most 100
    /// bytes over IPv6 and 80 over IPv4 with an AEAD).
    pub fn create(name: &str, mtu: u16) -> io::Result<Self> {
        let device = DeviceBuilder::new().name(name).mtu(mtu).build_async()?;
        let index = device.if_index()?;
        Ok(Self { device, routes: AsyncRouteManager::new()?, index, foreign: Vec::new() })
    }

    /// Sets the MTU of inner packets: [`Connection::mtu`](crate::Connection::mtu). Below 1280 bytes the device loses
    /// its IPv6 addresses.
    pub fn set_mtu(&mut self, mtu: u16) -> io::Result<()> {
        self.device.set_mtu(mtu)
    }

    /// Gives the device an address.
    pub fn add_address(&mut self, address: IpNet) -> io::Result<()> {
        match address {
            IpNet::V4(v4) => self.device.add_address_v4(v4.addr(), v4.prefix_len()),
            IpNet::V6(v6) => self.device.add_address_v6(v6.addr(), v6.prefix_len()),
        }
    }

    /// Takes an address away again.
    pub fn remove_address(&mut self, address: IpAddr) -> io::Result<()> {
        self.device.remove_address(address)
    }

    /// Routes `destination` into the tunnel.
    ///
    /// A default route becomes two of half the size, which win over the one that the host has without
    /// touching it.
    pub async fn add_route(&mut self, destination: IpNet) -> io::Result<()> {
        for half in halves(destination) {
            let route = Route::new(half.network(), half.prefix_len()).with_if_index(self.index);
            match self.routes.add(&route).await {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes a route away again; one that is gone is no error.
    pub async fn remove_route(&mut self, destination: IpNet) {
        for half in halves(destination) {
            let route = Route::new(half.network(), half.prefix_len()).with_if_index(self.index);
            // It may have gone with the interface.
            let _ = self.routes.delete(&route).await;
        }
    }

    /// Keeps the way to `peer` as it is now, so that a route into the tunnel that also covers the peer does
    /// not catch the tunnel's own packets. Undone by [`unpin_peers`](Self::unpin_peers).
    pub async fn pin_peer(&mut self, peer: IpAddr) -> io::Result<()> {
        let routes = self.routes.list().await?;
        let best = routes
            .iter()
            .filter(|r| r.contains(&peer) && r.if_index() != Some(self.index))
            .max_by_key(|r| (r.prefix(), core::cmp::Reverse(r.metric().unwrap_or(0))));
        let Some(best) = best else {
            return Err(io::Error::new(io::ErrorKind::NetworkUnreachable, "no route to the peer"));
        };
        let width = if peer.is_ipv4() { 32 } else { 128 };
        if best.prefix() == width {
            return Ok(());
        }
        let mut route = Route::new(peer, width);
        if let Some(gateway) = best.gateway() {
            route = route.with_gateway(gateway);
        }
        if let Some(index) = best.if_index() {
            route = route.with_if_index(index);
        }
        self.routes.add(&route).await?;
        self.foreign.push(route);
        Ok(())
    }

    /// Removes what [`pin_peer`](Self::pin_peer) added.
    pub async fn unpin_peers(&mut self) {
        for route in self.foreign.drain(..) {
            // It may have gone with its interface.
            let _ = self.routes.delete(&route).await;
        }
    }
}

impl PacketDevice for TunDevice {
    async fn readable(&mut self) -> io::Result<()> {
        self.device.readable().await
    }

    fn try_recv(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.device.try_recv(buf)
    }

    fn try_send(&mut self, packet: &[u8]) -> io::Result<()> {
        self.device.try_send(packet).map(|_| ())
    }
}

fn halves(net: IpNet) -> impl Iterator<Item = IpNet> {
    let split = net.prefix_len() == 0;
    let halves = net.subnets(1).ok().filter(|_| split);
    let whole = (!split).then_some(net);
    halves.into_iter().flatten().chain(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_default_route_is_split() {
        let split = |net: &str| -> Vec<String> {
            halves(net.parse().unwrap()).map(|n| n.to_string()).collect()
        };
        assert_eq!(split("0.0.0.0/0"), ["0.0.0.0/1", "128.0.0.0/1"]);
        assert_eq!(split("::/0"), ["::/1", "8000::/1"]);
        assert_eq!(split("10.0.0.0/8"), ["10.0.0.0/8"]);
        assert_eq!(split("10.0.0.1/32"), ["10.0.0.1/32"]);
    }
}
