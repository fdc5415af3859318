//! USE_AGGFRAG: whether ESP aggregates and fragments inner packets. RFC 9347 section 5.1.

use alloc::borrow::Cow;
use alloc::vec;

use crate::child::Mode;
use crate::config::ChildConfig;
use crate::error::{Error, Incompatible, Misbehaviour};
use crate::wire::{DecodeError, DecodeErrorKind, Notify, NotifyType, Payload, Payloads};

/// Whether a child is to carry AGGFRAG payloads (RFC 9347), and on which conditions.
///
/// ```
/// use adit_ikev2::ChildConfig;
/// use adit_ikev2::negotiate::AggfragPolicy;
///
/// let mut child = ChildConfig::remote_access();
/// // Used if the peer knows it; a plain tunnel if not.
/// child.aggfrag = Some(AggfragPolicy::default());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct AggfragPolicy {
    /// There is no child without it. If not, it is used with peers that agree.
    pub required: bool,
    /// What we require of the peer.
    pub ours: Aggfrag,
    /// Whether we return congestion information to a peer that requires it. Without it, AGGFRAG payloads are
    /// not agreed on with such a peer.
    pub reports_congestion: bool,
}

/// What one end requires of AGGFRAG payloads that are sent to it: the flags of USE_AGGFRAG, RFC 9347 section
/// 6.1.4.
///
/// ```
/// use adit_ikev2::negotiate::Aggfrag;
///
/// let whole_packets_only = Aggfrag { dont_fragment: true, ..Aggfrag::default() };
/// assert!(!whole_packets_only.congestion_control);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Aggfrag {
    /// D: it does not put inner packets together that come in parts.
    pub dont_fragment: bool,
    /// C: it wants congestion information to be returned, RFC 9347 section 3.
    pub congestion_control: bool,
}

const DONT_FRAGMENT: u8 = 0b01;
const CONGESTION_CONTROL: u8 = 0b10;

impl Aggfrag {
    /// What the peer says, unless it requires something that is not known here.
    fn read(notify: &Notify<'_>) -> Result<Option<Self>, DecodeError> {
        // The flags follow protocol, SPI size, notify type and SPI: RFC 7296 section 3.10.
        let offset = 4 + usize::from(notify.spi.size());
        let error = |kind, offset| DecodeError { kind, what: "USE_AGGFRAG flags", offset };
        match *notify.data {
            [] => Err(error(DecodeErrorKind::Truncated, offset)),
            [flags] if flags & !(DONT_FRAGMENT | CONGESTION_CONTROL) == 0 => Ok(Some(Self {
                dont_fragment: flags & DONT_FRAGMENT != 0,
                congestion_control: flags & CONGESTION_CONTROL != 0,
            })),
            [_] => Ok(None),
            _ => Err(error(DecodeErrorKind::Trailing, offset + 1)),
        }
    }

    /// The notification that says so.
    pub(crate) fn to_payload(self) -> Payload<'static> {
        let d = if self.dont_fragment { DONT_FRAGMENT } else { 0 };
        let c = if self.congestion_control { CONGESTION_CONTROL } else { 0 };
        let data = Cow::Owned(vec![d | c]);
        Payload::Notify(Notify { data, ..Notify::error(NotifyType::USE_AGGFRAG) })
    }
}

impl AggfragPolicy {
    /// As the initiator: what goes into the request for a child.
    pub(crate) fn offer(config: &ChildConfig) -> Option<Payload<'static>> {
        config.aggfrag.map(|policy| policy.ours.to_payload())
    }

    /// As the responder: what the initiator requires, if both ends agree on AGGFRAG payloads.
    pub(crate) fn select(
        config: &ChildConfig,
        request: &Payloads<'_>,
    ) -> Result<Option<Aggfrag>, Error> {
        let Some(policy) = config.aggfrag else { return Ok(None) };
        let wanted = match request.notify(NotifyType::USE_AGGFRAG) {
            Some(notify) => Aggfrag::read(notify)?,
            None => None,
        };
        //= RFC 9347 section 5.1: the USE_AGGFRAG notification MUST NOT be combined with USE_TRANSPORT.
        let is_alone = request.notify(NotifyType::USE_TRANSPORT_MODE).is_none();
        //= RFC 9347 section 5.1: if any requirement flags are not understood or cannot be supported by the
        //= receiver, then the receiver SHOULD NOT enable use of AGGFRAG_PAYLOAD.
        match wanted.filter(|peer| is_alone && policy.can_give(*peer)) {
            None if policy.required => Err(Incompatible::Aggfrag.into()),
            agreed => Ok(agreed),
        }
    }

    /// As the responder: what goes into the response, after [`Self::select`].
    pub(crate) fn answer(
        config: &ChildConfig,
        agreed: Option<Aggfrag>,
    ) -> Option<Payload<'static>> {
        agreed.and_then(|_| Self::offer(config))
    }

    /// As the initiator: what the responder requires, if it agrees.
    pub(crate) fn confirm(
        config: &ChildConfig,
        response: &Payloads<'_>,
    ) -> Result<Option<Aggfrag>, Error> {
        match (config.aggfrag, response.notify(NotifyType::USE_AGGFRAG)) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(Misbehaviour::UnexpectedNotify(NotifyType::USE_AGGFRAG).into()),
            //= RFC 9347 section 5.1: if the responder declines, the Child SA will be established without; if
            //= this is unacceptable to the initiator, the initiator MUST delete the Child SA.
            (Some(policy), None) if policy.required => Err(Incompatible::Aggfrag.into()),
            (Some(_), None) => Ok(None),
            // The peer believes that it is agreed on: nothing but deleting the child undoes that.
            (Some(policy), Some(notify)) => match Aggfrag::read(notify)? {
                Some(peer) if policy.can_give(peer) => Ok(Some(peer)),
                _ => Err(Incompatible::Aggfrag.into()),
            },
        }
    }

    fn can_give(self, peer: Aggfrag) -> bool {
        self.reports_congestion || !peer.congestion_control
    }

    /// What is wrong with a configuration that asks for it, if anything is.
    pub(crate) fn check(config: &ChildConfig) -> Result<(), &'static str> {
        if config.aggfrag.is_some() && config.mode == Mode::Transport {
            return Err("AGGFRAG payloads need tunnel mode");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn says(flags: &[u8]) -> Payloads<'_> {
        vec![Payload::Notify(Notify::status(NotifyType::USE_AGGFRAG, flags))].into()
    }

    fn config(policy: AggfragPolicy) -> ChildConfig {
        ChildConfig { aggfrag: Some(policy), ..ChildConfig::remote_access() }
    }

    //= RFC 9347 section 6.1.4: |0|0|0|0|0|0|C|D|
    #[test]
    fn the_flags_are_those_of_the_rfc() {
        for (octet, dont_fragment, congestion_control) in
            [(0, false, false), (1, true, false), (2, false, true), (3, true, true)]
        {
            let flags = Aggfrag { dont_fragment, congestion_control };
            let Payload::Notify(notify) = flags.to_payload() else { panic!("no notification") };
            assert_eq!((notify.notify_type.0, &*notify.data), (16442, &[octet][..]));
            assert_eq!(Aggfrag::read(&notify), Ok(Some(flags)));
        }
    }

    #[test]
    fn wrong_lengths_are_named() {
        let config = config(AggfragPolicy::default());
        for (flags, text) in [
            (&[][..], "USE_AGGFRAG flags at byte 4: truncated"),
            (&[0, 0], "USE_AGGFRAG flags at byte 5: trailing bytes"),
        ] {
            for result in [
                AggfragPolicy::select(&config, &says(flags)),
                AggfragPolicy::confirm(&config, &says(flags)),
            ] {
                let Err(Error::Malformed(error)) = result else { panic!("{result:?}") };
                assert_eq!(error.to_string(), text);
            }
            // Who does not use it does not look at it, RFC 7296 section 3.10.1.
            let plain = ChildConfig::remote_access();
            assert_eq!(AggfragPolicy::select(&plain, &says(flags)), Ok(None));
        }
    }

    //= RFC 9347 section 5.1
    #[test]
    fn what_cannot_be_given_is_not_agreed_on() {
        let (none, d) =
            (Aggfrag::default(), Aggfrag { dont_fragment: true, congestion_control: false });
        let declined = Err(Incompatible::Aggfrag.into());
        for (flags, reports_congestion, agreed) in [
            (0, false, Some(none)),
            (1, false, Some(d)),
            (2, false, None),
            (2, true, Some(Aggfrag { congestion_control: true, ..none })),
            (3, true, Some(Aggfrag { congestion_control: true, ..d })),
            // A requirement of a later specification.
            (4, true, None),
            (0x80, true, None),
        ] {
            let policy = AggfragPolicy { reports_congestion, ..AggfragPolicy::default() };
            let (wanted, octet) = (config(policy), [flags]);
            assert_eq!(AggfragPolicy::select(&wanted, &says(&octet)), Ok(agreed), "{flags}");
            let required = config(AggfragPolicy { required: true, ..policy });
            let or_error = agreed.map(Some).map_or(declined.clone(), Ok);
            assert_eq!(AggfragPolicy::select(&required, &says(&octet)), or_error, "{flags}");
            // A responder that answers so believes it to be agreed on.
            assert_eq!(AggfragPolicy::confirm(&wanted, &says(&octet)), or_error, "{flags}");
        }
    }

    #[test]
    fn silence_declines() {
        let nothing = Payloads::default();
        for (required, result) in [(false, Ok(None)), (true, Err(Incompatible::Aggfrag.into()))] {
            let config = config(AggfragPolicy { required, ..AggfragPolicy::default() });
            assert_eq!(AggfragPolicy::select(&config, &nothing), result);
            assert_eq!(AggfragPolicy::confirm(&config, &nothing), result);
        }
        let plain = ChildConfig::remote_access();
        assert_eq!(AggfragPolicy::confirm(&plain, &nothing), Ok(None));
        let unasked = Misbehaviour::UnexpectedNotify(NotifyType::USE_AGGFRAG);
        assert_eq!(AggfragPolicy::confirm(&plain, &says(&[0])), Err(unasked.into()));
    }

    //= RFC 9347 section 5.1: USE_AGGFRAG MUST NOT be combined with USE_TRANSPORT.
    #[test]
    fn transport_mode_is_another_thing() {
        let transport = Payload::Notify(Notify::error(NotifyType::USE_TRANSPORT_MODE));
        let both = Payloads::from(vec![transport, Aggfrag::default().to_payload()]);
        let mut wanted = config(AggfragPolicy::default());
        assert_eq!(AggfragPolicy::select(&wanted, &both), Ok(None));
        assert_eq!(AggfragPolicy::check(&wanted), Ok(()));
        wanted.mode = Mode::Transport;
        assert!(AggfragPolicy::check(&wanted).is_err());
    }
}
