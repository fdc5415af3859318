//! Every reader of a packet on any octets: no panic, no attribute outside of the packet, and a list that
//! is written reads the same.
#![no_main]

use adit_platform::Secret;
use adit_radius::{
    AttributeList, AttributeType, Code, MessageAuthenticator, Packet, VendorType, mppe, secure,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let secret = Secret::copy_from(b"testing123");
    let Ok(packet) = Packet::parse(octets) else { return };
    let attributes = packet.attributes();
    let mut list = AttributeList::new();
    for attribute in attributes.iter() {
        assert_eq!(octets[attribute.offset], attribute.kind.0);
        let value = &octets[attribute.offset + 2..][..attribute.value.len()];
        assert_eq!(value, attribute.value);
        assert!(!attribute.text().chars().any(char::is_control));
        let _ = secure::reveal_password(&attribute, &[7; 16], &secret);
        list.push(attribute.kind, attribute.value).expect("it fitted before");
    }
    assert_eq!(list.view().as_bytes(), attributes.as_bytes());
    for kind in (0..=255).map(AttributeType) {
        let _ = (attributes.one(kind), attributes.u32(kind), attributes.text(kind));
    }
    let _ = attributes.eap();
    for kind in [VendorType::MS_MPPE_SEND_KEY, VendorType::MS_PRIMARY_DNS_SERVER] {
        assert!(attributes.vendor(kind).all(|inner| inner.value.len() <= 247));
    }
    if let Ok(Some(msk)) = mppe::msk(attributes, &[7; 16], &secret) {
        assert_eq!(msk.len(), mppe::MSK_LEN);
    }
    // With the right secret it is believed, whatever is in it.
    if let Ok(sealed) = secure::seal_reply(Code::ACCESS_ACCEPT, 1, &[7; 16], list.view(), &secret) {
        let sealed = Packet::parse(&sealed).expect("sealed by us");
        let policy = MessageAuthenticator::Required;
        let believed = secure::verify_reply(&sealed, &[7; 16], &secret, policy);
        let another = attributes.all(AttributeType::MESSAGE_AUTHENTICATOR).next().is_some();
        assert_eq!(believed.is_err(), another);
    }
});
