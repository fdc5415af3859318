//! The codec against bytes written by hand from RFC 7296 section 3, and round trips of everything.

use std::net::{Ipv4Addr, Ipv6Addr};

use adit_ikev2::wire::*;
use hex_literal::hex;
use proptest::prelude::*;

/// An IKE_SA_INIT request as section 3 draws it: SA with one proposal, KE, Ni, and a notification.
const INIT: [u8; 158] = hex!(
    // Header: SPIi, SPIr, next payload SA, version 2.0, IKE_SA_INIT, flags I, message ID 0, length 158.
    "1122334455667788 0000000000000000 21 20 22 08 00000000 0000009e"
    // SA: next KE, length 48. One proposal of 44: number 1, IKE, no SPI, 4 transforms.
    "22000030 0000002c 01010004"
    // ENCR_AES_GCM_16 with 128 bits, PRF_HMAC_SHA2_256, X25519, and a transform that nobody knows.
    "0300000c 01000014 800e0080"
    "03000008 02000005"
    "03000008 0400001f"
    "00000008 f1000007"
    // KE: next Nonce, length 12: X25519, and four octets for the sake of brevity.
    "2800000c 001f0000 deadbeef"
    // Nonce: next Notify, length 20.
    "29000014 000102030405060708090a0b0c0d0e0f"
    // Notify: NAT_DETECTION_SOURCE_IP, last but one; length 28.
    "2900001c 00004004 0102030405060708090a0b0c0d0e0f1011121314"
    // Notify: a status of nobody's, with the critical bit set, which known payloads ignore.
    "00800016 0304f000 cafebabe 00112233445566778899"
);

#[test]
fn a_message_reads_as_it_is_drawn() {
    let message = Message::parse(&INIT).unwrap();
    let header = message.header;
    assert_eq!(header.initiator_spi, IkeSpi(hex!("1122334455667788")));
    assert!(header.responder_spi.is_zero());
    assert_eq!((header.major_version, header.minor_version), (2, 0));
    assert_eq!(header.exchange_type, ExchangeType::IKE_SA_INIT);
    assert_eq!(header.flags, Flags::REQUEST_BY_INITIATOR);
    assert_eq!((header.message_id, header.length), (0, 158));
    assert_eq!(message.encrypted, None);

    let payloads = &message.payloads;
    let [proposal] = &payloads.sa().unwrap().proposals[..] else { panic!() };
    assert_eq!(
        *proposal,
        Proposal {
            number: 1,
            protocol: ProtocolId::IKE,
            spi: Spi::None,
            transforms: vec![
                Transform::with_key_length(
                    TransformType::ENCRYPTION,
                    EncryptionId::ENCR_AES_GCM_16.0,
                    128
                ),
                Transform::new(TransformType::PRF, PrfId::PRF_HMAC_SHA2_256.0),
                Transform::new(TransformType::KEY_EXCHANGE, KeMethod::CURVE25519.0),
                Transform::new(TransformType(0xf1), 7),
            ],
        }
    );
    assert_eq!(
        format!("{:?}", proposal.transforms),
        "[ENCR_AES_GCM_16-128, PRF_HMAC_SHA2_256, CURVE25519, TransformType(241)=7]"
    );
    let ke = payloads.ke().unwrap();
    assert_eq!((ke.method, &ke.data[..]), (KeMethod::CURVE25519, &hex!("deadbeef")[..]));
    assert_eq!(payloads.nonce().unwrap().0.len(), 16);
    let notify = payloads.notify(NotifyType::NAT_DETECTION_SOURCE_IP).unwrap();
    assert_eq!((notify.protocol, notify.spi, notify.data.len()), (ProtocolId::NONE, Spi::None, 20));
    let strange = payloads.notify(NotifyType(0xf000)).unwrap();
    assert_eq!((strange.protocol, strange.spi), (ProtocolId::ESP, Spi::Child(0xcafe_babe)));
    //= RFC 7296 section 2.5: the critical bit of payloads that are understood is ignored.
    assert_eq!(payloads.unsupported_critical(), None);

    let mut written = Message::encode(&header, payloads).unwrap();
    // It is sent as zero.
    written[137] = 0x80;
    assert_eq!(written, INIT);
}

#[test]
fn an_unknown_payload_is_kept_and_reported_if_critical() {
    for critical in [false, true] {
        let unknown = UnknownPayload {
            payload_type: PayloadType(200),
            critical,
            body: b"whatever"[..].into(),
        };
        let sent = Payloads::from(vec![Payload::Unknown(unknown)]);
        let mut bytes = Vec::new();
        let first = sent.encode(&mut bytes).unwrap();
        let received = Payloads::parse(first, &bytes).unwrap();
        assert_eq!(received, sent);
        assert_eq!(received.unsupported_critical(), critical.then_some(PayloadType(200)));
    }
}

/// The header of a message of `len` bytes that begins with a payload of this type.
fn header(first: PayloadType, len: usize) -> Vec<u8> {
    let mut bytes =
        hex!("1122334455667788 8877665544332211 00 20 25 20 00000007 00000000").to_vec();
    bytes[16] = first.0;
    bytes[27] = len as u8;
    bytes
}

fn message(first: PayloadType, body: &[u8]) -> Vec<u8> {
    let mut bytes = header(first, 28 + body.len());
    bytes.extend_from_slice(body);
    bytes
}

#[test]
fn the_encrypted_part_is_found() {
    let sk = message(PayloadType::SK, &hex!("29000010 000102030405060708090a0b"));
    let encrypted = Message::parse(&sk).unwrap().encrypted.unwrap();
    assert_eq!(
        encrypted,
        Encrypted { first_payload: PayloadType::NOTIFY, fragment: None, body: 32..44 }
    );
    let skf = message(PayloadType::SKF, &hex!("29000010 0002 0003 0405060708090a0b"));
    let encrypted = Message::parse(&skf).unwrap().encrypted.unwrap();
    assert_eq!(encrypted.fragment, Some(Fragment { number: 2, total: 3 }));
    assert_eq!(encrypted.body, 36..44);
}

#[track_caller]
fn refused(bytes: &[u8], kind: DecodeErrorKind, offset: usize) {
    let error = Message::parse(bytes).unwrap_err();
    assert_eq!((error.kind, error.offset), (kind, offset), "{error}");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    use DecodeErrorKind as K;
    let none = PayloadType::NONE;
    refused(&[], K::Truncated, 0);
    refused(&header(none, 28)[..27], K::Truncated, 24);
    refused(&header(none, 29), K::BadLength, 24);
    refused(&header(none, 27), K::BadLength, 24);
    let mut version = header(none, 28);
    version[17] = 0x30;
    refused(&version, K::UnsupportedVersion, 17);
    let mut spi = header(none, 28);
    spi[..8].fill(0);
    refused(&spi, K::BadValue, 0);
    // A minor version and the Version flag say nothing: RFC 7296 section 2.5.
    let mut minor = header(none, 28);
    minor[17] = 0x2f;
    minor[19] |= 0x10;
    assert!(Message::parse(&minor).is_ok());

    // The chain says that a payload follows, and there is none; or there is more than it says.
    refused(&header(PayloadType::NOTIFY, 28), K::Truncated, 28);
    refused(&message(none, &[1]), K::Trailing, 28);
    // Generic header: shorter than itself, longer than the message.
    refused(&message(PayloadType::VENDOR_ID, &hex!("00000003")), K::BadLength, 28);
    refused(&message(PayloadType::VENDOR_ID, &hex!("00000006 01")), K::Truncated, 32);

    // RFC 7296 section 3.14: SK is the last payload.
    refused(&message(PayloadType::SK, &hex!("29000008 00010203 00000004")), K::Trailing, 36);
    for (number, total) in [(0, 1), (2, 1), (0, 0)] {
        let skf = [0x29, 0, 0, 10, 0, number, 0, total, 1, 2];
        refused(&message(PayloadType::SKF, &skf), K::BadValue, 32);
    }

    // RFC 7296 section 3.9: nonces of 16 to 256 octets.
    let nonce = |len: usize| {
        let total = (4 + len) as u16;
        let mut body = vec![0, 0];
        body.extend_from_slice(&total.to_be_bytes());
        body.resize(4 + len, 7);
        let mut bytes = message(PayloadType::NONCE, &body);
        let len = (bytes.len() as u32).to_be_bytes();
        bytes[24..28].copy_from_slice(&len);
        bytes
    };
    for len in [0, 15, 257] {
        refused(&nonce(len), K::BadLength, 32);
    }
    for len in [16, 32, 256] {
        assert!(Message::parse(&nonce(len)).is_ok());
    }
    // A second one of what there is one of.
    let twice = hex!("22000008 001f0000 00000008 001f0000");
    refused(&message(PayloadType::KE, &twice), K::Duplicate, 36);

    // SA: an empty one, a proposal that is neither last nor followed, a wrong count of transforms.
    refused(&message(PayloadType::SA, &hex!("00000004")), K::Truncated, 32);
    refused(&message(PayloadType::SA, &hex!("0000000c 01000008 01010000")), K::BadValue, 32);
    refused(&message(PayloadType::SA, &hex!("0000000c 02000008 01010000")), K::Truncated, 40);
    refused(&message(PayloadType::SA, &hex!("0000000c 00000003 01010000")), K::BadLength, 32);
    let two_announced = hex!("00000014 00000010 01010002 00000008 02000005");
    refused(&message(PayloadType::SA, &two_announced), K::BadLength, 48);
    let none_announced = hex!("00000014 00000010 01010000 00000008 02000005");
    refused(&message(PayloadType::SA, &none_announced), K::Trailing, 40);
    let odd_spi = hex!("0000000d 00000009 01030100 11");
    refused(&message(PayloadType::SA, &odd_spi), K::BadLength, 40);

    // Delete: an IKE SA has no SPI, ESP SAs have four octets each.
    refused(&message(PayloadType::DELETE, &hex!("0000000c 03040002 00000001")), K::BadLength, 36);
    refused(
        &message(PayloadType::DELETE, &hex!("00000010 03080001 0000000100000002")),
        K::BadLength,
        36,
    );
    refused(
        &message(PayloadType::DELETE, &hex!("00000010 01080001 0000000100000002")),
        K::Trailing,
        36,
    );

    // TS: addresses and ports the wrong way round, and a length that is not that of the type.
    let ts = |body: &[u8]| message(PayloadType::TSI, body);
    let range = hex!("00000018 01000000 07000010 0000ffff 0a000002 0a000001");
    refused(&ts(&range), K::BadValue, 36);
    let ports = hex!("00000018 01000000 07000010 00500001 0a000001 0a000001");
    refused(&ts(&ports), K::BadValue, 36);
    let opaque = hex!("00000018 01000000 07000010 ffff0000 0a000001 0a000001");
    assert!(Message::parse(&ts(&opaque)).is_ok());
    let short = hex!("00000014 01000000 0700000c 0000ffff 0a000002");
    refused(&ts(&short), K::BadLength, 36);
    let two = hex!("00000018 02000000 07000010 0000ffff 0a000001 0a000001");
    refused(&ts(&two), K::Truncated, 52);
    // CP: an attribute that is longer than the payload.
    refused(&message(PayloadType::CP, &hex!("0000000c 01000000 00010004")), K::Truncated, 40);
    refused(&message(PayloadType::EAP, &hex!("00000007 010203")), K::Truncated, 32);
}

#[test]
fn lists_are_bounded() {
    use DecodeErrorKind as K;
    let long = |first: PayloadType, body: Vec<u8>| {
        let mut bytes = message(first, &body);
        let len = (bytes.len() as u32).to_be_bytes();
        bytes[24..28].copy_from_slice(&len);
        Message::parse(&bytes).unwrap_err().kind
    };
    let vendor_ids = |count: usize| {
        let mut body = hex!("2b000004").repeat(count);
        let last = body.len() - 4;
        body[last] = 0;
        body
    };
    assert_eq!(long(PayloadType::VENDOR_ID, vendor_ids(limits::MAX_PAYLOADS + 1)), K::TooMany);
    let certs = hex!("25000005 04").repeat(limits::MAX_CERTIFICATES + 1);
    assert_eq!(long(PayloadType::CERT, certs), K::TooMany);
    let payload = |body: Vec<u8>| {
        let mut bytes = vec![0, 0];
        bytes.extend_from_slice(&((body.len() + 4) as u16).to_be_bytes());
        bytes.extend(body);
        bytes
    };
    let proposals = hex!("02000008 01010000").repeat(limits::MAX_PROPOSALS + 1);
    assert_eq!(long(PayloadType::SA, payload(proposals)), K::TooMany);
    let mut proposal = hex!("02000800 010100ff").to_vec();
    proposal.extend(hex!("03000008 02000005").repeat(254));
    proposal.extend(hex!("00000008 02000005"));
    assert_eq!(proposal.len(), 0x800);
    assert_eq!(long(PayloadType::SA, payload(proposal.repeat(3))), K::TooMany);
    let mut delete = hex!("03040401").to_vec();
    delete.extend([0; 4].repeat(limits::MAX_DELETED_SPIS + 1));
    assert_eq!(long(PayloadType::DELETE, payload(delete)), K::TooMany);
    let mut cp = hex!("01000000").to_vec();
    cp.extend(hex!("00010000").repeat(limits::MAX_CONFIGURATION_ATTRIBUTES + 1));
    assert_eq!(long(PayloadType::CP, payload(cp)), K::TooMany);
}

#[test]
fn what_does_not_fit_its_length_is_not_sent() {
    let certificate =
        Certificate { encoding: CertEncoding::X509_SIGNATURE, data: vec![0; 65_536].into() };
    let payloads = Payloads::from(vec![Payload::Certificate(certificate)]);
    assert!(payloads.encode(&mut Vec::new()).is_err());
    let host = TrafficSelector::host(Ipv4Addr::LOCALHOST.into());
    let selectors = std::iter::repeat_n(host, 256).collect();
    let payloads = Payloads::from(vec![Payload::TsInitiator(selectors)]);
    assert!(payloads.encode(&mut Vec::new()).is_err());
}

fn bytes(range: std::ops::Range<usize>) -> impl Strategy<Value = std::borrow::Cow<'static, [u8]>> {
    proptest::collection::vec(any::<u8>(), range).prop_map(Into::into)
}

fn spi() -> impl Strategy<Value = Spi> {
    prop_oneof![
        Just(Spi::None),
        any::<u32>().prop_map(Spi::Child),
        any::<[u8; 8]>().prop_map(|spi| Spi::Ike(IkeSpi(spi))),
    ]
}

fn transform() -> impl Strategy<Value = Transform> {
    let value = prop_oneof![
        any::<u16>().prop_map(AttributeValue::Short),
        proptest::collection::vec(any::<u8>(), 0..10).prop_map(AttributeValue::Long),
    ];
    let attribute = (0..0x8000_u16, value)
        .prop_map(|(attribute_type, value)| Attribute { attribute_type, value });
    (any::<u8>(), any::<u16>(), proptest::collection::vec(attribute, 0..4)).prop_map(
        |(transform_type, id, attributes)| Transform {
            transform_type: TransformType(transform_type),
            id,
            attributes,
        },
    )
}

fn sa() -> impl Strategy<Value = SecurityAssociation> {
    let proposal = (any::<u8>(), any::<u8>(), spi(), proptest::collection::vec(transform(), 0..6))
        .prop_map(|(number, protocol, spi, transforms)| Proposal {
            number,
            protocol: ProtocolId(protocol),
            spi,
            transforms,
        });
    proptest::collection::vec(proposal, 1..6)
        .prop_map(|proposals| SecurityAssociation { proposals })
}

fn selectors() -> impl Strategy<Value = TrafficSelectors> {
    let v4 = (any::<u32>(), any::<u32>()).prop_map(|(a, b)| {
        let [a, b] = [a.min(b), a.max(b)].map(|bits| Ipv4Addr::from_bits(bits).into());
        AddressRange::new(a, b).unwrap()
    });
    let v6 = (any::<u128>(), any::<u128>()).prop_map(|(a, b)| {
        let [a, b] = [a.min(b), a.max(b)].map(|bits| Ipv6Addr::from_bits(bits).into());
        AddressRange::new(a, b).unwrap()
    });
    let range = (prop_oneof![v4, v6], any::<u8>(), any::<u16>(), any::<u16>()).prop_map(
        |(addresses, protocol, a, b)| {
            let selector = TrafficSelector::any(addresses).with_protocol(protocol);
            Selector::Range(selector.with_ports(a.min(b), a.max(b)).unwrap())
        },
    );
    let unknown =
        (9..=255_u8, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..20)).prop_map(
            |(ts_type, second, body)| Selector::Unknown { ts_type: TsType(ts_type), second, body },
        );
    proptest::collection::vec(prop_oneof![range, unknown], 0..8)
        .prop_map(|selectors| TrafficSelectors { selectors })
}

fn configuration() -> impl Strategy<Value = Configuration<'static>> {
    let attribute = (0..0x8000_u16, bytes(0..20)).prop_map(|(attribute_type, value)| {
        ConfigurationAttribute { attribute_type: ConfigurationAttributeType(attribute_type), value }
    });
    (any::<u8>(), proptest::collection::vec(attribute, 0..8)).prop_map(|(cfg_type, attributes)| {
        Configuration { cfg_type: CfgType(cfg_type), attributes }
    })
}

fn payload() -> impl Strategy<Value = Payload<'static>> {
    let id = || {
        (any::<u8>(), bytes(0..40))
            .prop_map(|(id_type, data)| Identification { id_type: IdType(id_type), data })
    };
    prop_oneof![
        sa().prop_map(Payload::SecurityAssociation),
        (any::<u16>(), bytes(0..80)).prop_map(|(method, data)| Payload::KeyExchange(KeyExchange {
            method: KeMethod(method),
            data
        })),
        id().prop_map(Payload::IdInitiator),
        id().prop_map(Payload::IdResponder),
        (any::<u8>(), bytes(0..80)).prop_map(|(encoding, data)| Payload::Certificate(
            Certificate { encoding: CertEncoding(encoding), data }
        )),
        (any::<u8>(), bytes(0..80)).prop_map(|(encoding, authorities)| {
            Payload::CertificateRequest(CertificateRequest {
                encoding: CertEncoding(encoding),
                authorities,
            })
        }),
        (any::<u8>(), bytes(0..80)).prop_map(|(method, data)| Payload::Authentication(
            Authentication { method: AuthMethod(method), data }
        )),
        bytes(16..257).prop_map(|nonce| Payload::Nonce(Nonce(nonce))),
        (any::<u8>(), spi(), any::<u16>(), bytes(0..40)).prop_map(
            |(protocol, spi, notify_type, data)| Payload::Notify(Notify {
                protocol: ProtocolId(protocol),
                spi,
                notify_type: NotifyType(notify_type),
                data,
            })
        ),
        proptest::collection::vec(any::<u32>(), 0..10)
            .prop_map(|spis| Payload::Delete(Delete::esp(spis))),
        Just(Payload::Delete(Delete::ike_sa())),
        bytes(0..40).prop_map(|data| Payload::VendorId(VendorId(data))),
        selectors().prop_map(Payload::TsInitiator),
        selectors().prop_map(Payload::TsResponder),
        configuration().prop_map(Payload::Configuration),
        bytes(4..40).prop_map(|data| Payload::Eap(Eap(data))),
        (54..=255_u8, any::<bool>(), bytes(0..40)).prop_map(|(number, critical, body)| {
            Payload::Unknown(UnknownPayload { payload_type: PayloadType(number), critical, body })
        }),
    ]
}

/// Payloads of which a message may hold several.
fn is_plural(payload: &Payload<'_>) -> bool {
    matches!(
        payload,
        Payload::Certificate(_)
            | Payload::CertificateRequest(_)
            | Payload::Notify(_)
            | Payload::Delete(_)
            | Payload::VendorId(_)
            | Payload::Unknown(_)
    )
}

proptest! {
    #[test]
    fn every_message_survives_a_round_trip(
        spis in any::<([u8; 8], [u8; 8])>(),
        exchange in any::<u8>(),
        (initiator, response) in any::<(bool, bool)>(),
        message_id in any::<u32>(),
        payloads in proptest::collection::vec(payload(), 0..8),
    ) {
        prop_assume!(spis.0 != [0; 8]);
        let mut seen = Vec::new();
        let mut distinct = payloads;
        distinct.retain(|payload| {
            let first = !seen.contains(&payload.payload_type());
            seen.push(payload.payload_type());
            first || is_plural(payload)
        });
        let payloads = Payloads::from(distinct);
        let flags = Flags { initiator, response };
        let (exchange, spis) = (ExchangeType(exchange), (IkeSpi(spis.0), IkeSpi(spis.1)));
        let header = Header::new(spis.0, spis.1, exchange, flags, message_id);
        let datagram = Message::encode(&header, &payloads).unwrap();
        let message = Message::parse(&datagram).unwrap();
        prop_assert_eq!(&message.payloads, &payloads);
        let length = datagram.len() as u32;
        let next_payload =
            payloads.iter().next().map_or(PayloadType::NONE, Payload::payload_type);
        prop_assert_eq!(message.header, Header { length, next_payload, ..header });
        prop_assert_eq!(message.payloads.clone().into_owned(), payloads);
        // And nothing shorter is a message.
        for cut in 0..datagram.len() {
            prop_assert!(Message::parse(&datagram[..cut]).is_err());
        }
    }

    #[test]
    fn selectors_meet_where_packets_match_both(
        a in selectors(), b in selectors(), address in any::<u32>(), protocol in any::<u8>(),
        port in any::<Option<u16>>(),
    ) {
        let address = Ipv4Addr::from_bits(address).into();
        for a in a.ranges() {
            for b in b.ranges() {
                let both =
                    a.contains(address, protocol, port) && b.contains(address, protocol, port);
                let common = a.intersection(b);
                prop_assert_eq!(common, b.intersection(a));
                prop_assert_eq!(
                    common.is_some_and(|common| common.contains(address, protocol, port)), both
                );
                if let Some(common) = common {
                    prop_assert!(a.covers(common) && b.covers(common));
                }
            }
        }
    }
}
