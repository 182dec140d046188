//! [`Call`]: what every command needs to call the library.

use std::{panic::resume_unwind, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};
use switchback::{
    Config, Error, Fleet, Observer, ReleaseName, Timestamp, Token,
    fleet::{self, Cancel, RunOptions},
    release::NewRelease,
    revision,
    store::KnownManifests,
};
use tokio::{sync::watch, task::spawn_blocking};

use crate::{args::Global, command::Why, interrupt::Signal, target::Target};

/// The connected hosts, with the settings and the observer of this command.
pub(crate) struct Call<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) target: &'a Target,
    pub(crate) global: &'a Global,
    pub(crate) by: &'a str,
    pub(crate) interrupt: watch::Receiver<Option<Signal>>,
    pub(crate) observer: Arc<dyn Observer>,
}

/// Where the digests of a source come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Digests {
    /// From the user's cache, if the files look unchanged.
    Cached,
    /// From the contents.
    Computed,
}

/// Connects the hosts of the configuration: the only place, so a command logs in to a host once.
pub(crate) fn connect(target: &Target, global: &Global) -> Result<Fleet, Error> {
    let known =
        caches().map_or_else(KnownManifests::new, |caches| KnownManifests::in_directory(caches.join("manifests")));
    // Each command is polled to its end, on this thread.
    let fleet = Fleet::from_config_knowing(&target.config, &known)?.in_place();
    Ok(if global.allow_writable { fleet.allow_writable(true) } else { fleet })
}

impl Call<'_> {
    pub(crate) fn config(&self) -> &Config {
        &self.target.config
    }

    pub(crate) fn options(&self, why: &Why) -> RunOptions {
        let options = RunOptions::new()
            .by(self.by)
            .wait(why.wait.unwrap_or_default())
            .dry_run(self.global.dry_run)
            .skip_unreachable(why.skip_unreachable);
        match &why.reason {
            Some(reason) => options.reason(reason),
            None => options,
        }
    }

    /// Returns a call that this command's observer watches, and that the first signal stops.
    pub(crate) fn watched(&self) -> fleet::Call {
        let (cancel, mut interrupt) = (Cancel::new(), self.interrupt.clone());
        let asked = cancel.clone();
        tokio::spawn(async move {
            if interrupt.wait_for(Option::is_some).await.is_ok() {
                asked.request();
            }
        });
        fleet::Call::new().observer(Arc::clone(&self.observer)).cancel(&cancel)
    }

    /// Opens the source as a release. The scan is complete before the first request to a host.
    pub(crate) async fn release(
        &self,
        source: &Utf8Path,
        name: Option<&ReleaseName>,
        digests: Digests,
    ) -> Result<Arc<NewRelease>, Error> {
        let mut options = self.config().source_options();
        // With `require_drill`, the digest must come from the contents, not from a cache.
        let cached = digests == Digests::Cached && self.config().require_drill.is_none();
        options.digest_cache = if cached { digest_cache() } else { None };
        let made = || ReleaseName::made_at(Timestamp::now(), &Token::random());
        let (name, source) = (name.cloned().unwrap_or_else(made), source.to_owned());
        Ok(Arc::new(apart(move || NewRelease::open_with(name, &source, &options)).await?))
    }
}

/// Runs blocking work on a thread for blocking work; a panic of it continues here.
pub(crate) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work).await.unwrap_or_else(|ended| resume_unwind(ended.into_panic()))
}

/// Returns the revision of the source: from the CI job's variables, else from the checkout.
pub(crate) fn built_from(source: &Utf8Path) -> Option<String> {
    revision::of_job(|name| std::env::var(name).ok()).or_else(|| revision::of_checkout(source))
}

/// Returns the path of the cache of source digests, if the user has a cache directory.
fn digest_cache() -> Option<Utf8PathBuf> {
    caches().map(|caches| caches.join("digests"))
}

/// Returns the user's cache directory for switchback: in `XDG_CACHE_HOME`, else in `~/.cache`.
pub(crate) fn caches() -> Option<Utf8PathBuf> {
    // The XDG specification says to ignore relative paths.
    let full = |name| std::env::var(name).ok().map(Utf8PathBuf::from).filter(|path| path.is_absolute());
    full("XDG_CACHE_HOME").or_else(|| Some(full("HOME")?.join(".cache"))).map(|caches| caches.join("switchback"))
}
