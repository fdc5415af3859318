//! Certificates made to cost much: each ends within a stated amount of work.

use adit_certval::{
    Budget, CertificateRef, CrlStore, Error, Limit, Outcome, PolicyInputs, Purpose, Query, Reason,
    Revocation, TrustAnchor, VerifiedPath, Verifier,
};
use adit_platform::UnixTime;
use adit_platform::rustcrypto::PROVIDER;
use adit_testkit::der::{context, explicit, oid, sequence};
use adit_testkit::pki::{self, Authority, Key, Template};
use adit_testkit::rng::SeededRng;

fn verifier(root: &Authority) -> Verifier {
    let mut anchor = TrustAnchor::from_der(root.certificate.clone()).unwrap();
    anchor.revocation = Revocation::Ignore;
    let mut verifier = Verifier::new(&PROVIDER);
    verifier.add_anchor(anchor);
    verifier
}

fn ask(
    verifier: &Verifier,
    sent: &[&[u8]],
    require_explicit: bool,
    budget: Budget,
) -> Result<VerifiedPath, Error> {
    let mut query = Query::new(sent, UnixTime::from_secs(pki::NOW));
    query.purpose = Purpose::Any;
    query.budget = budget;
    query.policies = PolicyInputs { require_explicit, ..PolicyInputs::default() };
    match verifier.verify(&query, &CrlStore::new())? {
        Outcome::Accepted(path) => Ok(path),
        other => panic!("nothing can be fetched, but {other:?}"),
    }
}

/// `CertificatePolicies` of these private OIDs.
fn policies(ids: &[String]) -> Vec<u8> {
    let items: Vec<u8> = ids.iter().flat_map(|id| sequence(&[&oid(id)])).collect();
    sequence(&[&items])
}

/// CVE-2023-0464 in general: every CA maps each of its policies to each of the next CA's, so that a tree has
/// width^depth nodes. The graph of RFC 9618 has width * depth.
#[test]
fn policy_mappings_cost_no_more_than_their_number() {
    const WIDTH: usize = 8;
    const DEPTH: usize = 12;
    let mut rng = SeededRng::new(2);
    let ids: Vec<String> = (0..WIDTH).map(|n| format!("1.2.3.{n}")).collect();
    let pairs = ids.iter().flat_map(|from| ids.iter().map(move |to| (from, to)));
    let mappings: Vec<u8> =
        pairs.flat_map(|(from, to)| sequence(&[&oid(from), &oid(to)])).collect();
    let extensions =
        vec![("2.5.29.32", false, policies(&ids)), ("2.5.29.33", false, sequence(&[&mappings]))];
    let root = Authority::root("Root", Key::ed25519(&mut rng));
    let mut cas = vec![root.clone()];
    for n in 0..DEPTH {
        let template =
            Template { extensions: extensions.clone(), ..Template::ca(&format!("CA {n}")) };
        let below = cas[n].intermediate(&template, Key::ed25519(&mut rng));
        cas.push(below);
    }
    let leaf = Template {
        extensions: vec![("2.5.29.32", false, policies(&ids[..1]))],
        ..Template::bare("leaf")
    };
    let leaf = cas[DEPTH].issue(&leaf, Key::ed25519(&mut rng));
    let mut sent = vec![&leaf.certificate[..]];
    sent.extend(cas[1..].iter().map(|ca| &ca.certificate[..]));

    let verifier = verifier(&root);
    let enough = (WIDTH * WIDTH + 3 * WIDTH) * (DEPTH + 1);
    let budget = Budget { policy_nodes: enough as u32, ..Budget::default() };
    let path = ask(&verifier, &sent, true, budget).unwrap();
    assert_eq!(path.policies().count(), WIDTH);
    let less = Budget { policy_nodes: (WIDTH * WIDTH) as u32, ..Budget::default() };
    let error = ask(&verifier, &sent, true, less).unwrap_err();
    assert_eq!(error.reason, Reason::BudgetExceeded(Limit::PolicyNodes));
}

/// Two thousand names against two thousand constraints.
#[test]
fn name_constraints_end_at_their_limit() {
    let mut rng = SeededRng::new(3);
    let root = Authority::root("Root", Key::ed25519(&mut rng));
    let build = |count: usize, rng: &mut SeededRng| {
        let trees: Vec<u8> = (0..count)
            .flat_map(|n| sequence(&[&context(2, format!("x{n}.example").as_bytes())]))
            .collect();
        let excluded = sequence(&[&explicit(1, &trees)]);
        let ca = Template { extensions: vec![("2.5.29.30", true, excluded)], ..Template::ca("CA") };
        let mut ca = root.clone().intermediate(&ca, Key::ed25519(rng));
        let dns = (0..count).map(|n| format!("y{n}.example")).collect();
        let leaf = ca.issue(&Template { dns, ..Template::bare("leaf") }, Key::ed25519(rng));
        (leaf.certificate, ca.certificate)
    };
    let (leaf, ca) = build(2_000, &mut rng);
    let error = ask(&verifier(&root), &[&leaf, &ca], false, Budget::default()).unwrap_err();
    assert_eq!(error.reason, Reason::BudgetExceeded(Limit::NameComparisons));
    let (leaf, ca) = build(500, &mut rng);
    assert!(ask(&verifier(&root), &[&leaf, &ca], false, Budget::default()).is_ok());
}

/// Ten thousand CAs of the issuer's name, one of which is the issuer.
#[test]
fn the_right_one_of_ten_thousand_is_found_by_its_key_identifier() {
    let mut rng = SeededRng::new(4);
    let mut root = Authority::root("Root", Key::ed25519(&mut rng));
    let mut verifier = verifier(&root);
    let mut issuer = root.intermediate(&Template::ca("Issuer"), Key::ed25519(&mut rng));
    for n in 0..10_000 {
        let other = match n {
            7_000 => issuer.certificate.clone(),
            _ => root.intermediate(&Template::ca("Issuer"), Key::ed25519(&mut rng)).certificate,
        };
        verifier.add_intermediate(other).unwrap();
    }
    let leaf = issuer.issue(&Template::bare("leaf"), Key::ed25519(&mut rng));
    let budget = Budget { signatures: 2, path_steps: 4, ..Budget::default() };
    let mut query = Query::new(&[], UnixTime::from_secs(pki::NOW));
    let sent = [&leaf.certificate[..]];
    query.certificates = &sent;
    query.purpose = Purpose::Any;
    query.budget = budget;
    let Ok(Outcome::Accepted(path)) = verifier.verify(&query, &CrlStore::new()) else {
        panic!("the first candidate is the right one");
    };
    assert_eq!(path.references()[1], CertificateRef::Configured(7_000));

    // One that none of them signed costs what the budget allows and no more.
    let stranger = Authority::root("Issuer", Key::ed25519(&mut rng));
    let leaf = stranger.clone().issue(&Template::bare("leaf"), Key::ed25519(&mut rng));
    let sent = [&leaf.certificate[..]];
    let mut query = query.clone();
    query.certificates = &sent;
    query.budget = Budget::default();
    let error = verifier.verify(&query, &CrlStore::new()).unwrap_err();
    assert_eq!(error.reason, Reason::BudgetExceeded(Limit::Signatures));
}

/// Every CA certifies every other: the simple paths among them grow with the factorial of their number.
#[test]
fn cross_certificates_end_at_the_limit_of_steps() {
    const CAS: usize = 8;
    let mut rng = SeededRng::new(8);
    let root = Authority::root("Root", Key::ed25519(&mut rng));
    let cas: Vec<Authority> =
        (0..CAS).map(|n| Authority::root(&format!("CA {n}"), Key::ed25519(&mut rng))).collect();
    let leaf = cas[0].clone().issue(&Template::bare("leaf"), Key::ed25519(&mut rng));
    let mut sent = vec![leaf.certificate];
    for (of, subject) in cas.iter().enumerate() {
        for (_, issuer) in cas.iter().enumerate().filter(|(by, _)| *by != of) {
            let template = Template::ca(&format!("CA {of}"));
            let issued = issuer.clone().issue(&template, subject.key().clone());
            sent.push(issued.certificate);
        }
    }
    let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
    assert_eq!(sent.len(), 1 + CAS * (CAS - 1));
    let verifier = verifier(&root);
    for path_steps in [100, 10_000] {
        let budget = Budget { path_steps, ..Budget::default() };
        let error = ask(&verifier, &sent, false, budget).unwrap_err();
        assert_eq!(error.reason, Reason::BudgetExceeded(Limit::PathSteps));
    }
    // The default ends it too, with each signature verified once however many paths it is part of.
    let budget = Budget { signatures: sent.len() as u32, ..Budget::default() };
    let error = ask(&verifier, &sent, false, budget).unwrap_err();
    let told =
        matches!(error.reason, Reason::UnknownIssuer | Reason::BudgetExceeded(Limit::PathSteps));
    assert!(told, "{error}");
}

#[test]
fn ten_thousand_certificates_are_not_even_read() {
    let mut rng = SeededRng::new(9);
    let mut root = Authority::root("Root", Key::ed25519(&mut rng));
    let leaf = root.issue(&Template::bare("leaf"), Key::ed25519(&mut rng)).certificate;
    let verifier = verifier(&root);
    let sent = vec![&leaf[..]; 10_000];
    let error = ask(&verifier, &sent, false, Budget::default()).unwrap_err();
    assert_eq!(error.reason, Reason::BudgetExceeded(Limit::Certificates));
    assert!(ask(&verifier, &sent[..64], false, Budget::default()).is_ok());
}

#[test]
fn long_chains_end_at_the_limit_of_depth() {
    let mut rng = SeededRng::new(10);
    let root = Authority::root("Root", Key::ed25519(&mut rng));
    let verifier = verifier(&root);
    let mut cas = vec![root];
    let mut chain = Vec::new();
    for n in 0..20 {
        let below = cas[n].intermediate(&Template::ca(&format!("CA {n}")), Key::ed25519(&mut rng));
        let leaf = below.clone().issue(&Template::bare("leaf"), Key::ed25519(&mut rng));
        chain.insert(0, below.certificate.clone());
        cas.push(below);
        let mut sent = vec![&leaf.certificate[..]];
        sent.extend(chain.iter().map(Vec::as_slice));
        let result = ask(&verifier, &sent, false, Budget::default());
        if sent.len() <= Budget::default().depth as usize {
            assert!(result.is_ok(), "{} certificates", sent.len());
        } else {
            let reason = result.unwrap_err().reason;
            assert_eq!(reason, Reason::BudgetExceeded(Limit::Depth), "{}", sent.len());
        }
    }
}

/// A CA that splits its list into as many as it likes: those beyond the budget are not looked at.
#[test]
fn crls_without_number_end_at_their_limit() {
    let mut rng = SeededRng::new(11);
    let mut root = Authority::root("Root", Key::ed25519(&mut rng));
    let leaf = root.issue(&Template::bare("leaf"), Key::ed25519(&mut rng));
    let mut verifier = Verifier::new(&PROVIDER);
    let mut anchor = TrustAnchor::from_der(root.certificate.clone()).unwrap();
    anchor.revocation = Revocation::Require;
    verifier.add_anchor(anchor);
    let mut store = CrlStore::new();
    for n in 0..200 {
        let url = context(6, format!("http://pki.example/{n}").as_bytes());
        let scope = sequence(&[&explicit(0, &explicit(0, &url))]);
        let extensions = [("2.5.29.28", true, scope)];
        let crl = root.crl_with([], pki::NOW - 9, Some(pki::NOW + 9), &extensions);
        store.insert(&verifier, crl, &[]).unwrap();
    }
    let sent = [&leaf.certificate[..]];
    let mut query = Query::new(&sent, UnixTime::from_secs(pki::NOW));
    query.purpose = Purpose::Any;
    query.may_fetch = false;
    let error = verifier.verify(&query, &store).unwrap_err();
    assert_eq!(error.reason, Reason::RevocationUnknown, "none of them covers it");
    query.budget.crls = 100;
    let error = verifier.verify(&query, &store).unwrap_err();
    assert_eq!(error.reason, Reason::BudgetExceeded(Limit::Crls));
}
