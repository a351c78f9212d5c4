//! The benches, and the drawings of what they found.

use crate::servers;
use crate::steps::Steps;

/// In the order in which they run. The last needs the server.
const BENCHES: [&str; 9] =
    ["hit_path", "contention", "eviction", "hit_ratio", "load_time_saved", "footprint", "copies", "sealed", "shared"];

const READING: &str = "\
How to read this:
  Each table of times is one run in which the contenders took turns in slices of 12 ms, so that whatever else the machine did
  hit all of them. `ns` is the median time of one call on one thread; a column `to x` is the median, over the rounds,
  of the contender's time by that of x in the same round. Compare ratios, not nanoseconds of two runs.
  A line `bar:` says whether the bar of that table holds. Above the tables of the hit path are criterion's own figures,
  kept in target/criterion. benches/README.md says what each contender does, and has the last results; the figures,
  tables and plots of this run are in benches/results.
";

/// Runs the benches, with a server present, and draws.
pub(crate) fn run() -> Result<(), String> {
    let mut steps = Steps::new();
    // Kept to the end of the function: the server stops when this is dropped, whichever step fails.
    let server = servers::for_tests()?;
    steps.set(servers::VARIABLE, server.url());
    for bench in BENCHES {
        // By its package, so that no feature is on that only tests ask for.
        steps.cargo(bench, &format!("bench -p memokit-benches --bench {bench}"))?;
    }
    draw_in(&mut steps)?;
    println!("\n{READING}");
    Ok(())
}

/// Draws tables and plots of the figures of the last runs.
pub(crate) fn draw() -> Result<(), String> {
    draw_in(&mut Steps::new())
}

fn draw_in(steps: &mut Steps) -> Result<(), String> {
    steps.cargo("draw", "run --quiet -p memokit-benches --features figures --bin draw")
}
