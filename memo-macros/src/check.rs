//! Every rule about options and functions. It finds mistakes and emits nothing.

use crate::args::Options;
use crate::errors::{Errors, list, nearest};
use crate::model::{Model, Place};
use crate::{check_each, check_options};
use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{FnArg, Lifetime, ReceiverKind, Type, TypeImplTrait, TypeReference};

/// Finds what is wrong with the options, the function, and the two together.
pub(crate) fn check(options: &Options, model: &Model<'_>, errors: &mut Errors) {
    check_options::check(options, errors);
    function_alone(options, model, errors);
    ignored_names(options, model, errors);
    check_each::check(options, model, errors);
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
