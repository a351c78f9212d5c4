//! Memory for small entries: slots of a cache line or of half a one, so that none lies across two.
//!
//! Common allocators give an entry of a number for a number 48 bytes, of which a quarter lie across two lines, and one that
//! expires 64, which nearly all do: so many lines more for each hit to find in a processor's caches. Here slots are cut from
//! blocks, which go back to the allocator once all of their slots are free. Each thread has some slots at hand.
#![allow(unsafe_code)]

use parking_lot::Mutex;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::NonNull;

/// Slots of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class(usize);

/// What fits into the slots of each class, and how they are aligned.
const SIZES: [usize; 2] = [32, 64];
/// What is smaller is in no slot of the class. Numbers in front of a cache are 40 bytes, which common allocators have 48
/// for, every second of them across two lines.
const LEAST: [usize; 2] = [0, 40];
/// Slots in a block.
const SLOTS: usize = 512;
/// Slots that a thread has at hand, at the most: as many as are freed at once, so that who frees and stores by turns
/// needs no others.
const AT_HAND: usize = 256;
/// Slots that go between a thread and the blocks at once.
const AT_ONCE: usize = 64;

impl Class {
    /// The slots for memory like this, if it is to be in one.
    pub(super) const fn of(layout: Layout) -> Option<Class> {
        let mut class = 0;
        while class < SIZES.len() {
            if LEAST[class] <= layout.size() && layout.size() <= SIZES[class] && layout.align() <= SIZES[class] {
                return Some(Class(class));
            }
            class += 1;
        }
        None
    }

    const fn size(self) -> usize {
        SIZES[self.0]
    }

    const fn block(self) -> Layout {
        match Layout::from_size_align(self.size() * SLOTS, 64) {
            Ok(layout) => layout,
            Err(_) => panic!("it is small"),
        }
    }

    fn blocks(self) -> &'static Mutex<Blocks> {
        &BLOCKS[self.0]
    }
}

/// A slot that is free, in its own memory.
struct Free {
    next: Option<NonNull<Free>>,
}

/// Free slots, the last one that came first.
struct List {
    first: Cell<Option<NonNull<Free>>>,
    len: Cell<usize>,
}

impl List {
    const fn new() -> Self {
        List { first: Cell::new(None), len: Cell::new(0) }
    }

    /// # Safety
    /// The slot is of a block, and nobody uses it.
    unsafe fn push(&self, slot: NonNull<Free>) {
        // SAFETY: as the caller says; a slot has room for it.
        unsafe { slot.write(Free { next: self.first.get() }) };
        self.first.set(Some(slot));
        self.len.set(self.len.get() + 1);
    }

    fn pop(&self) -> Option<NonNull<Free>> {
        let slot = self.first.get()?;
        // SAFETY: it is free, so this is in it.
        self.first.set(unsafe { slot.read() }.next);
        self.len.set(self.len.get() - 1);
        Some(slot)
    }
}

struct Block {
    start: NonNull<Free>,
    free: List,
    /// Those behind were never used.
    used: usize,
}

impl Block {
    fn new(class: Class) -> Self {
        let layout = class.block();
        // SAFETY: it is not empty.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        Block { start: start.cast(), free: List::new(), used: 0 }
    }

    fn take(&mut self, class: Class) -> Option<NonNull<Free>> {
        if let Some(slot) = self.free.pop() {
            return Some(slot);
        }
        if self.used == SLOTS {
            return None;
        }
        self.used += 1;
        // SAFETY: it is within the block.
        Some(unsafe { self.start.byte_add(class.size() * (self.used - 1)) })
    }

    fn is_free(&self) -> bool {
        self.free.len.get() == self.used
    }
}

/// All blocks of a class.
struct Blocks {
    class: Class,
    /// By their addresses.
    list: Vec<Block>,
    /// Before this one all slots are taken.
    first_free: usize,
}

// SAFETY: free slots are memory that nobody uses.
unsafe impl Send for Blocks {}

static BLOCKS: [Mutex<Blocks>; SIZES.len()] = [Mutex::new(Blocks::new(Class(0))), Mutex::new(Blocks::new(Class(1)))];

impl Blocks {
    const fn new(class: Class) -> Self {
        Blocks { class, list: Vec::new(), first_free: 0 }
    }

    fn take(&mut self) -> NonNull<Free> {
        while let Some(block) = self.list.get_mut(self.first_free) {
            if let Some(slot) = block.take(self.class) {
                return slot;
            }
            self.first_free += 1;
        }
        let block = Block::new(self.class);
        self.first_free = self.list.partition_point(|other| other.start < block.start);
        self.list.insert(self.first_free, block);
        self.take()
    }

    /// # Safety
    /// The slot is of one of these blocks, and nobody uses it.
    unsafe fn give_back(&mut self, slot: NonNull<Free>) {
        let at = self.list.partition_point(|block| block.start <= slot) - 1;
        // SAFETY: as the caller says.
        unsafe { self.list[at].free.push(slot) };
        self.first_free = self.first_free.min(at);
        if self.list[at].is_free() {
            let block = self.list.remove(at);
            if self.list.is_empty() {
                self.list = Vec::new();
            }
            // SAFETY: it was allocated so, and all of its slots are free.
            unsafe { dealloc(block.start.cast().as_ptr(), self.class.block()) };
        }
    }
}

/// Slots that this thread has at hand, by class.
struct AtHand([List; SIZES.len()]);

thread_local! {
    static AT_HAND_HERE: AtHand = const { AtHand([const { List::new() }; SIZES.len()]) };
}

impl AtHand {
    fn take(&self, class: Class) -> NonNull<Free> {
        self.0[class.0].pop().unwrap_or_else(|| self.take_more(class))
    }

    #[cold]
    fn take_more(&self, class: Class) -> NonNull<Free> {
        let mut blocks = class.blocks().lock();
        for _ in 1..AT_ONCE {
            let slot = blocks.take();
            // SAFETY: it was just taken.
            unsafe { self.0[class.0].push(slot) };
        }
        blocks.take()
    }

    /// # Safety
    /// The slot is of a block of this class, and nobody uses it.
    unsafe fn give(&self, class: Class, slot: NonNull<Free>) {
        // SAFETY: as the caller says.
        unsafe { self.0[class.0].push(slot) };
        if self.0[class.0].len.get() > AT_HAND {
            self.give_back(class, AT_ONCE);
        }
    }

    /// Gives slots back, so many at the most.
    #[cold]
    fn give_back(&self, class: Class, many: usize) {
        let mut blocks = class.blocks().lock();
        for _ in 0..many {
            let Some(slot) = self.0[class.0].pop() else { break };
            // SAFETY: it was free, and among those of this class.
            unsafe { blocks.give_back(slot) };
        }
    }

    fn give_all_back(&self) {
        for (class, list) in self.0.iter().enumerate() {
            if list.len.get() > 0 {
                self.give_back(Class(class), AT_HAND + 1);
            }
        }
    }
}

impl Drop for AtHand {
    fn drop(&mut self) {
        self.give_all_back();
    }
}

/// A slot, which nobody else has.
pub(super) fn take(class: Class) -> NonNull<u8> {
    // A thread that is being torn down has none at hand.
    AT_HAND_HERE.try_with(|at_hand| at_hand.take(class)).unwrap_or_else(|_| class.blocks().lock().take()).cast()
}

/// Gives a slot back.
///
/// # Safety
/// It was [taken](take) of this class, and nobody uses it any more.
pub(super) unsafe fn give(class: Class, slot: NonNull<u8>) {
    let slot = slot.cast();
    // SAFETY: as the caller says.
    if AT_HAND_HERE.try_with(|at_hand| unsafe { at_hand.give(class, slot) }).is_err() {
        // SAFETY: as the caller says.
        unsafe { class.blocks().lock().give_back(slot) };
    }
}

/// Gives back what this thread has at hand, where much was freed.
pub(super) fn give_back() {
    let _ = AT_HAND_HERE.try_with(AtHand::give_all_back);
}

#[cfg(all(test, not(any(shuttle, loom))))]
mod tests {
    use super::*;
    use std::collections::HashSet;

    // The tests of this process run beside each other, but only these use slots, one at a time.
    static ONE: Mutex<()> = Mutex::new(());

    const CLASSES: [Class; SIZES.len()] = [Class(0), Class(1)];

    fn blocks(class: Class) -> usize {
        class.blocks().lock().list.len()
    }

    fn take_some(class: Class, count: usize) -> Vec<NonNull<u8>> {
        let slots: Vec<_> = (0..count).map(|_| take(class)).collect();
        for (at, slot) in slots.iter().enumerate() {
            // SAFETY: it is this long, and this test's.
            unsafe { slot.cast::<usize>().write(at) };
            // SAFETY: as above.
            unsafe { slot.byte_add(class.size() - size_of::<usize>()).cast::<usize>().write(at) };
        }
        slots
    }

    fn give_all(class: Class, slots: &[NonNull<u8>]) {
        // SAFETY: they were taken, and are used no more.
        slots.iter().for_each(|slot| unsafe { give(class, *slot) });
    }

    #[test]
    fn memory_gets_a_slot_that_wastes_little() {
        let of = |size, align| Class::of(Layout::from_size_align(size, align).expect("it is small"));
        for (size, align, expected) in [
            (16, 8, Some(Class(0))),
            (32, 32, Some(Class(0))),
            (39, 1, None),
            (40, 8, Some(Class(1))),
            (48, 8, Some(Class(1))),
            (64, 64, Some(Class(1))),
            (72, 8, None),
            (64, 128, None),
        ] {
            assert_eq!(of(size, align), expected, "{size} bytes, aligned to {align}");
        }
    }

    #[test]
    fn slots_are_apart_and_their_memory_comes_back() {
        let _one = ONE.lock();
        for class in CLASSES {
            std::thread::scope(|scope| {
                let work = move || {
                    let slots = take_some(class, 10 * SLOTS);
                    assert!(slots.iter().all(|slot| slot.addr().get().is_multiple_of(class.size())));
                    assert_eq!(slots.iter().collect::<HashSet<_>>().len(), slots.len());
                    let is_own = |(at, slot): (usize, &NonNull<u8>)| {
                        let last = class.size() - size_of::<usize>();
                        // SAFETY: as they were written.
                        let read = |from: usize| unsafe { slot.byte_add(from).cast::<usize>().read() };
                        read(0) == at && read(last) == at
                    };
                    assert!(slots.iter().enumerate().all(is_own));
                    // Every second one first, so that each block has some of both.
                    let (some, others): (Vec<_>, Vec<_>) = slots.iter().enumerate().partition(|(at, _)| at % 2 == 0);
                    for part in [some, others] {
                        give_all(class, &part.into_iter().map(|(_, slot)| *slot).collect::<Vec<_>>());
                    }
                };
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
                // A scope alone does not wait for what runs as a thread ends.
                for thread in threads {
                    thread.join().expect("no panic");
                }
            });
            // What threads had at hand went back as they ended.
            assert_eq!(blocks(class), 0);
        }
    }

    #[test]
    fn another_thread_may_give_a_slot_back() {
        struct Sent(Vec<NonNull<u8>>);
        // SAFETY: a slot is of no thread.
        unsafe impl Send for Sent {}

        let _one = ONE.lock();
        for class in CLASSES {
            let slots = Sent(take_some(class, 3 * SLOTS));
            assert!(blocks(class) >= 3);
            let others = || {
                let slots = slots;
                give_all(class, &slots.0);
            };
            std::thread::scope(|scope| scope.spawn(others).join().expect("no panic"));
            give_back();
            assert_eq!(blocks(class), 0);
        }
    }
}
