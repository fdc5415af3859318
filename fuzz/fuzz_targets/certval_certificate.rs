//! Certificates, names and PEM: whatever is read back is what was put in, and offsets lie within the input.
#![no_main]

use adit_certval::{Certificate, Name, PemBlock};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    match Certificate::from_der(input) {
        Ok(certificate) => {
            assert_eq!(certificate.as_der(), input);
            let info =
                adit_certval::CertificateInfo::new(&certificate, &adit_testkit::insecure::PROVIDER);
            assert!(!info.to_string().bytes().any(|byte| byte < 0x20 && byte != b'\n'));
        }
        Err(error) => assert!(error.offset <= input.len(), "{error}"),
    }
    if let Ok(name) = Name::from_der(input) {
        assert!(name == name, "equality is reflexive");
        let _ = (name.to_string(), name.common_name());
    }
    if let Ok(text) = core::str::from_utf8(input)
        && let Ok(blocks) = PemBlock::read_all(text)
    {
        for block in blocks {
            assert_eq!(PemBlock::read_all(&block.to_pem()).as_deref(), Ok(&[block][..]));
        }
    }
});
