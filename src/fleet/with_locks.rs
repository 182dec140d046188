//! Lock, plan, act: the only way for an operation to change a fleet.
//!
//! An [`Operation`] says what it reads, plans purely on that, and acts under the locks. *Movers* move `current`: they
//! execute phases, with an undo. *Keepers* edit marks and records without an undo, and can be repeated.

use std::borrow::Cow;

use futures_util::{StreamExt, future::join_all, stream};

use crate::{
    adoption::Traces,
    event::Phase,
    future::BoxFuture,
    name::ReleaseName,
    outcome::{Command, HostOutcome, Outcome},
    plan::{Refusal, Seen},
    report::{Failure, HostReport, Report},
    store::{QuickCheck, RootState, StoreError},
};

use super::{
    Host,
    locked_host::LockedHost,
    observe::{Observed, failed_host, failure, untouched},
    operations::verify::Warnings,
    run::{Run, summary},
};

/// The task that a store without [`AdoptStore`](crate::store::AdoptStore) cannot do.
pub(super) const ADOPT: &str = "adopt trees of other tools";

/// The readings that an operation needs besides the state of every host under its lock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Needs {
    /// Whether to read and plan before the locks are taken, too. A dry run does so in any case.
    pub(super) before_lock: bool,
    /// What to read that the reply to a lock does not contain.
    pub(super) survey: Survey,
    /// Whether to read the traces of other tools.
    pub(super) traces: bool,
    /// The release to compare with its manifest in the exchange that takes the lock.
    pub(super) quick_check: Option<QuickCheck>,
}

/// The part of a state that the reply to a lock lacks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Survey {
    /// Nothing.
    #[default]
    Nothing,
    /// The pin and the record of one release.
    ///
    /// Read again under the lock only on hosts where the release is not the directory that was read before it.
    Release(ReleaseName),
    /// Everything that decides which releases are removed.
    Everything,
}

/// An operation on all hosts of a fleet, from planning to releasing the locks.
pub(super) trait Operation<'r>: Send {
    /// The plan.
    type Plan: Send + Sync;

    /// Returns the readings that the plan needs.
    fn needs(&self) -> Needs;

    /// Reads what the plan needs on this machine. The error is the report of a run that ends here.
    fn read<'a>(&'a mut self, _run: &'a Run<'r>, _seen: &'a [Seen<'a>]) -> BoxFuture<'a, Result<(), Report>> {
        Box::pin(async { Ok(()) })
    }

    /// Plans on the states of the hosts, however each was read; `None` if there is nothing to do.
    fn plan(&mut self, seen: &[Seen<'_>], traces: &[Traces]) -> Result<Option<Self::Plan>, Refusal>;

    /// Returns the release that the plan is about, for reports.
    fn release(&self, plan: &Self::Plan) -> Option<ReleaseName>;

    /// Emits the plan.
    fn emit_plan(&self, run: &Run<'r>, plan: &Self::Plan);

    /// Asks what else a run could refuse, for a dry run. The error is the report of that refusal.
    fn rehearse<'a>(
        &'a mut self,
        _run: &'a Run<'r>,
        _plan: &'a Self::Plan,
        _seen: &'a [Seen<'a>],
    ) -> BoxFuture<'a, Result<Warnings, Report>> {
        Box::pin(async { Ok(Warnings::new()) })
    }

    /// Returns the name of a release to publish, which a host may refuse.
    fn publishes(&self) -> Option<&ReleaseName> {
        None
    }

    /// Adds to a dry run's plan what can only be foreseen.
    fn foresee<'a>(&'a mut self, _run: &'a Run<'r>, _plan: &'a mut Self::Plan) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    /// Returns `true` if the plan made without the locks shows that they are not needed.
    fn needs_no_lock(&self, _plan: &Self::Plan, _seen: &[Seen<'_>]) -> bool {
        false
    }

    /// Does the work that needs no lock, such as an upload. The error is the report of a run that ends here.
    fn before_lock<'a>(
        &'a mut self,
        _run: &'a Run<'r>,
        _plan: &'a Self::Plan,
        _observed: &'a Observed<'r>,
    ) -> BoxFuture<'a, Result<(), Report>> {
        Box::pin(async { Ok(()) })
    }

    /// Refuses the plan under the locks, before anything changes.
    fn refuse<'a>(
        &'a mut self,
        _run: &'a Run<'r>,
        _plan: &'a Self::Plan,
        _locked: &'a mut [LockedHost<'r>],
    ) -> BoxFuture<'a, Result<(), Report>> {
        Box::pin(async { Ok(()) })
    }

    /// Acts, releases the locks, and reports.
    fn act<'a>(&'a mut self, run: &'a Run<'r>, plan: Self::Plan, locked: Vec<LockedHost<'r>>) -> BoxFuture<'a, Report>;

    /// Removes the results of [`before_lock`](Self::before_lock), because the run ends without acting.
    fn abandon<'a>(&'a mut self, _run: &'a Run<'r>) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

impl<'r> Run<'r> {
    /// Plans on the states read under the locks of all hosts, and acts; a dry run only plans.
    ///
    /// Uses the states `observed` before the locks, if the caller has them, instead of reading them again.
    pub(super) fn with_locks<'a, O: Operation<'r>>(
        &'a self,
        observed: Option<&'a Observed<'r>>,
        operation: &'a mut O,
    ) -> BoxFuture<'a, Report> {
        // Boxed, because the compiler cannot prove `Send` of the future for every lifetime in `O`.
        Box::pin(self.run_with_locks(observed, operation))
    }

    async fn run_with_locks<O: Operation<'r>>(&self, observed: Option<&Observed<'r>>, operation: &mut O) -> Report {
        let needs = operation.needs();
        let plans_first = needs.before_lock || self.options.dry_run;
        let own = if plans_first && observed.is_none() { Some(self.observe_for(&needs).await) } else { None };
        let observed = observed.or(own.as_ref());
        if let Some(observed) = observed.filter(|_| plans_first)
            && let Err(report) = self.plan_unlocked(operation, &needs, observed).await
        {
            return report;
        }
        let mut locked = match self.take_locks(needs.quick_check.as_ref()).await {
            Ok(locked) => locked,
            Err(report) => {
                operation.abandon(self).await;
                return report;
            }
        };
        match self.plan_locked(operation, &needs, observed, &mut locked).await {
            Ok(plan) => operation.act(self, plan, locked).await,
            Err(report) => {
                // A run interrupted before it changed anything leaves only traces, which a recovery removes.
                let settles = self.command() == Command::Recover && report.outcome == Outcome::Unchanged;
                self.release_locks_and_settle(locked, settles).await;
                operation.abandon(self).await;
                report
            }
        }
    }

    /// Asks and plans without locks. The error is the report of a run that ends here, as every dry run does.
    async fn plan_unlocked<O: Operation<'r>>(
        &self,
        operation: &mut O,
        needs: &Needs,
        observed: &Observed<'r>,
    ) -> Result<(), Report> {
        if let Some(report) = self.refuse_unfit_hosts(observed) {
            return Err(report);
        }
        let traces = if needs.traces { self.traces(self.hosts.iter()).await? } else { Vec::new() };
        let seen = observed.seen();
        operation.read(self, &seen).await?;
        let mut plan = match operation.plan(&seen, &traces) {
            Ok(Some(plan)) => plan,
            Ok(None) => {
                let refused = self.refuse_closed_hosts(observed, operation.publishes()).await;
                return Err(refused.unwrap_or_else(|| self.nothing_to_do(None, &seen)));
            }
            Err(refusal) => return Err(self.refused(refusal, &seen)),
        };
        if self.options.dry_run {
            operation.foresee(self, &mut plan).await;
            operation.emit_plan(self, &plan);
            if !operation.needs_no_lock(&plan, &seen)
                && let Some(report) = self.refuse_closed_hosts(observed, operation.publishes()).await
            {
                return Err(report);
            }
            let warnings = operation.rehearse(self, &plan, &seen).await?;
            return Err(self.dry_run(operation.release(&plan).as_ref(), observed, &warnings));
        }
        operation.emit_plan(self, &plan);
        if operation.needs_no_lock(&plan, &seen) {
            return Err(self.nothing_to_do(operation.release(&plan).as_ref(), &seen));
        }
        operation.before_lock(self, &plan, observed).await
    }

    /// Plans on what is read under the locks. The error is the report of a run that changes nothing.
    async fn plan_locked<O: Operation<'r>>(
        &self,
        operation: &mut O,
        needs: &Needs,
        observed: Option<&Observed<'r>>,
        locked: &mut [LockedHost<'r>],
    ) -> Result<O::Plan, Report> {
        self.survey_locked(&needs.survey, observed, locked).await?;
        let members = locked.iter().map(|host| host.member);
        let traces = if needs.traces { self.traces(members).await? } else { Vec::new() };
        let planned = loop {
            let states: Vec<_> = locked.iter().map(|host| completed(host, &needs.survey, observed)).collect();
            let seen: Vec<Seen<'_>> =
                locked.iter().zip(&states).map(|(host, state)| Seen { host: host.name(), state }).collect();
            if !needs.before_lock
                && let Some(report) = self.refuse_unfit_paths(&seen)
            {
                return Err(report);
            }
            operation.read(self, &seen).await?;
            let planned = operation.plan(&seen, &traces);
            if !self.read_more(locked).await? {
                break planned;
            }
        };
        let plan = match planned {
            Ok(Some(plan)) => plan,
            Ok(None) => return Err(self.nothing_to_do(None, &seen_of(locked))),
            Err(refusal) => return Err(self.refused(refusal, &seen_of(locked))),
        };
        if !needs.before_lock {
            operation.emit_plan(self, &plan);
        }
        operation.refuse(self, &plan, locked).await?;
        Ok(plan)
    }

    /// Reads the states that `needs` asks for, without locks.
    async fn observe_for(&self, needs: &Needs) -> Observed<'r> {
        if needs.survey != Survey::Everything {
            return self.observe().await;
        }
        self.enter_phase(Phase::Ask, self.hosts.len());
        Observed { states: self.survey_unlocked().await }
    }

    /// Reads on every host without its lock which releases would be removed.
    pub(super) async fn survey_unlocked(&self) -> Vec<(&'r Host, Result<RootState, Failure>)> {
        let survey = |host: &'r Host| async move {
            let answer = match self.connect_to(host).await {
                Ok(()) => host.store.survey().await,
                Err(error) => Err(error),
            };
            let answer = answer.map_err(failure);
            (host, self.report_phase(&host.name, Phase::Ask, answer))
        };
        let surveys: Vec<_> = self.hosts.iter().map(survey).collect();
        stream::iter(surveys).buffered(self.parallel).collect().await
    }

    /// Reads under the locks what their replies lack, and reports hosts where that failed.
    async fn survey_locked(
        &self,
        survey: &Survey,
        observed: Option<&Observed<'r>>,
        locked: &mut [LockedHost<'r>],
    ) -> Result<(), Report> {
        let lacks = |host: &LockedHost<'_>| match survey {
            Survey::Nothing => false,
            Survey::Everything => true,
            Survey::Release(name) => {
                host.guard.state().release(name).is_some() && before(host, name, observed).is_none()
            }
        };
        let failed = self.survey(locked.iter_mut().filter(|host| lacks(host))).await;
        if failed.is_empty() { Ok(()) } else { Err(self.unread(locked, "a host could not be asked", &failed)) }
    }

    /// Surveys these locked hosts, and returns those that failed.
    pub(super) async fn survey<'l>(&self, hosts: impl Iterator<Item = &'l mut LockedHost<'r>>) -> Vec<(String, Failure)>
    where
        'r: 'l,
    {
        let surveys: Vec<_> = hosts
            .map(|host| async {
                let answer = host.guard.survey().await.map_err(failure);
                let failed = self.report_step(host.member.name(), Phase::Ask, answer).err()?;
                Some((host.name().to_owned(), failed))
            })
            .collect();
        join_all(surveys).await.into_iter().flatten().collect()
    }

    /// Reads the releases that the plan requested and that were not read yet, on all hosts at once.
    ///
    /// Returns whether there were any: the plan must then be made again.
    async fn read_more(&self, locked: &mut [LockedHost<'_>]) -> Result<bool, Report> {
        let reads = locked.iter_mut().map(|host| host.guard.read_more());
        let results = join_all(reads).await;
        let mut failed: Vec<(String, Failure)> = Vec::new();
        let mut any = false;
        for (host, result) in locked.iter().zip(results) {
            let result = result.map_err(failure);
            match self.report_step(host.name(), Phase::Lock, result) {
                Ok(more) => any |= more,
                Err(why) => failed.push((host.name().to_owned(), why)),
            }
        }
        if failed.is_empty() { Ok(any) } else { Err(self.unread(locked, "a release could not be read", &failed)) }
    }

    /// Reads the traces that other tools left on these hosts.
    async fn traces(&self, hosts: impl Iterator<Item = &'r Host>) -> Result<Vec<Traces>, Report> {
        let hosts: Vec<&Host> = hosts.collect();
        let reports = || hosts.iter().map(|host| HostReport::new(&host.name, HostOutcome::Unchanged)).collect();
        let (mut traces, mut failed) = (Vec::new(), Vec::new());
        let mut reads = Vec::new();
        for host in &hosts {
            match host.store.adoption() {
                Some(store) => reads.push(store.traces()),
                None => failed.push((host.name.clone(), failure(StoreError::Unsupported { what: ADOPT }))),
            }
        }
        if !failed.is_empty() {
            return Err(self.not_read("a host cannot adopt", reports(), &failed));
        }
        let answers: Vec<_> = stream::iter(reads).buffered(self.parallel).collect().await;
        for (host, answer) in hosts.iter().zip(answers) {
            match answer {
                Ok(found) => traces.push(found),
                Err(error) => failed.push((host.name.clone(), failure(error))),
            }
        }
        if failed.is_empty() {
            return Ok(traces);
        }
        Err(self.not_read("a host could not be asked", reports(), &failed))
    }

    fn unread(&self, locked: &[LockedHost<'_>], what: &str, failed: &[(String, Failure)]) -> Report {
        let reports = locked.iter().map(|host| untouched(host.name(), host.guard.state()));
        self.not_read(what, reports.collect(), failed)
    }

    /// Reports that some hosts could not be read; `hosts` are the reports of all.
    fn not_read(&self, what: &str, hosts: Vec<HostReport>, failed: &[(String, Failure)]) -> Report {
        let report = |host: HostReport| match failed.iter().find(|(name, _)| *name == host.host) {
            Some((name, why)) => failed_host(name, why.clone()),
            None => host,
        };
        let error = summary(&format!("{what}, and nothing was touched"), failed);
        self.report(Outcome::Refused, None, hosts.into_iter().map(report).collect(), Some(error))
    }

    /// Reports that there was nothing to do.
    pub(super) fn nothing_to_do(&self, release: Option<&ReleaseName>, seen: &[Seen<'_>]) -> Report {
        let hosts: Vec<HostReport> = seen.iter().map(|seen| untouched(seen.host, seen.state)).collect();
        self.report(Outcome::Unchanged, release, hosts, None)
    }
}

/// Returns the states of locked hosts.
pub(super) fn seen_of<'s>(locked: &'s [LockedHost<'_>]) -> Vec<Seen<'s>> {
    locked.iter().map(LockedHost::seen).collect()
}

/// Returns the state read before the lock, if `name` was the same directory then as it is under the lock.
fn before<'o>(host: &LockedHost<'_>, name: &ReleaseName, observed: Option<&'o Observed<'_>>) -> Option<&'o RootState> {
    let (_, before) = observed?.states.iter().find(|(member, _)| member.name == host.member.name)?;
    let before = before.as_ref().ok()?;
    let id = |state: &RootState| state.release(name).map(|release| release.id);
    (id(before).is_some() && id(before) == id(host.guard.state())).then_some(before)
}

/// Returns the state under the lock, with the pin and the record of the surveyed release as read before it.
fn completed<'s>(host: &'s LockedHost<'_>, survey: &Survey, observed: Option<&Observed<'_>>) -> Cow<'s, RootState> {
    let state = host.guard.state();
    let Survey::Release(name) = survey else { return Cow::Borrowed(state) };
    let Some(known) = before(host, name, observed).and_then(|before| before.release(name)) else {
        return Cow::Borrowed(state);
    };
    let mut state = state.clone();
    for release in state.releases.iter_mut().filter(|release| release.name == *name) {
        release.pinned.clone_from(&known.pinned);
        release.staged.clone_from(&known.staged);
    }
    Cow::Owned(state)
}
