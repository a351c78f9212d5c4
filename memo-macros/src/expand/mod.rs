//! From the model to tokens. Nothing is rejected here; the work is done by `memo_core::private`.
//!
//! ```text
//! fn f(args) -> R { match begin(…, &args) { Hit(v) => v, Miss(guard) => guard.run(|| f::uncached(args)) } }
//! struct f {}
//! impl f { fn uncached(args) -> R { the body }   fn __memokit() -> &'static Function   companions!(fn f(args) -> R { … }) }
//! ```

mod call;
mod companion;
mod each;
mod function;
mod guard;
mod hooks;
mod keep;
mod parts;
mod site;
mod spans;
mod spawn;
mod verify;

use crate::args::Options;
use crate::model::{Model, Place};
use proc_macro2::TokenStream;
use quote::quote;
use site::Site;

/// The function and what stands beside it.
pub(crate) struct Expanded {
    /// The function that callers see.
    pub(crate) function: TokenStream,
    /// The functions beside it, or on its companion type.
    pub(crate) companions: TokenStream,
    /// The companion type of a free function.
    ty: Option<TokenStream>,
}

impl Expanded {
    /// As items of a module or of an `impl` block.
    pub(crate) fn into_items(self) -> TokenStream {
        let Expanded { function, companions, ty } = self;
        match ty {
            Some(ty) => quote!(#function #ty #companions),
            None => quote!(#function #companions),
        }
    }
}

/// Expands a function that has no mistakes.
pub(crate) fn expand(options: &Options, model: &Model<'_>) -> Expanded {
    let site = Site::new(options, model);
    let function = match &options.each {
        Some(each) => each::cached(&site, &each.value),
        None => call::cached(&site),
    };
    let companions = companion::all(&site);
    let (statics, consts, body) = (function::holder(&site), site.consts(), call::uncached(&site));
    if model.place == Place::Method {
        return Expanded { function, companions: quote!(#body #statics #consts #companions), ty: None };
    }
    let (vis, name) = (&model.original.vis, &site.companion);
    let cfgs = model.original.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).collect::<Vec<_>>();
    let hidden = model.original.attrs.iter().filter(|attr| is_doc_hidden(attr));
    let doc = format!("Operations on what [`{}`]({0}()) has stored.", model.name());
    let ty = quote! {
        #(#cfgs)*
        #[doc = #doc]
        #(#hidden)*
        #[allow(non_camel_case_types, dead_code, unreachable_pub, clippy::module_name_repetitions)]
        #vis struct #name {}
    };
    // The body stands apart, so that no lint is silenced in it.
    let companions = quote! {
        #(#cfgs)*
        #[allow(dead_code, unreachable_pub)]
        impl #name { #body }
        #(#cfgs)*
        #[allow(dead_code, unused_variables, unreachable_pub, clippy::all, clippy::pedantic)]
        impl #name { #statics #consts #companions }
    };
    Expanded { function, companions, ty: Some(ty) }
}

fn is_doc_hidden(attr: &syn::Attribute) -> bool {
    attr.path().is_ident("doc") && matches!(&attr.meta, syn::Meta::List(list) if list.tokens.to_string() == "hidden")
}
