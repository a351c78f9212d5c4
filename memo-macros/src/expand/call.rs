//! The function that callers see, and the one that holds the body.

use super::hooks::Hooks;
use super::site::Site;
use crate::model::Model;
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{FnArg, Signature};

/// The function that callers see: look, and run the body on a miss.
pub(super) fn cached(site: &Site<'_>) -> TokenStream {
    let (model, private) = (site.model, &site.private);
    let attrs = model.outer_attrs();
    // A guard of a function that returns an `Option` returns two of them.
    let allow = site.options.is_guard().then(|| quote!(#[allow(clippy::option_option)]));
    // The call of the body is in the hands of the caller, as it was when it stood here.
    let allow_unsafe = model.is_unsafe().then(|| quote!(#[allow(unsafe_code, clippy::undocumented_unsafe_blocks)]));
    let (vis, mut signature) = (&model.original.vis, signature(model));
    if site.options.is_guard() {
        let returned = site.returned();
        signature.output = syn::parse_quote!(-> #returned);
    }
    let (prelude, body, keep) = (site.prelude(), body(site), site.keep());
    let (settle, run) = doors(site, &body, &keep);
    let hooks = Hooks::of(site);
    let call = hooks.as_ref().map_or_else(|| site.loading_call(), Hooks::call);
    let begin = hooks.as_ref().map(Hooks::begin);
    let hit = returned(hooks.as_ref().and_then(Hooks::local_hit));
    let settled = returned(hooks.as_ref().and_then(Hooks::settled));
    let plain_run = run;
    let run = match &hooks {
        Some(hooks) => told(hooks, &quote!(__memokit_guard #plain_run)),
        None => quote!(__memokit_guard #plain_run),
    };
    let bypass = bypass(site);
    let refresh = site.options.refresh.as_ref().map(|refresh| {
        let refresh = &refresh.value;
        quote! {
            if #refresh {
                let __memokit_guard = #private::refresh(#call);
                return #run;
            }
        }
    });
    let look = match &site.options.verify {
        Some(share) => super::verify::look(site, &share.value, &call, hooks.as_ref(), &plain_run, &run),
        None => quote! {
            let __memokit_open = match #private::start(#call) {
                #private::Started::Hit(__memokit_value) => #hit,
                #private::Started::Open(__memokit_open) => __memokit_open,
            };
            let __memokit_guard = match __memokit_open #settle {
                #private::Begun::Hit(__memokit_value) => #settled,
                #private::Begun::Miss(__memokit_guard) => __memokit_guard,
            };
            #run
        },
    };
    quote! {
        #(#attrs)*
        // The body is elsewhere: here `_name` is used because it is part of the key.
        #[allow(clippy::used_underscore_binding)]
        #allow
        #allow_unsafe
        #vis #signature {
            #prelude
            #bypass
            #begin
            #refresh
            #look
        }
    }
}

/// What a call does before everything else if it is to look at nothing.
pub(super) fn bypass(site: &Site<'_>) -> Option<TokenStream> {
    let (private, body) = (&site.private, body(site));
    site.options.bypass.as_ref().map(|bypass| {
        let (bypass, holder, tags) = (&bypass.value, site.path(&site.holder()), site.tags_caller());
        quote! {
            if #bypass {
                #private::count_bypass(#holder());
                #tags
                return #body;
            }
        }
    })
}

/// Returns a value that was found, once the hooks are told.
fn returned(tell: Option<TokenStream>) -> TokenStream {
    match tell {
        Some(tell) => quote!({ #tell return __memokit_value; }),
        None => quote!(return __memokit_value),
    }
}

/// Runs the body, then tells the hooks.
fn told(hooks: &Hooks<'_, '_>, run: &TokenStream) -> TokenStream {
    let (keep, told) = (hooks.keep(), hooks.loaded(&format_ident!("__memokit_value")));
    quote! {{
        #keep
        let __memokit_value = #run;
        #told
        __memokit_value
    }}
}

/// `.settle()` and `.run(…)`, or their async twins.
fn doors(site: &Site<'_>, body: &TokenStream, keep: &TokenStream) -> (TokenStream, TokenStream) {
    if site.model.is_async() {
        let settle = if site.is_shared() { quote!(settle_async) } else { quote!(settle_local_async) };
        let run = run_async(site);
        (quote!(.#settle().await), quote!(.#run(async move { #body }, #keep).await))
    } else {
        let settle = if site.is_shared() { quote!(settle) } else { quote!(settle_local) };
        (quote!(.#settle()), quote!(.run(|| #body, #keep)))
    }
}

/// What `refresh` does with its load, which is `__memokit_guard`.
pub(super) fn refreshed(site: &Site<'_>, hooks: Option<&Hooks<'_, '_>>) -> TokenStream {
    let (keep, body) = (site.keep(), body(site));
    let run = match (site.model.is_async(), site.is_shared()) {
        (true, true) => quote!(run_checked_async),
        (true, false) => run_async(site),
        (false, true) => quote!(run_checked),
        (false, false) => quote!(run),
    };
    let run = match site.model.is_async() {
        true => quote!(__memokit_guard.#run(async move { #body }, #keep).await),
        false => quote!(__memokit_guard.#run(|| #body, #keep)),
    };
    if !site.is_shared() {
        return hooks.map_or_else(|| run.clone(), |hooks| told(hooks, &run));
    }
    let kept = hooks.map(Hooks::keep);
    let told = hooks.map(|hooks| hooks.loaded(&format_ident!("__memokit_value")));
    quote! {{
        #kept
        let (__memokit_value, __memokit_stored) = #run;
        #told
        __memokit_stored.map(|()| __memokit_value)
    }}
}

/// What runs an async body. Without a shared level, what it returns need not be `Send`.
pub(super) fn run_async(site: &Site<'_>) -> TokenStream {
    if site.is_shared() { quote!(run_async) } else { quote!(run_local_async) }
}

/// The call of the function that holds the body, awaited if it is async, as what callers see.
pub(super) fn body(site: &Site<'_>) -> TokenStream {
    let model = site.model;
    let uncached = site.path(&site.named("uncached"));
    let turbofish = model.turbofish();
    // The user's own token: another `self` could be another macro's.
    let this = model.receiver().map(|receiver| {
        let this = &receiver.self_token;
        quote!(#this,)
    });
    let arguments = model.arguments.iter().map(|argument| &argument.ident);
    let awaited = model.is_async().then(|| quote!(.await));
    let call = quote!(#uncached #turbofish(#this #(#arguments),*) #awaited);
    site.ran(if model.is_unsafe() { quote!(unsafe { #call }) } else { call })
}

/// The signature with plain names for arguments: no `mut`, no patterns.
pub(super) fn signature(model: &Model<'_>) -> Signature {
    let mut signature = model.original.sig.clone();
    let mut arguments = model.arguments.iter();
    for input in &mut signature.inputs {
        match input {
            FnArg::Typed(typed) => {
                let argument = arguments.next().expect("one argument for each typed input");
                let ident = &argument.ident;
                *typed.pat = syn::parse_quote!(#ident);
                // What is expected of an argument is expected of the body.
                typed.attrs.retain(|attr| !attr.path().is_ident("expect"));
            }
            FnArg::Receiver(receiver) => receiver.mutability = None,
        }
    }
    signature
}

/// The function that holds the body, as the user wrote it.
pub(super) fn uncached(site: &Site<'_>) -> TokenStream {
    let model = site.model;
    let attrs = model.body_attrs();
    let vis = model.companion_vis();
    let mut signature = model.original.sig.clone();
    model.set_beside(&mut signature);
    signature.ident = site.named("uncached");
    let mut block = model.original.block.to_token_stream();
    let used = site.used_by_options();
    if !used.is_empty() {
        // The attribute uses them, so the body need not.
        let statements = &model.original.block.stmts;
        block = quote!({ #(let _ = &#used;)* #(#statements)* });
    }
    let doc = format!("Runs the body of `{}`; nothing is looked up and nothing is stored.", model.name());
    quote! {
        #(#attrs)*
        #[doc = #doc]
        #vis #signature #block
    }
}
