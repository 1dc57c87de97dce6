//! Protobuf's wire format: a slice that is taken apart field by field.
//!
//! In: the bytes of one message. Out: its fields, borrowed from those bytes, nothing copied and nothing decoded that
//! is not asked for; a field of any size costs the same to pass over. The cursor knows no message: what a number means
//! is the business of its callers. Groups, which proto3 does not have, are refused.

use super::{
    error::{ReadError, ReadErrorKind},
    field,
};

/// Protobuf's largest field number; the tag holds it above three bits of wire type.
const MAX_FIELD_NUMBER: u64 = (1 << 29) - 1;

/// A varint of 64 bits has at most ten groups of seven bits, the last with one bit.
pub(super) const MAX_VARINT_BYTES: usize = 10;

/// What is left of a message.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'de> {
    rest: &'de [u8],
}

/// A field as it is on the wire.
pub(super) struct Field<'de> {
    pub(super) number: u32,
    pub(super) payload: Payload<'de>,
    /// Tag, length and payload: what to copy to keep the field as it is.
    pub(super) raw: &'de [u8],
}

/// The four wire types of proto3.
pub(super) enum Payload<'de> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'de [u8]),
    Fixed32,
}

/// An entry of a map with text keys. Its value is a message, undecoded; empty when absent, as protobuf has it.
pub(super) struct Entry<'de> {
    pub(super) key: &'de str,
    pub(super) value: &'de [u8],
}

impl<'de> Cursor<'de> {
    pub(super) fn new(message: &'de [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field, whatever it is.
    pub(super) fn field(&mut self) -> Result<Option<Field<'de>>, ReadError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let start = self.rest;
        let tag = self.varint()?;
        let number = match tag >> 3 {
            number @ 1..=MAX_FIELD_NUMBER => u32::try_from(number).unwrap_or(u32::MAX),
            number => return Err(ReadErrorKind::FieldNumber(number).into()),
        };
        let payload = match tag & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Fixed64(self.array()?),
            2 => Payload::Bytes(self.delimited()?),
            5 => {
                self.array::<4>()?;
                Payload::Fixed32
            }
            group => return Err(wrong_wire_type(number, u8::try_from(group).unwrap_or(u8::MAX))),
        };
        let raw = start.get(..start.len() - self.rest.len()).unwrap_or(start);
        Ok(Some(Field { number, payload, raw }))
    }

    /// The payload of the next field with this number; all others are passed over.
    pub(super) fn message(&mut self, number: u32) -> Result<Option<&'de [u8]>, ReadError> {
        // Nearly always the very next one: then nothing else needs to be known of it.
        if let [next, rest @ ..] = self.rest
            && u32::from(*next) == delimited_tag(number)
        {
            self.rest = rest;
            return self.delimited().map(Some);
        }
        while let Some(field) = self.field()? {
            if field.number == number {
                return field.message().map(Some);
            }
        }
        Ok(None)
    }

    /// The next entry of the map with this number; all other fields are passed over.
    pub(super) fn entry(&mut self, number: u32) -> Result<Option<Entry<'de>>, ReadError> {
        self.message(number)?.map(Entry::parse).transpose()
    }

    fn varint(&mut self) -> Result<u64, ReadError> {
        // Nearly all lengths and all tags here have one byte.
        if let [byte @ 0..=0x7f, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        let mut value = 0;
        for (index, byte) in self.rest.iter().take(MAX_VARINT_BYTES).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                if index + 1 == MAX_VARINT_BYTES && *byte > 1 {
                    return Err(ReadErrorKind::Varint.into());
                }
                self.rest = self.rest.get(index + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        let overlong = self.rest.len() >= MAX_VARINT_BYTES;
        Err(if overlong {
            ReadErrorKind::Varint
        } else {
            ReadErrorKind::Truncated
        }
        .into())
    }

    fn delimited(&mut self) -> Result<&'de [u8], ReadError> {
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(ReadErrorKind::Truncated.into());
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], ReadError> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return Err(ReadErrorKind::Truncated.into());
        };
        self.rest = rest;
        Ok(*taken)
    }
}

impl<'de> Field<'de> {
    /// The payload of a message or text.
    pub(super) fn message(&self) -> Result<&'de [u8], ReadError> {
        match self.payload {
            Payload::Bytes(message) => Ok(message),
            Payload::Varint(_) | Payload::Fixed64(_) | Payload::Fixed32 => Err(self.unexpected()),
        }
    }

    /// The field has another wire type than its number promises.
    pub(super) fn unexpected(&self) -> ReadError {
        let wire_type = match self.payload {
            Payload::Varint(_) => 0,
            Payload::Fixed64(_) => 1,
            Payload::Bytes(_) => 2,
            Payload::Fixed32 => 5,
        };
        wrong_wire_type(self.number, wire_type)
    }
}

impl<'de> Entry<'de> {
    /// Key and value come in any order; of a repeated one the last counts.
    pub(super) fn parse(message: &'de [u8]) -> Result<Self, ReadError> {
        if let Some((key, value)) = in_order(message) {
            return Ok(Self {
                key: text(key)?,
                value,
            });
        }
        let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
        let mut cursor = Cursor::new(message);
        while let Some(field) = cursor.field()? {
            match field.number {
                field::ENTRY_KEY => key = field.message()?,
                field::ENTRY_VALUE => value = field.message()?,
                _ => {}
            }
        }
        Ok(Self {
            key: text(key)?,
            value,
        })
    }
}

/// Key and value of an entry as every writer writes it, with a key of less than 128 bytes; `None` for any other, right or
/// wrong. Half of all fields of a request are those two.
fn in_order(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let [tag, length @ 0..=0x7f, rest @ ..] = message else {
        return None;
    };
    let (key, rest) = rest.split_at_checked(usize::from(*length))?;
    let [value_tag, value @ ..] = rest else {
        return None;
    };
    if u32::from(*tag) != delimited_tag(field::ENTRY_KEY)
        || u32::from(*value_tag) != delimited_tag(field::ENTRY_VALUE)
    {
        return None;
    }
    let mut cursor = Cursor::new(value);
    let value = cursor.delimited().ok()?;
    cursor.rest.is_empty().then_some((key, value))
}

/// The tag of a text or message, which has one byte for the fields of `struct.proto`.
const fn delimited_tag(number: u32) -> u32 {
    number << 3 | 2
}

/// Protobuf strings are UTF-8, but only whoever reads them can tell.
pub(super) fn text(bytes: &[u8]) -> Result<&str, ReadError> {
    std::str::from_utf8(bytes).map_err(|_| ReadErrorKind::Utf8.into())
}

fn wrong_wire_type(field: u32, wire_type: u8) -> ReadError {
    ReadErrorKind::WireType { field, wire_type }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(bytes: &[u8]) -> ReadErrorKind {
        let mut cursor = Cursor::new(bytes);
        loop {
            match cursor.field() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("expected an error"),
                Err(error) => return error.kind().clone(),
            }
        }
    }

    #[test]
    fn a_field_keeps_its_raw_bytes() {
        let bytes = [0x0a, 0x02, 7, 8, 0x10, 0x80, 0x01];
        let mut cursor = Cursor::new(&bytes);
        let first = cursor.field().unwrap().unwrap();
        assert_eq!((first.number, first.raw), (1, &bytes[..4]));
        let second = cursor.field().unwrap().unwrap();
        assert_eq!((second.number, second.raw), (2, &bytes[4..]));
        assert!(matches!(second.payload, Payload::Varint(128)));
        assert!(cursor.field().unwrap().is_none());
    }

    #[test]
    fn groups_are_refused_and_named() {
        assert_eq!(
            kind_of(&[0x0b]),
            ReadErrorKind::WireType {
                field: 1,
                wire_type: 3
            }
        );
        assert_eq!(
            kind_of(&[0x1c]),
            ReadErrorKind::WireType {
                field: 3,
                wire_type: 4
            }
        );
        assert_eq!(
            kind_of(&[0x0f]),
            ReadErrorKind::WireType {
                field: 1,
                wire_type: 7
            }
        );
    }

    #[test]
    fn field_numbers_outside_of_protobuf_are_refused() {
        assert_eq!(kind_of(&[0x02, 0]), ReadErrorKind::FieldNumber(0));
        assert_eq!(
            kind_of(&[0x82, 0x80, 0x80, 0x80, 0x10, 0]),
            ReadErrorKind::FieldNumber(1 << 29)
        );
    }

    #[test]
    fn a_varint_has_64_bits_and_no_more() {
        let mut largest = vec![0x08];
        largest.extend([0xff; 9]);
        largest.push(0x01);
        let field = Cursor::new(&largest).field().unwrap().unwrap();
        assert!(matches!(field.payload, Payload::Varint(u64::MAX)));
        *largest.last_mut().unwrap() = 0x02;
        assert_eq!(kind_of(&largest), ReadErrorKind::Varint);
        *largest.last_mut().unwrap() = 0x81;
        assert_eq!(kind_of(&largest), ReadErrorKind::Varint);
        assert_eq!(kind_of(&largest[..10]), ReadErrorKind::Truncated);
    }

    #[test]
    fn a_length_beyond_the_message_is_truncation_not_an_allocation() {
        assert_eq!(
            kind_of(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            ReadErrorKind::Truncated
        );
        assert_eq!(kind_of(&[0x09, 0, 0]), ReadErrorKind::Truncated);
        assert_eq!(kind_of(&[0x0d, 0]), ReadErrorKind::Truncated);
    }

    #[test]
    fn an_entry_reads_in_any_order_and_without_its_parts() {
        let swapped = [0x12, 1, 9, 0x0a, 1, b'k', 0x18, 5];
        let entry = Entry::parse(&swapped).unwrap();
        assert_eq!((entry.key, entry.value), ("k", &[9][..]));
        let again = [0x0a, 1, b'k', 0x12, 1, 9, 0x12, 2, 7, 8];
        assert_eq!(Entry::parse(&again).unwrap().value, &[7, 8]);
        assert!(Entry::parse(&[0x0a, 1, b'k', 0x12, 2, 9]).is_err());
        assert!(Entry::parse(&[0x0a, 1, 0xff, 0x12, 1, 9]).is_err());
        let empty = Entry::parse(&[]).unwrap();
        assert_eq!((empty.key, empty.value), ("", &[][..]));
    }
}
