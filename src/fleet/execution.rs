//! [`Execution`]: a plan under way, and its progress on the whole fleet.

use crate::{
    commands::{Commands, DataPlace},
    data::DataVersion,
    error::ErrorKind,
    hook::HookDirection,
    name::ReleaseName,
    outcome::Command,
    plan::{self, Action, CommandMeans, DataMeans, Plan, RevertBy, Seen},
    report::{DataReport, Failure, Fingerprint, Report},
    store::Kept,
    transport::Secrets,
};

use super::{
    locked_host::LockedHost,
    outcome::{Code, Reached},
    phases::migrate::DataProgress,
    questions::Question,
    run::Run,
};

/// A plan under way on locked hosts.
pub(super) struct Execution<'r, 'p> {
    pub(super) plan: &'p Plan,
    pub(super) locked: Vec<LockedHost<'r>>,
    pub(super) secrets: Secrets,
    pub(super) data: DataProgress,
    /// A failure that concerns the whole fleet and no single host.
    pub(super) failure: Option<Failure>,
    pub(super) reached: Reached,
}

impl<'r, 'p> Execution<'r, 'p> {
    pub(super) fn new(run: &Run<'r>, plan: &'p Plan, mut locked: Vec<LockedHost<'r>>) -> Self {
        for host in &mut locked {
            host.plan = plan.host(host.name()).cloned();
        }
        let secrets = run.secrets_of(plan);
        Self { plan, locked, secrets, data: DataProgress::default(), failure: None, reached: Reached::Checks }
    }

    /// Returns where `current` is, summed up over the fleet.
    pub(super) fn code(&self) -> Code {
        Code::of(self.locked.iter().map(|host| &host.state))
    }

    /// Whether every host has switched to its target, so that nothing is undone any more.
    pub(super) fn is_past_pivot(&self) -> bool {
        self.reached == Reached::Pivot
    }

    /// Whether something failed, on a host or for the fleet.
    pub(super) fn failed(&self) -> bool {
        self.failure.is_some() || self.locked.iter().any(|host| host.failure.is_some())
    }

    /// Whether a failure has another cause than a requested stop.
    pub(super) fn failed_itself(&self) -> bool {
        let on_hosts = self.locked.iter().filter_map(|host| host.failure.as_ref());
        on_hosts.chain(&self.failure).any(|failure| failure.kind != ErrorKind::Interrupted)
    }

    /// Returns which of the hosts, in their order, run `after_switch` and are validated.
    ///
    /// These are all hosts, except in a deploy: hosts that already were on the release did that when they switched.
    pub(super) fn concerned(&self) -> Vec<bool> {
        let all = self.plan.command != Command::Deploy;
        self.locked.iter().map(|host| all || host.switches()).collect()
    }

    /// Returns the direction that hooks see.
    pub(super) fn direction(&self) -> HookDirection {
        match self.plan.command {
            Command::Activate => HookDirection::Activate,
            Command::Deploy | Command::Stage => HookDirection::Deploy,
            _ if self.locked.iter().any(|host| goes_forward(host)) => HookDirection::Deploy,
            _ => HookDirection::Rollback,
        }
    }

    /// Returns the data part of the report; `None` if the data version was not read.
    pub(super) fn data_report(&self, run: &Run<'_>) -> Option<DataReport> {
        let DataProgress { before, after, failure, same, .. } = &self.data;
        let before = run.redacted_version(before.as_ref()?);
        let redacted = |version: &DataVersion| run.redacted_version(version);
        let fingerprint = same.map(|same| if same { Fingerprint::Same } else { Fingerprint::Changed });
        let found = failure.as_ref().and_then(|failure| failure.found.as_ref()).map(redacted);
        let after = after.as_ref().map(redacted);
        Some(DataReport { before, after, found, fingerprint })
    }
}

/// Whether a recovery takes a host forward.
fn goes_forward(host: &LockedHost<'_>) -> bool {
    host.plan.as_ref().is_some_and(|plan| matches!(plan.action, Action::Activate { .. } | Action::Deploy { .. }))
}

impl Run<'_> {
    /// Refuses a plan that relies on, or would run, files that belong to somebody else. No `current` has
    /// moved.
    ///
    /// Rolling back the code alone runs nothing, and needs no trust.
    pub(super) fn refuse_untrusted(&self, plan: &Plan, seen: &[Seen<'_>]) -> Option<Report> {
        if !self.asks(Question::TrustedFiles) || self.runs_nothing(plan) {
            return None;
        }
        let code = &self.options.code;
        let by_code = code.prepare.is_some() || code.after_switch.is_some() || code.validate.is_some();
        let refusal = plan::trust(plan, by_code, seen).err()?;
        if !self.allow_writable {
            return Some(self.refused(refusal, seen));
        }
        for refusal in &refusal.hosts {
            self.warn(Some(&refusal.host), refusal.reason.to_string());
        }
        None
    }

    /// Whether neither hooks nor data commands run.
    fn runs_nothing(&self, plan: &Plan) -> bool {
        !self.hooks && plan.data.is_none()
    }

    /// Returns the commands that may run around a switch.
    pub(super) fn command_means(&self) -> CommandMeans<'_> {
        CommandMeans::new(self.options.commands.as_ref(), self.by_configuration, !self.hooks)
    }

    /// Returns the means to work on the data; `place` is where the configuration or the caller's code says
    /// that it is.
    pub(super) fn data_means<'m>(&'m self, keep: bool, place: Option<&'m DataPlace>) -> DataMeans<'m> {
        let configured = self.options.commands.as_ref();
        let by = match (&self.options.code.migration, configured) {
            (Some(_), _) => RevertBy::Code,
            (None, Some(commands)) if self.by_configuration => RevertBy::Commands(commands),
            (None, _) => RevertBy::Recorded,
        };
        DataMeans::new(keep, by).configured(place, configured)
    }

    /// Returns the variables for the plan's commands; none if it has no commands.
    fn secrets_of(&self, plan: &Plan) -> Secrets {
        let hooks = plan.controller.is_some() || plan.hosts.iter().any(|host| !host.commands.commands.is_empty());
        if hooks || plan.data.is_some() { self.secrets().clone() } else { Secrets::default() }
    }

    /// Returns the commands that a host recorded with a release. They run on that host only.
    pub(super) fn recorded_on(&self, host: &LockedHost<'_>, name: &ReleaseName) -> Commands {
        match host.guard.state().release(name).map(|release| &release.commands) {
            Some(Kept::Record(commands)) => commands.clone(),
            Some(Kept::Unreadable(why)) => {
                let what = format!("the commands recorded with {name} cannot be read, so they do not run ({why})");
                self.warn(Some(host.name()), what);
                Commands::default()
            }
            Some(Kept::Nothing) | None => Commands::default(),
        }
    }
}

impl LockedHost<'_> {
    /// Returns the commands that the host's plan runs around the switch.
    pub(super) fn commands(&self) -> &Commands {
        static NONE: std::sync::LazyLock<Commands> = std::sync::LazyLock::new(Commands::default);
        self.plan.as_ref().map_or(&NONE, |plan| &plan.commands.commands)
    }
}
