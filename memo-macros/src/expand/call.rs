//! The function that callers see, and the one that holds the body.

use super::site::Site;
use crate::model::Model;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{FnArg, Signature};

/// The function that callers see: look, and run the body on a miss.
pub(super) fn cached(site: &Site<'_>) -> TokenStream {
    let (model, private) = (site.model, &site.private);
    let attrs = model.outer_attrs();
    // The call of the body is in the hands of the caller, as it was when it stood here.
    let allow_unsafe = model.is_unsafe().then(|| quote!(#[allow(unsafe_code, clippy::undocumented_unsafe_blocks)]));
    let (vis, signature) = (&model.original.vis, signature(model));
    let (prelude, call, body, keep) = (site.prelude(), site.call(), body(site), site.keep());
    let (settle, run) = doors(site, &body, &keep);
    let bypass = site.options.bypass.as_ref().map(|bypass| {
        let (bypass, holder) = (&bypass.value, site.path(&site.holder()));
        quote! {
            if #bypass {
                #private::count_bypass(#holder());
                return #body;
            }
        }
    });
    let refresh = site.options.refresh.as_ref().map(|refresh| {
        let refresh = &refresh.value;
        quote! {
            if #refresh {
                let __memokit_guard = #private::refresh(#call);
                return __memokit_guard #run;
            }
        }
    });
    quote! {
        #(#attrs)*
        // The body is elsewhere: here `_name` is used because it is part of the key.
        #[allow(clippy::used_underscore_binding)]
        #allow_unsafe
        #vis #signature {
            #prelude
            #bypass
            #refresh
            let __memokit_open = match #private::start(#call) {
                #private::Started::Hit(__memokit_value) => return __memokit_value,
                #private::Started::Open(__memokit_open) => __memokit_open,
            };
            let __memokit_guard = match __memokit_open #settle {
                #private::Begun::Hit(__memokit_value) => return __memokit_value,
                #private::Begun::Miss(__memokit_guard) => __memokit_guard,
            };
            __memokit_guard #run
        }
    }
}

/// `.settle()` and `.run(…)`, or their async twins.
fn doors(site: &Site<'_>, body: &TokenStream, keep: &TokenStream) -> (TokenStream, TokenStream) {
    if site.model.is_async() {
        let run = run_async(site);
        (quote!(.settle_async().await), quote!(.#run(async move { #body }, #keep).await))
    } else {
        (quote!(.settle()), quote!(.run(|| #body, #keep)))
    }
}

/// What runs an async body. Without a shared level, what it returns need not be `Send`.
pub(super) fn run_async(site: &Site<'_>) -> TokenStream {
    if site.is_shared() { quote!(run_async) } else { quote!(run_local_async) }
}

/// The call of the function that holds the body, awaited if it is async.
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
    if model.is_unsafe() { quote!(unsafe { #call }) } else { call }
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
