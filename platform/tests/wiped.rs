//! Key material is overwritten before its memory is given back.
//!
//! The allocator of this test looks through every block that is freed for the bytes of the key under
//! test. That sees each heap block of a provider's key, and not the stack.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

mod common;

use adit_platform::Secret;
use common::{FixedRng, PROVIDERS};

/// What the allocator looks for: no other memory of this process holds it by chance.
const MARK: [u8; 16] = *b"\x8e\xd1key-to-wipe-\xb7\x0f";

static ARMED: AtomicBool = AtomicBool::new(false);
static FOUND: AtomicUsize = AtomicUsize::new(0);
static FREED: AtomicUsize = AtomicUsize::new(0);

struct Inspecting;

// SAFETY: every call goes to the system's allocator; zeroed blocks are blocks.
unsafe impl GlobalAlloc for Inspecting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is passed on. Zeroed, so that all of it may be read.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if ARMED.load(Ordering::Relaxed) {
            // SAFETY: the block is still allocated, `layout.size()` bytes long and was zeroed at first.
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            FREED.fetch_add(1, Ordering::Relaxed);
            if bytes.windows(MARK.len()).any(|window| window == MARK) {
                FOUND.fetch_add(1, Ordering::Relaxed);
            }
        }
        // SAFETY: `block` came from `alloc` above with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Inspecting = Inspecting;

/// One test at a time: the counters are the process's.
static TURN: Mutex<()> = Mutex::new(());

/// How many of the blocks freed by `body` hold the mark; panics if it frees none.
fn marked_blocks_freed_by(body: impl FnOnce()) -> usize {
    FOUND.store(0, Ordering::Relaxed);
    FREED.store(0, Ordering::Relaxed);
    ARMED.store(true, Ordering::Relaxed);
    body();
    ARMED.store(false, Ordering::Relaxed);
    assert!(FREED.load(Ordering::Relaxed) > 0, "nothing was freed");
    FOUND.load(Ordering::Relaxed)
}

/// A key of `len` bytes that starts with the mark.
fn marked(len: usize) -> [u8; 64] {
    let mut key = [0x5a; 64];
    key[..16].copy_from_slice(&MARK);
    key[len..].fill(0);
    key
}

#[test]
fn what_is_not_wiped_is_found() {
    let _turn = TURN.lock();
    assert_eq!(marked_blocks_freed_by(|| drop(MARK.to_vec())), 1);
}

#[test]
fn secrets() {
    let _turn = TURN.lock();
    let found = marked_blocks_freed_by(|| {
        drop(Secret::copy_from(&MARK));
        drop(Secret::copy_from(&MARK).duplicate());
        drop(Secret::build(16, |out| out.copy_from_slice(&MARK)));
        let mut exact = Vec::with_capacity(16);
        exact.extend_from_slice(&MARK);
        drop(Secret::from(exact));
        let mut spare = Vec::with_capacity(64);
        spare.extend_from_slice(&MARK);
        drop(Secret::from(spare));
        drop(Secret::random(16, &mut FixedRng(&MARK)));
    });
    assert_eq!(found, 0);
}

/// An expanded AES key starts with the key itself, and ChaCha20's is the key.
#[test]
fn aead_keys() {
    let _turn = TURN.lock();
    for provider in PROVIDERS {
        for aead in provider.aeads {
            let len = aead.algorithm().key_len();
            let found = marked_blocks_freed_by(|| {
                let key = aead.key(&marked(len)[..len]).unwrap();
                key.seal(&[0; 12][..aead.algorithm().nonce_len()], &[], &mut [0; 32]).unwrap();
            });
            assert_eq!(found, 0, "{} {aead:?}", provider.name);
        }
    }
}

#[test]
fn cipher_mac_and_prf_keys() {
    let _turn = TURN.lock();
    for provider in PROVIDERS {
        for cipher in provider.ciphers {
            let len = cipher.algorithm().key_len();
            let found = marked_blocks_freed_by(|| drop(cipher.key(&marked(len)[..len]).unwrap()));
            assert_eq!(found, 0, "{} {cipher:?}", provider.name);
        }
        for mac in provider.macs {
            let len = mac.algorithm().key_len();
            let found = marked_blocks_freed_by(|| drop(mac.key(&marked(len)[..len]).unwrap()));
            assert_eq!(found, 0, "{} {mac:?}", provider.name);
        }
        for pair in provider.cipher_macs {
            let (cipher, mac) = (pair.cipher().key_len(), pair.mac().key_len());
            let found = marked_blocks_freed_by(|| {
                drop(pair.key(&marked(cipher)[..cipher], &marked(mac)[..mac]).unwrap());
            });
            assert_eq!(found, 0, "{} {pair:?}", provider.name);
        }
        for prf in provider.prfs {
            let found = marked_blocks_freed_by(|| drop(prf.compute(&MARK, &[&MARK])));
            assert_eq!(found, 0, "{} {prf:?}", provider.name);
        }
    }
}

/// The private values of those methods that take the caller's randomness, in an exchange that is
/// completed, abandoned or answered.
#[test]
fn private_values() {
    let _turn = TURN.lock();
    // Every 16 bytes are the mark, wherever a method begins to read.
    let randomness: Vec<u8> = MARK.repeat(8);
    for provider in PROVIDERS {
        for method in provider.key_exchanges {
            let found = marked_blocks_freed_by(|| {
                let abandoned = method.start(&mut FixedRng(&randomness)).unwrap();
                let completed = method.start(&mut FixedRng(&randomness)).unwrap();
                let answer =
                    method.respond(&mut FixedRng(&randomness), abandoned.public()).unwrap();
                drop(abandoned);
                completed.complete(&answer.public).unwrap();
            });
            assert_eq!(found, 0, "{} {method:?}", provider.name);
        }
    }
}

/// The seeds of Ed25519 and ML-DSA keys.
#[test]
fn signing_keys() {
    let _turn = TURN.lock();
    // RFC 8410 section 7 and RFC 9881 section 6: the fixed front of a key file, then the seed.
    let fronts = [
        "302e020100300506032b657004220420",
        "3034020100300b060960864801650304031104228020",
        "3034020100300b060960864801650304031204228020",
        "3034020100300b060960864801650304031304228020",
    ];
    for front in fronts {
        let file = [&common::hex(front)[..], &MARK, &MARK].concat();
        for provider in PROVIDERS {
            let found = marked_blocks_freed_by(|| {
                drop(provider.keys.load_pkcs8(&file).unwrap());
            });
            // ring keeps scalar and prefix, which are hashes of the seed: nothing to find there.
            assert_eq!(found, 0, "{} {front}", provider.name);
        }
    }
}
