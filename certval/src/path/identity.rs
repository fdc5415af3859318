//! Whether a certificate bears the identity that a peer claims (RFC 4945 section 3.1, RFC 9525).

use core::net::IpAddr;

use crate::error::Reason;
use crate::files::template::NamePattern;
use crate::format::certificate::Certificate;
use crate::format::der::DerError;
use crate::format::general_name::{self, GeneralName};

/// The identity that the peer's certificate must bear.
///
/// The first five are IKE's identification types, compared as RFC 4945 section 3.1 demands: host names and mail
/// addresses with subject alternative names without regard to case and without wildcards, addresses octet by
/// octet, distinguished names with the subject, octet by octet too. Nothing in the subject ever counts as a host
/// name, address or mail address.
///
/// ```
/// use adit_certval::Identity;
///
/// let expected = Identity::Fqdn("gateway.example");
/// let claimed = Identity::from_ike(2, b"gateway.example");     // an ID payload's type and data
/// assert_eq!(claimed, expected);
/// let configured_server = Identity::ServerName("vpn.example"); // may be matched by *.example
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
    /// ID_DER_ASN1_DN: the subject, in DER. Whoever types a name in and cannot know which string types the CA
    /// chose uses a [`NamePattern`](Self::NamePattern).
    DistinguishedName(&'a [u8]),
    /// A subject with these attributes, of any values where the pattern says so.
    NamePattern(&'a NamePattern),
    /// A host that the user configured, by RFC 9525: a name in ASCII (A-labels), borne by a dNSName whose
    /// left-most label may be `*`; or an IP address in text, borne by an iPAddress.
    ServerName(&'a str),
    /// An identity that no certificate bears, such as ID_KEY_ID.
    Unmatchable,
}

impl<'a> Identity<'a> {
    /// The identity in an ID payload of IKE (RFC 7296 section 3.5): its type and its data.
    ///
    /// Types that RFC 4945 section 3.1 matches with no field of a certificate (ranges, ID_DER_ASN1_GN, ID_KEY_ID,
    /// unknown ones) and data that is not of its type become [`Unmatchable`](Self::Unmatchable).
    pub fn from_ike(id_type: u8, data: &'a [u8]) -> Self {
        let text = core::str::from_utf8(data);
        let found = match (id_type, text) {
            (1, _) => data.try_into().ok().map(Self::Ipv4),
            (2, Ok(name)) => Some(Self::Fqdn(name)),
            (3, Ok(address)) => Some(Self::Rfc822(address)),
            (5, _) => data.try_into().ok().map(Self::Ipv6),
            (9, _) => Some(Self::DistinguishedName(data)),
            _ => None,
        };
        found.unwrap_or(Self::Unmatchable)
    }

    /// Checks that `certificate` bears this identity.
    pub(crate) fn check(&self, certificate: &Certificate<'_>) -> Result<(), Reason> {
        match self.is_borne_by(certificate) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Reason::WrongName),
            Err(error) => Err(Reason::Malformed(error)),
        }
    }

    fn is_borne_by(&self, certificate: &Certificate<'_>) -> Result<bool, DerError> {
        let subject = certificate.subject();
        match self {
            //= RFC 4945 section 3.1.5
            // A bitwise comparison; an empty subject identifies nobody.
            Self::DistinguishedName(der) => Ok(!subject.is_empty() && *der == subject.as_der()),
            Self::NamePattern(pattern) => Ok(pattern.matches(&subject)),
            _ => {
                let Some(extension) = certificate.extensions.subject_alt_name else {
                    return Ok(false);
                };
                // One that matches does not excuse one that cannot be read.
                let mut found = false;
                for name in general_name::in_extension(extension)? {
                    found |= self.matches(&name?);
                }
                Ok(found)
            }
        }
    }

    fn matches(&self, name: &GeneralName<'_>) -> bool {
        match (self, name) {
            //= RFC 4945 section 5.1.3.6.1
            // A dNSName with a wildcard is not the name of a host, not even of one that calls itself so.
            (Self::Fqdn(id), GeneralName::Dns(san)) => {
                is_name(id) && !id.contains('*') && id.eq_ignore_ascii_case(san)
            }
            (Self::Rfc822(id), GeneralName::Rfc822(san)) => {
                is_name(id) && id.eq_ignore_ascii_case(san)
            }
            (Self::Ipv4(id), GeneralName::Ip(san)) => id[..] == **san,
            (Self::Ipv6(id), GeneralName::Ip(san)) => id[..] == **san,
            (Self::ServerName(id), name) => match (id.parse(), name) {
                (Ok(IpAddr::V4(address)), GeneralName::Ip(san)) => address.octets()[..] == **san,
                (Ok(IpAddr::V6(address)), GeneralName::Ip(san)) => address.octets()[..] == **san,
                (Err(_), GeneralName::Dns(san)) => matches_server_name(id, san),
                _ => false,
            },
            _ => false,
        }
    }
}

/// RFC 7296 section 3.5: no terminators; nor anything else that does not print, nor nothing.
fn is_name(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// RFC 9525 section 6.3: a wildcard stands for exactly one label, the left-most, and stands alone there.
fn matches_server_name(id: &str, presented: &str) -> bool {
    // The dot of the root may be written or not.
    let id = id.strip_suffix('.').unwrap_or(id);
    if !is_name(id) || id.contains('*') {
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
}
