//! Executes commands on a fleet of hosts: [`Fleet`].
//!
//! A phase is complete on every host before the next one begins. Before the switch, a failure anywhere leaves every
//! `current` where it was; after it, the changes are reverted on every host. Reports show what was read back.
//!
//! # Architecture
//!
//! The rest of this page is for contributors. This module decides nothing about releases and knows nothing about files:
//! `plan` decides, purely, on the states that were read, and a [`store`](crate::store) does the work on
//! a host. It asks, orders, reports, and undoes.
//!
//! ```text
//! with_locks: every operation that takes locks
//!     observe ─► questions ─► plan ─► upload     deploy, stage; without the upload: pin, unpin, adopt, every dry run
//!     lock ─► read what the lock's reply lacks ─► plan ─► refuse ─► act
//!                                                                    ├─► execute       deploy, stage, activate,
//!                                                                    │                 rollback, recover
//!                                                                    └─► edit, unlock  prune, pin, unpin, adopt
//!
//! execute
//!     settle ─► prepare ─► migrate ─► switch ─► after ─► migrate ─► validate ─► conclude
//!               └──────────────────┬──────────────────────────────────┘          ▲
//!         a failure or a requested stop, but not past the pivot                  │
//!                                  └─► undo: switch ─► data ─► hooks ─► prepare ─┘
//! ```
//!
//! The upload comes before the locks, so that an urgent rollback never waits for it. The plan is therefore made twice:
//! what was observed without a lock may have changed.
//!
//! Each phase documents what a failure, a kill and a lost answer leave behind. Once every host of a rollback or
//! recovery has switched, it is past its *pivot*, and nothing is undone: that would make a bad release current again.
//! `prune`, `pin` and `adopt` are edits without undo, made so that they can be repeated.
//!
//! | file | content |
//! | --- | --- |
//! | `members`, `commands`, `connect`, `options`, `setters`, `call`, `cancel` | the public face |
//! | `task` | the tasks in which commands run: a dropped future, a panic of an observer, no runtime |
//! | `direct` | the commands as a task executes them, or another command such as a drill |
//! | `defaults` | the configured settings, where the options do not say otherwise |
//! | `run` | `Run`: one command under way, its options, events and reports |
//! | `operations/` | one file for each command |
//! | `with_locks` | lock, plan, act, for every operation that takes locks; what an operation says of itself |
//! | `observe`, `questions`, `source` | reading states without locks; all that can refuse before a change |
//! | `locked_host`, `execution`, `execute` | a host whose lock is held; a plan under way; the order of the phases and of their undo |
//! | `phases/` | one file for each phase, its undo included |
//! | `log` | the acts of an execution, each begun before it and settled by its answer; what an undo reads |
//! | `outcome` | the table that decides the outcome of an execution |
//! | `hooks`, `shell`, `secrets`, `links` | hooks, their shells and variables; symlinks to shared paths |
//!
//! ## Where new things go
//!
//! * A **command**: a variant of [`Command`](crate::report::Command), its options in `options`, a method of [`Fleet`]
//!   in `commands` that owns what it needs, and a file in `operations/` with a function that takes a `Run` and returns a [`Report`](crate::report::Report).
//!   The decision is a pure function in `plan`. If it moves `current`, give that function to a `Mover`; if it only
//!   edits marks, implement `Operation`, and end its `act` with the guard's `finish`. Run it by `with_locks`. Say in
//!   `Question::concerns` which questions concern it.
//! * A **phase**: a variant of [`Phase`](crate::event::Phase), and a file in `phases/` with a method of `Run` on an
//!   `Execution`, called in `before_switch` or `after_switch` of `execute`. It leaves failures in the host or the execution, and never returns
//!   early while other hosts are at work. Its undo is called in `undo`, where the order matters. Add its rows to the
//!   page [`guide::recovery`](crate::guide::recovery): the tests cut every command after each step and look.
//! * A **question**: a variant of `Question`, asked in `refuse_unfit_hosts` if the observed states answer it, else in
//!   `refuse_closed_hosts`. `check` and the dry run ask everything that a run asks; a test holds that.
//! * A **write on a host**: a method of [`StoreGuard`](crate::store::StoreGuard), one exchange if possible, that says
//!   how much took effect when it fails.

mod call;
mod cancel;
mod commands;
mod connect;
mod defaults;
mod direct;
mod execute;
mod execution;
mod hooks;
mod links;
mod locked_host;
mod log;
pub(crate) mod members;
mod observe;
mod operations;
mod options;
mod outcome;
mod phase_clock;
mod phases;
mod questions;
mod run;
mod secrets;
mod setters;
mod shell;
mod source;
mod task;
mod with_locks;

pub use call::Call;
pub use cancel::Cancel;
pub(crate) use members::{Fleet, Host};
pub use options::{
    ActivateOptions, Code, CommandsFrom, DeployOptions, DrillOptions, RecoverOptions, Retention, RollbackOptions,
    RunOptions,
};

pub use crate::target::{Direction, RollbackTarget};
