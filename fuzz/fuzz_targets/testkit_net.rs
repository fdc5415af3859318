//! The virtual network under any order of sends, receptions, rebindings and changes of weather: it
//! neither loses a datagram without counting it nor delivers one before its time.
//!
//! It also shows how a target for a machine is written here: operations rather than bytes, and the
//! invariants checked after each of them.
#![no_main]

use std::net::SocketAddr;
use std::time::Duration;

use adit_platform::Instant;
use adit_testkit::net::{Conditions, Datagram, Network};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Operation {
    Send { inward: bool, port: u16, payload: Vec<u8> },
    Wait { millis: u16 },
    Rebind,
    Weather { percent: u8, mtu: u16 },
}

fuzz_target!(|input: (u64, Vec<Operation>)| {
    let (seed, operations) = input;
    let inside: SocketAddr = "192.168.1.2:500".parse().expect("a literal address");
    let outside: SocketAddr = "10.0.0.9:500".parse().expect("a literal address");
    let peer: SocketAddr = "10.0.0.2:500".parse().expect("a literal address");
    let mut now = Instant::default();
    let mut net = Network::new(seed, Conditions::IDEAL);
    net.add_nat(inside.ip(), outside.ip());

    for operation in operations {
        match operation {
            Operation::Send { inward, port, payload } => {
                let (from, mut to) = if inward { (peer, outside) } else { (inside, peer) };
                to.set_port(port);
                net.send(now, Datagram { from, to, payload });
            }
            Operation::Wait { millis } => {
                now = now + Duration::from_millis(millis.into());
                while let Some(datagram) = net.receive(now) {
                    assert_ne!(
                        datagram.to.ip(),
                        outside.ip(),
                        "the NAT's own address is not a node"
                    );
                    assert_ne!(datagram.from.ip(), inside.ip(), "the inside address never shows");
                }
                assert!(net.next_arrival().is_none_or(|at| at > now));
            }
            Operation::Rebind => net.rebind_nat(inside.ip()),
            Operation::Weather { percent, mtu } => {
                net.conditions =
                    Conditions { mtu: mtu.into(), ..Conditions::hostile(percent % 101) };
            }
        }
    }

    while let Some(at) = net.next_arrival() {
        while net.receive(at).is_some() {}
    }
    let c = net.counters();
    assert_eq!(c.delivered + c.filtered, c.sent - c.lost - c.too_big + c.duplicated);
});
