//! Where the compiler points to.

use proc_macro2::{Span, TokenStream, TokenTree};

/// The same tokens as if they stood at `span`, where the compiler then points to.
pub(super) fn located(tokens: &TokenStream, span: Span) -> TokenStream {
    let at = |mut token: TokenTree| {
        token.set_span(token.span().located_at(span));
        token
    };
    tokens.clone().into_iter().map(at).collect()
}
