//! EAP for ikev2: answers [`Ask::Eap`](adit_ikev2::Ask::Eap) at either end.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use adit_eap::error::Rejected;
use adit_eap::{
    Authenticator, AuthenticatorAsk, AuthenticatorStep, Credential, Error, PeerAsk, PeerStep,
    mschapv2,
};
use adit_ikev2::EapReply;
use adit_platform::Rng;

/// User names with what proves them: the local alternative to a RADIUS server.
///
/// A name is compared to the octet, after a `DOMAIN\` in front of what the client sends is dropped.
///
/// ```
/// use adit::adapters::eap::UserStore;
/// use adit_eap::Credential;
///
/// let mut users = UserStore::new();
/// users.insert("alice", Credential::password("wonderland"));
/// assert!(users.find(b"LAB\\alice").is_some());
/// assert!(users.find(b"mallory").is_none());
/// ```
#[derive(Debug, Default)]
pub struct UserStore {
    users: BTreeMap<Vec<u8>, Credential>,
}

impl UserStore {
    /// Nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user, or replaces the one of that name.
    pub fn insert(&mut self, name: impl Into<Vec<u8>>, credential: Credential) {
        self.users.insert(name.into(), credential);
    }

    /// What proves the user of this name, as a client wrote it.
    pub fn find(&self, name: &[u8]) -> Option<&Credential> {
        self.users.get(mschapv2::account(name))
    }
}

/// One client's authentication against a [`UserStore`].
pub struct LocalServer {
    authenticator: Authenticator,
}

/// What an authenticator says next.
#[derive(Debug)]
pub enum ServerStep {
    /// Send this EAP packet.
    Continue(Vec<u8>),
    /// It went well.
    Success {
        /// The reply for ikev2.
        reply: EapReply,
        /// The user that was proven, as the client wrote it.
        user: Vec<u8>,
    },
    /// It failed.
    Failure {
        /// The reply for ikev2.
        reply: EapReply,
        /// Why, for the log.
        reason: Error,
    },
}

impl LocalServer {
    /// An authenticator that calls itself `name` and offers MSCHAPv2. It asks the client for its user name
    /// first, unless `identity` is known.
    ///
    /// # Errors
    /// None in practice: the list of methods is not empty.
    pub fn new(name: &str, identity: Option<&[u8]>) -> Result<Self, Error> {
        let mschapv2: Box<dyn adit_eap::method::AuthenticatorMethod> =
            Box::new(mschapv2::Authenticator::new(name));
        let mut authenticator = Authenticator::new(vec![mschapv2])?;
        if let Some(identity) = identity {
            authenticator = authenticator.with_identity(identity);
        }
        Ok(Self { authenticator })
    }

    /// Takes the client's EAP packet, `None` at the beginning.
    ///
    /// # Errors
    /// The packet is no answer to what was asked; under IKEv2 that ends the authentication.
    pub fn handle(
        &mut self,
        message: Option<&[u8]>,
        users: &UserStore,
        rng: &mut dyn Rng,
    ) -> Result<ServerStep, Error> {
        let mut step = match message {
            None => self.authenticator.start(rng)?,
            Some(packet) => self.authenticator.handle(packet, rng)?,
        };
        loop {
            return Ok(match step {
                AuthenticatorStep::Request(packet) => ServerStep::Continue(packet),
                AuthenticatorStep::Ask(ask) => {
                    let credential = match &ask {
                        AuthenticatorAsk::Credential { user, .. } => users.find(user),
                        _ => None,
                    };
                    let answer = credential.map(Credential::duplicate);
                    step = self.authenticator.answer(answer, rng)?;
                    continue;
                }
                AuthenticatorStep::Success { packet, user, msk } => {
                    let msk = msk.map(adit_eap::Msk::into_secret);
                    ServerStep::Success { reply: EapReply::Success { message: packet, msk }, user }
                }
                AuthenticatorStep::Failure { packet, reason } => {
                    ServerStep::Failure { reply: EapReply::Failure(packet), reason }
                }
            });
        }
    }
}

/// The code of EAP-Failure: RFC 3748 section 4.
const EAP_FAILURE: u8 = 4;

/// A client's side of the authentication, as user name and password.
pub struct PasswordPeer {
    peer: adit_eap::Peer,
}

/// What a peer says next.
#[derive(Debug)]
pub enum ClientStep {
    /// The reply for ikev2.
    Reply(EapReply),
    /// A person has to say the password: [`PasswordPeer::answer`].
    AskPassword {
        /// Whose.
        user: String,
        /// Why it is asked again: what the gateway said about the last one.
        rejected: Option<Error>,
    },
    /// It failed, for this reason.
    Failure(Error),
}

impl PasswordPeer {
    /// A peer that is `user`; without a password it will be asked for.
    ///
    /// # Errors
    /// The name or the password is too long for MSCHAPv2, or the password is not UTF-8.
    pub fn new(user: &str, password: Option<Credential>) -> Result<Self, Error> {
        let mschapv2: Box<dyn adit_eap::method::PeerMethod> =
            Box::new(mschapv2::Peer::new(user, password)?);
        Ok(Self { peer: adit_eap::Peer::new(user, vec![mschapv2]) })
    }

    /// Takes the gateway's EAP packet.
    ///
    /// # Errors
    /// The packet makes no sense here; under IKEv2 that ends the authentication.
    pub fn handle(&mut self, packet: &[u8], rng: &mut dyn Rng) -> Result<ClientStep, Error> {
        match self.peer.handle(packet, rng) {
            Ok(step) => Ok(translate(step)),
            // IKEv2 has authenticated it, and the gateway will not say more.
            Err(_) if packet.first() == Some(&EAP_FAILURE) => {
                Ok(ClientStep::Failure(Error::Rejected(Rejected::ByAuthenticator)))
            }
            Err(error) => Err(error),
        }
    }

    /// Answers [`ClientStep::AskPassword`]; `None` gives up.
    ///
    /// # Errors
    /// Nothing was asked, or the password cannot be used.
    pub fn answer(
        &mut self,
        password: Option<Credential>,
        rng: &mut dyn Rng,
    ) -> Result<ClientStep, Error> {
        Ok(translate(self.peer.answer(password, rng)?))
    }
}

fn translate(step: PeerStep) -> ClientStep {
    match step {
        PeerStep::Respond(packet) => ClientStep::Reply(EapReply::Continue(packet)),
        PeerStep::Ask(PeerAsk::Password { user, rejected }) => {
            ClientStep::AskPassword { user, rejected }
        }
        // Questions of methods that this peer does not have.
        PeerStep::Ask(_) => {
            ClientStep::Failure(Error::Misuse(adit_eap::error::Misuse::NothingAsked))
        }
        PeerStep::Success(msk) => {
            let msk = msk.map(adit_eap::Msk::into_secret);
            ClientStep::Reply(EapReply::Success { message: Vec::new(), msk })
        }
        PeerStep::Failure(reason) => ClientStep::Failure(reason),
    }
}
