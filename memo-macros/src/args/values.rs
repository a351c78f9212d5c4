//! What the value of an option may be, and what to write where it is not that.

use super::{CacheErr, CacheSource, SingleFlight, Time};
use std::time::Duration;
use syn::spanned::Spanned;
use syn::{Expr, ExprClosure, ExprLit, Ident, Lit, LitStr, Path};

/// The expression that a `macro_rules!` fragment stands for: the compiler hands it over in an invisible group.
pub(crate) fn ungrouped(mut value: &Expr) -> &Expr {
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    value
}

/// The closure that an expression is, in parentheses or not.
pub(crate) fn closure(value: &Expr) -> Option<&ExprClosure> {
    match value {
        Expr::Closure(closure) => Some(closure),
        Expr::Group(group) => closure(&group.expr),
        Expr::Paren(paren) => closure(&paren.expr),
        _ => None,
    }
}

pub(super) fn literal(value: &Expr) -> Option<&Lit> {
    match ungrouped(value) {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        _ => None,
    }
}

pub(super) fn time(value: &Expr) -> syn::Result<Time> {
    let known = |time: Duration| {
        if time.is_zero() {
            let advice = "a timeout of zero would store what is never served: give a positive time, leave the option \
                          out to keep values for ever, or use `bypass = true`";
            return Err(syn::Error::new_spanned(value, advice));
        }
        Ok(Time::Known(time))
    };
    match literal(value) {
        Some(Lit::Int(seconds)) => known(Duration::from_secs(seconds.base10_parse()?)),
        Some(Lit::Float(seconds)) => match Duration::try_from_secs_f64(seconds.base10_parse()?) {
            Ok(time) => known(time),
            Err(error) => Err(syn::Error::new_spanned(value, format!("not a span of time: {error}"))),
        },
        Some(Lit::Str(text)) => match humantime::parse_duration(&text.value()) {
            Ok(time) => known(time),
            Err(error) => {
                let message =
                    format!("not a span of time: {error}; write for example \"1h 30m\", \"45s\" or \"250ms\"");
                Err(syn::Error::new_spanned(value, message))
            }
        },
        Some(other) => Err(syn::Error::new_spanned(
            other,
            "expected seconds, a text like \"1h 30m\", or an expression of type `Duration`",
        )),
        None if matches!(value, Expr::Unary(syn::ExprUnary { op: syn::UnOp::Neg(_), .. })) => {
            Err(syn::Error::new_spanned(value, "a span of time is not negative"))
        }
        None => Ok(Time::Computed(value.clone())),
    }
}

pub(super) fn text(value: &Expr) -> syn::Result<LitStr> {
    match literal(value) {
        Some(Lit::Str(text)) if text.value().is_empty() => Err(syn::Error::new_spanned(
            value,
            "an empty prefix names nothing: leave the option out to use the function's path",
        )),
        Some(Lit::Str(text)) => Ok(text.clone()),
        _ => Err(syn::Error::new_spanned(value, "expected a text in quotes")),
    }
}

/// `scope = "thread"`, the only one that is given by name.
pub(super) fn scope(value: &Expr) -> syn::Result<()> {
    match literal(value) {
        Some(Lit::Str(text)) if text.value() == "thread" => Ok(()),
        _ => Err(syn::Error::new_spanned(
            value,
            "expected `\"thread\"`: each thread has entries of its own; leave the option out for entries that all \
             threads share",
        )),
    }
}

/// `evict = "cost"`, the only one that is given by name.
pub(super) fn evict(value: &Expr) -> syn::Result<()> {
    match literal(value) {
        Some(Lit::Str(text)) if text.value() == "cost" => Ok(()),
        _ => Err(syn::Error::new_spanned(
            value,
            "expected `\"cost\"`: what is quick to load again goes first; leave the option out for entries that go by \
             how much they are used",
        )),
    }
}

pub(super) fn yes_or_no(value: &Expr) -> syn::Result<bool> {
    match literal(value) {
        Some(Lit::Bool(value)) => Ok(value.value),
        _ => Err(syn::Error::new_spanned(value, "expected `true` or `false`")),
    }
}

pub(super) fn single_flight(value: &Expr) -> syn::Result<SingleFlight> {
    match literal(value) {
        Some(Lit::Bool(value)) if value.value => Ok(SingleFlight::Process),
        Some(Lit::Bool(_)) => Ok(SingleFlight::Off),
        Some(Lit::Str(text)) if text.value() == "fleet" => Ok(SingleFlight::Fleet),
        _ => Err(syn::Error::new_spanned(
            value,
            "expected `true`, `false`, or `\"fleet\"`: one process of all that share the cache loads at a time",
        )),
    }
}

pub(super) fn ident(value: &Expr) -> syn::Result<Ident> {
    match ungrouped(value) {
        Expr::Path(path) if path.qself.is_none() => path.path.require_ident().cloned(),
        _ => Err(syn::Error::new_spanned(value, "expected a name, without quotes")),
    }
}

pub(super) fn argument(value: &Expr) -> syn::Result<Ident> {
    ident(value).map_err(|error| syn::Error::new(error.span(), "expected the name of the argument that holds the ids"))
}

pub(super) fn names(value: &Expr) -> syn::Result<Vec<Ident>> {
    match ungrouped(value) {
        Expr::Array(array) => array.elems.iter().map(ident).collect(),
        value => Ok(vec![ident(value).map_err(|error| {
            syn::Error::new(error.span(), "expected the name of an argument, or several as `[a, b]`")
        })?]),
    }
}

pub(super) fn tags(value: &Expr) -> syn::Result<Vec<Expr>> {
    match ungrouped(value) {
        Expr::Array(array) if !array.elems.is_empty() => Ok(array.elems.iter().cloned().collect()),
        _ => Err(syn::Error::new_spanned(
            value,
            "expected the tags as a list, as in `tags = [\"users\", format!(\"user:{id}\")]`: texts that may depend on \
             the arguments",
        )),
    }
}

pub(super) fn path(value: &Expr) -> syn::Result<Path> {
    match ungrouped(value) {
        Expr::Path(path) if path.qself.is_none() => Ok(path.path.clone()),
        _ => Err(syn::Error::new_spanned(value, "expected a path, without quotes")),
    }
}

pub(super) fn errors_to_store(value: Expr) -> syn::Result<CacheErr> {
    match literal(&value) {
        Some(Lit::Bool(all)) if all.value => Ok(CacheErr::All),
        Some(Lit::Bool(_)) => Ok(CacheErr::None),
        Some(_) => Err(syn::Error::new_spanned(value, "expected `true`, `false`, or a predicate as `|error| …`")),
        None => Ok(CacheErr::Some(value)),
    }
}

/// A share from 0 to 1, as an expression of type `f64`.
pub(super) fn share(value: Expr) -> syn::Result<Expr> {
    let advice = "expected a share of the hits from 0.0 to 1.0: `0.01` is one in a hundred, `1.0` is each";
    let known = match literal(&value) {
        Some(Lit::Float(share)) => share.base10_parse::<f64>()?,
        Some(Lit::Int(share)) => f64::from(share.base10_parse::<u32>()?),
        Some(_) => return Err(syn::Error::new_spanned(value, advice)),
        None if matches!(value, Expr::Unary(syn::ExprUnary { op: syn::UnOp::Neg(_), .. })) => {
            return Err(syn::Error::new_spanned(value, advice));
        }
        None => return Ok(value),
    };
    if !(0.0..=1.0).contains(&known) {
        return Err(syn::Error::new_spanned(value, advice));
    }
    Ok(syn::parse_quote_spanned!(value.span()=> #known))
}

pub(super) fn source(value: Expr) -> CacheSource {
    match literal(&value) {
        Some(Lit::Str(name)) => CacheSource::Named(name.clone()),
        _ => CacheSource::Computed(value),
    }
}
