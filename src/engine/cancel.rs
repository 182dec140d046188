//! [`Cancel`]: asks a command to come to a safe point and stop there.

use tokio::sync::watch;

/// Asks a command that runs to stop at the next safe point: what had begun is put back, the locks are given back, and
/// the report says [`Interrupted`](crate::report::Outcome::Interrupted). Clones ask the same command.
///
/// A rollback that has switched is not undone: nobody is sent back to the release that was fled.
///
/// ```
/// let cancel = switchback::engine::Cancel::new();
/// assert!(!cancel.is_requested());
/// cancel.clone().request();
/// assert!(cancel.is_requested());
/// ```
#[derive(Debug, Clone)]
pub struct Cancel(watch::Sender<bool>);

impl Default for Cancel {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Cancel {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to stop.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// Whether stopping was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when stopping is asked for.
    pub(super) async fn requested(&self) {
        // The sender lives in `self`, so the channel stays open.
        let _ = self.0.subscribe().wait_for(|requested| *requested).await;
    }
}
