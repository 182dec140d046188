//! [`SshOptions`]: how hosts are reached over SSH. Plain data, also without the `ssh` feature, so that a configuration
//! reads the same everywhere.

use std::time::Duration;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::address::Address;

/// How hosts are reached over SSH. What is not set here, the user's own ssh configuration decides.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SshOptions {
    /// The ssh configuration to use; `None` for the user's and the system's.
    pub config: Option<Utf8PathBuf>,
    /// The private key; `None` for what the agent and the configuration offer.
    pub identity: Option<Utf8PathBuf>,
    /// What is done with host keys that are not known yet.
    pub known_hosts: KnownHosts,
    /// The file of known host keys; `None` for the user's.
    pub known_hosts_file: Option<Utf8PathBuf>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long one exchange may take, once connected.
    pub exchange_timeout: Duration,
    /// The hosts to go through, first to last.
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

/// What is done with host keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownHosts {
    /// A host whose key is not known is not connected to, and no file of known keys is ever written.
    Strict,
    /// The key of a host seen for the first time is accepted and remembered; a changed one never is.
    AcceptNew,
}
