//! Opening whatever comes, on SAs of every suite: bytes from anybody, and authentic packets that hold
//! whatever a peer with the keys may put into them.
#![no_main]

use adit_esp::selector::Selectors;
use adit_esp::{Inbound, Mode, OpenError, SaConfig, SaKeys, Spi};
use adit_platform::{Secret, Suite};
use adit_testkit::esp::Reference;
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

const SPI: Spi = Spi(0x0102_0304);

fuzz_target!(|input: Input| {
    let suites: Vec<Suite> = Suite::all().collect();
    let suite = suites[usize::from(input.suite) % suites.len()];
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
    let sa = Reference {
        provider: &PROVIDER,
        suite,
        encryption: &encryption_key(suite),
        integrity: &integrity_key(suite),
        extended,
    };
    sa.seal(SPI.0, sequence.into(), &vec![9; suite.iv_len()], &text)
}
