//! What every generated function has in common: how a call names its function, key and types to the core.

use super::parts::{self, Parts};
use super::spans::located;
use crate::args::{CacheSource, Options, ungrouped};
use crate::model::{Argument, Model, Place};
use crate::usage::mentions;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ConstParam, Expr, GenericParam, Ident, Type};

/// What `codec =` takes by its bare name.
const OUR_CODECS: [&str; 6] = ["Postcard", "Json", "PrettyJson", "MessagePack", "CompactMessagePack", "Bincode"];

/// One function under expansion.
pub(super) struct Site<'a> {
    pub(super) options: &'a Options,
    pub(super) model: &'a Model<'a>,
    /// The path of the functions that generated code calls.
    pub(super) private: TokenStream,
    /// The companion type's name, or what the names of a method's companions begin with.
    pub(super) companion: Ident,
}

impl<'a> Site<'a> {
    pub(super) fn new(options: &'a Options, model: &'a Model<'a>) -> Self {
        let krate = options.krate();
        let companion = match &options.companion {
            Some(name) => name.value.clone(),
            None => model.name().clone(),
        };
        // The same names with other bounds, see `memo_core::private::thread`.
        let private = match (&options.scope, &options.each) {
            (Some(_), _) => quote!(#krate::__private::thread),
            // The same again, see `memo_core::private::each`.
            (None, Some(_)) => quote!(#krate::__private::each),
            (None, None) => quote!(#krate::__private),
        };
        Site { options, model, private, companion }
    }

    /// Whether there is a shared level.
    pub(super) fn is_shared(&self) -> bool {
        self.options.cache.is_some()
    }

    /// The name of a companion: `invalidate`, or `f_invalidate` beside a method.
    pub(super) fn named(&self, operation: &str) -> Ident {
        match self.model.place {
            Place::Free => Ident::new(operation, self.model.name().span()),
            Place::Method => format_ident!("{}_{operation}", self.companion),
        }
    }

    /// The function that holds the `static`.
    pub(super) fn holder(&self) -> Ident {
        match self.model.place {
            Place::Free => Ident::new("__memokit", Span::call_site()),
            Place::Method => format_ident!("__memokit_{}", self.companion, span = Span::call_site()),
        }
    }

    /// The path of a companion from inside any generated function.
    pub(super) fn path(&self, function: &Ident) -> TokenStream {
        match self.model.place {
            Place::Free => {
                let companion = &self.companion;
                quote!(#companion::#function)
            }
            Place::Method => quote!(Self::#function),
        }
    }

    /// As [`call`](Site::call), of a call that may load, by this door: its tags are known.
    pub(super) fn loading_call_by(&self, door: &TokenStream) -> TokenStream {
        self.call_by(&self.tagged(door))
    }

    /// This door, with the tags of the call.
    pub(super) fn tagged(&self, door: &TokenStream) -> TokenStream {
        let Some(tags) = &self.options.tags else { return door.clone() };
        let (private, tags) = (&self.private, self.adds_tags(&tags.value));
        quote!(#private::Tagged::new(#tags, #door))
    }

    /// Adds the tags of the call to others, as a closure.
    fn adds_tags(&self, tags: &[Expr]) -> TokenStream {
        let private = &self.private;
        // By reference, so that an argument can be a tag and still go to the body.
        let tags = tags.iter().map(|tag| quote_spanned!(tag.span()=> .with(&(#tag))));
        quote!(|__memokit_tags: #private::Tags| __memokit_tags #(#tags)*)
    }

    /// Tags the load that this call is made from, where the call has none.
    pub(super) fn tags_caller(&self) -> Option<TokenStream> {
        let tags = self.adds_tags(&self.options.tags.as_ref()?.value);
        let private = &self.private;
        Some(quote!(#private::tag_with(#tags);))
    }

    /// As [`call`](Site::call), of a call that may load.
    pub(super) fn loading_call(&self) -> TokenStream {
        self.loading_call_by(&self.door())
    }

    /// The arguments that say to the core which call is meant: function, instance, outcome, parts of the key, door.
    pub(super) fn call(&self) -> TokenStream {
        self.call_by(&self.door())
    }

    /// As [`call`](Site::call), by this door.
    pub(super) fn call_by(&self, door: &TokenStream) -> TokenStream {
        let ids = self.options.each.as_ref().map(|each| self.ids(&each.value));
        self.call_of(door, &ids.unwrap_or_default())
    }

    /// As [`call_by`](Site::call_by), of what `rest` says.
    pub(super) fn call_of(&self, door: &TokenStream, rest: &TokenStream) -> TokenStream {
        let function = self.path(&self.holder());
        let (instance, outcome, parts) = (self.instance(), self.outcome(), self.parts());
        quote!(#function(), #instance, #outcome, #parts, #door #rest)
    }

    /// Which part of the return value is stored.
    pub(super) fn outcome(&self) -> TokenStream {
        let (private, returned) = (&self.private, self.model.returned());
        if self.options.is_guard() {
            return self.once();
        }
        let outcome = match self.options.stores_errors() {
            true => quote_spanned!(returned.span()=> #private::storing_errors::<#returned>()),
            false => quote_spanned!(returned.span()=> #private::Returns::<#returned>::new().outcome()),
        };
        let outcome = match &self.options.each {
            Some(_) => self.of_each(&outcome),
            None => outcome,
        };
        self.checked(self.weighed(outcome))
    }

    /// The traits that method resolution needs.
    pub(super) fn prelude(&self) -> TokenStream {
        let private = &self.private;
        quote! {
            #[allow(unused_imports)]
            use #private::{AnyArg as _, AnyResult as _, AnyReturn as _, KnownArg as _};
        }
    }

    /// A function that gives the instance of the const parameters, if there are any. A type that holds them must be
    /// the same one for the function and all its companions, and can't stand in an `impl` block by itself.
    pub(super) fn consts(&self) -> Option<TokenStream> {
        let parameters = self.const_parameters().map(|parameter| {
            let (name, ty) = (&parameter.ident, &parameter.ty);
            quote!(const #name: #ty)
        });
        let parameters: Vec<TokenStream> = parameters.collect();
        if parameters.is_empty() {
            return None;
        }
        let (private, function) = (&self.private, self.consts_name());
        let names = self.const_parameters().map(|parameter| &parameter.ident);
        let cfgs = self.model.original.attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
        Some(quote! {
            #(#cfgs)*
            #[doc(hidden)]
            #[allow(clippy::all, clippy::pedantic)]
            fn #function<#(#parameters),*>() -> #private::Instance<impl ::core::marker::Sized> {
                struct Consts<#(#parameters),*>;
                #private::Instance::<Consts<#(#names),*>>::new()
            }
        })
    }

    fn consts_name(&self) -> Ident {
        format_ident!("{}_consts", self.holder())
    }

    fn const_parameters(&self) -> impl Iterator<Item = &'a ConstParam> {
        self.model.parameters().filter_map(|parameter| match parameter {
            GenericParam::Const(parameter) => Some(parameter),
            _ => None,
        })
    }

    /// What differs between instantiations: type and const parameters, the types of `impl Trait` arguments, `Self`.
    fn instance(&self) -> TokenStream {
        let private = &self.private;
        let types = self.model.parameters().filter_map(|parameter| match parameter {
            GenericParam::Type(syn::TypeParam { ident, .. }) => Some(quote!(::core::marker::PhantomData<#ident>)),
            _ => None,
        });
        let this = (self.model.place == Place::Method).then(|| quote!(::core::marker::PhantomData<Self>));
        let named: Vec<TokenStream> = this.into_iter().chain(types).collect();
        let mut instance = quote!(#private::Instance::<(#(#named,)*)>::new());
        let consts: Vec<&Ident> = self.const_parameters().map(|parameter| &parameter.ident).collect();
        if !consts.is_empty() {
            let function = self.path(&self.consts_name());
            instance.extend(quote!(.and(#function::<#(#consts),*>())));
        }
        for argument in self.model.arguments.iter().filter(|argument| argument.is_of_unnamed_type()) {
            let argument = &argument.ident;
            instance.extend(quote!(.and(#private::Instance::of(&#argument))));
        }
        instance
    }

    fn has_instance(&self) -> bool {
        let mut parameters = self.model.parameters();
        self.model.place == Place::Method
            || parameters.any(|parameter| !matches!(parameter, GenericParam::Lifetime(_)))
            || self.model.arguments.iter().any(Argument::is_of_unnamed_type)
    }

    /// `(first, (second, ()))`
    pub(super) fn parts(&self) -> TokenStream {
        let parts = Parts { private: &self.private, is_shared: self.is_shared() };
        // The elements of a tuple are parts of their own, so that each may be borrowed.
        let given = |expression: &Expr| match ungrouped(expression) {
            Expr::Tuple(tuple) => tuple.elems.iter().map(|e| parts.of_any(&quote!((#e)), e.span())).collect(),
            expression => vec![parts.of_any(&quote!((#expression)), expression.span())],
        };
        let mut list: Vec<TokenStream> = match &self.options.key {
            Some(key) => given(&key.value),
            None => {
                let this = self.model.receiver().filter(|_| !self.ignores("self"));
                let this = this.map(|receiver| parts.of_any(&receiver.self_token.to_token_stream(), receiver.span()));
                let arguments = self.model.arguments.iter().filter(|argument| self.is_key(argument));
                let arguments = arguments.map(|argument| match self.options.is_ids(&argument.ident) {
                    true => self.hole(),
                    false => parts.of_type(&argument.ident.to_token_stream(), &argument.ty),
                });
                this.into_iter().chain(arguments).collect()
            }
        };
        list.extend(self.options.extra.iter().flat_map(|extra| given(&extra.value)));
        parts::list(list)
    }

    /// The parts of a key: the types of those that are arguments.
    pub(super) fn key_parts(&self) -> Vec<Option<&Type>> {
        match &self.options.key {
            Some(key) => match ungrouped(&key.value) {
                Expr::Tuple(tuple) => vec![None; tuple.elems.len()],
                _ => vec![None],
            },
            None => {
                let this = self.model.receiver().filter(|_| !self.ignores("self")).map(|_| None);
                let arguments = self.model.arguments.iter().filter(|one| self.is_key(one)).map(|one| Some(&one.ty));
                this.into_iter().chain(arguments).collect()
            }
        }
    }

    pub(super) fn ignores(&self, name: &str) -> bool {
        self.options.ignore.iter().flat_map(|ignore| &ignore.value).any(|ignored| ignored == name)
    }

    /// The arguments that expressions of the attribute mention.
    pub(super) fn used_by_options(&self) -> Vec<&'a Ident> {
        let given = [&self.options.bypass, &self.options.refresh, &self.options.key, &self.options.extra];
        let uses = |name: &str| {
            let mut given = given.into_iter().flatten();
            let mut tags = self.options.tags.iter().flat_map(|tags| &tags.value);
            given.any(|given| mentions(given.value.to_token_stream(), name))
                || tags.any(|tag| mentions(tag.to_token_stream(), name))
        };
        let named = self.model.arguments.iter().filter(|argument| argument.is_named);
        named.map(|argument| &argument.ident).filter(|ident| uses(&ident.to_string())).collect()
    }

    /// An argument leaves the key if it is ignored, or if it only says whether to bypass or to refresh.
    pub(super) fn is_key(&self, argument: &Argument) -> bool {
        let name = argument.ident.to_string();
        if self.ignores(&name) {
            return false;
        }
        if self.options.is_ids(&argument.ident) {
            return true;
        }
        let steers = [&self.options.bypass, &self.options.refresh];
        let steers = steers.into_iter().flatten().any(|given| mentions(given.value.to_token_stream(), &name));
        !steers || mentions(self.model.original.block.to_token_stream(), &name)
    }

    pub(super) fn door(&self) -> TokenStream {
        let private = &self.private;
        if !self.is_shared() {
            return quote!(#private::LocalOnly);
        }
        let codec = self.codec();
        let instance = if self.has_instance() {
            let instance = self.instance();
            quote!(::core::option::Option::Some(#instance.name()))
        } else {
            quote!(::core::option::Option::None)
        };
        let span = self.model.returned().span();
        let (private, span) = (located(private, span), Span::call_site().located_at(span));
        let owner = self.owner().map(|owner| quote!(.owned_by(#owner)));
        quote_spanned!(span=> #private::SharedBy::<#codec>::new(#instance)#owner)
    }

    /// The name of `Self`, where the function's own name does not have it.
    pub(super) fn owner(&self) -> Option<TokenStream> {
        let is_unnamed = self.model.place == Place::Method && self.model.block.is_none();
        is_unnamed.then(|| quote!(::core::any::type_name::<Self>()))
    }

    /// One of ours by its bare name, or the user's own by its path.
    fn codec(&self) -> TokenStream {
        let krate = self.options.krate();
        let Some(codec) = &self.options.codec else { return quote!(#krate::codec::Postcard) };
        let path = &codec.value;
        match path.get_ident() {
            Some(name) if OUR_CODECS.iter().any(|ours| name == ours) => quote!(#krate::codec::#name),
            _ => quote!(#path),
        }
    }

    /// The expression behind `cache = …`.
    pub(super) fn source(&self) -> Option<TokenStream> {
        let (private, krate) = (&self.private, self.options.krate());
        self.options.cache.as_ref().map(|cache| match &cache.value {
            CacheSource::Named(name) => quote!(#private::Source::Named(#name, #krate::__private::default_cache)),
            CacheSource::Computed(expression) => quote!(#private::Source::Given(|| #expression)),
        })
    }
}
