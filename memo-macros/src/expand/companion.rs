//! The operations beside a function: `f::invalidate(…)`, or `self.f_invalidate(…)` beside a method.

use super::call::{body, run_async, signature};
use super::site::Site;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Safety, Signature};

/// All companions.
pub(super) fn all(site: &Site<'_>) -> TokenStream {
    let operations =
        [invalidate(site), invalidate_all(site), refresh(site), peek(site), put(site), contains(site), stats(site)];
    let key = site.is_shared().then(|| key(site));
    quote!(#(#operations)* #key)
}

/// A companion's head and body put together, with what all have in common.
fn companion(site: &Site<'_>, doc: &str, signature: &Signature, body: &TokenStream) -> TokenStream {
    let vis = site.model.companion_vis();
    let attrs = site.model.common_attrs();
    let allow = (site.model.place == crate::model::Place::Method)
        .then(|| quote!(#[allow(dead_code, unused_variables, unreachable_pub, clippy::all, clippy::pedantic)]));
    let allow_unsafe = matches!(signature.safety, Safety::Unsafe(_))
        .then(|| quote!(#[allow(unsafe_code, clippy::missing_safety_doc, clippy::undocumented_unsafe_blocks)]));
    quote! {
        #(#attrs)*
        #[doc = #doc]
        #allow
        #allow_unsafe
        #vis #signature { #body }
    }
}

/// The signature of an operation on one call: the function's arguments, another name and another result.
fn like_the_function(site: &Site<'_>, operation: &str, returned: &TokenStream) -> Signature {
    let mut signature = signature(site.model);
    site.model.set_beside(&mut signature);
    signature.ident = site.named(operation);
    signature.abi = None;
    // What the caller promises is for the body, and for the expressions of the attribute.
    if site.options.key.is_none() {
        signature.safety = Safety::Default;
    }
    signature.asyncness = site.model.original.sig.asyncness.filter(|_| site.is_shared());
    signature.output = syn::parse_quote!(-> #returned);
    signature
}

/// `Result<…, Error>` where the shared level is touched.
fn result(site: &Site<'_>, plain: TokenStream) -> TokenStream {
    let krate = site.options.krate();
    if site.is_shared() { quote!(::core::result::Result<#plain, #krate::Error>) } else { plain }
}

/// An async operation of the core, run with the thread or awaited.
fn run(site: &Site<'_>, operation: impl FnOnce(TokenStream) -> TokenStream) -> TokenStream {
    let private = &site.private;
    if site.model.is_async() {
        let operation = operation(quote!(#private::Tasks));
        quote!(#operation.await)
    } else {
        let operation = operation(quote!(#private::Blocking));
        quote!(#private::ready(#operation))
    }
}

fn invalidate(site: &Site<'_>) -> TokenStream {
    let (private, prelude, call) = (&site.private, site.prelude(), site.call());
    let run = match site.is_shared() {
        true => run(site, |io| quote!(__memokit_operation.invalidate::<#io>())),
        false => quote!(__memokit_operation.invalidate_local()),
    };
    let signature = like_the_function(site, "invalidate", &result(site, quote!(bool)));
    let body = quote! {
        #prelude
        let __memokit_operation = #private::operation(#call);
        #run
    };
    let doc = "Drops what is stored for this call; whether there was a fresh value. A load of it that is under way \
               is returned to its callers and not stored.";
    companion(site, doc, &signature, &body)
}

fn invalidate_all(site: &Site<'_>) -> TokenStream {
    let (private, holder, name) = (&site.private, site.path(&site.holder()), site.named("invalidate_all"));
    let asyncness = site.model.original.sig.asyncness.filter(|_| site.is_shared());
    let (returned, body) = if site.is_shared() {
        let owner = match site.owner() {
            Some(owner) => quote!(::core::option::Option::Some(#owner)),
            None => quote!(::core::option::Option::None),
        };
        let run = run(site, |io| quote!(#private::invalidate_all::<#io>(#holder(), #owner)));
        let result = result(site, quote!(()));
        (quote!(-> #result), run)
    } else {
        (TokenStream::new(), quote!(#private::invalidate_all_local(#holder())))
    };
    let signature: Signature = syn::parse_quote!(#asyncness fn #name() #returned);
    companion(site, "Drops everything that is stored for this function.", &signature, &body)
}

fn refresh(site: &Site<'_>) -> TokenStream {
    let (private, prelude, call) = (&site.private, site.prelude(), site.call());
    let (returned, keep, body) = (site.model.returned(), site.keep(), body(site));
    let run = match (site.model.is_async(), site.is_shared()) {
        (true, true) => quote!(run_checked_async),
        (true, false) => run_async(site),
        (false, true) => quote!(run_checked),
        (false, false) => quote!(run),
    };
    let run = if site.model.is_async() {
        quote!(__memokit_guard.#run(async move { #body }, #keep).await)
    } else {
        quote!(__memokit_guard.#run(|| #body, #keep))
    };
    let finish = match site.is_shared() {
        true => quote! {
            let (__memokit_value, __memokit_stored) = #run;
            __memokit_stored.map(|()| __memokit_value)
        },
        false => run,
    };
    let mut signature = like_the_function(site, "refresh", &result(site, quote!(#returned)));
    signature.asyncness = site.model.original.sig.asyncness;
    signature.safety = site.model.original.sig.safety.clone();
    let body = quote! {
        #prelude
        let __memokit_guard = #private::refresh(#call);
        #finish
    };
    let doc = "Runs the body, stores what it returns, and returns that. With a shared level, an `Err` says that it \
               could not be stored there.";
    companion(site, doc, &signature, &body)
}

fn peek(site: &Site<'_>) -> TokenStream {
    let (private, prelude, call, value) = (&site.private, site.prelude(), site.call(), site.model.value());
    // Where the value is not spelled, it is given as the function would return it.
    let outcome = site.outcome();
    let whole = value.is_none().then(|| quote!(.map(|__memokit_value| #private::returned(#outcome, __memokit_value))));
    let run = match site.is_shared() {
        true => {
            let found = run(site, |io| quote!(__memokit_operation.peek::<#io>()));
            quote!(#found.map(|__memokit_found| __memokit_found #whole))
        }
        false => quote!(__memokit_operation.peek_local() #whole),
    };
    let value = value.unwrap_or_else(|| site.model.returned());
    let signature = like_the_function(site, "peek", &result(site, quote!(::core::option::Option<#value>)));
    let body = quote! {
        #prelude
        let __memokit_operation = #private::operation(#call);
        #run
    };
    companion(
        site,
        "The value that is stored for this call, if it is fresh. Loads nothing, and counts as no hit and no miss.",
        &signature,
        &body,
    )
}

fn put(site: &Site<'_>) -> TokenStream {
    let (private, prelude, call, value) = (&site.private, site.prelude(), site.call(), site.model.value());
    let outcome = site.outcome();
    let given = match &value {
        Some(_) => quote!(::core::option::Option::Some(__memokit_value)),
        None => quote!(#private::value_of(#outcome, __memokit_value)),
    };
    let run = match site.is_shared() {
        true => run(site, |io| quote!(#private::put::<#io, _, _, _, _>(#call, #given))),
        false => quote!(#private::put_local(#call, #given)),
    };
    let value = value.unwrap_or_else(|| site.model.returned());
    let mut signature = like_the_function(site, "put", &result(site, quote!(())));
    signature.inputs.push(syn::parse_quote!(__memokit_value: #value));
    let body = quote!(#prelude #run);
    companion(site, "Stores a value for this call, as if it had been loaded now.", &signature, &body)
}

fn contains(site: &Site<'_>) -> TokenStream {
    let (private, prelude, call) = (&site.private, site.prelude(), site.call());
    let run = match site.is_shared() {
        true => run(site, |io| quote!(__memokit_operation.contains::<#io>())),
        false => quote!(__memokit_operation.contains_local()),
    };
    let signature = like_the_function(site, "contains", &result(site, quote!(bool)));
    let body = quote! {
        #prelude
        let __memokit_operation = #private::operation(#call);
        #run
    };
    companion(site, "Whether a fresh value is stored for this call.", &signature, &body)
}

fn key(site: &Site<'_>) -> TokenStream {
    let (private, prelude, call, krate) = (&site.private, site.prelude(), site.call(), site.options.krate());
    let mut signature = like_the_function(site, "key", &quote!(::core::result::Result<#krate::Key, #krate::Error>));
    signature.asyncness = None;
    let body = quote!(#prelude #private::key(#call));
    companion(site, "The key of this call in the shared level.", &signature, &body)
}

fn stats(site: &Site<'_>) -> TokenStream {
    let (holder, name, krate) = (site.path(&site.holder()), site.named("stats"), site.options.krate());
    let signature: Signature = syn::parse_quote!(fn #name() -> #krate::Stats);
    companion(site, "What the function has done so far.", &signature, &quote!(#holder().stats()))
}
