//! Threads that wait, as the system tells.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(3);
/// So many looks in a row must see the same.
const LOOKS: u32 = 3;
/// No test waits for so many.
const HANGS: u32 = 20_000;

/// Waits until so many threads of this name wait. Who sleeps for a moment only, for memory say, goes on between two looks and
/// is seen to have. Where the system does not tell, they are given time to.
pub(crate) fn all_wait(name: &str, count: usize) {
    let (mut seen, mut same) = (Vec::new(), 0);
    for _ in 0..HANGS {
        let Some(asleep) = asleep(name) else { return thread::sleep(100 * PAUSE) };
        same = if asleep.len() >= count && asleep == seen { same + 1 } else { 0 };
        if same == LOOKS {
            return;
        }
        seen = asleep;
        thread::sleep(PAUSE);
    }
    panic!("{count} threads \"{name}\" do not wait");
}

/// The threads of this name that sleep: their numbers, and how often they have begun to.
fn asleep(name: &str) -> Option<Vec<(String, String)>> {
    let of = |task: &Path| {
        let read = |file: &str| fs::read_to_string(task.join(file)).unwrap_or_default();
        let status = read("status");
        let line = |start: &str| status.lines().find_map(|line| line.strip_prefix(start)).unwrap_or_default().trim();
        let sleeps = read("comm").trim() == name && line("State:").starts_with('S');
        sleeps.then(|| (line("Pid:").to_owned(), line("voluntary_ctxt_switches:").to_owned()))
    };
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    let mut asleep: Vec<_> = tasks.filter_map(|task| of(&task.ok()?.path())).collect();
    asleep.sort();
    Some(asleep)
}
