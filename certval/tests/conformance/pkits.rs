//! NIST PKITS 1.0.1, all 249 sub-tests.

use std::path::Path;

use adit_certval::{
    AlgorithmPolicy, CertificateRef, CrlStore, Error, Outcome, PolicyInputs, Purpose, Query,
    Reason, TrustAnchor, Verifier,
};
use adit_platform::{Provider, UnixTime};
use adit_testkit::der::oid;
use serde_json::Value;

use crate::data::{self, Account, PROVIDERS, text, texts};

#[test]
fn pkits() {
    let Some(root) = data::root("pkits") else { return };
    let root = root.join("pkits");
    let suite = data::json(&root.join("pkits.json"));
    let now = UnixTime::from_secs(suite["unix_time"].as_u64().expect("a time"));
    let tests = suite["tests"].as_array().expect("a list");
    assert_eq!(tests.len(), 249);
    for provider in PROVIDERS.iter() {
        let mut account = Account::new("pkits.txt");
        let (mut valid, mut invalid) = ((0, 0), (0, 0));
        for test in tests {
            let result = run(&root, provider, now, test);
            let dsa = test["note"].as_str().is_some_and(|note| note.starts_with("DSA"));
            let expect_valid = text(test, "expect") == "valid" && !dsa;
            let column = if expect_valid { &mut valid } else { &mut invalid };
            if dsa && text(test, "expect") == "valid" {
                // Reported apart: no provider has DSA.
                assert!(matches!(&result, Err(e) if e.reason == Reason::UnsupportedAlgorithm));
                continue;
            }
            column.1 += 1;
            let problem = judge(test, expect_valid, dsa, &result);
            column.0 += usize::from(problem.is_none());
            account.note(text(test, "id"), problem.is_none(), || problem.unwrap_or_default());
        }
        println!(
            "pkits {}: valid {}/{} invalid {}/{} (2 valid ones need DSA and end as unsupported algorithm)",
            provider.name, valid.0, 114, invalid.0, invalid.1
        );
        account.finish(247);
    }
}

/// What is wrong with a result, if anything.
fn judge(
    test: &Value,
    expect_valid: bool,
    dsa: bool,
    result: &Result<Vec<Vec<u8>>, Error>,
) -> Option<String> {
    let title = text(test, "title");
    match result {
        Ok(_) if !expect_valid => Some(format!("{title}: accepted")),
        Err(error) if expect_valid => Some(format!("{title}: {error}")),
        Ok(policies) => {
            let expected: Option<Vec<Vec<u8>>> = test["expect_user_policies"]
                .as_array()
                .map(|list| list.iter().map(|p| content(p.as_str().expect("an OID"))).collect());
            match expected {
                Some(mut expected) => {
                    expected.sort();
                    (*policies != expected).then(|| format!("{title}: policies {policies:x?}"))
                }
                None => None,
            }
        }
        Err(error) if dsa => {
            (error.reason != Reason::UnsupportedAlgorithm).then(|| format!("{title}: {error}"))
        }
        Err(error) => {
            let class = text(test, "reason_openssl");
            let fits = class.is_empty() || reason_fits(class, &error.reason);
            let names_one = error.certificate.is_some();
            (!fits || !names_one).then(|| format!("{title}: {class} but {error}"))
        }
    }
}

/// Whether a reason belongs to the class that the table gives.
fn reason_fits(class: &str, reason: &Reason) -> bool {
    match class {
        "no-explicit-policy" => *reason == Reason::NoAcceptablePolicy,
        "policy-extension-invalid" => {
            matches!(reason, Reason::MapsAnyPolicy | Reason::NoAcceptablePolicy)
        }
        "revoked" => matches!(reason, Reason::Revoked { .. }),
        "name-not-permitted" | "name-excluded" => matches!(reason, Reason::NameConstraint { .. }),
        "path-length" => *reason == Reason::PathTooLong,
        // OpenSSL passes over issuers that may not issue; the others are refused for just that.
        "issuer-not-found" => matches!(
            reason,
            Reason::UnknownIssuer | Reason::NotACa | Reason::MayNotSignCertificates
        ),
        "signature" => *reason == Reason::BadSignature,
        "expired" => matches!(reason, Reason::Expired { .. }),
        "not-yet-valid" => matches!(reason, Reason::NotYetValid { .. }),
        "not-a-ca" => matches!(reason, Reason::NotACa | Reason::MayNotSignCertificates),
        "unhandled-critical-extension" => matches!(reason, Reason::UnknownCriticalExtension(_)),
        // Everything that keeps a CRL from being used leaves the status unknown.
        "crl-scope"
        | "crl-missing"
        | "crl-expired"
        | "crl-signer-key-usage"
        | "crl-signature"
        | "crl-path"
        | "unhandled-critical-crl-extension" => *reason == Reason::RevocationUnknown,
        other => panic!("a class that is not in the table: {other}"),
    }
}

/// The content of an OID.
fn content(dotted: &str) -> Vec<u8> {
    oid(dotted)[2..].to_vec()
}

fn run(
    root: &Path,
    provider: &Provider,
    now: UnixTime,
    test: &Value,
) -> Result<Vec<Vec<u8>>, Error> {
    let certificate = |name: &str| data::der(&root.join("certs").join(format!("{name}.der")));
    let mut chain: Vec<Vec<u8>> = texts(test, "chain").into_iter().map(certificate).collect();
    chain.reverse();
    chain.extend(texts(test, "crl_issuer_certs").into_iter().map(certificate));
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();

    let mut verifier = Verifier::new(provider);
    verifier.algorithms = AlgorithmPolicy { min_rsa_bits: 1024, ..AlgorithmPolicy::default() };
    let anchor = certificate(text(test, "trust_anchor"));
    verifier.add_anchor(TrustAnchor::from_der(anchor).expect("the anchor is well-formed"));
    let mut store = CrlStore::new();
    for name in texts(test, "crls") {
        let crl = data::der(&root.join("crls").join(format!("{name}.crl")));
        // Whatever is wrong with a CRL, it is then not there.
        let _ = store.insert(&verifier, crl, &chain);
    }
    let initial: Vec<Vec<u8>> =
        texts(test, "initial_policy_set").into_iter().map(content).collect();
    let initial: Vec<&[u8]> = initial.iter().map(Vec::as_slice).collect();
    let flag = |key: &str| test[key].as_bool().expect("a flag");
    let mut query = Query::new(&chain, now);
    query.purpose = Purpose::Any;
    query.may_fetch = false;
    query.policies = PolicyInputs {
        initial: &initial,
        require_explicit: flag("initial_explicit_policy"),
        inhibit_mapping: flag("initial_policy_mapping_inhibit"),
        inhibit_any: flag("initial_any_policy_inhibit"),
    };
    match verifier.verify(&query, &store)? {
        Outcome::Accepted(path) => {
            assert!(path.references().last() == Some(&CertificateRef::Anchor(0)));
            Ok(path.policies().map(<[u8]>::to_vec).collect())
        }
        other => panic!("{}: nothing can be fetched, but {other:?}", text(test, "id")),
    }
}
