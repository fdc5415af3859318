//! `certval/…`: certificate paths and CRLs.

use ::ring::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use adit_benches::{Case, Pair, Report};
use adit_certval::{Crl, CrlStore, Outcome, Query, Revocation, TrustAnchor, Verifier};
use adit_platform::{Rng, UnixTime, ring};
use adit_testkit::der;
use adit_testkit::pki::{self, Authority, Key, Template};
use adit_testkit::rng::SeededRng;

const NOW: UnixTime = UnixTime::from_secs(pki::NOW);

/// All rows of this area.
pub(crate) fn rows(report: &mut Report) {
    let p256: fn(&mut SeededRng, usize) -> Key = |rng, _| Key::p256(rng);
    let rsa: fn(&mut SeededRng, usize) -> Key = |_, n| Key::rsa2048(n);
    for (name, key, algorithm) in [
        ("p256", p256, &ECDSA_P256_SHA256_ASN1 as &'static dyn VerificationAlgorithm),
        ("rsa2048", rsa, &RSA_PKCS1_2048_8192_SHA256),
    ] {
        for (kind, revocation) in
            [("chain", Revocation::Ignore), ("chain-crl", Revocation::Require)]
        {
            report.compare(&format!("certval/{kind}/{name}"), "ns", || {
                chain(Chain::new(key, revocation), algorithm)
            });
        }
    }
    if report.wants("certval/crl-1m/") {
        million(report);
    }
}

/// A gateway below an intermediate below a root, its verifier and CRLs.
struct Chain {
    root: Authority,
    sent: [Vec<u8>; 2],
    verifier: Verifier,
    store: CrlStore,
}

impl Chain {
    fn new(key: fn(&mut SeededRng, usize) -> Key, revocation: Revocation) -> Self {
        let mut rng = SeededRng::new(1);
        let mut root = Authority::root("Root", key(&mut rng, 0));
        let mut below = root.intermediate(&Template::ca("Intermediate"), key(&mut rng, 1));
        let gateway = below.issue(&Template::gateway("gateway.example"), key(&mut rng, 2));
        let mut anchor = TrustAnchor::from_der(root.certificate.clone()).expect("well-formed");
        anchor.revocation = revocation;
        let mut verifier = Verifier::new(&ring::PROVIDER);
        verifier.add_anchor(anchor);
        let sent = [gateway.certificate, below.certificate.clone()];
        let mut store = CrlStore::new();
        for crl in [root.crl(&[70, 71, 72]), below.crl(&[80, 81])] {
            let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
            store.insert(&verifier, crl, &sent).expect("a CRL of a known issuer");
        }
        Self { root, sent, verifier, store }
    }
}

/// The whole verification against its two bare signature verifications.
fn chain(chain: Chain, algorithm: &'static dyn VerificationAlgorithm) -> Pair<'static> {
    let signed: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> =
        [(&chain.sent[0], &chain.sent[1]), (&chain.sent[1], &chain.root.certificate)]
            .map(|(subject, issuer)| {
                let (message, signature) = signed_parts(subject);
                (public_key(issuer), message, signature)
            })
            .into();
    let baseline = Case::new(1, move || {
        let verified = signed.iter().filter(|(key, message, signature)| {
            UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
        });
        let count = verified.count();
        assert_eq!(count, 2);
        count
    });
    let ours = Case::new(1, move || {
        let sent = [&chain.sent[0][..], &chain.sent[1]];
        let outcome = chain.verifier.verify(&Query::new(&sent, NOW), &chain.store);
        let Ok(Outcome::Accepted(path)) = outcome else { panic!("accepted, not {outcome:?}") };
        path.references().len()
    });
    Pair { ours, baseline: Some(baseline) }
}

/// The signed bytes of a certificate and the signature over them.
fn signed_parts(certificate: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let body = content(certificate);
    let (tbs, rest) = split(body);
    let (_, rest) = split(rest);
    (tbs.to_vec(), content(rest)[1..].to_vec())
}

/// The key of a certificate, which stands before its extensions: the seventh field.
fn public_key(certificate: &[u8]) -> Vec<u8> {
    let (tbs, _) = split(content(certificate));
    let mut rest = content(tbs);
    for _ in 0..6 {
        rest = split(rest).1;
    }
    let (_, bits) = split(content(split(rest).0));
    content(bits)[1..].to_vec()
}

/// An element and what follows it.
fn split(der: &[u8]) -> (&[u8], &[u8]) {
    let (header, len) = header(der);
    der.split_at(header + len)
}

fn content(der: &[u8]) -> &[u8] {
    let (header, len) = header(der);
    &der[header..header + len]
}

fn header(der: &[u8]) -> (usize, usize) {
    match der[1] {
        short @ ..0x80 => (2, usize::from(short)),
        long => {
            let count = usize::from(long & 0x7f);
            let len = der[2..2 + count].iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
            (2 + count, len)
        }
    }
}

/// A CRL of a million entries with random serial numbers of 16 bytes and a reason each: 49 MB.
fn million(report: &mut Report) {
    const ENTRIES: usize = 1_000_000;
    let mut rng = SeededRng::new(2);
    let mut root = Authority::root("Root", Key::p256(&mut rng));
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
    let crl = root.crl_of(&entries, pki::NOT_BEFORE + 2, Some(pki::NOT_AFTER), &[]);
    drop(entries);
    let mut verifier = Verifier::new(&ring::PROVIDER);
    verifier.add_anchor(TrustAnchor::from_der(root.certificate).expect("well-formed"));

    let mut samples: Vec<f64> = Vec::new();
    let mut loaded = None;
    for _ in 0..7 {
        let copy = crl.clone();
        let mut store = CrlStore::new();
        let before = adit_benches::now();
        let handle = store.insert(&verifier, copy, &[]).expect("a valid CRL");
        samples.push((adit_benches::now() - before).as_secs_f64() * 1e3);
        loaded = Some(handle);
    }
    let crl = loaded.expect("seven times");
    assert_eq!(crl.len(), ENTRIES);
    samples.sort_by(f64::total_cmp);
    report.value("certval/crl-1m/load", "ms", || samples[3]);
    report.value("certval/crl-1m/memory", "bytes/DER byte", || {
        crl.memory() as f64 / crl.as_der().len() as f64
    });
    // In an order that knows nothing of the list's, but laid out so that reading them costs nothing.
    let wanted: Vec<[u8; 16]> =
        (1..=1 << 16).map(|n: usize| serials[n * 617_369 % ENTRIES]).collect();
    drop(serials);
    report.compare("certval/crl-1m/lookup", "ns", || {
        let mut next = wanted.into_iter().cycle();
        let run = move || lookups(&crl, &mut next);
        Pair { ours: Case::new(LOOKUPS, run), baseline: None }
    });
}

const LOOKUPS: usize = 64;

fn lookups(crl: &Crl, serials: &mut impl Iterator<Item = [u8; 16]>) -> usize {
    let found = serials.take(LOOKUPS).filter(|serial| crl.contains(serial)).count();
    assert_eq!(found, LOOKUPS);
    found
}
