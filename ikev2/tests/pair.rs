//! Two endpoints on an ideal network, one named scenario after the other.

mod common;

use std::sync::Arc;

use adit_ikev2::negotiate::{ConfigurationReply, ConfigurationRequest, EspProposal, IkeProposal};
use adit_ikev2::wire::{CertEncoding, ExchangeType, Header, NotifyType, TrafficSelector};
use adit_ikev2::{
    Acceptance, AuthError, ChildConfig, ChildRefusal, CloseReason, Denied, EndpointConfig, Error,
    Incompatible, Lifetime, Limits, LocalAuth, RemoteAuth, TimedOut,
};
use adit_platform::Suite;
use adit_platform::kex::KexAlgorithm;
use adit_platform::signature::SignatureScheme;
use adit_testkit::net::Datagram;
use adit_testkit::pki::Key;
use adit_testkit::rng::SeededRng;

use common::{Pair, Setup, providers, real_providers, secs};

#[track_caller]
fn failure(pair: &Pair, host: usize) -> &Error {
    match &pair.hosts[host].record().closed {
        Some(CloseReason::Failed(error)) => error,
        other => panic!("expected a failure, found {other:?}"),
    }
}

fn is_first(sent: &Datagram) -> bool {
    Header::parse(&sent.payload).unwrap().exchange_type == ExchangeType::IKE_SA_INIT
}

#[test]
fn shared_secret_child_rekeys_and_delete() {
    for provider in providers() {
        let mut pair = Setup::psk(provider).connect(secs(5));
        pair.assert_up();
        assert_eq!(pair.gateway().record().peer, Some(common::client_id()));
        assert_eq!(pair.client().record().peer, Some(common::gateway_id()));

        for host in [0, 1] {
            let (sa, child) =
                (pair.hosts[host].sa(), *pair.hosts[host].record().up.first().unwrap());
            pair.command(host, |endpoint, now| endpoint.rekey_child(now, sa, child)).unwrap();
            pair.assert_up();
            assert_eq!(pair.hosts[host].record().children.len(), 1);
            assert!(!pair.hosts[host].record().children.contains_key(&child));

            pair.command(host, |endpoint, now| endpoint.rekey_ike(now, sa)).unwrap();
            pair.assert_up();
        }
        assert_eq!((pair.client().record().rekeys, pair.gateway().record().rekeys), (2, 2));

        let sa = pair.client().sa();
        pair.command(0, |endpoint, now| endpoint.check_liveness(now, sa)).unwrap();
        assert_eq!(pair.client().record().alive, 1);
        pair.command(0, |endpoint, now| {
            endpoint.create_child(now, sa, ChildConfig::remote_access())
        })
        .unwrap();
        pair.assert_up();
        assert_eq!(pair.client().record().up.len(), 2);
        pair.command(0, |endpoint, now| endpoint.delete(now, sa)).unwrap();
        assert_eq!(pair.client().record().closed, Some(CloseReason::ByUs));
        assert_eq!(pair.gateway().record().closed, Some(CloseReason::ByPeer));
        pair.run(secs(60));
        pair.assert_nothing_left();
    }
}

#[test]
fn eap_with_a_key_and_without() {
    for provider in providers() {
        for msk in [Some(&[7_u8; 64][..]), None] {
            let mut setup = Setup::eap(provider);
            setup.client_embedder.msk = msk;
            setup.gateway_embedder.msk = msk;
            let pair = setup.connect(secs(5));
            pair.assert_up();
            assert_eq!(pair.client().asked.iter().filter(|ask| **ask == "Eap").count(), 4);
        }
    }
}

#[test]
fn eap_that_yields_different_keys_fails() {
    let mut setup = Setup::eap(providers()[0]);
    setup.client_embedder.msk = Some(&[1; 64]);
    let mut pair = setup.connect(secs(5));
    assert_eq!(*failure(&pair, 1), AuthError::WrongAuth.into());
    assert_eq!(*failure(&pair, 0), Error::RefusedByPeer(NotifyType::AUTHENTICATION_FAILED));
    pair.run(secs(60));
    pair.assert_nothing_left();
}

#[test]
fn eap_failure_reaches_the_client() {
    let mut setup = Setup::eap(providers()[0]);
    setup.gateway_embedder.eap_fails = true;
    let mut pair = setup.connect(secs(5));
    assert_eq!(*failure(&pair, 0), AuthError::EapFailure.into());
    assert_eq!(*failure(&pair, 1), AuthError::EapFailure.into());
    // The embedder's EAP peer saw it: only it knows the method's reason.
    assert_eq!(pair.client().asked.last(), Some(&"Eap"));
    pair.run(secs(60));
    pair.assert_nothing_left();
}

//= RFC 7296 section 2.16: the gateway is authenticated before any credential leaves the client.
#[test]
fn no_eap_before_the_gateway_has_proven_itself() {
    let mut setup = Setup::eap(providers()[0]);
    setup.gateway_embedder.secret = b"another secret";
    let mut pair = setup.connect(secs(5));
    assert_eq!(*failure(&pair, 0), AuthError::WrongAuth.into());
    assert!(!pair.client().asked.contains(&"Eap"));
    assert_eq!(*failure(&pair, 1), Error::RefusedByPeer(NotifyType::AUTHENTICATION_FAILED));
    pair.run(secs(60));
    pair.assert_nothing_left();
}

#[test]
fn every_signature_scheme() {
    let mut rng = SeededRng::new(4);
    let keys = [
        Key::p256(&mut rng),
        Key::p521(&mut rng),
        Key::ed25519(&mut rng),
        Key::ml_dsa(44, &mut rng),
        Key::ml_dsa(65, &mut rng),
        Key::ml_dsa(87, &mut rng),
        Key::rsa2048(0),
    ];
    for provider in real_providers() {
        for key in &keys {
            let schemes = provider.keys.load_pkcs8(key.pkcs8()).unwrap().schemes().to_vec();
            assert!(!schemes.is_empty());
            for scheme in schemes {
                if scheme == SignatureScheme::RsaPkcs1Sha1 || provider.verifier(scheme).is_none() {
                    continue;
                }
                let pair =
                    Setup::certificates(provider, key, key).only_scheme(scheme).connect(secs(5));
                pair.assert_up();
            }
        }
    }
}

#[test]
fn legacy_signature_methods() {
    let mut rng = SeededRng::new(4);
    let (p256, p521, rsa) = (Key::p256(&mut rng), Key::p521(&mut rng), Key::rsa2048(0));
    for provider in real_providers() {
        for (key, scheme) in [
            (&p256, SignatureScheme::EcdsaP256Sha256),
            (&p521, SignatureScheme::EcdsaP521Sha512),
            (&rsa, SignatureScheme::RsaPkcs1Sha1),
        ] {
            for (ours, theirs) in [(false, true), (true, false)] {
                let mut setup = Setup::certificates(provider, key, key).only_scheme(scheme);
                setup.client.signature_authentication = ours;
                setup.gateway.signature_authentication = theirs;
                setup.connect(secs(5)).assert_up();
            }
        }
    }
}

#[test]
fn a_certificate_that_is_not_trusted_is_refused_by_either_end() {
    let mut rng = SeededRng::new(4);
    let (ours, theirs) = (Key::p256(&mut rng), Key::p256(&mut rng));
    let provider = providers()[0];

    let mut setup = Setup::certificates(provider, &ours, &theirs);
    setup.client_embedder.peer_spki = None;
    let mut pair = setup.connect(secs(5));
    assert!(matches!(failure(&pair, 0), Error::Denied(Denied::ByAnswer { ask: "VerifyPeer", .. })));
    // The gateway thought that all was well, and hears that it is not.
    let refused = Error::RefusedByPeer(NotifyType::AUTHENTICATION_FAILED);
    assert_eq!(*failure(&pair, 1), refused);
    pair.run(secs(60));
    pair.assert_nothing_left();

    let mut setup = Setup::certificates(provider, &ours, &theirs);
    setup.gateway_embedder.peer_spki = Some(theirs.spki.clone());
    let mut pair = setup.connect(secs(5));
    assert_eq!(*failure(&pair, 1), AuthError::WrongAuth.into());
    assert_eq!(*failure(&pair, 0), refused);
    pair.run(secs(60));
    pair.assert_nothing_left();
}

#[test]
fn a_wrong_secret_is_noticed_by_the_responder() {
    for provider in providers() {
        let mut setup = Setup::psk(provider);
        setup.client_embedder.secret = b"guessed";
        let mut pair = setup.connect(secs(5));
        assert_eq!(*failure(&pair, 1), AuthError::WrongAuth.into());
        assert_eq!(*failure(&pair, 0), Error::RefusedByPeer(NotifyType::AUTHENTICATION_FAILED));
        pair.run(secs(60));
        pair.assert_nothing_left();
    }
}

#[test]
fn another_identity_than_expected_is_refused() {
    let mut setup = Setup::psk(providers()[0]);
    setup.client_peer.remote_id = Some(adit_ikev2::Identity::fqdn("other.lab.test"));
    let pair = setup.connect(secs(5));
    assert_eq!(*failure(&pair, 0), AuthError::WrongIdentity.into());
}

#[test]
fn cookies_are_demanded_and_returned() {
    for provider in providers() {
        let mut setup = Setup::psk(provider);
        setup.gateway.limits = Limits { cookie_threshold: 0, ..Limits::default() };
        setup.connect(secs(5)).assert_up();

        let mut setup = Setup::psk(provider);
        setup.gateway_embedder.acceptance = Acceptance::DemandCookie;
        setup.connect(secs(5)).assert_up();
    }
}

//= RFC 7296 section 2.6.1: the cookie survives a retry with another group.
#[test]
fn another_group_is_demanded_with_and_without_a_cookie() {
    for provider in providers() {
        for cookie_threshold in [0, 100] {
            let mut setup = Setup::psk(provider);
            setup.gateway.proposals = vec![IkeProposal {
                key_exchanges: vec![KexAlgorithm::P384],
                ..IkeProposal::recommended()
            }];
            setup.gateway.limits = Limits { cookie_threshold, ..Limits::default() };
            let pair = setup.connect(secs(5));
            pair.assert_up();
            let inits = pair.client().sent.iter().filter(|sent| is_first(sent)).count();
            assert_eq!(inits, if cookie_threshold == 0 { 3 } else { 2 });
        }
    }
}

#[test]
fn every_suite_protects_what_it_is_for() {
    for provider in providers() {
        for suite in Suite::all() {
            let mut setup = Setup::psk(provider);
            let ike =
                if suite.is_for_ike() { vec![suite] } else { IkeProposal::recommended().suites };
            let ike = vec![IkeProposal { suites: ike, ..IkeProposal::recommended() }];
            let esp = vec![EspProposal { suites: vec![suite], ..EspProposal::recommended() }];
            let child = ChildConfig { proposals: esp, ..ChildConfig::remote_access() };
            setup.client_peer.proposals = ike.clone();
            setup.gateway.proposals = ike;
            setup.client_peer.child = Some(child.clone());
            setup.gateway_embedder.admission = Ok(child);
            let mut pair = setup.connect(secs(5));
            pair.assert_up();
            let sa = pair.client().sa();
            pair.command(0, |endpoint, now| endpoint.rekey_ike(now, sa)).unwrap();
            pair.assert_up();
            for host in &pair.hosts {
                let child = host.record().children.values().next().unwrap();
                assert_eq!(child.suite, suite);
                let len = suite.encryption_key_len() + suite.integrity_key_len();
                assert_eq!(
                    (child.keymat_in.len(), child.keymat_out.len()),
                    (len, len),
                    "{suite:?}"
                );
            }
        }
    }
}

#[test]
fn nothing_in_common_is_said_so() {
    let mut setup = Setup::psk(providers()[0]);
    setup.client_peer.proposals = vec![IkeProposal {
        key_exchanges: vec![KexAlgorithm::X25519],
        ..IkeProposal::recommended()
    }];
    setup.gateway.proposals =
        vec![IkeProposal { key_exchanges: vec![KexAlgorithm::P256], ..IkeProposal::recommended() }];
    let pair = setup.connect(secs(30));
    assert_eq!(*failure(&pair, 0), Error::RefusedByPeer(NotifyType::NO_PROPOSAL_CHOSEN));
    assert!(pair.gateway().dropped.contains(&Incompatible::NoProposalChosen.into()));
    pair.assert_nothing_left();
}

#[test]
fn every_ask_that_is_denied_or_forgotten_fails_closed() {
    let asks = ["Accept", "SelectPeer", "SharedSecret", "Admit", "Eap"];
    for at_gateway in [true, false] {
        for ask in asks {
            for forget in [false, true] {
                let mut setup = if ask == "Eap" {
                    Setup::eap(providers()[2])
                } else {
                    Setup::psk(providers()[2])
                };
                let embedder = if at_gateway {
                    &mut setup.gateway_embedder
                } else {
                    &mut setup.client_embedder
                };
                let list = if forget { &mut embedder.forgets } else { &mut embedder.denies };
                list.insert(ask);
                let mut pair = setup.connect(secs(10));
                let asked = pair.hosts[usize::from(at_gateway)].asked.contains(&ask);
                assert_eq!(pair.client().is_up(), !asked, "{ask} forget={forget}");
                assert_eq!(pair.gateway().is_established(), !asked, "{ask} forget={forget}");
                if asked {
                    pair.run(secs(400));
                    pair.assert_nothing_left();
                }
            }
        }
    }
}

#[test]
fn an_install_that_is_denied_leaves_the_ike_sa_without_child() {
    for host in [0, 1] {
        let mut setup = Setup::psk(providers()[2]);
        let embedder =
            if host == 0 { &mut setup.client_embedder } else { &mut setup.gateway_embedder };
        embedder.denies.insert("Install");
        let pair = setup.build();
        let mut pair = pair;
        pair.connect();
        // The end that denied never installed, so the common bookkeeping does not know the child.
        pair.run(secs(5));
        assert!(pair.client().is_established() && pair.gateway().is_established());
        assert!(pair.hosts[1 - host].record().up.is_empty());
        assert_eq!(pair.hosts[host].record().child_errors.len(), 1);
    }
}

//= RFC 7296 section 2.21.2: if creating the Child SA fails, the IKE SA is nonetheless created.
#[test]
fn a_child_that_is_refused_does_not_harm_the_ike_sa() {
    let refusals = [
        (ChildRefusal::InternalAddressFailure, NotifyType::INTERNAL_ADDRESS_FAILURE),
        (ChildRefusal::FailedCpRequired, NotifyType::FAILED_CP_REQUIRED),
        (ChildRefusal::TsUnacceptable, NotifyType::TS_UNACCEPTABLE),
        (ChildRefusal::NoAdditionalSas, NotifyType::NO_ADDITIONAL_SAS),
    ];
    for (refusal, notify) in refusals {
        let mut setup = Setup::psk(providers()[2]);
        setup.gateway_embedder.admission = Err(refusal);
        let pair = setup.connect(secs(5));
        assert!(pair.client().is_established() && pair.gateway().is_established());
        assert!(!pair.client().is_up() && !pair.gateway().is_up());
        assert_eq!(pair.client().record().child_errors, [Error::RefusedByPeer(notify)]);
    }

    let mut setup = Setup::psk(providers()[2]);
    let elsewhere = TrafficSelector::subnet([192, 0, 2, 0].into(), 24).unwrap();
    setup.gateway_embedder.admission =
        Ok(ChildConfig::tunnel(vec![elsewhere], vec![TrafficSelector::ANY_V4]));
    setup.client_peer.child = Some(ChildConfig::tunnel(
        vec![TrafficSelector::ANY_V4],
        vec![TrafficSelector::subnet([198, 51, 100, 0].into(), 24).unwrap()],
    ));
    let pair = setup.connect(secs(5));
    let refused = Error::RefusedByPeer(NotifyType::TS_UNACCEPTABLE);
    assert_eq!(pair.client().record().child_errors, [refused]);
    assert!(pair.gateway().is_established());
}

#[test]
fn an_ike_sa_without_child() {
    let mut setup = Setup::psk(providers()[0]);
    setup.client_peer.child = None;
    let mut pair = setup.connect(secs(5));
    assert!(pair.client().is_established() && pair.gateway().is_established());
    let sa = pair.client().sa();
    let child = ChildConfig::remote_access();
    pair.command(0, |endpoint, now| endpoint.create_child(now, sa, child)).unwrap();
    pair.assert_up();
}

#[test]
fn the_gateway_assigns_an_address_and_narrows_to_it() {
    let address = [10, 99, 0, 7];
    let host = TrafficSelector::host(address.into());
    let behind = TrafficSelector::subnet([10, 88, 0, 0].into(), 16).unwrap();
    let mut setup = Setup::psk(providers()[0]);
    setup.client_peer.request = Some(ConfigurationRequest::default());
    setup.client_peer.initial_contact = true;
    setup.gateway_embedder.configuration = Some(ConfigurationReply {
        ipv4: vec![address.into()],
        dns: vec![[10, 88, 0, 53].into()],
        ..ConfigurationReply::default()
    });
    setup.gateway_embedder.admission = Ok(ChildConfig::tunnel(vec![behind], vec![host]));
    let pair = setup.connect(secs(5));
    pair.assert_up();
    let record = pair.client().record();
    assert_eq!(record.configuration.as_ref().unwrap().ipv4, [std::net::Ipv4Addr::from(address)]);
    let child = record.children.values().next().unwrap();
    assert_eq!((&child.local[..], &child.remote[..]), (&[host][..], &[behind][..]));
    assert!(pair.gateway().record().initial_contact);
}

#[test]
fn a_nat_moves_both_ends_to_4500_and_keeps_its_mapping() {
    for provider in providers() {
        let mut pair = Setup::psk(provider).build();
        let outside = [203, 0, 113, 9];
        pair.sim.network.add_nat(pair.client().address, outside.into());
        pair.connect();
        pair.run(secs(5));
        pair.assert_up();
        let (ours, theirs) = (pair.client().record(), pair.gateway().record());
        assert!(ours.nat.local && !ours.nat.remote);
        assert!(theirs.nat.remote && !theirs.nat.local);
        assert_eq!(ours.path.unwrap().remote.port(), 4500);
        assert!(ours.children.values().all(|child| child.udp_encapsulation));

        // The NAT loses its memory; the next keepalive does not help, but the next IKE message does.
        let before = theirs.path.unwrap();
        pair.sim.network.rebind_nat(pair.client().address);
        let sa = pair.client().sa();
        pair.command(0, |endpoint, now| endpoint.check_liveness(now, sa)).unwrap();
        let after = pair.gateway().record().path.unwrap();
        assert_ne!(before.remote, after.remote);
        assert_eq!(pair.client().record().alive, 1);
        let keepalives =
            |pair: &Pair| pair.client().sent.iter().filter(|sent| sent.payload == [0xff]).count();
        let sent = keepalives(&pair);
        pair.run(secs(60));
        assert_eq!(keepalives(&pair) - sent, 3);
    }
}

#[test]
fn encapsulation_can_be_forced_from_either_end() {
    let mut setup = Setup::psk(providers()[0]);
    setup.client_peer.force_encapsulation = true;
    let pair = setup.connect(secs(5));
    pair.assert_up();
    assert!(pair.gateway().record().children.values().all(|child| child.udp_encapsulation));

    let mut setup = Setup::psk(providers()[0]);
    setup.gateway.force_encapsulation = true;
    let pair = setup.connect(secs(5));
    pair.assert_up();
    assert!(pair.client().record().children.values().all(|child| child.udp_encapsulation));

    let pair = Setup::psk(providers()[0]).connect(secs(5));
    assert!(pair.client().record().children.values().all(|child| !child.udp_encapsulation));
}

#[test]
fn long_certificates_travel_in_fragments() {
    let mut rng = SeededRng::new(4);
    let key = Key::p256(&mut rng);
    for provider in real_providers() {
        for fragmentation in [true, false] {
            let mut setup = Setup::certificates(provider, &key, &key);
            for peer in [&mut setup.client_peer, &mut setup.gateway_peer] {
                if let LocalAuth::Certificate { chain, .. } = &mut peer.local_auth {
                    *chain = vec![vec![0x30; 1500], vec![0x31; 3000]].into();
                }
            }
            setup.client.fragment_size = 600;
            setup.gateway.fragmentation = fragmentation;
            let pair = setup.connect(secs(5));
            pair.assert_up();
            let longest = |host: usize| {
                let protected = pair.hosts[host].sent.iter().filter(|sent| !is_first(sent));
                protected.map(|sent| sent.payload.len()).max().unwrap()
            };
            if fragmentation {
                assert!(longest(0) <= 600 && longest(1) <= 1232);
            } else {
                assert!(longest(0) > 4500 && longest(1) > 4500);
            }
        }
    }
}

//= RFC 4806 section 4.2
#[test]
fn an_ocsp_response_goes_along_with_the_certificate_where_it_is_wanted() {
    let mut rng = SeededRng::new(4806);
    let key = Key::p256(&mut rng);
    let hashes = vec![[1; 20], [2; 20]];
    for (client_asks, gateway_asks, has_response) in [
        (None, None, true),
        (Some(vec![]), None, true),
        (None, Some(hashes.clone()), true),
        (Some(hashes.clone()), Some(vec![]), true),
        (Some(hashes), Some(vec![]), false),
    ] {
        let mut setup = Setup::certificates(providers()[0], &key, &key);
        let response = |text: &str| has_response.then(|| text.as_bytes().into());
        setup.client_peer.ocsp_response = response("about the client");
        setup.gateway_peer.ocsp_response = response("about the gateway");
        setup.client_peer.ocsp_responders = client_asks.clone();
        setup.gateway.ocsp_responders = gateway_asks.clone();
        let pair = setup.connect(secs(5));
        pair.assert_up();
        let told = |asked: bool, text: &str| match asked && has_response {
            true => vec![(CertEncoding::OCSP_CONTENT, text.as_bytes().to_vec())],
            false => vec![],
        };
        assert_eq!(pair.hosts[0].evidence, told(client_asks.is_some(), "about the gateway"));
        assert_eq!(pair.hosts[1].evidence, told(gateway_asks.is_some(), "about the client"));
    }
}

//= RFC 4806 section 5.2
#[test]
fn a_gateway_of_eap_clients_sends_its_ocsp_response_too() {
    let mut rng = SeededRng::new(4806);
    let key = Key::p256(&mut rng);
    let certificates = Setup::certificates(providers()[0], &key, &key);
    let mut setup = Setup::eap(providers()[0]);
    setup.gateway_peer.local_auth = certificates.gateway_peer.local_auth;
    setup.gateway_peer.ocsp_response = Some(b"about the gateway"[..].into());
    setup.gateway_embedder.signing = certificates.gateway_embedder.signing;
    setup.client_peer.remote_auth = RemoteAuth::Certificate;
    setup.client_peer.ocsp_responders = Some(vec![]);
    setup.client_embedder.peer_spki = Some(key.spki.clone());
    let pair = setup.connect(secs(5));
    pair.assert_up();
    let expected = [(CertEncoding::OCSP_CONTENT, b"about the gateway".to_vec())];
    assert_eq!(pair.hosts[0].evidence, expected);
}

#[test]
fn silence_is_noticed_and_both_ends_forget() {
    let mut pair = Setup::psk(providers()[2]).connect(secs(5));
    pair.assert_up();
    pair.sim.network.conditions.loss = 100;
    pair.run(secs(400));
    for host in [0, 1] {
        assert_eq!(*failure(&pair, host), Error::TimedOut(TimedOut::Request));
    }
    pair.assert_nothing_left();
}

#[test]
fn a_gateway_that_is_not_there_is_given_up() {
    let mut setup = Setup::psk(providers()[2]);
    setup.conditions.loss = 100;
    let pair = setup.connect(secs(200));
    assert_eq!(*failure(&pair, 0), Error::TimedOut(TimedOut::Request));
    pair.assert_nothing_left();
}

#[test]
fn a_half_open_sa_is_dropped_at_its_deadline() {
    let mut pair = Setup::psk(providers()[2]).build();
    pair.connect();
    pair.run(std::time::Duration::from_millis(15));
    assert_eq!(pair.gateway().endpoint.half_open(), 1);
    pair.sim.network.conditions.loss = 100;
    pair.run(secs(29));
    assert_eq!(pair.gateway().endpoint.half_open(), 1);
    pair.run(secs(2));
    assert_eq!(pair.gateway().endpoint.half_open(), 0);
    assert!(pair.gateway().endpoint.is_empty());
}

#[test]
fn everything_is_renewed_in_its_time() {
    let mut setup = Setup::psk(providers()[2]);
    for peer in [&mut setup.client_peer, &mut setup.gateway_peer] {
        peer.lifetime = Lifetime::new(secs(1000));
    }
    let mut child = ChildConfig::remote_access();
    child.lifetime = Lifetime::new(secs(300));
    setup.client_peer.child = Some(child.clone());
    setup.gateway_embedder.admission = Ok(child);
    let mut pair = setup.connect(secs(7200));
    pair.assert_up();
    assert_eq!(pair.client().record().children.len(), 1);
    assert!(pair.client().record().rekeys >= 7, "{}", pair.client().record().rekeys);
    assert!(pair.client().record().replaced.len() >= 23);
    let sa = pair.gateway().sa();
    pair.command(1, |endpoint, now| endpoint.delete(now, sa)).unwrap();
    pair.run(secs(400));
    pair.assert_nothing_left();
}

#[test]
fn the_key_log_names_every_ike_sa_and_only_when_asked() {
    let mut pair = Setup::psk(providers()[0]).build();
    pair.hosts[0].endpoint.dangerous_key_log(true);
    pair.connect();
    pair.run(secs(5));
    let sa = pair.client().sa();
    pair.command(0, |endpoint, now| endpoint.rekey_ike(now, sa)).unwrap();
    assert_eq!(pair.client().key_log.len(), 2);
    assert!(pair.client().key_log.iter().all(|line| line.contains("AES-GCM-256")));
    assert!(pair.gateway().key_log.is_empty());
}

#[test]
fn a_mixed_pair_of_proofs() {
    // The client has a certificate, the gateway a shared secret.
    let mut rng = SeededRng::new(4);
    let key = Key::p256(&mut rng);
    let mut setup = Setup::certificates(providers()[0], &key, &key);
    setup.client_peer.remote_auth = RemoteAuth::SharedSecret;
    setup.gateway_peer.local_auth = LocalAuth::SharedSecret;
    setup.connect(secs(5)).assert_up();
}

#[test]
fn a_client_endpoint_does_not_answer_strangers() {
    let mut setup = Setup::psk(providers()[2]);
    setup.gateway = EndpointConfig::default();
    let pair = setup.connect(secs(5));
    assert!(pair.gateway().dropped.contains(&Denied::NotResponding.into()));
    assert!(pair.gateway().sent.is_empty() && pair.gateway().endpoint.is_empty());
    let _ = Arc::strong_count(&pair.client_config);
}
