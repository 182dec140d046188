//! `deploy` and `stage`: upload a release to every host that lacks it, and switch to it.

use crate::{
    blocking::apart,
    error::{Error, ErrorKind},
    path::InnerPath,
    plan::{self, Action, DeployTerms, Plan, Refusal, Return, Seen},
    release::{Release, ReleaseContent},
    report::{Outcome, Report},
    store::{RootState, Staged},
    transport::{EntryKind, FileId},
    tree::Node,
};

use super::{
    DeployOptions, Host,
    locked_host::LockedHost,
    observe::{Observed, failure, observed_reports},
    run::Run,
};

/// The result of a deploy, or the command that goes to the existing release if the deploy was asked to.
pub(super) type Deployed = Result<Report, Return>;

/// Stages `release` on every host that lacks it, and switches to it.
pub(super) async fn deploy(run: Run<'_>, release: &dyn Release, options: &DeployOptions) -> Deployed {
    let irreversible = options.irreversible.clone().or_else(|| release.irreversible());
    let run = run.irreversible(irreversible).accepting_data(options.accept_data);
    if let Some(report) = run.refuse_missing_variables(Some(release.name())) {
        return Ok(report);
    }
    let place = run.options.data_place();
    let means = run.data_means(false, place.as_ref());
    let commands = run.command_means();
    let ships = |at: &InnerPath| entry_kind_at(release, at);
    let plan = |seen: &[Seen<'_>], same: &[(String, FileId)]| {
        let terms = DeployTerms { from: options.from.as_ref(), allow_split: options.allow_split, means, same };
        let mut plan = plan::deploy(release.name(), seen, &terms)?;
        plan::share(&mut plan, seen, &ships)?;
        plan::with_commands(plan, commands, seen)
    };
    let delivery = Delivery { run: &run, release, plan: &plan, compares: !options.anew, returns: options.or_return };
    delivery.deliver().await
}

/// Stages `release` on every host, and publishes it there under its name.
pub(super) async fn stage(run: Run<'_>, release: &dyn Release) -> Report {
    let run = run.irreversible(release.irreversible());
    let commands = run.command_means();
    let ships = |at: &InnerPath| entry_kind_at(release, at);
    let plan = |seen: &[Seen<'_>], _: &[(String, FileId)]| {
        let mut plan = plan::stage(release.name(), seen)?;
        plan::share(&mut plan, seen, &ships)?;
        plan::with_commands(plan, commands, seen)
    };
    let delivery = Delivery { run: &run, release, plan: &plan, compares: false, returns: false };
    match delivery.deliver().await {
        Ok(report) => report,
        Err(_) => unreachable!("only a deploy returns"),
    }
}

/// Returns the kind of the entry at a path of the release to upload.
fn entry_kind_at(release: &dyn Release, at: &InnerPath) -> Option<EntryKind> {
    let ReleaseContent::Tree(tree) = release.content() else { return None };
    let entry = tree.entries().iter().find(|entry| entry.path == at.as_str().as_bytes())?;
    Some(match entry.node {
        Node::Directory => EntryKind::Directory,
        Node::File { .. } => EntryKind::File,
        Node::Link { .. } => EntryKind::Link,
    })
}

/// Plans on the states of the hosts, given those that have a release of that name with the same content.
type Planner<'p> = dyn Fn(&[Seen<'_>], &[(String, FileId)]) -> Result<Plan, Refusal> + Send + Sync + 'p;

/// A release to upload, publish, and for a deploy to switch to.
struct Delivery<'b, 'r> {
    run: &'b Run<'r>,
    release: &'b dyn Release,
    plan: &'b Planner<'b>,
    /// Whether an existing release of that name may be the same one.
    compares: bool,
    /// Whether to go to it if it exists and is not current.
    returns: bool,
}

impl<'r> Delivery<'_, 'r> {
    /// Observes, plans, uploads without a lock, locks, plans again on the state read under the locks, and
    /// executes.
    async fn deliver(&self) -> Deployed {
        let (run, name) = (self.run, self.release.name());
        run.emit_started(Some(name));
        if let Some(report) = run.refuse_unfit_source(self.release) {
            return Ok(report);
        }
        let observed = match self.release.content() {
            ReleaseContent::Tree(tree) if !run.options.dry_run => {
                tokio::join!(run.observe_before_upload(), apart(move || tree.recall())).0
            }
            _ => run.observe().await,
        };
        if let Some(report) = run.refuse_unfit_hosts(&observed) {
            return Ok(report);
        }
        let seen = observed.seen();
        let same = match self.same(seen.iter().map(|seen| (seen.host, seen.state))).await {
            Ok(same) => same,
            Err(error) => return Ok(self.source_unreadable(&observed, error)),
        };
        let mut first = match (self.plan)(&seen, &same) {
            Ok(plan) => plan,
            Err(refusal) => {
                let returns = plan::return_of(&refusal, &seen, name).filter(|_| self.returns);
                return returns.map_or_else(|| Ok(run.refused(refusal, &seen)), Err);
            }
        };
        if let Some(report) = run.refuse_unwritable_hosts(&observed, Some(name)).await {
            return Ok(report);
        }
        if run.options.dry_run && !first.is_empty() {
            run.foresee_pruning(&mut first).await;
        }
        run.emit_plan(&first);
        if run.options.dry_run {
            let warnings = run.check_links(&first, &seen).await;
            return Ok(run.dry_run(&first, &warnings));
        }
        for note in &first.notes {
            run.warn(None, note.clone());
        }
        // A lock holder may be about to report that the release is bad; and missed releases are cleared only under the
        // locks.
        let settled = |seen: &Seen<'_>| seen.state.lock.is_none() && seen.state.debts.is_empty();
        if first.is_empty() && seen.iter().all(settled) {
            return Ok(Report { release: Some(name.clone()), ..run.nothing_to_do(&seen) });
        }
        Ok(self.upload_and_switch(&observed, &first, same).await)
    }

    async fn upload_and_switch(&self, observed: &Observed<'r>, first: &Plan, same: Vec<(String, FileId)>) -> Report {
        let run = self.run;
        let staged = tokio::select! {
            biased;
            // The next deploy removes what has arrived: its holder is dead, and it has no release name.
            () = run.options.cancel.requested() => Err(run.stopped(observed_reports(observed))),
            staged = run.stage(self.release, first, observed) => staged,
        };
        let staged = match staged {
            Ok(staged) => staged,
            Err(report) => return run.record_attempt(first, report).await,
        };
        let locked = match run.take_locks().await {
            Ok(locked) => locked,
            Err(report) => {
                run.discard(staged).await;
                return report;
            }
        };
        self.replan_and_execute(locked, staged, same).await
    }

    async fn replan_and_execute(
        &self,
        mut locked: Vec<LockedHost<'r>>,
        staged: Vec<(&'r Host, Staged)>,
        same: Vec<(String, FileId)>,
    ) -> Report {
        let run = self.run;
        let same = match self.same_under_locks(&mut locked, same).await {
            Ok(same) => same,
            Err(report) => {
                run.release_locks(&mut locked).await;
                run.discard(staged).await;
                return report;
            }
        };
        let seen: Vec<Seen<'_>> = locked.iter().map(LockedHost::seen).collect();
        let planned = (self.plan)(&seen, &same).and_then(|plan| self.check_all_staged(plan, &seen, &staged));
        let plan = match planned {
            Ok(plan) => plan,
            Err(refusal) => {
                let report = run.refused(refusal, &seen);
                run.release_locks(&mut locked).await;
                run.discard(staged).await;
                return report;
            }
        };
        let mut unwanted = Vec::new();
        for (member, staged) in staged {
            let wants = plan.host(&member.name).is_some_and(|plan| plan.action != Action::Stay);
            match locked.iter_mut().find(|host| host.member.name == member.name) {
                Some(host) if wants => host.staged = Some(staged),
                _ => unwanted.push((member, staged)),
            }
        }
        run.discard(unwanted).await;
        run.execute(&plan, locked).await
    }

    /// Refuses a plan that publishes an upload which was not made, because the host had the release before
    /// the lock.
    fn check_all_staged(&self, plan: Plan, seen: &[Seen<'_>], staged: &[(&Host, Staged)]) -> Result<Plan, Refusal> {
        let lacks = |seen: &&Seen<'_>| {
            let action = plan.host(seen.host).map(|host| &host.action);
            let publishes = matches!(action, Some(Action::Deploy { .. } | Action::Stage));
            publishes && !staged.iter().any(|(host, _)| host.name == seen.host)
        };
        let lost = seen.iter().filter(lacks).map(|seen| plan::moved_meanwhile(seen, self.release.name()));
        let lost: Vec<_> = lost.collect();
        if lost.is_empty() { Ok(plan) } else { Err(Refusal::of(self.run.command(), lost)) }
    }

    /// Returns the hosts that have a release of that name with the same content. Reads the tree only if one
    /// has that name.
    async fn same(&self, hosts: impl Iterator<Item = (&str, &RootState)>) -> Result<Vec<(String, FileId)>, Error> {
        let name = self.release.name();
        let found: Vec<_> = hosts.filter_map(|(host, state)| Some((host.to_owned(), state.release(name)?))).collect();
        let ReleaseContent::Tree(tree) = self.release.content() else { return Ok(Vec::new()) };
        if found.is_empty() || !self.compares {
            return Ok(Vec::new());
        }
        let read = apart(move || tree.digest()).await;
        let digest = read.ok_or_else(|| Error::new(ErrorKind::Internal, "the source could not be read"))??;
        let has_it = found
            .into_iter()
            .filter(|(_, release)| release.staged.record().is_some_and(|staged| staged.digest == Some(digest)));
        Ok(has_it.map(|(host, release)| (host, release.id)).collect())
    }

    /// Returns the same under the locks. Surveys only the hosts on which such a release is new since then.
    async fn same_under_locks(
        &self,
        locked: &mut [LockedHost<'r>],
        mut same: Vec<(String, FileId)>,
    ) -> Result<Vec<(String, FileId)>, Report> {
        if !self.compares {
            return Ok(same);
        }
        for host in locked.iter_mut() {
            let Some(id) = host.guard.state().release(self.release.name()).map(|release| release.id) else {
                continue;
            };
            if same.contains(&(host.name().to_owned(), id)) {
                continue;
            }
            if let Err(error) = host.guard.survey().await {
                host.failure = Some(failure(error));
                continue;
            }
            let came = self.same(std::iter::once((host.member.name(), host.guard.state()))).await;
            match came {
                Ok(came) => same.extend(came),
                Err(error) => host.failure = Some(error.into()),
            }
        }
        self.run
            .report_unread_hosts(locked, "a host could not be asked again, and nothing was touched")
            .map_or(Ok(same), Err)
    }

    /// Reports that the source cannot be read.
    fn source_unreadable(&self, observed: &Observed<'_>, error: Error) -> Report {
        self.run.report(Outcome::Refused, Some(self.release.name()), observed_reports(observed), Some(error.into()))
    }
}
