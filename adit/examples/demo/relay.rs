//! A network between client and gateway that loses datagrams: a NAT with bad luck.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use adit_testkit::rng::SeededRng;
use tokio::net::UdpSocket;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// Carries datagrams between clients and one port of the gateway.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    lost: Arc<AtomicU64>,
    /// Ends with this value.
    _tasks: JoinSet<()>,
}

impl Relay {
    /// A relay to `gateway` that loses `percent` of the datagrams, in each direction.
    pub(crate) async fn start(
        gateway: SocketAddr,
        percent: u8,
        seed: u64,
    ) -> std::io::Result<Self> {
        let front = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        let address = front.local_addr()?;
        let lost = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        tasks.spawn(forward(front, gateway, percent, seed, lost.clone()));
        Ok(Self { address, lost, _tasks: tasks })
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

async fn forward(
    front: Arc<UdpSocket>,
    gateway: SocketAddr,
    percent: u8,
    seed: u64,
    lost: Arc<AtomicU64>,
) {
    let rng = Arc::new(Mutex::new(SeededRng::new(seed)));
    let mut clients: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut back = JoinSet::new();
    let mut buf = vec![0; 65_536];
    while let Ok((len, from)) = front.recv_from(&mut buf).await {
        if rng.lock().await.chance(percent) {
            lost.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let socket = match clients.get(&from) {
            Some(socket) => socket.clone(),
            None => {
                let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await else { continue };
                let socket = Arc::new(socket);
                clients.insert(from, socket.clone());
                let (front, rng, lost) = (front.clone(), rng.clone(), lost.clone());
                let answers = socket.clone();
                back.spawn(async move {
                    let mut buf = vec![0; 65_536];
                    while let Ok((len, _)) = answers.recv_from(&mut buf).await {
                        if rng.lock().await.chance(percent) {
                            lost.fetch_add(1, Ordering::Relaxed);
                        } else {
                            // A full socket loses datagrams as well.
                            let _ = front.send_to(&buf[..len], from).await;
                        }
                    }
                });
                socket
            }
        };
        let _ = socket.send_to(&buf[..len], gateway).await;
    }
}
