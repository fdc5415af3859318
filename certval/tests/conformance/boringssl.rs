//! BoringSSL's CRL corpus (66) and chain corpus (197).

use std::time::Duration;

use adit_certval::{
    AlgorithmPolicy, CertificateRef, CrlStore, Error, Outcome, PemBlock, PolicyInputs, Purpose,
    Query, Reason, Revocation, TrustAnchor, Verifier,
};
use adit_platform::UnixTime;
use serde_json::Value;

use crate::data::{self, Account, PROVIDERS, text};

#[test]
fn crls() {
    let Some(root) = data::root("boringssl-pki") else { return };
    let root = root.join("boringssl-pki");
    let suite = data::json(&root.join("crl.json"));
    let now = UnixTime::from_secs(suite["unix_time"].as_u64().expect("a time"));
    let age = Duration::from_secs(suite["max_age_seconds"].as_u64().expect("an age"));
    let tests = suite["tests"].as_array().expect("a list");
    let mut account = Account::new("boringssl-crl.txt");
    for test in tests {
        let blocks = data::pem(&root.join(text(test, "file")));
        let find = |label: &str| blocks.iter().find(|b| b.label == label).map(|b| b.der.clone());
        let leaf = find("CERTIFICATE").expect("a certificate");
        let issuer = find("CA CERTIFICATE").expect("an issuer");
        let above = find("CA CERTIFICATE 2");
        let result = [&PROVIDERS[0], &PROVIDERS[1]].map(|provider| {
            let mut verifier = Verifier::new(provider);
            verifier.algorithms.min_rsa_bits = 1024;
            // The corpus is about the target's status alone, and its issuers are believed as they are.
            let mut anchor =
                TrustAnchor::from_der(above.clone().unwrap_or_else(|| issuer.clone())).unwrap();
            anchor.max_crl_age = Some(age);
            anchor.enforce_constraints = false;
            verifier.add_anchor(anchor);
            let sent: Vec<&[u8]> = match above {
                None => vec![&leaf],
                Some(_) => vec![&leaf, &issuer],
            };
            let mut store = CrlStore::new();
            let crl = find("CRL").expect("a CRL");
            let _ = store.insert(&verifier, crl, &sent);
            let mut query = Query::new(&sent, now);
            query.purpose = Purpose::Any;
            query.may_fetch = false;
            match verifier.verify(&query, &store) {
                Ok(_) => "good".to_owned(),
                Err(Error {
                    certificate: Some(CertificateRef::Presented(0)),
                    reason: Reason::Revoked { .. },
                    ..
                }) => "revoked".into(),
                Err(Error { reason: Reason::RevocationUnknown, .. }) => "unknown".into(),
                Err(error) => error.to_string(),
            }
        });
        assert_eq!(result[0], result[1], "providers differ: {}", text(test, "file"));
        let agrees = result[0] == text(test, "expect");
        account.note(text(test, "file"), agrees, || {
            format!("{} expected, {}", text(test, "expect"), result[0])
        });
    }
    let (agreed, excepted) = account.finish(66);
    println!("boringssl-crl: {agreed}/66 agree, {excepted} excepted");
}

#[test]
fn chains() {
    let Some(root) = data::root("boringssl-pki") else { return };
    let root = root.join("boringssl-pki");
    let suite = data::json(&root.join("chains.json"));
    let tests = suite["tests"].as_array().expect("a list");
    let mut account = Account::new("boringssl-chains.txt");
    let mut indices = (0, 0);
    for test in tests {
        let blocks = data::pem(&root.join(text(test, "chain")));
        let results = [&PROVIDERS[0], &PROVIDERS[1]].map(|provider| chain(provider, test, &blocks));
        assert_eq!(results[0], results[1], "providers differ: {}", text(test, "id"));
        let [result, _] = results;
        let agrees = result.is_ok() == (text(test, "expect") == "valid");
        if let (Err(error), true) = (&result, agrees) {
            indices.1 += 1;
            let at = match error.certificate {
                Some(CertificateRef::Presented(index)) => Some(index),
                Some(CertificateRef::Anchor(_)) => Some(blocks.len() - 1),
                _ => None,
            };
            let errors = test["errors"].as_array().into_iter().flatten();
            let named: Vec<usize> =
                errors.filter_map(|e| e["cert"].as_u64()).map(|n| n as usize).collect();
            indices.0 += usize::from(named.is_empty() || at.is_some_and(|at| named.contains(&at)));
        }
        account.note(text(test, "id"), agrees, || {
            format!("{} expected, {result:?}", text(test, "expect"))
        });
    }
    let (agreed, excepted) = account.finish(197);
    println!(
        "boringssl-chains: {agreed}/197 agree, {excepted} excepted; {} of {} refusals name the same certificate",
        indices.0, indices.1
    );
}

fn chain(
    provider: &adit_platform::Provider,
    test: &Value,
    blocks: &[PemBlock],
) -> Result<(), Error> {
    let certificates: Vec<&[u8]> = blocks.iter().map(|block| &block.der[..]).collect();
    let (last, sent) = certificates.split_last().expect("a chain");
    let mut verifier = Verifier::new(provider);
    let strong = text(&test["extra"], "digest_policy") == "STRONG";
    verifier.algorithms = AlgorithmPolicy { min_rsa_bits: 1024, allow_sha1: !strong };
    let trust = text(test, "last_cert_trust");
    let mut sent = sent.to_vec();
    if trust != "DISTRUSTED" && trust != "UNSPECIFIED" {
        match TrustAnchor::from_der(last.to_vec()) {
            Ok(mut anchor) => {
                anchor.revocation = Revocation::Ignore;
                anchor.enforce_constraints =
                    trust.contains("WITH_CONSTRAINTS") || trust.contains("AND_CONSTRAINTS");
                anchor.enforce_validity = trust.contains("EXPIRATION");
                anchor.pinned = trust.contains("LEAF");
                // What is trusted as a leaf only is no anchor for others.
                if trust.contains("ANCHOR") || sent.is_empty() {
                    verifier.add_anchor(anchor);
                }
            }
            Err(error) => {
                let at = Some(CertificateRef::Anchor(0));
                return Err(Error {
                    certificate: at,
                    reason: Reason::Malformed(error),
                    presented: None,
                });
            }
        }
    }
    if sent.is_empty() {
        sent.push(last);
    }
    let policy: Vec<Vec<u8>> = test["extra"]["expected_user_constrained_policy_set"]
        .as_str()
        .into_iter()
        .flat_map(|list| list.split(", "))
        .map(|dotted| adit_testkit::der::oid(dotted)[2..].to_vec())
        .collect();
    let mut query = Query::new(&sent, UnixTime::from_secs(utc(text(test, "utc_time"))));
    query.may_fetch = false;
    query.policies = PolicyInputs::default();
    query.purpose = match text(test, "key_purpose") {
        "SERVER_AUTH" | "SERVER_AUTH_STRICT" | "SERVER_AUTH_STRICT_LEAF" => Purpose::TlsServer,
        "CLIENT_AUTH" | "CLIENT_AUTH_STRICT" | "CLIENT_AUTH_STRICT_LEAF" => Purpose::TlsClient,
        _ => Purpose::Any,
    };
    match verifier.verify(&query, &CrlStore::new())? {
        Outcome::Accepted(path) => {
            for expected in &policy {
                assert!(path.policies().any(|p| p == expected), "{}", text(test, "id"));
            }
            Ok(())
        }
        other => panic!("nothing can be fetched, but {other:?}"),
    }
}

/// `YYMMDDHHMMSSZ` of this century, in seconds since 1970.
fn utc(text: &str) -> u64 {
    let two = |at: usize| text[at..at + 2].parse::<u64>().expect("two digits");
    let (year, month, day) = (2000 + two(0), two(2), two(4));
    let leap = |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
    let years: u64 = (1970..year).map(|y| if leap(y) { 366 } else { 365 }).sum();
    let february = if leap(year) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let months: u64 = lengths[..month as usize - 1].iter().sum();
    (years + months + day - 1) * 86_400 + two(6) * 3600 + two(8) * 60 + two(10)
}
