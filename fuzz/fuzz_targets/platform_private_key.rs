//! A key file of any content: no panic in loading or in signing, and a key that both providers load has one
//! public half.
#![no_main]

use adit_platform::{ring, rustcrypto};
use adit_testkit::rng::SeededRng;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|der: &[u8]| {
    let loaded =
        [&ring::PROVIDER, &rustcrypto::PROVIDER].map(|provider| provider.keys.load_pkcs8(der).ok());
    if let [Some(a), Some(b)] = &loaded {
        assert_eq!(a.public_key(), b.public_key());
        assert_eq!(a.schemes(), b.schemes());
    }
    for key in loaded.into_iter().flatten() {
        for scheme in key.schemes() {
            let _ = key.sign(*scheme, b"message", &mut SeededRng::new(1));
        }
    }
});
