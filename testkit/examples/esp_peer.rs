//! ESP by manual keys: joins a TUN device to one pair of SAs, until it is killed.
//!
//! ```text
//! esp_peer [OPTION...] DEVICE LOCAL REMOTE SUITE OUT IN
//!
//!   DEVICE      the TUN device to make
//!   LOCAL       our address and ...
//!   REMOTE      ... the peer's: both IPv4 or both IPv6
//!   SUITE       as in proposals: aes128gcm16-esn, aes256-sha256
//!   OUT, IN     the SA to the peer and the one from it: SPI:KEY or SPI:KEY:INTEGRITY-KEY, in hexadecimal;
//!               a salt or nonce stands at the end of KEY
//!
//!   --transport         transport mode: DEVICE carries packets between LOCAL and REMOTE themselves
//!   --udp               ESP in UDP, port 4500 at both ends (RFC 3948), instead of IP protocol 50
//!   --via INTERFACE     the interface towards REMOTE, where routes lead to DEVICE
//!   --mtu BYTES         of DEVICE, 1400 unless given
//!   --provider NAME     simd (unless given), ring or rustcrypto
//!   --key-log FILE      appends lines for Wireshark's table `esp_sa`
//! ```
//!
//! It prints `ready` when packets can flow, and a line for each packet that it refuses. Needs root.
#![expect(clippy::disallowed_methods, reason = "a host has sockets, threads and randomness")]

use std::convert::Infallible;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::thread;

use adit_esp::encap::{self, Payload};
use adit_esp::ip::IpPacket;
use adit_esp::keylog::dangerous_esp_sa_line;
use adit_esp::{Inbound, Mode, NextHeader, Outbound, SaConfig, SaKeys, Spi};
use adit_ikev2::negotiate::SequenceNumbers;
use adit_platform::rng::{Rng, RngError};
use adit_platform::{Provider, Secret, ring, rustcrypto, simd};
use socket2::{Domain, Protocol, Socket, Type};
use tun_rs::{DeviceBuilder, SyncDevice};

type Failure = Box<dyn Error + Send + Sync>;
type Result<T> = std::result::Result<T, Failure>;

fn main() -> ExitCode {
    let Err(error) = Arguments::read(std::env::args().skip(1)).and_then(run);
    eprintln!("esp_peer: {error}");
    ExitCode::FAILURE
}

struct Arguments {
    device: String,
    local: IpAddr,
    remote: IpAddr,
    udp: bool,
    via: Option<String>,
    mtu: u16,
    provider: &'static Provider,
    key_log: Option<String>,
    outbound: (SaConfig, SaKeys),
    inbound: (SaConfig, SaKeys),
}

impl Arguments {
    fn read(words: impl Iterator<Item = String>) -> Result<Self> {
        let mut words = words.peekable();
        let (mut mode, mut udp, mut via, mut key_log) = (Mode::Tunnel, false, None, None);
        let (mut mtu, mut provider) = (1400, &simd::PROVIDER);
        while let Some(option) = words.next_if(|word| word.starts_with("--")) {
            let mut value = || words.next().ok_or(format!("{option} of what?"));
            match option.as_str() {
                "--transport" => mode = Mode::Transport,
                "--udp" => udp = true,
                "--via" => via = Some(value()?),
                "--key-log" => key_log = Some(value()?),
                "--mtu" => mtu = value()?.parse()?,
                "--provider" => provider = provider_named(&value()?)?,
                _ => return Err(format!("unknown option {option}").into()),
            }
        }
        let words: Vec<String> = words.collect();
        let [device, local, remote, suite, outbound, inbound] = &words[..] else {
            return Err("usage: esp_peer [OPTION...] DEVICE LOCAL REMOTE SUITE OUT IN".into());
        };
        Ok(Self {
            device: device.clone(),
            local: local.parse()?,
            remote: remote.parse()?,
            udp,
            via,
            mtu,
            provider,
            key_log,
            outbound: read_sa(suite, mode, outbound)?,
            inbound: read_sa(suite, mode, inbound)?,
        })
    }
}

fn provider_named(name: &str) -> Result<&'static Provider> {
    [&simd::PROVIDER, &ring::PROVIDER, &rustcrypto::PROVIDER]
        .into_iter()
        .find(|provider| provider.name == name)
        .ok_or_else(|| format!("no provider {name}").into())
}

/// `text` is an SPI, a key and perhaps an integrity key.
fn read_sa(suite: &str, mode: Mode, text: &str) -> Result<(SaConfig, SaKeys)> {
    let proposal = adit::proposal::parse_esp(suite)?;
    let [suite] = proposal.suites[..] else { return Err("one suite, please".into()) };
    let mut parts = text.split(':');
    let mut part = || parts.next().unwrap_or_default();
    let mut config = SaConfig::new(Spi(u32::from_str_radix(part(), 16)?), suite);
    config.mode = mode;
    config.extended_sequence_numbers = proposal.sequence_numbers == SequenceNumbers::Extended;
    Ok((config, SaKeys::new(read_key(part())?, read_key(part())?)))
}

fn read_key(hex: &str) -> Result<Secret> {
    let octets: Result<Vec<u8>> = (0..hex.len())
        .step_by(2)
        .map(|at| {
            let digits = hex.get(at..at + 2).ok_or("half an octet in a key")?;
            Ok(u8::from_str_radix(digits, 16)?)
        })
        .collect();
    Ok(Secret::copy_from(&octets?))
}

/// Carries packets both ways until something other than a packet is wrong.
fn run(arguments: Arguments) -> Result<Infallible> {
    let Arguments { outbound, inbound, provider, .. } = &arguments;
    let mut sealer = Outbound::new(&outbound.0, &outbound.1, provider, &mut SystemRng)?;
    let mut opener = Inbound::new(&inbound.0, &inbound.1, provider)?;
    write_key_log(&arguments)?;
    let device = DeviceBuilder::new().name(&arguments.device).mtu(arguments.mtu).build_sync()?;
    let ends = Arc::new((device, Path::open(&arguments)?));
    println!("ready");

    let (failed, failures) = mpsc::channel();
    let (sending, also_failed) = (Arc::clone(&ends), failed.clone());
    thread::spawn(move || {
        let mut buf = vec![0; ROOM + MAX_PACKET + ROOM];
        let error = forever(|| send(&mut buf, &mut sealer, &sending.0, &sending.1));
        let _ = also_failed.send(error);
    });
    thread::spawn(move || {
        let mut buf = vec![0; ROOM + MAX_PACKET];
        let error = forever(|| receive(&mut buf, &mut opener, &ends.0, &ends.1));
        let _ = failed.send(error);
    });
    Err(failures.recv()?)
}

fn forever(mut step: impl FnMut() -> Result<()>) -> Failure {
    loop {
        if let Err(error) = step() {
            return error;
        }
    }
}

/// Room around a packet: more than any suite's headroom or tailroom, or an IP header, takes.
const ROOM: usize = 128;
const MAX_PACKET: usize = 0xffff;

/// One packet from the device to the peer.
fn send(buf: &mut [u8], sa: &mut Outbound, device: &SyncDevice, path: &Path) -> Result<()> {
    let read = device.recv(&mut buf[ROOM..ROOM + MAX_PACKET])?;
    let packet = ROOM..ROOM + read;
    let sealed = match sa.mode() {
        Mode::Tunnel => {
            let version = buf[packet.start] >> 4;
            let next = if version == 4 { NextHeader::IPV4 } else { NextHeader::IPV6 };
            sa.seal(buf, packet, next)
        }
        Mode::Transport => IpPacket::parse(&buf[packet.clone()]).map_or(Ok(0..0), |headers| {
            // The socket makes an IP header of its own.
            let sealed = sa.seal_transport(buf, packet)?;
            Ok(sealed.start + headers.header_len..sealed.end)
        }),
    };
    match sealed {
        Ok(esp) if esp.is_empty() => {}
        Ok(esp) => {
            if let Err(error) = (&path.socket).write(&buf[esp]) {
                println!("not sent: {error}");
            }
        }
        Err(error) => println!("not sealed: {error}"),
    }
    Ok(())
}

/// One packet from the peer to the device.
fn receive(buf: &mut [u8], sa: &mut Inbound, device: &SyncDevice, path: &Path) -> Result<()> {
    let read = (&path.socket).read(&mut buf[ROOM..])?;
    let Some(esp) = path.esp(buf, ROOM..ROOM + read) else { return Ok(()) };
    if Spi::of_packet(&buf[esp.clone()]) != Some(sa.spi()) {
        return Ok(());
    }
    let packet = match sa.mode() {
        Mode::Tunnel => esp,
        Mode::Transport => path.write_ip_header(buf, esp),
    };
    let bytes = &mut buf[packet];
    let opened = match sa.mode() {
        Mode::Tunnel => sa.open(bytes),
        Mode::Transport => sa.open_transport(bytes),
    };
    match opened {
        Ok(opened) if opened.is_dummy() => {}
        Ok(opened) => {
            device.send(&bytes[opened.payload])?;
        }
        Err(error) => println!("refused: {error}"),
    }
    Ok(())
}

/// The outer path: a socket that carries ESP, connected to the peer.
struct Path {
    socket: Socket,
    udp: bool,
    local: IpAddr,
    remote: IpAddr,
}

impl Path {
    fn open(arguments: &Arguments) -> Result<Self> {
        let Arguments { local, remote, udp, ref via, .. } = *arguments;
        let domain = if local.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let (kind, protocol, port) = if udp {
            (Type::DGRAM, Protocol::UDP, encap::PORT)
        } else {
            (Type::RAW, Protocol::from(i32::from(NextHeader::ESP.0)), 0)
        };
        let socket = Socket::new(domain, kind, Some(protocol))?;
        // A burst of a large window fits while the thread opens what came before.
        socket.set_recv_buffer_size(4 << 20)?;
        socket.bind_device(via.as_deref().map(str::as_bytes))?;
        socket.bind(&SocketAddr::new(local, port).into())?;
        socket.connect(&SocketAddr::new(remote, port).into())?;
        Ok(Self { socket, udp, local, remote })
    }

    /// Where the ESP packet lies in what the socket read.
    fn esp(&self, buf: &[u8], read: Range<usize>) -> Option<Range<usize>> {
        let bytes = &buf[read.clone()];
        if self.udp {
            return matches!(Payload::classify(bytes), Payload::Esp(_)).then_some(read);
        }
        // Raw sockets show the IP header with IPv4 and hide it with IPv6.
        match self.local {
            IpAddr::V4(_) => Some(read.start + IpPacket::parse(bytes).ok()?.header_len..read.end),
            IpAddr::V6(_) => Some(read),
        }
    }

    /// Puts a header from the peer to us in front of the ESP packet, and says where the whole lies.
    fn write_ip_header(&self, buf: &mut [u8], esp: Range<usize>) -> Range<usize> {
        let len = esp.len();
        let start = match (self.remote, self.local) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let start = esp.start - 20;
                let header = &mut buf[start..esp.start];
                header.copy_from_slice(&[
                    0x45,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    64,
                    NextHeader::ESP.0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                ]);
                header[2..4].copy_from_slice(&(20 + len as u16).to_be_bytes());
                header[12..16].copy_from_slice(&from.octets());
                header[16..].copy_from_slice(&to.octets());
                start
            }
            (from, to) => {
                let octets = |address: IpAddr| match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                    IpAddr::V6(address) => address.octets(),
                };
                let start = esp.start - 40;
                let header = &mut buf[start..esp.start];
                header[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 0, NextHeader::ESP.0, 64]);
                header[4..6].copy_from_slice(&(len as u16).to_be_bytes());
                header[8..24].copy_from_slice(&octets(from));
                header[24..].copy_from_slice(&octets(to));
                start
            }
        };
        start..esp.end
    }
}

fn write_key_log(arguments: &Arguments) -> Result<()> {
    let Arguments { local, remote, key_log: Some(file), outbound, inbound, .. } = arguments else {
        return Ok(());
    };
    let mut file = std::fs::File::options().create(true).append(true).open(file)?;
    let lines = [
        dangerous_esp_sa_line(&outbound.0, &outbound.1, *local, *remote),
        dangerous_esp_sa_line(&inbound.0, &inbound.1, *remote, *local),
    ];
    // Some suites are unknown to Wireshark and have no line.
    for line in lines.iter().flatten() {
        writeln!(file, "{line}")?;
    }
    Ok(())
}

struct SystemRng;

impl Rng for SystemRng {
    fn fill(&mut self, out: &mut [u8]) -> std::result::Result<(), RngError> {
        getrandom::fill(out).map_err(|_| RngError)
    }
}
