//! [`Fleet`]: the hosts of a deploy, and what can be done with them.

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
    ActivateOptions, CommandsFrom, DeployOptions, DrillOptions, RecoverOptions, RollbackOptions, RunOptions, activate,
    adopt, check, data::VERSION_PAUSE, deploy, drill, look, observe::failure, pin, prune, recover, rollback, run::Run,
    unlock, verify,
};

/// How many hosts are worked on at once, unless something else is said. Switching and going back are not bounded:
/// they are sent to all at once.
const PARALLEL: usize = 32;

/// One host of a fleet: one root, reached in one way.
#[derive(Debug, Clone)]
pub struct Host {
    pub(super) name: String,
    pub(super) store: Arc<dyn ReleaseStore>,
}

impl Host {
    /// The host `name`, whose releases `store` keeps.
    pub fn new(name: impl Into<String>, store: impl ReleaseStore) -> Self {
        Self { name: name.into(), store: Arc::new(store) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn ReleaseStore> {
        &self.store
    }
}

/// The hosts of a deploy.
///
/// Every command returns a [`Report`], whatever happens: what each host is on, as it was read back.
#[derive(Debug, Clone)]
pub struct Fleet {
    pub(super) hosts: Vec<Host>,
    pub(super) parallel: usize,
    /// Whether others may write to a directory on the way to a root.
    pub(super) allow_writable: bool,
    /// How long a data version that cannot be compared is left alone before it is asked again.
    pub(super) version_pause: Duration,
}

impl Fleet {
    /// A fleet of these hosts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when there is none, or two have one name; [`ErrorKind::RootRefused`] when a root is a
    /// directory of the system.
    pub fn new(hosts: Vec<Host>) -> Result<Self, Error> {
        if hosts.is_empty() {
            return Err(Error::new(ErrorKind::Config, "there is no host to work on"));
        }
        for (at, host) in hosts.iter().enumerate() {
            if hosts[..at].iter().any(|other| other.name == host.name) {
                return Err(Error::new(ErrorKind::Config, format!("two hosts are called {}", host.name)));
            }
            if host.store.root().is_system() {
                let message = format!(
                    "{} on {} is a directory of the system, never a deploy root; nothing was touched",
                    host.store.root(),
                    host.name
                );
                return Err(
                    Error::new(ErrorKind::RootRefused, message).hint("name a directory of your own, such as /srv/shop")
                );
            }
        }
        Ok(Self { hosts, parallel: PARALLEL, allow_writable: false, version_pause: VERSION_PAUSE })
    }

    /// The same fleet, with at most `parallel` hosts asked or uploaded to at once; at least one.
    #[must_use]
    pub fn parallel(mut self, parallel: usize) -> Self {
        self.parallel = parallel.max(1);
        self
    }

    /// The same fleet, brought to also where others than the user may write to a directory on the way to a root; that is
    /// only a warning then. Going back never asks.
    #[must_use]
    pub fn allow_writable(mut self, allow: bool) -> Self {
        self.allow_writable = allow;
        self
    }

    /// The same fleet, where a data version that is not what was last known must be the same again after this time; a second
    /// by default.
    #[must_use]
    pub fn version_pause(mut self, pause: Duration) -> Self {
        self.version_pause = pause;
        self
    }

    /// The hosts, in their order.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Connects to the hosts ahead of a [`deploy`](Self::deploy) or a [`stage`](Self::stage), so that what the caller does
    /// meanwhile, such as looking through a source, takes no time of its own. It need not be waited for: the command goes on with
    /// what is under way then. Poll it beside the command, or drop it before: one that is kept and not polled holds up every
    /// command. Changes nothing on the hosts, and failing to is no error: the command says why.
    pub async fn connect_ahead(&self) {
        // Made first, since a closure in the stream keeps the whole from being known as `Send`.
        let expects: Vec<_> = self.hosts.iter().map(|host| host.store.expect_stage()).collect();
        stream::iter(expects).buffer_unordered(self.parallel).collect::<()>().await;
    }

    /// Stages `release` on every host and switches to it. When a step fails, everything is put back.
    ///
    /// Where a release of that name is current with the same content, a host is left as it is, and the others are brought along: a
    /// deploy that is done again does nothing.
    pub async fn deploy(&self, release: Arc<dyn Release>, options: &DeployOptions, observer: &dyn Observer) -> Report {
        let (fleet, skipped) = self.reached(&options.run).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Deploy, &options.run, observer).keeping(options.keep);
        match deploy::deploy(run, release.as_ref(), options).await {
            Ok(report) => report,
            Err(way) => self.return_to(way, release.name(), options, observer).await,
        }
    }

    /// Goes to a release that is there already, as a deploy was asked to.
    async fn return_to(
        &self,
        way: Return,
        name: &ReleaseName,
        deploying: &DeployOptions,
        observer: &dyn Observer,
    ) -> Report {
        let (run, verify, from) = (deploying.run.clone(), deploying.verify, deploying.from.as_ref());
        let (fleet, skipped) = self.reached(&run).await;
        match way {
            Return::Activate => {
                let run_of = Run::skipping(&fleet, self, skipped, Command::Activate, &run, observer);
                let (allow_split, accept_data, keep) = (deploying.allow_split, deploying.accept_data, deploying.keep);
                let options = ActivateOptions { run: run.clone(), verify, allow_split, accept_data, keep };
                activate::activate(run_of.keeping(keep), name, &options, from).await
            }
            Return::Rollback => {
                let run_of = Run::skipping(&fleet, self, skipped, Command::Rollback, &run, observer);
                let target = RollbackTarget::Release(name.clone());
                let options = RollbackOptions { run: run.clone(), target, verify, ..RollbackOptions::default() };
                rollback::rollback(run_of, &options, from).await
            }
        }
    }

    /// Rehearses the way back: deploys `release`, rolls back, deploys it again, each over fresh connections and with proof
    /// that it did what it says. The report's [`drill`](Report::drill) has the legs.
    ///
    /// With nothing to go back to on a host, the content is deployed first as a baseline, under a made name. When a proof
    /// does not hold the fleet stays where that leg left it, and the report says where.
    pub async fn drill(&self, release: Arc<dyn Release>, options: &DrillOptions, observer: &dyn Observer) -> Report {
        drill::drill(self, release, options, observer).await
    }

    /// Stages `release` on every host: complete, durable, and not current.
    pub async fn stage(&self, release: Arc<dyn Release>, options: &RunOptions, observer: &dyn Observer) -> Report {
        let (fleet, skipped) = self.reached(options).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Stage, options, observer);
        deploy::stage(run, release.as_ref()).await
    }

    /// Switches every host to the release `name`, which all of them have.
    pub async fn activate(&self, name: &ReleaseName, options: &ActivateOptions, observer: &dyn Observer) -> Report {
        let (fleet, skipped) = self.reached(&options.run).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Activate, &options.run, observer).keeping(options.keep);
        activate::activate(run, name, options, None).await
    }

    /// Goes back on every host to the recorded previous version, or where the options say.
    pub async fn rollback(&self, options: &RollbackOptions, observer: &dyn Observer) -> Report {
        let (fleet, skipped) = self.reached(&options.run).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Rollback, &options.run, observer);
        let run = run.by_configuration(options.commands == CommandsFrom::Configuration).hooks(!options.no_hooks);
        rollback::rollback(run, options, None).await
    }

    /// Finishes or undoes what an interrupted run left; where nothing was left, there is nothing to do.
    pub async fn recover(&self, options: &RecoverOptions, observer: &dyn Observer) -> Report {
        let (fleet, skipped) = self.reached(&options.run).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Recover, &options.run, observer);
        recover::recover(run, options).await
    }

    /// Takes over the trees that other tools made: `from`, or whoever is found to have made each. Nothing of theirs is
    /// changed, but for a plain directory `current`, which becomes a release.
    pub async fn adopt(&self, from: Option<Tool>, options: &RunOptions, observer: &dyn Observer) -> Report {
        let (fleet, skipped) = self.reached(options).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Adopt, options, observer);
        adopt::adopt(run, from).await
    }

    /// Removes the releases that are not needed beside the `keep` good ones nearest to the current one. Current ones, those
    /// that the next rollback would go to, pinned ones and those in use stay, and so does what the tool did not bring.
    pub async fn prune(&self, keep: u32, options: &RunOptions, observer: &dyn Observer) -> Report {
        let (fleet, skipped) = self.reached(options).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Prune, options, observer);
        prune::prune(run, keep).await
    }

    /// Pins the release `name` on every host: it stays whatever is counted.
    pub async fn pin(&self, name: &ReleaseName, options: &RunOptions, observer: &dyn Observer) -> Report {
        let (fleet, skipped) = self.reached(options).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Pin, options, observer);
        pin::pin(run, name, true).await
    }

    /// Takes the pin of the release `name` away on every host.
    pub async fn unpin(&self, name: &ReleaseName, options: &RunOptions, observer: &dyn Observer) -> Report {
        let (fleet, skipped) = self.reached(options).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Unpin, options, observer);
        pin::pin(run, name, false).await
    }

    /// Takes away every lock whose holder is proven gone; with `force` every lock. Its holder can change nothing any more,
    /// and what it had begun is there for [`recover`](Self::recover).
    pub async fn unlock(&self, force: bool, options: &RunOptions, observer: &dyn Observer) -> Report {
        unlock::unlock(Run::new(self, Command::Unlock, options, observer), force).await
    }

    /// Asks every host where it is, and whether the release that is current and the one that a rollback would go to are what
    /// they were, by types, modes, sizes and links to what is shared. Changes nothing.
    pub async fn status(&self, observer: &dyn Observer) -> Report {
        look::status(Run::reading(self, Command::Status, observer)).await
    }

    /// Asks every host which releases it has. Changes nothing.
    pub async fn releases(&self, observer: &dyn Observer) -> Report {
        look::releases(Run::reading(self, Command::Releases, observer)).await
    }

    /// Asks every host what was done there. Changes nothing.
    pub async fn history(&self, observer: &dyn Observer) -> Report {
        look::history(Run::reading(self, Command::History, observer), None).await
    }

    /// The same, of which each host has only the `newest` operations: reads no more of it than that takes.
    pub async fn recent_history(&self, newest: usize, observer: &dyn Observer) -> Report {
        look::history(Run::reading(self, Command::History, observer), Some(newest)).await
    }

    /// Holds the release `name`, or the one that is current, against its manifest on every host; with `full` the content of
    /// every file too. Changes nothing.
    pub async fn verify(&self, name: Option<&ReleaseName>, full: bool, observer: &dyn Observer) -> Report {
        verify::verify(Run::reading(self, Command::Verify, observer), name, full).await
    }

    /// Asks every host everything that could refuse a deploy with these options, and what the data version and the validation are
    /// now. Changes nothing, but that these two commands run, in the release that is current.
    pub async fn check(&self, options: &RunOptions, observer: &dyn Observer) -> Report {
        check::check(Run::new(self, Command::Check, options, observer)).await
    }

    /// The fleet without the hosts that cannot be reached, and those, where the options say so; all of it when none can.
    async fn reached(&self, options: &RunOptions) -> (Cow<'_, Self>, Vec<(String, Failure)>) {
        if !options.skip_unreachable {
            return (Cow::Borrowed(self), Vec::new());
        }
        // Made first, since a closure in the stream keeps the whole from being known as `Send`.
        let asks: Vec<_> = self.hosts.iter().map(is_away).collect();
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

    /// Ends all connections. Without it they end by themselves, in bounded time.
    pub async fn close(&self) {
        join_all(self.hosts.iter().map(|host| host.store.close())).await;
    }
}

/// Why a host cannot be reached; `None` when it can, or something else is wrong with it.
async fn is_away(host: &Host) -> Option<Failure> {
    host.store.state().await.err().map(failure).filter(|why| why.kind == ErrorKind::Unreachable)
}
