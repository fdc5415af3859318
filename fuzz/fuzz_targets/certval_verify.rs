//! The whole verifier on any graph of certificates and CRLs: issuers, subjects, keys, constraints and scopes as the
//! input says, all truly signed, anchored or not. It ends within its budget, accepts no path that does not lead
//! from the peer to the anchor link by link, and no certificate that a complete CRL of its issuer lists.
#![no_main]

use std::sync::LazyLock;

use adit_certval::{
    Certificate, CertificateRef, CrlStore, Identity, Name, Outcome, PolicyInputs, Purpose, Query,
    Revocation, TrustAnchor, VerifiedPath, Verifier,
};
use adit_platform::UnixTime;
use adit_testkit::insecure::PROVIDER;
use adit_testkit::pki::{self, Authority, Key, Template};
use adit_testkit::rng::SeededRng;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct World {
    certificates: Vec<Edge>,
    crls: Vec<List>,
    revocation: u8,
    purpose: u8,
    /// Whether to ask for the name that every certificate without an extension of its own bears.
    named: bool,
    policies: (bool, bool, bool),
    enforce_anchor: Option<(u8, Vec<u8>)>,
}

/// A certificate: an edge from its issuer to its subject.
#[derive(Arbitrary, Debug)]
struct Edge {
    issuer: u8,
    subject: u8,
    key: u8,
    ca: bool,
    path_len: Option<u8>,
    key_usage: Option<u16>,
    extensions: Vec<(u8, bool, Vec<u8>)>,
    configured: bool,
}

#[derive(Arbitrary, Debug)]
struct List {
    issuer: u8,
    serials: Vec<(u8, Option<u8>)>,
    extension: Option<(u8, bool, Vec<u8>)>,
    expired: bool,
}

/// Whoever is called so signs with the key of this index.
const NAMES: [&str; 4] = ["Root", "A", "B", "C"];
const EXTENSIONS: [&str; 11] = [
    "2.5.29.17",
    "2.5.29.30",
    "2.5.29.31",
    "2.5.29.32",
    "2.5.29.33",
    "2.5.29.36",
    "2.5.29.37",
    "2.5.29.46",
    "2.5.29.54",
    "1.3.6.1.5.5.7.1.1",
    "1.2.3.4",
];
const CRL_EXTENSIONS: [&str; 4] = ["2.5.29.27", "2.5.29.28", "2.5.29.46", "1.2.3.4"];
static AUTHORITIES: LazyLock<Vec<Authority>> = LazyLock::new(|| {
    KEYS.iter().zip(NAMES).map(|(key, name)| Authority::root(name, key.clone())).collect()
});
static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let mut rng = SeededRng::new(3);
    NAMES.iter().map(|_| Key::ed25519(&mut rng).insecure()).collect()
});

fuzz_target!(|world: World| {
    let index = |n: u8| usize::from(n) % NAMES.len();
    let mut authorities = AUTHORITIES.clone();
    let mut sent = Vec::new();
    let mut verifier = Verifier::new(&PROVIDER);
    for edge in world.certificates.iter().take(24) {
        let subject = NAMES[index(edge.subject)];
        let mut template = if edge.ca { Template::ca(subject) } else { Template::bare(subject) };
        template.ca = edge.ca.then_some(edge.path_len.map(|len| len & 0x7f));
        template.key_usage = edge.key_usage.or(template.key_usage);
        for (which, critical, content) in edge.extensions.iter().take(4) {
            let id = EXTENSIONS[usize::from(*which) % EXTENSIONS.len()];
            template.extensions.push((id, *critical, content.clone()));
        }
        if template.extensions.is_empty() {
            template.dns.push("gateway.example".into());
        }
        let issuer = &mut authorities[index(edge.issuer)];
        let issued = issuer.issue(&template, KEYS[index(edge.key)].clone()).certificate;
        if edge.configured && !sent.is_empty() {
            let _ = verifier.add_intermediate(issued);
        } else {
            sent.push(issued);
        }
    }
    let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();

    let mut root = Template::ca("Root");
    if let Some((which, content)) = &world.enforce_anchor {
        let id = EXTENSIONS[usize::from(*which) % EXTENSIONS.len()];
        root.extensions.push((id, true, content.clone()));
    }
    let root = Authority::root_from(&root, KEYS[0].clone());
    let Ok(mut anchor) = TrustAnchor::from_der(root.certificate) else { return };
    anchor.enforce_constraints = world.enforce_anchor.is_some();
    anchor.revocation = match world.revocation % 3 {
        0 => Revocation::Ignore,
        1 => Revocation::Warn,
        _ => Revocation::Require,
    };
    verifier.add_anchor(anchor);

    let mut store = CrlStore::new();
    let mut complete = Vec::new();
    for list in world.crls.iter().take(8) {
        let entries = list.serials.iter().map(|(n, reason)| (u64::from(*n), pki::NOW - 9, *reason));
        let extensions: Vec<(&'static str, bool, Vec<u8>)> = list
            .extension
            .iter()
            .map(|(which, critical, content)| {
                let id = CRL_EXTENSIONS[usize::from(*which) % CRL_EXTENSIONS.len()];
                (id, *critical, content.clone())
            })
            .collect();
        let next = if list.expired { pki::NOW - 1 } else { pki::NOW + 9 };
        let issuer = index(list.issuer);
        let crl = authorities[issuer].crl_with(entries, pki::NOW - 8, Some(next), &extensions);
        if let Ok(crl) = store.insert(&verifier, crl, &sent)
            && extensions.is_empty()
        {
            complete.push((issuer, crl));
        }
    }
    // Only those that no later one replaced.
    complete.retain(|(_, crl)| store.iter().any(|held| held.as_der() == crl.as_der()));

    let mut query = Query::new(&sent, UnixTime::from_secs(pki::NOW));
    query.purpose = match world.purpose % 3 {
        0 => Purpose::Any,
        1 => Purpose::IkeGateway,
        _ => Purpose::IkeStrict,
    };
    query.may_fetch = false;
    query.identity = world.named.then_some(Identity::Fqdn("gateway.example"));
    let (require_explicit, inhibit_mapping, inhibit_any) = world.policies;
    query.policies =
        PolicyInputs { require_explicit, inhibit_mapping, inhibit_any, ..PolicyInputs::default() };
    let accepted = |outcome| match outcome {
        Ok(Outcome::Accepted(path)) => Some(path),
        Ok(other) => panic!("nothing can be fetched, but {other:?}"),
        Err(_) => None,
    };
    let outcome = verifier.verify(&query, &store);
    if let Err(error) = &outcome {
        assert!(!error.to_string().is_empty());
    }
    let Some(path) = accepted(outcome) else { return };
    check(&path);
    if world.revocation % 3 != 0 {
        for certificate in path.certificates() {
            let certificate = Certificate::from_der(certificate).expect("accepted");
            let issuer = NAMES.iter().position(|n| is_called(certificate.issuer(), n));
            let revokes = complete
                .iter()
                .find(|(n, crl)| Some(*n) == issuer && crl.contains(certificate.serial_number()));
            assert!(revokes.is_none(), "a CRL lists {certificate:?}");
        }
    }
    // Whoever is accepted under conditions is accepted without them.
    query.identity = None;
    query.purpose = Purpose::Any;
    query.policies = PolicyInputs::default();
    assert!(accepted(verifier.verify(&query, &store)).is_some(), "accepted under conditions only");
});

/// The path is one: from the peer to the anchor, each issued under the name of the next.
fn check(path: &VerifiedPath) {
    assert_eq!(path.references().first(), Some(&CertificateRef::Presented(0)));
    assert_eq!(path.references().last(), Some(&CertificateRef::Anchor(0)));
    assert_eq!(path.references().len(), path.certificates().count() + 1);
    let certificates: Vec<Certificate<'_>> =
        path.certificates().map(|der| Certificate::from_der(der).expect("accepted")).collect();
    for pair in certificates.windows(2) {
        assert_eq!(pair[0].issuer(), pair[1].subject());
    }
    assert!(certificates.last().is_some_and(|last| is_called(last.issuer(), "Root")));
}

fn is_called(name: Name<'_>, common_name: &str) -> bool {
    name.common_name().as_deref() == Some(common_name)
}
