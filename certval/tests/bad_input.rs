//! Certificates, CRLs, names and PEM bent in every way: an answer always comes, and it is never "accepted".

use std::collections::BTreeSet;

use adit_certval::{
    Certificate, CertificateRef, CrlError, CrlStore, Name, Outcome, PemBlock, Purpose, Query,
    Reason, Revocation, TrustAnchor, Verifier,
};
use adit_platform::UnixTime;
use adit_platform::ring::PROVIDER;
use adit_testkit::der::{context, explicit, octet_string, oid, sequence};
use adit_testkit::mutate;
use adit_testkit::pki::{self, Authority, Key, Template};
use adit_testkit::rng::SeededRng;

const NOW: UnixTime = UnixTime::from_secs(pki::NOW);

/// A chain and its CRLs with every extension that is read, each valid.
struct World {
    verifier: Verifier,
    leaf: Vec<u8>,
    intermediate: Vec<u8>,
    crl: Vec<u8>,
    store: CrlStore,
}

fn world() -> World {
    let mut rng = SeededRng::new(31);
    let mut root = Authority::root("Root", Key::p256(&mut rng));
    let any_policy = sequence(&[&sequence(&[&oid("2.5.29.32.0")])]);
    let permitted = sequence(&[&sequence(&[&context(2, b"example")])]);
    let ca = Template {
        extensions: vec![
            ("2.5.29.30", true, sequence(&[&explicit(0, &permitted[2..])])),
            ("2.5.29.32", false, any_policy.clone()),
            ("2.5.29.36", true, sequence(&[&context(0, &[0])])),
            ("2.5.29.33", false, sequence(&[&sequence(&[&oid("1.2.3.4"), &oid("1.2.3.5")])])),
        ],
        ..Template::ca("Intermediate")
    };
    let mut intermediate = root.intermediate(&ca, Key::p256(&mut rng));
    let leaf = intermediate.issue(
        &Template {
            crl_urls: vec!["http://pki.example/crl".into()],
            issuer_urls: vec!["http://pki.example/cer".into()],
            ip: vec!["192.0.2.1".parse().unwrap()],
            email: vec!["a@example".into()],
            extensions: vec![("2.5.29.32", false, any_policy)],
            ..Template::gateway("gateway.example")
        },
        Key::p256(&mut rng),
    );
    let mut anchor = TrustAnchor::from_der(root.certificate.clone()).unwrap();
    anchor.revocation = Revocation::Require;
    let mut verifier = Verifier::new(&PROVIDER);
    verifier.add_anchor(anchor);
    let entries = [(7, pki::NOW - 9, Some(1)), (300, pki::NOW - 8, None)];
    let url = context(6, b"http://pki.example/crl");
    let scope = sequence(&[&explicit(0, &explicit(0, &url))]);
    let extensions = [("2.5.29.28", true, scope), ("1.2.3", false, octet_string(&[1]))];
    let crl = intermediate.crl_with(entries, pki::NOW - 7, Some(pki::NOW + 7), &extensions);
    let sent = [&leaf.certificate[..], &intermediate.certificate];
    let mut store = CrlStore::new();
    store.insert(&verifier, root.crl(&[]), &[]).unwrap();
    store.insert(&verifier, crl.clone(), &sent).unwrap();
    let query = Query::new(&sent, NOW);
    assert!(matches!(verifier.verify(&query, &store), Ok(Outcome::Accepted(_))), "all is well yet");
    World { leaf: leaf.certificate, intermediate: intermediate.certificate, verifier, crl, store }
}

#[test]
fn certificates() {
    let world = world();
    for valid in [&world.leaf, &world.intermediate] {
        for cut in mutate::truncations(valid) {
            let error = Certificate::from_der(cut).unwrap_err();
            assert!(error.offset <= cut.len(), "{error}");
        }
        mutate::all(valid, &mutate::der_lengths(valid), 1, |input| {
            match Certificate::from_der(input) {
                Ok(certificate) => assert_eq!(certificate.as_der(), input),
                Err(error) => assert!(error.offset <= input.len(), "{error}"),
            }
            let _ = TrustAnchor::from_der(input.to_vec());
        });
    }
}

/// Every part of a certificate that can be malformed, as RFC 5280 calls it.
const CERTIFICATE_FIELDS: [&str; 24] = [
    "Certificate",
    "authorityInfoAccess",
    "authorityKeyIdentifier",
    "basicConstraints",
    "cRLDistributionPoints",
    "certificatePolicies",
    "extKeyUsage",
    "extensions",
    "issuer",
    "keyUsage",
    "nameConstraints",
    "policyConstraints",
    "policyMappings",
    "serialNumber",
    "signature",
    "signatureAlgorithm",
    "signatureValue",
    "subject",
    "subjectAltName",
    "subjectKeyIdentifier",
    "subjectPublicKeyInfo",
    "tbsCertificate",
    "validity",
    "version",
];

const CRL_FIELDS: [&str; 14] = [
    "CertificateList",
    "authorityKeyIdentifier",
    "cRLNumber",
    "crlExtensions",
    "issuer",
    "issuingDistributionPoint",
    "nextUpdate",
    "revokedCertificates",
    "signature",
    "signatureAlgorithm",
    "signatureValue",
    "tbsCertList",
    "thisUpdate",
    "version",
];

/// Bad input gets an error that names the certificate, the field and the byte offset.
#[test]
fn malformed_certificates_are_named_with_field_and_offset() {
    let world = world();
    let mut fields = BTreeSet::new();
    for (at, valid) in [(0, &world.leaf), (1, &world.intermediate)] {
        mutate::all(valid, &mutate::der_lengths(valid), 6, |input| {
            let mut sent = [&world.leaf[..], &world.intermediate];
            sent[at] = input;
            let result = world.verifier.verify(&Query::new(&sent, NOW), &world.store);
            let Err(error) = result else { return };
            if let Reason::Malformed(malformed) = &error.reason {
                assert_eq!(error.certificate, Some(CertificateRef::Presented(at)), "{error}");
                assert!(malformed.offset <= input.len() && !malformed.field.is_empty(), "{error}");
                let text = error.to_string();
                assert!(text.contains(&format!("in {} at byte", malformed.field)), "{text}");
                fields.insert(malformed.field);
            }
        });
    }
    assert_eq!(Vec::from_iter(fields), CERTIFICATE_FIELDS);
}

#[test]
fn malformed_crls_are_named_with_field_and_offset() {
    let world = world();
    let sent = [&world.leaf[..], &world.intermediate];
    let mut fields = BTreeSet::new();
    mutate::all(&world.crl, &mutate::der_lengths(&world.crl), 7, |input| {
        match world.store.clone().insert(&world.verifier, input.to_vec(), &sent) {
            Err(CrlError::Malformed(error)) => {
                assert!(error.offset <= input.len() && !error.field.is_empty(), "{error}");
                fields.insert(error.field);
            }
            Err(_) => {}
            Ok(_) => assert_eq!(input, world.crl),
        }
    });
    assert_eq!(Vec::from_iter(fields), CRL_FIELDS);
}

#[test]
fn a_bent_chain_is_never_accepted() {
    let world = world();
    for (at, valid) in [(0, &world.leaf), (1, &world.intermediate)] {
        mutate::all(valid, &mutate::der_lengths(valid), 2, |input| {
            if input == *valid {
                return;
            }
            let mut sent = [&world.leaf[..], &world.intermediate];
            sent[at] = input;
            let mut query = Query::new(&sent, NOW);
            for purpose in [Purpose::IkeGateway, Purpose::Any] {
                query.purpose = purpose;
                let outcome = world.verifier.verify(&query, &world.store);
                assert!(!matches!(outcome, Ok(Outcome::Accepted(_))), "{input:02x?}");
            }
        });
    }
}

#[test]
fn a_bent_crl_never_enters_the_store() {
    let world = world();
    let sent = [&world.leaf[..], &world.intermediate];
    let mut store = world.store.clone();
    mutate::all(&world.crl, &mutate::der_lengths(&world.crl), 3, |input| {
        if input != world.crl {
            store.insert(&world.verifier, input.to_vec(), &sent).unwrap_err();
        }
    });
    assert_eq!(store.iter().count(), world.store.iter().count());
}

#[test]
fn names_and_pem() {
    let world = world();
    let name = Certificate::from_der(&world.leaf).unwrap().subject().as_der().to_vec();
    mutate::all(&name, &mutate::der_lengths(&name), 4, |input| {
        if let Ok(name) = Name::from_der(input) {
            let _ = (name.to_string(), name.common_name(), name == name);
        }
    });
    let pem = PemBlock { label: "CERTIFICATE".into(), der: world.leaf }.to_pem();
    mutate::all(pem.as_bytes(), &[], 5, |input| {
        if let Ok(text) = core::str::from_utf8(input) {
            let _ = PemBlock::read_all(text);
        }
    });
}
