//! What a certificate may be used for: key usage and extended key usage (RFC 4945 section 5.1.3).

use crate::error::Reason;
use crate::format::der::Field;
use crate::format::extension::{KeyUsage, key_purposes};

/// What the peer's certificate is to be used for.
///
/// | purpose | accepted in an extended key usage extension |
/// |---|---|
/// | [`IkeStrict`](Self::IkeStrict) | ipsecIKE, any |
/// | [`IkeGateway`](Self::IkeGateway) | also ipsecIKEIntermediate and serverAuth |
/// | [`IkeClient`](Self::IkeClient) | also ipsecIKEIntermediate and clientAuth |
/// | [`TlsServer`](Self::TlsServer) | serverAuth, any |
/// | [`TlsClient`](Self::TlsClient) | clientAuth, any |
/// | [`Any`](Self::Any) | anything |
///
/// A certificate without the extension is accepted for every purpose. An intermediate that has the extension
/// must name one of the same purposes. For all but `Any`, key usage, if present, must allow signatures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Purpose {
    /// IKE, by the letter of RFC 4945 section 5.1.3.12.
    IkeStrict,
    /// To be an IKE gateway, accepting what public CAs issue to servers.
    #[default]
    IkeGateway,
    /// To be an IKE client, accepting what company CAs issue to users and devices.
    IkeClient,
    /// To be a TLS server: EAP-TLS, RadSec.
    TlsServer,
    /// To be a TLS client.
    TlsClient,
    /// Anything.
    Any,
}

pub(crate) const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
pub(crate) const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
pub(crate) const IPSEC_IKE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 17];
pub(crate) const OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];
/// 1.3.6.1.5.5.8.2.2, which Apple's clients ask of gateways.
const IPSEC_IKE_INTERMEDIATE: &[u8] = &[0x2b, 6, 1, 5, 5, 8, 2, 2];
const ANY_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25, 0];

impl Purpose {
    fn accepted(self) -> &'static [&'static [u8]] {
        match self {
            Self::IkeStrict => &[IPSEC_IKE, ANY_EXTENDED_KEY_USAGE],
            Self::IkeGateway => {
                &[IPSEC_IKE, IPSEC_IKE_INTERMEDIATE, SERVER_AUTH, ANY_EXTENDED_KEY_USAGE]
            }
            Self::IkeClient => {
                &[IPSEC_IKE, IPSEC_IKE_INTERMEDIATE, CLIENT_AUTH, ANY_EXTENDED_KEY_USAGE]
            }
            Self::TlsServer => &[SERVER_AUTH, ANY_EXTENDED_KEY_USAGE],
            Self::TlsClient => &[CLIENT_AUTH, ANY_EXTENDED_KEY_USAGE],
            Self::Any => &[],
        }
    }

    /// Whether an extended key usage extension allows the purpose.
    pub(crate) fn check_extended(self, extension: Option<Field<'_>>) -> Result<(), Reason> {
        let Some(extension) = extension else { return Ok(()) };
        let accepted = self.accepted();
        let mut found = self == Self::Any;
        key_purposes(extension, |purpose| found |= accepted.contains(&purpose))
            .map_err(Reason::Malformed)?;
        if found { Ok(()) } else { Err(Reason::ExtendedKeyUsage) }
    }

    /// Whether the key usage of a peer's certificate allows the purpose.
    pub(crate) fn check_key_usage(self, usage: Option<KeyUsage>) -> Result<(), Reason> {
        //= RFC 4945 section 5.1.3.2
        let signs = KeyUsage::DIGITAL_SIGNATURE | KeyUsage::NON_REPUDIATION;
        match usage {
            Some(usage) if self != Self::Any && !usage.has_any(signs) => Err(Reason::KeyUsage),
            _ => Ok(()),
        }
    }
}
