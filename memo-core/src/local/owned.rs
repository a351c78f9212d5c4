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
        let node = headed(hash, extra, marks, others, Layout::new::<Body<K, V>>());
        // SAFETY: there is room for a payload of these types where a body has it, and nobody else has the node.
        unsafe { payload::<K, V>(node).write(Payload { key, value }) };
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

/// Where key and value of a node of these types are.
///
/// # Safety
/// The node was made for a body of these types, and its memory is not given back.
unsafe fn payload<K, V>(node: Node) -> NonNull<Payload<K, V>> {
    // SAFETY: the node points to a body, of which this is a part.
    unsafe { NonNull::new_unchecked(&raw mut (*node.0.cast::<Body<K, V>>().as_ptr()).payload) }
}

/// # Safety
/// The node was made by `Owned::new::<K, V>`, and nobody uses it any more.
unsafe fn free<K, V>(node: Node) {
    /// Gives the memory back, whatever the code of users does.
    struct Memory(Node, Layout);

    impl Drop for Memory {
        fn drop(&mut self) {
            // SAFETY: it is of this layout, and what was in its body is dropped.
            unsafe { free_memory(self.0, self.1) };
        }
    }

    let _memory = Memory(node, Layout::new::<Body<K, V>>());
    // SAFETY: as the caller says. A head needs no drop.
    unsafe { payload::<K, V>(node).drop_in_place() };
}

// What follows knows a body by its layout alone, so that it is not compiled again for each pair of key and value.

/// A node with room for a body of this layout, whose payload is yet to be written.
fn headed(hash: u32, extra: Extra, marks: Option<Arc<Marks>>, others: &OnceLock<[Name; 2]>, body: Layout) -> Node {
    let head = |flags| Head::new(hash, extra.created, extra.class, flags);
    let alone = marks.as_deref().and_then(Checked::alone);
    let alone = alone.filter(|(_, names)| others.get_or_init(|| *names) == names).map(|(checked, _)| checked);
    match (extra.says_something(), alone, marks) {
        (false, None, None) => placed((), head(0), body),
        (false, Some(checked), _) => placed(checked, head(MARKED), body),
        (true, Some(checked), _) => placed(extension(extra, checked, None), head(EXTENDED | MARKED), body),
        (_, None, marks) => {
            let is_tagged = marks.as_ref().is_some_and(|marks| !marks.tags().is_empty());
            let flags = EXTENDED | if is_tagged { TAGGED } else { 0 };
            placed(extension(extra, Checked::new(marks.as_deref()), marks), head(flags), body)
        }
    }
}

fn extension(extra: Extra, checked: Checked, marks: Option<Arc<Marks>>) -> Extension {
    let Extra { created, deadline, weight, .. } = extra;
    Extension { created, weight, worth: AtomicU64::new(0), marks, deadline, checked }
}

/// Room for such a body with a `P` right before it, and how far from its start the body is.
fn layout<P>(body: Layout) -> (Layout, usize) {
    let align = align_of::<P>().max(body.align());
    let to_body = size_of::<P>().next_multiple_of(align);
    let layout = Layout::from_size_align(to_body + body.size(), align);
    (layout.expect("no entry is so large"), to_body)
}

/// Unit tests have each node in memory of its own, so that the tools which watch memory see who uses it after it was freed.
fn is_in_slot(layout: Layout) -> bool {
    !cfg!(test) && slots::fits(layout)
}

/// A node with room for such a body, with a `P` right before it.
fn placed<P>(prefix: P, head: Head, body: Layout) -> Node {
    let (layout, to_body) = layout::<P>(body);
    let start = if is_in_slot(layout) {
        slots::take()
    } else {
        // SAFETY: a head is not empty.
        NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
    };
    // SAFETY: both are within what was allocated, as `layout` says, and aligned: the body, which begins with its head, is
    // at a multiple of both alignments, and the size of a `P` is one of its own.
    unsafe {
        let node = start.byte_add(to_body).cast::<Head>();
        node.byte_sub(size_of::<P>()).cast::<P>().write(prefix);
        node.write(head);
        Node(node)
    }
}

/// # Safety
/// The node was made by `headed` for such a body, and nobody uses it any more.
unsafe fn free_memory(node: Node, body: Layout) {
    // SAFETY: as the caller says; what stands before a node is told by its flags.
    unsafe {
        match node.head() {
            head if head.has(EXTENDED) => free_with::<Extension>(node, body),
            head if head.has(MARKED) => free_with::<Checked>(node, body),
            _ => free_with::<()>(node, body),
        }
    }
}

/// # Safety
/// The node was made by `placed::<P>` for such a body, and nobody uses it any more.
unsafe fn free_with<P>(node: Node, body: Layout) {
    let (layout, to_body) = layout::<P>(body);
    // SAFETY: it is where `placed` put it, and nobody else has it.
    let start = unsafe {
        drop(node.0.byte_sub(size_of::<P>()).cast::<P>().read());
        node.0.byte_sub(to_body).cast::<u8>()
    };
    if is_in_slot(layout) {
        // SAFETY: it is a slot, and what was in it is dropped.
        unsafe { slots::give(start) }
    } else if !IS_MODEL {
        // In a model it stays, so that the model sees who reads it.
        // SAFETY: it was allocated with this layout, and what was in it is dropped.
        unsafe { dealloc(start.as_ptr(), layout) }
    }
}
