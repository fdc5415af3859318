//! A remote-access client: `client CONFIG.toml`, on Linux, as root.
//!
//! `examples/config/client.toml` shows every setting.

#[path = "../common/mod.rs"]
mod common;
mod config;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use adit::tokio::{ClientDriver, TunDevice};
use adit::{ClientEvent, Connection, Disconnect};
use adit_platform::Secret;
use adit_platform::simd::PROVIDER;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

type Driver = ClientDriver<TunDevice>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (Some(path), None) = (args.next(), args.next()) else {
        eprintln!("usage: client CONFIG.toml");
        return ExitCode::from(2);
    };
    match run(PathBuf::from(path)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(path: PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    let settings = config::load(&path, &PROVIDER)?;
    let gateway = settings.config.gateway;
    let tun = TunDevice::create(&settings.device, settings.mtu)
        .map_err(|error| format!("TUN device {}: {error} (this needs root)", settings.device))?;
    let mut driver = Driver::bind(settings.config, PROVIDER, tun)?;
    if settings.key_log.is_some() {
        driver.machine().dangerous_key_log();
        eprintln!("WARNING: keys are logged; whoever reads them reads all traffic");
    }
    let start = Instant::now();
    let stage = |text: &str| println!("{:>8.1} ms  {text}", start.elapsed().as_secs_f64() * 1e3);
    stage(&format!("connecting to {gateway}"));
    driver.connect()?;

    let mut dns = None;
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let outcome = loop {
        let event = tokio::select! {
            event = driver.next_event() => event?,
            _ = interrupt.recv() => break None,
            _ = terminate.recv() => break None,
        };
        match event {
            ClientEvent::KeysAgreed { nat, .. } => {
                let nat = if nat.local || nat.remote { ", ESP goes in UDP" } else { "" };
                stage(&format!("keys agreed{nat}"));
            }
            ClientEvent::GatewayVerified { certificate, warnings } => {
                stage(&format!("gateway verified: {}", certificate.subject));
                warnings.iter().for_each(|warning| stage(&format!("WARNING: {warning}")));
            }
            ClientEvent::AskPassword { user, rejected, ticket } => {
                if let Some(reason) = rejected {
                    println!("{reason}");
                }
                let password = ask_password(user).await?;
                driver.answer_password(ticket, Some(password));
            }
            ClientEvent::Connected(connection) => {
                configure(driver.device(), &connection).await?;
                driver.device().set_mtu(device_mtu(settings.mtu, connection.mtu))?;
                if let Some(path) = &settings.resolv_conf {
                    dns = Some(ResolvConf::write(path, &connection)?);
                }
                stage(&format!("connected to {}", connection.gateway));
                connection.addresses.iter().for_each(|a| println!("             address {a}"));
                connection.dns.iter().for_each(|server| println!("             DNS {server}"));
                connection.routes.iter().for_each(|net| println!("             route {net}"));
            }
            ClientEvent::Rekeyed { child } => {
                stage(if child { "new child keys" } else { "new IKE keys" });
            }
            ClientEvent::PathMtu { mtu } => {
                stage(&format!("packets of up to {mtu} bytes pass whole"));
                driver.device().set_mtu(device_mtu(settings.mtu, mtu))?;
            }
            ClientEvent::PathChanged(path) => stage(&format!("gateway now at {}", path.remote)),
            ClientEvent::KeyLog(line) => {
                if let Some(key_log) = &settings.key_log {
                    key_log.write(&line)?;
                }
            }
            ClientEvent::Disconnected { reason, stats } => {
                stage(&format!(
                    "sent {} packets, received {}",
                    stats.outbound.packets, stats.inbound.packets
                ));
                break Some(reason);
            }
            _ => {}
        }
    };
    drop(dns);
    if outcome.is_none() {
        stage("closing");
        driver.close().await?;
        stage("closed");
    }
    driver.device().unpin_peers().await;
    match outcome {
        None | Some(Disconnect::ByUs) => Ok(()),
        Some(reason) => Err(reason.to_string().into()),
    }
}

/// Addresses and routes; the way to the gateway itself is kept out of the tunnel.
async fn configure(tun: &mut TunDevice, connection: &Connection) -> std::io::Result<()> {
    for address in &connection.addresses {
        tun.add_address(*address)?;
    }
    let gateway = connection.path.remote.ip();
    if connection.routes.iter().any(|net| net.contains(&gateway)) {
        tun.pin_peer(gateway).await?;
    }
    for net in &connection.routes {
        tun.add_route(*net).await?;
    }
    Ok(())
}

/// Never less than IPv6 needs: RFC 8200 section 5. What is longer than the path then goes in fragments.
fn device_mtu(configured: u16, path: usize) -> u16 {
    configured.min(u16::try_from(path).unwrap_or(u16::MAX)).max(1280)
}

/// Asks on the terminal, without holding up the tunnel's runtime.
async fn ask_password(user: String) -> Result<Secret, Box<dyn std::error::Error>> {
    let prompt = format!("password of {user}: ");
    let typed = tokio::task::spawn_blocking(move || rpassword::prompt_password(prompt)).await??;
    Ok(Secret::from(typed.into_bytes()))
}

/// The resolver's configuration, put back when dropped.
struct ResolvConf {
    path: PathBuf,
    before: Option<Vec<u8>>,
}

impl ResolvConf {
    fn write(path: &Path, connection: &Connection) -> std::io::Result<Self> {
        let before = std::fs::read(path).ok();
        let lines: String =
            connection.dns.iter().map(|server| format!("nameserver {server}\n")).collect();
        std::fs::write(path, lines)?;
        Ok(Self { path: path.to_owned(), before })
    }
}

impl Drop for ResolvConf {
    fn drop(&mut self) {
        let restored = match &self.before {
            Some(before) => std::fs::write(&self.path, before),
            None => std::fs::remove_file(&self.path),
        };
        if let Err(error) = restored {
            eprintln!("{}: {error}", self.path.display());
        }
    }
}
