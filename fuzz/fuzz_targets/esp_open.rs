//! Opening whatever comes, on SAs of every suite: bytes from anybody, and authentic packets that hold
//! whatever a peer with the keys may put into them.
#![no_main]

use adit_esp::selector::Selectors;
use adit_esp::{Inbound, Mode, OpenError, SaConfig, SaKeys, Spi};
use adit_platform::aead::AeadAlgorithm::{Aes128Gcm16, Aes256Gcm16, ChaCha20Poly1305};
use adit_platform::cipher::CipherAlgorithm::{Aes128Cbc, Aes256Cbc};
use adit_platform::mac::MacAlgorithm::{HmacSha2_256_128, HmacSha2_384_192, HmacSha2_512_256};
use adit_platform::{Secret, Suite};
use adit_testkit::insecure::PROVIDER;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    suite: u8,
    extended: bool,
    tunnel: bool,
    packets: Vec<Packet>,
}

#[derive(Arbitrary, Debug)]
enum Packet {
    Raw(Vec<u8>),
    Addressed { sequence: u32, rest: Vec<u8> },
    Authentic { sequence: u32, text: Vec<u8> },
}

const SUITES: [Suite; 6] = [
    Suite::Aead(Aes128Gcm16),
    Suite::Aead(Aes256Gcm16),
    Suite::Aead(ChaCha20Poly1305),
    Suite::CipherMac(Aes128Cbc, HmacSha2_256_128),
    Suite::CipherMac(Aes256Cbc, HmacSha2_384_192),
    Suite::CipherMac(Aes256Cbc, HmacSha2_512_256),
];
const SPI: Spi = Spi(0x0102_0304);

fuzz_target!(|input: Input| {
    let suite = SUITES[usize::from(input.suite) % SUITES.len()];
    let mut config = SaConfig::new(SPI, suite);
    config.extended_sequence_numbers = input.extended;
    config.mode = if input.tunnel { Mode::Tunnel } else { Mode::Transport };
    let keys = SaKeys::new(
        Secret::copy_from(&encryption_key(suite)),
        Secret::copy_from(&integrity_key(suite)),
    );
    let mut receiver =
        Inbound::new(&config, &keys, &PROVIDER).expect("valid").with_selectors(Selectors::any());

    for packet in input.packets {
        let bytes = match packet {
            Packet::Raw(bytes) => bytes,
            Packet::Addressed { sequence, rest } => {
                [&SPI.0.to_be_bytes()[..], &sequence.to_be_bytes(), &rest].concat()
            }
            Packet::Authentic { sequence, text } => {
                authentic(suite, input.extended, sequence, text)
            }
        };
        let before = (receiver.top_sequence(), receiver.stats().packets);
        let mut buf = bytes.clone();
        match receiver.open(&mut buf) {
            Ok(opened) => {
                assert!(buf.get(opened.payload.clone()).is_some());
                assert_eq!(opened.is_dummy(), receiver.stats().packets == before.1);
            }
            Err(
                OpenError::Padding { .. }
                | OpenError::Inner(_)
                | OpenError::Selectors
                | OpenError::UnexpectedNextHeader(_),
            ) => assert_eq!(receiver.stats().packets, before.1),
            Err(_) => {
                assert_eq!((receiver.top_sequence(), receiver.stats().packets), before);
                continue;
            }
        }
        // What passed the integrity check has used its number.
        let again = receiver.open(&mut bytes.clone());
        assert!(matches!(again, Err(OpenError::Replayed { .. })), "{again:?}");
    }
});

fn encryption_key(suite: Suite) -> Vec<u8> {
    vec![1; suite.encryption_key_len()]
}

fn integrity_key(suite: Suite) -> Vec<u8> {
    vec![2; suite.integrity_key_len()]
}

/// A packet with the high half 0 whose encrypted part is `text`, cut to a length that can be.
fn authentic(suite: Suite, extended: bool, sequence: u32, mut text: Vec<u8>) -> Vec<u8> {
    text.truncate(text.len() & !(suite.block_len().max(4) - 1));
    let mut packet = [SPI.0.to_be_bytes(), sequence.to_be_bytes()].concat();
    packet.resize(8 + suite.iv_len(), 9);
    let high: &[u8] = if extended { &[0; 4] } else { &[] };
    match suite {
        Suite::Aead(algorithm) => {
            let key = encryption_key(suite);
            let (key, salt) = key.split_at(algorithm.key_len());
            let nonce = [salt, &packet[8..]].concat().try_into().expect("4 and 8 bytes");
            let aad = [&packet[..4], high, &packet[4..8]].concat();
            text.resize(text.len() + algorithm.tag_len(), 0);
            let key = PROVIDER.aead(algorithm).expect("listed").key(key).expect("its length");
            key.seal(&nonce, &aad, &mut text).expect("room for the tag");
            packet.extend(text);
        }
        Suite::CipherMac(cipher, mac) => {
            let cipher = PROVIDER.cipher(cipher).expect("listed");
            let cipher = cipher.key(&encryption_key(suite)).expect("its length");
            cipher.encrypt(&packet[8..], &mut text).expect("whole blocks");
            packet.extend(text);
            let mut icv = vec![0; mac.tag_len()];
            let mac = PROVIDER.mac(mac).expect("listed");
            let mac = mac.key(&integrity_key(suite)).expect("its length");
            mac.sign(&[&packet, high], &mut icv).expect("its length");
            packet.extend(icv);
        }
        _ => unreachable!("not in SUITES"),
    }
    packet
}
