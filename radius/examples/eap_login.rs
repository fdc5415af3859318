//! Logs in to a RADIUS server with EAP-MSCHAPv2, as a gateway would for its peer:
//!
//! ```text
//! cargo run -p adit-radius --example eap_login -- 127.0.0.1:1812 SECRET USER PASSWORD
//! ```
//!
//! It says what the server grants, and exits with 0 for an Access-Accept with which the peer agrees.

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::Duration;

use adit_eap::{Credential, Peer, PeerStep, mschapv2};
use adit_platform::rng::RngError;
use adit_platform::{Instant, Rng, Secret};
use adit_radius::{
    AttributeList, AttributeType, Client, ClientConfig, EapSession, EapStep, Event, Reply,
    ServerConfig,
};

/// The operating system's randomness.
struct Os;

impl Rng for Os {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        getrandom::fill(out).map_err(|_| RngError)
    }
}

/// One socket and the client behind it.
struct Host {
    client: Client,
    socket: UdpSocket,
    origin: std::time::Instant,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, secret, user, password] = &arguments[..] else {
        eprintln!("usage: eap_login ADDRESS:PORT SECRET USER PASSWORD");
        return ExitCode::from(2);
    };
    match login(server, secret, user, password) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn login(server: &str, secret: &str, user: &str, password: &str) -> Result<bool, Box<dyn Error>> {
    let server: SocketAddr = server.parse()?;
    let config = ServerConfig::new(server, Secret::copy_from(secret.as_bytes()));
    let config = ClientConfig { source_ports: 1, ..ClientConfig::new(vec![config]) };
    let any: SocketAddr = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }.parse()?;
    let mut host =
        Host { client: Client::new(config)?, socket: UdpSocket::bind(any)?, origin: clock() };

    let method = mschapv2::Peer::new(user, Some(Credential::password(password)))?;
    let mut peer = Peer::new(user, vec![Box::new(method)]);
    let mut attributes = AttributeList::new();
    attributes.push(AttributeType::NAS_IDENTIFIER, b"eap_login")?;
    let mut session = EapSession::new(attributes);
    let mut packet = session.start();
    loop {
        let response = match peer.handle(&packet, &mut Os)? {
            PeerStep::Respond(response) => response,
            PeerStep::Failure(reason) => return Err(reason.into()),
            step => return Err(format!("the peer wants something else: {step:?}").into()),
        };
        let request = session.handle_eap(&response)?;
        let now = host.now();
        host.client.send(now, request, &mut Os)?;
        match session.handle_reply(host.reply()?)? {
            EapStep::Challenge(next) => packet = next,
            EapStep::Accept { eap, msk, authorization } => {
                let PeerStep::Success(Some(key)) = peer.handle(&eap, &mut Os)? else {
                    return Err("the peer does not believe it".into());
                };
                println!("accepted: {authorization:?}");
                println!("same MSK at both ends: {}", *key.secret() == msk);
                return Ok(*key.secret() == msk);
            }
            EapStep::Reject { eap, reason } => {
                println!("rejected: {reason}");
                if let Some(message) = session.message() {
                    println!("the server says: {message}");
                }
                if let PeerStep::Failure(why) = peer.handle(&eap, &mut Os)? {
                    println!("the user is told: {why}");
                }
                return Ok(false);
            }
        }
    }
}

impl Host {
    fn now(&self) -> Instant {
        Instant::from_origin(clock() - self.origin)
    }

    /// The loop of every embedder: send what is due, wait for a datagram or a deadline, look for events.
    fn reply(&mut self) -> Result<Reply, Box<dyn Error>> {
        let mut buf = Vec::new();
        loop {
            while let Some(transmit) = self.client.poll_transmit(&mut buf) {
                self.socket.send_to(&buf, transmit.destination)?;
            }
            match self.client.poll_event() {
                Some(Event::Reply { reply, .. }) => return Ok(reply),
                Some(Event::Failed { reason, .. }) => return Err(reason.into()),
                Some(_) => continue,
                None => {}
            }
            let deadline = self.client.poll_timeout().ok_or("nothing to wait for")?;
            let wait = (deadline - self.now()).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(wait))?;
            buf.resize(4096, 0);
            if let Ok((length, from)) = self.socket.recv_from(&mut buf) {
                let now = self.now();
                if let Err(why) = self.client.handle_datagram(now, 0, from, &buf[..length]) {
                    eprintln!("discarded a datagram of {from}: {why}");
                }
            }
            let now = self.now();
            if self.client.poll_timeout().is_some_and(|deadline| now >= deadline) {
                self.client.handle_timeout(now, &mut Os);
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "an example is a host, and hosts have a clock")]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}
