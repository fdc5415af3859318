//! First messages of strangers: what they may cost, and the stateless answers to them.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use adit_platform::Instant;

use super::Endpoint;
use super::connection::Connection;
use crate::ask::Ask;
use crate::channel::Sent;
use crate::cookie::{Claim, Cookies};
use crate::endpoint::Shared;
use crate::error::{Denied, Error, Incompatible, Misbehaviour, Resource, Stray};
use crate::handshake::responder::{ExpectAcceptance, choose};
use crate::negotiate::ke_method;
use crate::path::{Path, SaId};
use crate::wire::{
    ExchangeType, Flags, Header, IkeSpi, Message, Notify, NotifyType, Payload, PayloadType,
    Payloads,
};

/// The half-open IKE SAs: those of strangers who were let in and are not authenticated.
#[derive(Default)]
pub(crate) struct Strangers {
    by_first_message: BTreeMap<Key, SaId>,
    per_address: BTreeMap<IpAddr, usize>,
}

/// What a first message is recognised by when it comes again: RFC 7296 section 2.1.
pub(super) type Key = (SocketAddr, IkeSpi);

impl Strangers {
    pub(super) fn len(&self) -> usize {
        self.by_first_message.len()
    }

    fn of_address(&self, address: IpAddr) -> usize {
        self.per_address.get(&address).copied().unwrap_or(0)
    }

    fn insert(&mut self, key: Key, sa: SaId) {
        if self.by_first_message.insert(key, sa).is_none() {
            *self.per_address.entry(key.0.ip()).or_insert(0) += 1;
        }
    }

    pub(super) fn remove(&mut self, key: Key) {
        if self.by_first_message.remove(&key).is_none() {
            return;
        }
        let address = key.0.ip();
        if let Some(count) = self.per_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&address);
            }
        }
    }
}

impl Endpoint {
    /// Takes a message that carries no SPI of ours.
    pub(super) fn receive_from_stranger(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
    ) -> Result<(), Error> {
        let message = Message::parse(datagram)?;
        let (header, payloads) = (&message.header, &message.payloads);
        if header.flags.response || !header.flags.initiator {
            return Err(Stray::UnexpectedResponse.into());
        }
        if header.exchange_type != ExchangeType::IKE_SA_INIT {
            return Err(Misbehaviour::UnexpectedExchange(header.exchange_type).into());
        }
        if header.message_id != 0 {
            return Err(Misbehaviour::UnexpectedMessageId(header.message_id).into());
        }
        if message.encrypted.is_some() {
            return Err(Misbehaviour::UnexpectedPayload(PayloadType::SK).into());
        }
        let key = (path.remote, header.initiator_spi);
        if let Some(id) = self.shared.strangers.by_first_message.get(&key) {
            let connection = self.connections.get_mut(*id).ok_or(Stray::UnknownSpi)?;
            return connection.repeat_first_answer(path, datagram, &mut self.shared);
        }
        if !self.shared.config.responder {
            return Err(Denied::NotResponding.into());
        }
        if let Some(unknown) = payloads.unsupported_critical() {
            let data = [unknown.0];
            refuse(&mut self.shared, path, header, UNSUPPORTED_CRITICAL_PAYLOAD, &data);
            return Err(Misbehaviour::UnsupportedCriticalPayload(unknown).into());
        }
        let nonce = payloads.nonce().ok_or(Misbehaviour::MissingPayload(PayloadType::NONCE))?;
        let claim = Claim {
            initiator_spi: header.initiator_spi,
            address: path.remote.ip(),
            nonce: &nonce.0,
        };
        let has_cookie = payloads
            .notify(NotifyType::COOKIE)
            .is_some_and(|cookie| self.cookies.check(now, &claim, &cookie.data));
        self.check_limits(now, path, header, has_cookie, &claim)?;

        let choice = match choose(payloads, &self.shared) {
            Ok(choice) => choice,
            Err(error) => {
                if let Some(notify) = error.notify() {
                    refuse(&mut self.shared, path, header, notify, &[]);
                }
                return Err(error);
            }
        };
        let method = ke_method(choice.key_exchange);
        if payloads.ke().is_none_or(|ke| ke.method != method) {
            //= RFC 7296 section 1.2: the responder rejects the request and indicates its preferred group.
            let data = method.0.to_be_bytes();
            refuse(&mut self.shared, path, header, NotifyType::INVALID_KE_PAYLOAD, &data);
            return Err(Incompatible::KeyExchangeGroup.into());
        }
        self.ask_to_accept(now, path, key, datagram.to_vec(), has_cookie)
    }

    fn check_limits(
        &mut self,
        now: Instant,
        path: Path,
        header: &Header,
        has_cookie: bool,
        claim: &Claim<'_>,
    ) -> Result<(), Error> {
        let limits = self.shared.config.limits;
        let half_open = self.shared.strangers.len();
        if half_open >= limits.half_open {
            return Err(Resource::HalfOpen.into());
        }
        if half_open >= limits.cookie_threshold && !has_cookie {
            demand_cookie(&mut self.cookies, now, path, header, claim, &mut self.shared)?;
            return Err(Stray::CookieDemanded.into());
        }
        if self.shared.strangers.of_address(path.remote.ip()) >= limits.half_open_per_address {
            return Err(Resource::HalfOpenPerAddress.into());
        }
        if self.connections.len() >= limits.sas {
            return Err(Resource::Sas.into());
        }
        Ok(())
    }

    fn ask_to_accept(
        &mut self,
        now: Instant,
        path: Path,
        key: Key,
        message: Vec<u8>,
        has_cookie: bool,
    ) -> Result<(), Error> {
        let state = Box::new(ExpectAcceptance::new(message, has_cookie));
        let shared = &self.shared;
        let id = self
            .connections
            .insert_with(|id| Connection::of_stranger(now, id, path, key, state, shared))
            .ok_or(Resource::Sas)?;
        let strangers = &mut self.shared.strangers;
        strangers.insert(key, id);
        let (half_open, half_open_from_address) =
            (strangers.len(), strangers.of_address(path.remote.ip()));
        let ask = self.shared.ask(now, id, |ticket| Ask::Accept {
            path,
            has_cookie,
            half_open,
            half_open_from_address,
            ticket,
        });
        if let Some(connection) = self.connections.get_mut(id) {
            connection.expect_answer(ask);
        }
        self.settle(id);
        Ok(())
    }

    /// Tells a peer of the future that we are not up to it: RFC 7296 section 2.5.
    pub(super) fn refuse_version(&mut self, path: Path, header: &Header) {
        if self.shared.config.responder {
            refuse(&mut self.shared, path, header, NotifyType::INVALID_MAJOR_VERSION, &[]);
        }
    }
}

const UNSUPPORTED_CRITICAL_PAYLOAD: NotifyType = NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD;

/// Sends a cookie and remembers nothing.
pub(super) fn demand_cookie(
    cookies: &mut Cookies,
    now: Instant,
    path: Path,
    header: &Header,
    claim: &Claim<'_>,
    shared: &mut Shared,
) -> Result<(), Error> {
    let cookie = cookies.make(now, &mut *shared.rng, claim)?;
    refuse(shared, path, header, NotifyType::COOKIE, &cookie);
    Ok(())
}

/// Answers a first message with one notification, in the clear, and remembers nothing.
pub(super) fn refuse(
    shared: &mut Shared,
    path: Path,
    request: &Header,
    kind: NotifyType,
    data: &[u8],
) {
    let header = Header::new(
        request.initiator_spi,
        IkeSpi::ZERO,
        request.exchange_type,
        Flags::RESPONSE_BY_RESPONDER,
        request.message_id,
    );
    let payloads = Payloads::from([Payload::Notify(Notify::status(kind, data))].to_vec());
    if let Ok(answer) = Message::encode(&header, &payloads) {
        shared.send(path, &Sent::from([answer]));
    }
}
