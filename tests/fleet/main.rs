//! Commands on fleets of hosts in memory: what they do, what they refuse, and what a crash leaves.

mod again;
mod commands;
mod crash;
mod current;
mod debts;
mod expected;
mod fixture;
mod history;
mod hostile;
mod left_to;
mod locks;
mod lying;
mod prune;
mod put_back;
mod questions;
mod records;
mod removed;
#[path = "../support/rng.rs"]
mod rng;
mod rollback;
mod round_trips;
mod sealed;
mod shared;
mod source;
mod surroundings;
mod unreadable;
mod unsealed;
mod verify;
mod world;
mod writable;
