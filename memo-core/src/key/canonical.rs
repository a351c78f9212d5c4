//! A serde serializer whose output is canonical and self-delimiting, and goes straight into a hasher.
//!
//! Every value begins with a tag that isn't zero, and what has no fixed length either states it or ends in [`END`], so
//! no two values have the same bytes and no value's bytes begin another's. `docs/key-format.md` is the specification.

use super::collections::{Map, Sequence, Unordered};
use super::order;
use super::sink::Sink;
use serde::ser::{self, Serialize};
use std::any::type_name;
use std::fmt;

/// How deep the value of a key may be nested: each element, field, entry, `Some` and content of a newtype is one
/// level below what holds it. Past it there is no key, since the stack would be next to give way.
pub const MAX_DEPTH: u32 = 256;

const END: u8 = 0x00;
const FALSE: u8 = 0x01;
const TRUE: u8 = 0x02;
const UNIT: u8 = 0x03;
const NONE: u8 = 0x04;
const SOME: u8 = 0x05;
const I8: u8 = 0x10;
const I16: u8 = 0x11;
const I32: u8 = 0x12;
const I64: u8 = 0x13;
const I128: u8 = 0x14;
const U8: u8 = 0x18;
const U16: u8 = 0x19;
const U32: u8 = 0x1A;
const U64: u8 = 0x1B;
const U128: u8 = 0x1C;
const F32: u8 = 0x20;
const F64: u8 = 0x21;
const CHAR: u8 = 0x22;
const STR: u8 = 0x23;
const BYTES: u8 = 0x24;
const SEQ: u8 = 0x30;
const TUPLE: u8 = 0x31;
const MAP: u8 = 0x32;
const SET: u8 = 0x33;
const ORDERED_MAP: u8 = 0x34;
const UNIT_STRUCT: u8 = 0x40;
const TUPLE_STRUCT: u8 = 0x41;
const STRUCT: u8 = 0x42;
const FIELD: u8 = 0x43;
const UNIT_VARIANT: u8 = 0x50;
const NEWTYPE_VARIANT: u8 = 0x51;
const TUPLE_VARIANT: u8 = 0x52;
const STRUCT_VARIANT: u8 = 0x53;

/// Why a value has no key.
#[derive(Debug)]
pub(super) enum Failure {
    TooDeep,
    /// A value's `Display` showed another text, or failed, when it was asked again.
    Unsteady,
    /// What the value's own `Serialize` says.
    Refused(Box<str>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::TooDeep => write!(f, "the value is nested deeper than {MAX_DEPTH} levels"),
            Failure::Unsteady => f.write_str("its text fails, or is another each time it is shown"),
            Failure::Refused(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Failure {}

impl ser::Error for Failure {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Failure::Refused(text.to_string().into_boxed_str())
    }
}

pub(super) type Done = Result<(), Failure>;

/// Encodes values into one digest.
pub(super) struct Encoder {
    pub(super) sink: Sink,
    pub(super) depth: u32,
    /// The type of the value that is being serialized. Only a sequence or a map looks at it, so that the values in
    /// between pay no more than a store.
    type_name: &'static str,
    /// The type of the last sequence and whether it is a set: the elements of a list are of one type.
    last_sequence: (&'static str, bool),
}

impl Encoder {
    #[inline]
    pub(super) fn new(sink: Sink) -> Self {
        Encoder { sink, depth: 0, type_name: "", last_sequence: ("", false) }
    }

    #[inline]
    pub(super) fn finish(mut self) -> [u8; 32] {
        self.sink.take()
    }

    /// Every value comes in here, at the top and inside others.
    #[inline]
    pub(super) fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if self.depth == MAX_DEPTH {
            return Err(Failure::TooDeep);
        }
        self.depth += 1;
        self.type_name = type_name::<T>();
        value.serialize(&mut *self)?;
        self.depth -= 1;
        Ok(())
    }

    fn is_set(&mut self) -> bool {
        if !std::ptr::eq(self.last_sequence.0, self.type_name) {
            self.last_sequence = (self.type_name, order::is_set(self.type_name));
        }
        self.last_sequence.1
    }

    #[inline]
    fn named(&mut self, tag: u8, name: &str) {
        self.sink.byte(tag);
        self.sink.text(name.as_bytes());
    }

    #[inline]
    fn variant(&mut self, tag: u8, name: &str, variant: &str) {
        self.named(tag, name);
        self.sink.text(variant.as_bytes());
    }

    #[inline]
    pub(super) fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Done {
        self.named(FIELD, name);
        self.value(value)
    }

    #[inline]
    pub(super) fn close(&mut self) {
        self.sink.byte(END);
    }
}

macro_rules! numbers {
    ($($method:ident($type:ty) = $tag:ident;)*) => {$(
        #[inline]
        fn $method(self, v: $type) -> Done {
            self.sink.tagged($tag, v.to_le_bytes());
            Ok(())
        }
    )*};
}

impl<'a> ser::Serializer for &'a mut Encoder {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Sequence<'a>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Map<'a>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_bool(self, v: bool) -> Done {
        self.sink.byte(if v { TRUE } else { FALSE });
        Ok(())
    }

    numbers! {
        serialize_i8(i8) = I8; serialize_i16(i16) = I16; serialize_i32(i32) = I32; serialize_i64(i64) = I64;
        serialize_u8(u8) = U8; serialize_u16(u16) = U16; serialize_u32(u32) = U32; serialize_u64(u64) = U64;
        serialize_i128(i128) = I128; serialize_u128(u128) = U128;
    }

    #[inline]
    fn serialize_f32(self, v: f32) -> Done {
        self.sink.tagged(F32, v.to_bits().to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_f64(self, v: f64) -> Done {
        self.sink.tagged(F64, v.to_bits().to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_char(self, v: char) -> Done {
        self.sink.tagged(CHAR, u32::from(v).to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_str(self, v: &str) -> Done {
        self.sink.byte(STR);
        self.sink.text(v.as_bytes());
        Ok(())
    }

    /// The text is never held as a whole.
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Done {
        self.sink.byte(STR);
        super::text::write(&mut self.sink, value)
    }

    #[inline]
    fn serialize_bytes(self, v: &[u8]) -> Done {
        self.sink.byte(BYTES);
        self.sink.text(v);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Done {
        self.sink.byte(NONE);
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        self.sink.byte(SOME);
        self.value(value)
    }

    #[inline]
    fn serialize_unit(self) -> Done {
        self.sink.byte(UNIT);
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, name: &'static str) -> Done {
        self.named(UNIT_STRUCT, name);
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, name: &'static str, _index: u32, variant: &'static str) -> Done {
        self.variant(UNIT_VARIANT, name, variant);
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Done {
        self.value(value)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        self.variant(NEWTYPE_VARIANT, name, variant);
        self.value(value)
    }

    #[inline]
    fn serialize_seq(self, _len: Option<usize>) -> Result<Sequence<'a>, Failure> {
        if self.is_set() {
            return Ok(Sequence::Set(Unordered::new(self, SET)));
        }
        self.sink.byte(SEQ);
        Ok(Sequence::Ordered(self))
    }

    #[inline]
    fn serialize_tuple(self, _len: usize) -> Result<Self, Failure> {
        self.sink.byte(TUPLE);
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, name: &'static str, _len: usize) -> Result<Self, Failure> {
        self.named(TUPLE_STRUCT, name);
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Self, Failure> {
        self.variant(TUPLE_VARIANT, name, variant);
        Ok(self)
    }

    #[inline]
    fn serialize_map(self, _len: Option<usize>) -> Result<Map<'a>, Failure> {
        if order::is_ordered_map(self.type_name) {
            self.sink.byte(ORDERED_MAP);
            return Ok(Map::Ordered(self));
        }
        Ok(Map::Unordered(Unordered::new(self, MAP)))
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, _len: usize) -> Result<Self, Failure> {
        self.named(STRUCT, name);
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Self, Failure> {
        self.variant(STRUCT_VARIANT, name, variant);
        Ok(self)
    }
}
