//! The RADIUS server of the tests behind a UDP socket, for one user, until it is killed:
//!
//! ```text
//! cargo run -p adit-testkit --example radius_server -- 127.0.0.1:1812 SECRET USER PASSWORD
//! eapol_test -c eapol.conf -a 127.0.0.1 -s SECRET
//! ```

use std::net::UdpSocket;
use std::process::ExitCode;

use adit_platform::Secret;
use adit_radius::{AttributeList, AttributeType};
use adit_testkit::radius_server::{RadiusServer, User};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, secret, user, password] = &arguments[..] else {
        eprintln!("usage: radius_server ADDRESS:PORT SECRET USER PASSWORD");
        return ExitCode::from(2);
    };
    match serve(address, secret, user, password) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(address: &str, secret: &str, user: &str, password: &str) -> std::io::Result<()> {
    let mut granted = AttributeList::new();
    granted.push(AttributeType::CLASS, b"testkit").map_err(std::io::Error::other)?;
    let mut server = RadiusServer::new(Secret::copy_from(secret.as_bytes()), 1)
        .with_user(user, User::with_password(password, granted));
    let socket = UdpSocket::bind(address)?;
    let mut buf = [0; 4096];
    loop {
        let (length, from) = socket.recv_from(&mut buf)?;
        if let Some(reply) = server.handle_datagram(from, &buf[..length]) {
            socket.send_to(&reply, from)?;
        }
        println!("{:?}", server.counters());
    }
}
