//! The phases of an execution, each with its undo.
//!
//! A phase is complete on every host before the next one begins. Each says what a failure, a kill and a lost answer
//! leave behind. [`execute`](super::execute) has their order, and the order of their undo.

pub(super) mod after;
pub(super) mod conclude;
pub(super) mod lock;
pub(super) mod migrate;
pub(super) mod prepare;
pub(super) mod revert;
pub(super) mod settle;
pub(super) mod stage;
pub(super) mod switch;
pub(super) mod validate;
