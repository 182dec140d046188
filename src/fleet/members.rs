//! [`Fleet`]: the hosts of a deploy, and the commands on them.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;

use crate::{
    error::{Error, ErrorKind},
    store::ReleaseStore,
};

use super::{defaults::Defaults, phases::migrate::VERSION_PAUSE, task::Tasks};

/// The default number of hosts processed at once. Switches and reverts are not limited: all hosts get them
/// at once.
const PARALLEL: usize = 32;

/// A host of a fleet: one root, reached over one transport.
#[derive(Debug, Clone)]
pub struct Host {
    pub(super) name: String,
    pub(super) store: Arc<dyn ReleaseStore>,
}

impl Host {
    /// Creates the host `name`, whose releases are in `store`.
    #[must_use]
    pub fn new(name: impl Into<String>, store: impl ReleaseStore) -> Self {
        Self { name: name.into(), store: Arc::new(store) }
    }

    /// Returns the host's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the host's store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn ReleaseStore> {
        &self.store
    }
}

/// The hosts of a deploy, and the commands on them. A handle: clones are cheap, and share connections and tasks.
///
/// A command returns its [`Report`](crate::Report), which says which release each host is on, as read back from the
/// host. If the command did not do what was asked, that report is in a [`RunError`](crate::RunError).
///
/// # Runtime
///
/// Commands need a [Tokio](https://docs.rs/tokio) runtime of either flavor, with timers and I/O enabled. Without a
/// runtime they fail with an error; where timers or I/O are not enabled, Tokio panics. The connections start processes and wait for them, and pauses need a timer. A command that
/// changes something runs in a task of that runtime, so that it reverts and releases its locks although its caller
/// stopped waiting; [`in_place`](Self::in_place) opts out of that.
///
/// # Cancel safety
///
/// Dropping the future of a command, by a timeout or an abort, requests a stop, as [`Cancel`](super::Cancel) does: the
/// task reverts what it did, unless its method says otherwise, and releases the locks. [`close`](Self::close) waits for
/// that. A panic of an observer does the same, and continues in the caller afterwards; a panic of a hook or a migration
/// in Rust is a failure of that step.
///
/// Nothing can revert when the whole runtime is shut down. The locks then stay on the hosts, and the next command takes
/// them over: over SSH, once the shell on the host has noticed the lost connection, within seconds; on this machine, at
/// once if this process runs it, else once this process has ended, or after [`unlock`](Self::unlock) with `force`. What
/// the command had begun is there for [`recover`](Self::recover).
#[derive(Debug, Clone)]
pub struct Fleet {
    pub(super) hosts: Arc<[Host]>,
    pub(super) parallel: usize,
    /// Whether others may write to a directory on the path to a root.
    pub(super) allow_writable: bool,
    /// The pause before an unexpected data version must be printed again.
    pub(super) version_pause: Duration,
    /// The configured settings of commands.
    pub(super) defaults: Arc<Defaults>,
    /// The tasks of the commands that change something.
    pub(super) tasks: Tasks,
    /// Whether commands run in the future of their caller instead.
    pub(super) in_place: bool,
}

impl Fleet {
    /// Creates a fleet of these hosts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when there is no host, or two have the same name; [`ErrorKind::RootRefused`] when a root
    /// is a system directory.
    pub fn new(hosts: Vec<Host>) -> Result<Self, Error> {
        if hosts.is_empty() {
            return Err(Error::new(ErrorKind::Config, "no host is selected"));
        }
        for (at, host) in hosts.iter().enumerate() {
            if hosts[..at].iter().any(|other| other.name == host.name) {
                return Err(Error::new(ErrorKind::Config, format!("two hosts are called {}", host.name)));
            }
            if host.store.root().is_system() {
                let message = format!(
                    "{} on {} is a system directory, never a deploy root; nothing was touched",
                    host.store.root(),
                    host.name
                );
                return Err(
                    Error::new(ErrorKind::RootRefused, message).hint("name a directory of your own, such as /srv/shop")
                );
            }
        }
        Ok(Self {
            hosts: hosts.into(),
            parallel: PARALLEL,
            allow_writable: false,
            version_pause: VERSION_PAUSE,
            defaults: Arc::default(),
            tasks: Tasks::default(),
            in_place: false,
        })
    }

    /// Limits the number of hosts that are read from or uploaded to at once; at least one.
    #[must_use]
    pub fn parallel(mut self, parallel: usize) -> Self {
        self.parallel = parallel.max(1);
        self
    }

    /// Deploys even if others may write to a directory on the path to a root, and only warns. Rollbacks
    /// never check this.
    #[must_use]
    pub fn allow_writable(mut self, allow: bool) -> Self {
        self.allow_writable = allow;
        self
    }

    /// Sets the pause before an unexpected data version must be printed again; one second by default.
    #[must_use]
    pub fn version_pause(mut self, pause: Duration) -> Self {
        self.version_pause = pause;
        self
    }

    /// Makes commands run in the future of their caller, instead of in a task: for a program that polls each of them to its
    /// end, as the `switchback` command does.
    ///
    /// A dropped future, and a panic of an observer, is then a kill: nothing is reverted, and the next command takes over
    /// the locks once their holder counts as dead.
    #[must_use]
    pub fn in_place(self) -> Self {
        Self { in_place: true, ..self }
    }

    /// Returns the hosts, in their order.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Waits until no command that changes something is under way on any clone, then closes all connections. Without it
    /// they close by themselves within a bounded time.
    ///
    /// The runtimes of these commands must still run: it waits forever for a task that nobody polls.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves some connections open; they close by themselves.
    pub async fn close(&self) {
        self.tasks.ended().await;
        self.disconnect().await;
    }

    /// Closes all connections.
    pub(super) async fn disconnect(&self) {
        join_all(self.hosts.iter().map(|host| host.store.close())).await;
    }
}
