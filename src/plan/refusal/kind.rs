//! The stable kind of each refusal.

use crate::error::ErrorKind;

use super::Reason;

impl Reason {
    /// Returns the error kind of the refusal.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotOurs { .. } | Self::HalfAdopted { .. } => ErrorKind::NotOurs,
            Self::OthersMayWrite { .. }
            | Self::GroupMayWrite { .. }
            | Self::ForeignRelease { .. }
            | Self::ForeignState { .. }
            | Self::ForeignRecord { .. } => ErrorKind::OthersMayWrite,
            Self::SameRoot { .. } => ErrorKind::Config,
            Self::AnotherFilesystem { .. } => ErrorKind::RootRefused,
            Self::NoSuchGroup { .. } | Self::NotInGroup { .. } | Self::NotOfGroup { .. } => ErrorKind::OtherAccount,
            Self::NotSealed { .. } => ErrorKind::DamagedRelease,
            Self::NoCurrent(_) | Self::NothingToLink { .. } => ErrorKind::NoCurrent,
            Self::NotDeployed => ErrorKind::NotDeployed,
            Self::Dangling => ErrorKind::Dangling,
            Self::NameTaken { .. }
            | Self::OtherContent { .. }
            | Self::IsThere { .. }
            | Self::IsBad { .. }
            | Self::WasInterrupted { .. } => ErrorKind::NameTaken,
            Self::NotFrom { .. } | Self::GoneMeanwhile { .. } => ErrorKind::Conflict,
            Self::NoSuchRelease { .. } => ErrorKind::NoSuchRelease,
            Self::OnTheWayBack { .. } => ErrorKind::OnTheWayBack,
            Self::MissingShared { .. } | Self::SharedKind { .. } => ErrorKind::MissingShared,
            Self::ShippedShared { .. } => ErrorKind::Source,
            Self::UnknownTree { .. } => ErrorKind::UnknownTree,
            Self::ForeignLock { .. } => ErrorKind::Locked,
            Self::HostsDiffer => ErrorKind::HostsDiffer,
            Self::NothingBefore { .. } => ErrorKind::NothingBefore,
            Self::BadRecord { .. } => ErrorKind::BadRecord,
            Self::PreviousGone { .. } => ErrorKind::PreviousGone,
            Self::ChainLoops { .. } => ErrorKind::ChainLoops,
            Self::Irreversible { .. } | Self::NoRevert { .. } | Self::RevertGone { .. } => ErrorKind::Irreversible,
            Self::DataUnreadable { .. }
            | Self::LedgerUnreadable { .. }
            | Self::MarkUnreadable { .. }
            | Self::CommandsUnreadable { .. }
            | Self::PrunedUnreadable { .. }
            | Self::IntentUnreadable { .. } => ErrorKind::DamagedState,
            Self::RecordsDiffer { .. } => ErrorKind::RecordsDiffer,
            Self::OnController { .. } | Self::SecretsUnsaid { .. } => ErrorKind::NotConfigured,
            Self::DataMoved { .. } | Self::NoWayTo { .. } | Self::DataOffTheWay { .. } | Self::DataElsewhere { .. } => {
                ErrorKind::DataDiffers
            }
        }
    }
}
