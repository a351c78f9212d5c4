//! Functions of traits: the trait's `impl` keeps the function, and companions stand in an `impl` of the type.

use super::now;
use memokit::cached;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::sync::Arc;

trait Shape {
    const CORNERS: u32;
    type Unit: Default + Debug;

    fn area(&self, scale: u32) -> u32;
    fn named(name: &str) -> Self;
    fn unit(&self) -> Result<(Self::Unit, u32), String>;
    fn plain(&self) -> u32;
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Square(u32);

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Meter(u8);

#[cached]
impl Shape for Square {
    const CORNERS: u32 = 4;
    type Unit = Meter;

    /// The area.
    #[cached(timeout = "1h")]
    fn area(&self, scale: u32) -> u32 {
        self.0 * self.0 * scale + self.plain() - self.plain()
    }

    #[cached]
    fn named(name: &str) -> Self {
        Square(name.len().try_into().unwrap())
    }

    #[cached]
    fn unit(&self) -> Result<(Self::Unit, u32), String> {
        let corners: Option<(Self::Unit, u32)> = Some((Self::Unit::default(), Self::CORNERS));
        corners.ok_or_else(|| format!("{:?}", Self::Unit::default()))
    }

    fn plain(&self) -> u32 {
        self.0
    }
}

#[test]
fn companions_are_functions_of_the_type() {
    let square = Square(3);
    assert_eq!((square.area(2), square.area(2)), (18, 18));
    assert!(Square::area_stats().local_hits >= 1);
    assert_eq!((square.area_peek(2), square.area_contains(3)), (Some(18), false));
    square.area_put(3, 99);
    assert_eq!((square.area(3), square.area_uncached(3), square.area_refresh(3)), (99, 27, 27));
    assert!(square.area_invalidate(2) && !square.area_invalidate(2));
    Square::area_invalidate_all();
    assert!(!square.area_contains(3));
    assert_eq!((Square::named("ab"), Square::named("ab"), Square::named_stats().hits()), (Square(2), Square(2), 1));
    assert!(Square::named_invalidate("ab"));
    assert_eq!((square.unit(), square.unit_peek()), (Ok((Meter(0), 4)), Some((Meter(0), 4))));
    assert_eq!((square.plain(), Square::CORNERS), (3, 4));
}

#[test]
fn calls_through_the_trait_are_cached() {
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Circle(u32);
    trait Round {
        fn area(&self, scale: u32) -> u32;
    }
    #[cached]
    impl Round for Circle {
        #[cached]
        fn area(&self, scale: u32) -> u32 {
            self.0 * scale
        }
    }
    fn area_of(shape: &impl Round) -> u32 {
        shape.area(5)
    }
    assert_eq!((area_of(&Circle(7)), area_of(&Circle(7)), Circle::area_stats().loads), (35, 35, 1));
    assert!(Circle(7).area_contains(5));
    trait Name {
        fn name(&self) -> String;
    }
    struct User(u64);
    #[cached]
    impl Name for User {
        #[cached(key = self.0)]
        fn name(&self) -> String {
            format!("user {}", self.0)
        }
    }
    let names: [&dyn Name; 2] = [&User(1), &User(1)];
    assert_eq!(names.map(Name::name), ["user 1", "user 1"]);
    assert_eq!(User::name_stats().loads, 1);
}

trait Convert<T> {
    fn convert(&self, times: u32) -> T;
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Number(u32);

#[cached]
impl Convert<u64> for Number {
    #[cached(companion = to_number)]
    fn convert(&self, times: u32) -> u64 {
        u64::from(self.0 * times)
    }
}

#[cached]
impl Convert<String> for Number {
    #[cached(companion = to_text)]
    fn convert(&self, times: u32) -> String {
        self.0.to_string().repeat(times as usize)
    }
}

#[test]
fn two_impls_of_one_generic_trait() {
    let (number, text): (u64, String) = (Number(2).convert(2), Number(2).convert(2));
    assert_eq!((number, text), (4, "22".into()));
    assert_eq!((Number(2).to_number_peek(2), Number(2).to_text_peek(2)), (Some(4), Some("22".into())));
    assert!(Number(2).to_number_invalidate(2) && Number(2).to_text_contains(2));
    assert_eq!((Number::to_number_stats().loads, Number::to_text_stats().loads), (1, 1));
}

struct Wrapper<T>(T);

trait Describe<U, const N: usize> {
    fn describe(&self, with: U) -> String;
    fn size() -> usize;
}

#[cached]
impl<'a, T, U: Into<u64> + Clone + Eq + Hash + Send + Sync + 'static, const N: usize> Describe<&'a U, N> for Wrapper<T>
where
    T: Display + PartialEq<U>,
    Option<T>: Sized,
{
    #[cached(key = (self.0.to_string(), with))]
    fn describe(&self, with: &'a U) -> String {
        format!("{} {} {N} {}", self.0, self.0 == *with, size_of::<T>())
    }

    #[cached]
    fn size() -> usize {
        size_of::<T>() * 100 + size_of::<U>() * 10 + N
    }
}

#[test]
fn a_generic_impl_of_a_generic_trait() {
    for _ in 0..2 {
        assert_eq!(Describe::<&u8, 1>::describe(&Wrapper(1_u8), &1), "1 true 1 1");
        assert_eq!(Describe::<&u8, 2>::describe(&Wrapper(1_u8), &1), "1 true 2 1");
        assert_eq!(Describe::<&u32, 1>::describe(&Wrapper(1_u32), &2), "1 false 1 4");
        assert_eq!(<Wrapper<u8> as Describe<&u8, 7>>::size(), 117);
        assert_eq!(<Wrapper<u32> as Describe<&u32, 3>>::size(), 443);
    }
    assert_eq!((Wrapper::<u8>::describe_stats().loads, Wrapper::<u8>::size_stats().loads), (3, 2));
    assert_eq!(Wrapper(1_u8).describe_peek::<u8, 1>(&1), Some("1 true 1 1".into()));
    assert!(Wrapper(1_u8).describe_invalidate::<u8, 1>(&1));
    assert!(!Wrapper(1_u8).describe_contains::<u8, 1>(&1) && Wrapper(1_u8).describe_contains::<u8, 2>(&1));
    assert!(Wrapper::<u32>::size_invalidate::<u32, 3>());
}

trait Fetch {
    type Error;
    fn fetch(&self, id: u32) -> impl Future<Output = Result<String, Self::Error>> + Send;
}

struct Client {
    host: &'static str,
}

#[cached]
impl Fetch for Client {
    type Error = std::io::Error;

    #[cached(key = (self.host, id), timeout = 60)]
    async fn fetch(&self, id: u32) -> Result<String, Self::Error> {
        std::future::ready(()).await;
        if id == 0 { Err(Self::Error::other("no zero")) } else { Ok(format!("{}/{id}", self.host)) }
    }
}

#[test]
fn an_async_function_of_a_trait() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let client = Client { host: "a" };
    for _ in 0..2 {
        assert_eq!(now(is_send(client.fetch(1))).unwrap(), "a/1");
        assert_eq!(now(client.fetch(0)).unwrap_err().to_string(), "no zero");
    }
    assert_eq!((Client::fetch_stats().local_hits, client.fetch_peek(1)), (1, Some("a/1".into())));
    assert!(client.fetch_invalidate(1));
    assert_eq!(now(client.fetch_refresh(1)).unwrap(), "a/1");
}

trait Load {
    fn load(self: Arc<Self>, id: u32) -> String;
    fn reload(self: &Arc<Self>, id: u32) -> String;
}

#[cached]
impl Load for Client {
    #[cached(key = (self.host, id))]
    fn load(self: Arc<Self>, id: u32) -> String {
        format!("{} {id}", self.host)
    }

    #[cached(key = (&self.host, id))]
    fn reload(self: &Arc<Self>, id: u32) -> String {
        format!("{} {id}", self.host)
    }
}

#[test]
fn receivers_of_a_trait_function() {
    let client = Arc::new(Client { host: "b" });
    for _ in 0..2 {
        assert_eq!((Arc::clone(&client).load(1), client.reload(2)), ("b 1".into(), "b 2".into()));
    }
    assert_eq!((Client::load_stats().loads, Client::reload_stats().loads), (1, 1));
    assert!(Arc::clone(&client).load_invalidate(1) && client.reload_invalidate(2));
}

trait Costly {
    fn id(&self) -> u64;

    /// A default that types take over, each with entries of its own.
    #[cached(key = (self.id(), n))]
    fn cost(&self, n: u64) -> u64 {
        self.id() * n
    }
}

struct Cheap;
struct Dear;

impl Costly for Cheap {
    fn id(&self) -> u64 {
        1
    }
}

impl Costly for Dear {
    fn id(&self) -> u64 {
        100
    }
}

#[test]
fn a_default_function_of_a_trait() {
    for _ in 0..2 {
        assert_eq!((Cheap.cost(2), Dear.cost(2)), (2, 200));
    }
    assert_eq!(Cheap::cost_stats().loads, 2, "the function's, whatever the type");
    assert!(Cheap.cost_invalidate(2) && Dear.cost_contains(2));
}

mod elsewhere {
    pub(crate) mod api {
        pub(crate) trait Area {
            fn area(&self) -> u32;
        }
    }

    #[derive(Clone, PartialEq, Eq, Hash)]
    pub(crate) struct Circle(pub(crate) u32);

    #[memokit::cached]
    impl api::Area for Circle {
        #[memokit::cached]
        fn area(&self) -> u32 {
            self.0 * 3
        }
    }
}

#[test]
fn companions_are_reached_from_other_modules() {
    use elsewhere::api::Area;
    let circle = elsewhere::Circle(2);
    assert_eq!((circle.area(), circle.area_peek()), (6, Some(6)));
    assert!(circle.area_invalidate());
}
