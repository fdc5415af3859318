//! The loop: sockets, device, timer and fetches in turn.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::task::{Context, Poll};
use std::time::Duration;

use adit_ikev2::{CommandError, EndpointConfig, Path, SaId};
use adit_platform::{Provider, Secret};
use tokio::task::JoinSet;

use super::device::PacketDevice;
use super::fetch::fetch;
use super::host::{Clock, SystemRng};
use super::machine::Machine;
use super::path::PathWatch;
use super::udp::{MAX_RUN, UdpPort};
use crate::adapters::certificates::FetchId;
use crate::adapters::esp::{SendError, Tunnels};
use crate::client::PasswordTicket;
use crate::config::{Clocks, EapServer};
use crate::{Client, ClientConfig, Gateway, GatewayConfig, Received, SetupError, Target};

/// A [`Client`] on tokio.
pub type ClientDriver<D> = Driver<Client, D>;

/// A [`Gateway`] on tokio.
pub type GatewayDriver<D> = Driver<Gateway, D>;

/// How long one URL may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(15);

/// How long [`Driver::close`] waits for peers to answer the DELETE.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Runs of datagrams taken from a socket, and packets from the device, before the others have their turn.
const RUNS_PER_TURN: usize = 16;
const PACKETS_PER_TURN: usize = 256;

/// A machine with its sockets and its packet device.
///
/// Everything runs inside [`next_event`](Self::next_event): call it again and again. Dropping its future, as
/// `select!` does, loses nothing.
pub struct Driver<M, D> {
    machine: M,
    device: D,
    clock: Clock,
    ports: Vec<UdpPort>,
    radius: Vec<tokio::net::UdpSocket>,
    fetches: JoinSet<(FetchId, Result<Vec<u8>, String>)>,
    /// Filled by sockets.
    received: Vec<u8>,
    /// ESP packets of one peer, one behind the other, on their way to a socket.
    run: Run,
    datagram: Vec<u8>,
    paths: PathWatch,
    dropped: u64,
}

/// Datagrams of one size for one peer.
struct Run {
    buf: Box<[u8]>,
    len: usize,
    size: usize,
    path: Option<Path>,
}

impl<D: PacketDevice> ClientDriver<D> {
    /// A client on the local address and port of `config`; its port for NAT traversal is
    /// `config.endpoint.nat_t_port`. Port 0 takes any that is free. If both ports are the same, one socket
    /// serves for both.
    ///
    /// # Errors
    /// If the configuration cannot work or the sockets cannot be had.
    pub fn bind(
        mut config: ClientConfig,
        provider: Provider,
        device: D,
    ) -> Result<Self, BindError> {
        let endpoint = &mut config.endpoint;
        endpoint.ike_port = config.local.port();
        let discover = config.policy.path_mtu.discover;
        let ports = bind_ports(&[config.local.ip()], endpoint, discover)?;
        let mut ip = config.local.ip();
        if ip.is_unspecified() {
            ip = source_address(config.gateway)?;
        }
        config.local = SocketAddr::new(ip, endpoint.ike_port);
        let clock = Clock::start();
        let client = Client::new(config, provider, Box::new(SystemRng), clocks(&clock))?;
        Ok(Self::new(client, device, clock, ports, Vec::new()))
    }

    /// Starts connecting.
    ///
    /// # Errors
    /// If ikev2 cannot start.
    pub fn connect(&mut self) -> Result<(), CommandError> {
        self.machine.connect(self.clock.now())
    }

    /// Answers [`ClientEvent::AskPassword`](crate::ClientEvent::AskPassword); `None` gives up.
    pub fn answer_password(&mut self, ticket: PasswordTicket, password: Option<Secret>) {
        self.machine.answer_password(self.clock.now(), ticket, password);
    }

    /// Renews the keys of the IKE SA.
    ///
    /// # Errors
    /// If there is no connection.
    pub fn rekey_ike(&mut self) -> Result<(), CommandError> {
        self.machine.rekey_ike(self.clock.now())
    }

    /// Renews the keys of all child SAs.
    ///
    /// # Errors
    /// If there is no connection.
    pub fn rekey_children(&mut self) -> Result<(), CommandError> {
        self.machine.rekey_children(self.clock.now())
    }
}

impl<D: PacketDevice> GatewayDriver<D> {
    /// A gateway on these local addresses; its ports are `config.endpoint.ike_port` and `nat_t_port`. Port 0
    /// takes any that is free. If both are the same, one socket serves for both.
    ///
    /// # Errors
    /// If the configuration cannot work or the sockets cannot be had.
    pub fn bind(
        mut config: GatewayConfig,
        addresses: &[IpAddr],
        provider: Provider,
        device: D,
    ) -> Result<Self, BindError> {
        let discover = config.policy.path_mtu.discover;
        let ports = bind_ports(addresses, &mut config.endpoint, discover)?;
        let server = match &config.clients.eap {
            Some(EapServer::Radius(radius)) => radius.servers.first().map(|server| server.address),
            _ => None,
        };
        let clock = Clock::start();
        let gateway = Gateway::new(config, provider, Box::new(SystemRng), clocks(&clock))?;
        let any: SocketAddr = match server {
            Some(SocketAddr::V6(_)) => (Ipv6Addr::UNSPECIFIED, 0).into(),
            _ => (Ipv4Addr::UNSPECIFIED, 0).into(),
        };
        let radius: io::Result<Vec<_>> =
            (0..gateway.radius_sockets()).map(|_| radius_socket(any)).collect();
        Ok(Self::new(gateway, device, clock, ports, radius.map_err(BindError::Io)?))
    }

    /// Renews the keys of a client's IKE SA.
    ///
    /// # Errors
    /// If there is no such client.
    pub fn rekey_ike(&mut self, sa: SaId) -> Result<(), CommandError> {
        self.machine.rekey_ike(self.clock.now(), sa)
    }

    /// Renews the keys of a client's child SAs.
    ///
    /// # Errors
    /// If there is no such client.
    pub fn rekey_children(&mut self, sa: SaId) -> Result<(), CommandError> {
        self.machine.rekey_children(self.clock.now(), sa)
    }

    /// Ends a client's connection.
    ///
    /// # Errors
    /// If there is no such client.
    pub fn disconnect(&mut self, sa: SaId) -> Result<(), CommandError> {
        self.machine.disconnect(self.clock.now(), sa)
    }
}

impl<M: Machine, D: PacketDevice> Driver<M, D> {
    fn new(
        machine: M,
        device: D,
        clock: Clock,
        ports: Vec<UdpPort>,
        radius: Vec<tokio::net::UdpSocket>,
    ) -> Self {
        let buf = vec![0; MAX_RUN + Tunnels::HEADROOM + Tunnels::TAILROOM].into();
        Self {
            machine,
            device,
            clock,
            ports,
            radius,
            fetches: JoinSet::new(),
            received: vec![0; 65_536],
            run: Run { buf, len: 0, size: 0, path: None },
            datagram: Vec::new(),
            paths: PathWatch::default(),
            dropped: 0,
        }
    }

    /// Runs until there is an event for the host.
    ///
    /// # Errors
    /// If a socket or the device fails for good.
    pub async fn next_event(&mut self) -> io::Result<M::Event> {
        loop {
            if let Some(event) = self.settle() {
                return Ok(event);
            }
            let deadline = self.machine.poll_timeout().map(|at| self.clock.to_tokio(at));
            let timer = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ready = poll_fn(|cx| poll_ports(&self.ports, cx)) => self.read_port(ready?)?,
                ready = self.device.readable() => {
                    ready?;
                    self.read_device()?;
                }
                ready = poll_fn(|cx| poll_radius(&self.radius, cx)) => self.read_radius(ready?),
                () = timer => self.machine.handle_timeout(self.clock.now()),
                Some(fetched) = self.fetches.join_next(), if !self.fetches.is_empty() => {
                    // A fetch that panicked is a bug in its library; the peer's ask then runs out.
                    if let Ok((id, result)) = fetched {
                        self.machine.handle_fetched(self.clock.now(), id, result);
                    }
                }
            }
        }
    }

    /// Ends all connections, telling the peers, and waits up to three seconds for their answers.
    ///
    /// # Errors
    /// If a socket or the device fails for good.
    pub async fn close(&mut self) -> io::Result<()> {
        self.machine.close(self.clock.now());
        let close = async {
            while !self.is_closed_after_flush() {
                let deadline = self.machine.poll_timeout().map(|at| self.clock.to_tokio(at));
                let next = async {
                    match deadline {
                        Some(at) => tokio::time::sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    ready = poll_fn(|cx| poll_ports(&self.ports, cx)) => self.read_port(ready?)?,
                    () = next => self.machine.handle_timeout(self.clock.now()),
                }
            }
            Ok(())
        };
        // A peer that does not answer will notice by itself.
        tokio::time::timeout(CLOSE_TIMEOUT, close).await.unwrap_or(Ok(()))
    }

    /// The machine, to look at or to command. The driver sees to what follows in
    /// [`next_event`](Self::next_event).
    pub fn machine(&mut self) -> &mut M {
        &mut self.machine
    }

    /// The packet device, to set its addresses and routes.
    pub fn device(&mut self) -> &mut D {
        &mut self.device
    }

    /// The clock that all times count from.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The addresses that the sockets are bound to, that of the port without the marker first.
    pub fn local_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.ports.iter().map(UdpPort::local)
    }

    /// Packets that the device or a socket had no room for, or for which there was no tunnel.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn is_closed_after_flush(&mut self) -> bool {
        // Events of a machine that is being closed are of no more use.
        while self.settle().is_some() {}
        self.machine.is_closed()
    }

    /// Sends what is to be sent and starts what is to be fetched, up to the next event for the host.
    fn settle(&mut self) -> Option<M::Event> {
        loop {
            self.transmit();
            match self.machine.poll_event()? {
                Ok(event) => return Some(event),
                Err(wanted) => {
                    self.fetches.spawn(async move {
                        let result = fetch(&wanted.url, wanted.post, FETCH_TIMEOUT).await;
                        (wanted.id, result.map_err(|error| error.to_string()))
                    });
                }
            }
        }
    }

    /// Sends what is to be sent, to peers and to the device.
    fn transmit(&mut self) {
        while let Some(target) = self.machine.poll_transmit(&mut self.datagram) {
            self.send(target);
        }
        while self.machine.poll_packet(&mut self.datagram) {
            // A device that fails for good says so when it is read.
            self.dropped += u64::from(self.device.try_send(&self.datagram).is_err());
        }
    }

    fn send(&mut self, target: Target) {
        let sent = match target {
            Target::Peer(path) => send(&self.ports, path, &self.datagram, self.datagram.len()),
            Target::Radius { socket, server } => match self.radius.get(usize::from(socket)) {
                Some(socket) => socket.try_send_to(&self.datagram, server).map(|_| ()),
                None => Err(io::ErrorKind::NotConnected.into()),
            },
        };
        // The protocols repeat what gets lost, here as on the way.
        self.dropped += u64::from(sent.is_err());
        if let Target::Peer(path) = target {
            self.watch(path);
        }
    }

    fn read_port(&mut self, index: usize) -> io::Result<()> {
        for _ in 0..RUNS_PER_TURN {
            let Some(port) = self.ports.get(index) else { return Ok(()) };
            let run = match port.try_recv(&mut self.received) {
                Ok(run) => run,
                Err(error) if is_passing(&error) => return Ok(()),
                Err(error) => return Err(error),
            };
            let path = Path { local: run.local, remote: run.remote };
            let now = self.clock.now();
            let Some(received) = self.received.get_mut(..run.len) else { continue };
            for datagram in received.chunks_mut(run.stride) {
                if let Received::Packet(packet) = self.machine.handle_datagram(now, path, datagram)
                    && let Some(packet) = datagram.get(packet)
                    && let Err(error) = self.device.try_send(packet)
                {
                    self.dropped += 1;
                    if !is_passing(&error) && error.kind() != io::ErrorKind::InvalidInput {
                        return Err(error);
                    }
                }
            }
            self.transmit();
        }
        Ok(())
    }

    fn read_device(&mut self) -> io::Result<()> {
        let now = self.clock.now();
        for _ in 0..PACKETS_PER_TURN {
            if self.run.room() < MAX_PACKET {
                self.flush_run();
            }
            let start = self.run.len + Tunnels::HEADROOM;
            let Some(room) = self.run.buf.get_mut(start..start + MAX_PACKET) else { break };
            let len = match self.device.try_recv(room) {
                Ok(len) => len,
                Err(error) if is_passing(&error) => break,
                Err(error) => return Err(error),
            };
            match self.machine.handle_packet(now, &mut self.run.buf, start..start + len) {
                // It comes with others, when they are enough or it is time.
                Ok(None) => self.transmit(),
                Ok(Some(sealed)) => {
                    let size = sealed.datagram.len();
                    // A run is of one path and one size, but for a shorter last one.
                    let fits = self.run.path == Some(sealed.path) && size <= self.run.size;
                    if !fits && self.run.len > 0 {
                        self.send_run();
                        self.run.buf.copy_within(sealed.datagram, 0);
                        self.run.len = 0;
                    } else {
                        self.run.buf.copy_within(sealed.datagram, self.run.len);
                    }
                    if self.run.len == 0 {
                        self.run.path = Some(sealed.path);
                        self.run.size = size;
                    }
                    self.run.len += size;
                    if size < self.run.size || sealed.more {
                        self.flush_run();
                    }
                    if sealed.more {
                        self.transmit();
                    }
                }
                Err(SendError::TooBig { answer: Some(answer), .. }) => {
                    // A device that has no room for it will be sent the packet again.
                    let _ = self.device.try_send(&answer);
                    self.dropped += 1;
                }
                Err(_) => self.dropped += 1,
            }
        }
        self.flush_run();
        Ok(())
    }

    fn flush_run(&mut self) {
        self.send_run();
        self.run.len = 0;
    }

    fn send_run(&mut self) {
        let (Some(path), true) = (self.run.path, self.run.len > 0) else { return };
        let contents = self.run.buf.get(..self.run.len).unwrap_or_default();
        if send(&self.ports, path, contents, self.run.size).is_err() {
            self.dropped += 1;
        }
        self.watch(path);
    }

    /// Tells the machine what the kernel knows of a path that is in use; strangers have none.
    fn watch(&mut self, path: Path) {
        let (now, remote) = (self.clock.now(), path.remote.ip());
        if self.machine.has_tunnel_to(remote)
            && let Some(mtu) = self.paths.ask(now, path)
        {
            self.machine.handle_path_mtu(now, remote, mtu);
        }
    }

    fn read_radius(&mut self, index: usize) {
        let Some(socket) = self.radius.get(index) else { return };
        // A RADIUS packet has at most 4096 octets: RFC 2865 section 3.
        let mut datagram = [0; 4096];
        while let Ok((len, from)) = socket.try_recv_from(&mut datagram) {
            if let Some(datagram) = datagram.get(..len) {
                let (now, index) = (self.clock.now(), index as u16);
                self.machine.handle_radius(now, index, from, datagram);
            }
        }
    }
}

/// The longest inner packet taken from a device: no tunnel has a larger MTU.
const MAX_PACKET: usize = 9216;

impl Run {
    /// Bytes left for one more inner packet.
    fn room(&self) -> usize {
        self.buf.len().saturating_sub(self.len + Tunnels::HEADROOM + Tunnels::TAILROOM)
    }
}

fn clocks(clock: &Clock) -> Clocks {
    Clocks { now: clock.now(), unix: clock.unix() }
}

/// Binds both ports on each address, and writes down which ones were had.
fn bind_ports(
    addresses: &[IpAddr],
    endpoint: &mut EndpointConfig,
    discover: bool,
) -> Result<Vec<UdpPort>, BindError> {
    let single = endpoint.ike_port == endpoint.nat_t_port && endpoint.ike_port != 0;
    let mut ports = Vec::new();
    let mut bind = |ip: IpAddr, wanted: &mut u16, discover| -> Result<(), BindError> {
        let address = SocketAddr::new(ip, *wanted);
        let port = UdpPort::bind(address, discover)
            .map_err(|error| BindError::Socket { address, error })?;
        *wanted = port.local().port();
        ports.push(port);
        Ok(())
    };
    for ip in addresses {
        // ESP has the other port.
        bind(*ip, &mut endpoint.ike_port, single && discover)?;
        if !single {
            bind(*ip, &mut endpoint.nat_t_port, discover)?;
        }
    }
    Ok(ports)
}

/// The address that the host would reach `peer` from.
fn source_address(peer: SocketAddr) -> Result<IpAddr, BindError> {
    let any: SocketAddr = match peer {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let find = || -> io::Result<IpAddr> {
        let socket = UdpSocket::bind(any)?;
        socket.connect(peer)?;
        Ok(socket.local_addr()?.ip())
    };
    find().map_err(BindError::Io)
}

fn radius_socket(address: SocketAddr) -> io::Result<tokio::net::UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    tokio::net::UdpSocket::from_std(socket)
}

fn send(ports: &[UdpPort], path: Path, contents: &[u8], size: usize) -> io::Result<()> {
    let from = |port: &&UdpPort| {
        let local = port.local();
        local.port() == path.local.port()
            && local.is_ipv4() == path.remote.is_ipv4()
            && (local.ip().is_unspecified() || local.ip() == path.local.ip())
    };
    let port = ports.iter().find(from).ok_or(io::ErrorKind::AddrNotAvailable)?;
    port.try_send(path.local.ip(), path.remote, contents, size)
}

fn poll_ports(ports: &[UdpPort], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    for (index, port) in ports.iter().enumerate() {
        if let Poll::Ready(ready) = port.poll_readable(cx) {
            return Poll::Ready(ready.map(|()| index));
        }
    }
    Poll::Pending
}

fn poll_radius(sockets: &[tokio::net::UdpSocket], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    for (index, socket) in sockets.iter().enumerate() {
        if let Poll::Ready(ready) = socket.poll_recv_ready(cx) {
            return Poll::Ready(ready.map(|()| index));
        }
    }
    Poll::Pending
}

/// Whether the next try may succeed: nothing there, or an ICMP error about something sent earlier.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock
            | io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}

/// Why a driver could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum BindError {
    /// A socket could not be bound.
    Socket {
        /// To this address.
        address: SocketAddr,
        /// What the operating system says.
        error: io::Error,
    },
    /// The operating system refused something else.
    Io(io::Error),
    /// The configuration cannot work.
    Setup(SetupError),
}

impl From<SetupError> for BindError {
    fn from(error: SetupError) -> Self {
        Self::Setup(error)
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket { address, error } => write!(f, "UDP {address}: {error}"),
            Self::Io(error) => error.fmt(f),
            Self::Setup(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BindError {}
