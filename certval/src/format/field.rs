//! Which field of a certificate, CRL, request or OCSP response an offset lies in, by its name in the RFC.
//!
//! Readers know where they are and not what for. An error is rare, so its field is looked up when there is one:
//! the way to it is walked again, as far as the encoding lasts.

use crate::format::der::{DerError, Reader, Tlv, tag};
use crate::format::extension::Extension;
use crate::format::oid;

/// Something in DER, as errors speak of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    /// RFC 5280 section 4.1.
    Certificate,
    /// RFC 5280 section 5.1.
    CertificateList,
    /// RFC 2986 section 4.
    CertificationRequest,
    /// RFC 6960 section 4.2.1.
    OcspResponse,
}

impl DerError {
    /// This error with the field of `der` that it lies in.
    pub(crate) fn located(self, format: Format, der: &[u8]) -> Self {
        let frame = match format {
            Format::Certificate => &CERTIFICATE,
            Format::CertificateList => &CERTIFICATE_LIST,
            Format::CertificationRequest => &CERTIFICATION_REQUEST,
            Format::OcspResponse => &OCSP_RESPONSE,
        };
        let mut reader = Reader::new(der);
        let field = match reader.any() {
            Ok(whole) if self.offset < reader.offset() => frame.locate(whole, self.offset),
            _ => frame.name,
        };
        Self { field, ..self }
    }
}

/// An element and what it consists of.
struct Part {
    name: &'static str,
    /// The tags by which an OPTIONAL element is known; none for one that must stand there.
    tags: &'static [u8],
    within: Within,
}

enum Within {
    /// Nothing that has a name of its own.
    Nothing,
    Parts(&'static [Part]),
    /// `Extensions`, which bear the names of their types.
    Extensions,
}

const fn part(name: &'static str) -> Part {
    Part { name, tags: &[], within: Within::Nothing }
}

const fn optional(name: &'static str, tags: &'static [u8]) -> Part {
    Part { name, tags, within: Within::Nothing }
}

const TIME: &[u8] = &[tag::UTC_TIME, tag::GENERALIZED_TIME];

const CERTIFICATE: Part = Part {
    within: Within::Parts(&[
        Part {
            within: Within::Parts(&[
                optional("version", &[tag::constructed(0)]),
                part("serialNumber"),
                part("signature"),
                part("issuer"),
                part("validity"),
                part("subject"),
                part("subjectPublicKeyInfo"),
                optional("issuerUniqueID", &[tag::context(1)]),
                optional("subjectUniqueID", &[tag::context(2)]),
                Part {
                    within: Within::Extensions,
                    ..optional("extensions", &[tag::constructed(3)])
                },
            ]),
            ..part("tbsCertificate")
        },
        part("signatureAlgorithm"),
        part("signatureValue"),
    ]),
    ..part("Certificate")
};

const CERTIFICATE_LIST: Part = Part {
    within: Within::Parts(&[
        Part {
            within: Within::Parts(&[
                optional("version", &[tag::INTEGER]),
                part("signature"),
                part("issuer"),
                part("thisUpdate"),
                optional("nextUpdate", TIME),
                optional("revokedCertificates", &[tag::SEQUENCE]),
                Part {
                    within: Within::Extensions,
                    ..optional("crlExtensions", &[tag::constructed(0)])
                },
            ]),
            ..part("tbsCertList")
        },
        part("signatureAlgorithm"),
        part("signatureValue"),
    ]),
    ..part("CertificateList")
};

const CERTIFICATION_REQUEST: Part = Part {
    within: Within::Parts(&[
        Part {
            within: Within::Parts(&[
                part("version"),
                part("subject"),
                part("subjectPKInfo"),
                part("attributes"),
            ]),
            ..part("certificationRequestInfo")
        },
        part("signatureAlgorithm"),
        part("signature"),
    ]),
    ..part("CertificationRequest")
};

const fn whole(name: &'static str, parts: &'static [Part]) -> Part {
    Part { name, tags: &[], within: Within::Parts(parts) }
}

const OCSP_RESPONSE: Part = whole(
    "OCSPResponse",
    &[
        part("responseStatus"),
        Part {
            // The tag is explicit, and the OCTET STRING holds an element again.
            within: Within::Parts(&[whole(
                "responseBytes",
                &[
                    part("responseType"),
                    whole(
                        "response",
                        &[whole(
                            "BasicOCSPResponse",
                            &[
                                whole(
                                    "tbsResponseData",
                                    &[
                                        optional("version", &[tag::constructed(0)]),
                                        part("responderID"),
                                        part("producedAt"),
                                        part("responses"),
                                        Part {
                                            within: Within::Extensions,
                                            ..optional("responseExtensions", &[tag::constructed(1)])
                                        },
                                    ],
                                ),
                                part("signatureAlgorithm"),
                                part("signature"),
                                optional("certs", &[tag::constructed(0)]),
                            ],
                        )],
                    ),
                ],
            )]),
            ..optional("responseBytes", &[tag::constructed(0)])
        },
    ],
);

impl Part {
    /// The innermost field of `element` at this offset.
    fn locate(&self, element: Tlv<'_>, offset: usize) -> &'static str {
        match self.within {
            Within::Nothing => self.name,
            Within::Extensions => extension_at(element, offset).unwrap_or(self.name),
            Within::Parts(parts) => {
                let mut reader = element.content.reader();
                for part in parts {
                    let absent = || reader.peek().is_none_or(|next| !part.tags.contains(&next));
                    if offset < element.content.offset || (!part.tags.is_empty() && absent()) {
                        continue;
                    }
                    match reader.any() {
                        Ok(found) if offset < reader.offset() => return part.locate(found, offset),
                        Ok(_) => {}
                        Err(_) => return part.name,
                    }
                }
                self.name
            }
        }
    }
}

/// The name of the extension at this offset, if it has one.
fn extension_at(explicit: Tlv<'_>, offset: usize) -> Option<&'static str> {
    let mut list = explicit.content.reader().sequence().ok()?;
    loop {
        let whole = list.element(tag::SEQUENCE).ok()?;
        if offset < list.offset() {
            let extension = Extension::read(&mut whole.whole.reader()).map(|found| found.oid);
            let id = extension.or_else(|_| whole.content.reader().oid()).ok()?;
            return NAMES.iter().find(|(known, _)| *known == id).map(|(_, name)| *name);
        }
    }
}

/// The extensions that are read, and those that RFC 5280 defines besides.
const NAMES: &[(&[u8], &str)] = &[
    (oid::SUBJECT_KEY_ID, "subjectKeyIdentifier"),
    (oid::KEY_USAGE, "keyUsage"),
    (oid::SUBJECT_ALT_NAME, "subjectAltName"),
    (&[0x55, 0x1d, 0x12], "issuerAltName"),
    (oid::BASIC_CONSTRAINTS, "basicConstraints"),
    (oid::CRL_NUMBER, "cRLNumber"),
    (oid::DELTA_CRL_INDICATOR, "deltaCRLIndicator"),
    (oid::ISSUING_DISTRIBUTION_POINT, "issuingDistributionPoint"),
    (oid::NAME_CONSTRAINTS, "nameConstraints"),
    (oid::CRL_DISTRIBUTION_POINTS, "cRLDistributionPoints"),
    (oid::CERTIFICATE_POLICIES, "certificatePolicies"),
    (oid::POLICY_MAPPINGS, "policyMappings"),
    (oid::AUTHORITY_KEY_ID, "authorityKeyIdentifier"),
    (oid::POLICY_CONSTRAINTS, "policyConstraints"),
    (oid::EXTENDED_KEY_USAGE, "extKeyUsage"),
    (oid::FRESHEST_CRL, "freshestCRL"),
    (oid::INHIBIT_ANY_POLICY, "inhibitAnyPolicy"),
    (oid::AUTHORITY_INFO_ACCESS, "authorityInfoAccess"),
    (oid::OCSP_NO_CHECK, "ocspNoCheck"),
    (oid::OCSP_NONCE, "nonce"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::der::DerErrorKind;
    use alloc::vec::Vec;

    /// SEQUENCE { SEQUENCE { SEQUENCE {}, SEQUENCE {}, BIT STRING } } is enough of a certificate to get lost in.
    fn field(der: &[u8], offset: usize) -> &'static str {
        DerError::new(offset, DerErrorKind::Value).located(Format::Certificate, der).field
    }

    #[test]
    fn optional_elements_are_passed_over() {
        // Without and with a version; the serial number is the INTEGER.
        let without = [0x30, 5, 0x30, 3, 2, 1, 9];
        assert_eq!(field(&without, 0), "Certificate");
        assert_eq!(field(&without, 2), "tbsCertificate");
        assert_eq!(field(&without, 4), "serialNumber");
        assert_eq!(field(&without, 6), "serialNumber");
        // What is missing is what the error is about.
        assert_eq!(field(&without, 7), "Certificate");
        let with = [0x30, 10, 0x30, 8, 0xa0, 3, 2, 1, 2, 2, 1, 9];
        assert_eq!(field(&with, 7), "version");
        assert_eq!(field(&with, 10), "serialNumber");
    }

    #[test]
    fn broken_lengths_end_the_walk_where_they_stand() {
        assert_eq!(field(&[0x30, 5, 0x30, 3, 2, 9, 9], 4), "serialNumber");
        assert_eq!(field(&[0x30, 5, 0x30, 9, 2, 1, 9], 2), "tbsCertificate");
        assert_eq!(field(&[], 0), "Certificate");
    }

    #[test]
    fn extensions_bear_their_names() {
        let tlv = |tag: u8, content: &[u8]| [&[tag, content.len() as u8], content].concat();
        let one = |id: &[u8]| tlv(0x30, &[tlv(6, id), tlv(4, &[5, 0])].concat());
        let list = tlv(0x30, &[one(oid::KEY_USAGE), one(&[0x2a, 3])].concat());
        let before: Vec<u8> = [tlv(2, &[1]), tlv(0x30, &[]).repeat(5)].concat();
        let tbs = tlv(0x30, &[before, tlv(0xa3, &list)].concat());
        let der = tlv(0x30, &tbs);
        let at = |wanted: &[u8]| der.windows(wanted.len()).position(|w| w == wanted).unwrap();
        assert_eq!(field(&der, at(oid::KEY_USAGE)), "keyUsage");
        assert_eq!(field(&der, at(&[0x2a, 3])), "extensions");
    }
}
