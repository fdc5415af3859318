//! Whether a certificate bears the identity that a peer claims (RFC 4945 section 3.1, RFC 9525).

use crate::certificate::Certificate;
use crate::der::DerError;
use crate::error::Reason;
use crate::general_name::{self, GeneralName};
use crate::name::Name;
use crate::template::NamePattern;

/// The identity that the peer's certificate must bear.
///
/// The first five are IKE's identification types, compared as RFC 4945 section 3.1 demands: host names and
/// mail addresses with subject alternative names without regard to case and without wildcards, addresses
/// octet by octet, distinguished names with the subject. Nothing in the subject ever counts as a host name.
///
/// ```
/// use adit_certval::Identity;
///
/// let expected = Identity::Fqdn("gateway.example");
/// let configured_server = Identity::ServerName("vpn.example");  // may be matched by *.example
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Identity<'a> {
    /// ID_FQDN: a dNSName.
    Fqdn(&'a str),
    /// ID_RFC822_ADDR: an rfc822Name.
    Rfc822(&'a str),
    /// ID_IPV4_ADDR: an iPAddress.
    Ipv4([u8; 4]),
    /// ID_IPV6_ADDR: an iPAddress.
    Ipv6([u8; 16]),
    /// ID_DER_ASN1_DN: the subject, in DER.
    DistinguishedName(&'a [u8]),
    /// A subject with these attributes, of any values where the pattern says so.
    NamePattern(&'a NamePattern),
    /// A host name that the user configured, by RFC 9525: a dNSName, whose left-most label may be `*`.
    ServerName(&'a str),
}

impl Identity<'_> {
    /// Checks that `certificate` bears this identity.
    pub(crate) fn check(&self, certificate: &Certificate<'_>) -> Result<(), Reason> {
        match self.is_borne_by(certificate) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Reason::WrongName),
            Err(error) => Err(Reason::Malformed(error)),
        }
    }

    fn is_borne_by(&self, certificate: &Certificate<'_>) -> Result<bool, DerError> {
        if let Self::DistinguishedName(der) = self {
            // An empty subject identifies nobody (RFC 4945 section 3.1.5).
            let subject = certificate.subject();
            return Ok(!subject.is_empty() && Name::from_der(der).is_ok_and(|dn| dn == subject));
        }
        if let Self::NamePattern(pattern) = self {
            return Ok(pattern.matches(&certificate.subject()));
        }
        let Some(extension) = certificate.extensions.subject_alt_name else { return Ok(false) };
        for name in general_name::in_extension(extension)? {
            if self.matches(&name?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn matches(&self, name: &GeneralName<'_>) -> bool {
        match (self, name) {
            (Self::Fqdn(id), GeneralName::Dns(san)) => {
                !id.is_empty() && without_root(id).eq_ignore_ascii_case(without_root(san))
            }
            (Self::Rfc822(id), GeneralName::Rfc822(san)) => {
                !id.is_empty() && id.eq_ignore_ascii_case(san)
            }
            (Self::Ipv4(id), GeneralName::Ip(san)) => id[..] == **san,
            (Self::Ipv6(id), GeneralName::Ip(san)) => id[..] == **san,
            (Self::ServerName(id), GeneralName::Dns(san)) => matches_server_name(id, san),
            _ => false,
        }
    }
}

/// RFC 9525 section 6.3: a wildcard stands for exactly one label, the left-most, and stands alone there.
fn matches_server_name(id: &str, presented: &str) -> bool {
    let (id, presented) = (without_root(id), without_root(presented));
    if id.is_empty() {
        return false;
    }
    let Some(parent) = presented.strip_prefix("*.") else {
        return id.eq_ignore_ascii_case(presented);
    };
    // A wildcard directly below a top-level domain would stand for every domain in it.
    let sane = parent.contains('.') && !parent.contains('*');
    match id.split_once('.') {
        Some((label, rest)) => sane && !label.is_empty() && rest.eq_ignore_ascii_case(parent),
        None => false,
    }
}

/// A domain name without the dot of the root, which may be written or not.
fn without_root(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_only_where_rfc_9525_allows_them() {
        assert!(matches_server_name("vpn.example.org", "*.example.org"));
        assert!(matches_server_name("VPN.Example.org", "*.example.ORG"));
        assert!(matches_server_name("vpn.example.org.", "vpn.example.org"));
        assert!(!matches_server_name("a.vpn.example.org", "*.example.org"));
        assert!(!matches_server_name("example.org", "*.example.org"));
        assert!(!matches_server_name(".example.org", "*.example.org"));
        assert!(!matches_server_name("vpn.example.org", "v*.example.org"));
        assert!(!matches_server_name("vpn.example.org", "*.*.org"));
        assert!(!matches_server_name("example.org", "*.org"));
        assert!(!matches_server_name("vpn.example.org", "vpn.*.org"));
        assert!(!matches_server_name("", ""));
    }

    #[test]
    fn ike_identities_know_no_wildcards() {
        //= RFC 4945 section 3.1.2
        let dns = GeneralName::Dns("*.example.org");
        assert!(!Identity::Fqdn("vpn.example.org").matches(&dns));
        assert!(Identity::Fqdn("VPN.example.org").matches(&GeneralName::Dns("vpn.Example.org")));
        //= RFC 4945 section 3.1.3
        assert!(Identity::Rfc822("A@example.org").matches(&GeneralName::Rfc822("a@Example.org")));
        assert!(!Identity::Rfc822("a@example.org").matches(&GeneralName::Dns("a@example.org")));
    }
}
