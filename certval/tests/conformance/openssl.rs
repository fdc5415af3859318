//! OpenSSL's `verify` corpus (163), run as `openssl verify -auth_level 1 …`.

use std::path::Path;

use adit_certval::{
    AlgorithmPolicy, Certificate, CrlStore, Outcome, PolicyInputs, Purpose, Query, Revocation,
    TrustAnchor, Verifier,
};
use adit_platform::{Provider, UnixTime};
use serde_json::Value;

use crate::data::{self, Account, PROVIDERS, text, texts};

#[test]
fn verify() {
    let Some(root) = data::root("openssl-certs") else { return };
    let root = root.join("openssl-certs");
    let suite = data::json(&root.join("verify.json"));
    let tests = suite["tests"].as_array().expect("a list");
    let mut account = Account::new("openssl-verify.txt");
    for test in tests {
        let results = [&PROVIDERS[0], &PROVIDERS[1]].map(|provider| run(&root, provider, test));
        assert_eq!(results[0], results[1], "providers differ: {}", text(test, "title"));
        let [result, _] = results;
        let under = texts(test, "trusted").join(", ");
        let name = format!("{} ({} under {under})", text(test, "title"), text(test, "cert"));
        let agrees = result.is_ok() == (text(test, "expect") == "valid");
        account.note(&name, agrees, || format!("{} expected, {result:?}", text(test, "expect")));
    }
    let (agreed, excepted) = account.finish(163);
    println!("openssl-verify: {agreed}/163 agree, {excepted} excepted");
}

/// The two paths of CVE-2023-0464, of 5 and of 31 CAs that map two policies to two: both are valid, and both cost
/// no more than their number of policies and mappings.
#[test]
fn policy_tree() {
    let Some(root) = data::root("openssl-certs") else { return };
    let root = root.join("openssl-certs/policy_tree");
    for (size, cas) in [("small", 5), ("large", 31)] {
        let mut sent = data::pem(&root.join(format!("{size}_leaf.pem")));
        sent.extend(data::pem(&root.join(format!("{size}_policy_tree.pem"))));
        assert_eq!(sent.len(), 1 + cas);
        let anchor = sent.pop().expect("the last is the root");
        let mut anchor = TrustAnchor::from_der(anchor.der).expect("well-formed");
        anchor.revocation = Revocation::Ignore;
        let mut verifier = Verifier::new(&PROVIDERS[0]);
        verifier.add_anchor(anchor);
        let sent: Vec<&[u8]> = sent.iter().map(|block| &block.der[..]).collect();
        let mut query = Query::new(&sent, UnixTime::from_secs(1_704_067_200));
        query.purpose = Purpose::Any;
        query.policies = PolicyInputs { require_explicit: true, ..PolicyInputs::default() };
        query.budget.depth = 40;
        query.budget.policy_nodes = 20 * cas as u32;
        let outcome = verifier.verify(&query, &CrlStore::new());
        assert!(matches!(outcome, Ok(Outcome::Accepted(_))), "{size}: {outcome:?}");
    }
    println!("openssl policy_tree: 2/2 within 20 steps for each certificate");
}

fn run(root: &Path, provider: &Provider, test: &Value) -> Result<(), String> {
    let options = texts(test, "options");
    let option = |name: &str| {
        let at = options.iter().position(|option| *option == name)?;
        Some(options.get(at + 1).copied().unwrap_or_default())
    };
    let load = |name: &str| load(root, name);
    let level: u32 = option("-auth_level").map_or(1, |level| level.parse().expect("a level"));
    let mut verifier = Verifier::new(provider);
    verifier.algorithms = AlgorithmPolicy {
        min_rsa_bits: [0, 1024, 2048, 3072][level as usize],
        allow_sha1: level == 0,
    };
    let purpose = match text(test, "purpose") {
        "sslserver" => Purpose::TlsServer,
        "sslclient" => Purpose::TlsClient,
        _ => Purpose::Any,
    };
    let partial = option("-partial_chain").is_some();
    let mut trusted = texts(test, "trusted");
    if option("-CAfile").is_some() {
        trusted.push("root-cert");
    }
    for name in trusted {
        let (der, trust) = load(name);
        let Ok(mut anchor) = TrustAnchor::from_der(der.clone()) else { continue };
        let certificate = Certificate::from_der(&der).expect("the anchor was read");
        // Without -partial_chain only self-signed certificates, and those trusted explicitly, end a path.
        if !(partial || certificate.is_self_issued() || trust.explicit) {
            let _ = verifier.add_intermediate(der);
            continue;
        }
        anchor.revocation = Revocation::Ignore;
        anchor.enforce_validity = true;
        anchor.pinned = true;
        (anchor.for_gateways, anchor.for_clients) = (trust.server, trust.client);
        verifier.add_anchor(anchor);
    }
    let mut sent = vec![load(text(test, "cert")).0];
    sent.extend(texts(test, "untrusted").into_iter().map(|name| load(name).0));
    let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
    let time = option("-attime").map_or(1_704_067_200, |time| time.parse().expect("a time"));
    let mut query = Query::new(&sent, UnixTime::from_secs(time));
    query.may_fetch = false;
    query.purpose = purpose;
    if let Some(depth) = option("-verify_depth") {
        query.budget.depth = depth.parse::<u32>().expect("a depth") + 1;
    }
    let policy = option("-policy").map(|dotted| adit_testkit::der::oid(dotted)[2..].to_vec());
    let initial: Vec<&[u8]> = policy.iter().map(Vec::as_slice).collect();
    let require_explicit = option("-explicit_policy").is_some();
    query.policies =
        PolicyInputs { initial: &initial, require_explicit, ..PolicyInputs::default() };
    match verifier.verify(&query, &CrlStore::new()) {
        Ok(Outcome::Accepted(_)) => Ok(()),
        Ok(other) => panic!("nothing can be fetched, but {other:?}"),
        Err(error) => Err(error.to_string()),
    }
}

/// What OpenSSL's own addition to a certificate, in a `TRUSTED CERTIFICATE` block, allows.
struct Trust {
    explicit: bool,
    server: bool,
    client: bool,
}

fn load(root: &Path, name: &str) -> (Vec<u8>, Trust) {
    let block = data::pem(&root.join("certs").join(format!("{name}.pem")))
        .into_iter()
        .find(|block| block.label.ends_with("CERTIFICATE"))
        .unwrap_or_else(|| panic!("{name}: no certificate"));
    let len = 4 + usize::from(block.der[2]) * 256 + usize::from(block.der[3]);
    let (certificate, auxiliary) = block.der.split_at(len.min(block.der.len()));
    (certificate.to_vec(), trust(auxiliary))
}

/// `SEQUENCE { trust SEQUENCE OF OID OPTIONAL, reject [0] SEQUENCE OF OID OPTIONAL, … }`, short lengths only.
fn trust(auxiliary: &[u8]) -> Trust {
    let (mut allowed, mut refused): (Vec<&[u8]>, Vec<&[u8]>) = (Vec::new(), Vec::new());
    let mut rest = auxiliary.get(2..).unwrap_or_default();
    while let [tag, len, tail @ ..] = rest {
        let (mut list, next) = tail.split_at(usize::from(*len).min(tail.len()));
        while let [6, len, tail @ ..] = list {
            let (oid, next) = tail.split_at(usize::from(*len).min(tail.len()));
            match tag {
                0x30 => allowed.push(oid),
                0xa0 => refused.push(oid),
                _ => {}
            }
            list = next;
        }
        rest = next;
    }
    const SERVER: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
    const CLIENT: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
    const ANY: &[u8] = &[0x55, 0x1d, 0x25, 0];
    let may = |purpose| {
        let refused = refused.contains(&purpose) || refused.contains(&ANY);
        !refused && (allowed.is_empty() || allowed.contains(&purpose) || allowed.contains(&ANY))
    };
    Trust { explicit: !allowed.is_empty(), server: may(SERVER), client: may(CLIENT) }
}
