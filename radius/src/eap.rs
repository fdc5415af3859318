//! EAP over RADIUS, RFC 3579: a gateway that passes EAP packets through.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use adit_platform::Secret;

use crate::attribute::{AttributeList, Attributes};
use crate::client::ServerId;
use crate::dictionary::{AttributeType, Code};
use crate::error::{Error, Malformed, Misbehaved, Misuse, Refused, Resources};
use crate::reply::{Authorization, Reply};
use crate::request::AccessRequest;

/// EAP rounds after which a conversation ends: FreeRADIUS stops at 50, hostapd at 100.
pub const MAX_ROUNDS: u32 = 50;

/// Longest identity in octets: what fits into User-Name.
pub const MAX_IDENTITY_LEN: usize = 253;

const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;
const SUCCESS: u8 = 3;
const FAILURE: u8 = 4;
const TYPE_IDENTITY: u8 = 1;

/// One EAP conversation between a peer and a RADIUS server, with the gateway in between.
///
/// The gateway carries what this type makes:
///
/// 1. [`start`](Self::start) gives an EAP-Request/Identity for the peer; or, where the identity is known
///    already, as IKEv2 knows it from IDi, [`start_with_identity`](Self::start_with_identity) gives the
///    first Access-Request.
/// 2. [`handle_eap`](Self::handle_eap) turns the peer's packet into an [`AccessRequest`] for
///    [`Client::send`](crate::Client::send), or refuses it: an invalid EAP packet makes a server reject
///    the user, so that it must not get there (RFC 3579 section 2.2).
/// 3. [`handle_reply`](Self::handle_reply) says what the reply means: the next packet for the peer, the
///    keys and the authorization, or the refusal.
///
/// ```
/// use adit_radius::{AttributeList, AttributeType, EapSession};
///
/// let mut attributes = AttributeList::new();
/// attributes.push(AttributeType::NAS_IDENTIFIER, b"vpn-gw-1")?;
/// let mut session = EapSession::new(attributes);
/// let request = session.start();
/// assert_eq!(request, [1, 0, 0, 5, 1]);
/// let access_request = session.handle_eap(b"\x02\x00\x00\x0a\x01alice")?;
/// # Ok::<(), adit_radius::Error>(())
/// ```
#[derive(Debug)]
pub struct EapSession {
    attributes: AttributeList,
    user_name: Vec<u8>,
    /// Of the last Access-Challenge.
    state: Option<Vec<u8>>,
    server: Option<ServerId>,
    rounds: u32,
    turn: Turn,
    message: Option<String>,
}

/// Who has to speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Turn {
    Start,
    /// The peer, with a Response of this Identifier.
    Peer {
        identifier: u8,
        identity: bool,
    },
    /// The server, to a Response of this Identifier.
    Server {
        identifier: u8,
    },
    Ended,
}

/// What a reply means for the gateway.
#[derive(Debug)]
#[must_use]
pub enum EapStep {
    /// Carry this EAP packet, a Request, to the peer and its Response to [`EapSession::handle_eap`].
    Challenge(Vec<u8>),
    /// Let the peer in.
    Accept {
        /// EAP-Success for the peer.
        eap: Vec<u8>,
        /// The MSK, 64 octets.
        msk: Secret,
        /// What the server grants.
        authorization: Box<Authorization>,
    },
    /// Do not let the peer in.
    Reject {
        /// EAP-Failure for the peer.
        eap: Vec<u8>,
        /// Why, for the log.
        reason: Error,
    },
}

impl EapSession {
    /// A conversation whose requests carry `attributes`: NAS-Identifier or NAS-IP-Address, and what else
    /// tells the server about the gateway and the peer. User-Name, State and EAP-Message are added here.
    pub fn new(attributes: AttributeList) -> Self {
        Self {
            attributes,
            user_name: Vec::new(),
            state: None,
            server: None,
            rounds: 0,
            turn: Turn::Start,
            message: None,
        }
    }

    /// Begins by asking the peer: an EAP-Request/Identity to carry to it.
    pub fn start(&mut self) -> Vec<u8> {
        self.turn = Turn::Peer { identifier: 0, identity: true };
        [REQUEST, 0, 0, 5, TYPE_IDENTITY].into()
    }

    /// Begins with an identity that the lower layer knows, as if the peer had been asked for it
    /// (RFC 3579 section 2.1; under IKEv2 RFC 7296 section 3.16).
    ///
    /// # Errors
    /// [`Misuse::TooLong`] for an identity above [`MAX_IDENTITY_LEN`] octets; [`Misuse::OutOfOrder`] if
    /// it has begun.
    pub fn start_with_identity(&mut self, identity: &[u8]) -> Result<AccessRequest, Error> {
        if self.turn != Turn::Start {
            return Err(Error::Misuse(Misuse::OutOfOrder));
        }
        if identity.len() > MAX_IDENTITY_LEN {
            return Err(Error::Misuse(Misuse::TooLong));
        }
        // At most 258, so that the length fits into its field.
        let length = (identity.len() as u16 + 5).to_be_bytes();
        let response = [&[RESPONSE, 0], &length[..], &[TYPE_IDENTITY], identity].concat();
        self.start();
        self.handle_eap(&response)
    }

    /// The identity that the peer gave: hostile octets, not always UTF-8, and empty until it is known.
    pub fn user_name(&self) -> &[u8] {
        &self.user_name
    }

    /// Reply-Message of the last reply: text for a person, such as why an account is locked. A pass-through
    /// has no packet to carry it in (RFC 3579 section 2.6.5), but a log may say it.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Takes an EAP packet from the peer and makes the request that carries it to the server.
    ///
    /// # Errors
    /// The packet must not reach the server and was discarded; the state is what it was.
    /// [`Misbehaved::InvalidEapFromPeer`] for a packet that is no Response, has a wrong Identifier or
    /// Length or no Type; [`Misuse::OutOfOrder`] if it is not the peer's turn.
    pub fn handle_eap(&mut self, packet: &[u8]) -> Result<AccessRequest, Error> {
        let invalid = Error::Misbehaved(Misbehaved::InvalidEapFromPeer);
        let Turn::Peer { identifier: expected, identity } = self.turn else {
            return Err(Error::Misuse(Misuse::OutOfOrder));
        };
        let packet = trim(packet).ok_or(invalid)?;
        let [RESPONSE, identifier, _, _, kind, data @ ..] = packet else { return Err(invalid) };
        if *identifier != expected || *kind == 0 || (identity && *kind != TYPE_IDENTITY) {
            return Err(invalid);
        }
        // User-Name has at least one octet, RFC 2865 section 5.1.
        if identity && !(1..=MAX_IDENTITY_LEN).contains(&data.len()) {
            return Err(invalid);
        }
        if self.rounds >= MAX_ROUNDS {
            return Err(Error::Resources(Resources::TooManyRounds));
        }
        let user_name = if identity { data } else { &self.user_name };
        let request = self.request(user_name, packet)?;
        if identity {
            self.user_name = data.to_vec();
        }
        self.rounds += 1;
        self.turn = Turn::Server { identifier: *identifier };
        Ok(request)
    }

    /// Takes the reply to the last request.
    ///
    /// # Errors
    /// [`Misuse::OutOfOrder`] if no request is out.
    pub fn handle_reply(&mut self, reply: Reply) -> Result<EapStep, Error> {
        let Turn::Server { identifier } = self.turn else {
            return Err(Error::Misuse(Misuse::OutOfOrder));
        };
        self.message = reply.message();
        let step = match reply.code() {
            Code::ACCESS_CHALLENGE => self.challenge(&reply),
            Code::ACCESS_ACCEPT => accept(reply),
            Code::PROTOCOL_ERROR => Err(Error::Refused(Refused::ProtocolError)),
            _ => Err(Error::Refused(Refused::Rejected)),
        };
        Ok(step.unwrap_or_else(|reason| {
            self.turn = Turn::Ended;
            // What the server put into EAP-Message does not matter: it may be a Success.
            EapStep::Reject { eap: [FAILURE, identifier, 0, 4].into(), reason }
        }))
    }

    /// Ends the conversation because no reply will come: the EAP-Failure for the peer.
    pub fn abandon(&mut self) -> Vec<u8> {
        let identifier = match self.turn {
            Turn::Peer { identifier, .. } | Turn::Server { identifier } => identifier,
            Turn::Start | Turn::Ended => 0,
        };
        self.turn = Turn::Ended;
        [FAILURE, identifier, 0, 4].into()
    }

    fn challenge(&mut self, reply: &Reply) -> Result<EapStep, Error> {
        let eap = reply.eap()?.ok_or(Error::Refused(Refused::NoEapRequest))?;
        let packet = trim(&eap).ok_or(Error::malformed(Malformed::Eap, 0))?;
        let [REQUEST, identifier, _, _, _kind, ..] = packet else {
            return Err(Error::Refused(Refused::NoEapRequest));
        };
        let state = reply.state()?.map(<[u8]>::to_vec);
        self.turn = Turn::Peer { identifier: *identifier, identity: false };
        self.server = Some(reply.server());
        self.state = state;
        Ok(EapStep::Challenge(packet.to_vec()))
    }

    fn request(&self, user_name: &[u8], packet: &[u8]) -> Result<AccessRequest, Error> {
        let mut attributes = self.attributes.clone();
        attributes.push(AttributeType::USER_NAME, user_name)?;
        if let Some(state) = &self.state {
            attributes.push(AttributeType::STATE, state)?;
        }
        attributes.push_eap(packet)?;
        let request = AccessRequest::new(attributes)?;
        Ok(match self.server {
            Some(server) => request.only_to(server),
            None => request,
        })
    }
}

fn accept(reply: Reply) -> Result<EapStep, Error> {
    let authorization = Box::new(reply.authorization()?);
    // RFC 3579 section 2.6.3: the peer believes EAP, so that the two have to agree.
    let eap = reply.eap()?.ok_or(Error::Refused(Refused::NotSuccess))?;
    let [SUCCESS, _, 0, 4] = *eap else { return Err(Error::Refused(Refused::NotSuccess)) };
    let msk = reply.into_msk()?.ok_or(Error::Refused(Refused::NoKeys))?;
    Ok(EapStep::Accept { eap, msk, authorization })
}

/// The EAP packet in `octets` without what follows its Length; `None` if the Length does not fit.
fn trim(octets: &[u8]) -> Option<&[u8]> {
    let [_, _, high, low, ..] = octets else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    octets.get(..length).filter(|packet| packet.len() >= 5)
}

impl Attributes<'_> {
    /// The EAP packet, put together from its EAP-Message attributes (RFC 3579 section 3.1).
    ///
    /// # Errors
    /// [`Malformed::EapNotConsecutive`] if other attributes stand between them.
    pub fn eap(&self) -> Result<Option<Vec<u8>>, Error> {
        let mut packet = None::<Vec<u8>>;
        let mut end = 0;
        for attribute in self.all(AttributeType::EAP_MESSAGE) {
            if packet.is_some() && attribute.offset != end {
                return Err(Error::malformed(Malformed::EapNotConsecutive, attribute.offset));
            }
            end = attribute.offset + 2 + attribute.value.len();
            packet.get_or_insert_default().extend_from_slice(attribute.value);
        }
        Ok(packet)
    }
}
