//! Whether code mentions a name.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;

/// Whether the tokens mention the name, as an identifier or inside a literal that may be a format string. A macro's
/// own names can't be the caller's, so whatever is not among the tokens is not used.
///
/// A format string names `r#type` as `{type}`, and its text may be written with escapes.
pub(crate) fn mentions(tokens: TokenStream, name: &str) -> bool {
    any_mention(tokens, name, &|text, name| text.contains(name))
}

/// As [`mentions`], of literals only those that are format strings with the name in braces: for what is an error where it
/// is so, and not for what is done in case it is.
pub(crate) fn captures(tokens: TokenStream, name: &str) -> bool {
    any_mention(tokens, name, &|text, name| {
        let is_part = |next: char| next == '_' || next.is_alphanumeric();
        let mut after_braces = text.split('{').skip(1).filter_map(|rest| rest.trim_start().strip_prefix(name));
        after_braces.any(|rest| !rest.starts_with(is_part))
    })
}

fn any_mention(tokens: TokenStream, name: &str, in_text: &dyn Fn(&str, &str) -> bool) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => any_mention(group.stream(), name, in_text),
        TokenTree::Literal(literal) => {
            let name = name.strip_prefix("r#").unwrap_or(name);
            match syn::Lit::new(literal) {
                syn::Lit::Str(text) => in_text(&text.value(), name),
                other => in_text(&other.to_token_stream().to_string(), name),
            }
        }
        TokenTree::Punct(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::{captures, mentions};
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

    #[test]
    fn text_that_only_has_the_letters_of_a_name_captures_nothing() {
        for code in [quote!(ids), quote!(f(&[ids])), quote!(format!("{ids}")), quote!(format!("{0} { ids:?}", 1))] {
            assert!(captures(code.clone(), "ids"), "{code}");
        }
        for code in [quote!("bids"), quote!(format!("ids of {tenant}")), quote!(format!("{ids_of}")), quote!(kids)] {
            assert!(!captures(code.clone(), "ids"), "{code}");
        }
    }
}
