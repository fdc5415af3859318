//! Requests, self-signed certificates, user names and name patterns, from outside.

use adit_certval::{
    Certificate, CertificateTemplate, CrlStore, Identity, NamePattern, Outcome, Purpose, Query,
    Reason, RequestError, TrustAnchor, UserNameError, UserNameTemplate, Verifier,
};
use adit_platform::signature::SignatureScheme;
use adit_platform::{Provider, UnixTime};
use adit_testkit::der::{self, context, explicit, oid, sequence, tlv};
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
    let alice =
        Template { extensions: vec![("2.5.29.17", false, names)], ..Template::bare("Alice") };
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
    ] {
        assert_eq!(expand(template).as_deref(), Ok(user));
    }
    assert_eq!(expand("<certDN.OU>"), Err(UserNameError::Missing("certDN.OU".into())));
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
