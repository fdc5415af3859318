//! The inner IP packet's headers: what is said of them lies within the bytes.
#![no_main]

use adit_esp::ip::IpPacket;
use adit_esp::selector::Selectors;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    match IpPacket::parse(input) {
        Ok(packet) => {
            assert!(packet.header_len <= packet.total_len && packet.total_len <= input.len());
            // Bytes behind the packet are not looked at.
            assert_eq!(IpPacket::parse(&input[..packet.total_len]), Ok(packet));
            assert!(Selectors::any().admit_inbound(&packet));
            assert!(Selectors::any().admit_outbound(&packet));
        }
        Err(error) => assert!(error.offset <= input.len(), "{error}"),
    }
});
