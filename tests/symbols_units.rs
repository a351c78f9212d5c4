//! The unit tests of the `symbols` example. Cargo builds an example either as a program or as a test, and
//! `symbols_example` needs the program; so its modules are built here a second time, as tests.

#![expect(dead_code, reason = "the example's `main` is not among them")]

#[path = "../examples/symbols/args.rs"]
mod args;
#[path = "../examples/symbols/client.rs"]
mod client;
#[path = "../examples/symbols/elf.rs"]
mod elf;
#[path = "../examples/symbols/failure.rs"]
mod failure;
#[path = "../examples/symbols/index.rs"]
mod index;
#[path = "../examples/symbols/interrupt.rs"]
mod interrupt;
#[path = "../examples/symbols/ledger.rs"]
mod ledger;
#[path = "../examples/symbols/load.rs"]
mod load;
#[path = "../examples/symbols/lookup.rs"]
mod lookup;
#[path = "../examples/symbols/measure.rs"]
mod measure;
#[path = "../examples/symbols/mode.rs"]
mod mode;
#[path = "../examples/symbols/name.rs"]
mod name;
#[path = "../examples/symbols/progress.rs"]
mod progress;
#[path = "../examples/symbols/report.rs"]
mod report;
#[path = "../examples/symbols/run.rs"]
mod run;
#[path = "../examples/symbols/sample.rs"]
mod sample;
#[path = "../examples/symbols/say.rs"]
mod say;
#[path = "../examples/symbols/service.rs"]
mod service;
#[path = "../examples/symbols/store.rs"]
mod store;
#[path = "../examples/symbols/table.rs"]
mod table;
#[path = "../examples/symbols/workload.rs"]
mod workload;
#[path = "../examples/symbols/zipf.rs"]
mod zipf;
