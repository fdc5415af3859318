//! What a peer sends of public values, keys and signatures: no panic, and no provider takes what another
//! refuses.
#![no_main]

use adit_platform::{ring, rustcrypto};
use adit_testkit::rng::SeededRng;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Input {
    PublicValue { method: u8, value: Vec<u8> },
    Signature { scheme: u8, key: Vec<u8>, message: Vec<u8>, signature: Vec<u8> },
}

fuzz_target!(|input: Input| {
    let mut rng = SeededRng::new(1);
    match input {
        Input::PublicValue { method, value } => {
            let methods = rustcrypto::PROVIDER.key_exchanges;
            let method = methods[usize::from(method) % methods.len()];
            let other = ring::PROVIDER.key_exchange(method.algorithm()).expect("listed");
            let taken = method.respond(&mut rng, &value).is_ok();
            assert_eq!(taken, other.respond(&mut rng, &value).is_ok(), "{method:?}");
            for method in [method, other] {
                let _ = method.start(&mut rng).expect("randomness").complete(&value);
            }
        }
        Input::Signature { scheme, key, message, signature } => {
            let verifiers = rustcrypto::PROVIDER.verifiers;
            let verifier = verifiers[usize::from(scheme) % verifiers.len()];
            let other = ring::PROVIDER.verifier(verifier.scheme()).expect("listed");
            // ring takes Ed25519 keys of small order, which the strict verifier does not.
            if verifier.verify(&key, &message, &signature).is_ok() {
                assert!(other.verify(&key, &message, &signature).is_ok(), "{verifier:?}");
            }
            let _ = other.verify(&key, &message, &signature);
        }
    }
});
