//! Runs hooks under the lock, each with a record of its own inside it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    limits,
    name::ReleaseName,
    path::{HostPath, InnerPath},
    store::{HookDirectory, HookRun, StoreError, layout::inner, log},
    transport::{
        Batch, Effect, FailureKind, GroupReach, HookCall, HookExit, LineSink, Listing, Op, Secrets, StepFailure,
        Stream, TransportError,
    },
};

use super::DirGuard;

/// The time during which an unresponsive host is asked again for the result of a hook.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two attempts.
const REST: Duration = Duration::from_secs(1);

impl DirGuard {
    /// Returns the directory of this operation's hooks. It moves with the lock when that is taken over; no hook can
    /// then be started any more.
    pub(super) fn hooks(&self) -> InnerPath {
        self.store.layout().held(&self.token).join(&inner(self.owner.operation.as_str()))
    }

    /// Moves the hooks that ran before a fence, which are in the journal, into a directory.
    pub(super) fn bring_hooks(&self, batch: &mut Batch, into: &InnerPath) {
        for old in self.fenced.iter().filter(|_| self.hooks_run > 0 && !self.hooks_begun) {
            let from = self.store.layout().in_state(&["journal", old.as_str(), self.owner.operation.as_str()]);
            batch.push_lenient(Op::MoveInto { from, into: into.clone() });
        }
    }

    pub(super) async fn run(&mut self, run: &HookRun, output: &dyn LineSink) -> Result<HookExit, StoreError> {
        let changes = run.kind.changes_release() && run.directory == HookDirectory::Release;
        self.begin_hooks(changes.then_some(&run.release)).await?;
        self.hooks_run += 1;
        let name = format!("{:03}-{}", self.hooks_run, run.kind);
        let output_limit = log::stream_limit(self.output_left);
        let call = HookCall { output_limit, ..self.store.hook_call(run, self.hooks().join(&inner(&name))) };
        let printed = AtomicU64::new(0);
        let counting = |stream: Stream, line: &[u8]| {
            printed.fetch_add(line.len() as u64 + 1, Ordering::Relaxed);
            output.line(stream, line);
        };
        let ended = self.run_surely(&call, &counting).await;
        self.output_left = self.output_left.saturating_sub(printed.into_inner());
        if run.directory == HookDirectory::Release {
            self.share_release(&run.release).await;
        }
        match ended {
            Err(StoreError::LockLost { host }) if self.holds().await => {
                Err(StoreError::NoSuchRelease { host, name: run.release.clone() })
            }
            result => result,
        }
    }

    /// Gives directories that a command created in a release to the root's group, since any member may have to prune
    /// it.
    async fn share_release(&self, name: &ReleaseName) {
        let mut batch = self.store.steps.empty();
        self.store.steps.give(&mut batch, self.store.layout().release(name), GroupReach::Directories);
        if !batch.steps.is_empty() {
            // Directories that cannot be given stay the user's own; `prune` reports them.
            let _ = self.store.execute(&batch).await;
        }
    }

    /// Returns `true` if the host confirms that this run still holds the lock.
    async fn holds(&self) -> bool {
        self.store.execute(&self.store.steps.locked(&self.token)).await.is_ok()
    }

    /// Creates the directory of the hooks on the first call, and takes a snapshot of a release that a command may
    /// change.
    async fn begin_hooks(&mut self, changes: Option<&ReleaseName>) -> Result<(), StoreError> {
        // On a full filesystem the hooks get the space of the reserve.
        match self.try_begin_hooks(changes).await {
            Err(error) if self.store.frees_reserve(&error).await => self.try_begin_hooks(changes).await.map(drop),
            Ok(true) if self.store.gives_up_reserve().await => self.try_begin_hooks(changes).await.map(drop),
            result => result.map(drop),
        }?;
        if let Some(ran) = changes.and_then(|name| self.marks.get_mut(name)) {
            *ran = true;
        }
        Ok(())
    }

    /// Tries once. Returns `true` if there was no space for the snapshot.
    async fn try_begin_hooks(&mut self, changes: Option<&ReleaseName>) -> Result<bool, StoreError> {
        let changes = changes.filter(|name| !self.marks.contains_key(name));
        if self.hooks_begun && changes.is_none() {
            return Ok(false);
        }
        let (steps, logs) = (&self.store.steps, self.store.layout().in_state(&["log"]));
        let mut batch = steps.locked(&self.token);
        self.bring_hooks(&mut batch, &self.store.layout().held(&self.token));
        batch.push(Op::MakeDir { path: self.hooks(), mode: 0o700, existing_is_fine: true });
        let logs = batch.push(Op::list(logs));
        let marking = changes.and_then(|name| self.mark(&mut batch, name));
        let replies = self.store.execute_locked(&batch).await?;
        self.old_logs = old_logs(replies.get(logs)?);
        self.hooks_begun = true;
        changes.map_or(Ok(false), |name| self.note_mark(name, &replies, marking))
    }

    /// Runs a hook, and fetches its result again if the reply is lost.
    ///
    /// A second call with the same record starts nothing, and waits for the command that the first one started.
    pub(super) async fn run_surely(&self, call: &HookCall, output: &dyn LineSink) -> Result<HookExit, StoreError> {
        let mut until: Option<Instant> = None;
        loop {
            let error = match self.store.transport.run(call, output).await {
                Ok(exit) => return Ok(exit),
                Err(error) => error,
            };
            let lost = error.effect() == Effect::Unknown;
            if lost {
                until = Some(Instant::now() + PATIENCE);
            }
            let again = until.is_some_and(|until| Instant::now() < until)
                && (lost || matches!(error, TransportError::Unreachable { .. }));
            if !again {
                // The record's directory is in the lock.
                return Err(match error {
                    TransportError::Hook { failure: StepFailure { kind: FailureKind::Missing, .. }, .. } => {
                        StoreError::LockLost { host: self.host() }
                    }
                    error => error.into(),
                });
            }
            tokio::time::sleep(REST).await;
        }
    }

    /// Builds a call that only waits for the command of this record, or ends it.
    pub(super) fn attach(&self, record: InnerPath, ends: bool) -> HookCall {
        let root: &HostPath = &self.store.steps.root;
        HookCall {
            root: root.clone(),
            record,
            directory: root.clone(),
            script: String::new(),
            environment: Vec::new(),
            secrets: Secrets::default(),
            timeout: None,
            output_limit: limits::OUTPUT,
            ends,
        }
    }
}

/// Returns the names of the oldest logs, beyond the number to keep.
fn old_logs(listing: &Listing) -> Vec<InnerPath> {
    let mut logs: Vec<_> = listing.iter().flatten().collect();
    logs.sort_by_key(|log| std::cmp::Reverse(log.entry.modified));
    let old = logs.into_iter().skip(limits::LOGS).filter_map(|log| std::str::from_utf8(&log.name).ok());
    old.filter_map(|name| InnerPath::new(name).ok()).collect()
}
