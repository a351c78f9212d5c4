//! Many operations on a cluster: those of one node in one request, also where nodes send them on.

use super::cluster::{Cluster, MOST_REDIRECTS, PAUSE};
use super::command::{Operation, together};
use super::deadline::Deadline;
use super::error::{Failure, Lost, server_error};
use super::io::{Io, all};
use super::node::{Node, Request};
use super::slots::Redirect;
use redis::Value;
use std::sync::Arc;

/// What goes to one node in one go.
struct Group {
    node: Arc<Node>,
    /// The node that has their slots sent them there, key by key.
    asking: bool,
    which: Vec<usize>,
}

/// Operations by their numbers, and what became of each so far.
struct Scattered<'a, T> {
    operations: &'a [Operation<'a, T>],
    results: Vec<Option<Result<T, Lost>>>,
    groups: Vec<Group>,
}

impl<T> Scattered<'_, T> {
    fn add(&mut self, node: Arc<Node>, asking: bool, which: usize) {
        let fits = |group: &&mut Group| group.asking == asking && Arc::ptr_eq(&group.node, &node);
        match self.groups.iter_mut().find(fits) {
            Some(group) => group.which.push(which),
            None => self.groups.push(Group { node, asking, which: vec![which] }),
        }
    }

    /// What is left of these if nothing comes after it.
    fn failed(&mut self, which: &[usize], lost: &Lost) {
        for each in which {
            self.results[*each] = Some(Err(lost.clone()));
        }
    }

    /// Sends a group; one reply for each, the server's refusals among them.
    async fn send<I: Io>(&self, io: &I, group: &Group, end: Deadline) -> Result<Vec<Value>, Lost> {
        let operations = group.which.iter().map(|each| &self.operations[*each]);
        let (commands, effect) = together(operations, group.asking).map_err(Failure::from)?;
        let replies = io.exchange(&group.node, Request { commands: &commands, effect, asking: false }, end).await?;
        Ok(if group.asking { replies.into_iter().skip(1).step_by(2).collect() } else { replies })
    }

    fn are_repeatable(&self, lost: &Lost, group: &Group) -> bool {
        group.which.iter().all(|each| lost.is_repeatable(self.operations[*each].effect))
    }
}

impl Cluster {
    /// Runs many operations of one request and one reply each, with one request to each node, and again to where they are
    /// sent on; what each gave, in order. What fails at a node fails for each that was on its way there.
    pub(super) async fn scatter<T, I: Io>(
        &self,
        io: &I,
        operations: &[Operation<'_, T>],
        end: Deadline,
    ) -> Vec<Result<T, Lost>> {
        let results = operations.iter().map(|_| None).collect();
        let mut all = Scattered { operations, results, groups: Vec::new() };
        self.group(io, &mut all, 0..operations.len(), end).await;
        for _ in 0..=MOST_REDIRECTS {
            if all.groups.is_empty() {
                break;
            }
            self.round(io, &mut all, end).await;
            if end.left().is_err() {
                break;
            }
        }
        all.results.into_iter().map(|result| result.unwrap_or_else(|| Err(Failure::Nonsense.into()))).collect()
    }

    /// Has these sent to the owners of their keys.
    async fn group<T, I: Io>(
        &self,
        io: &I,
        all: &mut Scattered<'_, T>,
        which: impl IntoIterator<Item = usize> + Send,
        end: Deadline,
    ) {
        for each in which {
            match self.find(io, all.operations[each].place, end).await {
                Ok(node) => all.add(node, false, each),
                Err(lost) => all.failed(&[each], &lost),
            }
        }
    }

    /// Sends all groups, and makes new ones of what is to be sent on.
    async fn round<T, I: Io>(&self, io: &I, scattered: &mut Scattered<'_, T>, end: Deadline) {
        let groups = std::mem::take(&mut scattered.groups);
        let replies = all(groups.iter().map(|group| scattered.send(io, group, end))).await;
        // Those that must be sent elsewhere, and whether it may also be to the same node again.
        let mut lost_at: Vec<(Arc<Node>, bool, Vec<usize>)> = Vec::new();
        for (group, replies) in groups.into_iter().zip(replies) {
            match replies {
                Ok(replies) => {
                    let refused = self.understand(scattered, &group, replies);
                    if !refused.is_empty() {
                        lost_at.push((group.node, true, refused));
                    }
                }
                Err(lost) => {
                    scattered.failed(&group.which, &lost);
                    if scattered.are_repeatable(&lost, &group) {
                        lost_at.push((group.node, false, group.which));
                    }
                }
            }
        }
        let Some((node, ..)) = lost_at.first() else { return };
        if self.refresh(io, Some(node), end).await.is_err() {
            return;
        }
        let mut pause = false;
        for (node, may_be_same, which) in lost_at {
            for each in which {
                let Ok(owner) = self.find(io, scattered.operations[each].place, end).await else { continue };
                let same = Arc::ptr_eq(&owner, &node);
                pause |= same && may_be_same;
                // It failed, and nobody has taken over yet.
                if !same || may_be_same {
                    scattered.add(owner, false, each);
                }
            }
        }
        if pause {
            io.pause(PAUSE).await;
        }
    }

    /// Takes the results of a group, and sends on what is told where to. Which of them the node can't serve.
    fn understand<T>(&self, all: &mut Scattered<'_, T>, group: &Group, replies: Vec<Value>) -> Vec<usize> {
        let node = &group.node;
        let mut refused = Vec::new();
        for (each, reply) in group.which.iter().copied().zip(replies) {
            let reply = [reply];
            let redirect = server_error(&reply).and_then(|error| Redirect::read(error, &node.endpoint));
            let result = all.operations[each].understand(reply.into());
            all.results[each] = Some(result.map_err(|failure| Lost::new(failure, true, node)));
            match redirect {
                None => {}
                Some(Redirect::Moved { slot, to }) => all.add(self.moved(slot, to), false, each),
                Some(Redirect::Ask { to }) => all.add(self.node(to), true, each),
                Some(Redirect::Elsewhere) => refused.push(each),
            }
        }
        refused
    }
}
