//! Prefixes, and the text of keys.

use crate::Runs;
use memokit::cached;
use std::collections::HashSet;

mod other_module {
    use memokit::cached;

    #[cached(cache = "default")]
    pub(super) fn same_name(n: u32) -> u32 {
        n + 100
    }
}

#[cached(cache = "default")]
fn same_name(n: u32) -> u32 {
    n
}

#[cached(cache = "default")]
fn another_name(n: u32) -> u32 {
    n + 200
}

struct Class;
struct OtherClass;

#[cached]
impl Class {
    #[cached(cache = "default", prefix = "seeds class")]
    fn same_name(n: u32) -> u32 {
        n + 300
    }
}

#[cached]
impl OtherClass {
    #[cached(cache = "default", prefix = "seeds other class")]
    fn same_name(n: u32) -> u32 {
        n + 400
    }
}

/// There, since 0.1.7, by module and qualified name.
#[test]
fn default_prefixes_keep_functions_of_one_name_apart() {
    let values =
        [same_name(1), other_module::same_name(1), another_name(1), Class::same_name(1), OtherClass::same_name(1)];
    assert_eq!(values, [1, 101, 201, 301, 401]);
    assert_eq!(
        values,
        [same_name(1), other_module::same_name(1), another_name(1), Class::same_name(1), OtherClass::same_name(1)]
    );
    let keys = [
        same_name::key(1).unwrap(),
        other_module::same_name::key(1).unwrap(),
        another_name::key(1).unwrap(),
        Class::same_name_key(1).unwrap(),
        OtherClass::same_name_key(1).unwrap(),
    ];
    let texts: HashSet<&str> = keys.iter().map(memokit::Key::text).collect();
    assert_eq!(texts.len(), 5);
    assert!(keys[0].text().starts_with("memo:seeds/django_cache_memoize/keys/same_name:0:"), "{}", keys[0].text());
}

/// Functions that a factory makes: here generic instances, or what a macro by example writes.
#[test]
fn functions_of_a_factory_are_apart() {
    #[cached]
    fn times<const N: u32>(n: u32) -> u32 {
        n * N
    }
    assert_eq!((times::<2>(5), times::<3>(5), times::<2>(5)), (10, 15, 10));

    macro_rules! plus {
        ($name:ident, $add:literal) => {
            #[cached]
            fn $name(n: u32) -> u32 {
                n + $add
            }
        };
    }
    plus!(plus_one, 1);
    plus!(plus_two, 2);
    assert_eq!((plus_one(1), plus_two(1), plus_one(1), plus_two(1)), (2, 3, 2, 3));
}

#[cached(cache = "default", prefix = "seeds shared prefix")]
fn reader(n: u32) -> u32 {
    READER.up();
    n + 1
}

#[cached(cache = "default", prefix = "seeds shared prefix")]
fn reader_twin(n: u32) -> u32 {
    READER.up();
    n + 1
}

static READER: Runs = Runs::new();

#[test]
fn functions_of_one_prefix_share_entries() {
    assert_eq!((reader(1), reader_twin(1), READER.count()), (2, 2, 1));
    assert!(reader_twin::invalidate(1).unwrap());
    assert_eq!((reader(1), READER.count()), (2, 2));
    assert_eq!(reader::key(5).unwrap(), reader_twin::key(5).unwrap());
}

#[cached(cache = "default", prefix = "seeds shared by types")]
fn as_number(n: u32) -> u32 {
    n
}

#[cached(cache = "default", prefix = "seeds shared by types")]
fn as_text(n: u32) -> String {
    n.to_string()
}

/// There, a shared prefix gives one function the values of another, whatever they are. Here a value of another type is a
/// miss.
#[test]
fn one_prefix_never_gives_a_value_of_another_type() {
    assert_eq!((as_number(7), as_text(7), as_number(7), as_text(7)), (7, "7".into(), 7, "7".into()));
}

#[cached(cache = "default", prefix = "seeds ab")]
fn prefix_ab(text: &str) -> String {
    format!("ab+{text}")
}

#[cached(cache = "default", prefix = "seeds a")]
fn prefix_a(text: &str) -> String {
    format!("a+{text}")
}

/// There, the prefix `ab` with the argument `c` has the key of the prefix `a` with the argument `bc`.
#[test]
fn a_prefix_does_not_run_into_the_arguments() {
    assert_eq!((prefix_ab("c"), prefix_a("bc")), ("ab+c".into(), "a+bc".into()));
    assert_eq!((prefix_a(":0:c"), prefix_a("b:c")), ("a+:0:c".into(), "a+b:c".into()));
    assert_ne!(prefix_ab::key("c").unwrap(), prefix_a::key("bc").unwrap());
}

#[cached(cache = "default", prefix = "seeds golden")]
fn golden(a: i32, b: &str) -> String {
    format!("{a}{b}")
}

/// `get_cache_key`: there 32 digits of MD5, for which others can make two calls of one key. Here the prefix can be read, and
/// 256 bits of BLAKE3 follow; the text of a call is the same in every process, today and in later versions.
#[test]
fn get_cache_key_is_stable() {
    assert_eq!(golden::key(1, "ä:b").unwrap().text(), GOLDEN);
    golden(1, "ä:b");
    let cache = memokit::cache("default").unwrap();
    assert!(cache.get(GOLDEN).unwrap().is_some(), "it is the key under which the value is stored");
}

const GOLDEN: &str = "memo:seeds%20golden:0:8a310a2c0b9a29d6b379a4a9944015c226a68c7ba8ceec6d73d8bca6bec609dc";

#[cached(cache = "default", prefix = "seeds long")]
fn long(text: &str) -> usize {
    text.len()
}

/// There, MD5 keeps keys below the 250 bytes of memcached.
#[test]
fn keys_have_a_bounded_length_and_no_odd_characters() {
    let key = long::key(&"ö :\n".repeat(10_000)).unwrap();
    assert!(key.text().len() < 220);
    assert!(key.text().bytes().all(|byte| byte.is_ascii_graphic()));
}

/// `key_generator_callable`: here any expression is the key, and the companions use it too.
#[test]
fn a_key_of_ones_own_serves_calls_and_companions() {
    fn my_key(host: &str, path: &str) -> String {
        format!("{}/{}", host.to_lowercase(), path.trim_matches('/'))
    }
    static RUNS: Runs = Runs::new();
    #[cached(cache = "default", prefix = "seeds own key", key = my_key(host, path))]
    fn page(host: &str, path: &str) -> u32 {
        let _ = (host, path);
        RUNS.up()
    }
    assert_eq!((page("A.example", "/x/"), page("a.example", "x")), (1, 1));
    assert_eq!(page::key("A.example", "/x/").unwrap(), page::key("a.example", "x").unwrap());
    assert!(page::invalidate("A.EXAMPLE", "x").unwrap());
    assert_eq!((page("a.example", "x"), RUNS.count()), (2, 2));
    assert_ne!(page::key("a.example", "x").unwrap(), page::key("a.example", "y").unwrap());
}
