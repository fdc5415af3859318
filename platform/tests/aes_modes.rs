//! Published answers of the modes of AES that only some IPsec peers use: counter mode, CCM, CMAC, XCBC.

mod common;

use adit_platform::aead::AeadAlgorithm;
use adit_platform::cipher::CipherAlgorithm;
use adit_platform::mac::MacAlgorithm;
use common::PROVIDERS;
use hex_literal::hex;

/// Keying material (the nonce behind the key), IV, plaintext and ciphertext.
type Encrypted = (CipherAlgorithm, &'static [u8], &'static [u8], &'static [u8], &'static [u8]);

const ENCRYPTED: &[Encrypted] = &[
    // RFC 3686 section 6, test vector #1.
    (
        CipherAlgorithm::Aes128Ctr,
        &hex!("ae6852f8121067cc4bf7a5765577f39e00000030"),
        &hex!("0000000000000000"),
        &hex!("53696e676c6520626c6f636b206d7367"),
        &hex!("e4095d4fb7a7b3792d6175a3261311b8"),
    ),
    // RFC 3686 section 6, test vector #2.
    (
        CipherAlgorithm::Aes128Ctr,
        &hex!("7e24067817fae0d743d6ce1f32539163006cb6db"),
        &hex!("c0543b59da48d90b"),
        &hex!("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
        &hex!("5104a106168a72d9790d41ee8edad388eb2e1efc46da57c8fce630df9141be28"),
    ),
    // RFC 3686 section 6, test vector #3.
    (
        CipherAlgorithm::Aes128Ctr,
        &hex!("7691be035e5020a8ac6e618529f9a0dc00e0017b"),
        &hex!("27777f3f4a1786f0"),
        &hex!(
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
            "20212223"
        ),
        &hex!(
            "c1cf48a89f2ffdd9cf4652e9efdb72d74540a42bde6d7836d59a5ceaaef31053"
            "25b2072f"
        ),
    ),
    // RFC 3686 section 6, test vector #4.
    (
        CipherAlgorithm::Aes192Ctr,
        &hex!("16af5b145fc9f579c175f93e3bfb0eed863d06ccfdb7851500000048"),
        &hex!("36733c147d6d93cb"),
        &hex!("53696e676c6520626c6f636b206d7367"),
        &hex!("4b55384fe259c9c84e7935a003cbe928"),
    ),
    // RFC 3686 section 6, test vector #5.
    (
        CipherAlgorithm::Aes192Ctr,
        &hex!("7c5cb2401b3dc33c19e7340819e0f69c678c3db8e6f6a91a0096b03b"),
        &hex!("020c6eadc2cb500d"),
        &hex!("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
        &hex!("453243fc609b23327edfaafa7131cd9f8490701c5ad4a79cfc1fe0ff42f4fb00"),
    ),
    // RFC 3686 section 6, test vector #6.
    (
        CipherAlgorithm::Aes192Ctr,
        &hex!("02bf391ee8ecb159b959617b0965279bf59b60a786d3e0fe0007bdfd"),
        &hex!("5cbd60278dcc0912"),
        &hex!(
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
            "20212223"
        ),
        &hex!(
            "96893fc55e5c722f540b7dd1ddf7e758d288bc95c69165884536c811662f2188"
            "abee0935"
        ),
    ),
    // RFC 3686 section 6, test vector #7.
    (
        CipherAlgorithm::Aes256Ctr,
        &hex!(
            "776beff2851db06f4c8a0542c8696f6c6a81af1eec96b4d37fc1d689e6c1c104"
            "00000060"
        ),
        &hex!("db5672c97aa8f0b2"),
        &hex!("53696e676c6520626c6f636b206d7367"),
        &hex!("145ad01dbf824ec7560863dc71e3e0c0"),
    ),
    // RFC 3686 section 6, test vector #8.
    (
        CipherAlgorithm::Aes256Ctr,
        &hex!(
            "f6d66d6bd52d59bb0796365879eff886c66dd51a5b6a99744b50590c87a23884"
            "00faac24"
        ),
        &hex!("c1585ef15a43d875"),
        &hex!("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
        &hex!("f05e231b3894612c49ee000b804eb2a9b8306b508f839d6a5530831d9344af1c"),
    ),
    // RFC 3686 section 6, test vector #9.
    (
        CipherAlgorithm::Aes256Ctr,
        &hex!(
            "ff7a617ce69148e4f1726e2f43581de2aa62d9f805532edff1eed687fb54153d"
            "001cc5b7"
        ),
        &hex!("51a51d70a1c11148"),
        &hex!(
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
            "20212223"
        ),
        &hex!(
            "eb6c52821d0bbbf7ce7594462aca4faab407df866569fd07f48cc0b583d6071f"
            "1ec0e6b8"
        ),
    ),
    // NIST SP 800-38A appendix F.2.3.
    (
        CipherAlgorithm::Aes192Cbc,
        &hex!("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
        &hex!("000102030405060708090a0b0c0d0e0f"),
        &hex!(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
            "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
        ),
        &hex!(
            "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"
            "571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd"
        ),
    ),
];

#[test]
fn ciphers() {
    for provider in PROVIDERS {
        for (algorithm, key, iv, plain, encrypted) in ENCRYPTED {
            let what = format!("{} {algorithm:?}", provider.name);
            let key = provider.cipher(*algorithm).unwrap().key(key).unwrap();
            let mut data = plain.to_vec();
            key.encrypt(iv, &mut data).unwrap();
            assert_eq!(data, *encrypted, "{what}");
            key.decrypt(iv, &mut data).unwrap();
            assert_eq!(data, *plain, "{what}");
            assert!(key.encrypt(&iv[1..], &mut data).is_err(), "{what}");
            assert!(key.decrypt(&[&iv[..], &[0]].concat(), &mut data).is_err(), "{what}");
            assert_eq!(data, *plain, "an error must leave the data alone");
        }
    }
}

/// Key, nonce, associated data, plaintext, ciphertext with tag.
type Sealed =
    (AeadAlgorithm, &'static [u8], &'static [u8], &'static [u8], &'static [u8], &'static [u8]);

/// By OpenSSL 3: what is published for CCM with nonces of 11 bytes has tags of 16 bytes alone, and is in
/// the suite `wycheproof`.
const CCM: &[Sealed] = &[
    (
        AeadAlgorithm::Aes128Ccm16,
        &hex!("404142434445464748494a4b4c4d4e4f"),
        &hex!("a0a1a21011121314151617"),
        &hex!("0102030400000005"),
        &hex!("202122232425262728292a2b2c2d2e2f303132333435363738"),
        &hex!(
            "e6dcce7c6ac5b9bc5e179aae28ca30a4e5039436fde7719aea3fee524cff8bd8"
            "3560ba33b0aad29132"
        ),
    ),
    (
        AeadAlgorithm::Aes192Ccm16,
        &hex!("404142434445464748494a4b4c4d4e4f5051525354555657"),
        &hex!("a0a1a21011121314151617"),
        &hex!("010203040000000700000005"),
        &hex!("202122232425262728292a2b2c2d2e2f30313233343536373839"),
        &hex!(
            "f9dbad57a699c7b53f0cedab3c77cfc4b3547f1921ea05389b787a46b44df8c8"
            "299671d11000d02272d5"
        ),
    ),
    (
        AeadAlgorithm::Aes256Ccm16,
        &hex!("404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"),
        &hex!("a0a1a21011121314151617"),
        &hex!("0102030400000005"),
        &hex!("202122232425262728292a2b2c2d2e2f303132333435363738393a"),
        &hex!(
            "1277f3272b1994bc8c128e4ec74f3fe69712a07cccbf713a626cf4eaaf0e7d4e"
            "b0f7eb68796d0415e0095b"
        ),
    ),
    (
        AeadAlgorithm::Aes128Ccm12,
        &hex!("404142434445464748494a4b4c4d4e4f"),
        &hex!("a0a1a21011121314151617"),
        &hex!("010203040000000700000005"),
        &hex!("202122232425262728292a2b2c2d2e2f303132333435363738393a3b"),
        &hex!(
            "e6dcce7c6ac5b9bc5e179aae28ca30a4e5039436fde7719aea0c91e40c82fd79"
            "bf95b7633aeff398"
        ),
    ),
    (
        AeadAlgorithm::Aes192Ccm12,
        &hex!("404142434445464748494a4b4c4d4e4f5051525354555657"),
        &hex!("a0a1a21011121314151617"),
        &hex!("0102030400000005"),
        &hex!("202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c"),
        &hex!(
            "f9dbad57a699c7b53f0cedab3c77cfc4b3547f1921ea05389b785d2ce29dd992"
            "482f9714b04361db63"
        ),
    ),
    (
        AeadAlgorithm::Aes256Ccm12,
        &hex!("404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"),
        &hex!("a0a1a21011121314151617"),
        &hex!("010203040000000700000005"),
        &hex!("202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d"),
        &hex!(
            "1277f3272b1994bc8c128e4ec74f3fe69712a07cccbf713a626cf4e77fc77856"
            "0300351a4f38784df015"
        ),
    ),
    (
        AeadAlgorithm::Aes128Ccm8,
        &hex!("404142434445464748494a4b4c4d4e4f"),
        &hex!("a0a1a21011121314151617"),
        &hex!("0102030400000005"),
        &hex!("202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e"),
        &hex!(
            "e6dcce7c6ac5b9bc5e179aae28ca30a4e5039436fde7719aea0c91e4b4174017"
            "8905af8eff2c1f"
        ),
    ),
    (
        AeadAlgorithm::Aes192Ccm8,
        &hex!("404142434445464748494a4b4c4d4e4f5051525354555657"),
        &hex!("a0a1a21011121314151617"),
        &hex!("010203040000000700000005"),
        &hex!("202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"),
        &hex!(
            "f9dbad57a699c7b53f0cedab3c77cfc4b3547f1921ea05389b785d2ce2afee86"
            "00712642029a0a81"
        ),
    ),
    (
        AeadAlgorithm::Aes256Ccm8,
        &hex!("404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"),
        &hex!("a0a1a21011121314151617"),
        &hex!("0102030400000005"),
        &hex!("202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40"),
        &hex!(
            "1277f3272b1994bc8c128e4ec74f3fe69712a07cccbf713a626cf4e77fc79c9d"
            "3cb2d6b7a3b060ed93"
        ),
    ),
];

//= RFC 4309 section 4
#[test]
fn ccm() {
    for provider in PROVIDERS {
        for (algorithm, key, nonce, aad, text, sealed) in CCM {
            let what = format!("{} {algorithm:?}", provider.name);
            let key = provider.aead(*algorithm).unwrap().key(key).unwrap();
            let mut packet = text.to_vec();
            packet.resize(text.len() + algorithm.tag_len(), 0);
            key.seal(nonce, aad, &mut packet).unwrap();
            assert_eq!(packet, *sealed, "{what}");
            key.open(nonce, aad, &mut packet).unwrap();
            assert_eq!(packet[..text.len()], **text, "{what}");
            for flipped in 0..sealed.len() {
                let mut packet = sealed.to_vec();
                packet[flipped] ^= 0x40;
                assert!(key.open(nonce, aad, &mut packet).is_err(), "{what} {flipped}");
            }
            assert!(key.open(nonce, &aad[1..], &mut sealed.to_vec()).is_err(), "{what}");
            for wrong in [&nonce[1..], &[nonce, &[0][..]].concat()] {
                assert!(key.open(wrong, aad, &mut sealed.to_vec()).is_err(), "{what}");
                assert!(key.seal(wrong, aad, &mut sealed.to_vec()).is_err(), "{what}");
            }
        }
    }
}

const CMAC_MESSAGE: [u8; 64] = hex!(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
);

//= RFC 4494 section 5
#[test]
fn cmac() {
    let key = hex!("2b7e151628aed2a6abf7158809cf4f3c");
    for (len, tag) in [
        (0, hex!("bb1d6929e95937287fa37d12")),
        (16, hex!("070a16b46b4d4144f79bdd9d")),
        (40, hex!("dfa66747de9ae63030ca3261")),
        (64, hex!("51f0bebf7e3b9d92fc497417")),
    ] {
        check_mac(MacAlgorithm::AesCmac96, &key, &CMAC_MESSAGE[..len], tag);
    }
}

//= RFC 3566 section 4.6
#[test]
fn xcbc() {
    let key: [u8; 16] = std::array::from_fn(|index| index as u8);
    let counting: Vec<u8> = (0..34).collect();
    for (len, tag) in [
        (0, hex!("75f0251d528ac01c4573dfd5")),
        (3, hex!("5b376580ae2f19afe7219cee")),
        (16, hex!("d2a246fa349b68a79998a439")),
        (20, hex!("47f51b4564966215b8985c63")),
        (32, hex!("f54f0ec8d2b9f3d36807734b")),
        (34, hex!("becbb3bccdb518a30677d548")),
    ] {
        check_mac(MacAlgorithm::AesXcbc96, &key, &counting[..len], tag);
    }
    check_mac(MacAlgorithm::AesXcbc96, &key, &[0; 1000], hex!("f0dafee895db30253761103b"));
}

fn check_mac(algorithm: MacAlgorithm, key: &[u8], message: &[u8], answer: [u8; 12]) {
    for provider in PROVIDERS {
        let what = format!("{} {algorithm:?}, {} bytes", provider.name, message.len());
        let key = provider.mac(algorithm).unwrap().key(key).unwrap();
        // However it is cut into parts.
        for cut in 0..=message.len() {
            let (front, back) = message.split_at(cut);
            let mut tag = [0; 12];
            key.sign(&[front, &[], back], &mut tag).unwrap();
            assert_eq!(tag, answer, "{what}");
            key.verify(&[front, back], &answer).unwrap();
        }
        for flipped in 0..answer.len() {
            let mut tag = answer;
            tag[flipped] ^= 1;
            assert!(key.verify(&[message], &tag).is_err(), "{what}");
        }
        assert!(key.verify(&[message], &answer[..11]).is_err(), "{what}");
        assert!(key.verify(&[message], &[]).is_err(), "{what}");
        assert!(key.sign(&[message], &mut [0; 16]).is_err(), "{what}");
    }
}
