//! Fixtures that several test programs share. `tests/README.md` describes each in a line.
#![expect(dead_code, reason = "each test file uses its part of it")]

#[cfg(feature = "cli")]
pub(crate) mod case;
#[cfg(feature = "cli")]
pub(crate) mod cut;
pub(crate) mod ground;
pub(crate) mod hooks;
pub(crate) mod local_shell;
pub(crate) mod mounts;
pub(crate) mod names;
#[cfg(all(feature = "ssh", feature = "cli"))]
pub(crate) mod nodes;
pub(crate) mod proxy;
pub(crate) mod puppet;
pub(crate) mod rng;
pub(crate) mod schema;
#[cfg(feature = "cli")]
pub(crate) mod site;
#[cfg(feature = "ssh")]
pub(crate) mod sshd;
pub(crate) mod steps;
#[cfg(feature = "cli")]
pub(crate) mod terminal;
#[cfg(feature = "cli")]
pub(crate) mod truth;
pub(crate) mod wait;
