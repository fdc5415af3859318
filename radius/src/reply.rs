//! What a server answered, and what a remote-access gateway reads out of it.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use adit_platform::Secret;

use crate::attribute::{Attribute, Attributes};
use crate::client::ServerId;
use crate::dictionary::{AttributeType, Code, VendorType};
use crate::error::{Error, Malformed, Misbehaved, Refused};
use crate::mppe;
use crate::packet::Packet;
use crate::secure::{self, MessageAuthenticator};

/// A reply that was made by the server and answers the request: a fact that only this crate can state.
///
/// Ask [`code`](Self::code) first: a server may put attributes of an Access-Accept into any reply, and
/// they mean something in an Access-Accept only.
///
/// ```
/// use adit_radius::{Code, Error, Reply};
///
/// fn decide(reply: &Reply) -> Result<bool, Error> {
///     match reply.code() {
///         Code::ACCESS_ACCEPT => Ok(reply.authorization()?.framed_ip_address.is_some()),
///         _ => Ok(false),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Reply {
    octets: Vec<u8>,
    server: ServerId,
    msk: Result<Option<Secret>, Error>,
}

impl Reply {
    /// Verifies `packet`, parsed from `datagram`, and copies what it is made of.
    pub(crate) fn verify(
        datagram: &[u8],
        packet: &Packet<'_>,
        request_authenticator: &[u8; 16],
        secret: &Secret,
        policy: MessageAuthenticator,
        server: ServerId,
    ) -> Result<Self, Error> {
        secure::verify_reply(packet, request_authenticator, secret, policy)?;
        let msk = match packet.code() {
            Code::ACCESS_ACCEPT => mppe::msk(packet.attributes(), request_authenticator, secret),
            _ => Ok(None),
        };
        Ok(Self { octets: datagram.to_vec(), server, msk })
    }

    /// Access-Accept, Access-Reject, Access-Challenge or Protocol-Error.
    pub fn code(&self) -> Code {
        Code(self.octets.first().copied().unwrap_or_default())
    }

    /// Who answered.
    pub fn server(&self) -> ServerId {
        self.server
    }

    /// All attributes.
    pub fn attributes(&self) -> Attributes<'_> {
        // These octets have been parsed before; were they not, there would be no attributes.
        match Packet::parse(&self.octets) {
            Ok(packet) => packet.attributes(),
            Err(_) => Attributes::EMPTY,
        }
    }

    /// The MSK of an Access-Accept, 64 octets, from MS-MPPE-Recv-Key and MS-MPPE-Send-Key (RFC 2548).
    ///
    /// # Errors
    /// [`Malformed::Key`] if the keys are there and unusable.
    pub fn msk(&self) -> Result<Option<&Secret>, Error> {
        self.msk.as_ref().map(Option::as_ref).map_err(|error| *error)
    }

    /// The MSK, taken out.
    ///
    /// # Errors
    /// As [`msk`](Self::msk).
    pub fn into_msk(self) -> Result<Option<Secret>, Error> {
        self.msk
    }

    /// The EAP packet of the reply, put together from its EAP-Message attributes.
    ///
    /// # Errors
    /// [`Malformed::EapNotConsecutive`], RFC 3579 section 3.1.
    pub fn eap(&self) -> Result<Option<Vec<u8>>, Error> {
        self.attributes().eap()
    }

    /// Reply-Message (RFC 2865 section 5.18): text to show to the user, without control characters.
    pub fn message(&self) -> Option<String> {
        self.attributes().text(AttributeType::REPLY_MESSAGE)
    }

    /// State, to be repeated in the request that answers an Access-Challenge.
    ///
    /// # Errors
    /// [`Malformed::Repeated`] if there are two.
    pub fn state(&self) -> Result<Option<&[u8]>, Error> {
        Ok(self.attributes().one(AttributeType::STATE)?.map(|attribute| attribute.value))
    }

    /// What an Access-Accept grants.
    ///
    /// # Errors
    /// [`Refused::Rejected`] if this is no Access-Accept; [`Refused::ServiceType`] for a service that a
    /// gateway does not offer; [`Error::Malformed`] for a value that is not what its RFC says, for which
    /// RFC 2865 section 5 demands to treat the packet as an Access-Reject.
    pub fn authorization(&self) -> Result<Authorization, Error> {
        match self.code() {
            Code::ACCESS_ACCEPT => Authorization::read(self.attributes()),
            Code::ACCESS_REJECT => Err(Error::Refused(Refused::Rejected)),
            Code::PROTOCOL_ERROR => Err(Error::Refused(Refused::ProtocolError)),
            code => Err(Error::Misbehaved(Misbehaved::UnexpectedCode(code))),
        }
    }
}

/// What an Access-Accept grants to a user of remote access.
///
/// ```
/// use adit_radius::Authorization;
///
/// fn address(granted: &Authorization) -> Option<std::net::Ipv4Addr> {
///     granted.framed_ip_address // `None`: the gateway takes one of its own pool
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Authorization {
    /// User-Name: the name to use for accounting, where the server wants another than was sent.
    pub user_name: Option<Vec<u8>>,
    /// Framed-IP-Address; `None` also where the server leaves the choice to the gateway or the user
    /// (255.255.255.254 and 255.255.255.255, RFC 2865 section 5.8).
    pub framed_ip_address: Option<Ipv4Addr>,
    /// Framed-IP-Netmask.
    pub framed_ip_netmask: Option<Ipv4Addr>,
    /// Framed-IPv6-Address (RFC 6911), perhaps several.
    pub framed_ipv6_addresses: Vec<Ipv6Addr>,
    /// Framed-IPv6-Prefix (RFC 3162), perhaps several.
    pub framed_ipv6_prefixes: Vec<Ipv6Prefix>,
    /// MS-Primary-DNS-Server and MS-Secondary-DNS-Server (RFC 2548), in this order.
    pub dns_servers: Vec<Ipv4Addr>,
    /// DNS-Server-IPv6-Address (RFC 6911), in order of preference.
    pub dns_servers_ipv6: Vec<Ipv6Addr>,
    /// Class, to be repeated in accounting: opaque, perhaps several.
    pub class: Vec<Vec<u8>>,
    /// Filter-Id: names of filter lists for this user, perhaps several.
    pub filter_ids: Vec<String>,
    /// Session-Timeout: how long the session may last.
    pub session_timeout: Option<Duration>,
    /// Idle-Timeout: how long it may be idle.
    pub idle_timeout: Option<Duration>,
    /// Reply-Message: text to show to the user.
    pub reply_message: Option<String>,
}

/// An IPv6 prefix.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ipv6Prefix {
    /// The address; bits behind the prefix are zero.
    pub address: Ipv6Addr,
    /// Length in bits, 0 to 128.
    pub length: u8,
}

impl Authorization {
    fn read(attributes: Attributes<'_>) -> Result<Self, Error> {
        let ipv4 = |kind| Ok::<_, Error>(attributes.u32(kind)?.map(Ipv4Addr::from_bits));
        let seconds = |kind| {
            let seconds = attributes.u32(kind)?;
            Ok::<_, Error>(seconds.map(|seconds| Duration::from_secs(seconds.into())))
        };
        // RFC 2865 section 5.6: a NAS must treat a service that it does not offer as Access-Reject.
        // Login, Framed, Outbound and Authenticate-Only are what a tunnel can be taken for.
        match attributes.u32(AttributeType::SERVICE_TYPE)? {
            None | Some(1 | 2 | 5 | 8) => {}
            Some(other) => return Err(Error::Refused(Refused::ServiceType(other))),
        }
        let mut dns_servers = Vec::new();
        for kind in [VendorType::MS_PRIMARY_DNS_SERVER, VendorType::MS_SECONDARY_DNS_SERVER] {
            for attribute in attributes.vendor(kind) {
                dns_servers.push(Ipv4Addr::from(attribute.array::<4>()?));
            }
        }
        Ok(Self {
            user_name: attributes.one(AttributeType::USER_NAME)?.map(|a| a.value.to_vec()),
            framed_ip_address: ipv4(AttributeType::FRAMED_IP_ADDRESS)?
                .filter(|address| address.to_bits() < 0xffff_fffe),
            framed_ip_netmask: ipv4(AttributeType::FRAMED_IP_NETMASK)?,
            framed_ipv6_addresses: ipv6(attributes, AttributeType::FRAMED_IPV6_ADDRESS)?,
            framed_ipv6_prefixes: attributes
                .all(AttributeType::FRAMED_IPV6_PREFIX)
                .map(|attribute| ipv6_prefix(&attribute))
                .collect::<Result<_, _>>()?,
            dns_servers,
            dns_servers_ipv6: ipv6(attributes, AttributeType::DNS_SERVER_IPV6_ADDRESS)?,
            class: attributes.all(AttributeType::CLASS).map(|a| a.value.to_vec()).collect(),
            filter_ids: attributes
                .all(AttributeType::FILTER_ID)
                .filter(|attribute| !attribute.value.is_empty())
                .map(|attribute| attribute.text())
                .collect(),
            session_timeout: seconds(AttributeType::SESSION_TIMEOUT)?,
            idle_timeout: seconds(AttributeType::IDLE_TIMEOUT)?,
            reply_message: attributes.text(AttributeType::REPLY_MESSAGE),
        })
    }
}

fn ipv6(attributes: Attributes<'_>, kind: AttributeType) -> Result<Vec<Ipv6Addr>, Error> {
    attributes.all(kind).map(|attribute| Ok(Ipv6Addr::from(attribute.array::<16>()?))).collect()
}

/// Reserved, Prefix-Length, then as many octets of the prefix as matter: RFC 3162 section 2.3.
fn ipv6_prefix(attribute: &Attribute<'_>) -> Result<Ipv6Prefix, Error> {
    let bad = Error::malformed(Malformed::Value(attribute.kind), attribute.offset);
    let [_reserved, length, octets @ ..] = attribute.value else { return Err(bad) };
    if *length > 128 || octets.len() > 16 || octets.len() * 8 < usize::from(*length) {
        return Err(bad);
    }
    let mut address = [0; 16];
    address.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
    let bits = u128::from_be_bytes(address);
    let mask = u128::MAX.checked_shl(128 - u32::from(*length)).unwrap_or(0);
    Ok(Ipv6Prefix { address: Ipv6Addr::from_bits(bits & mask), length: *length })
}
