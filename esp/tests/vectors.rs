//! Packets that others have published.

mod common;

use adit_esp::{Inbound, Mode, NextHeader, SaConfig, SaKeys, SetupError, Spi};
use adit_platform::aead::AeadAlgorithm;
use adit_platform::cipher::CipherAlgorithm;
use adit_platform::mac::MacAlgorithm;
use adit_platform::{Secret, Suite};
use common::PROVIDERS;
use hex_literal::hex;

/// A case of draft-mcgrew-gcm-test-01, which RFC 4106's author published for it.
///
/// Two of its cases are elsewhere: that of GMAC in the suite `suites`, and one with the SPI 0, which is
/// refused ([`spi_zero_is_refused`]).
struct Gcm {
    name: &'static str,
    key: &'static [u8],
    nonce: [u8; 12],
    /// SPI and sequence number: 8 bytes, or 12 with extended sequence numbers.
    aad: &'static [u8],
    plaintext: &'static [u8],
    ciphertext: &'static [u8],
    icv: [u8; 16],
}

impl Gcm {
    fn run(&self) {
        let spi = u32::from_be_bytes(self.aad[..4].try_into().unwrap());
        let sequence = self.aad[4..].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let suite = Suite::Aead(match self.key.len() {
            16 => AeadAlgorithm::Aes128Gcm16,
            24 => AeadAlgorithm::Aes192Gcm16,
            _ => AeadAlgorithm::Aes256Gcm16,
        });
        let mut config = SaConfig::new(Spi(spi), suite);
        // The trailers announce payloads that are not IP packets.
        config.mode = Mode::Transport;
        config.extended_sequence_numbers = self.aad.len() == 12;
        let keys = SaKeys::new(
            Secret::copy_from(&[self.key, &self.nonce[..4]].concat()),
            Secret::copy_from(&[]),
        );
        let packet = [
            &self.aad[..4],
            &self.aad[self.aad.len() - 4..],
            &self.nonce[4..],
            self.ciphertext,
            &self.icv,
        ]
        .concat();
        for provider in PROVIDERS {
            let name = format!("{} with {}", self.name, provider.name);
            let mut sa = Inbound::new(&config, &keys, provider).unwrap().resume_after(sequence - 1);
            let mut buf = packet.clone();
            let opened = sa.open(&mut buf).expect(&name);
            let [.., pad_len, next_header] = *self.plaintext else { unreachable!() };
            let payload = &self.plaintext[..self.plaintext.len() - 2 - usize::from(pad_len)];
            assert_eq!(&buf[opened.payload], payload, "{name}");
            assert_eq!(opened.next_header, NextHeader(next_header), "{name}");
            assert_eq!(opened.sequence, sequence, "{name}");
        }
    }
}

//= RFC 4106
#[test]
fn aes_gcm() {
    for case in GCM {
        case.run();
    }
}

#[test]
fn spi_zero_is_refused() {
    let config = SaConfig::new(Spi(0), Suite::Aead(AeadAlgorithm::Aes128Gcm16));
    let keys = SaKeys::new(Secret::copy_from(&[0; 20]), Secret::copy_from(&[]));
    for provider in PROVIDERS {
        let refused = Inbound::new(&config, &keys, provider).map(|sa| sa.spi());
        assert_eq!(refused, Err(SetupError::ReservedSpi(Spi(0))));
    }
}

//= RFC 7634 appendix A
#[test]
fn chacha20_poly1305() {
    let source_packet = hex!(
        "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec10"
        "0007362708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223"
        "2425262728292a2b2c2d2e2f3031323334353637"
    );
    let esp_packet = hex!(
        "01020304000000051011121314151617"
        "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c6"
        "14ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3"
        "cbec163fac469b502773f6fb94e664da9165b82829f641e0"
        "76aaa8266b7fb0f7b11b369907e1ad43"
    );
    let key: Vec<u8> = (0x80..=0xa3).collect();
    let keys = SaKeys::new(Secret::copy_from(&key), Secret::copy_from(&[]));
    let config = SaConfig::new(Spi(0x0102_0304), Suite::Aead(AeadAlgorithm::ChaCha20Poly1305));
    for provider in PROVIDERS {
        let mut sa = Inbound::new(&config, &keys, provider).unwrap();
        let mut buf = esp_packet;
        let opened = sa.open(&mut buf).expect(provider.name);
        assert_eq!(buf[opened.payload], source_packet);
        assert_eq!((opened.next_header, opened.sequence), (NextHeader::IPV4, 5));
    }
}

/// Sample packets of RFC 3602 section 4. They are encrypted and not authenticated: the test adds an ICV,
/// computed here over what RFC 4303 section 3.3.2.1 says it covers.
struct Cbc {
    mode: Mode,
    key: [u8; 16],
    spi: u32,
    sequence: u32,
    iv: [u8; 16],
    payload: &'static [u8],
    next_header: NextHeader,
    ciphertext: &'static [u8],
}

//= RFC 3602 section 4, cases 5 to 8
#[test]
fn aes_cbc() {
    for case in CBC {
        for (mac, extended) in [
            (MacAlgorithm::HmacSha2_256_128, false),
            (MacAlgorithm::HmacSha2_384_192, true),
            (MacAlgorithm::HmacSha2_512_256, false),
        ] {
            for provider in PROVIDERS {
                let mac_key: Vec<u8> = (0..mac.key_len()).map(|i| i as u8).collect();
                let mut packet = Vec::new();
                packet.extend(case.spi.to_be_bytes());
                packet.extend(case.sequence.to_be_bytes());
                packet.extend(case.iv);
                packet.extend(case.ciphertext);
                let mut icv = vec![0; mac.tag_len()];
                let high: &[u8] = if extended { &[0; 4] } else { &[] };
                let signer = provider.mac(mac).unwrap().key(&mac_key).unwrap();
                signer.sign(&[&packet, high], &mut icv).unwrap();
                packet.extend(icv);

                let mut config =
                    SaConfig::new(Spi(case.spi), Suite::CipherMac(CipherAlgorithm::Aes128Cbc, mac));
                config.mode = case.mode;
                config.extended_sequence_numbers = extended;
                let keys = SaKeys::new(Secret::copy_from(&case.key), Secret::copy_from(&mac_key));
                let mut sa = Inbound::new(&config, &keys, provider).unwrap();
                let opened = sa.open(&mut packet).unwrap();
                assert_eq!(&packet[opened.payload], case.payload);
                assert_eq!(opened.next_header, case.next_header);
                assert_eq!(opened.sequence, case.sequence.into());
            }
        }
    }
}

const CBC: &[Cbc] = &[
    Cbc {
        mode: Mode::Transport,
        key: hex!("90d382b410eeba7ad938c46cec1a82bf"),
        spi: 0x4321,
        sequence: 1,
        iv: hex!("e96e8c08ab465763fd098d45dd3ff893"),
        payload: &hex!(
            "08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f1011121314151617"
            "18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637"
        ),
        next_header: NextHeader::ICMP,
        ciphertext: &hex!(
            "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856"
            "a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874a"
            "a269add047ad2d5913ac19b7cfbad4a6"
        ),
    },
    Cbc {
        mode: Mode::Transport,
        key: hex!("90d382b410eeba7ad938c46cec1a82bf"),
        spi: 0x4321,
        sequence: 8,
        iv: hex!("69d08df7d203329db093fc4924e5bd80"),
        payload: &hex!("0800b5e8a80a0500a69c083d0b660e00777777777777777777777777"),
        next_header: NextHeader::ICMP,
        ciphertext: &hex!("f51995881ec4e0c4488987ce742e8109689bb379d2d750c0d915dca346a89f75"),
    },
    Cbc {
        mode: Mode::Tunnel,
        key: hex!("0123456789abcdef0123456789abcdef"),
        spi: 0x8765,
        sequence: 2,
        iv: hex!("f4e765244f6407adf13dc1380f673f37"),
        payload: &hex!(
            "45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d"
            "02a2040008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223"
            "2425262728292a2b2c2d2e2f3031323334353637"
        ),
        next_header: NextHeader::IPV4,
        ciphertext: &hex!(
            "773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8"
            "e4ecaec78ac53aad7a0f022b859243c647752e94a859352b8a4d4d2decd136e5"
            "c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5a100b842f1c22f0d"
        ),
    },
    Cbc {
        mode: Mode::Tunnel,
        key: hex!("0123456789abcdef0123456789abcdef"),
        spi: 0x8765,
        sequence: 5,
        iv: hex!("85d47224b5f3dd5d2101d4ea8dffab22"),
        payload: &hex!(
            "45000044090c00004001f990c0a87b03c0a87bc80800d63caa0a0200c69c083d"
            "a3de0300ffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
            "ffffffff"
        ),
        next_header: NextHeader::IPV4,
        ciphertext: &hex!(
            "15b92683819596a8047232cc00f7048fe45318e11f8a0f62ede3c3fc61203bb5"
            "0f980a08c9843fd3a1b06d5c07ff9639b7eb7dfb3512e5de435e7207ed971ef3"
            "d2726d9b5ef6affc6d17a0decbb13892"
        ),
    },
];

const GCM: &[Gcm] = &[
    Gcm {
        name: "AES-128, extended sequence number",
        key: &hex!("4c80cdefbb5d10da906ac73c3613a634"),
        nonce: hex!("2e443b684956ed7e3b244cfe"),
        aad: &hex!("000043218765432100000000"),
        plaintext: &hex!(
            "45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f7369"
            "70045f756470037369700963796265726369747902646b000021000101020201"
        ),
        ciphertext: &hex!(
            "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf"
            "65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce61bc17d768fd9732"
        ),
        icv: hex!("459018148f6cbe722fd04796562dfdb4"),
    },
    Gcm {
        name: "AES-128, no padding",
        key: &hex!("feffe9928665731c6d6a8f9467308308"),
        nonce: hex!("cafebabefacedbaddecaf888"),
        aad: &hex!("0000a5f80000000a"),
        plaintext: &hex!(
            "4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d001000001000000000000"
            "037369700963796265726369747902646b00000100010001"
        ),
        ciphertext: &hex!(
            "deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c3de81827c10e9a4f"
            "51330d0eec416642cfbb85a5b47e48a4ec3b9ba95d918bd1"
        ),
        icv: hex!("83b70d3aa8bc6ee4c309e9d85a41ad4a"),
    },
    Gcm {
        name: "AES-192",
        key: &hex!("feffe9928665731c6d6a8f9467308308feffe9928665731c"),
        nonce: hex!("cafebabefacedbaddecaf888"),
        aad: &hex!("0000a5f80000000a"),
        plaintext: &hex!(
            "45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001"
        ),
        ciphertext: &hex!(
            "a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b27452144cc77"
        ),
        icv: hex!("95457b9652037f5318027b5b4cd7a636"),
    },
    Gcm {
        name: "AES-256",
        key: &hex!("abbccddef00112233445566778899aababbccddef00112233445566778899aab"),
        nonce: hex!("112233440102030405060708"),
        aad: &hex!("4a2cbfe300000002"),
        plaintext: &hex!(
            "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000"
            "020405b40101040201020201"
        ),
        ciphertext: &hex!(
            "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d34"
            "7f0545659f14e99def842d8e"
        ),
        icv: hex!("b335f4eecfdbf831824b4c4915956c96"),
    },
    Gcm {
        name: "AES-128, extended, high half set",
        key: &hex!("3de09874b388e6491988d0c3607eae1f"),
        nonce: hex!("57690e434e280000a2fca1a3"),
        aad: &hex!("42f67e3f1010101010101010"),
        plaintext: &hex!(
            "4500003c99c300008001cb7c40679318010101010800085c020043006162636465666768696a6b6c"
            "6d6e6f707172737475767761626364656667686901020201"
        ),
        ciphertext: &hex!(
            "fba2caa4853cf9f0f22cb10d86dd83b0fec75691cf1a04b00d1138ec9c35791765acbd8701ad7984"
            "5bf9fe3fba487bc91755e6662b4c8d0d1f5e22739530320a"
        ),
        icv: hex!("e0d731cc978ecafaeae88f00e80d6e48"),
    },
    Gcm {
        name: "AES-128, extended, short",
        key: &hex!("3de09874b388e6491988d0c3607eae1f"),
        nonce: hex!("57690e434e280000a2fca1a3"),
        aad: &hex!("42f67e3f1010101010101010"),
        plaintext: &hex!("4500001c42a200008001441f406793b6e00000020a00f5ff01020201"),
        ciphertext: &hex!("fba2ca845e5df9f0f22c3e6e86dd831e1fc65792cd1af9130e1379ed"),
        icv: hex!("369f071f35e034be95f112e4e7d05d35"),
    },
    Gcm {
        name: "AES-128, extended, first packet",
        key: &hex!("abbccddef00112233445566778899aab"),
        nonce: hex!("decaf888cafedebaceface74"),
        aad: &hex!("000001000000000000000001"),
        plaintext: &hex!(
            "4500004933ba00007f119106c3fb1d10c2b1d326c02831ce0035dd7b800302d500004e20001e8c18"
            "d75b81dc91baa0476b91b924b280389d92c963bac046ec959b6266c04722b14923010101"
        ),
        ciphertext: &hex!(
            "18a6fd42f72cbf4ab2a2ea901f73d814e3e7f243d95412e1c349c1d2fbec168f9190feebaf2cb019"
            "84e65863965d7472b79da345e0e780191f0d2f0e0f496c226f2127b27db35724e7845d68"
        ),
        icv: hex!("651f57e65f354f75ff17015769623436"),
    },
    Gcm {
        name: "AES-256, extended",
        key: &hex!("abbccddef00112233445566778899aababbccddef00112233445566778899aab"),
        nonce: hex!("73616c74616e640169766563"),
        aad: &hex!("17405e67156f3126dd0db99b"),
        plaintext: &hex!(
            "45080028732c00004006e9f90a0106120a01038f06b88023dd6bafbecb71260250101f646d540001"
        ),
        ciphertext: &hex!(
            "f2d69ecdbd5a0d5b8d5ef38bad4da58d1f278fde98ef67549d524a3018d9a57ff4d3a31ce673119e"
        ),
        icv: hex!("451626c2415771e3b7eebca614c89b35"),
    },
    Gcm {
        name: "AES-128, extended, one byte of padding",
        key: &hex!("3de09874b388e6491988d0c3607eae1f"),
        nonce: hex!("57690e434e280000a2fca1a3"),
        aad: &hex!("42f67e3f1010101010101010"),
        plaintext: &hex!(
            "45000049333e00007f119182c3fb1d10c2b1d326c02831ce0035cb458003025b000001e0001e8c18"
            "d65759d52284a0352c71475c8880391c764d6e5ee0496b325ae270c03899493915010101"
        ),
        ciphertext: &hex!(
            "fba2cad12fc1f9f00d3cebf305410db83d7784b607323d220f24b0a97d54182800cadb0f68d99ef0"
            "e0c0c89ae9bea8884e52d65bc1afd0740f742444747b5b39ab533163aad4550ee5160975"
        ),
        icv: hex!("cdb608c5769189609763b8e18caa81e2"),
    },
    Gcm {
        name: "AES-256, extended, not an IP packet",
        key: &hex!("abbccddef00112233445566778899aababbccddef00112233445566778899aab"),
        nonce: hex!("73616c74616e640169766563"),
        aad: &hex!("17405e67156f3126dd0db99b"),
        plaintext: &hex!(
            "636973636f0172756c657301746865016e6574776501646566696e6501746865746563686e6f6c6f"
            "67696573017468617477696c6c01646566696e65746f6d6f72726f7701020201"
        ),
        ciphertext: &hex!(
            "d4b7ed86a1777f2ea13d6973d324c69e7b43f826fb56831226508bebd2dceb18d0a6df10e5487df0"
            "74113e14c641024e3e6773d91a62ee429b043a10e3efe6b012a49363412364f8"
        ),
        icv: hex!("c0cac587f249e56b11e24f30e44ccc76"),
    },
    Gcm {
        name: "AES-128, empty payload, the last 32-bit number",
        key: &hex!("7d773d00c144c525ac619d18c84a3f47"),
        nonce: hex!("d966426743457e9182443bc6"),
        aad: &hex!("335467aeffffffff"),
        plaintext: &hex!("01020201"),
        ciphertext: &hex!("437f866b"),
        icv: hex!("cb3f699fe9b0822bac961c4504bef270"),
    },
    Gcm {
        name: "AES-128, extended, not a multiple of a block",
        key: &hex!("abbccddef00112233445566778899aab"),
        nonce: hex!("decaf888cafedebaceface74"),
        aad: &hex!("000001000000000000000001"),
        plaintext: &hex!("746f016265016f72016e6f7401746f0162650001"),
        ciphertext: &hex!("29c9fc69a197d038ccdd14e2ddfcaa0543332164"),
        icv: hex!("412503524303ed3c6c5f283843af8c3e"),
    },
    Gcm {
        name: "AES-256, extended, the last number of all",
        key: &hex!("6c6567616c697a656d6172696a75616e61616e64646f69746265666f72656961"),
        nonce: hex!("7475726e333021696765746d"),
        aad: &hex!("796b6963ffffffffffffffff"),
        plaintext: &hex!(
            "45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768696a6b6c"
            "6d6e6f707172737401020201"
        ),
        ciphertext: &hex!(
            "f97ab2aa356d8edce17644ac8c78e25dd24dedbb29ebf1b64a274b39b49c3a864cd3d78ca4ae68a3"
            "2b42458fb57dbe821dcc63b9"
        ),
        icv: hex!("d0937ba2945f669368661a329fb4c053"),
    },
];
