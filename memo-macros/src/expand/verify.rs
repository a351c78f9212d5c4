//! `verify`: a part of the hits runs the body too.

use super::hooks::Hooks;
use super::site::Site;
use super::spans::located;
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Expr;
use syn::spanned::Spanned;

/// What a call does from its first look on, where some of its hits are verified. What the look borrows is let go before
/// anything is awaited. `run` runs the body of a miss, and `verifying` is the end of a run that is compared with a hit:
/// the hooks are told of the hit, before, and not of that run.
pub(super) fn look(
    site: &Site<'_>,
    share: &Expr,
    call: &TokenStream,
    hooks: Option<&Hooks<'_, '_>>,
    verifying: &TokenStream,
    run: &TokenStream,
) -> TokenStream {
    let private = &site.private;
    let (hit, settled) = (hooks.and_then(Hooks::local_hit), hooks.and_then(Hooks::settled));
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
            #private::Started::Hit(__memokit_value) => { #hit ::core::result::Result::Ok(__memokit_value) }
            #private::Started::Open(__memokit_open) => ::core::result::Result::Err(__memokit_open),
        };
        let __memokit_found = match __memokit_looked {
            ::core::result::Result::Ok(__memokit_value) => __memokit_value,
            ::core::result::Result::Err(__memokit_open) => match __memokit_open #settle {
                #private::Settled::Found(__memokit_value) => { #settled __memokit_value }
                #private::Settled::Joined(__memokit_value) => { #settled return __memokit_value; }
                #private::Settled::Miss(__memokit_guard) => return #run,
            },
        };
        if !#private::verify_due(#share) {
            return __memokit_found;
        }
        let __memokit_verification = #private::verify(#call, __memokit_found);
        __memokit_verification #verifying
    }
}
