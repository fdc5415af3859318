//! Whom a client asks, and how patiently.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use adit_platform::Secret;

use crate::error::{Error, Misuse};
use crate::secure::MessageAuthenticator;

/// Servers in order of preference, and how many source ports the host has opened.
///
/// ```
/// use adit_platform::Secret;
/// use adit_radius::{Client, ClientConfig, ServerConfig};
///
/// let server = |address: &str| {
///     Ok::<_, std::net::AddrParseError>(ServerConfig::new(
///         address.parse()?,
///         Secret::copy_from(b"a long random string"),
///     ))
/// };
/// let servers = vec![server("192.0.2.1:1812")?, server("[2001:db8::1]:1812")?];
/// let config = ClientConfig { source_ports: 4, ..ClientConfig::new(servers) };
/// let client = Client::new(config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ClientConfig {
    /// The servers: the first one that is not known to be down is asked.
    pub servers: Vec<ServerConfig>,
    /// Number of UDP sockets of the host, 1 to 65,535: each has 256 requests outstanding at most with
    /// one server (RFC 2865 section 2.5).
    pub source_ports: u16,
    /// How long a server that did not answer is asked only if all others are down too. FreeRADIUS waits
    /// for 120 s.
    pub dead_time: Duration,
}

/// One server.
#[derive(Debug)]
pub struct ServerConfig {
    /// Where it listens; the port is 1812 by custom.
    pub address: SocketAddr,
    /// The shared secret, at least one octet; RFC 2865 section 3 wants 16 or more that cannot be guessed.
    pub secret: Secret,
    /// Which of its replies need a Message-Authenticator.
    pub message_authenticator: MessageAuthenticator,
    /// When a request is repeated, and when it has failed.
    pub timers: Timers,
    /// Asks a server that is down with Status-Server (RFC 5997) whether it is up again, this often, and
    /// leaves it alone otherwise. `None`: it is tried again with a user's request after `dead_time`.
    pub status_interval: Option<Duration>,
}

/// The retransmission timers of RFC 5080 section 2.2.1; each time is spread by up to a tenth.
///
/// ```
/// use adit_radius::Timers;
/// use core::time::Duration;
///
/// // A server that asks a person to press a button on a phone before it answers.
/// let patient = Timers {
///     max_count: 0,
///     max_duration: Duration::from_secs(90),
///     failover_after: 6,
///     ..Timers::default()
/// };
/// # let _ = patient;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timers {
    /// IRT: the first wait, not zero; each later one is twice as long.
    pub initial: Duration,
    /// MRT: the longest wait.
    pub max: Duration,
    /// MRC: how often a request is sent to this server at most, counting the first time; 0 is no limit.
    pub max_count: u32,
    /// MRD: how long after the first time it has failed. RFC 5080 says 5 to 30 s; where a person has to
    /// press a button before the server can answer, a minute or more.
    pub max_duration: Duration,
    /// After how many unanswered transmissions the next server is asked, if there is one that is up and
    /// the request is not bound to this one.
    pub failover_after: u32,
}

impl Default for Timers {
    /// RFC 5080: 2 s, doubled up to 16 s, 5 times, 30 s; the next server after 2 transmissions (6 s).
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(2),
            max: Duration::from_secs(16),
            max_count: 5,
            max_duration: Duration::from_secs(30),
            failover_after: 2,
        }
    }
}

impl ServerConfig {
    /// A server with what RFC 5080 and common sense set for the rest.
    ///
    /// ```
    /// use adit_platform::Secret;
    /// use adit_radius::ServerConfig;
    ///
    /// let address = "192.0.2.1:1812".parse()?;
    /// let server = ServerConfig::new(address, Secret::copy_from(b"a long random string"));
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn new(address: SocketAddr, secret: Secret) -> Self {
        Self {
            address,
            secret,
            message_authenticator: MessageAuthenticator::Required,
            timers: Timers::default(),
            status_interval: None,
        }
    }
}

impl ClientConfig {
    /// These servers, 16 source ports and a dead time of 120 s.
    pub fn new(servers: Vec<ServerConfig>) -> Self {
        Self { servers, source_ports: 16, dead_time: Duration::from_secs(120) }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.servers.is_empty() || self.source_ports == 0 {
            return Err(Error::Misuse(Misuse::NoServers));
        }
        if self.servers.iter().any(|server| server.secret.is_empty()) {
            return Err(Error::Misuse(Misuse::EmptySecret));
        }
        if self.servers.iter().any(|server| server.timers.initial.is_zero()) {
            return Err(Error::Misuse(Misuse::ZeroTimer));
        }
        Ok(())
    }
}
