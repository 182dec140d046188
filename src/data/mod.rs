//! The data of an application, which goes forward and back with its code: [`DataVersion`], [`DataRecord`].

mod ledger;
mod migration;
mod record;
mod version;

pub use ledger::{LedgerEntry, LedgerStep};
pub use migration::{DataMigration, ShellMigration};
pub use record::{DataChange, DataRecord};
pub use version::{DataVersion, DataVersionError};
