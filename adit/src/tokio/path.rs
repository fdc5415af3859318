//! What the kernel knows of the paths to peers.
//!
//! Where [`PathMtuPolicy::discover`](crate::PathMtuPolicy::discover) has DF set, routers tell the kernel what they
//! cannot carry, and the kernel fragments what it sends beyond that: nothing is lost while we do not know yet. So it
//! is enough to ask now and then, and only about peers that are being sent to.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use adit_ikev2::Path;
use adit_platform::Instant;

/// How long an answer of the kernel's is taken to be true.
const INTERVAL: Duration = Duration::from_secs(2);

/// Which peers the kernel was asked about lately.
#[derive(Debug, Default)]
pub(super) struct PathWatch {
    asked: BTreeMap<IpAddr, Instant>,
    cleaned: Instant,
}

impl PathWatch {
    /// The longest IP packet that the path carries, in bytes, if it is time to ask and the kernel knows.
    pub(super) fn ask(&mut self, now: Instant, path: Path) -> Option<usize> {
        let is_recent = |at: &Instant| now < *at + INTERVAL;
        let remote = path.remote.ip();
        if self.asked.get(&remote).is_some_and(is_recent) {
            return None;
        }
        if !is_recent(&self.cleaned) {
            self.asked.retain(|_, at| is_recent(at));
            self.cleaned = now;
        }
        self.asked.insert(remote, now);
        kernel_mtu(path)
    }
}

/// A socket that is connected to the peer knows: it has the route.
#[cfg(target_os = "linux")]
fn kernel_mtu(path: Path) -> Option<usize> {
    use rustix::net::sockopt;
    let socket = std::net::UdpSocket::bind((path.local.ip(), 0)).ok()?;
    socket.connect(path.remote).ok()?;
    let mtu = match path.remote {
        std::net::SocketAddr::V4(_) => sockopt::ip_mtu(&socket),
        std::net::SocketAddr::V6(_) => sockopt::ipv6_mtu(&socket),
    };
    usize::try_from(mtu.ok()?).ok()
}

#[cfg(not(target_os = "linux"))]
fn kernel_mtu(_: Path) -> Option<usize> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_asked_once_in_an_interval_for_each_peer() {
        let at = |ms| Instant::from_origin(Duration::from_millis(ms));
        let path = |remote: &str| {
            let remote = std::net::SocketAddr::new(remote.parse().unwrap(), 4500);
            Path { local: (std::net::Ipv4Addr::LOCALHOST, 4500).into(), remote }
        };
        let mut watch = PathWatch::default();
        let loopback = watch.ask(at(5000), path("127.0.0.1"));
        assert!(loopback.is_some_and(|mtu| mtu >= 1280), "{loopback:?}");
        assert_eq!(watch.ask(at(6999), path("127.0.0.1")), None);
        assert_eq!(watch.ask(at(6999), path("127.0.0.2")), loopback, "another peer");
        assert_eq!(watch.ask(at(7000), path("127.0.0.1")), loopback);
        assert_eq!(watch.ask(at(10_000), path("127.0.0.3")), loopback);
        assert_eq!(watch.asked.len(), 1, "those of long ago are forgotten");
    }
}
