//! [`Preset`]: the commands of a known migration tool, and how its answer is read.
//!
//! The tool's own command is run bare and its answer read here: in a pipe of the shell the tool's failure would be lost.

mod alembic;
mod answer;
mod diesel;
mod django;
mod doctrine;
mod flyway;
mod golang_migrate;
mod laravel;
mod liquibase;
mod order;
mod rails;
mod refinery;
mod sea_orm;
mod sqitch;
mod sqlx;

use std::fmt;

use serde::{Deserialize, Serialize};

use self::answer::{Answer, Tool};
use super::{DataVersion, DataVersionError};

macro_rules! presets {
    ($($name:ident = $module:ident, $doc:literal;)+) => {
        /// A migration tool whose commands are known, and whose answer is read as it means it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Preset {
            $(#[doc = $doc] $name,)+
        }

        impl Preset {
            /// All of them.
            pub const ALL: [Self; [$(Self::$name),+].len()] = [$(Self::$name),+];

            fn tool(self) -> &'static Tool {
                match self {
                    $(Self::$name => &$module::TOOL,)+
                }
            }
        }
    };
}

presets! {
    Alembic = alembic, "Alembic, for Python.";
    Diesel = diesel, "The diesel command, for Rust.";
    Django = django, "Django, for Python.";
    Doctrine = doctrine, "Doctrine Migrations, for PHP.";
    Flyway = flyway, "Flyway.";
    GolangMigrate = golang_migrate, "golang-migrate.";
    Laravel = laravel, "Laravel, for PHP.";
    Liquibase = liquibase, "Liquibase.";
    Rails = rails, "Rails, for Ruby.";
    Refinery = refinery, "Refinery, for Rust; it only goes forward.";
    SeaOrm = sea_orm, "sea-orm-cli, for Rust.";
    Sqitch = sqitch, "Sqitch.";
    Sqlx = sqlx, "sqlx-cli, for Rust.";
}

impl Preset {
    /// Its name, as it is written in a configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.tool().name
    }

    /// The command that prints the data version; `None` when the tool has none.
    #[must_use]
    pub fn version(self) -> Option<&'static str> {
        self.tool().version
    }

    /// The command that takes the data forward.
    #[must_use]
    pub fn apply(self) -> &'static str {
        self.tool().apply
    }

    /// The command that takes the data back to exactly `$SWITCHBACK_DATA_TARGET`; `None` when the tool knows no way back.
    #[must_use]
    pub fn revert(self) -> Option<&'static str> {
        self.tool().revert
    }

    /// What to write for a command that the tool does not have; empty when it has all three.
    #[must_use]
    pub fn advice(self) -> &'static str {
        self.tool().advice
    }

    /// The data version, from how the tool's command ended and what it printed.
    ///
    /// # Errors
    ///
    /// [`DataVersionError`] when the tool failed, or its answer names no single version that could be gone back to.
    pub fn read(self, status: u8, stdout: &[u8], stderr: &[u8]) -> Result<DataVersion, DataVersionError> {
        (self.tool().read)(&Answer { preset: self, status, stdout, stderr })
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_everywhere() {
        for preset in Preset::ALL {
            let word = serde_json::to_string(&preset).expect("a word");
            assert_eq!(word, format!("{:?}", preset.as_str()));
            assert_eq!(preset.version().is_none(), !preset.advice().is_empty(), "{preset}");
        }
    }
}
