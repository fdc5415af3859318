//! A provider that protects nothing: for fuzzing and for tests that must replay to the byte.
//!
//! [`PROVIDER`] lists the same algorithms as the real providers, with the same lengths everywhere, but
//! behind each name stand a few instructions of mixing. A fuzzer spends its time in the protocol and
//! gets past every check of integrity by sealing with the same key; a whole handshake costs
//! microseconds and is a function of its [`Rng`] alone.
//!
//! **There is no secrecy here at all**: private values are sent as public ones, and everybody can
//! sign. That is why it lives in this crate, which is never published (`publish = false`) and which
//! no crate of Adit depends on but for tests: no feature or configuration of a released crate can
//! select it.
//!
//! What a protocol test may rely on: both sides agree; a changed key, nonce, header or text is
//! detected (by a checksum of 64 bits: not missed by accident, though anyone could forge it); values
//! of the wrong length and degenerate public values are refused; equal inputs give equal outputs.
//!
//! ```
//! use adit_platform::kex::KexAlgorithm;
//! use adit_testkit::insecure::PROVIDER;
//! use adit_testkit::rng::SeededRng;
//!
//! let mut rng = SeededRng::new(1);
//! let method = PROVIDER.key_exchange(KexAlgorithm::P384).ok_or("not listed")?;
//! let initiator = method.start(&mut rng)?;
//! let responder = method.respond(&mut rng, initiator.public())?;
//! assert_eq!(initiator.complete(&responder.public)?, responder.shared);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;

use adit_platform::aead::{Aead, AeadAlgorithm, AeadError, AeadKey, InvalidKeyLength};
use adit_platform::cipher::{Cipher, CipherAlgorithm, CipherError, CipherKey};
use adit_platform::hash::{Digest, Hash, HashAlgorithm, MAX_DIGEST_LEN};
use adit_platform::kex::{ActiveKeyExchange, KexAlgorithm, KexError, KeyExchange, Responded};
use adit_platform::mac::{Mac, MacAlgorithm, MacError, MacKey};
use adit_platform::prf::{Prf, PrfAlgorithm, PrfKey};
use adit_platform::signature::{
    InvalidSignature, KeyError, KeyLoader, SignatureScheme, SignatureVerifier, SigningKey,
};
use adit_platform::{Provider, Rng, Secret, rustcrypto};

/// Every algorithm by name, none by substance.
pub static PROVIDER: Provider = Provider {
    name: "insecure",
    aeads: &[
        &Fake(AeadAlgorithm::Aes128Gcm16),
        &Fake(AeadAlgorithm::Aes192Gcm16),
        &Fake(AeadAlgorithm::Aes256Gcm16),
        &Fake(AeadAlgorithm::Aes128Gcm12),
        &Fake(AeadAlgorithm::Aes192Gcm12),
        &Fake(AeadAlgorithm::Aes256Gcm12),
        &Fake(AeadAlgorithm::Aes128Gcm8),
        &Fake(AeadAlgorithm::Aes192Gcm8),
        &Fake(AeadAlgorithm::Aes256Gcm8),
        &Fake(AeadAlgorithm::Aes128Ccm16),
        &Fake(AeadAlgorithm::Aes192Ccm16),
        &Fake(AeadAlgorithm::Aes256Ccm16),
        &Fake(AeadAlgorithm::Aes128Ccm12),
        &Fake(AeadAlgorithm::Aes192Ccm12),
        &Fake(AeadAlgorithm::Aes256Ccm12),
        &Fake(AeadAlgorithm::Aes128Ccm8),
        &Fake(AeadAlgorithm::Aes192Ccm8),
        &Fake(AeadAlgorithm::Aes256Ccm8),
        &Fake(AeadAlgorithm::Aes128Gmac),
        &Fake(AeadAlgorithm::Aes192Gmac),
        &Fake(AeadAlgorithm::Aes256Gmac),
        &Fake(AeadAlgorithm::ChaCha20Poly1305),
    ],
    ciphers: &[
        &Fake(CipherAlgorithm::Aes128Cbc),
        &Fake(CipherAlgorithm::Aes192Cbc),
        &Fake(CipherAlgorithm::Aes256Cbc),
        &Fake(CipherAlgorithm::Aes128Ctr),
        &Fake(CipherAlgorithm::Aes192Ctr),
        &Fake(CipherAlgorithm::Aes256Ctr),
    ],
    macs: &[
        &Fake(MacAlgorithm::HmacSha2_256_128),
        &Fake(MacAlgorithm::HmacSha2_384_192),
        &Fake(MacAlgorithm::HmacSha2_512_256),
        &Fake(MacAlgorithm::AesXcbc96),
        &Fake(MacAlgorithm::AesCmac96),
    ],
    cipher_macs: &[],
    hashes: &[
        &Fake(HashAlgorithm::Sha1),
        &Fake(HashAlgorithm::Sha256),
        &Fake(HashAlgorithm::Sha384),
        &Fake(HashAlgorithm::Sha512),
    ],
    prfs: &[
        &Fake(PrfAlgorithm::HmacSha2_256),
        &Fake(PrfAlgorithm::HmacSha2_384),
        &Fake(PrfAlgorithm::HmacSha2_512),
    ],
    key_exchanges: &[
        &Fake(KexAlgorithm::X25519),
        &Fake(KexAlgorithm::P256),
        &Fake(KexAlgorithm::P384),
        &Fake(KexAlgorithm::Modp2048),
        &Fake(KexAlgorithm::Modp3072),
        &Fake(KexAlgorithm::Modp4096),
        &Fake(KexAlgorithm::MlKem768),
    ],
    verifiers: &[
        &Fake(SignatureScheme::RsaPkcs1Sha1),
        &Fake(SignatureScheme::RsaPkcs1Sha256),
        &Fake(SignatureScheme::RsaPkcs1Sha384),
        &Fake(SignatureScheme::RsaPkcs1Sha512),
        &Fake(SignatureScheme::RsaPssSha1),
        &Fake(SignatureScheme::RsaPssSha256),
        &Fake(SignatureScheme::RsaPssSha384),
        &Fake(SignatureScheme::RsaPssSha512),
        &Fake(SignatureScheme::EcdsaP256Sha256),
        &Fake(SignatureScheme::EcdsaP256Sha384),
        &Fake(SignatureScheme::EcdsaP256Sha512),
        &Fake(SignatureScheme::EcdsaP384Sha256),
        &Fake(SignatureScheme::EcdsaP384Sha384),
        &Fake(SignatureScheme::EcdsaP384Sha512),
        &Fake(SignatureScheme::EcdsaP521Sha256),
        &Fake(SignatureScheme::EcdsaP521Sha384),
        &Fake(SignatureScheme::EcdsaP521Sha512),
        &Fake(SignatureScheme::Ed25519),
        &Fake(SignatureScheme::MlDsa44),
        &Fake(SignatureScheme::MlDsa65),
        &Fake(SignatureScheme::MlDsa87),
    ],
    keys: &Loader,
};

/// An algorithm of this name.
#[derive(Debug)]
struct Fake<A>(A);

/// Mixes bytes into 64 bits and spreads 64 bits into bytes. Splitting the input differently changes
/// nothing, so that it serves for concatenated parts.
#[derive(Clone)]
struct Mixer(u64);

impl Mixer {
    /// `label` keeps the algorithms apart.
    fn new(label: &str) -> Self {
        Self(0xcbf2_9ce4_8422_2325).then(label.as_bytes())
    }

    fn then(mut self, bytes: &[u8]) -> Self {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self
    }

    /// Absorbs `bytes` and their number, so that what follows cannot be taken for a part of them.
    fn then_field(self, bytes: &[u8]) -> Self {
        self.then(bytes).then(&(bytes.len() as u64).to_be_bytes())
    }

    fn then_parts(self, parts: &[&[u8]]) -> Self {
        parts.iter().fold(self, |mixer, part| mixer.then(part))
    }

    /// The next 8 bytes: SplitMix64.
    fn next(&mut self) -> [u8; 8] {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_be_bytes()
    }

    fn fill(mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next()[..chunk.len()]);
        }
    }

    fn xor(mut self, data: &mut [u8]) {
        for chunk in data.chunks_mut(8) {
            for (byte, mask) in chunk.iter_mut().zip(self.next()) {
                *byte ^= mask;
            }
        }
    }

    fn bytes(self, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        self.fill(&mut out);
        out
    }
}

fn check_key(given: &[u8], expected: usize) -> Result<(), InvalidKeyLength> {
    match given.len() == expected {
        true => Ok(()),
        false => Err(InvalidKeyLength { expected, given: given.len() }),
    }
}

/// What remains of any key: a mixer that has absorbed it.
struct Key {
    mixer: Mixer,
    tag_len: usize,
}

/// The same of an AEAD or a cipher, which check more lengths.
struct AeadMixer(Key, AeadAlgorithm);
struct CipherMixer(Mixer, CipherAlgorithm);

impl Aead for Fake<AeadAlgorithm> {
    fn algorithm(&self) -> AeadAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn AeadKey>, InvalidKeyLength> {
        check_key(key, self.0.key_len())?;
        let mixer = Mixer::new("aead").then(&[self.0 as u8]).then(key);
        Ok(Box::new(AeadMixer(Key { mixer, tag_len: self.0.tag_len() }, self.0)))
    }
}

impl Key {
    fn aead_tag(&self, nonce: &[u8], aad: &[u8], text: &[u8]) -> Vec<u8> {
        self.mixer.clone().then(nonce).then_field(aad).then(text).bytes(self.tag_len)
    }
}

impl AeadMixer {
    /// What masks the text: nothing in GMAC, whose text stays readable.
    fn mask(&self, nonce: &[u8], text: &mut [u8]) {
        if self.1.encrypts() {
            self.0.mixer.clone().then(nonce).xor(text);
        }
    }

    fn split<'a>(
        &self,
        nonce: &[u8],
        in_out: &'a mut [u8],
    ) -> Result<(&'a mut [u8], &'a mut [u8]), AeadError> {
        let text = in_out.len().checked_sub(self.0.tag_len).ok_or(AeadError)?;
        if nonce.len() != self.1.nonce_len() {
            return Err(AeadError);
        }
        Ok(in_out.split_at_mut(text))
    }
}

impl AeadKey for AeadMixer {
    fn seal(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, tag) = self.split(nonce, in_out)?;
        self.mask(nonce, text);
        tag.copy_from_slice(&self.0.aead_tag(nonce, aad, text));
        Ok(())
    }

    fn open(&self, nonce: &[u8], aad: &[u8], in_out: &mut [u8]) -> Result<(), AeadError> {
        let (text, tag) = self.split(nonce, in_out)?;
        if *tag != *self.0.aead_tag(nonce, aad, text) {
            return Err(AeadError);
        }
        self.mask(nonce, text);
        Ok(())
    }
}

impl Cipher for Fake<CipherAlgorithm> {
    fn algorithm(&self) -> CipherAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn CipherKey>, InvalidKeyLength> {
        check_key(key, self.0.key_len())?;
        let mixer = Mixer::new("cipher").then(&[self.0 as u8]).then(key);
        Ok(Box::new(CipherMixer(mixer, self.0)))
    }
}

impl CipherKey for CipherMixer {
    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CipherError> {
        let Self(mixer, algorithm) = self;
        if iv.len() != algorithm.iv_len() || !data.len().is_multiple_of(algorithm.block_len()) {
            return Err(CipherError);
        }
        mixer.clone().then(iv).xor(data);
        Ok(())
    }

    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CipherError> {
        self.encrypt(iv, data)
    }
}

impl Mac for Fake<MacAlgorithm> {
    fn algorithm(&self) -> MacAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn MacKey>, InvalidKeyLength> {
        check_key(key, self.0.key_len())?;
        let mixer = Mixer::new("mac").then(&[self.0 as u8]).then(key);
        Ok(Box::new(Key { mixer, tag_len: self.0.tag_len() }))
    }
}

impl MacKey for Key {
    fn sign(&self, parts: &[&[u8]], tag: &mut [u8]) -> Result<(), MacError> {
        if tag.len() != self.tag_len {
            return Err(MacError);
        }
        self.mixer.clone().then_parts(parts).fill(tag);
        Ok(())
    }

    fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), MacError> {
        match self.mixer.clone().then_parts(parts).bytes(self.tag_len) == tag {
            true => Ok(()),
            false => Err(MacError),
        }
    }
}

impl Hash for Fake<HashAlgorithm> {
    fn algorithm(&self) -> HashAlgorithm {
        self.0
    }

    fn hash(&self, parts: &[&[u8]]) -> Digest {
        let mut digest = [0; MAX_DIGEST_LEN];
        let digest = &mut digest[..self.0.output_len()];
        Mixer::new("hash").then(&[self.0 as u8]).then_parts(parts).fill(digest);
        Digest::new(digest)
    }
}

impl Prf for Fake<PrfAlgorithm> {
    fn algorithm(&self) -> PrfAlgorithm {
        self.0
    }

    fn key(&self, key: &[u8]) -> Box<dyn PrfKey> {
        let mixer = Mixer::new("prf").then(&[self.0 as u8]).then_field(key);
        Box::new(Key { mixer, tag_len: self.0.output_len() })
    }
}

impl PrfKey for Key {
    fn compute(&self, parts: &[&[u8]]) -> Secret {
        let mixer = self.mixer.clone().then_parts(parts);
        Secret::build(self.tag_len, |out| mixer.fill(out))
    }
}

/// Length of the private value that starts every public one, in bytes.
const PRIVATE_LEN: usize = 32;

/// Lengths in bytes: what the initiator sends, what the responder sends, the shared secret.
fn kex_lengths(algorithm: KexAlgorithm) -> [usize; 3] {
    match algorithm {
        KexAlgorithm::X25519 => [32, 32, 32],
        KexAlgorithm::P256 => [64, 64, 32],
        KexAlgorithm::P384 => [96, 96, 48],
        KexAlgorithm::Modp2048 => [256, 256, 256],
        KexAlgorithm::Modp3072 => [384, 384, 384],
        KexAlgorithm::Modp4096 => [512, 512, 512],
        KexAlgorithm::MlKem768 => [1184, 1088, 32],
        other => unreachable!("{other:?} is not listed above"),
    }
}

/// The private value in clear, and a checksum of it that takes the place of "is on the curve".
fn public_value(private: &[u8; PRIVATE_LEN], len: usize) -> Vec<u8> {
    let mut public = Mixer::new("public").then(private).bytes(len);
    public[..PRIVATE_LEN].copy_from_slice(private);
    public
}

fn shared_secret(
    algorithm: KexAlgorithm,
    private: &[u8; PRIVATE_LEN],
    peer: &[u8],
    peer_len: usize,
) -> Result<Secret, KexError> {
    let peer_private = peer.first_chunk().ok_or(KexError::InvalidPublicValue)?;
    if *peer_private == [0; PRIVATE_LEN] || peer != public_value(peer_private, peer_len) {
        return Err(KexError::InvalidPublicValue);
    }
    let both: Vec<u8> = private.iter().zip(peer_private).map(|(a, b)| a ^ b).collect();
    let mixer = Mixer::new("shared").then(&[algorithm as u8]).then(&both);
    let [_, _, len] = kex_lengths(algorithm);
    Ok(Secret::build(len, |out| mixer.fill(out)))
}

fn private_value(rng: &mut dyn Rng) -> Result<[u8; PRIVATE_LEN], KexError> {
    let mut private = [0; PRIVATE_LEN];
    rng.fill(&mut private).map_err(|_| KexError::Rng)?;
    // Zero is degenerate; a fuzzer's source may well be all zeros.
    private[0] |= 1;
    Ok(private)
}

impl KeyExchange for Fake<KexAlgorithm> {
    fn algorithm(&self) -> KexAlgorithm {
        self.0
    }

    fn start(&self, rng: &mut dyn Rng) -> Result<Box<dyn ActiveKeyExchange>, KexError> {
        let private = private_value(rng)?;
        let [len, _, _] = kex_lengths(self.0);
        Ok(Box::new(Active { algorithm: self.0, private, public: public_value(&private, len) }))
    }

    fn respond(&self, rng: &mut dyn Rng, peer_public: &[u8]) -> Result<Responded, KexError> {
        let private = private_value(rng)?;
        let [peer_len, len, _] = kex_lengths(self.0);
        Ok(Responded {
            public: public_value(&private, len),
            shared: shared_secret(self.0, &private, peer_public, peer_len)?,
        })
    }
}

struct Active {
    algorithm: KexAlgorithm,
    private: [u8; PRIVATE_LEN],
    public: Vec<u8>,
}

impl ActiveKeyExchange for Active {
    fn algorithm(&self) -> KexAlgorithm {
        self.algorithm
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn complete(self: Box<Self>, peer_public: &[u8]) -> Result<Secret, KexError> {
        let [_, peer_len, _] = kex_lengths(self.algorithm);
        shared_secret(self.algorithm, &self.private, peer_public, peer_len)
    }
}

/// A checksum of public key and message, in the shape that the scheme's signatures have on the wire.
fn signature(scheme: SignatureScheme, public_key: &[u8], message: &[u8]) -> Vec<u8> {
    let mixer = Mixer::new("signature").then(&[scheme as u8]).then_field(public_key).then(message);
    let name = format!("{scheme:?}");
    let coordinate_len = match &name {
        name if name.starts_with("EcdsaP256") => 32,
        name if name.starts_with("EcdsaP384") => 48,
        name if name.starts_with("EcdsaP521") => 66,
        name if name.starts_with("Rsa") => return mixer.bytes(256),
        _ => return mixer.bytes(64),
    };
    // ECDSA-Sig-Value: two positive INTEGERs without a leading zero byte.
    let mut both = mixer.bytes(2 * coordinate_len);
    let content_len = 2 * (2 + coordinate_len as u8);
    let mut der =
        if content_len < 0x80 { vec![0x30, content_len] } else { vec![0x30, 0x81, content_len] };
    for coordinate in both.chunks_mut(coordinate_len) {
        coordinate[0] = coordinate[0] & 0x7f | 0x40;
        der.extend([0x02, coordinate_len as u8]);
        der.extend_from_slice(coordinate);
    }
    der
}

impl SignatureVerifier for Fake<SignatureScheme> {
    fn scheme(&self) -> SignatureScheme {
        self.0
    }

    fn verify(
        &self,
        public_key: &[u8],
        message: &[u8],
        given: &[u8],
    ) -> Result<(), InvalidSignature> {
        match signature(self.0, public_key, message) == given {
            true => Ok(()),
            false => Err(InvalidSignature),
        }
    }
}

/// Reads real PKCS#8 files, so that a key fits the certificates made for it.
#[derive(Debug)]
struct Loader;

impl KeyLoader for Loader {
    fn load_pkcs8(&self, der: &[u8]) -> Result<Arc<dyn SigningKey>, KeyError> {
        Ok(Arc::new(FakeKey(rustcrypto::PROVIDER.keys.load_pkcs8(der)?)))
    }
}

#[derive(Debug)]
struct FakeKey(Arc<dyn SigningKey>);

impl SigningKey for FakeKey {
    fn schemes(&self) -> &[SignatureScheme] {
        self.0.schemes()
    }

    fn public_key(&self) -> &[u8] {
        self.0.public_key()
    }

    fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        _rng: &mut dyn Rng,
    ) -> Result<Vec<u8>, KeyError> {
        match self.schemes().contains(&scheme) {
            true => Ok(signature(scheme, self.public_key(), message)),
            false => Err(KeyError::WrongScheme),
        }
    }
}
