//! Everything in one process: no root, no network, no configuration.
//!
//! A test PKI whose CRL is served over HTTP, a RADIUS server, a gateway and a client, all over UDP on
//! loopback. `cargo run --release --example demo`, with `--json` for one JSON object instead of text.

mod bare;
mod peers;
mod relay;
mod report;
mod traffic;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use adit::{ClientEvent, Disconnect, GatewayEvent};

use peers::{Command, Peers};
use report::Report;
use traffic::{Plan, Traffic};
use world::World;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Inner packets that are carried, in bytes.
const PACKET: usize = 1400;

/// What goes through ESP in the first round, both ways together: 1 GiB and a packet.
const FIRST_ROUND: u64 = (1 << 30) / PACKET as u64 + 1;

/// The second round, in which the network loses packets, is smaller: it shows survival and not speed.
const SECOND_ROUND: u64 = 40_000;

/// Datagrams lost in the second round, in percent, in each direction.
const LOSS: u8 = 5;

/// Nothing here takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let json = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--json"] => true,
        _ => {
            eprintln!("usage: demo [--json]");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let mut report = Report::new(json);
    let outcome =
        runtime.map_err(Error::from).and_then(|runtime| runtime.block_on(run(&mut report)));
    report.finish(outcome.map_err(|error| error.to_string()))
}

async fn run(report: &mut Report) -> Result<(), Error> {
    let mut world = World::start(report).await?;
    first_round(&mut world, report).await?;
    second_round(&mut world, report).await?;
    wrong_password(&mut world, report).await?;
    revoked_gateway(&mut world, report).await
}

/// A clean network: stages, speed, and new keys under full load without a packet lost.
async fn first_round(world: &mut World, report: &mut Report) -> Result<(), Error> {
    report.section("A client connects");
    let mut peers = Peers::start(world, None, world::PASSWORD).await?;
    connect(&mut peers, report).await?;

    report.section("1 GiB through ESP, with new keys on the way");
    let quarter = FIRST_ROUND / 8;
    let plan = Plan { packets: FIRST_ROUND / 2 + 1, size: PACKET, lossy: false };
    let mut traffic =
        Traffic::start(plan, peers.client_host()?, peers.gateway_host()?, report.bar());
    let rekeys = [
        (quarter, "client renews the child SA", Command::RekeyChildren),
        (quarter * 2, "client renews the IKE SA", Command::RekeyIke),
        (quarter * 3, "gateway renews the child SA", Command::RekeyChildren),
        (quarter * 3 + quarter / 2, "gateway renews the IKE SA", Command::RekeyIke),
    ];
    for (index, (at, what, command)) in rekeys.into_iter().enumerate() {
        traffic.reached(at).await?;
        rekey(&mut peers, index >= 2, command).await?;
        report.stage(what);
    }
    let totals = traffic.finish().await?;
    let bare = bare::seconds_per_packet(PACKET)?;
    report.throughput(&totals, bare);
    if totals.lost() > 0 || totals.duplicated > 0 {
        return Err(
            format!("{} packets lost, {} duplicated", totals.lost(), totals.duplicated).into()
        );
    }

    peers.close().await?;
    report.stage("closed by DELETE, at both ends");
    Ok(())
}

/// A network that loses one datagram in twenty.
async fn second_round(world: &mut World, report: &mut Report) -> Result<(), Error> {
    report.section("The same through a network that loses 5 %");
    let mut peers = Peers::start(world, Some(LOSS), world::PASSWORD).await?;
    connect(&mut peers, report).await?;
    let plan = Plan { packets: SECOND_ROUND, size: PACKET, lossy: true };
    let mut traffic =
        Traffic::start(plan, peers.client_host()?, peers.gateway_host()?, report.bar());
    traffic.reached(SECOND_ROUND / 4).await?;
    rekey(&mut peers, false, Command::RekeyChildren).await?;
    report.stage("child SA renewed");
    traffic.reached(SECOND_ROUND / 2).await?;
    rekey(&mut peers, false, Command::RekeyIke).await?;
    report.stage("IKE SA renewed");
    let totals = traffic.finish().await?;
    report.survived(&totals, peers.lost_by_network());
    if totals.duplicated > 0 {
        return Err(format!("{} packets duplicated", totals.duplicated).into());
    }
    peers.close().await?;
    report.stage("closed by DELETE, at both ends");
    Ok(())
}

async fn wrong_password(world: &mut World, report: &mut Report) -> Result<(), Error> {
    report.section("What a wrong password looks like");
    let mut peers = Peers::start(world, None, "looking-glass").await?;
    let reason = refused(&mut peers).await?;
    report.refusal("wrong_password", &reason);
    expect(&reason, "password")
}

async fn revoked_gateway(world: &mut World, report: &mut Report) -> Result<(), Error> {
    report.section("What a revoked gateway certificate looks like");
    world.revoke_gateway();
    let mut peers = Peers::start(world, None, world::PASSWORD).await?;
    let reason = refused(&mut peers).await?;
    report.refusal("revoked_certificate", &reason);
    expect(&reason, "revoked")
}

fn expect(reason: &str, word: &str) -> Result<(), Error> {
    if reason.contains(word) {
        Ok(())
    } else {
        Err(format!("refused for another reason: {reason}").into())
    }
}

/// Shows the stages of a handshake as they happen.
async fn connect(peers: &mut Peers, report: &mut Report) -> Result<(), Error> {
    report.stage_at(peers.started(), "client starts");
    loop {
        let (at, event) = peers.client_event(PATIENCE).await?;
        match event {
            ClientEvent::KeysAgreed { .. } => report.stage_at(at, "keys agreed (IKE_SA_INIT)"),
            ClientEvent::GatewayVerified { certificate, .. } => {
                let name = certificate.common_name.unwrap_or_default();
                let text = format!("gateway verified: {name}, not revoked by the CRL just fetched");
                report.stage_at(at, &text);
            }
            ClientEvent::Connected(connection) => {
                let addresses: Vec<String> =
                    connection.addresses.iter().map(ToString::to_string).collect();
                let text = format!("user accepted by RADIUS, tunnel up: {}", addresses.join(", "));
                report.stage_at(at, &text);
                peers.set_addresses(&connection);
                break;
            }
            ClientEvent::Disconnected { reason, .. } => return Err(reason.to_string().into()),
            _ => {}
        }
    }
    peers.gateway_connected(PATIENCE).await
}

/// Renews keys from one side and waits until the client has them.
async fn rekey(peers: &mut Peers, by_gateway: bool, command: Command) -> Result<(), Error> {
    let child = command == Command::RekeyChildren;
    peers.command(by_gateway, command).await?;
    loop {
        match peers.client_event(PATIENCE).await?.1 {
            ClientEvent::Rekeyed { child: renewed } if renewed == child => return Ok(()),
            ClientEvent::Disconnected { reason, .. } => return Err(reason.to_string().into()),
            _ => {}
        }
    }
}

/// Waits for the end of a connection that must not come about.
async fn refused(peers: &mut Peers) -> Result<String, Error> {
    loop {
        match peers.client_event(PATIENCE).await?.1 {
            ClientEvent::Connected(_) => return Err("connected, against all rules".into()),
            ClientEvent::Disconnected { reason: Disconnect::Failed(failure), .. } => {
                return Ok(failure.to_string());
            }
            ClientEvent::Disconnected { reason, .. } => return Err(reason.to_string().into()),
            _ => {}
        }
    }
}

/// What the gateway's side tells the demo of.
fn is_connected(event: &GatewayEvent) -> bool {
    matches!(event, GatewayEvent::Connected(_))
}
