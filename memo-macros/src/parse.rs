//! The one reader of `name = value`.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Ident, Token};

/// One `name = value` as it was written.
pub(crate) struct Pair {
    pub(crate) name: Ident,
    pub(crate) value: Expr,
}

impl Parse for Pair {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        // `crate` is a keyword, so any identifier is taken.
        let start = input.span();
        let name = input.call(Ident::parse_any).map_err(|_| {
            syn::Error::new(start, "expected the name of an option: write `name = …`, as in `timeout = \"5m\"`")
        })?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(name.span(), format!("`{name}` needs a value: write `{name} = …`")));
        }
        if input.peek(syn::token::Paren) {
            let advice = format!("write `{name} = …` instead of `{name}(…)`");
            input.parse::<proc_macro2::Group>()?;
            return Err(syn::Error::new(name.span(), advice));
        }
        if !input.peek(Token![=]) {
            return Err(input.error(format!("expected `=`: write `{name} = …`")));
        }
        input.parse::<Token![=]>()?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(name.span(), format!("`{name}` needs a value: write `{name} = …`")));
        }
        Ok(Pair { name, value: ungrouped(input.parse()?) })
    }
}

/// A value that comes out of a `macro_rules!` variable stands in an invisible group.
fn ungrouped(value: Expr) -> Expr {
    match value {
        Expr::Group(group) => ungrouped(*group.expr),
        value => value,
    }
}

/// All pairs, and what could not be read as one. After a mistake, reading goes on behind the next comma.
pub(crate) struct Pairs(pub(crate) Vec<syn::Result<Pair>>);

impl Parse for Pairs {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut pairs = Vec::new();
        while !input.is_empty() {
            let pair = input.parse::<Pair>();
            let failed = pair.is_err();
            pairs.push(pair);
            if failed {
                while !input.is_empty() && !input.peek(Token![,]) {
                    input.parse::<proc_macro2::TokenTree>()?;
                }
            } else if !input.is_empty() && !input.peek(Token![,]) {
                pairs.push(Err(input.error("expected `,` between options")));
                while !input.is_empty() && !input.peek(Token![,]) {
                    input.parse::<proc_macro2::TokenTree>()?;
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(Pairs(pairs))
    }
}

/// An option's value, with the name it was given under.
pub(crate) struct Given<T> {
    pub(crate) name: Span,
    pub(crate) value: T,
}
