//! Deploys into release directories and goes back, in seconds, surely.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
pub mod config;
pub mod engine;
mod error;
pub mod event;
mod exit;
mod future;
pub mod history;
pub mod lock;
mod name;
mod outcome;
mod path;
pub mod plan;
pub mod record;
pub mod release;
pub mod report;
pub mod status;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod time;
mod token;
pub mod transport;
pub mod tree;

pub use address::{Address, AddressError};
pub use config::{Config, ConfigError};
pub use engine::{Fleet, Host};
pub use error::{Error, ErrorKind};
pub use event::{Event, Observer};
pub use exit::ExitCode;
pub use future::BoxFuture;
pub use name::{NameError, ReleaseName};
pub use path::{HostPath, InnerPath, PathError};
pub use release::Release;
pub use report::Report;
pub use store::{DirStore, Layout, LayoutError, ReleaseStore};
pub use time::{Timestamp, TimestampError};
pub use token::{Token, TokenError};
pub use transport::Transport;
