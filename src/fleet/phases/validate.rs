//! The validation phase: decides whether a switch was good, by a check that must keep succeeding.
//!
//! * Failure: a deploy or an activation is reverted. A rollback stays, and is reported as inconsistent.
//! * Stop: a deploy or an activation is reverted; after a rollback it is unknown whether the release works.
//! * Kill: `current` stays on the new release, unvalidated. The next run ends the command; `rollback` or `recover`
//!   undoes the deploy.
//! * Lost answer: the store fetches the result later; if it stays lost, the attempt failed.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::{
    commands::{HOOK_TIMEOUT, ValidateOn, Validation},
    event::Phase,
    hook::{Hook, HookDirection, HookKind, HookShell, Occasion},
    report::Failure,
};

use crate::fleet::{
    execution::Execution,
    hooks::{CommandHook, run_hook},
    locked_host::LockedHost,
    run::Run,
    shell::{CONTROLLER, ControllerShell, HostShell},
};

use crate::store::HookDirectory;

/// A validation of one host or of the controller.
struct ValidationRun<'t> {
    hook: &'t dyn Hook,
    rules: Validation,
    at: Occasion,
}

impl<'r> Run<'r> {
    /// Validates the fleet in its present state. A failure is in that of its host, or of the execution.
    pub(in crate::fleet) async fn validate(&self, execution: &mut Execution<'r, '_>) {
        let code = self.options.code.validate.clone().filter(|_| self.hooks);
        let on_host = |host: &LockedHost<'_>| {
            let commands = host.commands();
            let rules = commands.validation.clone().filter(|rules| rules.on == ValidateOn::Hosts)?;
            Some((CommandHook::validation(&rules, commands.timeout), rules))
        };
        let on_hosts: Vec<_> = execution.locked.iter().map(on_host).collect();
        let here = execution.plan.controller.clone();
        let concerned = execution.concerned();
        let validated = on_hosts
            .iter()
            .zip(&concerned)
            .filter(|(rules, concerned)| **concerned && (code.is_some() || rules.is_some()));
        let count = validated.count();
        if count == 0 && here.is_none() {
            return;
        }
        self.enter_phase(Phase::Validate, count.max(1));
        let of_code = code.as_ref().map(|code| (code.as_ref() as &dyn Hook, Validation::new("")));
        let tests = on_hosts.iter().map(|rules| {
            let configured = rules.as_ref().map(|(hook, rules)| (hook as &dyn Hook, rules.clone()));
            of_code.clone().into_iter().chain(configured).collect()
        });
        self.validate_on_hosts(execution, tests.collect()).await;
        if let Some(rules) = here.filter(|_| !execution.failed()) {
            let timeout = self.options.commands.as_ref().map_or(HOOK_TIMEOUT, |commands| commands.timeout);
            self.validate_here(execution, &CommandHook::validation(&rules, timeout), rules).await;
        }
    }

    /// Validates each host by its own hooks and rules, one after the other, if it has any.
    async fn validate_on_hosts(&self, execution: &mut Execution<'r, '_>, tests: Vec<Vec<(&dyn Hook, Validation)>>) {
        let (direction, secrets) = (execution.direction(), execution.secrets.clone());
        let concerned = execution.concerned();
        let chosen = execution.locked.iter_mut().zip(concerned).zip(tests).filter(|((_, concerned), _)| *concerned);
        let tests = chosen.filter(|(_, tests)| !tests.is_empty()).filter_map(|((host, _), tests)| {
            let release = host.guard.state().current.release()?.clone();
            let at = self.occasion(host, &release, direction);
            let secrets = &secrets;
            Some(async move {
                let (guard, directory) = (host.guard.as_mut(), HookDirectory::Release);
                let mut shell = HostShell { run: self, guard, at: at.clone(), directory, secrets };
                let mut result = Ok(());
                for (hook, rules) in tests {
                    let test = ValidationRun { hook, rules, at: at.clone() };
                    result = self.until_valid(&test, &mut shell).await;
                    if result.is_err() {
                        break;
                    }
                }
                if let Err(why) = self.report_phase(host.member.name(), Phase::Validate, result) {
                    host.failure = Some(why);
                }
            })
        });
        join_all(tests).await;
    }

    async fn validate_here(&self, execution: &mut Execution<'r, '_>, hook: &dyn Hook, rules: Validation) {
        let secrets = execution.secrets.clone();
        let release = execution.plan.release.clone();
        let at = Occasion {
            host: CONTROLLER.to_owned(),
            ..self.occasion(&execution.locked[0], &release, execution.direction())
        };
        let mut shell = ControllerShell { run: self, at: at.clone(), secrets: &secrets };
        let result = self.until_valid(&ValidationRun { hook, rules, at }, &mut shell).await;
        if let Err(why) = self.report_phase(CONTROLLER, Phase::Validate, result) {
            execution.failure = Some(why);
        }
    }

    /// Repeats the check until the result is decided. Uses a monotonic clock, which nobody can set.
    async fn until_valid(&self, test: &ValidationRun<'_>, shell: &mut dyn HookShell) -> Result<(), Failure> {
        let mut watch = ValidationProgress::new(&test.rules, test.at.direction, Instant::now());
        loop {
            let tried = run_hook(test.hook, HookKind::Validate, &test.at, shell).await;
            match watch.next(tried.is_ok(), Instant::now()) {
                Verdict::Valid => return Ok(()),
                Verdict::Invalid => {
                    return match tried {
                        Ok(()) => Ok(()),
                        Err(error) => Err(error.into()),
                    };
                }
                Verdict::Again(rest) => {
                    // A requested stop does not wait for the next attempt.
                    let _ = tokio::time::timeout(rest, self.stop_requested()).await;
                    if self.is_stopped() {
                        return Err(crate::fleet::run::interrupted("the validation had not finished"));
                    }
                }
            }
        }
    }
}

/// The decision after an attempt.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Decided: good.
    Valid,
    /// Decided: not good.
    Invalid,
    /// Another attempt after this pause.
    Again(Duration),
}

/// Decides after each attempt.
///
/// The check may fail for `start_within` until it first succeeds. Then it must keep succeeding for the time of the
/// direction, with up to `allow_failures` failures in a row forgiven.
struct ValidationProgress<'v> {
    rules: &'v Validation,
    hold_for: Duration,
    began: Instant,
    held_since: Option<Instant>,
    failures: u32,
}

impl<'v> ValidationProgress<'v> {
    fn new(rules: &'v Validation, direction: HookDirection, began: Instant) -> Self {
        let hold_for = match direction {
            HookDirection::Deploy | HookDirection::Activate => rules.hold_for,
            HookDirection::Rollback => rules.rollback_hold_for,
        };
        Self { rules, hold_for, began, held_since: None, failures: 0 }
    }

    fn next(&mut self, held: bool, now: Instant) -> Verdict {
        let again = Verdict::Again(self.rules.every);
        if held {
            self.failures = 0;
            let since = *self.held_since.get_or_insert(now);
            return if now.duration_since(since) >= self.hold_for { Verdict::Valid } else { again };
        }
        if self.held_since.is_none() {
            let late = now.duration_since(self.began) >= self.rules.start_within;
            return if late { Verdict::Invalid } else { again };
        }
        self.failures += 1;
        if self.failures > self.rules.allow_failures { Verdict::Invalid } else { again }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(start: u64, hold: u64, allow: u32) -> Validation {
        let mut rules = Validation::new("true");
        rules.start_within = Duration::from_secs(start);
        rules.hold_for = Duration::from_secs(hold);
        rules.allow_failures = allow;
        rules
    }

    /// Returns the decision on attempts one second apart; `+` stands for a success.
    fn decide(rules: &Validation, tries: &str) -> Verdict {
        decide_after(HookDirection::Deploy, rules, tries)
    }

    fn decide_after(direction: HookDirection, rules: &Validation, tries: &str) -> Verdict {
        let began = Instant::now();
        let mut watch = ValidationProgress::new(rules, direction, began);
        let mut last = Verdict::Again(rules.every);
        for (second, held) in tries.chars().enumerate() {
            assert!(matches!(last, Verdict::Again(_)), "it was decided before the end of {tries}");
            last = watch.next(held == '+', began + Duration::from_secs(second as u64));
        }
        last
    }

    #[test]
    fn it_must_hold_at_once_unless_it_is_given_time() {
        assert_eq!(decide(&rules(0, 0, 0), "+"), Verdict::Valid);
        assert_eq!(decide(&rules(0, 0, 0), "-"), Verdict::Invalid);
        assert_eq!(decide(&rules(3, 0, 0), "--+"), Verdict::Valid);
        assert_eq!(decide(&rules(3, 0, 0), "----"), Verdict::Invalid);
    }

    #[test]
    fn it_must_go_on_holding() {
        assert_eq!(decide(&rules(0, 3, 0), "++++"), Verdict::Valid);
        assert_eq!(decide(&rules(0, 3, 0), "++-"), Verdict::Invalid);
        assert_eq!(decide(&rules(0, 3, 1), "+-++"), Verdict::Valid);
        assert_eq!(decide(&rules(0, 9, 1), "+-+--"), Verdict::Invalid);
        assert!(matches!(decide(&rules(0, 9, 1), "+-+-+"), Verdict::Again(_)));
    }

    #[test]
    fn a_rollback_holds_nobody_up_unless_it_is_told_to() {
        let mut rules = rules(3, 9, 0);
        assert_eq!(decide_after(HookDirection::Rollback, &rules, "--+"), Verdict::Valid);
        assert!(matches!(decide_after(HookDirection::Activate, &rules, "--+"), Verdict::Again(_)));
        rules.rollback_hold_for = Duration::from_secs(1);
        assert_eq!(decide_after(HookDirection::Rollback, &rules, "--+-"), Verdict::Invalid);
        assert_eq!(decide_after(HookDirection::Rollback, &rules, "--++"), Verdict::Valid);
    }
}
