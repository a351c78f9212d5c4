//! What the attribute refuses, and how it says so: one program for each rule. The texts beside the programs are read by
//! people before they are changed; `TRYBUILD=overwrite cargo test --test ui` writes them anew.

use std::path::Path;
use std::process::Command;

#[test]
fn every_rule_has_a_message_that_helps() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

/// The first message of the compiler about a program in `tests/ui/bounds`.
fn first_message(program: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut check = Command::new(env!("CARGO"));
    check.args(["check", "--offline", "--quiet", "--bin", program, "--manifest-path"]);
    check.arg(root.join("tests/ui/bounds/Cargo.toml"));
    check.arg("--target-dir").arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("bounds"));
    let output = check.output().expect("cargo runs");
    assert!(!output.status.success(), "it compiles");
    let text = String::from_utf8(output.stderr).expect("text");
    text.split("\n\n").next().unwrap_or_default().to_owned()
}

#[test]
fn a_missing_bound_is_reported_at_the_argument() {
    let message = first_message("argument");
    for part in [
        "an argument of a cached function can't be part of its key",
        "src/bin/argument.rs:10:15",
        "the trait `Hash` is not implemented for `Request`",
        "leave it out with `ignore = …`, or name what identifies it with `key = …`",
        "#[derive(Hash)]",
    ] {
        assert!(message.contains(part), "no {part} in {message}");
    }
}

#[test]
fn one_behind_a_reference_is_reported_there_too() {
    let message = first_message("receiver");
    for part in [
        "an argument of a cached function can't be part of its key",
        "src/bin/receiver.rs:10:12",
        "the trait `Hash` is not implemented for `Client`",
        "leave it out with `ignore = …`, or name what identifies it with `key = …`",
    ] {
        assert!(message.contains(part), "no {part} in {message}");
    }
}

#[test]
fn a_value_that_can_not_be_stored_is_reported_at_the_return_type() {
    let message = first_message("value");
    for part in ["src/bin/value.rs:8:17", "Answer: serde::Serialize` is not satisfied"] {
        assert!(message.contains(part), "no {part} in {message}");
    }
}

#[test]
fn an_error_that_can_not_be_stored_is_reported_at_the_return_type() {
    let message = first_message("stored_error");
    for part in
        ["src/bin/stored_error.rs:7:17", "the trait `Clone` is not implemented for `Failed`", "#[derive(Clone)]"]
    {
        assert!(message.contains(part), "no {part} in {message}");
    }
}

#[test]
fn a_key_that_a_bucket_does_not_take_is_reported_at_the_key() {
    let message = first_message("bucket_key");
    for part in ["`u64` can't be a key of this bucket", "src/bin/bucket_key.rs:12", "the one type that was named there"]
    {
        assert!(message.contains(part), "no {part} in {message}");
    }
}

#[test]
fn storing_errors_of_what_is_no_result_is_reported_at_the_return_type() {
    let message = first_message("no_error");
    for part in ["src/bin/no_error.rs:7:17", "`cache_err` needs a function that returns a `Result`"] {
        assert!(message.contains(part), "no {part} in {message}");
    }
}

#[test]
fn a_value_that_can_not_be_verified_is_reported_at_the_return_type() {
    let message = first_message("incomparable");
    for part in ["src/bin/incomparable.rs:8:17", "`Answer`", "#[derive(PartialEq)]"] {
        assert!(message.contains(part), "no {part} in {message}");
    }
}

#[test]
fn a_value_that_can_not_be_cloned_is_reported_at_the_return_type() {
    let message = first_message("cloned");
    for part in ["src/bin/cloned.rs:7:17", "Answer: Clone"] {
        assert!(message.contains(part), "no {part} in {message}");
    }
}

#[test]
fn an_argument_that_is_no_bytes_is_reported_at_the_argument() {
    let message = first_message("shared_argument");
    for part in ["src/bin/shared_argument.rs:8:23", "needs `Serialize` to be part of the key"] {
        assert!(message.contains(part), "no {part} in {message}");
    }
}

#[test]
fn what_is_no_map_of_ids_is_reported() {
    let message = first_message("each_map");
    for part in ["src/bin/each_map.rs", "`each` needs a function that returns a map", "return `HashMap<Id, V>`"] {
        assert!(message.contains(part), "no {part} in {message}");
    }
}

#[test]
fn an_id_that_can_be_no_key_is_reported_at_the_argument() {
    let message = first_message("each_id");
    for part in [
        "an id of type `Id` can't be part of a key",
        "src/bin/each_id.rs:9:15",
        "the trait `Hash` is not implemented for `Id`",
    ] {
        assert!(message.contains(part), "no {part} in {message}");
    }
}
