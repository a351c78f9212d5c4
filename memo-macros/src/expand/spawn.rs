//! `f::spawn`: the call in a thread of its own.
//!
//! It must not make a function fail to compile that is fine without it. An argument that is part of the key has an owned
//! form that is `Send + 'static`, since an entry stores it; so the companion is there if all arguments are, but for
//! those whose types are known here to be as simple. Whether the result can be sent is a bound of the companion.

use super::site::Site;
use crate::model::{Argument, Place};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{GenericArgument, Ident, Index, PathArguments, ReceiverKind, Type, TypeReference};

/// What `companions!` is told of it, if the arguments can travel to another thread. An async function needs its runtime,
/// which has a `spawn` itself; and what each thread has for itself is of no use to another.
pub(super) fn spawn(site: &Site<'_>) -> Option<TokenStream> {
    // Of a function of a trait the name alone does not say which is meant.
    let elsewhere = site.model.block.is_some_and(|block| block.is_of_trait || block.has_lifetimes);
    let is_plain = site.options.scope.is_none() && site.options.each.is_none();
    if site.model.is_async() || site.model.is_unsafe() || !is_plain || elsewhere || !can_travel(site) {
        return None;
    }
    let private = &site.private;
    let (mut kept, mut lent) = (Vec::new(), Vec::new());
    let arguments = site.model.arguments.iter();
    let arguments =
        arguments.map(|argument| (argument.ident.to_token_stream(), form(&argument.ty), argument.ty.span()));
    let this = site.model.receiver().map(|receiver| {
        let this = receiver.self_token.to_token_stream();
        let form = match &receiver.kind {
            ReceiverKind::Reference(_, lifetime, _) if lifetime.as_ref().is_some_and(is_static) => Form::Whole,
            ReceiverKind::Reference(..) => Form::ByMethod,
            ReceiverKind::Typed(_, ty) => form(ty),
            _ => Form::Whole,
        };
        (this, form, receiver.span())
    });
    for (i, (value, form, span)) in this.into_iter().chain(arguments).enumerate() {
        let span = Span::call_site().located_at(span);
        let index = Index { index: u32::try_from(i).unwrap_or(u32::MAX), span };
        kept.push(match form {
            Form::ByMethod => quote_spanned!(span=> #private::Pack(#value).keep()),
            Form::Whole => quote_spanned!(span=> #private::whole(#value)),
        });
        lent.push(quote_spanned!(span=> __memokit_kept.#index.lend()));
    }
    // With these there is more to a call than a look; that is the function's own to decide.
    let options = site.options;
    let steers = [&options.bypass, &options.refresh, &options.on_hit, &options.verify, &options.valid_if];
    let look = if steers.iter().any(|given| given.is_some()) { quote!(unseen) } else { quote!(found) };
    let (name, function, turbofish) = (site.named("spawn"), function(site), site.model.turbofish());
    Some(quote!(spawn(#name, #look, (#(#kept,)*), move |__memokit_kept| #function #turbofish(#(#lent),*));))
}

/// The function that callers see, from inside a companion.
fn function(site: &Site<'_>) -> TokenStream {
    let mut name = site.model.name().clone();
    match site.model.place {
        Place::Free => {
            // An item at this span is the same one, but an argument of the same name does not hide it.
            name.set_span(Span::mixed_site().located_at(name.span()));
            quote!(#name)
        }
        Place::Method => quote!(Self::#name),
    }
}

/// How an argument is made fit to travel.
enum Form {
    /// By method resolution, for what may be a reference.
    ByMethod,
    /// As it is.
    Whole,
}

fn form(ty: &Type) -> Form {
    let is_cow = || matches!(last_name(ty), Some(name) if name == "Cow");
    match ty {
        Type::Reference(reference) if reference.lifetime.as_ref().is_some_and(is_static) => Form::Whole,
        _ if borrows(ty) || (is_cow() && !mentions_static(ty)) => Form::ByMethod,
        _ => Form::Whole,
    }
}

fn is_static(lifetime: &syn::Lifetime) -> bool {
    lifetime.ident == "static"
}

/// The name at the end of a path.
fn last_name(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|last| &last.ident),
        _ => None,
    }
}

/// Looks for lifetimes, other than in the signatures of functions that are passed.
#[derive(Default)]
struct Lifetimes {
    passing: bool,
    lasting: bool,
}

impl<'ast> Visit<'ast> for Lifetimes {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        self.passing |= reference.lifetime.is_none();
        syn::visit::visit_type_reference(self, reference);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast syn::Lifetime) {
        *if is_static(lifetime) { &mut self.lasting } else { &mut self.passing } = true;
    }

    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(&mut self, _: &'ast syn::ParenthesizedGenericArguments) {}
}

fn lifetimes(ty: &Type) -> Lifetimes {
    let mut found = Lifetimes::default();
    found.visit_type(ty);
    found
}

fn borrows(ty: &Type) -> bool {
    lifetimes(ty).passing
}

fn mentions_static(ty: &Type) -> bool {
    lifetimes(ty).lasting
}

/// Whether a type borrows other than by itself, by an `Option` of a reference, or as a `Cow`: such an argument has no owned
/// form that could be lent again.
fn borrows_inside(ty: &Type) -> bool {
    match ty {
        Type::Paren(ty) => borrows_inside(&ty.elem),
        Type::Group(ty) => borrows_inside(&ty.elem),
        Type::Reference(reference) => borrows(&reference.elem),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| match &last.arguments {
            PathArguments::AngleBracketed(arguments) => arguments.args.iter().any(|argument| match argument {
                GenericArgument::Type(Type::Reference(reference)) if last.ident == "Option" => borrows(&reference.elem),
                GenericArgument::Type(ty) => borrows(ty),
                _ => false,
            }),
            _ => false,
        }),
        ty => borrows(ty),
    }
}

/// Whether every argument is part of the key, or as simple.
fn can_travel(site: &Site<'_>) -> bool {
    let has_key = site.options.key.is_some();
    let this = site.model.receiver().is_none_or(|_| !has_key && !site.ignores("self"));
    let travels = |argument: &Argument| {
        (!has_key && site.is_key(argument) && !borrows_inside(&argument.ty)) || is_simple(&argument.ty)
    };
    this && site.model.arguments.iter().all(travels)
}

/// Whether the type is known to have an owned form that is `Send + 'static`.
fn is_simple(ty: &Type) -> bool {
    const NAMES: [&str; 19] = [
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
        "usize", "String", "Option", "Vec",
    ];
    match ty {
        Type::Paren(ty) => is_simple(&ty.elem),
        Type::Group(ty) => is_simple(&ty.elem),
        Type::Reference(TypeReference { mutability: None, elem, .. }) => match &**elem {
            Type::Slice(slice) => is_simple(&slice.elem) && !borrows(&slice.elem),
            elem => last_name(elem).is_some_and(|name| name == "str") || (is_simple(elem) && !borrows(elem)),
        },
        Type::Path(path) if path.qself.is_none() && path.path.segments.len() == 1 => {
            let segment = &path.path.segments[0];
            let simple = |argument: &GenericArgument| match argument {
                GenericArgument::Type(ty @ Type::Reference(_)) => segment.ident == "Option" && is_simple(ty),
                GenericArgument::Type(ty) => is_simple(ty) && !borrows(ty),
                _ => false,
            };
            NAMES.iter().any(|name| segment.ident == name)
                && match &segment.arguments {
                    PathArguments::None => true,
                    PathArguments::AngleBracketed(arguments) => arguments.args.iter().all(simple),
                    PathArguments::Parenthesized(_) => false,
                }
        }
        Type::Tuple(tuple) => tuple.elems.iter().all(|ty| is_simple(ty) && !borrows(ty)),
        Type::Array(array) => is_simple(&array.elem) && !borrows(&array.elem),
        _ => false,
    }
}
