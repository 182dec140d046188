//! [`Fleet`]: the hosts of a deploy, and the commands on them.

use std::{borrow::Cow, sync::Arc, time::Duration};

use futures_util::{StreamExt, future::join_all, stream};

use crate::{
    adoption::Tool,
    error::{Error, ErrorKind},
    event::Observer,
    name::ReleaseName,
    plan::{Return, RollbackTarget},
    release::Release,
    report::{Command, Failure, Report},
    store::ReleaseStore,
};

use super::{
    ActivateOptions, CommandsFrom, DeployOptions, DrillOptions, RecoverOptions, RollbackOptions, RunOptions,
    defaults::Defaults,
    observe::failure,
    operations::{activate, adopt, check, deploy, drill, inspect, pin, prune, recover, rollback, unlock, verify},
    phases::migrate::VERSION_PAUSE,
    run::Run,
};

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

/// The hosts of a deploy.
///
/// Every command returns a [`Report`], whatever happens. It says which release each host is on, as read back from the
/// host.
#[derive(Debug, Clone)]
pub struct Fleet {
    pub(super) hosts: Vec<Host>,
    pub(super) parallel: usize,
    /// Whether others may write to a directory on the path to a root.
    pub(super) allow_writable: bool,
    /// The pause before an unexpected data version must be printed again.
    pub(super) version_pause: Duration,
    /// The configured settings of commands.
    pub(super) defaults: Defaults,
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
        let defaults = Defaults::default();
        Ok(Self { hosts, parallel: PARALLEL, allow_writable: false, version_pause: VERSION_PAUSE, defaults })
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

    /// Returns the hosts, in their order.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Stages `release` on every host and switches to it. If a phase fails, reverts everything.
    ///
    /// A host that already is on a release of that name with the same content stays as it is, and the others are
    /// switched to it. Repeating a deploy therefore does nothing.
    pub async fn deploy(&self, release: Arc<dyn Release>, options: &DeployOptions, observer: &dyn Observer) -> Report {
        let options = &self.defaults.deploy(options);
        // A drill rehearses what has not passed one yet.
        if !options.anew
            && let Err(error) = self.defaults.expect_drill(release.as_ref()).await
        {
            return Report::refused(Command::Deploy, error);
        }
        let (fleet, skipped) = self.split_unreachable(&options.run).await;
        let run =
            Run::skipping(&fleet, self, skipped, Command::Deploy, &options.run, observer).keeping(options.keep.good());
        match deploy::deploy(run, release.as_ref(), options).await {
            Ok(report) => report,
            Err(way) => self.return_to(way, release.name(), options, observer).await,
        }
    }

    /// Goes to an existing release, as the deploy was asked to.
    async fn return_to(
        &self,
        way: Return,
        name: &ReleaseName,
        deploying: &DeployOptions,
        observer: &dyn Observer,
    ) -> Report {
        let (run, verify, from) = (deploying.run.clone(), deploying.verify, deploying.from.as_ref());
        let (fleet, skipped) = self.split_unreachable(&run).await;
        match way {
            Return::Activate => {
                let run_of = Run::skipping(&fleet, self, skipped, Command::Activate, &run, observer);
                let (allow_split, accept_data, keep) = (deploying.allow_split, deploying.accept_data, deploying.keep);
                let options = ActivateOptions { run: run.clone(), verify, allow_split, accept_data, keep };
                activate::activate(run_of.keeping(keep.good()), name, &options, from).await
            }
            Return::Rollback => {
                let run_of = Run::skipping(&fleet, self, skipped, Command::Rollback, &run, observer);
                let target = RollbackTarget::Release(name.clone());
                let options = RollbackOptions { run: run.clone(), target, verify, ..RollbackOptions::default() };
                rollback::rollback(run_of, &options, from).await
            }
        }
    }

    /// Rehearses a rollback: deploys `release`, rolls back, and deploys it again.
    ///
    /// Each leg runs over fresh connections, and proofs are taken after it. [`Report::drill`] has the legs. If a host
    /// has no release to roll back to, the content is first deployed as a baseline, under a generated name. If a proof
    /// fails, the fleet stays where that leg left it, and the report says where.
    pub async fn drill(&self, release: Arc<dyn Release>, options: &DrillOptions, observer: &dyn Observer) -> Report {
        drill::drill(self, release, options, observer).await
    }

    /// Stages `release` on every host: complete, durable, and not current.
    pub async fn stage(&self, release: Arc<dyn Release>, options: &RunOptions, observer: &dyn Observer) -> Report {
        let (fleet, skipped) = self.split_unreachable(options).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Stage, options, observer);
        deploy::stage(run, release.as_ref()).await
    }

    /// Switches every host to the release `name`, which all of them must have.
    pub async fn activate(&self, name: &ReleaseName, options: &ActivateOptions, observer: &dyn Observer) -> Report {
        let options = &self.defaults.activate(options);
        let (fleet, skipped) = self.split_unreachable(&options.run).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Activate, &options.run, observer)
            .keeping(options.keep.good());
        activate::activate(run, name, options, None).await
    }

    /// Rolls every host back to its recorded previous release, or to the target in `options`.
    pub async fn rollback(&self, options: &RollbackOptions, observer: &dyn Observer) -> Report {
        let options = &self.defaults.rollback(options);
        let (fleet, skipped) = self.split_unreachable(&options.run).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Rollback, &options.run, observer);
        let run = run.by_configuration(options.commands == CommandsFrom::Configuration).hooks(!options.no_hooks);
        rollback::rollback(run, options, None).await
    }

    /// Completes or undoes an interrupted run. If there is none, does nothing.
    pub async fn recover(&self, options: &RecoverOptions, observer: &dyn Observer) -> Report {
        let (fleet, skipped) = self.split_unreachable(&options.run).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Recover, &options.run, observer);
        recover::recover(run, options).await
    }

    /// Adopts the trees that other tools made: `from`, or the tool detected on each host.
    ///
    /// Changes nothing of theirs, except a plain directory `current`, which becomes a release.
    pub async fn adopt(&self, from: Option<Tool>, options: &RunOptions, observer: &dyn Observer) -> Report {
        let (fleet, skipped) = self.split_unreachable(options).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Adopt, options, observer);
        adopt::adopt(run, from).await
    }

    /// Removes old releases, and keeps the `keep` good ones nearest to the current one; `None` for the configured
    /// number.
    ///
    /// Also keeps the current release, the target of the next rollback, pinned releases, releases in use, and
    /// everything that switchback did not create.
    pub async fn prune(&self, keep: impl Into<Option<u32>>, options: &RunOptions, observer: &dyn Observer) -> Report {
        let keep = match self.defaults.kept(keep.into()) {
            Ok(keep) => keep,
            Err(error) => return Report::refused(Command::Prune, error),
        };
        let (fleet, skipped) = self.split_unreachable(options).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Prune, options, observer);
        prune::prune(run, keep).await
    }

    /// Pins the release `name` on every host, so that retention never removes it.
    pub async fn pin(&self, name: &ReleaseName, options: &RunOptions, observer: &dyn Observer) -> Report {
        let (fleet, skipped) = self.split_unreachable(options).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Pin, options, observer);
        pin::pin(run, name, true).await
    }

    /// Removes the pin of the release `name` on every host.
    pub async fn unpin(&self, name: &ReleaseName, options: &RunOptions, observer: &dyn Observer) -> Report {
        let (fleet, skipped) = self.split_unreachable(options).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Unpin, options, observer);
        pin::pin(run, name, false).await
    }

    /// Removes the locks whose holder is proven dead; with `force`, every lock.
    ///
    /// The former holder can change nothing any more. The state it left is there for [`recover`](Self::recover).
    pub async fn unlock(&self, force: bool, options: &RunOptions, observer: &dyn Observer) -> Report {
        unlock::unlock(Run::new(self, Command::Unlock, options, observer), force).await
    }

    /// Reports the state of every host. Changes nothing.
    ///
    /// Also checks the current release and the target of the next rollback: types, modes, sizes, and symlinks to shared
    /// paths.
    pub async fn status(&self, observer: &dyn Observer) -> Report {
        inspect::status(Run::reading(self, Command::Status, observer)).await
    }

    /// Reports the releases of every host. Changes nothing.
    pub async fn releases(&self, observer: &dyn Observer) -> Report {
        inspect::releases(Run::reading(self, Command::Releases, observer)).await
    }

    /// Reports the history of every host. Changes nothing.
    pub async fn history(&self, observer: &dyn Observer) -> Report {
        inspect::history(Run::reading(self, Command::History, observer), None).await
    }

    /// Reports the `newest` operations of every host, and reads no more of the history than that takes.
    pub async fn recent_history(&self, newest: usize, observer: &dyn Observer) -> Report {
        inspect::history(Run::reading(self, Command::History, observer), Some(newest)).await
    }

    /// Verifies the release `name`, or the current one, against its manifest on every host. Changes
    /// nothing.
    ///
    /// With `full`, also compares the content of every file.
    pub async fn verify(&self, name: Option<&ReleaseName>, full: bool, observer: &dyn Observer) -> Report {
        verify::verify(Run::reading(self, Command::Verify, observer), name, full).await
    }

    /// Asks every question that could refuse a deploy with these options, and reports the present data
    /// version and validation.
    ///
    /// Changes nothing itself; runs only these two commands, in the current release.
    pub async fn check(&self, options: &RunOptions, observer: &dyn Observer) -> Report {
        check::check(Run::new(self, Command::Check, options, observer)).await
    }

    /// Splits off the unreachable hosts if the options skip them. If none is reachable, keeps all.
    async fn split_unreachable(&self, options: &RunOptions) -> (Cow<'_, Self>, Vec<(String, Failure)>) {
        if !options.skip_unreachable {
            return (Cow::Borrowed(self), Vec::new());
        }
        // Collected first: with a closure in the stream, the compiler cannot prove the future `Send`.
        let asks: Vec<_> = self.hosts.iter().map(unreachable_reason).collect();
        let answers: Vec<Option<Failure>> = stream::iter(asks).buffered(self.parallel).collect().await;
        let (mut hosts, mut skipped) = (Vec::new(), Vec::new());
        for (host, why) in self.hosts.iter().zip(answers) {
            match why {
                Some(why) => skipped.push((host.name.clone(), why)),
                None => hosts.push(host.clone()),
            }
        }
        if hosts.is_empty() {
            return (Cow::Borrowed(self), Vec::new());
        }
        (Cow::Owned(Self { hosts, ..self.clone() }), skipped)
    }

    /// Closes all connections. Otherwise they close by themselves within a bounded time.
    pub async fn close(&self) {
        join_all(self.hosts.iter().map(|host| host.store.close())).await;
    }
}

/// Returns why a host is unreachable; `None` if it is reachable or has another problem.
async fn unreachable_reason(host: &Host) -> Option<Failure> {
    host.store.state().await.err().map(failure).filter(|why| why.kind == ErrorKind::Unreachable)
}
