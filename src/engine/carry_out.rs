//! Carries a plan out on locked hosts: what comes before the switch, the switch, what comes after it, and when anything
//! fails, the way back.

use crate::{
    commands::RevertWhen,
    error::{Error, ErrorKind},
    name::ReleaseName,
    plan::Plan,
    report::{Command, Failure, Outcome, Report, crowd},
};

use super::{
    course::Course,
    finish::{Ending, Kind},
    outcome::{Aim, Code, DataState, Reached, Stop, outcome},
    run::{Run, interrupted, summary},
    working::Working,
};

impl<'r> Run<'r> {
    /// Carries out `plan` and gives the locks back.
    pub(super) async fn carry_out(&self, plan: &Plan, locked: Vec<Working<'r>>) -> Report {
        let mut course = Course::new(self, plan, locked);
        let stop = self.advance(&mut course).await.err();
        if stop.is_some() {
            self.undo(&mut course).await;
        }
        let outcome = outcome(course.reached, course.code(), course.data.state, stop, aim(plan));
        self.end(course, outcome).await
    }

    /// Takes every step of the plan, until one fails or somebody asks to stop.
    async fn advance(&self, course: &mut Course<'r, '_>) -> Result<(), Stop> {
        self.settle_left(course).await;
        if !course.failed()
            && let Err(why) = self.look_at_data(course).await
        {
            course.failure = Some(self.redacted(why));
        }
        if course.failed() {
            return Err(Stop::Failure);
        }
        course.reached = Reached::Preparation;
        self.before_switch(course).await;
        self.goes_on(course)?;
        course.reached = Reached::Switch;
        self.switch(&mut course.locked).await;
        if !course.failed() && matches!(course.plan.command, Command::Rollback | Command::Recover) {
            course.reached = Reached::Pivot;
        }
        self.goes_on(course)?;
        self.after_switch(course).await;
        self.goes_on(course)
    }

    /// All that comes before the switch. It ends at the first step that fails, or when somebody asks to stop.
    async fn before_switch(&self, course: &mut Course<'r, '_>) {
        self.prepare(course).await;
        if self.goes_on(course).is_ok() {
            self.run_prepare(course).await;
        }
        if self.goes_on(course).is_ok() && !course.data.pending.is_empty() {
            self.announce(course).await;
        }
        if self.goes_on(course).is_ok() {
            self.apply_data(course).await;
        }
        if self.goes_on(course).is_ok() {
            self.revert_data(course, RevertWhen::BeforeSwitch).await;
        }
    }

    /// All that comes after the switch.
    async fn after_switch(&self, course: &mut Course<'r, '_>) {
        if course.plan.is_empty() {
            return;
        }
        let runs = !course.plan.moves_nothing() && !course.plan.only_relinks();
        if runs {
            self.run_after_switch(course).await;
        }
        // Even where a hook failed: a rollback stays, and the old code is better off with the old data.
        if !course.failed() || course.is_past_pivot() {
            let hook = course.failure.take();
            self.revert_data(course, RevertWhen::AfterSwitch).await;
            self.settle_data(course).await;
            self.compare_fingerprint(course).await;
            course.failure = hook.or(course.failure.take());
        }
        if !course.failed() && runs && (course.is_past_pivot() || !self.is_stopped()) {
            self.validate(course).await;
        }
        self.see_that_it_stayed(course).await;
    }

    /// Whether the next step may begin.
    fn goes_on(&self, course: &Course<'r, '_>) -> Result<(), Stop> {
        let may_stop = match course.reached {
            Reached::Checks | Reached::Preparation => true,
            Reached::Switch => !course.plan.is_empty(),
            Reached::Pivot => false,
        };
        if course.failed_itself() {
            Err(Stop::Failure)
        } else if course.failed() || (may_stop && self.is_stopped()) {
            Err(Stop::Interruption)
        } else {
            Ok(())
        }
    }

    /// Undoes what took effect: first `current` on every host; then, only if that was restored everywhere, the data; then the
    /// hooks of the restored releases run. What was prepared goes once nothing needs it.
    async fn undo(&self, course: &mut Course<'r, '_>) {
        if matches!(course.reached, Reached::Checks | Reached::Pivot) {
            return;
        }
        if course.reached == Reached::Switch {
            self.put_back(&mut course.locked).await;
        }
        if course.code().is_restored() {
            self.unapply_data(course).await;
            if course.data.state == DataState::Settled {
                self.unrevert_data(course).await;
            }
            self.compare_fingerprint(course).await;
            self.run_after_put_back(course).await;
        } else if course.data.applied.is_some() || !course.data.reverted.is_empty() {
            course.data.state = DataState::Unsettled;
        }
        // Data that could not be restored may need the release for that.
        if course.code() == Code::Untouched && course.data.state == DataState::Settled {
            self.unprepare(&mut course.locked).await;
        }
    }

    /// Ends the run on every host and reports it.
    async fn end(&self, mut course: Course<'r, '_>, outcome: Outcome) -> Report {
        let plan = course.plan;
        let kind = Kind::of(plan);
        let trash = if outcome == Outcome::Done && kind != Kind::Relinks {
            self.prune_after(&mut course.locked).await
        } else {
            Vec::new()
        };
        let began = course.locked.iter().any(|working| working.state.switch().is_some());
        let arrived = match outcome {
            Outcome::Done => true,
            Outcome::Inconsistent => course.is_past_pivot(),
            Outcome::Unchanged => course.is_past_pivot() && plan.finishes,
            _ => false,
        };
        let fled = (!matches!(plan.command, Command::Rollback) && began && !arrived && kind != Kind::Relinks)
            .then_some(&plan.release);
        let is_there = |working: &&Working<'_>| working.guard.state().current.release() == Some(&plan.release);
        let there = course.locked.iter().filter(is_there).map(|working| working.name().to_owned()).collect();
        let error =
            error_of(&course, outcome).map(|error| if plan.data.is_some() { self.redacted(error) } else { error });
        let unfinished = course.data.state == DataState::Unsettled || (arrived && !course.data.pending.is_empty());
        let ending = Ending { outcome, fled, there, arrived, unfinished, kind };
        let hosts = self.finish(std::mem::take(&mut course.locked), &ending).await;
        let hosts = self.empty_trash(trash, hosts).await;
        let operation = (outcome != Outcome::Refused).then(|| self.owner.operation.clone());
        Report { operation, data: course.data_report(self), ..self.report(outcome, Some(&plan.release), hosts, error) }
    }
}

/// The failure of the whole run.
fn error_of(course: &Course<'_, '_>, outcome: Outcome) -> Option<Failure> {
    let failed: Vec<(String, Failure)> = course
        .locked
        .iter()
        .filter_map(|working| Some((working.name().to_owned(), working.failure.clone()?)))
        .chain(course.failure.clone().map(|failure| ("the fleet".to_owned(), failure)))
        .collect();
    let command = course.plan.command;
    let say = |what: &str| Some(summary(&format!("{command} {what}"), &failed));
    match outcome {
        Outcome::Refused => say("refused, nothing was touched"),
        Outcome::Failed => say("failed before any switch; every `current` is where it was"),
        Outcome::PutBack => say("failed on the way, and every host was put back"),
        Outcome::Inconsistent => Some(unsettled(course, &failed)),
        Outcome::Interrupted => Some(interrupted("every host is where it was")),
        _ if failed.is_empty() => None,
        _ => Some(Error::new(ErrorKind::Internal, "hosts failed without a consequence").into()),
    }
}

/// The failure of a run that left something that a person must look at, with where everything is and what to type.
fn unsettled(course: &Course<'_, '_>, failed: &[(String, Failure)]) -> Failure {
    let (command, release) = (course.plan.command, &course.plan.release);
    let stays = course.is_past_pivot();
    let code_is_mixed = if stays { course.code() == Code::Lost } else { !course.code().is_restored() };
    let version = course.data.after.as_ref().map_or("not known".to_owned(), ToString::to_string);
    let here = whereabouts(course);
    if failed.is_empty() && !course.plan.stranded.is_empty() {
        return apart(course);
    }
    let (what, hint) = if code_is_mixed {
        ("the hosts are not on one release".to_owned(), mend(command, release))
    } else if stays && course.data.state == DataState::Unsettled {
        let hint = format!("once the cause is mended, `switchback {command}` takes the revert up again");
        (format!("{here}, but the data is not: its version is {version}"), hint)
    } else if stays && !course.failed_itself() {
        (
            format!("{here}, and stays there, but whether it is well was not seen to its end"),
            "see whether it is well; `switchback rollback` would go one further back".to_owned(),
        )
    } else if stays {
        (
            format!("{here}, and stays there, but it is not well"),
            "see what failed; `switchback rollback` would go one further back".to_owned(),
        )
    } else if course.data.state == DataState::Unsettled {
        let hint = "once the cause is mended, `switchback recover --back` takes it up again".to_owned();
        (format!("every `current` is where it was, but the data is not: its version is {version}"), hint)
    } else {
        (
            "every `current` is where it was, but a hook failed there after it was put back".to_owned(),
            "see what that hook should have done, and do it by hand".to_owned(),
        )
    };
    Failure { hint: Some(hint), ..summary(&what, failed) }
}

/// The failure of a run after which hosts stay behind that should have come along, named with what mends it.
fn apart(course: &Course<'_, '_>) -> Failure {
    let Plan { release, stranded, .. } = course.plan;
    let hosts: Vec<&str> = stranded.iter().map(String::as_str).collect();
    let there = course.locked.iter().find(|working| !stranded.iter().any(|host| host == working.name()));
    let on = there.and_then(|working| working.guard.state().current.release().cloned());
    let on = on.as_ref().unwrap_or(release);
    let what =
        format!("left {} where it is: its own record does not lead to {on}, where the others are", crowd(&hosts, 10));
    let hint = format!("see where each host is with `switchback status`, then `switchback rollback --to {on}`");
    Error::new(ErrorKind::HostsDiffer, what).hint(hint).into()
}

/// What `plan` leaves when all of it was done.
fn aim(plan: &Plan) -> Aim {
    if !plan.stranded.is_empty() {
        Aim::Strands
    } else if plan.moves_nothing() {
        Aim::Stays
    } else {
        Aim::Moves
    }
}

/// Where the hosts are, in words.
fn whereabouts(course: &Course<'_, '_>) -> String {
    let mut on: Vec<&str> = Vec::new();
    for working in &course.locked {
        let name = working.guard.state().current.named().map_or("nothing", ReleaseName::as_str);
        if !on.contains(&name) {
            on.push(name);
        }
    }
    match on.as_slice() {
        [name] => format!("every host is on {name}"),
        names => format!("every host is where it is to be ({})", names.join(", ")),
    }
}

/// The command that mends a fleet that is left mixed.
fn mend(command: Command, release: &ReleaseName) -> String {
    match command {
        Command::Rollback => {
            format!("see where each host is with `switchback status`, then `switchback rollback --to {release}`")
        }
        _ => "see where each host is with `switchback status`, then `switchback rollback`, which brings them together"
            .to_owned(),
    }
}
