//! Trees in memory, for tests and for callers that generate content.

use std::sync::Arc;

use super::{
    Content, Limits, Node, Tree, TreeEntry, TreeError, Visit, Wanted, entry_path::checked, error::Refusal,
    inventory::Inventory,
};

/// The content of each entry; empty for anything but a file.
#[derive(Debug)]
struct Memory(Vec<Vec<u8>>);

impl Content for Memory {
    fn read(&self, entries: &[TreeEntry], _: &Wanted<'_>, visit: &mut Visit<'_>) -> Result<(), TreeError> {
        entries
            .iter()
            .zip(&self.0)
            .try_for_each(|(entry, content)| visit(entry, &mut &content[..]))
            .map_err(TreeError::Visit)
    }
}

impl Tree {
    /// Builds a tree from paths (names joined by `/`) and contents. Creates directories where paths need them; files
    /// have mode 0644, directories 0755.
    ///
    /// # Errors
    ///
    /// [`TreeError::Refused`] and [`TreeError::TooLarge`], as for an archive.
    pub fn from_memory<'f>(files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> Result<Self, TreeError> {
        let limits = Limits::default();
        let mut inventory = Inventory::new(&limits);
        let mut contents = Vec::new();
        for (path, content) in files {
            let refuse = |why| TreeError::refused(path.as_bytes(), why);
            let path = checked(path.as_bytes()).and_then(|path| path.ok_or(Refusal::EmptyName)).map_err(refuse)?;
            let node = Node::File { size: content.len() as u64 };
            let index = inventory.place(TreeEntry::new(path.to_vec(), 0o644, node))?;
            // The implied directories in between have no content.
            contents.resize(index, Vec::new());
            contents.push(content.to_vec());
        }
        Ok(Self::new(inventory.finish()?, Arc::new(Memory(contents))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let tree = Tree::from_memory([("a/b/c", &b"one"[..]), ("a/d", b"two"), ("e", b"")]).unwrap();
        let mut seen = Vec::new();
        tree.visit(&mut |entry, content| {
            let mut text = String::new();
            content.read_to_string(&mut text)?;
            seen.push((String::from_utf8_lossy(&entry.path).into_owned(), text));
            Ok(())
        })
        .unwrap();
        let expected = [("a", ""), ("a/b", ""), ("a/b/c", "one"), ("a/d", "two"), ("e", "")];
        assert_eq!(seen, expected.map(|(path, text)| (path.to_owned(), text.to_owned())));
        assert_eq!((tree.files(), tree.bytes()), (3, 6));
    }

    #[test]
    fn it_holds_to_the_rules_of_an_archive() {
        for path in ["", ".", "../a", "/a", "a//b", "previousVersion"] {
            assert!(Tree::from_memory([(path, &b""[..])]).is_err(), "{path:?}");
        }
        assert!(Tree::from_memory([("a", &b""[..]), ("a/b", b"")]).is_err());
    }
}
