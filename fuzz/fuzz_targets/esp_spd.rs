//! Policy lookup beside a walk of the list, while policies come and go.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use adit_esp::NextHeader;
use adit_esp::ip::{Fragment, IpPacket, Upper};
use adit_esp::selector::{PortRange, Selectors, TrafficSelector};
use adit_esp::spd::{Action, Direction, Policy, PolicyId, Spd};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Operation {
    Insert { order: u8, local: Vec<Range>, remote: Vec<Range>, discard: bool },
    Remove(u8),
    Look { source: Address, destination: Address, port: Option<u16> },
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Address {
    V4(u32),
    V6(u128),
    /// Close together, so that policies overlap.
    Near(u8),
}

#[derive(Arbitrary, Debug)]
struct Range(Address, Address, Option<(u8, u16, u16)>);

impl Address {
    fn ip(self) -> IpAddr {
        match self {
            Self::V4(bits) => Ipv4Addr::from_bits(bits).into(),
            Self::V6(bits) => Ipv6Addr::from_bits(bits).into(),
            Self::Near(bits) => Ipv4Addr::from_bits(bits.into()).into(),
        }
    }
}

fn selectors(ranges: &[Range]) -> Vec<TrafficSelector> {
    // A range may have its ends in the wrong order or of different families: it matches nothing then.
    let selector = |Range(start, end, ports): &Range| {
        let mut selector = TrafficSelector::range(start.ip(), end.ip());
        if let Some((protocol, start, end)) = *ports {
            selector.protocol = Some(NextHeader(protocol));
            selector.ports = PortRange { start, end };
        }
        selector
    };
    ranges.iter().map(selector).collect()
}

fuzz_target!(|operations: Vec<Operation>| {
    let mut spd = Spd::new();
    let mut list: Vec<(u32, PolicyId, Selectors, Action)> = Vec::new();
    for operation in operations {
        match operation {
            Operation::Insert { order, local, remote, discard } => {
                let action = if discard { Action::Discard } else { Action::Bypass };
                let selectors = Selectors { local: selectors(&local), remote: selectors(&remote) };
                let order = order.into();
                let direction = Direction::Both;
                let policy = Policy { order, selectors: selectors.clone(), action, direction };
                let id = spd.insert(policy);
                list.push((order, id, selectors, action));
                list.sort_by_key(|(order, id, ..)| (*order, *id));
            }
            Operation::Remove(which) if !list.is_empty() => {
                let (_, id, selectors, _) = list.remove(usize::from(which) % list.len());
                assert_eq!(spd.remove(id).map(|policy| policy.selectors), Some(selectors));
            }
            Operation::Remove(_) => {}
            Operation::Look { source, destination, port } => {
                let packet = IpPacket {
                    source: source.ip(),
                    destination: destination.ip(),
                    protocol: NextHeader::UDP,
                    upper: port.map_or(Upper::Opaque, |port| Upper::Ports {
                        source: port,
                        destination: port.rotate_left(8),
                    }),
                    total_len: 28,
                    header_len: 20,
                    traffic_class: 0,
                    dont_fragment: false,
                    fragment: Fragment::Whole,
                };
                let first = |admits: fn(&Selectors, &IpPacket) -> bool| {
                    let found = list.iter().find(|(_, _, selectors, _)| admits(selectors, &packet));
                    found.map(|(_, id, _, action)| (*id, *action))
                };
                assert_eq!(spd.outbound(&packet), first(Selectors::admit_outbound));
                assert_eq!(spd.inbound(&packet), first(Selectors::admit_inbound));
            }
        }
        assert_eq!(spd.len(), list.len());
    }
});
