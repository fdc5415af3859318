//! Conversions to and from the types of `x509-cert` and `spki`.

use adit_certval::{
    Certificate, CertificateRequest, CertificateTemplate, CrlStore, Outcome, Query, TrustAnchor,
    Verifier,
};
use adit_platform::UnixTime;
use adit_platform::ring::PROVIDER;
use adit_testkit::pki::{self, Authority, Key, Template};
use adit_testkit::rng::SeededRng;
use der::{Decode, Encode};
use spki::SubjectPublicKeyInfoRef;
use x509_cert::crl::CertificateList;
use x509_cert::request::CertReq;

#[test]
fn there_and_back() {
    let mut rng = SeededRng::new(3);
    let mut root = Authority::root("Root", Key::p256(&mut rng));
    let gateway = root.issue(&Template::gateway("gw.test"), Key::ed25519(&mut rng));

    // An anchor from a certificate that was read by `x509-cert`.
    let theirs = x509_cert::Certificate::from_der(&root.certificate).unwrap();
    let anchor = TrustAnchor::try_from(&theirs).unwrap();
    assert_eq!(anchor.certificate_der(), Some(&root.certificate[..]));
    let mut verifier = Verifier::new(&PROVIDER);
    verifier.add_anchor(anchor);

    // A CRL, a certificate, its key and names.
    let mut store = CrlStore::new();
    let crl = store.insert(&verifier, root.crl(&[9]), &[]).unwrap();
    let list = CertificateList::try_from(&*crl).unwrap();
    assert_eq!(list.to_der().unwrap(), crl.as_der());
    assert_eq!(list.tbs_cert_list.revoked_certificates.unwrap().len(), 1);
    let ours = Certificate::from_der(&gateway.certificate).unwrap();
    let theirs = x509_cert::Certificate::try_from(&ours).unwrap();
    assert_eq!(theirs.to_der().unwrap(), gateway.certificate);
    let key = SubjectPublicKeyInfoRef::try_from(&ours).unwrap();
    assert_eq!(key.to_der().unwrap(), ours.subject_public_key_info());
    assert_eq!(key.algorithm.oid.to_string(), "1.3.101.112");
    let name = x509_cert::name::Name::try_from(&ours.issuer()).unwrap();
    assert_eq!(name.to_string(), ours.issuer().to_string());

    // A verified path.
    let sent = [&gateway.certificate[..]];
    let query = Query::new(&sent, UnixTime::from_secs(pki::NOW));
    let Outcome::Accepted(path) = verifier.verify(&query, &store).unwrap() else { panic!() };
    assert_eq!(Vec::<x509_cert::Certificate>::try_from(&path).unwrap(), [theirs]);
}

#[test]
fn requests() {
    let key = Key::p256(&mut SeededRng::new(4));
    let loaded = PROVIDER.keys.load_pkcs8(key.pkcs8()).unwrap();
    let scheme = loaded.schemes()[0];
    let template = CertificateTemplate {
        subject: vec![("CN".into(), "gw.test".into())],
        dns: vec!["gw.test".into()],
        ..CertificateTemplate::default()
    };
    let unsigned = template.request(&key.spki, scheme).unwrap();
    let signature = loaded.sign(scheme, unsigned.as_bytes(), &mut SeededRng::new(5)).unwrap();
    let der = unsigned.finish(&signature);
    let request = CertReq::try_from(&CertificateRequest::from_der(&der).unwrap()).unwrap();
    assert_eq!(request.info.subject.to_string(), "CN=gw.test");
    assert_eq!(request.info.public_key.to_der().unwrap(), key.spki);
    assert_eq!(request.to_der().unwrap(), der);
}
