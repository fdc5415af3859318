//! The Security Association payload, RFC 7296 section 3.3.

use alloc::vec::Vec;
use core::fmt;

use super::error::{DecodeError, DecodeErrorKind, EncodeError};
use super::limits::{MAX_ATTRIBUTES, MAX_PROPOSALS, MAX_TRANSFORMS};
use super::reader::Reader;
use super::registry::{ProtocolId, TransformType};
use super::spi::Spi;
use super::writer::Writer;

/// What an initiator offers, or the one proposal that the responder chose. Lossless: whatever is unknown
/// in it stays.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SecurityAssociation {
    /// The proposals in the sender's order of preference.
    pub proposals: Vec<Proposal>,
}

/// One protocol with transforms to choose from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// Counts from 1 in a request; in a response, the number of the proposal that was accepted.
    pub number: u8,
    /// IKE, ESP or AH.
    pub protocol: ProtocolId,
    /// The sender's inbound SPI; none in IKE_SA_INIT and for an IKE SA that is not being rekeyed.
    pub spi: Spi,
    /// The transforms; of one type, in order of preference.
    pub transforms: Vec<Transform>,
}

/// One algorithm.
#[derive(Clone, PartialEq, Eq)]
pub struct Transform {
    /// What the algorithm is for.
    pub transform_type: TransformType,
    /// The algorithm, as numbered for that type.
    pub id: u16,
    /// Its parameters, mostly none.
    pub attributes: Vec<Attribute>,
}

/// A parameter of a transform, RFC 7296 section 3.3.5.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attribute {
    /// The type, 15 bits.
    pub attribute_type: u16,
    /// The value.
    pub value: AttributeValue,
}

/// The two encodings of an attribute's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AttributeValue {
    /// TV format, two octets.
    Short(u16),
    /// TLV format.
    Long(Vec<u8>),
}

impl Transform {
    /// A transform without attributes.
    pub const fn new(transform_type: TransformType, id: u16) -> Self {
        Self { transform_type, id, attributes: Vec::new() }
    }

    /// A transform with a Key Length attribute, in bits.
    pub fn with_key_length(transform_type: TransformType, id: u16, bits: u16) -> Self {
        let value = AttributeValue::Short(bits);
        Self {
            transform_type,
            id,
            attributes: [Attribute { attribute_type: Attribute::KEY_LENGTH, value }].into(),
        }
    }

    fn parse(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let transform_type = TransformType(reader.u8("transform type")?);
        reader.u8("transform")?;
        let id = reader.u16("transform ID")?;
        let mut attributes = Vec::new();
        while !reader.is_empty() {
            if attributes.len() == MAX_ATTRIBUTES {
                return Err(reader.error(DecodeErrorKind::TooMany, "transform attributes"));
            }
            attributes.push(Attribute::parse(reader)?);
        }
        Ok(Self { transform_type, id, attributes })
    }

    fn encode(&self, writer: &mut Writer<'_>, more: bool) -> Result<(), EncodeError> {
        writer.measured(2, "transform", |writer| {
            writer.u8(if more { MORE_TRANSFORMS } else { LAST });
            writer.bytes(&[0; 3]);
            writer.u8(self.transform_type.0);
            writer.u8(0);
            writer.u16(self.id);
            self.attributes.iter().try_for_each(|attribute| attribute.encode(writer))
        })
    }
}

impl Attribute {
    /// Key Length in bits, always in TV format.
    pub const KEY_LENGTH: u16 = 14;

    const SHORT: u16 = 0x8000;

    fn parse(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let attribute_type = reader.u16("attribute type")?;
        if attribute_type & Self::SHORT != 0 {
            return Ok(Self {
                attribute_type: attribute_type & !Self::SHORT,
                value: AttributeValue::Short(reader.u16("attribute value")?),
            });
        }
        let len = reader.u16("attribute length")?;
        let value = reader.bytes(usize::from(len), "attribute value")?;
        Ok(Self { attribute_type, value: AttributeValue::Long(value.into()) })
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        match &self.value {
            AttributeValue::Short(value) => {
                writer.u16(self.attribute_type | Self::SHORT);
                writer.u16(*value);
            }
            AttributeValue::Long(value) => {
                writer.u16(self.attribute_type & !Self::SHORT);
                writer.len16(value.len(), "attribute")?;
                writer.bytes(value);
            }
        }
        Ok(())
    }
}

/// "Last Substruc" of the last proposal or transform.
const LAST: u8 = 0;
/// "Last Substruc" of a proposal that another follows.
const MORE_PROPOSALS: u8 = 2;
/// "Last Substruc" of a transform that another follows.
const MORE_TRANSFORMS: u8 = 3;

impl SecurityAssociation {
    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut proposals = Vec::new();
        let mut transforms = 0;
        loop {
            if proposals.len() == MAX_PROPOSALS {
                return Err(reader.error(DecodeErrorKind::TooMany, "proposals"));
            }
            let (mut body, last) = substructure(reader, MORE_PROPOSALS, "proposal")?;
            proposals.push(Proposal::parse(&mut body, &mut transforms)?);
            if last {
                reader.finish("SA payload")?;
                return Ok(Self { proposals });
            }
        }
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        let last = self.proposals.len().saturating_sub(1);
        self.proposals
            .iter()
            .enumerate()
            .try_for_each(|(index, proposal)| proposal.encode(writer, index != last))
    }
}

impl Proposal {
    fn parse(reader: &mut Reader<'_>, seen: &mut usize) -> Result<Self, DecodeError> {
        let number = reader.u8("proposal number")?;
        let protocol = ProtocolId(reader.u8("protocol ID")?);
        let spi_size = reader.u8("SPI size")?;
        let count = usize::from(reader.u8("number of transforms")?);
        let spi = Spi::parse(reader, spi_size)?;
        *seen += count;
        if *seen > MAX_TRANSFORMS {
            return Err(reader.error(DecodeErrorKind::TooMany, "transforms"));
        }
        let mut transforms = Vec::new();
        for left in (0..count).rev() {
            let (mut body, last) = substructure(reader, MORE_TRANSFORMS, "transform")?;
            if last != (left == 0) {
                return Err(reader.error(DecodeErrorKind::BadLength, "number of transforms"));
            }
            transforms.push(Transform::parse(&mut body)?);
        }
        reader.finish("proposal")?;
        Ok(Self { number, protocol, spi, transforms })
    }

    fn encode(&self, writer: &mut Writer<'_>, more: bool) -> Result<(), EncodeError> {
        writer.measured(2, "proposal", |writer| {
            writer.u8(if more { MORE_PROPOSALS } else { LAST });
            writer.bytes(&[0; 3]);
            writer.u8(self.number);
            writer.u8(self.protocol.0);
            writer.u8(self.spi.size());
            writer.len8(self.transforms.len(), "number of transforms")?;
            self.spi.encode(writer);
            let last = self.transforms.len().saturating_sub(1);
            self.transforms
                .iter()
                .enumerate()
                .try_for_each(|(index, transform)| transform.encode(writer, index != last))
        })
    }
}

/// Reads the four octets that proposals and transforms begin with: what follows in this one, and whether
/// it is the last.
fn substructure<'a>(
    reader: &mut Reader<'a>,
    more: u8,
    what: &'static str,
) -> Result<(Reader<'a>, bool), DecodeError> {
    let start = reader.clone();
    let marker = reader.u8(what)?;
    if marker != LAST && marker != more {
        return Err(start.error(DecodeErrorKind::BadValue, what));
    }
    reader.u8(what)?;
    let Some(len) = usize::from(reader.u16(what)?).checked_sub(4) else {
        return Err(start.error(DecodeErrorKind::BadLength, what));
    };
    Ok((reader.sub(len, what)?, marker == LAST))
}

impl fmt::Debug for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.transform_type.fmt_id(self.id, f)?;
        for attribute in &self.attributes {
            match (&attribute.value, attribute.attribute_type) {
                (AttributeValue::Short(bits), Attribute::KEY_LENGTH) => write!(f, "-{bits}")?,
                _ => write!(f, "+{attribute:?}")?,
            }
        }
        Ok(())
    }
}
