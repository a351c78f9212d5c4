//! `tags = […]`: a call's door with the tags that follow from its arguments.

use super::door::{Door, MakeDoor, Shared, forward_to_door};
use super::each::{Doors, ValueToStore};
use super::evictions::Evictions;
use super::function::Function;
use super::io::Io;
use super::note::{Facts, Notes};
use crate::Error;
use crate::local::Gone;
use crate::tags::Tags;
use std::time::Duration;

/// A door that has tags, and what makes one: then `T` is a closure that asks the attribute's expressions. They are asked
/// where a load begins, while the arguments are there, and not at a hit.
pub struct Tagged<T, D> {
    tags: T,
    door: D,
}

impl<T: Fn(Tags) -> Tags, D> Tagged<T, D> {
    /// The same door, with tags.
    pub const fn new(tags: T, door: D) -> Self {
        Tagged { tags, door }
    }
}

impl<T: Fn(Tags) -> Tags, D> Tagged<T, D> {
    fn tags(&self) -> Tags {
        (self.tags)(Tags::default())
    }
}

impl<T: Fn(Tags) -> Tags, P, V, M: MakeDoor<P, V>> MakeDoor<P, V> for Tagged<T, M> {
    type Door = Tagged<Tags, M::Door>;

    const NOTES: bool = M::NOTES;

    fn make(&self, function: &'static Function, parts: P) -> Self::Door {
        Tagged { tags: self.tags(), door: self.door.make(function, parts) }
    }

    fn note(&self, fact: impl FnOnce(&mut Facts)) {
        self.door.note(fact);
    }
}

impl<T: Fn(Tags) -> Tags, D: Notes> Notes for Tagged<T, D> {
    fn note(&self, fact: impl FnOnce(&mut Facts)) {
        self.door.note(fact);
    }

    fn tags(&self) -> Tags {
        Tagged::tags(self)
    }
}

impl<V, D: Door<V>> Door<V> for Tagged<Tags, D> {
    const SHARED: bool = D::SHARED;

    forward_to_door!(V);

    fn add_tags(&self, tags: &mut Tags) {
        tags.extend(&self.tags);
        self.door.add_tags(tags);
    }

    fn note(&self, fact: impl FnOnce(&mut Facts)) {
        self.door.note(fact);
    }

    fn hook<K: Clone + 'static>(&self) -> Option<Evictions<K, V>>
    where
        V: Clone + 'static,
    {
        self.door.hook()
    }

    fn gone<K: Clone + Send + 'static>(&self, gone: Gone<'_, K, V>)
    where
        V: Clone + Send + 'static,
    {
        self.door.gone(gone);
    }
}

impl<V: Sync, D: Doors<V>> Doors<V> for Tagged<Tags, D> {
    async fn fetch_many<I: Io>(doors: &[&Self], function: &'static Function) -> Result<Vec<Option<Shared<V>>>, Error> {
        D::fetch_many::<I>(&inner(doors), function).await
    }

    async fn store_many<I: Io>(
        values: &[ValueToStore<'_, Self, V>],
        cost: Duration,
        took: Duration,
    ) -> (Vec<bool>, Result<(), Error>) {
        let values = values.iter().map(|one| ValueToStore {
            door: &one.door.door,
            value: one.value,
            timeout: one.timeout,
            lineage: one.lineage,
        });
        D::store_many::<I>(&values.collect::<Vec<_>>(), cost, took).await
    }

    async fn invalidate_many<I: Io>(doors: &[&Self]) -> Result<bool, Error> {
        D::invalidate_many::<I>(&inner(doors)).await
    }
}

fn inner<'a, D>(doors: &[&'a Tagged<Tags, D>]) -> Vec<&'a D> {
    doors.iter().map(|door| &door.door).collect()
}
