//! Which collections have an order that counts.
//!
//! Serde shows a set as a sequence, so only the name of its type tells the two apart. A wrong guess must never make
//! two different values one: whatever isn't known to be without order keeps it.

/// What encloses a value without changing what it serializes as.
const WRAPPERS: [&str; 9] = ["Box", "Rc", "Arc", "Cow", "Cell", "RefCell", "Mutex", "RwLock", "Reverse"];

/// Whether a sequence of this type is a set: the order of its elements is an accident of the run.
pub(super) fn is_set(type_name: &str) -> bool {
    let name = bare_name(type_name);
    (name.ends_with("HashSet") || name == "IndexSet") && !keeps_order(name)
}

/// Whether two maps of this type differ where only the order of their entries does.
pub(super) fn is_ordered_map(type_name: &str) -> bool {
    keeps_order(bare_name(type_name))
}

/// `LinkedHashMap`, `LinkedHashSet`, `OrderMap`, `ListOrderedMultimap`: their `==` compares the order. The ending
/// keeps out an `Orders` or `OrderLines` of the user's, which may well hide a `HashMap`.
fn keeps_order(name: &str) -> bool {
    (name.contains("Linked") || name.contains("Order")) && ["Map", "map", "Set"].iter().any(|end| name.ends_with(end))
}

/// `HashSet` of `&alloc::boxed::Box<std::collections::hash::set::HashSet<u8>>`.
fn bare_name(type_name: &str) -> &str {
    let mut rest = type_name;
    loop {
        if let Some(target) = rest.strip_prefix('&') {
            let target = without_lifetime(target);
            rest = target.strip_prefix("mut ").unwrap_or(target);
            continue;
        }
        // Of a wrapper's arguments those after the first, and its `>`, are behind the first one's end.
        let end = rest.find(['<', '>', ',']).unwrap_or(rest.len());
        let (path, arguments) = (&rest[..end], rest[end..].strip_prefix('<').unwrap_or(""));
        if !path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte) || !byte.is_ascii()) {
            // A slice, an array, a tuple, a function: whatever its parts are, it isn't one of them.
            return "";
        }
        let name = path.rsplit("::").next().unwrap_or(path);
        if arguments.is_empty() || !WRAPPERS.contains(&name) {
            return name;
        }
        rest = without_lifetime(arguments);
    }
}

/// Newer compilers write `&'_ T` and `Cow<'_, T>`.
fn without_lifetime(text: &str) -> &str {
    if !text.starts_with('\'') {
        return text;
    }
    let name = text.trim_start_matches(|c: char| c == '\'' || c == '_' || c.is_alphanumeric());
    name.trim_start_matches([',', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::any::type_name;
    use std::borrow::Cow;
    use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
    use std::rc::Rc;
    use std::sync::{Arc, Mutex};

    struct FastHashSet;
    struct IndexSet<T>(T);
    struct LinkedHashSet<T>(T);
    struct OrderMap<T>(T);

    type Inner = HashSet<Vec<HashMap<u8, String>>>;

    #[test]
    fn sets_are_known_by_name_through_what_encloses_them() {
        for name in [
            type_name::<HashSet<u8>>(),
            type_name::<&HashSet<u8>>(),
            type_name::<&&mut Inner>(),
            type_name::<Box<Inner>>(),
            type_name::<Rc<Arc<Inner>>>(),
            type_name::<Cow<'static, HashSet<u8>>>(),
            type_name::<&Arc<Mutex<HashSet<u8>>>>(),
            type_name::<FastHashSet>(),
            type_name::<Box<FastHashSet>>(),
            type_name::<IndexSet<u8>>(),
            "&'static mut std::collections::hash::set::HashSet<u8>",
            "alloc::borrow::Cow<'_, std::collections::hash::set::HashSet<u8>>",
        ] {
            assert!(is_set(name), "{name}");
        }
    }

    #[test]
    fn everything_else_keeps_its_order() {
        for name in [
            type_name::<Vec<u8>>(),
            type_name::<Vec<HashSet<u8>>>(),
            type_name::<&[HashSet<u8>]>(),
            type_name::<[HashSet<u8>; 2]>(),
            type_name::<(HashSet<u8>, u8)>(),
            type_name::<(u8, HashSet<u8>)>(),
            type_name::<Option<HashSet<u8>>>(),
            type_name::<BTreeSet<u8>>(),
            type_name::<LinkedHashSet<u8>>(),
            type_name::<dyn Fn(HashSet<u8>)>(),
            type_name::<fn() -> HashSet<u8>>(),
            "",
            "&",
            "<",
            "Box<",
            "&'",
            "Cow<'_",
        ] {
            assert!(!is_set(name), "{name}");
        }
    }

    #[test]
    fn maps_have_no_order_but_where_their_name_says_so() {
        assert!(!is_ordered_map(type_name::<HashMap<u8, u8>>()));
        assert!(!is_ordered_map(type_name::<BTreeMap<u8, OrderMap<u8>>>()));
        assert!(is_ordered_map(type_name::<&OrderMap<u8>>()));
        assert!(!is_ordered_map("shop::OrderLines"));
        assert!(is_ordered_map("hashlink::linked_hash_map::LinkedHashMap<u8, u8>"));
    }
}
