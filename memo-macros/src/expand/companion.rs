//! The operations beside a function: `f::invalidate(…)`, or `self.f_invalidate(…)` beside a method. What they do stands in
//! the core, in `companions!`; here is what they are told of one function.

use super::call::{refreshed, signature};
use super::hooks::Hooks;
use super::site::Site;
use super::spawn::spawn;
use crate::model::Place;
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{Expr, Safety};

/// All companions, as one invocation.
pub(super) fn all(site: &Site<'_>) -> TokenStream {
    let (private, model) = (&site.private, site.model);
    let hooks = Hooks::of(site);
    let begin = hooks.as_ref().map(|hooks| {
        let begin = hooks.begin();
        quote!({ #begin })
    });
    let (attrs, vis, name) = (model.common_attrs(), model.companion_vis(), model.name());
    let allow = (model.place == Place::Method)
        .then(|| quote!(#[allow(dead_code, unused_variables, unreachable_pub, clippy::all, clippy::pedantic)]));
    let allow_unsafe = model
        .is_unsafe()
        .then(|| quote!(#[allow(unsafe_code, clippy::missing_safety_doc, clippy::undocumented_unsafe_blocks)]));
    let (arguments, about) = (arguments(site), about(site));
    let (returned, call) = (site.returned(), site.call());
    let names = ["invalidate", "invalidate_all", "contains", "stats"].map(|operation| site.named(operation));
    let owner = site.is_shared().then(|| match site.owner() {
        Some(owner) => quote!(, ::core::option::Option::Some(#owner)),
        None => quote!(, ::core::option::Option::None),
    });
    let refresh = refresh(site, hooks.as_ref());
    // A guard has no value to give or to take.
    let values = match &site.options.each {
        Some(_) => Some(super::each::values(site)),
        None => (!site.options.is_guard()).then(|| values(site, hooks.as_ref())),
    };
    let has_one_key = site.options.each.is_none();
    let key = (site.is_shared() && has_one_key).then(|| simple(site, "key"));
    // `timeout_with` gives each value a time of its own.
    let set_timeout = site.options.timeout_with.is_none().then(|| simple(site, "set_timeout"));
    let explain = has_one_key.then(|| explain(site));
    let spawn = spawn(site);
    quote! {
        #private::companions!(
            #(#attrs)*
            #allow
            #allow_unsafe
            #vis fn #name(#arguments) -> #returned {
                #about
                #begin
                let entry = operation(#call);
                names(#(#names),* #owner);
                #explain
                #refresh
                #values
                #key
                #set_timeout
                #spawn
            }
        );
    }
}

/// The function's arguments, each with a comma behind it.
fn arguments(site: &Site<'_>) -> TokenStream {
    let inputs = signature(site.model).inputs.into_iter();
    inputs.map(|input| quote!(#input,)).collect()
}

/// What of the signature is no more than a name, arguments and a type, and how the core is reached.
fn about(site: &Site<'_>) -> TokenStream {
    let mut signature = signature(site.model);
    site.model.set_beside(&mut signature);
    let (parameters, conditions) = (&signature.generics.params, &signature.generics.where_clause);
    let generics = (!parameters.is_empty()).then(|| quote!(#![generics(#parameters)]));
    let conditions = conditions.iter().flat_map(|clause| &clause.predicates).map(|condition| quote!(#condition,));
    let conditions: TokenStream = conditions.collect();
    let conditions = (!conditions.is_empty()).then(|| quote!(#![conditions(#conditions)]));
    let private = &site.private;
    let shared = site.is_shared().then(|| match site.model.is_async() {
        true => quote!(#![shared(Tasks)]),
        false => quote!(#![shared(Blocking)]),
    });
    // What the caller promises is for the body, and for the expressions of the attribute.
    let safety = matches!(signature.safety, Safety::Unsafe(_)).then(|| quote!(unsafe));
    let (all, only_refresh) = if site.options.key.is_some() { (safety, None) } else { (None, safety) };
    let all = all.map(|safety| quote!(#![operations(#safety)]));
    let asyncness = signature.asyncness.map(|asyncness| asyncness.to_token_stream());
    let refresh =
        (asyncness.is_some() || only_refresh.is_some()).then(|| quote!(#![refresh(#asyncness #only_refresh)]));
    quote!(#![core(#private)] #generics #conditions #shared #all #refresh)
}

fn explain(site: &Site<'_>) -> TokenStream {
    let steers = |given: &Option<crate::parse::Given<Expr>>| match given {
        Some(given) => given.value.to_token_stream(),
        None => quote!(false),
    };
    let (bypass, refresh) = (steers(&site.options.bypass), steers(&site.options.refresh));
    let name = site.named("explain");
    quote!(explain(#name, #bypass, #refresh);)
}

fn refresh(site: &Site<'_>, hooks: Option<&Hooks<'_, '_>>) -> TokenStream {
    let name = site.named("refresh");
    let run = match &site.options.each {
        Some(each) => super::each::refreshed(site, &each.value),
        None => refreshed(site, hooks),
    };
    let tagged = site.options.tags.as_ref().map(|_| site.loading_call());
    let noted = hooks.map(Hooks::call).or(tagged).map(|call| quote!(, (#call)));
    quote!(refresh(#name, |__memokit_guard| #run #noted);)
}

/// `peek` and `put`.
fn values(site: &Site<'_>, hooks: Option<&Hooks<'_, '_>>) -> TokenStream {
    let (peek, put, keep) = (site.named("peek"), site.named("put"), site.keep_given());
    let value = site.value().map(|value| quote!(::<#value>));
    // Only what is evicted is of interest there.
    let noted = hooks.filter(|_| site.options.on_evict.is_some()).map(Hooks::call);
    let tagged = site.options.tags.as_ref().map(|_| site.loading_call());
    let noted = noted.or(tagged).map(|call| quote!(, (#call)));
    quote!(peek #value (#peek); put #value (#put, #keep #noted);)
}

/// A companion of which there is nothing to say but its name.
fn simple(site: &Site<'_>, operation: &str) -> TokenStream {
    let (operation, name) = (format_ident!("{operation}"), site.named(operation));
    quote!(#operation(#name);)
}
