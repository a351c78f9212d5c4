//! `#[cached]` on the `impl` of a trait: the trait's functions stay there, and what stands beside them goes to an
//! `impl` block of the type alone.
//!
//! Two things differ between the blocks. `Self::Item` means nothing without the trait, so it is spelled
//! `<Self as Trait>::Item`. And a parameter that only the trait's name mentions, as in `impl<T> From<T> for Answer`, can't
//! be one of the block, so it becomes one of each companion.

use crate::errors::Errors;
use crate::model::Surroundings;
use crate::usage::mentions;
use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::visit::Visit;
use syn::{GenericParam, Generics, ImplItem, ItemImpl, Path, Type, WherePredicate};

/// Types of the language, whose `impl` blocks only its own library can have.
const PRIMITIVES: [&str; 18] = [
    "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    "f32", "f64", "Self",
];

/// Finds out that the type can have no `impl` block of its own here.
pub(crate) fn check(block: &ItemImpl, errors: &mut Errors) {
    let parameters: Vec<String> = block.generics.type_params().map(|parameter| parameter.ident.to_string()).collect();
    let is_own = match ungrouped(&block.self_ty) {
        Type::Path(path) if path.qself.is_none() => path.path.get_ident().is_none_or(|name| {
            !PRIMITIVES.iter().any(|primitive| name == primitive) && !parameters.iter().any(|known| name == known)
        }),
        Type::TraitObject(_) => true,
        _ => false,
    };
    if !is_own {
        errors.at(
            &block.self_ty,
            "the companions of a trait's functions stand in an `impl` of the type, which must be a type of this crate: \
             put `#[cached]` on a free function with the same body, and call that here",
        );
    }
}

fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        ty => ty,
    }
}

/// What the block is called in the paths of its functions.
pub(crate) fn path(block: &ItemImpl) -> String {
    let name = |ty: &Type| match ungrouped(ty) {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default(),
        ty => spelled(ty),
    };
    match &block.trait_ {
        Some((path, _)) => format!("{}::{}", name(&block.self_ty), spelled(path)),
        None => name(&block.self_ty),
    }
}

/// The tokens, with a space only where words would grow together.
fn spelled(tokens: &impl ToTokens) -> String {
    fn write(tokens: TokenStream, text: &mut String) {
        for token in tokens {
            if let TokenTree::Group(group) = &token {
                let (open, close) = match group.delimiter() {
                    proc_macro2::Delimiter::Parenthesis => ("(", ")"),
                    proc_macro2::Delimiter::Brace => ("{", "}"),
                    proc_macro2::Delimiter::Bracket => ("[", "]"),
                    proc_macro2::Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write(group.stream(), text);
                text.push_str(close);
                continue;
            }
            let next = token.to_string();
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            if text.ends_with(is_word) && next.starts_with(is_word) {
                text.push(' ');
            }
            text.push_str(&next);
        }
    }
    let mut text = String::new();
    write(tokens.to_token_stream(), &mut text);
    text
}

/// Whether there is a lifetime other than `'static`.
struct Lifetimes(bool);

impl<'ast> Visit<'ast> for Lifetimes {
    fn visit_lifetime(&mut self, lifetime: &'ast syn::Lifetime) {
        self.0 |= lifetime.ident != "static";
    }
}

/// What the functions of the block need to know of it.
pub(crate) fn surroundings(block: &ItemImpl) -> Surroundings {
    let mut lifetimes = Lifetimes(false);
    lifetimes.visit_generics(&block.generics);
    lifetimes.visit_type(&block.self_ty);
    Surroundings {
        path: path(block),
        is_of_trait: block.trait_.is_some(),
        has_lifetimes: lifetimes.0,
        unnamed: unnamed(block),
    }
}

/// The name of a type or const parameter.
fn name_of(parameter: &GenericParam) -> Option<&Ident> {
    match parameter {
        GenericParam::Type(parameter) => Some(&parameter.ident),
        GenericParam::Const(parameter) => Some(&parameter.ident),
        GenericParam::Lifetime(_) => None,
    }
}

/// Whether the parameter is one that only the trait's name mentions.
fn is_unnamed(block: &ItemImpl, parameter: &GenericParam) -> bool {
    block.trait_.is_some()
        && name_of(parameter).is_some_and(|name| !mentions(block.self_ty.to_token_stream(), &name.to_string()))
}

/// Those parameters, and every condition that mentions one of them.
fn unnamed(block: &ItemImpl) -> Generics {
    let (parameters, predicates) = split(block, true);
    let mut generics = Generics::default();
    generics.params.extend(parameters);
    if !predicates.is_empty() {
        generics.make_where_clause().predicates.extend(predicates);
    }
    generics
}

/// Parameters and conditions of the block: those that companions take over, or those that stay.
fn split(block: &ItemImpl, unnamed: bool) -> (Vec<GenericParam>, Vec<WherePredicate>) {
    let parameters = &block.generics.params;
    let names: Vec<String> = parameters
        .iter()
        .filter(|parameter| is_unnamed(block, parameter))
        .filter_map(|parameter| name_of(parameter).map(ToString::to_string))
        .collect();
    let about = |tokens: TokenStream| names.iter().any(|name| mentions(tokens.clone(), name));
    let conditions = block.generics.where_clause.iter().flat_map(|clause| &clause.predicates);
    let mut predicates: Vec<WherePredicate> =
        conditions.filter(|predicate| about(predicate.to_token_stream()) == unnamed).cloned().collect();
    let mut kept = Vec::new();
    for parameter in parameters {
        let mut parameter = parameter.clone();
        if is_unnamed(block, &parameter) {
            if unnamed {
                kept.push(parameter);
            }
            continue;
        }
        // `T: Into<U>` of a parameter that stays, with one that goes.
        if let GenericParam::Type(ty) = &mut parameter
            && about(ty.bounds.to_token_stream())
        {
            let (name, bounds) = (&ty.ident, std::mem::take(&mut ty.bounds));
            if unnamed {
                predicates.push(syn::parse_quote!(#name: #bounds));
            }
        }
        if !unnamed {
            kept.push(parameter);
        }
    }
    (kept, predicates)
}

/// The block that holds the companions.
pub(crate) fn beside(block: &ItemImpl, companions: &TokenStream) -> TokenStream {
    let (parameters, predicates) = split(block, false);
    let cfgs =
        block.attrs.iter().filter(|attr| ["cfg", "allow", "warn", "deny"].iter().any(|a| attr.path().is_ident(a)));
    let ty = &block.self_ty;
    let conditions = (!predicates.is_empty()).then(|| quote!(where #(#predicates),*));
    quote! {
        #(#cfgs)*
        #[allow(private_interfaces, private_bounds, clippy::multiple_inherent_impl)]
        impl<#(#parameters),*> #ty #conditions { #companions }
    }
}

/// The item with `Self::Item` spelled so that it means the same in the type's own block.
pub(crate) fn qualified(block: &ItemImpl, associated: &[String], item: TokenStream) -> TokenStream {
    match &block.trait_ {
        Some((path, _)) if !associated.is_empty() => qualify(path, associated, item),
        _ => item,
    }
}

/// The types that the block gives to the trait.
pub(crate) fn associated_types(block: &ItemImpl) -> Vec<String> {
    let items = block.items.iter();
    let types = items.filter_map(|item| match item {
        ImplItem::Type(ty) => Some(ty.ident.to_string()),
        _ => None,
    });
    types.collect()
}

fn qualify(path: &Path, associated: &[String], tokens: TokenStream) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(colon)) if colon.as_char() == ':');
    let is_associated = |at: usize| matches!(tokens.get(at), Some(TokenTree::Ident(name)) if associated.iter().any(|known| name == known));
    let mut qualified = TokenStream::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(this)
                if this == "Self" && is_colon(at + 1) && is_colon(at + 2) && is_associated(at + 3) =>
            {
                let span = this.span();
                qualified.extend(quote::quote_spanned!(span=> <#this as #path>));
            }
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), qualify(path, associated, group.stream()));
                inner.set_span(group.span());
                qualified.extend([TokenTree::Group(inner)]);
            }
            token => qualified.extend([token.clone()]),
        }
    }
    qualified
}
