//! The validation: decides whether a switch was good, by a command that must hold, and go on holding.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use crate::{
    commands::{HOOK_TIMEOUT, ValidateOn, Validation},
    event::Phase,
    hook::{Hook, HookShell, Occasion},
    report::Failure,
};

use super::{
    execution::Execution,
    hooks::{CommandHook, occasion},
    locked_host::LockedHost,
    run::Run,
    shell::{CONTROLLER, ControllerShell, HostShell},
};

use crate::store::HookDirectory;

/// What is validated, and how.
struct ValidationRun<'t> {
    hook: &'t dyn Hook,
    rules: Validation,
    at: Occasion,
}

impl<'r> Run<'r> {
    /// Validates the fleet where it is now. What does not hold stands in the hosts' failures, or in that of the execution.
    pub(super) async fn validate(&self, execution: &mut Execution<'r, '_>) {
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
        if let Some(code) = code {
            let tests = execution.locked.iter().map(|_| Some((code.as_ref() as &dyn Hook, Validation::new(""))));
            self.validate_on_hosts(execution, tests.collect()).await;
        }
        if !execution.failed() {
            let tests =
                on_hosts.iter().map(|rules| rules.as_ref().map(|(hook, rules)| (hook as &dyn Hook, rules.clone())));
            self.validate_on_hosts(execution, tests.collect()).await;
        }
        if let Some(rules) = here.filter(|_| !execution.failed()) {
            let timeout = self.options.commands.as_ref().map_or(HOOK_TIMEOUT, |commands| commands.timeout);
            self.validate_here(execution, &CommandHook::validation(&rules, timeout), rules).await;
        }
    }

    /// Tests each host by its own hook and rules, where it has any.
    async fn validate_on_hosts(&self, execution: &mut Execution<'r, '_>, tests: Vec<Option<(&dyn Hook, Validation)>>) {
        let (direction, secrets) = (execution.direction(), execution.secrets.clone());
        let concerned = execution.concerned();
        let chosen = execution.locked.iter_mut().zip(concerned).zip(tests).filter(|((_, concerned), _)| *concerned);
        let tests = chosen.filter_map(|((host, _), test)| {
            let (hook, rules) = test?;
            let release = host.guard.state().current.release()?.clone();
            let at = occasion(host, &release, direction);
            let test = ValidationRun { hook, rules, at: at.clone() };
            let secrets = &secrets;
            Some(async move {
                let guard = host.guard.as_mut();
                let mut shell = HostShell { run: self, guard, at, directory: HookDirectory::Release, secrets };
                let result = self.until_valid(&test, &mut shell).await;
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
        let at =
            Occasion { host: CONTROLLER.to_owned(), ..occasion(&execution.locked[0], &release, execution.direction()) };
        let mut shell = ControllerShell { run: self, at: at.clone(), secrets: &secrets };
        let result = self.until_valid(&ValidationRun { hook, rules, at }, &mut shell).await;
        if let Err(why) = self.report_phase(CONTROLLER, Phase::Validate, result) {
            execution.failure = Some(why);
        }
    }

    /// Tries until it is decided. Times are taken from a clock that nobody sets.
    async fn until_valid(&self, test: &ValidationRun<'_>, shell: &mut dyn HookShell) -> Result<(), Failure> {
        let mut watch = ValidationProgress::new(&test.rules, Instant::now());
        loop {
            let tried = test.hook.run(&test.at, shell).await;
            match watch.next(tried.is_ok(), Instant::now()) {
                Verdict::Valid => return Ok(()),
                Verdict::Invalid => {
                    return match tried {
                        Ok(()) => Ok(()),
                        Err(error) => Err(error.into()),
                    };
                }
                Verdict::Again(rest) => {
                    // Whoever asks to stop need not wait for the next try.
                    let _ = tokio::time::timeout(rest, self.options.cancel.requested()).await;
                    if self.is_stopped() {
                        return Err(super::run::interrupted("the validation had not come to its end"));
                    }
                }
            }
        }
    }
}

/// What comes after a try.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// It is decided: good.
    Valid,
    /// It is decided: not good.
    Invalid,
    /// Another try, after so long.
    Again(Duration),
}

/// Decides after each try. It may fail until it first holds, so long at most; then it must go on holding for its time,
/// with so many failures in a row forgiven.
struct ValidationProgress<'v> {
    rules: &'v Validation,
    began: Instant,
    held_since: Option<Instant>,
    failures: u32,
}

impl<'v> ValidationProgress<'v> {
    fn new(rules: &'v Validation, began: Instant) -> Self {
        Self { rules, began, held_since: None, failures: 0 }
    }

    fn next(&mut self, held: bool, now: Instant) -> Verdict {
        let again = Verdict::Again(self.rules.every);
        if held {
            self.failures = 0;
            let since = *self.held_since.get_or_insert(now);
            return if now.duration_since(since) >= self.rules.hold_for { Verdict::Valid } else { again };
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

    /// What is decided of tries a second apart, `+` for one that held.
    fn decide(rules: &Validation, tries: &str) -> Verdict {
        let began = Instant::now();
        let mut watch = ValidationProgress::new(rules, began);
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
}
