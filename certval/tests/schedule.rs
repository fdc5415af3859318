//! What is fetched from where and when, on a clock of the test's own.

use adit_certval::{
    Certificate, CrlError, CrlStore, FetchError, FetchPoint, LdapScope, Location, OcspError,
    OcspRequest, OcspResponseStatus, PointId, Refresh, RefreshError, RevocationSchedule,
    ScheduleError, Source, TrustAnchor, Verifier,
};
use adit_platform::UnixTime;
use adit_platform::hash::HashAlgorithm;
use adit_platform::ring::PROVIDER;
use adit_platform::rng::{Rng, RngError};
use adit_testkit::der::{context, explicit, sequence};
use adit_testkit::pki::{self, Authority, Issued, Key, OcspState, Template};
use adit_testkit::rng::SeededRng;

const PRIMARY: &str = "http://pki.example/ca.crl";
const BACKUP: &str = "http://backup.example/ca.crl";
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

fn time(offset: u64) -> UnixTime {
    UnixTime::from_secs(pki::NOW + offset)
}

fn crl(url: &str) -> Source {
    Source::Crl { url: url.into() }
}

/// A schedule with all that its answers go to.
struct World {
    schedule: RevocationSchedule,
    verifier: Verifier,
    store: CrlStore,
    rng: SeededRng,
    authority: Authority,
    gateway: Issued,
}

impl World {
    fn new() -> Self {
        let mut rng = SeededRng::new(1999);
        let mut authority = Authority::root("Root", Key::p256(&mut rng));
        let gateway = authority.issue(&Template::gateway("g.example"), Key::p256(&mut rng));
        let mut verifier = Verifier::new(&PROVIDER);
        verifier.add_anchor(TrustAnchor::from_der(authority.certificate.clone()).unwrap());
        let (schedule, store) = (RevocationSchedule::new(), CrlStore::new());
        Self { schedule, verifier, store, rng, authority, gateway }
    }

    fn add(&mut self, urls: &[&str], refresh: Refresh) -> PointId {
        let sources = urls.iter().map(|url| crl(url)).collect();
        self.schedule.add(time(0), FetchPoint::new(sources, refresh)).unwrap()
    }

    fn crl(&mut self, this: u64, next: Option<u64>) -> Vec<u8> {
        self.authority.crl_with([], pki::NOW + this, next.map(|next| pki::NOW + next), &[])
    }

    /// What is due, all of it.
    fn due(&mut self, at: u64) -> Vec<(PointId, String)> {
        let next = || self.schedule.next_fetch(time(at));
        core::iter::from_fn(next).map(|it| (it.point, it.source.url().to_owned())).collect()
    }

    fn fetched(&mut self, at: u64, id: PointId, result: Option<Vec<u8>>) -> Result<(), FetchError> {
        let result = result.ok_or_else(|| "connection refused".to_owned());
        let (verifier, store, rng) = (&self.verifier, &mut self.store, &mut self.rng);
        self.schedule.fetched(time(at), id, result, verifier, store, rng)
    }

    /// When something is due again, in seconds from the start.
    fn next(&self) -> u64 {
        self.schedule.poll_timeout().expect("something is due").as_secs() - pki::NOW
    }
}

#[test]
fn intervals_are_1_to_9999_hours() {
    for hours in [1, 24, 9999] {
        assert!(Refresh::every_hours(hours).is_ok());
    }
    for hours in [0, 10_000, 65_537, u32::MAX] {
        assert_eq!(Refresh::every_hours(hours), Err(RefreshError { hours }));
    }
}

#[test]
fn urls_are_read_when_they_are_added() {
    let mut schedule = RevocationSchedule::new();
    let mut add = |sources| schedule.add(time(0), FetchPoint::new(sources, Refresh::default()));
    let bad = "ftp://pki.example/ca.crl";
    assert_eq!(add(vec![]), Err(ScheduleError::NoSource));
    for sources in [vec![crl(bad)], vec![crl(PRIMARY), crl(bad)]] {
        assert_eq!(add(sources), Err(ScheduleError::UnsupportedUrl(bad.into())));
    }
    assert!(matches!(add(vec![crl("ldap://dir.example:x/")]), Err(ScheduleError::LdapUrl(_))));
    add(vec![crl("LDAP://dir.example/cn=CA?certificateRevocationList;binary?base")]).unwrap();
    add(vec![crl("HTTPS://pki.example/ca.crl")]).unwrap();
    assert_eq!(schedule.points().count(), 2);
    match schedule.next_fetch(time(0)).unwrap().location {
        Location::Ldap(url) => {
            assert_eq!((&url.host[..], &url.base[..]), ("dir.example", "cn=CA"));
            assert_eq!(url.attributes, ["certificateRevocationList;binary"]);
            assert_eq!(url.scope, LdapScope::Base);
        }
        other => panic!("{other:?}"),
    }
    let http = schedule.next_fetch(time(0)).unwrap();
    assert_eq!(http.location, Location::Http("HTTPS://pki.example/ca.crl".into()));
    assert_eq!(schedule.next_fetch(time(0)), None);
}

#[test]
fn what_went_well_is_fetched_anew_in_time() {
    let every = |hours| Refresh::every_hours(hours).unwrap();
    for (refresh, next_update, earliest, latest) in [
        // Never later than asked for, at most a twentieth earlier.
        (every(1), Some(90 * DAY), HOUR / 20 * 19, HOUR),
        (every(9999), Some(DAY), 9999 * HOUR / 20 * 19, 9999 * HOUR),
        (Refresh::BY_NEXT_UPDATE, Some(10 * DAY), 9 * DAY, 10 * DAY - 1),
        (Refresh::BY_NEXT_UPDATE, None, DAY / 20 * 19, DAY),
        // Not all the time, however short the CRL lives.
        (Refresh::BY_NEXT_UPDATE, Some(10), 300, 300),
    ] {
        let mut world = World::new();
        let id = world.add(&[PRIMARY, BACKUP], refresh);
        assert_eq!(world.next(), 0);
        assert_eq!(world.due(0), [(id, PRIMARY.into())]);
        assert_eq!(world.due(0), [], "it is being fetched");
        let crl = world.crl(0, next_update);
        world.fetched(0, id, Some(crl)).unwrap();
        assert_eq!(world.store.iter().count(), 1);
        let next = world.next();
        assert!((earliest..=latest).contains(&next), "{next}, not {earliest} to {latest}");
        assert_eq!(world.due(next - 1), []);
        assert_eq!(world.due(next), [(id, PRIMARY.into())]);
    }
}

#[test]
fn clients_of_one_ca_do_not_all_come_at_once() {
    let mut world = World::new();
    let crl = world.crl(0, Some(10 * DAY));
    let mut times = Vec::new();
    for seed in 0..20 {
        world.rng = SeededRng::new(seed);
        world.schedule = RevocationSchedule::new();
        let id = world.add(&[PRIMARY], Refresh::BY_NEXT_UPDATE);
        world.due(0);
        world.fetched(0, id, Some(crl.clone())).unwrap();
        times.push(world.next());
    }
    times.sort_unstable();
    times.dedup();
    assert!(times.len() > 15, "{times:?}");
}

#[test]
fn backups_are_tried_at_once_and_failures_back_off() {
    let mut world = World::new();
    let id = world.add(&[PRIMARY, BACKUP], Refresh::BY_NEXT_UPDATE);
    let mut now = 0;
    for pause in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
        assert!(world.schedule.is_pending(time(now), id));
        assert_eq!(world.due(now), [(id, PRIMARY.into())]);
        let unreachable = FetchError::Unreachable("connection refused".into());
        assert_eq!(world.fetched(now + 1, id, None), Err(unreachable));
        assert!(world.schedule.is_pending(time(now + 1), id));
        assert_eq!(world.due(now + 1), [(id, BACKUP.into())]);
        world.fetched(now + 2, id, None).unwrap_err();
        assert!(!world.schedule.is_pending(time(now + 2), id));
        let waits = world.next() - (now + 2);
        assert!((pause * 3 / 4..=pause * 5 / 4).contains(&waits), "{waits} for {pause}");
        now = world.next();
        assert_eq!(world.due(now - 1), []);
    }
    // The backup has it, and the next time begins with the primary one and no grudge.
    world.due(now);
    world.fetched(now, id, None).unwrap_err();
    world.due(now);
    let good = world.crl(now, Some(now + DAY));
    world.fetched(now, id, Some(good)).unwrap();
    now = world.next();
    assert_eq!(world.due(now), [(id, PRIMARY.into())]);
    world.fetched(now, id, None).unwrap_err();
    world.due(now);
    world.fetched(now, id, None).unwrap_err();
    assert!(world.next() - now <= 75);
}

#[test]
fn nothing_in_the_store_is_lost_when_what_comes_is_bad() {
    let mut world = World::new();
    let id = world.add(&[PRIMARY], Refresh::every_hours(1).unwrap());
    let old = world.crl(0, Some(DAY));
    let good = world.crl(0, Some(DAY));
    let stranger = Authority::root("Root", Key::p256(&mut world.rng)).crl(&[]);
    let stale = world.crl(1, Some(2));
    world.due(0);
    world.fetched(0, id, Some(good.clone())).unwrap();
    let is_intact = |world: &World| world.store.iter().any(|crl| crl.as_der() == good);
    for (bad, expected) in [
        (b"<html>404</html>".to_vec(), "malformed CRL"),
        (good[..good.len() - 1].to_vec(), "malformed CRL"),
        (stranger, "CRL refused: the signature does not verify"),
        (old, "a newer CRL is in the store"),
    ] {
        let now = world.next();
        assert_eq!(world.due(now).len(), 1);
        let error = world.fetched(now, id, Some(bad)).unwrap_err();
        assert!(matches!(error, FetchError::Crl(_)) && error.to_string().contains(expected));
        assert!(is_intact(&world) && world.store.iter().count() == 1);
        assert!(world.next() > now);
    }
    // A newer one that has run out already still revokes, but its server is asked again.
    let now = world.next();
    world.due(now);
    assert_eq!(world.fetched(now, id, Some(stale.clone())), Err(FetchError::Stale));
    assert!(world.store.iter().any(|crl| crl.as_der() == stale));
    let superseded = FetchError::Crl(CrlError::Superseded);
    assert_eq!(superseded.to_string(), "a newer CRL is in the store");
}

#[test]
fn answers_that_do_not_come_count_as_failures() {
    let mut world = World::new();
    let id = world.add(&[PRIMARY, BACKUP], Refresh::default());
    world.due(0);
    assert_eq!(world.next(), 600);
    assert_eq!(world.due(599), []);
    assert_eq!(world.due(600), [(id, BACKUP.into())]);
    assert_eq!(world.due(1200), []);
    let next = world.next();
    assert!((1245..=1275).contains(&next), "{next}");
    // The answer of the backup is too late, and so is one to a point that is gone.
    let crl = world.crl(0, Some(DAY));
    world.fetched(1201, id, Some(crl.clone())).unwrap();
    assert_eq!((world.store.iter().count(), world.next()), (0, next));
    world.due(next);
    world.schedule.remove(id);
    world.fetched(next, id, Some(crl)).unwrap();
    assert_eq!((world.store.iter().count(), world.schedule.poll_timeout()), (0, None));
}

#[test]
fn one_place_is_one_point() {
    let mut world = World::new();
    let first = world.add(&[PRIMARY], Refresh::NEVER);
    assert_eq!(world.add(&[PRIMARY], Refresh::NEVER), first);
    let other = world.add(&[PRIMARY, BACKUP], Refresh::NEVER);
    assert_ne!(other, first);
    world.schedule.remove(other);
    // Wanted once, and then for good.
    assert_eq!(world.add(&[PRIMARY], Refresh::BY_NEXT_UPDATE), first);
    assert_eq!(world.add(&[PRIMARY], Refresh::NEVER), first);
    world.due(0);
    let crl = world.crl(0, Some(DAY));
    world.fetched(0, first, Some(crl)).unwrap();
    assert_eq!(world.schedule.points().count(), 1);
    assert!(world.next() < DAY);
}

#[test]
fn what_is_wanted_once_is_forgotten() {
    let mut world = World::new();
    let id = world.add(&[PRIMARY], Refresh::NEVER);
    world.due(0);
    let crl = world.crl(0, Some(DAY));
    world.fetched(0, id, Some(crl)).unwrap();
    assert_eq!((world.schedule.points().count(), world.schedule.poll_timeout()), (0, None));

    // After a failure it is remembered as long as asking again is no use.
    let id = world.add(&[PRIMARY], Refresh::NEVER);
    world.due(0);
    world.fetched(0, id, None).unwrap_err();
    assert_eq!(world.add(&[PRIMARY], Refresh::NEVER), id);
    assert!(!world.schedule.is_pending(time(1), id));
    let over = world.next();
    assert_eq!(world.due(over), []);
    assert_eq!((world.schedule.points().count(), world.schedule.poll_timeout()), (0, None));
}

#[test]
fn points_come_from_anchors_and_certificates() {
    let mut world = World::new();
    let mut anchor = TrustAnchor::from_der(world.authority.certificate.clone()).unwrap();
    assert_eq!(FetchPoint::of_anchor(&anchor), None);
    anchor.distribution_points = vec![PRIMARY.into(), BACKUP.into()];
    anchor.refresh = Refresh::every_hours(9999).unwrap();
    let point = FetchPoint::of_anchor(&anchor).unwrap();
    assert_eq!(point, FetchPoint::new(vec![crl(PRIMARY), crl(BACKUP)], anchor.refresh));

    // Two points, one with a backup; one that nobody can fetch; and a delta CRL.
    let uri = |url: &str| context(6, url.as_bytes());
    let point = |urls: &[&str]| {
        let names: Vec<u8> = urls.iter().flat_map(|url| uri(url)).collect();
        sequence(&[&explicit(0, &explicit(0, &names))])
    };
    let points = [point(&["ldap://dir/cn=a", PRIMARY]), point(&["ftp://x/"]), point(&[BACKUP])];
    let delta = point(&["http://pki.example/delta.crl"]);
    let template = Template {
        extensions: vec![
            ("2.5.29.31", false, sequence(&[&points.concat()])),
            ("2.5.29.46", false, sequence(&[&delta])),
        ],
        ..Template::gateway("g.example")
    };
    let issued = world.authority.issue(&template, Key::p256(&mut world.rng));
    let certificate = Certificate::from_der(&issued.certificate).unwrap();
    let found = FetchPoint::of_certificate(&certificate, Refresh::NEVER);
    let expected = [
        vec![crl("ldap://dir/cn=a"), crl(PRIMARY)],
        vec![crl(BACKUP)],
        vec![crl("http://pki.example/delta.crl")],
    ];
    let expected = expected.map(|sources| FetchPoint::new(sources, Refresh::NEVER));
    assert_eq!(found, expected);
}

#[test]
fn ocsp_responses_are_kept_fresh_too() {
    let mut world = World::new();
    let certificate = Certificate::from_der(&world.gateway.certificate).unwrap();
    let issuer = Certificate::from_der(&world.authority.certificate).unwrap();
    let request = OcspRequest::new(&PROVIDER, HashAlgorithm::Sha256, &certificate, &issuer);
    let source = |url: &str| Source::Ocsp { url: url.into(), request: request.clone().unwrap() };
    let by_ldap = FetchPoint::new(vec![source("ldap://dir/cn=a")], Refresh::default());
    let refused = world.schedule.add(time(0), by_ldap);
    assert_eq!(refused, Err(ScheduleError::UnsupportedUrl("ldap://dir/cn=a".into())));

    let point = FetchPoint::new(vec![source("http://ocsp.example/")], Refresh::default());
    let id = world.schedule.add(time(0), point).unwrap();
    world.due(0);
    let later = FetchError::Ocsp(OcspError::Status(OcspResponseStatus::TRY_LATER));
    assert_eq!(world.fetched(0, id, Some(vec![0x30, 3, 0x0a, 1, 3])), Err(later));
    let now = world.next();
    world.due(now);
    // By SHA-1 is not what was asked.
    let other = world.authority.ocsp(world.gateway.serial, OcspState::Good);
    let result = world.fetched(now, id, Some(other));
    assert_eq!(result, Err(FetchError::Ocsp(OcspError::NotAsked)));
    let now = world.next();
    world.due(now);
    let mut template = pki::OcspTemplate::new(world.gateway.serial, OcspState::Good);
    template.sha256 = true;
    let good = world.authority.ocsp_with(&template);
    world.fetched(now, id, Some(good)).unwrap();
    assert_eq!(world.store.ocsp_responses().count(), 1);
    let ends = template.singles[0].next_update.unwrap() - pki::NOW;
    assert!(world.next() < ends && world.next() > ends * 9 / 10);
}

#[test]
fn there_are_so_many_points_and_no_more() {
    let mut world = World::new();
    let ids: Vec<PointId> = (0..RevocationSchedule::MAX_POINTS)
        .map(|n| world.add(&[&format!("http://pki.example/{n}.crl")], Refresh::default()))
        .collect();
    let extra = || FetchPoint::new(vec![crl(PRIMARY)], Refresh::default());
    assert_eq!(world.schedule.add(time(0), extra()), Err(ScheduleError::Full));
    // What fails makes room.
    assert_eq!(world.due(0).len(), RevocationSchedule::MAX_POINTS);
    world.fetched(0, ids[17], None).unwrap_err();
    world.schedule.add(time(0), extra()).unwrap();
    assert_eq!(world.schedule.points().count(), RevocationSchedule::MAX_POINTS);
    assert!(world.schedule.points().all(|(id, _)| id != ids[17]));
}

#[test]
fn without_randomness_pauses_are_exact() {
    #[derive(Debug)]
    struct Broken;
    impl Rng for Broken {
        fn fill(&mut self, _: &mut [u8]) -> Result<(), RngError> {
            Err(RngError)
        }
    }
    let mut world = World::new();
    let id = world.add(&[PRIMARY], Refresh::default());
    world.due(0);
    let (verifier, store) = (&world.verifier, &mut world.store);
    let result = Err("no route".to_owned());
    world.schedule.fetched(time(0), id, result, verifier, store, &mut Broken).unwrap_err();
    assert!((59..=60).contains(&world.next()));
}
