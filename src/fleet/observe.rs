//! The first phase: reads the state of every host, before any is changed.
//!
//! Needs no lock and writes nothing: a failure, a kill or a lost answer leaves nothing behind.

use std::pin::pin;

use futures_util::{
    StreamExt,
    future::{Either, select},
    stream,
};

use crate::{
    error::{Error, ErrorKind},
    event::Phase,
    plan::{Refusal, Seen},
    report::{Command, Failure, HostOutcome, HostReport, Outcome, Report},
    store::{RootState, StoreError},
};

use super::{
    Host,
    run::{Run, summary},
};

/// The state of each host, or why it could not be read, in the order of the fleet.
pub(super) struct Observed<'r> {
    pub(super) states: Vec<(&'r Host, Result<RootState, Failure>)>,
}

impl<'r> Run<'r> {
    /// Reads the state of every host.
    pub(super) async fn observe(&self) -> Observed<'r> {
        self.observe_each(false).await
    }

    /// Reads the state of every host, and opens connections for an upload meanwhile.
    pub(super) async fn observe_before_upload(&self) -> Observed<'r> {
        self.observe_each(true).await
    }

    async fn observe_each(&self, uploads: bool) -> Observed<'r> {
        self.enter_phase(Phase::Ask, self.hosts.len());
        let observe = |(at, host): (usize, &'r Host)| async move {
            let answer = if uploads { self.state_before_upload(host).await } else { self.state_of(host).await };
            let answer = answer.map_err(|error| Failure::from(Error::from(error)));
            (at, host, self.report_phase(&host.name, Phase::Ask, answer))
        };
        // Collected first: with a closure in the stream, the compiler cannot prove the future `Send`.
        let observations: Vec<_> = self.hosts.iter().enumerate().map(observe).collect();
        let mut answers: Vec<_> = stream::iter(observations).buffer_unordered(self.parallel).collect().await;
        answers.sort_by_key(|(at, ..)| *at);
        let observed = Observed { states: answers.into_iter().map(|(_, host, answer)| (host, answer)).collect() };
        // The read-only commands report them for each host.
        if !matches!(self.command(), Command::Status | Command::Releases | Command::History) {
            self.warn_unreadable(&observed.seen());
        }
        observed
    }

    /// Connects to a host and reads its state.
    async fn state_of(&self, host: &Host) -> Result<RootState, StoreError> {
        self.connect_to(host).await?;
        host.store.state().await
    }

    /// Reads the state of a host, and opens connections for an upload.
    ///
    /// Opening an upload channel takes two round trips, and the host reads the functions meanwhile: a tenth of a second
    /// over 50 ms, when a whole deploy takes one.
    ///
    /// If the host does not answer, drops the latter: it would only wait for the same connection again.
    async fn state_before_upload(&self, host: &Host) -> Result<RootState, StoreError> {
        match select(pin!(self.state_of(host)), host.store.expect_stage()).await {
            Either::Left((Ok(state), expecting)) => {
                expecting.await;
                Ok(state)
            }
            Either::Left((Err(error), _)) => Err(error),
            Either::Right(((), answer)) => answer.await,
        }
    }

    /// Reports that some hosts could not be read.
    pub(super) fn refuse_unobserved(&self, observed: &Observed<'_>) -> Option<Report> {
        let failed: Vec<(String, Failure)> = observed
            .states
            .iter()
            .filter_map(|(host, answer)| Some((host.name.clone(), answer.as_ref().err()?.clone())))
            .collect();
        if failed.is_empty() {
            return None;
        }
        let error = summary("a host could not be asked, and nothing was touched", &failed);
        Some(self.report(Outcome::Refused, None, observed_reports(observed), Some(error)))
    }

    /// Warns of unreadable files among the tool's own.
    fn warn_unreadable(&self, seen: &[Seen<'_>]) {
        for (seen, file) in seen.iter().flat_map(|seen| seen.state.unreadable.iter().map(move |file| (seen, file))) {
            self.warn(Some(seen.host), file.to_string());
        }
    }

    /// Reports a refusal, with the current release of every host.
    pub(super) fn refused(&self, refusal: Refusal, seen: &[Seen<'_>]) -> Report {
        let shown = |failure: Failure| match failure.kind {
            ErrorKind::DataDiffers | ErrorKind::RecordsDiffer => self.redacted(failure),
            _ => failure,
        };
        let hosts = seen.iter().map(|seen| {
            let mut report = untouched(seen.host, seen.state);
            if let Some(why) = refusal.hosts.iter().find(|why| why.host == seen.host) {
                report.outcome = HostOutcome::Refused;
                let why = Error::new(why.reason.kind(), why.reason.to_string());
                report.error = Some(shown(why.into()));
            }
            report
        });
        let hosts = hosts.collect();
        let refusing: Vec<String> = refusal.hosts.iter().map(|refusal| refusal.host.clone()).collect();
        let refusing = || refusing.iter().map(String::as_str);
        let error = Failure::from(Error::from(refusal)).covering(refusing());
        // Where the hosts differ, only a person knows which one is wrong.
        let error = if error.kind == ErrorKind::HostsDiffer { error } else { error.of_hosts(refusing()) };
        self.report(Outcome::Refused, None, hosts, Some(shown(error)))
    }
}

impl Observed<'_> {
    /// Returns the states of the hosts that were read.
    pub(super) fn seen(&self) -> Vec<Seen<'_>> {
        let seen = self
            .states
            .iter()
            .filter_map(|(host, answer)| Some(Seen { host: &host.name, state: answer.as_ref().ok()? }));
        seen.collect()
    }
}

/// Returns the reports of hosts that were only read.
pub(super) fn observed_reports(observed: &Observed<'_>) -> Vec<HostReport> {
    let host = |(host, answer): &(&Host, Result<RootState, Failure>)| match answer {
        Ok(state) => untouched(&host.name, state),
        Err(failure) => failed_host(&host.name, failure.clone()),
    };
    observed.states.iter().map(host).collect()
}

/// Returns the report of an unchanged host.
pub(super) fn untouched(host: &str, state: &RootState) -> HostReport {
    let mut report = HostReport::new(host, HostOutcome::Unchanged);
    report.before = state.current.release().cloned();
    report.after.clone_from(&report.before);
    report
}

/// Returns the report of a host that failed before it was changed.
pub(super) fn failed_host(host: &str, failure: Failure) -> HostReport {
    let outcome = match failure.kind {
        ErrorKind::Unreachable => HostOutcome::Unreachable,
        ErrorKind::Unknown => HostOutcome::Unknown,
        ErrorKind::Locked => HostOutcome::Refused,
        _ => HostOutcome::Failed,
    };
    let mut report = HostReport::unread(host, outcome);
    report.error = Some(failure.of_hosts([host]));
    report
}

/// Converts a store's error for reports.
pub(super) fn failure(error: StoreError) -> Failure {
    Error::from(error).into()
}
