//! [`Preset`]: the commands of a known migration tool, and the parser of its version output.
//!
//! The tool's own command runs bare, and its output is parsed here: a shell pipe would lose the tool's failure.

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
    ($($name:ident => $word:literal = $module:ident, $doc:literal;)+) => {
        /// A migration tool with known commands and version output.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Preset {
            $(#[doc = $doc] #[serde(rename = $word)] $name,)+
        }

        impl Preset {
            /// Every preset.
            pub const ALL: [Self; [$(Self::$name),+].len()] = [$(Self::$name),+];

            /// Returns the name, as written in a configuration.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }

            fn tool(self) -> &'static Tool {
                match self {
                    $(Self::$name => &$module::TOOL,)+
                }
            }
        }
    };
}

presets! {
    Alembic => "alembic" = alembic, "Alembic, for Python.";
    Diesel => "diesel" = diesel, "The diesel command, for Rust.";
    Django => "django" = django, "Django, for Python.";
    Doctrine => "doctrine" = doctrine, "Doctrine Migrations, for PHP.";
    Flyway => "flyway" = flyway, "Flyway.";
    GolangMigrate => "golang-migrate" = golang_migrate, "golang-migrate.";
    Laravel => "laravel" = laravel, "Laravel, for PHP.";
    Liquibase => "liquibase" = liquibase, "Liquibase.";
    Rails => "rails" = rails, "Rails, for Ruby.";
    Refinery => "refinery" = refinery, "Refinery, for Rust; it only goes forward.";
    SeaOrm => "sea-orm" = sea_orm, "sea-orm-cli, for Rust.";
    Sqitch => "sqitch" = sqitch, "Sqitch.";
    Sqlx => "sqlx" = sqlx, "sqlx-cli, for Rust.";
}

impl Preset {
    /// Returns the command that prints the data version; `None` if the tool has none.
    #[must_use]
    pub fn version(self) -> Option<&'static str> {
        self.tool().version
    }

    /// Returns the command that migrates the data forward.
    #[must_use]
    pub fn apply(self) -> &'static str {
        self.tool().apply
    }

    /// Returns the command that migrates the data back to exactly `$SWITCHBACK_DATA_TARGET`; `None` if the tool
    /// cannot revert.
    #[must_use]
    pub fn revert(self) -> Option<&'static str> {
        self.tool().revert
    }

    /// Returns advice for a command that the tool does not have; empty if it has all three.
    #[must_use]
    pub fn advice(self) -> &'static str {
        self.tool().advice
    }

    /// Parses the data version from the exit status and output of the tool's command.
    ///
    /// # Errors
    ///
    /// [`DataVersionError`] when the tool failed, or its output names no single version to revert to.
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
