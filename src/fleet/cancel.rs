//! [`Cancel`]: asks a running command to stop at the next safe point.

use tokio::sync::watch;

/// Asks a running command to stop at the next safe point.
///
/// The command reverts the changes it made, releases the locks, and reports
/// [`Interrupted`](crate::report::Outcome::Interrupted). Clones control the same command.
///
/// A rollback that has switched every host is not undone: that would make a bad release current again.
///
/// ```
/// let cancel = switchback::fleet::Cancel::new();
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
    /// Creates a handle on which no stop is requested.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests the stop.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// Whether a stop was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until a stop is requested.
    pub(super) async fn requested(&self) {
        // The sender lives in `self`, so the channel stays open.
        let _ = self.0.subscribe().wait_for(|requested| *requested).await;
    }
}
