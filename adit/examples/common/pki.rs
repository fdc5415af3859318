//! Certificates, CRLs and keys from PEM files.

use adit::{Key, OwnCertificate, Staple, Trust};
use adit_certval::{CrlStore, Revocation, TrustAnchor, Verifier};
use adit_platform::Provider;
use serde::Deserialize;
use toml::Spanned;

use super::file::{ConfigError, File};

/// Whose certificates are believed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Authorities {
    pub(crate) ca: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) intermediates: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) crl: Vec<Spanned<String>>,
    pub(crate) revocation: Option<Spanned<String>>,
    pub(crate) fetch_crls: Option<bool>,
}

impl Authorities {
    pub(crate) fn trust(&self, file: &File, provider: &Provider) -> Result<Trust, ConfigError> {
        let mut verifier = Verifier::new(provider);
        let revocation = match self.revocation.as_ref().map(|text| (text.span(), text.get_ref())) {
            None => Revocation::Require,
            Some((span, text)) => match text.as_str() {
                "require" => Revocation::Require,
                "warn" => Revocation::Warn,
                "off" => Revocation::Ignore,
                _ => {
                    let choice = "write \"require\", \"warn\" or \"off\"";
                    return Err(file.error(span, choice));
                }
            },
        };
        for name in &self.ca {
            for der in blocks(file, name, "CERTIFICATE")? {
                let mut anchor =
                    TrustAnchor::from_der(der).map_err(|error| file.error(name.span(), error))?;
                anchor.revocation = revocation;
                verifier.add_anchor(anchor);
            }
        }
        for name in &self.intermediates {
            for der in blocks(file, name, "CERTIFICATE")? {
                verifier.add_intermediate(der).map_err(|error| file.error(name.span(), error))?;
            }
        }
        let mut crls = CrlStore::new();
        for name in &self.crl {
            for der in blocks(file, name, "X509 CRL")? {
                crls.insert(&verifier, der, &[]).map_err(|error| file.error(name.span(), error))?;
            }
        }
        Ok(Trust { verifier, crls, fetch: self.fetch_crls.unwrap_or(true) })
    }
}

/// Our certificate, intermediates behind it, and its key.
pub(crate) fn own(
    file: &File,
    certificate: &Spanned<String>,
    key: &Spanned<String>,
    provider: &Provider,
) -> Result<OwnCertificate, ConfigError> {
    let chain = blocks(file, certificate, "CERTIFICATE")?;
    let keys = blocks(file, key, "PRIVATE KEY")?;
    let der = keys.first().ok_or_else(|| file.error(key.span(), "no private key"))?;
    let loaded = provider.keys.load_pkcs8(der).map_err(|error| file.error(key.span(), error))?;
    Ok(OwnCertificate { chain, key: Key::Local(loaded), staple: Staple::default() })
}

/// The DER of each PEM block of this kind; a file in DER is one block.
fn blocks(file: &File, name: &Spanned<String>, label: &str) -> Result<Vec<Vec<u8>>, ConfigError> {
    let bytes = file.load(name)?;
    if bytes.first() == Some(&0x30) {
        return Ok(vec![bytes]);
    }
    let wrong = |reason: String| file.error(name.span(), reason);
    let text = String::from_utf8(bytes).map_err(|_| wrong("neither PEM nor DER".to_owned()))?;
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let mut found = Vec::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find(&begin) {
        let after = &rest[start..];
        let length = after.find(&end).ok_or_else(|| wrong(format!("no {end}")))? + end.len();
        let (_, der) = pem_rfc7468::decode_vec(&after.as_bytes()[..length])
            .map_err(|error| wrong(error.to_string()))?;
        found.push(der);
        rest = &after[length..];
    }
    if found.is_empty() {
        let other = text.lines().find(|line| line.starts_with("-----BEGIN "));
        let hint = other.map(|line| format!(", but {line}")).unwrap_or_default();
        return Err(wrong(format!("no {begin} in it{hint}")));
    }
    Ok(found)
}
