//! django-cache-memoize: `@cache_memoize(timeout, prefix, extra, args_rewrite, …)` and its `invalidate`, `_refresh`,
//! `get_cache_key`.

mod arguments;
mod calls;
mod companions;
mod hooks;
mod keys;
mod stored;
