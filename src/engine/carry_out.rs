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
    run::{Run, interrupted, summary},
    working::Working,
};

impl<'r> Run<'r> {
    /// Carries out `plan` and gives the locks back.
    pub(super) async fn carry_out(&self, plan: &Plan, locked: Vec<Working<'r>>) -> Report {
        let mut course = Course::new(self, plan, locked);
        self.settle_left(&mut course).await;
        if !course.failed()
            && let Err(why) = self.look_at_data(&mut course).await
        {
            course.failure = Some(self.redacted(why));
        }
        if course.failed() {
            return self.end(course, Outcome::Refused).await;
        }
        self.before_switch(&mut course).await;
        if course.failed() || self.is_stopped() {
            return self.give_up(course).await;
        }
        self.switch(&mut course.locked).await;
        // A rollback that has arrived stays: nobody is sent back to the release that was fled.
        course.stays = !course.failed() && matches!(plan.command, Command::Rollback | Command::Recover);
        if course.failed() || (self.is_stopped() && !course.stays && !plan.is_empty()) {
            return self.go_back(course).await;
        }
        self.after_switch(&mut course).await;
        if course.failed() || (self.is_stopped() && !course.stays && !plan.is_empty()) {
            return if course.stays {
                self.end(course, Outcome::Inconsistent).await
            } else {
                self.go_back(course).await
            };
        }
        let outcome = if !plan.stranded.is_empty() {
            Outcome::Inconsistent
        } else if plan.moves_nothing() {
            Outcome::Unchanged
        } else {
            Outcome::Done
        };
        self.end(course, outcome).await
    }

    /// All that comes before the switch. It ends at the first step that fails, or when somebody asks to stop.
    async fn before_switch(&self, course: &mut Course<'r, '_>) {
        self.prepare(course).await;
        if self.goes_on(course) {
            self.run_prepare(course).await;
        }
        if self.goes_on(course) && !course.data.pending.is_empty() {
            self.announce(course).await;
        }
        if self.goes_on(course) {
            self.apply_data(course).await;
        }
        if self.goes_on(course) {
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
        if !course.failed() || course.stays {
            let hook = course.failure.take();
            self.revert_data(course, RevertWhen::AfterSwitch).await;
            self.settle_data(course).await;
            self.compare_fingerprint(course).await;
            course.failure = hook.or(course.failure.take());
        }
        if !course.failed() && runs && (course.stays || !self.is_stopped()) {
            self.validate(course).await;
        }
        self.see_that_it_stayed(course).await;
    }

    fn goes_on(&self, course: &Course<'r, '_>) -> bool {
        !course.failed() && !self.is_stopped()
    }

    /// Takes back what came before the switch. No `current` was touched.
    async fn give_up(&self, mut course: Course<'r, '_>) -> Report {
        let failed = course.failed();
        self.unapply_data(&mut course).await;
        if !course.data.stuck {
            self.unrevert_data(&mut course).await;
        }
        self.compare_fingerprint(&mut course).await;
        let outcome = match (course.data.stuck, failed) {
            (true, _) => Outcome::Inconsistent,
            (false, true) => Outcome::Failed,
            (false, false) => Outcome::Interrupted,
        };
        // Data that could not be put back may need the release for that.
        if !course.data.stuck {
            self.unprepare(&mut course.locked).await;
        }
        self.end(course, outcome).await
    }

    /// Puts back what took effect, after a failure or because somebody asked to stop.
    async fn go_back(&self, mut course: Course<'r, '_>) -> Report {
        let failed = course.failed_itself();
        let began = course.locked.iter().any(|working| working.progress.switched.is_some());
        self.put_back(&mut course.locked).await;
        let code_is_back = !course.locked.iter().any(is_stuck);
        if code_is_back {
            self.unapply_data(&mut course).await;
            if !course.data.stuck {
                self.unrevert_data(&mut course).await;
            }
            self.compare_fingerprint(&mut course).await;
            self.run_after_put_back(&mut course).await;
        } else {
            course.data.stuck = course.data.applied.is_some() || !course.data.reverted.is_empty();
        }
        let hook_failed = course.locked.iter().any(|working| working.hook_failed);
        let outcome = match (!code_is_back || course.data.stuck || hook_failed, failed, began) {
            (true, ..) => Outcome::Inconsistent,
            (false, false, _) => Outcome::Interrupted,
            (false, true, true) => Outcome::PutBack,
            (false, true, false) => Outcome::Failed,
        };
        if !began && outcome != Outcome::Inconsistent {
            self.unprepare(&mut course.locked).await;
        }
        self.end(course, outcome).await
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
        let began = course.locked.iter().any(|working| working.progress.switched.is_some());
        let arrived = outcome == Outcome::Done
            || (course.stays && matches!(outcome, Outcome::Inconsistent | Outcome::Unchanged) && plan.finishes)
            || (course.stays && outcome == Outcome::Inconsistent);
        let fled = (!matches!(plan.command, Command::Rollback) && began && !arrived && kind != Kind::Relinks)
            .then_some(&plan.release);
        let is_there = |working: &&Working<'_>| working.guard.state().current.release() == Some(&plan.release);
        let there = course.locked.iter().filter(is_there).map(|working| working.name().to_owned()).collect();
        let error =
            error_of(&course, outcome).map(|error| if plan.data.is_some() { self.redacted(error) } else { error });
        let unfinished = course.data.stuck || (arrived && !course.data.pending.is_empty());
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
    let is_lost = |working: &Working<'_>| {
        if course.stays { working.progress.strayed } else { is_stuck(working) }
    };
    let code_is_mixed = course.locked.iter().any(is_lost);
    let version = course.data.after.as_ref().map_or("not known".to_owned(), ToString::to_string);
    let here = whereabouts(course);
    if failed.is_empty() && !course.plan.stranded.is_empty() {
        return apart(course);
    }
    let (what, hint) = if code_is_mixed {
        ("the hosts are not on one release".to_owned(), mend(command, release))
    } else if course.stays && course.data.stuck {
        let hint = format!("once the cause is mended, `switchback {command}` takes the revert up again");
        (format!("{here}, but the data is not: its version is {version}"), hint)
    } else if course.stays && !course.failed_itself() {
        (
            format!("{here}, and stays there, but whether it is well was not seen to its end"),
            "see whether it is well; `switchback rollback` would go one further back".to_owned(),
        )
    } else if course.stays {
        (
            format!("{here}, and stays there, but it is not well"),
            "see what failed; `switchback rollback` would go one further back".to_owned(),
        )
    } else if course.data.stuck {
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

/// Whether a host is not known to be where it was.
fn is_stuck(working: &Working<'_>) -> bool {
    working.progress.unknown || (working.progress.switched.is_some() && !working.progress.reverted)
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
