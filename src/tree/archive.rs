//! Trees from archives: `.tar`, `.tar.gz`, `.tgz`, `.tar.zst`.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::PathBuf,
    sync::Arc,
};

use camino::Utf8Path;

use super::{
    Content, Limits, Node, SourceOptions, Tree, TreeEntry, TreeError, Visit, Wanted, error::shown, exclude::Exclude,
    format::Format, inventory::Inventory, members, replay::Replay, stamp::Stamp,
};

/// The content of an archive, as it was when it was scanned.
#[derive(Debug)]
struct Archive {
    source: Source,
    stamp: Stamp,
    /// Which entry each member of the archive is, by index; `None` for one that is left out.
    members: Vec<Option<usize>>,
}

/// An archive on the disk.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    /// As it was given.
    name: String,
    format: Format,
    limits: Limits,
}

impl Tree {
    /// The content of the archive at `path`, with the default [`Limits`]; see [`open`](Self::open).
    ///
    /// # Errors
    ///
    /// [`TreeError`], with no file changed.
    pub fn from_archive(path: &Utf8Path) -> Result<Self, TreeError> {
        scan(path, &SourceOptions::default())
    }
}

/// The content of the archive at `path`, which is read to its end.
///
/// The entries stand in the archive's own order, since that is how their content can be read at one go. Directories are
/// put before what lies in them, whether the archive has them later or not at all.
pub(super) fn scan(path: &Utf8Path, options: &SourceOptions) -> Result<Tree, TreeError> {
    let (limits, exclude) = (&options.limits, Exclude::new(&options.exclude)?);
    let source = Source::find(path, limits)?;
    let (file, stamp) = source.open()?;
    let mut inventory = Inventory::new(limits);
    let mut members = Vec::new();
    source.read(&file, &mut |member, _| {
        let out = exclude.matches_or_above(&member.path, member.node == Node::Directory);
        members.push(if out { None } else { Some(inventory.place(member)?) });
        Ok(())
    })?;
    source.hold(&file, stamp)?;
    Ok(Tree::new(inventory.finish()?, Arc::new(Archive { source, stamp, members })))
}

impl Source {
    /// The archive at `path`, if its name is that of one.
    fn find(path: &Utf8Path, limits: &Limits) -> Result<Self, TreeError> {
        let name = path.as_str();
        let unreadable = |error| TreeError::read(name.as_bytes(), error);
        // A full path, since the directory that this one is relative to may be left before the content is read.
        let full = path.as_std_path().canonicalize().map_err(unreadable)?;
        let is_file = fs::metadata(&full).map_err(unreadable)?.is_file();
        match Format::of_name(path) {
            Some(format) if is_file => Ok(Self { path: full, name: name.to_owned(), format, limits: limits.clone() }),
            _ => Err(TreeError::Unrecognised { path: shown(name.as_bytes()) }),
        }
    }

    fn open(&self) -> Result<(File, Stamp), TreeError> {
        let opened = File::open(&self.path).and_then(|file| Ok((Stamp::of_open(&file)?, file)));
        opened.map(|(stamp, file)| (file, stamp)).map_err(|error| TreeError::read(self.name.as_bytes(), error))
    }

    /// Holds `file` against what it was like.
    fn hold(&self, file: &File, stamp: Stamp) -> Result<(), TreeError> {
        match Stamp::of_open(file) {
            Ok(now) if now == stamp => Ok(()),
            Ok(_) => Err(self.changed()),
            Err(error) => Err(TreeError::read(self.name.as_bytes(), error)),
        }
    }

    fn changed(&self) -> TreeError {
        TreeError::changed(self.name.as_bytes())
    }

    /// Reads all members of `file`.
    fn read(&self, file: &File, take: &mut members::Take<'_>) -> Result<(), TreeError> {
        let damaged = |error| members::damaged(&self.name, error);
        let mut packed = BufReader::with_capacity(64 << 10, file);
        self.check_start(packed.fill_buf().map_err(damaged)?)?;
        members::read(&self.name, self.format.unpack(packed).map_err(damaged)?, &self.limits, take)
    }

    /// Checks that the archive's first bytes tell the same format as its name.
    fn check_start(&self, start: &[u8]) -> Result<(), TreeError> {
        let holds = Format::of_start(start);
        if start.is_empty() || holds.unwrap_or(Format::Tar) == self.format {
            return Ok(());
        }
        let (path, named) = (shown(self.name.as_bytes()), self.format.words());
        Err(TreeError::Misnamed { path, named, holds: holds.map_or("something else", Format::words) })
    }
}

impl Content for Archive {
    fn read(&self, entries: &[TreeEntry], _: &Wanted<'_>, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        let (file, now) = self.source.open()?;
        if now != self.stamp {
            return Err(self.source.changed());
        }
        let mut replay = Replay::new(entries, &self.members);
        let read = self.source.read(&file, &mut |member, content| {
            let is_same = replay.take(&member, content, visit)?;
            is_same.then_some(()).ok_or_else(|| self.source.changed())
        });
        match read {
            // The scan read it to its end, so that it was whole then.
            Err(TreeError::Damaged { .. }) => Err(self.source.changed()),
            Err(error) => Err(error),
            Ok(()) if replay.is_done() => self.source.hold(&file, self.stamp),
            Ok(()) => Err(self.source.changed()),
        }
    }
}
