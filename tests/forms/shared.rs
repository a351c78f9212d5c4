//! The forms that have something to do with keys of the shared level.

use memokit::cached;

#[cached(cache = "default", prefix = "forms.floats")]
fn of_a_float(x: f64, pair: (f32, &str), list: &[f64]) -> String {
    format!("{x}{pair:?}{list:?}")
}

#[test]
fn floats_and_tuples_are_the_same_key_as_ever() {
    let key = of_a_float::key(0.5, (0.25, "a"), &[1.0]).unwrap();
    let digest = memokit::key::Digest::of(&(0.5_f64, (0.25_f32, "a"), [1.0_f64].as_slice())).unwrap();
    assert_eq!(key.text(), format!("memo:forms.floats:0:{digest}"));
    for x in [0.0, -0.0, f64::NAN] {
        let loads = of_a_float::stats().loads;
        assert_eq!(of_a_float(x, (0.5, "a"), &[]), of_a_float(x, (0.5, "a"), &[]));
        assert_eq!(of_a_float::stats().loads, loads + 1);
        assert!(of_a_float::contains(x, (0.5, "a"), &[]).unwrap());
    }
    assert_ne!(of_a_float::key(0.0, (0.0, ""), &[]).unwrap(), of_a_float::key(-0.0, (0.0, ""), &[]).unwrap());
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
struct Circle(u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
struct Holder<T>(T);

impl Circle {
    #[cached(cache = "default")]
    fn get(&self) -> u32 {
        self.0
    }
}

impl<T: Clone + Eq + std::hash::Hash + serde::Serialize + Send + Sync + 'static> Holder<T> {
    #[cached(cache = "default")]
    fn get(&self) -> usize {
        size_of::<T>()
    }
}

trait Get {
    fn get(&self, n: u32) -> u32;
}

trait Other {
    fn get(&self, n: u32) -> u32;
}

#[cached]
impl Get for Circle {
    #[cached(cache = "default", companion = get_as_get)]
    fn get(&self, n: u32) -> u32 {
        self.0 + n
    }
}

#[cached]
impl Other for Circle {
    #[cached(cache = "default", companion = get_as_other)]
    fn get(&self, n: u32) -> u32 {
        self.0 * n
    }
}

#[cached]
impl Circle {
    #[cached(cache = "default")]
    fn of(n: u32) -> u32 {
        n
    }
}

fn prefix(key: &Result<memokit::Key, memokit::Error>) -> String {
    let text = key.as_ref().unwrap().text();
    text[..text.rfind(':').unwrap()].to_owned()
}

#[test]
fn the_prefix_of_a_method_has_its_type_and_its_trait() {
    assert_eq!(prefix(&Circle(1).get_key()), "memo:forms/shared/Circle/get:0");
    assert_eq!(prefix(&Holder(1_u8).get_key()), "memo:forms/shared/Holder/get:0");
    assert_eq!(prefix(&Circle(1).get_as_get_key(1)), "memo:forms/shared/Circle/Get/get:0");
    assert_eq!(prefix(&Circle::of_key(1)), "memo:forms/shared/Circle/of:0");
    memokit::check().unwrap();
}

#[test]
fn functions_of_one_name_never_share() {
    for _ in 0..2 {
        assert_eq!((Circle(4).get(), Holder(4_u8).get(), Holder(4_u32).get()), (4, 1, 4));
        assert_eq!((Get::get(&Circle(4), 3), Other::get(&Circle(4), 3)), (7, 12));
    }
    let keys = [
        Circle(4).get_key().unwrap(),
        Holder(4_u8).get_key().unwrap(),
        Holder(4_u32).get_key().unwrap(),
        Circle(4).get_as_get_key(3).unwrap(),
        Circle(4).get_as_other_key(3).unwrap(),
    ];
    for (i, key) in keys.iter().enumerate() {
        assert!(!keys[..i].contains(key), "{key:?}");
    }
}

#[test]
fn invalidating_one_types_function_leaves_those_of_others() {
    assert_eq!(
        (Circle(9).get(), Holder(9_u16).get(), Get::get(&Circle(9), 1), Other::get(&Circle(9), 1)),
        (9, 2, 10, 9)
    );
    Circle::get_invalidate_all().unwrap();
    assert!(!Circle(9).get_contains().unwrap());
    assert!(Holder(9_u16).get_contains().unwrap() && Circle(9).get_as_get_contains(1).unwrap());
    Circle::get_as_other_invalidate_all().unwrap();
    assert!(Circle(9).get_as_get_contains(1).unwrap() && !Circle(9).get_as_other_contains(1).unwrap());
    assert_eq!(Holder(9_u64).get(), 8);
    Holder::<u8>::get_invalidate_all().unwrap();
    assert!(!Holder(9_u16).get_contains().unwrap() && !Holder(9_u64).get_contains().unwrap(), "those of all its types");
}

trait Named {
    fn name(&self) -> &'static str;

    #[cached(cache = "default", key = (self.name(), n))]
    fn label(&self, n: u32) -> String {
        format!("{}{n}", self.name())
    }
}

impl Named for &'static str {
    fn name(&self) -> &'static str {
        self
    }
}

impl Named for (u8, &'static str) {
    fn name(&self) -> &'static str {
        self.1
    }
}

#[test]
fn a_default_function_of_a_trait_has_a_prefix_for_each_type() {
    for _ in 0..2 {
        assert_eq!(("a".label(1), (1, "a").label(1)), ("a1".into(), "a1".into()));
    }
    let (text, pair) = ("a".label_key(1), (1_u8, "a").label_key(1));
    assert_eq!(prefix(&text), "memo:forms/shared/%26str/label:0");
    assert_eq!(prefix(&pair), "memo:forms/shared/%28u8%2C%20%26str%29/label:0");
    <&str>::label_invalidate_all().unwrap();
    assert!((1, "a").label_uncached(1) == "a1" && !"a".label_contains(1).unwrap());
}
