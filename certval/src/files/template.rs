//! User names made from certificates, and distinguished names with wildcards.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::format::certificate::Certificate;
use crate::format::general_name::{self, GeneralName};
use crate::format::name::{Name, attribute_type, attribute_value_text};
use crate::format::oid;
use crate::info::hex;

/// How to make a user name from a certificate: plain text mixed with fields in angle brackets.
///
/// | field | what stands for it |
/// |---|---|
/// | `<certAttr.serialNumber>` | the certificate's serial number in lower-case hexadecimal |
/// | `<certAttr.altName.email>` | the first rfc822Name |
/// | `<certAttr.altName.UPN>` | the first user principal name (an otherName of Microsoft's) |
/// | `<certAttr.altName.dns>` | the first dNSName |
/// | `<certDN.CN>`, `<certDN.OU>`, … | the subject's most specific attribute of that type |
///
/// Attribute types in `certDN` are those of RFC 4514 (CN, L, ST, O, OU, C, STREET, DC, UID) and SN,
/// SERIALNUMBER, T, GN, E and others of RFC 5280.
///
/// ```
/// use adit_certval::UserNameTemplate;
///
/// assert!(UserNameTemplate::parse("vpn-<certDN.CN>").is_ok());
/// let error = UserNameTemplate::parse("vpn-<certDN.XY>").unwrap_err();
/// assert_eq!(error.to_string(), "unknown field certDN.XY at byte 4 of the template");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserNameTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Text(String),
    Field(Field, String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    SerialNumber,
    Email,
    Upn,
    Dns,
    Subject(&'static [u8]),
}

/// What is wrong with a template.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TemplateError {
    /// A field of no known name.
    UnknownField {
        /// Offset of its `<`.
        offset: usize,
        /// Its name.
        name: String,
    },
    /// A `<` without its `>`.
    Unclosed {
        /// Offset of the `<`.
        offset: usize,
    },
    /// A part of a name pattern that is not `TYPE=VALUE` with a known type.
    NotAnAttribute {
        /// Its offset.
        offset: usize,
    },
    /// Nothing at all.
    Empty,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField { offset, name } => {
                write!(f, "unknown field {name} at byte {offset} of the template")
            }
            Self::Unclosed { offset } => write!(f, "< without > at byte {offset} of the template"),
            Self::NotAnAttribute { offset } => {
                write!(f, "expected TYPE=VALUE at byte {offset} of the pattern")
            }
            Self::Empty => f.write_str("empty template"),
        }
    }
}

impl core::error::Error for TemplateError {}

/// The certificate cannot fill the template.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum UserNameError {
    /// It has no such attribute; the field's name.
    Missing(String),
    /// The attribute holds control characters, which no user name may; the field's name.
    Unprintable(String),
}

impl fmt::Display for UserNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "the certificate has no {field}"),
            Self::Unprintable(field) => write!(f, "{field} of the certificate is not printable"),
        }
    }
}

impl core::error::Error for UserNameError {}

impl UserNameTemplate {
    /// Reads a template. Names of fields are compared without regard to case.
    ///
    /// # Errors
    /// If a field is unknown or not closed, or there is nothing.
    pub fn parse(template: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = template;
        while !rest.is_empty() {
            let offset = template.len() - rest.len();
            match rest.split_once('<') {
                Some(("", tail)) => {
                    let (name, tail) =
                        tail.split_once('>').ok_or(TemplateError::Unclosed { offset })?;
                    let unknown = || TemplateError::UnknownField { offset, name: name.to_owned() };
                    let field = Field::parse(name).ok_or_else(unknown)?;
                    parts.push(Part::Field(field, name.to_owned()));
                    rest = tail;
                }
                Some((text, _)) => {
                    parts.push(Part::Text(text.to_owned()));
                    rest = &rest[text.len()..];
                }
                None => {
                    parts.push(Part::Text(rest.to_owned()));
                    rest = "";
                }
            }
        }
        if parts.is_empty() { Err(TemplateError::Empty) } else { Ok(Self { parts }) }
    }

    /// The user name that `certificate` gives. Verify the certificate first.
    ///
    /// # Errors
    /// If it lacks an attribute that the template names, or one is not printable.
    pub fn expand(&self, certificate: &Certificate<'_>) -> Result<String, UserNameError> {
        let mut user = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => user.push_str(text),
                Part::Field(field, name) => {
                    let value = field.of(certificate).filter(|value| !value.is_empty());
                    let value = value.ok_or_else(|| UserNameError::Missing(name.clone()))?;
                    if value.chars().any(char::is_control) {
                        return Err(UserNameError::Unprintable(name.clone()));
                    }
                    user.push_str(&value);
                }
            }
        }
        Ok(user)
    }
}

impl Field {
    fn parse(name: &str) -> Option<Self> {
        const FIXED: [(&str, Field); 4] = [
            ("certAttr.serialNumber", Field::SerialNumber),
            ("certAttr.altName.email", Field::Email),
            ("certAttr.altName.UPN", Field::Upn),
            ("certAttr.altName.dns", Field::Dns),
        ];
        let fixed = FIXED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        if let Some((_, field)) = fixed {
            return Some(*field);
        }
        let (group, attribute) = name.split_once('.')?;
        if !group.eq_ignore_ascii_case("certDN") {
            return None;
        }
        attribute_type(attribute).map(Self::Subject)
    }

    fn of(self, certificate: &Certificate<'_>) -> Option<String> {
        let wanted = |name: &GeneralName<'_>| match (self, name) {
            (Self::Email, GeneralName::Rfc822(text)) | (Self::Dns, GeneralName::Dns(text)) => {
                Some((*text).to_owned())
            }
            (Self::Upn, GeneralName::Other { oid: oid::USER_PRINCIPAL_NAME, value }) => {
                attribute_value_text(*value)
            }
            _ => None,
        };
        match self {
            Self::SerialNumber => Some(hex(certificate.serial_number(), "")),
            Self::Subject(attribute) => certificate.subject().last_text(attribute),
            Self::Email | Self::Upn | Self::Dns => {
                let names = general_name::in_extension(certificate.extensions.subject_alt_name?);
                names.ok()?.filter_map(Result::ok).find_map(|name| wanted(&name))
            }
        }
    }
}

/// A distinguished name with wildcards: some attributes, each of which the subject must have.
///
/// RFC 4945 section 3.1.5 wants peers to be matched by any combination of attributes. `*` stands for any text,
/// also within a value; case does not matter; attributes that are not listed may be anything. A comma within a
/// value is written `\,`.
///
/// ```
/// use adit_certval::{Identity, NamePattern};
///
/// let engineers = NamePattern::parse("O=Example Corp, OU=Engineering, CN=*")?;
/// let identity = Identity::NamePattern(&engineers);
/// # Ok::<(), adit_certval::TemplateError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamePattern {
    attributes: Vec<(&'static [u8], String)>,
}

impl NamePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// If a part is not `TYPE=VALUE` with a known type, or there is none.
    pub fn parse(pattern: &str) -> Result<Self, TemplateError> {
        let mut attributes = Vec::new();
        let mut start = 0;
        for (end, escaped) in part_ends(pattern) {
            let error = TemplateError::NotAnAttribute { offset: start };
            let part = pattern.get(start..end).unwrap_or_default();
            let (short, value) = part.split_once('=').ok_or_else(|| error.clone())?;
            let kind = attribute_type(short.trim()).ok_or(error)?;
            let value = value.trim();
            let value = if escaped { value.replace("\\,", ",") } else { value.to_owned() };
            attributes.push((kind, value.to_lowercase()));
            start = end + 1;
        }
        if attributes.is_empty() { Err(TemplateError::Empty) } else { Ok(Self { attributes }) }
    }

    /// Whether `name` has every attribute of the pattern.
    pub fn matches(&self, name: &Name<'_>) -> bool {
        self.attributes.iter().all(|(kind, pattern)| {
            let texts = name.texts(kind);
            texts.iter().any(|text| glob(pattern, &text.to_lowercase()))
        })
    }
}

/// Where the comma-separated parts end, and whether they hold escaped commas.
fn part_ends(pattern: &str) -> Vec<(usize, bool)> {
    let mut ends = Vec::new();
    let (mut before, mut escaped) = (b' ', false);
    for (at, byte) in pattern.bytes().enumerate() {
        match (before, byte) {
            (b'\\', b',') => escaped = true,
            (_, b',') => {
                ends.push((at, escaped));
                escaped = false;
            }
            _ => {}
        }
        before = byte;
    }
    if !pattern.trim().is_empty() {
        ends.push((pattern.len(), escaped));
    }
    ends
}

/// Whether `text` is `pattern` with any text for each `*`. Linear in the text for each part of the pattern.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let Some((middle, tail)) = rest.rsplit_once('*') else { return text.ends_with(rest) };
    for part in middle.split('*') {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, fits) in [
            ("a", "a", true),
            ("a", "b", false),
            ("*", "", true),
            ("*.example.org", "vpn.example.org", true),
            ("*.example.org", ".example.org.net", false),
            ("a*b", "ab", true),
            ("a*a", "a", false),
            ("a*b*c", "a--b--c", true),
            ("a*b*b", "ab", false),
            ("*x*x*", "x", false),
            ("*x*x*", "axbxc", true),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn patterns_know_their_syntax() {
        assert!(NamePattern::parse("CN=a, OU=b\\, c").is_ok());
        assert_eq!(NamePattern::parse(" "), Err(TemplateError::Empty));
        assert_eq!(NamePattern::parse("CN=a,b"), Err(TemplateError::NotAnAttribute { offset: 5 }));
        assert_eq!(NamePattern::parse("XY=a"), Err(TemplateError::NotAnAttribute { offset: 0 }));
    }

    #[test]
    fn templates_know_their_fields() {
        for good in ["plain", "<certDN.CN>", "a<certDN.OU>b<CERTATTR.SERIALNUMBER>"] {
            assert!(UserNameTemplate::parse(good).is_ok(), "{good}");
        }
        assert_eq!(UserNameTemplate::parse(""), Err(TemplateError::Empty));
        assert_eq!(
            UserNameTemplate::parse("ab<certDN.CN"),
            Err(TemplateError::Unclosed { offset: 2 })
        );
        assert!(UserNameTemplate::parse("<certAttr.altName.fax>").is_err());
    }
}
