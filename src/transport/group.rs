//! A group of accounts on a host, and what is given to it.

/// A group, as a host has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Its id.
    pub id: u32,
    /// Whether the user whom the work is done as is in it.
    pub is_ours: bool,
    /// Of the owners that were looked at, those who are in it.
    pub members: Vec<u32>,
    /// The places that were asked about, in their order; `None` where no directory stands.
    pub places: Vec<Option<GroupPlace>>,
}

/// A directory and its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupPlace {
    /// The user id that owns it.
    pub owner: u32,
    /// The id of its group.
    pub group: u32,
    /// Its permission bits, `0o7777` at most.
    pub mode: u32,
}

impl Group {
    /// Whether a directory is the group's: its members may do anything in it, and what is made there is theirs too.
    #[must_use]
    pub fn has(&self, place: &GroupPlace) -> bool {
        place.group == self.id && place.mode & GIVEN == GIVEN
    }
}

/// The mode bits that a directory is given with a group.
pub(crate) const GIVEN: u32 = 0o2070;

/// The mode bits that a file is given with a group.
pub(crate) const GIVEN_FILE: u32 = 0o060;

/// How much of a directory is given to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupReach {
    /// The directory alone.
    Itself,
    /// The directory, and every directory below it that belongs to the user (to anybody, where that is root).
    Directories,
    /// The files below it too.
    All,
}
