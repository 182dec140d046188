//! The stage phase: uploads to every host without a lock, so that an urgent rollback never waits for it.
//!
//! * Failure: the uploads on all hosts are discarded; if that fails too, the next deploy removes them.
//! * Kill: an upload stays in `staging`, marked with a dead process. The next `deploy` or `stage` removes it and
//!   uploads anew; `recover` and a plain `rollback` remove it.
//! * Lost answer: a failure, if the store cannot send again.

use std::sync::{Mutex, PoisonError};

use futures_util::{StreamExt, future::join_all, stream};

use crate::{
    event::{Event, Phase},
    lock::{LockOwner, UploadTarget},
    plan::{self, Action, Plan},
    release::Release,
    report::{Failure, Outcome, Report},
    store::Staged,
    transport::Progress,
};

use crate::fleet::{
    Host,
    observe::{Observed, failed_host, failure, untouched},
    run::{Run, summary},
};

impl<'r> Run<'r> {
    /// Uploads `release` to every host on which `plan` publishes it. On failure reports why, with no upload
    /// left.
    pub(in crate::fleet) async fn stage(
        &self,
        release: &dyn Release,
        plan: &Plan,
        observed: &Observed<'_>,
    ) -> Result<Vec<(&'r Host, Staged)>, Report> {
        let takes = |host: &&'r Host| plan.host(&host.name).is_some_and(|host| host.action != Action::Stay);
        let hosts: Vec<&'r Host> = self.hosts.iter().filter(takes).collect();
        self.enter_phase(Phase::Stage, hosts.len());
        // The tree is read once for all hosts while this lives.
        let _sharing = (hosts.len() > 1).then(|| release.content().share());
        let uploads: Vec<_> = hosts.into_iter().map(|host| self.stage_on(host, release, observed)).collect();
        let results: Vec<_> = stream::iter(uploads).buffer_unordered(self.parallel).collect().await;
        let (mut staged, mut failed) = (Vec::new(), Vec::new());
        for (host, result) in results {
            match result {
                Ok(brought) => staged.push((host, brought)),
                Err(failure) => failed.push((host.name.clone(), failure)),
            }
        }
        if failed.is_empty() {
            return Ok(staged);
        }
        self.discard(staged).await;
        Err(self.not_staged(observed, &failed))
    }

    async fn stage_on(
        &self,
        host: &'r Host,
        release: &dyn Release,
        observed: &Observed<'_>,
    ) -> (&'r Host, Result<Staged, Failure>) {
        let tree = release.content();
        let (files_total, bytes_total) = (tree.files(), tree.bytes());
        let progress =
            UploadProgress { run: self, host: &host.name, files_total, bytes_total, counts: Mutex::default() };
        let seen = observed.states.iter().find(|(other, _)| other.name == host.name);
        let state = seen.and_then(|(_, answer)| answer.as_ref().ok());
        let bases = state.map(plan::bases).unwrap_or_default();
        // A killed upload has no intent, so that its owner file must say what it was.
        let from = state.and_then(|state| state.current.named()).cloned();
        let upload = Some(UploadTarget { from, to: release.name().clone() });
        let owner = LockOwner { upload, ..self.owner.clone() };
        let result = host.store.stage(release, &owner, &bases, &progress).await.map_err(failure);
        if result.is_ok() {
            self.emit(&progress.uploaded());
        }
        (host, self.report_phase(&host.name, Phase::Stage, result))
    }

    /// Removes uploads that are not needed any more.
    pub(in crate::fleet) async fn discard(&self, staged: Vec<(&'r Host, Staged)>) {
        join_all(staged.into_iter().map(|(host, staged)| async move {
            if let Err(error) = host.store.discard(staged).await {
                let why = failure(error).message;
                self.warn(Some(&host.name), format!("cannot remove the upload; the next deploy removes it ({why})"));
            }
        }))
        .await;
    }

    fn not_staged(&self, observed: &Observed<'_>, failed: &[(String, Failure)]) -> Report {
        let hosts = observed.states.iter().map(|(host, answer)| {
            let failure = failed.iter().find(|(name, _)| *name == host.name).map(|(_, failure)| failure.clone());
            let mut report = match answer {
                Ok(state) => untouched(&host.name, state),
                Err(failure) => failed_host(&host.name, failure.clone()),
            };
            if let Some(failure) = failure {
                let failed = failed_host(&host.name, failure);
                (report.outcome, report.error) = (failed.outcome, failed.error);
            }
            report
        });
        let error = summary("the release could not be staged on every host; every `current` is where it was", failed);
        self.report(Outcome::Failed, None, hosts.collect(), Some(error))
    }
}

/// Emits the progress of the upload to one host.
struct UploadProgress<'a, 'r> {
    run: &'a Run<'r>,
    host: &'a str,
    files_total: u64,
    bytes_total: u64,
    counts: Mutex<UploadCounts>,
}

/// The progress of an upload.
#[derive(Debug, Clone, Copy, Default)]
struct UploadCounts {
    /// Files and bytes copied on the host, which need not be sent.
    copied: (u64, u64),
    /// Bytes sent by earlier attempts, and by the present one.
    before: u64,
    transferred: Option<u64>,
}

impl UploadProgress<'_, '_> {
    fn counts<T>(&self, look: impl FnOnce(&mut UploadCounts) -> T) -> T {
        look(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the event of a completed upload.
    fn uploaded(&self) -> Event {
        let UploadCounts { copied: (files_copied, bytes_copied), before, transferred } = self.counts(|counts| *counts);
        Event::Uploaded {
            host: self.host.to_owned(),
            files: self.files_total.saturating_sub(files_copied),
            bytes: self.bytes_total.saturating_sub(bytes_copied),
            files_copied,
            bytes_copied,
            transferred: transferred.map(|bytes| before + bytes),
        }
    }
}

impl Progress for UploadProgress<'_, '_> {
    fn advanced(&self, files: u64, bytes: u64) {
        let copied = self.counts(|counts| counts.copied);
        self.run.emit(&Event::Progress {
            host: self.host.to_owned(),
            files,
            files_total: self.files_total.saturating_sub(copied.0),
            bytes,
            bytes_total: self.bytes_total.saturating_sub(copied.1),
        });
    }

    fn copied(&self, files: u64, bytes: u64) {
        self.counts(|counts| counts.copied = (files, bytes));
    }

    fn transferred(&self, bytes: u64) {
        self.counts(|counts| {
            // Less than before means that the store sends everything again.
            let last = counts.transferred.unwrap_or(0);
            counts.before += if bytes < last { last } else { 0 };
            counts.transferred = Some(bytes);
        });
    }
}
