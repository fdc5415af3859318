//! A CRL whose content is anything: it enters the store or does not, and lookups end.
#![no_main]

use std::sync::LazyLock;

use adit_certval::{CrlStore, TrustAnchor, Verifier};
use adit_testkit::pki::{Authority, Key};
use adit_testkit::rng::SeededRng;
use libfuzzer_sys::fuzz_target;

static ROOT: LazyLock<Authority> =
    LazyLock::new(|| Authority::root("Root", Key::ed25519(&mut SeededRng::new(1)).insecure()));

fuzz_target!(|input: &[u8]| {
    let mut verifier = Verifier::new(&adit_testkit::insecure::PROVIDER);
    verifier.add_anchor(TrustAnchor::from_der(ROOT.certificate.clone()).expect("well-formed"));
    let mut store = CrlStore::new();
    // As it is, which no key signed; as the scope of a CRL that is signed, and as its entries.
    let _ = store.insert(&verifier, input.to_vec(), &[]);
    assert_eq!(store.iter().count(), 0);
    let scope = [("2.5.29.28", true, input.to_vec())];
    let _ = store.insert(&verifier, ROOT.clone().crl_of(&[], 1_700_000_000, None, &scope), &[]);
    let crl = ROOT.clone().crl_of(input, 1_700_000_000, None, &[]);
    if let Ok(crl) = store.insert(&verifier, crl, &[]) {
        for len in 1..input.len().min(20) {
            let _ = crl.contains(&input[..len]);
        }
    }
});
