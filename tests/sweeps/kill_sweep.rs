//! The command, killed and disturbed at each system call that changes a root.
//!
//! Needs `strace`; without it the tests print that they are skipped, or fail with `SWITCHBACK_REQUIRE_STRACE=1`. The
//! full sweeps: `cargo test --all-features --test sweeps -- --ignored kill_sweep`.
#![cfg(feature = "cli")]

mod calls;
mod failing;
mod killed;
mod power;
use crate::support;
