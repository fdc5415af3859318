//! What caIssuers URLs lead to (RFC 5280 section 4.2.2.1): one certificate, or a certs-only message.

use adit_certval::{DerErrorKind, read_certificates};
use adit_testkit::der::{context, explicit, integer, oid, sequence, set};
use adit_testkit::pki::{Authority, Key, Template};
use adit_testkit::rng::SeededRng;
use adit_testkit::{data, mutate};

/// RFC 5652 section 5.1 without signers; `certificates` is the content of the set, `rest` what stands behind it.
fn certs_only(certificates: &[u8], rest: &[u8]) -> Vec<u8> {
    let data = sequence(&[&oid("1.2.840.113549.1.7.1")]);
    let no_digest = [0x31, 0];
    let certificates = explicit(0, certificates);
    let signed = sequence(&[&integer(&[1]), &no_digest, &data, &certificates, rest, &[0x31, 0]]);
    sequence(&[&oid("1.2.840.113549.1.7.2"), &explicit(0, &signed)])
}

fn certificates() -> [Vec<u8>; 2] {
    let mut rng = SeededRng::new(5652);
    let mut root = Authority::root("Root", Key::p256(&mut rng));
    let below = root.intermediate(&Template::ca("Below"), Key::p256(&mut rng));
    [root.certificate, below.certificate]
}

#[test]
fn a_certificate_or_a_bundle_of_them() {
    let [one, two] = certificates();
    assert_eq!(read_certificates(&one), Ok(vec![one.clone()]));
    let both = certs_only(&[&two[..], &one].concat(), &[]);
    assert_eq!(read_certificates(&both), Ok(vec![two.clone(), one.clone()]));
    // With a CRL beside them, an attribute certificate among them, and one that is broken.
    let crl = explicit(1, &sequence(&[]));
    let broken = sequence(&[&integer(&[1])]);
    let mixed = [&context(2, &[]).map_tag(0xa2)[..], &broken, &one].concat();
    assert_eq!(read_certificates(&certs_only(&mixed, &crl)), Ok(vec![one]));
}

trait MapTag {
    fn map_tag(self, tag: u8) -> Self;
}

impl MapTag for Vec<u8> {
    fn map_tag(mut self, tag: u8) -> Self {
        self[0] = tag;
        self
    }
}

#[test]
fn what_is_neither_is_refused() {
    let [one, _] = certificates();
    let none = read_certificates(&certs_only(&[], &[])).unwrap_err();
    assert_eq!(none.kind, DerErrorKind::Value);
    let broken = sequence(&[&integer(&[1])]);
    let bundle = certs_only(&broken, &[]);
    let error = read_certificates(&bundle).unwrap_err();
    assert!(error.offset > 20 && error.offset < bundle.len(), "{error}");
    assert!(matches!(error.kind, DerErrorKind::UnexpectedTag { found: 2, .. }));
    let many = certs_only(&one.repeat(65), &[]);
    assert_eq!(read_certificates(&many).unwrap_err().kind, DerErrorKind::TooMany);
    assert_eq!(read_certificates(&certs_only(&one.repeat(64), &[])).unwrap().len(), 64);
    // Enveloped data, and a set where none belongs.
    let enveloped = sequence(&[&oid("1.2.840.113549.1.7.3"), &explicit(0, &sequence(&[]))]);
    assert_eq!(read_certificates(&enveloped).unwrap_err().kind, DerErrorKind::Value);
    assert!(read_certificates(&set(&one)).is_err());
    assert!(read_certificates(&[]).is_err());
}

#[test]
fn bent_bundles_never_panic() {
    let [one, two] = certificates();
    let valid = certs_only(&[one, two].concat(), &[]);
    for cut in mutate::truncations(&valid) {
        let error = read_certificates(cut).unwrap_err();
        assert!(error.offset <= cut.len());
    }
    mutate::all(&valid, &[], 7, |input| match read_certificates(input) {
        Ok(found) => assert!((1..=2).contains(&found.len())),
        Err(error) => assert!(error.offset <= input.len(), "{error}"),
    });
}

/// A bundle of Amazon's roots as OpenSSL writes it, out of pyca's test data.
#[test]
fn a_bundle_from_elsewhere() {
    let Some(files) = data::archive("cert/pyca-x509-misc.tar.xz") else { return };
    let bundle = files.iter().find(|(path, _)| path.ends_with("pkcs7/amazon-roots.der"));
    let found = read_certificates(&bundle.expect("a bundle").1).unwrap();
    let names: Vec<String> = found
        .iter()
        .map(|der| adit_certval::Certificate::from_der(der).unwrap().subject().to_string())
        .collect();
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|name| name.contains("O=Amazon")), "{names:?}");
}
