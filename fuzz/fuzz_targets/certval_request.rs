//! PKCS#10 requests, as they are and as the attributes of one that is signed: offsets lie within the input, one that
//! verifies is read the same twice, and holding it against a certificate ends.
#![no_main]

use std::sync::LazyLock;

use adit_certval::{Certificate, CertificateRequest, PemBlock};
use adit_platform::signature::SignatureScheme;
use adit_testkit::der::{bit_string, integer, oid, sequence, tlv};
use adit_testkit::insecure::PROVIDER;
use adit_testkit::pki::{Authority, Key, Template};
use adit_testkit::rng::SeededRng;
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<Key> = LazyLock::new(|| Key::ed25519(&mut SeededRng::new(1)).insecure());
static ISSUED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut root = Authority::root("Root", KEY.clone());
    root.issue(&Template::gateway("gateway.example"), KEY.clone()).certificate
});

fuzz_target!(|input: &[u8]| {
    read(input);
    if let Ok(text) = core::str::from_utf8(input) {
        for block in PemBlock::read_all(text).unwrap_or_default() {
            read(&block.der);
        }
    }
    // Whatever a key holder asks for.
    let subject = sequence(&[]);
    let info = sequence(&[&integer(&[0]), &subject, &KEY.spki, &tlv(0xa0, input)]);
    let signer = PROVIDER.keys.load_pkcs8(KEY.pkcs8()).expect("a test key");
    let signature = signer.sign(SignatureScheme::Ed25519, &info, &mut SeededRng::new(1));
    let signature = signature.expect("a test key signs");
    let der = sequence(&[&info, &sequence(&[&oid("1.3.101.112")]), &bit_string(&signature)]);
    if let Some(request) = read(&der) {
        assert_eq!(request.verify(&PROVIDER), Ok(()));
        let issued = Certificate::from_der(&ISSUED).expect("well-formed");
        let differences = request.differences(&issued).expect("the same key");
        assert!(differences.iter().all(|difference| !difference.to_string().is_empty()));
    }
});

fn read(der: &[u8]) -> Option<CertificateRequest<'_>> {
    match CertificateRequest::from_der(der) {
        Ok(request) => {
            assert_eq!(request.as_der(), der);
            let _ = (request.subject().to_string(), request.alt_names(), request.verify(&PROVIDER));
            Some(request)
        }
        Err(error) => {
            assert!(error.offset <= der.len() && !error.field.is_empty(), "{error}");
            None
        }
    }
}
