//! `check`: asks every question that can refuse a deploy, and reports the present data version and
//! validation.

use crate::{
    commands::{Commands, DataPlace, ValidateOn},
    error::{Error, ErrorKind},
    event::Event,
    hint::Notice,
    hook::{Hook, HookDirection, HookKind, HookShell, Occasion},
    name::ReleaseName,
    plan::{self, DeployTerms, Refusal, Seen},
    report::{Failure, Outcome, Report},
    time::Timestamp,
    token::Token,
    transport::Secrets,
};

use crate::fleet::{
    Host,
    hooks::{CommandHook, join_bounded, run_hook},
    observe::Observed,
    operations::inspect::examined,
    run::Run,
    secrets::{self, redact},
    shell::{CONTROLLER, ControllerShell, QuestionShell},
};

/// Reports whether a deploy would be refused.
pub(in crate::fleet) async fn check(run: Run<'_>) -> Report {
    run.emit_started(None);
    if let Some(report) = run.refuse_missing_variables(None) {
        return report;
    }
    let observed = run.observe().await;
    if let Some(report) = run.refuse_unfit_hosts(&observed) {
        return report;
    }
    let seen = observed.seen();
    let probe = ReleaseName::made_at(Timestamp::now(), &Token::random());
    let place = run.options.data_place();
    let terms = DeployTerms { means: run.data_means(false, place.as_ref()), ..DeployTerms::default() };
    let plan = plan::deploy(&probe, &seen, &terms)
        .and_then(|plan| plan::check_shared(run.command(), &seen).map(|()| plan))
        .and_then(|plan| plan::with_commands(plan, run.command_means(), &seen));
    let plan = match plan {
        Ok(plan) => plan,
        Err(refusal) => return run.refused(Refusal { command: run.command(), ..refusal }, &seen),
    };
    if let Some(report) = run.refuse_closed_hosts(&observed, None).await {
        return report;
    }
    for notice in plan.notes.into_iter().map(Notice::from).chain(plan.warnings) {
        run.warn(None, notice);
    }
    for (host, why) in plan::stragglers(&seen, None) {
        run.warn(Some(&host), why);
    }
    run.report_present(&observed).await;
    let hosts = examined(&run, &observed).await;
    run.report(Outcome::Done, None, hosts, None)
}

impl Run<'_> {
    /// Asks for the present data version and validates the current releases. Neither answer refuses a
    /// deploy.
    async fn report_present(&self, observed: &Observed<'_>) {
        let commands = self.options.commands.clone().unwrap_or_default();
        let secrets = secrets::load(&commands, &mut |why| self.warn(None, why));
        let releases = CurrentReleases { run: self, observed, commands: &commands, secrets: &secrets };
        releases.report_version().await;
        releases.report_validation().await;
    }
}

/// The questions to the current releases.
struct CurrentReleases<'p, 'r> {
    run: &'p Run<'r>,
    observed: &'p Observed<'p>,
    commands: &'p Commands,
    secrets: &'p Secrets,
}

impl CurrentReleases<'_, '_> {
    async fn report_version(&self) {
        let Some(place) = self.run.options.data_place() else { return };
        let (host, answer) = match &place {
            DataPlace::Host(name) => (name.as_str(), self.version(&place).await),
            DataPlace::Controller => (CONTROLLER, self.version(&place).await),
        };
        match answer {
            Ok(version) => self.emit_answer(host, HookKind::Version, version),
            Err(why) => self.run.warn(Some(host), format!("the data version is not known before the upload: {why}")),
        }
    }

    async fn version(&self, place: &DataPlace) -> Result<String, String> {
        let migration = self.run.migration(self.commands.data.as_ref()).ok_or("no command asks for it")?;
        let mut all = self.occasions();
        let (host, at) = match place {
            DataPlace::Host(name) => all.find(|(host, _)| host.name == *name),
            DataPlace::Controller => {
                all.next().map(|(host, at)| (host, Occasion { host: CONTROLLER.to_owned(), ..at }))
            }
        }
        .ok_or("no release is current there")?;
        let answer = match place {
            DataPlace::Host(_) => migration.version(&at, &mut self.shell(host, &at)).await,
            DataPlace::Controller => migration.version(&at, &mut self.here(&at)).await,
        };
        answer.map(|version| version.to_string()).map_err(|error| redact(self.secrets, &Failure::from(error).message))
    }

    async fn report_validation(&self) {
        if let Some(code) = &self.run.options.code.validate {
            self.validate_on_hosts(code.as_ref()).await;
        }
        let Some(rules) = &self.commands.validation else { return };
        let (kind, script, timeout) = (HookKind::Validate, rules.command.clone(), self.commands.timeout);
        let hook = CommandHook { kind, script, timeout, fails_as: ErrorKind::NotValid };
        match rules.on {
            ValidateOn::Hosts => self.validate_on_hosts(&hook).await,
            ValidateOn::Controller => {
                let Some((_, at)) = self.occasions().next() else { return };
                let at = Occasion { host: CONTROLLER.to_owned(), ..at };
                self.report_validity(CONTROLLER, run_hook(&hook, HookKind::Validate, &at, &mut self.here(&at)).await);
            }
        }
    }

    async fn validate_on_hosts(&self, hook: &dyn Hook) {
        let tries = self.occasions().map(|(host, at)| async move {
            let mut shell = self.shell(host, &at);
            let shell: &mut dyn HookShell = &mut shell;
            self.report_validity(&host.name, run_hook(hook, HookKind::Validate, &at, shell).await);
        });
        join_bounded(tries.collect(), self.run.parallel).await;
    }

    fn report_validity(&self, host: &str, answer: Result<(), Error>) {
        match answer {
            Ok(()) => self.emit_answer(host, HookKind::Validate, "passes now".to_owned()),
            Err(error) => {
                let why = redact(self.secrets, &Failure::from(error).message);
                self.run.warn(Some(host), format!("the validation fails now, which does not refuse a deploy: {why}"));
            }
        }
    }

    fn emit_answer(&self, host: &str, question: HookKind, answer: String) {
        self.run.emit(&Event::Answered { host: host.to_owned(), question, answer });
    }

    /// Returns each host that has a current release, with the occasion for a command there.
    fn occasions(&self) -> impl Iterator<Item = (&Host, Occasion)> {
        self.observed.states.iter().filter_map(|(host, answer)| {
            let state = answer.as_ref().ok()?;
            let release = state.current.release()?;
            let at = Occasion {
                host: host.name.clone(),
                root: host.store.root().clone(),
                release: release.clone(),
                directory: host.store.release_path(release),
                previous: plan::previous_of(&Seen { host: &host.name, state }).cloned(),
                direction: HookDirection::Deploy,
                cancel: self.run.hook_cancel(),
            };
            Some((*host, at))
        })
    }

    fn shell<'s>(&'s self, host: &'s Host, at: &Occasion) -> QuestionShell<'s> {
        QuestionShell { run: self.run, host, at: at.clone(), secrets: self.secrets, timeout: self.commands.timeout }
    }

    fn here<'s>(&'s self, at: &Occasion) -> ControllerShell<'s, 's> {
        ControllerShell { run: self.run, at: at.clone(), secrets: self.secrets }
    }
}
