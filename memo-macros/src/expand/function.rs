//! The `static` behind the function, with what the attribute said.

use super::site::Site;
use crate::args::{SingleFlight, Time};
use crate::model::Place;
use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;

/// A function that holds the `static`, so that it can stand in an `impl` block.
pub(super) fn holder(site: &Site<'_>) -> TokenStream {
    let (private, name) = (&site.private, site.holder());
    let options = options(site);
    let name_of_function = site.model.name().unraw();
    let text = match site.model.block {
        Some(block) => format!("{}::{name_of_function}", block.path),
        None => name_of_function.to_string(),
    };
    let path = quote!(::core::concat!(::core::module_path!(), "::", #text));
    let cfgs = site.model.original.attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #[allow(clippy::all, clippy::pedantic)]
        fn #name() -> &'static #private::Function {
            static FUNCTION: #private::Function = #private::Function::new(#path)#options;
            #private::inventory::submit!(#private::Registered(&FUNCTION));
            &FUNCTION
        }
    }
}

/// Each option as a call of the builder.
fn options(site: &Site<'_>) -> TokenStream {
    let given = site.options;
    let mut calls = TokenStream::new();
    if let Some(timeout) = &given.timeout {
        let time = time(&timeout.value);
        calls.extend(quote!(.timeout(|| #time)));
    }
    if let Some(timeout) = &given.err_timeout {
        let time = time(&timeout.value);
        calls.extend(quote!(.err_timeout(|| #time)));
    }
    if let Some(timeout) = &given.local_timeout {
        let time = time(&timeout.value);
        calls.extend(quote!(.local_timeout(|| #time)));
    }
    if let Some(prefix) = &given.prefix {
        let prefix = &prefix.value;
        calls.extend(quote!(.prefix(#prefix)));
    }
    if let Some(version) = &given.version {
        let version = &version.value;
        calls.extend(quote!(.version(#version)));
    }
    if let Some(capacity) = &given.capacity {
        let capacity = &capacity.value;
        calls.extend(quote!(.capacity(|| #capacity)));
    }
    if let Some(max_weight) = &given.max_weight {
        let max_weight = &max_weight.value;
        calls.extend(quote!(.max_weight(|| #max_weight)));
    }
    if given.evict.is_some() {
        calls.extend(quote!(.by_cost()));
    }
    if !given.has_local() {
        calls.extend(quote!(.without_local()));
    }
    match given.single_flight.as_ref().map(|single_flight| single_flight.value) {
        Some(SingleFlight::Off) => calls.extend(quote!(.without_single_flight())),
        Some(SingleFlight::Fleet) => calls.extend(quote!(.fleet())),
        Some(SingleFlight::Process) | None => {}
    }
    if site.model.place == Place::Method {
        calls.extend(quote!(.method()));
    }
    if site.model.is_async() {
        calls.extend(quote!(.asynchronous()));
    }
    if let Some(source) = site.source() {
        calls.extend(quote!(.cache(#source)));
    }
    calls
}

fn time(time: &Time) -> TokenStream {
    match time {
        Time::Known(time) => {
            let (seconds, nanos) = (time.as_secs(), time.subsec_nanos());
            if nanos == 0 {
                quote!(::core::time::Duration::from_secs(#seconds))
            } else {
                quote!(::core::time::Duration::new(#seconds, #nanos))
            }
        }
        Time::Computed(expression) => quote!(#expression),
    }
}
