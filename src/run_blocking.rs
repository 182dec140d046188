//! Blocking work beside asynchronous work.

use tokio::{runtime::Handle, task::spawn_blocking};

/// Runs blocking `work` on the runtime's blocking threads, so that it does not stall other tasks. Without a
/// runtime there are no other tasks, and it runs in place. Returns `None` if `work` panicked or the runtime is shutting
/// down.
pub(crate) async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match Handle::try_current() {
        Ok(_) => spawn_blocking(work).await.ok(),
        Err(_) => Some(work()),
    }
}
