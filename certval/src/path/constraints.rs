//! Name constraints (RFC 5280 section 4.2.1.10): every name form that the RFC defines a meaning for.
//!
//! The state variables `permitted_subtrees` and `excluded_subtrees` of section 6.1.2 are kept as the list of
//! the constraints seen so far: a name is permitted if each of them permits it, which is what intersecting
//! the permitted and joining the excluded subtrees amounts to.

use alloc::vec::Vec;

use crate::error::{CertificateRef, Limit, Reason};
use crate::format::certificate::Certificate;
use crate::format::der::{DerError, DerErrorKind, Field, tag};
use crate::format::general_name::{self, GeneralName};
use crate::format::oid;
use crate::path::budget::Meter;

/// The name constraints of one CA certificate.
#[derive(Debug)]
pub(crate) struct NameConstraints<'a> {
    issuer: CertificateRef,
    permitted: Vec<Subtree<'a>>,
    excluded: Vec<Subtree<'a>>,
}

/// One base name; directory names in their canonical form.
#[derive(Debug)]
struct Subtree<'a> {
    base: GeneralName<'a>,
    canonical: Vec<u8>,
}

impl<'a> NameConstraints<'a> {
    pub(crate) fn read(extension: Field<'a>, issuer: CertificateRef) -> Result<Self, DerError> {
        let mut outer = extension.reader();
        let mut reader = outer.sequence()?;
        outer.finish()?;
        let permitted = reader.optional(tag::constructed(0))?;
        let excluded = reader.optional(tag::constructed(1))?;
        reader.finish()?;
        if permitted.is_none() && excluded.is_none() {
            return Err(extension.error(DerErrorKind::Value));
        }
        let read = |list: Option<Field<'a>>| list.map_or(Ok(Vec::new()), subtrees);
        Ok(Self { issuer, permitted: read(permitted)?, excluded: read(excluded)? })
    }

    /// Checks all names of `certificate` (6.1.3 (b) and (c)).
    pub(crate) fn check(&self, certificate: &Certificate<'_>, meter: &Meter) -> Result<(), Reason> {
        let subject = certificate.subject();
        if !subject.is_empty() {
            self.check_name(&GeneralName::Directory(subject), meter)?;
        }
        // The RFC demands this only of certificates without alternative names; but a mail address is one
        // wherever it stands.
        for email in subject.texts(oid::EMAIL_ADDRESS) {
            self.check_name(&GeneralName::Rfc822(&email), meter)?;
        }
        if let Some(extension) = certificate.extensions.subject_alt_name {
            for name in general_name::in_extension(extension).map_err(Reason::Malformed)? {
                self.check_name(&name.map_err(Reason::Malformed)?, meter)?;
            }
        }
        Ok(())
    }

    fn check_name(&self, name: &GeneralName<'_>, meter: &Meter) -> Result<(), Reason> {
        let canonical = match name {
            GeneralName::Directory(name) => name.canonical(),
            _ => Vec::new(),
        };
        let lies_in = |tree: &Subtree<'_>| -> Result<Option<bool>, Reason> {
            meter.spend(Limit::NameComparisons)?;
            match within(name, &canonical, tree) {
                Within::OtherForm => Ok(None),
                Within::Yes => Ok(Some(true)),
                Within::No => Ok(Some(false)),
                Within::Unknown => Err(Reason::UnsupportedNameConstraint { issuer: self.issuer }),
            }
        };
        let mut allowed = None;
        for tree in &self.permitted {
            allowed = match (allowed, lies_in(tree)?) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), _) | (_, Some(false)) => Some(false),
                (None, None) => None,
            };
        }
        let mut excluded = false;
        for tree in &self.excluded {
            excluded |= lies_in(tree)? == Some(true) || wildcard_covers(name, &tree.base);
        }
        if excluded || allowed == Some(false) {
            return Err(Reason::NameConstraint { issuer: self.issuer });
        }
        Ok(())
    }
}

/// A list of `GeneralSubtree`: `minimum` is 0, `maximum` is absent.
fn subtrees(list: Field<'_>) -> Result<Vec<Subtree<'_>>, DerError> {
    let mut reader = list.reader();
    if reader.is_empty() {
        return Err(list.error(DerErrorKind::Value));
    }
    let mut trees = Vec::new();
    while !reader.is_empty() {
        let mut tree = reader.sequence()?;
        let at = tree.offset();
        let base = GeneralName::read(&mut tree)?;
        tree.finish()?;
        let valid = match base {
            GeneralName::Ip(bytes) => is_network(bytes),
            _ => true,
        };
        if !valid {
            return Err(DerError::new(at, DerErrorKind::Value));
        }
        let canonical = match base {
            GeneralName::Directory(name) => name.canonical(),
            _ => Vec::new(),
        };
        trees.push(Subtree { base, canonical });
    }
    Ok(trees)
}

/// An address and a mask of the same length, the mask being ones and then zeros.
fn is_network(bytes: &[u8]) -> bool {
    let (_, mask) = bytes.split_at(bytes.len() / 2);
    let mut zeros = false;
    let contiguous = mask.iter().all(|&byte| {
        let ok = if zeros { byte == 0 } else { byte.leading_ones() + byte.trailing_zeros() >= 8 };
        zeros |= byte != 0xff;
        ok
    });
    contiguous && matches!(bytes.len(), 8 | 32)
}

enum Within {
    Yes,
    No,
    /// The constraint is on another form of name.
    OtherForm,
    /// The same form of name, but the comparison is not defined.
    Unknown,
}

fn within(name: &GeneralName<'_>, canonical: &[u8], tree: &Subtree<'_>) -> Within {
    let lies_in = match (name, &tree.base) {
        (GeneralName::Directory(_), GeneralName::Directory(_)) => {
            canonical.starts_with(&tree.canonical)
        }
        (GeneralName::Dns(name), GeneralName::Dns(base)) => dns_within(name, base),
        (GeneralName::Rfc822(name), GeneralName::Rfc822(base)) => return email_within(name, base),
        (GeneralName::Uri(name), GeneralName::Uri(base)) => return uri_within(name, base),
        (GeneralName::Ip(name), GeneralName::Ip(base)) => ip_within(name, base),
        (GeneralName::RegisteredId(_), GeneralName::RegisteredId(_)) => return Within::Unknown,
        (GeneralName::Unsupported(a), GeneralName::Unsupported(b)) if a == b => {
            return Within::Unknown;
        }
        (GeneralName::Other { oid: a, .. }, GeneralName::Other { oid: b, .. }) if a == b => {
            return Within::Unknown;
        }
        _ => return Within::OtherForm,
    };
    if lies_in { Within::Yes } else { Within::No }
}

/// Any name that is built by adding labels on the left, or none. A leading dot in the base, which the RFC
/// does not define and which CAs use, demands at least one label more.
fn dns_within(name: &str, base: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let base = base.strip_suffix('.').unwrap_or(base);
    if base.is_empty() {
        return true;
    }
    let Some(cut) = name.len().checked_sub(base.len()) else {
        return false;
    };
    let (Some(head), Some(tail)) = (name.get(..cut), name.get(cut..)) else { return false };
    if !tail.eq_ignore_ascii_case(base) {
        return false;
    }
    if base.starts_with('.') { !head.is_empty() } else { head.is_empty() || head.ends_with('.') }
}

/// A wildcard name stands for many, and is excluded if one of them is: `*.b` could be `a.b`.
fn wildcard_covers(name: &GeneralName<'_>, base: &GeneralName<'_>) -> bool {
    let (GeneralName::Dns(name), GeneralName::Dns(base)) = (name, base) else { return false };
    name.strip_prefix("*.").is_some_and(|parent| dns_within(base, parent))
}

/// A mailbox, all mailboxes on a host, or (with a leading dot) all mailboxes in a domain.
fn email_within(name: &str, base: &str) -> Within {
    let Some((local, host)) = name.rsplit_once('@').filter(|(l, h)| !l.is_empty() && !h.is_empty())
    else {
        return Within::Unknown;
    };
    let lies_in = match base.rsplit_once('@') {
        // The local part is compared exactly, the host without regard to case.
        Some((base_local, base_host)) => {
            local == base_local && host.eq_ignore_ascii_case(base_host)
        }
        None => host_within(host, base),
    };
    if lies_in { Within::Yes } else { Within::No }
}

/// The host part of the URI; a URI without one, or with an address, cannot be judged and so is refused.
fn uri_within(name: &str, base: &str) -> Within {
    match uri_host(name) {
        Some(host) if host_within(host, base) => Within::Yes,
        Some(_) => Within::No,
        None => Within::Unknown,
    }
}

/// The host name in the authority of a URI (RFC 3986 section 3.2.2).
fn uri_host(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.starts_with('[') {
        return None;
    }
    let host = host.split(':').next()?;
    let host = host.strip_suffix('.').unwrap_or(host);
    let address = host.parse::<core::net::Ipv4Addr>().is_ok();
    (!host.is_empty() && !address).then_some(host)
}

/// Equal, or (base with a leading dot) any number of labels more.
fn host_within(host: &str, base: &str) -> bool {
    if base.is_empty() {
        return true;
    }
    if !base.starts_with('.') {
        return host.eq_ignore_ascii_case(base);
    }
    match host.len().checked_sub(base.len()) {
        Some(cut) if cut > 0 => host.get(cut..).is_some_and(|t| t.eq_ignore_ascii_case(base)),
        _ => false,
    }
}

/// An address in a network given as address and mask.
fn ip_within(name: &[u8], base: &[u8]) -> bool {
    let (network, mask) = base.split_at(base.len() / 2);
    name.len() == network.len()
        && name.iter().zip(network).zip(mask).all(|((n, b), m)| n & m == b & m)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_subtrees_are_cut_at_labels() {
        assert!(dns_within("host.example.com", "example.com"));
        assert!(dns_within("example.com", "example.com"));
        assert!(dns_within("Host.EXAMPLE.com", "example.COM"));
        assert!(!dns_within("bigexample.com", "example.com"));
        assert!(!dns_within("com", "example.com"));
        assert!(dns_within("a.example.com", ".example.com"));
        assert!(!dns_within("example.com", ".example.com"));
        assert!(dns_within("anything", ""));
    }

    #[test]
    fn wildcards_are_excluded_with_what_they_stand_for() {
        let covers = |name, base| wildcard_covers(&GeneralName::Dns(name), &GeneralName::Dns(base));
        assert!(covers("*.example.com", "a.example.com"));
        assert!(!covers("*.example.com", "a.example.org"));
        assert!(!covers("b.example.com", "a.example.com"));
    }

    #[test]
    fn mail_constraints_have_three_forms() {
        let within = |name, base| matches!(email_within(name, base), Within::Yes);
        assert!(within("root@example.com", "root@Example.com"));
        assert!(!within("Root@example.com", "root@example.com"));
        assert!(within("any@example.com", "example.com"));
        assert!(!within("any@my.example.com", "example.com"));
        assert!(within("any@my.example.com", ".example.com"));
        assert!(!within("any@example.com", ".example.com"));
        assert!(matches!(email_within("nobody", "example.com"), Within::Unknown));
    }

    #[test]
    fn uri_constraints_hold_for_the_host() {
        let within = |name, base| matches!(uri_within(name, base), Within::Yes);
        assert!(within("http://my.example.com:80/x", ".example.com"));
        assert!(within("ldap://u@example.com/cn=x", "example.com"));
        assert!(!within("http://example.com/", ".example.com"));
        for odd in ["mailto:a@example.com", "http://192.0.2.1/", "http://[2001:db8::1]/", "x"] {
            assert!(matches!(uri_within(odd, "example.com"), Within::Unknown), "{odd}");
        }
    }

    #[test]
    fn networks_have_contiguous_masks() {
        assert!(is_network(&[10, 0, 0, 0, 255, 0, 0, 0]));
        assert!(is_network(&[0; 8]));
        assert!(is_network(&[10, 1, 0, 0, 255, 254, 0, 0]));
        assert!(!is_network(&[10, 0, 0, 0, 255, 0, 255, 0]));
        assert!(!is_network(&[10, 0, 0, 0]));
        assert!(ip_within(&[10, 9, 8, 7], &[10, 0, 0, 0, 255, 0, 0, 0]));
        assert!(!ip_within(&[11, 9, 8, 7], &[10, 0, 0, 0, 255, 0, 0, 0]));
        assert!(!ip_within(&[10; 16], &[10, 0, 0, 0, 255, 0, 0, 0]));
    }
}
