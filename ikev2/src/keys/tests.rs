//! The key schedule, AUTH and SK {} against values that `tests/key_vectors.py` computes from the RFCs
//! without this code: no RFC has vectors for them.

use alloc::vec::Vec;

use adit_platform::aead::AeadAlgorithm;
use adit_platform::cipher::CipherAlgorithm;
use adit_platform::mac::MacAlgorithm;
use adit_platform::prf::PrfAlgorithm;
use adit_platform::rng::RngError;
use adit_platform::{Provider, Rng, Secret, Suite};
use hex_literal::hex;

use super::*;
use crate::wire::{
    ExchangeType, Flags, Fragment, Header, IdType, Identification, IkeSpi, Message, PayloadType,
};

const PROVIDERS: [Provider; 2] =
    [adit_platform::ring::PROVIDER, adit_platform::rustcrypto::PROVIDER];

const SPII: IkeSpi = IkeSpi(*b"initiatr");
const SPIR: IkeSpi = IkeSpi(*b"respondr");
const CONTENT: [u8; 8] = hex!("0000000801000000");

struct Vector {
    suite: Suite,
    prf: PrfAlgorithm,
    sk_d: &'static [u8],
    sk_ai: &'static [u8],
    sk_ar: &'static [u8],
    sk_ei: &'static [u8],
    sk_er: &'static [u8],
    sk_pi: &'static [u8],
    sk_pr: &'static [u8],
    child_i: &'static [u8],
    child_r: &'static [u8],
    child_pfs_i: &'static [u8],
    child_pfs_r: &'static [u8],
    rekeyed_d: &'static [u8],
    auth: &'static [u8],
    sk: &'static [u8],
    skf: &'static [u8],
}

struct Fixed;

impl Rng for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        out.fill(0x5a);
        Ok(())
    }
}

fn range(from: u8, to: u8) -> Vec<u8> {
    (from..to).collect()
}

fn keys(provider: &Provider, vector: &Vector) -> IkeKeys {
    let (ni, nr) = (range(0, 32), range(100, 148));
    let nonces = Nonces { initiator: &ni, responder: &nr };
    let shared = Secret::from(range(32, 64));
    IkeKeys::initial(provider, vector.prf, vector.suite, &shared, nonces, (SPII, SPIR)).unwrap()
}

#[test]
fn keys_of_an_ike_sa_and_of_what_comes_after_it() {
    for provider in &PROVIDERS {
        for vector in &VECTORS {
            let ike = keys(provider, vector);
            assert_eq!(ike.sk_ai.expose(), vector.sk_ai);
            assert_eq!(ike.sk_ar.expose(), vector.sk_ar);
            assert_eq!(ike.sk_ei.expose(), vector.sk_ei);
            assert_eq!(ike.sk_er.expose(), vector.sk_er);
            assert_eq!(ike.sk_p(true).expose(), vector.sk_pi);
            assert_eq!(ike.sk_p(false).expose(), vector.sk_pr);

            let sk_d = ike.into_sk_d();
            assert_eq!(sk_d.expose(), vector.sk_d);
            let (ni, nr) = (range(0, 32), range(100, 148));
            let nonces = Nonces { initiator: &ni, responder: &nr };
            let child = sk_d.child_keys(vector.suite, None, nonces).unwrap();
            assert_eq!(child.initiator.expose(), vector.child_i);
            assert_eq!(child.responder.expose(), vector.child_r);
            let shared = Secret::from(range(64, 96));
            let child = sk_d.child_keys(vector.suite, Some(&shared), nonces).unwrap();
            assert_eq!(child.initiator.expose(), vector.child_pfs_i);
            assert_eq!(child.responder.expose(), vector.child_pfs_r);

            // The responder of the old IKE SA rekeys it, so the nonces change places.
            let nonces = Nonces { initiator: &nr, responder: &ni };
            let spis = (IkeSpi(*b"INITIATR"), IkeSpi(*b"RESPONDR"));
            let (prf, suite) = (vector.prf, vector.suite);
            let rekeyed =
                IkeKeys::rekeyed(provider, &sk_d, prf, suite, &shared, nonces, spis).unwrap();
            assert_eq!(rekeyed.into_sk_d().expose(), vector.rekeyed_d);
        }
    }
}

#[test]
fn auth_of_a_shared_key() {
    for provider in &PROVIDERS {
        for vector in &VECTORS {
            let ike = keys(provider, vector);
            let id = Identification { id_type: IdType::FQDN, data: b"gw.lab.test"[..].into() };
            let nr = range(100, 148);
            let octets = signed_octets(ike.prf(), ike.sk_p(true), b"first message", &nr, &id);
            let secret = Secret::copy_from(b"correct horse battery staple");
            assert_eq!(shared_key_mic(ike.prf(), &secret, &octets).expose(), vector.auth);
        }
    }
}

fn header() -> Header {
    let flags = Flags::REQUEST_BY_INITIATOR;
    Header::new(SPII, SPIR, ExchangeType::INFORMATIONAL, flags, 5)
}

fn plaintext(content: &[u8], fragment: Option<Fragment>) -> Plaintext<'_> {
    Plaintext { first_payload: PayloadType::DELETE, fragment, content }
}

#[test]
fn sealed_messages() {
    let first = Some(Fragment { number: 1, total: 1 });
    for provider in &PROVIDERS {
        for vector in &VECTORS {
            let ike = keys(provider, vector);
            for (expected, fragment) in [(vector.sk, None), (vector.skf, first)] {
                let mut ours = Protector::new(provider, &ike, true).unwrap();
                let peers = Protector::new(provider, &ike, false).unwrap();
                assert_eq!(ours.sealed_len(CONTENT.len(), fragment.is_some()), expected.len());
                let mut sealed =
                    ours.seal(&mut Fixed, &header(), &plaintext(&CONTENT, fragment)).unwrap();
                assert_eq!(sealed, expected);
                let encrypted = Message::parse(&sealed).unwrap().encrypted.unwrap();
                assert_eq!(encrypted.first_payload, PayloadType::DELETE);
                assert_eq!(encrypted.fragment, fragment);
                let content = peers.open(&mut sealed, &encrypted).unwrap();
                assert_eq!(sealed[content], CONTENT);
                // Our own messages are sealed with the other direction's keys.
                let mut reflected = expected.to_vec();
                assert_eq!(ours.open(&mut reflected, &encrypted), Err(OpenError::NotAuthentic));
            }
        }
    }
}

#[test]
fn every_bit_of_a_sealed_message_counts() {
    for provider in &PROVIDERS {
        for vector in &VECTORS {
            let ike = keys(provider, vector);
            let peers = Protector::new(provider, &ike, false).unwrap();
            for bit in 0..vector.skf.len() * 8 {
                let mut bent = vector.skf.to_vec();
                bent[bit / 8] ^= 1 << (bit % 8);
                let Ok(message) = Message::parse(&bent) else { continue };
                let Some(encrypted) = message.encrypted else { continue };
                let result = peers.open(&mut bent, &encrypted);
                assert!(
                    matches!(result, Err(OpenError::NotAuthentic | OpenError::Truncated)),
                    "bit {bit}: {result:?}"
                );
            }
        }
    }
}

#[test]
fn ivs_of_an_aead_never_repeat() {
    for provider in &PROVIDERS {
        let ike = keys(provider, &VECTORS[0]);
        let mut ours = Protector::new(provider, &ike, true).unwrap();
        let mut ivs = Vec::new();
        for _ in 0..3 {
            let sealed = ours.seal(&mut Fixed, &header(), &plaintext(&CONTENT, None)).unwrap();
            ivs.push(sealed[32..40].to_vec());
        }
        ivs.dedup();
        assert_eq!(ivs.len(), 3);
    }
}

#[test]
fn a_key_log_line_is_what_wireshark_reads() {
    let ike = keys(&PROVIDERS[0], &VECTORS[3]);
    let line = ike.dangerous_key_log_line(SPII, SPIR);
    let fields: Vec<&str> = line.split(',').collect();
    assert_eq!(fields[0], "696e697469617472");
    assert_eq!(fields[1], "726573706f6e6472");
    assert_eq!(fields[4], "\"AES-CBC-128 [RFC3602]\"");
    assert_eq!(fields[7], "\"HMAC_SHA2_256_128 [RFC4868]\"");
    let hex = |bytes: &[u8]| bytes.iter().map(|b| alloc::format!("{b:02x}")).collect::<Vec<_>>();
    assert_eq!(fields[2], hex(VECTORS[3].sk_ei).concat());
    assert_eq!(fields[6], hex(VECTORS[3].sk_ar).concat());
}

#[test]
fn key_material_is_not_printed() {
    let text = alloc::format!("{:?}", keys(&PROVIDERS[0], &VECTORS[0]));
    assert!(text.contains("Secret(32 bytes)"));
    assert!(!text.contains("0x") && !text.contains('['), "{text}");
}

const VECTORS: [Vector; 5] = [
    Vector {
        suite: Suite::Aead(AeadAlgorithm::Aes128Gcm16),
        prf: PrfAlgorithm::HmacSha2_256,
        sk_d: &hex!("02be716dbef49043e630595281503bdaa8c517041ec6d26f398fffc25280a977"),
        sk_ai: &hex!(""),
        sk_ar: &hex!(""),
        sk_ei: &hex!("bbfb3a3471dddd4762597ca1bcf92aab34a77d23"),
        sk_er: &hex!("10ea42165a104cb07356f51b4b3ac355fa964c7b"),
        sk_pi: &hex!("1c2c285f7b8f0fa2cfee8eef18dc53415a7996456597308a3b2795f5c0987a40"),
        sk_pr: &hex!("6e731134076366df0fcd00d820a76de93684c5f398a5bdb7010bd3558c003f30"),
        child_i: &hex!("f9646152e15f8e242acd46efe2910f6fd9e9df25"),
        child_r: &hex!("543b211750c9c2d991d1dcf0cae3b23fa5844380"),
        child_pfs_i: &hex!("e80c1d7e3e762b54894d5451508d8f1271ed7411"),
        child_pfs_r: &hex!("cf11b4c76ac0f4aa7cab050fb9e4a6a286c49e89"),
        rekeyed_d: &hex!("5a38a8ce8c1f175fd34f37021d4794dc0666411c892e08203aadbe0934b28ea1"),
        auth: &hex!("2ea061e4217dfbfa5dfa69be28146a7f52b08ea98cb41f80f8ebcf1e3e84f6ef"),
        sk: &hex!(
            "696e697469617472726573706f6e64722e20250800000005000000412a00002500000000000000009cd1711b"
            "36c3020dc9aa7fb3bc93ae058d613c5d439205d3a1"
        ),
        skf: &hex!(
            "696e697469617472726573706f6e64723520250800000005000000452a000029000100010000000000000000"
            "9cd1711b36c3020dc98d98baf43f88d1d5974443bd628fbfb4"
        ),
    },
    Vector {
        suite: Suite::Aead(AeadAlgorithm::Aes256Gcm16),
        prf: PrfAlgorithm::HmacSha2_384,
        sk_d: &hex!(
            "5991234ba588e4364aa180b0e5786e97803c317775e18f8c9bad6bee8f44380c24c459fe429939af11eb0b18"
            "0ec66827"
        ),
        sk_ai: &hex!(""),
        sk_ar: &hex!(""),
        sk_ei: &hex!("4b98667daaad26345af2a84e8969bed71a08d627bf7da1f85c0a9dc1bf986d5c33be5405"),
        sk_er: &hex!("0aaa4e5081c6d0619ca54b142f0173518dbc19a77d17995aa12e4c0904fef44ae7483bc8"),
        sk_pi: &hex!(
            "39fdb3ec578d4758f6b32402630be77957b5f23b2cd5f5d1ccd687786a7161a8480ace3dd3c46d130f1ca679"
            "2cf50b91"
        ),
        sk_pr: &hex!(
            "cdc5d709bd6442414bf8f2eca727b46398a410a4d7606b6f1a16b4dbd73fb3d7e47b99ef8308b171e9a9a83e"
            "e360c10b"
        ),
        child_i: &hex!("9964d6b2f15d7931ac51706c3af8c932e3e25d9d11278d9d04cc2d5e1df83f2ea1bb3947"),
        child_r: &hex!("49015107e53b18a32201824359baa88908be278d95d89fd973b50ac1baacb166aa15040d"),
        child_pfs_i: &hex!(
            "c322a58f0739371cb3249aaa48edce1f70dc609380289413a461377dd94dd4e091b1a85b"
        ),
        child_pfs_r: &hex!(
            "ebc8d8b691a7f4095e003dcd15e573567e991bec184d96b5c44b7380c3bfda39022da6ae"
        ),
        rekeyed_d: &hex!(
            "8f9518ddfaf9b2737d64294a3d6d1d6baa6c9a03a12bd94e6a24c3a071f907bbca0700500e01fa3f181cb210"
            "ca5e55de"
        ),
        auth: &hex!(
            "52652246d4650f31db8a3fd71ea41fd513b436aa3c239dcfcc753778b7d20f5b62d76f807cb002562725f7db"
            "ade6c695"
        ),
        sk: &hex!(
            "696e697469617472726573706f6e64722e20250800000005000000412a0000250000000000000000a279f961"
            "e642f30e6a49c63e7172f535ab24958d217081a868"
        ),
        skf: &hex!(
            "696e697469617472726573706f6e64723520250800000005000000452a000029000100010000000000000000"
            "a279f961e642f30e6ac77a9f303c51652f0f5e12a4e8823a7d"
        ),
    },
    Vector {
        suite: Suite::Aead(AeadAlgorithm::ChaCha20Poly1305),
        prf: PrfAlgorithm::HmacSha2_512,
        sk_d: &hex!(
            "17d501d00135e879b2788e4f8743fd12e4b8c46c2364a70d5a833761a58c980755fdb5951346abf171ff1519"
            "4212e2b6a1a632f8869122937feaf619ef87651a"
        ),
        sk_ai: &hex!(""),
        sk_ar: &hex!(""),
        sk_ei: &hex!("d12a9868ccdde64ca7d2ce80eb8f223afecc3d59ab6a6033985a18d5d149f209413f4823"),
        sk_er: &hex!("9f68c1498b9f201e46ab537bc1f2a9034b87acc3d87f0f0e49ecf033c2524df1d7573b60"),
        sk_pi: &hex!(
            "bdcd4a53ad56afe4bb229b66fb84c2f723bb433c741cf09828d4b836ce3498e06cc126eebde1b2661bf673ed"
            "557f7757b67f85a24c5ba7905ea42ef73d70552e"
        ),
        sk_pr: &hex!(
            "023437cd7358e04abcd6cf3b6c25f6704ac92f9524780660abc1b3a530e79de01b64fc4062dd2c76ffecb562"
            "c64f5bebc61b06df2f9407b0ce4e0c0e6920c9f7"
        ),
        child_i: &hex!("22f8f781141e474a9002ed2c59626a431ac8fcbbca42000450fce9630c99296e36ca602d"),
        child_r: &hex!("4e2e4d4a6cf650a4230387358eb37f3e2fbf992765395a9ca0e88288102bc76804fa8db5"),
        child_pfs_i: &hex!(
            "5fcf546cf4ea3aee85b44998955976b19b01f7d57916084cca8e757d4f0d2f029f3f2b83"
        ),
        child_pfs_r: &hex!(
            "4a7dcc1c23eb8f0381d2b87735fcc16ac22677ddc5a4cfefe52b811abeacdf285f37efee"
        ),
        rekeyed_d: &hex!(
            "90b6750f58256be38e6d5729c17ae969836b2721443a588cd5aa429f5725c0ecfc82893c6c274e865bbedbe1"
            "0f2d848f4a612ec8919efdfa91bfdb592c8c5771"
        ),
        auth: &hex!(
            "c63c9cb7948e2bf2795e441e82a2f8110123f39e2b9e3ce83a730c9114f09d2e85b50c6dd2c88f927c510581"
            "8ba952b741ad4298c84cc1fb76f4540ad7d390ec"
        ),
        sk: &hex!(
            "696e697469617472726573706f6e64722e20250800000005000000412a00002500000000000000005e9f0328"
            "c62c2689aec6492c134768025b52705d3c8f03cd59"
        ),
        skf: &hex!(
            "696e697469617472726573706f6e64723520250800000005000000452a000029000100010000000000000000"
            "5e9f0328c62c2689aec3b4fb00e81c0eb44f3b56a2240867c6"
        ),
    },
    Vector {
        suite: Suite::CipherMac(CipherAlgorithm::Aes128Cbc, MacAlgorithm::HmacSha2_256_128),
        prf: PrfAlgorithm::HmacSha2_256,
        sk_d: &hex!("02be716dbef49043e630595281503bdaa8c517041ec6d26f398fffc25280a977"),
        sk_ai: &hex!("bbfb3a3471dddd4762597ca1bcf92aab34a77d2310ea42165a104cb07356f51b"),
        sk_ar: &hex!("4b3ac355fa964c7b1c2c285f7b8f0fa2cfee8eef18dc53415a7996456597308a"),
        sk_ei: &hex!("3b2795f5c0987a406e731134076366df"),
        sk_er: &hex!("0fcd00d820a76de93684c5f398a5bdb7"),
        sk_pi: &hex!("010bd3558c003f305126d50b2b524588ae501c74546a1ce75a381b58e18bee88"),
        sk_pr: &hex!("90c818d59d454a427446c41ba73ad68d5bd103953fbe2da5a5855c31fdaecaec"),
        child_i: &hex!(
            "f9646152e15f8e242acd46efe2910f6fd9e9df25543b211750c9c2d991d1dcf0cae3b23fa58443809408b13a"
            "262ecb89"
        ),
        child_r: &hex!(
            "780f8feb707890a47cd0c6215a9fd544cd191f9089d4a7ddec8a5dcdbeb30312c545e8f56d3cc683a36b615a"
            "ec94c237"
        ),
        child_pfs_i: &hex!(
            "e80c1d7e3e762b54894d5451508d8f1271ed7411cf11b4c76ac0f4aa7cab050fb9e4a6a286c49e8901c8835b"
            "ce25a7d3"
        ),
        child_pfs_r: &hex!(
            "b9944df869204443e4f7503e43f50e11e5ff4d6e53bccbf2f3122df323ea69f275796ddb7de34ceaf90dd834"
            "8a063760"
        ),
        rekeyed_d: &hex!("5a38a8ce8c1f175fd34f37021d4794dc0666411c892e08203aadbe0934b28ea1"),
        auth: &hex!("21dbef69a1662333c513172d4591b10e24720b9fdf49ffd8b5cee90c91830eae"),
        sk: &hex!(
            "696e697469617472726573706f6e64722e20250800000005000000502a0000345a5a5a5a5a5a5a5a5a5a5a5a"
            "5a5a5a5a117e50824edc8dd360607ddeeb13e3e02e43e7288b8f8095af2c5483e67d4f17"
        ),
        skf: &hex!(
            "696e697469617472726573706f6e64723520250800000005000000542a000038000100015a5a5a5a5a5a5a5a"
            "5a5a5a5a5a5a5a5a117e50824edc8dd360607ddeeb13e3e093d5579628553cdcf63b223b345469b5"
        ),
    },
    Vector {
        suite: Suite::CipherMac(CipherAlgorithm::Aes256Cbc, MacAlgorithm::HmacSha2_512_256),
        prf: PrfAlgorithm::HmacSha2_512,
        sk_d: &hex!(
            "17d501d00135e879b2788e4f8743fd12e4b8c46c2364a70d5a833761a58c980755fdb5951346abf171ff1519"
            "4212e2b6a1a632f8869122937feaf619ef87651a"
        ),
        sk_ai: &hex!(
            "d12a9868ccdde64ca7d2ce80eb8f223afecc3d59ab6a6033985a18d5d149f209413f48239f68c1498b9f201e"
            "46ab537bc1f2a9034b87acc3d87f0f0e49ecf033"
        ),
        sk_ar: &hex!(
            "c2524df1d7573b60bdcd4a53ad56afe4bb229b66fb84c2f723bb433c741cf09828d4b836ce3498e06cc126ee"
            "bde1b2661bf673ed557f7757b67f85a24c5ba790"
        ),
        sk_ei: &hex!("5ea42ef73d70552e023437cd7358e04abcd6cf3b6c25f6704ac92f9524780660"),
        sk_er: &hex!("abc1b3a530e79de01b64fc4062dd2c76ffecb562c64f5bebc61b06df2f9407b0"),
        sk_pi: &hex!(
            "ce4e0c0e6920c9f7a533132d538be1fbda2f2c64abca984cd8e4653458cc4b57705390be0ca40af6c3b85eac"
            "22c13140f26b08f110ff900e085597a7597c6335"
        ),
        sk_pr: &hex!(
            "5e94c49c1239dc0867ec3b22b0e468699d14edcafec920481c50e7b6d9aa55fa80139e638f23cc3fd8b69877"
            "ebd120cc4467c9ddbb06d1d3f34ca91a6f832217"
        ),
        child_i: &hex!(
            "22f8f781141e474a9002ed2c59626a431ac8fcbbca42000450fce9630c99296e36ca602d4e2e4d4a6cf650a4"
            "230387358eb37f3e2fbf992765395a9ca0e88288102bc76804fa8db59bc86f7228ecac225f573cd5f62564e9"
            "da08ca1a92e9e29b"
        ),
        child_r: &hex!(
            "d974918b75221d320de3c542f45cc69eebe2ab58bb9c102a24ac0d7a3d20e336d4a692913b50a77752b5d781"
            "999bd3925b80734a769bfdbd0e730c785955d5ef11092232a2f325930041995cdf65d1a24ba3cc7ca91340d8"
            "a2f421ce95efe61f"
        ),
        child_pfs_i: &hex!(
            "5fcf546cf4ea3aee85b44998955976b19b01f7d57916084cca8e757d4f0d2f029f3f2b834a7dcc1c23eb8f03"
            "81d2b87735fcc16ac22677ddc5a4cfefe52b811abeacdf285f37efeeea757dc28df238ce7fd0f88d3918b197"
            "0880e67940e50804"
        ),
        child_pfs_r: &hex!(
            "94cd0db9132d313d927fd4df4c98d9ea1e7235d42bc7f369ab81c7348469680fe639be5f6a17495143fc73cd"
            "2c8aa96843d3d0e71b11748173b0ce4cdcec8eefa4190c6a409ee42c5438aec027a06f6dc36bf43a35a9a2b1"
            "147c0dce2219bcac"
        ),
        rekeyed_d: &hex!(
            "90b6750f58256be38e6d5729c17ae969836b2721443a588cd5aa429f5725c0ecfc82893c6c274e865bbedbe1"
            "0f2d848f4a612ec8919efdfa91bfdb592c8c5771"
        ),
        auth: &hex!(
            "ecb314cb72fde5d0c397fd34000b70fc56d695772385f9855b711b4c9a6452c11b8300029aecdaa682cd33f8"
            "2d76c5b3d9868f2269bce149b2a773c496b5fe64"
        ),
        sk: &hex!(
            "696e697469617472726573706f6e64722e20250800000005000000602a0000445a5a5a5a5a5a5a5a5a5a5a5a"
            "5a5a5a5a92e1dc7f2b64d500ef0cc8d5350b7d3e031817d398b2aacebfaa8c9b76781c0cd8bdae887dece19c"
            "90592f24780b0f9c"
        ),
        skf: &hex!(
            "696e697469617472726573706f6e64723520250800000005000000642a000048000100015a5a5a5a5a5a5a5a"
            "5a5a5a5a5a5a5a5a92e1dc7f2b64d500ef0cc8d5350b7d3e513be40031cd88b8b5f101110694bf2cda472e35"
            "6438fce5b2779b1b7d4943bc"
        ),
    },
];
