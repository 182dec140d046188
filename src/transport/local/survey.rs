//! The steps that examine a whole tree.

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
};

use rustix::fs::{self, OFlags};

use crate::{
    limits,
    manifest::{Digest, Digesting, MAX_DEPTH, Seen, Surveyed},
    path::InnerPath,
    transport::{
        Compared, Comparison, Entry, EntryKind, FailureKind, Found, Reply, StepFailure, TreeName, compare::Expected,
    },
};

use super::{
    ask, chain,
    errno::{self, Result, found},
    root::{self, Root, entry_kind},
    upload::open_below,
};

type Answer = std::result::Result<Reply, StepFailure>;

/// The limit on the entries of a tree: several times the limit on a source.
const ENTRIES: usize = 4_000_000;

pub(super) fn survey(root: &Root, path: &InnerPath, digests: bool) -> Answer {
    Ok(Reply::Survey(seen(root, path, digests)?))
}

/// Surveys the directory `path`; `None` when it does not exist.
fn seen(root: &Root, path: &InnerPath, digests: bool) -> std::result::Result<Option<Vec<Surveyed>>, StepFailure> {
    let open = || root.place(path)?.open(OFlags::RDONLY | OFlags::DIRECTORY);
    let Some(top) = found(open()).map_err(errno::on(path))? else { return Ok(None) };
    let mut survey = Survey { top, digests, seen: Vec::new(), ahead: Vec::new() };
    survey.enter(b"", None).map_err(errno::on(path))?;
    while let Some(at) = survey.ahead.pop() {
        let below = survey.seen[at].path.clone();
        survey.enter(&below, Some(at)).map_err(errno::on(path))?;
        if survey.seen.len() > ENTRIES {
            return Err(StepFailure::new(FailureKind::Io, format!("{path}: it has more than {ENTRIES} entries")));
        }
    }
    Ok(Some(survey.seen))
}

/// A survey under way.
///
/// Keeps only the top and the directory being read open: an application may nest directories thousands deep.
struct Survey {
    top: OwnedFd,
    digests: bool,
    seen: Vec<Surveyed>,
    /// The directories among them that are not read yet, by index.
    ahead: Vec<usize>,
}

impl Survey {
    /// Adds the entries of the directory at `above`, which is the entry `at` of those seen.
    fn enter(&mut self, above: &[u8], at: Option<usize>) -> Result<()> {
        // A directory removed since it was listed does not exist.
        let Some(directory) = found(self.open(above))? else { return Ok(()) };
        let listed = ask::entries_of(&directory)?;
        if names_in(above) > MAX_DEPTH {
            if let Some(directory) = at.and_then(|at| self.seen.get_mut(at)).filter(|_| !listed.is_empty()) {
                directory.node = Seen::TooDeep;
            }
            return Ok(());
        }
        for listed in listed {
            let path = if above.is_empty() { listed.name.clone() } else { [above, &listed.name].join(&b'/') };
            let Some(node) = found(self.node(&directory, &listed.name, &listed.entry))? else { continue };
            if node == Seen::Directory {
                self.ahead.push(self.seen.len());
            }
            self.seen.push(Surveyed { path, mode: listed.entry.mode, owner: listed.entry.owner, node });
        }
        Ok(())
    }

    /// Opens the directory at `path`, name by name and never through a symlink.
    fn open(&self, path: &[u8]) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        match path.iter().rposition(|byte| *byte == b'/') {
            None if path.is_empty() => root::open(&self.top, ".", flags),
            None => root::open(&self.top, path, flags),
            Some(slash) => root::open(open_below(&self.top, &path[..slash])?, &path[slash + 1..], flags),
        }
    }

    fn node(&self, directory: &OwnedFd, name: &[u8], entry: &Entry) -> Result<Seen> {
        Ok(match entry.kind {
            EntryKind::Directory => Seen::Directory,
            EntryKind::File => {
                let digest = if self.digests { digest(directory, name) } else { None };
                Seen::File { size: entry.size, digest }
            }
            EntryKind::Link => Seen::Link { target: fs::readlinkat(directory, name, Vec::new())?.into_bytes() },
            EntryKind::Other => Seen::Other,
        })
    }
}

fn names_in(path: &[u8]) -> usize {
    path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).count()
}

/// Returns the digest of a regular file, if it can be read.
pub(super) fn digest(directory: impl AsFd, name: &[u8]) -> Option<Digest> {
    let file = root::open(directory, name, OFlags::RDONLY).ok()?;
    let is_file = entry_kind(&fs::fstat(&file).ok()?) == EntryKind::File;
    is_file.then(|| Digesting::new(File::from(file)).finish().ok()).flatten()
}

pub(super) fn compare(
    root: &Root,
    trees: &InnerPath,
    name: &TreeName,
    (lists, manifest): (&InnerPath, &InnerPath),
    expected: &Expected<'_>,
) -> Answer {
    let tree = chain::tree_name(root, name);
    let Some(name) = tree.as_deref().and_then(|name| InnerPath::new(name).ok()) else {
        return Ok(Reply::Comparison(Comparison { tree: None, found: Compared::NoTree }));
    };
    let path = lists.join(&name).join(manifest);
    let listed = match ask::read(root, &path, limits::LISTING) {
        Ok(Reply::Content(found)) => found,
        Ok(_) => None,
        Err(failure) => Some(Found::Unreadable(failure)),
    };
    let found = match (seen(root, &trees.join(&name), expected.contents)?, Compared::manifest(listed.as_ref(), &path)) {
        (None, _) => Compared::NoTree,
        (Some(_), Err(otherwise)) => otherwise,
        (Some(seen), Ok(manifest)) => expected.compare(&manifest, &seen),
    };
    Ok(Reply::Comparison(Comparison { tree, found }))
}
