//! [`Refusal`]: why a command must not be carried out, host by host.

use std::fmt;

use thiserror::Error;

use crate::{
    error::{Error, ErrorKind},
    name::ReleaseName,
    record::BadRecord,
    report::Command,
    transport::EntryKind,
};

/// Why a command must not be carried out. Nothing was touched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The command.
    pub command: Command,
    /// The hosts that refuse, each with its reason.
    pub hosts: Vec<HostRefusal>,
    /// What every host is on, where that is what it is about: host, `current` and where it would go, in words.
    pub table: Vec<(String, String, String)>,
}

/// Why a host refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostRefusal {
    /// The host.
    pub host: String,
    /// Why it refuses.
    pub reason: Reason,
}

/// Why a host refuses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Reason {
    /// `current` is no link, or leads to no release of this root.
    #[error("`current` is {current}: somebody else made it, and must decide")]
    NotOurs {
        /// What it is.
        current: String,
    },
    /// There is no `current`, though releases were current here.
    #[error("there is no `current`, though releases were current here: somebody removed it")]
    NoCurrent,
    /// Nothing was ever deployed here.
    #[error("nothing was ever deployed here")]
    NotDeployed,
    /// `current` names a release that is gone.
    #[error("`current` names a release that is gone, so nothing says what was before it")]
    Dangling,
    /// The release is there already.
    #[error("there is a release {name} already")]
    NameTaken {
        /// The release.
        name: ReleaseName,
    },
    /// The release is not there.
    #[error("there is no release {name}{}", instead.map(|kind| format!(", but {}", kind.with_article())).unwrap_or_default())]
    NoSuchRelease {
        /// The release.
        name: ReleaseName,
        /// What stands in its place, if anything.
        instead: Option<EntryKind>,
    },
    /// The release lies on the recorded way back.
    #[error("{name} lies on the recorded way back; going there is a rollback")]
    OnTheWayBack {
        /// The release.
        name: ReleaseName,
    },
    /// The hosts are on different releases, or would go to different ones.
    #[error("the hosts differ")]
    HostsDiffer,
    /// Nothing good was before the release that is current.
    #[error("nothing to go back to before {}: {chain}", at)]
    NothingBefore {
        /// The release that is current.
        at: ReleaseName,
        /// The chain, in words.
        chain: String,
    },
    /// A record on the way means nothing.
    #[error("the way back ends at {at}, because {record}: {chain}")]
    BadRecord {
        /// The release whose record it is.
        at: ReleaseName,
        /// What is wrong with it.
        record: BadRecord,
        /// The chain, in words.
        chain: String,
    },
    /// A record names a release that is not there.
    #[error("the way back leads to {name}, which is not there: {chain}")]
    PreviousGone {
        /// The release it names.
        name: ReleaseName,
        /// The chain, in words.
        chain: String,
    },
    /// The records run in a circle.
    #[error("the records of the way back run in a circle: {chain}")]
    ChainLoops {
        /// The chain, in words.
        chain: String,
    },
}

impl Reason {
    /// The kind of error it is.
    #[must_use]
    pub fn kind(&self, command: Command) -> ErrorKind {
        match self {
            Self::NotOurs { .. } => ErrorKind::NotOurs,
            Self::NoCurrent => ErrorKind::NoCurrent,
            Self::NotDeployed => ErrorKind::NotDeployed,
            Self::Dangling => ErrorKind::Dangling,
            Self::NameTaken { .. } => ErrorKind::NameTaken,
            Self::NoSuchRelease { .. } if command == Command::Rollback => ErrorKind::PreviousGone,
            Self::NoSuchRelease { .. } => ErrorKind::NoSuchRelease,
            Self::OnTheWayBack { .. } => ErrorKind::OnTheWayBack,
            Self::HostsDiffer => ErrorKind::HostsDiffer,
            Self::NothingBefore { .. } => ErrorKind::NothingBefore,
            Self::BadRecord { .. } => ErrorKind::BadRecord,
            Self::PreviousGone { .. } => ErrorKind::PreviousGone,
            Self::ChainLoops { .. } => ErrorKind::ChainLoops,
        }
    }

    fn hint(&self, command: Command) -> String {
        match self {
            Self::NotOurs { .. } => {
                "see what `current` is on those hosts; switchback switches only a link to a release of its root".into()
            }
            Self::NoCurrent => {
                "make the link again by hand (ln -s releases/NAME current), or leave the host out with --except".into()
            }
            Self::NotDeployed => "deploy to it first, or leave the host out with --except".into(),
            Self::Dangling => {
                "go to a release that is there: `switchback releases`, then `switchback rollback --to NAME`".into()
            }
            Self::NameTaken { name } => {
                format!("give another --name, or go to the one that is there: `switchback activate {name}`")
            }
            Self::NoSuchRelease { .. } => "see what the hosts have: `switchback releases`".into(),
            Self::OnTheWayBack { name } => format!("`switchback rollback --to {name}`"),
            Self::HostsDiffer if matches!(command, Command::Rollback | Command::Recover) => {
                "name the release for all of them: `switchback rollback --to NAME`, or leave hosts out with --except"
                    .into()
            }
            Self::HostsDiffer => {
                "bring them together with `switchback rollback --to NAME`, or go on with --allow-split".into()
            }
            Self::NothingBefore { .. }
            | Self::BadRecord { .. }
            | Self::PreviousGone { .. }
            | Self::ChainLoops { .. } => {
                "see what the hosts have: `switchback releases`, then name one: `switchback rollback --to NAME`".into()
            }
        }
    }
}

impl Refusal {
    /// A refusal because of these hosts.
    pub(super) fn of(command: Command, hosts: Vec<HostRefusal>) -> Self {
        Self { command, hosts, table: Vec::new() }
    }

    /// The reason that decides the exit code: where hosts refuse for different reasons, 3 stands before 7.
    #[must_use]
    pub fn leading(&self) -> Option<&Reason> {
        let code = |refusal: &&HostRefusal| {
            crate::ExitCode::of(crate::report::Outcome::Refused, Some(refusal.reason.kind(self.command)))
        };
        self.hosts.iter().min_by_key(code).map(|refusal| &refusal.reason)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
        for refusal in &self.hosts {
            let text = refusal.reason.to_string();
            match groups.iter_mut().find(|(other, _)| *other == text) {
                Some((_, hosts)) => hosts.push(&refusal.host),
                None => groups.push((text, vec![&refusal.host])),
            }
        }
        let group = |(text, hosts): (String, Vec<&str>)| format!("{text} ({})", hosts.join(", "));
        f.write_str(&groups.into_iter().map(group).collect::<Vec<_>>().join("; "))?;
        for (host, current, target) in &self.table {
            write!(f, "\n  {host}: on {current}, {target}")?;
        }
        Ok(())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let kind = refusal.leading().map_or(ErrorKind::Internal, |reason| reason.kind(refusal.command));
        let hint = refusal.leading().map(|reason| reason.hint(refusal.command));
        let error = Self::new(kind, format!("{} refused, nothing was touched: {refusal}", refusal.command));
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}
