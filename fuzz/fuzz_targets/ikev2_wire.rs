//! The codec of IKE messages: it never panics, says where an error is, and writes again what it read.
#![no_main]

use adit_ikev2::wire::{Message, PayloadType, Payloads};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    match Message::parse(input) {
        Ok(message) => match &message.encrypted {
            Some(encrypted) => assert_eq!(encrypted.body.end, input.len()),
            None => {
                let written = Message::encode(&message.header, &message.payloads).unwrap();
                assert_eq!(Message::parse(&written).unwrap().payloads, message.payloads);
            }
        },
        Err(error) => assert!(error.offset <= input.len(), "{error}"),
    }
    // The inside of an Encrypted payload: its first octet says what it begins with.
    if let Some((first, content)) = input.split_first() {
        match Payloads::parse(PayloadType(*first), content) {
            Ok(payloads) => {
                let mut written = Vec::new();
                let first = payloads.encode(&mut written).unwrap();
                assert_eq!(Payloads::parse(first, &written).unwrap(), payloads);
            }
            Err(error) => assert!(error.offset <= content.len(), "{error}"),
        }
    }
});
