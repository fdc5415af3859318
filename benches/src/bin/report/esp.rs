//! `esp/…`: the packet path.

use std::cell::RefCell;

use adit_benches::{Case, Pair, Report, esp};
use adit_esp::replay::{Window, WindowSize};
use adit_platform::aead::AeadAlgorithm;
use adit_platform::cipher::CipherAlgorithm;
use adit_platform::mac::MacAlgorithm;
use adit_platform::{Provider, Suite, ring, rustcrypto};

const PROVIDERS: [&Provider; 2] = [&ring::PROVIDER, &rustcrypto::PROVIDER];

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

/// All rows of this area.
pub(crate) fn rows(report: &mut Report) {
    seal_and_open(report, "seal", esp::seal);
    seal_and_open(report, "open", esp::open);
    replay(report);
}

/// One direction: every suite, provider and length.
fn seal_and_open(
    report: &mut Report,
    direction: &str,
    pair: fn(&'static Provider, Suite, usize) -> Pair<'static>,
) {
    for (name, suite) in SUITES {
        for provider in PROVIDERS {
            for len in LENGTHS {
                let row = format!("esp/{direction}/{name}/{}/{len}", provider.name);
                report.compare(&row, "ns", || pair(provider, suite, len));
            }
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
