//! Arguments as parts of a key.
//!
//! The core finds out by itself what a part is, by its type. The spelling matters only for tuples that hold something
//! which is no key as it is, a reference or a float, beside a type that the core can't know: they are taken apart here.

use super::spans::located;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Index, Type, TypeReference};

/// `(first, (second, ()))`
pub(super) fn list(parts: Vec<TokenStream>) -> TokenStream {
    parts.into_iter().rev().fold(quote!(()), |rest, part| quote!((#part, #rest)))
}

/// What every part of one function has in common.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) private: &'a TokenStream,
    /// Whether they are in a key of the shared level too.
    pub(super) is_shared: bool,
}

impl Parts<'_> {
    /// The part that an expression is, whatever its type.
    pub(super) fn of_any(self, expression: &TokenStream, span: Span) -> TokenStream {
        self.part(expression, &quote!(part()), span)
    }

    /// The part that an argument of a spelled type is.
    pub(super) fn of_type(self, place: &TokenStream, ty: &Type) -> TokenStream {
        match ty {
            Type::Group(group) => self.of_type(place, &group.elem),
            Type::Paren(paren) => self.of_type(place, &paren.elem),
            Type::Reference(reference) if holds_what_is_no_key(&reference.elem) => {
                self.of_type(&quote!((*#place)), &reference.elem)
            }
            Type::Tuple(tuple) if holds_what_is_no_key(ty) => {
                // A serializer sees the tuple as a whole.
                let inner = Parts { is_shared: false, ..self };
                let parts = tuple.elems.iter().enumerate().map(|(i, element)| {
                    let i = Index::from(i);
                    inner.of_type(&quote!(#place.#i), element)
                });
                let parts = list(parts.collect());
                self.part(place, &quote!(split(#parts)), ty.span())
            }
            ty => self.of_any(place, ty.span()),
        }
    }

    /// A bound that is missing is reported where the whole argument stands.
    fn part(self, place: &TokenStream, method: &TokenStream, span: Span) -> TokenStream {
        let span = Span::call_site().located_at(span);
        let (private, method) = (located(self.private, span), located(method, span));
        let part = quote_spanned!(span=> #private::Arg(&#place).#method);
        if self.is_shared { quote_spanned!(span=> #private::shared_part(#part)) } else { part }
    }
}

/// The stored part of an argument of this type by reference; a tuple that was taken apart is a tuple again.
pub(super) fn shown(place: &TokenStream, ty: &Type) -> TokenStream {
    match ty {
        Type::Group(group) => shown(place, &group.elem),
        Type::Paren(paren) => shown(place, &paren.elem),
        Type::Reference(reference) if holds_what_is_no_key(&reference.elem) => shown(place, &reference.elem),
        Type::Tuple(tuple) if holds_what_is_no_key(ty) => {
            let mut rest = place.clone();
            let elements = tuple.elems.iter().map(|element| {
                let element = shown(&quote!(#rest.0), element);
                rest.extend(quote!(.1));
                element
            });
            let elements: Vec<TokenStream> = elements.collect();
            quote!((#(#elements,)*))
        }
        _ => quote!(&#place),
    }
}

/// Whether a reference, a `Cow` or a float is spelled in the type.
fn holds_what_is_no_key(ty: &Type) -> bool {
    struct Found(bool);
    impl<'ast> Visit<'ast> for Found {
        fn visit_type_reference(&mut self, _: &'ast TypeReference) {
            self.0 = true;
        }

        fn visit_ident(&mut self, name: &'ast syn::Ident) {
            self.0 |= ["f32", "f64", "Cow"].iter().any(|no_key| name == no_key);
        }

        // What a function takes and returns is no part of it.
        fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
    }
    let mut found = Found(false);
    found.visit_type(ty);
    found.0
}
