//! Reads a chain of directories, each of which names the next one.

use crate::path::InnerPath;

use super::{Entry, Found, OwnedFile, TreeName};

/// A file to read, and a limit on its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundedFile {
    /// Its name in its directory (one name).
    pub name: InnerPath,
    /// The limit in bytes; a larger file is [`Found::TooLarge`].
    pub limit: u64,
}

/// One directory of a chain, and the files read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainLink {
    /// Its name.
    pub name: String,
    /// The entry of that name, as `lstat(2)` reports it; `None` when there is none, which ends the chain.
    pub entry: Option<Entry>,
    /// Its record, which names the next directory.
    pub record: Option<Found>,
    /// The other files, in the order requested, with their owners; `None` for missing ones.
    pub files: Vec<Option<OwnedFile>>,
}

/// Follows a chain from the directory `first` for at most `most` directories, none of them twice.
pub(super) fn follow<E>(
    first: Option<String>,
    most: u32,
    mut read: impl FnMut(&str) -> Result<ChainLink, E>,
) -> Result<Vec<ChainLink>, E> {
    let mut links: Vec<ChainLink> = Vec::new();
    let mut next = first;
    while let Some(name) = next.take() {
        if links.len() as u64 >= u64::from(most) || links.iter().any(|link| link.name == name) {
            break;
        }
        let link = read(&name)?;
        if let Some(Found::Content(record)) = &link.record {
            next = TreeName::in_record(record);
        }
        links.push(link);
    }
    Ok(links)
}
