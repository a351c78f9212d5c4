//! `verify`: a part of the hits runs the body too.

use super::site::{Site, located};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Expr;
use syn::spanned::Spanned;

/// What a call does from its first look on, where some of its hits are verified. What the look borrows is let go before
/// anything is awaited.
pub(super) fn look(site: &Site<'_>, share: &Expr, run: &TokenStream) -> TokenStream {
    let (private, call) = (&site.private, site.call());
    let settle = match site.model.is_async() {
        true => quote!(.settle_from_async().await),
        false => quote!(.settle_from()),
    };
    // A bound that is missing is reported at the return type.
    let span = site.model.returned().span();
    let (at, span) = (located(private, span), Span::call_site().located_at(span));
    let outcome = located(&site.outcome(), span);
    let comparable = quote_spanned!(span=> #at::comparable(#outcome););
    quote! {
        #comparable
        let __memokit_looked = match #private::start(#call) {
            #private::Started::Hit(__memokit_value) => ::core::result::Result::Ok(__memokit_value),
            #private::Started::Open(__memokit_open) => ::core::result::Result::Err(__memokit_open),
        };
        let __memokit_found = match __memokit_looked {
            ::core::result::Result::Ok(__memokit_value) => __memokit_value,
            ::core::result::Result::Err(__memokit_open) => match __memokit_open #settle {
                #private::Settled::Found(__memokit_value) => __memokit_value,
                #private::Settled::Joined(__memokit_value) => return __memokit_value,
                #private::Settled::Miss(__memokit_guard) => return __memokit_guard #run,
            },
        };
        if !#private::verify_due(#share) {
            return __memokit_found;
        }
        let __memokit_verification = #private::verify(#call, __memokit_found);
        __memokit_verification #run
    }
}
