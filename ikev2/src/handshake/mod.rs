//! From the first datagram to two authenticated ends: IKE_SA_INIT and IKE_AUTH, one struct for each
//! state, named for what it waits for.
//!
//! | initiator | responder |
//! |---|---|
//! | [`ExpectInitResponse`](initiator::ExpectInitResponse) | [`ExpectAcceptance`](responder::ExpectAcceptance) (the embedder's) |
//! | the states of [`dial`], over a [`Session`] | the states of [`serve`], over a [`Session`] |
//!
//! Until IKE_SA_INIT is over there are no keys, so the two states of its time stand alone. Afterwards a
//! state gets the [`Session`] lent for each event, and says in what state it leaves the handshake.

pub(crate) mod init;
pub(crate) mod initiator;
pub(crate) mod responder;

mod dial;
mod first_child;
mod proof;
mod serve;
mod session;

use alloc::boxed::Box;
use alloc::sync::Arc;

use adit_platform::Instant;

use crate::ask::{Answer, AnyAnswer, Ask, Ticket};
use crate::channel::{Opened, Received};
use crate::config::{ChildConfig, PeerConfig};
use crate::endpoint::{OpenAsk, Shared};
use crate::error::{Error, Misbehaviour, Stray};
use crate::event::AuthenticatedPeer;
use crate::negotiate::ConfigurationReply;
use crate::path::{Path, SaId};
use crate::wire::{ExchangeType, Payloads};

pub(crate) use first_child::Negotiated;
pub(crate) use session::{Contribution, Session};

/// What a state may touch besides itself and the session.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    pub(crate) sa: SaId,
    /// Where the peer is reached.
    pub(crate) path: &'a mut Path,
    /// Where the datagram at hand came from, if there is one.
    pub(crate) from: Path,
    pub(crate) shared: &'a mut Shared,
    /// The one ask that a handshake has open at a time.
    pub(crate) ask: &'a mut Option<OpenAsk>,
}

impl Context<'_> {
    pub(crate) fn raise<A: Answer>(&mut self, ask: impl FnOnce(Ticket<A>) -> Ask) {
        *self.ask = Some(self.shared.ask(self.now, self.sa, ask));
    }
}

/// IKE_AUTH under way.
pub(crate) struct Handshake {
    pub(crate) session: Session,
    state: State,
}

/// Where IKE_AUTH stands.
pub(crate) enum State {
    Dial(Box<dial::State>),
    Serve(Box<serve::State>),
    /// Left behind by a state that failed.
    Failed,
}

/// How a state leaves the handshake.
pub(crate) enum Next {
    Continue(State),
    Finish(Box<Finished>),
}

/// Both ends are authenticated.
pub(crate) struct Finished {
    pub(crate) peer: AuthenticatedPeer,
    pub(crate) config: Arc<PeerConfig>,
    /// What the gateway assigned to us.
    pub(crate) configuration: Option<ConfigurationReply>,
    pub(crate) initial_contact: bool,
    pub(crate) child: FirstChild,
    /// As the responder: what goes back once the child is installed.
    pub(crate) response: Option<Payloads<'static>>,
}

/// What became of the child that IKE_AUTH asks for.
pub(crate) enum FirstChild {
    Created(Box<Negotiated>),
    /// Why not, and the policy for those to come.
    Failed(Error, Option<Box<ChildConfig>>),
    /// It was not asked for. A responder may still have a policy for those to come.
    None(Option<Box<ChildConfig>>),
}

impl Handshake {
    pub(crate) fn new(session: Session, state: State) -> Self {
        Self { session, state }
    }

    /// A datagram with our SPI. `Err` on the outside says why it was dropped, on the inside why the handshake
    /// failed.
    pub(crate) fn receive(
        &mut self,
        cx: &mut Context<'_>,
        datagram: &mut [u8],
    ) -> Result<Result<Option<Box<Finished>>, Error>, Error> {
        match self.session.channel.receive(datagram)? {
            Received::Repeat(sent) => {
                cx.shared.send(cx.from, &sent);
                Ok(Ok(None))
            }
            Received::Message(opened) => {
                if !self.session.we_initiated() {
                    // The initiator may have moved to the ports for NAT traversal: RFC 7296 section 2.23.
                    *cx.path = cx.from;
                }
                Ok(self.message(cx, opened))
            }
        }
    }

    fn message(
        &mut self,
        cx: &mut Context<'_>,
        opened: Opened,
    ) -> Result<Option<Box<Finished>>, Error> {
        if opened.exchange != ExchangeType::IKE_AUTH {
            //= RFC 7296 section 2.21.2: an initiator that cannot accept the responder's proof says so in
            //= an INFORMATIONAL exchange.
            let notify = opened.payloads()?.error_notify().map(|notify| notify.notify_type);
            return Err(match notify {
                Some(notify) => Error::RefusedByPeer(notify),
                None => Misbehaviour::UnexpectedExchange(opened.exchange).into(),
            });
        }
        let next = match core::mem::replace(&mut self.state, State::Failed) {
            State::Dial(state) => state.message(&mut self.session, cx, opened),
            State::Serve(state) => state.message(&mut self.session, cx, opened),
            State::Failed => Err(Stray::UnexpectedResponse.into()),
        };
        self.step(next)
    }

    /// The answer to the open ask.
    pub(crate) fn answer(
        &mut self,
        cx: &mut Context<'_>,
        answer: AnyAnswer,
    ) -> Result<Option<Box<Finished>>, Error> {
        let next = match core::mem::replace(&mut self.state, State::Failed) {
            State::Dial(state) => state.answer(&mut self.session, cx, answer),
            State::Serve(state) => state.answer(&mut self.session, cx, answer),
            State::Failed => Err(Stray::UnexpectedResponse.into()),
        };
        self.step(next)
    }

    fn step(&mut self, next: Result<Next, Error>) -> Result<Option<Box<Finished>>, Error> {
        match next? {
            Next::Continue(state) => {
                self.state = state;
                Ok(None)
            }
            Next::Finish(finished) => Ok(Some(finished)),
        }
    }
}
