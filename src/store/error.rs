//! [`StoreError`]: the failures of reading or changing a root.

use thiserror::Error;

use crate::{
    error::{Error, ErrorKind},
    group::GroupName,
    hint::Hint,
    lock::LockHolder,
    name::ReleaseName,
    path::HostPath,
    transport::{BatchError, Effect, FailureKind, TransportError},
};

/// An error while reading or changing a root. [`effect`](Self::effect) says what took effect.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The host could not be reached, or failed to execute the request.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Somebody else holds the lock. Nothing was changed.
    #[error("{host} is locked by {}", holder.describe())]
    Locked {
        /// The host.
        host: String,
        /// The holder of the lock.
        holder: Box<LockHolder>,
    },
    /// The lock was taken over, and its new holder decides. The last request was not executed.
    #[error("the lock on {host} was taken over by somebody else meanwhile")]
    LockLost {
        /// The host.
        host: String,
    },
    /// The state directory was written by a newer program. Nothing was changed.
    #[error("the state directory on {host} has format {found}, which this program does not know")]
    NewerFormat {
        /// The host.
        host: String,
        /// The format of the state directory.
        found: String,
    },
    /// The root belongs to another account. Nothing was changed.
    #[error("the root on {host} belongs to user {owner} and is not for {user}")]
    OfAnother {
        /// The host.
        host: String,
        /// The owner's UID.
        owner: u32,
        /// The user that the tool runs as.
        user: String,
        /// The group whose members deploy to the root, if it belongs to one.
        group: Option<GroupName>,
    },
    /// The root belongs to one account and is not converted to the group's yet. Nothing was changed.
    #[error("the root on {host} belongs to user {owner} alone, and not to the group {group} yet")]
    NotConverted {
        /// The host.
        host: String,
        /// The owner's UID.
        owner: u32,
        /// The group.
        group: GroupName,
    },
    /// The root belongs to a group that the user is not in. Nothing was changed.
    #[error("{user} on {host} is not in the group {group}")]
    NotInGroup {
        /// The host.
        host: String,
        /// The user that the tool runs as.
        user: String,
        /// The group.
        group: GroupName,
    },
    /// The root belongs to another group. Nothing was changed.
    #[error("the root on {host} belongs to the group {group}, not to {configured}")]
    OfAnotherGroup {
        /// The host.
        host: String,
        /// The group of the root.
        group: GroupName,
        /// The configured group.
        configured: GroupName,
    },
    /// A directory does not belong to the group and cannot be given to it. Nothing was changed.
    #[error("{path} on {host} cannot be given to the group {group}: another group has rights in it")]
    NotOfGroup {
        /// The host.
        host: String,
        /// The directory.
        path: HostPath,
        /// The group.
        group: GroupName,
    },
    /// The state directory contains something that this program did not write. Nothing was changed.
    #[error("cannot read the state directory on {host}: {what}")]
    Damaged {
        /// The host.
        host: String,
        /// A description with the place.
        what: String,
    },
    /// The name is taken. Nothing was changed.
    #[error("{host} already has a release {name}")]
    NameTaken {
        /// The host.
        host: String,
        /// The name.
        name: ReleaseName,
    },
    /// The name belongs to a pruned release that was once current. Nothing was changed.
    #[error(
        "{host} had a release {name} that was pruned, and the name of a release that was once current is never reused"
    )]
    NamePruned {
        /// The host.
        host: String,
        /// The name.
        name: ReleaseName,
    },
    /// A shared path lies on another filesystem than the root, so its first content cannot be moved there.
    ///
    /// The release was not published.
    #[error(
        "cannot seed {place} on {host}: it is on another filesystem than the root, so nothing can be renamed into it"
    )]
    SeedElsewhere {
        /// The host.
        host: String,
        /// The shared path.
        place: HostPath,
    },
    /// `current` changed since it was read. It was not switched.
    #[error("somebody else changed `current` on {host} meanwhile: {detail}")]
    Conflict {
        /// The host.
        host: String,
        /// The expected and the actual `current`.
        detail: String,
    },
    /// A release contains something that no manifest can list. Its manifest is unchanged.
    #[error(
        "{path} in {name} on {host} is a device, a pipe or a socket, or cannot be read, so no manifest can list it"
    )]
    Unlistable {
        /// The host.
        host: String,
        /// The release.
        name: ReleaseName,
        /// The path in the release, printable.
        path: String,
    },
    /// The release does not exist, or is incomplete.
    #[error("{host} has no complete release {name}")]
    NoSuchRelease {
        /// The host.
        host: String,
        /// The release.
        name: ReleaseName,
    },
    /// The store cannot do this. Nothing was changed.
    #[error("its store cannot {what}")]
    Unsupported {
        /// The task, as a verb phrase.
        what: &'static str,
    },
    /// The medium of a store other than [`DirStore`](super::DirStore) failed.
    #[error("the store on {host} failed")]
    Failed {
        /// The host.
        host: String,
        /// How much of the request took effect.
        effect: Effect,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A failed switch, and whether it took effect nevertheless.
#[derive(Debug, Error)]
#[error("the switch failed")]
#[non_exhaustive]
pub struct ActivateError {
    /// The cause.
    #[source]
    pub error: StoreError,
    /// Whether `current` was switched nevertheless.
    pub took_effect: TookEffect,
}

impl ActivateError {
    /// A failed switch with this cause.
    #[must_use]
    pub const fn new(error: StoreError, took_effect: TookEffect) -> Self {
        Self { error, took_effect }
    }
}

/// Whether a failed switch took effect nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TookEffect {
    /// `current` is unchanged.
    No,
    /// `current` was switched; a later step failed, for instance the sync.
    Yes,
    /// Unknown until `current` is read again.
    Unknown,
}

impl StoreError {
    /// Returns how much of the last request took effect.
    #[must_use]
    pub fn effect(&self) -> Effect {
        match self {
            Self::Transport(error) => error.effect(),
            Self::Failed { effect, .. } => *effect,
            Self::Locked { .. }
            | Self::LockLost { .. }
            | Self::NewerFormat { .. }
            | Self::OfAnother { .. }
            | Self::NotConverted { .. }
            | Self::NotInGroup { .. }
            | Self::OfAnotherGroup { .. }
            | Self::NotOfGroup { .. }
            | Self::Damaged { .. }
            | Self::NameTaken { .. }
            | Self::NamePruned { .. }
            | Self::Conflict { .. }
            | Self::SeedElsewhere { .. }
            | Self::Unlistable { .. }
            | Self::NoSuchRelease { .. }
            | Self::Unsupported { .. } => Effect::Nothing,
        }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Transport(error) => kind_of(error),
            Self::Locked { .. } => ErrorKind::Locked,
            Self::LockLost { .. } | Self::Conflict { .. } => ErrorKind::Conflict,
            Self::NewerFormat { .. } => ErrorKind::NewerFormat,
            Self::OfAnother { .. }
            | Self::NotConverted { .. }
            | Self::NotInGroup { .. }
            | Self::OfAnotherGroup { .. }
            | Self::NotOfGroup { .. } => ErrorKind::OtherAccount,
            Self::Damaged { .. } => ErrorKind::DamagedState,
            Self::NameTaken { .. } | Self::NamePruned { .. } => ErrorKind::NameTaken,
            Self::Failed { effect: Effect::Unknown, .. } => ErrorKind::Unknown,
            Self::Unlistable { .. } | Self::SeedElsewhere { .. } | Self::Failed { .. } => ErrorKind::HostFailed,
            Self::Unsupported { .. } => ErrorKind::Unsuitable,
            Self::NoSuchRelease { .. } => ErrorKind::NoSuchRelease,
        }
    }

    /// Returns the next steps, the best first.
    #[must_use]
    pub fn hints(&self) -> Vec<Hint> {
        let advice = match self {
            Self::Transport(error) => return hints_of(error),
            Self::Locked { .. } => return vec!["try again when it is done".into(), Hint::Wait],
            Self::LockLost { .. } | Self::Conflict { .. } => return vec![Hint::Status, "then try again".into()],
            Self::Failed { effect: Effect::Unknown, .. } => return vec![Hint::Status],
            Self::NewerFormat { .. } => Some("use the newer switchback that wrote it"),
            Self::OfAnother { group: None, .. } => {
                Some("connect as its owner, or name a group whose members deploy together: [security] group = \"...\"")
            }
            Self::OfAnother { .. } => {
                Some("set [security] group to the group that `readlink .switchback/group` names there")
            }
            Self::NotConverted { .. } => {
                Some("have its owner, or root, deploy or roll back once with this [security] group")
            }
            Self::NotInGroup { .. } => Some("have root add the user to it there (`usermod -aG`), then connect again"),
            Self::OfAnotherGroup { .. } => Some("name that group in [security] group"),
            Self::NotOfGroup { .. } => Some("have its owner, or root, run `chgrp` and `chmod g+rwxs` on it"),
            Self::NameTaken { name, .. } => return vec![Hint::AnotherName, Hint::Activate(name.clone())],
            Self::NamePruned { .. } => return vec![Hint::AnotherName],
            Self::SeedElsewhere { .. } => Some(
                "copy it by hand from the source on that host (`cp -a`), then deploy again: it is not seeded twice",
            ),
            Self::Damaged { .. }
            | Self::Unlistable { .. }
            | Self::NoSuchRelease { .. }
            | Self::Unsupported { .. }
            | Self::Failed { .. } => None,
        };
        advice.into_iter().map(Hint::from).collect()
    }
}

fn kind_of(error: &TransportError) -> ErrorKind {
    match error {
        TransportError::Unreachable { .. } => ErrorKind::Unreachable,
        TransportError::Unsuitable { .. } => ErrorKind::Unsuitable,
        TransportError::Root { failure, .. } => match failure.kind {
            FailureKind::Missing => ErrorKind::NotDeployed,
            FailureKind::WrongType => ErrorKind::RootRefused,
            FailureKind::Mismatch => ErrorKind::Conflict,
            _ => ErrorKind::HostFailed,
        },
        TransportError::Step { .. } | TransportError::Hook { .. } => ErrorKind::HostFailed,
        TransportError::Source { .. } => ErrorKind::Source,
        TransportError::Upload { .. } => ErrorKind::UploadFailed,
        TransportError::Unknown { .. } => ErrorKind::Unknown,
    }
}

fn hints_of(error: &TransportError) -> Vec<Hint> {
    let advice = match error {
        TransportError::Unreachable { source, .. } => {
            let mut hints = unreachable_hints(source.as_ref());
            if hints.is_empty() {
                hints.push("check that `ssh` reaches the host without asking anything".into());
            }
            hints.push(Hint::Except(Vec::new()));
            return hints;
        }
        TransportError::Unknown { .. } => return vec![Hint::Status],
        TransportError::Root { .. } | TransportError::Step { .. } | TransportError::Hook { .. } => {
            let Some(failure) = error.failure() else { return Vec::new() };
            match failure.kind {
                FailureKind::Missing if matches!(error, TransportError::Root { .. }) => {
                    return vec!["deploy to it first".into(), Hint::Except(Vec::new())];
                }
                FailureKind::CrossDevice => {
                    Some("the root, its releases and its state directory must be on one filesystem: see [layout]")
                }
                FailureKind::Denied => Some("check the owner of the root on the host, and the user you connect as"),
                FailureKind::NoSpace => Some("free space on the host"),
                FailureKind::ReadOnly => Some("the filesystem is read-only; see the host's kernel log"),
                _ => None,
            }
        }
        TransportError::Unsuitable { .. } | TransportError::Source { .. } | TransportError::Upload { .. } => None,
    };
    advice.into_iter().map(Hint::from).collect()
}

/// Returns what to do about the reason that a host is unreachable, as far as that is known.
#[cfg(feature = "ssh")]
fn unreachable_hints(source: &(dyn std::error::Error + 'static)) -> Vec<Hint> {
    let failure = source.downcast_ref::<crate::transport::ssh::SshFailure>();
    failure.map(|failure| failure.advice().iter().cloned().map(Hint::from).collect()).unwrap_or_default()
}

#[cfg(not(feature = "ssh"))]
fn unreachable_hints(_: &(dyn std::error::Error + 'static)) -> Vec<Hint> {
    Vec::new()
}

impl From<BatchError> for StoreError {
    fn from(error: BatchError) -> Self {
        TransportError::from(error).into()
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::new(error.kind(), error.to_string()).hints(error.hints()).because_of(error)
    }
}
