//! Messages bent in every way: the codec never panics, and what it accepts it can write again.

use adit_ikev2::wire::*;
use adit_testkit::mutate::{self, Field};

/// One of each payload.
fn message() -> Vec<u8> {
    let transforms = vec![
        Transform::with_key_length(TransformType::ENCRYPTION, EncryptionId::ENCR_AES_CBC.0, 256),
        Transform {
            transform_type: TransformType::PRF,
            id: 5,
            attributes: vec![Attribute {
                attribute_type: 77,
                value: AttributeValue::Long(vec![1, 2, 3]),
            }],
        },
    ];
    let proposal =
        |number, protocol, spi| Proposal { number, protocol, spi, transforms: transforms.clone() };
    let sa = SecurityAssociation {
        proposals: vec![
            proposal(1, ProtocolId::IKE, Spi::Ike(IkeSpi([9; 8]))),
            proposal(2, ProtocolId::ESP, Spi::Child(0x0102_0304)),
        ],
    };
    let id = || Identification { id_type: IdType::FQDN, data: b"gw.lab.test"[..].into() };
    let ts = || {
        [TrafficSelector::ANY_V4, TrafficSelector::ANY_V6].into_iter().collect::<TrafficSelectors>()
    };
    let configuration = Configuration {
        cfg_type: CfgType::REPLY,
        attributes: vec![ConfigurationAttribute {
            attribute_type: ConfigurationAttributeType::INTERNAL_IP4_ADDRESS,
            value: vec![10, 0, 0, 1].into(),
        }],
    };
    let payloads = Payloads::from(vec![
        Payload::SecurityAssociation(sa),
        Payload::KeyExchange(KeyExchange { method: KeMethod::CURVE25519, data: vec![5; 8].into() }),
        Payload::Nonce(Nonce(vec![6; 16].into())),
        Payload::IdInitiator(id()),
        Payload::IdResponder(id()),
        Payload::Certificate(Certificate {
            encoding: CertEncoding::X509_SIGNATURE,
            data: vec![0x30, 0].into(),
        }),
        Payload::CertificateRequest(CertificateRequest {
            encoding: CertEncoding::X509_SIGNATURE,
            authorities: vec![7; 20].into(),
        }),
        Payload::Authentication(Authentication {
            method: AuthMethod::DIGITAL_SIGNATURE,
            data: vec![8; 9].into(),
        }),
        Payload::Notify(Notify::child(NotifyType::REKEY_SA, ProtocolId::ESP, 0x0506_0708)),
        Payload::Delete(Delete::esp(vec![1, 2])),
        Payload::VendorId(VendorId(b"someone"[..].into())),
        Payload::TsInitiator(ts()),
        Payload::TsResponder(ts()),
        Payload::Configuration(configuration),
        Payload::Eap(Eap(vec![1, 2, 0, 4].into())),
    ]);
    let flags = Flags::REQUEST_BY_INITIATOR;
    let header = Header::new(IkeSpi([1; 8]), IkeSpi([2; 8]), ExchangeType::IKE_AUTH, flags, 1);
    Message::encode(&header, &payloads).unwrap()
}

/// The Length of the header and the Payload Length of each payload in the chain, and all other length and
/// count fields of [`message`]: found by their place in the bytes.
fn fields(message: &[u8]) -> Vec<Field> {
    let mut fields = vec![Field::u32(24)];
    let mut at = 28;
    while at < message.len() {
        fields.push(Field::u16(at + 2));
        at += usize::from(u16::from_be_bytes([message[at + 2], message[at + 3]]));
    }
    // In the SA payload, right behind the header: two proposals, their transforms, and a TLV attribute.
    fields.extend([34, 46, 50, 58, 66].map(Field::u16));
    fields.extend([38, 39].map(Field::u8));
    fields
}

fn parse(bytes: &[u8]) {
    let _ = Header::parse(bytes);
    if let Ok(message) = Message::parse(bytes) {
        if let Some(encrypted) = &message.encrypted {
            assert!(
                encrypted.body.start <= encrypted.body.end && encrypted.body.end == bytes.len()
            );
            return;
        }
        let written = Message::encode(&message.header, &message.payloads).unwrap();
        let again = Message::parse(&written).unwrap();
        assert_eq!(again.payloads, message.payloads);
    }
    // The inside of an Encrypted payload, whatever it says that it begins with.
    for first in [PayloadType::SA, PayloadType::NOTIFY, PayloadType::TSI, PayloadType(99)] {
        if let Err(error) = Payloads::parse(first, bytes) {
            assert!(error.offset <= bytes.len(), "{error}");
        }
    }
}

#[test]
fn a_bent_message_is_read_or_refused() {
    let valid = message();
    assert!(Message::parse(&valid).is_ok());
    mutate::all(&valid, &fields(&valid), 7, parse);
}

#[test]
fn a_bent_encrypted_message_is_read_or_refused() {
    for sk in [PayloadType::SK, PayloadType::SKF] {
        let mut valid = message()[..28].to_vec();
        valid[16] = sk.0;
        valid.extend([0x29, 0, 0, 44, 0, 1, 0, 2]);
        valid.extend([0xaa; 36]);
        valid[24..28].copy_from_slice(&72_u32.to_be_bytes());
        assert!(Message::parse(&valid).unwrap().encrypted.is_some());
        let fields = [Field::u32(24), Field::u16(30), Field::u16(32), Field::u16(34)];
        mutate::all(&valid, &fields, 8, parse);
    }
}

#[test]
fn nothing_shorter_is_a_message() {
    let valid = message();
    for cut in mutate::truncations(&valid) {
        let error = Message::parse(cut).unwrap_err();
        assert!(error.offset <= cut.len().max(24), "{error}");
    }
}
