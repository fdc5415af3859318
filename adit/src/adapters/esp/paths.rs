//! How long packets may be on the way to each peer.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::IpAddr;

use adit_esp::pmtu::PathMtu;
use adit_esp::sad::ChildId;
use adit_platform::Instant;

use crate::config::PathMtuPolicy;

/// What is known of the path to each address that a tunnel leads to. Tunnels to one address share it, as they
/// share the way: RFC 8201 section 5.2.
#[derive(Debug)]
pub(super) struct Paths {
    policy: PathMtuPolicy,
    known: BTreeMap<IpAddr, Known>,
    /// When routers' reports cease to be believed.
    ages: BTreeSet<(Instant, IpAddr)>,
}

#[derive(Debug)]
struct Known {
    mtu: PathMtu,
    /// The entry in `ages`.
    expires: Option<Instant>,
    tunnels: Vec<ChildId>,
}

/// Where a change comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Word {
    /// The host knows its own links.
    OfHost,
    /// A router that nobody authenticates.
    OfRouter,
}

impl Paths {
    pub(super) fn new(policy: PathMtuPolicy) -> Self {
        Self { policy, known: BTreeMap::new(), ages: BTreeSet::new() }
    }

    pub(super) fn policy(&self) -> &PathMtuPolicy {
        &self.policy
    }

    /// A tunnel leads to `remote` from now on.
    pub(super) fn enter(&mut self, remote: IpAddr, tunnel: ChildId) {
        let PathMtuPolicy { link, minimum, .. } = self.policy;
        //= RFC 8200 section 5: every link of IPv6 carries 1280 bytes.
        let minimum = if remote.is_ipv6() { minimum.max(1280) } else { minimum };
        let known = self.known.entry(remote).or_insert_with(|| Known {
            mtu: PathMtu::new(link, minimum),
            expires: None,
            tunnels: Vec::new(),
        });
        if !known.tunnels.contains(&tunnel) {
            known.tunnels.push(tunnel);
        }
    }

    /// A tunnel leads to `remote` no more.
    pub(super) fn leave(&mut self, remote: IpAddr, tunnel: ChildId) {
        let Some(known) = self.known.get_mut(&remote) else { return };
        known.tunnels.retain(|other| *other != tunnel);
        if known.tunnels.is_empty() {
            if let Some(at) = known.expires {
                self.ages.remove(&(at, remote));
            }
            self.known.remove(&remote);
        }
    }

    pub(super) fn leads_to(&self, remote: IpAddr) -> bool {
        self.known.contains_key(&remote)
    }

    /// The tunnels to `remote`.
    pub(super) fn tunnels(&self, remote: IpAddr) -> Vec<ChildId> {
        self.known.get(&remote).map(|known| known.tunnels.clone()).unwrap_or_default()
    }

    /// The longest UDP payload that the path to `remote` carries whole, in bytes.
    pub(super) fn payload(&self, now: Instant, remote: IpAddr) -> usize {
        let mtu = self.known.get(&remote).map_or(self.policy.link, |known| known.mtu.current(now));
        let headers = if remote.is_ipv4() { 20 } else { 40 } + 8;
        mtu.saturating_sub(headers)
    }

    /// Somebody says that the path to `remote` carries IP packets of `mtu` bytes.
    pub(super) fn learn(&mut self, now: Instant, remote: IpAddr, mtu: usize, word: Word) {
        let Some(known) = self.known.get_mut(&remote) else { return };
        match word {
            Word::OfHost => known.mtu.set_link(mtu),
            Word::OfRouter => {
                known.mtu.report(now, mtu);
            }
        }
        let expires = known.mtu.expires(now);
        if expires != known.expires {
            if let Some(before) = core::mem::replace(&mut known.expires, expires) {
                self.ages.remove(&(before, remote));
            }
            self.ages.extend(expires.map(|at| (at, remote)));
        }
    }

    /// The next path whose report has ceased to be believed by `now`.
    pub(super) fn poll_aged(&mut self, now: Instant) -> Option<IpAddr> {
        let (_, remote) = self.ages.first().copied().filter(|(at, _)| *at <= now)?;
        self.ages.pop_first();
        if let Some(known) = self.known.get_mut(&remote) {
            known.expires = None;
        }
        Some(remote)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.ages.first().map(|(at, _)| *at)
    }
}
