//! [`Debt`]: an operation that an unreachable host missed, recorded on the other hosts.

use serde::{Deserialize, Serialize};

use crate::{name::ReleaseName, outcome::Command, path::InnerPath, time::Timestamp, token::Token};

/// An operation that a host missed because it was unreachable. The reachable hosts keep this record until a run
/// reaches the pending host too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Debt {
    /// The version of this format: 1.
    #[serde(rename = "format")]
    pub format: u32,
    /// The unreachable host, by its name in the configuration.
    #[serde(rename = "host")]
    pub host: String,
    /// The operation that it missed.
    #[serde(rename = "operation")]
    pub operation: Token,
    /// The command.
    #[serde(rename = "command", deserialize_with = "Command::known")]
    pub command: Command,
    /// The release that the host should be on.
    #[serde(rename = "release")]
    pub release: ReleaseName,
    /// The time of the operation, by the controller's clock.
    #[serde(rename = "at")]
    pub at: Timestamp,
}

impl Debt {
    /// Returns what the host missed, in words.
    pub(crate) fn describe(&self) -> String {
        format!("{} missed the {} to {}", self.host, self.command, self.release)
    }

    /// Returns the directory for the missed operations of `host`: its name, with every byte that is not a letter,
    /// digit or `-` in hex.
    pub(crate) fn directory(host: &str) -> InnerPath {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let spell = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("_{b:02x}") };
        let name: String = host.bytes().map(spell).collect();
        InnerPath::new(if name.is_empty() { "_" } else { &name }).expect("letters, digits, `-` and `_` make a name")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_a_directory_of_its_own() {
        let names = ["web1", "web.1", "web_1", "../etc", ".", "", "a/b", "w\u{e9}b"];
        let mut directories: Vec<String> = names.iter().map(|name| Debt::directory(name).to_string()).collect();
        assert_eq!(directories[..4], ["web1", "web_2e1", "web_5f1", "_2e_2e_2fetc"]);
        directories.sort();
        directories.dedup();
        assert_eq!(directories.len(), names.len());
    }
}
