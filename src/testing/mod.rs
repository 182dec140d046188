//! Tools for authors of transports and stores, and for tests of code that runs on them (feature `testing`).
//!
//! - [`conformance`] checks a transport against the contract of [`Transport`](crate::Transport), case by case.
//! - [`stores`] checks a store against the contract of [`ReleaseStore`](crate::ReleaseStore), case by case.
//! - [`Recording`] counts the exchanges, and records the batches and commands, of the transport that it wraps.
//! - [`Faults`] cuts the transport that it wraps off after a given step, or loses an answer: counting reaches every
//!   state that a crash can leave behind.
//! - [`Unreadable`] fails the reads of given files, as a missing permission or a failing disk does.
//! - [`Collected`] is an observer that collects.
//! - [`WholeReport`] awaits the report of a command, whatever its outcome.
//! - [`MemoryHost`](crate::transport::MemoryHost) is a host for these tests.
//!
//! ```
//! use std::sync::Arc;
//!
//! use switchback::{
//!     testing::{Cut, Faults, Recording},
//!     transport::{Effect, MemoryHost, Transport, raw::{Batch, Op}},
//! };
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let host = MemoryHost::new();
//! host.make_dir("/srv/shop");
//!
//! let recorded = Arc::new(Recording::new(host.connect("web1")));
//! let transport = Faults::new(Arc::clone(&recorded), Cut::after(1));
//! let mut batch = Batch::new("/srv/shop".parse()?);
//! for name in ["one", "two"] {
//!     batch.push(Op::MakeDir { path: name.parse()?, mode: 0o755, existing_is_fine: false });
//! }
//!
//! let error = transport.execute(&batch).await.expect_err("it is cut after the first step");
//! assert_eq!(error.effect(), Effect::Unknown);
//! assert_eq!(host.list("/srv/shop").as_deref(), Some(&["one".to_owned()][..]));
//! assert_eq!(recorded.exchanges(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod collected;
pub mod conformance;
mod faults;
mod recording;
mod report;
pub mod stores;
mod unreadable;
mod verdict;

pub use collected::Collected;
pub use faults::{AfterLoss, Cut, Faults};
pub use recording::Recording;
pub use report::WholeReport;
pub use unreadable::Unreadable;
pub use verdict::{Summary, Verdict};
