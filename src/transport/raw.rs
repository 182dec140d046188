//! The vocabulary of transports: batches of operations, their replies, uploads and commands.
//!
//! Only authors of a [`Transport`](super::Transport) need it, and tests that look at what is sent. It grows with the
//! needs of the stores, faster than the rest of the crate.
//!
//! # Operations that a transport does not know
//!
//! A later version of this crate may send operations that a transport was not written for: [`Op`] is non-exhaustive. A
//! batch with one must not run in part, so a transport that matches on operations checks all of them first
//! ([`Batch::expect_known`]). A command that needs the operation is then refused before it changes anything, with the
//! name of the operation.
//!
//! ```
//! use switchback::transport::{TransportError, raw::{Batch, Op}};
//!
//! fn refuse_unknown(batch: &Batch) -> Result<(), TransportError> {
//!     batch.expect_known("web1", |op| match op {
//!         Op::Identify | Op::Clock | Op::Inspect { .. } => true,
//!         // And so on, for each operation that the transport implements.
//!         _ => false,
//!     })
//! }
//!
//! let mut batch = Batch::new("/srv/shop".parse()?);
//! batch.push(Op::RemoveTree { path: "tmp".parse()? });
//! let refused = refuse_unknown(&batch).map_err(|error| error.to_string());
//! let why = "web1 is not suitable: its transport does not know the operation RemoveTree";
//! assert_eq!(refused, Err(why.to_owned()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use super::{
    base::{Base, BaseLists},
    batch::{Batch, BatchId, OnFailure, Step},
    chain::{BoundedFile, ChainLink},
    changes::{Changes, Snapped},
    compare::{Compared, Comparison, Counted, DifferentEntries, ForeignEntry, TreeName},
    found::{Found, Listed, OwnedFile},
    group::{Group, GroupPlace, GroupReach},
    handle::{Ask, Handle},
    hook::{HookCall, Secrets},
    op::{Op, Reply, SyncReach},
    upload::Upload,
};
