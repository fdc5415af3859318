//! LDAP URLs (RFC 4516), which name where a CRL or certificate lies in a directory.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// `ldap://host:port/base?attributes?scope?filter`, taken apart and decoded.
///
/// ```
/// use adit_certval::{LdapScope, LdapUrl};
///
/// let url = "ldap://dir.example/CN=CA%201,O=Example?certificateRevocationList?base";
/// let url = LdapUrl::parse(url)?;
/// assert_eq!((&url.host[..], url.port), ("dir.example", 389));
/// assert_eq!(url.base, "CN=CA 1,O=Example");
/// assert_eq!(url.attributes, ["certificateRevocationList"]);
/// assert_eq!(url.scope, LdapScope::Base);
/// # Ok::<(), adit_certval::LdapUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LdapUrl {
    /// `ldaps://`: TLS from the start.
    pub tls: bool,
    /// Host name or address, IPv6 without brackets; empty where the client has to know.
    pub host: String,
    /// 389, or 636 with TLS, where the URL does not say.
    pub port: u16,
    /// Distinguished name of the base object, in the form of RFC 4514.
    pub base: String,
    /// Attributes to return; none stands for all.
    pub attributes: Vec<String>,
    /// How far to search.
    pub scope: LdapScope,
    /// The filter in the form of RFC 4515; `(objectClass=*)` where the URL does not say.
    pub filter: String,
}

/// How far below the base object a search goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LdapScope {
    /// The base object alone.
    #[default]
    Base,
    /// Its immediate subordinates.
    One,
    /// It and everything below.
    Sub,
}

/// What is not an LDAP URL, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LdapUrlError {
    /// Offset of the part at fault in the text.
    pub offset: usize,
}

impl fmt::Display for LdapUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an LDAP URL: see byte {}", self.offset)
    }
}

impl core::error::Error for LdapUrlError {}

impl LdapUrl {
    /// Reads a URL. Schemes `ldap` and `ldaps`; an extension that is marked critical (`!`) is refused, as
    /// RFC 4516 section 2 demands of those that are not supported.
    ///
    /// # Errors
    /// If it is not an LDAP URL, with the offset of what is wrong.
    pub fn parse(url: &str) -> Result<Self, LdapUrlError> {
        let at =
            |part: &str| LdapUrlError { offset: part.as_ptr() as usize - url.as_ptr() as usize };
        let (scheme, rest) = url.split_once("://").ok_or(LdapUrlError { offset: 0 })?;
        let tls = match scheme {
            _ if scheme.eq_ignore_ascii_case("ldap") => false,
            _ if scheme.eq_ignore_ascii_case("ldaps") => true,
            _ => return Err(LdapUrlError { offset: 0 }),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (host, port) = split_port(authority).ok_or_else(|| at(authority))?;
        let port = match port {
            None => {
                if tls {
                    636
                } else {
                    389
                }
            }
            Some(port) => port.parse().map_err(|_| at(port))?,
        };
        let mut parts = rest.strip_prefix('/').unwrap_or(rest).split('?');
        let mut next = || parts.next().unwrap_or("");
        let (base, attributes, scope, filter, extensions) =
            (next(), next(), next(), next(), next());
        if let Some(extra) = parts.next() {
            return Err(at(extra));
        }
        if extensions.split(',').any(|extension| extension.starts_with('!')) {
            return Err(at(extensions));
        }
        let text = |part: &str| decode(part).ok_or_else(|| at(part));
        let attributes = attributes.split(',').filter(|name| !name.is_empty());
        Ok(Self {
            tls,
            host: text(host)?,
            port,
            base: text(base)?,
            attributes: attributes.map(text).collect::<Result<_, _>>()?,
            scope: match &scope.to_ascii_lowercase()[..] {
                "" | "base" => LdapScope::Base,
                "one" => LdapScope::One,
                "sub" => LdapScope::Sub,
                _ => return Err(at(scope)),
            },
            filter: match filter {
                "" => "(objectClass=*)".to_owned(),
                filter => text(filter)?,
            },
        })
    }
}

/// Host and port; an IPv6 address stands in brackets.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        host.parse::<core::net::Ipv6Addr>().ok()?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host, Some(port))),
        None => Some((authority, None)),
    }
}

/// Undoes percent-encoding; `None` if that is broken, or the result not UTF-8 or not printable.
fn decode(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let [high, low, tail @ ..] = tail else { return None };
        let digit = |c: u8| char::from(c).to_digit(16);
        bytes.push((digit(*high)? << 4 | digit(*low)?) as u8);
        rest = tail;
    }
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    //= RFC 4516 section 4
    #[test]
    fn the_examples_of_the_rfc() {
        let parse = |url| LdapUrl::parse(url).unwrap();
        let url = parse("ldap:///o=University%20of%20Michigan,c=US");
        assert_eq!((&url.host[..], &url.base[..]), ("", "o=University of Michigan,c=US"));
        assert_eq!((url.scope, &url.filter[..]), (LdapScope::Base, "(objectClass=*)"));
        let url = parse(
            "ldap://ldap1.example.net:6666/o=University%20of%20Michigan,c=US??sub?(cn=Babs%20Jensen)",
        );
        assert_eq!((&url.host[..], url.port), ("ldap1.example.net", 6666));
        assert_eq!((url.scope, &url.filter[..]), (LdapScope::Sub, "(cn=Babs Jensen)"));
        let url = parse("LDAP://ldap1.example.com/c=GB?objectClass?ONE");
        assert_eq!(
            (url.scope, &url.attributes[..]),
            (LdapScope::One, &["objectClass".to_owned()][..])
        );
        let url = parse("ldap://ldap2.example.com/o=Question%3f,c=US?mail");
        assert_eq!(url.base, "o=Question?,c=US");
        let url = parse("ldap://ldap.example.com/o=An%20Example%5C2C%20Inc.,c=US");
        assert_eq!(url.base, "o=An Example\\2C Inc.,c=US");
        assert_eq!(parse("ldap://ldap.example.net").base, "");
        assert_eq!(parse("ldap://ldap.example.net/?").base, "");
        parse("ldap:///??sub??e-bindname=cn=Manager%2cdc=example%2cdc=com");
        let critical =
            LdapUrl::parse("ldap:///??sub??!e-bindname=cn=Manager%2cdc=example%2cdc=com");
        assert_eq!(critical, Err(LdapUrlError { offset: 15 }));
    }

    #[test]
    fn errors_say_where() {
        for (url, offset) in [
            ("http://a/b", 0),
            ("ldap:/a", 0),
            ("ldap://a:x/", 9),
            ("ldap://a:65536/", 9),
            ("ldap://[::1/", 7),
            ("ldap://[::g]/", 7),
            ("ldap://a/%zz", 9),
            ("ldap://a/%0a", 9),
            ("ldap://a/b?c?d", 13),
            ("ldap://a/????e?f", 15),
        ] {
            assert_eq!(LdapUrl::parse(url), Err(LdapUrlError { offset }), "{url}");
        }
        assert_eq!(LdapUrl::parse("ldaps://[2001:db8::1]/").unwrap().host, "2001:db8::1");
        assert_eq!(LdapUrl::parse("ldaps://a").unwrap().port, 636);
    }
}
