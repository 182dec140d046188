//! Parses a host's survey of a tree.

use std::collections::{HashMap, HashSet};

use crate::manifest::{Digest, MAX_DEPTH, Seen, Surveyed};

use super::reply::Misfit;

/// The prefix of every name in a survey.
///
/// No name contains it. It distinguishes the second line of a name with a newline from the next entry.
const TOP: &[u8] = b".//./";

/// Parses the entries in `all`, with the texts of symlinks in `links` and the digests in `sums`.
///
/// `None` when the host could not list everything.
pub(super) fn read(all: &[u8], links: &[u8], sums: Option<&[u8]>) -> Result<Option<Vec<Surveyed>>, Misfit> {
    let Some(all) = ended(all)? else { return Ok(None) };
    let Some(mut links) = ended(links)? else { return Ok(None) };
    // A file that could not be read has no digest.
    let sums = sums.map(|sums| digests(without_end(sums)?.0)).transpose()?;
    let mut seen = Vec::new();
    for Raw { mode, owner, size, path } in entries(all)? {
        let node = match mode & 0o170_000 {
            0o040_000 => Seen::Directory,
            0o100_000 => {
                let digest = sums.as_ref().and_then(|sums| sums.get(&path)).copied();
                Seen::File { size, digest }
            }
            0o120_000 => Seen::Link { target: target(&mut links, &path, size)? },
            _ => Seen::Other,
        };
        seen.push(Surveyed { path, mode: mode & 0o7777, owner, node });
    }
    if links.is_empty() { Ok(Some(cut(seen))) } else { Err(Misfit) }
}

/// Drops entries nested too deep, and marks the directories that hold them.
fn cut(mut seen: Vec<Surveyed>) -> Vec<Surveyed> {
    let is_deep = |entry: &Surveyed| entry.path.split(|byte| *byte == b'/').nth(MAX_DEPTH + 1).is_some();
    let above = |entry: Surveyed| Some(entry.path[..entry.path.iter().rposition(|byte| *byte == b'/')?].to_vec());
    let deep: HashSet<Vec<u8>> = seen.extract_if(.., |entry| is_deep(entry)).filter_map(above).collect();
    for entry in seen.iter_mut().filter(|entry| deep.contains(&entry.path)) {
        entry.node = Seen::TooDeep;
    }
    seen
}

/// Splits off the last line, which holds the exit status of a `find`.
fn without_end(part: &[u8]) -> Result<(&[u8], &[u8]), Misfit> {
    let part = part.strip_suffix(b"\n").ok_or(Misfit)?;
    let start = part.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    Ok(part.split_at(start))
}

/// Returns the output of a `find` that succeeded.
fn ended(part: &[u8]) -> Result<Option<&[u8]>, Misfit> {
    let (printed, status) = without_end(part)?;
    Ok((status == b"0").then_some(printed))
}

/// An entry in the format of `stat`.
struct Raw {
    mode: u32,
    owner: u32,
    size: u64,
    path: Vec<u8>,
}

fn entries(all: &[u8]) -> Result<Vec<Raw>, Misfit> {
    let mut entries: Vec<Raw> = Vec::new();
    for line in all.split_inclusive(|byte| *byte == b'\n') {
        match (first_line(line), entries.last_mut()) {
            (Some(entry), _) => entries.push(entry),
            (None, Some(Raw { path, .. })) => path.extend_from_slice(line),
            (None, None) => return Err(Misfit),
        }
    }
    for Raw { path, .. } in &mut entries {
        path.pop_if(|byte| *byte == b'\n').ok_or(Misfit)?;
    }
    Ok(entries)
}

fn first_line(line: &[u8]) -> Option<Raw> {
    let mut words = line.splitn(4, |byte| *byte == b' ');
    let mut word = || std::str::from_utf8(words.next()?).ok();
    let mode = u32::from_str_radix(word()?, 16).ok()?;
    let (owner, size) = (word()?.parse().ok()?, word()?.parse().ok()?);
    Some(Raw { mode, owner, size, path: words.next()?.strip_prefix(TOP)?.to_vec() })
}

/// Takes the text of the symlink at `path`, of `size` bytes, from the output of `stat` for all symlinks.
///
/// The format is the name, with or without quotes, an arrow, and the text, likewise.
fn target(links: &mut &[u8], path: &[u8], size: u64) -> Result<Vec<u8>, Misfit> {
    let size = usize::try_from(size).map_err(|_| Misfit)?;
    let name = [TOP, path].concat();
    let quote = |text: &[u8]| usize::from(matches!(text.first(), Some(b'\'' | b'`' | b'"')));
    let rest = links.get(quote(links)..).and_then(|rest| rest.strip_prefix(&name[..])).ok_or(Misfit)?;
    let rest = rest.get(quote(rest)..).and_then(|rest| rest.strip_prefix(b" -> ")).ok_or(Misfit)?;
    // After an unquoted text the line ends, and the next one begins with a name: a quote there belongs to the
    // text.
    let is_quoted = quote(rest) == 1 && rest.get(size + 1..).is_some_and(|end| quote(end) == 1);
    let start = usize::from(is_quoted);
    if let (Some(text), Some(b'\n')) = (rest.get(start..start + size), rest.get(size + 2 * start)) {
        *links = &rest[size + 2 * start + 1..];
        return Ok(text.to_vec());
    }
    Err(Misfit)
}

/// Parses the output of `sha256sum`, which may begin a line with an escaped name with a backslash.
fn digests(sums: &[u8]) -> Result<HashMap<Vec<u8>, Digest>, Misfit> {
    let mut all: Vec<(Digest, bool, Vec<u8>)> = Vec::new();
    for line in sums.split_inclusive(|byte| *byte == b'\n') {
        match (sum(line), all.last_mut()) {
            (Some(sum), _) => all.push(sum),
            (None, Some((.., path))) => path.extend_from_slice(line),
            (None, None) => return Err(Misfit),
        }
    }
    let named = all.into_iter().map(|(digest, is_escaped, mut path)| {
        path.pop_if(|byte| *byte == b'\n').ok_or(Misfit)?;
        Ok((if is_escaped { unescaped(&path) } else { path }, digest))
    });
    named.collect()
}

fn sum(line: &[u8]) -> Option<(Digest, bool, Vec<u8>)> {
    let (is_escaped, line) = line.strip_prefix(b"\\").map_or((false, line), |line| (true, line));
    let (digest, rest) = line.split_at_checked(64)?;
    let name = rest.strip_prefix(b"  ").or_else(|| rest.strip_prefix(b" *"))?.strip_prefix(TOP)?;
    Some((std::str::from_utf8(digest).ok()?.parse().ok()?, is_escaped, name.to_vec()))
}

fn unescaped(path: &[u8]) -> Vec<u8> {
    let (mut bytes, mut plain) = (path.iter(), Vec::new());
    while let Some(byte) = bytes.next() {
        plain.push(match (byte, byte == &b'\\') {
            (_, true) => match bytes.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(other) => *other,
                None => b'\\',
            },
            (other, false) => *other,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn names_may_look_like_answers() {
        let forged = "a\n41ed 0 4 ./x\n\\".to_owned();
        let all = format!("41ed 7 60 .//./d\n81a4 0 3 .//./d/{forged}\na1ff 0 5 .//./l\n1180 0 0 .//./p\n0\n");
        for links in ["'.//./l' -> 'a\nb -'\n0\n", ".//./l -> a\nb -\n0\n", ".//./l -> 'a\nb -'\n0\n"] {
            let sums = format!("\\{SUM}  .//./d/a\\n41ed 0 4 ./x\\n\\\\\n1\n");
            let raw = format!("{SUM}  .//./d/{forged}\n0\n");
            for sums in [sums, raw] {
                let seen =
                    read(all.as_bytes(), links.as_bytes(), Some(sums.as_bytes())).expect("it fits").expect("whole");
                let names: Vec<_> =
                    seen.iter().map(|entry| String::from_utf8_lossy(&entry.path).into_owned()).collect();
                assert_eq!(names, ["d", &format!("d/{forged}"), "l", "p"]);
                assert_eq!(seen[1].node, Seen::File { size: 3, digest: Some(Digest::of(b"abc")) });
                assert_eq!(seen[2].node, Seen::Link { target: b"a\nb -".to_vec() });
                assert_eq!((seen[0].mode, seen[0].owner, &seen[3].node), (0o755, 7, &Seen::Other));
            }
        }
    }

    #[test]
    fn texts_of_links_may_look_like_quotes() {
        for text in ["\n", "'", "'x'", "'\n", "'\n.//./m -> x", "x"] {
            let all = format!("a1ff 0 {} .//./l\na1ff 0 1 .//./m\n0\n", text.len());
            for links in
                [format!(".//./l -> {text}\n.//./m -> y\n0\n"), format!("'.//./l' -> '{text}'\n'.//./m' -> 'y'\n0\n")]
            {
                let seen = read(all.as_bytes(), links.as_bytes(), None).expect("it fits").expect("whole");
                let targets = [text, "y"].map(|text| Seen::Link { target: text.into() });
                assert_eq!(seen.into_iter().map(|entry| entry.node).collect::<Vec<_>>(), targets, "{links}");
            }
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_left_out() {
        let path = |names: usize| ["d"; 300][..names].join("/");
        let line = |names| format!("41ed 0 60 .//./{}\n", path(names));
        let seen = read(format!("{}{}{}0\n", line(256), line(257), line(258)).as_bytes(), b"0\n", None);
        let seen = seen.expect("it fits").expect("whole");
        let nodes: Vec<_> = seen.iter().map(|entry| (entry.path.len(), &entry.node)).collect();
        assert_eq!(nodes, [(511, &Seen::Directory), (513, &Seen::TooDeep)]);
    }

    #[test]
    fn what_does_not_fit_is_none() {
        for (all, links) in
            [("", "0\n"), ("x\n0\n", "0\n"), ("0\n", ".//./l -> a\n0\n"), ("a1ff 0 1 .//./l\n0\n", "0\n")]
        {
            assert_eq!(read(all.as_bytes(), links.as_bytes(), None), Err(Misfit), "{all} {links}");
        }
        assert_eq!(read(b"41ed 0 60 .//./d\n1\n", b"0\n", None), Ok(None), "it could not list all");
    }
}
