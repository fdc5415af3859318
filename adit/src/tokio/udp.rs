//! One UDP socket that knows where a datagram came in, and sends many at once where the kernel can.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;

/// Receive and send buffers asked of the kernel, which may grant less: what arrives in some 10 ms at
/// 3 Gbit/s.
const BUFFER: usize = 4 * 1024 * 1024;

/// The longest run of datagrams that goes to the kernel in one call, in bytes: the limit of UDP.
pub(super) const MAX_RUN: usize = 65_000;

/// A bound socket.
#[derive(Debug)]
pub(super) struct UdpPort {
    socket: tokio::net::UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

/// A run of datagrams of one sender: all of `stride` bytes, the last one perhaps shorter.
pub(super) struct Run {
    pub(super) remote: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) len: usize,
    pub(super) stride: usize,
}

impl UdpPort {
    /// `discover`: what is sent has DF set, as far as the kernel takes the path to carry it.
    pub(super) fn bind(address: SocketAddr, discover: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            // IPv4 has a socket of its own: mapped addresses would not match in NAT detection.
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        let state = UdpSocketState::new((&socket).into())?;
        // Best effort: the kernel caps them at net.core.rmem_max and wmem_max.
        let _ = state.set_recv_buffer_size((&socket).into(), BUFFER);
        let _ = state.set_send_buffer_size((&socket).into(), BUFFER);
        set_mtu_discovery(&socket, discover)?;
        let socket = tokio::net::UdpSocket::from_std(socket.into())?;
        let local = socket.local_addr()?;
        Ok(Self { socket, state, local })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_recv_ready(cx)
    }

    /// Takes what the kernel has, up to as many datagrams as it hands out at once.
    pub(super) fn try_recv(&self, buf: &mut [u8]) -> io::Result<Run> {
        let mut meta = [RecvMeta::default()];
        self.socket.try_io(Interest::READABLE, || {
            self.state.recv((&self.socket).into(), &mut [IoSliceMut::new(buf)], &mut meta)
        })?;
        let [meta] = meta;
        let ip = meta.dst_ip.unwrap_or(self.local.ip());
        let local = SocketAddr::new(ip, self.local.port());
        Ok(Run { remote: meta.addr, local, len: meta.len, stride: meta.stride.max(1) })
    }

    /// Sends datagrams of `size` bytes each, the last one perhaps shorter. A full queue drops them, as the
    /// network might. Those that the path does not carry in one piece are fragmented by the kernel.
    pub(super) fn try_send(
        &self,
        from: IpAddr,
        to: SocketAddr,
        contents: &[u8],
        size: usize,
    ) -> io::Result<()> {
        let segments = if contents.len() > size { self.state.max_gso_segments() } else { 1 };
        match self.send_segments(from, to, contents, size, segments.max(1)) {
            // The kernel segments no datagrams that it would have to fragment.
            Err(error) if segments > 1 && is_too_long(&error) => {
                self.send_segments(from, to, contents, size, 1)
            }
            sent => sent,
        }
    }

    fn send_segments(
        &self,
        from: IpAddr,
        to: SocketAddr,
        contents: &[u8],
        size: usize,
        segments: usize,
    ) -> io::Result<()> {
        for contents in contents.chunks(size.saturating_mul(segments).max(1)) {
            let transmit = Transmit {
                destination: to,
                ecn: None,
                contents,
                segment_size: (contents.len() > size).then_some(size),
                src_ip: (!from.is_unspecified()).then_some(from),
            };
            self.socket.try_io(Interest::WRITABLE, || {
                self.state.try_send((&self.socket).into(), &transmit)
            })?;
        }
        Ok(())
    }
}

/// EMSGSIZE, or what older kernels say instead.
#[cfg(target_os = "linux")]
fn is_too_long(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let too_long = [Errno::MSGSIZE, Errno::INVAL];
    error.raw_os_error().is_some_and(|code| too_long.contains(&Errno::from_raw_os_error(code)))
}

#[cfg(not(target_os = "linux"))]
fn is_too_long(_: &io::Error) -> bool {
    false
}

/// Fragments are allowed in either case, which QUIC, that quinn-udp is made for, forbids: IKE messages of peers
/// without RFC 7383 may need them, and ESP until the path is known.
#[cfg(target_os = "linux")]
fn set_mtu_discovery(socket: &Socket, discover: bool) -> io::Result<()> {
    use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery as V4, Ipv6PathMtuDiscovery as V6};
    if socket.local_addr()?.is_ipv6() {
        sockopt::set_ipv6_mtu_discover(socket, if discover { V6::WANT } else { V6::DONT })?;
    } else {
        sockopt::set_ip_mtu_discover(socket, if discover { V4::WANT } else { V4::DONT })?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn set_mtu_discovery(_: &Socket, _: bool) -> io::Result<()> {
    Ok(())
}
