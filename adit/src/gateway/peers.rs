//! How each kind of client is authenticated.

use alloc::sync::Arc;

use adit_ikev2::{LocalAuth, PeerConfig, RemoteAuth};

use crate::config::GatewayConfig;

/// What `SelectPeer` is answered with, made once.
pub(super) struct Peers {
    pub(super) shared_secret: Arc<PeerConfig>,
    pub(super) certificate: Arc<PeerConfig>,
    pub(super) eap: Arc<PeerConfig>,
}

impl Peers {
    pub(super) fn new(config: &GatewayConfig) -> Self {
        let own = match &config.certificate {
            Some(own) => LocalAuth::Certificate {
                chain: own.chain.as_slice().into(),
                schemes: own.key.schemes(),
            },
            None => LocalAuth::SharedSecret,
        };
        let policy = &config.policy;
        let peer = |local_auth: LocalAuth, remote_auth: RemoteAuth| {
            let mut peer = PeerConfig {
                proposals: policy.ike_proposals.clone(),
                // ESP is carried in UDP alone here.
                force_encapsulation: true,
                lifetime: policy.ike_lifetime,
                liveness_interval: policy.liveness_interval,
                ..PeerConfig::new(config.id.clone(), local_auth, remote_auth)
            };
            if let Some(schemes) = &policy.signature_schemes {
                peer.signature_schemes = schemes.clone();
            }
            Arc::new(peer)
        };
        Self {
            shared_secret: peer(LocalAuth::SharedSecret, RemoteAuth::SharedSecret),
            certificate: peer(own.clone(), RemoteAuth::Certificate),
            eap: peer(own, RemoteAuth::Eap),
        }
    }

    /// Sends this OCSP response along with our certificate from now on.
    pub(super) fn staple(&mut self, response: Option<Arc<[u8]>>) {
        if self.certificate.ocsp_response == response {
            return;
        }
        for peer in [&mut self.certificate, &mut self.eap] {
            Arc::make_mut(peer).ocsp_response.clone_from(&response);
        }
    }
}
