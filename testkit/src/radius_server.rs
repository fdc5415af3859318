//! A RADIUS server in a value: users, passwords, EAP-MSCHAPv2 and PAP, no socket.
//!
//! It stands where a FreeRADIUS stands: it verifies the Message-Authenticator of every request, answers a
//! repeated request with the same reply, keeps EAP conversations by their State, and grants what is
//! written beside the user.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use adit_eap::{Authenticator, AuthenticatorAsk, AuthenticatorStep, Credential, mschapv2};
use adit_platform::{Rng, Secret};
use adit_radius::{AttributeList, AttributeType, Code, Packet, mppe, secure};

use crate::rng::SeededRng;

/// Conversations that are kept; the oldest gives way to a new one.
const MAX_SESSIONS: usize = 1024;

/// Replies that are kept for requests that come again (RFC 5080 section 2.2.2).
const MAX_REPLIES: usize = 1024;

/// A RADIUS server for tests and demonstrations.
///
/// ```
/// use adit_platform::Secret;
/// use adit_radius::AttributeList;
/// use adit_testkit::radius_server::{RadiusServer, User};
///
/// let server = RadiusServer::new(Secret::copy_from(b"testing123"), 1)
///     .with_user("alice", User::with_password("wonderland", AttributeList::new()));
/// ```
pub struct RadiusServer {
    secret: Secret,
    users: BTreeMap<Vec<u8>, User>,
    retries: u8,
    rng: SeededRng,
    sessions: BTreeMap<[u8; 16], Session>,
    session_order: VecDeque<[u8; 16]>,
    replies: VecDeque<(RequestKey, Option<Vec<u8>>)>,
    counters: Counters,
}

/// Somebody whom the server knows.
pub struct User {
    /// What proves this user.
    pub credential: Credential,
    /// What an Access-Accept grants.
    pub attributes: AttributeList,
    /// True to leave every request for this user without an answer.
    pub silent: bool,
}

/// What the server has done so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Datagrams that came.
    pub received: u64,
    /// Datagrams without an answer, because they were malformed, not authentic or for a silent user.
    pub discarded: u64,
    /// Requests that came again and got the same reply again.
    pub repeated: u64,
    /// Access-Accepts.
    pub accepted: u64,
    /// Access-Rejects.
    pub rejected: u64,
    /// Access-Challenges.
    pub challenged: u64,
}

struct Session {
    authenticator: Authenticator,
    user_name: Vec<u8>,
}

/// What makes two requests the same one: RFC 5080 section 2.2.2.
type RequestKey = (SocketAddr, u8, [u8; 16]);

/// What to answer.
struct Answer {
    code: Code,
    attributes: AttributeList,
}

impl User {
    /// A user with a password, to whom these attributes are granted.
    pub fn with_password(password: &str, attributes: AttributeList) -> Self {
        Self { credential: Credential::password(password), attributes, silent: false }
    }
}

impl RadiusServer {
    /// A server without users. Equal seeds make equal replies.
    pub fn new(secret: Secret, seed: u64) -> Self {
        Self {
            secret,
            users: BTreeMap::new(),
            retries: 0,
            rng: SeededRng::new(seed),
            sessions: BTreeMap::new(),
            session_order: VecDeque::new(),
            replies: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Adds a user, or replaces one.
    pub fn with_user(mut self, name: &str, user: User) -> Self {
        self.users.insert(name.as_bytes().to_vec(), user);
        self
    }

    /// Lets a user of EAP-MSCHAPv2 try `retries` more passwords.
    pub fn with_retries(mut self, retries: u8) -> Self {
        self.retries = retries;
        self
    }

    /// What the server has done so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// EAP conversations that have not ended.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Takes one datagram; the reply, if there is to be one.
    pub fn handle_datagram(&mut self, from: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        self.counters.received += 1;
        let reply = self.reply(from, datagram);
        if reply.is_none() {
            self.counters.discarded += 1;
        }
        reply
    }

    fn reply(&mut self, from: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        let request = Packet::parse(datagram).ok()?;
        secure::verify_request(&request, &self.secret).ok()?;
        let key = (from, request.identifier(), *request.authenticator());
        if let Some((_, reply)) = self.replies.iter().find(|(seen, _)| *seen == key) {
            self.counters.repeated += 1;
            return reply.clone();
        }
        let answer = match request.code() {
            Code::ACCESS_REQUEST => self.access_request(&request),
            // RFC 5997 section 4.2.
            Code::STATUS_SERVER => {
                Some(Answer { code: Code::ACCESS_ACCEPT, attributes: AttributeList::new() })
            }
            _ => None,
        };
        let reply = answer.and_then(|Answer { code, attributes }| {
            match code {
                Code::ACCESS_ACCEPT => self.counters.accepted += 1,
                Code::ACCESS_REJECT => self.counters.rejected += 1,
                _ => self.counters.challenged += 1,
            }
            let (id, authenticator) = (request.identifier(), request.authenticator());
            secure::seal_reply(code, id, authenticator, attributes.view(), &self.secret).ok()
        });
        if self.replies.len() == MAX_REPLIES {
            self.replies.pop_front();
        }
        self.replies.push_back((key, reply.clone()));
        reply
    }

    fn access_request(&mut self, request: &Packet<'_>) -> Option<Answer> {
        let attributes = request.attributes();
        let user_name = attributes.one(AttributeType::USER_NAME).ok()?.map_or(&[][..], |a| a.value);
        if self.user(user_name).is_some_and(|user| user.silent) {
            return None;
        }
        match attributes.eap().ok()? {
            Some(eap) => self.eap(request, user_name, &eap),
            None => self.password(request, user_name),
        }
    }

    fn password(&mut self, request: &Packet<'_>, user_name: &[u8]) -> Option<Answer> {
        let hidden = request.attributes().one(AttributeType::USER_PASSWORD).ok()??;
        let typed = secure::reveal_password(&hidden, request.authenticator(), &self.secret).ok()?;
        let granted = self.user(user_name).filter(
            |user| matches!(&user.credential, Credential::Password(known) if *known == typed),
        );
        Some(match granted {
            Some(user) => Answer { code: Code::ACCESS_ACCEPT, attributes: user.attributes.clone() },
            None => Answer { code: Code::ACCESS_REJECT, attributes: AttributeList::new() },
        })
    }

    fn eap(&mut self, request: &Packet<'_>, user_name: &[u8], eap: &[u8]) -> Option<Answer> {
        let state = request.attributes().one(AttributeType::STATE).ok()?;
        let (id, mut session, mut step) = match state {
            None => self.begin(user_name, eap)?,
            Some(state) => {
                // A State that is not ours, or not any more, is no way in: RFC 2865 section 5.24.
                let id: [u8; 16] = state.array().ok()?;
                let session = self.sessions.get_mut(&id)?;
                if session.user_name != user_name {
                    return None;
                }
                let step = session.authenticator.handle(eap, &mut self.rng).ok()?;
                (id, self.sessions.remove(&id)?, step)
            }
        };
        loop {
            step = match step {
                AuthenticatorStep::Ask(AuthenticatorAsk::Credential { user, .. }) => {
                    let credential = self.user(&user).map(|user| user.credential.duplicate());
                    session.authenticator.answer(credential, &mut self.rng).ok()?
                }
                // Another kind of question is for another kind of method.
                AuthenticatorStep::Ask(_) => {
                    session.authenticator.answer(None, &mut self.rng).ok()?
                }
                AuthenticatorStep::Request(packet) => {
                    let mut attributes = AttributeList::new();
                    attributes.push(AttributeType::STATE, &id).ok()?;
                    attributes.push_eap(&packet).ok()?;
                    self.keep(id, session);
                    return Some(Answer { code: Code::ACCESS_CHALLENGE, attributes });
                }
                AuthenticatorStep::Success { packet, user, msk } => {
                    let granted = self.user(&user)?.attributes.clone();
                    let mut attributes = granted;
                    attributes.push_eap(&packet).ok()?;
                    if let Some(msk) = msk {
                        // EAP-MSCHAPv2 exports two keys of 16 octets.
                        let (receive, send) = msk.secret().expose().get(..32)?.split_at(16);
                        let mut salt = [0; 2];
                        self.rng.fill(&mut salt).ok()?;
                        mppe::push_keys(
                            &mut attributes,
                            receive,
                            send,
                            u16::from_be_bytes(salt),
                            request.authenticator(),
                            &self.secret,
                        )
                        .ok()?;
                    }
                    return Some(Answer { code: Code::ACCESS_ACCEPT, attributes });
                }
                AuthenticatorStep::Failure { packet, .. } => {
                    let mut attributes = AttributeList::new();
                    attributes.push_eap(&packet).ok()?;
                    return Some(Answer { code: Code::ACCESS_REJECT, attributes });
                }
            };
        }
    }

    /// The first request of a conversation: an Identity Response, or EAP-Start (RFC 3579 section 2.1).
    fn begin(
        &mut self,
        user_name: &[u8],
        eap: &[u8],
    ) -> Option<([u8; 16], Session, AuthenticatorStep)> {
        let method = mschapv2::Authenticator::new("radius.test").with_retries(self.retries);
        let mut authenticator = Authenticator::new(vec![Box::new(method)]).ok()?;
        let step = if eap.is_empty() {
            authenticator.start(&mut self.rng).ok()?
        } else {
            let step = authenticator.start_with_response(eap, &mut self.rng).ok()?;
            // FreeRADIUS rejects another User-Name than the Identity, too.
            (authenticator.identity() == Some(user_name)).then_some(step)?
        };
        let mut id = [0; 16];
        self.rng.fill(&mut id).ok()?;
        Some((id, Session { authenticator, user_name: user_name.to_vec() }, step))
    }

    fn keep(&mut self, id: [u8; 16], session: Session) {
        if self.sessions.insert(id, session).is_none() {
            self.session_order.retain(|known| *known != id);
            self.session_order.push_back(id);
        }
        while self.sessions.len() > MAX_SESSIONS || self.session_order.len() > 2 * MAX_SESSIONS {
            let Some(oldest) = self.session_order.pop_front() else { break };
            self.sessions.remove(&oldest);
        }
    }

    /// Users are known without `DOMAIN\`.
    fn user(&self, name: &[u8]) -> Option<&User> {
        self.users.get(mschapv2::account(name))
    }
}
