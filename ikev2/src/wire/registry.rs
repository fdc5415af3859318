//! The numbers that IANA keeps for IKEv2 ("Internet Key Exchange Version 2 (IKEv2) Parameters").
//!
//! Each registry is a newtype over the number with a constant for every value that Adit or its users may
//! meet. An unknown number survives a round trip and prints as itself.

use core::fmt;

macro_rules! code_points {
    ($(
        $(#[$doc:meta])*
        $name:ident($repr:ty) {
            $($(#[$item_doc:meta])* $item:ident = $value:literal,)*
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $repr);

        impl $name {
            $($(#[$item_doc])* pub const $item: Self = Self($value);)*
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $(Self::$item => f.write_str(stringify!($item)),)*
                    Self(number) => write!(f, concat!(stringify!($name), "({})"), number),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    )*};
}

code_points! {
    /// Exchange types, RFC 7296 section 3.1.
    ExchangeType(u8) {
        /// RFC 7296 section 1.2.
        IKE_SA_INIT = 34,
        /// RFC 7296 section 1.2.
        IKE_AUTH = 35,
        /// RFC 7296 section 1.3.
        CREATE_CHILD_SA = 36,
        /// RFC 7296 section 1.4.
        INFORMATIONAL = 37,
        /// RFC 5723.
        IKE_SESSION_RESUME = 38,
        /// RFC 9242.
        IKE_INTERMEDIATE = 43,
        /// RFC 9370.
        IKE_FOLLOWUP_KE = 44,
    }

    /// Payload types, RFC 7296 section 3.2.
    PayloadType(u8) {
        /// No next payload.
        NONE = 0,
        /// Security Association.
        SA = 33,
        /// Key Exchange.
        KE = 34,
        /// Identification of the initiator.
        IDI = 35,
        /// Identification of the responder.
        IDR = 36,
        /// Certificate.
        CERT = 37,
        /// Certificate Request.
        CERTREQ = 38,
        /// Authentication.
        AUTH = 39,
        /// Nonce.
        NONCE = 40,
        /// Notify.
        NOTIFY = 41,
        /// Delete.
        DELETE = 42,
        /// Vendor ID.
        VENDOR_ID = 43,
        /// Traffic Selectors of the initiator.
        TSI = 44,
        /// Traffic Selectors of the responder.
        TSR = 45,
        /// Encrypted and Authenticated.
        SK = 46,
        /// Configuration.
        CP = 47,
        /// Extensible Authentication.
        EAP = 48,
        /// Encrypted and Authenticated Fragment, RFC 7383.
        SKF = 53,
    }

    /// Protocols that an SA can be for, RFC 7296 section 3.3.1.
    ProtocolId(u8) {
        /// No protocol: a notification about the IKE SA or none at all.
        NONE = 0,
        /// IKE.
        IKE = 1,
        /// AH.
        AH = 2,
        /// ESP.
        ESP = 3,
    }

    /// Transform types, RFC 7296 section 3.3.2.
    TransformType(u8) {
        /// Encryption (ENCR).
        ENCRYPTION = 1,
        /// Pseudorandom function (PRF).
        PRF = 2,
        /// Integrity (INTEG).
        INTEGRITY = 3,
        /// Key exchange method ("Diffie-Hellman group", KE).
        KEY_EXCHANGE = 4,
        /// Extended Sequence Numbers (ESN).
        SEQUENCE_NUMBERS = 5,
        /// First additional key exchange, RFC 9370.
        ADDITIONAL_KE_1 = 6,
        /// Second additional key exchange, RFC 9370.
        ADDITIONAL_KE_2 = 7,
        /// Third additional key exchange, RFC 9370.
        ADDITIONAL_KE_3 = 8,
        /// Fourth additional key exchange, RFC 9370.
        ADDITIONAL_KE_4 = 9,
        /// Fifth additional key exchange, RFC 9370.
        ADDITIONAL_KE_5 = 10,
        /// Sixth additional key exchange, RFC 9370.
        ADDITIONAL_KE_6 = 11,
        /// Seventh additional key exchange, RFC 9370.
        ADDITIONAL_KE_7 = 12,
    }

    /// Encryption transforms.
    EncryptionId(u16) {
        /// Triple DES; never offered here.
        ENCR_3DES = 3,
        /// No encryption, RFC 2410: ESP only, and only if it is configured by its dangerous name.
        ENCR_NULL = 11,
        /// RFC 3602.
        ENCR_AES_CBC = 12,
        /// RFC 3686, RFC 5930.
        ENCR_AES_CTR = 13,
        /// RFC 4309, RFC 5282.
        ENCR_AES_CCM_8 = 14,
        /// RFC 4309, RFC 5282.
        ENCR_AES_CCM_12 = 15,
        /// RFC 4309, RFC 5282.
        ENCR_AES_CCM_16 = 16,
        /// RFC 4106, RFC 5282.
        ENCR_AES_GCM_8 = 18,
        /// RFC 4106, RFC 5282.
        ENCR_AES_GCM_12 = 19,
        /// RFC 4106, RFC 5282.
        ENCR_AES_GCM_16 = 20,
        /// RFC 4543, ESP only.
        ENCR_NULL_AUTH_AES_GMAC = 21,
        /// RFC 7634.
        ENCR_CHACHA20_POLY1305 = 28,
        /// RFC 8750, ESP only.
        ENCR_AES_CCM_8_IIV = 29,
        /// RFC 8750, ESP only.
        ENCR_AES_GCM_16_IIV = 30,
        /// RFC 8750, ESP only.
        ENCR_CHACHA20_POLY1305_IIV = 31,
    }

    /// Pseudorandom functions.
    PrfId(u16) {
        /// RFC 2104; never offered here.
        PRF_HMAC_MD5 = 1,
        /// RFC 2104; never offered here.
        PRF_HMAC_SHA1 = 2,
        /// RFC 4434.
        PRF_AES128_XCBC = 4,
        /// RFC 4868.
        PRF_HMAC_SHA2_256 = 5,
        /// RFC 4868.
        PRF_HMAC_SHA2_384 = 6,
        /// RFC 4868.
        PRF_HMAC_SHA2_512 = 7,
        /// RFC 4615.
        PRF_AES128_CMAC = 8,
    }

    /// Integrity algorithms.
    IntegrityId(u16) {
        /// No integrity: what a combined-mode cipher may be accompanied by.
        NONE = 0,
        /// RFC 2403; never offered here.
        AUTH_HMAC_MD5_96 = 1,
        /// RFC 2404; never offered here.
        AUTH_HMAC_SHA1_96 = 2,
        /// RFC 3566.
        AUTH_AES_XCBC_96 = 5,
        /// RFC 4494.
        AUTH_AES_CMAC_96 = 8,
        /// RFC 4868.
        AUTH_HMAC_SHA2_256_128 = 12,
        /// RFC 4868.
        AUTH_HMAC_SHA2_384_192 = 13,
        /// RFC 4868.
        AUTH_HMAC_SHA2_512_256 = 14,
    }

    /// Key exchange methods ("Diffie-Hellman groups").
    KeMethod(u16) {
        /// No key exchange.
        NONE = 0,
        /// RFC 2409; never offered here.
        MODP_768 = 1,
        /// RFC 2409; never offered here.
        MODP_1024 = 2,
        /// RFC 3526; never offered here.
        MODP_1536 = 5,
        /// RFC 3526.
        MODP_2048 = 14,
        /// RFC 3526.
        MODP_3072 = 15,
        /// RFC 3526.
        MODP_4096 = 16,
        /// RFC 3526.
        MODP_6144 = 17,
        /// RFC 3526.
        MODP_8192 = 18,
        /// 256-bit random ECP group, RFC 5903.
        ECP_256 = 19,
        /// 384-bit random ECP group, RFC 5903.
        ECP_384 = 20,
        /// 521-bit random ECP group, RFC 5903.
        ECP_521 = 21,
        /// RFC 8031.
        CURVE25519 = 31,
        /// RFC 8031.
        CURVE448 = 32,
        /// FIPS 203.
        ML_KEM_512 = 35,
        /// FIPS 203.
        ML_KEM_768 = 36,
        /// FIPS 203.
        ML_KEM_1024 = 37,
    }

    /// Values of the Extended Sequence Numbers transform.
    SequenceNumbersId(u16) {
        /// 32-bit sequence numbers.
        NO_ESN = 0,
        /// 64-bit sequence numbers, RFC 4303 section 2.2.1.
        ESN = 1,
    }

    /// Identification types, RFC 7296 section 3.5.
    IdType(u8) {
        /// Four octets.
        IPV4_ADDR = 1,
        /// A fully qualified domain name.
        FQDN = 2,
        /// An RFC 5322 address.
        RFC822_ADDR = 3,
        /// Sixteen octets.
        IPV6_ADDR = 5,
        /// The DER of an X.500 Distinguished Name.
        DER_ASN1_DN = 9,
        /// The DER of an X.509 GeneralName.
        DER_ASN1_GN = 10,
        /// Opaque, vendor-specific.
        KEY_ID = 11,
        /// RFC 7619.
        NULL = 13,
    }

    /// Certificate encodings, RFC 7296 section 3.6.
    CertEncoding(u8) {
        /// PKCS #7 wrapped.
        PKCS7_X509 = 1,
        /// One DER certificate, whose key verifies AUTH if it is the first.
        X509_SIGNATURE = 4,
        /// A DER CRL.
        CRL = 7,
        /// SHA-1 and URL of a certificate.
        HASH_AND_URL_X509 = 12,
        /// SHA-1 and URL of a bundle.
        HASH_AND_URL_BUNDLE = 13,
        /// RFC 4806.
        OCSP_CONTENT = 14,
        /// RFC 7670.
        RAW_PUBLIC_KEY = 15,
    }

    /// Authentication methods, RFC 7296 section 3.8.
    AuthMethod(u8) {
        /// RSASSA-PKCS1-v1_5; with SHA-1 unless the peer is known to take another hash.
        RSA_SIGNATURE = 1,
        /// A pre-shared key, or the MSK of EAP.
        SHARED_KEY_MIC = 2,
        /// DSS; never used here.
        DSS_SIGNATURE = 3,
        /// RFC 4754.
        ECDSA_SHA256_P256 = 9,
        /// RFC 4754.
        ECDSA_SHA384_P384 = 10,
        /// RFC 4754.
        ECDSA_SHA512_P521 = 11,
        /// RFC 7619.
        NULL = 13,
        /// RFC 7427.
        DIGITAL_SIGNATURE = 14,
    }

    /// Hash functions that a signature may use, RFC 7427 section 7.
    SignatureHash(u16) {
        /// SHA-1.
        SHA1 = 1,
        /// SHA2-256.
        SHA2_256 = 2,
        /// SHA2-384.
        SHA2_384 = 3,
        /// SHA2-512.
        SHA2_512 = 4,
        /// The scheme hashes by itself, RFC 8420.
        IDENTITY = 5,
    }

    /// Traffic Selector types, RFC 7296 section 3.13.1.
    TsType(u8) {
        /// A range of IPv4 addresses.
        IPV4_ADDR_RANGE = 7,
        /// A range of IPv6 addresses.
        IPV6_ADDR_RANGE = 8,
        /// RFC 9478.
        SECLABEL = 10,
    }

    /// Kinds of Configuration payload, RFC 7296 section 3.15.
    CfgType(u8) {
        /// Asks for attributes.
        REQUEST = 1,
        /// Answers a request.
        REPLY = 2,
        /// Pushes attributes.
        SET = 3,
        /// Answers a set.
        ACK = 4,
    }

    /// Configuration attribute types, RFC 7296 section 3.15.1.
    ConfigurationAttributeType(u16) {
        /// 0 or 4 octets.
        INTERNAL_IP4_ADDRESS = 1,
        /// 0 or 4 octets.
        INTERNAL_IP4_NETMASK = 2,
        /// 0 or 4 octets.
        INTERNAL_IP4_DNS = 3,
        /// 0 or 4 octets.
        INTERNAL_IP4_NBNS = 4,
        /// 0 or 4 octets.
        INTERNAL_IP4_DHCP = 6,
        /// Printable ASCII.
        APPLICATION_VERSION = 7,
        /// 0 or 17 octets: address and prefix length.
        INTERNAL_IP6_ADDRESS = 8,
        /// 0 or 16 octets.
        INTERNAL_IP6_DNS = 10,
        /// 0 or 16 octets.
        INTERNAL_IP6_DHCP = 12,
        /// 0 or 8 octets: address and mask.
        INTERNAL_IP4_SUBNET = 13,
        /// A list of attribute types.
        SUPPORTED_ATTRIBUTES = 14,
        /// 17 octets: address and prefix length.
        INTERNAL_IP6_SUBNET = 15,
        /// RFC 8598.
        INTERNAL_DNS_DOMAIN = 25,
    }

    /// Notify message types, RFC 7296 section 3.10.1. Those below 16384 are errors.
    NotifyType(u16) {
        /// RFC 7296 section 2.5; the data is the payload type.
        UNSUPPORTED_CRITICAL_PAYLOAD = 1,
        /// RFC 7296 section 2.21.
        INVALID_IKE_SPI = 4,
        /// RFC 7296 section 2.5.
        INVALID_MAJOR_VERSION = 5,
        /// RFC 7296 section 2.21.
        INVALID_SYNTAX = 7,
        /// RFC 7296 section 2.3; the data is the Message ID.
        INVALID_MESSAGE_ID = 9,
        /// RFC 7296 section 1.5.
        INVALID_SPI = 11,
        /// RFC 7296 section 2.7.
        NO_PROPOSAL_CHOSEN = 14,
        /// RFC 7296 sections 1.2 and 1.3; the data is the method that is wanted.
        INVALID_KE_PAYLOAD = 17,
        /// RFC 7296 section 2.21.2.
        AUTHENTICATION_FAILED = 24,
        /// RFC 7296 section 2.9.
        SINGLE_PAIR_REQUIRED = 34,
        /// RFC 7296 section 1.3.
        NO_ADDITIONAL_SAS = 35,
        /// RFC 7296 section 3.15.4.
        INTERNAL_ADDRESS_FAILURE = 36,
        /// RFC 7296 section 2.19.
        FAILED_CP_REQUIRED = 37,
        /// RFC 7296 section 2.9.
        TS_UNACCEPTABLE = 38,
        /// RFC 7296 section 3.10.1.
        INVALID_SELECTORS = 39,
        /// RFC 4555 section 4.2.
        UNACCEPTABLE_ADDRESSES = 40,
        /// RFC 4555 section 4.2.
        UNEXPECTED_NAT_DETECTED = 41,
        /// RFC 7296 section 2.25.
        TEMPORARY_FAILURE = 43,
        /// RFC 7296 section 2.25.
        CHILD_SA_NOT_FOUND = 44,
        /// RFC 7296 section 2.4.
        INITIAL_CONTACT = 16384,
        /// RFC 7296 section 2.3.
        SET_WINDOW_SIZE = 16385,
        /// RFC 7296 section 2.9.
        ADDITIONAL_TS_POSSIBLE = 16386,
        /// RFC 7296 section 2.22.
        IPCOMP_SUPPORTED = 16387,
        /// RFC 7296 section 2.23.
        NAT_DETECTION_SOURCE_IP = 16388,
        /// RFC 7296 section 2.23.
        NAT_DETECTION_DESTINATION_IP = 16389,
        /// RFC 7296 section 2.6.
        COOKIE = 16390,
        /// RFC 7296 section 1.3.1.
        USE_TRANSPORT_MODE = 16391,
        /// RFC 7296 section 3.6.
        HTTP_CERT_LOOKUP_SUPPORTED = 16392,
        /// RFC 7296 section 1.3.3.
        REKEY_SA = 16393,
        /// RFC 7296 section 1.3.1.
        ESP_TFC_PADDING_NOT_SUPPORTED = 16394,
        /// RFC 7296 section 1.3.1.
        NON_FIRST_FRAGMENTS_ALSO = 16395,
        /// RFC 4555 section 4.2.
        MOBIKE_SUPPORTED = 16396,
        /// RFC 4555 section 4.2.
        ADDITIONAL_IP4_ADDRESS = 16397,
        /// RFC 4555 section 4.2.
        ADDITIONAL_IP6_ADDRESS = 16398,
        /// RFC 4555 section 4.2.
        NO_ADDITIONAL_ADDRESSES = 16399,
        /// RFC 4555 section 4.2.
        UPDATE_SA_ADDRESSES = 16400,
        /// RFC 4555 section 4.2.
        COOKIE2 = 16401,
        /// RFC 4555 section 4.2.
        NO_NATS_ALLOWED = 16402,
        /// RFC 4478.
        AUTH_LIFETIME = 16403,
        /// RFC 4739.
        MULTIPLE_AUTH_SUPPORTED = 16404,
        /// RFC 4739.
        ANOTHER_AUTH_FOLLOWS = 16405,
        /// RFC 5685.
        REDIRECT_SUPPORTED = 16406,
        /// RFC 5685.
        REDIRECT = 16407,
        /// RFC 5685.
        REDIRECTED_FROM = 16408,
        /// RFC 5723.
        TICKET_LT_OPAQUE = 16409,
        /// RFC 5723.
        TICKET_REQUEST = 16410,
        /// RFC 5723.
        TICKET_ACK = 16411,
        /// RFC 5723.
        TICKET_NACK = 16412,
        /// RFC 5723.
        TICKET_OPAQUE = 16413,
        /// RFC 5998.
        EAP_ONLY_AUTHENTICATION = 16417,
        /// RFC 6023.
        CHILDLESS_IKEV2_SUPPORTED = 16418,
        /// RFC 6290.
        QUICK_CRASH_DETECTION = 16419,
        /// RFC 6311.
        IKEV2_MESSAGE_ID_SYNC_SUPPORTED = 16420,
        /// RFC 6311.
        IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED = 16421,
        /// RFC 6311.
        IKEV2_MESSAGE_ID_SYNC = 16422,
        /// RFC 6311.
        IPSEC_REPLAY_COUNTER_SYNC = 16423,
        /// RFC 7383.
        IKEV2_FRAGMENTATION_SUPPORTED = 16430,
        /// RFC 7427.
        SIGNATURE_HASH_ALGORITHMS = 16431,
        /// RFC 8784.
        USE_PPK = 16435,
        /// RFC 8784.
        PPK_IDENTITY = 16436,
        /// RFC 8784.
        NO_PPK_AUTH = 16437,
        /// RFC 9242.
        INTERMEDIATE_EXCHANGE_SUPPORTED = 16438,
        /// RFC 9370.
        ADDITIONAL_KEY_EXCHANGE = 16441,
        /// RFC 9347.
        USE_AGGFRAG = 16442,
    }
}

impl NotifyType {
    /// True for types that report an error: below 16384.
    pub const fn is_error(self) -> bool {
        self.0 < 16384
    }
}

impl TransformType {
    /// Prints a transform ID by the name that it has in the registry of this type.
    pub(super) fn fmt_id(self, id: u16, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ENCRYPTION => fmt::Debug::fmt(&EncryptionId(id), f),
            Self::PRF => fmt::Debug::fmt(&PrfId(id), f),
            Self::INTEGRITY => fmt::Debug::fmt(&IntegrityId(id), f),
            Self::KEY_EXCHANGE => fmt::Debug::fmt(&KeMethod(id), f),
            Self::SEQUENCE_NUMBERS => fmt::Debug::fmt(&SequenceNumbersId(id), f),
            _ => write!(f, "{self:?}={id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn known_numbers_print_as_names_and_unknown_ones_as_numbers() {
        assert_eq!(format!("{:?}", ExchangeType(37)), "INFORMATIONAL");
        assert_eq!(format!("{:?}", NotifyType(40960)), "NotifyType(40960)");
    }

    #[test]
    fn errors_end_at_16383() {
        assert!(NotifyType(16383).is_error());
        assert!(!NotifyType(16384).is_error());
    }
}
