//! Memory for small entries: slots of half a cache line, so that none lies across two.
//!
//! Common allocators give an entry of a number for a number 48 bytes, of which a quarter lie across two lines: half as many
//! lines more for each hit to find in a processor's caches. Here slots are cut from blocks, which go back to the allocator
//! once all of their slots are free. Each thread has some slots at hand.
#![allow(unsafe_code)]

use parking_lot::Mutex;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::NonNull;

/// What fits into a slot, and how it is aligned.
const SLOT: usize = 32;
/// Slots in a block.
const SLOTS: usize = 512;
/// Slots that a thread has at hand, at the most: as many as are freed at once, so that who frees and stores by turns
/// needs no others.
const AT_HAND: usize = 256;
/// Slots that go between a thread and the blocks at once.
const AT_ONCE: usize = 64;

const BLOCK: Layout = match Layout::from_size_align(SLOT * SLOTS, 64) {
    Ok(layout) => layout,
    Err(_) => panic!("it is small"),
};

/// Whether memory like this is in a slot.
pub(super) const fn fits(layout: Layout) -> bool {
    layout.size() <= SLOT && layout.align() <= SLOT
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
    fn new() -> Self {
        // SAFETY: it is not empty.
        let Some(start) = NonNull::new(unsafe { alloc(BLOCK) }) else { handle_alloc_error(BLOCK) };
        Block { start: start.cast(), free: List::new(), used: 0 }
    }

    fn take(&mut self) -> Option<NonNull<Free>> {
        if let Some(slot) = self.free.pop() {
            return Some(slot);
        }
        if self.used == SLOTS {
            return None;
        }
        self.used += 1;
        // SAFETY: it is within the block.
        Some(unsafe { self.start.byte_add(SLOT * (self.used - 1)) })
    }

    fn is_free(&self) -> bool {
        self.free.len.get() == self.used
    }
}

/// All blocks there are.
struct Blocks {
    /// By their addresses.
    list: Vec<Block>,
    /// Before this one all slots are taken.
    first_free: usize,
}

// SAFETY: free slots are memory that nobody uses.
unsafe impl Send for Blocks {}

static BLOCKS: Mutex<Blocks> = Mutex::new(Blocks { list: Vec::new(), first_free: 0 });

impl Blocks {
    fn take(&mut self) -> NonNull<Free> {
        while let Some(block) = self.list.get_mut(self.first_free) {
            if let Some(slot) = block.take() {
                return slot;
            }
            self.first_free += 1;
        }
        let block = Block::new();
        self.first_free = self.list.partition_point(|other| other.start < block.start);
        self.list.insert(self.first_free, block);
        self.take()
    }

    /// # Safety
    /// The slot is of a block, and nobody uses it.
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
            unsafe { dealloc(block.start.cast().as_ptr(), BLOCK) };
        }
    }
}

/// Slots that this thread has at hand.
struct AtHand(List);

thread_local! {
    static AT_HAND_HERE: AtHand = const { AtHand(List::new()) };
}

impl AtHand {
    fn take(&self) -> NonNull<Free> {
        self.0.pop().unwrap_or_else(|| self.take_more())
    }

    #[cold]
    fn take_more(&self) -> NonNull<Free> {
        let mut blocks = BLOCKS.lock();
        for _ in 1..AT_ONCE {
            let slot = blocks.take();
            // SAFETY: it was just taken.
            unsafe { self.0.push(slot) };
        }
        blocks.take()
    }

    /// # Safety
    /// The slot is of a block, and nobody uses it.
    unsafe fn give(&self, slot: NonNull<Free>) {
        // SAFETY: as the caller says.
        unsafe { self.0.push(slot) };
        if self.0.len.get() > AT_HAND {
            self.give_back(AT_ONCE);
        }
    }

    /// Gives slots back, so many at the most.
    #[cold]
    fn give_back(&self, many: usize) {
        let mut blocks = BLOCKS.lock();
        for _ in 0..many {
            let Some(slot) = self.0.pop() else { break };
            // SAFETY: it was free.
            unsafe { blocks.give_back(slot) };
        }
    }
}

impl Drop for AtHand {
    fn drop(&mut self) {
        self.give_back(AT_HAND + 1);
    }
}

/// A slot, which nobody else has.
pub(super) fn take() -> NonNull<u8> {
    // A thread that is being torn down has none at hand.
    AT_HAND_HERE.try_with(AtHand::take).unwrap_or_else(|_| BLOCKS.lock().take()).cast()
}

/// Gives a slot back.
///
/// # Safety
/// It was [taken](take), and nobody uses it any more.
pub(super) unsafe fn give(slot: NonNull<u8>) {
    let slot = slot.cast();
    // SAFETY: as the caller says.
    if AT_HAND_HERE.try_with(|at_hand| unsafe { at_hand.give(slot) }).is_err() {
        // SAFETY: as the caller says.
        unsafe { BLOCKS.lock().give_back(slot) };
    }
}

/// Gives back what this thread has at hand, where much was freed.
pub(super) fn give_back() {
    let _ = AT_HAND_HERE.try_with(|at_hand| at_hand.give_back(AT_HAND + 1));
}

#[cfg(all(test, not(any(shuttle, loom))))]
mod tests {
    use super::*;
    use std::collections::HashSet;

    // The tests of this process run beside each other, but only these use slots, one at a time.
    static ONE: Mutex<()> = Mutex::new(());

    fn blocks() -> usize {
        BLOCKS.lock().list.len()
    }

    fn take_some(count: usize) -> Vec<NonNull<u8>> {
        let slots: Vec<_> = (0..count).map(|_| take()).collect();
        for (at, slot) in slots.iter().enumerate() {
            // SAFETY: it is 32 bytes, and this test's.
            unsafe { slot.cast::<[usize; 4]>().write([at; 4]) };
        }
        slots
    }

    fn give_all(slots: &[NonNull<u8>]) {
        // SAFETY: they were taken, and are used no more.
        slots.iter().for_each(|slot| unsafe { give(*slot) });
    }

    #[test]
    fn slots_are_apart_and_their_memory_comes_back() {
        let _one = ONE.lock();
        std::thread::scope(|scope| {
            let work = || {
                let slots = take_some(10 * SLOTS);
                assert!(slots.iter().all(|slot| slot.addr().get().is_multiple_of(SLOT)));
                assert_eq!(slots.iter().collect::<HashSet<_>>().len(), slots.len());
                // SAFETY: as they were written.
                let is_own = |(at, slot): (usize, &NonNull<u8>)| unsafe { slot.cast::<[usize; 4]>().read() } == [at; 4];
                assert!(slots.iter().enumerate().all(is_own));
                // Every second one first, so that each block has some of both.
                let (some, others): (Vec<_>, Vec<_>) = slots.iter().enumerate().partition(|(at, _)| at % 2 == 0);
                for part in [some, others] {
                    give_all(&part.into_iter().map(|(_, slot)| *slot).collect::<Vec<_>>());
                }
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            // A scope alone does not wait for what runs as a thread ends.
            for thread in threads {
                thread.join().expect("no panic");
            }
        });
        // What threads had at hand went back as they ended.
        assert_eq!(blocks(), 0);
    }

    #[test]
    fn another_thread_may_give_a_slot_back() {
        struct Sent(Vec<NonNull<u8>>);
        // SAFETY: a slot is of no thread.
        unsafe impl Send for Sent {}

        let _one = ONE.lock();
        let slots = Sent(take_some(3 * SLOTS));
        assert!(blocks() >= 3);
        let others = || {
            let slots = slots;
            give_all(&slots.0);
        };
        std::thread::scope(|scope| scope.spawn(others).join().expect("no panic"));
        give_back();
        assert_eq!(blocks(), 0);
    }
}
