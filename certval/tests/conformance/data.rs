//! Finds the data, reads it, and keeps the account of agreements and exceptions.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use adit_certval::PemBlock;
use adit_platform::Provider;
use adit_platform::signature::{InvalidSignature, SignatureScheme, SignatureVerifier};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::Value;

/// The folder of the data; `None`, and a line that says so, where it is missing.
pub(crate) fn root(suite: &str) -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = match std::env::var_os("ADIT_TEST_DATA") {
        Some(path) => PathBuf::from(path),
        None => manifest.join("../../shared"),
    };
    let root = root.join("cert");
    if root.join(suite).exists() {
        return Some(root);
    }
    println!(
        "SKIP {suite}: {} not found. Set ADIT_TEST_DATA to a folder with cert/{suite}: PKITS is in the PyPI \
         package cryptography-vectors (x509/PKITS), BoringSSL's corpora are in its pki/testdata, OpenSSL's in \
         its test/certs.",
        root.join(suite).display()
    );
    None
}

pub(crate) fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub(crate) fn der(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub(crate) fn pem(path: &Path) -> Vec<PemBlock> {
    let text = String::from_utf8(der(path)).expect("PEM is text");
    PemBlock::read_all(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub(crate) fn text<'a>(test: &'a Value, key: &str) -> &'a str {
    test[key].as_str().unwrap_or_default()
}

pub(crate) fn texts<'a>(test: &'a Value, key: &str) -> Vec<&'a str> {
    test[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The providers, each completed so that the suites' short and SHA-1 keys can be verified: policy, not the
/// provider, shall decide in these tests.
pub(crate) static PROVIDERS: LazyLock<[Provider; 2]> = LazyLock::new(|| {
    [adit_platform::ring::PROVIDER, adit_platform::rustcrypto::PROVIDER].map(legacy)
});

#[derive(Debug)]
struct Legacy(SignatureScheme, &'static dyn VerificationAlgorithm);

impl SignatureVerifier for Legacy {
    fn scheme(&self) -> SignatureScheme {
        self.0
    }

    fn verify(&self, key: &[u8], message: &[u8], sig: &[u8]) -> Result<(), InvalidSignature> {
        UnparsedPublicKey::new(self.1, key).verify(message, sig).map_err(|_| InvalidSignature)
    }
}

fn legacy(base: Provider) -> Provider {
    use SignatureScheme as S;
    let short: [(S, &'static dyn VerificationAlgorithm); 3] = [
        (S::RsaPkcs1Sha256, &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        (S::RsaPkcs1Sha512, &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
        (S::RsaPkcs1Sha1, &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY),
    ];
    let mut verifiers: Vec<&'static dyn SignatureVerifier> = Vec::new();
    for (scheme, algorithm) in short {
        let verifier: &'static Legacy = Box::leak(Box::new(Legacy(scheme, algorithm)));
        verifiers.push(verifier);
    }
    verifiers.extend(base.verifiers);
    Provider { verifiers: verifiers.leak(), ..base }
}

/// Which tests agree, compared with the list of those that are known not to.
pub(crate) struct Account {
    file: &'static str,
    exceptions: BTreeMap<String, String>,
    disagreements: Vec<String>,
    stale: Vec<String>,
    agreed: usize,
    excepted: usize,
}

impl Account {
    /// Reads the exceptions: one per line, a test's name, a tab and the reason.
    pub(crate) fn new(file: &'static str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exceptions").join(file);
        let list = fs::read_to_string(&path).unwrap_or_default();
        let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let exceptions = lines.map(|line| {
            let (name, reason) = line.split_once('\t').expect("name, tab, reason");
            assert!(!reason.is_empty(), "{name}: an exception without a reason");
            (name.into(), reason.into())
        });
        Self {
            file,
            exceptions: exceptions.collect(),
            disagreements: Vec::new(),
            stale: Vec::new(),
            agreed: 0,
            excepted: 0,
        }
    }

    /// Notes the result of one test; `detail` says what came out if it does not agree.
    pub(crate) fn note(&mut self, name: &str, agrees: bool, detail: impl FnOnce() -> String) {
        match (agrees, self.exceptions.remove(name)) {
            (true, None) => self.agreed += 1,
            (true, Some(_)) => self.stale.push(name.into()),
            (false, Some(_)) => self.excepted += 1,
            (false, None) => self.disagreements.push(format!("{name}: {}", detail())),
        }
    }

    /// Panics on a disagreement that is not listed and on a listed one that is none.
    pub(crate) fn finish(self, total: usize) -> (usize, usize) {
        let unused: Vec<&String> = self.exceptions.keys().chain(&self.stale).collect();
        assert!(
            self.disagreements.is_empty() && unused.is_empty(),
            "{} disagreements:\n{}\nstale exceptions in {}: {unused:?}",
            self.disagreements.len(),
            self.disagreements.join("\n"),
            self.file,
        );
        assert_eq!(self.agreed + self.excepted, total);
        (self.agreed, self.excepted)
    }
}
