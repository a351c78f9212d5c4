//! Making and freeing what is stored, by its types.
#![allow(unsafe_code)]

use super::node::{Body, EXTENDED, Extension, Extra, Head, MARKED, Node, Payload, TAGGED, TIMED, Times};
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
    match (alone, marks) {
        (None, None) if extra.has_more() => placed(extension(extra, Checked::new(None), None), head(EXTENDED), body),
        (None, None) if extra.has_times() => placed(times(extra, Checked::new(None)), head(TIMED), body),
        (None, None) => placed((), head(0), body),
        (Some(checked), _) if extra.has_more() => {
            placed(extension(extra, checked, None), head(EXTENDED | MARKED), body)
        }
        (Some(checked), _) if extra.has_times() => placed(times(extra, checked), head(TIMED | MARKED), body),
        (Some(checked), _) => placed(checked, head(MARKED), body),
        (None, Some(marks)) => {
            let flags = if marks.tags().is_empty() { EXTENDED } else { TAGGED };
            placed(extension(extra, Checked::new(Some(&marks)), Some(marks)), head(flags), body)
        }
    }
}

fn extension(extra: Extra, checked: Checked, marks: Option<Arc<Marks>>) -> Extension {
    Extension { weight: extra.weight, worth: AtomicU64::new(0), marks, times: times(extra, checked) }
}

fn times(extra: Extra, checked: Checked) -> Times {
    Times { created: extra.created, deadline: extra.deadline, checked }
}

/// Room for such a body with a `P` right before it, and how far from its start the body is.
fn layout<P>(body: Layout) -> (Layout, usize) {
    let align = align_of::<P>().max(body.align());
    let to_body = size_of::<P>().next_multiple_of(align);
    let layout = Layout::from_size_align(to_body + body.size(), align);
    (layout.expect("no entry is so large"), to_body)
}

/// The slots that memory like this is in. Unit tests have each node in memory of its own, so that the tools which watch
/// memory see who uses it after it was freed.
fn slots_of(layout: Layout) -> Option<slots::Class> {
    if cfg!(test) { None } else { slots::Class::of(layout) }
}

/// A node with room for such a body, with a `P` right before it.
fn placed<P>(prefix: P, head: Head, body: Layout) -> Node {
    let (layout, to_body) = layout::<P>(body);
    let start = if let Some(class) = slots_of(layout) {
        slots::take(class)
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
            // A tagged one is extended, too.
            head if head.has(EXTENDED) => free_with::<Extension>(node, body),
            head if head.has(TIMED) => free_with::<Times>(node, body),
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
    if let Some(class) = slots_of(layout) {
        // SAFETY: it is a slot of this class, and what was in it is dropped.
        unsafe { slots::give(class, start) }
    } else if !IS_MODEL {
        // In a model it stays, so that the model sees who reads it.
        // SAFETY: it was allocated with this layout, and what was in it is dropped.
        unsafe { dealloc(start.as_ptr(), layout) }
    }
}

#[cfg(all(test, not(any(shuttle, loom))))]
mod tests {
    use super::super::is_fresh;
    use super::*;
    use crate::clock::{self, Tick};
    use crate::invalidations::{latest, record};
    use crate::tags::Tags;
    use std::time::Duration;

    const NUMBERS: Layout = Layout::new::<Body<u64, u64>>();

    fn slots_with<P>() -> Option<slots::Class> {
        slots::Class::of(layout::<P>(NUMBERS).0)
    }

    #[test]
    fn an_entry_of_numbers_is_half_a_cache_line_and_one_that_expires_is_a_whole_one() {
        assert_eq!(layout::<()>(NUMBERS), (Layout::new::<[u64; 4]>(), 0));
        assert_eq!(layout::<Times>(NUMBERS), (Layout::new::<[u64; 7]>(), 24));
        assert_eq!(slots_with::<()>(), slots::Class::of(Layout::new::<[u64; 4]>()));
        assert_eq!(slots_with::<Times>(), slots::Class::of(Layout::new::<[u64; 8]>()));
        assert!(slots_with::<()>().is_some() && slots_with::<Times>().is_some() && slots_with::<Extension>().is_none());
    }

    /// Kinds of what entries go with. Only those in front of a cache have a key that needs no marks.
    const KINDS: &[usize] = if cfg!(feature = "shared") { &[0, 1, 2, 3] } else { &[0, 2, 3] };

    fn key(at: usize) -> Name {
        #[cfg(feature = "shared")]
        return Name::key(&format!("owned:{at}"));
        #[cfg(not(feature = "shared"))]
        Name::tag(&format!("owned:{at}"))
    }

    fn marks_of(kind: usize, at: usize) -> Option<Arc<Marks>> {
        let name = |part: &str| Name::tag(&format!("owned:{part}"));
        let key = key(at);
        let tags = if kind == 3 { ["owned"].into_iter().collect() } else { Tags::default() };
        match kind {
            0 => None,
            // Of one engine, whose names the first one says.
            1 => Marks::new(latest(), Some([key, name("function"), name("one")]), tags),
            2 => Marks::new(latest(), Some([key, name("function"), name("other")]), tags),
            _ => Marks::new(latest(), Some([key, name("function"), name("tagged")]), tags),
        }
    }

    #[test]
    fn nodes_of_each_kind_say_what_was_put_in_and_drop_it() {
        // Fine enough that quarters of a second don't tell it.
        let created = Tick::from_nanos(7_000_000_001);
        let later = clock::now().after(Duration::from_secs(3600));
        let others = OnceLock::new();
        others.get_or_init(|| [Name::tag("owned:function"), Name::tag("owned:one")]);
        let value = Arc::new(());
        let mut at = 0;
        for deadline in [Tick::NEVER, later, created] {
            for (weight, class) in [(1, None), (9, None), (1, Some(2)), (9, Some(2))] {
                for &kind in KINDS {
                    at += 1;
                    let what = format!("deadline {deadline:?}, weight {weight}, class {class:?}, marks {kind}");
                    let extra = Extra { created, deadline, weight, class };
                    let marks = marks_of(kind, at);
                    let owned = Owned::new(7, (at, Arc::clone(&value)), extra, marks.clone(), &others);
                    let node = owned.node();
                    assert_eq!((node.deadline(), node.weight(), node.head().hash), (deadline, weight, 7), "{what}");
                    let is_exact = deadline != Tick::NEVER || weight != 1 || class.is_some() || kind > 1;
                    let told = if is_exact { created } else { Tick::from_nanos(7_000_000_000) };
                    assert_eq!(node.created(), told, "{what}");
                    node.set_worth(5);
                    let has_worth = weight != 1 || class.is_some() || kind > 1;
                    assert_eq!(node.worth(), if has_worth { 5 } else { 0 }, "{what}");
                    assert_eq!(node.tagged().is_some(), kind == 3, "{what}");
                    // SAFETY: it was made so, and its owner is there.
                    assert_eq!(unsafe { node.payload::<usize, Arc<()>>() }.key, at, "{what}");
                    let is_held = usize::from(marks.is_some() && kind > 1);
                    assert_eq!(marks.as_ref().map_or(0, Arc::strong_count), usize::from(kind > 0) + is_held, "{what}");

                    assert!(node.is_valid(&others), "{what}");
                    assert!(!(node.is_simply_fresh() && (is_exact || !is_fresh(deadline))), "{what}");
                    assert!(!node.is_fresh_by_its_times() || is_fresh(deadline), "an expired one is served: {what}");
                    record([key(at)]);
                    let is_void = kind > 0;
                    assert_eq!(node.is_valid(&others), !is_void, "{what}");
                    assert!(!(is_void && (node.is_simply_fresh() || node.is_fresh_by_its_times())), "{what}");

                    assert_eq!(Arc::strong_count(&value), 2, "{what}");
                    drop(owned);
                    assert_eq!(Arc::strong_count(&value), 1, "{what}");
                    assert_eq!(marks.as_ref().map_or(0, Arc::strong_count), usize::from(kind > 0), "{what}");
                }
            }
        }
    }

    #[test]
    fn an_entry_that_expires_is_served_without_a_closer_look_until_then() {
        let others = OnceLock::new();
        let node = |deadline| {
            let extra = Extra { created: clock::now(), deadline, weight: 1, class: None };
            Owned::new(1, (1, 1), extra, None, &others)
        };
        assert!(node(clock::now().after(Duration::from_secs(3600))).node().is_fresh_by_its_times());
        assert!(!node(clock::now()).node().is_fresh_by_its_times());
        // For ever: it has no times at all.
        assert!(node(Tick::NEVER).node().is_simply_fresh());
    }
}
