//! Every rule about options and functions. It finds mistakes and emits nothing.

use crate::args::{Options, SingleFlight, closure};
use crate::check_each;
use crate::errors::{Errors, list, nearest};
use crate::model::{Model, Place};
use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{FnArg, Lifetime, ReceiverKind, Type, TypeImplTrait, TypeReference};

/// Finds what is wrong with the options, the function, and the two together.
pub(crate) fn check(options: &Options, model: &Model<'_>, errors: &mut Errors) {
    options_alone(options, errors);
    guard(options, errors);
    function_alone(options, model, errors);
    ignored_names(options, model, errors);
    check_each::check(options, model, errors);
}

fn options_alone(options: &Options, errors: &mut Errors) {
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

fn function_alone(options: &Options, model: &Model<'_>, errors: &mut Errors) {
    let signature = &model.original.sig;
    if let Some(constness) = &signature.constness {
        errors.at(constness, "a `const fn` can't be cached: what it returns must not depend on what ran before");
    }
    if let Some(variadic) = &signature.variadic {
        errors.at(variadic, "a variadic function can't be cached");
    }
    if let Some(scope) = &options.scope
        && signature.asyncness.is_some()
    {
        errors.at_span(
            scope.name,
            "`scope = \"thread\"` can't be used on an `async fn`: its task may go on in another thread after each await",
        );
    }
    associated(model, errors);
    returned(model, errors);
    if let Some(cache_err) = options.cache_err.as_ref().filter(|_| options.stores_errors() && never_fails(model)) {
        let message = "`cache_err` needs a function that returns a `Result`: which values are stored is said with \
                       `cache_if = |value| …`";
        errors.at_span(cache_err.name, message);
    }
    run_once(model, errors);
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                let identified = options.key.is_some() || ignores(options, "self");
                let advice = "name what identifies the value with `key = …`, or leave it out with `ignore = self`";
                let taken = self_is_taken(receiver);
                if !identified && matches!(taken, Taken::Mutably) {
                    errors.at(
                        receiver,
                        format!("`&mut self` can't be part of a key, since the call may change it: {advice}"),
                    );
                } else if !identified && matches!(taken, Taken::Value) {
                    errors.at(receiver, format!("`self` by value can't be part of a key: take `&self`, {advice}"));
                }
            }
            FnArg::Typed(typed) => {
                if let Type::Reference(TypeReference { mutability: Some(_), .. }) = &*typed.ty
                    && options.key.is_none()
                    && !argument_ignored(options, &typed.pat)
                {
                    errors.at(
                        &typed.ty,
                        "a `&mut` argument can't be part of a key, since the call may change it: leave it out with \
                         `ignore = …`, or name the key with `key = …`",
                    );
                }
            }
        }
    }
}

/// Whether a return type can be seen not to be a `Result`. Of a name that may be an alias the compiler finds out.
fn never_fails(model: &Model<'_>) -> bool {
    match model.returned() {
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            let name = last.ident.to_string();
            let is_primitive = name.starts_with(|first: char| first.is_ascii_lowercase());
            is_primitive || ["String", "Option", "Vec", "Box", "Arc", "Rc", "HashMap", "BTreeMap"].contains(&&*name)
        }),
        Type::Tuple(_) | Type::Array(_) | Type::Reference(_) | Type::FnPtr(_) => true,
        _ => false,
    }
}

/// A function without `self` that has `Self` in its signature stands in an `impl`, where its companion type can't.
fn associated(model: &Model<'_>, errors: &mut Errors) {
    struct Mentioned(Option<Span>);
    impl<'ast> Visit<'ast> for Mentioned {
        fn visit_ident(&mut self, name: &'ast syn::Ident) {
            if name == "Self" {
                self.0.get_or_insert(name.span());
            }
        }
    }
    let mut mentioned = Mentioned(None);
    mentioned.visit_signature(&model.original.sig);
    if let (Place::Free, Some(span)) = (model.place, mentioned.0) {
        errors.at_span(
            span,
            "an associated function without `self` needs `#[cached]` on its `impl` block too, without options there: the \
             attribute has to see the block to know where the companions go",
        );
    }
}

/// Functions that the program's environment calls, once.
fn run_once(model: &Model<'_>, errors: &mut Errors) {
    let is_test = |attr: &&syn::Attribute| {
        attr.path().segments.last().is_some_and(|last| ["test", "bench"].iter().any(|run| last.ident == run))
    };
    if let Some(test) = model.original.attrs.iter().find(is_test) {
        errors.at(test, "a test can't be cached: it is run for what it does. Cache a function that the test calls");
    }
    let is_free = model.place == Place::Free;
    if is_free && model.name() == "main" && model.arguments.is_empty() {
        errors.at(model.name(), "`main` can't be cached: it runs once. Cache a function that it calls");
    }
}

/// What a receiver that is no plain reference is: `self`, `self: Self`, or `&mut self`, `self: &mut Self`.
enum Taken {
    Value,
    Mutably,
    Otherwise,
}

fn self_is_taken(receiver: &syn::Receiver) -> Taken {
    match &receiver.kind {
        ReceiverKind::Value => Taken::Value,
        ReceiverKind::Reference(_, _, Some(_)) => Taken::Mutably,
        ReceiverKind::Typed(_, ty) => match &**ty {
            Type::Reference(TypeReference { mutability: Some(_), .. }) => Taken::Mutably,
            Type::Path(path) if path.path.is_ident("Self") => Taken::Value,
            _ => Taken::Otherwise,
        },
        _ => Taken::Otherwise,
    }
}

fn argument_ignored(options: &Options, pattern: &syn::Pat) -> bool {
    matches!(pattern, syn::Pat::Ident(name) if ignores(options, &name.ident.to_string()))
}

fn ignores(options: &Options, name: &str) -> bool {
    options.ignore.iter().flat_map(|ignore| &ignore.value).any(|ignored| ignored == name)
}

/// A returned value must be one that can be stored: it owns what it holds.
fn returned(model: &Model<'_>, errors: &mut Errors) {
    const ADVICE: &str = "since the value outlives the call: return an owned value (`String`, `Vec<T>`, `Arc<T>`) or a \
                          `&'static` reference";
    struct Borrowed<'a>(&'a mut Errors);
    impl<'ast> Visit<'ast> for Borrowed<'_> {
        fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
            if reference.lifetime.as_ref().is_none_or(|lifetime| lifetime.ident != "static") {
                self.0.at(reference, format!("a cached function can't return a reference to its arguments, {ADVICE}"));
            }
        }

        // `Cow<'_, str>`, `Box<dyn Fn() + 'a>`
        fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
            if lifetime.ident != "static" {
                self.0
                    .at(lifetime, format!("a cached function can't return what borrows from its arguments, {ADVICE}"));
            }
        }

        // `dyn for<'x> Visitor<'x>` borrows nothing.
        fn visit_trait_bound(&mut self, bound: &'ast syn::TraitBound) {
            if bound.lifetimes.is_none() {
                visit::visit_trait_bound(self, bound);
            }
        }

        // The signature of a function that is returned is not part of what is stored: `fn(&str) -> &str`,
        // `Arc<dyn Fn(&str)>`.
        fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
        fn visit_parenthesized_generic_arguments(&mut self, _: &'ast syn::ParenthesizedGenericArguments) {}

        fn visit_type_impl_trait(&mut self, hidden: &'ast TypeImplTrait) {
            self.0.at(
                hidden,
                "a cached function can't return `impl Trait`, since the stored value needs a type with a name: name \
                 it, or collect what an iterator gives",
            );
        }
    }
    Borrowed(errors).visit_type(&model.returned());
}

fn ignored_names(options: &Options, model: &Model<'_>, errors: &mut Errors) {
    let Some(ignore) = &options.ignore else { return };
    let mut known: Vec<String> = model.receiver().map(|_| "self".to_owned()).into_iter().collect();
    known
        .extend(model.arguments.iter().filter(|argument| argument.is_named).map(|argument| argument.ident.to_string()));
    for (i, name) in ignore.value.iter().enumerate() {
        let text = name.to_string();
        if !known.contains(&text) {
            let meant = nearest(&text, known.iter().map(String::as_str));
            let meant = meant.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
            errors.at(name, format!("no argument is named `{text}`: {meant}the arguments are {}", list(&known)));
        } else if ignore.value[..i].contains(name) {
            errors.at(name, format!("`{text}` is ignored twice"));
        }
    }
}
