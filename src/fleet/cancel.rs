//! [`Cancel`]: asks a running command to stop at the next safe point.

use futures_util::future::select_all;
use tokio::sync::watch;

/// Asks a running command to stop at the next safe point.
///
/// The command reverts the changes it made, releases the locks, and reports
/// [`Interrupted`](crate::report::Outcome::Interrupted). Clones control the same commands.
///
/// A rollback that has switched every host is not undone: that would make a bad release current again. A deploy that had
/// switched a host is undone, and its release is then bad: deploy again under another name.
///
/// ```
/// let cancel = switchback::fleet::Cancel::new();
/// assert!(!cancel.is_requested());
/// cancel.clone().request();
/// assert!(cancel.is_requested());
/// ```
#[derive(Debug, Clone)]
pub struct Cancel {
    own: watch::Sender<bool>,
    /// The handles whose requests also stop these commands.
    of: Vec<watch::Sender<bool>>,
}

impl Default for Cancel {
    fn default() -> Self {
        Self { own: watch::Sender::new(false), of: Vec::new() }
    }
}

/// Two handles are equal if they control the same commands.
impl PartialEq for Cancel {
    fn eq(&self, other: &Self) -> bool {
        self.own.same_channel(&other.own)
    }
}

impl Eq for Cancel {}

impl Cancel {
    /// Creates a handle on which no stop is requested.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a handle for one command: a request on `self` stops it too; one on the new handle stops nothing else.
    pub(super) fn of_one(&self) -> Self {
        Self { of: self.all().cloned().collect(), ..Self::default() }
    }

    /// Requests the stop.
    pub fn request(&self) {
        self.own.send_replace(true);
    }

    /// Whether a stop was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.all().any(|asked| *asked.borrow())
    }

    /// Waits until a stop is requested.
    pub async fn requested(&self) {
        // The senders are kept by the handle, so the channels stay open.
        let requests = self.all().map(|asked| {
            let mut asked = asked.subscribe();
            Box::pin(async move { asked.wait_for(|requested| *requested).await.is_ok() })
        });
        select_all(requests).await;
    }

    fn all(&self) -> impl Iterator<Item = &watch::Sender<bool>> {
        [&self.own].into_iter().chain(&self.of)
    }
}
