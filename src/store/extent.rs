//! [`Extent`]: which releases of a root were read, where that is not all of them.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::name::ReleaseName;

/// Which releases of a root were read, and which others were asked for since. All of them by default.
///
/// A rollback reads the way back from what is current and no more, so that its cost does not grow with the number of
/// releases. Whoever asks such a state for a release that was not read leaves its name here; it is read, and the question
/// is asked again. So no question can be answered from a part as if it were the whole.
#[derive(Debug, Default)]
pub(crate) struct Extent(Option<Mutex<Part>>);

#[derive(Debug, Clone, Default)]
struct Part {
    /// The names that were looked up, be there releases of that name or not.
    read: BTreeSet<ReleaseName>,
    wanted: BTreeSet<ReleaseName>,
    /// Whether all releases are wanted.
    all: bool,
}

/// What must be read before the answers that were given stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing.
    Nothing,
    /// These releases.
    Releases(Vec<ReleaseName>),
    /// All there are.
    All,
}

impl Extent {
    /// Only these names were looked up.
    pub(super) fn of(names: impl IntoIterator<Item = ReleaseName>) -> Self {
        Self(Some(Mutex::new(Part { read: names.into_iter().collect(), ..Part::default() })))
    }

    fn part(&self) -> Option<MutexGuard<'_, Part>> {
        self.0.as_ref().map(|part| part.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes that somebody asked for the release `name`, which the state does not have.
    pub(super) fn ask_for(&self, name: &ReleaseName) {
        if let Some(mut part) = self.part()
            && !part.read.contains(name)
        {
            part.wanted.insert(name.clone());
        }
    }

    /// Notes that somebody asked for all releases.
    pub(super) fn ask_for_all(&self) {
        if let Some(mut part) = self.part() {
            part.all = true;
        }
    }

    /// Notes that these names were looked up too.
    pub(super) fn widen(&self, names: impl IntoIterator<Item = ReleaseName>) {
        if let Some(mut part) = self.part() {
            part.read.extend(names);
            let Part { read, wanted, .. } = &mut *part;
            wanted.retain(|name| !read.contains(name));
        }
    }

    /// How many names were looked up; `None` when all releases were read.
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

/// What was asked for is no part of what is known.
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
