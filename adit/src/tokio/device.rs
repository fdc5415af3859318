//! Where inner packets come from and go to.

use std::future::Future;
use std::io;

use tokio::sync::mpsc;

/// A source and sink of inner IP packets: a TUN device, a user-mode network stack, a test.
///
/// The driver waits in [`readable`](Self::readable) and then takes packets with
/// [`try_recv`](Self::try_recv) until there are none, so that the cost of a wake-up is shared by many.
pub trait PacketDevice: Send + 'static {
    /// Waits until a packet can be had. Dropping the future must lose no packet.
    fn readable(&mut self) -> impl Future<Output = io::Result<()>> + Send;

    /// Writes the next packet into `buf` and returns its length, or fails with
    /// [`io::ErrorKind::WouldBlock`].
    fn try_recv(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Hands over one packet, or fails with [`io::ErrorKind::WouldBlock`], upon which the packet is
    /// dropped as by any full queue.
    fn try_send(&mut self, packet: &[u8]) -> io::Result<()>;
}

/// A [`PacketDevice`] made of two bounded channels: an embedder's own network stack holds the other end.
///
/// ```
/// use adit::tokio::{ChannelDevice, PacketDevice};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let (mut device, mut host) = ChannelDevice::pair(64);
/// host.outgoing.send(vec![0x45, 0, 0, 20]).await.unwrap();
/// let mut buf = [0; 1500];
/// device.readable().await?;
/// assert_eq!(device.try_recv(&mut buf)?, 4);
/// device.try_send(&[0x60])?;
/// assert_eq!(host.incoming.recv().await, Some(vec![0x60]));
/// # std::io::Result::Ok(())
/// # })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct ChannelDevice {
    from_host: mpsc::Receiver<Vec<u8>>,
    to_host: mpsc::Sender<Vec<u8>>,
    /// What `readable` took out of the channel to see that there is something.
    next: Option<Vec<u8>>,
}

/// The host's end of a [`ChannelDevice`].
#[derive(Debug)]
pub struct ChannelHost {
    /// Packets that the host sends into the tunnel.
    pub outgoing: mpsc::Sender<Vec<u8>>,
    /// Packets that came out of the tunnel.
    pub incoming: mpsc::Receiver<Vec<u8>>,
}

impl ChannelDevice {
    /// A device and its host's end; each direction queues at most `capacity` packets.
    pub fn pair(capacity: usize) -> (Self, ChannelHost) {
        let (outgoing, from_host) = mpsc::channel(capacity.max(1));
        let (to_host, incoming) = mpsc::channel(capacity.max(1));
        (Self { from_host, to_host, next: None }, ChannelHost { outgoing, incoming })
    }
}

impl PacketDevice for ChannelDevice {
    async fn readable(&mut self) -> io::Result<()> {
        if self.next.is_none() {
            self.next = self.from_host.recv().await;
        }
        match self.next {
            Some(_) => Ok(()),
            // The host sends nothing any more, but may go on receiving.
            None => std::future::pending().await,
        }
    }

    fn try_recv(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let packet = match self.next.take() {
            Some(packet) => packet,
            None => self.from_host.try_recv().map_err(|_| io::ErrorKind::WouldBlock)?,
        };
        let room = buf.get_mut(..packet.len()).ok_or(io::ErrorKind::InvalidInput)?;
        room.copy_from_slice(&packet);
        Ok(packet.len())
    }

    fn try_send(&mut self, packet: &[u8]) -> io::Result<()> {
        self.to_host.try_send(packet.to_vec()).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => io::ErrorKind::WouldBlock.into(),
            mpsc::error::TrySendError::Closed(_) => io::ErrorKind::BrokenPipe.into(),
        })
    }
}
