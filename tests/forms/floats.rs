//! Floating point numbers are keys by their bits, wherever they stand in an argument.

use memokit::cached;

/// The value's own spelling, so that no two bits look alike.
fn spelled(x: f64) -> String {
    format!("{:x}", x.to_bits())
}

#[test]
fn zeros_are_two_keys_and_a_nan_equals_itself() {
    #[cached]
    fn double(x: f64) -> String {
        spelled(x)
    }
    #[cached]
    fn single(x: f32) -> u32 {
        x.to_bits()
    }
    let other_nan = f64::from_bits(f64::NAN.to_bits() + 1);
    for x in [0.0, -0.0, f64::NAN, other_nan, 1.5, f64::INFINITY, f64::MIN_POSITIVE / 2.0] {
        let loads = double::stats().loads;
        assert_eq!((double(x), double(x)), (spelled(x), spelled(x)));
        assert_eq!(double::stats().loads, loads + 1, "{x}");
        assert!(double::contains(x) && double::peek(x) == Some(spelled(x)));
    }
    assert_eq!((single(0.0), single(-0.0), single(f32::NAN)), (0, 1 << 31, f32::NAN.to_bits()));
    assert_eq!((single(-0.0), single(f32::NAN), single::stats().loads), (1 << 31, f32::NAN.to_bits(), 3));
    assert!(double::invalidate(f64::NAN) && !double::contains(f64::NAN) && double::contains(other_nan));
}

#[test]
fn in_options_tuples_and_references() {
    #[cached]
    fn optional(x: Option<f64>) -> String {
        x.map_or("none".into(), spelled)
    }
    #[cached]
    fn optional_reference(x: Option<&f32>) -> u32 {
        x.map_or(1, |x| x.to_bits())
    }
    #[cached]
    fn reference(x: &f64) -> String {
        spelled(*x)
    }
    #[cached]
    fn pair((x, y): (f64, f64)) -> String {
        spelled(x) + &spelled(y)
    }
    #[cached]
    fn nested(at: &(u8, (Option<f32>, &str))) -> String {
        format!("{at:?}")
    }
    for _ in 0..2 {
        assert_eq!(
            (optional(None), optional(Some(0.0)), optional(Some(-0.0))),
            ("none".into(), "0".into(), spelled(-0.0))
        );
        assert_eq!((optional_reference(None), optional_reference(Some(&0.0))), (1, 0));
        assert_eq!((reference(&0.0), reference(&-0.0)), ("0".into(), spelled(-0.0)));
        assert_eq!(
            (pair((0.0, -0.0)), pair((-0.0, 0.0))),
            (format!("0{}", spelled(-0.0)), format!("{}0", spelled(-0.0)))
        );
        assert_eq!(nested(&(1, (Some(0.5), "a"))), "(1, (Some(0.5), \"a\"))");
    }
    assert_eq!([optional::stats().loads, optional_reference::stats().loads, pair::stats().loads], [3, 2, 2]);
    assert_eq!((reference::stats().loads, nested::stats().loads), (2, 1));
}

#[test]
fn in_slices_arrays_and_vectors() {
    #[cached]
    fn slice(list: &[f64]) -> usize {
        list.len()
    }
    #[cached]
    fn array(list: [f64; 3]) -> String {
        spelled(list[2])
    }
    #[cached]
    fn many<const N: usize>(list: &[f32; N]) -> usize {
        list.len()
    }
    #[cached]
    fn vector(list: Vec<f64>, rows: &Vec<[f32; 2]>) -> usize {
        list.len() + rows.len()
    }
    #[cached]
    fn boxed(list: Box<[f64]>) -> usize {
        list.len()
    }
    for _ in 0..2 {
        assert_eq!((slice(&[]), slice(&[0.0]), slice(&[-0.0]), slice(&[0.0; 2])), (0, 1, 1, 2));
        assert_eq!((array([0.0, 0.0, 1.0]), array([0.0, -0.0, 1.0])), (spelled(1.0), spelled(1.0)));
        assert_eq!((many(&[1.0]), many(&[1.0, 2.0]), many(&[])), (1, 2, 0));
        assert_eq!((vector(vec![f64::NAN], &vec![[0.0; 2]]), vector(vec![], &vec![[0.0; 2]; 3])), (2, 3));
        assert_eq!(boxed(vec![0.5; 4].into()), 4);
    }
    assert_eq!([slice::stats().loads, array::stats().loads, many::stats().loads], [4, 2, 3]);
    assert_eq!((vector::stats().loads, boxed::stats().loads), (2, 1));
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Unit {
    Meter,
    Foot,
}

struct Place {
    at: (f64, f64),
    height: f64,
}

type Point = (f64, f64);

#[test]
fn beside_other_types_behind_an_alias_and_in_a_key() {
    #[cached]
    fn measured((length, unit): (f64, Unit)) -> String {
        format!("{length} {unit:?}")
    }
    #[cached]
    fn at(point: Point, path: &[Point]) -> String {
        format!("{point:?} {}", path.len())
    }
    #[cached(key = (place.at, place.height, factor))]
    fn weather(place: &Place, factor: f32) -> String {
        format!("{:?} {} {factor}", place.at, place.height)
    }
    #[cached(key = place.height)]
    fn pressure(place: &Place) -> String {
        spelled(place.height)
    }
    let place = |height| Place { at: (1.0, 2.0), height };
    for _ in 0..2 {
        assert_eq!((measured((1.0, Unit::Meter)), measured((1.0, Unit::Foot))), ("1 Meter".into(), "1 Foot".into()));
        assert_eq!(at((0.5, 1.0), &[(0.0, 0.0)]), "(0.5, 1.0) 1");
        assert_eq!(
            (weather(&place(3.0), 0.5), weather(&place(3.0), 1.5)),
            ("(1.0, 2.0) 3 0.5".into(), "(1.0, 2.0) 3 1.5".into())
        );
        assert_eq!((pressure(&place(0.0)), pressure(&place(-0.0))), (spelled(0.0), spelled(-0.0)));
    }
    assert_eq!([measured::stats().loads, at::stats().loads, weather::stats().loads], [2, 1, 2]);
    assert_eq!(pressure::stats().loads, 2);
}

struct Slider {
    position: f64,
}

impl Slider {
    #[cached(key = self.position)]
    fn label(&self) -> String {
        spelled(self.position)
    }

    #[cached(ignore = self)]
    async fn moved(&self, by: f64) -> String {
        spelled(by)
    }
}

#[test]
fn of_methods_and_async_functions() {
    for _ in 0..2 {
        assert_eq!(Slider { position: 0.0 }.label(), "0");
        assert_eq!(Slider { position: -0.0 }.label(), spelled(-0.0));
        assert_eq!(super::now(Slider { position: 0.0 }.moved(f64::NAN)), spelled(f64::NAN));
    }
    assert_eq!((Slider::label_stats().loads, Slider::moved_stats().loads), (2, 1));
}
