//! ESP packets of the suites that have no published ones: put together by RFC 4303 and the suite's own RFC,
//! with the algorithms of OpenSSL 3.

mod common;

use adit_esp::{Inbound, Mode, NextHeader, Outbound, SaConfig, SaKeys, SetupError, Spi};
use adit_platform::aead::AeadAlgorithm::*;
use adit_platform::cipher::CipherAlgorithm::*;
use adit_platform::mac::MacAlgorithm::*;
use adit_platform::{Secret, Suite};
use adit_testkit::rng::SeededRng;
use common::{PROVIDERS, config, ipv4, outbound, seal};
use hex_literal::hex;

struct Other {
    suite: Suite,
    encryption: &'static [u8],
    integrity: &'static [u8],
    sequence: Number,
    packet: &'static [u8],
}

/// The packet's sequence number, and how many bits the SA's have.
#[derive(Clone, Copy)]
enum Number {
    Short(u64),
    Extended(u64),
}

use Number::{Extended, Short};

impl Other {
    fn sequence(&self) -> u64 {
        let (Short(number) | Extended(number)) = self.sequence;
        number
    }

    fn config(&self) -> SaConfig {
        let mut config = SaConfig::new(Spi(0xc0de_0001), self.suite);
        config.extended_sequence_numbers = matches!(self.sequence, Extended(_));
        config
    }

    fn keys(&self) -> SaKeys {
        SaKeys::new(Secret::copy_from(self.encryption), Secret::copy_from(self.integrity))
    }
}

/// What all of them hold.
const INNER: [u8; 48] = hex!(
    "45000030da3a00008001df3bc0a80005c0a800010800c6cd0200070061626364"
    "65666768696a6b6c6d6e6f7071727374"
);

#[test]
fn packets_of_others_open() {
    for provider in PROVIDERS {
        for case in PACKETS {
            let what = format!("{:?} with {}", case.suite, provider.name);
            let sa = Inbound::new(&case.config(), &case.keys(), provider).unwrap();
            let mut sa = sa.resume_after(case.sequence() - 1);
            let mut packet = case.packet.to_vec();
            let opened = sa.open(&mut packet).expect(&what);
            assert_eq!(packet[opened.payload], INNER, "{what}");
            assert_eq!(opened.sequence, case.sequence(), "{what}");
            assert_eq!(opened.next_header, NextHeader::IPV4, "{what}");
        }
    }
}

/// A suite without an IV leaves a sender no freedom.
#[test]
fn packets_without_an_iv_are_sealed_to_the_same_bytes() {
    for provider in PROVIDERS {
        let cases = PACKETS.iter().filter(|case| case.suite.iv_len() == 0);
        assert_eq!(cases.clone().count(), 10);
        for case in cases {
            let (config, keys) = (case.config(), case.keys());
            let sa = Outbound::new(&config, &keys, provider, &mut SeededRng::new(1)).unwrap();
            let mut sa = sa.dangerous_resume_after(case.sequence() - 1);
            let packet = seal(&mut sa, &INNER, NextHeader::IPV4).unwrap();
            assert_eq!(packet, case.packet, "{:?} with {}", case.suite, provider.name);
        }
    }
}

//= RFC 8750 section 4: the IV is the sequence number, which is what ours is when it is sent.
#[test]
fn an_implicit_iv_changes_nothing_but_the_length() {
    for provider in PROVIDERS {
        for suite in Suite::all() {
            let Suite::AeadImplicitIv(algorithm) = suite else { continue };
            let mut implicit = outbound(&config(suite), provider);
            let mut explicit = outbound(&config(Suite::Aead(algorithm)), provider);
            for _ in 0..3 {
                let short = seal(&mut implicit, &ipv4(99), NextHeader::IPV4).unwrap();
                let long = seal(&mut explicit, &ipv4(99), NextHeader::IPV4).unwrap();
                assert_eq!(short, [&long[..8], &long[16..]].concat());
                assert_eq!(long[8..16], [&[0; 4], &long[4..8]].concat());
            }
        }
    }
}

//= RFC 8750 section 8: three transforms, and no others.
#[test]
fn implicit_ivs_are_for_three_algorithms() {
    for provider in PROVIDERS {
        for (algorithm, runs) in [
            (Aes128Gcm16, true),
            (Aes256Ccm8, true),
            (ChaCha20Poly1305, true),
            (Aes128Gcm12, false),
            (Aes256Gcm8, false),
            (Aes128Ccm16, false),
            (Aes128Gmac, false),
        ] {
            let config = config(Suite::AeadImplicitIv(algorithm));
            let keys = common::keys(config.suite, 1);
            let made = Inbound::new(&config, &keys, provider).map(|_| ());
            assert_eq!(made, if runs { Ok(()) } else { Err(SetupError::UnsupportedSuite) });
            assert_eq!(provider.supports(config.suite), runs);
        }
    }
}

//= RFC 4543 section 3.3: the IV is part of what is authenticated.
#[test]
fn gmac_as_published_with_rfc_4106() {
    let packet = hex!(
        "0000432100000007 0000000000000000"
        "45000030da3a00008001df3bc0a80005c0a800010800c6cd0200070061626364"
        "65666768696a6b6c6d6e6f707172737401020201 f2a9a836e155106aa8dcd618e4099aaa"
    );
    let mut config = SaConfig::new(Spi(0x4321), Suite::Aead(Aes128Gmac));
    // The trailer says ICMP.
    config.mode = Mode::Transport;
    let key = hex!("4c80cdefbb5d10da906ac73c3613a634 22433c64");
    for provider in PROVIDERS {
        let keys = SaKeys::new(Secret::copy_from(&key), Secret::copy_from(&[]));
        let mut sa = Inbound::new(&config, &keys, provider).unwrap();
        for at in 8..packet.len() {
            let mut bent = packet;
            bent[at] ^= 1;
            assert!(sa.open(&mut bent).is_err(), "byte {at}");
        }
        let mut buf = packet;
        let opened = sa.open(&mut buf).unwrap();
        assert_eq!(buf[opened.payload], INNER);
        assert_eq!((opened.next_header, opened.sequence), (NextHeader::ICMP, 7));
    }
}

/// Packets of suites without encryption are what they say they are: readable.
#[test]
fn what_is_called_unencrypted_is() {
    for provider in PROVIDERS {
        for suite in Suite::all() {
            let inner = ipv4(200);
            let packet = seal(&mut outbound(&config(suite), provider), &inner, NextHeader::IPV4);
            let shown = packet.unwrap().windows(16).any(|window| window == &inner[20..36]);
            assert_eq!(shown, !suite.encrypts(), "{suite:?}");
        }
    }
}

const PACKETS: &[Other] = &[
    Other {
        suite: Suite::Aead(Aes128Ccm16),
        encryption: &hex!("20272e353c434a51585f666d747b8289f0e1d2"),
        integrity: &[],
        sequence: Extended(0x500000009),
        packet: &hex!(
            "c0de000100000009887766554433221165bfb2be3c8e63216a0f3012577151a7"
            "403533c856cfd37c1a1bb4d25ee74f42145386e1d8bf5bf7bf68a9e4df6c1a63"
            "4bbdbb5b799f064c3dc943828663efd876062864"
        ),
    },
    Other {
        suite: Suite::Aead(Aes256Ccm12),
        encryption: &hex!(
            "2c333a41484f565d646b727980878e959ca3aab1b8bfc6cdd4dbe2e9f0f7fe05"
            "f0e1d2"
        ),
        integrity: &[],
        sequence: Short(0xa),
        packet: &hex!(
            "c0de00010000000a8877665544332211a3b132f762211e03a8c8dd4138df3ac0"
            "ab1ecd22fd58186024931df035fb34055558cb229e5c75135225bd91c3479e11"
            "efa6b0953a049daac109a6895920b07e"
        ),
    },
    Other {
        suite: Suite::Aead(Aes192Ccm8),
        encryption: &hex!("20272e353c434a51585f666d747b828990979ea5acb3bac1f0e1d2"),
        integrity: &[],
        sequence: Extended(0x500000009),
        packet: &hex!(
            "c0de0001000000098877665544332211186a334485d2e19485cd02528db15aee"
            "638bc8b4bed520b727f93be466c5b2afa5dcbfc0581aab9197ae3ca61a6c7ade"
            "f4bf0fb315f1796dbef37a3d"
        ),
    },
    Other {
        suite: Suite::Aead(Aes128Gcm12),
        encryption: &hex!("1c232a31383f464d545b626970777e85f0e1d2c3"),
        integrity: &[],
        sequence: Short(0xa),
        packet: &hex!(
            "c0de00010000000a88776655443322112c6b88fb3066065a1fa2254e936639b3"
            "5de61f881e7dd9b5cc4435e7c73d46d315332e67110c2969321a79b80b5a3107"
            "f5295fd3763c071296236cf3299734e7"
        ),
    },
    Other {
        suite: Suite::Aead(Aes256Gcm8),
        encryption: &hex!(
            "282f363d444b525960676e757c838a91989fa6adb4bbc2c9d0d7dee5ecf3fa01"
            "f0e1d2c3"
        ),
        integrity: &[],
        sequence: Extended(0x500000009),
        packet: &hex!(
            "c0de00010000000988776655443322113a0e8d5bc7adb7c0922d16adbecfc8a0"
            "04a84f642ea119d05837f795f00aaee438919568676d1c9e1078b991337c967f"
            "d172284f78014ca9f4c3da1b"
        ),
    },
    Other {
        suite: Suite::Aead(Aes192Gmac),
        encryption: &hex!("282f363d444b525960676e757c838a91989fa6adb4bbc2c9f0e1d2c3"),
        integrity: &[],
        sequence: Short(0xa),
        packet: &hex!(
            "c0de00010000000a887766554433221145000030da3a00008001df3bc0a80005"
            "c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f7071727374"
            "0102020431606972c19761f51152f334e9eea873"
        ),
    },
    Other {
        suite: Suite::Aead(Aes192Gmac),
        encryption: &hex!("282f363d444b525960676e757c838a91989fa6adb4bbc2c9f0e1d2c3"),
        integrity: &[],
        sequence: Extended(0x500000009),
        packet: &hex!(
            "c0de000100000009887766554433221145000030da3a00008001df3bc0a80005"
            "c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f7071727374"
            "010202049911321af2b3ad3c56430ea4e9a7e944"
        ),
    },
    Other {
        suite: Suite::Aead(Aes256Gmac),
        encryption: &hex!(
            "30373e454c535a61686f767d848b9299a0a7aeb5bcc3cad1d8dfe6edf4fb0209"
            "f0e1d2c3"
        ),
        integrity: &[],
        sequence: Short(0xa),
        packet: &hex!(
            "c0de00010000000a887766554433221145000030da3a00008001df3bc0a80005"
            "c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f7071727374"
            "010202048b70af191db4dab16787e095915b34e3"
        ),
    },
    Other {
        suite: Suite::Aead(Aes256Gmac),
        encryption: &hex!(
            "30373e454c535a61686f767d848b9299a0a7aeb5bcc3cad1d8dfe6edf4fb0209"
            "f0e1d2c3"
        ),
        integrity: &[],
        sequence: Extended(0x500000009),
        packet: &hex!(
            "c0de000100000009887766554433221145000030da3a00008001df3bc0a80005"
            "c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f7071727374"
            "01020204c891d82157fdaad90437712f3b818350"
        ),
    },
    Other {
        suite: Suite::AeadImplicitIv(Aes128Ccm8),
        encryption: &hex!("181f262d343b424950575e656c737a81f0e1d2"),
        integrity: &[],
        sequence: Short(0xa),
        packet: &hex!(
            "c0de00010000000ab06a55df9daebb7f8cf8e09fb2cde99700527d9ac21c4614"
            "b22fca2d34057fd75c6527d56f2016689d001ed4b65e9304433036babac9b694"
            "b62cb736"
        ),
    },
    Other {
        suite: Suite::AeadImplicitIv(Aes128Ccm8),
        encryption: &hex!("181f262d343b424950575e656c737a81f0e1d2"),
        integrity: &[],
        sequence: Extended(0x500000009),
        packet: &hex!(
            "c0de000100000009137de5dbcaaac1821eef132a46d614aa46590a15c2683c6e"
            "1511d8023213361890f253f38e0d4f8ccebea64588218a23c613be0f1104c19a"
            "4ad0f6f8"
        ),
    },
    Other {
        suite: Suite::AeadImplicitIv(Aes256Gcm16),
        encryption: &hex!(
            "30373e454c535a61686f767d848b9299a0a7aeb5bcc3cad1d8dfe6edf4fb0209"
            "f0e1d2c3"
        ),
        integrity: &[],
        sequence: Short(0xa),
        packet: &hex!(
            "c0de00010000000ab6a7d2213689b39cf4f941b3bb2f2c29006e34886ff56a0e"
            "e90e1b9f84c97d142aecd4398812d1d4b3b5524923d461e90309d841ff4c2fa4"
            "2fc17946cbc7043cae9a7c36"
        ),
    },
    Other {
        suite: Suite::AeadImplicitIv(Aes256Gcm16),
        encryption: &hex!(
            "30373e454c535a61686f767d848b9299a0a7aeb5bcc3cad1d8dfe6edf4fb0209"
            "f0e1d2c3"
        ),
        integrity: &[],
        sequence: Extended(0x500000009),
        packet: &hex!(
            "c0de00010000000958069898793978a414f87dba125dc736bb09a84eeb2e42e5"
            "282ecc286c12670687ce8a9723963ee64705852d5c7dbfdcfb60f55661d5a354"
            "bf4bf1ae4ddfd4bb5d9e8de2"
        ),
    },
    Other {
        suite: Suite::AeadImplicitIv(Aes128Gcm16),
        encryption: &hex!("20272e353c434a51585f666d747b8289f0e1d2c3"),
        integrity: &[],
        sequence: Short(0xa),
        packet: &hex!(
            "c0de00010000000a18a2cbf06a99f76272129d84365dc33dd14eb33bf0e25f92"
            "7b76139801493e9e4b9c322e40dcafd374ca49ddc3c4c74db6440f1764b7443a"
            "126762dca537bf6e06e0fd97"
        ),
    },
    Other {
        suite: Suite::AeadImplicitIv(Aes128Gcm16),
        encryption: &hex!("20272e353c434a51585f666d747b8289f0e1d2c3"),
        integrity: &[],
        sequence: Extended(0x500000009),
        packet: &hex!(
            "c0de0001000000094b8ce595b375a3a3435e978faf35c046a5c0f710e64fef18"
            "6f47d961dad1d408ca3ca1a71e529f1143a67cfd95f1e2d334e576bc76bd3513"
            "cbf718975753984a22a9d5b7"
        ),
    },
    Other {
        suite: Suite::AeadImplicitIv(ChaCha20Poly1305),
        encryption: &hex!(
            "30373e454c535a61686f767d848b9299a0a7aeb5bcc3cad1d8dfe6edf4fb0209"
            "f0e1d2c3"
        ),
        integrity: &[],
        sequence: Short(0xa),
        packet: &hex!(
            "c0de00010000000a9748de0e7db9dcbee7f9b62540480d094946aa06d15a3231"
            "369b46f55e8543e1edbc8d9645ea61a3be32b4ecdf38a8661f94eef6e622ace0"
            "627647ce4ebff3bbd21062bd"
        ),
    },
    Other {
        suite: Suite::AeadImplicitIv(ChaCha20Poly1305),
        encryption: &hex!(
            "30373e454c535a61686f767d848b9299a0a7aeb5bcc3cad1d8dfe6edf4fb0209"
            "f0e1d2c3"
        ),
        integrity: &[],
        sequence: Extended(0x500000009),
        packet: &hex!(
            "c0de000100000009902b6fdc399067ed057df0cd8358b5d7488e967f0b9f6883"
            "91f8289d2b1d1220abd243fa75090394abad92731f193182410c91ade78e770f"
            "7d7c409938b756a1afaa827a"
        ),
    },
    Other {
        suite: Suite::CipherMac(Aes128Ctr, HmacSha2_256_128),
        encryption: &hex!("10171e252c333a41484f565d646b7279f0e1d2c3"),
        integrity: &hex!("03080d12171c21262b30353a3f44494e53585d62676c71767b80858a8f94999e"),
        sequence: Short(0xa),
        packet: &hex!(
            "c0de00010000000a8877665544332211cc6ac896bf50f0e7e9ae886dcde53c55"
            "aada34f7c195bcd0cc774dc0a3202fd3e5ce6c3b0af9dd7c37d7ff240339a4ef"
            "08dc54ecfb3728c0a7f93451070411fa8ad32f3a"
        ),
    },
    Other {
        suite: Suite::CipherMac(Aes256Ctr, AesCmac96),
        encryption: &hex!(
            "20272e353c434a51585f666d747b828990979ea5acb3bac1c8cfd6dde4ebf2f9"
            "f0e1d2c3"
        ),
        integrity: &hex!("03080d12171c21262b30353a3f44494e"),
        sequence: Extended(0x500000009),
        packet: &hex!(
            "c0de00010000000988776655443322115006142ba2e02a825f000a9f279148d4"
            "3335303de6f4dd46e7dee5f9f2431cc38ba0fd90012a0ed3d5f8c2b34a492c9e"
            "7ed6ea9ccaaa98a492b897dd9de71c52"
        ),
    },
    Other {
        suite: Suite::CipherMac(Aes192Cbc, AesCmac96),
        encryption: &hex!("181f262d343b424950575e656c737a81888f969da4abb2b9"),
        integrity: &hex!("03080d12171c21262b30353a3f44494e"),
        sequence: Short(0xa),
        packet: &hex!(
            "c0de00010000000a88776655443322110123456789abcdefdc324e881ddaf3f1"
            "12fcee82147faa59e763120e1a3227bf77566860707ef9d09db37be21a901ac0"
            "f2cf48eddac66ccbf932eb7f56df45e24c9766101adbcc3ea5322c7eb55bc24d"
            "39926547"
        ),
    },
    Other {
        suite: Suite::DangerousNull(AesCmac96),
        encryption: &hex!(""),
        integrity: &hex!("03080d12171c21262b30353a3f44494e"),
        sequence: Extended(0x500000009),
        packet: &hex!(
            "c0de00010000000945000030da3a00008001df3bc0a80005c0a800010800c6cd"
            "020007006162636465666768696a6b6c6d6e6f707172737401020204a25c182f"
            "fe52d62d6a82d458"
        ),
    },
    Other {
        suite: Suite::DangerousNull(HmacSha2_256_128),
        encryption: &hex!(""),
        integrity: &hex!("03080d12171c21262b30353a3f44494e53585d62676c71767b80858a8f94999e"),
        sequence: Short(0xa),
        packet: &hex!(
            "c0de00010000000a45000030da3a00008001df3bc0a80005c0a800010800c6cd"
            "020007006162636465666768696a6b6c6d6e6f707172737401020204f15140e1"
            "d12ae7d0635e61c7c374c553"
        ),
    },
];
