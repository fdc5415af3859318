//! IKE_SA_INIT as its responder: RFC 7296 sections 1.2, 2.6, 2.7 and 2.23.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Context, Contribution, Handshake, State, init, proof, serve};
use crate::channel::{Sent, Spis};
use crate::endpoint::Shared;
use crate::error::{Error, Incompatible, Misbehaviour, Resource};
use crate::event::Event;
use crate::negotiate::{IkeChoice, ke_method};
use crate::wire::{
    ExchangeType, KeyExchange, Message, Nonce, NotifyType, Payload, PayloadType, Payloads, Spi,
};

/// Waits for the embedder to let a stranger in. Holds the stranger's first message and nothing else.
pub(crate) struct ExpectAcceptance {
    message: Vec<u8>,
    pub(crate) has_cookie: bool,
}

impl ExpectAcceptance {
    pub(crate) fn new(message: Vec<u8>, has_cookie: bool) -> Self {
        Self { message, has_cookie }
    }

    /// The stranger's first message.
    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    /// Lets it in: answers with our half of the key exchange.
    pub(crate) fn accept(self, cx: &mut Context<'_>) -> Result<Box<Handshake>, Error> {
        let request = Message::parse(&self.message)?;
        let choice = choose(&request.payloads, cx.shared)?;
        let missing = |kind| Error::from(Misbehaviour::MissingPayload(kind));
        let ke = request.payloads.ke().ok_or_else(|| missing(PayloadType::KE))?;
        let nonce = request.payloads.nonce().ok_or_else(|| missing(PayloadType::NONCE))?;
        let algorithm =
            cx.shared.provider.key_exchange(choice.key_exchange).ok_or(Resource::Provider)?;
        let responded = algorithm.respond(&mut *cx.shared.rng, &ke.data)?;
        let our_nonce = init::new_nonce(&mut *cx.shared.rng)?;
        let initiator = request.header.initiator_spi;
        let responder = cx.shared.spis.new_ike(&mut *cx.shared.rng, cx.sa)?;
        let spis = Spis { initiator, responder, we_initiated: false };

        let mut payloads = Payloads::default();
        payloads.push(Payload::SecurityAssociation(choice.answer(Spi::None)));
        let method = ke_method(choice.key_exchange);
        let data = responded.public.into();
        payloads.push(Payload::KeyExchange(KeyExchange { method, data }));
        payloads.push(Payload::Nonce(Nonce(our_nonce.as_slice().into())));
        let known = |kind| request.payloads.notify(kind).is_some();
        if known(NotifyType::NAT_DETECTION_SOURCE_IP) {
            let force = cx.shared.config.force_encapsulation;
            init::push_nat_detection(&mut payloads, cx.shared, spis, *cx.path, force)?;
        }
        proof::push_certificate_request(&mut payloads, &cx.shared.config.authorities);
        let responders = cx.shared.config.ocsp_responders.as_deref();
        proof::push_ocsp_request(&mut payloads, responders);
        if known(NotifyType::IKEV2_FRAGMENTATION_SUPPORTED) {
            init::push_fragmentation(&mut payloads, cx.shared);
        }
        if known(NotifyType::SIGNATURE_HASH_ALGORITHMS) {
            let schemes = &cx.shared.config.signature_schemes;
            init::push_signature_hashes(&mut payloads, cx.shared, schemes);
        }
        init::push_status(&mut payloads, NotifyType::CHILDLESS_IKEV2_SUPPORTED, Vec::new());
        let header = spis.header(ExchangeType::IKE_SA_INIT, true, 0);
        let answer = Message::encode(&header, &payloads).map_err(|_| Resource::MessageLength)?;
        let sent = Sent::from([answer.clone()]);

        let agreed = init::Agreed {
            spis,
            choice,
            shared_secret: responded.shared,
            peers: Contribution { nonce: nonce.0.to_vec(), message: self.message.clone() },
            ours: Contribution { message: answer, nonce: our_nonce },
            force_encapsulation: cx.shared.config.force_encapsulation,
        };
        let session = agreed.into_session(cx, &request.payloads)?;
        cx.shared.send(*cx.path, &sent);
        let (path, nat) = (*cx.path, session.nat);
        cx.shared.emit(cx.sa, Event::KeysAgreed { path, nat });
        let state = State::Serve(Box::new(serve::start()));
        Ok(Box::new(Handshake::new(session, state)))
    }
}

/// The proposal of a stranger's first message that suits us. Its key exchange may be another than the one
/// that the stranger sent a value for, which is for the caller to see.
pub(crate) fn choose(payloads: &Payloads<'_>, shared: &Shared) -> Result<IkeChoice, Error> {
    let missing = |kind| Error::from(Misbehaviour::MissingPayload(kind));
    let sa = payloads.sa().ok_or_else(|| missing(PayloadType::SA))?;
    let ke = payloads.ke().ok_or_else(|| missing(PayloadType::KE))?;
    let proposals = &shared.config.proposals;
    IkeChoice::select(proposals, &shared.provider, sa, Some(ke.method))
        .map_err(|_| Incompatible::NoProposalChosen.into())
}
