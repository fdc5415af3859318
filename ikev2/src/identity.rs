//! Who a peer is: the values that Identification payloads carry, RFC 7296 section 3.5.

use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::{IdType, Identification};

/// The identity of one end of an IKE SA.
///
/// ```
/// use adit_ikev2::Identity;
///
/// let alice = Identity::email("alice@lab.test");
/// assert_eq!(alice.to_string(), "alice@lab.test");
/// assert_ne!(alice, Identity::fqdn("alice@lab.test"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    kind: IdType,
    data: Vec<u8>,
}

impl Identity {
    /// An address: ID_IPV4_ADDR or ID_IPV6_ADDR.
    pub fn address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self { kind: IdType::IPV4_ADDR, data: v4.octets().to_vec() },
            IpAddr::V6(v6) => Self { kind: IdType::IPV6_ADDR, data: v6.octets().to_vec() },
        }
    }

    /// A host name: ID_FQDN, without any terminator.
    pub fn fqdn(name: &str) -> Self {
        Self { kind: IdType::FQDN, data: name.as_bytes().to_vec() }
    }

    /// An e-mail address: ID_RFC822_ADDR.
    pub fn email(address: &str) -> Self {
        Self { kind: IdType::RFC822_ADDR, data: address.as_bytes().to_vec() }
    }

    /// A distinguished name in DER: ID_DER_ASN1_DN.
    pub fn distinguished_name(der: Vec<u8>) -> Self {
        Self { kind: IdType::DER_ASN1_DN, data: der }
    }

    /// An opaque name that both ends agreed on: ID_KEY_ID.
    pub fn key_id(id: &[u8]) -> Self {
        Self { kind: IdType::KEY_ID, data: id.to_vec() }
    }

    /// An identity of any type as it stands on the wire.
    pub fn from_wire(kind: IdType, data: &[u8]) -> Self {
        Self { kind, data: data.to_vec() }
    }

    /// How [`data`](Self::data) is to be read.
    pub fn kind(&self) -> IdType {
        self.kind
    }

    /// The identity as it stands on the wire.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The payload that carries it.
    pub(crate) fn to_payload(&self) -> Identification<'_> {
        Identification { id_type: self.kind, data: self.data.as_slice().into() }
    }
}

impl From<&Identification<'_>> for Identity {
    fn from(payload: &Identification<'_>) -> Self {
        Self::from_wire(payload.id_type, &payload.data)
    }
}

impl fmt::Display for Identity {
    /// Addresses and names in their usual notation (with control characters escaped, for they come from
    /// the peer), everything else in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == IdType::IPV4_ADDR
            && let Ok(octets) = <[u8; 4]>::try_from(self.data.as_slice())
        {
            return Ipv4Addr::from(octets).fmt(f);
        }
        if self.kind == IdType::IPV6_ADDR
            && let Ok(octets) = <[u8; 16]>::try_from(self.data.as_slice())
        {
            return Ipv6Addr::from(octets).fmt(f);
        }
        let named = [IdType::FQDN, IdType::RFC822_ADDR, IdType::KEY_ID].contains(&self.kind);
        match core::str::from_utf8(&self.data) {
            Ok(text) if named && !text.is_empty() => text.escape_debug().fmt(f),
            _ => self.data.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn prints_for_people_and_never_raw() {
        assert_eq!(Identity::address(Ipv4Addr::new(192, 0, 2, 1).into()).to_string(), "192.0.2.1");
        assert_eq!(Identity::fqdn("gw\u{1b}[31m").to_string(), "gw\\u{1b}[31m");
        assert_eq!(Identity::key_id(&[0xff, 0x00]).to_string(), "ff00");
        assert_eq!(Identity::from_wire(IdType::IPV4_ADDR, &[1, 2]).to_string(), "0102");
    }
}
