//! Data that goes forward and back with the code, on a fleet in memory whose second host has a number as its
//! data.

use crate::fleet::fixture;

mod crash;
mod deploy;
mod drill;
mod kept;
mod known;
mod model;
mod rollback;
