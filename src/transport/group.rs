//! A group of accounts on a host, and the mode bits that go with it.

/// A group of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Its id.
    pub id: u32,
    /// Whether the user that runs the batches belongs to it. Root counts as a member.
    pub is_ours: bool,
    /// The inspected owners who belong to it.
    pub members: Vec<u32>,
    /// The requested paths, in order; `None` where no directory exists.
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
    /// Whether a directory belongs to the group: its members may do anything in it, and new entries inherit the
    /// group.
    #[must_use]
    pub fn has(&self, place: &GroupPlace) -> bool {
        place.group == self.id && place.mode & GIVEN == GIVEN
    }
}

/// The mode bits that a directory gets along with a group.
pub(crate) const GIVEN: u32 = 0o2070;

/// The mode bits that a file gets along with a group.
pub(crate) const GIVEN_FILE: u32 = 0o060;

/// The part of a directory to give to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupReach {
    /// The directory alone.
    Itself,
    /// The directory, and every directory below it that the user owns (every one, if the user is root).
    Directories,
    /// Those directories and the files below them that the user owns.
    All,
}
