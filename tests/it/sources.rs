//! Sources of releases, honest and hostile, through the library. Tests are called after their rows. FAULTS.md
//! A01 to A15.
#![expect(clippy::unwrap_used, reason = "what helps a test may panic as the test itself may")]

mod cache;
mod changes;
mod contents;
mod cuts;
mod entries;
mod limits;
mod links;
mod maker;
mod properties;

use std::{fs, path::Path};

use camino::{Utf8Path, Utf8PathBuf};
use switchback::tree::{Node, Refusal, Tree, TreeError};
use tempfile::TempDir;

/// A directory for one test.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).unwrap()
    }

    /// Writes a file, and creates the directories above it.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Utf8PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Opens an archive with these bytes.
    fn open(&self, archive: impl AsRef<[u8]>) -> Result<Tree, TreeError> {
        Tree::open(&self.write("source.tar", archive))
    }
}

/// Returns the rule for which a source was refused.
fn refusal(result: Result<Tree, TreeError>) -> Refusal {
    match result {
        Err(TreeError::Refused { why, .. }) => why,
        other => panic!("not refused, but {other:?}"),
    }
}

/// A path and its content: `None` for a directory, the target of a symlink.
type Seen = (String, Option<Vec<u8>>);

/// Visits the tree, and returns every entry with its content.
fn seen(tree: &Tree) -> Result<Vec<Seen>, TreeError> {
    let mut seen = Vec::new();
    tree.visit(&mut |entry, reader| {
        let mut content = Vec::new();
        reader.read_to_end(&mut content)?;
        let content = match &entry.node {
            Node::Directory => None,
            Node::File { .. } => Some(content),
            Node::Link { target } => Some(target.clone()),
        };
        seen.push((entry.path.escape_ascii().to_string(), content));
        Ok(())
    })?;
    Ok(seen)
}

fn paths(tree: &Tree) -> Vec<String> {
    tree.entries().iter().map(|entry| entry.path.escape_ascii().to_string()).collect()
}

fn symlink(target: &str, at: &Utf8Path) {
    std::os::unix::fs::symlink(Path::new(target), at).unwrap();
}
