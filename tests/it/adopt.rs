//! `adopt`: trees of other tools, each laid out as that tool does, and some made by the real Capistrano and the real Mina.
#![cfg(feature = "cli")]

mod capistrano;
mod command_line;
mod crash;
mod directory;
mod fixture;
mod layouts;
mod mina;
mod partly;
