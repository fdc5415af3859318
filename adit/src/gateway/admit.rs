//! What an authenticated client gets: answers [`Ask::Admit`](adit_ikev2::Ask::Admit).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use adit_ikev2::negotiate::{ConfigurationReply, ConfigurationRequest};
use adit_ikev2::wire::TrafficSelector;
use adit_ikev2::{Admission, AuthenticatedPeer, ChildConfig, ChildRefusal, Deny, SaId};
use adit_radius::Authorization;

use super::Gateway;
use crate::aggregation::Aggregation;
use crate::client::subnet_selector;

impl Gateway {
    /// Leases addresses of the families that the client asks for, and says what it may reach.
    pub(super) fn admit(
        &mut self,
        sa: SaId,
        peer: &AuthenticatedPeer,
        request: Option<&ConfigurationRequest>,
    ) -> Result<Admission, Deny> {
        let Some(session) = self.sessions.get(&sa) else {
            return Err(Deny::because("the session is gone"));
        };
        let authorization = session.authorization.clone();
        let Some(request) = request else {
            // Without an inner address there is nothing that its packets could come from.
            let child = Err(ChildRefusal::FailedCpRequired);
            return Ok(Admission { configuration: None, child });
        };
        let owner = session.user.clone().unwrap_or_else(|| peer.identity().data().to_vec());
        let ipv4 = (!request.ipv4.is_empty() && self.has_room(true))
            .then(|| self.lease_ipv4(&owner, authorization.as_deref()))
            .flatten();
        let ipv6 = (!request.ipv6.is_empty() && self.has_room(false))
            .then(|| self.lease_ipv6(&owner, authorization.as_deref()))
            .flatten();
        let addresses: Vec<IpAddr> =
            ipv4.map(IpAddr::V4).into_iter().chain(ipv6.map(IpAddr::V6)).collect();
        if let Some(session) = self.sessions.get_mut(&sa) {
            session.addresses.clone_from(&addresses);
        }
        self.with_ipv4 += u32::from(ipv4.is_some());
        self.with_ipv6 += u32::from(ipv6.is_some());
        if addresses.is_empty() {
            let child = Err(ChildRefusal::InternalAddressFailure);
            return Ok(Admission { configuration: None, child });
        }

        let reachable = |family: bool| addresses.iter().any(|address| address.is_ipv4() == family);
        let subnets = self.config.subnets.iter().filter(|net| reachable(net.addr().is_ipv4()));
        let local: Vec<TrafficSelector> = subnets.clone().filter_map(subnet_selector).collect();
        let mut dns = self.config.dns.clone();
        if let Some(granted) = &authorization {
            let granted_v4 = granted.dns_servers.iter().copied().map(IpAddr::V4);
            let granted_v6 = granted.dns_servers_ipv6.iter().copied().map(IpAddr::V6);
            let granted: Vec<IpAddr> = granted_v4.chain(granted_v6).collect();
            if !granted.is_empty() {
                dns = granted;
            }
        }
        let configuration = ConfigurationReply {
            ipv4: ipv4.into_iter().collect(),
            ipv6: ipv6.into_iter().map(|address| (address, 128)).collect(),
            dns: if request.dns { dns } else { Vec::new() },
            subnets: if request.subnets {
                subnets.map(|net| (net.network(), net.prefix_len())).collect()
            } else {
                Vec::new()
            },
            ..ConfigurationReply::default()
        };
        let child = ChildConfig {
            proposals: self.config.policy.esp_proposals.clone(),
            lifetime: self.config.policy.child_lifetime,
            aggfrag: self.config.policy.aggregation.map(Aggregation::to_ike),
            ..ChildConfig::tunnel(
                local,
                addresses.iter().copied().map(TrafficSelector::host).collect(),
            )
        };
        Ok(Admission { configuration: Some(configuration), child: Ok(child) })
    }

    /// Gives back what a client had.
    pub(super) fn give_back(&mut self, sa: SaId) {
        let Some(session) = self.sessions.get_mut(&sa) else { return };
        for address in session.addresses.drain(..) {
            self.pool.release(address);
            let count = if address.is_ipv4() { &mut self.with_ipv4 } else { &mut self.with_ipv6 };
            *count = count.saturating_sub(1);
        }
    }

    /// Whether one more client may have an address of this family.
    fn has_room(&self, ipv4: bool) -> bool {
        let taken = if ipv4 { self.with_ipv4 } else { self.with_ipv6 };
        taken < self.config.limits.connections
    }

    fn lease_ipv4(&mut self, owner: &[u8], granted: Option<&Authorization>) -> Option<Ipv4Addr> {
        match granted.and_then(|granted| granted.framed_ip_address) {
            Some(address) => self.pool.reserve(address.into(), owner).then_some(address),
            None => self.pool.lease_ipv4(owner),
        }
    }

    fn lease_ipv6(&mut self, owner: &[u8], granted: Option<&Authorization>) -> Option<Ipv6Addr> {
        match granted.and_then(|granted| granted.framed_ipv6_addresses.first().copied()) {
            Some(address) => self.pool.reserve(address.into(), owner).then_some(address),
            None => self.pool.lease_ipv6(owner),
        }
    }
}
