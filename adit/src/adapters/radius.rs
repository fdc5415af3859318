//! EAP passed through to RADIUS servers: answers [`Ask::Eap`](adit_ikev2::Ask::Eap) when they have.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use adit_ikev2::{EapReply, Path, SaId, Ticket};
use adit_platform::{Instant, Rng};
use adit_radius::{
    AccessRequest, AttributeList, AttributeType, Authorization, Client, ClientConfig, EapSession,
    EapStep, Error, Event, RequestId, Transmit,
};

/// Carries the EAP of all IKE SAs of one endpoint to RADIUS servers.
///
/// [`handle_eap`](Self::handle_eap) what peers send and feed the RADIUS sockets; drain
/// [`poll_transmit`](Self::poll_transmit) and [`poll_answer`](Self::poll_answer) after either.
pub struct RadiusServers {
    client: Client,
    source_ports: u16,
    nas_identifier: Vec<u8>,
    sessions: BTreeMap<SaId, Session>,
    requests: BTreeMap<RequestId, SaId>,
    answers: VecDeque<EapAnswer>,
}

/// The answer to one [`Ask::Eap`](adit_ikev2::Ask::Eap).
#[derive(Debug)]
pub struct EapAnswer {
    /// The question.
    pub ticket: Ticket<EapReply>,
    /// What to say to the peer.
    pub reply: EapReply,
    /// Whether the peer is proven, once that is known.
    pub outcome: Option<EapOutcome>,
}

/// How an authentication by EAP ended.
#[derive(Debug)]
pub enum EapOutcome {
    /// The user is proven.
    Proven {
        /// The user name.
        user: Vec<u8>,
        /// What the RADIUS server granted, if it was one.
        authorization: Option<alloc::boxed::Box<Authorization>>,
    },
    /// The user is not, for this reason.
    Refused(String),
}

struct Session {
    eap: EapSession,
    waiting: Option<(RequestId, Ticket<EapReply>)>,
}

impl RadiusServers {
    /// Servers that know this gateway as `nas_identifier`.
    ///
    /// # Errors
    /// If the configuration has no server or an empty secret.
    pub fn new(config: ClientConfig, nas_identifier: &[u8]) -> Result<Self, Error> {
        let source_ports = config.source_ports;
        Ok(Self {
            client: Client::new(config)?,
            source_ports,
            nas_identifier: nas_identifier.to_vec(),
            sessions: BTreeMap::new(),
            requests: BTreeMap::new(),
            answers: VecDeque::new(),
        })
    }

    /// How many sockets the host has to open for RADIUS.
    pub fn source_ports(&self) -> u16 {
        self.source_ports
    }

    /// Takes an EAP packet of the peer of `sa`; `None` starts by asking it for its identity.
    pub fn handle_eap(
        &mut self,
        now: Instant,
        path: Path,
        ticket: Ticket<EapReply>,
        message: Option<&[u8]>,
        rng: &mut dyn Rng,
    ) {
        let sa = ticket.sa();
        let result = match message {
            None => self.start(sa, path),
            Some(packet) => match self.request(sa, packet) {
                Ok(request) => match self.client.send(now, request, rng) {
                    Ok(id) => {
                        self.requests.insert(id, sa);
                        if let Some(session) = self.sessions.get_mut(&sa) {
                            session.waiting = Some((id, ticket));
                        }
                        return;
                    }
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            },
        };
        let answer = match result {
            Ok(packet) => EapAnswer { ticket, reply: EapReply::Continue(packet), outcome: None },
            Err(error) => self.refuse(ticket, &error),
        };
        self.answers.push_back(answer);
    }

    /// Forgets what belonged to an IKE SA that is gone.
    pub fn forget(&mut self, sa: SaId) {
        if let Some(Session { waiting: Some((request, _)), .. }) = self.sessions.remove(&sa) {
            self.client.cancel(request);
            self.requests.remove(&request);
        }
    }

    /// Takes a datagram that a server sent to the host's RADIUS socket `source_port`.
    ///
    /// # Errors
    /// Why it was discarded.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        source_port: u16,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), Error> {
        self.client.handle_datagram(now, source_port, from, datagram)?;
        self.work();
        Ok(())
    }

    /// Repeats requests, turns to other servers, gives up.
    pub fn handle_timeout(&mut self, now: Instant, rng: &mut dyn Rng) {
        self.client.handle_timeout(now, rng);
        self.work();
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.client.poll_timeout()
    }

    /// The next datagram for a server.
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        self.client.poll_transmit(buf)
    }

    /// The next answer for ikev2.
    pub fn poll_answer(&mut self) -> Option<EapAnswer> {
        self.answers.pop_front()
    }

    fn start(&mut self, sa: SaId, path: Path) -> Result<Vec<u8>, Error> {
        let mut attributes = AttributeList::new();
        attributes.push(AttributeType::NAS_IDENTIFIER, &self.nas_identifier)?;
        match path.local.ip() {
            IpAddr::V4(v4) => attributes.push(AttributeType::NAS_IP_ADDRESS, &v4.octets())?,
            IpAddr::V6(v6) => attributes.push(AttributeType::NAS_IPV6_ADDRESS, &v6.octets())?,
        };
        // NAS-Port-Type 5 is Virtual: RFC 2865 section 5.41.
        attributes.push(AttributeType::NAS_PORT_TYPE, &5u32.to_be_bytes())?;
        let calling = path.remote.ip().to_string();
        attributes.push(AttributeType::CALLING_STATION_ID, calling.as_bytes())?;
        let mut eap = EapSession::new(attributes);
        let packet = eap.start();
        self.sessions.insert(sa, Session { eap, waiting: None });
        Ok(packet)
    }

    fn request(&mut self, sa: SaId, packet: &[u8]) -> Result<AccessRequest, Error> {
        let none = Error::Misuse(adit_radius::error::Misuse::OutOfOrder);
        self.sessions.get_mut(&sa).ok_or(none)?.eap.handle_eap(packet)
    }

    fn refuse(&mut self, ticket: Ticket<EapReply>, error: &Error) -> EapAnswer {
        let session = self.sessions.remove(&ticket.sa());
        let packet = session.map_or(Vec::from([4, 0, 0, 4]), |mut session| session.eap.abandon());
        let outcome = Some(EapOutcome::Refused(error.to_string()));
        EapAnswer { ticket, reply: EapReply::Failure(packet), outcome }
    }

    fn work(&mut self) {
        while let Some(event) = self.client.poll_event() {
            let (request, result) = match event {
                Event::Reply { request, reply } => (request, Ok(reply)),
                Event::Failed { request, reason } => (request, Err(reason)),
                // That a server is up or down shows in the requests.
                _ => continue,
            };
            let Some(sa) = self.requests.remove(&request) else { continue };
            let Some(session) = self.sessions.get_mut(&sa) else { continue };
            let Some((_, ticket)) = session.waiting.take_if(|(id, _)| *id == request) else {
                continue;
            };
            let step = result.and_then(|reply| session.eap.handle_reply(reply));
            let answer = match step {
                Ok(EapStep::Challenge(packet)) => {
                    EapAnswer { ticket, reply: EapReply::Continue(packet), outcome: None }
                }
                Ok(EapStep::Accept { eap, msk, authorization }) => {
                    let user = match &authorization.user_name {
                        Some(name) => name.clone(),
                        None => session.eap.user_name().to_vec(),
                    };
                    self.sessions.remove(&sa);
                    let authorization = Some(authorization);
                    let outcome = Some(EapOutcome::Proven { user, authorization });
                    let reply = EapReply::Success { message: eap, msk: Some(msk) };
                    EapAnswer { ticket, reply, outcome }
                }
                Ok(EapStep::Reject { eap, reason }) => {
                    self.sessions.remove(&sa);
                    let outcome = Some(EapOutcome::Refused(reason.to_string()));
                    EapAnswer { ticket, reply: EapReply::Failure(eap), outcome }
                }
                Err(error) => self.refuse(ticket, &error),
            };
            self.answers.push_back(answer);
        }
    }
}
