//! `esp/…`: the packet path.

use std::cell::RefCell;

use adit_benches::threads::Common;
use adit_benches::{Case, Pair, Report, esp, peers, threads};
use adit_esp::NextHeader;
use adit_esp::ip::IpPacket;
use adit_esp::replay::{Window, WindowSize};
use adit_esp::selector::{Selectors, TrafficSelector};
use adit_esp::spd::{Action, Direction, Policy, Spd};
use adit_platform::aead::AeadAlgorithm;
use adit_platform::cipher::CipherAlgorithm;
use adit_platform::mac::MacAlgorithm;
use adit_platform::{Provider, Suite, ring, rustcrypto, simd};

const PROVIDERS: [&Provider; 3] = [&ring::PROVIDER, &simd::PROVIDER, &rustcrypto::PROVIDER];

/// The suites for which the provider `simd` has something of its own; the others are ring's.
const SIMD: [AeadAlgorithm; 2] = [AeadAlgorithm::Aes128Gcm16, AeadAlgorithm::Aes256Gcm16];

/// Lengths of inner packets in bytes.
const LENGTHS: [usize; 5] = [64, 256, 512, 1400, 8900];

const SUITES: [(&str, Suite); 9] = {
    use CipherAlgorithm::{Aes128Cbc, Aes256Cbc};
    use MacAlgorithm::{HmacSha2_256_128, HmacSha2_384_192, HmacSha2_512_256};
    [
        ("aes-128-gcm", Suite::Aead(AeadAlgorithm::Aes128Gcm16)),
        ("aes-256-gcm", Suite::Aead(AeadAlgorithm::Aes256Gcm16)),
        ("chacha20-poly1305", Suite::Aead(AeadAlgorithm::ChaCha20Poly1305)),
        ("aes-128-cbc-hmac-sha2-256", Suite::CipherMac(Aes128Cbc, HmacSha2_256_128)),
        ("aes-128-cbc-hmac-sha2-384", Suite::CipherMac(Aes128Cbc, HmacSha2_384_192)),
        ("aes-128-cbc-hmac-sha2-512", Suite::CipherMac(Aes128Cbc, HmacSha2_512_256)),
        ("aes-256-cbc-hmac-sha2-256", Suite::CipherMac(Aes256Cbc, HmacSha2_256_128)),
        ("aes-256-cbc-hmac-sha2-384", Suite::CipherMac(Aes256Cbc, HmacSha2_384_192)),
        ("aes-256-cbc-hmac-sha2-512", Suite::CipherMac(Aes256Cbc, HmacSha2_512_256)),
    ]
};

const AES_128_GCM: Suite = Suite::Aead(AeadAlgorithm::Aes128Gcm16);

type Way = (&'static str, fn(&'static Provider, Suite, usize) -> Case<'static>);

const WAYS: [Way; 2] = [("seal", esp::sealing), ("open", esp::opening)];

/// All rows of this area.
pub(crate) fn rows(report: &mut Report) {
    seal_and_open(report, "seal", esp::seal);
    seal_and_open(report, "open", esp::open);
    simd_beside_ring(report);
    gmac(report);
    batches(report);
    peers(report);
    threads(report);
    replay(report);
    policies(report);
    forward(report);
}

/// One direction: every suite, provider and length.
fn seal_and_open(
    report: &mut Report,
    direction: &str,
    pair: fn(&'static Provider, Suite, usize) -> Pair<'static>,
) {
    for (name, suite) in SUITES {
        for provider in PROVIDERS {
            if provider.name == "simd" && !SIMD.map(Suite::Aead).contains(&suite) {
                continue;
            }
            for len in LENGTHS {
                let row = format!("esp/{direction}/{name}/{}/{len}", provider.name);
                report.compare(&row, "ns", || pair(provider, suite, len));
            }
        }
    }
}

/// ESP with `simd` beside ESP with ring, which it must not be slower than at any length.
fn simd_beside_ring(report: &mut Report) {
    for (direction, case) in WAYS {
        for len in LENGTHS {
            let row = format!("esp/simd-beside-ring/aes-128-gcm/{direction}/{len}");
            report.compare(&row, "ns", || Pair {
                ours: case(&simd::PROVIDER, AES_128_GCM, len),
                baseline: Some(case(&ring::PROVIDER, AES_128_GCM, len)),
            });
        }
    }
}

/// AES-GMAC beside AES-GCM of the same provider, in ESP both.
fn gmac(report: &mut Report) {
    let suite = Suite::Aead(AeadAlgorithm::Aes128Gmac);
    for (direction, case) in WAYS {
        for len in LENGTHS {
            let row = format!("esp/{direction}/aes-128-gmac/simd/{len}");
            report.compare(&row, "ns", || Pair {
                ours: case(&simd::PROVIDER, suite, len),
                baseline: Some(case(&simd::PROVIDER, AES_128_GCM, len)),
            });
        }
    }
}

/// Batches of a suite that takes many packets at once, beside the same packets one by one, with whichever
/// provider does that best.
fn batches(report: &mut Report) {
    use MacAlgorithm::{HmacSha2_256_128, HmacSha2_384_192, HmacSha2_512_256};
    let macs = [("256", HmacSha2_256_128), ("384", HmacSha2_384_192), ("512", HmacSha2_512_256)];
    for (hash, mac) in macs {
        let suite = Suite::CipherMac(CipherAlgorithm::Aes256Cbc, mac);
        for len in [64, 256, 512, 1400] {
            let row =
                |direction| format!("esp/batch/aes-256-cbc-hmac-sha2-{hash}/{direction}/{len}");
            report.compare(&row("seal"), "ns", || {
                esp::seal_batches(&simd::PROVIDER, &ring::PROVIDER, suite, len)
            });
            report.compare(&row("open"), "ns", || {
                esp::open_batches(&simd::PROVIDER, &ring::PROVIDER, suite, len)
            });
        }
    }
}

/// Sealing, beside what others take for the same.
fn peers(report: &mut Report) {
    let chacha = Suite::Aead(AeadAlgorithm::ChaCha20Poly1305);
    for len in [64, 1400] {
        let ours = |suite, baseline| Pair {
            ours: esp::sealing(&simd::PROVIDER, suite, len),
            baseline: Some(baseline),
        };
        report.compare(&format!("esp/vs-boringtun/{len}"), "ns", || {
            ours(chacha, peers::boringtun(len))
        });
        report
            .compare(&format!("esp/vs-gotatun/{len}"), "ns", || ours(chacha, peers::gotatun(len)));
        let row = format!("esp/vs-ipsec-mb/{len}");
        #[cfg(feature = "ipsec-mb")]
        report.compare(&row, "ns", || {
            // As many bytes as there are in the ESP packet.
            let esp::Sa { outbound, .. } = esp::sa(&simd::PROVIDER, AES_128_GCM);
            ours(AES_128_GCM, peers::ipsec_mb(len + outbound.tailroom(len) - 16))
        });
        #[cfg(not(feature = "ipsec-mb"))]
        report.missing(&row, "apt install libipsec-mb-dev, then build with --features ipsec-mb");
    }
}

/// Two threads that receive, in batches, on one SA and on one each; see [`threads::receive`].
///
/// `machine` comes first: as far as it is from 0.5, the other two say as much about the machine as about Adit.
fn threads(report: &mut Report) {
    for (name, common) in
        [("machine", Common::Machine), ("own", Common::Nothing), ("shared", Common::Sa)]
    {
        for len in [64, 1400] {
            report.compare(&format!("esp/threads/{name}/{len}"), "ns", || {
                threads::receive(&simd::PROVIDER, AES_128_GCM, len, common)
            });
        }
    }
}

/// What the replay window costs per packet, checked and committed, when packets get lost.
fn replay(report: &mut Report) {
    for (name, step) in [("in-order", 1), ("gap-700", 700)] {
        report.compare(&format!("esp/replay/{name}"), "ns", || {
            let state = RefCell::new((Window::new(WindowSize::default()), 0_u64));
            let run = move || {
                let (window, next) = &mut *state.borrow_mut();
                let mut fresh = 0;
                for _ in 0..256 {
                    *next += step;
                    if window.check(*next).is_ok() {
                        window.commit(*next);
                        fresh += 1;
                    }
                }
                assert_eq!(fresh, 256);
                fresh
            };
            Pair { ours: Case::new(256, run), baseline: None }
        });
    }
}

/// A database of `clients` with an address each, behind a bypass for one subnet and before a discard.
fn clients(clients: u32) -> Spd {
    let mut spd = Spd::new();
    let mut insert = |order, remote, action| {
        let selectors = Selectors { local: vec![TrafficSelector::ANY_V4], remote: vec![remote] };
        spd.insert(Policy { order, selectors, action, direction: Direction::Both });
    };
    insert(1, TrafficSelector::subnet([192, 168, 0, 0].into(), 16), Action::Bypass);
    for client in 0..clients {
        let address = (0x0a00_0000 + client).to_be_bytes();
        insert(2, TrafficSelector::host(address.into()), Action::Bypass);
    }
    insert(3, TrafficSelector::ANY_V4, Action::Discard);
    spd
}

/// Finding the policy of an outbound packet among many clients'.
fn policies(report: &mut Report) {
    for count in [10, 1_000, 100_000] {
        report.compare(&format!("esp/policy/{count}"), "ns", || {
            let spd = clients(count);
            let mut packet = IpPacket::parse(&esp::inner_packet(64)).expect("an IPv4 packet");
            let mut next = 0_u32;
            let run = move || {
                let mut found = 0;
                for _ in 0..256 {
                    // Clients in no order that a cache could follow.
                    next = next.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
                    let client = (u64::from(next) * u64::from(count)) >> 32;
                    packet.destination = (0x0a00_0000 + client as u32).to_be_bytes().into();
                    found += usize::from(spd.outbound(&packet).is_some());
                }
                assert_eq!(found, 256);
                found
            };
            Pair { ours: Case::new(256, run), baseline: None }
        });
    }
}

/// Everything that a packet meets between two gateways: policy lookup and seal, open with replay and
/// selector check, and the policy lookup of the receiver. The baseline is the bare AEAD at both ends.
fn forward(report: &mut Report) {
    for len in [64, 512, 1400] {
        report.compare(&format!("esp/forward/{len}"), "ns", || {
            let suite = Suite::Aead(AeadAlgorithm::Aes128Gcm16);
            let spd = clients(1000);
            let esp::Sa { mut outbound, mut inbound } = esp::sa(&ring::PROVIDER, suite);
            let (head, tail) = (outbound.headroom(), outbound.tailroom(len));
            let mut buf = vec![0; head + len + tail];
            buf[head..head + len].copy_from_slice(&esp::inner_packet(len));
            let run = move || {
                let mut forwarded = 0;
                for _ in 0..64 {
                    let packet = IpPacket::parse(&buf[head..head + len]).expect("an IPv4 packet");
                    assert!(spd.outbound(&packet).is_some());
                    let sealed = outbound.seal(&mut buf, head..head + len, NextHeader::IPV4);
                    let opened = inbound.open(&mut buf[sealed.expect("room is left")]);
                    let packet = IpPacket::parse(&buf[opened.expect("a fresh packet").payload]);
                    forwarded += usize::from(spd.inbound(&packet.expect("as before")).is_some());
                }
                assert_eq!(forwarded, 64);
                forwarded
            };
            let (seal, open) = esp::bare(&ring::PROVIDER, suite);
            let mut packets = vec![vec![0; head + len + tail]];
            let bare = move || (0..64).map(|_| seal(&mut packets) + open(&mut packets)).sum();
            Pair { ours: Case::new(64, run), baseline: Some(Case::new(64, bare)) }
        });
    }
}
