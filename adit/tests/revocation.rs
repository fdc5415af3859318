//! Where client and gateway learn whether the other's certificate is revoked: from the peer itself (RFC 4806), from
//! responders, and from CRLs that are fetched before they run out.

#[expect(dead_code, reason = "each test binary uses its own part of this")]
mod common;

use std::time::Duration;

use adit::{Disconnect, GatewayEvent, Staple};
use adit_platform::ring::PROVIDER;
use adit_testkit::pki::{self, OcspState, OcspTemplate, Template};

use common::{CRL_URL, Login, Setup};

const RESPONDER: &str = "http://ocsp.test/";

/// A gateway whose certificate names a responder and no CRL, and nothing on the web.
fn setup() -> Setup {
    let mut setup = Setup::new(PROVIDER, Login::LocalPassword);
    let template =
        Template { crl_urls: vec![], ocsp_urls: vec![RESPONDER.to_owned()], ..Setup::template() };
    setup.issue_gateway(&template);
    setup.web.clear();
    setup
}

fn respond(setup: &Setup, status: OcspState) -> Vec<u8> {
    setup.authority.ocsp(setup.gateway_certificate.serial, status)
}

fn refusal(outcome: Result<adit::Connection, Disconnect>) -> String {
    outcome.expect_err("refused").to_string()
}

//= RFC 4806 section 5.2
#[test]
fn what_the_gateway_sends_along_spares_the_client_the_fetch() {
    let mut setup = setup();
    setup.staple = Staple::Response(respond(&setup, OcspState::Good));
    let mut world = setup.start();
    world.connect().unwrap_or_else(|reason| panic!("{reason}"));
    assert_eq!(world.fetched, [vec![], vec![]]);
}

#[test]
fn a_response_that_says_revoked_or_was_forged_does_not_connect() {
    let mut setup1 = setup();
    setup1.staple = Staple::Response(respond(&setup1, OcspState::Revoked(pki::NOW - 9, Some(1))));
    let text = refusal(setup1.start().connect());
    assert!(text.contains("revoked on") && text.contains("key compromise"), "{text}");

    let mut setup2 = setup();
    let mut forged = respond(&setup2, OcspState::Good);
    *forged.last_mut().unwrap() ^= 1;
    setup2.staple = Staple::Response(forged);
    let mut world = setup2.start();
    let text = refusal(world.connect());
    assert!(text.contains("revocation status unknown"), "{text}");
    // The client asked the responder itself, in vain.
    assert_eq!(world.fetched[0].len(), 1);
    assert_eq!(world.fetched[0][0].1, RESPONDER);
}

#[test]
fn without_a_response_the_responder_is_asked() {
    let mut setup = setup();
    setup.web.insert(RESPONDER.to_owned(), respond(&setup, OcspState::Good));
    let mut world = setup.start();
    world.connect().unwrap_or_else(|reason| panic!("{reason}"));
    assert_eq!(world.fetched[0].len(), 1);
}

#[test]
fn a_client_sends_its_response_along_too() {
    let mut setup = Setup::new(PROVIDER, Login::Certificates);
    let template = Template {
        crl_urls: vec![],
        ocsp_urls: vec![RESPONDER.to_owned()],
        ..Template::user("alice@adit.test")
    };
    let key = setup.client_certificate.key.clone();
    setup.client_certificate = setup.authority.issue(&template, key);
    // One response about both, for both to send.
    let mut about = OcspTemplate::new(setup.gateway_certificate.serial, OcspState::Good);
    about
        .singles
        .extend(OcspTemplate::new(setup.client_certificate.serial, OcspState::Good).singles);
    setup.staple = Staple::Response(setup.authority.ocsp_with(&about));
    setup.web.clear();
    let mut world = setup.start();
    world.connect().unwrap_or_else(|reason| panic!("{reason}"));
    assert_eq!(world.fetched, [vec![], vec![]]);
}

#[test]
fn a_gateway_fetches_its_own_response_and_keeps_it_fresh() {
    let mut setup = setup();
    setup.staple = Staple::Fetch;
    let hour = 3600;
    let answer = |setup: &Setup, at: u64| {
        let mut template = OcspTemplate::new(setup.gateway_certificate.serial, OcspState::Good);
        template.singles[0].this_update = at;
        template.singles[0].next_update = Some(at + 2 * hour);
        template.produced_at = at;
        setup.authority.ocsp_with(&template)
    };
    setup.web.insert(RESPONDER.to_owned(), answer(&setup, pki::NOW));
    let later = answer(&setup, pki::NOW + hour);
    let mut world = setup.start();
    world.gateway.handle_timeout(world.now);
    world.connect().unwrap_or_else(|reason| panic!("{reason}"));
    assert_eq!((world.fetched[0].len(), world.fetched[1].len()), (0, 1));
    world.web.insert(RESPONDER.to_owned(), later);
    // The next comes before the first has ended.
    world.run(Duration::from_secs(2 * hour), |_| false);
    assert_eq!(world.fetched[1].len(), 2);
    let since = world.fetched[1][1].0.since_origin().as_secs();
    assert!((hour..2 * hour).contains(&since), "{since}");

    // The host may know better.
    world.gateway.set_ocsp_response(None);
    world.run(Duration::from_secs(5 * hour), |_| false);
    assert_eq!(world.fetched[1].len(), 2);
}

#[test]
fn crls_are_fetched_anew_before_they_run_out() {
    let mut setup = Setup::new(PROVIDER, Login::Certificates);
    let hours = |n: u64| pki::NOW + n * 3600;
    let crl = setup.authority.crl_with([], pki::NOW, Some(hours(10)), &[]);
    setup.web.insert(CRL_URL.to_owned(), crl);
    let entries = [(setup.client_certificate.serial, hours(5), None)];
    let next = setup.authority.crl_with(entries, hours(5), Some(hours(20)), &[]);
    let mut world = setup.start();
    world.connect().unwrap_or_else(|reason| panic!("{reason}"));
    assert_eq!((world.fetched[0].len(), world.fetched[1].len()), (1, 1));
    world.client.disconnect(world.now);
    world.web.insert(CRL_URL.to_owned(), next);
    world.run(Duration::from_secs(10 * 3600), |_| false);
    assert_eq!((world.fetched[0].len(), world.fetched[1].len()), (2, 2));
    // The gateway has what it needs to refuse.
    world.client_events.clear();
    assert!(world.connect().is_err());
    assert_eq!((world.fetched[0].len(), world.fetched[1].len()), (2, 2));
    let revoked = world.gateway_events.iter().any(|event| match event {
        GatewayEvent::Refused(refusal) => refusal.reason.to_string().contains("revoked on"),
        _ => false,
    });
    assert!(revoked, "{:?}", world.gateway_events);
}

#[test]
fn a_web_server_that_is_down_is_not_asked_for_every_peer() {
    let mut setup = setup();
    setup.web.clear();
    let mut world = setup.start();
    let mut connect = || {
        world.client_events.clear();
        refusal(world.connect());
        world.fetched[0].len()
    };
    assert_eq!(connect(), 1);
    assert_eq!(connect(), 1, "the responder pauses for a minute at least");
    world.run(Duration::from_secs(120), |_| false);
    world.client_events.clear();
    refusal(world.connect());
    assert_eq!(world.fetched[0].len(), 2);
}
