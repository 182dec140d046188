//! What the benches share: an sshd of their own, a wire that can be long, pairs of measurements, and a table.
#![expect(dead_code, reason = "each bench uses its part of it")]

pub(crate) mod bare;
pub(crate) mod pairs;
pub(crate) mod proxy;
pub(crate) mod site;
#[path = "../../tests/support/sshd.rs"]
pub(crate) mod sshd;
