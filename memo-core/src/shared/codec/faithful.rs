//! Whether a format can hold a value so that the same comes back.
//!
//! A pass over the value before it is written. It writes nothing, so for lists of numbers or bytes the compiler drops
//! it altogether.

use super::MAX_DEPTH;
use serde::ser::{self, Serialize, Serializer};
use std::fmt;

/// The format names no fields: one that is left out is taken for the next.
pub(super) const NO_SKIPPED_FIELD: u8 = 1;
/// The format writes `Some` as its content and both `None` and `()` as null.
pub(super) const NO_SOME_OF_NULL: u8 = 2;
/// The format has no NaN and no infinity.
pub(super) const NO_ODD_FLOAT: u8 = 4;

pub(super) fn check<T: Serialize + ?Sized, const RULES: u8>(value: &T) -> Result<(), Lossy> {
    Check::<RULES> { depth: 0 }.below(value).map(drop)
}

/// Why a value can't be stored in a format.
#[derive(Debug)]
pub(super) enum Lossy {
    TooDeep,
    SkippedField(&'static str),
    SomeOfNull,
    OddFloat,
    /// What the value's own `Serialize` says.
    Refused(Box<str>),
}

impl fmt::Display for Lossy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lossy::TooDeep => write!(f, "the value is nested deeper than {MAX_DEPTH} levels"),
            Lossy::SkippedField(name) => write!(f, "the field `{name}` is left out by `skip_serializing_if`"),
            Lossy::SomeOfNull => f.write_str("`Some(None)` or `Some(())` would be read as `None`"),
            Lossy::OddFloat => f.write_str("a NaN or an infinity can't be written"),
            Lossy::Refused(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Lossy {}

impl ser::Error for Lossy {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Lossy::Refused(text.to_string().into_boxed_str())
    }
}

/// What a value looks like from outside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Null,
    Other,
}

type Seen = Result<Look, Lossy>;

#[derive(Clone, Copy)]
struct Check<const RULES: u8> {
    depth: u32,
}

impl<const RULES: u8> Check<RULES> {
    #[inline]
    fn below<T: Serialize + ?Sized>(self, value: &T) -> Seen {
        if self.depth == MAX_DEPTH {
            return Err(Lossy::TooDeep);
        }
        value.serialize(Check::<RULES> { depth: self.depth + 1 })
    }
}

macro_rules! plain {
    ($($method:ident($($type:ty),*);)*) => {$(
        #[inline]
        fn $method(self, $(_: $type),*) -> Seen {
            Ok(Look::Other)
        }
    )*};
}

macro_rules! holder {
    ($($method:ident($($type:ty),*);)*) => {$(
        #[inline]
        fn $method(self, $(_: $type),*) -> Result<Self, Lossy> {
            Ok(self)
        }
    )*};
}

impl<const RULES: u8> Serializer for Check<RULES> {
    type Ok = Look;
    type Error = Lossy;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    /// JSON is the one readable format, and the one with that rule.
    fn is_human_readable(&self) -> bool {
        RULES & NO_ODD_FLOAT != 0
    }

    plain! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    holder! {
        serialize_seq(Option<usize>);
        serialize_tuple(usize);
        serialize_tuple_struct(&'static str, usize);
        serialize_tuple_variant(&'static str, u32, &'static str, usize);
        serialize_map(Option<usize>);
        serialize_struct(&'static str, usize);
        serialize_struct_variant(&'static str, u32, &'static str, usize);
    }

    #[inline]
    fn serialize_f32(self, v: f32) -> Seen {
        self.serialize_f64(f64::from(v))
    }

    #[inline]
    fn serialize_f64(self, v: f64) -> Seen {
        if RULES & NO_ODD_FLOAT != 0 && !v.is_finite() {
            return Err(Lossy::OddFloat);
        }
        Ok(Look::Other)
    }

    #[inline]
    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Seen {
        Ok(Look::Other)
    }

    #[inline]
    fn serialize_none(self) -> Seen {
        Ok(Look::Null)
    }

    #[inline]
    fn serialize_unit(self) -> Seen {
        Ok(Look::Null)
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Seen {
        Ok(Look::Null)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Seen {
        match self.below(value)? {
            Look::Null if RULES & NO_SOME_OF_NULL != 0 => Err(Lossy::SomeOfNull),
            look => Ok(look),
        }
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Seen {
        self.below(value)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Seen {
        self.below(value)?;
        Ok(Look::Other)
    }
}

macro_rules! holds {
    ($($trait:ident::$method:ident;)*) => {$(
        impl<const RULES: u8> ser::$trait for Check<RULES> {
            type Ok = Look;
            type Error = Lossy;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Lossy> {
                self.below(value).map(drop)
            }

            #[inline]
            fn end(self) -> Seen {
                Ok(Look::Other)
            }
        }
    )*};
}

holds! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

macro_rules! holds_named {
    ($($trait:ident;)*) => {$(
        impl<const RULES: u8> ser::$trait for Check<RULES> {
            type Ok = Look;
            type Error = Lossy;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Lossy> {
                self.below(value).map(drop)
            }

            #[inline]
            fn skip_field(&mut self, name: &'static str) -> Result<(), Lossy> {
                if RULES & NO_SKIPPED_FIELD == 0 { Ok(()) } else { Err(Lossy::SkippedField(name)) }
            }

            #[inline]
            fn end(self) -> Seen {
                Ok(Look::Other)
            }
        }
    )*};
}

holds_named! {
    SerializeStruct;
    SerializeStructVariant;
}

impl<const RULES: u8> ser::SerializeMap for Check<RULES> {
    type Ok = Look;
    type Error = Lossy;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Lossy> {
        self.below(key).map(drop)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Lossy> {
        self.below(value).map(drop)
    }

    #[inline]
    fn end(self) -> Seen {
        Ok(Look::Other)
    }
}
