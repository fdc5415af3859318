//! Code points: packet codes, attribute types and vendors. Unknown values are kept and print as numbers.

use core::fmt;

/// The Code of a packet, RFC 2865 section 3.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u8);

/// The Type of an attribute, RFC 2865 section 5.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttributeType(pub u8);

/// A vendor and a type among its attributes, RFC 2865 section 5.26.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VendorType {
    /// IANA enterprise number.
    pub vendor: u32,
    /// The vendor's own type.
    pub number: u8,
}

macro_rules! names {
    ($of:ident, $($(#[$doc:meta])* $constant:ident = $value:expr, $name:literal;)*) => {
        impl $of {
            $($(#[$doc])* pub const $constant: Self = $value;)*

            fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$constant => Some($name),)*
                    _ => None,
                }
            }
        }

        impl fmt::Debug for $of {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

names! { Code,
    /// RFC 2865 section 4.1.
    ACCESS_REQUEST = Self(1), "Access-Request";
    /// RFC 2865 section 4.2.
    ACCESS_ACCEPT = Self(2), "Access-Accept";
    /// RFC 2865 section 4.3.
    ACCESS_REJECT = Self(3), "Access-Reject";
    /// RFC 2866 section 4.1.
    ACCOUNTING_REQUEST = Self(4), "Accounting-Request";
    /// RFC 2866 section 4.2.
    ACCOUNTING_RESPONSE = Self(5), "Accounting-Response";
    /// RFC 2865 section 4.4.
    ACCESS_CHALLENGE = Self(11), "Access-Challenge";
    /// RFC 5997 section 3.
    STATUS_SERVER = Self(12), "Status-Server";
    /// RFC 7930 section 4.
    PROTOCOL_ERROR = Self(52), "Protocol-Error";
}

names! { AttributeType,
    /// RFC 2865 section 5.1.
    USER_NAME = Self(1), "User-Name";
    /// RFC 2865 section 5.2.
    USER_PASSWORD = Self(2), "User-Password";
    /// RFC 2865 section 5.4.
    NAS_IP_ADDRESS = Self(4), "NAS-IP-Address";
    /// RFC 2865 section 5.5.
    NAS_PORT = Self(5), "NAS-Port";
    /// RFC 2865 section 5.6.
    SERVICE_TYPE = Self(6), "Service-Type";
    /// RFC 2865 section 5.8.
    FRAMED_IP_ADDRESS = Self(8), "Framed-IP-Address";
    /// RFC 2865 section 5.9.
    FRAMED_IP_NETMASK = Self(9), "Framed-IP-Netmask";
    /// RFC 2865 section 5.11.
    FILTER_ID = Self(11), "Filter-Id";
    /// RFC 2865 section 5.12.
    FRAMED_MTU = Self(12), "Framed-MTU";
    /// RFC 2865 section 5.18.
    REPLY_MESSAGE = Self(18), "Reply-Message";
    /// RFC 2865 section 5.24.
    STATE = Self(24), "State";
    /// RFC 2865 section 5.25.
    CLASS = Self(25), "Class";
    /// RFC 2865 section 5.26.
    VENDOR_SPECIFIC = Self(26), "Vendor-Specific";
    /// RFC 2865 section 5.27.
    SESSION_TIMEOUT = Self(27), "Session-Timeout";
    /// RFC 2865 section 5.28.
    IDLE_TIMEOUT = Self(28), "Idle-Timeout";
    /// RFC 2865 section 5.30.
    CALLED_STATION_ID = Self(30), "Called-Station-Id";
    /// RFC 2865 section 5.31.
    CALLING_STATION_ID = Self(31), "Calling-Station-Id";
    /// RFC 2865 section 5.32.
    NAS_IDENTIFIER = Self(32), "NAS-Identifier";
    /// RFC 2865 section 5.33.
    PROXY_STATE = Self(33), "Proxy-State";
    /// RFC 2866 section 5.5.
    ACCT_SESSION_ID = Self(44), "Acct-Session-Id";
    /// RFC 2865 section 5.41.
    NAS_PORT_TYPE = Self(61), "NAS-Port-Type";
    /// RFC 3579 section 3.1.
    EAP_MESSAGE = Self(79), "EAP-Message";
    /// RFC 3579 section 3.2.
    MESSAGE_AUTHENTICATOR = Self(80), "Message-Authenticator";
    /// RFC 2869 section 5.17.
    NAS_PORT_ID = Self(87), "NAS-Port-Id";
    /// RFC 3162 section 2.1.
    NAS_IPV6_ADDRESS = Self(95), "NAS-IPv6-Address";
    /// RFC 3162 section 2.3.
    FRAMED_IPV6_PREFIX = Self(97), "Framed-IPv6-Prefix";
    /// RFC 5176 section 3.5.
    ERROR_CAUSE = Self(101), "Error-Cause";
    /// RFC 6911 section 3.1.
    FRAMED_IPV6_ADDRESS = Self(168), "Framed-IPv6-Address";
    /// RFC 6911 section 3.2.
    DNS_SERVER_IPV6_ADDRESS = Self(169), "DNS-Server-IPv6-Address";
}

/// Microsoft's enterprise number, RFC 2548.
const MICROSOFT: u32 = 311;

names! { VendorType,
    /// RFC 2548 section 2.4.2.
    MS_MPPE_SEND_KEY = Self { vendor: MICROSOFT, number: 16 }, "MS-MPPE-Send-Key";
    /// RFC 2548 section 2.4.3.
    MS_MPPE_RECV_KEY = Self { vendor: MICROSOFT, number: 17 }, "MS-MPPE-Recv-Key";
    /// RFC 2548 section 2.7.1.
    MS_PRIMARY_DNS_SERVER = Self { vendor: MICROSOFT, number: 28 }, "MS-Primary-DNS-Server";
    /// RFC 2548 section 2.7.2.
    MS_SECONDARY_DNS_SERVER = Self { vendor: MICROSOFT, number: 29 }, "MS-Secondary-DNS-Server";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Code({})", self.0),
        }
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Attr-{}", self.0),
        }
    }
}

impl fmt::Display for VendorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "Attr-26.{}.{}", self.vendor, self.number),
        }
    }
}
