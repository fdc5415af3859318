//! PKCS#12 files and encrypted keys under a small budget, as they come and as the content of a file whose MAC and
//! encryption are right: an answer always comes, offsets lie within the layer, and what was opened can be used.
#![no_main]

use adit_certval::{Certificate, Pkcs12, Pkcs12Error, Pkcs12Limits, decrypt_pkcs8};
use adit_platform::rustcrypto::PROVIDER;
use adit_testkit::der::{explicit, integer, octet_string, oid, sequence};
use libfuzzer_sys::fuzz_target;

/// Enough for files that take 1 or 2 rounds, and for one run of OpenSSL's 2048.
const LIMITS: Pkcs12Limits = Pkcs12Limits { iterations: 5_000, size: 1 << 16, bags: 64 };

const DATA: &str = "1.2.840.113549.1.7.1";

fuzz_target!(|input: &[u8]| {
    for password in ["", "password", "sésame"] {
        open(input, input.len(), password);
    }
    if let Ok(key) = decrypt_pkcs8(input, "password", &LIMITS) {
        let _ = PROVIDER.keys.load_pkcs8(key.expose());
    }
    // Without a MAC or encryption: the fuzzer reaches the layers below, an AuthenticatedSafe first and then a
    // SafeContents.
    let data = |content: &[u8]| sequence(&[&oid(DATA), &explicit(0, &octet_string(content))]);
    let pfx = |safe: &[u8]| sequence(&[&integer(&[3]), &data(safe)]);
    open(&pfx(input), input.len() + 64, "");
    open(&pfx(&sequence(&[&data(input)])), input.len() + 64, "");
});

fn open(file: &[u8], longest: usize, password: &str) {
    match Pkcs12::from_der(file, password, &LIMITS) {
        Ok(content) => {
            for key in &content.keys {
                let _ = (content.certificate_of(key), PROVIDER.keys.load_pkcs8(key.pkcs8.expose()));
            }
            for certificate in &content.certificates {
                let _ = Certificate::from_der(&certificate.der);
            }
        }
        Err(Pkcs12Error::Malformed(error)) => {
            assert!(error.offset <= longest && !error.field.is_empty(), "{error}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
