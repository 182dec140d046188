//! Shared parts of the benches: their own sshd, a wire with a delay, pairs of measurements, and a table.
#![expect(dead_code, reason = "each bench uses its part of it")]

pub(crate) mod bare;
pub(crate) mod pairs;
pub(crate) mod proxy;
pub(crate) mod site;
#[path = "../../tests/support/sshd.rs"]
pub(crate) mod sshd;
