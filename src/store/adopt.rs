//! [`AdoptStore`] and [`AdoptGuard`]: the optional part of a store that adopts trees of other tools.

use crate::{
    adoption::{Adoption, Traces},
    future::BoxFuture,
};

use super::StoreError;
#[cfg(doc)]
use super::{ReleaseStore, StoreGuard};

/// A store that finds the traces of other tools; [`ReleaseStore::adoption`] returns it.
pub trait AdoptStore: Send + Sync {
    /// Reads the traces of other tools in the root. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] when a log exists and cannot be read: it must not count as missing.
    fn traces(&self) -> BoxFuture<'_, Result<Traces, StoreError>>;
}

/// A held lock under which a tree can be adopted; [`StoreGuard::adoption`] returns it.
pub trait AdoptGuard: Send + Sync {
    /// Adopts a tree that another tool made: writes marks and records, and replaces a plain directory `current` by a
    /// symlink to the release that it becomes. Changes nothing else.
    ///
    /// # Errors
    ///
    /// Records already written stay: they are true, and the next adoption continues from there.
    fn adopt<'a>(&'a mut self, adoption: &'a Adoption) -> BoxFuture<'a, Result<(), StoreError>>;
}
