//! The payload chain: generic headers, RFC 7296 section 3.2, and what hangs on them.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::auth::Authentication;
use super::cert::{Certificate, CertificateRequest};
use super::cp::Configuration;
use super::delete::Delete;
use super::error::{DecodeError, DecodeErrorKind, EncodeError};
use super::id::Identification;
use super::ke::KeyExchange;
use super::limits::{MAX_CERTIFICATES, MAX_DELETED_SPIS, MAX_PAYLOADS};
use super::notify::Notify;
use super::opaque::{Eap, Nonce, UnknownPayload, VendorId};
use super::reader::Reader;
use super::registry::{NotifyType, PayloadType};
use super::sa::SecurityAssociation;
use super::ts::TrafficSelectors;
use super::writer::Writer;

/// Length of the generic payload header in bytes.
const GENERIC_HEADER_LEN: usize = 4;

/// The Critical bit of the generic payload header.
const CRITICAL: u8 = 0x80;

/// A payload: any but SK and SKF, which [`Message`](super::Message) keeps apart.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Payload<'a> {
    /// SA.
    SecurityAssociation(SecurityAssociation),
    /// KE.
    KeyExchange(KeyExchange<'a>),
    /// IDi.
    IdInitiator(Identification<'a>),
    /// IDr.
    IdResponder(Identification<'a>),
    /// CERT.
    Certificate(Certificate<'a>),
    /// CERTREQ.
    CertificateRequest(CertificateRequest<'a>),
    /// AUTH.
    Authentication(Authentication<'a>),
    /// Ni or Nr.
    Nonce(Nonce<'a>),
    /// N.
    Notify(Notify<'a>),
    /// D.
    Delete(Delete),
    /// V.
    VendorId(VendorId<'a>),
    /// TSi.
    TsInitiator(TrafficSelectors),
    /// TSr.
    TsResponder(TrafficSelectors),
    /// CP.
    Configuration(Configuration<'a>),
    /// EAP.
    Eap(Eap<'a>),
    /// Any other.
    Unknown(UnknownPayload<'a>),
}

impl<'a> Payload<'a> {
    /// The number of this payload's type.
    pub const fn payload_type(&self) -> PayloadType {
        match self {
            Self::SecurityAssociation(_) => PayloadType::SA,
            Self::KeyExchange(_) => PayloadType::KE,
            Self::IdInitiator(_) => PayloadType::IDI,
            Self::IdResponder(_) => PayloadType::IDR,
            Self::Certificate(_) => PayloadType::CERT,
            Self::CertificateRequest(_) => PayloadType::CERTREQ,
            Self::Authentication(_) => PayloadType::AUTH,
            Self::Nonce(_) => PayloadType::NONCE,
            Self::Notify(_) => PayloadType::NOTIFY,
            Self::Delete(_) => PayloadType::DELETE,
            Self::VendorId(_) => PayloadType::VENDOR_ID,
            Self::TsInitiator(_) => PayloadType::TSI,
            Self::TsResponder(_) => PayloadType::TSR,
            Self::Configuration(_) => PayloadType::CP,
            Self::Eap(_) => PayloadType::EAP,
            Self::Unknown(unknown) => unknown.payload_type,
        }
    }

    /// The same payload with its bytes copied out of the datagram.
    pub fn into_owned(self) -> Payload<'static> {
        match self {
            Self::SecurityAssociation(sa) => Payload::SecurityAssociation(sa),
            Self::KeyExchange(ke) => Payload::KeyExchange(ke.into_owned()),
            Self::IdInitiator(id) => Payload::IdInitiator(id.into_owned()),
            Self::IdResponder(id) => Payload::IdResponder(id.into_owned()),
            Self::Certificate(cert) => Payload::Certificate(cert.into_owned()),
            Self::CertificateRequest(certreq) => Payload::CertificateRequest(certreq.into_owned()),
            Self::Authentication(auth) => Payload::Authentication(auth.into_owned()),
            Self::Nonce(Nonce(data)) => Payload::Nonce(Nonce(owned(data))),
            Self::Notify(notify) => Payload::Notify(notify.into_owned()),
            Self::Delete(delete) => Payload::Delete(delete),
            Self::VendorId(VendorId(data)) => Payload::VendorId(VendorId(owned(data))),
            Self::TsInitiator(ts) => Payload::TsInitiator(ts),
            Self::TsResponder(ts) => Payload::TsResponder(ts),
            Self::Configuration(cp) => Payload::Configuration(cp.into_owned()),
            Self::Eap(Eap(data)) => Payload::Eap(Eap(owned(data))),
            Self::Unknown(UnknownPayload { payload_type, critical, body }) => {
                Payload::Unknown(UnknownPayload { payload_type, critical, body: owned(body) })
            }
        }
    }

    /// True for payloads of which a message holds one at most. RFC 7296 appendix C lists what the messages
    /// hold; a second SA, KE or nonce would leave open which of the two counts.
    const fn is_singular(&self) -> bool {
        matches!(
            self,
            Self::SecurityAssociation(_)
                | Self::KeyExchange(_)
                | Self::IdInitiator(_)
                | Self::IdResponder(_)
                | Self::Authentication(_)
                | Self::Nonce(_)
                | Self::TsInitiator(_)
                | Self::TsResponder(_)
                | Self::Configuration(_)
                | Self::Eap(_)
        )
    }

    fn parse(
        payload_type: PayloadType,
        critical: bool,
        body: &mut Reader<'a>,
    ) -> Result<Self, DecodeError> {
        Ok(match payload_type {
            PayloadType::SA => Self::SecurityAssociation(SecurityAssociation::parse(body)?),
            PayloadType::KE => Self::KeyExchange(KeyExchange::parse(body)?),
            PayloadType::IDI => Self::IdInitiator(Identification::parse(body)?),
            PayloadType::IDR => Self::IdResponder(Identification::parse(body)?),
            PayloadType::CERT => Self::Certificate(Certificate::parse(body)?),
            PayloadType::CERTREQ => Self::CertificateRequest(CertificateRequest::parse(body)?),
            PayloadType::AUTH => Self::Authentication(Authentication::parse(body)?),
            PayloadType::NONCE => Self::Nonce(Nonce::parse(body)?),
            PayloadType::NOTIFY => Self::Notify(Notify::parse(body)?),
            PayloadType::DELETE => Self::Delete(Delete::parse(body)?),
            PayloadType::VENDOR_ID => Self::VendorId(VendorId(Cow::Borrowed(body.rest()))),
            PayloadType::TSI => Self::TsInitiator(TrafficSelectors::parse(body)?),
            PayloadType::TSR => Self::TsResponder(TrafficSelectors::parse(body)?),
            PayloadType::CP => Self::Configuration(Configuration::parse(body)?),
            PayloadType::EAP => Self::Eap(Eap::parse(body)?),
            _ => Self::Unknown(UnknownPayload {
                payload_type,
                critical,
                body: Cow::Borrowed(body.rest()),
            }),
        })
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::SecurityAssociation(sa) => sa.encode(writer),
            Self::KeyExchange(ke) => ke.encode(writer),
            Self::IdInitiator(id) | Self::IdResponder(id) => id.encode(writer),
            Self::Certificate(cert) => cert.encode(writer),
            Self::CertificateRequest(certreq) => certreq.encode(writer),
            Self::Authentication(auth) => auth.encode(writer),
            Self::Notify(notify) => notify.encode(writer),
            Self::Delete(delete) => delete.encode(writer),
            Self::TsInitiator(ts) | Self::TsResponder(ts) => ts.encode(writer),
            Self::Configuration(cp) => cp.encode(writer),
            Self::Nonce(Nonce(data))
            | Self::VendorId(VendorId(data))
            | Self::Eap(Eap(data))
            | Self::Unknown(UnknownPayload { body: data, .. }) => {
                writer.bytes(data);
                Ok(())
            }
        }
    }
}

fn owned(data: Cow<'_, [u8]>) -> Cow<'static, [u8]> {
    Cow::Owned(data.into_owned())
}

/// The payloads of a message or of its Encrypted payload, in their order.
///
/// ```
/// use adit_ikev2::wire::{Notify, NotifyType, Payload, PayloadType, Payloads};
///
/// let sent = Payloads::from(vec![Payload::Notify(Notify::error(NotifyType::NO_ADDITIONAL_SAS))]);
/// let mut bytes = Vec::new();
/// let first = sent.encode(&mut bytes)?;
/// assert_eq!(first, PayloadType::NOTIFY);
/// assert_eq!(Payloads::parse(first, &bytes)?, sent);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Payloads<'a>(Vec<Payload<'a>>);

impl<'a> Payloads<'a> {
    /// Reads the content of an Encrypted payload, whose first payload is of type `first`.
    ///
    /// # Errors
    /// If it is malformed; offsets count from the start of `content`.
    pub fn parse(first: PayloadType, content: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(content, 0);
        let (payloads, encrypted) = Self::parse_chain(first, &mut reader)?;
        if encrypted.is_some() {
            return Err(reader.error(DecodeErrorKind::BadValue, "nested Encrypted payload"));
        }
        reader.finish("payloads")?;
        Ok(payloads)
    }

    /// Reads payloads up to the end of the chain or up to SK or SKF, whose type is returned with the
    /// reader standing at its generic header.
    pub(super) fn parse_chain(
        first: PayloadType,
        reader: &mut Reader<'a>,
    ) -> Result<(Self, Option<PayloadType>), DecodeError> {
        let mut payloads = Vec::new();
        let (mut certificates, mut deleted) = (0, 0);
        let mut seen = 0_u64;
        let mut next = first;
        while next != PayloadType::NONE {
            if next == PayloadType::SK || next == PayloadType::SKF {
                return Ok((Self(payloads), Some(next)));
            }
            let start = reader.clone();
            if payloads.len() == MAX_PAYLOADS {
                return Err(start.error(DecodeErrorKind::TooMany, "payloads"));
            }
            let header = GenericHeader::parse(reader)?;
            let mut body = reader.sub(header.body_len, "payload")?;
            let payload = Payload::parse(next, header.critical, &mut body)?;
            if payload.is_singular() {
                // Payload types of known payloads lie between 33 and 53.
                let bit = 1_u64.checked_shl(u32::from(next.0)).unwrap_or(0);
                if seen & bit != 0 {
                    return Err(start.error(DecodeErrorKind::Duplicate, "payload"));
                }
                seen |= bit;
            }
            match &payload {
                Payload::Certificate(_) => certificates += 1,
                Payload::Delete(delete) => deleted += delete.spis.len(),
                _ => {}
            }
            if certificates > MAX_CERTIFICATES {
                return Err(start.error(DecodeErrorKind::TooMany, "CERT payloads"));
            }
            if deleted > MAX_DELETED_SPIS {
                return Err(start.error(DecodeErrorKind::TooMany, "SPIs"));
            }
            payloads.push(payload);
            next = header.next;
        }
        Ok((Self(payloads), None))
    }

    /// Appends the chain to `out` and returns the type of its first payload, for the Next Payload field of
    /// whatever stands before it.
    ///
    /// # Errors
    /// If a payload is longer than its length field can say.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<PayloadType, EncodeError> {
        let mut writer = Writer::new(out);
        let mut following = self.0.iter().skip(1).map(Payload::payload_type);
        for payload in &self.0 {
            writer.measured(2, "payload", |writer| {
                writer.u8(following.next().unwrap_or(PayloadType::NONE).0);
                //= RFC 7296 section 2.5: the critical flag MUST NOT be set for payload types defined in
                //= this document; unknown ones are sent as they came.
                writer.u8(match payload {
                    Payload::Unknown(unknown) if unknown.critical => CRITICAL,
                    _ => 0,
                });
                writer.u16(0);
                payload.encode(writer)
            })?;
        }
        Ok(self.0.first().map_or(PayloadType::NONE, Payload::payload_type))
    }

    /// Adds a payload at the end.
    pub fn push(&mut self, payload: Payload<'a>) {
        self.0.push(payload);
    }

    /// The payloads in their order.
    pub fn iter(&self) -> core::slice::Iter<'_, Payload<'a>> {
        self.0.iter()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of payloads.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The same payloads with their bytes copied out of the datagram.
    pub fn into_owned(self) -> Payloads<'static> {
        Payloads(self.0.into_iter().map(Payload::into_owned).collect())
    }

    /// The first payload that must be understood and is not: the message is answered with
    /// UNSUPPORTED_CRITICAL_PAYLOAD, RFC 7296 section 2.5.
    pub fn unsupported_critical(&self) -> Option<PayloadType> {
        self.0.iter().find_map(|payload| match payload {
            Payload::Unknown(unknown) if unknown.critical => Some(unknown.payload_type),
            _ => None,
        })
    }

    /// The first Notify of this type.
    pub fn notify(&self, notify_type: NotifyType) -> Option<&Notify<'a>> {
        self.notifies().find(|notify| notify.notify_type == notify_type)
    }

    /// All Notify payloads.
    pub fn notifies(&self) -> impl Iterator<Item = &Notify<'a>> {
        self.0.iter().filter_map(|payload| match payload {
            Payload::Notify(notify) => Some(notify),
            _ => None,
        })
    }

    /// The first Notify of an error type.
    pub fn error_notify(&self) -> Option<&Notify<'a>> {
        self.notifies().find(|notify| notify.notify_type.is_error())
    }

    /// All CERT payloads.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate<'a>> {
        self.0.iter().filter_map(|payload| match payload {
            Payload::Certificate(cert) => Some(cert),
            _ => None,
        })
    }

    /// All CERTREQ payloads.
    pub fn certificate_requests(&self) -> impl Iterator<Item = &CertificateRequest<'a>> {
        self.0.iter().filter_map(|payload| match payload {
            Payload::CertificateRequest(certreq) => Some(certreq),
            _ => None,
        })
    }

    /// All Delete payloads.
    pub fn deletes(&self) -> impl Iterator<Item = &Delete> {
        self.0.iter().filter_map(|payload| match payload {
            Payload::Delete(delete) => Some(delete),
            _ => None,
        })
    }
}

macro_rules! singular {
    ($($(#[$doc:meta])* $method:ident: $variant:ident($content:ty);)*) => {
        impl<'a> Payloads<'a> {
            $(
                $(#[$doc])*
                pub fn $method(&self) -> Option<&$content> {
                    self.0.iter().find_map(|payload| match payload {
                        Payload::$variant(content) => Some(content),
                        _ => None,
                    })
                }
            )*
        }
    };
}

singular! {
    /// The SA payload.
    sa: SecurityAssociation(SecurityAssociation);
    /// The KE payload.
    ke: KeyExchange(KeyExchange<'a>);
    /// The IDi payload.
    id_initiator: IdInitiator(Identification<'a>);
    /// The IDr payload.
    id_responder: IdResponder(Identification<'a>);
    /// The AUTH payload.
    auth: Authentication(Authentication<'a>);
    /// The nonce.
    nonce: Nonce(Nonce<'a>);
    /// The TSi payload.
    ts_initiator: TsInitiator(TrafficSelectors);
    /// The TSr payload.
    ts_responder: TsResponder(TrafficSelectors);
    /// The Configuration payload.
    configuration: Configuration(Configuration<'a>);
    /// The EAP payload.
    eap: Eap(Eap<'a>);
}

impl<'a> Extend<Payload<'a>> for Payloads<'a> {
    fn extend<I: IntoIterator<Item = Payload<'a>>>(&mut self, payloads: I) {
        self.0.extend(payloads);
    }
}

impl<'a> From<Vec<Payload<'a>>> for Payloads<'a> {
    fn from(payloads: Vec<Payload<'a>>) -> Self {
        Self(payloads)
    }
}

impl<'a> IntoIterator for Payloads<'a> {
    type Item = Payload<'a>;
    type IntoIter = alloc::vec::IntoIter<Payload<'a>>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'b, 'a> IntoIterator for &'b Payloads<'a> {
    type Item = &'b Payload<'a>;
    type IntoIter = core::slice::Iter<'b, Payload<'a>>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// The four octets in front of every payload.
pub(super) struct GenericHeader {
    pub(super) next: PayloadType,
    pub(super) critical: bool,
    /// Length of what follows the header.
    pub(super) body_len: usize,
}

impl GenericHeader {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = reader.clone();
        let next = PayloadType(reader.u8("next payload")?);
        let critical = reader.u8("payload header")? & CRITICAL != 0;
        let len = usize::from(reader.u16("payload length")?);
        let Some(body_len) = len.checked_sub(GENERIC_HEADER_LEN) else {
            return Err(start.error(DecodeErrorKind::BadLength, "payload length"));
        };
        Ok(Self { next, critical, body_len })
    }
}
