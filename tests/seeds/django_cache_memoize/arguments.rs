//! Which arguments make which entry.

use crate::Runs;
use memokit::cached;

#[test]
fn a_second_call_with_the_same_arguments_does_not_run_the_body() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn sum(a: i32, b: i32) -> i32 {
        RUNS.up();
        a + b
    }
    assert_eq!((sum(1, 2), sum(1, 2), RUNS.count()), (3, 3, 1));
    assert_eq!((sum(2, 1), RUNS.count()), (3, 2), "another order is another call");
    assert_eq!((sum(1, 3), RUNS.count()), (4, 3));
}

/// There, floating point numbers are keys by their text. Ours are keys by their bits.
#[test]
fn floating_point_numbers_are_arguments() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn product(x: f64, y: f64) -> f64 {
        RUNS.up();
        x * y
    }
    assert!((product(1.5, 2.0) - 3.0).abs() < 1e-9);
    assert!((product(1.5, 2.0) - 3.0).abs() < 1e-9);
    assert_eq!(RUNS.count(), 1);
    product(1.500_000_1, 2.0);
    assert_eq!(RUNS.count(), 2);
    product(f64::NAN, 0.0);
    product(f64::NAN, 0.0);
    assert_eq!(RUNS.count(), 3, "a NaN is a call like any other");
    product(f64::NAN, -0.0);
    assert_eq!(RUNS.count(), 4, "and these zeros are two: a function can tell them apart");
}

#[test]
fn texts_of_any_script_are_arguments() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn greeting(name: &str) -> String {
        RUNS.up();
        format!("Hallå {name}")
    }
    for name in ["Åsa", "東京", "a b", "", "🦀"] {
        assert_eq!(greeting(name), format!("Hallå {name}"));
        assert_eq!(greeting(name), format!("Hallå {name}"));
    }
    assert_eq!(RUNS.count(), 5);
}

#[test]
fn lists_are_arguments() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn total(numbers: &[u32]) -> u32 {
        RUNS.up();
        numbers.iter().sum()
    }
    assert_eq!((total(&[1, 2, 3]), total(&Vec::from([1, 2, 3])), RUNS.count()), (6, 6, 1));
    assert_eq!((total(&[3, 2, 1]), RUNS.count()), (6, 2));
}

#[test]
fn very_long_arguments_are_arguments() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn length(text: &str) -> usize {
        RUNS.up();
        text.len()
    }
    let long = "x".repeat(100_000);
    let other = format!("{}y", &long[1..]);
    assert_eq!((length(&long), length(&long), RUNS.count()), (100_000, 100_000, 1));
    assert_eq!((length(&other), RUNS.count()), (100_000, 2), "they differ in the last letter only");
}

/// There, `f(1)` and `f("1")` are one entry, and the second caller gets the first one's value. Here they are calls of two
/// instances of a generic function, which share nothing.
#[test]
fn a_number_and_its_text_are_two_calls() {
    #[cached]
    fn name_of<T: ToString + std::hash::Hash + Eq + Clone + Send + Sync + 'static>(value: T) -> String {
        format!("{}: {}", std::any::type_name::<T>(), value.to_string())
    }
    assert_eq!((name_of(1_i32), name_of("1".to_owned())), ("i32: 1".into(), "alloc::string::String: 1".into()));
    assert_eq!(
        (name_of(true), name_of("true".to_owned())),
        ("bool: true".into(), "alloc::string::String: true".into())
    );
    assert_eq!(name_of(1_u8), "u8: 1", "and so are numbers of two types");
}

/// The same of one argument that can be either.
#[test]
fn an_argument_that_can_be_a_number_or_a_text() {
    #[derive(Clone, PartialEq, Eq, Hash)]
    enum Id {
        Number(u32),
        Text(String),
    }
    #[cached]
    fn kind(id: &Id) -> String {
        match id {
            Id::Number(number) => format!("number {number}"),
            Id::Text(text) => format!("text {text}"),
        }
    }
    assert_eq!(kind(&Id::Number(1)), "number 1");
    assert_eq!(kind(&Id::Text("1".into())), "text 1");
}

#[test]
fn separators_in_arguments_do_not_merge_them() {
    #[cached]
    fn joined(a: &str, b: &str) -> String {
        format!("<{a}><{b}>")
    }
    for (a, b) in [("a:b", "c"), ("a", "b:c"), ("a:", "b"), ("a", ":b"), ("ö:", "ä"), ("ö", ":ä"), ("", "a"), ("a", "")]
    {
        assert_eq!(joined(a, b), format!("<{a}><{b}>"));
    }
    assert_eq!(joined::stats().loads, 8);
}

#[test]
fn separators_in_bytes_do_not_merge_them() {
    #[cached]
    fn joined(a: &[u8], b: &[u8]) -> Vec<u8> {
        [a, b"|", b].concat()
    }
    assert_eq!(joined(b"a:b", b"c"), b"a:b|c");
    assert_eq!(joined(b"a", b"b:c"), b"a|b:c");
    assert_eq!(joined::stats().loads, 2);
}

/// There, `f("b=c")` and `f(b="c")` had to be told apart by quoting. Here arguments have places, not names.
#[test]
fn a_text_that_looks_like_a_named_argument_is_a_text() {
    #[cached]
    fn shown(a: &str, b: Option<&str>) -> String {
        format!("{a} {b:?}")
    }
    let calls = [("a", Some("b")), ("a:b=b", None), ("a=b", None), ("a", Some("b=b")), ("a", None)];
    let shown: Vec<String> = calls.into_iter().map(|(a, b)| shown(a, b)).collect();
    assert_eq!(shown, ["a Some(\"b\")", "a:b=b None", "a=b None", "a Some(\"b=b\")", "a None"]);
}

/// There, `f(1, 2)`, `f(1, b=2)` and a call that leaves the default out are three entries. Rust has one way to write a call.
#[test]
fn one_call_has_one_spelling() {
    #[cached]
    fn power(base: u64, exponent: u32) -> u64 {
        base.pow(exponent)
    }
    let (base, exponent) = (3, 2);
    assert_eq!((power(3, 2), power(base, exponent), power(1 + 2, 4 - 2)), (9, 9, 9));
    assert_eq!(power::stats().loads, 1);
}

/// `args_rewrite`: what of the arguments counts. There it is a function to an iterable (the example of the documentation
/// gives a number, and fails); here an expression over the arguments by their names.
#[test]
fn args_rewrite_keeps_what_counts() {
    static RUNS: Runs = Runs::new();
    struct Record {
        id: u32,
        name: String,
    }
    #[cached(key = record.id)]
    fn label(record: &Record) -> String {
        RUNS.up();
        format!("{} {}", record.id, record.name)
    }
    let named = |id, name: &str| Record { id, name: name.to_owned() };
    assert_eq!((label(&named(1, "a")), label(&named(1, "b"))), ("1 a".into(), "1 a".into()));
    assert_eq!((label(&named(2, "b")), RUNS.count()), ("2 b".into(), 2));
}

#[test]
fn args_rewrite_of_several_arguments() {
    #[cached(key = (name.to_lowercase(), list.len()))]
    fn about(name: &str, list: &[f32]) -> String {
        format!("{name} {}", list.len())
    }
    assert_eq!(about("Ann", &[1.0, 2.0]), "Ann 2");
    assert_eq!(about("ANN", &[3.0, 4.0]), "Ann 2");
    assert_eq!(about("Ann", &[1.0]), "Ann 1");
}

/// What `args_rewrite` is used for most, in one word.
#[test]
fn an_argument_can_be_left_out_of_the_key() {
    static RUNS: Runs = Runs::new();
    struct Request;
    #[cached(ignore = request)]
    fn count(request: &Request, user: u32) -> u32 {
        let _ = request;
        user + RUNS.up()
    }
    assert_eq!((count(&Request, 10), count(&Request, 10)), (11, 11));
    assert!(count::invalidate(&Request, 10));
}

/// There, `self` is in the key by its default text, an address: a method of a new object never hits. Here `self` is a key
/// by its value, or by what `key` names of it; without either it does not compile.
#[test]
fn methods_hit_for_equal_instances() {
    static RUNS: Runs = Runs::new();
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Shop {
        id: u32,
    }
    impl Shop {
        #[cached]
        fn total(&self, year: u32) -> u32 {
            RUNS.up();
            self.id * year
        }
    }
    assert_eq!((Shop { id: 2 }.total(2024), Shop { id: 2 }.total(2024), RUNS.count()), (4048, 4048, 1));
    assert_eq!((Shop { id: 3 }.total(2024), RUNS.count()), (6072, 2));
}
