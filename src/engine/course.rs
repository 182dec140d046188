//! [`Course`]: a plan that is being carried out, and how far it has come on the whole fleet.

use crate::{
    commands::Commands,
    error::ErrorKind,
    hook::HookDirection,
    name::ReleaseName,
    outcome::{Command, Outcome},
    plan::{self, Action, Plan, Seen},
    report::{DataReport, Failure, Report},
    transport::Secrets,
};

use super::{data::DataProgress, run::Run, secrets, working::Working};

/// A plan under way on locked hosts.
pub(super) struct Course<'r, 'p> {
    pub(super) plan: &'p Plan,
    pub(super) locked: Vec<Working<'r>>,
    /// The commands of the release that is gone to.
    pub(super) commands: Commands,
    pub(super) secrets: Secrets,
    pub(super) data: DataProgress,
    /// What failed once for the whole fleet, and not on one host.
    pub(super) failure: Option<Failure>,
    /// Whether the fleet has arrived, and stays there whatever fails now.
    pub(super) stays: bool,
}

impl<'r, 'p> Course<'r, 'p> {
    pub(super) fn new(run: &Run<'r>, plan: &'p Plan, mut locked: Vec<Working<'r>>) -> Self {
        for working in &mut locked {
            working.plan = plan.host(working.name()).cloned();
        }
        let commands = run.commands_for(plan, &locked);
        let secrets = secrets::load(run.options.commands.as_ref().unwrap_or(&commands), &mut |why| run.warn(None, why));
        Self { plan, locked, commands, secrets, data: DataProgress::default(), failure: None, stays: false }
    }

    /// Whether something failed, on a host or for all.
    pub(super) fn failed(&self) -> bool {
        self.failure.is_some() || self.locked.iter().any(|working| working.failure.is_some())
    }

    /// Whether something failed of itself, and not because somebody asked to stop.
    pub(super) fn failed_itself(&self) -> bool {
        let on_hosts = self.locked.iter().filter_map(|working| working.failure.as_ref());
        on_hosts.chain(&self.failure).any(|failure| failure.kind != ErrorKind::Interrupted)
    }

    /// Which way this goes.
    pub(super) fn direction(&self) -> HookDirection {
        match self.plan.command {
            Command::Activate => HookDirection::Activate,
            Command::Deploy | Command::Stage => HookDirection::Deploy,
            _ if self.locked.iter().any(|working| goes_forward(working)) => HookDirection::Deploy,
            _ => HookDirection::Rollback,
        }
    }

    /// What is reported of the data; `None` when it was not looked at.
    pub(super) fn data_report(&self) -> Option<DataReport> {
        let DataProgress { before, after, .. } = &self.data;
        let before = before.clone()?;
        Some(DataReport { before, after: after.clone() })
    }
}

/// Whether a recovery takes a host forward.
fn goes_forward(working: &Working<'_>) -> bool {
    working.plan.as_ref().is_some_and(|plan| matches!(plan.action, Action::Activate { .. } | Action::Deploy { .. }))
}

impl Run<'_> {
    /// The report that a way forward lacks variables that its hooks are to be given. A way back does without them.
    pub(super) fn lacks_secrets(&self, release: &ReleaseName) -> Option<Report> {
        let error = secrets::missing(self.options.commands.as_ref()?)?;
        Some(self.report(Outcome::Error, Some(release), Vec::new(), Some(error.into())))
    }

    /// The report that a plan may not be carried out, for what it would run: nothing was touched.
    pub(super) fn not_allowed(&self, plan: &Plan, seen: &[Seen<'_>]) -> Option<Report> {
        self.not_readable(plan, seen).or_else(|| self.not_trusted(plan, seen))
    }

    /// The report that the recorded commands that would run cannot be read.
    fn not_readable(&self, plan: &Plan, seen: &[Seen<'_>]) -> Option<Report> {
        let recorded = matches!(plan.command, Command::Rollback | Command::Recover) && !self.by_configuration;
        let refusal = plan::readable(plan, seen).err().filter(|_| recorded && self.hooks)?;
        Some(self.refused(refusal, seen))
    }

    /// The report that commands would run in a release that belongs to somebody else: nothing was touched. What settles an
    /// interrupted run never asks.
    fn not_trusted(&self, plan: &Plan, seen: &[Seen<'_>]) -> Option<Report> {
        if !matches!(plan.command, Command::Rollback | Command::Activate) {
            return None;
        }
        let refusal = plan::trust(plan, self.runs_anything(plan, seen), seen).err()?;
        if !self.allow_writable {
            return Some(self.refused(refusal, seen));
        }
        for refusal in &refusal.hosts {
            self.warn(Some(&refusal.host), refusal.reason.to_string());
        }
        None
    }

    /// Whether anything is run in the release that a plan goes to.
    fn runs_anything(&self, plan: &Plan, seen: &[Seen<'_>]) -> bool {
        if !self.hooks {
            return false;
        }
        let code = &self.options.code;
        let by_code = code.prepare.is_some() || code.after_switch.is_some() || code.validate.is_some();
        let by_configuration = || self.options.commands.as_ref().is_some_and(|commands| !commands.is_empty());
        let recorded = || {
            let releases = seen.iter().filter_map(|seen| seen.state.release(&plan.release));
            releases.filter_map(|release| release.commands.record()).any(|commands| !commands.is_empty())
        };
        let configured = plan.command == Command::Activate || self.by_configuration;
        by_code || if configured { by_configuration() } else { recorded() }
    }

    /// The commands of the release that a plan goes to: those of the configuration on the way forward, and those that were
    /// recorded with the release on the way back, unless it was asked for the others.
    fn commands_for(&self, plan: &Plan, locked: &[Working<'_>]) -> Commands {
        if !self.hooks {
            return Commands::default();
        }
        let configured = self.options.commands.clone();
        let forward = matches!(plan.command, Command::Deploy | Command::Activate | Command::Stage);
        match configured {
            Some(commands) if forward || self.by_configuration => commands,
            _ if plan.command == Command::Deploy => Commands::default(),
            _ => self.recorded(&plan.release, locked),
        }
    }

    /// The commands that were recorded with a release, as the first host that has them says.
    pub(super) fn recorded(&self, name: &ReleaseName, locked: &[Working<'_>]) -> Commands {
        for working in locked {
            match working.guard.state().release(name).map(|release| &release.commands) {
                Some(crate::store::Kept::Record(commands)) => return commands.clone(),
                Some(crate::store::Kept::Unreadable(why)) => {
                    let what = format!("the commands recorded with {name} cannot be read, and are not run ({why})");
                    self.warn(Some(working.name()), what);
                }
                _ => {}
            }
        }
        Commands::default()
    }
}
