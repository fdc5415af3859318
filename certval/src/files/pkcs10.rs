//! Reading a certificate request (PKCS#10, RFC 2986), and telling what a CA made of it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use adit_platform::Provider;

use crate::error::Reason;
use crate::format::algorithm::{self, AlgorithmIdentifier};
use crate::format::certificate::{Certificate, Spki};
use crate::format::der::{DerError, DerErrorKind, Field, Reader, tag};
use crate::format::extension::{Extensions, KeyUsage, key_purposes};
use crate::format::field::Format;
use crate::format::name::Name;
use crate::format::oid;
use crate::info;
use crate::verifier::Verifier;

/// A certificate request, borrowed from its DER: one's own that waits for its certificate, or one that came in.
///
/// ```
/// use adit_certval::{Certificate, CertificateRequest};
/// # fn example(
/// #     provider: &adit_platform::Provider, pending: &[u8], issued: &Certificate<'_>,
/// # ) -> Result<(), Box<dyn core::error::Error>> {
/// let request = CertificateRequest::from_der(pending)?;
/// request.verify(provider)?;                       // whoever made it holds the key
/// match request.differences(issued) {
///     Some(changes) if changes.is_empty() => println!("issued as requested"),
///     Some(changes) => changes.iter().for_each(|change| println!("{change}")),
///     None => println!("that certificate is for another key"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CertificateRequest<'a> {
    der: &'a [u8],
    signed: &'a [u8],
    subject: Name<'a>,
    spki: Spki<'a>,
    extensions: Extensions<'a>,
    algorithm: AlgorithmIdentifier<'a>,
    signature: &'a [u8],
}

/// In what a certificate differs from the request for it. A CA may change what it likes (RFC 2986 section 3);
/// whether the result is of use is up to the requester.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Difference {
    /// Another subject, in the form of RFC 4514.
    Subject {
        /// As requested.
        requested: String,
        /// As issued.
        issued: String,
    },
    /// A subject alternative name was requested and is not there; as in
    /// [`CertificateInfo::alt_names`](crate::CertificateInfo::alt_names).
    NameMissing(String),
    /// A subject alternative name is there that was not requested.
    NameAdded(String),
    /// An extended key usage was requested and is not there; its OID in dotted form.
    PurposeMissing(String),
    /// An extended key usage is there that was not requested; its OID in dotted form.
    PurposeAdded(String),
    /// The key usages differ: the bits of RFC 5280 section 4.2.1.3, digitalSignature the most significant of
    /// 16; `None` without the extension.
    KeyUsage {
        /// As requested.
        requested: Option<u16>,
        /// As issued.
        issued: Option<u16>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject { requested, issued } => {
                write!(f, "subject {issued} instead of {requested}")
            }
            Self::NameMissing(name) => write!(f, "alternative name {name} is missing"),
            Self::NameAdded(name) => write!(f, "alternative name {name} was not requested"),
            Self::PurposeMissing(purpose) => write!(f, "extended key usage {purpose} is missing"),
            Self::PurposeAdded(purpose) => {
                write!(f, "extended key usage {purpose} was not requested")
            }
            Self::KeyUsage { .. } => f.write_str("another key usage than requested"),
        }
    }
}

impl<'a> CertificateRequest<'a> {
    /// Reads a request in DER. Its signature is checked by [`verify`](Self::verify) only.
    ///
    /// # Errors
    /// If it is not a well-formed request, or anything follows it.
    pub fn from_der(der: &'a [u8]) -> Result<Self, DerError> {
        Self::read(der).map_err(|error| error.located(Format::CertificationRequest, der))
    }

    fn read(der: &'a [u8]) -> Result<Self, DerError> {
        let mut outer = Reader::new(der);
        let mut request = outer.sequence()?;
        outer.finish()?;
        let signed = request.element(tag::SEQUENCE)?;
        let algorithm = AlgorithmIdentifier::read(&mut request)?;
        let signature = request.signature()?;
        request.finish()?;

        let mut info = signed.content.reader();
        let version = info.integer()?;
        if version.bytes != [0] {
            return Err(version.error(DerErrorKind::Version));
        }
        let subject = Name::read(&mut info)?;
        let spki = Spki::read(&mut info)?;
        let extensions = requested_extensions(info.read(tag::constructed(0))?)?;
        info.finish()?;
        let signed = signed.whole.bytes;
        Ok(Self { der, signed, subject, spki, extensions, algorithm, signature })
    }

    /// The whole request in DER.
    pub fn as_der(&self) -> &'a [u8] {
        self.der
    }

    /// Whom it is for. May be empty if there is a subject alternative name.
    pub fn subject(&self) -> Name<'a> {
        self.subject
    }

    /// The `SubjectPublicKeyInfo` in DER.
    pub fn subject_public_key_info(&self) -> &'a [u8] {
        self.spki.der
    }

    /// The requested subject alternative names, printed as in
    /// [`CertificateInfo::alt_names`](crate::CertificateInfo::alt_names).
    pub fn alt_names(&self) -> Vec<String> {
        info::alt_names(&self.extensions)
    }

    /// Checks that the request is signed by the key that it names, under the default
    /// [`AlgorithmPolicy`](crate::AlgorithmPolicy).
    ///
    /// # Errors
    /// [`Reason::BadSignature`], or why the algorithm or key is refused.
    pub fn verify(&self, provider: &Provider) -> Result<(), Reason> {
        let verifier = Verifier::new(provider);
        algorithm::verify(&verifier, self.algorithm, self.spki, self.signed, self.signature)
    }

    /// Whether `certificate` was issued for this request: it holds the same key.
    pub fn is_answered_by(&self, certificate: &Certificate<'_>) -> bool {
        certificate.subject_public_key_info() == self.spki.der
    }

    /// What the CA changed; `None` if `certificate` is [no answer](Self::is_answered_by) to this request at all.
    /// Extensions that cannot be read count as absent: the verifier refuses them.
    pub fn differences(&self, certificate: &Certificate<'_>) -> Option<Vec<Difference>> {
        if !self.is_answered_by(certificate) {
            return None;
        }
        let issued = &certificate.extensions;
        let mut found = Vec::new();
        if certificate.subject() != self.subject {
            found.push(Difference::Subject {
                requested: alloc::format!("{}", self.subject),
                issued: alloc::format!("{}", certificate.subject()),
            });
        }
        let names = [info::alt_names(&self.extensions), info::alt_names(issued)];
        compare(&names, Difference::NameMissing, Difference::NameAdded, &mut found);
        let purposes = [purposes(&self.extensions), purposes(issued)];
        compare(&purposes, Difference::PurposeMissing, Difference::PurposeAdded, &mut found);
        let [requested, issued] = [&self.extensions, issued]
            .map(|extensions| extensions.key_usage().ok().flatten().map(|KeyUsage(bits)| bits));
        // Whoever did not ask for a key usage leaves it to the CA.
        if requested.is_some() && requested != issued {
            found.push(Difference::KeyUsage { requested, issued });
        }
        Some(found)
    }
}

/// The extensions that the `extensionRequest` attribute asks for (RFC 2985 section 5.4.2). Other attributes mean
/// nothing here.
fn requested_extensions(attributes: Field<'_>) -> Result<Extensions<'_>, DerError> {
    let mut found = None;
    let mut list = attributes.reader();
    while !list.is_empty() {
        let at = list.error(DerErrorKind::DuplicateExtension);
        let mut attribute = list.sequence()?;
        let kind = attribute.oid()?;
        let values = attribute.read(tag::SET)?;
        attribute.finish()?;
        if kind == oid::EXTENSION_REQUEST && found.replace(Extensions::read(values)?).is_some() {
            return Err(at);
        }
    }
    Ok(found.unwrap_or_default())
}

fn purposes(extensions: &Extensions<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(extension) = extensions.extended_key_usage
        && key_purposes(extension, |purpose| found.push(oid::dotted(purpose))).is_err()
    {
        found.clear();
    }
    found
}

/// What of the first list is not in the second, and the reverse.
fn compare(
    [requested, issued]: &[Vec<String>; 2],
    missing: fn(String) -> Difference,
    added: fn(String) -> Difference,
    found: &mut Vec<Difference>,
) {
    let lacks = |list: &[String], one: &String| !list.contains(one);
    found.extend(requested.iter().filter(|one| lacks(issued, one)).cloned().map(missing));
    found.extend(issued.iter().filter(|one| lacks(requested, one)).cloned().map(added));
}
