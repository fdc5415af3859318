//! Name constraints of any content over names of any content. More constraints never accept more, the order of
//! the names does not matter, and a malformed constraint never lets anything through.
#![no_main]

use std::sync::LazyLock;

use adit_certval::{CrlStore, Outcome, Purpose, Query, Revocation, TrustAnchor, Verifier};
use adit_platform::UnixTime;
use adit_testkit::der::{context, explicit, sequence};
use adit_testkit::insecure::PROVIDER;
use adit_testkit::pki::{self, Authority, Key, Template};
use adit_testkit::rng::SeededRng;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    names: Vec<Form>,
    permitted: Vec<Form>,
    excluded: Vec<Form>,
    /// The content of a further CA's extension, as it is.
    raw: Option<Vec<u8>>,
    subject: Option<String>,
}

/// A `GeneralName`.
#[derive(Arbitrary, Debug)]
enum Form {
    Rfc822(String),
    Dns(String),
    Uri(String),
    Ip(Vec<u8>),
    Directory(String),
    Other(u8, Vec<u8>),
}

impl Form {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Rfc822(text) => context(1, text.as_bytes()),
            Self::Dns(text) => context(2, text.as_bytes()),
            Self::Uri(text) => context(6, text.as_bytes()),
            Self::Ip(bytes) => context(7, bytes),
            Self::Directory(text) => explicit(4, &pki::name(Some(text))),
            Self::Other(tag, bytes) => context(tag & 0x0f, bytes),
        }
    }
}

static WORLD: LazyLock<(Authority, Verifier, [Key; 3])> = LazyLock::new(|| {
    let mut rng = SeededRng::new(3);
    let root = Authority::root("Root", Key::ed25519(&mut rng).insecure());
    let mut anchor = TrustAnchor::from_der(root.certificate.clone()).expect("well-formed");
    anchor.revocation = Revocation::Ignore;
    let mut verifier = Verifier::new(&PROVIDER);
    verifier.add_anchor(anchor);
    (root, verifier, core::array::from_fn(|_| Key::ed25519(&mut rng).insecure()))
});

const NAME_CONSTRAINTS: &str = "2.5.29.30";

fuzz_target!(|input: Input| {
    let (root, verifier, keys) = &*WORLD;
    let trees = |forms: &[Form]| -> Vec<u8> {
        forms.iter().take(8).flat_map(|form| sequence(&[&form.encode()])).collect()
    };
    let list = |n: u8, forms: &[Form]| match trees(forms) {
        empty if empty.is_empty() => Vec::new(),
        trees => adit_testkit::der::tlv(0xa0 | n, &trees),
    };
    let (permitted, excluded) = (list(0, &input.permitted), list(1, &input.excluded));
    let accepted = |constraints: &[Vec<u8>], backwards: bool| {
        let extension = |content: &Vec<u8>| (NAME_CONSTRAINTS, true, content.clone());
        let mut ca = root.clone();
        let mut sent = Vec::new();
        for (constraint, key) in constraints.iter().zip(keys) {
            let extensions = vec![extension(constraint)];
            let template = Template { extensions, ..Template::ca("CA") };
            ca = ca.intermediate(&template, key.clone());
            sent.push(ca.certificate.clone());
        }
        let mut names: Vec<Vec<u8>> = input.names.iter().take(8).map(Form::encode).collect();
        if backwards {
            names.reverse();
        }
        let mut leaf = Template { common_name: input.subject.clone(), ..Template::bare("") };
        if !names.is_empty() {
            leaf.extensions.push(("2.5.29.17", true, sequence(&[&names.concat()])));
        }
        sent.push(ca.issue(&leaf, keys[2].clone()).certificate);
        let sent: Vec<&[u8]> = sent.iter().rev().map(Vec::as_slice).collect();
        let mut query = Query::new(&sent, UnixTime::from_secs(pki::NOW));
        query.purpose = Purpose::Any;
        query.may_fetch = false;
        matches!(verifier.verify(&query, &CrlStore::new()), Ok(Outcome::Accepted(_)))
    };
    let both = sequence(&[&permitted, &excluded]);
    let with_both = accepted(&[both.clone()], false);
    assert_eq!(with_both, accepted(&[both.clone()], true), "the order of names matters");
    if permitted.is_empty() && excluded.is_empty() {
        assert!(!with_both, "an extension that constrains nothing is malformed");
    } else if with_both {
        let fewer = [&permitted, &excluded].into_iter().filter(|list| !list.is_empty());
        for one in fewer.map(|list| sequence(&[list])) {
            assert!(accepted(&[one], false), "accepted by both constraints and not by one");
        }
    }
    if let Some(raw) = &input.raw
        && accepted(&[both, raw.clone()], false)
    {
        assert!(with_both, "another constraint let through what was refused");
    }
});
