//! What options that look at a value say of it, as closures for the core.

use super::site::Site;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

impl Site<'_> {
    /// Whether a loaded value is to be stored, and for how long, as a closure over `&value`.
    pub(super) fn keep(&self) -> TokenStream {
        let private = &self.private;
        let mut conditions = Vec::new();
        if self.options.cache_none.as_ref().is_some_and(|cache_none| !cache_none.value) {
            let span = self.model.returned().span();
            conditions.push(quote_spanned!(span=> #private::MaybeNone::is_present(__memokit_value)));
        }
        if let Some(predicate) = &self.options.cache_if {
            let predicate = &predicate.value;
            conditions.push(quote!(#private::agrees(__memokit_value, #predicate)));
        }
        let time = self.timeout_with();
        match (conditions.is_empty(), time) {
            (true, None) => quote!(|_| true),
            (true, Some(time)) => quote!(|__memokit_value| #time),
            (false, None) => quote!(|__memokit_value| #(#conditions)&&*),
            (false, Some(time)) => quote! {
                |__memokit_value| if #(#conditions)&&* { #time } else { #private::Keep::from(false) }
            },
        }
    }

    /// How long a value that was given to `put` is fresh, as a closure over `&value`.
    pub(super) fn keep_given(&self) -> TokenStream {
        let private = &self.private;
        match self.timeout_with() {
            Some(time) => quote!(|__memokit_value| #time),
            None => quote!(|_| #private::Keep::from(true)),
        }
    }

    /// The outcome with `valid_if` around it.
    pub(super) fn checked(&self, outcome: TokenStream) -> TokenStream {
        let private = &self.private;
        let Some(predicate) = &self.options.valid_if else { return outcome };
        let predicate = &predicate.value;
        quote!(#private::valid_if(#outcome, #predicate))
    }

    fn timeout_with(&self) -> Option<TokenStream> {
        let private = &self.private;
        self.options.timeout_with.as_ref().map(|timeout| {
            let timeout = &timeout.value;
            quote!(#private::keep_for(__memokit_value, #timeout))
        })
    }
}
