//! Every algorithm of a certificate's key: chains, CRLs and requests with it are accepted; what policy or size forbids
//! is refused by its own name.

use adit_certval::{
    AlgorithmPolicy, CertificateRequest, CertificateTemplate, CrlError, CrlStore, Error,
    ErrorClass, Outcome, Query, Reason, SignatureAlgorithm, SignedBytes, TrustAnchor, Verifier,
};
use adit_platform::signature::{InvalidSignature, SignatureScheme};
use adit_platform::{Provider, UnixTime, ring, rustcrypto};
use adit_testkit::der::{
    NULL, TRUE, bit_string, explicit, integer, octet_string, oid, sequence, set, time, tlv,
};
use adit_testkit::pki::{self, Authority, Key, Template};
use adit_testkit::rng::SeededRng;

const PROVIDERS: [&Provider; 2] = [&ring::PROVIDER, &rustcrypto::PROVIDER];
const NOW: UnixTime = UnixTime::from_secs(pki::NOW);

fn keys() -> [Key; 7] {
    let mut rng = SeededRng::new(1);
    [
        Key::rsa2048(0),
        Key::p256(&mut rng),
        Key::p521(&mut rng),
        Key::ed25519(&mut rng),
        Key::ml_dsa(44, &mut rng),
        Key::ml_dsa(65, &mut rng),
        Key::ml_dsa(87, &mut rng),
    ]
}

#[test]
fn chains_and_crls_of_every_kind_of_key() {
    for key in keys() {
        let mut root = Authority::root("Root", key.clone());
        let gateway = root.issue(&Template::gateway("gw.test"), key.clone());
        for provider in PROVIDERS {
            let mut verifier = Verifier::new(provider);
            verifier.add_anchor(TrustAnchor::from_der(root.certificate.clone()).unwrap());
            let mut store = CrlStore::new();
            store.insert(&verifier, root.crl(&[]), &[]).unwrap();
            let sent = [&gateway.certificate[..]];
            let outcome = verifier.verify(&Query::new(&sent, NOW), &store);
            assert!(matches!(outcome, Ok(Outcome::Accepted(_))), "{key:?}: {outcome:?}");
            // One bit of the signature.
            let mut bent = gateway.certificate.clone();
            *bent.last_mut().unwrap() ^= 1;
            let error = verifier.verify(&Query::new(&[&bent], NOW), &store).unwrap_err();
            assert_eq!(error.reason, Reason::BadSignature, "{key:?}");
            let mut bent = root.crl(&[]);
            *bent.last_mut().unwrap() ^= 1;
            let error = store.insert(&verifier, bent, &[]).unwrap_err();
            assert_eq!(error, CrlError::Signature(Reason::BadSignature), "{key:?}");
        }
    }
}

/// Requests by every scheme that the keys have, PSS included.
#[test]
fn requests_by_every_scheme() {
    let template = CertificateTemplate {
        subject: vec![("CN".into(), "gw.test".into())],
        ..CertificateTemplate::default()
    };
    let mut count = 0;
    for key in keys() {
        let signer = ring::PROVIDER.keys.load_pkcs8(key.pkcs8()).unwrap();
        for scheme in signer.schemes() {
            let unsigned = template.request(&key.spki, *scheme);
            if *scheme == SignatureScheme::RsaPkcs1Sha1 {
                unsigned.unwrap_err();
                continue;
            }
            let unsigned = unsigned.unwrap();
            let signature =
                signer.sign(*scheme, unsigned.as_bytes(), &mut SeededRng::new(2)).unwrap();
            let der = unsigned.finish(&signature);
            let request = CertificateRequest::from_der(&der).unwrap();
            for provider in PROVIDERS {
                assert_eq!(request.verify(provider), Ok(()), "{scheme:?}");
            }
            count += 1;
        }
    }
    assert_eq!(count, 6 + 3 + 3 + 1 + 3);
}

/// A certificate with any algorithm identifier and key, whose signature nobody will look at.
fn unsigned_certificate(algorithm: &[u8], spki: &[u8]) -> Vec<u8> {
    let name = sequence(&[&set(&sequence(&[&oid("2.5.4.3"), &tlv(0x0c, b"Root")]))]);
    let validity = sequence(&[&time(pki::NOT_BEFORE), &time(pki::NOT_AFTER)]);
    let tbs = sequence(&[&integer(&[1]), algorithm, &name, &validity, &name, spki]);
    sequence(&[&tbs, algorithm, &bit_string(&[0; 64])])
}

fn refusal(certificate: &[u8], policy: AlgorithmPolicy) -> Error {
    let mut verifier = Verifier::new(&ring::PROVIDER);
    verifier.algorithms = policy;
    verifier.add_anchor(TrustAnchor::from_der(certificate.to_vec()).unwrap());
    verifier.verify(&Query::new(&[certificate], NOW), &CrlStore::new()).unwrap_err()
}

const SHA256_RSA: &str = "1.2.840.113549.1.1.11";

/// A `SubjectPublicKeyInfo` with a modulus of so many bits.
fn rsa(bits: usize) -> Vec<u8> {
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] >>= (8 - bits % 8) % 8;
    if modulus[0] & 0x80 != 0 {
        modulus.insert(0, 0);
    }
    let key = sequence(&[&tlv(0x02, &modulus), &integer(&[1, 0, 1])]);
    sequence(&[&sequence(&[&oid("1.2.840.113549.1.1.1"), &NULL]), &bit_string(&key)])
}

#[test]
fn rsa_keys_out_of_range_are_refused_as_such() {
    let algorithm = sequence(&[&oid(SHA256_RSA), &NULL]);
    let of =
        |bits| refusal(&unsigned_certificate(&algorithm, &rsa(bits)), AlgorithmPolicy::default());
    assert_eq!(of(2047).reason, Reason::WeakKey);
    assert_eq!(of(2048).reason, Reason::BadSignature);
    assert_eq!(of(8192).reason, Reason::BadSignature);
    let longer = of(8193);
    assert_eq!(longer.reason, Reason::OversizedKey);
    assert_eq!(longer.class(), ErrorClass::Incompatible);
    assert!(longer.to_string().contains("RSA key longer than 8192 bits"), "{longer}");
}

#[test]
fn sha1_is_refused_unless_policy_allows_it() {
    let sha1_rsa = sequence(&[&oid("1.2.840.113549.1.1.5"), &NULL]);
    //= RFC 4055 section 3.1: every field has its default, SHA-1 with a salt of 20 bytes.
    let pss = sequence(&[&oid("1.2.840.113549.1.1.10"), &sequence(&[])]);
    let allow = AlgorithmPolicy { allow_sha1: true, ..AlgorithmPolicy::default() };
    for algorithm in [sha1_rsa, pss] {
        let certificate = unsigned_certificate(&algorithm, &rsa(2048));
        let reason = refusal(&certificate, AlgorithmPolicy::default()).reason;
        assert_eq!(reason, Reason::WeakAlgorithm);
        assert_eq!(refusal(&certificate, allow).reason, Reason::BadSignature);
    }
}

/// The identifiers of Ed25519 and ML-DSA have no parameters, and a key signs with its own algorithm.
//= RFC 9881 section 2
#[test]
fn identifiers_are_held_to_their_form() {
    let dotted = "2.16.840.1.101.3.4.3.17";
    let bare = sequence(&[&oid(dotted)]);
    let with_null = sequence(&[&oid(dotted), &NULL]);
    let other = sequence(&[&oid("2.16.840.1.101.3.4.3.18")]);
    let spki = |algorithm: &[u8]| sequence(&[algorithm, &bit_string(&[0; 1312])]);
    let default = AlgorithmPolicy::default();
    let reason = |algorithm: &[u8], key: &[u8]| {
        refusal(&unsigned_certificate(algorithm, &spki(key)), default).reason
    };
    assert_eq!(reason(&bare, &bare), Reason::BadSignature);
    assert_eq!(reason(&with_null, &with_null), Reason::UnsupportedAlgorithm);
    assert_eq!(reason(&with_null, &bare), Reason::UnsupportedAlgorithm);
    assert_eq!(reason(&bare, &other), Reason::UnsupportedAlgorithm);
}

/// "Signs" by repeating key parameters and key: enough to see what a host's algorithm is given.
#[derive(Debug)]
struct Echo;

const ECHO: &str = "1.3.6.1.4.1.99999.1";

impl SignatureAlgorithm for Echo {
    fn signature_oid(&self) -> &[u8] {
        &[0x2b, 6, 1, 4, 1, 0x86, 0x8d, 0x1f, 1]
    }

    fn key_oid(&self) -> &[u8] {
        self.signature_oid()
    }

    fn verify(&self, signed: &SignedBytes<'_>) -> Result<(), InvalidSignature> {
        let parameters = signed.key_parameters.ok_or(InvalidSignature)?;
        assert!(!signed.message.is_empty() && signed.signature_parameters.is_none());
        let expected = [parameters, signed.key].concat();
        if signed.signature == expected { Ok(()) } else { Err(InvalidSignature) }
    }
}

/// Makes certificates and CRLs whose keys are of [`Echo`].
struct EchoAuthority {
    name: &'static str,
    key: &'static [u8],
    spki: Vec<u8>,
}

impl EchoAuthority {
    fn new(name: &'static str, key: &'static [u8], parameters: &[u8]) -> Self {
        let spki = sequence(&[&sequence(&[&oid(ECHO), parameters]), &bit_string(key)]);
        Self { name, key, spki }
    }

    fn rdn(&self) -> Vec<u8> {
        sequence(&[&set(&sequence(&[&oid("2.5.4.3"), &tlv(0x0c, self.name.as_bytes())]))])
    }

    /// Signs with these parameters.
    fn sign(&self, tbs: &[u8], parameters: &[u8]) -> Vec<u8> {
        let signature = [parameters, self.key].concat();
        sequence(&[tbs, &sequence(&[&oid(ECHO)]), &bit_string(&signature)])
    }

    fn certify(&self, subject: &EchoAuthority, serial: u8, parameters: &[u8]) -> Vec<u8> {
        let validity = sequence(&[&time(pki::NOT_BEFORE), &time(pki::NOT_AFTER)]);
        let extension = |id: &str, value: &[u8]| sequence(&[&oid(id), &octet_string(value)]);
        let ca = extension("2.5.29.19", &sequence(&[&TRUE]));
        let extensions = explicit(3, &sequence(&[&ca]));
        let version = explicit(0, &integer(&[2]));
        let tbs = sequence(&[
            &version,
            &integer(&[serial]),
            &sequence(&[&oid(ECHO)]),
            &self.rdn(),
            &validity,
            &subject.rdn(),
            &subject.spki,
            &extensions,
        ]);
        self.sign(&tbs, parameters)
    }

    fn crl(&self, parameters: &[u8]) -> Vec<u8> {
        let dates = [time(pki::NOW - 9), time(pki::NOW + 9)];
        let algorithm = sequence(&[&oid(ECHO)]);
        let tbs = sequence(&[&integer(&[1]), &algorithm, &self.rdn(), &dates[0], &dates[1]]);
        self.sign(&tbs, parameters)
    }
}

/// A key without parameters has those of its issuer, in certificates and for CRLs; and never those that somebody
/// else's key of that name happens to have.
//= RFC 5280 section 6.1.4 (d) to (f)
#[test]
fn keys_inherit_parameters() {
    let (p, q) = (integer(&[5]), integer(&[7]));
    let root = EchoAuthority::new("Root", b"root", &p);
    // One with parameters absent and one with NULL: both inherit.
    for none in [&[][..], &NULL] {
        let ca = EchoAuthority::new("CA", b"ca", none);
        let leaf = EchoAuthority::new("Leaf", b"leaf", none);
        let (ca_certificate, leaf_certificate) =
            (root.certify(&ca, 2, &p), ca.certify(&leaf, 3, &p));
        let anchor = TrustAnchor::from_key(root.rdn(), root.spki.clone()).unwrap();
        let mut verifier = Verifier::new(&ring::PROVIDER);
        verifier.add_anchor(anchor);
        let sent = [&leaf_certificate[..], &ca_certificate];
        let mut query = Query::new(&sent, NOW);
        query.may_fetch = false;
        let mut store = CrlStore::new();

        let error = verifier.verify(&query, &store).unwrap_err();
        assert_eq!(error.reason, Reason::UnsupportedAlgorithm);
        verifier.add_algorithm(&Echo);
        store.insert(&verifier, root.crl(&p), &sent).unwrap();
        let error = verifier.verify(&query, &store).unwrap_err();
        assert_eq!(error.reason, Reason::RevocationUnknown);

        // Somebody sends a CA of the same name and key under a root of their own, with other parameters; a CRL
        // that verifies with those says nothing about our path.
        let other = EchoAuthority::new("Other", b"other", &q);
        let forged = other.certify(&other, 1, &q);
        store.insert(&verifier, ca.crl(&q), &[&ca_certificate, &forged]).unwrap();
        let error = verifier.verify(&query, &store).unwrap_err();
        assert_eq!(error.reason, Reason::RevocationUnknown);

        store.insert(&verifier, ca.crl(&p), &sent).unwrap();
        let outcome = verifier.verify(&query, &store);
        assert!(matches!(outcome, Ok(Outcome::Accepted(_))), "{outcome:?}");
        let wrong = [&ca.certify(&leaf, 3, &q)[..], &ca_certificate];
        query.certificates = &wrong;
        let error = verifier.verify(&query, &store).unwrap_err();
        assert_eq!(error.reason, Reason::BadSignature);
    }
}
