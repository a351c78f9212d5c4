//! `store_result = false`: the function returns whether its body ran.

use super::site::Site;
use super::spans::located;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{GenericArgument, PathArguments, Type};

impl Site<'_> {
    /// What the function that callers see returns: `Option<T>`, or `Result<Option<T>, E>`, for a guard; else what the
    /// user wrote.
    pub(super) fn returned(&self) -> Type {
        let returned = self.model.returned();
        if !self.options.is_guard() {
            return returned;
        }
        let option = |ty: &Type| -> Type { syn::parse_quote_spanned!(ty.span()=> ::core::option::Option<#ty>) };
        if self.model.value().is_none() {
            return option(&returned);
        }
        let mut fallible = returned;
        if let Type::Path(path) = &mut fallible
            && let Some(last) = path.path.segments.last_mut()
            && let PathArguments::AngleBracketed(arguments) = &mut last.arguments
        {
            let value = arguments.args.iter_mut().find_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            });
            if let Some(value) = value {
                *value = option(value);
            }
        }
        fallible
    }

    /// A run of the body as what callers of a guard see.
    pub(super) fn ran(&self, body: TokenStream) -> TokenStream {
        if !self.options.is_guard() {
            return body;
        }
        match self.model.value() {
            Some(_) => quote!(::core::result::Result::map(#body, ::core::option::Option::Some)),
            None => quote!(::core::option::Option::Some(#body)),
        }
    }

    /// The outcome of a guard.
    pub(super) fn once(&self) -> TokenStream {
        let returned = self.model.returned();
        let (private, span) = (located(&self.private, returned.span()), Span::call_site().located_at(returned.span()));
        match self.model.value() {
            Some(_) => {
                let guarded = self.returned();
                quote_spanned!(span=> #private::Returns::<#guarded>::new().once_fallible())
            }
            None => {
                let once = quote_spanned!(span=> #private::Returns::<#returned>::new().once());
                quote_spanned!(span=> #private::once_plain({ #[allow(unused_imports)] use #private::AnyOnce as _; #once }))
            }
        }
    }
}
