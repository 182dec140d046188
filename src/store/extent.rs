//! [`Extent`]: the releases that a partial state covers.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::name::ReleaseName;

/// The releases of a root that were read, and those requested since. By default all were read.
///
/// A rollback reads only the chain behind the current release, so that its cost does not grow with the number of
/// releases. A lookup of a release that was not read registers its name here. The release is then read, and the
/// computation repeated. No answer is therefore derived from a part as if it were the whole.
#[derive(Debug, Default)]
pub(crate) struct Extent(Option<Mutex<Part>>);

#[derive(Debug, Clone, Default)]
struct Part {
    /// The names that were looked up, including those without a release.
    read: BTreeSet<ReleaseName>,
    wanted: BTreeSet<ReleaseName>,
    /// Whether all releases are wanted.
    all: bool,
}

/// The releases to read before the answers given so far are valid.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// No more releases.
    Nothing,
    /// The named releases.
    Releases(Vec<ReleaseName>),
    /// All releases.
    All,
}

impl Extent {
    /// Creates an extent that covers only these names.
    pub(super) fn of(names: impl IntoIterator<Item = ReleaseName>) -> Self {
        Self(Some(Mutex::new(Part { read: names.into_iter().collect(), ..Part::default() })))
    }

    fn part(&self) -> Option<MutexGuard<'_, Part>> {
        self.0.as_ref().map(|part| part.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Registers a request for the release `name`, which the state does not contain.
    pub(super) fn ask_for(&self, name: &ReleaseName) {
        if let Some(mut part) = self.part()
            && !part.read.contains(name)
        {
            part.wanted.insert(name.clone());
        }
    }

    /// Registers a request for all releases.
    pub(super) fn ask_for_all(&self) {
        if let Some(mut part) = self.part() {
            part.all = true;
        }
    }

    /// Adds names that were looked up.
    pub(super) fn widen(&self, names: impl IntoIterator<Item = ReleaseName>) {
        if let Some(mut part) = self.part() {
            part.read.extend(names);
            let Part { read, wanted, .. } = &mut *part;
            wanted.retain(|name| !read.contains(name));
        }
    }

    /// Returns the number of names looked up; `None` if all releases were read.
    pub(super) fn len(&self) -> Option<usize> {
        self.part().map(|part| part.read.len())
    }

    pub(super) fn wanted(&self) -> Wanted {
        match self.part() {
            Some(part) if part.all => Wanted::All,
            Some(part) if !part.wanted.is_empty() => Wanted::Releases(part.wanted.iter().cloned().collect()),
            _ => Wanted::Nothing,
        }
    }
}

impl Clone for Extent {
    fn clone(&self) -> Self {
        Self(self.part().map(|part| Mutex::new(part.clone())))
    }
}

/// Compares what was read; open requests are not part of the state.
impl PartialEq for Extent {
    fn eq(&self, other: &Self) -> bool {
        let read = |extent: &Self| extent.part().map(|part| part.read.clone());
        read(self) == read(other)
    }
}

impl Eq for Extent {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_read_is_wanted() {
        let name = |name: &str| -> ReleaseName { name.parse().expect("a name") };
        let whole = Extent::default();
        whole.ask_for(&name("a"));
        whole.ask_for_all();
        assert_eq!(whole.wanted(), Wanted::Nothing);
        let part = Extent::of([name("a")]);
        part.ask_for(&name("a"));
        assert_eq!(part.wanted(), Wanted::Nothing);
        part.ask_for(&name("b"));
        assert_eq!(part.wanted(), Wanted::Releases(vec![name("b")]));
        part.widen([name("b")]);
        assert_eq!((part.wanted(), part.len()), (Wanted::Nothing, Some(2)));
        part.ask_for_all();
        assert_eq!(part.wanted(), Wanted::All);
    }
}
