//! Making and freeing what is stored, by its types.
#![allow(unsafe_code)]

use super::node::{Body, EXTENDED, Extension, Extra, Head, MARKED, Node, Payload, TAGGED};
use super::slots;
use crate::invalidations::{Checked, Marks, Name};
use crate::sync::IS_MODEL;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::any::Any;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

/// What can be done with nodes of some types by those who do not know them.
pub(super) struct Types {
    /// Frees a node. Safety: it is of these types, and nobody uses it any more.
    free: unsafe fn(Node),
    /// Whether two have one key. Safety: they are of these types.
    pub(super) have_one_key: unsafe fn(Node, Node) -> bool,
    /// Whether a node has this key. Safety: it is of these types.
    pub(super) has_key: unsafe fn(Node, &(dyn Any + Send + Sync)) -> bool,
}

impl Types {
    pub(super) const fn of<K: Eq + 'static, V>() -> &'static Self {
        const {
            &Types {
                free: free::<K, V>,
                // SAFETY: the caller says that they are of these types.
                have_one_key: |one, other| unsafe { one.payload::<K, V>().key == other.payload::<K, V>().key },
                // SAFETY: as above.
                has_key: |node, key| key.downcast_ref() == Some(unsafe { &node.payload::<K, V>().key }),
            }
        }
    }
}

/// A node that nobody else has. Dropping it frees it, with the code of the owner of key and value.
pub(crate) struct Owned {
    node: Node,
    types: &'static Types,
}

impl Owned {
    /// `others` are the names of the marked entries of its engine.
    pub(super) fn new<K, V>(
        hash: u32,
        (key, value): (K, V),
        extra: Extra,
        marks: Option<Arc<Marks>>,
        others: &OnceLock<[Name; 2]>,
    ) -> Self
    where
        K: Eq + Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        let payload = Payload { key, value };
        let body = |flags| Body { head: Head::new(hash, extra.created, extra.class, flags), payload };
        let alone = marks.as_deref().and_then(Checked::alone);
        let alone = alone.filter(|(_, names)| others.get_or_init(|| *names) == names).map(|(checked, _)| checked);
        let node = match (extra.says_something(), alone, marks) {
            (false, None, None) => placed((), body(0)),
            (false, Some(checked), _) => placed(checked, body(MARKED)),
            (true, Some(checked), _) => placed(extension(extra, checked, None), body(EXTENDED | MARKED)),
            (_, None, marks) => {
                let is_tagged = marks.as_ref().is_some_and(|marks| !marks.tags().is_empty());
                let flags = EXTENDED | if is_tagged { TAGGED } else { 0 };
                placed(extension(extra, Checked::new(marks.as_deref()), marks), body(flags))
            }
        };
        Owned { node, types: Types::of::<K, V>() }
    }

    /// A node that was [given away](Owned::give).
    ///
    /// # Safety
    /// It is of these types, nobody finds it any more, and nobody still has it.
    pub(super) unsafe fn taken(node: Node, types: &'static Types) -> Self {
        Owned { node, types }
    }

    pub(super) fn node(&self) -> Node {
        self.node
    }

    /// Gives the node to a table.
    pub(super) fn give(self) -> Node {
        let node = self.node;
        std::mem::forget(self);
        node
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it is of these types, and it is the only one.
        unsafe { (self.types.free)(self.node) }
    }
}

fn extension(extra: Extra, checked: Checked, marks: Option<Arc<Marks>>) -> Extension {
    let Extra { created, deadline, weight, .. } = extra;
    Extension { created, weight, worth: AtomicU64::new(0), marks, deadline, checked }
}

/// Room for a body with a `P` right before it, and how far from its start the body is.
const fn layout<P, B>() -> (Layout, usize) {
    const { assert!(size_of::<P>().is_multiple_of(align_of::<P>()) && align_of::<B>().is_power_of_two()) };
    let align = if align_of::<P>() > align_of::<B>() { align_of::<P>() } else { align_of::<B>() };
    let to_body = size_of::<P>().next_multiple_of(align);
    match Layout::from_size_align(to_body + size_of::<B>(), align) {
        Ok(layout) => (layout, to_body),
        Err(_) => panic!("no entry is so large"),
    }
}

/// Unit tests have each node in memory of its own, so that the tools which watch memory see who uses it after it was freed.
const fn is_in_slot(layout: Layout) -> bool {
    !cfg!(test) && slots::fits(layout)
}

/// A node, with a `P` right before it.
fn placed<P, K, V>(prefix: P, body: Body<K, V>) -> Node {
    let (layout, to_body) = const { layout::<P, Body<K, V>>() };
    let start = if is_in_slot(layout) {
        slots::take()
    } else {
        // SAFETY: a head is not empty.
        NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
    };
    // SAFETY: both are within what was allocated, as `layout` says, and aligned: the body is at a multiple of both
    // alignments, and the size of a `P` is one of its own.
    unsafe {
        let head = start.byte_add(to_body).cast::<Body<K, V>>();
        head.byte_sub(size_of::<P>()).cast::<P>().write(prefix);
        head.write(body);
        Node(head.cast())
    }
}

/// # Safety
/// The node was made by `Owned::new::<K, V>`, and nobody uses it any more.
unsafe fn free<K, V>(node: Node) {
    // SAFETY: as the caller says; what stands before a node is told by its flags.
    unsafe {
        match node.head() {
            head if head.has(EXTENDED) => free_with::<Extension, K, V>(node),
            head if head.has(MARKED) => free_with::<Checked, K, V>(node),
            _ => free_with::<(), K, V>(node),
        }
    }
}

/// # Safety
/// The node was made by `placed::<P, K, V>`, and nobody uses it any more.
unsafe fn free_with<P, K, V>(node: Node) {
    /// Gives the memory back, whatever the code of users does.
    struct Memory(NonNull<u8>, Layout);

    impl Drop for Memory {
        fn drop(&mut self) {
            if is_in_slot(self.1) {
                // SAFETY: it is a slot, and what was in it is dropped.
                unsafe { slots::give(self.0) }
            } else if !IS_MODEL {
                // In a model it stays, so that the model sees who reads it.
                // SAFETY: it was allocated with this layout, and what was in it is dropped.
                unsafe { dealloc(self.0.as_ptr(), self.1) }
            }
        }
    }

    let (layout, to_body) = const { layout::<P, Body<K, V>>() };
    // SAFETY: it is where `placed` put it, and nobody else has it.
    unsafe {
        let _memory = Memory(node.0.byte_sub(to_body).cast(), layout);
        let _prefix = node.0.byte_sub(size_of::<P>()).cast::<P>().read();
        node.0.cast::<Body<K, V>>().drop_in_place();
    }
}
