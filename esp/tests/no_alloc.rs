//! Sealing and opening ask the heap for nothing.

mod common;

use adit_esp::NextHeader;
use adit_esp::selector::Selectors;
use adit_testkit::alloc::{Counting, allocations};
use common::{config, everything, inbound, ipv4, outbound};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn no_packet_allocates() {
    for (provider, suite) in everything() {
        let mut sender = outbound(&config(suite), provider);
        let mut receiver = inbound(&config(suite), provider).with_selectors(Selectors::any());
        let packet = ipv4(1400);
        let at = sender.headroom();
        let mut buf = vec![0; at + 1400 + sender.tailroom(1400)];
        let mut round = || {
            buf[at..at + 1400].copy_from_slice(&packet);
            let esp = sender.seal(&mut buf, at..at + 1400, NextHeader::IPV4).unwrap();
            receiver.open(&mut buf[esp.clone()]).unwrap();
            receiver.open(&mut buf[esp]).unwrap_err();
        };
        // Providers find out on first use what the processor can do.
        round();
        let before = allocations();
        for _ in 0..1000 {
            round();
        }
        assert_eq!(allocations() - before, 0, "{suite:?} with {}", provider.name);
    }
    let before = allocations();
    drop(Box::new(1));
    assert_eq!(allocations() - before, 1, "the counter counts");
}
