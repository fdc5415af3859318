//! BoringSSL's OCSP corpus (34 responses, and the request for each) and pyca's (17 responses).

use std::time::Duration;

use adit_certval::{
    AlgorithmPolicy, Certificate, CrlStore, Error, OcspError, OcspRequest, OcspResponseStatus,
    Purpose, Query, Reason, TrustAnchor, Verifier,
};
use adit_platform::UnixTime;
use adit_platform::hash::HashAlgorithm;

use crate::data::{self, Account, PROVIDERS};

/// What BoringSSL's own test of each file expects, at the time below and with responses of at most a week.
const BORINGSSL: [(&str, &str); 34] = [
    ("good_response", "good"),
    ("good_response_sha256", "good"),
    ("good_response_invalid_serial", "good"),
    ("good_response_next_update", "good"),
    ("no_response", "unknown"),
    ("malformed_request", "unknown"),
    ("bad_status", "unknown"),
    ("bad_ocsp_type", "unknown"),
    ("bad_signature", "unknown"),
    ("ocsp_sign_direct", "good"),
    ("ocsp_sign_indirect", "good"),
    ("ocsp_sign_indirect_missing", "unknown"),
    ("ocsp_sign_bad_indirect", "unknown"),
    ("ocsp_extra_certs", "good"),
    ("has_version", "good"),
    ("responder_name", "good"),
    ("responder_id", "good"),
    ("has_extension", "good"),
    ("revoke_response", "revoked"),
    ("revoke_response_reason", "revoked"),
    ("unknown_response", "unknown"),
    ("multiple_response", "unknown"),
    ("multiple_response_good_revoked", "revoked"),
    ("other_response", "unknown"),
    ("has_single_extension", "good"),
    ("has_critical_single_extension", "unknown"),
    ("has_critical_response_extension", "unknown"),
    ("has_critical_ct_extension", "good"),
    ("missing_response", "unknown"),
    ("stale_response", "unknown"),
    ("future_response", "unknown"),
    ("old_response", "unknown"),
    ("produced_early_response", "unknown"),
    ("produced_late_response", "unknown"),
];
// invalid_response and invalid_response_data are below: they hold no certificate that is read.

#[test]
fn boringssl() {
    let Some(root) = data::root("boringssl-pki") else { return };
    let root = root.join("boringssl-pki/unit/ocsp_unittest");
    let now = UnixTime::from_secs(1_488_672_000);
    let mut account = Account::new("boringssl-ocsp.txt");
    for (name, expected) in BORINGSSL {
        let blocks = data::pem(&root.join(format!("{name}.pem")));
        let find = |label: &str| blocks.iter().find(|b| b.label == label).map(|b| b.der.clone());
        let (leaf, ca) = (find("CERTIFICATE").unwrap(), find("CA CERTIFICATE").unwrap());
        let response = find("OCSP RESPONSE").unwrap_or_default();
        let result = [&PROVIDERS[0], &PROVIDERS[1]].map(|provider| {
            let mut verifier = Verifier::new(provider);
            verifier.algorithms = AlgorithmPolicy { min_rsa_bits: 1024, allow_sha1: true };
            let mut anchor = TrustAnchor::from_der(ca.clone()).unwrap();
            anchor.max_ocsp_age = Some(Duration::from_secs(7 * 86_400));
            anchor.enforce_constraints = false;
            verifier.add_anchor(anchor);
            let (sent, stapled) = ([&leaf[..]], [&response[..]]);
            let mut query = Query::new(&sent, now);
            query.purpose = Purpose::Any;
            query.may_fetch = false;
            query.stapled = &stapled;
            match verifier.verify(&query, &CrlStore::new()) {
                Ok(_) => "good".to_owned(),
                Err(Error { reason: Reason::Revoked { .. }, .. }) => "revoked".into(),
                Err(Error { reason: Reason::RevocationUnknown, .. }) => "unknown".into(),
                Err(error) => error.to_string(),
            }
        });
        assert_eq!(result[0], result[1], "providers differ: {name}");
        let agrees = result[0] == expected;
        account.note(name, agrees, || format!("{expected} expected, {}", result[0]));

        let (leaf, ca) = (Certificate::from_der(&leaf), Certificate::from_der(&ca));
        if let (Ok(leaf), Ok(ca), Some(request)) = (leaf, ca, find("OCSP REQUEST")) {
            let ours = OcspRequest::new(&PROVIDERS[0], HashAlgorithm::Sha1, &leaf, &ca).unwrap();
            assert_eq!(ours.to_der(), request, "{name}");
        }
    }
    for name in ["invalid_response", "invalid_response_data"] {
        let blocks = data::pem(&root.join(format!("{name}.pem")));
        let response = blocks.iter().find(|b| b.label == "OCSP RESPONSE").unwrap();
        let verifier = Verifier::new(&PROVIDERS[0]);
        let error = CrlStore::new().insert_ocsp(&verifier, &response.der, &[], None).unwrap_err();
        assert!(matches!(error, OcspError::Malformed(_)), "{name}: {error}");
    }
    let (agreed, excepted) = account.finish(34);
    println!("boringssl-ocsp: {agreed}/34 agree, {excepted} excepted");
}

/// How far a response of pyca's is read. Nobody here knows who signed them.
#[derive(PartialEq, Eq, Debug)]
enum Read {
    Whole,
    Malformed(&'static str),
    Status(u8),
    Type,
}

const PYCA: [(&str, Read); 17] = [
    ("ocsp-army.deps.mil-resp", Read::Whole),
    ("resp-delegate-unknown-cert", Read::Whole),
    ("resp-invalid-signature-oid", Read::Whole),
    ("resp-invalid-version", Read::Malformed("version")),
    ("resp-responder-key-hash", Read::Whole),
    ("resp-response-type-unknown-oid", Read::Type),
    ("resp-revoked", Read::Whole),
    ("resp-revoked-no-next-update", Read::Whole),
    ("resp-revoked-reason", Read::Whole),
    ("resp-sct-extension", Read::Whole),
    ("resp-sha256", Read::Whole),
    ("resp-single-extension-reason", Read::Whole),
    ("resp-successful-no-response-bytes", Read::Malformed("OCSPResponse")),
    ("resp-unauthorized", Read::Status(6)),
    ("resp-unknown-extension", Read::Whole),
    ("resp-unknown-hash-alg", Read::Whole),
    ("resp-unknown-response-status", Read::Status(7)),
];

#[test]
fn pyca() {
    let Some(files) = adit_testkit::data::archive("cert/pyca-x509-misc.tar.xz") else { return };
    let verifier = Verifier::new(&PROVIDERS[0]);
    let mut account = Account::new("pyca-ocsp.txt");
    for (name, expected) in PYCA {
        let path = format!("x509/ocsp/{name}.der");
        let (_, der) = files.iter().find(|(file, _)| file.ends_with(&path)).expect("a response");
        let read = match CrlStore::new().insert_ocsp(&verifier, der, &[], None).unwrap_err() {
            OcspError::Malformed(error) => Read::Malformed(error.field),
            OcspError::Status(OcspResponseStatus(status)) => Read::Status(status),
            OcspError::UnknownType(_) => Read::Type,
            OcspError::UnknownSigner | OcspError::Unauthorized | OcspError::Signature(_) => {
                Read::Whole
            }
            other => panic!("{name}: {other}"),
        };
        account.note(name, read == expected, || format!("{expected:?} expected, {read:?}"));
    }
    let (agreed, excepted) = account.finish(17);
    println!("pyca-ocsp: {agreed}/17 agree, {excepted} excepted");
}
