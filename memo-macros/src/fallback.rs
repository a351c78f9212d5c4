//! What is emitted where there were mistakes: the user's function as it is, so that only the mistakes are reported
//! and an editor keeps working.

use proc_macro2::TokenStream;
use quote::quote;

/// The function beside the mistakes.
pub(crate) fn with_errors(item: &TokenStream, errors: &TokenStream) -> TokenStream {
    quote!(#item #errors)
}

/// `#[cached]` on something else, or on a function that does not parse.
pub(crate) fn not_a_function(item: &TokenStream, error: &syn::Error) -> TokenStream {
    let message = match syn::parse2::<syn::TraitItemFn>(item.clone()) {
        Ok(function) if function.default.is_none() => {
            "a function without a body can't be cached: put `#[cached]` on the functions that have one; in the `impl` \
             of a trait, on the block too"
                .to_owned()
        }
        _ => format!("`#[cached]` goes on a function with a body, a method, or an `impl` block: {error}"),
    };
    let error = syn::Error::new(error.span(), message).to_compile_error();
    quote!(#item #error)
}
