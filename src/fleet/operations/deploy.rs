//! `deploy` and `stage`: upload a release to every host that lacks it, and switch to it.

use crate::{
    adoption::Traces,
    error::{Error, ErrorKind},
    future::BoxFuture,
    manifest::Digest,
    name::ReleaseName,
    path::InnerPath,
    plan::{self, Action, DeployTerms, Plan, Refusal, Return, Seen},
    release::Release,
    report::{Outcome, Report},
    run_blocking::run_blocking,
    store::Staged,
    transport::{EntryKind, FileId},
    tree::Node,
};

use crate::fleet::{
    DeployOptions, Host,
    locked_host::LockedHost,
    observe::{Observed, observed_reports, untouched},
    operations::verify::Warnings,
    run::Run,
    with_locks::{Needs, Operation, Survey},
};

/// The result of a deploy, or the command that goes to the existing release if the deploy was asked to.
pub(in crate::fleet) type Deployed = Result<Report, Return>;

/// Stages `release` on every host that lacks it, and switches to it.
pub(in crate::fleet) async fn deploy(run: Run<'_>, release: &dyn Release, options: &DeployOptions) -> Deployed {
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
    let mut delivery = Delivery::new(release, &plan);
    (delivery.compares, delivery.returns) = (!options.anew, options.or_return);
    let report = delivery.deliver(&run).await;
    delivery.way.map_or(Ok(report), Err)
}

/// Stages `release` on every host that lacks it, and publishes it there under its name.
pub(in crate::fleet) async fn stage(run: Run<'_>, release: &dyn Release) -> Report {
    let run = run.irreversible(release.irreversible());
    let commands = run.command_means();
    let ships = |at: &InnerPath| entry_kind_at(release, at);
    let plan = |seen: &[Seen<'_>], same: &[(String, FileId)]| {
        let mut plan = plan::stage(release.name(), seen, same)?;
        plan::share(&mut plan, seen, &ships)?;
        plan::with_commands(plan, commands, seen)
    };
    let mut delivery = Delivery::new(release, &plan);
    delivery.compares = true;
    delivery.deliver(&run).await
}

/// Returns the kind of the entry at a path of the release to upload.
fn entry_kind_at(release: &dyn Release, at: &InnerPath) -> Option<EntryKind> {
    let tree = release.content();
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
    release: &'b dyn Release,
    planner: &'b Planner<'b>,
    /// Whether an existing release of that name may be the same one.
    compares: bool,
    /// Whether to go to it if it exists and is not current.
    returns: bool,
    /// The command that goes to it, if the first plan was refused for that.
    way: Option<Return>,
    /// The digest of the source, once a host has a release of that name.
    digest: Option<Digest>,
    /// The uploads; `None` before they are made.
    staged: Option<Vec<(&'r Host, Staged)>>,
}

impl<'b, 'r> Delivery<'b, 'r> {
    fn new(release: &'b dyn Release, planner: &'b Planner<'b>) -> Self {
        Self { release, planner, compares: false, returns: false, way: None, digest: None, staged: None }
    }

    async fn deliver(&mut self, run: &Run<'r>) -> Report {
        run.emit_started(Some(self.release.name()));
        if let Some(report) = run.refuse_unfit_source(self.release) {
            return report;
        }
        let tree = self.release.content();
        let observed = if run.options.dry_run {
            run.observe().await
        } else {
            tokio::join!(run.observe_before_upload(), run_blocking(move || tree.recall())).0
        };
        run.with_locks(Some(&observed), self).await
    }

    /// Refuses a plan that publishes an upload which was not made, because the host had the release before
    /// the lock.
    fn check_all_staged(&self, plan: Plan, seen: &[Seen<'_>]) -> Result<Plan, Refusal> {
        let Some(staged) = &self.staged else { return Ok(plan) };
        let lacks = |seen: &&Seen<'_>| {
            let action = plan.host(seen.host).map(|host| &host.action);
            let publishes = matches!(action, Some(Action::Deploy { .. } | Action::Stage));
            publishes && !staged.iter().any(|(host, _)| host.name == seen.host)
        };
        let lost = seen.iter().filter(lacks).map(|seen| plan::moved_meanwhile(seen, self.release.name()));
        let lost: Vec<_> = lost.collect();
        if lost.is_empty() { Ok(plan) } else { Err(Refusal::of(plan.command, lost)) }
    }

    /// Returns the hosts that have a release of that name with the same content.
    fn same(&self, seen: &[Seen<'_>]) -> Vec<(String, FileId)> {
        let Some(digest) = self.digest else { return Vec::new() };
        let same = seen.iter().filter_map(|seen| {
            let release = seen.state.release(self.release.name())?;
            let is_same = release.staged.record().is_some_and(|staged| staged.digest == Some(digest));
            is_same.then(|| (seen.host.to_owned(), release.id))
        });
        same.collect()
    }
}

impl<'r> Operation<'r> for Delivery<'_, 'r> {
    type Plan = Plan;

    fn needs(&self) -> Needs {
        let name = self.release.name().clone();
        let survey = if self.compares { Survey::Release(name) } else { Survey::Nothing };
        Needs { before_lock: true, survey, ..Needs::default() }
    }

    /// Reads the digest of the source, only if a host has a release of that name.
    fn read<'a>(&'a mut self, run: &'a Run<'r>, seen: &'a [Seen<'a>]) -> BoxFuture<'a, Result<(), Report>> {
        Box::pin(async move {
            let name = self.release.name();
            let tree = self.release.content();
            let has_it = seen.iter().any(|seen| seen.state.release(name).is_some());
            if self.digest.is_some() || !self.compares || !has_it {
                return Ok(());
            }
            let read = run_blocking(move || tree.digest()).await;
            let read = read.ok_or_else(|| Error::new(ErrorKind::Internal, "the source could not be read"));
            match read.and_then(|digest| Ok(digest?)) {
                Ok(digest) => self.digest = Some(digest),
                Err(error) => {
                    let hosts = seen.iter().map(|seen| untouched(seen.host, seen.state)).collect();
                    return Err(run.report(Outcome::Refused, Some(name), hosts, Some(error.into())));
                }
            }
            Ok(())
        })
    }

    fn plan(&mut self, seen: &[Seen<'_>], _traces: &[Traces]) -> Result<Option<Plan>, Refusal> {
        match (self.planner)(seen, &self.same(seen)) {
            Ok(plan) => self.check_all_staged(plan, seen).map(Some),
            Err(refusal) => {
                if self.returns && self.staged.is_none() {
                    self.way = plan::return_of(&refusal, seen, self.release.name());
                }
                Err(refusal)
            }
        }
    }

    fn release(&self, _plan: &Plan) -> Option<ReleaseName> {
        Some(self.release.name().clone())
    }

    fn publishes(&self) -> Option<&ReleaseName> {
        Some(self.release.name())
    }

    fn emit_plan(&self, run: &Run<'r>, plan: &Plan) {
        run.emit_plan(plan);
        if !run.options.dry_run {
            for note in &plan.notes {
                run.warn(None, note.clone());
            }
        }
    }

    fn foresee<'a>(&'a mut self, run: &'a Run<'r>, plan: &'a mut Plan) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            run.foresee_pruning(plan).await;
        })
    }

    fn rehearse<'a>(
        &'a mut self,
        run: &'a Run<'r>,
        plan: &'a Plan,
        seen: &'a [Seen<'a>],
    ) -> BoxFuture<'a, Result<Warnings, Report>> {
        Box::pin(async move { run.rehearse(plan, seen).await })
    }

    /// A lock holder may be about to report that the release is bad; and missed releases are cleared only under the
    /// locks.
    fn needs_no_lock(&self, plan: &Plan, seen: &[Seen<'_>]) -> bool {
        let settled = |seen: &Seen<'_>| seen.state.lock.is_none() && seen.state.debts.is_empty();
        plan.is_empty() && seen.iter().all(settled)
    }

    fn before_lock<'a>(
        &'a mut self,
        run: &'a Run<'r>,
        plan: &'a Plan,
        observed: &'a Observed<'r>,
    ) -> BoxFuture<'a, Result<(), Report>> {
        Box::pin(async move {
            let staged = tokio::select! {
                biased;
                // The next deploy removes what has arrived: its holder is dead, and it has no release name.
                () = run.stop_requested() => Err(run.stopped(observed_reports(observed))),
                staged = run.stage(self.release, plan, observed) => staged,
            };
            match staged {
                Ok(staged) => {
                    self.staged = Some(staged);
                    Ok(())
                }
                Err(report) => Err(run.record_attempt(plan, report).await),
            }
        })
    }

    fn act<'a>(&'a mut self, run: &'a Run<'r>, plan: Plan, mut locked: Vec<LockedHost<'r>>) -> BoxFuture<'a, Report> {
        Box::pin(async move {
            let mut unwanted = Vec::new();
            for (member, staged) in self.staged.take().unwrap_or_default() {
                let wants = plan.host(&member.name).is_some_and(|plan| plan.action != Action::Stay);
                match locked.iter_mut().find(|host| host.member.name == member.name) {
                    Some(host) if wants => host.staged = Some(staged),
                    _ => unwanted.push((member, staged)),
                }
            }
            run.discard(unwanted).await;
            run.execute(&plan, locked).await
        })
    }

    fn abandon<'a>(&'a mut self, run: &'a Run<'r>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            run.discard(self.staged.take().unwrap_or_default()).await;
        })
    }
}
