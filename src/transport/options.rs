//! [`SshOptions`]: settings for SSH connections. Plain data, available without the `ssh` feature.
//!
//! A configuration therefore reads the same with and without it.

use std::time::Duration;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::address::Address;

/// Settings for SSH connections. The user's own ssh configuration decides settings left out here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SshOptions {
    /// The ssh configuration to use; `None` for the user's and the system's.
    pub config: Option<Utf8PathBuf>,
    /// The private key; `None` for those that the agent and the configuration offer.
    pub identity: Option<Utf8PathBuf>,
    /// The treatment of unknown host keys.
    pub known_hosts: KnownHosts,
    /// The file of known host keys; `None` for the user's.
    pub known_hosts_file: Option<Utf8PathBuf>,
    /// The time limit for connecting.
    pub connect_timeout: Duration,
    /// The time limit for one exchange, once connected.
    pub exchange_timeout: Duration,
    /// The hosts to jump through, first to last.
    pub jump: Vec<Address>,
}

impl Default for SshOptions {
    fn default() -> Self {
        Self {
            config: None,
            identity: None,
            known_hosts: KnownHosts::Strict,
            known_hosts_file: None,
            connect_timeout: Duration::from_secs(10),
            exchange_timeout: Duration::from_secs(60),
            jump: Vec::new(),
        }
    }
}

/// The treatment of host keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KnownHosts {
    /// Refuses hosts whose key is unknown, and never writes a file of known keys.
    #[serde(rename = "strict")]
    Strict,
    /// Accepts and remembers the key of a new host; never accepts a changed one.
    #[serde(rename = "accept-new")]
    AcceptNew,
}
