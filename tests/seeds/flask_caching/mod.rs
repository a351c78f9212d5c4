//! Flask-Caching (and Flask-Cache before it): `@cache.memoize`, `@cache.cached`, deletion, the dictionary, the backends.

mod backends;
mod dictionary;
mod freshness;
mod keys;
mod memoize;
mod removal;
