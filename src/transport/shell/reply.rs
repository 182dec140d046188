//! Parses the replies of a host into [`Reply`]s.

use std::{collections::BTreeMap, str::FromStr};

use crate::{
    path::InnerPath,
    time::Timestamp,
    transport::{
        Changes, Compared, Comparison, Entry, EntryKind, FailureKind, FileId, FilesystemKind, Found, Group, GroupPlace,
        HostIdentity, Listed, Liveness, Op, OwnedFile, Passed, Reply, Snapped, StepFailure, Used, Users,
        compare::Expected,
    },
};

use super::{
    chain, compare,
    script::{reach, ways_down},
    survey,
};

/// The limit on the detail of a failure, in characters.
const DETAIL: usize = 1000;

/// The error for a reply that does not fit its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reply does not match the request")]
pub(super) struct Misfit;

/// Parses the reply to `op` from `words` (those after the step's index) and `values`.
///
/// # Errors
///
/// [`Misfit`] when they are not a reply to `op`; the inner error when the step failed.
pub(super) fn reply(op: &Op, words: &[&str], values: &[Vec<u8>]) -> Result<Result<Reply, StepFailure>, Misfit> {
    if let Ok(failure) = failed(words, values) {
        return Ok(Err(failure));
    }
    if let (Op::Survey { digests, .. }, ["survey"], [all, links, sums]) = (op, words, values) {
        let seen = survey::read(all, links, digests.then_some(&sums[..]))?;
        let failure = || StepFailure::new(FailureKind::Io, "a part of it could not be listed, or changed meanwhile");
        return Ok(seen.map(|seen| Reply::Survey(Some(seen))).ok_or_else(failure));
    }
    answer(op, words, values).map(Ok)
}

/// Parses the kind of a filesystem from hex. Where a word has 32 bits, `stat` may print it sign-extended to 64.
fn filesystem(kind: &str) -> Option<FilesystemKind> {
    let kind = u64::from_str_radix(kind, 16).ok()? & 0xffff_ffff;
    u32::try_from(kind).ok().map(FilesystemKind)
}

fn answer(op: &Op, words: &[&str], values: &[Vec<u8>]) -> Result<Reply, Misfit> {
    Ok(match (op, words, values) {
        (Op::Identify, ["identity", uid, device, inode, clock, kind, boot], [user, hostname]) => {
            Reply::Identity(HostIdentity {
                user: lossy(user),
                uid: number(uid)?,
                hostname: lossy(hostname),
                boot: (*boot != "-").then(|| (*boot).to_owned()),
                root: FileId { device: number(device)?, inode: number(inode)? },
                filesystem: filesystem(kind),
                clock: timestamp(clock)?,
            })
        }
        (Op::Clock, ["clock", clock], []) => Reply::Clock(timestamp(clock)?),
        (Op::Inspect { .. } | Op::Resolve { .. }, ["entry", "-"], []) => Reply::Entry(None),
        (Op::Inspect { .. } | Op::Resolve { .. }, ["entry", stat @ ..], []) => Reply::Entry(Some(entry(stat)?)),
        (Op::ReadLink { .. }, ["link", "-"], []) => Reply::Link(None),
        (Op::ReadLink { .. }, ["link"], [text]) => Reply::Link(Some(text.clone())),
        (Op::Read { .. } | Op::ReadEnd { .. }, ["file", "-"], []) => Reply::Content(None),
        (Op::Read { limit, .. }, ["file", "ok"], [content]) => Reply::Content(Some(found(content, *limit))),
        (Op::ReadEnd { .. }, ["file", "ok"], [content]) => Reply::Content(Some(Found::Content(content.clone()))),
        (Op::Read { .. } | Op::ReadEnd { .. }, ["file", kind], []) => Reply::Content(Some(not_read(kind)?)),
        (Op::List { .. }, ["list", "-"], []) => Reply::Listing(None),
        (Op::List { .. }, ["list"], [names, stats]) => Reply::Listing(Some(listing(names, stats)?)),
        (Op::ReadEach { limit, .. }, ["each"], [names, kinds, sizes, contents]) => {
            Reply::Contents(each(*limit, names, kinds, sizes, contents)?)
        }
        (Op::ReadChain { record, files, .. }, ["chain"], [names, kinds, stats, contents]) => {
            Reply::Chain(chain::read(record, files, [names, kinds, stats, contents])?)
        }
        (Op::Survey { .. }, ["survey", "-"], []) => Reply::Survey(None),
        (Op::CompareTree { .. }, ["compare", "-", "no-tree"], []) => {
            Reply::Comparison(Comparison { tree: None, found: Compared::NoTree })
        }
        (Op::CompareTree { contents, owners, except, .. }, ["compare", found @ ..], [name, values @ ..]) => {
            let expected = Expected { contents: *contents, owners: owners.as_deref(), except, for_group: false };
            Reply::Comparison(Comparison { tree: Some(lossy(name)), found: compare::read(&expected, found, values)? })
        }
        (Op::Changes { .. }, ["changes", "-"], []) => Reply::Changes(None),
        (Op::Changes { .. }, ["changes", "ok"], []) => Reply::Changes(Some(Changes::default())),
        (Op::Changes { .. }, ["changes"], [before, all, links, sums]) => {
            let before = before.split(|byte| *byte == b'\n').filter_map(Snapped::read).collect();
            let now = survey::read(all, links, Some(sums))?.ok_or(Misfit)?;
            Reply::Changes(Some(Changes { before, now }))
        }
        (Op::CheckProcess { .. }, ["process", state], []) => Reply::Process(liveness(state)?),
        (Op::FindUsers { .. }, ["users", seen], [names]) => Reply::Users(users(seen, names)?),
        (Op::InspectWay { paths }, ["way"], [root, there, stats]) => Reply::Way(way(paths, root, there, stats)?),
        (Op::InspectGroup { .. }, ["group", "-"], []) => Reply::Group(None),
        (Op::InspectGroup { paths, .. }, ["group", id, ours], [members, places]) => {
            Reply::Group(Some(group(paths.len(), [id, ours], members, places)?))
        }
        (op, ["done"], []) if answers_done(op) => Reply::Done,
        _ => return Err(Misfit),
    })
}

fn answers_done(op: &Op) -> bool {
    let expects = matches!(
        op,
        Op::ExpectAbsent { .. }
            | Op::ExpectUnmounted { .. }
            | Op::ExpectDirectory { .. }
            | Op::ExpectLink { .. }
            | Op::ExpectWritable { .. }
    );
    op.changes() || expects || matches!(op, Op::Sync { .. })
}

/// Parses a failure: its kind or, for `-`, the kind in a utility's message.
pub(super) fn failed(words: &[&str], values: &[Vec<u8>]) -> Result<StepFailure, Misfit> {
    let (["fail", kind], [detail]) = (words, values) else { return Err(Misfit) };
    let text = String::from_utf8_lossy(detail);
    let kind = match *kind {
        "exists" => FailureKind::Exists,
        "missing" => FailureKind::Missing,
        "mismatch" => FailureKind::Mismatch,
        "wrong-type" => FailureKind::WrongType,
        "denied" => FailureKind::Denied,
        "cross-device" => FailureKind::CrossDevice,
        _ => classify(&text),
    };
    let end = text.char_indices().nth(DETAIL).map_or(text.len(), |(end, _)| end);
    Ok(StepFailure::new(kind, text[..end].replace('\n', " / ")))
}

/// Classifies a utility's message. Its last part is the text of `strerror(3)`; a file's name may be any text.
fn classify(message: &str) -> FailureKind {
    let last = |line: &str| FailureKind::from_message(line.rsplit(": ").next().unwrap_or(line));
    let known = message.lines().map(last).find(|kind| *kind != FailureKind::Io);
    known.unwrap_or_else(|| FailureKind::from_message(&capitalised(message)))
}

/// Capitalises the second part: zsh writes `sh:3: permission denied: ./x`, with the error in lower case and
/// first.
fn capitalised(message: &str) -> String {
    let words = message.split(": ").nth(1).unwrap_or("");
    let (first, rest) = words.split_at_checked(1).unwrap_or(("", words));
    first.to_uppercase() + rest
}

/// Parses a group, its members as `ID/ID/`, and its directories as `OWNER,GROUP,MODE/`, with `-/` for a missing
/// one.
fn group(count: usize, [id, ours]: [&str; 2], members: &[u8], places: &[u8]) -> Result<Group, Misfit> {
    let parts = |text: &[u8]| -> Result<Vec<String>, Misfit> {
        let text = std::str::from_utf8(text).map_err(|_| Misfit)?;
        Ok(text.split_terminator('/').map(str::to_owned).collect())
    };
    let place = |text: &String| match text.split(',').collect::<Vec<_>>()[..] {
        ["-"] => Ok(None),
        [owner, group, mode] => {
            let mode = u32::from_str_radix(mode, 16).map_err(|_| Misfit)? & 0o7777;
            Ok(Some(GroupPlace { owner: number(owner)?, group: number(group)?, mode }))
        }
        _ => Err(Misfit),
    };
    let places = parts(places)?.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let members = parts(members)?.iter().map(|id| number(id)).collect::<Result<_, _>>()?;
    if places.len() == count {
        Ok(Group { id: number(id)?, is_ours: ours == "1", members, places })
    } else {
        Err(Misfit)
    }
}

fn number<N: FromStr>(text: &str) -> Result<N, Misfit> {
    text.parse().map_err(|_| Misfit)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Parses the output of `date +%s.%N`; a `date` without `%N` prints it literally.
fn timestamp(text: &str) -> Result<Timestamp, Misfit> {
    let (seconds, nanoseconds) = text.split_once('.').unwrap_or((text, "0"));
    Timestamp::from_unix(number(seconds)?, nanoseconds.parse().unwrap_or(0)).ok_or(Misfit)
}

/// Parses the output of `stat -c '%f %u %d %i %s %Y'`.
pub(super) fn entry(stat: &[&str]) -> Result<Entry, Misfit> {
    let [mode, owner, device, inode, size, modified] = stat else { return Err(Misfit) };
    let mode = u32::from_str_radix(mode, 16).map_err(|_| Misfit)?;
    Ok(Entry {
        kind: match mode & 0o170_000 {
            0o040_000 => EntryKind::Directory,
            0o100_000 => EntryKind::File,
            0o120_000 => EntryKind::Link,
            _ => EntryKind::Other,
        },
        mode: mode & 0o7777,
        owner: number(owner)?,
        id: FileId { device: number(device)?, inode: number(inode)? },
        size: number(size)?,
        modified: number(modified)?,
    })
}

fn found(content: &[u8], limit: u64) -> Found {
    if content.len() as u64 > reach(limit) { Found::TooLarge } else { Found::Content(content.to_vec()) }
}

/// The word for a file beyond its limit that was not read. Hosts do not send it.
pub(super) const TOO_LARGE: &str = "too-large";

pub(super) fn not_read(kind: &str) -> Result<Found, Misfit> {
    Ok(match kind {
        "directory" => Found::NotAFile(EntryKind::Directory),
        "link" => Found::NotAFile(EntryKind::Link),
        "other" => Found::NotAFile(EntryKind::Other),
        "denied" => Found::Unreadable(StepFailure::new(FailureKind::Denied, "Permission denied")),
        TOO_LARGE => Found::TooLarge,
        "failed" => Found::Unreadable(StepFailure::new(FailureKind::Io, "reading it failed")),
        _ => return Err(Misfit),
    })
}

/// Parses names and process ids, each followed by a `/`.
fn users(seen: &str, words: &[u8]) -> Result<Users, Misfit> {
    let words: Vec<&[u8]> = names(words).collect();
    let mut used = BTreeMap::new();
    for pair in words.chunks(2) {
        let [name, process] = pair else { return Err(Misfit) };
        let process = std::str::from_utf8(process).map_err(|_| Misfit).and_then(number)?;
        used.entry(name.to_vec()).or_insert(process);
    }
    let used = used.into_iter().map(|(name, process)| Used { name, process }).collect();
    Ok(Users { used, all_seen: seen == "all" })
}

/// Returns the directories from `/` down to `root`, and those of `paths` that are `y` in `there`.
fn way(paths: &[InnerPath], root: &[u8], there: &[u8], stats: &[u8]) -> Result<Vec<Passed>, Misfit> {
    let root = lossy(root);
    let mut places = vec!["/".to_owned()];
    places.extend(root.match_indices('/').skip(1).map(|(end, _)| root[..end].to_owned()));
    places.push(root.clone());
    let below: Vec<InnerPath> = paths.iter().flat_map(ways_down).collect();
    if below.len() != there.len() {
        return Err(Misfit);
    }
    let found = below.iter().zip(there).filter(|(_, there)| **there == b'y');
    places.extend(found.map(|(path, _)| format!("{root}/{path}")));
    let stats = std::str::from_utf8(stats).map_err(|_| Misfit)?;
    let entries =
        stats.lines().map(|line| entry(&line.split(' ').collect::<Vec<_>>())).collect::<Result<Vec<_>, _>>()?;
    if entries.len() != places.len() {
        return Err(Misfit);
    }
    Ok(places.into_iter().zip(entries).map(|(path, entry)| Passed { path, entry }).collect())
}

fn liveness(state: &str) -> Result<Liveness, Misfit> {
    Ok(match state {
        "alive" => Liveness::Alive,
        "gone" => Liveness::Gone,
        "unknown" => Liveness::Unknown,
        _ => return Err(Misfit),
    })
}

/// Splits names, each followed by a `/`.
pub(super) fn names(names: &[u8]) -> impl Iterator<Item = &[u8]> {
    names.split_inclusive(|byte| *byte == b'/').map(|name| name.strip_suffix(b"/").unwrap_or(name))
}

fn listing(all: &[u8], stats: &[u8]) -> Result<Vec<Listed>, Misfit> {
    let stats = std::str::from_utf8(stats).map_err(|_| Misfit)?;
    let entries =
        stats.lines().map(|line| entry(&line.split(' ').collect::<Vec<_>>())).collect::<Result<Vec<_>, _>>()?;
    if entries.len() != names(all).count() {
        return Err(Misfit);
    }
    Ok(names(all).zip(entries).map(|(name, entry)| Listed { name: name.to_vec(), entry }).collect())
}

/// Parses the file of each directory: `contents` joins the files within the limit, in the sizes that `sizes`
/// lists.
fn each(
    limit: u64,
    all: &[u8],
    kinds: &[u8],
    sizes: &[u8],
    mut contents: &[u8],
) -> Result<Vec<(Vec<u8>, OwnedFile)>, Misfit> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Misfit);
    let (kinds, mut sizes) = (text(kinds)?, text(sizes)?.lines());
    let kinds: Vec<&str> = kinds.split(',').filter(|kind| !kind.is_empty()).collect();
    if kinds.len() != names(all).count() {
        return Err(Misfit);
    }
    let mut next = || -> Result<OwnedFile, Misfit> {
        let (size, owner) = sizes.next().and_then(|line| line.split_once('-')).ok_or(Misfit)?;
        let (size, owner) = (number::<u64>(size)?, Some(number(owner)?));
        if size > reach(limit) {
            return Ok(OwnedFile { owner, found: Found::TooLarge });
        }
        let length = usize::try_from(size).map_err(|_| Misfit)?;
        let (content, rest) = contents.split_at_checked(length).ok_or(Misfit)?;
        contents = rest;
        Ok(OwnedFile { owner, found: Found::Content(content.to_vec()) })
    };
    let one = |(name, kind): (&[u8], &str)| {
        Ok((name.to_vec(), if kind == "file" { next()? } else { OwnedFile::unowned(not_read(kind)?) }))
    };
    let found = names(all).zip(kinds).map(one).collect::<Result<Vec<_>, _>>()?;
    if contents.is_empty() && sizes.next().is_none() { Ok(found) } else { Err(Misfit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_strerror_are_found_where_they_stand() {
        for (message, kind) in [
            ("mv: cannot move './a' to './b/a': Directory not empty", FailureKind::Exists),
            ("mv: bad './Permission denied': Is a directory", FailureKind::WrongType),
            ("mkdir: can't create directory './x': No space left on device", FailureKind::NoSpace),
            ("sh:3: permission denied: ./x", FailureKind::Denied),
            ("sh: 1: cannot create ./x: Read-only file system", FailureKind::ReadOnly),
            ("tar: a: Cannot write: No space left on device\ntar: Exiting with failure", FailureKind::NoSpace),
            ("it broke", FailureKind::Io),
        ] {
            let failure = failed(&["fail", "-"], &[message.into()]);
            assert_eq!(failure.map(|failure| failure.kind), Ok(kind), "{message}");
        }
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        assert_eq!(reply(&Op::Identify, &["done"], &[]), Err(Misfit));
        assert_eq!(reply(&Op::Clock, &["clock", "17.%N"], &[]).map(|r| r.is_ok()), Ok(true));
    }
}
