//! `#[cached]` on an `impl` block: its cached functions are expanded with the block in view, so that associated
//! functions without `self` work too.

use crate::errors::Errors;
use crate::model::{Model, Place};
use crate::{args, check, expand, fallback};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{ImplItem, ItemImpl, Meta};

/// Expands every `#[cached]` function of the block.
pub(crate) fn expand(options: &TokenStream, mut block: ItemImpl) -> TokenStream {
    let mut errors = Errors::default();
    if !options.is_empty() {
        errors.at(options, "`#[cached]` on an `impl` block takes no options: put them on its functions");
    }
    if let Some((path, _)) = &block.trait_ {
        errors.at(
            path,
            "`#[cached]` can't be used on the `impl` of a trait yet: put it on an inherent method, and call that",
        );
    }
    let mut items = Vec::with_capacity(block.items.len());
    let mut found = false;
    for item in std::mem::take(&mut block.items) {
        match item {
            ImplItem::Fn(mut function) => match take_attribute(&mut function.attrs) {
                Some(attribute) => {
                    found = true;
                    let options = match attribute.meta {
                        Meta::List(list) => args::parse(list.tokens, &mut errors),
                        _ => args::Options::default(),
                    };
                    let model = Model::new(function.clone().into(), Place::Method);
                    let mut mistakes = Errors::default();
                    check::check(&options, &model, &mut mistakes);
                    match mistakes.into_error() {
                        None => items.push(ImplItem::Verbatim(expand::expand(&options, &model).into_items())),
                        Some(error) => {
                            errors.push(error);
                            items.push(ImplItem::Fn(function));
                        }
                    }
                }
                None => items.push(ImplItem::Fn(function)),
            },
            item => items.push(item),
        }
    }
    if !found {
        errors.at(&block.self_ty, "`#[cached]` on an `impl` block needs a function in it that is `#[cached]` too");
    }
    block.items = items;
    match errors.into_tokens() {
        Some(errors) => fallback::with_errors(&block.to_token_stream(), &errors),
        None => quote!(#block),
    }
}

/// The `#[cached]` of a function, under whatever path.
fn take_attribute(attrs: &mut Vec<syn::Attribute>) -> Option<syn::Attribute> {
    let at = attrs.iter().position(|attr| attr.path().segments.last().is_some_and(|last| last.ident == "cached"))?;
    Some(attrs.remove(at))
}
