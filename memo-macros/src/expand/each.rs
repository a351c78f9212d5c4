//! `each = ids`: each id is a call of its own, and the body runs once for all that are not there.
//!
//! ```text
//! let mut bulk = match start(…, &ids) { Hit(map) => return map, Open(bulk) => bulk };
//! loop {
//!     let load = match bulk.settle() { Done(map) => return map, Load(load) => load };
//!     bulk = match load.run(|| f::uncached(…, load.pick(&ids))) { Ok(bulk) => bulk, Err(error) => return error };
//! }
//! ```
//! There is more than one round where another call was to load some of the ids and did not.

use super::call::signature;
use super::site::Site;
use super::spans::located;
use crate::model::Argument;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, Ident, ReceiverKind, Type};

/// The function that callers see.
pub(super) fn cached(site: &Site<'_>, ids: &Ident) -> TokenStream {
    let (model, private) = (site.model, &site.private);
    let attrs = model.outer_attrs();
    let allow_unsafe = model.is_unsafe().then(|| quote!(#[allow(unsafe_code, clippy::undocumented_unsafe_blocks)]));
    let (vis, signature, prelude, call) = (&model.original.vis, signature(model), site.prelude(), site.loading_call());
    let bypass = super::call::bypass(site);
    let start = quote! {
        match #private::start(#call) {
            #private::Looked::Hit(__memokit_value) => return __memokit_value,
            #private::Looked::Open(__memokit_bulk) => __memokit_bulk,
        }
    };
    let begin = match &site.options.refresh {
        Some(refresh) => {
            let refresh = &refresh.value;
            quote!(if #refresh { #private::refresh(#call) } else { #start })
        }
        None => start,
    };
    let rounds = rounds(site, ids, &quote!((__memokit_value, _) => return __memokit_value), &quote!(__memokit_value));
    quote! {
        #(#attrs)*
        // The body is elsewhere: here `_name` is used because it is part of the key.
        #[allow(clippy::used_underscore_binding)]
        #allow_unsafe
        #vis #signature {
            #prelude
            #bypass
            let mut __memokit_bulk = #begin;
            #rounds
        }
    }
}

/// What `f::refresh` does with the loads that it leads, and returns.
pub(super) fn refreshed(site: &Site<'_>, ids: &Ident) -> TokenStream {
    let (done, error) = match site.is_shared() {
        true => (
            quote!((__memokit_value, __memokit_stored) => return __memokit_stored.map(|()| __memokit_value)),
            quote!(::core::result::Result::Ok(__memokit_value)),
        ),
        false => (quote!((__memokit_value, _) => return __memokit_value), quote!(__memokit_value)),
    };
    let rounds = rounds(site, ids, &done, &error);
    quote! {{
        let mut __memokit_bulk = __memokit_guard;
        #rounds
    }}
}

/// Rounds of the call `__memokit_bulk`, until it returns: what is done, by `done`, or `error`.
fn rounds(site: &Site<'_>, ids: &Ident, done: &TokenStream, error: &TokenStream) -> TokenStream {
    let private = &site.private;
    let (body, keep) = (body(site), site.keep());
    let (settle, run) = match site.model.is_async() {
        true => (quote!(settle_async().await), quote!(run_async(#body, #keep).await)),
        false => (quote!(settle()), quote!(run(|| #body, #keep))),
    };
    quote! {
        loop {
            let __memokit_load = match __memokit_bulk.#settle {
                #private::Settled::Done #done,
                #private::Settled::Load(__memokit_load) => __memokit_load,
            };
            #[allow(unused_mut)]
            let mut __memokit_some = __memokit_load.pick(&#ids);
            __memokit_bulk = match __memokit_load.#run {
                ::core::result::Result::Ok(__memokit_bulk) => __memokit_bulk,
                ::core::result::Result::Err(__memokit_value) => return #error,
            };
        }
    }
}

/// The call of the function that holds the body, for some of the ids. It may be called again, so it takes nothing away.
fn body(site: &Site<'_>) -> TokenStream {
    let model = site.model;
    let (uncached, turbofish) = (site.path(&site.named("uncached")), model.turbofish());
    let this = model.receiver().map(|receiver| {
        let this = receiver.self_token.to_token_stream();
        let this = match &receiver.kind {
            ReceiverKind::Reference(..) => this,
            ReceiverKind::Typed(_, ty) => again(site, &this, ty),
            _ => again(site, &this, &syn::parse_quote_spanned!(receiver.span()=> Self)),
        };
        quote!(#this,)
    });
    let arguments = model.arguments.iter().map(|Argument { ident, ty, .. }| match site.options.is_ids(ident) {
        true => quote!(__memokit_some.lend()),
        false => again(site, &ident.to_token_stream(), ty),
    });
    let call = quote!(#uncached #turbofish(#this #(#arguments),*));
    if model.is_unsafe() { quote!(unsafe { #call }) } else { call }
}

/// An argument for one run of the body. A reference can be lent again as it is.
fn again(site: &Site<'_>, argument: &TokenStream, ty: &Type) -> TokenStream {
    match ty {
        Type::Group(group) => again(site, argument, &group.elem),
        Type::Paren(paren) => again(site, argument, &paren.elem),
        Type::Reference(_) => argument.clone(),
        ty => {
            let span = Span::call_site().located_at(ty.span());
            let private = located(&site.private, span);
            quote_spanned!(span=> #private::again(&#argument))
        }
    }
}

/// `peek` and `put`: of a map, and without the ids, which are those of the map.
pub(super) fn values(site: &Site<'_>) -> TokenStream {
    let (peek, put, keep, outcome) = (site.named("peek"), site.named("put"), site.keep_given(), site.outcome());
    let value = site.value().map(|value| quote!(::<#value>));
    let is_ids = |input: &FnArg| match input {
        FnArg::Typed(typed) => matches!(&*typed.pat, syn::Pat::Ident(name) if site.options.is_ids(&name.ident)),
        FnArg::Receiver(_) => false,
    };
    let inputs = signature(site.model).inputs.into_iter().filter(|input| !is_ids(input));
    let given = format_ident!("__memokit_given", span = Span::call_site());
    let call = site.call_of(&site.tagged(&site.door()), &quote!(, &#given, #keep));
    quote! {
        peek_each #value (#peek);
        put_each #value (#put, #given, #outcome, but_ids![#(#inputs,)*], (#call));
    }
}

impl Site<'_> {
    /// What the look at a call of several ids needs beside: the ids, and how they are parts of keys.
    pub(super) fn ids(&self, ids: &Ident) -> TokenStream {
        let argument = self.model.arguments.iter().find(|argument| argument.ident == *ids);
        let span = Span::call_site().located_at(argument.map_or(ids.span(), |argument| argument.ty.span()));
        let private = located(&self.private, span);
        let how = quote_spanned!(span=> #private::ids_of(&#ids).how());
        quote!(, &#ids, { #[allow(unused_imports)] use #private::{AnyId as _, KnownId as _}; #how })
    }

    /// Where the id stands in the parts of a key.
    pub(super) fn hole(&self) -> TokenStream {
        let private = &self.private;
        quote!(#private::Hole)
    }

    /// The outcome of one id.
    pub(super) fn of_each(&self, outcome: &TokenStream) -> TokenStream {
        let span = self.model.returned().span();
        let (private, span) = (located(&self.private, span), Span::call_site().located_at(span));
        quote_spanned!(span=> #private::each(#outcome))
    }
}
