//! [`Sharing`]: derived data of a tree, made once for many hosts.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::Tree;

/// The derived data of a tree while it is shared.
#[derive(Default)]
pub(super) struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    sharers: usize,
    made: Vec<Arc<dyn Any + Send + Sync>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// A guard of a tree that goes to many hosts, returned by [`Tree::share`]. The tree is shared while the guard
/// exists.
#[derive(Debug)]
#[must_use = "the tree is shared as long as this is kept"]
pub struct Sharing(Arc<Shared>);

impl Drop for Sharing {
    fn drop(&mut self) {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.sharers -= 1;
        let made = if state.sharers == 0 { std::mem::take(&mut state.made) } else { Vec::new() };
        // Dropping the data may take long, so the lock goes first.
        drop(state);
        drop(made);
    }
}

impl Tree {
    /// Declares that the tree goes to many hosts at about the same time, until the guard is dropped. Transports may
    /// then read it once for all of them, and keep the bytes to send in a temporary file, which each host takes at its
    /// own pace. A [`Fleet`](crate::Fleet) of several hosts does this itself.
    pub fn share(&self) -> Sharing {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).sharers += 1;
        Sharing(Arc::clone(&self.shared))
    }

    /// Returns derived data that was made for another host and serves here too, or makes it now; `None` if the tree
    /// is not shared.
    pub(crate) fn made_once<T: Any + Send + Sync, E>(
        &self,
        serves: impl Fn(&T) -> bool,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Option<Result<Arc<T>, E>> {
        let mut state = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.sharers == 0 {
            return None;
        }
        let found =
            state.made.iter().filter_map(|made| Arc::clone(made).downcast::<T>().ok()).find(|made| serves(made));
        if let Some(found) = found {
            return Some(Ok(found));
        }
        // Made under the lock, so that the other hosts wait for it instead of making it too.
        let new = make().map(Arc::new);
        if let Ok(new) = &new {
            state.made.push(Arc::clone(new) as Arc<dyn Any + Send + Sync>);
        }
        Some(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_while_it_is_shared_and_then_let_go() {
        let tree = Tree::from_memory([("a", &b"1"[..])]).unwrap();
        let make = |what: u32| tree.made_once(|made: &u32| *made == what, || Ok::<_, ()>(what));
        assert!(make(1).is_none());
        let sharing = tree.share();
        let (one, other) = (make(1).unwrap().unwrap(), make(2).unwrap().unwrap());
        assert!(Arc::ptr_eq(&one, &make(1).unwrap().unwrap()) && !Arc::ptr_eq(&one, &other));
        let again = tree.clone().share();
        drop(sharing);
        assert!(Arc::ptr_eq(&one, &make(1).unwrap().unwrap()));
        drop(again);
        assert!(make(1).is_none());
        assert_eq!(Arc::strong_count(&one), 1);
    }
}
