//! The client: requests out, verified replies in.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use adit_platform::{Instant, Rng};

use crate::attribute::Attributes;
use crate::config::{ClientConfig, Timers};
use crate::dictionary::Code;
use crate::error::{Error, Misbehaved, Misuse, Refused, Resources};
use crate::failover::{Server, another_is_up, choose};
use crate::packet::Packet;
use crate::reply::Reply;
use crate::request::AccessRequest;
use crate::secure::{self, MessageAuthenticator};

/// A RADIUS client of one or more servers, RFC 2865 and RFC 5080, sans-IO.
///
/// It needs `source_ports` UDP sockets of its host, which it calls 0, 1, 2 and so on. The host's loop:
///
/// 1. feed what happened: [`send`](Self::send), [`handle_datagram`](Self::handle_datagram),
///    [`handle_timeout`](Self::handle_timeout) when `now` has reached [`poll_timeout`](Self::poll_timeout);
/// 2. drain [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) until `None`;
/// 3. sleep until `poll_timeout`, a datagram, or the next request.
///
/// Every request ends in one event: a verified reply, or a failure. A server that does not answer is
/// asked again and again (RFC 5080 section 2.2.1), then the next one is asked.
///
/// ```
/// use adit_platform::{Instant, Secret};
/// use adit_radius::{AccessRequest, AttributeList, AttributeType, Client, ClientConfig, ServerConfig};
/// # use adit_platform::rng::{Rng, RngError};
/// # struct Os;
/// # impl Rng for Os {
/// #     fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> { out.fill(4); Ok(()) }
/// # }
/// # let mut rng = Os;
/// let server = ServerConfig::new("192.0.2.1:1812".parse()?, Secret::copy_from(b"xyzzy5461"));
/// let mut client = Client::new(ClientConfig::new(vec![server]))?;
///
/// let mut attributes = AttributeList::new();
/// attributes.push(AttributeType::USER_NAME, b"nemo")?;
/// let request = AccessRequest::new(attributes)?.with_password(Secret::copy_from(b"arctangent"));
/// let id = client.send(Instant::default(), request, &mut rng)?;
///
/// let mut datagram = Vec::new();
/// let transmit = client.poll_transmit(&mut datagram).unwrap();
/// assert_eq!(transmit.destination, "192.0.2.1:1812".parse()?);
/// assert!(client.poll_timeout().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Client {
    servers: Vec<Server>,
    dead_time: Duration,
    pending: BTreeMap<u64, Pending>,
    next_request: u64,
    /// When each pending request has to be looked at; one entry each.
    deadlines: BTreeSet<(Instant, u64)>,
    /// When each server with `status_interval` that is down is to be probed.
    probes: BTreeSet<(Instant, ServerId)>,
    transmits: VecDeque<Outgoing>,
    events: VecDeque<Event>,
}

/// A request that a [`Client`] works on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RequestId(u64);

/// A server of a [`Client`], by its place in [`ClientConfig::servers`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ServerId(pub usize);

/// Where a datagram goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// Which of the host's sockets sends it, 0 to `source_ports` - 1.
    pub source_port: u16,
    /// To whom.
    pub destination: SocketAddr,
}

/// What happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The reply to a request.
    Reply {
        /// Which request.
        request: RequestId,
        /// Access-Accept, Access-Reject or Access-Challenge.
        reply: Reply,
    },
    /// A request has failed.
    Failed {
        /// Which request.
        request: RequestId,
        /// [`Error::NoReply`], [`Refused::ProtocolError`] or [`Resources`].
        reason: Error,
    },
    /// A server did not answer and is asked only where nobody else can be.
    ServerDown(ServerId),
    /// A server that was down has answered.
    ServerUp(ServerId),
}

/// A request that waits for its reply.
struct Pending {
    purpose: Purpose,
    server: ServerId,
    slot: u32,
    /// The sealed packet: a retransmission is the same to the octet.
    packet: Vec<u8>,
    authenticator: [u8; 16],
    first_sent: Instant,
    transmissions: u32,
    /// RT of RFC 5080.
    wait: Duration,
    deadline: Instant,
}

enum Purpose {
    /// A host's request, and the servers that have been asked.
    Access { request: AccessRequest, tried: Vec<ServerId> },
    /// Is the server up again?
    Status,
}

/// Which pending request is to be sent (again).
struct Outgoing(u64);

impl Client {
    /// A client that has nothing to do yet.
    ///
    /// # Errors
    /// [`Misuse::NoServers`] or [`Misuse::EmptySecret`].
    pub fn new(config: ClientConfig) -> Result<Self, Error> {
        config.check()?;
        let ports = config.source_ports;
        Ok(Self {
            servers: config.servers.into_iter().map(|server| Server::new(server, ports)).collect(),
            dead_time: config.dead_time,
            pending: BTreeMap::new(),
            next_request: 0,
            deadlines: BTreeSet::new(),
            probes: BTreeSet::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        })
    }

    /// Sends a request to the server that it is bound to, or else to the first one that is up.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a request that cannot be sent; [`Resources::NoIdentifier`] if too many
    /// are outstanding; [`Resources::Rng`].
    pub fn send(
        &mut self,
        now: Instant,
        request: AccessRequest,
        rng: &mut dyn Rng,
    ) -> Result<RequestId, Error> {
        request.check()?;
        let server = request.server.or_else(|| choose(&self.servers, &[], now));
        let server = server.ok_or(Error::Misuse(Misuse::UnknownServer))?;
        let id = self.next_request;
        let purpose = Purpose::Access { request, tried: Vec::new() };
        self.submit(now, id, server, purpose, rng)?;
        self.next_request += 1;
        Ok(RequestId(id))
    }

    /// Forgets a request: there will be no event for it.
    pub fn cancel(&mut self, request: RequestId) {
        self.take(request.0);
    }

    /// Takes a datagram that `from` sent to the host's socket `source_port`.
    ///
    /// # Errors
    /// Why it was discarded. This says nothing about the request: a forged reply changes nothing, and the
    /// right one may still come.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        source_port: u16,
        from: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), Error> {
        let packet = Packet::parse(datagram)?;
        // The first of several entries with this address that waits for this Identifier.
        let mut known = self
            .servers
            .iter()
            .enumerate()
            .filter(|(_, server)| server.config.address == from)
            .map(|(index, server)| {
                (ServerId(index), server.request(source_port, packet.identifier()))
            })
            .peekable();
        known.peek().ok_or(Error::Misbehaved(Misbehaved::UnknownServer))?;
        let (server, id) = known
            .find_map(|(server, id)| Some((server, id?)))
            .ok_or(Error::Misbehaved(Misbehaved::NoSuchRequest))?;
        let reply = self.verify(server, id, datagram, &packet)?;

        let pending = self.take(id).ok_or(Error::Misbehaved(Misbehaved::NoSuchRequest))?;
        if self.servers.get_mut(server.0).is_some_and(|server| server.heard(now)) {
            self.probes.retain(|(_, probed)| *probed != server);
            self.events.push_back(Event::ServerUp(server));
        }
        if let Purpose::Access { .. } = pending.purpose {
            let request = RequestId(id);
            self.events.push_back(match reply.code() {
                Code::PROTOCOL_ERROR => {
                    let reason = Error::Refused(Refused::ProtocolError);
                    Event::Failed { request, reason }
                }
                _ => Event::Reply { request, reply },
            });
        }
        Ok(())
    }

    /// Does what is due at `now`: repeats requests, turns to other servers, gives up.
    pub fn handle_timeout(&mut self, now: Instant, rng: &mut dyn Rng) {
        while let Some((_, id)) = self.deadlines.first().copied().filter(|(at, _)| now >= *at) {
            self.expire(now, id, rng);
        }
        while let Some((at, server)) = self.probes.first().copied().filter(|(at, _)| now >= *at) {
            self.probes.remove(&(at, server));
            self.probe(now, server, rng);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called; `None` if there is nothing to wait
    /// for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let request = self.deadlines.first().map(|(at, _)| *at);
        let probe = self.probes.first().map(|(at, _)| *at);
        match (request, probe) {
            (Some(request), Some(probe)) => Some(request.min(probe)),
            (request, probe) => request.or(probe),
        }
    }

    /// The next datagram to send, written into `buf`, whose content is replaced.
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        loop {
            let Outgoing(id) = self.transmits.pop_front()?;
            // It may have been answered or cancelled meanwhile.
            let Some(pending) = self.pending.get(&id) else { continue };
            let Some(server) = self.servers.get(pending.server.0) else { continue };
            buf.clear();
            buf.extend_from_slice(&pending.packet);
            // A slot is source port * 256 + Identifier.
            let source_port = (pending.slot >> 8) as u16;
            return Some(Transmit { source_port, destination: server.config.address });
        }
    }

    /// What has happened, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Requests that wait for a reply.
    pub fn outstanding(&self) -> usize {
        self.pending.len()
    }

    fn verify(
        &self,
        server: ServerId,
        id: u64,
        datagram: &[u8],
        packet: &Packet<'_>,
    ) -> Result<Reply, Error> {
        let no_request = Error::Misbehaved(Misbehaved::NoSuchRequest);
        let pending = self.pending.get(&id).ok_or(no_request)?;
        let config = &self.servers.get(server.0).ok_or(no_request)?.config;
        let expected = match (packet.code(), &pending.purpose) {
            (
                Code::ACCESS_ACCEPT
                | Code::ACCESS_REJECT
                | Code::ACCESS_CHALLENGE
                | Code::PROTOCOL_ERROR,
                Purpose::Access { .. },
            ) => true,
            // RFC 5997 section 4.2: Access-Accept on the authentication port; FreeRADIUS may reject.
            (Code::ACCESS_ACCEPT | Code::ACCESS_REJECT, Purpose::Status) => true,
            _ => false,
        };
        if !expected {
            return Err(Error::Misbehaved(Misbehaved::UnexpectedCode(packet.code())));
        }
        let policy = match pending.purpose {
            Purpose::Access { .. } => config.message_authenticator,
            // That a server is up grants nobody anything.
            Purpose::Status => MessageAuthenticator::OnlyWithEap,
        };
        Reply::verify(datagram, packet, &pending.authenticator, &config.secret, policy, server)
    }

    /// Seals a request for `server` and puts it into the queue.
    fn submit(
        &mut self,
        now: Instant,
        id: u64,
        server_id: ServerId,
        mut purpose: Purpose,
        rng: &mut dyn Rng,
    ) -> Result<(), Error> {
        let server =
            self.servers.get_mut(server_id.0).ok_or(Error::Misuse(Misuse::UnknownServer))?;
        let mut authenticator = [0; 16];
        rng.fill(&mut authenticator)?;
        let slot = server.take_slot(id).ok_or(Error::Resources(Resources::NoIdentifier))?;
        // A slot is source port * 256 + Identifier.
        let identifier = slot as u8;
        let secret = &server.config.secret;
        let sealed = match &mut purpose {
            Purpose::Access { request, tried } => {
                tried.push(server_id);
                let (attributes, password) = (request.attributes.view(), request.password.as_ref());
                let code = Code::ACCESS_REQUEST;
                secure::seal_request(code, identifier, &authenticator, attributes, password, secret)
            }
            Purpose::Status => {
                let (code, none) = (Code::STATUS_SERVER, Attributes::EMPTY);
                secure::seal_request(code, identifier, &authenticator, none, None, secret)
            }
        };
        let packet = match sealed {
            Ok(packet) => packet,
            Err(error) => {
                server.free_slot(slot);
                return Err(error);
            }
        };
        let timers = &server.config.timers;
        // RT = IRT + RAND*IRT
        let wait = jitter(timers.initial, timers.initial, &authenticator, 0);
        let deadline = now + wait.min(timers.max_duration);
        self.pending.insert(
            id,
            Pending {
                purpose,
                server: server_id,
                slot,
                packet,
                authenticator,
                first_sent: now,
                transmissions: 1,
                wait,
                deadline,
            },
        );
        self.deadlines.insert((deadline, id));
        self.transmits.push_back(Outgoing(id));
        Ok(())
    }

    /// Forgets a pending request and frees its Identifier.
    fn take(&mut self, id: u64) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        self.deadlines.remove(&(pending.deadline, id));
        if let Some(server) = self.servers.get_mut(pending.server.0) {
            server.free_slot(pending.slot);
        }
        Some(pending)
    }

    /// The wait for a reply to `id` is over: once more, the next server, or the end.
    fn expire(&mut self, now: Instant, id: u64, rng: &mut dyn Rng) {
        let retransmit = self.pending.get(&id).is_some_and(|pending| {
            let Some(server) = self.servers.get(pending.server.0) else { return false };
            let timers = &server.config.timers;
            let spent = (timers.max_count != 0 && pending.transmissions >= timers.max_count)
                || now >= pending.first_sent + timers.max_duration;
            let turn_away = match &pending.purpose {
                Purpose::Access { request, tried } => {
                    request.server.is_none()
                        && pending.transmissions >= timers.failover_after
                        && another_is_up(&self.servers, tried, now)
                }
                Purpose::Status => false,
            };
            !spent && !turn_away
        });
        if retransmit {
            self.retransmit(now, id);
        } else if let Some(pending) = self.take(id) {
            self.give_up_on_server(now, id, pending, rng);
        } else {
            // No pending request: a deadline that nobody waits for must not come again.
            self.deadlines.retain(|(_, other)| *other != id);
        }
    }

    fn retransmit(&mut self, now: Instant, id: u64) {
        let Some(pending) = self.pending.get_mut(&id) else { return };
        let Some(server) = self.servers.get(pending.server.0) else { return };
        let Timers { max, max_duration, .. } = server.config.timers;
        self.deadlines.remove(&(pending.deadline, id));
        // RT = 2*RTprev + RAND*RTprev, at most MRT + RAND*MRT
        let (base, spread) = match pending.wait.saturating_mul(2) {
            doubled if !max.is_zero() && doubled > max => (max, max),
            doubled => (doubled, pending.wait),
        };
        pending.wait = jitter(base, spread, &pending.authenticator, pending.transmissions);
        pending.transmissions += 1;
        pending.deadline = (now + pending.wait).min(pending.first_sent + max_duration);
        self.deadlines.insert((pending.deadline, id));
        self.transmits.push_back(Outgoing(id));
    }

    fn give_up_on_server(&mut self, now: Instant, id: u64, pending: Pending, rng: &mut dyn Rng) {
        let Pending { purpose, server: server_id, first_sent, .. } = pending;
        let mut probe_in = None;
        if let Some(server) = self.servers.get_mut(server_id.0) {
            let until = match server.config.status_interval {
                // Only an answer to a probe brings it back.
                Some(_) => Instant::from_origin(Duration::MAX),
                None => now + self.dead_time,
            };
            let newly_down = server.unanswered(first_sent, until);
            if newly_down {
                self.events.push_back(Event::ServerDown(server_id));
            }
            if newly_down || matches!(purpose, Purpose::Status) {
                probe_in = server.config.status_interval;
            }
        }
        if let Some(interval) = probe_in {
            self.probes.insert((now + interval, server_id));
        }
        let Purpose::Access { request, tried } = purpose else { return };
        let next = match request.server {
            Some(_) => None,
            None => choose(&self.servers, &tried, now),
        };
        let result = match next {
            Some(next) => self.submit(now, id, next, Purpose::Access { request, tried }, rng),
            None => Err(Error::NoReply),
        };
        if let Err(reason) = result {
            self.events.push_back(Event::Failed { request: RequestId(id), reason });
        }
    }

    fn probe(&mut self, now: Instant, server_id: ServerId, rng: &mut dyn Rng) {
        let id = self.next_request;
        self.next_request += 1;
        if self.submit(now, id, server_id, Purpose::Status, rng).is_err()
            && let Some(server) = self.servers.get(server_id.0)
            && let Some(interval) = server.config.status_interval
        {
            // No Identifier or no randomness now: later.
            self.probes.insert((now + interval, server_id));
        }
    }
}

/// `base` + RAND * `spread`, RAND between -0.1 and 0.1. "The algorithm for choosing a random number does
/// not need to be cryptographically sound" (RFC 5080 section 2.2.1): the Request Authenticator is random
/// already, and two octets of it are taken for each transmission.
fn jitter(
    base: Duration,
    spread: Duration,
    authenticator: &[u8; 16],
    transmission: u32,
) -> Duration {
    let (pairs, _) = authenticator.as_chunks::<2>();
    let random = pairs
        .iter()
        .cycle()
        .nth(transmission as usize % 8)
        .map_or(0, |pair| u32::from(u16::from_be_bytes(*pair)));
    let tenth = spread / 10;
    (base.saturating_sub(tenth)).saturating_add((tenth / (1 << 15)).saturating_mul(random))
}
