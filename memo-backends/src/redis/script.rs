//! How a script is asked for: by its name, and with its text only where the server has forgotten it.

use super::command::{Commands, Effect, Nonsense, Operation, Place};
use super::deadline::Deadline;
use super::error::{Doing, Failure, Lost};
use super::io::Io;
use super::topology::Topology;
use redis::{Cmd, ServerErrorKind, Value};
use std::sync::LazyLock;

/// A script, and the name the server knows it by once it has run it.
pub(super) struct Script {
    pub(super) text: &'static str,
    pub(super) hash: LazyLock<String>,
}

/// A script with its name in code.
macro_rules! script {
    ($(#[$doc:meta])* $name:ident, $text:literal) => {
        $(#[$doc])*
        static $name: $crate::redis::script::Script = $crate::redis::script::Script {
            text: $text,
            hash: std::sync::LazyLock::new(|| redis::Script::new($text).get_hash().to_owned()),
        };
    };
}
pub(super) use script;

/// One run of a script.
pub(super) struct Run<'a, T> {
    script: &'static Script,
    /// EVALSHA, the script's name, the number of keys, the keys, the arguments.
    pub(super) by_name: Cmd,
    pub(super) doing: Doing<'a>,
    place: Place<'a>,
    effect: Effect,
    parse: fn(Vec<Value>) -> Result<T, Nonsense>,
}

impl<'a, T> Run<'a, T> {
    /// With room for so many bytes of arguments.
    pub(super) fn new(
        script: &'static Script,
        keys: &[&str],
        bytes: usize,
        (doing, place, effect): (Doing<'a>, Place<'a>, Effect),
        parse: fn(Vec<Value>) -> Result<T, Nonsense>,
    ) -> Self {
        let keys_bytes: usize = keys.iter().map(|key| key.len()).sum();
        let mut by_name = Cmd::with_capacity(keys.len() + 8, keys_bytes + bytes + 128);
        by_name.arg("EVALSHA").arg(&*script.hash).arg(keys.len()).arg(keys);
        Run { script, by_name, doing, place, effect, parse }
    }

    fn operation(&self, command: Cmd) -> Operation<'a, T> {
        let Run { doing, place, effect, parse, .. } = *self;
        Operation { doing, place, commands: Commands::One(command), effect, parse }
    }

    /// With the text of the script: for several that go out together, where it would be late to learn that the server
    /// does not know it.
    pub(super) fn in_full(&self) -> Operation<'a, T> {
        let mut command = redis::cmd("EVAL");
        command.arg(self.script.text);
        for argument in self.by_name.args_iter().skip(2) {
            if let redis::Arg::Simple(bytes) = argument {
                command.arg(bytes);
            }
        }
        self.operation(command)
    }

    /// By the name of the script, and only where the server has forgotten it with its text.
    pub(super) async fn on<I: Io>(self, topology: &Topology, io: &I) -> Result<T, memo_core::Error> {
        let doing = self.doing;
        let result = self.attempt(topology, io, topology.end()).await;
        result.map_err(|lost| lost.into_error(&doing, &topology.address))
    }

    /// As [`on`](Run::on), for who can do something about a failure.
    pub(super) async fn attempt<I: Io>(mut self, topology: &Topology, io: &I, end: Deadline) -> Result<T, Lost> {
        let by_name = std::mem::take(&mut self.by_name);
        let by_name = self.operation(by_name);
        match topology.attempt(io, &by_name, end).await {
            Err(lost) if is_unknown(&lost) => {
                if let Commands::One(command) = by_name.commands {
                    self.by_name = command;
                }
                topology.attempt(io, &self.in_full(), end).await
            }
            result => result,
        }
    }
}

/// Runs of scripts that may be repeated, each by itself, in one request to each node. By name at first, as in [`Run::on`].
pub(super) async fn attempt_each<T, I: Io>(
    mut runs: Vec<Run<'_, T>>,
    topology: &Topology,
    io: &I,
    end: Deadline,
) -> Vec<Result<T, Lost>> {
    let names: Vec<Cmd> = runs.iter_mut().map(|run| std::mem::take(&mut run.by_name)).collect();
    let by_name: Vec<_> = runs.iter().zip(names).map(|(run, name)| run.operation(name)).collect();
    let mut results = topology.attempt_all(io, &by_name, end).await;
    if let Some(first) = results.iter().position(|result| result.as_ref().is_err_and(is_unknown)) {
        for (run, operation) in runs.iter_mut().zip(by_name) {
            if let Commands::One(command) = operation.commands {
                run.by_name = command;
            }
        }
        // With those behind it that ran, since the server has learned the script meanwhile: one key's keep their order.
        let again = |at: &usize| results[*at].as_ref().err().is_none_or(is_unknown);
        let again: Vec<usize> = (first..runs.len()).filter(again).collect();
        let in_full: Vec<_> = again.iter().map(|at| runs[*at].in_full()).collect();
        for (at, result) in again.into_iter().zip(topology.attempt_all(io, &in_full, end).await) {
            results[at] = result;
        }
    }
    results
}

/// The server does not know the script, and has done nothing.
fn is_unknown(lost: &Lost) -> bool {
    matches!(&lost.failure, Failure::Reported(error)
        if error.kind() == redis::ErrorKind::Server(ServerErrorKind::NoScript))
}
