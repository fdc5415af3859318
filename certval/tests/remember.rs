//! Peers that are believed by themselves: by fingerprint, because they were believed before, or never.

use adit_certval::{
    Certificate, CertificateRef, CrlStore, Error, ErrorClass, FactoryRule, Fingerprint, Identity,
    KnownPeers, KnownPeersError, NamePattern, Outcome, Purpose, Query, Reason, Recognition,
    Revocation, TrustAnchor, VerifiedPath, Verifier, Warning,
};
use adit_platform::UnixTime;
use adit_platform::hash::HashAlgorithm;
use adit_platform::ring::PROVIDER;
use adit_testkit::pki::{self, Authority, Key, Template};
use adit_testkit::rng::SeededRng;

const NOW: UnixTime = UnixTime::from_secs(pki::NOW);
const NAME: &str = "gateway.example";

/// A certificate that signs itself, as devices make them.
fn self_signed(template: &Template, key: &Key) -> Vec<u8> {
    Authority::root_from(template, key.clone()).certificate
}

fn keys() -> [Key; 2] {
    let mut rng = SeededRng::new(22);
    [Key::p256(&mut rng), Key::p256(&mut rng)]
}

fn device() -> Template {
    Template::bare("device-4711")
}

/// The verdict on a peer of which `peers` may know something.
fn judge(verifier: &Verifier, peers: &KnownPeers, sent: &[u8]) -> Result<Outcome, Error> {
    let sent = [sent];
    let mut query = Query::new(&sent, NOW);
    query.remembered = Some(peers.peer(NAME));
    query.identity = Some(Identity::Fqdn(NAME));
    verifier.verify(&query, &CrlStore::new())
}

fn accepted(outcome: Result<Outcome, Error>) -> VerifiedPath {
    match outcome {
        Ok(Outcome::Accepted(path)) => path,
        other => panic!("expected acceptance, got {other:?}"),
    }
}

fn reason(outcome: Result<Outcome, Error>) -> Reason {
    match outcome {
        Err(error) => error.reason,
        other => panic!("expected refusal, got {other:?}"),
    }
}

fn fingerprint(bytes: &[u8]) -> Fingerprint {
    let digest = PROVIDER.hash(HashAlgorithm::Sha256).unwrap().hash(&[bytes]);
    Fingerprint((*digest).try_into().unwrap())
}

#[test]
fn a_peer_is_new_then_known_then_changed() {
    let [key, other] = keys();
    let verifier = Verifier::new(&PROVIDER);
    let mut peers = KnownPeers::new();
    let first = self_signed(&device(), &key);
    let read = |der| Certificate::from_der(der).unwrap();
    assert_eq!(peers.peer(NAME).recognize(&read(&first), &PROVIDER), Recognition::New);
    let error = judge(&verifier, &peers, &first).unwrap_err();
    assert_eq!(error.reason, Reason::NoTrustAnchor);
    let info = error.presented.expect("a person has to see what they decide about");
    assert_eq!(info.common_name.as_deref(), Some("device-4711"));
    assert_eq!(info.key_sha256, Some(fingerprint(&key.spki).0));

    peers.remember(NAME, &read(&first), &PROVIDER, NOW).unwrap();
    let known = Recognition::Known { since: NOW };
    assert_eq!(peers.peer(NAME).recognize(&read(&first), &PROVIDER), known);
    let path = accepted(judge(&verifier, &peers, &first));
    assert_eq!(path.references(), [CertificateRef::Presented(0)]);
    assert_eq!((path.anchor(), path.warnings()), (None, &[][..]));
    // Renewed, with the same key: still the same peer.
    let renewed = Template { not_after: pki::NOT_AFTER + 1, ..device() };
    accepted(judge(&verifier, &peers, &self_signed(&renewed, &key)));

    let second = self_signed(&device(), &other);
    let (remembered, presented) = (fingerprint(&key.spki), fingerprint(&other.spki));
    let error = judge(&verifier, &peers, &second).unwrap_err();
    assert_eq!(error.reason, Reason::KeyChanged { remembered, presented });
    assert_eq!(error.class(), ErrorClass::Peer);
    let text = error.to_string();
    assert!(text.contains(&remembered.to_string()) && text.contains(&presented.to_string()));
    let changed = Recognition::Changed { remembered, presented, since: NOW };
    assert_eq!(peers.peer(NAME).recognize(&read(&second), &PROVIDER), changed);

    // Another peer is another matter, and so is the same one once it was forgotten.
    assert!(peers.forget(NAME) && !peers.forget(NAME));
    assert_eq!(reason(judge(&verifier, &peers, &first)), Reason::NoTrustAnchor);
}

#[test]
fn being_known_helps_against_nothing_but_an_unknown_issuer() {
    let [key, ca_key] = keys();
    let mut peers = KnownPeers::new();
    let mut remember = |der: &[u8]| {
        let certificate = Certificate::from_der(der).unwrap();
        peers.remember(NAME, &certificate, &PROVIDER, NOW).unwrap();
    };
    let expired = self_signed(&Template { not_after: pki::NOW - 1, ..device() }, &key);
    let critical = vec![("1.2.3.4", true, vec![5, 0])];
    let odd = self_signed(&Template { extensions: critical, ..device() }, &key);
    let for_users = self_signed(&Template::user("a@example"), &key);
    remember(&expired);
    let mut verifier = Verifier::new(&PROVIDER);
    let mut ca = Authority::root("CA", ca_key);
    let mut anchor = TrustAnchor::from_der(ca.certificate.clone()).unwrap();
    anchor.revocation = Revocation::Require;
    verifier.add_anchor(anchor);
    let not_after = pki::NOW as i64 - 1;
    assert_eq!(reason(judge(&verifier, &peers, &expired)), Reason::Expired { not_after });
    let unknown = Reason::UnknownCriticalExtension("1.2.3.4".into());
    assert_eq!(reason(judge(&verifier, &peers, &odd)), unknown);
    assert_eq!(reason(judge(&verifier, &peers, &for_users)), Reason::ExtendedKeyUsage);

    // What a CA vouches for is judged by what the CA says.
    let issued = ca.issue(&Template::gateway("other.example"), key.clone());
    assert_eq!(reason(judge(&verifier, &peers, &issued.certificate)), Reason::WrongName);
    let issued = ca.issue(&Template::gateway(NAME), key);
    let sent = [&issued.certificate[..]];
    let mut query = Query::new(&sent, NOW);
    query.remembered = Some(peers.peer(NAME));
    let mut store = CrlStore::new();
    store.insert(&verifier, ca.crl(&[issued.serial]), &[]).unwrap();
    let revoked = verifier.verify(&query, &store).unwrap_err();
    assert!(matches!(revoked.reason, Reason::Revoked { .. }));
}

#[test]
fn a_new_key_that_a_ca_vouches_for_warns() {
    let [key, ca_key] = keys();
    let mut ca = Authority::root("CA", ca_key);
    let old = ca.issue(&Template::gateway(NAME), key);
    let new = ca.issue(&Template::gateway(NAME), Key::rsa2048(0));
    let mut verifier = Verifier::new(&PROVIDER);
    let mut anchor = TrustAnchor::from_der(ca.certificate).unwrap();
    anchor.revocation = Revocation::Ignore;
    verifier.add_anchor(anchor);
    let mut peers = KnownPeers::new();
    assert!(accepted(judge(&verifier, &peers, &old.certificate)).warnings().is_empty());
    let certificate = Certificate::from_der(&old.certificate).unwrap();
    peers.remember(NAME, &certificate, &PROVIDER, NOW).unwrap();
    assert!(accepted(judge(&verifier, &peers, &old.certificate)).warnings().is_empty());
    let path = accepted(judge(&verifier, &peers, &new.certificate));
    let (remembered, presented) = (fingerprint(&old.key.spki), fingerprint(&new.key.spki));
    assert_eq!(path.warnings(), [Warning::KeyChanged { remembered, presented }]);
    let text = path.warnings()[0].to_string();
    assert!(text.contains(&remembered.to_string()) && text.contains(&presented.to_string()));
}

#[test]
fn known_peers_survive_as_lines_of_text() {
    let [key, other] = keys();
    let mut peers = KnownPeers::new();
    let der = self_signed(&device(), &key);
    let certificate = Certificate::from_der(&der).unwrap();
    peers.remember("192.0.2.1", &certificate, &PROVIDER, NOW).unwrap();
    peers.remember("Büro, 2. Stock", &certificate, &PROVIDER, UnixTime::from_secs(0)).unwrap();
    let hex = fingerprint(&key.spki).to_string().replace(':', "").to_lowercase();
    let text = format!("{hex} {} 192.0.2.1\n{hex} 0 Büro, 2. Stock\n", pki::NOW);
    assert_eq!(peers.to_text(), text);
    assert_eq!(KnownPeers::read(&text), Ok(peers.clone()));
    assert_eq!(KnownPeers::read(&format!("# mine\n\n{text}")), Ok(peers.clone()));
    assert_eq!(peers.names().collect::<Vec<_>>(), ["192.0.2.1", "Büro, 2. Stock"]);
    // The second word for a peer replaces the first.
    let der = self_signed(&device(), &other);
    let certificate = Certificate::from_der(&der).unwrap();
    peers.remember("192.0.2.1", &certificate, &PROVIDER, NOW).unwrap();
    assert_eq!(peers.to_text().lines().count(), 2);
    assert!(!peers.to_text().contains(&format!("{hex} {}", pki::NOW)));

    for (line, bad) in [
        (1, "x".to_owned()),
        (2, format!("{hex} 0 a\n{hex} 0 a")),
        (1, format!("{hex} 0 ")),
        (1, format!("{hex} 0")),
        (1, format!("{hex} -1 a")),
        (1, format!("{hex}0 0 a")),
        (1, format!("{} 0 a", &hex[1..])),
        (1, format!("{hex} 0 a\tb")),
    ] {
        assert_eq!(KnownPeers::read(&bad), Err(KnownPeersError::Line(line)), "{bad}");
    }
    for name in ["", "a\nb", "\u{7f}"] {
        let result = peers.remember(name, &certificate, &PROVIDER, NOW);
        assert_eq!(result, Err(KnownPeersError::Name));
    }
}

#[test]
fn a_fingerprint_stands_for_its_certificate_alone() {
    let [key, _] = keys();
    let template = Template { dns: vec![NAME.into()], ..device() };
    let der = self_signed(&template, &key);
    let mut verifier = Verifier::new(&PROVIDER);
    verifier.accept_fingerprint(fingerprint(&der));
    let peers = KnownPeers::new();
    let path = accepted(judge(&verifier, &peers, &der));
    assert_eq!((path.anchor(), path.certificates().count()), (None, 1));
    let renewed = self_signed(&Template { not_after: pki::NOT_AFTER + 1, ..template }, &key);
    assert_eq!(reason(judge(&verifier, &peers, &renewed)), Reason::NoTrustAnchor);
    // It is the certificate of this name, not of any.
    let nameless = self_signed(&device(), &key);
    verifier.accept_fingerprint(fingerprint(&nameless));
    assert_eq!(reason(judge(&verifier, &peers, &nameless)), Reason::WrongName);
    let sent = [&nameless[..]];
    let mut query = Query::new(&sent, NOW);
    accepted(verifier.verify(&query, &CrlStore::new()));
    query.time = UnixTime::from_secs(pki::NOT_AFTER + 1);
    let expired = verifier.verify(&query, &CrlStore::new()).unwrap_err();
    assert_eq!(expired.reason, Reason::Expired { not_after: pki::NOT_AFTER as i64 });
}

#[test]
fn fingerprints_are_read_as_people_write_them() {
    let plain = "00112233445566778899aabbccddeeff".repeat(2);
    let fingerprint = Fingerprint::parse(&plain).unwrap();
    assert_eq!(fingerprint.0[..3], [0, 0x11, 0x22]);
    let shown = fingerprint.to_string();
    assert_eq!(shown.len(), 95);
    assert_eq!(Fingerprint::parse(&shown), Some(fingerprint));
    assert_eq!(Fingerprint::parse(&format!(" {} ", shown.to_lowercase())), Some(fingerprint));
    for bad in [&plain[1..], &format!("{plain}0"), &shown[1..], &plain.replace('0', "g"), ""] {
        assert_eq!(Fingerprint::parse(bad), None, "{bad}");
    }
    let mixed = format!("{}{}", &shown[..47], shown[47..].replace(':', ""));
    assert_eq!(Fingerprint::parse(&mixed), None);
}

#[test]
fn a_factory_certificate_is_refused_even_where_it_was_believed() {
    let [key, other] = keys();
    let der = self_signed(&device(), &key);
    let mut verifier = Verifier::new(&PROVIDER);
    let mut peers = KnownPeers::new();
    let certificate = Certificate::from_der(&der).unwrap();
    peers.remember(NAME, &certificate, &PROVIDER, NOW).unwrap();
    accepted(judge(&verifier, &peers, &der));
    verifier.accept_fingerprint(fingerprint(&der));
    let patterns = || vec![NamePattern::parse("CN=device-*").unwrap()];
    verifier.factory = Some(FactoryRule::new(patterns()));
    let error = judge(&verifier, &peers, &der).unwrap_err();
    assert_eq!(error.reason, Reason::FactoryCertificate);
    assert_eq!(error.certificate, Some(CertificateRef::Presented(0)));
    assert!(error.presented.is_some());

    // What its owner made is none: another name, alternative names, a CA behind it.
    let mut ca = Authority::root("CA", other);
    let owned = [
        self_signed(&Template::bare("gateway-1"), &key),
        self_signed(&Template { dns: vec![NAME.into()], ..device() }, &key),
        ca.issue(&device(), key.clone()).certificate,
        // It bears its own name as issuer, but another's signature.
        ca_named_like_the_device().issue(&device(), key.clone()).certificate,
    ];
    for der in &owned {
        let result = judge(&verifier, &KnownPeers::new(), der);
        assert_ne!(reason(result), Reason::FactoryCertificate);
    }
    // Each condition can be dropped.
    let mut rule = FactoryRule::new(patterns());
    rule.self_signed = false;
    verifier.factory = Some(rule);
    for der in [&owned[2], &owned[3]] {
        let result = judge(&verifier, &KnownPeers::new(), der);
        assert_eq!(reason(result), Reason::FactoryCertificate);
    }
    let mut rule = FactoryRule::new(patterns());
    rule.without_alt_names = false;
    verifier.factory = Some(rule);
    let result = judge(&verifier, &KnownPeers::new(), &owned[1]);
    assert_eq!(reason(result), Reason::FactoryCertificate);
}

fn ca_named_like_the_device() -> Authority {
    let [_, other] = keys();
    Authority::root_from(&device(), other)
}

/// Every verdict that a warning dialog tells apart, with what it shows.
#[test]
fn verdicts_carry_what_a_person_needs() {
    let [key, ca_key] = keys();
    let mut ca = Authority::root("CA", ca_key);
    let mut verifier = Verifier::new(&PROVIDER);
    let mut anchor = TrustAnchor::from_der(ca.certificate.clone()).unwrap();
    anchor.revocation = Revocation::Warn;
    verifier.add_anchor(anchor);
    let good = ca.issue(&Template::gateway(NAME), key.clone());
    let revoked = ca.issue(&Template::gateway(NAME), key.clone());
    let expired = Template { not_after: pki::NOW - 1, ..Template::gateway(NAME) };
    let expired = ca.issue(&expired, key.clone());
    let misnamed = ca.issue(&Template::gateway("other.example"), key.clone());
    let stranger = self_signed(&Template::gateway(NAME), &key);
    let listing = ca.crl_with(
        [(revoked.serial, pki::NOW - 60, Some(1))],
        pki::NOW - 50,
        Some(pki::NOW - 40),
        &[],
    );
    let mut store = CrlStore::new();
    store.insert(&verifier, listing, &[]).unwrap();
    let ask = |der: &[u8]| {
        let sent = [der];
        let mut query = Query::new(&sent, NOW);
        (query.identity, query.may_fetch) = (Some(Identity::Fqdn(NAME)), false);
        query.purpose = Purpose::IkeGateway;
        verifier.verify(&query, &store)
    };
    // The CRL is out of date: a warning for the one, but what it revoked stays revoked.
    let path = accepted(ask(&good.certificate));
    assert_eq!(path.warnings(), [Warning::RevocationUnknown(CertificateRef::Presented(0))]);
    let shown = path.info().to_string();
    for part in ["CN=CA", "CN=gateway.example", "DNS:gateway.example", "2024-01-01", "2044-01-01"] {
        assert!(shown.contains(part), "{shown}");
    }
    let info = path.info();
    assert!(
        shown.contains(&info.sha256_hex().unwrap()) && shown.contains(&info.sha1_hex().unwrap())
    );
    for (der, expected) in [
        (
            &revoked.certificate,
            "peer certificate: revoked on 2024-12-31 23:59:00Z (key compromise)",
        ),
        (&expired.certificate, "peer certificate: expired on 2024-12-31 23:59:59Z"),
        (&misnamed.certificate, "peer certificate: issued for another name"),
        (&stranger, "peer certificate: issued by an unknown authority"),
    ] {
        let error = ask(der).unwrap_err();
        assert_eq!(error.to_string(), expected);
        let certificate = Certificate::from_der(der).unwrap();
        let info = adit_certval::CertificateInfo::new(&certificate, &PROVIDER);
        assert_eq!(*error.presented.unwrap(), info);
    }
}
