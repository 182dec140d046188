//! Verification that the symlinks of a tree stay inside it.

use std::collections::HashMap;

use super::{
    Node, TreeEntry, TreeError,
    entry_path::split_last,
    error::{Refusal, shown},
};

/// The maximum number of names to walk, with all intermediate symlinks, before a symlink counts as a cycle.
const STEPS: usize = 1024;

/// Refuses every symlink among `entries` that leads out of the release, or could.
///
/// Resolves each symlink on paper, from its directory and through the other symlinks of the tree, as a host would. A
/// dangling symlink is fine as long as it stays inside.
pub(super) fn check(entries: &[TreeEntry]) -> Result<(), TreeError> {
    let links = || entries.iter().filter_map(|entry| link_target(&entry.node).map(|target| (entry, target)));
    if links().next().is_none() {
        return Ok(());
    }
    let nodes = entries.iter().map(|entry| (&entry.path[..], &entry.node)).collect();
    links().try_for_each(|(entry, target)| {
        follow(&nodes, &entry.path, target).map_err(|why| TreeError::refused(&entry.path, why))
    })
}

fn link_target(node: &Node) -> Option<&[u8]> {
    if let Node::Link { target } = node { Some(target) } else { None }
}

type Nodes<'t> = HashMap<&'t [u8], &'t Node>;

/// Resolves the symlink at `path` to its end.
fn follow<'t>(nodes: &Nodes<'t>, path: &[u8], target: &'t [u8]) -> Result<(), Refusal> {
    check_text(target)?;
    let mut place = split_last(path).0.to_vec();
    // The texts still to be walked, that of the innermost symlink last.
    let mut ahead = vec![target];
    for _ in 0..STEPS {
        let Some(name) = next_name(&mut ahead) else { return Ok(()) };
        if name == b".." {
            go_up(nodes, &mut place, target)?;
        } else if let Some(through) = go_down(nodes, &mut place, name) {
            check_text(through)?;
            place.truncate(split_last(&place).0.len());
            ahead.push(through);
        }
    }
    Err(Refusal::LinkUnclear { target: shown(target) })
}

fn check_text(target: &[u8]) -> Result<(), Refusal> {
    match target {
        [] => Err(Refusal::LinkEmpty),
        [b'/', ..] => Err(Refusal::LinkAbsolute { target: shown(target) }),
        _ if target.contains(&0) => Err(Refusal::Nul),
        _ => Ok(()),
    }
}

/// Takes the next name other than an empty one or `.`.
fn next_name<'t>(ahead: &mut Vec<&'t [u8]>) -> Option<&'t [u8]> {
    while let Some(text) = ahead.last_mut() {
        let end = text.iter().position(|byte| *byte == b'/');
        let (name, rest) = end.map_or((*text, None), |end| (&text[..end], Some(&text[end + 1..])));
        match rest {
            Some(rest) => *text = rest,
            None => drop(ahead.pop()),
        }
        if !matches!(name, b"" | b".") {
            return Some(name);
        }
    }
    None
}

/// Moves `place` to its parent. `place` must be a directory of the tree: a path that does not exist yet may
/// become a symlink out of the tree one day, and `..` from there leads elsewhere.
fn go_up(nodes: &Nodes<'_>, place: &mut Vec<u8>, target: &[u8]) -> Result<(), Refusal> {
    if place.is_empty() {
        return Err(Refusal::LinkEscapes { target: shown(target) });
    }
    if !matches!(nodes.get(&place[..]), Some(Node::Directory)) {
        return Err(Refusal::LinkUnclear { target: shown(target) });
    }
    place.truncate(split_last(place).0.len());
    Ok(())
}

/// Moves `place` down to `name`; returns the target if that is a symlink.
fn go_down<'t>(nodes: &Nodes<'t>, place: &mut Vec<u8>, name: &[u8]) -> Option<&'t [u8]> {
    if !place.is_empty() {
        place.push(b'/');
    }
    place.extend_from_slice(name);
    nodes.get(&place[..]).and_then(|node| link_target(node))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds a tree of directories (`a/`), files (`a`) and symlinks (`a -> b`).
    fn tree(lines: &[&str]) -> Vec<TreeEntry> {
        let entry = |line: &&str| {
            if let Some((path, target)) = line.split_once(" -> ") {
                TreeEntry::new(path.into(), 0o777, Node::Link { target: target.into() })
            } else if let Some(path) = line.strip_suffix('/') {
                TreeEntry::new(path.into(), 0o755, Node::Directory)
            } else {
                TreeEntry::new((*line).into(), 0o644, Node::File { size: 0 })
            }
        };
        lines.iter().map(entry).collect()
    }

    fn refusal(lines: &[&str]) -> Option<Refusal> {
        match check(&tree(lines)) {
            Ok(()) => None,
            Err(TreeError::Refused { why, .. }) => Some(why),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn links_that_stay_inside_are_kept() {
        for lines in [
            &["a -> b"][..],
            &["a -> ."],
            &["d/", "d/l -> .."],
            &["d/", "d/e/", "d/e/l -> ../../f"],
            &["d/", "d/e/", "short -> d/e", "d/e/l -> ../x", "l -> short/../x"],
            &["node_modules/", "node_modules/.bin/", "node_modules/.bin/x -> ../x/cli.js"],
            &["a -> gone/away", "b -> a"],
            &["a -> ./d//e/", "d/"],
        ] {
            assert_eq!(refusal(lines), None, "{lines:?}");
        }
    }

    /// Refuses symlinks out of the release, alone and combined with other symlinks. FAULTS.md A13.
    #[test]
    fn links_that_leave_are_refused() {
        assert_eq!(refusal(&["a -> /etc/passwd"]), Some(Refusal::LinkAbsolute { target: "/etc/passwd".into() }));
        assert_eq!(refusal(&["a -> "]), Some(Refusal::LinkEmpty));
        assert_eq!(refusal(&["a -> b\0c"]), Some(Refusal::Nul));
        for lines in [
            &["a -> .."][..],
            &["a -> ../releases/x"],
            &["d/", "d/l -> ../.."],
            &["d/", "d/l -> ../d/../../x"],
            // Each stays inside when read alone; together they do not.
            &["d/", "d/e/", "deep -> d/e", "up -> deep/../../.."],
            &["d/", "d/top -> ..", "l -> d/top/../x"],
        ] {
            assert!(matches!(refusal(lines), Some(Refusal::LinkEscapes { .. })), "{lines:?}");
        }
    }

    #[test]
    fn links_that_cannot_be_followed_on_paper_are_refused() {
        for lines in
            [&["a -> b", "b -> a"][..], &["a -> a"], &["a -> a/x"], &["a -> storage/../x"], &["file", "a -> file/../x"]]
        {
            assert!(matches!(refusal(lines), Some(Refusal::LinkUnclear { .. })), "{lines:?}");
        }
    }
}
