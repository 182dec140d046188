//! Reads the traces of other tools in a root. Only this module knows their names on disk.

use crate::{
    adoption::Traces,
    name::ReleaseName,
    transport::{Batch, EntryKind, Found, Listed, Op, Reply},
};

use super::{Layout, layout::inner};

/// The maximum size of another tool's log, in bytes: tens of thousands of deploys.
const LOG_LIMIT: u64 = 8 * 1024 * 1024;

/// Capistrano's log.
const REVISIONS_LOG: &str = "revisions.log";
/// Deployer's directory.
const DEPLOYER: &str = ".dep";
/// Deployer's log in its directory.
const RELEASES_LOG: &str = "releases_log";
/// Deployer's symlink to the release that it is about to switch to.
const UNFINISHED: &str = "release";
/// Deployer's mark of a bad release.
const BAD_RELEASE: &str = "BAD_RELEASE";
/// The lock of Deployer, in its directory, and of Mina, in the root.
const LOCK: &str = "deploy.lock";
/// Mina's clone of the source, and the release counter of older versions.
const MINA: [&str; 2] = ["scm", "last_version"];

/// The positions of the steps that read other tools' traces.
#[derive(Debug, Clone, Copy)]
enum At {
    RevisionsLog,
    ReleasesLog,
    Deployer,
    Unfinished,
    DeployerLock,
    MinaLock,
    MinaClone,
    MinaNumber,
    Bad,
    Releases,
}

/// Adds the steps that read other tools' traces.
pub(super) fn ask(batch: &mut Batch, layout: &Layout) {
    let deployer = inner(DEPLOYER);
    let ops = [
        Op::Read { path: inner(REVISIONS_LOG), limit: LOG_LIMIT },
        Op::Read { path: deployer.join(&inner(RELEASES_LOG)), limit: LOG_LIMIT },
        Op::Inspect { path: deployer.clone() },
        Op::ReadLink { path: inner(UNFINISHED) },
        Op::Inspect { path: deployer.join(&inner(LOCK)) },
        Op::Inspect { path: inner(LOCK) },
        Op::Inspect { path: inner(MINA[0]) },
        Op::Inspect { path: inner(MINA[1]) },
        Op::ReadEach { path: layout.releases().clone(), file: inner(BAD_RELEASE), limit: 0 },
        Op::List { path: layout.releases().clone() },
    ];
    for op in ops {
        // A file of another kind than the tool creates is not that tool's.
        batch.push_lenient(op);
    }
}

/// Reads the replies to these steps. The error describes a log that exists and could not be read.
pub(super) fn read(replies: &[Reply], layout: &Layout) -> Result<Traces, String> {
    let reader = Reader { replies, layout };
    let locks = [(At::DeployerLock, inner(DEPLOYER).join(&inner(LOCK))), (At::MinaLock, inner(LOCK))];
    Ok(Traces {
        revisions_log: reader.log(At::RevisionsLog, REVISIONS_LOG)?,
        releases_log: reader.log(At::ReleasesLog, ".dep/releases_log")?,
        deployer: reader.is_there(At::Deployer),
        unfinished: reader.unfinished(),
        mina: reader.is_there(At::MinaClone) || reader.is_there(At::MinaNumber),
        locked: locks.into_iter().find(|(at, _)| reader.is_there(*at)).map(|(_, path)| path),
        bad: reader.bad(),
        times: reader.times(),
    })
}

struct Reader<'r> {
    replies: &'r [Reply],
    layout: &'r Layout,
}

impl Reader<'_> {
    fn at(&self, at: At) -> Option<&Reply> {
        self.replies.get(at as usize)
    }

    fn is_there(&self, at: At) -> bool {
        matches!(self.at(at), Some(Reply::Entry(Some(_))))
    }

    /// Reads a log. One that exists and cannot be read must not count as missing.
    fn log(&self, at: At, name: &str) -> Result<Option<String>, String> {
        match self.at(at) {
            Some(Reply::Content(Some(Found::Content(content)))) => {
                Ok(Some(String::from_utf8_lossy(content).into_owned()))
            }
            Some(Reply::Content(Some(Found::TooLarge))) => Err(format!("{name} is longer than {LOG_LIMIT} bytes")),
            Some(Reply::Content(Some(Found::Unreadable(failure)))) => Err(format!("{name} cannot be read: {failure}")),
            _ => Ok(None),
        }
    }

    fn unfinished(&self) -> Option<ReleaseName> {
        let Some(Reply::Link(Some(link))) = self.at(At::Unfinished) else { return None };
        let name = link.split(|byte| *byte == b'/').next_back()?;
        self.layout.release_name(name)
    }

    fn bad(&self) -> Vec<ReleaseName> {
        let Some(Reply::Contents(contents)) = self.at(At::Bad) else { return Vec::new() };
        contents.iter().filter_map(|(name, _)| self.layout.release_name(name)).collect()
    }

    fn times(&self) -> Vec<(ReleaseName, i64)> {
        let Some(Reply::Listing(Some(listed))) = self.at(At::Releases) else { return Vec::new() };
        let time = |Listed { name, entry }: &Listed| {
            (entry.kind == EntryKind::Directory).then_some(())?;
            Some((self.layout.release_name(name)?, entry.modified))
        };
        listed.iter().filter_map(time).collect()
    }
}
