//! Wireshark reads our IKE SAs with the key log.

mod common;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use adit_ikev2::negotiate::IkeProposal;
use adit_platform::aead::AeadAlgorithm::ChaCha20Poly1305;
use adit_platform::{Suite, rustcrypto};
use adit_testkit::net::Datagram;

use common::{Setup, secs};

/// One record of a capture of raw IP: the datagram with its IPv4 and UDP headers.
fn record(datagram: &Datagram) -> Vec<u8> {
    let (SocketAddr::V4(from), SocketAddr::V4(to)) = (datagram.from, datagram.to) else {
        panic!("the hosts have IPv4 addresses")
    };
    let udp = 8 + datagram.payload.len() as u16;
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0];
    packet[2..4].copy_from_slice(&(20 + udp).to_be_bytes());
    packet.extend([from.ip().octets(), to.ip().octets()].concat());
    for field in [from.port(), to.port(), udp, 0] {
        packet.extend(field.to_be_bytes());
    }
    packet.extend(&datagram.payload);
    let mut record: Vec<u8> =
        [0, 0, packet.len() as u32, packet.len() as u32].map(u32::to_be_bytes).concat();
    record.extend(packet);
    record
}

#[test]
fn wireshark_decrypts_every_suite_that_it_knows() {
    if Command::new("tshark").arg("--version").output().is_err() {
        println!("SKIP: needs tshark (Debian: apt-get install tshark)");
        return;
    }
    // Magic, version 2.4, zone, accuracy, snap length, link type 101: raw IP.
    let mut pcap = [0xa1b2_c3d4, 0x0002_0004, 0, 0, 65_535, 101_u32].map(u32::to_be_bytes).concat();
    let mut arguments: Vec<String> = Vec::new();
    let known = |suite: &Suite| suite.is_for_ike() && *suite != Suite::Aead(ChaCha20Poly1305);
    // Wireshark 4.0 knows all others.
    for (suite, seed) in Suite::all().filter(known).zip(1..) {
        let mut setup = Setup::psk(rustcrypto::PROVIDER);
        setup.seed = seed;
        let proposals = vec![IkeProposal { suites: vec![suite], ..IkeProposal::recommended() }];
        setup.client_peer.proposals = proposals.clone();
        setup.gateway.proposals = proposals;
        let mut pair = setup.build();
        pair.hosts[0].endpoint.dangerous_key_log(true);
        pair.connect();
        pair.run(secs(5));
        pair.assert_up();
        let [line] = &pair.client().key_log[..] else { panic!("{suite:?}: one IKE SA") };
        arguments.extend(["-o".into(), format!("uat:ikev2_decryption_table:{line}")]);
        let auths = pair.hosts.iter().map(|host| host.sent.last().unwrap());
        pcap.extend(auths.flat_map(record));
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("keylog.pcap");
    std::fs::write(&file, pcap).unwrap();
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(&file).args(&arguments).args(["-T", "fields"]);
    for field in
        ["frame.number", "_ws.malformed", "isakmp.id.data.user_fqdn", "isakmp.id.data.fqdn"]
    {
        tshark.args(["-e", field]);
    }
    let output = tshark.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<&str> = said.lines().collect();
    assert_eq!(rows.len(), arguments.len(), "a request and a response for each suite");
    for (number, row) in (1..).zip(rows) {
        // The identities are inside the Encrypted payload, and nothing of it is malformed.
        let identities = match number % 2 {
            1 => "alice@lab.test\tgw.lab.test",
            _ => "\tgw.lab.test",
        };
        assert_eq!(row, format!("{number}\t\t{identities}"));
    }
}
