//! `#[cfg]` on arguments and on generic parameters.
//!
//! An attribute gets the function before the compiler has decided these, and they can't be copied to where an argument
//! is used. So the function is expanded once for each combination of conditions, under a `#[cfg]` of that combination.

use crate::errors::Errors;
use crate::model::Function;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, FnArg, GenericParam, Meta};

/// With each condition the expansion doubles.
const MOST: usize = 4;

/// The function as it is under each combination of the conditions; itself where there are none.
pub(crate) fn variants(function: Function, errors: &mut Errors) -> Vec<Function> {
    let conditions = conditions(&function);
    if let Some(condition) = conditions.get(MOST) {
        errors.at(
            condition,
            format!(
                "a cached function can have {MOST} different `#[cfg]`s on its arguments and parameters: put the \
                 condition on the function, or cache a function that has the argument always"
            ),
        );
        return vec![function];
    }
    if conditions.is_empty() {
        return vec![function];
    }
    let combinations = 0..1_usize << conditions.len();
    combinations.map(|holds| variant(&function, &conditions, |i| holds & (1 << i) != 0)).collect()
}

/// The different conditions, as they are written.
fn conditions(function: &Function) -> Vec<TokenStream> {
    let inputs = function.sig.inputs.iter().flat_map(attrs_of_input);
    let parameters = function.sig.generics.params.iter().flat_map(attrs_of_parameter);
    let mut conditions: Vec<TokenStream> = Vec::new();
    for condition in inputs.chain(parameters).filter_map(condition) {
        if !conditions.iter().any(|known| same(known, &condition)) {
            conditions.push(condition);
        }
    }
    conditions
}

fn same(one: &TokenStream, other: &TokenStream) -> bool {
    one.to_string() == other.to_string()
}

/// What a `#[cfg(…)]` asks.
fn condition(attr: &Attribute) -> Option<TokenStream> {
    match &attr.meta {
        Meta::List(list) if list.path.is_ident("cfg") => Some(list.tokens.clone()),
        _ => None,
    }
}

fn attrs_of_input(input: &FnArg) -> &Vec<Attribute> {
    match input {
        FnArg::Receiver(receiver) => &receiver.attrs,
        FnArg::Typed(typed) => &typed.attrs,
    }
}

fn attrs_of_parameter(parameter: &GenericParam) -> &Vec<Attribute> {
    match parameter {
        GenericParam::Lifetime(parameter) => &parameter.attrs,
        GenericParam::Type(parameter) => &parameter.attrs,
        GenericParam::Const(parameter) => &parameter.attrs,
    }
}

fn variant(function: &Function, conditions: &[TokenStream], holds: impl Fn(usize) -> bool) -> Function {
    let is_there = |attrs: &[Attribute]| {
        attrs
            .iter()
            .filter_map(condition)
            .all(|condition| conditions.iter().position(|known| same(known, &condition)).is_none_or(&holds))
    };
    let mut variant = function.clone();
    let signature = &mut variant.sig;
    signature.inputs = signature.inputs.iter().filter(|input| is_there(attrs_of_input(input))).cloned().collect();
    let parameters = &mut signature.generics.params;
    *parameters = parameters.iter().filter(|parameter| is_there(attrs_of_parameter(parameter))).cloned().collect();
    for input in &mut signature.inputs {
        match input {
            FnArg::Receiver(receiver) => receiver.attrs.retain(|attr| !attr.path().is_ident("cfg")),
            FnArg::Typed(typed) => typed.attrs.retain(|attr| !attr.path().is_ident("cfg")),
        }
    }
    for parameter in &mut signature.generics.params {
        let attrs = match parameter {
            GenericParam::Lifetime(parameter) => &mut parameter.attrs,
            GenericParam::Type(parameter) => &mut parameter.attrs,
            GenericParam::Const(parameter) => &mut parameter.attrs,
        };
        attrs.retain(|attr| !attr.path().is_ident("cfg"));
    }
    let asked = conditions.iter().enumerate().map(|(i, condition)| match holds(i) {
        true => quote!(#condition),
        false => quote!(not(#condition)),
    });
    let cfg: Attribute = syn::parse_quote!(#[cfg(all(#(#asked),*))]);
    variant.attrs.insert(0, cfg);
    variant
}
