//! Packets through the tunnel and back, each with a number, so that every loss and every duplicate shows.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use adit::tokio::ChannelHost;
use indicatif::ProgressBar;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::Error;

/// Packets on their way at a time: what the smallest default socket buffer of Linux has room for.
const WINDOW: u64 = 64;

/// How long an answer may be on its way before the network is taken to have lost it.
const STALL: Duration = Duration::from_millis(50);

/// A clean network that is silent for so long has lost something after all.
const HANG: Duration = Duration::from_secs(10);

/// The number of a packet stands behind its IPv4 and UDP headers.
const NUMBER_AT: usize = 28;

/// What is to be sent.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Packets that the client sends, each of which the gateway's side sends back.
    pub(crate) packets: u64,
    /// Bytes of each.
    pub(crate) size: usize,
    /// Whether losses are expected.
    pub(crate) lossy: bool,
}

/// What became of it.
pub(crate) struct Totals {
    pub(crate) size: usize,
    /// Packets given to the tunnel, at both ends together.
    pub(crate) sent: u64,
    /// Different packets that came out of it.
    pub(crate) carried: u64,
    pub(crate) duplicated: u64,
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
}

impl Totals {
    pub(crate) fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.carried)
    }
}

/// Traffic that is under way.
pub(crate) struct Traffic {
    progress: watch::Receiver<u64>,
    client: JoinHandle<Result<Side, Error>>,
    gateway: JoinHandle<Side>,
    size: usize,
    done: Arc<AtomicU64>,
}

/// The tunnel's end of one side, and what was seen there.
#[derive(Default)]
struct Side {
    sent: u64,
    received: u64,
    duplicated: u64,
    elapsed: Duration,
}

/// Hosts behind the two ends, with the inner addresses that they use.
pub(crate) struct Host {
    pub(crate) channel: ChannelHost,
    pub(crate) address: Ipv4Addr,
}

impl Traffic {
    pub(crate) fn start(plan: Plan, client: Host, gateway: Host, bar: ProgressBar) -> Self {
        let done = Arc::new(AtomicU64::new(0));
        let (report, progress) = watch::channel(0);
        let to = gateway.address;
        bar.set_length(2 * plan.packets * plan.size as u64);
        Self {
            progress,
            gateway: tokio::spawn(echo(plan, gateway, done.clone())),
            client: tokio::spawn(send(plan, client, to, report, bar)),
            size: plan.size,
            done,
        }
    }

    /// Waits until the client has sent this many packets.
    pub(crate) async fn reached(&mut self, packets: u64) -> Result<(), Error> {
        if self.progress.wait_for(|sent| *sent >= packets).await.is_err() {
            return Err("the traffic stopped early".into());
        }
        Ok(())
    }

    pub(crate) async fn finish(self) -> Result<Totals, Error> {
        let client = self.client.await??;
        self.done.store(1, Ordering::Relaxed);
        let gateway = self.gateway.await?;
        let carried = client.received + gateway.received;
        Ok(Totals {
            size: self.size,
            sent: client.sent + gateway.sent,
            carried,
            duplicated: client.duplicated + gateway.duplicated,
            bytes: carried * self.size as u64,
            elapsed: client.elapsed,
        })
    }
}

/// The client's side: keeps a window of packets on their way.
async fn send(
    plan: Plan,
    mut host: Host,
    to: Ipv4Addr,
    report: watch::Sender<u64>,
    bar: ProgressBar,
) -> Result<Side, Error> {
    let start = Instant::now();
    let template = packet(host.address, to, plan.size);
    let mut seen = Seen::new(plan.packets);
    let (mut next, mut credit) = (0, WINDOW);
    while seen.count < plan.packets {
        while credit > 0 && next < plan.packets {
            let mut packet = template.clone();
            packet[NUMBER_AT..NUMBER_AT + 8].copy_from_slice(&next.to_be_bytes());
            host.channel.outgoing.send(packet).await?;
            next += 1;
            credit -= 1;
        }
        let wait = if plan.lossy { STALL } else { HANG };
        match tokio::time::timeout(wait, host.channel.incoming.recv()).await {
            Ok(Some(packet)) => {
                credit = (credit + seen.take(&packet)).min(WINDOW);
                while let Ok(packet) = host.channel.incoming.try_recv() {
                    credit = (credit + seen.take(&packet)).min(WINDOW);
                }
            }
            Ok(None) => return Err("the client's tunnel closed".into()),
            // Whatever is still missing has been lost.
            Err(_) if next == plan.packets => break,
            Err(_) if plan.lossy => credit = WINDOW,
            Err(_) => return Err(format!("nothing came back for {HANG:?}").into()),
        }
        report.send_replace(next);
        bar.set_position(2 * seen.count * plan.size as u64);
    }
    bar.finish_and_clear();
    let mut elapsed = start.elapsed();
    if seen.count < plan.packets {
        elapsed = elapsed.saturating_sub(STALL);
    }
    Ok(Side { sent: next, received: seen.count, duplicated: seen.duplicated, elapsed })
}

/// The gateway's side: sends everything back to where it came from.
async fn echo(plan: Plan, mut host: Host, done: Arc<AtomicU64>) -> Side {
    let mut seen = Seen::new(plan.packets);
    let mut sent = 0;
    loop {
        let next =
            tokio::time::timeout(Duration::from_millis(50), host.channel.incoming.recv()).await;
        match next {
            Ok(Some(mut packet)) => {
                if seen.take(&packet) == 1 {
                    let (from, to) = (copy(&packet, 12), copy(&packet, 16));
                    packet[12..16].copy_from_slice(&to);
                    packet[16..20].copy_from_slice(&from);
                    if host.channel.outgoing.send(packet).await.is_err() {
                        break;
                    }
                    sent += 1;
                }
            }
            Ok(None) => break,
            Err(_) if done.load(Ordering::Relaxed) == 1 => break,
            Err(_) => {}
        }
    }
    Side { sent, received: seen.count, duplicated: seen.duplicated, elapsed: Duration::ZERO }
}

fn copy(packet: &[u8], at: usize) -> [u8; 4] {
    [packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]
}

/// An IPv4 packet with a UDP datagram in it.
fn packet(from: Ipv4Addr, to: Ipv4Addr, size: usize) -> Vec<u8> {
    let mut packet = vec![0; size];
    let length = (size as u16).to_be_bytes();
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&length);
    packet[8] = 64;
    packet[9] = 17;
    packet[12..16].copy_from_slice(&from.octets());
    packet[16..20].copy_from_slice(&to.octets());
    let sum: u32 = packet[..20].chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    packet[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    packet[20..22].copy_from_slice(&4000u16.to_be_bytes());
    packet[22..24].copy_from_slice(&4001u16.to_be_bytes());
    packet[24..26].copy_from_slice(&(size as u16 - 20).to_be_bytes());
    packet
}

/// Which numbers have come.
struct Seen {
    bits: Vec<u64>,
    count: u64,
    duplicated: u64,
}

impl Seen {
    fn new(packets: u64) -> Self {
        Self { bits: vec![0; packets as usize / 64 + 1], count: 0, duplicated: 0 }
    }

    /// 1 for a packet that is new, 0 for one that was here before or has no number.
    fn take(&mut self, packet: &[u8]) -> u64 {
        let number = packet.get(NUMBER_AT..NUMBER_AT + 8).and_then(|n| n.try_into().ok());
        let Some(number) = number.map(u64::from_be_bytes) else { return 0 };
        let Some(word) = self.bits.get_mut(number as usize / 64) else { return 0 };
        let bit = 1 << (number % 64);
        if *word & bit != 0 {
            self.duplicated += 1;
            return 0;
        }
        *word |= bit;
        self.count += 1;
        1
    }
}
