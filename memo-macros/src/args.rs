//! The options of the attribute, typed, with their spans.

mod values;

pub(crate) use values::{closure, ungrouped};

use self::values::{
    argument, errors_to_store, evict, ident, names, path, scope, share, single_flight, source, tags, text, time,
    yes_or_no,
};
use crate::errors::{Errors, list, nearest};
use crate::parse::{Given, Pair, Pairs};
use proc_macro2::TokenStream;
use quote::quote;
use std::time::Duration;
use syn::{Expr, Ident, LitStr, Path};

/// Every option there is, in the order of the documentation.
pub(crate) const NAMES: [&str; 34] = [
    "timeout",
    "timeout_with",
    "prefix",
    "version",
    "tags",
    "ignore",
    "key",
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
    "on_hit",
    "on_miss",
    "on_error",
    "on_evict",
    "bypass",
    "refresh",
    "cache_if",
    "cache_none",
    "cache_err",
    "err_timeout",
    "valid_if",
    "verify",
    "store_result",
    "single_flight",
    "scope",
    "companion",
    "crate",
];

/// The options as they were given.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) timeout: Option<Given<Time>>,
    pub(crate) timeout_with: Option<Given<Expr>>,
    pub(crate) prefix: Option<Given<LitStr>>,
    pub(crate) version: Option<Given<Expr>>,
    pub(crate) tags: Option<Given<Vec<Expr>>>,
    pub(crate) ignore: Option<Given<Vec<Ident>>>,
    pub(crate) key: Option<Given<Expr>>,
    pub(crate) extra: Option<Given<Expr>>,
    pub(crate) each: Option<Given<Ident>>,
    pub(crate) cache: Option<Given<CacheSource>>,
    pub(crate) local: Option<Given<bool>>,
    pub(crate) local_timeout: Option<Given<Time>>,
    pub(crate) codec: Option<Given<Path>>,
    pub(crate) capacity: Option<Given<Expr>>,
    pub(crate) weigh: Option<Given<Expr>>,
    pub(crate) max_weight: Option<Given<Expr>>,
    pub(crate) evict: Option<Given<()>>,
    pub(crate) on_hit: Option<Given<Expr>>,
    pub(crate) on_miss: Option<Given<Expr>>,
    pub(crate) on_error: Option<Given<Expr>>,
    pub(crate) on_evict: Option<Given<Expr>>,
    pub(crate) bypass: Option<Given<Expr>>,
    pub(crate) refresh: Option<Given<Expr>>,
    pub(crate) cache_if: Option<Given<Expr>>,
    pub(crate) cache_none: Option<Given<bool>>,
    pub(crate) cache_err: Option<Given<CacheErr>>,
    pub(crate) err_timeout: Option<Given<Time>>,
    pub(crate) valid_if: Option<Given<Expr>>,
    pub(crate) verify: Option<Given<Expr>>,
    pub(crate) store_result: Option<Given<bool>>,
    pub(crate) single_flight: Option<Given<SingleFlight>>,
    pub(crate) scope: Option<Given<()>>,
    pub(crate) companion: Option<Given<Ident>>,
    pub(crate) krate: Option<Given<Path>>,
    /// The names of all that were given.
    pub(crate) names: Vec<Ident>,
}

/// A span of time.
pub(crate) enum Time {
    /// Known now.
    Known(Duration),
    /// An expression of type `Duration`.
    Computed(Expr),
}

/// `cache = …`
pub(crate) enum CacheSource {
    Named(LitStr),
    Computed(Expr),
}

/// `single_flight = …`
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum SingleFlight {
    Off,
    /// Callers of this process share a load.
    Process,
    /// One process of all that share the cache loads at a time.
    Fleet,
}

/// `cache_err = …`
pub(crate) enum CacheErr {
    All,
    None,
    /// Those that a predicate names.
    Some(Expr),
}

impl Options {
    /// Whether there are errors that are stored.
    pub(crate) fn stores_errors(&self) -> bool {
        self.cache_err.as_ref().is_some_and(|cache_err| !matches!(cache_err.value, CacheErr::None))
    }

    /// Whether only that the body ran is stored.
    pub(crate) fn is_guard(&self) -> bool {
        self.store_result.as_ref().is_some_and(|store_result| !store_result.value)
    }

    /// Whether this is the argument that holds ids.
    pub(crate) fn is_ids(&self, argument: &Ident) -> bool {
        self.each.as_ref().is_some_and(|each| each.value == *argument)
    }

    /// The path of the crate in generated code.
    pub(crate) fn krate(&self) -> TokenStream {
        match &self.krate {
            Some(path) => {
                let path = &path.value;
                quote!(#path)
            }
            None => quote!(::memokit),
        }
    }

    /// Whether there is a local level.
    pub(crate) fn has_local(&self) -> bool {
        self.local.as_ref().is_none_or(|local| local.value)
    }
}

/// Reads the options; what can't be read goes to `errors` and is left out.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Options {
    let mut options = Options::default();
    let pairs = match syn::parse2::<Pairs>(tokens) {
        Ok(Pairs(pairs)) => pairs,
        Err(error) => {
            errors.push(error);
            return options;
        }
    };
    for pair in pairs {
        match pair {
            Ok(pair) => options.take(pair, errors),
            Err(error) => errors.push(error),
        }
    }
    options
}

impl Options {
    fn take(&mut self, Pair { name, value }: Pair, errors: &mut Errors) {
        self.names.push(name.clone());
        match name.to_string().as_str() {
            "timeout" => put(&mut self.timeout, &name, time(&value), errors),
            "timeout_with" => put(&mut self.timeout_with, &name, Ok(value), errors),
            "prefix" => put(&mut self.prefix, &name, text(&value), errors),
            "version" => put(&mut self.version, &name, Ok(value), errors),
            "tags" => put(&mut self.tags, &name, tags(&value), errors),
            "ignore" => put(&mut self.ignore, &name, names(&value), errors),
            "key" => put(&mut self.key, &name, Ok(value), errors),
            "extra" => put(&mut self.extra, &name, Ok(value), errors),
            "each" => put(&mut self.each, &name, argument(&value), errors),
            "cache" => put(&mut self.cache, &name, Ok(source(value)), errors),
            "local" => put(&mut self.local, &name, yes_or_no(&value), errors),
            "local_timeout" => put(&mut self.local_timeout, &name, time(&value), errors),
            "codec" => put(&mut self.codec, &name, path(&value), errors),
            "capacity" => put(&mut self.capacity, &name, Ok(value), errors),
            "weigh" => put(&mut self.weigh, &name, Ok(value), errors),
            "max_weight" => put(&mut self.max_weight, &name, Ok(value), errors),
            "evict" => put(&mut self.evict, &name, evict(&value), errors),
            "on_hit" => put(&mut self.on_hit, &name, Ok(value), errors),
            "on_miss" => put(&mut self.on_miss, &name, Ok(value), errors),
            "on_error" => put(&mut self.on_error, &name, Ok(value), errors),
            "on_evict" => put(&mut self.on_evict, &name, Ok(value), errors),
            "bypass" => put(&mut self.bypass, &name, Ok(value), errors),
            "refresh" => put(&mut self.refresh, &name, Ok(value), errors),
            "cache_if" => put(&mut self.cache_if, &name, Ok(value), errors),
            "cache_none" => put(&mut self.cache_none, &name, yes_or_no(&value), errors),
            "cache_err" => put(&mut self.cache_err, &name, errors_to_store(value), errors),
            "err_timeout" => put(&mut self.err_timeout, &name, time(&value), errors),
            "valid_if" => put(&mut self.valid_if, &name, Ok(value), errors),
            "verify" => put(&mut self.verify, &name, share(value), errors),
            "store_result" => put(&mut self.store_result, &name, yes_or_no(&value), errors),
            "single_flight" => put(&mut self.single_flight, &name, single_flight(&value), errors),
            "scope" => put(&mut self.scope, &name, scope(&value), errors),
            "companion" => put(&mut self.companion, &name, ident(&value), errors),
            "crate" => put(&mut self.krate, &name, path(&value), errors),
            "result" => errors.at(&name, "there is no `result`, and no need of one: of a `Result` only the `Ok` is stored, unless `cache_err` says otherwise"),
            "option" => errors.at(&name, "there is no `option`: `cache_none = false` does not store `None`"),
            wrong => {
                let meant = match familiar(wrong).or_else(|| nearest(wrong, NAMES)) {
                    Some(meant) => format!("did you mean `{meant}`? "),
                    None => String::new(),
                };
                errors.at(&name, format!("unknown option `{wrong}`: {meant}the options are {}", list(&NAMES)));
            }
        }
    }
}

/// What other caches call an option.
fn familiar(wrong: &str) -> Option<&'static str> {
    Some(match wrong {
        "ttl" | "ttl_secs" | "ttl_millis" | "time" | "time_to_live" | "expires" | "expire" | "lifetime"
        | "duration" => "timeout",
        "size" | "max_size" | "max_capacity" | "maxsize" | "max_entries" | "limit" => "capacity",
        "skip" | "args_to_ignore" | "exclude" => "ignore",
        "backend" | "store" | "cache_alias" | "redis" | "disk" => "cache",
        "unless" => "bypass",
        "forced_update" | "force_refresh" | "nocache" => "refresh",
        "weigher" | "weight" => "weigh",
        "max_bytes" | "weight_capacity" => "max_weight",
        "hit_callable" => "on_hit",
        "miss_callable" => "on_miss",
        "eviction_listener" | "on_eviction" | "on_remove" => "on_evict",
        "convert" | "args_rewrite" | "key_fn" | "key_generator_callable" => "key",
        "sync_writes" | "lock" | "dog_pile_lock" => "single_flight",
        "batch" | "bulk" | "many" | "multi" => "each",
        "thread_local" | "unsync" | "unsync_reads" => "scope",
        "name" | "key_prefix" | "namespace" | "make_name" | "cache_prefix_block" => "prefix",
        "response_filter" => "cache_if",
        "cache_exceptions" | "cache_errors" => "cache_err",
        "is_stale" | "is_valid" => "valid_if",
        "tag" | "groups" | "depends_on" | "keyed_on" => "tags",
        _ => return None,
    })
}

/// Takes a value, unless the option was given before.
fn put<T>(slot: &mut Option<Given<T>>, name: &Ident, value: syn::Result<T>, errors: &mut Errors) {
    if slot.is_some() {
        errors.at(name, format!("`{name}` is given twice: keep one of them"));
        return;
    }
    match value {
        Ok(value) => *slot = Some(Given { name: name.span(), value }),
        Err(error) => errors.push(error),
    }
}
