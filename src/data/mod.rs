//! The data of an application, which migrates with its code: [`DataVersion`], [`DataRecord`], [`Preset`].

mod ledger;
mod migration;
mod preset;
mod record;
mod version;

pub use ledger::{LedgerEntry, LedgerStep};
pub use migration::{DataMigration, ShellMigration};
pub use preset::Preset;
pub use record::{DataChange, DataIntent, DataRecord, KeptData, KnownBy, KnownData};
pub use version::{DataVersion, DataVersionError};
