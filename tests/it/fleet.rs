//! The library on fleets of hosts in memory: commands, refusals, crashes. The first place for a new test of
//! behaviour.

mod again;
mod commands;
mod crash;
mod current;
mod debts;
mod diff;
mod dropped;
mod embedding;
mod expected;
pub(crate) mod fixture;
mod history;
mod hostile;
mod left_to;
mod locks;
mod log;
mod lying;
mod prune;
mod put_back;
mod questions;
mod records;
mod removed;
use crate::support::rng;
mod rollback;
mod round_trips;
mod sealed;
mod shared;
mod source;
mod surroundings;
mod synced;
mod unreadable;
mod unsealed;
mod verify;
mod world;
mod writable;
