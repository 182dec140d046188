//! The hints of refusals: how to continue.

use crate::{hint::Hint, name::ReleaseName, report::Command, shared::SharedPlace};

use super::Reason;

impl Reason {
    /// Returns the next steps for the user, the best first.
    pub(crate) fn hints(&self, command: Command) -> Vec<Hint> {
        let advice = match self {
            Self::NotOurs { .. } => return vec!["see what `current` is on those hosts".into(), Hint::AdoptDirectory],
            Self::HalfAdopted { .. } => return vec![Hint::AdoptAgain],
            Self::ForeignState { .. } | Self::ForeignRecord { .. } => return self.foreign_hints(command),
            Self::NotSealed { name } => return not_sealed_hints(name, command),
            Self::SameRoot { .. } => "list each root once".into(),
            Self::AnotherFilesystem { path } => format!(
                "unmount it, or mount the filesystem that holds all of the root there (`df {path}` shows which one it is); \
                 [layout] puts the releases elsewhere below the root"
            ),
            Self::ForeignRelease { .. }
            | Self::NoSuchGroup { .. }
            | Self::NotInGroup { .. }
            | Self::NotOfGroup { .. }
            | Self::OthersMayWrite { .. }
            | Self::GroupMayWrite { .. } => return self.access_hints(),
            Self::NoCurrent(Some(last)) => return vec![Hint::Relink(last.clone())],
            Self::NoCurrent(None) | Self::NothingToLink { .. } => {
                let make = "make the symlink again in the root of that host (ln -s releases/NAME current)";
                return vec![Hint::History, make.into(), Hint::Except(Vec::new())];
            }
            Self::NotDeployed => return vec!["deploy to it first".into(), Hint::Except(Vec::new())],
            Self::NameTaken { name } => return vec![Hint::AnotherName, Hint::Activate(name.clone())],
            Self::OtherContent { .. } => return vec![Hint::AnotherName],
            Self::IsThere { name } => return vec![Hint::Activate(name.clone())],
            Self::IsBad { name } => {
                return vec!["deploy a fix under another name".into(), Hint::Activate(name.clone())];
            }
            Self::WasInterrupted { .. } => return vec![Hint::Recover],
            Self::GoneMeanwhile { .. } => return vec![Hint::Status, "then try again".into()],
            Self::NotFrom { .. } => return vec![Hint::History, Hint::FromAny],
            Self::NoSuchRelease { .. } => return vec![Hint::Releases],
            Self::OnTheWayBack { name } => return vec![Hint::RollbackTo(name.clone())],
            Self::UnknownTree { .. } => return vec![Hint::AdoptFrom, Hint::Except(Vec::new())],
            Self::ForeignLock { .. } => {
                "wait until that tool is done; if it is dead, remove its lock, then try again".into()
            }
            Self::MissingShared { missing } => missing_advice(missing),
            Self::SharedKind { .. } => {
                "a trailing slash in `shared` means a directory, none means a file; see which of the two is right"
                    .into()
            }
            Self::ShippedShared { path, .. } => format!(
                "leave it out of the source, or make it the first content: {{ path = \"{path}\", seed = true }}"
            ),
            Self::HostsDiffer => return hosts_differ_hints(command),
            Self::Irreversible { .. } | Self::NoRevert { .. } if command == Command::Recover => {
                return vec![Hint::RecoverForward];
            }
            Self::Irreversible { .. }
            | Self::NoRevert { .. }
            | Self::RevertGone { .. }
            | Self::DataUnreadable { .. }
            | Self::DataOffTheWay { .. }
            | Self::NoWayTo { .. } => return vec![Hint::KeepData],
            Self::MarkUnreadable { name, .. } => return vec![Hint::UnreadableFile, Hint::RollbackTo(name.clone())],
            Self::CommandsUnreadable { .. }
            | Self::PrunedUnreadable { .. }
            | Self::IntentUnreadable { .. }
            | Self::LedgerUnreadable { .. } => return self.unreadable_hints(command),
            Self::RecordsDiffer { .. } => {
                return vec!["see which host is wrong".into(), Hint::KeepData, Hint::Except(Vec::new())];
            }
            Self::OnController { .. } | Self::SecretsUnsaid { .. } => {
                return vec![Hint::WithConfiguration, Hint::KeepData];
            }
            Self::DataMoved { .. } => return vec![Hint::DataTo, Hint::KeepData],
            Self::DataElsewhere { place } => {
                let take = Hint::Advice(format!("include {place}"));
                return if command == Command::Rollback { vec![take, Hint::KeepData] } else { vec![take] };
            }
            // Other releases were never current here, or are bad.
            Self::NothingBefore { at, chain } if super::is_first(at, chain) => return vec![Hint::Releases],
            Self::Dangling
            | Self::NothingBefore { .. }
            | Self::BadRecord { .. }
            | Self::PreviousGone { .. }
            | Self::ChainLoops { .. } => return vec![Hint::Releases, Hint::RollbackToAnother],
        };
        vec![Hint::Advice(advice)]
    }

    /// Returns the hints for an untrusted state directory or record.
    fn foreign_hints(&self, command: Command) -> Vec<Hint> {
        let first = match self {
            Self::ForeignState { owner, .. } => format!("connect as user {owner}"),
            Self::ForeignRecord { path, .. } => {
                format!("see who wrote {path}, and take it back with chown or remove it")
            }
            _ => String::new(),
        };
        let mut hints = vec![first.into(), Hint::AllowWritable];
        hints.extend((command == Command::Rollback).then_some(Hint::CodeAlone));
        hints
    }

    /// Returns the hints for wrong ownership, permissions or group membership on a host.
    fn access_hints(&self) -> Vec<Hint> {
        let advice = match self {
            Self::ForeignRelease { name, .. } => {
                let hints = [Hint::VerifyOwners(name.clone()), "take it back with chown".into(), Hint::AllowWritable];
                return hints.into();
            }
            Self::OthersMayWrite { .. } => {
                return vec!["remove that right with chmod or chown".into(), Hint::AllowWritable];
            }
            Self::GroupMayWrite { .. } => {
                let group = "name that group in `[security] group` if its members deploy together";
                return vec![group.into(), "else remove the right with chmod".into(), Hint::AllowWritable];
            }
            Self::NoSuchGroup { group } => {
                format!("make it on those hosts (`groupadd {group}`), or name another in [security] group")
            }
            Self::NotInGroup { group, user } => {
                format!("run `usermod -aG {group} {user}` on those hosts, then connect again")
            }
            Self::NotOfGroup { path, group } => format!(
                "have the owner of the root, or root, run `chgrp {group}` and `chmod g+rwxs` on it there ({path}): another \
                 group has rights in it that would be lost"
            ),
            _ => String::new(),
        };
        vec![advice.into()]
    }

    /// Returns the hints for a file of the state directory that cannot be read.
    fn unreadable_hints(&self, command: Command) -> Vec<Hint> {
        let readable = "make it readable, or connect as its owner";
        let otherwise = match (self, command) {
            (Self::CommandsUnreadable { .. }, Command::Rollback) => vec![Hint::CodeAlone, Hint::ConfiguredCommands],
            (Self::LedgerUnreadable { .. }, Command::Rollback) => vec![readable.into(), Hint::KeepData],
            // No command of ours forgets a run that began nobody knows what.
            (Self::IntentUnreadable { .. }, _) => vec![
                readable.into(),
                "if it is damaged, move its directory out of `.switchback`".into(),
                Hint::RollbackToAnother,
            ],
            _ => vec![readable.into()],
        };
        [vec![Hint::UnreadableFile], otherwise].concat()
    }
}

fn not_sealed_hints(name: &ReleaseName, command: Command) -> Vec<Hint> {
    let prepare = Hint::PrepareAgain(name.clone());
    let other = "or deploy it again under another name".into();
    if command == Command::Recover { vec![Hint::RecoverBack, prepare, other] } else { vec![prepare, other] }
}

fn hosts_differ_hints(command: Command) -> Vec<Hint> {
    let go_on = if matches!(command, Command::Rollback | Command::Recover) {
        Hint::Except(Vec::new())
    } else {
        Hint::AllowSplit
    };
    vec![Hint::RollbackToAnother, go_on]
}

/// Returns the commands that create the missing paths in the root of the host.
fn missing_advice(missing: &[SharedPlace]) -> String {
    let make = |place: &SharedPlace| {
        let verb = if place.path.is_directory() { "mkdir -p" } else { "write" };
        format!("{verb} {}", place.place)
    };
    let commands: Vec<String> = missing.iter().map(make).collect();
    let seed = "or ship the first content in the source with `seed = true`";
    format!("make it in the root of the host ({}), {seed}", commands.join("; "))
}
