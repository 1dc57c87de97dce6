//! Enums with data: an object whose only key is the name of the variant.
//!
//! In: that key and its undecoded value. Out: the variant. What fails inside gets the variant's name on the way out.

use serde::de::{DeserializeSeed, EnumAccess, Error, VariantAccess, Visitor};

use super::{Kind, ReadError, Reader, key::Key};

/// An enum that is written as an object with one key: the name of the variant.
pub(in crate::function::wire) struct Variant<'de> {
    pub(super) name: &'de str,
    pub(super) value: Reader<'de>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = ReadError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ReadError> {
        Ok((seed.deserialize(Key(self.name))?, self))
    }
}

impl Variant<'_> {
    fn named<T>(&self, result: Result<T, ReadError>) -> Result<T, ReadError> {
        result.map_err(|error| error.within(self.name))
    }

    fn refuse<T>(&self, expected: &str) -> Result<T, ReadError> {
        let kind = self.named(self.value.kind())?;
        self.named(Err(Error::invalid_type(kind.unexpected(), &expected)))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = ReadError;

    fn unit_variant(self) -> Result<(), ReadError> {
        match self.named(self.value.kind())? {
            Kind::Null => Ok(()),
            _ => self.refuse("null"),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ReadError> {
        self.named(seed.deserialize(self.value))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, ReadError> {
        match self.named(self.value.kind())? {
            kind @ Kind::List(_) => self.named(self.value.visit(&kind, visitor)),
            _ => self.refuse("a list"),
        }
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.named(self.value.kind())? {
            kind @ Kind::Object(_) => self.named(self.value.visit(&kind, visitor)),
            _ => self.refuse("an object"),
        }
    }
}
