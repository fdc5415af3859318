//! The matrix of RFC 4945: ID type × names in the certificate × key usage × extended key usage.
//!
//! Each row is a test of its own and names the section that it was written from; `every_combination` then
//! crosses all rows: a certificate is accepted exactly if its names, its key usage and its extended key usage
//! each allow it. Server names by RFC 9525 have rows of their own, and so has the rest of section 5.1.

use std::sync::LazyLock;

use adit_certval::{
    CertificateRef, CrlStore, Identity, NamePattern, Outcome, Purpose, Query, Reason, Revocation,
    TrustAnchor, Verifier,
};
use adit_platform::UnixTime;
use adit_platform::ring::PROVIDER;
use adit_testkit::der::{self, context, explicit, oid, sequence, set, tlv};
use adit_testkit::pki::{self, Authority, Key, Template};
use adit_testkit::rng::SeededRng;

/// A subject: RDNs of one attribute each, as (type, string tag, value).
type Subject = &'static [(&'static str, u8, &'static str)];

const CN: &str = "2.5.4.3";
const C: &str = "2.5.4.6";
const O: &str = "2.5.4.10";
const OU: &str = "2.5.4.11";
const EMAIL: &str = "1.2.840.113549.1.9.1";
const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const IA5: u8 = 0x16;

/// One subject alternative name.
#[derive(Clone, Copy)]
enum San {
    Dns(&'static str),
    Email(&'static str),
    Ip(&'static [u8]),
    Uri(&'static str),
    Directory(Subject),
    /// Microsoft's user principal name.
    Upn(&'static str),
    RegisteredId,
}
use San::{Directory, Dns, Email, Ip, RegisteredId, Upn, Uri};

impl San {
    fn encode(self) -> Vec<u8> {
        match self {
            Email(text) => context(1, text.as_bytes()),
            Dns(text) => context(2, text.as_bytes()),
            Uri(text) => context(6, text.as_bytes()),
            Ip(bytes) => context(7, bytes),
            Directory(subject) => explicit(4, &name(subject)),
            Upn(text) => {
                let value = explicit(0, &tlv(UTF8, text.as_bytes()));
                explicit(0, &[oid("1.3.6.1.4.1.311.20.2.3"), value].concat())
            }
            RegisteredId => context(8, &oid("1.2.3.4")[2..]),
        }
    }
}

fn name(subject: Subject) -> Vec<u8> {
    let rdns = subject
        .iter()
        .flat_map(|(kind, tag, value)| set(&sequence(&[&oid(kind), &tlv(*tag, value.as_bytes())])));
    sequence(&[&rdns.collect::<Vec<u8>>()])
}

/// What the peer claims in its ID payload.
#[derive(Clone, Copy)]
enum Id {
    Ipv4(&'static [u8]),
    Fqdn(&'static str),
    UserFqdn(&'static str),
    Ipv6(&'static [u8]),
    Dn(Subject),
    /// Any type and data.
    Raw(u8, &'static [u8]),
}

impl Id {
    /// Type and data, numbered as in RFC 7296 section 3.5.
    fn payload(self) -> (u8, Vec<u8>) {
        match self {
            Self::Ipv4(bytes) => (1, bytes.to_vec()),
            Self::Fqdn(text) => (2, text.as_bytes().to_vec()),
            Self::UserFqdn(text) => (3, text.as_bytes().to_vec()),
            Self::Ipv6(bytes) => (5, bytes.to_vec()),
            Self::Dn(subject) => (9, name(subject)),
            Self::Raw(kind, bytes) => (kind, bytes.to_vec()),
        }
    }
}

/// Names in the certificate that bind the claimed identity, or do not.
struct Names {
    row: &'static str,
    section: &'static str,
    id: Id,
    subject: Subject,
    sans: &'static [San],
    bound: bool,
}

macro_rules! names {
    ($($row:ident: $section:literal, $id:expr, $subject:expr, $sans:expr => $bound:literal;)*) => {
        const NAMES: &[Names] = &[$(Names {
            row: stringify!($row),
            section: $section,
            id: $id,
            subject: $subject,
            sans: $sans,
            bound: $bound,
        }),*];
        mod names {$(
            #[test]
            fn $row() {
                super::check_names(stringify!($row));
            }
        )*}
    };
}

const NONE: Subject = &[];
const ROUTER: Subject = &[(CN, UTF8, "Gateway Router")];
const STAFF: Subject = &[
    (C, PRINTABLE, "DE"),
    (O, UTF8, "Example Corp"),
    (OU, UTF8, "Engineering"),
    (CN, UTF8, "John Doe"),
];
const V4: &[u8] = &[192, 0, 2, 1];
const V6: &[u8] = &[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const MAPPED: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1];
const TEXT: &[u8] = b"192.0.2.1\0\0\0\0\0\0\0";

names! {
    // Addresses: bitwise with an iPAddress and nothing else.
    ipv4_equal: "3.1.1", Id::Ipv4(V4), ROUTER, &[Ip(V4)] => true;
    ipv4_equal_under_an_empty_subject: "5.1.2.1", Id::Ipv4(V4), NONE, &[Ip(V4)] => true;
    ipv4_among_others: "3.1.1", Id::Ipv4(V4), ROUTER, &[Ip(&[198, 51, 100, 7]), Dns("a.example"), Ip(V4)] => true;
    ipv4_other: "3.1.1", Id::Ipv4(V4), ROUTER, &[Ip(&[192, 0, 2, 2])] => false;
    ipv4_without_alternative_names: "3.1.1", Id::Ipv4(V4), ROUTER, &[] => false;
    ipv4_in_the_subject_only: "3.1.9", Id::Ipv4(V4), &[(CN, UTF8, "192.0.2.1")], &[] => false;
    ipv4_as_a_host_name: "3.1.1", Id::Ipv4(V4), ROUTER, &[Dns("192.0.2.1")] => false;
    ipv4_as_a_mail_address: "3.1.1", Id::Ipv4(V4), ROUTER, &[Email("192.0.2.1")] => false;
    ipv4_as_a_uri: "3.1.1", Id::Ipv4(V4), ROUTER, &[Uri("ike://192.0.2.1/")] => false;
    ipv4_as_mapped_ipv6: "3.1.1", Id::Ipv4(V4), ROUTER, &[Ip(MAPPED)] => false;
    ipv4_within_a_network: "5.1.3.6.2", Id::Ipv4(V4), ROUTER, &[Ip(&[192, 0, 2, 0, 255, 255, 255, 0])] => false;
    ipv4_with_a_host_mask: "5.1.3.6.2", Id::Ipv4(V4), ROUTER, &[Ip(&[192, 0, 2, 1, 255, 255, 255, 255])] => false;
    ipv4_of_three_octets: "3.1.1", Id::Ipv4(&[192, 0, 2]), ROUTER, &[Ip(V4)] => false;
    ipv4_of_sixteen_octets: "3.1.1", Id::Ipv4(V6), ROUTER, &[Ip(V6)] => false;
    ipv4_as_text: "3.1.1", Id::Ipv4(b"192.0.2.1"), ROUTER, &[Ip(V4)] => false;
    ipv6_equal: "3.1.1", Id::Ipv6(V6), ROUTER, &[Ip(V6)] => true;
    ipv6_equal_under_an_empty_subject: "5.1.2.1", Id::Ipv6(V6), NONE, &[Ip(V4), Ip(V6)] => true;
    ipv6_other: "3.1.1", Id::Ipv6(V6), ROUTER, &[Ip(MAPPED)] => false;
    ipv6_without_alternative_names: "3.1.1", Id::Ipv6(V6), ROUTER, &[] => false;
    ipv6_in_the_subject_only: "3.1.9", Id::Ipv6(V6), &[(CN, UTF8, "2001:db8::1")], &[] => false;
    ipv6_as_a_host_name: "3.1.1", Id::Ipv6(V6), ROUTER, &[Dns("2001:db8::1")] => false;
    ipv6_of_four_octets: "3.1.1", Id::Ipv6(V4), ROUTER, &[Ip(V4)] => false;
    ipv6_as_padded_text: "3.1.1", Id::Ipv6(TEXT), ROUTER, &[Ip(V6)] => false;
    ipv6_within_a_network: "5.1.3.6.2", Id::Ipv6(V6), ROUTER, &[Ip(&[
        0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    ])] => false;

    // Host names: without regard to case with a dNSName and nothing else, never by wildcard or part.
    fqdn_equal: "3.1.2", Id::Fqdn("gw.example.org"), ROUTER, &[Dns("gw.example.org")] => true;
    fqdn_equal_but_for_case: "3.1.2", Id::Fqdn("GW.example.ORG"), ROUTER, &[Dns("gw.Example.org")] => true;
    fqdn_equal_under_an_empty_subject: "5.1.2.1", Id::Fqdn("gw.example.org"), NONE, &[Dns("gw.example.org")] => true;
    fqdn_internationalized: "3.1.2", Id::Fqdn("XN--tmonesimerkki-bfbb.example.net"), ROUTER,
        &[Dns("xn--tmonesimerkki-bfbb.example.net")] => true;
    fqdn_among_others: "3.1.8", Id::Fqdn("gw.example.org"), STAFF,
        &[Ip(V4), Email("gw@example.org"), Dns("other.example"), Dns("gw.example.org")] => true;
    fqdn_other: "3.1.2", Id::Fqdn("gw.example.org"), ROUTER, &[Dns("gw.example.net")] => false;
    fqdn_without_alternative_names: "3.1.2", Id::Fqdn("gw.example.org"), ROUTER, &[] => false;
    fqdn_in_the_subject_only: "3.1.9", Id::Fqdn("gw.example.org"), &[(CN, UTF8, "gw.example.org")], &[] => false;
    fqdn_in_the_subject_beside_other_names: "3.1.9", Id::Fqdn("gw.example.org"),
        &[(CN, UTF8, "gw.example.org")], &[Dns("other.example")] => false;
    fqdn_as_a_mail_address: "3.1.2", Id::Fqdn("gw.example.org"), ROUTER, &[Email("gw.example.org")] => false;
    fqdn_as_a_uri: "3.1.2", Id::Fqdn("gw.example.org"), ROUTER, &[Uri("https://gw.example.org/")] => false;
    fqdn_as_a_directory_name: "3.1.2", Id::Fqdn("gw.example.org"), ROUTER,
        &[Directory(&[(CN, UTF8, "gw.example.org")])] => false;
    fqdn_as_a_principal_name: "3.1.2", Id::Fqdn("gw.example.org"), ROUTER, &[Upn("gw.example.org")] => false;
    fqdn_under_a_wildcard: "3.1.2", Id::Fqdn("gw.example.org"), ROUTER, &[Dns("*.example.org")] => false;
    fqdn_that_is_a_wildcard: "5.1.3.6.1", Id::Fqdn("*.example.org"), ROUTER, &[Dns("*.example.org")] => false;
    fqdn_wildcard_against_a_host: "3.1.2", Id::Fqdn("*.example.org"), ROUTER, &[Dns("gw.example.org")] => false;
    fqdn_below_the_name: "3.1.2", Id::Fqdn("a.gw.example.org"), ROUTER, &[Dns("gw.example.org")] => false;
    fqdn_above_the_name: "3.1.2", Id::Fqdn("example.org"), ROUTER, &[Dns("gw.example.org")] => false;
    fqdn_part_of_the_name: "3.1.2", Id::Fqdn("gw.example"), ROUTER, &[Dns("gw.example.org")] => false;
    fqdn_with_the_dot_of_the_root: "3.1 [b]", Id::Fqdn("gw.example.org."), ROUTER, &[Dns("gw.example.org")] => false;
    fqdn_with_a_terminator: "3.1 [b]", Id::Fqdn("gw.example.org\0"), ROUTER, &[Dns("gw.example.org\0")] => false;
    fqdn_cut_by_a_terminator: "3.1 [b]", Id::Fqdn("gw.example.org"), ROUTER,
        &[Dns("gw.example.org\0.evil.example")] => false;
    fqdn_of_nothing: "3.1 [b]", Id::Fqdn(""), ROUTER, &[Dns("")] => false;
    fqdn_that_is_no_text: "3.1 [b]", Id::Raw(2, b"gw.example.org\xff"), ROUTER, &[Dns("gw.example.org")] => false;

    // Mail addresses: without regard to case with an rfc822Name and nothing else.
    user_fqdn_equal: "3.1.3", Id::UserFqdn("john@example.org"), STAFF, &[Email("john@example.org")] => true;
    user_fqdn_equal_but_for_case: "3.1.3", Id::UserFqdn("John@EXAMPLE.org"), STAFF, &[Email("john@Example.org")] => true;
    user_fqdn_equal_under_an_empty_subject: "5.1.2.1", Id::UserFqdn("john@example.org"), NONE,
        &[Email("john@example.org")] => true;
    user_fqdn_among_others: "3.1.8", Id::UserFqdn("john@example.org"), STAFF,
        &[Upn("john@corp.example"), Email("doe@example.org"), Email("john@example.org")] => true;
    user_fqdn_other: "3.1.3", Id::UserFqdn("john@example.org"), STAFF, &[Email("jane@example.org")] => false;
    user_fqdn_without_alternative_names: "3.1.3", Id::UserFqdn("john@example.org"), STAFF, &[] => false;
    user_fqdn_in_the_subject_only: "3.1.9", Id::UserFqdn("john@example.org"),
        &[(EMAIL, IA5, "john@example.org")], &[] => false;
    user_fqdn_as_a_host_name: "3.1.3", Id::UserFqdn("john@example.org"), STAFF, &[Dns("john@example.org")] => false;
    user_fqdn_as_a_uri: "3.1.3", Id::UserFqdn("john@example.org"), STAFF, &[Uri("mailto:john@example.org")] => false;
    user_fqdn_as_a_principal_name: "3.1.3", Id::UserFqdn("john@example.org"), STAFF,
        &[Upn("john@example.org")] => false;
    user_fqdn_of_the_domain: "3.1.3", Id::UserFqdn("john@example.org"), STAFF, &[Email("example.org")] => false;
    user_fqdn_under_a_wildcard: "3.1.3", Id::UserFqdn("john@example.org"), STAFF, &[Email("*@example.org")] => false;
    user_fqdn_part_of_the_address: "3.1.3", Id::UserFqdn("john@example"), STAFF, &[Email("john@example.org")] => false;
    user_fqdn_of_nothing: "3.1 [b]", Id::UserFqdn(""), STAFF, &[Email("")] => false;

    // Distinguished names: bitwise with the entire subject and nothing else.
    dn_equal: "3.1.5", Id::Dn(STAFF), STAFF, &[] => true;
    dn_equal_beside_alternative_names: "3.1.8", Id::Dn(STAFF), STAFF, &[Dns("gw.example.org"), Ip(V4)] => true;
    dn_other: "3.1.5", Id::Dn(ROUTER), STAFF, &[] => false;
    dn_equal_but_for_case: "3.1.5", Id::Dn(&[(CN, UTF8, "GATEWAY router")]), ROUTER, &[] => false;
    dn_equal_but_for_the_string_type: "3.1.5", Id::Dn(&[(CN, PRINTABLE, "Gateway Router")]), ROUTER, &[] => false;
    dn_part_of_the_subject: "3.1.5", Id::Dn(&[(C, PRINTABLE, "DE"), (O, UTF8, "Example Corp")]), STAFF, &[] => false;
    dn_in_another_order: "3.1.5",
        Id::Dn(&[(CN, UTF8, "John Doe"), (OU, UTF8, "Engineering"), (O, UTF8, "Example Corp"), (C, PRINTABLE, "DE")]),
        STAFF, &[] => false;
    dn_in_the_alternative_names_only: "3.1.5", Id::Dn(STAFF), ROUTER, &[Directory(STAFF)] => false;
    dn_empty_as_the_subject: "3.1.5", Id::Dn(NONE), NONE, &[Dns("gw.example.org")] => false;
    dn_that_is_no_der: "3.1.5", Id::Raw(9, b"CN=Gateway Router"), ROUTER, &[] => false;
    dn_with_something_behind: "3.1.5", Id::Raw(9, b"\x30\x00\x00"), ROUTER, &[] => false;

    // What no certificate binds.
    ipv4_subnet: "3.1.4", Id::Raw(4, &[192, 0, 2, 1, 255, 255, 255, 255]), ROUTER, &[Ip(V4)] => false;
    ipv4_subnet_in_the_certificate: "3.1.4", Id::Raw(4, &[192, 0, 2, 0, 255, 255, 255, 0]), ROUTER,
        &[Ip(&[192, 0, 2, 0, 255, 255, 255, 0])] => false;
    ipv6_subnet: "3.1.4", Id::Raw(6, V6), ROUTER, &[Ip(V6)] => false;
    ipv4_range: "3.1.4", Id::Raw(7, &[192, 0, 2, 1, 192, 0, 2, 1]), ROUTER, &[Ip(V4)] => false;
    ipv6_range: "3.1.4", Id::Raw(8, V6), ROUTER, &[Ip(V6)] => false;
    general_name: "3.1.6", Id::Raw(10, b"\x82\x0egw.example.org"), ROUTER, &[Dns("gw.example.org")] => false;
    key_id: "3.1.7", Id::Raw(11, b"gw.example.org"), ROUTER, &[Dns("gw.example.org")] => false;
    key_id_in_the_subject: "3.1.7", Id::Raw(11, b"Gateway Router"), ROUTER, &[RegisteredId] => false;
    reserved: "3.1", Id::Raw(0, b"gw.example.org"), ROUTER, &[Dns("gw.example.org")] => false;
    unknown: "3.1", Id::Raw(201, b"gw.example.org"), ROUTER, &[Dns("gw.example.org")] => false;
}

/// A key usage and whether IKE may use it; `None`, no extension.
struct Usage {
    row: &'static str,
    bits: Option<u16>,
    allowed: bool,
}

macro_rules! usages {
    ($($row:ident: $bits:expr => $allowed:literal;)*) => {
        const USAGES: &[Usage] =
            &[$(Usage { row: stringify!($row), bits: $bits, allowed: $allowed }),*];
        mod key_usage {$(
            #[test]
            fn $row() {
                super::check_usage(stringify!($row));
            }
        )*}
    };
}

// All from section 5.1.3.2. Bits as RFC 5280 section 4.2.1.3 numbers them, bit 0 the most significant.
usages! {
    absent: None => true;
    digital_signature: Some(0x8000) => true;
    non_repudiation: Some(0x4000) => true;
    both: Some(0xc000) => true;
    digital_signature_and_others: Some(0xa800) => true;
    non_repudiation_and_others: Some(0x7880) => true;
    all: Some(0xff80) => true;
    key_encipherment: Some(0x2000) => false;
    data_encipherment: Some(0x1000) => false;
    key_agreement: Some(0x0800) => false;
    key_cert_sign: Some(0x0400) => false;
    crl_sign: Some(0x0200) => false;
    encipher_only: Some(0x0100) => false;
    decipher_only: Some(0x0080) => false;
    all_others: Some(0x3f80) => false;
}

/// Extended key usages and for which purposes IKE may use them: by the letter of section 5.1.3.12, for gateways
/// and for clients. The latter two take what public and company CAs issue.
struct Extended {
    row: &'static str,
    purposes: &'static [&'static str],
    strict: bool,
    gateway: bool,
    client: bool,
}

macro_rules! extended {
    ($($row:ident: $purposes:expr => $strict:literal $gateway:literal $client:literal;)*) => {
        const EXTENDED: &[Extended] = &[$(Extended {
            row: stringify!($row),
            purposes: $purposes,
            strict: $strict,
            gateway: $gateway,
            client: $client,
        }),*];
        mod extended_key_usage {$(
            #[test]
            fn $row() {
                super::check_extended(stringify!($row));
            }
        )*}
    };
}

const SERVER: &str = "1.3.6.1.5.5.7.3.1";
const CLIENT: &str = "1.3.6.1.5.5.7.3.2";
const EMAIL_PROTECTION: &str = "1.3.6.1.5.5.7.3.4";
const END_SYSTEM: &str = "1.3.6.1.5.5.7.3.5";
const TUNNEL: &str = "1.3.6.1.5.5.7.3.6";
const USER: &str = "1.3.6.1.5.5.7.3.7";
const IKE: &str = "1.3.6.1.5.5.7.3.17";
const INTERMEDIATE: &str = "1.3.6.1.5.5.8.2.2";
const ANY: &str = "2.5.29.37.0";

extended! {
    absent: &[] => true true true;
    ipsec_ike: &[IKE] => true true true;
    any: &[ANY] => true true true;
    ipsec_ike_among_others: &[SERVER, CLIENT, IKE] => true true true;
    any_among_others: &[EMAIL_PROTECTION, ANY] => true true true;
    ipsec_ike_intermediate: &[INTERMEDIATE] => false true true;
    server: &[SERVER] => false true false;
    client: &[CLIENT] => false false true;
    server_and_client: &[SERVER, CLIENT] => false true true;
    other: &[EMAIL_PROTECTION] => false false false;
    // Obsolete and deprecated by this very section.
    end_system: &[END_SYSTEM] => false false false;
    tunnel: &[TUNNEL] => false false false;
    user: &[USER] => false false false;
    all_that_are_obsolete: &[END_SYSTEM, TUNNEL, USER] => false false false;
    below_ipsec_ike: &["1.3.6.1.5.5.7.3.17.1"] => false false false;
    above_ipsec_ike: &["1.3.6.1.5.5.7.3"] => false false false;
}

impl Extended {
    fn allows(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::IkeStrict => self.strict,
            Purpose::IkeGateway => self.gateway,
            _ => self.client,
        }
    }
}

const PURPOSES: [Purpose; 3] = [Purpose::IkeStrict, Purpose::IkeGateway, Purpose::IkeClient];

/// One CA and the verifier that trusts it.
struct World {
    root: Authority,
    verifier: Verifier,
    key: Key,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let mut rng = SeededRng::new(4945);
    let root = Authority::root("Root", Key::ed25519(&mut rng));
    let mut anchor = TrustAnchor::from_der(root.certificate.clone()).unwrap();
    anchor.revocation = Revocation::Ignore;
    let mut verifier = Verifier::new(&PROVIDER);
    verifier.add_anchor(anchor);
    World { root, verifier, key: Key::ed25519(&mut rng) }
});

fn template(names: &Names, usage: &Usage, extended: &Extended) -> Template {
    let mut extensions = Vec::new();
    if !names.sans.is_empty() {
        let list: Vec<u8> = names.sans.iter().flat_map(|san| san.encode()).collect();
        //= RFC 5280 section 4.2.1.6
        // Critical if the subject is empty.
        extensions.push(("2.5.29.17", names.subject.is_empty(), sequence(&[&list])));
    }
    Template {
        subject: Some(name(names.subject)),
        key_usage: usage.bits,
        extended_key_usage: extended.purposes.to_vec(),
        extensions,
        ..Template::bare("")
    }
}

/// What the verifier says of a certificate for this purpose and identity.
fn verdict(template: &Template, purpose: Purpose, identity: Identity<'_>) -> Result<(), Reason> {
    let world = &*WORLD;
    let issued = world.root.clone().issue(template, world.key.clone());
    judge(&issued.certificate, purpose, identity)
}

fn judge(certificate: &[u8], purpose: Purpose, identity: Identity<'_>) -> Result<(), Reason> {
    let sent = [certificate];
    let mut query = Query::new(&sent, UnixTime::from_secs(pki::NOW));
    query.purpose = purpose;
    query.identity = Some(identity);
    match WORLD.verifier.verify(&query, &CrlStore::new()) {
        Ok(Outcome::Accepted(_)) => Ok(()),
        Ok(other) => panic!("nothing can be fetched, but {other:?}"),
        Err(error) => Err(error.reason),
    }
}

fn names_row(row: &str) -> &'static Names {
    NAMES.iter().find(|names| names.row == row).expect("the row of that name")
}

fn check_names(row: &str) {
    let names = names_row(row);
    let (kind, data) = names.id.payload();
    let template = template(names, &USAGES[0], &EXTENDED[0]);
    let result = verdict(&template, Purpose::IkeStrict, Identity::from_ike(kind, &data));
    let expected = if names.bound { Ok(()) } else { Err(Reason::WrongName) };
    assert_eq!(result, expected, "RFC 4945 section {}", names.section);
}

fn check_usage(row: &str) {
    let usage = USAGES.iter().find(|usage| usage.row == row).expect("the row of that name");
    let template = template(names_row("fqdn_equal"), usage, &EXTENDED[0]);
    for purpose in PURPOSES {
        let result = verdict(&template, purpose, Identity::Fqdn("gw.example.org"));
        let expected = if usage.allowed { Ok(()) } else { Err(Reason::KeyUsage) };
        assert_eq!(result, expected, "{purpose:?}");
    }
}

fn check_extended(row: &str) {
    let extended = EXTENDED.iter().find(|extended| extended.row == row).expect("that row");
    let template = template(names_row("fqdn_equal"), &USAGES[0], extended);
    for purpose in PURPOSES {
        let result = verdict(&template, purpose, Identity::Fqdn("gw.example.org"));
        let allowed = extended.allows(purpose);
        let expected = if allowed { Ok(()) } else { Err(Reason::ExtendedKeyUsage) };
        assert_eq!(result, expected, "{purpose:?}");
    }
}

/// All rows crossed: nothing that one column allows excuses what another forbids.
#[test]
fn every_combination() {
    let mut root = WORLD.root.clone();
    let (mut accepted, mut refused) = (0, 0);
    for names in NAMES {
        let (kind, data) = names.id.payload();
        for usage in USAGES {
            for extended in EXTENDED {
                let issued = root.issue(&template(names, usage, extended), WORLD.key.clone());
                for purpose in PURPOSES {
                    let faults = [
                        (names.bound, Reason::WrongName),
                        (usage.allowed, Reason::KeyUsage),
                        (extended.allows(purpose), Reason::ExtendedKeyUsage),
                    ];
                    let faults: Vec<Reason> = faults
                        .into_iter()
                        .filter_map(|(fine, reason)| (!fine).then_some(reason))
                        .collect();
                    let identity = Identity::from_ike(kind, &data);
                    let result = judge(&issued.certificate, purpose, identity);
                    let fits = match &result {
                        Ok(()) => faults.is_empty(),
                        Err(reason) => faults.contains(reason),
                    };
                    let row = (names.row, usage.row, extended.row);
                    assert!(fits, "{row:?} for {purpose:?}: {result:?}, faults are {faults:?}");
                    *(if result.is_ok() { &mut accepted } else { &mut refused }) += 1;
                }
            }
        }
    }
    println!("rfc4945: {accepted} combinations accepted, {refused} refused");
    let bound = NAMES.iter().filter(|names| names.bound).count();
    let usages = USAGES.iter().filter(|usage| usage.allowed).count();
    let purposes = PURPOSES.iter().flat_map(|p| EXTENDED.iter().filter(|e| e.allows(*p))).count();
    assert_eq!(accepted, bound * usages * purposes);
}

/// Policies may name any combination of attributes of the subject (section 3.1.5).
#[test]
fn policies_match_any_combination_of_attributes() {
    let certificate = Template { subject: Some(name(STAFF)), ..Template::bare("") };
    for (pattern, fits) in [
        ("C=DE", true),
        ("CN=John Doe", true),
        ("O=Example Corp", true),
        ("OU=Engineering", true),
        ("O=Example Corp, OU=Engineering", true),
        ("OU=Engineering, O=Example Corp", true),
        ("C=DE, O=Example Corp, OU=Engineering, CN=John Doe", true),
        ("O=Example Corp, OU=Engineering, CN=*", true),
        ("CN=J* Doe", true),
        ("C=FR", false),
        ("O=Example Corp, OU=Sales", false),
        ("CN=John", false),
        ("O=John Doe", false),
        ("L=*", false),
    ] {
        let pattern = NamePattern::parse(pattern).unwrap();
        let result = verdict(&certificate, Purpose::IkeStrict, Identity::NamePattern(&pattern));
        assert_eq!(result, if fits { Ok(()) } else { Err(Reason::WrongName) }, "{pattern:?}");
    }
}

/// The table of section 5.1.3: a critical extension that is not understood is refused, one that is not critical
/// is passed over; one that is understood is processed either way.
#[test]
fn criticality_decides_about_what_is_not_understood() {
    let dns = sequence(&[&context(2, b"gw.example.org")]);
    let period = sequence(&[&context(0, b"19990101000000Z"), &context(1, b"19990102000000Z")]);
    let attributes = sequence(&[&sequence(&[&oid("1.3.6.1.5.5.7.9.4"), &set(&tlv(0x13, b"DE"))])]);
    let access = sequence(&[&sequence(&[&oid("1.3.6.1.5.5.7.48.5"), &context(6, b"http://a/")])]);
    let usage = der::named_bits(0x8000);
    for (section, id, critical, content, accepted) in [
        ("5.1.3", "2.5.29.15", true, usage.clone(), true),
        ("5.1.3", "2.5.29.15", false, usage, true),
        ("5.1.3", "2.5.29.17", true, dns.clone(), true),
        ("5.1.3", "2.5.29.17", false, dns.clone(), true),
        ("5.1.3", "1.2.3.4.5", true, der::NULL.to_vec(), false),
        ("5.1.3", "1.2.3.4.5", false, der::NULL.to_vec(), true),
        // A private key's period that is long over.
        ("5.1.3.3", "2.5.29.16", false, period, true),
        ("5.1.3.7", "2.5.29.18", false, dns.clone(), true),
        ("5.1.3.8", "2.5.29.9", false, attributes.clone(), true),
        ("5.1.3.8", "2.5.29.9", true, attributes, false),
        ("5.1.3.17", "1.3.6.1.5.5.7.1.11", false, access, true),
    ] {
        let mut extensions = vec![(id, critical, content)];
        if id != "2.5.29.17" {
            extensions.push(("2.5.29.17", false, dns.clone()));
        }
        let certificate = Template { extensions, ..Template::bare("gw") };
        let fqdn = Identity::Fqdn("gw.example.org");
        let result = verdict(&certificate, Purpose::IkeStrict, fqdn);
        let refused = Err(Reason::UnknownCriticalExtension(id.into()));
        assert_eq!(result, if accepted { Ok(()) } else { refused }, "section {section}: {id}");
    }
}

//= RFC 4945 section 5.1.3.9
#[test]
fn a_ca_without_basic_constraints_is_refused() {
    let mut rng = SeededRng::new(5139);
    let template = Template { ca: None, ..Template::ca("CA") };
    let mut ca = WORLD.root.clone().intermediate(&template, Key::ed25519(&mut rng));
    let gateway = ca.issue(&Template::gateway("gw.example.org"), Key::ed25519(&mut rng));
    let sent = [&gateway.certificate[..], &ca.certificate];
    let query = Query::new(&sent, UnixTime::from_secs(pki::NOW));
    let error = WORLD.verifier.verify(&query, &CrlStore::new()).unwrap_err();
    assert_eq!(error.reason, Reason::NotACa);
}

/// Where a CA's certificate names purposes, those below it are held to them (5.1.3.12 down the chain).
#[test]
fn the_extended_key_usage_of_a_ca_bounds_what_it_issues() {
    let mut rng = SeededRng::new(51312);
    for (purposes, accepted) in [
        (&[][..], true),
        (&[IKE], true),
        (&[ANY], true),
        (&[EMAIL_PROTECTION], false),
        (&[SERVER], false),
    ] {
        let template = Template { extended_key_usage: purposes.to_vec(), ..Template::ca("CA") };
        let mut ca = WORLD.root.clone().intermediate(&template, Key::ed25519(&mut rng));
        let gateway = ca.issue(&Template::gateway("gw.example.org"), Key::ed25519(&mut rng));
        let sent = [&gateway.certificate[..], &ca.certificate];
        let mut query = Query::new(&sent, UnixTime::from_secs(pki::NOW));
        query.purpose = Purpose::IkeStrict;
        match WORLD.verifier.verify(&query, &CrlStore::new()) {
            Ok(_) => assert!(accepted, "{purposes:?}"),
            Err(error) => {
                assert!(!accepted, "{purposes:?}: {error}");
                assert_eq!(error.certificate, Some(CertificateRef::Presented(1)));
                assert_eq!(error.reason, Reason::ExtendedKeyUsage);
            }
        }
    }
}

/// One name that matches does not excuse another that is malformed.
#[test]
fn malformed_alternative_names_are_refused_beside_good_ones() {
    let good = context(2, b"gw.example.org");
    for bad in [context(2, "größe.example".as_bytes()), context(7, &[1, 2, 3]), context(9, b"x")]
    {
        for list in [[&good[..], &bad].concat(), [&bad[..], &good].concat()] {
            let extensions = vec![("2.5.29.17", false, sequence(&[&list]))];
            let certificate = Template { extensions, ..Template::bare("gw") };
            let fqdn = Identity::Fqdn("gw.example.org");
            let reason = verdict(&certificate, Purpose::IkeStrict, fqdn).unwrap_err();
            let Reason::Malformed(error) = reason else { panic!("malformed, not {reason}") };
            assert_eq!(error.field, "subjectAltName");
        }
    }
}

/// RFC 9525: what a person typed in, against the names that a server presents.
#[test]
fn server_names() {
    for (section, id, sans, fits) in [
        ("6.3", "vpn.example.org", &[Dns("vpn.example.org")][..], true),
        ("6.3", "VPN.Example.org", &[Dns("vpn.example.ORG")], true),
        ("6.3", "vpn.example.org.", &[Dns("vpn.example.org")], true),
        ("6.3", "vpn.example.org", &[Dns("*.example.org")], true),
        ("6.3", "vpn.example.org", &[Email("a@example.org"), Dns("*.Example.ORG")], true),
        ("6.3", "xn--vn-via.example.org", &[Dns("*.example.org")], true),
        ("6.3", "a.vpn.example.org", &[Dns("*.example.org")], false),
        ("6.3", "example.org", &[Dns("*.example.org")], false),
        ("6.3", ".example.org", &[Dns("*.example.org")], false),
        ("6.3", "vpn.example.org", &[Dns("v*.example.org")], false),
        ("6.3", "vpn.example.org", &[Dns("*n.example.org")], false),
        ("6.3", "vpn.example.org", &[Dns("vpn.*.org")], false),
        ("6.3", "vpn.example.org", &[Dns("*.*.org")], false),
        ("6.3", "vpn.example.org", &[Dns("*")], false),
        ("7.1", "example.org", &[Dns("*.org")], false),
        ("6.3", "*.example.org", &[Dns("*.example.org")], false),
        ("6.3", "größe.example.org", &[Dns("*.example.org")], false),
        ("6.3", "", &[Dns("")], false),
        ("6.3", "vpn.example.org", &[Uri("https://vpn.example.org/")], false),
        ("6.4", "192.0.2.1", &[Ip(V4)], true),
        ("6.4", "2001:db8:0::1", &[Ip(V6)], true),
        ("6.4", "192.0.2.1", &[Dns("192.0.2.1")], false),
        ("6.4", "192.0.2.1", &[Dns("*.0.2.1")], false),
        ("6.4", "192.0.2.1", &[Ip(MAPPED)], false),
        ("6.4", "192.0.2.1", &[Ip(&[192, 0, 2, 2])], false),
        // The common name is no identifier of a server (section 2).
        ("2", "vpn.example.org", &[], false),
        ("2", "vpn.example.org", &[Dns("other.example")], false),
    ] {
        let list: Vec<u8> = sans.iter().flat_map(|san| san.encode()).collect();
        let mut certificate = Template::bare("vpn.example.org");
        if !sans.is_empty() {
            certificate.extensions.push(("2.5.29.17", false, sequence(&[&list])));
        }
        let result = verdict(&certificate, Purpose::TlsServer, Identity::ServerName(id));
        let expected = if fits { Ok(()) } else { Err(Reason::WrongName) };
        assert_eq!(result, expected, "RFC 9525 section {section}: {id}");
    }
}
