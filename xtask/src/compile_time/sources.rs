//! The crates that are measured: the same functions, cached in different ways.

use std::fmt::Write as _;

/// How the functions of a crate are cached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Not at all: what the functions themselves cost.
    Plain,
    ByHand,
    Memokit,
    Cached,
}

impl Way {
    pub(super) const ALL: [Way; 4] = [Way::Plain, Way::ByHand, Way::Memokit, Way::Cached];

    /// The package's name.
    pub(super) fn package(self) -> &'static str {
        match self {
            Way::Plain => "plain",
            Way::ByHand => "by-hand",
            Way::Memokit => "memokit-user",
            Way::Cached => "cached-user",
        }
    }

    /// What the table calls it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Way::Plain => "not cached",
            Way::ByHand => "quick_cache by hand",
            Way::Memokit => "memokit",
            Way::Cached => "cached",
        }
    }
}

/// A kind of function that users write. `V` stands for one of [`VALUES`] structs.
struct Shape {
    is_async: bool,
    is_method: bool,
    arguments: &'static [(&'static str, &'static str)],
    returns: &'static str,
    body: &'static str,
    /// The owned key as one would write it, and the value that is stored.
    key: &'static str,
    to_key: &'static str,
    value: &'static str,
}

const SHAPES: [Shape; 10] = [
    free(&[("id", "u64")], "u64", "id.rotate_left(7) ^ SEED", "u64", "id", "u64"),
    free(&[("id", "u64")], "V", "V::new(id, \"x\")", "u64", "id", "V"),
    free(
        &[("name", "&str"), ("id", "u64")],
        "String",
        "format!(\"{name}-{}\", id ^ SEED)",
        "(String, u64)",
        "(name.to_owned(), id)",
        "String",
    ),
    free(
        &[("name", "Option<&str>")],
        "usize",
        "name.map_or(SEED as usize, str::len)",
        "Option<String>",
        "name.map(str::to_owned)",
        "usize",
    ),
    free(&[("bytes", "&[u8]")], "V", "V::new(bytes.len() as u64, \"b\")", "Vec<u8>", "bytes.to_vec()", "V"),
    free(
        &[("id", "u64")],
        "Result<V, String>",
        "if id == SEED { Err(format!(\"no {id}\")) } else { Ok(V::new(id, \"r\")) }",
        "u64",
        "id",
        "V",
    ),
    free(
        &[("text", "&str")],
        "Result<u64, std::num::ParseIntError>",
        "text.parse::<u64>().map(|number| number ^ SEED)",
        "String",
        "text.to_owned()",
        "u64",
    ),
    Shape { is_async: true, ..free(&[("id", "u64")], "V", "V::new(id, \"t\")", "u64", "id", "V") },
    Shape {
        is_async: true,
        ..free(
            &[("name", "&str"), ("id", "u64")],
            "Result<String, String>",
            "if id == SEED { Err(format!(\"no {id}\")) } else { Ok(name.to_owned()) }",
            "(String, u64)",
            "(name.to_owned(), id)",
            "String",
        )
    },
    Shape {
        is_method: true,
        ..free(&[("id", "u64")], "V", "V::new(id ^ self.tenant, \"m\")", "(Shop, u64)", "(self.clone(), id)", "V")
    },
];

const fn free(
    arguments: &'static [(&'static str, &'static str)],
    returns: &'static str,
    body: &'static str,
    key: &'static str,
    to_key: &'static str,
    value: &'static str,
) -> Shape {
    Shape { is_async: false, is_method: false, arguments, returns, body, key, to_key, value }
}

/// How many value types the crate has.
const VALUES: usize = 20;

/// The `lib.rs` of a crate with this many functions.
pub(super) fn library(way: Way, functions: usize) -> String {
    let mut text = String::from("//! Made by `cargo xtask compile-time`.\n\n");
    match way {
        Way::Plain => {}
        Way::ByHand => text.push_str("use quick_cache::sync::Cache;\nuse std::sync::LazyLock;\n\n"),
        Way::Memokit => text.push_str("use memokit::cached;\n\n"),
        Way::Cached => text.push_str("use cached::macros::cached;\n\n"),
    }
    text.push_str("#[derive(Clone, PartialEq, Eq, Hash)]\npub struct Shop {\n    pub tenant: u64,\n}\n\n");
    for number in 0..VALUES {
        let _ = writeln!(
            text,
            "#[derive(Clone)]\npub struct Value{number} {{\n    pub id: u64,\n    pub name: String,\n}}\n\n\
             impl Value{number} {{\n    fn new(id: u64, name: &str) -> Self {{\n        Value{number} {{ id, name: name.to_owned() }}\n    }}\n}}\n"
        );
    }
    for number in 0..functions {
        let shape = &SHAPES[number % SHAPES.len()];
        let function = function(way, shape, number);
        // Several attributes of one value type, as in a real crate; each meets all shapes.
        let value = format!("Value{}", number / SHAPES.len() % VALUES);
        text.push_str(&fill(&function, &value, number));
    }
    text
}

/// Puts the value type and the function's number where the shapes leave room for them.
fn fill(text: &str, value: &str, number: usize) -> String {
    let mut filled = String::new();
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    for word in text.split_inclusive(|character| !is_word(character)) {
        let (name, rest) = word.split_at(word.trim_end_matches(|character| !is_word(character)).len());
        match name {
            "V" => filled.push_str(value),
            "SEED" => {
                let _ = write!(filled, "{number}_u64");
            }
            _ => filled.push_str(name),
        }
        filled.push_str(rest);
    }
    filled
}

fn function(way: Way, shape: &Shape, number: usize) -> String {
    let asyncness = if shape.is_async { "async " } else { "" };
    let awaited = if shape.is_async { ".await" } else { "" };
    let this = if shape.is_method { "&self, " } else { "" };
    let typed: Vec<String> = shape.arguments.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
    let typed = typed.join(", ");
    let names: Vec<&str> = shape.arguments.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    let Shape { returns, body, key, to_key, value, .. } = shape;
    let head = format!("pub {asyncness}fn f{number}({this}{typed}) -> {returns}");
    let items = match way {
        Way::Plain => format!("{head} {{\n    {body}\n}}\n"),
        Way::Memokit => {
            let invalidate = match shape.is_method {
                true => format!("self.f{number}_invalidate"),
                false => format!("f{number}::invalidate"),
            };
            // Companions cost something where they are called, so the one that by hand has is called here.
            format!(
                "#[cached]\n{head} {{\n    {body}\n}}\n\n\
                 pub fn invalidate{number}({this}{typed}) -> bool {{\n    {invalidate}({names})\n}}\n"
            )
        }
        Way::Cached => {
            let is_plain_key = shape.arguments.iter().all(|(_, ty)| !ty.contains('&')) && !shape.is_method;
            let options = match (is_plain_key, shape.is_method) {
                (true, _) => String::new(),
                (false, false) => format!("(key = \"{key}\", convert = {{ {to_key} }})"),
                (false, true) => format!("(in_impl = true, key = \"{key}\", convert = {{ {to_key} }})"),
            };
            format!("#[cached{options}]\n{head} {{\n    {body}\n}}\n")
        }
        Way::ByHand => {
            let call = if shape.is_method { format!("self.load{number}") } else { format!("load{number}") };
            let is_result = returns.starts_with("Result<");
            let (found, asked, ending) = match is_result {
                true => ("Ok(found)", "?", "Ok(value)"),
                false => ("found", "", "value"),
            };
            format!(
                "static CACHE{number}: LazyLock<Cache<{key}, {value}>> = LazyLock::new(|| Cache::new(10_000));\n\n\
                 {head} {{\n    let key = {to_key};\n    if let Some(found) = CACHE{number}.get(&key) {{\n        \
                 return {found};\n    }}\n    let value = {call}({names}){awaited}{asked};\n    \
                 CACHE{number}.insert(key, value.clone());\n    {ending}\n}}\n\n\
                 pub fn invalidate{number}({this}{typed}) -> bool {{\n    CACHE{number}.remove(&{to_key}).is_some()\n}}\n\n\
                 {asyncness}fn load{number}({this}{typed}) -> {returns} {{\n    {body}\n}}\n"
            )
        }
    };
    if shape.is_method {
        // A `static` can't stand in an `impl` block.
        let (outside, inside) = match items.strip_prefix("static ") {
            Some(_) => items.split_once("\n\n").unwrap_or(("", &items)),
            None => ("", items.as_str()),
        };
        format!("{outside}\nimpl Shop {{\n{inside}}}\n\n")
    } else {
        items + "\n"
    }
}
