//! Requests, self-signed certificates, user names and name patterns, from outside.

use ::der::{Decode, Encode};
use adit_certval::{
    Certificate, CertificateRequest, CertificateTemplate, CrlStore, Difference, Identity,
    NamePattern, Outcome, Purpose, Query, Reason, RequestError, TrustAnchor, UserNameError,
    UserNameTemplate, Verifier,
};
use adit_platform::signature::SignatureScheme;
use adit_platform::{Provider, UnixTime};
use adit_testkit::der::{self, context, explicit, oid, sequence, tlv};
use adit_testkit::mutate;
use adit_testkit::pki::{self, Authority, Key, Template};
use adit_testkit::rng::SeededRng;

const PROVIDERS: [&Provider; 2] =
    [&adit_platform::ring::PROVIDER, &adit_platform::rustcrypto::PROVIDER];

fn template() -> CertificateTemplate {
    CertificateTemplate {
        subject: vec![
            ("C".into(), "DE".into()),
            ("o".into(), "Größe & Söhne".into()),
            ("CN".into(), "vpn.example".into()),
        ],
        dns: vec!["vpn.example".into()],
        ip: vec!["192.0.2.9".parse().unwrap(), "2001:db8::9".parse().unwrap()],
        email: vec!["admin@vpn.example".into()],
        server: true,
        client: false,
    }
}

fn keys() -> [(Key, SignatureScheme); 3] {
    let mut rng = SeededRng::new(12);
    [
        (Key::p256(&mut rng), SignatureScheme::EcdsaP256Sha256),
        (Key::ed25519(&mut rng), SignatureScheme::Ed25519),
        (Key::rsa2048(0), SignatureScheme::RsaPkcs1Sha256),
    ]
}

#[test]
fn a_self_signed_gateway_can_be_pinned() {
    for provider in PROVIDERS {
        for (key, scheme) in keys() {
            let (start, end) = (pki::NOW - 10, pki::NOW + 1_000_000_000);
            let times = [start, end].map(UnixTime::from_secs);
            let unsigned =
                template().self_signed(&key.spki, scheme, [0xff; 16], times[0], times[1]).unwrap();
            let signing = provider.keys.load_pkcs8(key.pkcs8()).unwrap();
            let mut rng = SeededRng::new(1);
            let signature = signing.sign(scheme, unsigned.as_bytes(), &mut rng).unwrap();
            let der = unsigned.finish(&signature);
            assert!(unsigned.is_answered_by(&Certificate::from_der(&der).unwrap()));

            let mut verifier = Verifier::new(provider);
            let mut anchor = TrustAnchor::from_der(der.clone()).unwrap();
            anchor.pinned = true;
            verifier.add_anchor(anchor);
            let sent = [&der[..]];
            let mut query = Query::new(&sent, UnixTime::from_secs(pki::NOW));
            query.identity = Some(Identity::Fqdn("vpn.example"));
            let Ok(Outcome::Accepted(path)) = verifier.verify(&query, &CrlStore::new()) else {
                panic!("pinned");
            };
            let info = path.info();
            assert_eq!(info.subject, "CN=vpn.example,O=Größe & Söhne,C=DE");
            assert_eq!(info.not_before, start as i64);
            assert_eq!(info.not_after, end as i64);
            let names = "email:admin@vpn.example DNS:vpn.example IP:192.0.2.9 IP:2001:db8::9";
            assert_eq!(info.alt_names.join(" "), names);
            // What holds for others holds for pinned ones: time, purpose, name.
            query.purpose = Purpose::TlsClient;
            let reason = verifier.verify(&query, &CrlStore::new()).unwrap_err().reason;
            assert_eq!(reason, Reason::ExtendedKeyUsage);
            query.purpose = Purpose::IkeStrict;
            query.identity = Some(Identity::Fqdn("other.example"));
            let reason = verifier.verify(&query, &CrlStore::new()).unwrap_err().reason;
            assert_eq!(reason, Reason::WrongName);
        }
    }
}

#[test]
fn a_request_has_the_form_of_rfc_2986() {
    let (key, scheme) = &keys()[0];
    let unsigned = template().request(&key.spki, *scheme).unwrap();
    let names = sequence(&[
        &context(1, b"admin@vpn.example"),
        &context(2, b"vpn.example"),
        &context(7, &[192, 0, 2, 9]),
        &context(7, &"2001:db8::9".parse::<std::net::Ipv6Addr>().unwrap().octets()),
    ]);
    let purposes = sequence(&[&oid("1.3.6.1.5.5.7.3.1"), &oid("1.3.6.1.5.5.7.3.17")]);
    let extensions = sequence(&[
        &sequence(&[&oid("2.5.29.17"), &der::octet_string(&names)]),
        &sequence(&[&oid("2.5.29.37"), &der::octet_string(&purposes)]),
    ]);
    let rdn = |kind: &str, tag: u8, text: &str| {
        der::set(&sequence(&[&oid(kind), &tlv(tag, text.as_bytes())]))
    };
    let subject = sequence(&[
        &rdn("2.5.4.6", 0x13, "DE"),
        &rdn("2.5.4.10", 0x0c, "Größe & Söhne"),
        &rdn("2.5.4.3", 0x0c, "vpn.example"),
    ]);
    let attribute = sequence(&[&oid("1.2.840.113549.1.9.14"), &der::set(&extensions)]);
    let expected = sequence(&[&der::integer(&[0]), &subject, &key.spki, &explicit(0, &attribute)]);
    assert_eq!(unsigned.as_bytes(), expected);
    let algorithm = sequence(&[&oid("1.2.840.10045.4.3.2")]);
    let whole = sequence(&[&expected, &algorithm, &der::bit_string(&[1, 2, 3])]);
    assert_eq!(unsigned.finish(&[1, 2, 3]), whole);
}

/// A request of `template` that `key` signed.
fn signed_request(template: &CertificateTemplate, key: &Key, scheme: SignatureScheme) -> Vec<u8> {
    let unsigned = template.request(&key.spki, scheme).unwrap();
    let signing = PROVIDERS[1].keys.load_pkcs8(key.pkcs8()).unwrap();
    let mut rng = SeededRng::new(1);
    unsigned.finish(&signing.sign(scheme, unsigned.as_bytes(), &mut rng).unwrap())
}

//= RFC 2986 section 3
#[test]
fn a_request_proves_possession_of_its_key() {
    let mut rng = SeededRng::new(21);
    let mut count = 0;
    for key in [
        Key::p256(&mut rng),
        Key::p521(&mut rng),
        Key::ed25519(&mut rng),
        Key::rsa2048(1),
        Key::ml_dsa(44, &mut rng),
        Key::ml_dsa(65, &mut rng),
        Key::ml_dsa(87, &mut rng),
    ] {
        // Whatever holds the key gets octets and gives a signature: a card knows no more of it.
        let card = PROVIDERS[1].keys.load_pkcs8(key.pkcs8()).unwrap();
        // No identifier of SHA-1 is written.
        let schemes = card.schemes().iter().filter(|s| **s != SignatureScheme::RsaPkcs1Sha1);
        for &scheme in schemes {
            let unsigned = template().request(&key.spki, scheme).unwrap();
            let signature = card.sign(scheme, unsigned.as_bytes(), &mut rng).unwrap();
            let der = unsigned.finish(&signature);
            let request = CertificateRequest::from_der(&der).unwrap();
            assert_eq!(request.as_der(), der);
            assert_eq!(request.subject().to_string(), "CN=vpn.example,O=Größe & Söhne,C=DE");
            let names = "email:admin@vpn.example DNS:vpn.example IP:192.0.2.9 IP:2001:db8::9";
            assert_eq!(request.alt_names().join(" "), names);
            // A reader that is not ours finds the same.
            let theirs = x509_cert::request::CertReq::from_der(&der).unwrap();
            let spki = theirs.info.public_key.to_der().unwrap();
            assert_eq!(spki, request.subject_public_key_info());
            for provider in PROVIDERS.into_iter().filter(|p| p.verifier(scheme).is_some()) {
                assert_eq!(request.verify(provider), Ok(()), "{scheme:?} by {}", provider.name);
                count += 1;
            }
        }
    }
    assert!(count >= 20, "{count} signatures were verified");
    // Signed by another key than the one that it names.
    let (ours, scheme) = &keys()[0];
    let stranger = Key::p256(&mut SeededRng::new(77));
    let unsigned = template().request(&ours.spki, *scheme).unwrap();
    let signing = PROVIDERS[1].keys.load_pkcs8(stranger.pkcs8()).unwrap();
    let mut rng = SeededRng::new(1);
    let der = unsigned.finish(&signing.sign(*scheme, unsigned.as_bytes(), &mut rng).unwrap());
    let request = CertificateRequest::from_der(&der).unwrap();
    assert_eq!(request.verify(PROVIDERS[0]), Err(Reason::BadSignature));
}

#[test]
fn a_bent_request_never_verifies() {
    let (key, scheme) = &keys()[1];
    let valid = signed_request(&template(), key, *scheme);
    let mut fields = std::collections::BTreeSet::new();
    mutate::all(
        &valid,
        &mutate::der_lengths(&valid),
        8,
        |input| match CertificateRequest::from_der(input) {
            Ok(request) if input != valid => {
                assert!(request.verify(PROVIDERS[0]).is_err(), "{input:02x?}");
            }
            Ok(_) => {}
            Err(error) => {
                assert!(error.offset <= input.len(), "{error}");
                fields.insert(error.field);
            }
        },
    );
    let expected = [
        "CertificationRequest",
        "attributes",
        "certificationRequestInfo",
        "signature",
        "signatureAlgorithm",
        "subject",
        "subjectPKInfo",
        "version",
    ];
    assert_eq!(Vec::from_iter(fields), expected);
}

#[test]
fn an_issued_certificate_is_held_against_its_request() {
    let (key, scheme) = &keys()[0];
    let asked = CertificateTemplate {
        subject: vec![("CN".into(), "vpn.example".into())],
        dns: vec!["vpn.example".into(), "www.vpn.example".into()],
        server: true,
        ..CertificateTemplate::default()
    };
    let der = signed_request(&asked, key, *scheme);
    let request = CertificateRequest::from_der(&der).unwrap();
    let mut root = Authority::root("Root", Key::p256(&mut SeededRng::new(9)));
    let mut issue = |template: &Template, key: &Key| root.issue(template, key.clone()).certificate;
    let answer = |der: &[u8]| request.differences(&Certificate::from_der(der).unwrap());

    let faithful = Template {
        dns: vec!["vpn.example".into(), "www.vpn.example".into()],
        extended_key_usage: vec![pki::purpose::SERVER_AUTH, pki::purpose::IPSEC_IKE],
        key_usage: Some(pki::usage::DIGITAL_SIGNATURE),
        ..Template::bare("vpn.example")
    };
    assert_eq!(answer(&issue(&faithful, key)), Some(vec![]));
    // Another key is another request, whatever the names.
    let other = Key::p256(&mut SeededRng::new(10));
    assert_eq!(answer(&issue(&faithful, &other)), None);
    let own_mind = Template {
        dns: vec!["vpn.example".into(), "mail.vpn.example".into()],
        extended_key_usage: vec![pki::purpose::SERVER_AUTH, pki::purpose::CLIENT_AUTH],
        ..Template::bare("VPN Gateway 7")
    };
    let changes = answer(&issue(&own_mind, key)).unwrap();
    assert_eq!(
        changes,
        [
            Difference::Subject {
                requested: "CN=vpn.example".into(),
                issued: "CN=VPN Gateway 7".into()
            },
            Difference::NameMissing("DNS:www.vpn.example".into()),
            Difference::NameAdded("DNS:mail.vpn.example".into()),
            Difference::PurposeMissing(pki::purpose::IPSEC_IKE.into()),
            Difference::PurposeAdded(pki::purpose::CLIENT_AUTH.into()),
        ]
    );
    assert_eq!(changes[1].to_string(), "alternative name DNS:www.vpn.example is missing");
    // An answer to the request that is still in memory.
    let unsigned = asked.request(&key.spki, *scheme).unwrap();
    let issued = issue(&faithful, key);
    assert!(unsigned.is_answered_by(&Certificate::from_der(&issued).unwrap()));
}

#[test]
fn a_template_that_cannot_be_is_refused() {
    let (key, scheme) = &keys()[0];
    let refused = |change: fn(&mut CertificateTemplate)| {
        let mut template = template();
        change(&mut template);
        template.request(&key.spki, *scheme).unwrap_err()
    };
    let unknown = refused(|t| t.subject.push(("XY".into(), "a".into())));
    assert_eq!(unknown, RequestError::UnknownAttribute("XY".into()));
    let country = refused(|t| t.subject[0].1 = "Germany".into());
    assert_eq!(country, RequestError::Value("Germany".into()));
    assert_eq!(refused(|t| t.dns[0] = "größe".into()), RequestError::Value("größe".into()));
    assert_eq!(refused(|t| *t = CertificateTemplate::default()), RequestError::Nameless);
    let error = template().request(&[0x30, 1], *scheme).unwrap_err();
    assert!(matches!(error, RequestError::Key(_)));
}

#[test]
fn user_names_come_from_the_certificate() {
    let mut rng = SeededRng::new(6);
    let mut root = Authority::root("Root", Key::p256(&mut rng));
    let upn = explicit(0, &tlv(0x0c, b"alice@corp.example"));
    let upn = explicit(0, &[oid("1.3.6.1.4.1.311.20.2.3"), upn].concat());
    let names = sequence(&[&context(1, b"a@example.org"), &context(2, b"laptop.example"), &upn]);
    let rdn =
        |kind: &str, text: &str| der::set(&sequence(&[&oid(kind), &tlv(0x0c, text.as_bytes())]));
    // The most specific of several stands last.
    let subject = sequence(&[
        &rdn("2.5.4.10", "Example Corp"),
        &rdn("2.5.4.11", "Staff"),
        &rdn("2.5.4.11", "Engineering"),
        &rdn("2.5.4.3", "Alice"),
        &rdn("2.5.4.5", "4711"),
    ]);
    let alice = Template {
        subject: Some(subject),
        extensions: vec![("2.5.29.17", false, names)],
        ..Template::bare("")
    };
    let alice = root.issue(&alice, Key::p256(&mut rng));
    let certificate = Certificate::from_der(&alice.certificate).unwrap();
    let expand = |template: &str| UserNameTemplate::parse(template).unwrap().expand(&certificate);
    for (template, user) in [
        ("plain", "plain"),
        ("<certDN.CN>", "Alice"),
        ("vpn-<certdn.cn>@<certAttr.altName.dns>", "vpn-Alice@laptop.example"),
        ("<certAttr.altName.email>", "a@example.org"),
        ("<certAttr.altName.UPN>", "alice@corp.example"),
        ("<certAttr.serialNumber>", "02"),
        ("<certDN.OU>", "Engineering"),
        ("<certDN.O>/<certDN.OU>/<certDN.CN>", "Example Corp/Engineering/Alice"),
        ("<certDN.SERIALNUMBER>", "4711"),
    ] {
        assert_eq!(expand(template).as_deref(), Ok(user));
    }
    // A certificate without a name says of each field that it lacks it.
    let nobody = root.issue(&Template { common_name: None, ..Template::bare("") }, alice.key);
    let nobody = Certificate::from_der(&nobody.certificate).unwrap();
    for field in [
        "certDN.CN",
        "certDN.OU",
        "certDN.O",
        "certDN.SERIALNUMBER",
        "certAttr.altName.email",
        "certAttr.altName.UPN",
        "certAttr.altName.dns",
    ] {
        let template = UserNameTemplate::parse(&format!("user-<{field}>-x")).unwrap();
        let error = template.expand(&nobody).unwrap_err();
        assert_eq!(error, UserNameError::Missing(field.into()));
        assert_eq!(error.to_string(), format!("the certificate has no {field}"));
    }
    let serial = UserNameTemplate::parse("<certAttr.serialNumber>").unwrap().expand(&nobody);
    assert_eq!(serial.as_deref(), Ok("03"), "every certificate has one");
    assert_eq!(expand("<certDN.L>"), Err(UserNameError::Missing("certDN.L".into())));
    let bell = root.issue(&Template::bare("a\u{7}"), Key::p256(&mut rng));
    let bell = Certificate::from_der(&bell.certificate).unwrap();
    let error = UserNameTemplate::parse("<certDN.CN>").unwrap().expand(&bell).unwrap_err();
    assert_eq!(error, UserNameError::Unprintable("certDN.CN".into()));
}

#[test]
fn peers_are_matched_by_any_combination_of_attributes() {
    //= RFC 4945 section 3.1.5
    let (key, scheme) = &keys()[0];
    let times = [pki::NOW, pki::NOW + 9].map(UnixTime::from_secs);
    let unsigned = template().self_signed(&key.spki, *scheme, [1; 16], times[0], times[1]).unwrap();
    let der = unsigned.finish(&[0; 70]);
    let subject = Certificate::from_der(&der).unwrap().subject();
    for (pattern, fits) in [
        ("CN=vpn.example", true),
        ("c=de, cn=*.EXAMPLE", true),
        ("O=*söhne", true),
        ("O=GRÖSSE*", false),
        ("CN=vpn.example, OU=*", false),
        ("CN=*.org", false),
    ] {
        assert_eq!(NamePattern::parse(pattern).unwrap().matches(&subject), fits, "{pattern}");
    }
}
