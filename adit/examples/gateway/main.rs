//! A remote-access gateway: `gateway CONFIG.toml`, on Linux, as root.
//!
//! `examples/config/gateway.toml` shows every setting.

#[path = "../common/mod.rs"]
mod common;
mod config;

use std::path::PathBuf;
use std::process::ExitCode;

use adit::GatewayEvent;
use adit::tokio::{GatewayDriver, TunDevice};
use adit_platform::simd::PROVIDER;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (Some(path), None) = (args.next(), args.next()) else {
        eprintln!("usage: gateway CONFIG.toml");
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
    let mut tun = TunDevice::create(&settings.device, settings.mtu)
        .map_err(|error| format!("TUN device {}: {error} (this needs root)", settings.device))?;
    for address in settings.addresses {
        tun.add_address(address)?;
    }
    let pool = settings.config.pool.clone();
    for range in &pool {
        for net in range.subnets() {
            tun.add_route(net).await?;
        }
    }
    let mut driver = GatewayDriver::bind(settings.config, &settings.listen, PROVIDER, tun)?;
    if settings.key_log.is_some() {
        driver.machine().dangerous_key_log();
        eprintln!("WARNING: keys are logged; whoever reads them reads all traffic");
    }
    for address in driver.local_addresses() {
        println!("listening on {address}");
    }

    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    loop {
        let event = tokio::select! {
            event = driver.next_event() => event?,
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        };
        match event {
            GatewayEvent::Connected(client) => {
                println!(
                    "{}: connected from {}, has {:?}",
                    client.name(),
                    client.path.remote,
                    client.addresses
                );
            }
            GatewayEvent::Disconnected { client, reason, stats, .. } => println!(
                "{}: gone ({reason}); received {} packets, sent {}",
                client.name(),
                stats.inbound.packets,
                stats.outbound.packets,
            ),
            GatewayEvent::Refused(refusal) => {
                let claimed = refusal.claimed.map(|id| id.to_string()).unwrap_or_default();
                println!("refused {claimed} from {}: {}", refusal.path.remote, refusal.reason);
            }
            GatewayEvent::Rekeyed { sa, child } => {
                println!("{sa:?}: new {} keys", if child { "child" } else { "IKE" });
            }
            GatewayEvent::PathChanged { sa, path } => println!("{sa:?}: now at {}", path.remote),
            GatewayEvent::PathMtu { sa, mtu } => {
                println!("{sa:?}: packets of up to {mtu} bytes pass whole");
            }
            GatewayEvent::CertificateWarning { sa, warning } => println!("{sa:?}: {warning}"),
            GatewayEvent::KeyLog(line) => {
                if let Some(key_log) = &settings.key_log {
                    key_log.write(&line)?;
                }
            }
            _ => {}
        }
    }
    println!("closing");
    driver.close().await?;
    Ok(())
}
