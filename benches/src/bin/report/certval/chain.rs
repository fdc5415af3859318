//! A gateway below an intermediate below a root, without and with a CRL for each.

use ::ring::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use adit_benches::{Case, Pair, Report};
use adit_certval::{CrlStore, Outcome, Query, Revocation, TrustAnchor, Verifier};
use adit_platform::{UnixTime, ring};
use adit_testkit::pki::{self, Authority, Key, Template};
use adit_testkit::rng::SeededRng;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use x509_cert::der::Decode as _;

const NOW: UnixTime = UnixTime::from_secs(pki::NOW);

/// A kind of key, and who verifies its signatures.
struct Kind {
    name: &'static str,
    key: fn(&mut SeededRng, usize) -> Key,
    bare: &'static dyn VerificationAlgorithm,
    webpki: &'static dyn SignatureVerificationAlgorithm,
}

const KINDS: [Kind; 2] = [
    Kind {
        name: "p256",
        key: |rng, _| Key::p256(rng),
        bare: &ECDSA_P256_SHA256_ASN1,
        webpki: webpki::ring::ECDSA_P256_SHA256,
    },
    Kind {
        name: "rsa2048",
        key: |_, n| Key::rsa2048(n),
        bare: &RSA_PKCS1_2048_8192_SHA256,
        webpki: webpki::ring::RSA_PKCS1_2048_8192_SHA256,
    },
];

pub(super) fn rows(report: &mut Report) {
    for kind in KINDS {
        let name = kind.name;
        for (what, checked) in [("chain", false), ("chain-crl", true)] {
            let row = format!("certval/{what}/{name}");
            report.compare(&row, "ns", || Chain::new(&kind).pair(&kind, |c| c.ours(checked)));
            let row = format!("{row}/webpki");
            let webpki = |chain: &Chain| chain.webpki(kind.webpki, checked);
            report.compare(&row, "ns", || Chain::new(&kind).pair(&kind, webpki));
        }
        let row = format!("certval/chain/{name}/x509-cert");
        let x509_cert = |chain: &Chain| chain.x509_cert(kind.bare);
        report.compare(&row, "ns", || Chain::new(&kind).pair(&kind, x509_cert));
    }
}

struct Chain {
    root: Vec<u8>,
    /// The gateway's, the intermediate's.
    sent: [Vec<u8>; 2],
    /// The root's, the intermediate's.
    crls: [Vec<u8>; 2],
}

impl Chain {
    fn new(kind: &Kind) -> Self {
        let mut rng = SeededRng::new(1);
        let mut root = Authority::root("Root", (kind.key)(&mut rng, 0));
        let key = (kind.key)(&mut rng, 1);
        let mut below = root.intermediate(&Template::ca("Intermediate"), key);
        let gateway = below.issue(&Template::gateway("gateway.example"), (kind.key)(&mut rng, 2));
        let crls = [root.crl(&[70, 71, 72]), below.crl(&[80, 81])];
        Self { root: root.certificate, sent: [gateway.certificate, below.certificate], crls }
    }

    /// A way to verify the chain, against its two bare signature verifications.
    fn pair(self, kind: &Kind, way: impl FnOnce(&Self) -> Case<'static>) -> Pair<'static> {
        let (signed, algorithm) = (self.signed(), kind.bare);
        let bare = Case::new(1, move || verify_bare(algorithm, &signed));
        Pair { ours: way(&self), baseline: Some(bare) }
    }

    fn ours(&self, crls: bool) -> Case<'static> {
        let mut anchor = TrustAnchor::from_der(self.root.clone()).expect("well-formed");
        anchor.revocation = if crls { Revocation::Require } else { Revocation::Ignore };
        let mut verifier = Verifier::new(&ring::PROVIDER);
        verifier.add_anchor(anchor);
        let sent = self.sent.clone();
        let mut store = CrlStore::new();
        for crl in self.crls.clone() {
            store.insert(&verifier, crl, &[&sent[0], &sent[1]]).expect("a CRL of a known issuer");
        }
        Case::new(1, move || {
            let sent = [&sent[0][..], &sent[1]];
            let outcome = verifier.verify(&Query::new(&sent, NOW), &store);
            let Ok(Outcome::Accepted(path)) = outcome else { panic!("accepted, not {outcome:?}") };
            path.references().len()
        })
    }

    fn webpki(
        &self,
        algorithm: &'static dyn SignatureVerificationAlgorithm,
        crls: bool,
    ) -> Case<'static> {
        let root = CertificateDer::from(self.root.clone());
        let anchor = webpki::anchor_from_trusted_cert(&root).expect("well-formed").to_owned();
        let [gateway, below] = self.sent.clone().map(CertificateDer::from);
        let owned = |der: &Vec<u8>| webpki::OwnedCertRevocationList::from_der(der);
        let lists = self.crls.each_ref().map(|der| owned(der).expect("well-formed").into());
        let time =
            rustls_pki_types::UnixTime::since_unix_epoch(std::time::Duration::from_secs(pki::NOW));
        Case::new(1, move || {
            let end_entity = webpki::EndEntityCert::try_from(&gateway).expect("well-formed");
            let lists: [&webpki::CertRevocationList<'_>; 2] = lists.each_ref();
            let revocation = webpki::RevocationOptionsBuilder::new(&lists).expect("some").build();
            let verified = end_entity.verify_for_usage(
                &[algorithm],
                core::slice::from_ref(&anchor),
                core::slice::from_ref(&below),
                time,
                webpki::KeyUsage::server_auth(),
                crls.then_some(revocation),
                None,
            );
            verified.expect("accepted").intermediate_certificates().count()
        })
    }

    fn x509_cert(&self, algorithm: &'static dyn VerificationAlgorithm) -> Case<'static> {
        let (sent, signed) = (self.sent.clone(), self.signed());
        Case::new(1, move || {
            for der in &sent {
                let read = x509_cert::Certificate::from_der(der);
                std::hint::black_box(read.expect("well-formed"));
            }
            verify_bare(algorithm, &signed)
        })
    }

    fn signed(&self) -> [Signed; 2] {
        [(&self.sent[0], &self.sent[1]), (&self.sent[1], &self.root)].map(|(subject, issuer)| {
            let (message, signature) = signed_parts(subject);
            Signed { key: public_key(issuer), message, signature }
        })
    }
}

struct Signed {
    key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

/// The least that verifying the chain could cost.
fn verify_bare(algorithm: &'static dyn VerificationAlgorithm, signed: &[Signed]) -> usize {
    let verified = signed.iter().filter(|signed| {
        let key = UnparsedPublicKey::new(algorithm, &signed.key);
        key.verify(&signed.message, &signed.signature).is_ok()
    });
    let count = verified.count();
    assert_eq!(count, signed.len());
    count
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
