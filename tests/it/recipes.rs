//! The recipes of the guide with real databases, through the command.
//!
//! Tests whose tools are missing are skipped in words; `tests/run.sh` installs the tools.
#![cfg(all(feature = "ssh", feature = "cli"))]

mod cluster;
mod fleet;
mod guide;
mod postgresql;
mod shop;
mod sqlite;
use crate::support;
mod tools;
