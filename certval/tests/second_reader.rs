//! The borrowing reader against `x509-cert`, which was written by others: both must see the same certificate.

use std::path::Path;

use adit_certval::Certificate;
use adit_testkit::pki::{Authority, Key, Template};
use adit_testkit::rng::SeededRng;
use der::{Decode, Encode};

/// Reads `der` twice. What `x509-cert` reads we must read alike; true if it did.
fn compare(what: &str, der: &[u8]) -> bool {
    let Ok(theirs) = x509_cert::Certificate::from_der(der) else { return false };
    let theirs = theirs.tbs_certificate();
    let ours = Certificate::from_der(der).unwrap_or_else(|error| panic!("{what}: {error}"));
    let encoded = |value: &dyn Fn() -> der::Result<Vec<u8>>| value().expect(what);
    assert_eq!(ours.serial_number(), theirs.serial_number().as_bytes(), "{what}");
    assert_eq!(ours.issuer().as_der(), encoded(&|| theirs.issuer().to_der()), "{what}");
    assert_eq!(ours.subject().as_der(), encoded(&|| theirs.subject().to_der()), "{what}");
    let spki = encoded(&|| theirs.subject_public_key_info().to_der());
    assert_eq!(ours.subject_public_key_info(), spki, "{what}");
    true
}

#[test]
fn generated_certificates_read_alike() {
    let mut rng = SeededRng::new(5);
    let mut root = Authority::root("Root", Key::p256(&mut rng));
    let keys = [Key::p256(&mut rng), Key::ed25519(&mut rng), Key::rsa2048(0)];
    for key in keys {
        let gateway = root.issue(&Template::gateway("gw.test"), key.clone());
        let user = root.issue(&Template::user("alice@lab.test"), key);
        assert!(compare("gateway", &gateway.certificate) && compare("user", &user.certificate));
    }
}

#[test]
fn the_certificates_of_pkits_read_alike() {
    if adit_testkit::data::read("cert/pkits/pkits.json").is_none() {
        return;
    }
    let folder = adit_testkit::data::directory().join("cert/pkits/certs");
    let mut read = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().map(Path::new).unwrap().display().to_string();
        read += usize::from(compare(&name, &std::fs::read(&path).unwrap()));
    }
    assert!(read > 380, "x509-cert read {read} of 405");
}
