//! Keys outlive the process: these are the examples of `docs/key-format.md`, whose inputs were written by hand from
//! that page and hashed by another implementation of BLAKE3.
#![cfg(feature = "shared")]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use memo_core::key::{Digest, Prefix};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::collections::{BTreeMap, HashMap, HashSet};

#[derive(Serialize)]
struct Marker;
#[derive(Serialize)]
struct Meters(u8);
#[derive(Serialize)]
struct Pair(u8, bool);
#[derive(Serialize)]
struct Point {
    x: i32,
    y: i32,
}
#[derive(Serialize)]
enum Shape {
    Dot,
    Circle(u32),
    Line(u8, u8),
    Box { w: u8 },
}

struct Bytes(&'static [u8]);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

struct OrderMap(Vec<(&'static str, u64)>);

impl Serialize for OrderMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

fn bytes_of(input: &str) -> Vec<u8> {
    let digits: String = input.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

#[track_caller]
fn check<T: Serialize>(value: T, input: &str, digest: &str) {
    assert_eq!(blake3::hash(&bytes_of(input)).to_hex().as_str(), digest, "the example contradicts itself");
    assert_eq!(Digest::of(&value).unwrap().to_string(), digest);
}

#[track_caller]
fn check_instance<T: Serialize>(instance: &str, value: T, input: &str, digest: &str) {
    assert_eq!(blake3::hash(&bytes_of(input)).to_hex().as_str(), digest, "the example contradicts itself");
    assert_eq!(Digest::of_instance(instance, &value).unwrap().to_string(), digest);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one line an example")]
fn digests_are_those_of_the_specification() {
    check((), "01 00 03", "7ed6e8f7215788abf04c0294b0b9befe771895b67d3374ef42e69f5e9d032b90");
    check(false, "01 00 01", "12056c7c1a2ba15ffa2b43d4574bd1766f17cef0aa88d6bbbb204d6774385a61");
    check(true, "01 00 02", "29c0b021008ee26fa6b3f33ceef075718671985fdc6ca0f013ecfa2914bc47d1");
    check(None::<u8>, "01 00 04", "5918342af59a210c9413c6903b9ed62140fcce505f964fe7ef21a05107119691");
    check(Some(7_u8), "01 00 05 18 07", "f7c3a86f4d39e3db949ac3d0b216489ad906605ad124468c8b11108e3a13c835");
    check(Some(None::<u8>), "01 00 05 04", "adccc2f2791bb450323f1074c4712c4e7731694eb3bc5b73968bfe4a46527a02");
    check(-2_i8, "01 00 10 fe", "40b119eefbd41e5c61495f8a085ec4d66f5c508c756f9d8b2ac9236cf032bcbe");
    check(-2_i16, "01 00 11 feff", "55c5b8082088015e7516125286fb2cff8cb78de95cb76af4eec17af0b9cbdef0");
    check(-2_i32, "01 00 12 feffffff", "67d1acc12fec3ce0ca92be002094d61d8990ea4cb93d51640ea49ced4ec59d83");
    check(-2_i64, "01 00 13 feffffffffffffff", "1a134edf529bbfd2e1f2acc33bc11cada6fc398045c463b9c1552631d8e20725");
    check(
        -2_i128,
        "01 00 14 feffffffffffffffffffffffffffffff",
        "2317a38b83c046b4025985c6b9d6b9a82502ef1318e0a497a4dbd3dbe3e4785d",
    );
    check(1_u8, "01 00 18 01", "bcc7ced395b880dcb7080d36651c1539ff7f05b5d2740f7ccb26bd72fa0016cc");
    check(258_u16, "01 00 19 0201", "d3406e2fb7d2cff88d7db8ec1f93864e637f78141efd395c9141eade702922e1");
    check(1_u32, "01 00 1a 01000000", "7db05625a4c6d769fed14cbdbed58d2352113c4bba7524b295840cd1e6b689f4");
    check(1_u64, "01 00 1b 0100000000000000", "60a4314111e16bbb152a4ee13d545ee4631d5d3f9750076fb0fef33ab2b86d46");
    check(
        1_u128,
        "01 00 1c 01000000000000000000000000000000",
        "c4b8ac84a39f93a6764f55a12758508153f49a393300cdec31a7fc5d02a34af7",
    );
    check(1.5_f32, "01 00 20 0000c03f", "3cbe556b409b56c013b97b457de90dfc0627e6e00f1d1e10fb8b837de08970a0");
    check(0.0_f64, "01 00 21 0000000000000000", "85622fa61bd64011a8a466201286d70bb94e41bdf0d4b51c349dc4c7e435c48f");
    check(-0.0_f64, "01 00 21 0000000000000080", "0529838a185da2db47a53190c93a8c451723ec0a183c01a4456dea4e1bc824ae");
    check('\u{e9}', "01 00 22 e9000000", "4a22da6c8ecbe9ae8a86f227dbe2f031e4d3e131769bd60d2f75cff9c1ea004a");
    check("1", "01 00 23 0100000000000000 31", "ed4dfd3e9a8cb0e40504ec2e9311f0fe2b8d66643cb4d470160f71a9e251f3da");
    check(
        "caf\u{e9}",
        "01 00 23 0500000000000000 636166c3a9",
        "02ec0d67088604e6d2488ed561cc5d5e1223e33cda57346baaa0274af302cb22",
    );
    check(
        Bytes(&[1, 2]),
        "01 00 24 0200000000000000 0102",
        "aac2a1a6d3a31c305bb124686c284a525950f04e459a46ee9770a6625f892f48",
    );
    check(Vec::<u8>::new(), "01 00 30 00", "6d526523c0f2d82a96ffc6cd7c7914fda17b3134403e27746c72320421e21839");
    check(vec![1_u8, 2], "01 00 30 1801 1802 00", "24c4bf8550642a470522e90a2f415629270be1c95341f509127d9121b6c76c63");
    check(
        (1_u64,),
        "01 00 31 1b0100000000000000 00",
        "d5178e0bc523cde2a8155e6cea806a86b29efd628d5d47f1d44cb9aa82bf964f",
    );
    check(
        ("ab", "c"),
        "01 00 31 23 0200000000000000 6162 23 0100000000000000 63 00",
        "9dea9d963bf31095667201de48161718ddfa030a8e00a13ab4b508ea46d1c49e",
    );
    check(
        ("a", "bc"),
        "01 00 31 23 0100000000000000 61 23 0200000000000000 6263 00",
        "a9cfd3f4a86b79daa49acf9b3b5f3c93e4560015a1d3ee8051e90e30a94c6e8b",
    );
    check(
        BTreeMap::from([("b", 2_u64), ("a", 1)]),
        "01 00 32 0200000000000000 27a4fa853cc49c670ef7dba3dc497da5979e2f6955db0d55f74ff95519e1d46d 6049afe824cbbf7ef962e544e94524ac36e24d0c5c2da31391f25c871c4d1c31",
        "b931e69ad579dd3e4488c3049d71dae0029b2a0ed6c81b1141a98dea231c37e1",
    );
    check(
        HashMap::from([("a", 1_u64), ("b", 2)]),
        "01 00 32 0200000000000000 27a4fa853cc49c670ef7dba3dc497da5979e2f6955db0d55f74ff95519e1d46d 6049afe824cbbf7ef962e544e94524ac36e24d0c5c2da31391f25c871c4d1c31",
        "b931e69ad579dd3e4488c3049d71dae0029b2a0ed6c81b1141a98dea231c37e1",
    );
    check(
        OrderMap(vec![("b", 2_u64), ("a", 1)]),
        "01 00 34 23 0100000000000000 62 1b 0200000000000000 23 0100000000000000 61 1b 0100000000000000 00",
        "a29a1cd3f295c0e3d87c433780ae5178a67bee88963784d679b0a0c0bf4b0c96",
    );
    check(
        HashSet::from([3_u8, 1, 2]),
        "01 00 33 0300000000000000 9bb33f3ecf7c5e4445ce095dea4371f558b05506b7bd9b05201b16c3abc64177 d021c970a05c2a37b265300ce0008dccdad638223dd16e03b7601fd39e4df237 f0822221ce2dc28f098e9fa464f25d59d35185b15f3d4f90863c9777076d97e0",
        "29a276e641e486e77327c240e56a090a3791b709d794986ed72096f83514e0c7",
    );
    check(
        (1_u8, HashSet::<u8>::new()),
        "01 00 31 1801 33 0000000000000000 00",
        "d4f7c8e382f37a390a9a426f00d706df187dd57c5e6eb11260996c50e1634913",
    );
    check(
        Marker,
        "01 00 40 0600000000000000 4d61726b6572",
        "cfb4e3dc6d846b236dd758c8313ae492f986d830b75a9c5707fa944e117d632d",
    );
    check(Meters(5_u8), "01 00 18 05", "898cc13946edebf71139020329a5c56ba03881c7eaeff124c6878fed7f598dc7");
    check(
        Pair(1, true),
        "01 00 41 0400000000000000 50616972 1801 02 00",
        "be7abbf596746c8b95cccd2db76d7517a84ef5f673371382284441cfd6767040",
    );
    check(
        Point { x: 1, y: -1 },
        "01 00 42 0500000000000000 506f696e74 43 0100000000000000 78 12 01000000 43 0100000000000000 79 12 ffffffff 00",
        "74b4be7607787b02dfea1f2eb512adb2e0d08cb2bedce51cf7a1316717e0a93c",
    );
    check(
        Shape::Dot,
        "01 00 50 0500000000000000 5368617065 0300000000000000 446f74",
        "dd7f522348e2b9caa11e06e6a82e29707010a03cc6dce759422c0892ab8f72e4",
    );
    check(
        Shape::Circle(2),
        "01 00 51 0500000000000000 5368617065 0600000000000000 436972636c65 1a 02000000",
        "113909824005b9475a54b159d1623b850e0e8f74959a17262c9ee6b896aeed33",
    );
    check(
        Shape::Line(1, 2),
        "01 00 52 0500000000000000 5368617065 0400000000000000 4c696e65 1801 1802 00",
        "d4fc0c6571e4edcd90f8b4f708b7dd649620f877ad37d6aea5a41b840473211e",
    );
    check(
        Shape::Box { w: 3 },
        "01 00 53 0500000000000000 5368617065 0300000000000000 426f78 43 0100000000000000 77 1803 00",
        "0ca4e6a93a6096a8399236a1192bb59f60f256bc0486fa5e41c75cc262bd521e",
    );
    check_instance(
        "u8",
        1_u8,
        "01 01 0200000000000000 7538 18 01",
        "b5e577676a61b7bdaaaac304734e84c72e436563582335650b459665041ba750",
    );
    check_instance(
        "",
        1_u8,
        "01 01 0000000000000000 18 01",
        "ad0f296756f77b42f7ed334b12dacbd725bdd251a8c16a7c91e956c08544be72",
    );
}

#[test]
fn texts_are_those_of_the_specification() {
    let key = Prefix::new("shop::price", 2).key(&Digest::of(&1_u64).unwrap());
    assert_eq!(key.text(), "memo:shop/price:2:60a4314111e16bbb152a4ee13d545ee4631d5d3f9750076fb0fef33ab2b86d46");
    assert_eq!(Prefix::new("a:::b", 0).as_str(), "memo:a/%3Ab:0:");
    assert_eq!(Prefix::new("", 0).as_str(), "memo::0:");
    let plain = "a".repeat(128);
    assert_eq!(Prefix::new(&plain, 0).as_str(), format!("memo:{plain}:0:"));
    let long = format!("memo:{}~1431d92bd2d292bbd1dd48fbbf133168:0:", "a".repeat(95));
    assert_eq!(Prefix::new(&"a".repeat(129), 0).as_str(), long);
    // 95 is inside the second byte's escape of the sixteenth letter: 93 bytes are 31 whole escapes.
    let accents = format!("memo:{}%C3~3817ff566bcb3d0833e096427bda2197:0:", "%C3%A9".repeat(15));
    assert_eq!(Prefix::new(&"\u{e9}".repeat(50), 0).as_str(), accents);
    let module = format!("memo:m/{}~cb51a1ca75d1c6cffcd595300bd58067:0:", "x".repeat(93));
    assert_eq!(Prefix::new(&format!("m::{}", "x".repeat(200)), 0).as_str(), module);
}
