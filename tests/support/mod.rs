//! What several test files share.
#![expect(dead_code, reason = "each test file uses its part of it")]

#[cfg(feature = "cli")]
pub(crate) mod case;
#[cfg(feature = "cli")]
pub(crate) mod cut;
pub(crate) mod hooks;
pub(crate) mod local_shell;
pub(crate) mod mounts;
pub(crate) mod proxy;
#[cfg(feature = "cli")]
pub(crate) mod site;
#[cfg(feature = "ssh")]
pub(crate) mod sshd;
pub(crate) mod steps;
#[cfg(feature = "cli")]
pub(crate) mod truth;
pub(crate) mod wait;
