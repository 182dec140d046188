//! The hooks and validation around a switch, host by host. A host runs only commands that it recorded itself, or
//! those of the controller's own configuration.

use std::{collections::BTreeSet, fmt};

use crate::{
    commands::{Commands, ValidateOn, Validation},
    hint::Notice,
    name::ReleaseName,
    report::{Command, crowd},
    store::Kept,
};

use super::{Action, HostPlan, HostRefusal, NAMED, Plan, Reason, Refusal, Seen};

/// The commands that may run around a switch.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub(crate) struct CommandMeans<'m> {
    /// The commands of the configuration; `None` without one.
    pub configured: Option<&'m Commands>,
    /// Whether a rollback runs those too, instead of the recorded ones.
    pub by_configuration: bool,
    /// Whether hooks and validation are skipped.
    pub skip: bool,
}

/// The commands of one host, and their source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub(crate) struct HostCommands {
    /// The commands.
    pub commands: Commands,
    /// The source of the commands.
    pub source: CommandSource,
}

/// The source of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum CommandSource {
    /// The controller's own configuration.
    #[default]
    Configuration,
    /// The record that the host made with the release.
    Record,
}

impl fmt::Display for CommandSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Configuration => "from the configuration",
            Self::Record => "as recorded there",
        })
    }
}

impl<'m> CommandMeans<'m> {
    /// Creates the means from a configuration's commands and the two options.
    #[must_use]
    pub(crate) fn new(configured: Option<&'m Commands>, by_configuration: bool, skip: bool) -> Self {
        Self { configured, by_configuration, skip }
    }

    /// Returns the configured validation if it runs on the controller.
    fn on_controller(&self) -> Option<&'m Validation> {
        self.configured?.validation.as_ref().filter(|validation| validation.on == ValidateOn::Controller)
    }
}

/// Adds the commands that each host and the controller run to `plan`.
pub(crate) fn with_commands(mut plan: Plan, means: CommandMeans<'_>, hosts: &[Seen<'_>]) -> Result<Plan, Refusal> {
    if plan.moves_nothing() || plan.only_relinks() {
        return Ok(plan);
    }
    let forward = matches!(plan.command, Command::Deploy | Command::Activate | Command::Stage);
    if means.skip {
        plan.notes.push("skips hooks and validation".to_owned());
    } else if let Some(commands) = means.configured.filter(|_| forward || means.by_configuration) {
        for host in &mut plan.hosts {
            host.commands = HostCommands { commands: commands.clone(), source: CommandSource::Configuration };
        }
        plan.controller = means.on_controller().cloned();
    } else if plan.command != Command::Deploy {
        add_recorded(&mut plan, means, hosts)?;
    }
    Ok(plan)
}

/// Assigns each host the commands that it recorded itself.
fn add_recorded(plan: &mut Plan, means: CommandMeans<'_>, hosts: &[Seen<'_>]) -> Result<(), Refusal> {
    let mut refusals: Vec<HostRefusal> = Vec::new();
    for host in &mut plan.hosts {
        let Some(seen) = hosts.iter().find(|seen| seen.host == host.host) else { continue };
        let Some(name) = host.arrives_on().cloned() else { continue };
        match seen.state.release(&name).map(|release| &release.commands) {
            Some(Kept::Record(commands)) => {
                host.commands = HostCommands { commands: commands.clone(), source: CommandSource::Record };
            }
            Some(Kept::Unreadable(why)) => {
                refusals.push(seen.refuse(Reason::CommandsUnreadable { name, why: why.clone() }));
            }
            Some(Kept::Nothing) | None => {}
        }
    }
    if !refusals.is_empty() {
        return Err(Refusal::of(plan.command, refusals));
    }
    let on_controller = |host: &HostPlan| {
        host.commands.commands.validation.as_ref().is_some_and(|validation| validation.on == ValidateOn::Controller)
    };
    let asking: Vec<&str> = plan.hosts.iter().filter(|host| on_controller(host)).map(|host| &*host.host).collect();
    if !asking.is_empty() {
        plan.controller = means.on_controller().cloned();
        if plan.controller.is_none() {
            let what = "skips the validation on the controller that was recorded with the release";
            let hosts = crowd(&asking, NAMED);
            plan.warnings
                .push(format!("{what} ({hosts}): the controller runs only what its configuration says").into());
        }
    }
    plan.warnings.extend(differences(plan).map(Notice::from));
    plan.warnings.extend(without_secrets(plan, means).map(Notice::from));
    Ok(())
}

/// Warns that hosts recorded different hooks with one release; includes a table of each host's commands.
fn differences(plan: &Plan) -> Option<String> {
    let mut rows: Vec<(ReleaseName, String, Vec<&str>)> = Vec::new();
    for host in &plan.hosts {
        let Some(name) = host.arrives_on().cloned() else { continue };
        let text = summary(&host.commands.commands);
        match rows.iter_mut().find(|(other, row, _)| *other == name && *row == text) {
            Some((.., hosts)) => hosts.push(&host.host),
            None => rows.push((name, text, vec![&host.host])),
        }
    }
    let differ: Vec<_> =
        rows.iter().filter(|(name, ..)| rows.iter().filter(|(other, ..)| other == name).count() > 1).collect();
    let (name, ..) = differ.first()?;
    let table: Vec<String> =
        differ.iter().map(|(_, text, hosts)| format!("\n  {}: {text}", crowd(hosts, NAMED))).collect();
    Some(format!("the commands recorded with {name} differ, and each host runs its own:{}", table.concat()))
}

/// Summarizes the commands around a switch on one line.
fn summary(commands: &Commands) -> String {
    let named = [("prepare", &commands.prepare), ("after_switch", &commands.after_switch)];
    let mut parts: Vec<String> =
        named.into_iter().filter_map(|(kind, text)| Some(format!("{kind} {}", shown(text.as_ref()?)))).collect();
    parts.extend(commands.validation.as_ref().map(|validation| {
        let place = if validation.on == ValidateOn::Controller { " on the controller" } else { "" };
        format!("validate{place} {}", shown(&validation.command))
    }));
    if parts.is_empty() { "no command".to_owned() } else { parts.join("; ") }
}

/// The maximum length of a command in a plan, in characters.
const SHOWN: usize = 200;

/// Quotes a command on one line.
pub(super) fn shown(command: &str) -> String {
    let text: String = command.trim().chars().take(SHOWN).flat_map(char::escape_debug).collect();
    let more = if command.trim().chars().count() > SHOWN { "..." } else { "" };
    // Quotes inside the command stay readable without escapes.
    format!("`{}{more}`", text.replace("\\'", "'").replace("\\\"", "\""))
}

/// Warns that recorded commands name files or variables of the controller that its configuration does not.
fn without_secrets(plan: &Plan, means: CommandMeans<'_>) -> Option<String> {
    let runs = plan.hosts.iter().map(|host| &host.commands.commands).filter(|commands| !commands.is_empty());
    let names: BTreeSet<String> = runs.flat_map(|commands| unsaid(commands, means.configured)).collect();
    if names.is_empty() {
        return None;
    }
    let names: Vec<String> = names.into_iter().collect();
    Some(format!("does not pass {} to hooks: the release names them, the configuration does not", names.join(", ")))
}

/// Returns the controller's files and variables that `recorded` names but the configuration does not.
pub(super) fn unsaid(recorded: &Commands, configured: Option<&Commands>) -> Vec<String> {
    let passes = |name: &String| configured.is_some_and(|commands| commands.pass_env.contains(name));
    let has_file = configured.is_some_and(|commands| commands.env_file.is_some());
    let file = recorded
        .env_file
        .iter()
        .filter(|_| !has_file)
        .map(|file| format!("the env_file {}", file.as_str().escape_debug()));
    let names = recorded.pass_env.iter().filter(|name| !passes(name)).map(|name| name.escape_debug().to_string());
    names.chain(file).collect()
}

impl HostPlan {
    /// Describes the commands that run on this host, each with its source.
    pub(super) fn command_lines(&self, command: Command) -> Vec<String> {
        let HostCommands { commands, source } = &self.commands;
        if command == Command::Stage {
            return Vec::new();
        }
        let prepares =
            matches!(self.action, Action::Deploy { .. } | Action::Activate { .. }) && command != Command::Recover;
        let validate = commands.validation.as_ref().filter(|validation| validation.on == ValidateOn::Hosts);
        let all = [
            ("prepare", commands.prepare.as_ref().filter(|_| prepares)),
            ("after_switch", commands.after_switch.as_ref()),
            ("validate", validate.map(|validation| &validation.command)),
        ];
        all.into_iter().filter_map(|(kind, text)| Some(format!("{kind} {}, {source}", shown(text?)))).collect()
    }
}
