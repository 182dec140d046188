//! The seam to the engine: what is asked, of whom, and the report that comes back.

use std::{panic::resume_unwind, pin::pin, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};
use futures_util::future::{Either, select};
use switchback::{
    Error, ErrorKind, Fleet, Observer, ReleaseName, Report, Timestamp, Token,
    drill::has_passed,
    engine::{
        ActivateOptions, Cancel, CommandsFrom, DeployOptions, DrillOptions, RecoverOptions, RollbackOptions, RunOptions,
    },
    plan::RollbackTarget,
    release::NewRelease,
    report::{Command, Outcome},
    revision,
    store::KnownManifests,
};
use tokio::{sync::watch, task::spawn_blocking};

use crate::{
    command::{Request, Why},
    interrupt::Signal,
    target::Target,
};

/// What every run has.
pub(crate) struct Session<'a> {
    pub(crate) target: &'a Target,
    pub(crate) by: String,
    pub(crate) dry_run: bool,
    pub(crate) allow_writable: bool,
    pub(crate) interrupt: watch::Receiver<Option<Signal>>,
    pub(crate) observer: &'a dyn Observer,
}

/// Does what is asked, and says what came of it.
pub(crate) async fn run(request: &Request, session: &Session<'_>) -> Report {
    match on_fleet(request, session).await {
        Ok(report) => report,
        Err(error) => {
            // What goes wrong before there is a fleet was refused; a wrong word is an error of the command line.
            let wrong = matches!(error.kind(), ErrorKind::Usage | ErrorKind::Config | ErrorKind::Internal);
            let outcome = if wrong { Outcome::Error } else { Outcome::Refused };
            let mut report = Report::new(command(request), outcome);
            report.error = Some(error.into());
            report
        }
    }
}

async fn on_fleet(request: &Request, session: &Session<'_>) -> Result<Report, Error> {
    let config = &session.target.config;
    let known =
        caches().map_or_else(KnownManifests::new, |caches| KnownManifests::in_directory(caches.join("manifests")));
    let fleet = Fleet::connect_knowing(config, &known)?.allow_writable(session.allow_writable || config.allow_writable);
    let asked = Box::pin(ask(&fleet, request, session));
    let report =
        if brings(request) && !session.dry_run { beside(asked, fleet.connect_ahead()).await } else { asked.await };
    fleet.close().await;
    report
}

async fn ask(fleet: &Fleet, request: &Request, session: &Session<'_>) -> Result<Report, Error> {
    let observer = session.observer;
    Ok(match request {
        Request::Deploy {
            source,
            name,
            from,
            revision,
            allow_split,
            or_return,
            irreversible,
            empty,
            accept_data,
            why,
        } => {
            let mut options = DeployOptions::default();
            options.run = session.options(why);
            options.run.revision = revision.clone().or_else(|| built_from(source));
            options.from.clone_from(from);
            options.run.allow_empty = *empty;
            options.allow_split = *allow_split;
            options.or_return = *or_return;
            options.verify = session.target.config.target_check;
            options.irreversible = irreversible.then(|| "it was deployed with --irreversible".to_owned());
            options.accept_data = *accept_data;
            options.keep = session.target.config.keep;
            let release = release(source, name.as_ref(), digest_cache(), session).await?;
            if let Some(drills) = session.target.config.require_drill.clone() {
                let (release, source) = (Arc::clone(&release), source.clone());
                apart(move || was_drilled(&release, &source, &drills)).await?;
            }
            fleet.deploy(release, &options, observer).await
        }
        Request::Stage { source, name, empty, wait, skip_unreachable } => {
            let mut options = session.options(&Why { reason: None, wait: *wait, skip_unreachable: *skip_unreachable });
            options.revision = built_from(source);
            options.allow_empty = *empty;
            fleet.stage(release(source, name.as_ref(), digest_cache(), session).await?, &options, observer).await
        }
        Request::Drill { source, name, empty, why } => {
            let mut options = DrillOptions::default();
            options.run = session.options(why);
            options.run.revision = built_from(source);
            options.run.allow_empty = *empty;
            // A proof is of the content itself.
            fleet.drill(release(source, name.as_ref(), None, session).await?, &options, observer).await
        }
        Request::Activate { name, allow_split, accept_data, verify, why } => {
            let mut options = ActivateOptions::default();
            options.run = session.options(why);
            options.allow_split = *allow_split;
            options.accept_data = *accept_data;
            options.keep = session.target.config.keep;
            options.verify = verify.unwrap_or(session.target.config.target_check);
            fleet.activate(name, &options, observer).await
        }
        Request::Rollback { to, steps, from, keep_data, data_to, by_configuration, no_hooks, verify, why } => {
            let mut options = RollbackOptions::default();
            options.run = session.options(why);
            options.target = to.clone().map_or(RollbackTarget::Steps(steps.unwrap_or(1)), RollbackTarget::Release);
            options.from.clone_from(from);
            options.keep_data = *keep_data;
            options.no_hooks = *no_hooks;
            options.data_to.clone_from(data_to);
            if *by_configuration {
                options.commands = CommandsFrom::Configuration;
            }
            options.verify = verify.unwrap_or(session.target.config.target_check);
            fleet.rollback(&options, observer).await
        }
        Request::Adopt { from, why } => fleet.adopt(*from, &session.options(why), observer).await,
        Request::Recover { direction, keep_data, why } => {
            let mut options = RecoverOptions::new(*direction, session.options(why));
            options.keep_data = *keep_data;
            fleet.recover(&options, observer).await
        }
        Request::Unlock { force } => fleet.unlock(*force, &session.options(&Why::default()), observer).await,
        Request::Prune { keep, why } => fleet.prune(kept(*keep, session)?, &session.options(why), observer).await,
        Request::Pin { name, why } => fleet.pin(name, &session.options(why), observer).await,
        Request::Unpin { name, why } => fleet.unpin(name, &session.options(why), observer).await,
        Request::Status => fleet.status(observer).await,
        Request::Releases => fleet.releases(observer).await,
        Request::History { newest: Some(newest) } => fleet.recent_history(*newest, observer).await,
        Request::History { newest: None } => fleet.history(observer).await,
        Request::Check => fleet.check(&session.options(&Why::default()), observer).await,
        Request::Verify { name, full } => fleet.verify(name.as_ref(), *full, observer).await,
    })
}

/// How many good releases a pruning is to keep.
fn kept(keep: Option<u32>, session: &Session<'_>) -> Result<u32, Error> {
    keep.or(session.target.config.keep).ok_or_else(|| {
        Error::new(ErrorKind::Usage, "nothing says how many good releases stay")
            .hint("`--keep 5`, or `keep = 5` in the configuration")
    })
}

impl Session<'_> {
    fn options(&self, why: &Why) -> RunOptions {
        let mut options = RunOptions::by(&self.by);
        options.reason.clone_from(&why.reason);
        options.wait = why.wait.unwrap_or_default();
        options.dry_run = self.dry_run;
        options.skip_unreachable = why.skip_unreachable;
        options.cancel = self.cancel();
        options.commands = Some(self.target.config.commands.clone());
        options.directory.clone_from(&self.target.config.directory);
        options
    }

    /// Asks the run to stop when the first signal comes.
    fn cancel(&self) -> Cancel {
        let (cancel, mut interrupt) = (Cancel::new(), self.interrupt.clone());
        let asked = cancel.clone();
        tokio::spawn(async move {
            if interrupt.wait_for(Option::is_some).await.is_ok() {
                asked.request();
            }
        });
        cancel
    }
}

/// Whether a release is brought to the hosts, for which there is something to do here before they are asked anything.
fn brings(request: &Request) -> bool {
    matches!(request, Request::Deploy { .. } | Request::Stage { .. })
}

/// Does `main`, and `other` for as long as that takes.
async fn beside<T>(main: impl Future<Output = T> + Unpin, other: impl Future<Output = ()>) -> T {
    match select(main, pin!(other)).await {
        Either::Left((done, _)) => done,
        Either::Right(((), main)) => main.await,
    }
}

/// Does what blocks while others go on.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work).await.unwrap_or_else(|ended| resume_unwind(ended.into_panic()))
}

/// The release that is brought: scanned wholly before any host is asked anything.
async fn release(
    source: &Utf8Path,
    name: Option<&ReleaseName>,
    cache: Option<Utf8PathBuf>,
    session: &Session<'_>,
) -> Result<Arc<NewRelease>, Error> {
    let mut options = session.target.config.source_options();
    // What must have been drilled is proven by the content itself.
    options.digest_cache = cache.filter(|_| session.target.config.require_drill.is_none());
    let made = || ReleaseName::made_at(Timestamp::now(), &Token::random());
    let (name, source) = (name.cloned().unwrap_or_else(made), source.to_owned());
    Ok(Arc::new(apart(move || NewRelease::open_with(name, &source, &options)).await?))
}

/// What a source is built from: as the CI job says, or as what is checked out there.
fn built_from(source: &Utf8Path) -> Option<String> {
    revision::of_job(|name| std::env::var(name).ok()).or_else(|| revision::of_checkout(source))
}

/// Where digests of sources are kept from one run to the next, if anywhere.
fn digest_cache() -> Option<Utf8PathBuf> {
    caches().map(|caches| caches.join("digests"))
}

/// The user's directory for what may be lost at any time, if there is one.
fn caches() -> Option<Utf8PathBuf> {
    let full = |name| std::env::var(name).ok().map(Utf8PathBuf::from).filter(|path| path.is_absolute());
    full("XDG_CACHE_HOME").or_else(|| Some(full("HOME")?.join(".cache"))).map(|caches| caches.join("switchback"))
}

/// Refuses a source that no passed drill is known of. Reads all of it.
fn was_drilled(release: &NewRelease, source: &Utf8Path, drills: &Utf8Path) -> Result<(), Error> {
    let digest = release.tree().digest()?.to_string();
    match has_passed(drills, &digest) {
        Ok(true) => Ok(()),
        found => {
            let what = format!("no drill of what {source} holds now has passed, says {drills}; nothing was touched");
            let hint =
                format!("`switchback drill {source} --report {drills}/NAME.json`, on the fleet where one rehearses");
            let refused = Error::new(ErrorKind::NotDrilled, what).hint(hint);
            Err(match found {
                Err(error) => refused.because(error),
                Ok(_) => refused,
            })
        }
    }
}

/// The command that a request belongs to.
fn command(request: &Request) -> Command {
    match request {
        Request::Deploy { .. } => Command::Deploy,
        Request::Stage { .. } => Command::Stage,
        Request::Drill { .. } => Command::Drill,
        Request::Activate { .. } => Command::Activate,
        Request::Rollback { .. } => Command::Rollback,
        Request::Adopt { .. } => Command::Adopt,
        Request::Recover { .. } => Command::Recover,
        Request::Unlock { .. } => Command::Unlock,
        Request::Prune { .. } => Command::Prune,
        Request::Pin { .. } => Command::Pin,
        Request::Unpin { .. } => Command::Unpin,
        Request::Status => Command::Status,
        Request::Releases => Command::Releases,
        Request::History { .. } => Command::History,
        Request::Check => Command::Check,
        Request::Verify { .. } => Command::Verify,
    }
}
