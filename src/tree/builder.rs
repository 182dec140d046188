//! [`TreeBuilder`]: trees that a program builds, in memory or from readers.

use std::{
    fmt,
    io::{self, Read},
    sync::Arc,
};

use super::{
    Content, Limits, Node, Tree, TreeEntry, TreeError, Visit, Wanted,
    entry_path::checked,
    error::Refusal,
    exact::{Exact, Failure},
    inventory::Inventory,
};

/// Builds a tree entry by entry; made by [`Tree::builder`].
///
/// Paths are names joined by `/`, of any bytes but NUL. Missing directories above an entry are added with mode 0755.
/// The first invalid entry is the error of [`build`](Self::build).
///
/// ```
/// use switchback::tree::Tree;
///
/// let tree = Tree::builder()
///     .file("bin/shop", 0o755, &b"#!/bin/sh\necho apples\n"[..])
///     .file("index.html", 0o644, "apples")
///     .link("latest", "bin/shop")
///     .directory("uploads", 0o750)
///     .build()?;
/// assert_eq!((tree.entries().len(), tree.files()), (5, 2));
/// assert!(Tree::builder().link("passwords", "/etc/passwd").build().is_err());
/// # Ok::<(), switchback::tree::TreeError>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "the tree is made by `build`"]
pub struct TreeBuilder {
    limits: Limits,
    added: Vec<Added>,
}

/// An entry as it was added, unchecked.
#[derive(Debug)]
struct Added {
    path: Vec<u8>,
    mode: u32,
    node: Node,
    source: Source,
}

/// The source of an entry's content.
pub(super) enum Source {
    /// The content itself; empty for anything but a file.
    Bytes(Vec<u8>),
    /// A function that opens a reader of the content.
    Reader(Box<Opens>),
}

/// Opens a reader of one file's content, as often as it is needed.
type Opens = dyn Fn() -> io::Result<Box<dyn Read>> + Send + Sync;

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Reader(_) => f.write_str("a reader"),
        }
    }
}

impl TreeBuilder {
    /// Sets other limits than the default [`Limits`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Adds a regular file with this content and these permission bits: 0644 for most files, 0755 for a program.
    ///
    /// Higher bits of `mode`, such as the file type that `stat` reports, are ignored, but a setuid or setgid bit is
    /// refused.
    pub fn file(self, path: impl AsRef<[u8]>, mode: u32, content: impl Into<Vec<u8>>) -> Self {
        let content = content.into();
        let node = Node::File { size: content.len() as u64 };
        self.add(path.as_ref(), mode, node, Source::Bytes(content))
    }

    /// Adds a regular file of `size` bytes that `open` reads, for content that should not be in memory.
    ///
    /// It is opened once for each reading: up to once for its digest, and for each host that needs it. Every reader
    /// must yield the same bytes; otherwise the reading fails with [`TreeError::Changed`], and a host gets nothing under
    /// the release's name.
    pub fn file_from<R: Read + 'static>(
        self,
        path: impl AsRef<[u8]>,
        mode: u32,
        size: u64,
        open: impl Fn() -> io::Result<R> + Send + Sync + 'static,
    ) -> Self {
        let open = move || open().map(|reader| Box::new(reader) as Box<dyn Read>);
        self.add(path.as_ref(), mode, Node::File { size }, Source::Reader(Box::new(open)))
    }

    /// Adds a symlink, which must stay inside the release.
    pub fn link(self, path: impl AsRef<[u8]>, target: impl Into<Vec<u8>>) -> Self {
        self.add(path.as_ref(), 0o777, Node::Link { target: target.into() }, Source::Bytes(Vec::new()))
    }

    /// Adds a directory, which may be empty. Its owner always gets all permissions.
    pub fn directory(self, path: impl AsRef<[u8]>, mode: u32) -> Self {
        self.add(path.as_ref(), mode, Node::Directory, Source::Bytes(Vec::new()))
    }

    /// Builds the tree. Opens no reader yet.
    ///
    /// # Errors
    ///
    /// [`TreeError::Refused`] for a path that is absolute, contains `..` or is there twice, and for a symlink that
    /// leads out of the tree; [`TreeError::TooLarge`] when the tree exceeds the limits. The rules are those for an
    /// archive.
    pub fn build(self) -> Result<Tree, TreeError> {
        let mut inventory = Inventory::new(&self.limits);
        let mut sources = Vec::new();
        for Added { path, mode, node, source } in self.added {
            let refuse = |why| TreeError::refused(&path, why);
            if mode & 0o6000 != 0 && matches!(node, Node::File { .. }) {
                return Err(refuse(Refusal::Setuid));
            }
            let place = checked(&path).and_then(|path| path.ok_or(Refusal::EmptyName)).map_err(refuse)?;
            let index = inventory.place(TreeEntry::new(place.to_vec(), mode, node))?;
            // A directory that was implied before has an index already, and no content either way.
            if index >= sources.len() {
                sources.resize_with(index, || Source::Bytes(Vec::new()));
                sources.push(source);
            }
        }
        Ok(Tree::new(inventory.finish()?, Arc::new(Built(sources))))
    }

    fn add(mut self, path: &[u8], mode: u32, node: Node, source: Source) -> Self {
        self.added.push(Added { path: path.to_vec(), mode, node, source });
        self
    }
}

/// The source of each entry's content.
#[derive(Debug)]
pub(super) struct Built(pub(super) Vec<Source>);

impl Content for Built {
    fn read(&self, entries: &[TreeEntry], wanted: &Wanted<'_>, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        entries.iter().zip(&self.0).try_for_each(|(entry, source)| match source {
            Source::Reader(_) if !wanted(entry) => visit(entry, &mut io::empty()).map_err(TreeError::Visit),
            Source::Reader(open) => pass_on(entry, open().map_err(|error| TreeError::read(&entry.path, error))?, visit),
            Source::Bytes(content) => pass_on(entry, &content[..], visit),
        })
    }
}

/// Visits an entry with its content, which must be of exactly its size.
fn pass_on(entry: &TreeEntry, mut content: impl Read, visit: &mut Visit<'_>) -> Result<(), TreeError> {
    let mut exact = Exact::new(&mut content, entry.size());
    let visited = visit(entry, &mut exact);
    exact.failure().map_err(|failure| match failure {
        Failure::Short => TreeError::changed(&entry.path),
        Failure::Read(error) => TreeError::read(&entry.path, error),
    })?;
    visited.map_err(TreeError::Visit)?;
    // A visitor that needs no content has read none of it.
    if exact.is_at_end() && has_more(&mut content).map_err(|error| TreeError::read(&entry.path, error))? {
        return Err(TreeError::changed(&entry.path));
    }
    Ok(())
}

fn has_more(content: &mut impl Read) -> io::Result<bool> {
    loop {
        match content.read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read.map(|count| count > 0),
        }
    }
}

impl Tree {
    /// Returns a builder for a tree that a program makes: from memory, or from readers that can be opened again.
    pub fn builder() -> TreeBuilder {
        TreeBuilder::default()
    }

    /// Builds a tree of plain files from paths and contents: the [`builder`](Self::builder) with mode 0644 for each.
    ///
    /// # Errors
    ///
    /// As [`TreeBuilder::build`].
    pub fn from_memory<'f>(files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> Result<Self, TreeError> {
        let add = |builder: TreeBuilder, (path, content)| builder.file(path, 0o644, content);
        files.into_iter().fold(Self::builder(), add).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = (String, u32, String);

    fn read(tree: &Tree) -> Result<Vec<Seen>, TreeError> {
        let mut seen = Vec::new();
        tree.visit(&mut |entry, content| {
            let mut text = String::new();
            content.read_to_string(&mut text)?;
            seen.push((String::from_utf8_lossy(&entry.path).into_owned(), entry.mode, text));
            Ok(())
        })?;
        Ok(seen)
    }

    fn refusal(built: Result<Tree, TreeError>) -> Refusal {
        match built {
            Err(TreeError::Refused { why, .. }) => why,
            other => panic!("not refused, but {other:?}"),
        }
    }

    #[test]
    fn what_goes_in_comes_out() {
        let tree = Tree::builder()
            .file("a/b/run", 0o100_755, "one")
            .directory("a", 0o500)
            .file_from("a/d", 0o640, 3, || Ok(&b"two"[..]))
            .link("a/l", "b/run")
            .file("e", 0o644, "")
            .build()
            .unwrap();
        let expected = [
            ("a", 0o700, ""),
            ("a/b", 0o755, ""),
            ("a/b/run", 0o755, "one"),
            ("a/d", 0o640, "two"),
            ("a/l", 0o777, ""),
            ("e", 0o644, ""),
        ];
        let expected = expected.map(|(path, mode, text)| (path.to_owned(), mode, text.to_owned()));
        // The second reading opens the reader again, and is checked against the first.
        for _ in 0..2 {
            assert_eq!(read(&tree).unwrap(), expected);
        }
        assert_eq!((tree.files(), tree.bytes()), (3, 6));
    }

    #[test]
    fn it_holds_to_the_rules_of_an_archive() {
        for path in ["", ".", "../a", "/a", "a//b", "a/./b", "a\0b", "previousVersion", "previousVersion/x"] {
            assert!(Tree::from_memory([(path, &b""[..])]).is_err(), "{path:?}");
            assert!(Tree::builder().directory(path, 0o755).build().is_err(), "{path:?}");
            assert!(Tree::builder().link(path, "x").build().is_err(), "{path:?}");
        }
        let file = |path: &str| Tree::builder().file(path, 0o644, "");
        assert_eq!(refusal(file("a").file("a/b", 0o644, "").build()), Refusal::Through);
        assert_eq!(refusal(file("a").file("a", 0o644, "").build()), Refusal::Duplicate);
        assert_eq!(refusal(file("a/b").file("a", 0o644, "").build()), Refusal::TwoKinds);
        assert_eq!(refusal(file("a/b").directory("a", 0o755).directory("a", 0o755).build()), Refusal::Duplicate);
        assert_eq!(refusal(Tree::builder().file("a", 0o4755, "").build()), Refusal::Setuid);
        for target in ["", "/etc/passwd", "..", "../x"] {
            assert!(Tree::builder().link("a", target).build().is_err(), "{target:?}");
        }
        let long = Tree::builder().file("a".repeat(256), 0o644, "").build();
        assert!(matches!(long, Err(TreeError::TooLarge { .. })), "{long:?}");
        let large = Tree::builder().file_from("a", 0o644, u64::MAX, || Ok(io::empty())).build();
        assert!(matches!(large, Err(TreeError::TooLarge { .. })), "{large:?}");
    }

    #[test]
    fn a_reader_of_another_size_or_content_has_changed() {
        use std::sync::atomic::{AtomicU8, Ordering};
        for content in [&b"12"[..], b"1234"] {
            let tree = Tree::builder().file_from("a", 0o644, 3, move || Ok(content)).build().unwrap();
            assert!(matches!(read(&tree), Err(TreeError::Changed { .. })), "{content:?}");
        }
        let turn = AtomicU8::new(b'0');
        let open = move || Ok(io::Cursor::new([turn.fetch_add(1, Ordering::Relaxed)]));
        let tree = Tree::builder().file_from("a", 0o644, 1, open).build().unwrap();
        tree.digest().unwrap();
        assert!(matches!(read(&tree), Err(TreeError::Changed { .. })));
        let closed = || Err::<io::Empty, _>(io::Error::from(io::ErrorKind::PermissionDenied));
        let tree = Tree::builder().file_from("a", 0o644, 1, closed).build().unwrap();
        assert!(matches!(read(&tree), Err(TreeError::Read { .. })));
    }
}
