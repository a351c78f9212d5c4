//! What holds other values: those with an order one after the other, those without by sorted digests.

use super::canonical::{Done, Encoder, Failure};
use super::sink::Sink;
use serde::ser::{self, Serialize};

/// What holds values one after the other and ends in a zero byte.
macro_rules! in_order {
    ($trait:ident :: $method:ident ($($name:ident)?) by $by:ident) => {
        impl ser::$trait for &mut Encoder {
            type Ok = ();
            type Error = Failure;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> Done {
                Encoder::$by(self, $($name,)? value)
            }

            #[inline]
            fn end(self) -> Done {
                self.close();
                Ok(())
            }
        }
    };
}

in_order!(SerializeTuple::serialize_element() by value);
in_order!(SerializeTupleStruct::serialize_field() by value);
in_order!(SerializeTupleVariant::serialize_field() by value);
in_order!(SerializeStruct::serialize_field(name) by field);
in_order!(SerializeStructVariant::serialize_field(name) by field);

/// The entries of a map or a set: each has a digest of its own, and the sorted digests are what is written.
pub(super) struct Unordered<'a> {
    parent: &'a mut Encoder,
    tag: u8,
    /// On the heap, so that nested maps cost the stack no more than nested structs.
    entry: Box<Encoder>,
    digests: Vec<[u8; 32]>,
}

impl<'a> Unordered<'a> {
    pub(super) fn new(parent: &'a mut Encoder, tag: u8) -> Self {
        let mut entry = Box::new(Encoder::new(Sink::new()));
        entry.depth = parent.depth;
        Unordered { parent, tag, entry, digests: Vec::new() }
    }

    fn close_entry(&mut self) {
        self.digests.push(self.entry.sink.take());
    }

    fn close(mut self) {
        if !self.entry.sink.is_empty() {
            self.close_entry();
        }
        self.digests.sort_unstable();
        self.parent.sink.tagged(self.tag, (self.digests.len() as u64).to_le_bytes());
        self.digests.iter().for_each(|digest| self.parent.sink.write(digest));
    }
}

/// What serializes as a sequence.
pub(super) enum Sequence<'a> {
    Ordered(&'a mut Encoder),
    Set(Unordered<'a>),
}

impl ser::SerializeSeq for Sequence<'_> {
    type Ok = ();
    type Error = Failure;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        match self {
            Sequence::Ordered(encoder) => encoder.value(value),
            Sequence::Set(set) => {
                set.entry.value(value)?;
                set.close_entry();
                Ok(())
            }
        }
    }

    #[inline]
    fn end(self) -> Done {
        match self {
            Sequence::Ordered(encoder) => encoder.close(),
            Sequence::Set(set) => set.close(),
        }
        Ok(())
    }
}

/// What serializes as a map.
pub(super) enum Map<'a> {
    Ordered(&'a mut Encoder),
    Unordered(Unordered<'a>),
}

impl ser::SerializeMap for Map<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        match self {
            Map::Ordered(encoder) => encoder.value(key),
            Map::Unordered(map) => map.entry.value(key),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        match self {
            Map::Ordered(encoder) => encoder.value(value),
            Map::Unordered(map) => {
                map.entry.value(value)?;
                map.close_entry();
                Ok(())
            }
        }
    }

    fn end(self) -> Done {
        match self {
            Map::Ordered(encoder) => encoder.close(),
            Map::Unordered(map) => map.close(),
        }
        Ok(())
    }
}
