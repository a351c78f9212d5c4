//! What options that look at a value say of it, as closures for the core. Where errors are stored, the value is a whole
//! `Result`: `cache_err` speaks of its error, and all other options of its `Ok`.

use super::site::Site;
use super::spans::located;
use crate::args::CacheErr;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, Type};

impl Site<'_> {
    /// Whether a loaded value is to be stored, and for how long, as a closure over `&value`.
    pub(super) fn keep(&self) -> TokenStream {
        let private = &self.private;
        let mut conditions = Vec::new();
        let cache_none = self.options.cache_none.as_ref().map(|cache_none| cache_none.value);
        if cache_none == Some(false) && self.options.each.is_none() {
            // A missing `Option` is reported at the return type.
            let span = self.model.returned().span();
            let (private, span) = (located(private, span), Span::call_site().located_at(span));
            conditions.push(quote_spanned!(span=> #private::MaybeNone::is_present(__memokit_value)));
        }
        if let Some(predicate) = &self.options.cache_if {
            conditions.push(self.ask(&quote!(agrees), &predicate.value));
        }
        let all = conditions.is_empty();
        let value = match self.timeout_with() {
            None if all && self.options.each.is_some() => match cache_none {
                Some(true) => return quote!(|_| true),
                _ => return quote!(|__memokit_stored| __memokit_stored.is_some()),
            },
            None if all && !self.options.stores_errors() => return quote!(|_| true),
            None if all => quote!(#private::Keep::value(true)),
            None => quote!(#private::Keep::value(#(#conditions)&&*)),
            Some(time) if all => time,
            Some(time) => quote!(if #(#conditions)&&* { #time } else { #private::Keep::value(false) }),
        };
        if self.options.each.is_some() {
            let none = cache_none == Some(true);
            return of_each(&value, &quote!(#private::Keep::value(#none)));
        }
        let error = match self.options.cache_err.as_ref().map(|cache_err| &cache_err.value) {
            Some(CacheErr::Some(predicate)) => quote!(#private::agrees(__memokit_error, #predicate)),
            _ => quote!(true),
        };
        self.of_value(&value, &quote!(#private::Keep::error(#error)))
    }

    /// How long a value that was given to `put` is fresh, as a closure over `&value`.
    pub(super) fn keep_given(&self) -> TokenStream {
        let private = &self.private;
        let value = self.timeout_with().unwrap_or_else(|| quote!(#private::Keep::value(true)));
        self.of_value(&value, &quote!(#private::Keep::error(true)))
    }

    /// The outcome with `valid_if` around it.
    pub(super) fn checked(&self, outcome: TokenStream) -> TokenStream {
        let private = &self.private;
        let Some(predicate) = &self.options.valid_if else { return outcome };
        let predicate = &predicate.value;
        let asked = quote!(#private::agrees(__memokit_value, #predicate));
        let predicate = match &self.options.each {
            Some(_) => of_each(&asked, &quote!(true)),
            None if self.options.stores_errors() => self.of_value(&asked, &quote!(true)),
            None => quote!(#predicate),
        };
        quote!(#private::valid_if(#outcome, #predicate))
    }

    /// The outcome with `weigh` around it. An error that is stored weighs 1.
    pub(super) fn weighed(&self, outcome: TokenStream) -> TokenStream {
        let private = &self.private;
        let Some(weigh) = &self.options.weigh else { return outcome };
        let weigh = &weigh.value;
        let asked = quote!(#private::weight_of(__memokit_value, #weigh));
        let weigh = match &self.options.each {
            Some(_) => of_each(&asked, &quote!(1)),
            None if self.options.stores_errors() => self.of_value(&asked, &quote!(1)),
            None => quote!(#weigh),
        };
        quote_spanned!(weigh.span()=> #private::weighed(#outcome, #weigh))
    }

    /// What `peek` gives and `put` takes, unless it is all that the function returns.
    pub(super) fn value(&self) -> Option<Type> {
        self.model.value().filter(|_| !self.options.stores_errors())
    }

    /// Asks an expression of the attribute, at whose place it is reported if it is of a wrong type.
    fn ask(&self, function: &TokenStream, expression: &Expr) -> TokenStream {
        let span = Span::call_site().located_at(expression.span());
        let (private, function) = (located(&self.private, span), located(function, span));
        quote_spanned!(span=> #private::#function(__memokit_value, #expression))
    }

    fn timeout_with(&self) -> Option<TokenStream> {
        self.options.timeout_with.as_ref().map(|timeout| self.ask(&quote!(keep_for), &timeout.value))
    }

    /// A closure over what is stored, from an expression over a `__memokit_value` and one over a `__memokit_error`.
    fn of_value(&self, value: &TokenStream, error: &TokenStream) -> TokenStream {
        match self.options.stores_errors() {
            true => quote! {
                |__memokit_stored| match __memokit_stored {
                    ::core::result::Result::Ok(__memokit_value) => #value,
                    ::core::result::Result::Err(__memokit_error) => #error,
                }
            },
            false => quote!(|__memokit_value| #value),
        }
    }
}

/// A closure over what is stored for one id, from an expression over a `__memokit_value` and one for an id without one.
fn of_each(value: &TokenStream, none: &TokenStream) -> TokenStream {
    quote! {
        |__memokit_stored| match __memokit_stored {
            ::core::option::Option::Some(__memokit_value) => #value,
            ::core::option::Option::None => #none,
        }
    }
}
