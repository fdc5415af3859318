//! What a person needs to see of a certificate.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use adit_platform::Provider;
use adit_platform::hash::{Hash, HashAlgorithm};

use crate::format::certificate::Certificate;
use crate::format::extension::Extensions;
use crate::format::general_name::{self, GeneralName};
use crate::format::oid;

/// The facts of a certificate that a warning dialog or a log line shows.
///
/// ```
/// # fn show(info: &adit_certval::CertificateInfo) {
/// println!("{info}");          // subject, issuer, names, validity, fingerprints, one per line
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CertificateInfo {
    /// The subject in the form of RFC 4514.
    pub subject: String,
    /// The issuer in the form of RFC 4514.
    pub issuer: String,
    /// The subject's common name.
    pub common_name: Option<String>,
    /// Subject alternative names, each as `DNS:…`, `IP:…`, `email:…`, `URI:…`, `DN:…` or `other:…`.
    pub alt_names: Vec<String>,
    /// The serial number in hexadecimal.
    pub serial_number: String,
    /// First second of validity, since 1970; negative before.
    pub not_before: i64,
    /// Last second of validity, since 1970; negative before.
    pub not_after: i64,
    /// SHA-256 over the certificate in DER; `None` if the provider has no SHA-256.
    pub sha256: Option<[u8; 32]>,
    /// SHA-1 over the certificate in DER, which older devices show; `None` if the provider has no SHA-1.
    pub sha1: Option<[u8; 20]>,
    /// SHA-256 over the `SubjectPublicKeyInfo` in DER, which is what [remembered peers](crate::KnownPeers) go by;
    /// `None` if the provider has no SHA-256.
    pub key_sha256: Option<[u8; 32]>,
    /// Issuer and subject are the same.
    pub self_issued: bool,
}

impl CertificateInfo {
    /// Reads the facts of `certificate`; `provider` computes the fingerprints.
    pub fn new(certificate: &Certificate<'_>, provider: &Provider) -> Self {
        Self::read(certificate, provider.hashes)
    }

    pub(crate) fn read(certificate: &Certificate<'_>, hashes: &[&dyn Hash]) -> Self {
        let digest_of = |bytes: &[u8], algorithm| {
            let hash = hashes.iter().find(|hash| hash.algorithm() == algorithm)?;
            Some(hash.hash(&[bytes]))
        };
        let digest = |algorithm| digest_of(certificate.as_der(), algorithm);
        let key = digest_of(certificate.subject_public_key_info(), HashAlgorithm::Sha256);
        Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            common_name: certificate.subject().common_name(),
            alt_names: alt_names(&certificate.extensions),
            serial_number: hex(certificate.serial_number(), ""),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            sha256: digest(HashAlgorithm::Sha256).and_then(|d| (*d).try_into().ok()),
            sha1: digest(HashAlgorithm::Sha1).and_then(|d| (*d).try_into().ok()),
            key_sha256: key.and_then(|d| (*d).try_into().ok()),
            self_issued: certificate.is_self_issued(),
        }
    }

    /// The SHA-256 fingerprint as people compare it: `AB:CD:…`.
    pub fn sha256_hex(&self) -> Option<String> {
        self.sha256.map(|digest| hex(&digest, ":").to_ascii_uppercase())
    }

    /// The SHA-1 fingerprint as people compare it: `AB:CD:…`.
    pub fn sha1_hex(&self) -> Option<String> {
        self.sha1.map(|digest| hex(&digest, ":").to_ascii_uppercase())
    }
}

impl fmt::Display for CertificateInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "subject:     {}", self.subject)?;
        writeln!(f, "issuer:      {}", self.issuer)?;
        writeln!(f, "alt names:   {}", self.alt_names.join(", "))?;
        write!(f, "valid:       {} to {}", Date(self.not_before), Date(self.not_after))?;
        for (name, digest) in [("SHA-256", self.sha256_hex()), ("SHA-1", self.sha1_hex())] {
            if let Some(digest) = digest {
                write!(f, "\nfingerprint: {name} {digest}")?;
            }
        }
        Ok(())
    }
}

/// The subject alternative names, each in one line of text; those that cannot be read are left out.
pub(crate) fn alt_names(extensions: &Extensions<'_>) -> Vec<String> {
    let Some(extension) = extensions.subject_alt_name else { return Vec::new() };
    let Ok(names) = general_name::in_extension(extension) else { return Vec::new() };
    names.filter_map(Result::ok).map(|name| printable(&name)).collect()
}

fn printable(name: &GeneralName<'_>) -> String {
    let mut text = match name {
        GeneralName::Dns(name) => String::from("DNS:") + name,
        GeneralName::Rfc822(name) => String::from("email:") + name,
        GeneralName::Uri(name) => String::from("URI:") + name,
        GeneralName::Directory(name) => String::from("DN:") + &name.to_string(),
        GeneralName::Ip(bytes) => match (<[u8; 4]>::try_from(*bytes), <[u8; 16]>::try_from(*bytes))
        {
            (Ok(v4), _) => String::from("IP:") + &core::net::Ipv4Addr::from(v4).to_string(),
            (_, Ok(v6)) => String::from("IP:") + &core::net::Ipv6Addr::from(v6).to_string(),
            _ => String::from("IP:") + &hex(bytes, ""),
        },
        GeneralName::RegisteredId(content) => String::from("OID:") + &oid::dotted(content),
        GeneralName::Other { oid: content, .. } => String::from("other:") + &oid::dotted(content),
        GeneralName::Unsupported(_) => String::from("other"),
    };
    // A peer's text goes to terminals and logs.
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        text = text.escape_debug().to_string();
    }
    text
}

/// Lower-case hexadecimal, bytes joined by `separator`.
pub(crate) fn hex(bytes: &[u8], separator: &str) -> String {
    let mut text = String::new();
    for (i, byte) in bytes.iter().enumerate() {
        text.push_str(if i == 0 { "" } else { separator });
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('?'));
        }
    }
    text
}

/// A time in seconds since 1970, printed as `2024-02-29 12:34:56Z`.
pub(crate) struct Date(pub(crate) i64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, [month, day, hour, minute, second]) = civil(self.0);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Year, and month, day, hour, minute, second, of seconds since 1970.
pub(crate) fn civil(time: i64) -> (i64, [i64; 5]) {
    let (days, seconds) = (time.div_euclid(86_400), time.rem_euclid(86_400));
    // Days since 0000-03-01, in eras of 400 years: the inverse of what `der::time` does.
    let shifted = days.saturating_add(719_468);
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, [month, day, seconds / 3600, seconds / 60 % 60, seconds % 60])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_print() {
        let print = |seconds| Date(seconds).to_string();
        assert_eq!(print(0), "1970-01-01 00:00:00Z");
        assert_eq!(print(951_827_696), "2000-02-29 12:34:56Z");
        assert_eq!(print(-1), "1969-12-31 23:59:59Z");
        assert_eq!(print(253_402_300_799), "9999-12-31 23:59:59Z");
    }

    #[test]
    fn fingerprints_print_as_people_compare_them() {
        assert_eq!(hex(&[0xab, 0x01], ":"), "ab:01");
    }
}
