//! A CRL of a million entries with random serial numbers of 16 bytes and a reason each: 49 MB.

use adit_benches::{Case, Pair, Report};
use adit_certval::{Crl, CrlStore, TrustAnchor, Verifier};
use adit_platform::{Rng, ring};
use adit_testkit::der;
use adit_testkit::pki::{self, Authority, Key};
use adit_testkit::rng::SeededRng;
use x509_cert::der::Decode as _;

const ENTRIES: usize = 1_000_000;

pub(super) fn rows(report: &mut Report) {
    let mut rng = SeededRng::new(2);
    let mut root = Authority::root("Root", Key::p256(&mut rng));
    let (crl, serials) = make(&mut root, &mut rng);
    let mut verifier = Verifier::new(&ring::PROVIDER);
    verifier.add_anchor(TrustAnchor::from_der(root.certificate).expect("well-formed"));
    let load = |der: Vec<u8>| {
        let mut store = CrlStore::new();
        store.insert(&verifier, der, &[]).expect("a valid CRL")
    };

    report.value("certval/crl-1m/load", "ms", || milliseconds(&crl, 7, load));
    // Read and indexed only: it verifies the signature at each use.
    report.value("certval/crl-1m/load/webpki", "ms", || {
        milliseconds(&crl, 3, |der| {
            webpki::OwnedCertRevocationList::from_der(&der).expect("well-formed")
        })
    });
    // Read only, without an index.
    report.value("certval/crl-1m/load/x509-cert", "ms", || {
        milliseconds(&crl, 3, |der| {
            let list: x509_cert::crl::CertificateList =
                x509_cert::crl::CertificateList::from_der(&der).expect("well-formed");
            list
        })
    });

    let loaded = load(crl);
    assert_eq!(loaded.len(), ENTRIES);
    report.value("certval/crl-1m/memory", "bytes/DER byte", || {
        loaded.memory() as f64 / loaded.as_der().len() as f64
    });
    // In an order that knows nothing of the list's, but laid out so that reading them costs nothing.
    let wanted: Vec<[u8; 16]> =
        (1..=1 << 16).map(|n: usize| serials[n * 617_369 % ENTRIES]).collect();
    drop(serials);
    report.compare("certval/crl-1m/lookup", "ns", || {
        let mut next = wanted.into_iter().cycle();
        let run = move || lookups(&loaded, &mut next);
        Pair { ours: Case::new(LOOKUPS, run), baseline: None }
    });
}

/// The CRL and the serial numbers in it.
fn make(root: &mut Authority, rng: &mut SeededRng) -> (Vec<u8>, Vec<[u8; 16]>) {
    let since = der::time(pki::NOT_BEFORE + 1);
    let reason = [0x30, 0x0c, 0x30, 0x0a, 6, 3, 0x55, 0x1d, 0x15, 4, 3, 0x0a, 1, 4];
    let mut serials: Vec<[u8; 16]> = Vec::with_capacity(ENTRIES);
    let mut entries = Vec::with_capacity(ENTRIES * 50);
    for _ in 0..ENTRIES {
        let mut serial = [0; 16];
        rng.fill(&mut serial).expect("test generators do not fail");
        serial[0] = serial[0] & 0x7f | 0x40;
        entries.extend_from_slice(&der::sequence(&[&der::integer(&serial), &since, &reason]));
        serials.push(serial);
    }
    (root.crl_of(&entries, pki::NOT_BEFORE + 2, Some(pki::NOT_AFTER), &[]), serials)
}

/// The median over so many runs, of which each gets its own copy.
fn milliseconds<T>(crl: &[u8], runs: usize, load: impl Fn(Vec<u8>) -> T) -> f64 {
    let mut samples: Vec<f64> = Vec::with_capacity(runs);
    for _ in 0..runs {
        let copy = crl.to_vec();
        let before = adit_benches::now();
        let loaded = std::hint::black_box(load(copy));
        samples.push((adit_benches::now() - before).as_secs_f64() * 1e3);
        drop(loaded);
    }
    samples.sort_by(f64::total_cmp);
    samples[runs / 2]
}

const LOOKUPS: usize = 64;

fn lookups(crl: &Crl, serials: &mut impl Iterator<Item = [u8; 16]>) -> usize {
    let found = serials.take(LOOKUPS).filter(|serial| crl.contains(serial)).count();
    assert_eq!(found, LOOKUPS);
    found
}
