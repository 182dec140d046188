//! Trees from archives: `.tar`, `.tar.gz`, `.tgz`, `.tar.zst`, from a path or from any reader.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::Arc,
};

use camino::Utf8Path;

use super::{
    Content, Limits, Node, SourceOptions, Tree, TreeEntry, TreeError, Visit, Wanted,
    error::shown,
    exclude::Exclude,
    format::Format,
    hard_links::{Copied, HardLinks},
    inventory::Inventory,
    limits::Exceeded,
    members::{self, Archived, Member},
    meter::Meter,
    replay::Replay,
    stamp::Stamp,
};

/// The part of a hard-linked file's content that stays in memory, in bytes; more goes to a temporary file.
const IN_MEMORY: usize = 8 << 20;

/// The number of first bytes that tell the format.
const START: u64 = 4;

/// The content of an archive, as scanned.
#[derive(Debug)]
struct Archive {
    source: Source,
    stamp: Stamp,
    /// The index of the entry of each archive member; `None` for an excluded member.
    members: Vec<Option<usize>>,
    /// The files that are hard links to others, sorted by the file they link to.
    copied: Vec<Copied>,
}

/// An archive on disk.
#[derive(Debug)]
struct Source {
    place: Place,
    /// The path as given, for messages.
    name: String,
    format: Format,
    limits: Limits,
    strip: Option<usize>,
}

/// The place of an archive.
#[derive(Debug)]
enum Place {
    /// A file, opened for each reading.
    Path(PathBuf),
    /// A temporary file without a name.
    Copy(File),
}

/// The name of an archive that came from a reader, in messages.
const UNNAMED: &str = "<reader>";

impl Tree {
    /// Opens the archive at `path` with the default [`Limits`]; see [`open`](Self::open).
    ///
    /// # Errors
    ///
    /// [`TreeError`], with no file changed.
    pub fn from_archive(path: &Utf8Path) -> Result<Self, TreeError> {
        scan(path, &SourceOptions::default())
    }

    /// Reads an archive from `reader`, plain or compressed with gzip or Zstandard, as its first bytes tell.
    ///
    /// Keeps a copy of the archive in a temporary file without a name, because its content is read again for each host.
    /// Blocks until the archive has ended.
    ///
    /// ```
    /// use switchback::tree::Tree;
    ///
    /// let mut archive = tar::Builder::new(Vec::new());
    /// archive.append_dir_all(".", "examples/site/v1")?;
    /// let tree = Tree::from_tar(&archive.into_inner()?[..])?;
    /// assert_eq!(tree.digest()?, Tree::open("examples/site/v1".into())?.digest()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TreeError`] as for an archive at a path, and [`TreeError::Read`] when the copy cannot be written.
    pub fn from_tar(reader: impl Read) -> Result<Self, TreeError> {
        Self::from_tar_with(reader, &SourceOptions::default())
    }

    /// Reads an archive like [`from_tar`](Self::from_tar), with other limits, exclude patterns or `strip`.
    ///
    /// # Errors
    ///
    /// As [`from_tar`](Self::from_tar), and [`TreeError::Pattern`] when an exclude pattern is invalid.
    pub fn from_tar_with(reader: impl Read, options: &SourceOptions) -> Result<Self, TreeError> {
        scan_source(Source::copy(reader, options)?, options)
    }
}

/// Scans the archive at `path` to its end.
///
/// The entries keep the order of the archive, so that one pass reads all their content. A directory goes before its
/// entries, even if the archive lists it later or not at all.
pub(super) fn scan(path: &Utf8Path, options: &SourceOptions) -> Result<Tree, TreeError> {
    scan_source(Source::find(path, options)?, options)
}

fn scan_source(source: Source, options: &SourceOptions) -> Result<Tree, TreeError> {
    let (limits, exclude) = (&options.limits, Exclude::new(&options.exclude)?);
    let (file, stamp) = source.open()?;
    let (mut inventory, mut hard_links) = (Inventory::new(limits), HardLinks::new(limits));
    let mut members = Vec::new();
    source.read(&file, &mut |member, _| {
        let (path, is_directory) = match &member {
            Member::Entry(entry) => (&entry.path, entry.node == Node::Directory),
            Member::HardLink { path, .. } => (path, false),
        };
        let index = match member {
            _ if exclude.matches_or_above(path, is_directory) => None,
            Member::Entry(entry) => Some(inventory.place(entry)?),
            Member::HardLink { path, target } => {
                hard_links.add(path, &target, &inventory)?;
                None
            }
        };
        members.push(index);
        Ok(())
    })?;
    source.hold(&file, stamp)?;
    let copied = hard_links.place(&mut inventory)?;
    Ok(Tree::new(inventory.finish()?, Arc::new(Archive { source, stamp, members, copied })))
}

impl Source {
    /// Finds the archive at `path`, and its format by its name.
    fn find(path: &Utf8Path, options: &SourceOptions) -> Result<Self, TreeError> {
        let name = path.as_str();
        let unreadable = |error| TreeError::read(name.as_bytes(), error);
        // A canonical path, since the process may change its working directory before it reads the content.
        let full = path.as_std_path().canonicalize().map_err(unreadable)?;
        let is_file = fs::metadata(&full).map_err(unreadable)?.is_file();
        match Format::of_name(path) {
            Some(format) if is_file && !format.is_built() => {
                Err(TreeError::NotBuilt { what: shown(name.as_bytes()), feature: "compression" })
            }
            Some(format) if is_file => {
                let (limits, strip) = (options.limits.clone(), options.strip);
                Ok(Self { place: Place::Path(full), name: name.to_owned(), format, limits, strip })
            }
            _ => Err(TreeError::Unrecognised { path: shown(name.as_bytes()) }),
        }
    }

    /// Copies an archive to a temporary file, and finds its format by its first bytes.
    fn copy(reader: impl Read, options: &SourceOptions) -> Result<Self, TreeError> {
        let unreadable = |error| TreeError::read(UNNAMED.as_bytes(), error);
        let mut copy = tempfile::tempfile().map_err(unreadable)?;
        // An archive without an end must not fill the disk.
        let most = Meter::most(&options.limits);
        let size = io::copy(&mut reader.take(most.saturating_add(1)), &mut copy).map_err(unreadable)?;
        if size > most {
            let limit = Exceeded::Bytes(options.limits.bytes);
            return Err(TreeError::TooLarge { path: UNNAMED.to_owned(), limit });
        }
        let mut start = Vec::new();
        copy.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        Read::by_ref(&mut copy).take(START).read_to_end(&mut start).map_err(unreadable)?;
        let (limits, strip) = (options.limits.clone(), options.strip);
        let format = Format::of_start(&start).unwrap_or(Format::Tar);
        if !format.is_built() {
            return Err(TreeError::NotBuilt { what: UNNAMED.to_owned(), feature: "compression" });
        }
        Ok(Self { place: Place::Copy(copy), name: UNNAMED.to_owned(), format, limits, strip })
    }

    fn open(&self) -> Result<(File, Stamp), TreeError> {
        let file = match &self.place {
            Place::Path(path) => File::open(path),
            Place::Copy(file) => file.try_clone(),
        };
        let opened = file.and_then(|file| Ok((Stamp::of_open(&file)?, file)));
        opened.map(|(stamp, file)| (file, stamp)).map_err(|error| TreeError::read(self.name.as_bytes(), error))
    }

    /// Checks that `file` has not changed since `stamp`.
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

    fn read(&self, file: &File, take: &mut members::Take<'_>) -> Result<(), TreeError> {
        let damaged = |error| members::damaged(&self.name, error);
        let length = file.metadata().map_err(damaged)?.len();
        let mut packed = BufReader::with_capacity(64 << 10, FromStart { file, at: 0 });
        self.check_start(packed.fill_buf().map_err(damaged)?)?;
        let archived =
            Archived { name: &self.name, packed: length, limits: &self.limits, strip: self.strip.unwrap_or(0) };
        members::read(archived, self.format.unpack(packed).map_err(damaged)?, take)
    }

    /// Checks that the first bytes of the archive match the format of its name.
    fn check_start(&self, start: &[u8]) -> Result<(), TreeError> {
        let holds = Format::of_start(start);
        if start.is_empty() || holds.unwrap_or(Format::Tar) == self.format {
            return Ok(());
        }
        let (path, named) = (shown(self.name.as_bytes()), self.format.words());
        Err(TreeError::Misnamed { path, named, holds: holds.map_or("something else", Format::words) })
    }
}

/// Reads a file from its start, whatever other readers of the same open file do.
struct FromStart<'f> {
    file: &'f File,
    at: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Content for Archive {
    fn read(&self, entries: &[TreeEntry], wanted: &Wanted<'_>, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        let mut replay = Replay::new(entries, &self.members);
        self.reread(&mut |member, content| match member {
            Member::Entry(entry) => {
                let is_same = replay.take(&entry, content, visit)?;
                is_same.then_some(()).ok_or_else(|| self.source.changed())
            }
            Member::HardLink { .. } => replay.pass().then_some(()).ok_or_else(|| self.source.changed()),
        })?;
        if !replay.is_done() {
            return Err(self.source.changed());
        }
        if self.copied.iter().any(|copied| entries.get(copied.copy).is_some_and(wanted)) {
            self.copies(&mut replay, visit)?;
        }
        replay.rest(visit)
    }

    fn may_be_stripped(&self) -> bool {
        self.source.strip.is_none()
    }
}

impl Archive {
    /// Reads all members once more, and checks that the archive has not changed.
    fn reread(&self, take: &mut members::Take<'_>) -> Result<(), TreeError> {
        let (file, now) = self.source.open()?;
        if now != self.stamp {
            return Err(self.source.changed());
        }
        match self.source.read(&file, take) {
            // The scan read it to its end without damage, so it has changed since.
            Err(TreeError::Damaged { .. }) => Err(self.source.changed()),
            Err(error) => Err(error),
            Ok(()) => self.source.hold(&file, self.stamp),
        }
    }

    /// Visits the files that are hard links, each when the content that it links to is read again.
    fn copies(&self, replay: &mut Replay<'_>, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        let (mut members, mut copied) = (self.members.iter(), &self.copied[..]);
        self.reread(&mut |_, content| {
            let index = members.next().ok_or_else(|| self.source.changed())?;
            let here = copied.iter().take_while(|next| Some(next.origin) == *index).count();
            if here == 0 {
                return Ok(());
            }
            let (these, others) = copied.split_at(here);
            copied = others;
            let mut kept = tempfile::spooled_tempfile(IN_MEMORY);
            let size = io::copy(content, &mut kept).map_err(TreeError::Visit)?;
            these.iter().try_for_each(|copied| {
                kept.rewind().map_err(TreeError::Visit)?;
                replay.visit_at(copied.copy, &mut Read::take(&mut kept, size), visit)
            })
        })
    }
}

#[cfg(all(test, not(feature = "compression")))]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    #[test]
    fn a_compressed_archive_names_the_missing_feature() {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["a.tar.gz", "a.tgz", "a.tar.zst"] {
            let path = directory.path().join(name);
            fs::write(&path, "").expect("a file");
            let path = Utf8Path::from_path(&path).expect("UTF-8");
            let error = Error::from(Tree::open(path).expect_err("it cannot be read"));
            assert_eq!(error.kind(), ErrorKind::Config, "{name}");
            assert!(error.to_string().contains(&format!("{path} needs the feature `compression`")), "{error}");
        }
    }
}
