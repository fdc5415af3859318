//! What goes on inside: each question of ikev2 is answered by the adapter that it is for, and what remains becomes
//! an event.

use alloc::boxed::Box;
use alloc::string::ToString;

use adit_eap::error::Rejected;
use adit_ikev2::{
    Ask, AuthError, ChildId, CloseReason, Deny, EapReply, Event, SaId, Ticket, VerifiedKey,
};
use adit_platform::Instant;
use ipnet::IpNet;

use super::{Client, ClientEvent, Connection, Disconnect, Failure, PasswordTicket};
use crate::adapters::certificates::Verdict;
use crate::adapters::eap::ClientStep;
use crate::config::{ClientProof, GatewayProof, Key};
use crate::stack::KeyLogLine;

impl Client {
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
            break;
        }
        let unix = self.stack.unix(now);
        while let Some(fetch) = self.checker.as_mut().and_then(|c| c.poll_fetch(unix)) {
            self.events.push_back(ClientEvent::Fetch(fetch));
        }
        while let Some(fetch) = self.stapler.as_mut().and_then(|s| s.poll_fetch(unix)) {
            self.events.push_back(ClientEvent::Fetch(fetch));
        }
        while let Some((sa, mtu)) = self.stack.tunnels.poll_mtu() {
            self.tell_mtu(sa, mtu);
        }
        for line in self.stack.take_esp_key_log() {
            self.events.push_back(ClientEvent::KeyLog(line));
        }
    }

    fn handle_event(&mut self, now: Instant, sa: SaId, event: Event) {
        let Some(connection) = self.connection.as_mut().filter(|c| c.sa == sa) else { return };
        match event {
            Event::Ask(ask) => self.handle_ask(now, ask),
            Event::KeysAgreed { path, nat } => {
                connection.path = path;
                self.events.push_back(ClientEvent::KeysAgreed { path, nat });
            }
            Event::Established(established) => {
                connection.path = established.path;
                connection.established = Some(*established);
            }
            Event::ChildEstablished { child, replaces } => {
                self.child_established(now, sa, child, replaces)
            }
            // Without a tunnel the connection is of no use.
            Event::ChildFailed(error) if connection.told.is_none() => {
                connection.failure = Some(Failure::Ike(error));
                let _ = self.stack.endpoint.delete(now, sa);
            }
            Event::ChildClosed { child, .. } => self.stack.tunnels.remove(sa, child),
            Event::IkeRekeyed { .. } => {
                self.events.push_back(ClientEvent::Rekeyed { child: false });
            }
            Event::PathChanged(path) => {
                connection.path = path;
                self.stack.tunnels.set_path(now, sa, path);
                self.events.push_back(ClientEvent::PathChanged(path));
            }
            Event::KeyLog(line) => {
                self.events.push_back(ClientEvent::KeyLog(KeyLogLine::Ike(line)));
            }
            Event::Closed(reason) => self.closed(sa, reason),
            _ => {}
        }
    }

    fn handle_ask(&mut self, now: Instant, ask: Ask) {
        match ask {
            Ask::SharedSecret { ticket, .. } => {
                let secret = match (&self.config.proof, &self.config.gateway_proof) {
                    (ClientProof::SharedSecret(secret), _) if self.checker.is_some() => secret,
                    (_, GatewayProof::SharedSecret(secret)) => secret,
                    (ClientProof::SharedSecret(secret), _) => secret,
                    _ => return self.deny(now, ticket, "no shared secret is configured"),
                };
                let _ = self.stack.endpoint.answer(now, ticket, Ok(secret.duplicate()));
            }
            Ask::VerifyPeer { peer_id, chain, evidence, ticket } => {
                let unix = self.stack.unix(now);
                match &mut self.checker {
                    Some(checker) => checker.check(now, unix, ticket, peer_id, chain, &evidence),
                    None => self.deny(now, ticket, "no certificates are expected"),
                }
            }
            Ask::Sign { octets, schemes, ticket, .. } => match &self.config.proof {
                ClientProof::Certificate(own) => match &own.key {
                    Key::Local(key) => {
                        let key = key.clone();
                        self.stack.sign(now, &key, &octets, &schemes, ticket);
                    }
                    Key::External { .. } => {
                        self.events.push_back(ClientEvent::Sign { octets, schemes, ticket });
                    }
                },
                _ => self.deny(now, ticket, "no certificate is configured"),
            },
            Ask::Eap { message, ticket, .. } => {
                let connection = self.connection.as_mut();
                let eap = connection.and_then(|connection| connection.eap.as_mut());
                let packet = message.unwrap_or_default();
                let step = eap.map(|eap| eap.handle(&packet, self.stack.endpoint.rng()));
                self.apply_eap(now, ticket, step);
            }
            Ask::Install { child, ticket } => {
                let Some(connection) = &self.connection else { return };
                self.stack.install(now, connection.path, &child, ticket);
            }
            // Asks of responders: their tickets are dropped and fail closed.
            _ => {}
        }
    }

    pub(super) fn apply_eap(
        &mut self,
        now: Instant,
        ticket: Ticket<EapReply>,
        step: Option<Result<ClientStep, adit_eap::Error>>,
    ) {
        let failure = match step {
            Some(Ok(ClientStep::Reply(reply))) => {
                let _ = self.stack.endpoint.answer(now, ticket, Ok(reply));
                return;
            }
            Some(Ok(ClientStep::AskPassword { user, rejected })) => {
                let rejected = rejected.map(|reason| reason.to_string());
                let ticket = PasswordTicket(ticket);
                self.events.push_back(ClientEvent::AskPassword { user, rejected, ticket });
                return;
            }
            Some(Ok(ClientStep::Failure(reason))) | Some(Err(reason)) => reason,
            None => return self.deny(now, ticket, "EAP is not configured"),
        };
        let text = failure.to_string();
        if let Some(connection) = &mut self.connection {
            connection.failure.get_or_insert(Failure::Password(failure));
        }
        let _ = self.stack.endpoint.answer(now, ticket, Err::<EapReply, _>(Deny::because(text)));
    }

    fn handle_verdict(&mut self, now: Instant, verdict: Verdict) {
        let answer = match verdict.result {
            Ok(path) => {
                let certificate = Box::new(path.info());
                let warnings = path.warnings().to_vec();
                self.events.push_back(ClientEvent::GatewayVerified { certificate, warnings });
                Ok(VerifiedKey { spki: path.subject_public_key_info().to_vec() })
            }
            Err(error) => {
                let deny = Deny::because(error.to_string());
                if let Some(connection) = &mut self.connection {
                    connection.failure = Some(Failure::Certificate(error));
                }
                Err(deny)
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
            self.events.push_back(ClientEvent::Rekeyed { child: true });
        }
        let Some(connection) = self.connection.as_mut().filter(|c| c.told.is_none()) else {
            return;
        };
        let Some(established) = &connection.established else { return };
        let mtu = self.stack.tunnels.mtu(sa).unwrap_or_default();
        connection.told = Some(mtu);
        let assigned = established.configuration.clone().unwrap_or_default();
        let v4 = assigned.ipv4.iter().filter_map(|address| {
            IpNet::new((*address).into(), assigned.ipv4_prefix.unwrap_or(32)).ok()
        });
        let v6 =
            assigned.ipv6.iter().filter_map(|(a, prefix)| IpNet::new((*a).into(), *prefix).ok());
        let addresses = v4.chain(v6).collect();
        self.events.push_back(ClientEvent::Connected(Connection {
            gateway: established.peer.identity().clone(),
            path: connection.path,
            addresses,
            dns: assigned.dns,
            routes: self.stack.tunnels.remote_subnets(sa),
            mtu,
        }));
    }

    /// Until `Connected` has told it, nobody needs to know.
    fn tell_mtu(&mut self, sa: SaId, mtu: usize) {
        let connection = self.connection.as_mut().filter(|connection| connection.sa == sa);
        if let Some(told) = connection.and_then(|connection| connection.told.as_mut())
            && core::mem::replace(told, mtu) != mtu
        {
            self.events.push_back(ClientEvent::PathMtu { mtu });
        }
    }

    fn closed(&mut self, sa: SaId, reason: CloseReason) {
        let stats = Box::new(self.stack.tunnels.remove_all(sa));
        let failure = self.connection.take().and_then(|connection| connection.failure);
        let refused = CloseReason::Failed(adit_ikev2::Error::Authentication(AuthError::EapFailure));
        let reason = match (failure, reason) {
            (Some(failure), _) => Disconnect::Failed(failure),
            (None, reason) if reason == refused => {
                let reason = Rejected::ByAuthenticator;
                Disconnect::Failed(Failure::Password(adit_eap::Error::Rejected(reason)))
            }
            (None, CloseReason::Failed(error)) => Disconnect::Failed(Failure::Ike(error)),
            (None, CloseReason::ByPeer) => Disconnect::ByGateway,
            (None, _) => Disconnect::ByUs,
        };
        self.events.push_back(ClientEvent::Disconnected { reason, stats });
    }

    fn deny<A: adit_ikev2::Answer>(&mut self, now: Instant, ticket: Ticket<A>, why: &'static str) {
        let _ = self.stack.endpoint.answer(now, ticket, Err::<A, _>(Deny::because(why)));
    }
}
