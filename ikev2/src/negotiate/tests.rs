//! Offers, choices and their check, by RFC 7296 sections 2.7, 2.9, 3.3 and 3.15.

use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use adit_platform::aead::AeadAlgorithm;
use adit_platform::cipher::CipherAlgorithm;
use adit_platform::kex::KexAlgorithm;
use adit_platform::mac::MacAlgorithm;
use adit_platform::prf::PrfAlgorithm;
use adit_platform::{Provider, Suite};

use super::choice::{ChoiceError, NoProposalChosen};
use super::*;
use crate::wire::{
    Attribute, AttributeValue, CfgType, Configuration, ConfigurationAttribute,
    ConfigurationAttributeType, EncryptionId, IkeSpi, IntegrityId, KeMethod, PrfId, Proposal,
    ProtocolId, SecurityAssociation, Selector, Spi, TrafficSelector, TrafficSelectors, Transform,
    TransformType as T, TsType,
};

const PROVIDER: Provider = adit_platform::ring::PROVIDER;
const GCM256: Suite = Suite::Aead(AeadAlgorithm::Aes256Gcm16);
const GCM128: Suite = Suite::Aead(AeadAlgorithm::Aes128Gcm16);
const CBC256: Suite = Suite::CipherMac(CipherAlgorithm::Aes256Cbc, MacAlgorithm::HmacSha2_256_128);
const CBC128_512: Suite =
    Suite::CipherMac(CipherAlgorithm::Aes128Cbc, MacAlgorithm::HmacSha2_512_256);

fn ike(suites: &[Suite]) -> IkeProposal {
    IkeProposal {
        suites: suites.to_vec(),
        prfs: vec![PrfAlgorithm::HmacSha2_256],
        key_exchanges: vec![KexAlgorithm::X25519, KexAlgorithm::P256],
    }
}

fn offer(proposals: &[IkeProposal]) -> SecurityAssociation {
    IkeProposal::offer(proposals, &PROVIDER, Spi::None)
}

fn select(
    ours: &[IkeProposal],
    theirs: &SecurityAssociation,
) -> Result<IkeChoice, NoProposalChosen> {
    IkeChoice::select(ours, &PROVIDER, theirs, None)
}

fn transform(t: T, id: u16) -> Transform {
    Transform::new(t, id)
}

fn aes(id: EncryptionId, bits: u16) -> Transform {
    Transform::with_key_length(T::ENCRYPTION, id.0, bits)
}

fn one(transforms: &[Transform]) -> SecurityAssociation {
    let (number, protocol, spi) = (1, ProtocolId::IKE, Spi::None);
    let proposal = Proposal { number, protocol, spi, transforms: transforms.to_vec() };
    SecurityAssociation { proposals: vec![proposal] }
}

/// PRF and key exchange that complete an IKE proposal.
fn rest() -> [Transform; 2] {
    [
        transform(T::PRF, PrfId::PRF_HMAC_SHA2_256.0),
        transform(T::KEY_EXCHANGE, KeMethod::CURVE25519.0),
    ]
}

fn with_rest(transforms: &[Transform]) -> SecurityAssociation {
    one(&[transforms, &rest()].concat())
}

#[test]
fn combined_modes_and_each_integrity_algorithm_are_proposals_of_their_own() {
    //= RFC 7296 section 2.7: then two proposals are needed.
    let sa = offer(&[ike(&[GCM256, CBC256, GCM128, CBC128_512])]);
    let summary: Vec<(u8, Vec<Transform>)> = sa
        .proposals
        .iter()
        .map(|proposal| {
            let of_interest =
                |t: &&Transform| matches!(t.transform_type, T::ENCRYPTION | T::INTEGRITY);
            (proposal.number, proposal.transforms.iter().filter(of_interest).cloned().collect())
        })
        .collect();
    let mac = |id: IntegrityId| transform(T::INTEGRITY, id.0);
    assert_eq!(
        summary,
        [
            (
                1,
                vec![
                    aes(EncryptionId::ENCR_AES_GCM_16, 256),
                    aes(EncryptionId::ENCR_AES_GCM_16, 128)
                ]
            ),
            (
                2,
                vec![
                    aes(EncryptionId::ENCR_AES_CBC, 256),
                    mac(IntegrityId::AUTH_HMAC_SHA2_256_128)
                ]
            ),
            (
                3,
                vec![
                    aes(EncryptionId::ENCR_AES_CBC, 128),
                    mac(IntegrityId::AUTH_HMAC_SHA2_512_256)
                ]
            ),
        ]
    );
}

#[test]
fn defaults_are_strong_and_can_run() {
    for provider in [adit_platform::ring::PROVIDER, adit_platform::rustcrypto::PROVIDER] {
        let recommended = IkeProposal::recommended();
        assert_eq!(recommended.available(&provider).as_ref(), Some(&recommended));
        let sa = IkeProposal::offer(&IkeProposal::defaults(), &provider, Spi::None);
        let offered = |t, id| {
            sa.proposals
                .iter()
                .flat_map(|proposal| &proposal.transforms)
                .any(|transform| transform.transform_type == t && transform.id == id)
        };
        //= RFC 8247 section 2: MUST NOT and SHOULD NOT are not offered.
        assert!(!offered(T::ENCRYPTION, EncryptionId::ENCR_3DES.0));
        assert!(!offered(T::PRF, PrfId::PRF_HMAC_SHA1.0));
        assert!(!offered(T::INTEGRITY, IntegrityId::AUTH_HMAC_SHA1_96.0));
        assert!(!offered(T::KEY_EXCHANGE, KeMethod::MODP_1024.0));
        assert!(!offered(T::KEY_EXCHANGE, KeMethod::MODP_1536.0));
        //= RFC 8247 section 2: MUST.
        assert!(offered(T::ENCRYPTION, EncryptionId::ENCR_AES_CBC.0));
        assert!(offered(T::PRF, PrfId::PRF_HMAC_SHA2_256.0));
        assert!(offered(T::INTEGRITY, IntegrityId::AUTH_HMAC_SHA2_256_128.0));
        assert!(offered(T::KEY_EXCHANGE, KeMethod::MODP_2048.0));
        assert!(offered(T::KEY_EXCHANGE, KeMethod::ECP_256.0));
    }
}

#[test]
fn what_the_provider_cannot_run_is_neither_offered_nor_chosen() {
    let poor = Provider { ciphers: &[], ..PROVIDER };
    let sa = IkeProposal::offer(&[ike(&[CBC256, GCM128])], &poor, Spi::None);
    assert_eq!(sa.proposals.len(), 1);
    let theirs = offer(&[ike(&[CBC256])]);
    assert!(IkeChoice::select(&[ike(&[CBC256, GCM128])], &poor, &theirs, None).is_err());
    assert!(IkeProposal::offer(&[ike(&[CBC256])], &poor, Spi::None).proposals.is_empty());
}

#[test]
fn the_initiator_prefers_among_what_both_allow() {
    let choice =
        select(&[ike(&[GCM128, CBC256, GCM256])], &offer(&[ike(&[CBC256, GCM256, GCM128])]));
    assert_eq!(choice.unwrap().suite, CBC256);
    let choice = select(&[ike(&[GCM128, GCM256])], &offer(&[ike(&[CBC256, GCM256, GCM128])]));
    assert_eq!(choice.unwrap().suite, GCM256);
    // Each end's proposals stand for themselves: no mixture of two of ours.
    let mut p384 = ike(&[GCM256]);
    p384.key_exchanges = vec![KexAlgorithm::P384];
    assert!(select(&[ike(&[GCM128]), p384], &offer(&[ike(&[GCM256])])).is_err());
}

#[test]
fn the_method_that_was_sent_saves_a_round_trip() {
    let (ours, theirs) = ([ike(&[GCM128])], offer(&[ike(&[GCM128])]));
    let choose = |sent| IkeChoice::select(&ours, &PROVIDER, &theirs, sent).unwrap().key_exchange;
    assert_eq!(choose(Some(KeMethod::ECP_256)), KexAlgorithm::P256);
    // One that is not acceptable is not taken, and INVALID_KE_PAYLOAD asks for the preferred one.
    assert_eq!(choose(Some(KeMethod::MODP_2048)), KexAlgorithm::X25519);
    assert_eq!(choose(None), KexAlgorithm::X25519);
}

#[test]
fn the_answer_holds_one_transform_of_each_type_unmodified() {
    let theirs = offer(&[ike(&[CBC256, GCM256])]);
    let choice = select(&[ike(&[GCM256, CBC256])], &theirs).unwrap();
    let answer = choice.answer(Spi::Ike(IkeSpi(*b"respondr")));
    let [proposal] = &answer.proposals[..] else { panic!("{answer:?}") };
    assert_eq!(proposal.number, 1);
    assert_eq!(proposal.spi.len(), 8);
    let types: Vec<T> = proposal.transforms.iter().map(|t| t.transform_type).collect();
    assert_eq!(types, [T::ENCRYPTION, T::INTEGRITY, T::PRF, T::KEY_EXCHANGE]);
    for transform in &proposal.transforms {
        assert!(theirs.proposals[0].transforms.contains(transform));
    }
}

#[test]
fn rules_for_single_transforms() {
    let ours = [ike(&[GCM128, GCM256, CBC256, Suite::Aead(AeadAlgorithm::ChaCha20Poly1305)])];
    let accepts = |transforms: &[Transform]| select(&ours, &with_rest(transforms)).is_ok();
    let gcm = aes(EncryptionId::ENCR_AES_GCM_16, 128);
    let mac = transform(T::INTEGRITY, IntegrityId::AUTH_HMAC_SHA2_256_128.0);
    let none = transform(T::INTEGRITY, IntegrityId::NONE.0);
    assert!(accepts(core::slice::from_ref(&gcm)));
    //= RFC 7296 section 3.3: combined-mode ciphers: integrity NONE or left out.
    assert!(accepts(&[gcm.clone(), none.clone()]));
    assert!(!accepts(&[gcm.clone(), mac.clone()]));
    assert!(accepts(&[gcm.clone(), mac.clone(), none.clone()]));
    //= RFC 7296 section 3.3.5: AES must have a Key Length.
    assert!(!accepts(&[transform(T::ENCRYPTION, EncryptionId::ENCR_AES_GCM_16.0)]));
    assert!(!accepts(&[aes(EncryptionId::ENCR_AES_GCM_16, 192)]));
    //= RFC 7634 section 2: ChaCha20-Poly1305 must not.
    assert!(accepts(&[transform(T::ENCRYPTION, EncryptionId::ENCR_CHACHA20_POLY1305.0)]));
    assert!(!accepts(&[aes(EncryptionId::ENCR_CHACHA20_POLY1305, 256)]));
    // CBC needs integrity, and not NONE.
    assert!(accepts(&[aes(EncryptionId::ENCR_AES_CBC, 256), mac.clone()]));
    assert!(!accepts(&[aes(EncryptionId::ENCR_AES_CBC, 256)]));
    assert!(!accepts(&[aes(EncryptionId::ENCR_AES_CBC, 256), none]));
    //= RFC 7296 section 3.3.6: a transform with an attribute that is not understood is unacceptable, and
    //= other transforms of the same type are processed as usual.
    let value = AttributeValue::Short(1);
    let mut odd = gcm.clone();
    odd.attributes.push(Attribute { attribute_type: 99, value: value.clone() });
    assert!(!accepts(&[odd.clone()]));
    assert!(accepts(&[odd, gcm.clone()]));
    let mut prf = transform(T::PRF, PrfId::PRF_HMAC_SHA2_256.0);
    prf.attributes.push(Attribute { attribute_type: Attribute::KEY_LENGTH, value });
    let [_, kex] = rest();
    assert!(select(&ours, &one(&[gcm.clone(), prf, kex])).is_err());
    //= RFC 7296 section 3.3.6: an unknown or missing Transform Type makes the proposal unacceptable, and
    //= other proposals are processed as usual.
    let unknown = with_rest(&[gcm.clone(), transform(T(77), 1)]);
    assert!(select(&ours, &unknown).is_err());
    let mut both = unknown;
    both.proposals.extend(with_rest(core::slice::from_ref(&gcm)).proposals);
    assert!(select(&ours, &both).is_ok());
    let [prf, _] = rest();
    assert!(select(&ours, &one(&[gcm.clone(), prf])).is_err());
    // Another protocol.
    let mut esp = with_rest(&[gcm]);
    esp.proposals[0].protocol = ProtocolId::ESP;
    assert!(select(&ours, &esp).is_err());
}

#[test]
fn an_initiator_believes_only_what_it_offered() {
    let offered = offer(&[ike(&[GCM256, CBC256])]);
    let good = select(&[ike(&[CBC256])], &offered).unwrap().answer(Spi::None);
    let choice = IkeChoice::confirm(&offered, &good).unwrap();
    assert_eq!((choice.suite, choice.prf), (CBC256, PrfAlgorithm::HmacSha2_256));
    let check = |bend: &dyn Fn(&mut Vec<Proposal>)| {
        let mut answer = good.clone();
        bend(&mut answer.proposals);
        IkeChoice::confirm(&offered, &answer).map(|choice| choice.suite)
    };
    use ChoiceError as E;
    assert_eq!(check(&|_| {}), Ok(CBC256));
    assert_eq!(check(&|p| p.clear()), Err(E::NotOneProposal));
    assert_eq!(check(&|p| p.push(p[0].clone())), Err(E::NotOneProposal));
    assert_eq!(check(&|p| p[0].number = 9), Err(E::UnofferedProposal));
    assert_eq!(check(&|p| p[0].protocol = ProtocolId::ESP), Err(E::UnofferedProposal));
    assert_eq!(check(&|p| p[0].spi = Spi::Ike(IkeSpi([1; 8]))), Err(E::UnofferedProposal));
    // The transforms of another proposal.
    assert_eq!(check(&|p| p[0].number = 1), Err(E::UnofferedTransform));
    let weaker = aes(EncryptionId::ENCR_AES_CBC, 128);
    assert_eq!(check(&|p| p[0].transforms[0] = weaker.clone()), Err(E::UnofferedTransform));
    for index in 0..4 {
        let missing = check(&|p| drop(p[0].transforms.remove(index)));
        assert_eq!(missing, Err(E::IncompleteSuite), "transform {index}");
        let twice = check(&|p| p[0].transforms.extend_from_within(index..=index));
        assert_eq!(twice, Err(E::IncompleteSuite), "transform {index}");
    }
}

fn esp() -> EspProposal {
    EspProposal {
        suites: vec![GCM128],
        key_exchanges: vec![KexAlgorithm::X25519],
        require_key_exchange: false,
        sequence_numbers: SequenceNumbers::ExtendedOrShort,
    }
}

#[test]
fn extended_sequence_numbers_are_agreed_on() {
    use SequenceNumbers::{Extended, ExtendedOrShort, Short};
    let agree = |ours, theirs| {
        let [ours, theirs] =
            [ours, theirs].map(|sequence_numbers| [EspProposal { sequence_numbers, ..esp() }]);
        let offered = EspProposal::offer(&theirs, &PROVIDER, 0x1234, false);
        let choice = EspChoice::select(&ours, &PROVIDER, &offered, None, false).ok()?;
        let confirmed = EspChoice::confirm(&offered, &choice.answer(0x5678)).unwrap();
        assert_eq!((choice.peer_spi, confirmed.peer_spi), (0x1234, 0x5678));
        assert_eq!(choice.esn, confirmed.esn);
        Some(choice.esn)
    };
    assert_eq!(agree(ExtendedOrShort, ExtendedOrShort), Some(true));
    assert_eq!(agree(Short, ExtendedOrShort), Some(false));
    assert_eq!(agree(ExtendedOrShort, Short), Some(false));
    assert_eq!(agree(Extended, ExtendedOrShort), Some(true));
    assert_eq!(agree(Extended, Short), None);
    // Transform Type 5 is mandatory for ESP: RFC 7296 section 3.3.3.
    let mut offered = EspProposal::offer(&[esp()], &PROVIDER, 1, false);
    offered.proposals[0].transforms.retain(|t| t.transform_type != T::SEQUENCE_NUMBERS);
    assert!(EspChoice::select(&[esp()], &PROVIDER, &offered, None, false).is_err());
}

#[test]
fn a_child_has_a_key_exchange_if_both_want_one() {
    let without = EspProposal { key_exchanges: vec![], ..esp() };
    let required = EspProposal { require_key_exchange: true, ..esp() };
    let sent = Some(KeMethod::CURVE25519);
    let agree = |ours: &EspProposal, theirs: &EspProposal, sent| {
        let offered = EspProposal::offer(core::slice::from_ref(theirs), &PROVIDER, 1, true);
        let ours = core::slice::from_ref(ours);
        let choice = EspChoice::select(ours, &PROVIDER, &offered, sent, true).ok()?;
        let confirmed = EspChoice::confirm(&offered, &choice.answer(2)).unwrap();
        assert_eq!(choice.key_exchange, confirmed.key_exchange);
        Some(choice.key_exchange)
    };
    assert_eq!(agree(&esp(), &esp(), sent), Some(Some(KexAlgorithm::X25519)));
    assert_eq!(agree(&esp(), &esp(), None), Some(None));
    assert_eq!(agree(&without, &esp(), sent), Some(None));
    assert_eq!(agree(&esp(), &without, None), Some(None));
    assert_eq!(agree(&required, &esp(), None), Some(Some(KexAlgorithm::X25519)));
    assert_eq!(agree(&required, &without, None), None);
    assert_eq!(agree(&without, &required, sent), None);
    //= RFC 7296 section 1.2: not in IKE_AUTH.
    let offered = EspProposal::offer(&[required], &PROVIDER, 1, false);
    let of_type_4 = |t: &&Transform| t.transform_type == T::KEY_EXCHANGE;
    assert_eq!(offered.proposals[0].transforms.iter().filter(of_type_4).count(), 0);
}

fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    Ipv4Addr::new(a, b, c, d).into()
}

fn net(c: u8, prefix: u8) -> TrafficSelector {
    TrafficSelector::subnet(v4(198, 51, c, 0), prefix).unwrap()
}

fn narrowed(
    offered: &[TrafficSelector],
    policy: &[TrafficSelector],
) -> Option<Vec<TrafficSelector>> {
    let offered: TrafficSelectors = offered.iter().copied().collect();
    narrow(&offered, policy).map(|narrowed| narrowed.selectors)
}

#[test]
fn selectors_are_narrowed_to_what_both_allow() {
    let any = [TrafficSelector::ANY_V4, TrafficSelector::ANY_V6];
    assert_eq!(narrowed(&any, &[net(100, 24)]), Some(vec![net(100, 24)]));
    assert_eq!(narrowed(&[net(100, 24)], &any), Some(vec![net(100, 24)]));
    assert_eq!(narrowed(&[net(100, 24)], &[net(101, 24)]), None);
    assert_eq!(narrowed(&[], &any), None);
    assert_eq!(narrowed(&any, &[net(1, 24), net(2, 24)]), Some(vec![net(1, 24), net(2, 24)]));
    //= RFC 7296 section 2.9: a subset that includes the initiator's first choices.
    let packet = TrafficSelector::host(v4(198, 51, 100, 43)).with_protocol(17);
    let packet = packet.with_ports(53, 53).unwrap();
    let answer = narrowed(&[packet, net(100, 24)], &[net(100, 25)]).unwrap();
    assert!(answer.iter().any(|selector| selector.covers(packet)));
    assert_eq!(answer, [net(100, 25)]);
    // Protocols and ports are narrowed like addresses.
    let udp = net(100, 24).with_protocol(17);
    assert_eq!(narrowed(&[net(100, 24)], &[udp]), Some(vec![udp]));
    assert_eq!(narrowed(&[net(100, 24).with_protocol(6)], &[udp]), None);
    let low = net(100, 24).with_ports(0, 1023).unwrap();
    let web = net(100, 24).with_ports(443, 8443).unwrap();
    assert_eq!(narrowed(&[low], &[web]), Some(vec![net(100, 24).with_ports(443, 1023).unwrap()]));
    let opaque = net(100, 24).with_ports(u16::MAX, 0).unwrap();
    assert_eq!(narrowed(&[net(100, 24)], &[opaque]), Some(vec![opaque]));
    assert_eq!(narrowed(&[low], &[opaque]), None);
}

#[test]
fn narrowing_says_whether_it_took_something_away() {
    let offered: TrafficSelectors = [net(1, 24), net(2, 24)].into_iter().collect();
    assert!(!narrow(&offered, &[TrafficSelector::ANY_V4]).unwrap().is_narrower);
    assert!(narrow(&offered, &[net(1, 24)]).unwrap().is_narrower);
    //= RFC 7296 section 2.9: a selector of unknown type is ignored, and not returned.
    let unknown = Selector::Unknown { ts_type: TsType(10), second: 0, body: vec![1] };
    let mixed = TrafficSelectors { selectors: vec![unknown, Selector::Range(net(1, 24))] };
    assert_eq!(narrow(&mixed, &[net(1, 24)]).unwrap().selectors, [net(1, 24)]);
}

#[test]
fn narrowing_yields_no_more_than_a_payload_holds() {
    let hosts = |third| (0..=255).map(move |d| TrafficSelector::host(v4(10, 0, third, d)));
    let offered: TrafficSelectors = hosts(1).collect();
    assert_eq!(narrow(&offered, &[TrafficSelector::ANY_V4]).unwrap().selectors.len(), 255);
}

#[test]
fn an_initiator_believes_only_selectors_within_its_own() {
    let list = |selectors: &[TrafficSelector]| selectors.iter().copied().collect();
    let offered = [net(1, 24), net(2, 24)];
    assert!(within(&list(&[net(1, 25)]), &offered));
    assert!(within(&list(&offered), &offered));
    assert!(!within(&list(&[net(3, 24)]), &offered));
    assert!(!within(&list(&[TrafficSelector::ANY_V4]), &offered));
    let unknown = Selector::Unknown { ts_type: TsType(10), second: 0, body: vec![] };
    assert!(!within(&TrafficSelectors { selectors: vec![unknown] }, &offered));
}

#[test]
fn a_request_for_configuration_comes_through() {
    let asked = ConfigurationRequest {
        ipv4: vec![Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(10, 99, 0, 7)],
        ipv6: vec![Ipv6Addr::LOCALHOST],
        dns: true,
        subnets: false,
    };
    assert_eq!(ConfigurationRequest::from_payload(&asked.to_payload()), Some(asked));
    let default = ConfigurationRequest::default();
    let payload = default.to_payload();
    // Requests are empty: RFC 7296 section 3.15.1.
    assert!(payload.attributes.iter().all(|attribute| attribute.value.is_empty()));
    assert_eq!(ConfigurationReply::from_payload(&payload), None);
}

#[test]
fn a_reply_with_configuration_comes_through() {
    let given = ConfigurationReply {
        ipv4: vec![Ipv4Addr::new(10, 99, 0, 7)],
        ipv4_prefix: Some(20),
        ipv6: vec![(Ipv6Addr::LOCALHOST, 64)],
        dns: vec![v4(10, 88, 0, 53), Ipv6Addr::LOCALHOST.into()],
        subnets: vec![(v4(10, 88, 0, 0), 16), (Ipv6Addr::UNSPECIFIED.into(), 0)],
        application_version: Some("Adit".into()),
    };
    assert!(given.is_valid());
    let payload = given.to_payload();
    let lens: Vec<usize> = payload.attributes.iter().map(|a| a.value.len()).collect();
    assert_eq!(lens, [4, 4, 17, 4, 16, 8, 17, 4]);
    assert_eq!(ConfigurationReply::from_payload(&payload), Some(given.clone()));
    assert!(!ConfigurationReply { ipv4_prefix: Some(33), ..given.clone() }.is_valid());
    assert!(!ConfigurationReply { subnets: vec![(v4(1, 2, 3, 4), 33)], ..given }.is_valid());
}

#[test]
fn attributes_of_a_wrong_length_or_kind_are_ignored() {
    use ConfigurationAttributeType as A;
    let attribute = |attribute_type, value: &'static [u8]| ConfigurationAttribute {
        attribute_type,
        value: value.into(),
    };
    let payload = Configuration {
        cfg_type: CfgType::REPLY,
        attributes: vec![
            attribute(A::INTERNAL_IP4_ADDRESS, &[1, 2, 3]),
            attribute(A::INTERNAL_IP4_ADDRESS, &[]),
            attribute(A::INTERNAL_IP4_NETMASK, &[255, 0, 255, 0]),
            attribute(A::INTERNAL_IP6_ADDRESS, &[0; 16]),
            attribute(A::INTERNAL_IP6_ADDRESS, &[129; 17]),
            attribute(A::INTERNAL_IP4_SUBNET, &[10, 0, 0, 0, 0, 255, 0, 0]),
            attribute(A::APPLICATION_VERSION, b"two\nlines"),
            attribute(A(0x7000), &[1]),
        ],
    };
    assert_eq!(ConfigurationReply::from_payload(&payload), Some(ConfigurationReply::default()));
}

fn esp_of(suites: &[Suite]) -> EspProposal {
    EspProposal { suites: suites.to_vec(), ..EspProposal::recommended() }
}

/// What IANA's registry "Transform Type 1" has for each suite, and the number of bits that the Key Length
/// attribute says; and of "Transform Type 3" for its integrity algorithm.
fn numbers(suite: Suite) -> (u16, Option<u16>, Option<u16>) {
    let name = alloc::format!("{suite:?}");
    let ids = [
        ("AeadImplicitIv(ChaCha", 31),
        ("ChaCha20Poly1305", 28),
        ("AeadImplicitIv(Aes128Gcm16", 30),
        ("AeadImplicitIv(Aes192Gcm16", 30),
        ("AeadImplicitIv(Aes256Gcm16", 30),
        ("AeadImplicitIv(Aes128Ccm8", 29),
        ("AeadImplicitIv(Aes192Ccm8", 29),
        ("AeadImplicitIv(Aes256Ccm8", 29),
        ("Gmac", 21),
        ("Gcm16", 20),
        ("Gcm12", 19),
        ("Gcm8", 18),
        ("Ccm16", 16),
        ("Ccm12", 15),
        ("Ccm8", 14),
        ("Ctr", 13),
        ("Cbc", 12),
        ("DangerousNull", 11),
    ];
    let macs =
        [("Sha2_256", 12), ("Sha2_384", 13), ("Sha2_512", 14), ("AesXcbc", 5), ("AesCmac", 8)];
    let bits = [("Aes128", 128), ("Aes192", 192), ("Aes256", 256)];
    let find = |list: &[(&str, u16)]| {
        list.iter().find(|(part, _)| name.contains(part)).map(|(_, number)| *number)
    };
    (find(&ids).unwrap(), find(&bits), find(&macs))
}

#[test]
fn every_suite_has_its_number_and_survives_the_way_there_and_back() {
    for suite in Suite::all() {
        let theirs = EspProposal::offer(&[esp_of(&[suite])], &PROVIDER, 7, false);
        let [proposal] = &theirs.proposals[..] else { panic!("{theirs:?}") };
        let of_type = |t| proposal.transforms.iter().filter(move |x| x.transform_type == t);
        let (encryption, bits, mac) = numbers(suite);
        let expected = match bits {
            Some(bits) => aes(EncryptionId(encryption), bits),
            None => transform(T::ENCRYPTION, encryption),
        };
        assert!(of_type(T::ENCRYPTION).eq([&expected]), "{suite:?}");
        assert!(of_type(T::INTEGRITY).map(|mac| mac.id).eq(mac), "{suite:?}");

        let all: Vec<Suite> = Suite::all().collect();
        let choice = EspChoice::select(&[esp_of(&all)], &PROVIDER, &theirs, None, false).unwrap();
        assert_eq!(choice.suite, suite);
        let confirmed = EspChoice::confirm(&theirs, &choice.answer(9)).unwrap();
        assert_eq!(confirmed.suite, suite);
        for other in all.iter().filter(|other| **other != suite) {
            let refused = EspChoice::select(&[esp_of(&[*other])], &PROVIDER, &theirs, None, false);
            assert!(refused.is_err(), "{suite:?} is not {other:?}");
        }
    }
}

//= RFC 8750 section 7, RFC 4543 section 5: not for IKE. RFC 8247 section 2.1: ENCR_NULL MUST NOT.
#[test]
fn an_ike_sa_is_protected_by_what_encrypts_and_carries_its_iv() {
    for suite in Suite::all() {
        let theirs = offer(&[ike(&[suite])]);
        let (encryption, bits, mac) = numbers(suite);
        let esp_only = matches!(encryption, 11 | 21 | 29 | 30 | 31);
        assert_eq!(theirs.proposals.is_empty(), esp_only, "{suite:?}");
        // A peer that offers it nevertheless does not get it, even of one who configured it.
        let mut transforms = vec![match bits {
            Some(bits) => aes(EncryptionId(encryption), bits),
            None => transform(T::ENCRYPTION, encryption),
        }];
        transforms.extend(mac.map(|mac| transform(T::INTEGRITY, mac)));
        let chosen = select(&[ike(&[suite])], &with_rest(&transforms));
        assert_eq!(chosen.map(|choice| choice.suite).ok(), (!esp_only).then_some(suite));
    }
}

#[test]
fn a_peer_gets_nothing_but_what_was_configured() {
    let defaults = EspProposal::defaults();
    let recommended = [20, 28, 12];
    for suite in Suite::all() {
        let theirs = EspProposal::offer(&[esp_of(&[suite])], &PROVIDER, 7, false);
        let chosen = EspChoice::select(&defaults, &PROVIDER, &theirs, None, false);
        let (encryption, bits, mac) = numbers(suite);
        let expected = recommended.contains(&encryption)
            && bits != Some(192)
            && !matches!(mac, Some(5 | 8))
            // Of AES-128 in CBC, HMAC-SHA2-256 alone is recommended.
            && (encryption != 12 || bits == Some(256) || mac == Some(12));
        assert_eq!(chosen.is_ok(), expected, "{suite:?}");
        let theirs = offer(&[ike(&[suite])]);
        let chosen = select(&IkeProposal::defaults(), &theirs);
        assert_eq!(chosen.is_ok(), expected, "{suite:?}");
    }
}
