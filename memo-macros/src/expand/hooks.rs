//! What a function with hooks does beside: it notes what happens, keeps the arguments that its hooks ask for, and tells
//! them. A function without hooks has nothing of it.
//!
//! ```text
//! let evictions = …;                   the hook of `on_evict`
//! let note = …;                        what the core notes, by the call's door; tells `on_evict` when it is dropped
//! hit:   note.hit(|call| …)            the arguments are still there
//! miss:  let kept = …;  run the body;  note.miss(|call| …)  note.error(…, |call, error| …)
//! ```

use super::parts;
use super::site::Site;
use crate::args::closure;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, Ident};

/// The hooks of one function.
pub(super) struct Hooks<'s, 'a> {
    site: &'s Site<'a>,
}

/// A hook as the attribute gave it.
#[derive(Clone, Copy)]
struct Hook<'a> {
    expression: &'a Expr,
    /// The number of parameters, which only a closure shows.
    parameters: Option<usize>,
}

impl<'a> Hook<'a> {
    fn new(expression: &'a Expr) -> Self {
        let parameters = closure(expression).map(|closure| closure.inputs.len());
        Hook { expression, parameters }
    }

    /// Whether it may ask for what its parameter of this number is.
    fn may_ask(self, parameter: usize) -> bool {
        self.parameters.is_none_or(|parameters| parameters >= parameter)
    }
}

impl<'s, 'a> Hooks<'s, 'a> {
    /// `None` for a function without hooks.
    pub(super) fn of(site: &'s Site<'a>) -> Option<Self> {
        let given = site.options;
        let given = [&given.on_hit, &given.on_miss, &given.on_error, &given.on_evict];
        given.iter().any(|hook| hook.is_some()).then_some(Hooks { site })
    }

    fn on_hit(&self) -> Option<Hook<'a>> {
        self.site.options.on_hit.as_ref().map(|hook| Hook::new(&hook.value))
    }

    fn on_miss(&self) -> Option<Hook<'a>> {
        self.site.options.on_miss.as_ref().map(|hook| Hook::new(&hook.value))
    }

    fn on_error(&self) -> Option<Hook<'a>> {
        self.site.options.on_error.as_ref().map(|hook| Hook::new(&hook.value))
    }

    fn on_evict(&self) -> Option<Hook<'a>> {
        self.site.options.on_evict.as_ref().map(|hook| Hook::new(&hook.value))
    }

    /// The note of a call, and what tells of evictions at its end. Stands before everything else.
    pub(super) fn begin(&self) -> TokenStream {
        let (private, holder) = (&self.site.private, self.site.path(&self.site.holder()));
        let Some(hook) = self.on_evict() else {
            return quote! {
                #[allow(unused_imports)]
                use #private::AnyShown as _;
                let __memokit_note = #private::Note::new(#holder());
            };
        };
        let (outcome, key_type) = (self.site.outcome(), self.site.parts());
        // The key is nested pairs: `(first, (second, ()))`.
        let mut rest = quote!(__memokit_key);
        let key = self.site.key_parts().into_iter().map(|ty| {
            let part = ty.map_or_else(|| quote!(&#rest.0), |ty| parts::shown(&quote!(#rest.0), ty));
            rest.extend(quote!(.1));
            part
        });
        let key: Vec<TokenStream> = key.collect();
        let tell = self.call_hook(hook, &quote!((#(#key,)*)), &quote!(__memokit_value));
        quote! {
            #[allow(unused_imports)]
            use #private::AnyShown as _;
            let __memokit_evictions = #private::evictions(#holder(), #outcome, || #private::key_type(#key_type))
                .tell(|__memokit_call, __memokit_key, __memokit_value| #tell);
            let __memokit_note = #private::Note::with_evictions(#holder(), &__memokit_evictions);
        }
    }

    /// The arguments that say to the core which call is meant, whose door takes notes.
    pub(super) fn call(&self) -> TokenStream {
        let (private, door) = (&self.site.private, self.site.door());
        self.site.loading_call_by(&quote!(#private::Noted::new(&__memokit_note, #door)))
    }

    /// Tells of a hit at the first look; its value is `__memokit_value`.
    pub(super) fn local_hit(&self) -> Option<TokenStream> {
        let private = &self.site.private;
        let tell = self.call_hook(self.on_hit()?, &self.arguments(), &quote!(&__memokit_value));
        Some(if self.site.is_shared() {
            let call = self.site.call();
            quote!(__memokit_note.hit_of(|| #private::key(#call).ok(), |__memokit_call| #tell);)
        } else {
            quote!(__memokit_note.hit(|__memokit_call| #tell);)
        })
    }

    /// Tells of what is known once the call is settled without the body: a hit, or a miss that waited.
    pub(super) fn settled(&self) -> Option<TokenStream> {
        let (arguments, value) = (self.arguments(), quote!(&__memokit_value));
        let hit = self.on_hit().map(|hook| {
            let tell = self.call_hook(hook, &arguments, &value);
            quote!(__memokit_note.hit(|__memokit_call| #tell);)
        });
        let miss = self.on_miss().map(|hook| {
            let tell = self.call_hook(hook, &arguments, &value);
            quote!(__memokit_note.miss(|__memokit_call| #tell);)
        });
        (hit.is_some() || miss.is_some()).then(|| quote!(#hit #miss))
    }

    /// Keeps the arguments that hooks ask for, before the body takes them.
    pub(super) fn keep(&self) -> TokenStream {
        let private = &self.site.private;
        let miss = self.on_miss().filter(|hook| hook.may_ask(2)).map(|hook| (hook, quote!(kept_for_call)));
        let error = self.on_error().filter(|hook| hook.may_ask(3)).map(|hook| (hook, quote!(kept_for_error)));
        let asks: Vec<TokenStream> = [miss, error]
            .into_iter()
            .flatten()
            .map(|(Hook { expression, parameters }, kept_for)| match parameters {
                Some(_) => quote!(#private::KeepArguments),
                None => {
                    let (arguments, returned) = (self.arguments(), self.site.model.returned());
                    quote!(#private::#kept_for(#arguments, ::core::marker::PhantomData::<fn() -> #returned>, #expression))
                }
            })
            .collect();
        if asks.is_empty() {
            return TokenStream::new();
        }
        let keeps = asks.into_iter().fold(quote!(#private::KeepNothing), |first, next| quote!(#first.or(#next)));
        let kept = self.each_argument().enumerate().map(|(i, (argument, span))| {
            let name = kept(i);
            let (private, span) = (super::spans::located(private, span), Span::call_site().located_at(span));
            quote_spanned!(span=> let #name = #private::keep(__memokit_keeps, &#argument);)
        });
        quote!(let __memokit_keeps = #keeps; #(#kept)*)
    }

    /// Tells of a miss whose body ran; what it returned is in a place named `value`.
    pub(super) fn loaded(&self, value: &Ident) -> TokenStream {
        let private = &self.site.private;
        let kept: Vec<TokenStream> =
            (0..self.each_argument().count()).map(|i| self.shown(&kept(i).to_token_stream())).collect();
        let arguments = quote!((#(#kept,)*));
        let miss = self.on_miss().map(|hook| {
            let arguments = if hook.may_ask(2) { &arguments } else { &quote!(()) };
            let tell = self.call_hook(hook, arguments, &quote!(&#value));
            quote!(__memokit_note.miss(|__memokit_call| #tell);)
        });
        let error = self.on_error().map(|hook| {
            let tell = self.error_hook(hook, &arguments);
            // A missing `Result` is reported at the return type.
            let span = self.site.model.returned().span();
            let (private, span) = (super::spans::located(private, span), Span::call_site().located_at(span));
            let value = Ident::new(&value.to_string(), value.span().located_at(span));
            let fallible = quote_spanned!(span=> #private::Fallible::error(&#value));
            quote!(__memokit_note.error(#fallible, |__memokit_call, __memokit_error| #tell);)
        });
        quote!(#miss #error)
    }

    /// The arguments while they are all there, as a tuple of references.
    fn arguments(&self) -> TokenStream {
        let shown = self.each_argument().map(|(argument, _)| self.shown(&argument));
        quote!((#(#shown,)*))
    }

    fn shown(&self, argument: &TokenStream) -> TokenStream {
        let private = &self.site.private;
        quote!(#private::Shown(&#argument).shown())
    }

    /// `self` and the arguments, with the places to which the compiler points.
    fn each_argument(&self) -> impl Iterator<Item = (TokenStream, Span)> {
        let model = self.site.model;
        let this = model.receiver().map(|receiver| (receiver.self_token.to_token_stream(), receiver.span()));
        let arguments = model.arguments.iter().map(|one| (one.ident.to_token_stream(), one.ty.span()));
        this.into_iter().chain(arguments)
    }

    /// Calls a hook with `__memokit_call` and as much of the rest as it asks for.
    fn call_hook(
        &self,
        Hook { expression, parameters }: Hook<'_>,
        arguments: &TokenStream,
        value: &TokenStream,
    ) -> TokenStream {
        let private = &self.site.private;
        match parameters {
            Some(0 | 1) => quote!(#private::hook_1(__memokit_call, #expression)),
            Some(2) => quote!(#private::call_hook_2(__memokit_call, #arguments, #expression)),
            Some(_) => quote!(#private::call_hook_3(__memokit_call, #arguments, #value, #expression)),
            None => quote!(#private::call_hook(__memokit_call, #arguments, #value, #expression)),
        }
    }

    /// Calls a hook with `__memokit_call`, `__memokit_error` and the arguments, as far as it asks for them.
    fn error_hook(&self, Hook { expression, parameters }: Hook<'_>, arguments: &TokenStream) -> TokenStream {
        let private = &self.site.private;
        match parameters {
            Some(0 | 1) => quote!(#private::hook_1(__memokit_call, #expression)),
            Some(2) => quote!(#private::error_hook_2(__memokit_call, __memokit_error, #expression)),
            Some(_) => quote!(#private::error_hook_3(__memokit_call, __memokit_error, #arguments, #expression)),
            None => quote!(#private::error_hook(__memokit_call, __memokit_error, #arguments, #expression)),
        }
    }
}

/// The name of what is kept of an argument.
fn kept(i: usize) -> Ident {
    format_ident!("__memokit_kept_{i}", span = Span::call_site())
}
