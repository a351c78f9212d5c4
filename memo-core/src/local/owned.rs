//! Making and freeing what is stored, by its types.
#![allow(unsafe_code)]

use super::node::{EXTENDED, Extended, Extra, Head, Hot, MARKED, Marked, Node, Payload, Plain, Rest, TAGGED};
use crate::invalidations::{Checked, Marks, Name};
use crate::sync::IS_MODEL;
use std::any::Any;
use std::mem::offset_of;
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
        let head = |flags| Head::new(hash, extra.created, extra.class, flags);
        let alone = marks.as_deref().and_then(Checked::alone);
        let alone = alone.filter(|(_, names)| others.get_or_init(|| *names) == names).map(|(checked, _)| checked);
        let node: NonNull<Head> = match (extra.says_something(), alone, marks) {
            (false, None, None) => NonNull::from(Box::leak(Box::new(Plain { head: head(0), payload }))).cast(),
            (false, Some(checked), _) => {
                NonNull::from(Box::leak(Box::new(Marked { head: head(MARKED), checked, payload }))).cast()
            }
            (true, Some(checked), _) => Self::extended(head(EXTENDED | MARKED), payload, extra, checked, None),
            (_, None, marks) => {
                let is_tagged = marks.as_ref().is_some_and(|marks| !marks.tags().is_empty());
                let head = head(EXTENDED | if is_tagged { TAGGED } else { 0 });
                Self::extended(head, payload, extra, Checked::new(marks.as_deref()), marks)
            }
        };
        Owned { node: Node(node), types: Types::of::<K, V>() }
    }

    fn extended<K, V>(
        head: Head,
        payload: Payload<K, V>,
        extra: Extra,
        checked: Checked,
        marks: Option<Arc<Marks>>,
    ) -> NonNull<Head> {
        let Extra { created, deadline, weight, .. } = extra;
        let hot = Hot { checked, deadline };
        let rest = Rest { created, weight, worth: AtomicU64::new(0), marks };
        let leaked = NonNull::from(Box::leak(Box::new(Extended { rest, head, hot, payload })));
        // SAFETY: it is within the allocation.
        unsafe { leaked.byte_add(offset_of!(Extended<K, V>, head)).cast() }
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

/// # Safety
/// The node was made by `Owned::new::<K, V>`, and nobody uses it any more.
unsafe fn free<K, V>(node: Node) {
    if IS_MODEL {
        // Its memory stays, so that a model sees who reads it. SAFETY: as below.
        return unsafe { std::ptr::drop_in_place(std::ptr::from_ref(node.payload::<K, V>()).cast_mut()) };
    }
    if node.head().has(EXTENDED) {
        // SAFETY: it was leaked from such a box, whose beginning is so far from its head.
        drop(unsafe {
            Box::from_raw(node.0.byte_sub(offset_of!(Extended<K, V>, head)).cast::<Extended<K, V>>().as_ptr())
        });
    } else if node.head().has(MARKED) {
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(node.0.cast::<Marked<K, V>>().as_ptr()) });
    } else {
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(node.0.cast::<Plain<K, V>>().as_ptr()) });
    }
}
