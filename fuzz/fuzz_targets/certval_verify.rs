//! The whole verifier on any graph of certificates: issuers, subjects, keys and constraints as the input says,
//! all truly signed, anchored or not. It ends within its budget and accepts no path that does not lead to the
//! anchor.
#![no_main]

use std::sync::LazyLock;

use adit_certval::{
    CertificateRef, CrlStore, Outcome, Purpose, Query, Revocation, TrustAnchor, Verifier,
};
use adit_platform::UnixTime;
use adit_testkit::pki::{self, Authority, Key, Template};
use adit_testkit::rng::SeededRng;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Edge {
    issuer: u8,
    subject: u8,
    key: u8,
    ca: bool,
    path_len: Option<u8>,
    extension: Option<(u8, bool, Vec<u8>)>,
}

const NAMES: [&str; 4] = ["Root", "A", "B", "C"];
const EXTENSIONS: [&str; 10] = [
    "2.5.29.17",
    "2.5.29.30",
    "2.5.29.31",
    "2.5.29.32",
    "2.5.29.33",
    "2.5.29.36",
    "2.5.29.37",
    "2.5.29.54",
    "1.3.6.1.5.5.7.1.1",
    "1.2.3.4",
];
static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let mut rng = SeededRng::new(3);
    (0..4).map(|_| Key::ed25519(&mut rng)).collect()
});

fuzz_target!(|edges: Vec<Edge>| {
    let index = |n: u8| usize::from(n) % 4;
    let root = Authority::root("Root", KEYS[0].clone());
    let certificates: Vec<Vec<u8>> = edges
        .iter()
        .take(24)
        .map(|edge| {
            let issuer = NAMES[index(edge.issuer)];
            let mut authority = Authority::root(issuer, KEYS[index(edge.issuer)].clone());
            let subject = NAMES[index(edge.subject)];
            let mut template =
                if edge.ca { Template::ca(subject) } else { Template::bare(subject) };
            template.ca = edge.ca.then_some(edge.path_len.map(|len| len & 0x7f));
            if let Some((which, critical, content)) = &edge.extension {
                let id = EXTENSIONS[usize::from(*which) % EXTENSIONS.len()];
                template.extensions.push((id, *critical, content.clone()));
            }
            authority.issue(&template, KEYS[index(edge.key)].clone()).certificate
        })
        .collect();
    let sent: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
    let mut verifier = Verifier::new(&adit_platform::rustcrypto::PROVIDER);
    let mut anchor = TrustAnchor::from_der(root.certificate).expect("well-formed");
    anchor.revocation = Revocation::Warn;
    verifier.add_anchor(anchor);
    let mut query = Query::new(&sent, UnixTime::from_secs(pki::NOW));
    query.purpose = Purpose::Any;
    query.may_fetch = false;
    match verifier.verify(&query, &CrlStore::new()) {
        Ok(Outcome::Accepted(path)) => {
            assert_eq!(path.references().first(), Some(&CertificateRef::Presented(0)));
            assert_eq!(path.references().last(), Some(&CertificateRef::Anchor(0)));
        }
        Ok(other) => panic!("nothing can be fetched, but {other:?}"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
