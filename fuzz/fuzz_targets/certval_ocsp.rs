//! An OCSP response that is anything, and one whose signed part is: it enters the store or does not, and a verdict
//! is reached. A bundle of certificates that is anything is read or not.
#![no_main]

use std::sync::LazyLock;

use adit_certval::{CrlStore, Outcome, Query, TrustAnchor, Verifier, read_certificates};
use adit_platform::UnixTime;
use adit_testkit::pki::{Authority, Issued, Key, NOW, OcspState, OcspTemplate, Template};
use adit_testkit::rng::SeededRng;
use libfuzzer_sys::fuzz_target;

static WORLD: LazyLock<(Authority, Issued)> = LazyLock::new(|| {
    let mut rng = SeededRng::new(1);
    let mut root = Authority::root("Root", Key::ed25519(&mut rng).insecure());
    let leaf = root.issue(&Template::gateway("g.example"), Key::ed25519(&mut rng).insecure());
    (root, leaf)
});

fuzz_target!(|input: &[u8]| {
    let (root, leaf) = &*WORLD;
    let mut verifier = Verifier::new(&adit_testkit::insecure::PROVIDER);
    verifier.add_anchor(TrustAnchor::from_der(root.certificate.clone()).expect("well-formed"));
    let _ = read_certificates(input);

    // As it is, which no key signed; as what the CA signs; and as an extension of a response that is good.
    let mut store = CrlStore::new();
    let _ = store.insert_ocsp(&verifier, input, &[], None);
    assert_eq!(store.ocsp_responses().count(), 0);
    let data = root.ocsp_of(input);
    let mut template = OcspTemplate::new(leaf.serial, OcspState::Good);
    template.singles[0].extensions.push(("1.3.6.1.5.5.7.48.1.6", true, input.to_vec()));
    let single = root.ocsp_with(&template);
    let template = OcspTemplate {
        extensions: vec![("1.3.6.1.5.5.7.48.1.2", true, input.to_vec())],
        ..OcspTemplate::new(leaf.serial, OcspState::Revoked(NOW - 9, None))
    };
    let revoked = root.ocsp_with(&template);
    for response in [&data, &single, &revoked] {
        if let Ok(handle) = store.insert_ocsp(&verifier, response, &[], None) {
            assert_eq!(handle.as_der(), response);
            let _ = (handle.next_update(), handle.statuses().count());
        }
    }
    let (sent, stapled) = ([&leaf.certificate[..]], [&data[..], input]);
    let mut query = Query::new(&sent, UnixTime::from_secs(NOW));
    query.may_fetch = false;
    query.stapled = &stapled;
    let is_revoked = store.ocsp_responses().any(|response| response.as_der() == revoked);
    let accepted = matches!(verifier.verify(&query, &store), Ok(Outcome::Accepted(_)));
    assert!(!(accepted && is_revoked), "revoked by either is revoked");
});
