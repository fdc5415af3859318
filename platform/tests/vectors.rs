//! The examples of the RFCs and of NIST, for every provider.

mod common;

use adit_platform::aead::AeadAlgorithm;
use adit_platform::cipher::CipherAlgorithm;
use adit_platform::hash::HashAlgorithm;
use adit_platform::kex::{KexAlgorithm, KexError};
use adit_platform::mac::MacAlgorithm;
use adit_platform::prf::PrfAlgorithm;
use common::{FixedRng, PROVIDERS, asks_the_system, hex};

#[test]
fn hashes() {
    // FIPS 180 examples: the digests of "abc".
    let answers = [
        (HashAlgorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (HashAlgorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            HashAlgorithm::Sha384,
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            HashAlgorithm::Sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ];
    for provider in PROVIDERS {
        for (algorithm, answer) in answers {
            let hash = provider.hash(algorithm).unwrap();
            for parts in [&[&b"abc"[..]][..], &[b"a", b"", b"bc"]] {
                assert_eq!(hash.hash(parts)[..], hex(answer), "{} {algorithm:?}", provider.name);
            }
            assert_eq!(hash.hash(&[]).len(), algorithm.output_len());
        }
    }
}

/// A key, nonce, header, plaintext and ciphertext with tag.
struct Sealed {
    algorithm: AeadAlgorithm,
    key: &'static str,
    nonce: &'static str,
    aad: &'static str,
    text: &'static str,
    sealed: &'static str,
}

const SEALED: &[Sealed] = &[
    // McGrew and Viega, "The Galois/Counter Mode of Operation", test case 4.
    Sealed {
        algorithm: AeadAlgorithm::Aes128Gcm16,
        key: "feffe9928665731c6d6a8f9467308308",
        nonce: "cafebabefacedbaddecaf888",
        aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        text: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
               1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        sealed: "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
                 21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091\
                 5bc94fbc3221a5db94fae95ae7121a47",
    },
    // The same, test case 16.
    Sealed {
        algorithm: AeadAlgorithm::Aes256Gcm16,
        key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        nonce: "cafebabefacedbaddecaf888",
        aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        text: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
               1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                 8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662\
                 76fc6ece0f4e1768cddf8853bb2d551b",
    },
    // RFC 7634 appendix A.
    Sealed {
        algorithm: AeadAlgorithm::ChaCha20Poly1305,
        key: "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
        nonce: "a0a1a2a31011121314151617",
        aad: "0102030400000005",
        text: "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec10\
               0007362708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223\
               2425262728292a2b2c2d2e2f303132333435363701020204",
        sealed: "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c6\
                 14ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3\
                 cbec163fac469b502773f6fb94e664da9165b82829f641e0\
                 76aaa8266b7fb0f7b11b369907e1ad43",
    },
];

#[test]
fn aeads() {
    for provider in PROVIDERS {
        for vector in SEALED {
            let what = format!("{} {:?}", provider.name, vector.algorithm);
            let key = provider.aead(vector.algorithm).unwrap().key(&hex(vector.key)).unwrap();
            let nonce = hex(vector.nonce);
            let tag_len = vector.algorithm.tag_len();
            let (aad, sealed) = (hex(vector.aad), hex(vector.sealed));
            let mut packet = hex(vector.text);
            packet.resize(packet.len() + tag_len, 0);
            key.seal(&nonce, &aad, &mut packet).unwrap();
            assert_eq!(packet, sealed, "{what}");
            key.open(&nonce, &aad, &mut packet).unwrap();
            assert_eq!(packet[..packet.len() - tag_len], hex(vector.text), "{what}");
            for flipped in 0..sealed.len() {
                let mut packet = sealed.clone();
                packet[flipped] ^= 0x10;
                assert!(key.open(&nonce, &aad, &mut packet).is_err(), "{what} {flipped}");
            }
            let mut packet = sealed.clone();
            assert!(key.open(&nonce, &aad[1..], &mut packet).is_err(), "{what}");
            assert!(key.open(&vec![0; nonce.len()], &aad, &mut sealed.clone()).is_err(), "{what}");
            // Shorter than a tag.
            assert!(key.open(&nonce, &aad, &mut sealed[..tag_len - 1].to_vec()).is_err(), "{what}");
            assert!(key.seal(&nonce, &aad, &mut vec![0; tag_len - 1]).is_err(), "{what}");
        }
    }
}

#[test]
fn cbc() {
    let vectors = [
        // RFC 3602 section 4, cases 1, 2 and 4: key, IV, plaintext, ciphertext.
        [
            "06a9214036b8a15b512e03d534120006",
            "3dafba429d9eb430b422da802c9fac41",
            "53696e676c6520626c6f636b206d7367",
            "e353779c1079aeb82708942dbe77181a",
        ],
        [
            "c286696d887c9aa0611bbb3e2025a45a",
            "562e17996d093d28ddb3ba695a2e6f58",
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "d296cd94c2cccf8a3a863028b5e1dc0a7586602d253cfff91b8266bea6d61ab1",
        ],
        [
            "56e47a38c5598974bc46903dba290349",
            "8ce82eefbea0da3c44699ed7db51b7d9",
            "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf\
             c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf",
            "c30e32ffedc0774e6aff6af0869f71aa0f3af07a9a31a9c684db207eb0ef8e4e\
             35907aa632c3ffdf868bb7b29d3d46ad83ce9f9a102ee99d49a53e87f4c3da55",
        ],
        // NIST SP 800-38A appendix F.2.5.
        [
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            "000102030405060708090a0b0c0d0e0f",
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
             30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d\
             39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
        ],
    ];
    for provider in PROVIDERS {
        for [key, iv, plain, encrypted] in vectors.map(|vector| vector.map(hex)) {
            let algorithm = match key.len() {
                16 => CipherAlgorithm::Aes128Cbc,
                _ => CipherAlgorithm::Aes256Cbc,
            };
            let key = provider.cipher(algorithm).unwrap().key(&key).unwrap();
            let mut data = plain.clone();
            key.encrypt(&iv, &mut data).unwrap();
            assert_eq!(data, encrypted, "{}", provider.name);
            key.decrypt(&iv, &mut data).unwrap();
            assert_eq!(data, plain, "{}", provider.name);
            assert!(key.encrypt(&iv[1..], &mut data).is_err());
            assert!(key.decrypt(&iv[1..], &mut data).is_err());
            assert!(key.encrypt(&iv, &mut data[1..]).is_err());
            assert!(key.decrypt(&iv, &mut data[1..]).is_err());
            assert_eq!(data, plain, "an error must leave the data alone");
        }
    }
}

#[test]
fn prfs() {
    for provider in PROVIDERS {
        for vector in PRF {
            let [key, data, answers @ ..] = vector.map(hex);
            let algorithms = [
                PrfAlgorithm::HmacSha2_256,
                PrfAlgorithm::HmacSha2_384,
                PrfAlgorithm::HmacSha2_512,
            ];
            for (algorithm, answer) in algorithms.into_iter().zip(answers) {
                let key = provider.prf(algorithm).unwrap().key(&key);
                // Twice: a prepared key is not used up.
                for parts in [&[&data[..]][..], &[&data[..3], &data[3..]]] {
                    assert_eq!(key.compute(parts).expose(), answer, "{}", provider.name);
                }
                assert_eq!(key.compute(&[]).len(), algorithm.output_len());
            }
        }
    }
}

#[test]
fn macs() {
    for provider in PROVIDERS {
        for (algorithm, vector) in AUTH {
            let what = format!("{} {algorithm:?}", provider.name);
            let [key, data, answer] = vector.map(hex);
            let mac = provider.mac(*algorithm).unwrap();
            let key = mac.key(&key).unwrap();
            let mut tag = vec![0; algorithm.tag_len()];
            for parts in [&[&data[..]][..], &[&data[..3], &data[3..]]] {
                key.sign(parts, &mut tag).unwrap();
                assert_eq!(tag, answer, "{what}");
                key.verify(parts, &tag).unwrap();
            }
            for flipped in 0..tag.len() {
                tag[flipped] ^= 1;
                assert!(key.verify(&[&data], &tag).is_err(), "{what}");
                tag[flipped] ^= 1;
            }
            assert!(key.verify(&[&data], &tag[..tag.len() - 1]).is_err(), "{what}");
            assert!(key.verify(&[&data], &[]).is_err(), "{what}");
            assert!(key.sign(&[&data], &mut tag[1..]).is_err(), "{what}");
            //= RFC 4868 section 2.1.1: no other key length.
            let error = mac.key(&[0; 16]).err().unwrap();
            assert_eq!((error.expected, error.given), (algorithm.key_len(), 16));
        }
    }
}

/// Both private values of an exchange, and what must come of them.
struct Exchange {
    algorithm: KexAlgorithm,
    a: &'static str,
    public_a: &'static str,
    b: &'static str,
    public_b: &'static str,
    shared: &'static str,
}

const EXCHANGES: &[Exchange] = &[
    // RFC 7748 section 6.1.
    Exchange {
        algorithm: KexAlgorithm::X25519,
        a: "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        public_a: "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
        b: "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        public_b: "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
        shared: "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
    },
    // RFC 5903 section 8.
    Exchange {
        algorithm: KexAlgorithm::P256,
        a: "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
        public_a: "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c37725811805271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
        b: "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53",
        public_b: "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf6356fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
        shared: "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de",
    },
    Exchange {
        algorithm: KexAlgorithm::P384,
        a: "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194",
        public_a: "667842d7d180ac2cde6f74f37551f55755c7645c20ef73e31634fe72b4c55ee6de3ac808acb4bdb4c88732aee95f41aa9482ed1fc0eeb9cafc4984625ccfc23f65032149e0e144ada024181535a0f38eeb9fcff3c2c947dae69b4c634573a81c",
        b: "41cb0779b4bdb85d47846725fbec3c9430fab46cc8dc5060855cc9bda0aa2942e0308312916b8ed2960e4bd55a7448fc",
        public_b: "e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96fda41d0774a3571dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
        shared: "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746",
    },
];

/// With ring these private values cannot be injected (it takes none): `cross` compares ring with what is
/// checked here.
#[test]
fn elliptic_curve_exchanges() {
    for provider in PROVIDERS.into_iter().filter(|provider| !asks_the_system(provider)) {
        for vector in EXCHANGES {
            check_exchange(
                provider,
                vector.algorithm,
                [vector.a, vector.public_a, vector.b, vector.public_b, vector.shared].map(hex),
            );
        }
    }
}

fn check_exchange(
    provider: &adit_platform::Provider,
    algorithm: KexAlgorithm,
    [a, public_a, b, public_b, shared]: [Vec<u8>; 5],
) {
    let what = format!("{} {algorithm:?}", provider.name);
    let method = provider.key_exchange(algorithm).unwrap();
    let active = method.start(&mut FixedRng(&a)).unwrap();
    assert_eq!(active.public(), public_a, "{what}");
    let responded = method.respond(&mut FixedRng(&b), &public_a).unwrap();
    assert_eq!(responded.public, public_b, "{what}");
    assert_eq!(responded.shared.expose(), shared, "{what}");
    assert_eq!(active.complete(&public_b).unwrap().expose(), shared, "{what}");
}

/// The answers of `modp/generate.py`: per group the prime by RFC 3526's formula, then both private
/// values and what comes of them by Python's `pow`. The shared secrets start with a zero byte.
fn modp_answers() -> Vec<(KexAlgorithm, Vec<u8>, [Vec<u8>; 5])> {
    let text = include_str!("modp/answers.txt");
    let groups = text.split("group ").skip(1).map(|group| {
        let mut lines = group.lines();
        let algorithm = match lines.next().unwrap() {
            "2048" => KexAlgorithm::Modp2048,
            "3072" => KexAlgorithm::Modp3072,
            "4096" => KexAlgorithm::Modp4096,
            other => panic!("group {other}"),
        };
        let [prime, rest @ ..] = ["p", "a", "A", "b", "B", "shared"].map(|name| {
            let (label, digits) = lines.next().unwrap().split_once(' ').unwrap();
            assert_eq!(label, name);
            hex(digits)
        });
        (algorithm, prime, rest)
    });
    groups.collect()
}

#[test]
fn modp_exchanges() {
    let answers = modp_answers();
    assert_eq!(answers.len(), 3);
    for provider in PROVIDERS {
        for (algorithm, prime, answer) in &answers {
            assert_eq!(answer[4].len(), prime.len());
            //= RFC 7296 section 2.14: padded with zeros in front to the length of the prime.
            assert_eq!(answer[4][0], 0);
            check_exchange(provider, *algorithm, answer.clone());
        }
    }
}

/// `number` plus `delta`, for numbers whose last byte has room.
fn plus(number: &[u8], delta: i8) -> Vec<u8> {
    let mut number = number.to_vec();
    let last = number.last_mut().unwrap();
    *last = last.checked_add_signed(delta).unwrap();
    number
}

//= RFC 6989 section 2.1: a public value r is accepted only if 1 < r < p - 1.
#[test]
fn degenerate_modp_values_are_refused() {
    for provider in PROVIDERS {
        for (algorithm, prime, [private, ..]) in &modp_answers() {
            let what = format!("{} {algorithm:?}", provider.name);
            let method = provider.key_exchange(*algorithm).unwrap();
            let zero = vec![0; prime.len()];
            // The primes end in ff, so that prime + 1 is written by hand.
            let refused = [
                zero.clone(),
                plus(&zero, 1),
                plus(prime, -1),
                prime.clone(),
                vec![0xff; prime.len()],
                prime[1..].to_vec(),
                [&[0], &prime[..]].concat(),
                vec![],
            ];
            for peer in refused {
                let responded = method.respond(&mut FixedRng(private), &peer);
                assert_eq!(responded.err(), Some(KexError::InvalidPublicValue), "{what}");
                let active = method.start(&mut FixedRng(private)).unwrap();
                let completed = active.complete(&peer);
                assert_eq!(completed, Err(KexError::InvalidPublicValue), "{what}");
            }
            for peer in [plus(&zero, 2), plus(prime, -2)] {
                assert!(method.respond(&mut FixedRng(private), &peer).is_ok(), "{what}");
            }
        }
    }
}

/// RFC 4868 section 2.7.1: key, data, PRF-HMAC-SHA-256, -384, -512.
const PRF: &[[&str; 5]] = &[
    // PRF-1
    [
        "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
        "4869205468657265",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
        "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
    ],
    // PRF-2
    [
        "4a656665",
        "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    ],
    // PRF-3
    [
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27",
        "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
    ],
    // PRF-4
    [
        "0102030405060708090a0b0c0d0e0f10111213141516171819",
        "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb",
        "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd",
    ],
    // PRF-5
    [
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
        "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
    ],
    // PRF-6
    [
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "5468697320697320612074657374207573696e672061206c6172676572207468616e20626c6f636b2d73697a65206b657920616e642061206c6172676572207468616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565647320746f20626520686173686564206265666f7265206265696e6720757365642062792074686520484d414320616c676f726974686d2e",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e",
        "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58",
    ],
];

/// RFC 4868 section 2.7.2: key, data, truncated tag.
const AUTH: &[(MacAlgorithm, [&str; 3])] = &[
    // AUTH256-1
    (
        MacAlgorithm::HmacSha2_256_128,
        [
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "4869205468657265",
            "198a607eb44bfbc69903a0f1cf2bbdc5",
        ],
    ),
    // AUTH256-2
    (
        MacAlgorithm::HmacSha2_256_128,
        [
            "4a6566654a6566654a6566654a6566654a6566654a6566654a6566654a656665",
            "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            "167f928588c5cc2eef8e3093caa0e87c",
        ],
    ),
    // AUTH256-3
    (
        MacAlgorithm::HmacSha2_256_128,
        [
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
            "cdcb1220d1ecccea91e53aba3092f962",
        ],
    ),
    // AUTH256-4
    (
        MacAlgorithm::HmacSha2_256_128,
        [
            "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
            "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
            "372efcf9b40b35c2115b1346903d2ef4",
        ],
    ),
    // AUTH384-1
    (
        MacAlgorithm::HmacSha2_384_192,
        [
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "4869205468657265",
            "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973",
        ],
    ),
    // AUTH384-2
    (
        MacAlgorithm::HmacSha2_384_192,
        [
            "4a6566654a6566654a6566654a6566654a6566654a6566654a6566654a6566654a6566654a6566654a6566654a656665",
            "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            "2c7353974f1842fd66d53c452ca42122b28c0b594cfb184d",
        ],
    ),
    // AUTH384-3
    (
        MacAlgorithm::HmacSha2_384_192,
        [
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
            "809f439be00274321d4a538652164b53554a508184a0c316",
        ],
    ),
    // AUTH384-4
    (
        MacAlgorithm::HmacSha2_384_192,
        [
            "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f200a0b0c0d0e0f10111213141516171819",
            "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
            "5b540085c6e6358096532b2493609ed1cb298f774f87bb5c",
        ],
    ),
    // AUTH512-1
    (
        MacAlgorithm::HmacSha2_512_256,
        [
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "4869205468657265",
            "637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8",
        ],
    ),
    // AUTH512-2
    (
        MacAlgorithm::HmacSha2_512_256,
        [
            "4a6566654a6566654a6566654a6566654a6566654a6566654a6566654a6566654a6566654a6566654a6566654a6566654a6566654a6566654a6566654a656665",
            "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            "cb370917ae8a7ce28cfd1d8f4705d6141c173b2a9362c15df235dfb251b15454",
        ],
    ),
    // AUTH512-3
    (
        MacAlgorithm::HmacSha2_512_256,
        [
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
            "2ee7acd783624ca9398710f3ee05ae41b9f9b0510c87e49e586cc9bf961733d8",
        ],
    ),
];
