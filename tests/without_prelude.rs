//! What the attribute writes needs none of the names that a module mostly has from the prelude.
#![forbid(unsafe_code)]
#![allow(clippy::unnecessary_wraps, clippy::unused_async, reason = "samples of what users write")]

mod bare {
    #![no_implicit_prelude]

    use ::memokit::cached;
    use ::std::collections::HashMap;
    use ::std::option::Option;
    use ::std::result::Result;
    use ::std::string::String;

    #[cached(timeout = 5, capacity = 10, on_hit = |_| (), on_miss = |_, (_, _)| (), on_evict = |_| (), tags = [text])]
    pub(crate) fn plain(number: u32, text: &str) -> String {
        ::std::format!("{number}{text}")
    }

    #[cached(cache_err = true, err_timeout = 1, cache_if = |number| *number > 0, valid_if = |_| true, verify = 0.0)]
    pub(crate) fn fallible(number: u32) -> Result<u32, u32> {
        Result::Ok(number)
    }

    #[cached(timeout_with = |_| Option::None, weigh = |_| 1, max_weight = 10)]
    pub(crate) fn timed(number: u32) -> u32 {
        number
    }

    #[cached(cache = "default", cache_none = false)]
    pub(crate) async fn shared(number: u32, maybe: Option<&str>) -> Option<u32> {
        if maybe.is_some() { Option::Some(number) } else { Option::None }
    }

    #[cached(each = ids)]
    pub(crate) fn each(ids: &[u8]) -> HashMap<u8, u8> {
        let mut found = HashMap::new();
        for id in ids {
            found.insert(*id, *id);
        }
        found
    }

    #[cached(scope = "thread")]
    pub(crate) fn of_thread(number: u32) -> u32 {
        number
    }

    #[cached(store_result = false, key = number, extra = 4_u8)]
    pub(crate) fn guard(number: u32) -> u32 {
        number
    }
}

#[test]
fn functions_of_a_module_without_a_prelude_are_cached() {
    assert_eq!(bare::plain(1, "a"), "1a");
    assert!(bare::plain::contains(1, "a"));
    assert_eq!((bare::fallible(1), bare::timed(1), bare::of_thread(1)), (Ok(1), 1, 1));
    assert_eq!((bare::guard(1), bare::guard(1)), (Some(1), None));
    assert_eq!(bare::each(&[1, 2]).len(), 2);
    drop(bare::shared(1, None));
}
