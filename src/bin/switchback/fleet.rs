//! Passes requests to the library's engine and returns its reports.

use std::{panic::resume_unwind, pin::pin, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};
use futures_util::future::{Either, select};
use switchback::{
    Error, ErrorKind, Fleet, Hint, Observer, ReleaseName, Report, Timestamp, Token,
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

/// The settings and the observer of a run, common to all requests.
pub(crate) struct Session<'a> {
    pub(crate) target: &'a Target,
    pub(crate) by: String,
    pub(crate) dry_run: bool,
    pub(crate) allow_writable: bool,
    pub(crate) interrupt: watch::Receiver<Option<Signal>>,
    pub(crate) observer: &'a dyn Observer,
}

/// Executes the request. An error before the fleet exists becomes a report too.
pub(crate) async fn run(request: &Request, session: &Session<'_>) -> Report {
    match on_fleet(request, session).await {
        Ok(report) => report,
        Err(error) => {
            // Nothing was changed, so an error here is a refusal, except a wrong command line or configuration, or a
            // fault of this machine.
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
            // A drill proves the contents themselves: no cached digests.
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

/// Returns how many good releases to keep: `--keep`, else the configuration.
fn kept(keep: Option<u32>, session: &Session<'_>) -> Result<u32, Error> {
    keep.or(session.target.config.keep)
        .ok_or_else(|| Error::new(ErrorKind::Usage, "nothing says how many good releases stay").hint(Hint::Keep))
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

    /// Returns a `Cancel` that the first signal triggers.
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

/// Whether the request uploads a release: scanning the source takes time, in which connections can open.
fn brings(request: &Request) -> bool {
    matches!(request, Request::Deploy { .. } | Request::Stage { .. })
}

/// Runs `main`, with `other` beside it; drops `other` when `main` ends.
async fn beside<T>(main: impl Future<Output = T> + Unpin, other: impl Future<Output = ()>) -> T {
    match select(main, pin!(other)).await {
        Either::Left((done, _)) => done,
        Either::Right(((), main)) => main.await,
    }
}

/// Runs blocking work on a thread for blocking work; a panic of it continues here.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work).await.unwrap_or_else(|ended| resume_unwind(ended.into_panic()))
}

/// Opens the source as a release. The scan is complete before the first request to a host.
async fn release(
    source: &Utf8Path,
    name: Option<&ReleaseName>,
    cache: Option<Utf8PathBuf>,
    session: &Session<'_>,
) -> Result<Arc<NewRelease>, Error> {
    let mut options = session.target.config.source_options();
    // With `require_drill`, the digest must come from the contents, not from a cache.
    options.digest_cache = cache.filter(|_| session.target.config.require_drill.is_none());
    let made = || ReleaseName::made_at(Timestamp::now(), &Token::random());
    let (name, source) = (name.cloned().unwrap_or_else(made), source.to_owned());
    Ok(Arc::new(apart(move || NewRelease::open_with(name, &source, &options)).await?))
}

/// Returns the revision of the source: from the CI job's variables, else from the checkout.
fn built_from(source: &Utf8Path) -> Option<String> {
    revision::of_job(|name| std::env::var(name).ok()).or_else(|| revision::of_checkout(source))
}

/// Returns the path of the cache of source digests, if the user has a cache directory.
fn digest_cache() -> Option<Utf8PathBuf> {
    caches().map(|caches| caches.join("digests"))
}

/// Returns the user's cache directory for switchback: in `XDG_CACHE_HOME`, else in `~/.cache`.
fn caches() -> Option<Utf8PathBuf> {
    // The XDG specification says to ignore relative paths.
    let full = |name| std::env::var(name).ok().map(Utf8PathBuf::from).filter(|path| path.is_absolute());
    full("XDG_CACHE_HOME").or_else(|| Some(full("HOME")?.join(".cache"))).map(|caches| caches.join("switchback"))
}

/// Refuses a source without a passed drill of the same contents. Reads all of the source.
fn was_drilled(release: &NewRelease, source: &Utf8Path, drills: &Utf8Path) -> Result<(), Error> {
    let digest = release.tree().digest()?.to_string();
    match has_passed(drills, &digest) {
        Ok(true) => Ok(()),
        found => {
            let what = format!("no drill of what {source} holds now has passed, says {drills}; nothing was touched");
            let hint = Hint::Drill(source.to_string(), drills.to_string());
            let refused = Error::new(ErrorKind::NotDrilled, what).hint(hint);
            Err(match found {
                Err(error) => refused.because(error),
                Ok(_) => refused,
            })
        }
    }
}

/// Returns the request's command, as the report names it.
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
