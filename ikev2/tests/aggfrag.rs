//! USE_AGGFRAG in IKE_AUTH, and what the embedder learns of it: RFC 9347 section 5.1.

mod common;

use adit_ikev2::negotiate::{Aggfrag, AggfragPolicy};
use adit_ikev2::wire::NotifyType;
use adit_ikev2::{ChildConfig, CloseReason, CommandError, Error, Incompatible, Mode};

use common::{Pair, Setup, providers, secs};

const D: Aggfrag = Aggfrag { dont_fragment: true, congestion_control: false };
const C: Aggfrag = Aggfrag { dont_fragment: false, congestion_control: true };

fn required(ours: Aggfrag) -> Option<AggfragPolicy> {
    Some(AggfragPolicy { required: true, ours, reports_congestion: false })
}

fn preferred(ours: Aggfrag) -> Option<AggfragPolicy> {
    Some(AggfragPolicy { required: false, ours, reports_congestion: false })
}

/// Connects with these policies of client and gateway.
fn connect(
    mut setup: Setup,
    client: Option<AggfragPolicy>,
    gateway: Option<AggfragPolicy>,
) -> Pair {
    let child = |aggfrag| ChildConfig { aggfrag, ..ChildConfig::remote_access() };
    setup.client_peer.child = Some(child(client));
    setup.gateway_embedder.admission = Ok(child(gateway));
    setup.connect(secs(5))
}

/// What each end was told of the only child.
fn agreed(pair: &Pair) -> [Option<Aggfrag>; 2] {
    pair.assert_up();
    [0, 1].map(|host| pair.hosts[host].record().children.values().next().unwrap().aggfrag)
}

#[test]
fn the_first_child_and_its_rekeys() {
    for provider in providers() {
        let mut pair = connect(Setup::psk(provider), required(D), preferred(Aggfrag::default()));
        let both = [Some(Aggfrag::default()), Some(D)];
        assert_eq!(agreed(&pair), both);
        for host in [0, 1] {
            let record = pair.hosts[host].record();
            let (sa, child) = (pair.hosts[host].sa(), *record.up.first().unwrap());
            pair.command(host, |endpoint, now| endpoint.rekey_child(now, sa, child)).unwrap();
            assert_eq!(agreed(&pair), both, "after a rekey by {host}");
        }
        // One more child on the same conditions.
        let sa = pair.client().sa();
        let more = ChildConfig { aggfrag: required(D), ..ChildConfig::remote_access() };
        pair.command(0, |endpoint, now| endpoint.create_child(now, sa, more)).unwrap();
        pair.assert_up();
        assert!(pair.gateway().record().children.values().all(|child| child.aggfrag == Some(D)));
        assert_eq!(pair.gateway().record().children.len(), 2);
    }
}

#[test]
fn without_the_other_end_there_is_a_plain_tunnel_or_none() {
    for provider in providers() {
        for (client, gateway) in
            [(preferred(D), None), (None, preferred(D)), (None, None), (preferred(C), preferred(D))]
        {
            let pair = connect(Setup::psk(provider), client, gateway);
            assert_eq!(agreed(&pair), [None, None], "{client:?} {gateway:?}");
        }
        // The client does not want it otherwise.
        let pair = connect(Setup::psk(provider), required(D), None);
        let failed = CloseReason::Failed(Incompatible::Aggfrag.into());
        assert_eq!(pair.client().record().closed, Some(failed));
        // The gateway does not, and the IKE SA is not harmed: RFC 7296 section 2.21.2.
        let pair = connect(Setup::psk(provider), None, required(D));
        let refused = Error::RefusedByPeer(NotifyType::NO_PROPOSAL_CHOSEN);
        assert_eq!(pair.client().record().child_errors, [refused]);
        assert_eq!(pair.gateway().record().child_errors, [Incompatible::Aggfrag.into()]);
    }
}

#[test]
fn eap_carries_it_too() {
    let pair = connect(Setup::eap(providers()[0]), required(Aggfrag::default()), required(D));
    assert_eq!(agreed(&pair), [Some(D), Some(Aggfrag::default())]);
}

#[test]
fn transport_mode_with_it_is_no_configuration() {
    let mut pair = Setup::psk(providers()[0]).connect(secs(5));
    let sa = pair.client().sa();
    let child =
        ChildConfig { mode: Mode::Transport, aggfrag: required(D), ..ChildConfig::remote_access() };
    let refused = pair.command(0, |endpoint, now| endpoint.create_child(now, sa, child.clone()));
    assert!(matches!(refused, Err(CommandError::Unusable(_))), "{refused:?}");

    let mut setup = Setup::psk(providers()[0]);
    setup.gateway_embedder.admission = Ok(child);
    let pair = setup.connect(secs(5));
    assert!(matches!(pair.gateway().record().closed, Some(CloseReason::Failed(Error::Denied(_)))));
}
