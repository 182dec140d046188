//! The commands without their task: the task of a public method runs them, and a drill runs them as its legs.

use std::{borrow::Cow, sync::Arc};

use futures_util::{StreamExt, stream};

use crate::{
    adoption::Tool,
    error::ErrorKind,
    name::ReleaseName,
    plan::Return,
    release::Release,
    report::{Command, Failure, Report},
    target::RollbackTarget,
};

use super::{
    ActivateOptions, Call, CommandsFrom, DeployOptions, Fleet, Host, RecoverOptions, RollbackOptions, RunOptions,
    observe::failure,
    operations::{activate, adopt, deploy, inspect, pin, prune, recover, rollback, unlock},
    run::Run,
};

impl Fleet {
    pub(super) async fn run_deploy(&self, release: Arc<dyn Release>, options: &DeployOptions, call: &Call) -> Report {
        let options = &self.defaults.deploy(options);
        // A drill rehearses what has not passed one yet.
        if !options.anew
            && let Err(error) = self.defaults.expect_drill(release.as_ref()).await
        {
            return Report::refused(Command::Deploy, error);
        }
        let (fleet, skipped) = self.split_unreachable(&options.run).await;
        let run =
            Run::skipping(&fleet, self, skipped, Command::Deploy, &options.run, call).keeping(options.keep.good());
        match deploy::deploy(run, release.as_ref(), options).await {
            Ok(report) => report,
            Err(way) => self.return_to(way, release.name(), options, call).await,
        }
    }

    /// Goes to an existing release, as the deploy was asked to.
    async fn return_to(&self, way: Return, name: &ReleaseName, deploying: &DeployOptions, call: &Call) -> Report {
        let (run, verify, from) = (deploying.run.clone(), deploying.verify, deploying.from.clone());
        let (fleet, skipped) = self.split_unreachable(&run).await;
        match way {
            Return::Activate => {
                let run_of = Run::skipping(&fleet, self, skipped, Command::Activate, &run, call);
                let (allow_split, accept_data, keep) = (deploying.allow_split, deploying.accept_data, deploying.keep);
                let options = ActivateOptions { run: run.clone(), verify, allow_split, from, accept_data, keep };
                activate::activate(run_of.keeping(keep.good()), name, &options).await
            }
            Return::Rollback => {
                let run_of = Run::skipping(&fleet, self, skipped, Command::Rollback, &run, call);
                let target = RollbackTarget::Release(name.clone());
                let options = RollbackOptions { run: run.clone(), target, verify, ..RollbackOptions::default() };
                rollback::rollback(run_of, &options, from.as_ref()).await
            }
        }
    }

    pub(super) async fn run_stage(&self, release: Arc<dyn Release>, options: &RunOptions, call: &Call) -> Report {
        let (fleet, skipped) = self.split_unreachable(options).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Stage, options, call);
        deploy::stage(run, release.as_ref()).await
    }

    pub(super) async fn run_activate(&self, name: &ReleaseName, options: &ActivateOptions, call: &Call) -> Report {
        let options = &self.defaults.activate(options);
        let (fleet, skipped) = self.split_unreachable(&options.run).await;
        let run =
            Run::skipping(&fleet, self, skipped, Command::Activate, &options.run, call).keeping(options.keep.good());
        activate::activate(run, name, options).await
    }

    pub(super) async fn run_rollback(&self, options: &RollbackOptions, call: &Call) -> Report {
        let options = &self.defaults.rollback(options);
        let (fleet, skipped) = self.split_unreachable(&options.run).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Rollback, &options.run, call);
        let run = run.by_configuration(options.commands == CommandsFrom::Configuration).hooks(!options.no_hooks);
        rollback::rollback(run, options, None).await
    }

    pub(super) async fn run_recover(&self, options: &RecoverOptions, call: &Call) -> Report {
        let (fleet, skipped) = self.split_unreachable(&options.run).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Recover, &options.run, call);
        recover::recover(run, options).await
    }

    pub(super) async fn run_adopt(&self, from: Option<Tool>, options: &RunOptions, call: &Call) -> Report {
        let (fleet, skipped) = self.split_unreachable(options).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Adopt, options, call);
        adopt::adopt(run, from).await
    }

    pub(super) async fn run_prune(&self, keep: Option<u32>, options: &RunOptions, call: &Call) -> Report {
        let keep = match self.defaults.kept(keep) {
            Ok(keep) => keep,
            Err(error) => return Report::refused(Command::Prune, error),
        };
        let (fleet, skipped) = self.split_unreachable(options).await;
        let run = Run::skipping(&fleet, self, skipped, Command::Prune, options, call);
        prune::prune(run, keep).await
    }

    pub(super) async fn run_pin(&self, name: &ReleaseName, pinned: bool, options: &RunOptions, call: &Call) -> Report {
        let command = if pinned { Command::Pin } else { Command::Unpin };
        let (fleet, skipped) = self.split_unreachable(options).await;
        let run = Run::skipping(&fleet, self, skipped, command, options, call);
        pin::pin(run, name, pinned).await
    }

    pub(super) async fn run_unlock(&self, force: bool, options: &RunOptions, call: &Call) -> Report {
        unlock::unlock(Run::new(self, Command::Unlock, options, call), force).await
    }

    pub(super) async fn run_status(&self, call: &Call) -> Report {
        inspect::status(Run::reading(self, Command::Status, call)).await
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
        (Cow::Owned(Self { hosts: hosts.into(), ..self.clone() }), skipped)
    }
}

/// Returns why a host is unreachable; `None` if it is reachable or has another problem.
async fn unreachable_reason(host: &Host) -> Option<Failure> {
    host.store.state().await.err().map(failure).filter(|why| why.kind == ErrorKind::Unreachable)
}
