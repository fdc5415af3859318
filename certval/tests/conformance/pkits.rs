//! NIST PKITS 1.0.1, all 249 sub-tests.

use std::path::{Path, PathBuf};

use adit_certval::{
    AlgorithmPolicy, CertificateRef, CrlError, CrlStore, Error, Outcome, PolicyInputs, Purpose,
    Query, Reason, TrustAnchor, Verifier,
};
use adit_platform::{Provider, UnixTime};
use adit_testkit::der::oid;
use serde_json::Value;

use crate::data::{self, Account, PROVIDERS, text, texts};
use crate::dsa::DsaWithSha1;

#[test]
fn pkits() {
    let Some(root) = data::root("pkits") else { return };
    let root = root.join("pkits");
    let suite = data::json(&root.join("pkits.json"));
    let tests = suite["tests"].as_array().expect("a list");
    assert_eq!(tests.len(), 249);
    let now = UnixTime::from_secs(suite["unix_time"].as_u64().expect("a time"));
    let suite = Suite { root, now, tests };
    for provider in PROVIDERS.iter() {
        let (valid, invalid) = suite.run(provider, false);
        println!("pkits {}: valid {valid}/114 invalid {invalid}/135", provider.name);
    }
    let counts = PROVIDERS.each_ref().map(|provider| suite.run(provider, true));
    let (valid, invalid) = counts[0];
    println!("pkits with DSA: valid {valid}/114 invalid {invalid}/135");
    assert_eq!(counts, [(114, 135); 2]);
}

struct Suite<'a> {
    root: PathBuf,
    now: UnixTime,
    tests: &'a [Value],
}

impl Suite<'_> {
    /// Runs all tests; gives how many valid ones are accepted and how many invalid ones refused for the right
    /// reason. Without DSA, the two valid ones that need it have to end as an unsupported algorithm.
    fn run(&self, provider: &Provider, with_dsa: bool) -> (usize, usize) {
        let mut account = Account::new("pkits.txt");
        let (mut valid, mut invalid) = (0, 0);
        for test in self.tests {
            let result = run(&self.root, provider, self.now, test, with_dsa);
            let needs_dsa = test["note"].as_str().is_some_and(|note| note.starts_with("DSA"));
            let unsupported = needs_dsa && !with_dsa;
            let expect_valid = text(test, "expect") == "valid";
            let problem = judge(test, expect_valid && !unsupported, unsupported, &result);
            let column = if expect_valid { &mut valid } else { &mut invalid };
            *column += usize::from(problem.is_none() && !(expect_valid && unsupported));
            account.note(text(test, "id"), problem.is_none(), || problem.unwrap_or_default());
        }
        account.finish(249);
        (valid, invalid)
    }
}

/// What is wrong with a result, if anything.
fn judge(
    test: &Value,
    expect_valid: bool,
    unsupported: bool,
    (result, crls): &(Result<Vec<Vec<u8>>, Error>, Vec<CrlError>),
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
        Err(error) if unsupported => {
            (error.reason != Reason::UnsupportedAlgorithm).then(|| format!("{title}: {error}"))
        }
        Err(error) => {
            let class = match text(test, "reason_openssl") {
                // Its third sub-test is the one row without a class: the path lacks the policy that is demanded.
                "" if text(test, "id").starts_with("4.10.13.") => "no-explicit-policy",
                class => class,
            };
            let fits = reason_fits(class, &error.reason) && crls_fit(class, crls);
            let names_one = error.certificate.is_some();
            let problem = || format!("{title}: {class} but {error}, CRLs refused: {crls:?}");
            (!fits || !names_one).then(problem)
        }
    }
}

/// Whether the store refused a CRL for the reason that the table gives, where that is what it gives.
fn crls_fit(class: &str, refused: &[CrlError]) -> bool {
    match class {
        "crl-signature" => refused.contains(&CrlError::Signature(Reason::BadSignature)),
        "unhandled-critical-crl-extension" => {
            refused.iter().any(|error| matches!(error, CrlError::UnknownCriticalExtension(_)))
        }
        _ => true,
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
    with_dsa: bool,
) -> (Result<Vec<Vec<u8>>, Error>, Vec<CrlError>) {
    let certificate = |name: &str| data::der(&root.join("certs").join(format!("{name}.der")));
    let mut chain: Vec<Vec<u8>> = texts(test, "chain").into_iter().map(certificate).collect();
    chain.reverse();
    chain.extend(texts(test, "crl_issuer_certs").into_iter().map(certificate));
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();

    let mut verifier = Verifier::new(provider);
    verifier.algorithms = AlgorithmPolicy { min_rsa_bits: 1024, ..AlgorithmPolicy::default() };
    if with_dsa {
        verifier.add_algorithm(&DsaWithSha1);
    }
    let anchor = certificate(text(test, "trust_anchor"));
    verifier.add_anchor(TrustAnchor::from_der(anchor).expect("the anchor is well-formed"));
    let mut store = CrlStore::new();
    let mut refused = Vec::new();
    for name in texts(test, "crls") {
        let crl = data::der(&root.join("crls").join(format!("{name}.crl")));
        // Whatever is wrong with a CRL, it is then not there.
        refused.extend(store.insert(&verifier, crl, &chain).err());
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
    let result = verifier.verify(&query, &store).map(|outcome| match outcome {
        Outcome::Accepted(path) => {
            assert!(path.references().last() == Some(&CertificateRef::Anchor(0)));
            path.policies().map(<[u8]>::to_vec).collect()
        }
        other => panic!("{}: nothing can be fetched, but {other:?}", text(test, "id")),
    });
    (result, refused)
}
