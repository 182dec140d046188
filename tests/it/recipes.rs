//! The recipes of the guide, with real databases, through the real command.
//!
//! What a test needs and the machine does not have is said in words, and that test is skipped; `tests/run.sh` installs it.
#![cfg(all(feature = "ssh", feature = "cli"))]

mod cluster;
mod fleet;
mod guide;
mod postgresql;
mod shop;
mod sqlite;
use crate::support;
mod tools;
