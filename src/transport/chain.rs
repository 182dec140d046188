//! Reading along a chain of directories, each of which names the next one.

use crate::path::InnerPath;

use super::{Entry, Found, OwnedFile, TreeName};

/// A file that is read, and how much of it at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundedFile {
    /// Its name in its directory (one name).
    pub name: InnerPath,
    /// The most that is read, in bytes; a larger file is [`Found::TooLarge`].
    pub limit: u64,
}

/// One directory of a chain, and what was read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainLink {
    /// Its name.
    pub name: String,
    /// What stands there, as `lstat(2)`; `None` when nothing does, and then the chain ends.
    pub entry: Option<Entry>,
    /// Its record, which names the next one.
    pub record: Option<Found>,
    /// The other files, in the order in which they were asked for, and whose they are; `None` for those that are not there.
    pub files: Vec<Option<OwnedFile>>,
}

/// Follows a chain from the directory `first`, at most `most` long and through none twice.
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
