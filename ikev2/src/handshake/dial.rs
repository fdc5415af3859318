//! IKE_AUTH as its initiator: RFC 7296 sections 1.2, 2.15, 2.16 and 2.19.
//!
//! Every state waits for one thing: an answer of the embedder, or a message of the peer.

use alloc::boxed::Box;
use alloc::sync::Arc;

use adit_platform::Secret;

use super::first_child;
use super::{Context, Finished, FirstChild, Next, Session, init, proof};
use crate::ask::{AnyAnswer, Ask, EapReply};
use crate::channel::Opened;
use crate::config::{LocalAuth, PeerConfig, RemoteAuth};
use crate::error::{AuthError, Denied, Error, Incompatible, Misbehaviour, Stray};
use crate::event::AuthenticatedPeer;
use crate::identity::Identity;
use crate::negotiate::ConfigurationReply;
use crate::wire::{
    Authentication, Eap, ExchangeType, NotifyType, Payload, PayloadType, Payloads,
    SecurityAssociation,
};

/// Where it stands.
pub(crate) enum State {
    OurProof(ExpectOurProof),
    Response(ExpectResponse),
    PeerProof(ExpectPeerProof),
    EapReply(ExpectEapReply),
    EapMessage(ExpectEapMessage),
    LastResponse(ExpectLastResponse),
}

impl State {
    pub(super) fn message(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        opened: Opened,
    ) -> Result<Next, Error> {
        if !opened.is_response {
            //= RFC 7296 section 2.2: until IKE_AUTH is over, only the initiator starts exchanges.
            return Err(Misbehaviour::UnexpectedExchange(opened.exchange).into());
        }
        match self {
            Self::Response(state) => state.message(session, cx, opened),
            Self::EapMessage(state) => state.message(session, cx, opened),
            Self::LastResponse(state) => state.message(session, opened),
            Self::OurProof(_) | Self::PeerProof(_) | Self::EapReply(_) => {
                Err(Stray::UnexpectedResponse.into())
            }
        }
    }

    pub(super) fn answer(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        answer: AnyAnswer,
    ) -> Result<Next, Error> {
        match (self, answer) {
            (Self::OurProof(state), answer) => state.answer(session, cx, answer),
            (Self::PeerProof(state), answer) => state.answer(session, cx, answer),
            (Self::EapReply(state), AnyAnswer::Eap(reply)) => state.answer(session, cx, reply),
            _ => Err(Stray::UnexpectedResponse.into()),
        }
    }
}

fn go_on(state: State) -> Next {
    Next::Continue(super::State::Dial(Box::new(state)))
}

/// After IKE_SA_INIT: finds out how to prove ourselves, or sends IKE_AUTH at once if EAP will do it.
pub(super) fn start(
    session: &mut Session,
    cx: &mut Context<'_>,
    peer: Arc<PeerConfig>,
) -> Result<State, Error> {
    if peer.child.is_none() && !session.childless_ok {
        //= RFC 6023 section 3: the initiator MUST NOT leave out the child without the notification.
        return Err(Incompatible::Childless.into());
    }
    match &peer.local_auth {
        LocalAuth::SharedSecret => {
            let (local_id, peer_id) = (peer.local_id.clone(), peer.remote_id.clone());
            cx.raise(|ticket| Ask::SharedSecret { local_id, peer_id, ticket });
            Ok(State::OurProof(ExpectOurProof { peer }))
        }
        LocalAuth::Certificate { schemes, .. } => {
            proof::ask_to_sign(session, cx, &peer.local_id, schemes)?;
            Ok(State::OurProof(ExpectOurProof { peer }))
        }
        LocalAuth::Eap => send_request(session, cx, peer, None, None),
    }
}

/// Sends the first IKE_AUTH request. Without AUTH, it asks for EAP.
fn send_request(
    session: &mut Session,
    cx: &mut Context<'_>,
    peer: Arc<PeerConfig>,
    auth: Option<Authentication<'static>>,
    secret: Option<Secret>,
) -> Result<State, Error> {
    let mut payloads = Payloads::default();
    payloads.push(Payload::IdInitiator(peer.local_id.to_payload()));
    proof::push_certificates(&mut payloads, session, &peer);
    if peer.initial_contact {
        init::push_status(&mut payloads, NotifyType::INITIAL_CONTACT, [].into());
    }
    if peer.remote_auth == RemoteAuth::Certificate {
        proof::push_certificate_request(&mut payloads, &peer.authorities);
        proof::push_ocsp_request(&mut payloads, peer.ocsp_responders.as_deref());
    }
    if let Some(id) = &peer.remote_id {
        payloads.push(Payload::IdResponder(id.to_payload()));
    }
    payloads.extend(auth.map(Payload::Authentication));
    payloads.extend(peer.request.as_ref().map(|it| Payload::Configuration(it.to_payload())));
    let mut offered = None;
    if let Some(child) = &peer.child {
        let spi = cx.shared.spis.new_child(&mut *cx.shared.rng)?;
        session.child_spi = Some(spi);
        offered = Some(first_child::push_offer(&mut payloads, child, cx, spi));
    }
    send(session, cx, &payloads)?;
    Ok(State::Response(ExpectResponse { dial: Dial { peer: peer.clone(), offered }, secret }))
}

fn send(session: &mut Session, cx: &mut Context<'_>, payloads: &Payloads<'_>) -> Result<(), Error> {
    let plan = cx.shared.config.retransmission;
    let sent = session.channel.request(
        cx.now,
        &mut *cx.shared.rng,
        &plan,
        ExchangeType::IKE_AUTH,
        payloads,
    )?;
    cx.shared.send(*cx.path, &sent);
    Ok(())
}

/// What all states have in common once the first request is out.
struct Dial {
    peer: Arc<PeerConfig>,
    offered: Option<SecurityAssociation>,
}

/// Waits for the embedder's secret or signature.
pub(crate) struct ExpectOurProof {
    peer: Arc<PeerConfig>,
}

impl ExpectOurProof {
    fn answer(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        answer: AnyAnswer,
    ) -> Result<Next, Error> {
        let peer = self.peer;
        let (auth, secret) = match (&peer.local_auth, answer) {
            (LocalAuth::SharedSecret, AnyAnswer::SharedSecret(secret)) => {
                (session.prove_by_secret(&peer.local_id, &secret), Some(secret))
            }
            (LocalAuth::Certificate { schemes, .. }, AnyAnswer::Sign(signature)) => {
                (proof::signed(session, schemes, &signature)?, None)
            }
            _ => return Err(Stray::UnexpectedResponse.into()),
        };
        send_request(session, cx, peer, Some(auth), secret).map(go_on)
    }
}

/// Waits for the gateway's identity and its proof, and what comes with them.
pub(crate) struct ExpectResponse {
    dial: Dial,
    /// The secret that we proved ourselves with.
    secret: Option<Secret>,
}

impl ExpectResponse {
    fn message(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        opened: Opened,
    ) -> Result<Next, Error> {
        let Self { dial, secret } = self;
        let payloads = opened.payloads()?;
        let Some(id) = payloads.id_responder() else {
            return Err(refusal(&payloads, PayloadType::IDR));
        };
        let peer_id = Identity::from(id);
        if dial.peer.remote_id.as_ref().is_some_and(|wanted| *wanted != peer_id) {
            return Err(AuthError::WrongIdentity.into());
        }
        let Some(auth) = payloads.auth() else {
            //= RFC 7296 section 2.16: EAP MUST be used together with authentication of the responder by
            //= a public key signature. (An RFC 5998 responder, which leaves that to EAP, gets none.)
            return Err(match payloads.eap() {
                Some(_) => AuthError::GatewayUnauthenticated.into(),
                None => refusal(&payloads, PayloadType::AUTH),
            });
        };
        proof::check_method(auth, dial.peer.remote_auth)?;
        match dial.peer.remote_auth {
            RemoteAuth::SharedSecret => match secret {
                Some(secret) => {
                    check_secret(session, &peer_id, &secret, auth)?;
                    drop(payloads);
                    proven(dial, session, cx, opened, peer_id)
                }
                None => {
                    let (local_id, id) = (dial.peer.local_id.clone(), Some(peer_id.clone()));
                    cx.raise(|ticket| Ask::SharedSecret { local_id, peer_id: id, ticket });
                    drop(payloads);
                    Ok(go_on(State::PeerProof(ExpectPeerProof { dial, opened, peer_id })))
                }
            },
            RemoteAuth::Certificate => {
                proof::ask_to_verify(cx, &payloads, &peer_id)?;
                drop(payloads);
                Ok(go_on(State::PeerProof(ExpectPeerProof { dial, opened, peer_id })))
            }
            RemoteAuth::Eap => Err(Incompatible::AuthMethod.into()),
        }
    }
}

/// Waits for the embedder's secret, or its judgement of the gateway's certificates.
pub(crate) struct ExpectPeerProof {
    dial: Dial,
    /// The response under judgement.
    opened: Opened,
    peer_id: Identity,
}

impl ExpectPeerProof {
    fn answer(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        answer: AnyAnswer,
    ) -> Result<Next, Error> {
        let Self { dial, opened, peer_id } = self;
        let payloads = opened.payloads()?;
        let missing = Misbehaviour::MissingPayload(PayloadType::AUTH);
        let auth = payloads.auth().ok_or(missing)?;
        match answer {
            AnyAnswer::SharedSecret(secret) => check_secret(session, &peer_id, &secret, auth)?,
            AnyAnswer::VerifyPeer(key) => {
                proof::verify(session, cx, &dial.peer, &peer_id, auth, &key)?;
            }
            _ => return Err(Stray::UnexpectedResponse.into()),
        }
        drop(payloads);
        proven(dial, session, cx, opened, peer_id)
    }
}

fn check_secret(
    session: &Session,
    peer_id: &Identity,
    secret: &Secret,
    auth: &Authentication<'_>,
) -> Result<(), Error> {
    if session.is_proven_by_secret(peer_id, secret, auth) {
        Ok(())
    } else {
        Err(AuthError::WrongAuth.into())
    }
}

/// The gateway is who it says: on to EAP, or to the end.
fn proven(
    dial: Dial,
    session: &Session,
    cx: &mut Context<'_>,
    opened: Opened,
    peer_id: Identity,
) -> Result<Next, Error> {
    let payloads = opened.payloads()?;
    if !matches!(dial.peer.local_auth, LocalAuth::Eap) {
        return finish(dial, session, &payloads, peer_id);
    }
    let eap = payloads.eap().ok_or_else(|| refusal(&payloads, PayloadType::EAP))?;
    let eaper = Eaper { dial, peer_id, rounds: 0 };
    eaper.ask(cx, eap)
}

/// The EAP peer's side of the conversation.
struct Eaper {
    dial: Dial,
    peer_id: Identity,
    rounds: u16,
}

/// What an EAP message of the gateway says of the conversation: RFC 3748 section 4.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    /// It goes on.
    More,
    /// EAP-Success: it ends well.
    Success,
    /// EAP-Failure: it ends, and the embedder's EAP peer may know why.
    Failure,
}

impl Said {
    fn of(eap: &Eap<'_>) -> Self {
        match eap.0.first() {
            Some(3) => Self::Success,
            Some(4) => Self::Failure,
            _ => Self::More,
        }
    }
}

impl Eaper {
    /// Hands a message of the gateway to the embedder.
    fn ask(mut self, cx: &mut Context<'_>, eap: &Eap<'_>) -> Result<Next, Error> {
        self.rounds += 1;
        if self.rounds > cx.shared.config.max_eap_rounds {
            return Err(Misbehaviour::TooManyEapRounds.into());
        }
        let (peer_id, message) = (self.peer_id.clone(), Some(eap.0.to_vec()));
        cx.raise(|ticket| Ask::Eap { peer_id, message, ticket });
        Ok(go_on(State::EapReply(ExpectEapReply { eaper: self, said: Said::of(eap) })))
    }
}

/// Waits for what the embedder's EAP peer says.
pub(crate) struct ExpectEapReply {
    eaper: Eaper,
    said: Said,
}

impl ExpectEapReply {
    fn answer(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        reply: EapReply,
    ) -> Result<Next, Error> {
        let Self { eaper, said } = self;
        match (said, reply) {
            // What the gateway has ended, no answer opens again.
            (Said::Failure, _) | (_, EapReply::Failure(_)) => Err(AuthError::EapFailure.into()),
            (Said::More, EapReply::Continue(message)) => {
                let payload = Payload::Eap(Eap(message.into()));
                send(session, cx, &Payloads::from([payload].to_vec()))?;
                Ok(go_on(State::EapMessage(ExpectEapMessage { eaper })))
            }
            (Said::Success, EapReply::Success { msk, .. }) => {
                let auth = session.prove_by_eap(&eaper.dial.peer.local_id, msk.as_ref());
                send(session, cx, &Payloads::from([Payload::Authentication(auth)].to_vec()))?;
                Ok(go_on(State::LastResponse(ExpectLastResponse { eaper, msk })))
            }
            (Said::More | Said::Success, _) => {
                let reason = "success is for the gateway to declare, and it ends EAP".into();
                Err(Denied::ByAnswer { ask: "Eap", reason }.into())
            }
        }
    }
}

/// Waits for the gateway's next EAP message.
pub(crate) struct ExpectEapMessage {
    eaper: Eaper,
}

impl ExpectEapMessage {
    fn message(self, _: &mut Session, cx: &mut Context<'_>, opened: Opened) -> Result<Next, Error> {
        let payloads = opened.payloads()?;
        let eap = payloads.eap().ok_or_else(|| refusal(&payloads, PayloadType::EAP))?;
        self.eaper.ask(cx, eap)
    }
}

/// EAP is over, and the gateway has our AUTH: waits for the gateway's, keyed by EAP too.
pub(crate) struct ExpectLastResponse {
    eaper: Eaper,
    msk: Option<Secret>,
}

impl ExpectLastResponse {
    fn message(self, session: &mut Session, opened: Opened) -> Result<Next, Error> {
        let Self { eaper: Eaper { dial, peer_id, .. }, msk } = self;
        let payloads = opened.payloads()?;
        let auth = payloads.auth().ok_or_else(|| refusal(&payloads, PayloadType::AUTH))?;
        if !session.is_proven_by_eap(&peer_id, msk.as_ref(), auth) {
            return Err(AuthError::WrongAuth.into());
        }
        finish(dial, session, &payloads, peer_id)
    }
}

/// Both ends are authenticated: takes what the gateway grants.
fn finish(
    dial: Dial,
    session: &Session,
    payloads: &Payloads<'_>,
    peer_id: Identity,
) -> Result<Next, Error> {
    let Dial { peer, offered } = dial;
    let configuration = payloads.configuration().and_then(ConfigurationReply::from_payload);
    let child = match (&peer.child, &offered, session.child_spi) {
        (Some(config), Some(offered), Some(spi)) => {
            match first_child::confirm(payloads, config, offered, spi) {
                Ok(child) => FirstChild::Created(Box::new(child)),
                //= RFC 7296 section 2.21.2: failure to create the child does not harm the IKE SA.
                Err(error @ Error::RefusedByPeer(_)) => FirstChild::Failed(error, None),
                // A gateway that grants what was not asked for believes that a child exists.
                Err(error) => return Err(error),
            }
        }
        _ => FirstChild::None(None),
    };
    let method = peer.remote_auth;
    Ok(Next::Finish(Box::new(Finished {
        peer: AuthenticatedPeer::new(peer_id, method),
        config: peer,
        configuration,
        initial_contact: false,
        child,
        response: None,
    })))
}

/// Why a payload is not there: the gateway said so, or it just left it out.
fn refusal(payloads: &Payloads<'_>, kind: PayloadType) -> Error {
    match payloads.error_notify() {
        Some(notify) => Error::RefusedByPeer(notify.notify_type),
        None => Misbehaviour::MissingPayload(kind).into(),
    }
}
