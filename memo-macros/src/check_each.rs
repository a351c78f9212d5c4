//! Every rule about `each`.

use crate::args::{Options, SingleFlight};
use crate::errors::{Errors, list, nearest};
use crate::model::{Argument, Model};
use crate::usage::{captures, mentions};
use quote::ToTokens;
use syn::{FnArg, Ident, Pat, Type};

/// Options that say the same of each id as of a call, or that are about the function.
const FITTING: [&str; 23] = [
    "timeout",
    "timeout_with",
    "prefix",
    "version",
    "tags",
    "ignore",
    "extra",
    "each",
    "cache",
    "local",
    "local_timeout",
    "codec",
    "capacity",
    "weigh",
    "max_weight",
    "evict",
    "bypass",
    "refresh",
    "cache_if",
    "cache_none",
    "valid_if",
    "single_flight",
    "companion",
];

/// Finds what is wrong with `each`, and with what stands beside it.
pub(crate) fn check(options: &Options, model: &Model<'_>, errors: &mut Errors) {
    let Some(each) = &options.each else { return };
    argument(&each.value, options, model, errors);
    let returned = model.value().unwrap_or_else(|| model.returned());
    if is_none_of(&returned, &["String", "Option", "Vec", "Box", "Arc", "Rc", "HashSet", "BTreeSet"]) {
        errors.at(
            &returned,
            "`each` needs a map from ids to values: return `HashMap<Id, V>` or `BTreeMap<Id, V>`, or a `Result` of one",
        );
    }
    for name in &options.names {
        let text = name.to_string();
        if !FITTING.contains(&&*text) && text != "crate" && crate::args::NAMES.contains(&&*text) {
            errors.at(name, format!("`{text}` contradicts `each`: {}", reason(&text)));
        }
    }
    if let Some(fleet) = options.single_flight.as_ref().filter(|given| given.value == SingleFlight::Fleet) {
        errors.at_span(
            fleet.name,
            "`single_flight = \"fleet\"` contradicts `each`: processes take turns for one key at a time; cache a function of one \
             id if its loads are so dear",
        );
    }
    if let Some(extra) = &options.extra
        && mentions(extra.value.to_token_stream(), &each.value.to_string())
    {
        errors.at(
            &extra.value,
            format!("`extra` is added to the key of each id, so it can't depend on all of `{}`", each.value),
        );
    }
    for tag in options.tags.iter().flat_map(|tags| &tags.value) {
        if captures(tag.to_token_stream(), &each.value.to_string()) {
            errors.at(
                tag,
                format!(
                    "`tags` are those of each id that the call loads, so they can't depend on all of `{}`: use the other \
                     arguments; single ids are dropped by `invalidate`",
                    each.value
                ),
            );
        }
    }
    if let (Some(timeout), Some(true)) = (&options.timeout_with, options.cache_none.as_ref().map(|none| none.value)) {
        errors.at_span(
            timeout.name,
            "`timeout_with` says how long values are fresh, and nothing says it of the ids without a value that \
             `cache_none = true` stores: use `timeout`, or remove `cache_none`",
        );
    }
}

/// Why an option has no meaning for each of several ids.
fn reason(option: &str) -> &'static str {
    match option {
        "key" => {
            "every id has a key of its own. Leave other arguments out with `ignore = …`, and add to the keys with \
             `extra = …`"
        }
        "cache_err" | "err_timeout" => "an error is that of a whole call, and of none of its ids",
        "on_hit" | "on_miss" | "on_error" | "on_evict" => {
            "hooks are told of calls that have one key. What all ids did is in `stats()`"
        }
        "verify" => "a run of the body for one id is not what the function does. Verify a function of one id",
        "store_result" => "a guard has no values, and so no map of them",
        "scope" => "entries of several ids are there for all threads only",
        _ => "it is there for functions of one key only",
    }
}

/// The argument must be one that can be made anew of some of its ids.
fn argument(name: &Ident, options: &Options, model: &Model<'_>, errors: &mut Errors) {
    let known: Vec<&Argument> = model.arguments.iter().filter(|argument| argument.is_named).collect();
    let Some(argument) = known.iter().find(|argument| argument.ident == *name) else {
        let known: Vec<String> = known.iter().map(|argument| argument.ident.to_string()).collect();
        let text = name.to_string();
        let meant = nearest(&text, known.iter().map(String::as_str));
        let meant = meant.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
        errors.at(name, format!("no argument is named `{text}`: {meant}the arguments are {}", list(&known)));
        return;
    };
    let list = match &argument.ty {
        Type::Reference(reference) => &reference.elem,
        ty => ty,
    };
    if argument.is_of_unnamed_type() || is_none_of(list, &["String", "Option", "HashMap", "BTreeMap"]) {
        errors.at(
            &argument.ty,
            "`each` needs a list that can be made anew of some of its ids: take `&[Id]`, `Vec<Id>`, `HashSet<Id>` or \
             `BTreeSet<Id>`",
        );
    }
    if let Some(ignored) = options.ignore.iter().flat_map(|ignore| &ignore.value).find(|ignored| *ignored == name) {
        errors.at(ignored, format!("`{name}` can't be ignored: `each` makes a key of each of its ids"));
    }
    let is_conditional = |input: &&FnArg| match input {
        FnArg::Typed(typed) => {
            matches!(&*typed.pat, Pat::Ident(pattern) if pattern.ident == *name)
                && typed.attrs.iter().any(|attr| attr.path().is_ident("cfg"))
        }
        FnArg::Receiver(_) => false,
    };
    if let Some(input) = model.original.sig.inputs.iter().find(is_conditional) {
        errors.at(input, "`each` needs its argument always: put the condition on the function");
    }
}

/// Whether a type can be seen to be neither a map nor a list: one of the language, or one of these names. Of a name that
/// may be an alias the compiler finds out.
fn is_none_of(ty: &Type, names: &[&str]) -> bool {
    match ty {
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            let name = last.ident.to_string();
            name.starts_with(|first: char| first.is_ascii_lowercase()) || names.contains(&&*name)
        }),
        Type::Tuple(_) | Type::Array(_) | Type::FnPtr(_) => true,
        _ => false,
    }
}
