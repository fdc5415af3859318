//! What goes on inside: each question of ikev2 is answered by the adapter that it is for, and what remains becomes
//! an event.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use adit_ikev2::{
    Acceptance, Ask, ChildId, CloseReason, Deny, Event, Identity, PeerConfig, SaId, Ticket,
    VerifiedKey,
};
use adit_platform::Instant;

use super::session::{Refusal, Session};
use super::{Eap, Gateway, GatewayEvent};
use crate::adapters::certificates::Verdict;
use crate::adapters::eap::{LocalServer, ServerStep};
use crate::adapters::radius::{EapAnswer, EapOutcome};
use crate::config::Key;
use crate::stack::KeyLogLine;

impl Gateway {
    /// Deals with all that has come up, until nothing more comes.
    pub(super) fn work(&mut self, now: Instant) {
        loop {
            if let Some((sa, event)) = self.stack.endpoint.poll_event() {
                self.handle_event(now, sa, event);
                continue;
            }
            if let Some(verdict) = self.checker.as_mut().and_then(|c| c.poll_verdict()) {
                self.handle_verdict(now, verdict);
                continue;
            }
            if let Some(Eap::Radius(servers)) = &mut self.eap
                && let Some(answer) = servers.poll_answer()
            {
                self.handle_eap_answer(now, answer);
                continue;
            }
            break;
        }
        let unix = self.stack.unix(now);
        while let Some(fetch) = self.checker.as_mut().and_then(|c| c.poll_fetch(unix)) {
            self.events.push_back(GatewayEvent::Fetch(fetch));
        }
        while let Some(fetch) = self.stapler.as_mut().and_then(|s| s.poll_fetch(unix)) {
            self.events.push_back(GatewayEvent::Fetch(fetch));
        }
        while let Some((sa, mtu)) = self.stack.tunnels.poll_mtu() {
            self.tell_mtu(sa, mtu);
        }
        for line in self.stack.take_esp_key_log() {
            self.events.push_back(GatewayEvent::KeyLog(line));
        }
    }

    fn handle_event(&mut self, now: Instant, sa: SaId, event: Event) {
        match event {
            Event::Ask(ask) => self.handle_ask(now, sa, ask),
            Event::KeysAgreed { path, .. } => {
                self.sessions.insert(sa, Session::new(path));
            }
            Event::Established(established) => {
                if established.initial_contact {
                    self.forget_others(now, sa, established.peer.identity());
                }
                if let Some(session) = self.sessions.get_mut(&sa) {
                    session.path = established.path;
                    let client = session.connect(sa, &established);
                    self.by_identity.entry(client.identity.clone()).or_default().insert(sa);
                    self.events.push_back(GatewayEvent::Connected(Box::new(client)));
                }
            }
            Event::ChildEstablished { child, replaces } => {
                self.child_established(now, sa, child, replaces);
            }
            Event::ChildClosed { child, .. } => self.stack.tunnels.remove(sa, child),
            Event::IkeRekeyed { .. } => {
                self.events.push_back(GatewayEvent::Rekeyed { sa, child: false });
            }
            Event::PathChanged(path) => {
                if let Some(session) = self.sessions.get_mut(&sa) {
                    session.path = path;
                }
                self.stack.tunnels.set_path(now, sa, path);
                self.events.push_back(GatewayEvent::PathChanged { sa, path });
            }
            Event::KeyLog(line) => {
                self.events.push_back(GatewayEvent::KeyLog(KeyLogLine::Ike(line)));
            }
            Event::Closed(reason) => self.closed(sa, reason),
            _ => {}
        }
    }

    fn handle_ask(&mut self, now: Instant, sa: SaId, ask: Ask) {
        match ask {
            Ask::Accept { ticket, .. } => {
                let accepted = self.config.limits.attempts_per_minute > 0 && self.rate.take(now);
                let answer = if accepted { Acceptance::Proceed } else { Acceptance::Ignore };
                let _ = self.stack.endpoint.answer(now, ticket, Ok(answer));
            }
            Ask::SelectPeer { peer_id, wants_eap, ticket, .. } => {
                let unix = self.stack.unix(now);
                self.peers.staple(self.stapler.as_ref().and_then(|it| it.response(unix)));
                let answer = self.select(&peer_id, wants_eap);
                if let Some(session) = self.sessions.get_mut(&sa) {
                    session.claimed = Some(peer_id);
                }
                let _ = self.stack.endpoint.answer(now, ticket, answer);
            }
            Ask::SharedSecret { peer_id, ticket, .. } => {
                let secrets = &self.config.clients.shared_secrets;
                let secret = peer_id.as_ref().and_then(|id| secrets.get(id));
                let answer = secret
                    .map(adit_platform::Secret::duplicate)
                    .ok_or_else(|| Deny::because("no shared secret for this identity"));
                let _ = self.stack.endpoint.answer(now, ticket, answer);
            }
            Ask::VerifyPeer { peer_id, chain, evidence, ticket } => {
                let unix = self.stack.unix(now);
                match &mut self.checker {
                    Some(checker) => checker.check(now, unix, ticket, peer_id, chain, &evidence),
                    None => self.deny(now, ticket, "clients with certificates are not expected"),
                }
            }
            Ask::Sign { octets, schemes, ticket, .. } => {
                match self.config.certificate.as_ref().map(|own| &own.key) {
                    Some(Key::Local(key)) => {
                        let key = key.clone();
                        self.stack.sign(now, &key, &octets, &schemes, ticket);
                    }
                    Some(Key::External { .. }) => {
                        self.events.push_back(GatewayEvent::Sign { octets, schemes, ticket });
                    }
                    None => self.deny(now, ticket, "no certificate is configured"),
                }
            }
            Ask::Eap { message, ticket, .. } => self.handle_eap(now, sa, message, ticket),
            Ask::Admit { peer, request, ticket, .. } => {
                let admission = self.admit(sa, &peer, request.as_ref());
                if self.stack.endpoint.answer(now, ticket, admission).is_err() {
                    self.give_back(sa);
                }
            }
            Ask::Install { child, ticket } => {
                let path = self.sessions.get(&sa).map(|session| session.path);
                match path {
                    Some(path) => self.stack.install(now, path, &child, ticket),
                    None => self.deny(now, ticket, "the session is gone"),
                }
            }
            // Asks of kinds to come: their tickets are dropped and fail closed.
            _ => {}
        }
    }

    /// Which way of authentication applies to a peer, by what it says of itself.
    fn select(&self, peer_id: &Identity, wants_eap: bool) -> Result<Arc<PeerConfig>, Deny> {
        if wants_eap {
            return match self.eap {
                Some(_) => Ok(self.peers.eap.clone()),
                None => Err(Deny::because("EAP is not configured")),
            };
        }
        if self.config.clients.shared_secrets.contains_key(peer_id) {
            return Ok(self.peers.shared_secret.clone());
        }
        match self.checker {
            Some(_) => Ok(self.peers.certificate.clone()),
            None => Err(Deny::because("no shared secret for this identity, and no certificates")),
        }
    }

    fn handle_eap(
        &mut self,
        now: Instant,
        sa: SaId,
        message: Option<Vec<u8>>,
        ticket: Ticket<adit_ikev2::EapReply>,
    ) {
        let Some(session) = self.sessions.get_mut(&sa) else { return };
        let rng = self.stack.endpoint.rng();
        let step = match &mut self.eap {
            None => return self.deny(now, ticket, "EAP is not configured"),
            Some(Eap::Radius(servers)) => {
                return servers.handle_eap(now, session.path, ticket, message.as_deref(), rng);
            }
            Some(Eap::Local(users)) => {
                let name = self.config.id.to_string();
                let server = match session.eap.take() {
                    Some(server) => Ok(server),
                    None => LocalServer::new(&name, None),
                };
                server.and_then(|mut server| {
                    let step = server.handle(message.as_deref(), users, rng);
                    session.eap = Some(server);
                    step
                })
            }
        };
        let answer = match step {
            Ok(ServerStep::Continue(packet)) => {
                EapAnswer { ticket, reply: adit_ikev2::EapReply::Continue(packet), outcome: None }
            }
            Ok(ServerStep::Success { reply, user }) => {
                let outcome = Some(EapOutcome::Proven { user, authorization: None });
                EapAnswer { ticket, reply, outcome }
            }
            Ok(ServerStep::Failure { reply, reason }) => {
                EapAnswer { ticket, reply, outcome: Some(EapOutcome::Refused(reason.to_string())) }
            }
            Err(error) => {
                session.failure = Some(error.to_string());
                let deny = Deny::because(error.to_string());
                let _ =
                    self.stack.endpoint.answer(now, ticket, Err::<adit_ikev2::EapReply, _>(deny));
                return;
            }
        };
        self.handle_eap_answer(now, answer);
    }

    fn handle_eap_answer(&mut self, now: Instant, answer: EapAnswer) {
        let EapAnswer { ticket, reply, outcome } = answer;
        if let Some(session) = self.sessions.get_mut(&ticket.sa()) {
            match outcome {
                None => {}
                Some(EapOutcome::Proven { user, authorization }) => {
                    session.user = Some(user);
                    session.authorization = authorization;
                }
                Some(EapOutcome::Refused(reason)) => session.failure = Some(reason),
            }
        }
        // A stale ticket means that the SA is gone: nobody waits for the answer.
        let _ = self.stack.endpoint.answer(now, ticket, Ok(reply));
    }

    fn handle_verdict(&mut self, now: Instant, verdict: Verdict) {
        let sa = verdict.ticket.sa();
        let answer = match verdict.result {
            Ok(path) => {
                for warning in path.warnings() {
                    let warning = warning.clone();
                    self.events.push_back(GatewayEvent::CertificateWarning { sa, warning });
                }
                Ok(VerifiedKey { spki: path.subject_public_key_info().to_vec() })
            }
            Err(error) => {
                if let Some(session) = self.sessions.get_mut(&sa) {
                    session.failure = Some(error.to_string());
                }
                Err(Deny::because(error.to_string()))
            }
        };
        let _ = self.stack.endpoint.answer(now, verdict.ticket, answer);
    }

    fn child_established(
        &mut self,
        now: Instant,
        sa: SaId,
        child: ChildId,
        replaces: Option<ChildId>,
    ) {
        self.stack.established(now, sa, child);
        if replaces.is_some() {
            self.events.push_back(GatewayEvent::Rekeyed { sa, child: true });
        }
    }

    /// Only to hosts that know of the client.
    fn tell_mtu(&mut self, sa: SaId, mtu: usize) {
        if self.sessions.get(&sa).is_some_and(|session| session.client.is_some()) {
            self.events.push_back(GatewayEvent::PathMtu { sa, mtu });
        }
    }

    /// A client says that it has no other connection: older ones are remains (RFC 7296 section 2.4).
    fn forget_others(&mut self, now: Instant, sa: SaId, identity: &Identity) {
        let others = self.by_identity.get(identity).into_iter().flatten();
        let others: Vec<SaId> = others.copied().filter(|other| *other != sa).collect();
        for other in others {
            let _ = self.stack.endpoint.abandon(now, other);
        }
    }

    fn closed(&mut self, sa: SaId, reason: CloseReason) {
        let stats = Box::new(self.stack.tunnels.remove_all(sa));
        if let Some(Eap::Radius(servers)) = &mut self.eap {
            servers.forget(sa);
        }
        self.give_back(sa);
        let Some(session) = self.sessions.remove(&sa) else { return };
        self.events.push_back(match session.client {
            Some(client) => {
                if let Some(same) = self.by_identity.get_mut(&client.identity) {
                    same.remove(&sa);
                    if same.is_empty() {
                        self.by_identity.remove(&client.identity);
                    }
                }
                GatewayEvent::Disconnected { sa, client, reason, stats }
            }
            None => {
                let (path, claimed) = (session.path, session.claimed);
                let why = session.failure.unwrap_or_else(|| reason.to_string());
                GatewayEvent::Refused(Box::new(Refusal { path, claimed, reason: why }))
            }
        });
    }

    fn deny<A: adit_ikev2::Answer>(&mut self, now: Instant, ticket: Ticket<A>, why: &'static str) {
        let _ = self.stack.endpoint.answer(now, ticket, Err::<A, _>(Deny::because(why)));
    }
}
