//! Trees made in memory, for tests and for those who make content themselves.

use std::sync::Arc;

use super::{Content, Node, Tree, TreeEntry, TreeError, Visit};

/// The content of each entry, empty for what is no file.
#[derive(Debug)]
struct Memory(Vec<Vec<u8>>);

impl Content for Memory {
    fn read(&self, entries: &[TreeEntry], visit: &mut Visit<'_>) -> Result<(), TreeError> {
        entries
            .iter()
            .zip(&self.0)
            .try_for_each(|(entry, content)| visit(entry, &mut &content[..]))
            .map_err(TreeError::Visit)
    }
}

impl Tree {
    /// A tree of files in memory: path (names joined by `/`) and content. Directories are made where paths need them;
    /// files have mode 0644, directories 0755.
    #[must_use]
    pub fn from_memory<'f>(files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> Self {
        let mut entries: Vec<TreeEntry> = Vec::new();
        let mut contents = Vec::new();
        for (path, content) in files {
            for (end, _) in path.match_indices('/') {
                let directory = path.as_bytes()[..end].to_vec();
                if entries.iter().all(|entry| entry.path != directory) {
                    entries.push(TreeEntry { path: directory, mode: 0o755, node: Node::Directory });
                    contents.push(Vec::new());
                }
            }
            entries.push(TreeEntry { path: path.into(), mode: 0o644, node: Node::File { size: content.len() as u64 } });
            contents.push(content.to_vec());
        }
        Self::new(entries, Arc::new(Memory(contents)))
    }
}
