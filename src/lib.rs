//! Deploys into release directories and goes back, in seconds, surely.
//!
//! Every release lands in a directory of its own. A symbolic link, `current`, is switched to it by one `rename(2)`, on all
//! hosts together. What it pointed at before is recorded in the new release first, in a plain file, and going back means
//! pointing the link there again: no build, no source, no guessing.
//!
//! # An example
//!
//! ```
//! use std::sync::Arc;
//!
//! use switchback::{
//!     Config, Fleet, HostPath,
//!     engine::{DeployOptions, RollbackOptions},
//!     event::Silent,
//!     release::NewRelease,
//! };
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let directory = tempfile::tempdir()?;
//! let root: HostPath = directory.path().to_str().ok_or("not UTF-8")?.parse()?;
//!
//! // A root on this machine. `Config::from_file` reads a switchback.toml with hosts over SSH.
//! let fleet = Fleet::connect(&Config::for_root(root, &[])?)?;
//! for name in ["v1", "v2"] {
//!     let source = format!("examples/site/{name}");
//!     let release = NewRelease::open(name.parse()?, source.as_str().into())?;
//!     fleet.deploy(Arc::new(release), &DeployOptions::default(), &Silent).await.into_result()?;
//! }
//! let report = fleet.rollback(&RollbackOptions::default(), &Silent).await.into_result()?;
//! assert_eq!(report.hosts[0].after, Some("v1".parse()?));
//! fleet.close().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The way through the house
//!
//! ```text
//! arguments + config --> request --> plan --> engine --> store --> transport --> host
//!  (the command)         (config)   (pure)   (do/undo)  (layout)  (batches)
//!                                      |         |
//!                                      |         `--> events and the report, for the caller
//!                                      `--> printed by a dry run, unchanged
//! ```
//!
//! Arrows point right only.
//!
//! - [`config`] reads a `switchback.toml` into a [`Config`], with every default filled in.
//! - [`plan`] decides what is to be done, from what the hosts said. It does no I/O, so a dry run prints what would run.
//! - [`engine`] carries a plan out on a [`Fleet`]: a phase on every host before the next one begins, and what took effect
//!   is undone when one fails.
//! - [`store`] keeps the releases of one root. Only it knows names on disk, and only a held lock can change anything.
//! - [`transport`] reaches a host: this machine, SSH, any shell, or one of your own. Work is data, one round trip a batch.
//! - [`tree`] and [`release`] are what is deployed; [`event`] and [`report`] are what is told.
//!
//! The [`guide`] has the tree on disk, what a crash leaves, exit codes, kinds of error, JSON and SSH.
//!
//! # Features
//!
//! | feature | default | what it brings |
//! | --- | --- | --- |
//! | `ssh` | yes | hosts over SSH, through the system's own `ssh` |
//! | `cli` | yes | the `switchback` command; a library does without it, and then without clap and terminal crates |
//! | `testing` | no | the conformance suite for transports, a host in memory, recorded and faulty transports |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
pub mod adoption;
mod blocking;
mod cache;
pub mod commands;
pub mod config;
mod crowd;
pub mod data;
pub mod debt;
pub mod drill;
pub mod engine;
mod error;
pub mod event;
mod exit;
mod future;
mod group;
pub mod guide;
pub mod history;
pub mod hook;
mod lines;
pub mod lock;
pub mod manifest;
mod name;
mod outcome;
mod path;
pub mod plan;
pub mod record;
pub mod release;
pub mod report;
pub mod revision;
pub mod shared;
pub mod status;
pub mod store;
mod target_check;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod time;
mod token;
pub mod transport;
pub mod tree;
mod verification;

pub use address::{Address, AddressError};
pub use config::{Config, ConfigError};
pub use engine::{Fleet, Host};
pub use error::{Error, ErrorKind};
pub use event::{Event, Observer};
pub use exit::ExitCode;
pub use future::BoxFuture;
pub use group::{GroupName, GroupNameError};
pub use name::{NameError, ReleaseName};
pub use path::{HostPath, InnerPath, PathError};
pub use release::Release;
pub use report::Report;
pub use store::{DirStore, Layout, LayoutError, ReleaseStore};
pub use target_check::TargetCheck;
pub use time::{Timestamp, TimestampError};
pub use token::{Token, TokenError};
pub use transport::Transport;
