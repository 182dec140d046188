//! [`BoxFuture`]: the return type of the dyn-compatible traits.

use std::{future::Future, pin::Pin};

/// A future behind a pointer, so that a trait that returns it can be a trait object.
///
/// Transports are chosen at run time, decorators stack, and embedders supply their own: a native `async fn` in a trait
/// is not dyn-compatible.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
