//! `adopt`: trees laid out as other tools do it, and some made by the real Capistrano and the real Mina. Through
//! the library in memory, and through the command.
#![cfg(feature = "cli")]

mod capistrano;
mod command_line;
mod crash;
mod directory;
mod fixture;
mod layouts;
mod mina;
mod partly;
