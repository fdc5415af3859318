//! IKE_AUTH as its responder: RFC 7296 sections 1.2, 2.15, 2.16 and 2.19.
//!
//! Every state waits for one thing: a message of the peer, or an answer of the embedder.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use adit_platform::Secret;

use super::{Context, Finished, FirstChild, Next, Session, first_child, init, proof};
use crate::ask::{Admission, AnyAnswer, Ask, ChildRefusal, EapReply};
use crate::channel::Opened;
use crate::config::{ChildConfig, LocalAuth, PeerConfig, RemoteAuth};
use crate::error::{AuthError, Denied, Error, Incompatible, Misbehaviour, Resource, Stray};
use crate::event::AuthenticatedPeer;
use crate::identity::Identity;
use crate::negotiate::{AggfragPolicy, ConfigurationRequest};
use crate::wire::{
    Authentication, Eap, NotifyType, Payload, PayloadType, Payloads, TrafficSelector,
};

/// Where it stands.
pub(crate) enum State {
    Request(ExpectRequest),
    Selection(ExpectSelection),
    PeerProof(ExpectPeerProof),
    OurProof(ExpectOurProof),
    EapReply(ExpectEapReply),
    EapMessage(ExpectEapMessage),
    LastRequest(ExpectLastRequest),
    Admission(ExpectAdmission),
}

impl State {
    pub(super) fn message(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        opened: Opened,
    ) -> Result<Next, Error> {
        match self {
            Self::Request(state) => state.message(cx, opened),
            Self::EapMessage(state) => state.message(cx, opened),
            Self::LastRequest(state) => state.message(session, cx, opened),
            // The window is one: no request gets here while another is being worked on.
            _ => Err(Misbehaviour::UnexpectedExchange(opened.exchange).into()),
        }
    }

    pub(super) fn answer(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        answer: AnyAnswer,
    ) -> Result<Next, Error> {
        match (self, answer) {
            (Self::Selection(state), AnyAnswer::SelectPeer(peer)) => {
                state.answer(session, cx, peer)
            }
            (Self::PeerProof(state), answer) => state.answer(session, cx, answer),
            (Self::OurProof(state), answer) => state.answer(session, cx, answer),
            (Self::EapReply(state), AnyAnswer::Eap(reply)) => state.answer(session, cx, reply),
            (Self::Admission(state), AnyAnswer::Admit(admission)) => {
                state.answer(session, cx, *admission)
            }
            _ => Err(Stray::UnexpectedResponse.into()),
        }
    }
}

fn go_on(state: State) -> Next {
    Next::Continue(super::State::Serve(Box::new(state)))
}

/// After IKE_SA_INIT: waits for the first IKE_AUTH request.
pub(super) fn start() -> State {
    State::Request(ExpectRequest)
}

/// Waits for who the peer says it is.
pub(crate) struct ExpectRequest;

impl ExpectRequest {
    fn message(self, cx: &mut Context<'_>, opened: Opened) -> Result<Next, Error> {
        let payloads = opened.payloads()?;
        let id = payloads.id_initiator().ok_or(Misbehaviour::MissingPayload(PayloadType::IDI))?;
        let peer_id = Identity::from(id);
        let wanted_id = payloads.id_responder().map(Identity::from);
        let wants_eap = payloads.auth().is_none();
        drop(payloads);
        let (path, id) = (*cx.path, peer_id.clone());
        cx.raise(|ticket| Ask::SelectPeer { peer_id: id, wanted_id, path, wants_eap, ticket });
        Ok(go_on(State::Selection(ExpectSelection { request: opened, peer_id })))
    }
}

/// Waits for the configuration that applies to the peer.
pub(crate) struct ExpectSelection {
    request: Opened,
    peer_id: Identity,
}

impl ExpectSelection {
    fn answer(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        peer: Arc<PeerConfig>,
    ) -> Result<Next, Error> {
        let Self { request, peer_id } = self;
        if let Err(reason) = peer.check() {
            return Err(Denied::ByAnswer { ask: "SelectPeer", reason: reason.into() }.into());
        }
        let serve = Serve { request, peer_id, peer };
        if serve.peer.remote_id.as_ref().is_some_and(|wanted| *wanted != serve.peer_id) {
            return Err(AuthError::WrongIdentity.into());
        }
        if matches!(serve.peer.local_auth, LocalAuth::Eap) {
            let reason = "a responder cannot prove itself by EAP".into();
            return Err(Denied::ByAnswer { ask: "SelectPeer", reason }.into());
        }
        let payloads = serve.request.payloads()?;
        session.peer_wants_ocsp = proof::wants_ocsp(&payloads);
        match (serve.peer.remote_auth, payloads.auth()) {
            (RemoteAuth::Eap, None) => {
                drop(payloads);
                serve.prove_ourselves(session, cx, None)
            }
            (RemoteAuth::SharedSecret, Some(auth)) => {
                proof::check_method(auth, serve.peer.remote_auth)?;
                drop(payloads);
                serve.ask_secret(cx);
                Ok(go_on(State::PeerProof(ExpectPeerProof { serve })))
            }
            (RemoteAuth::Certificate, Some(auth)) => {
                proof::check_method(auth, serve.peer.remote_auth)?;
                proof::ask_to_verify(cx, &payloads, &serve.peer_id)?;
                drop(payloads);
                Ok(go_on(State::PeerProof(ExpectPeerProof { serve })))
            }
            (RemoteAuth::Eap, Some(_)) | (_, None) => Err(Incompatible::AuthMethod.into()),
        }
    }
}

/// What all states have in common once it is known who the peer claims to be.
struct Serve {
    /// The first IKE_AUTH request, whose child and configuration are dealt with at the end.
    request: Opened,
    peer_id: Identity,
    peer: Arc<PeerConfig>,
}

impl Serve {
    fn ask_secret(&self, cx: &mut Context<'_>) {
        let (local_id, peer_id) = (self.peer.local_id.clone(), Some(self.peer_id.clone()));
        cx.raise(|ticket| Ask::SharedSecret { local_id, peer_id, ticket });
    }

    /// Makes our AUTH; `secret` is the one that the peer has proven itself with.
    fn prove_ourselves(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        secret: Option<Secret>,
    ) -> Result<Next, Error> {
        match (&self.peer.local_auth, secret) {
            (LocalAuth::SharedSecret, Some(secret)) => {
                let auth = session.prove_by_secret(&self.peer.local_id, &secret);
                return self.proven_both(session, cx, auth);
            }
            (LocalAuth::SharedSecret, None) => self.ask_secret(cx),
            (LocalAuth::Certificate { schemes, .. }, _) => {
                proof::ask_to_sign(session, cx, &self.peer.local_id, schemes)?;
            }
            (LocalAuth::Eap, _) => return Err(Incompatible::AuthMethod.into()),
        }
        Ok(go_on(State::OurProof(ExpectOurProof { serve: self })))
    }

    /// Our AUTH is there, and so is the peer's, unless that is for EAP to give.
    fn proven_both(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        auth: Authentication<'static>,
    ) -> Result<Next, Error> {
        let mut response = Payloads::default();
        response.push(Payload::IdResponder(self.peer.local_id.to_payload()).into_owned());
        proof::push_certificates(&mut response, session, &self.peer);
        response.push(Payload::Authentication(auth));
        if self.peer.remote_auth == RemoteAuth::Eap {
            let eaper = Eaper { serve: self, rounds: 0 };
            return Ok(eaper.ask(cx, None, response));
        }
        self.admit(session, cx, response)
    }

    /// The peer is authenticated. Asks what it may have.
    fn admit(
        self,
        _: &mut Session,
        cx: &mut Context<'_>,
        response: Payloads<'static>,
    ) -> Result<Next, Error> {
        let payloads = self.request.payloads()?;
        let ranges = |selectors: Option<&crate::wire::TrafficSelectors>| {
            selectors.map(|it| it.ranges().collect::<Vec<TrafficSelector>>()).unwrap_or_default()
        };
        let (local, remote) = (ranges(payloads.ts_responder()), ranges(payloads.ts_initiator()));
        let request = payloads.configuration().and_then(ConfigurationRequest::from_payload);
        drop(payloads);
        let peer = AuthenticatedPeer::new(self.peer_id.clone(), self.peer.remote_auth);
        let who = peer.clone();
        cx.raise(|ticket| Ask::Admit { peer: who, request, local, remote, ticket });
        Ok(go_on(State::Admission(ExpectAdmission { serve: self, peer, response })))
    }
}

/// Waits for the embedder's secret, or its judgement of the peer's certificates.
pub(crate) struct ExpectPeerProof {
    serve: Serve,
}

impl ExpectPeerProof {
    fn answer(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        answer: AnyAnswer,
    ) -> Result<Next, Error> {
        let serve = self.serve;
        let payloads = serve.request.payloads()?;
        let auth = payloads.auth().ok_or(Misbehaviour::MissingPayload(PayloadType::AUTH))?;
        let secret = match answer {
            AnyAnswer::SharedSecret(secret) => {
                if !session.is_proven_by_secret(&serve.peer_id, &secret, auth) {
                    return Err(AuthError::WrongAuth.into());
                }
                Some(secret)
            }
            AnyAnswer::VerifyPeer(key) => {
                proof::verify(session, cx, &serve.peer, &serve.peer_id, auth, &key)?;
                None
            }
            _ => return Err(Stray::UnexpectedResponse.into()),
        };
        drop(payloads);
        serve.prove_ourselves(session, cx, secret)
    }
}

/// Waits for the embedder's secret or signature for us.
pub(crate) struct ExpectOurProof {
    serve: Serve,
}

impl ExpectOurProof {
    fn answer(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        answer: AnyAnswer,
    ) -> Result<Next, Error> {
        let serve = self.serve;
        let auth = match (&serve.peer.local_auth, answer) {
            (LocalAuth::SharedSecret, AnyAnswer::SharedSecret(secret)) => {
                session.prove_by_secret(&serve.peer.local_id, &secret)
            }
            (LocalAuth::Certificate { schemes, .. }, AnyAnswer::Sign(signature)) => {
                proof::signed(session, schemes, &signature)?
            }
            _ => return Err(Stray::UnexpectedResponse.into()),
        };
        serve.proven_both(session, cx, auth)
    }
}

/// The authenticator's side of EAP: RFC 7296 section 2.16.
struct Eaper {
    serve: Serve,
    rounds: u16,
}

impl Eaper {
    /// Hands a message of the peer to the embedder; `response` collects what the peer is sent next.
    fn ask(
        self,
        cx: &mut Context<'_>,
        message: Option<Vec<u8>>,
        response: Payloads<'static>,
    ) -> Next {
        let peer_id = self.serve.peer_id.clone();
        cx.raise(|ticket| Ask::Eap { peer_id, message, ticket });
        go_on(State::EapReply(ExpectEapReply { eaper: self, response }))
    }
}

/// Waits for what the embedder's authenticator says.
pub(crate) struct ExpectEapReply {
    eaper: Eaper,
    response: Payloads<'static>,
}

impl ExpectEapReply {
    fn answer(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        reply: EapReply,
    ) -> Result<Next, Error> {
        let Self { eaper, mut response } = self;
        let mut respond = |message: Vec<u8>, cx: &mut Context<'_>| {
            response.push(Payload::Eap(Eap(message.into())));
            let sent = session.channel.respond(&mut *cx.shared.rng, &response)?;
            cx.shared.send(*cx.path, &sent);
            Ok::<_, Error>(())
        };
        match reply {
            EapReply::Continue(message) => {
                respond(message, cx)?;
                Ok(go_on(State::EapMessage(ExpectEapMessage { eaper })))
            }
            EapReply::Success { message, msk } => {
                respond(message, cx)?;
                Ok(go_on(State::LastRequest(ExpectLastRequest { serve: eaper.serve, msk })))
            }
            EapReply::Failure(message) => {
                respond(message, cx)?;
                Err(AuthError::EapFailure.into())
            }
        }
    }
}

/// Waits for the peer's next EAP message.
pub(crate) struct ExpectEapMessage {
    eaper: Eaper,
}

impl ExpectEapMessage {
    fn message(mut self, cx: &mut Context<'_>, opened: Opened) -> Result<Next, Error> {
        let payloads = opened.payloads()?;
        let eap = payloads.eap().ok_or(Misbehaviour::MissingPayload(PayloadType::EAP))?;
        self.eaper.rounds += 1;
        if self.eaper.rounds > cx.shared.config.max_eap_rounds {
            return Err(Misbehaviour::TooManyEapRounds.into());
        }
        let message = Some(eap.0.to_vec());
        Ok(self.eaper.ask(cx, message, Payloads::default()))
    }
}

/// EAP went well: waits for the peer's AUTH, keyed by it.
pub(crate) struct ExpectLastRequest {
    serve: Serve,
    msk: Option<Secret>,
}

impl ExpectLastRequest {
    fn message(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        opened: Opened,
    ) -> Result<Next, Error> {
        let Self { serve, msk } = self;
        let payloads = opened.payloads()?;
        let auth = payloads.auth().ok_or(Misbehaviour::MissingPayload(PayloadType::AUTH))?;
        if !session.is_proven_by_eap(&serve.peer_id, msk.as_ref(), auth) {
            return Err(AuthError::WrongAuth.into());
        }
        let ours = session.prove_by_eap(&serve.peer.local_id, msk.as_ref());
        let mut response = Payloads::default();
        response.push(Payload::Authentication(ours));
        serve.admit(session, cx, response)
    }
}

/// Waits for what the peer may have.
pub(crate) struct ExpectAdmission {
    serve: Serve,
    peer: AuthenticatedPeer,
    response: Payloads<'static>,
}

impl ExpectAdmission {
    fn answer(
        self,
        session: &mut Session,
        cx: &mut Context<'_>,
        admission: Admission,
    ) -> Result<Next, Error> {
        let Self { serve, peer, mut response } = self;
        let payloads = serve.request.payloads()?;
        if let Some(configuration) = &admission.configuration {
            if !configuration.is_valid() {
                let reason = "the configuration holds impossible values".into();
                return Err(Denied::ByAnswer { ask: "Admit", reason }.into());
            }
            //= RFC 7296 section 2.19: a responder MUST NOT send a CFG_REPLY without having first received
            //= a CP(CFG_REQUEST).
            if payloads.configuration().is_some() {
                response.push(Payload::Configuration(configuration.to_payload()));
            }
        }
        if let Ok(Err(reason)) = admission.child.as_ref().map(AggfragPolicy::check) {
            return Err(Denied::ByAnswer { ask: "Admit", reason: reason.into() }.into());
        }
        let wants_child = payloads.sa().is_some();
        let child = match admission.child {
            Ok(policy) if wants_child => {
                let kept = policy.clone();
                match first_child::accept(&payloads, policy, session, cx) {
                    Ok(child) => {
                        first_child::push_answer(&mut response, &child);
                        FirstChild::Created(Box::new(child))
                    }
                    // The message itself is broken, or we are.
                    Err(
                        error @ (Error::Misbehaved(_)
                        | Error::Malformed(_)
                        | Error::Resources(Resource::Random)),
                    ) => return Err(error),
                    Err(error) => refuse_child(&mut response, error, Some(kept)),
                }
            }
            Ok(policy) => FirstChild::None(Some(Box::new(policy))),
            Err(refusal) if wants_child => {
                let notify = refusal.notify();
                init::push_status(&mut response, notify, Vec::new());
                FirstChild::Failed(Denied::Child(refusal).into(), None)
            }
            Err(_) => FirstChild::None(None),
        };
        let initial_contact = payloads.notify(NotifyType::INITIAL_CONTACT).is_some();
        drop(payloads);
        Ok(Next::Finish(Box::new(Finished {
            peer,
            config: serve.peer,
            configuration: None,
            initial_contact,
            child,
            response: Some(response),
        })))
    }
}

/// Tells the peer that it gets no child, and why: RFC 7296 section 2.21.2.
fn refuse_child(
    response: &mut Payloads<'static>,
    error: Error,
    policy: Option<ChildConfig>,
) -> FirstChild {
    let notify = error.notify().unwrap_or(NotifyType::NO_PROPOSAL_CHOSEN);
    init::push_status(response, notify, Vec::new());
    FirstChild::Failed(error, policy.map(Box::new))
}

impl ChildRefusal {
    fn notify(self) -> NotifyType {
        match self {
            Self::InternalAddressFailure => NotifyType::INTERNAL_ADDRESS_FAILURE,
            Self::FailedCpRequired => NotifyType::FAILED_CP_REQUIRED,
            Self::TsUnacceptable => NotifyType::TS_UNACCEPTABLE,
            Self::NoAdditionalSas => NotifyType::NO_ADDITIONAL_SAS,
        }
    }
}
