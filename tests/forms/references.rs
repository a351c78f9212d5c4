//! Arguments that borrow, in whatever they stand: an entry owns a copy.

use memokit::cached;
use std::borrow::Cow;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Item(u32);

#[test]
fn references_to_references() {
    #[cached]
    fn text(text: &&str) -> usize {
        text.len()
    }
    #[cached]
    fn item(item: &&Item) -> u32 {
        item.0
    }
    #[cached]
    fn deep(item: &&&&Item) -> u32 {
        item.0
    }
    for _ in 0..2 {
        assert_eq!((text(&"a"), text(&String::from("ab").as_str())), (1, 2));
        assert_eq!((item(&&Item(1)), item(&&Item(2)), deep(&&&&Item(3))), (1, 2, 3));
    }
    assert_eq!([text::stats().loads, item::stats().loads, deep::stats().loads], [2, 2, 1]);
}

#[test]
fn references_to_options_of_references() {
    #[cached]
    fn text(text: &Option<&str>) -> usize {
        text.map_or(9, str::len)
    }
    #[cached]
    fn item(item: &Option<&Item>) -> u32 {
        item.map_or(9, |item| item.0)
    }
    #[cached]
    fn twice(text: Option<Option<&str>>) -> String {
        format!("{text:?}")
    }
    for _ in 0..2 {
        assert_eq!((text(&None), text(&Some("")), text(&Some(&String::from("a")))), (9, 0, 1));
        assert_eq!((item(&None), item(&Some(&Item(9)))), (9, 9));
        assert_eq!(
            (twice(None), twice(Some(None)), twice(Some(Some("a")))),
            (format!("{:?}", None::<u8>), "Some(None)".into(), "Some(Some(\"a\"))".into())
        );
    }
    assert_eq!([text::stats().loads, item::stats().loads, twice::stats().loads], [3, 2, 3]);
}

#[test]
fn tuples_with_references() {
    #[cached]
    fn known((name, n): (&str, u32)) -> String {
        format!("{name}{n}")
    }
    #[cached]
    fn other(of: (&str, &Item, Item)) -> String {
        format!("{of:?}")
    }
    #[cached]
    fn nested(of: &((&str, Item), &[u8], Option<&Item>)) -> String {
        format!("{of:?}")
    }
    let name = String::from("a");
    for _ in 0..2 {
        assert_eq!((known((&name, 1)), known(("a", 2)), known(("a1", 1))), ("a1".into(), "a2".into(), "a11".into()));
        assert_eq!(other((&name, &Item(1), Item(2))), "(\"a\", Item(1), Item(2))");
        assert_eq!(nested(&((&name, Item(1)), &[1, 2], None)), "((\"a\", Item(1)), [1, 2], None)");
        assert_eq!(nested(&((&name, Item(1)), &[1], Some(&Item(2)))), "((\"a\", Item(1)), [1], Some(Item(2)))");
    }
    assert_eq!([known::stats().loads, other::stats().loads, nested::stats().loads], [3, 1, 2]);
    assert!(known::invalidate((&name, 1)) && !known::contains(("a", 1)) && known::contains(("a", 2)));
}

#[test]
fn lists_of_references() {
    #[cached]
    fn slice(words: &[&str]) -> String {
        words.concat()
    }
    #[cached]
    fn vector(words: Vec<&str>, pairs: &[(&str, Option<&str>)]) -> usize {
        words.len() + pairs.len()
    }
    #[cached]
    fn array(words: [&str; 2]) -> String {
        words.concat()
    }
    for _ in 0..2 {
        assert_eq!((slice(&["ab", "c"]), slice(&["a", "bc"]), slice(&[])), ("abc".into(), "abc".into(), String::new()));
        assert_eq!((vector(vec!["a"], &[("a", None)]), vector(vec!["a"], &[("a", Some(""))])), (2, 2));
        assert_eq!((array(["ab", "c"]), array(["a", "bc"])), ("abc".into(), "abc".into()));
    }
    assert_eq!([slice::stats().loads, vector::stats().loads, array::stats().loads], [3, 2, 2]);
}

#[test]
fn cows() {
    #[cached]
    fn by_value(text: Cow<'_, str>) -> usize {
        text.len()
    }
    #[cached]
    fn by_reference(text: &Cow<'_, str>) -> usize {
        text.len()
    }
    #[cached]
    fn optional(text: Option<Cow<'_, str>>) -> usize {
        text.map_or(9, |text| text.len())
    }
    #[cached]
    fn of_others(item: &Cow<'_, Item>) -> u32 {
        item.0
    }
    for _ in 0..2 {
        assert_eq!((by_value("a".into()), by_value(String::from("a").into()), by_value("b".into())), (1, 1, 1));
        assert_eq!((by_reference(&"a".into()), by_reference(&String::from("a").into())), (1, 1));
        assert_eq!((optional(None), optional(Some("a".into())), optional(Some(String::from("a").into()))), (9, 1, 1));
        assert_eq!((of_others(&Cow::Borrowed(&Item(1))), of_others(&Cow::Owned(Item(1)))), (1, 1));
    }
    assert_eq!([by_value::stats().loads, by_reference::stats().loads, optional::stats().loads], [2, 1, 2]);
    assert_eq!(of_others::stats().loads, 1);
}

#[test]
fn boxes_and_arcs() {
    #[cached]
    fn boxed(text: Box<str>) -> usize {
        text.len()
    }
    #[cached]
    fn shared(text: Arc<str>, list: &Arc<[u8]>, item: Option<&Arc<Item>>) -> usize {
        text.len() + list.len() + item.map_or(0, |item| item.0 as usize)
    }
    for _ in 0..2 {
        assert_eq!((boxed("a".into()), boxed("ab".into())), (1, 2));
        assert_eq!(shared("a".into(), &vec![1].into(), Some(&Item(7).into())), 9);
        assert_eq!(shared("a".into(), &vec![2].into(), None), 2);
    }
    assert_eq!((boxed::stats().loads, shared::stats().loads), (2, 2));
}

#[test]
fn behind_an_alias() {
    type Words<'a> = (&'a str, Option<&'a str>);
    #[cached]
    fn join(words: Words<'_>, more: &[Words<'_>]) -> String {
        format!("{words:?}{}", more.len())
    }
    let word = String::from("a");
    for _ in 0..2 {
        assert_eq!(join((&word, None), &[("b", Some(&word))]), "(\"a\", None)1");
    }
    assert_eq!(join::stats().loads, 1);
}

#[test]
fn named_elided_and_higher_ranked_lifetimes() {
    #[cached]
    fn named<'a, 'b: 'a>(one: &'a str, other: (&'b str, &'a [&'b str])) -> String
    where
        'b: 'a,
        for<'x> &'x str: Into<String>,
    {
        let one: String = one.into();
        format!("{one}{other:?}")
    }
    #[cached(ignore = with)]
    fn higher_ranked<F>(text: &str, with: F) -> usize
    where
        F: for<'x> Fn(&'x str) -> &'x str,
    {
        with(text).len()
    }
    #[cached(ignore = with)]
    fn by_dyn(text: &str, with: &dyn for<'x> Fn(&'x str) -> &'x str) -> usize {
        with(text).len()
    }
    let text = String::from("text");
    for _ in 0..2 {
        assert_eq!(named(&text, ("b", &["c", &text])), "text(\"b\", [\"c\", \"text\"])");
        assert_eq!(higher_ranked(&text, str::trim), 4);
        assert_eq!(by_dyn(&text, &|text| &text[1..]), 3);
    }
    assert_eq!([named::stats().loads, higher_ranked::stats().loads, by_dyn::stats().loads], [1, 1, 1]);
}
