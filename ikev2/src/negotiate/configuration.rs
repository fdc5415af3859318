//! What configuration payloads carry: RFC 7296 section 3.15.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::{
    AddressRange, CfgType, Configuration, ConfigurationAttribute,
    ConfigurationAttributeType as Type,
};

/// What a client asks its gateway for (CFG_REQUEST).
///
/// ```
/// use adit_ikev2::negotiate::ConfigurationRequest;
/// use core::net::Ipv4Addr;
///
/// // One IPv4 address, whichever, and DNS servers.
/// let request = ConfigurationRequest {
///     ipv4: vec![Ipv4Addr::UNSPECIFIED],
///     ipv6: vec![],
///     ..ConfigurationRequest::default()
/// };
/// assert!(request.dns);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigurationRequest {
    /// IPv4 addresses, one for each that is wanted: the one that was had before, or
    /// [`Ipv4Addr::UNSPECIFIED`] for any.
    pub ipv4: Vec<Ipv4Addr>,
    /// IPv6 addresses, one for each that is wanted: the one that was had before, or
    /// [`Ipv6Addr::UNSPECIFIED`] for any.
    pub ipv6: Vec<Ipv6Addr>,
    /// DNS servers of the families above.
    pub dns: bool,
    /// The subnets behind the gateway, of the families above.
    pub subnets: bool,
}

impl Default for ConfigurationRequest {
    /// One address of each family, DNS servers and subnets.
    fn default() -> Self {
        Self {
            ipv4: [Ipv4Addr::UNSPECIFIED].into(),
            ipv6: [Ipv6Addr::UNSPECIFIED].into(),
            dns: true,
            subnets: true,
        }
    }
}

/// What a gateway gives (CFG_REPLY).
///
/// ```
/// use adit_ikev2::negotiate::ConfigurationReply;
/// use core::net::Ipv4Addr;
///
/// let reply = ConfigurationReply {
///     ipv4: vec![Ipv4Addr::new(10, 99, 0, 7)],
///     dns: vec![Ipv4Addr::new(10, 88, 0, 53).into()],
///     ..ConfigurationReply::default()
/// };
/// assert!(reply.ipv6.is_empty());
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConfigurationReply {
    /// IPv4 addresses for the client.
    pub ipv4: Vec<Ipv4Addr>,
    /// The mask of the internal network as a prefix length of 0 to 32 bits, if it is to look like a link.
    pub ipv4_prefix: Option<u8>,
    /// IPv6 addresses for the client, with the length of their prefix, 0 to 128 bits.
    pub ipv6: Vec<(Ipv6Addr, u8)>,
    /// DNS servers.
    pub dns: Vec<IpAddr>,
    /// Subnets that the gateway protects, as address and prefix length.
    pub subnets: Vec<(IpAddr, u8)>,
    /// What the gateway says it runs: printable ASCII.
    pub application_version: Option<String>,
}

/// Values of one kind that are kept of a payload; a peer that sends more sends noise.
const MAX_VALUES: usize = 256;

/// Length of the prefix that a client's IPv6 address is requested with when it does not matter.
const HOST_PREFIX: u8 = 128;

impl ConfigurationRequest {
    /// The payload.
    pub(crate) fn to_payload(&self) -> Configuration<'static> {
        let mut attributes = Vec::new();
        for address in &self.ipv4 {
            let value = if address.is_unspecified() { &[][..] } else { &address.octets() };
            push(&mut attributes, Type::INTERNAL_IP4_ADDRESS, value);
        }
        for address in &self.ipv6 {
            if address.is_unspecified() {
                push(&mut attributes, Type::INTERNAL_IP6_ADDRESS, &[]);
            } else {
                let value = [&address.octets()[..], &[HOST_PREFIX]].concat();
                push(&mut attributes, Type::INTERNAL_IP6_ADDRESS, &value);
            }
        }
        let families = [
            (&self.ipv4.is_empty(), Type::INTERNAL_IP4_DNS, Type::INTERNAL_IP4_SUBNET),
            (&self.ipv6.is_empty(), Type::INTERNAL_IP6_DNS, Type::INTERNAL_IP6_SUBNET),
        ];
        for (unwanted, dns, subnet) in families {
            if !unwanted && self.dns {
                push(&mut attributes, dns, &[]);
            }
            if !unwanted && self.subnets {
                push(&mut attributes, subnet, &[]);
            }
        }
        Configuration { cfg_type: CfgType::REQUEST, attributes }
    }

    /// Reads a CFG_REQUEST; what is unknown or has a wrong length is ignored, as RFC 7296 section 3.15.1
    /// has it. Nothing for other kinds of payload.
    pub(crate) fn from_payload(payload: &Configuration<'_>) -> Option<Self> {
        if payload.cfg_type != CfgType::REQUEST {
            return None;
        }
        let mut request = Self { ipv4: [].into(), ipv6: [].into(), dns: false, subnets: false };
        for attribute in &payload.attributes {
            match attribute.attribute_type {
                Type::INTERNAL_IP4_ADDRESS if request.ipv4.len() < MAX_VALUES => {
                    let address = if attribute.value.is_empty() {
                        Some(Ipv4Addr::UNSPECIFIED)
                    } else {
                        v4(&attribute.value)
                    };
                    request.ipv4.extend(address);
                }
                Type::INTERNAL_IP6_ADDRESS if request.ipv6.len() < MAX_VALUES => {
                    let address = if attribute.value.is_empty() {
                        Some(Ipv6Addr::UNSPECIFIED)
                    } else {
                        v6_prefix(&attribute.value).map(|(address, _)| address)
                    };
                    request.ipv6.extend(address);
                }
                Type::INTERNAL_IP4_DNS | Type::INTERNAL_IP6_DNS => request.dns = true,
                Type::INTERNAL_IP4_SUBNET | Type::INTERNAL_IP6_SUBNET => request.subnets = true,
                _ => {}
            }
        }
        Some(request)
    }
}

impl ConfigurationReply {
    /// The payload.
    pub(crate) fn to_payload(&self) -> Configuration<'static> {
        let mut attributes = Vec::new();
        for address in &self.ipv4 {
            push(&mut attributes, Type::INTERNAL_IP4_ADDRESS, &address.octets());
        }
        if let (Some(prefix), false) = (self.ipv4_prefix, self.ipv4.is_empty()) {
            push(&mut attributes, Type::INTERNAL_IP4_NETMASK, &mask(prefix).octets());
        }
        for (address, prefix) in &self.ipv6 {
            let value = [&address.octets()[..], &[*prefix]].concat();
            push(&mut attributes, Type::INTERNAL_IP6_ADDRESS, &value);
        }
        for server in &self.dns {
            match server {
                IpAddr::V4(v4) => push(&mut attributes, Type::INTERNAL_IP4_DNS, &v4.octets()),
                IpAddr::V6(v6) => push(&mut attributes, Type::INTERNAL_IP6_DNS, &v6.octets()),
            }
        }
        for (address, prefix) in &self.subnets {
            match address {
                IpAddr::V4(v4) => {
                    let value = [v4.octets(), mask(*prefix).octets()].concat();
                    push(&mut attributes, Type::INTERNAL_IP4_SUBNET, &value);
                }
                IpAddr::V6(v6) => {
                    let value = [&v6.octets()[..], &[*prefix]].concat();
                    push(&mut attributes, Type::INTERNAL_IP6_SUBNET, &value);
                }
            }
        }
        if let Some(version) = &self.application_version {
            push(&mut attributes, Type::APPLICATION_VERSION, version.as_bytes());
        }
        Configuration { cfg_type: CfgType::REPLY, attributes }
    }

    /// Reads a CFG_REPLY; what is unknown, empty or has a wrong length is ignored. Nothing for other kinds
    /// of payload.
    pub(crate) fn from_payload(payload: &Configuration<'_>) -> Option<Self> {
        if payload.cfg_type != CfgType::REPLY {
            return None;
        }
        let mut reply = Self::default();
        for ConfigurationAttribute { attribute_type, value } in &payload.attributes {
            match *attribute_type {
                Type::INTERNAL_IP4_ADDRESS if reply.ipv4.len() < MAX_VALUES => {
                    reply.ipv4.extend(v4(value));
                }
                Type::INTERNAL_IP4_NETMASK => {
                    reply.ipv4_prefix = v4(value).and_then(prefix_of).or(reply.ipv4_prefix);
                }
                Type::INTERNAL_IP6_ADDRESS if reply.ipv6.len() < MAX_VALUES => {
                    reply.ipv6.extend(v6_prefix(value));
                }
                Type::INTERNAL_IP4_DNS if reply.dns.len() < MAX_VALUES => {
                    reply.dns.extend(v4(value).map(IpAddr::V4));
                }
                Type::INTERNAL_IP6_DNS if reply.dns.len() < MAX_VALUES => {
                    reply.dns.extend(v6(value).map(IpAddr::V6));
                }
                Type::INTERNAL_IP4_SUBNET if reply.subnets.len() < MAX_VALUES => {
                    reply.subnets.extend(v4_subnet(value));
                }
                Type::INTERNAL_IP6_SUBNET if reply.subnets.len() < MAX_VALUES => {
                    let subnet = v6_prefix(value).map(|(address, prefix)| (address.into(), prefix));
                    reply.subnets.extend(subnet);
                }
                Type::APPLICATION_VERSION if is_printable(value) => {
                    reply.application_version = core::str::from_utf8(value).ok().map(String::from);
                }
                _ => {}
            }
        }
        Some(reply)
    }

    /// True if the values are in their ranges: prefix lengths fit their family, the version is printable.
    pub(crate) fn is_valid(&self) -> bool {
        self.ipv4_prefix.is_none_or(|prefix| prefix <= 32)
            && self.ipv6.iter().all(|(_, prefix)| *prefix <= 128)
            && self
                .subnets
                .iter()
                .all(|(net, prefix)| AddressRange::subnet(*net, *prefix).is_some())
            && self.application_version.as_ref().is_none_or(|text| is_printable(text.as_bytes()))
    }
}

fn push(attributes: &mut Vec<ConfigurationAttribute<'static>>, attribute_type: Type, value: &[u8]) {
    attributes.push(ConfigurationAttribute { attribute_type, value: Cow::Owned(value.into()) });
}

fn v4(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

fn v6(value: &[u8]) -> Option<Ipv6Addr> {
    <[u8; 16]>::try_from(value).ok().map(Ipv6Addr::from)
}

/// 16 octets of address and one of prefix length.
fn v6_prefix(value: &[u8]) -> Option<(Ipv6Addr, u8)> {
    let (prefix, address) = value.split_last()?;
    Some((v6(address)?, *prefix)).filter(|(_, prefix)| *prefix <= 128)
}

/// Four octets of address and four of mask.
fn v4_subnet(value: &[u8]) -> Option<(IpAddr, u8)> {
    let (address, mask) = value.split_at_checked(4)?;
    Some((v4(address)?.into(), v4(mask).and_then(prefix_of)?))
}

fn mask(prefix: u8) -> Ipv4Addr {
    Ipv4Addr::from_bits(!u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0))
}

/// The length of a mask whose ones are all in front.
fn prefix_of(mask: Ipv4Addr) -> Option<u8> {
    let ones = mask.to_bits().leading_ones();
    let prefix = u8::try_from(ones).ok()?;
    (self::mask(prefix) == mask).then_some(prefix)
}

fn is_printable(text: &[u8]) -> bool {
    text.iter().all(|byte| (0x20..0x7f).contains(byte))
}
