//! Objects and lists while they are being written.
//!
//! In: serde's calls for each entry and element. Out: their bytes, with the lengths filled in at the end. What fails
//! inside gets its key or index on the way out.

use std::ops::Range;

use serde::{
    Serialize,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};

use super::{WriteError, Writer, key::Key};
use crate::function::wire::{
    encode::{close, open},
    field,
};

/// Where the open messages of `{variant: ...}` begin: object, entry, value.
pub(in crate::function::wire) struct Wrapper {
    pub(super) name: &'static str,
    pub(super) starts: [usize; 3],
}

/// An open object: a map, a struct or what a struct variant holds.
pub(in crate::function::wire) struct Object<'out> {
    pub(super) out: &'out mut Vec<u8>,
    pub(super) depth: usize,
    pub(super) start: usize,
    pub(super) wrapper: Option<Wrapper>,
    pub(super) entry: usize,
    pub(super) key: Range<usize>,
}

/// An open list: a sequence, a tuple or what a tuple variant holds.
pub(in crate::function::wire) struct List<'out> {
    pub(super) out: &'out mut Vec<u8>,
    pub(super) depth: usize,
    pub(super) start: usize,
    pub(super) wrapper: Option<Wrapper>,
    pub(super) index: usize,
}

impl Wrapper {
    pub(super) fn end(wrapper: Option<Self>, out: &mut Vec<u8>) {
        for start in wrapper.into_iter().flat_map(|wrapper| wrapper.starts).rev() {
            close(out, start);
        }
    }

    fn named(wrapper: Option<&Self>, error: WriteError) -> WriteError {
        match wrapper {
            Some(wrapper) => error.within(wrapper.name),
            None => error,
        }
    }
}

impl Object<'_> {
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), WriteError> {
        self.entry = open(self.out, field::ENTRIES);
        let start = open(self.out, field::ENTRY_KEY);
        key.serialize(Key(self.out))
            .map_err(|error| Wrapper::named(self.wrapper.as_ref(), error))?;
        let length = self.out.len() - start;
        if length == 0 {
            self.out.truncate(self.entry);
        } else {
            close(self.out, start);
        }
        self.key = self.out.len() - length..self.out.len();
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        let start = open(self.out, field::ENTRY_VALUE);
        if let Err(error) = value.serialize(Writer {
            out: &mut *self.out,
            depth: self.depth,
            splice: false,
        }) {
            let key = String::from_utf8_lossy(self.out.get(self.key.clone()).unwrap_or_default());
            return Err(Wrapper::named(self.wrapper.as_ref(), error.within(&key)));
        }
        close(self.out, start);
        close(self.out, self.entry);
        Ok(())
    }

    fn finish(self) {
        close(self.out, self.start);
        Wrapper::end(self.wrapper, self.out);
    }
}

impl List<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        let start = open(self.out, field::ELEMENTS);
        value
            .serialize(Writer {
                out: &mut *self.out,
                depth: self.depth,
                splice: false,
            })
            .map_err(|error| Wrapper::named(self.wrapper.as_ref(), error.at(self.index)))?;
        close(self.out, start);
        self.index += 1;
        Ok(())
    }

    fn finish(self) {
        close(self.out, self.start);
        Wrapper::end(self.wrapper, self.out);
    }
}

impl SerializeMap for Object<'_> {
    type Ok = ();
    type Error = WriteError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), WriteError> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
        self.value(value)
    }

    fn end(self) -> Result<(), WriteError> {
        self.finish();
        Ok(())
    }
}

/// The traits of named fields, and those of elements, differ in names only.
macro_rules! compound {
    (fields: $($trait:ident)*) => {
        $(impl $trait for Object<'_> {
            type Ok = ();
            type Error = WriteError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), WriteError> {
                self.key(key)?;
                self.value(value)
            }

            fn end(self) -> Result<(), WriteError> {
                self.finish();
                Ok(())
            }
        })*
    };
    ($method:ident: $($trait:ident)*) => {
        $(impl $trait for List<'_> {
            type Ok = ();
            type Error = WriteError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), WriteError> {
                self.element(value)
            }

            fn end(self) -> Result<(), WriteError> {
                self.finish();
                Ok(())
            }
        })*
    };
}

compound! { fields: SerializeStruct SerializeStructVariant }
compound! { serialize_element: SerializeSeq SerializeTuple }
compound! { serialize_field: SerializeTupleStruct SerializeTupleVariant }
