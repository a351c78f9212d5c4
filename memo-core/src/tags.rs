//! Tags: names that entries share, so that they can be invalidated together.

use crate::Error;
use crate::invalidations::{self, Name};
use crate::memo::context;
#[cfg(feature = "shared")]
use crate::memo::{Blocking, Io, Tasks, ready};
use std::sync::Arc;

/// The tags of one entry, or of a load so far.
#[derive(Clone, Debug, Default)]
pub struct Tags {
    list: Vec<Arc<str>>,
    /// So many of them are in order, without repetitions.
    settled: usize,
}

impl Tags {
    /// Adds a tag. A load may add the same ones very often, from a loop over calls: what is there twice goes before more
    /// memory is taken.
    pub(crate) fn add(&mut self, tag: Arc<str>) {
        if self.list.len() >= 16 && self.list.len() >= 2 * self.settled {
            self.settle();
        }
        self.list.push(tag);
    }

    /// Adds those of another list.
    pub(crate) fn extend(&mut self, others: &Tags) {
        others.list.iter().for_each(|tag| self.add(Arc::clone(tag)));
    }

    /// Puts them in order, each once.
    pub(crate) fn settle(&mut self) {
        if self.settled < self.list.len() {
            self.list.sort_unstable();
            self.list.dedup();
            self.settled = self.list.len();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(AsRef::as_ref)
    }

    /// A tag of the attribute.
    #[doc(hidden)]
    #[must_use]
    pub fn with(mut self, tag: impl AsRef<str>) -> Self {
        self.add(tag.as_ref().into());
        self
    }
}

impl<'a> FromIterator<&'a str> for Tags {
    fn from_iter<T: IntoIterator<Item = &'a str>>(tags: T) -> Self {
        let mut list = Tags::default();
        tags.into_iter().for_each(|tag| list.add(tag.into()));
        list
    }
}

/// Tags what the cached function whose body is running is about to return. Once the tag is [invalidated](invalidate_tag),
/// that value is not served any more, nor are those of the cached functions that call this one from their bodies.
///
/// For tags that only the body knows; those that follow from the arguments are better given as `tags = […]`. Outside of a
/// body, and on a thread or a task that a body has started, there is nothing to tag, and it does nothing.
///
/// ```
/// # use memo_core as memokit;
/// fn load_article(id: u64) -> String {
///     let (text, author) = (format!("article {id}"), 7);
///     memokit::tag(format!("author:{author}"));
///     text
/// }
/// # load_article(1);
/// ```
pub fn tag(tag: impl AsRef<str>) {
    context::tag(|| tag.as_ref().into());
}

/// Invalidates everything that has this tag, of all functions, in this process and in every cache that a function of this
/// program uses.
///
/// From when this returns, no call in this process is answered with a value that has the tag and whose load began before.
/// Loads that are under way are returned to their callers and not kept; callers that come after this begin new ones. Other
/// processes hear of it over the bus of the caches they share, within milliseconds while they are connected.
///
/// In async code use [`invalidate_tag_async`], which does not block.
///
/// # Errors
/// Those of the caches, of which each is tried; none without a shared level. An invalidation that a cache did not take is
/// queued and applied as soon as it does; until then this process uses nothing of that tag from there.
///
/// ```
/// # use memo_core as memokit;
/// memokit::invalidate_tag("author:7")?;
/// # Ok::<(), memokit::Error>(())
/// ```
pub fn invalidate_tag(tag: impl AsRef<str>) -> Result<(), Error> {
    let tag = tag.as_ref();
    invalidations::record([Name::tag(tag)]);
    #[cfg(feature = "shared")]
    ready(everywhere::<Blocking>(tag))?;
    Ok(())
}

/// As [`invalidate_tag`], as a task.
///
/// Dropping the future before it is done leaves it open which caches have been told; this process uses nothing old all the
/// same until then, but may do so again where a cache was not told.
///
/// # Errors
/// As [`invalidate_tag`].
///
/// ```
/// # use memo_core as memokit;
/// # async fn example() -> Result<(), memokit::Error> {
/// memokit::invalidate_tag_async("author:7").await?;
/// # Ok(())
/// # }
/// ```
pub async fn invalidate_tag_async(tag: impl AsRef<str>) -> Result<(), Error> {
    let tag = tag.as_ref();
    invalidations::record([Name::tag(tag)]);
    #[cfg(feature = "shared")]
    everywhere::<Tasks>(tag).await?;
    Ok(())
}

/// Tells each cache.
#[cfg(feature = "shared")]
async fn everywhere<I: Io>(tag: &str) -> Result<(), Error> {
    let told = crate::shared::coherence::invalidate_tag::<I>(tag).await;
    // What began in between may have fetched what was void only from then on.
    invalidations::record([Name::tag(tag)]);
    told
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_tag_counts_once_and_many_take_no_more_memory_than_there_are() {
        let mut tags = Tags::default();
        (0..100_000).for_each(|n| tags.add(format!("tag {}", n % 10).into()));
        assert!(tags.list.capacity() < 100, "{}", tags.list.capacity());
        tags.settle();
        assert_eq!(tags.iter().count(), 10);
    }

    #[test]
    fn outside_of_a_body_there_is_nothing_to_tag() {
        tag("nobody's");
    }
}
