//! Deploys into release directories, and rolls back reliably in seconds.
//!
//! Every release lies in a directory of its own. One `rename(2)` switches a symlink, `current`, to it, on all hosts
//! together. Before that, a plain file in the new release records the previous target. A rollback points the symlink
//! there again: no build, no source, no guessing.
//!
//! # An example
//!
//! ```
//! use std::sync::Arc;
//!
//! use switchback::{
//!     Config, Fleet, HostPath,
//!     fleet::{DeployOptions, RollbackOptions},
//!     event::Silent,
//!     release::NewRelease,
//! };
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let directory = tempfile::tempdir()?;
//! let root: HostPath = directory.path().to_str().ok_or("not UTF-8")?.parse()?;
//!
//! // A root on this machine. `Config::from_file` reads a switchback.toml with hosts over SSH.
//! let fleet = Fleet::from_config(&Config::for_root(root, &[])?)?;
//! for name in ["v1", "v2"] {
//!     let source = format!("examples/site/{name}");
//!     let release = NewRelease::open(name.parse()?, source.as_str().into())?;
//!     fleet.deploy(Arc::new(release), &DeployOptions::new(), Silent).await?;
//! }
//! let report = fleet.rollback(&RollbackOptions::new(), Silent).await?;
//! assert_eq!(report.hosts[0].after, Some("v1".parse()?));
//! fleet.close().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Architecture
//!
//! ```text
//! arguments + config --> request --> plan --> fleet  --> store --> transport --> host
//!  (the command)         (config)   (pure)   (do/undo)  (layout)  (batches)
//!                                      |         |
//!                                      |         `--> events and the report, for the caller
//!                                      `--> printed by a dry run, unchanged
//! ```
//!
//! Arrows point right only.
//!
//! - [`config`] reads a `switchback.toml` into a [`Config`], with every default filled in.
//! - `plan` decides what to do, from the state of the hosts. It does no I/O, so a dry run prints what would run.
//! - [`fleet`] executes a plan on a [`Fleet`]: every host finishes a phase before the next phase begins, and if a host
//!   fails, it reverts the changes.
//! - [`store`] manages the releases of one root. Only it knows names on disk, and only a held lock can change anything.
//! - [`transport`] reaches a host: this machine, SSH, any shell, or your own transport. Work is data: batches of steps,
//!   one round trip each.
//! - [`tree`] and [`release`] model the content of a deploy; [`event`] and [`report`] its progress and result.
//!
//! The [`guide`] documents the tree on disk, the leftovers of a crash, exit codes, error kinds, JSON and SSH, and
//! [what stays stable](guide::stability).
//!
//! # Features
//!
//! Without any feature, there is the whole engine, for a [`Config`] or [`Host`]s built in code, in fewer than 50 crates
//! and without a C compiler. Features only add:
//!
//! | feature | adds |
//! | --- | --- |
//! | `config` | a [`Config`] from `switchback.toml`, and exclude patterns for a source |
//! | `compression` | compressed uploads, and sources in `.tar.gz` and `.tar.zst`; builds zstd, with a C compiler |
//! | `ssh` | hosts over SSH, through the system's own `ssh` |
//! | `blocking` | `blocking::Fleet`, for programs without a runtime |
//! | `cli` | the `switchback` command, with `config`, `compression` and `ssh`; the only default feature |
//! | `testing` | the conformance suites for transports and stores, an in-memory host, recording and faulty transports |
//!
//! A program that uses the library names what it needs:
//!
//! ```toml
//! switchback = { version = "0.1", default-features = false, features = ["config", "ssh"] }
//! ```
//!
//! Without `compression`, uploads are sent as they are, and a compressed archive is refused with an error that names the
//! feature; so are exclude patterns without `config`, and hosts over SSH without `ssh`.
//!
//! # Systems
//!
//! Hosts run Linux. So does a controller whose own machine is a host or runs commands, such as those of `[data]` with
//! `host = "controller"`. A controller of hosts over SSH can also run macOS or FreeBSD: `transport::LocalTransport` does
//! not exist there, and [`Fleet::from_config`] refuses a host without an address.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
pub mod adoption;
#[cfg(feature = "blocking")]
pub mod blocking;
mod cache;
mod claim;
pub mod commands;
pub mod config;
mod crowd;
pub mod data;
pub mod debt;
mod diff;
pub mod drill;
mod error;
pub mod event;
mod exit;
pub mod fleet;
#[cfg(test)]
mod frozen;
mod future;
mod group;
pub mod guide;
mod hex;
mod hint;
pub mod history;
pub mod hook;
mod limits;
mod lines;
pub mod lock;
mod log;
pub mod manifest;
mod name;
mod outcome;
mod path;
mod plan;
pub mod record;
pub mod release;
pub mod report;
pub mod revision;
mod run_blocking;
mod run_error;
#[cfg(test)]
mod schema;
pub mod shared;
pub mod status;
pub mod store;
mod target;
mod target_check;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod time;
mod token;
pub mod transport;
pub mod tree;
mod verification;

pub use address::{Address, AddressError};
pub use config::{Config, error::ConfigError};
pub use error::{Error, ErrorKind};
pub use event::{Event, Observer};
pub use exit::ExitCode;
pub use fleet::members::{Fleet, Host};
pub use future::BoxFuture;
pub use group::{GroupName, GroupNameError};
pub use hint::{Hint, Notice};
pub use name::{NameError, ReleaseName};
pub use path::{HostPath, InnerPath, PathError};
pub use release::Release;
pub use report::Report;
pub use run_error::RunError;
pub use store::{
    ReleaseStore,
    dir::DirStore,
    layout::{Layout, LayoutError},
};
pub use target_check::TargetCheck;
pub use time::{Timestamp, TimestampError};
pub use token::{Token, TokenError};
pub use transport::Transport;
