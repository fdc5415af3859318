//! OCSP (RFC 6960): who may say what about which certificate, and for how long it is believed.

use std::sync::Arc;
use std::time::Duration;

use adit_certval::{
    Certificate, CertificateRef, CertificateStatus, CrlStore, Error, OcspError, OcspRequest,
    OcspResponseStatus, Outcome, Query, Reason, Revocation, RevocationReason, Source, StatusSource,
    TrustAnchor, Verifier, Warning,
};
use adit_platform::hash::HashAlgorithm;
use adit_platform::{Provider, UnixTime};
use adit_testkit::der::{generalized_time, octet_string};
use adit_testkit::mutate;
use adit_testkit::pki::{
    self, Authority, Issued, Key, OcspState, OcspTemplate, Template, purpose, usage,
};
use adit_testkit::rng::SeededRng;

const PROVIDERS: [&Provider; 2] =
    [&adit_platform::ring::PROVIDER, &adit_platform::rustcrypto::PROVIDER];
const RESPONDER: &str = "http://ocsp.example/";
const CRL: &str = "http://pki.example/root.crl";
const NOW: u64 = pki::NOW;

/// A root, a gateway below it, and everything to ask about the gateway.
struct World {
    rng: SeededRng,
    root: Authority,
    gateway: Issued,
    anchor: TrustAnchor,
}

impl World {
    fn new() -> Self {
        let mut rng = SeededRng::new(6960);
        let mut root = Authority::root("Root", Key::p256(&mut rng));
        let template =
            Template { ocsp_urls: vec![RESPONDER.into()], ..Template::gateway("gateway.example") };
        let gateway = root.issue(&template, Key::p256(&mut rng));
        let anchor = TrustAnchor::from_der(root.certificate.clone()).unwrap();
        Self { rng, root, gateway, anchor }
    }

    fn verifier(&self, provider: &Provider) -> Verifier {
        let mut verifier = Verifier::new(provider);
        verifier.add_anchor(self.anchor.clone());
        verifier
    }

    /// The verdict at `now` with these responses in the store.
    fn judge_at(&self, now: u64, responses: &[&[u8]]) -> Result<Outcome, Error> {
        let verifier = self.verifier(PROVIDERS[0]);
        let mut store = CrlStore::new();
        for response in responses {
            store.insert_ocsp(&verifier, response, &[], None).unwrap();
        }
        self.ask(&verifier, &store, now)
    }

    fn judge(&self, responses: &[&[u8]]) -> Result<Outcome, Error> {
        self.judge_at(NOW, responses)
    }

    fn ask(&self, verifier: &Verifier, store: &CrlStore, now: u64) -> Result<Outcome, Error> {
        let sent = [&self.gateway.certificate[..]];
        let mut query = Query::new(&sent, UnixTime::from_secs(now));
        query.may_fetch = false;
        verifier.verify(&query, store)
    }

    fn good(&self) -> Vec<u8> {
        self.root.ocsp(self.gateway.serial, OcspState::Good)
    }

    fn template(&self, status: OcspState) -> OcspTemplate {
        OcspTemplate::new(self.gateway.serial, status)
    }

    fn request(&self) -> OcspRequest {
        let certificate = Certificate::from_der(&self.gateway.certificate).unwrap();
        let issuer = Certificate::from_der(&self.root.certificate).unwrap();
        OcspRequest::new(PROVIDERS[0], HashAlgorithm::Sha1, &certificate, &issuer).unwrap()
    }

    fn insert(&self, response: &[u8]) -> Result<(), OcspError> {
        let mut store = CrlStore::new();
        let result = store.insert_ocsp(&self.verifier(PROVIDERS[0]), response, &[], None);
        assert_eq!(store.ocsp_responses().count(), usize::from(result.is_ok()));
        result.map(drop)
    }
}

fn is_accepted(outcome: &Result<Outcome, Error>) -> bool {
    matches!(outcome, Ok(Outcome::Accepted(path)) if path.warnings().is_empty())
}

fn reason(outcome: Result<Outcome, Error>) -> Reason {
    match outcome {
        Err(error) => error.reason,
        Ok(outcome) => panic!("expected refusal, got {outcome:?}"),
    }
}

fn revoked_since(since: u64, reason: RevocationReason) -> Reason {
    Reason::Revoked { since: UnixTime::from_secs(since), reason, invalid_since: None }
}

//= RFC 6960 section 2.2
#[test]
fn the_ca_itself_says_good_revoked_or_unknown() {
    let world = World::new();
    for provider in PROVIDERS {
        let verifier = world.verifier(provider);
        for (sha256, by_key) in [(false, false), (false, true), (true, false), (true, true)] {
            let respond = |status| {
                let template = OcspTemplate { sha256, by_key, ..world.template(status) };
                let mut store = CrlStore::new();
                let der = world.root.ocsp_with(&template);
                let handle = store.insert_ocsp(&verifier, &der, &[], None).unwrap();
                assert_eq!(handle.as_der(), der);
                (world.ask(&verifier, &store, NOW), handle)
            };
            let (outcome, handle) = respond(OcspState::Good);
            assert!(is_accepted(&outcome), "{outcome:?}");
            let statuses: Vec<_> = handle.statuses().collect();
            assert_eq!(statuses.len(), 1);
            assert_eq!(statuses[0].status, CertificateStatus::Good);
            assert_eq!(statuses[0].this_update, NOW as i64 - 3600);
            assert_eq!(handle.produced_at(), NOW as i64 - 3600);
            assert_eq!(handle.next_update(), statuses[0].next_update);

            let (outcome, handle) = respond(OcspState::Revoked(NOW - 99, Some(1)));
            assert_eq!(reason(outcome), revoked_since(NOW - 99, RevocationReason::KEY_COMPROMISE));
            let since = UnixTime::from_secs(NOW - 99);
            let status =
                CertificateStatus::Revoked { since, reason: RevocationReason::KEY_COMPROMISE };
            assert_eq!(handle.statuses().next().unwrap().status, status);

            let (outcome, _) = respond(OcspState::Revoked(NOW - 99, None));
            assert_eq!(reason(outcome), revoked_since(NOW - 99, RevocationReason::UNSPECIFIED));
            let (outcome, _) = respond(OcspState::Unknown);
            assert_eq!(reason(outcome), Reason::RevocationUnknown);
        }
    }
}

//= RFC 6960 section 3.2
#[test]
fn a_response_about_another_certificate_says_nothing() {
    let mut world = World::new();
    let other = world.root.ocsp(world.gateway.serial + 1, OcspState::Good);
    assert_eq!(reason(world.judge(&[&other])), Reason::RevocationUnknown);
    // The same serial number of another CA, which is trusted as well.
    let stranger = Authority::root("Stranger", Key::p256(&mut world.rng));
    let mut verifier = world.verifier(PROVIDERS[0]);
    verifier.add_anchor(TrustAnchor::from_der(stranger.certificate.clone()).unwrap());
    for status in [OcspState::Good, OcspState::Revoked(NOW - 9, None)] {
        let mut store = CrlStore::new();
        let response = stranger.ocsp(world.gateway.serial, status);
        store.insert_ocsp(&verifier, &response, &[], None).unwrap();
        let outcome = world.ask(&verifier, &store, NOW);
        assert_eq!(reason(outcome), Reason::RevocationUnknown);
        // About our CA's certificate, signed by the wrong one of them.
        let template = world.template(status);
        let der = template.sign(&world.root, Some("Stranger"), stranger.key());
        store.insert_ocsp(&verifier, &der, &[], None).unwrap();
        let outcome = world.ask(&verifier, &store, NOW);
        assert_eq!(reason(outcome), Reason::RevocationUnknown);
    }
}

//= RFC 6960 section 4.2.2.2
#[test]
fn a_responder_needs_the_word_of_the_same_ca_key() {
    let mut world = World::new();
    let key = Key::p256(&mut world.rng);
    let answer = |world: &World, certificate: &[u8], status| {
        let certificates = vec![certificate.to_vec()];
        let template = OcspTemplate { certificates, ..world.template(status) };
        template.sign(&world.root, Some("Responder"), &key)
    };
    let template = Template::ocsp_responder("Responder");
    let responder = world.root.issue(&template, key.clone());
    let good = answer(&world, &responder.certificate, OcspState::Good);
    assert!(is_accepted(&world.judge(&[&good])));
    let revoked = answer(&world, &responder.certificate, OcspState::Revoked(NOW - 5, Some(4)));
    let since = revoked_since(NOW - 5, RevocationReason::SUPERSEDED);
    assert_eq!(reason(world.judge(&[&revoked])), since);

    // Not marked as responder; `any` does not stand in for it; marked but not allowed to sign.
    for (purposes, bits) in [
        (vec![], usage::DIGITAL_SIGNATURE),
        (vec![purpose::ANY], usage::DIGITAL_SIGNATURE),
        (vec![purpose::SERVER_AUTH], usage::DIGITAL_SIGNATURE),
        (vec![purpose::OCSP_SIGNING], usage::KEY_ENCIPHERMENT),
    ] {
        let wrong =
            Template { extended_key_usage: purposes, key_usage: Some(bits), ..template.clone() };
        let wrong = world.root.issue(&wrong, key.clone());
        let good = answer(&world, &wrong.certificate, OcspState::Good);
        assert_eq!(world.insert(&good), Err(OcspError::Unauthorized));
    }

    // Marked by another CA of the same name, and by one that is trusted too.
    let mut impostor = Authority::root("Root", Key::p256(&mut world.rng));
    let false_responder = impostor.issue(&template, key.clone());
    let good = answer(&world, &false_responder.certificate, OcspState::Good);
    assert_eq!(world.insert(&good), Err(OcspError::Unauthorized));
    let mut verifier = world.verifier(PROVIDERS[0]);
    verifier.add_anchor(TrustAnchor::from_der(impostor.certificate).unwrap());
    let mut store = CrlStore::new();
    store.insert_ocsp(&verifier, &good, &[], None).unwrap();
    let outcome = world.ask(&verifier, &store, NOW);
    assert_eq!(reason(outcome), Reason::RevocationUnknown);

    // Without the certificate nobody knows the responder.
    let bare = world.template(OcspState::Good).sign(&world.root, Some("Responder"), &key);
    assert_eq!(world.insert(&bare), Err(OcspError::UnknownSigner));
    // Another's name over its key.
    let certificates = vec![responder.certificate];
    let template = OcspTemplate { certificates, ..world.template(OcspState::Good) };
    let misnamed = template.sign(&world.root, Some("Root"), &key);
    assert_eq!(world.insert(&misnamed), Err(OcspError::Signature(Reason::BadSignature)));
}

//= RFC 6960 section 4.2.2.2.1
#[test]
fn a_responder_is_checked_itself_unless_it_is_exempt() {
    let mut world = World::new();
    let key = Key::p256(&mut world.rng);
    let mut judge = |template: &Template, crl: Option<bool>| {
        let responder = world.root.issue(template, key.clone());
        let certificates = vec![responder.certificate];
        let response = OcspTemplate { certificates, ..world.template(OcspState::Good) };
        let response = response.sign(&world.root, Some("Responder"), &key);
        let verifier = world.verifier(PROVIDERS[0]);
        let mut store = CrlStore::new();
        store.insert_ocsp(&verifier, &response, &[], None).unwrap();
        if let Some(revoked) = crl {
            // It covers user certificates of one distribution point, the responder's.
            let revoked: &[u64] = if revoked { &[responder.serial] } else { &[] };
            let entries = revoked.iter().map(|&serial| (serial, NOW - 9, None));
            let name = adit_testkit::der::context(6, CRL.as_bytes());
            let point = adit_testkit::der::explicit(0, &name);
            let scope = adit_testkit::der::explicit(0, &point);
            let scope = adit_testkit::der::sequence(&[&scope]);
            let extensions = [("2.5.29.28", true, scope)];
            let crl = world.root.crl_with(entries, NOW - 9, Some(NOW + 9), &extensions);
            store.insert(&verifier, crl, &[]).unwrap();
        }
        world.ask(&verifier, &store, NOW)
    };
    let exempt = Template::ocsp_responder("Responder");
    let checked = Template {
        extensions: vec![],
        crl_urls: vec![CRL.into()],
        ..Template::ocsp_responder("Responder")
    };
    let says_nothing = Template { crl_urls: vec![], ..checked.clone() };
    let expired = Template { not_after: NOW - 1, ..exempt.clone() };
    let early = Template { not_before: NOW + 1, ..exempt.clone() };

    assert!(is_accepted(&judge(&exempt, None)));
    assert!(is_accepted(&judge(&checked, Some(false))));
    assert!(is_accepted(&judge(&says_nothing, None)));
    for (template, crl) in
        [(&checked, None), (&checked, Some(true)), (&expired, None), (&early, None)]
    {
        assert_eq!(reason(judge(template, crl)), Reason::RevocationUnknown);
    }
}

//= RFC 6960 section 2.2
#[test]
fn a_trusted_responder_speaks_for_all_cas_of_its_anchor() {
    let mut world = World::new();
    let key = Key::p256(&mut world.rng);
    let mut own = Authority::root("Company", Key::p256(&mut world.rng));
    let responder = own.issue(&Template::bare("Company OCSP"), key.clone());
    let response = world.template(OcspState::Good).sign(&world.root, Some("Company OCSP"), &key);
    assert_eq!(world.insert(&response), Err(OcspError::UnknownSigner));

    let mut trusting = world.anchor.clone();
    trusting.trust_ocsp_responder(responder.certificate.clone()).unwrap();
    let sha1 = PROVIDERS[0].hash(HashAlgorithm::Sha1).unwrap();
    assert_eq!(trusting.ocsp_responder_hashes(PROVIDERS[0]), [sha1.hash(&[&key.spki])]);
    let other = Authority::root("Other", Key::p256(&mut world.rng));
    let mut elsewhere = TrustAnchor::from_der(other.certificate).unwrap();
    elsewhere.trust_ocsp_responder(responder.certificate).unwrap();
    assert!(elsewhere.trust_ocsp_responder(b"no certificate".to_vec()).is_err());
    for (anchors, accepted) in
        [(vec![trusting], true), (vec![elsewhere, world.anchor.clone()], false)]
    {
        let mut verifier = Verifier::new(PROVIDERS[0]);
        anchors.into_iter().for_each(|anchor| verifier.add_anchor(anchor));
        let mut store = CrlStore::new();
        store.insert_ocsp(&verifier, &response, &[], None).unwrap();
        assert_eq!(is_accepted(&world.ask(&verifier, &store, NOW)), accepted);
    }
}

//= RFC 6960 section 4.2.2.1
#[test]
fn a_response_counts_for_its_time() {
    let mut world = World::new();
    let mut judge = |this: i64, next: Option<i64>, produced: i64, age: Option<u64>| {
        let at = |offset: i64| NOW.checked_add_signed(offset).unwrap();
        let mut template = world.template(OcspState::Good);
        template.singles[0].this_update = at(this);
        template.singles[0].next_update = next.map(at);
        template.produced_at = at(produced);
        world.anchor.max_ocsp_age = age.map(Duration::from_secs);
        is_accepted(&world.judge(&[&world.root.ocsp_with(&template)]))
    };
    assert!(judge(-10, Some(0), -10, None), "up to the second of nextUpdate");
    assert!(!judge(-10, Some(-1), -10, None));
    assert!(judge(300, Some(999), 300, None), "the responder's clock may be ahead by five minutes");
    assert!(!judge(301, Some(999), 301, None));
    assert!(judge(-86_400, None, -10, None), "newer is always there, so a day suffices");
    assert!(!judge(-86_401, None, -10, None));
    assert!(judge(-3600, Some(999), -10, Some(3600)), "as old as policy allows");
    assert!(!judge(-3601, Some(999), -10, Some(3600)));
    assert!(judge(-200_000, None, -10, Some(200_000)), "policy may allow more than a day");
    assert!(!judge(-10, Some(999), -400, None), "known to be right after it was signed");
}

//= RFC 6960 section 4.4.4
#[test]
fn what_was_not_archived_is_not_good() {
    let world = World::new();
    for (cutoff, accepted) in [(pki::NOT_AFTER, true), (pki::NOT_AFTER + 1, false)] {
        let mut template = world.template(OcspState::Good);
        let cutoff = generalized_time(cutoff);
        template.singles[0].extensions.push(("1.3.6.1.5.5.7.48.1.6", false, cutoff));
        let response = world.root.ocsp_with(&template);
        assert_eq!(is_accepted(&world.judge(&[&response])), accepted);
    }
}

#[test]
fn revoked_by_either_is_revoked_and_good_by_either_suffices() {
    let mut world = World::new();
    let serial = world.gateway.serial;
    let (clean, listing) = (world.root.crl(&[]), world.root.crl(&[serial]));
    let revoked = world.root.ocsp(serial, OcspState::Revoked(NOW - 9, None));
    let unknown = world.root.ocsp(serial, OcspState::Unknown);
    let mut old = world.template(OcspState::Revoked(NOW - 9, None));
    old.singles[0].next_update = Some(NOW - 3000);
    let old = world.root.ocsp_with(&old);
    let good = world.good();
    for (crl, response, accepted) in [
        (None, None, false),
        (Some(&clean), None, true),
        (None, Some(&good), true),
        (Some(&clean), Some(&good), true),
        (Some(&clean), Some(&unknown), true),
        (Some(&listing), Some(&good), false),
        (Some(&clean), Some(&revoked), false),
        (Some(&clean), Some(&old), false),
        (None, Some(&unknown), false),
    ] {
        let verifier = world.verifier(PROVIDERS[0]);
        let mut store = CrlStore::new();
        if let Some(crl) = crl {
            store.insert(&verifier, crl.clone(), &[]).unwrap();
        }
        if let Some(response) = response {
            store.insert_ocsp(&verifier, response, &[], None).unwrap();
        }
        assert_eq!(is_accepted(&world.ask(&verifier, &store, NOW)), accepted);
    }
}

#[test]
fn of_contradicting_answers_in_one_response_the_worst_counts() {
    let world = World::new();
    let respond = |states: &[OcspState]| {
        let mut template = world.template(states[0]);
        let single = template.singles[0].clone();
        template.singles =
            states.iter().map(|&status| pki::OcspSingle { status, ..single.clone() }).collect();
        world.root.ocsp_with(&template)
    };
    let (good, revoked) = (OcspState::Good, OcspState::Revoked(NOW - 9, None));
    for order in [[good, revoked], [revoked, good]] {
        let outcome = world.judge(&[&respond(&order)]);
        assert!(matches!(reason(outcome), Reason::Revoked { .. }));
    }
    for order in [[good, OcspState::Unknown], [OcspState::Unknown, good]] {
        assert_eq!(reason(world.judge(&[&respond(&order)])), Reason::RevocationUnknown);
    }
}

//= RFC 6960 section 4.4.5
#[test]
fn extensions_of_crl_entries_count_in_single_responses() {
    let world = World::new();
    let mut template = world.template(OcspState::Revoked(NOW - 9, None));
    template.singles[0].extensions = vec![
        ("2.5.29.21", false, vec![0x0a, 1, 1]),
        ("2.5.29.24", false, generalized_time(NOW - 99)),
    ];
    let outcome = world.judge(&[&world.root.ocsp_with(&template)]);
    let expected = Reason::Revoked {
        since: UnixTime::from_secs(NOW - 9),
        reason: RevocationReason::KEY_COMPROMISE,
        invalid_since: Some(UnixTime::from_secs(NOW - 99)),
    };
    assert_eq!(reason(outcome), expected);
}

#[test]
fn the_newest_word_of_a_ca_stands_whoever_of_its_responders_says_it() {
    let mut world = World::new();
    let key = Key::p256(&mut world.rng);
    let responder = world.root.issue(&Template::ocsp_responder("Responder"), key.clone());
    let respond = |status, at: u64, delegated: bool| {
        let mut template = world.template(status);
        template.singles[0].this_update = at;
        template.produced_at = at;
        if delegated {
            template.certificates = vec![responder.certificate.clone()];
            template.sign(&world.root, Some("Responder"), &key)
        } else {
            world.root.ocsp_with(&template)
        }
    };
    let held = OcspState::Revoked(NOW - 99, Some(6));
    let verifier = world.verifier(PROVIDERS[0]);
    let mut store = CrlStore::new();
    let mut insert = |der: &[u8]| {
        store.insert_ocsp(&verifier, der, &[], None).map(|handle| Arc::as_ptr(&handle))
    };
    let first = respond(held, NOW - 50, false);
    insert(&first).unwrap();
    // The hold is lifted, says the delegate; the old answer cannot be brought back.
    insert(&respond(OcspState::Good, NOW - 40, true)).unwrap();
    assert_eq!(insert(&first), Err(OcspError::Superseded));
    assert_eq!(insert(&respond(held, NOW - 45, true)), Err(OcspError::Superseded));
    // What a responder does not know makes nothing forgotten.
    let unknown = respond(OcspState::Unknown, NOW - 30, false);
    assert_eq!(insert(&unknown), Err(OcspError::Superseded));
    assert_eq!(store.ocsp_responses().count(), 1);
    assert!(is_accepted(&world.ask(&verifier, &store, NOW)));
    store.retain_ocsp(|response| response.produced_at() > NOW as i64 - 40);
    assert_eq!(store.ocsp_responses().count(), 0);
}

#[test]
fn requests_are_answered_or_not() {
    let world = World::new();
    let verifier = world.verifier(PROVIDERS[0]);
    let insert = |response: &[u8], request: &OcspRequest| {
        CrlStore::new().insert_ocsp(&verifier, response, &[], Some(request)).map(drop)
    };
    let mut request = world.request();
    assert_eq!(request.serial_number(), [world.gateway.serial as u8]);
    assert_eq!(insert(&world.good(), &request), Ok(()));
    let other = world.root.ocsp(world.gateway.serial + 1, OcspState::Good);
    assert_eq!(insert(&other, &request), Err(OcspError::NotAsked));
    let sha256 = OcspTemplate { sha256: true, ..world.template(OcspState::Good) };
    assert_eq!(insert(&world.root.ocsp_with(&sha256), &request), Err(OcspError::NotAsked));

    //= RFC 6960 section 4.4.1
    let plain = request.to_der();
    let mut rng = SeededRng::new(9654);
    request.add_nonce(&mut rng).unwrap();
    let mut expected = [0; 32];
    adit_platform::Rng::fill(&mut SeededRng::new(9654), &mut expected).unwrap();
    let der = request.to_der();
    assert!(der.windows(36).any(|w| w[..4] == [4, 34, 4, 32] && w[4..] == expected));
    assert!(der.len() > plain.len());
    let with_nonce = |nonce: &[u8]| {
        let extensions = vec![("1.3.6.1.5.5.7.48.1.2", false, octet_string(nonce))];
        world.root.ocsp_with(&OcspTemplate { extensions, ..world.template(OcspState::Good) })
    };
    assert_eq!(insert(&with_nonce(&expected), &request), Ok(()));
    assert_eq!(insert(&with_nonce(&[7; 32]), &request), Err(OcspError::Nonce));
    assert_eq!(insert(&world.good(), &request), Ok(()), "signed in advance");
    request.require_nonce = true;
    assert_eq!(insert(&world.good(), &request), Err(OcspError::Nonce));
    assert_eq!(insert(&with_nonce(&expected), &request), Ok(()));

    //= RFC 9654 section 2.1
    for (len, fits) in [(0, false), (1, true), (32, true), (128, true), (129, false)] {
        let result = world.insert(&with_nonce(&vec![1; len]));
        assert_eq!(result.is_ok(), fits, "{len}: {result:?}");
        let field = match result {
            Err(OcspError::Malformed(error)) => error.field,
            _ => "",
        };
        assert_eq!(field, if fits { "" } else { "nonce" });
    }
}

//= RFC 6960 section 4.2.1
#[test]
fn errors_of_responders_are_told() {
    let world = World::new();
    for (code, expected, temporary) in [
        (1, OcspResponseStatus::MALFORMED_REQUEST, false),
        (2, OcspResponseStatus::INTERNAL_ERROR, true),
        (3, OcspResponseStatus::TRY_LATER, true),
        (5, OcspResponseStatus::SIG_REQUIRED, false),
        (6, OcspResponseStatus::UNAUTHORIZED, false),
        (9, OcspResponseStatus(9), false),
    ] {
        let result = world.insert(&[0x30, 3, 0x0a, 1, code]);
        assert_eq!(result, Err(OcspError::Status(expected)));
        assert_eq!(expected.is_temporary(), temporary);
    }
    // Success with nothing to show for it.
    assert!(matches!(world.insert(&[0x30, 3, 0x0a, 1, 0]), Err(OcspError::Malformed(_))));
}

#[test]
fn critical_extensions_have_to_be_understood() {
    let world = World::new();
    for critical in [false, true] {
        let odd = ("1.2.3.4", critical, vec![5, 0]);
        let mut inside = world.template(OcspState::Good);
        inside.singles[0].extensions.push(odd.clone());
        let outside = OcspTemplate { extensions: vec![odd], ..world.template(OcspState::Good) };
        for template in [inside, outside] {
            let expected = match critical {
                true => Err(OcspError::UnknownCriticalExtension("1.2.3.4".into())),
                false => Ok(()),
            };
            assert_eq!(world.insert(&world.root.ocsp_with(&template)), expected);
        }
    }
    let twice = vec![("1.2.3.4", false, vec![5, 0]); 2];
    let twice = OcspTemplate { extensions: twice, ..world.template(OcspState::Good) };
    assert!(matches!(world.insert(&world.root.ocsp_with(&twice)), Err(OcspError::Malformed(_))));
}

#[test]
fn the_verdict_says_whom_to_ask_in_the_order_of_preference() {
    let mut world = World::new();
    let template = Template {
        crl_urls: vec![CRL.into()],
        ocsp_urls: vec![RESPONDER.into()],
        ..Template::gateway("gateway.example")
    };
    world.gateway = world.root.issue(&template, Key::p256(&mut world.rng));
    world.anchor.ocsp_urls = vec!["http://ocsp.internal/".into()];
    world.anchor.distribution_points = vec!["ldap://dir.internal/cn=Root".into()];
    let crls = ["ldap://dir.internal/cn=Root", CRL];
    let responders = ["http://ocsp.internal/", RESPONDER];
    for (preferred, order) in [
        (StatusSource::Crl, [crls, responders].concat()),
        (StatusSource::Ocsp, [responders, crls].concat()),
    ] {
        world.anchor.preferred = preferred;
        let verifier = world.verifier(PROVIDERS[0]);
        let sent = [&world.gateway.certificate[..]];
        let query = Query::new(&sent, UnixTime::from_secs(NOW));
        let mut store = CrlStore::new();
        let Ok(Outcome::NeedsRevocation(fetches)) = verifier.verify(&query, &store) else {
            panic!("nothing is known yet");
        };
        assert_eq!(fetches.len(), 1);
        assert_eq!(fetches[0].certificate, CertificateRef::Presented(0));
        let urls: Vec<&str> = fetches[0].sources.iter().map(Source::url).collect();
        assert_eq!(urls, order);
        let ocsp = fetches[0].sources.iter().find_map(|source| match source {
            Source::Ocsp { request, .. } => Some(request),
            _ => None,
        });
        let request = ocsp.unwrap();
        assert_eq!(*request, world.request());
        let response = world.good();
        store.insert_ocsp(&verifier, &response, &[], Some(request)).unwrap();
        assert!(is_accepted(&verifier.verify(&query, &store)));
    }
}

//= RFC 4806 section 4.1
#[test]
fn what_the_peer_sent_along_counts_for_its_query_alone() {
    let mut world = World::new();
    let stranger = Authority::root("Root", Key::p256(&mut world.rng));
    let forged = stranger.ocsp(world.gateway.serial, OcspState::Good);
    let (good, revoked) =
        (world.good(), world.root.ocsp(world.gateway.serial, OcspState::Revoked(NOW - 9, None)));
    let store = CrlStore::new();
    world.anchor.revocation = Revocation::Warn;
    let verifier = world.verifier(PROVIDERS[0]);
    let sent = [&world.gateway.certificate[..]];
    let ask = |stapled: &[&[u8]]| {
        let mut query = Query::new(&sent, UnixTime::from_secs(NOW));
        query.may_fetch = false;
        query.stapled = stapled;
        verifier.verify(&query, &store)
    };
    let warnings = |outcome: Result<Outcome, Error>| match outcome {
        Ok(Outcome::Accepted(path)) => path.warnings().to_vec(),
        other => panic!("{other:?}"),
    };
    let unknown = [Warning::RevocationUnknown(CertificateRef::Presented(0))];
    assert_eq!(warnings(ask(&[])), unknown);
    assert_eq!(warnings(ask(&[&forged, b"junk"])), unknown);
    assert_eq!(warnings(ask(&[b"junk", &forged, &good])), []);
    assert!(matches!(reason(ask(&[&good, &revoked])), Reason::Revoked { .. }));
    assert_eq!(store.ocsp_responses().count(), 0);
}

#[test]
fn signatures_over_stapled_responses_are_paid_for() {
    let world = World::new();
    let mut bad = world.good();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    let stapled = [&bad[..]; 16];
    let verifier = world.verifier(PROVIDERS[0]);
    let sent = [&world.gateway.certificate[..]];
    let mut query = Query::new(&sent, UnixTime::from_secs(NOW));
    query.stapled = &stapled;
    query.may_fetch = false;
    query.budget.signatures = 3;
    // What is left unread for want of budget is as good as not sent.
    assert_eq!(reason(verifier.verify(&query, &CrlStore::new())), Reason::RevocationUnknown);
}

#[test]
fn a_bent_response_never_enters_the_store() {
    let world = World::new();
    let mut template = world.template(OcspState::Good);
    template.singles[0].extensions =
        vec![("1.3.6.1.5.5.7.48.1.6", false, generalized_time(pki::NOT_BEFORE))];
    template.extensions = vec![("1.3.6.1.5.5.7.48.1.2", false, octet_string(&[9; 32]))];
    let valid = world.root.ocsp_with(&template);
    let verifier = world.verifier(PROVIDERS[0]);
    let mut store = CrlStore::new();
    for cut in mutate::truncations(&valid) {
        match store.insert_ocsp(&verifier, cut, &[], None) {
            Err(OcspError::Malformed(error)) => assert!(error.offset <= cut.len()),
            other => panic!("{other:?}"),
        }
    }
    mutate::all(&valid, &[], 6, |input| {
        if input != valid {
            store.insert_ocsp(&verifier, input, &[], None).unwrap_err();
        }
    });
    assert_eq!(store.ocsp_responses().count(), 0);
    store.insert_ocsp(&verifier, &valid, &[], None).unwrap();
}
