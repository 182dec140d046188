//! Parses a host's reply about a chain of directories.

use crate::transport::{BoundedFile, ChainLink, Found, OwnedFile};

use super::{
    reply::{Misfit, entry, names, not_read},
    script::reach,
    together::{owner, size},
};

/// Returns the limits of the entries in `kinds` that the host inspected, in order: `None` for a directory.
///
/// `kinds` has a word for each directory, followed by one for each of its files.
pub(super) fn wanted(record: &BoundedFile, files: &[BoundedFile], kinds: &[u8]) -> impl Iterator<Item = Option<u64>> {
    let limits: Vec<Option<u64>> =
        std::iter::once(None).chain(std::iter::once(record).chain(files).map(|file| Some(file.limit))).collect();
    let words: Vec<bool> = kinds.split(|byte| *byte == b',').map(|word| matches!(word, b"y" | b"file")).collect();
    words.into_iter().enumerate().filter(|(_, is_wanted)| *is_wanted).map(move |(at, _)| limits[at % limits.len()])
}

/// Parses the directories from their names, their kinds, the lines of `stat`, and the contents of their files.
///
/// `stats` has a line for each existing directory and file; `contents` joins the files that are within their limits.
pub(super) fn read(
    record: &BoundedFile,
    files: &[BoundedFile],
    [all, kinds, stats, contents]: [&[u8]; 4],
) -> Result<Vec<ChainLink>, Misfit> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Misfit);
    let mut parts = Parts {
        words: text(kinds)?.split(',').filter(|word| !word.is_empty()).collect::<Vec<_>>().into_iter(),
        stats: text(stats)?.lines(),
        contents,
    };
    let mut links = Vec::new();
    for name in names(all) {
        let entry = match parts.words.next().ok_or(Misfit)? {
            "y" => Some(entry(&parts.line()?.split(' ').collect::<Vec<_>>())?),
            "-" => None,
            _ => return Err(Misfit),
        };
        let record = parts.file(record.limit)?.map(|file| file.found);
        let files = files.iter().map(|file| parts.file(file.limit)).collect::<Result<Vec<_>, _>>()?;
        links.push(ChainLink { name: text(name)?.to_owned(), entry, record, files });
    }
    if parts.is_empty() { Ok(links) } else { Err(Misfit) }
}

/// The unread rest of a reply.
struct Parts<'a> {
    words: std::vec::IntoIter<&'a str>,
    stats: std::str::Lines<'a>,
    contents: &'a [u8],
}

impl<'a> Parts<'a> {
    fn line(&mut self) -> Result<&'a str, Misfit> {
        self.stats.next().ok_or(Misfit)
    }

    fn file(&mut self, limit: u64) -> Result<Option<OwnedFile>, Misfit> {
        Ok(Some(match self.words.next().ok_or(Misfit)? {
            "-" => return Ok(None),
            "file" => {
                let line = self.line()?;
                let (owner, size) = (Some(owner(line)?), size(line)?);
                if size > reach(limit) {
                    return Ok(Some(OwnedFile { owner, found: Found::TooLarge }));
                }
                let length = usize::try_from(size).map_err(|_| Misfit)?;
                let (content, rest) = self.contents.split_at_checked(length).ok_or(Misfit)?;
                self.contents = rest;
                OwnedFile { owner, found: Found::Content(content.to_vec()) }
            }
            kind => OwnedFile::unowned(not_read(kind)?),
        }))
    }

    fn is_empty(&mut self) -> bool {
        self.words.next().is_none() && self.stats.next().is_none() && self.contents.is_empty()
    }
}
