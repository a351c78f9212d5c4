//! The rules about options alone: what they contradict, and what they need.

use crate::args::{Options, SingleFlight, closure};
use crate::errors::Errors;
use proc_macro2::Span;

/// Finds what is wrong with the options, whatever the function is.
pub(crate) fn check(options: &Options, errors: &mut Errors) {
    if let Some(cache) = &options.cache
        && !cfg!(feature = "shared")
    {
        errors.at_span(
            cache.name,
            "`cache` needs a feature of the memokit crate: `file` or `redis` for those backends, or `shared` for a \
             cache of your own",
        );
    }
    if options.cache.is_none() {
        let needs = "needs a shared level: add `cache = …`, or remove it";
        if let Some(codec) = &options.codec {
            errors.at_span(codec.name, format!("`codec` {needs}"));
        }
        if let Some(local) = options.local.as_ref().filter(|local| !local.value) {
            errors.at_span(local.name, format!("`local = false` {needs}"));
        }
        if let Some(timeout) = &options.local_timeout {
            errors.at_span(timeout.name, format!("`local_timeout` {needs}, or use `timeout`"));
        }
        if let Some(fleet) = options.single_flight.as_ref().filter(|given| given.value == SingleFlight::Fleet) {
            errors.at_span(fleet.name, format!("`single_flight = \"fleet\"` {needs}"));
        }
    } else if !options.has_local() {
        let contradicts = "contradicts `local = false`: there is no local level to bound";
        if let Some(capacity) = &options.capacity {
            errors.at_span(capacity.name, format!("`capacity` {contradicts}"));
        }
        if let Some(weigh) = &options.weigh {
            errors.at_span(weigh.name, format!("`weigh` {contradicts}"));
        }
        if let Some(timeout) = &options.local_timeout {
            errors.at_span(timeout.name, format!("`local_timeout` {contradicts}"));
        }
        if let Some(hook) = &options.on_evict {
            errors.at_span(hook.name, "`on_evict` contradicts `local = false`: there is no local level to leave");
        }
    }
    hooks(options, errors);
    if let (Some(_), Some(timeout)) = (&options.timeout, &options.timeout_with) {
        errors.at_span(
            timeout.name,
            "`timeout_with` contradicts `timeout`: it says of each value how long that is fresh, so keep one of them",
        );
    }
    if let Some(timeout) = &options.err_timeout
        && !options.stores_errors()
    {
        errors.at_span(
            timeout.name,
            "`err_timeout` is about errors that are stored: add `cache_err = true` or `cache_err = |error| …`",
        );
    }
    if let (Some(timeout), true, None) = (&options.timeout_with, options.stores_errors(), &options.err_timeout) {
        errors.at_span(
            timeout.name,
            "`timeout_with` says how long values are fresh, and nothing says it of the errors that `cache_err` stores: \
             add `err_timeout = …`",
        );
    }
    weights(options, errors);
    eviction(options, errors);
    thread_scope(options, errors);
    if let Some(capacity) = &options.capacity
        && let syn::Expr::Lit(literal) = &capacity.value
        && let syn::Lit::Int(entries) = &literal.lit
        && entries.base10_digits() == "0"
    {
        errors.at(entries, "a capacity of zero stores nothing: give at least 1, or leave it out for no bound");
    }
    if let (Some(_), Some(ignore)) = (&options.key, &options.ignore) {
        errors.at_span(ignore.name, "`ignore` contradicts `key`, which already says what the key is: keep one of them");
    }
    guard(options, errors);
}

/// Of a closure the parameters can be counted; of a path the compiler checks the type.
fn hooks(options: &Options, errors: &mut Errors) {
    let told = [
        (&options.on_hit, "the arguments as a tuple, and the value: `|call, (a, b), value| …`"),
        (&options.on_miss, "the arguments as a tuple, and the value: `|call, (a, b), value| …`"),
        (&options.on_error, "the error, and the arguments as a tuple: `|call, error, (a, b)| …`"),
        (&options.on_evict, "the key as a tuple, and the value: `|call, (a, b), value| …`"),
    ];
    for (hook, rest) in told {
        if let Some(hook) = hook
            && let Some(closure) = closure(&hook.value)
            && !(1..=3).contains(&closure.inputs.len())
        {
            let found = closure.inputs.len();
            let message = format!(
                "a hook has one to three parameters, and this closure has {found}: `|call| …`, a `&CallInfo`; or, if it \
                 wants them, {rest}"
            );
            errors.at(closure, message);
        }
    }
}

/// A guard stores no value, so nothing can be said of one.
fn guard(options: &Options, errors: &mut Errors) {
    if !options.is_guard() {
        return;
    }
    let of_values = [
        ("timeout_with", options.timeout_with.as_ref().map(|given| given.name)),
        ("cache_if", options.cache_if.as_ref().map(|given| given.name)),
        ("cache_none", options.cache_none.as_ref().map(|given| given.name)),
        ("cache_err", options.cache_err.as_ref().filter(|_| options.stores_errors()).map(|given| given.name)),
        ("valid_if", options.valid_if.as_ref().map(|given| given.name)),
        ("verify", options.verify.as_ref().map(|given| given.name)),
        ("weigh", options.weigh.as_ref().map(|given| given.name)),
        ("max_weight", options.max_weight.as_ref().map(|given| given.name)),
        ("codec", options.codec.as_ref().map(|given| given.name)),
    ];
    for (option, span) in of_values {
        if let Some(span) = span {
            errors.at_span(span, format!("`{option}` contradicts `store_result = false`: there is no stored value"));
        }
    }
    if let Some(single_flight) = &options.single_flight {
        let message = match single_flight.value {
            SingleFlight::Off => {
                "`single_flight = false` contradicts `store_result = false`, which lets the body run once"
            }
            SingleFlight::Fleet => {
                "`single_flight = \"fleet\"` is of no use with `store_result = false`, whose mark lets the body run once in \
                 all processes: remove it"
            }
            SingleFlight::Process => return,
        };
        errors.at_span(single_flight.name, message);
    }
}

/// `weigh` says what an entry weighs and `max_weight` how much all may weigh: neither is of use without the other.
fn weights(options: &Options, errors: &mut Errors) {
    match (&options.weigh, &options.max_weight) {
        (Some(weigh), None) => errors.at_span(
            weigh.name,
            "`weigh` needs a bound: add `max_weight = …`, in the unit of what `weigh` returns, or use `capacity` to \
             bound the number of entries",
        ),
        (None, Some(max_weight)) => errors.at_span(
            max_weight.name,
            "`max_weight` needs to know what an entry weighs: add `weigh = |value| …`, or use `capacity` to bound the \
             number of entries",
        ),
        _ => {}
    }
    if let (Some(capacity), Some(_)) = (&options.capacity, options.weigh.as_ref().or(options.max_weight.as_ref())) {
        errors.at_span(capacity.name, "`capacity` contradicts `max_weight`, which is a bound too: keep one of them");
    }
    if let Some(max_weight) = &options.max_weight
        && let syn::Expr::Lit(literal) = &max_weight.value
        && let syn::Lit::Int(weight) = &literal.lit
        && weight.base10_digits() == "0"
    {
        errors.at(weight, "a bound of zero stores nothing: give the weight of at least one entry");
    }
}

/// What is evicted is a matter of local levels that have a bound and are all there is.
fn eviction(options: &Options, errors: &mut Errors) {
    let Some(evict) = &options.evict else { return };
    if options.cache.is_some() {
        errors.at_span(
            evict.name,
            "`evict` contradicts `cache`: what goes from this process is fetched from the shared level and not loaded \
             again, whatever it cost",
        );
    } else if options.capacity.is_none() && options.max_weight.is_none() {
        errors.at_span(
            evict.name,
            "`evict` needs a bound, or nothing is evicted: add `capacity = …`, or `max_weight = …` with `weigh`",
        );
    }
    if options.is_guard() {
        errors.at_span(
            evict.name,
            "`evict` contradicts `store_result = false`: a mark that goes early lets the body run again",
        );
    }
}

/// A memo of one thread has nothing to do with others.
fn thread_scope(options: &Options, errors: &mut Errors) {
    if options.scope.is_none() {
        return;
    }
    let mut refuse = |name: Option<Span>, option: &str, reason: &str| {
        if let Some(name) = name {
            errors.at_span(name, format!("`{option}` contradicts `scope = \"thread\"`: {reason}"));
        }
    };
    let shared = "what one thread has for itself has no shared level";
    refuse(options.cache.as_ref().map(|given| given.name), "cache", shared);
    let alone = "in one thread there are no callers to wait for";
    refuse(options.single_flight.as_ref().map(|given| given.name), "single_flight", alone);
    let prefix = "entries of a thread are shared with no other function";
    refuse(options.prefix.as_ref().map(|given| given.name), "prefix", prefix);
    refuse(
        options.version.as_ref().map(|given| given.name),
        "version",
        "entries of a thread don't outlive the program",
    );
    let weight = "bound each thread's entries with `capacity`";
    refuse(options.weigh.as_ref().map(|given| given.name), "weigh", weight);
    refuse(options.max_weight.as_ref().map(|given| given.name), "max_weight", weight);
    let absent = "it is there for entries that threads share only";
    refuse(options.evict.as_ref().map(|given| given.name), "evict", absent);
    refuse(options.on_evict.as_ref().map(|given| given.name), "on_evict", absent);
    refuse(options.cache_err.as_ref().map(|given| given.name), "cache_err", absent);
    refuse(options.verify.as_ref().map(|given| given.name), "verify", absent);
    refuse(options.store_result.as_ref().map(|given| given.name), "store_result", absent);
}
