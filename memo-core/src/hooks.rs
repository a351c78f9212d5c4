//! The forms a hook can have, and what is given to each.
//!
//! Of a closure the attribute sees how many parameters it has, and calls the function of that form, whose parameter
//! types are then those of the closure. Of a path it sees nothing: the form is found by the types, as a marker that
//! only one implementation of [`CallHook`] or [`ErrorHook`] can have.

use crate::events::CallInfo;
use std::marker::PhantomData;

/// A hook of `on_hit`, `on_miss` or `on_evict`. `M` is its form, `A` the tuple of what identifies the call, `R` the value.
#[diagnostic::on_unimplemented(
    message = "this is no hook: it can't be called with a `&CallInfo`, the tuple `{A}` and a `&{R}`",
    label = "not a function of one of these forms",
    note = "a hook is `fn(&CallInfo<'_>)`; or, with the arguments by reference as one tuple, `fn(&CallInfo<'_>, (&str, &u32))`; \
            or, with the value as well, `fn(&CallInfo<'_>, (&str, &u32), &Value)`"
)]
pub trait CallHook<M, A, R: ?Sized> {
    /// Calls it with what it asks for.
    fn call(self, call: &CallInfo<'_>, arguments: A, value: &R);
}

/// A hook of `on_error`. `M` is its form, `E` the error, `A` the tuple of the arguments.
#[diagnostic::on_unimplemented(
    message = "this is no hook for errors: it can't be called with a `&CallInfo`, a `&{E}` and the tuple `{A}`",
    label = "not a function of one of these forms",
    note = "a hook of `on_error` is `fn(&CallInfo<'_>)`; or, with the error, `fn(&CallInfo<'_>, &Error)`; or, with the arguments \
            by reference as one tuple as well, `fn(&CallInfo<'_>, &Error, (&str, &u32))`"
)]
pub trait ErrorHook<M, E: ?Sized, A> {
    /// Calls it with what it asks for.
    fn call(self, call: &CallInfo<'_>, error: &E, arguments: A);
}

/// The form of one parameter.
pub struct One;
/// The form of two parameters.
pub struct Two;
/// The form of three parameters.
pub struct Three;

impl<F: FnOnce(&CallInfo<'_>), A, R: ?Sized> CallHook<One, A, R> for F {
    fn call(self, call: &CallInfo<'_>, _arguments: A, _value: &R) {
        self(call);
    }
}

impl<F: FnOnce(&CallInfo<'_>, A), A, R: ?Sized> CallHook<Two, A, R> for F {
    fn call(self, call: &CallInfo<'_>, arguments: A, _value: &R) {
        self(call, arguments);
    }
}

impl<F: FnOnce(&CallInfo<'_>, A, &R), A, R: ?Sized> CallHook<Three, A, R> for F {
    fn call(self, call: &CallInfo<'_>, arguments: A, value: &R) {
        self(call, arguments, value);
    }
}

impl<F: FnOnce(&CallInfo<'_>), E: ?Sized, A> ErrorHook<One, E, A> for F {
    fn call(self, call: &CallInfo<'_>, _error: &E, _arguments: A) {
        self(call);
    }
}

impl<F: FnOnce(&CallInfo<'_>, &E), E: ?Sized, A> ErrorHook<Two, E, A> for F {
    fn call(self, call: &CallInfo<'_>, error: &E, _arguments: A) {
        self(call, error);
    }
}

impl<F: FnOnce(&CallInfo<'_>, &E, A), E: ?Sized, A> ErrorHook<Three, E, A> for F {
    fn call(self, call: &CallInfo<'_>, error: &E, arguments: A) {
        self(call, error, arguments);
    }
}

/// Calls a hook of a form that the attribute can't see.
pub fn call_hook<M, A, R: ?Sized, H: CallHook<M, A, R>>(call: &CallInfo<'_>, arguments: A, value: &R, hook: H) {
    hook.call(call, arguments, value);
}

/// Calls a hook of `on_error` of a form that the attribute can't see.
pub fn error_hook<M, E: ?Sized, A, H: ErrorHook<M, E, A>>(call: &CallInfo<'_>, error: &E, arguments: A, hook: H) {
    hook.call(call, error, arguments);
}

/// Calls a closure of one parameter. All of them are plain functions: a closure that captures an argument would hold
/// what the body needs.
pub fn hook_1(call: &CallInfo<'_>, hook: fn(&CallInfo<'_>)) {
    hook(call);
}

/// Calls a closure of two parameters.
pub fn call_hook_2<A>(call: &CallInfo<'_>, arguments: A, hook: fn(&CallInfo<'_>, A)) {
    hook(call, arguments);
}

/// Calls a closure of three parameters.
pub fn call_hook_3<A, R: ?Sized>(call: &CallInfo<'_>, arguments: A, value: &R, hook: fn(&CallInfo<'_>, A, &R)) {
    hook(call, arguments, value);
}

/// Calls a closure of two parameters that is told of an error.
pub fn error_hook_2<E: ?Sized>(call: &CallInfo<'_>, error: &E, hook: fn(&CallInfo<'_>, &E)) {
    hook(call, error);
}

/// Calls a closure of three parameters that is told of an error.
pub fn error_hook_3<E: ?Sized, A>(call: &CallInfo<'_>, error: &E, arguments: A, hook: fn(&CallInfo<'_>, &E, A)) {
    hook(call, error, arguments);
}

/// What is kept of the arguments for a hook of this form, which is told after the body took them.
pub trait Form {
    /// For a hook that is told of a call.
    type Call: Default;
    /// For a hook that is told of an error.
    type Error: Default;
}

impl Form for One {
    type Call = KeepNothing;
    type Error = KeepNothing;
}

impl Form for Two {
    type Call = KeepArguments;
    type Error = KeepNothing;
}

impl Form for Three {
    type Call = KeepArguments;
    type Error = KeepArguments;
}

/// What must be kept for a hook that is told of a call; the arguments name the types.
pub fn kept_for_call<M: Form, A, R, H: CallHook<M, A, R>>(
    _arguments: A,
    _value: PhantomData<fn() -> R>,
    _hook: H,
) -> M::Call {
    Default::default()
}

/// What must be kept for a hook that is told of an error; the arguments name the types.
pub fn kept_for_error<M: Form, A, R: Fallible, H: ErrorHook<M, R::Error, A>>(
    _arguments: A,
    _value: PhantomData<fn() -> R>,
    _hook: H,
) -> M::Error {
    Default::default()
}

/// No hook asks for the arguments.
#[derive(Clone, Copy, Default)]
pub struct KeepNothing;

/// A hook asks for the arguments.
#[derive(Clone, Copy, Default)]
pub struct KeepArguments;

impl KeepNothing {
    /// What another hook needs.
    #[must_use]
    pub fn or<K>(self, other: K) -> K {
        other
    }
}

impl KeepArguments {
    /// This already has all that another hook can need.
    #[must_use]
    pub fn or<K>(self, _other: K) -> Self {
        self
    }
}

/// An argument that can be kept for the hooks that are told after the body took it: a reference as it is, anything else
/// by a clone. `K` says whether a hook asks for it at all.
#[diagnostic::on_unimplemented(
    message = "a hook asks for the arguments, and this one can't be kept for it: the body takes it away",
    label = "needs `Clone` to be shown to a hook after the body ran",
    note = "derive `Clone`, or give the hook fewer parameters, so that it does not ask for the arguments"
)]
pub trait Kept<K> {
    /// What is kept.
    type Kept;

    /// Keeps it.
    fn keep(&self, keeps: K) -> Self::Kept;
}

impl<T> Kept<KeepNothing> for T {
    type Kept = ();

    #[inline]
    fn keep(&self, _keeps: KeepNothing) {}
}

impl<T: Clone> Kept<KeepArguments> for T {
    type Kept = T;

    #[inline]
    fn keep(&self, _keeps: KeepArguments) -> T {
        self.clone()
    }
}

/// Keeps an argument, if a hook asks for it.
pub fn keep<K, T: Kept<K>>(keeps: K, argument: &T) -> T::Kept {
    argument.keep(keeps)
}

/// Asks how an argument is shown to a hook: a reference and an optional one as they are, by the inherent methods, and
/// anything else by reference.
pub struct Shown<T>(pub T);

impl<'b, T: ?Sized> Shown<&&'b T> {
    /// The reference.
    #[inline]
    #[must_use]
    pub fn shown(self) -> &'b T {
        self.0
    }
}

#[expect(clippy::ref_option_ref, reason = "the expansion takes every argument by reference")]
impl<'b, T: ?Sized> Shown<&Option<&'b T>> {
    /// The optional reference.
    #[inline]
    #[must_use]
    pub fn shown(self) -> Option<&'b T> {
        *self.0
    }
}

/// The fallback of [`Shown::shown`].
pub trait AnyShown {
    /// The argument by reference.
    type Shown;

    /// The argument by reference.
    fn shown(self) -> Self::Shown;
}

impl<'a, T: ?Sized> AnyShown for Shown<&'a T> {
    type Shown = &'a T;

    #[inline]
    fn shown(self) -> &'a T {
        self.0
    }
}

/// A return type that can be an error, for `on_error`.
#[diagnostic::on_unimplemented(
    message = "`on_error` needs a function that returns a `Result`",
    label = "this is never an error",
    note = "remove `on_error`; `on_miss` is told of every load, and its `CallInfo::backend_error` of failures of the shared level"
)]
pub trait Fallible {
    /// The error.
    type Error;

    /// The error, if it is one.
    fn error(&self) -> Option<&Self::Error>;
}

impl<T, E> Fallible for Result<T, E> {
    type Error = E;

    fn error(&self) -> Option<&E> {
        self.as_ref().err()
    }
}
