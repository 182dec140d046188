//! `adopt`: trees of other tools, each laid out as that tool does, and one made by the real Capistrano.
#![cfg(feature = "cli")]

mod capistrano;
mod command_line;
mod crash;
mod directory;
mod fixture;
mod layouts;
mod partly;
#[path = "../support/mod.rs"]
mod support;
