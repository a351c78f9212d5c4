//! Whether code mentions a name.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;

/// Whether the tokens mention the name, as an identifier or inside a literal that may be a format string. A macro's
/// own names can't be the caller's, so whatever is not among the tokens is not used.
///
/// A format string names `r#type` as `{type}`, and its text may be written with escapes.
pub(crate) fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Literal(literal) => {
            let name = name.strip_prefix("r#").unwrap_or(name);
            match syn::Lit::new(literal) {
                syn::Lit::Str(text) => text.value().contains(name),
                other => other.to_token_stream().to_string().contains(name),
            }
        }
        TokenTree::Punct(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::mentions;
    use quote::quote;

    #[test]
    fn names_are_found_wherever_code_can_use_them() {
        assert!(mentions(quote!(if force { 1 } else { 2 }), "force"));
        assert!(mentions(quote!(println!("{force}")), "force"));
        assert!(mentions(quote!(dbg!([1, (force)])), "force"));
        assert!(mentions(quote!(println!("{type}")), "r#type"));
        assert!(mentions(quote!(println!("{f\u{6f}rce}")), "force"));
        assert!(!mentions(quote!(forced + enforce), "force"));
    }
}
