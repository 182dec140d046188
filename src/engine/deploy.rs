//! `deploy` and `stage`: bring a release to every host, and switch to it.

use crate::{
    blocking::apart,
    path::InnerPath,
    plan::{self, Plan, Refusal, Seen},
    release::{Release, ReleaseContent},
    report::Report,
    store::Staged,
    transport::EntryKind,
    tree::Node,
};

use super::{DeployOptions, Host, ask::as_asked, run::Run, working::Working};

/// Stages `release` on every host and switches to it.
pub(super) async fn deploy(run: Run<'_>, release: &dyn Release, options: &DeployOptions) -> Report {
    let irreversible = options.irreversible.clone().or_else(|| release.irreversible());
    let run = run.irreversible(irreversible);
    if let Some(report) = run.lacks_secrets(release.name()) {
        return report;
    }
    let place = run.options.data_place();
    let means = run.data_means(false, place.as_ref());
    let commands = run.command_means();
    let ships = |at: &InnerPath| shipped(release, at);
    let plan = |seen: &[Seen<'_>]| {
        let mut plan = plan::deploy(release.name(), seen, options.allow_split, means)?;
        plan::share(&mut plan, seen, &ships)?;
        plan::with_commands(plan, commands, seen)
    };
    bring(&run, release, &plan).await
}

/// Stages `release` on every host, and publishes it there under its name.
pub(super) async fn stage(run: Run<'_>, release: &dyn Release) -> Report {
    let run = run.irreversible(release.irreversible());
    let commands = run.command_means();
    let ships = |at: &InnerPath| shipped(release, at);
    let plan = |seen: &[Seen<'_>]| {
        let mut plan = plan::stage(release.name(), seen)?;
        plan::share(&mut plan, seen, &ships)?;
        plan::with_commands(plan, commands, seen)
    };
    bring(&run, release, &plan).await
}

/// What stands at a place of a release that is brought.
fn shipped(release: &dyn Release, at: &InnerPath) -> Option<EntryKind> {
    let ReleaseContent::Tree(tree) = release.content() else { return None };
    let entry = tree.entries().iter().find(|entry| entry.path == at.as_str().as_bytes())?;
    Some(match entry.node {
        Node::Directory => EntryKind::Directory,
        Node::File { .. } => EntryKind::File,
        Node::Link { .. } => EntryKind::Link,
    })
}

type Planner<'p> = dyn Fn(&[Seen<'_>]) -> Result<Plan, Refusal> + Send + Sync + 'p;

/// Asks, plans, uploads without a lock, locks, plans again on what is read under it, and carries that out.
async fn bring(run: &Run<'_>, release: &dyn Release, plan: &Planner<'_>) -> Report {
    run.begin(Some(release.name()));
    let asked = match release.content() {
        ReleaseContent::Tree(tree) if !run.options.dry_run => {
            tokio::join!(run.ask_before_upload(), apart(move || tree.recall())).0
        }
        _ => run.ask().await,
    };
    if let Some(report) = run.not_asked(&asked) {
        return report;
    }
    if let Some(report) = run.unfit(&asked.seen()) {
        return report;
    }
    let mut first = match plan(&asked.seen()) {
        Ok(plan) => plan,
        Err(refusal) => return run.refused(refusal, &asked.seen()),
    };
    if run.options.dry_run {
        run.foresee_pruning(&mut first).await;
    }
    run.planned(&first);
    if run.options.dry_run {
        return run.dry_run(&first);
    }
    let staged = tokio::select! {
        biased;
        // What had arrived by then is removed by the next deploy: nobody holds it, and it bears no name.
        () = run.options.cancel.requested() => return run.stopped(as_asked(&asked)),
        staged = run.stage(release, &asked) => match staged {
            Ok(staged) => staged,
            Err(report) => return report,
        },
    };
    let locked = match run.take_locks().await {
        Ok(locked) => locked,
        Err(report) => {
            run.discard(staged).await;
            return report;
        }
    };
    go_on(run, plan, locked, staged).await
}

async fn go_on<'r>(
    run: &Run<'r>,
    plan: &Planner<'_>,
    mut locked: Vec<Working<'r>>,
    staged: Vec<(&'r Host, Staged)>,
) -> Report {
    let seen: Vec<Seen<'_>> = locked.iter().map(Working::seen).collect();
    let plan = match plan(&seen) {
        Ok(plan) => plan,
        Err(refusal) => {
            let report = run.refused(refusal, &seen);
            run.release(&mut locked).await;
            run.discard(staged).await;
            return report;
        }
    };
    for (host, staged) in staged {
        if let Some(working) = locked.iter_mut().find(|working| working.host.name == host.name) {
            working.staged = Some(staged);
        }
    }
    run.carry_out(&plan, locked).await
}
