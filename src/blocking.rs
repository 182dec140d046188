//! Work that blocks, beside what must not be held up.

use tokio::{runtime::Handle, task::spawn_blocking};

/// Does what blocks without holding up others, where there are any: without a runtime whoever waits is alone. `None` when it
/// panicked, or the runtime ends.
pub(crate) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match Handle::try_current() {
        Ok(_) => spawn_blocking(work).await.ok(),
        Err(_) => Some(work()),
    }
}
