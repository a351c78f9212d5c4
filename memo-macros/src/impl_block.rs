//! `#[cached]` on an `impl` block: its cached functions are expanded with the block in view, so that associated
//! functions without `self`, and the functions of a trait, work too.

use crate::errors::Errors;
use crate::model::{Function, Model, Place, Surroundings};
use crate::{args, cfgs, check, expand, fallback, trait_impl};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{ImplItem, ImplItemFn, ItemImpl, Meta};

/// Expands every `#[cached]` function of the block.
pub(crate) fn expand(options: &TokenStream, mut block: ItemImpl) -> TokenStream {
    let mut errors = Errors::default();
    if !options.is_empty() {
        errors.at(options, "`#[cached]` on an `impl` block takes no options: put them on its functions");
    }
    if block.trait_.is_some() {
        trait_impl::check(&block, &mut errors);
    }
    let (surroundings, associated) = (trait_impl::surroundings(&block), trait_impl::associated_types(&block));
    let mut items = Vec::with_capacity(block.items.len());
    let mut beside = TokenStream::new();
    let mut found = false;
    for item in std::mem::take(&mut block.items) {
        let ImplItem::Fn(mut function) = item else {
            items.push(item);
            continue;
        };
        let Some(attribute) = take_attribute(&mut function.attrs) else {
            items.push(ImplItem::Fn(function));
            continue;
        };
        found = true;
        let options = match attribute.meta {
            Meta::List(list) => args::parse(list.tokens, &mut errors),
            _ => args::Options::default(),
        };
        let qualified = trait_impl::qualified(&block, &associated, function.to_token_stream());
        let function = syn::parse2::<ImplItemFn>(qualified).unwrap_or(function);
        match expanded(&options, function.clone().into(), &surroundings) {
            Ok(expanded) => {
                for expanded in expanded {
                    if surroundings.is_of_trait {
                        items.push(ImplItem::Verbatim(expanded.function));
                        beside.extend(expanded.companions);
                    } else {
                        items.push(ImplItem::Verbatim(expanded.into_items()));
                    }
                }
            }
            Err(error) => {
                errors.push(error);
                items.push(ImplItem::Fn(function));
            }
        }
    }
    if !found {
        errors.at(&block.self_ty, "`#[cached]` on an `impl` block needs a function in it that is `#[cached]` too");
    }
    block.items = items;
    if let Some(errors) = errors.into_tokens() {
        return fallback::with_errors(&block.to_token_stream(), &errors);
    }
    if !surroundings.is_of_trait {
        return quote!(#block);
    }
    let beside = trait_impl::beside(&block, &beside);
    quote!(#block #beside)
}

/// One function of the block, as it is under each combination of the conditions on its arguments.
fn expanded(
    options: &args::Options,
    function: Function,
    surroundings: &Surroundings,
) -> Result<Vec<expand::Expanded>, syn::Error> {
    let mut mistakes = Errors::default();
    let whole = Model::new(function.clone(), Place::Method, Some(surroundings));
    check::check(options, &whole, &mut mistakes);
    let variants = cfgs::variants(function, &mut mistakes);
    if let Some(error) = mistakes.into_error() {
        return Err(error);
    }
    let variants = variants.into_iter();
    let models = variants.map(|function| Model::new(function, Place::Method, Some(surroundings)));
    Ok(models.map(|model| expand::expand(options, &model)).collect())
}

/// The `#[cached]` of a function, under whatever path.
fn take_attribute(attrs: &mut Vec<syn::Attribute>) -> Option<syn::Attribute> {
    let at = attrs.iter().position(|attr| attr.path().segments.last().is_some_and(|last| last.ident == "cached"))?;
    Some(attrs.remove(at))
}
