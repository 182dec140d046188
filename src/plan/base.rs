//! The choice of existing releases that a new one reuses identical files from.

use std::cmp::Reverse;

use crate::{
    name::ReleaseName,
    store::{HostedRelease, RootState},
};

/// The number of candidates: the older a release, the fewer of its files are still the same.
const TRIED: usize = 3;

/// Returns the releases likely to share most content with a new one, best first.
///
/// These are the current release, then the newest staged releases that are not marked bad. Whether any of them is
/// intact is for the copying code to check. Releases of another owner, who may change them at any time, are left out.
#[must_use]
pub(crate) fn bases(state: &RootState) -> Vec<ReleaseName> {
    let current = state.current.release();
    let is_current = |release: &HostedRelease| Some(&release.name) == current;
    let ours = state.releases.iter().filter(|release| release.foreign.is_none());
    let usable = |release: &&HostedRelease| is_current(release) || !release.bad.exists() && release.staged.exists();
    let mut bases: Vec<&HostedRelease> = ours.filter(usable).collect();
    bases.sort_by_key(|release| Reverse((is_current(release), release.staged.record().map(|staged| staged.at))));
    bases.into_iter().take(TRIED).map(|release| release.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::PreviousVersion,
        status::BadMark,
        store::{Current, Kept, StagedRecord},
        time::Timestamp,
        transport::FileId,
    };

    /// Builds a release staged `second` seconds after midnight; 0 means that the tool did not stage it.
    fn release(name: &str, second: u8, is_bad: bool) -> HostedRelease {
        let at: Timestamp = format!("2026-11-24T00:00:{second:02}Z").parse().expect("a time");
        let (by, reason) = ("jane@laptop".to_owned(), None);
        HostedRelease {
            previous: Ok(PreviousVersion::None),
            bad: if is_bad { Kept::Record(BadMark { at, by: by.clone(), reason, number: 1 }) } else { Kept::Nothing },
            staged: match second {
                0 => Kept::Nothing,
                _ => Kept::Record(StagedRecord { format: 1, at, by, files: 1, bytes: 1, digest: None, revision: None }),
            },
            ..HostedRelease::new(name.parse().expect("a name"), FileId { device: 1, inode: second.into() })
        }
    }

    #[test]
    fn the_current_one_comes_first_and_then_the_newest_good_ones() {
        let releases = vec![
            release("a", 4, false),
            release("b", 9, true),
            release("c", 1, false),
            release("d", 8, false),
            release("e", 0, false),
            release("f", 7, false),
        ];
        let name = releases[2].name.clone();
        let current = Current::Release { link: b"releases/c".to_vec(), name };
        let mut state = RootState { current, releases, ..RootState::default() };
        let names = |state: &RootState| bases(state).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&state), ["c", "d", "f"]);
        state.releases[3].foreign = Some(1000);
        assert_eq!(names(&state), ["c", "f", "a"]);
        state.current = Current::Absent;
        assert_eq!(names(&state), ["f", "a", "c"]);
        assert!(bases(&RootState::default()).is_empty());
    }
}
