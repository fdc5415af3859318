//! What a gateway knows of one client.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;

use adit_ikev2::{Established, Identity, Path, SaId};
use adit_radius::Authorization;

use crate::adapters::eap::LocalServer;

/// One IKE SA, from the moment that it has keys.
pub(super) struct Session {
    pub(super) path: Path,
    /// Who the peer says it is.
    pub(super) claimed: Option<Identity>,
    pub(super) eap: Option<LocalServer>,
    /// Who EAP proved it to be.
    pub(super) user: Option<Vec<u8>>,
    pub(super) authorization: Option<Box<Authorization>>,
    /// Inner addresses that are leased to it.
    pub(super) addresses: Vec<IpAddr>,
    /// Why it will not be connected, if that is known better than ikev2 knows it.
    pub(super) failure: Option<String>,
    pub(super) client: Option<Box<ConnectedClient>>,
}

/// A client that is connected.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ConnectedClient {
    /// Its IKE SA.
    pub sa: SaId,
    /// The identity that it proved, or with which it proved a user name.
    pub identity: Identity,
    /// The user name that it proved by EAP: octets of its choice, though proven.
    pub user: Option<Vec<u8>>,
    /// Where it is.
    pub path: Path,
    /// Its inner addresses.
    pub addresses: Vec<IpAddr>,
    /// Class attributes of the RADIUS server, to be repeated in accounting.
    pub class: Vec<Vec<u8>>,
}

impl ConnectedClient {
    /// The user name, or else the identity, for a person to read.
    pub fn name(&self) -> String {
        match &self.user {
            Some(user) => alloc::format!("{}", user.escape_ascii()),
            None => alloc::format!("{}", self.identity),
        }
    }
}

/// Somebody that was not let in.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Refusal {
    /// Where it is.
    pub path: Path,
    /// Who it said it was, if it came that far.
    pub claimed: Option<Identity>,
    /// Why.
    pub reason: String,
}

impl Session {
    pub(super) fn new(path: Path) -> Self {
        Self {
            path,
            claimed: None,
            eap: None,
            user: None,
            authorization: None,
            addresses: Vec::new(),
            failure: None,
            client: None,
        }
    }

    pub(super) fn connect(&mut self, sa: SaId, established: &Established) -> ConnectedClient {
        self.eap = None;
        let client = ConnectedClient {
            sa,
            identity: established.peer.identity().clone(),
            user: self.user.clone(),
            path: established.path,
            addresses: self.addresses.clone(),
            class: self.authorization.as_ref().map(|a| a.class.clone()).unwrap_or_default(),
        };
        self.client = Some(Box::new(client.clone()));
        client
    }
}
