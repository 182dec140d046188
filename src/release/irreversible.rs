//! The marker file of a release whose data cannot be reverted.

use std::io::{self, Read};

use crate::limits;
use crate::tree::{Node, Tree};

/// The file at the top of a release whose presence says that its data cannot be reverted. Its text is the
/// reason.
const FILE: &[u8] = b".switchback-irreversible";

/// Returns the reason why the data of this content cannot be reverted; `None` without a marker file.
pub(super) fn reason(tree: &Tree) -> Option<String> {
    tree.entries().iter().find(|entry| entry.path == FILE && matches!(entry.node, Node::File { .. }))?;
    let mut said = None;
    let visited = tree.visit(&mut |entry, content| {
        if entry.path != FILE {
            return Ok(());
        }
        let mut text = Vec::new();
        content.take(limits::IRREVERSIBLE).read_to_end(&mut text)?;
        said = Some(String::from_utf8_lossy(&text).trim().to_owned());
        // An error ends the visit early: the other entries are not needed.
        Err(io::Error::other("read"))
    });
    let unread = || visited.err().map(|error| format!("the release says so, but its reason cannot be read: {error}"));
    let said = said.or_else(unread).unwrap_or_default();
    Some(if said.is_empty() { "the release says so, without a reason".to_owned() } else { said })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason_of(files: &[(&str, &str)]) -> Option<String> {
        let files = files.iter().map(|(path, text)| (*path, text.as_bytes()));
        reason(&Tree::from_memory(files).expect("a tree"))
    }

    #[test]
    fn the_file_says_why() {
        let file = ".switchback-irreversible";
        assert_eq!(reason_of(&[("a", "x"), (file, "drops a table\n"), ("z", "y")]), Some("drops a table".into()));
        assert!(reason_of(&[(file, "")]).is_some_and(|reason| reason.contains("without a reason")));
        assert_eq!(reason_of(&[("a/.switchback-irreversible", "no")]), None);
    }
}
