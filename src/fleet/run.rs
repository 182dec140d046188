//! [`Run`]: one command under way.

use std::{
    collections::HashSet,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    data::DataVersion,
    debt::Debt,
    error::{Error, ErrorKind},
    event::{Event, Phase},
    hint::{Hint, Notice},
    lock::LockOwner,
    name::ReleaseName,
    plan::Plan,
    report::{Command, Failure, HostReport, Outcome, PhaseTime, Report, merge},
    store::StoreError,
    target_check::TargetCheck,
    transport::Secrets,
};

use super::{
    Call, Cancel, Fleet, Host, RunOptions,
    observe::{Observed, failed_host, observed_reports},
    operations::verify::Warnings,
    phase_clock::PhaseClock,
    secrets::{self, redact},
    shell::Controller,
};

/// A command under way on a fleet.
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub(super) struct Run<'r> {
    pub(super) hosts: &'r [Host],
    pub(super) parallel: usize,
    pub(super) allow_writable: bool,
    pub(super) options: RunOptions,
    /// How many good releases to keep at the end; `None` removes none.
    pub(super) keep: Option<u32>,
    pub(super) owner: LockOwner,
    /// How to verify the release that a host goes to.
    pub(super) verify: TargetCheck,
    /// The unreachable hosts that the run skips.
    pub(super) skipped: Vec<(String, Failure)>,
    /// The records of commands that run on this machine.
    pub(super) controller: Controller,
    /// The reason why the uploaded release cannot be rolled back together with its data, if any.
    pub(super) irreversible: Option<String>,
    /// Whether a rollback runs the commands of the configuration.
    pub(super) by_configuration: bool,
    /// Whether hooks and validations run; data commands run in any case.
    pub(super) hooks: bool,
    /// Whether to keep the data as it is, without waiting for commands that work on it.
    pub(super) keep_data: bool,
    /// The variables for commands, read on first use.
    secrets: OnceLock<Secrets>,
    /// Whether to accept a data version other than the last known one.
    pub(super) accept_data: bool,
    /// The pause before an unexpected data version must be printed again.
    pub(super) version_pause: Duration,
    call: &'r Call,
    /// The handle that hooks in Rust see. Once nothing is stopped any more, one that is never requested replaces it.
    hook_cancel: Mutex<Cancel>,
    started: Instant,
    phases: PhaseClock,
    /// The hosts whose connection an event has told of.
    connected: Mutex<HashSet<String>>,
}

impl<'r> Run<'r> {
    /// Creates a run of a command that changes something.
    pub(super) fn new(fleet: &'r Fleet, command: Command, options: &RunOptions, call: &'r Call) -> Self {
        let mut owner = LockOwner::new(command, &options.by);
        owner.reason.clone_from(&options.reason);
        owner.revision.clone_from(&options.revision);
        owner.hosts = fleet.hosts.iter().map(|host| host.name.clone()).collect();
        Self {
            hosts: &fleet.hosts,
            parallel: fleet.parallel,
            allow_writable: fleet.allow_writable,
            options: fleet.defaults.run(options),
            keep: None,
            owner,
            verify: TargetCheck::None,
            skipped: Vec::new(),
            controller: Controller::default(),
            irreversible: None,
            by_configuration: false,
            hooks: true,
            secrets: OnceLock::new(),
            accept_data: false,
            keep_data: false,
            version_pause: fleet.version_pause,
            call,
            hook_cancel: Mutex::new(call.cancel.clone()),
            started: Instant::now(),
            phases: PhaseClock::default(),
            connected: Mutex::default(),
        }
    }

    /// Creates a run on `fleet`, the reachable part of `whole`, and warns of each skipped host.
    pub(super) fn skipping(
        fleet: &'r Fleet,
        whole: &Fleet,
        skipped: Vec<(String, Failure)>,
        command: Command,
        options: &RunOptions,
        call: &'r Call,
    ) -> Self {
        let mut run = Self::new(fleet, command, options, call);
        run.owner.hosts = whole.hosts.iter().map(|host| host.name.clone()).collect();
        // The host's report says why.
        for (host, _) in &skipped {
            let notice = Notice::new(format!("skipped: it misses this {command}"));
            run.warn(Some(host), if command == Command::Adopt { notice.hint(Hint::AdoptAgain) } else { notice });
        }
        Self { skipped, ..run }
    }

    /// Sets the reason why the release cannot be rolled back together with its data.
    pub(super) fn irreversible(self, irreversible: Option<String>) -> Self {
        Self { irreversible, ..self }
    }

    /// Sets whether a rollback runs the commands of the configuration.
    pub(super) fn by_configuration(self, by_configuration: bool) -> Self {
        Self { by_configuration, ..self }
    }

    /// Sets whether hooks and validations run.
    pub(super) fn hooks(mut self, hooks: bool) -> Self {
        self.hooks = hooks;
        if !hooks {
            let code = &mut self.options.code;
            (code.prepare, code.after_switch, code.validate) = (None, None, None);
        }
        self
    }

    /// Sets whether to accept the data version as found.
    pub(super) fn accepting_data(self, accept_data: bool) -> Self {
        Self { accept_data, ..self }
    }

    /// Sets how many good releases to keep at the end.
    pub(super) fn keeping(self, keep: Option<u32>) -> Self {
        Self { keep, ..self }
    }

    /// Creates a run of a command that only reads.
    pub(super) fn reading(fleet: &'r Fleet, command: Command, call: &'r Call) -> Self {
        Self::new(fleet, command, &RunOptions::default(), call)
    }

    /// Returns what the skipped hosts miss once the others are on `release`.
    pub(super) fn debts(&self, release: &ReleaseName) -> Vec<Debt> {
        let debt = |(host, _): &(String, Failure)| Debt {
            format: 1,
            host: host.clone(),
            operation: self.owner.operation.clone(),
            command: self.command(),
            release: release.clone(),
            at: self.owner.since,
        };
        self.skipped.iter().map(debt).collect()
    }

    pub(super) fn command(&self) -> Command {
        self.owner.command
    }

    pub(super) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Returns the time of each phase until now.
    pub(super) fn phase_times(&self) -> Vec<PhaseTime> {
        self.phases.times()
    }

    /// Whether a stop was requested.
    pub(super) fn is_stopped(&self) -> bool {
        self.call.cancel.is_requested()
    }

    /// Waits until a stop is requested.
    pub(super) async fn stop_requested(&self) {
        self.call.cancel.requested().await;
    }

    /// Returns the handle for a hook in Rust.
    pub(super) fn hook_cancel(&self) -> Cancel {
        self.hook_cancel.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hides a requested stop from the hooks that follow: they belong to an undo, or run after the pivot.
    pub(super) fn hide_stop(&self) {
        *self.hook_cancel.lock().unwrap_or_else(PoisonError::into_inner) = Cancel::new();
    }

    /// Reports a run that was stopped before anything changed.
    pub(super) fn stopped(&self, hosts: Vec<HostReport>) -> Report {
        self.report(Outcome::Interrupted, None, hosts, Some(interrupted("every `current` is where it was")))
    }

    pub(super) fn emit(&self, event: &Event) {
        match event {
            Event::Data { release, step, version } => {
                let (release, version) =
                    (release.clone(), version.as_ref().map(|version| self.redacted_version(version)));
                self.emit_as_is(&Event::Data { release, step: *step, version });
            }
            event => self.emit_as_is(event),
        }
    }

    fn emit_as_is(&self, event: &Event) {
        self.call.observer.event_of(&self.owner.operation, event);
    }

    /// Returns the variables for commands: only those of the configuration, whatever a host recorded.
    pub(super) fn secrets(&self) -> &Secrets {
        self.secrets.get_or_init(|| {
            let commands = self.options.commands.as_ref();
            commands.map(|commands| secrets::load(commands, &mut |why| self.warn(None, why))).unwrap_or_default()
        })
    }

    /// Returns the data version without secrets: a connection string that `version` prints may contain a
    /// password.
    pub(super) fn redacted_version(&self, version: &DataVersion) -> DataVersion {
        DataVersion::new(&redact(self.secrets(), version.as_str())).unwrap_or_else(|_| version.clone())
    }

    /// Returns a failure that names data versions, without secrets.
    pub(super) fn redacted(&self, failure: Failure) -> Failure {
        let message = redact(self.secrets(), &failure.message);
        failure.reworded(message)
    }

    pub(super) fn emit_started(&self, release: Option<&ReleaseName>) {
        self.emit(&Event::Started { command: self.command(), hosts: self.hosts.len(), release: release.cloned() });
    }

    pub(super) fn enter_phase(&self, phase: Phase, hosts: usize) {
        self.phases.enter(phase);
        self.emit(&Event::Phase { phase, hosts });
    }

    /// Connects to a host, and tells of it once.
    pub(super) async fn connect_to(&self, host: &Host) -> Result<(), StoreError> {
        host.store.connect().await?;
        let is_new = self.connected.lock().unwrap_or_else(PoisonError::into_inner).insert(host.name.clone());
        if is_new {
            self.emit(&Event::Connected { host: host.name.clone() });
        }
        Ok(())
    }

    /// Emits the result of a phase on a host, and returns it.
    pub(super) fn report_phase<T>(&self, host: &str, phase: Phase, result: Result<T, Failure>) -> Result<T, Failure> {
        if result.is_ok() {
            self.emit(&Event::HostDone { host: host.to_owned(), phase });
        }
        self.report_step(host, phase, result)
    }

    /// Emits the failure of a step that does not end its phase on a host, and returns the result.
    pub(super) fn report_step<T>(&self, host: &str, phase: Phase, result: Result<T, Failure>) -> Result<T, Failure> {
        // A requested stop is the failure of no host.
        if let Some(error) = result.as_ref().err().filter(|error| error.kind != ErrorKind::Interrupted) {
            self.emit(&Event::HostFailed { host: host.to_owned(), phase, error: error.clone() });
        }
        result
    }

    pub(super) fn warn(&self, host: Option<&str>, message: impl Into<Notice>) {
        self.emit(&Event::Warning { host: host.map(ToOwned::to_owned), message: message.into() });
    }

    /// Builds the report, with the hosts in the order of the fleet.
    pub(super) fn report(
        &self,
        outcome: Outcome,
        release: Option<&ReleaseName>,
        mut hosts: Vec<HostReport>,
        mut error: Option<Failure>,
    ) -> Report {
        hosts.extend(self.skipped.iter().map(|(host, failure)| failed_host(host, failure.clone())));
        for failure in hosts.iter_mut().filter_map(|host| host.error.as_mut()).chain(&mut error) {
            failure.hints.retain(|hint| self.is_of_use(hint));
        }
        let place = |report: &HostReport| self.owner.hosts.iter().position(|host| *host == report.host);
        hosts.sort_by_key(place);
        Report {
            format: 1,
            command: self.command(),
            outcome,
            operation: None,
            release: release.cloned(),
            hosts,
            seconds: self.seconds(),
            phases: self.phase_times(),
            error,
            hints: Vec::new(),
            dry_run: false,
            data: None,
            undone: None,
            drill: None,
        }
    }

    /// Whether a hint leads on: a fleet needs a host, and who has looked need not look.
    fn is_of_use(&self, hint: &Hint) -> bool {
        match hint {
            Hint::Except(named) => {
                let stays = |host: &Host| !named.contains(&host.name);
                if named.is_empty() { self.hosts.len() > 1 } else { self.hosts.iter().any(stays) }
            }
            Hint::Status => self.command() != Command::Status,
            _ => true,
        }
    }

    /// Reports a dry run.
    pub(super) fn dry_run(
        &self,
        release: Option<&ReleaseName>,
        observed: &Observed<'_>,
        warnings: &Warnings,
    ) -> Report {
        let mut hosts = observed_reports(observed);
        for host in &mut hosts {
            let own = warnings.iter().filter(|(warned, _)| *warned == host.host);
            host.warnings = own.map(|(_, warning)| warning.clone().into()).collect();
        }
        Report { dry_run: true, ..self.report(Outcome::Unchanged, release, hosts, None) }
    }

    /// Emits the plan.
    pub(super) fn emit_plan(&self, plan: &Plan) {
        for warning in &plan.warnings {
            self.warn(None, warning.clone());
        }
        let mut lines = plan.lines();
        if plan.data.is_some() {
            for line in &mut lines {
                *line = redact(self.secrets(), line);
            }
        }
        self.emit(&Event::Planned { plan: lines });
    }
}

/// Returns the failure of a stopped run.
pub(super) fn interrupted(state: &str) -> Failure {
    Error::new(ErrorKind::Interrupted, format!("interrupted; {state}")).into()
}

/// Returns the failure that decides the exit code: if hosts fail for different reasons, the lowest code.
pub(super) fn leading(failures: impl Iterator<Item = Failure>) -> Option<Failure> {
    failures.min_by_key(|failure| crate::ExitCode::of(Outcome::Refused, Some(failure.kind)))
}

/// The maximum number of hosts with the same failure that a message names.
const MAX_NAMED: usize = 10;

/// The maximum number of different failures in a message; the host reports have them all.
const MAX_DIFFERENT: usize = 3;

/// Sums up the failures of the hosts in one. Hosts with the same failure are named together; a failure of the whole fleet
/// has an empty name.
pub(super) fn summary(what: &str, failed: &[(String, Failure)]) -> Failure {
    let lead = leading(failed.iter().map(|(_, failure)| failure.clone()));
    let kind = lead.as_ref().map_or(ErrorKind::Internal, |failure| failure.kind);
    let messages: Vec<(&str, &str)> = failed.iter().map(|(host, failure)| (&**host, &*failure.message)).collect();
    let alike = merge(&messages, MAX_NAMED);
    let (told, untold) = alike.split_at(alike.len().min(MAX_DIFFERENT));
    let mut words: Vec<String> = told.iter().map(|merged| merged.text_of(MAX_NAMED)).collect();
    let unnamed: usize = untold.iter().map(|merged| merged.hosts.len()).sum();
    words.extend((unnamed > 0).then(|| format!("and {unnamed} more hosts")));
    let words = format!("{what}: {}", words.join("; "));
    let hints = lead.as_ref().map(|lead| lead.hints.clone()).unwrap_or_default();
    // A single failure keeps its reasons as values; several are told in words.
    let reasons = lead.as_ref().and_then(|lead| lead.error.as_ref()).and_then(|error| {
        let behind = error.full_message()[error.to_string().len()..].to_owned();
        let outer = words.strip_suffix(&behind).filter(|_| alike.len() == 1)?;
        Some(Error::new(kind, outer).reasons_of(error))
    });
    let failure = Failure::from(reasons.unwrap_or_else(|| Error::new(kind, &*words)).hints(hints));
    failure
        .of_hosts(failed.iter().map(|(host, _)| host.as_str()))
        .covering(told.iter().flat_map(|merged| merged.hosts.iter().copied()))
}
