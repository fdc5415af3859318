//! Gateway and client on tokio: UDP sockets, timers, CRLs over HTTP, a packet device.
//!
//! A [`Driver`] owns the sockets, the device and the machine, and runs them while it is asked for its next
//! event. There is no task and no channel behind it: what the host does between two events, it does with the
//! machine at rest.
//!
//! ```no_run
//! use adit::tokio::{ClientDriver, TunDevice};
//! use adit::{ClientConfig, ClientEvent};
//! # async fn f(config: ClientConfig, provider: adit_platform::Provider) -> Result<(), Box<dyn std::error::Error>> {
//! let mut driver = ClientDriver::bind(config, provider, TunDevice::create("adit0", 1400)?)?;
//! driver.connect()?;
//! loop {
//!     tokio::select! {
//!         event = driver.next_event() => match event? {
//!             ClientEvent::Connected(connection) => println!("connected: {connection:?}"),
//!             ClientEvent::Disconnected { reason, .. } => break println!("{reason}"),
//!             _ => {}
//!         },
//!         _ = tokio::signal::ctrl_c() => break driver.close().await?,
//!     }
//! }
//! # Ok(()) }
//! ```

mod device;
mod driver;
mod fetch;
mod host;
mod machine;
mod path;
#[cfg(target_os = "linux")]
mod tun;
mod udp;

pub use device::{ChannelDevice, ChannelHost, PacketDevice};
pub use driver::{BindError, ClientDriver, Driver, GatewayDriver};
pub use fetch::{FetchError, MAX_BODY, fetch};
pub use host::{Clock, SystemRng};
#[cfg(target_os = "linux")]
pub use tun::TunDevice;
