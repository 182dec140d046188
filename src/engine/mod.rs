//! Carries plans out on a fleet: [`Fleet`].
//!
//! Every phase is done on every host before the next one begins. Before the switch, a failure anywhere leaves every
//! `current` where it was; after it, what took effect is put back everywhere. What is reported was read back.

mod activate;
mod adopt;
mod cancel;
mod check;
mod connect;
mod data;
mod deploy;
mod drill;
mod execute;
mod execution;
mod finish;
mod fleet;
mod hooks;
mod links;
mod locked_host;
mod look;
mod observe;
mod options;
mod outcome;
mod pin;
mod plan_and_execute;
mod prepare;
mod probe;
mod prune;
mod questions;
mod recover;
mod revert;
mod rollback;
mod run;
mod secrets;
mod shell;
mod source;
mod staging;
mod switch;
mod take_locks;
mod unlock;
mod validate;
mod verify;

pub use cancel::Cancel;
pub use fleet::{Fleet, Host};
pub use options::{
    ActivateOptions, Code, CommandsFrom, DeployOptions, DrillOptions, RecoverOptions, RollbackOptions, RunOptions,
};
