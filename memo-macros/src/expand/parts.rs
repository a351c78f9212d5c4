//! Arguments as parts of a key.
//!
//! The core finds out by itself what a part is, by its type. The spelling matters only for tuples that hold something
//! which is no key as it is, a reference or a float, beside a type that the core can't know: they are taken apart here.

use super::site::located;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Index, Type, TypeReference};

/// `(first, (second, ()))`
pub(super) fn list(parts: Vec<TokenStream>) -> TokenStream {
    parts.into_iter().rev().fold(quote!(()), |rest, part| quote!((#part, #rest)))
}

/// The part that an expression is, whatever its type.
pub(super) fn of_any(private: &TokenStream, expression: &TokenStream, span: Span) -> TokenStream {
    // A bound that is missing is reported where the whole expression stands.
    let (private, span) = (located(private, span), Span::call_site().located_at(span));
    quote_spanned!(span=> #private::Arg(&#expression).part())
}

/// The part that an argument of a spelled type is.
pub(super) fn of_type(private: &TokenStream, place: &TokenStream, ty: &Type) -> TokenStream {
    match ty {
        Type::Group(group) => of_type(private, place, &group.elem),
        Type::Paren(paren) => of_type(private, place, &paren.elem),
        Type::Reference(reference) if holds_what_is_no_key(&reference.elem) => {
            of_type(private, &quote!((*#place)), &reference.elem)
        }
        Type::Tuple(tuple) if holds_what_is_no_key(ty) => {
            let parts = tuple.elems.iter().enumerate().map(|(i, element)| {
                let i = Index::from(i);
                of_type(private, &quote!(#place.#i), element)
            });
            let (parts, span) = (list(parts.collect()), Span::call_site().located_at(ty.span()));
            let private = located(private, span);
            quote_spanned!(span=> #private::Arg(&#place).split(#parts))
        }
        ty => of_any(private, place, ty.span()),
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
