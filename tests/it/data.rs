//! The data goes back with the code: planned, checked, reverted, put back, and taken up again after every cut.

use crate::fleet::fixture;

mod crash;
mod deploy;
mod drill;
mod kept;
mod known;
mod model;
mod rollback;
