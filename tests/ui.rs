//! What the attribute refuses, and how it says so: one program for each rule. The texts beside the programs are read by
//! people before they are changed; `TRYBUILD=overwrite cargo test --test ui` writes them anew.

#[test]
fn every_rule_has_a_message_that_helps() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
