//! The operations beside a function: `f::invalidate(…)`, or `self.f_invalidate(…)` beside a method.

use super::call::{body, run_async, signature};
use super::hooks::Hooks;
use super::site::Site;
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{Safety, Signature};

/// All companions.
pub(super) fn all(site: &Site<'_>) -> TokenStream {
    let operations = [invalidate(site), invalidate_all(site), refresh(site), contains(site), stats(site)];
    // A guard has no value to give or to take.
    let values = (!site.options.is_guard()).then(|| [peek(site), put(site)]);
    let values = values.iter().flatten();
    let key = site.is_shared().then(|| key(site));
    let explain = explain(site);
    // `timeout_with` gives each value a time of its own.
    let set_timeout = site.options.timeout_with.is_none().then(|| set_timeout(site));
    quote!(#(#operations)* #(#values)* #explain #key #set_timeout)
}

/// A companion's head and body put together, with what all have in common.
pub(super) fn companion(site: &Site<'_>, doc: &str, signature: &Signature, body: &TokenStream) -> TokenStream {
    let vis = site.model.companion_vis();
    let attrs = site.model.common_attrs();
    let allow = (site.model.place == crate::model::Place::Method)
        .then(|| quote!(#[allow(dead_code, unused_variables, unreachable_pub, clippy::all, clippy::pedantic)]));
    let allow_unsafe = matches!(signature.safety, Safety::Unsafe(_))
        .then(|| quote!(#[allow(unsafe_code, clippy::missing_safety_doc, clippy::undocumented_unsafe_blocks)]));
    quote! {
        #(#attrs)*
        #[doc = #doc]
        // Compiled where it is called: most companions of most functions never are.
        #[inline]
        #allow
        #allow_unsafe
        #vis #signature { #body }
    }
}

/// The signature of an operation on one call: the function's arguments, another name and another result.
pub(super) fn like_the_function(site: &Site<'_>, operation: &str, returned: &TokenStream) -> Signature {
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

/// The body of a companion that does something with what is stored for one call.
fn with_operation(site: &Site<'_>, before: Option<&TokenStream>, run: &TokenStream) -> TokenStream {
    let (private, prelude, call) = (&site.private, site.prelude(), site.call());
    quote! {
        #prelude
        #before
        let __memokit_operation = #private::operation(#call);
        #run
    }
}

fn invalidate(site: &Site<'_>) -> TokenStream {
    let run = match site.is_shared() {
        true => run(site, |io| quote!(__memokit_operation.invalidate::<#io>())),
        false => quote!(__memokit_operation.invalidate_local()),
    };
    let signature = like_the_function(site, "invalidate", &result(site, quote!(bool)));
    let body = with_operation(site, None, &run);
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
    let (private, prelude, hooks) = (&site.private, site.prelude(), Hooks::of(site));
    let call = hooks.as_ref().map_or_else(|| site.call(), Hooks::call);
    let (begin, kept) = (hooks.as_ref().map(Hooks::begin), hooks.as_ref().map(Hooks::keep));
    let told = hooks.as_ref().map(|hooks| hooks.loaded(&format_ident!("__memokit_value")));
    let (returned, keep, body) = (site.returned(), site.keep(), body(site));
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
            #told
            __memokit_stored.map(|()| __memokit_value)
        },
        false if hooks.is_some() => quote! {
            let __memokit_value = #run;
            #told
            __memokit_value
        },
        false => run,
    };
    let mut signature = like_the_function(site, "refresh", &result(site, quote!(#returned)));
    signature.asyncness = site.model.original.sig.asyncness;
    signature.safety = site.model.original.sig.safety.clone();
    let body = quote! {
        #prelude
        #begin
        let __memokit_guard = #private::refresh(#call);
        #kept
        #finish
    };
    let doc = "Runs the body, stores what it returns, and returns that. With a shared level, an `Err` says that it \
               could not be stored there.";
    companion(site, doc, &signature, &body)
}

fn peek(site: &Site<'_>) -> TokenStream {
    let (private, value) = (&site.private, site.value());
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
    let body = with_operation(site, None, &run);
    companion(
        site,
        "The value that is stored for this call, if it is fresh. Loads nothing, and counts as no hit and no miss.",
        &signature,
        &body,
    )
}

fn put(site: &Site<'_>) -> TokenStream {
    let (private, prelude, value) = (&site.private, site.prelude(), site.value());
    let hooks = site.options.on_evict.as_ref().and_then(|_| Hooks::of(site));
    let call = hooks.as_ref().map_or_else(|| site.call(), Hooks::call);
    let begin = hooks.as_ref().map(Hooks::begin);
    let (outcome, keep) = (site.outcome(), site.keep_given());
    let given = match &value {
        Some(_) => quote!(::core::option::Option::Some(__memokit_value)),
        None => quote!(#private::value_of(#outcome, __memokit_value)),
    };
    let run = match site.is_shared() {
        true => run(site, |io| quote!(#private::put::<#io, _, _, _, _>(#call, #given, #keep))),
        false => quote!(#private::put_local(#call, #given, #keep)),
    };
    let value = value.unwrap_or_else(|| site.model.returned());
    let mut signature = like_the_function(site, "put", &result(site, quote!(())));
    signature.inputs.push(syn::parse_quote!(__memokit_value: #value));
    let body = quote!(#prelude #begin #run);
    companion(site, "Stores a value for this call, as if it had been loaded now.", &signature, &body)
}

fn contains(site: &Site<'_>) -> TokenStream {
    let run = match site.is_shared() {
        true => run(site, |io| quote!(__memokit_operation.contains::<#io>())),
        false => quote!(__memokit_operation.contains_local()),
    };
    let signature = like_the_function(site, "contains", &result(site, quote!(bool)));
    let body = with_operation(site, None, &run);
    companion(site, "Whether a fresh value is stored for this call.", &signature, &body)
}

fn explain(site: &Site<'_>) -> TokenStream {
    let (private, krate) = (&site.private, site.options.krate());
    let steers = |given: &Option<crate::parse::Given<syn::Expr>>| match given {
        Some(given) => given.value.to_token_stream(),
        None => quote!(false),
    };
    let (bypass, refresh) = (steers(&site.options.bypass), steers(&site.options.refresh));
    let operation = |io| quote!(__memokit_operation.explain::<#io>(__memokit_bypass, __memokit_refresh));
    let run = match site.is_shared() {
        true => run(site, operation),
        false => {
            let operation = operation(quote!(#private::Blocking));
            quote!(#private::ready(#operation))
        }
    };
    let signature = like_the_function(site, "explain", &quote!(#krate::Explanation));
    let steered = quote!(let (__memokit_bypass, __memokit_refresh) = (#bypass, #refresh););
    let body = with_operation(site, Some(&steered), &run);
    companion(
        site,
        "Why the next call would hit or miss. Loads nothing, counts nothing, and marks no entry as used. A failure of the \
         shared level is part of what it tells.",
        &signature,
        &body,
    )
}

fn key(site: &Site<'_>) -> TokenStream {
    let (private, prelude, call, krate) = (&site.private, site.prelude(), site.call(), site.options.krate());
    let mut signature = like_the_function(site, "key", &quote!(::core::result::Result<#krate::Key, #krate::Error>));
    signature.asyncness = None;
    let body = quote!(#prelude #private::key(#call));
    companion(site, "The key of this call in the shared level.", &signature, &body)
}

fn set_timeout(site: &Site<'_>) -> TokenStream {
    let (holder, name, krate) = (site.path(&site.holder()), site.named("set_timeout"), site.options.krate());
    let duration = quote!(::core::option::Option<::core::time::Duration>);
    let signature: Signature = syn::parse_quote! {
        fn #name(
            __memokit_timeout: impl ::core::convert::Into<#duration>
        ) -> ::core::result::Result<(), #krate::Error>
    };
    let doc = "Gives entries that are stored from now on this timeout, in place of the attribute's; `None` gives them that \
               again. A timeout of zero is an `Err`.";
    companion(site, doc, &signature, &quote!(#holder().set_timeout(__memokit_timeout)))
}

fn stats(site: &Site<'_>) -> TokenStream {
    let (holder, name, krate) = (site.path(&site.holder()), site.named("stats"), site.options.krate());
    let signature: Signature = syn::parse_quote!(fn #name() -> #krate::Stats);
    companion(site, "What the function has done so far.", &signature, &quote!(#holder().stats()))
}
