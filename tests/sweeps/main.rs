//! Sweeps over very many cases: a sample by default, all of them with `--ignored`.

mod kill_remote;
mod kill_sweep;
mod model;
mod network;
mod simulation;
#[path = "../support/mod.rs"]
mod support;
