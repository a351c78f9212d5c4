//! Every kind of function that can be cached, one test a form.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::needless_pass_by_value,
    clippy::trivially_copy_pass_by_ref,
    clippy::ref_option,
    clippy::ptr_arg,
    clippy::redundant_allocation,
    clippy::boxed_local,
    clippy::ref_option_ref,
    clippy::option_option,
    clippy::toplevel_ref_arg,
    clippy::needless_arbitrary_self_type,
    clippy::multiple_bound_locations,
    reason = "the forms are what is tested"
)]
#![allow(
    clippy::unnecessary_wraps,
    clippy::unused_async,
    clippy::unused_self,
    clippy::items_after_statements,
    reason = "samples of what users write"
)]

mod floats;
mod places;
mod receivers;
mod references;
mod shared;
mod signatures;
mod traits;

/// What is ready without waiting.
fn now<F: Future>(future: F) -> F::Output {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => unreachable!("nothing here waits"),
    }
}
