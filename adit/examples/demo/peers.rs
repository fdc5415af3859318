//! A gateway and a client, each a task with its driver.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use adit::tokio::{ChannelDevice, ChannelHost, ClientDriver, GatewayDriver};
use adit::{ClientEvent, Connection, GatewayEvent};
use adit_platform::simd::PROVIDER;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::relay::Relay;
use crate::traffic::Host;
use crate::world::World;
use crate::{Error, is_connected};

/// Packets between a host and its tunnel.
const QUEUE: usize = 256;

/// Who answers behind the gateway.
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 1);

/// What the demo tells a peer to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Command {
    RekeyChildren,
    RekeyIke,
    Close,
}

pub(crate) struct Peers {
    client: Task<ClientEvent>,
    gateway: Task<GatewayEvent>,
    client_host: Option<ChannelHost>,
    gateway_host: Option<ChannelHost>,
    address: Ipv4Addr,
    relays: Vec<Relay>,
    started: Instant,
}

/// One peer's driver at work.
struct Task<E> {
    commands: mpsc::Sender<Command>,
    /// With the moment at which each came.
    events: mpsc::UnboundedReceiver<(Instant, E)>,
    done: JoinHandle<Result<(), Error>>,
}

impl Peers {
    /// Starts both; the client connects at once, through a network that loses `loss` percent.
    pub(crate) async fn start(
        world: &World,
        loss: Option<u8>,
        password: &str,
    ) -> Result<Self, Error> {
        let (device, gateway_host) = ChannelDevice::pair(QUEUE);
        let localhost = [IpAddr::from(Ipv4Addr::LOCALHOST)];
        let gateway = GatewayDriver::bind(world.gateway_config()?, &localhost, PROVIDER, device)?;
        let ports: Vec<SocketAddr> = gateway.local_addresses().collect();
        let [mut ike, mut nat_t] = ports[..] else { return Err("two ports expected".into()) };
        let mut relays = Vec::new();
        if let Some(percent) = loss {
            for (seed, port) in [&mut ike, &mut nat_t].into_iter().enumerate() {
                let relay = Relay::start(*port, percent, seed as u64).await?;
                *port = relay.address;
                relays.push(relay);
            }
        }
        let (device, client_host) = ChannelDevice::pair(QUEUE);
        let config = world.client_config(ike, nat_t.port(), password)?;
        let mut client = ClientDriver::bind(config, PROVIDER, device)?;
        let started = Instant::now();
        client.connect()?;
        Ok(Self {
            started,
            client: start_client(client),
            gateway: start_gateway(gateway),
            client_host: Some(client_host),
            gateway_host: Some(gateway_host),
            address: Ipv4Addr::UNSPECIFIED,
            relays,
        })
    }

    /// When the client sent its first message.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) async fn client_event(
        &mut self,
        patience: Duration,
    ) -> Result<(Instant, ClientEvent), Error> {
        let event = tokio::time::timeout(patience, self.client.events.recv()).await;
        event.map_err(|_| "the client said nothing")?.ok_or_else(|| "the client stopped".into())
    }

    /// Waits until the gateway has the client too.
    pub(crate) async fn gateway_connected(&mut self, patience: Duration) -> Result<(), Error> {
        loop {
            let event = tokio::time::timeout(patience, self.gateway.events.recv()).await;
            let event = event.map_err(|_| "the gateway said nothing")?;
            if is_connected(&event.ok_or("the gateway stopped")?.1) {
                return Ok(());
            }
        }
    }

    pub(crate) fn set_addresses(&mut self, connection: &Connection) {
        let v4 = connection.addresses.iter().find_map(|net| match net.addr() {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        });
        self.address = v4.unwrap_or(self.address);
    }

    pub(crate) async fn command(&self, to_gateway: bool, command: Command) -> Result<(), Error> {
        let commands = if to_gateway { &self.gateway.commands } else { &self.client.commands };
        Ok(commands.send(command).await?)
    }

    /// The host behind the client; once.
    pub(crate) fn client_host(&mut self) -> Result<Host, Error> {
        let channel = self.client_host.take().ok_or("the host is in use")?;
        Ok(Host { channel, address: self.address })
    }

    /// The host behind the gateway; once.
    pub(crate) fn gateway_host(&mut self) -> Result<Host, Error> {
        let channel = self.gateway_host.take().ok_or("the host is in use")?;
        Ok(Host { channel, address: SERVER })
    }

    pub(crate) fn lost_by_network(&self) -> u64 {
        self.relays.iter().map(Relay::lost).sum()
    }

    /// The client closes, and the gateway sees it.
    pub(crate) async fn close(mut self) -> Result<(), Error> {
        self.client.commands.send(Command::Close).await?;
        self.client.done.await??;
        loop {
            match self.gateway.events.recv().await {
                Some((_, GatewayEvent::Disconnected { .. })) => break,
                Some(_) => {}
                None => return Err("the gateway did not see the client go".into()),
            }
        }
        self.gateway.commands.send(Command::Close).await?;
        self.gateway.done.await?
    }
}

fn start_client(mut driver: ClientDriver<ChannelDevice>) -> Task<ClientEvent> {
    let (commands, mut inbox) = mpsc::channel(8);
    let (outbox, events) = mpsc::unbounded_channel();
    let done = tokio::spawn(async move {
        loop {
            tokio::select! {
                event = driver.next_event() => {
                    // Nobody listens any more when the demo is over.
                    let _ = outbox.send((Instant::now(), event?));
                }
                command = inbox.recv() => match command {
                    Some(Command::RekeyChildren) => driver.rekey_children()?,
                    Some(Command::RekeyIke) => driver.rekey_ike()?,
                    Some(Command::Close) | None => return Ok(driver.close().await?),
                },
            }
        }
    });
    Task { commands, events, done }
}

fn start_gateway(mut driver: GatewayDriver<ChannelDevice>) -> Task<GatewayEvent> {
    let (commands, mut inbox) = mpsc::channel(8);
    let (outbox, events) = mpsc::unbounded_channel();
    let done = tokio::spawn(async move {
        loop {
            tokio::select! {
                event = driver.next_event() => {
                    // Nobody listens any more when the demo is over.
                    let _ = outbox.send((Instant::now(), event?));
                }
                command = inbox.recv() => {
                    let clients: Vec<_> = driver.machine().clients().map(|(sa, _)| sa).collect();
                    match command {
                        Some(Command::RekeyChildren) => {
                            clients.into_iter().try_for_each(|sa| driver.rekey_children(sa))?;
                        }
                        Some(Command::RekeyIke) => {
                            clients.into_iter().try_for_each(|sa| driver.rekey_ike(sa))?;
                        }
                        Some(Command::Close) | None => return Ok(driver.close().await?),
                    }
                }
            }
        }
    });
    Task { commands, events, done }
}
