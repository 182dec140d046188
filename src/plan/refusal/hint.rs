//! The hints of refusals: how to continue.

use crate::{name::ReleaseName, report::Command, shared::SharedPlace};

use super::Reason;

impl Reason {
    /// Returns the next command or step for the user.
    pub(crate) fn hint(&self, command: Command) -> String {
        match self {
            Self::NotOurs { .. } => {
                "see what `current` is on those hosts; switchback switches only a link to a release of its root, and takes a \
                 plain directory over with `switchback adopt`"
                    .into()
            }
            Self::HalfAdopted { .. } => "`switchback adopt` goes on from where it is".into(),
            Self::ForeignState { .. } | Self::ForeignRecord { .. } => self.foreign_hint(command),
            Self::NotSealed { name } => not_sealed_hint(name, command),
            Self::SameRoot { .. } => "list each root once".into(),
            Self::AnotherFilesystem { path } => format!(
                "unmount it, or mount what holds all of the root there: on each of those hosts `df {path}` says what it is. \
                 `[layout]` puts the releases elsewhere below the root"
            ),
            Self::ForeignRelease { .. }
            | Self::NoSuchGroup { .. }
            | Self::NotInGroup { .. }
            | Self::NotOfGroup { .. }
            | Self::OthersMayWrite { .. }
            | Self::GroupMayWrite { .. } => self.access_hint(),
            Self::NoCurrent(Some(last)) => format!("`switchback recover` links it to {last} again"),
            Self::NoCurrent(None) | Self::NothingToLink { .. } => {
                "see with `switchback history` which release was current last, and make the link again in the root of that host (ln -s \
                 releases/NAME current); or leave it out with --except"
                    .into()
            }
            Self::NotDeployed => "deploy to it first, or leave the host out with --except".into(),
            Self::Dangling => {
                "go to a release that is there: `switchback releases`, then `switchback rollback --to NAME`".into()
            }
            Self::NameTaken { name } => {
                format!("give another --name, or go to the one that is there: `switchback activate {name}`")
            }
            Self::OtherContent { .. } => "give another --name: a name is never used for another content".into(),
            Self::IsThere { name } => format!("`switchback activate {name}`"),
            Self::IsBad { name } => {
                format!("deploy a fix under another --name, or go there anyway: `switchback activate {name}`")
            }
            Self::WasInterrupted { .. } => "`switchback recover` finishes or undoes it".into(),
            Self::GoneMeanwhile { .. } => "see who is at work with `switchback status`, then try again".into(),
            Self::NotFrom { .. } => {
                "see who deployed it with `switchback history`; without --from it would be replaced whatever it is".into()
            }
            Self::NoSuchRelease { .. } => "see what the hosts have: `switchback releases`".into(),
            Self::OnTheWayBack { name } => format!("`switchback rollback --to {name}`"),
            Self::UnknownTree { .. } => {
                "say who made it: `switchback adopt --from TOOL`, or leave the host out with --except".into()
            }
            Self::ForeignLock { .. } => {
                "wait until that tool is done; if it is dead, remove its lock, then try again".into()
            }
            Self::MissingShared { missing } => missing_hint(missing),
            Self::SharedKind { .. } => {
                "a trailing slash in `shared` makes a directory, none a file; see which of the two is meant".into()
            }
            Self::ShippedShared { path, .. } => {
                format!(
                    "leave it out of the source, or let it be the first content: {{ path = \"{path}\", seed = true }}"
                )
            }
            Self::HostsDiffer => hosts_differ_hint(command).into(),
            Self::Irreversible { .. } | Self::NoRevert { .. } if command == Command::Recover => {
                "`switchback recover --forward` finishes what was begun instead".into()
            }
            Self::Irreversible { .. }
            | Self::NoRevert { .. }
            | Self::RevertGone { .. }
            | Self::DataUnreadable { .. }
            | Self::DataOffTheWay { .. } => {
                "`--keep-data` rolls back the code alone, and the old code then meets the data as it is".into()
            }
            Self::MarkUnreadable { name, .. } => {
                format!("`switchback status` names the file; go there anyway with `switchback rollback --to {name}`")
            }
            Self::CommandsUnreadable { .. } => commands_unreadable_hint(command).into(),
            Self::PrunedUnreadable { .. } | Self::IntentUnreadable { .. } | Self::LedgerUnreadable { .. } => {
                unreadable_hint(self, command)
            }
            Self::RecordsDiffer { .. } => {
                "see which host is wrong; `--keep-data` rolls back the code alone, `--except HOST` leaves a host out".into()
            }
            Self::OnController { .. } | Self::SecretsUnsaid { .. } => {
                "run it where the configuration is, with `--config FILE`; `--keep-data` rolls back the code alone".into()
            }
            Self::DataMoved { .. } => {
                "see which version the data should have, then `switchback rollback --data-to VERSION` reverts it to that one; \
                 `--keep-data` rolls back the code alone"
                    .into()
            }
            Self::NoWayTo { .. } => "`--keep-data` rolls back the code alone".into(),
            Self::DataElsewhere { place } => data_elsewhere_hint(place, command),
            Self::NothingBefore { .. }
            | Self::BadRecord { .. }
            | Self::PreviousGone { .. }
            | Self::ChainLoops { .. } => {
                "see what the hosts have: `switchback releases`, then name one: `switchback rollback --to NAME`".into()
            }
        }
    }

    /// Returns the hint for an untrusted state directory or record.
    fn foreign_hint(&self, command: Command) -> String {
        let first = match self {
            Self::ForeignState { owner, .. } => format!("connect as user {owner}"),
            Self::ForeignRecord { path, .. } => {
                format!("see who wrote {path}, and take it back with chown or remove it")
            }
            _ => String::new(),
        };
        let alone = match command {
            Command::Rollback => "; `--no-hooks --keep-data` rolls back the code alone",
            _ => "",
        };
        format!("{first}, or say with --allow-writable that its owner is trusted{alone}")
    }

    /// Returns the hint for wrong ownership, permissions or group membership on a host.
    fn access_hint(&self) -> String {
        match self {
            Self::ForeignRelease { name, .. } => format!(
                "see whose it is with `switchback verify {name}`, take it back with chown, or say with `--allow-writable` that it is \
                 meant so"
            ),
            Self::OthersMayWrite { .. } => {
                "take that right away with chmod or chown, or say with `--allow-writable` that it is meant so".into()
            }
            Self::GroupMayWrite { .. } => {
                "name that group in `[security] group` if its members deploy together, take the right away with chmod, or say with \
                 `--allow-writable` that it is meant so"
                    .into()
            }
            Self::NoSuchGroup { group } => {
                format!("make it on those hosts (`groupadd {group}`), or name another in [security] group")
            }
            Self::NotInGroup { group, user } => {
                format!("`usermod -aG {group} {user}` on those hosts, then connect anew")
            }
            Self::NotOfGroup { path, group } => format!(
                "have the owner of the root, or root, run `chgrp {group}` and `chmod g+rwxs` on it there ({path}): another \
                 group has rights in it that would be lost"
            ),
            _ => String::new(),
        }
    }
}

fn not_sealed_hint(name: &ReleaseName, command: Command) -> String {
    if command == Command::Recover {
        return "`switchback recover --back`, then deploy it again under another --name, or `switchback activate` it, which \
                runs `prepare` anew"
            .into();
    }
    format!("`switchback activate {name}` runs its `prepare` anew; or deploy it again under another --name")
}

fn unreadable_hint(reason: &Reason, command: Command) -> String {
    let otherwise = match (reason, command) {
        (Reason::LedgerUnreadable { .. }, Command::Rollback) => "; `--keep-data` rolls back the code alone",
        // No command of ours forgets a run that began nobody knows what.
        (Reason::IntentUnreadable { .. }, _) => {
            "; if it is damaged, move its directory out of `.switchback`, then `switchback rollback --to NAME`"
        }
        _ => "",
    };
    format!("`switchback status` names the file and its owner: make it readable, or connect as its owner{otherwise}")
}

fn commands_unreadable_hint(command: Command) -> &'static str {
    match command {
        Command::Rollback => {
            "`switchback status` names the file; `switchback rollback --no-hooks --keep-data` rolls back the code alone, and \
             `--commands config` runs the commands of the configuration"
        }
        _ => "`switchback status` names the file and its owner: make it readable",
    }
}

fn hosts_differ_hint(command: Command) -> &'static str {
    if matches!(command, Command::Rollback | Command::Recover) {
        "name the release for all of them: `switchback rollback --to NAME`, or leave hosts out with --except"
    } else {
        "bring them together with `switchback rollback --to NAME`, or go on with `--allow-split`"
    }
}

fn data_elsewhere_hint(place: &str, command: Command) -> String {
    if command == Command::Rollback {
        format!("take {place} along, or go back with the code alone: `--keep-data`")
    } else {
        format!("take {place} along")
    }
}

/// Returns the hint with the commands that create the missing paths in the root of the host.
fn missing_hint(missing: &[SharedPlace]) -> String {
    let make = |place: &SharedPlace| {
        let verb = if place.path.is_directory() { "mkdir -p" } else { "write" };
        format!("{verb} {}", place.place)
    };
    let commands: Vec<String> = missing.iter().map(make).collect();
    let seed = "or ship the first content in the source with `seed = true`";
    format!("make it in the root of the host ({}), {seed}", commands.join("; "))
}
