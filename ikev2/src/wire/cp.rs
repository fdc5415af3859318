//! The Configuration payload, RFC 7296 section 3.15.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::error::{DecodeError, DecodeErrorKind, EncodeError};
use super::limits::MAX_CONFIGURATION_ATTRIBUTES;
use super::reader::Reader;
use super::registry::{CfgType, ConfigurationAttributeType};
use super::writer::Writer;

/// Attributes that are requested, replied, set or acknowledged.
///
/// [`ConfigurationRequest`](crate::negotiate::ConfigurationRequest) and
/// [`ConfigurationReply`](crate::negotiate::ConfigurationReply) hold the ones that have a meaning here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Configuration<'a> {
    /// Request, reply, set or acknowledgement.
    pub cfg_type: CfgType,
    /// The attributes in the sender's order.
    pub attributes: Vec<ConfigurationAttribute<'a>>,
}

/// One attribute, as it stands on the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigurationAttribute<'a> {
    /// What the value means, 15 bits.
    pub attribute_type: ConfigurationAttributeType,
    /// The value; empty in most requests.
    pub value: Cow<'a, [u8]>,
}

impl<'a> Configuration<'a> {
    pub(super) fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let cfg_type = CfgType(reader.u8("CFG type")?);
        reader.array::<3>("Configuration payload")?;
        let mut attributes = Vec::new();
        while !reader.is_empty() {
            if attributes.len() == MAX_CONFIGURATION_ATTRIBUTES {
                return Err(reader.error(DecodeErrorKind::TooMany, "configuration attributes"));
            }
            let attribute_type =
                ConfigurationAttributeType(reader.u16("configuration attribute type")? & 0x7fff);
            let len = usize::from(reader.u16("configuration attribute length")?);
            let value = Cow::Borrowed(reader.bytes(len, "configuration attribute value")?);
            attributes.push(ConfigurationAttribute { attribute_type, value });
        }
        Ok(Self { cfg_type, attributes })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.u8(self.cfg_type.0);
        writer.bytes(&[0; 3]);
        self.attributes.iter().try_for_each(|attribute| {
            writer.u16(attribute.attribute_type.0 & 0x7fff);
            writer.len16(attribute.value.len(), "configuration attribute")?;
            writer.bytes(&attribute.value);
            Ok(())
        })
    }

    pub(super) fn into_owned(self) -> Configuration<'static> {
        let attributes = self.attributes.into_iter().map(|attribute| ConfigurationAttribute {
            attribute_type: attribute.attribute_type,
            value: Cow::Owned(attribute.value.into_owned()),
        });
        Configuration { cfg_type: self.cfg_type, attributes: attributes.collect() }
    }
}
