//! The operations beside a cached function, defined once for all functions.
//!
//! The attribute writes one invocation for each function. It reads like a function whose body lists the companions and what
//! they are made of; what is in brackets here is written only where the function has it:
//!
//! ```text
//! companions!(
//!     [attributes] [pub] fn f(a: u32,) -> u32 {          the arguments end with a comma
//!         #![core(::memokit::__private)]                 the module whose functions are called
//!         [#![generics(T: Clone)]]
//!         [#![conditions(T: Send,)]]
//!         [#![shared(Tasks)]]                            there is a shared level; how it is waited for
//!         [#![operations(unsafe)]]                       what stands before `fn` of all that take arguments
//!         [#![refresh(async)]]                           what stands before `fn` of `refresh` alone
//!         [{ let note = …; }]                            what comes before a load that hooks are told of
//!         let entry = operation(function, instance, outcome, parts, door);
//!         names(invalidate, invalidate_all, contains, stats [, owner]);
//!         explain(explain, bypass, refresh);
//!         refresh(refresh, |guard| guard.run(…) [, (the call, by a door that takes notes or has tags)]);
//!         [peek[::<T>](peek);]                           `T` where that is not all that the function returns
//!         [put[::<T>](put, |value| how long it is kept [, (the call, by such a door)]);]
//!         [key(key);]
//!         [set_timeout(set_timeout);]
//!         [spawn(spawn, found or unseen, arguments as they travel, |kept| f(…));]
//!         [peek_each[::<T>](peek);]                      of a function of several ids, in place of `peek` and `put`
//!         [put_each[::<T>](put, given, outcome, but_ids![arguments], (the call, with the values that are `given`));]
//!     }
//! );
//! ```
//!
//! The first rule sorts this into groups: the head, which is what a companion's signature has of the function's, and what
//! their bodies need. Then there is a rule for each companion, under the word before its name in brackets, and after them
//! those that put a companion together.
//!
//! A type that lacks a trait is reported at the calls into the core. Such calls are made of tokens of the invocation alone,
//! the function's name, the path to it and the parentheses: then the compiler sees them at one place in all companions, the
//! place of the same call in the function itself, and says it once. That is why they are handed on as `tt`, which leaves
//! tokens as they are.

#[doc(hidden)]
#[macro_export]
macro_rules! __companions {
    (
        $(#[$($attr:tt)*])*
        $vis:vis fn $f:ident($($arguments:tt)*) -> $returned:ty {
            #![core($($core:tt)*)]
            $(#![generics($($generics:tt)*)])?
            $(#![conditions($($conditions:tt)*)])?
            $(#![shared($io:ident)])?
            $(#![operations($operations:ident)])?
            $(#![refresh($($refresh:ident)*)])?
            $({ $($begin:tt)* })?
            let entry = $operation:tt $call:tt;
            $($companion:tt $(::<$value:ty>)? ($($given:tt)*);)*
        }
    ) => {
        $crate::__companions! { @each
            {
                [$(#[$($attr)*])*] [$vis] [$($operations)?] [$($($generics)*)?] [$($arguments)*] [$($($conditions)*)?]
                [$($core)*]
            }
            [$($io)?] [$($core)*::$operation $call] [$($core)*] $call [$returned] [$($($refresh)*)?] [$($($begin)*)?]
            $($companion [$($value)?] [$($given)*])*
        }
    };
    (@each $head:tt $io:tt $operation:tt $core:tt $call:tt $returned:tt $refresh:tt $begin:tt
        $($companion:tt $value:tt $given:tt)*) => {
        $($crate::__companions! {
            @$companion $given $head $io $operation $core $companion $call $value $returned $refresh $begin
        })*
    };

    (@names [$invalidate:ident, $all:ident, $contains:ident, $stats:ident $(, $owner:expr)?]
        $head:tt $io:tt [$($operation:tt)*] $core:tt $names:tt ($function:expr, $($call:tt)*) $($rest:tt)*) => {
        $crate::__companions! { @operation $head $io
            "Drops what is stored for this call; whether there was a fresh value. A load of it that is under way is \
             returned to its callers and not stored."
            $invalidate() -> bool
            {}
            { $($operation)*.invalidate_local() }
            { $($operation)*.invalidate::<__MemokitIo>() }
        }
        $crate::__companions! { @operation $head $io
            "Whether a fresh value is stored for this call."
            $contains() -> bool
            {}
            { $($operation)*.contains_local() }
            { $($operation)*.contains::<__MemokitIo>() }
        }
        $crate::__companions! { @of_all_calls $head @invalidate_all $all $io $function, $($owner)? }
        $crate::__companions! { @of_all_calls $head @stats $stats $function }
    };
    (@invalidate_all $head:tt $name:ident $io:tt $function:expr, $($owner:expr)?) => {
        $crate::__companions! { @operation $head $io
            "Drops everything that is stored for this function."
            $name() -> ()
            {}
            { __memokit_core::invalidate_all_local($function) }
            { __memokit_core::invalidate_all::<__MemokitIo>($function, $($owner)?) }
        }
    };
    (@stats $head:tt $name:ident $function:expr) => {
        $crate::__companions! { @define $head
            "What the function has done so far."
            [] $name() -> $crate::Stats []
            { $function.stats() }
        }
    };

    (@set_timeout [$name:ident]
        $head:tt $io:tt $operation:tt $core:tt $companion:tt ($function:expr, $($call:tt)*) $($rest:tt)*) => {
        $crate::__companions! { @of_all_calls $head @set_timeout $name $function }
    };
    (@set_timeout $head:tt $name:ident $function:expr) => {
        $crate::__companions! { @define $head
            "Gives entries that are stored from now on this timeout, in place of the attribute's; `None` gives them that \
             again. A timeout of zero is an `Err`."
            [] $name(timeout: impl ::core::convert::Into<::core::option::Option<::core::time::Duration>>)
            -> ::core::result::Result<(), $crate::Error> []
            { $function.set_timeout(timeout) }
        }
    };

    (@explain [$name:ident, $bypass:expr, $refresh:expr] $head:tt $io:tt [$($operation:tt)*] $($rest:tt)*) => {
        $crate::__companions! { @waiting $head $io
            "Why the next call would hit or miss. Loads nothing, counts nothing, and marks no entry as used. A failure of \
             the shared level is part of what it tells."
            $name() -> $crate::Explanation
            { let (bypass, refresh) = ($bypass, $refresh); }
            { $($operation)*.explain::<__MemokitIo>(bypass, refresh) }
        }
    };

    (@refresh [$name:ident, |$guard:ident| $run:expr]
        $head:tt $io:tt $operation:tt $core:tt $refresh:tt $call:tt $value:tt $returned:tt $before:tt $begin:tt) => {
        $crate::__companions! { @refresh [$name, |$guard| $run, $call]
            $head $io $operation $core $refresh $call $value $returned $before [] }
    };
    (@refresh [$name:ident, |$guard:ident| $run:expr, $noted:tt]
        $head:tt $io:tt $operation:tt [$($core:tt)*] $refresh:tt $call:tt $value:tt [$returned:ty]
        $before:tt [$($begin:tt)*]) => {
        $crate::__companions! { @define $head
            "Runs the body, stores what it returns, and returns that. With a shared level, an `Err` says that it could not \
             be stored there."
            $before $name() -> $crate::__companions!(@result $io $returned) []
            {
                $($begin)*
                let $guard = $($core)*::$refresh $noted;
                $run
            }
        }
    };

    (@peek [$name:ident] $head:tt $io:tt $operation:tt $core:tt $peek:tt $call:tt [] [$returned:ty] $($rest:tt)*) => {
        $crate::__companions! { @peek $name $head $io $operation $returned, peek_whole_local, peek_whole }
    };
    (@peek [$name:ident] $head:tt $io:tt $operation:tt $core:tt $peek:tt $call:tt [$value:ty] $($rest:tt)*) => {
        $crate::__companions! { @peek $name $head $io $operation $value, peek_local, peek }
    };
    (@peek $name:ident $head:tt $io:tt [$($operation:tt)*] $value:ty, $local:ident, $shared:ident) => {
        $crate::__companions! { @operation $head $io
            "The value that is stored for this call, if it is fresh. Loads nothing, and counts as no hit and no miss."
            $name() -> ::core::option::Option<$value>
            {}
            { $($operation)*.$local() }
            { $($operation)*.$shared::<__MemokitIo>() }
        }
    };

    (@put [$name:ident, $keep:expr]
        $head:tt $io:tt $operation:tt $core:tt $put:tt $call:tt $value:tt $returned:tt $before:tt $begin:tt) => {
        $crate::__companions! { @put [$name, $keep, $call]
            $head $io $operation $core $put $call $value $returned $before [] }
    };
    (@put [$name:ident, $keep:expr, $noted:tt]
        $head:tt $io:tt $operation:tt [$($core:tt)*] $put:tt $call:tt [] [$returned:ty] $before:tt $begin:tt) => {
        $crate::__companions! { @put $name $head $io $begin [$($core)*::$put $noted] $keep,
            $returned, store_whole_local, store_whole }
    };
    (@put [$name:ident, $keep:expr, $noted:tt]
        $head:tt $io:tt $operation:tt [$($core:tt)*] $put:tt $call:tt [$value:ty] $returned:tt $before:tt $begin:tt) => {
        $crate::__companions! { @put $name $head $io $begin [$($core)*::$put $noted] $keep,
            $value, store_local, store }
    };
    (@put $name:ident $head:tt $io:tt [$($begin:tt)*] [$($put:tt)*] $keep:expr,
        $value:ty, $local:ident, $shared:ident) => {
        $crate::__companions! { @operation $head $io
            "Stores a value for this call, as if it had been loaded now."
            $name(value: $value) -> ()
            { $($begin)* }
            { $($put)*.$local(value, $keep) }
            { $($put)*.$shared::<__MemokitIo>(value, $keep) }
        }
    };

    (@peek_each [$name:ident] $head:tt $io:tt $operation:tt $core:tt $peek:tt $call:tt [] [$returned:ty] $($rest:tt)*) => {
        $crate::__companions! { @peek_each $name $head $io $operation $returned, peek_whole_local, peek_whole }
    };
    (@peek_each [$name:ident] $head:tt $io:tt $operation:tt $core:tt $peek:tt $call:tt [$value:ty] $($rest:tt)*) => {
        $crate::__companions! { @peek_each $name $head $io $operation $value, peek_local, peek }
    };
    (@peek_each $name:ident $head:tt $io:tt [$($operation:tt)*] $value:ty, $local:ident, $shared:ident) => {
        $crate::__companions! { @operation $head $io
            "The values that are stored for these ids and fresh. Loads nothing, and counts as no hit and no miss."
            $name() -> $value
            {}
            { $($operation)*.$local() }
            { $($operation)*.$shared::<__MemokitIo>() }
        }
    };

    (@put_each [$name:ident, $given:ident, $outcome:expr, but_ids! $without:tt, $put_call:tt]
        $head:tt $io:tt $operation:tt $core:tt $put:tt $call:tt [] [$returned:ty] $($rest:tt)*) => {
        $crate::__companions! { @put_each $name $given $outcome, $without $put_call $head $io $core $returned, given_whole }
    };
    (@put_each [$name:ident, $given:ident, $outcome:expr, but_ids! $without:tt, $put_call:tt]
        $head:tt $io:tt $operation:tt $core:tt $put:tt $call:tt [$value:ty] $($rest:tt)*) => {
        $crate::__companions! { @put_each $name $given $outcome, $without $put_call $head $io $core $value, given }
    };
    (@put_each $name:ident $given:ident $outcome:expr, [$($without:tt)*] $put_call:tt
        { $attrs:tt $vis:tt $operations:tt $generics:tt $arguments:tt $conditions:tt $also:tt }
        $io:tt [$($core:tt)*] $value:ty, $give:ident) => {
        $crate::__companions! { @operation { $attrs $vis $operations $generics [$($without)*] $conditions $also } $io
            "Stores these values, each for its id, as if they had been loaded now."
            $name(values: $value) -> ()
            { let $given = $($core)*::$give($outcome, values); }
            { $($core)*::put $put_call.store_local() }
            { $($core)*::put $put_call.store::<__MemokitIo>() }
        }
    };

    (@key [$name:ident] $head:tt $io:tt $operation:tt [$($core:tt)*] $key:tt $call:tt $($rest:tt)*) => {
        $crate::__companions! { @define $head
            "The key of this call in the shared level."
            [] $name() -> ::core::result::Result<$crate::Key, $crate::Error> []
            { $($core)*::$key $call }
        }
    };

    (@spawn [$name:ident, $found:tt, $kept:expr, $run:expr]
        $head:tt $io:tt $operation:tt [$($core:tt)*] $spawn:tt $call:tt $value:tt [$returned:ty] $($rest:tt)*) => {
        $crate::__companions! { @define $head
            "Calls the function in a thread of its own, unless its value is there: then the result is ready at once."
            [] $name() -> $crate::Pending<$returned>
            [for<'__memokit> $crate::private::Sent<'__memokit, $returned>: $crate::private::Sends<$returned>]
            {
                #[allow(unused_imports)]
                use __memokit_core::AnyPack as _;
                let found = $($core)*::$found $call;
                #[allow(deprecated)]
                let pending = <__memokit_core::Sent<'_, $returned> as __memokit_core::Sends<$returned>>::spawn(
                    found, || $kept, $run,
                );
                pending
            }
        }
    };

    // What has no arguments has none of the parameters and conditions either.
    (@of_all_calls { $attrs:tt $vis:tt $operations:tt $generics:tt $arguments:tt $conditions:tt $core:tt }
        @$companion:ident $($given:tt)*) => {
        $crate::__companions! { @$companion { $attrs $vis [] [] [] [] $core } $($given)* }
    };

    // What may fail where there is a shared level, and waits for it.
    (@operation $head:tt [] $doc:literal $name:ident $given:tt -> $returned:ty
        { $($before:tt)* } { $($local:tt)* } $shared:tt) => {
        $crate::__companions! { @define $head $doc [] $name $given -> $returned [] { $($before)* $($local)* } }
    };
    (@operation $head:tt $io:tt $doc:literal $name:ident $given:tt -> $returned:ty
        { $($before:tt)* } $local:tt $shared:tt) => {
        $crate::__companions! { @waiting $head $io $doc
            $name $given -> $crate::__companions!(@result $io $returned) { $($before)* } $shared }
    };
    (@result [] $value:ty) => { $value };
    (@result $io:tt $value:ty) => { ::core::result::Result<$value, $crate::Error> };

    // What waits: with the thread, or as a task.
    (@waiting $head:tt [Tasks] $doc:literal $name:ident $given:tt -> $returned:ty
        { $($before:tt)* } { $($future:tt)* }) => {
        $crate::__companions! { @define $head $doc [async] $name $given -> $returned []
            { use __memokit_core::Tasks as __MemokitIo; $($before)* $($future)*.await } }
    };
    (@waiting $head:tt $io:tt $doc:literal $name:ident $given:tt -> $returned:ty
        { $($before:tt)* } { $($future:tt)* }) => {
        $crate::__companions! { @define $head $doc [] $name $given -> $returned []
            { use __memokit_core::Blocking as __MemokitIo; $($before)* __memokit_core::ready($($future)*) } }
    };

    // A companion. It is compiled where it is called: most companions of most functions never are.
    (@define
        {
            [$($attr:tt)*] [$vis:vis] [$($operations:tt)*] [$($generics:tt)*] [$($argument:tt)*] [$($condition:tt)*]
            [$($core:tt)*]
        }
        $doc:literal [$($qualifier:tt)*] $name:ident($($given:tt)*) -> $returned:ty [$($also:tt)*] { $($body:tt)* }) => {
        $($attr)*
        #[doc = $doc]
        #[inline]
        $vis $($qualifier)* $($operations)* fn $name<$($generics)*>($($argument)* $($given)*) -> $returned
        where
            $($condition)*
            $($also)*
        {
            #[allow(unused_imports)]
            use $($core)* as __memokit_core;
            #[allow(unused_imports)]
            use __memokit_core::{AnyArg as _, AnyResult as _, AnyReturn as _, KnownArg as _};
            $($body)*
        }
    };
}
