//! IKE_SA_INIT as its initiator: RFC 7296 sections 1.2, 2.6, 2.7 and 2.23.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use adit_platform::Instant;
use adit_platform::kex::{ActiveKeyExchange, KexAlgorithm};

use super::{Context, Contribution, Handshake, State, dial, init};
use crate::channel::{Outstanding, Sent, Spis};
use crate::config::PeerConfig;
use crate::endpoint::Shared;
use crate::error::{CommandError, Error, Misbehaviour, Resource, Stray};
use crate::event::Event;
use crate::negotiate::{IkeChoice, IkeProposal, ke_method, kex_algorithm};
use crate::path::Path;
use crate::wire::{
    ExchangeType, IkeSpi, KeMethod, KeyExchange, Message, Nonce, Notify, NotifyType, Payload,
    PayloadType, Payloads, SecurityAssociation, Spi,
};

/// Waits for the response to our first message.
///
/// Nothing in it is authenticated, so whatever does not fit is dropped and better is waited for. A refusal is
/// believed when nothing better has come by the time of the next retransmission (section 2.21.1).
pub(crate) struct ExpectInitResponse {
    peer: Arc<PeerConfig>,
    spi: IkeSpi,
    nonce: Vec<u8>,
    offered: SecurityAssociation,
    /// Gone once it was used.
    key_exchange: Option<Box<dyn ActiveKeyExchange>>,
    tried: Vec<KexAlgorithm>,
    cookie: Option<Vec<u8>>,
    cookies: u8,
    request: Outstanding,
    /// Why the last response was of no use.
    refusal: Option<Error>,
}

/// What came of a datagram.
pub(crate) enum Outcome {
    /// It was answered, and the response is still to come.
    Waiting,
    /// There are keys: on to IKE_AUTH.
    Agreed(Box<Handshake>),
    /// There will be none.
    Failed(Error),
}

/// How many cookies in a row are taken before the peer is thought to have lost its mind. A responder may
/// change its secret while our answer is on its way, once or twice.
const MAX_COOKIES: u8 = 4;

impl ExpectInitResponse {
    /// Sends the first message.
    pub(crate) fn start(
        now: Instant,
        path: Path,
        peer: Arc<PeerConfig>,
        spi: IkeSpi,
        shared: &mut Shared,
    ) -> Result<Self, CommandError> {
        let provider = &shared.provider;
        let unusable = CommandError::Unusable("no IKE proposal that the provider can run");
        let method = IkeProposal::first_key_exchange(&peer.proposals, provider).ok_or(unusable)?;
        let offered = IkeProposal::offer(&peer.proposals, provider, Spi::None);
        let key_exchange = provider
            .key_exchange(method)
            .ok_or(unusable)?
            .start(&mut *shared.rng)
            .map_err(|_| CommandError::Random)?;
        let nonce = init::new_nonce(&mut *shared.rng)?;
        let placeholder = Outstanding::new(
            now,
            &shared.config.retransmission,
            0,
            ExchangeType::IKE_SA_INIT,
            Sent::from(Vec::new()),
        );
        let mut state = Self {
            peer,
            spi,
            nonce,
            offered,
            key_exchange: Some(key_exchange),
            tried: Vec::from([method]),
            cookie: None,
            cookies: 0,
            request: placeholder,
            refusal: None,
        };
        state
            .send(now, path, shared)
            .map_err(|_| CommandError::Unusable("the first message would be too long"))?;
        Ok(state)
    }

    pub(crate) fn spi(&self) -> IkeSpi {
        self.spi
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.request.deadline()
    }

    /// Sends the first message, anew with whatever changed.
    fn send(&mut self, now: Instant, path: Path, shared: &mut Shared) -> Result<(), Error> {
        let Some(key_exchange) = &self.key_exchange else {
            return Err(Stray::UnexpectedResponse.into());
        };
        let method = ke_method(key_exchange.algorithm());
        let ke = KeyExchange { method, data: key_exchange.public().into() };
        let mut payloads = Payloads::default();
        if let Some(cookie) = &self.cookie {
            //= RFC 7296 section 2.6: the initiator MUST repeat the request and include the notification
            //= as the first payload, and all other payloads unchanged.
            payloads.push(Payload::Notify(Notify::status(NotifyType::COOKIE, cookie)));
        }
        payloads.push(Payload::SecurityAssociation(self.offered.clone()));
        payloads.push(Payload::KeyExchange(ke));
        payloads.push(Payload::Nonce(Nonce(self.nonce.as_slice().into())));
        let spis = Spis { initiator: self.spi, responder: IkeSpi::ZERO, we_initiated: true };
        init::push_nat_detection(&mut payloads, shared, spis, path, self.peer.force_encapsulation)?;
        init::push_fragmentation(&mut payloads, shared);
        init::push_signature_hashes(&mut payloads, shared, &self.peer.signature_schemes);

        let header = spis.header(ExchangeType::IKE_SA_INIT, false, 0);
        let message = Message::encode(&header, &payloads).map_err(|_| Resource::MessageLength)?;
        let sent = Sent::from([message]);
        let plan = &shared.config.retransmission;
        self.request = Outstanding::new(now, plan, 0, ExchangeType::IKE_SA_INIT, sent.clone());
        shared.send(path, &sent);
        Ok(())
    }

    /// At the deadline: sends the message again, or ends with what the peer last said.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        path: Path,
        shared: &mut Shared,
    ) -> Result<(), Error> {
        if now < self.request.deadline() {
            return Ok(());
        }
        if let Some(Error::RefusedByPeer(notify)) = self.refusal {
            return Err(Error::RefusedByPeer(notify));
        }
        let sent = self
            .request
            .repeat(now, &shared.config.retransmission)
            .map_err(|timeout| self.refusal.take().unwrap_or(timeout))?;
        shared.send(path, &sent);
        Ok(())
    }

    /// Takes a datagram with our SPI. `Ok` holds what comes next; with `Err` the datagram is dropped and
    /// waiting goes on.
    pub(crate) fn receive(
        &mut self,
        cx: &mut Context<'_>,
        datagram: &[u8],
    ) -> Result<Outcome, Error> {
        let outcome = self.response(cx, datagram);
        if let Err(error) = &outcome
            && !matches!(error, Error::Malformed(_) | Error::Stray(_))
        {
            self.refusal = Some(error.clone());
        }
        outcome
    }

    fn response(&mut self, cx: &mut Context<'_>, datagram: &[u8]) -> Result<Outcome, Error> {
        let message = Message::parse(datagram)?;
        let header = &message.header;
        if header.exchange_type != ExchangeType::IKE_SA_INIT
            || !header.flags.response
            || header.flags.initiator
            || header.message_id != 0
            || header.initiator_spi != self.spi
            || message.encrypted.is_some()
        {
            return Err(Stray::UnexpectedResponse.into());
        }
        let payloads = &message.payloads;
        if let Some(cookie) = payloads.notify(NotifyType::COOKIE) {
            return self.retry_with_cookie(cx, &cookie.data).map(|()| Outcome::Waiting);
        }
        if let Some(notify) = payloads.notify(NotifyType::INVALID_KE_PAYLOAD) {
            return self.retry_with_group(cx, &notify.data).map(|()| Outcome::Waiting);
        }
        if let Some(notify) = payloads.error_notify() {
            return Err(Error::RefusedByPeer(notify.notify_type));
        }
        if let Some(unknown) = payloads.unsupported_critical() {
            return Err(Misbehaviour::UnsupportedCriticalPayload(unknown).into());
        }
        if header.responder_spi.is_zero() {
            return Err(Misbehaviour::InvalidPayload(PayloadType::SA).into());
        }
        self.agree(cx, datagram, header.responder_spi, payloads)
    }

    /// RFC 7296 section 2.6.
    fn retry_with_cookie(&mut self, cx: &mut Context<'_>, cookie: &[u8]) -> Result<(), Error> {
        //= RFC 7296 section 2.6: the data associated with this notification MUST be between 1 and 64
        //= octets in length, inclusive.
        if !(1..=64).contains(&cookie.len()) {
            return Err(Misbehaviour::InvalidPayload(PayloadType::NOTIFY).into());
        }
        if self.cookie.as_deref() == Some(cookie) {
            // A copy of the demand that we have just answered.
            return Err(Stray::UnexpectedResponse.into());
        }
        if self.cookies >= MAX_COOKIES {
            return Err(Misbehaviour::CookieLoop.into());
        }
        self.cookies += 1;
        self.cookie = Some(cookie.to_vec());
        self.send(cx.now, *cx.path, cx.shared)
    }

    /// RFC 7296 sections 1.2 and 2.7. The cookie, if we have one, stays (section 2.6.1), and so does the
    /// nonce that it is bound to.
    fn retry_with_group(&mut self, cx: &mut Context<'_>, group: &[u8]) -> Result<(), Error> {
        let method = <[u8; 2]>::try_from(group)
            .ok()
            .and_then(|group| kex_algorithm(KeMethod(u16::from_be_bytes(group))))
            .filter(|method| {
                let provider = &cx.shared.provider;
                IkeProposal::offers_key_exchange(&self.peer.proposals, provider, *method)
            })
            .ok_or(Misbehaviour::InvalidKeyExchangeRetry)?;
        if self.tried.last() == Some(&method) {
            // A copy of the demand that we have just met.
            return Err(Stray::UnexpectedResponse.into());
        }
        if self.tried.contains(&method) {
            return Err(Misbehaviour::InvalidKeyExchangeRetry.into());
        }
        let algorithm =
            cx.shared.provider.key_exchange(method).ok_or(Misbehaviour::InvalidKeyExchangeRetry)?;
        self.key_exchange = Some(algorithm.start(&mut *cx.shared.rng)?);
        self.tried.push(method);
        self.send(cx.now, *cx.path, cx.shared)
    }

    /// Derives keys from a response that fits, and goes on to IKE_AUTH.
    fn agree(
        &mut self,
        cx: &mut Context<'_>,
        datagram: &[u8],
        responder: IkeSpi,
        payloads: &Payloads<'_>,
    ) -> Result<Outcome, Error> {
        let missing = |kind| Error::from(Misbehaviour::MissingPayload(kind));
        let sa = payloads.sa().ok_or_else(|| missing(PayloadType::SA))?;
        let ke = payloads.ke().ok_or_else(|| missing(PayloadType::KE))?;
        let nonce = payloads.nonce().ok_or_else(|| missing(PayloadType::NONCE))?;
        let choice = IkeChoice::confirm(&self.offered, sa)
            .map_err(|_| Misbehaviour::SelectedUnofferedTransform)?;
        if self.tried.last() != Some(&choice.key_exchange)
            || ke.method != ke_method(choice.key_exchange)
        {
            return Err(Misbehaviour::SelectedUnofferedTransform.into());
        }

        // The private key serves one response. A forged one makes the handshake fail, and so it would if it
        // were believed: without keys of its own, the initiator cannot tell.
        let fatal = |error: Error| Ok(Outcome::Failed(error));
        let Some(key_exchange) = self.key_exchange.take() else {
            return Err(Stray::UnexpectedResponse.into());
        };
        let shared_secret = match key_exchange.complete(&ke.data) {
            Ok(shared_secret) => shared_secret,
            Err(error) => return fatal(error.into()),
        };
        let agreed = init::Agreed {
            spis: Spis { initiator: self.spi, responder, we_initiated: true },
            choice,
            shared_secret,
            ours: Contribution {
                message: self.request.sent.first().cloned().unwrap_or_default(),
                nonce: core::mem::take(&mut self.nonce),
            },
            peers: Contribution { message: datagram.to_vec(), nonce: nonce.0.to_vec() },
            force_encapsulation: self.peer.force_encapsulation,
        };
        let mut session = match agreed.into_session(cx, payloads) {
            Ok(session) => session,
            Err(error) => return fatal(error),
        };
        if session.encapsulate {
            self.float(cx);
        }
        let (path, nat) = (*cx.path, session.nat);
        cx.shared.emit(cx.sa, Event::KeysAgreed { path, nat });
        match dial::start(&mut session, cx, self.peer.clone()) {
            Ok(state) => {
                Ok(Outcome::Agreed(Box::new(Handshake::new(session, State::Dial(Box::new(state))))))
            }
            Err(error) => fatal(error),
        }
    }

    /// With a NAT on the path, goes on where the non-ESP marker is spoken.
    //= RFC 7296 section 2.23: if there is a NAT, the initiator MUST send all subsequent traffic from
    //= port 4500 to port 4500.
    fn float(&self, cx: &mut Context<'_>) {
        let nat_t_port = cx.shared.config.nat_t_port;
        if cx.path.local.port() != nat_t_port {
            cx.path.local.set_port(nat_t_port);
            cx.path.remote.set_port(self.peer.remote_nat_t_port);
        }
    }
}
