//! The function as the expansion sees it.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{
    Attribute, Block, FnArg, GenericParam, Generics, Ident, ImplItemFn, ItemFn, Pat, Receiver, ReturnType, Signature,
    Type, Visibility,
};

/// Where the function stands, which decides where its companions go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A free function: its companions are on a type of its name.
    Free,
    /// In an `impl` block: its companions are functions beside it.
    Method,
}

/// A function with a body, free or in an `impl`.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) block: Block,
}

impl From<ItemFn> for Function {
    fn from(ItemFn { attrs, vis, sig, block, .. }: ItemFn) -> Self {
        Function { attrs, vis, sig, block: *block }
    }
}

impl From<ImplItemFn> for Function {
    fn from(ImplItemFn { attrs, vis, sig, block, .. }: ImplItemFn) -> Self {
        Function { attrs, vis, sig, block }
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let Function { attrs, vis, sig, block } = self;
        quote!(#(#attrs)* #vis #sig #block).to_tokens(tokens);
    }
}

/// One argument that is not the receiver.
pub(crate) struct Argument {
    /// Its name in generated code: the user's, or one made up for a pattern.
    pub(crate) ident: Ident,
    /// Whether that is the user's name.
    pub(crate) is_named: bool,
    pub(crate) ty: Type,
}

impl Argument {
    /// Whether its type is or contains an `impl Trait`.
    pub(crate) fn is_of_unnamed_type(&self) -> bool {
        struct Found(bool);
        impl<'ast> Visit<'ast> for Found {
            fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
                self.0 = true;
            }
        }
        let mut found = Found(false);
        found.visit_type(&self.ty);
        found.0
    }
}

/// What a function needs to know of the `impl` block it stands in.
#[derive(Default)]
pub(crate) struct Surroundings {
    /// The type, and the trait if there is one, as they stand in the path of a function: `Circle::Shape`.
    pub(crate) path: String,
    /// Whether the block implements a trait, so that companions stand in a block of their own.
    pub(crate) is_of_trait: bool,
    /// Whether it has lifetimes, so that `Self` may be a type that borrows.
    pub(crate) has_lifetimes: bool,
    /// Type and const parameters of the block that its type does not name, with the conditions on them: in a block
    /// without the trait they are the functions' own.
    pub(crate) unnamed: Generics,
}

/// What the expansion knows of a function.
pub(crate) struct Model<'a> {
    pub(crate) original: Function,
    pub(crate) place: Place,
    pub(crate) arguments: Vec<Argument>,
    /// The `impl` block, if the attribute is on that too.
    pub(crate) block: Option<&'a Surroundings>,
}

impl<'a> Model<'a> {
    pub(crate) fn new(original: Function, place: Place, block: Option<&'a Surroundings>) -> Self {
        let inputs = original.sig.inputs.iter();
        let typed = inputs.filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed),
            FnArg::Receiver(_) => None,
        });
        let arguments = typed
            .enumerate()
            .map(|(i, typed)| match &*typed.pat {
                Pat::Ident(name) if name.subpat.is_none() && name.by_ref.is_none() => {
                    Argument { ident: name.ident.clone(), is_named: true, ty: (*typed.ty).clone() }
                }
                pattern => Argument {
                    ident: format_ident!("__memokit_argument_{i}", span = pattern.span()),
                    is_named: false,
                    ty: (*typed.ty).clone(),
                },
            })
            .collect();
        Model { original, place, arguments, block }
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.original.sig.ident
    }

    pub(crate) fn receiver(&self) -> Option<&Receiver> {
        self.original.sig.receiver()
    }

    pub(crate) fn is_async(&self) -> bool {
        self.original.sig.asyncness.is_some()
    }

    /// The return type, spelled out where the user left it away.
    pub(crate) fn returned(&self) -> Type {
        match &self.original.sig.output {
            ReturnType::Default => syn::parse_quote!(()),
            ReturnType::Type(_, ty) => (**ty).clone(),
        }
    }

    /// The `T` of a return type that is spelled `Result<T, …>`: what `peek` gives and `put` takes. `None` where they give
    /// and take all that the function returns.
    pub(crate) fn value(&self) -> Option<Type> {
        let Type::Path(path) = self.returned() else { return None };
        let last = path.path.segments.last().filter(|last| last.ident == "Result")?;
        let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
        arguments.args.iter().find_map(|argument| match argument {
            syn::GenericArgument::Type(ty) => Some(ty.clone()),
            _ => None,
        })
    }

    /// `#[cfg]` and the lint levels, which must hold for everything that is generated.
    pub(crate) fn common_attrs(&self) -> impl Iterator<Item = &Attribute> {
        self.original
            .attrs
            .iter()
            .filter(|attr| ["cfg", "allow", "warn", "deny"].iter().any(|a| attr.path().is_ident(a)))
    }

    /// The attributes of the function that callers see. A lint expectation is about the body and stays there.
    pub(crate) fn outer_attrs(&self) -> impl Iterator<Item = &Attribute> {
        self.original.attrs.iter().filter(|attr| !attr.path().is_ident("expect"))
    }

    /// The attributes of the function that holds the body.
    pub(crate) fn body_attrs(&self) -> impl Iterator<Item = &Attribute> {
        let own =
            |attr: &&Attribute| ["expect", "track_caller", "target_feature"].iter().any(|a| attr.path().is_ident(a));
        self.common_attrs().chain(self.original.attrs.iter().filter(own))
    }

    /// All parameters of a companion: those of the block that `Self` does not name, and the function's own.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &GenericParam> + use<'_, 'a> {
        let unnamed = self.block.iter().flat_map(|block| &block.unnamed.params);
        unnamed.chain(&self.original.sig.generics.params)
    }

    /// Makes the signature of a function that stands beside this one from this one's.
    pub(crate) fn set_beside(&self, signature: &mut Signature) {
        let Some(block) = self.block else { return };
        let generics = &mut signature.generics;
        for (i, parameter) in block.unnamed.params.iter().enumerate() {
            generics.params.insert(i, parameter.clone());
        }
        if let Some(conditions) = &block.unnamed.where_clause {
            generics.make_where_clause().predicates.extend(conditions.predicates.iter().cloned());
        }
    }

    /// Who sees the companions. A trait's method is seen wherever the trait is, so they are where the type is.
    pub(crate) fn companion_vis(&self) -> Visibility {
        if self.block.is_some_and(|block| block.is_of_trait) {
            return syn::parse_quote!(pub);
        }
        self.original.vis.clone()
    }

    /// Whether callers must promise something.
    pub(crate) fn is_unsafe(&self) -> bool {
        matches!(self.original.sig.safety, syn::Safety::Unsafe(_))
    }

    /// Type and const parameters, for a turbofish. Lifetimes are left to inference.
    pub(crate) fn turbofish(&self) -> TokenStream {
        let parameters: Vec<&Ident> = self
            .parameters()
            .filter_map(|parameter| match parameter {
                GenericParam::Type(parameter) => Some(&parameter.ident),
                GenericParam::Const(parameter) => Some(&parameter.ident),
                GenericParam::Lifetime(_) => None,
            })
            .collect();
        if parameters.is_empty() { TokenStream::new() } else { quote!(::<#(#parameters),*>) }
    }
}
