//! LDAP URLs, user name templates and name patterns: the texts that people and certificates give. Offsets lie
//! within them, and an LDAP URL that is written out again reads the same.
#![no_main]

use std::sync::LazyLock;

use adit_certval::{Certificate, LdapScope, LdapUrl, NamePattern, TemplateError, UserNameTemplate};
use adit_testkit::pki::{Authority, Key, Template};
use adit_testkit::rng::SeededRng;
use libfuzzer_sys::fuzz_target;

static ISSUED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut rng = SeededRng::new(1);
    let mut root = Authority::root("Root", Key::ed25519(&mut rng));
    root.issue(&Template::user("alice@example.org"), Key::ed25519(&mut rng)).certificate
});

fuzz_target!(|text: &str| {
    match LdapUrl::parse(text) {
        Ok(url) => assert_eq!(LdapUrl::parse(&write(&url)), Ok(url)),
        Err(error) => assert!(error.offset <= text.len() && text.is_char_boundary(error.offset)),
    }
    let certificate = Certificate::from_der(&ISSUED).expect("well-formed");
    match UserNameTemplate::parse(text) {
        Ok(template) => {
            if let Ok(user) = template.expand(&certificate) {
                assert!(!user.is_empty());
            }
        }
        Err(error) => check(&error, text),
    }
    match NamePattern::parse(text) {
        Ok(pattern) => {
            let _ = pattern.matches(&certificate.subject());
        }
        Err(error) => check(&error, text),
    }
});

fn check(error: &TemplateError, text: &str) {
    assert!(!error.to_string().is_empty());
    if let TemplateError::UnknownField { offset, .. }
    | TemplateError::Unclosed { offset }
    | TemplateError::NotAnAttribute { offset } = error
    {
        assert!(*offset <= text.len());
    }
}

/// The URL with everything written out and everything escaped that may be.
fn write(url: &LdapUrl) -> String {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect()
    };
    let host = match url.host.parse::<core::net::Ipv6Addr>() {
        Ok(_) => format!("[{}]", url.host),
        Err(_) => escape(&url.host),
    };
    let attributes: Vec<String> = url.attributes.iter().map(|name| escape(name)).collect();
    let scope = match url.scope {
        LdapScope::Base => "base",
        LdapScope::One => "one",
        LdapScope::Sub => "sub",
    };
    format!(
        "{}://{host}:{}/{}?{}?{scope}?{}",
        if url.tls { "ldaps" } else { "ldap" },
        url.port,
        escape(&url.base),
        attributes.join(","),
        escape(&url.filter),
    )
}
