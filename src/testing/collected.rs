//! [`Collected`]: an observer that collects.

use std::sync::{Arc, Mutex, PoisonError};

use crate::event::{Event, Observer};

/// Picks what to collect from an event.
type Pick<T> = dyn Fn(&Event) -> Vec<T> + Send + Sync;

/// Collects what a function picks from the events. Clones collect together.
///
/// ```
/// # async fn example(fleet: &switchback::Fleet) {
/// use switchback::{fleet::RunOptions, testing::Collected};
///
/// let warnings = Collected::warnings();
/// let checked = fleet.check(&RunOptions::default(), warnings.clone()).await;
/// assert!(checked.is_ok() && warnings.take().is_empty());
/// # }
/// ```
pub struct Collected<T> {
    pick: Arc<Pick<T>>,
    picked: Arc<Mutex<Vec<T>>>,
}

impl<T> Clone for Collected<T> {
    fn clone(&self) -> Self {
        Self { pick: Arc::clone(&self.pick), picked: Arc::clone(&self.picked) }
    }
}

impl<T> std::fmt::Debug for Collected<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collected").finish_non_exhaustive()
    }
}

impl<T> Collected<T> {
    /// Creates an observer that collects what `pick` returns for each event.
    pub fn new<I: IntoIterator<Item = T>>(pick: impl Fn(&Event) -> I + Send + Sync + 'static) -> Self {
        Self { pick: Arc::new(move |event| pick(event).into_iter().collect()), picked: Arc::default() }
    }

    /// Returns what was collected since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.picked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Collected<String> {
    /// Creates an observer that collects the warnings, as their texts.
    #[must_use]
    pub fn warnings() -> Self {
        Self::new(|event| match event {
            Event::Warning { message, .. } => Some(message.to_string()),
            _ => None,
        })
    }

    /// Creates an observer that collects the lines of plans.
    #[must_use]
    pub fn plans() -> Self {
        Self::new(|event| match event {
            Event::Planned { plan } => plan.clone(),
            _ => Vec::new(),
        })
    }
}

impl<T: Send> Observer for Collected<T> {
    fn event(&self, event: &Event) {
        let picked = (self.pick)(event);
        self.picked.lock().unwrap_or_else(PoisonError::into_inner).extend(picked);
    }
}
