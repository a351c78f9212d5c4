//! The attribute of `memokit`. Use it through that crate, where it is documented.
//!
//! A pipeline of small steps: `args` reads the options with their spans, `model` sees the function, `check`
//! finds every mistake in both, `expand` emits code and never rejects, `fallback` emits the user's function where
//! there were mistakes, so that an editor keeps working.

mod args;
mod cfgs;
mod check;
mod check_each;
mod check_options;
mod errors;
mod expand;
mod fallback;
mod impl_block;
mod model;
mod parse;
#[cfg(test)]
mod snapshots;
mod trait_impl;
mod usage;

use errors::Errors;
use proc_macro2::TokenStream;
use quote::ToTokens;

// Documented where users see it, at `memokit::cached`; text here would be added to that page.
#[expect(missing_docs, reason = "see above")]
#[proc_macro_attribute]
pub fn cached(options: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand_item(options.into(), &item.into()).into()
}

fn expand_item(options: TokenStream, item: &TokenStream) -> TokenStream {
    if let Ok(block) = syn::parse2::<syn::ItemImpl>(item.clone()) {
        return impl_block::expand(&options, block);
    }
    let function = match syn::parse2::<syn::ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(error) => return fallback::not_a_function(item, &error),
    };
    let mut errors = Errors::default();
    let options = args::parse(options, &mut errors);
    let place = if function.sig.receiver().is_some() { model::Place::Method } else { model::Place::Free };
    let function = model::Function::from(function);
    let model = model::Model::new(function.clone(), place, None);
    check::check(&options, &model, &mut errors);
    let variants = cfgs::variants(function, &mut errors);
    if let Some(errors) = errors.into_tokens() {
        return fallback::with_errors(&model.original.to_token_stream(), &errors);
    }
    let models = variants.into_iter().map(|function| model::Model::new(function, place, None));
    models.map(|model| expand::expand(&options, &model).into_items()).collect()
}
