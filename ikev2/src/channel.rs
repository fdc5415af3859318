//! One IKE SA as a means of transport: message IDs, windows of one, retransmission, protection.
//!
//! RFC 7296 sections 2.1 to 2.3, with the fragments of RFC 7383. What the messages say is not known here.

use alloc::sync::Arc;
use alloc::vec::Vec;

use adit_platform::{Instant, Rng};

use crate::config::Retransmission;
use crate::error::{Error, Misbehaviour, Resource, Stray, TimedOut};
use crate::fragment::{self, Reassembly};
use crate::keys::{OpenError, Protector, SealError};
use crate::wire::{
    DecodeError, DecodeErrorKind, ExchangeType, Flags, Header, IkeSpi, Message, PayloadType,
    Payloads,
};

/// The datagrams of one message, without non-ESP marker; shared by what is queued and what is kept for
/// retransmission.
pub(crate) type Sent = Arc<[Vec<u8>]>;

/// The SPIs of an IKE SA and which of them is ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spis {
    pub(crate) initiator: IkeSpi,
    pub(crate) responder: IkeSpi,
    /// True if we are the original initiator of this IKE SA.
    pub(crate) we_initiated: bool,
}

impl Spis {
    pub(crate) fn local(&self) -> IkeSpi {
        if self.we_initiated { self.initiator } else { self.responder }
    }

    /// The header of a message that we send.
    pub(crate) fn header(&self, exchange: ExchangeType, response: bool, id: u32) -> Header {
        let flags = Flags { initiator: self.we_initiated, response };
        Header::new(self.initiator, self.responder, exchange, flags, id)
    }
}

/// A request of ours that is to be answered, and is repeated until it is.
#[derive(Debug)]
pub(crate) struct Outstanding {
    pub(crate) id: u32,
    pub(crate) exchange: ExchangeType,
    pub(crate) sent: Sent,
    copies: u8,
    deadline: Instant,
}

impl Outstanding {
    pub(crate) fn new(
        now: Instant,
        plan: &Retransmission,
        id: u32,
        exchange: ExchangeType,
        sent: Sent,
    ) -> Self {
        Self { id, exchange, sent, copies: 0, deadline: now + plan.wait(0) }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// At its deadline: the datagrams to send once more, or the end of patience.
    pub(crate) fn repeat(&mut self, now: Instant, plan: &Retransmission) -> Result<Sent, Error> {
        self.copies = self.copies.saturating_add(1);
        if self.copies >= plan.attempts.max(1) {
            return Err(Error::TimedOut(TimedOut::Request));
        }
        self.deadline = now + plan.wait(self.copies);
        Ok(self.sent.clone())
    }
}

/// A message of the peer that is authentic and has its place in the window.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) exchange: ExchangeType,
    pub(crate) is_response: bool,
    first_payload: PayloadType,
    content: Vec<u8>,
}

impl Opened {
    /// The payloads inside.
    ///
    /// # Errors
    /// If the content is malformed or holds a critical payload of an unknown type.
    pub(crate) fn payloads(&self) -> Result<Payloads<'_>, Error> {
        let payloads = Payloads::parse(self.first_payload, &self.content)?;
        if let Some(unknown) = payloads.unsupported_critical() {
            return Err(Misbehaviour::UnsupportedCriticalPayload(unknown).into());
        }
        Ok(payloads)
    }
}

/// What came of a datagram for this IKE SA.
#[derive(Debug)]
pub(crate) enum Received {
    /// A new request, or the response to the outstanding one.
    Message(Opened),
    /// The peer did not get the response to its last request: send it again.
    Repeat(Sent),
}

/// See the [module](self).
pub(crate) struct Channel {
    spis: Spis,
    protector: Protector,
    /// The longest datagram, if the peer can reassemble what is fragmented.
    fragment_size: Option<usize>,
    next_request: u32,
    outstanding: Option<Outstanding>,
    has_exchanged: bool,
    expected_request: u32,
    /// The request that waits for our response.
    in_progress: Option<ExchangeType>,
    last_response: Option<Sent>,
    requests: Reassembly,
    responses: Reassembly,
}

impl Channel {
    /// The channel of an IKE SA whose next message IDs, in both directions, are these: 1 for us and 0 or 1
    /// for the peer after IKE_SA_INIT, 0 after a rekey (RFC 7296 section 2.2).
    pub(crate) fn new(
        spis: Spis,
        protector: Protector,
        fragment_size: Option<usize>,
        (next_request, expected_request): (u32, u32),
    ) -> Self {
        Self {
            spis,
            protector,
            fragment_size,
            next_request,
            outstanding: None,
            has_exchanged: false,
            expected_request,
            in_progress: None,
            last_response: None,
            requests: Reassembly::default(),
            responses: Reassembly::default(),
        }
    }

    pub(crate) fn spis(&self) -> Spis {
        self.spis
    }

    /// The longest datagram, if the peer can reassemble what is fragmented.
    pub(crate) fn fragment_size(&self) -> Option<usize> {
        self.fragment_size
    }

    /// True if the peer may still ask for our last response again.
    pub(crate) fn can_repeat(&self) -> bool {
        self.last_response.is_some()
    }

    /// True if a request of ours was answered.
    pub(crate) fn has_exchanged(&self) -> bool {
        self.has_exchanged
    }

    /// Gives up the outstanding request.
    pub(crate) fn forget_request(&mut self) {
        self.outstanding = None;
    }

    /// True if a request can be sent: the window is one.
    pub(crate) fn is_idle(&self) -> bool {
        self.outstanding.is_none()
    }

    /// The exchange of the request that waits for our response.
    pub(crate) fn in_progress(&self) -> Option<ExchangeType> {
        self.in_progress
    }

    /// When the outstanding request is to be repeated.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.outstanding.as_ref().map(Outstanding::deadline)
    }

    /// At [`deadline`](Self::deadline): what to send again.
    pub(crate) fn repeat(
        &mut self,
        now: Instant,
        plan: &Retransmission,
    ) -> Result<Option<Sent>, Error> {
        match &mut self.outstanding {
            Some(outstanding) if now >= outstanding.deadline => {
                outstanding.repeat(now, plan).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Opens a datagram, in place. Nothing changes unless it is authentic and fits the window; an error
    /// says why it was dropped.
    pub(crate) fn receive(&mut self, datagram: &mut [u8]) -> Result<Received, Error> {
        let message = Message::parse(datagram)?;
        let header = message.header;
        let Some(encrypted) = message.encrypted else {
            return Err(Misbehaviour::MissingPayload(PayloadType::SK).into());
        };
        if header.initiator_spi != self.spis.initiator
            || header.responder_spi != self.spis.responder
            || header.flags.initiator == self.spis.we_initiated
        {
            return Err(Stray::UnknownSpi.into());
        }
        let is_response = header.flags.response;
        let is_repeat = if is_response {
            self.expect_response(&header)?;
            false
        } else {
            self.expect_request(&header)?
        };
        if encrypted.fragment.is_some() && self.fragment_size.is_none() {
            return Err(Misbehaviour::UnexpectedPayload(PayloadType::SKF).into());
        }

        let content = self.protector.open(datagram, &encrypted).map_err(open_error)?;
        let content = datagram.get(content).unwrap_or_default();
        if is_repeat {
            //= RFC 7383 section 2.6.1: resend the response only when the first fragment of a request
            //= comes again, lest every fragment draws a whole response.
            let first = encrypted.fragment.is_none_or(|fragment| fragment.number == 1);
            return match &self.last_response {
                Some(sent) if first => Ok(Received::Repeat(sent.clone())),
                _ => Err(Stray::OutsideWindow.into()),
            };
        }
        let (first_payload, content) = match encrypted.fragment {
            None => (encrypted.first_payload, content.to_vec()),
            Some(fragment) => {
                let reassembly = if is_response { &mut self.responses } else { &mut self.requests };
                let piece = fragment::Piece {
                    message_id: header.message_id,
                    fragment,
                    first_payload: encrypted.first_payload,
                    content,
                };
                reassembly.insert(piece)?.ok_or(Error::Stray(Stray::Fragment))?
            }
        };
        if is_response {
            self.outstanding = None;
            self.has_exchanged = true;
            self.next_request = header.message_id.wrapping_add(1);
            self.responses = Reassembly::default();
        } else {
            self.in_progress = Some(header.exchange_type);
            self.last_response = None;
            self.requests = Reassembly::default();
        }
        Ok(Received::Message(Opened {
            exchange: header.exchange_type,
            is_response,
            first_payload,
            content,
        }))
    }

    /// Checks the place of a request in the window: true if it repeats the one that was answered last.
    fn expect_request(&self, header: &Header) -> Result<bool, Error> {
        //= RFC 7296 section 2.3: an endpoint MUST NOT process a message outside of its window.
        if header.message_id == self.expected_request {
            return match self.in_progress {
                Some(_) => Err(Stray::InProgress.into()),
                None => Ok(false),
            };
        }
        let previous = self.expected_request.checked_sub(1);
        match &self.last_response {
            Some(_) if previous == Some(header.message_id) => Ok(true),
            _ => Err(Stray::OutsideWindow.into()),
        }
    }

    fn expect_response(&self, header: &Header) -> Result<(), Error> {
        match &self.outstanding {
            Some(request)
                if request.id == header.message_id && request.exchange == header.exchange_type =>
            {
                Ok(())
            }
            _ => Err(Stray::UnexpectedResponse.into()),
        }
    }

    /// Sends a request; only while [`is_idle`](Self::is_idle).
    pub(crate) fn request(
        &mut self,
        now: Instant,
        rng: &mut dyn Rng,
        plan: &Retransmission,
        exchange: ExchangeType,
        payloads: &Payloads<'_>,
    ) -> Result<Sent, Error> {
        //= RFC 7296 section 2.2: in the case where a Message ID would wrap, the IKE SA MUST be closed.
        let id = self.next_request;
        if id == u32::MAX {
            return Err(Resource::MessageIds.into());
        }
        let sent = self.seal(rng, self.spis.header(exchange, false, id), payloads)?;
        self.outstanding = Some(Outstanding::new(now, plan, id, exchange, sent.clone()));
        Ok(sent)
    }

    /// Sends the response to the request in progress, and keeps it for retransmission.
    pub(crate) fn respond(
        &mut self,
        rng: &mut dyn Rng,
        payloads: &Payloads<'_>,
    ) -> Result<Sent, Error> {
        let Some(exchange) = self.in_progress else {
            return Err(Stray::UnexpectedResponse.into());
        };
        let id = self.expected_request;
        let sent = self.seal(rng, self.spis.header(exchange, true, id), payloads)?;
        self.in_progress = None;
        self.expected_request = id.checked_add(1).ok_or(Error::Resources(Resource::MessageIds))?;
        self.last_response = Some(sent.clone());
        Ok(sent)
    }

    fn seal(
        &mut self,
        rng: &mut dyn Rng,
        header: Header,
        payloads: &Payloads<'_>,
    ) -> Result<Sent, Error> {
        let mut content = Vec::new();
        let first = payloads.encode(&mut content).map_err(|_| Resource::MessageLength)?;
        let limit = self.fragment_size;
        fragment::seal(&mut self.protector, rng, &header, first, &content, limit)
            .map(Sent::from)
            .map_err(seal_error)
    }
}

fn open_error(error: OpenError) -> Error {
    match error {
        OpenError::NotAuthentic => Error::NotAuthentic,
        OpenError::Truncated | OpenError::BadPadding => Error::Malformed(DecodeError {
            kind: DecodeErrorKind::BadLength,
            what: "Encrypted payload",
            offset: crate::wire::HEADER_LEN,
        }),
    }
}

fn seal_error(error: SealError) -> Error {
    match error {
        SealError::TooLong(_) | SealError::Crypto => Resource::MessageLength.into(),
        SealError::Rng => Resource::Random.into(),
        SealError::Exhausted => Resource::MessageIds.into(),
    }
}
