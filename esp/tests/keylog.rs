//! Wireshark reads our packets with the key log.

mod common;

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use adit_esp::keylog::dangerous_esp_sa_line;
use adit_esp::{NextHeader, Outbound, SaConfig, Spi};
use adit_platform::aead::AeadAlgorithm::{Aes128Gcm16, ChaCha20Poly1305};
use adit_platform::cipher::CipherAlgorithm::Aes256Ctr;
use adit_platform::mac::MacAlgorithm::AesXcbc96;
use adit_platform::{Suite, rustcrypto};
use adit_testkit::rng::SeededRng;
use common::{ipv4, key_bytes, keys, seal};

const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const DESTINATION: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

fn line(config: &SaConfig) -> Option<String> {
    dangerous_esp_sa_line(config, &keys(config.suite, 1), SOURCE.into(), DESTINATION.into())
}

#[test]
fn a_line_names_the_algorithms_and_holds_the_keys() {
    let suite = Suite::CipherMac(Aes256Ctr, AesXcbc96);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (encryption, integrity) = key_bytes(suite, 1);
    let expected = format!(
        "\"IPv4\",\"192.0.2.1\",\"192.0.2.2\",\"0x00001234\",\"AES-CTR [RFC3686]\",\"0x{}\",\
         \"ANY 96 bit authentication [no checking]\",\"0x{}\"",
        hex(&encryption),
        hex(&integrity)
    );
    assert_eq!(line(&SaConfig::new(Spi(0x1234), suite)), Some(expected));
    for unknown in [Suite::Aead(ChaCha20Poly1305), Suite::AeadImplicitIv(Aes128Gcm16)] {
        assert_eq!(line(&SaConfig::new(Spi(0x1234), unknown)), None);
    }
}

#[test]
fn wireshark_decrypts_every_suite_that_it_knows() {
    if Command::new("tshark").arg("--version").output().is_err() {
        println!("SKIP: needs tshark (Debian: apt-get install tshark)");
        return;
    }
    let mut pcap = Vec::new();
    // Magic, version 2.4, zone, accuracy, snap length, link type 101: raw IP.
    for word in [0xa1b2_c3d4, 0x0002_0004, 0, 0, 65_535, 101_u32] {
        pcap.extend(word.to_be_bytes());
    }
    // UDP to the discard port.
    let mut inner = ipv4(100);
    inner[20..28].copy_from_slice(&[0x12, 0x34, 0, 9, 0, 80, 0, 0]);
    let mut arguments: Vec<String> = Vec::new();
    let suites = Suite::all().enumerate().map(|(at, suite)| (Spi(0x1000 + at as u32), suite));
    for (spi, suite) in suites {
        let config = SaConfig::new(spi, suite);
        let Some(line) = line(&config) else { continue };
        arguments.extend(["-o".into(), format!("uat:esp_sa:{line}")]);
        let (keys, mut rng) = (keys(suite, 1), SeededRng::new(2));
        let mut sa = Outbound::new(&config, &keys, &rustcrypto::PROVIDER, &mut rng).unwrap();
        let esp = seal(&mut sa, &inner, NextHeader::IPV4).unwrap();
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 50, 0, 0];
        packet[2..4].copy_from_slice(&(20 + esp.len() as u16).to_be_bytes());
        packet.extend([SOURCE.octets(), DESTINATION.octets()].concat());
        packet.extend(esp);
        for word in [0, 0, packet.len() as u32, packet.len() as u32] {
            pcap.extend(word.to_be_bytes());
        }
        pcap.extend(packet);
    }
    let sent = arguments.len() / 2;
    assert!(sent > 40, "{sent} suites have a line");

    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("keylog.pcap");
    std::fs::write(&file, pcap).unwrap();
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(&file).args(&arguments);
    for preference in ["enable_encryption_decode", "enable_authentication_check"] {
        tshark.args(["-o", &format!("esp.{preference}:TRUE")]);
    }
    let fields = ["ip.src", "_ws.malformed", "esp.icv_bad", "udp.length", "esp.spi"];
    tshark.args(["-T", "fields"]).args(fields.iter().flat_map(|field| ["-e", field]));
    let output = tshark.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut read = 0;
    for row in said.lines() {
        let fields: Vec<&str> = row.split('\t').collect();
        let [addresses, malformed, icv_bad, udp, spi] = fields[..] else { panic!("{row:?}") };
        assert_eq!(addresses, "192.0.2.1,10.0.0.1", "the inner packet of {spi} was not read");
        assert_eq!((malformed, udp), ("", "80"), "{spi}");
        // Not set where Wireshark does not check.
        assert!(matches!(icv_bad, "" | "0" | "False"), "{spi}: {icv_bad}");
        read += 1;
    }
    assert_eq!(read, sent);
}
