//! Whole verifications against a PKI made for the purpose, for every provider.

use adit_certval::{
    CertificateRef, CrlError, CrlStore, Error, ErrorClass, Outcome, Query, Reason, Revocation,
    RevocationReason, Source, TrustAnchor, VerifiedPath, Verifier, Warning,
};
use adit_platform::{Provider, UnixTime};
use adit_testkit::der::{number, octet_string, oid, sequence, time, tlv};
use adit_testkit::pki::{self, Authority, Issued, Key, Template};
use adit_testkit::rng::SeededRng;

const PROVIDERS: [&Provider; 2] =
    [&adit_platform::ring::PROVIDER, &adit_platform::rustcrypto::PROVIDER];

const NOW: UnixTime = UnixTime::from_secs(pki::NOW);
const URL: &str = "http://pki.example/root.crl";

/// A root, an intermediate and a gateway below it, on P-256, with CRL distribution points.
struct World {
    rng: SeededRng,
    root: Authority,
    intermediate: Authority,
    gateway: Issued,
}

impl World {
    fn new() -> Self {
        Self::with(&gateway())
    }

    fn with(leaf: &Template) -> Self {
        let mut rng = SeededRng::new(4);
        let mut root = Authority::root("Root", Key::p256(&mut rng));
        let below = Template { crl_urls: vec![URL.into()], ..Template::ca("Intermediate") };
        let mut intermediate = root.intermediate(&below, Key::p256(&mut rng));
        let gateway = intermediate.issue(leaf, Key::p256(&mut rng));
        Self { rng, root, intermediate, gateway }
    }

    fn verifier(&self, provider: &Provider, revocation: Revocation) -> Verifier {
        let mut anchor = TrustAnchor::from_der(self.root.certificate.clone()).unwrap();
        anchor.revocation = revocation;
        let mut verifier = Verifier::new(provider);
        verifier.add_anchor(anchor);
        verifier
    }

    fn sent(&self) -> [&[u8]; 2] {
        [&self.gateway.certificate, &self.intermediate.certificate]
    }

    /// Verifies without revocation, after `change`.
    fn ask(
        &self,
        provider: &Provider,
        change: impl FnOnce(&mut Query<'_>),
    ) -> Result<Outcome, Error> {
        let sent = self.sent();
        let mut query = Query::new(&sent, NOW);
        change(&mut query);
        self.verifier(provider, Revocation::Ignore).verify(&query, &CrlStore::new())
    }
}

fn gateway() -> Template {
    Template {
        crl_urls: vec!["http://pki.example/intermediate.crl".into()],
        ip: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        ..Template::gateway("gateway.example")
    }
}

fn accepted(outcome: Result<Outcome, Error>) -> VerifiedPath {
    match outcome {
        Ok(Outcome::Accepted(path)) => path,
        other => panic!("expected acceptance, got {other:?}"),
    }
}

fn refused(outcome: Result<Outcome, Error>) -> (Option<CertificateRef>, Reason) {
    match outcome {
        Err(error) => (error.certificate, error.reason),
        Ok(outcome) => panic!("expected refusal, got {outcome:?}"),
    }
}

#[test]
fn a_chain_to_the_anchor_is_accepted_and_described() {
    let world = World::new();
    for provider in PROVIDERS {
        let path = accepted(world.ask(provider, |_| ()));
        let references =
            [CertificateRef::Presented(0), CertificateRef::Presented(1), CertificateRef::Anchor(0)];
        assert_eq!(path.references(), references);
        assert_eq!(path.subject_public_key_info(), world.gateway.key.spki);
        let info = path.info();
        assert_eq!(info.subject, "CN=gateway.example");
        assert_eq!(info.issuer, "CN=Intermediate");
        assert_eq!(info.common_name.as_deref(), Some("gateway.example"));
        assert_eq!(info.alt_names, ["DNS:gateway.example", "IP:192.0.2.1", "IP:2001:db8::1"]);
        assert_eq!(info.not_before, pki::NOT_BEFORE as i64);
        assert_eq!(info.not_after, pki::NOT_AFTER as i64);
        let sha256 = provider.hash(adit_platform::hash::HashAlgorithm::Sha256).unwrap();
        assert_eq!(info.sha256.unwrap()[..], *sha256.hash(&[&world.gateway.certificate]));
        assert!(path.warnings().is_empty());
    }
}

#[test]
fn every_kind_of_key_signs() {
    let mut rng = SeededRng::new(9);
    let keys = [Key::p256(&mut rng), Key::ed25519(&mut rng), Key::rsa2048(0)];
    for provider in PROVIDERS {
        for key in &keys {
            let mut root = Authority::root("Root", key.clone());
            let issued = root.issue(&Template::gateway("g.example"), Key::rsa2048(1));
            let mut verifier = Verifier::new(provider);
            verifier.add_anchor(TrustAnchor::from_der(root.certificate.clone()).unwrap());
            let mut store = CrlStore::new();
            store.insert(&verifier, root.crl(&[]), &[]).unwrap();
            let sent = [&issued.certificate[..]];
            accepted(verifier.verify(&Query::new(&sent, NOW), &store));
        }
    }
}

#[test]
fn validity_is_inclusive_at_both_ends() {
    //= RFC 5280 section 4.1.2.5
    let world = World::new();
    let at =
        |secs| world.ask(PROVIDERS[0], |query| query.time = UnixTime::from_secs(secs)).map(|_| ());
    assert!(at(pki::NOT_BEFORE).is_ok());
    assert!(at(pki::NOT_AFTER).is_ok());
    let early = at(pki::NOT_BEFORE - 1).unwrap_err();
    assert_eq!(early.reason, Reason::NotYetValid { not_before: pki::NOT_BEFORE as i64 });
    let late = at(pki::NOT_AFTER + 1).unwrap_err();
    assert_eq!(late.reason, Reason::Expired { not_after: pki::NOT_AFTER as i64 });
    assert_eq!(late.to_string(), "presented certificate 1: expired on 2044-01-01 00:00:00Z");
}

#[test]
fn unknown_issuers_are_told_apart_from_bad_signatures() {
    let (world, mut other) = (World::new(), SeededRng::new(77));
    let stranger = Authority::root("Another Root", Key::p256(&mut other));
    let sent = world.sent();
    for provider in PROVIDERS {
        let mut verifier = Verifier::new(provider);
        let (_, reason) = refused(verifier.verify(&Query::new(&sent, NOW), &CrlStore::new()));
        assert_eq!(reason, Reason::NoTrustAnchor);
        verifier.add_anchor(TrustAnchor::from_der(stranger.certificate.clone()).unwrap());
        let error = verifier.verify(&Query::new(&sent, NOW), &CrlStore::new()).unwrap_err();
        assert_eq!(error.reason, Reason::UnknownIssuer);
        assert_eq!(error.presented.unwrap().subject, "CN=gateway.example");

        // The same name with another key.
        let impostor = Authority::root("Root", Key::p256(&mut other));
        verifier.add_anchor(TrustAnchor::from_der(impostor.certificate.clone()).unwrap());
        let (at, reason) = refused(verifier.verify(&Query::new(&sent, NOW), &CrlStore::new()));
        assert_eq!((at, reason), (Some(CertificateRef::Presented(1)), Reason::BadSignature));
    }
}

#[test]
fn one_flipped_bit_anywhere_in_the_leaf_is_refused() {
    let world = World::new();
    let verifier = world.verifier(PROVIDERS[0], Revocation::Ignore);
    let leaf = &world.gateway.certificate;
    for at in 0..leaf.len() {
        let mut bent = leaf.clone();
        bent[at] ^= 1 << (at % 8);
        let sent = [&bent[..], &world.intermediate.certificate];
        assert!(verifier.verify(&Query::new(&sent, NOW), &CrlStore::new()).is_err(), "byte {at}");
    }
}

#[test]
fn revocation_is_asked_for_fetched_and_honoured() {
    let mut world = World::new();
    let (gateway, intermediate) =
        (world.gateway.certificate.clone(), world.intermediate.certificate.clone());
    let sent = [&gateway[..], &intermediate];
    for provider in PROVIDERS {
        let verifier = world.verifier(provider, Revocation::Require);
        let mut query = Query::new(&sent, NOW);
        let mut store = CrlStore::new();

        let Ok(Outcome::NeedsRevocation(fetches)) = verifier.verify(&query, &store) else {
            panic!("nothing is known yet");
        };
        assert_eq!(fetches.len(), 2);
        assert_eq!(fetches[0].certificate, CertificateRef::Presented(1));
        assert_eq!(fetches[0].sources, [Source::Crl { url: URL.into() }]);
        assert_eq!(fetches[1].sources[0].url(), "http://pki.example/intermediate.crl");

        query.may_fetch = false;
        let (at, reason) = refused(verifier.verify(&query, &store));
        assert_eq!((at, reason), (Some(CertificateRef::Presented(1)), Reason::RevocationUnknown));

        store.insert(&verifier, world.root.crl(&[]), &sent).unwrap();
        let (at, _) = refused(verifier.verify(&query, &store));
        assert_eq!(at, Some(CertificateRef::Presented(0)));

        store.insert(&verifier, world.intermediate.crl(&[77]), &sent).unwrap();
        assert!(accepted(verifier.verify(&query, &store)).warnings().is_empty());

        let entries = [(world.gateway.serial, pki::NOW - 5, Some(1))];
        let crl = world.intermediate.crl_with(entries, pki::NOW - 4, Some(pki::NOW + 4), &[]);
        store.insert(&verifier, crl, &sent).unwrap();
        let revoked = Reason::Revoked {
            since: UnixTime::from_secs(pki::NOW - 5),
            reason: RevocationReason::KEY_COMPROMISE,
            invalid_since: None,
        };
        let error = verifier.verify(&query, &store).unwrap_err();
        assert_eq!(error.reason, revoked);
        assert_eq!(error.class(), ErrorClass::Peer);
        let shown = "peer certificate: revoked on 2024-12-31 23:59:55Z (key compromise)";
        assert_eq!(error.to_string(), shown);

        // After nextUpdate the CRL proves nothing for others any more, but what it revokes stays revoked.
        query.time = UnixTime::from_secs(pki::NOW + 5);
        assert_eq!(refused(verifier.verify(&query, &store)).1, revoked);
    }
}

//= RFC 5280 sections 5.3.1, 5.3.2 and 5.2.4
#[test]
fn a_hold_is_told_with_its_invalidity_date_and_lifted_by_a_delta() {
    let mut world = World::new();
    let verifier = world.verifier(PROVIDERS[0], Revocation::Require);
    let mut store = CrlStore::new();
    let sent = [world.gateway.certificate.clone(), world.intermediate.certificate.clone()];
    let sent = sent.each_ref().map(Vec::as_slice);
    store.insert(&verifier, world.root.crl(&[]), &sent).unwrap();
    let mut query = Query::new(&sent, NOW);
    query.may_fetch = false;

    // The CRL's number is 1, and what it says of the gateway is certificateHold (6).
    let invalid_since = b"20240601000000Z";
    let extensions = sequence(&[
        &sequence(&[&oid("2.5.29.21"), &octet_string(&[0x0a, 1, 6])]),
        &sequence(&[&oid("2.5.29.24"), &octet_string(&tlv(0x18, invalid_since))]),
    ]);
    let serial = number(world.gateway.serial);
    let entry = sequence(&[&serial, &time(pki::NOW - 9), &extensions]);
    let base = world.intermediate.crl_of(&entry, pki::NOW - 8, Some(pki::NOW + 9), &[]);
    store.insert(&verifier, base, &sent).unwrap();
    let held = Reason::Revoked {
        since: UnixTime::from_secs(pki::NOW - 9),
        reason: RevocationReason::CERTIFICATE_HOLD,
        invalid_since: Some(UnixTime::from_secs(1_717_200_000)),
    };
    assert_eq!(refused(verifier.verify(&query, &store)).1, held);

    // removeFromCRL (8) in a delta on number 1.
    let removed = [(world.gateway.serial, pki::NOW - 7, Some(8))];
    let on_base = [("2.5.29.27", true, number(1))];
    let delta = world.intermediate.crl_with(removed, pki::NOW - 6, Some(pki::NOW + 9), &on_base);
    store.insert(&verifier, delta, &sent).unwrap();
    accepted(verifier.verify(&query, &store));
}

#[test]
fn an_unreachable_crl_warns_where_policy_says_so() {
    let world = World::new();
    let sent = world.sent();
    let verifier = world.verifier(PROVIDERS[0], Revocation::Warn);
    let mut query = Query::new(&sent, NOW);
    let first = verifier.verify(&query, &CrlStore::new());
    assert!(matches!(first, Ok(Outcome::NeedsRevocation(_))));
    query.may_fetch = false;
    let path = accepted(verifier.verify(&query, &CrlStore::new()));
    let unknown = |n| Warning::RevocationUnknown(CertificateRef::Presented(n));
    assert_eq!(path.warnings(), [unknown(1), unknown(0)]);
}

#[test]
fn a_bad_crl_changes_nothing_in_the_store() {
    let mut world = World::new();
    let verifier = world.verifier(PROVIDERS[0], Revocation::Require);
    let mut store = CrlStore::new();
    let old = world.root.crl(&[5]);
    let new = world.root.crl(&[5, 6]);
    store.insert(&verifier, new.clone(), &[]).unwrap();

    assert_eq!(store.insert(&verifier, old, &[]).unwrap_err(), CrlError::Superseded);
    let mut bent = new.clone();
    *bent.last_mut().unwrap() ^= 1;
    let error = store.insert(&verifier, bent, &[]).unwrap_err();
    assert_eq!(error, CrlError::Signature(Reason::BadSignature));
    let foreign = Authority::root("Else", Key::p256(&mut world.rng)).crl(&[]);
    assert_eq!(store.insert(&verifier, foreign, &[]).unwrap_err(), CrlError::UnknownSigner);
    let critical = [("1.2.3.4", true, vec![5, 0])];
    let unknown = world.root.crl_with([], pki::NOW, None, &critical);
    let error = store.insert(&verifier, unknown, &[]).unwrap_err();
    assert_eq!(error, CrlError::UnknownCriticalExtension("1.2.3.4".into()));
    let handles: Vec<_> = store.iter().collect();
    assert_eq!(handles.len(), 1);
    assert_eq!(handles[0].as_der(), new);
    assert!(handles[0].contains(&[6]) && !handles[0].contains(&[7]));
}

#[test]
fn a_crl_of_an_impostor_with_the_same_name_does_not_count() {
    let mut world = World::new();
    let verifier = world.verifier(PROVIDERS[0], Revocation::Require);
    let (gateway, intermediate) =
        (world.gateway.certificate.clone(), world.intermediate.certificate.clone());
    let mut impostor = Authority::root("Intermediate", Key::p256(&mut world.rng));
    let impostor_der = impostor.certificate.clone();
    let sent = [&gateway[..], &intermediate, &impostor_der];
    let mut store = CrlStore::new();
    store.insert(&verifier, world.root.crl(&[]), &sent).unwrap();
    let serial = world.gateway.serial;
    store.insert(&verifier, world.intermediate.crl(&[serial]), &sent).unwrap();
    // The peer that was revoked sends a CRL that clears it, signed by a key of its own.
    store.insert(&verifier, impostor.crl(&[]), &sent).unwrap();
    let query = Query::new(&sent, NOW);
    let (at, reason) = refused(verifier.verify(&query, &store));
    assert_eq!(at, Some(CertificateRef::Presented(0)));
    assert!(matches!(reason, Reason::Revoked { .. }), "{reason}");
}

#[test]
fn a_peer_cannot_hide_the_signer_of_a_crl_behind_others_of_its_name() {
    let mut world = World::new();
    let verifier = world.verifier(PROVIDERS[0], Revocation::Require);
    let decoys: Vec<Authority> =
        (0..40).map(|_| Authority::root("Intermediate", Key::p256(&mut world.rng))).collect();
    let mut sent = vec![&world.gateway.certificate[..]];
    sent.extend(decoys.iter().map(|decoy| &decoy.certificate[..]));
    let intermediate = world.intermediate.certificate.clone();
    sent.push(&intermediate);
    let crl = world.intermediate.crl(&[world.gateway.serial]);
    let mut store = CrlStore::new();
    store.insert(&verifier, world.root.crl(&[]), &sent).unwrap();
    store.insert(&verifier, crl, &sent).unwrap();
    let (_, reason) = refused(verifier.verify(&Query::new(&sent, NOW), &store));
    assert!(matches!(reason, Reason::Revoked { .. }), "{reason}");
}

#[test]
fn a_missing_intermediate_is_asked_for_where_the_certificate_says_where() {
    let url = "http://pki.example/intermediate.cer";
    let world = World::with(&Template { issuer_urls: vec![url.into()], ..gateway() });
    let sent = [&world.gateway.certificate[..]];
    let mut verifier = world.verifier(PROVIDERS[0], Revocation::Ignore);
    let mut query = Query::new(&sent, NOW);
    let Ok(Outcome::NeedsCertificates(fetches)) = verifier.verify(&query, &CrlStore::new()) else {
        panic!("the intermediate is missing");
    };
    assert_eq!(fetches[0].urls, [url]);
    query.may_fetch = false;
    let (_, reason) = refused(verifier.verify(&query, &CrlStore::new()));
    assert_eq!(reason, Reason::UnknownIssuer);
    verifier.add_intermediate(world.intermediate.certificate.clone()).unwrap();
    let path = accepted(verifier.verify(&query, &CrlStore::new()));
    assert_eq!(path.references()[1], CertificateRef::Configured(0));
}

#[test]
fn anchors_vouch_only_for_whom_they_may() {
    let world = World::new();
    let sent = world.sent();
    let mut anchor = TrustAnchor::from_der(world.root.certificate.clone()).unwrap();
    anchor.revocation = Revocation::Ignore;
    anchor.for_gateways = false;
    let mut verifier = Verifier::new(PROVIDERS[0]);
    verifier.add_anchor(anchor);
    let query = Query::new(&sent, NOW);
    let (at, reason) = refused(verifier.verify(&query, &CrlStore::new()));
    assert_eq!((at, reason), (Some(CertificateRef::Anchor(0)), Reason::AnchorNotForPurpose));
}

#[test]
fn certificates_of_one_name_without_end_stay_within_the_budget() {
    // 40 CAs that all bear the anchor's name, none of them signed by its key. By their names every order of
    // them would be a path; their signatures tell them apart.
    let mut rng = SeededRng::new(5);
    let root = Authority::root("Same", Key::p256(&mut rng));
    let mut liars: Vec<Authority> =
        (0..40).map(|_| Authority::root("Same", Key::p256(&mut rng))).collect();
    let leaf = liars[0].issue(&Template::gateway("g.example"), Key::p256(&mut rng));
    let mut sent = vec![&leaf.certificate[..]];
    sent.extend(liars.iter().map(|liar| &liar.certificate[..]));
    let mut verifier = Verifier::new(PROVIDERS[0]);
    verifier.add_anchor(TrustAnchor::from_der(root.certificate.clone()).unwrap());
    let mut query = Query::new(&sent, NOW);
    query.budget.path_steps = 150;
    let (_, reason) = refused(verifier.verify(&query, &CrlStore::new()));
    assert_eq!(reason, Reason::BadSignature);
}
