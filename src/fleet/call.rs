//! [`Call`]: the part of a command that belongs to one call.

use std::{fmt, sync::Arc};

use crate::event::{Observer, Silent};

use super::Cancel;

/// The part of a command that belongs to one call: the observer of its events, and the handle that stops it.
///
/// Every command of a [`Fleet`](super::Fleet) takes one; an observer alone is enough.
///
/// ```
/// use switchback::{Event, event::Silent, fleet::{Call, Cancel}};
///
/// let silent: Call = Silent.into();
/// let prints: Call = (|event: &Event| println!("{event:?}")).into();
/// let cancel = Cancel::new();
/// let stoppable = Call::new().observer(|event: &Event| println!("{event:?}")).cancel(&cancel);
/// # drop((silent, prints, stoppable));
/// ```
#[derive(Clone)]
pub struct Call {
    pub(super) observer: Arc<dyn Observer>,
    pub(super) cancel: Cancel,
}

impl Default for Call {
    fn default() -> Self {
        Self { observer: Arc::new(Silent), cancel: Cancel::new() }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("cancel", &self.cancel).finish_non_exhaustive()
    }
}

impl Call {
    /// Creates a call that nobody observes or stops.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the observer of the events.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Sets a handle that stops the command. One handle may stop several commands.
    #[must_use]
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.cancel = cancel.clone();
        self
    }
}

impl<O: Observer + 'static> From<O> for Call {
    fn from(observer: O) -> Self {
        Self::new().observer(observer)
    }
}
