//! Attributes: a checked view of those that came, a list of those to be sent.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use crate::dictionary::{AttributeType, VendorType};
use crate::error::{Error, Malformed, Misuse};
use crate::packet::{HEADER_LEN, MAX_PACKET_LEN};

/// Longest value of one attribute in octets: its Length is one octet and counts two for the header.
pub const MAX_VALUE_LEN: usize = 253;

/// One attribute of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attribute<'a> {
    /// Its Type.
    pub kind: AttributeType,
    /// Its value, 0 to 253 octets.
    pub value: &'a [u8],
    /// Where it starts, in octets from the start of the packet.
    pub offset: usize,
}

/// The attributes of a packet, of which every Length has been checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attributes<'a> {
    bytes: &'a [u8],
    base: usize,
}

impl<'a> Attributes<'a> {
    /// No attributes.
    pub(crate) const EMPTY: Self = Self { bytes: &[], base: HEADER_LEN };

    /// Checks that `bytes`, which stand at `base` in their packet, are attributes.
    pub(crate) fn parse(bytes: &'a [u8], base: usize) -> Result<Self, Error> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let length = rest.get(1).copied().map_or(0, usize::from);
            if length < 2 || length > rest.len() {
                let offset = base + (bytes.len() - rest.len());
                return Err(Error::malformed(Malformed::AttributeLength, offset));
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(Self { bytes, base })
    }

    /// The octets of all attributes.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// All attributes, in order.
    pub fn iter(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let (all, base) = (self.bytes, self.base);
        let mut rest = all;
        core::iter::from_fn(move || {
            let [kind, length, ..] = rest else { return None };
            // `parse` has checked the length; were it wrong, the iteration would end.
            let (attribute, tail) = rest.split_at_checked(usize::from(*length))?;
            let offset = base + (all.len() - rest.len());
            rest = tail;
            Some(Attribute { kind: AttributeType(*kind), value: attribute.get(2..)?, offset })
        })
    }

    /// All attributes of one type, in order.
    pub fn all(&self, kind: AttributeType) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        self.iter().filter(move |attribute| attribute.kind == kind)
    }

    /// The only attribute of a type that may stand at most once.
    ///
    /// # Errors
    /// [`Malformed::Repeated`] if there are two.
    pub fn one(&self, kind: AttributeType) -> Result<Option<Attribute<'a>>, Error> {
        let mut all = self.all(kind);
        let first = all.next();
        match all.next() {
            Some(second) => Err(Error::malformed(Malformed::Repeated(kind), second.offset)),
            None => Ok(first),
        }
    }

    /// The value of an attribute of 4 octets that may stand at most once.
    ///
    /// # Errors
    /// [`Error::Malformed`] if there are two, or it is not of 4 octets.
    pub fn u32(&self, kind: AttributeType) -> Result<Option<u32>, Error> {
        let Some(attribute) = self.one(kind)? else { return Ok(None) };
        attribute.array().map(|value| Some(u32::from_be_bytes(value)))
    }

    /// The values of all attributes of one type, one behind the other, as text that a person may see:
    /// UTF-8 without control characters, except that each attribute begins a line.
    pub fn text(&self, kind: AttributeType) -> Option<String> {
        let mut text = String::new();
        for attribute in self.all(kind).filter(|attribute| !attribute.value.is_empty()) {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&attribute.text());
        }
        (!text.is_empty()).then_some(text)
    }

    /// All attributes of one vendor's type. A Vendor-Specific that is not a sequence of the vendor's
    /// attributes is opaque and yields none of them (RFC 2865 section 5.26).
    ///
    /// The `kind` of what is returned is Vendor-Specific and the offset that of the outer attribute.
    pub fn vendor(&self, kind: VendorType) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        self.all(AttributeType::VENDOR_SPECIFIC)
            .filter_map(move |outer| {
                let (vendor, inner) = outer.value.split_first_chunk::<4>()?;
                (u32::from_be_bytes(*vendor) == kind.vendor).then_some(())?;
                // Checked whole before any is used, so that a bad tail makes all of it opaque.
                let inner = Attributes::parse(inner, outer.offset).ok()?;
                Some(inner.iter().map(move |attribute| (attribute, outer)))
            })
            .flatten()
            .filter(move |(inner, _)| inner.kind.0 == kind.number)
            .map(|(inner, outer)| Attribute { value: inner.value, ..outer })
    }
}

impl<'a> Attribute<'a> {
    /// The value, if it has exactly `N` octets.
    ///
    /// # Errors
    /// [`Malformed::Value`] if it has not.
    pub fn array<const N: usize>(&self) -> Result<[u8; N], Error> {
        self.value.try_into().map_err(|_| self.bad_value())
    }

    /// The value as text that a person may see: UTF-8, without control characters.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value).chars().filter(|c| !c.is_control()).collect()
    }

    pub(crate) fn bad_value(&self) -> Error {
        Error::malformed(Malformed::Value(self.kind), self.offset)
    }
}

/// A list of attributes to be sent.
///
/// ```
/// use adit_radius::{AttributeType, AttributeList};
///
/// let mut list = AttributeList::new();
/// list.push(AttributeType::NAS_IDENTIFIER, b"vpn-gw-1")?;
/// list.push_u32(AttributeType::NAS_PORT_TYPE, 5)?; // Virtual
/// assert_eq!(list.view().iter().count(), 2);
/// # Ok::<(), adit_radius::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AttributeList {
    bytes: Vec<u8>,
}

impl AttributeList {
    /// An empty list.
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Appends an attribute.
    ///
    /// # Errors
    /// [`Misuse::TooLong`] for a value above [`MAX_VALUE_LEN`] octets, or if no packet could hold the
    /// list.
    pub fn push(&mut self, kind: AttributeType, value: &[u8]) -> Result<(), Error> {
        let room = MAX_PACKET_LEN - HEADER_LEN - self.bytes.len().min(MAX_PACKET_LEN - HEADER_LEN);
        let length = value
            .len()
            .checked_add(2)
            .filter(|length| *length <= room)
            .and_then(|length| u8::try_from(length).ok())
            .ok_or(Error::Misuse(Misuse::TooLong))?;
        self.bytes.extend_from_slice(&[kind.0, length]);
        self.bytes.extend_from_slice(value);
        Ok(())
    }

    /// Appends an attribute of 4 octets.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_u32(&mut self, kind: AttributeType, value: u32) -> Result<(), Error> {
        self.push(kind, &value.to_be_bytes())
    }

    /// Appends an IPv4 address.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_ipv4(&mut self, kind: AttributeType, address: Ipv4Addr) -> Result<(), Error> {
        self.push(kind, &address.octets())
    }

    /// Appends an IPv6 address.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_ipv6(&mut self, kind: AttributeType, address: Ipv6Addr) -> Result<(), Error> {
        self.push(kind, &address.octets())
    }

    /// Appends a Vendor-Specific that holds one attribute of a vendor.
    ///
    /// # Errors
    /// As [`push`](Self::push); the value may have 247 octets.
    pub fn push_vendor(&mut self, kind: VendorType, value: &[u8]) -> Result<(), Error> {
        let length = value.len().checked_add(2).and_then(|length| u8::try_from(length).ok());
        let length = length.ok_or(Error::Misuse(Misuse::TooLong))?;
        let outer = [&kind.vendor.to_be_bytes()[..], &[kind.number, length], value].concat();
        self.push(AttributeType::VENDOR_SPECIFIC, &outer)
    }

    /// Appends an EAP packet, split over EAP-Message attributes (RFC 3579 section 3.1).
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_eap(&mut self, packet: &[u8]) -> Result<(), Error> {
        packet
            .chunks(MAX_VALUE_LEN)
            .try_for_each(|chunk| self.push(AttributeType::EAP_MESSAGE, chunk))
    }

    /// What is in the list.
    pub fn view(&self) -> Attributes<'_> {
        Attributes { bytes: &self.bytes, base: HEADER_LEN }
    }
}
