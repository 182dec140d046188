//! The data goes back with the code: planned, checked, reverted, put back, and taken up again after every cut.

#[path = "../fleet/fixture.rs"]
#[expect(dead_code, reason = "the fleet's own tests use the rest")]
mod fixture;

mod crash;
mod deploy;
mod drill;
mod kept;
mod known;
mod model;
mod rollback;
